"""The plain twin of the core: textbook formulas on whole arrays, in extended precision, with no chunks and no blocks.

A theorem about a bound of 1e-12 needs an optimum that is known better than that, so everything here is `longdouble`. It
has 19 digits on x86, 34 on Arm under Linux and no more than a double elsewhere: what needs more is skipped there.
"""

from typing import NamedTuple

import numpy as np
import pytest
from scipy.optimize import linprog

from glmlab import Logistic, NegativeBinomial, Objective, Tweedie, as_chunks, fit
from glmlab.maths.penalties import FreeIntercept, lambdas

EPS = float(np.finfo(np.longdouble).eps)
extended = pytest.mark.skipif(EPS > 2e-19, reason="needs an extended precision that this processor lacks")


def need_extended():
    """Skips the test that calls it where a long double has no more digits than a double."""
    if EPS > 2e-19:
        pytest.skip(extended.kwargs["reason"])


ALPHA, A, B = 0.5, 0.375, 0.625  # of the families with a parameter: α, p − 1 and 2 − p; these and 1/α are exact
MEMBERS = {"negative_binomial": NegativeBinomial(ALPHA), "tweedie": Tweedie(1 + A)}
LOSS = {
    "gaussian": lambda eta, y: (y - eta) ** 2,
    "logistic": lambda eta, y: np.logaddexp(np.longdouble(0), eta) - y * eta,
    "poisson": lambda eta, y: np.exp(eta) - y * eta,
    "gamma": lambda eta, y: y / np.exp(eta) + eta,
    "negative_binomial": lambda eta, y: (1 + ALPHA * y) / ALPHA * np.log1p(ALPHA * np.exp(eta)) - y * eta,
    "tweedie": lambda eta, y: y * np.exp(-A * eta) / A + np.exp(B * eta) / B,
}
SLOPE = {
    "gaussian": lambda eta, y: 2 * (eta - y),
    "logistic": lambda eta, y: 1 / (1 + np.exp(-eta)) - y,
    "poisson": lambda eta, y: np.exp(eta) - y,
    "gamma": lambda eta, y: 1 - y / np.exp(eta),
    "negative_binomial": lambda eta, y: (np.exp(eta) - y) / (1 + ALPHA * np.exp(eta)),
    "tweedie": lambda eta, y: np.exp(B * eta) - y * np.exp(-A * eta),
}
SATURATED = {  # min over η
    "gaussian": lambda y: 0 * y,
    "logistic": lambda y: -xlogx(y) - xlogx(1 - y),
    "poisson": lambda y: y - xlogx(y),
    "gamma": lambda y: 1 + np.log(y),
    "negative_binomial": lambda y: (1 + ALPHA * y) / ALPHA * np.log1p(ALPHA * y) - xlogx(y),
    "tweedie": lambda y: y**B / A + y**B / B,
}
CURVE = {
    "gaussian": lambda eta, y: 2 + 0 * eta,
    "logistic": lambda eta, y: 1 / (2 + np.exp(eta) + np.exp(-eta)),
    "poisson": lambda eta, y: np.exp(eta),
    "gamma": lambda eta, y: y / np.exp(eta),
    "negative_binomial": lambda eta, y: (1 + ALPHA * y) * np.exp(eta) / (1 + ALPHA * np.exp(eta)) ** 2,
    "tweedie": lambda eta, y: A * y * np.exp(-A * eta) + B * np.exp(B * eta),
}


def xlogx(x):
    return x * np.log(np.where(x > 0, x, 1))


