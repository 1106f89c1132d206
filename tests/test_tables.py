"""Tables as people bring them: names and order kept, labels that differ refused, and every door speaks alike."""

import gc
import re

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import zarr
from distributed import Client
from scipy import sparse

from glmlab import Objective, Ridge, as_chunks, certify, fit, path, run

RNG = np.random.default_rng(0)
N = 60
X = RNG.normal(size=(N, 3))
Y = (RNG.random(N) < 0.5).astype(float)
FRAME, SERIES = pd.DataFrame(X, columns=list("abc")), pd.Series(Y)
BETA = pd.Series([0.1, 0.2, 0.3], index=list("abc"))
OTHER = FRAME[["c", "b", "a"]]
GIVEN = {"family": "logistic", "penalty": Ridge(1.0)}


@pytest.fixture(scope="module")
def model():
    return fit(FRAME, SERIES, fit_intercept=True, **GIVEN)


def objective(X=FRAME, y=SERIES):
    return Objective("logistic", as_chunks(X, y))


def lazy(frame, parts=3):
    return dd.from_pandas(frame, npartitions=parts)


# --- names of columns -----------------------------------------------------------------------------------------------

BY_NAME = {
    "predict": lambda model, X: model.predict(X),
    "certify a result": lambda model, X: certify(X, SERIES, model, **GIVEN),
    "start of fit": lambda model, X: fit(X, SERIES, start=model, **GIVEN),
    "start of path": lambda model, X: path(X, SERIES, family="logistic", lams=[1.0], start=model),
    "start of run": lambda model, X: run("newton", objective(X), Ridge(1.0), start=model),
    "certify a Series": lambda model, X: certify(X, SERIES, BETA, **GIVEN),
    "a Series as start": lambda model, X: fit(X, SERIES, start=BETA, **GIVEN),
}
by_name = pytest.mark.parametrize("door", BY_NAME.values(), ids=BY_NAME)


def test_names_of_columns_stand_in_the_result(model):
    assert model.names == ("a", "b", "c") == fit(lazy(FRAME), SERIES, **GIVEN).names
    assert path(FRAME, SERIES, family="logistic", lams=[1.0])[0].names == ("a", "b", "c")
    assert fit(X, SERIES, **GIVEN).names is None


@by_name
@pytest.mark.parametrize("place", [lambda frame: frame, lazy], ids=["memory", "dask"])
def test_columns_in_another_order_are_refused_with_the_cure(model, door, place):
    """Probabilities changed by up to a half, without a word."""
    with pytest.raises(ValueError, match=r"has the columns \[.*\], .* in another order: \[.*\]; type \w+\[list\("):
        door(model, place(OTHER))
    door(model, place(OTHER)[list(model.names)])  # the cure
    for unnamed in (X, da.from_array(X, chunks=(20, 3)), place(pd.DataFrame(X))):
        door(model, unnamed)  # by place, as there is nothing else


@by_name
@pytest.mark.parametrize("columns, message", [
    (["a", "b"], r"lacks \['c'\]|adds \['c'\]"), (["a", "b", "c", "z"], r"adds \['z'\]|lacks \['z'\]"),
    (["a", "b", "z"], r"lacks \['c'\] and adds \['z'\]|lacks \['z'\] and adds \['c'\]"),
])  # fmt: skip
def test_other_columns_are_named(model, door, columns, message):
    with pytest.raises(ValueError, match=message):
        door(model, FRAME.assign(z=1.0)[columns])


def test_numbered_columns_in_another_order_are_refused():
    model = fit(pd.DataFrame(X), SERIES, **GIVEN)
    with pytest.raises(ValueError, match="another order"):
        model.predict(pd.DataFrame(X)[[2, 1, 0]])


def test_a_result_brings_its_intercept_to_be_certified(model):
    whole = certify(X, Y, model.beta, intercept=model.intercept, **GIVEN)
    assert certify(FRAME, SERIES, model, **GIVEN).bound == whole.bound < 1e-6
    bare = fit(FRAME, SERIES, **GIVEN)
    assert certify(FRAME, SERIES, bare, **GIVEN).bound == certify(X, Y, bare.beta, **GIVEN).bound < 1e-6


