"""Exercises of notebook 05: shrinkage, a chunk's local problem, the consensus step."""

from typing import NamedTuple

import numpy as np

from .exercise import Exercise, recognised, require
from .guard import ARRAYS, EXACT_ZEROS, an_array, lost_digits, short, two

# ---------------------------------------------------------------- 1. shrinkage


def shrink(v, t):
    return np.sign(v) * np.maximum(np.abs(v) - t, 0)


SHRINK = Exercise(
    name="shrink",
    statement=(
        "v is an array (p,), t ≥ 0 a number. Return the array (p,) whose entries w make t|w| + ½(w − v)² least, each "
        "for its v."
    ),
    stub='''
    def shrink(v, t):
        """argmin_w t|w| + ½(w − v)², entry by entry: an array (p,), like v; t ≥ 0 is a number."""
        raise NotImplementedError
    ''',
    reference=shrink,
    hints=(
        "For w > 0 the slope is t + w − v. When is it zero, and what if that w is not positive?",
        "w = v − t if v > t, w = v + t if v < −t. In between neither fits: w = 0.",
        "Keep the sign and shorten what is left: np.sign(v) * np.maximum(np.abs(v) - t, 0).",
    ),
)

VALUES = np.concatenate([np.linspace(-3, 3, 61), [-1.5, 1.5, 1e-9, -1e-9, 40.0, -1e6]])
THRESHOLDS = (0.0, 0.3, 1.5)


def _shrunk(shrink, v, t):
    p = shrink(v, t)
    require(np.shape(p) == np.shape(v), f"for v {short(v)} it returned {short(p)}; the result must have the shape of v")
    require(isinstance(p, np.ndarray), f"for v {short(v)} it returned {short(p)}; an array is needed", ARRAYS)
    p = np.asarray(p, dtype=float)
    finite = "t may be 0, and so may v: divide by neither"
    require(np.isfinite(p).all(), f"for v {short(v)} and t {short(t)} it returned nan or inf", finite)
    return p


@SHRINK.condition(
    "as many numbers as v has",
    hint="work entry by entry, with np.where, np.maximum or a loop: v is an array",
    errors=True,
)
def shape_of_v(shrink):
    for v in (VALUES, VALUES[:6], VALUES[:1]):
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
        p = _shrunk(shrink, v, t)
        jumps = (np.abs(np.diff(p)) - np.diff(v)) / (1 + np.abs(v[1:]))
        k = jumps.argmax()
        words = f"t = {t}: from v = {v[k]:.4g} to {v[k + 1]:.4g}, {v[k + 1] - v[k]:.3g} apart, p goes"
        far = {"the signs are the wrong way round: v > t gives v − t": np.sign(v) * (np.abs(v) + t)}
        require(jumps[k] <= 1e-6, f"{words} {np.abs(p[k + 1] - p[k]):.3g}", recognised(p, far))


@SHRINK.condition(
    "v − p is a slope of t|p|",
    hint="the condition of a minimum: v − p = t where p > 0, −t where p < 0, and |v| ≤ t where p = 0",
)
def is_prox(shrink):
    for t in THRESHOLDS:
        _expect_slope(VALUES, _shrunk(shrink, VALUES, t), t)


def _expect_slope(v, p, t):
    off = np.where(p == 0, np.maximum(np.abs(v) - t, 0), np.abs(v - p - t * np.sign(p))) / (1 + np.abs(v))
    k = np.argmax(off)
    words, little = f"v = {v[k]:.3g}, t = {t:.3g} gives p = {p[k]:.3g}", 0 < np.abs(p[k]) < 1e-12
    require(off[k] <= 1e-9, words, lost_digits(off[k]) or recognised(p, {
        "that is what the penalty takes away: return what is left": np.clip(v, -t, t),
        "the threshold is t, not t/2": v - np.clip(v, -t / 2, t / 2),
        "the threshold is t, not 2t": v - np.clip(v, -2 * t, 2 * t),
        "a square would divide by 1 + t; the kink of |p| subtracts t": v / (1 + t),
    }) or (EXACT_ZEROS if little else None))  # fmt: skip


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
        """argmin_b ‖y − Xb‖² + (rho/2)‖b − z + u‖², an array (p,); X is (n, p), y (n,), z and u (p,)."""
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
    return an_array(b, chunk.z.shape, f"for X {chunk.name} it returned", lists=True)


