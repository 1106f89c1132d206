"""Starts: what a pilot, an average and one step after it are worth, what they cost, and when zero is better."""

import dask
import dask.array as da
import numpy as np
import pytest
from naive import draw, optimum, random_problem

from glmlab import L1, Objective, Ridge, Zero, as_chunks, fit, run
from glmlab.maths.penalties import FreeIntercept
from glmlab.policy import Sampling
from glmlab.rows.sampling import pilot_draw
from glmlab.solvers.start import STARTS, average, one_step, own_minimiser, starting_point

EVERY = list(STARTS)
LITTLE, MUCH = Sampling(), Sampling(much=0)  # does X hold so much that a draw may cost a read of all of it?
SOME = LITTLE.chunks


def problem(family="logistic", n=12_000, chunks=1000, sort=False, penalty=None, seed=0):
    rng = np.random.default_rng([seed, *family.encode()])
    X = rng.normal(size=(n, 5))
    y = draw(family, X @ rng.normal(size=5) / 2, rng)
    order = np.argsort(y, kind="stable") if sort else slice(None)
    rows = as_chunks(X[order], y[order], chunks=chunks, intercept=True)
    return Objective(family, rows), FreeIntercept(penalty or Ridge(2.0))


def height(f, g, beta):
    with f.booked_apart():
        return f.loss(beta) + g.value(beta)


@pytest.mark.parametrize("family", ["gaussian", "logistic", "poisson", "gamma"])
@pytest.mark.parametrize("start", EVERY)
@pytest.mark.parametrize("penalty", [Ridge(2.0), L1(5.0)], ids=repr)
def test_a_start_is_nearer_than_zero_by_far(start, family, penalty):
    f, g = problem(family, penalty=penalty)
    found = starting_point(start, f, g)
    lowest = height(f, g, run("proximal_newton", f, penalty, tol=1e-10).state.beta)
    assert height(f, g, found) - lowest <= 0.05 * (height(f, g, np.zeros(f.dim)) - lowest)


def test_the_error_of_one_step_is_that_of_the_average_squared():
    f, g = problem(n=24_000)
    best = run("newton", f, Ridge(2.0), tol=1e-14).state.beta
    first, second = (np.linalg.norm(found - best) for found in (average(f, g), one_step(f, g)))
    assert 1e-3 < first < 0.1 and second <= first**2 < first / 20


@pytest.mark.parametrize("family, penalty", [("gaussian", Zero()), ("gaussian", L1(400.0))])
def test_one_step_is_exact_for_least_squares(family, penalty):
    f, g = problem(family, penalty=penalty)
    best = run("proximal_newton", f, penalty, tol=1e-14).state.beta
    np.testing.assert_allclose(one_step(f, g), best, atol=1e-9)


def test_an_average_of_chunks_alike_is_the_answer_itself():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(200, 3))
    y = draw("logistic", X @ [1.0, -1, 0.5], rng)
    f = Objective("logistic", as_chunks(np.tile(X, (4, 1)), np.tile(y, 4), chunks=200))
    expected = fit(np.tile(X, (4, 1)), np.tile(y, 4), family="logistic", penalty=L1(30.0), tol=1e-12).beta
    np.testing.assert_allclose(average(f, L1(30.0)), expected, atol=1e-5)


def test_the_average_of_means_is_the_mean():
    rng = np.random.default_rng(8)
    y, w = rng.normal(size=9), rng.uniform(1, 2, 9)
    f = Objective("gaussian", as_chunks(np.ones((9, 1)), y, sample_weight=w, chunks=(1, 3, 5)))
    assert average(f, Zero())[0] == pytest.approx(np.average(y, weights=w), rel=1e-12)


