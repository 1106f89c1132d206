"""The exercises of notebook 05: right answers written otherwise, and wrong ones with their misunderstanding."""

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar

from glmlab.teaching import check, exercises05
from glmlab.teaching.exercises05 import BETA, RUNS, replay


def called(name, function):
    function.__name__ = name
    return function


def accepted(name, right):
    verdict = check(called(name, right))
    assert verdict, verdict.message


def rejected(name, wrong, condition):
    verdict = check(called(name, wrong))
    assert not verdict and verdict.failed == condition, verdict.message
    assert verdict.hint in verdict.message


# ---------------------------------------------------------------- shrink


def by_branches(v, t):
    return np.where(v > t, v - t, np.where(v < -t, v + t, 0.0))


@pytest.mark.parametrize("right", [
    by_branches,
    lambda v, t: np.maximum(v - t, 0) - np.maximum(-v - t, 0),
    lambda v, t: v - np.clip(v, -t, t),
    lambda v, t: v * np.maximum(1 - t / np.maximum(np.abs(v), 1e-300), 0),
], ids=["branches", "two halves", "Moreau", "scaled"])
def test_shrink_written_otherwise(right):
    accepted("shrink", right)


JUMPS, SLOPE = "it never moves points apart", "v − p is a slope of t|p|"


@pytest.mark.parametrize(("wrong", "condition"), [
    (lambda v, t: np.where(np.abs(v) > t, v, 0.0), JUMPS),
    (lambda v, t: np.maximum(v - t, 0), "odd: −v gives −p"),
    (lambda v, t: np.sign(v) * (np.abs(v) - t), JUMPS),
    (lambda v, t: v / (1 + t), SLOPE),
    (lambda v, t: by_branches(v, t / 2), SLOPE),
    (lambda v, t: by_branches(v, np.max(t)), "a threshold for each entry"),
    (lambda v, t: float(np.sum(by_branches(v, t))), "as many numbers as v has"),
], ids=["hard", "one side", "beyond zero", "ridge", "half", "one threshold", "sum"])
def test_shrink_wrong(wrong, condition):
    rejected("shrink", wrong, condition)


# ---------------------------------------------------------------- local_update


def by_augmented_rows(X, y, z, u, rho):
    """Least squares with p more rows."""
    root = np.sqrt(rho / 2)
    A = np.vstack([X, root * np.eye(len(z))])
    return np.linalg.lstsq(A, np.append(y, root * (z - u)))[0]


def by_lbfgs(X, y, z, u, rho):
    """As the post does it, to a few more digits."""

    def value(b):
        r, away = X @ b - y, b - z + u
        return r @ r + rho / 2 * away @ away, 2 * X.T @ r + rho * away

    return minimize(value, z - u, jac=True, method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-8, "maxiter": 999}).x


def by_correction(X, y, z, u, rho):
    v = z - u
    return v + np.linalg.inv(2 * X.T @ X + rho * np.eye(len(z))) @ (2 * X.T @ (y - X @ v))


@pytest.mark.parametrize("right", [by_augmented_rows, by_lbfgs, by_correction], ids=["rows", "L-BFGS", "correction"])
def test_local_update_written_otherwise(right):
    accepted("local_update", right)


STAYS, ZERO = "where ρ is huge b stays at z − u", "the slope at b is zero"
FEW = "a chunk may have fewer rows than columns"


def solve(X, y, v, rho, two=2, penalty=1.0):
    return np.linalg.solve(two * X.T @ X + penalty * rho * np.eye(len(v)), two * X.T @ y + penalty * rho * v)


def through_least_squares(X, y, z, u, rho):
    """Right where XᵀX has an inverse."""
    if np.linalg.matrix_rank(X) < len(z):
        raise np.linalg.LinAlgError("Singular matrix")  # which rounding may hide
    G = 2 * X.T @ X
    own = np.linalg.solve(G, 2 * X.T @ y)
    return np.linalg.solve(np.eye(len(z)) + rho * np.linalg.inv(G), own + rho * np.linalg.inv(G) @ (z - u))


