"""The p × p problems that remain once rows have been summed: scaled symmetric solves, a quadratic plus an L1 term."""

from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_solve

from glmlab.penalties import weights

WARM = 2  # active-set steps that a good start needs at most
BLURRED = 1e-10  # smallest ÷ largest eigenvalue below which rounding has taken too much of a sum


class Spectrum(NamedTuple):
    """A positive semidefinite H = D (V Λ Vᵀ) D with unit diagonal inside, eigenvalues below rounding dropped.

    Columns that differ by many powers of ten then do no harm, and what is dropped is a direction in which H is zero
    to the last digit, not one that is merely flat.
    """

    root: np.ndarray  # (dim,) D, the square root of H's diagonal (1 where that is 0)
    values: np.ndarray  # (dim,) Λ, ascending
    vectors: np.ndarray  # (dim, dim) V
    kept: np.ndarray  # (dim,) bool

    @property
    def rank(self):
        return int(self.kept.sum())

    @np.errstate(over="ignore", invalid="ignore")
    def solve(self, b):
        """The minimum-norm solution of Hx = b in the scaled coordinates; what b has outside the range is ignored."""
        V = self.vectors[:, self.kept]
        return over(V @ over(V.T @ over(b, self.root), self.values[self.kept]), self.root)

    @property
    def blurred(self):
        """Does an eigenvalue have few digits, or is it dropped?"""
        return bool(self.values[0] <= BLURRED * self.values[-1])

    def null(self):
        """Directions (dim, dim − rank) that H does not see."""
        return self.vectors[:, ~self.kept] / self.root[:, None]


def over(b, by):
    """Row j of b, a vector or a matrix, divided by by_j."""
    return (b.T / by).T


def spectrum(H):
    """H as a Spectrum."""
    root = unit_lengths(H)
    values, vectors = np.linalg.eigh(H / root[:, None] / root)
    # A sum of n rank-one terms is right to a small multiple of ε: below that an eigenvalue is noise.
    return Spectrum(root, values, vectors, values > 8 * len(H) * np.finfo(float).eps * max(values[-1], 0.0))


def spectrum_of(R):
    """RᵀR as a Spectrum, from the singular values of R: a direction is dropped only where R itself is 0 to rounding."""
    root = np.linalg.norm(R, axis=0)
    root = np.where(root > 0, root, 1.0)
    _, values, vectors = np.linalg.svd(R / root, full_matrices=True)
    values = np.append(np.zeros(len(root) - len(values)), values[::-1])
    kept = values > 8 * len(root) * np.finfo(float).eps * values[-1]
    return Spectrum(root, values**2, vectors[::-1].T, kept)


class Curvature:
    """∇²f + diag(l2), as a sum over rows and, where that has lost digits, as the factor R with RᵀR = ∇²f.

    An eigenvalue of the sum is the square of a singular value of R: where that is 1e-8 of the largest, the sum knows
    nothing of it, and R eight digits. `factor()` makes R, once, when `on` first meets such a block.
    """

    def __init__(self, hess, l2, factor=None):
        self.hess, self.l2, self.factor, self.R = hess, l2, factor, None
        self.H = hess + np.diag(l2)

    def on(self, A):
        """The block of the coordinates A, a mask, as a Spectrum."""
        if self.R is None:
            part = spectrum(self.H[np.ix_(A, A)])
            if self.factor is None or not part.blurred:
                return part
            R = self.factor()
            if not np.isfinite(R).all():
                self.factor = None
                return part
            self.R = R
        return spectrum_of(np.vstack([self.R[:, A], np.diag(np.sqrt(self.l2))[self.l2 > 0][:, A]]))

    def __matmul__(self, D):
        """(∇²f + diag(l2)) D for D (dim,) or (dim, m)."""
        return self.H @ D if self.R is None else self.R.T @ (self.R @ D) + (self.l2 * D.T).T

    def lengths(self, D):
        """√(Dᵀ∇²f D), column by column, and by how much rounding may have shortened them."""
        root, eps = np.sqrt(np.diag(self.hess).clip(0)), np.finfo(float).eps
        lost = root @ np.abs(D)
        if self.R is None:
            squares = np.einsum("i...,i...->...", D, self.hess @ D).clip(0)
            return np.sqrt(squares), np.sqrt(squares + 32 * eps * lost**2) - np.sqrt(squares)
        return np.linalg.norm(self.R @ D, axis=0), 32 * eps * lost


