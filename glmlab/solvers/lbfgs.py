"""L-BFGS, whitened: what the last steps taught about the curvature, on top of a Hessian that a few rows taught."""

from collections import deque
from typing import NamedTuple

import numpy as np

from glmlab.checks import frozen, whole
from glmlab.maths.penalties import lambdas
from glmlab.maths.quadratic import Curvature
from glmlab.policy import Choosing
from glmlab.solvers.linesearch import SHORTER, armijo, descends, rounding, settled
from glmlab.solvers.pilot import first_hessian, full


class LbfgsState(NamedTuple):
    beta: np.ndarray  # (dim,)
    objective: float  # F(β)
    residual: float  # ‖dist(−∇f, ∂g)‖∞ in the scale of Objective.residual
    decrement: float  # ½ ∇FᵀH∇F, what the quadratic model promises: an estimate of F(β) − F*
    move: np.ndarray  # (dim,) −H∇F, an estimate of β* − β
    step: float  # the step length that led here, 1 unless the line search had to shorten it
    pairs: int  # how many (s, y) H has been corrected by
    metric: str  # what H began as, the inverse of: the "pilot" Hessian, the "full" one, or its "diagonal"


class Pair(NamedTuple):
    """One step and what the gradient did along it."""

    s: np.ndarray  # (dim,) β⁺ − β
    y: np.ndarray  # (dim,) ∇F(β⁺) − ∇F(β)
    rho: float  # 1 / sᵀy


def lbfgs(f, g, start, *, memory=10, seed=0, choosing=Choosing()):
    """L-BFGS on F = f + g, g smooth.

    Update: β⁺ = β − t H ∇F(β), where H is γH₀ corrected by the last `memory` pairs s = β⁺ − β, y = ∇F(β⁺) − ∇F(β) so
    that H y = s for the newest; γ = min(1, sᵀy ÷ yᵀH₀y). H₀ is the inverse of a Hessian at the start, in whose metric
    the problem is nearly round whatever the units and correlations of the columns are: the pilot's (`seed` says which
    rows), its diagonal checked by all rows; the full one where rows are too few for a pilot; its diagonal alone
    where they do not outnumber the coefficients, if those are more than a few hundred.
    Oracle: one loss+gradient pass an iteration: the pass that tests t = 1 is the next iteration's. Where F falls by
    less than a tenth of what its slope promised, one pass prices ½, ¼, ⅛ … by Armijo's rule and one more goes there.
    Wolfe's other condition needs no search: F is convex, so sᵀy ≥ 0 for every step, and a short one teaches its own
    curvature.
    Rate: linear; superlinear with unlimited memory. Reference: Nocedal & Wright (2006), Algorithms 7.4 and 7.5, which
    leave H₀ open, and (7.20) for γ; Liu & Nocedal (1989), Theorem 7.1.
    """
    pairs, t = deque(maxlen=whole("memory", memory, 1)), 1.0
    first, here = first_metric(f, g, frozen(start), whole("seed", seed), choosing)
    while True:
        d = -two_loop(here.slope, pairs, first.solve)
        promise, residual = -(here.slope @ d), f.residual(here.beta, here.grad, g)
        yield LbfgsState(frozen(here.beta), here.objective, residual, promise / 2, frozen(d), t, len(pairs), first.name)
        if settled(promise, here.objective):
            return
        t, new = 1.0, at(g, here.beta + d, *f.loss_grad(here.beta + d))
        noise = rounding(f, here.beta, here.objective)
        if not descends(here.objective, promise, (new.slope - here.slope) @ d, new.objective, noise):
            t = armijo(f, g, here.beta, here.objective, -promise, d, SHORTER)
            if t == 0.0:
                return
            new = at(g, here.beta + t * d, *f.loss_grad(here.beta + t * d))
        remember(pairs, new.beta - here.beta, new.slope - here.slope)
        here = new


class Point(NamedTuple):
    """What a pass found at β."""

    beta: np.ndarray  # (dim,)
    grad: np.ndarray  # (dim,) ∇f(β)
    objective: float  # F(β)
    slope: np.ndarray  # (dim,) ∇F(β)


def at(g, beta, loss, grad):
    """The Point β, where f has this loss and gradient."""
    return Point(beta, grad, loss + g.value(beta), grad + g.grad(beta))


def remember(pairs, s, y):
    """Add the newest pair, unless sᵀy is no curvature but rounding: then H would not stay positive definite."""
    if s @ y > max(1e-10 * (np.abs(s) @ np.abs(y)), np.finfo(float).tiny):
        pairs.append(Pair(s, y, 1 / (s @ y)))


def two_loop(slope, pairs, solve):
    """H∇F (dim,), pairs oldest first, H₀ b = solve(b): Nocedal & Wright (2006), Algorithm 7.4."""
    q, alphas = slope, []
    for s, y, rho in reversed(pairs):
        alphas.append(rho * (s @ q))
        q = q - alphas[-1] * y
    r = shortening(pairs, solve) * solve(q)
    for (s, y, rho), alpha in zip(pairs, reversed(alphas), strict=True):
        r = r + (alpha - rho * (y @ r)) * s
    return r


def shortening(pairs, solve):
    """γ = min(1, sᵀy ÷ yᵀH₀y) of the newest pair: below 1 where H₀ takes F for flatter than it is."""
    if not pairs:
        return 1.0
    newest = pairs[-1]
    return min(1.0, 1 / (newest.rho * (newest.y @ solve(newest.y))))


class Metric(NamedTuple):
    """H₀."""

    name: str  # of the Hessian that it is the inverse of: "pilot", "full" or "diagonal"
    solve: object  # b (dim,) ↦ H₀ b


def first_metric(f, g, beta, seed, policy=Choosing()):
    """H₀ and the Point β: one pass, and one more where a pilot that had rows enough did not see every direction."""
    l2 = lambdas(g, f.dim)[1]
    if f.n <= f.dim > policy.cheap:
        loss, grad, diagonal = f.loss_grad_diag(beta)
        return Metric("diagonal", by_diagonal(diagonal + l2)), at(g, beta, loss, grad)
    if f.n < policy.spare * f.dim:
        loss, grad, hess = f.loss_grad_hess(beta)
        kept = full(f, beta, hess)
    else:
        kept, loss, grad = first_hessian(f, beta, seed)
    return Metric(kept.origin, inverse(kept.hess, l2, kept.factor)), at(g, beta, loss, grad)


def by_diagonal(diagonal):
    """b ↦ b ÷ diagonal, by 1 where that is no curvature."""
    size = np.where(np.isfinite(diagonal) & (diagonal > 0), diagonal, 1.0)
    return lambda b: b / size


def inverse(hess, l2, factor=None):
    """b ↦ H⁻¹b for H = hess + diag(l2) by Cholesky, or where that is not safe by `factor`, R with RᵀR = hess.

    The solution of minimum norm where H is singular; by its diagonal where it overflowed.
    """
    H = hess + np.diag(l2)
    if not np.isfinite(H).all():
        return by_diagonal(np.diag(H))
    return Curvature(hess, l2, factor).on(np.ones(len(l2), dtype=bool)).solve
