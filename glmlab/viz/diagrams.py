"""Who computes, and how sums over chunks are added: boxes with names, and arrows that say what travels."""

from matplotlib.patches import FancyBboxPatch

from glmlab.policy import Chunking

from .picture import Picture
from .style import COLOURS, SMALLEST_FONT, new_figure, nth
from .words import count_text

ARROW = {"arrowstyle": "-|>", "color": "#555555", "lw": 1.5, "shrinkA": 0, "shrinkB": 0}
WORKERS = (("$X_1, y_1$", "$X_2, y_2$"), ("$X_3, y_3$", "$X_4, y_4$"))  # the chunks that each worker holds


def who_computes():
    """Client, scheduler and two workers with their chunks, on a new cluster of the course; arrows say what travels."""
    fig, ax = new_figure(size=(8.6, 4.2))
    _box(ax, (0.85, 2.05), (1.7, 1.1), "client\n(this notebook)", COLOURS[2])
    _box(ax, (3.5, 2.05), (1.5, 1.1), "scheduler", COLOURS[1])
    _arrow(ax, (1.7, 2.05), (2.75, 2.05), "tasks, β")
    for k, chunks in enumerate(WORKERS):
        side = 1 - 2 * k  # worker 0 is above the scheduler, worker 1 below
        middle = 2.05 + side
        _box(ax, (7.15, middle), (2.5, 1.6), "", COLOURS[0])
        ax.text(7.15, middle + 0.5, f"worker {k}", ha="center", va="center", fontsize=12, fontweight="bold")
        for i, chunk in enumerate(chunks):
            _box(ax, (6.57 + 1.16 * i, middle - 0.22), (1.0, 0.6), chunk, "#777777")
        _arrow(ax, (4.25, 2.05 + 0.3 * side), (5.9, 2.05 + 1.1 * side))
        _arrow(ax, (5.9, 2.05 + 0.75 * side), (4.25, 2.05 + 0.08 * side))
        _words(ax, (4.95, 2.05 + 0.82 * side), "tasks, β", "right")
        _words(ax, (5.2, 2.05 + 0.26 * side), "done", "left")
        _arrow(ax, (5.9, 2.05 + 1.5 * side), (0.85, 2.05 + 0.55 * side))
        _words(ax, (3.0, 2.05 + 1.25 * side), "small results", "right")
    ax.annotate("", xy=(7.15, 1.85), xytext=(7.15, 2.25), arrowprops=ARROW | {"arrowstyle": "<|-|>"})
    _words(ax, (7.3, 2.05), "small results", "left")
    ax.set(xlim=(-0.1, 8.5), ylim=(0.1, 4.0), aspect="equal")
    ax.axis("off")
    title = "What should travel: tasks, β and small results. The rows should stay."
    fig.suptitle(title, x=0.02, ha="left", fontsize=13)
    alt = (
        "Four boxes. The client, which is this notebook, sends tasks and β to the scheduler. The scheduler sends them "
        "on to worker 0, which holds the chunks X₁, y₁ and X₂, y₂, and to worker 1, which holds X₃, y₃ and X₄, y₄. "
        "Both tell the scheduler when they are done, and send small results to the client and to each other."
    )
    finding = (
        "What travels stands at the arrows. Where rows are kept, they are kept on the workers. Up to "
        f"{Chunking().narrow} coefficients the client adds the last sums of a pass, beyond that a worker does."
    )
    return Picture(fig, alt, finding)


def reduction(n_chunks=4):
    """How the sums G = Σ X_kᵀX_k and c = Σ X_kᵀy_k are added in a tree, two at a time; n_chunks is a power of two."""
    if n_chunks < 2 or n_chunks & (n_chunks - 1):
        raise ValueError(f"n_chunks={n_chunks}: a tree of pairs needs 2, 4, 8 … chunks")
    fig, ax = new_figure(size=(8.6, 4.6))
    row = [2.1 * (k + 0.5) for k in range(n_chunks)]
    levels = n_chunks.bit_length() + 1
    for k, x in enumerate(row):
        _box(ax, (x, 0), (1.7, 0.62), f"$X_{k + 1},\\ y_{k + 1}$", nth(COLOURS, k * 2 // n_chunks))
        _box(ax, (x, 1.2), (1.9, 0.62), f"$X_{k + 1}^\\top X_{k + 1},\\ X_{k + 1}^\\top y_{k + 1}$", "#777777")
        _arrow(ax, (x, 0.31), (x, 0.89))
    for level in range(2, levels):
        above = [(a + b) / 2 for a, b in zip(row[::2], row[1::2], strict=True)]
        for k, x in enumerate(row):
            side = 0.4 if x > above[k // 2] else -0.4
            _arrow(ax, (x, 1.2 * (level - 1) + 0.31), (above[k // 2] + side, 1.2 * level - 0.31))
        for x in above:
            _box(ax, (x, 1.2 * level), (1.1, 0.62), "add" if len(above) > 1 else "$G,\\ c$", COLOURS[2])
        row = above
    ax.set(xlim=(-0.1, 2.1 * n_chunks + 0.1), ylim=(-0.45, 1.2 * (levels - 1) + 0.45))
    ax.axis("off")
    fig.suptitle("Each chunk sends two small sums, and no row travels", x=0.02, ha="left", fontsize=13)
    alt = (
        f"A tree. Below are {n_chunks} chunks X_k, y_k; the first half is on one worker, the second on another. Each "
        "chunk makes X_kᵀX_k and X_kᵀy_k, and these are added two at a time until G and c are left."
    )
    return Picture(fig, alt, f"{count_text(n_chunks, 'chunk')} give one G and one c; no row has to travel.")


def _box(ax, centre, size, text, colour):
    (x, y), (width, height) = centre, size
    corner = x - width / 2, y - height / 2
    frame = FancyBboxPatch(corner, width, height, boxstyle="round,pad=0,rounding_size=0.06")
    frame.set(facecolor="white", edgecolor=colour, linewidth=2)
    ax.add_patch(frame)
    ax.text(x, y, text, ha="center", va="center", fontsize=SMALLEST_FONT)


def _arrow(ax, here, there, words=""):
    ax.annotate("", xy=there, xytext=here, arrowprops=ARROW)
    middle = (here[0] + there[0]) / 2, (here[1] + there[1]) / 2
    ax.text(middle[0], middle[1] + 0.08, words, ha="center", va="bottom", fontsize=SMALLEST_FONT)


def _words(ax, place, words, side):
    ax.text(*place, words, ha=side, va="center", fontsize=SMALLEST_FONT)
