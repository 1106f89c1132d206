"""A reader's own solver in a table beside the built-in ones: seconds and passes to equal certified gaps."""

import math
import statistics
import time
import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd

from glmlab import datasets
from glmlab.checks import number, whole
from glmlab.fitting import over_rows
from glmlab.maths.penalties import L1, PENALTIES, PENALTY_NEEDS, FreeIntercept, on_rows
from glmlab.names import among, named
from glmlab.policy import Racing
from glmlab.solvers import HISTORICAL, SOLVERS, resolve
from glmlab.solvers.result import NotConverged, RankWarning
from glmlab.solvers.run import run

BESIDE = ("proximal_gradient", "fista", "consensus_admm", "proximal_newton", "pilot_newton")


def row(
    solver, X=None, y=None, *, family="logistic", penalty=None, gaps=(1e-3, 1e-6), beside=BESIDE, repetitions=5,
    fit_intercept=False, kernels=None, policy=Racing(), **options,
):  # fmt: skip
    """Your solver beside the built-in ones: the seconds and passes that each takes to the same certified gaps.

    solver: a generator function `solver(f, g, start, **options)`, or a name; options go to it. X, y: rows as `fit`
    takes them, arrays here or on a cluster; by default 20,000 of the post's logistic rows. penalty: by default the
    post's L1(1.0). beside: names or functions;
    those that cannot minimise the penalty are left out. gaps: relative gaps, the smallest is where a run ends.
    Everybody runs once in this process, then everybody again, `repetitions` times after a first run that is not timed:
    a slow minute is slow for all. No word of a solver counts: F is recounted at every β that it yielded, and F* is
    known from a certificate to a hundredth of the smallest gap.
    Prints the table and returns it, a pandas DataFrame with a row for each solver: seconds (the median) to each gap,
    the fastest and the slowest to the smallest, passes and rounds until there, iterations, and the certified gap where
    it ended. inf stands for a gap that was not reached.
    Raises what `run` raises, and RuntimeError where F* cannot be known so well.
    """
    gaps = sorted((number("gaps", gap, 0.0, strict=True) for gap in gaps), reverse=True)
    g = named("penalty", L1(1.0) if penalty is None else penalty, PENALTIES, PENALTY_NEEDS)
    racers = entered(solver, g, beside, options)
    if X is None:
        X, y, _ = datasets.make_logistic(policy.rows, policy.columns, seed=policy.seed)

    def objective():  # for every run its own: no run finds what another has summed
        return over_rows(X, y, family=family, kernels=kernels, intercept=fit_intercept)

    goal = optimum(objective(), g, gaps[-1], policy)
    runs = {name: [] for name in racers}
    for k in range(1 + whole("repetitions", repetitions, 1)):
        for name, (function, own) in racers.items():
            lap = raced(function, objective(), g, own, goal, gaps, policy)
            if k:  # the first run compiles kernels and starts threads
                runs[name].append(lap)
    table = pd.DataFrame([standing(laps, gaps) for laps in runs.values()], index=pd.Index(runs, name="solver"))
    print(table.to_string(float_format="{:.3g}".format))
    return table


def entered(solver, g, beside, options):
    """{name: (function, options)}: the reader's solver first, then those that can minimise this penalty."""
    mine = resolve(solver, g, options, callers=[row, run])
    found = {mine.name: (mine.function, options)}
    for other in beside:
        if isinstance(other, str):
            among("beside", other, SOLVERS | HISTORICAL)
        try:
            method = resolve(other, g, {}, callers=[row])
        except ValueError:  # it cannot minimise this penalty
            continue
        found.setdefault(method.name, (method.function, {}))
    return found


class Goal(NamedTuple):
    """What is known of F*."""

    lowest: float  # a proved lower bound on F*
    unit: float  # S, to which relative gaps are relative

    def gap(self, objective):
        """Proved relative gaps of answers with these F, at least the digits of F."""
        return (np.asarray(objective) - self.lowest) / self.unit


def optimum(f, g, gap, policy):
    """The Goal for f + g, from a certificate that is a hundred times as sharp as the smallest gap."""
    tol = policy.sharper * gap
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RankWarning)
        warnings.simplefilter("ignore", NotConverged)  # the certificate below says what was proved
        best = run("proximal_newton" if hasattr(g, "l1") else "fista", f, g, tol=tol, progress=False)
    goal = Goal(best.objective - best.certificate.bound, float(f.scale.unit(best.objective)))
    if not goal.gap(best.objective) <= gap / 2:
        raise RuntimeError(f"F* is not known well enough for a gap of {gap:g}: {best.status}")
    return goal


class Lap(NamedTuple):
    """One timed run."""

    seconds: list  # to each gap, inf where it was not reached
    passes: float  # until the smallest
    rounds: float
    iterations: int
    gap: float  # where it ended, proved


def raced(function, f, g, options, goal, gaps, policy):
    """The Lap of one run. What is recounted is recounted after the clock has stopped."""
    betas, began, least = [], time.perf_counter(), goal.lowest + gaps[-1] * goal.unit

    def seen(state):
        betas.append(np.array(state.beta))
        return state.objective <= least or time.perf_counter() - began > policy.patience

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the table says who did not get there
        result = run(function, f, g, until=seen, max_iter=policy.iterations, **options)
    g = on_rows(g, f)
    free = FreeIntercept(g) if f.chunks.intercept else g
    with f.booked_apart():
        batches = np.array_split(np.array(betas), max(1, len(betas) // policy.batch))
        losses = np.concatenate([f.losses(batch) for batch in batches])
    proved = goal.gap(losses + np.array([free.value(beta) for beta in betas]))
    first = [next(iter(np.flatnonzero(proved <= gap)), None) for gap in gaps]
    at = [math.inf if k is None else result.trace[k].seconds for k in first]
    last = first[-1]
    passes, rounds = (math.inf, math.inf) if last is None else (result.trace[last].passes, result.trace[last].rounds)
    return Lap(at, passes, rounds, len(betas) - 1 if last is None else int(last), float(proved[-1]))


def standing(laps, gaps):
    """The row of the table for a solver."""
    ends = [lap.seconds[-1] for lap in laps]
    found = {f"s to {gap:g}": statistics.median(lap.seconds[k] for lap in laps) for k, gap in enumerate(gaps)}
    middle = laps[len(laps) // 2]
    return found | {"fastest": min(ends), "slowest": max(ends), "passes": middle.passes, "rounds": middle.rounds,
                    "iterations": middle.iterations, "certified": middle.gap}  # fmt: skip
