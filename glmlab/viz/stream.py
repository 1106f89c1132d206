"""Task streams: the tasks of every worker's thread over time, and the share of idle time."""

from typing import NamedTuple

from dask.utils import key_split

from glmlab.words import count_text, list_text, range_text

from .interactive import bokeh_figure
from .picture import Picture
from .style import COLOURS, HATCHES, new_figure, nth

TRANSFER = "transfer"  # the kind of a bar in which a worker fetches a result from another
GREY = "#BBBBBB"  # for transfers
SHOWN = 3000  # rectangles in an interactive view: more would make the page slow
THIN = 0.0025  # of the span: a narrower bar would be too thin to show its colour, so it is drawn this wide
JOIN, DARK = "dask joins the result", "#666666"  # dask's own task finalize-…, and its colour


class Bar(NamedTuple):
    """One rectangle of a task stream."""

    lane: tuple  # (worker, thread)
    start: float  # seconds
    stop: float
    kind: str  # the function's name, or TRANSFER


def bars(records, words=None):
    """The rectangles of a recorded stream, ordered by start; time 0 is the first start.

    records  the `.data` of distributed's `get_task_stream`
    words    {function's name: what to call it}
    """
    words = words or {}
    found = [
        Bar((record["worker"], record["thread"]), part["start"], part["stop"], words.get(kind, kind))
        for record in records
        for part in record["startstops"]
        if part["action"] in ("compute", TRANSFER)
        for kind in [_kind(record["key"], part["action"])]
    ]
    if not found:
        raise ValueError("the stream is empty: compute something inside `with get_task_stream(client) as stream:`")
    zero = min(bar.start for bar in found)
    return sorted((bar._replace(start=bar.start - zero, stop=bar.stop - zero) for bar in found), key=lambda b: b.start)


def _kind(key, action):
    name = key_split(key) if action == "compute" else TRANSFER
    return JOIN if name.startswith("finalize") else name.replace("ndarray", "array")


def white_space(records, threads=None):
    """The share of time in which threads are idle: 1 − busy/(threads × span).

    The span is the time from the first start to the last stop. threads: how many there are; by default those that
    appear in the records.
    """
    found = bars(records)
    lanes = threads or len({bar.lane for bar in found})
    busy = sum(bar.stop - bar.start for bar in found if bar.kind != TRANSFER)
    return 1 - busy / (lanes * max(bar.stop for bar in found))


