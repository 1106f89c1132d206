"""What a formula looks at: the names of its columns, and whether each factor needs one row only.

formulaic evaluates a factor as Python code, which may look at other rows: {x - x.mean()} is another column in each
table and in each block of a table on dask. So only code that cannot is let through: arithmetic, comparisons and
functions that are known by name. A transform that learns from the first table and keeps what it learned, as center(x),
is let through where that table is in memory.
"""

import ast
from typing import NamedTuple

import numpy as np
from formulaic import Formula, SimpleFormula
from formulaic.errors import FormulaicError
from formulaic.utils.code import sanitize_variable_names

ROW_BY_ROW = ("C", "I", "exp", "exp10", "exp2", "log", "log10", "log2")
LEARNING = ("bs", "cc", "center", "cr", "cs", "poly", "scale", "standardize")
CONTRASTS = ("Diff", "Helmert", "Poly", "Sum", "Treatment")
SYNTAX = (ast.Expression, ast.Name, ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.Attribute, ast.expr_context)
SYNTAX += (ast.Call, ast.keyword, ast.BinOp, ast.operator, ast.UnaryOp, ast.unaryop, ast.Compare, ast.cmpop)


class Part(NamedTuple):
    """What one factor of a formula, as log(miles), looks at."""

    text: str
    columns: set  # names of columns
    coded: tuple = ()  # the first argument of each C(), a name or code
    compares: bool = False  # does it compare? A missing number would count as False


def right_side(formula):
    """formulaic's Formula of a text. Raises TypeError for another type, ValueError for anything but one right side."""
    if not isinstance(formula, str):
        raise TypeError(f"a formula is text, such as 'carrier + log(miles)'; got {type(formula).__name__}")
    try:
        wanted = Formula(formula)
    except (FormulaicError, SyntaxError) as error:
        reason = str(error).splitlines()[0].split(". ")[0].rstrip(".")
        raise ValueError(f"the formula {formula!r} cannot be read: {reason}. Write as 'carrier + log(miles)'") from None
    if hasattr(wanted, "lhs"):
        raise ValueError(f"the formula {formula!r} has a left side; write its right side, and pass y to fit")
    if not isinstance(wanted, SimpleFormula):
        raise ValueError(f"the formula {formula!r} has several parts; write one, without |")
    return wanted


def parts_of(wanted, lazy):
    """The Part of each factor. lazy: is the table on dask? Raises ValueError for code that may look at other rows."""
    return [part_of(factor, lazy) for term in wanted for factor in term.factors]


def part_of(factor, lazy):
    """The Part of one factor of formulaic's."""
    text, method = factor.expr, factor.eval_method.value
    if method != "python":
        return Part(text, {text} if method == "lookup" else set())
    typed = {}  # the name that Python can read: the name that the user typed in backticks
    nodes = list(ast.walk(ast.parse(sanitize_variable_names(text, {}, typed), mode="eval")))
    calls = [(ast.unparse(node.func), node) for node in nodes if isinstance(node, ast.Call)]
    refuse_functions(text, [function for function, _ in calls], lazy)
    refuse_syntax(text, nodes)
    names = {node.id for node in nodes if isinstance(node, ast.Name)} - {function for function, _ in calls}
    refuse_own_levels(text, [call for function, call in calls if function == "C"])
    coded = [ast.unparse(call.args[:1]) for function, call in calls if function == "C"]
    return Part(
        text,
        columns={typed.get(name, name) for name in names - {"np", "contr", *CONTRASTS}},
        coded=tuple(typed.get(name, name) for name in coded),
        compares=any(isinstance(node, ast.Compare) for node in nodes),
    )


def refuse_functions(text, functions, lazy):
    """The error for functions that may look at other rows."""
    for function in functions:
        if lazy and function in LEARNING:
            raise ValueError(f"{text} learns from all rows, and a formula sees one block of a dask table; compute that "
                             "column before, with dask")  # fmt: skip
        if not is_known(function):
            raise ValueError(unknown(text, f"the function {function}"))


def refuse_syntax(text, nodes):
    """The error for other code that may look at other rows: methods, x[0], x @ x, lambda."""
    for node in nodes:
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) not in ("np", "contr"):
            raise ValueError(unknown(text, ast.unparse(node)))
        if not isinstance(node, SYNTAX) or isinstance(node, ast.MatMult):
            raise ValueError(unknown(text, f"Python's {type(node).__name__}"))


def refuse_own_levels(text, coded):
    """The error for C(column, levels=…): formulaic would take a level that is not in it for the reference level."""
    for call in coded:
        if {keyword.arg for keyword in call.keywords} - {"contrasts", "spans_intercept"}:
            raise ValueError(f"{text!r} in the formula: C() takes a column and its contrasts; for another order "
                             "of its levels make it a pandas.Categorical with that order")  # fmt: skip


def is_known(function):
    """Does the function need the numbers of one row only, or keep what it learned? NumPy's with a bool hide a NaN."""
    if function.startswith("np."):
        function = getattr(np, function.removeprefix("np."), None)
        return isinstance(function, np.ufunc) and not function.signature and not {"d->?", "dd->?"} & set(function.types)
    return function in ROW_BY_ROW + LEARNING + CONTRASTS or function.startswith("contr.")


def unknown(text, what):
    """The text of the error for code that may look at other rows."""
    return (f"{text!r} in the formula has {what}, which is unknown and may look at other rows; known are arithmetic, "
            f"{', '.join(ROW_BY_ROW + LEARNING)} and functions as np.sqrt. Compute that column before, as "
            "table.assign(new=…) does")  # fmt: skip
