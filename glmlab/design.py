"""From a table with text in it to the columns of a fit: categories, interactions and transforms, by a formula.

The formulas are those of formulaic (the heirs of R's). What formulaic leaves to its user is decided here. A level that
the first table did not have is an error, where formulaic takes it for the reference level. A missing category is an
error. No row is dropped, so that y and weights still belong to the rows. Tables on dask stay there.
"""

import re

import dask.dataframe as dd
import numpy as np
import pandas as pd
from formulaic import Formula, ModelSpec

from glmlab.names import nearest


class Design:
    """The columns that a formula makes of a table. What it learns of the first table holds for every later one.

    formula: the right side of one of formulaic's, such as "carrier + log(distance) + carrier:hour". table: of pandas,
    polars or dask. The constant column is left out: fit with `fit_intercept=True`.
    `levels` has the levels of each column of text, `names` the names of the columns that are made. Learning the levels
    of a dask table takes a pass over its columns of text.
    Raises ValueError for a formula with a left side, for a column that the table lacks, for missing categories and for
    levels that were not learned; and where a transform would have to learn from all rows of a table on dask.

    >>> flights = pd.DataFrame({"carrier": ["AA", "UA", "AA"], "miles": [10.0, 100.0, 1000.0]})
    >>> design = Design("carrier + log10(miles)", flights)
    >>> design(flights).to_numpy().tolist(), design.names
    ([[0.0, 1.0], [1.0, 2.0], [0.0, 3.0]], ('carrier[T.UA]', 'log10(miles)'))
    """

    def __init__(self, formula, table):
        wanted = Formula(formula)
        if hasattr(wanted, "lhs"):
            raise ValueError(f"the formula {formula!r} has a left side; write its right side, and pass y to fit")
        table, self.formula = frame_of(table), formula
        words = {word.strip("`") for word in re.findall(r"[^\W\d]\w*|`[^`]+`", formula)}
        refuse_missing(wanted.required_variables, table)
        self.needs = [name for name in table.columns if name in words]
        self.levels = levels_of(table[self.needs])
        lazy = isinstance(table, dd.DataFrame)
        first = first_rows(table[self.needs]) if lazy else table[self.needs]
        self.spec = ModelSpec(wanted, na_action="ignore").get_model_matrix(self._categorical(first)).model_spec
        if lazy and self.spec.transform_state:
            learns = ", ".join(self.spec.transform_state)
            raise ValueError(f"{learns} learns from all rows, and a formula sees one block of a dask table; compute "
                             "that column before, with dask")  # fmt: skip
        self.names = tuple(name for name in self.spec.column_names if name != "Intercept")

    def __repr__(self):
        return f"Design({self.formula!r}): {len(self.names)} columns"

    def __call__(self, table):
        """The columns (n, len(names)) as a frame with the index of the table; lazy where the table is on dask."""
        table = frame_of(table)
        refuse_missing(self.needs, table)
        if not isinstance(table, dd.DataFrame):
            return self._columns(table)
        return table[self.needs].map_partitions(self._columns, meta=self._columns(table[self.needs]._meta))

    def _columns(self, frame):
        made = self.spec.get_model_matrix(self._categorical(frame))
        return pd.DataFrame(made)[list(self.names)].astype(float)

    def _categorical(self, frame):
        """The columns that are needed, text as categories with the levels that were learned."""
        known = {name: categories(name, frame[name], levels) for name, levels in self.levels.items()}
        return frame[self.needs].assign(**known)


def frame_of(table):
    """A frame of pandas or dask."""
    if isinstance(table, pd.DataFrame | dd.DataFrame):
        return table
    if hasattr(table, "to_pandas"):
        return table.to_pandas()
    raise TypeError(f"a Design takes a table with named columns, got {type(table).__name__}; try pandas.DataFrame")


def refuse_missing(names, table):
    """The error for columns that a formula names and a table lacks."""
    for name in sorted(set(names) - set(table.columns)):
        raise ValueError(f"the table has no column {name!r}; {nearest(name, map(str, table.columns))}")


def is_text(column):
    """Is it a column of levels: text, objects or categories?"""
    return not (pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_datetime64_any_dtype(column.dtype))


def levels_of(table):
    """{column: its levels, sorted} of the columns of text. Those of a pandas category keep their order."""
    found = {name: table[name] for name in table.columns if is_text(table[name])}
    if isinstance(table, dd.DataFrame):
        text = list(found)
        found = dict(zip(text, dd.compute(*(found[name].drop_duplicates() for name in text)), strict=True))
    return {name: ordered(name, column) for name, column in found.items()}


def ordered(name, column):
    """The levels of a column of text."""
    refuse_empty(name, column)
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.remove_unused_categories().cat.categories
    return pd.Index(np.sort(column.unique()))


def first_rows(table):
    """The rows of the first block that has any."""
    return next((block for block in (part.compute() for part in table.partitions) if len(block)), table._meta)


def refuse_empty(name, column):
    """The error for missing categories: without it such rows would count as the reference level."""
    if missing := int(column.isna().sum()):
        raise ValueError(f"column {name!r} lacks {missing} of {len(column)} categories; fill them, as table[{name!r}]."
                         "fillna('unknown') does, or drop the rows from X, y and weights alike")  # fmt: skip


def categories(name, column, levels):
    """A column of text as pandas categories with the levels that were learned."""
    refuse_empty(name, column)
    if unseen := sorted(set(column.unique()) - set(levels)):
        held = ", ".join(map(repr, unseen[:3])) + " …" * (len(unseen) > 3)
        raise ValueError(f"column {name!r} has levels that the design has not seen: {held}. Make the Design of a table "
                         "that has them, or drop these rows")  # fmt: skip
    return pd.Categorical(column.astype(object), categories=levels)
