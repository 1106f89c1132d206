"""Drive a solver: ask for states, certify, stop, and say in a sentence how it ended."""

import functools
import inspect
import itertools
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from glmlab.certificates import Certificate, certificate_at, reference
from glmlab.checks import frozen, function, number, whole
from glmlab.chunks import matrix, one_blas_thread
from glmlab.names import among, named, nearest
from glmlab.objective import MUCH
from glmlab.penalties import PENALTIES, PENALTY_NEEDS, FreeIntercept, Zero, weights
from glmlab.quadratic import Curvature
from glmlab.solvers import HISTORICAL, MODELLED, SMOOTH_ONLY, SOLVERS, start_of
from glmlab.solvers.start import starting_point

MAX_ITER = 10_000
LARGE = 2**22  # numbers in X beyond which a certificate moves the dual point on a share of the rows only:
SHARE = 0.2  # at most; the bound is then about 1 ÷ their share times the gap, and costs as small a part of a pass
LEAST, ROWS = 0.01, 15  # at least such a share, and so many rows for each coefficient,
TIGHT = 0.11  # and so many that the bound is within ten times the gap, unless X is huge and a look at it may be a read
AMPLE = 2.0  # times the share that would do if the state's own estimate of its gap were exact
ROUGH = 1e-6  # the default `tol`: whoever asks for less gets less; else, where rows are few, runs go on to a scaled
FLAT, NEAR = 5e-7, 1e-8  # residual and a relative gap so small that nobody will ask for less,
LONGER, READ = 16, 2**29  # times as many iterations (3 at a steady rate, but the last may be slower), or while they
# read no more numbers of X than that (a quarter of a second); beyond,
STEEP = 9e-7  # no scaled residual above this is called converged there (it is rounded: the true one is below 1e-6)
CHEAP = 2**24  # numbers of X that are soon read once more, to lower such a slope
VISIBLE, DUST = 1e-9, 1e-12  # of |x|·|d|: what moves a row, and what rounding may leave in x·d where nothing moves
ROUNDING = 1e-15  # of F: a promise that drowns in it
FAINT = np.sqrt(np.finfo(float).tiny)  # 1.5e-154: the squares of smaller numbers lose digits, and soon are 0
PATIENCE = 100  # iterations without any progress before we stop asking for more


class NotConverged(UserWarning):
    """The coefficients were not proved to be as close to optimal as `tol` asks."""


class RankWarning(UserWarning):
    """Some columns are combinations of others: the optimum is a set, and one of its points is returned."""


class Row(NamedTuple):
    """One line of a trace."""

    iteration: int
    passes: float  # made by the solver so far
    rounds: int
    seconds: float  # since the start, certifying included
    objective: float  # F(β)
    residual: float  # scaled KKT residual
    relative: float  # certified relative gap, nan where none was computed


class Trace(list):
    """The rows of a run, in order; `trace.objective` and the like are arrays, one number an iteration."""

    def __getattr__(self, name):
        if name not in Row._fields:
            raise AttributeError(f"a trace has no {name!r}; {nearest(name, Row._fields)}")
        return np.array([getattr(row, name) for row in self])

    def to_frame(self):
        """A pandas DataFrame, one row an iteration."""
        import pandas as pd

        return pd.DataFrame(list(self), columns=Row._fields)


