"""Consensus ADMM: zeros by round, answers in a plane, the map of rounds; sliders that work without a kernel."""

import re

import numpy as np
import pytest
from bokeh.models import ColumnDataSource, CustomJS, Slider

from glmlab import viz

# Two runs of three rounds with two chunks; the first ends at the optimum.
NEAR = np.array([[[0.0, 1.0], [2.0, 1.0]], [[0.5, 0.0], [1.5, 0.0]], [[1.0, 0.0], [1.0, 0.0]]])
FAR = NEAR + 3.0
RUNS = {"ρ": (NEAR, NEAR.mean(axis=1)), "9ρ": (FAR, FAR.mean(axis=1) + [0.0, 0.5])}


def script(model, slider):
    [move] = slider.js_property_callbacks["change:value"]
    assert isinstance(move, CustomJS)
    free = set(re.findall(r"(?<![.\w])([a-z]\w*)(?=[.\[])", move.code)) - {"b", "c"}
    assert free <= set(move.args), "the script uses what it is given"
    return move


# ---------------------------------------------------------------- one round


def test_the_round_shows_each_thing_that_a_round_moves():
    picture = viz.admm_round()
    written = [text.get_text() for text in picture.figure.axes[0].texts]
    assert {"z", "new z", "z_update", "$u_1$", "$u_K$", "$β_1$", "$β_K$", "workers"} <= set(written)
    assert "the old z and all $u_k$" in written, "z_update needs them, too"
    boxes = {text.get_text(): text.get_position() for text in picture.figure.axes[0].texts}
    ends = [line.get_xydata()[-1] for line in picture.figure.axes[0].lines]
    for name in ("z", "$u_1$", "$u_2$", "$u_K$"):
        edge = np.subtract(boxes[name], (0.55, 0))  # half the width of a box to the left
        assert any(np.allclose(edge, end) for end in ends), "the dashed line comes from each of them"
    workers, dashed = picture.figure.axes[0].patches[1], picture.figure.axes[0].lines[0].get_xydata()
    assert workers.get_y() + workers.get_height() < dashed[1:3, 1].min(), "it passes the workers by"
    assert written.count("this process") == 2 and "no arrow joins two chunks" in picture.finding


# ---------------------------------------------------------------- zeros


def test_the_clock_draws_what_it_is_given_and_says_how_far_off_it_was():
    picture = viz.zero_clock({5: [9, 4, 3], 10: [4, 2, 1]}, {5: [9, 5, 3], 10: [4, 2, 2]}, optimum=0)
    line, dots, *_ = picture.figure.axes[0].lines
    assert list(line.get_ydata()) == [9, 5, 3] and list(dots.get_ydata()) == [9, 4, 3]
    assert list(dots.get_xdata()) == [1, 2, 3] == list(picture.figure.axes[0].get_xticks())
    assert "After round 3 z has 3 zeros with 5 chunks and 1 zero with 10 chunks" in picture.finding
    assert "to within 1" in picture.figure.axes[0].get_title(loc="left")
    assert "off by at most 1" in picture.finding and "optimum has 0 zeros" in picture.finding


@pytest.mark.parametrize("foretold", [{5: [1, 2]}, {4: [1, 2, 3]}])
def test_the_clock_says_what_it_needs(foretold):
    with pytest.raises(ValueError, match="the same chunks and as many rounds"):
        viz.zero_clock({5: [3, 2, 1]}, foretold, optimum=0)


# ---------------------------------------------------------------- votes


def test_every_run_has_its_panel_with_answers_consensus_and_optimum():
    picture = viz.votes(RUNS, [1.0, 0.0], axes=("β₁", "β₂"), start=2)
    assert [ax.get_title(loc="left") for ax in picture.figure.axes] == ["ρ", "9ρ"]
    assert picture.figure.get_suptitle() == "After 2 rounds ρ has brought z nearest to the optimum"
    best, way, z, dots = picture.figure.axes[0].lines
    assert np.array_equal(np.array(dots.get_data()).T, NEAR[1]) and np.array_equal(
        np.array(best.get_data()).T, [[1, 0]]
    )
    assert np.array_equal(way.get_xydata(), [[1, 1], [1, 0]]) and np.array_equal(z.get_xydata(), [[1, 0]])
    assert "after round 3, of the farthest answer from z and of z from the optimum: ρ: 0e+00, 0e+00;" in picture.finding
    assert f"9ρ: 5e-01, {np.hypot(3, 3.5):.0e}." in picture.finding
    for ax in picture.figure.axes:
        points = np.vstack([line.get_xydata() for line in ax.lines])
        low, high = np.transpose([ax.get_xlim(), ax.get_ylim()])
        assert np.all((low <= points) & (points <= high)), "the path, the answers and the optimum are inside"


