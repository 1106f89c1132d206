"""`python -m glmlab lab` serves the course: on loopback, with a token, with dask's panes, and nothing leaves."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import dask
import psutil
import pytest

from glmlab import doctor as doc
from glmlab.__main__ import main
from glmlab.cluster import free_port
from glmlab.lab import PANES, layout

CLONE = Path(__file__).resolve().parent.parent


class Lab:
    """A JupyterLab under test."""

    def __init__(self, clone: Path, *args, **variables):
        self.clone, self.runtime = clone, clone / "runtime"
        self.log = (clone / "lab.log").open("w")
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("JUPYTER", "GLMLAB", "DASK"))}
        paths = os.pathsep.join([str(clone), str(CLONE / "tools" / "offline")])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "glmlab", "lab", "--no-browser", *args], cwd=clone, stdout=self.log, stderr=self.log,
            env=clean | {"PYTHONPATH": paths, "JUPYTER_RUNTIME_DIR": str(self.runtime)} | variables)
        self.info = self.wait()

    def wait(self) -> dict:
        """What the server says of itself, once it answers."""
        while self.process.poll() is None:
            for path in self.runtime.glob("jpserver-*.json"):
                info = json.loads(path.read_text() or "{}")
                if info and answers(info["port"]):
                    return info
            time.sleep(0.1)
        raise AssertionError(self.output())

    def output(self) -> str:
        self.log.flush()
        return (self.clone / "lab.log").read_text()

    def get(self, path, token=True):
        """(status, text) of a request."""
        headers = {"Authorization": f"token {self.info['token']}"} if token else {}
        request = urllib.request.Request(self.info["url"] + path, headers=headers)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, ""

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def clone_into(folder: Path) -> Path:
    """The package and a course of one notebook, as in a fresh clone."""
    shutil.copytree(CLONE / "glmlab", folder / "glmlab", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CLONE / "pyproject.toml", folder)
    (folder / "notebooks").mkdir()
    (folder / "notebooks" / "00_start_here.ipynb").write_text(
        '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    return folder


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab where the first port is taken and the reader's own settings ask for no token."""
    clone = clone_into(tmp_path_factory.mktemp("clone"))
    (clone / "careless").mkdir()
    (clone / "careless" / "jupyter_server_config.json").write_text('{"IdentityProvider": {"token": ""}}')
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        lab = Lab(clone, f"--port={port}", JUPYTER_TOKEN="", JUPYTER_CONFIG_DIR=str(clone / "careless"))
        lab.taken = port
        yield lab
        lab.stop()


def test_it_answers_with_its_token_and_refuses_without(lab):
    assert lab.info["token"]
    assert lab.get("api/contents")[0] == 200
    assert lab.get("api/contents", token=False)[0] == 403
    assert lab.get("api/kernels", token=False)[0] == 403


def test_it_takes_another_port_when_the_wanted_one_is_taken(lab):
    assert lab.info["port"] not in (lab.taken, 8888)


def test_it_listens_on_loopback_only(lab):
    sockets = psutil.Process(lab.info["pid"]).net_connections(kind="inet")
    assert {s.laddr.ip for s in sockets if s.status == psutil.CONN_LISTEN} == {"127.0.0.1"}


def test_it_opens_the_learners_copy_of_notebook_00(lab):
    files = json.loads(lab.get("api/contents")[1])["content"]
    assert [file["name"] for file in files] == ["00_start_here.ipynb"]
    assert "/lab/workspaces/glmlab/tree/00_start_here.ipynb?token=" in lab.output()
    assert (lab.clone / "my" / "00_start_here.ipynb").exists()


def test_the_panes_stand_beside_the_notebook(lab):
    saved = json.loads(lab.get("lab/api/workspaces/glmlab")[1])["data"]
    assert {f"dask-dashboard-launcher:/{route}" for route in PANES} < saved.keys()
    assert re.fullmatch(r"proxy/\d+", saved["dask-dashboard-launcher"]["url"])
    assert "dask-labextension" in lab.get("lab")[1]


