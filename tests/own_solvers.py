"""Solvers as readers write them, right and wrong, for the tests of what judges them."""

from dataclasses import dataclass
from itertools import count
from types import SimpleNamespace

import numpy as np

from glmlab import State
from glmlab.solvers import consensus_admm
from glmlab.teaching.own_solvers import barzilai_borwein

SMOOTH, BOUNDED = ["zero", "ridge"], ["gaussian", "logistic"]
LOGISTIC = {"families": ["logistic"], "penalties": ["ridge", "l1"]}


def searched(f, g, beta, loss, grad, t):
    """A forward-backward step whose length is halved until f lies below its quadratic model."""
    while True:
        new = g.prox(beta - t * grad, t)
        found, move = f.loss_grad(new), new - beta
        if found.loss <= loss + grad @ move + move @ move / (2 * t) + 1e-13 * abs(loss):
            return new, found, t
        t /= 2


def largest(f, start):
    """L of least squares and of the logistic loss, whose curvature is largest at 0."""
    return np.linalg.eigvalsh(f.loss_grad_hess(np.zeros(len(start))).hess)[-1]


# --- right ------------------------------------------------------------------------------------------------------


def ista(f, g, start):
    beta, (loss, grad), t = start, f.loss_grad(start), 1.0
    while True:
        yield State(beta, loss + g.value(beta), f.residual(beta, grad, g))
        beta, (loss, grad), t = searched(f, g, beta, loss, grad, 2 * t)


def ista_of_betas_only(f, g, start):
    beta, t = start, 1.0
    while True:
        yield SimpleNamespace(beta=beta.tolist())
        beta, _, t = searched(f, g, beta, *f.loss_grad(beta), 2 * t)


def fixed_ista(f, g, start):
    t = 1 / largest(f, start)
    beta = start
    while True:
        grad = f.loss_grad(beta).grad
        yield State(beta)
        beta = g.prox(beta - t * grad, t)


def stepped_ista(f, g, start, *, step):
    beta = start
    while True:
        yield State(beta)
        beta = g.prox(beta - step * f.loss_grad(beta).grad, step)


def nesterov(f, g, start):
    beta = old = start
    t, theta = 1.0, 1.0
    while True:
        loss, grad = f.loss_grad(beta)
        yield State(beta, loss + g.value(beta))
        before, theta = theta, (1 + np.sqrt(1 + 4 * theta**2)) / 2
        v = beta + (before - 1) / theta * (beta - old)
        new, _, t = searched(f, g, v, *f.loss_grad(v), t)
        if (v - new) @ (new - beta) > 0:
            theta = 1.0
        old, beta = beta, new


def descent(f, g, start):
    beta, t = start.copy(), 1.0
    while True:
        loss, grad = f.loss_grad(beta)
        slope, F = grad + g.grad(beta), loss + g.value(beta)
        yield State(beta.copy(), F, f.residual(beta, grad, g))
        t *= 4
        while not f.loss(beta - t * slope) + g.value(beta - t * slope) <= F - t / 2 * (slope @ slope) and t > 1e-12:
            t /= 2
        beta -= t * slope


def damped_newton(f, g, start):
    beta = start
    while True:
        loss, grad, hess = f.loss_grad_hess(beta)
        slope, F = grad + g.grad(beta), loss + g.value(beta)
        yield State(beta, F, f.residual(beta, grad, g))
        ridge = np.where(np.arange(len(beta)) < len(g.grad(beta)), np.sign(g.grad(np.ones(len(beta)))) * g.l2, 0)
        d = -np.linalg.solve(hess + np.diag(ridge), slope)
        t = 1.0
        while not f.loss(beta + t * d) + g.value(beta + t * d) <= F + 1e-4 * t * (slope @ d) and t > 1e-9:
            t /= 2
        beta = beta + t * d


