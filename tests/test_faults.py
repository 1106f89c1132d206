"""Faults of a cluster of processes: the bits of the undisturbed run, or an error in words; never a hang."""

import ast
import contextlib
import os
import signal
import threading
from pathlib import Path

import breakage
import dask
import dask.array as da
import numpy as np
import pytest
from breakage import (
    CHUNKS,
    ROWS,
    P,
    equal_bits,
    keys_left,
    kill_one,
    local_cluster,
    recomputable,
    sockets_collected,  # noqa: F401
    solve,
)
from distributed import Client, LocalCluster, futures_of, wait

import glmlab
import glmlab.machine.cluster
from glmlab import ClusterError, NotConverged, Ridge, datasets, fit
from glmlab.policy import Chunking
from glmlab.rows import faults, kernels
from glmlab.rows.survey import labels

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("sockets_collected")]


@pytest.fixture(scope="module")
def cluster():
    with local_cluster() as cluster:
        yield cluster


@pytest.fixture
def client(cluster):
    with Client(cluster) as client:
        client.wait_for_workers(2, timeout=60)
        yield client


def undisturbed():
    """The run in this process, with no cluster."""
    with dask.config.set(scheduler="threads"):
        return solve(*recomputable())


def once(action):
    """A callback that acts at the first state only."""
    seen = []

    def callback(state):
        if not seen:
            seen.append(action())

    return callback


def test_processes_give_the_bits_of_threads(client):
    equal_bits(solve(*recomputable()), undisturbed())


def test_nothing_is_left_on_the_scheduler_after_an_answer(client):
    solve(*recomputable())
    assert keys_left(client) == 0


@pytest.mark.parametrize("name", ["X", "y"])
def test_nothing_is_left_on_the_scheduler_after_an_error(client, name):
    given = dict(zip(("X", "y"), recomputable(), strict=True))
    last = da.arange(CHUNKS * ROWS, chunks=ROWS) == CHUNKS * ROWS - 1
    given[name] = da.where(last[:, None] if name == "X" else last, np.nan, given[name])
    with pytest.raises(ValueError, match=f"^{name} holds nan"):
        solve(**given)
    assert keys_left(client) == 0


def test_what_the_user_persisted_stays(client):
    X, y = dask.persist(*recomputable())
    wait([X, y])
    theirs = keys_left(client, patience=0)
    with pytest.raises(ValueError, match="^y does not suit"):
        solve(X, da.where(y > 0, 2.0, y))
    assert keys_left(client, allowed=theirs) == theirs
    equal_bits(solve(X, y), undisturbed())


