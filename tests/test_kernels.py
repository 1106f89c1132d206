"""Every kernel against naive sums over whole arrays in extended precision, for every form that rows can take."""

from functools import partial

import numpy as np
import pytest
from kernel_sets import NAMES
from naive import CURVE, LOSS, MEMBERS, SLOPE, draw
from scipy import sparse

from glmlab import Gamma, Gaussian, Logistic, Objective, Poisson, as_chunks
from glmlab.maths.sums import Largest, LossGrad, add
from glmlab.policy import Blocks
from glmlab.rows import kernels as in_numpy
from glmlab.rows.kernels import Rows
from glmlab.rows.survey import culprits, labels

N, P = 700, 5
FAMILIES = [Gaussian(), Logistic(), Poisson(), Gamma(), *MEMBERS.values()]
every_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


def unaligned(X):
    """The same numbers at an odd address, where a network may leave them."""
    room = np.empty(X.nbytes + 3, dtype=np.uint8)
    moved = room[3:].view(X.dtype).reshape(X.shape)
    moved[...] = X
    return moved


FORMS = {
    "unaligned": unaligned,
    "plain": lambda X: X,
    "fortran": np.asfortranarray,
    "strided": lambda X: np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3],
    "reversed": lambda X: X[::-1].copy()[::-1],
    "big-endian": lambda X: X.astype(">f8"),
    "read-only": read_only,
    "float32": lambda X: X.astype(np.float32),
    "float16": lambda X: X.astype(np.float16),
    "int8": lambda X: np.round(2 * X).astype(np.int8),
    "bool": lambda X: X > 0,
    "csr": sparse.csr_matrix,
    "csr array": sparse.csr_array,
    "csr float32": lambda X: sparse.csr_array(X, dtype=np.float32),
}
EXTRAS = {"bare": (False, False, False), "weights": (True, False, False), "offset": (False, True, False),
          "intercept": (False, False, True), "all three": (True, True, True)}  # fmt: skip


@pytest.fixture(params=NAMES)
def kernels(request):
    """Either set of kernels, as an Objective finds them, with the blocks of the test's `height` if it has one."""
    f = Objective("gaussian", as_chunks(np.ones((2, 1)), np.ones(2)), request.param)
    return KernelSet(f, request.getfixturevalue("height") if "height" in request.fixturenames else Blocks())


class KernelSet:
    def __init__(self, f, policy):
        self.f, self.policy = f, policy

    def __getattr__(self, name):
        return partial(self.f.kernel(name), policy=self.policy)


@pytest.fixture(params=["one block", "many blocks"])
def height(request):
    """Blocks that hold all rows, or the smallest there are (256 rows): they cut a chunk in three."""
    return Blocks() if request.param == "one block" else Blocks(numbers=1)


def rows_of(family, *, form="plain", extras="bare", seed=0):
    """Rows in this form, and β with the intercept last."""
    rng = np.random.default_rng(seed)
    weighted, shifted, intercept = EXTRAS[extras]
    X = rng.normal(size=(N, P)) * (rng.random((N, P)) < 0.7) / 2
    y = draw(family.name, rng.normal(size=N) / 2, rng)
    w = rng.integers(0, 4, N) * 0.5 if weighted else None
    o = rng.normal(size=N) / 3 if shifted else None
    return Rows(FORMS[form](X), y, w, o), rng.normal(size=P + intercept) / 2


def naive_sums(family, rows, beta):
    """f, ∇f, ∇²f, Σ|wℓ| and what they are made of, in extended precision."""
    X = np.asarray(rows.X.toarray() if sparse.issparse(rows.X) else rows.X, np.longdouble)
    X = X if X.shape[1] == len(beta) else np.column_stack([X, np.ones(len(X))])
    w = np.asarray(np.ones(len(X)) if rows.w is None else rows.w, np.longdouble)
    eta = X @ beta + (0 if rows.o is None else np.asarray(rows.o, np.longdouble))
    y = np.asarray(rows.y, np.longdouble)
    each, slope, curve = (table[family.name](eta, y) for table in (LOSS, SLOPE, CURVE))
    return {
        "X": X, "w": w, "eta": eta, "y": y, "slope": slope, "loss": (w * each).sum(), "abs_loss": (w * abs(each)).sum(),
        "grad": X.T @ (w * slope), "hess": X.T @ ((w * curve)[:, None] * X), "curve": curve,
    }  # fmt: skip


