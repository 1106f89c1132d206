"""What notebook 10 counts: what a gap has cost, and the reads of chunks, which no solver reports."""

from dataclasses import replace

import numpy as np
import pytest

import glmlab
from glmlab import L1, Objective, Ridge, as_chunks
from glmlab.datasets import make_logistic
from glmlab.rows import kernels
from glmlab.solvers.result import State
from glmlab.teaching import few_rounds, races

G = Ridge(1.0)


@pytest.fixture(scope="module")
def rows():
    X, y, _ = make_logistic(3_000, 4, seed=5)
    return X, y


@pytest.fixture(scope="module")
def best(rows):
    return glmlab.fit(*rows, family="logistic", penalty=G, tol=1e-12)


def walked(rows, best, solver, **options):
    return few_rounds.walked(solver, Objective("logistic", as_chunks(*rows, chunks=300)), G, best, **options)


def test_a_walk_ends_at_the_first_iterate_within_the_gap_and_costs_what_that_has_cost(rows, best):
    result = walked(rows, best, "csl", tol=1e-6)
    gaps = races.gaps(result.trace.objective, best)
    assert gaps[-1] <= 1e-6 < gaps[-2]
    assert few_rounds.spent(result, best, 1e-6) == (result.passes, result.rounds)
    coarse = few_rounds.spent(result, best, 1e-2)
    assert 0 < coarse.passes < result.passes and 0 < coarse.rounds < result.rounds
    assert few_rounds.spent(result, best, 1e-9) == (np.inf, np.inf)


def test_a_walk_that_does_not_arrive_ends_after_so_many_iterations_and_does_not_warn(rows, best):
    result = walked(rows, best, "giant", tol=1e-9, max_iter=2)
    assert result.n_iter == 2
    table = few_rounds.table({"GIANT": result}, best, tols=(1e-9, 0.5))
    last = f"{races.gaps(result.trace.objective, best)[-1]:.0e}"
    assert list(table.loc["GIANT"]) == [2, last, "no", few_rounds.in_words(few_rounds.spent(result, best, 0.5))]


@pytest.mark.parametrize("solver", ["averaging_newton", "csl", "cease", "giant", "pilot_newton", "proximal_newton"])
@pytest.mark.parametrize("chunk", [300, 1_100])
def test_what_dask_sees_is_what_the_solver_books_and_what_the_result_says(rows, best, solver, chunk):
    result = few_rounds.walked(solver, Objective("logistic", as_chunks(*rows, chunks=chunk)), G, best)
    count = few_rounds.counted(result, *rows, chunk)
    assert count.own == pytest.approx((result.passes, result.rounds))
    assert count.seen.rounds == count.own.rounds + count.apart.rounds
    assert count.seen.passes == pytest.approx(count.own.passes + count.apart.passes, abs=10 / 3_000)
    assert count.apart.passes in (0, 1), "the first look"


def test_a_solver_that_books_too_little_is_found_out(rows, best):
    def silent(f, g, start):
        """Gradient descent that reads the rows a second time and says nothing of it."""
        beta = start
        while True:
            found = f.loss_grad(beta)
            yield State(beta, found.loss + g.value(beta), f.residual(beta, found.grad, g))
            with f.booked_apart():
                f.losses(beta[None, :] + 1e-3)
            f.extra_passes, f.extra_rounds = 0.0, 0
            beta = beta - 1e-3 * (found.grad + g.grad(beta))

    result = walked(rows, best, silent, max_iter=3)
    count = few_rounds.counted(replace(result, solver=silent), *rows, 300)  # by name it is not known
    assert count.seen.passes > count.own.passes + count.apart.passes + 2
    assert count.seen.rounds > count.own.rounds + count.apart.rounds + 2


def test_the_kernels_are_as_before_after_a_count_and_after_an_error(rows, best):
    before, result = kernels.blocks, walked(rows, best, "csl")
    few_rounds.counted(result, *rows, 300)
    assert kernels.blocks is before

    def broken(f, g, start):
        yield State(start)
        raise ArithmeticError("in mid-walk")

    with pytest.raises(ArithmeticError, match="in mid-walk"):
        few_rounds.counted(replace(result, solver=broken), *rows, 300)
    assert kernels.blocks is before


def test_l1_is_counted_too(rows):
    penalty = L1(20.0)
    sparse = glmlab.fit(*rows, family="logistic", penalty=penalty, tol=1e-12)
    result = few_rounds.walked("cease", Objective("logistic", as_chunks(*rows, chunks=300)), penalty, sparse)
    count = few_rounds.counted(result, *rows, 300)
    assert count.seen.passes == pytest.approx(result.passes)
    assert few_rounds.spent(result, sparse, 1e-9).rounds == result.rounds


# --- a made-up clock -------------------------------------------------------------------------------------------------


def test_arrivals_come_in_order_and_as_often_as_their_tasks_are_short():
    made = list(few_rounds.arrivals([1.0, 10.0, 2.0], 1_000, seed=3))
    times = np.array([time for time, _ in made])
    assert np.all(np.diff(times) > 0) and times[-1] < 1_000
    counts = np.bincount([k for _, k in made])
    np.testing.assert_allclose(counts, [1_000, 100, 500], rtol=0.05)
    own = np.diff(times[[k == 1 for _, k in made]])
    assert 8 <= own.min() < 9 and 11 < own.max() <= 12
    assert made == list(few_rounds.arrivals([1.0, 10.0, 2.0], 1_000, seed=3))


def clocked(rows, best, seconds, solver="consensus_admm", **options):
    f = Objective("logistic", as_chunks(*rows, chunks=750))
    return few_rounds.made_up_seconds(solver, f, G, best, seconds, tol=1e-4, **options)


def test_whoever_waits_takes_as_long_as_the_slowest_worker_in_every_round(rows, best):
    alike, slow = (clocked(rows, best, seconds) for seconds in ([1.0] * 4, [1.0, 1.0, 1.0, 10.0]))
    assert 7 < slow / alike < 12
    assert 1.5 < clocked(rows, best, [1.0] * 4, workers=[0, 0, 1, 2]) / alike < 2.2, "one has two chunks"
    rounds = few_rounds.walked("consensus_admm", Objective("logistic", as_chunks(*rows, chunks=750)), G, best, tol=1e-4,
                               start=np.zeros(4)).rounds  # fmt: skip
    assert 1.0 < alike / rounds < 1.2, "the slowest of four a round"
    assert slow == clocked(rows, best, [1.0, 1.0, 1.0, 10.0]), "the same on every machine"


def test_whoever_waits_for_nobody_is_not_held_up_by_ten(rows, best):
    waits, hurries = (clocked(rows, best, [1.0, 1.0, 1.0, 10.0], solver, rho=150.0)
                      for solver in ("consensus_admm", "async_admm"))  # fmt: skip
    assert hurries < waits


def test_whoever_does_not_arrive_takes_for_ever(rows, best):
    for solver in ("consensus_admm", "async_admm"):
        assert clocked(rows, best, [1.0] * 4, solver, max_iter=1) == np.inf
