"""Exercises of notebook 05: the best ρ, and zeros by round."""

import numpy as np

from .exercise import Exercise, recognised, require
from .exercises05 import z_update
from .guard import one_number


def best_rho(mu, L):
    return np.sqrt(mu * L)


BEST_RHO = Exercise(
    name="best_rho",
    statement="0 < mu ≤ L. Return the rho > 0 that makes max(rho/(mu + rho), L/(L + rho)) least.",
    stub='''
    def best_rho(mu, L):
        """The number rho > 0 that makes max(rho/(mu + rho), L/(L + rho)) least, for 0 < mu ≤ L."""
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
    rho = one_number(best_rho(mu, L), f"for μ = {mu:g}, L = {L:g}", hint="return one ρ, not a range to choose from")
    words = f"for μ = {mu:g}, L = {L:g} it returned {rho:g}; ρ must be positive"
    require(np.isfinite(rho) and rho > 0, words, "ρ holds a chunk near z: it is positive, as the curvatures are")
    return rho


@BEST_RHO.condition("a positive number", hint="return one positive number")
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


# ---------------------------------------------------------------- 5. zeros by round


def zeros_at(beta, lam, rho, K, rounds, alpha):
    return np.sum(np.abs(beta) <= lam / (alpha * rho * K * rounds))


ZEROS_AT = Exercise(
    name="zeros_at",
    statement=(
        "beta (p,) are the coefficients that every chunk's own rows point at. Where rho is so small that every local "
        "update returns beta, whatever z and u are, and z and u start at 0: how many entries of z are 0 after so many "
        "rounds, with K chunks, penalty lam and relaxation alpha?"
    ),
    stub='''
    def zeros_at(beta, lam, rho, K, rounds, alpha):
        """How many of the p entries of z are 0 after so many rounds, if each of K chunks always answers beta (p,)."""
        raise NotImplementedError
    ''',
    reference=zeros_at,
    hints=(
        "Take one coefficient whose z has been 0 so far. What is its u after each round?",
        "While z = 0 a round adds αβ to u. In round N the relaxed answer is αβ, u before it (N − 1)αβ, together Nαβ.",
        "It stays 0 while |Nαβ| ≤ λ/(ρK): count np.abs(beta) <= lam / (alpha * rho * K * rounds).",
    ),
)


# λ, ρ, K, α, for 60 coefficients
RUNS = ((7.2, 1.0, 5, 0.9), (7.2, 1.0, 10, 0.9), (3.0, 0.25, 4, 1.6), (20.0, 2.0, 6, 0.5))
BETA = np.random.default_rng(61).random(60) * np.where(np.arange(60) % 3, 1.0, -1.0)


def clock(lam, rho, K, rounds, alpha):
    """Zeros of z after every round of the loop, if every local update returns BETA."""
    z, U, zeros = np.zeros(len(BETA)), np.zeros((K, len(BETA))), []
    for _ in range(rounds):
        z, U = z_update(np.tile(BETA, (K, 1)), U, z, lam, rho, alpha)
        zeros.append(int(np.sum(z == 0)))
    return zeros


def _zeros(zeros_at, lam, rho, K, k, alpha):
    where, whole = f"for K = {K} after round {k}", "np.sum of True and False is a count"
    count = one_number(zeros_at(BETA, lam, rho, K, k, alpha), where, hint=whole)
    words = f"{where} it returned {count:g}; a whole number from 0 to p = {len(BETA)} is needed"
    require(count == round(count) and 0 <= count <= len(BETA), words, whole)
    return int(count)


def _clock_mistake(zeros_at):
    """The hint of the mistake that gives the same counts in every run; None for an unknown one."""
    def thresholds(t):
        return [np.sum(np.abs(BETA) < t(*run[:3], k, run[3])) for run in RUNS for k in ROUNDS]

    found = [_zeros(zeros_at, *run[:3], k, run[3]) for run in RUNS for k in ROUNDS]
    with np.errstate(divide="ignore"):
        return recognised(found, {
            "u accumulates: each round adds αβ to it, so in round N there are N times as much":
                thresholds(lambda lam, rho, K, k, alpha: lam / (alpha * rho * K)),
            "the mean of K answers is shrunk by λ/(ρK): who divides by K?":
                thresholds(lambda lam, rho, K, k, alpha: lam / (alpha * rho * k)),
            "ρ divides the threshold: the mean is shrunk by λ/(ρK)":
                thresholds(lambda lam, rho, K, k, alpha: lam / (alpha * K * k)),
            "α weighs what a round adds to u: it divides the threshold":
                thresholds(lambda lam, rho, K, k, alpha: lam / (rho * K * k)),
            "a larger α adds more to u in a round: it divides, it does not multiply":
                thresholds(lambda lam, rho, K, k, alpha: alpha * lam / (rho * K * k)),
            "each round adds αβ to u: α times N, not α to the power of N":
                thresholds(lambda lam, rho, K, k, alpha: lam / (alpha**k * rho * K * k)),
            "in round N the answer is αβ, and u before it holds N − 1 more: together N, not N − 1":
                thresholds(lambda lam, rho, K, k, alpha: lam / (alpha * rho * K) / np.float64(k - 1)),
            "in round N the answer is αβ, and u before it holds N − 1 more: together N, not N + 1":
                thresholds(lambda lam, rho, K, k, alpha: lam / (alpha * rho * K * (k + 1))),
            "coefficients may be negative: compare their sizes":
                [np.sum(lam / (alpha * rho * K * k) > BETA) for lam, rho, K, alpha in RUNS for k in ROUNDS],
            "these are the coefficients that are not zero":
                [np.sum(np.abs(BETA) >= lam / (alpha * rho * K * k)) for lam, rho, K, alpha in RUNS for k in ROUNDS],
        })  # fmt: skip


ROUNDS = (1, 2, 3, 5, 9, 12)


@ZEROS_AT.condition("a count", hint="np.sum of True and False is a count")
def is_count(zeros_at):
    for *run, alpha in RUNS:
        for k in (1, 5):
            _zeros(zeros_at, *run, k, alpha)


@ZEROS_AT.condition(
    "as many as the loop itself leaves",
    hint="take one coefficient with z = 0 through three rounds by hand: what joins u, and what is shrunk, by how much?",
)
def counts_like_the_loop(zeros_at):
    for lam, rho, K, alpha in RUNS:
        for k, truth in enumerate(clock(lam, rho, K, 12, alpha), 1):
            count = _zeros(zeros_at, lam, rho, K, k, alpha)
            words = f"λ = {lam:g}, ρ = {rho:g}, K = {K}, α = {alpha:g}: {count} zeros in round {k}"
            words = f"{words}, where a loop whose chunks answer beta has {truth}"
            require(count == truth, words, lambda: _clock_mistake(zeros_at))


@ZEROS_AT.condition(
    "a sum equal to the threshold leaves a zero",
    hint="shrinking v by t gives 0 where |v| ≤ t: compare by ≤",
)
def zero_on_the_edge(zeros_at):
    beta = np.array([0.25, -0.25, 0.5, 0.125])  # in round 4 the sums are kαβ = ±1, 2 and 0.5, and λ/(ρK) = 1
    count = one_number(zeros_at(beta, 1.0, 1.0, 1, 4, 1.0), "where two sums equal the threshold")
    require(count == 3, f"the sums are 1, −1, 2 and 0.5, the threshold is 1: 3 entries are 0, and it counts {count:g}")
