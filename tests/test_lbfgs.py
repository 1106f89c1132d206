"""L-BFGS by what its book proves: the recursion, termination on quadratics, and a metric that makes problems round."""

from itertools import islice

import dask.array as da
import numpy as np
import pytest
from naive import draw, optimum, random_problem
from scipy.optimize import minimize
from statsmodels.datasets import macrodata

from glmlab import L1, ElasticNet, Objective, RankWarning, Ridge, Zero, as_chunks, fit, run
from glmlab.policy import Stopping
from glmlab.solvers import lbfgs as the_solver
from glmlab.solvers.lbfgs import Pair, by_diagonal, first_metric, inverse, remember, shortening, two_loop

module = __import__("sys").modules["glmlab.solvers.lbfgs"]  # the package's name is the function's
FAMILIES = ["gaussian", "logistic", "poisson", "gamma"]
every_family = pytest.mark.parametrize("family", FAMILIES)

GAP_ALONE = Stopping(rough_tol=0.0)  # however few the rows are, a proof of tol is all that is asked for


def correlated(n, p, kappa, family="logistic", seed=0, units=1.0):
    """Rows whose second moments have condition number κ, in columns of any units, and y of the family."""
    rng = np.random.default_rng([seed, p])
    turn, _ = np.linalg.qr(rng.normal(size=(p, p)))
    X = rng.normal(size=(n, p)) * np.geomspace(1, kappa**-0.5, p) @ turn.T * p**0.5
    eta = X @ rng.normal(size=p)
    return X * units ** rng.uniform(-1, 1, p), draw(family, eta / eta.std(), rng)


