"""Noise and problems in notebook 08: right answers written otherwise, and wrong ones with their mistakes."""

import numpy as np
import pytest
from answers import accepted, rejected
from scipy.optimize import minimize
from scipy.stats import multivariate_normal, spearmanr

from glmlab.maths.families import Logistic
from glmlab.teaching import exercise
from glmlab.teaching.exercises08 import largest_of_independent, largest_shifted


def reference(name):
    return exercise(name).reference


# ---------------------------------------------------------------- noise_floor


def by_a_covariance(H, seed):
    cov = np.linalg.inv(H)
    draws = np.random.default_rng(seed).multivariate_normal(np.zeros(len(H)), (cov + cov.T) / 2, size=5_000)
    return abs(draws).max(axis=1).mean()


def by_eigenvectors(H, seed):
    values, vectors = np.linalg.eigh(H)
    white = np.random.default_rng(seed).normal(size=(3_000, len(H)))
    return float(np.mean(np.max(np.abs((white / np.sqrt(values)) @ vectors.T), axis=1)))


def one_draw_at_a_time(H, seed):
    rng, L, total = np.random.default_rng(seed), np.linalg.cholesky(H), 0.0
    for _ in range(3_000):
        total += max(abs(x) for x in np.linalg.solve(L.T, rng.normal(size=len(H))))
    return total / 3_000


def by_scipy(H, seed):
    cov = np.linalg.inv(H)
    draws = multivariate_normal(cov=(cov + cov.T) / 2).rvs(size=8_000, random_state=seed)
    return np.abs(draws.reshape(8_000, len(H))).max(1).mean()


def by_the_factor_of_the_covariance(H, seed):
    factor = np.linalg.cholesky(np.linalg.inv(H))
    return np.linalg.norm(factor @ np.random.RandomState(seed).randn(len(H), 5_000), np.inf, axis=0).mean()


@pytest.mark.parametrize("right", [
    by_a_covariance, by_eigenvectors, one_draw_at_a_time, by_scipy, by_the_factor_of_the_covariance,
])
def test_noise_floor_written_otherwise(right):
    accepted("noise_floor", right)


def of_variances(cov_of, few=4_000):
    """The mean maximum of independent normals, their variances as somebody believes."""
    def floor(H, seed):
        sds = np.sqrt(cov_of(H))
        return abs(np.random.default_rng(seed).normal(size=(few, len(H))) * sds).max(axis=1).mean()
    return floor


def spread(H):
    return np.sqrt(np.diag(np.linalg.inv(H)))


def drawn(H, seed, draws=4_000):
    return np.linalg.solve(np.linalg.cholesky(H).T, np.random.default_rng(seed).normal(size=(len(H), draws)))


ONE, LARGEST = "one coefficient", "the largest of p"
CORRELATED, SEEDED = "correlation respected", "a seed, and only the seed"


