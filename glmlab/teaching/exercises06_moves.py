"""The third exercise of notebook 06b: a change that does not depend on the solver's step."""

import numpy as np

from glmlab.maths.penalties import shrinkage

from .exercise import Exercise, recognised, require
from .exercises06 import optimal_pair
from .guard import one_number


def full_move(beta, q, lam, L):
    v = beta - q / L
    after = np.sign(v) * np.maximum(np.abs(v) - lam / L, 0)
    return np.abs(after - beta).max()


FULL_MOVE = Exercise(
    name="full_move",
    statement=(
        "beta (p,) is a point, q (p,) is ∇f(beta), lam > 0 the weight of the L1 penalty, L > 0 the largest eigenvalue "
        "of the Hessian of f. Return the largest absolute entry of beta⁺ − beta, where beta⁺ is one step of proximal "
        "gradient of length 1/L from beta: beta⁺ = shrink(beta − q/L, lam/L)."
    ),
    stub='''
    def full_move(beta, q, lam, L):
        """max_j |β⁺_j − beta_j| of one step of length 1/L from beta, one number. beta and q = ∇f(beta): (p,)."""
        raise NotImplementedError
    ''',
    reference=full_move,
    hints=(
        "Make the step of proximal gradient with t = 1/L. How far does each coordinate move?",
        "v = beta − q/L is the gradient step. Shrinkage moves every entry of v towards zero by lam/L, and small ones "
        "become 0. Compare the result with beta.",
        "v = beta - q / L; after = shrinkage(v, lam / L); np.abs(after - beta).max().",
    ),
)


def truth(beta, q, lam, L):
    return np.abs(shrinkage(beta - q / L, lam / L) - beta).max()


def points(seed):
    """(beta, q, lam, L): some entries of beta are 0, the sizes differ from case to case."""
    for k, p in enumerate((1, 3, 6, 20, 1, 3, 6, 20)):
        rng = np.random.default_rng(seed + k)
        lam, L = 10.0 ** rng.uniform(-2, 2), 10.0 ** rng.uniform(0.5, 3)
        beta = rng.normal(size=p) * (rng.random(p) < 0.7) * 3 * lam / L
        yield beta, lam * rng.normal(scale=4, size=p), lam, L


def _mistakes(beta, q, lam, L):
    """{hint: the number of an answer with this mistake}."""
    move = shrinkage(beta - q / L, lam / L) - beta
    return {
        "after a step of length t = 1/L shrinkage takes off tλ, which is lam/L, not lam":
            np.abs(shrinkage(beta - q / L, lam) - beta).max(),
        "the penalty is missing: shrink the result of the gradient step by lam/L": np.abs(q / L).max(),
        "a step goes against the gradient: beta − q/L": np.abs(shrinkage(beta + q / L, lam / L) - beta).max(),
        "the step is 1/L long, not L": np.abs(shrinkage(beta - q * L, lam * L) - beta).max(),
        "the largest entry is asked, not the Euclidean norm": np.linalg.norm(move),
        "the largest entry is asked, not the sum": np.abs(move).sum(),
        "the largest entry is asked, not the mean": np.abs(move).mean(),
        "an entry may move down: take abs before max": move.max(),
        "subtract beta: how far it moves is asked, not where it arrives": np.abs(move + beta).max(),
        "the move itself is asked: do not divide it by the length of the step": L * np.abs(move).max(),
    }  # fmt: skip


def _compare(full_move, beta, q, lam, L, expected, where):
    found = one_number(full_move(beta, q, lam, L), where)
    near = 1e-9 * expected + 1e-13 * (np.abs(beta).max() + np.abs(q).max() / L)
    words = f"{where} the largest entry moves by {expected:.6g}, and it says {found:.6g}"
    require(abs(found - expected) <= near, words, recognised(found, _mistakes(beta, q, lam, L)))


@FULL_MOVE.condition(
    "the largest move of a step of length 1/L",
    hint="beta⁺ = shrink(beta − q/L, lam/L), entry by entry; then the largest |beta⁺_j − beta_j|",
)
def right(full_move):
    for beta, q, lam, L in points(730):
        _compare(full_move, beta, q, lam, L, truth(beta, q, lam, L), f"for p = {len(beta)} and L = {L:.4g}")


@FULL_MOVE.condition(
    "zero where beta is optimal",
    hint="at an optimal beta a step leads back to beta: q_j = −lam·sign(beta_j) moves beta_j by lam/L, and shrinkage "
    "takes it back; at beta_j = 0 shrinkage makes an entry of size at most lam/L exactly 0",
)
def zero_at_optimum(full_move):
    rng = np.random.default_rng(740)
    for lam, L in ((1.0, 10.0), (7.2, 300.0), (1e-3, 2.0)):
        q, beta = optimal_pair(rng, 8, lam)
        beta = beta * 10 * lam / L  # far enough from 0 for the gradient step to keep every sign
        _compare(full_move, beta, q, lam, L, 0.0, f"at an optimal beta, lam = {lam:g} and L = {L:g}")