class Problem(NamedTuple):
    """Rows, family and penalty of one problem; `w` and `o` may be None."""

    family: str
    penalty: object
    X: np.ndarray
    y: np.ndarray
    w: np.ndarray | None
    o: np.ndarray | None
    intercept: bool

    @property
    def columns(self):
        X = np.asarray(self.X, dtype=np.longdouble)
        return np.column_stack([X, np.ones(len(X))]) if self.intercept else X

    @property
    def g(self):
        return FreeIntercept(self.penalty) if self.intercept else self.penalty

    def rows(self, beta):
        """X with its ones, w, η and y in extended precision."""
        need_extended()
        X, n = self.columns, len(self.y)
        w = np.ones(n) if self.w is None else self.w
        o = np.zeros(n) if self.o is None else self.o
        eta = X @ np.asarray(beta, np.longdouble) + o
        return X, np.asarray(w, np.longdouble), eta, np.asarray(self.y, np.longdouble)

    def loss(self, beta):
        _, w, eta, y = self.rows(beta)
        return (w * LOSS[self.family](eta, y)).sum()

    def grad(self, beta):
        X, w, eta, y = self.rows(beta)
        return X.T @ (w * SLOPE[self.family](eta, y))

    def hess(self, beta):
        X, w, eta, y = self.rows(beta)
        return X.T @ ((w * CURVE[self.family](eta, y))[:, None] * X)

    def value(self, beta):
        """F(β) = f(β) + g(β)."""
        beta = np.asarray(beta, np.longdouble)
        l1, l2 = lambdas(self.g, len(beta))
        return self.loss(beta) + l1 @ np.abs(beta) + (l2 @ beta**2) / 2

    def kkt(self, beta):
        """The distance from 0 to ∂F(β), coordinate by coordinate."""
        beta = np.asarray(beta, np.longdouble)
        l1, l2 = lambdas(self.g, len(beta))
        slope = self.grad(beta) + l2 * beta
        return np.where(beta == 0, np.maximum(np.abs(slope) - l1, 0), np.abs(slope + l1 * np.sign(beta)))

    def unit(self, beta):
        """S(β) = max(P(β), P of the null model ÷ 1000), P = F − Σ w min ℓ."""
        floor = self.floor()
        return max(self.value(beta) - floor, (self.null()[1] - floor) / 1000)

    def floor(self):
        _, w, _, y = self.rows(np.zeros(self.columns.shape[1]))
        counts = w > 0
        return (w[counts] * SATURATED[self.family](y[counts])).sum()

    def null(self):
        """The best level beside the offsets, and its loss: bisection of the slope, which grows with the level."""
        _, w, o, y = self.rows(np.zeros(self.columns.shape[1]))
        w, o, y = (column[w > 0] for column in (w, o, y))
        middle = (y - o).mean() if self.family == "gaussian" else -o.mean()
        reach = np.abs(y - o - middle).max() if self.family == "gaussian" else np.longdouble(50)
        low, high = middle - reach, middle + reach
        for _ in range(100):
            b = (low + high) / 2
            low, high = (b, high) if (w * SLOPE[self.family](b + o, y)).sum() < 0 else (low, b)
        return b, (w * LOSS[self.family](b + o, y)).sum()

    def blur(self, beta):
        """How wrong `value` may be: an extended number has so many digits, and η is a difference of large ones."""
        X, w, eta, y = self.rows(np.asarray(beta, np.longdouble))
        size = np.abs(X) @ np.abs(beta) + (0 if self.o is None else np.abs(self.o))
        each = np.abs(LOSS[self.family](eta, y)) + np.abs(SLOPE[self.family](eta, y)) * size
        return float(4 * np.finfo(np.longdouble).eps * (w * each).sum())

    def magnitude(self):
        """Σ w|ℓ(0)|, the size of the numbers in the objective, for rounding."""
        _, w, _, y = self.rows(np.zeros(self.columns.shape[1]))
        return float((w * np.abs(LOSS[self.family](0 * y, y))).sum())

    def objective(self, chunks=None):
        """The package's own Objective of this problem."""
        rows = as_chunks(*self.data, **self.extras, intercept=self.intercept, chunks=chunks, threads=1)
        return Objective(self.member, rows)

    @property
    def member(self):
        """The family as `fit` takes it: a name, or an object where it has a parameter."""
        return MEMBERS.get(self.family, self.family)

    @property
    def data(self):
        return self.X, self.y

    @property
    def extras(self):
        return {"sample_weight": self.w, "offset": self.o}

    def fit(self, **options):
        return fit(
            *self.data, **self.extras, family=self.member, penalty=self.penalty, fit_intercept=self.intercept, **options
        )


