"""λ in other libraries: with the converted value their answer is certified as the optimum of our problem."""

import inspect
import re
import warnings

import numpy as np
import pytest
from naive import draw
from peers import (
    LINKS,
    ByAdelie,
    ByDaskGlm,
    ByH2O,
    BySpark,
    ByStatsmodels,
    asgl,
    celer,
    glum,
    group_lasso,
    skglm,
    snapml,
)  # fmt: skip
from sklearn import linear_model

from glmlab import L1, ElasticNet, Gaussian, Ridge, certify, fit
from glmlab.maths import conventions
from glmlab.maths.conventions import CONVENTIONS, from_lam, table, to_lam

N, LAM = 90, 2.0
FAMILIES = ["gaussian", "logistic", "poisson", "gamma"]


def rows(family, *, weighted=False, copies=1, unit=False):
    """X, y and weights whose sum is not n; each row appears `copies` times. unit: the variance of y is 1."""
    rng = np.random.default_rng([3, *family.encode()])
    X = rng.normal(size=(N, 4)) * [0.4, 0.7, 1.0, 0.5]
    y = draw(family, X @ [0.8, -0.5, 0.1, 0.6] + 0.3, rng)
    w = rng.uniform(0.5, 4.0, N) if weighted else None
    if unit:
        y = y / np.sqrt(np.average((y - np.average(y, weights=w)) ** 2, weights=w))
    return tuple(None if column is None else np.repeat(column, copies, axis=0) for column in (X, y, w))


def size(kind, w, n):
    """The n of a convention: rows, or the sum of their weights."""
    return n if w is None or CONVENTIONS[kind].n == "rows" else w.sum()


class Case:
    """A library's fit of our problem. `model(value, intercept)` is an estimator with fit, coef_ and intercept_.

    intercepts: whether it can fit without one, and with one that is not penalised. unit: y must have unit variance.
    """

    def __init__(self, kind, family, penalty, model, weights=True, intercepts=(False, True), unit=False):
        self.kind, self.family, self.penalty, self.model = kind, family, penalty, model
        self.weights, self.intercepts, self.unit = weights, intercepts, unit

    def __str__(self):
        return f"{self.kind}-{self.family}-{self.penalty!r}"

    def solve(self, lam=LAM, *, weighted=False, intercept=False, copies=1):
        """The rows, and the library's coefficients and intercept (or None) for λ = lam."""
        X, y, w = rows(self.family, weighted=weighted, copies=copies, unit=self.unit)
        value = from_lam(lam, size(self.kind, w, len(y)), self.kind, self.family)
        model = self.model(value, intercept)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X, y, **({} if w is None else {"sample_weight": w}))
        beta = np.ravel(model.coef_)
        return (X, y, w), beta, float(np.ravel(model.intercept_)[0]) if intercept else None


