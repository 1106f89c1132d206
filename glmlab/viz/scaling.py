"""The speed of passes against the number of workers."""

from matplotlib.ticker import FuncFormatter, LogLocator

from glmlab.words import number_text, range_text

from .picture import Picture
from .style import COLOURS, DASHES, MARKERS, new_figure, nth


def speed_by_workers(seconds, *, rows, measured=None, formula=None, trusted=None):
    """Passes a second against workers, a line for each fan-in of the tree of sums.

    seconds   {fan: {workers: seconds of a pass}}, predicted
    rows      how many rows a pass reads, for the title
    measured  {fan: {workers: seconds}}, points for some of these fans
    formula   {workers: seconds} by a simpler rule, for a grey line
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
    formula = formula or {}
    if formula:
        ax.plot(*_speeds(formula), color="#777777", marker="", ls=":", label="your function")
    drawn = [*seconds.values(), *measured.values(), formula]
    shown = [1 / time for line in drawn for time in line.values()]
    ax.set(xscale="log", yscale="log", xlabel="workers", ylabel="passes a second")
    ax.set_ylim(min(shown) / 1.5, max(shown) * 1.5)
    far = _far(seconds, measured)
    title = f"{rows:,} rows: by prediction {_count(_fastest(seconds))} fastest"
    ax.set_title(f"{title};\n{far}" if far else title)
    ax.set_xticks(counts, [f"{count:,}" for count in counts], rotation=45 if len(counts) > 8 else 0)
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.minorticks_off()
    if trusted is not None and trusted < counts[-1]:
        ax.axvspan(trusted, counts[-1], color="#000000", alpha=0.08, lw=0, label="not to be trusted")
    fig.legend(loc="outside lower center", ncols=2)
    finding = "; ".join(_best(names.get(fan, "predicted"), line) for fan, line in seconds.items()) + "."
    hollow = f" Hollow markers are measured; {far}." if far else ""
    alt = f"Passes a second against workers on two logarithmic axes, a line for each fan-in.{hollow} {finding}"
    return Picture(fig, alt, f"{finding}{hollow}")


def _speeds(line):
    """Workers and passes a second, in the order of the workers."""
    counts = sorted(line)
    return counts, [1 / line[count] for count in counts]


def _fastest(seconds):
    """The number of workers at which one of the lines is highest."""
    return min((time, count) for line in seconds.values() for count, time in line.items())[1]


def _far(seconds, measured):
    """How far the measured times are from the predicted ones, in words."""
    ratios = [time / seconds[fan][count] for fan, line in measured.items() for count, time in line.items()
              if count in seconds[fan]]  # fmt: skip
    return f"measured ÷ predicted time: {range_text(ratios, number_text)}" if ratios else ""


def _count(workers):
    """A number of workers as the subject of a sentence."""
    return "one worker is" if workers == 1 else f"{workers:,} workers are"


def counted(workers):
    """A number of workers in words."""
    return f"{workers:,} worker{'s' * (workers != 1)}"


def _best(name, line):
    count = min(line, key=line.get)
    return f"{name}: fastest with {counted(count)}, {1e3 * line[count]:.3g} ms a pass"
