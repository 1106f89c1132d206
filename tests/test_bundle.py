"""The bundle for machines without a network (`make offline`), and the set-up that takes packages from it."""

import subprocess
import sys
import zipfile

import pytest
from test_house import clone, pretend_venv

from tools import offline, setup

HERE = f"Python {sys.version_info[0]}.{sys.version_info[1]} "


@pytest.fixture
def wheels(tmp_path):
    """A folder of wheels for this Python, beside the lock of a clone."""
    folder = tmp_path / setup.WHEELS
    folder.mkdir()
    (folder / setup.MADE_FOR).write_text(setup.this_python())
    return folder


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A clone with one commit, and a commit of a user who has set up nothing."""
    folder = tmp_path / "repository"
    folder.mkdir()
    monkeypatch.setattr(offline, "ROOT", folder)
    (folder / "Makefile").write_text("one\n")
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "one"]):
        offline.git(*words)
    return folder


@pytest.mark.parametrize("uv", ["/bin/uv", None])
def test_set_up_takes_all_from_the_wheels_beside_the_makefile(tmp_path, monkeypatch, wheels, uv):
    ran = clone(tmp_path, monkeypatch)
    monkeypatch.setattr(setup.shutil, "which", lambda name: uv)
    monkeypatch.setattr(setup.subprocess, "run", lambda *args, **kwargs: subprocess.CompletedProcess(args, 0))
    pretend_venv(tmp_path)
    assert setup.main() == 0
    assert len(ran) == 2 and all(f" --no-index --find-links {wheels} " in line for line in ran)


def test_set_up_without_such_a_folder_asks_the_index(tmp_path, monkeypatch):
    ran = clone(tmp_path, monkeypatch)
    monkeypatch.setattr(setup.shutil, "which", lambda name: "uv")
    pretend_venv(tmp_path)
    assert setup.main() == 0
    assert ran and not any("--no-index" in line for line in ran)


def test_wheels_for_another_python_are_refused_before_anything_is_made(tmp_path, monkeypatch, capsys, wheels):
    ran = clone(tmp_path, monkeypatch)
    (wheels / setup.MADE_FOR).write_text("Python 3.99 Plan9 mips")
    assert setup.main() == 1 and ran == []
    said = capsys.readouterr().err
    assert "are for Python 3.99 Plan9 mips; this is " + HERE in said and "make PYTHON=" in said


def test_a_package_that_is_not_among_the_wheels_is_said_to_be_so(tmp_path, monkeypatch, capsys, wheels):
    clone(tmp_path, monkeypatch)
    pretend_venv(tmp_path)

    def fail(command):
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(setup, "run", fail)
    monkeypatch.setattr(setup.shutil, "which", lambda name: "uv")
    assert setup.main() == 1
    said = capsys.readouterr().err
    assert f"from {wheels} failed" in said and "proxy" not in said


def test_the_zip_holds_the_last_commit_and_the_wheels(tmp_path, repository, wheels):
    (wheels / "a-1-py3-none-any.whl").write_bytes(b"wheel")
    (repository / "not-committed").write_text("")
    bundle = zipfile.ZipFile(offline.pack(wheels, tmp_path / "bundle.zip", "glmlab-1"))
    files = {name for name in bundle.namelist() if not name.endswith("/")}
    assert files == {
        f"glmlab-1/{name}" for name in ["Makefile", "wheelhouse/a-1-py3-none-any.whl", "wheelhouse/made-for.txt"]
    }
    assert bundle.read("glmlab-1/wheelhouse/a-1-py3-none-any.whl") == b"wheel" and bundle.testzip() is None


def test_a_clone_with_changes_that_are_not_committed_is_refused(repository):
    assert offline.not_committed() == ""
    (repository / "Makefile").write_text("two\n")
    assert "Commit these files first" in offline.not_committed() and "Makefile" in offline.not_committed()


def test_a_folder_that_is_no_clone_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(offline, "ROOT", tmp_path)
    assert offline.main() == 1 and "no clone" in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "course"), [([], False), (["--course"], True)])
def test_every_pin_and_the_build_backend_are_fetched(tmp_path, repository, monkeypatch, arguments, course):
    asked = []

    def run(command, check):
        asked.append(command[command.index("-r") + 1].read_text().split("\n"))

    monkeypatch.setattr(offline, "TARGET", tmp_path / "offline")
    monkeypatch.setattr(offline, "git", lambda *words: "")
    monkeypatch.setattr(offline.subprocess, "run", run)
    assert offline.main(arguments) == 0
    assert asked == [[*setup.pinned(course), "editables"]]
    assert (tmp_path / "offline" / setup.WHEELS / setup.MADE_FOR).read_text() == setup.this_python()
