"""Which coordinates a model of the curvature knows: all of them, or a working set of an L1 penalty.

A p × p matrix takes n p² work to sum and p³ to solve. Where p is large and the answer is sparse, both are wasted on
coordinates that stay 0. The gradient says which may leave 0, and the Hessian is summed for those alone.
Reference: Johnson & Guestrin (2015); Massias, Gramfort & Salmon (2018); Bertrand et al. (2022).
"""

import numpy as np

from glmlab.maths.penalties import lambdas
from glmlab.maths.quadratic import minimise_model
from glmlab.policy import Working


def is_wide(g, dim, policy=Working()):
    """Is a working set worth while: are the columns many, and does an L1 term keep all but a free intercept at 0?"""
    if dim <= policy.narrow or lambdas(g, dim) is None:
        return False
    l1, _ = lambdas(g, dim)
    return bool(np.all(l1[:-1] > 0))


def working_set(g, beta, grad, policy=Working()):
    """The numbers (m,) of the coordinates that may move, in rising order; grad (dim,) is ∇f at β.

    All that are not 0 and all without an L1 term, then those with the largest |∇f_j| ÷ λ₁, if that is above
    policy.near: up to twice as many in all as are not 0, and up to policy.least. Where policy.most has no room for so
    many, those that are furthest from optimal: a block, beside which the others keep their values. Without an L1 term
    there is no set: all coordinates.
    """
    l1, _ = lambdas(g, len(beta))
    free = l1 == 0
    if free.all():
        return np.arange(len(beta))
    held = (beta != 0) | free
    with np.errstate(divide="ignore", invalid="ignore"):
        pull = np.where(held, 0.0, np.abs(grad) / l1)
    near = np.flatnonzero(pull > policy.near)
    room = policy.most - held.sum()
    if room < min(policy.least, len(near)):
        worst = np.where(free, np.inf, g.distance(beta, grad))
        return np.sort(np.argpartition(worst, -policy.most)[-policy.most :])
    room = min(max(policy.least - held.sum(), held.sum()), room)
    if len(near) > room:
        near = near[np.argpartition(pull[near], -room)[-room:]]
    return np.sort(np.append(np.flatnonzero(held), near))


def model_on(f, g, beta, grad, A):
    """The minimiser of the quadratic model of F at β over the coordinates A, the others kept as they are: a Model."""
    found = minimise_model(g, beta[A], grad[A], f.hess_on(beta, A))
    point, step = beta.copy(), np.zeros_like(beta)
    point[A], step[A] = found.point, found.step
    return found._replace(point=point, step=step)


def outside(f, g, beta, grad, A):
    """An estimate of by how much F falls if that coordinate outside A moves for which it falls most."""
    _, l2 = lambdas(g, len(beta))
    off = g.distance(beta, grad)
    off[A] = 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        falls = np.square(off) / (2 * (f.diagonal + l2)) if f.diagonal is not None else off
    return float(np.where(off > 0, falls, 0.0).max(initial=0.0))
