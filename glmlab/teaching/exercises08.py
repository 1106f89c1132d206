"""The exercises of notebook 08: the noise in a benchmark's errors, equal problems, time to a proved gap."""

from functools import cache

import numpy as np
from scipy.special import erf

from glmlab.maths.families import Logistic

from .exercise import Exercise, require
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


def floor_of(noise_floor, H, seed, where):
    found = one_number(noise_floor(H, seed), where)
    require(np.isfinite(found) and found > 0, f"{where} it returned {found:g}; an error is a positive number")
    return found


def off_by(found, expected, share, words):
    require(abs(found / expected - 1) <= share, f"{words} it says {found:.4g}; the mean is {expected:.4g}")


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
    for h in (0.04, 1.0, 2e6):
        expected = np.sqrt(2 / (np.pi * h))
        off_by(floor_of(noise_floor, np.array([[h]]), 3, f"for H = {h:g}"), expected, 0.07, f"for p = 1, H = {h:g}")


@NOISE_FLOOR.condition(
    "the largest of p",
    hint="‖·‖∞ is the largest of p errors, and the largest of many is larger than each: take the maximum of a draw "
    "first, then the mean over draws",
)
def floor_is_a_maximum(noise_floor):
    for h in (np.full(15, 100.0), np.full(60, 4.0), np.geomspace(1, 1e4, 8)):
        found, expected = floor_of(noise_floor, np.diag(h), 5, "for a diagonal H"), largest_of_independent(h**-0.5)
        off_by(found, expected, 0.07, f"for {len(h)} independent errors of sizes {short((h**-0.5).tolist())}")


@NOISE_FLOOR.condition(
    "it falls like 1/√n",
    hint="every row twice: H is twice as large. What do the errors become? And the answer must depend on the curvature "
    "per row, not on how many rows there are alone",
)
def floor_falls_with_rows(noise_floor):
    H = hessian(rows(850, 400, 6))
    once = floor_of(noise_floor, H, 7, "for some rows")
    for times in (4, 100, 1e6):
        ratio = once / floor_of(noise_floor, times * H, 7, f"for {times:g} times the rows")
        words = f"{times:g} times the rows divide it by {ratio:.4g}"
        require(abs(ratio / np.sqrt(times) - 1) <= 0.06, f"{words}, not by √{times:g}")


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
        found = floor_of(noise_floor, (H + H.T) / 2, 9, "for correlated errors")
        off_by(found, expected / weights.sum(), 0.07, f"for {p} errors of variance 1 that correlate by {share:g}")


def largest_shifted(m, sd, p):
    """E max_j |m + sd·ξ_j| for p independent standard normal ξ_j."""
    xs = np.linspace(0, abs(m) + 7 * sd, 2_001)
    inside = (erf((xs - m) / (np.sqrt(2) * sd)) + erf((xs + m) / (np.sqrt(2) * sd))) / 2
    return np.trapezoid(1 - inside**p, xs)


@NOISE_FLOOR.condition(
    "as far as refits are",
    hint="new labels were drawn many times from the same β_true and fitted: their mean error is what it must foretell",
)
def floor_of_refits(noise_floor):
    X = rows(*REFITTED)
    found, expected = floor_of(noise_floor, hessian(X), 11, "for 600 rows"), refitted()
    off_by(found, expected, 0.2, "for 600 logistic rows, refitted with new labels,")


@NOISE_FLOOR.condition(
    "a seed, and only the seed",
    hint="make a generator of the seed, np.random.default_rng(seed); enough draws make its choice unimportant",
)
def floor_is_seeded(noise_floor):
    H = hessian(rows(870, 300, 7))
    first, again, other = (floor_of(noise_floor, H, seed, f"with seed {seed}") for seed in (1, 1, 2))
    require(first == again, f"the same seed gave {first:.6g}, then {again:.6g}")
    require(abs(other / first - 1) < 0.07, f"two seeds gave {first:.4g} and {other:.4g}: more draws are needed")


REFITTED = 860, 600, 5  # seed, n, p of the rows


def rows(seed, n, p):
    """Uniform columns that are correlated, as in the benchmark."""
    return np.random.default_rng(seed).random((n, p))


def truth(p):
    return np.linspace(-1, 1, p)


