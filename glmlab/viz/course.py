"""A map of the course on one page."""

from matplotlib.patches import FancyBboxPatch

from .picture import Picture
from .style import COLOURS, new_figure

# number, title, minutes with the exercises, the question that leads to it
COURSE = (
    ("00", "Start here", 20, "How does this course work?"),
    ("01", "Data creation", 75, "Where are the rows?"),
    ("02", "Naive solve", 60, "Can one pass do it?"),
    ("03", "Gradient descent", 90, "Can gradients do it?"),
    ("04", "Task graphs", 80, "What does a round cost?"),
    ("05", "ADMM", 135, "More work between rounds?"),
    ("06", "Certificates", 106, "Is it right?"),
    ("07", "Families, penalties", 120, "What else can it fit?"),
    ("08", "Benchmarks", 75, "Is it fast?"),
    ("09", "Cluster scaling", 60, "Does it scale?"),
    ("10", "Fewer rounds", 85, "Can rounds be saved?"),
    ("11", "Your own solver", 110, "What would you write?"),
)
COMPANIONS = {"06": ("06b", "More certificates", 61)}  # optional: nothing needs it; it stands on the card of 06
ACTS = ("Set up and solve", "Iterate and distribute", "Prove and compare", "Grow")
COLUMNS = 3  # notebooks in one row, which are one part of the course
WIDTH, HEIGHT, GAP_X, GAP_Y = 1.0, 0.78, 0.16, 0.36


def course_map():
    """The notebooks in reading order, each with the question that leads to it."""
    fig, ax = new_figure(size=(9.4, 6.9))
    for k, notebook in enumerate(COURSE):
        _card(ax, *_corner(k), notebook, COLOURS[k // COLUMNS])
    for k in range(len(COURSE) - 1):
        _step(ax, _corner(k), _corner(k + 1))
    for row, act in enumerate(ACTS):
        top = _corner(COLUMNS * row)[1] + HEIGHT
        ax.text(0, top + 0.06, act, fontsize=12, fontweight="bold", va="bottom")
    ax.set(xlim=(-0.1, 3 * WIDTH + 2 * GAP_X + 0.1), ylim=(_corner(len(COURSE) - 1)[1] - 0.08, HEIGHT + 0.3))
    ax.axis("off")
    title = f"{len(COURSE)} questions in reading order, {_hours()} with the exercises and 06b"
    fig.suptitle(title, x=0.03, ha="left", fontsize=13)
    fig.get_layout_engine().set(h_pad=0.1)  # inches above the title
    return Picture(fig, _alt(), _finding())


def _corner(k):
    row, column = divmod(k, COLUMNS)
    return column * (WIDTH + GAP_X), -row * (HEIGHT + GAP_Y)


def _card(ax, x, y, notebook, colour):
    number, title, minutes, question = notebook
    shape = FancyBboxPatch((x, y), WIDTH, HEIGHT, boxstyle="round,pad=0,rounding_size=0.06")
    shape.set(facecolor="white", edgecolor=colour, linewidth=2)
    ax.add_patch(shape)
    ax.text(x + 0.05, y + 0.57, f"{number}  {title}", fontsize=12, fontweight="bold", va="center")
    ax.text(x + 0.05, y + 0.35, question, fontsize=11, va="center")
    ax.text(x + 0.05, y + 0.14, _time(number, minutes), fontsize=11, va="center", color="#444444")


def _step(ax, here, there):
    """Draw an arrow to the next notebook: along the row, or from the end of a row to the start of the next."""
    line = {"color": "#555555", "lw": 1.5}
    if here[1] == there[1]:
        ends = (here[0] + WIDTH, here[1] + HEIGHT / 2), (there[0], there[1] + HEIGHT / 2)
    else:
        start, end, level = here[0] + WIDTH / 2, there[0] + WIDTH * 0.9, there[1] + HEIGHT + 0.26  # above the heading
        ax.plot([start, start, end], [here[1], level, level], marker="", linestyle="-", **line)
        ends = (end, level), (end, there[1] + HEIGHT)
    ax.annotate("", xy=ends[1], xytext=ends[0], arrowprops={"arrowstyle": "-|>", "shrinkA": 0} | line)


def _alt():
    cards = [f"{number} {title} ({_time(number, minutes)}): {question}" for number, title, minutes, question in COURSE]
    return f"Map of the course, {len(COURSE)} notebooks in reading order. {' '.join(cards)}"


def _finding():
    return f"{len(COURSE)} notebooks, {_hours()} with the exercises and 06b: solve, distribute, prove, scale."


def _time(number, minutes):
    extra = COMPANIONS.get(number)
    return f"{minutes} min" if extra is None else f"{minutes} min; optional {extra[0]}: {extra[2]} min"


def _hours():
    minutes = [minutes for _, _, minutes, *_ in COURSE] + [minutes for *_, minutes in COMPANIONS.values()]
    return f"about {sum(minutes) / 60:.0f} hours"
