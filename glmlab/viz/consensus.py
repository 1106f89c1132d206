"""Consensus ADMM: one round, zeros of z by round, chunks' answers, rounds over ρ and relaxation."""

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.patches import FancyBboxPatch

from glmlab.words import count_text, list_text, number_text

from .interactive import bokeh_figure, place_slider
from .picture import Picture
from .style import BOKEH_MARKERS, COLOURS, DASHES, MARKERS, new_figure, nth

GREY = "#777777"

# ---------------------------------------------------------------- one round

PLACES = (("this process", 0.0, 1.5, 4.65), ("workers", 1.75, 5.05, 3.45), ("this process", 5.3, 6.8, 4.65))  # …, top
ROWS = (("1", 3.0), ("2", 2.0), ("K", 0.5))  # name of a chunk, its height


def admm_round():
    """One round of consensus ADMM: z and the u_k go out to the chunks, the β_k come back, new z and u_k are made."""
    fig, ax = new_figure(size=(6.8, 4.9))
    for name, left, right, top in PLACES:
        ground = {"boxstyle": "round,pad=0,rounding_size=0.1", "facecolor": "#EEEEEE", "edgecolor": "none"}
        ax.add_patch(FancyBboxPatch((left, -0.1), right - left, top + 0.1, **ground))
        ax.text((left + right) / 2, top + 0.13, name, ha="center", va="bottom", fontweight="bold")
    _box(ax, 0.75, 4.15, "z", 1.1, COLOURS[1])
    _box(ax, 6.05, 4.15, "new z", 1.0, COLOURS[1])
    _box(ax, 6.05, 2.55, "z_update", 1.3, "black")
    for name, height in ROWS:
        _box(ax, 0.75, height, f"$u_{name}$", 1.1, COLOURS[2])
        _box(ax, 2.85, height, f"local_update\non $X_{name}$, $y_{name}$", 1.9, "black")
        _box(ax, 4.5, height, f"$β_{name}$", 0.8, COLOURS[0])
        for ends in (((1.3, 4.05), (1.9, height + 0.15)), ((1.3, height), (1.9, height)),
                     ((3.8, height), (4.1, height)), ((4.9, height), (5.4, 2.55 + 0.1 * (height - 2)))):  # fmt: skip
            _arrow(ax, *ends)
    for x in (0.75, 2.85, 4.5):
        ax.text(x, 1.25, "⋮", ha="center", va="center", fontsize=15)
    _box(ax, 6.05, 1.0, "new $u_1$, $u_2$,\n…, $u_K$", 1.4, COLOURS[2])
    _arrow(ax, (6.05, 2.85), (6.05, 3.87))
    _arrow(ax, (6.05, 2.25), (6.05, 1.33))
    for xs, ys in (([0.08, 0.08, 5.42, 5.42], [0.5, 4.54, 4.54, 3.0]),
                   *(([0.08, 0.2], [y, y]) for y in (4.15, 3.0, 2.0, 0.5))):  # fmt: skip
        ax.plot(xs, ys, color="#555555", lw=1.3, ls="--", marker="")
    _arrow(ax, (5.42, 3.0), (5.42, 2.83))
    ax.text(3.4, 4.59, "the old z and all $u_k$", ha="center", va="bottom")
    ax.set(xlim=(-0.05, 6.85), ylim=(-0.2, 5.2))
    ax.axis("off")
    fig.suptitle("One round: out to all chunks, and back to one z", x=0.01, ha="left", fontsize=13)
    finding = "A round fans out from z and the u_k to all chunks and in again to the new z; no arrow joins two chunks."
    alt = (
        "Left, this process holds z and one u_k for each chunk. Arrows lead from z and u_k to local_update on the "
        "chunk X_k, y_k on a worker, and from there to the answer β_k. All answers lead to z_update in this process, "
        f"which makes the new z and the new u_k of them, the old z and the old u_k. {finding}"
    )
    return Picture(fig, alt, finding)


def _box(ax, x, y, text, width, colour):
    shape = {"boxstyle": "round,pad=0,rounding_size=0.06", "facecolor": "white", "edgecolor": colour, "lw": 2}
    ax.add_patch(FancyBboxPatch((x - width / 2, y - 0.28), width, 0.56, **shape))
    ax.text(x, y, text, ha="center", va="center", fontsize=12)


