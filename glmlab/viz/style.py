"""The style of all pictures: colour-blind readers can tell the colours apart, and lines differ in more than colour."""

import matplotlib as mpl
import matplotlib.figure
from cycler import cycler

# The palette of Okabe and Ito without yellow, which is too pale for lines on white; black is last.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1, 1, 1)), (0, (1, 1)))
# Bokeh's names for the same markers and dashes, in the same order.
BOKEH_MARKERS = ("circle", "square", "triangle", "diamond", "inverted_triangle", "plus", "x")
BOKEH_DASHES = ("solid", "dashed", "dashdot", "dotted", [10, 2], [6, 2, 2, 2, 2, 2], [2, 2])
HATCHES = ("", "///", "...", "\\\\\\", "xx", "++", "oo")

SMALLEST_FONT = 11  # points on the page
WIDE, SMALL = (8.6, 4.2), (5.6, 3.8)  # inches

RC = {
    "font.family": ["DejaVu Sans"],  # part of matplotlib, so the same on every machine
    "font.size": 12,
    "axes.titlesize": 13,
    "axes.titlelocation": "left",
    "axes.labelsize": 12,
    "xtick.labelsize": SMALLEST_FONT,
    "ytick.labelsize": SMALLEST_FONT,
    "legend.fontsize": SMALLEST_FONT,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "lines.linewidth": 2,
    "lines.markersize": 6,
    "figure.constrained_layout.use": True,
    "figure.facecolor": "white",
    "figure.figsize": WIDE,
    "savefig.dpi": 144,
    "axes.prop_cycle": cycler(color=COLOURS) + cycler(marker=MARKERS) + cycler(linestyle=DASHES),
}


def use_style():
    """Set matplotlib's defaults to the course's style; importing ``glmlab.viz`` calls this once."""
    mpl.rcParams.update(RC)


def new_figure(nrows=1, ncols=1, *, size=WIDE, **subplots):
    """A figure and its axes in the course's style, outside pyplot: no need to close it, and it is not shown twice."""
    with mpl.rc_context(RC):
        fig = matplotlib.figure.Figure(figsize=size)
        return fig, fig.subplots(nrows, ncols, **subplots)


def nth(things, k):
    """Element k of a list of colours, markers, dashes or hatches, which starts again at its end."""
    return things[k % len(things)]
