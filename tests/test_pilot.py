"""Proximal Newton with a kept Hessian: its rate, what it refuses, when it renews, and data made to fool a pilot."""

from itertools import islice

import numpy as np
import pytest
from naive import Problem, draw, joined, random_problem

from glmlab import L1, ElasticNet, Logistic, Objective, Ridge, Zero, as_chunks, fit, run
from glmlab.datasets import make_logistic
from glmlab.maths.certificates import certificate_at
from glmlab.maths.penalties import FreeIntercept
from glmlab.maths.quadratic import minimise_model
from glmlab.policy import Keeping, Sampling, Stopping
from glmlab.solvers import lbfgs, pilot, pilot_newton
from glmlab.solvers.linesearch import rounding
from glmlab.solvers.pilot import Kept, descends, first_hessian, longer, pays, repaired

FAMILIES = ["gaussian", "logistic", "poisson", "gamma"]
every_family = pytest.mark.parametrize("family", FAMILIES)

GAP_ALONE = Stopping(rough_tol=0.0)  # however few the rows are, a proof of tol is all that is asked for
KEPT = Keeping(soon=0)  # however few the rows are, the pilot's Hessian is kept for as long as it serves


def data(family="logistic", n=20_000, p=6, seed=0):
    rng = np.random.default_rng([seed, *family.encode()])
    X = rng.normal(size=(n, p)) * rng.uniform(0.3, 1.2, p)
    return X, draw(family, X @ rng.normal(size=p) / 2 + 0.3, rng)


def objective(family="logistic", n=20_000, chunks=3000, intercept=False, **options):
    X, y = data(family, n, **options)
    return Objective(family, as_chunks(X, y, chunks=chunks, intercept=intercept))


# --- the rate ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("penalty", [Zero(), L1(900.0), Ridge(300.0), ElasticNet(900.0, 0.5)], ids=repr)
def test_errors_contract_by_epsilon_in_the_metric_of_the_kept_hessian(penalty):
    """For least squares ε = ‖I − Ĥ^(−½)(∇²f)Ĥ^(−½)‖ is one number, and the prox in the metric Ĥ is nonexpansive."""
    f = objective("gaussian", n=4000)
    kept, *_ = first_hessian(f, np.zeros(f.dim), 0)
    H, best = f.loss_grad_hess(np.zeros(f.dim)).hess, fit(*data("gaussian", 4000), family="gaussian", penalty=penalty,
                                                         solver="proximal_newton", tol=1e-13).beta  # fmt: skip
    values, vectors = np.linalg.eigh(kept.hess)
    root = vectors / np.sqrt(values)
    epsilon = np.abs(np.linalg.eigvalsh(np.eye(f.dim) - root.T @ H @ root)).max()
    assert kept.origin == "pilot" and 0.01 < epsilon < 0.9
    states = list(islice(pilot_newton(f, penalty, np.full(f.dim, 0.3), keeping=KEPT), 5))
    # The ridge is in the model exactly, so that its Hessian counts on both sides.
    metric = kept.hess + penalty.l2 * np.eye(f.dim)
    errors = [np.sqrt((s.beta - best) @ metric @ (s.beta - best)) for s in states if s.hessian == "pilot"]
    assert len(errors) >= 3
    for before, after in zip(errors, errors[1:], strict=False):
        assert after <= epsilon * before * (1 + 1e-9) + 1e-9


@every_family
def test_an_iteration_is_one_pass_and_certified_digits_come_with_each(family):
    f = objective(family, n=40_000, intercept=True)
    result = run("pilot_newton", f, L1(3.0), tol=1e-9)
    assert result.converged and result.certificate.relative <= 1e-9
    own = np.diff(result.trace.passes)
    assert np.all(own == 1) and result.trace.passes[0] == pytest.approx(1 + 150 * f.dim / f.n, rel=0.01) or own.size
    assert result.n_iter <= 11 and np.all(np.diff(result.trace.objective) <= 1e-12 * abs(result.objective))


@every_family
@pytest.mark.parametrize("penalty", [Zero(), L1(40.0), Ridge(20.0), ElasticNet(40.0, 0.5)], ids=repr)
def test_it_finds_what_proximal_newton_finds(family, penalty):
    X, y = data(family)
    options = {"family": family, "penalty": penalty, "fit_intercept": True, "tol": 1e-11}
    ours, theirs = (fit(X, y, solver=solver, **options) for solver in ("pilot_newton", "proximal_newton"))
    assert ours.converged and theirs.objective - ours.objective <= theirs.certificate.bound
    assert ours.objective - theirs.objective <= ours.certificate.bound
    assert np.array_equal(ours.beta == 0, theirs.beta == 0)


