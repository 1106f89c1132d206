"""Real data sets that come with scikit-learn and statsmodels: the right answer, or Not converged.

Nothing here trusts glmlab to judge itself: F is summed anew from its definition, and compared with the F of
coefficients that scikit-learn, statsmodels or LAPACK computed. Theirs are feasible points, so for any accuracy of
theirs F(ours) − bound ≤ F(theirs) must hold, and for an accurate one F(ours) ≤ F(theirs) + tol.
"""

import math
import warnings

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from sklearn import datasets, linear_model

from glmlab import L1, ElasticNet, NotConverged, RankWarning, Ridge, Zero, certify, fit

pytestmark = pytest.mark.timeout(120)
TOL = 1e-6
LOSSES = {
    "gaussian": lambda eta, y: (y - eta) ** 2,
    "logistic": lambda eta, y: np.logaddexp(0, eta) - y * eta,
    "poisson": lambda eta, y: np.exp(eta) - y * eta,
    "gamma": lambda eta, y: y * np.exp(-eta) + eta,
}


def total(family, X, y, beta, intercept=0.0, weight=1.0, l1=0.0, l2=0.0):
    """F from its definition, summed exactly."""
    eta = np.asarray(X, dtype=float) @ beta + intercept
    loss = math.fsum(weight * LOSSES[family](eta, np.asarray(y, dtype=float)))
    return loss + l1 * np.abs(beta).sum() + l2 / 2 * (beta @ beta)


def quiet(action):
    """The result of other people's code, whatever it warns of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return action()


def statsmodels_data(name):
    return quiet(lambda: getattr(sm.datasets, name).load_pandas())


def table(name, y, drop=()):
    """X and y of a data set of statsmodels, rows without gaps."""
    data = statsmodels_data(name).data.apply(pd.to_numeric, errors="coerce").dropna()
    return data.drop(columns=[y, *drop]).to_numpy(float), data[y].to_numpy(float)


def breast_cancer():
    return datasets.load_breast_cancer(return_X_y=True)


def digits():
    X, y = datasets.load_digits(return_X_y=True)
    return X, (y % 2).astype(float)


def iris(kind):
    X, y = datasets.load_iris(return_X_y=True)
    return X, (y == kind).astype(float)


def fair():
    X, y = table("fair", "affairs")
    return X, (y > 0).astype(float)


def one_hot(X, column):
    """The column's categories as 0/1 columns, all of them: with an intercept they are dependent."""
    codes = np.unique(X[:, column], return_inverse=True)[1]
    return np.c_[np.delete(X, column, axis=1), np.eye(codes.max() + 1)[codes]]


UNPENALISED = {  # name → X, y, family; an optimum exists in each
    "longley": lambda: (*table("longley", "TOTEMP"), "gaussian"),
    "stackloss": lambda: (*table("stackloss", "STACKLOSS"), "gaussian"),
    "ccard": lambda: (*table("ccard", "AVGEXP"), "gaussian"),
    "copper": lambda: (*table("copper", "WORLDCONSUMPTION"), "gaussian"),
    "diabetes": lambda: (*datasets.load_diabetes(return_X_y=True), "gaussian"),
    "statecrime": lambda: (*table("statecrime", "murder"), "gaussian"),
    "spector": lambda: (*table("spector", "GRADE"), "logistic"),
    "versicolor": lambda: (*iris(1), "logistic"),
    "fair": lambda: (*fair(), "logistic"),
    "cpunish": lambda: (*table("cpunish", "EXECUTIONS"), "poisson"),
    "randhie": lambda: (*(part[:4000] for part in table("randhie", "mdvis")), "poisson"),
    "scotland": lambda: (*table("scotland", "YES"), "gamma"),
    "cancer": lambda: (*table("cancer", "cancer"), "poisson"),
    "engel": lambda: (*table("engel", "foodexp"), "gamma"),
    "strikes": lambda: (*table("strikes", "duration"), "gamma"),
}
SM_FAMILIES = {
    "gaussian": sm.families.Gaussian, "logistic": sm.families.Binomial, "poisson": sm.families.Poisson,
    "gamma": lambda: sm.families.Gamma(sm.families.links.Log()),
}  # fmt: skip


