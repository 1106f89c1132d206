"""Pictures: legible, described in words, self-contained, and correct."""

import os
import re
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import dask
import dask.array as da
import numpy as np
import pandas as pd
import pytest
from bokeh.models import CustomJS, Slider
from distributed import Client, wait
from matplotlib.patches import Circle, FancyArrowPatch, Rectangle
from matplotlib.text import Text

import glmlab
from glmlab import viz
from glmlab.rows import kernels
from glmlab.viz import graphs, interactive, style
from glmlab.viz.course import COMPANIONS, COURSE

CLONE = Path(__file__).resolve().parent.parent


def result(solver="newton", rate=0.5, n=8, F=10.0, bound=None):
    """The parts of a Result that pictures use, with objectives F + 5·rateᵏ."""
    k = np.arange(n)
    objective = F + 5 * rate**k
    bound = 2 * (objective[-1] - F) if bound is None else bound
    trace = SimpleNamespace(
        passes=2.0 * k + 1, rounds=k + 1, seconds=0.1 * k, objective=objective, residual=rate**k
    )
    certificate = SimpleNamespace(bound=bound)
    return SimpleNamespace(solver=solver, objective=objective[-1], certificate=certificate, trace=trace)


def three_results(**options):
    return viz.convergence([result("gradient_descent", 0.9), result("newton", 0.1), result("fista", 0.6)], **options)


def falling(p, m=9, **options):
    """The picture of a path of m fits; at every λ one more coefficient is nonzero."""
    lams = np.geomspace(5, 0.01, m)
    betas = np.maximum(np.arange(m)[:, None] - np.arange(p), 0) * (-1.0) ** np.arange(p)
    return viz.coefficients(lams, betas, lam_max=5.0, **options)


def validated(m):
    """A cross-validation at m λ, whose loss is least at the largest or at the smallest of them."""
    lams, mean = np.geomspace(1e4, 1e-4, m), np.linspace(1, 2, m) if m > 9 else np.linspace(2, 1, m)
    found = glmlab.path(np.eye(3), np.ones(3), family="gaussian", lams=lams)
    return glmlab.CrossValidation(found, (found,) * 2, mean + np.array([[-0.2], [0.2]]), np.ones(2), 1)


