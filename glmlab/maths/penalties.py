"""Penalties g(β) = Σ_j λ₁|β_j| + (λ₂/2) β_j²: nothing, L1, ridge, the elastic net, and these in other units.

Solvers use a penalty's `value` and `prox`; for smooth penalties also `grad` and the constant curvature `l2`. The stop
rule uses `distance`. λ is never rescaled: the loss is a sum over rows, not a mean.
"""

import copy
from typing import NamedTuple

import numpy as np

from glmlab.checks import number, vector
from glmlab.names import spelt


def shrinkage(v, t):
    """Soft threshold sign(v)·max(|v| − t, 0), the prox of t|·| (Boyd et al. 2011, §4.4.3)."""
    return np.sign(v) * np.maximum(np.abs(v) - t, 0.0)


class Penalty:
    """λ₁‖β‖₁ + (λ₂/2)‖β‖₂²; the classes below choose `l1` and `l2`."""

    l1 = 0.0
    l2 = 0.0

    @property
    def smooth(self):
        """True where the second derivative exists everywhere, so that Newton's method applies."""
        return self.l1 == 0.0

    def value(self, beta):
        """g(β)."""
        return self.l1 * np.abs(beta).sum() + self.l2 / 2 * (beta @ beta)

    def prox(self, v, step):
        """argmin_b g(b) + ‖b − v‖²/(2 step), step a number or (dim,) (Parikh & Boyd 2014, §6.5.3)."""
        return shrinkage(v, step * self.l1) / (1.0 + step * self.l2)

    def grad(self, beta):
        """∇g(β), for smooth penalties only."""
        return self.l2 * beta

    def at(self, lam):
        """The same penalty with another λ."""
        return type(self)(lam)

    def distance(self, beta, grad):
        """The distance (dim,) from −∇f to the subdifferential ∂g(β) in each coordinate. All are 0 iff β is optimal."""
        slope = grad + self.l2 * beta
        at_zero = np.maximum(np.abs(slope) - self.l1, 0.0)
        return np.where(beta == 0, at_zero, np.abs(slope + self.l1 * np.sign(beta)))

    def __repr__(self):
        inside = ", ".join(f"{name}={value:g}" for name, value in vars(self).items() if name not in ("l1", "l2"))
        return f"{type(self).__name__}({inside})"

    def __eq__(self, other):
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self):
        return hash((type(self), *sorted(vars(self).items())))


class Zero(Penalty):
    """No penalty: g = 0.

    Examples
    --------
    >>> from glmlab import Zero, fit
    >>> result = fit([[1.0], [2.0]], [2.0, 4.0], family="gaussian", penalty=Zero())
    >>> result.beta.round(6).tolist()
    [2.0]
    """

    name = "zero"


class L1(Penalty):
    """The lasso penalty g(β) = λ‖β‖₁, which makes coefficients exactly 0.

    λ counts against the sum of the losses: of scikit-learn's LogisticRegression it is 1/C, of its Lasso 2nα.

    Parameters
    ----------
    lam : float >= 0
        λ, in the unit of the losses ÷ that of β.

    Raises
    ------
    TypeError, ValueError
        For anything but a finite number >= 0.

    Examples
    --------
    >>> from glmlab import L1, fit
    >>> X, y = [[1.0, 0.0], [0.0, 1.0]], [3.0, 1.0]
    >>> fit(X, y, family="gaussian", penalty=L1(2.0)).beta.round(6).tolist()
    [2.0, 0.0]
    """

    name = "l1"

    @spelt
    def __init__(self, lam):
        self.lam = self.l1 = number("lam", lam)


class Ridge(Penalty):
    """The ridge penalty g(β) = (λ/2)‖β‖₂², which makes the minimum unique.

    λ counts against the sum of the losses: of scikit-learn's LogisticRegression it is 1/C, of its Ridge 2α.

    Parameters
    ----------
    lam : float >= 0
        λ, in the unit of the losses ÷ that of β².

    Raises
    ------
    TypeError, ValueError
        For anything but a finite number >= 0.

    Examples
    --------
    >>> from glmlab import Ridge, fit
    >>> X, y = [[1.0], [2.0]], [2.0, 4.0]
    >>> fit(X, y, family="gaussian", penalty=Ridge(10.0)).beta.round(6).tolist()
    [1.0]
    """

    name = "ridge"

    @spelt
    def __init__(self, lam):
        self.lam = self.l2 = number("lam", lam)


