"""run and fit: what stops a run, what is counted, what is refused, and what an interruption leaves behind."""

import itertools
import os
import signal
import threading
import time
import warnings
from dataclasses import replace
from types import SimpleNamespace
from typing import NamedTuple

import dask.array as da
import numpy as np
import pandas as pd
import pytest
from naive import PseudoHuber, joined, optimum, random_problem

from glmlab import (
    L1,
    ElasticNet,
    NotConverged,
    Objective,
    RankWarning,
    Ridge,
    State,
    Zero,
    as_chunks,
    fit,
    run,
)  # fmt: skip
from glmlab.datasets import make_logistic
from glmlab.machine import cluster
from glmlab.maths.existence import better_for_ever, escapes, no_minimum
from glmlab.policy import Existing, Stopping
from glmlab.solvers import SOLVERS

POLICY = Stopping()
MANY = replace(POLICY, all_digits=0)  # all rows count as many
PROBLEM = random_problem("logistic", Ridge(2.0), seed=0, n=120, weighted=True, shifted=True, intercept=True)


def on_dask(problem, rows=50):
    lazy = [da.from_array(c, chunks=(rows, *c.shape[1:])) for c in (problem.X, problem.y, problem.w, problem.o)]
    chunks = as_chunks(*lazy[:2], sample_weight=lazy[2], offset=lazy[3], intercept=problem.intercept)
    return Objective(problem.family, chunks)


WHERE = {"memory": lambda: PROBLEM.objective(50), "dask": lambda: on_dask(PROBLEM)}
everywhere = pytest.mark.parametrize("where", WHERE)


# --- a reader's own solver ----------------------------------------------------------------------------------------


def my_ista(f, g, start, *, step):
    """Ten lines that know nothing of states: only `.beta`."""
    beta = start
    while True:
        yield SimpleNamespace(beta=beta)
        grad = f.loss_grad(beta).grad
        beta = g.prox(beta - step * grad, step)


def my_careless_ista(f, g, start, *, step):
    """The same, but it writes into the one array that it yields."""
    beta = start.copy()
    while True:
        yield SimpleNamespace(beta=beta)
        beta[:] = g.prox(beta - step * f.loss_grad(beta).grad, step)


def my_ista_in_place_of_a_state(f, g, start, *, step):
    """The same, with a list in a class of its own."""
    beta = start
    while True:
        yield type("Mine", (), {"beta": beta.tolist()})
        beta = g.prox(beta - step * f.loss_grad(beta).grad, step)


@everywhere
@pytest.mark.parametrize("penalty", [Ridge(2.0), L1(2.0)], ids=repr)
@pytest.mark.parametrize("mine", [my_ista, my_careless_ista, my_ista_in_place_of_a_state])
def test_a_readers_generator_gives_the_bits_of_the_built_in_twin(mine, penalty, where):
    results, seen = [], []
    for solver in (mine, "proximal_gradient"):
        seen.append([])
        run_options = {"step": 0.02, "tol": 1e-7, "callback": lambda state, all=seen[-1]: all.append(state)}
        results.append(run(solver, WHERE[where](), penalty, **run_options))
    ours, theirs = results
    assert joined(ours, True).tolist() == joined(theirs, True).tolist() and ours.objective == theirs.objective
    assert ours.n_iter == theirs.n_iter > 5 and ours.converged and ours.certificate.bound == theirs.certificate.bound
    assert [s.beta.tolist() for s in seen[0]] == [s.beta.tolist() for s in seen[1]], "states stay what they were"
    assert ours.trace.objective.tolist() == theirs.trace.objective.tolist()
    assert ours.solver == mine.__name__ and theirs.solver == "proximal_gradient"


def test_what_a_readers_state_lacks_is_booked_as_certifying():
    f = PROBLEM.objective()
    result = run(my_ista, f, Ridge(2.0), step=0.02, tol=1e-6)
    assert result.passes == result.n_iter, "the gradient at the β it yields is its own, whoever asked first"
    assert f.extra_passes <= 5, "the last state and its certificates"
    f = PROBLEM.objective()
    result = run(my_extrapolation, f, Ridge(2.0), step=0.02, tol=1e-6)
    assert result.passes == result.n_iter and f.extra_passes >= result.n_iter, "here nobody asks for it but run"


def my_extrapolation(f, g, start, *, step):
    """Its gradients are taken beside the points it yields."""
    beta = old = start
    while True:
        yield State(beta)
        v = beta + 0.1 * (beta - old) + 1e-9
        old, beta = beta, g.prox(v - step * f.loss_grad(v).grad, step)


def test_fit_takes_it_too():
    ours = PROBLEM.fit(solver=my_ista, step=0.02, tol=1e-7)
    assert ours.converged and ours.solver == "my_ista"


def wrong_length(f, g, start):
    yield SimpleNamespace(beta=np.zeros(2))


def no_beta(f, g, start):
    yield 3.0


def nothing(f, g, start):
    return
    yield


def infinite(f, g, start):
    yield SimpleNamespace(beta=start)
    yield SimpleNamespace(beta=start * np.nan)


@pytest.mark.parametrize("mine, message", [(wrong_length, r"shape \(5,\)"), (no_beta, "beta"), (nothing, "no state")])
def test_a_readers_mistakes_are_named(mine, message):
    with pytest.raises((ValueError, TypeError), match=message):
        run(mine, PROBLEM.objective(), Ridge(2.0))


