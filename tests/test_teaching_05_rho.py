"""The best ρ and the clock of notebook 05: right answers written otherwise, and wrong ones with their mistakes."""

import numpy as np
import pytest
from answers import accepted, rejected
from scipy.optimize import minimize_scalar

from glmlab.teaching.exercises05 import z_update
from glmlab.teaching.exercises05_rho import BETA, RUNS, clock, rate, zeros_at


def numerically(mu, L):
    found = minimize_scalar(lambda x: rate(np.exp(x), mu, L), bounds=(np.log(mu) - 1, np.log(L) + 1),
                            method="bounded", options={"xatol": 1e-6})  # fmt: skip
    return np.exp(found.x)


def by_bisection(mu, L):
    low, high = mu, L
    for _ in range(200):
        rho = (low * high) ** 0.5
        low, high = (rho, high) if rho / (mu + rho) < L / (L + rho) else (low, rho)
    return rho


def by_a_fine_grid(mu, L):
    grid = np.geomspace(mu, L, 100_001)
    return grid[np.argmin(np.maximum(grid / (mu + grid), L / (L + grid)))]


@pytest.mark.parametrize("right", [
    lambda mu, L: (mu * L) ** 0.5,
    lambda mu, L: np.exp((np.log(mu) + np.log(L)) / 2),
    lambda mu, L: mu * np.sqrt(L / mu),
    numerically,
    by_bisection,
    by_a_fine_grid,
], ids=["root", "mean of logarithms", "mu √κ", "by search", "bisection", "grid"])
def test_best_rho_written_otherwise(right):
    accepted("best_rho", right)


POSITIVE, UNIT, BETTER = "a positive number", "ρ has the unit of a curvature", "no other ρ has a better rate"


@pytest.mark.parametrize(("wrong", "condition", "says"), [
    (lambda mu, L: 1.0, UNIT, "no unit"),
    (lambda mu, L: mu * L, UNIT, "multiplied by c"),
    (lambda mu, L: np.sqrt(L / mu), UNIT, "multiplied by c"),
    (lambda mu, L: np.sqrt(mu + L), UNIT, "multiplied by c"),
    (lambda mu, L: minimize_scalar(lambda r: rate(r, mu, L), bounds=(mu, L), method="bounded").x, UNIT, "no unit"),
    (lambda mu, L: (mu + L) / 2, BETTER, "nor does the middle"),
    (lambda mu, L: 2 / (1 / mu + 1 / L), BETTER, "cross the curves"),
    (lambda mu, L: L, BETTER, "neither end"),
    (lambda mu, L: mu, BETTER, "neither end"),
    (lambda mu, L: 2 * np.sqrt(mu * L), BETTER, "cross the curves"),
    (lambda mu, L: -np.sqrt(mu * L), POSITIVE, "is positive"),
    (lambda mu, L: np.array([mu, L]), POSITIVE, "not a range"),
    (lambda mu, L: rate(np.sqrt(mu * L), mu, L), UNIT, "multiplied by c"),
], ids=["1", "product", "√κ", "root of the sum", "absolute tolerance", "middle", "harmonic", "L", "μ", "twice", "sign",
        "both", "the rate itself"])
def test_best_rho_wrong(wrong, condition, says):
    rejected("best_rho", wrong, condition, says)


# ---------------------------------------------------------------- zeros_at


def by_recursion(beta, lam, rho, K, k, alpha):
    """z and u of one coefficient at a time, the local answer being beta."""
    z, u = np.zeros(len(beta)), np.zeros(len(beta))
    for _ in range(k):
        vote = alpha * beta + (1 - alpha) * z + u
        z = vote - np.clip(vote, -lam / (rho * K), lam / (rho * K))
        u = vote - z
    return int(np.sum(z == 0))


RIGHT_ZEROS = {
    "recursion": by_recursion,
    "list": lambda beta, lam, rho, K, k, alpha: len([b for b in beta if abs(b) * alpha * k * rho * K <= lam]),
    "float": lambda beta, lam, rho, K, k, alpha: float(np.count_nonzero(K * k * alpha * rho * np.abs(beta) <= lam)),
    "both signs": lambda beta, lam, rho, K, k, alpha: sum(
        -lam / (alpha * rho * K * k) <= b <= lam / (alpha * rho * K * k) for b in beta),
    "sorted": lambda beta, lam, rho, K, k, alpha: np.searchsorted(
        np.sort(np.abs(beta)), lam / (alpha * rho * K * k), side="right"),
    "complement": lambda beta, lam, rho, K, k, alpha: len(beta) - (alpha * k * abs(beta) > lam / (rho * K)).sum(),
}  # fmt: skip


