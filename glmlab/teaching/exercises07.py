"""Exercises of notebook 07: another loss, and a proximal Newton step."""

from functools import partial
from typing import NamedTuple

import numpy as np

from glmlab.maths.penalties import shrinkage

from .exercise import Exercise, recognised, require
from .guard import EXACT_ZEROS, FLOAT64, an_array, short

TAILS = np.array([-40.0, -12.0, -3.0, -0.5, 0.0, 0.7, 2.0, 9.0, 40.0])  # η, also values that only a long step reaches


def three(answer, eta, where):
    """The answer as loss, ℓ′ and ℓ″, if these are three finite arrays of η's shape."""
    triple = isinstance(answer, (tuple, list)) and len(answer) == 3
    require(triple, f"{where} it returned {short(answer)}, not three", "return loss, d1, d2: three arrays")
    arrays = [np.asarray(part) for part in answer]
    for name, part in zip(("the loss", "d1", "d2"), arrays, strict=True):
        words = f"{where} {name} has shape {part.shape}; one number a row, {eta.shape}"
        require(part.shape == eta.shape, words, "return one number for each row: no sum, no mean")
        require(part.dtype.itemsize >= 8, f"{where} {name} is an array of {part.dtype}", FLOAT64)
        bad = eta[~np.isfinite(part)]
        require(not len(bad), f"{where} {name} is not finite at η = {bad[:3].tolist()}")
    return arrays


def slopes(function, eta, width=1e-4):
    """The derivative of a function of η by differences of fourth order, with a relative error of about 1e-9."""
    ahead, behind = function(eta + width), function(eta - width)
    further, back = function(eta + 2 * width), function(eta - 2 * width)
    return (8 * (ahead - behind) - (further - back)) / (12 * width)


def agrees(found, expected, size, what, eta, mistakes=()):
    """Require that two arrays agree up to the rounding of numbers of this size; the error names the first row."""
    off = np.abs(found - expected) > 1e-6 * (np.abs(expected) + size + 1)
    k = int(np.argmax(off))
    words = f"at η = {eta[k]:.3g} it says {what} = {found[k]:.6g}; differences say {expected[k]:.6g}"
    require(not off.any(), words, lambda: recognised(found, {
        f"the sign of {what} is wrong": -expected,
        f"{what} is a derivative in η, not in μ: the chain rule multiplies by dμ/dη = μ": expected * np.exp(-eta),
    } | dict(mistakes), rtol=1e-4))  # fmt: skip


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
        """Three arrays (n,): each row's loss, its first and its second derivative in eta; eta and y > 0 are (n,)."""
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
    lowest, slope, last = gamma_at(gamma, best, y, "where μ = y")
    for move in (-2.0, -0.1, 0.1, 2.0):
        there, second, third = gamma_at(gamma, best + move, y, f"where log μ = log y + {move}")
        rise, expected = there - lowest, np.exp(-move) + move - 1
        order = np.allclose(second - slope, expected, atol=1e-9) or np.allclose(third - last, expected, atol=1e-9)
        require(not order, "the loss is not the first of the three arrays", "return loss, d1, d2, in this order")
        k = int(np.argmax(np.abs(rise - expected)))
        words = f"for y = {y[k]:g} the loss rises by {rise[k]:.4g} from log μ = log y to log y + {move:g}"
        require(np.allclose(rise, expected, atol=1e-9), f"{words}; −log density by {expected:.4g}", recognised(rise, {
            "that is the deviance, twice the loss": np.full(5, 2 * expected),
            "log μ is missing: −log(e^(−y/μ)/μ) is y/μ + log μ": np.full(5, np.exp(-move) - 1),
            "y/μ is missing: −log(e^(−y/μ)/μ) is y/μ + log μ": np.full(5, move),
            "that is log density: the loss has the other sign": np.full(5, -expected),
        }))  # fmt: skip
    require(np.all(np.abs(slope) < 1e-9), f"where μ = y its derivative is {short(slope.tolist())}, not 0")