def test_chunks_without_an_answer_are_not_heard():
    """Sorted by label all chunks but one hold one class, and with a free intercept have no minimiser."""
    f, g = problem(sort=True)
    alike = [(f.family, g, f.n, True, f.kernels)] * f.n_chunks
    only = [own.beta for own in f.map(own_minimiser, alike) if own.beta is not None]
    assert len(only) == 1 and average(f, g).tolist() == only[0].tolist()
    result = run("newton", f, Ridge(2.0), start="one-step", tol=1e-9)
    assert result.converged
    rows = np.ones((6, 2))
    chunk = as_chunks(rows, np.ones(6), sample_weight=np.zeros(6)).chunk(0)
    weightless = own_minimiser(chunk, (f.family, g, 6, False, "numpy"))
    assert weightless == (None, 0.0, 0.0)


def test_weights_of_zero_on_a_chunk_change_nothing():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(900, 3))
    y, w = draw("poisson", X @ [0.3, 0.1, 0.0], rng), rng.uniform(1, 2, 900)
    w[300:600], kept = 0.0, np.r_[0:300, 600:900]
    both = [as_chunks(X[k], y[k], sample_weight=w[k], chunks=300) for k in (slice(None), kept)]

    first, second = (average(Objective("poisson", chunks), Zero()) for chunks in both)
    np.testing.assert_allclose(first, second, atol=1e-9)


def test_passes_are_counted_and_there_is_one_round():
    f, g = problem()
    f.survey  # noqa: B018
    average(f, g)
    assert f.rounds == 1 and 4 <= f.passes <= 40
    f, g = problem()
    one_step(f, g)
    assert f.rounds == 2
    f, g = problem()
    starting_point("pilot", f, g)
    assert f.rounds == 1 and f.passes < 0.2


@pytest.mark.parametrize("start", EVERY)
def test_memory_and_dask_start_at_the_same_point(start):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(3000, 4))
    y = draw("gamma", X @ [0.3, 0.1, 0.0, -0.2], rng)
    lazy = da.from_array(X, chunks=(500, 4)), da.from_array(y, chunks=500)
    here, there = (Objective("gamma", as_chunks(*given, chunks=500)) for given in ((X, y), lazy))
    assert starting_point(start, here, L1(9.0)).tolist() == starting_point(start, there, L1(9.0)).tolist()


def test_a_pilot_without_an_optimum_does_no_harm():
    """The few rows are separable, all rows are not: the point far out is worse than zero, and zero is taken."""
    rng = np.random.default_rng(4)
    X, y = rng.normal(size=(400, 8)), (rng.random(400) < 0.5).astype(float)
    f = Objective("logistic", as_chunks(X, y, chunks=100))
    far = starting_point("pilot", f, Zero())
    assert height(f, Zero(), far) > height(f, Zero(), np.zeros(8))
    result = fit(X, y, family="logistic", solver="pilot_newton", tol=1e-9)
    assert result.converged and result.trace.objective[0] == pytest.approx(400 * np.log(2))


@pytest.mark.parametrize("start", EVERY)
@pytest.mark.parametrize("hurt", [{"X": np.nan}, {"y": -1.0}], ids=["nan", "label"])
def test_values_that_cannot_be_fitted_are_refused_with_all_counts(start, hurt):
    given = {"X": np.ones((60, 2)), "y": np.ones(60)}
    for name, value in hurt.items():
        given[name][10:13] = value
    with pytest.raises(ValueError, match="X holds nan in column . .6 values|3 rows differ"):
        fit(given["X"], given["y"], family="poisson", start=start, penalty=Ridge(1.0))


@pytest.mark.parametrize("start, message", [("pilott", "did you mean 'pilot'"), ("zeros", "known are|did you mean")])
def test_a_start_of_another_name_is_refused(start, message):
    with pytest.raises(ValueError, match=f"unknown start '{start}'.*{message}"):
        fit(np.ones((5, 1)), np.arange(5.0), family="gaussian", start=start)


@pytest.mark.parametrize("start", EVERY)
@pytest.mark.parametrize("solver", ["newton", "fista", "pilot_newton"])
def test_every_solver_takes_every_start(solver, start):
    given = random_problem("logistic", Ridge(2.0), seed=1, n=600, weighted=True, shifted=True, intercept=True)
    result = given.fit(solver=solver, start=start, tol=1e-8)
    assert result.converged and result.objective - float(given.value(optimum(given))) <= 1e-8 * result.objective


