"""Blocks that are not what dask was told are refused: by the task that works on them, or before they are joined."""

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from glmlab import Gaussian, certify, datasets, fit
from glmlab.rows.kernels import Rows

RNG = np.random.default_rng(0)
X = RNG.normal(size=(600, 2))
Y = X @ [1.0, 2.0] + RNG.normal(size=600)
TRUE, TOLD = (200, 200, 200), (150, 250, 200)


def told(values, lengths, told):
    """A dask array of blocks of these lengths, which dask is told to be others."""
    ends = np.cumsum([0, *lengths])
    parts = [dask.delayed(values[first:last]) for first, last in zip(ends, ends[1:], strict=False)]
    return da.concatenate([da.from_delayed(part, (length, *values.shape[1:]), values.dtype)
                           for part, length in zip(parts, told, strict=True)])  # fmt: skip


def changed(make, meta=None):
    """X in blocks of 200 rows, each of them made into something else; dask is told of plain arrays."""
    return da.from_array(X, chunks=(200, 2)).map_blocks(make, meta=np.empty((0, 0)) if meta is None else meta)


def masked(block):
    """The first row is masked, and holds a large number."""
    block = np.ma.array(block)
    block[0] = np.ma.masked
    block.data[0] = 999.0
    return block


DOORS = {
    "fit": lambda X, y, **given: fit(X, y, family="gaussian", **given),
    "certify": lambda X, y, **given: certify(X, y, np.zeros(2), family="gaussian", **given),
    "fit without numba": lambda X, y, **given: fit(X, y, family="gaussian", kernels="numpy", **given),
    "predict": lambda X, y, **given: fit(np.eye(2), [1.0, 2.0], family="gaussian").predict(X).compute(),
}
doors = pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
fits = pytest.mark.parametrize("door", list(DOORS.values())[:3], ids=list(DOORS)[:3])


@pytest.mark.parametrize("door", list(DOORS.values())[:3], ids=list(DOORS)[:3])
@pytest.mark.parametrize("cut", [200, 300, 600])
def test_a_response_whose_blocks_have_other_lengths_is_refused(door, cut):
    """The fused kernels would read a short block past its end."""
    with pytest.raises(ValueError, match=r"^y\.blocks\[[01]\] has shape \(\d+,\), but dask was told .*compute_"):
        door(da.from_array(X, chunks=(cut, 2)), told(Y, TOLD, TRUE))


@doors
@pytest.mark.parametrize("lengths", [(150, 250, 200), (100, 100, 100), (300, 300, 300)])
def test_blocks_of_x_of_other_lengths_are_refused(door, lengths):
    with pytest.raises(ValueError, match=r"^X\.blocks\[\d\] has shape \(200, 2\), but dask was told"):
        door(told(X, TRUE, lengths), Y[: sum(lengths)] if sum(lengths) < 900 else np.resize(Y, 900))


@doors
def test_a_rechunk_of_blocks_that_are_longer_than_told_is_refused(door):
    """It left rows out, and every chunk had the length that it should."""
    with pytest.raises(ValueError, match=r"^X has a block of shape \(200, 2\), and dask was told \(150, 2\); before"):
        door(told(X, TRUE, (150, 150, 150)).rechunk((100, 2)), Y[:450])


@doors
def test_a_block_of_another_width_is_refused(door):
    with pytest.raises(ValueError, match=r"^X\.blocks\[\d\] has shape \(200, 1\), but dask was told \(200, 2\)"):
        door(changed(lambda block: block[:, :1]), Y)


@fits
@pytest.mark.parametrize("name", ["sample_weight", "offset"])
def test_weights_and_offsets_are_looked_at_too(door, name):
    with pytest.raises(ValueError, match=rf"^{name}\.blocks\[[01]\] has shape"):
        door(da.from_array(X, chunks=(200, 2)), Y, **{name: told(np.ones(600), TOLD, TRUE)})


@doors
@pytest.mark.parametrize("y", [Y, da.from_array(Y, chunks=600)], ids=["numpy y", "y in one block"])
def test_masked_blocks_are_refused(door, y):
    """Their hidden numbers were fitted as if they were data."""
    with pytest.raises(TypeError, match=r"^X\.blocks\[\d\] is a masked array.*numpy.ma.filled"):
        door(changed(masked), y)


@doors
@pytest.mark.parametrize("make, class_, cure", [
    (sparse.csr_array, "csr_array", "scipy.sparse.csr_array, meta="), (pd.DataFrame, "DataFrame", "numpy.asarray"),
    (sparse.coo_matrix, "coo_matrix", "scipy.sparse.csr_array, meta="), (np.ndarray.tolist, "list", "numpy.asarray"),
])  # fmt: skip
def test_blocks_of_another_class_are_refused_with_the_cure(door, make, class_, cure):
    with pytest.raises(TypeError, match=rf"^X\.blocks\[\d\] is a {class_}, but dask was told ndarray; type .*{cure}"):
        door(changed(make), Y)


@doors
def test_dense_blocks_that_should_be_sparse_are_refused(door):
    with pytest.raises(TypeError, match=r"^X\.blocks\[\d\] is a ndarray, but dask was told csr_array"):
        door(changed(np.asarray, meta=sparse.csr_array((0, 0))), Y)


