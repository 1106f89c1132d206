"""λ in other libraries: with the converted value their answer is certified as the optimum of our problem."""

import inspect
import warnings

import numpy as np
import pytest
import statsmodels.api as sm
from naive import draw
from sklearn import linear_model

from glmlab import L1, ElasticNet, Gaussian, Ridge, certify, fit
from glmlab.maths import conventions
from glmlab.maths.conventions import CONVENTIONS, from_lam, table, to_lam

N, LAM = 90, 2.0
FAMILIES = ["gaussian", "logistic", "poisson", "gamma"]
SM = {
    "gaussian": sm.families.Gaussian, "logistic": sm.families.Binomial, "poisson": sm.families.Poisson,
    "gamma": lambda: sm.families.Gamma(sm.families.links.Log()),
}  # fmt: skip


def rows(family, *, weighted=False, copies=1):
    """X, y and weights whose sum is not n; each row appears `copies` times."""
    rng = np.random.default_rng([3, *family.encode()])
    X = rng.normal(size=(N, 4)) * [0.4, 0.7, 1.0, 0.5]
    y = draw(family, X @ [0.8, -0.5, 0.1, 0.6] + 0.3, rng)
    w = rng.uniform(0.5, 4.0, N) if weighted else None
    return tuple(None if column is None else np.repeat(column, copies, axis=0) for column in (X, y, w))


def size(kind, w, n):
    """The n of a convention: rows, or the sum of their weights."""
    return n if w is None or CONVENTIONS[kind].n == "rows" else w.sum()


class Case:
    """A library's fit of our problem. `model(value, intercept)` is an estimator with fit, coef_ and intercept_."""

    def __init__(self, kind, family, penalty, model, weights=True, intercept=True):
        self.kind, self.family, self.penalty, self.model = kind, family, penalty, model
        self.weights, self.intercept = weights, intercept

    def __str__(self):
        return f"{self.kind}-{self.family}-{self.penalty!r}"

    def solve(self, lam=LAM, *, weighted=False, intercept=False, copies=1):
        """The rows, and the library's coefficients and intercept (or None) for λ = lam."""
        X, y, w = rows(self.family, weighted=weighted, copies=copies)
        value = from_lam(lam, size(self.kind, w, len(y)), self.kind, self.family)
        model = self.model(value, intercept)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X, y, **({} if w is None else {"sample_weight": w}))
        beta = np.ravel(model.coef_)
        return (X, y, w), beta, float(np.ravel(model.intercept_)[0]) if intercept else None


class ByStatsmodels:
    """The elastic net of statsmodels, which takes weights in GLM only and penalises all columns."""

    def __init__(self, family, alpha, l1_ratio, least_squares=False):
        self.family, self.alpha, self.l1_ratio, self.least_squares = family, alpha, l1_ratio, least_squares

    def fit(self, X, y, sample_weight=None):
        if self.least_squares:
            model, options = sm.OLS(y, X), {}
        else:
            model, options = sm.GLM(y, X, SM[self.family](), freq_weights=sample_weight), {"cnvrg_tol": 1e-12}
        options |= {"maxiter": 2000} if self.l1_ratio else {}
        self.coef_ = model.fit_regularized(alpha=self.alpha, L1_wt=self.l1_ratio, **options).params


class ByDaskGlm:
    def __init__(self, family, lam, regularizer):
        self.family, self.lam, self.regularizer = family, lam, regularizer

    def fit(self, X, y):
        algorithms = pytest.importorskip("dask_glm.algorithms")
        from dask_glm import families

        kind = {"gaussian": families.Normal, "logistic": families.Logistic, "poisson": families.Poisson}[self.family]
        options = dict(regularizer=self.regularizer, lamduh=self.lam, family=kind, normalize=False)
        accurate = dict(rho=20.0, abstol=1e-12, reltol=1e-12, max_iter=500)  # proximal_grad stops much too early
        self.coef_ = algorithms.admm(X, y, **options, **accurate)


def glum(family, value, intercept, l1_ratio):
    package = pytest.importorskip("glum")
    kind = {"gaussian": "normal", "logistic": "binomial"}.get(family, family)
    return package.GeneralizedLinearRegressor(alpha=value, l1_ratio=l1_ratio, family=kind, link="auto" if kind in (
        "normal", "binomial") else "log", fit_intercept=intercept, gradient_tol=1e-9)  # fmt: skip


def celer(name, weight, **options):
    def model(value, intercept):
        package = pytest.importorskip("celer")
        return getattr(package, name)(**{weight: value}, fit_intercept=intercept, tol=1e-12, **options)

    return model


