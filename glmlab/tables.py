"""What people hold: frames, files, labelled and sparse arrays become rows of numbers. Names and row labels come along.

No container beside pandas and dask is imported: each is known by what it can do. What cannot be fitted is refused with
what to type, and what lies on disk stays there until a pass reads it.
"""

import math
import os
import warnings
from typing import NamedTuple

import dask.array as da
import numpy as np
import pandas as pd
from dask._task_spec import Alias, Task, TaskRef
from dask.highlevelgraph import HighLevelGraph
from pandas.api.types import is_bool_dtype, is_complex_dtype, is_numeric_dtype
from scipy import sparse

from glmlab.blocks import csr, is_pydata, is_sparse, told_of

CHUNK, MOST = 2**23, 48  # bytes of X in one chunk of in-memory data, or more where there would be more chunks than that


class Table(NamedTuple):
    """Numbers, and what their container says of columns and rows."""

    values: np.ndarray  # (n, p) or (n,); or a dask array, or scipy.sparse rows
    names: tuple | None = None  # of the columns
    index: pd.Index | tuple | None = None  # labels of the rows; of a dask frame its divisions
    pair: str = ""  # what to type where labels shall pair the rows, and
    drop: str = ""  # where they shall not count


# --- the two doors ------------------------------------------------------------------------------------------------


def matrix(X):
    """X as a Table of 2 dimensions. Raises TypeError or ValueError naming X."""
    table = numbers("X", X)
    if table.values.ndim != 2:
        shape = table.values.shape
        raise ValueError(f"X must have 2 dimensions (rows, columns), got shape {shape}; try X.reshape(-1, 1)")
    refuse_empty(table.values)
    return table


def column(name, values):
    """y, sample_weight or offset as a Table of 1 dimension; a column vector is ravelled with a warning."""
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


def refuse_empty(X):
    if X.shape[0] == 0 or X.shape[1] == 0:
        raise ValueError(f"X must have at least one row and one column, got shape {X.shape}")


def numbers(name, values):
    """`values` as a Table of real numbers, never copied where that can be avoided."""
    table = opened(name, values)
    values = table.values
    if isinstance(getattr(values, "_meta", values), np.ma.MaskedArray):
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
    if isinstance(values, da.Array):
        told_of(name, values)
    return table._replace(values=values)


def not_numbers(name, dtype, values):
    return TypeError(f"{name} has dtype {dtype} ({example(values)}); glmlab needs real numbers: {cure(name, values)}")


def example(values):
    """A few values for a message, computing nothing that is lazy."""
    found = list(dict.fromkeys(map(repr, some(values))))
    return f"it holds {', '.join(found[:3])}{' …' if len(found) > 3 else ''}" if found else "not numbers"


def some(values):
    return np.ravel(values)[:1000].tolist() if isinstance(values, np.ndarray) else []


def cure(name, values):
    """What to type where `values` are no numbers."""
    text = [value for value in some(values) if isinstance(value, str | bytes)]
    if name == "y" and (text or not some(values) or values.dtype.kind != "O"):
        return f"code labels as 0 and 1, as in (y == {text[0] if text else 'yes'!r})"
    if values.dtype.kind == "O" and not text:  # what pandas' missing values make of a column
        return f"try {name}.astype('float64') on the frame, before it becomes an array; missing values are nan then"
    return f"try {name}.astype('float64')"


# --- containers ---------------------------------------------------------------------------------------------------


def opened(name, values):
    """What a container holds as a Table: at once where it is in memory, lazily where it is not."""
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
    """The error for what holds several arrays, or none yet: which of them is meant only its owner knows."""
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
    names = tuple(values.columns) if values.ndim == 2 else None
    return Table(frame_values(name, values), names, values.index, f"{name}.loc[{{labels}}]", f"{name}.to_numpy()")


def frame_values(name, frame):
    """The numbers of a frame (missing ones nan), or the names of its columns that are not numbers."""
    refuse_text(name, frame)
    return frame.to_numpy(dtype="float64")


def refuse_text(name, frame):
    if frame.ndim == 1:
        if not is_real(frame.dtype):
            raise not_numbers(name, frame.dtype, np.asarray(frame.dropna()[:1000], dtype=object))
        return
    bad = [column for column, dtype in frame.dtypes.items() if not is_real(dtype)]
    if bad:
        raise TypeError(f"{name} has columns that are not numbers: {bad}; encode them, as with pandas.get_dummies")


