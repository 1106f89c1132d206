"""Arrays that reopen: X and y in a zarr group, written in whole files and read back."""

import zlib
from pathlib import Path
from uuid import uuid4

import dask
import dask.array as da
import numpy as np
from dask.base import tokenize

from glmlab.checks import whole
from glmlab.datasets.chunking import row_chunks
from glmlab.datasets.files import replacing, stamp
from glmlab.names import spelt
from glmlab.policy import Storing
from glmlab.rows.dispatch import is_lazy
from glmlab.rows.ondask import distrustful
from glmlab.rows.tables import numbers, sized


@spelt
def save(path, X, y, beta=None, *, shards=None, policy=Storing()):
    """Write X, y and perhaps β into one zarr group at path, and read it back to check it.

    Not compressed, since random doubles do not compress. The group appears under its name only when it is
    complete and right. An older group of that name is replaced.

    Parameters
    ----------
    path : str or path
        Of the group. On a cluster the workers must see it.
    X, y : arrays of numpy or dask, shapes (n, p) and (n,)
        Dask arrays are written chunk by chunk, X and y in one pass, and no task holds more than the chunks that its own
        rows come from.
    beta : array, shape (p,), optional
        The coefficients.
    shards : int, optional
        Rows of one file. Without it each piece of an array is a file of its own, and a large array makes thousands; a
        shard is one file of several pieces, which are still read one by one. It is rounded up to whole pieces.
    policy : glmlab.policy.Storing
        How large a piece is.

    Raises
    ------
    FileExistsError
        Where anything but a group is at path.
    ValueError, TypeError
        For a block whose shape or dtype is not the one that dask was told: zarr would cast it.
    OSError
        Where what is read back differs.

    Notes
    -----
    The arrays are made before the first task runs, and each task writes whole files: where two tasks write to one
    shard, the later one loses the rows of the earlier one.

    Examples
    --------
    >>> import tempfile
    >>> from glmlab.datasets import load, make_regression, save
    >>> X, y, beta = make_regression(100, 3)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/rows.zarr", X, y, beta)
    ...     again, _, _ = load(f"{folder}/rows.zarr")
    >>> bool((again == X).all())
    True
    """
    import zarr

    X, y = same_rows(X, y)
    piece, file = layout(X.shape[1] * X.dtype.itemsize, shards, policy)
    with replacing(path, "zarr group", is_group) as partial:
        group = zarr.open_group(partial, mode="w")
        arrays = {"X": cut("X", X, file), "y": cut("y", y, file)}
        write_all(arrays, {name: new_array(group, name, array, piece, file) for name, array in arrays.items()})
        if beta is not None:
            beta = np.asarray(beta)
            new_array(group, "beta", beta, len(beta), len(beta))[:] = beta


@spelt
def load(path, *, chunks=None):
    """Reopen what `save` wrote.

    Arrays that were saved again have other names on dask, so that a cluster does not answer with the rows that it
    keeps of the older ones.

    Parameters
    ----------
    path : str or path
        Of the group.
    chunks : None, int or dask chunks
        None reads numpy arrays; otherwise lazy dask arrays with the chunks asked for, as in `make_regression`.

    Returns
    -------
    X, y : arrays of numpy or dask, shapes (n, p) and (n,)
        The rows.
    beta : array, shape (p,), or None
        None where there was none.

    Raises
    ------
    ValueError
        Where no such arrays are saved.

    Examples
    --------
    >>> import tempfile
    >>> from glmlab.datasets import load, make_regression, save
    >>> X, y, beta = make_regression(100, 3)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/rows.zarr", X, y)
    ...     lazy, _, nothing = load(f"{folder}/rows.zarr", chunks=40)
    >>> lazy.chunks, nothing
    (((40, 40, 20), (3,)), None)
    """
    group = opened(path)
    X, y = group["X"], group["y"]
    beta = group["beta"][:] if "beta" in group else None
    if chunks is None:
        return X[:], y[:], beta
    rows, token = row_chunks(chunks, *X.shape), stamp(path)
    X, y = (da.from_zarr(array, chunks=(rows, *array.shape[1:]), name=f"{name}-{tokenize(token, name, rows)}")
            for name, array in (("X", X), ("y", y)))  # fmt: skip
    return X, y, beta