@pytest.mark.parametrize("right", RIGHT_ZEROS.values(), ids=list(RIGHT_ZEROS))
def test_zeros_at_written_otherwise(right):
    accepted("zeros_at", right)


def counted(threshold):
    return lambda beta, lam, rho, K, k, alpha: int(np.sum(np.abs(beta) < threshold(lam, rho, K, k, alpha)))


COUNT, LOOP = "a count", "as many as the loop itself leaves"
EDGE = "a sum equal to the threshold leaves a zero"


@pytest.mark.parametrize(("wrong", "condition", "says"), [
    (counted(lambda lam, rho, K, k, alpha: lam / (alpha * rho * K)), LOOP, "u accumulates"),
    (counted(lambda lam, rho, K, k, alpha: lam / (alpha * rho * k)), LOOP, "who divides by K"),
    (counted(lambda lam, rho, K, k, alpha: lam / (rho * K * k)), LOOP, "α weighs"),
    (counted(lambda lam, rho, K, k, alpha: lam / (alpha * K * k)), LOOP, "ρ divides"),
    (counted(lambda lam, rho, K, k, alpha: lam * alpha / (rho * K * k)), LOOP, "it does not multiply"),
    (counted(lambda lam, rho, K, k, alpha: lam / (alpha**k * rho * K * k)), LOOP, "not α to the power"),
    (counted(lambda lam, rho, K, k, alpha: lam / (alpha * rho * K * max(k - 1, 1e-9))), LOOP, "not N − 1"),
    (counted(lambda lam, rho, K, k, alpha: lam / (alpha * rho * K * (k + 1))), LOOP, "not N + 1"),
    (counted(lambda lam, rho, K, k, alpha: 0.97 * lam / (alpha * rho * K * k)), LOOP, "by hand"),
    (lambda beta, lam, rho, K, k, alpha: int(np.sum(beta < lam / (alpha * rho * K * k))), LOOP, "compare their sizes"),
    (lambda beta, lam, rho, K, k, alpha: int(np.sum(abs(beta) > lam / (alpha * rho * K * k))), LOOP, "not zero"),
    (counted(lambda lam, rho, K, k, alpha: lam / (alpha * rho * K * k)), EDGE, "compare by ≤"),
    (lambda beta, lam, rho, K, k, alpha: np.abs(beta) < lam / (alpha * rho * K * k), COUNT, "np.sum"),
    (lambda beta, lam, rho, K, k, alpha: np.mean(np.abs(beta) < lam / (alpha * rho * K * k)), COUNT, "whole number"),
], ids=["no k", "no K", "no α", "no ρ", "α upside down", "α to the k", "k − 1", "k + 1", "a little less", "signed",
        "the others", "strictly below", "a mask", "a share"])
def test_zeros_at_wrong(wrong, condition, says):
    rejected("zeros_at", wrong, condition, says)


def test_a_coefficient_that_just_reaches_the_threshold_is_still_zero():
    """½ + ½ in two rounds, and λ/(ρK) = 1: no rounding."""
    z, U = np.zeros(1), np.zeros((2, 1))
    for k in (1, 2, 3):
        z, U = z_update(np.full((2, 1), 0.5), U, z, 2.0, 1.0, 1.0)
        assert zeros_at(np.array([0.5]), 2.0, 1.0, 2, k, 1.0) == np.sum(z == 0) == (k < 3)


@pytest.mark.parametrize(("lam", "rho", "K", "alpha"), RUNS)
def test_loops_over_rows_leave_about_as_many_zeros(lam, rho, K, alpha, rows=300, rounds=12):
    """The clock of the exercise, whose chunks answer beta, against exact local solves on rows: within two."""
    rng, p = np.random.default_rng(60), len(BETA)
    X = rng.normal(size=(K, rows, p))
    y = X @ BETA + rng.normal(size=(K, rows))
    inverses = np.linalg.inv(2 * np.einsum("kni,knj->kij", X, X) + rho * np.eye(p))
    pulls = 2 * np.einsum("kni,kn->ki", X, y)
    z, U = np.zeros(p), np.zeros((K, p))
    for zeros in clock(lam, rho, K, rounds, alpha):
        z, U = z_update(np.einsum("kij,kj->ki", inverses, pulls + rho * (z - U)), U, z, lam, rho, alpha)
        assert abs(np.sum(z == 0) - zeros) <= 2
