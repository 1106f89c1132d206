"""The entrance: arguments as users hold them are checked against each other, and become chunks of rows."""

import itertools
from numbers import Integral

import dask.array as da
import numpy as np

from glmlab.checks import flag, whole
from glmlab.names import spelt
from glmlab.rows.chunks import Chunks, InMemory
from glmlab.rows.faults import warn_of_spilling
from glmlab.rows.kernels import Rows
from glmlab.rows.labels import refuse_other_rows
from glmlab.rows.ondask import OnDask, distrustful, lined_up, looked_at
from glmlab.rows.tables import column, matrix, refuse_lengths, row_lengths, sized


@spelt
def as_chunks(X, y, *, sample_weight=None, offset=None, intercept=False, chunks=None, threads=None):
    """Rows with all that belongs to them, checked and cut into chunks.

    Parameters
    ----------
    X : array or table, shape (n, p)
        An array (numpy, dask, zarr, h5py, netCDF4, xarray, sparse), a table (pandas, dask, polars, pyarrow) or a list.
        What lies on disk is read in every pass.
    y, sample_weight, offset : shape (n,), of the same kinds
        The response, the weights w >= 0 (1 by default), and what is added to η (0 by default).
    intercept : bool, default False
        Whether η has a constant, too.
    chunks : int or tuple of ints, optional
        Rows of a chunk, or the row counts of all chunks. Without it dask data keep their own row chunks, stored arrays
        theirs, and data in memory get lengths that depend on (n, p, dtype) alone.
    threads : int, optional
        For data in memory; all cores by default.

    Returns
    -------
    InMemory or OnDask
        OnDask if any argument is on dask.

    Raises
    ------
    TypeError
        For a type that is not taken; it names the argument.
    ValueError
        For a shape that cannot be fitted or for row labels that differ. Values and blocks are checked in the first
        pass.

    Examples
    --------
    >>> from glmlab import as_chunks
    >>> chunks = as_chunks([[1.0], [2.0], [3.0]], [1.0, 2.0, 3.0], chunks=2)
    >>> chunks.n, chunks.lengths
    (3, (2, 1))
    """
    if isinstance(X, Chunks):
        raise TypeError("X is made of chunks already: pass it to Objective(family, chunks)")
    threads = None if threads is None else whole("threads", threads, 1)
    intercept, chunks = flag("intercept", intercept), chunk_rows(chunks)
    tables = {"X": matrix(X)}
    vectors = {"y": y, "sample_weight": sample_weight, "offset": offset}
    tables |= {name: None if values is None else column(name, values) for name, values in vectors.items()}
    if y is None:
        raise TypeError("y is None: fit needs one response for each row of X")
    refuse_other_rows(tables)
    given = {name: table and sized(table.values) for name, table in tables.items()}
    refuse_lengths(given)
    lengths = row_lengths(given, chunks)
    if any(isinstance(values, da.Array) for values in given.values()):
        made = OnDask(*lined_up(given, lengths).values(), intercept=intercept)
        warn_of_spilling(made.given)
    else:
        made = InMemory(Rows(*given.values()), lengths, intercept=intercept, threads=threads)
    made.names, made.shifted = tables["X"].names, offset is not None
    labelled = {name: table for name, table in tables.items() if table and table.index is not None}
    made.labels = {name: table._replace(values=None) for name, table in labelled.items()}
    return made


def chunk_rows(chunks):
    """`chunks` as None, an int (−1 for one chunk) or a tuple of row counts. Raises TypeError or ValueError."""
    if chunks is None:
        return None
    if isinstance(chunks, Integral):
        return -1 if chunks == -1 else whole("chunks", chunks, 1)
    if not isinstance(chunks, (tuple, list)):
        raise TypeError(f"chunks must be a number of rows or a tuple of them, got {chunks!r}")
    return tuple(whole("chunks", length) for length in chunks)


def row_by_row(function, X, offset):
    """function(X, offset or None), one number a row, on the Tables X and offset; a dask array if one is on dask."""
    given = {"X": X.values, "offset": offset and offset.values}
    lazy = any(isinstance(values, da.Array) for values in given.values())
    if lazy and offset is None:  # nothing has to be paired with X, so its blocks may have unknown lengths
        given = {"X": X.values if X.values.numblocks[1] == 1 else looked_at("X", X.values).rechunk({1: -1})}
    else:
        given = {name: values if values is None else sized(values) for name, values in given.items()}
        refuse_lengths(given)
    if not lazy:
        return function(*given.values())
    if offset is not None:
        given = lined_up(given, row_lengths(given))
    given = {name: distrustful(name, values) for name, values in given.items()}
    blocks = itertools.chain.from_iterable(zip(given.values(), ("ij", "i"), strict=False))
    return da.blockwise(function, "i", *blocks, concatenate=True, dtype="float64", meta=np.empty(0))
