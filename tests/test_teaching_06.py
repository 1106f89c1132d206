"""Distances and bounds of notebook 06: right answers written otherwise, and wrong ones with their mistakes."""

import numpy as np
import pytest
from answers import accepted, rejected

from glmlab import L1, certify
from glmlab.maths.penalties import shrinkage
from glmlab.teaching import exercise
from glmlab.teaching.exercises06 import around, problems
from glmlab.teaching.exercises06_curvature import BLOCKS


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


def by_the_best_subgradient(q, beta, lam):
    s = np.where(beta == 0, np.clip(-q / lam, -1, 1), np.sign(beta))
    return np.sqrt(((q + lam * s) ** 2).sum())


def by_the_package(q, beta, lam):
    return np.linalg.norm(L1(lam).distance(beta, q))


def by_prox(q, beta, lam):
    """Where beta is 0, what shrinkage leaves of q."""
    return np.hypot.reduce(np.where(beta == 0, shrinkage(q, lam), q + lam * np.sign(beta)))


def by_masks(q, beta, lam):
    left = q + lam * np.sign(beta)
    zero = beta == 0
    left[zero] -= np.clip(q[zero], -lam, lam)
    return np.sqrt(left @ left)


@pytest.mark.parametrize("right", [by_branches, by_the_best_subgradient, by_the_package, by_prox, by_masks])
def test_kkt_written_otherwise(right):
    accepted("kkt", right)


def pieces(q, beta, lam):
    return np.where(beta == 0, np.maximum(abs(q) - lam, 0), abs(q + lam * np.sign(beta)))


def prox_step(q, beta, lam):
    return np.linalg.norm(beta - shrinkage(beta - q, lam))


OPTIMAL, LEAST, GRADIENT = "zero where beta is optimal", "the least over all subgradients", "in the units of a gradient"
ELSEWHERE = "not zero elsewhere"


@pytest.mark.parametrize(("wrong", "condition", "says"), [
    pytest.param(lambda q, beta, lam: np.linalg.norm(q), OPTIMAL, "any q_j in [−lam, lam]", id="no penalty"),
    pytest.param(lambda q, beta, lam: np.linalg.norm(q + lam * np.sign(beta)), OPTIMAL, "an interval",
                 id="the sign of 0 is 0"),
    pytest.param(lambda q, beta, lam: np.linalg.norm(q - lam * np.sign(beta)), OPTIMAL, "q_j = −lam", id="outwards"),
    pytest.param(lambda q, beta, lam: np.linalg.norm(np.maximum(abs(q) - lam, 0)), ELSEWHERE, "only one s_j",
                 id="an interval everywhere"),
    pytest.param(lambda q, beta, lam: np.linalg.norm(abs(abs(q) - lam) * (beta != 0) + pieces(q, 0 * beta, lam)),
                 ELSEWHERE, "mind the sign", id="sizes without signs"),
    pytest.param(lambda q, beta, lam: np.linalg.norm((q + lam * np.sign(beta))[beta != 0]), ELSEWHERE,
                 "cancels up to lam", id="zeros left out"),
    pytest.param(lambda q, beta, lam: np.linalg.norm(np.maximum(abs(q) - lam, 0)[beta == 0]), ELSEWHERE, "only one s_j",
                 id="zeros only"),
    pytest.param(lambda q, beta, lam: np.linalg.norm(np.where(beta != 0, pieces(q, beta, lam), np.maximum(q - lam, 0))),
                 ELSEWHERE, "the size |q_j|", id="one side of zero"),
    pytest.param(lambda q, beta, lam: pieces(q, beta, lam).max(), LEAST, "not the largest", id="the largest"),
    pytest.param(lambda q, beta, lam: pieces(q, beta, lam).sum(), LEAST, "not the sum", id="the sum"),
    pytest.param(lambda q, beta, lam: pieces(q, beta, lam) @ pieces(q, beta, lam), LEAST, "not its square",
                 id="squared"),
    pytest.param(lambda q, beta, lam: np.sqrt(np.mean(pieces(q, beta, lam) ** 2)), LEAST, "do not take", id="mean"),
    pytest.param(prox_step, LEAST, "another measure", id="a proximal step"),
    pytest.param(lambda q, beta, lam: np.linalg.norm(pieces(q, np.where(abs(beta) < 1e-8, 0, beta), lam)), GRADIENT,
                 "exactly 0", id="small is zero"),
    pytest.param(lambda q, beta, lam: pieces(q, beta, lam), OPTIMAL, "return one number", id="an array"),
])  # fmt: skip
def test_kkt_wrong(wrong, condition, says):
    rejected("kkt", wrong, condition, says)


