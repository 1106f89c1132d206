"""Paths of penalties with a switch between them, and prices of slopes."""

import re

import numpy as np
import pytest
from bokeh.models import CustomJS, Div, RadioGroup

from glmlab import Gamma, Gaussian, Poisson, viz

LAMS = [1.0, 10.0, 100.0]  # increasing; the figure shows them decreasing
BETAS = [[2.0, -1.0], [1.0, 0.0], [0.0, 0.0]]
RIDGE = [[1.5, -0.9], [1.0, -0.5], [0.1, -0.1]]
PLAIN = [2.2, -1.1]


@pytest.fixture
def picture():
    paths = {"L1": (LAMS, BETAS), "ridge": (np.multiply(3, LAMS), RIDGE)}
    return viz.penalty_paths(paths, PLAIN, names=["Friday", "June"])


def test_each_panel_has_its_curves_and_the_coefficients_without_a_penalty(picture):
    for ax, betas in zip(picture.figure.axes, (BETAS, RIDGE), strict=True):
        named = {line.get_label(): line for line in ax.lines if line.get_label() in ("Friday", "June")}
        for j, name in enumerate(("Friday", "June")):
            assert np.array_equal(named[name].get_ydata(), np.array(betas)[::-1, j])
        levels = [ys[0] for line in ax.lines if len(ys := line.get_ydata()) and np.ptp(ys) == 0]
        assert {*PLAIN, 0.0} <= set(levels) and ax.xaxis_inverted()


def test_the_levels_without_a_penalty_have_names_and_near_ones_share_a_text(picture):
    written = {text.get_text(): text.xy[1] for text in picture.figure.axes[1].texts}
    assert written == {"Friday": 2.2, "June": -1.1} and not picture.figure.axes[0].texts
    flat = {"L1": (LAMS, np.zeros((3, 3)))}
    near = viz.penalty_paths(flat, [1.0, 0.99, -1.0], names=["a", "b", "c"], ylabel="log odds")
    [ax] = near.figure.axes
    assert [(text.get_text(), text.xy[1]) for text in ax.texts] == [("a\nb", pytest.approx(0.995)), ("c", -1.0)]
    assert ax.get_ylabel() == "log odds"


def test_the_title_says_which_penalty_makes_zeros(picture):
    assert picture.figure.get_suptitle() == "L1 makes coefficients exactly zero; ridge makes none zero"
    paths = {"a ridge": (LAMS, RIDGE)}
    assert viz.penalty_paths(paths, PLAIN).figure.get_suptitle() == "a ridge makes none zero"


def test_the_finding_counts_zeros_at_three_places(picture):
    assert "L1: 2, 1 and 0 of 2 coefficients are zero at λ = 100, 10 and 1" in picture.finding
    assert "ridge: no coefficient is ever zero, and ‖β‖ = 0.141, 1.12 and 1.75 at λ = 300, 30 and 3" in picture.finding
    assert f"Without a penalty nothing is zero and ‖β‖ = {np.hypot(*PLAIN):.3g}" in picture.finding


def test_the_switch_needs_no_kernel_and_each_choice_has_its_words(picture):
    [radio], [words] = (picture.interactive.select({"type": kind}) for kind in (RadioGroup, Div))
    [move] = radio.js_property_callbacks["change:active"]
    assert isinstance(move, CustomJS) and radio.labels == ["L1", "ridge", "no penalty"] and radio.active == 0
    assert move.args["heights"] == [np.array(BETAS)[::-1].T.tolist(), np.array(RIDGE)[::-1].T.tolist(),
                                    [[value] * 3 for value in PLAIN]]  # fmt: skip
    assert move.args["views"][1] == [300, 30, 3] and move.args["starts"] == [100, 300, 100]
    said = [re.sub("<.*?>", "", text) for text in move.args["texts"]]
    assert all(text.rstrip(".") in picture.finding for text in said) and words.text == move.args["texts"][0]
    assert [list(curve.data["y"]) for curve in move.args["curves"]] == move.args["heights"][0]


@pytest.mark.parametrize(("lams", "betas", "names", "says"), [
    ([1.0], [[1.0, 1.0]], None, "two or more"),
    ([0.0, 1.0], [[1.0, 1.0]] * 2, None, "positive"),
    ([1.0, 2.0], [[1.0]] * 2, None, "2 columns"),
    ([1.0, 2.0], [[1.0, 1.0]] * 2, ["a"], "1 names for 2 coefficients"),
])  # fmt: skip
def test_penalty_paths_refuses_by_name(lams, betas, names, says):
    with pytest.raises(ValueError, match=says):
        viz.penalty_paths({"L1": (lams, betas)}, PLAIN, names=names)


def quotient(family, ts):
    return family.price(ts, np.zeros_like(ts), np.ones_like(ts)) / (family.d2loss(np.zeros_like(ts), 1.0) * ts**2 / 2)


def test_prices_say_where_they_are_dear_and_where_they_end():
    ts = np.array([-1.2, -1.0, -0.1, 0.1, 1.0, 1.2])
    families = {"least squares": Gaussian(), "Poisson": Poisson(), "Gamma": Gamma()}
    picture = viz.prices(ts, {name: quotient(family, ts) for name, family in families.items()})
    assert "least squares: 1 everywhere" in picture.finding
    assert "Poisson: up to 2, at t = −1.00, infinite below −1.00" in picture.finding
    assert "Gamma: up to 2, at t = 1.00, infinite above 1.00" in picture.finding
    assert "within 3." in picture.finding  # ⅓ of |t|
    drawn = picture.figure.axes[0].lines[1].get_ydata()
    assert np.isnan(drawn[0]) and drawn[1] == pytest.approx(2)


def test_prices_want_one_number_for_each_t():
    with pytest.raises(ValueError, match=r"a has shape \(1,\)"):
        viz.prices([0.1, 0.2], {"a": [1.0]})
