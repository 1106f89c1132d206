"""The post's methods again, as far as they are known, on rows from the same distribution.

The post's data are lost. For its least squares all else is known. For its benchmark λ is not; here λ = 1,
scikit-learn's C = 1. Known are dask-glm's default stopping rules, scikit-learn's settings, and what the post did with
the answers.
"""

import warnings
from itertools import islice

import numpy as np
from scipy.optimize import fmin_l_bfgs_b

from glmlab.datasets import make_logistic
from glmlab.fitting import certify, fit
from glmlab.maths.families import Logistic
from glmlab.maths.penalties import L1, Zero, shrinkage
from glmlab.rows.entrance import as_chunks
from glmlab.rows.objective import Objective
from glmlab.solvers.admm import post_admm

from . import triangles

COLUMNS, CHUNKS, SEED, LAM = 15, 8, 20009, 1.0  # of the post's laptop problem; λ is ours


def least_squares(rows, p=100, chunks=10, lam=7.2):
    """{row of the ledger: (coefficients, `Certificate`)} of the post's three methods, on so many rows drawn anew.

    The rows are drawn as triangles (`triangles.drawn`), so that a million cost no more than a thousand.
    """
    parts = triangles.drawn(rows, np.random.default_rng(SEED).random(p), chunks, seed=SEED)
    X, y = np.vstack([X_k for X_k, _ in parts]), np.concatenate([y_k for _, y_k in parts])
    f = Objective("gaussian", as_chunks(X, y, chunks=tuple(len(y_k) for _, y_k in parts)))
    z = next(islice(post_admm(f, L1(lam), np.zeros(p)), 10, None)).beta  # after ten rounds
    H, c = 2 * X.T @ X, 2 * X.T @ y
    answers = {
        "post: naive solve": (np.linalg.solve(H, c), Zero()),
        "post: gradient descent": (descent(H, c), Zero()),
        "post: ADMM, λ = 7.2": (z, L1(lam)),
    }
    return {method: (b, certify(X, y, b, family="gaussian", penalty=g)) for method, (b, g) in answers.items()}


def descent(H, c, max_iter=100):
    """The post's gradient descent: a vector of steps 1/s − 1e-8, s the eigenvalues of H, until no β_j moves by 1e-8."""
    steps, beta = 1 / np.linalg.svd(H, compute_uv=False) - 1e-8, np.zeros(len(c))
    for _ in range(max_iter):
        move = steps * (H @ beta - c)
        beta = beta - move
        if np.abs(move).max() < 1e-8:
            break
    return beta


def benchmark(rows):
    """X (rows, 15), y, and {row of the ledger: coefficients that its method finds on these rows}.

    The ledger's rows for the laptop and for the cluster get the same coefficients: only n and the machine differ.
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


def certified(rows):
    """{row of the ledger: certified relative gap of its replay on so many rows}."""
    X, y, answers = benchmark(rows)
    problem = {"family": "logistic", "penalty": L1(LAM)}
    return {method: certify(X, y, beta, **problem).relative for method, beta in answers.items()}


def proximal_gradient(X, y, *, tol=1e-8, max_iter=100):
    """Our proximal gradient with dask-glm's rule: end when the *loss*, without penalty, falls by less than tol · loss.

    Reference: dask_glm/algorithms.py.
    """
    before = np.inf

    def hardly_changes(state):
        nonlocal before
        loss = state.objective - LAM * np.abs(state.beta).sum()
        held, before = before - loss < tol * loss, loss
        return held

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it does not converge, and should not
        options = {"solver": "proximal_gradient", "until": hardly_changes, "max_iter": max_iter}
        return fit(X, y, family="logistic", penalty=L1(LAM), **options).beta


def consensus(X, y, *, rho=1.0, abstol=1e-4, reltol=1e-2, max_iter=250):
    """dask-glm's `admm` with its defaults: scalar ρ, no relaxation, local solves by L-BFGS, Boyd's stopping rule.

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
    """The post's LogisticRegression(penalty='l1', C=1): it fits a penalised intercept, which the post did not use."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(l1_ratio=1, C=1 / LAM, solver="liblinear", random_state=0).fit(X, y).coef_[0]


def sgd(X, y):
    """The post's SGDClassifier: ten epochs, no intercept. Its default alpha means another λ (alpha times n)."""
    from sklearn.linear_model import SGDClassifier

    options = {"loss": "log_loss", "penalty": "l1", "max_iter": 10, "tol": None, "fit_intercept": False}
    return SGDClassifier(**options, random_state=0).fit(X, y).coef_[0]
