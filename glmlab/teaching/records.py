"""Which exercises a reader has passed, kept between sessions beside the ledger."""

from glmlab.cards import html_table, plain_table

from . import kept
from .contents import chapters

PASSED, WRONG, NOT_TRIED = "passed", "wrong", "not tried"
MARKS = {PASSED: " ✓", WRONG: " ✗", NOT_TRIED: ""}
TITLE = "Your progress: ✓ passed, ✗ not right yet"
HEADINGS = ("notebook", "minutes", "passed")


class Progress(kept.Kept):
    """The exercises of every notebook, each passed, wrong or not tried.

    path  the JSON file; by default ``progress.json`` in the workspace, looked up at each use
    """

    FILE = "progress.json"

    def note(self, name, state):
        """Keep what `check` or `use` found, "passed" or "wrong". What is passed stays passed.

        A disk that cannot be written is reported and stops no check.
        """
        try:
            states = self._read()
            if states.get(name) not in (PASSED, state):
                kept.write(self.path, states | {name: state})
        except OSError as error:
            print(f"Your progress could not be kept: {error}")

    def states(self, names):
        """``{name: "passed", "wrong" or "not tried"}`` of these exercises."""
        states = self._read()
        return {name: states.get(name, NOT_TRIED) for name in names}

    def _read(self):
        return kept.read(self.path, _valid, "record of your progress")

    def rows(self):
        """A list of (notebook, minutes, "passed of all", exercises with their marks), and a last one for the course."""
        rows, all_states, minutes = [], [], 0
        for found in chapters():
            states = self.states(found.exercises)
            marked = ", ".join(f"{name}{MARKS[state]}" for name, state in states.items())
            rows.append((found.name.replace("_", " "), str(found.minutes), _share(states.values()), marked))
            all_states += states.values()
            minutes += found.minutes
        return [*rows, ("the course", f"{minutes:,}", _share(all_states), "")]

    def __repr__(self):
        return plain_table(*self._table())

    def _repr_html_(self):
        return html_table(*self._table())

    def _table(self):
        """Title, headings, lines and the exercises below each line, as `cards` shows them."""
        rows = self.rows()
        return TITLE, HEADINGS, [line[:3] for line in rows], {name: marked for name, *_, marked in rows if marked}


def progress():
    """A table of the course: each notebook, its minutes, and which of its exercises you have passed."""
    return Progress()


def _share(states):
    """How many are passed, as "1 of 3"."""
    states = list(states)
    return f"{states.count(PASSED)} of {len(states)}"


def _valid(states):
    """The states of a file, if they have the right form. Raises ValueError."""
    if not isinstance(states, dict) or not set(map(str, states.values())) <= {PASSED, WRONG}:
        raise ValueError("a record of progress maps exercises to passed or wrong")
    return states
