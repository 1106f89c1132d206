"""Residual-corrected duality of notebook 06: right answers written otherwise, and wrong ones with their mistakes."""

import numpy as np
import pytest
from answers import accepted, rejected

from glmlab import L1
from glmlab.maths.quadratic import minimise_model
from glmlab.teaching import exercise
from glmlab.teaching.exercises06 import around, lasso


def reference(name):
    return exercise(name).reference


def by_the_dual_point(q, beta, lam, XS, d):
    """Through H = 2XᵀX of the sample: the price is ½dᵀHd."""
    H = 2 * (XS.T @ XS)
    slope = q + H @ d
    if np.any(np.abs(slope) > lam + 1e-9 * lam):
        return float("inf")
    return float(d @ H @ d / 2 + lam * np.linalg.norm(beta, 1) + slope @ beta)


def by_loops(q, beta, lam, XS, d):
    price, slope = 0.0, np.array(q, dtype=float)
    for x in XS:
        t = x @ d
        price, slope = price + t * t, slope + 2 * t * x
    for s, b in zip(-slope, beta, strict=True):
        if abs(s) > lam * (1 + 1e-9):
            return np.inf
        price += lam * abs(b) - np.clip(s, -lam, lam) * b
    return price


def by_coordinates(q, beta, lam, XS, d):
    """The penalty's part through its conjugate, with s held to [−lam, lam] where rounding carried it out."""
    t = np.dot(XS, d)
    s = -q - 2 * np.dot(t, XS)
    held = np.clip(s, -lam, lam)
    if np.max(np.abs(s - held)) > 1e-9 * lam:
        return float("inf")
    return np.sum(t**2) + lam * np.linalg.norm(beta, 1) - held @ beta


def by_ratio(q, beta, lam, XS, d):
    t = XS.dot(d)
    ratio = -(q + 2 * XS.T.dot(t)) / lam
    fine = bool(np.all(np.abs(ratio) <= 1 + 1e-9))
    return np.linalg.norm(t) ** 2 + lam * (np.abs(beta) - ratio * beta).sum() if fine else np.inf


def by_einsum(q, beta, lam, XS, d):
    t = np.einsum("ij,j->i", XS, d)
    s = -(q + 2 * np.einsum("ij,i->j", XS, t))
    return np.where(np.abs(s).max() > lam + 1e-9 * lam, np.inf, (t * t).sum() + (lam * abs(beta) - s * beta).sum())


@pytest.mark.parametrize("right", [by_the_dual_point, by_loops, by_coordinates, by_ratio, by_einsum])
def test_corrected_written_otherwise(right):
    accepted("corrected", right)


def moved(price=lambda t, d: t @ t, curve=2, carry=lambda lam, beta, s: lam * abs(beta) - s * beta, feasible=None):
    """An answer that is right but for one thing."""

    def corrected(q, beta, lam, XS, d):
        t = XS @ d
        s = -(q + curve * XS.T @ t)
        if feasible is None and np.abs(s).max() > lam * (1 + 1e-9):
            return np.inf
        s = s if feasible is None else feasible(s, lam)
        return price(t, d) + carry(lam, beta, s).sum()

    return corrected


INFEASIBLE, FORGIVEN = "no bound where the penalty cannot carry the slope", "rounding is forgiven"
ANY, SHARP = "the gap never exceeds it, for any d and any rows", "the gap itself with all rows and the best d"


def allowing(most):
    """An answer with another test of feasibility."""

    def corrected(q, beta, lam, XS, d):
        s = -(q + 2 * XS.T @ (XS @ d))
        return moved(feasible=lambda s, lam: s)(q, beta, lam, XS, d) if np.abs(s).max() <= most(lam) else np.inf

    return corrected


def by_the_2_norm(q, beta, lam, XS, d):
    s = -(q + 2 * XS.T @ (XS @ d))
    free = moved(feasible=lambda s, lam: s)(q, beta, lam, XS, d)
    return free if np.linalg.norm(s) <= lam * (1 + 1e-9) else np.inf


def one_sided(q, beta, lam, XS, d):
    s = -(q + 2 * XS.T @ (XS @ d))
    return moved(feasible=lambda s, lam: s)(q, beta, lam, XS, d) if s.min() >= -lam * (1 + 1e-9) else np.inf


