"""The exercises of notebook 08: right answers written otherwise, and wrong ones with their misunderstanding."""

import numpy as np
import pytest
from answers import called, rejected
from scipy.optimize import minimize

from glmlab.teaching import check, exercise
from glmlab.teaching.exercises08 import hessian, largest_of_independent, largest_shifted, rows


def reference(name):
    return exercise(name).reference


# ---------------------------------------------------------------- noise_floor


@called("noise_floor")
def by_a_covariance(H, seed):
    cov = np.linalg.inv(H)
    draws = np.random.default_rng(seed).multivariate_normal(np.zeros(len(H)), (cov + cov.T) / 2, size=5_000)
    return abs(draws).max(axis=1).mean()


@called("noise_floor")
def by_eigenvectors(H, seed):
    values, vectors = np.linalg.eigh(H)
    white = np.random.default_rng(seed).normal(size=(3_000, len(H)))
    return float(np.mean(np.max(np.abs((white / np.sqrt(values)) @ vectors.T), axis=1)))


@pytest.mark.parametrize("right", [by_a_covariance, by_eigenvectors])
def test_noise_floor_written_otherwise(right):
    assert check(right), check(right).message


def of_variances(cov_of, few=4_000):
    """The mean maximum of independent normals, their variances as somebody believes."""
    def floor(H, seed):
        sds = np.sqrt(cov_of(H))
        return abs(np.random.default_rng(seed).normal(size=(few, len(H))) * sds).max(axis=1).mean()
    return floor


def spread(H):
    return np.sqrt(np.diag(np.linalg.inv(H)))


ONE, LARGEST, ROOT = "one coefficient", "the largest of p", "it falls like 1/√n"
CORRELATED, REFITS, SEEDED = "correlation respected", "as far as refits are", "a seed, and only the seed"


@pytest.mark.parametrize(("wrong", "condition"), [
    pytest.param(lambda H, seed: 1 / np.sqrt(np.trace(H) / len(H)), ONE, id="√(1/n): the curvature is forgotten"),
    pytest.param(lambda H, seed: np.sqrt(2 / np.pi) * spread(H).max(), LARGEST, id="one coordinate's error"),
    pytest.param(lambda H, seed: spread(H).max(), ONE, id="one coordinate's standard deviation"),
    pytest.param(of_variances(lambda H: 1 / np.diag(H)), CORRELATED, id="the diagonal of H, not of H⁻¹"),
    pytest.param(of_variances(lambda H: np.diag(np.linalg.inv(H))), CORRELATED, id="independent draws"),
    pytest.param(of_variances(lambda H: np.diag(H)), ONE, id="covariance H"),
    pytest.param(lambda H, seed: by_a_covariance(H @ H, seed), ONE, id="H⁻² for a covariance"),
    pytest.param(lambda H, seed: by_a_covariance(H, None), SEEDED, id="no seed"),
    pytest.param(of_variances(lambda H: np.diag(np.linalg.inv(H)), few=5), ONE, id="five draws"),
    pytest.param(lambda H, seed: abs(np.linalg.solve(np.linalg.cholesky(H).T, np.random.default_rng(seed).normal(
        size=(len(H), 4_000))).mean(axis=1)).max(), ONE, id="the maximum of a mean"),
    pytest.param(lambda H, seed: abs(np.linalg.solve(np.linalg.cholesky(H), np.random.default_rng(seed).normal(
        size=(len(H), 4_000)))).max(axis=0).mean(), CORRELATED, id="L for its transpose"),
    pytest.param(lambda H, seed: np.linalg.norm(np.linalg.solve(np.linalg.cholesky(H).T, np.random.default_rng(
        seed).normal(size=(len(H), 4_000))), axis=0).mean(), LARGEST, id="the 2-norm"),
    pytest.param(lambda H, seed: spread(H), ONE, id="a vector"),
])  # fmt: skip
def test_noise_floor_wrong(wrong, condition):
    rejected(called("noise_floor")(wrong), condition)


