"""What passes add up: the sum of two parts is that of all rows, however they are cut and however large numbers are."""

import functools
import operator

import numpy as np
import pytest

from glmlab.maths.sums import LogSum, Moments, Sums, log_sum_exp, moments

CUTS = [[60], [1, 59], [20, 20, 20], [7, 1, 52]]


def cut(values, lengths):
    return np.split(values, np.cumsum(lengths)[:-1])


@pytest.mark.parametrize("lengths", CUTS, ids=str)
@pytest.mark.parametrize("shift", [0.0, 1.7e9, -1e12])
def test_moments_keep_the_digits_of_the_spread_wherever_the_mean_is(shift, lengths):
    rng = np.random.default_rng(0)
    z, w = np.round(rng.normal(size=60) * 1024) / 1024 + shift, rng.integers(0, 3, 60) * 0.5
    parts = [moments(*part) for part in zip(cut(z, lengths), cut(w, lengths), strict=True)]
    found = functools.reduce(operator.add, parts)
    exact = (w @ (z - shift)) / w.sum()
    assert found.weight == w.sum()
    assert found.mean - shift == pytest.approx(exact, abs=4 * np.finfo(float).eps * (1 + abs(shift)))
    spread = w @ (z - shift - exact) ** 2
    assert found.squares == pytest.approx(spread, rel=1e-12 + 8 * np.finfo(float).eps * abs(shift))


@pytest.mark.parametrize("lengths", CUTS, ids=str)
@pytest.mark.parametrize("shift", [0.0, 900.0, -900.0])
def test_a_log_sum_neither_overflows_nor_vanishes(shift, lengths):
    rng = np.random.default_rng(1)
    z, w = rng.normal(size=60) + shift, rng.integers(0, 3, 60) * 0.5
    parts = [log_sum_exp(*part) for part in zip(cut(z, lengths), cut(w, lengths), strict=True)]
    found = functools.reduce(operator.add, parts)
    assert found.log - shift == pytest.approx(np.log(w @ np.exp(z - shift)), rel=1e-12)


def test_no_weights_are_weights_of_one():
    z = np.random.default_rng(2).normal(size=60)
    for of, names in ((moments, ("weight", "mean", "squares")), (log_sum_exp, ("log",))):
        plain, weighted = of(z, None), of(z, np.ones(60))
        assert [getattr(plain, n) for n in names] == pytest.approx([getattr(weighted, n) for n in names], rel=1e-14)
        assert [getattr(of(z[:0], None), n) for n in names] == [getattr(of(z[:0], z[:0]), n) for n in names]


def test_rows_of_no_weight_say_nothing():
    z, none = np.array([3.0, np.nan]), np.zeros(2)
    assert moments(z, none).weight == 0 and log_sum_exp(z, none).log == -np.inf
    together = moments(z, none) + Moments(2.0, 5.0, 1.0)
    assert (together.weight, together.mean, together.squares) == (2.0, 5.0, 1.0)


def test_sums_add_one_by_one():
    found = Sums([1.0, LogSum(0.0)]) + Sums([2.0, LogSum(0.0)])
    assert found[0] == 3.0 and found[1].log == pytest.approx(np.log(2)) and Sums() + Sums() == Sums()
