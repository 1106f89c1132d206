"""The results of a race as tables in markdown and as figures."""

import math
import statistics
from collections import defaultdict

from glmlab.bench.targets import judged
from glmlab.viz.convergence import X_AXES
from glmlab.viz.interactive import bokeh_figure
from glmlab.viz.style import BOKEH_DASHES, BOKEH_MARKERS, COLOURS, DASHES, MARKERS, new_figure, nth

GAPS = (1e-3, 1e-6, 1e-9)
COLUMNS = {"wall": "wall s", "cpu": "CPU s", "passes": "passes", "rounds": "rounds", "gap": "gap to F*",
           "relative": "certified", "to_truth": "β to the truth", "memory": "peak bytes"}  # fmt: skip
FLOOR = 1e-16  # relative gap: smaller ones are rounding, and are drawn here


def markdown(rows):
    """Machine and versions, the targets, and a table for each problem."""
    return "\n\n".join([header(rows), targets_table(rows), *(problem_table(*pair) for pair in by(rows, "problem"))])


def known(runs, name):
    """The median over runs of the number with this name, None where no run has it."""
    values = [run[name] for run in runs if run.get(name) is not None]
    return statistics.median(values) if values else None


def answer(rows, problem, entry, setting):
    """An entry's results, medians over its repetitions; nan for what was not run, failed or is not known."""
    keys = {"seconds": "wall", "error": "to_truth", "certified gap": "relative"}
    good = [row for row in rows if (row["problem"], row["entry"], row["setting"]) == (problem, entry, setting)
            and "failed" not in row]  # fmt: skip
    found = {name: known(good, key) for name, key in keys.items()}
    return {name: math.nan if value is None else value for name, value in found.items()}


def written(value):
    return "" if value is None else f"{value:.3g}"


def header(rows):
    """A line on the machine and the versions, from the last row."""
    last = rows[-1]
    versions = ", ".join(f"{name} {number}" for name, number in last["versions"].items() if number != "not installed")
    return f"{last['processor']}, {last['cores']} cores, {last['when'][:10]}, scale {last['scale']}. {versions}."


def targets_table(rows):
    """A table of all targets: median and range of the ratios, met or missed."""
    return verdicts_table(judged(rows))


def verdicts_table(verdicts):
    """The same of these verdicts."""
    lines = ["| target | wanted | median | range | pairs | |", "|---|---|---|---|---|---|"]
    return "\n".join(lines + [target_line(verdict) for verdict in verdicts])


def tally(rows):
    """A sentence: how many targets are met, missed, and not judged because a run is missing or is not certified."""
    verdicts = judged(rows)
    met, unjudged = (sum(map(bool, found)) for found in ([v.met for v in verdicts], [v.why for v in verdicts]))
    missed = len(verdicts) - met - unjudged
    return f"{met} of {len(verdicts)} targets are met, {missed} missed, {unjudged} not judged for want of a run."


def target_line(verdict):
    says, ratios = verdict.target, verdict.ratios
    wanted = f"{says.sense} {says.limit:g} {says.value}"
    found = f"{verdict.median:.3g} | {min(ratios):.3g} – {max(ratios):.3g}" if ratios else "– | –"
    end = "met" if verdict.met else "not met" + (f" ({verdict.why})" if verdict.why else "")
    return f"| {says.says} | {wanted} | {found} | {len(ratios)} | {end} |"


def problem_table(name, rows):
    """A table of one problem: the seconds of each solver to each certified gap, medians over repetitions."""
    lines = [
        f"### {name}", "",
        "| " + " | ".join(["solver", "setting", *COLUMNS.values(), *(f"s to {gap:g}" for gap in GAPS)]) + " |",
        "|---" * (2 + len(COLUMNS) + len(GAPS)) + "|",
    ]  # fmt: skip
    for entry, runs in by(rows, "entry"):
        soonest = times_to(runs)
        for setting, repeated in by(runs, "setting"):
            lines.append(run_line(entry, setting, repeated, soonest))
            soonest = dict.fromkeys(GAPS)  # each note once
    return "\n".join(lines)


