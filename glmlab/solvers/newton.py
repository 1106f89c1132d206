"""Second-order methods: the Hessian is summed over the rows, the rest is p × p."""

import functools
from typing import NamedTuple

import numpy as np

from glmlab.checks import frozen
from glmlab.maths.penalties import lambdas
from glmlab.maths.quadratic import Curvature, by_cholesky, minimise_model, spectrum
from glmlab.solvers.linesearch import armijo, rounding

STEPS = 2.0 ** -np.arange(0, 24, 1.0)


class NewtonState(NamedTuple):
    beta: np.ndarray  # (dim,)
    objective: float  # F(β)
    residual: float  # ‖dist(−∇f, ∂g)‖∞ in the scale of Objective.residual
    decrement: float  # what the model at β promises, an estimate of F(β) − F*
    move: np.ndarray  # (dim,) d, which would lead to the minimiser of the model
    step: float  # the step length that led here, 1 once convergence is quadratic


def newton(f, g, start):
    """Damped Newton on F = f + g, g smooth.

    Update: β⁺ = β + t d with ∇²F(β) d = −∇F(β), of minimum norm where the Hessian is singular; t is the longest of
    1, ½, ¼ … that satisfies Armijo's rule. Where columns are so nearly dependent that the Hessian has lost digits, one
    pass more brings its triangular factor, which has not.
    Oracle: one loss+gradient+Hessian pass and one pass for t = 1 an iteration; where that is too long, one pass more
    prices all shorter steps. On a quadratic f the Hessian is summed in the first pass only and t = 1: what follows are
    loss+gradient passes, each a step of iterative refinement (Higham 2002, Algorithm 12.1).
    Rate: quadratic near the optimum. Reference: Boyd & Vandenberghe (2004), Algorithm 9.5.
    """
    beta, t = frozen(start), 1.0
    while True:
        loss, grad, hess = f.loss_grad_hess(beta)
        objective, slope = loss + g.value(beta), grad + g.grad(beta)
        known = np.isfinite(hess).all()
        d = direction(f, g, beta, slope, hess) if known else np.full(f.dim, np.nan)
        yield NewtonState(frozen(beta), objective, f.residual(beta, grad, g), -(slope @ d) / 2, frozen(d), t)
        if not known:
            return
        t = 1.0 if is_model(f, hess) else longest(f, g, beta, objective, slope @ d, d)
        if t == 0.0:
            return
        beta = beta + t * d


def direction(f, g, beta, slope, hess):
    """The solution of ∇²F(β) d = −slope, of minimum norm."""
    curve = Curvature(hess, lambdas(g, f.dim)[1], functools.partial(f.factor, beta))
    return -curve.on(np.ones(f.dim, dtype=bool)).solve(slope)


def proximal_newton(f, g, start):
    """Proximal Newton on F = f + g with g = λ₁‖β‖₁ + (λ₂/2)‖β‖².

    Update: β⁺ = β + t (v − β), where v minimises the quadratic model of f at β plus g, exactly; t as in `newton`, with
    Δ = ∇fᵀ(v − β) + g(v) − g(β) in the place of the slope.
    Oracle: as `newton`.
    Rate: quadratic near the optimum. Reference: Lee, Sun & Saunders (2014), Algorithm 1 and (2.11).
    """
    beta, t = frozen(start), 1.0
    while True:
        loss, grad, hess = f.loss_grad_hess(beta)
        objective, model = loss + g.value(beta), minimise_model(g, beta, grad, hess, functools.partial(f.factor, beta))
        yield NewtonState(
            frozen(beta), objective, f.residual(beta, grad, g), model.decrement, frozen(model.step), t
        )
        if np.isnan(model.promise):
            return
        d = model.point - beta
        t = 1.0 if is_model(f, hess) else longest(f, g, beta, objective, -model.promise, d)
        if t == 0.0:
            return
        beta = model.point if t == 1.0 else beta + t * d


def longest(f, g, beta, objective, slope, d):
    """The step length by Armijo's rule; Newton's steps are right when F has long drowned in the rounding of η."""
    noise = rounding(f, beta, objective)
    return armijo(f, g, beta, objective, slope, d, STEPS, likely=True, noise=noise)


def is_model(f, hess):
    """Is f its own quadratic model, its Hessian well above rounding in every direction? Then a unit step is best."""
    if not f.quadratic or by_cholesky(hess):
        return f.quadratic
    values = spectrum(hess).values
    return values[0] > 1e-12 * values[-1]
