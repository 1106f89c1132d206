"""Where the rows of an array are: its chunks, their bytes, and the workers that hold them."""

import math
from itertools import groupby

import dask.array as da
import numpy as np
from matplotlib.patches import Patch, Rectangle

from glmlab.words import bytes_text, count_text, list_text, range_text

from .interactive import bokeh_figure, place_slider
from .picture import Picture
from .style import COLOURS, HATCHES, new_figure, nth

LABELS = 10  # more lines of text than this do not fit beside the array
RECIPE = "held by no worker"


def chunks(X, *, client=None, name="X"):
    """Draw a dask array (n, p) cut into its chunks, coloured by the worker that holds each.

    client  the client whose workers are asked; by default the current one, if there is one
    Raises TypeError where X is no dask array, ValueError where chunk sizes are unknown.
    """
    _drawable(X, name)
    owners = _owners(X, client)
    fig, ax = new_figure(size=(7.4, 3.6))
    _draw_blocks(ax, X, owners)
    _draw_labels(ax, X, owners)
    _draw_frame(ax, X, name, owners)
    workers = sorted(set(owners.values()))
    if workers:
        handles = [Patch(label=worker, **_look(workers.index(worker))) for worker in workers]
        fig.legend(handles=handles, loc="outside lower center", ncols=4)
    return Picture(fig, _alt(X, name, workers), _finding(X, name, owners))


def bytes_by_worker(*collections, client=None):
    """Bytes of persisted collections on each worker: ``{worker: bytes}``, 0 for a worker that holds none.

    A chunk that is on two workers counts for both. Raises ValueError without a client.
    """
    client = client or _current_client()
    if client is None:
        raise ValueError("no client is open; bytes live on workers: client = glmlab.machine.cluster.client()")
    sizes, held = client.nbytes(summary=False), client.who_has(list(collections))
    amounts = dict.fromkeys(_worker_names(client).values(), 0)
    for key, addresses in held.items():
        for address in addresses:
            amounts[_worker_names(client).get(address, address)] += sizes.get(key, 0)
    return amounts


def bytes_per_worker(before, after=None, *, labels=("before", "after")):
    """Bars of bytes per worker, before and after (a rebalance, a rechunk, a persist).

    before, after  {worker: bytes}, as :func:`bytes_by_worker` returns them; workers are numbered
                   instead of named by their addresses
    """
    states = _named_workers([_amounts(state) for state in (before, after) if state is not None])
    workers = sorted(set().union(*states))
    fig, ax = new_figure(size=(7.2, 1.6 + 0.55 * max(2, len(workers))))
    unit, scale = _unit(max((b for state in states for b in state.values()), default=0))
    thick = 0.8 / len(states)
    for k, (state, label) in enumerate(zip(states, labels, strict=False)):
        heights = np.arange(len(workers)) + (k - (len(states) - 1) / 2) * thick
        widths = [state.get(worker, 0) / scale for worker in workers]
        ax.barh(heights, widths, thick * 0.92, label=label, **_look(k))
    ax.set_yticks(range(len(workers)), workers)
    fullest = [bytes_text(max(state.values(), default=0)) for state in states]
    told = ", ".join(f"{amount} {label}" for amount, label in zip(fullest, labels, strict=False))
    ax.set(xlabel=f"held by the worker ({unit})", title=f"The fullest worker: {told}")
    ax.set_ylim(len(workers) - 0.5, -0.5)
    ax.set_xlim(left=0)
    ax.grid(axis="y", visible=False)
    if len(states) > 1:
        fig.legend(loc="outside lower center", ncols=2)
    words = [f"{label}: {_shares(state)}" for state, label in zip(states, labels, strict=False)]
    return Picture(fig, f"Bars of bytes on each worker. {'; '.join(words)}.", _balance(states, labels))


def chunk_slider(n, p, *, budget, itemsize=8, chunk=None):
    """How many rows should a chunk have? A slider that works without a kernel, and a static picture.

    n, p      rows and columns of the array
    budget    bytes that one chunk may take
    itemsize  bytes of one number
    chunk     rows per chunk at which the slider starts; by default the most that fit the budget
    """
    for what, value in (("n", n), ("p", p), ("budget", budget), ("itemsize", itemsize)):
        _positive(what, value)
    sizes = _round_sizes(n)
    row = p * itemsize
    fitting = max((size for size in sizes if size * row <= budget), default=sizes[0])
    start = min(sizes, key=lambda size: abs(math.log(size / (chunk or fitting))))
    finding = _slider_sentence(n, row, budget, fitting)
    title = _budget_title(n, row, budget, sizes)
    alt = (
        f"Bytes per chunk against rows per chunk for {n:,} rows of {p} numbers, a rising line on two "
        f"logarithmic axes, and the budget of {bytes_text(budget)} as a level line. {title}."
    )
    return Picture(_budget_curve(row, budget, sizes, title), alt, finding, _slider(n, row, budget, sizes, start))


