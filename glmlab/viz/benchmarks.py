"""Pictures of a benchmark: noise in its errors, proved gaps over time, several benchmarks, where a place pays."""

import math

import numpy as np

from .convergence import X_AXES
from .picture import Picture
from .style import COLOURS, DASHES, MARKERS, new_figure, nth
from .words import list_text

GREY = "#777777"
LEAST = 1e-16  # relative gap: smaller ones are rounding, and are drawn here
CLEARLY = 0.95  # of the baseline's seconds: two models of the same machine differ by less than 5 %


# ---------------------------------------------------------------- the noise floor


def noise_band(band, points):
    """Errors ‖β − β_true‖∞ against numbers of rows, with those of the exact minimiser.

    band    {n: (low, mean, high)} of the exact minimiser's error, for at least two numbers of rows n
    points  {name: [(n, error), …]}; points of one name are joined by a line
    """
    if len(band) < 2 or not points:
        raise ValueError("band={n: (low, mean, high)} at two n or more, points={name: [(n, error), …]}")
    ns = sorted(band)
    low, mean, high = np.array([band[n] for n in ns], dtype=float).T
    fig, ax = new_figure(size=(8.6, 5.0))
    ax.fill_between(ns, low, high, color=COLOURS[5], alpha=0.35, lw=0, label="exact answers, 90 of 100")
    ax.plot(ns, mean, color="black", marker="", ls="--", label="their mean")
    for k, (name, where) in enumerate(points.items()):
        xs, ys = zip(*sorted(where), strict=True)
        ax.plot(xs, ys, color=nth(COLOURS, k), marker=nth(MARKERS, k), ls=":", lw=1.2, ms=8, label=name)
    ax.set(xscale="log", yscale="log", xlabel="rows n", ylabel="‖β − β_true‖∞")
    ax.set_title("Distance to the coefficients that made the data")
    fig.legend(loc="outside lower center", ncols=2)
    finding = f"{'; '.join(_times_floor(name, where, ns, mean) for name, where in points.items())}."
    alt = (
        "Largest error of a coefficient against rows on two logarithmic axes: a falling band for exact answers, and "
        f"points for others. Measured in the mean of exact answers, {finding}"
    )
    return Picture(fig, alt, f"In units of the exact answer's mean error: {finding}")


def _times_floor(name, where, ns, mean):
    at = [(n, error / np.exp(np.interp(np.log(n), np.log(ns), np.log(mean)))) for n, error in sorted(where)]
    return f"{name} {list_text(f'{ratio:.2g} at {n:,.0f} rows' for n, ratio in at)}"


# ---------------------------------------------------------------- a race


def race(curves, *, yardstick=None, targets=(1e-3, 1e-6, 1e-9)):
    """Certified relative gaps against seconds and against passes; all axes are logarithmic.

    curves     {name: (seconds, passes, gaps)}, (m,) each; passes are None where they are not known
    yardstick  seconds of one pass that only reads the rows: a grey line in the left panel
    targets    gaps to mark
    """
    if not curves:
        raise ValueError("curves={name: (seconds, passes, gaps)}: one solver or more")
    fig, axes = new_figure(1, 2, size=(9.6, 5.2), sharey=True)
    for k, (name, (seconds, passes, gaps)) in enumerate(curves.items()):
        look = {"color": nth(COLOURS, k), "marker": nth(MARKERS, k), "ls": nth(DASHES, k)}
        for ax, xs in zip(axes, (seconds, passes), strict=True):
            ax.plot(*_shown(xs, gaps), label=name, markevery=max(1, len(gaps) // 12), **look)
    for ax, name in zip(axes, ("seconds", "passes"), strict=True):
        for target in targets:
            ax.axhline(target, color=GREY, lw=0.8, ls=":", marker="")
        ax.set(xscale="log", yscale="log", xlabel=X_AXES[name])
    if yardstick is not None:
        axes[0].axvline(yardstick, color=GREY, lw=1.5, ls="-", marker="", label="one X.sum()")
    axes[0].set(ylabel="certified relative gap", title="Seconds on the clock")
    axes[1].set_title("Passes over the rows")
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


# ---------------------------------------------------------------- then and now


def then_and_now(rows):
    """Seconds of methods in several benchmarks: one row for each method, one marker for each benchmark.

    rows  {method: {benchmark: seconds}}; None, nan or a missing benchmark: the method was not run there
    """
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    if not columns:
        raise ValueError("rows={method: {benchmark: seconds}}: one method and one benchmark or more")
    fig, ax = new_figure(size=(8.6, 1.8 + 0.5 * len(rows)))
    for k, column in enumerate(columns):
        found = [(row[column], y) for y, row in enumerate(rows.values()) if _was_run(row.get(column))]
        xs, ys = zip(*found, strict=True) if found else ((), ())
        ax.plot(xs, ys, color=nth(COLOURS, k), marker=nth(MARKERS, k), ls="", ms=9, label=column)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set(xscale="log", xlabel="seconds", ylim=(len(rows) - 0.5, -0.5), title="Then, now and here")
    fig.legend(loc="outside lower center", ncols=2)
    finding = f"{'; '.join(_benchmark(column, rows) for column in columns)}."
    alt = f"A row for each method, seconds to the right on a logarithmic axis, a marker for each benchmark. {finding}"
    return Picture(fig, alt, finding)


def _benchmark(column, rows):
    said = [f"{method} {row[column]:.3g} s" for method, row in rows.items() if _was_run(row.get(column))]
    return f"{column}: {', '.join(said) if said else 'nothing was run'}"


def _was_run(seconds):
    return seconds is not None and not math.isnan(seconds)


# ---------------------------------------------------------------- where it pays


def where_it_pays(predicted, measured):
    """Seconds of a pass against rows: for each place of work a predicted line and measured points.

    predicted  {place: {n: seconds}}, with the same n for all places; the first place is the baseline
    measured   {place: {n: seconds}}
    """
    if len(predicted) < 2 or not set(measured) <= set(predicted):
        raise ValueError("predicted={place: {n: seconds}}, two places or more; measured the same, of these places")
    fig, ax = new_figure(size=(8.6, 4.8))
    for k, (place, line) in enumerate(predicted.items()):
        ns, seen = sorted(line), measured.get(place, {})
        ax.plot(ns, [line[n] for n in ns], color=nth(COLOURS, k), ls=nth(DASHES, k), marker="", label=place)
        ax.plot(list(seen), list(seen.values()), color=nth(COLOURS, k), marker=nth(MARKERS, k), ls="", mfc="none",
                ms=9, mew=2, label="measured")  # fmt: skip
    ax.set(xscale="log", yscale="log", xlabel="rows n", ylabel="seconds a pass", title="Where does it pay?")
    fig.legend(loc="outside lower center", ncols=len(predicted))
    baseline, *others = predicted
    pays = "; ".join(_pays(place, predicted[place], baseline, predicted[baseline]) for place in others)
    finding = f"By the model, of {min(predicted[baseline]):,.0f} to {max(predicted[baseline]):,.0f} rows, {pays}."
    alt = f"Seconds of a pass against rows on two logarithmic axes, a rising line for each place. {finding}"
    return Picture(fig, alt, finding)


def pays_from(line, baseline):
    """The least n such that `line` is clearly below `baseline` at it and at every larger n; inf if there is none."""
    first = math.inf
    for n in sorted(line, reverse=True):
        if not line[n] < CLEARLY * baseline[n]:
            break
        first = n
    return first


def _pays(place, line, baseline, base):
    first = pays_from(line, base)
    return f"{place} are ahead of {baseline} " + ("never" if math.isinf(first) else f"from {first:,.0f} on")
