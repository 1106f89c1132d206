"""The speed of passes against the number of workers."""

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator

from .picture import Picture
from .style import COLOURS, DASHES, MARKERS, new_figure, nth


def speed_by_workers(seconds, *, measured=None, work=None):
    """Passes a second against workers, a line for each fan-in of the tree of sums.

    seconds   {fan: {workers: seconds of a pass}}, predicted
    measured  {fan: {workers: seconds}}, points for some of these fans
    work      seconds of work in a pass for one worker: a line for workers that cost nothing but their work
    """
    measured = measured or {}
    if not seconds or not all(seconds.values()) or not set(measured) <= set(seconds):
        raise ValueError("seconds={fan: {workers: seconds}}, one or more; measured the same, of these fans")
    fig, ax = new_figure(size=(5.8, 5.0))
    for k, (fan, line) in enumerate(seconds.items()):
        look = {"color": nth(COLOURS, k), "marker": nth(MARKERS, k)}
        ax.plot(*_speeds(line), ls=nth(DASHES, k), label=f"fan-in {fan}", **look)
        ax.plot(*_speeds(measured.get(fan, {})), ls="", mfc="none", ms=12, mew=2, **look)
    counts = sorted({count for line in seconds.values() for count in line})
    if work is not None:
        ax.plot(counts, np.array(counts) / work, color="#777777", marker="", ls=":", label="work alone")
    shown = [1 / time for lines in (seconds, measured) for line in lines.values() for time in line.values()]
    ax.set(xscale="log", yscale="log", xlabel="workers", ylabel="passes a second")
    ax.set_ylim(min(shown) / 1.5, max(shown) * 1.5)  # the line of the work alone may leave the picture
    ax.set_title("A pass has a fastest number of workers")
    ax.set_xticks(counts, [f"{count:,}" for count in counts], rotation=45 if len(counts) > 8 else 0)
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.minorticks_off()
    fig.legend(loc="outside lower center", ncols=3)
    finding = "; ".join(_best(fan, line) for fan, line in seconds.items()) + "."
    hollow = " Hollow markers are measured." if measured else ""
    alt = (
        "Passes a second against workers on two logarithmic axes, a line for each fan-in, which rises, bends and "
        f"falls.{hollow} {finding}"
    )
    return Picture(fig, alt, f"{finding}{hollow}")


def _speeds(line):
    """Workers and passes a second, in the order of the workers."""
    counts = sorted(line)
    return counts, [1 / line[count] for count in counts]


def _best(fan, line):
    count = min(line, key=line.get)
    return f"fan-in {fan}: fastest with {count:,} workers, {1e3 * line[count]:.3g} ms a pass"
