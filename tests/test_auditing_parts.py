"""check_family and check_penalty: what the package has passes, and each mistake is named."""

import re
import threading

import numpy as np
import pytest
from naive import Doubled, PseudoHuber

from glmlab import L1, ElasticNet, Gamma, Gaussian, Logistic, Poisson, Ridge, Zero, check_family, check_penalty
from glmlab.maths.families import Family
from glmlab.teaching import exercise

# --- families ---------------------------------------------------------------------------------------------------


class Binomial2(Doubled):
    """Two tosses a row: twice the logistic loss of their mean."""

    def conjugate(self, theta, y):
        return 2 * super().conjugate(theta / 2, y)

    def price(self, t, eta, y):
        return 2 * super().price(t, eta, y)


FAMILIES = [Gaussian(), Logistic(), Poisson(), Gamma(), PseudoHuber(), Binomial2()]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: type(family).__name__)
def test_a_right_family_passes(family):
    audit = check_family(family)
    assert audit, audit


def test_the_family_of_notebook_07_passes():
    audit = check_family(exercise("NegativeBinomial").reference(2.0), y=[0, 1, 4, 9])
    assert audit, audit


def test_a_family_by_name():
    assert check_family("poisson") and "check_family(poisson)" in repr(check_family("poisson"))
    with pytest.raises(ValueError, match="did you mean 'poisson'"):
        check_family("poison")
    with pytest.raises(TypeError, match="got the class Poisson"):
        check_family(Poisson)


def other(base=Gaussian, **methods):
    """A family that differs from `base` in some methods or attributes."""
    return type("Mine", (base,), methods)()


class NoSlope:
    def loss(self, eta, y):
        return (eta - y) ** 2