def test_a_solver_that_leaves_the_finite_is_not_converged():
    with pytest.warns(NotConverged, match="finite"):
        result = run(infinite, PROBLEM.objective(), Ridge(2.0))
    assert not result.converged and "finite" in result.status


def test_an_error_inside_a_solver_comes_out_as_it_is():
    def broken(f, g, start):
        yield SimpleNamespace(beta=start)
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        run(broken, PROBLEM.objective(), Ridge(2.0))


# --- what stops a run ---------------------------------------------------------------------------------------------


@everywhere
def test_it_stops_when_tol_is_proved(where):
    best = float(PROBLEM.value(optimum(PROBLEM)))
    taken = []
    for tol in (1e-1, 1e-5, 1e-9):
        result = run("fista", WHERE[where](), Ridge(2.0), tol=tol)
        taken.append(result.n_iter)
        assert result.converged and result.certificate.relative <= tol and result.status.startswith("Converged after")
        assert result.objective - best <= result.certificate.bound
    assert taken[0] < taken[1] < taken[2]


def test_tol_is_the_policys_unless_the_caller_names_one():
    other, given = {"policy": Stopping(default_tol=1e-2)}, {"tol": POLICY.default_tol}
    each = (other, {}, other | given)
    rough, fine, named = (run("fista", PROBLEM.objective(), Ridge(2.0), **options) for options in each)
    assert rough.converged and rough.n_iter < fine.n_iter == named.n_iter


FIRST_ORDER = ["gradient_descent", "proximal_gradient", "fista", "consensus_admm"]


@pytest.mark.parametrize("solver", [*FIRST_ORDER, "lbfgs", "newton"])
def test_where_rows_are_few_beta_is_right_to_its_last_digits(solver):
    """At the default tol; whoever asks for less, or has many rows, gets the gap that was asked for."""
    problem = random_problem("logistic", Ridge(0.1), seed=7, n=90, intercept=True)
    best = optimum(problem).astype(float)
    result, rough, many = (problem.fit(solver=solver, **options) for options in ({}, {"tol": 1e-3}, {"policy": MANY}))
    size = np.append(np.abs(problem.X).max(axis=0), 1.0)
    apart = [np.max(size * np.abs(joined(found, True) - best)) for found in (result, rough, many)]
    allowed = (1e-6 if solver in FIRST_ORDER else 1e-9) * np.max(size * np.abs(best))
    assert apart[0] <= allowed < apart[1] and apart[0] <= apart[2]
    assert all(found.converged for found in (result, rough, many)) and rough.n_iter < many.n_iter <= result.n_iter


@pytest.mark.parametrize("rows", ["few", "many"])
@pytest.mark.parametrize("solver", ["newton", "lbfgs", "proximal_newton", "pilot_newton"])
def test_a_state_that_knows_its_gap_is_certified_once(solver, rows):
    """Not before it is small enough for what the proof will add to it."""
    policy = POLICY if rows == "few" else MANY
    result = random_problem("logistic", Ridge(2.0), seed=0, n=3000, intercept=True).fit(solver=solver, policy=policy)
    assert result.converged and np.isfinite(result.trace.relative).sum() == 1


@pytest.mark.parametrize("solver", ["pilot_newton", "lbfgs"])
def test_of_many_rows_that_are_soon_read_one_more_pass_is_made(solver):
    """Where a pass is dear, or little is asked, the gap that was promised is enough."""
    problem = random_problem("poisson", Ridge(2.0), seed=0, n=3000, intercept=True)
    soon, rough = problem.fit(solver=solver, policy=MANY), problem.fit(solver=solver, policy=MANY, tol=1e-4)
    dear = problem.fit(solver=solver, policy=replace(MANY, extra_pass=0))
    best, size = optimum(problem).astype(float), np.append(np.abs(problem.X).max(axis=0), 1.0)
    apart = [np.max(size * np.abs(joined(found, True) - best)) for found in (soon, rough, dear)]
    assert apart[0] <= 2 * POLICY.small_step * np.max(size * np.abs(best)) < apart[1]
    assert dear.converged and dear.n_iter <= soon.n_iter and apart[0] <= apart[2]


def large_counts():
    """A hundred counts of about 1e9, each with what was expected of it."""
    rng = np.random.default_rng(1)
    X = np.column_stack([rng.integers(0, 2, 100), rng.normal(size=(100, 2))])
    expected = 1e9 * np.exp(rng.normal(size=100))
    y = np.floor(expected * np.exp(X @ [1e-4, -6e-5, 3e-5]) + np.sqrt(expected) * rng.normal(size=100))
    return {"X": X, "y": y, "offset": np.log(expected), "family": "poisson"}