def newton_of_the_loss(f, g, start):
    """Newton's method with the Hessian of f alone: its second state may be the minimiser of f."""
    beta = start
    while True:
        loss, grad, hess = f.loss_grad_hess(beta)
        F = loss + g.value(beta)
        yield State(beta, F)
        d, t = np.linalg.solve(hess, grad + g.grad(beta)), 1.0
        while f.loss(beta - t * d) + g.value(beta - t * d) > F + 1e-13 * abs(F) and t > 1e-12:
            t /= 2
        beta = beta - t * d


def newton_by_coordinates(f, g, start):
    beta = start
    while True:
        loss, grad, hess = f.loss_grad_hess(beta)
        yield State(beta, loss + g.value(beta), f.residual(beta, grad, g))
        v, scales = beta, np.diag(hess)
        for _ in range(50):
            for j in range(len(v)):
                moved = v - (grad + hess @ (v - beta)) / scales
                v = np.where(np.arange(len(v)) == j, g.prox(moved, 1 / scales), v)
        t, F = 1.0, loss + g.value(beta)
        while not f.loss(beta + t * (v - beta)) + g.value(beta + t * (v - beta)) <= F and t > 1e-6:
            t /= 2
        beta = beta + t * (v - beta)


def bfgs(f, g, start):
    beta, H = start, None
    loss, grad = f.loss_grad(beta)
    slope = grad + g.grad(beta)
    while True:
        yield State(beta, loss + g.value(beta))
        d = -slope if H is None else -H @ slope
        t = 1.0 if H is not None else 1 / np.linalg.norm(slope)
        while True:
            new, (loss_new, grad) = beta + t * d, f.loss_grad(beta + t * d)
            if loss_new + g.value(new) <= loss + g.value(beta) + 1e-4 * t * (slope @ d) or t < 1e-12:
                break
            t /= 2
        s, r = new - beta, grad + g.grad(new) - slope
        if s @ r > 0:
            E = np.eye(len(s)) - np.outer(s, r) / (s @ r)
            H = E @ (np.eye(len(s)) * (s @ r) / (r @ r) if H is None else H) @ E.T + np.outer(s, s) / (s @ r)
        beta, loss, slope = new, loss_new, slope + r


def admm(f, g, start):
    yield from consensus_admm(f, g, start, rho="curvature", relaxation=1.5)


class Momentum:
    """A solver may be an object."""

    def __init__(self, weight=0.5):
        self.weight = weight

    def __call__(self, f, g, start):
        beta = old = start
        t = 1 / largest(f, start)
        for k in count():
            yield {"plain": State(beta), "odd": State(beta)}["odd" if k % 2 else "plain"]
            v = beta + self.weight * (beta - old)
            old, beta = beta, g.prox(v - t * f.loss_grad(v).grad, t)


RIGHT = {  # name: the solver, and what it claims
    "ista": (ista, {}),
    "beta only, as a list": (ista_of_betas_only, {}),
    "barzilai_borwein": (barzilai_borwein, {}),
    "nesterov": (nesterov, {}),
    "newton by coordinates": (newton_by_coordinates, {}),
    "newton of the loss": (newton_of_the_loss, {"families": BOUNDED, "penalties": ["ridge"]}),
    "admm": (admm, {}),
    "descent, in place on a copy": (descent, {"penalties": SMOOTH}),
    "damped newton": (damped_newton, {"penalties": SMOOTH}),
    "bfgs": (bfgs, {"penalties": SMOOTH}),
    "fixed ista": (fixed_ista, {"families": BOUNDED}),
    "an option": (stepped_ista, {"families": ["logistic"], "step": 0.01}),
    "an object": (Momentum(), {"families": BOUNDED}),
}


# --- wrong ------------------------------------------------------------------------------------------------------


def last_unpenalised(f, g, start):
    """It takes the last coefficient for an intercept, wherever there is none."""
    t, beta = 1 / largest(f, start), start
    while True:
        yield State(beta)
        v = beta - t * f.loss_grad(beta).grad
        beta = np.append(g.prox(v, t)[:-1], v[-1])


