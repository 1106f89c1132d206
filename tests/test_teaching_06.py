"""The exercises of notebook 06: right answers written otherwise, and wrong ones with their misunderstanding."""

import numpy as np
import pytest
from answers import called, rejected

from glmlab import L1, certify
from glmlab.maths.quadratic import minimise_model
from glmlab.teaching import check, exercise
from glmlab.teaching.exercises06 import BLOCKS, around, lasso, problems


def reference(name):
    return exercise(name).reference


# ---------------------------------------------------------------- what the conditions stand on


@pytest.mark.parametrize("problem", problems(1), ids=lambda problem: problem.name)
def test_the_known_minimum_is_one(problem):
    """No subgradient, and no point around it is lower; and the package proves it."""
    assert reference("kkt")(problem.slope(problem.best), problem.best, problem.lam) <= 1e-9 * problem.lam
    assert min(problem.gap(beta) for beta in around(problem, 2)) >= -problem.rounding(problem.best)
    proof = certify(problem.X, problem.y, problem.best, family="gaussian", penalty=L1(problem.lam))
    assert proof.relative <= 1e-10


def test_problems_are_no_easy_ones():
    """Where all curvatures are alike, wrong constants pass."""
    kappas = [np.linalg.cond(problem.X.T @ problem.X) for problem in problems(3) if problem.X.shape[1] > 1]
    zeros = [np.mean(problem.best == 0) for problem in problems(3)]
    assert min(kappas) > 10 and min(zeros) == 0 and max(zeros) == 1 and any(0 < z < 1 for z in zeros)


# ---------------------------------------------------------------- kkt


@called("kkt")
def by_branches(q, beta, lam):
    total = 0.0
    for q_j, beta_j in zip(q, beta, strict=True):
        if beta_j > 0:
            total += (q_j + lam) ** 2
        elif beta_j < 0:
            total += (q_j - lam) ** 2
        elif abs(q_j) > lam:
            total += (abs(q_j) - lam) ** 2
    return total**0.5


@called("kkt")
def by_the_best_subgradient(q, beta, lam):
    s = np.where(beta == 0, np.clip(-q / lam, -1, 1), np.sign(beta))
    return np.sqrt(((q + lam * s) ** 2).sum())


@called("kkt")
def by_the_package(q, beta, lam):
    return np.linalg.norm(L1(lam).distance(beta, q))


@pytest.mark.parametrize("right", [by_branches, by_the_best_subgradient, by_the_package])
def test_kkt_written_otherwise(right):
    assert check(right), check(right).message


def pieces(q, beta, lam):
    return np.where(beta == 0, np.maximum(abs(q) - lam, 0), abs(q + lam * np.sign(beta)))


OPTIMAL, LEAST, GRADIENT = "zero where beta is optimal", "the least over all subgradients", "in the units of a gradient"


@pytest.mark.parametrize(("wrong", "condition"), [
    pytest.param(lambda q, beta, lam: np.linalg.norm(q), OPTIMAL, id="the penalty does not push"),
    pytest.param(lambda q, beta, lam: np.linalg.norm(q + lam * np.sign(beta)), OPTIMAL, id="the sign of 0 is 0"),
    pytest.param(lambda q, beta, lam: np.linalg.norm(q - lam * np.sign(beta)), OPTIMAL, id="pushes outwards"),
    pytest.param(lambda q, beta, lam: np.linalg.norm(np.maximum(abs(q) - lam, 0)), "not zero elsewhere",
                 id="an interval everywhere"),
    pytest.param(lambda q, beta, lam: np.linalg.norm(abs(abs(q) - lam) * (beta != 0) + pieces(q, 0 * beta, lam)),
                 "not zero elsewhere", id="sizes without signs"),
    pytest.param(lambda q, beta, lam: pieces(q, beta, lam).max(), LEAST, id="the largest"),
    pytest.param(lambda q, beta, lam: pieces(q, beta, lam).sum(), LEAST, id="the sum"),
    pytest.param(lambda q, beta, lam: pieces(q, beta, lam) @ pieces(q, beta, lam), LEAST, id="squared"),
    pytest.param(lambda q, beta, lam: np.linalg.norm(pieces(q, np.where(abs(beta) < 1e-8, 0, beta), lam)), GRADIENT,
                 id="small is zero"),
    pytest.param(lambda q, beta, lam: pieces(q, beta, lam), OPTIMAL, id="one for each coordinate"),
])
def test_kkt_wrong(wrong, condition):
    rejected(called("kkt")(wrong), condition)


# ---------------------------------------------------------------- scaled_gap


