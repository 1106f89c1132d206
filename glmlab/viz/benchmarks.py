"""Pictures of a benchmark: noise in its errors, proved gaps over time, several benchmarks, where a place pays."""

import math
import statistics
import textwrap

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from glmlab.words import list_text

from .convergence import X_AXES
from .picture import Picture
from .style import COLOURS, DASHES, MARKERS, new_figure, nth

GREY = "#777777"
LEAST = 1e-16  # relative gap: smaller ones are rounding, and are drawn here
LARGE = 11  # points: an open marker under a smaller one is still seen
TITLE = 70  # letters in a line of a title
CLEARLY = 0.95  # of the baseline's seconds: two models of the same machine differ by less than 5 %
APART = 1.03  # the factor between the points of two places at the same number of rows, so that none hides another
FAR = 1.5  # a model that misses the clock by a larger factor does not tell where a place pays
PROVED = 1e-6  # relative gap: only the seconds of answers that are proved to it are compared


def opened(k):
    """The look of the open marker of curve k. Later ones are smaller, so that none hides another at the same place."""
    return {"marker": nth(MARKERS, k), "mfc": "none", "mew": 1.8, "ms": max(LARGE - k, 6)}


# ---------------------------------------------------------------- the noise floor


def noise_band(band, points, *, title=None):
    """Errors ‖β − β_true‖∞ against numbers of rows, with those of the exact minimiser.

    band    {n: (low, mean, high)} of the exact minimiser's error, for at least two numbers of rows n
    points  {name: [(n, error), …]}; points of one name have the same marker
    title   what the picture shows; by default how many points lie above the band
    """
    if len(band) < 2 or not points:
        raise ValueError("band={n: (low, mean, high)} at two n or more, points={name: [(n, error), …]}")
    ns = sorted(band)
    low, mean, high = np.array([band[n] for n in ns], dtype=float).T
    fig, ax = new_figure(size=(8.6, 5.0))
    ax.fill_between(ns, low, high, color=COLOURS[5], alpha=0.35, lw=0, label="90 of 100 exact answers")
    ax.plot(ns, mean, color="black", marker="", ls="--", label="their mean")
    for k, (name, where) in enumerate(points.items()):
        xs, ys = zip(*sorted(where), strict=True)
        ax.plot(xs, ys, color=nth(COLOURS, k), ls="", label=name, **opened(k))
    ylabel = r"largest error $\|\beta-\beta_{\mathrm{true}}\|_\infty$"
    ax.set(xscale="log", yscale="log", xlabel="rows n", ylabel=ylabel)
    above = [error > _between(n, ns, high) for where in points.values() for n, error in where]
    ax.set_title(title or f"{sum(above)} of {len(above)} errors lie above the band of exact answers")
    fig.legend(loc="outside lower center", ncols=2)
    finding = "; ".join(_times_floor(name, where, ns, mean) for name, where in points.items())
    finding = f"{finding}. Above the band lie {sum(above)} of {len(above)} points."
    alt = (
        "Largest error of a coefficient against rows on two logarithmic axes: a falling band for exact answers, and "
        f"points for others. Measured in the mean of exact answers, {finding}"
    )
    return Picture(fig, alt, f"In units of the exact answer's mean error: {finding}")


def _between(n, ns, heights):
    """The height at n of the line through (ns, heights) on two logarithmic axes."""
    return np.exp(np.interp(np.log(n), np.log(ns), np.log(heights)))


def _times_floor(name, where, ns, mean):
    at = [(n, error / _between(n, ns, mean)) for n, error in sorted(where)]
    return f"{name} {list_text(f'{ratio:.2g} at {n:,.0f} rows' for n, ratio in at)}"


# ---------------------------------------------------------------- a race


