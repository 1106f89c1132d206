"""The rules of a run by themselves: when a proof is worth its pass, on how many rows, and what is good enough."""

from dataclasses import replace

import numpy as np
import pytest

from glmlab import Objective, State, as_chunks
from glmlab.policy import Stopping
from glmlab.solvers import stopping
from glmlab.solvers.stopping import Seen, goal_of, worth_proving

POLICY = Stopping()
SMALL, SOON, HUGE = 100, POLICY.all_digits + 1, POLICY.extra_pass + 1  # numbers in X


def seen(near, effects=(), iteration=1, knows_gap=True):
    return Seen(None, iteration, near, knows_gap, list(effects), 0)


# --- what is asked for --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "tol", "large", "thorough", "still"), [
    (SMALL, 1e-9, False, True, POLICY.tiny_step), (SMALL, 1e-3, False, False, np.inf),
    (SOON, 1e-9, True, False, POLICY.small_step), (SOON, 1e-3, True, False, np.inf), (HUGE, 1e-9, True, False, np.inf),
])  # fmt: skip
def test_digits_beyond_tol_are_asked_for_where_a_pass_is_cheap_and_tol_not_rough(size, tol, large, thorough, still):
    assert goal_of(size, tol, POLICY) == (tol, large, thorough, still)


@pytest.mark.parametrize("size", [SMALL, SOON])
def test_the_gap_must_be_proved_and_on_a_small_table_beta_right(size):
    goal = goal_of(size, 1e-9, POLICY)
    assert stopping.is_met(goal, 1e-9, 1e-7, 1e-7) and not stopping.is_met(goal, 1.1e-9, 0.0, 1e-7)
    assert stopping.is_met(goal, 1e-9, 1.1e-7, 1e-7) == (size != SMALL)
    assert not stopping.is_met(goal, np.nan, 0.0, 1.0) and not stopping.is_met(goal, np.inf, 0.0, 1.0)


def test_a_method_that_knows_its_step_must_make_it_smaller_unless_rounding_forbids():
    assert stopping.error_needed([], POLICY) == POLICY.proved_step
    assert stopping.error_needed([1e-3, 1e-6], POLICY) == POLICY.tiny_step
    assert stopping.error_needed([1e-6, 2e-9, 1e-9, 2e-9, 1e-9, 1.5e-9, 1.2e-9], POLICY) == POLICY.proved_step


# --- when a proof is worth its pass -------------------------------------------------------------------------------


def test_a_proof_waits_until_the_state_is_near_enough():
    goal = goal_of(SMALL, 1e-6, POLICY)
    assert worth_proving(seen(1e-7), 1e-7, goal, POLICY) and not worth_proving(seen(1.1e-7), 1e-7, goal, POLICY)
    assert not worth_proving(seen(np.nan), 1e-7, goal, POLICY)


def test_a_proof_waits_until_the_next_step_is_small_or_has_stalled():
    goal, near = goal_of(SMALL, 1e-9, POLICY), 1e-20
    assert worth_proving(seen(near, [1e-3, POLICY.tiny_step]), 1e-9, goal, POLICY)
    assert not worth_proving(seen(near, [1e-3, 2 * POLICY.tiny_step]), 1e-9, goal, POLICY)
    assert worth_proving(seen(1.0, [1e-6, 2e-9, 1e-9, 2e-9, 1e-9, 1.5e-9, 1.2e-9]), 1e-9, goal, POLICY)


def test_a_proof_is_made_at_iterations_16_32_64_whatever_the_state_says_of_itself():
    goal = goal_of(SMALL, 1e-9, POLICY)
    made = [k for k in range(300) if worth_proving(seen(1.0, iteration=k), 1e-9, goal, POLICY)]
    assert made == [16, 32, 64, 128, 256]


def test_on_a_large_table_a_method_that_knows_its_gap_waits_until_the_smallest_sample_will_do():
    goal = goal_of(HUGE, 1e-6, POLICY)
    enough = POLICY.tight_share * goal.tol / POLICY.safety
    assert worth_proving(seen(enough), 1e-6, goal, POLICY) and not worth_proving(seen(2 * enough), 1e-6, goal, POLICY)
    assert worth_proving(seen(2 * enough, knows_gap=False), 1e-6, goal, POLICY), "a residual promises nothing"
    assert worth_proving(seen(2 * enough), 1e-6, goal_of(SMALL, 1e-6, replace(POLICY, rough_tol=0.0)), POLICY)