def test_a_series_with_a_row_called_beta_is_no_result():
    frame = FRAME.set_axis(["alpha", "beta", "gamma"], axis=1)
    start = pd.Series([0.1, 0.2, 0.3], index=frame.columns)
    assert fit(frame, SERIES, start=start, **GIVEN).converged
    assert np.isfinite(certify(frame, SERIES, start, **GIVEN).bound)


# --- labels of rows -------------------------------------------------------------------------------------------------

DOORS = {
    "fit": lambda X, y, **given: fit(X, y, **GIVEN, **given),
    "certify": lambda X, y, **given: certify(X, y, np.zeros(3), **GIVEN, **given),
    "path": lambda X, y, **given: path(X, y, family="logistic", lams=[1.0], **given),
    "as_chunks": as_chunks,
}
doors = pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)


@doors
@pytest.mark.parametrize("name", ["y", "sample_weight", "offset"])
@pytest.mark.parametrize("labels", [range(N - 1, -1, -1), range(1, N + 1), [f"row{k}" for k in range(N)]],
                         ids=["reversed", "shifted", "text"])  # fmt: skip
@pytest.mark.parametrize("place", [lambda frame: frame, lazy], ids=["pandas X", "dask X"])
def test_an_index_that_differs_is_refused_with_the_cure(door, name, labels, place):
    """Rows were paired by place, whatever their labels said: an objective of 374 instead of 95.9."""
    given = {"y": Y, name: pd.Series(Y + (name != "y"), index=labels)}
    with pytest.raises(ValueError, match=rf"^{name} and X have different indexes .*{name}\.loc\[X\.index.*to_numpy"):
        door(place(FRAME), **given)
    door(place(FRAME), **given | {name: given[name].to_numpy()})  # the cures
    if name == "y" and labels[0] == N - 1:
        door(FRAME, given["y"].loc[FRAME.index])


DIFFERENCES = {
    "another order": (range(N - 1, -1, -1), f"the same labels in another order: row 0 is {N - 1} in y and 0 in X"),
    "late": ([*range(N - 2), N, N + 1], f"row {N - 2} is {N} in y and {N - 2} in X"),
    "text": ([str(k) for k in range(N)], "row 0 is '0' in y and 0 in X"),
    "missing": ([0.0, np.nan, *range(2, N)], "row 1 is nan in y and 1 in X"),
    "one label twice": ([0, 0, *range(2, N)], "row 1 is 0 in y and 1 in X"),
}


@pytest.mark.parametrize("case", DIFFERENCES)
def test_the_error_shows_the_first_labels_that_differ(case):
    """It showed the first three labels of both, which are the same where a later one differs."""
    labels, words = DIFFERENCES[case]
    with pytest.raises(ValueError, match=re.escape(f"y and X have different indexes ({words}): to pair")):
        as_chunks(FRAME, pd.Series(Y, index=labels))


def test_labels_of_several_parts_and_missing_ones_are_compared_as_they_are():
    one, other = ([("a", k) for k in rows] for rows in (range(N), [0, *range(2, N), 1]))
    frame, y = FRAME.set_axis(pd.MultiIndex.from_tuples(one)), pd.Series(Y, index=pd.MultiIndex.from_tuples(other))
    with pytest.raises(ValueError, match=re.escape("another order: row 1 is ('a', 2) in y and ('a', 1) in X")):
        as_chunks(frame, y)
    as_chunks(frame, pd.Series(Y, index=frame.index))
    frame = FRAME.set_axis([np.nan, 1, 1, *range(3, N)])
    with pytest.raises(ValueError, match=r"indexes \(row 2 is 2.0 in y and 1.0 in X\)"):
        as_chunks(frame, pd.Series(Y, index=[np.nan, *range(1, N)]))
    as_chunks(frame, pd.Series(Y, index=frame.index))


