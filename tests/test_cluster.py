"""cluster: which client is returned, the settings of a local cluster, and that nothing is left behind."""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
import urllib.request

import dask
import distributed
import numpy as np
import pytest
from distributed import Client, LocalCluster
from threadpoolctl import threadpool_info

import glmlab
from glmlab import datasets
from glmlab.machine import cluster, costmodel, local, shipping
from glmlab.policy import Workers
from glmlab.rows import dispatch


@pytest.fixture(scope="class")
def client():
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
        patch.setenv("OMP_NUM_THREADS", "3")
        patch.delenv("MKL_NUM_THREADS", raising=False)
        with cluster.client(memory_limit="1GiB") as c:
            assert os.environ["OMP_NUM_THREADS"] == "3" and "MKL_NUM_THREADS" not in os.environ
            yield c


def blas_threads():
    return [pool["num_threads"] for pool in threadpool_info()], os.environ["OMP_NUM_THREADS"]


class TestLocal:
    def test_two_workers_on_loopback_with_explicit_memory(self, client):
        threads = client.nthreads()
        assert list(threads.values()) == [1, 1]
        assert all(address.startswith("tcp://127.0.0.1:") for address in [*threads, client.scheduler.address])
        limits = client.run(lambda dask_worker: dask_worker.memory_manager.memory_limit)
        assert set(limits.values()) == {2**30}

    def test_workers_have_one_blas_thread_whatever_the_environment_says(self, client):
        client.run(np.dot, np.ones((2, 2)), np.ones((2, 2)))
        for counts, variable in client.run(blas_threads).values():
            assert counts and set(counts) == {1} and variable == "1"

    @pytest.mark.skipif(sys.platform != "linux", reason="page faults are counted, and glibc told, on Linux")
    def test_workers_keep_freed_memory(self, client):
        """With dask's own settings glibc returns it, and each of these arrays (2 MiB) causes 512 page faults again."""

        def faults(times=20):
            import resource

            for _ in range(2):  # the first round allocates
                before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
                for _ in range(times):
                    np.ones(2**18)
            return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

        assert max(client.gather([client.submit(faults, workers=[w]) for w in client.nthreads()])) < 20 * 512 / 4

    def test_a_restarted_worker_will_have_its_settings_too(self, client):
        for nanny in client.cluster.workers.values():  # a nanny restarts its worker with the variables that it stored
            assert local.worker_variables("1GiB", 1, Workers()).items() <= nanny.pre_spawn_env.items()

    @pytest.mark.parametrize(("rows", "held"), [(25, [2, 2]), (30, [2, 2]), (20, [3, 2]), (100, [1, 0])])
    def test_rows_are_dealt_out_evenly_and_in_order(self, client, rows, held):
        a = np.random.default_rng(0).random((100, 3))
        lazy = cluster.dealt(client, a, rows)
        distributed.wait(lazy)
        owners = [client.who_has(future)[future.key][0] for future in client.futures_of(lazy)]
        assert [owners.count(w) for w in sorted(client.nthreads())] == held and owners == sorted(owners)
        assert lazy.chunks[0][0] == rows and lazy.compute().tobytes() == a.tobytes()
        assert client.submit(lambda piece: piece.flags.aligned, client.futures_of(lazy)[-1]).result()

    def test_rows_that_are_dealt_twice_have_different_names(self, client):
        """With equal names the new rows were sometimes lost: the release of the old ones came after them."""
        names = [{future.key for future in client.futures_of(cluster.dealt(client, np.eye(4), 2))} for _ in range(2)]
        assert len(names[0]) == len(names[1]) == 2 and not names[0] & names[1]

    def test_a_pass_that_the_cost_model_times_is_over_rows_in_the_workers_memory(self, client):
        X, y, _ = datasets.make_logistic(60, 3)
        lazy = costmodel.placed(X, y, 15, client, None)
        pieces = [future for column in lazy.given.values() for future in client.futures_of(column)]
        distributed.wait(pieces)
        assert len(pieces) == 8 and all(client.who_has(pieces).values())
        found = costmodel.one_pass(lazy, False, "numpy", "logistic")()
        here = costmodel.one_pass(costmodel.placed(X, y, 15, None, 2), False, "numpy", "logistic")()
        assert found.loss == here.loss and found.grad.tolist() == here.grad.tolist()

    def test_dashboard_answers_on_loopback(self, client):
        link = cluster.dashboard_link(client)
        assert link.startswith("http://127.0.0.1:")
        assert urllib.request.urlopen(link).status == 200

    def test_dashboard_link_outside_the_hub_its_template_is_for(self, client):
        direct = cluster.dashboard_link(client)
        with dask.config.set({"distributed.dashboard.link": "{NO_SUCH_HUB_PREFIX}/proxy/{port}/status"}):
            assert cluster.dashboard_link(client) == direct
        with dask.config.set({"distributed.dashboard.link": "/hub/proxy/{port}/status"}):
            assert cluster.dashboard_link(client).startswith("/hub/proxy/")

    def test_a_second_call_gives_the_same_client_and_with_leaves_it_open(self, client):
        second = cluster.client(n_workers=1)
        assert second.scheduler.address == client.scheduler.address and "open before" in repr(second)
        with second as same:
            assert same is client
        assert client.status == "running"

    def test_bytes_sent_are_those_of_results_that_move(self, client):
        here, there = client.nthreads()
        x = client.submit(np.ones, 100_000, workers=[here], pure=False)
        y = client.submit(np.negative, x, workers=[here], pure=False)
        distributed.wait(y)
        before = cluster.bytes_sent(client)
        assert client.submit(np.sum, y, workers=[here], pure=False).result() == -100_000
        assert cluster.bytes_sent(client) - before < 1_000  # one number came to this process
        assert client.submit(np.sum, x, workers=[there], pure=False).result() == 100_000
        assert 800_000 <= cluster.bytes_sent(client) - before < 802_000  # and x went there

    def test_same_rows_on_workers(self, client):
        here = datasets.make_poisson(2_500, 3)
        there = dask.compute(datasets.make_poisson(2_500, 3, chunks=900))[0]
        assert all(np.array_equal(a, b) for a, b in zip(here, there, strict=True))
        assert len(datasets.flights("dask", npartitions=2).compute()) == 327_346


