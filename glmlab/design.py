"""From a table with text in it to the columns of a fit: categories, interactions and transforms, by a formula.

The formulas are those of formulaic (the heirs of R's). What formulaic leaves to its user is decided here. A level that
the first table did not have is an error, where formulaic takes it for the reference level. A missing category is an
error. No row is dropped, so that y and weights still belong to the rows. Tables on dask stay there. What would look at
other rows is an error (`glmlab.formulas`).
"""

import re

import dask.dataframe as dd
import numpy as np
import pandas as pd
from formulaic import ModelSpec

from glmlab.formulas import parts_of, right_side
from glmlab.names import nearest
from glmlab.words import count_text

DATE = re.compile(r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}")  # 2024-01-31, 31.1.2024, 1/31/24


class Design:
    """The columns that a formula makes of a table. What it learns of the first table holds for every later one.

    Call it with a table, and it gives the columns (n, len(names)), as a frame with the table's index. The constant
    column is left out: fit with `fit_intercept=True`.

    Parameters
    ----------
    formula : str
        The right side of one of formulaic's, such as "carrier + log(distance) + carrier:hour". It may have arithmetic,
        comparisons, C, I, log, exp, and NumPy's functions of single numbers, as np.sqrt. In memory it may have
        transforms that learn: center, scale, poly, bs. Numbers become categories by table.astype({"hour": "category"}),
        not by C().
    table : DataFrame
        Of pandas, polars or dask. Learning the levels of a dask table takes a pass over its columns of text.

    Attributes
    ----------
    levels : dict
        The levels of each column of text.
    names : tuple of str
        The names of the columns that are made.

    Raises
    ------
    ValueError
        For a formula with a left side or other functions, for transforms that learn from a table on dask, for a column
        that the table lacks or has twice, for C() of numbers, for missing categories, for missing numbers that are
        compared, for dates as text, and for levels that were not learned.
    TypeError
        For a formula that is no text and for an array.

    Examples
    --------
    >>> import pandas as pd
    >>> from glmlab import Design
    >>> table = pd.DataFrame({"carrier": ["AA", "UA"], "miles": [10, 100]})
    >>> design = Design("carrier + log10(miles)", table)
    >>> design(table).to_numpy().tolist(), design.names
    ([[0.0, 1.0], [1.0, 2.0]], ('carrier[T.UA]', 'log10(miles)'))
    """

    def __init__(self, formula, table):
        table, self.formula = frame_of(table), formula
        lazy = isinstance(table, dd.DataFrame)
        wanted = right_side(formula)
        parts = parts_of(wanted, lazy)
        names = {name for part in parts for name in part.columns}
        refuse_missing(names, table)
        self.needs = [name for name in table.columns if name in names]
        self.compared = sorted({name for part in parts if part.compares for name in part.columns})
        self.levels = levels_of(table[self.needs])
        refuse_coded_numbers(parts, self.levels)
        first = first_rows(table[self.needs]) if lazy else table[self.needs]
        self.spec = ModelSpec(wanted, na_action="ignore").get_model_matrix(self._prepared(first)).model_spec
        self.names = tuple(name for name in self.spec.column_names if name != "Intercept")

    def __repr__(self):
        return f"Design({self.formula!r}): {count_text(len(self.names), 'column')}"

    def __call__(self, table):
        """The columns (n, len(names)) as a frame with the index of the table; lazy where the table is on dask."""
        table = frame_of(table)
        refuse_missing(self.needs, table)
        if not isinstance(table, dd.DataFrame):
            return self._columns(table)
        return table[self.needs].map_partitions(self._columns, meta=self._columns(table[self.needs]._meta))

    def _columns(self, frame):
        made = self.spec.get_model_matrix(self._prepared(frame))
        return pd.DataFrame(made)[list(self.names)].astype(float)

    def _prepared(self, frame):
        """The columns that are needed: numbers, and text as categories with the levels that were learned."""
        for name in self.compared:
            refuse_empty(name, frame[name])
        known = {name: categories(name, frame[name], self.levels[name]) if name in self.levels
                 else numbers(name, frame[name]) for name in self.needs}  # fmt: skip
        return frame[self.needs].assign(**known)


def refuse_coded_numbers(parts, levels):
    """The error for C() of anything but text: a missing or unseen number would count as the reference level."""
    for part in parts:
        for name in part.coded:
            if name not in levels:
                raise ValueError(f"{part.text!r} in the formula: C() takes columns of text or categories, not {name!r};"
                                 f" make one before, as table.astype({{{name!r}: 'category'}}) does")  # fmt: skip


