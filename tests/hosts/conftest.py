"""What the tests on several hosts share: the hosts, certificates, and a cluster under TLS."""

import json
import time
from pathlib import Path

import pytest
import tls
from network import network, refuse

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """(own, foreign): the certificates of the cluster, and those of an authority that it does not know."""
    folder = tmp_path_factory.mktemp("tls")
    return tls.authority(folder / "own"), tls.authority(folder / "foreign")


@pytest.fixture(scope="session")
def hosts():
    refuse()
    with network("scheduler", "alpha", "beta", "client") as found:
        yield {host.name: host for host in found}


class Cluster:
    """A scheduler and two workers under TLS, each on a host of its own; `ask` lets the client's host ask something."""

    def __init__(self, hosts, own, folder, beta="--no-nanny"):
        folder.mkdir(exist_ok=True)
        self.hosts, self.own, self.folder = hosts, own, folder
        self.file, self.address = folder / "scheduler.json", f"tls://{hosts['scheduler'].address}:8786"
        hosts["scheduler"].start(
            folder / "scheduler.log", "-m", "distributed.cli.dask_scheduler", "--host", self.address,
            "--scheduler-file", self.file, "--dashboard-address", "127.0.0.1:8787", *tls.options(own),
        )  # fmt: skip
        until = time.monotonic() + 60
        while not self.file.exists() and time.monotonic() < until:
            time.sleep(0.05)
        self.worker("alpha", "--nanny")
        self.worker("beta", beta, OPENBLAS_NUM_THREADS="2", OMP_NUM_THREADS="2", NUMBA_NUM_THREADS="2")

    def worker(self, name, *options, certificates=None, **variables):
        """Start a worker on the host of this name."""
        return self.hosts[name].start(
            self.folder / f"{name}.log", "-m", "distributed.cli.dask_worker", "--scheduler-file", self.file, "--host",
            f"tls://{self.hosts[name].address}", "--nthreads", "1", "--memory-limit", "1GiB", "--no-dashboard",
            "--local-directory", self.folder / name, *options, *tls.options(certificates or self.own), **variables,
        )  # fmt: skip

    def ask(self, what, *arguments, **variables):
        """What the function of this name in `asked` finds on the client's host."""
        return self.on("client", what, *arguments, **variables)

    def on(self, name, what, *arguments, **variables):
        """The same on any host."""
        done = self.hosts[name].run(HERE / "asked.py", what, *map(json.dumps, arguments), **variables)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="session")
def tls_cluster(hosts, certificates, tmp_path_factory):
    return Cluster(hosts, certificates[0], tmp_path_factory.mktemp("cluster"))


@pytest.fixture
def mortal_cluster(certificates, tmp_path):
    """A cluster whose workers may be killed: nannies start them again."""
    refuse()
    with network("scheduler", "alpha", "beta", "client") as found:
        yield Cluster({host.name: host for host in found}, certificates[0], tmp_path / "cluster", beta="--nanny")
