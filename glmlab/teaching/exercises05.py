"""The exercises of notebook 05: shrinkage, a chunk's local problem, the vote, the best ρ, zeros by round."""

from typing import NamedTuple

import numpy as np

from .exercise import Exercise, Wrong, require
from .guard import Broken, short

# ---------------------------------------------------------------- 1. shrinkage


def shrink(v, t):
    return np.sign(v) * np.maximum(np.abs(v) - t, 0)


SHRINK = Exercise(
    name="shrink",
    statement=(
        "v is a number or an array, t ≥ 0 a number or an array of its shape. Return, entry by entry, the p that makes "
        "t|p| + ½(p − v)² least."
    ),
    stub='''
    def shrink(v, t):
        """argmin_p t|p| + ½(p − v)², entry by entry."""
        raise NotImplementedError
    ''',
    reference=shrink,
    hints=(
        "For p > 0 the slope is t + p − v. When is it zero, and what if that p is not positive?",
        "p = v − t if v > t, p = v + t if v < −t. In between neither fits: p = 0.",
        "Keep the sign and shorten what is left: np.sign(v) * np.maximum(np.abs(v) - t, 0).",
    ),
)

VALUES = np.concatenate([np.linspace(-3, 3, 61), [-1.5, 1.5, 1e-9, -1e-9, 40.0, -1e6]])
THRESHOLDS = (0.0, 0.3, 1.5)


def _shrunk(shrink, v, t):
    p = shrink(v, t)
    require(np.shape(p) == np.shape(v), f"for v {short(v)} it returned {short(p)}; p must have the shape of v")
    return np.asarray(p, dtype=float)


@SHRINK.condition(
    "as many numbers as v has", hint="work entry by entry, with np.where or np.maximum: v may be an array"
)
def shape_of_v(shrink):
    for v in (VALUES, VALUES[:6].reshape(2, 3), 0.7, -2.0):
        _shrunk(shrink, v, 0.5)


@SHRINK.condition("odd: −v gives −p", hint="try −v: |p| does not know left from right")
def odd(shrink):
    for t in THRESHOLDS:
        p, q = _shrunk(shrink, VALUES, t), _shrunk(shrink, -VALUES, t)
        worst = np.abs(p + q).argmax()
        words = f"t = {t}: v = {VALUES[worst]:.3g} gives {p[worst]:.3g}, but {-VALUES[worst]:.3g} gives {q[worst]:.3g}"
        require(np.abs(p + q).max() <= 1e-12 * np.abs(VALUES).max(), words)


@SHRINK.condition(
    "it never moves points apart",
    hint="follow p while v crosses t, and while it crosses 0: it must not jump. Zeroing small numbers is not enough",
)
def nonexpansive(shrink):
    v = np.sort(np.concatenate([np.linspace(-3, 3, 601), VALUES]))
    for t in THRESHOLDS:
        jumps = np.abs(np.diff(_shrunk(shrink, v, t))) - np.diff(v)
        k = jumps.argmax()
        words = f"t = {t}: from v = {v[k]:.4g} to {v[k + 1]:.4g}, {v[k + 1] - v[k]:.3g} apart, p goes"
        require(jumps[k] <= 1e-9, f"{words} {jumps[k] + v[k + 1] - v[k]:.3g}")


@SHRINK.condition(
    "v − p is a slope of t|p|",
    hint="the condition of a minimum: v − p = t where p > 0, −t where p < 0, and |v| ≤ t where p = 0",
)
def is_prox(shrink):
    for t in THRESHOLDS:
        _expect_slope(VALUES, _shrunk(shrink, VALUES, t), t)


def _expect_slope(v, p, t):
    off = np.where(p == 0, np.maximum(np.abs(v) - t, 0), np.abs(v - p - t * np.sign(p)))
    k = np.argmax(off / (1 + np.abs(v)))
    threshold = np.broadcast_to(t, v.shape)[k]
    require(off[k] <= 1e-9 * (1 + np.abs(v[k])), f"v = {v[k]:.3g}, t = {threshold:.3g} gives p = {p[k]:.3g}")