def hessian(X):
    """The Hessian of the logistic loss at the true β."""
    curvature = Logistic().d2loss(X @ truth(X.shape[1]), 0.0)
    return (X * curvature[:, None]).T @ X


@cache
def refitted(times=200):
    """The mean of ‖β̂ − β_true‖∞ over fits to new labels for the same rows, by Newton's method."""
    X, rng, loss = rows(*REFITTED), np.random.default_rng(861), Logistic()
    beta_true, errors = truth(X.shape[1]), []
    for _ in range(times):
        y, beta = (rng.random(len(X)) < loss.mean(X @ beta_true)).astype(float), beta_true
        for _ in range(6):
            eta = X @ beta
            H = (X * loss.d2loss(eta, y)[:, None]).T @ X
            beta = beta - np.linalg.solve(H, X.T @ loss.dloss(eta, y))
        errors.append(np.abs(beta - beta_true).max())
    return float(np.mean(errors))


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
        "a > 0 and b, False otherwise. (Then, and in general only then, whoever minimises one minimises the other.) "
        "Values are right to ten digits or so of their size."
    ),
    stub='''
    def same_problem(F, G, dim):
        """Is G = aF + b, a > 0, everywhere? F and G map an array (dim,) to a number, right to ten digits or so."""
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


def decided(same_problem, F, G, dim):
    answer = same_problem(F, G, dim)
    require(isinstance(answer, (bool, np.bool_)), f"it returned {short(answer)}; True or False is needed")
    return bool(answer)


def must_say(expected, same_problem, F, G, dim, words):
    found = decided(same_problem, F, G, dim)
    require(found == expected, f"{words}, and it said {found}")


@SAME_PROBLEM.condition(
    "a problem is itself in any unit",
    hint="a sum or a mean over rows, λ before the penalty or C before the loss, a constant more: multiply or shift an "
    "objective, and its minimisers stay. Allow for any a > 0 and b, and for rounding",
)
def affine_is_the_same(same_problem):
    for k, (n, p, lam) in enumerate(((40, 3, 1.0), (25, 6, 0.1), (60, 1, 5.0))):
        F = Sum(870 + k, n, p, lam)
        for a, b in ((1.0, 0.0), (1 / n, 0.0), (7.0, -31.0), (1e5, 1e6), (1e-6, 2e-5)):
            words = f"G = {a:g}·F {'+' if b >= 0 else '−'} {abs(b):g} in {p} coordinates"
            must_say(True, same_problem, F, Affine(F, a, b), p, words)


@SAME_PROBLEM.condition(
    "an intercept with a price is another problem",
    hint="near a minimiser all is flat, and at β = 0 all penalties are 0: two objectives may agree there, and differ "
    "elsewhere. Look at random β of size 1",
)
def priced_intercept(same_problem):
    for k, (n, p) in enumerate(((40, 3), (200, 2))):
        free, priced = (Sum(880 + k, n, p, 1.0, intercept=True, priced=priced) for priced in (False, True))
        words = f"Σℓ + ‖β‖₁ and Σℓ + ‖β‖₁ + |intercept| over {n} rows"
        must_say(False, same_problem, free, priced, p + 1, words)


@SAME_PROBLEM.condition(
    "another λ is another problem",
    hint="with more unknowns than points everything fits: a and b are two numbers, so look at more than two points",
)
def other_lam(same_problem):
    for k, (one, other) in enumerate(((1.0, 800.0), (1.0, 1.1), (0.0, 1.0))):
        F, G = (Sum(890 + k, 50, 4, lam) for lam in (one, other))
        must_say(False, same_problem, F, G, 4, f"λ = {one:g} and λ = {other:g}")


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
    "not upside down",
    hint="a must be positive: who minimises −F maximises F",
)
def upside_down(same_problem):
    F = Sum(910, 30, 3, 1.0)
    for a in (-1.0, -1e-3):
        must_say(False, same_problem, F, Affine(F, a, 2.0), 3, f"G = {a:g}·F + 2")


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


# ---------------------------------------------------------------- 3. time to a proved gap


def time_to(seconds, bounds, target):
    for second, bound in zip(seconds, bounds, strict=True):
        if bound <= target:
            return float(second)
    return np.inf


TIME_TO = Exercise(
    name="time_to",
    statement=(
        "A run looked at its answer at seconds[0] < seconds[1] < …; bounds[i] is what was *proved* of F − F* of the "
        "answer at seconds[i] (inf where nothing was). Return the seconds at which an answer was first proved to be "
        "within target, inf if none was."
    ),
    stub='''
    def time_to(seconds, bounds, target):
        """When was an answer first proved to be within target of F*? inf if never.

        seconds (m,): when we looked, increasing. bounds (m,): proved of F − F* at each look, inf where nothing was.
        """
        raise NotImplementedError
    ''',
    reference=time_to,
    hints=(
        "Who had this answer in hands, with its proof, could have stopped. When was that possible for the first time?",
        "Go through the pairs in order; return the time of the first bound that does not exceed the target, inf after "
        "the loop.",
        "for second, bound in zip(seconds, bounds): if bound <= target: return second; then return np.inf.",
    ),
)

RUNS = {
    "a falling run": ([0.1, 0.5, 2.0, 3.0, 7.5], [1.0, 1e-2, 1e-4, 1e-5, 1e-9]),
    "a run that rises between": ([0.2, 0.4, 0.9, 1.6, 2.5, 9.0], [0.5, 1e-4, 3e-2, np.inf, 2e-5, 1e-7]),
    "a run with nothing proved at first": ([1.0, 2.0, 4.0], [np.inf, np.inf, 1e-6]),
    "one look": ([0.3], [1e-3]),
}
TARGETS = (1.0, 1e-1, 1e-2, 1e-3, 1e-4, 3e-5, 1e-5, 1e-6, 1e-7, 1e-9, 1e-12)


def time_of(time_to, run, target):
    seconds, bounds = (np.array(part) for part in RUNS[run])
    return one_number(time_to(seconds, bounds, target), f"{run}, target {target:g}:")


def answers(time_to):
    """For each run and target: (looks as {second: bound}, the target, the reader's answer, a text about the call)."""
    for run, looks in RUNS.items():
        for target in TARGETS:
            found = time_of(time_to, run, target)
            yield dict(zip(*looks, strict=True)), target, found, f"{run}, target {target:g}: it returned {found:g} s"


@TIME_TO.condition(
    "inf if it was never proved",
    hint="a run that was not proved to be so close did not get there, however long it ran",
)
def never_is_inf(time_to):
    for run in RUNS:
        found = time_of(time_to, run, 1e-12)
        require(found == np.inf, f"{run}: no bound is as small as 1e-12, and it returned {found:g}")


@TIME_TO.condition(
    "a time at which something was proved",
    hint="between two looks nothing is proved: no time but one of those given can be right, and the bound there must "
    "be at most the target. An interpolated time belongs to an answer that nobody saw",
)
def is_a_look(time_to):
    for looks, target, found, words in answers(time_to):
        if np.isfinite(found):
            require(found in looks, f"{words}, when nobody looked (looks at {list(looks)})")
            require(looks[found] <= target, f"{words}, when only {looks[found]:g} was proved")


@TIME_TO.condition(
    "equal is enough",
    hint="a bound says F − F* ≤ bound: where it equals the target, the target is proved",
)
def equal_is_enough(time_to):
    for target, expected in ((1e-2, 0.5), (1e-9, 7.5)):
        found = time_of(time_to, "a falling run", target)
        require(found == expected, f"at {expected:g} s exactly {target:g} was proved, and it returned {found:g}")


@TIME_TO.condition(
    "the first, though later bounds rise again",
    hint="bounds need not fall: a later, worse one takes nothing back. An earlier answer was proved and could have "
    "been kept; do not search a sorted list, nor from the end",
)
def the_first(time_to):
    for looks, target, found, words in answers(time_to):
        expected = min((second for second, bound in looks.items() if bound <= target), default=np.inf)
        require(found == expected, f"{words}; it was first proved after {expected:g} s")


@TIME_TO.condition("a closer target is never sooner", hint="what proves 1e-6 proves 1e-3 as well")
def monotone(time_to):
    for run in RUNS:
        times = [time_of(time_to, run, target) for target in TARGETS]
        require(times == sorted(times), f"{run}: times to falling targets {short(times)} fall somewhere")
