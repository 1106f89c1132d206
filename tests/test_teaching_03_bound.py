"""The certificate of notebook 03: right answers written otherwise, and wrong ones with their mistakes."""

import numpy as np
import pytest
from answers import accepted, rejected

RIGHT = {
    "norm": lambda g, mu: np.linalg.norm(g) ** 2 / mu / 2,
    "loop": lambda g, mu: sum(x * x for x in g) / (2 * mu),
    "the length of a Newton step": lambda g, mu: mu / 2 * np.sum((g / mu) ** 2),
    "einsum": lambda g, mu: float(np.einsum("i,i->", g, g) * 0.5 / mu),
    "at the parabola's lowest point": lambda g, mu: -(g @ (-g / mu) + mu / 2 * (g / mu) @ (g / mu)),
    "twice as much, by Cauchy and Schwarz": lambda g, mu: g @ g / mu,
}


@pytest.mark.parametrize("right", RIGHT.values(), ids=list(RIGHT))
def test_smooth_bound_written_otherwise(right):
    accepted("smooth_bound", right)


ONLY_THERE, UNIT = "zero where g is zero, and only there", "in the unit of F"
HOLDS, SQUARE, SHARP = (
    "the gap never exceeds it", "grows like the square of g", "at most about twice the gap where F is flattest",
)  # fmt: skip


@pytest.mark.parametrize(("wrong", "condition", "says"), [
    pytest.param(lambda g, mu: g @ g / (2 * mu**2), UNIT, "‖g‖²/μ²", id="μ squared"),
    pytest.param(lambda g, mu: g @ g * mu / 2, UNIT, "‖g‖²μ", id="the unit of μ"),
    pytest.param(lambda g, mu: g @ g / 2, UNIT, "in another unit", id="no μ"),
    pytest.param(lambda g, mu: np.linalg.norm(g) / (2 * mu), UNIT, "‖g‖/μ", id="norm, not squared"),
    pytest.param(lambda g, mu: g @ g / mu**2 * 10, UNIT, "‖g‖²/μ²", id="μ squared, and loose"),
    pytest.param(lambda g, mu: (g @ g) ** 0.75 / (2 * mu) * 25, UNIT, "in another unit", id="another power"),
    pytest.param(lambda g, mu: g @ g / (2 * 30 * mu), HOLDS, "Which curvature", id="L for μ"),
    pytest.param(lambda g, mu: g @ g / (4 * mu), HOLDS, "with one ½", id="a half too many"),
    pytest.param(lambda g, mu: np.mean(g**2) / (2 * mu), HOLDS, "do not take", id="mean"),
    pytest.param(lambda g, mu: np.abs(g).max() ** 2 / (2 * mu), HOLDS, "not its largest entry", id="largest entry"),
    pytest.param(lambda g, mu: np.linalg.norm(g), HOLDS, "square it, and divide", id="the norm itself"),
    pytest.param(lambda g, mu: g[0] ** 2 / (2 * mu), ONLY_THERE, "none may be left out", id="the first coordinate"),
    pytest.param(lambda g, mu: g.sum() ** 2 / (2 * mu), HOLDS, "square the entries first", id="square of the sum"),
    pytest.param(lambda g, mu: 1e9 * np.linalg.norm(g), SQUARE, "c² times as large", id="a large norm"),
    pytest.param(lambda g, mu: -g @ g / (2 * mu), ONLY_THERE, "a positive number", id="sign"),
    pytest.param(lambda g, mu: g @ g / (2 * mu) + 1e-8, ONLY_THERE, "nothing may be added", id="to be sure"),
    pytest.param(lambda g, mu: g @ g / (2 * mu) if g @ g > 1e-12 else 0.0, ONLY_THERE, "rounded away",
                 id="rounded away"),
    pytest.param(lambda g, mu: np.abs(g).sum() ** 2 / (2 * mu) * 30, SHARP, "no other factor", id="loose"),
    pytest.param(lambda g, mu: g**2 / (2 * mu), ONLY_THERE, "sum over the coordinates", id="an array"),
])  # fmt: skip
def test_smooth_bound_wrong(wrong, condition, says):
    rejected("smooth_bound", wrong, condition, says)
