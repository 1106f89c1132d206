"""Suboptimality against passes, rounds or seconds."""

import math

import numpy as np

from glmlab.words import list_text, number_text

from .interactive import bokeh_figure
from .picture import Picture
from .style import BOKEH_DASHES, BOKEH_MARKERS, COLOURS, new_figure, nth

GREY = "#777777"
X_AXES = {
    "passes": "passes over the data",
    "rounds": "rounds of communication",
    "seconds": "wall time (s)",
}
Y_AXES = {
    "relative": "(F − F*) / (F at the start)",
    "objective": "F − F*",
    "residual": "scaled optimality residual",
}
RISING = "(F − F*) / max(|F|, |F at the start|)"  # the same scale, where some F exceeds the first one


def convergence(results, *, x="passes", y="relative", optimum=None, tol=None, interactive=False, title=None):
    """Draw one curve for each result, on a logarithmic scale.

    results      one Result, a list of them (named by their solver), or ``{name: Result}``
    x            "passes", "rounds" or "seconds"
    y            "relative" or "objective" (suboptimality) or "residual"
    optimum      F*, where it is known; by default the highest certified lower bound F − bound among
                 the results, so that no curve is below its true suboptimality
    tol          a number to reach: a dotted line at this height
    interactive  add a Bokeh figure: hover for numbers, click the legend to hide a curve
    title        of the figure: what it shows; by default the names of its axes

    Raises ValueError where there is neither an optimum nor a certificate, or where one result is
    below another's lower bound: then the two solve different problems.
    """
    _known("x", x, X_AXES)
    _known("y", y, Y_AXES)
    named = _named(results)
    reference = None if y == "residual" else _reference(named, optimum)
    curves = {name: _curve(result, x, y, reference) for name, result in named.items()}
    title, words, height = title or _title(x, y), _finding(curves, x, y), _height(named, y)
    alt = f"{height} on a logarithmic scale against {X_AXES[x]}, one falling curve each. {words}"
    moving = _moving(curves, x, y, height, title) if interactive else None
    return Picture(_static(curves, x, height, title, tol), alt, words, moving)


def _known(what, value, table):
    if value not in table:
        raise ValueError(f"{what}={value!r}: choose one of {list_text(table)}")


def _named(results):
    """``{name: result}``; results of the same solver are numbered."""
    if isinstance(results, dict):
        named = dict(results)
    else:
        results = [results] if hasattr(results, "certificate") else list(results)
        names = [getattr(result, "solver", type(result).__name__) for result in results]
        named = {_unique(names, k): result for k, result in enumerate(results)}
    for name, result in named.items():
        if not hasattr(result, "certificate"):
            raise TypeError(f"{name} is a {type(result).__name__}; what fit() or run() returned is needed")
    if not named:
        raise ValueError("no results to draw: pass what fit() or run() returned")
    return named


def _unique(names, k):
    return names[k] if names.count(names[k]) == 1 else f"{names[k]} {names[: k + 1].count(names[k])}"


def _column(result, name):
    return np.asarray(getattr(result.trace, name), dtype=float)


def _reference(named, optimum):
    """F*, or the highest lower bound that a certificate proves."""
    if optimum is not None:
        return float(optimum)
    bounds = {name: result.objective - result.certificate.bound for name, result in named.items()}
    best = max(bounds, key=bounds.get)
    if not math.isfinite(bounds[best]):
        raise ValueError("none of the results is certified (every bound is inf); pass optimum=F*")
    for name, result in named.items():
        if np.nanmin(_column(result, "objective")) < bounds[best] - 1e-9 * abs(bounds[best]):
            raise ValueError(f"{name} lies below the lower bound of {best}: they solve different problems")
    return bounds[best]


def _curve(result, x, y, reference):
    """Points (x, y) with a positive y: a logarithmic axis shows no others."""
    heights = _column(result, "residual" if y == "residual" else "objective")
    if y != "residual":
        scale = np.maximum(np.abs(heights), abs(heights[0])) if y == "relative" else 1.0
        heights = (heights - reference) / scale
    keep = np.isfinite(heights) & (heights > 0)
    return _column(result, x)[keep], heights[keep]


def _height(named, y):
    """The name of the vertical axis."""
    sizes = [np.abs(_column(result, "objective")) for result in named.values()]
    rises = any(np.nanmax(size) > size[0] for size in sizes if len(size))
    return RISING if y == "relative" and rises else Y_AXES[y]


def _static(curves, x, height, title, tol):
    fig, ax = new_figure()
    for name, (xs, ys) in curves.items():
        ax.plot(xs, ys, markevery=max(1, len(xs) // 15), label=name)
    if tol is not None:
        ax.axhline(tol, color=GREY, lw=1.2, marker="", ls=":", label=f"tolerance {tol:.0e}")
    ax.set_yscale("log")
    ax.set(xlabel=X_AXES[x], ylabel=height, title=title)
    fig.legend(handles=ax.lines, loc="outside lower center", ncols=3)
    return fig


def _title(x, y):
    return f"{'Residual' if y == 'residual' else 'Suboptimality'} by {x}"


def _moving(curves, x, y, height, title):
    from bokeh.models import HoverTool

    labels = {"x_axis_label": X_AXES[x], "y_axis_label": height, "title": title}
    fig = bokeh_figure(y_axis_type="log", tools="pan,box_zoom,reset", **labels)
    for k, (name, (xs, ys)) in enumerate(curves.items()):
        look = {"color": nth(COLOURS, k), "legend_label": name, "name": name}
        fig.line(xs, ys, line_dash=nth(BOKEH_DASHES, k), line_width=2, **look)
        fig.scatter(xs, ys, marker=nth(BOKEH_MARKERS, k), size=7, **look)
    fig.add_tools(HoverTool(tooltips=[("", "$name"), (x, "$x{0.[00]}"), (y, "$y{0.0e}")]))
    fig.add_layout(fig.legend[0], "below")
    fig.legend.location, fig.legend.ncols = "left", 3
    fig.legend.click_policy, fig.legend.label_text_font_size = "hide", "11pt"
    return fig


def _finding(curves, x, y):
    """A sentence on where each curve ends."""
    ends = [f"{name} {_end(xs, ys, x)}" for name, (xs, ys) in curves.items()]
    return f"{_title(x, y)}: {'; '.join(ends)}."


def _end(xs, ys, x):
    if not len(ys):
        return "has nothing above zero to show"
    digits = max(3, len(str(int(xs[-1]))))  # all digits of a count, for readers compute with it
    return f"reaches {ys[-1]:.1e} after {number_text(xs[-1], digits)} {x}"
