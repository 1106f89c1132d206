"""A bundle of `make offline` is set up on a host that reaches nobody, without git, uv, pip's cache or a home folder.

    GLMLAB_BUNDLE=all python -m pytest -m hosts tests/hosts/test_offline.py

sets up all packages, starts the lab and runs tests there; otherwise a few packages and one fit have to do.
"""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import time
import zipfile

import pytest
from network import network, refuse

from tools import lock, offline, setup

pytestmark = [pytest.mark.hosts, pytest.mark.slow, pytest.mark.timeout(1800)]
FEW = "hatchling", "numpy", "scipy", "pandas", "dask", "cloudpickle", "threadpoolctl"  # imports of glmlab and its build
WHOLE = os.environ.get("GLMLAB_BUNDLE") == "all"
NO_WHEELS = "the wheels of a bundle are neither in pip's cache nor to be had from an index"
FIT = """
import socket
import numpy as np
import glmlab
result = glmlab.fit(np.eye(3), np.arange(3.0), family="gaussian")
assert result.converged and np.abs(result.beta - [0, 1, 2]).max() < 1e-5
try:
    socket.create_connection(("192.0.2.1", 80), timeout=5)  # reserved for examples
except OSError as error:
    print(error.strerror)
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """The zip of the last commit with the wheels; its test needs an index to make it, not to use it."""
    refuse()
    if not (offline.ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip(offline.NO_GIT)
    folder = tmp_path_factory.mktemp("bundle")
    pins = setup.pinned(course=False) if WHOLE else lock.pins(lock.closure(*FEW))
    try:
        wheels = offline.wheelhouse(folder / setup.WHEELS, pins)
    except subprocess.CalledProcessError:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(NO_WHEELS)
    return offline.pack(wheels, folder / "bundle.zip", "glmlab"), pins


@pytest.fixture
def alone():
    """A host that nobody else is joined to."""
    with network("alone") as (host,):
        yield host


def unzip(bundle, folder):
    """Unzip as the program unzip does: with Python's module alone no file may be executed, and a link is a file."""
    with zipfile.ZipFile(bundle) as archive:
        for each in archive.infolist():
            mode, path = each.external_attr >> 16, folder / each.filename
            if stat.S_ISLNK(mode):
                path.symlink_to(archive.read(each).decode())
            else:
                archive.extract(each, folder)
                path.chmod(stat.S_IMODE(mode) or path.stat().st_mode)


class Stick:
    """The bundle unzipped, on a host: `run` runs a command there, with sh, make, awk and Python on the PATH alone."""

    def __init__(self, host, bundle, folder):
        self.host, self.home, self.project = host, folder / "home", folder / "glmlab"
        unzip(bundle, folder)
        for name in ("home", "bin"):
            (folder / name).mkdir()
        base = os.path.realpath(sys.executable)  # not the environment that runs this test
        for name, path in {**{name: shutil.which(name) for name in ("sh", "make", "awk")}, "python3": base}.items():
            (folder / "bin" / name).symlink_to(path)
        self.environment = {"PATH": str(folder / "bin"), "HOME": str(self.home), "PIP_CONFIG_FILE": os.devnull}

    def command(self, *words):
        return [shutil.which("ip"), "netns", "exec", self.host.space, *map(str, words)]

    def run(self, *words) -> str:
        """What a command prints there; its failure is the test's."""
        done = subprocess.run(
            self.command(*words), cwd=self.project, env=self.environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def lab(self, seconds=240) -> str:
        """The address that `make lab` prints; the lab runs until the host ends."""
        log, until = self.home / "lab.log", time.monotonic() + seconds
        with log.open("w") as out:
            self.host.processes.append(subprocess.Popen(
                self.command("make", "lab", "ARGS=--no-browser"), cwd=self.project, env=self.environment,
                stdout=out, stderr=out))  # fmt: skip
        found = None
        while not found and time.monotonic() < until:
            time.sleep(0.2)
            found = re.search(r"http://127\.0\.0\.1:\d+/lab\S+", log.read_text())
        assert found, log.read_text()
        return found[0]


ASK = """
import json, sys, urllib.request
server, token = sys.argv[1].split("/lab/")[0], sys.argv[1].split("token=")[1]
request = urllib.request.Request(f"{server}/api/contents", headers={"Authorization": f"token {token}"})
print(json.dumps([each["name"] for each in json.load(urllib.request.urlopen(request))["content"]]))
"""


@pytest.mark.skipif(WHOLE, reason="all packages are set up instead")
def test_a_few_packages_are_set_up_and_a_fit_runs(alone, bundle, tmp_path):
    stick = Stick(alone, bundle[0], tmp_path)
    (stick.project / setup.LOCK).write_text("\n".join(bundle[1]))
    assert f"Installing {len(bundle[1])} packages" in stick.run("make", "setup")
    assert stick.run(".venv/bin/python", "-W", "error", "-c", FIT) == "Network is unreachable\n"


@pytest.mark.skipif(not WHOLE, reason="takes some minutes; GLMLAB_BUNDLE=all runs it")
def test_the_lab_and_the_tests_run_from_all_packages(alone, bundle, tmp_path):
    stick = Stick(alone, bundle[0], tmp_path)
    stick.run("make", "course")
    names = json.loads(stick.run(".venv/bin/python", "-c", ASK, stick.lab()))
    assert sorted(names) == sorted(path.name for path in (offline.ROOT / "notebooks").glob("*.ipynb"))
    stick.run("make", "lint")
    stick.run(".venv/bin/python", "-m", "pytest", "--collect-only", "-q")
    said = stick.run(
        ".venv/bin/python", "-m", "pytest", "-q", "-rs", "tests/test_house.py", "tests/test_conventions.py"
    )
    assert "only git knows" in said and " passed" in said
