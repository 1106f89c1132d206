"""Drive a solver: ask it for states, certify them when that is worth a pass, and stop."""

import contextlib
import itertools
import sys
from collections.abc import Iterator

import numpy as np

from glmlab.maths.existence import no_minimum
from glmlab.maths.penalties import PENALTIES, PENALTY_NEEDS, FreeIntercept, Zero, on_rows
from glmlab.names import named
from glmlab.policy import Stopping
from glmlab.rows.threads import one_blas_thread
from glmlab.solvers import refuse_settings, resolve
from glmlab.solvers.ending import Ending, keep_last, result_of, warn
from glmlab.solvers.log import Log
from glmlab.solvers.start import first_point
from glmlab.solvers.stopping import goal_of, is_met, worth_proving


def run(
    solver, f, g=None, *, start=None, tol=None, until=None, max_iter=None, callback=None, progress=False,
    policy=Stopping(), **options,
):  # fmt: skip
    """Minimise f + g with a solver, and prove how close it got.

    Parameters
    ----------
    solver : str or function
        A name, or any generator function `solver(f, g, start, **options)` that yields states with a `beta` (State says
        what else is read).
    f : Objective
        The sum of the losses over the rows. λ stands in g. `fit` makes both and calls this.
    g : str or object, optional
        The penalty, which never touches the intercept; none by default.
    start : array of shape (f.dim,), Result or str, optional
        Or "pilot", "average" or "one-step" (solvers/start.py); by default the null model, or what suits the solver.
    tol : float, default policy.default_tol
        The certified relative gap at which to stop.
    until : function, optional
        `until(state) -> bool` replaces that rule and those that give up.
    max_iter, callback, progress : as in `fit`
    policy : Stopping
        All further thresholds.
    **options
        Go to the solver.

    Returns
    -------
    Result
        For the last state. It has converged where `tol` was proved and, where X has at most 4 million numbers and tol
        is at most 1e-6, the next step of Newton's method would move no row visibly (solvers/stopping.py).

    Raises
    ------
    TypeError, ValueError
        For an option that the solver does not know, and for a solver that cannot minimise this penalty.

    Warns
    -----
    NotConverged
        Where the Result has not converged, and at Ctrl-C, which returns the Result of the last state.
    RankWarning
        Where the optimum is a set.

    Notes
    -----
    An error in mid-run has the last state with it: `error.result` is a Result from which start= goes on.

    Examples
    --------
    >>> from glmlab import Objective, Ridge, as_chunks, run
    >>> f = Objective("gaussian", as_chunks([[1.0], [2.0]], [2.0, 4.0]))
    >>> result = run("newton", f, Ridge(10.0))
    >>> result.beta.round(6).tolist(), result.converged  # 2·10 / (2·5 + 10)
    ([1.0], True)
    """
    g = named("penalty", Zero() if g is None else g, PENALTIES, PENALTY_NEEDS)
    method = resolve(solver, g, options, callers=[run])
    refuse_settings(tol, max_iter, until, callback)
    tol = policy.default_tol if tol is None else tol
    max_iter = policy.max_iter if max_iter is None else max_iter
    g = on_rows(g, f)
    free = FreeIntercept(g) if f.chunks.intercept else g
    log = Log(f, free, method, goal_of(f.n * f.dim, tol, policy), policy, progress)
    # The p × p algebra gets one BLAS thread, as passes do: then the machine's setting changes no bit. An overflow ends
    # in a status, not in a warning.
    with one_blas_thread, np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        start = first_point(start, method.starts_from, f, free)
        try:
            with contextlib.closing(states_of(method, f, free, start, options, max_iter)) as states:
                ended = follow(states, log, until, callback) or ran_out(log, max_iter)
            if progress:
                print(file=sys.stderr)
            result = result_of(log, ended, g)
        except (Exception, KeyboardInterrupt) as error:
            keep_last(error, log, g)
            raise
    warn(result, log)
    return result


def follow(states, log, until=None, callback=None):
    """Take states until one is good enough. Returns the Ending, None where the solver itself ended."""
    try:
        for state in states:
            seen = log.see(state)
            if until is not None and until(seen.state):
                return Ending("stopped by until")
            if until is None and worth_proving(seen, log.trigger, log.goal, log.policy):
                certificate, error, needed = log.prove()  # where it fails, the next one waits longer
                if is_met(log.goal, certificate.relative, error, needed):
                    return Ending("Converged")
            if callback is not None and callback(seen.state):
                return Ending("stopped by callback")
            if not np.isfinite(seen.state.objective):
                return Ending("the objective is no longer finite")
            if until is None and (why := why_hopeless(seen, log)):
                return Ending(why)
    except KeyboardInterrupt:
        return Ending("Interrupted", interrupted=True)


def why_hopeless(seen, log):
    """Why no further iteration can help, or ''."""
    f, g, policy, proof = log.f, log.g, log.policy, log.proof
    if proof and np.isinf(proof.certificate.bound):  # this state was certified, without success
        residual = seen.state.residual
        if not proof.certificate.rigorous and np.square(residual) <= policy.unprovable * log.goal.tol:
            return f"nothing can be proved, and the scaled residual has fallen to {residual:.1e}"
        if why := no_minimum(f, g, seen.state.beta, iterations=seen.iteration):
            return why
    return f"no progress in the last {policy.patience} iterations" if seen.idle >= policy.patience else ""


def ran_out(log, max_iter):
    """The Ending where no state was good enough."""
    full = len(log.trace) > max_iter
    return Ending(f"stopped at max_iter={max_iter}" if full else "the solver took no further step")


def states_of(method, f, g, start, options, max_iter):
    """At most max_iter + 1 states of a solver. What it holds, such as tasks on a cluster, is let go when this ends."""
    states = method.function(f, g, start, **options)
    if not isinstance(states, Iterator):
        raise TypeError(f"solver {method.name} must be a generator (a function that yields states); it returned "
                        f"{states!r}")  # fmt: skip
    yield from itertools.islice(states, max_iter + 1)
