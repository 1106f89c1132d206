"""Solvers by what their papers prove: steps, rates, coincidences, oracle calls; and states that stay what they were."""

import math
from itertools import islice

import numpy as np
import pytest
from naive import optimum, random_problem

from glmlab import L1, ElasticNet, Objective, Ridge, Zero, as_chunks, fit, solvers
from glmlab.solvers import (
    SOLVERS,
    consensus_admm,
    fista,
    gradient_descent,
    lbfgs,
    newton,
    newton_cg,
    pilot_newton,
    proximal_gradient,
    proximal_newton,
    working_sets,
)
from glmlab.solvers.linesearch import armijo, first_step, objective_along
from glmlab.solvers.newton import is_model

FAMILIES = ["gaussian", "logistic", "poisson", "gamma"]
SMOOTH = [gradient_descent, newton, newton_cg, lbfgs]
ANY = [proximal_gradient, fista, proximal_newton, pilot_newton, working_sets, consensus_admm]
EPS = np.finfo(float).eps
every_family = pytest.mark.parametrize("family", FAMILIES)
every_solver = pytest.mark.parametrize("solver", SMOOTH + ANY, ids=lambda solver: solver.__name__)


def setting(family="logistic", penalty=None, seed=0, **options):
    """A problem, its Objective, its penalty and a start."""
    problem = random_problem(family, Ridge(2.0) if penalty is None else penalty, seed=seed, **options)
    f = problem.objective(chunks=30)
    return problem, f, problem.g, np.zeros(f.dim)


def curvature(problem, beta):
    """μ and L: the extreme eigenvalues of ∇²F at β."""
    H = (problem.hess(beta) + problem.penalty.l2 * np.eye(len(beta))).astype(float)
    return np.linalg.eigvalsh(H)[[0, -1]]


def suited(solver):
    return Ridge(2.0) if solver in SMOOTH else ElasticNet(4.0, 0.5)


def test_the_names_are_the_functions():
    assert SOLVERS == {solver.__name__: solver for solver in SMOOTH + ANY}
    assert all(getattr(solvers, name) is solver for name, solver in SOLVERS.items())


# --- states -----------------------------------------------------------------------------------------------------


@every_family
@every_solver
def test_every_field_belongs_to_the_beta_that_is_yielded(solver, family):
    problem, f, g, start = setting(family, suited(solver), weighted=True, shifted=True, intercept=True)
    for state in islice(solver(f, g, start), 6):
        assert state.objective == pytest.approx(float(problem.value(state.beta)), rel=1e-12)
        grad = problem.grad(state.beta).astype(float)
        assert state.residual == pytest.approx(f.residual(state.beta, grad, g), rel=1e-9, abs=1e-13)


def plain(state):
    """A copy of a state that == can compare."""
    return [value.tolist() if isinstance(value, np.ndarray) else value for value in state]


@every_solver
def test_a_list_of_states_is_safe(solver):
    """What was yielded first is the same after five more iterations, and what the reader does to start changes none."""
    _, f, g, start = setting(penalty=suited(solver))
    f.look(start)  # `run` makes the first pass before it asks a solver for a state
    one_by_one = [plain(state) for state in islice(solver(f, g, start), 6)]
    mine = start.copy()
    together = list(islice(solver(f, g, mine), 6))
    mine += 1
    assert one_by_one == [plain(state) for state in together]
    assert len({tuple(state.beta) for state in together}) == 6


@every_solver
def test_states_cannot_be_written(solver):
    _, f, g, start = setting(penalty=suited(solver))
    for state in islice(solver(f, g, start), 3):
        for values in state:
            if isinstance(values, np.ndarray):
                with pytest.raises(ValueError, match="read-only"):
                    values[0] = 1.0


@every_solver
def test_a_generator_does_nothing_before_its_first_state(solver):
    _, f, g, start = setting(penalty=suited(solver))
    solver(f, g, start)
    assert f.passes == f.extra_passes == 0


