"""Cross-validation of a path: all folds are fitted in the same passes over the rows."""

import sys
import threading
from dataclasses import dataclass, field

import numpy as np

from glmlab.checks import flag
from glmlab.fitting import choose, over_rows, refuse_early
from glmlab.paths import Path, planned, silent, walk, warn_of
from glmlab.rows.chunks import InMemory
from glmlab.rows.folds import folds_of, numbers_of
from glmlab.rows.kernels import as_floats
from glmlab.rows.objective import Objective
from glmlab.rows.sampling import picked
from glmlab.rows.together import Together
from glmlab.solvers.result import html_card, plain_card
from glmlab.solvers.run import run
from glmlab.solvers.start import null_start


def cross_validate_path(
    X, y, *, family, cv=5, seed=0, lams=None, n_lams=30, ratio=1e-3, penalty="l1", solver="auto", fit_intercept=False,
    sample_weight=None, offset=None, start=None, tol=None, max_iter=None, kernels=None, threads=None,
    callback=None, progress=False, **options,
):  # fmt: skip
    """The path of all rows, and at each λ the loss on rows that the fit has not seen.

    cv: how many folds (`seed` says which rows they have), fold numbers (n,), or [(train, test), …] as scikit-learn's
    splitters give them, where each row is held out once. Whole numbers deal rows by their place alone, so that folds
    are the same in memory and on dask. Everything else as in `path`, whose Path of all rows is a part of the answer.

    Fold k is fitted to the rows outside of it, at λ times their share of the weight: so the penalty of each row is that
    of the whole. It starts at each λ where `first_guess` says. A pass reads each chunk once for all folds; what they
    find has the bits of separate fits with these weights and starts. `callback` sees the states of all fits, one at a
    time.
    Returns a CrossValidation. Warns once, with NotConverged, of fits that were not proved. Raises what `path` raises,
    and ValueError for a fold without rows that count or one that leaves no finite intercept. An error in one fold ends
    the others; so does Ctrl-C, which raises KeyboardInterrupt.
    Reference: Hastie, Tibshirani & Friedman (2009), §7.10.
    """
    plan = planned(penalty, lams, n_lams, ratio)
    settings = {"tol": tol, "max_iter": max_iter, "callback": one_at_a_time(callback), **options}
    refuse_early(solver, plan.at(1.0), settings, caller=cross_validate_path)
    f = over_rows(
        X, y, family=family, kernels=kernels, sample_weight=sample_weight, offset=offset,
        intercept=flag("fit_intercept", fit_intercept), threads=threads,
    )  # fmt: skip
    count, numbers = folds_of(cv, f.chunks.lengths, seed)
    if isinstance(f.chunks, InMemory):
        numbers = [numbers_of(fold) for fold in numbers]  # once for all passes
    solver, _ = choose(solver, f, plan.at(1.0))
    f.look(null_start(f))  # refuses what cannot be fitted
    refuse_empty(f, numbers, count)
    together = Together(f.chunks, numbers, count)
    folds = [Objective(f.family, together.without(k), f.kernels) for k in range(count)]
    together.run([null_of(fold, k) for k, fold in enumerate(folds)])
    full = walk(f, plan, solver, start, progress=progress, **settings)
    if full[-1].interrupted:
        raise KeyboardInterrupt
    tell = Telling(count * len(full), progress)
    with silent():
        paths = together.run([follower(fold, f, plan.at, full, solver, tell, settings) for fold in folds])
    found = CrossValidation(full, tuple(paths), *held_out(f, numbers, paths), together.reads)
    warn_of([result for one in (full, *paths) for result in one], "cross_validate_path")
    return found


# --- the folds ------------------------------------------------------------------------------------------------------


def follower(f, whole, at, full, solver, tell, settings):
    """A function that fits f, the rows without a fold, at all λ of the Path of all rows, and returns its Path."""

    def follow():
        points = [vector_of(result, f) for result in full]
        f.look(points[0])
        lams, results = full.lams * (f.survey.weight / whole.survey.weight), []
        for k, lam in enumerate(lams):
            f.passes, f.rounds = 0.0, 0  # each Result counts its own
            guess = first_guess(points, k, vector_of(results[-1], f) if results else None)
            try:
                results.append(run(solver, f, at(lam), start=guess, **settings))
            except Exception as error:
                error.results = tuple(results)
                raise
            if results[-1].interrupted:
                raise KeyboardInterrupt
            tell()
        return Path(results, lams)

    return follow


def first_guess(points, k, before=None):
    """Where a fold starts at the k-th λ (dim,), from `points`, the answers for all rows, and its own at the λ before.

    By what a fold differs from all rows changes little from λ to λ. So it starts there with the difference that it had,
    where the answer for all rows is not 0.
    """
    guess = points[k]
    return guess if before is None else guess + np.where(guess != 0, before - points[k - 1], 0.0)


def vector_of(result, f):
    """The coefficients of a Result (dim,), the intercept last."""
    return np.append(result.beta, result.intercept) if f.chunks.intercept else result.beta


def null_of(f, k):
    """A function that refuses a fold k without which y has no null model."""

    def refuse():
        if f.chunks.intercept and np.isinf(f.null.level):
            raise ValueError(
                f"fold {k} must not be left out: on all other rows y is as extreme as {f.family!r} allows (it may be one "
                "class), and no finite intercept fits that; use fewer folds, or fold numbers that mix the rows"
            )

    return refuse


def refuse_empty(f, numbers, count):
    """The error for a fold without any row of positive weight. A pass over y and the weights."""
    counted = sum(f.chunks.bare().map(counts, count, per_chunk=[numbers]))
    if not counted.all():
        k = np.flatnonzero(counted == 0)[0]
        raise ValueError(f"fold {k} has no row of positive weight, so that nothing can be held out; use fewer folds")