@pytest.fixture(scope="module")
def client():
    with Client(n_workers=2, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0") as client:
        yield client


def chain(length):
    """A chain of tasks; the last one also reads the first."""
    first = last = dask.delayed(abs)(-1)
    for _ in range(length):
        last = dask.delayed(abs)(last)
    return dask.delayed(max)(first, last)


def standings(slowest):
    columns = ["s to 0.001", "s to 1e-06", "fastest", "slowest", "passes", "rounds", "iterations", "certified"]
    rows = {name: [0.01, seconds, seconds / 2, seconds, 100 * seconds, 9, 9, 1e-8]
            for name, seconds in (("a_rather_long_name", slowest), ("b", 0.03), ("never_there", np.inf))}  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def inferred(p, names=None):
    """An inference of a logistic fit with p columns."""
    rng = np.random.default_rng(p)
    X = pd.DataFrame(rng.normal(size=(300, p)), columns=names or [f"x{j + 1}" for j in range(p)])
    y = rng.random(300) < 1 / (1 + np.exp(-X.to_numpy()[:, 0]))
    return glmlab.infer(glmlab.fit(X, y, family="logistic", fit_intercept=True), X, y)


PICTURES = {
    "ten chunks": lambda: viz.chunks(da.zeros((1_000_000, 100), chunks=(100_000, 100))),
    "uneven chunks": lambda: viz.chunks(da.zeros((1000, 7), chunks=((1, 500, 2, 3, 494), (3, 4))), name="a long name"),
    "equal chunks": lambda: viz.chunks(da.zeros((1000, 2), chunks=(10, 2))),
    "many chunks": lambda: viz.chunks(da.zeros((820, 2), chunks=(tuple(range(1, 41)), 2))),
    "a vector": lambda: viz.chunks(da.zeros(10, chunks=5), name="y"),
    "bars": lambda: viz.bytes_per_worker({"worker 0": 8e8, "worker 1": 0}, {"worker 0": 4e8, "worker 1": 4e8}),
    "tangent": lambda: viz.tangent(1.0, 2.2, -1.2),
    "bounds": lambda: viz.bounds_by_lam([1e-6, 1], [1e-9, 1e-9], {"one": [1e-3, np.inf], "two": [1e-9, 2e-9]}, start=1),
    "round": viz.admm_round,
    "stops": lambda: viz.stops({"run": (0.5 ** np.arange(30), {"change": 9, "proof": 21, "never": None})}, tol=1e-6),
    "three errors": lambda: viz.three_errors([1, 1e-3, 0], {0: 3, 2: 1e-9}, [1, 0.1, 0.01], noise=0.02),
    "slider": lambda: viz.chunk_slider(1_000_000, 100, budget=100e6),
    "digits": lambda: viz.digits_left([1, 1e6], {"one": [[2.0], [2.1]], "another": [[2.0], [2.0]]}, [2.0]),
    "errors": lambda: viz.error_by_rows([200, 900], [0.4, 0.1], 100, others={"the post": (10**6, 0.0025)}),
    "graph": lambda: viz.graph(da.ones((4, 2), chunks=(2, 2)).sum()),
    "wide graph": lambda: viz.graph(da.ones(60, chunks=1)),
    "long graph": lambda: viz.graph(chain(30)),
    "gaps": lambda: viz.gap_curves({"published, second half": 9.0 ** np.arange(99), "mended": 0.8 ** np.arange(20)}),
    "bound and gap": lambda: viz.bound_and_gap([9, 0.2, 1e-9], [1, 0.19, 9e-10], kappa=9.3, title="A bound"),
    "rates": lambda: viz.rate_by_kappa([2, 9, 100], {"1/L": [0.5, 0.889, 0.99]}, {"1/L": [0.49, 0.889, 0.99]}),
    "step slider": lambda: viz.step_slider(np.geomspace(1, 9, 5), np.ones(5)),
    "convergence": three_results,
    "by seconds": lambda: three_results(x="seconds", y="residual"),
    "coefficients": lambda: falling(12),
    "few coefficients": lambda: falling(2, names=["a longer name", "b"]),
    "penalties": lambda: viz.penalty_paths({"L1": ([1, 9], np.eye(2)), "ridge": ([1, 9], np.ones((2, 2)))}, [1, 2]),
    "prices": lambda: viz.prices([-0.1, 0.1], {"a family": [1.1, 0.9], "another": [1, 1]}),
    "odds": lambda: viz.odds(["June", "a_long_name", "UA"], [0.7, -0.1, 0.02], [0.1, 0.2, 0.01], of="being late",
                              against="January and United"),
    "intervals": lambda: viz.intervals(inferred(6)),
    "intervals with long names": lambda: viz.intervals(inferred(2, names=["a rather long name", "b"]), per=[1, 2]),
    "calibration": lambda: viz.calibration(glmlab.calibration(inferred(3), 5), of="share of successes"),
    "calibration of one bin": lambda: viz.calibration(glmlab.calibration(inferred(2), 1)),
    "leverages": lambda: viz.leverages(inferred(3)),
    "held out": lambda: viz.held_out(validated(6)),
    "held out, one choice": lambda: viz.held_out(validated(30)),
    "course": viz.course_map,
    "who computes": viz.who_computes,
    "reduction": viz.reduction,
    "solver loop": viz.solver_loop,
    "standings": lambda: viz.standings(standings(0.2)),
    "standings far apart": lambda: viz.standings(standings(30.0)),
}


@pytest.fixture(params=PICTURES, ids=str)
def picture(request):
    return PICTURES[request.param]()


def texts(figure):
    """Visible texts of a drawn figure with their boxes in pixels."""
    figure.draw_without_rendering()
    found = figure.findobj(Text)
    hidden = [label for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for label in beyond(axis)]
    shown = [text for text in found if text.get_visible() and text.get_text().strip() and text not in hidden]
    return {text: text.get_window_extent() for text in shown}


def beyond(axis):
    """Labels of ticks outside the limits: they have a text and a position, but are not drawn."""
    low, high = sorted(axis.get_view_interval())
    ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
    return [tick.label1 for tick in ticks if not low <= tick.get_loc() <= high]


def test_curves_have_the_names_of_the_columns():
    """They were x1, x2, … although the path had names."""
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(50, 2)), columns=["age", "income"])
    found = glmlab.path(X, X["age"] - X["income"] / 2, family="gaussian", n_lams=4)
    for given, names in ((found, ["age", "income"]), (found[:2], ["age", "income"])):
        assert [text.get_text() for text in viz.coefficients(given).figure.legends[0].get_texts()] == names
    plain = glmlab.path(X.to_numpy(), X["age"].to_numpy(), family="gaussian", n_lams=4)
    shown = [viz.coefficients(plain), viz.coefficients(found, names=["a", "b"])]
    assert [[text.get_text() for text in picture.figure.legends[0].get_texts()] for picture in shown] == [
        ["x1", "x2"], ["a", "b"]]  # fmt: skip
    assert "age, income enter first" in viz.coefficients(found).finding


def test_letters_are_large_enough(picture):
    assert min(text.get_fontsize() for text in texts(picture.figure)) >= style.SMALLEST_FONT


def test_no_text_overlaps_another_or_leaves_the_figure(picture):
    boxes, page = texts(picture.figure), picture.figure.bbox
    for (a, box), (b, other) in combinations(boxes.items(), 2):
        assert not box.padded(-1).overlaps(other.padded(-1)), (a.get_text(), b.get_text())
    for text, box in boxes.items():
        assert page.x0 - 1 <= box.x0 and box.x1 <= page.x1 + 1, text.get_text()
        assert page.y0 - 1 <= box.y0 and box.y1 <= page.y1 + 1, text.get_text()