@pytest.mark.parametrize("step", [0, -1, 0.0, np.inf, np.nan, "1", [0.1]])
@pytest.mark.parametrize("solver", [gradient_descent, proximal_gradient, fista])
def test_a_step_that_is_none_is_refused_before_any_pass(solver, step):
    _, f, g, start = setting()
    with pytest.raises((ValueError, TypeError), match="step must be"):
        next(solver(f, g, start, step=step))
    assert f.passes == f.extra_passes == 0


BY_ITERATION = [solver for solver in SMOOTH + ANY if solver not in (newton_cg, consensus_admm)]


@pytest.mark.parametrize("solver", BY_ITERATION, ids=lambda solver: solver.__name__)
def test_passes_an_iteration_are_what_the_docstring_says(solver):
    """Once steps are settled: one pass where the trial pass is the next one or the step constant, else two.

    What ADMM's chunks do by themselves is counted in test_admm.py, conjugate gradients in test_newton_cg.py. A
    second-order method may have ended before the fourth: at the optimum to the last bit no step descends.
    """
    _, f, g, start = setting(penalty=suited(solver))
    f.survey  # noqa: B018
    states = solver(f, g, start)
    list(islice(states, 3))
    before = f.passes
    more = len(list(islice(states, 4)))
    assert more >= 2 and f.passes - before == more * (1 if solver in (proximal_gradient, pilot_newton, lbfgs) else 2)
    for constant, cost in ((gradient_descent, 1), (proximal_gradient, 1), (fista, 2)):
        states = constant(f, Ridge(2.0), start, step=1e-3)
        list(islice(states, 3))
        before = f.passes
        list(islice(states, 4))
        assert f.passes - before == 4 * cost


# --- descent and rates ------------------------------------------------------------------------------------------


@every_family
@every_solver
def test_the_objective_falls_to_the_optimum(solver, family):
    problem, f, g, start = setting(family, suited(solver), seed=1, intercept=True, weighted=True)
    lowest = float(problem.value(optimum(problem)))
    states = list(islice(solver(f, g, start), 400))
    heights = np.array([state.objective for state in states])
    if solver not in (fista, consensus_admm):
        assert np.all(np.diff(heights) <= 1e-13 * np.abs(heights).max())
    assert heights[-1] - lowest <= 1e-9 * max(abs(lowest), abs(heights[0]))


@every_family
def test_gradient_descent_contracts_by_one_minus_mu_over_l(family):
    """Karimi, Nutini & Schmidt (2016), Theorem 1, for the Gaussian family, whose curvature is the same everywhere."""
    problem, f, g, start = setting("gaussian", seed=FAMILIES.index(family))
    mu, L = curvature(problem, start)
    lowest = problem.value(optimum(problem))
    gaps = [problem.value(state.beta) - lowest for state in islice(gradient_descent(f, g, start, step=1 / L), 40)]
    for before, after in zip(gaps, gaps[1:], strict=False):
        assert after <= (1 - mu / L) * before + 1e-13 * abs(lowest)


def test_a_constant_step_is_the_textbook_update_and_diverges_beyond_two_over_l():
    problem, f, g, start = setting("gaussian")
    _, L = curvature(problem, start)
    states = list(islice(gradient_descent(f, g, start, step=0.9 / L), 5))
    for before, after in zip(states, states[1:], strict=False):
        slope = (problem.grad(before.beta) + 2.0 * before.beta).astype(float)
        np.testing.assert_allclose(after.beta, before.beta - 0.9 / L * slope, rtol=1e-11, atol=1e-12)
    below = [state.objective for state in islice(gradient_descent(f, g, start, step=1.9 / L), 60)]
    beyond = [state.objective for state in islice(gradient_descent(f, g, start, step=2.1 / L), 150)]
    assert below[-1] < below[0] and beyond[-1] > 1e3 * beyond[0]


def test_gradient_descent_takes_no_step_that_hardly_descends():
    """On (1.00005 − β)² a step of 0.99995 leads to the mirror image, lower by 5e-5 of what the slope promised."""
    f = Objective("gaussian", as_chunks(np.ones((1, 1)), np.full(1, 1.00005)))
    first, second = islice(gradient_descent(f, Zero(), np.zeros(1)), 2)
    assert 2 * first.step == pytest.approx(0.99995) and second.objective < 1e-3 * first.objective