# --- types that drift -----------------------------------------------------------------------------------------------


@pytest.fixture
def drifting(tmp_path):
    """A table whose x is whole in one file and not in the next; y = x, so that the slope is 1."""
    pd.DataFrame({"x": [1, 2], "y": [1.0, 2.0]}).to_parquet(tmp_path / "0.parquet")
    pd.DataFrame({"x": [1.5, 2.5], "y": [1.5, 2.5]}).to_parquet(tmp_path / "1.parquet")
    return dd.read_parquet(tmp_path)


@pytest.mark.parametrize("door", [lambda X, y: fit(X, y, family="gaussian"), datasets.save], ids=["fit", "save"])
@pytest.mark.parametrize("rechunked", [None, "X", "y"])
def test_files_of_other_types_are_refused_as_an_array(drifting, tmp_path, door, rechunked):
    """Joined, the second file's 1.5 and 2.5 would become 1 and 2; so would they on disk."""
    x, y = (drifting[part].to_dask_array(lengths=True) for part in (["x"], "y"))
    x, y = x.rechunk((-1, -1)) if rechunked == "X" else x, y.rechunk(-1) if rechunked == "y" else y
    given = (tmp_path / "saved", x, y) if door is datasets.save else (x, y)
    with pytest.raises(TypeError, match=r"^X.*int64.*map_blocks\(numpy.float64, dtype='float64'\)"):
        door(*given)
    assert not (tmp_path / "saved").exists()
    cured = drifting[["x"]].to_dask_array(lengths=True).map_blocks(np.float64, dtype="float64").rechunk((-1, -1))
    datasets.save(tmp_path / "saved", cured, y)
    assert datasets.load(tmp_path / "saved")[0].tolist() == [[1.0], [2.0], [1.5], [2.5]]


def test_masks_that_a_rechunk_forgets_are_refused():
    with pytest.raises(TypeError, match="^X has masked arrays among its blocks, and a rechunk forgets masks"):
        fit(changed(masked).rechunk((-1, -1)), Y, family="gaussian")


def test_a_partition_with_columns_in_another_order_is_read_by_name():
    frame = pd.DataFrame(X, columns=["a", "b"])
    parts = [frame[:300], frame[300:][["b", "a"]]]
    lazy = dd.from_map(lambda k: parts[k], [0, 1], meta=frame[:0], enforce_metadata=False)
    found = fit(lazy, Y, family="gaussian")
    np.testing.assert_allclose(found.beta, fit(frame, Y, family="gaussian").beta, rtol=1e-12)


@pytest.mark.parametrize("second, message", [
    (lambda part: part.rename(columns={"b": "c"}), r"^X\.partitions\[1\] has the columns \['a', 'c'\]"),
    (lambda part: part.astype({"b": str}), r"^X\.partitions\[1\] has columns that are not numbers: \['b'\]"),
], ids=["renamed", "text"])  # fmt: skip
def test_a_partition_that_cannot_be_numbers_is_named(second, message):
    frame = pd.DataFrame(X, columns=["a", "b"])
    parts = [frame[:300], second(frame[300:])]
    lazy = dd.from_map(lambda k: parts[k], [0, 1], meta=frame[:0], enforce_metadata=False)
    with pytest.raises((TypeError, ValueError), match=message):
        fit(lazy, Y, family="gaussian")


@pytest.mark.parametrize("columns", [["a"], ["a", "b"], ["b", "a", "c"]])
@pytest.mark.filterwarnings("ignore:The inplace keyword")  # dask's own call of pandas, not ours
def test_columns_of_a_table_of_small_files_are_its_rows(tmp_path, columns):
    """Dask reads several small files as one partition, as many as suit the columns chosen (dask issue 12411)."""
    frame = pd.DataFrame(RNG.normal(size=(8, 4)), columns=list("abcy"))
    datasets.save_frame(tmp_path / "table", dd.from_pandas(frame, npartitions=4))
    lazy = datasets.load_frame(tmp_path / "table")
    found = fit(lazy[columns], lazy["y"], family="gaussian", sample_weight=lazy["a"] ** 2)
    expected = fit(frame[columns], frame["y"], family="gaussian", sample_weight=frame["a"] ** 2)
    np.testing.assert_allclose(found.beta, expected.beta, rtol=1e-10)
    np.testing.assert_allclose(found.predict(lazy[columns]).compute(), expected.predict(frame[columns]), rtol=1e-10)


# --- what is read past its end --------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows, beta", [
    (Rows(X, Y[:100]), np.zeros(2)), (Rows(X, Y, Y[:599]), np.zeros(2)), (Rows(X, Y, None, Y[:1]), np.zeros(2)),
    (Rows(X, Y), np.zeros(1)),
])  # fmt: skip
def test_compiled_kernels_read_nothing_past_its_end(rows, beta):
    fused = pytest.importorskip("glmlab.rows.fused")
    for kernel in (fused.loss_grad, fused.loss_grad_hess, fused.survey, fused.evidence):
        with pytest.raises(ValueError, match="do not belong together"):
            kernel(rows, Gaussian(), beta)
    with pytest.raises(ValueError, match="do not belong together"):
        fused.losses(rows, Gaussian(), beta[None, :])
