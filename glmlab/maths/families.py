"""The families by name: least squares, labels, counts and amounts. `family` says what a family is."""

import numpy as np
from scipy.special import gammaln

from glmlab.maths.family import Family, phi, sigmoid, steepest, total
from glmlab.maths.negative_binomial import NegativeBinomial
from glmlab.maths.sums import LogSum, Moments, Sums, log_sum_exp, moments, weighed
from glmlab.maths.tweedie import Tweedie


class Gaussian(Family):
    """Least squares without a ½: ℓ(η; y) = (y − η)².

    For any finite y; the mean of y is η. The loss has no ½, and the penalty counts against its sum: λ is twice that of
    a library that minimises half the sum.

    Examples
    --------
    >>> from glmlab import Gaussian, fit
    >>> result = fit([[1.0], [2.0]], [2.0, 4.0], family=Gaussian())  # or "gaussian"
    >>> result.beta.round(6).tolist()
    [2.0]
    """

    name = "gaussian"
    concordant = True
    reach = np.inf  # ℓ* is finite everywhere, and a minimum always exists
    quadratic = True
    most_curved = 2.0
    multiple = 2.0  # φ is the variance σ²
    dispersed = True

    def loss(self, eta, y):
        return (y - eta) ** 2

    def dloss(self, eta, y):
        return 2 * (eta - y)

    def d2loss(self, eta, y):
        return np.full_like(eta, 2.0)

    def conjugate(self, theta, y):
        """ℓ*(θ) = θ²/4 + θy."""
        return theta**2 / 4 + theta * y

    def mean(self, eta):
        return eta

    def size(self, eta, y):
        """2 (|μ| + |y|)."""
        return 2 * (np.abs(eta) + np.abs(y))

    def price(self, t, eta, y):
        """D(t) = t²."""
        return t**2

    def dearest(self, u):
        """ℓ″ = 2, so that D = ½ ℓ″ t² for every t."""
        return 0.5

    def recedes(self, t, y):
        """Where ℓ never increases along t: only in rows that do not move."""
        return t == 0

    def saturated(self, y):
        return np.zeros_like(y)

    def tally(self, y, w, o):
        return Sums([moments(y if o is None else y - o, w)])

    def level(self, sums):
        """b is the mean of y − o."""
        (found,) = sums
        return found.mean, found.squares

    def dispersion(self, deviance, freedom):
        """2σ², because ∇²f = 2XᵀX."""
        return 2 * deviance / freedom

    def fisher(self, eta):
        """The mean of ℓ″(η; y) over y with the mean μ(η): what Fisher's information adds up."""
        return np.full_like(eta, 2.0)

    def log_rest(self, y, w, phi):
        """What −w ℓ/(multiple·φ) leaves out of the log density of y, whose precision is w times that of one row."""
        return -np.log(2 * np.pi * phi / w) / 2


