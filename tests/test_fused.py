"""The compiled kernels: elementary functions against extended precision, sums against naive and NumPy's ones, and which
problem gets which set. tests/test_kernels.py gives every form of rows to both sets; tests/test_twins.py has a reader's
families."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import pytest
from kernel_sets import compiled, elementary, fused, loops, sparse_loops
from naive import EPS, draw
from scipy import sparse
from test_kernels import EXTRAS, FAMILIES, FORMS, every_family, naive_sums, unaligned

from glmlab import L1, Gaussian, Logistic, Objective, as_chunks, fit
from glmlab.machine import cluster
from glmlab.policy import Blocks
from glmlab.rows import kernels
from glmlab.rows.chunks import sparse_part
from glmlab.rows.kernels import Rows

pytestmark = compiled
KERNELS = ["loss_grad", "loss_grad_hess", "loss_grad_diag", "survey", "evidence", "losses"]


def ulps(found, true):
    """Errors in units in the last place of the true values."""
    return np.abs(found - true) / np.spacing(np.abs(true).astype(float))


OWN = EPS / np.finfo(float).eps  # error of the true values, in such units: far below 1 where they have more digits
LONG = np.longdouble


def each(function, x):
    return np.array([function(number) for number in x])


# --- elementary functions ---------------------------------------------------------------------------------------------


def test_exp_is_right_to_an_ulp_where_it_is_a_normal_number():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(-708, 709.7, 4000), rng.uniform(-1, 1, 4000), rng.normal(size=99) / 1e9])
    assert ulps(each(elementary.exp, x), np.exp(x.astype(LONG))).max() <= 1 + OWN


def test_exp_at_its_ends():
    ends = {-np.inf: 0, -1e300: 0, -746: 0, -745: 5e-324, -0.0: 1, 709.79: np.inf, 1e300: np.inf, np.inf: np.inf}
    assert {x: elementary.exp(float(x)) for x in ends} == ends and np.isnan(elementary.exp(np.nan))
    assert np.isfinite(elementary.exp(709.78))


def near_1(rng):
    """Numbers on both sides of 1, of √½ and of √2, where the logarithm changes its formula."""
    places = np.array([1.0, 0.5**0.5, 2.0**0.5, 0.5, 2.0])
    return (places[:, None] * (1 + rng.choice([-1, 1], 400) * 10 ** rng.uniform(-16, -1, 400))).ravel()


def test_log_is_right_to_two_ulps():
    rng = np.random.default_rng(1)
    x = np.concatenate([10 ** rng.uniform(-323, 308, 4000), near_1(rng), [5e-324, np.finfo(float).max]])
    assert ulps(each(elementary.log, x), np.log(x.astype(LONG))).max() <= 2 + OWN


def test_log1p_of_a_share_is_right_to_two_ulps():
    rng = np.random.default_rng(1)
    s = np.concatenate([rng.random(4000), 10 ** rng.uniform(-300, 0, 4000), [0.0, 1.0, 0.41421356, 0.41421357]])
    assert ulps(each(elementary.log1p_of_share, s), np.log1p(s.astype(LONG))).max() <= 2 + OWN
    assert elementary.log1p_of_share(0.0) == 0 and np.isnan(elementary.log1p_of_share(np.nan))


def test_log1p_is_right_to_two_ulps():
    rng = np.random.default_rng(2)
    x = np.concatenate([rng.random(4000), 10 ** rng.uniform(-300, 308, 4000), -(10 ** rng.uniform(-300, 0, 4000)),
                        near_1(rng) - 1, -1 + 2.0 ** -np.arange(1, 54), [np.finfo(float).max]])  # fmt: skip
    x = x[x > -1]
    assert ulps(each(elementary.log1p, x), np.log1p(x.astype(LONG))).max() <= 2 + OWN


# --- sums -------------------------------------------------------------------------------------------------------------


def rows_of(family, n, p, extras="bare", dtype=float):
    rng = np.random.default_rng([n, p])
    weighted, shifted, intercept = EXTRAS[extras]
    X = (rng.normal(size=(n, p)) / p**0.5).astype(dtype)
    y = draw(family.name, rng.normal(size=n) / 2, rng)
    w, o = rng.integers(0, 3, n) * 0.5 if weighted else None, rng.normal(size=n) / 3 if shifted else None
    return Rows(X, y, w, o), rng.normal(size=p + intercept) / 2


def fields(found):
    """All numbers that a kernel returned, by field."""
    plain = found._asdict()
    tally = [list(vars(part).values()) if hasattr(part, "__dict__") else [part] for part in plain.pop("tally", ())]
    found = {name: np.asarray(getattr(value, "values", value), float) for name, value in plain.items()}
    return found | {"tally": np.asarray(sum(tally, []), float)}


@every_family
@pytest.mark.parametrize("extras", EXTRAS)
@pytest.mark.parametrize("p", [1, 2, 15, 40, 130])
def test_every_kernel_finds_what_numpy_finds(family, p, extras):
    """Chunks of no row, of one row, of full blocks, and of blocks with a rest; both dtypes."""
    for n, dtype in [(0, float), (1, np.float32), (256, float), (259, np.float32), (521, float)]:
        rows, beta = rows_of(family, n, p, extras, dtype)
        for name in KERNELS:
            point = np.stack([beta, beta / 2, 0 * beta]) if name == "losses" else beta
            ours, theirs = (fields(getattr(module, name)(rows, family, point)) for module in (fused, kernels))
            for field, value in theirs.items():
                np.testing.assert_allclose(ours[field], value, rtol=1e-13, atol=1e-14 * (n + 1), err_msg=f"{name} {n}")


@pytest.mark.parametrize("extras", EXTRAS)
@pytest.mark.parametrize("p", [1, 15, 130])
def test_ranges_of_columns_are_numpys_and_those_of_the_rows_that_count(p, extras):
    for n, dtype in [(0, float), (1, np.float32), (521, float)]:
        rows, beta = rows_of(Gaussian(), n, p, extras, dtype)
        ours, theirs = (fields(module.spans(rows, Gaussian(), len(beta))) for module in (fused, kernels))
        counted = rows.X if rows.w is None else rows.X[rows.w > 0]
        for field in theirs:
            assert ours[field].tolist() == theirs[field].tolist()
        if len(counted):
            assert ours["highest"][:p].tolist() == counted.max(axis=0).tolist()
            assert ours["lowest"][:p].tolist() == (-counted.min(axis=0)).tolist()


@every_family
@pytest.mark.parametrize("sparsely", [False, True])
@pytest.mark.parametrize("p", [15, 40, 130])
def test_sums_over_many_blocks_agree_with_the_naive_twin(family, p, sparsely):
    rows, beta = (sparse_rows_of if sparsely else rows_of)(family, 3001, p, "all three")
    true, found = naive_sums(family, rows, beta), fused.evidence(rows, family, beta)
    assert abs(found.loss - true["loss"]) <= 4e-16 * true["abs_loss"] * 8
    assert np.all(np.abs(found.grad - true["grad"]) <= 8 * np.finfo(float).eps * found.slope_size)
    size = np.abs(true["X"]).T @ ((true["w"] * true["curve"])[:, None] * np.abs(true["X"]))
    assert np.all(np.abs(found.hess - true["hess"]) <= 1e-14 * size) and np.array_equal(found.hess, found.hess.T)


def bits(found):
    return [value.tobytes() for value in fields(found).values()]


@pytest.mark.parametrize("p", [1, 40, 130, 1100])
def test_rows_converted_piece_by_piece_give_the_same_bits(p):
    small = Blocks(converted=256)
    rows, beta = rows_of(Logistic(), 1300, p, "all three", np.float32)
    wide = np.repeat(rows.X, 2, axis=1)[:, ::2]
    for X in (rows.X.astype(float), np.asfortranarray(rows.X), wide, rows.X.astype(">f4")):
        for name in ("loss_grad", "loss_grad_diag", "survey"):
            kernel = getattr(fused, name)
            assert bits(kernel(rows._replace(X=X), Logistic(), beta, small)) == bits(kernel(rows, Logistic(), beta))


@pytest.mark.parametrize("form", [form for form in FORMS if "csr" not in form])
def test_compiled_code_is_handed_what_it_was_compiled_for(form):
    """Compiled code takes every address for an aligned number; another processor may not forgive one that is not."""
    rows, _ = rows_of(Logistic(), 300, 3, "all three")
    given = Rows(FORMS[form](rows.X), *(unaligned(column) for column in rows[1:]))
    seen = 0
    for part, height in fused.readable(given):
        assert all(column.flags.c_contiguous and column.flags.aligned and column.dtype.isnative for column in part)
        assert part[0].dtype in (np.float64, np.float32) and all(column.dtype == np.float64 for column in part[1:])
        assert all(len(column) % height == 0 for column in part), "loops walk over whole blocks"
        seen += len(part[0])
    assert seen == 300


@pytest.mark.parametrize("name", ["loss_grad_hess", "evidence"])
def test_hessians_of_wide_rows_are_numpys(name):
    rows, beta = rows_of(Logistic(), 259, Blocks().wide + 1)
    ours, theirs = (bits(getattr(module, name)(rows, Logistic(), beta)) for module in (fused, kernels))
    assert ours == theirs


@pytest.mark.parametrize("p, dtype", [(0, float), (0, np.int8), (40_000, float)])
def test_rows_may_be_without_columns_or_wider_than_a_block(p, dtype):
    rng = np.random.default_rng(p)
    X, y, beta = rng.integers(-3, 4, (9, p)).astype(dtype), rng.integers(0, 2, 9) * 1.0, rng.normal(size=p + 1) / 99
    ours, theirs = (fields(module.loss_grad(Rows(X, y), Logistic(), beta)) for module in (fused, kernels))
    for field, value in theirs.items():
        np.testing.assert_allclose(ours[field], value, rtol=1e-12, atol=1e-12)


@every_family
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_not_overlooked(family, value):
    """A NaN or an infinity in X, y or the offset makes f or its gradient non-finite, wherever in a block it is."""
    for name in ("X", "y", "o"):
        for row in (0, 5, 255, 258):
            rows, beta = rows_of(family, 259, 3, "all three")
            rows.w[:] = 1.0
            getattr(rows, name)[row] = value
            ours = [fields(module.loss_grad(rows, family, beta)) for module in (fused, kernels)]
            finite = [np.isfinite(found["loss"]) and np.isfinite(found["grad"]).all() for found in ours]
            assert finite == [False, False]


@every_family
def test_an_overflow_is_infinite_and_a_row_of_weight_zero_hides_it(family):
    rows, beta = rows_of(family, 300, 2, "weights")
    rows.X[7] = 1e200 * np.sign(beta) * (-1 if family.name == "gamma" else 1)
    rows.w[7] = 1.0
    if family.name not in ("logistic", "negative_binomial"):  # whose losses grow no faster than η
        assert not np.isfinite(fused.loss_grad(rows, family, beta).loss)
    rows.w[7] = 0.0
    without = Rows(*(None if column is None else np.delete(column, 7, axis=0) for column in rows))
    for name in KERNELS[:-1]:
        ours, theirs = (fields(getattr(fused, name)(given, family, beta)) for given in (rows, without))
        for field, value in theirs.items():
            np.testing.assert_allclose(ours[field], value, rtol=1e-12, atol=1e-12, err_msg=f"{name} {field}")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("family", FAMILIES[1:3], ids=lambda f: f.name)
def test_memory_threads_and_dask_give_the_same_bits(family, dtype):
    rows, beta = rows_of(family, 2000, 13, "all three", dtype)
    chunks = (1, 700, 13, 900, 386)
    lazy = [da.from_array(c, chunks=(chunks, *c.shape[1:])) for c in rows]
    found = []
    for threads in (1, 2):
        f = Objective(family, as_chunks(*rows[:2], sample_weight=rows.w, offset=rows.o, intercept=True, chunks=chunks,
                                        threads=threads), "fused")  # fmt: skip
        found.append(bits(f.evidence(beta)))
    with dask.config.set(scheduler="threads", num_workers=2):
        f = Objective(family, as_chunks(*lazy[:2], sample_weight=lazy[2], offset=lazy[3], intercept=True), "fused")
        found.append(bits(f.evidence(beta)))
    assert found[0] == found[1] == found[2]


# --- sparse rows ------------------------------------------------------------------------------------------------------


@compiled
def test_no_two_compiled_functions_have_one_name():
    """Else numba may run the code of one for the other, where a part of it comes from the disk (loops.with_name_of)."""
    found = {}
    for module in (elementary, loops, sparse_loops):
        for what in vars(module).values():
            if hasattr(what, "py_func"):
                found.setdefault((what.py_func.__module__, what.py_func.__qualname__), set()).add(id(what.py_func))
    assert len(found) > 40 and {name for name, functions in found.items() if len(functions) > 1} == set()


def sparse_rows_of(family, n, p, extras="bare", dtype=float, index=np.int32):
    """A third of the numbers are stored. The last column has none, and neither has the first row."""
    rows, beta = rows_of(family, n, p, extras, dtype)
    X = rows.X * (np.random.default_rng(n).random((n, p)) < 1 / 3)
    X[:1], X[:, p - 1 :] = 0, 0
    X = sparse.csr_array(X)
    X.indptr, X.indices = X.indptr.astype(index), X.indices.astype(index)
    return rows._replace(X=X), beta


def asked_at(name, beta):
    """What a kernel is given behind rows and family."""
    some = np.flatnonzero(np.arange(len(beta)) % 3 != 1)
    inside = np.isin(np.arange(len(beta)), some)
    more = {"losses": (np.stack([beta, beta / 2, 0 * beta]),), "spans": (len(beta),),
            "hess_on": (beta * inside, some), "dual": (beta * inside, np.roll(beta, 1) / 9, 1e-3)}  # fmt: skip
    return more.get(name, (beta,))


SPARSE = [*KERNELS, "spans", "hess_on", "dual"]


@every_family
@pytest.mark.parametrize("extras", EXTRAS)
@pytest.mark.parametrize("p", [1, 15, 130])
def test_every_kernel_finds_in_sparse_rows_what_numpy_finds(family, p, extras):
    """Chunks of no row, of one row, of full blocks, and of blocks with a rest; all types of numbers and indices."""
    for n, dtype, index in [(0, float, np.int32), (1, np.float32, np.int32), (256, float, np.int64),
                            (259, np.float32, np.int64), (521, float, np.int32)]:  # fmt: skip
        rows, beta = sparse_rows_of(family, n, p, extras, dtype, index)
        for name in SPARSE:
            given = asked_at(name, beta)
            ours, theirs = (fields(getattr(module, name)(rows, family, *given)) for module in (fused, kernels))
            assert ours.keys() == theirs.keys()
            for field, value in theirs.items():
                np.testing.assert_allclose(ours[field], value, rtol=1e-12, atol=1e-14 * (n + 1),
                                           err_msg=f"{name} {field} {n}")  # fmt: skip


def halved(X):
    """Every number stored twice, as two halves, and the columns of a row in falling order."""
    order = np.concatenate([np.arange(a, b)[::-1] for a, b in zip(X.indptr[:-1], X.indptr[1:], strict=True)])
    twice = np.repeat(order, 2)
    return type(X)((X.data[twice] / 2, X.indices[twice], 2 * X.indptr), shape=X.shape)


def with_data(X, data):
    X = X.copy()
    X.data = data
    return X


SPARSE_FORMS = {
    "stored twice": halved,
    "matrix": sparse.csr_matrix,
    "by columns": sparse.csc_array,
    "wide indices": lambda X: sparse_rows_of(Logistic(), *X.shape, dtype=np.float32, index=np.int64)[0].X,
    "mixed indices": lambda X: mixed(X),
    "float64": lambda X: X.astype(float),
    "big-endian": lambda X: with_data(X, X.data.astype(">f4")),
    "unaligned": lambda X: with_data(X, unaligned(X.data)),
    "read-only": lambda X: with_data(X, np.frombuffer(X.data.tobytes(), X.data.dtype)),
}


def mixed(X):
    X = X.copy()
    X.indptr = X.indptr.astype(np.int64)
    return X


@pytest.mark.parametrize("form", SPARSE_FORMS)
def test_every_form_of_sparse_rows_gives_the_same_bits_and_is_left_as_it_was(form):
    rows, beta = sparse_rows_of(Logistic(), 300, 40, "all three", np.float32)
    X = SPARSE_FORMS[form](rows.X)
    before = X.data.copy()
    for name in SPARSE:
        given = asked_at(name, beta)
        kernel = getattr(fused, name)
        assert bits(kernel(rows._replace(X=X), Logistic(), *given)) == bits(kernel(rows, Logistic(), *given))
    assert np.array_equal(X.data, before)


@pytest.mark.parametrize("dtype", [np.int8, bool])
def test_small_integers_that_are_stored_twice_do_not_overflow(dtype):
    X = sparse.csr_array((np.full(2, 100).astype(dtype), np.zeros(2, int), [0, 2]), shape=(1, 1))
    rows, beta = Rows(X, np.ones(1)), np.full(1, 0.01)
    ours, theirs = (module.loss_grad(rows, Gaussian(), beta) for module in (fused, kernels))
    assert ours.grad.tolist() == pytest.approx(theirs.grad.tolist(), rel=1e-14)


@every_family
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_in_sparse_rows_is_not_overlooked(family, value):
    for row in (1, 63, 258):
        rows, beta = sparse_rows_of(family, 259, 5, "offset")
        X = rows.X.tolil()
        X[row, 2] = value
        found = fused.loss_grad(rows._replace(X=X.tocsr()), family, beta)
        assert not (np.isfinite(found.loss) and np.isfinite(found.grad).all())


@every_family
def test_a_sparse_row_of_weight_zero_hides_its_overflow(family):
    rows, beta = sparse_rows_of(family, 300, 3, "weights")
    X = rows.X.tolil()
    X[7] = 1e200 * np.sign(beta) * (-1 if family.name == "gamma" else 1)
    rows, rows.w[7] = rows._replace(X=X.tocsr()), 0.0
    rest = np.delete(np.arange(300), 7)
    without = Rows(*(None if column is None else column[rest] for column in rows))
    for name in SPARSE[:-1]:
        given = asked_at(name, beta)
        ours, theirs = (fields(getattr(fused, name)(some, family, *given)) for some in (rows, without))
        for field, value in theirs.items():
            np.testing.assert_allclose(ours[field], value, rtol=1e-12, atol=1e-12, err_msg=f"{name} {field}")


@pytest.mark.parametrize("family", FAMILIES[1:3], ids=lambda f: f.name)
def test_memory_threads_and_dask_give_the_same_bits_for_sparse_rows(family):
    rows, beta = sparse_rows_of(family, 2000, 13, "all three", index=np.int64)
    chunks = (1, 700, 13, 900, 386)
    lazy = [da.from_array(c, chunks=(chunks, *c.shape[1:])) for c in (rows.X.toarray(), *rows[1:])]
    lazy[0] = lazy[0].map_blocks(sparse.csr_array, meta=sparse.csr_array((0, 0)))
    found = []
    for threads in (1, 2):
        f = Objective(family, as_chunks(*rows[:2], sample_weight=rows.w, offset=rows.o, intercept=True, chunks=chunks,
                                        threads=threads), "fused")  # fmt: skip
        found.append(bits(f.evidence(beta)) + bits(f.dual(*asked_at("dual", beta))))
    with dask.config.set(scheduler="threads", num_workers=2):
        f = Objective(family, as_chunks(*lazy[:2], sample_weight=lazy[2], offset=lazy[3], intercept=True), "fused")
        found.append(bits(f.evidence(beta)) + bits(f.dual(*asked_at("dual", beta))))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("cut", [(0, 0), (0, 90), (13, 14), (20, 90), (90, 90)])
def test_a_part_of_sparse_rows_is_the_same_without_copies(index, cut):
    X, cut = sparse_rows_of(Logistic(), 90, 5, index=index)[0].X, slice(*cut)
    part = sparse_part(X, cut)
    for ours, all_of_them in ((part.data, X.data), (part.indices, X.indices)):
        assert not len(ours) or np.shares_memory(ours, all_of_them)
    assert part.indices.dtype == part.indptr.dtype == index
    part.check_format(full_check=True)  # which copies small parts of large arrays
    assert type(part) is type(X) and part.shape == X[cut].shape and (part != X[cut]).nnz == 0


def test_a_part_of_unordered_sparse_rows_does_not_claim_order():
    X = halved(sparse_rows_of(Logistic(), 90, 5)[0].X)
    assert not sparse_part(X, slice(0, 50)).has_canonical_format


def test_the_cache_of_the_sparse_loops_knows_the_text_of_the_loops_that_they_call():
    from glmlab.rows import loops, sparse_loops

    text = hashlib.sha256(Path(loops.__file__).read_text(encoding="utf-8").encode()).hexdigest()
    for name in ("walk", "walk_losses", "walk_spans", "walk_hess_on", "walk_dual", "walk_back"):
        assert getattr(sparse_loops, name).py_func.__qualname__ == f"{name}_{text[:24]}"


def test_coefficients_for_other_columns_are_refused_for_sparse_rows():
    rows, beta = sparse_rows_of(Logistic(), 90, 5)
    for name in SPARSE:
        for wrong in (beta[:-1], np.append(beta, [0, 0])):
            with pytest.raises(ValueError, match="do not belong together"):
                getattr(fused, name)(rows, Logistic(), *asked_at(name, wrong))


# --- who gets which ---------------------------------------------------------------------------------------------------


def small():
    rows, _ = rows_of(Logistic(), 60, 3)
    return rows.X, rows.y


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array, sparse.csc_matrix])
def test_dense_rows_and_sparse_rows_get_fused_kernels(make):
    X, y = small()
    X = make(X)
    assert fit(X, y, family="logistic", penalty=L1(1)).kernels == "fused"
    assert fit(X, y, family="logistic", penalty=L1(1), kernels="numpy").kernels == "numpy"
    f = Objective("logistic", as_chunks(X, y))
    assert {g.kernels for g in (f, f.pilot(), f.sample(0.5), f.thin(0.5))} == {"fused"}
    assert "fused kernels" in repr(fit(X, y, family="logistic", penalty=L1(1)))


def test_coefficients_may_be_integers_in_any_layout():
    f, beta = Objective("logistic", as_chunks(*small())), np.array([2, 0, -1])
    for form in (beta, np.repeat(beta, 2)[::2], beta[::-1].copy()[::-1]):
        assert bits(f.map(fused.loss_grad, shared=(Logistic(), form))[0]) == bits(f.loss_grad(beta.astype(float)))


WITHOUT_NUMBA = """
import sys
sys.modules["numba"] = None
import numpy as np, glmlab
X = np.random.default_rng(0).normal(size=(80, 3))
result = glmlab.fit(X, X[:, 0] > 0.3 * X[:, 1] ** 2, family="logistic", penalty=glmlab.L1(1.0))
assert result.converged and result.kernels == "numpy"
try:
    glmlab.fit(X, X[:, 0], family="gaussian", kernels="fused")
