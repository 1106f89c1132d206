"""The slider over the rows of a simulated cluster."""

import json

import pytest
from bokeh.embed import json_item
from bokeh.models import BoxAnnotation

from glmlab import viz

SECONDS = {
    1_000: {2: {1: 0.3, 4: 0.1, 16: 0.2}, 4: {1: 0.3, 4: 0.09, 16: 0.15}},
    5_000: {2: {1: 1.5, 4: 0.5, 16: 0.3}, 4: {1: 1.5, 4: 0.49, 16: 0.31}},
}


def test_the_finding_names_the_fastest_workers_for_every_number_of_rows():
    picture = viz.cluster_slider(SECONDS)
    assert "1,000 rows: fastest with 4 workers, 90 ms a pass (fan-in 4)" in picture.finding
    assert "5,000 rows: fastest with 16 workers, 300 ms a pass (fan-in 2)" in picture.finding


def test_the_moving_view_holds_all_lines_and_needs_no_kernel():
    text = json.dumps(json_item(viz.cluster_slider(SECONDS, start=1_000).interactive))
    for lines in SECONDS.values():
        for line in lines.values():
            assert all(str(1e3 * seconds) in text for seconds in line.values())
    assert "CustomJS" in text and "fastest with 16 workers" in text


def test_what_lies_half_a_step_beyond_the_trusted_workers_is_grey_in_both_views():
    picture = viz.cluster_slider(SECONDS, trusted=4)
    [box] = picture.interactive.select({"type": BoxAnnotation})
    assert box.left == 8
    [axes] = picture.figure.axes
    assert [patch.get_x() for patch in axes.patches] == [8] and axes.patches[0].get_width() == 16 - 8
    assert axes.get_title(loc="left") == "5,000 rows, fan-in 2:\nby the simulator 16 workers are fastest"


@pytest.mark.parametrize(("given", "says"), [
    ({}, "the same fans and workers"), ({1_000: SECONDS[1_000], 9: {2: {1: 1.0}}}, "the same fans and workers"),
])
def test_lines_that_cannot_be_compared_are_refused(given, says):
    with pytest.raises(ValueError, match=says):
        viz.cluster_slider(given)


def test_a_start_that_is_not_among_the_rows_is_refused():
    with pytest.raises(ValueError, match="none of the rows"):
        viz.cluster_slider(SECONDS, start=7)
