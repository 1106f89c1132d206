"""The p × p problems: minimum-norm solves and the exact lasso step, on regular, singular and badly scaled matrices."""

import numpy as np
import pytest
from sklearn.linear_model import ElasticNet, Lasso

from glmlab.maths.penalties import Weights
from glmlab.maths.quadratic import (
    Curvature,
    lasso_point,
    minimise_model,
    minimise_roughly,
    newton_direction,
    spectrum,
    swept,
)
from glmlab.policy import Algebra

EPS = np.finfo(float).eps


def problem(seed, p, *, rank=None, scales=None, free=(), l1=None):
    """G, H, β and l1 of a random quadratic whose gradient lies in the range of H."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(3 * p, p))
    if rank is not None:
        X = X[:, :rank] @ rng.integers(-2, 3, size=(rank, p))
    X = X * (1.0 if scales is None else scales)
    beta = rng.normal(size=p) * (rng.random(p) < 0.6) / (1.0 if scales is None else scales)
    G = X.T @ rng.normal(size=3 * p)
    lam = (np.abs(G) * 0.4).max() if l1 is None else l1
    lams = np.full(p, lam) if scales is None else lam * scales / scales.max()
    lams[list(free)] = 0.0
    return G, X.T @ X, beta, lams


def violation(v, G, H, beta, l1):
    """The violation of the optimality conditions at v, relative to the sizes of their terms."""
    slope = -(G + H @ (v - beta))
    size = np.abs(G) + l1 + np.abs(H) @ (np.abs(v) + np.abs(beta)) + np.finfo(float).tiny
    missed = np.where(v == 0, np.maximum(np.abs(slope) - l1, 0), np.abs(slope - l1 * np.sign(v)))
    return np.max(missed / size)


CASES = {
    "random": {},
    "rank deficient": {"rank": 3},
    "badly scaled": {"scales": np.geomspace(1e-6, 1e6, 8)},
    "one coordinate is free": {"free": [7]},
    "rank deficient and free": {"rank": 4, "free": [0, 5]},
    "badly scaled and free": {"scales": np.geomspace(1e5, 1e-5, 8), "free": [2]},
    "nothing is penalised": {"free": range(8)},
    "heavy": {"l1": 1e3},
    "light": {"l1": 1e-9},
}


@pytest.mark.parametrize("case", CASES)
def test_lasso_point_satisfies_the_optimality_conditions(case):
    for seed in range(30):
        G, H, beta, l1 = problem(seed, 8, **CASES[case])
        v = lasso_point(G, H, beta, l1)
        assert violation(v, G, H, beta, l1) < 1e-12, seed


def test_lasso_point_in_a_larger_problem():
    G, H, beta, l1 = problem(1, 60, rank=40)
    assert violation(lasso_point(G, H, beta, l1), G, H, beta, l1) < 1e-12


def test_heavy_l1_gives_exact_zeros_and_light_l1_the_newton_step():
    G, H, beta, l1 = problem(2, 8, l1=1e6)
    assert not lasso_point(G, H, beta, l1).any()
    np.testing.assert_allclose(lasso_point(G, H, beta, 0 * l1), beta + newton_direction(G, H), rtol=1e-10)


def test_lasso_point_agrees_with_scikit_learn():
    """½‖y − Xv‖² + l1‖v‖₁ + l2/2‖v‖² is n times scikit-learn's objective with alpha = (l1 + l2)/n."""
    rng = np.random.default_rng(3)
    X, n = rng.normal(size=(50, 7)), 50
    y = X @ np.array([2.0, -1, 0, 0, 0.5, 0, 0]) + rng.normal(size=n)
    for l1, l2 in ((5.0, 0.0), (20.0, 0.0), (5.0, 10.0)):
        if l2:
            theirs = ElasticNet((l1 + l2) / n, l1_ratio=l1 / (l1 + l2), fit_intercept=False, tol=1e-14, max_iter=99_999)
        else:
            theirs = Lasso(l1 / n, fit_intercept=False, tol=1e-14, max_iter=100_000)
        ours = lasso_point(-X.T @ y, X.T @ X + l2 * np.eye(7), np.zeros(7), np.full(7, l1))
        np.testing.assert_allclose(ours, theirs.fit(X, y).coef_, atol=1e-10)
        assert np.array_equal(ours == 0, theirs.coef_ == 0)