def made(n, p, kappa, **options):
    X, y = correlated(n, p, kappa, **options)
    return Objective(options.get("family", "logistic"), as_chunks(X, y, chunks=-(-n // 3)))


# --- the recursion ----------------------------------------------------------------------------------------------


def bfgs_matrix(H, pairs):
    """H updated by every pair in turn: Nocedal & Wright (2006), (6.17)."""
    for s, y, rho in pairs:
        V = np.eye(len(s)) - rho * np.outer(y, s)
        H = V.T @ H @ V + rho * np.outer(s, s)
    return H


def some_pairs(rng, p, count):
    A = rng.normal(size=(p, p))
    B, pairs = A @ A.T + np.eye(p), []
    for _ in range(count):
        s = rng.normal(size=p)
        remember(pairs, s, B @ s)
    return pairs


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_two_loops_are_the_product_with_the_dense_bfgs_matrix(count):
    rng = np.random.default_rng(count)
    A = rng.normal(size=(6, 6))
    first, pairs, v = np.linalg.inv(A @ A.T + np.eye(6)), some_pairs(rng, 6, count), rng.normal(size=6)
    dense = bfgs_matrix(shortening(pairs, first.__matmul__) * first, pairs)
    np.testing.assert_allclose(two_loop(v, pairs, first.__matmul__), dense @ v, rtol=1e-9, atol=1e-12)
    if pairs:
        np.testing.assert_allclose(two_loop(pairs[-1].y, pairs, first.__matmul__), pairs[-1].s, rtol=1e-9, atol=1e-12)


def test_the_metric_is_shortened_where_it_takes_f_for_flatter_than_it_is_and_never_lengthened():
    pair = [Pair(np.array([1.0, 0]), np.array([4.0, 0]), 0.25)]
    assert shortening(pair, lambda b: b) == 0.25 and shortening(pair, lambda b: b / 100) == 1.0
    assert shortening([], lambda b: b) == 1.0


def test_what_is_no_curvature_is_not_remembered():
    pairs = []
    for y in ([0.0, 0.0], [-1.0, 0.5], [1.0, -1.0], [1.0, 1e-16 - 1.0]):
        remember(pairs, np.ones(2), np.array(y))
    remember(pairs, np.ones(2), np.full(2, 1e-310))
    assert pairs == [], "1 / sᵀy would overflow"
    remember(pairs, np.ones(2), np.array([1.0, -0.99]))
    assert len(pairs) == 1 and pairs[0].rho == pytest.approx(100)


def test_the_inverse_is_one_and_of_minimum_norm_where_there_is_none():
    rng = np.random.default_rng(0)
    A, units = rng.normal(size=(9, 5)), 10.0 ** np.array([-9, -3, 0, 4, 9])
    H, b = A.T @ A, rng.normal(size=5)
    solve = inverse(H * units[:, None] * units, np.zeros(5))
    np.testing.assert_allclose(solve(b * units) * units, np.linalg.solve(H, b), rtol=1e-9)
    copied = np.ones((2, 2))
    np.testing.assert_allclose(inverse(copied, np.zeros(2))(np.ones(2)), [0.5, 0.5])
    np.testing.assert_allclose(inverse(np.diag([4.0, np.inf, 0.0]), np.zeros(3))(np.ones(3)), [0.25, 1, 1])
    np.testing.assert_allclose(by_diagonal(np.array([2.0, 0.0, np.nan]))(np.ones(3)), [0.5, 1, 1])


# --- quadratics -------------------------------------------------------------------------------------------------


def test_with_the_exact_inverse_hessian_one_step_solves_a_quadratic():
    problem = random_problem("gaussian", Ridge(2.0), seed=1, intercept=True, weighted=True, shifted=True)
    states = list(islice(the_solver(problem.objective(), problem.g, np.zeros(5)), 3))
    assert states[0].metric == "full" and states[1].step == 1.0
    np.testing.assert_allclose(states[1].beta, optimum(problem).astype(float), rtol=1e-9, atol=1e-12)


def exactly(f, g, beta, objective, slope, direction, steps):
    """The step that minimises a quadratic along a direction."""
    bent = (f.loss_grad(beta + direction).grad - f.loss_grad(beta).grad + g.grad(direction)) @ direction
    return -slope / bent


@pytest.mark.parametrize("p", [3, 8])
def test_with_exact_line_searches_it_ends_on_a_quadratic_after_p_steps(p, monkeypatch):
    """Whatever H₀ is, as conjugate gradients do: Nocedal & Wright (2006), Theorem 6.4."""
    X, y = correlated(400, p, 1e2, family="gaussian")
    f, best = Objective("gaussian", as_chunks(X, y)), np.linalg.solve(X.T @ X, X.T @ y)
    rough = module.Metric("diagonal", by_diagonal(2 * (X**2).sum(0)))
    monkeypatch.setattr(module, "first_metric", lambda *a: (rough, first_metric(*a)[1]))
    monkeypatch.setattr(module, "descends", lambda *a: False)
    monkeypatch.setattr(module, "armijo", exactly)
    monkeypatch.setattr(module, "shortening", lambda pairs, solve: 1.0)
    errors = [np.abs(s.beta - best).max() / np.abs(best).max()
              for s in islice(the_solver(f, Zero(), np.zeros(p), memory=p), p + 1)]  # fmt: skip
    assert errors[p] < 1e-8 < 1e-4 < errors[p - 1]


# --- passes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [15, 100])
@pytest.mark.parametrize("units", [1.0, 1e4])
def test_passes_do_not_grow_with_the_condition_number(p, units):
    """Raw L-BFGS needs more and more; in the pilot's metric these are all one problem."""
    passes = []
    for kappa in (1.0, 1e3, 1e6):
        X, y = correlated(8000, p, kappa, units=units)
        result = fit(X, y, family="logistic", solver="lbfgs", tol=1e-9, policy=GAP_ALONE)
        assert result.converged and result.state.metric == "pilot"
        passes.append(result.passes)
    assert max(passes) <= min(passes) + 2 and max(passes) <= 12


def raw_passes(X, y, tol, lowest):
    """Evaluations of scipy's L-BFGS-B, which knows nothing of the columns, until F is within tol of the lowest."""
    heights = []

    def value(beta):
        eta = X @ beta
        heights.append(np.logaddexp(0, eta).sum() - y @ eta)
        return heights[-1], X.T @ (1 / (1 + np.exp(-eta)) - y)

    minimize(value, np.zeros(X.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 2000, "ftol": 0, "gtol": 0})
    near = np.array(heights) <= lowest + tol * len(y) * np.log(2)
    assert near.any(), "scipy finds our optimum too"
    return int(near.argmax()) + 1


def test_whitening_saves_most_passes_of_a_library_that_does_not_whiten():
    X, y = correlated(8000, 40, 1e3)
    ours = fit(X, y, family="logistic", solver="lbfgs", tol=1e-9, policy=GAP_ALONE)
    assert ours.converged and ours.passes <= 10 and raw_passes(X, y, 1e-9, ours.objective) > 5 * ours.passes


def test_an_iteration_is_one_pass_and_a_refused_unit_step_two_more(monkeypatch):
    f = made(3000, 6, 10.0)
    f.survey  # noqa: B018
    honest, point = first_metric(f, Ridge(1.0), np.zeros(6), 0)
    long = module.Metric("pilot", lambda b: 40 * honest.solve(b))
    monkeypatch.setattr(module, "first_metric", lambda *a: (long, point))
    before, costs, states = f.passes, [], []
    for state in islice(the_solver(f, Ridge(1.0), np.zeros(6)), 6):
        states.append(state)
        costs.append(f.passes - before)
        before = f.passes
    assert states[1].step < 1.0
    np.testing.assert_allclose(costs[1:], [1 if state.step == 1.0 else 3 for state in states[1:]])
    assert [state.step for state in states[2:]].count(1.0) >= 3
    assert all(after.objective < state.objective for state, after in zip(states, states[1:], strict=False))


def test_memory_is_bounded_and_more_of_it_helps_a_poor_metric(monkeypatch):
    def poor(f, g, beta, *rest):
        return module.Metric("diagonal", by_diagonal(f.loss_grad_diag(beta).diag)), first_metric(f, g, beta, *rest)[1]

    monkeypatch.setattr(module, "first_metric", poor)
    f, counts = made(2000, 20, 1e3), []
    for memory in (1, 20):
        result = run("lbfgs", f, Zero(), memory=memory, tol=1e-8)
        assert result.converged and result.state.pairs == memory
        counts.append(result.n_iter)
    assert counts[0] > 1.5 * counts[1]


@pytest.mark.parametrize("n, p, metric", [(20, 310, "diagonal"), (20, 30, "full"), (200, 30, "full"),
                                          (2000, 30, "pilot")])
def test_the_metric_suits_the_number_of_rows(n, p, metric):
    X, y = correlated(n, p, 10.0)
    ours, theirs = (fit(X, y, family="logistic", penalty=Ridge(1.0), solver=name, tol=1e-9)
                    for name in ("lbfgs", "newton"))  # fmt: skip
    assert ours.state.metric == metric and ours.converged
    assert abs(ours.objective - theirs.objective) <= ours.certificate.bound + theirs.certificate.bound


@pytest.mark.filterwarnings("ignore::glmlab.RankWarning")
@pytest.mark.parametrize("penalty", [Zero(), Ridge(2000.0)], ids=str)
def test_fewer_rows_than_columns_in_the_units_of_a_real_table_need_few_iterations(penalty):
    """Years, dollars and rates of macrodata, 11 quarters: by the diagonal alone 384 iterations leave 1.5e-8 of F(0)."""
    table = macrodata.load_pandas().data.to_numpy()[:11]
    result = fit(table[:, 1:], table[:, 0], family="gaussian", penalty=penalty, solver="lbfgs", fit_intercept=True)
    assert result.converged and result.n_iter < 10 and result.certificate.relative < 1e-12


def test_many_rows_start_at_the_pilots_answer():
    X, y = correlated(6000, 5, 10.0)
    near, far = (fit(X, y, family="logistic", solver="lbfgs", tol=1e-10, start=s) for s in (None, np.zeros(5)))
    assert near.trace.objective[0] < far.trace.objective[0] and near.n_iter < far.n_iter


# --- the same optimum -------------------------------------------------------------------------------------------


@every_family
@pytest.mark.parametrize("penalty", [Zero(), Ridge(3.0), ElasticNet(3.0, 0.0)], ids=repr)
def test_scipy_and_the_textbook_find_the_same(family, penalty):
    problem = random_problem(family, penalty, seed=5, weighted=True, shifted=True, intercept=True)
    l2 = np.array([penalty.l2] * 4 + [0.0])

    def value(beta):
        return float(problem.value(beta)), (problem.grad(beta) + l2 * beta).astype(float)

    theirs = minimize(value, np.zeros(5), jac=True, method="L-BFGS-B", options={"ftol": 0, "gtol": 1e-9}).x
    ours = problem.fit(solver="lbfgs", tol=1e-12)
    found, best = np.append(ours.beta, ours.intercept), optimum(problem).astype(float)
    np.testing.assert_allclose(found, best, rtol=2e-5, atol=2e-6)
    np.testing.assert_allclose(theirs, best, rtol=2e-5, atol=2e-6)
    assert ours.converged and float(problem.value(found) - problem.value(best)) <= ours.certificate.bound


@pytest.mark.parametrize("order", ["sorted by label", "one class in most chunks", "sorted by a column"])
def test_the_order_of_the_rows_is_no_obstacle(order):
    X, y = correlated(6000, 10, 1e2)
    keys = {"sorted by label": y, "one class in most chunks": (y + (np.arange(6000) > 5000)) % 2,
            "sorted by a column": X[:, 0]}  # fmt: skip
    turn = np.argsort(keys[order], kind="stable")
    f = Objective("logistic", as_chunks(X[turn], y[turn], chunks=600, intercept=True))
    result = run("lbfgs", f, Ridge(1.0), tol=1e-9, policy=GAP_ALONE)
    shuffled = fit(X, y, family="logistic", penalty=Ridge(1.0), fit_intercept=True, solver="newton", tol=1e-10)
    assert result.converged and result.passes <= 10
    assert result.objective - shuffled.objective <= 1e-9 * shuffled.objective


@pytest.mark.parametrize("n", [80, 3000])
def test_copied_columns_reach_the_optimum_with_a_rank_warning(n):
    plain = random_problem("poisson", Zero(), seed=1, n=n)
    problem = plain._replace(X=np.column_stack([plain.X, plain.X[:, 2]]))
    with pytest.warns(RankWarning, match="rank 4, not 5"):
        result = problem.fit(solver="lbfgs", tol=1e-9)
    assert result.converged and result.objective == pytest.approx(float(plain.value(optimum(plain))), rel=1e-9)
    assert result.beta[2] == pytest.approx(result.beta[4], rel=1e-6)


def test_a_poisson_step_that_overflows_is_shortened():
    problem = random_problem("poisson", Zero(), seed=0, intercept=True)
    result = problem.fit(solver="lbfgs", start=[0, 0, 0, 0, -8.0], tol=1e-9)
    assert result.converged and np.isfinite(result.trace.objective).all()


@pytest.mark.parametrize("penalty", [L1(1.0), ElasticNet(1.0, 0.5)], ids=repr)
def test_l1_is_refused(penalty):
    f = made(100, 3, 1.0)
    with pytest.raises(ValueError, match="lbfgs cannot minimise .*no derivative at 0.*proximal_newton, fista"):
        run("lbfgs", f, penalty)
    assert f.passes == f.extra_passes == 0


@pytest.mark.parametrize("name, value", [("memory", 0), ("memory", 2.5), ("memory", None), ("seed", -1), ("seed", "a")])
def test_parameters_are_named_before_any_pass(name, value):
    f = made(100, 3, 1.0)
    with pytest.raises((ValueError, TypeError), match=f"{name} must be a whole number"):
        next(the_solver(f, Ridge(1.0), np.zeros(3), **{name: value}))
    assert f.passes == 0


@pytest.mark.parametrize("n, p", [(20, 30), (300, 12), (3000, 12)])
def test_bits_in_memory_and_on_dask(n, p):
    X, y = correlated(n, p, 1e2)
    lazy = [da.from_array(a, chunks=(n // 3 + 1, *a.shape[1:])) for a in (X, y)]
    results = [run("lbfgs", Objective("logistic", rows), Ridge(1.0), tol=1e-8)
               for rows in (as_chunks(X, y, chunks=n // 3 + 1, threads=2), as_chunks(*lazy))]  # fmt: skip
    one, other = results
    assert one.converged and one.beta.tolist() == other.beta.tolist() and one.status == other.status
    assert one.trace.objective.tolist() == other.trace.objective.tolist() and one.passes == other.passes


def test_the_estimate_of_the_gap_is_good_near_the_end():
    """½ ∇FᵀH∇F against what is left to gain: the stop rule certifies when it is small."""
    f = made(8000, 30, 1e3)
    lowest = run("newton", f, Ridge(1.0), tol=1e-13).objective
    for state in islice(the_solver(f, Ridge(1.0), np.zeros(30)), 1, 7):
        assert 0.6 <= state.decrement / (state.objective - lowest) <= 1.5
    assert state.pairs == 6