@pytest.mark.parametrize("persisted", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_worker_killed_between_two_passes(client, persisted):
    X, y = dask.persist(*recomputable()) if persisted else recomputable()
    equal_bits(solve(X, y, callback=once(lambda: kill_one(client))), undisturbed())


def test_a_worker_that_ends_with_code_0(client):
    """As one does that somebody ends on its own host: no signal, no error."""

    def leave():
        worker = list(client.nthreads())[0]
        with contextlib.suppress(OSError):  # nobody answers
            client.run(os._exit, 0, workers=[worker], on_error="ignore")

    equal_bits(solve(*recomputable(), callback=once(leave)), undisturbed())


@pytest.mark.slow
def test_a_worker_killed_during_a_pass(client):
    X, y = recomputable(pause=0.05)
    timer = threading.Timer(0.3, kill_one, [client])
    timer.start()
    equal_bits(solve(X, y), undisturbed())
    timer.join()


@pytest.mark.parametrize("dim, keys", [(Chunking().narrow, 2), (Chunking().narrow + 1, 1)])
def test_the_last_sum_is_made_here_where_results_are_small(client, monkeypatch, dim, keys):
    """It has the bits of the whole tree on the cluster. A map never ends there."""
    asked, awaited = [], faults.awaited
    monkeypatch.setattr(faults, "awaited", lambda client, graph, keys, *how: (
        asked.append(keys) or awaited(client, graph, keys, *how)))  # fmt: skip
    X = da.random.default_rng(0).normal(size=(40, dim), chunks=(2, dim))
    rows, shared = glmlab.as_chunks(*client.persist([X, da.ones(40, chunks=2)])), (glmlab.Gaussian(), np.ones(dim))
    found = rows.sum(kernels.loss_grad, *shared)
    assert [len(each) for each in asked] == [keys]
    whole = rows.lazy(kernels.loss_grad, shared).compute()
    assert found.loss == whole.loss and np.array_equal(found.grad, whole.grad)
    assert len(rows.map(labels)) == len(asked[-1]) == 20


@pytest.mark.slow
def test_a_worker_retired_and_another_joins(client, cluster):
    def swap():
        cluster.scale(1)
        cluster.scale(2)

    equal_bits(solve(*recomputable(), callback=once(swap)), undisturbed())


def scattered(client):
    """X whose rows were put on one worker, and y."""
    X, y = dask.compute(*recomputable(), scheduler="threads")
    worker = list(client.nthreads())[0]
    parts = client.scatter([X[:ROWS], X[ROWS:]], workers=[worker])
    lazy = [da.from_delayed(p, (n, P), dtype=float) for p, n in zip(parts, (ROWS, len(X) - ROWS), strict=True)]
    return da.concatenate(lazy), da.from_array(y, chunks=ROWS)


def kill_holders(client, X):
    """Kill the workers that hold rows of X: dask may have copied rows to a second one, which was idle."""
    holders = {worker for held in client.who_has(futures_of(X)).values() for worker in held}
    for pid in client.run(os.getpid, workers=list(holders)).values():
        os.kill(pid, signal.SIGKILL)


def test_lost_scattered_data_are_an_error_that_keeps_the_last_state(client):
    X, y = scattered(client)
    states = []

    def callback(state):
        states.append(state)
        if len(states) == 2:
            kill_holders(client, X)

    with pytest.raises(ClusterError, match="^rows of X are lost with the worker .*: make these rows again") as caught:
        solve(X, y, callback=callback)
    result = caught.value.result
    assert np.array_equal(np.append(result.beta, result.intercept), states[-1].beta)
    assert not result.converged and "stopped by ClusterError" in result.status
    assert "start=error.result" in caught.value.__notes__[0]
    again = solve(*recomputable(), start=result)
    assert again.converged and again.n_iter < undisturbed().n_iter


def test_rows_that_were_lost_before_the_fit_are_named(client):
    X, y = scattered(client)
    kill_holders(client, X)
    with pytest.raises(ClusterError, match="^rows of X are lost") as caught:
        solve(X, y)
    assert caught.value.result is None


def test_persisted_rows_on_threads_are_an_error_in_words(client):
    X, y = dask.persist(*recomputable())
    for name, given in {"X": (X, y), "y": (recomputable()[0], y)}.items():
        said = f"^the rows of {name} are held by .* set to compute in this process: drop that setting"
        with dask.config.set(scheduler="threads"), pytest.raises(ValueError, match=said):
            solve(*given)


def test_data_of_a_closed_client_are_an_error_not_a_hang(cluster):
    with Client(cluster) as client:
        X, y = dask.persist(*recomputable())
    assert client.status == "closed"
    with pytest.raises(ValueError, match="client is closed; connect again"):
        solve(X, y)


@pytest.mark.parametrize("persisted", [False, True])
def test_a_client_that_is_closed_in_mid_fit(cluster, persisted):
    said = "^the data live on a cluster whose client is closed" if persisted else "^the client is closed"
    with Client(cluster) as client:
        X, y = dask.persist(*recomputable()) if persisted else recomputable()
        with pytest.raises(ClusterError, match=said) as caught:
            solve(X, y, callback=once(client.close))
    assert caught.value.result.n_iter == 0


def test_a_connection_that_is_reset_in_mid_fit(cluster):
    """dask's client connects again at once, but the scheduler has dropped what it held for it."""
    with breakage.Wire(cluster.scheduler_address) as wire, Client(wire.address):
        X, y = dask.persist(*recomputable())
        wait([X, y])
        said = "^the connection .* broke during a pass, and the scheduler has dropped the rows of X and y .* make these"
        with pytest.raises(ClusterError, match=said) as caught:
            solve(X, y, callback=once(wire.reset))
        assert solve(*recomputable(), start=caught.value.result).converged


def test_a_fit_in_a_task_of_the_same_cluster(client):
    """The task lends its thread to the passes while it waits, else two such tasks would wait for ever."""

    def task(k):
        return solve(*recomputable()).beta

    ours = client.gather(client.map(task, range(2), pure=False))
    assert all(np.array_equal(beta, undisturbed().beta) for beta in ours)


def test_an_error_of_a_callback_keeps_the_last_state():
    """Whatever ends a run, on a cluster or not."""
    X, y = dask.compute(*recomputable(), scheduler="threads")
    seen = []

    def callback(state):
        seen.append(state)
        if len(seen) == 3:
            raise OSError("no space for the picture")

    with pytest.raises(OSError, match="^no space") as caught:
        solve(X, y, callback=callback)
    result = caught.value.result
    assert np.array_equal(np.append(result.beta, result.intercept), seen[-1].beta)
    assert result.n_iter == 2 and not result.converged and not result.interrupted
    assert solve(X, y, start=result).converged


def test_an_error_before_the_first_state_has_none():
    X, y = dask.compute(*recomputable(), scheduler="threads")
    with pytest.raises(ValueError, match="^y does not suit") as caught:
        solve(X, 2 * y)
    assert not hasattr(caught.value, "result") and not hasattr(caught.value, "__notes__")


def test_rows_that_workers_cannot_keep_in_memory_are_warned_of():
    X, y = recomputable()
    # 32 KiB of 1 GiB. The worker is a thread of this process, whose own memory shall not pause it.
    limits = {"target": 2**-15, "spill": False, "pause": False}
    with dask.config.set({f"distributed.worker.memory.{name}": value for name, value in limits.items()}):
        cluster = LocalCluster(n_workers=1, processes=False, memory_limit="1GiB", dashboard_address="127.0.0.1:0")
    with cluster, Client(cluster) as client:
        assert solve(X, y).converged  # rows that are made anew in every pass are not kept
        small = dask.persist(X[:ROWS], y[:ROWS])
        assert solve(*small).converged
        X, y = dask.persist(X, y)
        with pytest.warns(UserWarning, match="workers keep about 0 MiB in memory .* not persisted") as caught:
            assert solve(X, y).converged
        assert len(caught) == 1 and caught[0].filename == breakage.__file__  # where `fit` was called
        wait([X, y])
        spilled = client.run(lambda dask_worker: len(dask_worker.data.slow))
        assert sum(spilled.values()) > 0  # and it was so


@pytest.mark.slow
def test_a_restarted_cluster_makes_its_data_again_or_says_that_they_are_gone(client):
    X, y = dask.persist(*recomputable())
    client.restart(wait_for_workers=False)  # distributed gives up where one worker of two comes back late
    client.wait_for_workers(1, timeout=60)
    with contextlib.suppress(ClusterError):
        equal_bits(solve(X, y), undisturbed())
    equal_bits(solve(*recomputable()), undisturbed())


def test_ctrl_c_in_mid_pass_returns_the_last_state_and_leaves_no_task(client):
    """SIGINT arrives while workers compute: the run ends within seconds with what it had."""
    X, y = recomputable(pause=0.1)
    seen = []

    def callback(state):
        seen.append(state)
        if len(seen) == 2:
            timer.start()

    timer = threading.Timer(0.1, signal.raise_signal, [signal.SIGINT])
    with pytest.warns(NotConverged, match="Interrupted"):
        result = solve(X, y, callback=callback, tol=0)
    timer.join()
    assert result.status.startswith("Interrupted") and not result.converged
    assert np.array_equal(np.append(result.beta, result.intercept), seen[-1].beta)
    assert keys_left(client) == 0


def test_a_read_that_fails_twice_needs_retries(client, tmp_path):
    def read(folder, block_info=None):
        k = block_info[None]["chunk-location"][0]
        tries = len(os.listdir(folder))
        if k == 1 and tries < 2:
            open(os.path.join(folder, str(tries)), "w").close()
            raise OSError("the disk was busy")
        return np.random.default_rng(k).normal(size=(ROWS, P))

    X = da.map_blocks(read, str(tmp_path), chunks=((ROWS,) * CHUNKS, (P,)), dtype=float, meta=np.empty((0, 0)))
    y = da.ones(CHUNKS * ROWS, chunks=ROWS) * 0.5
    with pytest.raises(OSError, match="the disk was busy"):
        solve(X, y)
    for name in os.listdir(tmp_path):
        os.remove(tmp_path / name)
    assert keys_left(client) == 0  # nor is the failure remembered
    with dask.annotate(retries=3):
        assert solve(X, y).converged
    assert len(os.listdir(tmp_path)) == 2  # it did fail twice


@pytest.mark.slow
def test_a_chunk_that_kills_every_worker_is_an_error_in_words():
    """As the kernel kills a process for its memory."""

    def deadly(block, block_info=None):
        if block_info[None]["chunk-location"][0] == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return block

    X, y = recomputable()
    with dask.config.set({"distributed.scheduler.allowed-failures": 1}):
        with local_cluster(1) as cluster, Client(cluster) as client:
            with pytest.raises(ClusterError, match="^2 workers died, one after the other, .* use shorter chunks"):
                solve(X.map_blocks(deadly, dtype=float, meta=np.empty((0, 0))), y)
            assert keys_left(client) == 0


@pytest.mark.slow
def test_a_worker_killed_every_two_seconds(client):
    """dask allows each task three failures; within them the bits are those of the undisturbed run."""
    X, y = recomputable(pause=0.05)
    done = threading.Event()

    def kill():
        while not done.wait(2.0):
            kill_one(client)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        with contextlib.suppress(ClusterError):
            equal_bits(solve(X, y), undisturbed())
    finally:
        done.set()
        killer.join()


@pytest.mark.slow
def test_rows_from_disk_leave_a_worker_its_memory(tmp_path):
    """A worker above 80 % of its limit takes no task; what the allocator keeps never goes: that was a hang."""
    rows = 140_000  # 17 MB, in a process that has 300 of its 480 once everything is imported and compiled
    datasets.save(tmp_path / "rows.zarr", *datasets.make_logistic(15 * rows, 15, seed=1, chunks=rows))
    X, y, _ = datasets.load(tmp_path / "rows.zarr", chunks=rows)
    with glmlab.machine.cluster.client(2, memory_limit="480MB") as client:
        assert fit(X, y, family="logistic", penalty=Ridge(1)).converged
        events = [event for topic in client.get_events().values() for _, event in topic if isinstance(event, dict)]
    assert "running" in (seen := {event.get("status") for event in events}) and "paused" not in seen


OUTLIVE = {"Queue", "Variable", "Event", "Semaphore", "Lock", "MultiLock", "publish_dataset", "with_results"}


def names_of(source):
    """What a module imports from distributed, and the attributes and keywords that it writes."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("distributed"):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield node.attr if node.value.id in ("distributed", "client") else ""
        elif isinstance(node, ast.keyword):
            yield node.arg


def test_no_state_outside_of_tasks():
    """as_completed(with_results=True) gives lost tasks as error objects where numbers belong, and raises nothing.

    Queues, variables, events and published names outlive a restart, so that another fit would read stale numbers.
    """
    assert OUTLIVE & set(names_of("from distributed import Queue, as_completed\nas_completed(f, with_results=True)"))
    for path in Path(glmlab.__file__).parent.rglob("*.py"):
        assert not OUTLIVE & set(names_of(path.read_text())), path
