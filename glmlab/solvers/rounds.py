"""Fewer rounds: between two of them every chunk solves a problem of its own, and a mean makes the chunks agree.

These methods are to be looked at, and "auto" takes none of them: `pilot_newton` is the package's own. They save rounds
while each chunk is like a sample of all rows. Where chunks are sorted, or have few rows for each coefficient, all but
`giant` may go astray, because nothing in them sees to it that F falls. L1 needs `csl` or `cease`: a mean of answers
keeps hardly a zero, and a Newton direction knows no kink.
"""

from typing import NamedTuple

import numpy as np

from glmlab.checks import frozen, number, whole
from glmlab.maths.penalties import lambdas
from glmlab.maths.quadratic import Curvature, minimise_model
from glmlab.maths.sums import quietly
from glmlab.solvers.newton import longest
from glmlab.solvers.result import State
from glmlab.solvers.start import Own, average, book_reads, mean_of, one_step, weight_of


class RoundState(NamedTuple):
    beta: np.ndarray  # (dim,)
    objective: float  # F(β)
    residual: float  # ‖dist(−∇f, ∂g)‖∞ in the scale of Objective.residual
    betas: np.ndarray  # (K, dim) the chunks' own answers that led to this β; none at the start
    step: float  # how far β went from the last β (0) to their mean (1)


# --- one mean --------------------------------------------------------------------------------------------------------


def averaging(f, g, start):
    """One-shot averaging for F = f + g, g smooth.

    Update: β = Σ_k w_k β_k ÷ w with β_k = argmin_b (w/w_k) f_k(b) + g(b), chunk k's own minimiser, w_k the weight of
    its rows and w that of all (`average`). There is no second one. Chunks that have no minimiser are left out.
    Oracle: one round. A chunk is read once or twice for each step of its own Newton. F is looked at by `run` only.
    Rate: none: β stays where it is. The mean squared error against the truth is O(1/n) + O(1/n_k²): the mean is as good
    an estimate as the minimiser while there are fewer than about √n chunks, each a sample of all rows.
    Reference: Zhang, Duchi & Wainwright (2013), Algorithm AVGM and Theorem 1.
    """
    yield State(frozen(start))
    yield State(frozen(average(f, g)))


def averaging_newton(f, g, start):
    """One-shot averaging for F = f + g, g smooth, then one step of Newton's method on all rows.

    Update: first that of `averaging`; then β⁺ = β − ∇²F(β)⁻¹ ∇F(β) (`one_step`). There is no third one.
    Oracle: two rounds: that of `averaging`, and a loss+gradient+Hessian pass.
    Rate: the step squares the error of the mean, so that many chunks, and chunks that differ, do less harm. It is exact
    for least squares. Reference: Huang & Huo (2019).
    """
    yield State(frozen(start))
    mean = average(f, g)
    yield State(frozen(mean))
    yield State(frozen(one_step(f, g, mean)))


# --- surrogates ------------------------------------------------------------------------------------------------------


def csl(f, g, start, *, chunk=0):
    """Communication-efficient surrogate likelihood for F = f + g with g = λ₁‖β‖₁ + (λ₂/2)‖β‖².

    Update: β⁺ = argmin_b f̂(b) + (∇f(β) − ∇f̂(β))ᵀ(b − β) + g(b), exactly, with f̂ the loss of one chunk scaled up to
    stand for all: it has the chunk's curvature, and at β the slope of f. It ends where that has no minimiser.
    Oracle: two rounds an iteration: a loss+gradient pass, and a task that reads that chunk once for each Newton step.
    Rate: for least squares ‖β⁺ − β*‖_Ĥ ≤ ε ‖β − β*‖_Ĥ with ε = ‖I − Ĥ^(−½) ∇²f Ĥ^(−½)‖ and Ĥ = ∇²f̂, for every convex
    g; for others the same near β*. For n_k rows drawn at random ε is O(√(p/n_k)). It may diverge where ε > 1.
    chunk: the number of the chunk.
    Reference: Jordan, Lee & Yang (2019), Algorithm 1; with L1 also Wang, Kolar, Srebro & Zhang (2017).
    """
    if whole("chunk", chunk) >= f.n_chunks:
        raise ValueError(f"chunk must be less than {f.n_chunks}, the number of chunks, got {chunk!r}")
    beta, betas = frozen(start), np.empty((0, f.dim))
    f.look(beta)
    while True:
        loss, grad = f.loss_grad(beta)
        yield RoundState(frozen(beta), loss + g.value(beta), f.residual(beta, grad, g), frozen(betas), 1.0)
        answers = surrogates(f, g, beta, grad, np.zeros(f.dim), which=[chunk])
        beta = mean_of(answers)
        if beta is None:
            return
        betas = beta[None, :]


