"""Data frames that reopen: a folder of parquet files, one a partition, written and read back."""

import zlib
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import pandas as pd
from dask.base import tokenize
from dask.utils import natural_sort_key

from glmlab.datasets.files import replacing, stamp
from glmlab.names import nearest, spelt
from glmlab.rows.tables import arrow_is_real, is_real

NO_NAME = "__null_dask_index__"  # what dask calls an index without a name, in a file


@spelt
def save_frame(path, frame):
    """Write a pandas or dask DataFrame as a folder of parquet files, one a partition, and read it back to check it.

    It replaces an older folder once it is complete and right. All file names have the same number of digits, so that
    sorting the names sorts the rows. Compared are the number of rows of each file and a checksum of its numbers in
    their order; of text only the rows are counted.

    Parameters
    ----------
    path : str or path
        The folder.
    frame : DataFrame
        Of pandas or dask.

    Raises
    ------
    OSError
        Where what is read back differs.
    FileExistsError
        Where something else is at path.

    Examples
    --------
    >>> import tempfile
    >>> from glmlab.datasets import flights, load_frame, save_frame
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_frame(f"{folder}/flights", flights().head(100))
    ...     print(len(load_frame(f"{folder}/flights")))
    100
    """
    import dask.dataframe as dd

    frame = frame if isinstance(frame, dd.DataFrame) else dd.from_pandas(frame, npartitions=1)
    digits = len(str(frame.npartitions - 1))
    with replacing(path, "folder of parquet files", only_parquet) as partial:
        writing = frame.to_parquet(partial, compute=False, name_function=lambda k: f"part.{k:0{digits}d}.parquet")
        columns = [column for column, dtype in frame.dtypes.items() if is_real(dtype)]
        _, written = dask.compute(writing, checksums(frame, columns))
        read = checksums(load_frame(partial), columns).compute()
        if len(read) != len(written) or (read != written).any(axis=None):
            raise OSError(f"{path}: {written['rows'].sum():,} rows written, {read['rows'].sum():,} read back; "
                          "their numbers differ. Is the disk sound, and does no other program write there? "
                          "What was saved before is still there.")  # fmt: skip


@spelt
def load_frame(path):
    """Reopen what `save_frame` wrote, as a lazy dask DataFrame with one partition a file, whatever columns are chosen.

    (`dask.dataframe.read_parquet` joins partitions where few columns are chosen, and its npartitions does not say so.)

    Parameters
    ----------
    path : str or path
        The folder.

    Returns
    -------
    dask DataFrame
        Its columns and its rows are those that were saved.

    Raises
    ------
    ValueError
        Where no parquet files are.

    Examples
    --------
    >>> import tempfile
    >>> from glmlab.datasets import flights, load_frame, save_frame
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_frame(f"{folder}/flights", flights("dask").partitions[:2])
    ...     print(load_frame(f"{folder}/flights").npartitions)
    2
    """
    import dask.dataframe as dd

    files = parts(path)
    return dd.from_map(read_part, files, meta=read_part(files[0]).iloc[:0], label=f"frame-{stamp(path)}")


@spelt
def load_columns(path, columns):
    """Columns of what `save_frame` wrote as a lazy dask array of float64, one chunk a file; a missing value is nan.

    Only these columns are read. The number of rows of each chunk comes from the end of its file, so that nothing else
    is read before the first pass; the same columns of a dask frame are read once more to count their rows.

    Parameters
    ----------
    path : str or path
        The folder.
    columns : str or list of p names
        One name, or several.

    Returns
    -------
    dask array, shape (n, p) for a list, (n,) for one name
        One chunk a file.

    Raises
    ------
    ValueError
        For an unknown name, and where no parquet files are.
    TypeError
        For a column that holds no numbers.

    Examples
    --------
    >>> import tempfile
    >>> from glmlab.datasets import flights, load_columns, save_frame
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_frame(f"{folder}/flights", flights().head(100))
    ...     print(load_columns(f"{folder}/flights", ["distance", "air_time"]).shape)
    (100, 2)
    """
    import pyarrow.parquet as pq

    files, names = parts(path), [columns] if isinstance(columns, str) else list(columns)
    schema = pq.read_schema(files[0])
    for name in names:
        if name not in schema.names:
            raise ValueError(f"{path} has no column {name!r}; {nearest(name, schema.names)}")
        if not arrow_is_real(schema.field(name).type):
            raise TypeError(f"column {name!r} of {path} holds {schema.field(name).type}, not numbers; encode it first")
    width = () if isinstance(columns, str) else (len(names),)
    token = tokenize(stamp(path), columns)
    read = dask.delayed(read_columns)
    chunks = [da.from_delayed(read(file, names, width, dask_key_name=f"columns-{token}-{k}"),
                              (pq.read_metadata(file).num_rows, *width), float, name=f"chunk-{token}-{k}")
              for k, file in enumerate(files)]  # fmt: skip
    return da.concatenate(chunks)


def only_parquet(path):
    """Is this a folder with nothing but parquet files?"""
    return path.is_dir() and all(file.suffix == ".parquet" for file in path.iterdir())


def parts(path):
    """The parquet files of a folder in the order of their rows. Raises ValueError where there are none."""
    files = sorted(Path(path).resolve().glob("*.parquet"), key=lambda file: natural_sort_key(file.name))
    if not files:
        raise ValueError(f"{path}: no saved dataframe here. Write one with save_frame(path, frame).")
    return files


def read_part(file, columns=None):
    """One file as a pandas DataFrame; dask asks for the columns that it needs."""
    part = pd.read_parquet(file, columns=columns)
    return part.rename_axis(index=None) if part.index.name == NO_NAME else part


def read_columns(file, names, width):
    """Columns of one file as float64 of shape (n, *width), in C order."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    # Column by column, because Arrow keeps freed memory; one thread, because a worker runs as many tasks as it has.
    with pq.ParquetFile(file) as held:
        out = np.empty((held.metadata.num_rows, len(names)))
        for j, name in enumerate(names):
            column = held.read([name], use_threads=False)[name]
            out[:, j] = column.cast(pa.float64(), safe=False).to_numpy()
    return out.reshape(-1, *width)


def checksums(frame, columns):
    """A lazy frame with the number of rows of each partition, and a checksum of these columns of numbers."""
    meta = pd.DataFrame({"rows": [0], "checksum": [0]}).iloc[:0]
    return frame.map_partitions(checksum, columns, meta=meta)


def checksum(part, columns):
    """The number of rows of a partition and the CRC-32 of its numbers in their order, every nan as the same bytes."""
    numbers = np.array(part[columns].to_numpy("float64"), order="C")  # a copy, because pandas hands out its own
    numbers[np.isnan(numbers)] = np.nan
    return pd.DataFrame({"rows": [len(part)], "checksum": [zlib.crc32(numbers)]})
