"""The machinery of the course: exercises, predictions, the scale, the machine report, the ledger."""

import inspect
import json
import os
import re
import threading
from pathlib import Path

import numpy as np
import pytest

from glmlab import teaching
from glmlab.teaching import Ledger, check, exercise, exercises, guard, hint, predict, scale, solution, use
from glmlab.teaching.engine import typed
from glmlab.teaching.exercise import Exercise, Wrong, require


@pytest.fixture(autouse=True)
def untouched(monkeypatch):
    monkeypatch.delenv("GLMLAB_EXERCISES", raising=False)


def stub_of(found):
    """The function a notebook starts with."""
    namespace = {}
    exec(found.stub, namespace)
    return namespace[found.name]


every_exercise = pytest.mark.parametrize("found", exercises().values(), ids=list(exercises()))


# ---------------------------------------------------------------- all exercises


@every_exercise
def test_our_own_answer_is_right_and_goes_on(found, capsys):
    assert check(found.reference)
    assert use(found.reference) is found.reference
    assert f"Continuing with YOUR {found.name}" in capsys.readouterr().out


@every_exercise
def test_the_stub_goes_on_with_ours(found, capsys):
    stub = stub_of(found)
    assert inspect.signature(stub) == inspect.signature(found.reference)
    assert use(stub) is found.reference
    words = capsys.readouterr().out
    assert f"Continuing with OUR {found.name}; yours is not written yet" in words and "hint(" in words


@every_exercise
def test_every_condition_has_words_and_a_hint(found):
    assert found.checks and found.statement and len(set(found.hints)) == 3
    assert all(condition.name and condition.hint for condition in found.checks)


@every_exercise
def test_solution_shows_source_that_runs(found, capsys):
    solution(found.name)
    shown = capsys.readouterr().out
    kind = "class" if inspect.isclass(found.reference) else "def"
    assert shown == found.source and shown.startswith(f"{kind} {found.name}(")


@every_exercise
def test_hints_come_in_three_levels(found, capsys):
    for level in (1, 2, 3):
        hint(found.name, level)
    said = capsys.readouterr().out.splitlines()
    assert [line.split(" (hint(")[0] for line in said] == list(found.hints)


# ---------------------------------------------------------------- solved mode


def test_solved_mode_types_our_source_into_the_notebook(monkeypatch, capsys):
    monkeypatch.setenv("GLMLAB_EXERCISES", "solved")
    found = exercise("total")
    ours = use(stub_of(found))
    assert ours is not found.reference and ours([np.ones((2, 2))]) == 4
    assert inspect.getsource(ours) == found.source
    assert "typed in for total" in capsys.readouterr().out


def test_solved_mode_sees_only_the_notebooks_imports(monkeypatch):
    monkeypatch.setenv("GLMLAB_EXERCISES", "solved")
    with pytest.raises(AssertionError, match="NameError: name 'dask' is not defined|name 'da' is not defined|np"):
        use(stub_of(exercise("rows")))  # the stub's own namespace imports nothing


class Mine:
    """An exercise may ask for a class."""


def test_a_class_typed_in_sees_what_its_module_sees():
    source = "class Mine:\n    size = np.int64(3)\n"
    assert typed(source, Mine).size == 3


def test_solved_mode_fails_where_our_answer_is_wrong(monkeypatch):
    monkeypatch.setenv("GLMLAB_EXERCISES", "solved")
    monkeypatch.setattr(Exercise, "source", "def total(chunks):\n    return 0.0\n")
    with pytest.raises(AssertionError, match="our own total.*right for one chunk"):
        use(stub_of(exercise("total")))


def test_an_unknown_mode_is_named(monkeypatch):
    monkeypatch.setenv("GLMLAB_EXERCISES", "solve")
    with pytest.raises(ValueError, match="GLMLAB_EXERCISES='solve'.*untouched or solved"):
        use(stub_of(exercise("total")))


# ---------------------------------------------------------------- readers' functions that misbehave


def endless(chunks):
    while True:
        pass


def deaf(chunks):
    while True:
        try:
            sum(range(100))
        except Exception:
            pass


def mutating(chunks):
    chunks[0][:] = 0
    return 0.0


def shortening(chunks):
    return sum(float((chunks.pop() ** 2).sum()) for _ in range(len(chunks)))


def raising(chunks):
    a = 1
    return a / 0


def leaving(chunks):
    exit()


def printing(chunks):
    print(sum(float((chunk**2).sum()) for chunk in chunks))


def texting(chunks):
    return "30"


def many(chunks):
    return [float((chunk**2).sum()) for chunk in chunks]


def too_few():
    return 0.0


def recursing(chunks):
    return recursing(chunks)


