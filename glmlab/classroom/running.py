"""Run a notebook in a kernel of its own, off the network: for the tests, for the book and for a reader's score."""

import os
from pathlib import Path

from nbclient import NotebookClient

CELL_SECONDS = 300  # a cell that takes longer ends the run, or is stopped
STOP_SECONDS = 10  # within which a stopped cell ends; a loop that hears of nothing does not
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


def run_cells(notebook, folder: str, variables: dict, allow_errors=False, seconds=CELL_SECONDS):
    """Run the cells of a notebook (as nbformat reads it) in `folder`, and write the outputs into it.

    variables     the environment of the kernel, as from `environment`
    allow_errors  go on after a cell that raises, and stop a cell that takes longer than `seconds`, as Ctrl-C does;
                  otherwise a cell that raises where no tag allows it is a CellExecutionError

    Raises CellTimeoutError for a cell that takes longer than `seconds` and is not or cannot be stopped,
    DeadKernelError where the kernel dies.
    """
    going_on = {"allow_errors": True, "interrupt_on_timeout": True, "error_on_timeout": {"ename": "KeyboardInterrupt"},
                "raise_on_iopub_timeout": True, "iopub_timeout": STOP_SECONDS}  # fmt: skip
    client = NotebookClient(notebook, timeout=seconds, kernel_name="python3", **(going_on if allow_errors else {}),
                            extra_arguments=["--IPKernelApp.log_level=40"],  # kernels on the loopback are no news
                            resources={"metadata": {"path": folder}})  # fmt: skip
    client.execute(env=variables)
