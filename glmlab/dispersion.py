"""The dispersion α of negative binomial counts, found from the rows together with the coefficients."""

import warnings
from typing import NamedTuple

import numpy as np
from scipy.special import polygamma, psi

from glmlab.cards import html_card, plain_card
from glmlab.checks import flag
from glmlab.fitting import choose, refuse_early
from glmlab.maths.families import NegativeBinomial, Poisson
from glmlab.maths.penalties import PENALTIES, PENALTY_NEEDS
from glmlab.maths.sums import add, quietly
from glmlab.names import named
from glmlab.policy import Profiling
from glmlab.rows.entrance import as_chunks
from glmlab.rows.kernels import POLICY, blocks, predictor, weigh
from glmlab.rows.objective import Objective
from glmlab.solvers.result import NotConverged, Result
from glmlab.solvers.run import run
from glmlab.words import count_text


class Profile(NamedTuple):
    """Where the profile likelihood of α is largest, and the fit there.

    `fit_negative_binomial` returns it.

    Attributes
    ----------
    alpha : float
        α, with which variances are μ + αμ².
    result : Result
        The fit at this α. Its certificate is about β, with α taken as known.
    log_likelihood : float
        Σ w log density of y at α and β, all terms included.
    error : float
        A standard error of log α; nan where the likelihood is not concave in log α there.
    steps : int
        How many α were fitted.

    Examples
    --------
    >>> from glmlab import fit_negative_binomial
    >>> found = fit_negative_binomial([[1.0]] * 6, [0, 0, 1, 2, 6, 9], penalty="zero")
    >>> found.result.family.alpha == found.alpha, found.result.converged
    (True, True)
    """

    alpha: float
    result: Result
    log_likelihood: float
    error: float
    steps: int

    def summary(self):
        """Name and value of everything worth printing."""
        error = f"; the standard error of log α is {self.error:.3g}" if np.isfinite(self.error) else ""
        steps = count_text(self.steps, "fit")
        found = {"alpha": f"{self.alpha:.8g}{error}", "likelihood": f"log {self.log_likelihood:.8g}", "search": steps}
        return found | self.result.summary()

    def __repr__(self):
        return plain_card("Profile", self.summary())

    def _repr_html_(self):
        return html_card("Profile", self.summary())


class Excess(NamedTuple):
    """How much more than a Poisson's counts vary about their means."""

    excess: float  # Σ w ((y − μ)² − y), whose mean is α Σ w μ²
    squares: float  # Σ w μ²


class Slopes(NamedTuple):
    """−log likelihood at one α and β, and its derivatives with respect to log α at this β."""

    value: float
    first: float
    second: float