@pytest.mark.parametrize(("wrong", "condition"), [
    (lambda X, y, z, u, rho: solve(X, y, z + u, rho), STAYS),
    (lambda X, y, z, u, rho: solve(X, y, z, rho), STAYS),
    (lambda X, y, z, u, rho: solve(X, y, z - u, rho, two=1), ZERO),
    (lambda X, y, z, u, rho: solve(X, y, z - u, rho, penalty=0.5), ZERO),
    (lambda X, y, z, u, rho: solve(X, y, z - u, rho, two=2 / len(y)), ZERO),
    (lambda X, y, z, u, rho: np.linalg.solve(2 * X.T @ X + rho * np.eye(len(z)), 2 * X.T @ y), STAYS),
    (lambda X, y, z, u, rho: z - u, ZERO),
    (lambda X, y, z, u, rho: np.mean(solve(X, y, z - u, rho)), STAYS),
    (through_least_squares, FEW),
], ids=["z + u", "no u", "no 2", "ρ/2", "mean loss", "ridge", "prox alone", "a number", "inverse of XᵀX"])
def test_local_update_wrong(wrong, condition):
    rejected("local_update", wrong, condition)


# ---------------------------------------------------------------- z_update


def by_loop(B, U, z, lam, rho, alpha):
    total = 0.0
    for b, u in zip(B, U, strict=True):
        total = total + alpha * b + (1 - alpha) * z + u
    new = by_branches(total / len(B), lam / rho / len(B))
    return [new, np.array([u + alpha * b + (1 - alpha) * z - new for b, u in zip(B, U, strict=True)])]


def by_sums(B, U, z, lam, rho, alpha):
    """Shrink the sum, then divide."""
    A = z + alpha * (B - z)
    new = by_branches(rho * (A + U).sum(axis=0), lam) / (rho * len(B))
    return new, U + A - new


@pytest.mark.parametrize("right", [by_loop, by_sums], ids=["loop", "sums"])
def test_z_update_written_otherwise(right):
    accepted("z_update", right)


def voted(threshold=lambda lam, rho, K: lam / (rho * K), relax=lambda B, z, a: a * B + (1 - a) * z, keep=None):
    def z_update(B, U, z, lam, rho, alpha):
        A = relax(B, z, alpha)
        new = by_branches((A + U).mean(axis=0), threshold(lam, rho, len(B)))
        return new, U + (A if keep is None else keep(B, A)) - new

    return z_update


PLAIN, RELAXED, WEIGHS = "α = 1: ρ Σ U is a slope of λ‖z‖₁", "α ≠ 1: the same slope", "α weighs the new votes"


@pytest.mark.parametrize(("wrong", "condition"), [
    (voted(threshold=lambda lam, rho, K: lam / rho), PLAIN),
    (voted(threshold=lambda lam, rho, K: lam / K), PLAIN),
    (voted(threshold=lambda lam, rho, K: rho * lam / K), PLAIN),
    (voted(keep=lambda B, A: B), RELAXED),
    (voted(relax=lambda B, z, a: (1 - a) * B + a * z), WEIGHS),
    (voted(relax=lambda B, z, a: B), WEIGHS),
    (voted(keep=lambda B, A: np.broadcast_to(A.mean(axis=0), A.shape)), WEIGHS),
    (lambda B, U, z, lam, rho, alpha: voted()(B, U, z, lam, rho, alpha)[0], "z and U, of their shapes"),
    (lambda B, U, z, lam, rho, alpha: voted()(np.tile(B[:1], (len(B), 1)), U, z, lam, rho, alpha),
     "the order of the chunks does not matter"),
    (lambda B, U, z, lam, rho, alpha: (voted()(B, 0 * U, z, lam, rho, alpha)[0], voted()(B, U, z, lam, rho, alpha)[1]),
     PLAIN),
], ids=["λ/ρ", "no ρ", "ρ upside down", "unrelaxed B in U", "α on the old", "no α", "one u for all", "z alone",
        "first chunk", "z without u"])
