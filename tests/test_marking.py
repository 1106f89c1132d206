"""The score of a reader's copy (`python -m glmlab check`): what was filled in is told from what was not."""

import json

import nbformat
import pytest
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

import glmlab
from glmlab.__main__ import main
from glmlab.classroom import marking
from glmlab.teaching import exercise

pytestmark = pytest.mark.timeout(120)
NAME = "01_data_creation.ipynb"
SETUP = "import dask\nimport dask.array as da\nimport numpy as np\nfrom glmlab.teaching import check, use"
EXERCISES = ("chunk_rows", "rows", "dot")
OVER = "def chunk_rows(p, budget, itemsize=8):\n    return budget // p"
NO_PYTHON = "def rows(n, p, chunks, seed):\n    return )"
# 192.0.2.0/24 is reserved for examples: nobody answers there.
CONNECTS = "import socket\nsocket.create_connection(('192.0.2.1', 80), timeout=20)"


@pytest.fixture
def my(tmp_path, monkeypatch):
    """The folder with the reader's copies, and no other setting of the reader."""
    monkeypatch.setattr(marking, "my_folder", lambda: tmp_path / "my")
    monkeypatch.setenv("GLMLAB_SCALE", "")
    (tmp_path / "my").mkdir()
    return tmp_path / "my"


def write(my, answers, *more):
    """A copy of 01 with these answers, {name: source}, each with the cell that uses it, and more cells; its bytes."""
    cells = [new_markdown_cell("def chunk_rows is not written here"), new_code_cell(SETUP)]
    for name, source in answers.items():
        cells += [new_code_cell(source), new_code_cell(f"{name} = use({name})")]
    nbformat.write(new_notebook(cells=[*cells, *map(new_code_cell, more)]), my / NAME)
    return (my / NAME).read_bytes()


def stubs():
    return {name: exercise(name).stub for name in EXERCISES}


def files(folder):
    return sorted(path.name for path in folder.rglob("*"))


def test_a_filled_copy_passes_and_is_left_as_it_was(my, tmp_path, capsys):
    before = write(my, {name: exercise(name).source for name in EXERCISES})
    assert main(["check", "01"]) == 0
    *lines, total = capsys.readouterr().out.splitlines()
    assert [line.split(maxsplit=1) for line in lines] == [[name, "passed"] for name in EXERCISES]
    assert total.startswith(f"{NAME}: 3 of 3 passed") and total.endswith("at scale ci")
    assert (my / NAME).read_bytes() == before
    assert files(tmp_path) == [NAME, "my"], "the run writes nothing where the reader works"


def test_a_copy_nobody_filled_in_is_not_tried(my, capsys):
    write(my, stubs())
    assert main(["check", "01", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["exercises"] == dict.fromkeys(EXERCISES, "not tried")
    assert (found["notebook"], found["passed"], found["of"]) == (NAME, 0, 3)
    assert found["errors"] == [] and found["ended"] and found["seconds"] > 0 and found["glmlab"] == glmlab.__version__


def test_wrong_answers_are_told_from_missing_ones_and_nothing_leaves_the_machine(my, capsys):
    """One answer fails its check, the cell of another is no Python, the third is a stub."""
    write(my, stubs() | {"chunk_rows": OVER, "rows": NO_PYTHON}, CONNECTS, "chunk_rows(2, 160)")
    assert main(["check", "01", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["exercises"] == {"chunk_rows": "wrong", "rows": "wrong", "dot": "not tried"} and found["passed"] == 0
    no_python, no_name, network = found["errors"]
    assert no_python.startswith("cell 5: SyntaxError") and no_name.startswith("cell 6: NameError")
    assert network.startswith("cell 9: OSError") and "leave the machine" in network


def pretend(monkeypatch, act):
    """Let `act` stand for the run; returns the list of the environments that it was given."""
    seen = []

    def run_cells(notebook, folder, variables, allow_errors):
        seen.append(variables)
        act(notebook)

    monkeypatch.setattr(marking, "run_cells", run_cells)
    return seen


@pytest.mark.parametrize(("error", "says"), [
    (CellTimeoutError("a cell"), "took longer than 300 s"), (DeadKernelError("Kernel died"), "process died"),
], ids=["time-out", "dead kernel"])  # fmt: skip
def test_a_run_that_does_not_reach_the_end_says_so(my, monkeypatch, capsys, error, says):
    def stop(notebook):
        raise error

    pretend(monkeypatch, stop)
    write(my, stubs())
    assert main(["check", "01"]) == 1
    assert says in capsys.readouterr().out


def test_errors_of_the_readers_last_session_are_not_those_of_the_run(my, monkeypatch, capsys):
    write(my, stubs())
    old = nbformat.read(my / NAME, as_version=4)
    old.cells[2].outputs = [nbformat.v4.new_output("error", ename="NameError", evalue="np", traceback=[])]
    nbformat.write(old, my / NAME)
    pretend(monkeypatch, lambda notebook: None)
    assert main(["check", "01", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["errors"] == [] and found["exercises"]["chunk_rows"] == "not tried"


@pytest.mark.parametrize(("given", "used"), [("", "ci"), ("full", "full")])
def test_the_scale_is_small_unless_it_is_set(my, monkeypatch, given, used):
    monkeypatch.setenv("GLMLAB_SCALE", given)
    monkeypatch.setenv("GLMLAB_EXERCISES", "solved")
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", "tcp://elsewhere:8786")
    seen = pretend(monkeypatch, lambda notebook: None)
    write(my, stubs())
    assert main(["check", "01"]) == 0
    assert (seen[0]["GLMLAB_SCALE"], seen[0]["GLMLAB_EXERCISES"]) == (used, "untouched")
    assert "DASK_SCHEDULER_ADDRESS" not in seen[0]


@pytest.mark.parametrize(("name", "scale", "says"), [
    ("77", "", "fits no notebook"), ("01", "", "python -m glmlab lab makes a copy"), ("02", "huge", "choose ci"),
])  # fmt: skip
def test_what_cannot_be_run_is_said(my, monkeypatch, capsys, name, scale, says):
    monkeypatch.setenv("GLMLAB_SCALE", scale)
    nbformat.write(new_notebook(), my / "02_naive_solve.ipynb")
    assert main(["check", name]) == 1
    said = capsys.readouterr()
    assert says in said.err and said.out == ""


def test_a_copy_that_is_no_notebook_is_refused(my, capsys):
    (my / NAME).write_text("my notes")
    assert main(["check", "01"]) == 1
    assert "JSON" in capsys.readouterr().err
