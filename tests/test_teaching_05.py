"""Shrinkage, local update and consensus step of notebook 05: right answers, and wrong ones with their mistakes."""

import numpy as np
import pytest
from answers import accepted, called, rejected
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from glmlab.teaching import check

# ---------------------------------------------------------------- shrink


def by_branches(v, t):
    return np.where(v > t, v - t, np.where(v < -t, v + t, 0.0))


def by_a_loop(v, t):
    w = np.zeros(len(v))
    for i, x in enumerate(v):
        if x > t:
            w[i] = x - t
        elif x < -t:
            w[i] = x + t
    return w


def by_masks(v, t):
    w = v.copy()
    big = abs(w) > t
    w[~big] = 0
    w[big] -= t * np.sign(w[big])
    return w


RIGHT_PROX = {
    "branches": by_branches,
    "two halves": lambda v, t: np.maximum(v - t, 0) - np.maximum(-v - t, 0),
    "Moreau": lambda v, t: v - np.clip(v, -t, t),
    "scaled": lambda v, t: v * np.maximum(1 - t / np.maximum(np.abs(v), 1e-300), 0),
    "in place, on a copy": lambda v, t: np.copysign(np.maximum(np.abs(v) - t, 0.0), v),
    "the largest threshold": lambda v, t: by_branches(v, np.max(t)),
    "a loop": lambda v, t: np.array([max(x - t, 0) - max(-x - t, 0) for x in v]),
    "a loop with branches": by_a_loop,
    "masks": by_masks,
    "a function of one number": lambda v, t: np.vectorize(lambda x: x - t if x > t else x + t if x < -t else 0.0)(v),
    "one number at a time": np.vectorize(lambda v, t: v - t if v > t else v + t if v < -t else 0.0),
}


@pytest.mark.parametrize("right", RIGHT_PROX.values(), ids=list(RIGHT_PROX))
def test_shrink_written_otherwise(right):
    accepted("shrink", lambda v, t: right(v, t))


SHAPE, ODD = "as many numbers as v has", "odd: −v gives −p"
JUMPS, SLOPE = "it never moves points apart", "v − p is a slope of t|p|"


@pytest.mark.parametrize(("wrong", "condition", "says"), [
    (lambda v, t: np.where(np.abs(v) > t, v, 0.0), JUMPS, "Zeroing small numbers"),
    (lambda v, t: np.maximum(v - t, 0), ODD, "try −v"),
    (lambda v, t: np.maximum(np.abs(v) - t, 0), ODD, "try −v"),
    (lambda v, t: np.sign(v) * (np.abs(v) - t), JUMPS, "while it crosses 0"),
    (lambda v, t: np.sign(v) * (np.abs(v) + t), JUMPS, "the wrong way round"),
    (lambda v, t: v / (1 + t), SLOPE, "the kink of |p|"),
    (lambda v, t: by_branches(v, t / 2), SLOPE, "not t/2"),
    (lambda v, t: by_branches(v, 2 * t), SLOPE, "not 2t"),
    (lambda v, t: np.clip(v, -t, t), SLOPE, "takes away"),
    (lambda v, t: v - (np.abs(v + t) - np.abs(v - t)) / 2, SLOPE, "zeros must be exact"),
    (lambda v, t: np.float32(by_branches(v, t)).astype(float), SLOPE, "float32 keeps 7 digits"),
    (lambda v, t: float(np.sum(by_branches(v, t))), SHAPE, "entry by entry"),
    (lambda v, t: [max(x - t, 0) - max(-x - t, 0) for x in v], SHAPE, "makes an array of a list"),
    (lambda v, t: v - t if v > t else v + t if v < -t else 0.0, SHAPE, "np.where"),
], ids=["hard", "one side", "sizes", "beyond zero", "outwards", "ridge", "half", "twice", "what is taken away",
        "not quite 0", "float32", "sum", "a list", "if"])
def test_shrink_wrong(wrong, condition, says):
    rejected("shrink", wrong, condition, says)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_division_by_t_is_named():
    rejected("shrink", lambda v, t: v - t * np.clip(np.asarray(v) / t, -1, 1), ODD, "divide by neither")


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


def by_cholesky(X, y, z, u, rho):
    """A list of numbers."""
    return list(cho_solve(cho_factor(X.T @ X + rho / 2 * np.eye(len(z))), X.T @ y + rho / 2 * (z - u)))


def by_woodbury(X, y, z, u, rho):
    """A system as large as the chunk has rows."""
    pull = 2 * X.T @ y + rho * (z - u)
    return (pull - X.T @ np.linalg.solve(X @ X.T + rho / 2 * np.eye(len(X)), X @ pull)) / rho


