"""Bounds in pictures: the tangent and its price, bounds over λ, stopping rules, three errors."""

import re

import numpy as np
import pytest
from bokeh.models import ColumnDataSource, CustomJS, Div, Plot, Slider

from glmlab import Gaussian, viz

RATIOS = [1e-6, 1e-3, 0.5]
GAPS = [1e-9, 2e-9, 1e-9]
BOUNDS = {"scaled gap": [2e-2, 4e-5, np.inf], "corrected": [1e-9, 2.2e-9, 1e-8]}


@pytest.fixture
def bounds():
    return viz.bounds_by_lam(RATIOS, GAPS, BOUNDS, start=2e-3)


def curves(picture):
    return {line.get_label(): np.asarray(line.get_ydata()) for line in picture.figure.axes[0].lines}


# ---------------------------------------------------------------- the tangent


@pytest.mark.parametrize("t", [-1.3, 0.0, 0.7])
def test_lines_lie_below_the_loss_and_touch_it(t):
    y, eta, lines = 1.0, 2.2, curves(viz.tangent(1.0, 2.2, t))
    us = viz.tangent(y, eta, t).figure.axes[0].lines[0].get_xdata()
    loss = Gaussian().loss(us, y)
    assert np.array_equal(lines["ℓ(v) = (y − v)²"], loss)
    for label, touch in (("slope θ = ℓ′(η)", eta), ("slope θ = ℓ′(η) + 2t", eta + t)):
        line, theta = lines[label], Gaussian().dloss(touch, y)
        assert np.all(line <= loss + 1e-12)
        assert np.allclose(line, theta * us - Gaussian().conjugate(theta, y)), "the highest line of its slope"


def test_the_price_of_a_slope_is_t_squared():
    for y, eta, t in ((1.0, 2.2, -1.2), (-2.0, 0.5, 0.3)):
        found = viz.tangent(y, eta, t).finding
        price = float(re.search(r"which is ([\d.]+) = t²", found)[1])
        assert price == pytest.approx(Gaussian().price(t, eta, y), abs=0.006) and "<" not in found


def test_the_tangents_slider_needs_no_kernel():
    picture = viz.tangent(1.0, 2.2, -1.2)
    [slider], [words] = (picture.interactive.select({"type": kind}) for kind in (Slider, Div))
    [move] = slider.js_property_callbacks["change:value"]
    assert isinstance(move, CustomJS) and slider.value == -1.2 and move.args["words"] is words
    assert re.sub("<.*?>", "", words.text) == picture.finding.replace("t²", "t2")


# ---------------------------------------------------------------- bounds over λ


def test_all_bounds_and_the_gap_are_drawn(bounds):
    drawn = curves(bounds)
    assert list(drawn) == ["scaled gap", "corrected", "true gap F(β) − F*"]
    for name, values in {**BOUNDS, "true gap F(β) − F*": GAPS}.items():
        assert np.array_equal(drawn[name], values)


def test_the_finding_compares_at_the_start(bounds):
    assert "At λ/λ_max = 1.0e-03 scaled gap is 2e4 times the gap and corrected is 1.10 times the gap." in bounds.finding


def test_the_titles_name_the_farthest_and_the_nearest_bound_with_their_ranges(bounds):
    said = "Farthest: scaled gap, 2e4 to 2e7 times the gap\nNearest: corrected, 1.00 to 10 times the gap"
    [figure] = bounds.interactive.select({"type": Plot})
    assert bounds.figure.axes[0].get_title(loc="left") == figure.title.text == said
    both = viz.bounds_by_lam(RATIOS, GAPS, {"none": 3 * [np.inf], "sharp": GAPS}, start=1e-3).figure.axes[0]
    assert both.get_title(loc="left") == "Farthest: none, no bound\nNearest: sharp, 1.00 times the gap"


def test_the_moving_twin_has_the_same_numbers_and_a_text_for_each_ratio(bounds):
    [slider], [words] = (bounds.interactive.select({"type": kind}) for kind in (Slider, Div))
    [move] = slider.js_property_callbacks["change:value"]
    assert isinstance(move, CustomJS) and RATIOS[slider.value] == 1e-3
    assert move.args["ratios"] == RATIOS and move.args["heights"] == [GAPS, *BOUNDS.values()]
    assert words.text == move.args["texts"][1] and len(move.args["texts"]) == len(RATIOS)
    assert "no bound" in move.args["texts"][2] and ">10<" in move.args["texts"][2]
    [dots] = [source.data for source in bounds.interactive.select({"type": ColumnDataSource}) if "color" in source.data]
    assert list(dots["y"]) == [2e-9, 4e-5, 2.2e-9]