def joined(result, intercept):
    """β with the intercept last where there is one."""
    return np.append(result.beta, result.intercept) if intercept else result.beta


def optimum(problem):
    """A minimiser in extended precision: Newton's method on the support that `fit` found, then every condition checked.

    Columns may be dependent, or nearly so.
    """
    beta = np.asarray(joined(problem.fit(tol=1e-9), problem.intercept), np.longdouble)
    l1, l2 = lambdas(problem.g, len(beta))
    moving = (beta != 0) | (l1 == 0)
    signs = np.sign(beta)
    for _ in range(8):
        slope = (problem.grad(beta) + l2 * beta + l1 * signs)[moving]
        H = (problem.hess(beta) + np.diag(l2))[np.ix_(moving, moving)]
        beta[moving] -= solve(H, slope)
    X, w, eta, y = problem.rows(beta)
    moved = CURVE[problem.family](eta, y) * (np.abs(X) @ np.abs(beta))
    size = np.abs(X).T @ (w * (np.abs(SLOPE[problem.family](eta, y)) + np.abs(y) + 1 + moved))
    assert np.all(problem.kkt(beta) <= 1e-16 * (size + l1)), "the reference is not an optimum"
    return beta


def minimum(problem):
    """A minimiser found from 0 without the package: damped proximal Newton in extended precision.

    Where it stops short, its value is still one that F takes: gaps measured from it are never too large.
    """
    dim = problem.columns.shape[1]
    (l1, l2), beta = lambdas(problem.g, dim), np.zeros(dim, np.longdouble)
    value = problem.value(beta)
    for _ in range(100):
        slope, H = problem.grad(beta) + l2 * beta, problem.hess(beta) + np.diag(l2)
        move = lasso(slope, H, beta, l1) - beta if np.any(l1 > 0) else -solve(H, slope)
        trials = ((problem.value(beta + move / 2**k), k) for k in range(60))
        lower, k = next(((v, k) for v, k in trials if v < value), (value, None))
        if k is None:
            break
        settled = value - lower <= 1e-18 * abs(value)
        beta, value = beta + move / np.longdouble(2) ** k, lower
        if settled:
            break
    return beta


def lasso(G, H, beta, l1):
    """argmin_v Gᵀ(v − β) + ½(v − β)ᵀH(v − β) + Σ l1_j |v_j|: coordinate descent, its signs then solved for."""
    root = np.sqrt(np.where(np.diag(H) > 0, np.diag(H), 1))
    H, G, l1, start = H / root[:, None] / root, G / root, l1 / root, beta * root
    v, seen = start.copy(), np.flatnonzero(np.diag(H) > 0)
    for attempt in range(12):
        slope = -(G + H @ (v - start))
        for j in np.tile(seen, min(4 * attempt, 20)):  # none at first: the start may have the right signs
            pulled = slope[j] + v[j]
            new = np.sign(pulled) * max(abs(pulled) - l1[j], 0)
            slope -= H[:, j] * (new - v[j])
            v[j] = new
        A, new = (v != 0) | (l1 == 0), v.copy()
        new[A] += solve(H[np.ix_(A, A)], (slope - l1 * np.sign(v))[A])
        if np.all((np.sign(new) == np.sign(v)) | (l1 == 0)):
            v, slope = new, -(G + H @ (new - start))
            if np.all(np.abs(slope)[~A] <= l1[~A] * (1 + 1e-15)):
                break
    return v / root


