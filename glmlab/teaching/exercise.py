"""The parts of an exercise: a statement, a stub, our answer, three hints and the conditions to meet."""

import inspect
import textwrap
from dataclasses import dataclass, field
from typing import Any

from glmlab.names import nearest

_registry = {}


class Wrong(AssertionError):
    """An answer does not meet a condition; the message says how, in words of the exercise."""


def require(holds, what_happened):
    """Raise :class:`Wrong` unless ``holds``. (``python -O`` would remove an ``assert``.)"""
    if not holds:
        raise Wrong(what_happened)


@dataclass(frozen=True)
class Check:
    """One condition: its name, a function that raises `Wrong`, and a hint for answers that do not meet it."""

    name: str
    run: Any
    hint: str


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

    def condition(self, name, *, hint):
        """A decorator for a function of the reader's answer, which raises `Wrong` where the condition does not hold."""

        def register(run):
            self.checks.append(Check(name, run, hint))
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
