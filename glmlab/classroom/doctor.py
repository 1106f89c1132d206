"""Can this machine run the course? A report, one line a check; what fails is printed with a cure."""

import os
import platform
import shutil
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from glmlab.machine.cluster import client
from glmlab.machine.local import free_port
from glmlab.policy import Course
from glmlab.words import count_text
from glmlab.workspace import my_folder

PACKAGES = ("numpy", "scipy", "dask", "distributed", "pandas", "pyarrow", "zarr", "bokeh", "matplotlib",
            "pygraphviz", "sklearn", "jupyterlab")
GIB = 2**30


def doctor(checks=None) -> int:
    """Print one line for each check; returns the number of checks that failed.

    A check is a function that is called without arguments. It returns what it found, or raises Trouble(what, cure).
    """
    return sum(report(check) for check in checks or CHECKS)


class Trouble(Exception):
    """What is wrong, and the cure: what to type or to do."""

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
    """The version of Python and the system."""
    return f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"


def packages(names=PACKAGES) -> str:
    """The versions of the packages that the course imports."""
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise Trouble(f"not installed: {', '.join(missing)}", "make setup, or: pip install -e . in the clone")
    return ", ".join(f"{name} {import_module(name).__version__}" for name in names)


def kernels() -> str:
    """Which kernels fits will use. They are compiled here if they never were, so that no fit waits for that."""
    from glmlab.maths.families import FAMILIES, PLAIN
    from glmlab.rows.kernel_sets import loader

    trouble = loader(*(FAMILIES[name]() for name in PLAIN), sparse=True)()
    return f"kernels: numpy's only, the fused ones do not load ({trouble})" if trouble else "kernels: fused, compiled"


def panes() -> str:
    """The extension of JupyterLab that shows dask's dashboard."""
    try:
        return f"dashboard panes: dask-labextension {version('dask-labextension')}"
    except PackageNotFoundError:
        raise Trouble("dask-labextension is not installed", "make setup") from None


def cores() -> str:
    """How many cores this process may use."""
    from dask.system import CPU_COUNT

    return f"{count_text(CPU_COUNT, 'core')} may be used (the host has {os.cpu_count()})"


def memory(policy=Course()) -> str:
    """How much memory this process may use."""
    from distributed.system import MEMORY_LIMIT

    if MEMORY_LIMIT < policy.memory:
        raise Trouble(f"{MEMORY_LIMIT / GIB:.1f} GiB of memory; the workshop scale takes {policy.memory / GIB:.1f}",
                      "close programs, or set GLMLAB_SCALE=ci")
    return f"{MEMORY_LIMIT / GIB:.1f} GiB of memory may be used"


def disk(policy=Course()) -> str:
    """How much space is free where the course writes its data."""
    wanted = Path(os.environ.get("GLMLAB_WORKSPACE") or my_folder())
    folder = next(place for place in (wanted, *wanted.absolute().parents) if place.exists())
    free = shutil.disk_usage(folder).free
    if free < policy.disk or not os.access(folder, os.W_OK):
        raise Trouble(f"{free / GIB:.1f} GiB free in {folder}, or it cannot be written",
                      "free some space, or set GLMLAB_WORKSPACE to another folder")
    return f"{free / GIB:.0f} GiB free for data in {folder}"


def ports() -> str:
    """Whether a port can be opened, and whether the dashboard's usual one is free."""
    try:
        port = free_port(8787)
    except OSError:
        raise Trouble("no port can be opened on loopback", "look at the firewall") from None
    return f"ports open on loopback; the dashboard's 8787 is {'free' if port == 8787 else 'taken: dask takes another'}"


def scale() -> str:
    """The scale of the notebooks."""
    from glmlab.teaching.scales import SCALES, Scale

    try:
        return f"scale: {Scale().name}"
    except ValueError as error:
        raise Trouble(str(error), f"set GLMLAB_SCALE to one of {', '.join(SCALES)}") from error


def cluster() -> str:
    """Whether a client opens, as in a notebook: firewalls, too little memory and a lost scheduler show here."""
    try:
        with client(n_workers=1, memory_limit="1GiB") as opened:
            opened.submit(sum, [1, 2]).result(timeout=60)
    except Exception as error:  # of any kind: a reader needs the cure, not the traceback
        raise Trouble(f"no cluster answered: {type(error).__name__}: {error}",
                      "unset what starts with DASK_; allow Python to listen on 127.0.0.1") from error
    return "a cluster starts and answers"


CHECKS = (python, packages, kernels, panes, cores, memory, disk, ports, scale, cluster)
