"""A slow worker for trials, and chunks that move away from it."""

import os
import signal
import time
from itertools import product

import dask
import dask.array as da
import numpy as np
import pytest
from breakage import equal_bits, local_cluster, recomputable, sockets_collected, solve  # noqa: F401
from distributed import Client, get_worker, wait
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from glmlab import Objective, as_chunks
from glmlab.machine.placing import owners, placed, speeds
from glmlab.machine.stragglers import slowed
from tools.soak import left_behind

PAUSE = 0.02


def busy(seconds=PAUSE):
    """Work that needs a processor for so many seconds."""
    began = time.thread_time()
    while time.thread_time() - began < seconds:
        pass


# --- a slow worker --------------------------------------------------------------------------------------------------


def test_only_the_named_worker_is_slow_and_only_within_the_block(client):
    name = sorted(client.nthreads())[1]
    with slowed(client, 5.0, worker=name) as slow:
        assert slow == name
        within = {worker: seconds(client, worker) for worker in client.nthreads()}
    assert within[name] >= 5 * PAUSE
    assert all("submit" not in own for own in client.run(own_of_pool).values())


def own_of_pool(dask_worker):
    return list(vars(dask_worker.executors["default"]))


def seconds(client, worker):
    """Seconds until a busy task of this worker has answered."""
    began = time.perf_counter()
    client.submit(busy, workers=[worker], pure=False).result()
    return time.perf_counter() - began


def test_the_slow_worker_is_as_before_after_an_error(client):
    with pytest.raises(ZeroDivisionError), slowed(client, 5.0, others=2.0):
        assert all("submit" in own for own in client.run(own_of_pool).values())
        1 / 0  # noqa: B018
    assert all("submit" not in own for own in client.run(own_of_pool).values())


def test_all_may_be_slowed_and_one_more(client):
    with slowed(client, 2.0, others=2.0) as slow:
        assert seconds(client, slow) >= 4 * PAUSE
        assert all(seconds(client, worker) >= 2 * PAUSE for worker in client.nthreads())


def test_dask_notes_that_the_worker_is_slow(client):
    with slowed(client, 100.0) as slow:
        wait(client.submit(brief, workers=[slow]))
    mean = client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.task_prefixes["brief"].duration_average)
    assert mean >= 0.25


def brief():
    """Work of 5 ms, which a worker that is slowed a hundred times has in half a second."""
    busy(0.005)


def test_a_task_that_fails_fails_in_time(client):
    with slowed(client, 5.0) as slow:
        failed = client.submit(lambda: 1 / 0, workers=[slow])
        with pytest.raises(ZeroDivisionError):
            failed.result()
        failed.release()  # the error keeps this frame, and with it the future; the next tests count what is left


@pytest.mark.parametrize(("options", "error"), [
    ({"worker": "tcp://nowhere"}, "no worker 'tcp://nowhere'; it has"), ({"times": 0.5}, "times"),
    ({"others": 0}, "others"),
])  # fmt: skip
def test_slowing_what_is_not_there_is_refused(client, options, error):
    with pytest.raises(ValueError, match=error), slowed(client, **options):
        pass


# --- chunks in other places -----------------------------------------------------------------------------------------


def test_a_slow_worker_gets_few_chunks_and_an_equal_one_as_many():
    assert owners([10] * 8, {"a": 1.0, "b": 1.0}).count("a") == 4
    shares = owners([10] * 31, {"a": 1.0, "b": 1.0, "c": 1.0, "d": 0.1})
    assert [shares.count(worker) for worker in "abcd"] == [10, 10, 10, 1]
    assert owners([10] * 8, {"a": 1.0, "b": 0.1}).count("b") == 0
    assert owners([1, 100, 1], {"a": 1.0, "b": 0.5})[1] == "a"


@given(
    lengths=st.lists(st.integers(1, 1000), min_size=1, max_size=5),
    speed=st.lists(st.floats(0.01, 1.0), min_size=1, max_size=3),
)
def test_no_worker_needs_twice_as_long_as_the_best_placing(lengths, speed):
    speed = dict(enumerate(speed))

    def needed(shares):
        return max(sum(n for n, share in zip(lengths, shares, strict=True) if share == w) / speed[w] for w in speed)

    best = min(needed(shares) for shares in product(speed, repeat=len(lengths)))
    assert needed(owners(lengths, speed)) < 2 * best