@pytest.mark.parametrize(("wrong", "condition", "says"), [
    pytest.param(lambda H, seed: abs(drawn(H, seed)).max(), ONE, "of each draw", id="the largest of all draws"),
    pytest.param(lambda H, seed: abs(drawn(H, seed)).max(axis=1).mean(), ONE, "of each draw", id="the wrong axis"),
    pytest.param(lambda H, seed: 1 / np.sqrt(np.trace(H) / len(H)), ONE, "the standard deviation", id="√(1/n)"),
    pytest.param(lambda H, seed: np.sqrt(2 / np.pi) * spread(H).max(), LARGEST, "the largest of many",
                 id="one coordinate's error"),
    pytest.param(lambda H, seed: spread(H).max(), ONE, "the standard deviation", id="one coordinate's deviation"),
    pytest.param(of_variances(lambda H: 1 / np.diag(H)), CORRELATED, "not of H", id="the diagonal of H, not of H⁻¹"),
    pytest.param(of_variances(lambda H: np.diag(np.linalg.inv(H))), CORRELATED, "draw whole vectors",
                 id="independent draws"),
    pytest.param(of_variances(lambda H: np.diag(H)), ONE, "the covariance is H⁻¹", id="covariance H"),
    pytest.param(lambda H, seed: by_a_covariance(H @ H, seed), ONE, "its root", id="H⁻² for a covariance"),
    pytest.param(lambda H, seed: by_a_covariance(H, None), SEEDED, "default_rng(seed)", id="no seed"),
    pytest.param(of_variances(lambda H: np.diag(np.linalg.inv(H)), few=5), ONE, "draw some thousand", id="five draws"),
    pytest.param(lambda H, seed: abs(drawn(H, seed, 20)).max(axis=0).mean(), ONE, "draw some thousand",
                 id="twenty draws"),
    pytest.param(lambda H, seed: drawn(H, seed).max(axis=0).mean(), ONE, "take their sizes", id="signed"),
    pytest.param(lambda H, seed: np.median(abs(drawn(H, seed)).max(axis=0)), ONE, "the median", id="median"),
    pytest.param(lambda H, seed: abs(drawn(H, seed)).mean(), LARGEST, "take the maximum of a draw", id="mean of all"),
    pytest.param(lambda H, seed: np.sqrt(np.mean(abs(drawn(H, seed)).max(axis=0) ** 2)), ONE, "the standard deviation",
                 id="root mean square"),
    pytest.param(lambda H, seed: abs(np.linalg.solve(np.linalg.cholesky(H), np.random.default_rng(seed).normal(
        size=(len(H), 4_000)))).max(axis=0).mean(), CORRELATED, "that of L⁻ᵀξ is H⁻¹", id="L for its transpose"),
    pytest.param(lambda H, seed: np.linalg.norm(drawn(H, seed), axis=0).mean(), LARGEST, "the 2-norm", id="the 2-norm"),
    pytest.param(lambda H, seed: spread(H), ONE, "return one number", id="a vector"),
])  # fmt: skip
def test_noise_floor_wrong(wrong, condition, says):
    rejected("noise_floor", wrong, condition, says)


def test_the_maximum_of_a_mean_is_no_error():
    rejected("noise_floor", lambda H, seed: abs(drawn(H, seed).mean(axis=1)).max(), ONE, "before any mean")


def test_refits_to_new_labels_err_as_far(n=600, p=5, times=200):
    """What the exercise claims of logistic regression: the mean of ‖β̂ − β_true‖∞ over new labels for the same rows."""
    X, rng, loss = np.random.default_rng(860).random((n, p)), np.random.default_rng(861), Logistic()
    truth, errors = np.linspace(-1, 1, p), []

    def hessian(eta):
        return (X * loss.d2loss(eta, 0.0)[:, None]).T @ X

    for _ in range(times):
        y, beta = (rng.random(n) < loss.mean(X @ truth)).astype(float), truth
        for _ in range(6):
            beta = beta - np.linalg.solve(hessian(X @ beta), X.T @ loss.dloss(X @ beta, y))
        errors.append(np.abs(beta - truth).max())
    foretold = reference("noise_floor")(hessian(X @ truth), 11)
    assert foretold == pytest.approx(np.mean(errors), rel=0.2)
    assert reference("noise_floor")(100 * hessian(X @ truth), 11) == pytest.approx(foretold / 10)


def test_the_integrals_that_judge_are_those_of_simulations():
    rng = np.random.default_rng(1)
    sds = np.array([0.5, 1.0, 3.0])
    simulated = abs(rng.normal(size=(200_000, 3)) * sds).max(axis=1).mean()
    assert largest_of_independent(sds) == pytest.approx(simulated, rel=0.01)
    simulated = abs(0.7 + 0.3 * rng.normal(size=(100_000, 9))).max(axis=1).mean()
    assert largest_shifted(0.7, 0.3, 9) == pytest.approx(simulated, rel=0.01)


# ---------------------------------------------------------------- same_problem


def by_least_squares(F, G, dim):
    betas = np.random.default_rng(3).normal(size=(12, dim))
    f, g = np.array([F(b) for b in betas]), np.array([G(b) for b in betas])
    A = np.column_stack([f / abs(f).max(), np.ones(12)])
    (a, b), *_ = np.linalg.lstsq(A, g, rcond=None)
    return a > 0 and bool(abs(A @ [a, b] - g).max() < 1e-8 * np.ptp(g))


def by_ratios(F, G, dim):
    rng = np.random.default_rng(4)
    first, second, *others = rng.uniform(-2, 2, size=(9, dim))
    f, g = F(second) - F(first), G(second) - G(first)
    if f * g <= 0:
        return False
    pairs = [((F(b) - F(first)) / f, (G(b) - G(first)) / g) for b in others]
    return bool(np.allclose(*zip(*pairs, strict=True), rtol=1e-8, atol=1e-8))