@pytest.mark.parametrize("lam", [0.0, 5.0])
def test_small_data_are_no_obstacle(lam):
    """Fewer pilot rows than coefficients: the pilot does not see every direction, and the full Hessian takes over."""
    problem = random_problem("logistic", L1(lam) if lam else Zero(), seed=3, n=80)
    f = problem.objective(chunks=30)
    result = run("pilot_newton", f, problem.penalty, tol=1e-10)
    assert result.converged
    few = objective(n=30, p=8, chunks=10)
    assert next(pilot_newton(few, Ridge(1.0), np.zeros(8))).hessian == "full"


# --- data that fool a careless pilot ----------------------------------------------------------------------------


def sorted_by_label(X, y, rng):
    order = np.argsort(y, kind="stable")
    return X[order], y[order]


def sorted_by_feature(X, y, rng):
    order = np.argsort(X[:, 0])
    return X[order], y[order]


def chunks_of_their_own(X, y, rng):
    X = X * np.repeat(rng.uniform(0.1, 3.0, size=(20, X.shape[1])), len(X) // 20, axis=0)
    return X, draw("logistic", X @ rng.normal(size=X.shape[1]) / 2, rng)


def periodic(X, y, rng):
    """Every hundredth row is unlike the others: a stride would take all of them or none."""
    X = X.copy()
    X[::100] *= 10
    return X, draw("logistic", X @ rng.normal(size=X.shape[1]) / 4, rng)


def rare_columns(X, y, rng):
    rare = (np.arange(len(X))[:, None] % [1500, 2100, 3300] == 7).astype(float)
    X = np.c_[X, rare]
    return X, draw("logistic", X @ rng.normal(size=X.shape[1]) / 2, rng)


def heavy_tails(X, y, rng):
    X = X * rng.standard_t(3, size=(len(X), 1))
    return X, draw("logistic", X @ rng.normal(size=X.shape[1]) / 2, rng)


@pytest.mark.parametrize("penalty", [Ridge(1.0), L1(4.0)], ids=repr)
@pytest.mark.parametrize("trick", [sorted_by_label, sorted_by_feature, chunks_of_their_own, periodic, rare_columns,
                                   heavy_tails], ids=lambda trick: trick.__name__)  # fmt: skip
def test_it_is_right_on_data_made_to_fool_it(trick, penalty):
    X, y = trick(*data(n=40_000), np.random.default_rng(1))
    options = {"family": "logistic", "penalty": penalty, "fit_intercept": True, "tol": 1e-9}
    ours = [fit(X, y, solver="pilot_newton", seed=seed, **options) for seed in range(5)]
    passes = np.median([result.passes for result in ours])
    assert passes < 10.5, "rows from the heads of the chunks need 11 when sorted by a feature"
    theirs = fit(X, y, solver="proximal_newton", **options)
    true = Problem("logistic", penalty, X, y, None, None, True)  # in extended precision: rounding gets no allowance
    lowest = true.value(joined(theirs, True))
    gaps = [true.value(joined(result, True)) - lowest for result in ours]
    assert all(r.converged and gap <= r.certificate.bound for r, gap in zip(ours, gaps, strict=True))


def test_rare_columns_get_their_diagonal_from_all_rows_and_common_ones_keep_the_pilots():
    X, y = rare_columns(*data(), np.random.default_rng(2))
    f = Objective("logistic", as_chunks(X, y, chunks=3000))
    kept, loss, grad = first_hessian(f, np.zeros(f.dim), 0)
    H, few = f.loss_grad_hess(np.zeros(f.dim)), f.pilot(0).loss_grad_hess(np.zeros(f.dim)).hess
    sampled, found = np.diag(few), np.diag(kept.hess)
    off = (np.diag(H.hess) > 1.5 * sampled) | (1.5 * np.diag(H.hess) < sampled)
    assert kept.origin == "pilot" and off[6:].any() and not off[:6].any()
    np.testing.assert_allclose(found, np.where(off, np.diag(H.hess), sampled), rtol=1e-12)
    assert loss == H.loss and grad.tolist() == H.grad.tolist()


def test_repair_replaces_what_is_surely_wrong():
    sampled, diagonal = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 2.0]), np.array([1.4, 0.7, 1.6, 3.0, 0.0, 1.0])
    assert repaired(sampled, diagonal, 1.5).tolist() == [1.0, 1.0, 1.6, 3.0, 0.0, 1.0]