@GAMMA.condition(
    "d1 is the derivative of the loss, d2 that of d1",
    hint="differentiate with respect to η, y staying as it is: compare with (ℓ(η + h) − ℓ(η − h)) / 2h",
)
def gamma_derivatives(gamma):
    eta = np.linspace(-4, 5, 19)
    for seed in (750, 751):
        y = amounts(seed, eta)
        loss, d1, d2 = gamma_at(gamma, eta, y, "for random rows")
        agrees(d1, slopes(lambda e, y=y: gamma_at(gamma, e, y, "")[0], eta), np.abs(loss), "d1", eta)
        agrees(d2, slopes(lambda e, y=y: gamma_at(gamma, e, y, "")[1], eta), np.abs(d1), "d2", eta, {
            "1 is the Fisher information, the expected value of d2: differentiate d1 with y fixed": np.ones(len(eta)),
        })  # fmt: skip
    far = np.array([-60.0, -38.0, -21.0, 21.0, 38.0, 60.0])
    y = np.exp(far) * [0.4, 2.0, 1.5, 0.7, 3.0, 1.2]
    _, d1, d2 = gamma_at(gamma, far, y, "far from 0")
    for what, found, expected in (("d1", d1, 1 - y * np.exp(-far)), ("d2", d2, y * np.exp(-far))):
        k = int(np.argmax(np.abs(found - expected)))
        words = f"at η = {far[k]:g}, y = {y[k]:.3g} it says {what} = {found[k]:.4g}, where it is {expected[k]:.4g}"
        require(np.allclose(found, expected, rtol=1e-6), words, "a μ far from 1 is right, too: clip neither η nor μ")


# ---------------------------------------------------------------- 3. a Newton step that knows the penalty


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
        """argmin over v of qᵀ(v − beta) + ½(v − beta)ᵀH(v − beta) + lam‖v‖₁, (p,); q and beta are (p,), H is (p, p)."""
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

    def slope(self, v):
        """The slope of the quadratic at v."""
        return self.q + self.H @ (v - self.beta)

    def missed(self, v):
        """‖v − prox(v − slope/L)‖ ÷ ‖v‖ with the largest eigenvalue L of H. It is 0 iff v is the minimiser."""
        L = np.linalg.eigvalsh(self.H)[-1]
        step = np.linalg.norm(v - shrinkage(v - self.slope(v) / L, self.lam / L))
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


def by_small_numbers():
    """Models whose solution an iteration misses if it measures its moves wrongly."""
    apart = np.array([[2.0, 1.0], [1.0, 2.0]])
    steep = np.array([[1.0, 0.99], [0.99, 1.0]])
    held = np.array([[4.0, 3.0, 0.0], [3.0, 4.0, 0.0], [0.0, 0.0, 1.0]])
    return {
        "all moves in one direction": Model(np.array([3.0, 2.5]), apart, np.zeros(2), 0.1),
        "all moves in the other one": Model(np.array([-3.0, -2.5]), apart, np.zeros(2), 0.1),
        "a last coordinate that stays 0": Model(np.array([-9.0, -4.0, 0.0]), held, np.zeros(3), 1.0),
        "a first coordinate that stays 0": Model(np.array([0.0, -4.0, -9.0]), held[::-1, ::-1], np.zeros(3), 1.0),
        "numbers near 1e-5": Model(1e-5 * np.array([-9.0, -4.0]), held[:2, :2], np.zeros(2), 1e-5),
        "columns that correlate by 0.99": Model(np.array([-1.0, -0.999]), steep, np.zeros(2), 1e-6),
    }


def models(seed):
    return [model(seed + k, p, share) for k, (p, share) in enumerate(MODELS)]


def a_point(prox_newton, problem, where):
    v = prox_newton(*problem)
    grown = isinstance(v, np.ndarray) and v.shape == problem.q.shape and not np.isfinite(v).all()
    apart = "its iteration runs away: let a coordinate move by the slope at the newest v, and divide by H_jj"
    require(not grown, f"{where} it returned inf or nan", apart)
    return an_array(v, problem.q.shape, f"{where} it returned")


EARLY = "your iteration stops too early: go on until the largest move is below 1e-12 of ‖v‖"


