"""The move of a full step of notebook 06b: right answers written otherwise, and wrong ones with their mistakes."""

import numpy as np
import pytest
from answers import accepted, rejected
from scipy.optimize import minimize_scalar

from glmlab.maths.penalties import shrinkage
from glmlab.teaching.exercises06 import problems
from glmlab.teaching.exercises06_moves import points, truth

# ---------------------------------------------------------------- what the conditions stand on


def test_a_full_step_goes_to_the_minimiser_of_a_model_with_curvature_l():
    for beta, q, lam, L in points(1):
        for start, slope in zip(beta, q, strict=True):
            def model(b, start=start, slope=slope, lam=lam, L=L):
                return slope * (b - start) + L / 2 * (b - start) ** 2 + lam * abs(b)

            reach = (abs(slope) + lam) / L + abs(start)
            least = minimize_scalar(model, bounds=(-2 * reach, 2 * reach), method="bounded", options={"xatol": 1e-12})
            moved = shrinkage(start - slope / L, lam / L)
            assert model(moved) <= least.fun + 1e-12 * abs(least.fun)


def test_a_shorter_step_moves_less_but_not_less_than_its_share():
    """So a rule that looks at the change holds too early, and the full move does not depend on the step."""
    for beta, q, lam, L in points(2):
        full = truth(beta, q, lam, L)
        for share in (0.9, 0.1, 1e-3):
            assert share * full * (1 - 1e-12) <= truth(beta, q, lam, L / share) * (1 + 1e-12)
            assert truth(beta, q, lam, L / share) <= full * (1 + 1e-12)


def test_only_an_optimal_beta_stays_where_it_is():
    for problem in problems(3):
        L = np.linalg.eigvalsh(2 * problem.X.T @ problem.X)[-1]
        at_best = truth(problem.best, problem.slope(problem.best), problem.lam, L)
        off = problem.best + 1e-3
        assert at_best <= 1e-9 * (1 + np.abs(problem.best).max()) < truth(off, problem.slope(off), problem.lam, L)


# ---------------------------------------------------------------- right answers


def by_clipping(beta, q, lam, L):
    v = beta - q / L
    return float(np.max(np.abs(v - np.clip(v, -lam / L, lam / L) - beta)))


def by_loops(beta, q, lam, L):
    largest, t = 0.0, 1 / L
    for b, slope in zip(beta, q, strict=True):
        v = b - t * slope
        after = v - t * lam if v > t * lam else v + t * lam if v < -t * lam else 0.0
        largest = max(largest, abs(after - b))
    return largest


@pytest.mark.parametrize("right", [by_clipping, by_loops])
def test_full_move_written_otherwise(right):
    accepted("full_move", right)


# ---------------------------------------------------------------- wrong answers

MOVE, ZERO = "the largest move of a step of length 1/L", "zero where beta is optimal"


def moved(beta, q, lam, L):
    return shrinkage(beta - q / L, lam / L) - beta


@pytest.mark.parametrize(("wrong", "says"), [
    pytest.param(lambda beta, q, lam, L: np.abs(shrinkage(beta - q / L, lam) - beta).max(), "not lam", id="threshold"),
    pytest.param(lambda beta, q, lam, L: np.abs(q / L).max(), "penalty is missing", id="no shrinkage"),
    pytest.param(lambda beta, q, lam, L: np.abs(moved(beta, -q, lam, L)).max(), "against the gradient", id="uphill"),
    pytest.param(lambda beta, q, lam, L: np.abs(moved(beta, q, lam, 1 / L)).max(), "not L", id="step of length L"),
    pytest.param(lambda *given: np.linalg.norm(moved(*given)), "not the Euclidean norm", id="norm"),
    pytest.param(lambda *given: np.abs(moved(*given)).sum(), "not the sum", id="sum"),
    pytest.param(lambda *given: np.abs(moved(*given)).mean(), "not the mean", id="mean"),
    pytest.param(lambda *given: moved(*given).max(), "abs before max", id="signed"),
    pytest.param(lambda beta, *rest: np.abs(moved(beta, *rest) + beta).max(), "subtract beta", id="where it arrives"),
    pytest.param(lambda beta, q, lam, L: L * np.abs(moved(beta, q, lam, L)).max(), "do not divide", id="mapping"),
    pytest.param(lambda *given: np.abs(moved(*given)), "one number", id="an array"),
])  # fmt: skip
def test_full_move_wrong(wrong, says):
    rejected("full_move", wrong, MOVE, says)


def test_an_answer_that_is_never_small_is_refused_at_an_optimum():
    rejected("full_move", lambda *given: max(truth(*given), 1e-9), ZERO, "leads back to beta")
