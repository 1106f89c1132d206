"""The p × p problems that remain once rows have been summed: scaled symmetric solves, a quadratic plus an L1 term."""

import functools
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_solve

from glmlab.maths.penalties import lambdas
from glmlab.policy import Algebra

EPS = np.finfo(float).eps


class Spectrum(NamedTuple):
    """A positive semidefinite H = D (V Λ Vᵀ) D, where V Λ Vᵀ has unit diagonal and Λ ≥ 0.

    Eigenvalues that are rounding alone are dropped: along their vectors H is zero to the last digit, not just flat. The
    scaling D makes the answer independent of the columns' units.
    """

    root: np.ndarray  # (dim,) D, the square root of H's diagonal (1 where that is 0)
    values: np.ndarray  # (dim,) Λ, ascending
    vectors: np.ndarray  # (dim, dim) V
    kept: np.ndarray  # (dim,) bool

    @property
    def rank(self):
        """How many eigenvalues are kept."""
        return int(self.kept.sum())

    @np.errstate(over="ignore", invalid="ignore")
    def solve(self, b):
        """The minimum-norm solution of Hx = b in the scaled coordinates; what b has outside the range is ignored."""
        V = self.vectors[:, self.kept]
        return over(V @ over(V.T @ over(b, self.root), self.values[self.kept]), self.root)

    def blurred(self, least):
        """Is the smallest eigenvalue at most `least` times the largest, so that it has few correct digits?"""
        return bool(self.values[0] <= least * self.values[-1])

    def null(self):
        """Directions (dim, dim − rank) along which H is zero."""
        return self.vectors[:, ~self.kept] / self.root[:, None]


class Definite(NamedTuple):
    """A clearly positive definite H: what is asked of a Spectrum, from Cholesky's factor, which is much cheaper."""

    root: np.ndarray  # (dim,) as in Spectrum
    solve: object  # b ↦ H⁻¹b, b (dim,) or (dim, m)

    @property
    def rank(self):
        """All of them."""
        return len(self.root)


def over(b, by):
    """Row j of b, a vector or a matrix, divided by by_j."""
    return (b.T / by).T


def unit_lengths(H):
    """Square roots of the diagonal, 1 where it is 0: the scaling that gives every column unit length."""
    diagonal = np.diag(H)
    return np.sqrt(np.where(diagonal > 0, diagonal, 1.0))


def unit_diagonal(H):
    """The scaling D of `unit_lengths`, and D⁻¹HD⁻¹, whose diagonal is 1 (0 where that of H is 0)."""
    root = unit_lengths(H)
    return root, H / root[:, None] / root


def spectrum(H):
    """H as a Spectrum."""
    root, scaled = unit_diagonal(H)
    values, vectors = np.linalg.eigh(scaled)
    # The error of a sum of rank-one terms is a small multiple of ε: an eigenvalue below that is noise.
    return Spectrum(root, values, vectors, values > 8 * len(H) * EPS * max(values[-1], 0.0))


def spectrum_of(R):
    """RᵀR as a Spectrum, from the singular values of R: a direction is dropped only where R itself is 0 to rounding."""
    root = np.linalg.norm(R, axis=0)
    root = np.where(root > 0, root, 1.0)
    _, values, vectors = np.linalg.svd(R / root, full_matrices=True)
    values = np.append(np.zeros(len(root) - len(values)), values[::-1])
    kept = values > 8 * len(root) * EPS * values[-1]
    return Spectrum(root, values**2, vectors[::-1].T, kept)