def two_parameters(f, start):
    yield State(start)


def option_without_default(f, g, start, step):
    yield State(start)


def an_array(f, g, start):
    beta = start
    for _ in range(500):
        beta = g.prox(beta - 0.001 * f.loss_grad(beta).grad, 0.001)
    return beta


def arrays(f, g, start):
    for state in ista(f, g, start):
        yield np.array(state.beta)


def without_intercept(f, g, start):
    for state in ista(f, g, start):
        yield State(state.beta[:3])


def nothing(f, g, start):
    return
    yield


def eager(f, g, start):
    states = []
    for k, state in enumerate(ista(f, g, start)):
        states.append(state)
        if k == 60:
            break
    yield from states


def at_the_call(f, g, start):
    f.loss_grad(start + 1.0)
    return ista(f, g, start)


def late(f, g, start):
    states = ista(f, g, start)
    next(states)
    yield from states


def from_zero(f, g, start):
    yield from ista(f, g, np.zeros(len(start)))


def writes_into_start(f, g, start):
    beta = start
    t = 1e-3
    while True:
        yield State(beta.copy())
        beta -= t * f.loss_grad(beta).grad
        beta[:] = g.prox(beta, t)


def one_array(f, g, start):
    beta = start.copy()
    for state in ista(f, g, start):
        beta[:] = state.beta
        yield State(beta, state.objective)


@dataclass
class Mine:
    beta: np.ndarray
    objective: float | None = None


def one_object(f, g, start):
    mine = Mine(start)
    for state in ista(f, g, start):
        mine.beta = state.beta
        yield mine


def stale(f, g, start):
    old = None
    for state in ista(f, g, start):
        yield State(state.beta, state.objective if old is None else old)
        old = state.objective


def ahead(f, g, start):
    beta, found, t = start, f.loss_grad(start), 1.0
    while True:
        new, after, t = searched(f, g, beta, *found, 2 * t)
        yield State(beta, after.loss + g.value(new))
        beta, found = new, after


def loss_only(f, g, start):
    for state in ista(f, g, start):
        yield State(state.beta, f.loss(state.beta))


def mean_objective(f, g, start):
    for state in ista(f, g, start):
        yield State(state.beta, state.objective / f.n)


def value_with_intercept(f, g, start):
    for state in ista(f, g, start):
        yield State(state.beta, f.loss(state.beta) + getattr(g, "g", g).value(state.beta))


def gradient_norm(f, g, start):
    for state in ista(f, g, start):
        yield state._replace(residual=np.linalg.norm(f.loss_grad(state.beta).grad))


def unscaled(f, g, start):
    for state in ista(f, g, start):
        yield state._replace(residual=g.distance(state.beta, f.loss_grad(state.beta).grad).max())


KEPT = {}


def remembers(f, g, start):
    """A step size kept between runs, in a global."""
    beta, found = start, f.loss_grad(start)
    while True:
        yield State(beta)
        beta, found, KEPT["t"] = searched(f, g, beta, *found, 3 * KEPT.get("t", 1.0))


def unseeded(f, g, start):
    t, rng = 1 / largest(f, start), np.random.default_rng()
    beta = start
    while True:
        yield State(beta)
        step = t * rng.uniform(0.5, 1)
        beta = g.prox(beta - step * f.loss_grad(beta).grad, step)


def penalised_intercept(f, g, start):
    yield from ista_of_betas_only(f, getattr(g, "g", g), start)


class Scaled:
    """c·g."""

    def __init__(self, g, c):
        self.g, self.c = g, c

    def value(self, beta):
        return self.g.value(beta)  # what it says of F is right

    def prox(self, v, step):
        return self.g.prox(v, self.c * step)

    def distance(self, beta, grad):
        return self.g.distance(beta, grad)


