"""Races of notebooks 07 and 08: a lean FISTA, one proof for all iterates, interleaved turns, medians with ranges."""

from functools import partial
from itertools import islice
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import glmlab
from glmlab import L1, certify
from glmlab.bench import shipped
from glmlab.datasets import flights, make_logistic
from glmlab.teaching import delays, races

LAM = 1.0
PROBLEM = {"family": "logistic", "penalty": L1(LAM)}


@pytest.fixture(scope="module")
def rows():
    X, y, _ = make_logistic(2_000, 6, seed=5)
    return X, y


@pytest.fixture(scope="module")
def best(rows):
    return glmlab.fit(*rows, **PROBLEM, tol=1e-12)


@pytest.mark.parametrize("rows_of_chunk", [500, 2_000])
def test_a_pass_is_timed_in_the_chunks_that_are_asked_for(rows, rows_of_chunk, monkeypatch):
    seen = []
    loss_grad = glmlab.Objective.loss_grad
    monkeypatch.setattr(races.Objective, "loss_grad", lambda f, beta: seen.append(f) or loss_grad(f, beta))
    assert races.pass_seconds(*rows, rows_of_chunk, threads=1) > 0
    assert {f.chunks.lengths for f in seen} == {(rows_of_chunk,) * (2_000 // rows_of_chunk)}
    assert seen[0].passes == len(seen), "each call is a pass"


def test_passes_take_turns_and_neither_the_first_turn_nor_a_change_of_place_is_timed(monkeypatch):
    ran, clocked = [], []
    monkeypatch.setattr(races, "timed", lambda run: (run(), clocked.append(ran[-1]), len(clocked))[::2])
    passes = {place: {m: lambda place=place, m=m: ran.append((place, m)) for m in (1, 2)} for place in "ab"}
    found = races.in_turn(passes)
    turn = [("a", 1), ("a", 2), ("b", 1), ("b", 2)]
    assert clocked == turn * races.REPEATS
    assert ran == turn + [("a", 1), ("a", 1), ("a", 2), ("b", 1), ("b", 1), ("b", 2)] * races.REPEATS
    assert found["a"][1] == list(range(1, 4 * races.REPEATS, 4)), "seconds stay with their place and rows"
    assert {len(seconds) for line in found.values() for seconds in line.values()} == {races.REPEATS}


def objective(rows):
    return glmlab.Objective("logistic", glmlab.as_chunks(*rows))


def test_fista_makes_one_pass_an_iteration_and_one_for_its_step(rows):
    f = objective(rows)
    states = list(islice(races.fista(f, L1(LAM), np.full(6, 0.1)), 12))
    assert f.passes == pytest.approx(12 + 1)
    f_again = objective(rows)
    for state in states:
        assert state.objective == pytest.approx(f_again.loss(state.beta) + LAM * abs(state.beta).sum(), rel=1e-13)


def test_fista_finds_the_minimiser_in_fewer_iterations_than_the_same_step_without_momentum(rows, best):
    lean = glmlab.fit(*rows, **PROBLEM, solver=races.fista, tol=1e-9)
    step = 4 / np.linalg.eigvalsh(rows[0].T @ rows[0])[-1]
    plain = glmlab.fit(*rows, **PROBLEM, solver="proximal_gradient", step=step, tol=1e-9)
    to_nine_digits = [races.iterations_to(1e-9, races.gaps(run.trace.objective, best)) for run in (lean, plain)]
    assert lean.converged and abs(lean.beta - best.beta).max() < 1e-3
    assert to_nine_digits[0] < to_nine_digits[1]


def test_one_proof_bounds_the_gap_of_every_iterate(rows, best):
    betas = [best.beta + size * np.ones(6) for size in (0.0, 1e-3, 0.1)]
    found = races.gaps(races.recounted(objective(rows), L1(LAM), betas), best)
    for gap, beta in zip(found, betas, strict=True):
        proof = certify(*rows, beta, **PROBLEM)
        assert proof.objective - best.objective <= gap * best.objective * (1 + 1e-9) + 1e-9
        assert gap * best.objective <= proof.bound * (1 + 1e-6) + best.certificate.bound + 1e-9
    assert np.all(np.diff(found) > 0)


def test_a_walk_holds_the_answer_and_all_before_it(rows):
    run = partial(glmlab.fit, *rows, **PROBLEM, solver="proximal_gradient", tol=1e-6)
    betas, again = races.walk(run), run()
    assert len(betas) == len(again.trace) and np.array_equal(betas[-1], again.beta)
    refound = races.recounted(objective(rows), L1(LAM), betas)
    assert np.allclose(refound, again.trace.objective, rtol=1e-13)


def test_a_lane_has_the_seconds_of_every_run_and_the_gaps_of_its_answers(rows, best):
    run = partial(glmlab.fit, *rows, **PROBLEM, solver="proximal_gradient", tol=1e-6)
    first, second = run(), run()
    found = races.lane([(first, 1.0), (second, 1.0)], run, objective(rows), L1(LAM), best)
    assert np.array_equal(found.seconds, [first.trace.seconds, second.trace.seconds])
    assert np.array_equal(found.passes, first.trace.passes) and found.gaps[-1] <= 1e-6 < found.gaps[0]
    assert np.all(found.range[0] <= found.curve[0]) and np.all(found.curve[0] <= found.range[1])


def test_a_ladder_may_be_climbed_in_any_order(rows, best):
    near, far = best.beta, best.beta + 0.1
    found = races.ladder([[(near, 5.0), (near, 1.0)], [(far, 2.0), (far, 3.0)]], objective(rows), L1(LAM), best)
    assert found.passes is None and found.gaps[0] < 1e-9 < found.gaps[1]

    def first(seconds, bounds, target):
        assert np.all(np.diff(seconds) > 0)
        return next(second for second, bound in zip(seconds, bounds, strict=True) if bound <= target)

    assert found.times(first, 1e-9) == [5.0, 1.0] and found.times(first, 1e9) == [2.0, 1.0]


@pytest.mark.parametrize(("target", "k"), [(1e-1, 1), (1e-2, 3), (1e-4, np.inf)])
def test_the_first_iterate_within_a_target_counts(target, k):
    assert races.iterations_to(target, [1.0, 1e-1, 0.5, 1e-3]) == k


def test_turns_interleave(capsys):
    turns = []
    ran = races.interleaved({name: partial(turns.append, name) for name in "abc"}, 2)
    assert "".join(turns) == "abcabc"
    assert all(len(runs) == 2 and all(seconds >= 0 for _, seconds in runs) for runs in ran.values())


@pytest.mark.parametrize(("values", "text"), [
    ([0.2, 0.1, 0.4], "0.2 (0.1–0.4)"), ([3.0], "3"), ([2.0, 2.0], "2"), ([np.inf, np.inf], "never"), ([], "–"),
    ([np.nan], "–"), ([1020.0], "1,020"),
])  # fmt: skip
def test_numbers_come_with_their_range(values, text):
    assert races.ranged(values) == text


def test_a_table_in_words_takes_numbers_and_lists():
    frame = pd.DataFrame({"seconds": {"a": [1.0, 2.0, 3.0], "b": []}, "error": {"a": 0.25, "b": np.nan}})
    assert races.in_words(frame).to_numpy().tolist() == [["2 (1–3)", "0.25"], ["–", "–"]]


def test_every_run_that_ships_is_there_and_2017_has_one_each():
    now, then = races.shipped_runs(shipped.rows()), races.printed()
    assert list(now.index) == list(then.index) == list(races.WHO)
    assert len(now["seconds"]["exact"]) > 1 and now["certified gap"]["exact"] <= 1e-9
    assert [len(seconds) for seconds in then["seconds"]] == [1, 1, 1, 1, 0, 0] and then["error"]["ADMM"] == 0.0125


def test_hours_hold_every_flight_once():
    table = flights().iloc[:5_000]
    question = delays.hours(table)
    assert np.exp(question.offset).sum() == pytest.approx(len(table))
    assert question.y.sum() == (table.arr_delay > delays.LATE).sum()
    assert question.X.shape == (len(question.y), len(question.columns))
    assert not any(name.startswith("carrier") for name in question.columns)


def test_factors_are_powers_of_e_where_a_question_has_the_column():
    columns = {"late": delays.COLUMNS, "count": [name for name in delays.COLUMNS if name != "carrier_DL"]}
    fits = {name: SimpleNamespace(beta=np.log(np.arange(1, len(found) + 1))) for name, found in columns.items()}
    asked = {name: delays.Question(None, None, None, found) for name, found in columns.items()}
    table = delays.factors(fits, asked)
    assert table.loc["Delta", "late"] == f"{delays.COLUMNS.index('carrier_DL') + 1:.2f}"
    assert table.loc["Delta", "count"] == "–"
    assert len(table) == len(delays.SHOWN) and (table["late"] != "–").all()


def test_the_week_has_no_empty_column_and_an_airline_without_an_answer():
    X, y, airlines = delays.week()
    assert (X != 0).any().all() and len(X) == len(y) == airlines["flights"].sum() and airlines["late"].sum() == y.sum()
    one_sided = airlines[(airlines["late"] == 0) | (airlines["late"] == airlines["flights"])]
    assert "OO" in one_sided.index and delays.RARE in X
