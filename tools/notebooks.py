"""The notebooks: one half from the other, and how they are run. What their form must be is in tools/form.py.

    python -m tools.notebooks sync            write notebooks/*.ipynb from notebooks/src/*.py
    python -m tools.notebooks run [--solved]  run every notebook in a temporary copy, off the network
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import jupytext
import nbformat
from jupytext.config import load_jupytext_config

from glmlab.classroom.running import CELL_SECONDS, environment

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "notebooks"
LINKS = re.compile(r"\n\n(← \[[^\n]*|\[[^\n]* →)\Z")  # the last line of an .ipynb's text, which no .py has


# --- one half from the other

def sync(folder=FOLDER) -> list[Path]:
    """Write every `NN.ipynb` from its `src/NN.py`; a cell without an id gets one, in both halves."""
    return [sync_one(source) for source in sorted(Path(folder).glob("src/*.py"))]


def sync_one(source: Path) -> Path:
    """Write one pair."""
    notebook = name_cells(read_half(source), source.stem)
    target = source.parent.parent / f"{source.stem}.ipynb"
    write_text(source, as_text(notebook, source))
    links = neighbours(source.stem, [path.stem for path in source.parent.glob("*.py")])
    if links:
        texts(notebook)[-1].source += f"\n\n{links}"
    write_text(target, nbformat.writes(with_ids(notebook)) + "\n")
    return target


def texts(notebook) -> list:
    """The cells of text."""
    return [cell for cell in notebook.cells if cell.cell_type == "markdown"]


def neighbours(stem: str, stems: list[str]) -> str:
    """A line of links to the notebooks before and after one, in the order of the course; "" for a single notebook."""
    order = sorted(stems)
    place = order.index(stem)
    before = [f"← [{title(near)}]({near}.ipynb)" for near in order[:place][-1:]]
    after = [f"[{title(near)}]({near}.ipynb) →" for near in order[place + 1 :][:1]]
    return " · ".join([*before, *after])


def title(stem: str) -> str:
    """A notebook's file name as words. A letter behind its number says that it is a companion."""
    companion = stem.split("_")[0][-1].isalpha()
    return stem.replace("_", " ") + " (optional)" * companion


def read_half(source: Path):
    """The reviewed half as a notebook; ids are still cell metadata."""
    return jupytext.read(source, fmt="py:percent", config=config(source))


def as_text(notebook, source: Path) -> str:
    """The notebook as the text of its reviewed half."""
    return jupytext.writes(notebook, fmt="py:percent", config=config(source))


def config(source: Path):
    """jupytext.toml of the clone, whichever folder we work in."""
    return load_jupytext_config(str(ROOT / "notebooks" / "src" / source.name))


def name_cells(notebook, stem: str):
    """Give a name to each cell that has none: the notebook's number and the first free one."""
    taken = {cell.metadata.get("id") for cell in notebook.cells}
    free = (f"c{stem[:2]}-{n:03}" for n in range(1, 1000))
    for cell in notebook.cells:
        if not cell.metadata.get("id"):
            cell.metadata["id"] = next(name for name in free if name not in taken)
    return notebook


def with_ids(notebook):
    """The half that learners open: each cell's id is its name, and no output is kept."""
    for cell in notebook.cells:
        cell.id = cell.metadata["id"]
        cell.metadata = {key: cell.metadata[key] for key in ("id", "tags") if cell.metadata.get(key)}
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return notebook


def write_text(path: Path, text: str):
    """Write only what differs, so that make and git see no change where there is none."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


# --- how they are run

def run(solved=False, folder=FOLDER) -> int:
    """Run every notebook under nbval at scale ci; returns pytest's exit code.

    As shipped: each notebook by itself, two at a time, as for a reader who skips. Solved: in order, in one
    folder, as for a reader who follows. Nothing is written in the clone; no connection leaves the machine.
    """
    with tempfile.TemporaryDirectory(prefix="glmlab-") as temp:
        names = copies(Path(folder), Path(temp), together=solved)
        if not names:
            return print("There is no notebook to run.") or 1
        workers = ["-p", "no:xdist"] if solved else ["-n", "2", "--dist", "loadfile"]
        command = [sys.executable, "-m", "pytest", "--rootdir", temp, "-p", "no:cacheprovider", *workers,
                   "--nbval-lax", "--nbval-current-env", f"--nbval-cell-timeout={CELL_SECONDS}", *names]
        return subprocess.run(command, cwd=temp, env=environment(solved)).returncode


def copies(folder: Path, temp: Path, together: bool) -> list[str]:
    """Copy the notebooks; returns their paths below `temp`, in order."""
    names = []
    for path in sorted(folder.glob("*.ipynb")):
        place = temp / ("." if together else path.stem)
        place.mkdir(exist_ok=True)
        names.append(str(Path(shutil.copy(path, place)).relative_to(temp)))
    return names


def main(argv) -> int:
    """One verb."""
    if argv[:1] == ["sync"]:
        return print(*sync(), sep="\n") or 0
    if argv[:1] == ["run"] and set(argv[1:]) <= {"--solved"}:
        return run(solved="--solved" in argv)
    return print(__doc__) or 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
