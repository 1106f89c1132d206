"""Where the means of a model are wrong: bins of rows, their observed means and their deviance residuals."""

import numpy as np

from glmlab.inference import Bins
from glmlab.words import count_text

from .picture import Picture
from .style import COLOURS, MARKERS, new_figure

FAR = 3  # standard deviations of a bin's score: hardly any bin is further away where the model is right
SIDES = 2  # standard errors to each side of a mean residual


def calibration(bins, *, of="mean of y", title=None):
    """Two panels on bins of rows: the observed mean against the predicted one, and the mean deviance residual.

    bins    what glmlab.calibration() returned
    of      what the mean of y is, in words with its unit, such as "share of late flights"
    title   of the figure: what it shows; by default how many bins are further than 3 standard deviations from their
            prediction (|z| > 3)

    Where the model is right, points lie on the line of the first panel, and the bars of the second panel, two standard
    errors to each side, reach its dashed line. That line is not 0: the residuals of labels, counts and amounts have
    another mean. It is left out where the distribution of y is not known. Raises TypeError for what is no such table.
    """
    if not isinstance(bins, Bins):
        raise TypeError(f"calibration draws what glmlab.calibration(inference) returns; got {type(bins).__name__}")
    far = np.abs(bins.z) > FAR
    words = (f"{far.sum()} of {count_text(len(far), 'bin')} {'is' if far.sum() == 1 else 'are'} further than {FAR} "
             "standard deviations from the prediction")  # fmt: skip
    alt = (f"Two panels with a point for each of {count_text(len(far), 'bin')} of rows. First, the observed against "
           f"the predicted {of}, beside a line where both are equal. Second, the mean deviance residual against the "
           f"predicted {of}, with bars of {SIDES} standard errors to each side.")  # fmt: skip
    return Picture(_figure(bins, far, of, title or words), alt, f"{words}; {_furthest(bins)}.")


def _figure(bins, far, of, title):
    fig, (left, right) = new_figure(1, 2, size=(9.4, 4.6))
    means = np.concatenate([bins.predicted, bins.observed])
    ends = [means.min(), means.max()]
    left.plot(ends, ends, color="black", linewidth=1, linestyle="-", marker="", label="observed = predicted")
    if np.isfinite(bins.expected).any():
        look = {"color": "black", "linewidth": 1, "linestyle": "--", "marker": ""}
        right.plot(bins.predicted, bins.expected, label="mean residual that the family expects", **look)
    for k, (label, which) in enumerate({f"|z| ≤ {FAR}": ~far, f"|z| > {FAR}": far}.items()):
        if which.any():
            look = {"color": COLOURS[k], "marker": MARKERS[k], "linestyle": "", "zorder": 3}
            left.plot(bins.predicted[which], bins.observed[which], label=f"bin with {label}", **look)
            right.errorbar(bins.predicted[which], bins.residual[which], SIDES * bins.error[which], capsize=3, **look)
    left.set(xlabel=f"predicted {of}", ylabel=f"observed {of}")
    right.set(xlabel=f"predicted {of}", ylabel="mean deviance residual")
    fig.suptitle(title, x=0.01, ha="left", fontsize=13)
    fig.legend(loc="outside lower center", ncols=2)
    return fig


def _furthest(bins):
    """The bin that is furthest from its prediction."""
    k = np.argmax(np.nan_to_num(np.abs(bins.z)))
    return (f"the furthest has z = {bins.z[k]:.2g}: {bins.observed[k]:.4g} was observed where {bins.predicted[k]:.4g} "
            "was predicted")  # fmt: skip
