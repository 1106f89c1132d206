"""Pictures of a benchmark: positions of what is drawn, and the findings."""

import math

import numpy as np
import pandas as pd
import pytest

from glmlab import viz

BAND = {1e4: (0.05, 0.10, 0.20), 1e8: (0.0005, 0.001, 0.002)}


def lines(axes):
    return {line.get_label(): line.get_xydata().tolist() for line in axes.lines}


def test_errors_are_said_in_units_of_the_floor_which_is_a_line_between():
    picture = viz.noise_band(BAND, {"mine": [(1e6, 0.03), (1e4, 0.1)], "yours": [(1e8, 0.0005)]})
    drawn = lines(picture.figure.axes[0])
    assert drawn["mine"] == [[1e4, 0.1], [1e6, 0.03]] and drawn["yours"] == [[1e8, 0.0005]]
    assert drawn["their mean"] == [[1e4, 0.10], [1e8, 0.001]]
    assert "mine 1 at 10,000 rows and 3 at 1,000,000 rows; yours 0.5 at 100,000,000 rows." in picture.finding
    assert "Above the band lie 1 of 3 points." in picture.finding
    titled = viz.noise_band(BAND, {"mine": [(1e6, 0.03)]}, title="Mine is above")
    assert titled.figure.axes[0].get_title("left") == "Mine is above"
    assert picture.figure.axes[0].get_title("left") == "1 of 3 errors lie above the band of exact answers"
    [band] = picture.figure.axes[0].collections
    assert band.get_paths()[0].vertices[:, 1].min() == 0.0005 and band.get_paths()[0].vertices[:, 1].max() == 0.20


def test_a_race_shows_what_was_proved_by_seconds_and_by_passes():
    curves = {
        "fast": ([0.0, 0.1, 0.2], [0, 1, 2], [np.inf, 1e-4, 0.0]),
        "told": ([3.0, 1.0], None, [1e-9, 1e-5]),
    }
    picture = viz.race(curves, yardstick=0.05, targets=(1e-6,), title="The fast one is first")
    assert picture.figure.get_suptitle() == "The fast one is first" and not viz.race(curves).figure.get_suptitle()
    left, right = (lines(ax) for ax in picture.figure.axes)
    assert left["fast"] == [[0.1, 1e-4], [0.2, 1e-16]], "0 s and what nobody proved have no place; 0 is rounding"
    assert left["told"] == [[3.0, 1e-9], [1.0, 1e-5]] and right["told"] == []
    assert right["fast"] == [[1, 1e-4], [2, 1e-16]]
    assert {x for x, _ in left["one X.sum()"]} == {0.05} and "one X.sum()" not in right
    assert picture.finding == "fast: 0e+00 proved in 0.2 s, 2 passes; told: 1e-09 proved in 3 s."
    assert picture.figure.axes[0].get_xscale() == picture.figure.axes[1].get_yscale() == "log"


def test_a_race_shades_what_repetitions_took():
    curve = np.array([1.0, 2.0]), np.array([1.0, 5.0]), np.array([1e-3, 1e-6])
    left = viz.race({"a": curve}, ranges={"a": ([0.5, 1.5], [3.0, 4.0])}).figure.axes[0]
    shade = left.collections[0].get_paths()[0].vertices[:, 0]
    assert (shade.min(), shade.max()) == (0.5, 4.0)


def standings():
    columns = ["s to 0.001", "s to 1e-06", "fastest", "slowest", "passes", "rounds", "iterations", "certified"]
    rows = {"mine": [0.1, 0.2, 0.1, 0.4, 20.0, 20, 9, 1e-7], "lost": [0.3, *[np.inf] * 6, 1e-4],
            "best": [0.01, 0.02, 0.02, 0.03, 4.0, 5, 3, 1e-8]}  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def test_standings_have_passes_and_ranges_of_seconds_to_the_smallest_gap():
    picture = viz.standings(standings())
    left, right = picture.figure.axes
    assert [line.get_xydata().tolist() for line in left.lines] == [[[20, 0]], [[4, 2]]]
    assert [line.get_xydata().tolist() for line in right.lines] == [[[0.2, 0]], [[0.02, 2]]]
    for mine, open_ones in ((1, [False, True]), (2, [False, False])):
        marks = viz.standings(standings().drop("lost"), mine).figure.axes[0].lines
        assert [line.get_markerfacecolor() == "none" for line in marks] == open_ones
    assert [bar.get_segments()[0][:, 0].tolist() for bar in right.collections] == [[0.1, 0.4], [0.02, 0.03]]
    assert [label.get_text() for label in left.get_yticklabels()] == ["mine", "lost (never)", "best"]
    assert picture.figure.get_suptitle() == (
        "To a proved gap of 1e-6: mine needs 5 times the passes\nand 10 times the seconds of best"
    )
    assert [text.get_text() for text in picture.figure.legends[0].get_texts()] == [
        "of this notebook", "the package's",
    ]  # fmt: skip
    assert picture.finding == "To a proved gap of 1e-6: mine 20 passes, 0.2 s; lost never; best 4 passes, 0.02 s."


