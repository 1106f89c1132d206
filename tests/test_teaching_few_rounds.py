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
    assert list(table.loc["GIANT"]) == [2, "no", few_rounds.in_words(few_rounds.spent(result, best, 0.5))]


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