@SHRINK.condition("a threshold for each entry", hint="t may be an array: compare entry by entry, without if")
def array_threshold(shrink):
    v = np.tile(VALUES, 2)
    t = np.random.default_rng(50).uniform(0, 2, len(v))
    _expect_slope(v, _shrunk(shrink, v, t), t)


# ---------------------------------------------------------------- 2. a chunk's own problem


def local_update(X, y, z, u, rho):
    H = 2 * X.T @ X + rho * np.eye(len(z))
    return np.linalg.solve(H, 2 * X.T @ y + rho * (z - u))


LOCAL_UPDATE = Exercise(
    name="local_update",
    statement=(
        "X (n, p) and y (n,) are the rows of one chunk, z and u are (p,), rho > 0. Return the b (p,) that makes "
        "‖y − Xb‖² + (rho/2)‖b − z + u‖² least."
    ),
    stub='''
    def local_update(X, y, z, u, rho):
        """argmin_b ‖y − Xb‖² + (rho/2)‖b − z + u‖², (p,)."""
        raise NotImplementedError
    ''',
    reference=local_update,
    hints=(
        "It is smooth: what does its gradient say where it is least?",
        "2Xᵀ(Xb − y) + ρ(b − z + u) = 0 is linear in b: bring what multiplies b to one side.",
        "np.linalg.solve(2 * X.T @ X + rho * np.eye(len(z)), 2 * X.T @ y + rho * (z - u)).",
    ),
)


class Chunk(NamedTuple):
    """One chunk, and what the master sends to it."""

    X: np.ndarray  # (n, p)
    y: np.ndarray  # (n,)
    z: np.ndarray  # (p,)
    u: np.ndarray  # (p,)
    name: str


def _chunk(seed, n, p):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * np.geomspace(1, 4, p)
    return Chunk(X, 3 * rng.normal(size=n), rng.normal(size=p), rng.normal(size=p), f"{n} × {p}")


CHUNKS = ((51, 20, 4), (52, 9, 3), (53, 6, 1))
FEW = ((54, 3, 7), (55, 1, 4))


def _solve(local_update, chunk, rho):
    b = local_update(chunk.X, chunk.y, chunk.z, chunk.u, rho)
    require(np.shape(b) == chunk.z.shape, f"for X {chunk.name} it returned {short(b)}; an array {chunk.z.shape} it is")
    return np.asarray(b, dtype=float)


@LOCAL_UPDATE.condition(
    "where ρ is huge b stays at z − u",
    hint="differentiate (ρ/2)‖b − z + u‖²: where is its slope zero? The sign of u is the whole memory of the method",
)
def huge_rho(local_update):
    for seed in CHUNKS:
        chunk = _chunk(*seed)
        b = _solve(local_update, chunk, 1e9)
        there = chunk.z - chunk.u
        words = f"for X {chunk.name} and ρ = 1e9 it lies {np.abs(b - there).max():.3g} from z − u"
        require(np.abs(b - there).max() <= 1e-5 * (1 + np.abs(there).max()), words)


@LOCAL_UPDATE.condition(
    "the slope at b is zero",
    hint="the post's losses are sums, with no ½ and no 1/n: the slope of ‖y − Xb‖² is 2Xᵀ(Xb − y), that of the other "
    "term ρ(b − z + u)",
)
def stationary(local_update):
    for seed in CHUNKS:
        for rho in (0.5, 30.0, 400.0):
            _expect_stationary(local_update, _chunk(*seed), rho)


@LOCAL_UPDATE.condition(
    "a chunk may have fewer rows than columns",
    hint="then XᵀX has no inverse; 2XᵀX + ρI always has one. Add ρI before you solve",
)
def few_rows(local_update):
    for seed in FEW:
        try:
            _expect_stationary(local_update, _chunk(*seed), 2.0)
        except Broken as broken:  # a singular matrix shows the misunderstanding: give the hint
            raise Wrong(str(broken)) from None


