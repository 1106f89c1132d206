"""The third exercise of notebook 06: residual-corrected duality."""

import numpy as np

from glmlab.maths.penalties import L1
from glmlab.maths.quadratic import minimise_model

from .exercise import Exercise, recognised, require
from .exercises06 import around, problems
from .guard import one_number


def corrected(q, beta, lam, XS, d):
    t = XS @ d
    w = -(q + 2 * XS.T @ t)
    if np.abs(w).max() > lam * (1 + 1e-9):
        return np.inf
    return t @ t + np.sum(lam * np.abs(beta) - w * beta)


CORRECTED = Exercise(
    name="corrected",
    statement=(
        "q (p,) is 2Xᵀ(X beta − y) over all rows, XS (m, p) some of the rows, d (p,) any direction. With t = XS d and "
        "w = −(q + 2XSᵀt), return Σ tᵢ² + Σ (lam|beta_j| − w_j beta_j); but np.inf where some |w_j| exceeds lam, up "
        "to rounding: a part in 10⁹ is forgiven."
    ),
    stub='''
    def corrected(q, beta, lam, XS, d):
        """A bound on F(beta) − F* by moving the dual point along t = XS d, on the rows XS only.

        q = ∇f(beta), beta and d: (p,), XS (m, p), lam > 0. Returns one number, np.inf where some |w_j| > lam.
        """
        raise NotImplementedError
    ''',
    reference=corrected,
    hints=(
        "Where do the slopes Xᵀθ go when θ moves by 2t on the rows of XS? What must hold of them?",
        "Xᵀθ = q + 2XSᵀt = −w, which the penalty can carry iff |w_j| ≤ lam. The move costs Σ t²; what is left is "
        "lam|beta_j| − w_j beta_j, coordinate by coordinate.",
        "t = XS @ d; w = -(q + 2 * XS.T @ t); np.inf if abs(w).max() > lam * (1 + 1e-9), else "
        "t @ t + (lam * abs(beta) - w * beta).sum().",
    ),
)


def _some(problem, rng, share):
    """A random part of the rows, at least one."""
    n = len(problem.y)
    return problem.X[rng.permutation(n)[: max(1, round(share * n))]]


def _bound(corrected, problem, beta, XS, d, what):
    value = corrected(problem.slope(beta), beta, problem.lam, XS, d)
    return one_number(value, f"for {problem.name}, {what},")


FORGIVE = (
    "the largest |w_j| decides, whatever its sign: inf where it exceeds lam, but rounding carries w a few ε beyond "
    "lam, so forgive a part in 10⁹ of lam"
)


@CORRECTED.condition(
    "no bound where the penalty cannot carry the slope",
    hint="nearly is no proof: try d = 0 where some |q_j| > lam. Clipping w does not make θ feasible",
)
def infeasible_is_inf(corrected):
    for k, problem in enumerate(problems(670)[:5]):
        beta, rng = np.zeros_like(problem.best), np.random.default_rng(680 + k)
        for share in (0.5, 1.0):
            bound = _bound(corrected, problem, beta, _some(problem, rng, share), np.zeros_like(beta), "d = 0")
            worst = np.abs(problem.slope(beta)).max() / problem.lam
            words = f"for {problem.name} at beta = 0 and d = 0, |w| reaches {worst:.4g} lam"
            require(bound == np.inf, f"{words}, and it claims {bound:.4g}")
        for excess in (1e-3, 1e-6):
            words = f"where |w_0| = (1 + {excess:g}) lam"
            bound = _at_the_edge(corrected, problem, excess, words)
            require(bound == np.inf, f"{words}, it claims {bound:.4g}", FORGIVE)


def _at_the_edge(corrected, problem, excess, where):
    """The reader's bound for d = 0, where |w_0| is (1 + excess) lam and all other |w_j| are lam."""
    q = -problem.lam * np.ones_like(problem.best)
    q[0] *= 1 + excess
    zero = np.zeros_like(q)
    return one_number(corrected(q, problem.best + 1, problem.lam, problem.X, zero), where)