def same(ours, true, digits=1e-13, size=None):
    """Equal up to the rounding of a sum of N terms of this size."""
    size = np.abs(true).max() + 1 if size is None else size
    assert np.shape(ours) == np.shape(true) and np.all(np.abs(ours - true) <= digits * N * size)


@every_family
@pytest.mark.parametrize("form", FORMS)
def test_sums_agree_with_naive_ones_for_every_form_of_rows(family, form, height, kernels):
    rows, beta = rows_of(family, form=form, extras="all three")
    true = naive_sums(family, rows, beta)
    found = kernels.loss_grad_hess(rows, family, beta)
    same(found.loss, true["loss"], size=true["abs_loss"] / N)
    same(found.grad, true["grad"], 1e-15)
    same(found.hess, true["hess"], 1e-15)
    same(kernels.loss_grad_diag(rows, family, beta).diag, np.diag(true["hess"]), 1e-15)


@every_family
@pytest.mark.parametrize("extras", EXTRAS)
def test_sums_agree_with_naive_ones_with_weights_offsets_and_an_intercept(family, extras, height, kernels):
    rows, beta = rows_of(family, extras=extras, seed=1)
    true = naive_sums(family, rows, beta)
    whole, short = kernels.loss_grad_hess(rows, family, beta), kernels.loss_grad(rows, family, beta)
    assert whole.loss == short.loss and whole.grad.tolist() == short.grad.tolist()
    diagonal = kernels.loss_grad_diag(rows, family, beta)
    assert diagonal.loss == short.loss and diagonal.grad.tolist() == short.grad.tolist()
    same(diagonal.diag, np.diag(true["hess"]), 1e-15)
    same(whole.loss, true["loss"], 1e-15, true["abs_loss"])
    same(whole.grad, true["grad"], 1e-15)
    same(whole.hess, true["hess"], 1e-15)
    assert np.array_equal(whole.hess, whole.hess.T)


@every_family
@pytest.mark.parametrize("form", ["fortran", "strided", "reversed", "big-endian", "read-only", "unaligned"])
def test_the_layout_of_the_rows_changes_no_bit(family, form, kernels):
    plain, beta = rows_of(family, extras="weights")
    other = Rows(FORMS[form](plain.X), *(None if c is None else unaligned(c) for c in plain[1:]))
    found = [kernels.evidence(rows, family, beta) for rows in (plain, other)]
    bits = [np.hstack([np.ravel(numbers(part)) for part in parts]) for parts in found]
    assert np.array_equal(*bits)


def numbers(part):
    """The numbers of a field that a kernel returned."""
    return part.values if isinstance(part, Largest) else part


@every_family
@pytest.mark.parametrize("extras", EXTRAS)
@pytest.mark.parametrize("form", ["plain", "csr"])
def test_losses_at_many_points_at_once(family, extras, form, height, kernels):
    rows, beta = rows_of(family, form=form, extras=extras, seed=2)
    B = beta + np.linspace(-1, 1, 7)[:, None] * np.linspace(1, 2, len(beta))
    found = kernels.losses(rows, family, B).losses
    for ours, point in zip(found, B, strict=True):
        true = naive_sums(family, rows, point)
        same(ours, true["loss"], 1e-15, true["abs_loss"])


@every_family
@pytest.mark.parametrize("extras", EXTRAS)
@pytest.mark.parametrize("form", ["plain", "csr"])
def test_the_diagonal_alone_is_that_of_the_hessian(family, extras, form, height, kernels):
    rows, beta = rows_of(family, form=form, extras=extras, seed=5)
    true, found = naive_sums(family, rows, beta), kernels.loss_grad_diag(rows, family, beta)
    same(found.loss, true["loss"], 1e-15, true["abs_loss"])
    same(found.grad, true["grad"], 1e-15)
    same(found.diag, np.diag(true["hess"]), 1e-15)


