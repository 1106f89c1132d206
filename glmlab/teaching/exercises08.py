"""Exercises of notebook 08: the noise in a benchmark's errors, and equal problems."""

from functools import partial

import numpy as np
from scipy.special import erf

from glmlab.maths.families import Logistic

from .exercise import Exercise, recognised, require
from .guard import one_number, short

# ---------------------------------------------------------------- 1. the noise floor


def noise_floor(H, seed):
    rng = np.random.default_rng(seed)
    L = np.linalg.cholesky(H)  # H = LLᵀ: for white ξ the covariance of L⁻ᵀξ is H⁻¹
    errors = np.linalg.solve(L.T, rng.standard_normal((len(H), 4_000)))
    return np.abs(errors).max(axis=0).mean()


NOISE_FLOOR = Exercise(
    name="noise_floor",
    statement=(
        "H (p, p) is the Hessian of the logistic loss at β_true, summed over all rows. With many rows the minimiser β̂ "
        "errs by a normal vector, β̂ − β_true ~ N(0, H⁻¹). Return E‖β̂ − β_true‖∞, the mean of its largest entry in "
        "size, to about 3 %. The seed is for your random numbers: the same seed must give the same answer."
    ),
    stub='''
    def noise_floor(H, seed):
        """E‖e‖∞ for e ~ N(0, H⁻¹), to about 3 %: how far the exact answer lies from the β that made the data.

        H (p, p): Hessian of the loss at β_true, summed over the rows. seed: for `np.random.default_rng`.
        Returns one positive number, the same for the same seed.
        """
        raise NotImplementedError
    ''',
    reference=noise_floor,
    hints=(
        "Nobody knows a formula for the largest of p correlated normals. But you can draw such vectors, take the "
        "largest entry of each, and average.",
        "With H = LLᵀ (Cholesky) and ξ white, e = L⁻ᵀξ has covariance L⁻ᵀL⁻¹ = H⁻¹. Some thousand draws will do.",
        "L = np.linalg.cholesky(H); e = np.linalg.solve(L.T, rng.standard_normal((len(H), 4000))); "
        "abs(e).max(axis=0).mean().",
    ),
)


EACH_DRAW = "take the largest of the p entries of each draw, then the mean of these over the draws"
SIGNS = "errors have both signs and a mean of 0: take their sizes, abs(e), before any mean"


def floor_of(noise_floor, H, seed, where):
    found = one_number(noise_floor(H, seed), where)
    words = f"{where} it returned {found:g}; an error is a positive number"
    require(np.isfinite(found) and found > 0, words, SIGNS)
    return found


def near_mean(noise_floor, H, seed, expected, where, mistakes):
    """Require an answer within 7 % of the mean; ``mistakes`` is for `recognised`."""
    found = floor_of(noise_floor, H, seed, f"for {where}")
    fits = abs(found / expected - 1) <= 0.07
    words = f"for {where} it says {found:.4g}; the mean is {expected:.4g}"
    known = recognised(found, mistakes, rtol=0.06) or (SIGNS if found < 0.1 * expected else None)
    known = known or (EACH_DRAW if 2.5 * expected < found < 9 * expected else None)
    require(fits, words, known or partial(_too_few_draws, noise_floor, H, found))


def _too_few_draws(noise_floor, H, found):
    """The hint for an answer that changes by more than 8 % with the seed; None for another one."""
    others = [floor_of(noise_floor, H, seed, "for another seed") for seed in (21, 22, 23)]
    apart = max(others + [found]) / min(others + [found]) - 1
    return f"four seeds give answers that differ by {apart:.0%}: draw some thousand vectors" if apart > 0.08 else None


def largest_of_independent(sds):
    """E max|e_j| of independent normal e_j: the integral of P(max > x) over x > 0."""
    xs = np.linspace(0, 7 * np.max(sds), 4_001)
    below = np.prod(erf(xs[:, None] / (np.sqrt(2) * np.asarray(sds))), axis=1)
    return np.trapezoid(1 - below, xs)