def test_of_columns_of_another_length_the_lengths_are_told():
    with pytest.raises(ValueError, match="^y .*rows") as caught:
        as_chunks(FRAME, pd.Series(Y).iloc[1:])
    assert "indexes" not in str(caught.value)


def test_rows_on_dask_are_compared_by_the_ends_of_their_labels():
    def columns(labels, n):
        return dd.from_pandas(pd.Series(Y, index=labels), npartitions=n)

    frame = dd.from_pandas(FRAME, npartitions=3)
    as_chunks(frame, columns(range(N), 3))
    as_chunks(frame, columns(range(N), 2))
    for labels in (range(1, N + 1), range(-1, N - 1), [*range(N - 1), N + 5], [-1, *range(1, N)]):
        with pytest.raises(ValueError, match="y and X have different indexes"):
            as_chunks(frame, columns(labels, 3))
        with pytest.raises(ValueError, match=r"y and X have different indexes .*X\.index\.compute\(\)"):
            as_chunks(frame, pd.Series(Y, index=labels))
    for labels in (range(1, N + 1), range(-1, N - 1)):
        with pytest.raises(ValueError, match="y and X have different indexes") as caught:
            as_chunks(FRAME, columns(labels, 3))
        assert "X.index.compute" not in str(caught.value)
    as_chunks(FRAME, columns(range(N), 3))


def test_labels_that_differ_by_their_type_alone_are_told_by_it():
    times = pd.date_range("2013-01-01", periods=N, tz="UTC")
    with pytest.raises(ValueError, match=r"the labels of y are datetime64\[.*, Asia/Tokyo\], those of X .*, UTC\]"):
        as_chunks(FRAME.set_axis(times), pd.Series(Y, index=times.tz_convert("Asia/Tokyo")))


def test_of_labels_on_dask_the_error_shows_the_ends():
    for labels, words in ((range(100, 160), "100 to 159"), (range(N - 1, -1, -1), f"{N - 1} to 0 and do not rise")):
        with pytest.raises(ValueError, match=f"the labels of y go from {words}, the labels of X go from 0 to {N - 1}"):
            as_chunks(lazy(FRAME), pd.Series(Y, index=labels))


@doors
def test_columns_are_compared_with_each_other_where_x_has_no_index(door):
    with pytest.raises(ValueError, match="^sample_weight and y have different indexes"):
        door(X, SERIES, sample_weight=pd.Series(Y + 1, index=range(1, N + 1)))


@doors
def test_dask_frames_of_other_divisions_are_refused(door):
    with pytest.raises(ValueError, match=r"^y and X have different indexes .*X\.join\(y.*y\.clear_divisions\(\)"):
        door(lazy(FRAME), lazy(pd.Series(Y, index=range(100, 160))))
    door(lazy(FRAME), lazy(SERIES, 5))  # cut elsewhere, the same rows
    door(lazy(FRAME), lazy(pd.Series(Y, index=range(100, 160))).clear_divisions())


def test_rows_that_loc_chooses_from_one_frame_belong_together():
    """Also of a dask X and a pandas y, as far as divisions tell."""
    whole = FRAME.assign(y=Y)
    expected = fit(whole.loc[5:55][["a", "b"]], whole.loc[5:55]["y"], **GIVEN).beta
    for y in (lazy(whole).loc[5:55]["y"], whole.loc[5:55]["y"]):
        np.testing.assert_allclose(fit(lazy(whole).loc[5:55][["a", "b"]], y, **GIVEN).beta, expected, rtol=1e-9)


def test_an_offset_that_is_labelled_otherwise_is_refused_at_predict(model):
    with pytest.raises(ValueError, match="^offset and X have different indexes"):
        model.predict(FRAME, offset=SERIES[::-1])