@pytest.mark.parametrize("solver", ["gradient_descent", "fista", "consensus_admm"])
def test_where_rounding_hides_by_how_much_f_falls_beta_is_right_or_not_converged(solver):
    """F is 1e12; version 0.6 called it converged with β wrong by 1 %."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConverged)
        found = fit(**large_counts(), solver=solver)
    best, size = fit(**large_counts(), solver="newton"), np.abs(large_counts()["X"]).max(axis=0)
    apart = np.max(size * np.abs(found.beta - best.beta))
    assert found.converged == (apart <= 1e-6 * np.max(size * np.abs(best.beta)))
    assert best.converged and np.isfinite(best.certificate.errors)


# --- no name and no field decides ----------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["gradient_descent", "fista", "consensus_admm"])
@pytest.mark.parametrize("limit", [2, 31, 200])
def test_a_solver_of_ones_own_is_judged_like_ours(solver, limit):
    """The same states, under another name, end at the same one with the same verdict."""

    def mine(f, g, start):
        yield from itertools.islice(SOLVERS[solver](f, g, start), limit)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConverged)
        ours, own = PROBLEM.fit(solver=solver, max_iter=limit - 1), PROBLEM.fit(solver=mine)
        renamed = PROBLEM.fit(solver=called(mine, solver))
    for found in (own, renamed):
        assert found.beta.tolist() == ours.beta.tolist() and found.converged == ours.converged
    assert own.status == renamed.status


def called(solver, name):
    solver.__name__ = name
    return solver


@pytest.mark.parametrize("name", ["lbfgs", "mine", "pilot_newton"])
def test_a_solvers_name_does_not_choose_its_start(name):
    seen = []

    def generator(f, g, start):
        seen.append(start)
        yield from SOLVERS["newton"](f, g, start)

    X, y, _ = make_logistic(4000, 3)
    found = fit(X, y, family="logistic", solver=called(generator, name), fit_intercept=True)
    rate = y.mean()
    np.testing.assert_allclose(seen[0], [0, 0, 0, np.log(rate / (1 - rate))], atol=1e-14)
    assert found.converged and found.solver == name


@pytest.mark.parametrize("field", ["decrement", "move"])
def test_what_a_class_of_ones_own_calls_its_fields_is_its_own_affair(field):
    """A State's fields are read; whatever the states of another class are called changes nothing."""

    def plain(f, g, start):
        for state in SOLVERS["fista"](f, g, start):
            yield SimpleNamespace(beta=state.beta)

    def named(f, g, start):
        for state in SOLVERS["fista"](f, g, start):
            yield SimpleNamespace(**{"beta": state.beta, field: 0 * state.beta if field == "move" else 0.0})

    one, other = PROBLEM.fit(solver=plain), PROBLEM.fit(solver=named)
    assert one.n_iter == other.n_iter and one.beta.tolist() == other.beta.tolist() and one.converged
    assert np.array_equal(one.trace.relative, other.trace.relative, equal_nan=True)


def test_a_state_that_says_how_far_it_is_may_save_certificates():
    def knows(f, g, start):
        for state in SOLVERS["newton"](f, g, start):
            yield State(state.beta, state.objective, state.residual, state.decrement, state.move)

    ours, own = PROBLEM.fit(solver="newton"), PROBLEM.fit(solver=knows)
    assert own.beta.tolist() == ours.beta.tolist() and own.status.split(":")[0] == ours.status.split(":")[0]
    assert np.array_equal(ours.trace.relative, own.trace.relative, equal_nan=True)


@pytest.mark.parametrize("solver", ["proximal_gradient", "consensus_admm"])
def test_small_tables_get_the_iterations_that_they_need_though_tol_was_proved_early(solver):
    """A column that is the intercept's: sixteen times the iterations left slopes of 1e-5 of their scale."""
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=(150, 4)), np.ones(150)])
    y = np.exp(X @ [0.5, -0.5, 0.2, 0, 0]) * rng.gamma(2, 0.5, 150)
    result = fit(X, y, family="gamma", penalty=Ridge(2.0), solver=solver, fit_intercept=True)
    best = fit(X, y, family="gamma", penalty=Ridge(2.0), solver="newton", fit_intercept=True)
    size = np.max(np.abs(X).max(axis=0) * np.abs(best.beta))
    assert result.converged and np.max(np.abs(X).max(axis=0) * np.abs(result.beta - best.beta)) <= 1e-6 * size