TIGHT = {"tol": 1e-10, "max_iter": 100_000}
PENALTIES = [(L1(LAM), 1.0), (ElasticNet(LAM, 0.4), 0.4), (Ridge(LAM), 0.0)]  # with their l1_ratio
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
    *[Case("statsmodels", family, penalty, lambda a, i, f=family, r=ratio: ByStatsmodels(f, a, r),
           intercepts=(False,))
      for family in FAMILIES for penalty, ratio in ((L1(LAM), 1.0), (ElasticNet(LAM, 0.4), 0.4))],
    *[Case("statsmodels", "gaussian", penalty, lambda a, i, r=ratio: ByStatsmodels("gaussian", a, r, True),
           weights=False, intercepts=(False,))
      for penalty, ratio in ((L1(LAM), 1.0), (ElasticNet(LAM, 0.4), 0.4), (Ridge(LAM), 0.0))],
    *[Case("glum", family, penalty, lambda a, i, f=family, r=ratio: glum(f, a, i, r))
      for family in FAMILIES for penalty, ratio in ((L1(LAM), 1.0), (ElasticNet(LAM, 0.4), 0.4), (Ridge(LAM), 0.0))],
    *[Case("dask_glm", family, penalty, lambda a, i, f=family, r=name: ByDaskGlm(f, a, r), weights=False,
           intercepts=(False,))
      for family in FAMILIES[:3] for penalty, name in ((L1(LAM), "l1"), (Ridge(LAM), "l2"))],
    *[Case("statsmodels.ridge", family, Ridge(LAM), lambda a, i, f=family: ByStatsmodels(f, a, 0.0),
           intercepts=(False,))
      for family in ("logistic", "poisson")],
    Case("celer", "gaussian", L1(LAM), celer("Lasso", "alpha"), weights=False),
    Case("celer", "gaussian", ElasticNet(LAM, 0.4), celer("ElasticNet", "alpha", l1_ratio=0.4), weights=False),
    Case("celer.LogisticRegression", "logistic", L1(LAM), celer("LogisticRegression", "C"), weights=False,
         intercepts=(False,)),
    Case("skglm", "gaussian", L1(LAM), skglm("Lasso"), weights=False),
    Case("skglm", "gaussian", ElasticNet(LAM, 0.4), skglm("ElasticNet", l1_ratio=0.4), weights=False),
    Case("skglm", "logistic", L1(LAM), skglm("SparseLogisticRegression"), weights=False, intercepts=(False,)),
    *[Case("snapml", family, penalty, snapml(name, norm), weights=False, intercepts=(False,))
      for family, name in (("gaussian", "LinearRegression"), ("logistic", "LogisticRegression"))
      for penalty, norm in ((L1(LAM), "l1"), (Ridge(LAM), "l2"))],
    Case("asgl", "gaussian", L1(LAM), asgl, weights=False, intercepts=(False,)),
    Case("group_lasso", "gaussian", L1(LAM), group_lasso, weights=False, intercepts=(False,)),
    *[Case("adelie", family, penalty, lambda a, i, f=family, r=ratio: ByAdelie(f, a, r, i))
      for family in FAMILIES[:3] for penalty, ratio in PENALTIES],
    *[Case("h2o", family, penalty, lambda a, i, f=family, r=ratio: ByH2O(f, a, r, i),
           intercepts=(False, True) if family in FAMILIES[:2] else (True,))
      for family in FAMILIES for penalty, ratio in PENALTIES],
    *[Case("spark.LogisticRegression", "logistic", penalty, lambda a, i, r=ratio: BySpark(
        "LogisticRegression", a, i, standardization=False, elasticNetParam=r)) for penalty, ratio in PENALTIES],
    *[Case("spark.LinearRegression", "gaussian", penalty, lambda a, i, r=ratio: BySpark(
        "LinearRegression", a, i, standardization=False, elasticNetParam=r, solver="normal"), unit=ratio < 1)
      for penalty, ratio in PENALTIES],
    Case("spark.GeneralizedLinearRegression", "gamma", Ridge(LAM), lambda a, i: BySpark(
        "GeneralizedLinearRegression", a, i, family="gamma", link="log")),
]  # fmt: skip
every_case = pytest.mark.parametrize("case", [  # a server has to start for some
    pytest.param(case, id=str(case), marks=[pytest.mark.slow] * case.kind.startswith(("h2o", "spark")))
    for case in CASES
])  # fmt: skip


@every_case
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
def test_what_a_library_finds_is_the_optimum_of_our_problem(case, weighted, intercept):
    if (weighted and not case.weights) or intercept not in case.intercepts:
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
    intercept = case.intercepts[-1]
    _, beta, constant = case.solve(intercept=intercept)
    _, again, doubled = case.solve(2 * LAM, copies=2, intercept=intercept)
    np.testing.assert_allclose(again, beta, atol=1e-4)
    if intercept:
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
        written = re.sub(r"\blambda\b", "value", table(family).loc[kind, "ours"].removeprefix("λ = ").replace(" ", "*"))
        computed = eval(written, {entry.parameter: 0.25, "value": 0.25, "n": 40})
        assert computed == to_lam(0.25, 40, kind, family), written
    assert kind in table().index and all(name in table().loc[kind, "ours"] for name in entry.losses) == (
        len(set(entry.losses.values())) > 1 or len(entry.refused) > 0)  # fmt: skip