def _arrow(ax, start, end):
    ax.annotate("", xy=end, xytext=start, arrowprops={"arrowstyle": "-|>", "color": "#555555", "lw": 1.3})


# ---------------------------------------------------------------- zeros, and the formula that predicts them


def zero_clock(measured, predicted, *, optimum):
    """Zeros of z by round, measured and predicted, for several numbers of chunks.

    measured   {number of chunks: zeros after rounds 1, 2 …}
    predicted  the same, as predicted
    optimum    the number of zeros of the minimiser
    """
    if measured.keys() != predicted.keys() or any(len(measured[K]) != len(predicted[K]) for K in measured):
        raise ValueError("measured and predicted must have the same chunks and as many rounds")
    fig, ax = new_figure(size=(8.2, 4.6))
    handles = []
    for k, (K, zeros) in enumerate(measured.items()):
        rounds, look = np.arange(1, len(zeros) + 1), {"color": nth(COLOURS, k)}
        [line] = ax.plot(rounds, predicted[K], marker="", ls=nth(DASHES, k), **look)
        [dots] = ax.plot(rounds, zeros, marker=nth(MARKERS, k), ls="", ms=9, mfc="none", mew=2, **look)
        handles.append((line, dots))
    best = ax.axhline(optimum, color="black", lw=1.2, ls=":", marker="")
    ax.set(xlabel="round", ylabel="zeros of z", ylim=(-3, None), xticks=rounds)
    labels = [f"K = {K}" for K in measured]
    fig.legend(
        [*handles, best], [*labels, f"the optimum: {optimum}"], loc="outside lower center", ncols=5, handlelength=3
    )
    off = max(np.abs(np.subtract(measured[K], predicted[K])).max() for K in measured)
    ax.set_title(f"Lines predict the counted zeros (marks) to within {off}")
    last = [f"{count_text(zeros[-1], 'zero')} with {K} chunks" for K, zeros in measured.items()]
    rounds = len(next(iter(measured.values())))
    finding = (
        f"After round {rounds} z has {list_text(last)}; predictions are off by at most {off}, and the "
        f"optimum has {optimum} zeros."
    )
    return Picture(fig, f"Numbers of zeros fall as rounds pass, marks on their predicted lines. {finding}", finding)


# ---------------------------------------------------------------- answers moving towards consensus


def votes(runs, optimum, *, axes, start=2):
    """The chunks' answers and their consensus z in the plane of two coefficients, round by round, with two sliders.

    runs     {name of a ρ: (B, Z)}, B (rounds, K, 2) the chunks' answers, Z (rounds, 2) the z of each round
    optimum  (2,) the minimiser
    axes     the names of the two coefficients
    start    the round at which the slider starts, which the static picture shows
    """
    runs = {name: (np.asarray(B, dtype=float), np.asarray(Z, dtype=float)) for name, (B, Z) in runs.items()}
    optimum = np.asarray(optimum, dtype=float)
    for name, (B, Z) in runs.items():
        if B.ndim != 3 or B.shape[2] != 2 or Z.shape != (len(B), 2) or len(B) != len(next(iter(runs.values()))[0]):
            raise ValueError(f"run {name!r}: B {B.shape} and Z {Z.shape} must be (rounds, K, 2) and (rounds, 2)")
    if not 1 <= start <= len(next(iter(runs.values()))[0]):
        raise ValueError(f"start={start}: the runs have rounds 1 to {len(next(iter(runs.values()))[0])}")
    window = _window(runs, optimum)
    ends = [
        f"{name}: {_apart(B[-1], Z[-1]):.0e}, {np.linalg.norm(Z[-1] - optimum):.0e}" for name, (B, Z) in runs.items()
    ]
    finding = (
        f"Distances after round {len(Z)}, of the farthest answer from z and of z from the optimum: {'; '.join(ends)}."
    )
    alt = (
        f"For each ρ a plane of two coefficients in round {start}: the chunks' answers as dots, their consensus z as a "
        f"square, the optimum as a cross, the path of z so far as a line. {finding}"
    )
    static = _votes_figure(runs, optimum, axes, start)
    return Picture(static, alt, finding, _votes_sliders(runs, optimum, axes, window, start))


def _apart(B, z):
    return np.linalg.norm(B - z, axis=1).max()


