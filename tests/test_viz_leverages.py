"""Leverages: the picture shows the rows that pull hardest, their numbers and Cook's distances."""

import dask.array as da
import numpy as np
import pytest

import glmlab
from glmlab import viz
from glmlab.inference import influences


def inferred(lazy=False, family="poisson"):
    """Rows of a Poisson model; row 31 is far from the others, and its count is wrong."""
    rng = np.random.default_rng(7)
    X = rng.normal(size=(400, 2))
    y = rng.poisson(np.exp(0.5 + 0.4 * X[:, 0])).astype(float)
    X[31], y[31] = 4.0, 1.0
    if lazy:
        X, y = (da.from_array(values, chunks=(150, *values.shape[1:])) for values in (X, y))
    return glmlab.infer(glmlab.fit(X, y, family=family, fit_intercept=True), X, y)


def drawn(axes, label):
    """The points of a curve, (points, 2)."""
    [curve] = [line for line in axes.lines if line.get_label() == label]
    return curve.get_xydata()


@pytest.mark.parametrize("lazy", [False, True], ids=["in memory", "on dask"])
def test_points_are_the_rows_and_those_of_high_leverage_are_marked_and_counted(lazy):
    inference = inferred(lazy)
    found, picture = influences(inference), viz.leverages(inference)
    [axes] = picture.figure.axes
    high = found.leverage > 2 * inference.parameters / 400
    points = np.column_stack([found.leverage, found.residual])
    assert np.array_equal(drawn(axes, "high leverage"), points[high])
    assert np.array_equal(drawn(axes, "usual leverage"), points[~high])
    assert np.all(drawn(axes, "twice the mean leverage")[:, 0] == pytest.approx(2 * 3 / 400))
    assert picture.finding.startswith(f"{high.sum()} of 400 rows have a leverage above twice the mean, 0.015; row 31 ")
    assert [text.get_text() for text in axes.texts] == ["row 31"]


def test_curves_to_both_sides_join_points_of_one_distance():
    inference = inferred()
    [axes] = viz.leverages(inference).figure.axes
    h, r = drawn(axes, "Cook's distance 0.5").T
    assert r**2 * h / (1 - h) / inference.parameters == pytest.approx(0.5)
    assert any(np.array_equal(line.get_ydata(), -r) for line in axes.lines), "residuals below 0 have theirs"


def test_how_many_rows_are_drawn_and_by_which_seed_is_passed_on():
    inference = inferred()
    found = influences(inference, drawn=50, seed=3)
    [axes] = viz.leverages(inference, drawn=50, seed=3).figure.axes
    assert np.array_equal(drawn(axes, "high leverage")[:, 0], found.leverage[found.leverage > found.limit])
    assert np.array_equal(drawn(axes, "usual leverage")[:, 0], found.leverage[found.leverage <= found.limit])
    assert len(found.rows) < 200


def test_a_row_that_is_fitted_exactly_is_not_the_furthest():
    """Its leverage is 1, and its Cook's distance is not defined."""
    rng = np.random.default_rng(7)
    X, y = np.c_[np.ones(60), np.arange(60) == 7], rng.normal(size=60)
    inference = glmlab.infer(glmlab.fit(X, y, family="gaussian"), X, y)
    picture = viz.leverages(inference)
    k = np.nanargmax(influences(inference).distance)
    assert k != 7 and [text.get_text() for text in picture.figure.axes[0].texts] == [f"row {k}"]
    assert f"row {k} has the largest Cook's distance" in picture.finding
    assert picture.finding.startswith("1 of 60 rows has a leverage above")


def test_what_has_no_leverage_is_refused():
    with pytest.raises(TypeError, match="influences needs the Inference that infer returns, got Result"):
        viz.leverages(inferred().result)
