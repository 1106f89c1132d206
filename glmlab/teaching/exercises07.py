"""The exercises of notebook 07: another loss, a proximal Newton step, λ in other libraries, a family."""

from functools import cache
from typing import NamedTuple

import numpy as np

from glmlab.maths.families import Family, Logistic, sigmoid
from glmlab.maths.penalties import L1, shrinkage
from glmlab.maths.quadratic import minimise_model

from .exercise import Exercise, require
from .guard import short

TAILS = np.array([-40.0, -12.0, -3.0, -0.5, 0.0, 0.7, 2.0, 9.0, 40.0])  # η, also values that only a long step reaches


def three(answer, eta, where):
    """The answer as loss, ℓ′ and ℓ″, if these are three finite arrays of η's shape."""
    require(isinstance(answer, (tuple, list)) and len(answer) == 3, f"{where} it returned {short(answer)}, not three")
    arrays = [np.asarray(part, dtype=float) for part in answer]
    for name, part in zip(("the loss", "d1", "d2"), arrays, strict=True):
        require(part.shape == eta.shape, f"{where} {name} has shape {part.shape}; one number a row, {eta.shape}")
        bad = eta[~np.isfinite(part)]
        require(not len(bad), f"{where} {name} is not finite at η = {bad[:3].tolist()}")
    return arrays


def slopes(function, eta, width=1e-4):
    """The derivative of a function of η by differences of fourth order, with a relative error of about 1e-9."""
    ahead, behind = function(eta + width), function(eta - width)
    further, back = function(eta + 2 * width), function(eta - 2 * width)
    return (8 * (ahead - behind) - (further - back)) / (12 * width)


def agrees(found, expected, size, what, eta):
    """Require that two arrays agree up to the rounding of numbers of this size; the error names the first row."""
    off = np.abs(found - expected) > 1e-6 * (np.abs(expected) + size + 1)
    k = int(np.argmax(off))
    require(not off.any(), f"at η = {eta[k]:.3g} it says {what} = {found[k]:.6g}; differences say {expected[k]:.6g}")


# ---------------------------------------------------------------- 1. the Gamma's loss


def gamma(eta, y):
    ratio = y * np.exp(-eta)
    return ratio + eta, 1 - ratio, ratio


GAMMA = Exercise(
    name="gamma",
    statement=(
        "y > 0 has mean μ = e^η and the exponential density e^(−y/μ)/μ, a Gamma of shape 1. Return three arrays, one "
        "number for each row: ℓ(η; y) = −log density (terms in y alone may be left out), its derivative in η, and the "
        "second one."
    ),
    stub='''
    def gamma(eta, y):
        """The loss of each row, its first and its second derivative in eta; eta and y are arrays (n,), y > 0."""
        raise NotImplementedError
    ''',
    reference=gamma,
    hints=(
        "Write −log(e^(−y/μ)/μ) without a fraction of exponentials, then put μ = e^η in.",
        "y/μ + log μ = y e^(−η) + η. Which part of it changes when you differentiate, and how?",
        "ratio = y * np.exp(-eta); return ratio + eta, 1 - ratio, ratio.",
    ),
)


def amounts(seed, eta):
    """One y > 0 for each η, some far from the mean."""
    rng = np.random.default_rng(seed)
    return np.exp(np.clip(eta, -12, 12)) * rng.gamma(0.7, 1.5, size=eta.shape)


def gamma_at(gamma, eta, y, where):
    with np.errstate(all="ignore"):  # an overflow shows in the value
        return three(gamma(eta, y), eta, where)


@GAMMA.condition(
    "any linear predictor is allowed",
    hint="a mean must be positive, a linear predictor need not be: the log link μ = e^η takes any η, the canonical "
    "one, η = 1/μ, does not. And take no logarithm of what may underflow to 0",
)
def gamma_is_finite(gamma):
    gamma_at(gamma, TAILS, np.ones_like(TAILS), "for y = 1")
    y = np.array([1e-3, 1.0, 700.0, 2.0])
    gamma_at(gamma, np.array([-5.0, -0.1, 3.0, 0.0]), y, f"for y = {y.tolist()}")


