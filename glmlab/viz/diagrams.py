"""Who computes, how sums over chunks are added, who asks whom in a run: named boxes, arrows that say what travels."""

from matplotlib.patches import FancyBboxPatch

from .picture import Picture
from .style import COLOURS, SMALLEST_FONT, new_figure

ARROW = {"arrowstyle": "-|>", "color": "#555555", "lw": 1.5, "shrinkA": 0, "shrinkB": 0}
WORKERS = (("$X_1, y_1$", "$X_2, y_2$"), ("$X_3, y_3$", "$X_4, y_4$"))  # the chunks that each worker holds


def who_computes():
    """Client, scheduler and two workers with their chunks, on a new cluster of the course; arrows say what travels."""
    fig, ax = new_figure(size=(8.6, 4.2))
    _box(ax, (2.1, 2.05), (4.5, 1.9), "", "#777777")
    _words(ax, (4.25, 1.34), "this notebook's process", "right")
    _box(ax, (0.85, 2.05), (1.7, 1.1), "client", COLOURS[2])
    _box(ax, (3.5, 2.05), (1.5, 1.1), "scheduler", COLOURS[1])
    _arrow(ax, (1.7, 2.2), (2.75, 2.2), "tasks, β")
    _arrow(ax, (2.75, 1.9), (1.7, 1.9))
    _words(ax, (2.0, 1.76), "done", "left")
    for k, chunks in enumerate(WORKERS):
        side = 1 - 2 * k  # worker 0 is above the scheduler, worker 1 below
        middle = 2.05 + side
        _box(ax, (7.15, middle), (2.5, 1.6), "", COLOURS[0])
        ax.text(7.15, middle + 0.5, f"worker {k}", ha="center", va="center", fontsize=12, fontweight="bold")
        for i, chunk in enumerate(chunks):
            _box(ax, (6.57 + 1.16 * i, middle - 0.22), (1.0, 0.6), chunk, "#777777")
        _arrow(ax, (4.25, 2.05 + 0.3 * side), (5.9, 2.05 + 1.1 * side))
        _arrow(ax, (5.9, 2.05 + 0.75 * side), (4.25, 2.05 + 0.08 * side))
        _words(ax, (5.1, 2.05 + 0.88 * side), "tasks, β", "right")
        _words(ax, (5.2, 2.05 + 0.26 * side), "done", "left")
        _arrow(ax, (5.9, 2.05 + 1.5 * side), (0.85, 2.05 + 0.55 * side))
        _words(ax, (3.6, 2.05 + 1.22 * side), "small results", "right")
    ax.annotate("", xy=(7.15, 1.85), xytext=(7.15, 2.25), arrowprops=ARROW | {"arrowstyle": "<|-|>"})
    _words(ax, (7.3, 2.05), "small results", "left")
    ax.set(xlim=(-0.2, 8.5), ylim=(0.1, 4.0), aspect="equal")
    ax.axis("off")
    title = "What should travel: tasks, β and small results. The rows should stay."
    fig.suptitle(title, x=0.02, ha="left", fontsize=13)
    alt = (
        "Client and scheduler are in this notebook's process. The client sends tasks and β to the scheduler, which "
        "sends them on to two workers. Worker 0 holds the chunks X₁, y₁ and X₂, y₂, worker 1 holds X₃, y₃ and X₄, y₄. "
        "Both tell the scheduler when they are done, and it tells the client. Both send small results to the client "
        "and to each other."
    )
    finding = "The label of an arrow says what travels along it. Where rows are kept, they are kept on the workers."
    return Picture(fig, alt, finding)