@pytest.mark.parametrize("right", [by_augmented_rows, by_lbfgs, by_correction, by_cholesky, by_woodbury])
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


def by_few_steps(X, y, z, u, rho):
    """Gradient descent that stops too early."""
    b, step = z - u, 1 / (2 * np.linalg.norm(X, 2) ** 2 + rho)
    for _ in range(5):
        b = b - step * (2 * X.T @ (X @ b - y) + rho * (b - z + u))
    return b


def free(X, y, z, u, rho):
    return np.linalg.solve(2 * X.T @ X + rho * np.eye(len(z)), 2 * X.T @ y)


@pytest.mark.parametrize(("wrong", "condition", "says"), [
    (lambda X, y, z, u, rho: solve(X, y, z + u, rho), STAYS, "mind the sign of u"),
    (lambda X, y, z, u, rho: solve(X, y, z, rho), STAYS, "u is missing"),
    (lambda X, y, z, u, rho: solve(X, y, -u, rho), STAYS, "z is missing"),
    (free, STAYS, "not towards 0"),
    (lambda X, y, z, u, rho: np.linalg.solve(2 * X.T @ X + rho, 2 * X.T @ y + rho * (z - u)), STAYS, "diagonal"),
    (lambda X, y, z, u, rho: np.linalg.lstsq(X, y)[0], STAYS, "the term (ρ/2)"),
    (lambda X, y, z, u, rho: solve(X, y, z - u, 1.0), STAYS, "the given ρ"),
    (lambda X, y, z, u, rho: solve(X, y, z - u / rho, rho), STAYS, "ρ does not multiply it"),
    (lambda X, y, z, u, rho: solve(X, y, z - u, rho, two=1), ZERO, "the square has a 2"),
    (lambda X, y, z, u, rho: solve(X, y, z - u, rho, penalty=0.5), ZERO, "without a ½"),
    (lambda X, y, z, u, rho: solve(X, y, z - u, rho, penalty=2), ZERO, "the square has a 2"),
    (lambda X, y, z, u, rho: solve(X, y, z - u, rho, two=2 / len(y)), ZERO, "do not divide by n"),
    (lambda X, y, z, u, rho: solve(X, -y, z - u, rho), ZERO, "2Xᵀ(Xb − y)"),
    (lambda X, y, z, u, rho: z - u, ZERO, "the rows are missing"),
    (by_few_steps, ZERO, "an iteration must go on"),
    (lambda X, y, z, u, rho: np.mean(solve(X, y, z - u, rho)), STAYS, "a NumPy array of shape (4,)"),
    (lambda X, y, z, u, rho: solve(X, y, z - u, rho)[:, None], STAYS, "print type(…) and .shape"),
    (lambda X, y, z, u, rho: np.linalg.lstsq(X, y, rcond=None), STAYS, "print type(…) and .shape"),
    (through_least_squares, FEW, "always has one"),
], ids=["z + u", "no u", "no z", "ridge", "ρ in every entry", "least squares", "ρ = 1",
        "ρz − u", "no 2", "ρ/2", "2ρ", "mean loss", "sign of y", "prox alone", "few steps",
        "a number", "a column", "the whole tuple", "inverse of XᵀX"])
def test_local_update_wrong(wrong, condition, says):
    rejected("local_update", wrong, condition, says)


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


def by_prox_of_a_quadratic(B, U, z, lam, rho, alpha):
    """The minimiser of each coordinate is found from its slopes at 0."""
    A = alpha * B + (1 - alpha) * z
    pull, K = rho * np.sum(A + U, axis=0), len(B)
    new = np.zeros(len(z))
    new[pull > lam] = (pull[pull > lam] - lam) / (rho * K)
    new[pull < -lam] = (pull[pull < -lam] + lam) / (rho * K)
    return new, U + A - new


def by_columns(B, U, z, lam, rho, alpha):
    new = np.array([
        np.sign(v) * max(abs(v) - lam / (rho * len(B)), 0.0)
        for v in (alpha * B[:, j].mean() + (1 - alpha) * z[j] + U[:, j].mean() for j in range(len(z)))
    ])
    return new, (U + alpha * B) + ((1 - alpha) * z - new)


def by_moreau(B, U, z, lam, rho, alpha):
    votes = z + alpha * (B - z) + U
    m = np.mean(votes, axis=0)
    new = m - np.clip(m, -lam / rho / len(B), lam / rho / len(B))
    return new, votes - new[None, :]


