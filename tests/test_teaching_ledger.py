"""What stands beside the exercises: predictions, the scale, the machine report, the ledger."""

import json
import os
from itertools import pairwise

import numpy as np
import pytest

from glmlab import teaching
from glmlab.teaching import Ledger, predict, scale

# ---------------------------------------------------------------- predictions


@pytest.mark.parametrize(("predicted", "measured", "ratio", "words"), [
    (0.05, 0.1, 2.0, "2 times larger than predicted"),
    (0.1, 0.05, 0.5, "2 times smaller than predicted"),
    (100, 100.5, 1.005, "within one per cent"),
    (1, 2, 2.0, "2 times larger than predicted, within a factor of 2."),
    (1, 2.5, 2.5, "within a factor of 10."),
    (1, 10.004, 10.004, "10 times larger than predicted, within a factor of 10."),
    (10.1, 1, 1 / 10.1, "10.1 times smaller than predicted, more than 10 times off."),
    (np.array([2.0]), np.float32(4), 2.0, "larger"),
    (2, -2, -1.0, "not even the sign"),
    (2, 0, 0.0, "nothing was measured"),
])
def test_a_prediction_is_compared_by_ratio(predicted, measured, ratio, words, capsys):
    assert predict("seconds per pass", predicted).measured(measured) == pytest.approx(ratio)
    said = capsys.readouterr().out
    assert said.startswith("seconds per pass: ") and words in said and said.count("\n") == 1


class Hostile:
    def __float__(self):
        raise RuntimeError("no")

    __eq__ = __str__ = __float__
    __hash__ = None


@pytest.mark.parametrize("value", [None, 0, float("nan"), float("inf"), "yes", b"x", True, [1, 2], np.ones((3, 2)),
                                   10**400, 1j, {}, Hostile()], ids=lambda value: type(value).__name__)
def test_a_prediction_never_fails(value, capsys):
    for predicted, measured in ((value, 1.0), (1.0, value), (value, value)):
        predict("it", predicted).measured(measured)
    predict(value, 1).measured(1)
    assert len(capsys.readouterr().out.splitlines()) == 4


@pytest.mark.parametrize(("predicted", "measured", "verdict"), [
    ("yes", "yes", ": the same."), ("No", "no", ": the same."), (" NO\n", "no", ": the same."),
    ("yes", "no", ": not the same."), ("n o", "no", ": not the same."),
])
def test_words_are_compared_without_case_and_spaces_around(predicted, measured, verdict, capsys):
    predict("do they agree", predicted).measured(measured)
    assert capsys.readouterr().out.endswith(f"{verdict}\n")


def test_a_number_that_was_not_measured_is_not_called_so(capsys):
    for predicted in (2, None):
        predict("the floor", predicted).measured(4, "by the model")
    said = capsys.readouterr().out
    assert said.count("by the model 4") == 2 and "measured" not in said


# ---------------------------------------------------------------- scale and machine


@pytest.mark.parametrize(("name", "picked"), [("ci", 1), ("workshop", 2), ("full", 3), ("", 2)])
def test_scale_picks(name, picked, monkeypatch):
    monkeypatch.setenv("GLMLAB_SCALE", name)
    assert scale.pick(ci=1, workshop=2, full=3) == picked and scale.name == (name or "workshop")


def test_scale_names_the_three(monkeypatch):
    monkeypatch.setenv("GLMLAB_SCALE", "big")
    with pytest.raises(ValueError, match="'big'.*ci, workshop or full"):
        scale.pick(ci=1, workshop=2, full=3)


def test_machine_reports_what_we_may_use(monkeypatch):
    monkeypatch.setattr("dask.system.CPU_COUNT", 3)
    monkeypatch.setattr("distributed.system.MEMORY_LIMIT", 2_000_000_000)
    report = teaching.machine()
    assert report.cores == 3 and report.memory == 2e9 and report.versions["numpy"] == np.__version__
    for page in (repr(report), report._repr_html_()):
        assert "2.0 GB" in page and "scale" in page and np.__version__ in page


# ---------------------------------------------------------------- the ledger


@pytest.fixture
def book(tmp_path):
    return Ledger(tmp_path / "deep" / "ledger.json")


