"""The rows that the notebooks share: reopened where notebook 01 saved them, else drawn again from the seed."""

import numpy as np
from scipy.special import ndtr

from glmlab.checks import whole
from glmlab.datasets.simulated import bernoulli, make_regression, responses
from glmlab.datasets.stored import load, opened
from glmlab.names import spelt
from glmlab.rows.dispatch import is_lazy
from glmlab.workspace import workspace


@spelt
def course(n, *, p=100, labels=False, chunks=None, seed=0):
    """The course's data: X, y and β as `make_regression` draws them.

    Notebook 01 saves it with ``save(workspace() / "course.zarr", X, y, beta)``. What was saved there is
    reopened if it has n rows and p columns; else the same rows come from the seed, so nothing is lost by
    skipping 01. One printed line says which.

    Parameters
    ----------
    n : int
        Rows.
    p : int, default 100
        Columns.
    labels : bool, default False
        Whether y is Bernoulli with mean sigmoid(Xβ), 0.0 or 1.0.
    chunks, seed : as in `make_regression`

    Returns
    -------
    X, y, beta : arrays, shapes (n, p), (n,) and (p,)
        As `make_regression` returns them.

    Examples
    --------
    >>> from glmlab.datasets import course
    >>> X, y, beta = course(1000, p=3)
    Course data: 1,000 × 3, drawn from seed 0.
    >>> X.shape, y.shape, beta.shape
    ((1000, 3), (1000,), (3,))
    """
    X, y, beta, origin = found(n, p, chunks, seed)
    print(f"Course data: {n:,} × {p}, {origin}.")
    return X, bernoulli_labels(X, beta, seed) if labels else y, beta


@spelt
def course_benchmark(n, *, columns=15, chunks=None, seed=0):
    """The course's rows as the post's benchmark has them: uniform X, labels y.

    X is Φ of the first columns of `course`, Φ the normal distribution function; β is (β − ½)·3 of its first
    coefficients, the post's formula; y is Bernoulli with mean sigmoid(Xβ).

    Parameters
    ----------
    n : int
        Rows.
    columns : int, default 15
        The post's number.
    chunks, seed : as in `make_regression`

    Returns
    -------
    X, y, beta : arrays, shapes (n, columns), (n,) and (columns,)
        y in {0.0, 1.0}.

    Examples
    --------
    >>> from glmlab.datasets import course_benchmark
    >>> X, y, beta = course_benchmark(1000, columns=3)
    Benchmark data: 1,000 × 3, made of the course's rows, drawn from seed 0.
    >>> bool((0 <= X).all() and (X <= 1).all()), sorted(set(y.tolist()))
    (True, [0.0, 1.0])
    """
    columns = whole("columns", columns, 1)
    X, _, beta, origin = found(n, 100, chunks, seed)
    print(f"Benchmark data: {n:,} × {columns}, made of the course's rows, {origin}.")
    X, beta = X[:, :columns], (beta[:columns] - 0.5) * 3
    X = X.map_blocks(to_uniform, dtype=X.dtype, meta=np.empty((0, 0), X.dtype)) if is_lazy(X) else to_uniform(X)
    return X, bernoulli_labels(X, beta, seed), beta


def found(n, p, chunks, seed):
    """X, y, beta of the course, and a text that says where they come from."""
    saved = saved_course(n, p)
    if saved:
        return *load(saved, chunks=chunks), f"reopened from {saved.name}"
    return *make_regression(n, p, chunks=chunks, seed=seed), f"drawn from seed {seed}"


def saved_course(n, p):
    """The path of the saved course data if it has n rows, p columns and a β, else None."""
    path = workspace() / "course.zarr"
    if not path.exists():
        return None
    group = opened(path)
    return path if group["X"].shape == (n, p) and "beta" in group else None


def bernoulli_labels(X, beta, seed):
    """y in {0.0, 1.0} for the rows of X."""
    return responses(X, beta, whole("seed", seed), bernoulli)


def to_uniform(X):
    """Φ of each number, in C order."""
    return ndtr(np.ascontiguousarray(X))
