"""The loss on rows that were held out, against λ."""

from .picture import Picture
from .style import COLOURS, new_figure


def held_out(found, *, title="Loss on rows that were held out"):
    """Draw the mean held-out loss and its standard error at each λ, λ falling to the right, and mark the two choices.

    found    what cross_validate_path() returned
    title    of the figure: what it shows

    Raises TypeError for anything else, ValueError where a λ is 0, which a logarithmic axis cannot show.
    """
    if not hasattr(found, "lam_1se"):
        raise TypeError(f"held_out needs what cross_validate_path() returned; got {type(found).__name__}")
    if not (found.lams > 0).all():
        raise ValueError("λ = 0 has no place on a logarithmic axis; leave it out of lams")
    words = _finding(found)
    alt = ("Points with bars of one standard error against λ on a logarithmic axis, falling to the right; one vertical "
           f"line at the least loss, one at the choice of the one-standard-error rule. {words}")  # fmt: skip
    return Picture(_figure(found, title), alt, words)


def _figure(found, title):
    fig, ax = new_figure()
    bars = ax.errorbar(found.lams, found.mean, found.se, color="#666666", ecolor="#AAAAAA", linestyle="-", marker="o",
                       linewidth=1, markersize=4, capsize=3)  # fmt: skip
    least = ax.axvline(found.lam_best, color=COLOURS[0], marker="", linestyle="--")
    simple = ax.axvline(found.lam_1se, color=COLOURS[1], marker="", linestyle="-.")
    limit = ax.axhline(found.mean[found.best] + found.se[found.best], color=COLOURS[0], marker="", linestyle=":",
                       linewidth=1)  # fmt: skip
    ax.set(xscale="log", xlabel="λ, falling to the right", ylabel="mean loss of a row", title=title)
    ax.invert_xaxis()
    names = ["mean ± one standard error", f"least loss: λ = {found.lam_best:.3g}",
             f"one-SE rule: λ = {found.lam_1se:.3g}", "least loss + one standard error"]  # fmt: skip
    fig.legend([bars, least, simple, limit], names, loc="outside lower center", ncols=2)
    return fig


def _finding(found):
    """Both choices, their losses and how many coefficients they keep."""
    best, simple = found.best, found.simplest
    kept = [int((found.path[k].beta != 0).sum()) for k in (best, simple)]
    least = (f"The least loss is {found.mean[best]:.4g} ± {found.se[best]:.3g} at λ = {found.lam_best:.3g}, with "
             f"{kept[0]} coefficients that are not zero")  # fmt: skip
    if simple == best:
        return f"{least}; no larger λ is within one standard error of it."
    return (f"{least}; λ = {found.lam_1se:.3g} is the largest within one standard error of it, with {kept[1]} "
            "coefficients")  # fmt: skip
