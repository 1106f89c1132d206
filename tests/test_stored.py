"""Rows on disk: whole files are written and read back, no answer comes from an older state, nothing is read in vain."""

import os
import threading

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import zarr
from distributed import wait
from distributed.protocol import pickle

from glmlab import as_chunks, datasets, fit
from glmlab.datasets import files, frames, stored
from glmlab.machine import cluster
from glmlab.policy import Storing

h5py = pytest.importorskip("h5py")
pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword")  # dask calls pandas so, not we

DATA = datasets.make_regression(1_000, 4)
NAMES = ["a", "b", "c", "d"]
FRAME = pd.DataFrame(DATA[0], columns=NAMES).assign(y=DATA[1], word=["yes", "no"] * 500)
SMALL = Storing(piece=20 * 4 * 8)  # bytes of 20 rows


def same_frames(lazy, frame):
    """dask has a type of its own for text."""
    pd.testing.assert_frame_equal(lazy.compute(), frame, check_dtype=False, check_exact=True)


def no_compute(graph, keys, **kwargs):
    raise AssertionError("computed")


@pytest.fixture(scope="module")
def client():
    """Workers with memory of their own, without processes of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
        with cluster.client(processes=False) as client:
            yield client


# --- shards ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shards, pieces, rows", [(20, 1, 20), (60, 3, 20), (50, 3, 17), (5, 1, 5), (2_000, 100, 20)])
def test_shards_are_whole_pieces(tmp_path, shards, pieces, rows):
    data = datasets.make_regression(1_000, 4, chunks=70)
    datasets.save(tmp_path / "a.zarr", *data, shards=shards, policy=SMALL)
    X = zarr.open_group(tmp_path / "a.zarr", mode="r")["X"]
    assert X.chunks == (rows, 4) and (X.shards or X.chunks) == (pieces * rows, 4)
    assert len([*(tmp_path / "a.zarr" / "X" / "c").rglob("*")]) <= 2 * -(-1_000 // (pieces * rows))
    for held in (datasets.load(tmp_path / "a.zarr"), dask.compute(*datasets.load(tmp_path / "a.zarr", chunks=90))):
        assert all(np.array_equal(one, other) for one, other in zip(held, DATA, strict=True))


@pytest.mark.parametrize("shards", [None, 7, 300, 5_000])
@pytest.mark.parametrize("chunks", [9, 64, (1, 998, 1)])
def test_no_two_tasks_write_the_same_file(monkeypatch, tmp_path, shards, chunks):
    """Two tasks that write one shard at the same time lose rows without a word; dask's own to_zarr lets them."""
    written, lock, write = [], threading.Lock(), stored.write

    def watched(block, target, *, block_info):
        place = block_info[0]["array-location"][0]
        with lock:
            written.append((target.name, *place, (target.shards or target.chunks)[0]))
        return write(block, target, block_info=block_info)

    monkeypatch.setattr(stored, "write", watched)
    X, y, _ = datasets.make_regression(1_000, 4, chunks=(chunks,) if isinstance(chunks, tuple) else chunks)
    datasets.save(tmp_path / "a.zarr", X, y, shards=shards, policy=SMALL)
    for name in ("/X", "/y"):
        own = sorted(place[1:] for place in written if place[0] == name)
        assert [first for first, _, _ in own] == [0, *(last for _, last, _ in own[:-1])] and own[-1][1] == 1_000
        assert all(first % rows == 0 for first, _, rows in own)


@pytest.mark.parametrize("shards, error, message", [
    (0, ValueError, "shards must be a whole number >= 1, got 0"), ("all", TypeError, "shards must .* got 'all'"),
])  # fmt: skip
def test_shards_that_cannot_be(tmp_path, shards, error, message):
    with pytest.raises(error, match=message):
        datasets.save(tmp_path / "a.zarr", *DATA, shards=shards)
    assert list(tmp_path.iterdir()) == []


# --- what was written is read back ----------------------------------------------------------------------------------


def lost(block):
    return block * 0


def swapped(block):
    return np.concatenate([block[1::-1], block[2:]])