def skglm(name, **options):
    def model(value, intercept):
        package = pytest.importorskip("skglm")
        return getattr(package, name)(value, fit_intercept=intercept, tol=1e-12, **options)

    return model


TIGHT = {"tol": 1e-10, "max_iter": 100_000}
CASES = [
    Case("LogisticRegression", "logistic", Ridge(LAM),
         lambda C, i: linear_model.LogisticRegression(C=C, fit_intercept=i, **TIGHT)),
    Case("LogisticRegression", "logistic", L1(LAM),
         lambda C, i: linear_model.LogisticRegression(C=C, l1_ratio=1, solver="saga", fit_intercept=i, **TIGHT)),
    Case("LogisticRegression", "logistic", ElasticNet(LAM, 0.4),
         lambda C, i: linear_model.LogisticRegression(C=C, l1_ratio=0.4, solver="saga", fit_intercept=i, **TIGHT)),
    Case("Ridge", "gaussian", Ridge(LAM), lambda a, i: linear_model.Ridge(a, fit_intercept=i)),
    Case("Lasso", "gaussian", L1(LAM), lambda a, i: linear_model.Lasso(a, fit_intercept=i, **TIGHT)),
    Case("ElasticNet", "gaussian", ElasticNet(LAM, 0.4),
         lambda a, i: linear_model.ElasticNet(a, l1_ratio=0.4, fit_intercept=i, **TIGHT)),
    Case("PoissonRegressor", "poisson", Ridge(LAM),
         lambda a, i: linear_model.PoissonRegressor(alpha=a, fit_intercept=i, **TIGHT)),
    Case("GammaRegressor", "gamma", Ridge(LAM),
         lambda a, i: linear_model.GammaRegressor(alpha=a, fit_intercept=i, **TIGHT)),
    *[Case("statsmodels", family, penalty, lambda a, i, f=family, r=ratio: ByStatsmodels(f, a, r), intercept=False)
      for family in FAMILIES for penalty, ratio in ((L1(LAM), 1.0), (ElasticNet(LAM, 0.4), 0.4))],
    *[Case("statsmodels", "gaussian", penalty, lambda a, i, r=ratio: ByStatsmodels("gaussian", a, r, True),
           weights=False, intercept=False)
      for penalty, ratio in ((L1(LAM), 1.0), (ElasticNet(LAM, 0.4), 0.4), (Ridge(LAM), 0.0))],
    *[Case("glum", family, penalty, lambda a, i, f=family, r=ratio: glum(f, a, i, r))
      for family in FAMILIES for penalty, ratio in ((L1(LAM), 1.0), (ElasticNet(LAM, 0.4), 0.4), (Ridge(LAM), 0.0))],
    *[Case("dask_glm", family, penalty, lambda a, i, f=family, r=name: ByDaskGlm(f, a, r), weights=False,
           intercept=False)
      for family in FAMILIES[:3] for penalty, name in ((L1(LAM), "l1"), (Ridge(LAM), "l2"))],
    Case("Lasso", "gaussian", L1(LAM), celer("Lasso", "alpha"), weights=False),
    Case("ElasticNet", "gaussian", ElasticNet(LAM, 0.4), celer("ElasticNet", "alpha", l1_ratio=0.4), weights=False),
    Case("LogisticRegression", "logistic", L1(LAM), celer("LogisticRegression", "C"), weights=False, intercept=False),
    Case("Lasso", "gaussian", L1(LAM), skglm("Lasso"), weights=False),
]  # fmt: skip
every_case = pytest.mark.parametrize("case", CASES, ids=str)


@every_case
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
def test_what_a_library_finds_is_the_optimum_of_our_problem(case, weighted, intercept):
    if (weighted and not case.weights) or (intercept and not case.intercept):
        return
    (X, y, w), beta, constant = case.solve(weighted=weighted, intercept=intercept)
    proof = certify(X, y, beta, family=case.family, penalty=case.penalty, intercept=constant, sample_weight=w)
    assert proof.relative <= 1e-6
    other = case.penalty.at(1.2 * LAM)  # not by accident: with another λ it is not the optimum
    wrong = certify(X, y, beta, family=case.family, penalty=other, intercept=constant, sample_weight=w)
    assert wrong.relative > 1e-6 and wrong.bound > 3 * proof.bound