@pytest.mark.parametrize("seed", [0, 6])
def test_a_rate_that_slackens_once_tol_is_proved_gets_the_iterations_that_it_needs(seed):
    """Weights over eight decades: three times the iterations left a slope of 3e-5 of its scale, and "Converged"."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(150, 4))
    y, w = rng.poisson(np.exp(X @ [0.5, -0.5, 0.2, 0])), 10 ** rng.uniform(-4, 4, 150)
    options = {"family": "poisson", "sample_weight": w, "penalty": Ridge(10.0), "fit_intercept": True}
    result, best = fit(X, y, **options, solver="gradient_descent"), fit(X, y, **options, solver="newton")
    size = np.max(np.abs(X).max(axis=0) * np.abs(best.beta))
    assert result.converged and np.max(np.abs(X).max(axis=0) * np.abs(result.beta - best.beta)) <= 1e-6 * size


@pytest.mark.parametrize("solver", SOLVERS)
def test_where_the_objective_is_0_the_optimum_is_proved(solver):
    X = np.random.default_rng(0).normal(size=(40, 3))
    result = fit(X, np.zeros(40), family="gaussian", solver=solver)
    assert result.converged and result.n_iter == 0 and not result.beta.any() and result.objective == 0


def test_converged_is_exactly_what_was_proved():
    stop = {"until": lambda state: state.residual < 1e-2}
    proved = run("fista", PROBLEM.objective(), Ridge(2.0), tol=0.5, **stop).certificate.relative
    assert run("fista", PROBLEM.objective(), Ridge(2.0), tol=proved * 1.001, **stop).converged
    with pytest.warns(NotConverged):
        assert not run("fista", PROBLEM.objective(), Ridge(2.0), tol=proved * 0.999, **stop).converged


def test_until_replaces_the_rule():
    with pytest.warns(NotConverged, match="stopped by until"):
        early = run("newton", PROBLEM.objective(), Ridge(2.0), until=lambda state: state.residual < 0.5)
    assert early.trace.residual[-1] < 0.5 and np.all(early.trace.residual[:-1] >= 0.5)
    late = run("newton", PROBLEM.objective(), Ridge(2.0), tol=0.5, until=lambda state: state.residual < 1e-12)
    assert late.n_iter > early.n_iter and late.converged and late.trace.residual[-1] < 1e-12


def test_a_callback_sees_every_state_and_may_stop():
    seen = []
    with pytest.warns(NotConverged, match="stopped by callback"):
        result = run("fista", PROBLEM.objective(), Ridge(2.0), callback=lambda s: seen.append(s) or len(seen) == 4)
    assert result.n_iter == 3 and len(result.trace) == 4 and not result.converged
    assert [state.objective for state in seen] == result.trace.objective.tolist()
    assert result.state.beta.tolist() == seen[-1].beta.tolist() == joined(result, True).tolist()
    for state in seen:
        with pytest.raises(ValueError, match="read-only"):
            state.beta[0] = 0.0


@pytest.mark.parametrize("max_iter", [0, 1, 3])
def test_max_iter_counts_updates(max_iter):
    with pytest.warns(NotConverged, match=f"max_iter={max_iter}"):
        result = run("proximal_gradient", PROBLEM.objective(), Ridge(2.0), tol=1e-12, max_iter=max_iter)
    assert result.n_iter == max_iter and len(result.trace) == max_iter + 1
    assert np.isfinite(result.certificate.kkt) and not result.converged


def test_an_answer_that_happens_to_be_good_enough_counts_however_it_stopped():
    result = run("newton", PROBLEM.objective(), Ridge(2.0), tol=1e-6, callback=lambda state: state.residual < 1e-9)
    assert result.converged


def test_a_tolerance_below_rounding_ends_with_what_was_proved():
    for solver in ("newton", "proximal_newton", "lbfgs", "gradient_descent", "proximal_gradient", "fista"):
        with pytest.warns(NotConverged, match="Not converged"):
            result = PROBLEM.fit(solver=solver, tol=0.0)
        assert not result.converged and result.certificate.relative < 1e-11 and result.n_iter < 3000


def test_start_may_be_a_vector_or_an_earlier_result():
    cold = PROBLEM.fit(solver="fista", tol=1e-8)
    for start in (cold, joined(cold, True), joined(cold, True).tolist()):
        warm = PROBLEM.fit(solver="fista", tol=1e-8, start=start)
        assert warm.n_iter == 0 and warm.beta.tolist() == cold.beta.tolist() and warm.intercept == cold.intercept
    start = np.full(5, 0.1)
    PROBLEM.fit(start=start)
    start += 1  # still the caller's to write
    assert start.tolist() == [1.1] * 5


# --- what a result says -------------------------------------------------------------------------------------------


@everywhere
@pytest.mark.parametrize("solver", SOLVERS)
def test_a_result_says_what_was_done(solver, where):
    f = WHERE[where]()
    result = run(solver, f, Ridge(2.0), tol=1e-7)
    best = optimum(PROBLEM)
    assert result.converged and result.solver == solver and result.kernels == f.kernels
    assert result.beta.shape == (4,) and isinstance(result.intercept, float)
    assert result.objective == pytest.approx(float(PROBLEM.value(joined(result, True))), rel=1e-13)
    assert result.objective - float(PROBLEM.value(best)) <= result.certificate.bound
    assert (result.passes, result.rounds) == (f.passes, f.rounds) and f.extra_passes >= 1
    assert result.n_iter == len(result.trace) - 1 == result.trace.iteration[-1]
    for column in ("passes", "rounds", "seconds", "iteration"):
        assert np.all(np.diff(getattr(result.trace, column)) >= 0)
    assert result.trace.passes[-1] <= result.passes and result.trace.relative[-1] == result.certificate.relative
    assert result.trace.objective[-1] == result.objective and str(result.certificate) in result.status
    frame = result.to_frame()
    assert isinstance(frame, pd.DataFrame) and len(frame) == len(result.trace)
    assert list(frame) == ["iteration", "passes", "rounds", "seconds", "objective", "residual", "relative"]
    assert result.status in " ".join(repr(result).split()) and "<table" in result._repr_html_()
    assert "λ" not in result.solver


def test_a_result_equals_itself_only():
    one, other = PROBLEM.fit(), PROBLEM.fit()
    assert one == one and one != other and other in [one, other]


def test_a_trace_names_its_columns():
    with pytest.raises(AttributeError, match="did you mean 'objective'"):
        PROBLEM.fit().trace.objectiv  # noqa: B018


def test_predict_is_the_mean():
    result = PROBLEM.fit()
    eta = PROBLEM.X @ result.beta + result.intercept
    none = np.zeros(120)
    np.testing.assert_allclose(result.predict(PROBLEM.X, none), 1 / (1 + np.exp(-eta)), rtol=1e-12)
    np.testing.assert_allclose(result.predict(PROBLEM.X, PROBLEM.o), 1 / (1 + np.exp(-eta - PROBLEM.o)), rtol=1e-12)
    lazy = result.predict(da.from_array(PROBLEM.X, chunks=(50, 4)), none)
    # BLAS may multiply 50 rows in another order than 120: η is a sum of five terms, and μ moves by less than η does.
    size = 1 + np.abs(PROBLEM.X) @ np.abs(result.beta) + abs(result.intercept)
    eps = np.finfo(float).eps
    assert np.all(np.abs(lazy.compute() / result.predict(PROBLEM.X, none) - 1) <= 2 * 5 * eps * size)


def test_progress_prints_one_line_that_updates(capsys):
    result = PROBLEM.fit(progress=True)
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\r") == len(result.trace) and printed.err.count("\n") == 1


def test_without_progress_nothing_is_printed(capsys):
    PROBLEM.fit()
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("solver", ["newton", "proximal_newton"])
def test_copied_columns_converge_with_a_rank_warning(solver):
    plain = random_problem("poisson", Zero(), seed=1)
    problem = plain._replace(X=np.column_stack([plain.X, plain.X[:, 2]]))
    with pytest.warns(RankWarning, match="rank 4, not 5"):
        result = problem.fit(solver=solver, tol=1e-9)
    assert result.converged and result.objective == pytest.approx(float(plain.value(optimum(plain))), rel=1e-9)


def test_copies_are_equal_under_a_ridge_without_a_warning():
    plain = random_problem("poisson", Ridge(1.0), seed=1)
    result = plain._replace(X=np.column_stack([plain.X, plain.X[:, 2]])).fit(tol=1e-10)
    assert result.converged and result.beta[2] == pytest.approx(result.beta[4], rel=1e-9)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("case", ["separable", "one class", "no counts"])
def test_where_there_is_no_optimum_it_says_so(case, solver):
    X = np.random.default_rng(2).normal(size=(80, 3))
    y = {"separable": (X @ [1, 1, 0] > 0) * 1.0, "one class": np.ones(80), "no counts": np.zeros(80)}[case]
    family = "poisson" if case == "no counts" else "logistic"
    with pytest.warns(NotConverged, match="no minimum exists"):
        result = fit(X, y, family=family, solver=solver, fit_intercept=True, max_iter=300)
    assert not result.converged and result.certificate.bound == np.inf and "ridge" in result.status
    assert np.isfinite(result.beta).all() and np.isfinite(result.intercept)


@pytest.mark.parametrize("family", ["gaussian", "poisson"])
def test_a_column_whose_squares_vanish_is_named(family):
    """Its curvature is 0 in floats although a minimum exists: no solver sees how far to go."""
    X, y = np.random.default_rng(2).normal(size=(80, 3)), np.arange(80) % 4.0
    with pytest.warns(NotConverged, match="squares of column 1's numbers vanish: give it another unit"):
        fit(X * [1, 1e-160, 1], y, family=family)
    with pytest.warns(NotConverged, match="squares of column 1's numbers vanish"):
        fit(X * [1, 1e-160, 1], y, family=family, sample_weight=np.full(80, 1e10))
    assert fit(X * [1, 1e-150, 0], y, family=family, penalty=Ridge(1e-6)).converged, "a column of zeros is none of them"
    with pytest.warns(NotConverged) as caught:
        fit(X * [1, 1e-150, 0], y, family=family, penalty=Ridge(1e-6), tol=0.0)
    assert "vanish" not in str(caught[0].message)


def runaway(case):
    """Data without an optimum on which first-order methods creep, because few rows or small columns say so."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(400, 12))
    eta = X @ rng.normal(size=12)
    y = (eta + rng.normal(size=400) > 0) * 1.0
    if case == "a small margin":
        return X, (eta > 0) * 1.0
    if case == "a rare column":
        y[:6] = 1.0
        return np.c_[X, np.arange(400) < 6], y
    return np.c_[X, 0.1 * y * np.abs(rng.normal(size=400))], y  # 0 for one class, positive for the other