def test_something_is_drawn(picture):
    from io import BytesIO

    from matplotlib.image import imread

    pixels = imread(BytesIO(picture.png()))[..., :3]
    assert 0.005 < (pixels.min(axis=2) < 0.95).mean() < 0.9


def test_html_has_alt_text_and_reaches_no_network(picture, monkeypatch):
    monkeypatch.setattr(interactive, "_loaded", True)  # the text of BokehJS has addresses that it does not load
    page = picture._repr_html_()
    assert re.search(r'<img src="data:image/png;base64,[^"]+" alt="[^"]{20,}"', page)
    assert not re.search(r"""(src|href)\s*=\s*['"]?(https?:)?//""", page)


def test_show_displays_and_prints_one_line(capsys, monkeypatch):
    shown = []
    monkeypatch.setattr("glmlab.viz.picture._display", shown.append)
    fig, ax = viz.new_figure()
    ax.plot([1, 2])
    viz.show(fig, alt='a rising "line"', finding="it\nrises")
    assert capsys.readouterr().out == "it rises\n"
    assert shown[0].figure is fig
    assert 'alt="a rising &quot;line&quot;"' in shown[0]._repr_html_()


def test_show_takes_a_picture_and_other_words(capsys):
    viz.show(viz.course_map(), finding="twelve steps")
    assert capsys.readouterr().out.splitlines()[-1] == "twelve steps"


@pytest.mark.parametrize("words", [{"alt": "a line"}, {"finding": "it rises"}, {"alt": " ", "finding": "it rises"}])
def test_no_figure_without_words(words):
    with pytest.raises(ValueError, match="sentence in words"):
        viz.show(viz.new_figure()[0], **words)


def test_an_interactive_view_needs_a_static_figure():
    with pytest.raises(TypeError, match="static matplotlib figure first"):
        viz.show(interactive.bokeh_figure(), alt="a", finding="b")


def test_a_pyplot_figure_is_not_shown_twice(capsys):
    from matplotlib import pyplot

    fig, _ = pyplot.subplots()
    viz.show(fig, alt="empty axes", finding="nothing")
    assert not pyplot.fignum_exists(fig.number)


def test_style_differs_in_more_than_colour():
    cycle = list(style.RC["axes.prop_cycle"])
    for key in ("color", "marker", "linestyle"):
        assert len({str(entry[key]) for entry in cycle}) == len(cycle)


# ---------------------------------------------------------------- Bokeh


def test_bokehjs_comes_inline_and_once(monkeypatch):
    monkeypatch.setattr(interactive, "_loaded", False)
    first, second = (three_results(interactive=True)._repr_html_() for _ in range(2))
    assert first.count("BEGIN bokeh.min.js") == 1 and "BEGIN bokeh-widgets" in first
    assert "bokeh.min.js" not in second and "embed_item" in second
    assert "<img" in first and "<img" in second
    assert not re.search(r"<(script|link)[^>]+(src|href)", first)


def test_load_bokeh_loads_again(monkeypatch, capsys):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    viz.load_bokeh()
    viz.load_bokeh()
    assert all("BEGIN bokeh.min.js" in html.data for html in shown) and len(shown) == 2


def test_embedded_json_cannot_end_its_script(monkeypatch):
    monkeypatch.setattr(interactive, "_loaded", True)
    page = interactive.embed(interactive.bokeh_figure(title="</script><b>"))
    assert page.count("</script>") == 1


def test_the_slider_needs_no_kernel():
    model = viz.chunk_slider(10_000, 10, budget=8_000).interactive
    [slider] = model.select({"type": Slider})
    assert all(isinstance(call, CustomJS) for calls in slider.js_property_callbacks.values() for call in calls)
    move = slider.js_property_callbacks["change:value"][0]
    assert move.args["sizes"][slider.value] == 100  # the budget holds 100 rows of 80 bytes
    assert move.args["row"] == 80


@pytest.mark.parametrize(("p", "budget", "rows", "chunks"), [
    (10, 8_000, 100, 10), (10, 7_999, 50, 20), (1, 1e9, 1000, 1),
])
def test_slider_sentence_is_the_most_that_fits(p, budget, rows, chunks):
    finding = viz.chunk_slider(1_000, p, budget=budget).finding
    assert f"{rows:,} rows" in finding and f"{chunks} chunk" in finding


def test_the_picture_beside_the_slider_does_not_solve_the_exercise():
    picture = viz.chunk_slider(1_000, 10, budget=11_000)  # 137 rows fit
    title = picture.figure.axes[0].get_title(loc="left")
    assert title == "Chunks of 100 rows fit the budget of 11 kB (10 chunks);\nchunks of 200 rows do not (5 chunks)"
    assert "137" not in f"{title} {picture.alt} {picture.finding}"


def test_an_axis_above_the_budget_counts_the_chunks():
    [above] = viz.chunk_slider(4_000, 10, budget=11_000).figure.axes[0].child_axes
    places = dict(zip(above.get_xticks(), [label.get_text() for label in above.get_xticklabels()], strict=True))
    assert places == {1: "4,000", 10: "400", 100: "40", 1000: "4"}