@GAMMA.condition(
    "lowest where the mean is y",
    hint="at η = log y, where μ = y, the loss must have its minimum: try finite values on both sides. Is it −log of "
    "the density, with μ in the right place?",
)
def gamma_is_lowest_at_y(gamma):
    y = np.array([1e-3, 0.2, 1.0, 7.0, 900.0])
    best = np.log(y)
    lowest, slope, _ = gamma_at(gamma, best, y, "where μ = y")
    for move in (-2.0, -0.1, 0.1, 2.0):
        there, _, _ = gamma_at(gamma, best + move, y, f"where log μ = log y + {move}")
        expected = np.exp(-move) + move - 1
        k = int(np.argmax(np.abs(there - lowest - expected)))
        words = f"for y = {y[k]:g} the loss rises by {there[k] - lowest[k]:.4g} from log μ = log y to log y + {move:g}"
        require(np.allclose(there - lowest, expected, atol=1e-9), f"{words}; −log density by {expected:.4g}")
    require(np.all(np.abs(slope) < 1e-9), f"where μ = y its derivative is {short(slope.tolist())}, not 0")


@GAMMA.condition(
    "d1 is the derivative of the loss, d2 that of d1",
    hint="differentiate d1 with respect to η, y staying as it is. Its expected value, the Fisher information, is 1 at "
    "every η; the second derivative is not",
)
def gamma_derivatives(gamma):
    eta = np.linspace(-4, 5, 19)
    for seed in (750, 751):
        y = amounts(seed, eta)
        loss, d1, d2 = gamma_at(gamma, eta, y, "for random rows")
        agrees(d1, slopes(lambda e, y=y: gamma_at(gamma, e, y, "")[0], eta), np.abs(loss), "d1", eta)
        agrees(d2, slopes(lambda e, y=y: gamma_at(gamma, e, y, "")[1], eta), np.abs(d1), "d2", eta)


@GAMMA.condition(
    "convex in η",
    hint="d2 must never be negative: a sum of such losses then has no false minimum",
)
def gamma_is_convex(gamma):
    d2 = gamma_at(gamma, TAILS, np.full_like(TAILS, 2.0), "for y = 2")[2]
    require(np.all(d2 >= 0), f"for y = 2 it says d2 = {d2.min():.4g} at η = {TAILS[d2.argmin()]:g}")


@GAMMA.condition(
    "slopes cancel at the truth",
    hint="draw y with mean e^η: the mean of d1 must be 0 up to noise, or a fit of many rows would miss the truth",
)
def gamma_is_unbiased(gamma):
    rng = np.random.default_rng(760)
    eta = rng.normal(size=40_000)
    slope = gamma_at(gamma, eta, np.exp(eta) * rng.exponential(size=eta.shape), "for 40,000 rows")[1]
    noise = slope.std() / np.sqrt(len(eta))
    require(abs(slope.mean()) <= 5 * noise, f"the mean of d1 at the truth is {slope.mean():.4g} ± {noise:.1g}, not 0")


# ---------------------------------------------------------------- 2. a Newton step that knows the penalty


def prox_newton(q, H, beta, lam):
    v, slope = np.array(beta, dtype=float), np.array(q, dtype=float)  # slope = q + H(v − beta)
    for _ in range(20_000):
        largest = 0.0
        for j in range(len(v)):
            free = v[j] - slope[j] / H[j, j]
            best = np.sign(free) * max(abs(free) - lam / H[j, j], 0.0)
            move, v[j] = best - v[j], best
            slope += move * H[:, j]
            largest = max(largest, abs(move))
        if largest <= 1e-14 * np.abs(v).max():
            break
    return v


PROX_NEWTON = Exercise(
    name="prox_newton",
    statement=(
        "q (p,) is ∇f(beta), H (p, p) the Hessian there, positive definite, lam ≥ 0. Return the minimiser v (p,) of "
        "qᵀ(v − beta) + ½(v − beta)ᵀH(v − beta) + lam‖v‖₁, to eight digits or so."
    ),
    stub='''
    def prox_newton(q, H, beta, lam):
        """argmin over v of qᵀ(v − beta) + ½(v − beta)ᵀH(v − beta) + lam‖v‖₁, an array (p,)."""
        raise NotImplementedError
    ''',
    reference=prox_newton,
    hints=(
        "If all coordinates of v but one stayed, which value of that one would be best? (The slope of the quadratic "
        "is q + H(v − beta).)",
        "Coordinate descent: with slope s_j and curvature H_jj the best v_j is a soft threshold of v_j − s_j/H_jj at "
        "lam/H_jj. Update the slope by the move times H[:, j]; sweep over all j until nothing moves.",
        "free = v[j] - slope[j] / H[j, j]; best = sign(free) * max(abs(free) - lam / H[j, j], 0); "
        "slope += (best - v[j]) * H[:, j]; v[j] = best. Start from v = beta and slope = q.",
    ),
)


