"""One problem at many λ: from λ_max, where all coefficients vanish, downwards, each fit warm-started and certified."""

import contextlib
import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from glmlab.cards import html_card, plain_card
from glmlab.checks import flag, frozen, number, share, whole
from glmlab.fitting import choose, over_rows, refuse_early
from glmlab.maths.penalties import PENALTIES, PENALTY_NEEDS, on_rows
from glmlab.names import among, named
from glmlab.rows.condensed import condensed
from glmlab.solvers.result import NotConverged, RankWarning
from glmlab.solvers.run import run
from glmlab.solvers.start import null_start
from glmlab.words import count_text


def path(
    X, y, *, family, lams=None, n_lams=30, ratio=1e-3, penalty="l1", solver="auto", fit_intercept=False,
    sample_weight=None, offset=None, start=None, tol=None, max_iter=None, kernels=None, threads=None,
    callback=None, progress=False, **options,
):  # fmt: skip
    """Fit the same problem at each λ, the largest first, each fit started where the one before ended.

    The problem at each λ is that of `fit`: a sum of losses plus λ times the penalty. Rows are cut and surveyed once.
    Least squares with solver="auto" reads them twice more, however many λ there are (rows/condensed.py).

    Parameters
    ----------
    X, y, family : as in `fit`
    lams : list of floats, shape (m,), optional
        The λ to visit, put in falling order. None stands for n_lams of them in geometric progression from λ_max to
        ratio · λ_max.
    n_lams : int, default 30
        How many λ, where lams is None.
    ratio : float in (0, 1], default 1e-3
        The smallest λ ÷ λ_max, where lams is None.
    penalty : str, object or function, default "l1"
        "l1", "ridge", a penalty whose λ will be replaced, as ElasticNet(1, l1_ratio=0.5), or a function from λ to a
        penalty. A ridge gives no zeros and has no λ_max: give lams.
    solver, fit_intercept, sample_weight, offset, start, tol, max_iter, kernels, threads, callback : as in `fit`
    progress, **options : as in `fit`

    Returns
    -------
    Path
        The Results, one for each λ.

    Raises
    ------
    ValueError, TypeError, ClusterError
        As `fit` does. The error has `results`, the Results at larger λ, beside the `result` of the fit that it stopped.

    Warns
    -----
    NotConverged
        Once, for all fits that were not proved.

    Notes
    -----
    λ_max is the smallest λ at which every penalised coefficient is zero: the largest |∂f/∂β_j| of the null model, whose
    only coefficient is the intercept (if any), divided by the share of λ that its L1 term has.

    References
    ----------
    Friedman, Hastie & Tibshirani (2010), §2.5.

    Examples
    --------
    >>> from glmlab import path
    >>> X, y = [[1.0, 0.0], [0.0, 1.0]], [3.0, 1.0]
    >>> found = path(X, y, family="gaussian", lams=[4.0, 1.0])
    >>> found.betas.round(6).tolist(), round(found.lam_max, 6)
    ([[1.0, 0.0], [2.5, 0.5]], 6.0)
    """
    plan = planned(penalty, lams, n_lams, ratio)
    settings = {"tol": tol, "max_iter": max_iter, "callback": callback, **options}
    refuse_early(solver, plan.at(1.0), settings, caller=path)
    f = over_rows(
        X, y, family=family, kernels=kernels, sample_weight=sample_weight, offset=offset,
        intercept=flag("fit_intercept", fit_intercept), threads=threads,
    )  # fmt: skip
    plan = plan.on(f)
    solver, why = choose(solver, f, plan.at(1.0))
    found = walk(f, plan, solver, start, condenses=may_condense(solver, why), progress=progress, **settings)
    warn_of(found)
    return found


class Plan(NamedTuple):
    """What a path is asked for, checked."""

    at: Callable  # from λ to the penalty
    lams: np.ndarray | None  # (m,) falling; None for n_lams from λ_max down
    n_lams: int
    ratio: float  # of the smallest λ to λ_max
    weight: np.ndarray  # of each |β_j|, as a share of λ: (p,) or one number; nan without an L1 term

    def on(self, f):
        """The same for the rows of f, whose columns a penalty may ask for."""

        def at(lam):
            return on_rows(self.at(lam), f)

        return self._replace(at=at, weight=l1_share(at, needed=self.lams is None))


