"""Proximal Newton with a kept Hessian: a pilot of a few rows says how the loss curves, passes only where it points."""

import functools
from typing import NamedTuple

import numpy as np

from glmlab.checks import frozen, whole
from glmlab.quadratic import Curvature, by_cholesky, minimise_model, unit_lengths
from glmlab.solvers.linesearch import SETTLED, armijo, rounding

TRIES = 40  # times that the kept Hessian is scaled up before we say that no step helps
SHORTER = 2.0 ** -np.arange(1, 13, 1.0)
FAR = 8.0  # times the curvature that Ĥ knows: beyond, a step is not scaled by it
FEW = 2**24  # numbers in X: of so few, which are soon read, all digits of β are wanted,
LAST = 1e-20  # of S (Objective.unit), because F falls like the square of a digit; of more rows
DIGITS = 1e-11  # of S is what may still be wanted when we ask whether a new Hessian pays,
BRISK = 0.1  # unless a pass leaves less than so much of the decrement; of few rows
SWIFT = 1e-3  # less than this, since more is wanted and a Hessian costs microseconds
SURELY = 1.5  # times that a sampled second moment of a common column can hardly be wrong by
HESSIAN = 2  # passes that one with a Hessian costs more than one without, when columns are few


class PilotState(NamedTuple):
    beta: np.ndarray  # (dim,)
    objective: float  # F(β)
    residual: float  # ‖dist(−∇f, ∂g)‖∞ in the scale of Objective.residual
    decrement: float  # what the model at β promises, an estimate of F(β) − F*
    move: np.ndarray  # (dim,) v − β, where v minimises the model
    hessian: str  # where the kept Hessian is from: "pilot" or "full"
    scale: float  # what it has been multiplied by since then, because steps were too long


def pilot_newton(f, g, start, *, seed=0):
    """Proximal Newton on F = f + g, g = λ₁‖β‖₁ + (λ₂/2)‖β‖², with a Hessian that is kept from pass to pass.

    Update: β⁺ = argmin_v ∇f(β)ᵀ(v − β) + ½(v − β)ᵀĤ(v − β) + g(v), exactly. Ĥ has the correlations of a pilot's
    Hessian, the pilot being rows drawn at random from every chunk (`seed` says which), and a diagonal that all rows
    have checked. A step that brings less than a tenth of what its slope promised is refused and Ĥ scaled up. Where
    progress is so slow that a new Hessian pays for itself, the next pass brings the full one, which is then kept.
    Oracle: one loss+gradient pass an iteration: the pass that tests a trial point is the next iteration's.
    Rate: with ε = sup ‖I − Ĥ^(−½) ∇²f Ĥ^(−½)‖ on the way, ‖β⁺ − β*‖_Ĥ ≤ ε ‖β − β*‖_Ĥ for every convex g, because the
    prox in the metric Ĥ is nonexpansive; F − F* falls by about ε² a pass. For m incoherent pilot rows ε is about
    1/(1 − √(p/m))² − 1.
    Reference: Lee, Sun & Saunders (2014), Algorithm 1, for the model; Roosta-Khorasani & Mahoney (2019) for sampled
    Hessians, Doikov, Chayti & Jaggi (2023) for kept ones.
    """
    beta, renew = frozen(start), False
    kept, loss, grad = first_hessian(f, beta, whole("seed", seed))
    model = kept.model(g, beta, grad)
    while True:
        objective = loss + g.value(beta)
        residual, move = f.residual(beta, grad, g), frozen(model.step)
        yield PilotState(frozen(beta), objective, residual, model.decrement, move, kept.origin, kept.scale)
        for _ in range(TRIES):
            if not model.promise > SETTLED * abs(objective):
                return
            new = f.loss_grad_hess(model.point) if renew else f.loss_grad(model.point)
            moved, bent = model.point - beta, new.grad - grad
            value, noise = new.loss + g.value(model.point), rounding(f, beta, objective)
            if descends(objective, model.promise, bent @ moved, value, noise):
                break
            kept = kept.stretched(longer(f, g, beta, objective, model, bent @ moved, kept.hess))
            if not np.isfinite(kept.scale):
                return
            model = kept.model(g, beta, grad)
        else:
            return
        if renew and np.isfinite(new.hess).all():
            kept = full(f, model.point, new.hess)
        beta, loss, grad, before = model.point, new.loss, new.grad, model.decrement
        model = kept.model(g, beta, grad)
        digits, enough = (LAST, SWIFT) if f.n * f.dim <= FEW else (DIGITS, BRISK)
        renew = pays(model.decrement, before, digits * f.unit(objective), f.dim, enough)