@pytest.mark.parametrize("kappa", [1.0, 1e6])
def test_the_condition_number_costs_no_passes(kappa):
    """With a diagonal of its own beside the pilot's correlations the kept Hessian lasts only while κ is small."""
    rng = np.random.default_rng(8)
    turn, _ = np.linalg.qr(rng.normal(size=(15, 15)))
    X = rng.normal(size=(40_000, 15)) * np.geomspace(1, kappa**-0.5, 15) @ turn.T
    eta = X @ turn.sum(axis=1)
    y = draw("logistic", eta / eta.std(), rng)
    result = fit(X, y, family="logistic", solver="pilot_newton", tol=1e-9, policy=GAP_ALONE, keeping=KEPT)
    assert result.converged and result.state.hessian == "pilot" and result.passes <= 9


@pytest.mark.parametrize("solver", ["pilot_newton", "lbfgs"])
@pytest.mark.parametrize("family, penalty", [("logistic", Zero()), ("logistic", Ridge(1e-9)), ("gamma", Zero())])
def test_a_pilot_whose_hessian_has_lost_digits_brings_its_factor(solver, family, penalty):
    """Columns that differ by 3e-8: the sums know nothing of their difference, R has eight digits of it."""
    X, y = data(family, n=8000, p=3)
    X[:, 2] = X[:, 0] + 3e-8 * np.random.default_rng(9).normal(size=len(X))
    options = {"family": family, "penalty": penalty, "fit_intercept": True, "tol": 1e-8, "policy": GAP_ALONE}
    kept = {"keeping": KEPT} if solver == "pilot_newton" else {}
    ours, theirs = fit(X, y, solver=solver, **options, **kept), fit(X, y, solver="newton", **options)
    assert ours.converged and theirs.converged and ours.passes <= 20
    assert getattr(ours.state, "hessian", None) == "pilot" or ours.state.metric == "pilot"
    assert abs(ours.objective - theirs.objective) <= ours.certificate.bound + theirs.certificate.bound


def test_the_factor_of_a_stretched_hessian_is_stretched_with_it():
    rng = np.random.default_rng(3)
    R, grad = rng.normal(size=(5, 4)), rng.normal(size=4)
    R[:, 3] = R[:, 0] + 1e-7 * R[:, 3]
    kept = Kept(R.T @ R, "pilot", factor=lambda: R)
    far, near = (h.model(Zero(), np.zeros(4), R.T @ R @ grad).step for h in (kept, kept.stretched(16.0)))
    np.testing.assert_allclose(near, far / 16, rtol=1e-6)
    np.testing.assert_allclose(far[1:3], -grad[1:3], rtol=1e-6)


# --- refusing and renewing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor, scale", [(0.05, 2.0), (0.4, 2.0), (1e-4, 100.0)])
def test_a_hessian_too_small_is_scaled_up_until_steps_descend(monkeypatch, factor, scale):
    f, g = objective(), Ridge(5.0)
    honest = first_hessian(f, np.zeros(f.dim), 0)
    monkeypatch.setattr(pilot, "first_hessian", lambda *a: (Kept(factor * honest[0].hess, "pilot"), *honest[1:]))
    states = list(islice(pilot_newton(f, g, np.zeros(f.dim)), 12))
    heights = [s.objective for s in states]
    assert np.all(np.diff(heights) <= 1e-15 * heights[0]) and states[1].scale >= scale
    assert heights[-1] - fit(*data(), family="logistic", penalty=g).objective <= 1e-10 * heights[-1]


@pytest.mark.parametrize("factor", [100.0, 1e4])
def test_where_progress_is_slow_the_full_hessian_comes_with_the_next_pass(monkeypatch, factor):
    f, g = objective(), L1(5.0)
    honest = first_hessian(f, np.zeros(f.dim), 0)
    monkeypatch.setattr(pilot, "first_hessian", lambda *a: (Kept(factor * honest[0].hess, "pilot"), *honest[1:]))
    f.survey  # noqa: B018
    before, states = f.passes, []
    for state in islice(pilot_newton(f, g, np.zeros(f.dim)), 9):
        states.append(state)
        assert f.passes - before == len(states) - 1, "one pass an iteration, with a Hessian or without"
    assert states[0].hessian == "pilot" and states[-1].hessian == "full"
    assert states[-1].objective <= fit(*data(), family="logistic", penalty=g, tol=1e-11).objective * (1 + 1e-11)