def recedes(problem):
    """Is there a direction along which F falls for ever? A linear program over the unpenalised coordinates says so.

    Along it no row may get worse, and some must get better: y = 1 wants t ≥ 0, y = 0 t ≤ 0, what lies between t = 0.
    """
    l1, l2 = lambdas(problem.g, problem.columns.shape[1])
    if problem.family in ("gaussian", "gamma") or not np.any((l1 == 0) & (l2 == 0)):
        return False
    counts = np.ones(len(problem.y), bool) if problem.w is None else problem.w > 0
    X = problem.columns[counts][:, (l1 == 0) & (l2 == 0)].astype(float)
    U, size, _ = np.linalg.svd(X / np.maximum(np.abs(X).max(axis=0), 1e-300), full_matrices=False)
    # Nearly dependent columns would drown in the program's tolerance.
    X, y = U[:, (size > 1e-12 * size[0]) & (size > 0)], problem.y[counts]
    if not X.size:
        return False
    up = (y >= 1) & (problem.family == "logistic")
    still = (y > 0) & ~up
    toward = np.where(up, -1.0, 1.0)[:, None] * X
    found = linprog(toward[~still].sum(axis=0), A_ub=toward[~still], b_ub=np.zeros(np.sum(~still)),
                    A_eq=X[still], b_eq=np.zeros(still.sum()), bounds=[(-1, 1)] * X.shape[1])  # fmt: skip
    return bool(found.success and found.fun < -1e-4)


def solve(H, b):
    """A solution of Hx = b, H positive semidefinite, in extended precision: elimination, largest diagonal first."""
    root = np.sqrt(np.where(np.diag(H) > 0, np.diag(H), 1))
    H, x, left = np.column_stack([H / root[:, None] / root, b / root]), np.zeros_like(b), list(range(len(b)))
    while left and H[left, left].max() > 64 * np.finfo(np.longdouble).eps:
        k = left.pop(int(H[left, left].argmax()))
        H[k] /= H[k, k]
        others = np.arange(len(b)) != k
        H[others] -= np.outer(H[others, k], H[k])
    done = np.setdiff1d(np.arange(len(b)), left)
    x[done] = H[done, -1]
    return x / root


def random_problem(family, penalty, *, seed, n=80, p=4, weighted=False, shifted=False, intercept=False):
    """A well-posed random problem, with rows of weight 0 among the weighted ones."""
    rng = np.random.default_rng([seed, *family.encode()])
    X = rng.normal(size=(n, p)) * rng.uniform(0.3, 1.5, p)
    offset = rng.normal(size=n) / 2 if shifted else None
    eta = X @ rng.normal(size=p) * 0.5 + 0.3 + (0 if offset is None else offset)
    w = rng.integers(0, 4, n) * 0.75 if weighted else None
    return Problem(family, penalty, X, draw(family, eta, rng), w, offset, intercept)


def draw(family, eta, rng):
    """y with mean μ(η)."""
    if family == "gaussian":
        return eta + rng.normal(size=len(eta))
    if family == "logistic":
        return (rng.random(len(eta)) < 1 / (1 + np.exp(-eta))).astype(float)
    if family == "poisson":
        return rng.poisson(np.exp(eta)).astype(float)
    if family == "negative_binomial":
        return rng.poisson(np.exp(eta) * rng.gamma(1 / ALPHA, ALPHA, len(eta))).astype(float)
    if family == "tweedie":
        return np.exp(eta) * rng.gamma(1.0, 1.0, len(eta)) * rng.poisson(1.0, len(eta))
    return np.exp(eta) * rng.gamma(2.0, 0.5, len(eta)) + 1e-3


class Doubled(Logistic):
    """Twice the loss of its parent."""

    def loss(self, eta, y):
        return 2 * super().loss(eta, y)

    def dloss(self, eta, y):
        return 2 * super().dloss(eta, y)

    def d2loss(self, eta, y):
        return 2 * super().d2loss(eta, y)


class PseudoHuber:
    """A family of a reader's own: no domain, no price, no conjugate, nothing but what a solver needs."""

    def loss(self, eta, y):
        return np.sqrt(1 + (eta - y) ** 2)

    def dloss(self, eta, y):
        return (eta - y) / self.loss(eta, y)

    def d2loss(self, eta, y):
        return self.loss(eta, y) ** -3.0