class Kept(NamedTuple):
    """A Hessian that is used again and again."""

    hess: np.ndarray  # (dim, dim) Ĥ
    origin: str  # "pilot" or "full"
    scale: float = 1.0
    factor: object = None  # () ↦ R with RᵀR = Ĥ at scale 1, where Ĥ has lost digits that R has not

    def stretched(self, times):
        """Ĥ scaled up, so that steps are shorter."""
        return self._replace(hess=times * self.hess, scale=times * self.scale)

    def model(self, g, beta, grad):
        """The minimiser of the model of F at β that has this Hessian."""
        factor = self.factor and (lambda: self.scale**0.5 * self.factor())
        return minimise_model(g, beta, grad, self.hess, factor)


def full(f, beta, hess):
    """∇²f(β), to be kept."""
    return Kept(hess, "full", factor=None if by_cholesky(hess) else functools.partial(f.factor, beta))


def longer(f, g, beta, objective, model, bent, hess):
    """By how much to scale Ĥ up after a step d that was too long: by the curvature bent = (∇f(β + d) − ∇f(β))ᵀd.

    At least by 2. Where the step went so far that the curvature there says nothing of that here, one pass prices all
    shorter steps, and Ĥ grows as the longest that descends asks; infinite if none does.
    """
    d = model.point - beta
    with np.errstate(divide="ignore", invalid="ignore"):
        seen = bent / (d @ hess @ d)
    if seen <= FAR:
        return max(2.0, seen)
    t = armijo(f, g, beta, objective, -model.promise, d, SHORTER)
    return 1 / t if t else np.inf


def first_hessian(f, beta, seed):
    """The Hessian to begin with, f and ∇f at β: one pass, if the pilot sees every direction, else two.

    The pilot gives the correlations, and all rows the diagonal where the pilot's is wrong by more than SURELY: columns
    that are rarely not 0 need it. Elsewhere the pilot's own stays: a diagonal a few per cent off from its correlations
    is wrong by as much of the largest eigenvalue in the directions of the smallest, that is κ times.
    """
    few = f.pilot(seed)
    C = few.loss_grad_hess(beta).hess
    loss, grad, diagonal = f.loss_grad_diag(beta)
    if np.isfinite(C).all() and np.isfinite(diagonal).all():
        change = np.sqrt(repaired(np.diag(C), diagonal)) / unit_lengths(C)
        H = C * change[:, None] * change
        H[np.diag_indices(f.dim)] = repaired(np.diag(C), diagonal)
        if by_cholesky(H):
            return Kept(H, "pilot"), loss, grad
        factor = functools.partial(scaled_factor, few, beta, change)
        if Curvature(H, np.zeros(f.dim), factor).on(np.ones(f.dim, dtype=bool)).rank == f.dim:
            return Kept(H, "pilot", factor=factor), loss, grad
    return full(f, beta, f.loss_grad_hess(beta).hess), loss, grad


def scaled_factor(f, beta, change):
    """The factor R of ∇²f(β), its columns multiplied by `change`."""
    return f.factor(beta) * change


def repaired(sampled, diagonal):
    """The diagonal of a pilot's Hessian, with that of all rows where the two differ by more than sampling explains."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = diagonal / sampled
    return np.where((ratio < SURELY) & (ratio > 1 / SURELY), sampled, diagonal)


def descends(objective, promise, bent, value, noise):
    """Does F fall to `value`, by a tenth of what its slope promised for a unit step?

    Where that drowns in noise the slope there must say so: −promise + bent is the slope at the far end of the step.
    """
    if 0.1 * promise > noise:
        return value <= objective - 0.1 * promise
    return value <= objective + noise and bent - promise <= 0.8 * promise


def pays(decrement, before, wanted, dim, enough=BRISK):
    """Would a pass with the full Hessian save more than it costs, at the rate of the last pass?

    The decrement, `before` a pass earlier, is to fall to `wanted`; a pass that leaves less than `enough` of it will do.
    """
    if not decrement > max(wanted, enough * before):
        return False
    if decrement >= before:
        return True
    passes = np.log(decrement / wanted) / np.log(before / decrement) if wanted > 0 else np.inf
    return passes > 2 + HESSIAN + dim / 64
