"""The machinery of the exercises: use, check, hint, solution, and answers that misbehave."""

import inspect
import re
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from glmlab import teaching
from glmlab.teaching import check, engine, exercise, exercises, guard, hint, resets, solution, use
from glmlab.teaching.engine import typed
from glmlab.teaching.exercise import Exercise, Wrong, _registry, recognised, require


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


def retyped(found):
    """Our solution as a reader would type it: another function with the same source."""
    return typed(found.source, found.reference)


@every_exercise
def test_our_own_answer_is_right_and_goes_on_as_the_readers(found, capsys):
    answer = retyped(found)
    assert check(answer)
    assert use(answer) is answer
    assert f"Continuing with YOUR {found.name}" in capsys.readouterr().out


@every_exercise
def test_the_stub_goes_on_with_ours(found, capsys):
    stub = stub_of(found)
    assert inspect.signature(stub) == inspect.signature(found.reference)
    assert use(stub) is found.reference
    words = capsys.readouterr().out
    assert f"Continuing with OUR {found.name}; yours is not written yet" in words and "hint(" in words


@every_exercise
def test_a_check_cell_that_runs_twice_praises_nobody_for_our_code(found, capsys):
    name = use(stub_of(found))  # as in `shrink = use(shrink)`
    capsys.readouterr()
    for _ in range(2):
        name = use(name)
        said = capsys.readouterr().out
        assert name is found.reference and f"Continuing with OUR {found.name}; yours is not written yet" in said
        assert "YOUR" not in said and "run the cell that defines it" in said
    assert check(name)
    said = capsys.readouterr().out
    assert said.startswith(f"This is OUR {found.name}") and "yours is not written yet" in said


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


def asleep(chunks):
    time.sleep(2)
    return 0.0


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
    (asleep, "did not end within"),
    (mutating, "changed what it was given"),
    (shortening, "changed what it was given"),
    (raising, "ZeroDivisionError: division by zero, at its line 3"),
    (leaving, "SystemExit"),
    (printing, "returned None; it printed, but only return hands an answer back"),
    (texting, "returned '30', a str, not a number"),
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


def test_a_slow_machine_refuses_nobody(monkeypatch):
    """The clock may run on while another program has the processor."""
    monkeypatch.setattr(guard, "TIME_LIMIT", 0.2)

    def total(chunks):
        time.sleep(0.15)  # two calls in a condition take longer than the limit, and no processor time
        return sum(float((chunk**2).sum()) for chunk in chunks)

    monkeypatch.setattr(exercise("total"), "checks", exercise("total").checks[:1])
    assert check(total)
    monkeypatch.setattr(guard, "PATIENCE", 0.1)
    assert "did not end within" in check(total).message


def test_an_answer_no_condition_foresaw():
    class Odd:
        ndim = property(lambda self: 1 / 0)

    def total(chunks):
        return Odd()

    verdict = check(total)
    assert not verdict and "could not be used" in verdict.message or "returned" in verdict.message


def of_the_mean(chunks):
    return float(np.mean([(chunk**2).sum() for chunk in chunks]))


def test_use_says_which_condition_fails_and_the_hint(capsys, monkeypatch):
    monkeypatch.setattr(of_the_mean, "__name__", "total")
    assert use(of_the_mean) is exercise("total").reference
    said = capsys.readouterr().out
    assert "Continuing with OUR total; yours fails: right for chunks of unequal length" in said
    assert "(hint: sum over the chunks, do not take a mean)" in said


def test_after_another_answer_use_says_what_that_one_lacks(capsys, monkeypatch):
    monkeypatch.setattr(of_the_mean, "__name__", "total")
    total = use(of_the_mean)
    capsys.readouterr()
    assert use(total) is total
    said = capsys.readouterr().out
    assert "Continuing with OUR total; yours fails: right for chunks of unequal length" in said
    assert "do not take a mean" in said
    mine = retyped(exercise("total"))
    assert use(mine) is mine and "YOUR" in capsys.readouterr().out
    assert use(mine) is mine and "YOUR" in capsys.readouterr().out, "as often as the cell runs"