@pytest.mark.parametrize(("limit", "kept"), [(2**30, True), (2**30 - 1, False), ("1GiB", True), ("480MB", False),
                                             (0, True), (None, True)])
def test_only_workers_of_little_memory_return_it(limit, kept):
    variables = local.worker_variables(limit, 1, Workers())
    assert (variables["MALLOC_TRIM_THRESHOLD_"] == str(2**26)) == kept
    assert (variables["MALLOC_MMAP_THRESHOLD_"] == str(2**25)) == kept
    assert variables["OMP_NUM_THREADS"] == "1"


def test_workers_of_little_memory_return_it_whatever_the_environment_says(monkeypatch):
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    small, variables = Workers().roomy - 1, local.worker_variables(Workers().roomy - 1, 1, Workers())
    for name in variables:
        monkeypatch.setenv(name, "7")
    with cluster.client(1, memory_limit=small) as client:
        [nanny] = client.cluster.workers.values()
        assert variables.items() <= nanny.pre_spawn_env.items()
        assert client.submit(lambda: variables.items() <= os.environ.items()).result()


def test_close_closes_what_we_opened_and_nothing_else(monkeypatch):
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    first = cluster.client(n_workers=1, processes=False)
    cluster.client().close()  # as when the cell that opens is run twice, the one that closes once
    assert first.status == "closed"
    with Client(n_workers=1, processes=False, dashboard_address="127.0.0.1:0") as theirs:
        cluster.client().close()
        assert theirs.status == "running"


def test_threads_stay_in_this_process_and_on_loopback(monkeypatch):
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    with cluster.client(processes=False) as c:
        assert c.submit(os.getpid).result() == os.getpid()
        assert urllib.request.urlopen(cluster.dashboard_link(c)).status == 200
        assert {host for host, _ in listening()} == {"127.0.0.1"}


def listening():
    import psutil

    return [c.laddr for c in psutil.Process().net_connections() if c.status == "LISTEN"]


SESSION = """
import psutil, dask.array as da
def workers():  # multiprocessing's resource tracker stays until Python ends
    return [child for child in psutil.Process().children(recursive=True) if "spawn_main" in " ".join(child.cmdline())]
from glmlab.machine import cluster
if __name__ == "__main__":
    with cluster.client() as c:
        assert da.ones((100, 4), chunks=10).sum().compute() == 400 and len(workers()) == 2
    assert c.status == "closed" and workers() == []
    print("done")
"""


def test_a_session_leaves_no_output_process_or_file(tmp_path):
    (tmp_path / "session.py").write_text(SESSION)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done = run_python(["-W", "error", str(tmp_path / "session.py")], TMPDIR=scratch, TEMP=scratch)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
    assert {path.name for path in scratch.rglob("*")} <= {"dask-scratch-space", "global.lock", "purge.lock"}


