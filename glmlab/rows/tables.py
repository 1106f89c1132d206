"""Tables, files, labelled and sparse arrays become rows of numbers. Names of columns and labels of rows come along.

No container library but pandas and dask is imported: other containers are recognised by their methods. What cannot be
fitted is refused, and the error says what to type. What lies on disk stays there until a pass reads it.
"""

import math
import os
import warnings
from typing import NamedTuple

import dask.array as da
import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_complex_dtype, is_numeric_dtype
from scipy import sparse

from glmlab.policy import Chunking

POLICY = Chunking()


class Table(NamedTuple):
    """Numbers, and what their container says about columns and rows."""

    values: np.ndarray  # (n, p) or (n,); or a dask array, or scipy.sparse rows
    names: tuple | None = None  # of the columns
    index: pd.Index | tuple | None = None  # labels of the rows; the divisions of a dask frame
    pair: str = ""  # what to type to pair the rows by their labels
    drop: str = ""  # what to type to pair them by their places


# --- X, and the vectors that belong to it -------------------------------------------------------------------------


def matrix(X):
    """X as a Table of 2 dimensions. Raises TypeError or ValueError naming X."""
    table = numbers("X", X)
    if table.values.ndim != 2:
        shape = table.values.shape
        raise ValueError(f"X must have 2 dimensions (rows, columns), got shape {shape}; try X.reshape(-1, 1)")
    refuse_empty(table.values)
    return table


def column(name, values):
    """y, sample_weight or offset as a Table of 1 dimension; a column vector is ravelled with a warning.

    Raises TypeError or ValueError naming the argument.
    """
    table = numbers(name, values)
    values = table.values
    if is_sparse(getattr(values, "_meta", values)):
        raise TypeError(f"{name} is a sparse matrix; pass {name}.toarray().ravel()")
    if values.ndim == 2 and values.shape[1] == 1:
        warnings.warn(f"{name} is a column vector of shape {values.shape}; it is used as {name}.ravel()", stacklevel=5)
        values = values[:, 0]
    if values.ndim != 1:
        raise ValueError(f"{name} must have shape (n,), one number a row; got shape {values.shape}")
    return table._replace(values=values, names=None)