def task_stream(streams, threads=None, words=None, title=None):
    """Task streams one below the other on the same scale of time, one row for each thread; and a view to zoom into.

    streams  {name: records}, records as `get_task_stream` collects them
    threads  how many threads the workers have; by default those that appear in the records
    words    {name of a stream: {name of a task in dask: what it computes}}, for the legend
    title    what the picture shows, above it; by default how white the streams are
    """
    if not isinstance(streams, dict) or not streams:
        raise ValueError("streams={name: stream.data}: one record or more, each with its name")
    white = {name: white_space(records, threads) for name, records in streams.items()}
    streams = {name: bars(records, (words or {}).get(name)) for name, records in streams.items()}
    kinds = list(dict.fromkeys(bar.kind for found in streams.values() for bar in found))
    look = {kind: (nth(COLOURS, k), nth(HATCHES, k // len(COLOURS))) for k, kind in enumerate(_work(kinds))}
    look |= {kind: (colour, "") for kind, colour in ((JOIN, DARK), (TRANSFER, GREY)) if kind in kinds}
    finding = f"{'; '.join(_said(name, found, white[name]) for name, found in streams.items())}."
    alt = (
        f"Task streams of {list_text(streams)}: a row for each thread, time to the right, a rectangle for each task, "
        f"white or grey where nothing is computed. {finding}"
    )
    return Picture(_static(streams, white, look, title), alt, finding, _moving(streams, look))


def _work(kinds):
    return [kind for kind in kinds if kind not in (JOIN, TRANSFER)]


def _said(name, found, white):
    tasks = [bar.stop - bar.start for bar in found if bar.kind != TRANSFER]
    each = f" of {_ms(sum(tasks) / len(tasks))} on average" if tasks else ""
    return f"{name}: {count_text(len(tasks), 'task')}{each} in {_ms(max(bar.stop for bar in found))}, {white:.0%} white"


def _ms(seconds):
    return f"{1e3 * seconds:.3g} ms" if seconds < 0.9995 else f"{seconds:.3g} s"


def _lanes(found):
    """{(worker, thread): row of the picture}, ordered by worker."""
    return {lane: row for row, lane in enumerate(sorted({bar.lane for bar in found}))}


def _lane_names(lanes):
    """What to call the rows: workers, or the threads of workers with several."""
    one_each = len({worker for worker, _ in lanes}) == len(lanes)
    return [f"{'worker' if one_each else 'thread'} {k}" for k in range(len(lanes))]


def _static(streams, white, look, title):
    rows = sum(len(_lanes(found)) for found in streams.values())
    columns = 3 if len(streams) == 1 else 2  # of the legend
    size = (8.6, 1.65 + 0.75 * len(streams) + 0.32 * rows + 0.24 * -(-len(look) // columns))
    ratios = [len(_lanes(found)) for found in streams.values()]
    fig, axes = new_figure(len(streams), 1, size=size, sharex=True, squeeze=False, height_ratios=ratios)
    thin = THIN * 1e3 * max(bar.stop for found in streams.values() for bar in found)
    for ax, (name, found) in zip(axes[:, 0], streams.items(), strict=True):
        lanes = _lanes(found)
        for bar in found:
            colour, hatch = look[bar.kind]
            left, width = 1e3 * bar.start, 1e3 * (bar.stop - bar.start)
            edge = {"hatch": hatch, "ec": "black", "lw": 0.3} if width > 3 * thin else {"lw": 0}
            ax.barh(lanes[bar.lane], max(width, thin), left=left, height=0.8, color=colour, **edge)
        ax.set(ylim=(len(lanes) - 0.4, -0.6))
        ax.set_yticks(range(len(lanes)), _lane_names(lanes))
        ax.set_title(f"{name}: {_ms(max(bar.stop for bar in found))}, {white[name]:.0%} white")
        ax.grid(False)
    axes[-1, 0].set_xlabel("milliseconds")
    alone = all(len({worker for worker, _ in _lanes(found)}) == len(_lanes(found)) for found in streams.values())
    whose = "workers" if alone else "threads"
    idle = f"{range_text(white.values(), '{:.0%}'.format)} of the {whose}' time is white: no task is running"
    fig.suptitle(title or idle, fontsize=13)
    counted = "How many bars there are of each kind" + ", stream by stream" * (len(streams) > 1)
    fig.legend(handles=_legend(streams, look), title=counted, loc="outside lower center", ncols=columns)
    return fig


def _legend(streams, look):
    from matplotlib.patches import Patch

    def counted(kind):
        counts = [sum(bar.kind == kind for bar in found) for found in streams.values()]
        return count_text(counts[0], "bar") if len(counts) == 1 else " + ".join(map(str, counts))

    return [
        Patch(facecolor=colour, hatch=hatch, edgecolor="black", label=f"{kind}: {counted(kind)}")
        for kind, (colour, hatch) in look.items()
    ]


def _moving(streams, look):
    """The same as an interactive view: hover for a task and its time, zoom, reset."""
    from bokeh.layouts import column
    from bokeh.models import HoverTool, Range1d

    span, views = max(bar.stop for found in streams.values() for bar in found), []
    time = Range1d(0, 1e3 * span, bounds=(0, 1e3 * span))
    for name, found in streams.items():
        lanes = _lanes(found)
        fig = bokeh_figure(
            x_range=time, y_range=(len(lanes) - 0.4, -0.6), tools="xpan,xwheel_zoom,xzoom_in,xzoom_out,reset",
            title=name, x_axis_label="milliseconds", toolbar_location="above",
        )  # fmt: skip
        fig.height, fig.grid.visible = 130 + 30 * len(lanes), False
        fig.yaxis.ticker = list(range(len(lanes)))
        fig.yaxis.major_label_overrides = dict(enumerate(_lane_names(lanes)))
        fig.hbar(
            y="row", left="left", right="right", height=0.8, color="colour", line_color="black", line_width=0.3,
            source=_columns(found[:SHOWN], lanes, look),
        )  # fmt: skip
        fig.add_tools(HoverTool(tooltips=[("", "@kind"), ("start", "@left{0.00} ms"), ("takes", "@takes{0.000} ms")]))
        views.append(fig)
    return column(*views, sizing_mode="stretch_width", max_width=780)


def _columns(found, lanes, look):
    return {
        "row": [lanes[bar.lane] for bar in found],
        "left": [1e3 * bar.start for bar in found],
        "right": [1e3 * bar.stop for bar in found],
        "takes": [1e3 * (bar.stop - bar.start) for bar in found],
        "kind": [bar.kind for bar in found],
        "colour": [look[bar.kind][0] for bar in found],
    }
