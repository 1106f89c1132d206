"""Proximal Newton on a working set: the Hessian of the coordinates that may leave 0, and of no other."""

from typing import NamedTuple

import numpy as np

from glmlab.checks import frozen
from glmlab.maths.working import model_on, outside, working_set
from glmlab.policy import Working
from glmlab.solvers.linesearch import landed, settled


class WorkingState(NamedTuple):
    beta: np.ndarray  # (dim,)
    objective: float  # F(β)
    residual: float  # ‖dist(−∇f, ∂g)‖∞ in the scale of Objective.residual
    decrement: float  # what the model on A promises, and the best coordinate outside: an estimate of F(β) − F*
    move: np.ndarray  # (dim,) v − β, where v minimises the model on A
    working: int  # how many coordinates A has


def working_sets(f, g, start, *, working=Working()):
    """Proximal Newton on F = f + g, g = λ₁‖β‖₁ + (λ₂/2)‖β‖² with λ₁ > 0, over the coordinates that may leave 0.

    Update: A holds the coordinates that are not 0 and those with the largest |∇f_j| (maths.working.working_set).
    β⁺ = β + t (v − β), where v minimises the quadratic model of f at β plus g over A by coordinate descent, on sparse
    columns to a hundredth of the step (maths.descent), on dense ones to a thousandth, for least squares exactly.
    t = 1 where F then falls by a tenth of what its slope promised, else the longest of ½, ¼, … by Armijo's rule.
    Where more than about working.most coordinates are not 0 in dense rows, A is a block of them.
    Oracle: one loss+gradient pass over all columns, which also finds who must enter A, and one pass over the columns of
    A for the Hessian, or, where X is sparse, one for ℓ″ and one that brings the columns that are new in A. No p × p
    matrix is made.
    Rate: quadratic (on sparse columns linear) once A holds the support of the optimum and no |∇f_j| outside exceeds λ₁.
    Reference: Lee, Sun & Saunders (2014), Algorithm 1, for the step; Johnson & Guestrin (2015), Algorithm 1, and
    Massias, Gramfort & Salmon (2018), Algorithm 1, for the sets.
    """
    beta = frozen(start)
    loss, grad = f.loss_grad(beta)
    while True:
        objective = loss + g.value(beta)
        A = working_set(f, g, beta, grad, working)
        model, left = model_on(f, g, beta, grad, A), outside(f, g, beta, grad, A)
        decrement, residual = max(model.decrement, left), f.residual(beta, grad, g)
        yield WorkingState(frozen(beta), objective, residual, decrement, frozen(model.step), len(A))
        if np.isnan(model.promise) or (settled(model.promise, objective) and not left):
            return
        beta, found, t = landed(f, g, beta, objective, grad, model.promise, model.step, model.point)
        if t == 0.0:
            return
        loss, grad = found
