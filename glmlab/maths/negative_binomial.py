"""The negative binomial family with log link: counts that vary more than a Poisson's."""

import numpy as np
from scipy.special import gammaln

from glmlab.checks import number
from glmlab.maths.family import Family, phi, steepest, total
from glmlab.maths.sums import Moments, Sums, moments, weighed
from glmlab.names import spelt


class NegativeBinomial(Family):
    """Counts that vary more than a Poisson's, with log link: ℓ(η; y) = (y + 1/α) log(1 + αμ) − yη, y ≥ 0.

    The mean is μ = e^η and the variance μ + αμ²; α > 0 is known. For α → 0 the loss is the Poisson's. Where α is not
    known, `fit_negative_binomial` finds it.

    Parameters
    ----------
    alpha : float > 0
        α, without a unit. r = 1/α is `theta` in R (MASS), and α is statsmodels' alpha.

    Raises
    ------
    TypeError, ValueError
        Unless α is a finite number > 0.

    Notes ----- With r = 1/α the loss is y + r times the logistic loss of y/(y + r) at η + log α, but for y log α. So
    derivatives, price and conjugate are y + r times those of that loss.

    References
    ----------
    Hilbe (2011), Negative Binomial Regression, section 8.2.

    Examples
    --------
    >>> from glmlab import NegativeBinomial, fit
    >>> result = fit([[1.0], [1.0]], [1, 3], family=NegativeBinomial(0.5))
    >>> result.beta.round(4).tolist()  # log 2
    [0.6931]
    """

    name = "negative_binomial"
    concordant = True
    domain_text = "counts y >= 0"

    @spelt
    def __init__(self, alpha):
        self.alpha = number("alpha", alpha, strict=True)

    def odds(self, eta):
        """Whether αμ > 1, and the smaller of αμ and 1/(αμ). Both keep their digits for the smallest α."""
        many = eta > -np.log(self.alpha)
        return many, np.where(many, 1 / self.alpha, self.alpha) * np.exp(np.where(many, -eta, eta))

    def shares(self, eta):
        """P = αμ/(1 + αμ) and Q = 1 − P."""
        many, small = self.odds(eta)
        rarer, other = small / (1 + small), 1 / (1 + small)
        return np.where(many, other, rarer), np.where(many, rarer, other)

    def loss(self, eta, y):
        many, small = self.odds(eta)
        # Where αμ > 1, (y + r)(η + log α) − yη is r(η + log α) + y log α, which keeps the digits.
        shift = np.log(self.alpha)
        return (y + 1 / self.alpha) * np.log1p(small) + np.where(many, (eta + shift) / self.alpha + y * shift, -y * eta)

    def dloss(self, eta, y):
        P, Q = self.shares(eta)
        return P / self.alpha - y * Q

    def d2loss(self, eta, y):
        P, Q = self.shares(eta)
        return (y + 1 / self.alpha) * P * Q

    def conjugate(self, theta, y):
        """ℓ*(θ) = m log(m/(1 + αy)) + (r − θ) log((r − θ)/(r + y)) for m = θ + y ≥ 0 and θ ≤ r, else +∞."""
        m, rest = theta + y, 1 / self.alpha - theta
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.where(m > 0, m * np.log(m / (1 + self.alpha * y)), 0.0)
            found += np.where(rest > 0, rest * np.log1p(-m / (y + 1 / self.alpha)), 0.0)
        return np.where((m >= 0) & (rest >= 0), found, np.inf)

    def mean(self, eta):
        return np.exp(eta)

    def size(self, eta, y):
        P, Q = self.shares(eta)
        return P / self.alpha + y * Q

    def price(self, t, eta, y):
        """D(t) = (y + r) (P φ(Qt) + Q φ(−Pt)), P = αμ/(1 + αμ) and Q = 1 − P."""
        P, Q = self.shares(eta)
        return (y + 1 / self.alpha) * (P * phi(Q * t) + Q * phi(-P * t))

    def dearest(self, u):
        """As for the logistic loss, since D and ℓ″ are multiples of its own."""
        return steepest(u)

    def recedes(self, t, y):
        """As for Poisson counts: the loss falls for ever where y = 0."""
        return np.where(y > 0, t == 0, t <= 0)

    def domain(self, y):
        return (y >= 0) & np.isfinite(y)

    def tally(self, y, w, o):
        offsets = Moments(total(y, w), 0.0, 0.0) if o is None else moments(o, w)
        return Sums([weighed(y, w), offsets])

    def level(self, sums):
        """b + o = log ȳ where all rows have one offset o; else this b is a guess."""
        events, offsets = sums
        mean = events / offsets.weight
        alike = not offsets.squares > 0
        least = offsets.weight * self.saturated(np.array([mean]))[0] if alike else np.nan
        return np.log(mean) - offsets.mean, least

    def fisher(self, eta):
        """μ/(1 + αμ): the mean of (y + r) P Q."""
        return self.shares(eta)[0] / self.alpha

    def log_rest(self, y, w, phi):
        """w log(Γ(y + r) α^y / (Γ(r) y!)); the loss leaves it out, although it depends on α."""
        r = 1 / self.alpha
        return w * (gammaln(y + r) - gammaln(r) + y * np.log(self.alpha) - gammaln(y + 1))
