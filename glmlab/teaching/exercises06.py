"""Exercises of notebook 06: how far is β from optimal, for least squares with an L1 penalty?"""

from typing import NamedTuple

import numpy as np

from glmlab.maths.penalties import L1, shrinkage
from glmlab.maths.quadratic import minimise_model

from .exercise import Exercise, recognised, require
from .guard import one_number, short

# ---------------------------------------------------------------- problems to try an answer on


class Lasso(NamedTuple):
    """A small problem F(β) = ‖y − Xβ‖² + λ‖β‖₁ whose minimum is known."""

    X: np.ndarray  # (n, p)
    y: np.ndarray  # (n,)
    lam: float
    best: np.ndarray  # (p,) a minimiser
    name: str

    def value(self, beta):
        return float(np.sum((self.y - self.X @ beta) ** 2) + self.lam * np.abs(beta).sum())

    def slope(self, beta):
        """q = ∇f(β) = 2Xᵀ(Xβ − y)."""
        return 2 * self.X.T @ (self.X @ beta - self.y)

    def gap(self, beta):
        return self.value(beta) - self.value(self.best)

    def rounding(self, beta):
        """A generous bound on the rounding error of a difference of two values of F."""
        return 1e-11 * (self.value(beta) + float(self.y @ self.y))


def lasso(seed, n, p, share):
    """n × p rows; the columns are correlated and differ in size by a factor of 8. λ is `share` of λ_max."""
    rng = np.random.default_rng(seed)
    X = (rng.normal(size=(n, p)) + 0.7 * rng.normal(size=(n, 1))) * np.geomspace(1, 8, p)
    y = X @ rng.normal(size=p) + rng.normal(size=n)
    lam = share * np.abs(2 * X.T @ y).max()
    best = minimise_model(L1(lam), np.zeros(p), -2 * X.T @ y, 2 * X.T @ X).point
    return Lasso(X, y, lam, best, f"{n} × {p} with λ = {share:g} λ_max")


# rows, columns, share of λ_max: many zeros, few, none, more columns than rows, one column, λ > λ_max
SHAPES = ((30, 5, 0.3), (25, 6, 1e-2), (40, 4, 1e-5), (4, 7, 0.1), (9, 1, 0.2), (12, 3, 1.5))


def problems(seed):
    return [lasso(seed + k, *shape) for k, shape in enumerate(SHAPES)]


def around(problem, seed):
    """Points at many distances from the minimiser: moved in every coordinate, moved in its nonzero ones, and 0."""
    rng, best = np.random.default_rng(seed), problem.best
    for distance in (1e-6, 1e-3, 0.1, 3.0):
        moves = distance * rng.normal(size=best.shape)
        yield best + moves
        yield best + np.where(best == 0, 0.0, moves)
    yield np.zeros_like(best)


# ---------------------------------------------------------------- 1. how far from stationary


def kkt(q, beta, lam):
    at_zero = np.maximum(np.abs(q) - lam, 0)
    elsewhere = np.abs(q + lam * np.sign(beta))
    return np.linalg.norm(np.where(beta == 0, at_zero, elsewhere))


KKT = Exercise(
    name="kkt",
    statement=(
        "q (p,) is ∇f(beta), lam > 0 the weight of the L1 penalty. Return dist(0, ∂F(beta)) = min ‖q + lam·s‖₂ over "
        "all s in ∂‖beta‖₁: s_j = sign(beta_j) where beta_j is not 0, any s_j in [−1, 1] where it is."
    ),
    stub='''
    def kkt(q, beta, lam):
        """dist(0, ∂F(beta)) in the 2-norm, one number. F = f + lam‖·‖₁; q = ∇f(beta) and beta are (p,)."""
        raise NotImplementedError
    ''',
    reference=kkt,
    hints=(
        "Coordinates do not mix: which s_j makes |q_j + lam·s_j| smallest where beta_j = 0, and which where not?",
        "Where beta_j is not 0 there is no choice: |q_j + lam·sign(beta_j)|. Where it is 0, q_j may be cancelled up to "
        "lam: max(|q_j| − lam, 0) is left.",
        "np.where(beta == 0, np.maximum(abs(q) - lam, 0), abs(q + lam * np.sign(beta))), then np.linalg.norm.",
    ),
)