class Curvature:
    """∇²f + diag(l2), as a sum over rows and, where that has lost digits, as the factor R with RᵀR = ∇²f.

    An eigenvalue of the sum is the square of a singular value of R. Where the singular value is 1e-8 of the largest,
    the eigenvalue is rounding, but R still has eight digits. `factor()` makes R, once, when `on` first meets a block
    whose spectrum is blurred.
    """

    def __init__(self, hess, l2, factor=None, *, policy=Algebra()):
        self.hess, self.l2, self.factor, self.R, self.policy = hess, l2, factor, None, policy
        self.H = hess + np.diag(l2)

    def on(self, A):
        """The block of the coordinates A, a mask: Definite, or else a Spectrum."""
        if self.R is None:
            block = self.H[np.ix_(A, A)]
            if solve := by_cholesky(block, policy=self.policy):
                return Definite(unit_lengths(block), solve)
            part = spectrum(block)
            if self.factor is None or not part.blurred(self.policy.blurred):
                return part
            R = self.factor()
            if not np.isfinite(R).all():
                self.factor = None
                return part
            self.R = R
        return spectrum_of(np.vstack([self.R[:, A], np.diag(np.sqrt(self.l2))[self.l2 > 0][:, A]]))

    def deviations(self):
        """√(H⁻¹)_jj (dim,), None where H is singular to rounding."""
        everything = np.ones(len(self.H), dtype=bool)
        solve = by_cholesky(self.H) if self.R is None else None
        if solve is not None:
            return np.sqrt(np.diag(solve(np.diag(everything.astype(float)))))
        part = self.on(everything)
        return np.sqrt((part.vectors**2 / part.values).sum(axis=1)) / part.root if part.rank == len(self.H) else None

    def __matmul__(self, D):
        """(∇²f + diag(l2)) D for D (dim,) or (dim, m)."""
        return self.H @ D if self.R is None else self.R.T @ (self.R @ D) + (self.l2 * D.T).T

    def lengths(self, D):
        """√(Dᵀ∇²f D), column by column, and by how much rounding may have shortened them."""
        root = np.sqrt(np.diag(self.hess).clip(0))
        lost = root @ np.abs(D)
        if self.R is None:
            squares = np.einsum("i...,i...->...", D, self.hess @ D).clip(0)
            return np.sqrt(squares), np.sqrt(squares + 32 * EPS * lost**2) - np.sqrt(squares)
        return np.linalg.norm(self.R @ D, axis=0), 32 * EPS * lost


class Model(NamedTuple):
    """The minimiser of the quadratic model of f at β, plus g = λ₁‖β‖₁ + (λ₂/2)‖β‖²."""

    point: np.ndarray  # (dim,) v
    promise: float  # −(∇fᵀ(v − β) + g(v) − g(β)), the fall of F to first order in f
    decrement: float  # promise − ½(v − β)ᵀH(v − β), the fall of the model: an estimate of F(β) − F*
    step: np.ndarray | None = None  # (dim,) v − β, with more digits than the difference of the two floats


def minimise_model(g, beta, grad, hess, factor=None, *, policy=Algebra()):
    """argmin_v ∇fᵀ(v − β) + ½(v − β)ᵀH(v − β) + g(v), exactly, as a Model.

    grad (dim,) and hess (dim, dim) are those of f at β. `factor()` gives R with RᵀR = H; it is called where H has lost
    digits. Where grad or hess is not finite there is no model: its point is β, its promise and decrement are nan.
    """
    if not (np.isfinite(grad).all() and np.isfinite(hess).all()):
        return Model(beta, np.nan, np.nan, np.zeros_like(beta))
    l1, l2 = lambdas(g, len(beta))
    G, curve = grad + l2 * beta, Curvature(hess, l2, factor, policy=policy)
    v = lasso_point(G, curve.H, beta, l1, policy=policy) if np.any(l1 > 0) else beta
    d = refined(v, G, curve, beta, l1)
    v = np.where((v == 0) & (l1 > 0), 0.0, beta + d)
    promise = promised(G, beta, v, d, l1, l2)
    return Model(v, promise, promise - curve.lengths(d)[0] ** 2 / 2, d)


