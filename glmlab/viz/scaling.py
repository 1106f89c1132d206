"""The seconds of a pass against the number of workers."""

import math

from matplotlib.ticker import FuncFormatter, LogLocator

from glmlab.words import number_text, range_text

from .picture import Picture
from .style import COLOURS, DASHES, MARKERS, new_figure, nth


def speed_by_workers(seconds, *, rows, measured=None, formula=None, trusted=None, recorded=None):
    """Milliseconds of a pass against workers, a line for each fan-in of the tree of sums.

    seconds   {fan: {workers: seconds of a pass}} by the simulator
    rows      how many rows a pass reads, for the title
    measured  {fan: {workers: seconds}}, points for some of these fans
    formula   {workers: seconds} by a simpler rule, for a grey line
    trusted   workers up to which predictions agreed with measurements: what lies beyond is grey
    recorded  {workers: [measured ÷ simulated, …]} of an earlier run: a grey bar over their range, on the first line
    """
    measured = measured or {}
    if not seconds or not all(seconds.values()) or not set(measured) <= set(seconds):
        raise ValueError("seconds={fan: {workers: seconds}}, one or more; measured the same, of these fans")
    fig, ax = new_figure(size=(5.8, 5.0))
    names = {fan: f", fan-in {fan}" if len(seconds) > 1 else "" for fan in seconds}
    for k, (fan, line) in enumerate(seconds.items()):
        look = {"color": nth(COLOURS, k), "marker": nth(MARKERS, k)}
        ax.plot(*_milliseconds(line), ls=nth(DASHES, k), label=f"simulator{names[fan]}", **look)
        points = {"label": f"measured{names[fan]}"} if fan in measured else {}
        ax.plot(*_milliseconds(measured.get(fan, {})), ls="", mfc="none", ms=12, mew=2, **points, **look)
    counts = sorted({count for line in seconds.values() for count in line})
    before = _recorded(ax, next(iter(seconds.values())), recorded or {})
    formula = formula or {}
    if formula:
        ax.plot(*_milliseconds(formula), color="#777777", marker="", ls=":", label="your function")
    drawn = [*seconds.values(), *measured.values(), formula]
    shown = [1e3 * time for line in drawn for time in line.values()]
    ax.set(xscale="log", yscale="log", xlabel="workers", ylabel="milliseconds of a pass")
    ax.set_ylim(min(shown) / 1.5, max(shown) * 1.5)
    far, (fan, fastest) = _far(seconds, measured), _fastest(seconds)
    title = f"{rows:,} rows{names[fan]}: by the simulator {_count(fastest)} fastest"
    ax.set_title(f"{title};\n{far}" if far else title.replace(": ", ":\n"))
    ax.set_xticks(counts, [f"{count:,}" for count in counts], rotation=45 if len(counts) > 8 else 0)
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.minorticks_off()
    if trusted is not None and trusted < counts[-1]:
        left = grey_from(trusted, counts)
        ax.axvspan(left, counts[-1], color="#000000", alpha=0.08, lw=0, label="not checked to a factor of 1.5")
    fig.legend(loc="outside lower center", ncols=2)
    finding = "; ".join(_best(f"simulator{names[fan]}", line) for fan, line in seconds.items()) + "."
    hollow = (f" Hollow markers are measured; {far}." if far else "") + before + _second(seconds, measured, formula)
    each = ", a line for each fan-in" if len(seconds) > 1 else ""
    alt = f"Milliseconds of a pass against workers on two logarithmic axes{each}.{hollow} {finding}"
    return Picture(fig, alt, f"{finding}{hollow}")


def _recorded(ax, line, recorded):
    """Draw where passes of an earlier run would lie on this line; a sentence on it, or ""."""
    ratios = [ratio for count in recorded for ratio in recorded[count]]
    if not ratios:
        return ""
    ends = [[1e3 * line[count] * pick(found) for count, found in recorded.items()] for pick in (min, max)]
    said = range_text(ratios, number_text)
    label = f"recorded earlier: {said}\ntimes the simulated time"
    ax.vlines(list(recorded), *ends, color="#777777", alpha=0.5, lw=10, label=label)
    return f" In an earlier run the ratio was {said}."


def grey_from(trusted, counts):
    """Where the grey part begins: half a step behind the trusted number of workers, on a logarithmic axis."""
    return math.sqrt(trusted * min(count for count in counts if count > trusted))


def _milliseconds(line):
    """Workers and milliseconds of a pass, in the order of the workers."""
    counts = sorted(line)
    return counts, [1e3 * line[count] for count in counts]


def _fastest(seconds):
    """The fan-in and the number of workers at which one of the lines is lowest."""
    return min((time, fan, count) for fan, line in seconds.items() for count, time in line.items())[1:]


def _far(seconds, measured):
    """How far the measured times are from the simulated ones, in words."""
    ratios = [time / seconds[fan][count] for fan, line in measured.items() for count, time in line.items()
              if count in seconds[fan]]  # fmt: skip
    return f"measured ÷ simulated time: {range_text(ratios, number_text)}" if ratios else ""


def _second(seconds, measured, formula):
    """The speed-up of the second worker by the clock and by each rule, or "" if one and two workers were not timed."""
    fan, timed = next(iter(measured.items()), (None, {}))
    lines = {"by the clock": timed, "by the simulator": seconds.get(fan, {}), "by your function": formula}
    said = [f"{line[1] / line[2]:.2f} {rule}" for rule, line in lines.items() if {1, 2} <= line.keys()]
    return f" Speed-up of the second worker: {', '.join(said)}." if {1, 2} <= timed.keys() else ""


def _count(workers):
    """A number of workers as the subject of a sentence."""
    return "one worker is" if workers == 1 else f"{workers:,} workers are"


def counted(workers):
    """A number of workers in words."""
    return f"{workers:,} worker{'s' * (workers != 1)}"


def _best(name, line):
    count = min(line, key=line.get)
    return f"{name}: fastest with {counted(count)}, {1e3 * line[count]:.3g} ms a pass"