@pytest.mark.parametrize("spoil", [lost, swapped])
@pytest.mark.parametrize("name", ["X", "y"])
def test_rows_that_the_disk_does_not_hold_are_an_error_and_the_old_stay(monkeypatch, tmp_path, spoil, name):
    path, write = tmp_path / "a.zarr", stored.write
    datasets.save(path, *DATA)

    def spoilt(block, target, *, block_info):
        sums = write(block, target, block_info=block_info)
        (start, stop), *_ = block_info[0]["array-location"]
        if (target.name, start) == (f"/{name}", 400):
            target[start:stop] = spoil(block)
        return sums

    monkeypatch.setattr(stored, "write", spoilt)
    with pytest.raises(OSError, match=rf"^{name}\[400:600\] was read back .*\(1 of 5 chunks differ\)"):
        X, y = da.from_array(DATA[0] + 1, chunks=(200, 4)), da.from_array(DATA[1], chunks=200)
        datasets.save(path, X, y, policy=Storing(piece=200 * 4 * 8))
    assert np.array_equal(datasets.load(path)[0], DATA[0])


@pytest.mark.parametrize("spoil", ["lost", "swapped", "changed"])
def test_a_table_that_the_disk_does_not_hold_is_an_error_and_the_old_stays(monkeypatch, tmp_path, spoil):
    path, read = tmp_path / "table", frames.read_part
    datasets.save_frame(path, FRAME)
    spoilt = {"lost": lambda part: part[1:], "swapped": lambda part: part[::-1],
              "changed": lambda part: part.assign(c=part.c + (part.index == 777))}[spoil]  # fmt: skip
    monkeypatch.setattr(frames, "read_part", lambda *given: spoilt(read(*given)))
    with pytest.raises(OSError, match=f"1,000 rows written, {1_000 - 3 * (spoil == 'lost'):,} read back"):
        datasets.save_frame(path, dd.from_pandas(FRAME, npartitions=3))
    monkeypatch.undo()
    same_frames(datasets.load_frame(path), FRAME)


@pytest.mark.parametrize("column", [
    pd.Series([1, None] * 500, dtype="Int64"), pd.Series([True, None] * 500, dtype="boolean"),
    pd.Series([1.5, np.nan] * 500), pd.Series([-np.nan, 0.0] * 500), pd.Series(["x", None] * 500),
    pd.Series([1.5, None] * 500, dtype=object), pd.Series(["x", "y"] * 500, dtype="category"),
    pd.Series(pd.date_range("2013-01-01", periods=1_000)),
], ids=["Int64", "boolean", "nan", "minus nan", "text", "object", "category", "dates"])  # fmt: skip
@pytest.mark.parametrize("place", [lambda frame: frame, lambda frame: dd.from_pandas(frame, npartitions=3)])
def test_no_kind_of_column_is_taken_for_a_fault_of_the_disk(tmp_path, column, place):
    datasets.save_frame(tmp_path / "table", place(FRAME.assign(new=column)))
    assert datasets.load_frame(tmp_path / "table")["new"].compute().notna().sum() == column.notna().sum()


def test_a_table_is_made_once_to_be_saved(tmp_path):
    made = []

    def part(k):
        made.append(k)
        return FRAME[100 * k : 100 * (k + 1)]

    frame = dd.from_map(part, range(10), meta=FRAME[:0])
    made.clear()
    datasets.save_frame(tmp_path / "table", frame)
    assert sorted(made) == [*range(10)]


@pytest.mark.parametrize("columns", [["y"], ["word"], ["y", "word"]])
def test_tables_of_few_columns_are_saved(tmp_path, columns):
    """pandas hands out a single column of numbers as it is, not to be written to."""
    held = FRAME[columns].copy()
    datasets.save_frame(tmp_path / "table", held)
    same_frames(datasets.load_frame(tmp_path / "table"), FRAME[columns])
    assert held.equals(FRAME[columns])


