"""Notebook 10: what a gap costs a method, a count of its reads that it does not make itself, and a made-up clock."""

import heapq
import inspect
import warnings
from itertools import islice
from typing import NamedTuple

import dask
import dask.array as da
import numpy as np
import pandas as pd
from dask.callbacks import Callback

from glmlab.rows import kernels
from glmlab.rows.arrivals import Simulated
from glmlab.rows.entrance import as_chunks
from glmlab.rows.objective import Objective
from glmlab.solvers import resolve
from glmlab.solvers.result import NotConverged
from glmlab.solvers.run import run
from glmlab.solvers.start import first_point
from glmlab.words import count_text

from . import races


class Spent(NamedTuple):
    """What a method has spent."""

    passes: float  # inf where it did not arrive
    rounds: float


def walked(solver, f, g, best, *, tol=1e-9, max_iter=15, **options):
    """The Result of a solver that ends as soon as its relative gap is at most `tol`, or after max_iter iterations.

    best: a Result for the same F, whose certificate bounds F* from below. So no iterate needs a proof of its own, and
    what the Result says of passes and rounds is what this gap costs. Each solver starts where it does by default.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConverged)
        return run(solver, f, g, max_iter=max_iter, **options,
                   until=lambda state: races.gaps([state.objective], best)[0] <= tol)  # fmt: skip


def spent(result, best, tol):
    """The Spent of a Result until its relative gap was at most `tol` for the first time."""
    k = races.iterations_to(tol, races.gaps(result.trace.objective, best))
    return Spent(np.inf, np.inf) if np.isinf(k) else Spent(float(result.trace.passes[k]), int(result.trace.rounds[k]))


def table(results, best, tols=(1e-6, 1e-9)):
    """A frame with a row for each of {name: Result}: iterations, last gap, for each gap "rounds, passes" or "no"."""
    return pd.DataFrame({
        name: {"iterations": result.n_iter, "last gap": f"{races.gaps(result.trace.objective, best)[-1]:.0e}"}
        | {f"to {tol:g}": in_words(spent(result, best, tol)) for tol in tols}
        for name, result in results.items()
    }).T  # fmt: skip


def in_words(cost):
    """A Spent as text.

    >>> in_words(Spent(11.0, 2)), in_words(Spent(float("inf"), float("inf")))
    ('2 rounds, 11.0 passes', 'no')
    """
    return "no" if np.isinf(cost.passes) else f"{count_text(cost.rounds, 'round')}, {cost.passes:.1f} passes"


class Count(NamedTuple):
    """What dask saw of a walk, and what the solver booked meanwhile."""

    seen: Spent
    own: Spent  # booked as the solver's
    apart: Spent  # booked apart: the first look at the rows, where the solver does not use it


def counted(result, X, y, rows):
    """Walk to the iterate of a Result again, and count from outside: a Count.

    X (n, p), y (n,): NumPy arrays, which dask cuts into chunks of so many `rows`. A round is a graph that dask is asked
    to compute. A read is a walk of a kernel through the rows of its chunk, inside of a task. The solver knows nothing
    of this count. The rows of a pilot count as read once, when they are drawn. What is computed from them later, in
    this process, reads no chunk.
    """
    graphs, reads, tasks, walk = [], [], [], kernels.blocks

    def watched(chunk, *args):
        if tasks and chunk.X.shape[1]:  # what has no columns is y alone
            reads.append(len(chunk.y))
        return walk(chunk, *args)

    hooks = {"start": lambda graph: graphs.append(1), "pretask": lambda *task: tasks.append(1),
             "posttask": lambda *task: tasks.pop()}  # fmt: skip
    lazy = da.from_array(X, chunks=(rows, X.shape[1])), da.from_array(y, chunks=rows)
    f, method = Objective(result.family, as_chunks(*lazy), "numpy"), resolve(result.solver, result.penalty, {}, [])
    kernels.blocks = watched
    try:
        with dask.config.set(scheduler="sync"), Callback(**hooks):
            start = first_point(None, method.starts_from, f, result.penalty)
            for _ in islice(method.function(f, result.penalty, start), result.n_iter + 1):
                pass
    finally:
        kernels.blocks = walk
    drawn = f.pilot().n if method.starts_from == "pilot" else 0  # it was drawn above, and is kept
    seen = Spent((sum(reads) + drawn) / f.n, len(graphs))
    return Count(seen, Spent(f.passes, f.rounds), Spent(f.extra_passes, f.extra_rounds))


# --- a made-up clock -------------------------------------------------------------------------------------------------

JITTER = 0.2  # of the length of a task, up or down, so that no two chunks go in step for ever


def arrivals(seconds, until, seed=0):
    """(time, k) for each task of chunk k that ends before `until`, by a made-up clock, in the order of their ends.

    Every chunk has a worker of its own, which begins its next task when the last one ends. seconds: (K,) what a task of
    each chunk takes, but for JITTER.
    """
    rng = np.random.default_rng(seed)
    due = [(length * rng.uniform(1 - JITTER, 1 + JITTER), k) for k, length in enumerate(seconds)]
    heapq.heapify(due)
    while due[0][0] < until:
        now, k = heapq.heappop(due)
        yield now, k
        heapq.heappush(due, (now + seconds[k] * rng.uniform(1 - JITTER, 1 + JITTER), k))


def made_up_seconds(*given, **options):
    """The seconds of `made_up`, which takes the same arguments."""
    return made_up(*given, **options)[1]


def made_up(solver, f, g, best, seconds, *, tol, workers=None, max_iter=200, seed=0, **options):
    """A solver's Result from 0, and made-up seconds until its relative gap is at most `tol`; inf if it never is.

    The clock is that of `arrivals`. A solver that takes a `crew` works by that clock. Any other one makes rounds, and a
    round ends with the slowest worker. workers: workers[k] has chunk k; by default each chunk has a worker of its own.
    The tasks are computed here, so no other work on the machine changes the result.
    """
    rng, f = np.random.default_rng(seed), Objective(f.family, f.chunks)  # whose rounds count from 0
    crew = Simulated(lambda k: seconds[k] * rng.uniform(1 - JITTER, 1 + JITTER), workers)
    waits = "crew" not in inspect.signature(resolve(solver, g, {}, []).function).parameters
    options |= {} if waits else {"crew": crew}
    result = walked(solver, f, g, best, tol=tol, max_iter=max_iter, start=np.zeros(f.dim), **options)
    rounds = spent(result, best, tol).rounds
    if np.isinf(rounds) or not waits:
        return result, rounds if np.isinf(rounds) else float(crew.now)
    lengths, owners = np.zeros((rounds, f.n_chunks)), np.arange(f.n_chunks) if workers is None else workers
    for k, worker in enumerate(owners):
        lengths[:, worker] += seconds[k] * rng.uniform(1 - JITTER, 1 + JITTER, rounds)
    return result, float(lengths.max(axis=1).sum())
