"""What estimators are given, checked in one place: by scikit-learn where it is in memory, by this package where not.

scikit-learn checks the values of an array before a fit, in words that its own checks ask for. What lies on dask is
checked by the first pass instead, in the words of `fit`. Names of columns and labels of rows are read from every
container: scikit-learn keeps the names, and this package compares the labels.
"""

import dask
import dask.array as da
import numpy as np
import pandas as pd
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from glmlab.rows.tables import Table, column, matrix, opened, refuse_lengths, refuse_other_rows, sized


def is_lazy(values):
    """Is this a dask array, or the frame or series of dask?"""
    return isinstance(values, da.Array) or hasattr(values, "to_dask_array")


# --- X and what belongs to its rows ---------------------------------------------------------------------------------


def columns(estimator, X, *, reset):
    """X (n, p) as a Table. The estimator keeps its columns (reset), or is fitted and has them compared with its own."""
    if not reset:
        check_is_fitted(estimator)
    table = opened("X", X)
    if is_lazy(table.values):
        table = matrix(X)
    else:
        values = check_array(table.values, accept_sparse="csr", input_name="X", estimator=estimator)
        table = table._replace(values=values)
    p = table.values.shape[1]
    stand_in = np.empty((0, p)) if table.names is None else pd.DataFrame(columns=table.names)  # of any container
    validate_data(estimator, stand_in, reset=reset, skip_check_array=True)
    return table


def together(X, **others):
    """The Tables of one problem, {argument: Table or None}, whose rows must have the same labels."""
    tables = {"X": X, **others}
    refuse_other_rows(tables)
    return tables


def arrays(tables, *, counted=False):
    """{argument: its values or None}; counted: of known lengths, which must agree."""
    found = {name: None if table is None else table.values for name, table in tables.items()}
    if counted:
        found = {name: None if values is None else sized(values) for name, values in found.items()}
        refuse_lengths(found)
    return found


def optional(name, values):
    """sample_weight or offset (n,) as a Table, None where it is not given."""
    return None if values is None else column(name, values)


def offsets(offset, exposure):
    """The offset (n,), or the logarithm of the exposure, as a Table; None where neither is given."""
    if exposure is None:
        return optional("offset", offset)
    if offset is not None:
        raise ValueError("offset and exposure are both given: pass offset=offset + numpy.log(exposure) alone")
    table = column("exposure", exposure)
    lazy = is_lazy(table.values)
    return table._replace(values=table.values.map_blocks(logarithm, dtype=float) if lazy else logarithm(table.values))


def logarithm(exposure):
    """log(exposure) of some rows. Raises ValueError where an exposure is not positive."""
    if not np.all((exposure > 0) & np.isfinite(exposure)):
        raise ValueError(f"exposure must be positive and finite on every row, got {np.min(exposure)}")
    return np.log(exposure)


def response(estimator, y):
    """The y (n,) of a regression as a Table."""
    refuse_none(estimator, y)
    table = opened("y", y)
    if is_lazy(table.values):
        return column("y", y)
    values = column_or_1d(table.values, warn=True)
    return table._replace(values=check_array(values, ensure_2d=False, input_name="y", estimator=estimator), names=None)


def refuse_none(estimator, y):
    """The error for an estimator without y."""
    if y is None:
        raise ValueError(f"{type(estimator).__name__} requires y to be passed, but the target y is None")


# --- two classes ----------------------------------------------------------------------------------------------------


def labels(y):
    """Labels of any type as something that can be compared with one label: lazy or labelled rows as they are."""
    if is_lazy(y):
        return y
    values = column_or_1d(y, warn=True)
    if isinstance(y, pd.Series | pd.DataFrame):
        return pd.Series(values, index=y.index)
    return y if hasattr(y, "coords") else values


def classes(estimator, y):
    """The two labels in y, sorted, and which rows have the second, as a Table. Labels on dask take a pass over y."""
    refuse_none(estimator, y)
    y = labels(y)
    found = distinct(y) if is_lazy(y) else pd.unique(np.asarray(y))
    if pd.isna(found).any():
        raise ValueError("Input y contains NaN, a missing label; drop those rows first")
    if (kind := type_of_target(found, input_name="y")) not in ("binary", "multiclass"):
        raise ValueError(f"Unknown label type: {kind}; a classifier takes two labels, and GLMRegressor takes numbers")
    found = np.sort(found)
    held = ", ".join(repr(label) for label in found[:3].tolist())
    if len(found) > 2:
        raise ValueError(
            f"Only binary classification is supported. The type of the target is multiclass: y holds {held}"
            f"{' …' * (len(found) > 3)}; one-vs-rest: sklearn.multiclass.OneVsRestClassifier(GLMClassifier(...))"
        )
    if len(found) < 2:
        raise ValueError(f"y has one class only, {held}; a classifier needs rows of two classes")
    return found, having(y, found[1])


def distinct(y):
    """Labels on dask, each once; of a block with many different labels three are enough to refuse it."""
    blocks = np.ravel(y.to_delayed()).tolist()
    found = np.concatenate(dask.compute(*[dask.delayed(few)(block) for block in blocks]))
    return pd.unique(found)


def few(block):
    """At most three distinct labels of a block."""
    return pd.unique(np.ravel(np.asarray(block)))[:3]


def having(y, label):
    """Which rows have this label, as a Table."""
    return column("y", labels(y) == label)


def class_weighted(given, both, tables):
    """The Tables of a problem, their sample weights multiplied by the weight of each row's class.

    given: class_weight, a dict, or "balanced", which gives both classes the same sum of weights, Σw ÷ 2. both: the
    labels; the Table y says which rows have the second one.
    """
    rows = arrays(tables, counted=True)
    second, own = rows["y"] == 1, 1.0 if rows["sample_weight"] is None else rows["sample_weight"]
    if isinstance(given, str) and given == "balanced":
        sums = np.array(dask.compute(np.sum(own * ~second), np.sum(own * second)))
        if np.any(sums == 0):
            raise ValueError("class_weight='balanced' needs weight in both classes, but sample_weight is zero on all "
                             "rows of one")  # fmt: skip
        weights = sums.sum() / (2 * sums)
    else:
        weights = compute_class_weight(given, classes=both, y=both)
    found = {name: table and table._replace(values=rows[name]) for name, table in tables.items()}
    return found | {"sample_weight": Table(np.where(second, weights[1], weights[0]) * own)}