def is_real(dtype):
    """Does a column of this pandas dtype hold real numbers or bools, missing ones allowed?"""
    return (is_numeric_dtype(dtype) or is_bool_dtype(dtype)) and not is_complex_dtype(dtype)


def from_dask_frame(name, frame):
    """Each partition as a block of float64 with the columns in the frame's order, whatever its file holds.

    Dask may read several files as one partition, which ones depends on the columns chosen. So the graph is fixed here,
    and the blocks that are counted later are those that are read.
    """
    refuse_text(name, frame._meta)
    index = frame.divisions if frame.known_divisions else None
    names = tuple(frame.columns) if frame.ndim == 2 else None
    frame = frame.optimize()
    key, rows = f"{name}-of-{frame._name}", frame.__dask_keys__()
    width = () if names is None else (len(names),)
    places = [(key, k, *(0 for _ in width)) for k in range(len(rows))]
    tasks = {place: Task(place, partition, TaskRef(part), name, k, names)
             for k, (place, part) in enumerate(zip(places, rows, strict=True))}  # fmt: skip
    own = {part: Alias(part, task.target) if isinstance(task, Alias) else task  # `loc` names them after their targets
           for part, task in frame.__dask_graph__().items()}  # fmt: skip
    graph = HighLevelGraph({key: tasks, frame._name: own}, {key: {frame._name}, frame._name: set()})
    chunks = ((np.nan,) * len(rows), *((p,) for p in width))
    values = da.Array(graph, key, chunks, dtype="float64")
    return Table(values, names, index, f"table = {{first}}.join({name}.rename('{name}'))", f"{name}.clear_divisions()")


def partition(part, name, k, names):
    """The numbers of a dask frame's partition k, its columns found by name."""
    place = f"{name}.partitions[{k}]"
    if names is not None and tuple(part.columns) != names:
        if sorted(map(str, part.columns)) != sorted(map(str, names)):
            raise ValueError(f"{place} has the columns {list(part.columns)}, but {name} has {list(names)}; read the "
                             "files with one schema, or choose columns that all of them have")  # fmt: skip
        part = part[list(names)]
    return frame_values(place, part)


def from_xarray(name, values):
    """A DataArray: what it wraps, with the labels of its rows and columns."""
    labels = [values.indexes.get(dim) for dim in values.dims]
    names = tuple(labels[1]) if len(labels) == 2 and labels[1] is not None else None
    index = labels[0] if labels else None
    inside = values.data if in_memory(values) or values.chunks else values.chunk(dict(zip(
        values.dims, pieces(values, values.encoding.get("chunksizes")), strict=True))).data  # fmt: skip
    inside = csr(name, inside) if is_pydata(inside) else inside
    return Table(inside, names, index, f"{name}.reindex_like({{first}})", f"{name}.drop_indexes(list({name}.indexes))")


def in_memory(values):
    """Has xarray read this array? It asks itself by this attribute, and has no public one."""
    return getattr(values.variable, "_in_memory", True)


def from_arrow(name, values):
    """Tables and columns of polars, pyarrow and all that speak Arrow, by way of pandas' Arrow types: no copy."""
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
    """Does an Arrow type hold real numbers or bools, or nothing but missing ones?"""
    from pyarrow import types

    tests = types.is_integer, types.is_floating, types.is_boolean, types.is_decimal, types.is_null
    return any(test(kind) for test in tests)


def stored(values):
    """An array on disk as a lazy one that passes read piece by piece. What NetCDF masks is nan."""
    if hasattr(values, "chunking"):  # netCDF4, which unpacks and masks what it reads
        piece = values.chunking()
        lazy = da.from_array(values, chunks=pieces(values, None if piece == "contiguous" else piece), asarray=False,
                             name=False, meta=np.empty((0,) * values.ndim))  # fmt: skip
        return lazy.map_blocks(unmasked, dtype="float64", meta=np.empty((0,) * values.ndim))
    piece = getattr(values, "shards", None) or values.chunks  # a shard is read as one
    return da.from_array(values, chunks=pieces(values, piece))


def unmasked(block):
    return np.ma.filled(np.ma.asarray(block).astype("float64"), np.nan)