def _window(runs, optimum):
    """Limits of the axes: all answers, the optimum, and z from the second round on are inside."""
    return _around(np.vstack([optimum[None], *(np.vstack([B.reshape(-1, 2), Z[1:]]) for B, Z in runs.values())]))


def _around(points):
    """Limits of the axes with some room around these points."""
    low, high = points.min(axis=0), points.max(axis=0)
    edge = 0.08 * (high - low) + 1e-12
    return list(zip(low - edge, high + edge, strict=True))


def _votes_figure(runs, optimum, axes, shown):
    window = _around(np.vstack([optimum[None], *(np.vstack([B[shown - 1], Z[:shown]]) for B, Z in runs.values())]))
    fig, panels = new_figure(1, len(runs), size=(9.4, 4.4), sharey=True, squeeze=False)
    for ax, (name, (B, Z)) in zip(panels[0], runs.items(), strict=True):
        best = ax.plot(*optimum, color="black", marker="X", ms=11, ls="", mec="white", mew=0.8, zorder=4)
        way = ax.plot(*Z[:shown].T, color=COLOURS[1], marker="", ls="-", lw=1.5)
        z = ax.plot(*Z[shown - 1], color=COLOURS[1], marker="s", ms=15, ls="", mfc="none", mew=2.5)
        dots = ax.plot(*B[shown - 1].T, color=COLOURS[0], marker="o", ms=7, ls="", alpha=0.75)
        ax.set(xlim=window[0], ylim=window[1], xlabel=axes[0], title=name)
        ax.locator_params(nbins=4)
    panels[0][0].set_ylabel(axes[1])
    nearest = min(runs, key=lambda name: np.linalg.norm(runs[name][1][shown - 1] - optimum))
    title = f"After {count_text(shown, 'round')} {nearest} has brought z nearest to the optimum"
    fig.suptitle(title, x=0.01, ha="left", fontsize=13)
    handles, labels = [*dots, *z, *way, *best], ["chunks' answers", "z", "path of z", "the optimum"]
    fig.legend(handles, labels, loc="outside lower center", ncols=4)
    return fig


# Runs when a slider moves. answers (runs × rounds × K × 2), centres (runs × rounds × 2), texts and names are arguments;
# the other names are parts of the view.
MOVE_VOTES = """
const r = which.value, k = round.value;
dots.data = {x: answers[r][k].map((b) => b[0]), y: answers[r][k].map((b) => b[1])};
z.data = {x: [centres[r][k][0]], y: [centres[r][k][1]]};
way.data = {x: centres[r].slice(0, k + 1).map((c) => c[0]), y: centres[r].slice(0, k + 1).map((c) => c[1])};
words.text = texts[r][k];
"""


def _votes_sliders(runs, optimum, axes, window, start):
    from bokeh.layouts import column
    from bokeh.models import ColumnDataSource, CustomJS, Div

    rounds, first = len(next(iter(runs.values()))[0]), list(runs)[0]
    answers = [B.tolist() for B, _ in runs.values()]
    centres = [Z.tolist() for _, Z in runs.values()]
    texts = [[_vote_text(name, k, B, Z, optimum) for k in range(rounds)] for name, (B, Z) in runs.items()]
    k = start - 1
    dots = ColumnDataSource({"x": [b[0] for b in answers[0][k]], "y": [b[1] for b in answers[0][k]]})
    z = ColumnDataSource({"x": [centres[0][k][0]], "y": [centres[0][k][1]]})
    way = ColumnDataSource({"x": [c[0] for c in centres[0][:start]], "y": [c[1] for c in centres[0][:start]]})
    fig = bokeh_figure(
        x_range=tuple(window[0]), y_range=tuple(window[1]), tools="", x_axis_label=axes[0], y_axis_label=axes[1]
    )
    cross = {"marker": "x", "size": 15, "line_width": 4, "color": "black", "legend_label": "the optimum"}
    fig.scatter([optimum[0]], [optimum[1]], **cross)
    fig.line("x", "y", source=way, color=COLOURS[1], line_width=2, legend_label="path of z")
    square = {"marker": "square", "size": 19, "color": COLOURS[1], "fill_alpha": 0, "line_width": 3}
    fig.scatter("x", "y", source=z, legend_label="z", **square)
    look = {"size": 10, "fill_alpha": 0.75, "color": COLOURS[0], "legend_label": "answers"}
    fig.scatter("x", "y", source=dots, **look)
    _legend_below(fig, 2)
    words = Div(text=texts[0][k], sizing_mode="stretch_width")
    round_ = place_slider([str(number + 1) for number in range(rounds)], k, "Round")
    which = place_slider(list(runs), list(runs).index(first), "ρ")
    given = {"answers": answers, "centres": centres, "texts": texts}
    views = {"dots": dots, "z": z, "way": way, "words": words, "round": round_, "which": which}
    move = CustomJS(args={**given, **views}, code=MOVE_VOTES)
    for slider in (round_, which):
        slider.js_on_change("value", move)
    return column(round_, which, words, fig, sizing_mode="stretch_width", max_width=780)