class ElasticNet(Penalty):
    """Lasso and ridge together: g(β) = λ(r‖β‖₁ + (1 − r)/2 ‖β‖₂²).

    λ counts against the sum of the losses; `glmlab.maths.conventions` converts that of other libraries.

    Parameters
    ----------
    lam : float >= 0
        λ, as of L1.
    l1_ratio : float in [0, 1]
        r, the share of λ that the L1 term has.

    Raises
    ------
    TypeError, ValueError
        For other numbers.

    References
    ----------
    Zou & Hastie (2005).

    Examples
    --------
    >>> from glmlab import ElasticNet, fit
    >>> X, y, g = [[1.0, 0.0], [0.0, 1.0]], [3.0, 1.0], ElasticNet(4.0, l1_ratio=0.5)
    >>> fit(X, y, family="gaussian", penalty=g).beta.round(6).tolist()
    [1.0, 0.0]
    """

    name = "elastic_net"

    @spelt
    def __init__(self, lam, l1_ratio):
        self.lam = number("lam", lam)
        self.l1_ratio = number("l1_ratio", l1_ratio)
        if self.l1_ratio > 1:
            raise ValueError(f"l1_ratio must lie in [0, 1], got {l1_ratio!r}")
        self.l1 = self.lam * self.l1_ratio
        self.l2 = self.lam * (1 - self.l1_ratio)

    def at(self, lam):
        return ElasticNet(lam, self.l1_ratio)


class Scaled(Penalty):
    """A penalty of β in other units: g(s₁β₁, …, s_pβ_p), so that column j has the weights λ₁s_j and λ₂s_j².

    A factor c that glmnet gives a column (penalty.factor) is the scale c under an L1 penalty and √c under a ridge.

    Parameters
    ----------
    penalty : Zero, L1, Ridge or ElasticNet
        g.
    scales : array or Series, shape (p,)
        s >= 0, one for each column of X; 0 leaves a coefficient without penalty. Those of a Series belong to the
        columns that its labels name.

    Raises
    ------
    TypeError, ValueError
        For another penalty, and for a scale < 0. A fit refuses scales for other columns.

    Examples
    --------
    >>> from glmlab import L1, Scaled, fit
    >>> X, y, g = [[1.0, 0.0], [0.0, 1.0]], [3.0, 2.0], Scaled(L1(2.0), [0.0, 1.0])
    >>> fit(X, y, family="gaussian", penalty=g).beta.round(6).tolist()
    [3.0, 1.0]
    """

    name = "scaled"

    @spelt
    def __init__(self, penalty, scales):
        self.penalty = of_this_form("penalty", penalty)
        self.labels = tuple(scales.index) if hasattr(scales, "iloc") else None
        self.scales = tuple(vector("scales", scales, np.size(scales)).tolist())
        if min(self.scales, default=0.0) < 0:
            raise ValueError(f"scales must be >= 0, got {min(self.scales):g}")

    @property
    def lam(self):
        return self.penalty.lam

    @property
    def l1(self):
        return self.penalty.l1 * np.array(self.scales)

    @property
    def l2(self):
        return self.penalty.l2 * np.square(self.scales)

    @property
    def smooth(self):
        return self.penalty.smooth

    def at(self, lam):
        other = copy.copy(self)
        other.penalty = self.penalty.at(lam)
        return other

    def value(self, beta):
        return self.penalty.value(np.multiply(self.scales, beta))

    def __repr__(self):
        return f"Scaled({self.penalty!r}, {len(self.scales)} scales)"


