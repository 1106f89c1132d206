"""Run a notebook in a kernel of its own, off the network: for the tests, for the book and for a reader's score."""

import os
from pathlib import Path

from nbclient import NotebookClient

CELL_SECONDS = 300  # a cell that takes longer ends the run
OFFLINE = Path(__file__).resolve().parent / "offline"  # its sitecustomize.py refuses what leaves the machine


def environment(solved: bool) -> dict:
    """The environment of the kernels: small, off the network, figures that carry their own scripts."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("GLMLAB_", "DASK_"))}
    paths = [str(OFFLINE), *filter(None, [clean.get("PYTHONPATH")])]
    return clean | {
        "GLMLAB_SCALE": "ci",
        "GLMLAB_EXERCISES": "solved" if solved else "untouched",
        "BOKEH_RESOURCES": "inline",
        "PYTHONPATH": os.pathsep.join(paths),
    }


def run_cells(notebook, folder: str, variables: dict, allow_errors=False):
    """Run the cells of a notebook (as nbformat reads it) in `folder`, and write the outputs into it.

    variables     the environment of the kernel, as from `environment`
    allow_errors  go on after a cell that raises; otherwise such a cell that no tag allows is a CellExecutionError

    Raises CellTimeoutError for a cell that takes longer than CELL_SECONDS, DeadKernelError where the kernel dies.
    """
    client = NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="python3", allow_errors=allow_errors,
                            extra_arguments=["--IPKernelApp.log_level=40"],  # kernels on the loopback are no news
                            resources={"metadata": {"path": folder}})  # fmt: skip
    client.execute(env=variables)