def optimal_pair(rng, p, lam):
    """(q, β) with 0 ∈ ∂F(β): nonzero coordinates, and zeros whose q is inside [−λ, λ] or on its edge."""
    beta = rng.normal(size=p) * (rng.random(p) < 0.6)
    inside = lam * rng.choice([-1.0, 1.0, 0.0, 0.5, -0.99], size=p)
    return np.where(beta == 0, inside, -lam * np.sign(beta)), beta


@KKT.condition(
    "zero where beta is optimal",
    hint="at beta_j = 0 the subdifferential is an interval: any q_j in [−lam, lam] is cancelled there. And where "
    "beta_j > 0, optimality means q_j = −lam",
)
def zero_at_optimum(kkt):
    rng = np.random.default_rng(600)
    for p in (1, 2, 5, 9):
        for lam in (0.3, 7.2, 4e5):
            q, beta = optimal_pair(rng, p, lam)
            found = one_number(kkt(q, beta, lam), f"at an optimal beta of {p} coordinates")
            words = f"beta = prox(beta − q) holds to the last bit, and it says {found:.3g}"
            require(0 <= found <= 1e-12 * lam, f"{words} (q = {short(q.tolist())}, beta = {short(beta.tolist())})")


CHOICE = "may s_j be chosen where beta_j is not 0? There |β_j| has a derivative, and only one s_j is allowed"
UP_TO = "at beta_j = 0 the penalty cancels up to lam of q_j, and no more"
CASES = {  # (q_j, beta_j) for lam = 2, and the hint for an answer that is 0 there
    "beta_j > 0 with q_j = 0": (0.0, 1.0, CHOICE),
    "beta_j > 0 with q_j = +lam": (2.0, 1.0, "mind the sign: optimal is q_j = −lam where beta_j > 0"),
    "beta_j < 0 with q_j = lam/2": (1.0, -3.0, CHOICE),
    "beta_j = 0 with q_j = 1.5 lam": (3.0, 0.0, UP_TO),
    "beta_j = 0 with q_j = −1.5 lam": (-3.0, 0.0, f"{UP_TO}: it is the size |q_j| that counts"),
}


@KKT.condition("not zero elsewhere", hint=CHOICE)
def positive_elsewhere(kkt):
    for name, (q, beta, hint) in CASES.items():
        found = one_number(kkt(np.array([q]), np.array([beta]), 2.0), f"for {name}")
        require(found > 0.1, f"for {name} F falls on one side, and it says {found:.3g}", hint)


@KKT.condition(
    "the least over all subgradients",
    hint="take the 2-norm of what is left in each coordinate: √Σ of squares",
)
def is_the_least(kkt):
    rng = np.random.default_rng(610)
    for p in (1, 3, 6):
        q, beta, lam = 2 * rng.normal(size=p), rng.normal(size=p) * (rng.random(p) < 0.5), 0.8
        s = np.where(beta == 0, np.clip(-q / lam, -1, 1), np.sign(beta))  # the s_j nearest to −q_j/lam
        left = np.abs(q + lam * s)
        found, least = one_number(kkt(q, beta, lam), f"for {p} coordinates"), np.linalg.norm(left)
        words = f"for {p} coordinates the least ‖q + lam·s‖ is {least:.6g}; it says {found:.6g}"
        require(abs(found - least) <= 1e-9 * lam, words, recognised(found, {
            "take the 2-norm, not the largest part": left.max(),
            "take the 2-norm, not the sum of the parts": left.sum(),
            "take the 2-norm, not its square": left @ left,
            "sum over the coordinates, do not take a mean": np.sqrt(np.mean(left**2)),
            "the length of a proximal step is another measure: take what is left of q": np.linalg.norm(
                beta - shrinkage(beta - q, lam)),
        }))  # fmt: skip


