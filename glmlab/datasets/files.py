"""Files: single arrays in NumPy and HDF5 files as lazy arrays, names that change with the content, safe replacement."""

import contextlib
import math
import os
import shutil
from pathlib import Path

import dask.array as da
import numpy as np
from dask.base import tokenize

from glmlab.datasets.chunking import row_chunks
from glmlab.names import spelt

HDF5 = (".h5", ".hdf5", ".h5ad", ".nc", ".nc4")


@spelt
def load_array(path, inside=None, *, chunks="auto"):
    """An array in a file as a lazy dask array of the same dtype; each task opens the file and reads its own rows.

    (`dask.array.from_array` of a memory map copies the whole file into memory and sends it to the workers in every
    pass.) On a cluster the workers must see the path. Chunks do not follow the pieces of the file: a netCDF file that
    can be appended to may have one row a piece.

    Parameters
    ----------
    path : str or path
        A file of NumPy (.npy), or of HDF5 (.h5, .hdf5, .h5ad, .nc, .nc4), which needs h5py.
    inside : str, for HDF5
        The name of the array in the file. Its stored numbers are taken as they are, without scale and fill value.
    chunks : int or dask chunks, default "auto"
        Rows per chunk, as in `make_regression`.

    Returns
    -------
    dask array, shape (n, p) or (n,)
        It reads its rows anew in every pass.

    Raises
    ------
    FileNotFoundError
        Where there is no file.
    ValueError
        That says what the file holds.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from glmlab.datasets import load_array
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/X.npy", np.eye(4))
    ...     X = load_array(f"{folder}/X.npy", chunks=2)
    ...     print(X.chunks, X.sum().compute())
    ((2, 2), (4,)) 4.0
    """
    path = Path(path).resolve()
    with opened(path, inside) as array:
        shape, dtype = array.shape, array.dtype
    if len(shape) not in (1, 2):
        raise ValueError(f"{path.name}: rows are wanted, (n, p) or (n,), but the array has shape {shape}")
    rows = row_chunks(chunks, shape[0], math.prod(shape[1:]))
    name = f"file-{tokenize(stamp(path), inside, rows)}"
    return da.map_blocks(read_rows, path, inside, chunks=(rows, *((size,) for size in shape[1:])), name=name,
                         dtype=dtype, meta=np.empty((0,) * len(shape), dtype))  # fmt: skip


def read_rows(path, inside, *, block_info):
    """The rows of one chunk."""
    (start, stop), *_ = block_info[None]["array-location"]
    with opened(path, inside) as array:
        return np.array(array[start:stop])  # a copy, because the file is closed now


@contextlib.contextmanager
def opened(path, inside):
    """The array in a file, while the file is open. Raises FileNotFoundError or ValueError."""
    if path.suffix == ".npy":
        yield np.load(path, mmap_mode="r")
    elif path.suffix in HDF5:
        import h5py

        with h5py.File(path, "r") as file:
            if not isinstance(file.get(inside or "/"), h5py.Dataset):
                raise ValueError(f"{path.name} has no array {inside!r}; it holds {sorted(file)}. Type inside='…'")
            yield file[inside]
    else:
        raise ValueError(f"{path.name} ends in none of .npy, {', '.join(HDF5)}: use the reader of its own format")


def stamp(path):
    """A token of a file or a folder of files: it changes when one of them is written anew."""
    path = Path(path).resolve()
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    states = [file.stat() for file in files]
    return tokenize([str(file) for file in files], [(state.st_size, state.st_mtime_ns) for state in states])


@contextlib.contextmanager
def replacing(path, kind, is_ours):
    """The path of a new folder beside `path`, which takes its place if the block ends without an error.

    Raises FileExistsError where `path` holds something that is not of this kind, as is_ours(path) says.
    """
    path = Path(path).absolute()  # workers may run in other folders
    if path.exists() and not is_ours(path):
        raise FileExistsError(f"{path} exists and is no {kind}; it is left alone. Choose another path.")
    partial = path.with_name(path.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    yield partial
    shutil.rmtree(path, ignore_errors=True)
    os.replace(partial, path)
