"""Proximal Newton with a kept Hessian: a pilot of a few rows says how the loss curves, passes only where it points."""

import functools
from typing import NamedTuple

import numpy as np

from glmlab.checks import frozen, whole
from glmlab.maths.quadratic import Curvature, by_cholesky, minimise_model, unit_lengths
from glmlab.policy import Keeping
from glmlab.solvers.linesearch import armijo, descends, rounding, settled


class PilotState(NamedTuple):
    beta: np.ndarray  # (dim,)
    objective: float  # F(β)
    residual: float  # ‖dist(−∇f, ∂g)‖∞ in the scale of Objective.residual
    decrement: float  # what the model at β promises, an estimate of F(β) − F*
    move: np.ndarray  # (dim,) v − β, where v minimises the model
    hessian: str  # where the kept Hessian is from: "pilot", "given" or "full"
    scale: float  # what it has been multiplied by since then, because steps were too long


def pilot_newton(f, g, start, *, seed=0, hess=None, keeping=Keeping()):
    """Proximal Newton on F = f + g, g = λ₁‖β‖₁ + (λ₂/2)‖β‖², with a Hessian that is kept from pass to pass.

    Update: β⁺ = argmin_v ∇f(β)ᵀ(v − β) + ½(v − β)ᵀĤ(v − β) + g(v), exactly. Ĥ has the correlations of a pilot's
    Hessian, the pilot being rows drawn at random from every chunk (`seed` says which), and a diagonal that all rows
    have checked. A step that brings less than a tenth of what its slope promised is refused and Ĥ scaled up. Where
    progress is so slow that a new Hessian pays for itself, the next pass brings the full one, which is then kept.
    `hess` (dim, dim) takes the pilot's place; what a run has kept is `f.kept`, for the next run on like a problem.
    Oracle: one loss+gradient pass an iteration: the pass that tests a trial point is the next iteration's.
    Rate: with ε = sup ‖I − Ĥ^(−½) ∇²f Ĥ^(−½)‖ on the way, ‖β⁺ − β*‖_Ĥ ≤ ε ‖β − β*‖_Ĥ for every convex g, because the
    prox in the metric Ĥ is nonexpansive; F − F* falls by about ε² a pass. For m incoherent pilot rows ε is about
    1/(1 − √(p/m))² − 1.
    Reference: Lee, Sun & Saunders (2014), Algorithm 1, for the model; Roosta-Khorasani & Mahoney (2019) for sampled
    Hessians, Doikov, Chayti & Jaggi (2023) for kept ones.
    """
    beta, renew = frozen(start), False
    kept, loss, grad = first_hessian(f, beta, whole("seed", seed), hess, keeping)
    model = kept.model(g, beta, grad)
    while True:
        objective = loss + g.value(beta)
        residual, move, f.kept = f.residual(beta, grad, g), frozen(model.step), kept.hess
        yield PilotState(frozen(beta), objective, residual, model.decrement, move, kept.origin, kept.scale)
        for _ in range(keeping.tries):
            if settled(model.promise, objective):
                return
            new = f.loss_grad_hess(model.point) if renew else f.loss_grad(model.point)
            moved, bent = model.point - beta, new.grad - grad
            value, noise = new.loss + g.value(model.point), rounding(f, beta, objective)
            if descends(objective, model.promise, bent @ moved, value, noise):
                break
            kept = kept.stretched(longer(f, g, beta, objective, model, bent @ moved, kept.hess, keeping))
            if not np.isfinite(kept.scale):
                return
            model = kept.model(g, beta, grad)
        else:
            return
        if renew and np.isfinite(new.hess).all():
            kept = full(f, model.point, new.hess)
        beta, loss, grad, before = model.point, new.loss, new.grad, model.decrement
        model = kept.model(g, beta, grad)
        soon = f.n * f.dim <= keeping.soon
        digits, enough = (keeping.last, keeping.swift) if soon else (keeping.digits, keeping.brisk)
        renew = pays(model.decrement, before, digits * f.scale.unit(objective), f.dim, enough, keeping)