@every_family
@pytest.mark.parametrize("extras", EXTRAS)
@pytest.mark.parametrize("form", ["plain", "csr"])
def test_survey(family, extras, form, height, kernels):
    rows, beta = rows_of(family, form=form, extras=extras, seed=3)
    true = naive_sums(family, rows, 0 * beta)
    found = kernels.survey(rows, family, 0 * beta)
    same(found.loss, true["loss"], 1e-15, true["abs_loss"])
    same(found.grad, true["grad"], 1e-15)
    elsewhere = kernels.survey(rows, family, beta)
    assert elsewhere.diag.tolist() == kernels.loss_grad_diag(rows, family, beta).diag.tolist()
    assert elsewhere[:2] != found[:2] and elsewhere.loss == kernels.loss_grad(rows, family, beta).loss
    assert elsewhere.floor == found.floor and np.all(elsewhere.scale != found.scale)
    same(found.scale, np.abs(true["X"]).T @ (true["w"] * np.abs(true["slope"])), 1e-15)
    assert found.weight == true["w"].sum() and found.counted == (true["w"] > 0).sum()
    assert found.bad_labels == found.bad_weights == 0


def test_survey_counts_what_cannot_be_fitted(kernels):
    rows, beta = rows_of(Poisson(), extras="weights")
    rows.y[[3, 50, 699]], rows.w[[0, 699]] = -1, -0.5
    found = kernels.survey(rows, Poisson(), 0 * beta)
    assert (found.bad_labels, found.bad_weights, found.counted) == (2, 2, np.sum(rows.w > 0)), "row 699 does not count"


@every_family
@pytest.mark.parametrize("extras", EXTRAS)
@pytest.mark.parametrize("form", ["plain", "csr"])
def test_evidence_is_the_sums_and_allowances_for_their_rounding(family, extras, form, height, kernels):
    rows, beta = rows_of(family, form=form, extras=extras, seed=4)
    true = naive_sums(family, rows, beta)
    found = kernels.evidence(rows, family, beta)
    same(found.loss, true["loss"], 1e-15, true["abs_loss"])
    same(found.grad, true["grad"], 1e-15)
    same(found.hess, true["hess"], 1e-15)
    assert found.largest.values.tolist() == np.abs(true["X"])[true["w"] > 0].max(axis=0).tolist()
    assert found.weight == true["w"].sum()
    size_eta = np.abs(true["X"]) @ np.abs(beta) + (0 if rows.o is None else np.abs(rows.o))
    same(found.loss_size, true["abs_loss"], 1e-15)
    same(found.eta_size, (true["w"] * np.abs(true["slope"]) * size_eta).sum(), 1e-15)
    size = family.size(true["eta"], true["y"]) + true["curve"] * size_eta
    # The computed ℓ′ is a dual point: only its product with X is rounded, and the distance to θ has its price.
    same(found.slope_size, np.abs(true["X"]).T @ (true["w"] * np.abs(true["slope"])), 1e-9, found.slope_size)
    error = 8 * np.finfo(float).eps * size / true["curve"]
    assert found.dual_rounding == pytest.approx(float((true["w"] * true["curve"] * error**2).sum()), rel=1e-9, abs=0)
    if form == "plain" and len(beta) == P:
        slope = family.dloss(in_numpy.predictor(rows, beta), rows.y)
        assert np.all(np.abs(slope - true["slope"]) <= true["curve"] * error)
    off = np.abs(true["X"]).T @ (true["w"] * true["curve"] * error)
    assert np.all(8 * np.finfo(float).eps * found.slope_size + off >= np.abs(found.grad - true["grad"]))


