"""Penalties g(β) = Σ_j λ₁|β_j| + (λ₂/2) β_j²: nothing, L1, ridge and the elastic net.

Solvers use a penalty's `value` and `prox`; for smooth penalties also `grad` and the constant curvature `l2`. The stop
rule uses `distance`. λ is never rescaled: the loss is a sum over rows, not a mean.
"""

from typing import NamedTuple

import numpy as np

from glmlab.checks import number
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
    """No penalty: g = 0."""

    name = "zero"


class L1(Penalty):
    """The lasso penalty λ‖β‖₁."""

    name = "l1"

    @spelt
    def __init__(self, lam):
        self.lam = self.l1 = number("lam", lam)


class Ridge(Penalty):
    """(λ/2)‖β‖₂²."""

    name = "ridge"

    @spelt
    def __init__(self, lam):
        self.lam = self.l2 = number("lam", lam)


class ElasticNet(Penalty):
    """λ(r‖β‖₁ + (1 − r)/2 ‖β‖₂²) with r = l1_ratio in [0, 1] (Zou & Hastie 2005)."""

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
    if not (hasattr(g, "l1") and hasattr(g, "l2")):
        return None
    found = Weights(*(np.array(np.broadcast_to(value, dim), dtype=float) for value in (g.l1, g.l2)))
    if isinstance(g, FreeIntercept):
        found.l1[-1] = found.l2[-1] = 0.0
    return found


PENALTY_NEEDS = ("value", "distance")  # methods that `run` calls on any penalty; solvers call more
PENALTIES = {penalty.name: penalty for penalty in (Zero, L1, Ridge, ElasticNet)}
