"""Which coordinates a model of the curvature knows: all of them, or a working set of an L1 penalty.

A p × p matrix takes n p² work to sum and p³ to solve. Where p is large and the answer is sparse, both are wasted on
coordinates that stay 0. The gradient says which may leave 0, and the Hessian is summed for those alone.
Reference: Johnson & Guestrin (2015); Massias, Gramfort & Salmon (2018); Bertrand et al. (2022).
"""

from typing import NamedTuple

import numpy as np

from glmlab.maths.descent import descend
from glmlab.maths.penalties import FreeIntercept, Weights, lambdas
from glmlab.maths.quadratic import Model, minimise_model, minimise_roughly, promised
from glmlab.policy import Descent, Working


class Modelled(NamedTuple):
    """The last model on a working set, and for what it was asked."""

    asked: tuple  # β, ∇f, A, λ₁ and λ₂
    share: float  # of the step: what coordinate descent may have left, 0 for a model that is minimised exactly
    model: Model


def curvature_as(g, dim, policy=Working()):
    """What is known of ∇²f where F = f + g has `dim` coefficients: "matrix", "set" or "products".

    "set": the Hessian on a working set, where columns are many and an L1 term keeps all but a free intercept at 0.
    "products": of ∇²f with vectors, where columns are more still and each has a ridge and no L1 term. Else the p × p
    "matrix": where it is small, and where nothing keeps a coefficient at 0 or makes products converge fast.
    """
    parts = lambdas(g, dim)
    if parts is None:
        return "matrix"
    l1, l2 = parts
    held = slice(None, -1 if isinstance(g, FreeIntercept) else None)
    if dim > policy.narrow and np.all(l1[held] > 0):
        return "set"
    if dim > policy.square and np.all(l2[held] > 0) and np.all(l1 == 0):
        return "products"
    return "matrix"


def working_set(f, g, beta, grad, policy=Working()):
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
    near = near[np.argsort(-pull[near], kind="stable")]
    A = np.append(np.flatnonzero(held), near[: max(policy.least - held.sum(), held.sum())])
    if len(A) <= policy.most or f.by_columns.serve(A):
        return np.sort(A)
    if policy.most - held.sum() >= min(policy.least, len(near)):
        return np.sort(A[: policy.most])
    worst = np.where(free, np.inf, g.distance(beta, grad))
    return np.sort(np.argpartition(worst, -policy.most)[-policy.most :])


def model_on(f, g, beta, grad, A, *, sharp=False, policy=Descent()):
    """The minimiser of the quadratic model of F at β over the coordinates A, the others kept as they are: a Model.

    g: a penalty or its Weights. By coordinate descent, on sparse columns themselves and on dense ones with the Hessian
    in A, as far as a solver needs it. Where that is slow, where f is its own model, and on dense columns for a
    certificate (`sharp`): exactly. f keeps the last model: a certificate at the same β goes on from there.
    """
    share = policy.proof if sharp else policy.step
    asked, last = (beta, grad, A, *lambdas(g, len(beta))), f.modelled
    known = last is not None and all(map(np.array_equal, last.asked, asked))
    if known and last.share <= share:
        return last.model
    d = last.model.step[A] if known else np.zeros(len(A))
    found = by_columns(f, g, beta, grad, A, d, share)
    if found is None:
        posed = Weights(*(values[A] for values in lambdas(g, len(beta)))), beta[A], grad[A], f.hess_on(beta, A)
        found = None if sharp or f.quadratic else minimise_roughly(*posed, policy.matrix, policy.sweeps)
    if found is None:
        found, share = minimise_model(*posed), 0.0
    point, step = beta.copy(), np.zeros_like(beta)
    point[A], step[A] = found.point, found.step
    f.modelled = Modelled(asked, share, found._replace(point=point, step=step))
    return f.modelled.model


def by_columns(f, g, beta, grad, A, d, share, policy=Working()):
    """The same on the coordinates A alone, by coordinate descent; None where there are no columns or it is slow."""
    if not (f.by_columns.serve(A) and np.isfinite(grad[A]).all()):
        return None
    columns, which = f.by_columns.bring(A)
    h, (l1, l2) = f.by_columns.curvatures(beta), (values[A] for values in lambdas(g, len(beta)))
    G = grad[A] + l2 * beta[A]
    v, d, curve, done = descend(columns, which, h, G, beta[A], l1, l2, d, share)
    if not (done or len(A) > policy.most):
        return None
    promise = promised(G, beta[A], v, d, l1, l2)
    return Model(v, promise, promise - curve / 2 - l2 @ d**2 / 2, d)


def outside(f, g, beta, grad, A):
    """An estimate of by how much F falls if that coordinate outside A moves for which it falls most."""
    _, l2 = lambdas(g, len(beta))
    off = g.distance(beta, grad)
    off[A] = 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        falls = np.square(off) / (2 * (f.diagonal + l2)) if f.diagonal is not None else off
    return float(np.where(off > 0, falls, 0.0).max(initial=0.0))
