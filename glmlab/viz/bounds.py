"""Bounds on F(β) − F*: the tangent they come from, their sizes over λ, and where they end a run."""

import numpy as np

from glmlab.words import list_text

from .interactive import bokeh_figure
from .picture import Picture
from .style import BOKEH_DASHES, BOKEH_MARKERS, COLOURS, DASHES, MARKERS, new_figure, nth

GREY = "#777777"
RELATIVE = "÷ F(0)"
SAID = f"gap and bounds {RELATIVE}"
LAM = "λ / λₘₐₓ"
TRUE = r"\beta_{\mathrm{true}}"  # in a formula
BELOW = "The line of another slope lies t² lower at η than the tangent"


# ---------------------------------------------------------------- the tangent and its price


def tangent(y, eta, t):
    """The loss (y − v)² of one row, its tangent at η, and a line of slope ℓ′(η) + 2t below it; a slider moves t.

    y    the row's label
    eta  η, where the tangent touches
    t    half the change of slope at which the slider starts

    The highest line of slope θ below the loss is θv − ℓ*(θ). At η the line of slope ℓ′(η) + 2t is t² below the loss.
    """
    vs = np.linspace(min(y, eta, 0) - 0.5, max(y, eta) + 1, 121)
    finding = _price_words(y, eta, t).replace("<sup>2</sup>", "²")
    alt = (
        f"A parabola with its lowest point at y = {y:g}, its tangent at η = {eta:g}, and a line of another slope below "
        f"the parabola. {finding}"
    )
    return Picture(_tangent_figure(vs, y, eta, t), alt, finding, _tangent_slider(vs, y, eta, t))


def _line(vs, y, touch):
    """The tangent of (y − v)² that touches at `touch`."""
    return (y - touch) ** 2 + 2 * (touch - y) * (vs - touch)


def _conjugate(theta, y):
    return theta**2 / 4 + theta * y


def _price_words(y, eta, t):
    theta = 2 * (eta - y) + 2 * t
    loss, line = (y - eta) ** 2, theta * eta - _conjugate(theta, y)
    return (
        f"The line of slope θ = {_two(theta)} meets the axis at −ℓ*(θ) = {_two(-_conjugate(theta, y))} and passes "
        f"η at {_two(line)}, which is {_two(loss - line)} = t<sup>2</sup> below ℓ(η) = {_two(loss)}, for t = {_two(t)}."
    )


def _two(value):
    """Two digits after the point, with a typographic minus; zero has no sign."""
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "−")


def _tangent_figure(vs, y, eta, t):
    fig, ax = new_figure(size=(7.6, 4.4))
    ax.plot(vs, (y - vs) ** 2, marker="", color="black", label="ℓ(v) = (y − v)²")
    for k, touch in enumerate((eta, eta + t)):
        slope = "θ = ℓ′(η)" if k == 0 else "θ = ℓ′(η) + 2t"
        ax.plot(vs, _line(vs, y, touch), marker="", color=COLOURS[k], ls=("-", "--")[k], label=f"slope {slope}")
        for v in (0, touch):  # where it meets the axis, and where it touches the loss
            ax.plot([v], [_line(v, y, touch)], color=COLOURS[k], marker=MARKERS[k], ls="")
        ax.annotate("−ℓ*", (0, _line(0, y, touch)), (-8, 0), textcoords="offset points", ha="right", color=COLOURS[k])
        ax.axvline(touch, color=COLOURS[k], lw=0.8, ls=":")
        below = {"xycoords": ax.get_xaxis_transform(), "textcoords": "offset points", "color": COLOURS[k]}
        ax.annotate(("η", "η + t")[k], (touch, 0), (4, 5), **below)
    ax.plot([y], [0.0], color="black", marker="o", ls="")
    ax.annotate("y", (y, 0), (0, -16), textcoords="offset points", ha="center")
    ax.vlines(eta, (y - eta) ** 2 - t**2, (y - eta) ** 2, color=COLOURS[3], lw=5, label="price t²")
    ax.axvline(0, color=GREY, lw=0.8)
    ax.set(xlabel="v (the row's linear predictor)", ylabel="loss", title=BELOW)
    ax.set_ylim(*_heights(vs, y, eta))
    fig.legend(loc="outside lower center", ncols=2)
    return fig