def race(curves, *, ranges=None, yardstick=None, targets=(1e-3, 1e-6, 1e-9), title=None):
    """Certified relative gaps against seconds and against passes; all axes are logarithmic.

    curves     {name: (seconds, passes, gaps)}, (m,) each; passes are None where they are not known
    ranges     {name: (least, most)}, seconds (m,) each over repetitions: a shade behind the curve
    yardstick  seconds of one pass that only reads the rows: a grey line in the left panel
    targets    gaps to mark
    title      what the picture shows, in a few words above both panels
    """
    if not curves:
        raise ValueError("curves={name: (seconds, passes, gaps)}: one solver or more")
    fig, axes = new_figure(1, 2, size=(9.6, 5.2), sharey=True)
    for k, (name, (seconds, passes, gaps)) in enumerate(curves.items()):
        look = {"color": nth(COLOURS, k), "ls": nth(DASHES, k), **opened(k)}
        for ax, xs in zip(axes, (seconds, passes), strict=True):
            ax.plot(*_shown(xs, gaps), label=name, markevery=max(1, len(gaps) // 10), **look)
        if name in (ranges or {}):
            least, most = ranges[name]
            shown, ends = _shown(least, gaps), _shown(most, gaps)[0]
            axes[0].fill_betweenx(shown[1], shown[0], ends, color=nth(COLOURS, k), alpha=0.25, lw=0)
    for ax, name in zip(axes, ("seconds", "passes"), strict=True):
        for target in targets:
            ax.axhline(target, color=GREY, lw=0.8, ls=":", marker="")
        ax.set(xscale="log", yscale="log", xlabel=X_AXES[name])
    if yardstick is not None:
        axes[0].axvline(yardstick, color=GREY, lw=1.5, ls="-", marker="", label="one X.sum()")
    axes[0].set(ylabel="certified relative gap", title="Seconds on the clock")
    axes[1].set_title("Passes over the rows")
    if title:
        fig.suptitle(title, fontsize=13)
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    finding = f"{'; '.join(_came_to(name, *curve) for name, curve in curves.items())}."
    alt = (
        "Two panels on logarithmic axes, the certified relative gap against seconds and against passes, a falling "
        f"curve for each solver. {finding}"
    )
    return Picture(fig, alt, finding)


def _shown(xs, gaps):
    """The points that logarithmic axes can show: those with a proof and with x > 0."""
    if xs is None:
        return [], []
    xs, gaps = np.asarray(xs, dtype=float), np.asarray(gaps, dtype=float)
    keep = np.isfinite(gaps) & (xs > 0)
    return xs[keep], np.maximum(gaps[keep], LEAST)


def _came_to(name, seconds, passes, gaps):
    k = int(np.argmin(np.where(np.isnan(gaps), np.inf, gaps)))
    in_passes = "" if passes is None else f", {passes[k]:.3g} passes"
    return f"{name}: {gaps[k]:.0e} proved in {seconds[k]:.3g} s{in_passes}"


# ---------------------------------------------------------------- your row among others


def standings(table, mine=1):
    """Passes and seconds of several solvers to one proved gap: a row each, both axes logarithmic.

    table  what `bench.row` returned
    mine   so many solvers, the first ones, are a notebook's or its reader's own; their markers are filled

    A bar leads from the fastest run to the slowest. Who did not get there has a row without a marker.
    """
    gap = list(table.columns)[list(table.columns).index("fastest") - 1].removeprefix("s to ")
    fig, axes = new_figure(1, 2, size=(9.4, 2.3 + 0.42 * len(table)), sharey=True)
    there = table[np.isfinite(table["passes"])]
    for k, name in enumerate(table.index):
        if name in there.index:
            ours, at = k < mine, table.loc[name]
            look = {"color": COLOURS[0 if ours else 1], "marker": MARKERS[0 if ours else 1], "ls": "", "ms": 9}
            look |= {} if ours else {"mfc": "none", "mew": 1.8}
            axes[0].plot([at["passes"]], [k], **look)
            axes[1].plot([at[f"s to {gap}"]], [k], **look)
            axes[1].hlines(k, at["fastest"], at["slowest"], color=look["color"], lw=3, alpha=0.5)
    for ax, label in zip(axes, ("passes over the rows", "seconds, median and range"), strict=True):
        ax.set(xscale="log", xlabel=label)
        low, high = ax.get_xlim()
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 300 * low else (1,)))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())
    handles = []
    for k, whose in enumerate(("of this notebook", "the package's")):
        handles.append(Line2D([], [], color=COLOURS[k], marker=MARKERS[k], ls="", ms=9, mew=1.8, label=whose))
    handles[1].set_markerfacecolor("none")
    fig.legend(handles=handles, loc="outside lower center", ncols=2)
    names = [name if name in there.index else f"{name} (never)" for name in table.index]
    axes[0].set_yticks(range(len(table)), names)
    axes[0].set_ylim(len(table) - 0.5, -0.5)
    goal = gap.replace("e-0", "e-")
    fig.suptitle(f"To a proved gap of {goal}: {_place(table, there, gap)}", x=0.02, ha="left", fontsize=13)
    said = [f"{name} {row['passes']:.3g} passes, {row[f's to {gap}']:.2g} s" if name in there.index else f"{name} never"
            for name, row in table.iterrows()]  # fmt: skip
    finding = f"To a proved gap of {goal}: {'; '.join(said)}."
    alt = f"A row for each solver, two panels with logarithmic axes, passes and seconds to the same gap. {finding}"
    return Picture(fig, alt, finding)


