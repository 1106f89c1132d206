"""Compiled twins of families: the function that a family's formula says, compiled once for each formula.

A process keeps compiled functions by their formulas. numba's cache on disk does so too, since a hash of the function's
text is part of the files' names. So another process finds them, and an edited family does not find those of its past.
"""

import functools
import hashlib
import threading
from typing import NamedTuple

import numpy as np
from numba import cfunc
from numba.core.errors import NumbaError

from glmlab.rows import elementary
from glmlab.rows.formulas import Unreadable, read
from glmlab.rows.loops import ROWS, fill

PIECES = ("loss", "dloss", "d2loss")
known = {}  # {class and parameters of a family: its Twin}
compared = set()  # (class, formula) whose compiled function gave what the methods give
one_at_a_time = threading.Lock()


class Twin(NamedTuple):
    """A family as the compiled loops know it."""

    address: int  # of its compiled function, whose results are ℓ, ℓ′, ℓ″ and `size`
    p: np.ndarray  # its parameters
    reach: float  # Family.reach; nan for a family without `size` or `reach`, which has no evidence


def twin_of(family):
    """The Twin that `prepare` made for a family of this class with these parameters, or makes now."""
    key = key_of(family)
    return known[key] if key in known else prepare(family)


def prepare(family):
    """Read the family's methods anew, and compile their formula unless this process has. Returns the Twin.

    Raises Unreadable with the reason why a family has no twin. Objective calls this in every process that will run its
    passes, since what methods refer to may have changed.
    """
    evident = hasattr(family, "size") and hasattr(family, "reach")
    names = (*PIECES, "size") if evident else PIECES
    formula, p = read(family, names)
    with one_at_a_time:
        function = compiled(formula)
    found = Twin(function.address, np.array(p, dtype=float), float(family.reach) if evident else np.nan)
    if (type(family), formula) not in compared:
        compare(family, found, names)
        compared.add((type(family), formula))
    key = key_of(family)
    if key is not None:
        known[key] = found
    return found


def key_of(family):
    """What families of one class with equal attributes have in common; None if an attribute cannot be a key."""
    held = getattr(family, "__dict__", None)
    key = type(family), family if held is None else tuple(held.items())
    try:
        hash(key)
    except TypeError:
        return None
    return key


@functools.cache
def compiled(formula):
    """The formula's function, compiled or loaded from disk.

    It claims to stand in elementary.py: numba then keeps it beside that file, until that file changes.
    """
    text, scope = formula.text(), dict(vars(elementary))
    exec(compile(text, elementary.__file__, "exec"), scope)
    function = scope["rows"]
    function.__qualname__ = f"rows_{hashlib.sha256(text.encode()).hexdigest()[:24]}"
    try:
        return cfunc(ROWS, cache=True, **elementary.settings)(function)
    except NumbaError as error:
        raise Unreadable(f"numba cannot compile its formula: {error}") from error


def compare(family, twin, names):
    """Raise Unreadable unless the compiled function gives what the methods give for some η and y.

    A method that does other things to arrays than to symbols cannot be read, and nothing else would tell.
    """
    y = np.array([-1.5, 0.0, 0.25, 1.0, 2.0, 7.0])
    y = y[family.domain(y)] if hasattr(family, "domain") else y
    eta, y = (values.ravel() for values in np.meshgrid(np.linspace(-3, 3, 13), y))
    out = np.empty((len(names), len(eta)))
    fill(twin.address, twin.p, eta, y, out)
    for name, ours in zip(names, out, strict=True):
        where = f"{type(family).__name__}.{name}"
        try:
            with np.errstate(all="ignore"):
                theirs = getattr(family, name)(eta, y)
        except Exception as error:
            raise Unreadable(f"{where} fails on arrays ({type(error).__name__}: {error})") from error
        if not np.allclose(ours, theirs, rtol=1e-8, atol=1e-8, equal_nan=True):
            raise Unreadable(f"{where} does other things to arrays than to single numbers")
