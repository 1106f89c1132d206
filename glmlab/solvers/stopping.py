"""When a proof is worth its pass, and what counts as converged: functions of their arguments only.

A residual, or a method's own estimate of its gap, only says that a certificate is worth its pass. The certificate says
whether `tol` is proved. Where X is small that is not all: the certificate also says where the quadratic model of F at β
has its minimiser, and an answer counts as converged if the step to it changes no row's η visibly (`error_needed`). A
gap alone would not do, because the distance from β to β* is of the order of its square root.
"""

from typing import NamedTuple

import numpy as np


class Goal(NamedTuple):
    """What a run is asked for."""

    tol: float  # relative gap that must be proved
    large: bool  # X has so many numbers that a certificate takes a sample of the rows
    thorough: bool  # β must also be right to its last digits: where X is not large and tol not rough
    step: float  # upper limit on the effect of the next step, where a method knows it, before a certificate is tried


def goal_of(size, tol, policy):
    """The Goal for an X of `size` numbers. Whoever asks for a rough `tol` gets what was asked for."""
    small, medium = size <= policy.all_digits, size <= policy.extra_pass
    if tol > policy.rough_tol:
        return Goal(tol, not small, False, np.inf)
    return Goal(tol, not small, small, policy.tiny_step if small else policy.small_step if medium else np.inf)


class Seen(NamedTuple):
    """A state, and what the rules read of the run that led there."""

    state: object  # with beta, objective and residual
    iteration: int
    gap: float  # an estimate of the relative gap: the state's own, or else the squared residual, which is of its order
    knows_gap: bool  # is the estimate the state's own?
    effects: list  # what each state's next step would move (effect_of); empty where the method does not know its steps
    idle: int  # iterations since the objective or the residual last improved


def worth_proving(seen, trigger, goal, policy):
    """Is a certificate worth its pass now? `trigger` is the largest `gap` for it; each failed proof lowers it."""
    if is_scheduled(seen.iteration, policy):
        return True
    settled = not seen.effects or seen.effects[-1] <= goal.step
    if not (seen.gap <= trigger and settled):
        return stalled(seen.effects, policy)
    if goal.large and seen.knows_gap and seen.gap > policy.rounding_gap:
        # Wait until a sample of the share `tight` can be expected to prove tol. Such a method gets there soon.
        return policy.safety * seen.gap <= policy.tight_share * goal.tol
    return True


def is_scheduled(iteration, policy):
    """Is this one of the iterations 16, 32, 64, …, which are certified whatever the state says of itself?"""
    times, rest = divmod(iteration, policy.first_proof)
    return times > 0 and rest == 0 and times & (times - 1) == 0


def stalled(effects, policy):
    """Have the steps become small and then stopped shrinking? Then only rounding is left of them.

    While that holds each state is certified: one of the next may be good enough, and `idle` ends the run otherwise.
    """
    before, recent = effects[: -policy.stall_window], effects[-policy.stall_window :]
    if not before or not min(effects) <= policy.rounding_step:
        return False
    return min(recent) > policy.stall_ratio * min(before)


def is_met(goal, relative, error, needed):
    """Is `tol` proved and β right? `error` is the effect of the certificate's step, `needed` how small it must be."""
    return relative <= goal.tol and (not goal.thorough or error <= needed)


def error_needed(effects, policy):
    """How small the effect of the certificate's step must be.

    Methods that know their next step reach policy.tiny_step in one or two more passes. So it is required of them,
    unless their steps have stalled.
    """
    return policy.tiny_step if effects and not stalled(effects, policy) else policy.proved_step


def fall_wanted(relative, error, goal, needed, policy):
    """By what factor the gap should fall before the next proof. The gap falls like the square of a step."""
    if not np.isfinite(relative):
        return policy.unproved_fall
    for_gap = goal.tol / relative if relative > goal.tol else 1.0
    for_step = np.square(needed / error) if goal.thorough and error > needed else 1.0
    return min(max(min(for_gap, for_step), policy.most_fall), policy.least_fall)


def share_of_rows(seen, n, dim, goal, policy):
    """The share of n rows on which the dual point should move: policy.most_share, or less where less will do.

    A sample's bound is about the gap divided by its share. So less will do where the state knows its gap and the gap is
    small against `tol`.
    """
    if not seen.knows_gap or not policy.safety * seen.gap < policy.most_share * goal.tol:
        return policy.most_share
    tight = policy.tight_share if n * dim < policy.dear_pass else 0.0
    least = max(policy.least_share, policy.rows_each * dim / n, tight)
    return min(max(least, policy.safety * seen.gap / goal.tol), policy.most_share)


def improves(value, least):
    """Is this objective below the least so far by more than rounding?"""
    return value < least - 1e-14 * abs(least)


def shrinks(residual, least):
    """Is this residual below the least so far by at least a thousandth? Smaller decreases are no progress."""
    return residual < 0.999 * least


def effect_of(scale, state, step):
    """By how much `step` from β moves a row, as a share of the largest |x_ij β_j|; 0 if rounding of η hides the move.

    If β = 0, it is a share of the change of the intercept that raises F by S. scale: f.scale.
    """
    step = np.asarray(step)
    if not np.isfinite(step).all():
        return np.inf
    moved = scale.effect(step) - 4 * np.finfo(float).eps * scale.largest_term(state.beta)
    if moved <= 0:
        return 0.0
    largest = np.max(scale.terms(state.beta), initial=0.0)
    largest = largest or np.sqrt(2 * scale.unit(state.objective) / scale.level_curvature)
    return moved / largest if largest > 0 else np.inf
