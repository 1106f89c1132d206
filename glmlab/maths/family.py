"""The loss of one row as a function of its linear predictor η, and what solvers and proofs ask of it.

A family is a small class of functions that act on arrays of rows. A solver needs `loss`, `dloss` and `d2loss` only. A
family with `price` gets certificates, one with `mean` predicts, one with `domain` refuses bad labels, and one with
`recedes` can be told that it has no minimum. `saturated`, `tally` and `level` say how much there is to explain, the
unit of relative gaps. `fisher`, `multiple` and `log_rest` make standard errors and likelihoods of a loss (inference).

Every formula is written once, in families.py, negative_binomial.py and tweedie.py. `loss`, `dloss`, `d2loss` and `size`
also become compiled loops (rows/formulas.py): so they use NumPy's functions of single numbers, and `numpy.where` to
choose.

Terms in y alone are left out of every loss. A loss may be infinite; then a step was too long, and solvers backtrack.
"""

import numpy as np

from glmlab.maths.sums import Sums


def sigmoid(eta):
    """σ(η) = 1 / (1 + e^(−η)), written so that neither tail overflows."""
    small = np.exp(-np.abs(eta))
    return np.where(eta >= 0, 1.0, small) / (1.0 + small)


def phi(x):
    """φ(x) = (1+x) log(1+x) − x, the Kullback–Leibler price of moving a mean by the factor 1+x. It is +∞ below −1."""
    x = np.asarray(x, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        exact = np.where(x > -1, (1 + x) * np.log1p(x) - x, np.where(x == -1, 1.0, np.inf))
    # The two terms cancel near 0. There the series x²/2 − x³/6 + x⁴/12 − x⁵/20 + x⁶/30 keeps every digit.
    series = x * x * (1 / 2 - x * (1 / 6 - x * (1 / 12 - x * (1 / 20 - x / 30))))
    return np.where(np.abs(x) < 1e-3, series, exact)


def steepest(u):
    """The least c with φ(−t) ≤ c t² for all |t| ≤ u < 1. It is ½ at u = 0 and grows like ½ + u/6."""
    return float(phi(-u) / u**2) if u > 1e-3 else 1 / 2 + u * (1 / 6 + u * (1 / 12 + u * (1 / 20 + u / 20)))


def total(y, w):
    """Σ w; w None means that all are 1."""
    return float(len(y)) if w is None else w.sum()


def suits_the_loss(family, name):
    """Is the method `name` of this family from the class that wrote its loss, or from a subclass of that?"""
    writer, of_loss = (next((c for c in type(family).__mro__ if what in vars(c)), None) for what in (name, "loss"))
    return writer is not None and of_loss is not None and issubclass(writer, of_loss)


class Family:
    """What all families share. Families are values: those of one class with equal parameters are equal."""

    name = "family"
    domain_text = "any finite number"
    reach = 1.0  # of t: θ = ℓ′ + ℓ″t lies inside the domain of ℓ* for |t| < reach
    concordant = False  # True where |ℓ‴| ≤ ℓ″: then a gap says how far β is from the optimum
    most_curved = np.inf  # the largest ℓ″ over all η and y
    quadratic = False  # True where ℓ″ is the same at every η: then one Hessian serves every β
    multiple = 1.0  # ℓ is so many times −φ log(density of y), terms in y alone left out
    dispersed = False  # True where φ is a parameter of the model; else it is 1

    def __repr__(self):
        inside = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({inside})"

    def __eq__(self, other):
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self):
        return hash((type(self), *sorted(vars(self).items())))

    def domain(self, y):
        """Which rows have a y that this family accepts, (n,) of bool."""
        return np.isfinite(y)

    def size(self, eta, y):
        """The size of the numbers that `dloss` subtracts; rounding is a share of it. By default |ℓ′| + |y|."""
        return np.abs(self.dloss(eta, y)) + np.abs(y)

    def price(self, t, eta, y):
        """D(t) = ℓ(η) + ℓ*(θ) − θη at θ = ℓ′(η) + ℓ″(η)t (Fenchel–Young). Most families have a closed form."""
        theta = self.dloss(eta, y) + self.d2loss(eta, y) * t
        return self.loss(eta, y) + self.conjugate(theta, y) - theta * eta

    def dearest(self, u):
        """A number c with D(t) ≤ c ℓ″(η) t² for all |t| ≤ u, at any η and y. +∞ says that none is known."""
        return np.inf

    def saturated(self, y):
        """min over η of ℓ(η; y) = −ℓ*(0; y), (n,): the losses of a model with a coefficient for every row."""
        return -self.conjugate(np.zeros_like(y), y)

    def tally(self, y, w, o):
        """The Sums over rows (n,) from which `level` finds the null model. w and o may be None."""
        return Sums()

    def level(self, sums):
        """The null model: the b that minimises Σ w ℓ(b + o; y), and that minimum. Without a formula a guess and nan."""
        return 0.0, np.nan

    def dispersion(self, deviance, freedom):
        """φ, with which standard errors are √(φ (∇²f)⁻¹_jj), from half the deviance and n − p degrees of freedom."""
        return 1.0