def _expect_stationary(local_update, chunk, rho):
    b = _solve(local_update, chunk, rho)
    fit, pull = 2 * chunk.X.T @ (chunk.X @ b - chunk.y), rho * (b - chunk.z + chunk.u)
    size = np.abs(2 * chunk.X.T @ chunk.y).max() + rho * np.abs(chunk.z - chunk.u).max()
    words = f"for X {chunk.name} and ρ = {rho:g} the two slopes are {short_vector(fit)} and {short_vector(pull)}"
    require(np.abs(fit + pull).max() <= 1e-5 * size, f"{words}: their sum is not 0")


def short_vector(v):
    """The first entries of a vector."""
    return f"({', '.join(f'{x:.3g}' for x in v[:3])}{', …' if len(v) > 3 else ''})"


# ---------------------------------------------------------------- 3. the vote


def z_update(B, U, z, lam, rho, alpha):
    votes = alpha * B + (1 - alpha) * z + U
    v, t = votes.mean(axis=0), lam / (rho * len(B))
    new = np.sign(v) * np.maximum(np.abs(v) - t, 0)
    return new, votes - new


Z_UPDATE = Exercise(
    name="z_update",
    statement=(
        "B (K, p) holds the chunks' solutions, U (K, p) their u, z (p,) is the last consensus. With the relaxed votes "
        "A = alpha·B + (1 − alpha)·z return z⁺ = argmin lam‖z‖₁ + (rho/2) Σ_k ‖A_k + U_k − z‖² and U⁺ = U + A − z⁺."
    ),
    stub='''
    def z_update(B, U, z, lam, rho, alpha):
        """The new consensus z (p,) and the new U (K, p)."""
        raise NotImplementedError
    ''',
    reference=z_update,
    hints=(
        "Σ_k ‖A_k + U_k − z‖² is K‖m − z‖² and a constant, m being the mean of A_k + U_k. What is left is a prox.",
        "λ‖z‖₁ + (ρK/2)‖m − z‖² is least at shrink(m, λ/(ρK)): one penalty, K votes.",
        "votes = alpha * B + (1 - alpha) * z + U; z = shrink(votes.mean(axis=0), lam / (rho * len(B))); U = votes - z.",
    ),
)

COUNTS = ((56, 6, 5), (57, 1, 4), (58, 3, 1))


def _votes(seed, K, p):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(K, p)), rng.normal(size=(K, p)), rng.normal(size=p)


def _vote(z_update, B, U, z, lam, rho, alpha):
    answer = z_update(B, U, z, lam, rho, alpha)
    pair = isinstance(answer, (tuple, list)) and len(answer) == 2
    require(pair, f"for B {B.shape} it returned {short(answer)}; two results are needed: z and U")
    for what, value, shape in (("z", answer[0], z.shape), ("U", answer[1], U.shape)):
        require(np.shape(value) == shape, f"for B {B.shape} {what} is {short(value)}; its shape must be {shape}")
    return np.asarray(answer[0], dtype=float), np.asarray(answer[1], dtype=float)


@Z_UPDATE.condition("z and U, of their shapes", hint="return z, U: z for all, and in U one row for each chunk")
def two_results(z_update):
    for shape in COUNTS:
        _vote(z_update, *_votes(*shape), 1.0, 2.0, 1.0)


@Z_UPDATE.condition(
    "the order of the chunks does not matter", hint="z is made of a mean over chunks, axis 0; U moves along"
)
def order_free(z_update):
    B, U, z = _votes(*COUNTS[0])
    turn = np.array([3, 0, 5, 1, 4, 2])
    new, moved = _vote(z_update, B, U, z, 1.0, 2.0, 1.5)
    again, turned = _vote(z_update, B[turn], U[turn], z, 1.0, 2.0, 1.5)
    require(np.allclose(new, again, rtol=1e-9, atol=1e-12), "the same chunks in another order give another z")
    require(np.allclose(moved[turn], turned, rtol=1e-9, atol=1e-12), "in another order U does not follow its chunks")