@pytest.mark.parametrize(("ratios", "gaps", "values", "says"), [
    ([1e-3], [1.0], [1.0], "two or more"),
    ([1e-3, 1e-4], [1.0, 1.0], [1.0, 1.0], "increasing"),
    ([0, 1e-4], [1.0, 1.0], [1.0, 1.0], "positive λ/λ_max"),
    ([1e-4, 1e-3], [1.0, 1.0], [1.0], r"a has shape \(1,\)"),
    ([1e-4, 1e-3], [1.0], [1.0, 1.0], r"gaps has shape \(1,\)"),
    ([1e-4, 1e-3], [1.0, 0.0], [1.0, 1.0], "gaps must be positive"),
])
def test_bounds_by_lam_refuses_by_name(ratios, gaps, values, says):
    with pytest.raises(ValueError, match=says):
        viz.bounds_by_lam(ratios, gaps, {"a": values}, start=1e-3)


# ---------------------------------------------------------------- stopping, and what is left


def test_each_rule_is_marked_where_it_stops():
    gaps = 10.0 ** -np.arange(8)
    picture = viz.stops({"run": (gaps, {"change": 2, "certificate": 6, "residual": None})}, tol=1e-4)
    drawn = curves(picture)
    assert drawn["change"] == [1e-2] and drawn["certificate"] == [1e-6] and "residual" not in drawn
    assert "change: iteration 2, where the gap is 100 times that" in picture.finding
    assert "certificate: iteration 6, where the gap is 0.01 times that" in picture.finding
    assert "residual: never in 7 iterations" in picture.finding
    assert picture.figure.axes[0].get_title(loc="left") == "Stopped too early: change"


def test_the_title_says_so_if_no_rule_stops_too_early():
    picture = viz.stops({"run": ([1, 0.1, 0.01], {"certificate": 2, "residual": None})}, tol=0.01)
    assert picture.figure.axes[0].get_title(loc="left") == "No rule stops too early"


def test_two_runs_have_a_line_each_and_the_title_says_which_run_a_rule_stops_too_early():
    gaps = 10.0 ** -np.arange(8)
    runs = {"long step": (gaps, {"change": 5, "fall": 1}), "short step": (gaps**0.5, {"change": 5, "fall": 1})}
    picture = viz.stops(runs, tol=1e-4)
    [axes] = picture.figure.axes
    assert axes.get_title(loc="left") == "Stopped too early: fall (all runs) and change (short step)"
    said = ["gap, long step (filled marks)", "change", "fall", "gap, short step (hollow marks)", "tolerance 1e-04"]
    assert axes.get_legend_handles_labels()[1] == said, "each rule once"
    shown = [text.get_text() for text in picture.figure.legends[0].get_texts()]
    assert shown == [said[0], said[3], said[4], "change", "fall"], "the lines stand before the marks"
    marks = {tuple(line.get_ydata()) for line in axes.lines if len(line.get_ydata()) == 1}
    assert marks == {(run[0][k],) for run in runs.values() for k in (5, 1)}


@pytest.mark.parametrize("late", [3, -1])
def test_a_rule_cannot_stop_outside_of_the_run(late):
    with pytest.raises(ValueError, match="run has iterations 0 to 2"):
        viz.stops({"run": ([1, 0.1, 0.01], {"late": late})}, tol=1e-4)


def test_three_errors_say_where_the_distance_levels_off():
    gaps = np.append(10.0 ** -np.arange(9), 0)
    distances = np.maximum(10.0 ** -np.arange(10), 3e-3)
    picture = viz.three_errors(gaps, {0: 10, 4: 1e-3, 9: 1e-12}, distances, noise=4e-3)
    solver, truth = ({line.get_label(): line.get_ydata() for line in ax.lines} for ax in picture.figure.axes)
    assert list(solver) == ["F(β) − F*", "its certificate"], "losses and coefficients have no axis in common"
    assert np.isnan(solver["F(β) − F*"][-1])
    assert np.array_equal(truth[r"$\|\beta-\beta_{\mathrm{true}}\|_\infty$"], distances)
    assert "From iteration 3 on ‖β − β_true‖∞ stays near 0.003, where √(2 log p / n) = 0.004" in picture.finding
    assert "falls from 1e-03 to 1e-12" in picture.finding


def test_three_errors_need_one_of_each():
    with pytest.raises(ValueError, match="for each iteration"):
        viz.three_errors([1, 2], {0: 1}, [1], noise=1)