@pytest.mark.parametrize("solver", ["gradient_descent", "proximal_gradient", "fista", "lbfgs"])
@pytest.mark.parametrize("case", ["a small margin", "a rare column", "half a column"])
def test_first_order_methods_say_soon_that_no_minimum_exists(case, solver):
    X, y = runaway(case)
    with pytest.warns(NotConverged, match="no minimum exists"):
        result = fit(X, y, family="logistic", solver=solver, fit_intercept=True)
    assert result.n_iter <= 130 and result.certificate.bound == np.inf


def test_a_large_iterate_on_nearly_equal_columns_proves_nothing():
    """β cancels to a millionth of its size: rows that it moves the wrong way are small beside it, but they count."""
    rng = np.random.default_rng(4)
    z, w, y = rng.normal(size=60), rng.normal(size=60), (np.arange(60) % 2) * 1.0
    w[1] = 1e4
    f = Objective("logistic", as_chunks(np.c_[z, z + 1e-10 * w], y))
    beta = np.array([-1e10, 1e10])
    assert no_minimum(f, Zero(), beta, policy=Existing(steps=0)) == ""
    assert f.align(beta, 1e-9, 0.0).held == 0 < f.align(beta, 1e-15, 0.0).held
    separable = Objective("logistic", as_chunks(w[:, None], w > 0))
    assert "no minimum" in no_minimum(separable, Zero(), np.ones(1), policy=Existing(steps=0))