def cease(f, g, start, *, alpha=None):
    """Communication-efficient accurate statistical estimation for F = f + g with g = λ₁‖β‖₁ + (λ₂/2)‖β‖².

    Update: every chunk solves the problem of `csl` with ½‖b − β‖²_A added, and β⁺ is the mean of the answers, weighted
    as rows are. A is α times the diagonal of ∇²f at the start, in the paper α times the identity, which has units.
    Oracle: two rounds an iteration: a loss+gradient pass, and one in which a chunk is read once for each Newton step.
    Rate: linear, for like chunks. For least squares with smooth g an error is multiplied by
    I − Σ_k π_k (∇²F_k + A)⁻¹ ∇²F, π_k chunk k's share of the rows and F_k its scaled loss plus g: errors of the chunks'
    Hessians cancel in the mean, which those of `csl` cannot. With α large it is a slow descent that nothing leads
    astray; with α = 0 it is DANE (Shamir, Srebro & Zhang 2014, η = 1 and μ = 0), and diverges where chunks differ much.
    alpha: a number ≥ 0, by default 0.5 · p K ÷ n, because Hessians of n/K rows err by about √(p K/n).
    Reference: Fan, Guo & Wang (2023), Algorithm 4.
    """
    alpha = 0.5 * f.dim * f.n_chunks / f.n if alpha is None else number("alpha", alpha)
    beta, betas = frozen(start), np.empty((0, f.dim))
    f.look(beta)
    pull = alpha * f.loss_grad_diag(beta).diag
    while True:
        loss, grad = f.loss_grad(beta)
        yield RoundState(frozen(beta), loss + g.value(beta), f.residual(beta, grad, g), frozen(betas), 1.0)
        answers = surrogates(f, g, beta, grad, pull)
        beta = mean_of(answers)
        if beta is None:
            return
        betas = np.array([own.beta for own in answers if own.beta is not None])


def surrogates(f, g, beta, grad, pull, which=None):
    """What `surrogate_minimiser` finds on every chunk, or on those of the numbers `which`: one round."""
    shared = f.family, f.kernel("loss_grad_hess"), g, f.survey.weight, beta, grad, pull
    answers = f.map(surrogate_minimiser, shared=shared, which=which)
    book_reads(f, answers, which)
    return answers