def test_slider_says_when_nothing_fits():
    assert "no chunk fits" in viz.chunk_slider(1_000, 100, budget=799).finding


@pytest.mark.parametrize("bad", [{"n": 0}, {"p": -1}, {"budget": "1GB"}, {"budget": float("nan")}])
def test_slider_names_what_it_cannot_use(bad):
    [(name, _)] = bad.items()
    with pytest.raises(ValueError, match=f"{name}="):
        viz.chunk_slider(**{"n": 10, "p": 10, "budget": 100} | bad)


# ---------------------------------------------------------------- chunks


def blocks_of(picture):
    return [patch for patch in picture.figure.axes[0].patches if isinstance(patch, Rectangle)]


def test_blocks_are_drawn_in_proportion():
    X = da.zeros((10, 4), chunks=((1, 6, 3), (1, 3)))
    areas = [block.get_width() * block.get_height() for block in blocks_of(viz.chunks(X))]
    assert np.allclose(areas, [rows * columns / 40 for rows in (1, 6, 3) for columns in (1, 3)])


def test_chunks_says_rows_and_bytes():
    finding = viz.chunks(da.zeros((1_000_000, 100), chunks=(100_000, 100))).finding
    assert "10 row chunks of 100,000 rows" in finding
    assert "80 MB a chunk" in finding and "800 MB in all" in finding and "no worker" in finding


@pytest.mark.parametrize(("X", "error", "cure"), [
    (np.zeros((2, 2)), TypeError, "from_array"),
    (da.zeros((2, 2, 2)), ValueError, "shape"),
    (da.zeros((0, 2)), ValueError, "no rows"),
    (da.arange(5, chunks=2)[da.arange(5, chunks=2) > 1], ValueError, "compute_chunk_sizes"),
])
def test_chunks_refuses_by_name(X, error, cure):
    with pytest.raises(error, match=cure):
        viz.chunks(X)


def test_chunks_shows_the_worker_of_each_chunk(client):
    X = da.zeros((8, 2), chunks=(2, 2)).persist()
    wait(X)
    picture = viz.chunks(X)
    names = {address: f"worker {k}" for k, address in enumerate(sorted(client.has_what()))}
    held = {key: names[homes[0]] for key, homes in client.who_has(X).items()}
    colours = [block.get_facecolor() for block in blocks_of(picture)]
    homes = [held[(X.name, k, 0)] for k in range(4)]
    assert len(set(homes)) == len(set(colours)) == len(set(zip(homes, colours, strict=True)))
    told = []
    for label in (text.get_text() for text in picture.figure.axes[0].texts):
        first, last = re.match(r"chunks? (\d+)(?:–(\d+))?: ", label).groups()
        told += [label.split(", ")[-1]] * (int(last or first) - int(first) + 1)
    assert told == homes and not picture.figure.legends, "the labels name the workers"


def test_equal_chunks_share_a_line():
    picture = viz.chunks(da.zeros((10, 2), chunks=((2, 2, 2, 4), 2)))
    labels = [text.get_text() for text in picture.figure.axes[0].texts]
    assert labels == ["chunks 1–3: 2 rows, 32 bytes each", "chunk 4: 4 rows, 64 bytes"]


def test_bytes_by_worker_adds_up_and_counts_no_other_data(client):
    other, X = da.random.random((100, 2), chunks=(50, 2)).persist(), da.random.random((8, 2), chunks=2).persist()
    wait([other, X])
    amounts = viz.bytes_by_worker(X)
    assert sorted(amounts) == ["worker 0", "worker 1"] and sum(amounts.values()) == X.nbytes
    assert sum(viz.bytes_by_worker(X, other).values()) == X.nbytes + other.nbytes


def test_bytes_by_worker_without_a_client(monkeypatch):
    monkeypatch.setattr("glmlab.viz.chunkmap._current_client", lambda: None)
    with pytest.raises(ValueError, match="client = glmlab.machine.cluster.client"):
        viz.bytes_by_worker(da.zeros(3))


def test_bars_are_as_long_as_the_bytes():
    addresses = {"tcp://b:2": 1e6, "tcp://a:1": 7e6}
    picture = viz.bytes_per_worker(addresses, {"tcp://a:1": 4e6, "tcp://b:2": 4e6})
    axes = picture.figure.axes[0]
    assert [bar.get_width() for bar in axes.patches] == [7, 1, 4, 4]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["worker 0", "worker 1"]
    assert "7 MB" in picture.finding and "1 MB" in picture.finding
    assert not axes.texts


def test_a_worker_without_bytes_has_a_zero_in_the_place_of_a_bar():
    picture = viz.bytes_per_worker({"worker 0": 8e8, "worker 1": 0}, {"worker 0": 4e8, "worker 1": 4e8})
    [zero] = picture.figure.axes[0].texts
    assert zero.get_text().strip() == "0" and round(zero.get_position()[1]) == 1, "in the row of worker 1"
    assert "Before: the fullest worker holds 800 MB and the emptiest 0 bytes. After: " in picture.finding