# ---------------------------------------------------------------- scaled_gap


def by_the_dual_value(X, y, beta, lam):
    r = y - X @ beta
    nu = 2 * r * min(1.0, lam / max(np.abs(2 * X.T @ r).max(), 1e-300))
    dual = y @ nu - nu @ nu / 4
    return float(r @ r + lam * np.linalg.norm(beta, 1) - dual)


def by_its_closed_form(X, y, beta, lam):
    """(1 − s)²‖r‖² + s qᵀβ + λ‖β‖₁, as the notebook derives it."""
    r = X @ beta - y
    q = 2 * X.T @ r
    s = 1 if abs(q).max() <= lam else lam / abs(q).max()
    return (1 - s) ** 2 * (r @ r) + s * (q @ beta) + lam * abs(beta).sum()


def by_the_best_scale(X, y, beta, lam):
    """El Ghaoui et al.: the best multiple of θ among those that are feasible, which may be longer than θ."""
    r = X @ beta - y
    theta, most = 2 * r, lam / max(np.abs(2 * X.T @ r).max(), 1e-300)
    theta = theta * np.clip(-2 * theta @ y / max(theta @ theta, 1e-300), -most, most)
    return r @ r + lam * abs(beta).sum() + theta @ theta / 4 + theta @ y


def by_loops(X, y, beta, lam):
    theta = [2 * (float(x @ beta) - t) for x, t in zip(X, y, strict=True)]
    steepest = max(abs(float(np.dot(column, theta))) for column in X.T)
    theta = [lam / steepest * slope for slope in theta] if steepest > lam else theta
    F = sum((t - float(x @ beta)) ** 2 for x, t in zip(X, y, strict=True)) + lam * sum(map(abs, beta.tolist()))
    return F + sum(slope**2 / 4 + slope * t for slope, t in zip(theta, y, strict=True))


def by_prices(X, y, beta, lam):
    """Each row pays ℓ(η) + ℓ*(θ) − θη, the penalty λ|β_j| + β_j x_jᵀθ."""
    eta = X @ beta
    theta = 2 * (eta - y)
    theta *= min(1.0, lam / np.linalg.norm(X.T @ theta, np.inf))
    rows = (y - eta) ** 2 + theta**2 / 4 + theta * y - theta * eta
    return rows.sum() + (lam * np.abs(beta) + beta * (X.T @ theta)).sum()


@pytest.mark.parametrize("right", [by_the_dual_value, by_its_closed_form, by_the_best_scale, by_loops, by_prices])
def test_scaled_gap_written_otherwise(right):
    accepted("scaled_gap", right)


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
LOOSE, SUM = "no looser than the scaling makes it", "a sum over rows"
ZERO = "no shrinking where Xᵀθ = 0"


def value(X, y, beta, lam):
    return np.sum((y - X @ beta) ** 2) + lam * abs(beta).sum()


def dividing(X, y, beta, lam, number):
    theta = 2 * (X @ beta - y)
    theta = theta * min(1, lam / number(np.abs(X.T @ theta).max()))
    return value(X, y, beta, lam) + theta @ theta / 4 + theta @ y