def test_the_answer_does_not_depend_on_the_start():
    G, H, _, l1 = problem(4, 8)
    starts = [np.zeros(8), np.ones(8), -5 * np.ones(8)]
    points = [lasso_point(G + H @ start, H, start, l1) for start in starts]
    for point in points[1:]:
        np.testing.assert_allclose(point, points[0], atol=1e-12)


def test_a_start_with_the_intercept_fitted_and_all_else_zero():
    """Where rounding undoes a step, coordinate descent must be tried, as if there had been no step."""
    for seed in range(50):
        rng = np.random.default_rng(seed)
        X = np.column_stack([rng.normal(size=(60, 6)) @ rng.normal(size=(6, 6)), np.ones(60)])
        y, l1 = X[:, 0] + rng.normal(size=60), np.append(np.full(6, 3.0), 0.0)
        beta = np.append(np.zeros(6), y.mean())
        G, H = X.T @ (X @ beta - y), X.T @ X
        assert violation(lasso_point(G, H, beta, l1), G, H, beta, l1) < 1e-9, seed


def test_a_copied_column_and_a_column_of_zeros():
    G, H, beta, l1 = problem(5, 6)
    double = np.ix_([0, 1, 2, 3, 4, 5, 0], [0, 1, 2, 3, 4, 5, 0])
    arguments = np.append(G, G[0]), H[double], np.append(beta, 0.0), np.append(l1, l1[0])
    assert violation(lasso_point(*arguments), *arguments) < 1e-12
    H[:, 2] = H[2, :] = G[2] = 0
    v = lasso_point(G, H, beta, l1)
    assert v[2] == 0 and violation(v, G, H, beta, l1) < 1e-12


def test_a_problem_without_a_minimum_still_ends():
    """In a free direction the objective is linear: the answer is finite, and does not look like an optimum."""
    G, H = np.array([1.0, 1.0, 0.3]), np.diag([1.0, 0.0, 2.0])
    v = lasso_point(G, H, np.zeros(3), np.array([0.1, 0.0, 0.1]))
    assert np.isfinite(v).all() and violation(v, G, H, np.zeros(3), np.array([0.1, 0.0, 0.1])) > 0.1


def test_a_sweep_never_raises_the_objective():
    G, H, beta, l1 = problem(6, 8)
    root = np.sqrt(np.diag(H))
    H, G, l1, v = H / root[:, None] / root, G / root, l1 / root, beta * root
    start = v.copy()

    def objective(v):
        return G @ (v - start) + (v - start) @ H @ (v - start) / 2 + l1 @ np.abs(v)

    heights = [objective(v)]
    for _ in range(10):
        v = swept(v, H, -(G + H @ (v - start)), l1)
        heights.append(objective(v))
    assert np.all(np.diff(heights) <= 1e-12 * abs(heights[0])) and heights[-1] < heights[0] - 1


@pytest.mark.parametrize("case", ["random", "badly scaled", "one coordinate is free", "heavy"])
def test_a_rough_model_falls_nearly_as_far_as_the_exact_one(case):
    for seed in range(20):
        G, H, beta, l1 = problem(seed, 8, **CASES[case])
        asked = Weights(l1, np.full(8, 0.1) if case == "random" else np.zeros(8)), beta, G, H
        exact, rough = minimise_model(*asked), minimise_roughly(*asked, 1e-3, 500)
        assert 0 <= exact.decrement - rough.decrement + 1e-12 * exact.decrement <= 1e-3 * exact.decrement, seed
        np.testing.assert_allclose(beta + rough.step, rough.point, rtol=1e-12, atol=1e-12 * np.abs(beta).max())


def test_too_few_sweeps_and_numbers_that_overflow_give_no_rough_model():
    G, H, beta, l1 = problem(0, 8)
    asked = Weights(l1, np.zeros(8)), beta
    assert minimise_roughly(*asked, G, H, 1e-9, 2) is None
    assert minimise_roughly(*asked, G * np.inf, H, 1e-2, 50) is None


@pytest.mark.parametrize("scales", [1.0, np.geomspace(1e-8, 1e8, 5)], ids=["unit", "scaled"])
def test_newton_direction_solves(scales):
    rng = np.random.default_rng(7)
    X = rng.normal(size=(20, 5)) * scales
    d = rng.normal(size=5) / scales
    np.testing.assert_allclose(newton_direction(-X.T @ (X @ d), X.T @ X), d, rtol=1e-11)