@LOCAL_UPDATE.condition(
    "where ρ is huge b stays at z − u",
    hint="where ρ is huge the term (ρ/2)‖b − z + u‖² decides: differentiate it. Where is its slope zero? In the system "
    "the given ρ stands on the diagonal, and before z − u",
)
def huge_rho(local_update):
    for seed in CHUNKS:
        chunk = _chunk(*seed)
        b, there = _solve(local_update, chunk, 1e9), chunk.z - chunk.u
        words = f"for X {chunk.name} and ρ = 1e9 it lies {np.abs(b - there).max():.3g} from z − u"
        require(np.abs(b - there).max() <= 1e-5 * (1 + np.abs(there).max()), words, recognised(b - there, {
            "the slope of (ρ/2)‖b − z + u‖² is zero at b = z − u: mind the sign of u": 2 * chunk.u,
            "u is missing, or ρ does not multiply it: the second term pulls towards z − u": chunk.u,
            "z is missing: the second term pulls towards z − u, not towards −u": -chunk.z,
            "the second term pulls towards z − u, not towards 0": -there,
        }, rtol=1e-4))  # fmt: skip


@LOCAL_UPDATE.condition(
    "the slope at b is zero",
    hint="the slope of ‖y − Xb‖² is 2Xᵀ(Xb − y), that of the other term ρ(b − z + u); an iteration must go on until "
    "their sum is zero",
)
def stationary(local_update):
    for seed in CHUNKS:
        for rho in (0.5, 30.0, 400.0):
            _expect_stationary(local_update, _chunk(*seed), rho)


@LOCAL_UPDATE.condition(
    "a chunk may have fewer rows than columns",
    hint="then XᵀX has no inverse; 2XᵀX + ρI always has one. Add ρI before you solve",
    errors=True,
)
def few_rows(local_update):
    for seed in FEW:
        _expect_stationary(local_update, _chunk(*seed), 2.0)


def _expect_stationary(local_update, chunk, rho):
    X, y, z, u, _ = chunk
    b = _solve(local_update, chunk, rho)
    fit, pull = 2 * X.T @ (X @ b - y), rho * (b - z + u)
    size = np.abs(2 * X.T @ y).max() + rho * np.abs(z - u).max()
    words = f"for X {chunk.name} and ρ = {rho:g} the two slopes are {short_vector(fit)} and {short_vector(pull)}"

    def solved(two, half):
        return np.linalg.solve(two * X.T @ X + half * rho * np.eye(len(z)), two * X.T @ y + half * rho * (z - u))

    near = np.abs(fit + pull).max() <= 1e-5 * size
    require(near, f"{words}: their sum is not 0", lambda: recognised(b, {
        "the square has a 2: the slope of ‖y − Xb‖² is 2Xᵀ(Xb − y)": solved(1, 1),
        "the slope of (ρ/2)‖b − z + u‖² is ρ(b − z + u), without a ½": solved(2, 0.5),
        "the loss is a sum over the chunk's rows: do not divide by n": solved(2 / len(y), 1),
        "the loss is a sum over the chunk's rows, and the square has a 2": solved(1 / len(y), 1),
        "the rows are missing: b must fit y as well": z - u,
        "the second term is missing: b must stay near z − u as well": np.linalg.lstsq(X, y)[0],
    }))  # fmt: skip


def short_vector(v):
    """The first entries of a vector."""
    return f"({', '.join(f'{x:.3g}' for x in v[:3])}{', …' if len(v) > 3 else ''})"


# ---------------------------------------------------------------- 3. the consensus step


def z_update(B, U, z, lam, rho, alpha):
    V = alpha * B + (1 - alpha) * z + U
    v, t = V.mean(axis=0), lam / (rho * len(B))
    new = np.sign(v) * np.maximum(np.abs(v) - t, 0)
    return new, V - new


