"""The Tweedie family with log link: amounts that are 0 in some rows and positive in others, as a year's claims are."""

import numpy as np

from glmlab.checks import number
from glmlab.maths.family import Family, phi, steepest, total
from glmlab.maths.sums import LogSum, Sums, log_sum_exp, weighed
from glmlab.names import spelt

SURELY = 1 + 1e-12  # φ(x) may lose 9e-13 of itself by rounding, at |x| = 1e-3: so much more is surely enough


class Tweedie(Family):
    """Amounts y ≥ 0, many of them 0, with log link: ℓ(η; y) = y e^(−aη)/a + e^(bη)/b, a = p − 1, b = 2 − p.

    The mean is μ = e^η and the variance φ μ^p, 1 < p < 2.

    Parameters
    ----------
    power : float in (1, 2)
        p, without a unit.

    Raises
    ------
    TypeError, ValueError
        For a power outside of (1, 2), with the reason.

    Notes
    -----
    The loss is the sum of a Gamma-like term, falling in η, and a Poisson-like one, rising. Both are convex for a, b > 0
    only. With A = y e^(−aη) and B = e^(bη) the slope is B − A, and ℓ″ = aA + bB.

    The conjugate ℓ*(θ) has no closed form, since B − A = θ has none for η. The price does without it. The conjugate of
    a sum is an infimal convolution: any slopes −A(1 − a r) and B(1 + b s) that add up to θ bound D(t) from above,

        D(t) ≤ (A/a) φ(−a r) + (B/b) φ(b s)   for all r and s with aA r + bB s = ℓ″t,

    because sup_δ of a sum is at most the sum of the suprema, and each supremum is a φ. r = s = t is such a choice. The
    best choice is r = (1 − e^(−aδ))/a, s = (e^(bδ) − 1)/b at the δ that attains ℓ*(θ). Newton's method finds δ to a few
    digits. Then one of r and s follows from the other, so that their sum is right however wrong δ is: what `price`
    returns is an upper bound, and its error is of second order in that of δ.

    References ---------- Jørgensen (1997), The Theory of Dispersion Models, chapter 4; infimal convolution: Rockafellar
    (1970), Convex Analysis, Theorem 16.4.

    Examples
    --------
    >>> from glmlab import Tweedie, fit
    >>> result = fit([[1.0], [1.0]], [0.0, 4.0], family=Tweedie(1.5))
    >>> result.beta.round(4).tolist()  # log 2
    [0.6931]
    """

    name = "tweedie"
    dispersed = True
    concordant = True  # |ℓ‴| = |b²B − a²A| ≤ max(a, b) ℓ″
    domain_text = "amounts y >= 0"
    steps = 4  # of Newton's method for δ: for |t| < 1 the price is then D to 1e-11, to 1e-5 for powers near 1 and 2

    @spelt
    def __init__(self, power):
        self.power = number("power", power, -np.inf)
        if not 1 < self.power < 2:
            raise ValueError(f"power must lie between 1 and 2, got {power!r}: {why_not(self.power)}")

    def exponents(self):
        """a = p − 1 and b = 2 − p."""
        return self.power - 1, 2 - self.power

    def parts(self, eta, y):
        """A = y e^(−aη) and B = e^(bη). Where y is 0, A is 0 however large e^(−aη) would be."""
        a, b = self.exponents()
        return y * np.exp(np.where(y > 0, -a, 0.0) * eta), np.exp(b * eta)

    def loss(self, eta, y):
        (a, b), (A, B) = self.exponents(), self.parts(eta, y)
        return A / a + B / b

    def dloss(self, eta, y):
        A, B = self.parts(eta, y)
        return B - A

    def d2loss(self, eta, y):
        (a, b), (A, B) = self.exponents(), self.parts(eta, y)
        return a * A + b * B

    def mean(self, eta):
        return np.exp(eta)

    def size(self, eta, y):
        A, B = self.parts(eta, y)
        return A + B

    def price(self, t, eta, y):
        """An upper bound on D(t), as the class explains: the smaller price of r = s = t and of Newton's r and s."""
        (a, b), (A, B) = self.exponents(), self.parts(eta, y)
        with np.errstate(all="ignore"):  # one of the two may be no number: then the other counts
            plain = A / a * phi(-a * t) + B / b * phi(b * t)
            r, s = self.split(t, a * A, b * B)
            best = A / a * phi(-a * r) + B / b * phi(b * s)
        return SURELY * np.fmin(plain, best)

    def split(self, t, falling, rising):
        """r and s with falling · r + rising · s = (falling + rising) t, near those of the least price."""
        a, b = self.exponents()
        delta = np.where(t > 0, np.log1p(b * np.abs(t)) / b, -np.log1p(a * np.abs(t)) / a)
        for _ in range(self.steps):
            r, s = -np.expm1(-a * delta) / a, np.expm1(b * delta) / b
            short = falling * (t - r) + rising * (t - s)
            delta = delta + short / (falling * (1 - a * r) + rising * (1 + b * s))
        r, s = -np.expm1(-a * delta) / a, np.expm1(b * delta) / b
        heavy = falling >= rising  # what follows from the other is divided by the larger of the two
        return np.where(heavy, t + rising * (t - s) / falling, r), np.where(heavy, s, t + falling * (t - r) / rising)

    def dearest(self, u):
        """D(t) ≤ (A/a) φ(−at) + (B/b) φ(bt) ≤ c (aA + bB) t², with the c of φ up to max(a, b) u."""
        return steepest(max(self.exponents()) * u)

    def recedes(self, t, y):
        return np.where(y > 0, t == 0, t <= 0)

    def domain(self, y):
        return (y >= 0) & np.isfinite(y)

    def saturated(self, y):
        """ℓ at μ = y: y^b/(ab), since 1/a + 1/b = 1/(ab)."""
        a, b = self.exponents()
        return y**b / (a * b)

    def tally(self, y, w, o):
        if o is None:
            return Sums([LogSum(np.log(weighed(y, w))), LogSum(np.log(total(y, w)))])
        a, b = self.exponents()
        return Sums([log_sum_exp(-a * o, y if w is None else w * y), log_sum_exp(b * o, w)])

    def level(self, sums):
        """e^b = Σ w y e^(−ao) ÷ Σ w e^(bo)."""
        a, b = self.exponents()
        amount, exposure = (found.log for found in sums)
        return amount - exposure, np.exp(b * amount + a * exposure) / (a * b)

    def dispersion(self, deviance, freedom):
        return 2 * deviance / freedom

    def fisher(self, eta):
        """B, the mean of aA + bB, since A has the mean B."""
        return np.exp(self.exponents()[1] * eta)

    def log_rest(self, y, w, phi):
        """Not known: the density is a series without closed form. So likelihoods are nan; deviances are known."""
        return np.full_like(y, np.nan)


def why_not(power):
    """Why there is no Tweedie family of this power, and what to write instead."""
    if power == 0:
        return "power 0 is the Gaussian with log link, whose loss is not convex; Gaussian() has the identity link"
    if power == 1:
        return "power 1 is the Poisson's: write Poisson()"
    if power == 2:
        return "power 2 is the Gamma's: write Gamma()"
    if 0 < power < 1:
        return "no distribution has a power between 0 and 1"
    return (
        "with log link the loss is not convex there, so that nothing could be proved (3 is the inverse Gaussian's); "
        "Gamma() has power 2 and a convex loss"
    )
