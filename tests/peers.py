"""Other libraries' fits for `test_conventions`: estimators with fit, coef_ and intercept_, whatever theirs are called.

A package that is not installed skips the test that needs it. H2O and Spark start a server on this host.
"""

import functools

import numpy as np
import pytest
import statsmodels.api as sm

SM = {
    "gaussian": sm.families.Gaussian, "logistic": sm.families.Binomial, "poisson": sm.families.Poisson,
    "gamma": lambda: sm.families.Gamma(sm.families.links.Log()),
}  # fmt: skip


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


def snapml(name, penalty):
    def model(value, intercept):
        package = pytest.importorskip("snapml")
        return getattr(package, name)(regularizer=value, penalty=penalty, dual=False, tol=1e-12, max_iter=10_000)

    return model


def asgl(value, intercept):
    package = pytest.importorskip("asgl")
    return package.Regressor("lm", "lasso", lambda1=value, fit_intercept=intercept, tol=1e-6)


def group_lasso(value, intercept):
    package = pytest.importorskip("group_lasso")
    return package.GroupLasso(np.arange(4), group_reg=value, l1_reg=0, scale_reg="none", fit_intercept=intercept,
                              tol=1e-10, n_iter=100_000, supress_warning=True)  # fmt: skip


class ByAdelie:
    def __init__(self, family, lmda, l1_ratio, intercept):
        self.family, self.lmda, self.l1_ratio, self.intercept = family, lmda, l1_ratio, intercept

    def fit(self, X, y, sample_weight=None):
        adelie = pytest.importorskip("adelie")
        family = getattr(adelie.glm, "binomial" if self.family == "logistic" else self.family)
        weights = None if sample_weight is None else sample_weight / sample_weight.sum()
        options = dict(alpha=self.l1_ratio, lmda_path=[self.lmda], intercept=self.intercept, early_exit=False)
        accurate = dict(tol=1e-14, irls_tol=1e-14, progress_bar=False)
        state = adelie.solver.grpnet(
            np.asfortranarray(X), family(y.astype(float), weights=weights), **options, **accurate)  # fmt: skip
        self.coef_, self.intercept_ = state.betas.toarray()[-1], state.intercepts[-1]


LINKS = {"gaussian": "identity", "logistic": "logit", "poisson": "log", "gamma": "log"}


@functools.cache
def start_h2o():
    """H2O's package and its server on this host, which ends with the tests."""
    h2o = pytest.importorskip("h2o")
    h2o.init(nthreads=1, max_mem_size="1G", bind_to_localhost=True, verbose=False)
    h2o.no_progress()
    return h2o


class ByH2O:
    def __init__(self, family, value, l1_ratio, intercept):
        self.family, self.value, self.l1_ratio, self.intercept = family, value, l1_ratio, intercept

    def fit(self, X, y, sample_weight=None):
        h2o = start_h2o()
        w = np.ones(len(y)) if sample_weight is None else sample_weight
        names = [f"x{j}" for j in range(X.shape[1])]
        frame = h2o.H2OFrame(np.column_stack([X, y, w]), column_names=[*names, "y", "w"])
        if self.family == "logistic":
            frame["y"] = frame["y"].asfactor()
        accurate = dict(solver="COORDINATE_DESCENT", beta_epsilon=1e-12, objective_epsilon=1e-14, max_iterations=5000)
        model = h2o.estimators.H2OGeneralizedLinearEstimator(
            family="binomial" if self.family == "logistic" else self.family, link=LINKS[self.family],
            alpha=self.l1_ratio, lambda_=self.value, standardize=False, intercept=self.intercept, weights_column="w",
            **accurate,
        )  # fmt: skip
        model.train(x=names, y="y", training_frame=frame)
        found = model.coef()
        self.coef_, self.intercept_ = [found[name] for name in names], found["Intercept"]


@functools.cache
def start_spark():
    """A session of Spark on this host, which ends with the tests."""
    sql = pytest.importorskip("pyspark.sql")
    settings = {"spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    session = sql.SparkSession.builder.master("local[1]").config(map=settings).getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    return session


class BySpark:
    """An estimator of pyspark.ml; options beside regParam and fitIntercept are its own."""

    def __init__(self, name, value, intercept, **options):
        self.name, self.options = name, dict(regParam=value, fitIntercept=intercept, tol=1e-12, **options)

    def fit(self, X, y, sample_weight=None):
        session = start_spark()
        from pyspark.ml import classification, regression
        from pyspark.ml.linalg import Vectors

        w = np.ones(len(y)) if sample_weight is None else sample_weight
        table = [(Vectors.dense(row), float(value), float(weight)) for row, value, weight in zip(X, y, w, strict=True)]
        estimator = getattr(classification if self.name == "LogisticRegression" else regression, self.name)
        model = estimator(weightCol="w", maxIter=500, **self.options).fit(
            session.createDataFrame(table, ["features", "label", "w"]))  # fmt: skip
        self.coef_, self.intercept_ = model.coefficients.toArray(), model.intercept