@NOISE_FLOOR.condition(
    "one coefficient",
    hint="for p = 1 it is the mean size of a normal number of variance 1/H: √(2/(πH)), less than its standard "
    "deviation. A variance is a reciprocal curvature",
)
def floor_of_one(noise_floor):
    for h in (4e-4, 1.0, 2e6):  # no mistake but one gives 1/√h = 50 times the mean
        size = np.sqrt(2 / np.pi)  # E|ξ| of a standard normal ξ
        near_mean(noise_floor, np.array([[h]]), 3, size / np.sqrt(h), f"p = 1, H = {h:g}", {
            "that is the standard deviation, √(1/H); the mean size of a normal number is less": 1 / np.sqrt(h),
            "the covariance is H⁻¹, not H": size * np.sqrt(h),
            "the covariance is H⁻¹, and a standard deviation is its root": size / h,
            "that is the median: take the mean": 0.6745 / np.sqrt(h),
        } if h != 1 else {})  # fmt: skip


@NOISE_FLOOR.condition(
    "the largest of p",
    hint="‖·‖∞ is the largest of p errors, and the largest of many is larger than each: take the maximum of a draw "
    "first, then the mean over draws",
)
def floor_is_a_maximum(noise_floor):
    for h in (np.full(15, 100.0), np.full(60, 4.0), np.geomspace(1, 1e4, 8)):
        sds = h**-0.5
        where = f"{len(h)} independent errors of sizes {short(sds.tolist())}"
        near_mean(noise_floor, np.diag(h), 5, largest_of_independent(sds), where, {
            "that is the 2-norm; ‖·‖∞ is the largest entry in size": np.sqrt(np.sum(1 / h)),
        })  # fmt: skip


@NOISE_FLOOR.condition(
    "correlation respected",
    hint="the variances stand on the diagonal of H⁻¹, not of H; and errors that move together have a smaller maximum "
    "than independent ones: draw whole vectors with covariance H⁻¹",
)
def floor_of_correlated(noise_floor):
    for p, share in ((12, 0.99), (30, 0.9)):
        H = np.linalg.inv(np.full((p, p), share) + (1 - share) * np.eye(p))
        z, weights = np.polynomial.hermite_e.hermegauss(61)  # e_j = √share·z + √(1 − share)·ξ_j
        expected = float(weights @ [largest_shifted(np.sqrt(share) * s, np.sqrt(1 - share), p) for s in z])
        where = f"{p} errors of variance 1 that correlate by {share:g}"
        near_mean(noise_floor, (H + H.T) / 2, 9, expected / weights.sum(), where, {
            "these errors do not move together: draw whole vectors with covariance H⁻¹":
                largest_of_independent(np.ones(p)),
            "variances stand on the diagonal of H⁻¹, not of H": largest_of_independent(np.diag(H) ** -0.5),
            "with H = LLᵀ the covariance of L⁻¹ξ is (LᵀL)⁻¹; that of L⁻ᵀξ is H⁻¹": _by_the_wrong_root(H),
        })  # fmt: skip


def _by_the_wrong_root(H):
    """E‖L⁻¹ξ‖∞ with H = LLᵀ."""
    draws = np.random.default_rng(8).standard_normal((len(H), 20_000))
    return np.abs(np.linalg.solve(np.linalg.cholesky((H + H.T) / 2), draws)).max(axis=0).mean()


def largest_shifted(m, sd, p):
    """E max_j |m + sd·ξ_j| for p independent standard normal ξ_j."""
    xs = np.linspace(0, abs(m) + 7 * sd, 2_001)
    inside = (erf((xs - m) / (np.sqrt(2) * sd)) + erf((xs + m) / (np.sqrt(2) * sd))) / 2
    return np.trapezoid(1 - inside**p, xs)


@NOISE_FLOOR.condition(
    "a seed, and only the seed",
    hint="make a generator of the seed, np.random.default_rng(seed); enough draws make its choice unimportant",
)
def floor_is_seeded(noise_floor):
    H = np.diag([1.0, 3.0, 10.0, 30.0])
    first, again, other = (floor_of(noise_floor, H, seed, f"with seed {seed}") for seed in (1, 1, 2))
    require(first == again, f"the same seed gave {first:.6g}, then {again:.6g}")
    require(abs(other / first - 1) < 0.07, f"two seeds gave {first:.4g} and {other:.4g}: more draws are needed")


# ---------------------------------------------------------------- 2. one problem, or two


def same_problem(F, G, dim):
    rng = np.random.default_rng(0)
    betas = rng.standard_normal((8, dim))
    f, g = (np.array([value(beta) for beta in betas]) for value in (F, G))
    f, g = f - f[0], g - g[0]  # b cancels
    a = (f @ g) / (f @ f)
    return bool(a > 0 and np.abs(g - a * f).max() <= 1e-8 * np.abs(g).max())