def test_our_function_that_nobody_put_there_is_called_ours(capsys, monkeypatch):
    monkeypatch.setattr(engine, "_replaced", {})
    assert use(exercise("total").reference) is exercise("total").reference
    assert "Continuing with OUR total; it is our solution, not an answer of yours" in capsys.readouterr().out


def test_a_condition_may_explain_errors():
    found = Exercise("one", "", "", one, ("a", "b", "c"))
    found.condition("halved", hint="divide by two", errors=True)(lambda answer: answer(0))
    found.condition("doubled", hint="times two")(lambda answer: answer(0))
    try:
        assert "division by zero, at its line 2 (hint: divide by two)" in check(one).message
        del found.checks[0]
        assert check(one).message.endswith("division by zero, at its line 2") and check(one).hint is None
    finally:
        del _registry["one"]


def one(x):
    return 1 / x


def test_a_recognised_mistake_has_a_hint_of_its_own():
    assert recognised([1.0, 2.0], {"halves": [0.5, 1.0], "the same": [1.0, 2.0]}) == "the same"
    assert recognised(3.0, {"an array": [3.0], "infinite": np.inf, "other": 3.1}) is None
    with pytest.raises(Wrong, match="so") as caught:
        require(False, "so", lambda: "try this")
    assert caught.value.hint == "try this"


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


def squares(chunks):
    return sum(np.vdot(chunk, chunk) for chunk in chunks)


@pytest.mark.parametrize(("function", "goes_on"), [
    (lambda chunks: sum(np.vdot(chunk, chunk) for chunk in chunks), "YOUR total: right"),
    (lambda chunks: 0.0, "OUR total; yours fails"),
    (squares, "YOUR total: right"),
], ids=["right lambda", "wrong lambda", "a function with another name"])  # fmt: skip
def test_a_function_is_judged_under_the_name_that_the_notebook_gave_it(function, goes_on, monkeypatch, capsys):
    monkeypatch.setitem(globals(), "total", function)
    monkeypatch.setattr(function, "__name__", function.__name__)  # is restored
    assert bool(check(total)) == ("YOUR" in goes_on)  # noqa: F821 - set above, as by a cell of a notebook
    use(total)  # noqa: F821
    assert f"Continuing with {goes_on}" in capsys.readouterr().out


def test_a_function_that_has_no_name_in_the_notebook_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match="no exercise is called '<lambda>'"):
        use(lambda chunks: 0.0)
    with pytest.raises(ValueError, match="no exercise is called 'sum'"):
        use(np.sum)


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


@pytest.mark.parametrize(("old", "says"), [
    (Path("my/00_start.old-3.ipynb"), "What you saved last is kept beside it as 00_start.old-3.ipynb."),
    (None, "There was no older copy to keep."),
])  # fmt: skip
def test_reset_asks_the_workspace_and_says_what_was_kept_and_how_to_see_it(monkeypatch, capsys, old, says):
    asked, displayed = [], []
    made = Path("my/00_start.ipynb"), old
    monkeypatch.setattr("IPython.display.display", displayed.append)
    monkeypatch.setattr(resets, "fresh_copy", lambda name: asked.append(name) or made)
    assert teaching.reset("00") is None and asked == ["00"]
    said = capsys.readouterr().out
    [shown] = displayed
    assert isinstance(shown, resets.Reload), "JupyterLab shows its button"
    assert said.startswith(f"00_start.ipynb is fresh again. {says} Your ledger, your progress and your data stay")
    assert "File → Reload Notebook from Disk" in repr(shown)


def test_the_button_of_a_reset_runs_a_command_of_jupyterlab():
    html = resets.Reload()._repr_html_()
    assert "<button" in html and "data-commandlinker-command='docmanager:reload'" in html
    assert resets.Reload.WORDS in html
