"""Rows drawn from a seed.

Row i depends on the seed and on i only. So numpy, dask, and dask with other chunks hold the same numbers, bit for bit.
(Dask's own seeded generators give each chunk a seed: with other chunks they draw other rows.)

Uniform numbers come from one stream: each takes one draw, and a chunk jumps to its first row. A normal number takes
one draw or more, so nobody can jump. Therefore each `BLOCK` of normal rows has a seed of its own, and a chunk draws
every block that it overlaps.
"""

import functools
import math

import dask.array as da
import numpy as np
from dask.layers import ArraySliceDep

from glmlab.checks import number, vector, whole
from glmlab.datasets.chunking import BLOCK, row_chunks
from glmlab.names import among, spelt
from glmlab.rows.dispatch import is_lazy, sigmoid

STREAMS = ("beta", "X", "y")  # each has random numbers of its own


@spelt
def make_regression(n, p, *, chunks=None, seed=0, beta=None, noise=1.0, scales=None, dtype="float64"):
    """y = X β + noise: the post's data. X is standard normal, β uniform on [0, 1).

    Row i depends on the seed and on i only: numpy and dask, in whatever chunks, hold the same numbers, bit for bit.

    Parameters
    ----------
    n, p : int
        Rows and columns.
    chunks : None, int or dask chunks
        None: numpy arrays. Otherwise lazy dask arrays: rows per chunk, "auto" (chosen from n and p alone, so that
        the bits do not depend on the machine), or dask's own ``(rows, p)`` where rows is a number or a tuple
        of lengths.
    seed : int, default 0
        Of all random numbers.
    beta : array, shape (p,), optional
        The coefficients; drawn from the seed when not given.
    noise : float, default 1
        Standard deviation of the noise, in the unit of y.
    scales : array, shape (p,), optional
        Column j of X is multiplied by scales[j]. With ``np.geomspace(1, 1 / kappa, p)`` the condition number
        of X is near kappa.
    dtype : "float64" or "float32", default "float64"
        float32 rounds the same X.

    Returns
    -------
    X, y : arrays of numpy or dask, shapes (n, p) and (n,)
        The rows.
    beta : numpy array, shape (p,)
        The coefficients.

    Raises
    ------
    TypeError, ValueError
        That names the parameter.

    Examples
    --------
    >>> from glmlab.datasets import make_regression
    >>> X, y, beta = make_regression(1000, 3)
    >>> lazy, _, _ = make_regression(1000, 3, chunks=300)
    >>> X.shape, lazy.numblocks, bool((lazy.compute() == X).all())
    ((1000, 3), (4, 1), True)
    """
    p = whole("p", p, 1)
    scale = None if scales is None else vector("scales", scales, p)
    draw_y = functools.partial(gaussian, noise=number("noise", noise))
    return make(n, p, chunks, seed, beta, dtype, normal, draw_y, lambda u: u, scale)


@spelt
def make_logistic(n, p, *, chunks=None, seed=0, beta=None, x="uniform", dtype="float64"):
    """y ~ Bernoulli(sigmoid(X β)), 0.0 or 1.0: the post's benchmark, its `make_y`. β is (uniform − ½)·3.

    Parameters
    ----------
    n, p, chunks, seed, beta : as in `make_regression`
    x : "uniform" or "normal", default "uniform"
        "uniform" draws X from [0, 1) as the post does; "normal" gives the rows of `make_regression`.
    dtype : as in `make_regression`

    Returns
    -------
    X, y, beta : as in `make_regression`
        y in {0.0, 1.0}.

    Raises
    ------
    TypeError, ValueError
        That names the parameter.

    Examples
    --------
    >>> from glmlab.datasets import make_logistic
    >>> X, y, beta = make_logistic(1000, 3)
    >>> X.shape, sorted(set(y.tolist()))
    ((1000, 3), [0.0, 1.0])
    """
    draws = {"uniform": uniform, "normal": normal}
    return make(n, p, chunks, seed, beta, dtype, draws[among("x", x, draws)], bernoulli, lambda u: (u - 0.5) * 3)


@spelt
def make_poisson(n, p, *, chunks=None, seed=0, beta=None, dtype="float64"):
    """y ~ Poisson(exp(X β)), counts as floats. X is normal with standard deviation 1/√p, β uniform on [−1, 1).

    Whatever p is, the standard deviation of X β is then near 0.6, and the counts are small.

    Parameters
    ----------
    n, p, chunks, seed, beta, dtype : as in `make_regression`

    Returns
    -------
    X, y, beta : as in `make_regression`
        y in {0.0, 1.0, 2.0, …}.

    Raises
    ------
    TypeError, ValueError
        That names the parameter.

    Examples
    --------
    >>> from glmlab.datasets import make_poisson
    >>> X, y, beta = make_poisson(1000, 3)
    >>> X.shape, bool((y == y.round()).all())
    ((1000, 3), True)
    """
    p = whole("p", p, 1)
    return make(n, p, chunks, seed, beta, dtype, normal, poisson, lambda u: 2 * u - 1, p**-0.5)