@pytest.mark.parametrize("family, eta", [(Poisson(), -32.0), (Gamma(), 32.0)], ids=repr)
def test_a_row_whose_slope_is_all_rounding_counts_as_an_error_of_the_gradient(family, eta, kernels):
    """ℓ″ = e^(−32): in this unit ℓ′ = μ − y is wrong by 100, so ℓ′ as computed is no dual point."""
    found = kernels.evidence(Rows(np.array([[eta]]), np.ones(1)), family, np.ones(1))
    assert found.dual_rounding == 0 and found.slope_size[0] >= eta * (1 - 1e-9)


def test_weights_add_up_in_double_precision(kernels):
    rows, beta = rows_of(Logistic())
    w = np.full(N, 0.1, np.float32)
    assert kernels.evidence(rows._replace(w=w), Logistic(), beta).weight == w.astype(float).sum() != float(w.sum())


def test_a_row_whose_predictor_cancels_has_an_uncertain_slope(kernels):
    """η = 1e12 − 1e12: ℓ′ = e⁰ − 1 is 0 in floats, but may be wrong by a hundredth."""
    found = kernels.evidence(Rows(np.array([[1e12, -1e12]]), np.ones(1)), Poisson(), np.ones(2))
    assert found.grad[0] == found.dual_rounding == 0 and found.slope_size[0] >= 2e24 * (1 - 1e-9)


def test_a_row_of_least_squares_of_any_size_is_its_own_dual_point(kernels):
    """ℓ* of a square is finite everywhere. At η = y = 1e15 rounding may move the dual point by 1, which has a price."""
    found = kernels.evidence(Rows(np.ones((1, 1)), np.array([1e15])), Gaussian(), np.array([1e15]))
    assert found.slope_size[0] == 0 < found.dual_rounding


def test_the_slope_of_a_saturated_label_keeps_its_digits(kernels):
    """μ − 1 = −e^(−40) is 0 in floats. Computed otherwise its error is small, and the row is its own dual point."""
    found = kernels.evidence(Rows(np.array([[40.0], [700.0]]), np.ones(2)), Logistic(), np.ones(1))
    assert found.grad[0] == pytest.approx(-40 * np.exp(-40.0), rel=1e-14, abs=0)
    assert found.slope_size[0] == pytest.approx(40 * np.exp(-40.0), rel=1e-14, abs=0)
    assert 0 < found.dual_rounding < 1e-40


@every_family
@pytest.mark.parametrize("extras", EXTRAS)
@pytest.mark.parametrize("form", ["plain", "csr"])
def test_the_factor_is_that_of_the_hessian_for_any_cut_of_the_rows(family, extras, form, height):
    rows, beta = rows_of(family, form=form, extras=extras, seed=4)
    true = naive_sums(family, rows, beta)
    halves = [Rows(*(None if c is None else c[cut] for c in rows)) for cut in (slice(0, 7), slice(7, None))]
    for R in (in_numpy.factor(rows, family, beta, height).factor.R,
              add([in_numpy.factor(half, family, beta, height) for half in halves]).factor.R):  # fmt: skip
        assert R.shape == (len(beta), len(beta)) and np.array_equal(R, np.triu(R))
        same(R.T @ R, true["hess"], 1e-14, np.abs(true["hess"]).max())