@pytest.mark.parametrize(("wrong", "condition", "says"), [
    pytest.param(scaled(scale=lambda X, theta, lam, largest: 1), BELOW, "θ must be shrunk", id="any θ serves"),
    pytest.param(scaled(conjugate=lambda theta, y: theta @ theta / 2 + theta @ y), AT_OPTIMUM, "θ²/4 + θy",
                 id="the conjugate of ½"),
    pytest.param(scaled(primal=False), BELOW, "F has a penalty", id="F without its penalty"),
    pytest.param(scaled(slope=1), AT_OPTIMUM, "θ = 2(η − y)", id="θ without its 2"),
    pytest.param(scaled(scale=lambda X, theta, lam, largest: lam / largest), AT_OPTIMUM, "by more than 1",
                 id="stretched as well"),
    pytest.param(scaled(scale=lambda X, theta, lam, largest: 0), AT_OPTIMUM, "θ = 0", id="θ = 0"),
    pytest.param(scaled(scale=lambda X, theta, lam, largest: min(1, lam / np.linalg.norm(X.T @ theta))), AT_OPTIMUM,
                 "not the 2-norm", id="shrunk by the 2-norm"),
    pytest.param(scaled(scale=lambda X, theta, lam, largest: min(1, lam / abs(np.mean(X.T @ theta)))), BELOW,
                 "in every column", id="shrunk by the mean"),
    pytest.param(scaled(scale=lambda X, theta, lam, largest: min(1, lam / largest) ** 2), LOOSE, "not by its square",
                 id="shrunk twice"),
    pytest.param(scaled(scale=lambda X, theta, lam, largest: 1 if largest <= lam * (1 + 1e-9) else 0), LOOSE,
                 "θ = 0 proves", id="all or nothing"),
    pytest.param(scaled(conjugate=lambda theta, y: theta @ theta / 4 - theta @ y), AT_OPTIMUM, "the sign of θy",
                 id="the sign of θy"),
    pytest.param(lambda X, y, beta, lam: scaled()(X, y, beta, lam) / len(y), BELOW, "do not take", id="a mean"),
    pytest.param(lambda X, y, beta, lam: scaled()(X, y, beta, lam * len(y)), BELOW, "every column", id="λ for a mean"),
    pytest.param(lambda X, y, beta, lam: scaled()(X, y, beta, lam) + 1e-3 * scaled(scale=lambda *_: 0)(X, y, beta, lam),
                 AT_OPTIMUM, "with equality", id="a little more, to be safe"),
    pytest.param(scaled(scale=lambda X, theta, lam, largest: min(1, lam / (2 * largest))), AT_OPTIMUM, "too short by a",
                 id="half the factor"),
    pytest.param(lambda X, y, beta, lam: scaled()(X, y, beta, lam) - np.sum((y - X @ beta) ** 2) / 2, BELOW,
                 "the loss has no ½", id="half the loss"),
    pytest.param(lambda X, y, beta, lam: value(X, y, beta, lam) - scaled()(X, y, beta, lam), BELOW, "alone",
                 id="the dual value alone"),
    pytest.param(lambda X, y, beta, lam: 2 * value(X, y, beta, lam) - scaled()(X, y, beta, lam), BELOW,
                 "add Σ ℓ*(θᵢ)", id="minus the conjugate"),
    pytest.param(lambda X, y, beta, lam: lam * abs(beta).sum() + scaled(primal=False)(X, y, beta, lam) / len(y), BELOW,
                 "no means", id="mean loss and mean conjugate"),
    pytest.param(lambda X, y, beta, lam: dividing(X, y, beta, lam, float), ZERO, "ZeroDivisionError",
                 id="divides by 0"),
    pytest.param(lambda X, y, beta, lam: scaled(scale=lambda X, theta, lam, most: min(1, lam / most) * (most > 1e-300))(
        X, y, beta, lam), ZERO, "also where all of them are 0", id="0 where q = 0"),
    pytest.param(lambda X, y, beta, lam: (y - X @ beta) ** 2, BELOW, "return one number", id="an array"),
])
def test_scaled_gap_wrong(wrong, condition, says):
    rejected("scaled_gap", wrong, condition, says)


# ---------------------------------------------------------------- mu_lower


def of_the_sum(blocks):
    return 2 * np.linalg.eigvalsh(sum(X.T @ X for X in blocks))[0]


def by_singular_values(blocks):
    """A block of fewer rows than columns says nothing."""
    full = [X for X in blocks if len(X) >= X.shape[1]]
    return float(sum(2 * np.linalg.svd(X, compute_uv=False).min() ** 2 for X in full))


def by_factors(blocks):
    R = np.vstack([np.linalg.qr(X, mode="r") for X in blocks])
    return 2 * np.linalg.norm(R, -2) ** 2 if len(R) >= R.shape[1] else 0.0


def a_little_safer(blocks):
    """Rounding may carry an eigenvalue up, so give a part in a billion away."""
    values = np.linalg.eigvalsh(2 * np.vstack(blocks).T @ np.vstack(blocks))
    return max(values[0] * (1 - 1e-9), 0.0)