def pieces(values, piece):
    """Row chunks of a stored array: its pieces, several at a time where they are many; else as if it were in memory."""
    n, *p = values.shape or (0,)
    if not piece or 0 in values.shape:
        return default_lengths(values) if n else n, *p
    together = 1 if n <= MOST * piece[0] else max(round(default_lengths(values)[0] / piece[0]), 1)
    return min(together * piece[0], n), *p


# --- chunks of rows -----------------------------------------------------------------------------------------------


def default_lengths(X):
    """Equal chunks of about CHUNK bytes, MOST at most: the same whatever machine and however many threads."""
    n = X.shape[0]
    return cut(n, -(-n // min(MOST, max(1, -(-math.prod(X.shape) * X.dtype.itemsize // CHUNK)))))


def cut(n, chunks):
    """Row counts of the chunks from a number of rows, or the tuple as it is."""
    if not isinstance(chunks, int) and sum(chunks) != n:
        raise ValueError(f"chunks={chunks} add up to {sum(chunks):,} rows, but X has {n:,}")
    lengths = da.core.normalize_chunks((chunks,), shape=(n,))[0]
    return tuple(length for length in lengths if length)


# --- names and labels ---------------------------------------------------------------------------------------------


def refuse_other_rows(tables):
    """The error for row labels that differ: nobody knows whether rows are paired by them or by their places."""
    labelled = {name: table for name, table in tables.items() if table is not None and table.index is not None}
    first = next(iter(labelled), None)
    for name, table in labelled.items():
        if not same_labels(table.index, labelled[first].index):
            index = labelled[first].index
            labels, those = f"{first}.index{'.compute()' * isinstance(index, tuple)}", ends(index)
            raise ValueError(f"{name} and {first} have different indexes ({ends(table.index)} and {those}): to pair by "
                             f"label type {table.pair.format(first=first, labels=labels)}, by place {table.drop}")


def same_labels(one, other):
    """Do these indexes label the same rows in the same order, as far as divisions tell?"""
    if isinstance(one, pd.Index) and isinstance(other, pd.Index):
        return len(one) != len(other) or one.equals(other)  # of lengths another error speaks
    if isinstance(one, tuple) and isinstance(other, tuple):
        return (one[0], one[-1]) == (other[0], other[-1])
    index, divisions = (one, other) if isinstance(one, pd.Index) else (other, one)
    try:
        return index.is_monotonic_increasing and divisions[0] <= index[0] and index[-1] <= divisions[-1]
    except TypeError:  # text against numbers
        return False


def ends(index):
    """A few labels, for a message."""
    labels = list(index[:3])
    return f"{', '.join(map(str, labels))}{' …' if len(index) > 3 else ''}"


def refuse_other_names(what, names, known, whose, cure):
    """The error for columns whose names are not those known, in their order. Arrays have no names: None agrees."""
    if names is None or known is None or names == known:
        return
    names, known = tuple(names), tuple(known)
    if set(names) != set(known) and tuple(range(len(known))) in (names, known):
        return  # numbered by pandas: nobody named them
    if sorted(map(str, names)) == sorted(map(str, known)):
        raise ValueError(f"{what} has the columns {listed(names)}, {whose} has them in another order: {listed(known)}; "
                         f"type {cure}")  # fmt: skip
    missing = [name for name in known if name not in names]
    extra = [name for name in names if name not in known]
    said = [f"{word} {listed(some)}" for word, some in (("lacks", missing), ("adds", extra)) if some]
    raise ValueError(f"{what} has other columns than {whose}: it {' and '.join(said)}; type {cure}")


def listed(names):
    """Names for a message: the first few."""
    shown = [str(name) if isinstance(name, np.generic) else repr(name) for name in names[:6]]
    return f"[{', '.join(shown)}{', …' if len(names) > 6 else ''}]"


def is_answer(values):
    """Is this a Result, or a state: something with a β, and no Series that has a row called beta?"""
    return hasattr(values, "beta") and not isinstance(values, pd.Series | pd.DataFrame)


def coefficients(what, values, names, dim):
    """The numbers of a Series, once its labels are the names of X's columns; an intercept may follow up to dim."""
    if not isinstance(values, pd.Series):
        return values
    labels = tuple(values.index)
    known = names and (*names, *labels[len(names) : dim])
    refuse_other_names(what, labels, known, "X", f"{what}[list(X.columns)]")
    return frame_values(what, values)