def test_folders_that_are_not_ours_are_left_alone(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter").touch()
    with pytest.raises(FileExistsError, match="thesis exists and is no folder of parquet files; it is left alone"):
        datasets.save_frame(tmp_path / "thesis", FRAME)
    assert (tmp_path / "thesis" / "chapter").exists()


# --- a new state has a new name -------------------------------------------------------------------------------------

READERS = {
    "zarr": (lambda path, X: datasets.save(path, X, X[:, 0]), lambda path: datasets.load(path, chunks=300)[0]),
    "parquet": (lambda path, X: datasets.save_frame(path, pd.DataFrame(X, columns=NAMES)),
                lambda path: datasets.load_columns(path, NAMES)),
    "frame": (lambda path, X: datasets.save_frame(path, pd.DataFrame(X, columns=NAMES)),
              lambda path: datasets.load_frame(path)[NAMES].to_dask_array()),
    "npy": (np.save, lambda path: datasets.load_array(path, chunks=300)),
    "hdf5": (lambda path, X: write_hdf5(path, X), lambda path: datasets.load_array(path, "X", chunks=300)),
}  # fmt: skip
ENDINGS = {"npy": "a.npy", "hdf5": "a.h5"}


def write_hdf5(path, X, **options):
    with h5py.File(path, "w") as file:
        file.create_dataset("X", data=X, **options)


@pytest.mark.parametrize("kind", READERS)
def test_a_cluster_that_keeps_older_rows_reads_what_was_written_since(client, tmp_path, kind):
    """dask's from_zarr has the same names for both states, so that persist() gives the older numbers again."""
    (write, read), path = READERS[kind], tmp_path / ENDINGS.get(kind, "a")
    write(path, DATA[0])
    X = read(path).persist()
    wait(X)
    again = read(path)
    assert again.name == X.name and np.array_equal(again.compute(), DATA[0])
    write(path, DATA[0] + 1)
    X = read(path).persist()
    assert np.array_equal(X.compute(), DATA[0] + 1)


def test_a_file_that_is_written_in_place_changes_the_name(tmp_path):
    path = tmp_path / "a.zarr"
    datasets.save(path, *DATA)
    before = datasets.load(path, chunks=300)[0].name
    file = next(file for file in (path / "X" / "c").rglob("*") if file.is_file())
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 1))
    assert datasets.load(path, chunks=300)[0].name != before
    assert files.stamp(file) == files.stamp(file)


# --- tables ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def table(tmp_path):
    """A saved table of 12 partitions, whose names sort otherwise as text where dask writes them."""
    path = tmp_path / "table"
    dd.from_pandas(FRAME, npartitions=12).to_parquet(path)
    return path


@pytest.mark.parametrize("columns", [["a"], ["y", "word"], NAMES])
def test_a_partition_is_a_file_whatever_columns_are_chosen(table, columns):
    """dask's read_parquet gives fewer partitions than npartitions says where few columns are chosen."""
    frame = datasets.load_frame(table)[columns]
    lengths = frame.map_partitions(len).compute()
    assert len(lengths) == frame.npartitions == 12 and sum(lengths) == 1_000
    same_frames(frame, FRAME[columns])


def test_only_the_columns_that_are_chosen_are_read(monkeypatch, table):
    asked, read = [], frames.read_part
    monkeypatch.setattr(frames, "read_part", lambda file, columns=None: asked.append(columns) or read(file, columns))
    frame = datasets.load_frame(table)
    asked.clear()
    frame["y"].sum().compute()
    assert asked == [["y"]] * 12


def test_columns_are_rows_of_known_lengths_before_anything_is_read(table):
    with dask.config.set(scheduler=no_compute):
        X, y = datasets.load_columns(table, NAMES), datasets.load_columns(table, "y")
        rows = as_chunks(X, y)
    assert X.chunks == (y.chunks[0], (4,)) and len(rows.lengths) == 12 and rows.n == 1_000
    here = frames.read_columns(frames.parts(table)[0], NAMES, (4,))
    assert here.flags.c_contiguous and here.dtype == np.float64 == X.dtype
    assert np.array_equal(X.compute(), FRAME[NAMES]) and np.array_equal(y.compute(), FRAME["y"])
    expected = fit(FRAME[NAMES], FRAME["y"], family="gaussian")
    np.testing.assert_allclose(fit(X, y, family="gaussian").beta, expected.beta, rtol=1e-12)