def _stops_early(prox_newton, problem, v):
    """The hint for an iteration that stops too early: it gets nearer when it starts again from its own answer."""
    before = problem.missed(v)
    for _ in range(5):
        v = a_point(prox_newton, problem._replace(q=problem.slope(v), beta=v), "called again")
    return EARLY if before < 1e-3 or problem.missed(v) < 0.3 * before else None


@PROX_NEWTON.condition(
    "Newton's step where lam = 0",
    hint="without a penalty v = beta − H⁻¹q. Return the new point, not the way there; mind the ½",
)
def newton_without_penalty(prox_newton):
    for problem in (problem._replace(lam=0.0) for problem in models(770)):
        v, way = a_point(prox_newton, problem, "for lam = 0"), -np.linalg.solve(problem.H, problem.q)
        newton, diagonal = problem.beta + way, np.diag(problem.H)
        off = np.abs(v - newton).max()
        words = f"for lam = 0 and {len(v)} coordinates it is {off:.2g} away from beta − H⁻¹q"
        require(off <= 1e-6 * np.abs(newton).max(), words, recognised(v, {
            "that is the way, or the model was centred at 0: v is beta plus the way": way,
            "the way is −H⁻¹q: mind its sign": problem.beta - way,
            "the model has ½(v − beta)ᵀH(v − beta): its slope is q + H(v − beta), and no ½ is left":
                problem.beta + 2 * way,
            "H counts once, not twice": problem.beta + way / 2,
            "coordinates pull each other: H is no diagonal matrix": problem.beta - problem.q / diagonal,
            "a proximal gradient step uses one curvature for all directions; the model has H":
                problem.beta - problem.q / np.linalg.eigvalsh(problem.H)[-1],
        }) or partial(_stops_early, prox_newton, problem, v))  # fmt: skip


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
        for h in (1.0, 40.0):
            v = a_point(prox_newton, Model(q, h * np.eye(p), np.zeros(p), lam), "at beta = 0")
            words = f"at beta = 0 all |q_j| ≤ lam = {lam:.3g}, so v = 0; it returned {short(v.tolist())}"
            require(np.all(v == 0), words, recognised(v, {
                "that is Newton's step without a penalty: sign(0) is 0, and no gradient of |v|": -q / h,
                "the threshold is lam/H_jj, not half of it": -shrinkage(q, lam / 2) / h,
            }) or (EXACT_ZEROS if np.abs(v).max() < 1e-6 else None))  # fmt: skip


@PROX_NEWTON.condition(
    "the model's minimum, whatever the metric",
    hint="the penalty belongs inside of the minimisation. A prox by coordinates, before or after Newton's step, fits a "
    "diagonal H only: rotate H, and coordinates pull each other",
)
def model_is_minimised(prox_newton):
    for problem in [*models(790), model(797, 5, 0.1, spread=1e3)]:
        v = a_point(prox_newton, problem, "for a random model")
        missed = problem.missed(v)
        words = f"for {len(v)} coordinates, λ = {problem.lam:.3g}, a proximal step from its v still moves by"
        words = f"{words} {missed:.2g} of ‖v‖: v is not the model's minimiser"
        require(missed <= 1e-7, words, partial(_stops_early, prox_newton, problem, v))
        held = np.abs(problem.slope(v)) < problem.lam * (1 - 1e-4)  # the penalty holds these at 0
        require(np.all(v[held] == 0), f"where the minimiser is 0 it returned {short(v[held].tolist())}", EXACT_ZEROS)


@PROX_NEWTON.condition(
    "an iteration ends when no coordinate moves",
    hint="measure the largest size |move| over all coordinates of a sweep, the first and the last included; compare "
    "it with 1e-12 of ‖v‖, because v has a unit",
)
def ends_in_time(prox_newton):
    for name, problem in by_small_numbers().items():
        v = a_point(prox_newton, problem, f"for {name}")
        missed = problem.missed(v)
        words = f"for {name} a proximal step from its v still moves by {missed:.2g} of ‖v‖"
        require(missed <= 1e-7, words)