@quietly
def surrogate_minimiser(rows, family, loss_grad_hess, g, total, beta, grad, pull):
    """argmin_b f̂(b) + (∇f(β) − ∇f̂(β))ᵀ(b − β) + ½ Σ_j pull_j (b_j − β_j)² + g(b) on one chunk, by damped Newton from β.

    f̂ is the chunk's loss, scaled up from its own weight to the `total` of all rows; grad is ∇f(β). The last step is a
    thousandth of the way at most, and is taken. Returns an Own, without an answer where there is no minimiser.
    """
    weight = weight_of(rows)
    if not weight > 0:
        return Own(None, 0.0, 0)
    times, b, t, reads = total / weight, beta, 1.0, 1
    here = loss_grad_hess(rows, family, b)
    tilt = grad - times * here.grad

    def value(b, loss):
        return times * loss + tilt @ (b - beta) + pull @ (b - beta) ** 2 / 2 + g.value(b)

    first = now = value(b, here.loss)
    while reads < 60 and t > 1e-6:
        slope, hess = times * here.grad + tilt + pull * (b - beta), times * here.hess + np.diag(pull)
        model = minimise_model(g, b, slope, hess)
        if getattr(family, "quadratic", False) or model.decrement <= 1e-6 * (first - now + model.decrement):
            return Own(model.point if is_minimum(g, model, slope, hess) else None, weight, reads)
        t, noise = 2.0, 1e-14 * abs(times * here.loss)
        while True:
            t /= 2
            trial = model.point if t == 1.0 else b + t * model.step
            there, reads = loss_grad_hess(rows, family, trial), reads + 1
            new = value(trial, there.loss)
            if new <= now - 1e-4 * t * model.promise + noise or not t > 1e-6:
                break
        b, here, now = trial, there, new
    return Own(None, weight, reads)


def is_minimum(g, model, slope, hess):
    """Is the model's point its minimiser? Else it has none: there is a slope in a direction that no row sees."""
    size = np.abs(slope) + np.abs(hess) @ np.abs(model.step)
    return bool(np.all(g.distance(model.point, slope + hess @ model.step) <= 1e-6 * size))


# --- directions ------------------------------------------------------------------------------------------------------


def giant(f, g, start):
    """Globally improved approximate Newton for F = f + g, g = (λ₂/2)‖β‖² or nothing.

    Update: β⁺ = β + t d with d = −Σ_k π_k (Ĥ_k + λ₂I)⁻¹ ∇F(β), π_k chunk k's share of the rows and Ĥ_k its own Hessian
    at β scaled up to stand for all: a mean of Newton directions, where Newton has the direction of the mean. t is the
    longest of 1, ½, ¼ … that satisfies Armijo's rule. The paper solves by conjugate gradients, here it is exact.
    Oracle: three rounds an iteration, each a pass: loss+gradient, the chunks' Hessians, which stay where they are, and
    the price of t = 1; where that is too long, one more prices all shorter steps.
    Rate: for least squares and t = 1 that of `cease` with α = 0; linear-quadratic near the optimum for others, the
    linear part O(p/n_k + √(p/n)). d always descends.
    Reference: Wang, Roosta-Khorasani, Xu & Mahoney (2018), Algorithm 1.
    """
    beta, betas, t = frozen(start), np.empty((0, f.dim)), 1.0
    f.look(beta)
    while True:
        loss, grad = f.loss_grad(beta)
        objective, slope = loss + g.value(beta), grad + g.grad(beta)
        yield RoundState(frozen(beta), objective, f.residual(beta, grad, g), frozen(betas), t)
        shared = f.family, f.kernel("loss_grad_hess"), f.survey.weight, beta, slope, lambdas(g, f.dim)[1]
        steps = f.map(own_newton_step, shared=shared)
        d = mean_of(steps)
        t = 0.0 if d is None else longest(f, g, beta, objective, slope @ d, d)
        if t == 0.0:
            return
        betas = beta + np.array([own.beta for own in steps if own.beta is not None])
        beta = beta + t * d


@quietly
def own_newton_step(rows, family, loss_grad_hess, total, beta, slope, l2):
    """−(Ĥ + diag(l2))⁻¹ slope on one chunk, of minimum norm where that is singular; Ĥ is scaled up as in `csl`."""
    weight = weight_of(rows)
    hess = loss_grad_hess(rows, family, beta).hess * (total / weight) if weight > 0 else np.full((1, 1), np.nan)
    if not np.isfinite(hess).all():
        return Own(None, weight, 1)
    return Own(-Curvature(hess, l2).on(np.ones(len(beta), dtype=bool)).solve(slope), weight, 1)
