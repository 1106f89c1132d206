"""When to certify, when to stop, and what counts as converged: rules that are told all they need.

A residual or a promise only says that a certificate is worth its pass. The certificate says whether `tol` is proved.
Where rows are few that is not all: the certificate also says where the quadratic model of F at β has its minimiser, and
an answer counts as converged if that step moves no row by more than its last digits. A gap alone would not do, because
β is off by the square root of it.
"""

import numpy as np


def thorough(size, tol, policy):
    """Is more asked for than `tol`? Where X has few numbers, and nobody has asked for little."""
    return size <= policy.few and tol <= policy.rough


def asked(size, tol, policy):
    """Up to which effect of its next step a method that knows it goes on."""
    if thorough(size, tol, policy):
        return policy.still
    return policy.near if size <= policy.soon and tol <= policy.rough else np.inf


def effect(f, objective, beta, step):
    """By how much `step` from β moves a row, relative to what the largest coefficient does; 0 within η's rounding.

    Where all coefficients are 0 it is relative to a move of the level that costs S.
    """
    step = np.asarray(step)
    if not np.isfinite(step).all():
        return np.inf
    moved = f.effect(step) - 4 * np.finfo(float).eps * f.largest_term(beta)
    if moved <= 0:
        return 0.0
    largest = np.max(f.terms(beta), initial=0.0) or np.sqrt(2 * f.unit(objective) / f.level_curvature)
    return moved / largest if largest > 0 else np.inf


def nearness(decrement, residual, unit):
    """A number that falls like the relative gap: the state's own estimate of the gap, or the residual squared."""
    return np.square(residual) if decrement is None else decrement / unit


def wanted(relative, step, tol, right, policy):
    """By what factor the relative gap should fall before it is proved anew; it falls like the square of the step."""
    if not np.isfinite(relative):
        return 0.01
    factor = min(tol / relative if relative > tol else 1.0, np.square(right / step) if step > right else 1.0)
    return min(max(factor, policy.later), policy.sooner)


def stalled(effects, policy):
    """Have steps that were small already stopped to shrink? Then rounding is all that is left of them."""
    before, last = effects[: -policy.window], effects[-policy.window :]
    if not before or not min(effects) <= policy.rest:
        return False
    return min(last) > policy.shrink * min(before)


def share(near, knows_gap, n, dim, tol, policy):
    """The least share of the rows that can be expected to prove tol, if the state knows how large its gap is."""
    tight = policy.tight if n * dim < policy.much else 0.0
    least = max(policy.least, policy.rows * dim / n, tight)
    if not knows_gap or not policy.ample * near < policy.share * tol:
        return policy.share
    return min(max(least, policy.ample * near / tol), policy.share)


def moved(objective, residual, best, least):
    """Is this progress, however little?"""
    return objective < best - 1e-14 * abs(best) or residual < 0.999 * least
