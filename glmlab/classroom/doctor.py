"""Can this machine run the course? A report in short lines, each trouble with its cure."""

import os
import platform
import shutil
import socket
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from glmlab.workspace import my_folder

PACKAGES = ("numpy", "scipy", "dask", "distributed", "pandas", "pyarrow", "zarr", "bokeh", "matplotlib",
            "pygraphviz", "sklearn", "jupyterlab")
SCALES = ("ci", "workshop", "full")
GIB = 2**30


def doctor(checks=None) -> int:
    """Print one line a check; the exit code is the number of checks that failed.

    A check is a function without arguments that returns what it found, or raises Trouble(what, cure).
    """
    return sum(report(check) for check in checks or CHECKS)


class Trouble(Exception):
    """What is wrong, and what to type."""

    def __init__(self, what: str, cure: str):
        super().__init__(what)
        self.cure = cure


def report(check) -> bool:
    """Run one check and print its line; True if it failed."""
    try:
        print(f"ok      {check()}")
    except Trouble as trouble:
        print(f"FAILED  {trouble}\n        cure: {trouble.cure}")
        return True
    return False


def python() -> str:
    return f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"


def packages(names=PACKAGES) -> str:
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise Trouble(f"not installed: {', '.join(missing)}", "make setup, or: pip install -e . in the clone")
    return ", ".join(f"{name} {import_module(name).__version__}" for name in names)


def kernels() -> str:
    """Which kernels work here. Compiling them takes some seconds the first time; no fit waits for it afterwards."""
    from glmlab.maths.families import FAMILIES
    from glmlab.rows.kernel_sets import loader

    trouble = loader(*(family() for family in FAMILIES.values()))()
    return f"kernels: numpy's only, the fused ones do not load ({trouble})" if trouble else "kernels: fused, compiled"


def panes() -> str:
    try:
        return f"dashboard panes: dask-labextension {version('dask-labextension')}"
    except PackageNotFoundError:
        raise Trouble("dask-labextension is not installed", "make setup") from None


def cores() -> str:
    from dask.system import CPU_COUNT

    return f"{CPU_COUNT} cores may be used (the host has {os.cpu_count()})"


def memory() -> str:
    from distributed.system import MEMORY_LIMIT

    if MEMORY_LIMIT < 1.5 * GIB:
        raise Trouble(f"{MEMORY_LIMIT / GIB:.1f} GiB of memory; the workshop scale takes 1.5",
                      "close programs, or set GLMLAB_SCALE=ci")
    return f"{MEMORY_LIMIT / GIB:.1f} GiB of memory may be used"


def disk() -> str:
    wanted = Path(os.environ.get("GLMLAB_WORKSPACE") or my_folder())
    folder = next(place for place in (wanted, *wanted.absolute().parents) if place.exists())
    free = shutil.disk_usage(folder).free
    if free < 2 * GIB or not os.access(folder, os.W_OK):
        raise Trouble(f"{free / GIB:.1f} GiB free in {folder}, or it cannot be written",
                      "free some space, or set GLMLAB_WORKSPACE to another folder")
    return f"{free / GIB:.0f} GiB free for data in {folder}"


def ports() -> str:
    try:
        with socket.create_server(("127.0.0.1", 0)):
            pass
    except OSError as error:
        raise Trouble(f"no port can be opened on loopback: {error}", "look at the firewall") from None
    dashboard = "free" if free(8787) else "taken: dask takes another"
    return f"ports open on loopback; the dashboard's 8787 is {dashboard}"


def free(port: int) -> bool:
    """Does nobody listen on this port of the loopback?"""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def scale() -> str:
    name = os.environ.get("GLMLAB_SCALE", "workshop")
    if name not in SCALES:
        raise Trouble(f"GLMLAB_SCALE is {name!r}", f"set it to one of {', '.join(SCALES)}")
    return f"scale: {name}"


def cluster() -> str:
    from glmlab.machine.cluster import client

    # As the notebooks do: this is where firewalls, missing memory and a scheduler that is gone show.
    try:
        with client(n_workers=1, memory_limit="1GiB") as opened:
            opened.submit(sum, [1, 2]).result(timeout=60)
    except Exception as error:  # whatever it is, the reader needs the sentence and not the traceback
        raise Trouble(f"no cluster answered: {type(error).__name__}: {error}",
                      "unset what starts with DASK_; allow Python to listen on 127.0.0.1") from error
    return "a cluster starts and answers"


CHECKS = (python, packages, kernels, panes, cores, memory, disk, ports, scale, cluster)
