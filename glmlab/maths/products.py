"""Newton's direction where columns are many and there is a ridge: from products with the Hessian, never the Hessian."""

from typing import NamedTuple

import numpy as np

from glmlab.maths.penalties import lambdas
from glmlab.policy import Working


class Heading(NamedTuple):
    """A direction at β, and what it leaves of the slope there."""

    beta: np.ndarray  # (dim,)
    slope: np.ndarray  # (dim,) ∇F(β)
    share: float  # at most so much of the slope is left
    d: np.ndarray  # (dim,)
    left: np.ndarray  # (dim,) −∇F(β) − ∇²F(β) d


def direction(f, g, beta, slope, share, policy=Working()):
    """The Heading with ‖∇²F(β) d + slope‖ ≤ share · ‖slope‖ in the metric of the inverse diagonal; slope is ∇F(β).

    By conjugate gradients: one pass a step, policy.steps of them at most. Any d so found is a direction of descent. f
    keeps the last one, so that a certificate at the same β costs no second search.
    Reference: Nocedal & Wright (2006), Algorithms 5.3 and 7.1; the diagonal of ∇²F as preconditioner.
    """
    last = f.heading
    if last and share >= last.share and np.array_equal(last.beta, beta) and np.array_equal(last.slope, slope):
        return last
    _, l2 = lambdas(g, f.dim)
    curve = l2 if f.diagonal is None else f.diagonal + l2
    curve = np.where(curve > 0, curve, 1.0)
    d, left = np.zeros_like(beta), -slope
    z = left / curve
    p, size = z, left @ z
    enough = share**2 * size
    for _ in range(policy.steps):
        if not size > enough:
            break
        bent = f.hess_times(beta, p) + l2 * p
        along = p @ bent
        if not along > 0:
            break
        d, left = d + (size / along) * p, left - (size / along) * bent
        z, before = left / curve, size
        size = left @ z
        p = z + (size / before) * p
    f.heading = Heading(beta, slope, share, d, left)
    return f.heading
