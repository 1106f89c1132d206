"""Proofs that F has no minimum: separable data, one class only, all-zero counts."""

import functools

import numpy as np

from glmlab.maths.penalties import lambdas
from glmlab.maths.quadratic import Curvature
from glmlab.policy import Existing


def no_minimum(f, g, beta, iterations=None, policy=Existing()):
    """A sentence where F provably has no minimiser, else ''.

    F has none if along some unpenalised direction no row's loss ever grows and some row's loss falls for ever. On such
    data iterates run away along one such direction, and the Newton direction turns into one. So β is asked, and the
    steps of Newton's method from β: few of them early in a run, of so many `iterations`. A direction counts only if
    the rows prove it.
    """
    if lambdas(g, f.dim) is None or not hasattr(f.family, "recedes"):
        return ""
    l1, l2 = lambdas(g, f.dim)
    free = (l1 == 0) & (l2 == 0)
    steps = policy.steps if iterations is None else min(max(iterations // policy.often, 1), policy.steps)
    with f.booked_apart():
        for direction, dust in escapes(f, beta, free, steps, policy) if free.any() else ():
            if improving := better_for_ever(f, direction, dust, policy):
                return (
                    f"no minimum exists: along one direction no row ever gets worse and {improving:,} keep improving "
                    "(separable data, one class only, or all-zero counts); a ridge or L1 penalty makes it well posed"
                )
    return ""


def better_for_ever(f, direction, dust, policy=Existing()):
    """How many rows' loss falls for ever along a direction (dim,); 0 where it grows for any row.

    A row counts as held by the least move, but as moved only by a visible one: on nearly equal columns all rows move
    little, and a row that gets worse by as little ends the escape.
    """
    found = f.align(direction, dust, policy.visible)
    return 0 if found.held else found.moved


def escapes(f, beta, free, steps, policy=Existing()):
    """Directions (dim,) within the free coordinates along which F may fall for ever, and how exact each is.

    Where one coordinate is free, as an intercept beside penalised columns, there are two. Else first β itself, which
    solves no system: along it a row moves if it moves by more than rounding. Then the directions of `steps` Newton
    steps, which are as exact as solving for them is.
    """
    if free.sum() == 1:
        along = free.astype(float)
        yield from ((along, policy.dust), (-along, policy.dust))
        return
    if np.any(beta[free]) and np.isfinite(beta).all():
        yield np.where(free, beta, 0.0), 8 * f.dim * np.finfo(float).eps
    for _ in range(steps):
        _, grad, hess = f.loss_grad_hess(beta)
        if not (np.isfinite(grad).all() and np.isfinite(hess).all()):
            return
        direction = np.zeros_like(beta)
        curve = Curvature(hess, np.zeros_like(beta), functools.partial(f.factor, beta))
        direction[free] = -curve.on(free).solve(grad[free])
        yield direction, policy.dust
        beta = beta + direction