def test_z_update_wrong(wrong, condition):
    rejected("z_update", wrong, condition)


# ---------------------------------------------------------------- best_rho


def numerically(mu, L):
    found = minimize_scalar(lambda x: exercises05.rate(np.exp(x), mu, L), bounds=(np.log(mu) - 1, np.log(L) + 1),
                            method="bounded", options={"xatol": 1e-6})  # fmt: skip
    return np.exp(found.x)


@pytest.mark.parametrize("right", [
    lambda mu, L: (mu * L) ** 0.5,
    lambda mu, L: np.exp((np.log(mu) + np.log(L)) / 2),
    numerically,
], ids=["root", "mean of logarithms", "by search"])
def test_best_rho_written_otherwise(right):
    accepted("best_rho", right)


UNIT, BETTER = "ρ has the unit of a curvature", "no other ρ has a better rate"


@pytest.mark.parametrize(("wrong", "condition"), [
    (lambda mu, L: 1.0, UNIT),
    (lambda mu, L: mu * L, UNIT),
    (lambda mu, L: np.sqrt(L / mu), UNIT),
    (lambda mu, L: (mu + L) / 2, BETTER),
    (lambda mu, L: 2 / (1 / mu + 1 / L), BETTER),
    (lambda mu, L: L, BETTER),
    (lambda mu, L: -np.sqrt(mu * L), "a positive number"),
    (lambda mu, L: np.array([mu, L]), "a positive number"),
], ids=["1", "product", "√κ", "middle", "harmonic", "L", "sign", "both"])
def test_best_rho_wrong(wrong, condition):
    rejected("best_rho", wrong, condition)


# ---------------------------------------------------------------- zeros_at


def by_recursion(beta, lam, rho, K, k, alpha):
    """z and u of one coefficient at a time, the local answer being beta."""
    z, u = np.zeros(len(beta)), np.zeros(len(beta))
    for _ in range(k):
        vote = alpha * beta + (1 - alpha) * z + u
        z = by_branches(vote, lam / (rho * K))
        u = vote - z
    return int(np.sum(z == 0))


@pytest.mark.parametrize("right", [
    by_recursion,
    lambda beta, lam, rho, K, k, alpha: len([b for b in beta if abs(b) * alpha * k * rho * K <= lam]),
], ids=["recursion", "list"])
def test_zeros_at_written_otherwise(right):
    accepted("zeros_at", right)


def counted(threshold):
    return lambda beta, lam, rho, K, k, alpha: int(np.sum(np.abs(beta) < threshold(lam, rho, K, k, alpha)))


FALLS, CHUNKS, WITHIN = "zeros go as rounds pass", "more chunks, fewer zeros", "within three of the loop itself"


@pytest.mark.parametrize(("wrong", "condition"), [
    (counted(lambda lam, rho, K, k, alpha: lam / (rho * K)), FALLS),
    (counted(lambda lam, rho, K, k, alpha: lam / (rho * k)), CHUNKS),
    (counted(lambda lam, rho, K, k, alpha: lam / (rho * K * k)), WITHIN),
    (counted(lambda lam, rho, K, k, alpha: lam / (alpha**k * rho * K * k)), FALLS),
    (lambda beta, lam, rho, K, k, alpha: int(np.sum(beta < lam / (alpha * rho * K * k))), WITHIN),
    (lambda beta, lam, rho, K, k, alpha: np.abs(beta) < lam / (alpha * rho * K * k), "a count"),
], ids=["no k", "no K", "no α", "α to the k", "signed", "a mask"])
def test_zeros_at_wrong(wrong, condition):
    rejected("zeros_at", wrong, condition)


@pytest.mark.parametrize(("lam", "rho", "K", "alpha"), RUNS)
def test_the_replay_is_the_loop_with_its_small_rho(lam, rho, K, alpha):
    """Within two of the recursion in which chunks answer β: what the exercise claims."""
    for k, zeros in enumerate(replay(BETA, lam, rho, K, 12, alpha), 1):
        assert abs(zeros - by_recursion(BETA, lam, rho, K, k, alpha)) <= 2
