"""What a family computes for one row, read off its own methods as lines of Python.

A family's methods act on arrays of rows. Here they are called once with symbols in place of arrays. NumPy hands every
operation on a symbol to the symbol itself (`__array_ufunc__`), which notes it as a line. The lines are the body of a
loop over rows that `twins` compiles.

An operation that was noted before is not noted again, so ℓ, ℓ′ and ℓ″ share the exponential that they have in common.
The text says all that a family computes. Families of equal text share compiled code; an edited family has another text.
"""

import copy
import math
import re
from typing import NamedTuple

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from scipy import special

#: Functions of single numbers, and how a line says them. What a line calls stands in `elementary`.
LINES = {
    np.add: "{} + {}", np.subtract: "{} - {}", np.multiply: "{} * {}", np.divide: "{} / {}", np.positive: "{}",
    np.negative: "-{}", np.absolute: "abs({})", np.fabs: "abs({})", np.square: "{0} * {0}", np.reciprocal: "1.0 / {}",
    np.greater: "{} > {}", np.greater_equal: "{} >= {}", np.less: "{} < {}", np.less_equal: "{} <= {}",
    np.equal: "{} == {}", np.not_equal: "{} != {}", np.isnan: "{0} != {0}", np.logical_not: "not {}",
    np.invert: "not {}", np.logical_and: "{} & {}", np.bitwise_and: "{} & {}", np.logical_or: "{} | {}",
    np.bitwise_or: "{} | {}", np.maximum: "maximum({}, {})", np.minimum: "minimum({}, {})", np.sign: "sign({})",
    np.exp: "exp({})", np.expm1: "expm1({})", np.log: "log({})", np.log1p: "log1p({})",
    np.logaddexp: "logaddexp({}, {})", np.sqrt: "sqrt({})", np.power: "{} ** {}", np.sinh: "sinh({})",
    np.cosh: "cosh({})", np.tanh: "tanh({})", np.arctan: "atan({})",
    special.expit: "expit({})", special.xlogy: "xlogy({}, {})", special.gammaln: "gammaln({})",
}  # fmt: skip
#: NumPy's functions of whole arrays that do the same to every row; `at` is one of the symbols among their arguments.
WHOLE = {
    np.where: lambda at, condition, x, y: at.note("{1} if {0} else {2}", condition, x, y),
    np.clip: lambda at, rows, low, high: np.minimum(np.maximum(rows, low), high),
    np.zeros_like: lambda at, rows, **_: 0.0,
    np.ones_like: lambda at, rows, **_: 1.0,
    np.full_like: lambda at, rows, value, **_: value,
}
#: Functions that take tens of instructions.
LONG = set("exp expm1 log log1p log1p_of_share logaddexp sinh cosh tanh atan expit xlogy gammaln".split())
NAMES = re.compile(r"\b(?:[pv]\d+|[et])\b")  # what a line calls the results of others, parameters, η and y
KNOWN = ", ".join(sorted(function.__name__ for function in (*LINES, *WHOLE)))


class Unreadable(Exception):
    """Why a family's methods are not a formula of one row."""


class Formula(NamedTuple):
    """The methods of a family, as lines that compute their results for one row from e = η, t = y and p0, p1, …"""

    lines: tuple  # of (name, line)
    results: tuple  # the name or number that each method returned
    parameters: int  # how many p there are

    def text(self):
        """A function rows(p, eta, y, out) in Python: out[k, i] becomes result k of row i, for as many as out has rows.

        What depends on no row is computed once. Then come loops for every height of out, with the lines they need.
        """
        known = {f"p{k}" for k in range(self.parameters)}
        body, lines = [f"p{k} = p[{k}]" for k in range(self.parameters)], {}
        for name, line in self.lines:
            if known.issuperset(NAMES.findall(line)):
                body.append(f"{name} = {line}")
                known.add(name)
            else:
                lines[name] = line
        for height in range(1, len(self.results) + 1):
            body += [f"if out.shape[0] == {height}:", *indented(loops(lines, self.results[:height]))]
        return "\n".join(["def rows(p, eta, y, out):", *indented(body), ""])


def loops(lines, results):
    """Loops over the rows that leave these results in out. lines are {name: line}.

    The exponential of one line and the logarithm of another need more registers together than processors have. So all
    but the last of such functions have a loop of their own, which leaves its results where the last loop puts its own.
    """
    lines = needed(lines, results)
    long = [name for name, line in lines.items() if line.partition("(")[0] in LONG]
    body = []
    for row, name in enumerate(long[:-1][: len(results)]):
        body += loop(lines, {f"out[{row}, i]": name})
        lines = lines | {name: f"out[{row}, i]"}
    return body + loop(lines, {f"out[{row}, i]": result for row, result in enumerate(results)})


