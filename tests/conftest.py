"""What all tests share: no setting of the machine decides a result, and nothing is written in the clone."""

import os
import signal

import pytest

# Before anything imports dask: the tests decide, not the configuration of the machine.
os.environ["BOKEH_RESOURCES"] = "inline"
os.environ.setdefault("GLMLAB_SCALE", "ci")
for name in [name for name in os.environ if name.startswith("DASK_")]:
    del os.environ[name]
# A shell starts what runs in the background deaf to Ctrl-C, which some tests send to themselves.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def own_workspace(tmp_path, monkeypatch):
    """Data and ledger go to a temporary folder, so that no test writes in the clone."""
    monkeypatch.setenv("GLMLAB_WORKSPACE", str(tmp_path / "workspace"))


@pytest.fixture(scope="module")
def client():
    """A client of three workers that are threads of this process; modules that need another have their own."""
    import dask  # only here: imports cost seconds, and most modules need no cluster
    from distributed import Client, LocalCluster

    with dask.config.set({"distributed.worker.profile.enabled": False}), LocalCluster(
        n_workers=3, threads_per_worker=1, processes=False, dashboard_address=":0", memory_limit=0
    ) as cluster, Client(cluster) as client:  # fmt: skip
        yield client