def test_bars_refuse_what_is_no_state():
    with pytest.raises(TypeError, match="worker: bytes"):
        viz.bytes_per_worker([1, 2])


# ---------------------------------------------------------------- graphs


def delayed_parts(count):
    return [dask.delayed(sum)([k, 1]) for k in range(count)]


@pytest.mark.parametrize("collections", [
    [da.ones((6, 2), chunks=(2, 2)).sum(axis=0)],
    [da.ones(4, chunks=2), da.zeros(4, chunks=2)],
    [dask.delayed(sum)(delayed_parts(3))],
    [delayed_parts(3)],
    [da.ones(4, chunks=2).persist(scheduler="sync") + 1],
], ids=["array", "two arrays", "delayed", "list of delayed", "persisted"])
@pytest.mark.parametrize("optimize_graph", [False, True])
def test_graph_draws_what_it_counts(collections, optimize_graph):
    counts = viz.task_counts(*collections, optimize_graph=optimize_graph)
    picture = viz.graph(*collections, optimize_graph=optimize_graph)
    patches = picture.figure.axes[0].patches
    assert sum(isinstance(patch, Circle) for patch in patches) == counts["tasks"] > 0
    assert sum(isinstance(patch, Rectangle) for patch in patches) == counts["data"]
    assert f"{counts['tasks']} task" in picture.finding


def test_task_counts_of_known_graphs():
    assert viz.task_counts(da.ones((10, 2), chunks=(1, 2))) == {"tasks": 10, "data": 10}
    assert viz.task_counts(dask.delayed(sum)(delayed_parts(3))) == {"tasks": 4, "data": 4}
    chain = da.ones(4, chunks=2) + 1 - 2
    assert viz.task_counts(chain, optimize_graph=True)["tasks"] < viz.task_counts(chain)["tasks"] == 6


def test_graph_on_a_cluster(client):
    X = da.zeros((8, 2), chunks=(2, 2)).persist()
    wait(X)
    assert viz.task_counts(X) == {"tasks": 0, "data": 4}  # persisted chunks need no task
    boxes = viz.graph(X + 1).figure.axes[0].patches
    assert sum(isinstance(box, Circle) for box in boxes) == 4


def test_persisted_chunks_are_drawn_though_they_are_not_in_the_graph(client):
    """dask.optimize drops futures: the graph of a pass over persisted rows refers to keys that are not in it."""
    X = da.ones((6, 2), chunks=(2, 2)).persist()
    pass_ = glmlab.as_chunks(X, X[:, 0].persist()).lazy(kernels.loss_grad, (glmlab.Gaussian(), np.zeros(2)))
    assert len(dict(pass_.__dask_graph__())) == 4  # three chunks, one sum
    assert viz.task_counts(pass_) == {"tasks": 4, "data": 4 + 6}
    patches = viz.graph(pass_).figure.axes[0].patches
    assert sum(isinstance(box, Rectangle) for box in patches) == 10


def names_of(picture):
    """What is written into boxes: circles have one letter."""
    return sorted(text.get_text() for text in picture.figure.axes[0].texts if len(text.get_text()) > 1)


def test_boxes_may_have_names():
    X, beta = da.ones((6, 2), chunks=(2, 2)), dask.delayed(np.zeros(2))
    parts = [dask.delayed(np.dot)(chunk, beta) for chunk in X.to_delayed().ravel()]
    picture = viz.graph(dask.delayed(sum)(parts), names={"X": X.to_delayed().ravel().tolist(), "beta": None})
    assert names_of(picture) == ["$X_{1}$", "$X_{2}$", "$X_{3}$", "beta"]
    assert "Boxes with a name: X_1, X_2, X_3 and beta." in picture.alt
    assert names_of(viz.graph(X + 1, names={"X": X, "y": da.ones(3)})) == ["$X_{1}$", "$X_{2}$", "$X_{3}$"]
    assert names_of(viz.graph(X + 1)) == []


def test_a_single_box_has_no_number_and_a_task_may_have_a_name():
    X = da.ones((6, 2), chunks=(2, 2))
    G = X.T.dot(X)
    picture = viz.graph(G, names={"X": X, "G": G}, tasks={"add": G})
    assert names_of(picture) == ["$G$", "$X_{1}$", "$X_{2}$", "$X_{3}$"]
    legend = [text.get_text() for text in picture.figure.legends[0].get_texts()]
    assert any(text.endswith("add  (1 task)") for text in legend)
    assert not any("sum-aggregate" in text for text in legend)
    assert "1 add" in picture.alt


def test_tasks_may_be_renamed_by_the_name_that_dask_gives_them():
    parts = [dask.delayed(abs)(k) for k in range(3)]
    picture = viz.graph(dask.delayed(sum)(parts), tasks={"$|x_{k}|$": "abs"})
    legend = [text.get_text() for text in picture.figure.legends[0].get_texts()]
    assert [text.split(":  ")[1] for text in legend] == ["$|x_{k}|$  (3 tasks)", "sum  (1 task)"]
    assert "3 |x_k| and 1 sum" in picture.alt, "no marks of a formula"


