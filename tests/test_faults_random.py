"""Faults at random moments, injected from outside while a fit goes on: the same bits, or a prompt error in words.

The seed decides the moment. A fit that hangs is ended by the test's limit, and fails.
"""

import os
import re
import signal
import subprocess
import sys
import time
from functools import partial

import dask
import pytest
from breakage import (
    Wire,
    at_random,
    equal_bits,
    kill_one,
    local_cluster,
    recomputable,
    sockets_collected,  # noqa: F401
    solve,
)
from distributed import Client, wait

from glmlab import ClusterError
from tools.soak import left_behind, pids, scheduler_process, worker_process

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120), pytest.mark.usefixtures("sockets_collected")]
each_way = pytest.mark.parametrize(("persisted", "seed"), [(False, 1), (True, 2)], ids=["recomputable", "persisted"])
slowly = partial(recomputable, pause=0.02)  # a fit takes seconds, so that the moment falls into its middle


def run(X, y, **options):
    return solve(X, y, solver="fista", **options)


@pytest.fixture(scope="module")
def undisturbed():
    with dask.config.set(scheduler="threads"):
        return run(*recomputable())


def kill(cluster, client):
    kill_one(client)


def stop(cluster, client):
    """A worker that does nothing for a while, as under a debugger or on a machine that swaps."""
    pid = next(iter(pids(client).values()))
    os.kill(pid, signal.SIGSTOP)
    time.sleep(1.5)
    os.kill(pid, signal.SIGCONT)


def pause(cluster, client):
    """A worker whose memory is nearly full takes no new task."""

    def become(status, dask_worker):
        from distributed.core import Status

        dask_worker.status = Status[status]

    worker = next(iter(client.nthreads()))
    client.run(become, "paused", workers=[worker])
    time.sleep(1.5)
    client.run(become, "running", workers=[worker])


def join(cluster, client):
    cluster.scale(3)


def retire(cluster, client):
    client.retire_workers([next(iter(client.nthreads()))])


def leave(cluster, client):
    """The end of a batch job: SIGTERM, upon which a worker ends with code 0."""
    os.kill(next(iter(pids(client).values())), signal.SIGTERM)


def restart(cluster, client):
    client.restart(wait_for_workers=False)  # distributed gives up where one worker of two comes back late


@each_way
@pytest.mark.parametrize("fault", [kill, stop, pause, join, retire, leave])
def test_the_same_bits(undisturbed, fault, persisted, seed):
    with local_cluster() as cluster, Client(cluster) as client:
        X, y = dask.persist(*slowly()) if persisted else slowly()
        with at_random(seed, lambda: fault(cluster, client)):
            equal_bits(run(X, y), undisturbed)
        del X, y
        assert not any(left_behind(client).values())


def bits_or_error(undisturbed, X, y, said):
    """The same bits where the fault fell between two passes, else an error from whose state the fit goes on."""
    try:
        equal_bits(run(X, y), undisturbed)
    except ClusterError as error:
        assert re.search(said, str(error))
        return error.result
    return None


@each_way
def test_a_restart_is_an_error_from_which_the_fit_goes_on(undisturbed, persisted, seed):
    with local_cluster() as cluster, Client(cluster) as client:
        X, y = dask.persist(*slowly()) if persisted else slowly()
        wait([X, y])
        with at_random(seed, lambda: restart(cluster, client)):
            last = bits_or_error(undisturbed, X, y, "^the cluster was restarted during a pass.* fit again")
        client.wait_for_workers(1, timeout=60)
        assert run(*slowly(), start=last).converged


@each_way
def test_a_reset_connection_of_the_client(undisturbed, persisted, seed):
    """dask's client connects again at once, and forgets all that it held."""
    with local_cluster() as cluster, Wire(cluster.scheduler_address) as wire, Client(wire.address) as client:
        X, y = dask.persist(*slowly()) if persisted else slowly()
        wait([X, y])
        with at_random(seed, wire.reset):
            last = bits_or_error(undisturbed, X, y, "^the connection .* broke during a pass.* fit again")
        assert run(*slowly(), start=last).converged
        del X, y
        assert not any(left_behind(client).values())