def counts(rows, count, numbers):
    """How many rows of positive weight each fold has in a chunk (count,)."""
    numbers = numbers_of(numbers)
    return np.bincount(numbers if rows.w is None else numbers[as_floats(rows.w) > 0], minlength=count)


def held_out(f, numbers, paths):
    """The mean loss of each fold's rows at each of its λ (folds, m), and the weights of the folds: one pass."""
    B = np.array([[vector_of(result, f) for result in path] for path in paths])
    parts = f.chunks.map(losses_of_folds, f.kernel("losses"), f.family, B, per_chunk=[numbers])
    losses, weights = (np.sum(found, axis=0) for found in zip(*parts, strict=True))
    return losses / weights[:, None], weights


def losses_of_folds(rows, kernel, family, B, numbers):
    """The losses of each fold's rows in a chunk at its m coefficients B[k] (m, dim), and their weights."""
    numbers, losses, weights = numbers_of(numbers), np.zeros(B.shape[:2]), np.zeros(len(B))
    for k, own in enumerate(B):
        some = picked(rows, np.flatnonzero(numbers == k))
        losses[k] = kernel(some, family, np.ascontiguousarray(own)).losses
        weights[k] = len(some.y) if some.w is None else np.sum(some.w)
    return losses, weights


# --- what is called on the way --------------------------------------------------------------------------------------


def one_at_a_time(callback):
    """The callback for several threads."""
    if not callable(callback):
        return callback
    lock = threading.Lock()

    def called(state):
        with lock:
            return callback(state)

    return called


class Telling:
    """Prints how many fits of the folds are done, in one line that updates."""

    def __init__(self, total, progress):
        self.total, self.progress, self.done, self.lock = total, progress, 0, threading.Lock()

    def __call__(self):
        with self.lock:
            self.done += 1
            if self.progress:
                end = "\n" if self.done == self.total else ""
                print(f"\rfolds: {self.done} of {self.total} fits", end=end, file=sys.stderr)


# --- the answer -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """What `cross_validate_path` returns: m losses on rows that were held out, and the fits."""

    path: Path  # of all rows
    results: tuple = field(repr=False)  # the Path of the rows outside of each fold, at λ times their share of the weight
    losses: np.ndarray = field(repr=False)  # (folds, m) weighted mean of ℓ over the rows of each fold
    weights: np.ndarray = field(repr=False)  # (folds,) Σ w of its rows
    reads: int  # passes that the folds made together

    @property
    def lams(self):
        """λ (m,), falling."""
        return self.path.lams

    @property
    def mean(self):
        """The loss of a row that was held out, at each λ (m,): the weighted mean over all rows."""
        return self.weights @ self.losses / self.weights.sum()

    @property
    def se(self):
        """The standard error of `mean` (m,), as if the folds' means were independent."""
        spread = self.weights @ (self.losses - self.mean) ** 2 / self.weights.sum()
        return np.sqrt(spread / (len(self.losses) - 1))

    @property
    def best(self):
        """The number of the λ with the least mean loss, the largest such λ."""
        return int(np.argmin(self.mean))

    @property
    def simplest(self):
        """The number of the largest λ whose mean loss is within one standard error of the least.

        Reference: Breiman et al. (1984), §3.4.3; Hastie, Tibshirani & Friedman (2009), §7.10.
        """
        return int(np.flatnonzero(self.mean <= self.mean[self.best] + self.se[self.best])[0])

    @property
    def lam_best(self):
        """The λ with the least mean loss."""
        return float(self.lams[self.best])

    @property
    def lam_1se(self):
        """The largest λ whose mean loss is within one standard error of the least."""
        return float(self.lams[self.simplest])

    @property
    def result_best(self):
        """The Result of all rows at `lam_best`."""
        return self.path[self.best]

    @property
    def result(self):
        """The Result of all rows at `lam_1se`."""
        return self.path[self.simplest]

    @property
    def converged(self):
        """Was every fit, of all rows and of the folds, proved to its tolerance?"""
        return self.path.converged and all(one.converged for one in self.results)

    def to_frame(self):
        """A pandas DataFrame, one row a λ: the losses, and what is not zero in the fit of all rows."""
        import pandas as pd

        found = {"lam": self.lams, "loss": self.mean, "se": self.se,
                 "nonzero": np.count_nonzero(self.path.betas, axis=1)}  # fmt: skip
        return pd.DataFrame(found | {f"fold_{k}": losses for k, losses in enumerate(self.losses)})

    def summary(self):
        """Name and value of everything worth printing."""
        fits = [result for one in self.results for result in one]
        proved = sum(result.converged for result in fits)
        return {
            "folds": f"{len(self.results)} folds at {len(self.lams)} λ from {self.lams[0]:.6g} to {self.lams[-1]:.6g}",
            "least loss": self._at(self.best),
            "one-SE rule": self._at(self.simplest),
            "certificates": f"{proved} of {len(fits)} fits of the folds converged",
            "work": f"{self.reads} passes for all folds, which would have made "
                    f"{sum(result.rounds for result in fits)} rounds one by one, certificates not counted",
            "path": self.path.summary()["path"],
        }  # fmt: skip

    def _at(self, k):
        nonzero = np.count_nonzero(self.path[k].beta)
        return (f"λ = {self.lams[k]:.6g}: {self.mean[k]:.6g} ± {self.se[k]:.2g} a row, {nonzero} coefficients are not "
                "zero")  # fmt: skip

    def __repr__(self):
        return plain_card("CrossValidation", self.summary())

    def _repr_html_(self):
        return html_card("glmlab-validation", self.summary())