@pytest.mark.parametrize(("function", "says"), [
    (endless, "did not end within"),
    (deaf, "did not end within"),
    (mutating, "changed what it was given"),
    (shortening, "changed what it was given"),
    (raising, "ZeroDivisionError: division by zero, at its line 3"),
    (leaving, "SystemExit"),
    (printing, "returned None; it printed, but only return hands an answer back"),
    (texting, "returned a str, not a number"),
    (many, "one number is needed"),
    (too_few, "TypeError.*too_few|TypeError.*total"),
    (recursing, "RecursionError"),
], ids=lambda value: getattr(value, "__name__", ""))
def test_a_misbehaving_function_gets_a_message(function, says, monkeypatch, capsys):
    monkeypatch.setattr(guard, "TIME_LIMIT", 0.3)
    monkeypatch.setattr(function, "__name__", "total")
    threads = threading.active_count()
    verdict = check(function)
    said = capsys.readouterr().out
    assert not verdict and verdict.failed == exercise("total").checks[0].name
    assert len(said.splitlines()) == 1  # no traceback, and nothing that the function printed
    assert re.search(says, said)
    assert threading.active_count() <= threads
    assert use(function) is exercise("total").reference


def test_an_answer_no_condition_foresaw():
    class Odd:
        ndim = property(lambda self: 1 / 0)

    def total(chunks):
        return Odd()

    verdict = check(total)
    assert not verdict and "could not be used" in verdict.message or "returned" in verdict.message


def test_use_says_which_condition_fails_and_the_hint(capsys):
    def total(chunks):
        return float(np.mean([(chunk**2).sum() for chunk in chunks]))

    assert use(total) is exercise("total").reference
    said = capsys.readouterr().out
    assert "Continuing with OUR total; yours fails: right for chunks of unequal length" in said
    assert "(hint: make one chunk short" in said


def test_a_check_leaves_random_state_and_output_alone(capsys):
    np.random.seed(1)
    first = np.random.random()
    np.random.seed(1)
    check(exercise("rows").reference)
    assert np.random.random() == first
    print("still here")
    assert capsys.readouterr().out.endswith("still here\n")


# ---------------------------------------------------------------- names


@pytest.mark.parametrize("call", [hint, solution, exercise])
def test_a_misspelt_name_is_answered_with_the_nearest(call):
    with pytest.raises(ValueError, match="'chunk_row'.*'chunk_rows'"):
        call("chunk_row")


def test_use_of_a_function_with_another_name():
    def totals(chunks):
        return 0.0

    with pytest.raises(ValueError, match="'totals'.*'total'"):
        use(totals)


@pytest.mark.parametrize("given", [3, "total", None])
def test_use_needs_a_function(given):
    with pytest.raises(TypeError, match=f"your function itself.*{type(given).__name__}"):
        use(given)


@pytest.mark.parametrize("level", [0, 4, "2", None])
def test_hint_levels_are_named(level):
    with pytest.raises(ValueError, match="levels 1, 2 and 3"):
        hint("total", level)


def test_hint_takes_the_function_too(capsys):
    hint(exercise("total").reference, 3)
    assert "(chunk**2).sum()" in capsys.readouterr().out


def test_a_name_is_given_once():
    found = exercise("total")
    with pytest.raises(ValueError, match="each name once"):
        Exercise("total", found.statement, found.stub, found.reference, found.hints)


def test_require():
    require(True, "fine")
    with pytest.raises(Wrong, match="broken"):
        require(False, "broken")


def test_reset_asks_the_workspace_and_says_how_to_see_it(monkeypatch, capsys):
    asked = []
    monkeypatch.setattr("glmlab.workspace.reset", lambda name: asked.append(name) or Path("my/00_start.ipynb"))
    assert teaching.reset("00") is None and asked == ["00"]
    said = capsys.readouterr().out
    assert "00_start.old-<n>.ipynb" in said and "File → Reload Notebook from Disk" in said


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
    assert list(frame.columns) == ["passes", "rounds", "tasks", "bytes", "seconds", "error", "zeros", "gap"]
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
    assert "note" not in repr(book)
    book.add("newton", passes=4)
    book.fill("post: ADMM, λ = 7.2", gap=0.012, note="a replay <here>")
    book.fill("post: ADMM, λ = 7.2", rounds=11)  # a note stays until another takes its place
    assert book.rows()["post: ADMM, λ = 7.2"].keys() == book.rows()["newton"].keys()  # numbers only
    [line] = [line for line in repr(book).splitlines() if line.startswith("post: ADMM, λ")]
    assert line.endswith("a replay <here>") and "11" in line
    assert "<td>a replay &lt;here&gt;</td>" in book._repr_html_() and ">note</th>" in book._repr_html_()
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