def test_stochastic_gradients_end_near_the_same_optimum():
    """SGD has no stopping rule here, but the average over many epochs of small steps is as exact as other solvers."""
    X, y, _ = rows("logistic")
    model = linear_model.SGDClassifier(
        loss="log_loss", penalty="l2", alpha=from_lam(LAM, N, "SGDClassifier"), fit_intercept=False, average=N * 300,
        max_iter=2000, tol=None, learning_rate="constant", eta0=0.002, random_state=0,
    ).fit(X, y)  # fmt: skip
    assert certify(X, y, model.coef_[0], family="logistic", penalty=Ridge(LAM)).relative <= 1e-6
    for wrong in (LAM / N, 2 * LAM, N * LAM):
        assert certify(X, y, model.coef_[0], family="logistic", penalty=Ridge(wrong)).relative > 1e-4


@every_case
def test_twice_the_rows_are_twice_the_sum(case):
    """2F has the same minimiser as F: with 2λ and every row twice, a library must find the same answer."""
    _, beta, constant = case.solve(intercept=case.intercept)
    _, again, doubled = case.solve(2 * LAM, copies=2, intercept=case.intercept)
    np.testing.assert_allclose(again, beta, atol=1e-4)
    if case.intercept:
        assert doubled == pytest.approx(constant, abs=1e-4)


@pytest.mark.parametrize("kind", CONVENTIONS)
@pytest.mark.parametrize("family", FAMILIES)
def test_there_and_back(kind, family):
    if family not in CONVENTIONS[kind].losses:
        return
    for lam in (1e-9, 1.0, 123.0):
        for n in (1, 50, 8e6):
            value = from_lam(lam, n, kind, family)
            assert to_lam(value, n, kind, family) == pytest.approx(lam, rel=1e-15)
            # The same law without a fit: a mean does not change, a sum doubles, and C is the inverse of a sum's λ.
            twice = from_lam(2 * lam, 2 * n, kind, family) / value
            assert twice == pytest.approx(1 if CONVENTIONS[kind].mean else 0.5 if CONVENTIONS[kind].inverse else 2)


def test_our_own_fit_is_what_the_table_says():
    """The other direction: with λ from the library's value our fit finds its coefficients."""
    X, y, w = rows("gaussian", weighted=True)
    theirs = linear_model.Lasso(0.05, tol=1e-12, max_iter=100_000).fit(X, y, w)
    ours = fit(X, y, family="gaussian", penalty=L1(to_lam(0.05, w.sum(), "Lasso")), fit_intercept=True, sample_weight=w,
               tol=1e-12)  # fmt: skip
    np.testing.assert_allclose(ours.beta, theirs.coef_, atol=1e-6)


@pytest.mark.parametrize("kind", CONVENTIONS)
def test_the_formulas_of_the_table_are_those_of_to_lam(kind):
    entry = CONVENTIONS[kind]
    for family in entry.losses:
        written = table(family).loc[kind, "ours"].removeprefix("λ = ").replace(" ", "*").replace("lambda", "value")
        computed = eval(written, {entry.parameter: 0.25, "value": 0.25, "n": 40})
        assert computed == to_lam(0.25, 40, kind, family), written
    assert kind in table().index and all(name in table().loc[kind, "ours"] for name in entry.losses) == (
        len(set(entry.losses.values())) > 1)  # fmt: skip


def test_the_family_may_be_an_object_and_is_needed_where_it_matters():
    assert to_lam(1, 10, "glmnet", Gaussian()) == to_lam(1, 10, "glmnet", "gaussian") == 20
    assert to_lam(1, 10, "Lasso", "gaussian") == to_lam(1, 10, "Lasso")
    with pytest.raises(TypeError, match="lambda depends on the family: give one of gaussian, logistic"):
        to_lam(1, 10, "glmnet")


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ((1, 10, "Laso"), ValueError, "unknown kind 'Laso'; did you mean 'Lasso'"), ((1, 10, 3), TypeError, "kind"),
        ((0, 10, "LogisticRegression"), ValueError, "C must be .* > 0, got 0"),
        ((-1, 10, "Lasso"), ValueError, "alpha must be"), (("1", 10, "Lasso"), TypeError, "alpha must be"),
        ((1, 0, "Lasso"), ValueError, "n must be .* > 0"),
        ((1, 10, "Lasso", "logistic"), ValueError, "unknown family 'logistic'"),
        ((1, 10, "dask_glm", "gamma"), ValueError, "unknown family 'gamma'; .*known are gaussian|did you mean"),
    ],
)  # fmt: skip
def test_what_cannot_be_converted_is_refused_by_name(arguments, error, message):
    with pytest.raises(error, match=message):
        to_lam(*arguments)


def test_every_estimator_of_scikit_learn_in_the_table_has_that_parameter():
    for kind, entry in CONVENTIONS.items():
        if hasattr(linear_model, kind):
            assert entry.parameter in inspect.signature(getattr(linear_model, kind)).parameters
    assert set(conventions.HALVES) == set(FAMILIES)