def _heights(vs, y, eta):
    return min(0.0, _line(vs[0], y, eta), _line(vs[-1], y, eta)) - 1, 1.05 * max((y - vs[0]) ** 2, (y - vs[-1]) ** 2)


# Runs when the slider moves. y and eta are arguments; the other names are parts of the figure.
MOVE_TANGENT = """
const t = slider.value, touch = eta + t, theta = 2 * (touch - y);
const line = (v) => (y - touch) * (y - touch) + theta * (v - touch);
curve.data = {x: curve.data.x, y: Array.from(curve.data.x, line)};
foot.data = {x: [0], y: [line(0)]};
price.data = {x: [eta, eta], y: [line(eta), (y - eta) * (y - eta)]};
const say = (v) => v.toFixed(2).replace(/^-0.00$/, "0.00").replace("-", "−");
words.text = '<p role="status" style="font-size:12pt;margin:0">The line of slope θ = <b>' + say(theta)
  + "</b> meets the axis at −ℓ*(θ) = <b>" + say(line(0)) + "</b> and passes η at " + say(line(eta)) + ", which is <b>"
  + say(t * t) + "</b> = t<sup>2</sup> below ℓ(η) = " + say((y - eta) * (y - eta)) + ", for t = " + say(t) + ".</p>";
"""


def _tangent_slider(vs, y, eta, t):
    from bokeh.models import ColumnDataSource, CustomJS, Slider

    low, high = _heights(vs, y, eta)
    fig = bokeh_figure(y_range=(low, high), tools="", title=BELOW, x_axis_label="v", y_axis_label="loss")
    fig.height = 340
    curve = ColumnDataSource({"x": vs, "y": _line(vs, y, eta + t)})
    foot = ColumnDataSource({"x": [0.0], "y": [_line(0.0, y, eta + t)]})
    price = ColumnDataSource({"x": [eta, eta], "y": [(y - eta) ** 2 - t**2, (y - eta) ** 2]})
    fig.line(vs, (y - vs) ** 2, line_width=2, color="black", legend_label="ℓ(v)")
    fig.line(vs, _line(vs, y, eta), line_width=2, color=COLOURS[0], legend_label="slope θ = ℓ′(η)")
    look = {"color": COLOURS[1], "line_width": 2, "line_dash": "dashed", "legend_label": "slope θ = ℓ′(η) + 2t"}
    fig.line("x", "y", source=curve, **look)
    fig.scatter("x", "y", source=foot, marker="square", size=9, color=COLOURS[1])
    fig.line("x", "y", source=price, line_width=6, color=COLOURS[3], legend_label="price t²")
    fig.add_layout(fig.legend[0], "below")
    fig.legend.ncols, fig.legend.label_text_font_size, fig.legend.location = 4, "11pt", "left"
    slider = Slider(start=-2, end=1, step=0.1, value=t, title="t, by which the slope moves")
    words = _words(f'<p role="status" style="font-size:12pt;margin:0">{_price_words(y, eta, t)}</p>')
    parts = {"curve": curve, "foot": foot, "price": price, "words": words, "slider": slider}
    slider.js_on_change("value", CustomJS(args={**parts, "y": y, "eta": eta}, code=MOVE_TANGENT))
    return _stack(slider, words, fig)


def _words(text):
    from bokeh.models import Div

    return Div(text=text, sizing_mode="stretch_width")


def _stack(slider, words, fig):
    from bokeh.layouts import column

    slider.sizing_mode, slider.stylesheets = "stretch_width", [":host { font-size: 12pt; }"]
    return column(slider, words, fig, sizing_mode="stretch_width", max_width=780)


# ---------------------------------------------------------------- all bounds against the true gap


