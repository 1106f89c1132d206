"""The live display: what it records, when it draws, and that the last state is always shown."""

import numpy as np
import pytest

import glmlab
from glmlab import viz
from glmlab.viz import live


class Place:
    """A stand-in for IPython's display."""

    def __init__(self):
        self.shown = []

    def __call__(self, what, display_id):
        self.shown.append(repr(what))
        return self

    def update(self, what):
        self.shown.append(repr(what))


@pytest.fixture
def place(monkeypatch):
    place = Place()
    monkeypatch.setattr("IPython.display.display", place)
    return place


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(live.time, "perf_counter", lambda: now[0])
    return now


def state(k):
    return glmlab.State(np.full(2, float(k)), objective=10.0 - k)


def test_the_line_has_iteration_objective_certificate_and_time(place, clock):
    with viz.Live(lambda state: 2.0 ** -state.beta[0], title="a run") as watch:
        for k in range(3):
            watch(state(k))
            clock[0] += 0.25
    assert watch.words() == "a run: iteration 2, F = 8, F − F* ≤ 2.50e-01, 0.5 s"
    assert watch.objectives == [10, 9, 8] and watch.bounds == [1, 0.5, 0.25] and watch.seconds == [0, 0.25, 0.5]


def test_it_draws_once_a_second_in_one_place_and_at_the_end(place, clock):
    with viz.Live(lambda state: 1.0) as watch:
        for k in range(10):
            watch(state(k))
            clock[0] += 0.4
    drawn = [int(words.split("iteration ")[1].split(",")[0]) for words in place.shown]
    assert drawn == [0, 3, 6, 9, 9]


def test_a_run_that_fails_shows_its_last_state(place, clock):
    with pytest.raises(KeyboardInterrupt), viz.Live(lambda state: 1.0) as watch:
        watch(state(0))
        watch(state(1))
        raise KeyboardInterrupt
    assert "iteration 1" in place.shown[-1]


def test_slow_drawings_take_a_tenth_of_the_time(place, clock, monkeypatch):
    def slowly(what):
        clock[0] += 2.0

    place.update = slowly
    watch = viz.Live(lambda state: 1.0)
    watch.__enter__()
    watch(state(0))
    clock[0] += 1.5
    watch(state(1))  # the drawing takes two seconds
    assert watch._next == pytest.approx(1.5 + 2.0 + 20.0)


def test_a_run_that_never_began_shows_nothing(place):
    with viz.Live(lambda state: 1.0):
        pass
    assert place.shown == []


def test_where_bounds_cost_passes_only_drawn_states_get_one(place, clock):
    asked = []

    def bound(state):
        asked.append(int(state.beta[0]))
        return 2.0 ** -state.beta[0]

    with viz.Live(bound, sparing=True) as watch:
        for k in range(10):
            watch(state(k))
            clock[0] += 0.4
    assert asked == [3, 6, 9], "from the first second on, once a second, and at the end"
    assert np.isnan(watch.bounds).tolist() == [k not in asked for k in range(10)]
    [line] = watch.picture().figure.axes[0].lines
    assert line.get_xdata().tolist() == asked and line.get_ydata().tolist() == [2.0**-k for k in asked]


def test_it_is_a_callback_that_never_stops_a_run(place):
    rng = np.random.default_rng(0)
    f = glmlab.Objective("gaussian", glmlab.as_chunks(rng.normal(size=(50, 3)), rng.normal(size=50)))
    with viz.Live(lambda state: 1.0) as watch:
        result = glmlab.run("gradient_descent", f, callback=watch)
    assert result.converged and watch.objectives[0] == f.loss(np.zeros(3))
    assert len(watch.objectives) in (result.n_iter, result.n_iter + 1)


def test_the_page_has_the_line_and_the_curve(place):
    watch = viz.Live(lambda state: 2.0 ** -state.beta[0], title="a run")
    watch(state(0))
    assert watch._repr_html_() == f"<p>{watch.words()}</p>", "one point is no curve"
    for k in range(1, 5):
        watch(state(k))
    page = watch._repr_html_()
    assert page.startswith(f"<p>{watch.words()}</p>") and "<img" in page and 'alt="The certificate' in page
    [axes] = watch.picture().figure.axes
    assert np.array_equal(axes.lines[0].get_ydata(), watch.bounds)
    assert axes.get_title(loc="left") == "a run: F − F* ≤ 0.0625 after 4 iterations"


def test_outside_of_jupyter_it_prints(capsys):
    with viz.Live(lambda state: 1.0) as watch:
        watch(state(0))
    assert "iteration 0, F = 10" in capsys.readouterr().out


def test_an_iteration_may_have_another_name(place):
    with viz.Live(lambda state: 1.0, step="round") as watch:
        watch(state(0))
        watch(state(1))
    assert "round 1, F" in place.shown[-1] and watch.picture().figure.axes[0].get_xlabel() == "round"
