"""Names that a user types, resolved with the nearest known one in the error."""

import difflib
import inspect


def nearest(word, known):
    """' Did you mean …?' for a misspelt word, else the list of what is known."""
    close = difflib.get_close_matches(str(word), list(known), n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(sorted(known))}"


def named(what, given, known, kind, *, make=True):
    """The object that `given` names in `known`, or `given` itself when it is one already.

    `known` maps names to classes (instances are made without arguments unless make=False). Raises TypeError or
    ValueError saying what was given and what is known.
    """
    if isinstance(given, str):
        if given not in known:
            raise ValueError(f"unknown {what} {given!r}; {nearest(given, known)}")
        if not make:
            return given
        try:
            return known[given]()
        except TypeError:
            raise TypeError(f"{what} {given!r} has parameters: write {example(known[given])}") from None
    if isinstance(given, type):
        raise TypeError(f"{what} must be an object, got the class {given.__name__}: write {example(given)}")
    if given is None:
        raise TypeError(f"{what} is missing; known are {', '.join(sorted(known))}")
    return given


def example(cls):
    """How an object of the class is written, as L1(lam=…)."""
    inside = ", ".join(f"{name}=…" for name in inspect.signature(cls).parameters)
    return f"{cls.__name__}({inside})"
