"""The parts of an exercise: a statement, a stub, our answer, three hints and the conditions to meet."""

import inspect
import textwrap
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from glmlab.names import nearest

_registry = {}


class Wrong(AssertionError):
    """An answer does not meet a condition. The message says how; a hint given here replaces the condition's hint."""

    def __init__(self, what_happened, hint=None):
        super().__init__(what_happened)
        self.hint = hint


def require(holds, what_happened, hint=None):
    """Raise :class:`Wrong` unless ``holds``. (``python -O`` would remove an ``assert``.)

    hint  names the mistake, where it is known: a text, or a function that returns a text or None; it is called only
          where the condition does not hold
    """
    if not holds:
        raise Wrong(what_happened, hint() if callable(hint) else hint)


def recognised(found, mistakes, rtol=1e-6):
    """The hint of the first mistake that leads to the answer ``found``, None if none does.

    ``mistakes`` is ``{hint: the answer that this mistake gives}``. It chooses a hint; whether an answer is right is for
    the conditions to say.
    """
    for hint, wrong in mistakes.items():
        wrong = np.asarray(wrong, dtype=float)
        comparable = np.shape(found) == wrong.shape and np.isfinite(wrong).all()
        if comparable and np.allclose(found, wrong, rtol=rtol, atol=1e-12 * np.abs(wrong).max()):
            return hint
    return None


@dataclass(frozen=True)
class Check:
    """One condition: its name, a function that raises `Wrong`, and a hint for answers that do not meet it."""

    name: str
    run: Any
    hint: str
    errors: bool = False  # does the hint explain an exception raised in the answer, too?


@dataclass(eq=False)
class Exercise:
    """An exercise; ``reference`` is our answer, ``hints`` are three steps towards it."""

    name: str
    statement: str
    stub: str
    reference: Any
    hints: tuple
    checks: list = field(default_factory=list)

    def __post_init__(self):
        self.stub = textwrap.dedent(self.stub).strip()
        if len(self.hints) != 3:
            raise ValueError(f"exercise {self.name} has {len(self.hints)} hints; three levels are needed")
        if self.reference.__name__ != self.name or self.name in _registry:
            raise ValueError(f"exercise {self.name}: give the reference this name, and each name once")
        _registry[self.name] = self

    def condition(self, name, *, hint, errors=False):
        """A decorator for a function of the reader's answer, which raises `Wrong` where the condition does not hold.

        ``errors=True`` shows the hint for an exception raised in the answer as well.
        """

        def register(run):
            self.checks.append(Check(name, run, hint, errors))
            return run

        return register

    @property
    def source(self):
        """The source of the reference, as a reader would type it."""
        return textwrap.dedent(inspect.getsource(self.reference))

    def __repr__(self):
        return f"Exercise {self.name}: {self.statement}"


def exercises():
    """``{name: Exercise}`` in the order of the course."""
    return dict(_registry)


def exercise(name):
    """The exercise of this name (or of this function's name).

    Raises ValueError that suggests the nearest name, TypeError for what is neither text nor function.
    """
    name = getattr(name, "__name__", name)
    if not isinstance(name, str):
        raise TypeError(f"given {type(name).__name__}; give the exercise's name in quotes, or its function")
    if name not in _registry:
        raise ValueError(f"no exercise is called {name!r}; {nearest(name, _registry)}")
    return _registry[name]