@dataclass(frozen=True, eq=False)  # arrays have no one truth: a Result equals itself only
class Result:
    """What a run returns: coefficients, how it ended, and the proof."""

    beta: np.ndarray  # (p,)
    intercept: float  # 0.0 where the model has none
    objective: float  # F(β)
    status: str  # how it ended, a sentence
    converged: bool  # certificate.relative ≤ tol was proved, and no slope left (see `run`)
    certificate: Certificate
    trace: Trace = field(repr=False)
    passes: float  # over the rows, made by the solver
    rounds: int
    n_iter: int
    seconds: float
    kernels: str
    solver: str
    family: object
    penalty: object
    state: object = field(repr=False)  # the last state that the solver yielded
    advice: str = ""  # a sentence on what makes passes slow here, if anything: it may differ from machine to machine

    def predict(self, X, offset=None):
        """The mean of y at each row of X (n, p), plus an optional offset on the scale of η."""
        from glmlab.dispatch import dot

        X = matrix(X)
        if X.shape[1] != len(self.beta):
            raise ValueError(f"X has {X.shape[1]} columns, but the model has {len(self.beta)} coefficients")
        eta = dot(X, self.beta) + self.intercept
        return self.family.mean(eta if offset is None else eta + offset)

    def to_frame(self):
        """The trace as a pandas DataFrame."""
        return self.trace.to_frame()

    def plot(self, **options):
        """Convergence against passes (viz.convergence takes the same options)."""
        from glmlab.viz import convergence

        return convergence({self.solver: self}, **options)

    def summary(self):
        """Name and value of everything worth printing."""
        zeros, iterations = int(np.sum(self.beta == 0)), f"{self.n_iter} iteration{'s' * (self.n_iter != 1)}"
        return {
            "status": self.status,
            "certificate": str(self.certificate),
            "objective": f"{self.objective:.10g}",
            "solver": f"{self.solver}, {self.family!r}, {self.penalty!r}, {self.kernels} kernels",
            "work": f"{iterations}, {self.passes:g} passes in {self.rounds} rounds, {self.seconds:.3g} s",
            "coefficients": f"{len(self.beta)} ({zeros} zero), intercept {self.intercept:.6g}",
        } | ({"advice": self.advice} if self.advice else {})

    def __repr__(self):
        return plain_card("Result", self.summary())

    def _repr_html_(self):
        return html_card("glmlab-result", self.summary())


def plain_card(title, summary):
    """A summary, name by name, as text."""
    return f"{title}\n" + "\n".join(f"  {name:<13} {value}" for name, value in summary.items())


def html_card(kind, summary):
    """The same as a table of CSS class `kind`."""
    from html import escape

    left = "style='text-align:left'"
    cells = (
        f"<tr><th scope='row' {left}>{escape(name)}</th><td {left}>{escape(value)}</td></tr>"
        for name, value in summary.items()
    )
    return f"<table class='{kind}'>{''.join(cells)}</table>"


def run(
    solver, f, g=None, *, start=None, tol=1e-6, until=None, max_iter=None, callback=None, progress=False, **options
):
    """Minimise f + g with a solver and prove how close it got.

    solver: a name, or any generator function `solver(f, g, start, **options)` that yields states with a `beta`.
    f: an Objective. g: a penalty, which never touches the intercept. start: (f.dim,), a Result, "pilot", "average" or
    "one-step" (solvers/start.py); by default zeros, or what suits the solver.
    tol: the certified relative gap at which to stop; `until(state) -> bool` replaces that rule.
    callback(state) returning True stops. progress=True prints one line that updates. options go to the solver.
    Returns a Result. It has converged where `tol` was proved; only, if one of our solvers ends by itself over few rows
    (4 million numbers) at a tol of 1e-6 or less, its scaled residual must be below 1e-6, too. Else it warns
    NotConverged. Raises TypeError for an option that the solver does not know and ValueError for a solver that cannot
    minimise this penalty.
    """
    g = named("penalty", Zero() if g is None else g, PENALTIES, PENALTY_NEEDS)
    solve, name = resolve(solver, g, options)
    max_iter = refuse_settings(tol, max_iter, until, callback)
    free = FreeIntercept(g) if f.chunks.intercept else g
    drive = Drive(f, free, tol, until, callback, progress)
    # The p × p algebra here gets one BLAS thread, as passes do: the same bits whatever the machine's setting. An
    # overflow ends in a status, not in a warning.
    with one_blas_thread, np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        start = first_look(start_of(name, f, free) if start is None else start, f, free)
        ended = drive.follow(states_of(solve(f, free, start, **options), name, max_iter), max_iter)
        return drive.result(ended, name, g)


def first_look(start, f, g):
    """Where to start, once the first pass there has refused what cannot be fitted; zeros if that is lower."""
    beta = frozen(starting_point(start, f, g))
    found = f.look(beta)
    if isinstance(start, str) and not found.loss + g.value(beta) <= found.loss_at_zero:
        return np.zeros(f.dim)
    return beta