def test_every_trap_names_the_version_that_has_it():
    told = [text for text in table()["traps"] if text]
    assert told and all(re.match(r"[0-9]+(\.[0-9]+)+: ", text) for text in told)


@pytest.mark.parametrize("unit", [1.0, 1e5])
def test_a_tolerance_in_the_unit_of_y_is_seen_by_certify_and_is_not_ours(unit):
    """scikit-learn's default tol bounds a gradient in the unit of y: rates of 1e-5 end it before its first step."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(400, 1))
    y = rng.poisson(np.exp(0.5 * X[:, 0])).astype(float)
    theirs = linear_model.PoissonRegressor(alpha=0).fit(X, y / unit)
    proof = certify(X, y / unit, theirs.coef_, family="poisson", intercept=theirs.intercept_)
    ours = fit(X, y / unit, family="poisson", fit_intercept=True)
    assert (theirs.n_iter_ == 0) == (theirs.coef_[0] == 0) == (proof.relative > 0.1) == (unit > 1)
    assert proof.within[0] >= abs(theirs.coef_[0] - ours.beta[0])
    np.testing.assert_allclose(ours.beta, fit(X, y, family="poisson", fit_intercept=True).beta, rtol=1e-8)


REFUSED = [(kind, family) for kind, entry in CONVENTIONS.items() for family in entry.refused]


@pytest.mark.parametrize("kind, family", REFUSED)
def test_where_no_factor_exists_the_error_and_the_table_say_why(kind, family):
    why = CONVENTIONS[kind].refused[family]
    for convert in (to_lam, from_lam):
        with pytest.raises(ValueError, match=f"has no λ for the family {family}: {re.escape(why)}"):
            convert(0.1, 10, kind, family)
        with pytest.raises(TypeError, match=f"depends on the family: give one of .*{family}"):
            convert(0.1, 10, kind)
    assert table(family).loc[kind, "ours"] == f"no λ: {why}"


def reached(model, family, scale=1.0):
    """λ of which a ridge fit of the rows, y times `scale`, is the optimum: the slope of our loss along β, over ‖β‖²."""
    X, y, _ = rows(family)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, scale * y)
    beta = np.ravel(model.coef_)
    slope = {"gaussian": lambda m: 2 * (m - scale * y), "gamma": lambda m: 1 - scale * y / np.exp(m),
             "poisson": lambda m: np.exp(m) - scale * y, "logistic": lambda m: 1 / (1 + np.exp(-m)) - y}  # fmt: skip
    return -beta @ X.T @ slope[family](X @ beta) / (beta @ beta)


def test_the_ridge_of_statsmodels_has_no_factor_where_the_scale_is_estimated():
    """The same alpha and rows, y ten times as large: for least squares λ is the same, and for GLM it is not."""
    ols = [reached(ByStatsmodels("gaussian", 0.02, 0.0, True), "gaussian", scale) for scale in (1, 10)]
    glm = [reached(ByStatsmodels("gaussian", 0.02, 0.0), "gaussian", scale) for scale in (1, 10)]
    assert ols == pytest.approx([to_lam(0.02, N, "statsmodels", "gaussian")] * 2)
    assert glm[1] > 10 * glm[0]  # the estimated variance is about a hundred times as large


@pytest.mark.slow
@pytest.mark.parametrize("family", ["logistic", "poisson"])
def test_spark_multiplies_by_a_mean_variance_that_its_own_fit_decides(family):
    """No factor: what λ the same regParam stands for depends on how strong it is."""
    options = dict(family={"logistic": "binomial"}.get(family, family), link=LINKS[family])
    factor = [reached(BySpark("GeneralizedLinearRegression", value, False, **options), family) / (N * value)
              for value in (0.01, 1.0)]  # fmt: skip
    assert abs(factor[1] / factor[0] - 1) > 0.05


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
