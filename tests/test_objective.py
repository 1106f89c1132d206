"""Objective: the sum whatever the chunks, every pass counted, and the first one refuses what cannot be fitted."""

import dask
import dask.array as da
import numpy as np
import pytest
from dask.callbacks import Callback
from kernel_sets import NAMES
from naive import Problem, PseudoHuber, random_problem

from glmlab import L1, Gamma, Gaussian, Logistic, Objective, Poisson, Ridge, as_chunks
from glmlab.maths.penalties import FreeIntercept
from glmlab.policy import Scaling
from glmlab.rows.scale import Scale

FAMILIES = ["gaussian", "logistic", "poisson", "gamma"]
every_family = pytest.mark.parametrize("family", FAMILIES)


def hard(family, **options):
    return random_problem(family, Ridge(1), seed=3, weighted=True, shifted=True, intercept=True, **options)


@every_family
@pytest.mark.parametrize("chunks", [80, 30, 1, (1, 70, 9)])
def test_the_oracle_agrees_with_the_naive_twin(family, chunks):
    problem, beta = hard(family), np.array([0.3, -0.2, 0.5, 0.1, 0.4])
    f = problem.objective(chunks)
    loss, grad, hess = f.loss_grad_hess(beta)
    assert f.loss(beta) == pytest.approx(float(problem.loss(beta)), rel=1e-13) and loss == f.loss_grad(beta).loss
    np.testing.assert_allclose(grad, problem.grad(beta).astype(float), rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(hess, problem.hess(beta).astype(float), rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(f.loss_grad_diag(beta).diag, np.diag(hess), rtol=1e-12)
    B = beta + np.eye(5)
    np.testing.assert_allclose(f.losses(B), [float(problem.loss(point)) for point in B], rtol=1e-12)
    assert (f.dim, f.n, f.n_chunks) == (5, 80, len(f.chunks.lengths))


@every_family
def test_an_integer_weight_is_a_repeated_row(family):
    problem = random_problem(family, Ridge(1), seed=4, weighted=True, shifted=True)
    times = (problem.w / 0.75).astype(int)
    again = Problem(family, Ridge(1), *(np.repeat(c, times, axis=0) for c in (problem.X, problem.y)), None,
                    np.repeat(problem.o, times), False)  # fmt: skip
    beta = np.array([0.3, -0.2, 0.5, 0.1])
    a, b = problem.objective().loss_grad_hess(beta), again.objective().loss_grad_hess(beta)
    for ours, theirs in zip(a, b, strict=True):
        np.testing.assert_allclose(ours, 0.75 * np.asarray(theirs), rtol=1e-12, atol=1e-12)


def test_passes_and_rounds_are_counted():
    f, beta = hard("logistic").objective(chunks=20), np.zeros(5)
    f.loss(beta)
    f.losses(np.ones((7, 5)))
    f.loss_grad(beta + 1)
    f.loss_grad_hess(beta)
    f.map(lambda rows: len(rows.y))
    assert (f.passes, f.rounds, f.extra_passes, f.extra_rounds) == (5, 5, 0, 0)
    f.sample(0.1)
    assert (f.passes, f.rounds) == (5.1, 6)
    with f.booked_apart():
        f.loss(beta)
        with f.booked_apart():
            f.evidence(beta)
        f.price(beta, beta, beta[:, None])
    assert (f.passes, f.rounds, f.extra_passes, f.extra_rounds) == (5.1, 6, 3, 3)
    with pytest.raises(ZeroDivisionError), f.booked_apart():
        raise ZeroDivisionError
    f.loss(beta)
    assert f.passes == 6.1 and f.extra_passes == 3


def test_a_pass_is_one_compute():
    problem = hard("poisson")
    lazy = [da.from_array(c, chunks=(20, *c.shape[1:])) for c in (problem.X, problem.y, problem.w, problem.o)]
    f, beta = Objective("poisson", as_chunks(*lazy[:2], sample_weight=lazy[2], offset=lazy[3])), np.ones(4)
    computes = []
    with dask.config.set(scheduler="threads"), Callback(start=lambda dsk: computes.append(1)):
        f.survey, f.loss(beta), f.loss_grad(beta), f.loss_grad_hess(beta), f.evidence(beta), f.sample(0.5)
        f.visibility(np.ones((4, 1))), f.price(beta, beta, beta[:, None]), f.align(beta, 1e-12, 1e-9)
        f.map(lambda rows: 0)
    assert len(computes) == f.rounds + f.extra_rounds == 10


def test_the_survey_is_made_once_and_serves_as_the_first_gradient():
    f, zero = hard("gamma").objective(), np.zeros(5)
    first = f.survey
    assert f.survey is first and (f.passes, f.extra_passes, f.extra_rounds) == (0, 1, 1)
    loss, grad = f.loss_grad(zero)
    assert (f.passes, f.rounds, f.extra_passes, f.extra_rounds) == (1, 1, 0, 0), "booked as the solver's, once"
    again = f.loss_grad(zero)
    assert again.loss == loss and again.grad.tolist() == grad.tolist()
    assert (f.passes, f.rounds, f.extra_passes, f.extra_rounds) == (1, 1, 0, 0), "and free when asked again"
    f.loss_grad(zero + 0.1)
    f.loss_grad(zero)
    assert (f.passes, f.rounds) == (3, 3), "only the last one is remembered"
    other = hard("gamma").objective()
    other.survey  # noqa: B018
    assert other.loss_grad(zero + 0.1).loss != loss and (other.passes, other.extra_passes) == (1, 1)


def test_what_is_remembered_is_safe_from_who_got_it():
    f, beta = hard("logistic").objective(), np.linspace(-1, 1, 5)
    first = f.loss_grad(beta)
    kept = first.grad.copy()
    first.grad[:] = 0
    again = f.loss_grad(beta)
    assert again.grad.tolist() == kept.tolist()
    again.grad[:] = 0
    assert f.loss_grad(beta).grad.tolist() == kept.tolist()
    beta[:] = 0  # the β that was asked for is remembered, not the array that held it
    assert f.loss_grad(beta).grad.tolist() != kept.tolist()


@pytest.mark.parametrize("ask", ["loss_grad_hess", "loss_grad_diag", "evidence"])
def test_every_pass_with_a_gradient_is_remembered(ask):
    f, beta = hard("poisson").objective(), np.linspace(-1, 1, 5) / 3
    found = getattr(f, ask)(beta)
    known = f.loss_grad(beta)
    assert f.passes == 1 and (known.loss, known.grad.tolist()) == (found.loss, found.grad.tolist())


@pytest.mark.parametrize("ask", ["loss_grad_hess", "evidence"])
def test_a_hessian_is_free_at_the_point_of_the_last_pass_and_nowhere_else(ask):
    f, beta = hard("poisson").objective(), np.linspace(-1, 1, 5) / 3
    getattr(f, ask)(beta).hess[:] = 0  # whatever is done to it
    known = f.loss_grad_hess(beta)
    assert f.passes == 1 and known.hess.tolist() == hard("poisson").objective().loss_grad_hess(beta).hess.tolist()
    f.loss_grad(beta / 2)
    f.loss_grad_hess(beta)
    assert f.passes == 3


@every_family
def test_a_factor_is_made_once_for_each_hessian_whatever_becomes_of_the_point(family):
    f, beta = hard(family).objective(chunks=20), np.linspace(-1, 1, 5) / 3
    assert f.factor(beta) is f.factor(beta.copy()) and f.passes == 1
    beta *= 2
    R = f.factor(beta)
    assert f.passes == (1 if f.quadratic else 2)
    np.testing.assert_allclose(R.T @ R, f.loss_grad_hess(beta).hess, rtol=1e-10, atol=1e-10)


def test_a_diagonal_that_is_remembered_is_safe_from_who_got_it():
    f, beta = hard("poisson").objective(), np.linspace(-1, 1, 5) / 3
    expected = f.look(beta).diag.tolist()
    f.loss_grad_diag(beta).diag[:] = 0
    assert f.loss_grad_diag(beta).diag.tolist() == expected and f.passes == 1


@pytest.mark.parametrize("chunks", [30, 1, (1, 70, 9)])
def test_what_certificates_ask_is_the_worst_of_all_rows_whatever_the_chunks(chunks):
    whole, f = (hard("logistic").objective(cut) for cut in (80, chunks))
    rng = np.random.default_rng(0)
    beta, d, moves = (rng.normal(size=shape) / 9 for shape in (5, 5, (5, 2)))
    np.testing.assert_allclose(f.price(beta, d, moves), whole.price(beta, d, moves), rtol=1e-12)
    assert f.visibility(moves) == pytest.approx(whole.visibility(moves), rel=1e-12)


@every_family
def test_a_hessian_that_is_the_same_everywhere_is_summed_once_and_safe_from_who_got_it(family):
    f, beta = hard(family).objective(chunks=20), np.linspace(-1, 1, 5) / 3
    first = f.loss_grad_hess(np.zeros(5)).hess.copy()
    f.loss_grad_hess(np.zeros(5)).hess[:] = 0
    found, twin = f.loss_grad_hess(beta), hard(family).objective(chunks=20).loss_grad_hess(beta)
    assert (found.hess.tolist() == first.tolist()) == f.quadratic == (family == "gaussian")
    np.testing.assert_allclose(found.hess, twin.hess, rtol=1e-14)
    assert found.loss == twin.loss and found.grad.tolist() == twin.grad.tolist()


def test_the_first_look_may_be_anywhere_and_knows_the_null_model():
    beta, problem = np.linspace(-1, 1, 5) / 3, hard("poisson")
    here, at_zero = problem.objective(chunks=20), problem.objective(chunks=20)
    found, known = here.look(beta), at_zero.survey
    assert found.loss == at_zero.loss(beta) != known.loss and here.survey is found
    assert here.null == at_zero.null == problem.objective(chunks=20).null
    here.loss_grad(beta)
    assert (here.passes, here.extra_passes) == (1, 0)


@every_family
@pytest.mark.parametrize("shift", [0.0, 1e3, -1e3])
def test_the_null_model_is_that_of_the_naive_twin_wherever_offsets_are(family, shift):
    problem = hard(family)
    problem = problem._replace(o=problem.o + shift)
    level, loss = problem.null()
    found = problem.objective(chunks=20).null
    allowed = 64 * np.finfo(float).eps * (1 + abs(shift))
    assert abs(found.level - level) <= allowed
    assert abs(found.loss - loss) <= allowed * problem.w.sum() * (1 + np.abs(problem.y).max())
    assert found.floor == pytest.approx(float(problem.floor()), rel=1e-13)


@pytest.mark.parametrize("family, label", [("logistic", 0.0), ("logistic", 1.0), ("poisson", 0.0)])
@pytest.mark.parametrize("shifted", [False, True])
@pytest.mark.parametrize("look", [False, True], ids=["by itself", "after the first look"])
def test_where_labels_allow_no_null_model_gaps_are_relative_to_p_alone(family, label, shifted, look):
    """With labels of one class the level runs away and the loss falls to its floor: columns have nothing to explain."""
    X, offset = np.linspace(-1, 1, 40)[:, None], np.linspace(0, 3, 40) if shifted else None
    f = Objective(family, as_chunks(X, np.full(40, label), offset=offset, chunks=15))
    if look:
        f.survey  # noqa: B018
    assert f.null.level == (np.inf if label else -np.inf) and f.null.loss == f.null.floor == 0.0
    objective = f.loss(np.zeros(1))
    assert f.scale.null_height == 0.0 and f.scale.unit(objective) == f.scale.height(objective) == objective > 0
    assert 0 < f.residual(np.zeros(1), f.loss_grad(np.zeros(1)).grad, Ridge(1)) < np.inf


def test_rows_that_are_fitted_exactly_leave_a_part_of_the_null_models_p():
    """How large a part is a policy's; nothing but P counts where that is 0."""
    y = np.array([1.0, 2.0, 4.0, 7.0])
    f = Objective("gaussian", as_chunks(np.eye(4), y))
    assert f.scale.null_height == pytest.approx(np.sum((y - 3.5) ** 2))
    assert f.scale.unit(0.0) == pytest.approx(f.scale.null_height / 1000) and f.scale.unit(5.0) == 5.0
    assert Scale(f, Scaling(least=0.5)).unit(0.0) == pytest.approx(f.scale.null_height / 2)
    assert Scale(f, Scaling(least=0.0)).unit(1e-9) == 1e-9


def test_a_family_of_unknown_least_loss_is_measured_by_f_itself():
    problem = random_problem("gaussian", Ridge(1), seed=8)
    f = Objective(PseudoHuber(), as_chunks(problem.X, problem.y))
    assert np.isnan(f.null.floor) and f.scale.unit(-3 * f.null.loss) == 3 * f.null.loss
    assert f.scale.unit(f.null.loss / 9) == f.null.loss > 0


def test_the_residual_at_the_point_of_the_last_pass_is_free_and_books_no_pass():
    f, beta = hard("logistic").objective(), np.full(5, 0.1)
    f.survey  # noqa: B018
    grad = f.loss_grad(beta).grad
    before = f.passes, f.rounds, f.extra_passes, f.extra_rounds
    assert f.residual(beta, grad, Ridge(1)) > 0
    assert (f.passes, f.rounds, f.extra_passes, f.extra_rounds) == before


def test_thin_rows_are_those_of_a_sample_and_stay_where_they_are():
    problem, beta = hard("logistic"), np.linspace(-1, 1, 5)
    f = problem.objective(chunks=30)
    thin, sample = f.thin(0.3), f.sample(0.3)
    assert f.passes == 0.3 and (thin.n, thin.n_chunks, thin.dim) == (24, 3, 5)
    assert thin.loss_grad_hess(beta).hess.tolist() == sample.loss_grad_hess(beta).hess.tolist()
    assert thin.price(beta, beta, beta[:, None]) == sample.price(beta, beta, beta[:, None])
    assert f.passes == 0.3 and thin.passes == 2
    lazy = [da.from_array(c, chunks=(30, *c.shape[1:])) for c in (problem.X, problem.y, problem.w, problem.o)]
    on_dask = Objective("logistic", as_chunks(*lazy[:2], sample_weight=lazy[2], offset=lazy[3], intercept=True))
    assert on_dask.thin(0.3).loss(beta) == thin.loss(beta)
    assert on_dask.thin(0.3).map(lambda rows, own: (len(rows.y), own), "abc") == [(9, "a"), (9, "b"), (6, "c")]
    with pytest.raises(ValueError, match="fraction"):
        f.thin(1.5)


@every_family
def test_the_residual_is_free_of_units(family):
    """X in other units, or all weights multiplied by a number, change no residual."""
    problem = random_problem(family, Ridge(0), seed=5, weighted=True)
    g, zero = Ridge(0), np.zeros(4)
    f = problem.objective()
    expected = f.residual(zero, f.loss_grad(zero).grad, g)
    assert 0 < expected <= 1
    for changed in (problem._replace(X=problem.X * 1e5), problem._replace(w=problem.w * 1e-7)):
        other = changed.objective()
        assert other.residual(zero, other.loss_grad(zero).grad, g) == pytest.approx(expected, rel=1e-12)


def test_the_residual_is_zero_exactly_at_the_optimum_with_the_intercept_free():
    X, y = np.array([[1.0], [-1.0], [1.0], [-1.0]]), np.array([5.0, 3.0, 5.0, 3.0])
    f, g = Objective("gaussian", as_chunks(X, y, intercept=True)), FreeIntercept(L1(2.0))
    best = np.array([1 - 2.0 / 8, 4.0])
    assert f.residual(best, f.loss_grad(best).grad, g) == 0.0
    off = best + [0.0, 0.5]
    unit = 4 * (0.25**2 + 0.5**2) + 2 * 0.75  # P = F, and a thousandth of Σ (y − 4)² is less
    assert f.residual(off, f.loss_grad(off).grad, g) == pytest.approx(2 * 4 * 0.5 / np.sqrt(2 * 2 * 4 * unit))


def test_a_sample_of_everything_is_everything():
    problem, beta = hard("gaussian"), np.linspace(-1, 1, 5)
    f = problem.objective(chunks=30)
    whole = f.sample(1.0)
    assert whole.loss(beta) == f.loss(beta) and whole.dim == f.dim and whole.family == f.family
    small = f.sample(0.3, seed=5)
    assert small.n == 24 and small.n_chunks == 3 and small.passes == 0
    for fraction in (0, -1, 1.5):
        with pytest.raises(ValueError, match="fraction"):
            f.sample(fraction)


def test_map_hands_each_chunk_its_own():
    f = hard("gaussian").objective(chunks=30)
    assert f.map(lambda rows, a, b: (len(rows.y), a + b), [1, 2, 3], [10, 20, 30]) == [(30, 11), (30, 22), (20, 33)]


@pytest.mark.parametrize("lazy", [False, True], ids=["memory", "dask"])
def test_map_on_some_chunks_reads_no_others_and_books_their_share(lazy):
    rows, read = np.arange(20.0)[:, None], []
    X = da.from_array(rows, chunks=(5, 1)).map_blocks(lambda block: read.append(len(block)) or block, meta=rows[:0])
    f = Objective("gaussian", as_chunks(X if lazy else rows, rows[:, 0], chunks=5))
    with dask.config.set(scheduler="sync"):
        found = f.map(lambda rows, a, own: (float(rows.y[0]), a, own), "xy", shared=("a",), which=[3, 1])
    assert found == [(15.0, "a", "x"), (5.0, "a", "y")] and (f.passes, f.rounds) == (0.5, 1)
    assert read == [5, 5] * lazy and f.loss(np.zeros(1)) == (rows**2).sum(), "and the others are there as before"


LABELS = {"logistic": [-1.0, 1.0], "poisson": [-1.0, 3.0], "gamma": [0.0, 2.0]}


@pytest.mark.parametrize("family, needs", [("logistic", r"\[0, 1\]"), ("poisson", "counts y >= 0"), ("gamma", "y > 0")])
@pytest.mark.parametrize("chunks", [100, 3])
def test_labels_outside_the_domain_are_refused_with_what_was_found(family, needs, chunks):
    X, y = np.ones((20, 1)), np.ones(20)
    y[-2:] = LABELS[family]
    f = Objective(family, as_chunks(X, y, chunks=chunks))
    with pytest.raises(ValueError, match=f"y does not suit .*{needs}.*y holds {y.min():g}"):
        f.survey  # noqa: B018
    assert f.rounds == 0 and f.extra_rounds == 1


@pytest.mark.parametrize("name, value", [("X", np.nan), ("y", np.inf), ("sample_weight", np.nan), ("offset", -np.inf),
                                         ("sample_weight", np.inf), ("X", -np.inf)])  # fmt: skip
@pytest.mark.parametrize("lazy", [False, True], ids=["memory", "dask"])
@every_family
def test_a_value_that_is_not_finite_is_found_in_any_chunk(name, value, lazy, family):
    problem = random_problem(family, Ridge(1), seed=6)
    given = {"X": problem.X.copy(), "y": problem.y.copy(), "sample_weight": np.ones(80), "offset": np.zeros(80)}
    given[name].flat[-1] = value
    if lazy:
        given = {key: da.from_array(column, chunks=(20, *column.shape[1:])) for key, column in given.items()}
    X, y, extras = given["X"], given["y"], {key: given[key] for key in ("sample_weight", "offset")}
    f = Objective(family, as_chunks(X, y, **extras, chunks=20))
    with pytest.raises(ValueError, match=f"{name} holds {value}"):
        f.survey  # noqa: B018


@pytest.mark.parametrize("weights, message", [(-1.0, "80 negative"), (0.0, "zero on every row")])
def test_weights_that_cannot_be_are_refused_by_name(weights, message):
    problem = random_problem("gaussian", Ridge(1), seed=7)
    f = problem._replace(w=np.full(80, weights)).objective(chunks=20)
    with pytest.raises(ValueError, match=f"sample_weight .*{message}"):
        f.survey  # noqa: B018


def test_families_and_kernels_by_name():
    chunks = as_chunks(np.ones((3, 1)), np.ones(3))
    for name, kind in (("gaussian", Gaussian), ("logistic", Logistic), ("poisson", Poisson), ("gamma", Gamma)):
        assert Objective(name, chunks).family == kind()
    with pytest.raises(ValueError, match="did you mean 'poisson'"):
        Objective("poison", chunks)
    with pytest.raises(ValueError, match="numpy"):
        Objective("gamma", chunks, "nunpy")
    with pytest.raises(TypeError, match=r"Gamma\(\)"):
        Objective(Gamma, chunks)
    assert "gamma" in repr(Objective("gamma", chunks)).lower()
    for name in NAMES:
        assert Objective("gamma", chunks, name).kernels == name


def test_a_readers_own_family_needs_three_functions():
    problem = random_problem("gaussian", Ridge(1), seed=8)
    f = Objective(PseudoHuber(), as_chunks(problem.X, problem.y))
    assert f.survey.bad_labels == 0
    beta, step = np.full(4, 0.2), 1e-6
    slope = [(f.loss(beta + e) - f.loss(beta - e)) / (2 * step) for e in step * np.eye(4)]
    np.testing.assert_allclose(f.loss_grad(beta).grad, slope, rtol=1e-6)
