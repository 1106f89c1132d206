"""solver="auto": what it stands for, that the status says so and why, and that the choice costs the least passes."""

from types import SimpleNamespace

import numpy as np
import pytest
from naive import draw

from glmlab import L1, ElasticNet, Objective, Ridge, Stopping, Zero, as_chunks, fit, run
from glmlab.fitting import choose

FAMILIES = ["gaussian", "logistic", "poisson", "gamma"]


def data(n, p, family="logistic", kappa=1e2):
    rng = np.random.default_rng([n, p])
    turn, _ = np.linalg.qr(rng.normal(size=(p, p)))
    X = rng.normal(size=(n, p)) * np.geomspace(1, kappa**-0.5, p) @ turn.T
    eta = X @ rng.normal(size=p)
    return X, draw(family, eta / eta.std(), rng)


class Shape:
    """As much of an Objective as the choice looks at."""

    quadratic, chunks = False, SimpleNamespace(intercept=False)

    def __init__(self, n, dim):
        self.n, self.dim = n, dim


@pytest.mark.parametrize(
    "n, p, smooth, l1",
    [
        (8_000_000, 15, "pilot_newton", "pilot_newton"), (15_000, 15, "pilot_newton", "pilot_newton"),
        (14_999, 15, "newton", "proximal_newton"), (99_000, 100, "newton", "proximal_newton"),
        (99_000, 101, "lbfgs", "pilot_newton"), (99_000, 300, "lbfgs", "pilot_newton"),
        (100_000, 301, "lbfgs", "working_sets"), (30_000, 1000, "lbfgs", "working_sets"),
        (29_999, 1000, "newton", "working_sets"), (300, 1000, "newton", "working_sets"),
        (10, 3, "newton", "proximal_newton"),
    ],
)  # fmt: skip
def test_the_choice_by_rows_and_columns(n, p, smooth, l1):
    for penalty in (Zero(), Ridge(1.0), ElasticNet(1.0, 0.0), L1(0.0)):
        assert choose("auto", Shape(n, p), penalty)[0] == smooth
    for penalty in (L1(1.0), ElasticNet(1.0, 0.5)):
        assert choose("auto", Shape(n, p), penalty)[0] == l1


@pytest.mark.parametrize("n, p", [(9_000, 3), (4_000, 120), (50, 120)])
@pytest.mark.parametrize("penalty, solver", [(Ridge(1.0), "newton"), (L1(1.0), "proximal_newton")])
def test_least_squares_sum_their_hessian_once_however_many_rows(n, p, penalty, solver):
    f = Objective("gaussian", as_chunks(*data(n, p, "gaussian")))
    assert choose("auto", f, penalty) == (solver, choose("auto", f, penalty)[1])
    assert "summed once" in choose("auto", f, penalty)[1]


def test_of_a_readers_penalty_only_the_prox_is_used():
    solver, why = choose("auto", Shape(10, 3), object())
    assert solver == "fista" and "only the prox is known" in why


def test_what_was_asked_for_is_taken():
    assert choose("fista", Shape(10, 3), Zero()) == ("fista", "")


@pytest.mark.parametrize("penalty, solver", [(Ridge(1.0), "lbfgs"), (L1(3.0), "pilot_newton")], ids=str)
def test_many_columns_are_fitted_in_few_passes_and_the_status_says_how(penalty, solver):
    X, y = data(6000, 150)
    result = fit(X, y, family="logistic", penalty=penalty, tol=1e-8, policy=Stopping(rough_tol=0.0))  # the gap alone
    assert result.converged and result.solver == solver
    assert f"{solver} was chosen because" in result.status and "150 coefficients make Hessians dear" in result.status
    other = fit(X, y, family="logistic", penalty=penalty, solver="proximal_newton", tol=1e-8)
    assert result.passes <= 16
    if penalty.smooth:
        assert result.state.metric == "pilot", "no Hessian was summed over all rows"
    assert abs(result.objective - other.objective) <= result.certificate.bound + other.certificate.bound


@pytest.mark.parametrize("penalty, solver", [(Ridge(1.0), "newton"), (L1(1.0), "proximal_newton")], ids=str)
def test_fewer_rows_than_columns(penalty, solver):
    """L-BFGS begins with the full Hessian, too, and keeps it: it takes more passes."""
    X, y = data(60, 150)
    result = fit(X, y, family="logistic", penalty=penalty, tol=1e-7)
    assert result.converged and result.solver == solver and "none can be spared" in result.status
    if penalty.smooth:
        assert run("lbfgs", Objective("logistic", as_chunks(X, y)), penalty, tol=1e-7).passes > result.passes


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_a_reason(family):
    for n, p in ((4000, 3), (300, 3)):
        result = fit(*data(n, p, family), family=family, penalty=Ridge(1.0))
        assert result.converged and f"{result.solver} was chosen because" in result.status
