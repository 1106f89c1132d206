"""What the rows say of a fit: which of them pull hard, and whether means are right wherever one looks."""

from typing import NamedTuple

import numpy as np
from scipy.special import logit

from glmlab.cards import html_table, plain_table
from glmlab.checks import whole
from glmlab.inference.tables import Inference
from glmlab.maths.families import Gamma, Gaussian, Logistic, NegativeBinomial, Poisson
from glmlab.maths.sums import quietly
from glmlab.names import spelt
from glmlab.policy import Inferring
from glmlab.rows import inferring
from glmlab.rows.threads import one_blas_thread


class Bins(NamedTuple):
    """Rows put in bins by their predicted mean, from the smallest to the largest: (bins,) each."""

    rows: np.ndarray  # of positive weight
    weight: np.ndarray  # Σ w
    predicted: np.ndarray  # the mean of μ, weighted
    observed: np.ndarray  # the mean of y, weighted
    z: np.ndarray  # how many standard deviations the slope Σ w ℓ′ is from 0; > 0 where y is larger than predicted
    residual: np.ndarray  # the mean deviance residual,
    spread: np.ndarray  # the mean of their squares,
    error: np.ndarray  # the standard error of `residual`,
    expected: np.ndarray  # what it is about if y has the family's distribution; nan where that is not known, as for
    # proportions and rates, whose distribution depends on how many trials or how much exposure each row has

    def to_frame(self):
        """A pandas DataFrame, one row a bin."""
        import pandas as pd

        return pd.DataFrame(self._asdict())

    def __repr__(self):
        return plain_table(*self._table())

    def _repr_html_(self):
        return html_table(*self._table())

    def _table(self):
        """Title, headings and lines, all as text."""
        heads, formats = ["bin", *self._fields], [",", ",.6g", ".4g", ".4g", ".2f", *(".4g",) * 4]
        lines = [[str(k), *map(format, line, formats)] for k, line in enumerate(zip(*self, strict=True), 1)]
        return "Rows in bins of their predicted mean", heads, lines


def rows_of(caller, inference):
    """The Fitted of an Inference. Raises TypeError for anything else."""
    if not isinstance(inference, Inference):
        raise TypeError(f"{caller} needs the Inference that infer returns, got {type(inference).__name__}: pass "
                        "infer(result, X, y)")  # fmt: skip
    return inference.rows


@spelt
def leverages(inference):
    """The leverage of each row: by how much its own y moves its fitted value.

    h = ℓ″ xᵀBx is a diagonal entry of the hat matrix. A row far above 2 p/n is worth a look.

    Parameters
    ----------
    inference : Inference
        From `infer`.

    Returns
    -------
    array, shape (n,)
        Where weights are frequencies h is that of one of the w copies, else it is w times as large. `parameters` is Σ w
        h where weights are frequencies, else Σ h.

    Raises
    ------
    TypeError
        For what is not an Inference.

    Notes
    -----
    It takes a pass.

    References
    ----------
    McCullagh & Nelder (1989), chapter 12.

    Examples
    --------
    >>> from glmlab import fit, infer, leverages
    >>> X, y = [[1.0], [1.0], [1.0], [3.0]], [1.0, 2.0, 3.0, 4.0]
    >>> found = infer(fit(X, y, family="gaussian"), X, y)
    >>> leverages(found).round(4).tolist()  # x² ÷ 12
    [0.0833, 0.0833, 0.0833, 0.75]
    """
    f, beta, root, expected, frequency = rows_of("leverages", inference)
    found = f.map(inferring.leverages, shared=(f.family, beta, root, expected, frequency))
    return np.concatenate(found)


class Influential(NamedTuple):
    """The rows that pull hardest on a fit, and some that were drawn from all: (k,) each, by their numbers."""

    rows: np.ndarray  # their numbers, counted from 0
    leverage: np.ndarray  # h
    residual: np.ndarray  # Pearson's, divided by its standard deviation √(φ V (1 − h)); nan where h is 1
    distance: np.ndarray  # Cook's: how far the row moves all coefficients together
    high: int  # how many of all rows have a leverage above `limit`
    limit: float  # twice the mean leverage
    n: int  # rows of the fit, those of weight 0 with them


@spelt
def influences(inference, drawn=2000, most=50, seed=0):
    """The `most` rows with the largest leverage and with the largest Cook's distance of every chunk, and drawn ones.

    Cook's distance r²h ÷ (p (1 − h)), r the residual as in Influential, is that of a step of Newton's method without
    the row (Pregibon 1981). About `drawn` further rows show what is usual. It takes a pass, and brings no more than
    these rows to this process. Returns an Influential. Raises ValueError for a loss that is no likelihood, and
    TypeError for what is not an Inference.
    """
    f, beta, root, expected, frequency = rows_of("influences", inference)
    if not inferring.is_likelihood(f.family):
        raise ValueError(f"{f.family!r} says of no variance; influences needs a family with fisher(eta)")
    share, most = min(whole("drawn", drawn) / f.n, 1.0), whole("most", most, 1)
    limit, scale = 2 * inference.parameters / inference.n, np.sqrt(inference.dispersion * f.family.multiple)
    firsts = np.cumsum([0, *f.chunks.lengths])[:-1]
    seeds = [(int(first), whole("seed", seed)) for first in firsts]
    shared = (f.family, beta, root, expected, frequency, scale, limit, most, share)
    with one_blas_thread:
        found = f.map(inferring.influences, seeds, shared=shared)
    *columns, high = zip(*found, strict=True)
    rows, leverage, residual, distance = map(np.concatenate, columns)
    return Influential(rows, leverage, residual, distance / inference.parameters, sum(high), limit, f.n)


