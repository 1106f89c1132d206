"""The time of a pass against the number of chunks, predicted and measured."""

import numpy as np

from glmlab.words import count_text, range_text

from .interactive import bokeh_figure, place_slider
from .picture import Picture
from .style import COLOURS, new_figure

PARTS = ("round", "tasks", "work and reading")


def chunk_curve(n, predicted, measured, *, start=None, title=None):
    """Time of a pass over n rows against the number of chunks K: a slider without a kernel, and a static picture.

    predicted  {K: (round, tasks, work)}, seconds that a model expects for each of the three; work includes reading
    measured   {K: seconds}, for some or all of these K
    start      the K at which the slider starts; by default the one with the least predicted time
    title      of the figure; by default the K that is fastest by the model, and the one that is by the clock
    """
    if not predicted or not set(measured) <= set(predicted):
        raise ValueError("predicted={K: (rounds, tasks, work)} and measured={K: seconds}, every measured K predicted")
    ks = sorted(predicted)
    parts = np.array([predicted[k] for k in ks], dtype=float)  # (m, 3)
    total = parts.sum(axis=1)
    best = ks[int(total.argmin())]
    seen = [k for k in ks if k in measured]
    finding = _finding(ks, total, measured, best)
    alt = (
        "Milliseconds of a pass against the number of chunks: a predicted line on top of its three parts (the round, "
        f"work and reading, tasks), and measured points. {finding}"
    )
    figure = _static(ks, parts, seen, [measured[k] for k in seen], best, title)
    return Picture(figure, alt, finding, _slider(n, ks, parts, measured, best if start is None else start))


def _finding(ks, total, measured, best):
    found = dict(zip(ks, total, strict=True))
    words = f"Predicted to be fastest: {count_text(best, 'chunk')}, {1e3 * found[best]:.3g} ms a pass"
    if not measured:
        return f"{words}; {ks[-1]:,} take {1e3 * total[-1]:.3g} ms."
    fastest = min(measured, key=measured.get)
    off = np.median([abs(found[k] / measured[k] - 1) for k in measured])
    return (
        f"{words}; measured: {count_text(fastest, 'chunk')}, {1e3 * measured[fastest]:.3g} ms. Half of the predictions "
        f"are within {off:.0%} of the measured time."
    )


def _static(ks, parts, seen, times, best, title):
    """The three parts on top of each other: the line above them is their sum."""
    fig, ax = new_figure(size=(7.6, 4.4))
    rounds, tasks, work = 1e3 * parts.T
    total = rounds + work + tasks
    ax.plot(ks, total, color="black", marker=".", ms=8, ls="-", label="predicted")
    for low, high, name, colour, hatch in (
        (total - tasks, total, "tasks", COLOURS[1], "..."),
        (rounds, total - tasks, "work and reading", COLOURS[0], "///"),
        (0 * rounds, rounds, "round", "#777777", ""),
    ):
        ax.fill_between(ks, low, high, fc=colour, ec="white", lw=0, hatch=hatch, alpha=0.6, label=name)
    look = {"color": COLOURS[2], "marker": "o", "ls": "", "ms": 9, "mfc": "none", "mew": 2}
    ax.plot(seen, 1e3 * np.array(times, dtype=float), label="measured" if seen else None, **look)
    ax.axvline(best, color="black", lw=1, ls=(0, (1, 4)), marker="", label="least predicted time")
    ax.set(xscale="log", ylim=(0, None), xlabel="chunks K (logarithmic)", ylabel="milliseconds per pass")
    predicted = dict(zip(ks, parts.sum(axis=1), strict=True))
    ax.set_title(title or _title(predicted, best, dict(zip(seen, times, strict=True))))
    ax.set_xticks(ks, [str(k) for k in ks])
    ax.minorticks_off()
    fig.legend(loc="outside lower center", ncols=3)
    return fig


def _title(predicted, best, measured):
    """The K with the least predicted time, the one with the least measured time, and how far the times are apart."""
    words = f"Fastest pass: {count_text(best, 'chunk')} by the model"
    if not measured:
        return words
    ratios = range_text([time / predicted[k] for k, time in measured.items()], "{:.2f}".format)
    fastest = count_text(min(measured, key=measured.get), "chunk")
    return f"{words}, {fastest} measured;\nmeasured ÷ predicted time: {ratios}"


