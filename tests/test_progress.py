"""What a reader has passed is kept between sessions, and the course is listed from its own notebooks."""

import re

import nbformat
import pytest

from glmlab.teaching import Progress, check, exercise, exercises, kept, progress, use
from glmlab.teaching.contents import chapter, chapters
from glmlab.teaching.engine import typed
from tools import form
from tools.notebooks import FOLDER


@pytest.fixture(autouse=True)
def untouched(monkeypatch):
    monkeypatch.delenv("GLMLAB_EXERCISES", raising=False)


def stub(name):
    """The function a notebook starts with."""
    return typed(exercise(name).stub, exercise(name).reference)


def right(name):
    """Our answer as a reader would type it: another function with the same source."""
    return typed(exercise(name).source, exercise(name).reference)


def total(chunks):
    return 0.0


def state(name):
    return progress().states([name])[name]


# ---------------------------------------------------------------- what is kept


@pytest.mark.parametrize("ask", [check, use])
def test_a_passed_check_is_kept_and_stays(ask):
    assert state("total") == "not tried"
    ask(total)
    assert state("total") == "wrong"
    ask(right("total"))
    assert state("total") == "passed"
    ask(total)
    assert state("total") == "passed", "a later trial takes nothing away"
    assert state("rows") == "not tried"


@pytest.mark.parametrize("ask", [check, use])
def test_what_is_no_answer_of_the_reader_writes_no_file(ask):
    ask(stub("total"))
    ask(exercise("total").reference)
    assert not progress().path.exists()


def test_solutions_that_are_typed_in_are_not_the_readers(monkeypatch):
    monkeypatch.setenv("GLMLAB_EXERCISES", "solved")
    use(stub("total"))
    assert not progress().path.exists()


@pytest.mark.parametrize("content", ["{", "[1]", '{"total": 3}', '{"total": "right"}', '{"total": [1]}'])
def test_an_unreadable_record_is_put_aside(tmp_path, content, capsys):
    path = tmp_path / "progress.json"
    path.write_text(content)
    Progress(path).note("total", "passed")
    assert "The record of your progress could not be read" in capsys.readouterr().out
    assert path.with_name("progress.unreadable.json").read_text() == content
    assert Progress(path).states(["total"]) == {"total": "passed"}


def test_a_full_disk_stops_no_check(monkeypatch, capsys):
    def full_disk(path, content):
        raise OSError("no space left")

    monkeypatch.setattr(kept, "write", full_disk)
    assert check(right("total"))
    assert "could not be kept: no space left" in capsys.readouterr().out


# ---------------------------------------------------------------- the table


def test_the_table_has_every_notebook_and_counts_what_is_passed():
    use(right("chunk_rows"))
    use(total)
    rows = {name.split()[0]: (minutes, share, marked) for name, minutes, share, marked in progress().rows()}
    assert rows["01"] == (str(chapter("01").minutes), "1 of 3", "chunk_rows ✓, rows, dot")
    assert rows["00"][1:] == ("0 of 1", "total ✗")
    *notebooks, (_, minutes, share, _) = progress().rows()
    assert len(notebooks) == len(list(FOLDER.glob("*.ipynb")))
    assert int(minutes.replace(",", "")) == sum(int(row[1]) for row in notebooks)
    assert share == f"1 of {len(exercises())}"


def test_text_and_html_say_the_same_and_bring_no_colours():
    use(right("chunk_rows"))
    text, page = repr(progress()), progress()._repr_html_()
    for row in progress().rows():
        assert all(cell in text and f">{cell}</t" in page for cell in row)
    assert page.count("<tr") == len(text.splitlines()) - 1  # the title is the caption
    assert "color" not in page.replace("color-mix(in srgb, currentColor 20%, transparent)", "")


# ---------------------------------------------------------------- the contents


def test_each_exercise_belongs_to_one_notebook():
    assert sorted(name for found in chapters() for name in found.exercises) == sorted(exercises())


@pytest.mark.parametrize("found", chapters(), ids=[found.number for found in chapters()])
def test_sections_are_those_of_the_notebook_and_add_up(found):
    cells = nbformat.read(FOLDER / f"{found.name}.ipynb", as_version=4).cells
    titles = [title for cell in cells if cell.cell_type == "markdown"
              for level, title in form.titles(cell.source) if level == 2]  # fmt: skip
    timed = [title for title in titles if re.search(r"\d+\s*min", title)]
    assert [title.split(" (")[0] for title in timed] == [section.title.split(" (")[0] for section in found.sections]
    closing = found.minutes - sum(section.minutes for section in found.sections)
    assert 0 <= closing <= 5, "the first cell's minutes are those of the sections and of the closing page"