SAME_PROBLEM = Exercise(
    name="same_problem",
    statement=(
        "F and G are functions of an array (dim,) that return a number. Return True if G = aF + b everywhere for some "
        "a > 0 and b, False otherwise. (Then their gaps are proportional: G − G* = a(F − F*) at every β.) Values are "
        "right to ten digits or so of their size."
    ),
    stub='''
    def same_problem(F, G, dim):
        """Is G = aF + b, a > 0, everywhere? F and G map an array (dim,) to a number, right to ten digits or so.

        Returns True or False.
        """
        raise NotImplementedError
    ''',
    reference=same_problem,
    hints=(
        "At how many points must you look to see a and b? And how would you notice that a third number is needed?",
        "Take some random β. Differences of values cancel b; their ratio is a, and it must be positive, and the same "
        "for all of them, up to rounding.",
        "f and g: values at 8 random β, less the first; a = (f @ g) / (f @ f); a > 0 and abs(g - a * f).max() <= "
        "1e-8 * abs(g).max().",
    ),
)


class Sum:
    """The logistic objective Σ ℓ + λ‖β‖₁ of some rows; with an intercept it is the last of v, penalised or not."""

    def __init__(self, seed, n, p, lam, *, intercept=False, priced=False, rows_times=1.0):
        rng = np.random.default_rng(seed)
        self.X, self.y = rng.random((n, p)), (rng.random(n) < 0.4).astype(float)
        self.lam, self.intercept, self.priced, self.times = lam, intercept, priced, rows_times

    def __call__(self, v):
        beta, ahead = (v[:-1], v[-1]) if self.intercept else (v, 0.0)
        loss = self.times * Logistic().loss(self.X @ beta + ahead, self.y).sum()
        return float(loss + self.lam * (np.abs(beta).sum() + self.priced * abs(ahead)))


class Affine:
    """The objective aF + b."""

    def __init__(self, F, a, b):
        self.F, self.a, self.b = F, a, b

    def __call__(self, v):
        return self.a * self.F(v) + self.b


class Watched:
    """A function of β that records the points at which it is evaluated."""

    def __init__(self, F):
        self.F, self.points = F, []

    def __call__(self, v):
        self.points.append(np.array(v, dtype=float))
        return self.F(np.asarray(v))

    def __dask_tokenize__(self):  # the record does not change the function
        return id(self)

    def few(self):
        """The hint for too few points, or for points too close together; None for others."""
        points = np.array(sorted({tuple(v.ravel()) for v in self.points}))
        if len(points) < 4:
            return "a and b are two numbers, which fit any two points: look at some more random β"
        if np.ptp(points, axis=0).max() < 0.1:
            return "near a point all is flat, and at β = 0 all penalties are 0: look at random β of size 1"
        return None


def decided(same_problem, F, G, dim):
    answer = same_problem(F, G, dim)
    words = f"it returned {short(answer)}; True or False is needed"
    require(isinstance(answer, (bool, np.bool_)), words, "end with a comparison, or with bool(…)")
    return bool(answer)


def must_say(expected, same_problem, F, G, dim, words):
    watched = Watched(F)
    found = decided(same_problem, watched, Watched(G), dim)
    require(found == expected, f"{words}, and it said {found}", None if expected else watched.few)


@SAME_PROBLEM.condition(
    "a problem is itself in any unit",
    hint="a sum or a mean over rows, λ before the penalty or C before the loss, a constant more: multiply or shift an "
    "objective, and its minimisers stay. Allow for any a > 0 and b, and for rounding",
    errors=True,
)
def affine_is_the_same(same_problem):
    for k, (n, p, lam) in enumerate(((40, 3, 1.0), (25, 6, 0.1), (60, 1, 5.0))):
        F = Sum(870 + k, n, p, lam)
        for a, b in ((1.0, 0.0), (1 / n, 0.0), (7.0, -31.0), (1e5, 1e6), (1e-6, 2e-5)):
            words = f"G = {a:g}·F {'+' if b >= 0 else '−'} {abs(b):g} in {p} coordinates"
            must_say(True, same_problem, F, Affine(F, a, b), p, words)