def bounds_by_lam(ratios, gaps, bounds, *, start):
    """Bounds and the true gap against λ/λ_max, with a slider that works without a kernel.

    ratios  (m,) λ/λ_max, increasing
    gaps    (m,) true relative gaps F(β) − F* of one β for each λ
    bounds  {name: (m,)} the bound at each λ, inf where there is none
    start   λ/λ_max at which the slider starts; the finding is about this λ
    """
    ratios, gaps = np.asarray(ratios, dtype=float), np.asarray(gaps, dtype=float)
    bounds = {name: np.asarray(values, dtype=float) for name, values in bounds.items()}
    _lined_up(ratios, gaps, bounds)
    at = int(np.argmin(np.abs(np.log(ratios / start))))
    finding = f"At λ/λ_max = {ratios[at]:.1e} {_times(gaps, bounds, at)}."
    alt = f"Bounds and the true gap against λ/λ_max, both axes logarithmic; no bound lies below the gap. {finding}"
    return Picture(_bounds_figure(ratios, gaps, bounds), alt, finding, _bounds_slider(ratios, gaps, bounds, at))


def _lined_up(ratios, gaps, bounds):
    if ratios.ndim != 1 or len(ratios) < 2 or not (ratios[0] > 0 and np.all(np.diff(ratios) > 0)):
        raise ValueError("ratios must be two or more positive λ/λ_max, increasing")
    for name, values in {"gaps": gaps, **bounds}.items():
        if values.shape != ratios.shape:
            raise ValueError(f"{name} has shape {values.shape}; one number for each of {len(ratios)} ratios is needed")
    if not np.all(gaps > 0):
        raise ValueError(f"gaps must be positive on a logarithmic axis; the smallest is {gaps.min():.3g}")


def _factor(value):
    """The text for a multiple of the gap."""
    if not np.isfinite(value):
        return "no bound"
    return f"{value:.2f}" if value < 10 else f"{value:.0f}" if value < 1e4 else f"{value:.0e}".replace("e+0", "e")


def _times(gaps, bounds, at):
    return list_text(f"{name} is {_factor(b[at] / gaps[at])} times the gap" for name, b in bounds.items())


def _farthest_and_nearest(gaps, bounds):
    """A title: which bound is farthest from the gap and which is nearest to it, by the median over all λ."""
    times = {name: values / gaps for name, values in bounds.items()}
    order = sorted(times, key=lambda name: np.median(times[name]))
    far, near = order[-1], order[0]
    return f"Farthest: {far}, {_spread(times[far])}\nNearest: {near}, {_spread(times[near])}"


def _spread(times):
    """The smallest and the largest multiple of the gap, where there is a bound."""
    if not np.isfinite(times).any():
        return "no bound"
    low, high = (_factor(end(times[np.isfinite(times)])) for end in (np.min, np.max))
    return f"{low if low == high else f'{low} to {high}'} times the gap"


def _bounds_figure(ratios, gaps, bounds):
    fig, ax = new_figure(size=(8.6, 4.8))
    for k, (name, values) in enumerate(bounds.items()):
        ax.plot(ratios, values, label=name, color=nth(COLOURS, k), mfc="none", mew=1.5, zorder=3)
    ax.plot(ratios, gaps, label="true gap F(β) − F*", color="black", marker="", lw=6, alpha=0.4, ls="-")
    ax.set(xscale="log", yscale="log", xlabel=LAM, ylabel=SAID)
    ax.set_title(_farthest_and_nearest(gaps, bounds))
    fig.legend(loc="outside lower center", ncols=2)
    return fig


# Runs when the slider moves. ratios, heights (one list for each bound) and texts are arguments.
MOVE_LAM = """
const k = slider.value;
line.location = ratios[k];
dots.data = {x: heights.map(() => ratios[k]), y: heights.map((h) => h[k]), color: dots.data.color};
words.text = texts[k];
"""