class Model(NamedTuple):
    """A quadratic model of f at β, and λ."""

    q: np.ndarray  # (p,)
    H: np.ndarray  # (p, p)
    beta: np.ndarray  # (p,)
    lam: float

    def missed(self, v):
        """‖v − prox(v − slope/L)‖ ÷ ‖v‖ with the largest eigenvalue L of H. It is 0 iff v is the minimiser."""
        L = np.linalg.eigvalsh(self.H)[-1]
        slope = self.q + self.H @ (v - self.beta)
        step = np.linalg.norm(v - shrinkage(v - slope / L, self.lam / L))
        return step / max(np.linalg.norm(v), np.linalg.norm(self.q) / L, 1e-300)


def model(seed, p, share, spread=30.0):
    """A model whose H is not diagonal and has condition number near `spread`; λ is a share of ‖q − Hβ‖∞."""
    rng = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(rng.normal(size=(p, p)))
    H = (turn * np.geomspace(1, spread, p)) @ turn.T * rng.uniform(0.5, 20)
    beta = rng.normal(size=p) * (rng.random(p) < 0.6)
    q = rng.normal(size=p) * np.abs(H).max()
    return Model(q, (H + H.T) / 2, beta, share * np.abs(q - H @ beta).max())


MODELS = ((2, 0.3), (5, 0.1), (8, 0.4), (6, 0.01), (1, 0.2), (4, 1.2))  # columns, λ


def models(seed):
    return [model(seed + k, p, share) for k, (p, share) in enumerate(MODELS)]


def a_point(answer, p, where):
    """The answer, if it is an array of p finite numbers."""
    point = np.asarray(answer, dtype=float)
    require(point.shape == (p,), f"{where} it returned {short(answer)}; an array of {p} numbers is needed")
    require(np.isfinite(point).all(), f"{where} it returned {short(point.tolist())}")
    return point


@PROX_NEWTON.condition(
    "Newton's step where lam = 0",
    hint="without a penalty v = beta − H⁻¹q. It is the new point that is asked for, not the way there; mind the ½",
)
def newton_without_penalty(prox_newton):
    for problem in models(770):
        v = a_point(prox_newton(problem.q, problem.H, problem.beta, 0.0), len(problem.q), "for lam = 0")
        newton = problem.beta - np.linalg.solve(problem.H, problem.q)
        off = np.abs(v - newton).max()
        words = f"for lam = 0 and {len(v)} coordinates it is {off:.2g} away from beta − H⁻¹q"
        require(off <= 1e-6 * np.abs(newton).max(), words)


@PROX_NEWTON.condition(
    "zeros stay where no slope exceeds lam",
    hint="at beta = 0 with |q_j| ≤ lam the subdifferential holds 0 already. sign(beta) is no gradient there: it is 0 "
    "where any number in [−1, 1] will do",
)
def zeros_stay(prox_newton):
    rng = np.random.default_rng(780)
    for p in (1, 3, 6):
        lam = float(rng.uniform(0.5, 5))
        q = lam * rng.uniform(-1, 1, size=p)
        for H in (np.eye(p), 40 * np.eye(p)):
            v = a_point(prox_newton(q, H, np.zeros(p), lam), p, "at beta = 0")
            words = f"at beta = 0 all |q_j| ≤ lam = {lam:.3g}, so v = 0; it returned {short(v.tolist())}"
            require(np.abs(v).max() <= 1e-10, words)


@PROX_NEWTON.condition(
    "the model's minimum, whatever the metric",
    hint="a prox by coordinates fits a diagonal H only: rotate H, and coordinates pull each other. The penalty belongs "
    "inside of the minimisation, which must go on until nothing moves",
)
def model_is_minimised(prox_newton):
    for problem in [*models(790), model(797, 5, 0.1, spread=1e3)]:
        v = a_point(prox_newton(*problem), len(problem.q), "for a random model")
        missed = problem.missed(v)
        words = f"for {len(v)} coordinates, λ = {problem.lam:.3g}, a proximal step from its v still moves by"
        require(missed <= 1e-7, f"{words} {missed:.2g} of ‖v‖: v is not the model's minimiser")