def test_a_step_on_nearly_equal_columns_proves_nothing():
    """One row moves visibly and gets better; the others move by 1e-10 of their size, half of them the wrong way."""
    rng = np.random.default_rng(4)
    z, w, y = rng.normal(size=60), rng.normal(size=60), (np.arange(60) % 2) * 1.0
    w[1] = 1e4
    f, step = Objective("logistic", as_chunks(np.c_[z, z + 1e-10 * w], y)), np.array([-1.0, 1.0])
    rules = Existing()
    coarse = f.align(step, rules.visible, rules.visible)
    assert coarse.held == 0 < coarse.moved
    assert better_for_ever(f, step, rules.dust) == 0
    alone = Objective("logistic", as_chunks(np.c_[z, z + np.where(w == 1e4, 1e-6, 0)], y))
    assert better_for_ever(alone, step, rules.dust) == 1


def test_the_search_for_a_proof_costs_a_share_of_the_passes():
    """A family whose bound stays infinite for long, with an optimum: Poisson from afar, by small steps."""
    f = random_problem("poisson", Zero(), seed=1, intercept=True).objective()
    with pytest.warns(NotConverged):
        result = run("proximal_gradient", f, Zero(), step=1e-6, max_iter=600, tol=1e-12)
    assert "no minimum exists" not in result.status and f.extra_passes <= 0.2 * result.passes


# --- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"stpe": 1.0}, TypeError, "gradient_descent has no option 'stpe'; did you mean 'step'"),
        ({"max_iters": 5}, TypeError, "'max_iters'; did you mean 'max_iter'"),
        ({"tolerance": 5}, TypeError, "'tolerance'"),
        ({"zzz": 5}, TypeError, "no option 'zzz'; known are .*step"),
        ({"tol": -1e-3}, ValueError, "tol must be .*-0.001"), ({"tol": "small"}, TypeError, "tol must be .*'small'"),
        ({"tol": np.nan}, ValueError, "tol"), ({"tol": np.inf}, ValueError, "tol"),
        ({"max_iter": -1}, ValueError, "max_iter must be .*-1"), ({"max_iter": 1.5}, TypeError, "max_iter.*1.5"),
        ({"max_iter": True}, TypeError, "max_iter"), ({"step": -1.0}, ValueError, "step must be"),
        ({"start": np.zeros(3)}, ValueError, r"start must have shape \(5,\), got \(3,\)"),
        ({"start": [0, 0, 0, 0, np.nan]}, ValueError, "start"), ({"start": "zero"}, (TypeError, ValueError), "start"),
        ({"callback": 3}, TypeError, "callback"), ({"until": 3}, TypeError, "until"),
    ],
)  # fmt: skip
def test_options_are_refused_by_name(options, error, message):
    f = PROBLEM.objective()
    with pytest.raises(error, match=message):
        run("gradient_descent", f, Ridge(2.0), **options)
    assert f.passes == 0


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"solver": "newtn"}, ValueError, "unknown solver 'newtn'; did you mean 'newton'"),
        ({"solver": 3}, TypeError, "solver"), ({"solver": None}, TypeError, "solver"),
        ({"family": "logit"}, ValueError, "unknown family 'logit'; did you mean 'logistic'"),
        ({"family": "none"}, ValueError, "unknown family 'none'; known are"),
        ({"family": "inverse_gaussian"}, ValueError, "'inverse_gaussian'; with a log link its loss is not convex"),
        ({"family": "quasipoisson"}, ValueError, r"are those of 'poisson'; infer\(…, dispersion='pearson'\)"),
        ({"family": "probit"}, ValueError, "unknown family 'probit'; write it as a family of your own"),
        ({"family": "multinomial"}, ValueError, "fit one 'logistic' for each class"),
        ({"family": None}, TypeError, "family"), ({"penalty": "L2"}, ValueError, "unknown penalty 'L2'"),
        ({"penalty": "l1"}, TypeError, r"L1\(lam=…\)"), ({"penalty": L1}, TypeError, r"L1\(lam=…\)"),
        ({"penalty": 0.1}, TypeError, "penalty"), ({"family": 7}, TypeError, "family"),
        ({"kernels": "gpu"}, ValueError, "kernels"), ({"threads": 0}, ValueError, "threads"),
        ({"threads": -2}, ValueError, "threads"), ({"threads": 1.5}, TypeError, "threads"),
        ({"fit_intercep": True}, TypeError, "fit_intercept"),
    ],
)  # fmt: skip
def test_names_are_refused_with_the_nearest_known_one(options, error, message):
    with pytest.raises(error, match=message):
        fit(PROBLEM.X, PROBLEM.y, **{"family": "logistic", "penalty": Ridge(1.0)} | options)


@pytest.mark.parametrize("solver", ["newton", "lbfgs", "gradient_descent"])
@pytest.mark.parametrize("penalty", [L1(1.0), ElasticNet(1.0, 0.5)], ids=repr)
def test_smooth_solvers_refuse_l1_and_say_which_can(solver, penalty):
    f = PROBLEM.objective()
    with pytest.raises(ValueError, match=f"{solver} cannot minimise .*no derivative at 0.*proximal_newton, fista"):
        run(solver, f, penalty)
    assert f.passes == f.extra_passes == 0
    assert run(solver, f, ElasticNet(1.0, 0.0)).converged and run(solver, f, L1(0.0)).converged


