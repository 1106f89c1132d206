"""Which rows are drawn: from everywhere in a chunk, by seed and by chunk alone, and at what size for a pilot."""

import pickle

import numpy as np
import pytest

from glmlab.policy import Sampling
from glmlab.rows.kernels import Rows
from glmlab.rows.sampling import Draw, OnDrawn, WithDrawn, far_apart, pilot_draw

N = 700
POLICY = Sampling()


def rows_of(n=N):
    """Rows whose y is their number."""
    rng = np.random.default_rng(0)
    return Rows(rng.normal(size=(n, 3)), np.arange(n, dtype=float), rng.random(n))


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.5, 1.0])
def test_a_draw_spreads_over_the_chunk(fraction):
    rows, draw = rows_of(), Draw(fraction)
    taken = draw.take(rows, 3)
    index = taken.y.astype(int)
    assert len(index) == round(N * fraction) == draw.size(N) and np.all(np.diff(index) > 0)
    parts = np.arange(len(index) + 1) * N // len(index)
    assert np.all((parts[:-1] <= index) & (index < parts[1:])), "one of every part of the chunk, not of its head"
    assert fraction == 1.0 or len(set(index - parts[:-1])) > 1, "and not always the same one of a part"
    np.testing.assert_array_equal(taken.X, rows.X[index])
    np.testing.assert_array_equal(taken.w, rows.w[index])
    assert taken.o is None
    again, other, next_one = Draw(fraction).take(rows, 3), Draw(fraction, 1).take(rows, 3), draw.take(rows, 4)
    assert again.y.tolist() == taken.y.tolist()
    assert fraction == 1.0 or taken.y.tolist() not in (other.y.tolist(), next_one.y.tolist()), "by seed and by chunk"


@pytest.mark.parametrize("n", [20_000, 20_003])
def test_where_many_rows_are_drawn_neighbours_come_together(n):
    """From memory they cost little more than one. They come from every part of the chunk, any of them as likely."""
    run, fraction = POLICY.run, 0.05
    assert fraction * n >= run * POLICY.runs
    found = [Draw(fraction, seed).index(n, 0) for seed in range(2000)]
    assert {len(index) for index in found} == {Draw(fraction).size(n)} == {run * round(n // run * fraction)}
    runs = found[0].reshape(-1, run)
    assert np.all(np.diff(runs, axis=1) == 1) and np.all(runs[:, 0] % run == 0)
    assert np.diff(runs[:, 0]).max() <= 2 * run / fraction + run, "no part of the chunk is left out"
    share = np.bincount(np.concatenate(found), minlength=n)[: n // run * run : run] / len(found)
    assert abs(share.mean() - fraction) < 1e-3 and np.abs(share - fraction).max() < 6 * np.sqrt(fraction / len(found))


def test_a_policy_says_how_many_neighbours_come_together():
    alone = Draw(0.05, policy=Sampling(run=1)).index(20_000, 0)
    assert len(alone) == 1000 and np.diff(alone).min() >= 1 and not np.all(np.diff(alone.reshape(-1, 8), axis=1) == 1)


def test_a_draw_has_at_least_one_row_and_at_most_all():
    assert len(Draw(0.01).take(rows_of(3), 0).y) == 1
    assert Draw(2.5).index(5, 0).tolist() == [0, 1, 2, 3, 4]


def count(rows, times, own):
    """A kernel that counts rows."""
    return len(rows.y) * times + own


def test_a_kernel_on_drawn_rows_and_one_with_drawn_rows_beside_it_travel_to_workers():
    rows, draw = rows_of(), Draw(0.1, 5)
    on, beside = (pickle.loads(pickle.dumps(kind(count, draw))) for kind in (OnDrawn, WithDrawn))
    assert on(rows, 10, 3, 0) == 70 * 10 + 3 and on.__name__ == "count"
    found, taken = beside(rows, 10, 3, 2)
    assert found == 700 * 10 + 3 and taken.y.tolist() == draw.take(rows, 2).y.tolist()


@pytest.mark.parametrize("n, dim, fraction", [
    (10**6, 10, 0.01), (100_000, 10, 0.015), (1000, 10, 0.15), (10**9, 10, 2**24 / 1e10), (10**9, 10**5, 0.015),
])  # fmt: skip
def test_a_pilot_has_a_hundredth_of_the_rows_or_150_for_each_coefficient_within_limits(n, dim, fraction):
    assert pilot_draw(n, dim, 3, POLICY).fraction == pytest.approx(fraction)
    assert pilot_draw(n, dim, 3, POLICY).seed == 3


@pytest.mark.parametrize("n_chunks, count", [(20, 8), (9, 8), (1000, 8), (5, 1)])
def test_chunks_that_are_read_first_lie_far_apart(n_chunks, count):
    found, edges = np.array(far_apart(n_chunks, count)), np.arange(count + 1) * n_chunks / count
    assert len(set(found)) == count and np.all(edges[:-1] <= found + 0.5) and np.all(found < edges[1:])