@SAME_PROBLEM.condition("not upside down", hint="a must be positive: who minimises −F maximises F")
def upside_down(same_problem):
    F = Sum(910, 30, 3, 1.0)
    for a in (-1.0, -1e-3):
        must_say(False, same_problem, F, Affine(F, a, 2.0), 3, f"G = {a:g}·F + 2")


@SAME_PROBLEM.condition(
    "another λ is another problem",
    hint="G − aF must be the same number at all β, to the digits that values have",
)
def other_lam(same_problem):
    for k, (one, other) in enumerate(((1.0, 800.0), (1.0, 1.1), (0.0, 1.0))):
        F, G = (Sum(890 + k, 50, 4, lam) for lam in (one, other))
        must_say(False, same_problem, F, G, 4, f"λ = {one:g} and λ = {other:g}")


@SAME_PROBLEM.condition(
    "the same minimiser is not enough",
    hint="G = F + F²/100 rises and falls with F, so it has the same minimiser, but its gaps are no a times those of "
    "F. Compare differences of values, neither their order nor minimisers",
)
def another_shape(same_problem):
    F = Sum(915, 30, 3, 1.0)
    must_say(False, same_problem, F, lambda v: F(v) + F(v) ** 2 / 100, 3, "G = F + F²/100")


@SAME_PROBLEM.condition(
    "an intercept with a price is another problem",
    hint="the two differ by |v_p| alone, the last coordinate: draw every coordinate of every point at random",
)
def priced_intercept(same_problem):
    for k, (n, p) in enumerate(((40, 3), (200, 2))):
        free, priced = (Sum(880 + k, n, p, 1.0, intercept=True, priced=priced) for priced in (False, True))
        words = f"Σℓ + ‖β‖₁ and Σℓ + ‖β‖₁ + |intercept| over {n} rows"
        must_say(False, same_problem, free, priced, p + 1, words)


@SAME_PROBLEM.condition(
    "many rows hide nothing",
    hint="with millions of rows a penalty is a millionth of F, and decides about zeros all the same: ask for eight "
    "digits of the *differences* of values, not for about the same shape",
)
def many_rows(same_problem):
    for k, times in enumerate((1e4, 1e5)):
        F, G = (Sum(900 + k, 40, 3, 1.0, intercept=True, priced=priced, rows_times=times) for priced in (False, True))
        must_say(False, same_problem, F, G, 4, f"{40 * times:,.0f} rows, one intercept free, one with a price")


@SAME_PROBLEM.condition(
    "every coordinate of a point counts",
    hint="points must be general: several of them, all coordinates random, of both signs, of size 1, not on one line. "
    "Some functions agree where all coordinates are equal, or positive, or but one is 0, or all are small",
)
def special_points(same_problem):
    w = np.array([1.0, 2.0, 3.0])
    for words, F, G in (
        ("F = Σ jβ_j² and the same with the weights reversed", lambda v: w @ v**2, lambda v: w[::-1] @ v**2),
        ("F = ‖β‖² + ‖β‖₁ and G = ‖β‖² + Σβ_j", lambda v: v @ v + np.abs(v).sum(), lambda v: v @ v + v.sum()),
        ("F = ‖β‖² and G = ‖β‖² + β₀β₁", lambda v: v @ v, lambda v: v @ v + v[0] * v[1]),
        ("F = ‖β‖² and G = ‖β‖² + Σβ_j⁴/10", lambda v: v @ v, lambda v: v @ v + (v**4).sum() / 10),
    ):
        must_say(False, same_problem, lambda v, F=F: float(F(v)), lambda v, G=G: float(G(v)), 3, words)


@SAME_PROBLEM.condition(
    "symmetric",
    hint="if G = aF + b then F = G/a − b/a: who comes first must not matter. Measure misfits of G in G's unit",
)
def symmetric(same_problem):
    F, twice = Sum(920, 30, 3, 1.0), Sum(920, 30, 3, 2.0)
    for words, G in {
        "1e4·F + 5": Affine(F, 1e4, 5.0), "1e-4·F + 0.005": Affine(F, 1e-4, 5e-3), "F with 2λ": twice,
        "1e-9 times F with 2λ": Affine(twice, 1e-9, 0.0), "F of other rows": Sum(921, 30, 3, 1.0),
    }.items():  # fmt: skip
        one, other = decided(same_problem, F, G, 3), decided(same_problem, G, F, 3)
        require(one == other, f"G = {words}: it said {one} of (F, G) and {other} of (G, F)")