def minimise_roughly(g, beta, grad, hess, share, sweeps, *, policy=Algebra()):
    """The same by rounds of coordinate descent, until one moves by less than `share` of the step in D's norm.

    Each costs p², where a step of `lasso_point` costs p³. None where `sweeps` were too few, as they are where columns
    are nearly dependent, and where there is no model.
    """
    if not (np.isfinite(grad).all() and np.isfinite(hess).all()):
        return None
    l1, l2 = lambdas(g, len(beta))
    G, curve = grad + l2 * beta, Curvature(hess, l2, policy=policy)
    root, H = unit_diagonal(curve.H)
    v = start = beta * root
    for _ in range(sweeps):
        before, v = v, swept(v, H, -(G / root + H @ (v - start)), l1 / root, policy=policy)
        if np.linalg.norm(v - before) <= share * np.linalg.norm(v - start):
            d = (v - start) / root
            v = np.where(v == 0, 0.0, beta + d)
            promise = promised(G, beta, v, d, l1, l2)
            return Model(v, promise, promise - curve.lengths(d)[0] ** 2 / 2, d)
    return None


def promised(G, beta, v, d, l1, l2):
    """By how much F falls from β to v = β + d, to first order in f. G (dim,) is ∇f + l2 β.

    Where the sign stays, |v| − |β| is the sign times d: that has more digits than the difference of two floats.
    """
    same_sign = v * beta > 0
    slope = G + np.where(same_sign, l1 * np.sign(beta), 0.0)
    return -(slope @ d + l1 @ np.where(same_sign, 0.0, np.abs(v) - np.abs(beta)) + l2 @ d**2 / 2)


def refined(v, G, curve, beta, l1):
    """The step v − β, solved again on the coordinates A of v that are free or not 0, with their signs fixed.

    Through R where H has lost digits. Where the new step turns a sign, the old one stays.
    """
    d, A = v - beta, (v != 0) | (l1 == 0)
    if not A.any():
        return d
    solve = by_cholesky(curve.H[np.ix_(A, A)], policy=curve.policy) if curve.R is None else None
    if solve is None:
        if np.any(l1 > 0) and curve.factor is None:  # without R nothing is more exact than `lasso_point`
            return d
        solve = curve.on(A).solve
    new = d.copy()
    for _ in range(3):  # the second and third are iterative refinement
        new[A] -= solve((G + curve @ new + l1 * np.sign(v))[A])
    return new if np.all((np.sign(beta + new) == np.sign(v)) | (l1 == 0)) else d


def newton_direction(G, H):
    """argmin_d Gᵀd + ½dᵀHd, of minimum norm where H is singular, nan where H is not finite."""
    return spectrum(H).solve(-G) if np.isfinite(H).all() else np.full_like(G, np.nan)


def lasso_point(G, H, beta, l1, *, policy=Algebra()):
    """argmin_v Gᵀ(v − β) + ½(v − β)ᵀH(v − β) + Σ_j l1_j |v_j|, by active sets (feature-sign search, Lee et al. 2006).

    G, beta and l1 are (p,), H is (p, p); where l1_j = 0 the coordinate is free. The active set A holds the coordinates
    that may move. With their signs fixed the problem on A is linear. Each step goes towards its solution, or stops
    where a coordinate becomes 0 if the objective is lower there. Where no such step descends, a sweep of coordinate
    descent is made instead.
    """
    if not np.any(l1 > 0):
        return beta + newton_direction(G, H)
    root, H = unit_diagonal(H)
    G, l1, start = G / root, l1 / root, beta * root
    free, v, polished = l1 == 0, start.copy(), False
    for attempt in range(20 * len(v) + 100):
        if attempt == policy.warm or (attempt > policy.warm and len(v) > policy.compiled):
            for _ in range(policy.sweeps):
                v = swept(v, H, -(G + H @ (v - start)), l1, policy=policy)
        slope = -(G + H @ (v - start))  # optimal iff slope_j = l1_j sign v_j, |slope_j| ≤ l1_j where v_j = 0
        noise = 4 * EPS * (np.abs(G) + l1 + np.abs(H) @ (np.abs(v) + np.abs(start)))
        enters = (v == 0) & ~free & (np.abs(slope) > l1 + noise)
        stays = (v != 0) | free
        signs = np.where(free, 0.0, np.sign(np.where(enters, slope, v)))
        pull = np.where(stays | enters, slope - l1 * signs, 0.0)
        if np.all(np.abs(pull) <= noise):
            break
        move, ray = towards(H, pull, stays | enters, policy)
        if np.any(move * signs < 0, where=enters):  # a coordinate would leave 0 uphill
            move, ray = towards(H, pull, stays, policy)
        before = v
        v, lower = best_along(v, move, ray, H, slope, l1)
        settling = not (lower or ray or polished or enters.any())
        if settling and np.all(np.sign(v + move) == np.sign(v), where=~free):
            v, polished = v + move, True  # it solves the linear problem; only the objective cannot tell any more
        elif not lower or np.array_equal(v, before):
            v = swept(v, H, slope, l1, policy=policy)
        if np.array_equal(v, before):
            break
    return v / root


