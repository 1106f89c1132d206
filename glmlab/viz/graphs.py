"""Task graphs, drawn without Graphviz's ``dot`` program.

The wheel of pygraphviz has the layout library in it, which places the nodes; matplotlib draws them.
Circles are tasks and boxes are data, as in dask's own pictures. Each circle has a letter and a
colour, and the legend names the function: its name would not fit into a small circle. Boxes may have
names, such as X_k, y_k and β.
"""

import re
from collections import Counter
from string import ascii_letters

from dask._task_spec import DataNode, Task, convert_legacy_graph
from dask.base import collections_to_expr, unpack_collections
from dask.core import flatten, toposort
from dask.utils import key_split
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, FancyArrowPatch, Rectangle
from matplotlib.path import Path

from glmlab.words import count_text, list_text

from .picture import Picture
from .style import COLOURS, SMALL, SMALLEST_FONT, WIDE, new_figure, nth

INCH = 72  # points, Graphviz's unit
NODE, BOX = 0.3, 0.18  # inches: room for a letter or a name of 11 pt; a box without a name
FILLS = ("white", "#DDDDDD")
TALL = 11  # inches: a taller picture fits neither screen nor page


def task_graph(*collections, optimize_graph=False):
    """The graph of dask collections (or lists of them) as a dict from key to node.

    Raises TypeError where none of ``collections`` is a dask collection.
    """
    found, _ = unpack_collections(*collections)
    if not found:
        kinds = list_text(type(c).__name__ for c in collections) if collections else "nothing"
        raise TypeError(f"given {kinds}: a task graph belongs to dask arrays, dataframes or delayed values")
    written = dict(collections_to_expr(found, optimize_graph=optimize_graph).__dask_graph__())
    nodes = convert_legacy_graph(written)
    # Results that workers hold have no node here.
    held = {dep for node in nodes.values() for dep in node.dependencies} - nodes.keys()
    return {key: nodes.get(key) or DataNode(key, None) for key in [*written, *sorted(held - written.keys(), key=str)]}


def task_counts(*collections, optimize_graph=False):
    """The size of the graph that the scheduler would receive: ``{"tasks": …, "data": …}``.

    Tasks are function calls (the circles of the picture), data are results and inputs (the boxes).
    """
    nodes = task_graph(*collections, optimize_graph=optimize_graph)
    return {"tasks": sum(isinstance(node, Task) for node in nodes.values()), "data": len(nodes)}


def graph(*collections, optimize_graph=False, limit=400, names=None, tasks=None, title=None, across=False):
    """Draw the task graph of dask arrays, dataframes, delayed values or lists of them.

    optimize_graph  draw what is left after dask fuses tasks
    limit           graphs of more tasks are refused, because nobody could read them
    names           {name: a dask array or a list of delayed values}: their boxes are labelled name_1, name_2 …, a
                    single box name; {name: None} labels the inputs that have no other name: boxes to which no arrow
                    leads
    tasks           {name: a dask array or delayed value, or dask's name of some tasks}: the tasks that make it, or
                    these tasks, are called so in the legend
    title           what the picture shows, in a few words above it
    across          draw it from left to right, as a graph is drawn that is too tall for a page
    """
    nodes = task_graph(*collections, optimize_graph=optimize_graph)
    labels = _labels(nodes, names or {})
    counts = task_counts(*collections, optimize_graph=optimize_graph)
    if counts["tasks"] > limit:
        raise ValueError(
            f"a graph of {counts['tasks']:,} tasks cannot be read; draw one with fewer chunks, "
            f"count with task_counts(), or pass limit={counts['tasks']}"
        )
    kinds = _kinds(nodes, tasks or {})
    figure = _draw(_place(nodes, labels, across), kinds, labels, title)
    return Picture(figure, _alt(kinds, counts, labels), _finding(counts, optimize_graph))


