"""Task streams and the time by number of chunks: the figures, the findings, and views without a kernel."""

import re

import numpy as np
import pytest
from bokeh.models import ColumnDataSource, CustomJS, GlyphRenderer, HBar, Slider

from glmlab import viz
from glmlab.viz import stream


def record(key, worker, *parts):
    """A record as in distributed's task stream; parts are (action, start, stop)."""
    steps = tuple({"action": action, "start": start, "stop": stop} for action, start, stop in parts)
    return {"key": key, "worker": worker, "thread": 7, "startstops": steps}


TOKEN = 2 * "0123456789abcdef"
# Two workers, 10 s: 4 s + 1 s of work on one, 2 s on the other, and a transfer, which is not work.
RECORDS = [
    record((f"kernel-{TOKEN}", 1), "tcp://b", ("transfer", 105.0, 108.0), ("compute", 108.0, 110.0)),
    record((f"kernel-{TOKEN}", 0), "tcp://a", ("compute", 100.0, 104.0)),
    record(f"sum-{TOKEN}", "tcp://a", ("deserialize", 104.0, 104.5), ("compute", 105.0, 106.0)),
]


# ---------------------------------------------------------------- task streams


def test_bars_start_at_zero_in_order_with_the_functions_name():
    found = [(bar.start, bar.stop, bar.kind) for bar in stream.bars(RECORDS)]
    assert found == [(0, 4, "kernel"), (5, 8, "transfer"), (5, 6, "sum"), (8, 10, "kernel")]


def test_white_space_is_what_no_thread_computes():
    assert np.isclose(viz.white_space(RECORDS), 1 - (4 + 1 + 2) / (2 * 10))
    assert np.isclose(viz.white_space(RECORDS, threads=4), 1 - 7 / 40), "threads that never worked are white"
    assert viz.white_space(RECORDS[1:2]) == 0


def test_the_white_of_a_true_stream_is_between_none_and_all(tmp_path):
    import time

    from distributed import Client, get_task_stream

    with Client(n_workers=1, threads_per_worker=2, processes=False, dashboard_address="127.0.0.1:0") as client:
        with get_task_stream(client) as record:
            client.gather(client.map(time.sleep, [0.05, 0.06, 0.07]))
        found = stream.bars(record.data)
        assert len(found) == 3 and {bar.kind for bar in found} == {"sleep"}
        assert all(bar.stop - bar.start >= 0.05 for bar in found)
        assert 0 <= viz.white_space(record.data, threads=2) < 0.9


def test_the_picture_has_a_rectangle_for_each_bar_and_says_how_white_it_is():
    picture = viz.task_stream({"mine": RECORDS, "yours": RECORDS[1:2]})
    first, second = picture.figure.axes
    assert len(first.patches) == 4 and len(second.patches) == 1
    drawn = sorted((bar.get_x(), bar.get_width()) for bar in first.patches)
    assert drawn == [(0, 4000), (5000, 1000), (5000, 3000), (8000, 2000)], "milliseconds"
    assert {round(bar.get_y() + bar.get_height() / 2) for bar in first.patches} == {0, 1}, "a row for each thread"
    assert picture.finding == (
        "mine: 3 tasks of 2.33 s on average in 10 s, 65% white; yours: 1 task of 4 s on average in 4 s, 0% white."
    )
    labels = [text.get_text() for text in picture.figure.legends[0].get_texts()]
    assert labels == ["kernel: 2 + 1", "sum: 1 + 0", "transfer: 1 + 0"]
    greys = [bar for bar in first.patches if bar.get_facecolor()[0] == bar.get_facecolor()[2]]
    assert [bar.get_x() for bar in greys] == [5000], "the transfer, which is no work, is grey"


