"""Time to a proved gap, of notebook 08: right answers written otherwise, and wrong ones with their mistakes."""

import numpy as np
import pytest
from answers import accepted, called, rejected

from glmlab.teaching import check


def by_a_mask(seconds, bounds, target):
    return np.min(seconds[bounds <= target], initial=np.inf)


def by_the_best_so_far(seconds, bounds, target):
    k = np.argmax(np.minimum.accumulate(bounds) <= target)
    return float(seconds[k]) if bounds[k] <= target else float("inf")


def by_loop(seconds, bounds, target):
    for second, bound in zip(seconds, bounds, strict=True):
        if bound <= target:
            return second
    return np.inf


def backwards(seconds, bounds, target):
    found = float("inf")
    for k in range(len(bounds) - 1, -1, -1):
        found = seconds[k] if bounds[k] <= target else found
    return found


def by_next(seconds, bounds, target):
    return next((s for s, b in sorted(zip(seconds.tolist(), bounds.tolist(), strict=True)) if b <= target), np.inf)


def by_where(seconds, bounds, target):
    return np.where(bounds <= target, seconds, np.inf).min()


def by_indices(seconds, bounds, target):
    looks = np.flatnonzero(~(bounds > target))
    return seconds[looks[0]] if looks.size else np.inf


@pytest.mark.parametrize("right", [
    by_a_mask, by_the_best_so_far, by_loop, backwards, by_next, by_where, by_indices,
])
def test_time_to_written_otherwise(right):
    accepted("time_to", right)


def last_crossing(seconds, bounds, target):
    above = np.flatnonzero(bounds > target)
    after = above[-1] + 1 if len(above) else 0
    return seconds[after] if after < len(seconds) else np.inf


def interpolated(seconds, bounds, target):
    if not (bounds <= target).any():
        return np.inf
    k = int(np.argmax(bounds <= target))
    if k == 0 or np.isinf(bounds[k - 1]):
        return seconds[k]
    logs = np.log(bounds[[k, k - 1]])
    return float(np.interp(np.log(target), logs, seconds[[k, k - 1]]))


def one_too_early(seconds, bounds, target):
    k = int(np.argmax(bounds <= target))
    return seconds[max(k - 1, 0)] if (bounds <= target).any() else np.inf


def less_the_best(seconds, bounds, target):
    """As if bounds were values of F, and the best of them F*."""
    return np.min(seconds[bounds - bounds.min() <= target], initial=np.inf)


NEVER, LOOK = "inf if it was never proved", "a time at which something was proved"
FIRST = "the first proof, though later bounds rise again"


@pytest.mark.parametrize(("wrong", "condition", "says"), [
    pytest.param(less_the_best, NEVER, "minus the best bound of the run", id="F less the best F"),
    pytest.param(lambda seconds, bounds, target: np.min(seconds[bounds <= target * bounds[0]], initial=np.inf), NEVER,
                 "bound ÷ first bound", id="relative to the first"),
    pytest.param(lambda seconds, bounds, target: seconds[-1], NEVER, "however long it ran", id="the end of the run"),
    pytest.param(lambda seconds, bounds, target: min(by_loop(seconds, bounds, target), seconds[-1]), NEVER,
                 "the last second of the run", id="the last second for never"),
    pytest.param(lambda seconds, bounds, target: seconds[np.argmax(bounds <= target)], NEVER, "argmax returns 0",
                 id="argmax of nothing"),
    pytest.param(lambda seconds, bounds, target: np.max(seconds[bounds <= target], initial=-np.inf), NEVER,
                 "not the last", id="the last proof"),
    pytest.param(lambda seconds, bounds, target: np.nan, NEVER, "return inf, np.inf", id="nan for never"),
    pytest.param(lambda seconds, bounds, target: seconds[bounds <= target], NEVER, "return one number",
                 id="all times"),
    pytest.param(lambda seconds, bounds, target: seconds[bounds <= target][0], NEVER, "IndexError", id="no never"),
    pytest.param(last_crossing, FIRST, "takes nothing back", id="the last crossing"),
    pytest.param(lambda seconds, bounds, target: by_loop(seconds, bounds, target) - seconds[0], LOOK,
                 "counts from the start", id="seconds since the first look"),
    pytest.param(interpolated, LOOK, "nobody saw", id="interpolated"),
    pytest.param(one_too_early, LOOK, "the look before it", id="the look before"),
    pytest.param(lambda seconds, bounds, target: np.min(seconds[bounds < target], initial=np.inf), FIRST,
                 "where it equals the target", id="less, not at most"),
    pytest.param(lambda seconds, bounds, target: [*seconds, np.inf][len(bounds) - np.searchsorted(
        bounds[::-1], target, side="right")], FIRST, "do not search a sorted list", id="bounds are sorted"),
    pytest.param(lambda seconds, bounds, target: int(np.argmax(bounds <= target)) if (bounds <= target).any()
                 else np.inf, LOOK, "not the number of looks", id="how many looks, not how long"),
])  # fmt: skip
def test_time_to_wrong(wrong, condition, says):
    rejected("time_to", wrong, condition, says)


def test_an_answer_that_forgets_never_is_told():
    assert "returned None" in check(called("time_to", lambda seconds, bounds, target: next(
        (s for s, b in zip(seconds, bounds, strict=True) if b <= target), None))).message