def swept(v, H, slope, l1, *, policy=Algebra()):
    """One round of coordinate descent from v (p,), where the negative gradient is `slope`; a new array.

    H (p, p) has unit diagonal (0 for a column of zeros).
    """
    v = v.copy()
    sweep = compiled_sweep() if len(v) > policy.compiled else sweep_in_place
    sweep(v, np.ascontiguousarray(H), slope.copy(), l1)
    return v


def sweep_in_place(v, H, slope, l1):
    """The same, in the arrays v and slope themselves: loops that can be compiled."""
    for j in range(len(v)):
        if H[j, j] > 0:
            pulled = slope[j] + v[j]
            size = abs(pulled) - l1[j]
            new = (size if pulled > 0 else -size) if size > 0 else 0.0
            slope -= H[j] * (new - v[j])
            v[j] = new


@functools.cache
def compiled_sweep():
    """`sweep_in_place`, compiled where numba can; the bits are the same."""
    try:
        from numba import njit

        return njit(cache=True, nogil=True, error_model="numpy")(sweep_in_place)
    except Exception:  # numba is missing, does not suit this NumPy, or finds no place for its cache
        return sweep_in_place


def towards(H, pull, A, policy):
    """The move on A that makes the pull vanish, and False.

    Where the pull has a part in the null space of H_AA no move does: then that part, a ray along which the objective
    falls without end until a sign turns, and True.
    """
    move = np.zeros_like(pull)
    if not A.any():
        return move, False
    if solve := by_cholesky(H[np.ix_(A, A)], policy=policy):
        move[A] = solve(pull[A])
        return move, False
    part = spectrum(H[np.ix_(A, A)])
    unseen = part.vectors[:, ~part.kept]
    ray = unseen @ (unseen.T @ pull[A])
    largest = np.abs(ray).max()
    if largest > policy.ray * np.abs(pull).max():
        move[A] = np.where(np.abs(ray) > policy.dust * largest, ray, 0.0)
        return move, True
    move[A] = part.solve(pull[A])
    return move, False


def by_cholesky(H, *, policy=Algebra()):
    """The function b ↦ H⁻¹b, b (dim,) or (dim, m); None where H, scaled, is not clearly positive definite.

    Where it is, few digits are lost, and this is much cheaper than a spectrum.
    """
    root, scaled = unit_diagonal(H)
    try:
        L = np.linalg.cholesky(scaled)
    except np.linalg.LinAlgError:
        return None
    if not np.diag(L).min() > policy.pivot:
        return None
    return lambda b: over(cho_solve((L, True), over(b, root), check_finite=False), root)


def best_along(v, move, ray, H, slope, l1):
    """The lowest of v + t·move over t = 1 and every t where a coordinate becomes 0; on a ray the first such t.

    Returns the point, and whether it is lower than v.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(l1 > 0, -v / move, 0.0)
    t = t[np.isfinite(t) & (t > 0)]
    t = np.sort(t)[:1] if ray else np.append(t, 1.0)
    if not len(t):
        return v, False
    trials = v + t[:, None] * move
    trials[np.abs(trials) <= 4 * EPS * np.abs(v)] = 0.0
    curve = 0.0 if ray else move @ H @ move
    change = t * t / 2 * curve - t * (slope @ move) + (np.abs(trials) - np.abs(v)) @ l1
    if change.min() >= -4 * EPS * (np.abs(v) @ l1):
        return v, False
    return trials[change.argmin()], True
