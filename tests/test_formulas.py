"""Formulas read off families: what they say, what is shared, what becomes an argument, and why some cannot be read."""

import numpy as np
import pytest
from naive import Doubled
from scipy.special import ndtr

from glmlab import Gamma, Gaussian, Logistic, Poisson
from glmlab.maths.families import Family
from glmlab.rows.formulas import Unreadable, read
from glmlab.teaching.exercises07_family import NegativeBinomial

PIECES = ("loss", "dloss", "d2loss", "size")
ETA, Y = (values.ravel() for values in np.meshgrid(np.linspace(-4, 4, 33), [0.25, 0.5, 1.0]))


def value(family, names=PIECES):
    """What the text of the family's formula computes, run by Python with NumPy's functions."""
    formula, p = read(family, names)
    scope = {name: getattr(np, name) for name in ("exp", "log", "log1p", "sqrt", "maximum", "minimum", "sign", "tanh")}
    scope["log1p_of_share"] = np.log1p
    exec(formula.text(), scope)
    out = np.empty((len(names), len(ETA)))
    scope["rows"](np.array(p), ETA, Y, out)
    return out


class Huber(Family):
    """A family of a reader's own with a parameter, two branches and NumPy's clip."""

    def __init__(self, delta):
        self.delta = delta

    def loss(self, eta, y):
        away = np.abs(eta - y)
        return np.where(away <= self.delta, away**2 / 2, self.delta * (away - self.delta / 2))

    def dloss(self, eta, y):
        return np.clip(eta - y, -self.delta, self.delta)

    def d2loss(self, eta, y):
        return np.where((eta - y <= self.delta) & ~(eta - y < -self.delta), np.ones_like(eta), np.zeros_like(eta))


class Of(Family):
    """The family whose loss is a given function of η and y."""

    def __init__(self, function, **parameters):
        vars(self).update(parameters)
        self.function = function

    def loss(self, eta, y):
        return self.function(self, eta, y)


ALL = [Gaussian(), Logistic(), Poisson(), Gamma(), Huber(1.5), Huber(2), NegativeBinomial(2.5), Doubled()]


