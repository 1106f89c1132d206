"""A cluster on several hosts under TLS: the bits of threads, who is refused, what listens where, and nothing left."""

import shutil
from pathlib import Path

import asked
import dask
import pytest
import tls
from network import ip, network, refuse

pytestmark = [pytest.mark.hosts, pytest.mark.slow, pytest.mark.timeout(300)]


def by_argument(cluster):
    return {"address": cluster.address, "security": tls.security(cluster.own)}


def test_every_answer_has_the_bits_of_threads(tls_cluster):
    """Solvers, a path and a certificate; the scheduler is named by its file, the certificates by dask's variables."""
    variables = tls.variables(tls_cluster.own)
    found = tls_cluster.ask("answers_there", {"scheduler_file": str(tls_cluster.file)}, **variables)
    assert found["scheduler"] == tls_cluster.address
    places = [tls_cluster.hosts[name].address for name in ("alpha", "beta")]
    assert [worker.rpartition(":")[0] for worker in found["workers"]] == [f"tls://{place}" for place in places]
    with dask.config.set(scheduler="threads", num_workers=2):
        assert found["answers"] == asked.answers()


def test_workers_with_and_without_a_nanny_take_one_thread_a_task(tls_cluster):
    counts = tls_cluster.ask("threads", by_argument(tls_cluster))
    assert len(counts) == 2 and {count for worker in counts for count in worker} == {1}


def test_plain_clients_and_foreign_ones_are_refused_and_told_why(tls_cluster, certificates):
    own, foreign = (tls.security(paths) for paths in certificates)
    plain = {"address": tls_cluster.address.replace("tls", "tcp")}
    found = tls_cluster.ask(
        "refusals", plain, {"address": tls_cluster.address}, {"address": tls_cluster.address, "security": foreign},
        {"address": tls_cluster.address, "security": foreign | {"tls_ca_file": own["tls_ca_file"]}},
        by_argument(tls_cluster),
    )  # fmt: skip
    names, texts = zip(*found[:-1], strict=True)
    assert names == ("ConnectionError", "ValueError", "ConnectionError", "ConnectionError") and found[-1] is None
    for text, said in zip(texts, ["speaks TLS only", "needs certificates", "does not vouch", "refuses"], strict=True):
        assert said in text


def test_a_foreign_worker_does_not_get_in(tls_cluster, certificates):
    worker = tls_cluster.worker("client", "--no-nanny", "--death-timeout", "2", certificates=certificates[1])
    assert worker.wait(timeout=60) == 1
    assert len(tls_cluster.ask("workers", by_argument(tls_cluster))) == 2


def test_the_dashboard_is_read_on_the_schedulers_host_alone(tls_cluster):
    scheduler = tls_cluster.hosts["scheduler"].address
    links = ["http://127.0.0.1:8787/health", f"http://{scheduler}:8787/health"]
    assert tls_cluster.on("scheduler", "reads", *links) == [200, "URLError"]
    assert tls_cluster.on("client", "reads", *links) == ["URLError", "URLError"]


def test_notebook_09_runs_there_unchanged(mortal_cluster, tmp_path):
    notebook = shutil.copy(Path(__file__).parents[2] / "notebooks" / "09_cluster_scaling.ipynb", tmp_path)
    done = mortal_cluster.hosts["client"].run(
        "-m", "pytest", "--rootdir", tmp_path, "-p", "no:cacheprovider", "-p", "no:xdist", "--nbval-lax",
        "--nbval-current-env", "--nbval-cell-timeout=120", notebook, GLMLAB_SCALE="ci", BOKEH_RESOURCES="inline",
        DASK_SCHEDULER_ADDRESS=mortal_cluster.address, **tls.variables(mortal_cluster.own),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]


def test_nothing_of_the_hosts_is_left_after_a_failure(tmp_path):
    refuse()
    with pytest.raises(ZeroDivisionError), network("one", "two") as (one, two):
        sleeper = one.start(tmp_path / "log", "-c", "import time; time.sleep(1000)")
        assert one.run("-c", "print(7)").stdout == "7\n"
        1 / 0  # noqa: B018
    assert sleeper.poll() is not None
    assert two.space not in ip("netns", "list") and one.space not in ip("netns", "list")
