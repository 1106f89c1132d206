"""The fourth exercise of notebook 07: a new family."""

import warnings

import numpy as np

from glmlab.maths.families import Family, Logistic

from .exercise import Exercise, recognised, require
from .exercises07 import TAILS, agrees, slopes, three
from .guard import Guarded


class NegativeBinomial(Family):
    """Counts of mean μ = e^η and variance μ + μ²/r: y heads among y + r tosses of a logistic model at η − log r."""

    def __init__(self, r):
        self.r = r

    def loss(self, eta, y):
        return (y + self.r) * Logistic().loss(eta - np.log(self.r), y / (y + self.r))

    def dloss(self, eta, y):
        return (y + self.r) * Logistic().dloss(eta - np.log(self.r), y / (y + self.r))

    def d2loss(self, eta, y):
        return (y + self.r) * Logistic().d2loss(eta - np.log(self.r), y)

    def price(self, t, eta, y):
        return (y + self.r) * Logistic().price(t, eta - np.log(self.r), y)


NEGATIVE_BINOMIAL = Exercise(
    name="NegativeBinomial",
    statement=(
        "A family of counts y ≥ 0 with mean μ = e^η and variance μ + μ²/r, r > 0 known: ℓ(η; y) = (y + r) log(r + e^η) "
        "− yη, terms in y alone left out. Write loss, dloss, d2loss, and either price(t, eta, y) or "
        "conjugate(theta, y); each takes arrays and returns one number a row."
    ),
    stub='''
    from glmlab.maths.families import Family, Logistic


    class NegativeBinomial(Family):
        """Counts of mean μ = e^η and variance μ + μ²/r: ℓ(η; y) = (y + r) log(r + e^η) − yη, finite at every η."""

        def __init__(self, r):
            raise NotImplementedError  # keep r in self; a Family needs no super().__init__()

        def loss(self, eta, y):
            raise NotImplementedError

        def dloss(self, eta, y):
            raise NotImplementedError

        def d2loss(self, eta, y):
            raise NotImplementedError

        def price(self, t, eta, y):
            raise NotImplementedError
    ''',
    reference=NegativeBinomial,
    hints=(
        "Put s = η − log r, so that log(r + e^η) = log r + log(1 + e^s). Which loss do you know that looks like this?",
        "ℓ = (y + r)·[log(1 + e^s) − m s] with m = y/(y + r), up to terms in y: y + r times the logistic loss. A "
        "number times ℓ has that number times the derivatives, and times the price.",
        "self.r = r; def loss(self, eta, y): return (y + self.r) * Logistic().loss(eta - np.log(self.r), "
        "y / (y + self.r)), and the same line for dloss, d2loss and price(t, …).",
    ),
)


class Member:
    """An object of the reader's class. An error in one of its methods is raised as `Wrong`."""

    def __init__(self, Class, r):
        self.own, self.name = Class(r), f"{Class.__name__}({r:g})"
        derived = "derive it from glmlab.maths.families.Family, as the cell does: class NegativeBinomial(Family)"
        require(isinstance(self.own, Family), f"{self.name} is no Family", derived)

    def __getattr__(self, method):
        function = getattr(self.own, method, None)
        require(callable(function), f"{self.name} has no {method}", f"write its method {method}")
        return Guarded(function, f"{self.name}.{method}")

    def at(self, eta, y, where):
        """loss, dloss and d2loss, if each is one finite number for each row."""
        with np.errstate(all="ignore"):
            return three((self.loss(eta, y), self.dloss(eta, y), self.d2loss(eta, y)), eta, where)


def counts(seed, eta, r):
    rng = np.random.default_rng(seed)
    return rng.poisson(np.exp(np.clip(eta, -20, 6)) * rng.gamma(r, 1 / r, size=eta.shape)).astype(float)


@NEGATIVE_BINOMIAL.condition(
    "a class with loss, dloss, d2loss, and a price or a conjugate",
    hint="a certificate needs D(t): write price(t, eta, y), which is y + r times the logistic price at η − log r",
)
def family_is_whole(Class):
    family = Member(Class, 2.0)
    for method in ("loss", "dloss", "d2loss"):
        getattr(family, method)
    priced = hasattr(family.own, "conjugate") or type(family.own).price is not Family.price
    require(priced, f"{family.name} has neither a price nor a conjugate")
    y = np.array([0.0, 1.0, 7.0])
    other = "its base class accepts other y than counts: derive it from Family"
    require(np.all(family.domain(y)), f"{family.name} refuses the counts {y[~family.domain(y)].tolist()}", other)


@NEGATIVE_BINOMIAL.condition(
    "finite at any η, and convex",
    hint="e^η overflows beyond 709, and log(r + e^η) with it: write log(1 + e^s) without overflow, as Logistic does",
)
def family_is_finite(Class):
    for r in (0.3, 2.5, 50.0):
        eta = np.concatenate([TAILS, [-800.0, 800.0]])
        for y in (0.0, 3.0):
            d2 = Member(Class, r).at(eta, np.full_like(eta, y), f"for r = {r:g} and y = {y:g}")[2]
            words = f"for r = {r:g} and y = {y:g}, d2loss is {d2.min():.3g} somewhere"
            require(np.all(d2 >= 0), words, "the loss is convex: its second derivative is never negative")