def test_auto_takes_a_solver_that_suits_the_penalty():
    for penalty, solver in ((Zero(), "newton"), (Ridge(1), "newton"), (L1(1), "proximal_newton"), ("zero", "newton")):
        assert fit(PROBLEM.X, PROBLEM.y, family="logistic", penalty=penalty).solver == solver


# --- interruption -------------------------------------------------------------------------------------------------


@everywhere
def test_ctrl_c_in_a_callback_returns_the_last_state(where):
    seen = []

    def callback(state):
        seen.append(state)
        if len(seen) == 3:
            raise KeyboardInterrupt

    f = WHERE[where]()
    with pytest.warns(NotConverged, match="Interrupted after 2 iterations"):
        result = run("fista", f, Ridge(2.0), callback=callback, tol=1e-12)
    assert result.status.startswith("Interrupted") and not result.converged and len(result.trace) == 3
    assert joined(result, True).tolist() == seen[-1].beta.tolist() and result.certificate.bound == np.inf
    assert run("newton", f, Ridge(2.0)).converged, "the objective still works"


def test_what_was_proved_of_the_last_state_outlives_ctrl_c():
    seen = []

    def callback(state):
        seen.append(state)
        if len(seen) == 17:  # the look at iteration 16 has been
            raise KeyboardInterrupt

    with pytest.warns(NotConverged, match="Interrupted after 16 iterations; F"):
        result = run("fista", PROBLEM.objective(), Ridge(2.0), callback=callback, tol=1e-14)
    assert result.certificate.relative == result.trace.relative[-1] < np.inf and not result.converged


def test_ctrl_c_before_the_first_state_is_a_keyboard_interrupt():
    def early(f, g, start):
        raise KeyboardInterrupt
        yield

    with pytest.raises(KeyboardInterrupt):
        run(early, PROBLEM.objective(), Ridge(2.0))


class Slow(NamedTuple):
    """A logistic loss that takes its time, so that an interrupt comes in the middle of a pass."""

    seconds: float

    def loss(self, eta, y):
        time.sleep(self.seconds)
        return np.logaddexp(0, eta) - y * eta

    def dloss(self, eta, y):
        return 1 / (1 + np.exp(-eta)) - y

    def d2loss(self, eta, y):
        return 1 / (2 + np.exp(eta) + np.exp(-eta))


def interrupt_soon(after, seconds):
    """SIGINT to this process once `after()` says so and `seconds` more have passed."""

    def watch():
        while not after():
            time.sleep(0.005)
        time.sleep(seconds)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


@pytest.fixture
def worker():
    with cluster.client(1, memory_limit="512MiB") as client:
        yield client


