"""Labels of rows: those of X, y, weights and offset must be the same, or only the user knows how to pair the rows."""

import numpy as np
import pandas as pd


def refuse_other_rows(tables):
    """The error for row labels that differ in {argument: Table or None}: it shows where, and what to type."""
    labelled = {name: table for name, table in tables.items() if table is not None and table.index is not None}
    first = next(iter(labelled), None)
    for name, table in labelled.items():
        index = labelled[first].index
        if not same_labels(table.index, index):
            labels = f"{first}.index{'.compute()' * isinstance(index, tuple)}"
            raise ValueError(f"{name} and {first} have different indexes ({difference(name, table.index, first, index)}"
                             f"): to pair by label type {table.pair.format(first=first, labels=labels)}, by place "
                             f"{table.drop}")  # fmt: skip


def same_labels(one, other):
    """Do these indexes label the same rows in the same order? Divisions of a dask frame tell it only in part."""
    if isinstance(one, pd.Index) and isinstance(other, pd.Index):
        return len(one) != len(other) or one.equals(other)  # another error is about lengths
    if isinstance(one, tuple) and isinstance(other, tuple):
        return (one[0], one[-1]) == (other[0], other[-1])
    index, divisions = (one, other) if isinstance(one, pd.Index) else (other, one)
    try:
        return index.is_monotonic_increasing and divisions[0] <= index[0] and index[-1] <= divisions[-1]
    except TypeError:  # text cannot be compared with numbers
        return False


def difference(name, one, first, other):
    """In words: the first row whose labels differ, or of rows on dask the ends of their labels."""
    if isinstance(one, tuple) or isinstance(other, tuple):
        return f"{reach(name, one)}, {reach(first, other)}"
    left, right = (pd.Series(index.to_flat_index(), dtype=object) for index in (one, other))
    apart = np.flatnonzero((left != right) & ~(left.isna() & right.isna()))
    if not apart.size:
        return f"the labels of {name} are {one.dtype}, those of {first} {other.dtype}"
    k, order = apart[0], "the same labels in another order: " if one.isin(other).all() and other.isin(one).all() else ""
    return f"{order}row {k:,} is {left[k]!r} in {name} and {right[k]!r} in {first}"


def reach(name, index):
    """From which label to which the rows of an argument go; the divisions of a dask frame rise."""
    falls = isinstance(index, pd.Index) and not index.is_monotonic_increasing
    begin, end = pd.Series([index[0], index[-1]], dtype=object)
    return f"the labels of {name} go from {begin!r} to {end!r}{' and do not rise' * falls}"