Z_UPDATE = Exercise(
    name="z_update",
    statement=(
        "B (K, p) holds the chunks' solutions, U (K, p) their u, z (p,) is the last consensus. With the relaxed "
        "answers A = alpha·B + (1 − alpha)·z return z⁺ = argmin lam‖z‖₁ + (rho/2) Σ_k ‖A_k + U_k − z‖² and "
        "U⁺ = U + A − z⁺."
    ),
    stub='''
    def z_update(B, U, z, lam, rho, alpha):
        """The new z (p,) and the new U (K, p). Row k of B (K, p) is β_k, row k of U (K, p) is u_k; z (p,) is old."""
        raise NotImplementedError
    ''',
    reference=z_update,
    hints=(
        "Σ_k ‖A_k + U_k − z‖² is K‖m − z‖² and a constant, m being the mean of A_k + U_k. What is left is a prox.",
        "λ‖z‖₁ + (ρK/2)‖m − z‖² is least at shrink(m, λ/(ρK)): one penalty, K answers.",
        "V = alpha * B + (1 - alpha) * z + U; z = shrink(V.mean(axis=0), lam / (rho * len(B))); U = V - z.",
    ),
)

COUNTS = ((56, 6, 5), (57, 1, 4), (58, 3, 1))


def _votes(seed, K, p):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(K, p)), rng.normal(size=(K, p)), rng.normal(size=p)


def _vote(z_update, B, U, z, lam, rho, alpha):
    new, moved = two(z_update(B, U, z, lam, rho, alpha), "z, U", f"for B {B.shape}")
    swapped = np.shape(new) == U.shape and np.shape(moved) == z.shape
    require(not swapped, f"for B {B.shape} z is {short(new)} and U is {short(moved)}", "z comes first: return z, U")
    return an_array(new, z.shape, f"for B {B.shape} z is"), an_array(moved, U.shape, f"for B {B.shape} U is")


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
    hint="U adds the relaxed answers A, of which z was made, not B itself. Test the inclusion",
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
    words = f"{words}: where z_j = {z[worst]:.3g}, ρ Σ U_j is {pull[worst]:.3g}"
    require(fits.all(), words, lambda: _vote_mistake(z, U, votes, lam, rho, alpha))


def _vote_mistake(z, U, votes, lam, rho, alpha):
    """The hint of a known mistake in z or, if z is right, in U; None for an unknown one."""
    B, U_old, z_old = votes
    A, K = alpha * B + (1 - alpha) * z_old, len(B)
    m, t = (A + U_old).mean(axis=0), lam / (rho * K)

    def shrunk(v, t):
        return v - np.clip(v, -t, t)

    right = {"z": shrunk(m, t)}
    if recognised(z, right, rtol=1e-9):
        return recognised(U, {
            "U grows by A − z⁺: add what a chunk wanted beyond the new z": U_old - A + z,
            "U adds to what it was: U⁺ = U + A − z⁺": A - z,
            "subtract the new z, not the old one": U_old + A - z_old,
            "U adds the relaxed answers A, not B": U_old + B - z,
            "subtract the new z from U + A": U_old + A,
        })  # fmt: skip
    return recognised(z, {
        "K terms face one penalty: shrink the mean by λ/(ρK), not by λ/ρ": shrunk(m, lam / rho),
        "ρ weighs the quadratic terms: shrink by λ/(ρK), not by λ/K": shrunk(m, lam / K),
        "ρ divides: shrink by λ/(ρK)": shrunk(m, rho * lam / K),
        "U counts, too: shrink the mean of A + U, not that of A": shrunk(A.mean(axis=0), t),
        "U is added: the mean of A + U, not of A − U": shrunk((A - U_old).mean(axis=0), t),
        "take the mean of A + U over the chunks, not the sum": shrunk(K * m, t),
        "take the mean first and shrink once: do not shrink each answer": shrunk(A + U_old, lam / rho).mean(axis=0),
        "the penalty is missing: shrink the mean": m,
    })  # fmt: skip


@Z_UPDATE.condition(
    "α weighs the new answers",
    hint="alpha·B + (1 − alpha)·z: the post's line is 0.9*new_betas + 0.1*z. And each chunk keeps its own disagreement",
)
def weighs_the_new(z_update):
    for shape in COUNTS:
        for alpha in (0.9, 1.0, 1.6):
            B, U, old = _votes(*shape)
            z, moved = _vote(z_update, B, U, old, 0.7, 2.0, alpha)
            expected, found = alpha * B + (1 - alpha) * old, moved - U + z
            words = f"α = {alpha:g}: U grew by an answer of {found[0, 0]:.3g} minus z, where B = {B[0, 0]:.3g}"
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