def test_a_step_that_is_searched_for_is_no_longer_than_the_curvature_along_it_allows():
    """f lies below its model, as Beck & Teboulle's proofs need: for least squares that says t dᵀ∇²f d ≤ ‖d‖²."""
    problem, _, g, start = setting("gaussian", L1(1.0))
    problem = problem._replace(X=problem.X * [1.0, 0.3, 0.1, 0.03])
    states, H = list(islice(proximal_gradient(problem.objective(), g, start), 40)), problem.hess(start).astype(float)
    for before, after in zip(states, states[1:], strict=False):
        d, t = after.beta - before.beta, after.step / 1.1
        assert t * (d @ H @ d) <= 1.001 * (d @ d)


@pytest.mark.parametrize("penalty", [Zero(), L1(6.0), ElasticNet(8.0, 0.6)], ids=repr)
@pytest.mark.parametrize("solver", [proximal_gradient, fista])
def test_sublinear_rates(solver, penalty):
    """F(β_k) − F* ≤ L‖β₀ − β*‖² / 2k, accelerated 2/(k + 1)², with t = 1/L.

    Beck & Teboulle (2009), Theorems 3.1 and 4.4.
    """
    for seed in range(3):
        problem, f, g, start = setting("gaussian", penalty, seed=seed)
        problem = problem._replace(X=problem.X * [1.0, 0.3, 0.1, 0.03])
        f, best = problem.objective(), optimum(problem)
        L = np.linalg.eigvalsh(problem.hess(start).astype(float))[-1]
        allowed = L * float(best @ best)
        rate = (lambda k: 2 / (k + 1) ** 2) if solver is fista else (lambda k: 1 / (2 * k))
        for k, state in enumerate(islice(solver(f, g, start, step=1 / L), 1, 60), start=1):
            assert problem.value(state.beta) - problem.value(best) <= allowed * rate(k) + 1e-12


def test_acceleration_pays_on_bad_conditioning():
    problem, _, g, start = setting("gaussian", Zero())
    problem = problem._replace(X=problem.X * [1.0, 0.3, 0.1, 0.03])
    lowest, f = problem.value(optimum(problem)), problem.objective()

    def passes_to(solver, digits):
        f.passes = 0
        for state in islice(solver(f, g, start), 20_000):
            if problem.value(state.beta) - lowest <= 10.0**-digits:
                return f.passes
        return np.inf

    assert passes_to(fista, 8) < passes_to(proximal_gradient, 8) / 3


@every_family
@pytest.mark.parametrize("solver", [newton, proximal_newton])
def test_newton_is_quadratic_near_the_optimum(solver, family):
    """Each error is at most a constant times the square of the one before, and steps have length 1."""
    problem, f, g, start = setting(family, Ridge(1.0) if solver is newton else ElasticNet(3.0, 0.7), seed=2)
    best = optimum(problem).astype(float)
    states = list(islice(solver(f, g, best + 0.05), 5))
    errors = [np.linalg.norm(state.beta - best) for state in states]
    assert all(after <= 3 * before**2 + 1e-13 for before, after in zip(errors, errors[1:], strict=False))
    assert errors[-1] <= 1e-13 * max(1, np.linalg.norm(best)) + 1e-13
    assert states[2].step == 1.0


