"""glmlab works from its wheel, without the clone: the data, the notebooks and a small fit."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy
import pytest

CLONE = Path(__file__).resolve().parent.parent
SITE = Path(numpy.__file__).parent.parent
SMOKE = """
import sys
from pathlib import Path

import numpy as np

import glmlab
from glmlab.datasets import flights
from glmlab.workspace import course, fill

home = Path(sys.argv[1])
assert home in Path(glmlab.__file__).parents, glmlab.__file__

X = np.random.default_rng(0).normal(size=(200, 3))
y = X @ [1.0, -2.0, 0.5]
result = glmlab.fit(X, y, family="gaussian")
assert np.abs(result.beta - [1.0, -2.0, 0.5]).max() < 1e-5, result
assert result.certificate.relative <= 1e-6, result

assert len(flights()) == 327_346
assert home in course().parents
assert {path.name for path in fill("copies")} == set(sys.argv[2:])
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built by the installed backend without a network."""
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)], cwd=CLONE, check=True,
                   capture_output=True)
    return next(out.glob("glmlab-*.whl"))


def shipped() -> set[str]:
    """What a clone holds of the package: its code and its data, no caches."""
    files = (path for path in (CLONE / "glmlab").rglob("*") if path.is_file())
    return {str(path.relative_to(CLONE)) for path in files if "__pycache__" not in path.parts}


def test_the_wheel_holds_the_package_its_data_and_the_notebooks(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    notebooks = {f"glmlab/notebooks/{path.name}" for path in (CLONE / "notebooks").glob("*.ipynb")}
    assert {name for name in names if ".dist-info/" not in name} == shipped() | notebooks
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_glmlab_works_from_the_wheel_alone(wheel, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    site = next((tmp_path / "venv").rglob("site-packages"))
    zipfile.ZipFile(wheel).extractall(site)  # what pip does with a wheel of pure Python
    # A line in a .pth adds a folder but not that folder's own .pth files: the clone stays out of reach.
    (site / "packages.pth").write_text(f"{SITE}\n")
    python = tmp_path / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    notebooks = [path.name for path in (CLONE / "notebooks").glob("*.ipynb")]
    done = subprocess.run([python, "-W", "error", "-c", SMOKE, str(site), *notebooks], cwd=tmp_path,
                          env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