def test_the_title_of_standings_says_who_is_first_and_who_did_not_get_there():
    assert viz.standings(standings().drop("best")).figure.get_suptitle().endswith(": mine needs the fewest passes, 20")
    assert viz.standings(standings().drop("mine")).figure.get_suptitle().endswith(": lost never got there")


def test_markers_at_one_place_are_open_and_differ_in_size():
    picture = viz.noise_band(BAND, {name: [(1e6, 0.03)] for name in "abcd"})
    marks = [line for line in picture.figure.axes[0].lines if line.get_label() in "abcd"]
    assert {line.get_markerfacecolor() for line in marks} == {"none"}
    assert len({(line.get_markersize(), line.get_marker()) for line in marks}) == 4


def test_then_and_now_has_a_panel_for_each_size_and_leaves_out_what_was_not_run():
    big = {"then": {"ADMM": ([34.7], np.nan), "ours": ([], np.nan)},
           "now": {"ADMM": ([], np.nan), "ours": ([], np.nan)}}  # fmt: skip
    small = {"here": {"ADMM": ([3.0, 1.0, 2.0], 1e-7), "ours": ([0.5], 1e-9), "rough": ([0.1], 1e-2)}}
    picture = viz.then_and_now({"8 rows": big, "4 rows": small})
    left, right = picture.figure.axes
    assert marks(left) == [(34.7, -0.15, "white")], "the one run of then, above the middle of its row, without a proof"
    here = [(2.0, 0, True), (0.5, 1, True), (0.1, 2, False)]
    assert [(x, y, face != "white") for x, y, face in marks(right)] == here, "medians; filled if proved"
    assert [text.get_text() for text in right.texts] == ["1e-07", "1e-09", "1e-02"] and not left.texts
    ends = [part[:, 0].tolist() for bars in right.collections for part in bars.get_segments()]
    assert ends == [[1.0, 3.0], [0.5, 0.5], [0.1, 0.1]], "from fastest to slowest"
    assert picture.finding == (
        "then, 8 rows: ADMM 34.7 s; now, 8 rows: nothing was run; here, 4 rows: ADMM 2 s, ours 0.5 s, rough 0.1 s."
    )
    assert [label.get_text() for label in left.get_yticklabels()] == ["ADMM", "ours", "rough"]
    titles = [panel.get_title("left") for panel in (left, right)]
    assert titles == ["8 rows\nnow: 0 of 0 proved", "4 rows\nhere: 2 of 3 proved, in 0.5 to 2 s"]
    assert "proved to 1e-6" in picture.figure.get_suptitle()
    assert [text.get_text() for text in picture.figure.legends[0].get_texts()][-1].startswith("filled: proved")
    assert left.get_xlim() != right.get_xlim()


def marks(ax):
    """(x, y, face) of each marker that is drawn."""
    drawn = [line for line in ax.lines if len(line.get_xdata())]
    return [(line.get_xdata()[0], line.get_ydata()[0], line.get_markerfacecolor()) for line in drawn]


LINES = {"one": {10: 1.0, 100: 10.0, 1000: 100.0}, "two": {10: 5.0, 100: 9.0, 1000: 50.0}}


def test_it_pays_from_where_it_gets_ahead_for_good():
    one, two = LINES.values()
    assert viz.pays_from(two, one) == pytest.approx(93, abs=1), "5 times, then 0.9 times as long: 0.95 lies between"
    assert viz.pays_from({10: 0.5, 100: 9.5 + 1e-9, 1000: 95.0 / 2}, one) == 100, "ahead at first does not count"
    assert viz.pays_from({10: 0.5, 100: 9.0, 1000: 90.0}, one) == 10, "ahead wherever we looked"
    assert math.isinf(viz.pays_from({10: 0.5, 100: 1.0, 1000: 100.0}, one)), "as fast is not ahead"
    assert math.isinf(viz.pays_from({1000: 97.0}, one)), "nor is what two measurements of one thing may differ by"