def _vote_text(name, k, B, Z, optimum):
    return _status(
        f"Round <b>{k + 1}</b>, {name}: the farthest answer is <b>{_apart(B[k], Z[k]):.1e}</b> from z, and z is "
        f"<b>{np.linalg.norm(Z[k] - optimum):.1e}</b> from the optimum."
    )


def _status(text):
    return f'<p role="status" style="font-size:12pt;margin:0">{text}</p>'


def _legend_below(fig, ncols):
    fig.add_layout(fig.legend[0], "below")
    fig.legend.ncols, fig.legend.label_text_font_size, fig.legend.location = ncols, "11pt", "left"


# ---------------------------------------------------------------- rounds over ρ and relaxation


def rounds_map(rhos, alphas, rounds, *, cap, best, start=1.0):
    """The number of rounds for every pair of ρ and relaxation: a map, and a slider over its rows.

    rhos    (m,) increasing
    alphas  (a,) relaxations α, increasing
    rounds  (a, m) rounds until the goal was reached; `cap` where it was not
    cap     the number of rounds after which a run was ended
    best    the best ρ in theory
    start   the α at which the slider starts
    """
    rhos, alphas, rounds = (np.asarray(a, dtype=float) for a in (rhos, alphas, rounds))
    if rounds.shape != (len(alphas), len(rhos)):
        raise ValueError(f"rounds has shape {rounds.shape}; a row for each α and a column for each ρ is needed")
    a, m = np.unravel_index(rounds.argmin(), rounds.shape)
    at_one = int(np.abs(alphas - start).argmin())
    finding = (
        f"At α = {alphas[at_one]:g} the best ρ takes {_rounds(rounds[at_one].min(), cap)}. The best pair, α = "
        f"{alphas[a]:g} and ρ = {number_text(rhos[m])}, takes {_rounds(rounds[a, m], cap)}. In theory the best ρ is "
        f"{number_text(best)}."
    )
    alt = (
        "A map of rounds over ρ (logarithmic) and relaxation α, with a dot for each pair tried: a valley around one ρ, "
        "deepest at an α above 1. "
        f"{finding}"
    )
    static = _map_figure(rhos, alphas, rounds, cap, best)
    return Picture(static, alt, finding, _map_slider(rhos, alphas, rounds, cap, best, at_one))


def _rounds(count, cap):
    return f"more than {cap:g} rounds" if count >= cap else f"{count:g} rounds"


ROUND = [digit * ten for ten in (1, 10, 100, 1_000, 10_000) for digit in (1, 1.5, 2, 3, 5, 7)]  # levels of the map