@NEGATIVE_BINOMIAL.condition(
    "derivatives of its loss",
    hint="differentiate with y fixed: compare with (ℓ(η + h) − ℓ(η − h)) / 2h",
)
def family_derivatives(Class):
    eta = np.linspace(-3, 4, 15)
    mu = np.exp(eta)
    for k, r in enumerate((0.4, 2.0, 30.0)):
        family, y = Member(Class, r), counts(820 + k, eta, r)
        loss, d1, d2 = family.at(eta, y, f"for r = {r:g}")
        agrees(d1, slopes(lambda e, f=family, y=y: f.at(e, y, "")[0], eta), np.abs(loss), "dloss", eta, {
            "e^η − y is the Poisson's slope": mu - y,
            "y + r stands before the slope of log(r + e^η), not y alone": y * mu / (r + mu) - y,
        })  # fmt: skip
        agrees(d2, slopes(lambda e, f=family, y=y: f.at(e, y, "")[1], eta), np.abs(d1), "d2loss", eta, {
            "rμ/(r + μ) is the Fisher information, the expected value: differentiate dloss with y fixed":
                r * mu / (r + mu),
        })  # fmt: skip


@NEGATIVE_BINOMIAL.condition(
    "the density's own loss",
    hint="compare with −log of the negative binomial density (mean e^η, variance μ + μ²/r): differences over η must "
    "agree. For r → ∞ the Poisson comes out. Does r, or 1/r, multiply μ²?",
)
def family_is_the_density(Class):
    from scipy.stats import nbinom

    eta = np.linspace(-3, 4, 15)
    for k, r in enumerate((0.4, 2.0, 30.0)):
        family, y = Member(Class, r), counts(830 + k, eta, r)
        rise = family.at(eta, y, f"for r = {r:g}")[0] - family.at(0 * eta, y, f"for r = {r:g}")[0]
        expected = nbinom.logpmf(y, r, r / (r + 1)) - nbinom.logpmf(y, r, r / (r + np.exp(eta)))
        j = int(np.argmax(np.abs(rise - expected)))
        words = f"for r = {r:g}, y = {y[j]:g} the loss rises by {rise[j]:.4g} from η = 0 to {eta[j]:.2g}"
        require(np.allclose(rise, expected, atol=1e-7), f"{words}; −log density by {expected[j]:.4g}")


@NEGATIVE_BINOMIAL.condition(
    "the price of a slope",
    hint="D(t) = ℓ(η) + ℓ*(θ) − θη at θ = ℓ′ + ℓ″t. Which number multiplies the logistic price, and where is it taken?",
    errors=True,
)
def family_price(Class):
    eta = np.linspace(-2, 3, 11)
    for k, r in enumerate((0.4, 2.0, 30.0)):
        family, y = Member(Class, r), counts(840 + k, eta, r)
        loss, d1, d2 = family.at(eta, y, f"for r = {r:g}")
        if hasattr(family.own, "conjugate"):
            off = np.abs(loss + family.conjugate(d1, y) - d1 * eta).max()
            words, same = f"for r = {r:g} ℓ(η) + ℓ*(θ) is off by {off:.2g} from θη at θ = ℓ′(η)", 1 + np.abs(loss).max()
            require(off <= 1e-6 * same, words, "conjugate must be that of your loss, terms in y included")
        for t in (-0.9, -0.3, 0.2, 0.8):
            found, dearest = _price(family, t, eta, y), fenchel(family, t, eta, y)
            j = int(np.argmax(np.abs(found - dearest)))
            words = f"for r = {r:g}, y = {y[j]:g}, η = {eta[j]:.2g}, t = {t:g} the price is {dearest[j]:.5g}"
            fine = np.allclose(found, dearest, rtol=1e-3, atol=1e-6 * (1 + y.max()))
            require(fine, f"{words}; it says {found[j]:.5g}", recognised(found, {
                "½ℓ″t² is the price of a small move only": d2 * t**2 / 2,
                "y + r losses have y + r times the price of one": dearest / (y + r),
            }, rtol=1e-3))  # fmt: skip
        for t in (-1e3, 1e3):
            outside = (d1 + d2 * t < -y * (1 + 1e-9)) | (d1 + d2 * t > r * (1 + 1e-9))  # ℓ* is infinite there
            words = f"for r = {r:g} and t = {t:g} no line of this slope lies below the loss, and it names a price"
            priced = np.isfinite(_price(family, t, eta, y)[outside])
            require(not priced.any(), words, "ℓ* is infinite there: return inf")


def _price(family, t, eta, y):
    with np.errstate(all="ignore"):
        found = np.asarray(family.price(np.full_like(eta, t), eta, y), dtype=float)
    require(found.shape == eta.shape, f"price has shape {found.shape}; one number a row, {eta.shape}")
    return found


def fenchel(family, t, eta, y):
    """ℓ(η) + max_u (θu − ℓ(u)) − θη over a fine grid of u."""
    loss, d1, d2 = family.at(eta, y, "for the price")
    theta, us = d1 + d2 * t, np.linspace(-12, 12, 24_001)
    heights = theta[:, None] * us - family.loss(us[None, :], y[:, None])
    return loss + heights.max(axis=1) - theta * eta


@NEGATIVE_BINOMIAL.condition(
    "glmlab fits it, and proves the answer",
    hint="a fit calls the methods with arrays (n,) and (n, m), and sends the family to other processes: work entry by "
    "entry, and keep plain numbers in self",
    errors=True,
)
def family_is_fitted(Class):
    from glmlab.fitting import fit

    X = np.random.default_rng(850).normal(size=(80, 2))
    y = counts(851, X @ [0.4, -0.3], 2.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the status says what a warning would
        found = fit(X, y, family=Member(Class, 2.0).own, tol=1e-10)
    proved = found.converged and found.certificate.rigorous
    require(proved, f"a fit of 80 rows ends with: {found.status}")
