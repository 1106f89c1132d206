"""Digits against the condition number: their count, the finding, and a slider that works without a kernel."""

import re

import numpy as np
import pytest
from bokeh.models import ColumnDataSource, CustomJS, Div, Slider

from glmlab import viz
from glmlab.viz import conditioning

KAPPAS = [1, 1e3, 1e6, 1e9]
TRUTH = np.array([0.25, 0.975712033194204])


def off_by(*errors):
    """Answers with given relative errors, all in the second coefficient."""
    return TRUTH + np.outer(errors, [0, np.linalg.norm(TRUTH)])


@pytest.fixture
def picture():
    return viz.digits_left(KAPPAS, {"normal": off_by(0, 1e-10, 1e-4, 3.0), "QR": off_by(0, 1e-13, 1e-10, 1e-7)}, TRUTH)


def curves(picture):
    return {line.get_label(): line.get_ydata() for line in picture.figure.axes[0].lines}


def test_digits_are_minus_log10_of_the_relative_error(picture):
    assert np.allclose(curves(picture)["normal"], [16, 10, 4, 0], atol=0.01)
    assert np.allclose(curves(picture)["QR"], [16, 13, 10, 7], atol=0.01)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_answer_that_is_no_number_has_no_digits(bad):
    picture = viz.digits_left([1, 10], {"a": [[bad], [1.0]]}, [1.0])
    assert list(curves(picture)["a"]) == [0, 16]


def test_bounds_fall_by_one_and_by_two_digits_for_ten_times_the_condition(picture):
    one, two = (curves(picture)[f"estimate {name}"] for name in conditioning.BOUNDS)
    assert np.allclose(np.diff(one), -3) and np.allclose(np.diff(two), -6)


def test_the_finding_speaks_of_the_start(picture):
    assert "At κ(X) = 1e6 rounding leaves 4.0 digits with normal and 10.0 digits with QR" in picture.finding
    assert picture.finding.endswith("10.0 digits with QR. No digit is left with normal from 1e9 on.")


def test_the_slider_needs_no_kernel_and_starts_where_it_is_told(picture):
    [slider], [words] = (picture.interactive.select({"type": kind}) for kind in (Slider, Div))
    [move] = slider.js_property_callbacks["change:value"]
    assert isinstance(move, CustomJS) and KAPPAS[slider.value] == 1e6
    assert move.args["kappas"] == KAPPAS and words.text == move.args["texts"][slider.value]
    assert np.allclose(move.args["digits"], [[16, 10, 4, 0], [16, 13, 10, 7]], atol=0.01)


def test_the_moving_twin_has_the_same_numbers(picture):
    sources = [source.data for source in picture.interactive.select({"type": ColumnDataSource})]
    static = [curves(picture)[name] for name in ("normal", "QR")]
    for curve in static:
        assert any(len(data["y"]) == len(KAPPAS) and np.array_equal(data["y"], curve) for data in sources)
    [dots] = [data for data in sources if "color" in data]
    assert list(dots["y"]) == [curve[2] for curve in static]  # at the start, κ = 1e6


def test_right_digits_are_marked(picture):
    [words] = picture.interactive.select({"type": Div})
    rows = dict(re.findall(r"<th[^>]*>(.*?)</th>.*?>([\d.]*)</b>", words.text))
    assert rows == {"β<sub>1</sub>": "0.975712033194204", "normal": "0.975", "QR": "0.975712033"}


@pytest.mark.parametrize(("number", "right"), [
    ("0.975712033194204", "0.975712033194204"), ("0.975799", "0.9757"), ("0.1", ""), ("-0.975", ""), ("3.9e+20", ""),
])
def test_right_digits_end_at_the_first_wrong_one(number, right):
    assert f">{right}</b>" in conditioning._row("a", number, "0.975712033194204", "")


@pytest.mark.parametrize(("kappas", "answers", "says"), [
    ([1], {"a": [[1.0]]}, "two or more"),
    ([10, 1], {"a": [[1.0], [1.0]]}, "increasing"),
    ([0.5, 1], {"a": [[1.0], [1.0]]}, "at least 1"),
    ([1, 10], {"a": [[1.0]]}, r"answers of a have shape \(1, 1\)"),
])
def test_digits_left_refuses_by_name(kappas, answers, says):
    with pytest.raises(ValueError, match=says):
        viz.digits_left(kappas, answers, [1.0])