def test_votes_move_by_two_sliders_and_no_kernel():
    model = viz.votes(RUNS, [1.0, 0.0], axes=("β₁", "β₂"), start=2).interactive
    sliders = {slider.title: slider for slider in model.select({"type": Slider})}
    round_, which = sliders["Round"], sliders["ρ"]
    move = script(model, round_)
    assert script(model, which) is move and (round_.value, round_.end, which.end) == (1, 2, 1)
    assert np.array_equal(move.args["answers"], [NEAR, FAR]) and np.shape(move.args["texts"]) == (2, 3)
    assert all(isinstance(move.args[name], ColumnDataSource) for name in ("dots", "z", "way"))
    assert "farthest answer is <b>5.0e-01</b> from z, and z is <b>0.0e+00</b>" in move.args["texts"][0][1]


@pytest.mark.parametrize("runs, start, words", [
    ({"a": (NEAR, NEAR)}, 1, "must be"),
    ({"a": (NEAR, NEAR.mean(axis=1)), "b": (NEAR[:2], NEAR[:2].mean(axis=1))}, 1, "must be"),
    ({"a": (NEAR, NEAR.mean(axis=1))}, 4, "rounds 1 to 3"),
])  # fmt: skip
def test_votes_say_what_they_need(runs, start, words):
    with pytest.raises(ValueError, match=words):
        viz.votes(runs, [1.0, 0.0], axes=("a", "b"), start=start)


# ---------------------------------------------------------------- rounds

RHOS, ALPHAS = [1.0, 10.0, 100.0], [1.0, 1.6]
ROUNDS = np.array([[50, 20, 99], [40, 12, 99]])


def test_the_map_names_its_lowest_point_and_theorys():
    picture = viz.rounds_map(RHOS, ALPHAS, ROUNDS, cap=99, best=9.0)
    star, (low, high) = picture.figure.axes[0].lines[-1], picture.figure.axes[0].get_ylim()
    assert low < min(ALPHAS) and max(ALPHAS) < high, "the star is whole"
    assert np.array_equal(star.get_xydata(), [[10, 1.6]])
    tried = picture.figure.axes[0].lines[-2].get_xydata()
    assert {tuple(pair) for pair in tried} == {(rho, alpha) for rho in RHOS for alpha in ALPHAS}, "a dot for each pair"
    written = [text.get_text() for text in picture.figure.axes[0].texts]
    assert {"15", "20", "30", "50", "70", "√(μL) = 9", "12 rounds"} >= set(written) >= {"√(μL) = 9", "12 rounds"}
    numbers = [text for text in picture.figure.axes[0].texts if text.get_text().isdigit()]
    assert numbers and all(1.0 < text.get_position()[1] < 1.6 for text in numbers), "between two rows of dots"
    left, right = picture.figure.axes[0].get_xlim()
    assert left < min(RHOS) and max(RHOS) < right, "the dots at both ends are whole"
    pair = "The best pair, α = 1.6 and ρ = 10, takes 12 rounds"
    assert picture.finding == f"At α = 1 the best ρ takes 20 rounds. {pair}. In theory the best ρ is 9."


def test_the_map_has_a_slider_through_its_rows():
    model = viz.rounds_map(RHOS, ALPHAS, ROUNDS, cap=99, best=9.0, start=1.6).interactive
    [slider] = model.select({"type": Slider})
    move = script(model, slider)
    assert slider.value == 1 and move.args["rounds"] == ROUNDS.tolist()
    assert list(move.args["curve"].data["y"]) == [40, 12, 99]
    assert "20 rounds at ρ = <b>10</b>" in move.args["texts"][0] and 'role="status"' in move.args["texts"][0]


def test_a_row_that_never_got_there_says_so():
    finding = viz.rounds_map(RHOS, ALPHAS, np.full((2, 3), 99), cap=99, best=9.0)
    assert "more than 99 rounds" in finding.finding


def test_the_map_says_what_it_needs():
    with pytest.raises(ValueError, match="a row for each α"):
        viz.rounds_map(RHOS, ALPHAS, ROUNDS.T, cap=99, best=9.0)