class Logistic(Family):
    """Labels with logit link: ℓ(η; y) = log(1 + e^η) − yη with y in [0, 1], proportions included.

    The mean of y is 1/(1 + e^(−η)). A proportion of n trials is fitted with sample_weight n.

    Examples
    --------
    >>> from glmlab import Logistic, fit
    >>> result = fit([[1.0]] * 4, [0, 1, 1, 1], family=Logistic())  # or "logistic"
    >>> result.beta.round(4).tolist()  # log 3
    [1.0986]
    >>> result.predict([[1.0]]).round(4).tolist()
    [0.75]
    """

    name = "logistic"
    concordant = True
    most_curved = 0.25  # at η = 0
    domain_text = "labels in [0, 1] (0/1, bools or proportions)"

    def loss(self, eta, y):
        # log(1 + e^η) without overflow is max(η, 0) + log(1 + e^(−|η|)).
        return np.maximum(eta, 0) - y * eta + np.log1p(np.exp(-np.abs(eta)))

    def dloss(self, eta, y):
        # The difference μ − y loses digits: at η = 40 and y = 1 all of them. With r it keeps them.
        r = self.rarer(eta)
        return np.where(eta >= 0, (1 - y) - r, r - y)

    def d2loss(self, eta, y):
        r = self.rarer(eta)
        return r * (1 - r)

    def rarer(self, eta):
        """r = min(μ, 1 − μ), the probability of the rarer label."""
        small = np.exp(-np.abs(eta))
        return small / (1 + small)

    def conjugate(self, theta, y):
        """ℓ*(θ) = m log m + (1−m) log(1−m) for m = θ + y in [0, 1], else +∞."""
        m = theta + y
        with np.errstate(divide="ignore", invalid="ignore"):
            entropy = np.where(m > 0, m * np.log(m), 0.0) + np.where(m < 1, (1 - m) * np.log1p(-m), 0.0)
        return np.where((m >= 0) & (m <= 1), entropy, np.inf)

    def mean(self, eta):
        return sigmoid(eta)

    def size(self, eta, y):
        r = self.rarer(eta)
        return np.where(eta >= 0, (1 - y) * (1 - r) + y * r, (1 - y) * r + y * (1 - r))

    def price(self, t, eta, y):
        """D(t) = μ φ((1−μ)t) + (1−μ) φ(−μt), μ = σ(η)."""
        mu, rest = sigmoid(eta), sigmoid(-eta)
        return mu * phi(rest * t) + rest * phi(-mu * t)

    def dearest(self, u):
        """D″(t) = ℓ″ ((1−μ)/(1 + (1−μ)t) + μ/(1 − μt)) ≤ ℓ″/(1 − |t|) = ℓ″ φ″(−|t|)."""
        return steepest(u)

    def recedes(self, t, y):
        return np.where(y >= 1, t >= 0, np.where(y <= 0, t <= 0, t == 0))

    def domain(self, y):
        return (y >= 0) & (y <= 1)

    def saturated(self, y):
        """The entropy of y, 0 for labels."""
        labels = np.count_nonzero(y) == np.count_nonzero(y == 1)
        return np.zeros_like(y) if labels else -self.conjugate(np.zeros_like(y), y)

    def tally(self, y, w, o):
        offsets = Moments(total(y, w), 0.0, 0.0) if o is None else moments(o, w)
        return Sums([weighed(y, w), offsets])

    def level(self, sums):
        """b + o = log ȳ/(1−ȳ) where all rows have one offset o; else this b is a guess."""
        events, offsets = sums
        share = events / offsets.weight
        b = np.log(share) - np.log1p(-share) - offsets.mean
        alike = not offsets.squares > 0
        return b, offsets.weight * self.saturated(np.array([share]))[0] if alike else np.nan

    def fisher(self, eta):
        return self.d2loss(eta, None)

    def log_rest(self, y, w, phi):
        """log of the binomial coefficient of wy events in w trials."""
        return gammaln(w + 1) - gammaln(w * y + 1) - gammaln(w * (1 - y) + 1)


