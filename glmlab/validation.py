"""Cross-validation of a path: all folds are fitted in the same passes over the rows."""

import sys
import threading
from typing import NamedTuple

import numpy as np

from glmlab.checks import flag, number
from glmlab.fitting import choose, over_rows, refuse_early
from glmlab.held_out import CrossValidation, held_out, vector_of
from glmlab.paths import Path, may_condense, objectives, planned, silent, solved, walk, warn_of
from glmlab.policy import Validating
from glmlab.rows.chunks import InMemory
from glmlab.rows.folds import folds_of, numbers_of
from glmlab.rows.kernels import as_floats
from glmlab.rows.objective import Objective
from glmlab.rows.sampling import Draw
from glmlab.rows.together import Together
from glmlab.solvers.start import null_start, weight_of


def cross_validate_path(
    X, y, *, family, cv=5, seed=0, lams=None, n_lams=30, ratio=1e-3, penalty="l1", solver="auto", fit_intercept=False,
    sample_weight=None, offset=None, start=None, tol=None, fold_tol=None, max_iter=None, kernels=None, threads=None,
    callback=None, progress=False, **options,
):  # fmt: skip
    """Fit the path of all rows, and at each λ the loss on rows that the fit has not seen.

    The problem at each λ is that of `fit`: a sum of losses plus λ times the penalty. Fold k is fitted to the rows
    outside of it, at λ times their share of the weight: so the penalty of each row is that of the whole.

    Parameters
    ----------
    X, y, family : as in `fit`
    cv : int, array of shape (n,) or list of pairs, default 5
        How many folds, fold numbers, or [(train, test), …] as scikit-learn's splitters give them, where each row is
        held out once. A whole number deals rows by their place alone, so that folds are the same in memory and on dask.
    seed : int, default 0
        Says which rows the folds have, where cv is a number.
    lams, n_lams, ratio, penalty : as in `path`
    solver, fit_intercept, sample_weight, offset, start : as in `fit`
    tol : float, default 1e-9
        Bounds the certified relative gap of the fits of all rows.
    fold_tol : float, optional
        The same for the fits of the folds; by default 1e-6 if `tol` is not larger, else `tol`. What such a gap changes
        in the loss of a row that was held out is far below the standard error.
    max_iter, kernels, threads : as in `fit`
    callback : function, optional
        As in `fit`. It sees the states of all fits, one at a time.
    progress, **options : as in `fit`

    Returns
    -------
    CrossValidation
        The losses, and the λ that they choose. The Path of all rows is a part of it.

    Raises
    ------
    ValueError, TypeError, ClusterError
        As `path` does, and ValueError for a fold without rows that count or one that leaves no finite intercept. An
        error in one fold ends the others.
    KeyboardInterrupt
        At Ctrl-C.

    Warns
    -----
    NotConverged
        Once, for all fits that were not proved.

    Notes
    -----
    A fold starts at each λ where `first_guess` says. A pass reads each chunk once for all folds; what they find has the
    bits of separate fits with these weights and starts. With solver="auto" all folds of least squares together read
    the rows three times (rows/condensed.py). Where X is small all fits go on to the last digits of β, as in `fit`.

    References
    ----------
    Hastie, Tibshirani & Friedman (2009), §7.10.

    Examples
    --------
    >>> from glmlab import cross_validate_path, datasets
    >>> X, y, _ = datasets.make_regression(100, 3)
    >>> found = cross_validate_path(X, y, family="gaussian", lams=[1000, 100, 10])
    >>> found.losses.shape, found.lam_best
    ((5, 3), 10.0)
    """
    plan = planned(penalty, lams, n_lams, ratio)
    settings = {"tol": tol, "max_iter": max_iter, "callback": one_at_a_time(callback), **options}
    refuse_early(solver, plan.at(1.0), settings, caller=cross_validate_path)
    fold_tol = tol_of_folds(tol, fold_tol)
    f = over_rows(
        X, y, family=family, kernels=kernels, sample_weight=sample_weight, offset=offset,
        intercept=flag("fit_intercept", fit_intercept), threads=threads,
    )  # fmt: skip
    count, numbers = folds_of(cv, f.chunks.lengths, seed)
    if isinstance(f.chunks, InMemory):
        numbers = [numbers_of(fold) for fold in numbers]  # once for all passes
    f.look(null_start(f))  # refuses what cannot be fitted
    plan = plan.on(f)
    solver, why = choose(solver, f, plan.at(1.0))
    condenses = may_condense(solver, why)
    refuse_empty(f, numbers, count)
    together = Together(f.chunks, numbers, count)
    folds = [Objective(f.family, together.without(k), f.kernels) for k in range(count)]
    together.run([null_of(fold, k) for k, fold in enumerate(folds)])
    full = walk(f, plan, solver, start, condenses=condenses, progress=progress, **settings)
    if full[-1].interrupted:
        raise KeyboardInterrupt
    tell = Telling(count * len(full), progress)
    settings["tol"] = fold_tol
    with silent():
        hints = hints_for(f, full, solver, fold_tol)
        paths = together.run([follower(fold, f, plan.at, full, solver, hints, tell, settings, condenses)
                              for fold in folds])  # fmt: skip
    found = CrossValidation(full, tuple(paths), *held_out(f, numbers, paths), together.reads)
    warn_of([result for one in (full, *paths) for result in one], "cross_validate_path")
    return found