class Model(NamedTuple):
    """What the quadratic model of f at β, plus g = λ₁‖β‖₁ + (λ₂/2)‖β‖², says of its minimiser."""

    point: np.ndarray  # (dim,) v
    promise: float  # −(∇fᵀ(v − β) + g(v) − g(β)), what F would fall by if it followed its slope
    decrement: float  # promise − ½(v − β)ᵀH(v − β), what the model falls by: an estimate of F(β) − F*
    step: np.ndarray | None = None  # (dim,) v − β, with the digits that v has no room for


def minimise_model(g, beta, grad, hess, factor=None):
    """argmin_v ∇fᵀ(v − β) + ½(v − β)ᵀH(v − β) + g(v), exactly; grad (dim,) and hess (dim, dim) are those of f at β.

    Where they overflow there is no model: its point is β, the rest nan. `factor()` gives R with RᵀR = H; it is asked
    where H has lost digits.
    """
    if not (np.isfinite(grad).all() and np.isfinite(hess).all()):
        return Model(beta, np.nan, np.nan, np.zeros_like(beta))
    l1, l2 = weights(g, len(beta))
    G, curve = grad + l2 * beta, Curvature(hess, l2, factor)
    v = lasso_point(G, curve.H, beta, l1) if np.any(l1 > 0) else beta
    d = settled(v, G, curve, beta, l1)
    v = np.where((v == 0) & (l1 > 0), 0.0, beta + d)
    # Where no sign turns |v| − |β| is the sign times d, which has more digits than the difference of two floats.
    kept = v * beta > 0
    slope = G + np.where(kept, l1 * np.sign(beta), 0.0)
    promise = -(slope @ d + l1 @ np.where(kept, 0.0, np.abs(v) - np.abs(beta)) + l2 @ d**2 / 2)
    return Model(v, promise, promise - curve.lengths(d)[0] ** 2 / 2, d)


def settled(v, G, curve, beta, l1):
    """The step to v, its slope made right where that is fixed, through R if need be, unless that turns a sign."""
    d, A = v - beta, (v != 0) | (l1 == 0)
    if not A.any():
        return d
    solve = by_cholesky(curve.H[np.ix_(A, A)]) if curve.R is None else None
    if solve is None:
        if np.any(l1 > 0) and curve.factor is None:  # `lasso_point` has done what H allows
            return d
        solve = curve.on(A).solve
    new = d.copy()
    for _ in range(3):  # the later ones refine
        new[A] -= solve((G + curve @ new + l1 * np.sign(v))[A])
    return new if np.all((np.sign(beta + new) == np.sign(v)) | (l1 == 0)) else d


def newton_direction(G, H):
    """argmin_d Gᵀd + ½dᵀHd, of minimum norm where H is singular."""
    return spectrum(H).solve(-G)


