"""The coefficients of a logistic fit, as factors on the odds."""

import numpy as np
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

from .picture import Picture
from .style import COLOURS, HATCHES, new_figure


def odds(names, beta, *, of, most=10):
    """Bars of the coefficients with the largest effect on the odds: e^c for a coefficient c, 1 for no effect.

    names  one for each coefficient
    beta   (p,) coefficients of a logistic model
    of     the event that the odds are about, in words
    most   how many bars
    """
    beta = np.asarray(beta, dtype=float)
    if len(names) != len(beta):
        raise ValueError(f"{len(names)} names for {len(beta)} coefficients; give one each")
    largest = np.argsort(-np.abs(beta))[:most]
    labels, factors = [names[j].replace("_", " ") for j in largest], np.exp(beta[largest])
    fig, ax = new_figure(size=(7.6, 1.4 + 0.34 * len(largest)))
    for row, factor in enumerate(factors):
        side = int(factor < 1)
        ax.barh(row, factor - 1, left=1, color=COLOURS[side], hatch=HATCHES[side], edgecolor="white")
    ax.axvline(1, color="black", linewidth=1)
    ax.set_yticks(range(len(labels)), labels)
    ax.set(xscale="log", title=f"Largest effects on {of}", xlabel="factor on the odds")
    ax.set_ylim(len(labels) - 0.5, -0.5)
    ax.xaxis.set_major_locator(_locator(factors))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    words = ", ".join(f"{label} × {factor:.2f}" for label, factor in zip(labels[:3], factors[:3], strict=True))
    alt = f"Bars of factors on the odds of {of}, on a logarithmic scale around 1, the largest effects first."
    return Picture(fig, alt, f"The largest effects on the odds of {of}: {words}.")


def _locator(factors):
    """Ticks at round factors, few enough to read."""
    low, high = min(factors.min(), 0.9), max(factors.max(), 1.1)
    ticks = [0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10]
    return FixedLocator([tick for tick in ticks if low / 1.3 <= tick <= high * 1.3])