class Standardized(Penalty):
    """A penalty of the coefficients that standardised columns would have. X is not changed: a sparse one stays sparse.

    It stands for Scaled(penalty, s), where s_j is the standard deviation of column j over the rows, weighted as they
    are, and 1 for a column that is constant. `fit`, `run`, `path`, `cross_validate_path` and `certify` find s in a pass
    of their own. β stays in the units of X. The folds of a cross-validation have the s of all rows.

    Parameters
    ----------
    penalty : Zero, L1, Ridge or ElasticNet
        Of the standardised coefficients.

    Raises
    ------
    TypeError
        For another penalty; by `value`, `prox`, `grad` and `distance` too, which know no columns.

    Examples
    --------
    >>> from glmlab import Ridge, Standardized, fit
    >>> X, y, g = [[0.0], [10.0]], [1.0, 3.0], Standardized(Ridge(4.0))
    >>> result = fit(X, y, family="gaussian", penalty=g, fit_intercept=True)
    >>> result.beta.round(6).tolist()
    [0.1]
    """

    name = "standardized"

    @spelt
    def __init__(self, penalty):
        self.penalty = of_this_form("penalty", penalty)

    @property
    def l1(self):
        return self.penalty.l1

    @property
    def l2(self):
        return self.penalty.l2

    def at(self, lam):
        return Standardized(self.penalty.at(lam))

    def value(self, *given):
        raise TypeError("Standardized has no value before it knows the columns: fit, run, path and certify tell it")

    prox = grad = distance = value

    def __repr__(self):
        return f"Standardized({self.penalty!r})"


def of_this_form(name, penalty):
    """`penalty` if it is λ₁‖β‖₁ + (λ₂/2)‖β‖² with one λ for all coefficients. Raises TypeError."""
    if not isinstance(penalty, Penalty) or isinstance(penalty, (Scaled, Standardized)):
        raise TypeError(f"{name} must be Zero(), L1(lam), Ridge(lam) or ElasticNet(lam, l1_ratio), got {penalty!r}")
    return penalty


def on_rows(g, f):
    """The penalty g for the rows of f: the scales of a Standardized are known now, and labelled ones are in order.

    Raises ValueError where g has scales for other columns.
    """
    if isinstance(g, Standardized):
        g = Scaled(g.penalty, f.deviations)
    if isinstance(g, Scaled) and len(g.scales) != f.chunks.p:
        raise ValueError(f"penalty has {len(g.scales)} scales, but X has {f.chunks.p} columns: each needs one")
    names = f.chunks.names
    if isinstance(g, Scaled) and None not in (g.labels, names) and g.labels != tuple(range(len(names))):
        known = dict(zip(g.labels, g.scales, strict=True))
        if set(known) != set(names):
            raise ValueError(f"penalty has scales for {list(known)}, but X has the columns {list(names)}")
        g = Scaled(g.penalty, [known[name] for name in names])
    return g


class FreeIntercept:
    """The penalty `g` on all coefficients but the last, the intercept, which is not penalised."""

    def __init__(self, g):
        self.g = g

    def __getattr__(self, name):
        if name == "g":  # unpickling asks for attributes before g is set
            raise AttributeError(name)
        return getattr(self.g, name)

    def __repr__(self):
        return repr(self.g)

    def value(self, beta):
        return self.g.value(beta[:-1])

    def prox(self, v, step):
        inner = step[:-1] if np.ndim(step) else step
        return np.append(self.g.prox(v[:-1], inner), v[-1])

    def grad(self, beta):
        return np.append(self.g.grad(beta[:-1]), 0.0)

    def distance(self, beta, grad):
        return np.append(self.g.distance(beta[:-1], grad[:-1]), abs(grad[-1]))


class Weights(NamedTuple):
    """λ₁ and λ₂ of every coordinate, (dim,) both: what a model of F needs to know of the penalty."""

    l1: np.ndarray
    l2: np.ndarray


def lambdas(g, dim):
    """λ₁ and λ₂ of every coordinate, a Weights of two arrays (dim,); those of a free intercept are 0.

    None for a penalty that is not of this module's form.
    """
    if not is_weighted(g):
        return None
    free = isinstance(g, FreeIntercept)
    found = (np.array(np.broadcast_to(value, dim - free), dtype=float) for value in (g.l1, g.l2))
    return Weights(*(np.append(values, 0.0) if free else values for values in found))


def is_weighted(g):
    """Is the penalty of this module's form, so that `lambdas` knows it?"""
    return hasattr(g, "l1") and hasattr(g, "l2")


PENALTY_NEEDS = ("value", "distance")  # methods that `run` calls on any penalty; solvers call more
PENALTIES = {penalty.name: penalty for penalty in (Zero, L1, Ridge, ElasticNet)}