def test_the_ledger_opens_with_the_post(book):
    frame = book.to_frame()
    assert list(frame.columns) == ["gap", "passes", "rounds", "tasks", "bytes", "seconds", "error", "zeros"]
    assert frame.loc["post: ADMM, λ = 7.2", "zeros"] == 12 and frame.gap.isna().all()
    assert (frame.seconds.dropna() == [128, 34.7, 79, 29.4, 1020, 270]).all()
    for page in (repr(book), book._repr_html_()):
        assert page.count("?") == len(frame) and "post: naive solve" in page


def test_a_row_again_replaces_itself(book):
    before = len(book.to_frame())
    book.add("gradient descent", passes=7, seconds=1.5)
    book.add("newton", passes=4)
    book.add("gradient descent", passes=np.int64(8), gap=np.float64(1e-7))
    again = Ledger(book.path).rows()
    assert len(again) == before + 2 and again["gradient descent"]["seconds"] is None
    assert again["gradient descent"]["passes"] == 8 and again["gradient descent"]["gap"] == 1e-7
    assert list(again)[-2:] == ["gradient descent", "newton"]


def test_fill_keeps_the_rest_of_a_row(book):
    book.fill("post: ADMM, λ = 7.2", gap=0.012)
    row = book.rows()["post: ADMM, λ = 7.2"]
    assert row["zeros"] == 12 and row["gap"] == 0.012
    assert repr(book).count("?") == len(book.rows()) - 1


def test_a_note_says_where_a_number_comes_from(book):
    before = len(repr(book).splitlines())
    book.add("newton", passes=4)
    book.fill("post: ADMM, λ = 7.2", gap=0.012, note="a replay <here>")
    book.fill("post: ADMM, λ = 7.2", rounds=11)  # a note stays until another takes its place
    assert book.rows()["post: ADMM, λ = 7.2"].keys() == book.rows()["newton"].keys()  # numbers only
    [(line, note)] = [pair for pair in pairwise(repr(book).splitlines()) if pair[0].startswith("post: ADMM, λ")]
    assert note.strip() == "a replay <here>" and "11" in line and len(repr(book).splitlines()) == before + 2
    assert ">a replay &lt;here&gt;</td>" in book._repr_html_()
    book.add("fista", passes=3)
    assert "a replay" in repr(Ledger(book.path)), "another row's writing keeps it"
    assert book.to_frame().dtypes.eq(float).all()


@pytest.mark.parametrize("content", ["", "{", "[1, 2]", '{"a": 3}', '{"a": {"passes": "many"}}', "\x00"])
def test_an_unreadable_ledger_is_put_aside(book, content, capsys):
    book.path.parent.mkdir(parents=True)
    book.path.write_text(content)
    book.add("newton", passes=4)
    assert "could not be read" in capsys.readouterr().out
    assert book.path.with_name("ledger.unreadable.json").read_text() == content
    assert json.loads(book.path.read_text())["newton"]["passes"] == 4


def test_a_failed_write_leaves_the_old_ledger(book, monkeypatch):
    book.add("newton", passes=4)
    old = book.path.read_text()

    def full_disk(rows, file, **options):
        file.write("{")
        raise OSError("no space left")

    monkeypatch.setattr(json, "dump", full_disk)
    with pytest.raises(OSError, match="no space"):
        book.add("fista", passes=9)
    assert book.path.read_text() == old and os.listdir(book.path.parent) == ["ledger.json"]


def test_the_ledger_lives_in_the_workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("GLMLAB_WORKSPACE", str(tmp_path / "w"))
    teaching.ledger.add("newton", passes=4)
    assert (tmp_path / "w" / "ledger.json").exists()


@pytest.mark.parametrize(("call", "error", "says"), [
    (lambda book: book.add("newton", passes="four"), TypeError, "passes='four'"),
    (lambda book: book.add("newton", gap=np.ones(2)), TypeError, "gap="),
    (lambda book: book.add(" "), TypeError, "method=' '"),
    (lambda book: book.add(None), TypeError, "method=None"),
    (lambda book: book.fill("post: naive solv", gap=1), ValueError, "'post: naive solve'"),
    (lambda book: book.fill("post: naive solve", gaps=1), TypeError, "'gap'"),
])
def test_the_ledger_refuses_by_name(book, call, error, says):
    with pytest.raises(error, match=says):
        call(book)


def test_unknown_gaps_stay_unknown(book):
    book.add("newton", gap=float("nan"))
    book.add("fista", gap=float("inf"))
    assert book.rows()["newton"]["gap"] is None and book.rows()["fista"]["gap"] == float("inf")
    assert "inf" in repr(book)