@pytest.mark.parametrize("family", ALL, ids=lambda f: f"{type(f).__name__}{vars(f) or ''}")
def test_a_formula_computes_what_the_methods_compute(family):
    for name, found in zip(PIECES, value(family), strict=True):
        np.testing.assert_allclose(found, getattr(family, name)(ETA, Y), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("family, calls", [
    (Gaussian(), []), (Logistic(), ["exp", "log1p_of_share"]), (Poisson(), ["exp"]), (Gamma(), ["exp"]),
], ids=repr)  # fmt: skip
def test_what_methods_have_in_common_is_computed_once(family, calls):
    formula, _ = read(family, PIECES)
    assert sorted(line.partition("(")[0] for _, line in formula.lines if line.startswith(("exp", "log"))) == calls


def test_a_height_has_the_lines_that_its_results_need():
    text = read(Logistic(), PIECES)[0].text()
    first, *others = text.split("if out.shape[0] == ")[1:]
    assert "out[0, i] = v" in first and "out[1, i]" not in first and "/" not in first, "the loss divides by nothing"
    assert len(others) == 3 and all("/" in other for other in others)


def test_a_float_is_an_argument_and_all_else_is_in_the_lines():
    small, large, whole = (read(Huber(delta), PIECES) for delta in (1.5, 2.5, 2))
    assert small[0] == large[0] and (small[1], large[1]) == ((1.5,), (2.5,))
    assert whole[1] == () and "2.0" in whole[0].text() and whole != read(Huber(3), PIECES)


def test_a_float_that_chooses_the_formula_is_in_the_lines():
    def power(self, eta, y):
        return np.exp(eta) if self.power == 1.0 else np.exp((2 - self.power) * eta)

    (one, p), (other, q) = (read(Of(power, power=p), ["loss"]) for p in (1.0, 1.5))
    assert one != other and p == q == ()


def test_what_depends_on_parameters_alone_is_computed_before_the_loop():
    text = read(NegativeBinomial(2.5), PIECES)[0].text()
    assert text.count("log(p0)") == 1 and text.index("log(p0)") < text.index("for i in")


@pytest.mark.parametrize("exponent, line", [(2, "e ** 2"), (-3.0, "e ** -3"), (0.5, "v0 ** 1"), (-1.5, "v0 ** -3"),
                                            (0.3, "e ** 0.3")])  # fmt: skip
def test_small_powers_are_products_perhaps_of_a_root(exponent, line):
    lines = [line for _, line in read(Of(lambda self, eta, y: eta**exponent), ["loss"])[0].lines]
    assert lines[-1] == line and (lines[0] == "sqrt(e)") == line.startswith("v0")


@pytest.mark.parametrize("argument, share", [
    (lambda eta, y: np.exp(-np.abs(eta - y)), True), (lambda eta, y: np.exp(np.abs(eta)), False),
    (lambda eta, y: np.exp(-eta), False), (lambda eta, y: -np.abs(eta), False), (lambda eta, y: y, False),
])  # fmt: skip
def test_the_short_logarithm_is_for_arguments_between_0_and_1(argument, share):
    formula, _ = read(Of(lambda self, eta, y: np.log1p(argument(eta, y))), ["loss"])
    assert formula.lines[-1][1].startswith("log1p_of_share(" if share else "log1p(")


class TestEditing:
    """A formula says all that a family computes, so that what was compiled for another one is never taken."""

    def test_an_edited_method(self):
        first, second = (read(Of(lambda self, eta, y, k=k: k * eta), ["loss"]) for k in (2, 3))
        assert first != second and first == read(Of(lambda self, eta, y: 2 * eta), ["loss"])

    def test_a_changed_global(self, monkeypatch):
        monkeypatch.setitem(globals(), "SCALE", 2.0)
        family = Of(lambda self, eta, y: SCALE * eta)  # noqa: F821
        first = read(family, ["loss"])
        monkeypatch.setitem(globals(), "SCALE", 3.0)
        assert first != read(family, ["loss"])

    def test_an_edited_parent(self, monkeypatch):
        first = read(Doubled(), ["loss"])
        monkeypatch.setattr(Logistic, "loss", lambda self, eta, y: eta)
        assert first != read(Doubled(), ["loss"])

    def test_reading_changes_nothing(self):
        family = Huber(1.5)
        read(family, PIECES)
        assert vars(family) == {"delta": 1.5}


@pytest.mark.parametrize("loss, why", [
    (lambda self, eta, y: ndtr(eta), r"Of\.loss calls ndtr, which compiled loops do not know; they know .*exp"),
    (lambda self, eta, y: eta - np.mean(eta), "calls mean, which"),
    (lambda self, eta, y: np.add.reduce(eta), "calls add with reduce"),
    (lambda self, eta, y: np.exp(eta, out=eta), "calls exp with out; .* change no argument in place"),
    (lambda self, eta, y: eta if eta > 0 else y, r"asks for the value of a row, .*numpy\.where chooses"),
    (lambda self, eta, y: max(eta, 0), "asks for the value of a row"),
    (lambda self, eta, y: eta[0] * y, "asks for the value of a row"),
    (lambda self, eta, y: np.asarray(eta) * y, "asks for the value of a row"),
    (lambda self, eta, y: eta.clip(0, 1), r"fails on symbols \(AttributeError: .*clip"),
    (lambda self, eta, y: eta * np.arange(3), r"uses ndarray of shape \(3,\) beside its rows"),
    (lambda self, eta, y: None, "NoneType"),
    (lambda self, eta, y: 1 / 0, r"fails on symbols \(ZeroDivisionError"),
])  # fmt: skip
def test_what_cannot_be_read_says_which_method_and_why(loss, why):
    with pytest.raises(Unreadable, match=why):
        read(Of(loss, delta=1.5), ["loss"])