WRONG_FAMILIES = {
    "no methods": (NoSlope(), "methods", "no dloss and no d2loss"),
    "a sum": (other(loss=lambda self, eta, y: np.sum((eta - y) ** 2)), "rows", "no sum"),
    "one number": (other(d2loss=lambda self, eta, y: 2.0), "rows", "np.full_like for a constant"),
    "an if": (other(dloss=lambda self, eta, y: 1.0 if eta > y else -1.0), "rows", "np.where in place of if"),
    "a mean over rows": (other(loss=lambda self, eta, y: (eta - y) ** 2 + np.mean(eta)), "rows", "other rows"),
    "overflow": (other(Logistic, dloss=lambda self, eta, y: np.exp(eta) / (1 + np.exp(eta)) - y), "finite", "log1p"),
    "nan for some y": (other(Gamma, domain=lambda self, y: np.isfinite(y), loss=lambda self, eta, y:
                             np.sqrt(y) * np.exp(-eta) + eta), "finite", "let its domain"),
    "half a slope": (other(dloss=lambda self, eta, y: eta - y), "first derivative", "a factor"),
    "a sign": (other(Poisson, dloss=lambda self, eta, y: y - np.exp(eta)), "first derivative", "a sign"),
    "half a curvature": (other(d2loss=lambda self, eta, y: np.ones_like(eta)), "second derivative", "Fisher"),
    "not convex": (other(Family, loss=lambda self, eta, y: np.cos(eta - y), dloss=lambda self, eta, y: -np.sin(eta - y),
                         d2loss=lambda self, eta, y: -np.cos(eta - y)), "convexity", "not convex"),
    "not quadratic": (other(Logistic, quadratic=True), "convexity", "leave `quadratic` out"),
    "not concordant": (other(Family, concordant=True, loss=lambda self, eta, y: np.cosh(3 * eta) - y * eta,
                             dloss=lambda self, eta, y: 3 * np.sinh(3 * eta) - y,
                             d2loss=lambda self, eta, y: 9 * np.cosh(3 * eta)), "curvature", "leave `concordant` out"),
    "another conjugate": (other(conjugate=lambda self, theta, y: theta**2 / 2 + theta * y), "conjugate", "max_η"),
    "half a price": (other(price=lambda self, t, eta, y: t**2 / 2), "price", "D.t. = ℓ"),
    "a small price": (other(Poisson, price=lambda self, t, eta, y: np.exp(eta) * t**2 / 2), "price",
                      "a small move only"),
    "too small a bound": (other(Poisson, dearest=lambda self, u: 0.4), "price bound", "a larger c"),
    "another least loss": (other(Poisson, saturated=lambda self, y: 0 * y), "least loss", "min over η"),
    "another level": (other(level=lambda self, sums: (sums[0].mean + 1, sums[0].squares)), "starting value",
                      "minimises"),
    "another null loss": (other(level=lambda self, sums: (sums[0].mean, 1.0)), "starting value", "least Σ w ℓ"),
    "another mean": (other(Logistic, mean=lambda self, eta: 0.5 + eta / 10), "mean", "the link"),
    "no size": (other(Logistic, size=lambda self, eta, y: np.nan * eta), "fit", "ends with: Not converged"),
    "a lock": (other(__init__=lambda self: setattr(self, "lock", threading.Lock())), "travel", "plain numbers"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_FAMILIES)
def test_a_wrong_family_is_told_what_is_wrong(name):
    family, check, says = WRONG_FAMILIES[name]
    audit = check_family(family)
    assert not audit, "it passes"
    assert audit.faults[0].name == check and re.search(says, audit.faults[0].says), audit


# --- penalties --------------------------------------------------------------------------------------------------


class Huber:
    """A smooth penalty of another form: Σ h(β_j), h quadratic up to 1 and linear beyond."""

    smooth = False  # it has no second derivative at 1

    def value(self, beta):
        size = np.abs(beta)
        return float(np.where(size <= 1, size**2 / 2, size - 0.5).sum())

    def prox(self, v, step):
        return np.where(np.abs(v) <= 1 + step, v / (1 + step), v - step * np.sign(v))

    def distance(self, beta, grad):
        return np.abs(grad + np.clip(beta, -1, 1))


class Group:
    """λ‖β‖₂: not a sum over coordinates."""

    def __init__(self, lam):
        self.lam = lam

    def value(self, beta):
        return self.lam * float(np.linalg.norm(beta))

    def prox(self, v, step):
        length = np.linalg.norm(v)
        return v * max(0.0, 1 - self.lam * step / length) if length > 0 else v.copy()

    def distance(self, beta, grad):
        length = np.linalg.norm(beta)
        if length > 0:
            return np.abs(grad + self.lam * beta / length)
        left = np.linalg.norm(grad)
        return np.abs(grad) * max(0.0, 1 - self.lam / left) if left > 0 else np.abs(grad)

    def conjugate(self, s):
        return 0.0 if np.linalg.norm(s) <= self.lam * (1 + 1e-12) else np.inf


PENALTIES = [Zero(), L1(0.7), Ridge(1.3), ElasticNet(2.0, 0.3), Huber(), Group(0.8)]


@pytest.mark.parametrize("penalty", PENALTIES, ids=lambda penalty: type(penalty).__name__)
def test_a_right_penalty_passes(penalty):
    audit = check_penalty(penalty)
    assert audit, audit


def test_a_penalty_by_name():
    assert check_penalty("zero")
    with pytest.raises(TypeError, match="has parameters"):
        check_penalty("l1")


def lasso(base=L1, **methods):
    """L1(0.7) that differs in some methods or attributes."""
    return type("Mine", (base,), methods)(0.7)


def shrink(v, t):
    return np.sign(v) * np.maximum(np.abs(v) - t, 0.0)


def in_place(self, v, step):
    v *= 0.5
    return v


class ValueOnly:
    def value(self, beta):
        return 0.0


WRONG_PENALTIES = {
    "no distance": (ValueOnly(), "methods", "no distance"),
    "a vector": (lasso(value=lambda self, beta: np.abs(beta)), "shapes", "one finite number"),
    "a norm as distance": (lasso(distance=lambda self, beta, grad: np.linalg.norm(grad)), "shapes",
                           "one number for each"),
    "in place": (lasso(prox=in_place), "shapes", "changes the array that it is given"),
    "not convex": (lasso(value=lambda self, beta: float(np.sqrt(np.abs(beta)).sum())), "convexity", "not convex"),
    "lambda forgotten": (lasso(value=lambda self, beta: np.abs(beta).sum()), "homogeneity", "promise"),
    "another lambda": (lasso(at=lambda self, lam: L1(lam**2)), "homogeneity", "at.2λ."),
    "smooth": (lasso(smooth=True), "homogeneity", "l1 is 0"),
    "no step": (lasso(prox=lambda self, v, step: shrink(v, self.lam)), "prox", "the step does not count"),
    "step turned": (lasso(prox=lambda self, v, step: shrink(v, self.lam / step)), "prox", "inversely"),
    "twice the step": (lasso(prox=lambda self, v, step: shrink(v, 2 * step * self.lam)), "prox",
                       "the step counts twice"),
    "half the step": (lasso(prox=lambda self, v, step: shrink(v, step * self.lam / 2)), "prox", "the step counts half"),
    "hard threshold": (lasso(prox=lambda self, v, step: np.where(np.abs(v) > self.lam * step, v, 0.0)), "prox", "max"),
    "one step for all": (lasso(prox=lambda self, v, step: shrink(v, np.min(step) * self.lam)), "steps",
                         "entry by entry"),
    "distance of grad": (lasso(distance=lambda self, beta, grad: L1.distance(self, beta, -grad)), "distance", "−grad"),
    "distance without zeros": (lasso(distance=lambda self, beta, grad: np.abs(grad + self.lam * np.sign(beta))),
                               "distance", "fixed point"),
    "distance too small": (lasso(distance=lambda self, beta, grad: np.maximum(np.abs(grad) - self.lam, 0.0)),
                           "distance", "slopes of g lie in"),
    "half a gradient": (lasso(Ridge, grad=lambda self, beta: self.lam * beta / 2), "gradient", "a factor"),
    "another prox for four": (lasso(prox=lambda self, v, step: shrink(v, (1 + (len(v) == 4)) * step * self.lam)),
                              "fit", "ends with: Not converged"),
    "another conjugate": (lasso(conjugate=lambda self, s: float(np.abs(s).sum())), "conjugate", "max_b"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_PENALTIES)
def test_a_wrong_penalty_is_told_what_is_wrong(name):
    penalty, check, says = WRONG_PENALTIES[name]
    audit = check_penalty(penalty)
    assert not audit, "it passes"
    assert audit.faults[0].name == check and re.search(says, audit.faults[0].says), audit
