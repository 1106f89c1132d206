"""client() and schedulers elsewhere: every way to name one, TLS, errors in words, and what the workers are given."""

import os
import subprocess
import sys
import time
import warnings
from contextlib import contextmanager

import dask
import distributed
import numpy as np
import pytest
import tls
from distributed import Client, LocalCluster, Security
from test_cluster import run_python

from glmlab import L1, Objective, as_chunks, datasets, fit
from glmlab.machine import cluster, connecting, local

NOBODY = "127.0.0.1:1"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    with dask.config.set({"distributed.comm.timeouts.connect": "5s"}):
        yield


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    return tls.authority(tmp_path_factory.mktemp("tls") / "own")


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    return tls.authority(tmp_path_factory.mktemp("tls") / "foreign")


def scheduler(protocol="tcp://", **options):
    """A scheduler without workers."""
    return LocalCluster(n_workers=0, threads_per_worker=1, processes=False, protocol=protocol, host="127.0.0.1",
                        dashboard_address="127.0.0.1:0", **options)  # fmt: skip


@pytest.fixture(scope="module")
def plain():
    with scheduler() as found:
        yield found.scheduler_address


@pytest.fixture(scope="module")
def encrypted(own):
    both = {f"tls_{role}_{what}": str(own[what]) for role in ("scheduler", "worker") for what in ("cert", "key")}
    with scheduler(protocol="tls://", security=Security(**both, **tls.security(own))) as found:
        yield found.scheduler_address


# ---- every way to name a scheduler


def reached(address, /, **options):
    with cluster.client(**options) as client:
        assert client.scheduler.address == address
        assert client.run_on_scheduler(lambda: 7) == 7


def test_an_argument_names_it(plain):
    reached(plain, address=plain)
    reached(plain, address=plain.removeprefix("tcp://"))


def test_a_scheduler_file_names_it(plain, tmp_path):
    with Client(plain, set_as_default=False) as client:
        client.write_scheduler_file(str(tmp_path / "scheduler.json"))
    reached(plain, scheduler_file=tmp_path / "scheduler.json")


def test_the_environment_and_dasks_configuration_name_it(plain, monkeypatch):
    with dask.config.set({"scheduler-address": plain}):
        reached(plain)
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", plain)
    with dask.config.set({"scheduler-address": NOBODY}):
        reached(plain)
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", NOBODY)
    reached(plain, address=plain)


def test_certificates_by_argument_or_by_dasks_configuration(encrypted, own):
    paths = tls.security(own)
    reached(encrypted, address=encrypted, security=paths)
    reached(encrypted, address=encrypted.removeprefix("tls://"), security=Security(**paths))
    names = {"ca-file": "tls_ca_file", "client.cert": "tls_client_cert", "client.key": "tls_client_key"}
    with dask.config.set({f"distributed.comm.tls.{name}": paths[own] for name, own in names.items()}):
        reached(encrypted, address=encrypted)


# ---- errors in words


def refused(error, message, **options):
    """The error and its text; no half-open client is left behind."""
    with pytest.raises(error, match=message) as found:
        cluster.client(**options)
    assert found.value.__suppress_context__ or found.value.__context__ is None  # one traceback
    assert len(str(found.value)) < 400
    with pytest.raises(ValueError, match="No clients found"):
        distributed.default_client()


def test_a_plain_client_is_told_that_the_scheduler_speaks_tls(encrypted):
    address = encrypted.replace("tls", "tcp")
    refused(ConnectionError, f"{address}, which the argument address names, speaks TLS only.*security=",
            address=address)  # fmt: skip


def test_a_client_with_tls_is_told_that_the_scheduler_does_not_speak_it(plain, own):
    address = plain.replace("tcp", "tls")
    refused(ConnectionError, f"{address}, .*does not speak TLS.*tcp://", address=address, security=tls.security(own))


def test_a_foreign_scheduler_is_told_by_its_certificate(encrypted, foreign):
    message = "shows a certificate that .*foreign/ca-file.pem does not vouch for.*tls_ca_file of the scheduler's own"
    refused(ConnectionError, message, address=encrypted, security=tls.security(foreign))


def test_a_foreign_client_is_told_that_it_was_refused(encrypted, own, foreign):
    mixed = tls.security(foreign) | {"tls_ca_file": str(own["ca-file"])}
    refused(ConnectionError, "refuses the certificate .*foreign/cert.pem", address=encrypted, security=mixed)


def test_tls_without_certificates_says_where_to_put_them(encrypted):
    refused(ValueError, r"needs certificates.*security=.*distributed\.comm\.tls", address=encrypted)


def test_a_certificate_that_cannot_be_read_is_named(encrypted, own):
    gone = tls.security(own) | {"tls_client_cert": "/nowhere.pem"}
    refused(ValueError, "No such file.*certificate /nowhere.pem", address=encrypted, security=gone)
    key = tls.security(own) | {"tls_client_cert": str(own["key"])}
    refused(ValueError, "cannot be read.*certificate .*key.pem", address=encrypted, security=key)


