"""`tools.notebooks run` fails when a cell fails or leaves the machine, and writes nothing in the clone."""

import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tools.notebooks import run

pytestmark = pytest.mark.slow
MODE = 'import os\nassert (os.environ["GLMLAB_SCALE"], os.environ["GLMLAB_EXERCISES"]) == ("ci", "{}")\n'
ON_A_WORKER = """
from glmlab.machine.cluster import client
def task():
    {}
with client(n_workers=1) as c:
    assert c.submit(task).result() is None
"""
GOOD = {
    "00_writes": MODE.format("untouched") + 'open("left.txt", "w").close()',
    "01_cluster": ON_A_WORKER.format("pass"),
}
BAD = {
    "10_wrong": "assert 1 == 2",
    # 192.0.2.0/24 is reserved for examples: nobody answers there.
    "11_connects": "import socket\nsocket.create_connection(('192.0.2.1', 80), timeout=20)",
    "12_asks": "import urllib.request\nurllib.request.urlopen('http://example.org')",
    "13_worker_asks": ON_A_WORKER.format("import socket; socket.getaddrinfo('example.org', 80)"),
    "14_leans_on_another": 'open("left.txt").close()',
}


def write(folder, cells: dict):
    for name, source in cells.items():
        nbformat.write(new_notebook(cells=[new_code_cell(source)]), folder / f"{name}.ipynb")


def test_as_shipped_each_stands_alone_and_none_leaves_the_machine(tmp_path, capfd):
    write(tmp_path, GOOD | BAD)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert run(folder=tmp_path) == 1
    out = capfd.readouterr().out
    assert set(re.findall(r"^FAILED (\w+)/", out, re.M)) == set(BAD)
    assert out.count("leave the machine") >= 3
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_solved_they_run_in_order_in_one_folder(tmp_path):
    write(tmp_path, {"00_first": MODE.format("solved") + 'open("left.txt", "w").close()',
                     "01_second": BAD["14_leans_on_another"]})
    assert run(solved=True, folder=tmp_path) == 0


def test_a_folder_without_notebooks_is_a_failure(tmp_path):
    assert run(folder=tmp_path) == 1
