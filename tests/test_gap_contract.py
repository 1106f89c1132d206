"""celer's contract, gap ≤ tol · scale, for every point of a path, with the gap measured by others as well.

celer (Massias, Gramfort & Salmon 2018) tests that along a path the duality gap is at most tol · ‖y‖²/2n, which is
tol · F(0). Here F(0) is the scale too, and so that nothing rests on our own proof, the objective is also held against
scikit-learn's coordinate descent and against the scaled dual point of its answer.
"""

import warnings

import numpy as np
import pytest
from naive import MEMBERS, extended, minimum, random_problem
from scipy import sparse
from scipy.special import expit, xlogy
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet as SklearnElasticNet
from sklearn.linear_model import LogisticRegression

from glmlab import L1, ElasticNet, path

TOLS = [1e-3, 1e-6, 1e-10]
SHAPES = [(60, 20), (30, 50)]


def data(n, p, form, seed=0):
    """Correlated columns, a third of the coefficients not zero."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + rng.normal(size=(n, 1))
    X = X * (rng.random((n, p)) < 0.3) if form == "sparse" else X
    y = X[:, ::3] @ rng.normal(size=len(range(0, p, 3))) + rng.normal(size=n)
    return (sparse.csr_array(X) if form == "sparse" else X), y


def dense(X):
    return X.toarray() if sparse.issparse(X) else X


@pytest.mark.parametrize("tol", TOLS)
@pytest.mark.parametrize("form", ["dense", "sparse"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_least_squares(l1_ratio, shape, form, tol):
    X, y = data(*shape, form)
    n, scale = len(y), y @ y
    penalty = L1(1.0) if l1_ratio == 1.0 else ElasticNet(1.0, l1_ratio)
    found = path(X, y, family="gaussian", penalty=penalty, n_lams=12, ratio=0.02, tol=tol)
    for lam, result in zip(found.lams, found, strict=True):
        assert result.converged and result.certificate.bound <= tol * scale * (1 + 1e-12)
        settings = {"fit_intercept": False, "tol": 1e-12, "max_iter": 10**6}
        model = SklearnElasticNet(alpha=lam / (2 * n), l1_ratio=l1_ratio, **settings)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            theirs = model.fit(dense(X), y).coef_
        l1, l2 = lam * l1_ratio, lam * (1 - l1_ratio)
        values = [((y - X @ b) ** 2).sum() + l1 * np.abs(b).sum() + l2 / 2 * (b @ b) for b in (result.beta, theirs)]
        lowest = scaled_dual(X, y, theirs, l1, l2)
        assert lowest <= values[1] + 1e-9 * scale, "a dual value is below every primal one"
        assert values[0] - values[1] <= result.certificate.bound + 1e-12 * scale
        assert values[0] - lowest <= tol * scale + (values[1] - lowest) + 1e-12 * scale


def scaled_dual(X, y, beta, l1, l2):
    """The dual value at the residual, shrunk until |Xᵀθ − l2 β|∞ ≤ l1 (the elastic net as a lasso with extra rows)."""
    X = dense(X)
    X, y = np.vstack([X, np.sqrt(l2 / 2) * np.eye(X.shape[1])]), np.append(y, np.zeros(X.shape[1]))
    theta = 2 * (y - X @ beta)
    theta = theta * min(1.0, l1 / np.abs(X.T @ theta).max())
    return theta @ y - theta @ theta / 4


@pytest.mark.parametrize("tol", TOLS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_logistic(shape, tol):
    X, y = data(*shape, "dense", seed=1)
    y = (y > 0).astype(float)
    scale = len(y) * np.log(2)
    found = path(X, y, family="logistic", penalty="l1", n_lams=8, ratio=0.05, tol=tol)
    for lam, result in zip(found.lams, found, strict=True):
        assert result.converged and result.certificate.bound <= tol * scale * (1 + 1e-12)
        model = LogisticRegression(l1_ratio=1.0, C=1 / lam, solver="liblinear", fit_intercept=False, tol=1e-10,
                                   max_iter=10**5)  # fmt: skip
        theirs = model.fit(X, y).coef_[0]
        values = [(np.logaddexp(0, X @ b) - y * (X @ b)).sum() + lam * np.abs(b).sum() for b in (result.beta, theirs)]
        theta = expit(X @ theirs) - y
        theta = theta * min(1.0, lam / np.abs(X.T @ theta).max())
        lowest = -(xlogy(theta + y, theta + y) + xlogy(1 - theta - y, 1 - theta - y)).sum()
        assert lowest <= min(values) + 1e-12 * scale
        assert values[0] - lowest <= tol * scale + (values[1] - lowest) + 1e-12 * scale


@extended
@pytest.mark.parametrize("tol", TOLS)
@pytest.mark.parametrize("family", MEMBERS)
def test_families_with_a_parameter(family, tol):
    """Here the other measure is a minimum that damped Newton steps find from 0 in extended precision."""
    problem = random_problem(family, L1(1.0), seed=3, n=60, p=5, weighted=True)
    scale = problem.value(np.zeros(5)) - problem.floor()
    extras = {"sample_weight": problem.w, "n_lams": 5, "ratio": 0.01, "tol": tol}
    found = path(problem.X, problem.y, family=MEMBERS[family], penalty="l1", **extras)
    for lam, result in zip(found.lams, found, strict=True):
        here = problem._replace(penalty=L1(lam))
        assert result.converged and result.certificate.bound <= tol * scale * (1 + 1e-12)
        gap = here.value(result.beta) - here.value(minimum(here))
        assert -1e-15 * scale <= gap <= result.certificate.bound
