"""The score of a reader's own copy of a notebook: it is run, and each exercise is passed, wrong or not tried."""

import json
import os
import re
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import nbformat
from nbclient.exceptions import CellTimeoutError, DeadKernelError

import glmlab
from glmlab.classroom.running import CELL_SECONDS, environment, run_cells
from glmlab.teaching import Progress, scale
from glmlab.teaching.contents import chapter
from glmlab.teaching.records import NOT_TRIED, PASSED, WRONG
from glmlab.workspace import find, my_folder


@dataclass(frozen=True)
class Score:
    """What a run of a reader's copy has shown."""

    notebook: str  # its file name
    exercises: dict  # {name: "passed", "wrong" or "not tried"}, in the order of the notebook
    passed: int  # exercises
    of: int  # exercises
    seconds: float  # that the run took
    scale: str  # of the run: ci, workshop or full
    errors: list  # one line for each cell that ended in an error, and one for a run that did not reach the last cell
    ended: bool  # did the run reach the last cell?
    glmlab: str  # its version

    def as_json(self) -> str:
        """The score as JSON, for a teacher to collect."""
        return json.dumps(asdict(self), indent=1)

    def __str__(self):
        width = max(map(len, self.exercises), default=0)
        lines = [f"{name:<{width}}  {state}" for name, state in self.exercises.items()]
        said = f"{self.notebook}: {self.passed} of {self.of} passed, in {self.seconds:.0f} s at scale {self.scale}"
        return "\n".join([*lines, said, *self.errors])


def score(name, my=None) -> Score:
    """Run a reader's copy of one notebook, given by its name or the start of its name ("00").

    It runs in a temporary folder, off the network, and goes on after an error. So the copy, the ledger and the progress
    of the reader stay as they are. An exercise is not tried where no answer to it reached a check: its stub still
    stands, or the cell that checks it did not run. `my` is the folder of the copies; the default is the reader's.
    The scale is ci unless GLMLAB_SCALE is set.
    Raises ValueError where no notebook or more than one has such a name, or where the reader has no copy of it.
    """
    shipped = find(name)
    copy = Path(my or my_folder()) / shipped.name
    if not copy.exists():
        raise ValueError(f"there is no {copy}; python -m glmlab lab makes a copy of each notebook there")
    notebook = without_outputs(nbformat.read(copy, as_version=4))
    size = scale.name if os.environ.get("GLMLAB_SCALE") else "ci"
    with tempfile.TemporaryDirectory(prefix="glmlab-", ignore_cleanup_errors=True) as temp:
        workspace = Path(temp) / "workspace"
        own = {"GLMLAB_SCALE": size, "GLMLAB_WORKSPACE": str(workspace)}
        begun = time.perf_counter()
        trouble = run(notebook, temp, environment(solved=False) | own)
        seconds = time.perf_counter() - begun
        checked = Progress(workspace / "progress.json").states(chapter(copy.stem.split("_")[0]).exercises)
    states = {exercise: state_of(exercise, found, notebook) for exercise, found in checked.items()}
    passed = list(states.values()).count(PASSED)
    return Score(copy.name, states, passed, len(states), round(seconds, 1), size, [*errors(notebook), *trouble],
                 not trouble, glmlab.__version__)  # fmt: skip


def without_outputs(notebook):
    """The notebook without the outputs that its last session left: a cell that is not run has none."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    return notebook


def run(notebook, folder: str, variables: dict) -> list[str]:
    """Run the notebook in place; returns what ended it before its last cell: one line, or none."""
    try:
        run_cells(notebook, folder, variables, allow_errors=True)
    except CellTimeoutError:
        return [f"A cell took longer than {CELL_SECONDS} s. The cells after it did not run."]
    except DeadKernelError:
        return ["The notebook's process died, perhaps for lack of memory. The cells after that did not run."]
    return []


def state_of(exercise: str, checked: str, notebook) -> str:
    """The state that the checks found; but wrong where the cell of an answer fails, so that it reaches no check."""
    defines = re.compile(rf"^(?:def|class) {exercise}\b", re.M)
    failed = any(defines.search(cell.source) and error_of(cell) for cell in notebook.cells)
    return WRONG if failed and checked == NOT_TRIED else checked


def errors(notebook) -> list[str]:
    """A line for each cell that ended in an error: its place in the notebook, from 1, and the error."""
    found = [(place, error_of(cell)) for place, cell in enumerate(notebook.cells, 1)]
    return [f"cell {place}: {error.ename}: {error.evalue}".split("\n")[0] for place, error in found if error]


def error_of(cell):
    """The output of a cell that is an error, None where there is none."""
    return next((output for output in cell.get("outputs", []) if output.output_type == "error"), None)