def reduction():
    """How the sums G = Σ X_kᵀX_k and c = Σ X_kᵀy_k are made: on each worker for its chunks; this process adds them."""
    fig, ax = new_figure(size=(8.6, 4.4))
    for w in range(2):
        middle = 2.1 + 4.4 * w
        _box(ax, (middle, 1.2), (4.2, 2.4), "", COLOURS[w])
        ax.text(middle, 0.2, f"worker {w}", ha="center", va="center", fontsize=12, fontweight="bold")
        for i in range(2):
            k, x = 2 * w + i + 1, middle + 2.04 * i - 1.02
            _box(ax, (x, 0.75), (1.5, 0.52), f"$X_{k},\\ y_{k}$", "#777777")
            _box(ax, (x, 1.85), (1.9, 0.62), f"$X_{k}^\\top X_{k},\\ X_{k}^\\top y_{k}$", "#777777")
            _arrow(ax, (x, 1.01), (x, 1.54))
            _arrow(ax, (x, 2.16), (4.3 + 0.6 * (k - 2.5), 3.19))
    _box(ax, (4.3, 3.5), (3.2, 0.62), "this process adds: $G,\\ c$", COLOURS[2])
    ax.set(xlim=(-0.1, 8.7), ylim=(-0.1, 3.9))
    ax.axis("off")
    fig.suptitle("Each chunk sends two small sums, whatever its length", x=0.02, ha="left", fontsize=13)
    alt = (
        "Two workers with two chunks X_k, y_k each. For each chunk its worker makes X_kᵀX_k and X_kᵀy_k. Arrows lead "
        "from these four pairs to this process, which adds them to G and c."
    )
    return Picture(fig, alt, "No row of X leaves its worker. This process adds the sums of all chunks to G and c.")


def solver_loop():
    """Who asks whom: `run` asks the solver for states, the solver asks f for passes, and f asks the chunks."""
    fig, ax = new_figure(size=(8.6, 3.9))
    _box(ax, (0.9, 1.9), (1.7, 1.7), "run:\nproves, stops,\ntimes", COLOURS[2])
    _box(ax, (4.0, 1.9), (1.9, 3.0), "", COLOURS[1])
    ax.text(4.0, 3.15, "your solver", ha="center", va="center", fontsize=12, fontweight="bold")
    for y, step in ((2.55, "evaluate"), (1.65, "yield"), (0.75, "update")):
        _box(ax, (4.0, y), (1.3, 0.52), step, "#777777")
    for high in (2.55, 1.65):
        _arrow(ax, (4.0, high - 0.26), (4.0, high - 0.64))
    ax.plot([4.65, 4.82, 4.82], [0.75, 0.75, 2.55], color=ARROW["color"], lw=ARROW["lw"], marker="", ls="-")
    _arrow(ax, (4.82, 2.55), (4.65, 2.55))
    _box(ax, (6.55, 1.9), (1.0, 1.7), "f", COLOURS[0])
    for k, y in enumerate((3.0, 1.9, 0.8)):
        _box(ax, (8.95, y), (1.3, 0.7), f"$X_{k + 1}, y_{k + 1}$", COLOURS[0])
        high = 1.9 + 0.5 * (1 - k)
        _arrow(ax, (7.05, high + 0.1), (8.3, y + 0.1))
        _arrow(ax, (8.3, y - 0.1), (7.05, high - 0.1))
    _words(ax, (7.0, 0.6), "β goes out,\nsums come back", "center")
    for left, right, asks, answers in ((1.75, 3.05, "next?", "State"), (4.95, 6.05, "β", "f(β), ∇f(β)")):
        _arrow(ax, (left, 2.3), (right, 2.3), asks)
        _arrow(ax, (right, 1.5), (left, 1.5))
        ax.text((left + right) / 2, 1.4, answers, ha="center", va="top", fontsize=SMALLEST_FONT)
    _words(ax, (8.95, 0.2), "here or on workers", "center")
    ax.set(xlim=(-0.1, 9.75), ylim=(0.0, 3.6))
    ax.axis("off")
    fig.suptitle("Your solver asks f and never sees a row, so the rows can be anywhere", x=0.02, ha="left", fontsize=13)
    alt = (
        "Four columns. Left, the function run, which proves, stops and times, asks your solver for the next state and "
        "gets one. Your solver goes round: evaluate, yield, update. It sends β to f and gets f(β) and its gradient. "
        "Only f reaches the chunks X₁, y₁ to X₃, y₃, which are here or on workers: it sends them β and gets sums."
    )
    finding = "A solver evaluates, yields and updates. Only f reaches the chunks; only run decides when to stop."
    return Picture(fig, alt, finding)


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