def lambda_over_n(f, g, start):
    yield from ista_of_betas_only(f, Scaled(g, 1 / f.n), start)


def mean_gradient(f, g, start):
    t = 1 / largest(f, start)
    beta = start
    while True:
        yield State(beta)
        beta = g.prox(beta - t * f.loss_grad(beta).grad, f.n * t)


def no_penalty(f, g, start):
    yield from ista_of_betas_only(f, Scaled(g, 0.0), start)


def half(f, g, start):
    yield from ista_of_betas_only(f, Scaled(g, 0.5), start)


def prox_without_step(f, g, start):
    t = 1 / largest(f, start)
    beta = start
    while True:
        yield State(beta)
        beta = g.prox(beta - t * f.loss_grad(beta).grad, t / 3)


def too_long(f, g, start):
    t = 3 / largest(f, start)
    beta = start
    while True:
        yield State(beta)
        beta = g.prox(beta - t * f.loss_grad(beta).grad, t)


def uphill(f, g, start):
    t = 1 / largest(f, start)
    beta = start
    while True:
        yield State(beta)
        beta = g.prox(beta + t * f.loss_grad(beta).grad, t)


def first_gradient(f, g, start):
    """The gradient is never taken again."""
    t, grad = 1 / largest(f, start), f.loss_grad(start).grad
    beta = start
    while True:
        yield State(beta)
        beta = beta - t * grad


def one_state(f, g, start):
    yield State(start)


def too_long_for_ridge(f, g, start):
    """∇f of the logistic loss is bounded: far out λβ is all that counts, and β doubles its length."""
    beta, t = start, 3 / np.abs(g.grad(np.ones(len(start)))).max()
    while True:
        yield State(beta)
        beta = beta - t * (f.loss_grad(beta).grad + g.grad(beta))


def shrinking(f, g, start):
    """Steps t/(1 + k)², whose sum is finite."""
    t = 0.1 / largest(f, start)
    beta = start
    for k in count(1):
        yield State(beta)
        beta = g.prox(beta - t / k**2 * f.loss_grad(beta).grad, t / k**2)


def three_states(f, g, start):
    for _, state in zip(range(3), ista(f, g, start), strict=False):
        yield state


def stands(f, g, start):
    for k, state in enumerate(ista(f, g, start)):
        last = state if k < 5 else last  # noqa: F821
        yield State(last.beta)


def endless(f, g, start):
    beta = start
    while True:
        loss, grad = f.loss_grad(beta)
        yield State(beta)
        t = 1.0
        while not f.loss(beta - t * grad) < loss - 2 * t * (grad @ grad):  # no step is so good
            t /= 2
        beta = beta - t * grad


def reads_rows(f, g, start):
    X = f.chunks.rows.X
    assert len(X)
    yield from ista(f, g, start)


def mean_of_chunks(f, g, start):
    kernel, beta, t = f.kernel("loss_grad"), start, 0.5 / largest(f, start)
    while True:
        yield State(beta)
        parts = f.map(kernel, shared=(f.family, beta))
        grad = f.n * np.mean([part.grad / n for part, n in zip(parts, f.chunks.lengths, strict=True)], axis=0)
        beta = g.prox(beta - t * grad, t)


def gradient_only(f, g, start):
    """Gradient descent where g may have none at 0."""
    t = 0.3 / largest(f, start)
    beta = start
    while True:
        yield State(beta)
        beta = beta - t * (f.loss_grad(beta).grad + g.grad(beta))


class NoGrad(Scaled):
    """A penalty of a reader's own."""


def needs_grad(f, g, start):
    yield from gradient_only(f, NoGrad(g, 1.0), start)


def only_logistic(f, g, start):
    if f.family.name != "logistic":
        raise NotImplementedError("labels are needed")
    yield from ista(f, g, start)