def test_a_full_hessian_need_not_be_paid_for_the_last_digit():
    assert not pays(decrement=1e-3, before=1.0, wanted=1e-11, dim=10, enough=0.1), "three digits a pass"
    assert pays(decrement=0.5, before=1.0, wanted=1e-11, dim=10, enough=0.1), "a third of a digit a pass, eleven wanted"
    assert pays(decrement=2.0, before=1.0, wanted=1e-11, dim=10, enough=0.1), "no progress at all"
    assert not pays(decrement=0.5e-11, before=1e-11, wanted=1e-11, dim=10, enough=0.1), "nothing more is wanted"
    assert not pays(decrement=1e-10, before=5e-10, wanted=1e-11, dim=10, enough=0.1), "a digit more is cheaper without"
    assert not pays(decrement=1e-5, before=3e-5, wanted=1e-11, dim=1000, enough=0.1), "a large Hessian is dear"
    assert not pays(decrement=np.nan, before=1.0, wanted=1e-11, dim=10, enough=0.1)


@pytest.mark.parametrize("curvature, right", [(0.1, True), (1.0, True), (1.7, True), (1.9, False), (5.0, False)])
@pytest.mark.parametrize("size", [1.0, 1e-17])
def test_a_step_descends_enough_iff_the_curvature_is_below_1_8_times_the_models(curvature, right, size):
    """F along d is F(β) − D t + ½ c D t², D the promise and c the curvature in units of the model's.

    With F = 1 the second size drowns in rounding, and only the slope at the end of the step can tell.
    """
    value = 1.0 - size + curvature * size / 2
    assert descends(1.0, size, curvature * size, value, 1e-14) == right


def test_nothing_that_overflows_descends():
    assert not any(descends(1.0, 1.0, np.nan, value, noise) for value in (np.inf, np.nan) for noise in (0.0, 99.0))


@pytest.mark.parametrize("solver", ["pilot_newton", "lbfgs"])
def test_columns_a_billionth_apart_make_f_noisy_and_steps_are_not_shortened_for_that(solver):
    """β is 3e7, η a difference of such numbers, and F wrong by 1e-10 of itself long before the slope is."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4000, 3))
    X[:, 2] = X[:, 0] + 1e-9 * rng.normal(size=4000)
    y = rng.poisson(np.exp(0.4 * X[:, 0])).astype(float)
    result = fit(X, y, family="poisson", fit_intercept=True, solver=solver, tol=1e-7, policy=GAP_ALONE)
    assert result.converged and result.n_iter < 16


@pytest.mark.parametrize("solver", [pilot_newton, lbfgs])
def test_where_the_model_promises_nothing_more_it_ends(solver):
    assert len(list(islice(solver(objective(n=4000), Ridge(3.0), np.zeros(6)), 60))) < 60


def test_the_noise_of_f_is_what_computing_it_leaves_of_a_constant():
    """Along (1, −1) equal columns do not move η, which is computed as a difference of ever larger numbers."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=3000), rng.poisson(1.0, 3000).astype(float)
    f = Objective("poisson", as_chunks(np.c_[x, x, 3 * x], y))
    for size in (1.0, 1e4, 1e8):
        points = size * rng.uniform(1, 2, (40, 1)) * [1.0, 2.0, -1.0]
        wrong = np.abs(f.losses(points) - 3000).max()
        assert wrong <= rounding(f, points[0], 3000.0) <= 1e3 * max(wrong, 3000 * 1e-16)


@pytest.mark.parametrize(("bent", "times"), [(0.1, 2.0), (7.0, 7.0), (64.0, 64.0), (np.inf, 64.0), (np.nan, 64.0)])
def test_the_hessian_grows_by_the_curvature_seen_or_as_the_longest_descent_asks(bent, times):
    """F = 32 (1 + b)² from 0, of which Ĥ = 1 knows a 64th: the step −64 is 64 times too long."""
    f = Objective("gaussian", as_chunks(np.full((1, 1), 32.0**0.5), np.full(1, -(32.0**0.5))))
    model = minimise_model(Zero(), np.zeros(1), np.full(1, 64.0), np.eye(1))
    d = model.point[0]
    assert longer(f, Zero(), np.zeros(1), 32.0, model, bent * d * d, np.eye(1), Keeping()) == times
    assert f.passes == (0 if bent <= 8 else 1)
    assert Kept(np.eye(1), "pilot").stretched(times).hess == times


