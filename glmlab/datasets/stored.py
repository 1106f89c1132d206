"""Files that reopen: arrays in a zarr group, data frames as parquet."""

import os
import shutil
from pathlib import Path

import dask.array as da
import numpy as np

from glmlab.datasets.chunking import row_chunks
from glmlab.names import spelt
from glmlab.policy import Storing
from glmlab.rows.dispatch import is_lazy
from glmlab.rows.ondask import distrustful
from glmlab.rows.tables import numbers, sized


@spelt
def save(path, X, y, beta=None, *, policy=Storing()):
    """Write X (n, p), y (n,) and perhaps β (p,) into one zarr group at path.

    Not compressed, since random doubles do not compress. The group appears under its name only when it is
    complete. An older group of that name is replaced; anything else there is refused (FileExistsError).
    Dask arrays are written chunk by chunk, X and y in one pass; on a cluster the workers must see the path. A block
    whose shape or dtype is not the one that dask was told is refused (ValueError, TypeError): zarr would cast it.
    """
    import zarr

    path = replaceable(path)
    X, y = same_rows(X, y)
    partial = path.with_name(path.name + ".partial")
    group = zarr.open_group(partial, mode="w")
    rows = max(1, policy.piece // (X.shape[1] * X.dtype.itemsize))
    X, y = cut("X", X, rows), cut("y", y, rows)
    da.store([X, y], [new_array(group, "X", X, rows), new_array(group, "y", y, rows)], lock=False)
    if beta is not None:
        beta = np.asarray(beta)
        new_array(group, "beta", beta, len(beta))[:] = beta
    shutil.rmtree(path, ignore_errors=True)
    os.replace(partial, path)


@spelt
def load(path, *, chunks=None):
    """Reopen what `save` wrote: X, y and beta (None when there was none).

    chunks=None reads numpy arrays; otherwise lazy dask arrays with the chunks asked for, as in `make_regression`.
    Raises ValueError where no such arrays are saved.
    """
    group = opened(path)
    X, y = group["X"], group["y"]
    beta = group["beta"][:] if "beta" in group else None
    if chunks is None:
        return X[:], y[:], beta
    rows = row_chunks(chunks, *X.shape)
    return da.from_zarr(X, chunks=(rows, X.shape[1:])), da.from_zarr(y, chunks=(rows,)), beta


@spelt
def save_frame(path, frame):
    """Write a pandas or dask DataFrame as a folder of parquet files, one a partition; replaces older ones.

    All file names have the same number of digits, so that sorting the names sorts the rows.
    """
    import dask.dataframe as dd

    frame = frame if isinstance(frame, dd.DataFrame) else dd.from_pandas(frame, npartitions=1)
    digits = len(str(frame.npartitions - 1))
    frame.to_parquet(path, overwrite=True, name_function=lambda k: f"part.{k:0{digits}d}.parquet")


@spelt
def load_frame(path):
    """Reopen what `save_frame` wrote, as a lazy dask DataFrame with the same partitions. Raises ValueError."""
    import dask.dataframe as dd

    if not Path(path).is_dir():
        raise ValueError(f"{path}: no saved dataframe here. Write one with save_frame(path, frame).")
    return dd.read_parquet(path)


def replaceable(path):
    """The path, if nothing or a zarr group is there. Raises FileExistsError."""
    path = Path(path)
    if path.exists() and not is_group(path):
        raise FileExistsError(f"{path} exists and is no zarr group; it is left alone. Choose another path.")
    return path


def opened(path):
    """The zarr group at path, with X and y in it. Raises ValueError."""
    import zarr

    path = Path(path)
    if not is_group(path):
        raise ValueError(f"{path}: no saved arrays here. Write them with save(path, X, y, beta).")
    group = zarr.open_group(path, mode="r")
    if "X" not in group or "y" not in group:
        raise ValueError(f"{path} holds {sorted(group)}; X and y are needed. Write it with save(path, X, y).")
    return group


def is_group(path):
    """Is a zarr group (of format 3) at path?"""
    return (path / "zarr.json").is_file()


def new_array(group, name, array, rows):
    """An empty zarr array of the shape and dtype of `array`, stored in pieces of so many rows."""
    chunks = (min(rows, array.shape[0]), *array.shape[1:])
    return group.create_array(name, shape=array.shape, dtype=array.dtype, compressors=None, chunks=chunks)


def cut(name, array, rows):
    """The array in dask chunks made of whole pieces of so many rows: no two tasks write to the same piece."""
    array = distrustful(name, da.asarray(array))
    pieces = max(1, max(array.chunks[0]) // rows)
    return array.rechunk((pieces * rows, *array.shape[1:]))


def same_rows(X, y):
    """X (n, p) and y (n,) as numpy or dask arrays of numbers. Raises TypeError or ValueError."""
    given = X, y
    X, y = (numbers(name, values).values for name, values in (("X", X), ("y", y)))
    # A dask array of unknown length is refused below; a dask DataFrame's length is always unknown: count its rows.
    X, y = (sized(a) if is_lazy(a) and not is_lazy(own) else a for a, own in zip((X, y), given, strict=True))
    if np.isnan((*X.shape, *y.shape)).any():
        raise ValueError("X or y has chunks of unknown length. Type X.compute_chunk_sizes() first (y too).")
    if X.ndim != 2 or y.shape != X.shape[:1]:
        raise ValueError(f"X has shape {X.shape}, y {y.shape}; X must be (n, p) and y (n,) with the same n.")
    return X, y