@pytest.mark.parametrize("right", [by_loop, by_sums, by_prox_of_a_quadratic, by_columns, by_moreau])
def test_z_update_written_otherwise(right):
    accepted("z_update", right)


def voted(threshold=lambda lam, rho, K: lam / (rho * K), relax=lambda B, z, a: a * B + (1 - a) * z, keep=None,
          mean=lambda A, U: (A + U).mean(axis=0), memory=None):
    """An answer that is right but for one thing."""

    def z_update(B, U, z, lam, rho, alpha):
        A = relax(B, z, alpha)
        new = by_branches(mean(A, U), threshold(lam, rho, len(B)))
        if memory is not None:
            return new, memory(U, A, new, z)
        return new, U + (A if keep is None else keep(B, A)) - new

    return z_update


def after(change):
    """A right answer, changed."""
    return lambda B, U, z, lam, rho, alpha: change(*voted()(B, U, z, lam, rho, alpha))


SHAPES, ORDER = "z and U, of their shapes", "the order of the chunks does not matter"
PLAIN, RELAXED, WEIGHS = "α = 1: ρ Σ U is a slope of λ‖z‖₁", "α ≠ 1: the same slope", "α weighs the new answers"


@pytest.mark.parametrize(("wrong", "condition", "says"), [
    (voted(threshold=lambda lam, rho, K: lam / rho), PLAIN, "not by λ/ρ"),
    (voted(threshold=lambda lam, rho, K: lam / K), PLAIN, "not by λ/K"),
    (voted(threshold=lambda lam, rho, K: rho * lam / K), PLAIN, "ρ divides"),
    (voted(threshold=lambda lam, rho, K: 0.0), PLAIN, "the penalty is missing"),
    (voted(mean=lambda A, U: A.mean(axis=0)), PLAIN, "U counts, too"),
    (voted(mean=lambda A, U: (A - U).mean(axis=0)), PLAIN, "U is added"),
    (voted(mean=lambda A, U: (A + U).sum(axis=0)), PLAIN, "not the sum"),
    (voted(mean=lambda A, U: by_branches(A + U, 2.0).mean(axis=0), threshold=lambda lam, rho, K: 0.0), PLAIN,
     "do not shrink each answer"),
    (voted(memory=lambda U, A, new, z: U - A + new), PLAIN, "U grows by"),
    (voted(memory=lambda U, A, new, z: A - new), PLAIN, "adds to what it was"),
    (voted(memory=lambda U, A, new, z: U + A - z), PLAIN, "subtract the new z"),
    (voted(memory=lambda U, A, new, z: U + A), PLAIN, "subtract the new z from"),
    (voted(keep=lambda B, A: B), RELAXED, "not B"),
    (voted(relax=lambda B, z, a: (1 - a) * B + a * z), WEIGHS, "alpha·B + (1 − alpha)·z"),
    (voted(relax=lambda B, z, a: B), WEIGHS, "alpha·B + (1 − alpha)·z"),
    (voted(keep=lambda B, A: np.broadcast_to(A.mean(axis=0), A.shape)), WEIGHS, "its own disagreement"),
    (after(lambda z, U: z), SHAPES, "return z, U"),
    (after(lambda z, U: (U, z)), SHAPES, "z comes first"),
    (after(lambda z, U: (z, U.mean(axis=0))), SHAPES, "U is array (5,)"),
    (after(lambda z, U: (list(z), U)), SHAPES, "np.array(…) makes an array of a list"),
    (after(lambda z, U: (z, list(U))), SHAPES, "np.array(…) makes an array of a list"),
    (lambda B, U, z, lam, rho, alpha: voted()(np.tile(B[:1], (len(B), 1)), U, z, lam, rho, alpha), ORDER, "axis 0"),
], ids=["λ/ρ", "no ρ", "ρ upside down", "no λ", "z without u", "minus u", "sum", "each vote", "U falls", "no memory",
        "the old z", "no z in U", "unrelaxed B in U", "α on the old", "no α", "one u for all", "z alone", "swapped",
        "one u", "list of z", "list of U", "first chunk"])
def test_z_update_wrong(wrong, condition, says):
    rejected("z_update", wrong, condition, says)


def test_a_vote_in_place_is_told_so():
    def z_update(B, U, z, lam, rho, alpha):
        new, moved = voted()(B, U, z, lam, rho, alpha)
        U[:] = moved
        return new, U

    assert "changed what it was given; work on a copy" in check(called("z_update", z_update)).message
