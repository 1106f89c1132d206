"""Binder and conda: the same packages as pyproject, a rendering without docker, a start that always starts."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from rattler import MatchSpec, PackageRecord
from rattler.package import BuildString
from test_house import CLONE, PROJECT, lock, pins

BINDER = CLONE / "binder"


def conda_specs() -> list[str]:
    return yaml.safe_load((CLONE / "environment.yml").read_text())["dependencies"]


def record(name: str, version: str) -> PackageRecord:
    """A conda package of this name and version."""
    return PackageRecord(name=name, version=version, build=BuildString("0"), build_number=0, subdir="noarch")


def differences(ours: list[str], theirs: list[str]) -> set[str]:
    """Requirements that stand in one of pyproject and environment.yml only; python and pip are conda's affair."""
    ranges = {str(Requirement(text)) for text in ours}
    return ranges ^ {str(Requirement(text)) for text in theirs if not re.match(r"(python|pip)\b", text)}


def test_environment_and_pyproject_ask_for_the_same():
    assert differences(PROJECT["dependencies"], conda_specs()) == set()


@pytest.mark.parametrize("theirs", [["numpy>=1"], ["numpy>=2", "scipy"], []])
def test_a_difference_is_seen(theirs):
    assert differences(["numpy>=2"], theirs)


def test_every_conda_spec_is_read_by_a_conda_matcher_and_fits_the_lock():
    pinned = pins((CLONE / "requirements.lock").read_text())
    for text in conda_specs():
        spec = MatchSpec(text)
        name = spec.name.normalized
        if name not in ("python", "pip"):
            assert spec.matches(record(name, pinned[lock.canonical(name)])), text
            assert not spec.matches(record(name, "0.0.1")), text


def test_condas_python_is_one_that_pyproject_allows():
    spec = next(text for text in conda_specs() if text.startswith("python"))
    version = re.search(r"[\d.]+", spec)[0]
    assert MatchSpec(spec).matches(record("python", f"{version}.1"))
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains(version)


def rendering(folder: Path) -> str:
    """What repo2docker would build from a folder."""
    done = subprocess.run([sys.executable, "-m", "repo2docker", "--no-build", "--debug", str(folder)],
                          capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def repository(tmp_path):
    """What Binder looks at."""
    shutil.copy(CLONE / "environment.yml", tmp_path)
    shutil.copytree(BINDER, tmp_path / "binder", symlinks=True)
    return tmp_path


def test_repo2docker_renders_all_we_mean(repository):
    text = rendering(repository)
    python = re.search(r"conda environment for python=(\S+)", text)[1]
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains(python)
    assert 'env update -p ${NB_PYTHON_PREFIX} --file "binder/environment.yml"' in text
    assert "./binder/postBuild" in text
    assert "binder/start" in text


def test_a_python_that_repo2docker_does_not_read_would_be_seen(repository):
    """With "python>=3.11" it builds on its own default, which may be older than we need."""
    path = repository / "environment.yml"
    path.write_text(re.sub(r"python=\S+", "python>=3.11", path.read_text()))
    assert "Python version unspecified" in rendering(repository)


def start(folder: Path, *command, **variables):
    """Run binder/start as a pod does: in the clone, with the server's command."""
    return subprocess.run(["bash", str(BINDER / "start"), *command], cwd=folder, capture_output=True, text=True,
                          env={"PATH": os.environ["PATH"], "HOME": str(folder)} | variables)


SHOW = ("bash", "-c", "echo $GLMLAB_SCALE $OMP_NUM_THREADS $DASK_DISTRIBUTED__DASHBOARD__LINK")


def test_start_sets_scale_threads_and_the_link_through_the_hub(tmp_path):
    done = start(tmp_path, *SHOW, PATH="/bin:/usr/bin", JUPYTERHUB_SERVICE_PREFIX="/user/ann/")
    assert done.stdout.split() == ["workshop", "1", "/user/ann/proxy/{port}/status"]


@pytest.mark.parametrize(("variables", "link"), [
    ({"JUPYTERHUB_SERVICE_PREFIX": "/user/ann/"}, "/user/ann/proxy/8787/status"), ({}, "/proxy/8787/status")])
def test_the_link_can_be_filled_in_on_a_hub_and_outside(tmp_path, variables, link):
    from distributed.utils import format_dashboard_link

    template = start(tmp_path, *SHOW, **variables).stdout.split()[-1]
    assert dashboard_link(template, format_dashboard_link) == link


def dashboard_link(template, format_dashboard_link):
    import dask

    with dask.config.set({"distributed.dashboard.link": template}):
        return format_dashboard_link("127.0.0.1", 8787)


def test_a_link_that_names_a_hub_variable_fails_outside_a_hub():
    """Why binder/start writes the prefix out."""
    from distributed.utils import format_dashboard_link

    with pytest.raises(KeyError):
        dashboard_link("{JUPYTERHUB_SERVICE_PREFIX}proxy/{port}/status", format_dashboard_link)


@pytest.mark.parametrize("python", ["exit 1", "kill -SEGV $$", None])
def test_start_starts_the_server_whatever_fails(tmp_path, python):
    """A python that fails, one that crashes, none at all."""
    tools = tmp_path / "bin"
    tools.mkdir()
    if python:
        (tools / "python").write_text(f"#!/bin/sh\n{python}\n")
        (tools / "python").chmod(0o755)
    (tools / "bash").symlink_to(shutil.which("bash"))
    done = start(tmp_path, "bash", "-c", 'echo "served $0 $1"', "a b", "c", PATH=str(tools))
    assert (done.returncode, done.stdout) == (0, "served a b c\n")
    assert "the course works without it" in done.stderr


def test_start_hands_over_the_servers_exit_code(tmp_path):
    assert start(tmp_path, "bash", "-c", "exit 7").returncode == 7


def test_scripts_are_executable_and_the_environment_is_a_link():
    assert all(os.access(BINDER / name, os.X_OK) for name in ("start", "postBuild"))
    assert os.readlink(BINDER / "environment.yml") == "../environment.yml"
    for name in ("start", "postBuild"):
        subprocess.run(["bash", "-n", str(BINDER / name)], check=True)


def test_prepare_writes_copies_and_layout(tmp_path):
    """What binder/start asks of the package, in a folder of its own."""
    from lab_server import clone_into

    clone = clone_into(tmp_path)
    variables = {"HOME": str(tmp_path), "JUPYTERLAB_DIR": str(tmp_path / "app"),
                 "JUPYTERLAB_WORKSPACES_DIR": str(tmp_path / "layouts"), "PYTHONPATH": str(clone),
                 "JUPYTER_CONFIG_DIR": str(tmp_path / "config")}
    subprocess.run([sys.executable, "-m", "glmlab", "prepare"], cwd=clone, check=True, env=os.environ | variables)
    assert (clone / "my" / "00_start_here.ipynb").exists()
    saved = next((tmp_path / "layouts").iterdir()).read_text()
    assert '"my/00_start_here.ipynb"' in saved and '"glmlab/panes/8787"' in saved
    assert (tmp_path / "app" / "settings" / "overrides.json").exists()
    assert "glmlab.classroom.panes" in (tmp_path / "config" / "jupyter_server_config.d" / "glmlab.json").read_text()
