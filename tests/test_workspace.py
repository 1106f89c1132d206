"""Copies of the notebooks: what is there stays, what is missing comes, a reset keeps the old one."""

from pathlib import Path

import pytest

from glmlab import workspace as ws


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A course of two notebooks."""
    folder = tmp_path / "course"
    folder.mkdir()
    for name in ("00_start.ipynb", "01_data.ipynb"):
        (folder / name).write_text(f"shipped {name}")
    monkeypatch.setattr(ws, "course", lambda: folder)
    return folder


def test_workspace_is_where_the_variable_says_and_is_made(tmp_path, monkeypatch):
    monkeypatch.setenv("GLMLAB_WORKSPACE", str(tmp_path / "a" / "b"))
    assert ws.workspace() == tmp_path / "a" / "b"
    assert ws.workspace().is_dir()


@pytest.mark.parametrize("value", [None, ""])
def test_workspace_is_beside_the_notebook_without_the_variable(tmp_path, monkeypatch, value):
    monkeypatch.delenv("GLMLAB_WORKSPACE") if value is None else monkeypatch.setenv("GLMLAB_WORKSPACE", value)
    monkeypatch.chdir(tmp_path)
    assert ws.workspace() == Path.cwd() / "workspace"


def test_fill_copies_what_is_missing_and_keeps_what_is_there(tmp_path, shipped):
    my = tmp_path / "my"
    my.mkdir()
    (my / "00_start.ipynb").write_text("my own work")
    assert ws.fill(my) == [my / "01_data.ipynb"]
    assert (my / "00_start.ipynb").read_text() == "my own work"
    assert (my / "01_data.ipynb").read_text() == "shipped 01_data.ipynb"
    assert ws.fill(my) == []


@pytest.mark.parametrize("name", ["00", "00_start", "00_start.ipynb"])
def test_reset_keeps_every_old_copy(tmp_path, shipped, name):
    ws.fill(tmp_path)
    for work in ("first", "second"):
        (tmp_path / "00_start.ipynb").write_text(work)
        fresh, old = ws.reset(name, tmp_path)
        assert fresh == tmp_path / "00_start.ipynb" and old.read_text() == work
    assert (tmp_path / "00_start.ipynb").read_text() == "shipped 00_start.ipynb"
    assert (tmp_path / "00_start.old-1.ipynb").read_text() == "first"
    assert (tmp_path / "00_start.old-2.ipynb").read_text() == "second"


def test_reset_works_in_the_current_folder(tmp_path, shipped, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert ws.reset("01") == (tmp_path / "01_data.ipynb", None)
    assert ws.reset("01") == (tmp_path / "01_data.ipynb", tmp_path / "01_data.old-1.ipynb")


@pytest.mark.parametrize("name", ["", "0", "02", "../00"])
def test_reset_refuses_a_name_that_does_not_fit_one(tmp_path, shipped, name):
    with pytest.raises(ValueError, match="00_start.ipynb, 01_data.ipynb"):
        ws.reset(name, tmp_path)


def test_a_number_names_one_notebook_though_its_companion_begins_alike(tmp_path, shipped):
    (ws.course() / "01b_more.ipynb").write_text("a companion")
    fresh = [ws.reset(name, tmp_path)[0].name for name in ("01", "01b", "01b_more")]
    assert fresh == ["01_data.ipynb", "01b_more.ipynb", "01b_more.ipynb"]


def test_the_course_is_found_in_the_clone():
    clone = Path(__file__).resolve().parent.parent
    assert ws.course() == clone / "notebooks"
    assert ws.my_folder() == clone / "my"
