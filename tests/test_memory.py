"""The workers' memory: counted for every kind of block, planned before a fit, and free again once the old chunks go."""

import math
import time

import dask
import dask.array as da
import numpy as np
import pytest
from dask.sizeof import sizeof
from distributed import Client, LocalCluster, wait
from scipy import sparse

import glmlab.rows.ondask
from glmlab.machine.memory import Held, memory_held, memory_plan, room_of

MB = 2**20
X = da.ones((2**17, 8), chunks=(2**13, 8))  # 8 MiB in 16 chunks


def local(workers=2, limit=0):
    return LocalCluster(n_workers=workers, threads_per_worker=1, processes=False, memory_limit=limit,
                        dashboard_address="127.0.0.1:0")  # fmt: skip


@pytest.fixture
def client():
    with local() as cluster, Client(cluster) as client:
        yield client


def results(client, wanted, patience=10):
    """Bytes of results on all workers, once they are as wanted: workers free memory a moment after the client asks."""
    until = time.monotonic() + patience
    while (found := sum(held.results for held in memory_held(client).values())) != wanted:
        if time.monotonic() > until:
            break
        time.sleep(0.02)
    return found


# --- sparse blocks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "bsr"])
def test_dask_counts_the_bytes_of_sparse_arrays(kind):
    """Without our registration csr_array of any size counts as 56 bytes, and its matrix as what it holds."""
    rows = sparse.random_array((1_000, 100), density=0.5, rng=np.random.default_rng(0))
    array, matrix = (getattr(sparse, f"{kind}_{form}")(rows.tocsr()) for form in ("array", "matrix"))
    assert 0.99 < sizeof(array) / sizeof(matrix) < 1.01 and sizeof(array) > 8 * rows.nnz


def test_sparse_rows_on_workers_have_their_size(client):
    lazy = X.map_blocks(sparse.csr_array, meta=sparse.csr_array((0, 0))).persist()
    wait(lazy)
    assert sum(held.results for held in memory_held(client).values()) > X.nbytes
    plan = memory_plan(client, lazy)
    assert plan.rows == pytest.approx(1.5 * X.nbytes, rel=0.05)  # a double and an index for each number


def test_every_process_that_runs_our_tasks_knows_it():
    assert sizeof.dispatch(sparse.csr_array) is glmlab.rows.ondask.bytes_of_sparse


# --- the old copy ---------------------------------------------------------------------------------------------------


def test_a_rechunk_holds_rows_twice_until_the_old_chunks_are_deleted(client):
    """The post's caution. Its effect, measured: bytes of results on the workers before, after, and after the delete."""
    rows = (X + 1).persist()
    wait(rows)
    assert results(client, X.nbytes) == X.nbytes
    finer = rows.rechunk((2**12, -1)).persist()
    wait(finer)
    assert results(client, 2 * X.nbytes) == 2 * X.nbytes
    del rows
    assert results(client, X.nbytes) == X.nbytes
    assert finer.sum().compute() == 2 * X.size


# --- the plan -------------------------------------------------------------------------------------------------------


def test_the_plan_knows_rows_shares_and_chunks(client):
    plan = memory_plan(client, X)
    assert (plan.rows, plan.workers, plan.share, plan.chunk) == (8 * MB, 2, 4 * MB, MB // 2)
    assert plan.limit == plan.room == math.inf and plan.fits
    assert memory_plan(client, X.rechunk((2**16 - 1, -1))).share > 4 * MB  # three chunks, two of them on one worker
    assert "X has 8.00 MiB, 4.00 MiB for each of 2 workers" in repr(plan) and "it fits" in repr(plan)


class Worker:
    """What `room_of` asks of a worker: 100 MiB limit, target 60, spill 70; libraries take `libraries` MiB."""

    def __init__(self, libraries, keys=(), spilled=0, limit=100 * MB, target=0.6, spill=0.7):
        Task = type("Task", (), {"state": "memory", "nbytes": 10 * MB})
        Manager = type("Manager", (), {"memory_limit": limit, "memory_target_fraction": target,
                                       "memory_spill_fraction": spill})  # fmt: skip
        inside = len(keys) * 10 * MB
        self.memory_manager = Manager
        self.state = type("State", (), {"tasks": {key: Task for key in keys}, "nbytes": inside})
        self.data = type("Data", (), {"spilled_total": (spilled * MB, 0)})
        self.monitor = type("M", (), {"get_process_memory": lambda self: libraries * MB + inside - spilled * MB})()


@pytest.mark.parametrize("worker, room", [
    (Worker(0), 60), (Worker(5), 60), (Worker(30), 40), (Worker(90), -20),  # the target, then the spill threshold
    (Worker(30, keys=["mine"]), 40), (Worker(30, keys=["mine", "theirs"]), 30), (Worker(30, ["mine"], spilled=10), 40),
    (Worker(30, target=False), 40), (Worker(30, spill=False), 60), (Worker(30, limit=None), math.inf),
])  # fmt: skip
def test_room_is_what_neither_threshold_forbids(worker, room):
    limit, found = room_of({"mine"}, worker)
    assert found == pytest.approx(room * MB) and limit == (worker.memory_manager.memory_limit or math.inf)


def test_rows_that_do_not_fit_are_said_not_to():
    """In a limit that this process has used up already, there is room for nothing."""
    with local(1, limit="150MB") as cluster, Client(cluster) as client:
        plan = memory_plan(client, X)
        assert (plan.limit, plan.room, plan.fits) == (150e6, 0, False)
        assert "it does not fit. Without X.persist() each pass reads it, and a task holds 512.00 kiB" in repr(plan)


def test_a_plan_reads_nothing(client):
    def fail(block):
        raise AssertionError("read")

    lazy = X.map_blocks(fail, dtype=float, meta=np.empty((0, 0)))
    assert memory_plan(client, lazy).rows == X.nbytes


def test_without_workers_there_is_no_plan():
    with local(0) as cluster, Client(cluster) as client:
        with pytest.raises(RuntimeError, match=r"no workers yet: type client\.wait_for_workers\(1\)"):
            memory_plan(client, X)


def test_held_tells_results_from_the_rest(client):
    (kept,) = dask.persist(X[: 2**13] + 1)
    wait(kept)
    assert results(client, MB // 2) == MB // 2
    found = memory_held(client).values()
    assert sorted(held.results for held in found) == [0, MB // 2] and all(isinstance(held, Held) for held in found)
    assert all(held.spilled == 0 and held.process > 50 * MB for held in found)