def make(n, p, chunks, seed, beta, dtype, draw_X, draw_y, shape_beta, scale=None):
    """X, y and β of all three. shape_beta takes uniform numbers (p,) to β; scale is a number, (p,) or None."""
    n, p, seed = whole("n", n, 1), whole("p", p, 1), whole("seed", seed)
    among("dtype", dtype, ("float64", "float32"))
    beta = shape_beta(uniform(seed, "beta", (0, p))) if beta is None else vector("beta", beta, p)
    options = {"p": p, "seed": seed, "draw_X": draw_X, "scale": scale, "dtype": dtype}
    if chunks is None:
        X = table((0, n), **options)
    else:
        cut = (row_chunks(chunks, n, p), (p,))
        X = da.map_blocks(table_chunk, options, chunks=cut, dtype=dtype, meta=np.empty((0, 0), dtype))
    return X, responses(X, beta, seed, draw_y), beta


def table(rows, p, seed, draw_X, scale, dtype):
    """Rows start … stop of X, for rows = (start, stop)."""
    X = draw_X(seed, "X", rows, p)
    if scale is not None:
        X *= scale
    return X.astype(dtype, copy=False)


def table_chunk(options, *, block_info):
    """One chunk of a lazy X."""
    rows, _ = block_info[None]["array-location"]
    return table(rows, **options)


def normal(seed, stream, rows, *width):
    """Rows start … stop of an endless table of normal numbers, whose block b has a generator of its own.

    A block is drawn whole even where few of its rows are wanted: then its rows are the same in every chunking.
    """
    start, stop = rows
    out = np.empty((stop - start, *width))
    for block in range(start // BLOCK, -(-stop // BLOCK)):
        first, last = max(start, block * BLOCK), min(stop, (block + 1) * BLOCK)
        drawn = np.random.Generator(random_bits(seed, stream, block)).standard_normal((BLOCK, *width))
        out[first - start : last - start] = drawn[first - block * BLOCK : last - block * BLOCK]
    return out


def uniform(seed, stream, rows, *width):
    """Rows start … stop of an endless table of uniform numbers. Each takes one draw, so we jump to the first row."""
    start, stop = rows
    bits = random_bits(seed, stream).advance(start * math.prod(width))
    return np.random.Generator(bits).random((stop - start, *width))


def random_bits(seed, stream, block=0):
    """Random bits of their own for each (seed, stream, block)."""
    return np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(STREAMS.index(stream), block)))


def responses(X, beta, seed, draw_y):
    """y (n,) for all rows of X, lazy where X is."""
    if not is_lazy(X):
        return response_rows(X, 0, beta, seed, draw_y)
    # map_blocks would copy every chunk of X to drop the axis of the columns.
    return da.blockwise(response_chunk, "i", X, "ij", ArraySliceDep(X.chunks[:1]), "i", dtype=X.dtype,
                        align_arrays=False, meta=np.empty(0, X.dtype), beta=beta, seed=seed, draw_y=draw_y)  # fmt: skip


def response_chunk(blocks, place, **options):
    """One chunk of a lazy y."""
    [X], [rows] = blocks, place
    return response_rows(X, rows.start, **options)


def response_rows(X, start, beta, seed, draw_y):
    """y for the rows of X, the first of which is row `start` of the whole."""
    eta = np.einsum("ij,j->i", X, beta)  # in one order for every chunking; the rounding of BLAS depends on the shape
    return draw_y(eta, seed, (start, start + len(X))).astype(X.dtype, copy=False)


def gaussian(eta, seed, rows, noise):
    """η plus normal errors."""
    return eta + noise * normal(seed, "y", rows)


def bernoulli(eta, seed, rows):
    """True with probability sigmoid(η)."""
    return uniform(seed, "y", rows) < sigmoid(eta)


def poisson(eta, seed, rows):
    """Counts of mean exp(η), each from one uniform number through the inverse distribution function.

    numpy's own Poisson generator takes a varying number of draws, so rows would depend on each other.
    """
    from scipy import stats  # takes half a second to load

    return stats.poisson.ppf(uniform(seed, "y", rows), np.exp(eta))