@KKT.condition(
    "in the units of a gradient",
    hint="twice the loss and twice lam: twice the gradient. The size of beta does not matter, only whether it is "
    "exactly 0: 1e-12 may be large in its unit",
)
def gradient_units(kkt):
    q, beta = np.array([0.3, -1.2, 0.5, 2.0]), np.array([0.0, 0.4, -0.7, 1.0])
    first = one_number(kkt(q, beta, 0.8), "for q, beta, lam")
    for c in (1e-3, 1e3):
        scaled = one_number(kkt(c * q, beta, c * 0.8), f"for {c:g} q, beta, {c:g} lam")
        require(abs(scaled - c * first) <= 1e-9 * c * first, f"{first:.4g} became {scaled:.4g} for {c:g} F")
    for c in (1e-12, 1e6):
        moved = one_number(kkt(q, c * beta, 0.8), f"for q, {c:g} beta, lam")
        require(abs(moved - first) <= 1e-9 * first, f"{first:.4g} became {moved:.4g} for {c:g} beta, whose signs agree")


# ---------------------------------------------------------------- 2. the scaled duality gap


def scaled_gap(X, y, beta, lam):
    residual = X @ beta - y
    theta = 2 * residual
    theta = theta * (lam / max(lam, np.abs(X.T @ theta).max()))
    primal = residual @ residual + lam * np.abs(beta).sum()
    return primal + theta @ theta / 4 + theta @ y


SCALED_GAP = Exercise(
    name="scaled_gap",
    statement=(
        "F(beta) = ‖y − X beta‖² + lam‖beta‖₁ with lam > 0. Take θ = 2(X beta − y), multiply it by the largest factor "
        "≤ 1 that makes |x_jᵀθ| ≤ lam for every column x_j of X, and return F(beta) + Σ ℓ*(θᵢ) with "
        "ℓ*(θ) = θ²/4 + θy. X and y are numpy arrays."
    ),
    stub='''
    def scaled_gap(X, y, beta, lam):
        """F(beta) minus the dual value of the scaled slopes, one number ≥ F(beta) − F*. X (n, p), y (n,), beta (p,)."""
        raise NotImplementedError
    ''',
    reference=scaled_gap,
    hints=(
        "Which of the p numbers |x_jᵀθ| says how far θ has to shrink?",
        "The largest. If it is at most lam, θ stays; if not, multiply θ by lam / largest. Then use the shrunk θ in ℓ*.",
        "theta *= lam / max(lam, abs(X.T @ theta).max()); then F(beta) + theta @ theta / 4 + theta @ y.",
    ),
)


def _gap_mistakes(problem, beta):
    """{hint: the bound at beta of an answer with this mistake}."""
    X, y, lam, r = problem.X, problem.y, problem.lam, problem.X @ beta - problem.y
    theta, primal = 2 * r, problem.value(beta)
    s = min(1.0, lam / np.abs(X.T @ theta).max())

    def bound(s=s, theta=theta, primal=primal, quarter=0.25, sign=1.0):
        return primal + quarter * (s * theta) @ (s * theta) + sign * (s * theta) @ y

    return {
        "θ must be shrunk until |x_jᵀθ| ≤ lam in every column": bound(s=1.0),
        "F has a penalty: F(beta) is ‖y − X beta‖² + lam‖beta‖₁": bound(primal=r @ r),
        "ℓ* of (y − η)², which has no ½, is θ²/4 + θy": bound(quarter=0.5),
        "ℓ*(θ) is θ²/4 + θy: mind the sign of θy": bound(sign=-1.0),
        "do not multiply θ by more than 1": bound(s=lam / np.abs(X.T @ theta).max()),
        "θ is too short by a factor 2: the slope of (y − η)² is θ = 2(η − y), and the factor is lam/max|x_jᵀθ|":
            bound(theta=r, s=min(1.0, lam / np.abs(X.T @ r).max())),
        "the loss has no ½: F(beta) is ‖y − X beta‖² + lam‖beta‖₁": bound(primal=primal - r @ r / 2),
        "θ = 0 proves no more than F* ≥ 0": bound(s=0.0),
        "that is the dual value −Σ ℓ*(θᵢ) alone: the bound is F(beta) minus it": -bound(primal=0.0),
        "the dual value is −Σ ℓ*(θᵢ), and it is subtracted: add Σ ℓ*(θᵢ)": primal - bound(primal=0.0),
        "the loss and its conjugate are sums over the rows, no means":
            primal - r @ r + (r @ r + bound(primal=0.0)) / len(y),
        "the largest |x_jᵀθ| decides, not the 2-norm": bound(s=min(1.0, lam / np.linalg.norm(X.T @ theta))),
        "sum over the rows, do not take a mean": bound() / len(y),
    }