WRONG = {  # name: the solver, the check that finds it, words of the sentence, and what it claims
    "two parameters": (two_parameters, "signature", "takes f, g and start"),
    "an option without a default": (option_without_default, "signature", "missing a required argument: 'step'"),
    "an array": (an_array, "signature", "returns an array of shape .* in place of return"),
    "arrays": (arrays, "signature", r"yields an array of shape .* yield State\(beta\)"),
    "beta without intercept": (without_intercept, "signature", r"a beta of shape \(3,\)"),
    "nothing": (nothing, "signature", "yields no state"),
    "eager": (eager, "laziness", "passes before its first state, and none between"),
    "at the call": (at_the_call, "laziness", "the call alone makes 1 pass"),
    "update before yield": (late, "start", "yielded after the first update"),
    "start ignored": (from_zero, "start", "start is ignored"),
    "start overwritten": (writes_into_start, "input", "changes the array start"),
    "one array": (one_array, "states", "the beta of state 1 has changed"),
    "one object": (one_object, "states", "the same object again and again"),
    "objective of the state before": (stale, "objective", "F at the state before"),
    "objective of the next state": (ahead, "objective", "F at the next state"),
    "objective without penalty": (loss_only, "objective", "add g.value"),
    "mean objective": (mean_objective, "objective", "not divided by n"),
    "objective with intercept": (value_with_intercept, "objective", "F with a penalised intercept"),
    "norm of the gradient": (gradient_norm, "residual", "the length of the gradient; write f.residual"),
    "unscaled residual": (unscaled, "residual", "the unscaled KKT residual; write f.residual"),
    "last unpenalised": (last_unpenalised, "certificate|lambda|divergence", "without an intercept"),
    "kept between runs": (remembers, "repetition", "a second run yields other states .* local variables"),
    "unseeded": (unseeded, "repetition", "give random numbers a seed", LOGISTIC),
    "penalised intercept": (penalised_intercept, "intercept", "whose intercept is penalised, too .*: use g.prox"),
    "lambda over n": (lambda_over_n, "lambda", "divide neither λ nor the gradient by n"),
    "lambda times n": (mean_gradient, "lambda", "multiply neither λ", {**LOGISTIC, "penalties": ["ridge"]}),
    "no penalty": (no_penalty, "lambda", "the penalty is left out"),
    "half of lambda": (half, "lambda", "λ counts half"),
    "another step in the prox": (prox_without_step, "lambda", "needs the step of the gradient", LOGISTIC),
    "too long steps": (too_long, "divergence", "F rises from .* below 2/L", {"families": ["gaussian"]}),
    "uphill": (uphill, "divergence", "F rises from .* uphill: subtract the gradient"),
    "first gradient only": (first_gradient, "divergence", "F rises from .* makes no pass between its states"),
    "one state": (one_state, "certificate", "ends by itself after 1 state, "),
    "too long steps for a ridge": (too_long_for_ridge, "divergence", "F rises from .* below 2/L",
                                   {"families": ["logistic"], "penalties": ["ridge"]}),
    "shrinking steps": (shrinking, "certificate", "states lead to .* does it shrink", LOGISTIC),
    "three states": (three_states, "certificate", "ends by itself after 3 states, .* decides when to stop"),
    "stands still": (stands, "certificate", "no longer moves after"),
    "endless search": (endless, "signature|laziness|claims", "more than 500 passes and yields no state"),
    "reads rows": (reads_rows, "dask", "the rows may be elsewhere: ask f for passes only"),
    "mean of chunks": (mean_of_chunks, "certificate", "no longer moves|states lead to", LOGISTIC),
    "gradient only": (gradient_only, "lambda", "left out: each update needs g.prox", {**LOGISTIC, "penalties": ["l1"]}),
    "no gradient": (needs_grad, "signature|claims", r"no gradient; use g.prox, or claim less"),
    "one family": (only_logistic, "signature|claims", "labels are needed, at its line 3 .*: mend it, or claim less",
                   {"families": ["logistic", "poisson"]}),
}  # fmt: skip