@Z_UPDATE.condition(
    "α = 1: ρ Σ U is a slope of λ‖z‖₁",
    hint="one penalty faces K quadratic terms: the mean is shrunk by λ/(ρK). With λ/ρ each chunk pays the penalty, and "
    "zeros come by the dozen",
)
def inclusion(z_update):
    for shape in COUNTS:
        for lam, rho in ((2.0, 1.0), (0.3, 5.0), (1e6, 1.0), (0.0, 2.0)):
            _expect_inclusion(z_update, _votes(*shape), lam, rho, 1.0)


@Z_UPDATE.condition(
    "α ≠ 1: the same slope",
    hint="U takes up the relaxed votes, those that z was made of, not B itself. Test the inclusion",
)
def relaxed_inclusion(z_update):
    for shape in COUNTS:
        for alpha in (0.9, 1.6):
            _expect_inclusion(z_update, _votes(*shape), 2.0, 1.0, alpha)


def _expect_inclusion(z_update, votes, lam, rho, alpha):
    z, U = _vote(z_update, *votes, lam, rho, alpha)
    pull = rho * U.sum(axis=0)
    size = 1e-9 * (1 + lam + rho * np.abs(U).sum(axis=0))
    fits = np.where(z == 0, np.abs(pull) <= lam + size, np.abs(pull - lam * np.sign(z)) <= size)
    words = f"K = {len(U)}, λ = {lam:g}, ρ = {rho:g}, α = {alpha:g}"
    worst = np.argmin(fits)
    require(fits.all(), f"{words}: where z_j = {z[worst]:.3g}, ρ Σ U_j is {pull[worst]:.3g}")


@Z_UPDATE.condition(
    "α weighs the new votes",
    hint="alpha·B + (1 − alpha)·z: the post's line is 0.9*new_betas + 0.1*z. And each chunk keeps its own disagreement",
)
def weighs_the_new(z_update):
    for shape in COUNTS:
        for alpha in (0.9, 1.0, 1.6):
            B, U, old = _votes(*shape)
            z, moved = _vote(z_update, B, U, old, 0.7, 2.0, alpha)
            expected, found = alpha * B + (1 - alpha) * old, moved - U + z
            words = f"α = {alpha:g}: U grew by a vote of {found[0, 0]:.3g} minus z, where B = {B[0, 0]:.3g}"
            near = np.allclose(found, expected, rtol=1e-9, atol=1e-9)
            require(near, f"{words} and the last z = {old[0]:.3g} make {expected[0, 0]:.3g}")


@Z_UPDATE.condition(
    "the optimum is a fixed point",
    hint="if all agree on β*, and ρ u_k = −∇f_k(β*), nothing may move: write the conditions down",
)
def fixed_point(z_update):
    rng = np.random.default_rng(59)
    z, lam, rho = np.array([1.5, 0.0, -0.2, 0.0]), 2.0, 0.5
    slopes = rng.normal(size=(5, 4))
    slopes += (lam * np.array([1.0, 0.4, -1.0, -0.9]) - slopes.sum(axis=0)) / 5  # Σ ρu_k ∈ λ∂‖z‖₁
    for alpha in (1.0, 1.6):
        new, U = _vote(z_update, np.tile(z, (5, 1)), slopes / rho, z, lam, rho, alpha)
        words = f"α = {alpha:g}: from the optimum z moves by {np.abs(new - z).max():.1e}"
        require(np.allclose(new, z, atol=1e-9) and np.allclose(U, slopes / rho, atol=1e-9), words)


# ---------------------------------------------------------------- 4. the best ρ


def best_rho(mu, L):
    return np.sqrt(mu * L)