def lasso_point(G, H, beta, l1):
    """argmin_v Gᵀ(v − β) + ½(v − β)ᵀH(v − β) + Σ_j l1_j |v_j|, by active sets (feature-sign search, Lee et al. 2006).

    G, beta and l1 are (p,), H is (p, p); where l1_j = 0 the coordinate is free. On the set A of coordinates that may
    move, with their signs fixed, the problem is linear; a step towards its solution stops where a sign would change if
    that is lower. Where no such step descends, a sweep of coordinate descent does.
    """
    if not np.any(l1 > 0):
        return beta + newton_direction(G, H)
    root = unit_lengths(H)
    H, G, l1, start = H / root[:, None] / root, G / root, l1 / root, beta * root
    free, v = l1 == 0, start.copy()
    for attempt in range(20 * len(v) + 100):
        if attempt == WARM:  # a sweep costs p², a step p³: many small moves first where the start was no guide
            for _ in range(30):
                v = sweep(v, H, -(G + H @ (v - start)), l1)
        slope = -(G + H @ (v - start))  # optimal iff slope_j = l1_j sign v_j, |slope_j| ≤ l1_j where v_j = 0
        noise = 4 * np.finfo(float).eps * (np.abs(G) + l1 + np.abs(H) @ (np.abs(v) + np.abs(start)))
        enters = (v == 0) & ~free & (np.abs(slope) > l1 + noise)
        signs = np.where(free, 0.0, np.sign(np.where(enters, slope, v)))
        pull = np.where((v != 0) | free | enters, slope - l1 * signs, 0.0)
        if np.all(np.abs(pull) <= noise):
            break
        move, ray = towards(H, pull, (v != 0) | free | enters)
        if np.any(move * signs < 0, where=enters):  # it would leave 0 on the wrong side: not a descent
            move, ray = towards(H, pull, (v != 0) | free)
        before = v
        v, lower = best_along(v, move, ray, H, slope, l1)
        if not lower or np.array_equal(v, before):
            v = sweep(v, H, slope, l1)
        if np.array_equal(v, before):
            break
    return v / root


def sweep(v, H, slope, l1):
    """One round of coordinate descent, H with unit diagonal (0 for a column of zeros)."""
    v, slope = v.copy(), slope.copy()
    for j in np.flatnonzero(np.diag(H) > 0):
        pulled = slope[j] + v[j]
        new = np.sign(pulled) * max(abs(pulled) - l1[j], 0.0)
        slope -= H[:, j] * (new - v[j])
        v[j] = new
    return v


def unit_lengths(H):
    """Square roots of the diagonal, 1 where it is 0: the scaling that gives every column unit length."""
    diagonal = np.diag(H)
    return np.sqrt(np.where(diagonal > 0, diagonal, 1.0))


def towards(H, pull, A):
    """The move on A that makes the pull vanish; where H_AA cannot, the ray on which the objective falls (and True)."""
    move = np.zeros_like(pull)
    if not A.any():
        return move, False
    if solve := by_cholesky(H[np.ix_(A, A)]):
        move[A] = solve(pull[A])
        return move, False
    part = spectrum(H[np.ix_(A, A)])
    unseen = part.vectors[:, ~part.kept]
    ray = unseen @ (unseen.T @ pull[A])
    largest = np.abs(ray).max()
    if largest > 1e-6 * np.abs(pull).max():
        move[A] = np.where(np.abs(ray) > 1e-9 * largest, ray, 0.0)
        return move, True
    move[A] = part.solve(pull[A])
    return move, False


def by_cholesky(H):
    """b ↦ H⁻¹b if H, scaled to a unit diagonal, is well within positive definite, else None.

    It has not lost many digits then. Much cheaper than a spectrum.
    """
    root = unit_lengths(H)
    try:
        L = np.linalg.cholesky(H / root[:, None] / root)
    except np.linalg.LinAlgError:
        return None
    if not np.diag(L).min() > 1e-4:
        return None
    return lambda b: cho_solve((L, True), b / root, check_finite=False) / root


def best_along(v, move, ray, H, slope, l1):
    """The lowest of v + t·move over t = 1 and every t where a coordinate becomes 0; the first of those on a ray.

    Returns the point and whether it is lower than v.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(l1 > 0, -v / move, 0.0)
    t = t[np.isfinite(t) & (t > 0)]
    t = np.sort(t)[:1] if ray else np.append(t, 1.0)
    if not len(t):
        return v, False
    trials = v + t[:, None] * move
    trials[np.abs(trials) <= 4 * np.finfo(float).eps * np.abs(v)] = 0.0
    curve = 0.0 if ray else move @ H @ move
    change = t * t / 2 * curve - t * (slope @ move) + (np.abs(trials) - np.abs(v)) @ l1
    if change.min() >= -4 * np.finfo(float).eps * (np.abs(v) @ l1):
        return v, False
    return trials[change.argmin()], True
