"""`python -m glmlab lab` serves the course on loopback, with a token, with dask's panes, off the network."""

import json
import os
import re
import socket
import subprocess
import sys

import dask
import psutil
import pytest
from jupyter_client import BlockingKernelClient
from lab_server import COMMAND, Lab, clone_into

from glmlab.__main__ import main
from glmlab.classroom import doctor as doc
from glmlab.classroom.lab import CONTRAST, ENCRYPTION, check_settings, encryption, known_settings, layout
from glmlab.classroom.panes import PANES
from glmlab.machine.local import free_port
from glmlab.policy import Course


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab where the first port is taken and the reader's own settings switch the token off."""
    clone = clone_into(tmp_path_factory.mktemp("clone"))
    (clone / "careless").mkdir()
    (clone / "careless" / "jupyter_server_config.json").write_text('{"IdentityProvider": {"token": ""}}')
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        lab = Lab(clone, f"--port={port}", JUPYTER_TOKEN="", JUPYTER_CONFIG_DIR=str(clone / "careless"))
        lab.taken = port
        yield lab
        lab.stop()


def test_it_answers_with_its_token_only(lab):
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
    assert re.fullmatch(r"glmlab/panes/\d+", saved["dask-dashboard-launcher"]["url"])
    assert "dask-labextension" in lab.get("lab")[1]


def test_nothing_leaves_the_machine(lab):
    page = lab.get("lab")[1]
    assert '"news": {"disabled": true}' in page
    assert not re.findall(r'https?://(?!127\.0\.0\.1|localhost)[^"\s]+', page)
    assert json.loads(lab.get("lab/api/news")[1]) == {"news": []}
    assert json.loads(lab.get("lab/api/update")[1]) == {"notification": None}
    settings = json.loads(lab.get("lab/api/settings/@jupyterlab/apputils-extension:notification")[1])
    assert settings["schema"]["properties"]["fetchNews"]["default"] == "false"
    assert "leave the machine" not in lab.output()


@pytest.mark.skipif(not encryption(known_settings()), reason="this jupyter_client or ZeroMQ cannot encrypt")
def test_what_server_and_kernel_send_each_other_is_encrypted(lab):
    kernel = json.loads(lab.post("api/kernels", {"name": "python3"}))["id"]
    client = BlockingKernelClient(connection_file=str(lab.runtime / f"kernel-{kernel}.json"))
    client.load_connection_file()
    assert client.get_connection_info()["curve_publickey"]
    client.start_channels()
    answer = client.execute("", user_expressions={"product": "6 * 7"}, reply=True, timeout=60)["content"]
    client.stop_channels()
    assert answer["user_expressions"]["product"]["data"]["text/plain"] == "42"
    assert "eavesdropping" not in lab.output()


def test_a_jupyter_that_cannot_encrypt_is_not_asked_to(monkeypatch):
    assert encryption(["ServerApp.port"]) == []
    monkeypatch.setattr("zmq.has", lambda feature: False)
    assert encryption([ENCRYPTION]) == []


def test_long_lines_of_code_go_on_below(lab):
    settings = json.loads(lab.get("lab/api/settings/@jupyterlab/notebook-extension:tracker")[1])
    assert settings["schema"]["properties"]["codeCellConfig"]["default"]["lineWrap"] is True


def test_the_page_has_our_colours_of_letters(lab):
    assert "custom/custom.css" in lab.get("lab")[1]
    assert lab.get("custom/custom.css")[1] == CONTRAST.read_text(encoding="utf-8")


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


def test_the_file_browser_is_closed_and_can_be_opened():
    left = layout("a.ipynb")["data"]["layout-restorer:data"]["left"]
    assert left["collapsed"] and left["visible"] and "filebrowser" in left["widgets"]
    assert "current" not in left, "JupyterLab opens a current widget, whatever else is said"


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


def test_doctor_finds_no_trouble_on_this_machine(capsys):
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


@pytest.mark.parametrize(("check", "needs"), [(doc.memory, Course(memory=2**60)), (doc.disk, Course(disk=2**60))])
def test_doctor_sees_too_little_room(check, needs):
    with pytest.raises(doc.Trouble, match="GiB"):
        check(needs)


def test_doctor_sees_a_missing_package():
    with pytest.raises(doc.Trouble, match="not installed: no_such_package"):
        doc.packages(["numpy", "no_such_package"])


def test_doctor_says_which_kernels_serve(monkeypatch):
    assert doc.kernels() == "kernels: fused, compiled"
    monkeypatch.setitem(sys.modules, "glmlab.rows.fused", None)
    assert "numpy's only" in doc.kernels()


def test_reset_says_which_notebooks_there_are(capsys):
    assert main(["reset", "no such notebook"]) == 1
    assert "fits no notebook" in capsys.readouterr().err


def test_unknown_options_of_other_verbs_are_refused(capsys):
    with pytest.raises(SystemExit):
        main(["doctor", "--fast"])
    assert "doctor takes no --fast" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "says"), [
    (["--no-browserr"], "lab takes no --no-browserr. Did you mean --no-browser?"),
    (["--no-brow"], "Did you mean --no-browser?"),
    (["--no-browser", "--porrt", "9000"], "lab takes no --porrt 9000. Did you mean --port?"),
    (["--ip=0.0.0.0"], "lab takes no --ip=0.0.0.0. Type: python -m glmlab lab --help"),
    (["03"], "lab takes no 03. Type: python -m glmlab lab --help"),
    (["--port", "abc"], "invalid int value: 'abc'"),
])  # fmt: skip
def test_a_misspelt_option_of_the_lab_is_refused(capsys, words, says):
    with pytest.raises(SystemExit) as ended:
        main(["lab", *words])
    assert ended.value.code == 2 and says in capsys.readouterr().err


def test_the_help_of_the_lab_is_ours(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["lab", "--help"])
    said = capsys.readouterr().out
    assert ended.value.code == 0 and len(said.splitlines()) < 20
    assert all(words in said for words in ("--no-browser", "--port", "--ServerApp.base_url=/course/"))


def test_a_misspelt_setting_ends_the_lab_before_it_writes(tmp_path):
    clone = clone_into(tmp_path)
    command, env = [sys.executable, *COMMAND, "--ServerApp.prot=9000"], os.environ | {"PYTHONPATH": str(clone)}
    ended = subprocess.run(command, cwd=clone, env=env, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 2
    assert "JupyterLab has no setting ServerApp.prot. Did you mean --ServerApp.port?" in ended.stderr
    assert not (clone / "my").exists()


def test_settings_of_jupyterlab_its_server_and_its_proxy_pass():
    import jupyterlab.labapp  # noqa: F401 - brings its settings

    names = ("ServerApp.base_url=/course/", "LabApp.news_url=None", "IdentityProvider.token=a", "ServerProxy.servers=1")
    check_settings(["--no-browser", "--port=9000", *(f"--{name}" for name in names)], known_settings())