BEST_RHO = Exercise(
    name="best_rho",
    statement="0 < mu ≤ L. Return the rho > 0 that makes max(rho/(mu + rho), L/(L + rho)) least.",
    stub='''
    def best_rho(mu, L):
        """The rho that makes max(rho/(mu + rho), L/(L + rho)) least."""
        raise NotImplementedError
    ''',
    reference=best_rho,
    hints=(
        "One factor grows with ρ, the other falls. Where is the larger of the two least?",
        "Where they cross: ρ/(μ + ρ) = L/(L + ρ).",
        "ρL + ρ² = Lμ + Lρ, so ρ² = μL: np.sqrt(mu * L).",
    ),
)

CURVATURES = ((1.0, 40.0), (3e-4, 0.2), (5.0, 5.0), (2e4, 3e6))


def rate(rho, mu, L):
    """The factor of the error in one round, for equal chunks with curvatures from μ to L and α = 1."""
    return max(rho / (mu + rho), L / (L + rho))


def _rho(best_rho, mu, L):
    rho = best_rho(mu, L)
    require(np.ndim(rho) == 0, f"for μ = {mu:g}, L = {L:g} it returned {short(rho)}; one number is needed")
    rho = float(rho)
    require(np.isfinite(rho) and rho > 0, f"for μ = {mu:g}, L = {L:g} it returned {rho:g}; ρ must be positive")
    return rho


@BEST_RHO.condition("a positive number", hint="return one number: sqrt, not a range to choose from")
def positive(best_rho):
    for mu, L in CURVATURES:
        _rho(best_rho, mu, L)


@BEST_RHO.condition(
    "ρ has the unit of a curvature",
    hint="scale X: both curvatures are multiplied by c, and ρ must be too. Which constant of yours has no unit?",
)
def homogeneous(best_rho):
    for mu, L in CURVATURES:
        first = _rho(best_rho, mu, L)
        for c in (2.0**-12, 2.0**15):
            other = _rho(best_rho, c * mu, c * L)
            words = f"ρ = {first:.4g} for μ = {mu:g}, L = {L:g}, but {other:.4g} for {c:g} times both"
            require(abs(other / (c * first) - 1) <= 1e-3, words)


@BEST_RHO.condition(
    "no other ρ has a better rate",
    hint="draw both factors against log ρ, and cross the curves: neither end of [μ, L] wins, nor does the middle",
)
def no_better(best_rho):
    for mu, L in CURVATURES:
        rho = _rho(best_rho, mu, L)
        ours, factor = rate(rho, mu, L), np.linspace(0.2, 5, 97)
        best = min(factor, key=lambda c: rate(c * rho, mu, L))
        theirs = rate(best * rho, mu, L)
        words = f"μ = {mu:g}, L = {L:g}: ρ = {rho:.4g} has rate {ours:.4f}, ρ = {best * rho:.4g} has {theirs:.4f}"
        require(ours <= theirs + 1e-3 * (1 - theirs), words)


# ---------------------------------------------------------------- 5. the clock


def zeros_at(beta, lam, rho, K, k, alpha):
    return np.sum(np.abs(beta) < lam / (alpha * rho * K * k))


ZEROS_AT = Exercise(
    name="zeros_at",
    statement=(
        "beta (p,) are the coefficients that every chunk's own rows point at. Where rho is so small that every local "
        "update returns beta, whatever z and u are, and z and u start at 0: how many entries of z are 0 after round k, "
        "with K chunks, penalty lam and relaxation alpha?"
    ),
    stub='''
    def zeros_at(beta, lam, rho, K, k, alpha):
        """How many entries of z are 0 after round k, where rho is next to nothing."""
        raise NotImplementedError
    ''',
    reference=zeros_at,
    hints=(
        "Take one coefficient whose z has been 0 so far. What is its u after each round?",
        "While z = 0 a round adds αβ to u. In round k the vote is αβ, u before it (k − 1)αβ, together kαβ.",
        "It stays 0 while |kαβ| ≤ λ/(ρK): count np.abs(beta) < lam / (alpha * rho * K * k).",
    ),
)


