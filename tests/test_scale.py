"""Rows that are never stored: a run that was stopped goes on with the same bits; the recorded run keeps its word."""

import io
import json

import numpy as np
import pytest

from glmlab import datasets, fit
from glmlab.bench import scale, shipped
from glmlab.bench.experiments import COLUMNS, SEED
from glmlab.bench.scale import Journal, NeverStored, fitted
from glmlab.maths.penalties import L1
from glmlab.rows.chunks import FAN
from glmlab.rows.objective import Objective

N, CHUNK = 6_000, 125


def journal(folder):
    return Journal(folder, N, out=io.StringIO())


def in_parts(folder, part):
    """The Objective of these rows, so many chunks in a graph."""
    X, y, _ = datasets.make_logistic(N, COLUMNS, seed=SEED, chunks=CHUNK)
    return Objective("logistic", NeverStored(X, y, journal(folder), part))


def test_the_answer_is_that_of_fit(tmp_path):
    X, y, _ = datasets.make_logistic(N, COLUMNS, seed=SEED)
    result = fitted(N, journal(tmp_path), CHUNK)
    assert result.certificate.relative <= scale.TOL
    known = fit(X, y, family="logistic", penalty=L1(1.0), tol=1e-12)
    assert np.abs(result.beta - known.beta).max() <= 1e-6 * np.abs(known.beta).max()


def test_sums_over_parts_have_the_bits_of_one_tree(tmp_path):
    beta = np.full(COLUMNS, 0.1)
    whole, parts = (in_parts(tmp_path / str(part), part).loss_grad(beta) for part in (FAN**3, FAN))
    assert whole.loss == parts.loss and np.array_equal(whole.grad, parts.grad)
    assert len(list((tmp_path / str(FAN)).iterdir())) == 3 == N / CHUNK / FAN, "a file for each part"


class Stopping(Journal):
    """A journal whose run is stopped by Ctrl-C when so many parts were made; it counts them."""

    def __init__(self, folder, after=np.inf):
        super().__init__(folder, N, out=io.StringIO())
        self.after, self.made = after, 0

    def found(self, asked, rows, make):
        def counted():
            if self.made == self.after:
                raise KeyboardInterrupt
            self.made += 1
            return make()

        return super().found(asked, rows, counted)


def test_a_stopped_run_goes_on_with_the_same_bits_and_makes_no_part_twice(tmp_path):
    unbroken = Stopping(tmp_path / "unbroken")
    known = fitted(N, unbroken, CHUNK)
    assert unbroken.made >= 4 and unbroken.stops == 0
    made = []
    for after in [1] * unbroken.made:
        session = Stopping(tmp_path / "stopped", after)
        try:
            result = fitted(N, session, CHUNK)
        except KeyboardInterrupt:
            made.append(session.made)
        else:
            made.append(session.made)
            break
    assert sum(made) == unbroken.made and max(made) == 1
    assert np.array_equal(result.beta, known.beta) and result.objective == known.objective
    assert (result.passes, result.rounds, result.status) == (known.passes, known.rounds, known.status)
    assert session.stops == len(made) - 1 and session.draws == unbroken.draws


def test_what_was_found_for_other_rows_is_not_used(tmp_path, monkeypatch):
    fitted(N, journal(tmp_path), CHUNK)
    monkeypatch.setattr(scale, "SEED", SEED + 1)
    other = Stopping(tmp_path)
    result = fitted(N, other, CHUNK)
    assert other.made > 0 and other.stops == 0
    assert np.array_equal(result.beta, fitted(N, journal(tmp_path / "new"), CHUNK).beta)


def test_the_state_in_the_folder_is_a_start(tmp_path):
    result = fitted(N, journal(tmp_path), CHUNK)
    told = json.loads((tmp_path / "state.json").read_text())
    assert told["rows"] == N and told["gap"] >= 0
    X, y, _ = datasets.make_logistic(N, COLUMNS, seed=SEED)
    again = fit(X, y, family="logistic", penalty=L1(1.0), start=told["beta"], tol=scale.TOL)
    assert again.n_iter < result.n_iter, "it starts where the other run was"


def test_the_line_says_iteration_gap_drawings_and_the_time_that_is_left(tmp_path):
    own = Journal(tmp_path, N, expected=4, out=io.StringIO())
    own.began -= 10  # seconds ago
    own.found("first", N, lambda: 1)
    own.iteration, own.gap = 2, 3e-5
    own.found("second", N // 2, lambda: 2)
    first, second = own.out.getvalue().splitlines()
    assert "drawn 1.00 times, iteration 0, gap none yet, 10 s, about 30 s more" in first
    assert "drawn 1.50 times, iteration 2, gap about 3e-05, 10 s, about 17 s more" in second


def test_the_small_run_records_its_results_once(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(scale.SIZES, "ci", (2_000, 3_000))
    assert scale.main(["ci", "--to", str(tmp_path)]) == 0
    before = (tmp_path / scale.RESULTS).read_text()
    assert [row["n"] for row in json.loads(before)] == [2_000, 3_000]
    assert scale.main(["ci", "--to", str(tmp_path)]) == 0 and (tmp_path / scale.RESULTS).read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == [scale.RESULTS], "nothing else is left"
    monkeypatch.setattr(scale, "FILE", tmp_path / "shipped.json")
    scale.main(["ship", "--to", str(tmp_path)])
    for row, kept in zip(json.loads(before), shipped.rows(tmp_path / "shipped.json"), strict=True):
        assert kept["wall"] == pytest.approx(row["wall"], rel=1e-3) and kept["processor"] == row["processor"]
        assert row["a_row"] == row["wall"] / row["draws"] / row["n"]
    assert "| 2,000 |" in capsys.readouterr().out


def test_a_stop_leaves_an_exit_code_and_says_how_to_go_on(tmp_path, monkeypatch, capsys):
    def stopped(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(scale, "measured", stopped)
    assert scale.main(["ci", "--to", str(tmp_path)]) == 130
    assert "the same command goes on" in capsys.readouterr().out and not (tmp_path / scale.RESULTS).exists()


def test_the_recorded_run_keeps_what_is_promised():
    rows = shipped.rows(scale.FILE)
    assert [row["n"] for row in rows] == sorted(row["n"] for row in rows) and rows[0]["n"] == 1_000_000
    for row in rows:
        assert row["relative"] <= scale.TOL and row["memory"] <= 0.5e9
        assert row["a_row"] <= 1.15 * rows[0]["a_row"]