@each_way
def test_a_reset_connection_of_a_worker(undisturbed, persisted, seed):
    """Worker and nanny end with code 0 or come back, as their timing falls; the other worker does the work."""
    with local_cluster(1) as cluster, Wire(cluster.scheduler_address) as wire, Client(cluster) as client:
        with worker_process(wire.address):
            client.wait_for_workers(2, timeout=60)
            X, y = dask.persist(*slowly()) if persisted else slowly()
            with at_random(seed, wire.reset):
                equal_bits(run(X, y), undisturbed)


def test_no_worker_is_left():
    """The last worker and its nanny end and nothing starts others: dask would wait for ever."""
    with local_cluster(0) as cluster, Client(cluster) as client:
        with worker_process(cluster.scheduler_address) as process:
            client.wait_for_workers(1, timeout=60)
            said = "^the cluster has had no worker for 3 s: start workers"
            with dask.config.set({"distributed.scheduler.no-workers-timeout": "3s"}):
                with pytest.raises(ClusterError, match=said) as caught:
                    with at_random(1, lambda: os.killpg(process.pid, signal.SIGKILL)):
                        run(*recomputable(pause=0.1))
        with worker_process(cluster.scheduler_address):
            client.wait_for_workers(1, timeout=60)
            assert run(*slowly(), start=caught.value.result).converged
        assert not any(left_behind(client).values())


def test_workers_that_come_late(undisturbed):
    with local_cluster(0) as cluster, Client(cluster):
        with at_random(1, lambda: cluster.scale(2)):
            equal_bits(run(*slowly()), undisturbed)


@each_way
def test_the_scheduler_is_gone(undisturbed, tmp_path, persisted, seed):
    prompt = dask.config.set({"distributed.comm.timeouts.connect": "3s"})
    with prompt, scheduler_process(tmp_path) as (process, address):
        with worker_process(address), Client(address, timeout=10) as client:
            client.wait_for_workers(1, timeout=60)
            X, y = dask.persist(*slowly()) if persisted else slowly()
            wait([X, y])
            said = "^the connection to the scheduler .* broke|^the client is closed, or its scheduler"
            with pytest.raises(ClusterError, match=said) as caught:
                with at_random(seed, lambda: os.killpg(process.pid, signal.SIGKILL)):
                    run(X, y)
    with dask.config.set(scheduler="threads"):
        assert run(*recomputable(), start=caught.value.result).converged


def test_rows_that_are_spilled_in_every_pass(undisturbed):
    with dask.config.set({"distributed.worker.memory.target": 1e-5}):
        cluster = local_cluster(memory_limit="1GiB")
    with cluster, Client(cluster) as client:
        X, y = dask.persist(*recomputable())
        with pytest.warns(UserWarning, match="write the rest to disk"):
            equal_bits(run(X, y), undisturbed)
        assert sum(client.run(lambda dask_worker: len(dask_worker.data.slow)).values()) > 0


SCRIPT = """
import sys
from breakage import keys_left, local_cluster, recomputable, solve
from distributed import Client

if __name__ == "__main__":
    with local_cluster() as cluster, Client(cluster) as client:
        X, y = recomputable(pause=0.05)
        result = solve(X, y, solver="fista", tol=0, max_iter=1000, callback=lambda state: print("go", flush=True))
        assert result.interrupted and not result.converged, result.status
        assert keys_left(client) == 0
        assert solve(*recomputable(), start=result).converged
        print("done", flush=True)
"""


@pytest.mark.parametrize("seed", [1, 2])
def test_ctrl_c(tmp_path, seed):
    """SIGINT to the process of a script, while its workers compute."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    beside = os.pathsep.join([os.path.dirname(__file__), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env=os.environ | {"PYTHONPATH": beside}) as process:  # fmt: skip
        assert process.stdout.readline() == "go\n"
        with at_random(seed, lambda: process.send_signal(signal.SIGINT)):
            pass
        said, errors = process.communicate(timeout=60)
    assert process.returncode == 0 and said.endswith("done\n"), errors
