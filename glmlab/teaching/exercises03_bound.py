"""The third exercise of notebook 03: a first certificate."""

import numpy as np

from .exercise import Exercise, recognised, require
from .exercises03 import quadratic
from .guard import one_number


def smooth_bound(g, mu):
    return g @ g / (2 * mu)


SMOOTH_BOUND = Exercise(
    name="smooth_bound",
    statement=(
        "g (p,) is the gradient of F at some β, mu > 0 the smallest eigenvalue of its Hessian H. Return a number that "
        "F(β) − F* cannot exceed, whatever β is, and at most about twice the gap where H is flattest."
    ),
    stub='''
    def smooth_bound(g, mu):
        """A number that F(β) − F* cannot exceed, whatever β is; returns one number.

        g, mu   ∇F(β) (p,), and a number > 0, the smallest eigenvalue of the Hessian
        """
        raise NotImplementedError
    ''',
    reference=smooth_bound,
    hints=(
        "The parabola F(β) + gᵀd + (μ/2)‖d‖² lies below F(β + d) for every d. What is its lowest value?",
        "It is lowest at d = −g/μ. F* cannot lie below that lowest value.",
        "There it is F(β) − ‖g‖²/2μ; so the gap is at most g @ g / (2 * mu).",
    ),
)

CURVES = {p: np.geomspace(0.7, 21, p) if p > 1 else np.array([0.7]) for p in (1, 3, 7)}  # eigenvalues
UNITS = (1.0, 1e-4, 1e5)  # of F, and so of its gradient and its curvatures


def _bound(smooth_bound, g, mu, where):
    return one_number(smooth_bound(g, mu), where, hint="‖g‖² = g @ g is one number: sum over the coordinates")


def _expect_bound(smooth_bound, H, e, mu, where):
    """At β* + e the gradient is He, and the gap ½eᵀHe."""
    g, gap = H @ e, float(e @ H @ e / 2)
    bound, square = _bound(smooth_bound, g, mu, where), float(g @ g)
    words = f"{where} the gap is {gap:.3g}, and it claims at most {bound:.3g}"
    require(bound >= gap * (1 - 1e-9), words, lambda: recognised(bound, {
        "the parabola is lowest at d = −g/μ: divide by μ": square * mu / 2,
        "insert d = −g/μ into gᵀd + (μ/2)‖d‖²: what is left is −‖g‖²/2μ, with one ½": square / (4 * mu),
        "‖g‖² is sum over the coordinates, do not take a mean": square / len(g) / (2 * mu),
        "square the entries first, then sum": g.sum() ** 2 / (2 * mu),
        "‖g‖ is the 2-norm of g, not its largest entry": np.abs(g).max() ** 2 / (2 * mu),
        "square the norm of g: the gap is quadratic in it": np.sqrt(square) / (2 * mu),
        "a norm of g has the unit of a slope: square it, and divide by a curvature": np.sqrt(square),
    }))  # fmt: skip


@SMOOTH_BOUND.condition(
    "zero where g is zero, and only there",
    hint="g = 0 proves β optimal: nothing may be added. And g = 0 means every coordinate: none may be left out or "
    "rounded away",
)
def zero_iff_stationary(smooth_bound):
    at_optimum = _bound(smooth_bound, np.zeros(3), 0.7, "for g = 0")
    require(at_optimum == 0, f"g = 0 means that β is optimal, and it claims only {at_optimum:.3g}")
    beside = _bound(smooth_bound, np.array([0.0, 1e-9, 0.0]), 0.7, "for a tiny g")
    height = "the bound is the height of F(β) above the lowest value of the parabola: a positive number"
    words = f"for a g that is not zero it claims a gap of at most {beside:.3g}"
    require(beside > 0, words, height if beside < 0 else None)


@SMOOTH_BOUND.condition(
    "in the unit of F",
    hint="F in another unit has c times the gradient, c times the curvature and c times the gap: ‖g‖²/μ obeys that; "
    "‖g‖²/μ², ‖g‖²μ and ‖g‖/μ do not",
)
def in_the_unit_of_F(smooth_bound):
    g = np.array([0.3, -1.2, 0.5])
    first = _bound(smooth_bound, g, 0.7, "for g and μ")
    for c in (1e3, 1e-3):
        other = _bound(smooth_bound, c * g, c * 0.7, f"for {c:g} · g and {c:g} · μ")
        words = f"{first:.3g} for g and μ, but {other:.3g} for {c:g} · g and {c:g} · μ"
        require(abs(other - c * first) <= 1e-9 * c * first, f"{words}, where {c * first:.3g} is needed")


@SMOOTH_BOUND.condition(
    "the gap never exceeds it",
    hint="look at the flattest direction: an error e there has g = μe, small for its gap μ‖e‖²/2. Which curvature "
    "is the right one to divide by?",
)
def holds_everywhere(smooth_bound):
    for p, values in CURVES.items():
        rng = np.random.default_rng(100 + p)
        anywhere = rng.normal(size=(20, p)) * 10.0 ** rng.integers(-4, 4, size=(20, 1))
        for unit in UNITS:
            H, V = quadratic(90 + p, unit * values)
            for length in (1.0, 1e-3, 1e4):
                _expect_bound(smooth_bound, H, length * V[:, 0], unit * values[0], "along the flattest direction")
            for e in np.concatenate([V[:, -1:].T, anywhere]):
                _expect_bound(smooth_bound, H, e, unit * values[0], "at some β")


@SMOOTH_BOUND.condition(
    "grows like the square of g",
    hint="scale y by c, and β with it: F is c² times as large, but its gradient only c times",
)
def quadratic_in_g(smooth_bound):
    g = np.array([0.3, -1.2, 0.5])
    first = _bound(smooth_bound, g, 0.7, "for g")
    for c in (-1.0, 1e3, 1e-3):
        other = _bound(smooth_bound, c * g, 0.7, f"for {c:g} · g")
        words = f"{first:.3g} for g, but {other:.3g} for {c:g} · g"
        require(abs(other - c**2 * first) <= 1e-9 * c**2 * first, f"{words}, where {c**2 * first:.3g} is needed")


@SMOOTH_BOUND.condition(
    "at most about twice the gap where F is flattest",
    hint="where does the parabola have its lowest point? Insert d = −g/μ; no other factor is needed",
)
def sharp_where_flat(smooth_bound):
    for p, values in CURVES.items():
        for unit in UNITS:
            H, V = quadratic(120 + p, unit * values)
            e = 3.0 * V[:, 0]
            ratio = _bound(smooth_bound, H @ e, unit * values[0], "along the flattest direction") / (e @ H @ e / 2)
            require(ratio <= 2.1, f"along the flattest direction it claims {ratio:.3g} times the gap")