class Poisson(Family):
    """Counts with log link: ℓ(η; y) = e^η − yη, y ≥ 0.

    The mean of y is e^η. Exposures are given as offset=numpy.log(exposure).

    Examples
    --------
    >>> from glmlab import Poisson, fit
    >>> result = fit([[1.0], [1.0]], [1, 3], family=Poisson())  # or "poisson"
    >>> result.beta.round(4).tolist()  # log 2
    [0.6931]
    >>> result.predict([[1.0]]).round(4).tolist()
    [2.0]
    """

    name = "poisson"
    concordant = True
    domain_text = "counts y >= 0"

    def loss(self, eta, y):
        return np.exp(eta) - y * eta

    def dloss(self, eta, y):
        return np.exp(eta) - y

    def d2loss(self, eta, y):
        return np.exp(eta)

    def conjugate(self, theta, y):
        """ℓ*(θ) = m log m − m for m = θ + y ≥ 0, else +∞."""
        m = theta + y
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(m > 0, m * np.log(m) - m, np.where(m == 0, 0.0, np.inf))

    def mean(self, eta):
        return np.exp(eta)

    def size(self, eta, y):
        return self.mean(eta) + np.abs(y)

    def price(self, t, eta, y):
        """D(t) = μ φ(t), μ = e^η."""
        return self.mean(eta) * phi(t)

    def dearest(self, u):
        return steepest(u)

    def recedes(self, t, y):
        return np.where(y > 0, t == 0, t <= 0)

    def domain(self, y):
        return (y >= 0) & np.isfinite(y)

    def tally(self, y, w, o):
        if o is None:
            return Sums([weighed(y, w), 0.0, LogSum(np.log(total(y, w)))])
        return Sums([weighed(y, w), weighed(y * o, w), log_sum_exp(o, w)])

    def level(self, sums):
        """e^b = Σ w y ÷ Σ w e^o."""
        events, crossed, exposure = sums
        b = np.log(events) - exposure.log
        return b, events - b * events - crossed

    def fisher(self, eta):
        return self.d2loss(eta, None)

    def log_rest(self, y, w, phi):
        """−w log y!"""
        return -w * gammaln(y + 1)


class Gamma(Family):
    """Positive amounts with log link: ℓ(η; y) = y e^(−η) + η, y > 0.

    The mean of y is e^η, and its standard deviation is a constant share of that.

    Examples
    --------
    >>> from glmlab import Gamma, fit
    >>> result = fit([[1.0], [1.0]], [1.0, 3.0], family=Gamma())  # or "gamma"
    >>> result.beta.round(4).tolist()  # log 2
    [0.6931]
    """

    name = "gamma"
    concordant = True
    dispersed = True
    domain_text = "amounts y > 0"

    def loss(self, eta, y):
        return y * np.exp(-eta) + eta

    def dloss(self, eta, y):
        return 1 - y * np.exp(-eta)

    def d2loss(self, eta, y):
        return y * np.exp(-eta)

    def conjugate(self, theta, y):
        """ℓ*(θ) = m log(m / y) − m for m = 1 − θ > 0, 0 for m = 0, else +∞."""
        m = 1 - theta
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(m > 0, -m + m * np.log(m / y), np.where(m == 0, 0.0, np.inf))

    def mean(self, eta):
        return np.exp(eta)

    def size(self, eta, y):
        return 1 + self.d2loss(eta, y)

    def price(self, t, eta, y):
        """D(t) = y e^(−η) φ(−t)."""
        return self.d2loss(eta, y) * phi(-t)

    def dearest(self, u):
        return steepest(u)

    def recedes(self, t, y):
        return t == 0

    def domain(self, y):
        return (y > 0) & np.isfinite(y)

    def tally(self, y, w, o):
        crossed, level = (0.0, np.log(y)) if o is None else (weighed(o, w), np.log(y) - o)
        return Sums([total(y, w), crossed, log_sum_exp(level, w)])

    def level(self, sums):
        """e^b = Σ w y e^(−o) ÷ Σ w."""
        weight, crossed, amount = sums
        b = amount.log - np.log(weight)
        return b, weight * (1 + b) + crossed

    def dispersion(self, deviance, freedom):
        return 2 * deviance / freedom

    def fisher(self, eta):
        """1, where the observed y e^(−η) has another value in every row."""
        return np.ones_like(eta)

    def log_rest(self, y, w, phi):
        """Of the gamma density of shape k = w/φ and mean μ."""
        k = w / phi
        return k * np.log(k) - gammaln(k) + (k - 1) * np.log(y)


FAMILY_NEEDS = ("loss", "dloss", "d2loss")  # what a fit asks of any family
FAMILIES = {family.name: family for family in (Gaussian, Logistic, Poisson, Gamma, NegativeBinomial, Tweedie)}
PLAIN = ("gaussian", "logistic", "poisson", "gamma")  # those without parameters, for which a name is enough
