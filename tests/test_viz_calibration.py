"""Calibration by bins: the picture shows the numbers of the table, wherever the rows are."""

import dask.array as da
import numpy as np
import pytest

import glmlab
from glmlab import viz


def counts(n=2000, curve=0.0):
    """Rows of a Poisson model, whose log mean has a term in x² that a straight line misses."""
    rng = np.random.default_rng(7)
    X = rng.normal(size=(n, 1))
    return X, rng.poisson(np.exp(0.5 + 0.4 * X[:, 0] + curve * X[:, 0] ** 2)).astype(float)


def table(X, y, bins=8, **options):
    """The table of a Poisson fit to these rows."""
    result = glmlab.fit(X, y, family="poisson", fit_intercept=True)
    return glmlab.calibration(glmlab.infer(result, X, y, **options), bins)


def drawn(axes, label):
    """The points of a curve, (points, 2)."""
    [curve] = [line for line in axes.lines if line.get_label() == label]
    return curve.get_xydata()


def test_points_are_the_observed_means_of_the_bins():
    bins = table(*counts())
    left, right = viz.calibration(bins).figure.axes
    assert np.array_equal(drawn(left, "bin with |z| ≤ 3"), np.c_[bins.predicted, bins.observed])
    (x0, y0), (x1, y1) = drawn(left, "observed = predicted")
    assert x0 == y0 <= bins.observed.min() and x1 == y1 >= bins.observed.max()
    assert np.array_equal(drawn(right, "mean residual that the family expects"), np.c_[bins.predicted, bins.expected])
    [bars] = right.containers
    assert np.array_equal(bars.lines[0].get_xydata(), np.c_[bins.predicted, bins.residual])
    low, high = np.array([segment[:, 1] for segment in bars.lines[2][0].get_segments()]).T
    assert low == pytest.approx(bins.residual - 2 * bins.error)
    assert high == pytest.approx(bins.residual + 2 * bins.error)


def test_bins_where_the_model_is_wrong_are_marked_and_counted():
    bins = table(*counts(curve=0.4))
    far = np.abs(bins.z) > 3
    assert 0 < far.sum() < len(far), "the case has bins of both kinds"
    picture = viz.calibration(bins)
    left, _ = picture.figure.axes
    for label, which in {"bin with |z| > 3": far, "bin with |z| ≤ 3": ~far}.items():
        assert np.array_equal(drawn(left, label), np.c_[bins.predicted, bins.observed][which])
    assert picture.finding.startswith(f"{far.sum()} of 8 bins are further than 3 standard deviations")
    k = np.argmax(np.abs(bins.z))
    assert f"z = {bins.z[k]:.2g}: {bins.observed[k]:.4g} was observed" in picture.finding


def test_a_right_model_has_no_marked_bin():
    assert viz.calibration(table(*counts())).finding.startswith("0 of 8 bins are further")


def test_without_a_known_distribution_nothing_is_expected():
    picture = viz.calibration(table(*counts(), dispersion="pearson"))
    assert [line.get_label() for line in picture.figure.axes[1].lines if line.get_linestyle() == "--"] == []


def test_rows_on_dask_give_the_same_picture_and_drawing_takes_no_pass():
    X, y = counts()
    here = table(X, y)
    X, y = (da.from_array(values, chunks=(600, *values.shape[1:])) for values in (X, y))
    inference = glmlab.infer(glmlab.fit(X, y, family="poisson", fit_intercept=True), X, y)
    before = inference.rows.f.passes
    there = glmlab.calibration(inference, 8)
    after = inference.rows.f.passes
    pictures = [viz.calibration(bins) for bins in (here, there)]
    assert inference.rows.f.passes == after == before + 2, "one pass, and one for the edges of so few rows"
    points = [drawn(picture.figure.axes[0], "bin with |z| ≤ 3") for picture in pictures]
    assert points[0] == pytest.approx(points[1], rel=1e-7)


def test_the_unit_of_the_means_is_on_every_axis():
    picture = viz.calibration(table(*counts()), of="events an hour", title="Counts")
    left, right = picture.figure.axes
    assert left.get_xlabel() == right.get_xlabel() == "predicted events an hour"
    assert left.get_ylabel() == "observed events an hour" and "events an hour" in picture.alt
    assert picture.figure.get_suptitle() == "Counts"


def test_an_inference_is_refused_and_told_what_to_type():
    X, y = counts(200)
    inference = glmlab.infer(glmlab.fit(X, y, family="poisson", fit_intercept=True), X, y)
    with pytest.raises(TypeError, match=r"glmlab.calibration\(inference\) returns; got Inference"):
        viz.calibration(inference)
