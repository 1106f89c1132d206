"""Drive a solver: ask for states, certify, stop, and say in a sentence how it ended."""

import inspect
import itertools
import sys
import time
import warnings
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from glmlab.certificates import Certificate, certificate_at
from glmlab.checks import frozen, function, number, whole
from glmlab.chunks import one_blas_thread
from glmlab.existence import no_minimum
from glmlab.names import among, named, nearest
from glmlab.penalties import PENALTIES, PENALTY_NEEDS, FreeIntercept, Zero, weights
from glmlab.policy import Stopping
from glmlab.result import NotConverged, RankWarning, Result, Row, State, Trace
from glmlab.solvers import HISTORICAL, SOLVERS, method_of, stopping
from glmlab.solvers.start import null_start, starting_point

POLICY = Stopping()
FAINT = np.sqrt(np.finfo(float).tiny)  # 1.5e-154: the squares of smaller numbers lose digits, and soon are 0


def run(
    solver, f, g=None, *, start=None, tol=POLICY.default, until=None, max_iter=None, callback=None, progress=False,
    policy=POLICY, **options,
):  # fmt: skip
    """Minimise f + g with a solver and prove how close it got.

    solver: a name, or any generator function `solver(f, g, start, **options)` that yields states with a `beta` (State
    says what else is read). f: an Objective. g: a penalty, which never touches the intercept. start: (f.dim,), a
    Result, "pilot", "average" or "one-step" (solvers/start.py); by default the null model, or what suits the solver.
    tol: the certified relative gap at which to stop; `until(state) -> bool` replaces that rule.
    callback(state) returning True stops. progress=True prints one line that updates. policy: all further thresholds.
    options go to the solver.
    Returns a Result. It has converged where `tol` was proved and, over few rows (4 million numbers) at a tol of 1e-6 or
    less, β is right to its last digits (solvers/stopping.py); else it warns NotConverged. Raises TypeError for an
    option that the solver does not know and ValueError for a solver that cannot minimise this penalty.
    """
    g = named("penalty", Zero() if g is None else g, PENALTIES, PENALTY_NEEDS)
    method = resolve(solver, g, options)
    max_iter = refuse_settings(tol, max_iter, until, callback)
    free = FreeIntercept(g) if f.chunks.intercept else g
    watch = Watch(f, free, method, tol, policy, progress)
    # The p × p algebra here gets one BLAS thread, as passes do: the same bits whatever the machine's setting. An
    # overflow ends in a status, not in a warning.
    with one_blas_thread, np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        start = first_look(method.start(f, free) if start is None else start, f, free)
        states = states_of(method.function(f, free, start, **options), method.name, max_iter)
        ended = follow(states, watch, until, callback)
        return result_of(watch, ended or limit(watch, max_iter), g)


def follow(states, watch, until=None, callback=None):
    """Take states until one is good enough; returns how it ended, None where the states did."""
    try:
        for state in map(watch.see, states):
            if until is not None and until(state):
                return Ending("stopped by until")
            if until is None and watch.due() and watch.good_enough():
                return Ending("Converged")
            if callback is not None and callback(state):
                return Ending("stopped by callback")
            if not np.isfinite(state.objective):
                return Ending("the objective is no longer finite")
            if until is None and (why := watch.hopeless()):
                return Ending(why)
    except KeyboardInterrupt:
        return Ending("Interrupted", interrupted=True)


class Ending(NamedTuple):
    """How a run ended."""

    why: str  # for the status
    interrupted: bool = False


def limit(watch, max_iter):
    """How it ended when there were no more states."""
    full = len(watch.trace) > max_iter
    return Ending(f"stopped at max_iter={max_iter}" if full else "the solver took no further step")


def first_look(start, f, g):
    """Where to start, once the first pass there has refused what cannot be fitted; the null model if that is lower."""
    beta = null_start(f) if start is None else frozen(starting_point(start, f, g))
    found = f.look(beta)
    if isinstance(start, str) and not found.loss + g.value(beta) <= f.null.loss:
        return null_start(f)
    return beta


