"""What the shipped notebooks hold: sections with their minutes, and exercises. It is read from the notebooks."""

import json
import re
from pathlib import Path
from typing import NamedTuple

from glmlab.workspace import course

from .exercise import exercises

MINUTES = re.compile(r"\*\*(\d+) minutes")  # in the first cell of a notebook
SECTION = re.compile(r"^## (.+) \((\d+) min(?:,| ·) (core|optional)\)$", re.M)
USED = re.compile(r"\buse\((\w+)\)")


class Section(NamedTuple):
    """A section of a notebook that says its minutes."""

    number: str  # of the notebook, as "06b"
    title: str
    minutes: int  # with its exercises
    core: bool


class Chapter(NamedTuple):
    """A notebook of the course."""

    name: str  # of its file, without .ipynb
    minutes: int  # with the exercises and the closing page, as its first cell says
    sections: tuple  # of Section
    exercises: tuple  # names, in order

    @property
    def number(self):
        """The start of its name, as "06b"."""
        return self.name.split("_")[0]


def chapters() -> list[Chapter]:
    """The shipped notebooks in the order of the course."""
    return [_chapter(path) for path in sorted(course().glob("*.ipynb"))]


def chapter(number: str) -> Chapter:
    """The notebook of this number. Raises KeyError where there is none."""
    return {found.number: found for found in chapters()}[number]


def uses(source: str) -> list[str]:
    """Names of the exercises whose answers a code cell uses."""
    return [name for name in USED.findall(source) if name in exercises()]


def _chapter(path: Path) -> Chapter:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    prose = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    number = path.stem.split("_")[0]
    sections = [Section(number, title, int(minutes), kind == "core")
                for text in prose for title, minutes, kind in SECTION.findall(text)]  # fmt: skip
    named = dict.fromkeys(name for source in code for name in uses(source))  # in order, each once
    return Chapter(path.stem, int(MINUTES.search(prose[0])[1]), tuple(sections), tuple(named))