@PROX_NEWTON.condition(
    "fixed exactly where F is optimal",
    hint="where 0 ∈ q + lam ∂‖beta‖₁ the step must return beta itself, and anywhere else it must move",
)
def fixed_iff_optimal(prox_newton):
    for problem in models(800):
        best = minimise_model(L1(problem.lam), problem.beta, problem.q, problem.H).point
        q = problem.q + problem.H @ (best - problem.beta)
        v = a_point(prox_newton(q, problem.H, best, problem.lam), len(q), "at an optimum")
        size = np.abs(problem.beta).max() + np.abs(problem.q).max() / np.diag(problem.H).min()
        words = f"at an optimum of {len(q)} coordinates it moved by {np.abs(v - best).max():.2g}"
        require(np.abs(v - best).max() <= 1e-6 * size, words)


# ---------------------------------------------------------------- 3. what λ is called elsewhere


def to_lam(value, n, kind):
    if kind == "LogisticRegression":
        return 1 / value
    return n * value if kind == "SGDClassifier" else 2 * n * value


TO_LAM = Exercise(
    name="to_lam",
    statement=(
        "Our F is Σ ℓ + λ(‖β‖₁ or ½‖β‖₂²), with ℓ = (y − η)² for least squares. kind is 'LogisticRegression' (it "
        "minimises C Σ ℓ + Ω, value is C), 'SGDClassifier' (1/n Σ ℓ + alpha Ω) or 'Lasso' (1/(2n) Σ (y − η)² + "
        "alpha‖β‖₁), with Ω = ‖β‖₁ or ½‖β‖₂². Return the λ with which our minimiser is theirs."
    ),
    stub='''
    def to_lam(value, n, kind):
        """Our lam for scikit-learn's C ('LogisticRegression') or alpha ('SGDClassifier', 'Lasso') on n rows."""
        raise NotImplementedError
    ''',
    reference=to_lam,
    hints=(
        "A minimiser stays when the objective is multiplied by a positive number. Which number makes their loss ours?",
        "Divide by C; multiply by n; multiply by 2n. Then read off what stands before the penalty.",
        "1 / value for 'LogisticRegression', n * value for 'SGDClassifier', 2 * n * value for 'Lasso'.",
    ),
)


class Fit(NamedTuple):
    """The answer of scikit-learn for a value of its penalty parameter, and the λ whose optimum that answer is."""

    kind: str
    value: float
    n: int
    lam: float  # from its coefficients: −∇f = λβ for a ridge, ‖∇f‖∞ = λ for the lasso
    digits: float  # the relative error allowed in that λ: scikit-learn is not exact


@cache
def fits():
    """Small fits by scikit-learn, made once in a session."""
    from sklearn.linear_model import Lasso, LogisticRegression, SGDClassifier

    found = []
    for seed, n, C in ((810, 60, 0.3), (811, 150, 5.0)):
        X, y = rows(seed, n)
        beta = LogisticRegression(C=C, fit_intercept=False, tol=1e-10).fit(X, y).coef_[0]
        found.append(Fit("LogisticRegression", C, n, ridge_lam(X, y, beta), 1e-3))
        alpha = 0.05 * C
        options = {"loss": "log_loss", "average": True, "fit_intercept": False, "tol": None, "max_iter": 1_000}
        beta = SGDClassifier(alpha=alpha, random_state=0, **options).fit(X, y).coef_[0]
        found.append(Fit("SGDClassifier", alpha, n, ridge_lam(X, y, beta), 0.2))
        alpha = 0.02 * C
        beta = Lasso(alpha, fit_intercept=False, tol=1e-12, max_iter=10_000).fit(X, y).coef_
        found.append(Fit("Lasso", alpha, n, float(np.abs(2 * X.T @ (X @ beta - y)).max()), 1e-3))
    return found


def rows(seed, n):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return X, (X @ [1.0, -0.5, 0.2] + rng.normal(size=n) > 0).astype(float)


def ridge_lam(X, y, beta):
    """The λ for which ‖∇f + λβ‖ is least."""
    return float(-beta @ (X.T @ (sigmoid(X @ beta) - y)) / (beta @ beta))


KINDS = ("LogisticRegression", "SGDClassifier", "Lasso")


def a_lam(to_lam, value, n, kind):
    answer = to_lam(value, n, kind)
    where = f"for ({value:g}, {n}, {kind!r})"
    require(np.ndim(answer) == 0 and not isinstance(answer, (str, bool)), f"{where} it returned {short(answer)}")
    answer = float(answer)
    require(np.isfinite(answer) and answer > 0, f"{where} it returned {answer:g}; a positive λ is needed")
    return answer


