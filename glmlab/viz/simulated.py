"""A slider over the rows of a problem: how fast a pass is on 1 to 1,024 workers, as the simulator predicts it."""

import numpy as np

from .interactive import bokeh_figure, place_slider
from .picture import Picture
from .scaling import counted, grey_from, speed_by_workers
from .style import BOKEH_MARKERS, COLOURS, nth

DASHED = ("solid", "dashed", "dotdash", "dotted")


def cluster_slider(seconds, *, start=None, trusted=None):
    """Milliseconds of a pass against workers, with a slider over the number of rows; it needs no kernel.

    seconds  {rows: {fan: {workers: seconds of a pass}}}, predicted, the same fans and workers for all rows
    start    the rows at which the slider starts, the largest by default
    trusted  workers up to which predictions agreed with measurements: what lies beyond is grey
    """
    if not seconds or len({tuple(map(tuple, lines.values())) for lines in seconds.values()}) != 1:
        raise ValueError("seconds={rows: {fan: {workers: seconds}}}, the same fans and workers for all rows")
    rows = sorted(seconds)
    start = rows[-1] if start is None else start
    if start not in seconds:
        raise ValueError(f"start={start!r} is none of the rows {rows}")
    static = speed_by_workers(seconds[start], rows=start, trusted=trusted)
    finding = "; ".join(best_of(n, seconds[n]) for n in rows) + "."
    alt = f"{static.alt} A slider changes the number of rows. {finding}"
    return Picture(static.figure, alt, finding, sliding(seconds, rows, rows.index(start), trusted))


def best_of(n, lines):
    """In words: with how many workers a pass over n rows is fastest, of all fans."""
    fan, workers = min(((fan, workers) for fan in lines for workers in lines[fan]), key=lambda at: lines[at[0]][at[1]])
    return f"{n:,} rows: fastest with {counted(workers)}, {1e3 * lines[fan][workers]:.3g} ms a pass (fan-in {fan})"


# Runs when the slider moves. lines, texts, sources and words are arguments.
MOVE = """
const at = slider.value;
sources.forEach((source, k) => { source.data = {x: workers, y: lines[at][k]}; });
words.text = '<p role="status" style="font-size:12pt;margin:0">' + texts[at] + "</p>";
"""


def sliding(seconds, rows, at, trusted):
    """The slider and the figure, as a Bokeh model."""
    from bokeh.layouts import column
    from bokeh.models import BoxAnnotation, ColumnDataSource, CustomJS, Div

    fans = list(seconds[rows[0]])
    workers = sorted(seconds[rows[0]][fans[0]])
    lines = [[[1e3 * seconds[n][fan][w] for w in workers] for fan in fans] for n in rows]
    every = np.array(lines)
    fig = bokeh_figure(
        x_axis_type="log", y_axis_type="log", tools="", title="Simulated milliseconds of a pass",
        x_axis_label="workers", y_axis_label="milliseconds", y_range=(0.7 * every.min(), 1.4 * every.max()),
    )  # fmt: skip
    fig.xaxis.ticker = workers
    fig.xaxis.major_label_orientation = 0.8
    sources = [ColumnDataSource({"x": workers, "y": line}) for line in lines[at]]
    for k, (fan, source) in enumerate(zip(fans, sources, strict=True)):
        look = {"source": source, "color": nth(COLOURS, k), "legend_label": f"fan-in {fan}"}
        fig.line("x", "y", line_width=2, line_dash=nth(DASHED, k), **look)
        fig.scatter("x", "y", marker=nth(BOKEH_MARKERS, k), size=7, **look)
    if trusted is not None and trusted < workers[-1]:
        fig.add_layout(BoxAnnotation(left=grey_from(trusted, workers), fill_color="black", fill_alpha=0.08))
    fig.add_layout(fig.legend[0], "below")
    fig.legend[0].orientation, fig.legend[0].label_text_font_size = "horizontal", "11pt"
    texts = [best_of(n, seconds[n]) + "." for n in rows]
    words = Div(text=f'<p role="status" style="font-size:12pt;margin:0">{texts[at]}</p>', sizing_mode="stretch_width")
    slider = place_slider([f"{n:,}" for n in rows], at, "Rows")
    data = {"lines": lines, "texts": texts, "workers": workers, "sources": sources, "words": words, "slider": slider}
    slider.js_on_change("value", CustomJS(args=data, code=MOVE))
    return column(slider, words, fig, sizing_mode="stretch_width", max_width=780)
