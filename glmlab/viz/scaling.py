"""The speed of passes against the number of workers."""

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator

from .picture import Picture
from .style import COLOURS, DASHES, MARKERS, new_figure, nth


def speed_by_workers(seconds, *, rows, measured=None, work=None, trusted=None):
    """Passes a second against workers, a line for each fan-in of the tree of sums.

    seconds   {fan: {workers: seconds of a pass}}, predicted
    rows      how many rows a pass reads, for the title
    measured  {fan: {workers: seconds}}, points for some of these fans
    work      seconds of work in a pass for one worker: a line for workers that cost nothing but their work
    trusted   workers up to which predictions agreed with measurements: what lies beyond is grey
    """
    measured = measured or {}
    if not seconds or not all(seconds.values()) or not set(measured) <= set(seconds):
        raise ValueError("seconds={fan: {workers: seconds}}, one or more; measured the same, of these fans")
    fig, ax = new_figure(size=(5.8, 5.0))
    names = {fan: f"fan-in {fan}" for fan in seconds} if len(seconds) > 1 else {}
    for k, (fan, line) in enumerate(seconds.items()):
        look = {"color": nth(COLOURS, k), "marker": nth(MARKERS, k)}
        name = f", {names[fan]}" if names else ""
        ax.plot(*_speeds(line), ls=nth(DASHES, k), label=f"predicted{name}", **look)
        points = {"label": f"measured{name}"} if fan in measured else {}
        ax.plot(*_speeds(measured.get(fan, {})), ls="", mfc="none", ms=12, mew=2, **points, **look)
    counts = sorted({count for line in seconds.values() for count in line})
    if work is not None:
        ax.plot(counts, np.array(counts) / work, color="#777777", marker="", ls=":", label="work alone")
    shown = [1 / time for lines in (seconds, measured) for line in lines.values() for time in line.values()]
    ax.set(xscale="log", yscale="log", xlabel="workers", ylabel="passes a second")
    ax.set_ylim(min(shown) / 1.5, max(shown) * 1.5)  # the line of the work alone may leave the picture
    ax.set_title(f"{rows:,} rows: by prediction {_count(_fastest(seconds))} fastest")
    ax.set_xticks(counts, [f"{count:,}" for count in counts], rotation=45 if len(counts) > 8 else 0)
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.minorticks_off()
    if trusted is not None and trusted < counts[-1]:
        ax.axvspan(trusted, counts[-1], color="#000000", alpha=0.08, lw=0, label="not to be trusted")
    fig.legend(loc="outside lower center", ncols=2)
    finding = "; ".join(_best(names.get(fan, "predicted"), line) for fan, line in seconds.items()) + "."
    hollow = " Hollow markers are measured." if measured else ""
    alt = f"Passes a second against workers on two logarithmic axes, a line for each fan-in.{hollow} {finding}"
    return Picture(fig, alt, f"{finding}{hollow}")


def _speeds(line):
    """Workers and passes a second, in the order of the workers."""
    counts = sorted(line)
    return counts, [1 / line[count] for count in counts]


def _fastest(seconds):
    """The number of workers at which one of the lines is highest."""
    return min((time, count) for line in seconds.values() for count, time in line.items())[1]


def _count(workers):
    """A number of workers as the subject of a sentence."""
    return "one worker is" if workers == 1 else f"{workers:,} workers are"


def counted(workers):
    """A number of workers in words."""
    return f"{workers:,} worker{'s' * (workers != 1)}"


def _best(name, line):
    count = min(line, key=line.get)
    return f"{name}: fastest with {counted(count)}, {1e3 * line[count]:.3g} ms a pass"