def test_the_factor_keeps_digits_that_the_hessian_loses():
    """Two columns differ by 1e-11; the difference of their squares is below rounding."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(50, 2))
    X = np.column_stack([X, X[:, 0] + 1e-11 * rng.normal(size=50)])
    true = 2 * ((X[:, 2] - X[:, 0]) ** 2).sum()
    R = in_numpy.factor(Rows(X, np.zeros(50)), Gaussian(), np.zeros(3)).factor.R
    v = np.array([-1.0, 0.0, 1.0])
    assert np.sum((R @ v) ** 2) == pytest.approx(true, rel=1e-3, abs=0)
    assert v @ (R.T @ R) @ v != pytest.approx(true, rel=0.5, abs=0)


@every_family
@pytest.mark.parametrize("extras", EXTRAS)
@pytest.mark.parametrize("form", ["plain", "csr"])
def test_price_covers_the_whole_interval(family, extras, form, height, kernels):
    """Σ w max over |r| ≤ Σ|Xm| of D(Xd + r), m the columns of moves, and max |t| over the rows that count."""
    rows, beta = rows_of(family, form=form, extras=extras, seed=5)
    true, rng = naive_sums(family, rows, beta), np.random.default_rng(6)
    d, moves = rng.normal(size=len(beta)) / 9, rng.normal(size=(len(beta), 3)) / 99
    found = kernels.price(rows, family, beta, d, moves)
    t, r = (true["X"] @ d).astype(float), np.abs(true["X"] @ moves).sum(axis=1).astype(float)
    eta, y = true["eta"].astype(float), np.asarray(rows.y, float)
    highest = np.max([family.price(t + part * r, eta, y) for part in np.linspace(-1, 1, 9)], axis=0)
    same(found.price, (true["w"] * highest).sum(), 1e-15)
    assert found.furthest == pytest.approx(np.max((np.abs(t) + r)[true["w"] > 0]), rel=1e-12)


@pytest.mark.parametrize("form", ["plain", "csr"])
def test_visibility_is_zero_only_for_directions_without_effect(form, height, kernels):
    rows, _ = rows_of(Gaussian(), seed=7)
    X = np.column_stack([rows.X, rows.X[:, 0] + rows.X[:, 1]])
    V = np.zeros((P + 1, 2))
    V[[0, 1, P], 0] = 1, 1, -1
    V[:, 1] = np.arange(P + 1)
    twice = rows._replace(X=FORMS[form](X))
    sizes = np.abs(V) + 0.1
    assert kernels.visibility(twice, Gaussian(), V[:, :1], sizes[:, :1]) < 1e-15
    size = np.abs(X) @ sizes
    expected = np.max(np.abs(X @ V) / np.where(size > 0, size, np.inf))
    assert kernels.visibility(twice, Gaussian(), V, sizes) == pytest.approx(expected) and expected > 0.5


@every_family
def test_the_price_includes_what_rounding_moved_dual_points_by(family, kernels):
    """D(t) is ½ ℓ″t² for small t: a move of 0 costs half of the evidence's slip."""
    rows, beta = rows_of(family, extras="weights")
    found = kernels.price(rows, family, beta, np.zeros(P), np.zeros((P, 1)))
    assert 0 < found.price == pytest.approx(kernels.evidence(rows, family, beta).dual_rounding / 2, rel=1e-6)


@pytest.mark.parametrize("form", ["plain", "csr"])
def test_align_counts_rows_that_stop_a_descent(form, height, kernels):
    rows, _ = rows_of(Logistic(), form=form, extras="weights", seed=8)
    d = np.array([1.0, -2, 0.5, 0, 0])
    X = rows.X.toarray() if form == "csr" else rows.X
    t, counts = X @ d, rows.w > 0
    grows = np.where(rows.y == 1, t < 0, t > 0)
    found = kernels.align(rows, Logistic(), d, np.zeros(P), np.zeros(P))
    assert found == (np.sum(grows & counts), np.sum((t != 0) & counts))
    few, many = (np.abs(t) > np.abs(X) @ np.full(P, dust) for dust in (0.4, 0.1))
    found = kernels.align(rows, Logistic(), d, np.full(P, 0.1), np.full(P, 0.4))
    assert found == (np.sum(grows & counts & many), np.sum(few & counts))
    assert 0 < np.sum(few & counts) < np.sum(many & counts) < np.sum((t != 0) & counts)


@pytest.mark.parametrize("name", ["X", "y", "sample_weight", "offset"])
@pytest.mark.parametrize("form", ["plain", "csr", "float32"])
def test_culprits_name_the_argument_one_value_and_its_column(name, form):
    rows, _ = rows_of(Gaussian(), form=form, extras="all three")
    assert culprits(rows) is None
    of_X = rows.X.data if form == "csr" else rows.X
    {"X": of_X, "y": rows.y, "sample_weight": rows.w, "offset": rows.o}[name].flat[[11, 40]] = -np.inf
    column = None if name != "X" else int(rows.X.indices[11]) if form == "csr" else 11 % P
    assert culprits(rows) == (name, -np.inf, 2, column)