def _drawable(X, name):
    if not isinstance(X, da.Array):
        raise TypeError(
            f"chunks() draws a dask array, given {type(X).__name__}; numpy arrays become one with "
            f"dask.array.from_array({name}, chunks=(rows, columns))"
        )
    if X.ndim not in (1, 2):
        raise ValueError(f"chunks() draws arrays of 1 or 2 dimensions, given shape {X.shape}")
    if any(math.isnan(size) for side in X.chunks for size in side):
        raise ValueError(f"the chunk sizes of {name} are unknown; {name}.compute_chunk_sizes() finds them")
    if not X.size:
        raise ValueError(f"{name} of shape {X.shape} has no rows or columns to draw")


def _current_client():
    from distributed import get_client

    try:
        return get_client()
    except ValueError:  # no client: nothing is persisted on a cluster
        return None


def _worker_names(client):
    """``{address: "worker 0", …}`` in the order of the addresses."""
    return {address: f"worker {k}" for k, address in enumerate(sorted(client.has_what()))}


def _owners(X, client):
    """``{block index: worker name}`` for the blocks that some worker holds."""
    client = client or _current_client()
    if client is None:
        return {}
    names, held = _worker_names(client), client.who_has(X)
    return {key[1:]: names[held[key][0]] for key in _keys(X) if held.get(key)}


def _keys(X):
    return ((X.name, *index) for index in np.ndindex(X.numblocks))


def _look(k):
    return {"facecolor": nth(COLOURS, k), "hatch": nth(HATCHES, k), "edgecolor": "white", "lw": 1.5}


def _rows_and_columns(X):
    return X.chunks[0], X.chunks[1] if X.ndim == 2 else (1,)


def _draw_blocks(ax, X, owners):
    """Draw the blocks in proportion: the array is scaled to the unit square, its first row is on top."""
    rows, columns = _rows_and_columns(X)
    tops, lefts = np.cumsum([0, *rows]) / sum(rows), np.cumsum([0, *columns]) / sum(columns)
    workers = sorted(set(owners.values()))
    for i, j in np.ndindex(len(rows), len(columns)):
        owner = owners.get((i, j)[: X.ndim])
        look = _look(workers.index(owner)) if owner else {"facecolor": "#EEEEEE", "edgecolor": "#777777"}
        look["lw"] = min(1.5, 60 / (len(rows) + len(columns)))
        corner = (lefts[j], tops[i])
        ax.add_patch(Rectangle(corner, lefts[j + 1] - lefts[j], tops[i + 1] - tops[i], **look))


def _draw_labels(ax, X, owners):
    """Draw a line of text for each run of equal chunks, evenly spaced and joined to its chunks, which may be thin."""
    rows, _ = _rows_and_columns(X)
    edges, runs = np.cumsum([0, *rows]) / sum(rows), _runs(X, owners)
    shown = _shown(len(runs))
    places = (np.arange(len(shown)) + 0.5) / len(shown)
    for k, place in zip(shown, places, strict=True):
        if k is None:
            hidden = sum(last - first + 1 for j, (first, last, _) in enumerate(runs) if j not in shown)
            ax.text(1.14, place, f"… {count_text(hidden, 'more chunk')} …", va="center", fontsize=11)
            continue
        first, last, words = runs[k]
        top, bottom = edges[first], edges[last + 1]
        line = {"color": "#777777", "linewidth": 0.8, "marker": "", "linestyle": "-"}
        inside = min(0.01, (bottom - top) / 4)  # so that the brackets of two runs do not touch
        ax.plot([1.03, 1.03], [top + inside, bottom - inside], **line)
        ax.plot([1.03, 1.07, 1.12], [(top + bottom) / 2, (top + bottom) / 2, place], **line)
        ax.text(1.14, place, words, va="center", fontsize=11)


def _shown(count):
    """Indices of the runs to label; None stands for those that are left out."""
    if count <= LABELS:
        return list(range(count))
    half = LABELS // 2
    return [*range(half), None, *range(count - LABELS + half + 1, count)]