def replay(beta, lam, rho, K, rounds, alpha, rows=300, seed=60):
    """Zeros of z after every round of the loop, with exact local solves on K · rows rows of standard normal numbers."""
    rng, p = np.random.default_rng(seed), len(beta)
    X = rng.normal(size=(K, rows, p))
    y = X @ beta + rng.normal(size=(K, rows))
    inverses = np.linalg.inv(2 * np.einsum("kni,knj->kij", X, X) + rho * np.eye(p))
    pulls = 2 * np.einsum("kni,kn->ki", X, y)
    z, U, zeros = np.zeros(p), np.zeros((K, p)), []
    for _ in range(rounds):
        B = np.einsum("kij,kj->ki", inverses, pulls + rho * (z - U))
        z, U = z_update(B, U, z, lam, rho, alpha)
        zeros.append(int(np.sum(z == 0)))
    return zeros


# λ, ρ, K, α of replays, for 60 coefficients
RUNS = ((7.2, 1.0, 5, 0.9), (7.2, 1.0, 10, 0.9), (3.0, 0.25, 4, 1.6), (20.0, 2.0, 6, 0.5))
BETA = np.random.default_rng(61).random(60) * np.where(np.arange(60) % 3, 1.0, -1.0)


def _zeros(zeros_at, lam, rho, K, k, alpha):
    count = zeros_at(BETA, lam, rho, K, k, alpha)
    require(np.ndim(count) == 0, f"for K = {K}, k = {k} it returned {short(count)}; one number is needed")
    count = float(count)
    words = f"for K = {K}, k = {k} it returned {count:g}; a whole number from 0 to p = {len(BETA)} is needed"
    require(count == int(count) and 0 <= count <= len(BETA), words)
    return int(count)


@ZEROS_AT.condition("a count", hint="np.sum of True and False is a count")
def is_count(zeros_at):
    for run in RUNS:
        for k in (1, 5):
            _zeros(zeros_at, run[0], run[1], run[2], k, run[3])


@ZEROS_AT.condition(
    "zeros go as rounds pass",
    hint="u accumulates: while z = 0, each round adds the whole vote to it. After k rounds it is k times as much",
)
def falls_with_k(zeros_at):
    for lam, rho, K, alpha in RUNS:
        counts = [_zeros(zeros_at, lam, rho, K, k, alpha) for k in (1, 3, 9, 27)]
        words = f"λ = {lam:g}, ρ = {rho:g}, K = {K}: after rounds 1, 3, 9 and 27 it gives {counts}"
        require(all(a >= b for a, b in zip(counts, counts[1:], strict=False)) and counts[0] > counts[-1], words)


@ZEROS_AT.condition(
    "more chunks, fewer zeros",
    hint="who divides by K? The mean of K votes is shrunk by λ/(ρK)",
)
def falls_with_chunks(zeros_at):
    for lam, rho, K, alpha in RUNS:
        few, many = (_zeros(zeros_at, lam, rho, times * K, 4, alpha) for times in (1, 4))
        words = f"λ = {lam:g}, ρ = {rho:g}: {few} zeros with {K} chunks and {many} with {4 * K}"
        require(many < few, words)


@ZEROS_AT.condition(
    "within three of the loop itself",
    hint="take one coefficient with z = 0 through three rounds by hand, with its α: what joins u, what is shrunk?",
)
def within_three(zeros_at):
    for lam, rho, K, alpha in RUNS:
        replayed = replay(BETA, lam, rho, K, 12, alpha)
        for k, truth in enumerate(replayed, 1):
            count = _zeros(zeros_at, lam, rho, K, k, alpha)
            words = f"λ = {lam:g}, ρ = {rho:g}, K = {K}, α = {alpha:g}: {count} zeros in round {k}"
            require(abs(count - truth) <= 3, f"{words}, where the loop has {truth}")
