"""Coefficients under different penalties, and the price of a moved slope in each family."""

import numpy as np

from glmlab.words import column_names, count_text, list_text

from .interactive import bokeh_figure
from .picture import Picture
from .style import BOKEH_DASHES, COLOURS, DASHES, MARKERS, new_figure, nth

NONE = "no penalty"
GREY = "#AAAAAA"


# ---------------------------------------------------------------- paths, and a switch between them


def penalty_paths(paths, plain, *, names=None, most=5, ylabel="coefficient"):
    """Coefficients against λ, one panel for each penalty, with those without a penalty; a switch needs no kernel.

    paths   {penalty: (lams (m,), betas (m, p))}, λ in any order, in the unit of that penalty
    plain   (p,) the coefficients without a penalty
    names   one for each coefficient; x1, x2, … by default
    most    how many coefficients get a colour and a name: those that are largest in absolute value in `plain`
    ylabel  the name of the coefficients' axis, with their unit
    """
    plain = np.asarray(plain, dtype=float)
    paths = {name: _falling(name, lams, betas, plain) for name, (lams, betas) in paths.items()}
    names = column_names(names, len(plain))
    if len(names) != len(plain):
        raise ValueError(f"{len(names)} names for {len(plain)} coefficients; give one each")
    largest = np.argsort(-np.abs(plain), kind="stable")[:most]
    words = {name: _path_words(name, *path) for name, path in paths.items()}
    finding = "; ".join(words.values())
    words[NONE] = f"Without a penalty nothing is zero and ‖β‖ = {np.linalg.norm(plain):.3g}"
    finding = f"{finding}. {words[NONE]}."
    alt = (
        f"{len(paths)} panels, one for each penalty, with a curve for each coefficient against λ, which falls to the "
        f"right; thin dashed lines mark the coefficients without a penalty. {finding}"
    )
    moving = _switch(paths, plain, names, largest, words)
    return Picture(_panels(paths, plain, names, largest, ylabel), alt, finding, moving)


def _falling(name, lams, betas, plain):
    lams, betas = np.asarray(lams, dtype=float), np.asarray(betas, dtype=float)
    if betas.shape != (*lams.shape, len(plain)) or len(lams) < 2 or not np.all(lams > 0):
        raise ValueError(
            f"{name}: lams {lams.shape} must be two or more positive numbers, one for each row of betas {betas.shape}, "
            f"which have {len(plain)} columns as plain"
        )
    order = np.argsort(-lams)
    return lams[order], betas[order]