# --- every door alike -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [np.array, lambda a: da.from_array(a, chunks=20)], ids=["numpy", "dask"])
@pytest.mark.parametrize("name", ["X", "offset"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_predict_refuses_what_is_not_finite_in_the_words_of_fit(model, place, name, value):
    given = {"X": X.copy(), "offset": np.zeros(N)}
    given[name][-1] = value
    said = []
    for door in (lambda X, offset: fit(X, Y, offset=offset, **GIVEN), lambda *a: np.asarray(model.predict(*a))):
        with pytest.raises(ValueError, match=f"^{name} holds {value}") as refused:
            door(place(given["X"]), place(given["offset"]))
        said.append(re.sub(" (in|of) block [0-9]", "", str(refused.value)))  # a task of predict does not know its block
    assert said[0] == said[1]


@pytest.mark.parametrize("place", [np.array, lambda a: da.from_array(a, chunks=20)], ids=["numpy", "dask"])
@pytest.mark.parametrize("offset, message", [
    (np.zeros((N, N)), r"offset must have shape \(n,\).*\(60, 60\)"),
    (np.zeros((1, N)), r"offset must have shape \(n,\)"), (np.zeros(1), "offset has 1 rows but X has 60"),
    (np.zeros(N - 1), "offset has 59 rows but X has 60"),
    (0.5, r"offset must have shape \(n,\)"), (["u"] * N, "offset has dtype <U1"),
], ids=["n x n", "a row", "one", "too few", "a number", "text"])  # fmt: skip
def test_an_offset_never_broadcasts(model, place, offset, message):
    for door in (lambda X, offset: fit(X, Y, offset=offset, **GIVEN), lambda *a: model.predict(*a)):
        with pytest.raises((ValueError, TypeError), match=message):
            door(place(X), offset)


def test_a_column_vector_as_offset_is_ravelled_at_predict_too(model):
    with pytest.warns(UserWarning, match="offset is a column vector"):
        assert np.array_equal(model.predict(X, Y[:, None]), model.predict(X, Y))


def test_predictions_are_the_same_to_the_bit_whatever_holds_the_rows(model):
    expected = model.predict(X)
    for held in (FRAME, X.tolist(), np.asfortranarray(X), pa.table(FRAME)):
        assert np.array_equal(model.predict(held), expected)
    found = model.predict(da.from_array(X, chunks=(25, 2)), offset=np.zeros(N))
    assert isinstance(found, da.Array) and np.array_equal(found.compute(), expected)


@pytest.mark.parametrize("cut", [20, 15])
@pytest.mark.parametrize("offset", [None, Y], ids=["no offset", "offset"])
def test_a_lazy_prediction_keeps_the_rows_that_it_is_made_of(model, cut, offset):
    """The caller's X may go: else the cluster would forget the rows."""
    with Client(n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"):
        found = model.predict(da.from_array(X, chunks=(20, 3)).persist().rechunk((cut, 3)), offset)
        gc.collect()
        assert np.array_equal(found.compute(), model.predict(X, offset))


# --- types ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [lambda a: a, lazy], ids=["memory", "dask"])
def test_arrow_bools_are_numbers_in_every_argument(place):
    """bool[pyarrow] is what get_dummies makes of Arrow strings."""

    def answer(column):
        given = place(pd.DataFrame({"a": X[:, 0], "b": column}))
        return fit(given[["a", "b"]], given["b"], sample_weight=given["b"], offset=given["b"], **GIVEN).beta

    assert np.array_equal(answer(SERIES.astype("bool[pyarrow]")), answer(SERIES))


@pytest.mark.parametrize("labels", [
    pd.Series(["yes", "no"] * 30), pd.Series(["yes", "no"] * 30, dtype="category"),
    pd.Series(["yes", "no"] * 30, dtype=object), pd.Series(["yes", "no"] * 30).astype("string[pyarrow]"),
], ids=["str", "category", "object", "arrow"])  # fmt: skip
def test_text_labels_get_the_advice_for_labels(labels):
    with pytest.raises(TypeError, match=r"^y has dtype .* \(it holds 'yes', 'no'\).*as in \(y == 'yes'\)"):
        fit(X, labels, **GIVEN)


def test_text_labels_on_dask_get_it_too():
    with pytest.raises(TypeError, match=r"^y has dtype .*as in \(y == 'yes'\)"):
        fit(lazy(FRAME), lazy(pd.Series(["yes", "no"] * 30)), **GIVEN)


@pytest.mark.parametrize("make", [
    lambda frame: frame.to_numpy(dtype=object), lambda frame: lazy(frame).to_dask_array(lengths=True),
    lambda frame: frame.to_numpy(dtype=object).tolist(),
], ids=["numpy", "dask", "list"])  # fmt: skip
@pytest.mark.filterwarnings("ignore:Dask currently has limited support")
def test_a_nullable_column_that_became_an_array_gets_its_cure(make):
    frame = pd.DataFrame({"a": pd.Series([1, None] * 30, dtype="Int64"), "b": 1.0})
    with pytest.raises(TypeError, match=r"^X has dtype object.*X\.astype\('float64'\) on the frame, before"):
        fit(make(frame), Y, **GIVEN)
    with pytest.raises(ValueError, match="^X holds nan in column"):
        fit(frame.astype("float64").to_numpy(), Y, **GIVEN)  # the cure


# --- containers of several arrays, or of none yet ------------------------------------------------------------------


def test_text_and_paths_are_told_from_numbers(tmp_path):
    for held in ("late", str(tmp_path), tmp_path, b"x"):
        with pytest.raises(TypeError, match=r"^y is the text or path .*table\['late'\].*zarr\.open\(path\)\['X'\]"):
            fit(X, held, **GIVEN)


def test_a_group_of_arrays_is_asked_which(tmp_path):
    group = zarr.open_group(tmp_path / "g", mode="w")
    group.create_array("rows", data=X)
    for held, kind in ((group, "Group"), ({"rows": X}, "dict")):
        with pytest.raises(TypeError, match=rf"^X is a {kind} that holds \['rows'\].*X\['rows'\]"):
            fit(held, Y, **GIVEN)
    assert np.array_equal(fit(group["rows"], Y, **GIVEN).beta, fit(X, Y, **GIVEN).beta)


def test_what_is_no_array_is_said_to_be_none():
    with pytest.raises(TypeError, match="^X is <object object .*>, not an array of real numbers"):
        fit(object(), Y, **GIVEN)


@pytest.mark.filterwarnings("ignore")
def test_an_annotated_matrix_that_stays_in_its_file(tmp_path):
    anndata = pytest.importorskip("anndata")
    for held, name in ((X, "dense.h5ad"), (sparse.csr_array(X), "sparse.h5ad")):
        with anndata.settings.override(allow_write_nullable_strings=True):
            anndata.AnnData(held).write_h5ad(tmp_path / name)
    backed = anndata.read_h5ad(tmp_path / "dense.h5ad", backed="r").X
    assert np.array_equal(fit(backed, Y, **GIVEN).beta, fit(X, Y, **GIVEN).beta)
    backed = anndata.read_h5ad(tmp_path / "sparse.h5ad", backed="r").X
    with pytest.raises(TypeError, match=r"^X is a \w+, sparse rows in a file; type X\.to_memory\(\)"):
        fit(backed, Y, **GIVEN)
    fit(backed.to_memory(), Y, **GIVEN)


CURES = {
    "polars": (lambda polars: polars.from_pandas(FRAME).lazy(), r"X is a LazyFrame, .* type X\.collect\(\)"),
    "h5py": (lambda h5py: h5py.File("memory", "w", driver="core", backing_store=False), "X is a File that holds"),
    "anndata": (lambda anndata: anndata.AnnData(X), r"X is an AnnData, .* type X\.X for the matrix"),
    "xarray": (lambda xarray: xarray.Dataset({"a": ("r", Y)}), r"X is an xarray Dataset of \['a'\]; .* as X\['a'\]"),
}  # fmt: skip


@pytest.mark.parametrize("module", CURES)
@pytest.mark.filterwarnings("ignore")
def test_containers_that_are_no_array_get_a_cure_of_their_own(module):
    make, message = CURES[module]
    held = make(pytest.importorskip(module))
    for door in DOORS.values():
        with pytest.raises(TypeError, match=f"^{message}"):
            door(held, Y)


def test_a_text_column_is_named():
    table = pa.table({"a": X[:, 0], "carrier": ["UA"] * N})
    with pytest.raises(TypeError, match=r"^X has columns that are not numbers: \['carrier'\]"):
        fit(table, Y, **GIVEN)
    polars = pytest.importorskip("polars")
    with pytest.raises(TypeError, match=r"^X has columns that are not numbers: \['carrier'\]"):
        fit(polars.DataFrame({"a": X[:, 0], "carrier": ["UA"] * N}), Y, **GIVEN)
    with pytest.raises(TypeError, match=r"^y has dtype .*as in \(y == 'yes'\)"):
        fit(X, polars.Series(["yes", "no"] * 30), **GIVEN)


def test_labels_of_xarray_are_an_index(model):
    xarray = pytest.importorskip("xarray")
    held = xarray.DataArray(X, dims=("row", "column"), coords={"row": range(N), "column": list("abc")})
    y = xarray.DataArray(Y, dims="row", coords={"row": range(N)})
    for door in DOORS.values():
        door(held, y)
        with pytest.raises(ValueError, match=r"^y and X have different indexes .*y\.reindex_like\(X\).*y\.drop_"):
            door(held, y[::-1])
        door(held, y[::-1].reindex_like(held))
        door(held, y[::-1].drop_indexes(list(y.indexes)))
    with pytest.raises(ValueError, match="in another order"):
        model.predict(held[:, ::-1])


@pytest.mark.parametrize("module", ["h5py", "xarray"])
def test_what_lies_on_disk_is_read_piece_by_piece(tmp_path, module):
    library = pytest.importorskip(module)
    if module == "h5py":
        held = library.File(tmp_path / "a.h5", "w").create_dataset("X", data=X, chunks=(20, 3))
    else:
        pytest.importorskip("netCDF4")
        library.Dataset({"X": (("row", "column"), X)}).to_netcdf(
            tmp_path / "a.nc", encoding={"X": {"chunksizes": (20, 3)}}, engine="netcdf4")
        held = library.open_dataset(tmp_path / "a.nc", engine="netcdf4")["X"]
    rows = as_chunks(held, Y)
    assert rows.lengths == (20, 20, 20) and rows.map(lambda chunk: chunk.X.shape) == [(20, 3)] * 3
    if module == "xarray":
        assert not held.variable._in_memory


def test_zeros_that_xarray_reads_as_missing_are_refused_and_read_as_the_page_says(tmp_path):
    """xarray takes the fill value of zarr's format 2, which is 0, for the mark of a missing value."""
    xarray = pytest.importorskip("xarray")
    group = zarr.open_group(tmp_path / "counts.zarr", mode="w", zarr_format=2)
    group.create_array("y", data=Y, chunks=(20,), attributes={"_ARRAY_DIMENSIONS": ["row"]})
    missing, zeros = (xarray.open_zarr(tmp_path / "counts.zarr", consolidated=False, mask_and_scale=mask)["y"]
                      for mask in (True, False))  # fmt: skip
    with pytest.raises(ValueError, match="^y holds nan"):
        fit(X, missing, **GIVEN)
    np.testing.assert_array_equal(fit(X, zeros, **GIVEN).beta, fit(X, da.from_array(Y, chunks=20), **GIVEN).beta)


def test_an_error_names_the_column_and_the_block_that_hold_what_is_not_finite():
    values = np.random.default_rng(0).normal(size=(60, 3))
    values[45, 1] = np.nan
    frame = pd.DataFrame(values, columns=["age", "income", "visits"])
    blocks = da.from_array(values, chunks=(20, 3))
    given = {"column 'income'": frame, "column 1": sparse.csr_array(values), "column 1 of block 2": blocks}
    for where, X in given.items():
        with pytest.raises(ValueError, match=f"^X holds nan in {where} [(]1 value is not finite"):
            fit(X, np.zeros(60), family="gaussian")
