"""How a run ended: its Result, the sentence that says so, and the warnings."""

import time
import warnings
from typing import NamedTuple

import numpy as np

from glmlab.maths.certificates import not_certified
from glmlab.maths.existence import no_minimum
from glmlab.maths.penalties import lambdas
from glmlab.solvers.result import ONE_HOT, NotConverged, RankWarning, Result
from glmlab.solvers.stopping import is_met

FAINT = np.sqrt(np.finfo(float).tiny)  # 1.5e-154: squares of smaller numbers lose digits, and soon are 0
HUGE = np.sqrt(np.finfo(float).max)  # 1.3e154: squares of larger numbers are infinite


class Ending(NamedTuple):
    """Why a run ended."""

    why: str  # for the status
    interrupted: bool = False  # by Ctrl-C
    failed: bool = False  # by an error


def result_of(log, ended, g):
    """The Result for the last state, certified unless the run was interrupted or failed."""
    f = log.f
    if log.seen is None:
        if ended.interrupted:
            raise KeyboardInterrupt
        raise ValueError(f"solver {log.method.name} yielded no state; it must yield one before its first update")
    state, certificate, converged, why = verdict(log, ended)
    status = sentence(log, ended.interrupted, certificate, converged, why)
    beta, objective = np.array(state.beta), float(state.objective)
    objective = np.inf if np.isnan(objective) else objective
    split = (beta[:-1], float(beta[-1])) if f.chunks.intercept else (beta, 0.0)
    return Result(
        *split, objective, status, converged, certificate, log.trace, f.passes, f.rounds, log.seen.iteration,
        time.perf_counter() - log.began, f.kernels, log.method.name, f.family, g, state,
        ended.interrupted, names=f.chunks.names, shifted=f.chunks.shifted,
    )  # fmt: skip


def keep_last(error, log, g):
    """Give an error that ends a run the last state, if there was one: `error.result`, a Result that `start` takes."""
    if log.seen is not None:
        error.result = result_of(log, Ending(f"stopped by {type(error).__name__}", failed=True), g)
        error.add_note(f"The state of iteration {log.seen.iteration} is kept. Where this error is caught as `error`, "
                       "start=error.result goes on from there.")  # fmt: skip


def verdict(log, ended):
    """The last state, its certificate, whether it has converged, and if not, why."""
    state = log.seen.state
    if ended.interrupted or ended.failed:
        how = f"{'failed' if ended.failed else 'interrupted'} before certifying"
        found = log.proof.certificate if log.proof else not_certified(state.objective, log.f.dim, how)
        return state, found, False, ended.why
    certificate, error, _ = log.prove()
    # A run may end otherwise than by its own rule. Then the answer need not be better than any method can make it.
    if is_met(log.goal, certificate.relative, error, log.policy.proved_step):
        return state, certificate, True, ""
    if certificate.relative <= log.goal.tol:
        but = f", but the next step would move a row by {error:.1g} of the largest effect"
        return state, certificate, False, ended.why + but
    found = no_minimum(log.f, log.g, state.beta) if np.isinf(certificate.bound) else ""
    return state, certificate, False, found or ended.why


def sentence(log, interrupted, certificate, converged, why):
    """The status: converged or not, after how much, why it ended, what was proved, and what would help."""
    n = log.seen.iteration
    after = f"after {n} iteration{'s' * (n != 1)}"
    if converged:
        return f"Converged {after}: {certificate}."
    head = f"Interrupted {after}" if interrupted else f"Not converged {after}: {why}"
    return f"{head}; {certificate}.{another_unit(log.f.survey)}"


def another_unit(survey):
    """A sentence that asks for another unit of a column whose squares leave the range of floats; '' where none does."""
    size = survey.scale / survey.weight  # of a column's numbers, times slopes at the start
    faint, huge = (size > 0) & (size < FAINT), (size > HUGE) & np.isfinite(survey.loss)  # or y is huge
    for which, what in ((faint, "vanish"), (huge, "overflow")):
        if which.any():
            return f" The squares of column {which.argmax()}'s numbers {what}: give it another unit."
    return ""


def warn(result, log):
    """Warn of an answer that is not proved, or that is one of many. The warning points at the caller of `run`."""
    name, rank, dim = result.solver, result.certificate.rank, log.f.dim
    if not result.converged:
        warnings.warn(f"{name}: {result.status}", NotConverged, stacklevel=3)
    elif rank < dim and not np.any(lambdas(log.g, dim)[1] > 0):
        said = f"X has rank {rank}, not {dim}: the optimum is not unique{f'. {ONE_HOT}' * log.f.chunks.intercept}"
        warnings.warn(f"{name}: {said}", RankWarning, stacklevel=3)