def refuse_settings(tol, max_iter, until=None, callback=None):
    """The error for a parameter of `run` that makes no sense; returns max_iter."""
    number("tol", tol)
    function("until", until)
    function("callback", callback)
    return MAX_ITER if max_iter is None else whole("max_iter", max_iter)


def states_of(states, name, max_iter):
    """At most max_iter + 1 states of what a solver returned."""
    if not isinstance(states, Iterator):
        raise TypeError(f"solver {name} must be a generator (a function that yields states); it returned {states!r}")
    return itertools.islice(states, max_iter + 1)


class Drive:
    """One run: what was seen so far, when to certify next, and how it ended."""

    def __init__(self, f, g, tol, until, callback, progress):
        self.f, self.g, self.tol, self.until, self.callback, self.progress = f, g, tol, until, callback, progress
        self.began, self.trace, self.state, self.certificate = time.perf_counter(), Trace(), None, None
        self.many = f.n * f.dim > LARGE
        self.trigger, self.next_look, self.last_look = SHARE * tol if self.many else tol, 16, None
        self.best, self.least, self.stale = np.inf, np.inf, 0

    def follow(self, states, max_iter):
        """Take states until one is good enough; returns how it ended, as the status will say."""
        try:
            return self.take(states, max_iter)
        except KeyboardInterrupt:
            return "Interrupted"

    def take(self, states, max_iter):
        iteration = 0
        for iteration, state in enumerate(states):
            self.state = state = complete(state, self.f, self.g)
            self.certificate = None
            self.note(iteration)
            if self.until is not None and self.until(state):
                return "stopped by until"
            if self.until is None and self.due(iteration) and self.good(iteration):
                return "Converged"
            if self.callback is not None and self.callback(state):
                return "stopped by callback"
            if not np.isfinite(state.objective):
                return "the objective is no longer finite"
            if self.until is None and (why := self.hopeless()):
                return why
        if iteration >= max_iter:
            return f"stopped at max_iter={max_iter}"
        return "the solver took no further step"

    def note(self, iteration):
        row = Row(
            iteration, self.f.passes, self.f.rounds, time.perf_counter() - self.began,
            float(self.state.objective), float(self.state.residual), np.nan,
        )  # fmt: skip
        self.trace.append(row)
        if self.progress:
            print(f"\riteration {iteration:5d}  F = {row.objective:.10g}  residual {row.residual:.1e}", end="",
                  file=sys.stderr)  # fmt: skip

    def due(self, iteration):
        """Certify when the state seems near enough, and at iterations 16, 32, 64 … lest it never does."""
        if iteration == self.next_look:
            self.next_look *= 2
            return True
        near, first_order = self.nearness(), not hasattr(self.state, "decrement")
        return near <= self.trigger and (first_order or near <= ROUNDING or self.worth(near))

    def worth(self, near):
        """Would a proof now take no more rows than it has anyway? For states that know their gap.

        A slope is worth another pass first, where that takes hundredths of a second.
        """
        if not self.many:
            return self.settled(near)
        flat = self.state.residual <= STEEP or self.tol > ROUGH or self.f.n * self.f.dim > CHEAP
        return AMPLE * near <= TIGHT * self.tol and flat

    def good(self, iteration):
        """Is `tol` proved? Where rows are few we go on until the answer is settled, but not for ever."""
        if not self.certify().relative <= self.tol:
            return False
        if self.last_look is None:
            self.last_look = self.next_look = max(LONGER * iteration, READ // (self.f.n * self.f.dim))
        return self.settled(self.certificate.relative) or iteration >= self.last_look and not self.steep()

    def settled(self, gap):
        """Are the relative gap and the slope so small that nobody will ask for less, or is it not worth its passes?"""
        return not self.thorough() or self.state.residual <= FLAT and gap <= NEAR

    def thorough(self):
        """Is more asked for than `tol`? Where a proof costs little, and nobody has asked for less."""
        return not self.many and self.tol <= ROUGH and self.until is None

    def steep(self):
        """Is the slope that is left so large that β may be far from right, however small the gap that was proved?"""
        return self.thorough() and not self.state.residual <= STEEP

    def cut_short(self, ended, name):
        """Did the caller end it, by an option or in a solver of their own? Then what was proved is all that counts."""
        theirs = ended.startswith("stopped") or name not in SOLVERS
        return theirs and len(self.trace) <= MAX_ITER

    def nearness(self):
        """A number that falls like the relative gap: the state's own estimate of it, or the residual squared."""
        decrement = getattr(self.state, "decrement", None)
        if decrement is None:
            return np.square(self.state.residual)
        return decrement / reference(self.f, self.state.objective)

    def certify(self):
        """The certificate of the current state; sets the nearness at which the next one is worth while."""
        if self.certificate is None:
            self.certificate = self.proof()
            relative = self.certificate.relative
            self.trace[-1] = self.trace[-1]._replace(relative=relative)
            self.trigger = self.nearness() * min(max(self.wanted(relative), 1e-6), 0.25)
        return self.certificate

    def wanted(self, relative):
        """By what factor the relative gap should fall before it is proved anew."""
        if not np.isfinite(relative):
            return 0.01
        goal = self.tol if relative > self.tol else NEAR
        return goal / relative if relative > goal else np.square(FLAT / max(self.state.residual, FLAT))

    def proof(self):
        """The dual point moves on all rows, or where those are many on a share of them, if that can prove anything."""
        part = self.f.few(self.share()) if self.many else None
        first = certificate_at(self.f, self.g, self.state.beta, sample=part)
        if part is None or np.isfinite(first.bound):
            return first
        second = certificate_at(self.f, self.g, self.state.beta)
        return second._replace(passes=first.passes + second.passes)

    def share(self):
        """The least share of the rows that can be expected to prove tol, if the state says how large its gap is."""
        tight = TIGHT if self.f.n * self.f.dim < MUCH else 0.0
        least, near = max(LEAST, ROWS * self.f.dim / self.f.n, tight), self.nearness()
        if not hasattr(self.state, "decrement") or not AMPLE * near < SHARE * self.tol:
            return SHARE
        return min(max(least, AMPLE * near / self.tol), SHARE)

    def hopeless(self):
        """Why no further iteration can help, or ''."""
        objective, residual = self.state.objective, self.state.residual
        moved = objective < self.best - 1e-14 * abs(self.best) or residual < 0.999 * self.least
        self.best, self.least = min(objective, self.best), min(residual, self.least)
        self.stale = 0 if moved else self.stale + 1
        if self.certificate is not None and np.isinf(self.certificate.bound):
            if not self.certificate.rigorous and residual <= self.tol:
                return f"nothing can be proved, and the scaled residual has fallen to {residual:.1e}"
            # A search for the proof that nothing can be proved, never dearer than a share of what was spent so far.
            steps = min(max(len(self.trace) // 16, 1), 8)
            if why := no_minimum(self.f, self.g, self.state.beta, steps):
                return why
        return f"no progress in the last {PATIENCE} iterations" if self.stale >= PATIENCE else ""

    def result(self, ended, name, g):
        """The Result of the last state, certified."""
        if self.progress:
            print(file=sys.stderr)
        if self.state is None:
            if ended == "Interrupted":
                raise KeyboardInterrupt
            raise ValueError(f"solver {name} yielded no state; it must yield one before its first update")
        interrupted = ended == "Interrupted"
        proof = (self.certificate or not_certified(self)) if interrupted else self.certify()
        converged = not interrupted and bool(proof.relative <= self.tol)
        if converged and self.steep() and not self.cut_short(ended, name):
            converged, ended = False, f"{ended} with a slope of {self.state.residual:.2g} of its scale left"
        if np.isinf(proof.bound) and not interrupted:
            ended = no_minimum(self.f, self.g, self.state.beta, steps=8) or ended
        status = sentence(ended, converged, proof, self)
        if not converged:
            warnings.warn(f"{name}: {status}", NotConverged, stacklevel=4)
        elif proof.rank < self.f.dim and not (np.any(weights(self.g, self.f.dim)[1] > 0)):
            warnings.warn(f"{name}: X has rank {proof.rank}, not {self.f.dim}: the optimum is not unique", RankWarning,
                          stacklevel=4)  # fmt: skip
        beta, objective = np.array(self.state.beta), float(self.state.objective)
        objective = np.inf if np.isnan(objective) else objective
        split = (beta[:-1], float(beta[-1])) if self.f.chunks.intercept else (beta, 0.0)
        return Result(
            *split, objective, status, converged, proof, self.trace, self.f.passes, self.f.rounds,
            len(self.trace) - 1, time.perf_counter() - self.began, self.f.kernels, name, self.f.family, g, self.state,
        )  # fmt: skip


class State(NamedTuple):
    """The least that a solver may yield: β. What is left out is evaluated, and booked as certifying.

    Where the solver then asks for the gradient at that same β, it gets this one, booked as its own.
    """

    beta: np.ndarray  # (dim,)
    objective: float | None = None  # F(β)
    residual: float | None = None  # as Objective.residual measures it


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
    return State(frozen(beta), loss + g.value(beta), f.residual(beta, grad, g))


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


def not_certified(drive):
    """The certificate of a run that was interrupted before it could compute one."""
    return Certificate(np.inf, np.inf, np.nan, "interrupted before certifying", False, 0.0, drive.state.objective,
                       drive.f.dim)  # fmt: skip


def sentence(ended, converged, proof, drive):
    """The status: converged or not, after how much, how it ended, what was proved."""
    n = len(drive.trace) - 1
    after = f"after {n} iteration{'s' * (n != 1)}"
    if converged:
        return f"Converged {after}: {proof}."
    head = f"Interrupted {after}" if ended == "Interrupted" else f"Not converged {after}: {ended}"
    size = drive.f.survey.scale / drive.f.survey.weight  # of a column's numbers, times slopes at 0
    faint = np.flatnonzero((size > 0) & (size < FAINT))
    cure = f" The squares of column {faint[0]}'s numbers vanish: give it another unit." if faint.size else ""
    return f"{head}; {proof}.{cure}"


def unsuited(name, g):
    """Why the solver of that name cannot minimise f + g, and which can; '' if it can."""
    if name in MODELLED and weights(g, 1) is None:
        return "it needs λ₁‖β‖₁ + (λ₂/2)‖β‖², and this is of another form; use fista or consensus_admm"
    if name in SMOOTH_ONLY and weights(g, 1) is not None and not g.smooth:
        return "|β| has no derivative at 0; use proximal_newton, fista or consensus_admm"
    if name in SMOOTH_ONLY and not getattr(g, "smooth", False):
        return "it needs a derivative, and this penalty has no smooth = True; use fista or consensus_admm"
    needed = "grad" if name in SMOOTH_ONLY else "prox"
    return "" if hasattr(g, needed) else f"it needs its {needed}, and this penalty has none"


def resolve(solver, g, options, caller=None):
    """The generator function behind `solver`, its name, and the refusal of what it cannot do.

    caller: the function that took the options, whose own parameters may have been meant.
    """
    named_ones = SOLVERS | HISTORICAL
    solve = named_ones[among("solver", solver, named_ones)] if isinstance(solver, str) else solver
    if not callable(solve):
        raise TypeError(f"solver must be a name or a generator function solver(f, g, start), got {solver!r}")
    name = getattr(solve, "__name__", type(solve).__name__)
    if solve in named_ones.values() and (why := unsuited(name, g)):
        raise ValueError(f"{name} cannot minimise {g!r}: {why}")
    parameters = inspect.signature(solve).parameters
    known = [key for key, value in parameters.items() if value.kind is not value.VAR_KEYWORD]
    takes_any = any(value.kind is value.VAR_KEYWORD for value in parameters.values())
    for option in options:
        if option not in known[3:] and not takes_any:
            ours = [name for taker in (run, caller or run) for name in list(inspect.signature(taker).parameters)[:-1]]
            meant = sorted({*known[3:], *ours} - {"f", "g"})
            raise TypeError(f"{name} has no option {option!r}; {nearest(option, meant)}")
    return solve, name