def _bounds_slider(ratios, gaps, bounds, at):
    from bokeh.models import ColumnDataSource, CustomJS, CustomJSTickFormatter, Slider, Span

    curves = {"true gap": gaps, **bounds}
    colours = ["black"] + [nth(COLOURS, k) for k in range(len(bounds))]
    fig = bokeh_figure(
        x_axis_type="log", y_axis_type="log", tools="", title=_farthest_and_nearest(gaps, bounds),
        x_axis_label=LAM, y_axis_label=SAID,
    )  # fmt: skip
    fig.line(ratios, gaps, line_width=7, color="black", alpha=0.4, legend_label="true gap")
    for k, (name, values) in enumerate(bounds.items()):
        look = {"color": nth(COLOURS, k), "legend_label": name}
        fig.line(ratios, values, line_width=2, line_dash=nth(BOKEH_DASHES, k), **look)
        fig.scatter(ratios, values, marker=nth(BOKEH_MARKERS, k), size=6, **look)
    fig.add_layout(fig.legend[0], "below")
    fig.legend.ncols, fig.legend.label_text_font_size, fig.legend.location = 2, "11pt", "left"
    line = Span(location=ratios[at], dimension="height", line_dash="dashed", line_color="black")
    fig.add_layout(line)
    heights = [values.tolist() for values in curves.values()]
    here = {"x": [ratios[at]] * len(heights), "y": [height[at] for height in heights], "color": colours}
    dots = ColumnDataSource(here)
    fig.scatter("x", "y", source=dots, size=13, fill_color="color", line_color="black", line_width=2)
    texts = [_bounds_text(ratios, gaps, bounds, k) for k in range(len(ratios))]
    words = _words(texts[at])
    named = CustomJSTickFormatter(code="return names[tick]", args={"names": [f"{ratio:.1e}" for ratio in ratios]})
    slider = Slider(start=0, end=len(ratios) - 1, step=1, value=at, format=named, title=LAM)
    data = {"ratios": ratios.tolist(), "heights": heights, "texts": texts}
    move = CustomJS(args={**data, "line": line, "dots": dots, "words": words, "slider": slider}, code=MOVE_LAM)
    slider.js_on_change("value", move)
    return _stack(slider, words, fig)


def _bounds_text(ratios, gaps, bounds, k):
    """A small table: every bound at one λ, and its multiple of the gap."""
    rows = "".join(
        f"<tr><th scope='row' style='text-align:left'>{name}</th><td>{values[k]:.1e}</td>"
        f"<td><b>{_factor(values[k] / gaps[k])}</b></td></tr>"
        for name, values in bounds.items()
    )
    head = f"λ/λ_max = <b>{ratios[k]:.1e}</b>, true gap {gaps[k]:.1e}"
    columns = "<tr><td></td><td>says</td><td>times the gap</td></tr>"
    table = f"<table style='border-spacing:14px 1px'>{columns}{rows}</table>"
    return f"<div role='status' style='font-size:12pt'>{head}{table}</div>"


# ---------------------------------------------------------------- when to stop, and what is left


def stops(runs, *, tol):
    """The true relative gap of every iterate of some runs, and the iteration at which each rule would stop them.

    runs  {name: (gaps, rules)}; gaps (m,) are true relative gaps, by iteration, and rules is
          {rule: iteration, or None where the rule never held}
    tol   the tolerance that every rule was given
    """
    fig, ax = new_figure()
    early, ends, named = {}, [], set()
    for j, (run, (gaps, rules)) in enumerate(runs.items()):
        late = {rule: k for rule, k in rules.items() if k is not None and not 0 <= k < len(gaps)}
        if late:
            raise ValueError(f"{run} has iterations 0 to {len(gaps) - 1}, but rules stop at {late}")
        marks = "" if len(runs) == 1 else " (filled marks)" if j == 0 else " (hollow marks)"
        label = f"gap, {run}{marks}"
        ax.plot(np.arange(1, len(gaps)), gaps[1:], color="black", marker="", ls=nth(DASHES, j), label=label)
        for k, (rule, stop) in enumerate(rules.items()):
            if stop is not None:
                look = {"marker": nth(MARKERS, k), "ms": 11, "ls": "", "mec": nth(COLOURS, k), "mew": 2, "zorder": 3}
                fill = nth(COLOURS, k) if j == 0 else "white"
                ax.plot([max(stop, 1)], [gaps[stop]], label="" if rule in named else rule, mfc=fill, **look)
                named.add(rule)
                if gaps[stop] > tol:
                    early.setdefault(rule, []).append(run)
        words = "; ".join(f"{rule}: {_stop_words(gaps, k, tol)}" for rule, k in rules.items())
        ends.append(f"{run}: {words}")
    ax.axhline(tol, color=GREY, lw=1.2, ls=":", label=f"tolerance {tol:.0e}")
    ax.set(xscale="log", yscale="log", xlabel="iteration", ylabel=f"(F(β) − F*) {RELATIVE}")
    where = {rule: "all runs" if len(found) == len(runs) else list_text(found) for rule, found in early.items()}
    said = [f"{rule} ({where[rule]})" if len(runs) > 1 else rule for rule in early]
    ax.set_title(f"Stopped too early: {list_text(said)}" if early else "No rule stops too early")
    drawn = zip(*ax.get_legend_handles_labels(), strict=True)
    lines_first = sorted(drawn, key=lambda pair: pair[0].get_linestyle() == "None")
    fig.legend(*zip(*lines_first, strict=True), loc="outside lower center", ncols=3)
    finding = f"Asked for {tol:.0e}, the rules stop here. {'. '.join(ends)}."
    return Picture(fig, f"Falling curves with one mark for each stopping rule. {finding}", finding)