def _labels(nodes, names):
    """{key: label} of the boxes that have a name."""
    labels = {}
    for name, owner in names.items():
        if owner is None:
            given = [key for key, node in nodes.items() if not isinstance(node, Task) and not node.dependencies]
            labels |= {key: name for key in given if key not in labels}
        else:
            keys = list(flatten([one.__dask_keys__() for one in (owner if isinstance(owner, list) else [owner])]))
            texts = [f"${name}_{{{k}}}$" for k in range(1, len(keys) + 1)] if len(keys) > 1 else [f"${name}$"]
            labels |= {key: text for key, text in zip(keys, texts, strict=True) if key in nodes}
    return labels


def _edges(nodes):
    """Pairs of (role, key): box → the task that reads it, task → the box of its result."""
    for key, node in nodes.items():
        reader = ("task", key) if isinstance(node, Task) else ("data", key)
        yield from ((("data", dep), reader) for dep in nodes if dep in node.dependencies)
        if isinstance(node, Task):
            yield reader, ("data", key)


def _natural(key):
    """Text and numbers of a key in turn: chunk 10 comes after chunk 2. The order of a set would change by the run."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"([0-9]+)", str(key))]


def _kinds(nodes, tasks):
    """{key: function name} of the tasks, each after what it reads."""
    words = {owner: name for name, owner in tasks.items() if isinstance(owner, str)}
    owners = {name: owner for name, owner in tasks.items() if not isinstance(owner, str)}
    called = {key: name for name, owner in owners.items() for key in flatten(owner.__dask_keys__())}
    reads = {key: sorted(node.dependencies, key=_natural) for key, node in nodes.items()}
    order = [key for key in toposort(nodes, dependencies=reads) if isinstance(nodes[key], Task)]
    return {key: called.get(key) or words.get(key_split(key), key_split(key)) for key in order}


def _by_chunks(nodes):
    """The nodes in the order of the chunks that they are made of, then of their names.

    The name of a task that is not a chunk has a token drawn from its content, so its order says nothing.
    """
    chunks, blocks = {}, Counter(key[0] for key in nodes if isinstance(key, tuple))
    for key in toposort(nodes, dependencies={key: node.dependencies for key, node in nodes.items()}):
        made_of = [chunks[dep] for dep in nodes[key].dependencies]
        own = [k for k in key[1:2] if isinstance(k, int) and blocks[key[0]] > 1]
        chunks[key] = sorted(set().union(*made_of)) if made_of else own
    for key in [key for key, found in chunks.items() if not found]:  # as β, which all read: it stands amid its readers
        readers = sorted(chunks[other] for other, node in nodes.items() if key in node.dependencies)
        chunks[key] = readers[len(readers) // 2] if readers else []
    return {key: nodes[key] for key in sorted(nodes, key=lambda key: (chunks[key], _natural(key)))}


def _place(nodes, labels, across):
    """Centres and edge curves in points: bottom to top where that fits a page, else left to right."""
    upright = _layout(nodes, labels, "BT")
    (width, height), *_ = upright
    fits = width <= WIDE[0] * INCH and height <= TALL * INCH
    return upright if fits and not across else _layout(nodes, labels, "LR")


def _layout(nodes, labels, direction):
    from pygraphviz import AGraph

    apart = "0.28" if direction == "BT" else "0.12"  # a page is narrower than it is tall
    plan = AGraph(directed=True, rankdir=direction, nodesep="0.06", ranksep=apart)
    if direction == "BT":
        plan.graph_attr["ordering"] = "in"  # what a task reads stands in the order of the chunks
    plan.node_attr.update(label="", fixedsize="true")
    names = {}
    nodes = _by_chunks(nodes)
    for node in [("data", key) for key in nodes] + [end for edge in _edges(nodes) for end in edge]:
        names.setdefault(node, str(len(names)))
    for (role, key), name in names.items():
        side = NODE if role == "task" or key in labels else BOX
        plan.add_node(name, width=side, height=side, shape="circle" if role == "task" else "box")
    plan.add_edges_from([(names[a], names[b]) for a, b in _edges(nodes)])
    plan.layout("dot")
    centres = {node: _point(plan.get_node(name).attr["pos"]) for node, name in names.items()}
    curves = [_curve(edge.attr["pos"]) for edge in plan.edges()]
    _, _, width, height = _point(plan.graph_attr["bb"])  # some curves are outside the nodes' bounding box
    return (width, height), centres, curves


def _point(text):
    """Numbers with commas between them."""
    return tuple(float(number) for number in text.split(","))


def _curve(text):
    """Graphviz's ``e,x,y p0 p1 …``: the points of a Bézier spline, then the arrow's tip."""
    tip, *points = text.removeprefix("e,").split()
    return [_point(point) for point in [*points, tip]]


def _draw(centred, kind_of, labels, title):
    (width, height), centres, curves = centred
    kinds = Counter(kind_of.values())
    style = {  # after the last colour they come again, on grey
        kind: (nth(COLOURS, k), nth(ascii_letters, k), nth(FILLS, k // len(COLOURS))) for k, kind in enumerate(kinds)
    }
    page = max(SMALL[0], min(WIDE[0], width / INCH))
    columns = _columns(kinds, page)
    rows = -(-len(kinds) // columns) + bool(title)
    scale = min(1, WIDE[0] * INCH / width)  # a graph that is wider than the page is drawn smaller
    fig, ax = new_figure(size=(page, scale * height / INCH + 0.27 * rows + 0.4))
    for points in curves:
        ax.add_patch(_arrow(points))
    for (role, key), centre in centres.items():
        _node(ax, role, centre, style.get(kind_of.get(key)), labels.get(key))
    ax.set(xlim=(-4, width + 4), ylim=(-4, height + 4), aspect="equal")
    ax.axis("off")
    if title:
        fig.suptitle(title, fontsize=13)
    if kinds:
        fig.legend(handles=_legend(kinds, style), loc="outside lower center", ncols=columns)
    return fig


def _columns(kinds, page):
    """Columns of the legend: as many as fit into `page` inches, if a letter takes 0.08 and a circle 0.9 of them."""
    widest = 0.9 + 0.08 * (max(map(len, kinds), default=0) + len(" × 10"))
    return max(1, min(3, int(page // widest)))


def _arrow(points):
    codes = [Path.MOVETO] + [Path.CURVE4] * (len(points) - 2) + [Path.LINETO]
    path = Path(points, codes)
    return FancyArrowPatch(path=path, arrowstyle="-|>", mutation_scale=7, color="#777777", lw=0.8)


def _node(ax, role, centre, look, label):
    if role == "data":
        side = INCH * (NODE if label else BOX)
        corner = (centre[0] - side / 2, centre[1] - side / 2)
        ax.add_patch(Rectangle(corner, side, side, facecolor="white", edgecolor="black", lw=1.2))
        if label:
            ax.text(*centre, label, ha="center", va="center_baseline", fontsize=SMALLEST_FONT, color="black")
        return
    colour, letter, fill = look
    ax.add_patch(Circle(centre, NODE * INCH / 2, facecolor=fill, edgecolor=colour, lw=2))
    ax.text(*centre, letter, ha="center", va="center_baseline", fontsize=SMALLEST_FONT, color="black")


def _legend(kinds, style):
    ring = {"ls": "", "marker": "o", "ms": 11, "mew": 2}
    return [
        Line2D([], [], color=colour, mfc=fill, label=f"{letter}:  {kind}  ({count_text(n, 'task')})", **ring)
        for (kind, n), (colour, letter, fill) in zip(kinds.items(), style.values(), strict=True)
    ]


def _alt(kind_of, counts, labels):
    kinds = [f"{count} {kind}" for kind, count in Counter(kind_of.values()).items()]
    named = f" The tasks: {list_text(map(_plain, kinds))}." if kinds else ""
    boxes = [_plain(label) for label in dict.fromkeys(labels.values())]
    named += f" Boxes with a name: {list_text(boxes)}." if boxes else ""
    return (
        f"Task graph with {count_text(counts['tasks'], 'task')} as circles and {counts['data']:,} "
        f"pieces of data as boxes; arrows run from what is read to what is made.{named}"
    )


def _plain(text):
    """The text without the marks of a formula."""
    return text.translate(str.maketrans("", "", "${}"))


def _finding(counts, optimize_graph):
    when = "after dask's optimisation" if optimize_graph else "as written"
    return f"{count_text(counts['tasks'], 'task')} and {counts['data']:,} pieces of data, {when}."