def planned(penalty, lams, n_lams, ratio):
    """The Plan for these arguments of `path`. Raises TypeError or ValueError."""
    at = penalty_at(penalty)
    lams, n_lams, ratio = falling(lams), whole("n_lams", n_lams, 1), share("ratio", ratio)
    return Plan(at, lams, n_lams, ratio, l1_share(at, needed=lams is None))


def may_condense(solver, why):
    """May a path of least squares be computed from a small table? Only if "auto" chose, for a reason, its Hessian."""
    return bool(why) and solver in ("newton", "proximal_newton")


def walk(f, plan, solver, start=None, condenses=False, **options):
    """The Path of the objective f, without warnings. `options` are those of `run` and of the solver."""
    null = null_start(f)
    f.look(null)  # refuses what cannot be fitted
    lam_max = float((np.abs(f.loss_grad(null).grad[: f.chunks.p]) / plan.weight).max())
    lams = plan.lams
    if lams is None:
        lams = lam_max * plan.ratio ** (np.arange(plan.n_lams) / max(plan.n_lams - 1, 1))
    with silent():
        results = visit(objectives(f, null, condenses), plan.at, lams, solver, null if start is None else start,
                        **options)  # fmt: skip
    return Path(results, lams, lam_max)


def objectives(f, centre, condenses):
    """What a path minimises: [f], before it a small table with the losses of least squares where one can be had."""
    small = condensed(f, centre) if condenses else None
    return [f] if small is None else [small, f]


