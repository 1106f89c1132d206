"""Hosts with addresses of their own on one machine: Linux's network namespaces, joined by a bridge.

A host is a namespace with one network card, `eth0`, whose other end is in the bridge. The bridge has a namespace of its
own, so that the machine's own network is neither seen nor changed. `ip netns exec NAME command` runs a command there.
"""

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import sys

import pytest

NUMBERS = itertools.count(1)  # of the networks of this process
NEEDS = "hosts of their own need Linux, root and the program ip (on Debian: apt-get install iproute2)"


def refuse():
    """Skip the test where this machine can have no such hosts; in continuous integration (CI) it fails there."""
    if sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("ip"):
        (pytest.fail if os.environ.get("CI") else pytest.skip)(NEEDS)


def ip(*words):
    """Run the program ip. Raises RuntimeError with what it printed where it fails."""
    done = subprocess.run(["ip", *map(str, words)], capture_output=True, text=True, timeout=30)
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(map(str, words))}: {done.stderr.strip()}")
    return done.stdout


class Host:
    """A host: its name, its address, and commands that run there."""

    def __init__(self, name, space, address):
        self.name, self.space, self.address, self.processes = name, space, address, []

    def python(self, *arguments, **variables):
        """What `subprocess` needs to run Python there; no variable that sets dask or threads is handed on."""
        sets = ("DASK_", "OMP_", "OPENBLAS_NUM", "MKL_", "NUMBA_NUM", "GLMLAB_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(sets)}
        command = ["ip", "netns", "exec", self.space, sys.executable, *map(str, arguments)]
        return command, kept | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))} | variables

    def start(self, log, *arguments, **variables):
        """Start Python there, in the background; what it prints goes to the file `log`."""
        command, environment = self.python(*arguments, **variables)
        with open(log, "w") as out:
            self.processes.append(subprocess.Popen(command, env=environment, stdout=out, stderr=out))
        return self.processes[-1]

    def run(self, *arguments, **variables):
        """Run Python there, and wait for its end."""
        command, environment = self.python(*arguments, **variables)
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)

    def end(self):
        """End all that runs there, and the host."""
        for pid in ip("netns", "pids", self.space).split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        for process in self.processes:
            process.wait(timeout=30)
        ip("netns", "del", self.space)


@contextlib.contextmanager
def network(*names):
    """[Host] with these names and the addresses 10.77.0.1, 10.77.0.2 …, joined by a bridge. All is gone at the end."""
    start = f"glmlab-test-{os.getpid()}-{next(NUMBERS)}"
    bridge = Host("bridge", f"{start}-bridge", None)
    with contextlib.ExitStack() as ends:
        ip("netns", "add", bridge.space)
        ends.callback(bridge.end)
        ip("-n", bridge.space, "link", "add", "bridge", "type", "bridge")
        ip("-n", bridge.space, "link", "set", "bridge", "up")
        hosts = []
        for k, name in enumerate(names, start=1):
            host = Host(name, f"{start}-{name}", f"10.77.0.{k}")
            ip("netns", "add", host.space)
            ends.callback(host.end)
            ip("-n", bridge.space, "link", "add", f"port{k}", "type", "veth", "peer", "eth0", "netns", host.space)
            ip("-n", bridge.space, "link", "set", f"port{k}", "master", "bridge", "up")
            ip("-n", host.space, "addr", "add", f"{host.address}/24", "dev", "eth0")
            for card in ("lo", "eth0"):
                ip("-n", host.space, "link", "set", card, "up")
            hosts.append(host)
        yield hosts
