"""Races over many λ: a path, and a cross-validated path. Each function is an experiment, as in `experiments`."""

import numpy as np

from glmlab import datasets
from glmlab.bench.memory import peak_memory
from glmlab.bench.timing import clocked
from glmlab.fitting import certify
from glmlab.maths.conventions import from_lam
from glmlab.maths.penalties import L1
from glmlab.paths import path
from glmlab.validation import cross_validate_path

TOL = 1e-6
MAKE = {"gaussian": datasets.make_regression, "logistic": datasets.make_logistic}


def raced(family, n, p, n_lams, ours, warm=5_000):
    """The experiment of a function of ours, (X, y, family, n_lams) → Path; n: {scale: rows}."""

    def run(scale, folder):
        X, y, _ = MAKE[family](n[scale], p, **columns(family))
        ours(X[:warm], y[:warm], family, 3)  # compiles the kernels
        before = peak_memory(reset=True)
        seconds, found = clocked(lambda: ours(X, y, family, n_lams))
        results = found.path if hasattr(found, "path") else found
        return {"wall": seconds, "relative": max(result.certificate.relative for result in results),
                "passes": None, "rounds": None, "memory": peak_memory() - before}  # fmt: skip

    return run


def columns(family):
    return {"x": "normal"} if family == "logistic" else {}


def our_path(X, y, family, n_lams):
    return path(X, y, family=family, n_lams=n_lams, tol=TOL)


def our_folds(X, y, family, n_lams):
    return cross_validate_path(X, y, family=family, n_lams=n_lams, tol=TOL)


def peer(family, n, p, n_lams, solve):
    """The experiment of a peer, (X, y, family, λs) → β at each λ or None, at the λ of our path."""

    def run(scale, folder):
        X, y, _ = MAKE[family](n[scale], p, **columns(family))
        lams = our_path(X, y, family, n_lams).lams
        solve(X[:5_000], y[:5_000], family, lams[:2])
        seconds, betas = clocked(lambda: solve(X, y, family, lams))
        worst = (
            None
            if betas is None
            else max(
                certify(X, y, beta, family=family, penalty=L1(lam)).relative
                for lam, beta in zip(lams, betas, strict=True)
            )
        )
        return {"wall": seconds, "relative": worst, "passes": None, "rounds": None, "memory": None}  # fmt: skip

    return run


def lasso_path(X, y, family, lams):
    """scikit-learn's."""
    from sklearn.linear_model import lasso_path

    return lasso_path(X, y, alphas=alphas(lams, len(y), "Lasso"))[1].T


def warm_glum(X, y, family, lams):
    """glum, each fit started at the one before."""
    from glum import GeneralizedLinearRegressor

    model = GeneralizedLinearRegressor(
        family="binomial", l1_ratio=1.0, fit_intercept=False, gradient_tol=1e-6, max_iter=1000, warm_start=True
    )
    return np.array([model.set_params(alpha=alpha).fit(X, y).coef_ for alpha in alphas(lams, len(y), "glum", family)])


def glum_folds(X, y, family, lams):
    """glum's cross-validation on two cores."""
    from glum import GeneralizedLinearRegressorCV

    GeneralizedLinearRegressorCV(
        family="binomial",
        l1_ratio=1.0,
        alphas=alphas(lams, len(y), "glum", family),
        fit_intercept=False,
        gradient_tol=1e-6,
        max_iter=1000,
        cv=5,
        n_jobs=2,
    ).fit(X, y)


def alphas(lams, n, library, *family):
    """Our λ as the library's."""
    return [from_lam(lam, n, library, *family) for lam in lams]


LASSO = "gaussian", {"full": 100_000, "ci": 2_000}, 100, 50
LOGISTIC = "logistic", {"full": 100_000, "ci": 2_000}, 100, 50
FOLDS = "logistic", {"full": 1_000_000, "ci": 5_000}, 50, 30
FEWER = "logistic", {"full": 100_000, "ci": 2_000}, 50, 30
RACES = {
    ("lasso path", "glmlab"): raced(*LASSO, our_path),
    ("lasso path", "lasso_path"): peer(*LASSO, lasso_path),
    ("logistic path", "glmlab"): raced(*LOGISTIC, our_path),
    ("logistic path", "glum"): peer(*LOGISTIC, warm_glum),
    ("folds", "glmlab"): raced(*FOLDS, our_folds),
    ("folds", "path"): raced(*FOLDS, our_path),
    ("folds, fewer rows", "glmlab"): raced(*FEWER, our_folds),
    ("folds, fewer rows", "glum"): peer(*FEWER, glum_folds),
}