def test_a_plain_address_where_encryption_is_required(plain, own):
    refused(ValueError, f"require encryption; write {plain.replace('tcp', 'tls')}", address=plain,
            security=tls.security(own))  # fmt: skip


@pytest.mark.parametrize("scheme", ["tcp", "tls"])
def test_nobody_listens(scheme, own):
    message = f"No scheduler answers at {scheme}://{NOBODY}, which the argument address names.*Start it"
    with dask.config.set({"distributed.comm.timeouts.connect": "300ms"}):
        refused(ConnectionError, message, address=f"{scheme}://{NOBODY}",
                security=None if scheme == "tcp" else tls.security(own))  # fmt: skip


@pytest.mark.parametrize("address", ["tcp://10.0.0.1", "http://10.0.0.1:80", "10.0.0.1"])
def test_an_address_that_is_none(address):
    refused(ValueError, f"{address}, which the argument address names, is no address.*tcp://host:8786", address=address)


@pytest.mark.parametrize("content, message", [(None, "does not exist"), ("{}", "names no"), ("{", "names no")])
def test_a_scheduler_file_without_an_address(content, message, tmp_path):
    path = tmp_path / "scheduler.json"
    if content:
        path.write_text(content)
    with dask.config.set({"distributed.comm.timeouts.connect": "200ms"}):
        refused(ConnectionError, f"{message}.*dask scheduler --scheduler-file {path}", scheduler_file=path)


@pytest.mark.parametrize("options, error, message", [
    ({"address": NOBODY, "scheduler_file": "here.json"}, TypeError, "both were given; leave one out"),
    ({"address": 8786}, TypeError, "address must be text such as 'tcp://10.0.0.1:8786', got 8786"),
    ({"address": NOBODY, "security": True}, TypeError, "security must be a distributed.Security or a dict"),
    ({"security": {}}, ValueError, "none is named; add address="),
])  # fmt: skip
def test_arguments_that_make_no_sense(options, error, message):
    with pytest.raises(error, match=message):
        cluster.client(**options)


def test_an_open_client_of_another_scheduler_is_not_taken_for_it(plain):
    with Client(plain) as client:
        assert cluster.client(address=plain).scheduler is client.scheduler
        with pytest.raises(ValueError, match=f"a client of {plain} is open.*asks for {NOBODY}; close the open one"):
            cluster.client(address=NOBODY)


def test_speaking_tls_is_heard(plain, encrypted):
    assert connecting.speaks_tls(encrypted) and not connecting.speaks_tls(plain)


# ---- a script without a main guard

UNGUARDED = """
from glmlab.machine import cluster
def main():
    with cluster.client(1) as client:
        print(client.submit(sum, [1, 2]).result())
"""


def test_a_script_without_a_main_guard_is_told_so_in_one_sentence(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(UNGUARDED + "main()\n")
    done = run_python([str(script)])
    assert done.returncode == 1 and done.stderr.count("Traceback") == 1
    assert f"RuntimeError: Line 6 of {script} calls client() without a main guard" in done.stderr
    assert done.stderr.endswith('Put the call under: if __name__ == "__main__":\n')


@pytest.mark.parametrize("call, guarded", [
    ("main()", False),
    ("logger = getLogger(__name__)\nmain()", False),
    ("if __name__ == '__main__':\n    main()", True),
    ("if __name__ != '__main__':\n    raise SystemExit\nmain()", True),
    ("main()  # and later\nif __name__ == '__main__':\n    pass", False),
])  # fmt: skip
def test_what_counts_as_a_main_guard(call, guarded, tmp_path):
    path = tmp_path / "script.py"
    path.write_text(call)
    line = 1 + next(k for k, text in enumerate(call.splitlines()) if "main()" in text)
    assert local.guarded(path, line) == guarded
    assert local.guarded(tmp_path / "not there", 1)


# ---- one thread a task, whoever started the worker


@contextmanager
def worker(address, folder, **variables):
    """A worker process without a nanny, whose BLAS takes all cores."""
    options = "--no-nanny --nthreads 2 --memory-limit 0 --no-dashboard --host 127.0.0.1".split()
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address, *options, "--local-directory", str(folder)]
    free = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    python_path = os.pathsep.join(filter(None, sys.path))
    environment = free | {"PYTHONPATH": python_path, "OPENBLAS_NUM_THREADS": "2"} | variables
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(1, timeout=60)
        yield
    finally:
        process.kill()  # a worker that is asked to end just after it has joined may never end
        process.wait()


def load():
    import numba
    import scipy.linalg

    scipy.linalg.norm(np.ones(3))
    return numba.get_num_threads()


def counts(pause=0.2):
    """Threads of each pool of BLAS or OpenMP, and of numba; the pause makes both threads of the worker take one."""
    import threading

    from threadpoolctl import threadpool_info

    found = load()
    time.sleep(pause)
    return threading.get_ident(), {found, *(pool["num_threads"] for pool in threadpool_info())}


def by_thread(client):
    found = dict(client.gather([client.submit(counts, pure=False) for _ in range(4)]))
    assert len(found) == 2  # both threads of the worker
    return list(found.values())