def test_what_it_says_has_no_more_digits_than_a_model_deserves():
    slow = {n: 1.0 for n in (1000, 1_000_000, 100_000_000)}
    fast = {1000: 5.0, 1_000_000: 1.7, 100_000_000: 0.3}
    assert f"{viz.pays_from(fast, slow):,.0f}".replace(",", "").rstrip("0") in ("46", "47", "48")


def test_where_it_pays_draws_predictions_as_lines_and_measurements_as_points():
    picture = viz.where_it_pays(LINES, {"two": {100: 8.0}})
    ax = picture.figure.axes[0]
    marks = [line.get_xydata().tolist() for line in ax.lines if line.get_linestyle() == "None"]
    assert marks == [[], [[100, 8.0]], []], "the last is for the legend"
    assert lines(ax)["one"] == [[10, 1.0], [100, 10.0]], "thick as far as something was measured"
    lines_only = [line for line in ax.lines if str(line.get_label()).startswith("_")]
    thin = [line.get_ydata().tolist() for line in lines_only if line.get_linewidth() == 1]
    assert thin == [[10.0, 100.0], [9.0, 50.0]], "and thin beyond"
    said = "two are 5% faster than one from about 93 rows on"
    assert picture.finding == f"By the model, {said}. Beyond 100 rows the model is extrapolated."
    assert viz.where_it_pays(LINES, {}).finding == f"By the model, {said}.", "no place was measured"
    worse = viz.where_it_pays({"one": LINES["one"], "slow": {n: 2 * s for n, s in LINES["one"].items()}}, {})
    titles = [shown.figure.axes[0].get_title("left") for shown in (picture, worse)]
    never = "slow are not 5% faster than one even at 1,000 rows"
    assert titles == [f"By the model, {words}" for words in (said, never)]
    long = viz.where_it_pays({"one": LINES["one"], "a place with a long name": LINES["two"]}, {}).figure.axes[0]
    assert max(map(len, long.get_title("left").split("\n"))) <= 70, "a long title is not cut off"


def test_a_model_that_the_clock_refutes_says_nothing_about_more_rows():
    timed = {"one": {10: 1.0, 100: 4.0}, "two": {10: 0.5, 100: 8.0}}
    picture, close = (viz.where_it_pays(LINES, timed, off=off) for off in (2.5, 1.5))
    said = "By the clock, at 100 rows a pass on two took 2 times as long as on one"
    assert picture.figure.axes[0].get_title("left").replace("\n", " ") == said
    assert picture.finding == f"Where it is judged, the model misses the clock by a factor of 2.5. {said}."
    assert close.finding.startswith("By the model, two are 5% faster than one")
    apart = viz.where_it_pays(LINES, {"two": {100: 8.0}}, off=2)
    assert apart.finding.endswith("two and one were not timed at the same rows.")


def test_a_bar_reaches_from_the_least_to_the_largest_second_of_a_place():
    timed = {"one": {10: 2.0, 100: 4.0}, "two": {100: 8.0}}
    ranges = {"one": {10: [2.0, 1.0, 5.0], 100: [4.0]}, "two": {100: [9.0, 7.0]}}
    picture = viz.where_it_pays(LINES, timed, ranges=ranges)
    bars = [[bar[:, 1].tolist() for bar in found.get_segments()] for found in picture.figure.axes[0].collections]
    assert bars == [[[1, 5], [4, 4]], [[7, 9]]]
    ax = picture.figure.axes[0]
    centres = [line.get_xdata().tolist() for line in ax.lines if line.get_linestyle() == "None"]
    stems = [[bar[0, 0] for bar in found.get_segments()] for found in ax.collections]
    assert stems == centres[:-1], "a bar runs through the marker of its place"
    said = [text.get_text() for text in picture.figure.legends[0].get_texts()]
    assert "open markers: measured, with the range of all repetitions" in said
    plain = [text.get_text() for text in viz.where_it_pays(LINES, timed).figure.legends[0].get_texts()]
    assert "open markers: measured" in plain


@pytest.mark.parametrize(("make", "says"), [
    (lambda: viz.noise_band({1e4: (1, 2, 3)}, {"a": [(1, 1)]}), "two n or more"),
    (lambda: viz.noise_band(BAND, {}), "points="),
    (lambda: viz.race({}), "one solver or more"),
    (lambda: viz.then_and_now({"a": {"b": {}}}), "one of each or more"),
    (lambda: viz.where_it_pays({"one": {1: 1.0}}, {}), "two places or more"),
    (lambda: viz.where_it_pays(LINES, {"three": {}}), "of these places"),
])  # fmt: skip
def test_they_refuse_by_name(make, says):
    with pytest.raises(ValueError, match=says):
        make()