@SCALED_GAP.condition(
    "the gap never exceeds it",
    hint="the bound is F(beta), penalty included, plus Σ ℓ*(θᵢ), without ½ or 1/n; and print X.T @ theta after "
    "scaling: weak duality asks for |x_jᵀθ| ≤ lam in every column",
)
def scaled_never_below(scaled_gap):
    for k, problem in enumerate(problems(620)):
        for beta in around(problem, 630 + k):
            bound = one_number(scaled_gap(problem.X, problem.y, beta, problem.lam), f"for {problem.name}")
            gap = problem.gap(beta)
            words = f"for {problem.name} the gap is {gap:.4g} at some beta, and it claims at most {bound:.4g}"
            above = bound >= gap - problem.rounding(beta)
            require(above, words, recognised(bound, _gap_mistakes(problem, beta)))


@SCALED_GAP.condition(
    "zero at the optimum",
    hint="there θ = ℓ′(η) needs no shrinking, and ℓ(η) + ℓ*(θ) = θη must hold with equality. Compute ℓ* of (y − η)², "
    "which has no ½, by hand",
)
def scaled_zero_at_optimum(scaled_gap):
    for problem in problems(640):
        bound = one_number(scaled_gap(problem.X, problem.y, problem.best, problem.lam), f"for {problem.name}")
        F = problem.value(problem.best)
        words = f"for {problem.name} it claims {bound:.4g} at the optimum, where F = {F:.4g}"
        small = bound <= 1e-7 * (F + problem.y @ problem.y)
        require(small, words, recognised(bound, _gap_mistakes(problem, problem.best)))


@SCALED_GAP.condition(
    "no shrinking where Xᵀθ = 0",
    hint="where no |x_jᵀθ| exceeds lam the largest factor ≤ 1 is 1, also where all of them are 0: divide by none",
    errors=True,
)
def scaled_at_zero_slope(scaled_gap):
    X = np.array([[1.0, 2.0], [-1.0, -2.0]])
    for y in (np.zeros(2), np.ones(2)):  # Xᵀy = 0, so that beta = 0 is optimal
        with np.errstate(all="ignore"):
            bound = one_number(scaled_gap(X, y, np.zeros(2), 1.0), "for y orthogonal to all columns")
        require(abs(bound) <= 1e-12, f"for y = {y.tolist()}, Xᵀy = 0 and beta = 0 the gap is 0; it claims {bound:.4g}")


@SCALED_GAP.condition(
    "no looser than the scaling makes it",
    hint="multiply θ by the largest factor ≤ 1 that fits, min(1, lam/‖Xᵀθ‖∞): not by its square, and by no smaller one",
)
def scaled_not_loose(scaled_gap):
    for k, problem in enumerate(problems(620)):
        for beta in around(problem, 630 + k):
            bound = one_number(scaled_gap(problem.X, problem.y, beta, problem.lam), f"for {problem.name}")
            r, q = problem.X @ beta - problem.y, problem.slope(beta)
            s = min(1.0, problem.lam / np.abs(q).max())
            allowed = (1 - s) ** 2 * (r @ r) + s * (q @ beta) + problem.lam * np.abs(beta).sum()
            words = f"for {problem.name} that factor is {s:.3g}, and proves {allowed:.4g}; it claims {bound:.4g}"
            fits = bound <= allowed * (1 + 1e-7) + problem.rounding(beta)
            require(fits, words, recognised(bound, _gap_mistakes(problem, beta)))


@SCALED_GAP.condition(
    "a sum over rows",
    hint="F is a sum and lam counts against it: no 1/n. Every row twice and twice lam is twice the problem",
)
def scaled_sums(scaled_gap):
    problem = lasso(650, 15, 4, 0.1)
    beta = problem.best + 0.1
    once = one_number(scaled_gap(problem.X, problem.y, beta, problem.lam), f"for {problem.name}")
    rows = np.vstack([problem.X, problem.X]), np.append(problem.y, problem.y)
    twice = one_number(scaled_gap(*rows, beta, 2 * problem.lam), "for every row twice")
    require(abs(twice - 2 * once) <= 1e-9 * twice, f"{once:.4g}, but {twice:.4g} for every row twice and 2 lam")
