"""One ledger for the whole course: the cost of each method, and its certified gap.

Its first rows are those of the 2017 post, whose certified gap is "?". There is one row for each name of a method, so
that a notebook that runs again replaces its rows.
"""

import math
import numbers

from glmlab.cards import html_table, plain_table
from glmlab.names import nearest

from . import kept

# column: (heading, format of its numbers)
COLUMNS = {
    "gap": ("certified gap", "{:.1e}"),
    "passes": ("passes", "{:,.4g}"),
    "rounds": ("rounds", "{:,.4g}"),
    "tasks": ("tasks", "{:,.0f}"),
    "bytes": ("bytes", "{:,.3g}"),
    "seconds": ("seconds", "{:,.4g}"),
    "error": ("‖β − β_true‖∞", "{:.3g}"),
    "zeros": ("zeros", "{:,.0f}"),
}

# The post's numbers: least squares with 1e6 × 100, then logistic regression with 8e6 × 15 and 8e8 × 15.
POST = {
    "post: naive solve": {"error": 0.0024817567237768179},
    "post: gradient descent": {"error": 0.0024817567259038942},
    "post: ADMM, λ = 7.2": {"rounds": 10, "zeros": 12},
    "post: proximal gradient, laptop": {"error": 0.0227, "seconds": 128},
    "post: ADMM, laptop": {"error": 0.0125, "seconds": 34.7},
    "post: scikit-learn LogisticRegression": {"error": 0.0132, "seconds": 79},
    "post: scikit-learn SGDClassifier": {"error": 0.0456, "seconds": 29.4},
    "post: proximal gradient, cluster": {"error": 0.0306, "seconds": 1020},
    "post: ADMM, cluster": {"error": 0.00159, "seconds": 270},
}


class Ledger(kept.Kept):
    """Rows of method, certified gap, passes, rounds, tasks, bytes, seconds, error and zeros.

    path  the JSON file; by default ``ledger.json`` in the workspace, looked up at each use
    """

    FILE = "ledger.json"

    def add(
        self, method, *, passes=None, rounds=None, tasks=None, bytes=None, seconds=None,
        error=None, zeros=None, gap=None,
    ):  # fmt: skip
        """Write one row. It replaces the row of the same ``method``, if there is one."""
        values = {"passes": passes, "rounds": rounds, "tasks": tasks, "bytes": bytes, "seconds": seconds,
                  "error": error, "zeros": zeros, "gap": gap}  # fmt: skip
        row = {name: _cell(name, values[name]) for name in COLUMNS}
        self._write({**self._read(), _method(method): row})

    def fill(self, method, *, note=None, **values):
        """Fill cells of an existing row, as ``fill("post: ADMM, λ = 7.2", gap=3e-2)``.

        note  the source of these numbers, if it is not the row's own run; shown below the row
        """
        rows = self.rows()
        if _method(method) not in rows:
            raise ValueError(f"the ledger has no row {method!r}; {nearest(method, rows)}")
        for name in values:
            if name not in COLUMNS:
                raise TypeError(f"the ledger has no column {name!r}; {nearest(name, COLUMNS)}")
        row = rows[method] | {name: _cell(name, value) for name, value in values.items()}
        if note is not None or method in self._notes():
            row["note"] = note or self._notes()[method]
        self._write({**self._read(), method: row})

    def rows(self):
        """``{method: {column: number or None}}``, the post's rows first."""
        merged = {**POST, **self._read()}
        return {method: {name: row.get(name) for name in COLUMNS} for method, row in merged.items()}

    def to_frame(self):
        """The ledger as a pandas DataFrame, one row a method; nan where nothing is known."""
        import pandas as pd

        frame = pd.DataFrame.from_dict(self.rows(), orient="index", columns=list(COLUMNS), dtype=float)
        return frame.rename_axis("method")

    def _notes(self):
        """``{method: note}`` of the rows that have one."""
        return {method: row["note"] for method, row in self._read().items() if row.get("note")}

    def __repr__(self):
        return plain_table(*self._table())

    def _repr_html_(self):
        return html_table(*self._table())

    def _table(self):
        """Title, headings, lines and notes, all as text."""
        heads = ["method", *(heading for heading, _ in COLUMNS.values())]
        lines = [[method, *(_text(name, row[name]) for name in COLUMNS)] for method, row in self.rows().items()]
        return "The ledger", heads, lines, self._notes()

    def _read(self):
        return kept.read(self.path, _valid, "ledger")

    def _write(self, rows):
        kept.write(self.path, rows)


def _method(method):
    if not isinstance(method, str) or not method.strip():
        raise TypeError(f"method={method!r}: name the method in a few words")
    return method


def _cell(name, value):
    """A plain number for JSON, or None for what is not known."""
    if value is None:
        return None
    if hasattr(value, "item") and getattr(value, "size", 1) == 1:
        value = value.item()
    if not isinstance(value, numbers.Real):
        raise TypeError(f"{name}={value!r}: a number or None is needed, given {type(value).__name__}")
    value = int(value) if isinstance(value, numbers.Integral) else float(value)
    return None if math.isnan(value) else value


def _valid(rows):
    """The rows of a file, if they have the right form. Raises ValueError."""
    if not isinstance(rows, dict) or not all(isinstance(row, dict) for row in rows.values()):
        raise ValueError("a ledger maps methods to rows")
    try:
        return {method: _valid_row(row) for method, row in rows.items()}
    except TypeError as error:
        raise ValueError(str(error)) from None


def _valid_row(row):
    cells = {column: _cell(column, row.get(column)) for column in COLUMNS}
    return cells | {"note": str(row["note"])} if row.get("note") else cells


def _text(name, value):
    if value is None:
        return "?" if name == "gap" else "–"
    return COLUMNS[name][1].format(value)


ledger = Ledger()
