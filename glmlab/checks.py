"""Checks of parameters: each returns the value in the form that the code uses, or raises an error that names it."""

import math
from numbers import Integral, Real

import numpy as np


def number(name, value, least=0.0, *, strict=False):
    """`value` as a finite float ≥ least (> least if strict). Raises TypeError or ValueError naming it."""
    bound = "" if least == -math.inf else f" {'>' if strict else '>='} {least:g}"
    wanted = f"{name} must be a finite number{bound}, got {value!r}"
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise TypeError(wanted)
    if not math.isfinite(value) or value < least or (strict and value == least):
        raise ValueError(wanted)
    return float(value)


def share(name, value):
    """`value` as a float in (0, 1]. Raises TypeError or ValueError naming it."""
    if number(name, value, 0.0, strict=True) > 1:
        raise ValueError(f"{name} must lie in (0, 1], got {value!r}")
    return float(value)


def whole(name, value, least=0):
    """`value` as an int ≥ least. Raises TypeError or ValueError naming it."""
    wanted = f"{name} must be a whole number >= {least}, got {value!r}"
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Integral):
        raise TypeError(wanted)
    if value < least:
        raise ValueError(wanted)
    return int(value)


def flag(name, value):
    """`value` (a bool, 0 or 1) as a bool. Raises TypeError for anything else, even if Python takes it for true."""
    if not isinstance(value, (bool, np.bool_)) and not (isinstance(value, Integral) and value in (0, 1)):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def function(name, value):
    """`value` if it can be called or is None. Raises TypeError."""
    if value is not None and not callable(value):
        raise TypeError(f"{name} must be a function of the state, got {value!r}")
    return value


def vector(name, values, length):
    """A float64 copy (length,) of `values`. Raises TypeError or ValueError naming it."""
    given = np.asarray(values)
    if given.dtype.kind not in "fiub":
        raise TypeError(f"{name} must be {length} real numbers, got {type(values).__name__} of dtype {given.dtype}")
    if given.shape != (length,):
        raise ValueError(f"{name} must have shape ({length},), got {given.shape}")
    if not np.isfinite(given).all():
        raise ValueError(f"{name} holds values that are not finite: {given[~np.isfinite(given)][0]}")
    return np.array(given, dtype=float)


def not_finite(name, value, count, where=""):
    """The error for an argument with `count` values that are not finite, `value` one of them, found at `where`."""
    many = "1 value is" if count == 1 else f"{count:,} values are"
    return ValueError(f"{name} holds {value}{where} ({many} not finite); drop or fill those rows first")


def frozen(values):
    """A read-only float64 copy, which later changes of the original do not reach."""
    values = np.array(values, dtype=float)
    values.flags.writeable = False
    return values
