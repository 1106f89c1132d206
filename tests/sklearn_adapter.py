"""A pytest plugin that runs scikit-learn's own GLM tests with glmlab in the place of its Newton solver.

    python -m pytest -p tests.sklearn_adapter --pyargs sklearn.linear_model._glm.tests.test_glm

SKLEARN_GLM_CHUNKS = "1", "3" or "uneven" puts dense rows on dask in so many chunks, and cuts sparse ones likewise.
scikit-learn minimises mean(ℓ) + α/2 ‖β‖²; here the loss is a sum, so λ = α Σw. Its squared error has a ½ that ours
has not, which doubles λ. Its `tol` bounds a gradient and ours a gap: `run` gets the smaller of it and 1e-8 as it is,
and no callback. A fit that does not say that it converged warns as scikit-learn's does.
"""

import json
import os
import warnings
from collections import Counter
from fnmatch import fnmatch

import dask.array as da
import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model._glm import _GeneralizedLinearRegressor as Regressor
from sklearn.linear_model._glm import glm as sklearn_glm

import glmlab

# What is not run, by name, and why. test_sklearn_glm.py checks that every name still stands for something.
DESELECTED = {
    "*lbfgs*": "asks for L-BFGS by name; its newton-cholesky twin is run",
    "test_glm_log_regression[estimator2-*": "not convex: Tweedie of power 3",
    "test_glm_log_regression[estimator3-*": "not convex: the Gaussian with a log link",
    "test_glm_log_regression[estimator5-*": "not convex: Tweedie of power 4.5",
    "test_tweedie_score[log-0]": "not convex: the Gaussian with a log link",
    "test_tweedie_score[identity-1.5]": "family not built: Tweedie with the identity link",
    "test_tweedie_score[*-3]": "not convex: Tweedie of power 3",
    "test_tweedie_score[identity-1]": "family not built: Poisson with the identity link",
    "test_tweedie_score[identity-2]": "family not built: Gamma with the identity link",
    "test_tweedie_link_auto[3-LogLink]": "not convex: Tweedie of power 3",
    "test_tweedie_link_argument[identity-IdentityLink]": "family not built: Poisson with the identity link",
    "test_tags*": "fits nothing",
    "test_newton_solver_verbosity*": "what scikit-learn's private solver prints",
    "test_linalg_warning_with_newton_solver*": "the private warning with which scikit-learn falls back to L-BFGS",
    "test_convergence_warning": "wants a warning after one step, which solves least squares: its tol is proved",
    "test_poisson_regressor_array_api*": "array libraries other than NumPy; hard-wired to L-BFGS",
}

FAMILIES = {  # loss, Tweedie power → family, and what its λ is multiplied by
    ("HalfSquaredError", None): (glmlab.Gaussian(), 2),
    ("HalfTweedieLossIdentity", 0): (glmlab.Gaussian(), 2),
    ("HalfPoissonLoss", None): (glmlab.Poisson(), 1),
    ("HalfTweedieLoss", 1): (glmlab.Poisson(), 1),
    ("HalfTweedieLoss", 1.5): (glmlab.Tweedie(1.5), 1),
    ("HalfGammaLoss", None): (glmlab.Gamma(), 1),
    ("HalfTweedieLoss", 2): (glmlab.Gamma(), 1),
    ("HalfBinomialLoss", None): (glmlab.Logistic(), 1),
}


class GlmlabNewton:
    """Stands in for `NewtonCholeskySolver`: the same constructor, `solve` and `iteration`."""

    fits = 0

    def __init__(self, *, coef, linear_loss, l2_reg_strength, tol, max_iter, n_threads, verbose):
        self.start, self.intercept, self.alpha = coef, linear_loss.fit_intercept, l2_reg_strength
        self.tol, self.max_iter = tol, max_iter
        loss = linear_loss.base_loss
        self.family, self.factor = FAMILIES[type(loss).__name__, getattr(loss.closs, "power", None)]

    def solve(self, X, y, sample_weight):
        GlmlabNewton.fits += 1
        total = len(y) if sample_weight is None else sample_weight.sum()
        lengths = CHUNKS(len(y)) if CHUNKS else None
        if lengths and not sparse.issparse(X):
            X, y, sample_weight = (placed(column, lengths) for column in (X, y, sample_weight))
        rows = glmlab.as_chunks(X, y, sample_weight=sample_weight, intercept=self.intercept, chunks=lengths)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", (glmlab.NotConverged, glmlab.RankWarning))
            result = glmlab.run(
                "newton", glmlab.Objective(self.family, rows), glmlab.Ridge(self.factor * self.alpha * total),
                start=self.start, max_iter=self.max_iter, tol=min(self.tol, 1e-8),
            )  # fmt: skip
        self.iteration = result.n_iter
        if not result.converged:
            warnings.warn(result.status, ConvergenceWarning, stacklevel=2)
        return np.append(result.beta, result.intercept) if self.intercept else result.beta


def placed(column, lengths):
    """The column on dask, in these row chunks."""
    return None if column is None else da.from_array(column, chunks=(lengths, *column.shape[1:]))


def uneven(n):
    """One row, then an eighth of the rows, then all others."""
    lengths = (min(1, n), n // 8, n - n // 8 - min(1, n))
    return tuple(length for length in lengths if length)


CHUNKS = {
    None: None,
    "1": lambda n: (n,),
    "3": lambda n: tuple(len(part) for part in np.array_split(np.arange(n), 3) if len(part)),
    "uneven": uneven,
}[os.environ.get("SKLEARN_GLM_CHUNKS")]


class Record:
    """The plugin: puts our solver in, leaves out what is deselected, and writes down what happened."""

    def __init__(self, path):
        self.path, self.outcome, self.fits, self.left_out = path, {}, {}, {}

    def pytest_collection_modifyitems(self, config, items):
        for item in list(items):
            pattern = next((pattern for pattern in DESELECTED if fnmatch(item.name, escape(pattern))), None)
            if pattern:
                self.left_out[item.name] = pattern
                items.remove(item)

    def pytest_runtest_setup(self, item):
        GlmlabNewton.fits = 0

    def pytest_runtest_logreport(self, report):
        name = report.nodeid.split("::")[-1]
        if report.when == "call" or not report.passed:
            self.outcome[name] = report.outcome
            self.fits[name] = GlmlabNewton.fits

    def pytest_sessionfinish(self):
        counts = Counter(self.outcome.values())
        found = {"counts": counts, "outcome": self.outcome, "fits": self.fits, "left_out": self.left_out}
        with open(self.path, "w") as file:
            json.dump(found, file)


def escape(pattern):
    """Square brackets in test names are meant literally."""
    return pattern.replace("[", "[[]")


def pytest_configure(config):
    sklearn_glm.NewtonCholeskySolver = GlmlabNewton
    original = Regressor.fit

    def fit(self, *args, **kwargs):
        """Estimators that leave the solver at its default use ours too."""
        self.solver = "newton-cholesky"
        return original(self, *args, **kwargs)

    Regressor.fit = fit
    config.pluginmanager.register(Record(os.environ["SKLEARN_GLM_RECORD"]))