def _map_figure(rhos, alphas, rounds, cap, best):
    fig, ax = new_figure(size=(8.2, 4.6))
    lowest = min(rounds.min(), cap / 2)
    levels = [lowest, *(level for level in ROUND if lowest < level < cap)]
    levels += [cap] * (len(levels) == 1)
    filled = ax.contourf(rhos, alphas, rounds, levels=levels, cmap="viridis_r", extend="max", norm=LogNorm(lowest, cap))
    lines = ax.contour(rhos, alphas, rounds, levels=levels[1:], colors="white", linewidths=0.8, linestyles="-")
    for level, place in _label_places(rhos, alphas, rounds, levels[1:]):
        ax.clabel(lines, [level], manual=[place], fmt="%g", fontsize=11)
    ax.axvline(best, color="black", ls="--", lw=2, marker="")
    note = {"fontsize": 12, "bbox": {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5}}
    offset = {"xytext": (7, 7), "textcoords": "offset points", "va": "bottom"}
    ax.annotate(f"√(μL) = {number_text(best)}", (best, alphas[0]), **offset, **note)
    tried = [axis.ravel() for axis in np.meshgrid(rhos, alphas)]
    ax.plot(*tried, marker="o", ms=3, color="white", mec=GREY, mew=0.5, ls="")
    a, m = np.unravel_index(rounds.argmin(), rounds.shape)
    ax.plot([rhos[m]], [alphas[a]], marker="*", ms=16, color="black", mfc="white", ls="")
    where = {"textcoords": "offset points", "va": "top" if a else "bottom"}
    ax.annotate(_rounds(rounds[a, m], cap), (rhos[m], alphas[a]), (14, -6 if a else 6), **where, **note)
    edge = 0.07 * (alphas[-1] - alphas[0])  # so that the star on the last row is whole
    ax.set(xscale="log", xlim=(rhos[0] / 1.1, 1.1 * rhos[-1]), ylim=(alphas[0] - edge, alphas[-1] + edge))
    ax.set_ylabel("relaxation α")
    ax.set_xlabel("ρ (a curvature: loss per squared coefficient)")
    ax.set_title(f"Of all pairs tried, α = {alphas[a]:g} and ρ = {number_text(rhos[m])} take the fewest rounds")
    ax.grid(False)
    bar = fig.colorbar(filled, ax=ax, ticks=levels, format="%g")
    bar.set_label(f"rounds, logarithmic (darkest: more than {levels[-1]:g})")
    return fig


def _label_places(rhos, alphas, rounds, levels):
    """(level, (ρ, α)) where the level lines left of the fewest rounds cross a height between two rows of dots."""
    a = max(int(rounds.min(axis=1).argmin()), 1)
    row, height = rounds[a - 1 : a + 1].mean(axis=0), alphas[a - 1 : a + 1].mean()
    left = slice(int(row.argmin()), None, -1)  # from the fewest rounds to the smallest ρ
    crossed = [level for level in levels if row[left][0] < level < row[left].max()]
    return [(level, (np.interp(level, row[left], rhos[left]), height)) for level in crossed]


# Runs when the slider moves. rounds (one list for each α) and texts are arguments, the other names parts of the view.
MOVE_MAP = """
const k = slider.value;
curve.data = {x: curve.data.x, y: rounds[k]};
words.text = texts[k];
"""


def _map_slider(rhos, alphas, rounds, cap, best, at):
    from bokeh.layouts import column
    from bokeh.models import ColumnDataSource, CustomJS, Div, Span

    fig = bokeh_figure(
        x_axis_type="log", y_axis_type="log", tools="", y_range=(0.8 * rounds.min(), 1.3 * cap), x_axis_label="ρ",
        y_axis_label="rounds to the goal",
    )  # fmt: skip
    for k in range(len(alphas)):
        fig.line(rhos, rounds[k], color=GREY, alpha=0.35, line_width=1)
    curve = ColumnDataSource({"x": rhos, "y": rounds[at]})
    fig.line("x", "y", source=curve, color=COLOURS[0], line_width=3)
    fig.scatter("x", "y", source=curve, marker=BOKEH_MARKERS[0], size=8, color=COLOURS[0])
    fig.add_layout(Span(location=best, dimension="height", line_dash="dashed", line_color="black"))
    texts = [_map_text(rhos, alpha, row, cap, best) for alpha, row in zip(alphas, rounds, strict=True)]
    words = Div(text=texts[at], sizing_mode="stretch_width")
    slider = place_slider([f"{alpha:.2f}" for alpha in alphas], at, "Relaxation α")
    parts = {"rounds": rounds.tolist(), "texts": texts, "curve": curve, "words": words, "slider": slider}
    slider.js_on_change("value", CustomJS(args=parts, code=MOVE_MAP))
    return column(slider, words, fig, sizing_mode="stretch_width", max_width=780)


def _map_text(rhos, alpha, row, cap, best):
    m = int(row.argmin())
    return _status(
        f"α = <b>{alpha:.2f}</b>: {_rounds(row[m], cap)} at ρ = <b>{number_text(rhos[m])}</b>; dashed, theory's "
        f"√(μL) = {number_text(best)}. Thin lines are the other α."
    )
