"""What all tests share: no setting of the machine decides a result, and nothing is written in the clone."""

import os

import pytest

# Before anything imports dask: the tests decide, not the configuration of the machine.
os.environ["BOKEH_RESOURCES"] = "inline"
os.environ.setdefault("GLMLAB_SCALE", "ci")
for name in [name for name in os.environ if name.startswith("DASK_")]:
    del os.environ[name]


@pytest.fixture(autouse=True)
def own_workspace(tmp_path, monkeypatch):
    """Data and ledger go to a temporary folder, so that no test writes in the clone."""
    monkeypatch.setenv("GLMLAB_WORKSPACE", str(tmp_path / "workspace"))