def _runs(X, owners):
    """[(first, last, words)] of neighbouring row chunks of equal length on the same workers."""
    rows, columns = _rows_and_columns(X)
    homes = [sorted({home for index, home in owners.items() if index[0] == k}) for k in range(len(rows))]
    runs = []
    for (length, home), group in groupby(range(len(rows)), key=lambda k: (rows[k], homes[k])):
        first, *others = group
        last = others[-1] if others else first
        numbers, each = (f"chunks {first + 1}–{last + 1}", " each") if others else (f"chunk {first + 1}", "")
        size = bytes_text(length * sum(columns) * X.dtype.itemsize)
        held = f", {list_text(home)}" if home else ""
        runs.append((first, last, f"{numbers}: {count_text(length, 'row')}, {size}{each}{held}"))
    return runs


def _draw_frame(ax, X, name, owners):
    loads, parts = _loads(X, owners).values(), count_text(len(X.chunks[0]), "row chunk")
    title = f"No worker holds any of the {parts} of {name}"
    if loads:
        title = f"The {parts} of {name} lie on {count_text(len(loads), 'worker')}, {range_text(loads, bytes_text)}"
        title += " on each" * (len(loads) > 1)
    ax.set(xlim=(-0.02, 2.6), ylim=(1.02, -0.02), xticks=[], yticks=[], title=title)
    ax.grid(False)
    ax.spines[:].set_visible(False)


def _cut(X):
    rows, columns = _rows_and_columns(X)
    words = f"{count_text(len(rows), 'row chunk')} of {range_text(rows, '{:,}'.format)} rows"
    return words if len(columns) == 1 else f"{words}, each cut into {len(columns)} by columns"


def _alt(X, name, workers):
    homes = f"coloured by worker ({list_text(workers)})" if workers else f"in grey: {RECIPE}"
    return f"The array {name} of shape {X.shape} as a rectangle cut into {_cut(X)}, {homes}."


def _finding(X, name, owners):
    sizes = [block * X.dtype.itemsize for block in _block_elements(X)]
    words = f"{name}: {_cut(X)}, {range_text(sizes, bytes_text)} a chunk, {bytes_text(X.nbytes)} in all"
    if not owners:
        return f"{words}; {RECIPE}."
    return f"{words}; {_shares(_loads(X, owners))}."


def _loads(X, owners):
    """``{worker: bytes of X}`` for the workers that hold some."""
    loads = dict.fromkeys(sorted(set(owners.values())), 0)
    for index, elements in zip(np.ndindex(X.numblocks), _block_elements(X), strict=True):
        if index in owners:
            loads[owners[index]] += elements * X.dtype.itemsize
    return loads


def _block_elements(X):
    return [math.prod(X.chunks[d][i] for d, i in enumerate(index)) for index in np.ndindex(X.numblocks)]


def _amounts(state):
    if not isinstance(state, dict):
        raise TypeError(f"bytes per worker come as {{worker: bytes}}, given {type(state).__name__}")
    return state


def _named_workers(states):
    """The states with worker 0, worker 1 … for addresses, which are long and change with every cluster."""
    addresses = sorted(worker for worker in set().union(*states) if "://" in worker)
    names = {address: f"worker {k}" for k, address in enumerate(addresses)}
    return [{names.get(worker, worker): size for worker, size in state.items()} for state in states]


def _unit(most):
    """A suitable unit for ``most`` bytes, and its size in bytes."""
    unit = bytes_text(most).split()[1]
    return unit, {"bytes": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "PB": 1e15}[unit]


def _shares(state):
    return ", ".join(f"{worker} {bytes_text(size)}" for worker, size in state.items())


def _balance(states, labels):
    """Compare the fullest worker with the emptiest: a rebalance should make them equal."""
    words = [
        f"{label} the fullest worker holds {bytes_text(max(state.values(), default=0))} and the emptiest "
        f"{bytes_text(min(state.values(), default=0))}"
        for state, label in zip(states, labels, strict=False)
    ]
    return f"{'; '.join(words)}.".capitalize() if len(states) == 1 else f"{'; '.join(words)}."


def _positive(what, value):
    if not isinstance(value, (int, float, np.number)) or not 0 < value < math.inf:
        raise ValueError(f"{what}={value!r}: a positive number is needed")


def _round_sizes(n):
    """Round chunk sizes: 1, 2, 5, 10, 20 …, and n itself."""
    sizes = [digit * 10**power for power in range(len(str(int(n)))) for digit in (1, 2, 5)]
    return [size for size in sizes if size < n] + [int(n)]


