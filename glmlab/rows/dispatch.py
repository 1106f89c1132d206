"""One set of functions for numpy arrays, dask arrays and scipy.sparse matrices, in any order.

Every function follows the same rules:

- The result is lazy (a dask array) if and only if an operand is lazy. Nothing is computed here.
- The result is dense. ``exp(0)`` is 1, so most of these functions would fill a sparse matrix anyway. `dot` multiplies
  without making its sparse operands dense.

In 2017 this took a table of types (multiple dispatch). Today numpy asks its operands first (``__array_ufunc__`` and
``__array_function__``), so ``np.exp(x)`` and ``X @ b`` work for numpy and dask. This module adds what is still missing:
scipy.sparse, and the *method* ``X.dot(b)``, which looks only at its left operand and computes a dask ``b`` at once.
"""

import dask
import dask.array as da
import numpy as np
import scipy.sparse as sp

__all__ = [
    "absolute", "dot", "exp", "is_lazy", "log", "log1p", "maximum", "minimum", "sigmoid", "sqrt", "sum",
]  # fmt: skip


def is_lazy(x) -> bool:
    """Is x a dask array?"""
    return isinstance(x, da.Array)


def dot(a, b):
    """The matrix product a @ b, for one- and two-dimensional operands of any of the types above.

    Shapes: (n, p)·(p,), (n, p)·(p, m), (n,)·(n, p), (p,)·(p,), and so ``dot(X.T, r)`` as well.
    Raises ValueError when the shapes do not fit, TypeError for dataframes and other lazy things.
    """
    a, b = _operand(a, "a"), _operand(b, "b")
    _check_shapes(a, b)
    return _lazy_dot(a, b) if is_lazy(a) or is_lazy(b) else _dense(a @ b)


def sigmoid(x):
    """1 / (1 + exp(−x)), elementwise, without overflow for any x."""
    x = _plain(x)
    return x.map_blocks(_sigmoid, dtype=_sigmoid(x._meta).dtype) if is_lazy(x) else _sigmoid(x)


def sum(x, axis=None):
    """The sum over all entries, or along one axis. A sparse matrix in memory stays sparse."""
    x = _operand(x, "x")
    if not sp.issparse(x):
        return np.sum(_plain(x), axis=axis)
    total = x.sum(axis=axis)
    return total if axis is None else np.asarray(total).ravel()  # the matrix classes keep two dimensions


def _elementwise(ufunc):
    """The ufunc for all operand types. numpy's own protocol passes dask operands on to dask."""

    def function(*operands):
        return ufunc(*[_plain(x) for x in operands])

    function.__name__ = function.__qualname__ = ufunc.__name__
    function.__doc__ = f"numpy.{ufunc.__name__}, elementwise, over numpy, dask and scipy.sparse operands."
    return function


absolute = _elementwise(np.absolute)
exp = _elementwise(np.exp)
log = _elementwise(np.log)
log1p = _elementwise(np.log1p)
maximum = _elementwise(np.maximum)
minimum = _elementwise(np.minimum)
sqrt = _elementwise(np.sqrt)


def _sigmoid(x):
    with np.errstate(under="ignore"):
        e = np.exp(-np.abs(x))  # at most 1: the exponent is never positive
    return np.where(x >= 0, 1, e) / (1 + e)


def _operand(x, name):
    """x as a dask array, a sliceable sparse matrix or a numpy array."""
    if is_lazy(x):
        return x
    if sp.issparse(x):
        return x.tocsr()
    if dask.is_dask_collection(x):  # np.asarray would compute it
        raise TypeError(
            f"{name} is a lazy {type(x).__name__}; a dask array is needed. "
            f"For a dask dataframe type {name}.to_dask_array(lengths=True)."
        )
    return np.asarray(x)


def _plain(x):
    """The operand with dense entries. Chunks of dask arrays become dense when they are computed."""
    x = _operand(x, "x")
    if is_lazy(x) and sp.issparse(x._meta):
        return x.map_blocks(_dense, dtype=x.dtype, meta=np.empty((0,) * x.ndim, x.dtype))
    return _dense(x)


def _dense(x):
    return x.toarray() if sp.issparse(x) else x


def _check_shapes(a, b):
    for name, x in (("a", a), ("b", b)):
        if x.ndim not in (1, 2):
            raise ValueError(f"{name} has shape {x.shape}; dot needs vectors or matrices.")
    inner = a.shape[-1], b.shape[0]
    if inner[0] != inner[1] and not np.isnan(inner).any():  # nan: dask does not know the length yet
        raise ValueError(
            f"dot: shapes {a.shape} and {b.shape} do not fit: {inner[0]} columns against {inner[1]} rows."
        )


def _lazy_dot(a, b):
    """Multiply chunk by chunk, then add over the chunks of the summed index."""
    a, b = _chunked(a), _chunked(b)
    a_index, b_index = ("ik", "k")[2 - a.ndim], ("kj", "k")[2 - b.ndim]
    parts = da.blockwise(
        _part, "k" + _outer(a_index, b_index), a, a_index, b, b_index,
        adjust_chunks={"k": 1}, dtype=np.result_type(a.dtype, b.dtype), meta=_meta(a, b),
    )  # fmt: skip
    return parts.sum(axis=0) if parts.numblocks[0] > 1 else parts[0]


def _outer(a_index, b_index):
    return (a_index + b_index).replace("k", "")


def _meta(a, b):
    return np.empty((0,) * (a.ndim + b.ndim - 1), np.result_type(a.dtype, b.dtype))


def _part(a, b):
    return _dense(a @ b)[np.newaxis]


def _chunked(x):
    """The operand as a dask array. One that is in memory becomes one chunk, and sparse stays sparse."""
    return x if is_lazy(x) else da.from_array(x, chunks=-1, asarray=False)
