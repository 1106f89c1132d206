"""Races over many λ: a path, and a cross-validated path. Each function is an experiment, as in `experiments`."""

import numpy as np

from glmlab import datasets
from glmlab.bench.memory import peak_memory
from glmlab.bench.timing import timed
from glmlab.fitting import certify
from glmlab.maths.conventions import from_lam
from glmlab.maths.penalties import L1
from glmlab.paths import path
from glmlab.validation import cross_validate_path

TOL = 1e-6  # of the paths that race with a peer; folds and the path beside them have the default
WARM = 5_000  # rows: on them all is run once before the clock starts


def rows(family, n, p):
    """X (n, p) and y (n,) of a model with normal columns."""
    if family == "gaussian":
        return datasets.make_regression(n, p)[:2]
    return datasets.make_logistic(n, p, x="normal")[:2]


def ours(family, n, p, n_lams, solve):
    """The experiment of a function of ours, (X, y, family, n_lams) → Results; n: {scale: rows}."""

    def run(scale, folder):
        X, y = rows(family, n[scale], p)
        solve(X[:WARM], y[:WARM], family, 3)
        before = peak_memory(reset=True)
        results, seconds = timed(lambda: solve(X, y, family, n_lams))
        worst = max(result.certificate.relative for result in results)
        return made(seconds, worst, peak_memory() - before)

    return run


def theirs(family, n, p, n_lams, solve):
    """The experiment of a peer, (X, y, family, λs) → β at each λ or None, at the λ of our path."""

    def run(scale, folder):
        X, y = rows(family, n[scale], p)
        lams = path(X, y, family=family, n_lams=n_lams, tol=TOL).lams
        solve(X[:WARM], y[:WARM], family, lams[:2])
        betas, seconds = timed(lambda: solve(X, y, family, lams))
        known = [] if betas is None else zip(lams, betas, strict=True)
        proofs = [certify(X, y, beta, family=family, penalty=L1(lam)) for lam, beta in known]
        return made(seconds, max((proof.relative for proof in proofs), default=None))

    return run


def made(seconds, relative, memory=None):
    return {"wall": seconds, "relative": relative, "passes": None, "rounds": None, "memory": memory}


def our_path(X, y, family, n_lams):
    return path(X, y, family=family, n_lams=n_lams, tol=TOL)


def default_path(X, y, family, n_lams):
    return path(X, y, family=family, n_lams=n_lams)


def our_folds(X, y, family, n_lams):
    return cross_validate_path(X, y, family=family, n_lams=n_lams).path


def lasso_path(X, y, family, lams):
    """scikit-learn's."""
    from sklearn.linear_model import lasso_path

    return list(lasso_path(X, y, alphas=alphas(lams, len(y), "Lasso"))[1].T)


def warm_glum(X, y, family, lams):
    """glum, each fit started at the one before."""
    from glum import GeneralizedLinearRegressor

    model = GeneralizedLinearRegressor(
        family="binomial", l1_ratio=1.0, fit_intercept=False, gradient_tol=1e-6, max_iter=1000, warm_start=True
    )
    return [np.copy(model.set_params(alpha=a).fit(X, y).coef_) for a in alphas(lams, len(y), "glum", family)]


def glum_folds(X, y, family, lams):
    """glum's cross-validation on two cores."""
    from glum import GeneralizedLinearRegressorCV

    options = {"l1_ratio": 1.0, "fit_intercept": False, "gradient_tol": 1e-6, "max_iter": 1000, "cv": 5, "n_jobs": 2}
    alpha = alphas(lams, len(y), "glum", family)
    GeneralizedLinearRegressorCV(family="binomial", alphas=alpha, **options).fit(X, y)


def lasso_folds(X, y, family, lams):
    """scikit-learn's LassoCV on two cores."""
    from sklearn.linear_model import LassoCV

    options = {"fit_intercept": False, "tol": 1e-6, "cv": 5, "n_jobs": 2}
    LassoCV(alphas=alphas(lams, len(y), "Lasso"), **options).fit(X, y)


def liblinear_folds(X, y, family, lams):
    """scikit-learn's LogisticRegressionCV with liblinear on two cores. Its C is 1/λ for the rows outside of a fold."""
    from sklearn.linear_model import LogisticRegressionCV

    options = {"l1_ratios": [1.0], "solver": "liblinear", "fit_intercept": False, "tol": 1e-6, "cv": 5, "n_jobs": 2,
               "scoring": "neg_log_loss", "use_legacy_attributes": False}  # fmt: skip
    LogisticRegressionCV(Cs=[1 / (0.8 * lam) for lam in lams], **options).fit(X, y)


def alphas(lams, n, library, *family):
    """Our λ as the library's."""
    return [from_lam(lam, n, library, *family) for lam in lams]


LASSO = "gaussian", {"full": 100_000, "ci": 2_000}, 100, 50
LOGISTIC = "logistic", {"full": 100_000, "ci": 2_000}, 100, 50
FOLDS = "logistic", {"full": 1_000_000, "ci": 5_000}, 50, 30
FEWER = "logistic", {"full": 100_000, "ci": 2_000}, 50, 30
LASSO_FOLDS = "gaussian", {"full": 1_000_000, "ci": 5_000}, 50, 30
RACES = {
    ("lasso path", "glmlab"): ours(*LASSO, our_path),
    ("lasso path", "lasso_path"): theirs(*LASSO, lasso_path),
    ("logistic path", "glmlab"): ours(*LOGISTIC, our_path),
    ("logistic path", "glum"): theirs(*LOGISTIC, warm_glum),
    ("folds", "glmlab"): ours(*FOLDS, our_folds),
    ("folds", "path"): ours(*FOLDS, default_path),
    ("folds, fewer rows", "glmlab"): ours(*FEWER, our_folds),
    ("folds, fewer rows", "glum"): theirs(*FEWER, glum_folds),
    ("folds, fewer rows", "LogisticRegressionCV"): theirs(*FEWER, liblinear_folds),
    ("lasso folds", "glmlab"): ours(*LASSO_FOLDS, our_folds),
    ("lasso folds", "LassoCV"): theirs(*LASSO_FOLDS, lasso_folds),
}
