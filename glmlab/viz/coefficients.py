"""How coefficients enter as λ falls."""

import numpy as np

from .picture import Picture
from .style import new_figure
from .words import count_text


def coefficients(path, *, names=None, most=6):
    """Draw every coefficient of a Path against λ/λ_max (λ itself where the penalty has no λ_max), λ falling rightwards.

    path   what path() returned, with positive λ
    names  one for each coefficient; x1, x2, … by default
    most   how many coefficients get a colour and a name: those largest in absolute value at the last λ
    """
    betas, lams = path.betas, np.asarray(path.lams, dtype=float)
    if not np.all(lams > 0):
        raise ValueError(f"λ must be > 0 on a logarithmic axis, but the path holds {lams.min():g}")
    names = [f"x{j + 1}" for j in range(betas.shape[1])] if names is None else list(names)
    if len(names) != betas.shape[1]:
        raise ValueError(f"{len(names)} names for {betas.shape[1]} coefficients; give one each")
    scaled = np.isfinite(path.lam_max) and path.lam_max > 0
    x, label = (lams / path.lam_max, "λ / λ_max") if scaled else (lams, "λ")
    largest = np.argsort(-np.abs(betas[-1]), kind="stable")[:most]
    words = _finding(betas, x, label, names)
    alt = f"One curve for each coefficient against {label} on a logarithmic axis, falling to the right. {words}"
    return Picture(_figure(x, betas, names, largest, label), alt, words)


def _figure(x, betas, names, largest, label):
    fig, ax = new_figure()
    rest = np.delete(betas, largest, axis=1)
    ax.axhline(0, color="black", linewidth=0.8, marker="", linestyle="-")
    grey = ax.plot(x, rest, color="#AAAAAA", linewidth=1, marker="", linestyle="-")[:1] if rest.size else []
    ax.set_prop_cycle(None)
    lines = [ax.plot(x, betas[:, j], markevery=max(1, len(x) // 10))[0] for j in largest]
    ax.set(xscale="log", xlabel=label, ylabel="coefficient", title="Coefficients as λ falls")
    ax.invert_xaxis()
    others = [count_text(rest.shape[1], "other")] * len(grey)
    fig.legend([*lines, *grey], [names[j] for j in largest] + others, loc="outside lower center", ncols=4)
    return fig


def _finding(betas, x, label, names):
    """How many are not zero at both ends, and which was first."""
    counts, p = np.count_nonzero(betas, axis=1), betas.shape[1]
    span = f"{label} falls from {x[0]:.3g} to {x[-1]:.3g}"
    words = f"As {span}, {counts[0]} and then {counts[-1]} of {p} coefficients are not zero"
    late = np.flatnonzero(counts > counts[0])
    if counts[0] > 0 or not len(late):
        return f"{words}."
    first = [names[j] for j in np.flatnonzero(betas[late[0]])]
    return f"{words}; {', '.join(first[:3])} {'enters' if len(first) == 1 else 'enter'} first."