def _path_words(name, lams, betas):
    """A sentence on zeros and ‖β‖ at both ends of the path and in its middle."""
    zeros, places = np.sum(betas == 0, axis=1), (0, len(lams) // 2, -1)
    lengths = list_text(f"{np.linalg.norm(betas[k]):.3g}" for k in places)
    at = f"at λ = {list_text(f'{lams[k]:.3g}' for k in places)}"
    if not zeros.any():
        return f"{name}: no coefficient is ever zero, and ‖β‖ = {lengths} {at}"
    counts = list_text(zeros[k] for k in places)
    return f"{name}: {counts} of {betas.shape[1]} coefficients are zero {at}, where ‖β‖ = {lengths}"


def _panels(paths, plain, names, largest, ylabel):
    fig, axes = new_figure(1, len(paths), size=(9.4, 4.6), sharey=True, squeeze=False)
    for ax, (name, (lams, betas)) in zip(axes[0], paths.items(), strict=True):
        rest = np.delete(betas, largest, axis=1)
        grey = ax.plot(lams, rest, color=GREY, lw=1, marker="", ls="-")[:1]
        for k, j in enumerate(largest):
            look = {"color": nth(COLOURS, k), "ls": nth(DASHES, k), "marker": nth(MARKERS, k)}
            ax.plot(lams, betas[:, j], markevery=max(1, len(lams) // 8), label=names[j], **look)
            ax.axhline(plain[j], color=nth(COLOURS, k), lw=1, ls="--", marker="")
        ax.plot([], [], color="black", lw=1, ls="--", marker="", label=f"with {NONE}, named at the right")
        ax.axhline(0, color="black", lw=0.8, marker="")
        ax.set(xscale="log", xlabel=f"λ of {name}, smaller to the right", title=name)
        ax.invert_xaxis()
    axes[0][0].set_ylabel(ylabel)
    for height, text in _levels(plain, names, largest):
        ax.annotate(text, (1.01, height), xycoords=("axes fraction", "data"), va="center", fontsize=11)
    fig.suptitle(_panels_title(paths), x=0.01, ha="left", fontsize=13)
    handles, labels = axes[0][0].get_legend_handles_labels()
    labels += [count_text(rest.shape[1], "other")] * len(grey)
    fig.legend([*handles, *grey], labels, loc="outside lower center", ncols=3)
    return fig


def _levels(plain, names, largest):
    """(height, names) of the coefficients without a penalty; those too near to each other for two texts share one."""
    groups = []
    for j in sorted(largest, key=lambda j: -plain[j]):
        if groups and plain[groups[-1][-1]] - plain[j] < 0.07 * np.ptp(plain):
            groups[-1].append(j)
        else:
            groups.append([j])
    return [(plain[group].mean(), "\n".join(names[j] for j in group)) for group in groups]


def _panels_title(paths):
    """Which penalties make coefficients zero."""
    drop = [name for name, (_, betas) in paths.items() if np.any(betas == 0)]
    keep = [name for name in paths if name not in drop]
    said = [f"{list_text(drop)} makes coefficients exactly zero"] if drop else []
    return "; ".join(said + ([f"{list_text(keep)} makes none zero"] if keep else []))


# Runs when the switch is used. `views` has a list of x for each penalty, `heights` a list of lists of y; all names are
# arguments.
SWITCH = """
const k = radio.active;
curves.forEach((curve, j) => { curve.data = {x: views[k], y: heights[k][j]}; });
x_range.start = starts[k];
x_range.end = ends[k];
axis.axis_label = labels[k];
words.text = texts[k];
"""


def _switch(paths, plain, names, largest, words):
    """The picture with radio buttons (Tab reaches them, arrow keys move them). It needs JavaScript only."""
    from bokeh.layouts import column
    from bokeh.models import ColumnDataSource, CustomJS, Div, RadioGroup, Range1d

    views = {**paths, NONE: (next(iter(paths.values()))[0], None)}
    heights = [
        (np.tile(plain, (len(lams), 1)) if betas is None else betas).T.tolist() for lams, betas in views.values()
    ]
    xs = [lams.tolist() for lams, _ in views.values()]
    labels = [f"λ of {name}" for name in paths] + ["λ, which changes nothing"]
    every = np.concatenate([np.concatenate(list(height)) for height in heights])
    margin = 0.05 * np.ptp(every)
    fig = bokeh_figure(
        x_axis_type="log", x_range=Range1d(xs[0][0], xs[0][-1]), y_range=(every.min() - margin, every.max() + margin),
        tools="", x_axis_label=labels[0], y_axis_label="coefficient",
    )  # fmt: skip
    curves = [ColumnDataSource({"x": xs[0], "y": heights[0][j]}) for j in range(len(plain))]
    for j in sorted(range(len(plain)), key=lambda j: j in largest):  # draw those with a name last, on top
        if j not in largest:
            fig.line("x", "y", source=curves[j], color=GREY, line_width=1)
    for k, j in enumerate(largest):
        look = {"color": nth(COLOURS, k), "line_dash": nth(BOKEH_DASHES, k), "legend_label": names[j]}
        fig.line("x", "y", source=curves[j], line_width=3, **look)
    fig.add_layout(fig.legend[0], "below")
    fig.legend.ncols, fig.legend.label_text_font_size, fig.legend.location = 3, "11pt", "left"
    texts = [f'<p role="status" style="font-size:12pt;margin:0">{text}.</p>' for text in words.values()]
    say = Div(text=texts[0], sizing_mode="stretch_width")
    radio = RadioGroup(labels=list(views), active=0, inline=True, stylesheets=[":host { font-size: 12pt; }"])
    parts = {
        "curves": curves, "x_range": fig.x_range, "axis": fig.xaxis[0], "words": say, "radio": radio, "views": xs,
        "heights": heights, "labels": labels, "texts": texts, "starts": [x[0] for x in xs], "ends": [x[-1] for x in xs],
    }  # fmt: skip
    radio.js_on_change("active", CustomJS(args=parts, code=SWITCH))
    return column(radio, say, fig, sizing_mode="stretch_width", max_width=780)


# ---------------------------------------------------------------- the price of a slope


def prices(ts, curves):
    """The price D(t) of a moved slope, as a multiple of the quadratic price ½ℓ″t².

    ts      (m,) numbers t: the slope moves by ℓ″t
    curves  {name: (m,) D(t) ÷ ½ℓ″t²}, inf where the slope is outside the domain of ℓ*
    """
    ts = np.asarray(ts, dtype=float)
    curves = {name: np.asarray(values, dtype=float) for name, values in curves.items()}
    for name, values in curves.items():
        if values.shape != ts.shape or ts.ndim != 1:
            raise ValueError(f"{name} has shape {values.shape}; one number for each of ts {ts.shape} is needed")
    fig, ax = new_figure(size=(8.2, 4.2))
    for k, (name, values) in enumerate(curves.items()):
        shown = np.where(np.isfinite(values), values, np.nan)
        look = {"color": nth(COLOURS, k), "ls": nth(DASHES, k), "marker": nth(MARKERS, k)}
        ax.plot(ts, shown, markevery=max(1, len(ts) // 10), label=name, **look)
    ax.set(xlabel="t (the slope moves by ℓ″t)", ylabel="D(t) ÷ ½ℓ″t²")
    ax.set_title("Where t is small every price is nearly quadratic")
    fig.legend(loc="outside lower center", ncols=2)
    near = np.abs(ts) <= 0.1
    worst = max(np.abs(values[near] - 1).max() for values in curves.values())
    ends = [_price_end(name, ts, values) for name, values in curves.items()]
    finding = f"For |t| ≤ 0.1 all prices are within {worst:.1%} of ½ℓ″t²; {'; '.join(ends)}."
    return Picture(fig, f"Curves that meet at height 1 where t = 0. {finding}", finding)


def _price_end(name, ts, values):
    fine = np.isfinite(values)
    dearest = int(np.argmax(np.where(fine, values, -np.inf)))
    if np.ptp(values[fine]) < 1e-9:
        return f"{name}: {values[fine][0]:.3g} everywhere"
    beyond = "" if fine.all() else f", infinite {'below' if not fine[0] else 'above'} {_two(_edge(ts, fine))}"
    return f"{name}: up to {values[dearest]:.3g}, at t = {_two(ts[dearest])}{beyond}"


def _edge(ts, fine):
    """A text on where a price becomes infinite, on the side where that happens first."""
    return ts[fine][0] if not fine[0] else ts[fine][-1]


def _two(value):
    return f"{value:.2f}".replace("-", "−")