def opened(path):
    """The zarr group at path, with X and y in it. Raises ValueError."""
    import zarr

    path = Path(path).absolute()  # workers may run in other folders
    if not is_group(path):
        raise ValueError(f"{path}: no saved arrays here. Write them with save(path, X, y, beta).")
    group = zarr.open_group(path, mode="r")
    if "X" not in group or "y" not in group:
        raise ValueError(f"{path} holds {sorted(group)}; X and y are needed. Write it with save(path, X, y).")
    return group


def is_group(path):
    """Is a zarr group (of format 3) at path?"""
    return (path / "zarr.json").is_file()


def layout(row, shards, policy):
    """Rows of a piece and of a file, for `row` bytes a row: one piece a file, or shards of whole pieces."""
    piece = max(1, policy.piece // row)
    if shards is None:
        return piece, piece
    shards = whole("shards", shards, 1)
    pieces = -(-shards // piece)
    piece = -(-shards // pieces)
    return piece, pieces * piece


def new_array(group, name, array, piece, file):
    """An empty zarr array of the shape and dtype of `array`, in pieces and files of so many rows."""
    sharded = {"shards": (file, *array.shape[1:])} if file > piece else {}
    chunks = piece if sharded else min(piece, array.shape[0]), *array.shape[1:]
    return group.create_array(name, shape=array.shape, dtype=array.dtype, chunks=chunks, compressors=None, **sharded)


def cut(name, array, rows):
    """The array in dask chunks made of whole files of so many rows: no two tasks write to the same file."""
    array = distrustful(name, da.asarray(array))
    files = max(1, max(array.chunks[0]) // rows)
    return array.rechunk((files * rows, *array.shape[1:]))


def write_all(arrays, targets):
    """Write the dask arrays into the zarr arrays of the same names, in one pass, and compare what is read back.

    Each chunk is compared by a checksum of its bytes, which also notices rows that have changed places. All is written
    before any is read, so that a task that spoils what another wrote is found out. Raises OSError.
    """
    written = dask.compute(*(a_number_a_chunk(write, array, targets[name]) for name, array in arrays.items()))
    stored = [da.from_array(targets[name], chunks=array.chunks, name=False) for name, array in arrays.items()]
    read = dask.compute(*(a_number_a_chunk(checksum, array) for array in stored))
    for name, before, after in zip(arrays, written, read, strict=True):
        wrong = np.flatnonzero(before != after)
        if len(wrong):
            ends = np.cumsum([0, *arrays[name].chunks[0]])
            raise OSError(f"{name}[{ends[wrong[0]]}:{ends[wrong[0] + 1]}] was read back from disk with other numbers "
                          f"than were written ({len(wrong)} of {len(before)} chunks differ). Is the disk sound, and "
                          "does no other program write there? What was saved before is still there.")  # fmt: skip


def a_number_a_chunk(function, array, *options):
    """A lazy array with function(block, *options), a whole number, for each chunk of rows."""
    ones = ((1,) * len(array.chunks[0]), *((1,) for _ in array.shape[1:]))
    return array.map_blocks(function, *options, chunks=ones, dtype="int64", name=f"{function.__name__}-{uuid4().hex}",
                            meta=np.empty((0,) * array.ndim, "int64")).ravel()  # fmt: skip


def write(block, target, *, block_info):
    """Write a block to its rows of the zarr array, and return its checksum."""
    (start, stop), *_ = block_info[0]["array-location"]
    target[start:stop] = block
    return checksum(block)


def checksum(block):
    """CRC-32 of the bytes of a block, as an array with one element."""
    return np.full((1,) * block.ndim, zlib.crc32(np.ascontiguousarray(block, block.dtype.newbyteorder("="))))


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
