"""The race with a slow worker: everybody reaches the gap, whoever wins."""

from contextlib import nullcontext

import dask.array as da
import numpy as np
import pytest

from glmlab import Objective, as_chunks
from glmlab.maths.penalties import Ridge
from glmlab.teaching import slow_worker
from glmlab.teaching.slow_worker import Race, dealt_rows, largest_curvature, median_run, race
from tools.soak import left_behind


def rows(client):
    X = client.persist(da.random.default_rng(0).uniform(size=(600, 3), chunks=(100, 3)))
    return X, client.persist((X[:, 0] + da.random.default_rng(1).uniform(size=600, chunks=100) > 1).astype(float))


@pytest.mark.slow
def test_everybody_reaches_the_gap(client):
    said = []
    X, y = rows(client)
    found = race(client, X, y, penalty=Ridge(9.0), tol=1e-2, times=3.0, repeats=2, say=said.append)
    assert len(found.seconds) == 7 and [line.count(";") for line in said] == [6, 6]
    for name, result in found.results.items():
        assert result.converged and result.certificate.relative <= 1e-2
        assert len(found.seconds[name]) == 2 and 0 < min(found.seconds[name]) <= found.median(name) < np.inf
    assert found.ratio(slow_worker.ASYNC, slow_worker.ASYNC) == 1
    table = found.table()
    assert list(table.index) == list(found.seconds) and all(float(gap) <= 1e-2 for gap in table["certified gap"])
    assert set(found.speeds) == set(client.nthreads())
    del X, y, found, result
    assert left_behind(client)["tasks"] == 0


def test_some_may_race_alone_and_who_does_not_arrive_takes_for_ever(client):
    names, options = [slow_worker.SYNC, slow_worker.ADAPTIVE], {"times": 1.0, "repeats": 1, "say": lambda line: None}
    with pytest.warns(Warning, match="Not converged"):
        found = race(client, *rows(client), tol=1e-9, max_iter=1, only=names, **options)
    assert list(found.seconds) == names and found.seconds[slow_worker.ADAPTIVE] == [np.inf]


def test_no_repeat_begins_after_the_budget(client):
    said, options = [], {"times": 1.0, "only": [slow_worker.SYNC], "repeats": 3, "budget": 0.0}
    found = race(client, *rows(client), penalty=Ridge(9.0), tol=1e-2, say=said.append, **options)
    assert len(found.seconds[slow_worker.SYNC]) == 1, "the first one always runs"
    assert said[0].startswith("1 of 3: ") and said[1:] == ["No further repeat: the budget of 0 s is spent."]


def test_the_step_of_the_synchronous_gradient_is_safe():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 3)), rng.integers(0, 2, 50).astype(float)
    f = Objective("logistic", as_chunks(X, y, chunks=(20, 30)))
    assert largest_curvature(f) == pytest.approx(np.linalg.eigvalsh(X.T @ X)[-1] / 4, rel=1e-12)
    assert np.linalg.eigvalsh(f.loss_grad_hess(np.ones(3)).hess)[-1] <= largest_curvature(f)


def test_a_task_is_as_long_as_asked_for_by_sleeping(client, monkeypatch):
    """A read of 2 ms that shall take 10 needs workers that take 5 times as long; none is made faster."""
    asked = []
    monkeypatch.setattr(slow_worker, "slowed", lambda client, times, others: nullcontext(asked.append((times, others))))
    monkeypatch.setattr(slow_worker, "seconds_of_a_read", lambda *given: 0.002)
    X, y = rows(client)
    for task in (0.01, 0.001, None):
        race(client, X, y, penalty=Ridge(9.0), tol=1e-2, task=task, others=3.0, repeats=0)
    assert asked == [(10.0, pytest.approx(5.0)), (10.0, 1.0), (10.0, 3.0)]


def test_a_read_takes_seconds_of_a_processor(client):
    X, y = rows(client)
    assert 0 < slow_worker.seconds_of_a_read(X, y, "logistic") < 1


def test_rows_are_dealt_one_chunk_a_worker(client):
    X, y = dealt_rows(client, n=1000, p=4)
    assert X.shape == (1000, 4) and y.shape == (1000,) and X.numblocks == (3, 1) and y.numblocks == (3,)
    assert set(np.unique(y.compute())) == {0.0, 1.0} and abs(X.compute().std() - 1) < 0.1


def test_the_finding_has_shares_of_those_who_raced():
    seconds = {slow_worker.SYNC: [4.0, 2.0, 9.0], slow_worker.ASYNC: [1.0, 1.0, 1.0], slow_worker.FIXED: [4.0],
               slow_worker.ADAPTIVE: [2.0]}  # fmt: skip
    words = Race(seconds, {}, {}, 0.0, 0.0).finding()
    assert words == "ADMM, asynchronous 0.25 of ADMM; PIAG, adaptive step 0.50 of PIAG, fixed step"


def test_the_run_that_is_kept_is_the_one_of_median_seconds():
    assert median_run([3.0, 1.0, 9.0, 2.0, 4.0], "abcde") == "a"
    assert median_run([np.inf, 1.0, 2.0, np.inf], "abcd") == "c", "of two in the middle, the faster"
    assert median_run([np.inf], "a") == "a"
