"""What the tests share that start dask as a site does: what they need, what they fit, and what must be gone after."""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import dask
import numpy as np
import psutil
import pytest

from glmlab import L1, Ridge, datasets, fit
from glmlab.machine import cluster

# Beside this Python lies mpiexec; Debian keeps sshd, munged, slurmctld and slurmd in /usr/sbin.
FOLDERS = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"], "/usr/sbin"])
PACKAGES = {"sshd": "openssh-server", "ssh-keygen": "openssh-client", "munged": "munge", "slurmctld": "slurmctld",
            "slurmd": "slurmd", "sbatch": "slurm-client"}  # fmt: skip


def program(name):
    """The path of a program; without it the test is skipped, and with CI=true it fails."""
    found = shutil.which(name, path=FOLDERS)
    if not found:
        refuse(f"needs {name}: " + (f"apt-get install {PACKAGES[name]}" if name in PACKAGES else "make sites"))
    return found


def module(name):
    """A Python module; without it the test is skipped, and with CI=true it fails."""
    if not importlib.util.find_spec(name):
        refuse(f"needs {name}: make sites")
    return importlib.import_module(name)


def refuse(needs):
    (pytest.fail if os.environ.get("CI") else pytest.skip)(needs)


def paths():
    """Where this process finds modules, as a value of PYTHONPATH."""
    return os.pathsep.join(filter(None, sys.path))


def variables():
    """The environment of what a test starts: it finds the same modules, and nothing sets a number of threads."""
    return {name: value for name, value in os.environ.items() if "NUM_THREADS" not in name} | {"PYTHONPATH": paths()}


def free_port():
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return door.getsockname()[1]


def until(ready, seconds=120):
    """Wait until `ready()` is true; TimeoutError after so many seconds."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise TimeoutError(f"not ready after {seconds} s")
        time.sleep(0.05)


def end(process):
    """End a process that was started with start_new_session=True, and all that it started in its session."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            os.killpg(process.pid, number)
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                continue


def bits():
    """The bits of two fits of rows that the workers make: 8 chunks, so that the tree of sums has two levels."""
    X, y = datasets.make_logistic(3_200, 5, seed=1, chunks=400)[:2]
    found = [
        fit(X, y, family="logistic", penalty=Ridge(1.0), solver="newton", tol=1e-6),
        fit(X, y, family="logistic", penalty=L1(3.0), solver="fista", tol=1e-6),
    ]
    assert all(result.converged for result in found)
    return [(result.beta.tobytes().hex(), float(result.objective).hex(), result.passes) for result in found]


def bits_of_threads():
    with dask.config.set(scheduler="threads", num_workers=2):
        return bits()


def blas_threads():
    """The threads that each pool of BLAS or OpenMP takes, seen from a task."""
    import scipy.linalg
    from threadpoolctl import threadpool_info

    scipy.linalg.norm(np.ones(3))
    return [pool["num_threads"] for pool in threadpool_info()]


def fitted(workers, **options):
    """What `cluster.client(**options)` finds with so many workers: a dict.

    Keys: scheduler, its address; bits; blas, the numbers of threads; processes, of the workers, as psutil.Process.
    """
    with cluster.client(**options) as client:
        client.wait_for_workers(workers, timeout=120)
        return {
            "scheduler": client.scheduler.address,
            "blas": {count for counts in client.run(blas_threads).values() for count in counts},
            "processes": [psutil.Process(number) for number in client.run(os.getpid).values()],
            "bits": bits(),
        }


def gone(processes, seconds=30):
    """Have all these processes ended within so many seconds?"""
    return not psutil.wait_procs(processes, timeout=seconds)[1]
