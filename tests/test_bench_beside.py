"""bench.row: a reader's solver in the table beside the built-in ones, judged by F recounted and a certificate."""

import dask.array as da
import numpy as np
import pytest
from own_solvers import ista, stale, too_long

from glmlab import L1, Ridge, State, bench
from glmlab.datasets import make_logistic
from glmlab.policy import Racing
from glmlab.teaching.own_solvers import barzilai_borwein

SMALL = {"gaps": (1e-2, 1e-5), "repetitions": 1, "policy": Racing(rows=400, columns=4)}
BESIDE = ["fista", "proximal_newton"]


def test_the_readers_row_stands_first_and_everybody_reaches_the_gap(capsys):
    table = bench.row(barzilai_borwein, beside=BESIDE, **SMALL)
    assert list(table.index) == ["barzilai_borwein", "fista", "proximal_newton"]
    assert list(table.columns) == ["s to 0.01", "s to 1e-05", "fastest", "slowest", "passes", "rounds", "iterations",
                                   "certified"]  # fmt: skip
    assert np.isfinite(table.to_numpy(dtype=float)).all()
    assert (table["certified"] <= 1e-5).all() and (table["certified"] > 0).all()
    assert (table["s to 0.01"] <= table["s to 1e-05"]).all()
    assert "barzilai_borwein" in capsys.readouterr().out


def test_passes_are_those_of_the_solver_until_the_gap():
    def counted(f, g, start):
        for state in ista(f, g, start):
            trace.append(f.passes)
            yield state

    trace = []
    table = bench.row(counted, beside=[], **SMALL)
    assert table.loc["counted", "passes"] in trace
    assert table.loc["counted", "iterations"] <= table.loc["counted", "passes"]


def boasting(f, g, start):
    for state in ista(f, g, start):
        yield State(state.beta, state.objective - 1e9, state.residual)


@pytest.mark.parametrize("wrong", [boasting, too_long])
def test_no_word_of_a_solver_counts(wrong):
    policy = Racing(rows=400, columns=4, iterations=50)
    table = bench.row(wrong, beside=["fista"], **SMALL | {"policy": policy})
    assert np.isinf(table.loc[wrong.__name__, "s to 1e-05"]) and np.isinf(table.loc[wrong.__name__, "passes"])
    assert table.loc[wrong.__name__, "certified"] > 1e-5 and np.isfinite(table.loc["fista", "s to 1e-05"])


def test_a_stale_objective_does_not_matter():
    assert np.isfinite(bench.row(stale, beside=[], **SMALL).loc["stale", "passes"])


def test_rows_on_dask_an_intercept_and_another_penalty():
    X, y, _ = make_logistic(300, 3, seed=1)
    lazy = da.from_array(X, chunks=(100, 3)), da.from_array(y, chunks=100)
    for data in ((X, y), lazy):
        table = bench.row(ista, *data, penalty=Ridge(1.0), fit_intercept=True, beside=["newton"], **SMALL)
        assert (table["certified"] <= 1e-5).all()


def test_who_cannot_minimise_the_penalty_is_left_out_and_options_are_checked():
    table = bench.row(ista, penalty=L1(1.0), beside=["newton", "fista"], **SMALL)
    assert list(table.index) == ["ista", "fista"]
    with pytest.raises(TypeError, match="no option 'stepp'"):
        bench.row("fista", stepp=1.0, **SMALL)
    with pytest.raises(ValueError, match="did you mean 'fista'"):
        bench.row(ista, beside=["fiesta"], **SMALL)
    with pytest.raises(ValueError, match="gaps must be"):
        bench.row(ista, **SMALL | {"gaps": [0.0]})
