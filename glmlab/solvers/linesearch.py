"""How far to go along a direction: many step sizes priced in one pass."""

import numpy as np

SHORTER = 2.0 ** -np.arange(1, 25, 1.0)  # tried, all in one pass, where the unit step does not descend


def objective_along(f, g, beta, direction, steps):
    """F(β + t·direction) for every t in steps, in one pass; +∞ where it overflows."""
    trials = beta + np.asarray(steps)[:, None] * direction
    values = f.losses(trials) + np.array([g.value(trial) for trial in trials])
    return np.where(np.isfinite(values), values, np.inf)


def armijo(f, g, beta, objective, slope, direction, steps, c=1e-4, likely=False, noise=None):
    """The first t of `steps` (longest first) with F(β + t·direction) ≤ F(β) + c·t·slope (Nocedal & Wright 2006, 3.4).

    slope = ∇F(β)ᵀdirection; where that is not below 0 there is no step. Near the optimum the decrease drowns in the
    rounding of F, so that F may rise by `noise`, the rounding of F. If no step qualifies, shorter ones are tried, and
    for those F may not rise. The search ends where F would fall by less than its rounding: beyond, the last bits would
    decide, and they differ from processor to processor.
    likely=True prices the first step alone, and all of them in one more pass if it does not qualify. Use it where the
    first step usually qualifies, because two dozen prices cost as much arithmetic as ten gradients.
    Returns the step, 0.0 where there is none.
    """
    if not slope < 0:
        return 0.0
    steps, noise = np.asarray(steps, dtype=float), sum_error(objective) if noise is None else noise

    def first_of(steps, forgiven=0.0):
        good = objective_along(f, g, beta, direction, steps) <= objective + c * steps * slope + forgiven
        return float(steps[good.argmax()]) if good.any() else 0.0

    if likely and (t := first_of(steps[:1], noise)):
        return t
    t, shorter = first_of(steps, noise), (steps[-1] / steps[0]) * (steps[1] / steps[0])
    while not t:
        steps = steps * shorter
        measurable = steps[-slope * steps > noise]
        if not len(measurable):
            return 0.0
        t = first_of(measurable)
    return t


def descends(objective, promise, bent, value, noise):
    """Does F fall enough, to `value`: by a tenth of what its slope promised for a unit step?

    Where a tenth is less than the noise of F, the slope at the far end of the step decides: it is bent − promise.
    """
    if 0.1 * promise > noise:
        return value <= objective - 0.1 * promise
    return value <= objective + noise and bent - promise <= 0.8 * promise


def landed(f, g, beta, objective, grad, promise, d, whole):
    """Where a step leads: (point, what the pass there found, t), t = 1 if F falls enough, else by Armijo's rule.

    grad (dim,) is ∇f at β; the slope of F along d is −promise; whole (dim,) is β + d. t is 0 where no step helps.
    """
    new = f.loss_grad(whole)
    if descends(objective, promise, (new.grad - grad) @ d, new.loss + g.value(whole), rounding(f, beta, objective)):
        return whole, new, 1.0
    t = armijo(f, g, beta, objective, -promise, d, SHORTER)
    point = beta + t * d
    return point, f.loss_grad(point) if t else new, t


def sum_error(value):
    """How wrong a sum over rows may be because its terms are rounded."""
    return 32 * np.finfo(float).eps * abs(value)


def settled(promise, objective):
    """Does a step promise so little of F that β is right to its last digits? F falls like the square of a digit."""
    return not promise > 1e-26 * abs(objective)


def stands_still(beta, step):
    """Would a step change no coefficient by more than its last digits?"""
    return not np.any(np.abs(step) > sum_error(beta))


def rounding(f, beta, objective):
    """How wrong the computed F(β) may be, because F is a sum and because η may be a difference of large numbers.

    The rounding of η has another sign on every row, so that it adds up like √n. It is a share of Σ w|ℓ′| |x|·|β|, which
    is known for ℓ′ at the start. Where F has come close to its floor ℓ′ has shrunk like its root.
    """
    left = min(np.sqrt(f.scale.height(objective) / f.scale.null_height), 1.0) if f.scale.null_height > 0 else 1.0
    return sum_error(abs(objective) + left * f.survey.scale @ np.abs(beta) / np.sqrt(f.n))


def first_step(f, beta, loss, grad):
    """A step of the size of 1/L along −∇f, found in one pass over a wide grid of powers of four.

    Takes the longest t at which f lies below the quadratic bound f − t‖∇f‖²/2, which every t ≤ 1/L satisfies.
    """
    norm2 = grad @ grad
    if not norm2 > 0:
        return 1.0
    steps = 4.0 ** np.arange(12, -36, -1) * max(np.abs(beta).max(), 1.0) / np.sqrt(norm2)
    values = f.losses(beta - steps[:, None] * grad)
    good = values <= loss - steps / 2 * norm2
    return float(steps[good.argmax()] if good.any() else steps[-1])