def numbers(name, values):
    """`values` as a Table of real numbers, copied only where the container cannot hand them out as they are."""
    table = opened(name, values)
    values = table.values
    meta = getattr(values, "_meta", values)  # dask arrays keep an empty block, which tells the class of all blocks
    if isinstance(meta, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array; fill or drop its masked rows first")
    if not isinstance(values, da.Array) and not sparse.issparse(values):
        try:
            values = np.asarray(values)
        except ValueError:
            raise ValueError(f"{name} is a ragged list: its rows have different lengths") from None
    if values.dtype.kind == "O" and values.ndim == 0:
        raise TypeError(f"{name} is {table.values!r:.80}, not an array of real numbers")
    if values.dtype.kind not in "fiub":
        raise not_numbers(name, values.dtype, values)
    if values.dtype.itemsize > 8:
        raise TypeError(f"{name} has dtype {values.dtype}; use float64: {name}.astype('float64')")
    if isinstance(values, da.Array) and not isinstance(meta, np.ndarray) and not is_sparse(meta):
        raise TypeError(f"{name} has blocks of class {type(meta).__name__}, and kernels take numpy and scipy.sparse; "
                        f"type {name}.map_blocks(numpy.asarray)")  # fmt: skip
    return table._replace(values=values)


def not_numbers(name, dtype, values):
    """The error for an argument of this dtype."""
    return TypeError(f"{name} has dtype {dtype} ({example(values)}); glmlab needs real numbers: {cure(name, values)}")


def example(values):
    """A few values for a message. Nothing lazy is computed for it."""
    found = list(dict.fromkeys(map(repr, some(values))))
    return f"it holds {', '.join(found[:3])}{' …' if len(found) > 3 else ''}" if found else "not numbers"


def some(values):
    """The first thousand values of an array that is in memory, [] of others."""
    return np.ravel(values)[:1000].tolist() if isinstance(values, np.ndarray) else []


def cure(name, values):
    """What to type when `values` are not numbers."""
    text = [value for value in some(values) if isinstance(value, str | bytes)]
    if name == "y" and (text or not some(values) or values.dtype.kind != "O"):
        return f"code labels as 0 and 1, as in (y == {max(text, key=str) if text else 'yes'!r})"
    if values.dtype.kind == "O" and not text:  # pandas makes objects of a column of numbers with missing values
        return f"try {name}.astype('float64') on the frame, before it becomes an array; missing values are nan then"
    return f"try {name}.astype('float64')"


# --- containers ---------------------------------------------------------------------------------------------------


def opened(name, values):
    """What a container holds, as a Table: a lazy one where the container is not in memory."""
    if isinstance(values, np.ndarray | da.Array):
        return Table(values)
    if is_sparse(values):
        return Table(csr(name, values))
    if isinstance(values, pd.DataFrame | pd.Series):
        return from_pandas(name, values)
    if isinstance(values, pd.Index | pd.api.extensions.ExtensionArray):
        return Table(frame_values(name, pd.Series(values)))
    if hasattr(values, "to_dask_array"):
        return from_dask_frame(name, values)
    if hasattr(values, "shape") and hasattr(values, "coords"):
        return from_xarray(name, values)
    if hasattr(values, "__arrow_c_stream__") or hasattr(values, "__arrow_c_array__"):
        return from_arrow(name, values)
    if hasattr(values, "shape") and (hasattr(values, "chunking") or hasattr(values, "chunks")):
        return Table(stored(values))
    refuse_container(name, values)
    return Table(values)


def refuse_container(name, values):
    """The error for what holds several arrays, or none yet: only the user knows which is meant."""
    kind = type(values).__name__
    if isinstance(values, str | bytes | os.PathLike):
        raise TypeError(f"{name} is the text or path {str(values)!r}, not numbers; name a column of a table as in "
                        "table['late'], the array inside a file as in zarr.open(path)['X'] or h5py.File(path)['X']")
    if hasattr(values, "collect") and hasattr(values, "explain"):
        raise TypeError(f"{name} is a {kind}, a query that was not run; type {name}.collect()")
    if all(hasattr(values, part) for part in ("X", "obs", "var")):
        raise TypeError(f"{name} is an {kind}, a matrix with tables beside it; type {name}.X for the matrix, and "
                        f"{name}.obs['…'] for a column of its rows' table")  # fmt: skip
    if hasattr(values, "to_memory"):
        raise TypeError(f"{name} is a {kind}, sparse rows in a file; type {name}.to_memory()")
    if hasattr(values, "data_vars"):
        inside = list(values.data_vars)
        raise TypeError(f"{name} is an xarray {kind} of {inside}; name the variable, as {name}[{inside[0]!r}], or join "
                        f"them as columns: {name}.to_dataarray('column').transpose(..., 'column')"
                        if inside else f"{name} is an xarray {kind} without variables")  # fmt: skip
    if hasattr(values, "keys") and not hasattr(values, "dtype"):
        inside = list(values.keys())
        raise TypeError(f"{name} is a {kind} that holds {inside[:5]}{' …' if len(inside) > 5 else ''}; name the array "
                        f"inside, as {name}[{inside[0] if inside else 'X'!r}]")  # fmt: skip
    if hasattr(values, "variables"):
        raise TypeError(f"{name} is a {kind} that holds {list(values.variables)}; name the array inside, as "
                        f"{name}.variables['…']")  # fmt: skip


def from_pandas(name, values):
    """A pandas frame or series."""
    names = tuple(values.columns) if values.ndim == 2 else None
    return Table(frame_values(name, values), names, values.index, f"{name}.loc[{{labels}}]", f"{name}.to_numpy()")


def frame_values(name, frame):
    """The numbers of a pandas frame or series; missing ones are nan. Raises TypeError for columns without numbers."""
    refuse_text(name, frame)
    return frame.to_numpy(dtype="float64")


def refuse_text(name, frame):
    """The error for columns that hold no numbers; only the dtypes are looked at."""
    if frame.ndim == 1:
        if not is_real(frame.dtype):
            raise not_numbers(name, frame.dtype, np.asarray(frame.dropna()[:1000], dtype=object))
        return
    bad = [column for column, dtype in frame.dtypes.items() if not is_real(dtype)]
    if bad:
        raise TypeError(f"{name} has columns that are not numbers: {bad}; encode them, as glmlab.Design does")


def is_real(dtype):
    """Does a column of this pandas dtype hold real numbers or bools, missing ones allowed?"""
    return (is_numeric_dtype(dtype) or is_bool_dtype(dtype)) and not is_complex_dtype(dtype)


def from_dask_frame(name, frame):
    """A dask frame: a lazy array with one block of float64 for each partition, its columns in the frame's order.

    Dask may read several files as one partition, and which ones depends on the columns that are asked for. As an array
    the partitions are fixed, so the blocks whose rows are counted later are those that are read.
    """
    refuse_text(name, frame._meta)
    index = frame.divisions if frame.known_divisions else None
    names = tuple(frame.columns) if frame.ndim == 2 else None
    meta = np.empty((0,) if names is None else (0, len(names)))
    parts = frame.map_partitions(as_it_is, meta=meta, enforce_metadata=False)
    values = parts.map_blocks(partition, name, names, dtype="float64", meta=meta)
    return Table(values, names, index, f"table = {{first}}.join({name}.rename('{name}'))", f"{name}.clear_divisions()")


def as_it_is(part):
    """The partition, still a frame: dask then counts it as a block, and `partition` learns its number."""
    return part


def partition(part, name, names, *, block_info):
    """The numbers of one partition of a dask frame, its columns found by name."""
    place = f"{name}.partitions[{block_info[None]['chunk-location'][0]}]"
    if names is not None and tuple(part.columns) != names:
        if sorted(map(str, part.columns)) != sorted(map(str, names)):
            raise ValueError(f"{place} has the columns {list(part.columns)}, but {name} has {list(names)}; read the "
                             "files with one schema, or choose columns that all of them have")  # fmt: skip
        part = part[list(names)]
    return frame_values(place, part)


def from_xarray(name, values):
    """An xarray DataArray: the array inside, with the labels of its rows and columns."""
    labels = [values.indexes.get(dim) for dim in values.dims]
    names = tuple(labels[1]) if len(labels) == 2 and labels[1] is not None else None
    index = labels[0] if labels else None
    inside = values.data if in_memory(values) or values.chunks else values.chunk(dict(zip(
        values.dims, pieces(values, values.encoding.get("chunksizes")), strict=True))).data  # fmt: skip
    inside = csr(name, inside) if is_pydata(inside) else inside
    return Table(inside, names, index, f"{name}.reindex_like({{first}})", f"{name}.drop_indexes(list({name}.indexes))")


def in_memory(values):
    """Has xarray read this array already? Xarray has no public attribute that says it."""
    return getattr(values.variable, "_in_memory", True)


def from_arrow(name, values):
    """Tables and columns of polars, pyarrow and others that export Arrow, through pandas' Arrow types, uncopied."""
    import pyarrow as pa

    if hasattr(values, "columns"):
        table = pa.table(values)
        bad = [field.name for field in table.schema if not arrow_is_real(field.type)]
        if bad:
            raise TypeError(f"{name} has columns that are not numbers: {bad}; encode them first")
        return Table(table.to_pandas(types_mapper=pd.ArrowDtype).to_numpy("float64"), tuple(table.column_names))
    held = pa.chunked_array(values) if hasattr(values, "__arrow_c_stream__") else pa.array(values)
    if not arrow_is_real(held.type):
        raise not_numbers(name, held.type, np.array(held[:1000].to_pylist(), dtype=object))
    return Table(held.to_pandas(types_mapper=pd.ArrowDtype).to_numpy("float64"))


def arrow_is_real(kind):
    """Does an Arrow type hold real numbers or bools? A column that is missing throughout counts as numbers."""
    from pyarrow import types

    tests = types.is_integer, types.is_floating, types.is_boolean, types.is_decimal, types.is_null
    return any(test(kind) for test in tests)


def stored(values):
    """An array on disk as a lazy array, of which passes read one piece after another. Masked values are nan."""
    if hasattr(values, "chunking"):  # netCDF4 unpacks and masks the numbers that it reads
        piece = values.chunking()
        lazy = da.from_array(values, chunks=pieces(values, None if piece == "contiguous" else piece), asarray=False,
                             name=False, meta=np.empty((0,) * values.ndim))  # fmt: skip
        return lazy.map_blocks(unmasked, dtype="float64", meta=np.empty((0,) * values.ndim))
    piece = getattr(values, "shards", None) or values.chunks  # zarr reads a whole shard at a time
    return da.from_array(values, chunks=pieces(values, piece))


def unmasked(block):
    """A block as float64, with nan where it is masked."""
    return np.ma.filled(np.ma.asarray(block).astype("float64"), np.nan)


def pieces(values, piece, policy=POLICY):
    """Chunks of an array on disk whose pieces have this shape: a piece each, or several where there are many.

    An array that is stored in one piece is cut as if it were in memory.
    """
    n, *p = values.shape or (0,)
    if not piece or 0 in values.shape:
        return default_lengths(values, policy) if n else n, *p
    together = 1 if n <= policy.most * piece[0] else max(round(default_lengths(values, policy)[0] / piece[0]), 1)
    return min(together * piece[0], n), *p


# --- sparse rows --------------------------------------------------------------------------------------------------


def is_sparse(values):
    """Are these sparse rows, of scipy.sparse or of pydata?"""
    return sparse.issparse(values) or is_pydata(values)


def is_pydata(values):
    """Are these sparse rows of the pydata package, in a class that scipy's can be made of?"""
    return hasattr(values, "to_scipy_sparse") or (hasattr(values, "to_coo") and hasattr(values, "fill_value"))


def csr(name, values):
    """Sparse rows of any format and class as scipy's CSR. Raises ValueError for rows that are not sparse around 0."""
    if sparse.issparse(values):
        return values.tocsr()
    values = values if hasattr(values, "to_scipy_sparse") else values.to_coo()
    if values.fill_value != 0:
        raise ValueError(f"{name} is sparse around {values.fill_value}, not around 0; type {name}.todense()")
    return values.to_scipy_sparse().tocsr()


# --- numbers of rows ----------------------------------------------------------------------------------------------


def sized(values):
    """The array with known chunk sizes; unknown ones are counted in a pass over its source. `values` is not changed."""
    if isinstance(values, da.Array) and any(np.isnan(size) for size in values.shape):
        values = da.Array(values.dask, values.name, values.chunks, meta=values._meta)
        values.compute_chunk_sizes()
    return values


def refuse_empty(X):
    """The error for an X without rows or columns."""
    if X.shape[0] == 0 or X.shape[1] == 0:
        raise ValueError(f"X must have at least one row and one column, got shape {X.shape}")


def refuse_lengths(given):
    """The error for {argument: array or None} of different lengths."""
    X = given["X"]
    refuse_empty(X)
    for name, values in given.items():
        if values is not None and values.shape[0] != X.shape[0]:
            raise ValueError(f"{name} has {values.shape[0]:,} rows but X has {X.shape[0]:,}; they must agree")


def row_lengths(given, chunks=None):
    """Row counts of the chunks of {argument: array or None}: those asked for, else those of the first on dask."""
    lazy = next((values for values in given.values() if isinstance(values, da.Array)), None)
    if chunks is None and lazy is None:
        return default_lengths(given["X"])
    return cut(given["X"].shape[0], lazy.chunks[0] if chunks is None else chunks)


def default_lengths(X, policy=POLICY):
    """Row counts of equal chunks for data in memory, from n, p, dtype and nonzeros: the same everywhere."""
    n, numbers = X.shape[0], 2 * X.nnz if is_sparse(X) else math.prod(X.shape)
    wanted = -(-numbers * X.dtype.itemsize // policy.chunk)
    return cut(n, -(-n // min(policy.most, max(1, wanted))))


def cut(n, chunks):
    """Row counts of the chunks of n rows. `chunks` is the rows of each chunk (−1 for one chunk), or their row counts.

    Raises ValueError for row counts that do not add up to n.
    """
    if isinstance(chunks, int):
        step = n if chunks == -1 else chunks
        chunks = [min(step, n - first) for first in range(0, n, step)]
    elif sum(chunks) != n:
        raise ValueError(f"chunks={chunks} add up to {sum(chunks):,} rows, but X has {n:,}")
    return tuple(int(length) for length in chunks if length)