@pytest.mark.parametrize("name, known", [
    ("distributed.nanny", "Worker process still alive after 4.0 seconds, killing"),
    ("distributed.worker", "Failed to communicate with scheduler during heartbeat."),
])
def test_only_warnings_about_the_end_of_a_cluster_are_dropped(caplog, name, known):
    local.hush_exits()
    logging.getLogger(name).warning(known)
    logging.getLogger(name).warning("Restarting worker")
    assert caplog.messages == ["Restarting worker"]


def test_they_are_dropped_in_the_workers_too(client):
    filters = client.run(lambda: [each.__name__ for each in logging.getLogger("distributed.worker").filters])
    assert all("is_news" in names for names in filters.values())


def test_no_message_waits_for_others(client):
    scheduler = client.cluster.scheduler
    ours = [client.scheduler_comm, *scheduler.stream_comms.values(), *scheduler.client_comms.values()]
    theirs = client.run(lambda dask_worker: dask_worker.batched_stream.interval)
    assert client.direct_to_workers
    assert len(ours) >= 4 and {stream.interval for stream in ours} | {*theirs.values()} == {Workers().prompt}


def run_python(arguments, **variables):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **{k: str(v) for k, v in variables.items()}}
    environment.pop("DASK_SCHEDULER_ADDRESS", None)
    return subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("arguments, error, message", [
    ({"n_workers": 0}, ValueError, "n_workers must be a whole number >= 1, got 0"),
    ({"n_workers": "2"}, TypeError, "n_workers must be a whole number >= 1, got '2'"),
    ({"threads_per_worker": 1.5}, TypeError, "threads_per_worker must be a whole number >= 1, got 1.5"),
])  # fmt: skip
def test_refusals(arguments, error, message, monkeypatch):
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    with pytest.raises(error, match=message):
        cluster.client(**arguments)


@pytest.mark.parametrize(
    "variables, seconds", [({}, 600), ({"DASK_DISTRIBUTED__DEPLOY__LOST_WORKER_TIMEOUT": "3s"}, 3)]
)
def test_a_worker_that_died_has_time_to_come_back_unless_somebody_has_set_it(variables, seconds):
    """After dask's own 15 s a busy machine would have a worker fewer for good."""
    code = """
import dask
from glmlab.machine.cluster import client
with client(1, processes=False):
    known = list(dask.config.defaults)
with client(1, processes=False):
    assert dask.config.defaults == known, "a second client adds nothing"
    print(dask.utils.parse_timedelta(dask.config.get("distributed.deploy.lost-worker-timeout")))
"""
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | variables, capture_output=True, text=True)
    assert float(done.stdout) == seconds, done.stderr


@pytest.mark.parametrize("n_workers", [1, 2, 7])
@pytest.mark.parametrize("gib", [1, 2, 64])
def test_default_memory_fits(n_workers, gib, monkeypatch):
    monkeypatch.setattr(distributed.system, "MEMORY_LIMIT", gib * 2**30)
    limit = local.fair_memory(n_workers, Workers())
    assert n_workers * limit <= 0.8 * gib * 2**30 and limit <= 2 * 2**30
    assert n_workers * limit > 0.79 * gib * 2**30 or limit == 2 * 2**30  # and no smaller than necessary


# ---- a scheduler elsewhere

HIDE = """
import sys
class Hide:
    def find_spec(self, name, path=None, target=None):
        shipped = any(entry.endswith("glmlab.zip") for entry in sys.path)
        if name == "glmlab" and not ({admit} and shipped):
            raise ModuleNotFoundError("glmlab is hidden")
sys.meta_path.insert(0, Hide())
from distributed.cli.dask_worker import main
main()
"""


@pytest.fixture
def scheduler(monkeypatch):
    """A scheduler without workers, which DASK_SCHEDULER_ADDRESS names."""
    options = {"n_workers": 0, "threads_per_worker": 1, "protocol": "tcp://", "host": "127.0.0.1"}
    with LocalCluster(processes=False, dashboard_address="127.0.0.1:0", **options) as lone:
        monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", lone.scheduler_address)
        yield lone


@contextlib.contextmanager
def worker_without_glmlab(scheduler, folder, admit=True):
    """A worker process that cannot import glmlab; with `admit` it can when it was sent."""
    options = "--no-nanny --nthreads 1 --memory-limit 0 --no-dashboard --host 127.0.0.1".split()
    command = [sys.executable, "-c", HIDE.format(admit=admit), scheduler.scheduler_address, *options]
    with open(folder / "log", "w") as log:
        process = subprocess.Popen([*command, "--local-directory", str(folder)], stdout=log, stderr=log)
    try:
        with Client(scheduler.scheduler_address, set_as_default=False) as c:
            c.wait_for_workers(1, timeout=60)
        yield
    finally:
        process.kill()  # a worker that is asked to end just after it has joined may never end
        process.wait()


