"""A family of one's own, of notebook 07: right answers written otherwise, and wrong ones with their mistakes."""

import numpy as np
import pytest
from answers import accepted, rejected
from scipy.special import expit, gammaln, xlogy

from glmlab import certify, fit
from glmlab.maths.families import Family, Logistic
from glmlab.teaching import exercise


def reference(name):
    return exercise(name).reference


def family_of(**methods):
    """A class with the reference's methods, but for some."""
    return type("NegativeBinomial", (reference("NegativeBinomial"),), methods)


class ByItsFormula(Family):
    """As the statement has it, with the conjugate."""

    def __init__(self, r):
        self.n_extra, self.log_r = float(r), np.log(r)

    def loss(self, eta, y):
        return (y + self.n_extra) * np.logaddexp(self.log_r, eta) - y * eta

    def dloss(self, eta, y):
        return (y + self.n_extra) * expit(eta - self.log_r) - y

    def d2loss(self, eta, y):
        return (y + self.n_extra) * expit(eta - self.log_r) * expit(self.log_r - eta)

    def conjugate(self, theta, y):
        N, m = y + self.n_extra, theta + y
        inside = xlogy(m, m) + xlogy(N - m, np.maximum(N - m, 0)) - N * np.log(N) - (N - m) * self.log_r
        return np.where((m >= 0) & (m <= N), inside, np.inf)


class ByItsDensity(Family):
    """With terms in y alone, and a price but no conjugate."""

    def __init__(self, r):
        self.r = r

    def loss(self, eta, y):
        constant = gammaln(y + self.r) - gammaln(self.r) - gammaln(y + 1) + self.r * np.log(self.r)
        return (y + self.r) * np.logaddexp(np.log(self.r), eta) - y * eta - constant

    def dloss(self, eta, y):
        return (y + self.r) * expit(eta - np.log(self.r)) - y

    def d2loss(self, eta, y):
        return (y + self.r) * expit(eta - np.log(self.r)) * expit(np.log(self.r) - eta)

    def price(self, t, eta, y):
        return (y + self.r) * Logistic().price(t, eta - np.log(self.r), 0 * y)


class ByHand(Family):
    """No other class is used; the price is Fenchel's, the conjugate a sum of entropies."""

    def __init__(self, r):
        self.size_of_spread = r

    def loss(self, eta, y):
        r = self.size_of_spread
        return (y + r) * (np.maximum(eta, np.log(r)) + np.log1p(np.exp(-np.abs(eta - np.log(r))))) - y * eta

    def share(self, eta):
        r = self.size_of_spread
        small = np.exp(-np.abs(eta - np.log(r)))
        return np.where(eta > np.log(r), 1, small) / (1 + small)

    def dloss(self, eta, y):
        return (y + self.size_of_spread) * self.share(eta) - y

    def d2loss(self, eta, y):
        share = self.share(eta)
        return (y + self.size_of_spread) * share * (1 - share)

    def price(self, t, eta, y):
        m, e = self.share(eta), self.share(eta) * (1 - self.share(eta)) * t
        with np.errstate(all="ignore"):
            cost = (m + e) * np.log1p(e / m) + (1 - m - e) * np.log1p(-e / (1 - m))
        return (y + self.size_of_spread) * np.where(np.isnan(cost), np.inf, cost)


class OfThePackage(ByHand):
    """Loss and derivatives through the logistic family, the price by a loop over its rows."""

    def loss(self, eta, y):
        r = self.size_of_spread
        return (y + r) * Logistic().loss(eta - np.log(r), y / (y + r))


class WithArguments(Family):
    """r in a dictionary of settings, and a default."""

    def __init__(self, r=1.0):
        self.settings = (float(r),)

    def loss(self, eta, y):
        return np.logaddexp(np.log(self.settings[0]), eta) * (y + self.settings[0]) - y * eta

    def dloss(self, eta, y):
        return (y + self.settings[0]) * expit(eta - np.log(self.settings[0])) - y

    def d2loss(self, eta, y):
        return (y + self.settings[0]) * Logistic().d2loss(eta - np.log(self.settings[0]), y)

    def price(self, t, eta, y):
        return (y + self.settings[0]) * Logistic().price(t, eta - np.log(self.settings[0]), y)


@pytest.mark.parametrize("right", [ByItsFormula, ByItsDensity, ByHand, OfThePackage, WithArguments])
def test_negative_binomial_written_otherwise(right):
    accepted("NegativeBinomial", type("NegativeBinomial", (right,), {}))


def naive_loss(self, eta, y):
    return (y + self.r) * np.log(self.r + np.exp(eta)) - y * eta


def fisher(self, eta, y):
    mu = np.exp(np.clip(eta, None, 700))
    return self.r * mu / (self.r + mu)


def inverted(name):
    method = getattr(reference("NegativeBinomial"), name)

    def with_one_over_r(self, *args):
        return method(reference("NegativeBinomial")(1 / self.r), *args)

    return with_one_over_r


