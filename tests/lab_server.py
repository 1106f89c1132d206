"""A JupyterLab to test: `make lab`'s own command in a copy of the clone, off the network."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

CLONE = Path(__file__).resolve().parent.parent
COMMAND = ["-m", "glmlab", "lab", "--no-browser"]  # what follows python in the Makefile's verb; test_house.py compares


class Lab:
    """A JupyterLab under test."""

    def __init__(self, clone: Path, *args, python=sys.executable, **variables):
        self.clone, self.runtime = clone, clone / "runtime"
        self.log = (clone / "lab.log").open("w")
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("JUPYTER", "GLMLAB", "DASK"))}
        paths = os.pathsep.join([str(clone), str(CLONE / "glmlab" / "classroom" / "offline")])
        self.process = subprocess.Popen(
            [python, *COMMAND, *args], cwd=clone, stdout=self.log, stderr=self.log,
            env=clean | {"PYTHONPATH": paths, "JUPYTER_RUNTIME_DIR": str(self.runtime)} | variables)
        self.info = self.wait()

    def wait(self) -> dict:
        """What the server says of itself, once it answers."""
        while self.process.poll() is None:
            for path in self.runtime.glob("jpserver-*.json"):
                info = json.loads(path.read_text() or "{}")
                if info and answers(info["port"]):
                    return info
            time.sleep(0.1)
        raise AssertionError(self.output())

    def output(self) -> str:
        self.log.flush()
        return (self.clone / "lab.log").read_text()

    def get(self, path, token=True):
        """(status, text) of a request."""
        headers = {"Authorization": f"token {self.info['token']}"} if token else {}
        request = urllib.request.Request(self.info["url"] + path, headers=headers)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, ""

    def post(self, path, content: dict) -> str:
        """The text that answers a request which changes something."""
        headers = {"Authorization": f"token {self.info['token']}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.info["url"] + path, json.dumps(content).encode(), headers)
        with urllib.request.urlopen(request) as answer:
            return answer.read().decode()

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def clone_into(folder: Path) -> Path:
    """The package and a course of one notebook, as in a fresh clone."""
    shutil.copytree(CLONE / "glmlab", folder / "glmlab", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CLONE / "pyproject.toml", folder)
    (folder / "notebooks").mkdir()
    (folder / "notebooks" / "00_start_here.ipynb").write_text(
        '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    return folder