@pytest.mark.parametrize("solver", [newton, proximal_newton])
def test_newton_solves_a_quadratic_in_one_step(solver):
    problem, f, g, start = setting("gaussian", Ridge(2.0) if solver is newton else L1(6.0))
    second = list(islice(solver(f, g, start), 2))[1]
    np.testing.assert_allclose(second.beta, optimum(problem).astype(float), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("penalty", [Zero(), Ridge(2.0), L1(6.0), ElasticNet(4.0, 0.5)], ids=repr)
@pytest.mark.parametrize("solver", [newton, proximal_newton])
def test_least_squares_take_one_hessian_and_no_line_search(solver, penalty):
    """A pass an iteration, the sum of xxᵀ made once, and steps of length 1 that refine what the first one found."""
    if solver in SMOOTH and not penalty.smooth:
        return
    problem, f, g, start = setting("gaussian", penalty, weighted=True, shifted=True, intercept=True)
    f.survey  # noqa: B018
    kernels = []
    f._sum, asked = lambda name, *args: kernels.append(name) or asked(name, *args), f._sum
    states = list(islice(solver(f, g, start), 3))
    assert kernels[:2] == ["loss_grad_hess", "loss_grad"] == list(dict.fromkeys(kernels)) and f.passes == len(kernels)
    assert [state.step for state in states] == [1.0] * 3
    np.testing.assert_allclose(states[1].beta, optimum(problem).astype(float), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("solver", [newton, proximal_newton])
@pytest.mark.parametrize("nearness, from_the_sum", [(4e-5, True), (1e-5, False)])
def test_refinement_gains_the_digits_that_the_hessian_lost(solver, nearness, from_the_sum):
    """XᵀX has κ², so that the first solution is wrong by about κ²ε, and each later pass leaves no more than κε.

    Where an eigenvalue of the sum is below Algebra.blurred = 1e-10 of the largest, that is κ > 1e5, the triangular
    factor is asked, and already the first solution is wrong by κε only. The last digits hang on the order of the sums:
    of forty orders of the rows the worst gave 1.7 κε,
    and 6.8 κε before any refinement.
    """
    plain, wave = random_problem("gaussian", Zero(), seed=9), np.sin(np.arange(80))
    best = optimum(plain._replace(X=np.column_stack([plain.X, wave]))).astype(float)
    best[4] /= nearness
    best[0] -= best[4]
    X = np.column_stack([plain.X, plain.X[:, 0] + nearness * wave])
    kappa = np.linalg.cond(X / np.linalg.norm(X, axis=0))
    assert (kappa < 1e5) == from_the_sum
    for order in range(5):
        rows = np.random.default_rng(order).permutation(80)
        problem = plain._replace(X=X[rows], y=plain.y[rows])
        states = islice(solver(problem.objective(), problem.g, np.zeros(5)), 1, 5)
        first, *later = [np.abs(state.beta - best).max() / np.abs(best).max() for state in states]
        assert max(later) < 4 * kappa * EPS, (order, later)
        assert (first > 100 * max(later) if from_the_sum else first < 16 * kappa * EPS), (order, first, later)


def test_least_squares_are_their_own_model_unless_the_hessian_has_lost_digits():
    _, f, _, _ = setting("gaussian")
    nearly_parallel = [np.array([[1.0, 1 - far], [1 - far, 1.0]]) for far in (1e-11, 1e-13)]
    assert [bool(is_model(f, H)) for H in nearly_parallel] == [True, False]
    assert is_model(f, np.diag([1e-20, 1.0])), "units lose no digits"
    assert not is_model(setting("logistic")[1], np.eye(2))


def test_newton_from_afar_needs_its_line_search():
    """A Poisson whose full first step overflows: the step is shortened, without a warning."""
    problem, f, g, start = setting("poisson", Zero(), intercept=True)
    start[-1] = -8.0
    states = list(islice(newton(f, g, start), 60))
    assert min(state.step for state in states[1:]) < 1.0 and np.isfinite([state.objective for state in states]).all()
    np.testing.assert_allclose(states[-1].beta, optimum(problem).astype(float), rtol=1e-8)


def test_newton_with_copied_columns_takes_the_minimum_norm_step():
    plain = random_problem("logistic", Zero(), seed=3)
    problem = plain._replace(X=np.column_stack([plain.X, plain.X[:, 1]]))
    last = list(islice(newton(problem.objective(), problem.g, np.zeros(5)), 12))[-1].beta
    best = optimum(plain).astype(float)
    np.testing.assert_allclose(last, [best[0], best[1] / 2, best[2], best[3], best[1] / 2], rtol=1e-9)


# --- solvers that theory says coincide ---------------------------------------------------------------------------


def assert_same_states(a, b, count=8, rtol=1e-9):
    for left, right in zip(islice(a, count), islice(b, count), strict=True):
        np.testing.assert_allclose(left.beta, right.beta, rtol=rtol, atol=1e-12)
        assert left.objective == pytest.approx(right.objective, rel=1e-12)


@every_family
def test_without_a_penalty_proximal_gradient_is_gradient_descent(family):
    _, f, g, start = setting(family, Zero())
    assert_same_states(proximal_gradient(f, g, start, step=1e-3), gradient_descent(f, g, start, step=1e-3))


@every_family
def test_the_first_step_of_fista_is_a_proximal_gradient_step(family):
    _, f, g, start = setting(family, L1(3.0))
    assert_same_states(fista(f, g, start, step=1e-3), proximal_gradient(f, g, start, step=1e-3), count=2)


@every_family
def test_without_l1_proximal_newton_is_newton(family):
    _, f, g, start = setting(family, Ridge(1.5), intercept=True, shifted=True)
    assert_same_states(proximal_newton(f, g, start), newton(f, g, start))


def test_newton_is_affine_invariant():
    """β on columns X A follows A⁻¹β on columns X: Boyd & Vandenberghe (2004), §9.5.1."""
    problem = random_problem("poisson", Zero(), seed=4)
    A = np.random.default_rng(5).normal(size=(4, 4)) + 2 * np.eye(4)
    moved = problem._replace(X=problem.X @ A)
    pairs = zip(newton(problem.objective(), problem.g, np.zeros(4)), newton(moved.objective(), moved.g, np.zeros(4)),
                strict=False)  # fmt: skip
    for plain, other in islice(pairs, 6):
        np.testing.assert_allclose(A @ other.beta, plain.beta, rtol=1e-8, atol=1e-10)


def test_fista_is_the_textbook_with_restarts():
    """Beck & Teboulle (2009), (4.1)–(4.3), and O'Donoghue & Candès (2015), §3.2, written anew."""
    problem, f, g, start = setting("gaussian", L1(6.0))
    step, old, beta, theta, restarts = 1e-3, start, start, 1.0, 0
    for state in islice(fista(f, g, start, step=step), 120):
        np.testing.assert_allclose(state.beta, beta, rtol=1e-9, atol=1e-12)
        bigger = (1 + np.sqrt(1 + 4 * theta**2)) / 2
        v = beta + (theta - 1) / bigger * (beta - old)
        old, beta, theta = beta, g.prox(v - step * problem.grad(v).astype(float), step), bigger
        if (v - beta) @ (beta - old) > 0:
            theta, restarts = 1.0, restarts + 1
    assert restarts >= 2


@every_solver
def test_one_at_the_optimum_stays_there(solver):
    problem, f, g, start = setting("logistic", suited(solver), seed=6)
    best = optimum(problem).astype(float)
    for state in islice(solver(f, g, best), 4):
        np.testing.assert_allclose(state.beta, best, atol=1e-7)


@pytest.mark.parametrize("solver", ANY)
def test_a_lambda_above_the_largest_slope_gives_zeros_exactly(solver):
    problem = random_problem("logistic", Zero(), seed=7, intercept=True)
    empty = np.array([0, 0, 0, 0, np.log(problem.y.mean() / (1 - problem.y.mean()))])
    lam = float(np.abs(problem.grad(empty)[:-1]).max())
    for factor, zero in ((1.001, True), (0.9, False)):
        result = problem._replace(penalty=L1(factor * lam)).fit(solver=solver, tol=1e-8)
        assert (not result.beta.any()) == zero and result.converged


# --- line searches ----------------------------------------------------------------------------------------------


def test_objective_along_prices_all_steps_in_one_pass():
    problem, f, g, start = setting("poisson")
    direction, steps = np.array([1.0, -1, 0.5, 2]), [4.0, 1.0, 0.25, 1e4]
    found = objective_along(f, g, start, direction, steps)
    assert f.passes == 1 and found[-1] == np.inf
    np.testing.assert_allclose(found[:3], [float(problem.value(t * direction)) for t in steps[:3]], rtol=1e-12)


def test_armijo_takes_the_longest_step_that_qualifies():
    problem, f, g, start = setting("logistic")
    slope = (problem.grad(start) + 2.0 * start).astype(float)
    height, steps, c = f.loss(start) + g.value(start), 2.0 ** np.arange(4, -12, -1), 0.3
    t = armijo(f, g, start, height, -(slope @ slope), -slope, steps, c=c)
    good = [s for s in steps if problem.value(start - s * slope) <= height - c * s * (slope @ slope)]
    assert t == good[0] != steps[0]


@pytest.mark.parametrize("bits", [-8, -1, 0, 1, 8])
def test_uphill_there_is_no_step_whatever_the_last_bits_say(bits, monkeypatch):
    """The prices are off by a few bits, as those of another processor may be; the caller even takes it for downhill."""
    problem, f, g, start = setting("logistic")
    slope = (problem.grad(start) + 2.0 * start).astype(float)
    height, steps, losses = f.loss(start) + g.value(start), 2.0 ** np.arange(4, -12, -1), f.losses
    monkeypatch.setattr(f, "losses", lambda B: losses(B) * (1 + bits * np.finfo(float).eps))
    for likely in (False, True):
        assert armijo(f, g, start, height, -(slope @ slope), slope, steps, likely=likely) == 0.0


@pytest.mark.parametrize("slope", [0.0, -0.0, 5e-324, 1.0, np.inf, np.nan])
def test_where_the_slope_is_not_below_zero_there_is_no_step_and_nothing_is_priced(slope):
    """Not even one that rounding would forgive, nor one along which F falls."""
    problem, f, g, start = setting("logistic")
    downhill = -(problem.grad(start) + 2.0 * start).astype(float)
    height, passes = f.loss(start) + g.value(start), f.passes
    for direction in (downhill, -1e-30 * downhill, 0 * downhill):
        assert armijo(f, g, start, height, slope, direction, 2.0 ** -np.arange(24), likely=True) == 0.0
    assert f.passes == passes


def test_a_likely_step_is_priced_alone_and_the_others_only_where_it_fails(monkeypatch):
    _, f, g, start = setting("logistic")
    priced, losses = [], f.losses
    monkeypatch.setattr(f, "losses", lambda B: priced.append(len(B)) or losses(B))
    loss, grad = f.loss_grad(start)
    slope, height, steps = grad + 2.0 * start, loss + g.value(start), 2.0 ** np.arange(4, -12, -1)
    t = armijo(f, g, start, height, -(slope @ slope), -slope, steps)
    for first, pricings in ((t, [1]), (4 * t, [1, 3])):
        priced.clear()
        tried = first * 2.0 ** -np.arange(3)
        assert armijo(f, g, start, height, -(slope @ slope), -slope, tried, likely=True) == t and priced == pricings


@every_family
def test_the_first_step_lies_below_its_quadratic_bound_and_four_times_it_does_not(family):
    problem, f, g, start = setting(family, Zero())
    loss, grad = f.loss_grad(start)
    t = first_step(f, start, loss, grad)

    def below(t):
        return problem.loss(start - t * grad) <= loss - t / 2 * (grad @ grad)

    assert below(t) and not below(4 * t) and math.isfinite(t)


def test_the_first_step_at_the_optimum_is_harmless():
    _, f, _, start = setting("gaussian")
    assert first_step(f, start, 0.0, np.zeros(4)) == 1.0


@pytest.mark.parametrize("penalty", [Zero(), L1(1e-3), Ridge(1.0)], ids=str)
@pytest.mark.parametrize("case", ["gamma in small units", "poisson in the millions", "logistic far offset"])
def test_newton_starts_where_the_hessian_is_tiny(case, penalty):
    """The Newton direction is then 1e12 too long, and the line search has to go further down than one grid."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 4))
    y, family, offset = {
        "gamma in small units": (1e-12 * rng.gamma(2.0, 1.0, 150), "gamma", None),
        "poisson in the millions": (1e15 * rng.poisson(3, 150), "poisson", None),
        "logistic far offset": ((X[:, 0] + rng.normal(size=150) > 0) * 1.0, "logistic", np.full(150, 30.0)),
    }[case]
    result = fit(X, y, family=family, penalty=penalty, offset=offset, fit_intercept=True, tol=1e-8)
    assert result.converged
