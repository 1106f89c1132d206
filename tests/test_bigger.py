"""Rows of several times the workers' memory: written, read, fitted and cross-validated, each worker below its limit."""

import os
import threading

import dask.dataframe as dd
import numpy as np
import psutil
import pytest

from glmlab import cross_validate_path, datasets, fit
from glmlab.machine import cluster
from glmlab.machine.memory import memory_plan
from glmlab.rows.folds import Deal

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
LIMIT, WORKERS, P = 800_000_000, 2, 15  # bytes of a worker, of which 350 MB go to what it imports and compiles
CHUNK = 70_000  # rows: 8.4 MB
CHUNKS = -(-4 * WORKERS * LIMIT // (CHUNK * P * 8))
N = CHUNK * CHUNKS
NAMES = [f"x{j}" for j in range(P)]


@pytest.fixture(scope="module")
def reference():
    """The least squares of all rows: NumPy's sums of the normal equations over rows drawn from the seed."""
    gram, moments = np.zeros((P, P)), np.zeros(P)
    X, y, _ = drawn()
    for k in range(CHUNKS):
        rows, labels = (part.blocks[k].compute(scheduler="sync") for part in (X, y))
        gram, moments = gram + rows.T @ rows, moments + rows.T @ labels
    return np.linalg.solve(gram, moments)


def drawn():
    """Rows that are made when a task needs them, and never stored."""
    return datasets.make_logistic(N, P, seed=1, chunks=CHUNK)


class Peak:
    """The largest memory that each worker process has while the block runs, looked at a hundred times a second."""

    def __init__(self, client):
        self.processes = [psutil.Process(pid) for pid in client.run(os.getpid).values()]
        self.bytes = dict.fromkeys(self.processes, 0)
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def watch(self):
        while not self.done.wait(0.01):
            for process in self.processes:
                self.bytes[process] = max(self.bytes[process], process.memory_info().rss)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.done.set()
        self.thread.join()


def spilled(dask_worker):
    """Bytes of results that this worker has written to its disk since it began."""
    metrics = dask_worker.data.cumulative_metrics
    return sum(value for (what, unit), value in metrics.items() if what == "disk-write" and unit == "bytes")


def write_table(path):
    X, y, _ = drawn()
    datasets.save_frame(path, dd.from_dask_array(X, columns=NAMES).assign(y=dd.from_dask_array(y)))


def read_table(path):
    return datasets.load_columns(path, NAMES), datasets.load_columns(path, "y")


FORMATS = {
    "zarr": (lambda path: datasets.save(path, *drawn()), lambda path: datasets.load(path, chunks=CHUNK)[:2]),
    "sharded zarr": (lambda path: datasets.save(path, *drawn(), shards=CHUNK),
                     lambda path: datasets.load(path, chunks=CHUNK)[:2]),
    "parquet": (write_table, read_table),
}  # fmt: skip


@pytest.mark.parametrize("kind", FORMATS)
def test_rows_of_four_times_the_workers_memory(tmp_path, monkeypatch, reference, kind):
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    (write, read), path = FORMATS[kind], tmp_path / "rows"
    with cluster.client(WORKERS, memory_limit=LIMIT) as client, Peak(client) as peak:
        write(path)
        written = max(peak.bytes.values())
        X, y = read(path)
        plan = memory_plan(client, X)
        assert plan.rows >= 4 * WORKERS * plan.limit and not plan.fits and plan.workers == WORKERS
        found = fit(X, y, family="gaussian")
        spills = client.run(spilled)
        assert sorted(client.run(os.getpid).values()) == sorted(process.pid for process in peak.processes)
    print(f"{kind}: {plan}\n{found.passes} passes; at most {written / 1e6:.0f} MB while writing, "
          f"{max(peak.bytes.values()) / 1e6:.0f} MB with the fit, of {LIMIT / 1e6:.0f} MB")  # fmt: skip
    assert found.converged
    assert 0 < max(peak.bytes.values()) < LIMIT and set(spills.values()) == {0}
    np.testing.assert_allclose(found.beta, reference, rtol=1e-9)


def test_folds_of_rows_of_three_times_the_workers_memory(tmp_path, monkeypatch):
    """A fold finds what a separate fit without its rows finds from the same start."""
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    n = CHUNK * (3 * CHUNKS // 4 + 1)
    datasets.save(tmp_path / "rows", *datasets.make_logistic(n, P, seed=1, chunks=CHUNK))

    def kept(block, block_info):
        first = block_info[0]["array-location"][0][0]
        return (Deal(2, 0, first, len(block)).numbers() != 0).astype(float)

    with cluster.client(WORKERS, memory_limit=LIMIT) as client, Peak(client) as peak:
        X, y = datasets.load(tmp_path / "rows", chunks=CHUNK)[:2]
        plan = memory_plan(client, X)
        assert plan.rows >= 3 * WORKERS * plan.limit and not plan.fits and plan.workers == WORKERS
        found = cross_validate_path(X, y, family="gaussian", lams=[0.005 * n], cv=2, fit_intercept=True)
        [one, *_], start = found.results[0], found.path[0]
        alone = fit(X, y, family="gaussian", fit_intercept=True, sample_weight=y.map_blocks(kept, dtype=float),
                    tol=1e-6, penalty=one.penalty, solver=one.solver,
                    start=np.append(start.beta, start.intercept))  # fmt: skip
        spills = client.run(spilled)
        assert sorted(client.run(os.getpid).values()) == sorted(process.pid for process in peak.processes)
    print(f"folds: {plan}\n{found}\nat most {max(peak.bytes.values()) / 1e6:.0f} MB of {LIMIT / 1e6:.0f} MB")
    assert found.converged and alone.converged and np.any(one.beta)
    assert 0 < max(peak.bytes.values()) < LIMIT and set(spills.values()) == {0}
    np.testing.assert_allclose(one.beta, alone.beta, rtol=1e-9, atol=1e-12)
    assert one.objective == pytest.approx(alone.objective, rel=1e-12)