@pytest.mark.parametrize(("wrong", "condition", "says"), [
    pytest.param(moved(feasible=lambda s, lam: s), INFEASIBLE, "nearly is no proof", id="finite though infeasible"),
    pytest.param(moved(feasible=lambda s, lam: np.clip(s, -lam, lam)), INFEASIBLE, "Clipping w", id="clipped"),
    pytest.param(allowing(lambda lam: 1.01 * lam), INFEASIBLE, "forgive a part in 10⁹", id="nearly"),
    pytest.param(allowing(lambda lam: lam * (1 + 1e-5)), INFEASIBLE, "forgive a part in 10⁹",
                 id="as np.isclose has it"),
    pytest.param(allowing(lambda lam: lam), FORGIVEN, "forgive a part in 10⁹", id="strict"),
    pytest.param(allowing(lambda lam: lam + 1e-9), FORGIVEN, "forgive a part in 10⁹ of lam", id="1e-9 for any lam"),
    pytest.param(by_the_2_norm, FORGIVEN, "the largest |w_j| decides", id="2-norm of w"),
    pytest.param(one_sided, INFEASIBLE, "whatever its sign", id="one side of w"),
    pytest.param(moved(price=lambda t, d: t @ t / 2), ANY, "without a ½", id="half the price"),
    pytest.param(moved(price=lambda t, d: 0.0), ANY, "the move is not free", id="moves are free"),
    pytest.param(moved(carry=lambda lam, beta, s: 0 * beta), ANY, "the other is", id="the price alone"),
    pytest.param(moved(carry=lambda lam, beta, s: lam * abs(beta) - s * abs(beta)), ANY, "not times |beta_j|",
                 id="s has the sign of beta"),
    pytest.param(moved(price=lambda t, d: 2 * (t @ t)), SHARP, "not twice that", id="twice the price"),
    pytest.param(moved(carry=lambda lam, beta, s: lam * abs(beta) + s * beta), ANY, "the sign of w", id="sign of w"),
    pytest.param(moved(carry=lambda lam, beta, s: -s * beta), ANY, "the penalty is missing", id="no penalty"),
    pytest.param(moved(curve=1), SHARP, "H = 2XSᵀXS", id="curvature without its 2"),
    pytest.param(lambda q, beta, lam, XS, d: np.inf, FORGIVEN, "forgive a part in 10⁹", id="never a claim"),
    pytest.param(lambda q, beta, lam, XS, d: moved()(q, beta, lam, XS, d) * np.ones(2), INFEASIBLE,
                 "return one number", id="an array"),
])
def test_corrected_wrong(wrong, condition, says):
    rejected("corrected", wrong, condition, says)


def test_no_feasible_direction_has_a_smaller_bound_than_the_models_step():
    """The notebook says so: the model's optimality conditions are those of the smallest bound."""
    problem, rng, corrected = lasso(7, 60, 4, 0.1), np.random.default_rng(8), reference("corrected")
    for XS in (problem.X, problem.X[::3]):
        H = 2 * XS.T @ XS
        for beta in around(problem, 9):
            q = problem.slope(beta)
            best = minimise_model(L1(problem.lam), beta, q, H).point - beta
            least = corrected(q, beta, problem.lam, XS, best)
            slopes = problem.lam * rng.uniform(-1, 1, size=(50, 4))  # any of them is feasible
            others = [corrected(q, beta, problem.lam, XS, np.linalg.solve(H, -q - s)) for s in slopes]
            assert least <= min(others) * (1 + 1e-9) + problem.rounding(beta) < np.inf


def test_the_bounds_of_all_references_hold_on_one_problem():
    """Four bounds of one gap, as the notebook uses them together."""
    problem = lasso(5, 60, 4, 0.05)
    for beta in around(problem, 6):
        q, gap, slack = problem.slope(beta), problem.gap(beta), problem.rounding(beta)
        mu = reference("mu_lower")([problem.X[:20], problem.X[20:]])
        d = problem.best - beta
        assert reference("kkt")(q, beta, problem.lam) ** 2 / (2 * mu) >= gap - slack
        assert reference("scaled_gap")(problem.X, problem.y, beta, problem.lam) >= gap - slack
        assert abs(reference("corrected")(q, beta, problem.lam, problem.X, d) - gap) <= 1e-9 * gap + slack
