"""First-order methods: one gradient, which is one pass over the rows, an iteration."""

from typing import NamedTuple

import numpy as np

from glmlab.checks import frozen, number
from glmlab.maths.sums import LossGrad
from glmlab.solvers.linesearch import armijo, first_step, rounding, stands_still, sum_error


class GradientState(NamedTuple):
    beta: np.ndarray  # (dim,)
    objective: float  # F(β)
    residual: float  # ‖dist(−∇f, ∂g)‖∞ in the scale of Objective.residual
    step: float  # the step size that will be tried next


def gradient_descent(f, g, start, *, step=None):
    """Gradient descent on F = f + g, g smooth.

    Update: β⁺ = β − t ∇F(β), with t from Armijo's rule (`step=None`) or constant (`step=t`).
    Where F drowns in its rounding slopes say how long a step may be: ‖β − β_old‖ ÷ ‖∇F(β) − ∇F(β_old)‖ ≥ 1/L.
    Oracle: one loss+gradient pass an iteration, and with Armijo's rule one pass that prices fourteen step sizes.
    Rate: for L-smooth, μ-strongly convex F and t = 1/L, an iteration multiplies F − F* by 1 − μ/L at most (Karimi,
    Nutini & Schmidt 2016, Theorem 1), ‖β − β*‖² by (L − μ)/(L + μ) (Nesterov 2018, Theorem 2.1.15); the constant step
    converges for t < 2/L and may diverge beyond. Reference: the same; Nocedal & Wright (2006), Algorithm 3.1 for the
    backtracking.
    """
    check_step(step)
    beta, t, old = frozen(start), step, None
    while True:
        loss, grad = f.loss_grad(beta)
        slope = grad + g.grad(beta)
        t = t or first_step(f, beta, loss, grad)
        objective = loss + g.value(beta)
        yield GradientState(frozen(beta), objective, f.residual(beta, grad, g), t)
        drowned = t * (slope @ slope) <= 1e3 * sum_error(objective)  # the decrease says nothing of the step any more
        if step is None and old and drowned:
            bent = np.linalg.norm(slope - old[1])
            t = min(t, np.linalg.norm(beta - old[0]) / bent) if bent > 0 else t
        elif step is None:
            t = armijo(f, g, beta, objective, -(slope @ slope), -slope, 2.0 ** np.arange(2, -12, -1) * t)
            if t == 0.0:
                return
        old = beta, slope
        beta = beta - t * slope


def proximal_gradient(f, g, start, *, step=None):
    """Proximal gradient (ISTA) on F = f + g.

    Update: β⁺ = prox_{t g}(β − t ∇f(β)), t constant (`step=t`) or halved until f(β⁺) lies below the quadratic model
    f(β) + ∇fᵀ(β⁺ − β) + ‖β⁺ − β‖²/2t, and lengthened by a tenth after every success (the paper never lengthens it; as
    every step lowers F the rate holds all the same).
    Oracle: one loss+gradient pass an iteration: the pass that tests a trial point is the next iteration's.
    Rate: O(1/k), linear for strongly convex F. Reference: Beck & Teboulle (2009), (2.6) and Theorem 3.1.
    """
    check_step(step)
    beta, (loss, grad) = frozen(start), f.loss_grad(start)
    t = step or first_step(f, beta, loss, grad)
    while True:
        yield GradientState(frozen(beta), loss + g.value(beta), f.residual(beta, grad, g), t)
        trial, new = forward_backward(f, g, beta, grad, t)
        while step is None and not below_model(f, beta, loss, grad, trial, new, t):
            t /= 2
            if stands_still(beta, t * grad):
                return
            trial, new = forward_backward(f, g, beta, grad, t)
        beta, (loss, grad) = trial, new
        t = t if step else 1.1 * t


def fista(f, g, start, *, step=None):
    """Accelerated proximal gradient (FISTA) with adaptive restart.

    Update: v = β + m (β − β_old) and β⁺ = prox_{t g}(v − t ∇f(v)), where m = (θ_old − 1)/θ and
    θ = (1 + √(1 + 4θ_old²))/2; momentum restarts from θ = 1 when it points uphill, (v − β⁺)ᵀ(β⁺ − β) > 0.
    t is constant (`step=t`) or searched for as in `proximal_gradient`, with v in the place of β, and lengthened by 2 %
    after every success: the paper never does, and its proof needs that.
    Oracle: two loss+gradient passes an iteration, one at v and one at β, so that what is yielded belongs to β.
    Rate: O(1/k²) for steps that never grow, and linear with √(L/μ) for strongly convex F thanks to the restarts.
    Reference: Beck & Teboulle (2009), (4.1)–(4.3); O'Donoghue & Candès (2015), §3.2.
    """
    check_step(step)
    beta = old = frozen(start)
    loss, grad = f.loss_grad(start)
    theta, t = 1.0, step or first_step(f, beta, loss, grad)
    while True:
        yield GradientState(frozen(beta), loss + g.value(beta), f.residual(beta, grad, g), t)
        theta_old, theta = theta, (1 + np.sqrt(1 + 4 * theta**2)) / 2
        v = beta + (theta_old - 1) / theta * (beta - old)
        at_v = f.loss_grad(v) if theta_old > 1 else LossGrad(loss, grad)
        if not np.isfinite(at_v.loss):  # momentum overshot to where f overflows
            theta, v, at_v = 1.0, beta, LossGrad(loss, grad)
        trial, new = forward_backward(f, g, v, at_v.grad, t)
        while step is None and not below_model(f, v, *at_v, trial, new, t):
            t /= 2
            if stands_still(v, t * at_v.grad):
                return
            trial, new = forward_backward(f, g, v, at_v.grad, t)
        if (v - trial) @ (trial - beta) > 0:
            theta = 1.0
        old, beta, (loss, grad) = beta, trial, new
        t = t if step else 1.02 * t


def forward_backward(f, g, beta, grad, t):
    """A gradient step on f, the prox of g, and the pass at the point reached."""
    trial = g.prox(beta - t * grad, t)
    return trial, f.loss_grad(trial)


def below_model(f, beta, loss, grad, trial, new, t):
    """Does f at the trial point lie below its quadratic model at β, rounding of f allowed for?

    Where f is all rounding its slopes can still tell: f is convex, so that
    f(β⁺) − f(β) − ∇f(β)ᵀmove ≤ (∇f(β⁺) − ∇f(β))ᵀmove.
    """
    move = trial - beta
    bend = move @ move / (2 * t)
    noise = rounding(f, beta, loss) / 8  # with more allowed for, steps would lengthen within the noise
    return new.loss <= loss + grad @ move + bend + noise or (new.grad - grad) @ move <= bend


def check_step(step):
    """Refuses a step size that is not a number > 0; None stands for a search."""
    if step is not None:
        number("step", step, 0.0, strict=True)