def refuse_settings(tol, max_iter, until=None, callback=None):
    """The error for a parameter of `run` that makes no sense; returns max_iter."""
    number("tol", tol)
    function("until", until)
    function("callback", callback)
    return POLICY.max_iter if max_iter is None else whole("max_iter", max_iter)


def states_of(states, name, max_iter):
    """At most max_iter + 1 states of what a solver returned."""
    if not isinstance(states, Iterator):
        raise TypeError(f"solver {name} must be a generator (a function that yields states); it returned {states!r}")
    return itertools.islice(states, max_iter + 1)


class Watch:
    """What was seen of a run so far: states, trace, certificates. The rules by which it judges are in stopping.py."""

    def __init__(self, f, g, method, tol, policy=POLICY, progress=False):
        self.f, self.g, self.method, self.tol, self.policy, self.progress = f, g, method, tol, policy, progress
        self.began, self.trace, self.state, self.certificate = time.perf_counter(), Trace(), None, None
        self.size = f.n * f.dim
        self.many = self.size > policy.few
        self.thorough = stopping.thorough(self.size, tol, policy)
        self.asked = stopping.asked(self.size, tol, policy)
        self.trigger, self.next_look = policy.share * tol if self.many else tol, policy.first_look
        self.effects, self.best, self.least, self.stale = [], np.inf, np.inf, 0

    def see(self, state):
        """Complete a state and write it down."""
        self.state, self.certificate = complete(state, self.f, self.g), None
        self.guess = estimates(self.state, self.method)
        if self.guess.move is not None and np.isfinite(self.asked):
            self.effects.append(self.effect(self.guess.move))
        row = Row(
            len(self.trace), self.f.passes, self.f.rounds, time.perf_counter() - self.began,
            float(self.state.objective), float(self.state.residual), np.nan,
        )  # fmt: skip
        self.trace.append(row)
        if self.progress:
            print(f"\riteration {row.iteration:5d}  F = {row.objective:.10g}  residual {row.residual:.1e}", end="",
                  file=sys.stderr)  # fmt: skip
        return self.state

    def effect(self, step):
        return stopping.effect(self.f, self.state.objective, self.state.beta, step)

    def near(self):
        return stopping.nearness(self.guess.decrement, self.state.residual, self.f.unit(self.state.objective))

    def stalled(self):
        return stopping.stalled(self.effects, self.policy)

    def due(self):
        """Certify when the state seems near enough, and at iterations 16, 32, 64 … lest it never does."""
        if len(self.trace) > self.next_look:
            self.next_look *= 2
            return True
        near = self.near()
        if not near <= self.trigger:
            return self.stalled()
        if self.effects and not self.effects[-1] <= self.asked:
            return self.stalled()
        # A method that knows its gap is certified when the proof takes no more rows than it has anyway.
        dear = self.many and self.guess.decrement is not None and near > self.policy.rounding
        return not dear or self.policy.ample * near <= self.policy.tight * self.tol

    def good_enough(self):
        """Is `tol` proved and, where rows are few, β right to its last digits?"""
        return self.certify().relative <= self.tol and (not self.thorough or self.error() <= self.needed())

    def needed(self):
        """The largest effect of the certificate's step at which to stop."""
        return self.policy.still if self.effects and not self.stalled() else self.policy.right

    def error(self):
        """The effect of the certificate's step."""
        return self.effect(self.certificate.step)

    def certify(self):
        """The certificate of the current state; sets the nearness at which the next one is worth while."""
        if self.certificate is None:
            self.certificate = self.proof()
            relative = self.certificate.relative
            self.trace[-1] = self.trace[-1]._replace(relative=relative)
            right, error = (self.needed(), self.error()) if self.thorough else (1.0, 0.0)
            self.trigger = self.near() * stopping.wanted(relative, error, self.tol, right, self.policy)
        return self.certificate

    def proof(self):
        """The dual point moves on all rows, or where those are many on a share of them, if that can prove anything."""
        part = self.f.few(self.share()) if self.many else None
        first = certificate_at(self.f, self.g, self.state.beta, sample=part)
        if part is None or np.isfinite(first.bound):
            return first
        second = certificate_at(self.f, self.g, self.state.beta)
        return second._replace(passes=first.passes + second.passes)

    def share(self):
        knows_gap = self.guess.decrement is not None
        return stopping.share(self.near(), knows_gap, self.f.n, self.f.dim, self.tol, self.policy)

    def hopeless(self):
        """Why no further iteration can help, or ''."""
        objective, residual = self.state.objective, self.state.residual
        moved = stopping.moved(objective, residual, self.best, self.least)
        self.best, self.least = min(objective, self.best), min(residual, self.least)
        self.stale = 0 if moved else self.stale + 1
        if self.certificate is not None and np.isinf(self.certificate.bound):
            if not self.certificate.rigorous and np.square(residual) <= self.policy.small * self.tol:
                return f"nothing can be proved, and the scaled residual has fallen to {residual:.1e}"
            # A search for the proof that nothing can be proved, never dearer than a share of what was spent so far.
            steps = min(max(len(self.trace) // 16, 1), 8)
            if why := no_minimum(self.f, self.g, self.state.beta, steps):
                return why
        patience = self.policy.patience
        return f"no progress in the last {patience} iterations" if self.stale >= patience else ""

    def verdict(self):
        """Has it converged? And if not although `tol` was proved, why not."""
        if not self.certificate.relative <= self.tol:
            return False, ""
        if self.thorough and not self.error() <= self.policy.right:
            return False, f", but the next step would move a row by {self.error():.1g} of the largest effect"
        return True, ""


def result_of(watch, ended, g):
    """The Result of the last state, certified."""
    f, name = watch.f, watch.method.name
    if watch.progress:
        print(file=sys.stderr)
    if watch.state is None:
        if ended.interrupted:
            raise KeyboardInterrupt
        raise ValueError(f"solver {name} yielded no state; it must yield one before its first update")
    if ended.interrupted:
        proof, converged, why = watch.certificate or not_certified(watch), False, ended.why
    else:
        proof = watch.certify()
        converged, but = watch.verdict()
        why = ended.why + but
        if np.isinf(proof.bound):
            why = no_minimum(f, watch.g, watch.state.beta, steps=8) or why
    status = sentence(why, ended.interrupted, converged, proof, watch)
    if not converged:
        warnings.warn(f"{name}: {status}", NotConverged, stacklevel=3)
    elif proof.rank < f.dim and not np.any(weights(watch.g, f.dim)[1] > 0):
        warnings.warn(f"{name}: X has rank {proof.rank}, not {f.dim}: the optimum is not unique", RankWarning,
                      stacklevel=3)  # fmt: skip
    beta, objective = np.array(watch.state.beta), float(watch.state.objective)
    objective = np.inf if np.isnan(objective) else objective
    split = (beta[:-1], float(beta[-1])) if f.chunks.intercept else (beta, 0.0)
    return Result(
        *split, objective, status, converged, proof, watch.trace, f.passes, f.rounds,
        len(watch.trace) - 1, time.perf_counter() - watch.began, f.kernels, name, f.family, g, watch.state,
        ended.interrupted, names=f.chunks.names,
    )  # fmt: skip


def complete(state, f, g):
    """The state as it is if it carries all that a stop rule needs; else with objective and residual evaluated."""
    beta = np.asarray(getattr(state, "beta", None), dtype=float)
    if beta.shape != (f.dim,):
        raise ValueError(f"a state must have .beta of shape ({f.dim},); the solver yielded {type(state).__name__} "
                         f"with beta of shape {beta.shape}")  # fmt: skip
    if getattr(state, "objective", None) is not None and getattr(state, "residual", None) is not None:
        return state._replace(beta=frozen(beta)) if hasattr(state, "_replace") else state
    with f.booked_apart():
        loss, grad = f.loss_grad(beta)
    found = {"beta": frozen(beta), "objective": loss + g.value(beta), "residual": f.residual(beta, grad, g)}
    return state._replace(**found) if isinstance(state, State) else State(**found)


class Estimates(NamedTuple):
    """What a state says of its own distance to the optimum; None where it says nothing."""

    decrement: float | None
    move: np.ndarray | None


def estimates(state, method):
    """Asked are a State and the states of our solvers: what another class calls by these names is its own affair."""
    if not isinstance(state, State) and not method.estimates:
        return Estimates(None, None)
    return Estimates(state.decrement, state.move)


def not_certified(watch):
    """The certificate of a run that was interrupted before it could compute one."""
    nothing = (np.nan,) * watch.f.dim
    return Certificate(np.inf, np.inf, np.nan, "interrupted before certifying", False, 0.0, watch.state.objective,
                       watch.f.dim, 0.0, nothing, np.nan)  # fmt: skip


def sentence(why, interrupted, converged, proof, watch):
    """The status: converged or not, after how much, how it ended, what was proved."""
    n = len(watch.trace) - 1
    after = f"after {n} iteration{'s' * (n != 1)}"
    if converged:
        return f"Converged {after}: {proof}."
    head = f"Interrupted {after}" if interrupted else f"Not converged {after}: {why}"
    size = watch.f.survey.scale / watch.f.survey.weight  # of a column's numbers, times slopes at the start
    faint = np.flatnonzero((size > 0) & (size < FAINT))
    cure = f" The squares of column {faint[0]}'s numbers vanish: give it another unit." if faint.size else ""
    return f"{head}; {proof}.{cure}"


def unsuited(method, g):
    """Why the solver cannot minimise f + g, and which can; '' if it can."""
    if method.needs_model and weights(g, 1) is None:
        return "it needs λ₁‖β‖₁ + (λ₂/2)‖β‖², and this is of another form; use fista or consensus_admm"
    if method.needs_gradient and weights(g, 1) is not None and not g.smooth:
        return "|β| has no derivative at 0; use proximal_newton, fista or consensus_admm"
    if method.needs_gradient and not getattr(g, "smooth", False):
        return "it needs a derivative, and this penalty has no smooth = True; use fista or consensus_admm"
    needed = "grad" if method.needs_gradient else "prox"
    return "" if hasattr(g, needed) else f"it needs its {needed}, and this penalty has none"


def resolve(solver, g, options, caller=None):
    """The Method behind `solver`, and the refusal of what it cannot do.

    caller: the function that took the options, whose own parameters may have been meant.
    """
    named_ones = SOLVERS | HISTORICAL
    solve = named_ones[among("solver", solver, named_ones)] if isinstance(solver, str) else solver
    if not callable(solve):
        raise TypeError(f"solver must be a name or a generator function solver(f, g, start), got {solver!r}")
    method = method_of(solve)
    if method.ours and (why := unsuited(method, g)):
        raise ValueError(f"{method.name} cannot minimise {g!r}: {why}")
    parameters = inspect.signature(solve).parameters
    known = [key for key, value in parameters.items() if value.kind is not value.VAR_KEYWORD]
    takes_any = any(value.kind is value.VAR_KEYWORD for value in parameters.values())
    for option in options:
        if option not in known[3:] and not takes_any:
            ours = [name for taker in (run, caller or run) for name in list(inspect.signature(taker).parameters)[:-1]]
            meant = sorted({*known[3:], *ours} - {"f", "g"})
            raise TypeError(f"{method.name} has no option {option!r}; {nearest(option, meant)}")
    return method