def loop(lines, results):
    """The loop over rows that computes {where: what}."""
    steps = [f"{name} = {line}" for name, line in needed(lines, results.values()).items()]
    ends = [f"{where} = {what}" for where, what in results.items()]
    return ["for i in range(eta.size):", *indented(["e, t = eta[i], y[i]", *steps, *ends])]


def needed(lines, results):
    """Those of the lines on which the results depend, in their order."""
    names = set(results)
    for name, line in reversed(lines.items()):
        if name in names:
            names.update(NAMES.findall(line))
    return {name: line for name, line in lines.items() if name in names}


def indented(lines):
    return [f"    {line}" for line in lines]


# --- reading ----------------------------------------------------------------------------------------------------------


def read(family, names):
    """The Formula of the family's methods of these names, and the values (…) of its parameters. Raises Unreadable.

    Parameters that are floats become arguments, so that other values need no other code. They are written into the
    lines only where a method branches on them; whatever else a family holds always is.
    """
    floats = {name: value for name, value in getattr(family, "__dict__", {}).items() if isinstance(value, float)}
    try:
        return noted(family, names, floats)
    except Unreadable:
        if not floats:
            raise
        return noted(family, names, {})


def noted(family, names, floats):
    """The same, with these parameters as arguments."""
    notes = {}
    alike = copy.copy(family)
    if floats:
        vars(alike).update({name: Symbol(f"p{k}", notes) for k, name in enumerate(floats)})
    eta, y = Symbol("e", notes), Symbol("t", notes)
    results = tuple(spelt(result_of(alike, name, eta, y)) for name in names)
    lines = tuple((name, line) for line, name in notes.items())
    return Formula(lines, results, len(floats)), tuple(floats.values())


def result_of(family, name, eta, y):
    """What the method makes of the symbols. Whatever goes wrong on the way makes it unreadable."""
    try:
        with np.errstate(all="ignore"):
            found = getattr(family, name)(eta, y)
            spelt(found)
            return found
    except Exception as error:
        why = str(error) if isinstance(error, Unreadable) else f"fails on symbols ({type(error).__name__}: {error})"
        raise Unreadable(f"{type(family).__name__}.{name} {why}") from error


class Symbol(NDArrayOperatorsMixin):
    """A number of a row, not known yet. NumPy and Python's operators hand it whatever is done with it."""

    def __init__(self, name, notes, origin=None):
        self.name, self.notes = name, notes  # notes are {line: the name of its result}
        self.origin = origin  # (function, its operands …)

    def note(self, line, *operands, function=None):
        """The symbol of what this line computes."""
        said = line.format(*map(spelt, operands))
        return Symbol(self.notes.setdefault(said, f"v{len(self.notes)}"), self.notes, (function, *operands))

    def power(self, base, exponent):
        """base to the exponent: by products and a square root where twice the exponent is a small integer."""
        halves = math.nan if isinstance(exponent, Symbol) else 2 * float(exponent)
        if not (halves.is_integer() and abs(halves) <= 64):
            return self.note("{} ** {}", base, exponent)
        whole = halves % 2 == 0
        return self.note(f"{{}} ** {int(halves / 2 if whole else halves)}", base if whole else np.sqrt(base))

    def __array_ufunc__(self, function, method, *operands, **options):
        refuse_unknown(function, LINES)
        if method != "__call__" or options:
            raise Unreadable(f"calls {function.__name__} with {', '.join(options) or method}; compiled loops know plain"
                             " calls only, and change no argument in place")  # fmt: skip
        if function is np.power:
            return self.power(*operands)
        short = function is np.log1p and is_share(*operands)
        return self.note("log1p_of_share({})" if short else LINES[function], *operands, function=function)

    def __array_function__(self, function, types, operands, options):
        refuse_unknown(function, WHOLE)
        return WHOLE[function](self, *operands, **options)

    def _refuse(self, *_):
        raise Unreadable("asks for the value of a row, as `if`, float, len, loops and indexes do; numpy.where chooses "
                         "for all rows at once")  # fmt: skip

    __bool__ = __float__ = __int__ = __index__ = __len__ = __iter__ = __getitem__ = __setitem__ = __array__ = _refuse


def is_share(symbol):
    """Is it e^(−|x|) of some x, and so between 0 and 1?"""
    match symbol.origin:
        case (np.exp, Symbol(origin=(np.negative, Symbol(origin=(np.absolute, _))))):
            return True
    return False


def refuse_unknown(function, known):
    if function not in known:
        raise Unreadable(f"calls {function.__name__}, which compiled loops do not know; they know {KNOWN}")


def spelt(operand):
    """An operand as a line writes it."""
    if isinstance(operand, Symbol):
        return operand.name
    if isinstance(operand, bool | np.bool_):
        return str(bool(operand))
    if np.ndim(operand) or not isinstance(operand, int | float | np.number | np.ndarray):
        raise Unreadable(f"uses {type(operand).__name__} of shape {np.shape(operand)} beside its rows")
    value = repr(float(operand))
    return f"({value})" if value.startswith("-") else value