@called("scaled_gap")
def by_the_dual_value(X, y, beta, lam):
    r = y - X @ beta
    nu = 2 * r * min(1.0, lam / max(np.abs(2 * X.T @ r).max(), 1e-300))
    dual = y @ nu - nu @ nu / 4
    return float(r @ r + lam * np.linalg.norm(beta, 1) - dual)


@called("scaled_gap")
def by_its_closed_form(X, y, beta, lam):
    """(1 − s)²‖r‖² + s qᵀβ + λ‖β‖₁, as the notebook derives it."""
    r = X @ beta - y
    q = 2 * X.T @ r
    s = 1 if abs(q).max() <= lam else lam / abs(q).max()
    return (1 - s) ** 2 * (r @ r) + s * (q @ beta) + lam * abs(beta).sum()


@called("scaled_gap")
def by_the_best_scale(X, y, beta, lam):
    """El Ghaoui et al.: the best multiple of θ among those that are feasible, which may be longer than θ."""
    r = X @ beta - y
    theta, most = 2 * r, lam / max(np.abs(2 * X.T @ r).max(), 1e-300)
    theta = theta * np.clip(-2 * theta @ y / (theta @ theta), -most, most)
    return r @ r + lam * abs(beta).sum() + theta @ theta / 4 + theta @ y


@pytest.mark.parametrize("right", [by_the_dual_value, by_its_closed_form, by_the_best_scale])
def test_scaled_gap_written_otherwise(right):
    assert check(right), check(right).message


def scaled(conjugate=lambda theta, y: theta @ theta / 4 + theta @ y, scale=None, primal=True, slope=2):
    """An answer that is right but for one thing."""

    def scaled_gap(X, y, beta, lam):
        r = X @ beta - y
        theta = slope * r
        largest = max(np.abs(X.T @ theta).max(), 1e-300)
        theta = theta * (min(1, lam / largest) if scale is None else scale(X, theta, lam, largest))
        return r @ r + primal * lam * abs(beta).sum() + conjugate(theta, y)

    return scaled_gap


BELOW, AT_OPTIMUM = "the gap never exceeds it", "zero at the optimum"


@pytest.mark.parametrize(("wrong", "condition"), [
    pytest.param(scaled(scale=lambda X, theta, lam, largest: 1), BELOW, id="any θ serves"),
    pytest.param(scaled(conjugate=lambda theta, y: theta @ theta / 2 + theta @ y), AT_OPTIMUM, id="the conjugate of ½"),
    pytest.param(scaled(primal=False), BELOW, id="F without its penalty"),
    pytest.param(scaled(slope=1), AT_OPTIMUM, id="θ without its 2"),
    pytest.param(scaled(scale=lambda X, theta, lam, largest: lam / largest), AT_OPTIMUM, id="stretched as well"),
    pytest.param(scaled(scale=lambda X, theta, lam, largest: 0), AT_OPTIMUM, id="θ = 0"),
    pytest.param(scaled(scale=lambda X, theta, lam, largest: min(1, lam / np.linalg.norm(X.T @ theta))), AT_OPTIMUM,
                 id="shrunk by the 2-norm"),
    pytest.param(scaled(scale=lambda X, theta, lam, largest: min(1, lam / abs(np.mean(X.T @ theta)))), BELOW,
                 id="shrunk by the mean"),
    pytest.param(scaled(conjugate=lambda theta, y: theta @ theta / 4 - theta @ y), AT_OPTIMUM, id="the sign of θy"),
    pytest.param(lambda X, y, beta, lam: scaled()(X, y, beta, lam) / len(y), BELOW, id="a mean"),
    pytest.param(lambda X, y, beta, lam: scaled()(X, y, beta, lam) + 1e-3 * scaled(scale=lambda *_: 0)(X, y, beta, lam),
                 AT_OPTIMUM, id="a little more, to be safe"),
])
def test_scaled_gap_wrong(wrong, condition):
    rejected(called("scaled_gap")(wrong), condition)


def test_a_gap_that_forgets_that_lambda_counts_against_a_sum():
    def for_a_mean(X, y, beta, lam):
        return scaled()(X, y, beta, lam * len(y))

    assert check(called("scaled_gap")(for_a_mean)).failed in (BELOW, AT_OPTIMUM)


# ---------------------------------------------------------------- mu_lower


@called("mu_lower")
def of_the_sum(blocks):
    return 2 * np.linalg.eigvalsh(sum(X.T @ X for X in blocks))[0]


@called("mu_lower")
def by_singular_values(blocks):
    """A block of fewer rows than columns says nothing."""
    full = [X for X in blocks if len(X) >= X.shape[1]]
    return float(sum(2 * np.linalg.svd(X, compute_uv=False).min() ** 2 for X in full))