@TO_LAM.condition(
    "more of theirs is more of ours, or less",
    hint="alpha weighs the penalty, C the losses: a large C is a small penalty. Divide the objective by C",
)
def lam_grows(to_lam):
    for kind in KINDS:
        small, large = (a_lam(to_lam, value, 100, kind) for value in (0.1, 0.3))
        ratio, expected = large / small, 1 / 3 if kind == "LogisticRegression" else 3
        words = f"for {kind}, three times the value made λ {ratio:.3g} times as large"
        require(abs(ratio / expected - 1) < 1e-9, words)


@TO_LAM.condition(
    "every row twice",
    hint="mean or sum? If all rows come twice, a mean stays and our sum doubles: the same alpha must then be twice "
    "the λ. C stands beside a sum already",
)
def lam_of_duplicates(to_lam):
    for kind in KINDS:
        once, twice = (a_lam(to_lam, 0.1, n, kind) for n in (500, 1000))
        expected = 1 if kind == "LogisticRegression" else 2
        words = f"for {kind} and the same value, λ is {once:.4g} on 500 rows and {twice:.4g} on 1000"
        require(abs(twice / once - expected) < 1e-9, words)


@TO_LAM.condition(
    "scikit-learn's answer obeys our KKT conditions",
    hint="multiply their objective until its loss is ours, (y − η)² without a ½; what then stands before Ω is λ",
)
def lam_of_peers(to_lam):
    for fit in fits():
        lam = a_lam(to_lam, fit.value, fit.n, fit.kind)
        words = f"{fit.kind} with {fit.value:g} on {fit.n} rows found coefficients that obey λ = {fit.lam:.4g}"
        require(abs(lam / fit.lam - 1) <= fit.digits, f"{words}; it says {lam:.4g}")


# ---------------------------------------------------------------- 4. a family


class NegativeBinomial(Family):
    """Counts of mean μ = e^η and variance μ + μ²/r: y heads among y + r tosses of a logistic model at η − log r."""

    def __init__(self, r):
        self.r = r

    def loss(self, eta, y):
        return (y + self.r) * Logistic().loss(eta - np.log(self.r), y / (y + self.r))

    def dloss(self, eta, y):
        return (y + self.r) * Logistic().dloss(eta - np.log(self.r), y / (y + self.r))

    def d2loss(self, eta, y):
        return (y + self.r) * Logistic().d2loss(eta - np.log(self.r), y)

    def price(self, t, eta, y):
        return (y + self.r) * Logistic().price(t, eta - np.log(self.r), y)


NEGATIVE_BINOMIAL = Exercise(
    name="NegativeBinomial",
    statement=(
        "A family of counts y ≥ 0 with mean μ = e^η and variance μ + μ²/r, r > 0 known: ℓ(η; y) = (y + r) log(r + e^η) "
        "− yη, terms in y alone left out. Write loss, dloss, d2loss, and either price(t, eta, y) or "
        "conjugate(theta, y); each takes arrays and returns one number a row."
    ),
    stub='''
    from glmlab.maths.families import Family, Logistic


    class NegativeBinomial(Family):
        """Counts of mean μ = e^η and variance μ + μ²/r: ℓ(η; y) = (y + r) log(r + e^η) − yη."""

        def __init__(self, r):
            raise NotImplementedError
    ''',
    reference=NegativeBinomial,
    hints=(
        "Put s = η − log r, so that log(r + e^η) = log r + log(1 + e^s). Which loss do you know that looks like this?",
        "ℓ = (y + r)·[log(1 + e^s) − m s] with m = y/(y + r), up to terms in y: y + r times the logistic loss. A "
        "number times ℓ has that number times the derivatives, and times the price.",
        "self.r = r; def loss(self, eta, y): return (y + self.r) * Logistic().loss(eta - np.log(self.r), "
        "y / (y + self.r)), and the same line for dloss, d2loss and price(t, …).",
    ),
)


def member(Family, r):
    """An object of the reader's class."""
    family = Family(r)
    for method in ("loss", "dloss", "d2loss", "price"):
        require(callable(getattr(family, method, None)), f"{Family.__name__}({r:g}) has no {method}")
    return family


def at(family, eta, y, where):
    with np.errstate(all="ignore"):
        return three((family.loss(eta, y), family.dloss(eta, y), family.d2loss(eta, y)), eta, where)