@pytest.mark.parametrize("condition", [ROOT, REFITS])
def test_conditions_on_the_floor_that_others_imply_can_fail(condition):
    [found] = [one for one in exercise("noise_floor").checks if one.name == condition]
    with pytest.raises(AssertionError):
        found.run(lambda H, seed: 0.7 * reference("noise_floor")(H, seed) * len(H) / np.log(np.trace(H)))


def test_the_integrals_that_judge_are_those_of_simulations():
    rng = np.random.default_rng(1)
    sds = np.array([0.5, 1.0, 3.0])
    simulated = abs(rng.normal(size=(200_000, 3)) * sds).max(axis=1).mean()
    assert largest_of_independent(sds) == pytest.approx(simulated, rel=0.01)
    simulated = abs(0.7 + 0.3 * rng.normal(size=(100_000, 9))).max(axis=1).mean()
    assert largest_shifted(0.7, 0.3, 9) == pytest.approx(simulated, rel=0.01)


def test_the_hessian_at_the_truth_is_positive():
    assert np.linalg.eigvalsh(hessian(rows(1, 50, 4)))[0] > 0


# ---------------------------------------------------------------- same_problem


@called("same_problem")
def by_least_squares(F, G, dim):
    betas = np.random.default_rng(3).normal(size=(12, dim))
    f, g = np.array([F(b) for b in betas]), np.array([G(b) for b in betas])
    A = np.column_stack([f / abs(f).max(), np.ones(12)])
    (a, b), *_ = np.linalg.lstsq(A, g, rcond=None)
    return a > 0 and bool(abs(A @ [a, b] - g).max() < 1e-8 * np.ptp(g))


@called("same_problem")
def by_ratios(F, G, dim):
    rng = np.random.default_rng(4)
    first, second, *others = rng.uniform(-2, 2, size=(9, dim))
    f, g = F(second) - F(first), G(second) - G(first)
    if f * g <= 0:
        return False
    pairs = [((F(b) - F(first)) / f, (G(b) - G(first)) / g) for b in others]
    return bool(np.allclose(*zip(*pairs, strict=True), rtol=1e-8, atol=1e-8))


@pytest.mark.parametrize("right", [by_least_squares, by_ratios])
def test_same_problem_written_otherwise(right):
    assert check(right), check(right).message


def equal_values(F, G, dim):
    betas = np.random.default_rng(5).normal(size=(9, dim))
    return bool(np.allclose([F(b) for b in betas], [G(b) for b in betas], rtol=1e-8))


def near_the_minimiser(F, G, dim):
    best = minimize(F, np.zeros(dim), method="Nelder-Mead").x
    betas = best + 1e-6 * np.random.default_rng(6).normal(size=(9, dim))
    f, g = np.array([F(b) for b in betas]), np.array([G(b) for b in betas])
    return bool(abs(np.polyval(np.polyfit(f / f[0], g, 1), f / f[0]) - g).max() < 1e-6 * abs(g).max())


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


UNIT, INTERCEPT, LAM = "a problem is itself in any unit", "an intercept with a price is another problem", \
    "another λ is another problem"
MANY, UPSIDE, SYMMETRIC = "many rows hide nothing", "not upside down", "symmetric"


@pytest.mark.parametrize(("wrong", "condition"), [
    pytest.param(lambda F, G, dim: bool(F(np.zeros(dim)) == G(np.zeros(dim))), UNIT, id="equal at one β"),
    pytest.param(lambda F, G, dim: True, INTERCEPT, id="always"),
    pytest.param(equal_values, UNIT, id="no unit allowed"),
    pytest.param(lambda F, G, dim: bool(np.isclose((F(np.ones(dim)) - F(0 * np.ones(dim))) * (G(np.ones(dim)) - G(
        np.zeros(dim))), 0) or F(np.ones(dim)) > 0), INTERCEPT, id="at one point and at 0"),
    pytest.param(near_the_minimiser, INTERCEPT, id="near the minimiser"),
    pytest.param(two_points, INTERCEPT, id="two points"),
    pytest.param(alike, MANY, id="about the same shape"),
    pytest.param(either_sign, UPSIDE, id="either sign"),
    pytest.param(to_one_part_of_F, SYMMETRIC, id="the tolerance of one of them"),
    pytest.param(lambda F, G, dim: 1.0, UNIT, id="a number"),
])  # fmt: skip
def test_same_problem_wrong(wrong, condition):
    rejected(called("same_problem")(wrong), condition)


