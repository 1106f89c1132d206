"""The score of a reader's copy (`python -m glmlab check`): what was filled in is told from what was not."""

import json

import nbformat
import pytest
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import glmlab
from glmlab.__main__ import main
from glmlab.classroom import marking, running
from glmlab.classroom.running import environment, run_cells
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

    def run_cells(notebook, folder, variables, allow_errors, seconds):
        seen.append(variables)
        act(notebook)

    monkeypatch.setattr(marking, "run_cells", run_cells)
    return seen


@pytest.mark.parametrize(("error", "says"), [
    (CellTimeoutError("a cell"), "could not be stopped"), (DeadKernelError("Kernel died"), "process died"),
], ids=["time-out", "dead kernel"])  # fmt: skip
def test_a_run_that_does_not_reach_the_end_says_so(my, monkeypatch, capsys, error, says):
    def stop(notebook):
        raise error

    pretend(monkeypatch, stop)
    write(my, stubs())
    assert main(["check", "01"]) == 1
    assert says in capsys.readouterr().out


def fails(name, ename):
    """A run in which each cell runs whose source begins with `name`, and ends in this error."""
    def act(notebook):
        for cell in notebook.cells:
            if cell.cell_type == "code" and cell.source.startswith(name):
                cell.outputs = [new_output("error", ename=ename, evalue="", traceback=[])]

    return act


@pytest.mark.parametrize(("answer", "fails_in", "ename", "state"), [
    ("while True:\n    pass\ndef chunk_rows(p): return p", "while True", "KeyboardInterrupt", "timed out"),
    (OVER, "chunk_rows = use", "KeyboardInterrupt", "timed out"),
    (OVER, "def rows", "KeyboardInterrupt", "not tried"),
    ("chunk_rows = max", "chunk_rows = use", "ValueError", "wrong"),
    ("chunk_rows = 1 / 0", "chunk_rows = 1", "ZeroDivisionError", "wrong"),
    ("chunk_rows == 3", "chunk_rows = use", "NameError", "not tried"),
    (None, "chunk_rows = use", "NameError", "not tried"),
])  # fmt: skip
def test_where_no_check_ended_the_cells_of_the_answer_decide(my, monkeypatch, answer, fails_in, ename, state):
    pretend(monkeypatch, fails(fails_in, ename))
    write(my, stubs() | ({"chunk_rows": answer} if answer else {}))
    assert marking.score("01").exercises["chunk_rows"] == state


def test_the_cell_at_which_a_run_ended_is_the_last_that_began(my, monkeypatch):
    def hang(notebook):
        for cell in notebook.cells[1:4]:
            cell.metadata.execution = {}
        raise CellTimeoutError("a cell")

    pretend(monkeypatch, hang)
    write(my, stubs() | {"chunk_rows": OVER})
    found = marking.score("01", seconds=7)
    assert found.exercises == {"chunk_rows": "timed out", "rows": "not tried", "dot": "not tried"}
    assert found.errors[0] == "cell 4: it took longer than 7 s" and not found.ended


def test_an_endless_cell_is_stopped_and_one_that_cannot_be_stopped_ends_the_run(tmp_path, monkeypatch):
    """Within one call of a C function that never ends, Python hears of no interrupt."""
    monkeypatch.setattr(running, "STOP_SECONDS", 2)
    sources = "while True: pass", "print('here')", "sum(iter(int, 1))", "print('not here')"
    notebook = new_notebook(cells=[new_code_cell(text) for text in sources])
    with pytest.raises(CellTimeoutError):
        run_cells(notebook, str(tmp_path), environment(solved=False), allow_errors=True, seconds=4)
    endless, after, *_ = notebook.cells
    assert endless.outputs[0].ename == "KeyboardInterrupt" and after.outputs[0].text == "here\n"
    assert marking.begun(notebook) == notebook.cells[:3]


def test_answers_that_are_lambdas_are_judged_and_an_error_elsewhere_takes_no_point(my):
    lambdas = {"chunk_rows": "chunk_rows = lambda p, budget, itemsize=8: int(budget // (p * itemsize))",
               "dot": "dot = lambda X, w: 0.0", "rows": exercise("rows").source}  # fmt: skip
    write(my, lambdas, "1 / 0")
    found = marking.score("01")
    assert found.exercises == {"chunk_rows": "passed", "rows": "passed", "dot": "wrong"}
    assert found.errors == ["cell 9: ZeroDivisionError: division by zero"]


def test_what_the_readers_last_session_left_is_not_of_the_run(my, monkeypatch, capsys):
    begun = []
    write(my, stubs())
    old = nbformat.read(my / NAME, as_version=4)
    old.cells[2].outputs = [new_output("error", ename="NameError", evalue="np", traceback=[])]
    old.cells[2].metadata.execution = {"shell.execute_reply": "2017-03-22"}
    nbformat.write(old, my / NAME)
    pretend(monkeypatch, lambda notebook: begun.extend(marking.begun(notebook)))
    assert main(["check", "01", "--json"]) == 0 and begun == []
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


@pytest.mark.parametrize("text", [
    "my notes", "", "{}", "[1, 2]", "3", "\ud800", '{"nbformat": "x"}', '{"cells": [{}]}',
    '{"cells": 5, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
])  # fmt: skip
def test_a_copy_that_is_no_notebook_is_refused_in_one_sentence(my, capsys, text):
    (my / NAME).write_bytes(text.encode("utf-8", "surrogatepass"))
    assert main(["check", "01"]) == 1
    said = capsys.readouterr()
    assert "01_data_creation.ipynb cannot be read as a notebook. python -m glmlab reset 01" in said.err
    assert len(said.err.splitlines()) == 1 and said.out == ""


def test_a_folder_in_the_place_of_a_copy_is_refused(my, capsys):
    (my / NAME).mkdir()
    assert main(["check", "01"]) == 1
    assert "cannot be read as a notebook" in capsys.readouterr().err