# Runs when the slider moves. ks, n, parts, measured, here, bars and words are arguments.
MOVE = """
const k = ks[slider.value], [rounds, tasks, work] = parts[slider.value], total = rounds + tasks + work;
const ms = (s) => Number((1e3 * s).toPrecision(3)) + " ms", seen = measured[slider.value];
here.data = {x: [k], y: [1e3 * total]};
const ends = [0, rounds, rounds + tasks, total].map((s) => 1e3 * s);
bars.data = {...bars.data, left: ends.slice(0, 3), right: ends.slice(1)};
scale.end = 1e3 * total * 1.02;
const count = k.toLocaleString("en") + (k == 1 ? " chunk" : " chunks"), rows = Math.ceil(n / k).toLocaleString("en");
words.text = '<p role="status" style="font-size:12pt;margin:0"><b>' + count + "</b> of about " + rows
  + " rows: predicted <b>" + ms(total) + "</b> = " + ms(rounds) + " for the round + " + ms(tasks) + " for tasks + "
  + ms(work) + " of work and reading" + (seen === null ? "." : "; measured <b>" + ms(seen) + "</b>.") + "</p>";
"""


def _slider(n, ks, parts, measured, start):
    """The picture with a Bokeh slider (arrow keys move it). It needs JavaScript only."""
    from bokeh.layouts import column
    from bokeh.models import ColumnDataSource, CustomJS, Div, Range1d

    here = ColumnDataSource({"x": [], "y": []})
    colours = ["#999999", COLOURS[1], COLOURS[0]]
    bars = ColumnDataSource(
        {"left": [0] * 3, "right": [0] * 3, "row": [0.5] * 3, "color": colours, "kind": list(PARTS)}
    )
    scale, words = Range1d(0, 1), Div(text="", sizing_mode="stretch_width")
    slider = place_slider([f"{k:,}" for k in ks], ks.index(start), "Chunks")
    curve, split = _curve_view(ks, parts, measured, here), _split_view(bars, scale)
    data = {"ks": ks, "n": n, "parts": parts.tolist(), "measured": [measured.get(k) for k in ks]}
    views = {"slider": slider, "here": here, "bars": bars, "scale": scale, "words": words}
    move = CustomJS(args={**data, **views}, code=MOVE)
    slider.js_on_change("value", move)
    curve.js_on_change("inner_width", move)  # the width is known once the page is laid out: draw then
    return column(slider, words, curve, split, sizing_mode="stretch_width", max_width=780)


def _curve_view(ks, parts, measured, here):
    fig = bokeh_figure(
        x_axis_type="log", tools="", title="A pass", x_axis_label="chunks K", y_axis_label="milliseconds"
    )
    fig.height, fig.xaxis.ticker, fig.y_range.start = 280, ks, 0
    fig.line(ks, 1e3 * parts.sum(axis=1), color="black", line_width=2)
    fig.scatter(ks, 1e3 * parts.sum(axis=1), color="black", size=5)
    seen = [k for k in ks if k in measured]
    fig.scatter(seen, [1e3 * measured[k] for k in seen], size=10, fill_color=None, line_color=COLOURS[2], line_width=2)
    fig.scatter("x", "y", source=here, size=16, marker="diamond", fill_color=COLOURS[1], line_color="black")
    return fig


def _split_view(bars, scale):
    fig = bokeh_figure(
        x_range=scale, y_range=(0, 1), tools="", title="Where the predicted time goes", x_axis_label="milliseconds"
    )
    fig.height, fig.yaxis.visible, fig.grid.visible = 200, False, False
    fig.hbar(y="row", left="left", right="right", height=0.7, color="color", line_color="black", source=bars,
             legend_group="kind")  # fmt: skip
    fig.legend.orientation, fig.legend.location = "horizontal", "top_right"
    fig.add_layout(fig.legend[0], "above")
    return fig