@every_family
def test_rows_of_weight_zero_have_no_effect_even_if_they_overflow(family, kernels):
    rows, beta = rows_of(family, extras="all three", seed=9)
    rows.X[5], rows.w[5] = 1e200, 0.0
    without = Rows(*(np.delete(column, 5, axis=0) for column in rows))
    for kernel in (kernels.loss_grad_hess, kernels.loss_grad_diag, kernels.evidence):
        found, expected = kernel(rows, family, beta), kernel(without, family, beta)
        for ours, theirs in zip(map(numbers, found), map(numbers, expected), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-10)
    nothing = kernels.loss_grad_hess(rows._replace(X=np.full_like(rows.X, 1e200), w=np.zeros(N)), family, beta)
    assert nothing.loss == 0 and not nothing.grad.any() and not nothing.hess.any(), "also if no row counts"
    d = np.full(len(beta), 0.01)
    found, expected = (kernels.price(each, family, beta, d, d[:, None] / 9) for each in (rows, without))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("family, sign", [(Poisson(), 1), (Gamma(), -1)], ids=["poisson", "gamma"])
def test_overflow_is_an_infinite_loss_without_a_warning(family, sign, kernels):
    rows, beta = rows_of(family)
    B = np.vstack([beta, sign * 1e4 * np.ones(P)])
    found = kernels.losses(rows, family, B).losses
    assert np.isfinite(found[0]) and not np.isfinite(found[1])
    assert not np.isfinite(kernels.loss_grad(rows, family, B[1]).loss)


@pytest.mark.parametrize("form", FORMS)
def test_no_kernel_changes_its_rows(form, kernels):
    rows, beta = rows_of(Logistic(), form=form, extras="all three")
    before = [column.copy() for column in rows]
    args = {"losses": (beta[None],), "loss_grad": (beta,), "loss_grad_hess": (beta,), "loss_grad_diag": (beta,),
            "survey": (beta,), "evidence": (beta,), "factor": (beta,), "price": (beta, beta, beta[:, None]),
            "visibility": (beta[:, None], abs(beta[:, None])), "align": (beta, abs(beta), abs(beta))}  # fmt: skip
    for name, given in args.items():
        getattr(kernels, name)(rows, Logistic(), *given)
    for now, then in zip(rows, before, strict=True):
        assert now.dtype == then.dtype
        assert (now != then).nnz == 0 if sparse.issparse(now) else np.array_equal(now, then)


def test_blocks_are_contiguous_float64_and_cover_every_row_once(height):
    rows, _ = rows_of(Gaussian(), form="fortran", extras="all three")
    cut = list(in_numpy.blocks(rows, P + 1, height))
    assert len(cut) == (1 if height == Blocks() else 3)
    assert all(block.X.flags.c_contiguous and block.X.dtype == np.float64 for block in cut)
    np.testing.assert_array_equal(np.vstack([b.X for b in cut]), np.column_stack([rows.X, np.ones(N)]))
    for column in ("y", "w", "o"):
        np.testing.assert_array_equal(np.concatenate([getattr(b, column) for b in cut]), getattr(rows, column))


def test_add_is_a_sum_field_by_field_in_the_order_given():
    parts = [LossGrad(value, np.array([value, 1.0])) for value in (1e16, 1.0, -1e16)]
    total = add(parts)
    assert type(total) is LossGrad
    assert total.loss == 0.0 and total.grad.tolist() == [0.0, 3.0], "(1e16 + 1) − 1e16 is 0 in this order"
    assert add([parts[0], parts[2], parts[1]]).loss == 1.0
    assert parts[0].grad.tolist() == [1e16, 1.0], "the parts do not change"


def test_labels():
    rows, _ = rows_of(Logistic())
    assert labels(rows).tolist() == [0.0, 1.0]