def test_a_real_ctrl_c_leaves_no_task_on_the_scheduler(worker):
    X, y, _ = make_logistic(400, 3, chunks=50)
    f = Objective(Slow(0.05), as_chunks(X, y), "numpy")  # compiled loops do not sleep
    seen = []
    sender = interrupt_soon(lambda: len(seen) >= 2, 0.15)
    with pytest.warns(NotConverged, match="Interrupted after"):
        result = run("gradient_descent", f, Ridge(1.0), step=1e-3, tol=1e-12, callback=seen.append)
    sender.join()
    assert result.status.startswith("Interrupted") and result.beta.tolist() == seen[-1].beta.tolist()

    def left(dask_scheduler):
        return [str(key) for key in dask_scheduler.tasks]

    deadline = time.monotonic() + 20
    while (tasks := worker.run_on_scheduler(left)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert tasks == []
    assert fit(X, y, family="logistic", penalty=Ridge(1.0)).converged, "the cluster still works"


def test_where_nothing_can_be_proved_the_run_still_ends_at_the_optimum():
    X, y = np.random.default_rng(5).normal(size=(300, 4)), np.random.default_rng(6).normal(size=300)
    with pytest.warns(NotConverged, match="nothing can be proved"):
        result = fit(X, y, family=PseudoHuber(), penalty=Ridge(1.0))
    assert result.n_iter < 20 and result.trace.residual[-1] <= 1e-6
    assert not result.converged and np.isinf(result.certificate.bound) and not result.certificate.rigorous


def test_predict_takes_what_fit_takes_and_counts_columns():
    X, y = np.random.default_rng(5).normal(size=(60, 3)), np.random.default_rng(6).normal(size=60)
    result = fit(X, y, family="gaussian", fit_intercept=True)
    expected = X @ result.beta + result.intercept
    for form in (X, X.tolist(), pd.DataFrame(X)):
        np.testing.assert_allclose(result.predict(form), expected, rtol=1e-14)
    np.testing.assert_allclose(result.predict(da.from_array(X, chunks=(20, 3))).compute(), expected, rtol=1e-14)
    with pytest.raises(ValueError, match="X has 2 columns, but the model has 3"):
        result.predict(X[:, :2])


def test_a_state_may_hold_beta_alone():
    def halves(f, g, start):
        beta = start
        while True:
            yield State(beta)
            loss, grad, hess = f.loss_grad_hess(beta)
            beta = beta - np.linalg.solve(hess, grad) / 2

    X, y = np.random.default_rng(5).normal(size=(60, 3)), np.random.default_rng(6).normal(size=60)
    result = fit(X, y, family="gaussian", solver=halves)
    assert result.converged and result.state.objective == result.objective


def test_a_solver_that_stands_still_where_nothing_can_be_proved_is_stopped():
    """So far from the optimum that no dual point is interior; a minimum exists, so that only patience can end it."""
    problem = random_problem("logistic", Zero(), seed=3)

    def still(f, g, start):
        while True:
            yield SimpleNamespace(beta=start, objective=f.loss(start), residual=1e-9, decrement=0.0)

    with pytest.warns(NotConverged, match="no progress in the last 100 iterations"):
        result = run(still, problem.objective(), Zero(), start=np.full(4, 30.0), tol=1e3, max_iter=500)
    assert np.isinf(result.certificate.bound) and result.n_iter < 120


def test_an_escape_moves_nothing_that_is_penalised():
    """Along a penalised coefficient F grows in the end, whatever the rows say."""
    f, free = random_problem("logistic", Zero(), seed=3).objective(), np.array([True, False, True, False])
    directions = [direction for direction, _ in escapes(f, np.ones(4), free, steps=2)]
    assert len(directions) == 3 and all(np.any(d[free]) and not np.any(d[~free]) for d in directions)


def test_patience_begins_anew_with_each_step_forward():
    def stairs(f, g, start):
        for k in range(1000):
            yield State(start, 2.0 ** -(k // 60), 1.0)

    f = random_problem("logistic", Zero(), seed=3).objective()
    with pytest.warns(NotConverged, match="max_iter=300"):
        run(stairs, f, Zero(), start=np.full(4, 30.0), max_iter=300)


@pytest.mark.parametrize("objective, residual", [(1 - 1e-9, 1.0), (1.0, 0.99)])
def test_what_still_falls_however_slowly_is_progress(objective, residual):
    """Far from an optimum, with what an iteration leaves of the objective and of the residual."""

    def slow(f, g, start):
        for k in range(1000):
            yield State(start, objective**k, residual**k)

    with pytest.warns(NotConverged, match="max_iter=300"):
        run(slow, random_problem("logistic", Zero(), seed=3).objective(), Zero(), start=np.full(4, 30.0), max_iter=300)


@pytest.mark.parametrize(("tol", "looks"), [(1e-3, 2), (1e-6, 1)])
def test_whoever_asks_for_little_does_not_pay_more(tol, looks):
    """No more rows than a proof takes anyway, though far from the optimum they are asked for prices, too."""
    X, y, _ = make_logistic(60_000, 12)
    result = fit(X, y, family="logistic", penalty=L1(5.0), solver="pilot_newton", tol=tol, policy=MANY)
    assert result.converged and result.certificate.passes <= 1.01 * looks * POLICY.tight_share


@pytest.mark.parametrize("tol", [1e-3, 1e-5, 1e-7])
@pytest.mark.parametrize("penalty", [Zero(), Ridge(2.0), L1(20.0)], ids=repr)
def test_where_rows_are_many_the_bound_is_within_ten_times_the_gap(penalty, tol):
    X, y, _ = make_logistic(60_000, 6, x="normal")
    result = fit(X, y, family="logistic", penalty=penalty, solver="pilot_newton", tol=tol, policy=MANY)
    best = fit(X, y, family="logistic", penalty=penalty, solver="proximal_newton", tol=1e-13)
    gap, rounding = result.objective - best.objective, 1e-13 * best.objective
    assert result.converged and gap - rounding <= result.certificate.bound <= 10 * gap + 20 * rounding


@pytest.mark.parametrize("tol", [1e-6, 1e-7, 1e-8])
def test_where_rows_are_very_many_a_certificate_moves_as_few_as_prove_tol(tol):
    """The nearer the state is to tol, the more, for the bound is the gap ÷ their share."""
    rng = np.random.default_rng(4)
    X = rng.normal(size=(60_000, 3))
    y = rng.random(60_000) < 1 / (1 + np.exp(-X @ [1.0, -1.0, 0.5]))
    options = {"family": "logistic", "penalty": L1(5.0)}
    result = fit(X, y, **options, solver="pilot_newton", tol=tol, policy=replace(MANY, dear_pass=0))
    best = fit(X, y, **options, solver="proximal_newton", tol=1e-13)
    gap, share = result.objective - best.objective, result.certificate.passes
    assert result.converged and gap <= result.certificate.bound + 1e-12 * best.objective
    asked = POLICY.safety * gap / (tol * best.objective)
    assert POLICY.least_share <= share <= max(1.01 * POLICY.least_share, 1.3 * asked)


@pytest.mark.parametrize("solver", ["newton", "lbfgs", "fista"])
def test_where_a_share_of_the_rows_proves_nothing_all_are_asked(solver):
    """A column that is 0 but for three rows, of which the share has none."""
    rng = np.random.default_rng(0)
    X, y = np.column_stack([rng.normal(size=400), np.arange(400) < 3]), (rng.random(400) < 0.5) * 1.0
    y[:3] = 0, 1, 0
    result = fit(X, y, family="logistic", solver=solver, policy=MANY)
    assert result.converged and 1 < result.certificate.passes < 1.5, "both proofs are counted"