def fit_negative_binomial(
    X, y, *, penalty="zero", solver="auto", fit_intercept=False, sample_weight=None, offset=None, tol=None,
    max_iter=None, kernels=None, threads=None, policy=Profiling(), **options,
):  # fmt: skip
    """Fit negative binomial counts whose dispersion α is not known.

    It finds the (α, β) with the largest likelihood less the penalty: minimised is −log likelihood, a sum over the rows,
    plus the penalty, for a count of mean μ = e^η and variance μ + αμ². Where α is known, use
    fit(…, family=NegativeBinomial(alpha)).

    Parameters
    ----------
    X, y, penalty, solver, fit_intercept, sample_weight, offset, tol, max_iter, kernels, threads : as in `fit`
    policy : glmlab.policy.Profiling
        The thresholds of the search for α.
    **options : as in `fit`

    Returns
    -------
    Profile
        α, the fit at this α, and the likelihood.

    Raises
    ------
    ValueError
        Where counts vary no more than a Poisson's, since their likelihood falls from α = 0 on.
    ValueError, TypeError, ClusterError
        As `fit` does.

    Warns
    -----
    NotConverged
        Where α still moves after policy.steps.

    Notes ----- It alternates. A fit finds the best β for an α; one more pass finds the derivatives of the likelihood
    with respect to log α at that β. The first is also that of the profile max_β, since the derivative with respect to β
    vanishes there. The second gives Newton's step, which is kept inside of the interval in which the derivative changes
    its sign. Few steps suffice, since the estimates of α and β are independent for many rows (Lawless 1987).

    The family's loss leaves terms in y alone out, and these depend on α. So −log likelihood is Σ w (ℓ + c_α(y)) with
    c_α(y) = log Γ(r) − log Γ(y + r) − y log α + log y!, r = 1/α.

    The likelihood is concave in η for each α, but not in α: what is proved is β at this α (`result.certificate`), while
    α is where the profile has a slope of 0, and another such α may exist.

    References
    ----------
    Lawless (1987), Negative binomial and mixed Poisson regression; Dean & Lawless (1989) for the excess.

    Examples
    --------
    >>> from glmlab import fit_negative_binomial
    >>> found = fit_negative_binomial([[1.0]] * 6, [0, 0, 1, 2, 6, 9])
    >>> round(found.alpha, 3), found.result.beta.round(4).tolist()  # log 3
    (1.47, [1.0986])
    """
    g = named("penalty", penalty, PENALTIES, PENALTY_NEEDS)
    settings = {"tol": tol, "max_iter": max_iter, **options}
    refuse_early(solver, g, settings, caller=fit_negative_binomial)
    rows = as_chunks(X, y, sample_weight=sample_weight, offset=offset,
                     intercept=flag("fit_intercept", fit_intercept), threads=threads)  # fmt: skip

    def fitted(family, start):
        f = Objective(family, rows, kernels)
        return f, run(choose(solver, f, g)[0], f, g, start=start, **settings)

    f, result = fitted(Poisson(), None)
    seen = add(f.map(excess, shared=(result.state.beta,)))
    if not seen.excess > 0:
        raise ValueError("y varies no more about its means than Poisson counts do: no alpha > 0 is better than 0; "
                         "fit it with family='poisson'")  # fmt: skip
    tried, low, high = [np.log(seen.excess / seen.squares)], -np.inf, np.inf
    while True:
        place = tried[-1]
        f, result = fitted(NegativeBinomial(float(np.exp(place))), result)
        slopes = add(f.map(alpha_slopes, shared=(f.family.alpha, result.state.beta)))
        low, high = (place, high) if slopes.first < 0 else (low, place)
        new = place + newton(slopes, policy)
        new = new if low <= new <= high else (low + high) / 2
        if abs(new - place) <= policy.tol:
            break
        if len(tried) == policy.steps:
            warnings.warn(f"Not converged: alpha still moved after {policy.steps} steps", NotConverged, stacklevel=2)
            break
        tried.append(new)
    error = 1 / np.sqrt(slopes.second) if slopes.second > 0 else np.nan
    return Profile(f.family.alpha, result, float(-slopes.value), float(error), len(tried))


def newton(slopes, policy):
    """Newton's step for log α, at most policy.far long; that long where the curvature is not positive."""
    if slopes.first == 0:
        return 0.0
    step = -slopes.first / slopes.second if slopes.second > 0 else -np.sign(slopes.first) * policy.far
    return float(np.clip(step, -policy.far, policy.far))


@quietly
def excess(rows, beta, policy=POLICY):
    """The Excess of one chunk over the means e^η at β."""
    total = Excess(0.0, 0.0)
    for block in blocks(rows, len(beta), policy):
        mu = np.exp(predictor(block, beta))
        total = add([total, Excess(weigh(block.w, (block.y - mu) ** 2 - block.y).sum(), weigh(block.w, mu**2).sum())])
    return total


@quietly
def alpha_slopes(rows, alpha, beta, policy=POLICY):
    """The Slopes of one chunk, from the derivatives with respect to r = 1/α of L, the −log density of a row.

    dL/dr = log(1 + μ/r) + (y − μ)/(r + μ) + ψ(r) − ψ(y + r), dL/dlog α = −r dL/dr, d²L/dlog α² = r dL/dr + r² d²L/dr².
    """
    family, r, total = NegativeBinomial(alpha), 1 / alpha, Slopes(0.0, 0.0, 0.0)
    for block in blocks(rows, len(beta), policy):
        eta, y = predictor(block, beta), block.y
        mu = np.exp(eta)
        first = np.log1p(alpha * mu) + (y - mu) / (r + mu) + psi(r) - psi(y + r)
        second = -mu / (r * (r + mu)) - (y - mu) / (r + mu) ** 2 + polygamma(1, r) - polygamma(1, y + r)
        each = family.loss(eta, y) - family.log_rest(y, 1.0, 1.0), -r * first, r * first + r**2 * second
        total = add([total, Slopes(*(weigh(block.w, values).sum() for values in each))])
    return total