def test_the_panes_reach_a_dashboard_through_the_server(lab):
    """The pages that the layout names are served by a real scheduler, through the notebook server's proxy."""
    from distributed import Client

    with Client(n_workers=0, processes=False, dashboard_address="127.0.0.1:0") as client:
        port = client.scheduler_info()["services"]["dashboard"]
        status, plots = lab.get(f"proxy/{port}/individual-plots.json")
        assert status == 200
        assert {f"/{route}" for route in PANES} <= set(json.loads(plots).values())
        # Without the token one is sent to the login page.
        assert "Password or token" in lab.get(f"proxy/{port}/individual-plots.json", token=False)[1]


def test_nothing_leaves_the_machine(lab):
    page = lab.get("lab")[1]
    assert '"news": {"disabled": true}' in page
    assert not re.findall(r'https?://(?!127\.0\.0\.1|localhost)[^"\s]+', page)
    assert json.loads(lab.get("lab/api/news")[1]) == {"news": []}
    assert json.loads(lab.get("lab/api/update")[1]) == {"notification": None}
    settings = json.loads(lab.get("lab/api/settings/@jupyterlab/apputils-extension:notification")[1])
    assert settings["schema"]["properties"]["fetchNews"]["default"] == "false"
    assert "leave the machine" not in lab.output()


def test_a_second_start_keeps_work_and_layout(tmp_path):
    clone = clone_into(tmp_path)
    Lab(clone).stop()
    notebook, saved = clone / "my" / "00_start_here.ipynb", next((clone / "my").rglob("*.jupyterlab-workspace"))
    notebook.write_text(notebook.read_text().replace("{}", '{"mine": 1}'))
    moved = json.loads(saved.read_text())
    moved["data"]["mine"] = {"kept": True}
    saved.write_text(json.dumps(moved))
    Lab(clone).stop()
    assert "mine" in notebook.read_text()
    assert json.loads(saved.read_text())["data"]["mine"] == {"kept": True}


def test_every_widget_of_the_layout_is_described():
    data = layout("a.ipynb")["data"]
    text = json.dumps(data["layout-restorer:data"]["main"])
    named = set(re.findall(r'"((?:notebook|dask-dashboard-launcher):[^"]+)"', text))
    assert named == {"notebook:a.ipynb", *(f"dask-dashboard-launcher:/{route}" for route in PANES)}
    assert named <= data.keys()


def test_free_port_keeps_a_free_one_and_leaves_a_taken_one():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert free_port(port) != port
    assert free_port(port) == port


def broken():
    raise doc.Trouble("no memory", "buy some")


def test_doctor_names_the_cure_and_fails(capsys):
    assert doc.doctor([lambda: "all well", broken]) == 1
    assert capsys.readouterr().out == "ok      all well\nFAILED  no memory\n        cure: buy some\n"


def test_doctor_is_content_with_this_machine(capsys):
    assert main(["doctor"]) == 0
    assert "FAILED" not in capsys.readouterr().out


@pytest.mark.parametrize(("variable", "value", "check"), [
    ("GLMLAB_SCALE", "huge", doc.scale),
    ("DASK_SCHEDULER_ADDRESS", "tcp://127.0.0.1:1", doc.cluster),
])
def test_doctor_sees_settings_that_cannot_work(monkeypatch, capsys, variable, value, check):
    monkeypatch.setenv(variable, value)
    with dask.config.set({"distributed.comm.timeouts.connect": "1s"}):
        assert doc.doctor([check]) == 1
    assert "cure:" in capsys.readouterr().out


def test_doctor_sees_a_missing_package():
    with pytest.raises(doc.Trouble, match="not installed: no_such_package"):
        doc.packages(["numpy", "no_such_package"])


def test_reset_says_which_notebooks_there_are(capsys):
    assert main(["reset", "no such notebook"]) == 1
    assert "fits no notebook" in capsys.readouterr().err


def test_unknown_options_of_other_verbs_are_refused(capsys):
    with pytest.raises(SystemExit):
        main(["doctor", "--fast"])
    assert "doctor takes no --fast" in capsys.readouterr().err
