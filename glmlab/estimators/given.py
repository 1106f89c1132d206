"""What estimators are given, checked in one place: by scikit-learn where it is in memory, by this package where not.

scikit-learn checks the values of an array before a fit, in words that its own checks ask for. What lies on dask is
checked by the first pass instead, in the words of `fit`. Names of columns and labels of rows are read from every
container: scikit-learn keeps the names, and this package compares the labels.
"""

import inspect
from collections.abc import Mapping

import dask
import dask.array as da
import numpy as np
import pandas as pd
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from glmlab.checks import not_finite, number
from glmlab.fitting import fit, refuse_early
from glmlab.rows.labels import refuse_other_rows
from glmlab.rows.tables import Table, column, matrix, opened, refuse_lengths, sized


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
        refuse_masked("X", table.values)
        values = check_array(table.values, accept_sparse="csr", input_name="X", estimator=estimator)
        table = table._replace(values=values)
    p = table.values.shape[1]
    stand_in = np.empty((0, p)) if table.names is None else pd.DataFrame(columns=table.names)  # of any container
    validate_data(estimator, stand_in, reset=reset, skip_check_array=True)
    return table


def refuse_masked(name, values):
    """The error for a masked array, in the words of `fit`: scikit-learn takes what is under the mask."""
    if np.ma.isMaskedArray(values):
        raise TypeError(f"{name} is a masked array; fill or drop its masked rows first")


def together(X, **others):
    """The Tables of one problem, {argument: Table or None}, whose rows must have the same labels.

    An exposure, as its logarithm, is called offset in what is returned. Errors of its rows name the exposure.
    """
    tables = {"X": X, **others}
    refuse_other_rows(tables)
    if "exposure" in tables:
        values = arrays(tables, counted=True)
        tables = {name: table and table._replace(values=values[name]) for name, table in tables.items()}
        tables["offset"] = tables.pop("exposure")
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


def total_weight(weight, n):
    """Σ w of n rows; None stands for weights of 1. Raises ValueError for weights that `fit` refuses, in its words."""
    if weight is None:
        return float(n)
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        total, negative, odd = dask.compute(np.sum(weight), np.sum(weight < 0), np.sum(~np.isfinite(weight)))
    if odd:
        raise not_finite("sample_weight", total, odd)
    if negative:
        raise ValueError(f"sample_weight has {negative:,} negative values; weights must be >= 0")
    if total == 0:
        raise ValueError("sample_weight is zero on every row; at least one row must count")
    return float(total)


def offsets(offset, exposure):
    """{argument: Table or None} of the offset (n,), or of the logarithm of the exposure if there is one."""
    if exposure is None:
        return {"offset": optional("offset", offset)}
    if offset is not None:
        raise ValueError("offset and exposure are both given: pass offset=offset + numpy.log(exposure) alone")
    table = column("exposure", exposure)
    lazy = is_lazy(table.values)
    values = table.values.map_blocks(logarithm, dtype=float) if lazy else logarithm(table.values)
    return {"exposure": table._replace(values=values)}


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
    refuse_masked("y", table.values)
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
    refuse_masked("y", y)
    values = column_or_1d(y, warn=True)
    refuse_missing(values)
    if isinstance(y, pd.Series | pd.DataFrame):
        return pd.Series(values, index=y.index)
    return y if hasattr(y, "coords") else values


def classes(estimator, y):
    """The two labels in y, sorted, and which rows have the second, as a Table. Labels on dask take a pass over y."""
    refuse_none(estimator, y)
    y = labels(y)
    found = distinct(y) if is_lazy(y) else pd.unique(np.asarray(y))
    refuse_missing(found)
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


def refuse_missing(found):
    """The error for labels of which one is missing."""
    if pd.isna(found).any():
        raise ValueError("Input y contains NaN, a missing label; drop those rows first")


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
        total_weight(rows["sample_weight"], len(second))
        sums = np.array(dask.compute(np.sum(own * ~second), np.sum(own * second)))
        if np.any(sums == 0):
            raise ValueError("class_weight='balanced' needs weight in both classes, but sample_weight is zero on all "
                             "rows of one")  # fmt: skip
        weights = sums.sum() / (2 * sums)
    else:
        weights = compute_class_weight(given, classes=both, y=both)
        for label, weight in zip(both.tolist(), weights.tolist(), strict=True):
            number(f"class_weight[{label!r}]", weight)
    found = {name: table and table._replace(values=rows[name]) for name, table in tables.items()}
    return found | {"sample_weight": Table(np.where(second, weights[1], weights[0]) * own)}


def share_right(said, first, second, weight, both):
    """The share of the weight of rows whose label is the one that is said. Raises ValueError for unknown labels.

    said (n,): is it the second of `both` labels? first, second (n,): which rows have which. weight (n,) or None.
    """
    total = total_weight(weight, len(second))
    right = np.where(said, second, first) * (1.0 if weight is None else weight)
    right, unknown = dask.compute(np.sum(right), np.sum(first + second == 0))
    if unknown:
        raise ValueError(f"y has {unknown:,} labels that are none of the classes of the fit, {both.tolist()}; pass "
                         "labels of the same type, and drop rows of other classes")  # fmt: skip
    return float(right / total)


# --- options of `fit` -----------------------------------------------------------------------------------------------

TAKEN = dict.fromkeys(("X", "y", "sample_weight", "offset"), "pass it to the estimator's fit") | {
    "start": "warm_start=True starts where the last fit ended",
    "family": "GLMClassifier is logistic, and GLMRegressor has the parameter family",
}


def further(estimator):
    """The further options of `fit`, a dict. Raises TypeError for what the estimator itself gives to `fit`."""
    options = {} if estimator.options is None else estimator.options
    if not isinstance(options, Mapping):
        raise TypeError(f"options must be a dict of further options of fit, got {options!r}")
    kind, own = type(estimator).__name__, estimator.get_params(deep=False)
    for word in options:
        if word in own:
            raise TypeError(f"options has {word!r}, a parameter of {kind}: write {kind}({word}={options[word]!r})")
        if word in TAKEN:
            raise TypeError(f"options has {word!r}; {TAKEN[word]}")
    return options


def refuse_unknown(estimator, penalty, options):
    """The error for options that neither `fit` nor the solver has. It names those that may stand in `options` only."""
    beyond = {word: value for word, value in options.items() if word not in inspect.signature(fit).parameters}
    refuse_early(estimator.solver, penalty, beyond, caller=fit, hidden={*estimator.get_params(deep=False), *TAKEN})
