"""The speed of gradient methods: gap by iteration, rate against κ, the effect of a step on each direction."""

import math

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from glmlab.words import count_text, list_text, plural

from .interactive import bokeh_figure, place_slider
from .picture import Picture
from .style import COLOURS, DASHES, MARKERS, new_figure, nth

STEPS = [k / 20 for k in range(1, 45)]  # of the slider, in units of 1/L: above 2 gradient descent diverges
LEAST = 1e-12  # of the gap at the start: the smallest gap that is drawn


def gap_curves(curves, *, ylabel="F − F*", title="Suboptimality by iteration", step="iteration"):
    """Curves against the number of iterations.

    curves  {name: values at iterations 0, 1, 2 …}, gaps or bounds on gaps
    step    the name of one iteration, as "round"
    """
    curves = {name: np.asarray(values, dtype=float) for name, values in curves.items()}
    if not curves or any(values.ndim != 1 or len(values) < 2 for values in curves.values()):
        raise ValueError("curves={name: values}: two or more values each, one for every iteration")
    fig, ax = new_figure()
    _draw_gaps(ax, curves)
    ax.set(xlabel=step, ylabel=ylabel, title=title)
    fig.legend(ax.lines, list(curves), loc="outside lower center", ncols=2)
    finding = f"{'; '.join(_course(name, values, step) for name, values in curves.items())}."
    alt = f"{ylabel} on a logarithmic scale against {plural(step)}, a curve each. {finding}"
    return Picture(fig, alt, finding)


