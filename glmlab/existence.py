"""Proofs that F has no minimum: separable data, one class only, all-zero counts."""

import functools

import numpy as np

from glmlab.penalties import weights
from glmlab.quadratic import Curvature

VISIBLE, DUST = 1e-9, 1e-12  # of |x|·|d|: what moves a row, and what rounding may leave in x·d where nothing moves


def no_minimum(f, g, beta, steps=1):
    """A sentence when F provably has no minimiser: some direction, unpenalised, along which no row's loss ever grows.

    On such data iterates run away along one, and the Newton direction turns into one: asked are β and `steps`
    steps of Newton's method. Whatever is asked, the rows prove it or it does not count.
    """
    if weights(g, f.dim) is None or not hasattr(f.family, "recedes"):
        return ""
    l1, l2 = weights(g, f.dim)
    free = (l1 == 0) & (l2 == 0)
    with f.booked_apart():
        for direction, dust in escapes(f, beta, free, steps) if free.any() else ():
            # A row that a move too small to count makes worse ends the escape: on nearly equal columns all are small.
            found = f.align(direction, dust, VISIBLE)
            if found.moved and not found.held:
                return (
                    f"no minimum exists: along one direction no row ever gets worse and {found.moved:,} keep improving "
                    "(separable data, one class only, or all-zero counts); a ridge or L1 penalty makes it well posed"
                )
    return ""


def escapes(f, beta, free, steps):
    """Directions (dim,) within the free coordinates along which F may fall for ever, and how exact each is.

    An iterate is no solution of a system: in its direction a row that moves by more than rounding moves.
    """
    if np.any(beta[free]) and np.isfinite(beta).all():
        yield np.where(free, beta, 0.0), 8 * f.dim * np.finfo(float).eps
    for _ in range(steps):
        _, grad, hess = f.loss_grad_hess(beta)
        if not (np.isfinite(grad).all() and np.isfinite(hess).all()):
            return
        direction = np.zeros_like(beta)
        curve = Curvature(hess, np.zeros_like(beta), functools.partial(f.factor, beta))
        direction[free] = -curve.on(free).solve(grad[free])
        yield direction, DUST
        beta = beta + direction
