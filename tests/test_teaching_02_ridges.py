"""The second exercise of notebook 02: right answers written otherwise, and wrong ones with their mistakes."""

import numpy as np
import pytest
import scipy.linalg
from answers import accepted, rejected
from scipy.linalg import solve_triangular
from sklearn.linear_model import Ridge

from glmlab.teaching import exercise


def by_eigenvectors(G, c, lams):
    """One decomposition, then p² for each λ."""
    values, V = np.linalg.eigh(G)
    return ((V.T @ c) / (values + np.asarray(lams)[:, None] / 2)) @ V.T


def at_once(G, c, lams):
    systems = 2 * G + np.multiply.outer(np.asarray(lams, dtype=float), np.eye(len(c)))
    return np.linalg.solve(systems, np.broadcast_to(2 * c[:, None], (len(lams), len(c), 1)))[..., 0]


def as_a_list(G, c, lams):
    return [np.linalg.inv(G + 0.5 * lam * np.identity(len(c))) @ c for lam in lams]


def by_singular_values(G, c, lams):
    """Of a symmetric matrix without negative eigenvalues, they are the eigenvalues."""
    U, s, _ = np.linalg.svd(G)
    return np.stack([U @ ((U.T @ c) / (s + lam / 2)) for lam in lams])


def by_scipy(G, c, lams):
    """One Hessenberg form, which is tridiagonal here; then p operations for each λ, and p² for the way back."""
    T, Q = scipy.linalg.hessenberg(G, calc_q=True)
    bands = np.zeros((3, len(c)))
    bands[0, 1:], bands[1], bands[2, :-1] = np.diag(T, 1), np.diag(T), np.diag(T, -1)
    shift = np.array([[0.0], [0.5], [0.0]])
    return [Q @ scipy.linalg.solve_banded((1, 1), bands + lam * shift, Q.T @ c) for lam in lams]


def by_conjugate_gradients(G, c, lams):
    """p steps and some more, for each λ; rows of an array made beforehand."""
    betas = np.zeros((len(lams), len(c)))
    for k, lam in enumerate(lams):
        A, r = G + lam / 2 * np.eye(len(c)), c.copy()
        d, rr = r, r @ r
        for _ in range(20 * len(c)):
            if np.sqrt(rr) <= 1e-15 * np.linalg.norm(c):
                break
            step = rr / (d @ A @ d)
            betas[k] += step * d
            r = r - step * (A @ d)
            d, rr = r + (r @ r) / rr * d, r @ r
    return betas


def by_cholesky_each(G, c, lams):
    rows = []
    for lam in lams:
        L = np.linalg.cholesky(2 * G + lam * np.eye(len(c)))
        rows.append(solve_triangular(L.T, solve_triangular(L, 2 * c, lower=True)))
    return np.stack(rows)


@pytest.mark.parametrize("right", [by_eigenvectors, by_singular_values, by_scipy, by_conjugate_gradients])
def test_ridges_written_otherwise(right):
    accepted("ridges", right)


def with_lam(change):
    """Ridges where λ acts otherwise: ``change(G, c, lam)`` returns the system."""

    def solve(G, c, lams):
        return np.array([np.linalg.solve(*change(G, c, lam)) for lam in lams])

    return solve


right_ridges = with_lam(lambda G, c, lam: (G + lam / 2 * np.eye(len(c)), c))


def rows(G):
    return np.trace(G) / len(G)  # what n is where columns have variance 1


def unconverged(G, c, lams):
    """A hundred steps of gradient descent."""
    betas = np.zeros((len(lams), len(c)))
    for beta, lam in zip(betas, lams, strict=True):
        for _ in range(100):
            beta -= (G @ beta - c + lam / 2 * beta) / (np.trace(G) + lam / 2)
    return betas


EACH, FREE, GRADIENT, ONCE = (
    "one row of p coefficients for each λ", "λ = 0 is least squares", "the gradient vanishes: 2(Gβ − c) + λβ = 0",
    "one decomposition for all λ",
)  # fmt: skip