def test_a_bar_that_is_too_thin_to_see_is_drawn_wider_and_dasks_own_task_has_a_name():
    thin = [record((f"kernel-{TOKEN}", 2), "tcp://a", ("compute", 100.0, 100.001))]
    last = [record((f"finalize-hlgfinalizecompute-{TOKEN}", 0), "tcp://a", ("compute", 109.0, 110.0))]
    picture = viz.task_stream({"mine": thin + last})
    widths = [bar.get_width() for bar in picture.figure.axes[0].patches]
    assert np.allclose(widths, [stream.THIN * 10_000, 1000]) and "0 ms" not in picture.finding
    labels = [text.get_text() for text in picture.figure.legends[0].get_texts()]
    assert labels == ["kernel: 1 bar", "dask joins the result: 1 bar"]
    assert np.isclose(viz.white_space(thin + last), 1 - 1.001 / 10), "the share of white is that of the true times"


def test_tasks_may_have_other_names_and_titles_say_how_long_it_took():
    picture = viz.task_stream({"mine": RECORDS}, words={"mine": {"kernel": "product", "sum": "product"}})
    assert [text.get_text() for text in picture.figure.legends[0].get_texts()] == ["product: 3 bars", "transfer: 1 bar"]
    [ax] = picture.figure.axes
    assert ax.get_title("left") == "mine: 10 s, 65% white"
    assert picture.figure.get_suptitle() == "65% of the workers' time is white: no task is running"
    both = viz.task_stream({"mine": RECORDS, "yours": RECORDS[1:2]}).figure
    assert both.get_suptitle().startswith("0% to 65% of the workers'")
    threads = [record(f"kernel-{TOKEN}", "tcp://a", ("compute", 0.0, 4.0)) | {"thread": k} for k in (1, 2)]
    assert viz.task_stream({"mine": threads}).figure.get_suptitle().startswith("0% of the threads'")


def test_one_name_in_dask_may_have_two_meanings_in_two_streams_and_the_figure_a_title():
    words = {"mine": {"kernel": "product"}, "yours": {"kernel": "gradient"}}
    both = viz.task_stream({"mine": RECORDS, "yours": RECORDS[1:2]}, words=words, title="Mine is longer").figure
    said = [text.get_text() for text in both.legends[0].get_texts()]
    assert said == ["product: 2 + 0", "sum: 1 + 0", "gradient: 0 + 1", "transfer: 1 + 0"]
    assert both.get_suptitle() == "Mine is longer"
    counted = "How many bars there are of each kind"
    assert both.legends[0].get_title().get_text() == f"{counted}, stream by stream"
    long = {"kernel": "β, or a second name of it", "sum": "dask joins the parts of the result"}
    three = viz.task_stream(dict.fromkeys("abc", RECORDS), words=dict.fromkeys("abc", long)).figure
    three.draw_without_rendering()
    legend = three.legends[0].get_window_extent()
    assert 0 <= legend.x0 < legend.x1 <= three.bbox.width, "the whole legend is in the figure"
    alone = viz.task_stream({"mine": RECORDS}).figure
    assert alone.legends[0].get_title().get_text() == counted


def test_rows_are_workers_where_each_has_one_thread():
    for more, names in (([], "worker 0, worker 1"), ([RECORDS[0] | {"thread": 8}], "thread 0, thread 1, thread 2")):
        [ax] = viz.task_stream({"mine": [*RECORDS, *more]}).figure.axes
        assert ", ".join(label.get_text() for label in ax.get_yticklabels()) == names


def test_the_moving_stream_holds_the_same_bars_on_one_scale_of_time():
    model = viz.task_stream({"mine": RECORDS, "yours": RECORDS[1:2]}).interactive
    views = [r for fig in model.children for r in fig.select({"type": GlyphRenderer}) if isinstance(r.glyph, HBar)]
    assert [len(view.data_source.data["left"]) for view in views] == [4, 1]
    assert max(views[0].data_source.data["right"]) == 10_000
    assert len({fig.x_range.id for fig in model.children}) == 1


