"""Whatever holds the rows: the answer of the same numbers in NumPy, to the bit, or a refusal that says what to type.

`pytest tests/test_containers.py -s` prints the table that stands in docs/book/containers.md. Containers whose libraries
are not installed are left out; the book has all rows.
"""

import importlib
import re
from pathlib import Path

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import zarr
from scipy import sparse

from glmlab import L1, Ridge, as_chunks, certify, fit, path

PAGE = Path(__file__).resolve().parent.parent / "docs" / "book" / "containers.md"
N, NAMES = 60, list("abc")
RNG = np.random.default_rng(0)
X = RNG.integers(-16, 16, size=(N, 3)) / 8  # numbers that float16 holds, too
X[RNG.random((N, 3)) < 0.3] = 0
X[:15] = np.round(X[:15])  # whole numbers in the first file
Y = (RNG.random(N) < 0.5).astype(float)
FRAME = pd.DataFrame(X, columns=NAMES).assign(y=Y)
FORMATS = [f"{form}_{kind}" for form in "bsr coo csc csr dia dok lil".split() for kind in ("array", "matrix")]

MAKERS = {}  # what a row of the table is called: the function from an empty folder to X and y


def container(name, needs=()):
    """Makes a function a row of the table; `needs` are modules without which it is left out."""

    def keep(make):
        make.needs = needs.split() if needs else []
        MAKERS[name] = make
        return make

    return keep


def missing(make):
    """The modules that a container needs and that are not there."""
    return [name for name in make.needs if importlib.util.find_spec(name) is None]


# --- in memory ------------------------------------------------------------------------------------------------------

container("NumPy")(lambda folder: (X, Y))
container("NumPy, Fortran order, read-only")(lambda folder: (np.frombuffer(X.T.tobytes()).reshape(3, N).T, Y))
container("NumPy float16, bool")(lambda folder: (X.astype(np.float16), Y.astype(bool)))
container("lists")(lambda folder: (X.tolist(), Y.tolist()))
container("pandas")(lambda folder: (FRAME[NAMES], FRAME["y"]))
container("pandas, nullable")(lambda folder: (FRAME[NAMES].astype("Float64"), FRAME["y"].astype("boolean")))
container("pandas, Arrow")(lambda folder: (FRAME[NAMES].astype("double[pyarrow]"), FRAME["y"].astype("bool[pyarrow]")))
container("pandas, y in another order")(lambda folder: (FRAME[NAMES], FRAME["y"][::-1]))
container("pandas, text labels")(lambda folder: (FRAME[NAMES], FRAME["y"].map({0.0: "no", 1.0: "yes"})))
container("pyarrow Table")(lambda folder: (pa.table(FRAME[NAMES]), pa.array(Y)))
container("polars DataFrame", "polars")(lambda folder: (polars()[NAMES], polars()["y"]))
container("polars LazyFrame", "polars")(lambda folder: (polars()[NAMES].lazy(), Y))
container("polars, a text column", "polars")(lambda folder: (polars(carrier="UA")[["a", "carrier"]], Y))
container("xarray DataArray", "xarray")(lambda folder: (labelled(), labelled_y()))
container("xarray, labels in another order", "xarray")(lambda folder: (labelled(), labelled_y()[::-1]))
container("xarray Dataset", "xarray")(lambda folder: (labelled().to_dataset("column"), Y))
container("AnnData", "anndata")(lambda folder: (annotated(), Y))
container("AnnData's X", "anndata")(lambda folder: (annotated().X, Y))
container("NumPy, masked")(lambda folder: (np.ma.masked_equal(X, 0.5), Y))
container("a dict of columns")(lambda folder: ({"a": X[:, 0]}, Y))


def polars(**columns):
    import polars as pl

    return pl.from_pandas(FRAME).with_columns(**{name: pl.lit(value) for name, value in columns.items()})


def labelled():
    import xarray as xr

    return xr.DataArray(X, dims=("row", "column"), coords={"row": range(N), "column": NAMES})


def labelled_y():
    import xarray as xr

    return xr.DataArray(Y, dims="row", coords={"row": range(N)})


def annotated():
    import anndata

    return anndata.AnnData(X)


for form in FORMATS:
    container(f"scipy {form}")(lambda folder, form=form: (getattr(sparse, form)(X), Y))