def negative(name):
    method = getattr(reference("NegativeBinomial"), name)
    return {name: lambda self, *args: -method(self, *args)}


WHOLE, FINITE = "a class with loss, dloss, d2loss, and a price or a conjugate", "finite at any η, and convex"
SLOPES, DENSITY, PRICE = "derivatives of its loss", "the density's own loss", "the price of a slope"


@pytest.mark.parametrize(("methods", "condition", "says"), [
    pytest.param({"loss": naive_loss}, FINITE, "log(1 + e^s) without overflow", id="overflows"),
    pytest.param(negative("d2loss"), FINITE, "the loss is convex", id="the sign of d2loss"),
    pytest.param(negative("dloss"), SLOPES, "the sign of dloss", id="the sign of dloss"),
    pytest.param({"d2loss": fisher}, SLOPES, "Fisher information", id="Fisher is Hessian"),
    pytest.param({"dloss": lambda self, eta, y: np.exp(np.clip(eta, None, 700)) - y}, SLOPES, "the Poisson's slope",
                 id="the Poisson's slope"),
    pytest.param({name: inverted(name) for name in ("loss", "dloss", "d2loss", "price")}, DENSITY, "r, or 1/r",
                 id="1/r for r"),
    pytest.param({"price": lambda self, t, eta, y: Logistic().price(t, eta - np.log(self.r), y)}, PRICE,
                 "y + r times the price", id="price without its weight"),
    pytest.param({"price": lambda self, t, eta, y: (y + self.r) * Logistic().price(t, eta, y)}, PRICE,
                 "where is it taken", id="price at η"),
    pytest.param({"price": lambda self, t, eta, y: self.d2loss(eta, y) * t**2 / 2}, PRICE, "a small move only",
                 id="the quadratic price"),
    pytest.param({"price": lambda self, t, eta, y: float(np.sum(t))}, PRICE, "one number a row", id="a summed price"),
    pytest.param({"loss": lambda self, eta, y: 0.0}, FINITE, "one number for each row", id="one number"),
    pytest.param({"price": lambda self, t, eta, y: self.conjugate(t, y)}, PRICE, "AttributeError", id="no conjugate"),
])  # fmt: skip
def test_negative_binomial_wrong(methods, condition, says):
    rejected("NegativeBinomial", type("NegativeBinomial", (reference("NegativeBinomial"),), methods), condition, says)


def test_a_price_that_is_finite_where_no_line_lies_below():
    def price(self, t, eta, y):
        full = reference("NegativeBinomial").price(self, t, eta, y)
        return np.where(np.isfinite(full), full, 1e9)

    rejected("NegativeBinomial", type("NegativeBinomial", (reference("NegativeBinomial"),), {"price": price}), PRICE,
             "return inf")  # fmt: skip


def without(*names, base=Family):
    """The reference's methods but for some, on another base class."""
    methods = {name: method for name, method in vars(reference("NegativeBinomial")).items() if name not in names}
    return type("NegativeBinomial", (base,), {k: v for k, v in methods.items() if k not in ("__dict__", "__weakref__")})


@pytest.mark.parametrize(("wrong", "says"), [
    (without("price"), "has neither a price nor a conjugate"),
    (without("loss"), "write its method loss"),
    (without("d2loss"), "write its method d2loss"),
    (without(base=object), "class NegativeBinomial(Family)"),
    (without(base=Logistic), "derive it from Family"),
], ids=["no price", "no loss", "no d2loss", "no Family", "a kind of logistic"])
def test_a_negative_binomial_with_a_part_missing_is_named(wrong, says):
    rejected("NegativeBinomial", wrong, WHOLE, says)


def test_a_conjugate_of_another_loss_is_named():
    class NegativeBinomial(ByItsFormula):
        def loss(self, eta, y):
            return super().loss(eta, y) - gammaln(y + 1)

    rejected("NegativeBinomial", NegativeBinomial, PRICE, "terms in y included")


def test_the_readers_family_is_certified():
    """Against scipy's minimum, and statsmodels' coefficients."""
    import statsmodels.api as sm

    rng = np.random.default_rng(5)
    X = np.column_stack([np.ones(400), rng.normal(size=(400, 2))])
    y = rng.poisson(np.exp(X @ [0.5, 0.4, -0.3]) * rng.gamma(2.0, 0.5, size=400)).astype(float)
    theirs = sm.GLM(y, X, family=sm.families.NegativeBinomial(alpha=0.5)).fit(tol=1e-12).params
    for family in (reference("NegativeBinomial")(2.0), ByItsFormula(2.0)):
        ours = fit(X, y, family=family, tol=1e-10)
        assert ours.converged and np.allclose(ours.beta, theirs, atol=1e-5)
        for beta in (np.zeros(3), theirs + 0.1):
            gap = family.loss(X @ beta, y).sum() - family.loss(X @ theirs, y).sum()
            assert gap <= certify(X, y, beta, family=family).bound <= 1.05 * gap