def by_elimination(F, G, dim):
    """Two points say a and b, the others judge."""
    betas = [np.random.default_rng([11, k]).standard_normal(dim) for k in range(7)]
    (f0, g0), (f1, g1), *others = [(F(beta), G(beta)) for beta in betas]
    a = (g1 - g0) / (f1 - f0)
    size = max(abs(g - g0) for _, g in others)
    return a > 0 and all(abs(g - g0 - a * (f - f0)) < 1e-8 * size for f, g in others)


def by_singular_values(F, G, dim):
    """Centred values of both lie on one line."""
    betas = np.random.default_rng(12).uniform(-3, 3, size=(10, dim))
    values = np.array([[F(beta), G(beta)] for beta in betas])
    values = values - values.mean(axis=0)
    values /= np.linalg.norm(values, axis=0)
    return np.linalg.svd(values, compute_uv=False)[1] < 1e-8 and values[:, 0] @ values[:, 1] > 0


def by_unit_steps(F, G, dim):
    """Differences along the axes and along random directions."""
    rng = np.random.default_rng(13)
    start, moves = rng.normal(size=dim), [*np.eye(dim), *rng.normal(size=(6, dim))]
    f = np.array([F(start + move) - F(start) for move in moves])
    g = np.array([G(start + move) - G(start) for move in moves])
    k = np.argmax(abs(f))
    return bool(g[k] / f[k] > 0 and np.allclose(g / abs(g).max(), f * (g[k] / f[k]) / abs(g).max(), atol=1e-8, rtol=0))


@pytest.mark.parametrize("right", [by_least_squares, by_ratios, by_elimination, by_singular_values, by_unit_steps])
def test_same_problem_written_otherwise(right):
    accepted("same_problem", right)


def equal_values(F, G, dim):
    betas = np.random.default_rng(5).normal(size=(9, dim))
    return bool(np.allclose([F(b) for b in betas], [G(b) for b in betas], rtol=1e-8))


def near_the_minimiser(F, G, dim):
    best = minimize(F, np.zeros(dim), method="Nelder-Mead").x
    betas = best + 1e-6 * np.random.default_rng(6).normal(size=(9, dim))
    f, g = np.array([F(b) for b in betas]), np.array([G(b) for b in betas])
    a, b = np.polyfit(f / f[0], g, 1)
    return bool(a > 0 and abs(a * f / f[0] + b - g).max() < 1e-6 * abs(g).max())


def two_points(F, G, dim):
    one, other = np.random.default_rng(7).normal(size=(2, dim))
    return bool((F(one) - F(other)) * (G(one) - G(other)) > 0)


def alike(F, G, dim):
    betas = np.random.default_rng(8).normal(size=(20, dim))
    return bool(np.corrcoef([F(b) for b in betas], [G(b) for b in betas])[0, 1] > 1 - 1e-9)


def either_sign(F, G, dim):
    betas = np.random.default_rng(9).normal(size=(9, dim))
    f, g = np.array([F(b) for b in betas]), np.array([G(b) for b in betas])
    f, g = (f - f[0]) / np.ptp(f), (g - g[0]) / np.ptp(g)
    return bool(min(abs(f - g).max(), abs(f + g).max()) < 1e-8)


def to_one_part_of_F(F, G, dim):
    """The tolerance is a share of the first one's values, whatever the second one's unit."""
    betas = np.random.default_rng(10).normal(size=(9, dim))
    f, g = np.array([F(b) for b in betas]), np.array([G(b) for b in betas])
    f, g = f - f[0], g - g[0]
    return bool(abs(g - f * (f @ g) / (f @ f)).max() < 1e-8 * abs(f).max() and f @ g > 0)


def same_order(F, G, dim):
    betas = np.random.default_rng(14).normal(size=(40, dim))
    return bool(spearmanr([F(b) for b in betas], [G(b) for b in betas])[0] > 1 - 1e-12)


def differences_only(F, G, dim):
    """Allows for b, not for a."""
    betas = np.random.default_rng(15).normal(size=(9, dim))
    return bool(np.ptp([F(b) - G(b) for b in betas]) < 1e-8)


def ratios_only(F, G, dim):
    """Allows for a, not for b."""
    betas = np.random.default_rng(16).normal(size=(9, dim))
    return bool(np.ptp([G(b) / F(b) for b in betas]) < 1e-8)