container("pydata COO", "sparse")(lambda folder: (pydata("COO"), Y))
container("pydata GCXS", "sparse")(lambda folder: (pydata("GCXS"), Y))
container("pydata DOK", "sparse")(lambda folder: (pydata("DOK"), Y))


def pydata(form):
    import sparse as pydata

    return pydata.COO(X).asformat(form.lower())


# --- on disk --------------------------------------------------------------------------------------------------------


@container("np.memmap")
def memmap(folder):
    np.save(folder / "X.npy", X)
    return np.load(folder / "X.npy", mmap_mode="r"), Y


@container("npy stack")
def npy_stack(folder):
    da.to_npy_stack(folder / "stack", on_dask(X))
    return da.from_npy_stack(folder / "stack"), Y


def stored(folder, **options):
    group = zarr.open_group(folder / "a.zarr", mode="w")
    group.create_array("X", data=X, chunks=(10, 3), **options)
    return group


container("zarr")(lambda folder: (stored(folder)["X"], Y))
container("zarr, sharded")(lambda folder: (stored(folder, shards=(20, 3))["X"], Y))
container("zarr group")(lambda folder: (stored(folder), Y))
container("a path")(lambda folder: (folder / "a.h5", Y))
container("h5py Dataset", "h5py")(lambda folder: (hdf5(folder)["X"], hdf5(folder)["y"]))
container("h5py Dataset, chunked", "h5py")(lambda folder: (hdf5(folder)["chunked"], Y))
container("h5py File", "h5py")(lambda folder: (hdf5(folder), Y))


def hdf5(folder):
    import h5py

    if not (folder / "a.h5").exists():
        with h5py.File(folder / "a.h5", "w") as file:
            file["X"], file["y"] = X, Y
            file.create_dataset("chunked", data=X, chunks=(20, 2))
    return h5py.File(folder / "a.h5")


@container("xarray of a NetCDF file", "xarray netCDF4")
def netcdf(folder):
    import xarray as xr

    xr.Dataset({"X": labelled(), "y": labelled_y()}).to_netcdf(folder / "a.nc", engine="netcdf4")
    opened = xr.open_dataset(folder / "a.nc", engine="netcdf4")
    return opened["X"], opened["y"]


@container("netCDF4 Variable", "netCDF4")
def netcdf_variable(folder):
    import netCDF4

    with netCDF4.Dataset(folder / "a.nc", "w") as file:
        file.createDimension("row", N), file.createDimension("column", 3)
        file.createVariable("X", "f8", ("row", "column"))[:] = X
    return netCDF4.Dataset(folder / "a.nc")["X"], Y


def parquet(folder, frame=FRAME, first=float):
    """Four files, of which the first has another type."""
    for k in range(4):
        part = frame[15 * k : 15 * (k + 1)]
        part.astype(first if k == 0 else float).to_parquet(folder / f"{k}.parquet", index=False)
    return dd.read_parquet(folder)


@container("parquet, several files")
def parquet_files(folder):
    table = parquet(folder)
    return table[NAMES], table["y"]


@container("parquet, types that drift")
def parquet_drifts(folder):
    table = parquet(folder, first=int)
    return table[NAMES], table["y"]


@container("parquet, types that drift, as an array")
def parquet_array(folder):
    return parquet(folder, FRAME[NAMES], first=int).to_dask_array(lengths=True), Y


@container("the same array, rechunked")
def parquet_joined(folder):
    x, y = parquet_array(folder)
    return x.rechunk((-1, -1)), y


@container("CSV, columns in another order")
def csv(folder):
    FRAME[:30].to_csv(folder / "0.csv", index=False)
    FRAME[30:][["c", "y", "b", "a"]].to_csv(folder / "1.csv", index=False)
    table = dd.read_csv(folder / "*.csv")
    return table[NAMES], table["y"]


# --- on dask --------------------------------------------------------------------------------------------------------


def on_dask(values, make=None, meta=None):
    lazy = da.from_array(values, chunks=(20, *values.shape[1:]))
    return lazy if make is None else lazy.map_blocks(make, meta=np.empty((0, 0)) if meta is None else meta)


def mask(block):
    return np.ma.masked_equal(block, 0.5)


def told_wrongly(lengths):
    parts = [dask.delayed(X[20 * k : 20 * (k + 1)]) for k in range(3)]
    return da.concatenate([da.from_delayed(part, (n, 3), float) for part, n in zip(parts, lengths, strict=True)])


