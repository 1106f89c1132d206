#!/usr/bin/env bash
# TITLE     nbclient: a notebook passes although its check failed, where the check stands under %run or %%capture
# VERSION   nbclient 0.11.0, ipython 9.18.1, ipykernel 7.4.0, nbformat 5.11.1, Python 3.11
# GUESS     NotebookClient.execute raises CellExecutionError for a cell whose code raises and that no tag allows. So a notebook
#           that keeps its checks in check.py and runs it by "%run check.py" is as good a test as one with the checks in its cells.
# BEHAVIOUR With a failed assert, execute raises for a plain cell and for %%time and %%script, but not for "%run check.py" nor for a
#           cell under %%capture. The cells after it run. The traceback is in the cell's outputs, as an "error", and nobody is told.
#           The same goes for nbconvert --execute, which builds on it. nbval 0.11.0 reads the outputs, and its cell fails.
# SOURCE    IPython/core/interactiveshell.py: safe_execfile, which %run calls, shows a traceback and does not raise;
#           IPython/core/magics/execution.py: capture drops the result of run_cell. nbclient/client.py: _check_raise_for_error looks at
#           the status of the kernel's reply, which is "ok", and not at the outputs.
# SEEN      plain     fails, errors in its outputs: ['AssertionError'], next cell ran: False
#           %%time    fails, errors in its outputs: ['AssertionError'], next cell ran: False
#           %%script  fails, errors in its outputs: ['CalledProcessError'], next cell ran: False
#           %run      passes, errors in its outputs: ['AssertionError'], next cell ran: True
#           %%capture passes, errors in its outputs: ['AssertionError'], next cell ran: True
set -euo pipefail
here="$(mktemp -d)"; trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install -q --disable-pip-version-check nbclient==0.11.0 ipython==9.18.1 ipykernel==7.4.0 nbformat==5.11.1 >/dev/null
cd "$here"
printf 'assert 1 + 1 == 3, "the check"\n' > check.py
IPYTHONDIR="$here/ipython" JUPYTER_PREFER_ENV_PATH=1 "$here/venv/bin/python" -W ignore - 2>/dev/null <<'PY'
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

FAILS = "assert 1 + 1 == 3"
CELLS = {"plain": FAILS, "%%time": f"%%time\n{FAILS}", "%%script": f"%%script python\n{FAILS}",
         "%run": "%run check.py", "%%capture": f"%%capture printed\n{FAILS}"}
told = {}
for name, source in CELLS.items():
    cells = [nbformat.v4.new_code_cell(text) for text in (source, "'the next cell ran'")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    try:
        NotebookClient(notebook, kernel_name="python3").execute()
        told[name] = False
    except CellExecutionError:
        told[name] = True
    errors = [output.ename for output in cells[0].outputs if output.output_type == "error"]
    ran, said = bool(cells[1].outputs), "fails" if told[name] else "passes"
    print(f"{name:9} {said}, errors in its outputs: {errors}, next cell ran: {ran}")
    assert errors, name
assert told == {"plain": True, "%%time": True, "%%script": True, "%run": False, "%%capture": False}, told
print("As described.")
PY