def test_chunks_go_where_they_should_with_all_that_belongs_to_them(client):
    X = client.persist(da.random.default_rng(0).normal(size=(120, 3), chunks=((20, 40, 10, 50), 3)))
    y = client.persist((X[:, 0] > 0).astype(float))
    a, b, c = sorted(client.nthreads())
    speed = {a: 1.0, b: 0.5, c: 0.001}
    moved = placed(client, X, y, speed=speed)
    where = owners(X.chunks[0], speed)
    for array, was in zip(moved, (X, y), strict=True):
        assert array.chunks == was.chunks and array.dtype == was.dtype
        futures = [array.dask[key] for key in array.dask]
        assert [list(client.who_has(future)[future.key]) for future in futures] == [[worker] for worker in where]
        assert array.compute().tobytes() == was.compute().tobytes()
    same = [Objective("logistic", as_chunks(*rows), "numpy").loss_grad(np.ones(3)) for rows in ((X, y), moved)]
    assert same[0].loss == same[1].loss and same[0].grad.tolist() == same[1].grad.tolist()
    del X, y, moved, array, was, futures
    assert left_behind(client)["tasks"] == 0


@pytest.mark.slow
@pytest.mark.usefixtures("sockets_collected")
def test_no_task_of_a_moved_chunk_is_stolen_for_the_slow_worker():
    """The tasks are long, so that dask would gladly give them to the worker that has none."""
    with local_cluster(workers=3) as cluster, Client(cluster) as client:
        slow, *others = sorted(client.nthreads())
        X = client.persist(da.ones((300, 2), chunks=(10, 2)))
        [moved] = placed(client, X, speed={slow: 0.001} | dict.fromkeys(others, 1.0))
        at = set()
        with slowed(client, 10.0, worker=slow):
            for _ in range(2):
                at |= set(moved.map_blocks(worked_at, dtype=object, meta=np.empty((0, 0), object)).compute().ravel())
        assert at == set(others)


def worked_at(block):
    """The worker that has this task, after a tenth of a second."""
    time.sleep(0.1)
    return np.full((1, 1), get_worker().address, dtype=object)


def test_sparse_chunks_move_too(client):
    X = da.from_array(np.eye(6), chunks=(2, 6)).map_blocks(sparse.csr_array, meta=sparse.csr_array((0, 0)))
    [moved] = placed(client, X, speed=dict.fromkeys(client.nthreads(), 1.0))
    assert sparse.issparse(client.gather(moved.dask[moved.__dask_keys__()[0][0]]))
    f = Objective("gaussian", as_chunks(moved, np.ones(6)))
    assert f.loss(np.ones(6)) == 0


@pytest.mark.slow
@pytest.mark.usefixtures("sockets_collected")
def test_rows_that_were_moved_are_made_again_where_their_worker_is_lost():
    with local_cluster(workers=2) as cluster, Client(cluster) as client:
        X, y = dask.persist(*recomputable())
        names = sorted(client.nthreads())
        moved = placed(client, X, y, speed={names[0]: 1.0, names[1]: 0.01})
        best = solve(*moved)
        del X, y
        os.kill(client.run(os.getpid, workers=[names[0]])[names[0]], signal.SIGKILL)
        equal_bits(solve(*moved), best)


@pytest.mark.slow
def test_the_measured_speed_of_a_slow_worker_is_low(client):
    """It sleeps for 200 times its work, so that even a busy machine does not make another worker look as slow."""
    with slowed(client, 200.0) as slow:
        found = speeds(client, repeats=2)
    assert max(found.values()) == 1 and found[slow] == min(found.values()) and found[slow] < 0.5


def test_arrays_in_different_chunks_are_refused(client):
    with pytest.raises(ValueError, match="rechunk them first"):
        placed(client, da.ones((4, 1), chunks=(2, 1)), da.ones(4, chunks=1), speed={"a": 1.0})