def test_the_conditions_on_lam_and_symmetry_can_fail():
    checks = {one.name: one.run for one in exercise("same_problem").checks}
    with pytest.raises(AssertionError, match="said True"):
        checks[LAM](lambda F, G, dim: True)
    with pytest.raises(AssertionError, match="of \\(F, G\\)"):
        checks[SYMMETRIC](lambda F, G, dim: bool(F(np.ones(dim)) < G(np.ones(dim))))


# ---------------------------------------------------------------- time_to


@called("time_to")
def by_a_mask(seconds, bounds, target):
    return np.min(seconds[bounds <= target], initial=np.inf)


@called("time_to")
def by_the_best_so_far(seconds, bounds, target):
    k = np.argmax(np.minimum.accumulate(bounds) <= target)
    return float(seconds[k]) if bounds[k] <= target else float("inf")


@pytest.mark.parametrize("right", [by_a_mask, by_the_best_so_far])
def test_time_to_written_otherwise(right):
    assert check(right), check(right).message


def last_crossing(seconds, bounds, target):
    above = np.flatnonzero(bounds > target)
    after = above[-1] + 1 if len(above) else 0
    return seconds[after] if after < len(seconds) else np.inf


def interpolated(seconds, bounds, target):
    if not (bounds <= target).any():
        return np.inf
    k = int(np.argmax(bounds <= target))
    if k == 0 or np.isinf(bounds[k - 1]):
        return seconds[k]
    logs = np.log(bounds[[k, k - 1]])
    return float(np.interp(np.log(target), logs, seconds[[k, k - 1]]))


def one_too_early(seconds, bounds, target):
    k = int(np.argmax(bounds <= target))
    return seconds[max(k - 1, 0)] if (bounds <= target).any() else np.inf


NEVER, LOOK, EQUAL = "inf if it was never proved", "a time at which something was proved", "equal is enough"
FIRST, SOONER = "the first, though later bounds rise again", "a closer target is never sooner"


@pytest.mark.parametrize(("wrong", "condition"), [
    pytest.param(last_crossing, FIRST, id="the last crossing"),
    pytest.param(interpolated, LOOK, id="interpolated"),
    pytest.param(one_too_early, LOOK, id="the look before"),
    pytest.param(lambda seconds, bounds, target: seconds[-1], NEVER, id="the end of the run"),
    pytest.param(lambda seconds, bounds, target: seconds[np.argmax(bounds <= target)], NEVER, id="argmax of nothing"),
    pytest.param(lambda seconds, bounds, target: np.min(seconds[bounds < target], initial=np.inf), EQUAL,
                 id="less, not at most"),
    pytest.param(lambda seconds, bounds, target: [*seconds, np.inf][len(bounds) - np.searchsorted(
        bounds[::-1], target, side="right")], FIRST, id="bounds are sorted"),
    pytest.param(lambda seconds, bounds, target: int(np.argmax(bounds <= target)) if (bounds <= target).any()
                 else np.inf, LOOK, id="how many looks, not how long"),
    pytest.param(lambda seconds, bounds, target: np.nan, NEVER, id="nan for never"),
])  # fmt: skip
def test_time_to_wrong(wrong, condition):
    rejected(called("time_to")(wrong), condition)


def test_the_condition_that_times_are_monotone_can_fail():
    [found] = [one for one in exercise("time_to").checks if one.name == SOONER]
    with pytest.raises(AssertionError, match="fall somewhere"):
        found.run(lambda seconds, bounds, target: float(target))