class Kept(NamedTuple):
    """A Hessian that is kept from pass to pass."""

    hess: np.ndarray  # (dim, dim) Ĥ
    origin: str  # "pilot", "given" or "full"
    scale: float = 1.0
    factor: object = None  # () ↦ R with RᵀR = Ĥ at scale 1, where Ĥ has lost digits that R has not

    def stretched(self, times):
        """Ĥ scaled up, so that steps are shorter."""
        return self._replace(hess=times * self.hess, scale=times * self.scale)

    def model(self, g, beta, grad):
        """The minimiser of the model of F at β that has this Hessian."""
        factor = self.factor and (lambda: self.scale**0.5 * self.factor())
        return minimise_model(g, beta, grad, self.hess, factor)


def full(f, beta, hess, origin="full"):
    """∇²f(β), to be kept."""
    return Kept(hess, origin, factor=None if by_cholesky(hess) else functools.partial(f.factor, beta))


def longer(f, g, beta, objective, model, bent, hess, policy):
    """By how much to scale Ĥ up after a step d that was too long. `bent` is (∇f(β + d) − ∇f(β))ᵀd.

    By the ratio of the curvature that was met to that of Ĥ, and at least by 2. If the step went so far that the ratio
    says nothing of the curvature at β, one pass prices shorter steps t d, and Ĥ grows by 1/t for the longest that
    descends. Infinite if none does.
    """
    d = model.point - beta
    with np.errstate(divide="ignore", invalid="ignore"):
        seen = bent / (d @ hess @ d)
    if seen <= policy.far:
        return max(2.0, seen)
    t = armijo(f, g, beta, objective, -model.promise, d, 2.0 ** -np.arange(1, 13, 1.0))
    return 1 / t if t else np.inf


def first_hessian(f, beta, seed, given=None, policy=Keeping()):
    """The Hessian to begin with, f and ∇f at β: one pass, if the pilot sees every direction, else two.

    The correlations are the pilot's. The diagonal is the pilot's, too, but where that is surely wrong it is that of all
    rows: columns that are 0 in nearly all rows need that. It does not replace the pilot's everywhere, because a
    diagonal that does not fit its correlations by a few per cent puts an error of a few per cent of the largest
    eigenvalue into the directions of the smallest, where that is κ times too much.
    """
    if given is not None:
        loss, grad = f.loss_grad(beta)
        return full(f, beta, matrix_of(given, f.dim), "given"), loss, grad
    few = f.pilot(seed)
    C = few.loss_grad_hess(beta).hess
    loss, grad, diagonal = f.loss_grad_diag(beta)
    if np.isfinite(C).all() and np.isfinite(diagonal).all():
        mended = repaired(np.diag(C), diagonal, policy.surely)
        change = np.sqrt(mended) / unit_lengths(C)
        H = C * change[:, None] * change
        H[np.diag_indices(f.dim)] = mended
        if by_cholesky(H):
            return Kept(H, "pilot"), loss, grad
        factor = functools.partial(scaled_factor, few, beta, change)
        if Curvature(H, np.zeros(f.dim), factor).on(np.ones(f.dim, dtype=bool)).rank == f.dim:
            return Kept(H, "pilot", factor=factor), loss, grad
    return full(f, beta, f.loss_grad_hess(beta).hess), loss, grad


def matrix_of(given, dim):
    """The Hessian that a caller gives, (dim, dim). Raises ValueError for another shape."""
    if np.shape(given) != (dim, dim):
        raise ValueError(f"hess must have shape ({dim}, {dim}), got {np.shape(given)}")
    return np.array(given, dtype=float)


def scaled_factor(f, beta, change):
    """The factor R of ∇²f(β), its columns multiplied by `change`."""
    return f.factor(beta) * change


def repaired(sampled, diagonal, surely):
    """The diagonal of a pilot's Hessian, but that of all rows where the two differ by a factor of `surely` or more."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = diagonal / sampled
    return np.where((ratio < surely) & (ratio > 1 / surely), sampled, diagonal)


def pays(decrement, before, wanted, dim, enough, policy=Keeping()):
    """Would a pass with the full Hessian save more than it costs, at the rate of the last pass?

    The decrement was `before` a pass earlier and is to fall to `wanted`. A pass that leaves less than `enough` of it is
    fast enough.
    """
    if not decrement > max(wanted, enough * before):
        return False
    if decrement >= before:
        return True
    passes = np.log(decrement / wanted) / np.log(before / decrement) if wanted > 0 else np.inf
    return passes > 2 + policy.hessian + dim / policy.wide