def _slider_sentence(n, row, budget, rows):
    pieces = math.ceil(n / rows)
    if row > budget:
        return f"One row takes {bytes_text(row)}: no chunk fits {bytes_text(budget)}."
    return (
        f"Of the sizes 1, 2, 5, 10, 20 …, {count_text(rows, 'row')} is the most that fits {bytes_text(budget)}: "
        f"{count_text(pieces, 'chunk')} of {bytes_text(rows * row)}."
    )


def _budget_title(n, row, budget, sizes):
    """The two round sizes between which the budget lies, and how many chunks each gives: no exercise is solved here."""
    limit = f"fit the budget of {bytes_text(budget)}"
    fit, miss = ([size for size in sizes if (size * row <= budget) == fits] for fits in (True, False))
    told = [(size, limit) for size in fit[-1:]] + [(size, "do not" if fit else f"do not {limit}") for size in miss[:1]]
    pieces = {size: count_text(math.ceil(n / size), "chunk") for size, _ in told}
    return ";\n".join(f"{count_text(size, 'row')} a chunk {words} ({pieces[size]})" for size, words in told)


def _budget_curve(row, budget, sizes, title):
    fig, ax = new_figure(size=(7.2, 3.8))
    ax.loglog(sizes, [size * row / 1e6 for size in sizes], label="one chunk")
    ax.axhline(budget / 1e6, color=COLOURS[1], ls="--", marker="", label=f"budget {bytes_text(budget)}")
    ax.set(xlabel="rows per chunk", ylabel="one chunk (MB)", title=title)
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.yaxis.set_major_formatter("{x:,g}")
    ax.legend()
    return fig


# Runs when the slider moves. n, row (bytes), budget, sizes, bars and words are arguments.
MOVE = """
const rows = sizes[slider.value];
const count = Math.ceil(n / rows), drawn = Math.min(count, 200);
const say = (bytes) => {
  const units = ["bytes", "kB", "MB", "GB", "TB", "PB"];
  let k = 0;
  while (bytes >= 999.5 && k < units.length - 1) { bytes /= 1000; k += 1; }
  return Number(bytes.toPrecision(3)) + " " + units[k];
};
const fits = rows * row <= budget;
const top = [], bottom = [], color = [];
for (let k = 0; k < drawn; k++) {
  top.push(count > drawn ? k / drawn : Math.min(1, k * rows / n));
  bottom.push(count > drawn ? (k + 1) / drawn : Math.min(1, (k + 1) * rows / n));
  color.push(fits ? good : bad);
}
bars.data = {top, bottom, color};
words.text = '<p role="status" style="font-size:12pt;margin:0">' + rows.toLocaleString("en")
  + " rows a chunk: <b>" + count.toLocaleString("en") + (count == 1 ? " chunk" : " chunks")
  + "</b> of <b>" + say(Math.min(rows, n) * row) + "</b>, which "
  + (fits ? "<b>fits</b>" : "<b>does not fit</b>") + " the budget of " + say(budget) + "."
  + (count > drawn ? " (200 are drawn.)" : "") + "</p>";
"""


def _slider(n, row, budget, sizes, start):
    """The same picture with a Bokeh slider (arrow keys move it). It needs JavaScript only."""
    from bokeh.layouts import column
    from bokeh.models import ColumnDataSource, CustomJS, Div

    bars = ColumnDataSource({"top": [], "bottom": [], "color": []})
    title = "The array, cut into row chunks"
    fig = bokeh_figure(x_range=(0, 1), y_range=(1.02, -0.02), tools="", title=title)
    fig.quad(0, 1, "top", "bottom", source=bars, fill_color="color", line_color="white", fill_alpha=0.8)
    fig.xaxis.visible = fig.grid.visible = False
    fig.yaxis.axis_label, fig.height = "share of the rows", 260
    words = Div(text="", sizing_mode="stretch_width")
    slider = place_slider([f"{size:,}" for size in sizes], sizes.index(start), "Rows per chunk")
    look = {"good": COLOURS[0], "bad": COLOURS[1]}
    data = {"n": n, "row": row, "budget": budget, "sizes": sizes, "bars": bars, "words": words}
    move = CustomJS(args={**data, **look, "slider": slider}, code=MOVE)
    slider.js_on_change("value", move)
    fig.js_on_change("inner_width", move)  # the width is known once the page is laid out: draw then
    return column(slider, words, fig, sizing_mode="stretch_width", max_width=780)