container("dask DataFrame")(lambda folder: [dd.from_pandas(FRAME[part], npartitions=3) for part in (NAMES, "y")])
container("dask array")(lambda folder: (on_dask(X), on_dask(Y)))
container("dask, cut by columns")(lambda folder: (da.from_array(X, chunks=(20, 2)), on_dask(Y)))
container("dask, an empty block")(lambda folder: (da.concatenate([on_dask(X)[:0], on_dask(X)]), Y))
container("dask, float16 blocks")(lambda folder: (on_dask(X.astype(np.float16)), Y))
container("dask, blocks in Fortran order")(lambda folder: (on_dask(X, np.asfortranarray), Y))
container("dask, lengths told wrongly")(lambda folder: (told_wrongly((10, 30, 20)), Y))
container("dask, masked blocks")(lambda folder: (on_dask(X, mask), Y))
container("dask, pandas blocks")(lambda folder: (on_dask(X, pd.DataFrame), Y))
container("dask, xarray blocks", "xarray")(lambda folder: (on_dask(X, as_xarray), Y))
container("dask, other types than told")(lambda folder: (on_dask(X, np.float32), Y))
for form in FORMATS:
    container(f"dask, {form} blocks")(lambda folder, form=form: (on_dask(X, *twice(getattr(sparse, form))), Y))
container("dask, sparse blocks untold")(lambda folder: (on_dask(X, sparse.csr_array), Y))
container("dask, pydata COO blocks", "sparse")(lambda folder: (on_dask(X, as_coo, pydata("COO")[:0]), Y))


def as_xarray(block):
    import xarray as xr

    return xr.DataArray(block)


def as_coo(block):
    import sparse as pydata

    return pydata.COO(block)


def twice(make):
    """A class as what makes blocks, and as the meta that dask is told."""
    return make, make((1, 1))


# --- the table ------------------------------------------------------------------------------------------------------

OPTIONS = {"family": "logistic", "penalty": Ridge(1.0)}
MODEL = fit(X, Y, **OPTIONS)
DOORS = {
    "fit": lambda X, y: fit(X, y, **OPTIONS).beta,
    "certify": lambda X, y: np.array(certify(X, y, MODEL.beta, **OPTIONS)[:3]),
    "predict": lambda X, y: np.asarray(MODEL.predict(X)),
    "path": lambda X, y: path(X, y, family="logistic", penalty=L1, lams=[1.0]).betas,
}


def outcome(door, X_, y_):
    """What a door says of a container: the answer's bits are those of NumPy in the same chunks, or a refusal."""
    try:
        found = door(X_, y_)
        rows = as_chunks(X_, y_)
    except (ValueError, TypeError) as refused:
        return re.sub(r"blocks\[\d+\]", "blocks[k]", str(refused))
    same = sparse.csr_array(X) if rows.sparse else X
    if type(rows).__name__ == "OnDask":
        same = da.from_array(X, chunks=(rows.lengths, 3))
        same = same.map_blocks(sparse.csr_array, meta=sparse.csr_array((0, 0))) if rows.sparse else same
    expected = door(same, Y)
    np.testing.assert_allclose(found, door(X, Y), rtol=1e-6, atol=1e-12)
    assert np.array_equal(found, expected), (found, expected)
    return "same bits"


def row_of(name, folder):
    """One line of the table: the outcome at each door, and what the refusal says."""
    given = MAKERS[name](folder)
    said = {door: outcome(DOORS[door], *given) for door in DOORS}
    words = {text for text in said.values() if text != "same bits"}
    assert len(words) <= 1, words  # every door refuses in the same words
    cells = ["same bits" if text == "same bits" else "refused" for text in said.values()]
    text = "".join(words).replace(str(folder), "…").replace("|", "\\|")
    return f"| {name} | {' | '.join(cells)} | {text} |"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MAKERS)
def test_the_book_says_what_becomes_of_each_container(name, tmp_path):
    if without := missing(MAKERS[name]):
        pytest.skip(f"{' and '.join(without)} is not installed")
    row = row_of(name, tmp_path)
    print(row)
    assert row in PAGE.read_text(encoding="utf-8").splitlines()


def test_the_books_table_has_no_other_rows():
    rows = re.findall(r"^\| (.+?) \| (?:same|refused)", PAGE.read_text(encoding="utf-8"), re.M)
    assert rows == list(MAKERS)
