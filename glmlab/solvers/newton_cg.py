"""Newton's method with conjugate gradients: products with the Hessian, where a p × p matrix would be too large."""

from typing import NamedTuple

import numpy as np

from glmlab.checks import frozen
from glmlab.maths.products import direction
from glmlab.solvers.linesearch import landed, settled


class NewtonCgState(NamedTuple):
    beta: np.ndarray  # (dim,)
    objective: float  # F(β)
    residual: float  # ‖dist(−∇f, ∂g)‖∞ in the scale of Objective.residual
    decrement: float  # what the model at β promises, an estimate of F(β) − F*
    move: np.ndarray  # (dim,) d, which would lead close to the minimiser of the model
    step: float  # the step length that led here


def newton_cg(f, g, start, *, share=0.1):
    """Truncated Newton on F = f + g, g smooth.

    Update: β⁺ = β + t d with ‖∇²F(β) d + ∇F(β)‖ ≤ η ‖∇F(β)‖ by conjugate gradients, η = min(share, residual); t = 1
    where F then falls by a tenth of what its slope promised, else the longest of ½, ¼, … by Armijo's rule.
    Oracle: one pass for each step of conjugate gradients, one loss+gradient pass for the trial point.
    Rate: superlinear, because η falls with the residual. Reference: Nocedal & Wright (2006), Algorithm 7.1.
    """
    beta, t = frozen(start), 1.0
    loss, grad = f.loss_grad(beta)
    while True:
        objective, slope, residual = loss + g.value(beta), grad + g.grad(beta), f.residual(beta, grad, g)
        d = direction(f, g, beta, slope, min(share, residual)).d
        promise = -(slope @ d)
        yield NewtonCgState(frozen(beta), objective, residual, promise / 2, frozen(d), t)
        if settled(promise, objective):
            return
        beta, found, t = landed(f, g, beta, objective, grad, promise, d, beta + d)
        if t == 0.0:
            return
        loss, grad = found
