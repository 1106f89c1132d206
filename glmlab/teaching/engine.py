"""Running exercises: ``use``, ``check``, ``hint``, ``solution``.

GLMLAB_EXERCISES = untouched (default): a right answer of the reader is used, ours replaces any other.
GLMLAB_EXERCISES = solved: our source is used as if the reader had typed it, and must meet every condition.
"""

import itertools
import linecache
import os
import sys
from dataclasses import dataclass

from .exercise import Wrong, exercise, exercises
from .guard import Broken, Guarded, NotWritten, random_state_kept, within_time
from .records import PASSED, WRONG, Progress

MODES = ("untouched", "solved")
_typed = itertools.count(1)
_replaced = {}  # name of an exercise: the message about the reader's answer that ours replaced


@dataclass(frozen=True)
class Verdict:
    """The result of an exercise's conditions; true where all hold."""

    right: bool
    message: str
    failed: str | None = None  # the name of the first condition that does not hold
    hint: str | None = None
    written: bool = True  # False where the stub still stands

    def __bool__(self):
        return self.right


def check(function):
    """Print whether your function meets the conditions of its exercise; returns a Verdict, true where it does."""
    verdict, name = judge(function), function.__name__
    if function is exercise(name).reference:
        print(f"This is OUR {name}; {_of_yours(name)}")
    else:
        _keep(name, verdict)
        print(verdict.message)
    return verdict


def use(function):
    """Your function if it is right, else ours; prints which one, and why.

    Raises ValueError where no exercise has the function's name. Raises AssertionError in solved mode where
    our own answer fails.
    """
    if _mode() == "solved":
        return _use_solved(function)
    ours, name = exercise(_named(function)).reference, function.__name__
    if function is ours:  # the cell ran before: since then the name is bound to our function
        print(f"Continuing with OUR {name}; {_of_yours(name)}")
        return ours
    verdict = judge(function)
    _keep(name, verdict)
    if verdict:
        print(f"Continuing with YOUR {name}: {verdict.message}")
        return function
    _replaced[name] = verdict.message
    print(f"Continuing with OUR {name}; {verdict.message}")
    return ours


def _keep(name, verdict):
    """Keep in the progress of the reader what became of an answer of theirs."""
    if verdict.written:
        Progress().note(name, PASSED if verdict else WRONG)


def _of_yours(name):
    """The message about the reader's answer that ours replaced, and how to have another answer checked."""
    said = _replaced.get(name, "it is our solution, not an answer of yours")
    return f"{said.rstrip('.')}. To have yours checked, run the cell that defines it, then this one."


def hint(name, level=1):
    """Print a hint: level 1 asks a question, level 2 gives the idea, level 3 almost the code."""
    found = exercise(name)
    if level not in (1, 2, 3):
        raise ValueError(f"level={level!r}: hints have levels 1, 2 and 3")
    more = f" (hint({found.name!r}, {level + 1}) says more)" if level < 3 else ""
    print(f"{found.hints[level - 1]}{more}")


def solution(name):
    """Print the source of our answer. There are other right answers."""
    print(exercise(name).source, end="")


def judge(function):
    """The :class:`Verdict` on a function, without printing it."""
    found = exercise(_named(function))
    with random_state_kept():
        return _judged(found, function)


def _judged(found, function):
    for condition in found.checks:
        try:
            within_time(condition.run, Guarded(function))
        except NotWritten:
            words = f"yours is not written yet (hint({found.name!r}) helps)."
            return Verdict(False, words, condition.name, written=False)
        except Wrong as wrong:
            explained = condition.errors or not isinstance(wrong, Broken)
            hint = wrong.hint or (condition.hint if explained else None)
            words = f"yours fails: {condition.name}: {wrong}" + (f" (hint: {hint})" if hint else "")
            return Verdict(False, words, condition.name, hint)
    return Verdict(True, f"right, all {len(found.checks)} conditions hold.")


def _named(function):
    if not callable(function) or not hasattr(function, "__name__"):
        raise TypeError(f"your function itself is needed, as in use(total); given {type(function).__name__}")
    if function.__name__ not in exercises():
        _name_as_in_notebook(function)
    return function


def _name_as_in_notebook(function):
    """Give a function the exercise's name that it has in its notebook: ``total = lambda …`` has another of its own."""
    known = getattr(function, "__globals__", {})
    for name in exercises():
        if known.get(name) is function:
            function.__name__ = name


def _mode():
    mode = os.environ.get("GLMLAB_EXERCISES", MODES[0])
    if mode not in MODES:
        raise ValueError(f"GLMLAB_EXERCISES={mode!r}: choose {' or '.join(MODES)}")
    return mode


def _use_solved(function):
    ours = typed(exercise(_named(function)).source, function)
    verdict = judge(ours)
    if not verdict:
        raise AssertionError(f"our own {function.__name__}, typed into this notebook: {verdict.message}")
    print(f"Continuing with the solution typed in for {function.__name__}: {verdict.message}")
    return ours


def typed(source, function):
    """The function in ``source``, compiled in the namespace of ``function``: it sees that notebook's imports only."""
    filename = f"<solution {next(_typed)} of {function.__name__}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)  # for inspect.getsource
    written_in = getattr(function, "__globals__", None)
    if written_in is None:  # a class has no globals, only a module
        written_in = vars(sys.modules[function.__module__])
    namespace = dict(written_in)
    exec(compile(source, filename, "exec"), namespace)  # the source is ours, from this package
    return namespace[function.__name__]