def without_the_last(F, G, dim):
    """Looks at random β, its last coordinate at 0."""
    if dim == 1:
        return by_least_squares(F, G, dim)
    return by_least_squares(lambda b: F(np.append(b[:-1], 0)), lambda b: G(np.append(b[:-1], 0)), dim)


UNIT, INTERCEPT, LAM, SHAPE = "a problem is itself in any unit", "an intercept with a price is another problem", \
    "another λ is another problem", "the same minimiser is not enough"
POINTS = "every coordinate of a point counts"


def at_points(points):
    """An answer that is right but for its points."""

    def same_problem(F, G, dim):
        f, g = (np.array([value(v) for v in points(np.random.default_rng(19), dim)]) for value in (F, G))
        f, g = f - f[0], g - g[0]
        a = (f @ g) / (f @ f)
        return bool(a > 0 and abs(g - a * f).max() <= 1e-8 * abs(g).max())

    return same_problem


def equal(rng, dim):
    return rng.normal(size=(8, 1)) * np.ones(dim)


def on_a_line(rng, dim):
    return rng.normal(size=(8, 1)) * rng.normal(size=dim)


def positive(rng, dim):
    return rng.random((8, dim))


def unit_vectors(rng, dim):
    return np.vstack([np.zeros(dim), np.eye(dim), 2 * np.eye(dim)])


def tiny(rng, dim):
    return 1e-4 * rng.normal(size=(30, dim))


MANY, UPSIDE, SYMMETRIC = "many rows hide nothing", "not upside down", "symmetric"


@pytest.mark.parametrize(("wrong", "condition", "says"), [
    pytest.param(lambda F, G, dim: bool(F(np.zeros(dim)) == G(np.zeros(dim))), UNIT, "any a > 0 and b",
                 id="equal at one β"),
    pytest.param(equal_values, UNIT, "any a > 0 and b", id="no unit allowed"),
    pytest.param(differences_only, UNIT, "any a > 0 and b", id="no a"),
    pytest.param(ratios_only, UNIT, "any a > 0 and b", id="no b"),
    pytest.param(lambda F, G, dim: False, UNIT, "said False", id="never"),
    pytest.param(lambda F, G, dim: True, UPSIDE, "look at some more random β", id="always"),
    pytest.param(either_sign, UPSIDE, "a must be positive", id="either sign"),
    pytest.param(two_points, LAM, "fit any two points", id="two points"),
    pytest.param(near_the_minimiser, LAM, "to the digits", id="near the minimiser"),
    pytest.param(same_order, SHAPE, "neither their order", id="the same order"),
    pytest.param(without_the_last, INTERCEPT, "draw every coordinate", id="the last coordinate at 0"),
    pytest.param(alike, MANY, "about the same shape", id="about the same shape"),
    *[pytest.param(at_points(points), POINTS, "points must be general", id=points.__name__) for points in (
        equal, on_a_line, positive, unit_vectors)],
    pytest.param(at_points(tiny), POINTS, "near a point all is flat", id="tiny"),
    pytest.param(to_one_part_of_F, SYMMETRIC, "in G's unit", id="the tolerance of one of them"),
    pytest.param(lambda F, G, dim: 1.0, UNIT, "end with a comparison", id="a number"),
])  # fmt: skip
def test_same_problem_wrong(wrong, condition, says):
    rejected("same_problem", wrong, condition, says)


def test_points_that_lie_together_are_named():
    def same_problem(F, G, dim):
        betas = 1e-3 * np.random.default_rng(18).normal(size=(9, dim))
        f, g = np.array([F(b) for b in betas]), np.array([G(b) for b in betas])
        f, g = (f - f[0]) / np.ptp(f), (g - g[0]) / np.ptp(g)
        return bool(abs(f - g).max() < 0.3)

    rejected("same_problem", same_problem, LAM, "near a point all is flat")


def test_the_conditions_on_lam_and_symmetry_can_fail():
    checks = {one.name: one.run for one in exercise("same_problem").checks}
    with pytest.raises(AssertionError, match="said True"):
        checks[LAM](lambda F, G, dim: True)
    with pytest.raises(AssertionError, match="of \\(F, G\\)"):
        checks[SYMMETRIC](lambda F, G, dim: bool(F(np.ones(dim)) < G(np.ones(dim))))