@pytest.fixture
def fresh():
    """A scheduler that no client has told anything; the other one hands on what it was told to every new worker."""
    with scheduler() as found:
        yield found.scheduler_address


@pytest.mark.parametrize("loaded", [True, False])
def test_one_thread_a_task_without_a_nanny(fresh, tmp_path, loaded):
    with worker(fresh, tmp_path, NUMBA_NUM_THREADS="2"):
        if loaded:
            with Client(fresh, set_as_default=False) as before:
                before.run(load)
                assert before.submit(counts, pure=False).result()[1] >= {2}
        with cluster.client(address=fresh) as client:
            assert by_thread(client) == [{1}, {1}]


def test_one_thread_a_task_on_a_worker_that_joins_later(fresh, tmp_path):
    with cluster.client(address=fresh) as client, worker(fresh, tmp_path, NUMBA_NUM_THREADS="2"):
        assert by_thread(client) == [{1}, {1}]


def test_a_client_that_was_open_gets_the_same(fresh, tmp_path):
    with Client(fresh) as theirs, worker(fresh, tmp_path):
        cluster.client()
        assert by_thread(theirs) == [{1}, {1}]


def test_a_worker_that_keeps_its_threads_is_named_in_a_warning(fresh, tmp_path):
    def deaf():
        import numpy  # noqa: F401
        import threadpoolctl

        threadpoolctl.threadpool_limits = lambda limits: None

    with worker(fresh, tmp_path):
        with Client(fresh, set_as_default=False) as before:
            before.run(deaf)
            [address] = before.nthreads()
        with warnings.catch_warnings(record=True) as heard:  # it comes by a message, at any time
            warnings.simplefilter("always")
            with cluster.client(address=fresh):
                until = time.monotonic() + 20
                while not heard and time.monotonic() < until:
                    time.sleep(0.05)
        told = str(heard[0].message)
        assert f"worker {address} takes 2 threads" in told and "OMP_NUM_THREADS=1" in told


def test_this_process_keeps_its_threads():
    before = [pool["num_threads"] for pool in cluster_pools()]
    with scheduler() as here, Client(here) as client:
        here.scale(1)
        client.wait_for_workers(1, timeout=30)
        cluster.client()
        assert [pool["num_threads"] for pool in cluster_pools()] == before


def cluster_pools():
    from threadpoolctl import threadpool_info

    return threadpool_info()


# ---- clusters that adapt


def test_an_adaptive_cluster_is_warned_of_once():
    with scheduler() as here, Client(here) as client:
        here.scale(1)  # has the package, so that nothing is sent
        client.wait_for_workers(1, timeout=30)
        here.adapt(minimum=0, maximum=2)
        with pytest.warns(UserWarning, match=r"adapts between 0 and 2 workers.*adapt\(minimum=2, maximum=2\)") as found:
            cluster.client()
        assert found[0].filename == __file__
        cluster.client()  # a second warning would be an error here


def test_a_cluster_that_adapts_to_one_number_is_not():
    with scheduler() as here, Client(here) as client:
        here.adapt(minimum=1, maximum=1)
        client.wait_for_workers(1, timeout=30)
        cluster.client()


# ---- what travels in a pass


@pytest.mark.slow
def test_a_pass_sends_coefficients_and_sums_but_no_rows_however_long_passes_go_on():
    """Every two seconds dask drops all copies of a result but one. What a pass needs beside rows, it brings along."""
    n, p, chunks, workers = 8_000, 1_000, 8, 2
    with cluster.client(workers, memory_limit="1GiB") as client:
        X, y, _ = datasets.make_logistic(n, p, seed=1)
        X, y = (cluster.dealt(client, values, n // chunks) for values in (X, y))
        f = Objective("logistic", as_chunks(X, y))
        sent, until = [], time.monotonic() + 5
        while time.monotonic() < until:
            before = cluster.bytes_sent(client)
            f.loss_grad(np.full(p, 1e-3 * len(sent)))  # a new β: sums at the last one are remembered
            sent.append(cluster.bytes_sent(client) - before)
    # β to each worker but one, and at most the sums of all chunks to another place, each message with some hundred
    # bytes more. One chunk of X would be a hundred times the largest of these numbers.
    assert len(sent) > 2 and 8 * p < min(sent) and max(sent) < (workers + chunks) * (8 * p + 1_000)


@pytest.mark.slow
def test_factors_and_duals_travel_once_a_round():
    p, chunks = 20, 8
    with cluster.client(2, memory_limit="1GiB") as client:
        X, y, _ = datasets.make_logistic(25_000 * chunks, p, seed=1)
        X, y = (cluster.dealt(client, values, 25_000) for values in (X, y))
        distributed.wait([X, y])
        before, until, passes = cluster.bytes_sent(client), time.monotonic() + 5, 0
        while time.monotonic() < until:
            passes += fit(X, y, family="logistic", penalty=L1(3), solver="consensus_admm", tol=1e-4).passes
        sent = (cluster.bytes_sent(client) - before) / passes
    # Each chunk answers with a few vectors and at most a Hessian; X would be a thousand times as much.
    assert sent < chunks * (8 * p * (p + 10) + 2_000)