def test_columns_of_any_numbers_become_doubles(tmp_path):
    frame = pd.DataFrame({"whole": pd.Series([1, None, 2**60 + 1], dtype="Int64"), "bool": [True, False, True],
                          "maybe": pd.Series([True, None, False], dtype="boolean"),
                          "single": np.array([1.5, np.nan, 3], np.float32)})  # fmt: skip
    datasets.save_frame(tmp_path / "t", frame)
    X = datasets.load_columns(tmp_path / "t", list(frame.columns)).compute()
    np.testing.assert_array_equal(X, [[1, 1, 1, 1.5], [np.nan, 0, np.nan, np.nan], [2.0**60, 1, 0, 3]])


@pytest.mark.parametrize("columns, error, message", [
    ("z", ValueError, "has no column 'z'"), (["a", "words"], ValueError, "no column 'words'; did you mean 'word'"),
    ("word", TypeError, "column 'word' of .* holds large_string, not numbers"),
])  # fmt: skip
def test_columns_that_are_no_rows(table, columns, error, message):
    with pytest.raises(error, match=message):
        datasets.load_columns(table, columns)


# --- single arrays --------------------------------------------------------------------------------------------------


@pytest.fixture(params=["npy", "hdf5", "hdf5 of one row a piece"])
def file(request, tmp_path):
    """The path of a file with X, and the name of X inside."""
    if request.param == "npy":
        np.save(tmp_path / "a.npy", DATA[0])
        return tmp_path / "a.npy", None
    write_hdf5(tmp_path / "a.h5", DATA[0], chunks=(1, 4) if "one row" in request.param else (100, 4))
    return tmp_path / "a.h5", "X"


def test_files_are_opened_inside_of_the_tasks(client, file):
    X = datasets.load_array(*file, chunks=300)
    assert X.chunks == ((300, 300, 300, 100), (4,))
    assert all(len(pickle.dumps(task)) < 2_000 for task in dict(X.__dask_graph__()).values())
    assert np.array_equal(X.compute(), DATA[0])
    assert np.array_equal(fit(X, DATA[1], family="gaussian").beta,
                          fit(da.from_array(DATA[0], chunks=(300, 4)), DATA[1], family="gaussian").beta)  # fmt: skip
    os.remove(file[0])  # nothing holds it open


def test_vectors_too_and_chunks_of_their_own_accord(file):
    np.save(file[0].with_name("y.npy"), DATA[1])
    y = datasets.load_array(file[0].with_name("y.npy"))
    assert y.numblocks == (1,) and np.array_equal(y.compute(), DATA[1])


def test_a_piece_of_one_row_makes_no_chunk_of_one_row(tmp_path):
    """netCDF files that can be appended to have such pieces; a task a row would take minutes for nothing."""
    write_hdf5(tmp_path / "a.h5", DATA[0], chunks=(1, 4), maxshape=(None, 4))
    with h5py.File(tmp_path / "a.h5") as held:
        assert len(as_chunks(held["X"], DATA[1]).lengths) < 50
    assert datasets.load_array(tmp_path / "a.h5", "X").numblocks == (1, 1)


@pytest.mark.parametrize("name, inside, error, message", [
    ("a.h5", None, ValueError, r"a\.h5 has no array None; it holds \['X'\]"),
    ("a.h5", "Y", ValueError, r"a\.h5 has no array 'Y'; it holds \['X'\]"),
    ("b.npy", None, ValueError, r"b\.npy: rows are wanted, .* has shape \(2, 2, 2\)"),
    ("c.csv", None, ValueError, r"c\.csv ends in none of \.npy"), ("d.npy", None, FileNotFoundError, "d.npy"),
])  # fmt: skip
def test_files_without_rows(tmp_path, name, inside, error, message):
    write_hdf5(tmp_path / "a.h5", DATA[0])
    np.save(tmp_path / "b.npy", np.ones((2, 2, 2)))
    (tmp_path / "c.csv").touch()
    with pytest.raises(error, match=message):
        datasets.load_array(tmp_path / name, inside)