@contextlib.contextmanager
def silent():
    """Fits inside say in their Results alone what was not proved."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConverged)
        warnings.simplefilter("ignore", RankWarning)
        yield


def visit(f, at, lams, solver, start, **options):
    """The Results at these λ, in their order; fewer if one was interrupted. f: a list as `objectives` gives it."""
    results = []
    for lam in lams:
        try:
            results.append(solved(f, solver, at(lam), start, **options))
        except Exception as error:
            error.results = tuple(results)
            raise
        start = results[-1]
        if start.interrupted:
            break
    return results


def solved(f, solver, g, start, **options):
    """The Result at one λ from the first of the objectives f. One that proves too little leaves f for good.

    Where the last λ has left a Hessian, which hardly changes from λ to λ, it takes the place of a pilot's.
    """
    while True:
        known = {} if f[0].kept is None else {"hess": f[0].kept}
        result = run(solver, f[0], g, start=start, **known | options)
        f[0].passes, f[0].rounds = 0.0, 0  # each Result counts its own
        if len(f) == 1 or result.interrupted or f[0].trusted(result):
            return result
        del f[0]


def warn_of(results, caller="path"):
    """One warning for all fits that were not proved, with what the first of them says."""
    failed = [result for result in results if not result.converged]
    if failed:
        first = failed[0]
        message = f"{len(failed)} of {len(results)} fits; {first.penalty!r}: {first.status}"
        warnings.warn(f"{caller}: Not converged in {message}", NotConverged, stacklevel=3)


def penalty_at(penalty):
    """The function from λ to the penalty that `path` was given, in whatever form."""
    known = PENALTIES[among("penalty", penalty, PENALTIES)] if isinstance(penalty, str) else penalty
    at = known if callable(known) else getattr(known, "at", None)
    try:
        named("penalty", at(1.0), PENALTIES, PENALTY_NEEDS)
    except TypeError as error:
        raise TypeError(
            f"path needs a penalty with a λ to vary: 'l1', 'ridge', ElasticNet(1, l1_ratio=0.5) or a function from λ "
            f"to a penalty; got {penalty!r}"
        ) from error
    return at


def l1_share(at, needed):
    """How much of λ weighs |β_j|; nan without any, when no λ makes a coefficient exactly zero."""
    weight = np.asarray(getattr(at(1.0), "l1", 0.0), dtype=float)
    if needed and not np.all(weight > 0):
        lacks = "leaves columns without an L1 term" if np.any(weight > 0) else "has no L1 term"
        raise ValueError(f"{at(1.0)!r} {lacks}, so there is no λ_max at which coefficients vanish: give lams")
    return np.where(weight > 0, weight, np.nan)


def falling(lams):
    """The given λ (m,) in falling order, or None. Raises TypeError or ValueError."""
    if lams is None:
        return None
    if np.ndim(lams) != 1 or np.size(lams) == 0:
        raise ValueError(f"lams must be a list of numbers >= 0, at least one; got shape {np.shape(lams)}")
    return np.sort([number("lams", lam) for lam in np.asarray(lams).tolist()])[::-1]


class Path(Sequence):
    """The Results at falling λ, a sequence: `path[k]` is a Result, and `for result in path` visits them all.

    It shows itself as a card, in a notebook as HTML.

    Attributes
    ----------
    results : tuple of Result, length m
        From the largest λ down; fewer than were asked for where Ctrl-C stopped the path.
    lams : array, shape (m,)
        The λ of these Results, falling.
    lam_max : float
        The smallest λ at which all penalised coefficients are 0; nan without an L1 term.
    betas : array, shape (m, p)
        Coefficients, one row for each λ.
    intercepts : array, shape (m,)
        The intercepts, 0 where the model has none.
    converged : bool
        Was every fit proved to its tolerance?

    Examples
    --------
    >>> from glmlab import path
    >>> X, y = [[1.0], [2.0]], [2.0, 4.0]
    >>> found = path(X, y, family="gaussian", penalty="ridge", lams=[10, 1])
    >>> len(found), found.lams.tolist(), found[-1].converged
    (2, [10.0, 1.0], True)
    """

    def __init__(self, results, lams, lam_max=np.nan):
        self.results, self.lams = tuple(results), frozen(lams[: len(results)])
        self.lam_max = lam_max  # nan where the penalty has no L1 term

    def __getitem__(self, k):
        return Path(self.results[k], self.lams[k], self.lam_max) if isinstance(k, slice) else self.results[k]

    def __len__(self):
        return len(self.results)

    @property
    def betas(self):
        """Coefficients, one row for each λ (m, p)."""
        return np.array([result.beta for result in self])

    @property
    def intercepts(self):
        """(m,)."""
        return np.array([result.intercept for result in self])

    @property
    def converged(self):
        """Was every fit proved to its tolerance?"""
        return all(result.converged for result in self)

    def to_frame(self):
        """A pandas DataFrame, one row a λ: what was found there, how well it is proved, what it cost."""
        import pandas as pd

        rows = [
            {"lam": lam, "nonzero": int(np.count_nonzero(result.beta)), "intercept": result.intercept,
             "objective": result.objective, "relative": result.certificate.relative, "converged": result.converged,
             "passes": result.passes, "n_iter": result.n_iter}
            for lam, result in zip(self.lams, self, strict=True)
        ]  # fmt: skip
        return pd.DataFrame(rows)

    def summary(self):
        """Name and value of everything worth printing."""
        if not self.results:
            return {"path": "0 fits"}
        last, frame = self[-1], self.to_frame()
        proved, loosest, nonzero = frame.converged.sum(), frame.relative.max(), frame.nonzero.tolist()
        rounds, seconds = sum(result.rounds for result in self), sum(result.seconds for result in self)
        work = f"{count_text(float(frame.passes.sum()), 'pass')} in {count_text(rounds, 'round')}, {seconds:.3g} s"
        return {
            "path": f"{count_text(len(self), 'fit')}, λ from {self.lams[0]:.6g} down to {self.lams[-1]:.6g}",
            "coefficients": f"{len(last.beta)}; not zero: {nonzero[0]} at first and {nonzero[-1]} at last",
            "certificates": f"{proved} of {len(self)} converged, the largest relative gap is {loosest:.2g}",
            "solver": f"{last.solver}, {last.family!r}, {type(last.penalty).__name__}, {last.kernels} kernels",
            "work": work,
        }  # fmt: skip

    def __repr__(self):
        return plain_card("Path", self.summary())

    def _repr_html_(self):
        return html_card("Path", self.summary())