def test_chunks_stand_in_their_order():
    X = da.ones((24, 2), chunks=(2, 2))
    axes = viz.graph(X.sum(), names={"X": X}).figure.axes[0]
    places = {text.get_text(): text.get_position()[0] for text in axes.texts}
    across = [places[f"$X_{{{k}}}$"] for k in range(1, 13)]
    assert across == sorted(across)


def test_a_tree_stands_in_the_order_of_its_chunks_whatever_the_tokens_of_its_tasks():
    """A token is drawn at random, so a wrong order would be right by chance in a few of ten graphs at most."""
    X = da.ones((14, 2), chunks=(2, 2))
    beta = dask.delayed(np.ones(2))
    for _ in range(10):
        parts = [dask.delayed(np.dot)(chunk, beta) for chunk in X.to_delayed().ravel()]
        tree = dask.delayed(sum)([dask.delayed(sum)(parts[:4]), dask.delayed(sum)(parts[4:])])
        axes = viz.graph(tree, names={"X": X, "β": None}).figure.axes[0]
        places = {text.get_text(): text.get_position()[0] for text in axes.texts}
        across = [places[f"$X_{{{k}}}$"] for k in range(1, 8)]
        assert across == sorted(across)


def test_all_chunks_look_alike_though_they_share_an_input():
    X = da.random.default_rng(0).normal(size=(6, 2), chunks=(2, 2))
    noise = da.random.default_rng(1).normal(size=6, chunks=2)
    y = X.dot(np.ones(2)) + noise
    axes = viz.graph(y, names={"X": X, "e": noise, "y": y, "β": None}).figure.axes[0]
    across = {text.get_text(): text.get_position()[0] for text in axes.texts}
    sides = {np.sign(across[f"$e_{{{k}}}$"] - across[f"$y_{{{k}}}$"]) for k in (1, 2, 3)}
    assert len(sides) == 1, "the noise is on the same side of each y_k"
    assert across["$X_{1}$"] < across["β"] < across["$X_{3}$"]


def test_a_graph_may_have_a_title():
    X = da.ones((6, 2), chunks=(2, 2))
    titled, plain = (viz.graph(X, title=title).figure for title in ("Three chunks", None))
    assert titled.get_suptitle() == "Three chunks" and plain.get_suptitle() == ""
    assert titled.get_figheight() > plain.get_figheight(), "the title has room of its own"


def test_a_long_graph_is_drawn_from_left_to_right():
    short, long = (viz.graph(chain(length)).figure for length in (5, 30))
    assert style.SMALL[0] <= short.get_figwidth() < short.get_figheight() <= graphs.TALL + 1
    assert long.get_figheight() < long.get_figwidth() <= style.WIDE[0]


def test_a_graph_may_be_drawn_from_left_to_right():
    X = da.ones((6, 2), chunks=(2, 2))
    for across, along in ((False, 1), (True, 0)):
        axes = viz.graph(X.sum(), names={"X": X}, across=across).figure.axes[0]
        places = {text.get_text(): text.get_position() for text in axes.texts}
        starts = [places[f"$X_{{{k}}}$"][along] for k in (1, 2, 3)]
        circles = [patch.get_center()[along] for patch in axes.patches if isinstance(patch, Circle)]
        assert np.ptp(starts) < 1 and max(circles) > max(starts), "what is read first stands first"


def test_arrows_touch_the_boxes_that_they_join():
    X = da.ones((6, 2), chunks=(2, 2))
    axes = viz.graph(X.sum(), names={"X": X}).figure.axes[0]
    axes.figure.draw_without_rendering()
    ends = np.concatenate([patch.get_path().vertices for patch in axes.patches if isinstance(patch, FancyArrowPatch)])
    for box in (patch for patch in axes.patches if isinstance(patch, Rectangle)):
        half = box.get_width() / 2
        nearest = np.abs(ends - box.get_xy() - half).max(axis=1).min()  # of a square all points are as far
        assert abs(nearest - half) <= 1.5, "points"


def test_arrows_stay_in_the_picture():
    """Chunks that are read at the start and at the end: their curves pass around all other nodes."""
    X = da.ones((6, 2), chunks=(2, 2))
    first = X @ np.ones(2) - 1
    ax = viz.graph(X.T @ first, (X @ (X.T @ first) ** 2).sum()).figure.axes[0]
    ax.figure.draw_without_rendering()
    frame = ax.get_window_extent()
    for arrow in (patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)):
        path = arrow.get_transform().transform_path(arrow.get_path()).get_extents()
        assert frame.x0 <= path.x0 and path.x1 <= frame.x1 and frame.y0 <= path.y0 and path.y1 <= frame.y1


