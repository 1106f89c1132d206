"""The coefficients of a logistic fit, as factors on the odds."""

import numpy as np
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

from glmlab.words import count_text, list_text

from .picture import Picture
from .style import COLOURS, HATCHES, new_figure

WIDTH = 1.96  # standard errors to each side: 95 of 100 intervals contain the true coefficient


def odds(names, beta, errors, *, of, against, most=10):
    """Bars of the coefficients that are furthest from 0, as factors on the odds: e^c for a coefficient c.

    names   one for each coefficient
    beta    (p,) coefficients of a logistic model
    errors  (p,) their standard errors; a line on each bar is its interval of 95 %
    of      the event that the odds are about, in words
    against  what the factors compare with, in words
    most    how many bars
    """
    beta, errors = np.asarray(beta, dtype=float), np.asarray(errors, dtype=float)
    if not len(names) == len(beta) == len(errors):
        raise ValueError(f"{len(names)} names and {len(errors)} errors for {len(beta)} coefficients; give one each")
    largest = np.argsort(-np.abs(beta))[:most]
    labels, factors = [names[j].replace("_", " ") for j in largest], np.exp(beta[largest])
    low, high = (np.exp(beta[largest] + side * WIDTH * errors[largest]) for side in (-1, 1))
    fig, ax = new_figure(size=(8.6, 1.9 + 0.34 * len(largest)))
    for side, label in enumerate(("raises the odds", "lowers the odds")):
        rows = np.flatnonzero((factors < 1) == side)
        look = {"color": COLOURS[side], "hatch": HATCHES[side], "edgecolor": "white"}
        if len(rows):
            ax.barh(rows, factors[rows] - 1, left=1, label=label, **look)
    ax.hlines(range(len(largest)), low, high, color="black", linewidth=2, label="95 % interval")
    ax.axvline(1, color="black", linewidth=1)
    fig.legend(loc="outside lower center", ncols=3)
    ax.set_yticks(range(len(labels)), labels)
    shown = f"{len(labels)} of {count_text(len(beta), 'factor')}"
    ends = [f"{labels[j]} × {factors[j]:.2f}" for j in range(min(2, len(labels)))]
    title = f"{shown} on the odds of {of},\nthose furthest from 1: {list_text(ends)}"
    ax.set(xscale="log", title=title, xlabel=f"factor on the odds (logarithmic scale),\ncompared with {against}")
    ax.set_ylim(len(labels) - 0.5, -0.5)
    ax.xaxis.set_major_locator(_locator(low.min(), high.max()))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    three = zip(labels[:3], factors, low, high, strict=False)
    words = ", ".join(f"{label} × {factor:.2f} ({a:.2f} to {b:.2f})" for label, factor, a, b in three)
    alt = (
        f"Bars of {shown} on the odds of {of}, on a logarithmic scale around 1, those furthest from 1 first, with "
        f"intervals of 95 %; compared with {against}."
    )
    return Picture(fig, alt, f"The factors furthest from 1, of {len(beta)} on the odds of {of}: {words}.")


def _locator(low, high):
    """Ticks at round factors, few enough to read."""
    low, high = min(low, 0.9), max(high, 1.1)
    ticks = [0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10]
    return FixedLocator([tick for tick in ticks if low / 1.3 <= tick <= high * 1.3])