# --- rows that every pass reads anew --------------------------------------------------------------------------------


def counted(sort=False):
    """X and y on dask in 20 chunks, made in every pass, and a list to which every making adds."""
    rng, made = np.random.default_rng(6), []
    X = rng.uniform(size=(20_000, 4))
    y = draw("logistic", X @ [2.0, -1.0, 0.5, -1.0], rng)
    order = np.argsort(y, kind="stable") if sort else np.arange(len(y))

    def part(block):
        made.append(len(block))
        return X[order[block]]

    rows = da.from_array(np.arange(len(y)), chunks=1000)
    return rows.map_blocks(part, dtype=float, new_axis=1, chunks=(1000, 4), meta=np.empty((0, 0))), y[order], made


@pytest.mark.parametrize("sort", [False, True], ids=["mixed", "sorted by label"])
def test_rows_that_may_not_fit_into_memory_are_not_read_once_more_for_the_pilot(sort):
    """The draw is made in the first look; a start from a few chunks costs their reading, and the answer stays."""
    X, y, made = counted(sort)
    found = {}
    for policy in (MUCH, LITTLE):
        there, here = (Objective("logistic", as_chunks(given, y, chunks=1000), policy=policy)
                       for given in (X, np.asarray(X)))  # fmt: skip
        made.clear()
        with dask.config.set(scheduler="sync"):
            found[policy] = run("pilot_newton", there, L1(1.0), start="pilot", tol=1e-9)
        whole = int(there.passes + there.extra_passes)
        assert sum(made) == 1000 * (whole * 20 + (SOME if policy == MUCH else 20)), "the few chunks, or the pilot"
        result = run("pilot_newton", here, L1(1.0), start="pilot", tol=1e-9)
        assert result.converged and result.beta.tolist() == found[policy].beta.tolist()
    np.testing.assert_allclose(found[MUCH].beta, found[LITTLE].beta, atol=1e-3)


@pytest.mark.parametrize("count", [3, SOME])
def test_where_chunks_are_as_few_as_a_start_would_read_each_is_read_once_for_it(count):
    X, y, made = counted()
    f = Objective("logistic", as_chunks(X[: 1000 * count], y[: 1000 * count], chunks=1000), policy=MUCH)
    with dask.config.set(scheduler="sync"):
        assert f.glimpse() is f.pilot() and sum(made) == f.n and f.rounds == 1


def test_a_glimpse_stands_for_all_rows_with_as_many_as_a_pilot_has_from_chunks_far_apart():
    """Rows sorted by label show both; what it costs is booked."""
    X, y, _ = counted(sort=True)
    f = Objective("logistic", as_chunks(np.asarray(X), y, chunks=1000), policy=MUCH)
    few, share = f.glimpse(), pilot_draw(f.n, f.dim, 0, MUCH).fraction
    assert (f.passes, f.rounds) == (share, 1) and few.survey.weight == pytest.approx(f.n)
    assert few.n == pytest.approx(f.pilot().n, rel=0.02)
    assert few.chunks.rows.y.mean() == pytest.approx(y.mean(), abs=0.1)


@pytest.mark.parametrize("lazy", [False, True])
def test_the_pilot_that_the_first_look_brings_is_the_one_that_is_drawn(lazy):
    X, y, _ = counted()
    X = X if lazy else np.asarray(X)
    f, drawn = (Objective("logistic", as_chunks(X, y, chunks=1000), policy=MUCH) for _ in range(2))
    beta = f.glimpse().loss_grad(np.zeros(4)).grad
    rounds, survey = f.rounds, f.look(beta / 1e4)
    assert f.pilot().chunks.rows.X.tolist() == drawn.pilot().chunks.rows.X.tolist() and f.rounds == rounds
    assert [*map(np.all, map(np.equal, survey[:5], drawn.look(beta / 1e4)[:5]))] == [True] * 5