except ValueError as error:
    print(error)
"""


def python(code):
    env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env).stdout


def test_without_numba_the_package_works_and_says_so():
    said = python(WITHOUT_NUMBA)
    assert "numba, which compiles them, does not work here" in said and "kernels='numpy'" in said


def test_numba_is_imported_by_a_fit_and_not_before():
    """Importing glmlab does not import numba. (dask does so through pydata's sparse, where that is installed.)"""
    code = "import sys; sys.modules['sparse'] = None; import glmlab.solvers.run; print('numba' in sys.modules)"
    assert python(code).strip() == "False"


def test_a_worker_without_numba_says_so_before_the_first_pass():
    X, y = (da.from_array(column, chunks=(20, *column.shape[1:])) for column in small())
    with cluster.client(1, memory_limit="512MiB") as client:
        assert Objective("logistic", as_chunks(X, y)).kernels == "fused"
        client.run(hide_numba)
        for asked in (None, "fused"):
            with pytest.raises(RuntimeError, match=r"worker tcp://.* cannot load .*kernels='numpy'"):
                Objective("logistic", as_chunks(X, y), asked)
        assert fit(X, y, family="logistic", penalty=L1(1), kernels="numpy").converged


def hide_numba():
    sys.modules["numba"] = None
    import glmlab

    for name in ("fused", "loops", "twins", "elementary"):
        del sys.modules[f"glmlab.rows.{name}"]
        delattr(glmlab.rows, name)