def run_line(entry, setting, runs, soonest):
    good = [run for run in runs if "failed" not in run]
    if not good:
        return f"| {entry} | {setting:g} | {runs[-1]['failed']} |" + " |" * (len(COLUMNS) + len(GAPS) - 1)
    numbers = [known(good, name) for name in COLUMNS]
    return f"| {entry} | {setting:g} | {' | '.join(map(written, [*numbers, *soonest.values()]))} |"


def times_to(runs):
    """For each gap the median seconds of the fastest setting with every answer certified to it, or None."""
    settings = [good for _, good in by([run for run in runs if "failed" not in run], "setting")]
    reached = {gap: [known(good, "wall") for good in settings if all((run["relative"] or 1) <= gap for run in good)]
               for gap in GAPS}  # fmt: skip
    return {gap: min(seconds, default=None) for gap, seconds in reached.items()}


def by(rows, name):
    """(value, its rows) in order of appearance."""
    groups = defaultdict(list)
    for row in rows:
        groups[row[name]].append(row)
    return groups.items()


# --- figures

def curves(rows, x):
    """{solver: points (x, gap to F*)} of one problem, one point for each tolerance, medians over repetitions."""
    name = "wall" if x == "seconds" else x
    found = {}
    for entry, runs in by([row for row in rows if "failed" not in row and row["entry"] != "X.sum()"], "entry"):
        points = [(known(good, name), known(good, "gap")) for _, good in by(runs, "setting")]
        if points := sorted((where, max(gap, FLOOR)) for where, gap in points if None not in (where, gap)):
            found[entry] = points
    return found


def figures(rows, folder):
    """Write figures of suboptimality by seconds and by passes for each problem, PNG and HTML; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    return [path for name, of_one in by(rows, "problem") for x in ("seconds", "passes")
            for path in drawn(name, curves(of_one, x), x, folder) if path]  # fmt: skip


def drawn(name, lines, x, folder):
    if not lines:
        return []
    stem = folder / f"{name.replace(' ', '-').replace(',', '')}-{x}"
    static(name, lines, x).savefig(f"{stem}.png")
    stem.with_suffix(".html").write_text(moving(name, lines, x))
    return [stem.with_suffix(".png"), stem.with_suffix(".html")]


def look(k, markers, dashes):
    """Colour, marker and dash of curve k. More solvers than colours get other combinations."""
    turn = k // len(COLOURS)
    return nth(COLOURS, k), nth(markers, k + turn), nth(dashes, k + turn)


def static(name, lines, x):
    """A static figure. Both axes are logarithmic, since seconds differ by a factor of a thousand."""
    fig, ax = new_figure(size=(8.6, 5.6))
    for k, points in enumerate(lines.values()):
        colour, marker, dash = look(k, MARKERS, DASHES)
        ax.plot(*zip(*points, strict=True), color=colour, marker=marker, linestyle=dash)
    ax.set(xscale="log", yscale="log", xlabel=X_AXES[x], ylabel="(F − F*) / S",
           title=f"{name}: suboptimality by {x}")  # fmt: skip
    fig.legend(ax.lines, list(lines), loc="outside lower center", ncols=3)
    return fig


def moving(name, lines, x):
    from bokeh.embed import file_html
    from bokeh.resources import INLINE

    fig = bokeh_figure(x_axis_type="log", y_axis_type="log", tools="pan,box_zoom,hover,reset", x_axis_label=X_AXES[x],
                       y_axis_label="(F − F*) / S", title=f"{name}: suboptimality by {x}")  # fmt: skip
    for k, (label, points) in enumerate(lines.items()):
        xs, ys = zip(*points, strict=True)
        colour, marker, dash = look(k, BOKEH_MARKERS, BOKEH_DASHES)
        named = {"color": colour, "legend_label": label, "name": label}
        fig.line(xs, ys, line_dash=dash, line_width=2, **named)
        fig.scatter(xs, ys, marker=marker, size=8, **named)
    fig.hover.tooltips = [("", "$name"), (x, "$x{0.[000]}"), ("gap", "$y{0.0e}")]
    fig.add_layout(fig.legend[0], "right")
    fig.legend.click_policy = "hide"
    return file_html(fig, INLINE, f"{name} by {x}")