def frame_of(table):
    """A frame of pandas or dask."""
    if isinstance(table, pd.DataFrame | dd.DataFrame):
        return table
    if hasattr(table, "to_pandas"):
        return table.to_pandas()
    raise TypeError(f"a Design takes a table with named columns, got {type(table).__name__}; try pandas.DataFrame")


def refuse_missing(names, table):
    """The error for columns that a formula names and a table lacks or has twice."""
    columns = list(table.columns)
    for name in sorted(names):
        if name == "Intercept":
            raise ValueError("'Intercept' means the constant column, which fit adds; rename that column of the table")
        if name not in columns and name in map(str, columns):
            raise ValueError(f"the name of column {name} is no text; use table.rename(columns=str)")
        if name not in columns:
            raise ValueError(f"the table has no column {name!r}; {nearest(name, map(str, columns))}")
        if columns.count(name) > 1:
            raise ValueError(f"the table has {columns.count(name)} columns {name!r}; keep one, or rename them")


def is_text(column):
    """Is it a column of levels: text, objects or categories?"""
    kind, of = column.dtype, pd.api.types
    return isinstance(kind, pd.CategoricalDtype) or of.is_object_dtype(kind) or of.is_string_dtype(kind)


def numbers(name, column):
    """A column of numbers, those that pandas calls NA as NaN."""
    if not pd.api.types.is_numeric_dtype(column.dtype) or column.dtype.kind == "c":
        raise ValueError(f"column {name!r} has {column.dtype}, neither real numbers nor text; compute a number of it "
                         f"before, as table[{name!r}].dt.hour does of times")  # fmt: skip
    return column.astype(float) if pd.api.types.is_extension_array_dtype(column.dtype) else column


def levels_of(table):
    """{column: its levels, sorted} of the columns of text. Those of a pandas category keep their order."""
    found = {name: table[name] for name in table.columns if is_text(table[name])}
    if isinstance(table, dd.DataFrame):
        found = {name: column.astype(object) if has_unknown(column) else column for name, column in found.items()}
        found = dict(zip(found, dd.compute(*(column.drop_duplicates() for column in found.values())), strict=True))
    return {name: ordered(name, column) for name, column in found.items()}


def has_unknown(column):
    """Does a column on dask have categories that each block has found by itself, in an order that means nothing?"""
    return isinstance(column.dtype, pd.CategoricalDtype) and not column.cat.known


def ordered(name, column):
    """The levels of a column of text."""
    refuse_empty(name, column)
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.remove_unused_categories().cat.categories
    try:
        levels = pd.Index(np.sort(column.unique()))
        refuse_dates(name, levels)
        return levels
    except TypeError:
        kinds = " and ".join(sorted({type(value).__name__ for value in column}))
        cure = f"make text of all, as table.astype({{{name!r}: str}}) does"
        raise ValueError(f"column {name!r} mixes {kinds}; {cure}") from None


def refuse_dates(name, levels):
    """The error for dates as text, which `read_csv` leaves: each would be a level of its own."""
    if len(levels) and all(DATE.match(str(level)) for level in levels):
        raise ValueError(f"column {name!r} holds dates as text, as {levels[0]!r}; make a number of it before, as "
                         f"pandas.to_datetime(table[{name!r}]).dt.dayofweek does; for a level for each date make it a "
                         f"category, as table.astype({{{name!r}: 'category'}}) does")  # fmt: skip


def first_rows(table):
    """The rows of the first block that has any."""
    return next((block for block in (part.compute() for part in table.partitions) if len(block)), table._meta)


def refuse_empty(name, column):
    """The error for missing categories: without it such rows would count as the reference level, or as False."""
    if missing := int(column.isna().sum()):
        raise ValueError(f"column {name!r} lacks {missing} of {len(column)} categories; fill them, as table[{name!r}]."
                         "fillna('unknown') does, or drop the rows from X, y and weights alike")  # fmt: skip


def categories(name, column, levels):
    """A column of text as pandas categories with the levels that were learned."""
    refuse_empty(name, column)
    if unseen := sorted(set(column.unique()) - set(levels), key=str):
        held = ", ".join(map(repr, unseen[:3])) + " …" * (len(unseen) > 3)
        raise ValueError(f"column {name!r} has levels that the design has not seen: {held}. A fit knows nothing of "
                         f"them: drop these rows, or write one of design.levels[{name!r}] in their place")  # fmt: skip
    return pd.Categorical(column.astype(object), categories=levels)
