"""Fits that glmnet's authors and users have published, reached to every printed digit.

glmnet minimises mean(ℓ) + λ/2 ‖β‖²; here the loss is a sum, so its λ = 1 is n times that: 4 and 9.
"""

import dask.array as da
import numpy as np
import pytest

from glmlab import Ridge, certify, fit

POISSON = dict(
    family="poisson", lam=4, X=np.array([[-2.0, 0], [-1, 0], [1, 1], [2, 1]]), y=np.array([0.0, 1, 1, 2]),
    intercept=-0.12889387, beta=[0.29019208, 0.03741173],
)  # fmt: skip
LOGISTIC = dict(
    family="logistic", lam=9, X=np.c_[np.arange(-4.0, 5), [0, 0, 1, 0, 1, 1, 1, 0, 0]], y=np.repeat([0.0, 1], [3, 6]),
    intercept=0.89230405, beta=[0.44464569, 0.01457563],
)  # fmt: skip
SOLVERS = ["auto", "gradient_descent", "proximal_gradient", "fista", "newton", "proximal_newton"]


def on_dask(a):
    return da.from_array(a, chunks=(3, *a.shape[1:]))


@pytest.mark.parametrize("place", [np.asarray, on_dask])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("published", [POISSON, LOGISTIC], ids=["poisson", "logistic"])
def test_published_fit(published, solver, place):
    X, y = place(published["X"]), place(published["y"])
    result = fit(X, y, family=published["family"], penalty=Ridge(published["lam"]), fit_intercept=True, solver=solver,
                 tol=1e-13)  # fmt: skip
    assert result.converged
    assert result.intercept == pytest.approx(published["intercept"], abs=1e-6)
    assert result.beta == pytest.approx(published["beta"], abs=1e-6)


@pytest.mark.parametrize("published", [POISSON, LOGISTIC], ids=["poisson", "logistic"])
def test_published_fit_is_certified(published):
    """The other way round: the printed digits, given to certify, are optimal to what was printed."""
    proof = certify(published["X"], published["y"], published["beta"], family=published["family"],
                    penalty=Ridge(published["lam"]), intercept=published["intercept"])  # fmt: skip
    assert proof.relative < 1e-12
