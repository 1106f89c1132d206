"""Notebooks run unchanged wherever their client comes from: threads, or a scheduler that somebody else started.

(Local processes, which is what a reader gets, are what `make test` runs them on.)
"""

import nbformat
import pytest
from distributed import LocalCluster
from nbclient import NotebookClient

from tools.notebooks import CELL_SECONDS, FOLDER, environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]
NOTEBOOKS = ("05_admm", "06_certificates", "06b_more_certificates", "07_families_and_penalties", "08_benchmarks")
THREADS = "from glmlab.machine import cluster\nclient_of_threads = cluster.client(processes=False)"
WHERE = "print(client.scheduler.address, len(client.nthreads()))"


def run(name, folder, monkeypatch, *, first="", **extra):
    """Run a notebook, solved, at scale ci; returns its client's scheduler and number of workers, as printed."""
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    for key, value in {**environment(solved=True), **extra}.items():
        monkeypatch.setenv(key, value)
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    opens = next(k for k, cell in enumerate(notebook.cells) if "cluster.client()" in cell.source)
    notebook.cells.insert(opens + 1, nbformat.v4.new_code_cell(WHERE))
    notebook.cells.insert(0, nbformat.v4.new_code_cell(first))
    NotebookClient(notebook, timeout=CELL_SECONDS, resources={"metadata": {"path": str(folder)}}).execute()
    return "".join(output.text for output in notebook.cells[opens + 2].outputs)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_on_threads(name, tmp_path, monkeypatch):
    assert run(name, tmp_path, monkeypatch, first=THREADS).startswith("inproc://")


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_on_a_scheduler_that_is_there(name, tmp_path, monkeypatch):
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        address = cluster.scheduler_address
        assert run(name, tmp_path, monkeypatch, DASK_SCHEDULER_ADDRESS=address) == f"{address} 2\n"
