"""The post's benchmark, replayed: its four methods, as far as they are known, on rows like its own.

Its data are gone and its penalty was never given; λ = 1 here, scikit-learn's C = 1. What is known of the rest is
written down here: dask-glm's default rules for ending, scikit-learn's settings, and what the post did with the answers.
"""

import warnings

import numpy as np
from scipy.optimize import fmin_l_bfgs_b

from glmlab.datasets import make_logistic
from glmlab.families import Logistic
from glmlab.fitting import fit
from glmlab.penalties import L1, shrinkage

COLUMNS, CHUNKS, SEED, LAM = 15, 8, 20009, 1.0  # of its laptop problem, but λ


def benchmark(rows):
    """X (rows, 15), y, and {row of the ledger: coefficients that its method finds on them}.

    The laptop's and the cluster's rows are replayed once: they differ in n and in the machines only.
    """
    X, y, _ = make_logistic(rows, COLUMNS, seed=SEED)
    gradient, admm = proximal_gradient(X, y), consensus(X, y)
    answers = {
        "post: proximal gradient, laptop": gradient,
        "post: ADMM, laptop": admm,
        "post: scikit-learn LogisticRegression": liblinear(X, y),
        "post: scikit-learn SGDClassifier": sgd(X, y),
        "post: proximal gradient, cluster": gradient,
        "post: ADMM, cluster": admm,
    }
    return X, y, answers


def proximal_gradient(X, y, *, tol=1e-8, max_iter=100):
    """Ours, ended as dask-glm's ends: when the *loss*, without its penalty, falls by less than tol of itself."""
    before = np.inf

    def hardly_changes(state):
        nonlocal before
        loss = state.objective - LAM * np.abs(state.beta).sum()
        held, before = before - loss < tol * loss, loss
        return held

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nobody expects it to converge
        options = {"solver": "proximal_gradient", "until": hardly_changes, "max_iter": max_iter}
        return fit(X, y, family="logistic", penalty=L1(LAM), **options).beta


def consensus(X, y, *, rho=1.0, abstol=1e-4, reltol=1e-2, max_iter=250):
    """dask-glm's `admm` with its defaults: scalar ρ, no relaxation, local solves by L-BFGS, Boyd's rule for ending.

    Reference: Boyd et al. (2011), §7.1.1 and (3.12).
    """
    chunks = list(zip(np.array_split(X, CHUNKS), np.array_split(y, CHUNKS), strict=True))
    z, B, U = np.zeros(X.shape[1]), np.zeros((CHUNKS, X.shape[1])), np.zeros((CHUNKS, X.shape[1]))
    for _ in range(max_iter):
        B = np.array([local_update(*rows, b, z - u, rho) for rows, b, u in zip(chunks, B, U, strict=True)])
        old, z = z, shrinkage((B + U).mean(axis=0), LAM / (rho * CHUNKS))
        U += B - z
        primal, dual = np.linalg.norm(B - z), rho * np.linalg.norm(z - old)
        size = max(np.linalg.norm(B), np.sqrt(CHUNKS) * np.linalg.norm(z))
        if primal < np.sqrt(B.size) * abstol + reltol * size and (
            dual < np.sqrt(B.size) * abstol + reltol * rho * np.linalg.norm(U)
        ):
            break
    return z


def local_update(X, y, start, v, rho):
    """argmin_b f_k(b) + (ρ/2)‖b − v‖²."""
    loss = Logistic()

    def value_and_slope(b):
        eta, move = X @ b, b - v
        return loss.loss(eta, y).sum() + rho / 2 * move @ move, X.T @ loss.dloss(eta, y) + rho * move

    return fmin_l_bfgs_b(value_and_slope, start)[0]


def liblinear(X, y):
    """The post's LogisticRegression(penalty='l1', C=1): it fits an intercept, penalised, of which nothing was used."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(l1_ratio=1, C=1 / LAM, solver="liblinear", random_state=0).fit(X, y).coef_[0]


def sgd(X, y):
    """The post's SGDClassifier: ten epochs, no intercept; its default alpha is another λ (alpha times n)."""
    from sklearn.linear_model import SGDClassifier

    options = {"loss": "log_loss", "penalty": "l1", "max_iter": 10, "tol": None, "fit_intercept": False}
    return SGDClassifier(**options, random_state=0).fit(X, y).coef_[0]