def by_rayleigh(blocks):
    """A residual bound: no eigenvalue lies nearer than ‖Hv − θv‖ to θ, and none below the smallest θ."""
    H = 2 * sum(X.T @ X for X in blocks)
    values, V = np.linalg.eigh(H)
    return values[0] - np.linalg.norm(H @ V[:, 0] - values[0] * V[:, 0])


def of_the_worst(blocks):
    return len(blocks) * min(least(X) for X in blocks)


@pytest.mark.parametrize("right", [
    of_the_sum, by_singular_values, by_factors, a_little_safer, by_rayleigh, of_the_worst,
])
def test_mu_lower_written_otherwise(right):
    accepted("mu_lower", right)


def least(X):
    return 2 * np.linalg.eigvalsh(X.T @ X)[0]


def from_a_sample(blocks):
    X = np.vstack(blocks)
    few = X[np.random.default_rng(0).permutation(len(X))[: max(3, len(X) // 10)]]
    return least(few) * len(X) / len(few)


def smallest_nonzero(blocks):
    values = [np.linalg.eigvalsh(2 * X.T @ X) for X in blocks]
    return sum(each[each > 1e-9 * each[-1]][0] for each in values)


def hessian(blocks):
    return 2 * sum(X.T @ X for X in blocks)


ABOVE, EVERY, UNITS = "never above the smallest eigenvalue", "every block counts", "in the units of a curvature"


@pytest.mark.parametrize(("wrong", "condition", "says"), [
    pytest.param(lambda blocks: len(blocks) * least(blocks[0]), ABOVE, "sort them by a feature", id="chunks are alike"),
    pytest.param(from_a_sample, ABOVE, "An estimate is no proof", id="a sample, scaled up"),
    pytest.param(lambda blocks: sum(2 * np.linalg.svd(X, compute_uv=False)[-1] ** 2 for X in blocks), ABOVE,
                 "fewer rows than columns has", id="svd of short blocks"),
    pytest.param(smallest_nonzero, ABOVE, "fewer rows than columns has", id="smallest nonzero eigenvalues"),
    pytest.param(lambda blocks: np.linalg.eigvalsh(hessian(blocks))[-1], ABOVE, "ascending order", id="the largest"),
    pytest.param(lambda blocks: sum(np.linalg.eigvalsh(hessian([X]))[-1] for X in blocks), ABOVE, "largest eigenvalues",
                 id="the largest of each"),
    pytest.param(lambda blocks: np.diag(hessian(blocks)).min(), ABOVE, "not its eigenvalues", id="the diagonal"),
    pytest.param(lambda blocks: np.trace(hessian(blocks)) / blocks[0].shape[1], ABOVE, "the mean eigenvalue",
                 id="the trace"),
    pytest.param(lambda blocks: 2 * sum(len(X) for X in blocks) * 0.5, UNITS, "does not see X", id="2n"),
    pytest.param(lambda blocks: sum(2 * np.linalg.norm(X, -2) for X in blocks), UNITS, "have to be squared",
                 id="not squared"),
    pytest.param(lambda blocks: min(least(X) for X in blocks), EVERY, "the worst block alone", id="the worst block"),
    pytest.param(lambda blocks: sum(least(X) for X in blocks) / 2, EVERY, "H_k = 2X_kᵀX_k", id="without the 2"),
    pytest.param(lambda blocks: np.linalg.eigvalsh(hessian(blocks))[0] / 2, EVERY, "H = 2XᵀX", id="sum without the 2"),
    pytest.param(lambda blocks: np.mean([least(X) for X in blocks]), EVERY, "nor a mean", id="the mean"),
    pytest.param(lambda blocks: np.linalg.eigvalsh(hessian(blocks))[0] / sum(map(len, blocks)), EVERY, "divide by n",
                 id="a mean over rows"),
    pytest.param(lambda blocks: 0.0, EVERY, "proves nothing", id="nothing"),
    pytest.param(lambda blocks: 0.9 * sum(least(X) for X in blocks), EVERY, "eigenvalues of sums", id="too safe"),
    pytest.param(lambda blocks: np.array([least(X) for X in blocks]), UNITS, "return one number", id="an array"),
])
def test_mu_lower_wrong(wrong, condition, says):
    rejected("mu_lower", wrong, condition, says)


def test_the_first_of_sorted_blocks_sees_more_than_the_others():
    blocks = BLOCKS["sorted rows"]()
    assert len(blocks) * least(blocks[0]) > 1.2 * of_the_sum(blocks)