def _draw_gaps(ax, curves):
    for k, values in enumerate(curves.values()):
        shown = np.where(np.isfinite(values) & (values > 0), values, np.nan)
        look = {"color": nth(COLOURS, k), "ls": nth(DASHES, k), "marker": nth(MARKERS, k)}
        ax.plot(shown, markevery=max(1, len(shown) // 12), **look)
    ax.set(yscale="log", xlabel="iteration")


def _course(name, values, step):
    good = values[np.isfinite(values)]
    return f"{name}: from {good[0]:.1e} to {good[-1]:.1e} in {count_text(len(good) - 1, step)}"


def bound_and_gap(bounds, gaps, *, kappa, title):
    """A certificate and the true gap by iteration; a panel below has their quotient, which tells the curves apart.

    bounds, gaps  (m,) values at iterations 0, 1, 2 …; all positive
    kappa         the largest possible quotient, here the condition number of the Hessian; the least is 1
    title         of the figure: what it shows
    """
    bounds, gaps = (np.asarray(values, dtype=float) for values in (bounds, gaps))
    if bounds.ndim != 1 or bounds.shape != gaps.shape or len(gaps) < 2:
        raise ValueError("bounds and gaps: two or more values each, one for every iteration")
    fig, (above, below) = new_figure(2, 1, size=(8.6, 5.4), sharex=True, height_ratios=(3, 2))
    _draw_gaps(above, {"your bound": bounds, "F − F*": gaps})
    above.set(title=title, xlabel="", ylabel="F − F* and its bound")
    look = {"color": COLOURS[2], "ls": "-", "marker": MARKERS[2], "markevery": max(1, len(gaps) // 12)}
    below.plot(bounds / gaps, label="your bound ÷ (F − F*)", **look)
    below.axhline(kappa, color="#777777", ls=":", marker="", label=f"κ = {kappa:.2g}: it is never above")
    below.axhline(1, color="black", ls="-", lw=1, marker="", label="1: it is never below")
    below.set(yscale="log", ylim=(0.8, 1.25 * kappa), xlabel="iteration", ylabel="bound ÷ gap")
    below.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    below.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    below.yaxis.set_minor_locator(NullLocator())
    names = ["your bound", "F − F*", *(line.get_label() for line in below.lines)]
    fig.legend([*above.lines, *below.lines], names, loc="outside lower center", ncols=3)
    ratios = [f"{value:.3g}" for value in (bounds / gaps)[[0, 1, -1]]]
    finding = "Bound ÷ gap: {} at first, {} after one iteration, {} at the end.".format(*ratios)
    alt = f"A bound and the gap against iterations on a logarithmic scale, and below them their quotient. {finding}"
    return Picture(fig, alt, finding)


def rate_by_kappa(kappas, predicted, measured):
    """Iterations for one more digit against the condition number, predicted and measured.

    kappas     (m,) condition numbers κ = L/μ
    predicted  {step: (m,) predicted factors of the distance to the optimum in one iteration}
    measured   the same, measured
    """
    kappas = np.asarray(kappas, dtype=float)
    cost = {name: (digit_cost(rates), digit_cost(measured[name])) for name, rates in predicted.items()}
    fig, ax = new_figure(size=(7.4, 4.2))
    for k, (name, (line, dots)) in enumerate(cost.items()):
        look, ring = {"color": nth(COLOURS, k)}, {"marker": nth(MARKERS, k), "ms": 9, "mfc": "none", "mew": 2}
        ax.plot(kappas, line, marker="", ls=nth(DASHES, k), label=f"step {name}, predicted", **look)
        ax.plot(kappas, dots, ls="", label=f"step {name}, measured", **look, **ring)
    ax.set(xscale="log", yscale="log", xlabel="condition number κ = L/μ", ylabel="iterations for one digit")
    ax.set_xticks(kappas)
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_locator(NullLocator())
    ax.set_title("For large κ the price of one digit grows like κ")
    fig.legend(loc="outside lower center", ncols=2)
    worst = max(np.abs(dots / line - 1).max() for line, dots in cost.values())
    ends = [f"{dots[-1]:.3g} iterations with step {name}" for name, (_, dots) in cost.items()]
    finding = (
        f"At κ = {kappas[-1]:.3g} one digit costs {list_text(ends)}. Over all κ predicted and measured costs differ by "
        f"at most {worst:.1%}."
    )
    alt = f"Iterations for one digit against κ on two logarithmic axes, two rising lines with points on them. {finding}"
    return Picture(fig, alt, finding)


def digit_cost(rate):
    """Iterations until a distance is a tenth, where each multiplies it by `rate`; inf where the rate is not below 1."""
    with np.errstate(divide="ignore"):
        return 1 / np.maximum(-np.log10(np.asarray(rate, dtype=float)), 0.0)


def step_slider(eigenvalues, shares, *, iterations=60, start=1.0):
    """The effect of a constant step t: a slider that works without a kernel, and a static picture.

    eigenvalues  (p,) of the Hessian, all positive; L is the largest, μ the smallest
    shares       (p,) the share of each eigenvector's direction in F − F* at the start
    iterations   the length of the curves
    start        the step at which the slider starts, in units of 1/L

    Each iteration multiplies the error in direction i by 1 − tλᵢ, and its part of the gap by (1 − tλᵢ)².
    """
    values, shares = _spectrum(eigenvalues, shares)
    L, mu = values.max(), values.min()
    steps = {"1/L": 1.0, "2/(L + μ)": 2 * L / (L + mu), "2.05/L": 2.05}
    finding = (
        f"At κ = {L / mu:.3g} step 1/L multiplies the distance by at most {1 - mu / L:.3g} an iteration, step "
        f"2/(L + μ) by at most {(L - mu) / (L + mu):.3g}. Above 2/L it grows in the end."
    )
    alt = (
        "Left: the largest factor |1 − tλ| against the step t. It follows the factor of the flattest direction down to "
        "a minimum at 2/(L + μ), then that of the steepest direction, and exceeds 1 above 2/L. Right: the gap by "
        f"iteration for three steps. {finding}"
    )
    picture = _static(values / L, shares, steps, iterations)
    return Picture(picture, alt, finding, _slider(values / L, shares, iterations, start))


def _spectrum(eigenvalues, shares):
    values, shares = np.asarray(eigenvalues, dtype=float), np.asarray(shares, dtype=float)
    if values.ndim != 1 or values.shape != shares.shape or not values.min() > 0:
        raise ValueError(f"eigenvalues {values.shape} must be positive, with as many shares {shares.shape} of the gap")
    return values, shares / shares.sum()


def gaps(relative, shares, step, iterations):
    """F − F* at iterations 0, 1, …, divided by the first; step in units of 1/L, relative = λ/L."""
    factors = (1 - step * relative) ** 2
    return factors ** np.arange(iterations + 1)[:, None] @ shares


def _static(relative, shares, steps, iterations):
    fig, (left, right) = new_figure(1, 2, size=(9.4, 4.4))
    t = np.linspace(0, STEPS[-1], 221)
    rate = np.abs(1 - t[:, None] * relative).max(axis=1)
    left.plot(t, rate, color="#BBBBBB", lw=7, marker="", ls="-", label="the slowest direction")
    for name, value, colour, dash in (("flattest", relative.min(), 3, "--"), ("steepest", relative.max(), 5, "-.")):
        left.plot(t, np.abs(1 - t * value), color=COLOURS[colour], marker="", ls=dash, label=f"the {name} direction")
    left.axhline(1, color="#777777", lw=1.2, ls=":", marker="")
    for k, step in enumerate(steps.values()):
        look = {"color": nth(COLOURS, k), "marker": nth(MARKERS, k), "ms": 9}
        left.plot([step], [np.abs(1 - step * relative).max()], ls="", **look)
    left.set(xlabel="step t, in units of 1/L", ylabel="factor |1 − tλ| of an iteration")
    left.set_title("The slowest direction decides")
    _draw_gaps(right, {name: gaps(relative, shares, step, iterations) for name, step in steps.items()})
    right.set(ylabel="(F − F*) / its start", title="Above 2/L the gap grows in the end")
    lines, names = left.get_legend_handles_labels()
    names += [f"t = {name}" for name in steps]
    fig.legend([*lines, *right.lines], names, loc="outside lower center", ncols=3)
    return fig


# Runs when the slider moves. steps, relative (λ/L), shares, dots, curve, words, good, bad and least are arguments.
MOVE = """
const t = steps[slider.value], k = curve.data.x, last = k[k.length - 1];
const factors = relative.map((x) => Math.abs(1 - t * x)), rate = Math.max(...factors);
const slow = factors.map((f) => rate - f < 1e-9);
dots.data = {x: relative, y: factors, color: slow.map((s) => s ? bad : good), size: slow.map((s) => s ? 14 : 8)};
const gap = k.map((i) => shares.reduce((sum, share, j) => sum + share * factors[j] ** (2 * i), 0));
curve.data = {x: k, y: gap.map((v) => Math.max(v, least))};
const flat = slow[relative.indexOf(Math.min(...relative))], steep = slow[relative.indexOf(Math.max(...relative))];
const who = flat && steep ? "flattest and the steepest direction decide"
  : (flat ? "flattest" : "steepest") + " direction decides";
const cost = rate < 1 - 1e-12
  ? "one digit of distance costs " + (rate > 0 ? -1 / Math.log10(rate) : 0).toPrecision(3) + " iterations"
  : "<b>it does not converge</b>";
words.text = '<p role="status" style="font-size:12pt;margin:0">Step <b>' + t.toFixed(2) + "/L</b>: the " + who
  + ", |1 − tλ| = <b>" + rate.toFixed(3) + "</b>, and " + cost + ". After " + last + " iterations the gap is "
  + gap[last].toExponential(1).replace("e+", "e") + " of its start.</p>";
"""


def _slider(relative, shares, iterations, start):
    """The picture with a Bokeh slider (arrow keys move it). It needs JavaScript only."""
    from bokeh.layouts import column
    from bokeh.models import ColumnDataSource, CustomJS, Div

    dots = ColumnDataSource({"x": [], "y": [], "color": [], "size": []})
    curve = ColumnDataSource({"x": list(range(iterations + 1)), "y": [math.nan] * (iterations + 1)})
    factors, decay = _factor_view(dots), _decay_view(curve, iterations)
    words = Div(text="", sizing_mode="stretch_width")
    place = min(range(len(STEPS)), key=lambda k: abs(STEPS[k] - start))
    slider = place_slider([f"{step:.2f}" for step in STEPS], place, "Step t, in units of 1/L")
    numbers = {"steps": STEPS, "relative": relative.tolist(), "shares": shares.tolist(), "least": LEAST}
    views = {"slider": slider, "dots": dots, "curve": curve, "words": words, "good": COLOURS[0], "bad": COLOURS[1]}
    move = CustomJS(args={**numbers, **views}, code=MOVE)
    slider.js_on_change("value", move)
    factors.js_on_change("inner_width", move)  # the width is known once the page is laid out: draw then
    return column(slider, words, factors, decay, sizing_mode="stretch_width", max_width=780)


def _factor_view(dots):
    fig = bokeh_figure(
        x_range=(0, 1.03), y_range=(0, 1.3), tools="", title="The factor of each direction",
        x_axis_label="curvature λ of the direction, in units of L", y_axis_label="|1 − tλ|",
    )  # fmt: skip
    fig.height = 250
    fig.line([0, 1.03], [1, 1], color="#777777", line_dash="dotted", line_width=2)
    fig.scatter("x", "y", source=dots, size="size", fill_color="color", line_color="black")
    return fig


def _decay_view(curve, iterations):
    fig = bokeh_figure(
        x_range=(0, iterations), y_range=(LEAST, 1e3), y_axis_type="log", tools="", title="The gap by iteration",
        x_axis_label="iteration", y_axis_label="(F − F*) / its start",
    )  # fmt: skip
    fig.height, fig.yaxis.minor_tick_line_color = 250, None
    fig.line("x", "y", source=curve, color=COLOURS[0], line_width=3)
    return fig
