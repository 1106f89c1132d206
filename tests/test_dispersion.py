"""The dispersion that is found with the coefficients: other libraries' answers, theorems, and what is refused."""

import dask.array as da
import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import nbinom

from glmlab import NegativeBinomial, NotConverged, Objective, Ridge, as_chunks, fit, fit_negative_binomial
from glmlab.dispersion import alpha_slopes
from glmlab.maths.sums import add
from glmlab.policy import Profiling

ALPHAS = [0.05, 0.5, 3.0]
every_alpha = pytest.mark.parametrize("alpha", ALPHAS)


def data(alpha, n=600, seed=0):
    """X (n, 3), y and offsets; counts of this dispersion."""
    rng = np.random.default_rng(seed)
    X, offset = rng.normal(size=(n, 3)), rng.normal(size=n) / 4
    mu = np.exp(X @ [0.5, -0.3, 0.2] + 0.7 + offset)
    return X, rng.poisson(mu * rng.gamma(1 / alpha, alpha, n)).astype(float), offset


def log_likelihood(X, y, offset, beta, alpha):
    """By SciPy's density: r successes of probability 1/(1 + αμ)."""
    mu = np.exp(X @ beta[:-1] + beta[-1] + offset)
    return nbinom.logpmf(y, 1 / alpha, 1 / (1 + alpha * mu)).sum()


@every_alpha
def test_alpha_and_coefficients_are_those_of_statsmodels(alpha):
    X, y, offset = data(alpha)
    found = fit_negative_binomial(X, y, fit_intercept=True, offset=offset)
    ours = np.append(found.result.beta, found.result.intercept)
    model = sm.NegativeBinomial(y, np.c_[X, np.ones(len(y))], offset=offset)
    theirs = model.fit(disp=0, maxiter=500, method="newton", start_params=np.append(ours, 1.1 * found.alpha), tol=1e-12)
    np.testing.assert_allclose(np.append(ours, found.alpha), theirs.params, rtol=1e-7)
    assert found.log_likelihood == pytest.approx(theirs.llf, rel=1e-12)
    # Their standard error is of α, and takes into account how α and β hang together.
    assert found.error * found.alpha == pytest.approx(theirs.bse[-1], rel=0.02)
    assert found.result.converged and found.steps <= 8


@every_alpha
def test_no_other_alpha_with_its_own_coefficients_is_more_likely(alpha):
    X, y, offset = data(alpha, seed=1)
    found = fit_negative_binomial(X, y, fit_intercept=True, offset=offset)
    best = log_likelihood(X, y, offset, np.append(found.result.beta, found.result.intercept), found.alpha)
    assert found.log_likelihood == pytest.approx(best, rel=1e-12)
    for other in found.alpha * np.array([0.1, 0.5, 0.99, 1.01, 2.0, 10.0]):
        result = fit(X, y, family=NegativeBinomial(other), fit_intercept=True, offset=offset)
        assert log_likelihood(X, y, offset, np.append(result.beta, result.intercept), other) < best


@every_alpha
def test_slopes_are_those_of_the_likelihood(alpha):
    """Central differences with respect to log α, at a β that is not the best one."""
    X, y, offset = data(alpha, n=200)
    beta, h = np.array([0.3, 0.1, -0.2, 0.5]), 1e-4
    f = Objective(NegativeBinomial(alpha), as_chunks(X, y, offset=offset, intercept=True, chunks=70))
    values = [-log_likelihood(X, y, offset, beta, alpha * np.exp(move)) for move in (-h, 0.0, h)]
    found = add(f.map(alpha_slopes, shared=(alpha, beta)))
    assert found.value == pytest.approx(values[1], rel=1e-12)
    assert found.first == pytest.approx((values[2] - values[0]) / (2 * h), rel=1e-6, abs=1e-6)
    assert found.second == pytest.approx((values[2] - 2 * values[1] + values[0]) / h**2, rel=1e-4, abs=1e-4)


def test_a_row_of_weight_two_is_two_rows_and_chunks_change_nothing():
    X, y, offset = data(0.5, n=200, seed=2)
    w = np.random.default_rng(3).integers(0, 3, len(y))
    once = fit_negative_binomial(X, y, sample_weight=w.astype(float), offset=offset, fit_intercept=True)
    twice = fit_negative_binomial(np.repeat(X, w, axis=0), np.repeat(y, w), offset=np.repeat(offset, w),
                                  fit_intercept=True)  # fmt: skip
    lazy = fit_negative_binomial(*(da.from_array(c, chunks=(60, *c.shape[1:])) for c in (X, y)), fit_intercept=True,
                                 sample_weight=w.astype(float), offset=offset)  # fmt: skip
    for other in (twice, lazy):
        assert other.alpha == pytest.approx(once.alpha, rel=1e-7)
        np.testing.assert_allclose(other.result.beta, once.result.beta, rtol=1e-6)


def test_a_penalty_is_on_the_coefficients_alone():
    X, y, offset = data(0.5, seed=4)
    found = fit_negative_binomial(X, y, penalty=Ridge(50.0), fit_intercept=True, offset=offset)
    again = fit(X, y, family=NegativeBinomial(found.alpha), penalty=Ridge(50.0), fit_intercept=True, offset=offset)
    np.testing.assert_allclose(found.result.beta, again.beta, rtol=1e-7)
    assert np.abs(found.result.beta).max() < np.abs(fit_negative_binomial(X, y, offset=offset).result.beta).max()


def test_counts_that_vary_less_than_a_poissons_are_refused():
    rng = np.random.default_rng(5)
    with pytest.raises(ValueError, match="no alpha > 0 is better than 0; fit it with family='poisson'"):
        fit_negative_binomial(rng.normal(size=(300, 2)), rng.binomial(6, 0.6, 300), fit_intercept=True)


def test_too_few_steps_are_said():
    X, y, offset = data(0.5)
    with pytest.warns(NotConverged, match="alpha still moved after 1 steps"):
        fit_negative_binomial(X, y, offset=offset, fit_intercept=True, policy=Profiling(steps=1))


def test_a_misspelt_option_is_refused_before_any_row_is_read():
    with pytest.raises(TypeError, match="max_iterations"):
        fit_negative_binomial(None, None, max_iterations=3)