def test_singular_solves_have_minimum_norm_and_ignore_what_is_outside_the_range():
    rng = np.random.default_rng(8)
    X = rng.normal(size=(20, 4))
    # A copied column has the same norm: so the minimum-norm solution does not depend on the scaling.
    X = np.column_stack([X, X[:, 0]])
    H, G = X.T @ X, X.T @ rng.normal(size=20)
    d = newton_direction(G, H)
    assert spectrum(H).rank == 4 and d[0] == pytest.approx(d[4], rel=1e-12)
    np.testing.assert_allclose(H @ d, -G, atol=1e-12 * np.abs(G).max())
    out_of_reach = np.array([1.0, 0, 0, 0, -1.0])
    np.testing.assert_allclose(newton_direction(G + out_of_reach, H), d, atol=1e-12)


def test_null_is_the_null_space():
    X = np.random.default_rng(9).normal(size=(30, 3)) @ np.array([[1.0, 0, 0, 1, 2], [0, 1, 0, 1, 0], [0, 0, 1, 0, 1]])
    found = spectrum(X.T @ X)
    null = found.null()
    assert found.rank == 3 and null.shape == (5, 2)
    assert np.abs(X @ null).max() < 1e-6 * np.abs(X).max() and np.linalg.matrix_rank(null) == 2


def test_units_hide_no_direction():
    """cond(H) = 1e32 comes from the units alone: nothing is dropped."""
    scales = np.array([1e-8, 1.0, 1e8])
    X = np.random.default_rng(10).normal(size=(20, 3)) * scales
    assert spectrum(X.T @ X).rank == 3


def test_a_flat_direction_is_kept():
    """Two columns differ in their fifth digit: an eigenvalue of 1e-10 is small, but not rounding."""
    rng = np.random.default_rng(11)
    X = rng.normal(size=(40, 3))
    X[:, 2] = X[:, 0] + 1e-5 * rng.normal(size=40)
    d = np.array([1.0, -2.0, 3.0])
    assert spectrum(X.T @ X).rank == 3
    np.testing.assert_allclose(newton_direction(-X.T @ (X @ d), X.T @ X), d, rtol=1e-4)


@pytest.mark.parametrize(("apart", "policy", "asked"), [
    (1.0, Algebra(), False), (1e-7, Algebra(), True), (1.0, Algebra(blurred=1.0, pivot=1.0), True),
])  # fmt: skip
def test_the_factor_is_made_where_the_sum_is_blurred(apart, policy, asked):
    """With apart = 1e-7 two columns differ in their seventh digit: the sum has lost their difference, R has not."""
    rng = np.random.default_rng(12)
    X = rng.normal(size=(40, 3))
    X[:, 2] = X[:, 0] + apart * rng.normal(size=40)
    made = []

    def factor():
        made.append(1)
        return np.linalg.qr(X)[1]

    curve, everything = Curvature(X.T @ X, np.zeros(3), factor, policy=policy), np.ones(3, dtype=bool)
    ranks = {curve.on(everything).rank for _ in range(2)}
    assert len(made) == asked and ranks == {3}


def test_all_zero():
    assert spectrum(np.zeros((3, 3))).rank == 0
    assert newton_direction(np.zeros(3), np.zeros((3, 3))).tolist() == [0, 0, 0]


def test_solve_takes_a_matrix_column_by_column():
    rng = np.random.default_rng(3)
    A = rng.normal(size=(9, 4)) * [1e-3, 1.0, 1e2, 1e4]
    part, B = spectrum(A.T @ A), rng.normal(size=(4, 3))
    columns = np.stack([part.solve(b) for b in B.T], axis=1)
    np.testing.assert_allclose(part.solve(B), columns, rtol=1e-12)


def test_proportional_columns_get_finite_coefficients():
    """Columns c and 3c: the quadratic is flat where they cancel, and rounding must not make it fall there for ever."""
    for seed in range(100):
        rng = np.random.default_rng(seed)
        X = np.column_stack([rng.normal(size=(80, 5)), np.ones(80), np.zeros(80), np.full(80, 3.0)])
        y = np.exp(X[:, :5] @ rng.normal(size=5) * 0.7) * rng.gamma(2, 0.5, 80)  # for a Gamma model at β = 0
        G, H, l1 = X.T @ (1 - y), X.T @ (y[:, None] * X), np.full(8, 3.0)
        v = lasso_point(G, H, np.zeros(8), l1)
        slope, size = -(G + H @ v), np.abs(H).max()
        assert np.all(np.abs(slope) <= l1 + 1e-12 * size), seed
        np.testing.assert_allclose(slope[v != 0], (l1 * np.sign(v))[v != 0], atol=1e-12 * size)