@pytest.mark.parametrize("streams", [{}, {"mine": []}, RECORDS])
def test_streams_say_what_they_need(streams):
    with pytest.raises(ValueError, match="get_task_stream|streams="):
        viz.task_stream(streams)


# ---------------------------------------------------------------- the U-curve

PREDICTED = {k: (0.001, 0.001 * k, 0.064 / k) for k in (1, 2, 4, 8, 16, 64)}
MEASURED = {1: 0.06, 8: 0.02, 64: 0.0825}


def test_the_curve_is_the_sum_of_its_parts_and_points_are_where_they_were_measured():
    picture = viz.chunk_curve(1000, PREDICTED, MEASURED)
    total, points, best = picture.figure.axes[0].lines
    assert np.allclose(total.get_ydata(), [66, 35, 21, 17, 21, 66])
    top = np.zeros(6)
    for area, part in zip(picture.figure.axes[0].collections[::-1], (0, 2, 1), strict=True):
        corners = area.get_paths()[0].vertices
        low, high = np.transpose([np.quantile(corners[corners[:, 0] == k, 1], [0, 1]) for k in PREDICTED])
        assert np.allclose(low, top), "each part stands on the one below"
        assert np.allclose(high - low, [1e3 * parts[part] for parts in PREDICTED.values()])
        top = high
    assert np.allclose(top, total.get_ydata()) and picture.figure.axes[0].get_ylim()[0] == 0
    assert list(points.get_xdata()) == [1, 8, 64] and np.allclose(points.get_ydata(), [60, 20, 82.5])
    assert list(best.get_xdata()) == [8, 8]
    labels = ["predicted", "tasks", "work and reading", "round", "measured", "least predicted time"]
    assert [text.get_text() for text in picture.figure.legends[0].get_texts()] == labels
    first, second = picture.figure.axes[0].get_title("left").splitlines()
    assert first == "Fastest pass: 8 chunks by the model, 8 chunks measured;"
    assert second == "measured ÷ predicted time: 0.91 to 1.25", "60 ÷ 66, 20 ÷ 17, 82.5 ÷ 66"
    assert "8 chunks, 17 ms a pass; measured: 8 chunks, 20 ms" in picture.finding
    assert "within 15% of the measured time" in picture.finding, "errors of 10, 15 and 20 per cent"


def test_without_measurements_the_finding_compares_the_ends():
    picture = viz.chunk_curve(1000, PREDICTED, {})
    assert "64 take 66 ms" in picture.finding
    assert "measured" not in [text.get_text() for text in picture.figure.legends[0].get_texts()]
    assert picture.figure.axes[0].get_title("left") == "Fastest pass: 8 chunks by the model"
    named = viz.chunk_curve(1000, PREDICTED, {}, title="on paper")
    assert named.figure.axes[0].get_title("left") == "on paper"


def test_the_slider_needs_no_kernel():
    model = viz.chunk_curve(1000, PREDICTED, MEASURED).interactive
    [slider] = model.select({"type": Slider})
    [move] = slider.js_property_callbacks["change:value"]
    assert isinstance(move, CustomJS) and move.args["ks"][slider.value] == 8, "it starts at the best"
    assert move.args["parts"] == [list(parts) for parts in PREDICTED.values()]
    assert move.args["measured"] == [0.06, None, None, 0.02, None, 0.0825]
    assert isinstance(move.args["bars"], ColumnDataSource)
    used = set(re.findall(r"\b(slider|ks|n|parts|measured|here|bars|scale|words)\b", move.code))
    assert used == set(move.args), "the script uses what it is given"


@pytest.mark.parametrize(("predicted", "measured"), [({}, {}), (PREDICTED, {3: 0.1})])
def test_the_curve_says_what_it_needs(predicted, measured):
    with pytest.raises(ValueError, match="every measured K predicted"):
        viz.chunk_curve(1000, predicted, measured)