def test_graph_without_dot_on_the_machine(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert os.environ["PATH"] == str(tmp_path)
    assert viz.graph(da.ones(4, chunks=2).sum()).png().startswith(b"\x89PNG")


def test_graph_refuses_what_nobody_could_read():
    with pytest.raises(ValueError, match="limit=50"):
        viz.graph(da.ones(50, chunks=1), limit=49)
    with pytest.raises(TypeError, match="given ndarray"):
        viz.graph(np.ones(3))


# ---------------------------------------------------------------- convergence


def lines(picture):
    return [np.array(line.get_xydata()) for line in picture.figure.axes[0].lines]


def test_suboptimality_is_measured_from_the_best_certified_bound():
    slow, fast = result("slow", 0.9), result("fast", 0.1)
    [a, b] = lines(viz.convergence([slow, fast], y="objective"))
    lower = fast.objective - fast.certificate.bound
    assert np.allclose(a[:, 1], slow.trace.objective - lower) and np.allclose(b[:, 1], fast.trace.objective - lower)
    assert np.array_equal(a[:, 0], slow.trace.passes)
    assert (b[:, 1] > fast.trace.objective - 10.0).all()  # never below the true suboptimality


def test_a_known_optimum_and_the_relative_scale():
    one = result(n=5)
    [curve] = lines(viz.convergence(one, x="rounds", optimum=10.0))
    assert np.allclose(curve[:, 1], (one.trace.objective - 10) / 15)  # F at the start is 15
    assert np.array_equal(curve[:, 0], one.trace.rounds)


def test_the_relative_scale_is_named_after_the_first_objective_unless_one_exceeds_it():
    falls, rises = result(n=5), result(n=5)
    rises.trace.objective[2] = 40.0
    one, both = (viz.convergence(runs, optimum=10.0) for runs in (falls, {"falls": falls, "rises": rises}))
    assert one.figure.axes[0].get_ylabel() == "(F − F*) / (F at the start)"
    assert both.figure.axes[0].get_ylabel() == "(F − F*) / max(|F|, |F at the start|)"
    assert np.allclose(lines(both)[1][2, 1], (40 - 10) / 40)


def test_a_tolerance_is_a_named_line_and_no_curve():
    picture = viz.convergence({"mine": result(n=5)}, optimum=10.0, tol=1e-2)
    curve, line = lines(picture)
    assert len(curve) == 5 and list(line[:, 1]) == [1e-2, 1e-2]
    assert [text.get_text() for text in picture.figure.legends[0].get_texts()] == ["mine", "tolerance 1e-02"]
    assert "tolerance" not in picture.finding


def test_convergence_has_a_log_scale_and_names():
    picture = three_results()
    assert picture.figure.axes[0].get_yscale() == "log"
    named = [text.get_text() for text in picture.figure.legends[0].get_texts()]
    assert named == ["gradient_descent", "newton", "fista"]
    assert all(name in picture.finding for name in named)


@pytest.mark.parametrize(("x", "end"), [("passes", "1,335 passes"), ("rounds", "668 rounds"),
                                        ("seconds", "66.7 seconds")])
def test_a_caption_has_all_digits_of_a_count(x, end):
    finding = viz.convergence(result("newton", 0.99, n=668), x=x, optimum=10.0).finding
    assert finding.endswith(f" after {end}.")


def test_two_runs_of_one_solver_keep_their_names_apart():
    finding = viz.convergence([result("newton"), result("newton", 0.3)]).finding
    assert "newton 1 reaches" in finding and "newton 2 reaches" in finding


def test_points_below_the_reference_are_left_out():
    [curve] = lines(viz.convergence(result(n=4), y="objective", optimum=11.0))
    assert len(curve) == 3 and (curve[:, 1] > 0).all()


def test_the_interactive_figure_has_the_same_numbers():
    picture = three_results(interactive=True)
    [static, *_] = lines(picture)
    source = picture.interactive.renderers[0].data_source.data
    assert np.array_equal(np.c_[source["x"], source["y"]], static)


@pytest.mark.parametrize(("given", "message"), [
    (lambda: viz.convergence(result(), x="hours"), "x='hours'.*passes"),
    (lambda: viz.convergence(result(), y="error"), "y='error'.*residual"),
    (lambda: viz.convergence([]), "no results"),
    (lambda: viz.convergence(result(bound=np.inf)), "optimum="),
    (lambda: viz.convergence([result("a"), result("b", F=3.0)]), "b lies below the lower bound of a"),
])
def test_convergence_refuses_by_name(given, message):
    with pytest.raises(ValueError, match=message):
        given()


def test_residuals_need_no_certificate():
    [curve] = lines(viz.convergence(result(bound=np.inf), y="residual"))
    assert np.array_equal(curve[:, 1], result().trace.residual)


def test_convergence_refuses_what_is_no_result():
    with pytest.raises(TypeError, match="ndarray"):
        viz.convergence({"mine": np.ones(3)})


def test_convergence_of_a_real_fit():
    from glmlab import fit

    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    y = (rng.random(200) < 0.5).astype(float)
    fits = [fit(X, y, family="logistic", penalty="zero", solver=s) for s in ("newton", "gradient_descent")]
    for curve, one in zip(lines(viz.convergence(fits)), fits, strict=True):
        assert (np.isfinite(curve).all() and len(curve) >= 2) and curve[-1, 1] <= 1e-5 < curve[0, 1]
        assert curve[-1, 0] == one.trace.passes[-1]
    assert np.array_equal(lines(viz.convergence(fits[0]))[0], lines(viz.convergence({"newton": fits[0]}))[0])


# ---------------------------------------------------------------- words and the course


@pytest.mark.parametrize(("n", "text"), [(0, "0 bytes"), (999, "999 bytes"), (999.6, "1 kB"), (8e8, "800 MB"),
                                         (1.5e9, "1.5 GB"), (2e18, "2e+03 PB")])
def test_bytes_as_text(n, text):
    assert viz.bytes_text(n) == text


def test_a_reduction_has_the_sums_of_every_chunk_once():
    words = [text.get_text() for text in texts(viz.reduction().figure)]
    for pattern in ("$X_{0},\\ y_{0}$", "$X_{0}^\\top X_{0},\\ X_{0}^\\top y_{0}$"):
        assert [words.count(pattern.format(k)) for k in range(1, 6)] == [1, 1, 1, 1, 0]
    assert [words.count(f"worker {w}") for w in range(3)] == [1, 1, 0]


def test_odds_have_intervals_of_two_standard_errors():
    words = {"of": "delay", "against": "May"}
    picture = viz.odds(["few flights", "many"], [np.log(2), np.log(1.5)], [1.0, 0.01], **words)
    title = picture.figure.axes[0].get_title(loc="left")
    assert title == "2 of 2 factors on the odds of delay,\nthose furthest from 1: few flights × 2.00 and many × 1.50"
    assert "few flights × 2.00 (0.28 to 14.20), many × 1.50 (1.47 to 1.53)" in picture.finding
    [lines] = [c for c in picture.figure.axes[0].collections if c.get_label() == "95 % interval"]
    ends = [segment[:, 0] for segment in lines.get_segments()]
    assert np.allclose(ends, [2 * np.exp([-1.96, 1.96]), 1.5 * np.exp([-0.0196, 0.0196])])
    with pytest.raises(ValueError, match="2 names and 1 errors"):
        viz.odds(["a", "b"], [1, 2], [1], **words)


def test_course_map_names_all_notebooks():
    picture = viz.course_map()
    words = " ".join(text.get_text() for text in picture.figure.axes[0].texts)
    for number, *_ in COURSE:
        assert f"{number}  " in words and f"{number} " in picture.alt
    for number, _, minutes in COMPANIONS.values():
        assert f"{number}: {minutes} min" in words and f"{number}: {minutes} min" in picture.alt


def test_course_map_readme_and_first_cells_name_the_same_notebooks_and_minutes():
    readme = (CLONE / "README.md").read_text()
    table = re.findall(r"^\| (\d\d\w?) \| \[.*?\]\(notebooks/(.*?)\.ipynb\) \| (\d+) \|", readme, re.M)
    sources = sorted((CLONE / "notebooks" / "src").glob("*.py"))
    minutes = [re.search(r"\*\*(\d+) minutes", source.read_text())[1] for source in sources]
    assert table == [(path.stem.split("_")[0], path.stem, said) for path, said in zip(sources, minutes, strict=True)]
    drawn = sorted([(number, str(said)) for number, _, said, *_ in [*COURSE, *COMPANIONS.values()]])
    assert drawn == [(number, said) for number, _, said in table]


def test_course_map_keeps_words_on_their_cards():
    figure = viz.course_map().figure
    figure.draw_without_rendering()
    cards = [patch.get_window_extent() for patch in figure.axes[0].patches]
    for text, box in texts(figure).items():
        home = [card for card in cards if card.contains(box.x0, (box.y0 + box.y1) / 2)]
        assert all(box.x1 <= card.x1 for card in home), text.get_text()


def test_intervals_are_those_of_the_inference_in_steps_of_the_columns():
    found, per = inferred(5), np.array([1.0, 2.0, 1.0, -1.0, 1.0])
    picture = viz.intervals(found, per=per, most=4, effect="log of a factor")
    axes = picture.figure.axes[0]
    assert axes.get_xlabel() == "log of a factor with its interval of 95 %"
    order = np.argsort(-np.abs(found.statistics[:5]))[:4]
    assert [label.get_text() for label in axes.get_yticklabels()] == [found.names[j] for j in order]
    drawn = {round(y): (x0, x1) for lines in axes.collections for (x0, y), (x1, _) in lines.get_segments()}
    for k, j in enumerate(order):
        assert drawn[k] == pytest.approx((found.low[j] * per[j], found.high[j] * per[j]))
    clear = np.sum((found.low * found.high)[order] > 0)
    for words in (f"{clear} of 4 intervals of 95 %", "standard errors from the optimum, proved"):
        assert words in picture.finding
    with pytest.raises(ValueError, match="a step for each of 5 columns"):
        viz.intervals(found, per=[1.0])
