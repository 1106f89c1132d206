"""Frames for dask's dashboard: whether there is one, where its plots are, and that both need the token."""

import json

import pytest
from distributed import Client
from lab_server import Lab, clone_into

from glmlab.classroom.panes import PANES, panes_url
from glmlab.machine.local import free_port


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    lab = Lab(clone_into(tmp_path_factory.mktemp("clone")))
    yield lab
    lab.stop()


@pytest.fixture
def port():
    """The port of a dashboard."""
    with Client(n_workers=1, processes=False, dashboard_address="127.0.0.1:0") as client:
        yield client.scheduler_info()["services"]["dashboard"]


def get(lab, port, path):
    status, text = lab.get(f"{panes_url(port)}/{path}")
    assert status == 200
    return text


def test_the_layout_of_the_lab_names_addresses_that_are_served(lab):
    saved = json.loads(lab.get("lab/api/workspaces/glmlab")[1])["data"]
    url = saved["dask-dashboard-launcher"]["url"]
    assert "individual-task-stream" in lab.get(f"{url}/individual-plots.json")[1]
    for route in PANES:
        assert f"/{url}/up.json" in lab.get(f"{url}/{route}")[1]


@pytest.mark.parametrize("taken", [False, True])
def test_where_there_is_no_dashboard_nothing_fails(lab, taken):
    """Nothing listens on the port, or something that is no scheduler."""
    port = lab.info["port"] if taken else free_port(0)
    assert json.loads(get(lab, port, "up.json")) is False
    assert set(json.loads(get(lab, port, "individual-plots.json")).values()) == {f"/{route}" for route in PANES}
    assert "client = cluster.client()" in get(lab, port, "individual-progress")
    assert "Traceback" not in lab.output()


def test_a_dashboard_is_seen(lab, port):
    assert json.loads(get(lab, port, "up.json")) is True
    plots = set(json.loads(get(lab, port, "individual-plots.json")).values())
    assert plots > {f"/{route}" for route in PANES}


def test_a_frame_names_a_plot_that_the_dashboard_serves(lab, port):
    for route in PANES:
        assert f'data-plot="/proxy/{port}/{route}"' in get(lab, port, route)
        status, page = lab.get(f"proxy/{port}/{route}")
        assert status == 200 and "bokeh" in page


def test_a_frame_has_the_name_of_its_plot(lab):
    for route, name in PANES.items():
        page = get(lab, 1, route)
        assert f'<iframe hidden title="Dask: {name}"' in page and f"<title>Dask: {name}</title>" in page


def test_html_in_an_address_is_escaped(lab):
    assert "<b>" not in get(lab, 1, "a%22%3E%3Cb%3E")


def test_without_the_token_the_answer_is_the_login_page(lab, port):
    for path in ("up.json", "individual-plots.json", "individual-progress"):
        assert "Password or token" in lab.get(f"{panes_url(port)}/{path}", token=False)[1]
    assert "Password or token" in lab.get(f"proxy/{port}/individual-progress", token=False)[1]
