"""The score of a reader's own copy of a notebook: it is run, and each exercise gets a state."""

import json
import os
import re
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import nbformat
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat.v4 import new_output

import glmlab
from glmlab.classroom.running import CELL_SECONDS, environment, run_cells
from glmlab.teaching import Progress, scale
from glmlab.teaching.contents import chapter
from glmlab.teaching.records import NOT_TRIED, PASSED, WRONG
from glmlab.workspace import find, my_folder

TIMED_OUT = "timed out"
STOPPED = "KeyboardInterrupt"  # the error of a cell that took too long


@dataclass(frozen=True)
class Score:
    """What a run of a reader's copy has shown."""

    notebook: str  # its file name
    exercises: dict  # {name: "passed", "wrong", "timed out" or "not tried"}, in the order of the notebook
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


def score(name, my=None, seconds=CELL_SECONDS) -> Score:
    """Run a reader's copy of one notebook, given by its name or the start of its name ("00").

    It runs in a temporary folder, off the network, and goes on after an error and after a cell that takes longer than
    `seconds`, which is stopped. So the copy, the ledger and the progress of the reader stay as they are. An exercise
    has timed out where a cell of its answer took so long that no check ended. It is not tried where no answer to it
    reached a check: its stub still stands, or the cell that checks it did not run. `my` is the folder of the copies;
    the default is the reader's. The scale is ci unless GLMLAB_SCALE is set.
    Raises ValueError where no notebook or more than one has such a name, or where the reader has no copy of it.
    """
    shipped = find(name)
    copy = Path(my or my_folder()) / shipped.name
    notebook = without_outputs(read(copy))
    size = scale.name if os.environ.get("GLMLAB_SCALE") else "ci"
    with tempfile.TemporaryDirectory(prefix="glmlab-", ignore_cleanup_errors=True) as temp:
        workspace = Path(temp) / "workspace"
        own = {"GLMLAB_SCALE": size, "GLMLAB_WORKSPACE": str(workspace)}
        begun = time.perf_counter()
        trouble = run(notebook, temp, environment(solved=False) | own, seconds)
        took = time.perf_counter() - begun
        checked = Progress(workspace / "progress.json").states(chapter(copy.stem.split("_")[0]).exercises)
    states = {exercise: state_of(exercise, found, notebook) for exercise, found in checked.items()}
    passed = list(states.values()).count(PASSED)
    return Score(copy.name, states, passed, len(states), round(took, 1), size, [*errors(notebook, seconds), *trouble],
                 not trouble, glmlab.__version__)  # fmt: skip


def read(copy: Path):
    """The reader's copy as nbformat reads it. Raises ValueError where there is none, or where it is no notebook."""
    if not copy.exists():
        raise ValueError(f"there is no {copy}; python -m glmlab lab makes a copy of each notebook there")
    try:
        return nbformat.read(copy, as_version=4)
    except (OSError, ValueError, TypeError, AttributeError, KeyError, nbformat.ValidationError):
        number = copy.stem.split("_")[0]
        raise ValueError(f"{copy} cannot be read as a notebook. python -m glmlab reset {number} makes a fresh copy of "
                         f"it and keeps this file beside it.") from None  # fmt: skip


def without_outputs(notebook):
    """The notebook without the outputs and the times that its last session left: a cell that is not run has none."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
            cell.metadata.pop("execution", None)
    return notebook


def run(notebook, folder: str, variables: dict, seconds) -> list[str]:
    """Run the notebook in place; returns what ended it before its last cell: one line, or none.

    The cell at which it ended is given the error.
    """
    try:
        run_cells(notebook, folder, variables, allow_errors=True, seconds=seconds)
    except CellTimeoutError:
        blame(notebook, STOPPED)
        return ["A cell could not be stopped. The cells after it did not run."]
    except DeadKernelError:
        blame(notebook, "DeadKernelError")
        return ["The notebook's process died, perhaps for lack of memory. The cells after that did not run."]
    return []


def blame(notebook, error: str):
    """Give the last cell that began to run an error."""
    for cell in begun(notebook)[-1:]:
        cell.outputs.append(new_output("error", ename=error, evalue="the run ended here", traceback=[]))


def begun(notebook) -> list:
    """The code cells that began to run: nbclient keeps their times in the metadata."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and "execution" in cell.metadata]


def state_of(exercise: str, checked: str, notebook) -> str:
    """The state that the checks found. Where they found none, the errors of the cells that hold the answer decide.

    A cell may hold a definition or an assignment, as in `total = np.sum`. An assigned answer is also wrong where the
    cell that checks it fails, because a check takes functions only.
    """
    if checked != NOT_TRIED:
        return checked
    defined = errors_where(rf"^(?:def|class) {exercise}\b", notebook)
    assigned = errors_where(rf"^{exercise} *=(?!=| *use\()", notebook)
    judged = errors_where(rf"\b(?:use|check)\({exercise}\)", notebook)
    if STOPPED in [*defined, *assigned, *judged]:
        return TIMED_OUT
    failed = any([*defined, *assigned]) or (assigned and any(judged))
    return WRONG if failed else NOT_TRIED


def errors_where(pattern: str, notebook) -> list:
    """For each code cell whose source has the pattern, the name of its error, or None."""
    wanted = re.compile(pattern, re.M)
    found = [error_of(cell) for cell in notebook.cells if cell.cell_type == "code" and wanted.search(cell.source)]
    return [error and error.ename for error in found]


def errors(notebook, seconds) -> list[str]:
    """A line for each cell that ended in an error: its place in the notebook, from 1, and the error."""
    found = [(place, error_of(cell)) for place, cell in enumerate(notebook.cells, 1)]
    return [f"cell {place}: {told(error, seconds)}" for place, error in found if error]


def told(error, seconds) -> str:
    """An error in one line."""
    if error.ename == STOPPED:
        return f"it took longer than {seconds} s"
    return f"{error.ename}: {error.evalue}".split("\n")[0]


def error_of(cell):
    """The output of a cell that is an error, None where there is none."""
    return next((output for output in cell.get("outputs", []) if output.output_type == "error"), None)