@pytest.mark.parametrize("seed", [-1, 1.5, "a", None, True])
def test_a_seed_that_is_none_is_refused(seed):
    with pytest.raises((ValueError, TypeError), match="seed must be a whole number"):
        next(pilot_newton(objective(n=100), Ridge(1.0), np.zeros(6), seed=seed))


def test_another_seed_is_another_pilot_and_the_same_answer():
    X, y = data()
    first, again, other = (fit(X, y, family="logistic", solver="pilot_newton", tol=1e-11, seed=s) for s in (0, 0, 1))
    assert first.beta.tolist() == again.beta.tolist() != other.beta.tolist()
    np.testing.assert_allclose(first.beta, other.beta, atol=1e-5)


# --- the pilot and the model ------------------------------------------------------------------------------------


def test_a_pilot_is_drawn_once_and_stands_for_all_rows():
    f = objective("poisson", n=20_000, intercept=True)
    few = f.pilot(3)
    assert f.pilot(3) is few and f.rounds == 1
    assert few.n == pytest.approx(150 * f.dim, rel=0.01) and f.passes == pytest.approx(few.n / f.n, rel=0.01)
    assert few.survey.weight == pytest.approx(20_000)
    beta = np.full(f.dim, 0.1)
    assert few.loss(beta) == pytest.approx(f.loss(beta), rel=0.1)
    assert f.pilot(4) is not few and f.rounds == 3


def test_a_certificate_gets_the_pilots_rows_as_they_weigh_if_they_are_about_as_many_as_it_asks_for():
    """They are here, and cost no round. Scaled up they would prove a gap smaller than it is."""
    f, g = objective(n=20_000), Ridge(3.0)
    share, lowest = f.pilot().n / f.n, run("newton", objective(n=20_000), g, tol=1e-14).objective
    rounds, own = f.rounds, f.thin(1.5 * share)
    assert own is f.thin(0.5 * share) and own.n == own.survey.weight == share * f.n and f.rounds == rounds
    assert f.thin(3 * share).n == pytest.approx(3 * share * f.n, rel=0.01)
    rng, best = np.random.default_rng(0), fit(*data(n=20_000), family="logistic", penalty=g, tol=1e-12).beta
    for beta in best + 1e-3 * rng.normal(size=(10, f.dim)):
        gap = f.loss(beta) + g.value(beta) - lowest
        assert gap <= certificate_at(f, g, beta, sample=own).bound


@pytest.mark.parametrize("numbers, rows", [(8_001, 2_000), (4_000, 1_000), (0, 600)])
def test_a_pilot_of_very_many_rows_has_no_more_numbers_than_a_laptop_will_hold(numbers, rows):
    chunks = as_chunks(*make_logistic(200_000, 4, chunks=50_000)[:2])
    f = Objective(Logistic(), chunks, policy=Sampling(pilot=numbers))
    f.pilot()
    assert f.passes * f.n == pytest.approx(rows)


@pytest.mark.parametrize("penalty", [Zero(), L1(4.0), Ridge(3.0), ElasticNet(5.0, 0.4)], ids=repr)
@pytest.mark.parametrize("intercept", [False, True])
def test_the_models_minimiser_satisfies_its_own_optimality_and_keeps_its_promise(penalty, intercept):
    rng = np.random.default_rng(4)
    g = FreeIntercept(penalty) if intercept else penalty
    A, beta, grad = rng.normal(size=(9, 5)), rng.normal(size=5) * [1, 1, 0, 1, 1], rng.normal(size=5) * 6
    H = A.T @ A
    model = minimise_model(g, beta, grad, H)
    slope = grad + H @ (model.point - beta)
    assert np.abs(g.distance(model.point, slope)).max() <= 1e-12
    d = model.point - beta
    assert model.promise == pytest.approx(-(grad @ d + g.value(model.point) - g.value(beta)), rel=1e-12)
    assert model.decrement == pytest.approx(model.promise - d @ H @ d / 2, rel=1e-12) and model.decrement > 0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_there_is_no_model_of_what_overflows(bad):
    for grad, hess in ((np.array([bad, 0]), np.eye(2)), (np.zeros(2), np.full((2, 2), bad))):
        model = minimise_model(Ridge(1.0), np.ones(2), grad, hess)
        assert model.point.tolist() == [1, 1] and np.isnan(model.promise) and np.isnan(model.decrement)
