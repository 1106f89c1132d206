"""The wheel with the packages that it declares, and no others: the lab, the score and the reset, without a clone."""

import json
import os
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest
from lab_server import CLONE, Lab
from test_wheel import wheel  # noqa: F401 - a fixture

from tools import lock
from tools.setup import python_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
NOTEBOOKS = sorted(path.name for path in (CLONE / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):  # noqa: F811 - the fixture
    """The Python of an environment where pip has installed the wheel, and all it needs is a link to what is here."""
    venv = tmp_path_factory.mktemp("alone") / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    site = next(venv.rglob("site-packages"))
    for name in lock.closure("glmlab") - {"glmlab"}:
        link(distribution(name), site)
    # pip looks for every package that the wheel declares, and there is no index to fetch a missing one from.
    subprocess.run([python_of(venv), "-m", "pip", "install", "-q", "--no-index", wheel], check=True)
    return python_of(venv)


def link(found, site: Path):
    """Link all files of a distribution into an environment; some lie outside of site-packages, as share/jupyter."""
    for file in found.files:
        target, source = site / file, Path(os.path.abspath(found.locate_file(file)))
        if source.exists() and "__pycache__" not in source.parts and "bin" not in file.parts:
            Path(os.path.abspath(target)).parent.mkdir(parents=True, exist_ok=True)
            Path(os.path.abspath(target)).symlink_to(source)


@pytest.fixture
def lab(python, tmp_path):
    """The lab of the wheel, started in an empty folder; connections that leave the machine are refused."""
    guard = next(python.parent.parent.rglob("glmlab/classroom/offline"))
    lab = Lab(tmp_path, python=python, PYTHONPATH=str(guard))
    yield lab
    lab.stop()


def glmlab(python, folder, *words):
    """Run a verb in a folder, with no clone on the path."""
    clean = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "GLMLAB_WORKSPACE")}
    return subprocess.run([python, "-m", "glmlab", *words], cwd=folder, env=clean, capture_output=True, text=True)


def test_it_declares_all_that_it_needs(python):
    done = subprocess.run([python, "-m", "pip", "check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_lab_says_how_it_is_used_and_starts_with_all_notebooks(python, lab):
    assert "--no-browser" in glmlab(python, lab.clone, "lab", "--help").stdout
    assert sorted(each["name"] for each in json.loads(lab.get("api/contents")[1])["content"]) == NOTEBOOKS
    assert sorted(path.name for path in (lab.clone / "my").glob("*.ipynb")) == NOTEBOOKS
    assert json.loads(lab.post("api/kernels", {"name": "python3"}))["id"]


def test_a_copy_is_scored_and_made_anew(python, tmp_path):
    assert glmlab(python, tmp_path, "reset", "00").returncode == 0
    done = glmlab(python, tmp_path, "check", "00", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    score = json.loads(done.stdout)
    assert (score["exercises"], score["errors"], score["ended"]) == ({"total": "not tried"}, [], True)
