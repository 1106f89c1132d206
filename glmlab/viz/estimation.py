"""The error of estimates of β against the number of rows."""

import numpy as np
from scipy.special import ndtri

from glmlab.words import range_text

from .picture import Picture
from .style import COLOURS, MARKERS, new_figure


def error_by_rows(rows, errors, p, *, others=None):
    """‖β* − β_true‖∞ of least squares against rows, with the expected value for p independent normal errors.

    rows    (m,) numbers of rows n
    errors  (m,) largest errors of the p coefficients; the noise has standard deviation 1, X is white
    p       number of coefficients
    others  {name: (rows, error)}, errors that others published

    With XᵀX near nI the error of each coefficient is normal with variance 1/(n − p − 1), and the largest of p such
    errors is near √(2 log p / n). With probability 0.98 it lies in the band.
    """
    rows, errors = np.asarray(rows, dtype=float), np.asarray(errors, dtype=float)
    if rows.shape != errors.shape or rows.ndim != 1:
        raise ValueError(f"rows have shape {rows.shape}, errors {errors.shape}; one error for each number of rows")
    if not rows.min() > p + 1:
        raise ValueError(f"{rows.min():,.0f} rows for p = {p}: the error of least squares needs more than p + 1 rows")
    others = others or {}
    every = np.concatenate([rows, [n for n, _ in others.values()]])
    grid = np.geomspace(max(every.min() / 1.3, p + 2), every.max() * 1.3, 100)
    fig, ax = new_figure()
    low, high = (largest_normal(q, p) / np.sqrt(grid - p - 1) for q in (0.01, 0.99))
    ax.fill_between(grid, low, high, color=COLOURS[5], alpha=0.3, lw=0, label="98 of 100 samples")
    ax.plot(grid, line(grid, p), color="black", marker="", ls="--", label="√(2 log p / n)")
    ax.plot(rows, errors, color=COLOURS[0], marker=MARKERS[0], ls="", label="measured here")
    for k, (name, (n, error)) in enumerate(others.items(), 1):
        ax.plot([n], [error], color=COLOURS[k], marker=MARKERS[k + 2], ms=10, ls="", label=name)
    ax.set(xscale="log", yscale="log", xlabel="rows n")
    ax.set_ylabel(r"largest error $\|\beta^* - \beta_{\mathrm{true}}\|_\infty$")
    ax.set_title(f"The largest error of {p} coefficients falls like 1/√n")
    fig.legend(loc="outside lower center", ncols=4)
    finding = _finding(rows, errors, p, others)
    alt = f"The largest error against rows on two logarithmic axes, along a falling line in a narrow band. {finding}"
    return Picture(fig, alt, finding)


def line(n, p):
    """√(2 log p / n), an approximation of the largest of p independent errors of standard deviation 1/√n."""
    return np.sqrt(2 * np.log(p) / n)


def largest_normal(q, p):
    """The q-quantile of the largest of p independent |N(0, 1)|: the x with P(|N| ≤ x)ᵖ = q."""
    return ndtri((1 + q ** (1 / p)) / 2)


def _finding(rows, errors, p, others):
    ratios = errors / line(rows, p)
    words = [f"{name} is at {error / line(n, p):.2f} of it" for name, (n, error) in others.items()]
    spread = f"the largest error is {range_text(ratios, '{:.2f}'.format)} of √(2 log p / n)"
    return f"With {range_text(rows, '{:,.0f}'.format)} rows {'; '.join([spread, *words])}."