def test_a_share_is_what_the_gap_asks_for_within_its_limits():
    """And so many rows for each coefficient, lest their Hessian be singular."""
    policy, n, dim = replace(POLICY, dear_pass=0), 2000, 5

    def at(gap, n=n, tol=1e-6, knows=True, policy=policy):
        here = seen(gap * tol, knows_gap=knows)
        return stopping.share_of_rows(here, n, dim, stopping.goal_of(n * dim, tol, policy), policy)

    rows = policy.rows_each * dim / n
    for gap, wanted in ((0.0, rows), (rows / 10, rows), (0.04, 0.04 * policy.safety), (0.2, policy.most_share)):
        assert at(gap) == pytest.approx(wanted, rel=1e-12)
    assert at(np.nan) == at(0.0, n=80) == at(0.0, tol=0.0) == at(0.0, knows=False) == policy.most_share
    assert policy.least_share < rows and at(0.0, n=8000) == policy.least_share
    assert at(0.0, policy=POLICY) == policy.tight_share, "the bound is within ten times the gap"


# --- steps --------------------------------------------------------------------------------------------------------


def effect(f, beta, step):
    return stopping.effect_of(f.scale, State(beta, objective=1.0), step)


def test_a_step_counts_against_the_largest_effect_whatever_the_units_of_columns_are():
    """And whatever constants are added to columns, if the model has a level to carry them."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 2)), rng.normal(size=50)
    beta, step = np.array([2.0, -1.0, 0.5]), np.array([1e-7, 3e-7, 2e-7])

    def effect_of(scale, shift):
        """The same model and the same move in other units."""
        f = Objective("gaussian", as_chunks(X * scale + shift, y, intercept=True))
        points = [np.append(b[:2] / scale, b[2] - shift @ (b[:2] / scale)) for b in (beta, step)]
        return effect(f, *points)

    plain = effect_of(np.ones(2), np.zeros(2))
    half = (X.max(axis=0) - X.min(axis=0)) / 2
    assert plain == pytest.approx(max(half * step[:2]) / max(half * [2, 1]), rel=0.2)
    assert effect_of(np.array([1e6, 1e-3]), np.zeros(2)) == pytest.approx(plain, rel=1e-6)
    assert effect_of(np.ones(2), np.array([1e3, -20.0])) == pytest.approx(plain, rel=1e-3)


def test_what_rounding_of_eta_hides_is_no_step():
    f = Objective("gaussian", as_chunks(np.arange(6.0)[:, None], 1e9 + np.arange(6.0), intercept=True))
    beta = np.array([1.0, 1e9])
    assert effect(f, beta, np.array([0.0, 1e-7])) == 0.0 < effect(f, beta, np.full(2, 1e-6))
    assert effect(f, beta, np.array([np.nan, 0.0])) == np.inf


@pytest.mark.parametrize("effects, stalled", [
    ([1e-2, 1e-4, 1e-6, 1e-8, 1e-10], False), ([1e-6, 2e-9, 1e-9, 2e-9, 1e-9, 1.5e-9, 1.2e-9], True),
    ([1e-9], False), ([1e-1] * 9, False), ([1e-6, 0.8e-6, 0.7e-6, 0.6e-6, 0.5e-6, 0.4e-6], False),
])  # fmt: skip
def test_steps_have_stalled_when_they_were_small_and_shrink_no_more(effects, stalled):
    assert stopping.stalled(effects, POLICY) == stalled


def test_a_proof_is_tried_anew_when_the_gap_has_fallen_as_far_as_is_needed():
    def factor(relative, step=0.0):
        return stopping.fall_wanted(relative, step, stopping.goal_of(100, 1e-9, POLICY), 5e-7, POLICY)

    assert factor(1e-7) == pytest.approx(0.01) and factor(1e-9, 5e-6) == pytest.approx(0.01)
    assert factor(1e-8, 5e-5) == pytest.approx(1e-4), "the larger demand counts"
    assert factor(np.inf) == POLICY.unproved_fall
    assert factor(1.0) == POLICY.most_fall and factor(1e-12) == POLICY.least_fall
