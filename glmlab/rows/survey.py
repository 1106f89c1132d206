"""What the first pass refuses: values that no family, weight or offset can have."""

import numpy as np
from scipy import sparse

from glmlab.checks import not_finite


def refuse(found, f):
    """The errors that only values can cause; `found` is the Survey of the objective f."""
    finite = np.isfinite(found.loss) and np.isfinite(found.scale).all() and np.isfinite(found.weight)
    if not finite or found.bad_labels:
        refuse_not_finite(f)
    if found.bad_weights:
        raise ValueError(f"sample_weight has {found.bad_weights:,} negative values; weights must be >= 0")
    if found.counted == 0:
        raise ValueError("sample_weight is zero on every row; at least one row must count")
    if found.bad_labels:
        seen = ", ".join(f"{value:g}" for value in some_labels(f))
        raise ValueError(
            f"y does not suit {f.family!r}: it needs {f.family.domain_text}, but {found.bad_labels:,} rows differ; "
            f"y holds {seen}"
        )


def refuse_not_finite(f):
    """The error that names the argument with a NaN or an infinity. It takes a pass, made only when a sum shows one."""
    found = [(k, *culprit) for k, culprit in enumerate(f.chunks.map(culprits)) if culprit]
    if found:
        k, name, value, _, j = found[0]
        total = sum(count for _, other, _, count, _ in found if other == name)
        raise not_finite(name, value, total, place(j, f.chunks.names, k if f.n_chunks > 1 else None))


def place(column, names=None, block=None):
    """Where a value stands, for a message: " in column 'age' of block 3"; a part that is None is left out."""
    parts = [] if column is None else [f"column {column if names is None else names[column]!r}"]
    parts += [] if block is None else [f"block {block}"]
    return " in " + " of ".join(parts) if parts else ""


def some_labels(f, most=5):
    """A few distinct values of y, for messages."""
    parts = f.chunks.map(labels)
    return np.unique(np.concatenate(parts))[:most]


def culprits(rows):
    """The first argument that holds a NaN or an infinity: its name, one such value, how many, and a column of X.

    None if none does.
    """
    named = {"X": rows.X.data if sparse.issparse(rows.X) else rows.X, "y": rows.y, "sample_weight": rows.w}
    for name, values in (named | {"offset": rows.o}).items():
        values = np.asarray([] if values is None else values)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            odd = ~np.isfinite(values)
            column = column_of(rows.X, np.flatnonzero(odd)[0]) if name == "X" else None
            return name, float(values[odd][0]), int(odd.sum()), column
    return None


def column_of(X, at):
    """The column of X in which its value number `at` stands; the values of sparse rows are those that they store."""
    return int(sparse.csr_array(X).indices[at]) if sparse.issparse(X) else int(at % X.shape[1])


def labels(rows):
    """At most five distinct values of y."""
    return np.unique(np.asarray(rows.y, dtype=np.float64))[:5]
