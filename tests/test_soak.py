"""`make soak`: what it takes for flat, and that it fails where bits differ, memory grows or something is left."""

import numpy as np
import pytest
from distributed import Client, LocalCluster, Variable

from tools import soak


def seen(client=lambda share: 200, scheduler=lambda share: 150, fits=60):
    """(seconds, bytes of the client, bytes of the scheduler) of so many fits; sizes in MiB by the share of the run."""
    return [(k, 2**20 * client(k / fits), 2**20 * scheduler(k / fits)) for k in range(fits)]


def test_memory_that_is_flat_from_half_time_on():
    assert soak.growth(seen()) == []
    assert soak.growth(seen(client=lambda share: 100 + 200 * min(share, 0.4))) == []  # it fills up at first


@pytest.mark.parametrize("name", ["client", "scheduler"])
def test_memory_that_grows_is_seen(name):
    (said,) = soak.growth(seen(**{name: lambda share: 100 + 60 * share}))
    assert said.startswith(f"the {name}'s memory grew from 13")


def test_too_few_fits_prove_nothing():
    assert soak.growth(seen(fits=5)) == ["only 5 fits ended: too few to tell whether memory is flat"]


@pytest.fixture
def client():
    cluster = LocalCluster(n_workers=1, processes=False, memory_limit=0, dashboard_address="127.0.0.1:0")
    with cluster, Client(cluster) as client:
        yield client


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(soak, "SOLVERS", ("fista",))
    monkeypatch.setattr(soak, "PAUSE", 0.0)
    monkeypatch.setattr(soak, "growth", lambda seen: [])


def test_a_short_soak_holds(client, quick, capsys):
    assert soak.soaked(client, soak.os.getpid(), 0.5) == []
    assert "fits" in capsys.readouterr().out


def test_other_bits_are_seen(client, quick, monkeypatch):
    monkeypatch.setattr(soak, "undisturbed", lambda: {"fista": np.zeros(soak.P + 1)})
    assert soak.soaked(client, soak.os.getpid(), 0.5)[0].startswith("fista gave other bits after")


def test_what_is_left_is_seen(client, quick):
    Variable("of an earlier fit").set(1)
    (said,) = soak.soaked(client, soak.os.getpid(), 0.5)
    assert "left on the scheduler" in said and "'variables': 1" in said