def counts(seed, eta, r):
    rng = np.random.default_rng(seed)
    return rng.poisson(np.exp(np.clip(eta, -20, 6)) * rng.gamma(r, 1 / r, size=eta.shape)).astype(float)


@NEGATIVE_BINOMIAL.condition(
    "finite at any η, and convex",
    hint="e^η overflows beyond 709, and log(r + e^η) with it: write log(1 + e^s) without overflow, as Logistic does",
)
def family_is_finite(Family):
    for r in (0.3, 2.5, 50.0):
        eta = np.concatenate([TAILS, [-800.0, 800.0]])
        for y in (0.0, 3.0):
            d2 = at(member(Family, r), eta, np.full_like(eta, y), f"for r = {r:g} and y = {y:g}")[2]
            require(np.all(d2 >= 0), f"for r = {r:g} and y = {y:g}, d2loss is {d2.min():.3g} somewhere: not convex")


@NEGATIVE_BINOMIAL.condition(
    "derivatives of its loss",
    hint="differentiate dloss with y fixed; rμ/(r + μ), the Fisher information, is d2loss at y = μ only",
)
def family_derivatives(Family):
    eta = np.linspace(-3, 4, 15)
    for k, r in enumerate((0.4, 2.0, 30.0)):
        family, y = member(Family, r), counts(820 + k, eta, r)
        loss, d1, d2 = at(family, eta, y, f"for r = {r:g}")
        agrees(d1, slopes(lambda e, f=family, y=y: at(f, e, y, "")[0], eta), np.abs(loss), "dloss", eta)
        agrees(d2, slopes(lambda e, f=family, y=y: at(f, e, y, "")[1], eta), np.abs(d1), "d2loss", eta)


@NEGATIVE_BINOMIAL.condition(
    "the density's own loss",
    hint="compare with −log of the negative binomial density (mean e^η, variance μ + μ²/r): differences over η must "
    "agree. For r → ∞ the Poisson comes out. Does r, or 1/r, multiply μ²?",
)
def family_is_the_density(Family):
    from scipy.stats import nbinom

    eta = np.linspace(-3, 4, 15)
    for k, r in enumerate((0.4, 2.0, 30.0)):
        y = counts(830 + k, eta, r)
        loss = at(member(Family, r), eta, y, f"for r = {r:g}")[0]
        there = at(member(Family, r), 0 * eta, y, f"for r = {r:g}")[0]
        expected = nbinom.logpmf(y, r, r / (r + 1)) - nbinom.logpmf(y, r, r / (r + np.exp(eta)))
        j = int(np.argmax(np.abs(loss - there - expected)))
        words = f"for r = {r:g}, y = {y[j]:g} the loss rises by {loss[j] - there[j]:.4g} from η = 0 to {eta[j]:.2g}"
        require(np.allclose(loss - there, expected, atol=1e-7), f"{words}; −log density by {expected[j]:.4g}")


@NEGATIVE_BINOMIAL.condition(
    "the price of a slope",
    hint="D(t) = ℓ(η) + ℓ*(θ) − θη at θ = ℓ′ + ℓ″t. Which number multiplies the logistic price, and where is it taken?",
)
def family_price(Family):
    eta = np.linspace(-2, 3, 11)
    for k, r in enumerate((0.4, 2.0, 30.0)):
        family, y = member(Family, r), counts(840 + k, eta, r)
        for t in (-0.9, -0.3, 0.2, 0.8):
            with np.errstate(all="ignore"):
                found = np.asarray(family.price(np.full_like(eta, t), eta, y), dtype=float)
            dearest = fenchel(family, t, eta, y)
            require(found.shape == eta.shape, f"price has shape {found.shape}; one number a row, {eta.shape}")
            j = int(np.argmax(np.abs(found - dearest)))
            words = f"for r = {r:g}, y = {y[j]:g}, η = {eta[j]:.2g}, t = {t:g} the price is {dearest[j]:.5g}"
            fine = np.allclose(found, dearest, rtol=1e-3, atol=1e-6 * (1 + y.max()))
            require(fine, f"{words}; it says {found[j]:.5g}")


def fenchel(family, t, eta, y):
    """ℓ(η) + max_u (θu − ℓ(u)) − θη over a fine grid of u."""
    loss, d1, d2 = at(family, eta, y, "for the price")
    theta = d1 + d2 * t
    us = np.linspace(-12, 12, 24_001)
    heights = theta[:, None] * us - family.loss(us[None, :], y[:, None])
    return loss + heights.max(axis=1) - theta * eta