@pytest.mark.parametrize(("wrong", "condition", "says"), [
    pytest.param(with_lam(lambda G, c, lam: (G + lam * np.eye(len(c)), c)), GRADIENT, "obeys 2λ", id="½ forgotten"),
    pytest.param(with_lam(lambda G, c, lam: (2 * G + lam / 2 * np.eye(len(c)), 2 * c)), GRADIENT, "obeys λ/2",
                 id="½ twice"),
    pytest.param(with_lam(lambda G, c, lam: (G + 50 * lam / 2 * np.eye(len(c)), c)), GRADIENT, "no n", id="n λ"),
    pytest.param(with_lam(lambda G, c, lam: (G + rows(G) * lam / 2 * np.eye(len(c)), c)), GRADIENT, "no n",
                 id="n λ from G"),
    pytest.param(with_lam(lambda G, c, lam: (G / rows(G) + lam / 2 * np.eye(len(c)), c / rows(G))), GRADIENT, "no n",
                 id="mean"),
    pytest.param(with_lam(lambda G, c, lam: (G - lam / 2 * np.eye(len(c)), c)), GRADIENT, "obeys -1 λ", id="sign"),
    pytest.param(with_lam(lambda G, c, lam: (G + lam / 2, c)), GRADIENT, "on the diagonal", id="λ on every entry"),
    pytest.param(with_lam(lambda G, c, lam: (G * (1 + lam), c)), GRADIENT, "on the diagonal", id="orthogonal columns"),
    pytest.param(with_lam(lambda G, c, lam: (2 * G + lam * np.eye(len(c)), c)), FREE, "only λ", id="no 2 on c"),
    pytest.param(lambda G, c, lams: right_ridges(G, c, sorted(lams)), GRADIENT, "keep the order", id="sorted"),
    pytest.param(lambda G, c, lams: right_ridges(G, c, np.cumsum(lams)), GRADIENT, "begin every row", id="λ piles up"),
    pytest.param(lambda G, c, lams: right_ridges(G, c, lams)[0], EACH, "each λ", id="first λ only"),
    pytest.param(lambda G, c, lams: right_ridges(G, c, lams).T, EACH, "print type(…) and .shape", id="columns"),
    pytest.param(lambda G, c, lams: dict(zip(lams, right_ridges(G, c, lams), strict=True)), EACH, "NumPy array",
                 id="dict"),
    pytest.param(lambda G, c, lams: right_ridges(G, c, lams[:].tolist()), EACH, "lams may be a list", id="arrays only"),
    pytest.param(lambda G, c, lams: right_ridges(G.astype(np.float32), c, lams), FREE, "float32 keeps 7 digits",
                 id="float32"),
    pytest.param(unconverged, FREE, "an iteration goes on", id="unconverged"),
    pytest.param(right_ridges, ONCE, "6 λs it decomposed, inverted or solved 6 matrices", id="a solve each"),
    pytest.param(at_once, ONCE, "solved 6 matrices", id="a stack of systems"),
    pytest.param(as_a_list, ONCE, "solved 6 matrices", id="an inverse each"),
    pytest.param(by_cholesky_each, ONCE, "solved 6 matrices", id="a Cholesky factor each"),
])  # fmt: skip
def test_ridges_wrong(wrong, condition, says):
    rejected("ridges", wrong, condition, says)


def test_ridges_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 5)) @ rng.normal(size=(5, 5)), rng.normal(size=60)
    lams = [0.1, 3.0, 700.0]
    betas = exercise("ridges").reference(X.T @ X, X.T @ y, lams)
    for lam, beta in zip(lams, betas, strict=True):  # theirs: Σ (y − xᵀβ)² + alpha ‖β‖²
        assert np.allclose(beta, Ridge(alpha=lam / 2, fit_intercept=False).fit(X, y).coef_, rtol=1e-10)