def by_statsmodels(X, y, family):
    """Coefficients and intercept of an unpenalised fit, on standardised columns for accuracy, then scaled back."""
    mean, scale = X.mean(axis=0), X.std(axis=0)
    mean, scale = np.where(scale > 0, mean, 0), np.where(scale > 0, scale, 1)
    model = sm.GLM(y, np.c_[(X - mean) / scale, np.ones(len(y))], family=SM_FAMILIES[family]())
    found = quiet(lambda: model.fit(maxiter=200, tol=1e-14, tol_criterion="deviance")).params
    beta = found[:-1] / scale
    return beta, found[-1] - mean @ beta


def compare(family, X, y, result, theirs, **penalty):
    """Both inequalities of the heading, and F as we print it."""
    ours = total(family, X, y, result.beta, result.intercept, **penalty)
    unit = max(abs(ours), abs(total(family, X, y, np.zeros(X.shape[1]))))
    rounding = 1e-10 * unit
    assert abs(ours - result.objective) <= rounding
    assert ours - result.certificate.bound <= theirs + rounding
    if result.converged:
        assert ours <= theirs + TOL * unit
    return unit


@pytest.mark.parametrize("name", UNPENALISED)
@pytest.mark.parametrize("lazy", [False, True])
def test_unpenalised_fits_reach_statsmodels(name, lazy):
    """Raw columns, years and incomes side by side: Newton must converge on all of them."""
    X, y, family = UNPENALISED[name]()
    rows = (-(-len(y) // 3), 1)
    given = (da.from_array(X, chunks=(rows[0], -1)), da.from_array(y, chunks=rows[0])) if lazy else (X, y)
    result = fit(*given, family=family, fit_intercept=True, threads=1)
    beta, intercept = by_statsmodels(X, y, family)
    theirs = total(family, X, y, beta, intercept)
    assert result.converged, result.status
    unit = compare(family, X, y, result, theirs)
    assert theirs - result.objective <= 1e-6 * unit  # theirs is accurate too: the two agree from both sides


@pytest.mark.parametrize("name", ["longley", "spector", "cpunish", "scotland", "fair"])
@pytest.mark.parametrize("solver", ["gradient_descent", "proximal_gradient", "fista", "proximal_newton"])
def test_other_solvers_are_right_or_say_not_converged(name, solver):
    """Unscaled columns are hard for gradients: no success may be claimed that is none."""
    X, y, family = UNPENALISED[name]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConverged)
        result = fit(X, y, family=family, fit_intercept=True, solver=solver, max_iter=150, threads=1)
    compare(family, X, y, result, total(family, X, y, *by_statsmodels(X, y, family)))


@pytest.mark.parametrize("name", ["diabetes", "stackloss", "versicolor", "spector", "cpunish", "scotland"])
@pytest.mark.parametrize("solver", ["gradient_descent", "proximal_gradient", "fista", "newton", "proximal_newton"])
def test_every_solver_converges_on_standardised_columns(name, solver):
    X, y, family = UNPENALISED[name]()
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    result = fit(X, y, family=family, penalty=Ridge(1), fit_intercept=True, solver=solver, threads=1)
    exact = fit(X, y, family=family, penalty=Ridge(1), fit_intercept=True, tol=1e-11, threads=1)
    assert result.converged
    compare(family, X, y, result, total(family, X, y, exact.beta, exact.intercept, l2=1), l2=1)


def test_longley_has_the_digits_that_nist_certifies():
    """The classic of ill-conditioned least squares: condition number 5e9."""
    data = statsmodels_data("longley").data
    X, y = data[["GNPDEFL", "GNP", "UNEMP", "ARMED", "POP", "YEAR"]], data["TOTEMP"]
    result = fit(X, y, family="gaussian", fit_intercept=True)
    certified = [15.0618722713733, -0.0358191792925910, -2.02022980381683, -1.03322686717359, -0.0511041056535807,
                 1829.15146461355]  # fmt: skip
    np.testing.assert_allclose(result.beta, certified, rtol=1e-6)
    assert result.intercept == pytest.approx(-3482258.63459582, rel=1e-6)


def test_star98_proportions_with_the_number_of_trials_as_weights():
    data = statsmodels_data("star98")
    above, below = data.endog["NABOVE"].to_numpy(), data.endog["NBELOW"].to_numpy()
    X, trials = data.exog.to_numpy(float), above + below
    result = fit(X, above / trials, family="logistic", sample_weight=trials, fit_intercept=True)
    model = sm.GLM(data.endog, sm.add_constant(data.exog), family=sm.families.Binomial())
    params = quiet(lambda: model.fit(tol=1e-12)).params
    theirs = total("logistic", X, above / trials, params.iloc[1:].to_numpy(), params["const"], trials)
    assert result.converged
    assert result.objective <= theirs + TOL * abs(theirs)
    assert result.objective - result.certificate.bound <= theirs * (1 + 1e-10)


def test_an_exposure_is_an_offset():
    X, y = table("cpunish", "EXECUTIONS")
    exposure = X[:, 0] / X[:, 0].mean()
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    result = fit(X, y, family="poisson", offset=np.log(exposure), fit_intercept=True, tol=1e-12)
    model = sm.GLM(y, np.c_[X, np.ones(len(y))], family=sm.families.Poisson(), exposure=exposure)
    theirs = quiet(lambda: model.fit(tol=1e-13)).params
    np.testing.assert_allclose(np.append(result.beta, result.intercept), theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("lam", [1e-3, 1.0, 100.0])
@pytest.mark.parametrize("data", [breast_cancer, digits, fair], ids=lambda data: data.__name__)
def test_ridge_logistic_reaches_scikit_learn(data, lam):
    """Raw columns; digits has columns of zeros, and breast cancer is separable without the penalty."""
    X, y = data()
    result = fit(X, y, family="logistic", penalty=Ridge(lam), fit_intercept=True)
    model = linear_model.LogisticRegression(C=1 / lam, solver="newton-cholesky", tol=1e-10, max_iter=500)
    quiet(lambda: model.fit(X, y))
    assert result.converged
    compare("logistic", X, y, result, total("logistic", X, y, model.coef_[0], model.intercept_[0], l2=lam), l2=lam)


@pytest.mark.parametrize("solver", ["proximal_newton", "fista"])
@pytest.mark.parametrize("lam", [20.0, 2000.0, 20000.0])
def test_lasso_reaches_scikit_learn(lam, solver):
    X, y = datasets.load_diabetes(return_X_y=True)
    for l1_ratio, penalty in ((1.0, L1(lam)), (0.5, ElasticNet(lam, 0.5))):
        result = fit(X, y, family="gaussian", penalty=penalty, fit_intercept=True, solver=solver)
        # scikit-learn's α multiplies a mean with a ½: α = λ / 2n.
        model = linear_model.ElasticNet(alpha=lam / 2 / len(y), l1_ratio=l1_ratio, tol=1e-12, max_iter=100_000)
        model.fit(X, y)
        weights = dict(l1=penalty.l1, l2=penalty.l2)
        theirs = total("gaussian", X, y, model.coef_, model.intercept_, **weights)
        assert result.converged
        compare("gaussian", X, y, result, theirs, **weights)
        if solver == "proximal_newton":
            assert np.array_equal(result.beta != 0, model.coef_ != 0)


def test_sparse_logistic_is_no_worse_than_liblinear():
    X, y = breast_cancer()
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    result = fit(X, y, family="logistic", penalty=L1(2.0))
    model = linear_model.LogisticRegression(C=0.5, l1_ratio=1, solver="liblinear", fit_intercept=False, tol=1e-8,
                                            max_iter=5000)  # fmt: skip
    quiet(lambda: model.fit(X, y))
    assert result.converged
    compare("logistic", X, y, result, total("logistic", X, y, model.coef_[0], l1=2.0), l1=2.0)
    assert 0 < np.sum(result.beta == 0) < X.shape[1]


@pytest.mark.parametrize("solver", ["newton", "gradient_descent", "fista"])
@pytest.mark.parametrize("data", [lambda: iris(0), breast_cancer, lambda: (lambda X, y: (X, (y == 2) * 1.0))(
    *datasets.load_wine(return_X_y=True))], ids=["setosa", "breast cancer", "wine"])  # fmt: skip
def test_separable_data_never_converge(data, solver):
    X, y = data()
    order = np.argsort(y, kind="stable")  # sorted by label, as files often are
    with pytest.warns(NotConverged):
        result = fit(X[order], y[order], family="logistic", fit_intercept=True, solver=solver, max_iter=200)
    assert not result.converged and np.isfinite(result.beta).all()
    assert result.certificate.bound == np.inf


def test_one_hot_columns_with_an_intercept():
    """Rank deficient by one: the objective is that of the full-rank coding, and a warning says so."""
    X, y = fair()
    hot = one_hot(X, 0)
    with pytest.warns(RankWarning, match="rank"):
        result = fit(hot, y, family="logistic", fit_intercept=True)
    full = hot[:, :-1]
    theirs = total("logistic", full, y, *by_statsmodels(full, y, "logistic"))
    assert result.converged
    compare("logistic", hot, y, result, theirs)


def test_constant_and_zero_columns():
    X, y, family = UNPENALISED["stackloss"]()
    padded = np.c_[X, np.zeros(len(y)), np.full(len(y), 3.0)]
    with pytest.warns(RankWarning, match="rank 4, not 6"):
        result = fit(padded, y, family=family, fit_intercept=True)
    exact = np.linalg.lstsq(np.c_[X, np.ones(len(y))], y, rcond=None)[0]
    np.testing.assert_allclose(result.beta[:3], exact[:3], rtol=1e-6)
    compare(family, padded, y, result, total(family, X, y, exact[:3], exact[3]))


@pytest.mark.parametrize("rows", [20, 5])
def test_fewer_rows_than_columns(rows):
    """n < p without penalty: least squares interpolates, and the optimum is a set."""
    X, y = datasets.load_digits(return_X_y=True)
    X, y = X[:rows], y[:rows].astype(float)
    with pytest.warns(RankWarning):
        result = fit(X, y, family="gaussian")
    assert result.converged
    np.testing.assert_allclose(X @ result.beta, y, atol=1e-3)


@pytest.mark.parametrize("name", ["longley", "versicolor", "cpunish", "scotland"])
def test_certify_judges_the_coefficients_of_others(name):
    """statsmodels' answer is certified optimal; a change in the third digit is seen, and not bounded too low."""
    X, y, family = UNPENALISED[name]()
    beta, intercept = by_statsmodels(X, y, family)
    best = total(family, X, y, beta, intercept)
    proof = certify(X, y, beta, family=family, intercept=intercept)
    assert proof.relative <= 1e-6
    worse = certify(X, y, beta * 1.001, family=family, intercept=intercept)
    gap = total(family, X, y, beta * 1.001, intercept) - best
    assert gap > 0
    assert gap * (1 - 1e-6) <= worse.bound
    assert worse.bound <= 2 * gap + proof.bound


def test_zero_is_the_same_as_no_penalty():
    X, y, family = UNPENALISED["spector"]()
    one, other = fit(X, y, family=family, penalty=Zero()), fit(X, y, family=family, penalty=Ridge(0), solver="newton")
    assert np.array_equal(one.beta, other.beta)
