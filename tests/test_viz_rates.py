"""Rates: the gap by iteration, the iterations for a digit, and the effect of a step size on each direction."""

import re

import numpy as np
import pytest
from bokeh.models import ColumnDataSource, CustomJS, Slider

from glmlab import viz
from glmlab.viz import rates

SPECTRUM, SHARES = np.array([1.0, 2.0, 4.0, 10.0]), np.array([4.0, 3.0, 2.0, 1.0])


def lines(axes):
    return [line.get_ydata() for line in axes.lines]


# ---------------------------------------------------------------- the gap by iteration


def test_gap_curves_draw_what_they_are_given_and_say_both_ends():
    picture = viz.gap_curves({"a": [8.0, 4.0, 2.0], "b": [1.0, 10.0]})
    assert [list(line) for line in lines(picture.figure.axes[0])] == [[8, 4, 2], [1, 10]]
    assert picture.figure.axes[0].get_yscale() == "log"
    assert picture.finding == "a: from 8.0e+00 to 2.0e+00 in 2 iterations; b: from 1.0e+00 to 1.0e+01 in 1 iteration."
    rounds = viz.gap_curves({"a": [4.0, 2.0]}, step="round")
    assert rounds.figure.axes[0].get_xlabel() == "round" and rounds.finding.endswith("in 1 round.")
    assert "on a logarithmic scale" in rounds.alt


def test_values_without_a_logarithm_are_left_out():
    [line] = lines(viz.gap_curves({"a": [1.0, 0.0, -1e-20, np.inf, 0.5]}).figure.axes[0])
    assert np.array_equal(line, [1, np.nan, np.nan, np.nan, 0.5], equal_nan=True)


@pytest.mark.parametrize("curves", [{}, {"a": [1.0]}, {"a": [[1.0, 2.0]]}])
def test_gap_curves_say_what_they_need(curves):
    with pytest.raises(ValueError, match="two or more values"):
        viz.gap_curves(curves)


def test_a_panel_shows_how_many_times_the_gap_a_bound_is_and_between_which_numbers():
    picture = viz.bound_and_gap([12.0, 3.0, 1.1], [4.0, 2.0, 1.0], kappa=9.0, title="Nearly the gap")
    above, below = picture.figure.axes
    assert [list(line) for line in lines(above)] == [[12, 3, 1.1], [4, 2, 1]]
    quotient, *limits = lines(below)
    assert list(quotient) == [3, 1.5, 1.1] and [set(limit) for limit in limits] == [{9.0}, {1}]
    low, high = below.get_ylim()
    assert low < 1 and high > 9, "both limits are seen"
    assert picture.finding == "Bound ÷ gap: 3 at first, 1.5 after one iteration, 1.1 at the end."
    assert above.get_title("left") == "Nearly the gap" and picture.finding in picture.alt


@pytest.mark.parametrize(("bounds", "gaps"), [([1.0], [1.0]), ([1.0, 2.0], [1.0]), ([[1.0, 2.0]], [[1.0, 2.0]])])
def test_a_bound_and_a_gap_have_as_many_values(bounds, gaps):
    with pytest.raises(ValueError, match="two or more values each"):
        viz.bound_and_gap(bounds, gaps, kappa=2.0, title="")


# ---------------------------------------------------------------- the price of a digit


@pytest.mark.parametrize(("rate", "cost"), [(0.1, 1), (0.01, 0.5), (10**-0.1, 10), (1.0, np.inf), (1.5, np.inf)])
def test_a_digit_costs_so_many_iterations_that_the_distance_falls_tenfold(rate, cost):
    assert np.isclose(rates.digit_cost(rate), cost) and (rate >= 1 or np.isclose(rate**cost, 0.1))


def test_rates_say_how_far_off_the_prediction_is():
    predicted = {"1/L": np.array([0.1, 0.01])}
    picture = viz.rate_by_kappa([2, 9], predicted, {"1/L": np.array([0.1, 10**-1.6])})
    line, dots = lines(picture.figure.axes[0])
    assert np.allclose(line, [1, 0.5]) and np.allclose(dots, [1, 0.625])
    assert "at most 25.0%" in picture.finding and "0.625 iterations with step 1/L" in picture.finding


def test_every_condition_number_that_was_measured_stands_at_the_axis():
    kappas = np.array([2, 5, 9, 20, 50, 100])
    axes = viz.rate_by_kappa(kappas, {"1/L": 1 - 1 / kappas}, {"1/L": 1 - 1 / kappas}).figure.axes[0]
    axes.figure.canvas.draw()
    assert [text.get_text() for text in axes.get_xticklabels() if text.get_visible()] == list(map(str, kappas))


# ---------------------------------------------------------------- the slider


def replay(step, iterations):
    """Gradient descent on the quadratic, in the basis of the eigenvectors."""
    e = np.sqrt(2 * SHARES / SPECTRUM)
    found = []
    for _ in range(iterations + 1):
        found.append((SPECTRUM * e**2).sum() / 2)
        e = e - step * SPECTRUM * e
    return np.array(found) / found[0]


@pytest.mark.parametrize("step", [0.05, 0.1, 2 / 11, 0.205])
def test_gaps_are_those_of_gradient_descent(step):
    found = rates.gaps(SPECTRUM / 10, SHARES / 10, step * 10, 30)
    assert np.allclose(found, replay(step, 30), rtol=1e-12)


def test_the_static_twin_shows_the_rate_and_three_runs():
    picture = viz.step_slider(SPECTRUM, SHARES, iterations=20)
    left, right = picture.figure.axes
    t, rate = left.lines[0].get_data()
    assert np.allclose(rate, np.maximum(abs(1 - t), abs(1 - t / 10)))
    assert np.isclose(t[rate.argmin()], 2 / 1.1, atol=0.01)
    drawn = {line.get_label(): line.get_ydata() for line in left.lines}
    assert np.allclose(drawn["the flattest direction"], abs(1 - t / 10))
    assert np.allclose(drawn["the steepest direction"], abs(1 - t))
    for line, step in zip(right.lines, (0.1, 2 / 11, 0.205), strict=True):
        assert np.allclose(line.get_ydata(), replay(step, 20))
    assert "At κ = 10 step 1/L multiplies the distance by at most 0.9 an iteration" in picture.finding
    assert "step 2/(L + μ) by at most 0.818" in picture.finding


def test_the_slider_needs_no_kernel():
    model = viz.step_slider(SPECTRUM, SHARES, iterations=20, start=1.5).interactive
    [slider] = model.select({"type": Slider})
    [move] = slider.js_property_callbacks["change:value"]
    assert isinstance(move, CustomJS) and rates.STEPS[slider.value] == 1.5 and rates.STEPS[slider.end] > 2
    assert np.allclose(move.args["relative"], SPECTRUM / 10) and np.isclose(sum(move.args["shares"]), 1)
    assert all(isinstance(move.args[name], ColumnDataSource) for name in ("dots", "curve"))
    assert list(move.args["curve"].data["x"]) == list(range(21))
    used = set(re.findall(r"\b(slider|steps|relative|shares|dots|curve|words|good|bad|least)\b", move.code))
    assert used == set(move.args), "the script uses what it is given"


@pytest.mark.parametrize(("values", "shares"), [([0.0, 1.0], [1, 1]), ([1.0, 2.0], [1, 1, 1]), ([[1.0]], [[1.0]])])
def test_the_slider_says_what_it_needs(values, shares):
    with pytest.raises(ValueError, match="eigenvalues.*positive"):
        viz.step_slider(values, shares)
