"""Where a solver leads: to a certificate, or elsewhere, and why."""

from typing import NamedTuple

import numpy as np

from glmlab.auditing.audit import Fault, demand
from glmlab.auditing.problems import CHUNKS
from glmlab.maths.certificates import certificate_at
from glmlab.maths.penalties import lambdas


class Outcome(NamedTuple):
    """How a problem ended: "certified", or the kind of a fault, with the Fault."""

    kind: str
    fault: Fault | None = None


def outcome(walked, problem, policy):
    """Take states until one is certified, on unequal chunks and on one. walked(problem, chunks=…) gives a Walk."""
    for chunks in (CHUNKS, (sum(CHUNKS),)):
        try:
            found = led_to(walked(problem, chunks=chunks), policy)
        except Fault as fault:
            found = Outcome("raises", fault)
        if found.fault:
            return found
    return found


def led_to(walk, policy):
    """The Outcome of a walk: certified, or why not. It is asked after 1, 2, 4, 7 … states."""
    twin, g = walk.problem.objective(), walk.problem.g
    twin.look(walk.start)
    suspected = None
    while True:
        known = len(walk.seen)
        walk.take(min(known // 2 + 1, policy.iterations - known))
        demand(walk.seen, f"on {walk.where} it yields no state", "yield a state before the first update")
        last = walk.seen[-1].beta
        if not np.isfinite(last).all():
            return Outcome("diverges", diverged(walk, twin))
        found = certificate_at(twin, g, last)
        relative = found.relative if found.rigorous else twin.residual(last, twin.loss_grad(last).grad, g) ** 2
        if relative <= policy.tol:
            return Outcome("certified")
        over = walk.ended or len(walk.seen) >= policy.iterations
        other = elsewhere(walk, twin, policy.other if over else policy.other**2)
        if other and (over or other.kind == suspected):  # a walk may pass by there once, on its way
            return other
        suspected = other and other.kind
        if over or stopped(walk, policy):
            return diagnosed(walk, twin, relative, policy)


def elsewhere(walk, twin, share):
    """The Outcome of a walk to the optimum of another problem, None if it is not there."""
    problem, beta = walk.problem, walk.seen[-1].beta
    grad = twin.loss_grad(beta).grad
    began = problem.g.distance(walk.start, twin.loss_grad(walk.start).grad).max()
    left = share * min(problem.g.distance(beta, grad).max(), began)  # far out λβ is huge, and all else small beside it
    if problem.intercept and problem.penalty.distance(beta, grad).max() <= left:
        what = f"on {walk.where} it ends at the optimum of a model whose intercept is penalised, too"
        return Outcome("intercept", Fault(what, "use g.prox, g.grad and g.value, which leave the last entry free"))
    if (c := other_lambda(problem, beta, grad, left)) is not None:
        what = f"on {walk.where} it ends at the optimum of f + c·g with c = {c:.3g}"
        return Outcome("lambda", Fault(what, lambda_cure(c, twin.n)))
    return None


def states_text(count):
    return f"{count} state{'s' * (count != 1)}"


def stopped(walk, policy):
    """Has β not moved in the last states?"""
    last = [seen.beta for seen in walk.seen[-policy.still :]]
    return len(last) == policy.still and all(np.array_equal(last[0], beta) for beta in last)


def diagnosed(walk, twin, relative, policy):
    """Why a walk ended without a certificate."""
    values = [twin.loss(seen.beta) + walk.problem.g.value(seen.beta) for seen in (walk.seen[0], walk.seen[-1])]
    if not values[1] <= values[0] + policy.other * abs(values[0]):
        return Outcome("diverges", diverged(walk, twin))
    gap, count = f"a proved relative gap of {relative:.1g}", states_text(len(walk.seen))
    gap = gap if np.isfinite(relative) else "no gap that could be proved"
    if walk.ended:
        what = f"on {walk.where} it ends by itself after {count}, with {gap}"
        return Outcome("stops", Fault(what, "go on while F falls: `run` decides when to stop, not the solver"))
    if stopped(walk, policy):
        what = f"on {walk.where} it no longer moves after {count}, with {gap}"
        return Outcome("stops", Fault(what, "its step has become too small, or its fixed point is not the optimum"))
    what = f"on {walk.where} {count} lead to {gap}"
    cure = "is the step far below 1/L, or does it shrink? Does the penalty's prox use the same step as the gradient?"
    return Outcome("slow", Fault(what, cure))


def diverged(walk, twin):
    some = walk.seen[:: max(len(walk.seen) // 8, 1)]
    values = [twin.loss(seen.beta) + walk.problem.g.value(seen.beta) for seen in some]
    worst = max((value for value in values if np.isfinite(value)), default=np.inf)
    what = f"on {walk.where} it diverges: F rises from {values[0]:.4g} to {worst:.4g}, and on" if worst > values[0] \
        else f"on {walk.where} it leaves the finite numbers after {states_text(len(walk.seen))}"  # fmt: skip
    return Fault(what, diverging_cure(walk, twin))


def diverging_cure(walk, twin):
    """What to do about a walk that diverges."""
    first, *others = walk.seen
    if others and (others[0].beta - first.beta) @ twin.loss_grad(first.beta).grad > 0:  # g is least where a walk starts
        return "its first step leads uphill: subtract the gradient, v = beta - step * grad"
    if len(others) > 1 and others[0].passes == others[-1].passes:
        return "it makes no pass between its states: each update needs the gradient at the beta that was yielded"
    return "its steps are too long: below 2/L, or shortened until F falls enough"


def other_lambda(problem, beta, grad, allowed):
    """The c ≥ 0, not 1, for which β minimises f + c·g, None if there is none."""
    known = lambdas(problem.g, len(beta))
    if known is None or not np.any(known[0] + known[1] > 0):
        return None
    l1, l2 = known
    slope = l1 * np.sign(beta) + l2 * beta  # of g, where β is not 0
    if np.count_nonzero(slope) < 2:  # one equation for one unknown always has a solution
        return None
    c, kept = -(grad @ slope) / (slope @ slope), (beta != 0) | (l1 == 0)
    misfit = np.where(kept, np.abs(grad + c * slope), np.maximum(np.abs(grad) - max(c, 0.0) * l1, 0.0))
    return float(c) if c > -1e-6 and misfit.max() <= allowed else None


def lambda_cure(c, n):
    """What to do where λ counts c-fold."""
    known = {
        0.0: "the penalty is left out: each update needs g.prox, or g.grad of a smooth g",
        1 / n: "f is a sum over the rows, not a mean: divide neither λ nor the gradient by n",
        float(n): "f is a sum over the rows, not a mean: multiply neither λ nor the penalty by n",
        2.0: "λ counts twice: the squared loss has no ½ and its slope is 2(η − y), or g is applied twice",
        0.5: "λ counts half: is a factor 2 missing or too much in the gradient or in the prox?",
    }
    near = (cure for value, cure in known.items() if abs(c - value) <= 0.05 * (value or 1 / n))
    return next(near, "g.prox(v, step) needs the step of the gradient step, in the same units: v = beta - step * grad")