# --- the folds ------------------------------------------------------------------------------------------------------


class Curved(NamedTuple):
    """What `curved` adds up over chunks."""

    hess: np.ndarray  # (m, dim, dim)
    weight: float  # Σ w of the rows


def tol_of_folds(tol, fold_tol, policy=Validating()):
    """The relative gap that the fits of the folds are proved to."""
    if fold_tol is not None:
        return number("fold_tol", fold_tol)
    return policy.tol if tol is None else max(tol, policy.tol)


def hints_for(f, full, solver, tol, policy=Validating()):
    """For each λ the Hessian of a row of weight 1, for a solver that can begin with that of a like problem; else None.

    It is the mean of rows drawn from all chunks, at the answer for all rows; one pass brings those of all λ. It saves a
    fold some passes, but none where so large a `tol` is asked for that the first guess is nearly good enough.
    """
    if solver != "pilot_newton" or tol > policy.rough or len(full) * f.dim**2 > policy.kept:
        return [None] * len(full)
    B = np.array([vector_of(result, f) for result in full])
    drawn = f.chunks.thin(Draw(min(policy.each * f.dim / f.n, 1.0)))
    hess, weight = drawn.sum(curved, f.kernel("loss_grad_hess"), f.family, B)
    return list(hess / weight)


def curved(rows, kernel, family, B):
    """The Hessians of a chunk at each row of B (m, dim), and the weight of its rows."""
    return Curved(np.array([kernel(rows, family, beta).hess for beta in B]), weight_of(rows))


def follower(f, whole, at, full, solver, hints, tell, settings, condenses):
    """A function that fits f, the rows without a fold, at all λ of the Path of all rows, and returns its Path."""

    def follow():
        points = [vector_of(result, f) for result in full]
        f.look(points[0])
        lams, results = full.lams * (f.survey.weight / whole.survey.weight), []
        asked = objectives(f, null_start(f), condenses)
        for k, lam in enumerate(lams):
            guess = first_guess(points, k, vector_of(results[-1], f) if results else None)
            known = {} if hints[k] is None else {"hess": f.survey.weight * hints[k]}
            try:
                results.append(solved(asked, solver, at(lam), guess, **known, **settings))
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


def null_of(f, k):
    """A function that refuses a fold k without which y has no null model."""

    def refuse():
        if f.chunks.intercept and np.isinf(f.null.level):
            raise ValueError(
                f"fold {k} must not be left out: on all other rows y is as extreme as {f.family!r} allows (one class, "
                "perhaps), and no finite intercept fits that; use fewer folds, or fold numbers that mix the rows"
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