@spelt
def calibration(inference, bins=10, policy=Inferring()):
    """Observed against predicted means, and deviance residuals, by bins of the predicted mean.

    Bins have about equal numbers of rows, since their edges are quantiles of η over all rows, or over `policy.ranked`
    random ones. An empty bin is left out.

    Parameters
    ----------
    inference : Inference
        From `infer`.
    bins : int, default 10
        How many at most.
    policy : glmlab.policy.Inferring
        Says how many rows are ranked.

    Returns
    -------
    Bins
        A row for each bin. z is the score test of a shift of that bin alone (with a variance that ignores that β was
        fitted to the same rows, so that it is a little small): where |z| > 3 the model is wrong there.

    Raises
    ------
    ValueError
        For a loss that is no likelihood.
    TypeError
        For what is not an Inference.

    Notes
    -----
    It takes a pass, and a part of one for the edges.

    Examples
    --------
    >>> from glmlab import calibration, fit, infer
    >>> X, y = [[0.0], [0.0], [1.0], [1.0]], [1, 3, 4, 8]
    >>> result = fit(X, y, family="poisson", fit_intercept=True)
    >>> found = calibration(infer(result, X, y), bins=2)
    >>> found.predicted.round(4).tolist(), found.observed.round(4).tolist()
    ([2.0, 6.0], [2.0, 6.0])
    """
    f, beta, _, _, frequency = rows_of("calibration", inference)
    family = f.family
    if not inferring.is_likelihood(family):
        raise ValueError(f"{family!r} says of no mean and variance; calibration needs a family with fisher(eta)")
    share = np.linspace(0, 1, whole("bins", bins, 1) + 1)[1:-1]
    with one_blas_thread:
        some = f if f.n <= policy.ranked else f.thin(policy.ranked / f.n)
        eta = np.concatenate(some.map(inferring.predictors, shared=(family, beta)))
        if some is not f:
            f.touched(some.n / f.n, rounds=1)
        found = f.total(inferring.binned, beta, np.unique(np.quantile(eta, share)))
    counted = found.broken.sum() == 0  # whole numbers throughout: labels or counts, not proportions or rates
    found = type(found)(*(values[found.rows > 0] for values in found))
    deviation = np.sqrt(inference.dispersion * family.multiple * found.fisher)
    mean, residual = found.mean / found.weight, found.residual / found.weight
    spread = 2 * found.height / family.multiple / found.weight
    variance = np.maximum(spread - residual**2, 0.0) / (found.weight if frequency else found.rows)
    expected = expected_residuals(family, mean, inference.dispersion)
    if isinstance(family, Logistic | Poisson | NegativeBinomial) and not counted:
        expected = np.full(len(mean), np.nan)
    if not frequency:  # a weight makes the distribution of its row another one
        expected = np.where(found.weight == found.rows, expected, np.nan)
    return Bins(
        found.rows.astype(int), found.weight, mean, found.y / found.weight, -found.slope / deviation, residual, spread,
        np.sqrt(variance), expected,
    )  # fmt: skip


@quietly
def expected_residuals(family, mean, phi, policy=Inferring()):
    """The mean deviance residual (bins,) of y that have the family's distribution with these means (bins,).

    It is 0 for the Gaussian family only: the others are skew, and labels have two residuals. It is nan for families
    whose distribution is not known here, and where φ is not what the family says.
    """
    from scipy import stats  # here, because its import takes long and no worker needs it

    known = {
        Gaussian: lambda: (mean, stats.norm(mean, np.sqrt(phi))),
        Logistic: lambda: (logit(mean), stats.bernoulli(mean)),
        Poisson: lambda: (np.log(mean), stats.poisson(mean)),
        Gamma: lambda: (np.log(mean), stats.gamma(1 / phi, scale=phi * mean)),
        NegativeBinomial: lambda: (np.log(mean), stats.nbinom(1 / family.alpha, 1 / (1 + family.alpha * mean))),
    }
    if type(family) not in known or not phi > 0 or (phi != 1 and not family.dispersed):
        return np.full(len(mean), np.nan)
    eta, y = known[type(family)]()
    middles = (np.arange(policy.quantiles) + 0.5) / policy.quantiles
    y = y.ppf(middles[:, None])
    return inferring.deviances(family, eta, y, family.dloss(eta, y))[1].mean(axis=0)
