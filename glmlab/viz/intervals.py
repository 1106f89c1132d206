"""Coefficients with their confidence intervals."""

import numpy as np

from glmlab.words import count_text

from .picture import Picture
from .style import COLOURS, new_figure


def intervals(inference, *, per=None, most=15, effect=None, title=None):
    """A point and a line for each coefficient but the intercept: its estimate and its confidence interval.

    inference  what infer() returned
    per        (p,) a step of each column, such as its standard deviation: then effects of such steps are drawn, which
               can be compared although the columns have other units; by default steps of one unit
    most       how many coefficients: those whose interval is furthest from 0, in standard errors
    effect     what a point is, for its axis: by default "coefficient", or "effect of a step on η" with `per`
    title      of the figure: what it shows; by default how many intervals do not contain 0

    Raises ValueError where `per` has another length, TypeError for what is no Inference.
    """
    if not hasattr(inference, "statistics"):
        raise TypeError(f"intervals needs what infer returns, got {type(inference).__name__}: pass infer(result, X, y)")
    p = len(inference.result.beta)
    steps = np.ones(p) if per is None else np.asarray(per, dtype=float)
    if steps.shape != (p,):
        raise ValueError(f"per has shape {steps.shape}; give a step for each of {p} columns")
    order = np.argsort(-np.abs(inference.statistics[:p]), kind="stable")[:most]
    names = [str(inference.names[j]) for j in order]
    point, low, high = (values[order] * steps[order] for values in
                        (inference.coefficients, inference.low, inference.high))  # fmt: skip
    clear = low * high > 0
    percent = f"{100 * inference.level:g} %"
    count = f"{clear.sum()} of {count_text(len(order), 'interval')} of {percent} {'does' if clear.sum() == 1 else 'do'}"
    fig, ax = new_figure(size=(7.6, 1.9 + 0.34 * len(order)))
    ax.axvline(0, color="black", linewidth=1)
    looks = {"interval without 0": (clear, COLOURS[0], COLOURS[0]), "interval with 0": (~clear, COLOURS[1], "white")}
    for label, (which, colour, fill) in looks.items():
        rows = np.flatnonzero(which)
        if len(rows):
            ax.hlines(rows, low[rows], high[rows], color=colour)
            ax.plot(point[rows], rows, "o", color=colour, markerfacecolor=fill, linestyle="", label=label)
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    effect = effect or ("coefficient" if per is None else "effect of a step on η")
    ax.set(xlabel=f"{effect} with its interval of {percent}", title=title or f"{count} not contain 0; sorted by |t|")
    fig.legend(loc="outside lower center", ncols=2)
    first = ", ".join(f"{names[k]} {point[k]:.3g} ({min(low[k], high[k]):.3g} to {max(low[k], high[k]):.3g})"
                      for k in range(min(3, len(names))))  # fmt: skip
    alt = (
        f"A point and a line for {count_text(len(order), 'coefficient')}, the clearest first: estimates and intervals "
        f"of {percent} beside a line at 0."
    )
    return Picture(fig, alt, f"{count} not contain 0; the clearest: {first}. {_proved(inference)}")


def _proved(inference):
    """How exact the points are."""
    if not np.isfinite(inference.accuracy):
        return "How far they are from the optimum is not known."
    return f"No point is further than {inference.accuracy:.1g} standard errors from the optimum, proved."
