"""Newton's method by products with the Hessian: what it costs, and what it proves without a p × p matrix."""

from itertools import islice

import numpy as np
import pytest
from naive import optimum, random_problem
from sklearn.linear_model import Ridge as ReferenceRidge

from glmlab import Objective, Ridge, as_chunks, certify, fit
from glmlab.fitting import choose
from glmlab.maths.penalties import FreeIntercept, lambdas
from glmlab.maths.products import direction
from glmlab.maths.wide import supported
from glmlab.maths.working import curvature_as
from glmlab.solvers import newton_cg

FAMILIES = ["gaussian", "logistic", "poisson", "gamma"]
P = 2100  # coefficients: more than any p × p matrix is made of


def wide(n=60, p=P, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    return X, X[:, :5].sum(axis=1) + rng.normal(size=n)


@pytest.fixture
def no_square(monkeypatch):
    """Any kernel that sums a p × p matrix fails."""
    plain = Objective.kernel

    def refusing(self, name):
        assert name not in ("loss_grad_hess", "evidence", "factor"), f"{name} makes a matrix of p × p"
        return plain(self, name)

    monkeypatch.setattr(Objective, "kernel", refusing)


def test_each_step_of_conjugate_gradients_is_a_pass_and_so_is_each_trial(monkeypatch):
    problem = random_problem("logistic", Ridge(2.0), seed=0)
    f, products = problem.objective(chunks=30), []
    plain = Objective.hess_times
    monkeypatch.setattr(Objective, "hess_times", lambda *given: products.append(1) or plain(*given))
    f.survey  # noqa: B018
    list(islice(newton_cg(f, problem.g, np.zeros(f.dim)), 4))
    assert len(products) >= 4 and f.passes == 4 + len(products)  # the first point is no trial, but a pass, too


@pytest.mark.usefixtures("no_square")
@pytest.mark.parametrize("intercept", [False, True])
def test_a_wide_ridge_is_fitted_and_proved_without_a_square_matrix(intercept):
    X, y = wide()
    result = fit(X, y, family="gaussian", penalty=Ridge(4.0), fit_intercept=intercept)
    assert result.solver == "newton_cg" and result.converged and result.certificate.relative <= 1e-9
    best = ReferenceRidge(alpha=2.0, fit_intercept=intercept, solver="svd").fit(X, y)  # its loss is ½ (y − η)², λ = 2α
    np.testing.assert_allclose(result.beta, best.coef_, atol=1e-6 * np.abs(best.coef_).max())


@pytest.mark.usefixtures("no_square")
@pytest.mark.parametrize("family", ["logistic", "poisson"])
def test_anybodys_wide_ridge_is_certified(family):
    X, eta = wide()
    y = (eta > 0).astype(float)
    best = fit(X, y, family=family, penalty=Ridge(3.0))
    off = best.beta + 1e-3 * np.random.default_rng(1).normal(size=P)
    found = certify(X, y, off, family=family, penalty=Ridge(3.0))
    gap = found.objective - best.objective
    assert gap <= found.bound <= 3 * gap


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "extras", [{}, {"weighted": 1, "shifted": 1}, {"intercept": 1}, {"weighted": 1, "intercept": 1}]
)
def test_no_bound_by_products_is_below_the_true_gap(family, extras, monkeypatch):
    monkeypatch.setattr("glmlab.maths.wide.curvature_as", lambda g, dim: "products")
    problem = random_problem(family, Ridge(3.0), seed=3, **extras)
    best, f = optimum(problem), problem.objective(chunks=30)
    lowest, finite = problem.value(best), 0
    for distance in (0.0, 1e-10, 1e-7, 1e-4, 1e-2, 0.3, 2.0):
        beta = best.astype(float) + distance * np.random.default_rng(5).normal(size=f.dim)
        gap, found = problem.value(beta) - lowest, supported(f, problem.g, beta)
        assert found.bound >= gap, (distance, found.bound, gap)
        assert distance > 1e-3 or np.isfinite(found.bound)
        finite += np.isfinite(found.bound) and (distance < 1e-6 or distance > 1e-3 or found.bound <= 2 * gap)
    assert finite >= 4


def test_a_direction_leaves_at_most_the_share_and_is_kept_for_its_point():
    problem = random_problem("logistic", Ridge(2.0), seed=1)
    f, beta = problem.objective(chunks=30), np.full(4, 0.3)
    slope = f.loss_grad(beta).grad + 2.0 * beta
    H = f.loss_grad_hess(beta).hess + 2.0 * np.eye(4)
    heading = direction(f, problem.g, beta, slope, 1e-8)
    np.testing.assert_allclose(H @ heading.d, -slope, atol=1e-7 * np.abs(slope).max())
    np.testing.assert_allclose(heading.left, -slope - H @ heading.d, atol=1e-12 * np.abs(slope).max())
    before = f.passes
    assert direction(f, problem.g, beta, slope, 0.1) is heading and f.passes == before
    assert direction(f, problem.g, beta, 2 * slope, 0.1) is not heading


def test_it_is_chosen_where_a_square_matrix_is_too_large_and_a_ridge_holds_all():
    f = Objective("gaussian", as_chunks(*wide()))
    assert choose("auto", f, Ridge(1.0))[0] == "newton_cg"
    assert choose("auto", Objective("gaussian", as_chunks(*wide(p=1999))), Ridge(1.0))[0] == "newton"
    assert curvature_as(FreeIntercept(Ridge(1.0)), P) == "products" and curvature_as(Ridge(0.0), P) == "matrix"
    assert lambdas(FreeIntercept(Ridge(1.0)), 3)[1].tolist() == [1.0, 1.0, 0.0]
