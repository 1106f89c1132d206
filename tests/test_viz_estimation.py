"""Errors against rows and coefficients against λ: the curves and the points."""

import numpy as np
import pytest

from glmlab import viz
from glmlab.viz.estimation import largest_normal, line


def test_quantiles_of_the_largest_normal_are_those_of_a_simulation():
    largest = np.abs(np.random.default_rng(0).standard_normal((40_000, 20))).max(axis=1)
    for q in (0.01, 0.5, 0.99):
        assert np.mean(largest <= largest_normal(q, 20)) == pytest.approx(q, abs=4 * np.sqrt(q * (1 - q) / 40_000))


def test_the_band_holds_the_error_of_least_squares():
    rng, n, p, inside = np.random.default_rng(1), 60, 20, 0
    low, high = (largest_normal(q, p) / np.sqrt(n - p - 1) for q in (0.01, 0.99))
    for _ in range(300):
        X, noise = rng.standard_normal((n, p)), rng.standard_normal(n)
        inside += low <= np.abs(np.linalg.lstsq(X, noise, rcond=None)[0]).max() <= high
    assert inside >= 0.93 * 300  # 0.98 for XᵀX = nI; with three rows a coefficient the spread is a little larger


def test_points_the_line_and_the_post():
    picture = viz.error_by_rows([500, 2_000], [0.12, 0.05], 100, others={"the post": (1_000_000, 0.0025)})
    drawn = {artist.get_label(): artist.get_xydata() for artist in picture.figure.axes[0].lines}
    assert np.array_equal(drawn["measured here"], [[500, 0.12], [2_000, 0.05]])
    assert np.array_equal(drawn["the post"], [[1e6, 0.0025]])
    n, error = drawn["√(2 log p / n)"].T
    assert np.allclose(error, line(n, 100)) and n.min() < 500 and n.max() > 1e6
    assert f"is {0.05 / line(2_000, 100):.2f} to {0.12 / line(500, 100):.2f} of" in picture.finding
    assert f"the post is at {0.0025 / line(1e6, 100):.2f} of it" in picture.finding


@pytest.mark.parametrize(("rows", "errors", "says"), [
    ([500, 900], [0.1], "one error for each"), ([101], [0.1], r"more than p \+ 1 rows"),
])
def test_error_by_rows_refuses_by_name(rows, errors, says):
    with pytest.raises(ValueError, match=says):
        viz.error_by_rows(rows, errors, 100)


def test_coefficients_are_drawn_by_falling_lam():
    picture = viz.coefficients([1, 10], [[3, -1], [0.1, 0]])
    curves = [curve.get_xydata().tolist() for curve in picture.figure.axes[0].lines[1:]]
    assert curves == [[[10, 0.1], [1, 3]], [[10, 0], [1, -1]]]
    assert "As λ falls from 10 to 1, ‖β‖ goes from 0.1 to 3.16 and from 1 to 2 of 2 coefficients" in picture.finding


def test_a_lam_may_be_marked():
    axes = viz.coefficients([1, 10], [[3, -1], [0.1, 0]], mark={"here": 2}).figure.axes[0]
    assert sum(list(line.get_xdata()) == [2, 2] for line in axes.lines) == 1
    assert [(text.get_text().strip(), text.get_position()[0]) for text in axes.texts] == [("here", 2)]


@pytest.mark.parametrize(("lams", "betas"), [([0, 1], np.ones((2, 3))), ([1, 2], np.ones((3, 2))), ([1, 2], [1, 2])])
def test_coefficients_refuse_by_name(lams, betas):
    with pytest.raises(ValueError, match="one for each row of betas"):
        viz.coefficients(lams, betas)


def test_lams_without_coefficients_are_refused():
    with pytest.raises(TypeError, match="what path.. returned, or lams and betas; got list alone"):
        viz.coefficients([1.0, 2.0])