def where(module):
    return sys.modules[module].__file__


def test_workers_elsewhere_are_sent_the_package(scheduler, tmp_path):
    with worker_without_glmlab(scheduler, tmp_path), cluster.client() as c:
        assert c.scheduler.address == scheduler.scheduler_address
        assert c.submit(dispatch.sigmoid, 0.0).result(timeout=60) == 0.5
        assert "glmlab.zip" in c.submit(by_value(where), "glmlab.rows.dispatch").result()
        assert len(datasets.flights("dask", npartitions=1).compute()) == 327_346  # the data were sent too
        assert shipping.ship(c) == 0  # they have it already
    assert scheduler.status.name == "running"  # closing the client leaves it


def test_workers_that_join_later_are_sent_it_too(scheduler, tmp_path):
    with cluster.client() as c, worker_without_glmlab(scheduler, tmp_path):
        assert c.submit(dispatch.sigmoid, 0.0).result(timeout=60) == 0.5


def by_value(function):
    """A copy that dask sends as code, because the worker cannot import this test."""
    import types

    return types.FunctionType(function.__code__, {"sys": sys, "__name__": "__main__"}, function.__name__)


def test_workers_that_cannot_import_it_even_then_are_named(scheduler, tmp_path):
    with worker_without_glmlab(scheduler, tmp_path, admit=False):
        with pytest.raises(RuntimeError, match="tcp://127.0.0.1:.* glmlab is hidden.*Install glmlab"):
            cluster.client()
    with pytest.raises(ValueError, match="No clients found"):
        distributed.default_client()


def test_workers_elsewhere_that_have_it_are_left_alone(scheduler, monkeypatch):
    monkeypatch.setattr(shipping, "upload", lambda client: pytest.fail("sent"))
    scheduler.scale(1)
    scheduler.wait_for_workers(1)
    with cluster.client() as c:
        assert c.submit(lambda: glmlab.__version__).result() == glmlab.__version__


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", "tcp://127.0.0.1:1")
    with dask.config.set({"distributed.comm.timeouts.connect": "300ms"}):
        with pytest.raises(ConnectionError, match="tcp://127.0.0.1:1, which DASK_SCHEDULER_ADDRESS names"):
            cluster.client()


def test_the_dashboard_is_where_the_panes_look(monkeypatch):
    """If that port is free; a second client gets another port, without a warning."""
    wanted = local.free_port(0)
    monkeypatch.setenv(local.DASHBOARD_PORT, str(wanted))
    with cluster.client(1, processes=False) as first:
        assert cluster.dashboard_link(first).startswith(f"http://127.0.0.1:{wanted}/")
        assert local.free_port(wanted) != wanted


INTERRUPTED = """
import os, signal, time
from glmlab.machine.cluster import client

if __name__ == "__main__":
    c = client()
    before = sorted(c.nthreads())
    try:
        os.killpg(0, signal.SIGINT)
        time.sleep(60)
    except KeyboardInterrupt:
        pass
    time.sleep(2)
    assert sorted(c.nthreads()) == before, "the same processes, none restarted"
    assert c.submit(os.getpid).result(timeout=20) != os.getpid()
    c.close()
    print("survived")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="groups of processes are POSIX")
def test_workers_survive_an_interrupt_of_the_whole_group(tmp_path):
    """As Jupyter's stop button sends it: to the kernel and to all its children."""
    script = tmp_path / "interrupted.py"
    script.write_text(INTERRUPTED)
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, env=no_scheduler(),
                           start_new_session=True)  # fmt: skip
    assert ended.returncode == 0 and ended.stdout == "survived\n", ended.stderr


def no_scheduler():
    return {name: value for name, value in os.environ.items() if name != "DASK_SCHEDULER_ADDRESS"}


def test_a_cluster_without_workers_is_replaced_and_one_that_restarts_is_not(monkeypatch):
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    first = cluster.client(n_workers=1, memory_limit="1GiB")
    first.cluster.scale(0)
    first.cluster.sync(first.cluster._correct_state)
    with pytest.warns(UserWarning, match="workers of the open cluster are gone"):
        second = cluster.client(n_workers=1, memory_limit="1GiB", policy=Workers(restart=0.5))
    with second:
        assert first.status == "closed" and second.submit(int, 3).result(timeout=20) == 3
        [pid] = second.run(os.getpid).values()
        os.kill(pid, signal.SIGKILL)
        while second.nthreads():
            time.sleep(0.01)
        assert cluster.client().scheduler.address == second.scheduler.address