def _place(table, there, gap):
    """The title: what the first solver needs beside who needs the fewest passes."""
    name = table.index[0]
    if name not in there.index:
        return f"{name} never got there"
    fewest, passes = there["passes"].astype(float).idxmin(), there["passes"]
    if fewest == name:
        return f"{name} needs the fewest passes, {passes[name]:.3g}"
    ratios = (there.loc[name, key] / there.loc[fewest, key] for key in ("passes", f"s to {gap}"))
    return "{} needs {:.3g} times the passes\nand {:.3g} times the seconds of {}".format(name, *ratios, fewest)


# ---------------------------------------------------------------- then and now


def then_and_now(panels):
    """Seconds of methods in several benchmarks: a row for each method, a panel for each number of data rows.

    panels  {title: {benchmark: {method: (seconds of its runs, certified relative gap)}}}; an empty list of seconds: the
            method was not run there; nan for a gap that is not known

    A marker stands at the median of the runs, a bar from the fastest to the slowest, and the gap beside the marker. The
    marker is filled if the gap is at most 1e-6. Only filled markers of one panel had the same task, so panels do not
    share an axis of seconds.
    """
    methods = list(dict.fromkeys(name for panel in panels.values() for found in panel.values() for name in found))
    if not methods:
        raise ValueError("panels={title: {benchmark: {method: ([seconds, …], gap)}}}: one of each or more")
    fig, axes = new_figure(1, len(panels), size=(9.8, 2.2 + 0.55 * len(methods)), sharey=True, squeeze=False)
    k, said = 0, []
    for ax, (title, panel) in zip(axes[0], panels.items(), strict=True):
        for shift, (benchmark, found) in zip(_shifts(len(panel)), panel.items(), strict=True):
            _runs(ax, benchmark, found, methods, shift, {"color": nth(COLOURS, k), "marker": nth(MARKERS, k)})
            said.append(f"{benchmark}, {title}: {_benchmark(found)}")
            k += 1
        ax.set(xscale="log", xlabel="seconds", title=f"{title}\n{_compared(benchmark, found)}")
        ax.margins(x=0.2)  # room for the gaps beside the markers
    axes[0][0].set_yticks(range(len(methods)), methods)
    axes[0][0].set_ylim(len(methods) - 0.5, -0.5)
    label = "filled: proved to 1e-6; number: certified gap"
    axes[0][-1].plot([], [], color="black", ls="", marker="s", ms=9, label=label)  # the legend's last entry
    fig.legend(loc="outside lower center", ncols=4)
    fig.suptitle("Filled: proved to 1e-6. Compare these, within one panel", x=0.02, ha="left", fontsize=13)
    finding = f"{'; '.join(said)}."
    alt = f"A row for each method, seconds to the right on a logarithmic axis, a marker for each benchmark. {finding}"
    return Picture(fig, alt, finding)


def _shifts(n):
    """How far n markers of one row stand above and below its middle."""
    return (np.arange(n) - (n - 1) / 2) * 0.3


def _runs(ax, benchmark, found, methods, shift, look):
    """One benchmark: for each method that was run a marker with its range and its gap."""
    ax.plot([], [], ls="", ms=9, mew=1.8, mfc="none", label=benchmark, **look)
    for name, (seconds, gap) in found.items():
        if len(seconds):
            x, y = statistics.median(seconds), methods.index(name) + shift
            ax.hlines(y, min(seconds), max(seconds), color=look["color"], lw=3, alpha=0.5)
            ax.plot(x, y, ls="", ms=9, mew=1.8, mfc=look["color"] if gap <= PROVED else "white", **look)
            if not math.isnan(gap):
                ax.annotate(f"{gap:.0e}", (max(seconds), y), (8, 0), textcoords="offset points", va="center", size=9)


def _compared(benchmark, found):
    """How many methods are proved to the same gap, and their seconds: only these are compared."""
    run = [(statistics.median(seconds), gap) for seconds, gap in found.values() if len(seconds)]
    proved = sorted(seconds for seconds, gap in run if gap <= PROVED)
    between = f", in {proved[0]:.2g} to {proved[-1]:.2g} s" if len(proved) > 1 else ""
    return f"{benchmark}: {len(proved)} of {len(run)} proved{between}"


def _benchmark(found):
    said = [f"{name} {statistics.median(seconds):.3g} s" for name, (seconds, _) in found.items() if len(seconds)]
    return ", ".join(said) if said else "nothing was run"


# ---------------------------------------------------------------- where it pays