@CORRECTED.condition("rounding is forgiven", hint=FORGIVE)
def rounding_is_forgiven(corrected):
    problem = problems(670)[1]
    for unit in (1e-6, 1.0, 1e6):
        words = f"where |w_0| = (1 + 3e-10) lam and lam = {unit * problem.lam:.3g}"
        bound = _at_the_edge(corrected, problem._replace(lam=unit * problem.lam), 3e-10, words)
        require(np.isfinite(bound), f"{words}, it claims nothing")


def _corrected_mistakes(q, beta, lam, XS, d):
    """{hint: the bound of an answer with this mistake}."""
    t = XS @ d
    w = -(q + 2 * XS.T @ t)
    carry = np.sum(lam * np.abs(beta) - w * beta)
    return {
        "a moved slope costs D = t² a row, without a ½": t @ t / 2 + carry,
        "a moved slope costs D = t² a row, not twice that": 2 * (t @ t) + carry,
        "the move is not free: add Σ t²": carry,
        "the price of the move is one sum; the other is Σ (lam|beta_j| − w_j beta_j)": t @ t,
        "the second sum has lam|beta_j| − w_j beta_j: w_j times beta_j, not times |beta_j|":
            t @ t + np.sum((lam - w) * np.abs(beta)),
        "mind the sign of w: w = −(q + 2XSᵀt), and lam|beta_j| − w_j beta_j":
            t @ t + np.sum(lam * np.abs(beta) + w * beta),
        "the curvature of (y − η)² is 2: w = −(q + 2XSᵀt)":
            t @ t + np.sum(lam * np.abs(beta) + (q + XS.T @ t) * beta),
        "the penalty is missing: lam|beta_j| − w_j beta_j": t @ t - w @ beta,
    }  # fmt: skip


@CORRECTED.condition(
    "the gap never exceeds it, for any d and any rows",
    hint="a dual value needs both sums: what the move costs, D = t² a row and no ½, and lam|beta_j| − w_j beta_j, "
    "which vanishes only where w_j = lam·sign(beta_j)",
)
def corrected_never_below(corrected):
    for k, plain in enumerate(problems(690)):
        rng = np.random.default_rng(700 + k)
        for share in (0.2, 0.6, 1.0):
            XS = _some(plain, rng, share)
            for beta in list(around(plain, 710 + k))[::2]:  # those moved in every coordinate, and 0
                for d in (plain.best - beta, rng.normal(size=beta.shape), np.zeros_like(beta)):
                    _expect_above(corrected, carried(plain, beta, XS, d), beta, XS, d)


def carried(problem, beta, XS, d):
    """The problem with a λ as large as the slope that d leads to, so that d is feasible."""
    w = -(problem.slope(beta) + 2 * XS.T @ (XS @ d))
    lam = max(1.0001 * np.abs(w).max(), 1e-6 * np.abs(2 * problem.X.T @ problem.y).max())
    start = -2 * problem.X.T @ problem.y
    best = minimise_model(L1(lam), np.zeros_like(beta), start, 2 * problem.X.T @ problem.X).point
    return problem._replace(lam=lam, best=best)


def _expect_above(corrected, problem, beta, XS, d):
    bound, gap = _bound(corrected, problem, beta, XS, d, f"{len(XS)} rows in S"), problem.gap(beta)
    words = f"with {len(XS)} of {len(problem.y)} rows and some d the gap is {gap:.4g}, and it claims {bound:.4g}"
    mistakes = _corrected_mistakes(problem.slope(beta), beta, problem.lam, XS, d)
    require(bound >= gap - problem.rounding(beta), words, recognised(bound, mistakes))


@CORRECTED.condition(
    "the gap itself with all rows and the best d",
    hint="w = −(q + Hd) with H = 2XSᵀXS, and the price is that of t = XS d. At the best d nothing is lost: which sum "
    "is too large, or why is w infeasible?",
)
def sharp(corrected):
    for k, problem in enumerate(problems(720)):
        for beta in around(problem, 730 + k):
            d, gap = problem.best - beta, problem.gap(beta)
            bound = _bound(corrected, problem, beta, problem.X, d, "all rows and d = β* − beta")
            words = f"for {problem.name} the gap is {gap:.4g}, and it claims {bound:.4g}"
            mistakes = _corrected_mistakes(problem.slope(beta), beta, problem.lam, problem.X, d)
            require(bound <= 1.01 * gap + problem.rounding(beta), words, recognised(bound, mistakes))
