"""Coefficients against λ."""

import numpy as np

from glmlab.words import column_names, count_text

from .picture import Picture
from .style import new_figure

NAMED = 6  # curves with a colour and a name: more cannot be told apart


def coefficients(
    lams, betas=None, *, lam_max=np.nan, names=None, which=None, mark=None, title="Coefficients as λ falls"
):
    """Draw every coefficient against λ/λ_max, λ falling to the right; against λ itself where there is no λ_max.

    lams     what path() returned, which has all three; or λ (m,), positive, in any order
    betas    (m, p) coefficients, one row for each λ
    lam_max  the smallest λ at which all coefficients are zero, if there is one
    names    one for each coefficient; by default those of the path's columns, else x1, x2, …
    which    indices of the coefficients that get a colour and a name; by default of the NAMED that are largest in
             absolute value at the smallest λ
    mark     {name: λ}: a vertical line at this λ
    title    of the figure: what it shows

    Raises ValueError where the shapes do not fit or a λ is not positive.
    """
    if betas is None:
        lams, betas, lam_max, known = _parts(lams)
        names = known if names is None else names
    lams, betas = np.asarray(lams, dtype=float), np.asarray(betas, dtype=float)
    if betas.ndim != 2 or lams.shape != betas.shape[:1] or not np.all(lams > 0):
        raise ValueError(f"lams {lams.shape} must be positive, one for each row of betas {betas.shape}")
    names = [str(name) for name in column_names(names, betas.shape[1])]
    if len(names) != betas.shape[1]:
        raise ValueError(f"{len(names)} names for {betas.shape[1]} coefficients; give one each")
    order = np.argsort(-lams)
    lams, betas = lams[order], betas[order]
    scaled = np.isfinite(lam_max) and lam_max > 0
    x, label = (lams / lam_max, "λ / λ_max") if scaled else (lams, "λ")
    which = np.argsort(-np.abs(betas[-1]), kind="stable")[:NAMED] if which is None else np.asarray(which)
    words = _finding(betas, x, label, names)
    alt = f"One curve for each coefficient. {label}, on a logarithmic axis, falls to the right. {words}"
    marks = {name: lam / lam_max if scaled else lam for name, lam in (mark or {}).items()}
    return Picture(_figure(x, betas, names, which, marks, label, title), alt, words)


def _parts(path):
    """λ, coefficients, λ_max and the columns' names of a path."""
    if not hasattr(path, "betas"):
        raise TypeError(f"coefficients needs what path() returned, or lams and betas; got {type(path).__name__} alone; "
                        "for one fit draw viz.intervals(infer(result, X, y))")  # fmt: skip
    return path.lams, path.betas, path.lam_max, path[0].names if len(path) else None


def _figure(x, betas, names, which, marks, label, title):
    fig, ax = new_figure()
    rest = np.delete(betas, which, axis=1)
    ax.axhline(0, color="black", linewidth=0.8, marker="", linestyle="-")
    grey = ax.plot(x, rest, color="#AAAAAA", linewidth=1, marker="", linestyle="-")[:1] if rest.size else []
    ax.set_prop_cycle(None)
    lines = [ax.plot(x, betas[:, j], markevery=max(1, len(x) // 10))[0] for j in which]
    for name, place in marks.items():
        ax.axvline(place, color="black", linewidth=1, marker="", linestyle=":")
        ax.text(place, 0.97, f" {name}", transform=ax.get_xaxis_transform(), va="top")
    ax.set(xscale="log", xlabel=f"{label}, falling to the right", ylabel="coefficient", title=title)
    ax.invert_xaxis()
    others = [count_text(rest.shape[1], "other")] * len(grey)
    ncols = 5 if len(lines + grey) == 5 else 4  # no entry alone in a second row
    fig.legend([*lines, *grey], [names[j] for j in which] + others, loc="outside lower center", ncols=ncols)
    return fig


def _finding(betas, x, label, names):
    """‖β‖ and the number of nonzero coefficients at both ends, and the coefficients that enter first."""
    counts, norms = np.count_nonzero(betas, axis=1), np.linalg.norm(betas, axis=1)
    words = f"As {label} falls from {x[0]:.3g} to {x[-1]:.3g}, ‖β‖ goes from {norms[0]:.3g} to {norms[-1]:.3g}"
    late = np.flatnonzero(counts > counts[0])
    if not len(late):
        return f"{words}."
    words += f" and from {counts[0]} to {counts[-1]} of {betas.shape[1]} coefficients are not zero"
    first = [names[j] for j in np.flatnonzero(betas[late[0]])]
    if counts[0] > 0 or len(first) > 3:
        return f"{words}."
    return f"{words}; {', '.join(first)} {'enters' if len(first) == 1 else 'enter'} first."