@called("mu_lower")
def by_factors(blocks):
    R = np.vstack([np.linalg.qr(X, mode="r") for X in blocks])
    return 2 * np.linalg.norm(R, -2) ** 2 if len(R) >= R.shape[1] else 0.0


@pytest.mark.parametrize("right", [of_the_sum, by_singular_values, by_factors])
def test_mu_lower_written_otherwise(right):
    assert check(right), check(right).message


def least(X):
    return 2 * np.linalg.eigvalsh(X.T @ X)[0]


def from_a_sample(blocks):
    X = np.vstack(blocks)
    few = X[np.random.default_rng(0).permutation(len(X))[: max(3, len(X) // 10)]]
    return least(few) * len(X) / len(few)


ABOVE, EVERY = "never above the smallest eigenvalue", "every block counts"


@pytest.mark.parametrize(("wrong", "condition"), [
    pytest.param(lambda blocks: len(blocks) * least(blocks[0]), ABOVE, id="chunks are alike"),
    pytest.param(from_a_sample, ABOVE, id="a sample, scaled up"),
    pytest.param(lambda blocks: np.linalg.eigvalsh(2 * sum(X.T @ X for X in blocks))[-1], ABOVE, id="the largest"),
    pytest.param(lambda blocks: np.diag(2 * sum(X.T @ X for X in blocks)).min(), ABOVE, id="the diagonal"),
    pytest.param(lambda blocks: 2 * sum(len(X) for X in blocks) * 0.5, ABOVE, id="2n, as if columns were white"),
    pytest.param(lambda blocks: min(np.linalg.norm(X, -2) for X in blocks) / 1e3, "in the units of a curvature",
                 id="not squared"),
    pytest.param(lambda blocks: min(least(X) for X in blocks), EVERY, id="the worst block alone"),
    pytest.param(lambda blocks: sum(least(X) for X in blocks) / 2, EVERY, id="without the 2"),
    pytest.param(lambda blocks: np.mean([least(X) for X in blocks]), EVERY, id="the mean"),
    pytest.param(lambda blocks: 0.0, EVERY, id="nothing"),
])
def test_mu_lower_wrong(wrong, condition):
    rejected(called("mu_lower")(wrong), condition)


def test_the_first_of_sorted_blocks_sees_more_than_the_others():
    blocks = BLOCKS["sorted rows"]()
    assert len(blocks) * least(blocks[0]) > 1.2 * of_the_sum(blocks)


# ---------------------------------------------------------------- corrected


@called("corrected")
def by_the_dual_point(q, beta, lam, XS, d):
    """Through H = 2XᵀX of the sample: the price is ½dᵀHd."""
    H = 2 * (XS.T @ XS)
    slope = q + H @ d
    if np.any(np.abs(slope) > lam + 1e-9 * lam):
        return float("inf")
    return float(d @ H @ d / 2 + lam * np.linalg.norm(beta, 1) + slope @ beta)


@called("corrected")
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


@pytest.mark.parametrize("right", [by_the_dual_point, by_loops])
def test_corrected_written_otherwise(right):
    assert check(right), check(right).message


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


INFEASIBLE, ANY, SHARP = (
    "no bound where the penalty cannot carry the slope",
    "the gap never exceeds it, for any d and any rows",
    "the gap itself with all rows and the best d",
)


@pytest.mark.parametrize(("wrong", "condition"), [
    pytest.param(moved(feasible=lambda s, lam: s), INFEASIBLE, id="finite though infeasible"),
    pytest.param(moved(feasible=lambda s, lam: np.clip(s, -lam, lam)), INFEASIBLE, id="clipped"),
    pytest.param(moved(price=lambda t, d: t @ t / 2), ANY, id="half the price"),
    pytest.param(moved(price=lambda t, d: 0.0), ANY, id="moves are free"),
    pytest.param(moved(carry=lambda lam, beta, s: 0 * beta), ANY, id="the price alone"),
    pytest.param(moved(carry=lambda lam, beta, s: lam * abs(beta) - s * abs(beta)), ANY, id="s has the sign of beta"),
    pytest.param(moved(price=lambda t, d: 2 * (t @ t)), SHARP, id="twice the price"),
    pytest.param(moved(carry=lambda lam, beta, s: lam * abs(beta) + s * beta), ANY, id="the sign of s"),
    pytest.param(moved(curve=1), SHARP, id="curvature without its 2"),
    pytest.param(lambda q, beta, lam, XS, d: np.inf, SHARP, id="never a claim"),
    pytest.param(lambda q, beta, lam, XS, d: moved()(q, beta, lam * (1 + 1e-2), XS, d), INFEASIBLE, id="nearly"),
])
def test_corrected_wrong(wrong, condition):
    rejected(called("corrected")(wrong), condition)


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