def _stop_words(gaps, stop, tol):
    if stop is None:
        return f"never in {len(gaps) - 1:,} iterations"
    ratio = gaps[stop] / tol
    return f"iteration {stop:,}, where the gap is {f'{ratio:.0f}' if ratio >= 10 else f'{ratio:.2g}'} times that"


def three_errors(gaps, certified, distances, *, noise):
    """Suboptimality, its certified bound, and the distance to the coefficients that made the data.

    gaps       (m,) true gaps ÷ F(0), by iteration; those that are not positive are left out
    certified  {iteration: certified gap ÷ F(0)}
    distances  (m,) ‖β − β_true‖∞
    noise      the expected distance of the exact minimiser, which comes from the noise in the data
    """
    gaps, distances = np.asarray(gaps, dtype=float), np.asarray(distances, dtype=float)
    if gaps.shape != distances.shape or gaps.ndim != 1:
        raise ValueError(f"gaps {gaps.shape} and distances {distances.shape} must be one number for each iteration")
    fig, (left, right) = new_figure(1, 2, size=(8.6, 4.4))  # two units: two axes
    look = {"markevery": max(1, len(gaps) // 15)}
    left.plot(np.where(gaps > 0, gaps, np.nan), color=COLOURS[0], label="F(β) − F*", **look)
    proved = {"color": COLOURS[1], "marker": "s", "ls": "--", "label": "its certificate"}
    left.plot(list(certified), list(certified.values()), **proved)
    right.plot(distances, color=COLOURS[2], marker="^", ls="-.", label=rf"$\|\beta-{TRUE}\|_\infty$", **look)
    right.axhline(noise, color=GREY, lw=1.2, ls=":", label=f"√(2 log p / n) = {noise:.2g}")
    titles = f"The certificate falls to {list(certified.values())[-1]:.0e}", f"The distance ends at {distances[-1]:.2g}"
    left.set(yscale="log", xlabel="iteration", ylabel=f"gap and certificate {RELATIVE}", title=titles[0])
    right.set(yscale="log", xlabel="iteration", ylabel=rf"distance of $\beta$ to ${TRUE}$", title=titles[1])
    fig.legend(loc="outside lower center", ncols=4)
    moving = np.flatnonzero(np.abs(distances / distances[-1] - 1) > 0.01)
    still = int(moving[-1]) + 1 if len(moving) else 0
    finding = (
        f"From iteration {still} on ‖β − β_true‖∞ stays near {distances[-1]:.2g}, where √(2 log p / n) = {noise:.2g}, "
        f"while the certificate falls from {_near(certified, still):.0e} to {list(certified.values())[-1]:.0e}."
    )
    alt = (
        "Left the gap and its certificate by iteration, both falling steadily; right the distance to the coefficients "
        f"that made the data, which levels off. {finding}"
    )
    return Picture(fig, alt, finding)


def _near(certified, k):
    """The certified gap of the iteration nearest to k."""
    return certified[min(certified, key=lambda iteration: abs(iteration - k))]
