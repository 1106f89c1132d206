"""Which rows pull on a fit: leverages, residuals and Cook's distances."""

import numpy as np

from glmlab.inference import influences
from glmlab.words import count_text

from .picture import Picture
from .style import COLOURS, MARKERS, SMALLEST_FONT, new_figure

LINES = (0.5, 1.0)  # Cook's distances that get a line


def leverages(inference, *, drawn=2000, seed=0, title=None):
    """A point for each of some rows: its leverage, and its residual in standard deviations.

    inference  what infer() returned
    drawn      how many rows are drawn from all, beside those that pull hardest in their chunk
    seed       of the drawing
    title      of the figure: what it shows; by default how many rows have a high leverage

    A leverage is high above twice the mean. Dashed curves join points of one Cook's distance: a row at that of 1 moves
    the coefficients by about a standard error each. It takes a pass, also on dask. Raises TypeError for what is no
    Inference, and ValueError for a loss that is no likelihood.
    """
    found = influences(inference, drawn=drawn, seed=seed)
    words = (f"{found.high:,} of {count_text(found.n, 'row')} {'has' if found.high == 1 else 'have'} a leverage above "
             f"twice the mean, {found.limit:.2g}")  # fmt: skip
    alt = (f"A point for each of {count_text(len(found.rows), 'row')}: Pearson's residual in standard deviations "
           "against the leverage, beside a line at twice the mean leverage and curves of equal Cook's distance. "
           f"{words}.")  # fmt: skip
    return Picture(_figure(found, inference.parameters, title or words), alt, f"{words}; {_furthest(found)}.")


def _figure(found, p, title):
    fig, ax = new_figure(size=(8.6, 4.8))
    high = found.leverage > found.limit
    for k, (label, which) in enumerate({"usual leverage": ~high, "high leverage": high}.items()):
        if which.any():
            ax.plot(found.leverage[which], found.residual[which], label=label, color=COLOURS[k], marker=MARKERS[k],
                    markersize=4, linestyle="", alpha=0.6)  # fmt: skip
    ax.axvline(found.limit, color="black", linewidth=1, linestyle=":", marker="", label="twice the mean leverage")
    ax.axhline(0, color="black", linewidth=0.8, marker="", linestyle="-")
    (left, right), (low, top) = ax.get_xlim(), ax.get_ylim()
    h = np.linspace(max(left, 1e-3 * right), min(right, 0.999), 400)
    for distance, colour in zip(LINES, ("#777777", "black"), strict=True):
        edge = np.sqrt(distance * p * (1 - h) / h)
        if edge.min() <= max(-low, top):
            for side, label in ((1, f"Cook's distance {distance:g}"), (-1, None)):
                ax.plot(h, side * edge, color=colour, linewidth=1, linestyle="--", marker="", label=label)
    ax.set(xlim=(left, right), ylim=(low, top), xlabel="leverage", ylabel="residual, in standard deviations",
           title=title)  # fmt: skip
    k = np.argmax(np.nan_to_num(found.distance))
    ax.annotate(f"row {found.rows[k]:,}", (found.leverage[k], found.residual[k]), xytext=(-6, 6), ha="right",
                textcoords="offset points", fontsize=SMALLEST_FONT)  # fmt: skip
    fig.legend(loc="outside lower center", ncols=3)
    return fig


def _furthest(found):
    """The row with the largest Cook's distance."""
    k = np.argmax(np.nan_to_num(found.distance))
    return (f"row {found.rows[k]:,} has the largest Cook's distance, {found.distance[k]:.2g}, with the leverage "
            f"{found.leverage[k]:.2g} and a residual of {found.residual[k]:.2g} standard deviations")  # fmt: skip