def where_it_pays(predicted, measured, *, off=1.0, ranges=None):
    """Seconds of a pass against rows: for each place of work a predicted line and measured points.

    predicted  {place: {n: seconds}}, with the same n for all places; the first place is the baseline
    measured   {place: {n: seconds}}
    off        the factor between predicted and measured seconds where the model is judged; above 1.5 the title reads
               nothing from the lines and compares the last place with the first by the clock, at the largest n at
               which both were timed
    ranges     {place: {n: all seconds that were measured}}: a bar from the least to the largest

    A line is thick up to the largest n that was measured; beyond it is thin, since it is extrapolated.
    """
    if len(predicted) < 2 or not set(measured) <= set(predicted):
        raise ValueError("predicted={place: {n: seconds}}, two places or more; measured the same, of these places")
    fig, ax = new_figure(size=(8.6, 4.8))
    last = max((n for seen in measured.values() for n in seen), default=math.inf)
    for k, (place, line) in enumerate(predicted.items()):
        seen, look = measured.get(place, {}), {"color": nth(COLOURS, k), "ls": nth(DASHES, k), "marker": ""}
        near = sorted(n for n in line if n <= last)
        far = near[-1:] + sorted(n for n in line if n > last)
        ax.plot(near, [line[n] for n in near], lw=2.5, label=place, **look)
        ax.plot(far, [line[n] for n in far], lw=1, **look)
        aside = APART ** (k - 1)
        ax.plot([n * aside for n in seen], list(seen.values()), color=nth(COLOURS, k), ls="", **opened(k))
        repeated = (ranges or {}).get(place, {})
        ends = ([pick(seconds) for seconds in repeated.values()] for pick in (min, max))
        ax.vlines([n * aside for n in repeated], *ends, color=nth(COLOURS, k), lw=1.5)
    words = "open markers: measured" + ", with the range of all repetitions" * bool(ranges)
    ax.plot([], [], color="black", ls="", label=words, **opened(0))
    if math.isfinite(last):
        ax.axvline(last, color=GREY, lw=1, ls=":", marker="", label="extrapolated to the right")
    ax.set(xscale="log", yscale="log", xlabel="rows n", ylabel="seconds per pass")
    fig.legend(loc="outside lower center", ncols=2)
    baseline, *others = predicted
    pays = [_pays(place, predicted[place], baseline, predicted[baseline]) for place in others]
    timed = f"By the clock, {_by_clock(measured, others[-1], baseline)}"
    ax.set_title(textwrap.fill(timed if off > FAR else f"By the model, {pays[-1]}", TITLE))
    beyond = "" if math.isinf(last) else f" Beyond {last:,.0f} rows the model is extrapolated."
    misses = f"Where it is judged, the model misses the clock by a factor of {off:.2g}."
    finding = f"{misses} {timed}." if off > FAR else f"By the model, {'; '.join(pays)}.{beyond}"
    alt = f"Seconds of a pass against rows on two logarithmic axes, a rising line for each place. {finding}"
    return Picture(fig, alt, finding)


def _by_clock(measured, place, baseline):
    """The measured seconds at a place, in those of the baseline."""
    both = measured.get(place, {}).keys() & measured.get(baseline, {}).keys()
    if not both:
        return f"{place} and {baseline} were not timed at the same rows"
    n = max(both)
    ratio = float(f"{measured[place][n] / measured[baseline][n]:.2g}")
    return f"at {n:,.0f} rows a pass on {place} took {ratio:,g} times as long as on {baseline}"


def pays_from(line, baseline):
    """About how many rows `line` needs to be clearly below `baseline` for good, to two digits; inf if it never is.

    Both are {n: seconds} with the same n. Between two of these the ratio of seconds is interpolated.
    """
    ns = sorted(line)
    ratios = [line[n] / baseline[n] for n in ns]
    if not ratios[-1] < CLEARLY:
        return math.inf
    k = next((k for k in reversed(range(len(ns))) if not ratios[k] < CLEARLY), None)
    if k is None:
        return float(ns[0])
    share = math.log(ratios[k] / CLEARLY) / math.log(ratios[k] / ratios[k + 1])
    return float(f"{ns[k] * (ns[k + 1] / ns[k]) ** share:.1e}")


def _pays(place, line, baseline, base):
    first, margin = pays_from(line, base), f"{1 - CLEARLY:.0%}"
    if math.isinf(first):
        return f"{place} are not {margin} faster than {baseline} even at {max(line):,.0f} rows"
    return f"{place} are {margin} faster than {baseline} from about {first:,.0f} rows on"
