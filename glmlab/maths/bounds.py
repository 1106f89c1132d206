"""What any bound at one β says, and what is known of that β before there is a bound."""

from typing import NamedTuple

import numpy as np

EPS = np.finfo(float).eps


class Corrected(NamedTuple):
    """The bound at one β, and the model's step from there."""

    objective: float  # F(β)
    kkt: float
    worst: float  # how wrong the computed F(β) can be
    likely: float  # how wrong it is likely to be, which is part of the bound
    step: np.ndarray  # (dim,) d
    rank: int
    bound: float = np.inf
    why: str = ""  # why there is no bound
    noise: float = 0.0  # the price of what rounding has done to η, without which the bound would be smaller
    within: np.ndarray = np.nan  # (dim,) no β_j is further from its optimum; nan where nothing is known
    deviations: np.ndarray = np.nan  # (dim,) standard errors of β, nan where they are not defined
    furthest: float = np.inf  # max |t|: near 0 the bound is nearly the gap


def blank(f, g, beta, seen, grad):
    """What is known of β before there is a bound: F, the residual, and how wrong the computed F may be.

    seen: .loss, .loss_size and .eta_size at β, as in Evidence. grad (dim,) is ∇f. The rounding of η differs from row
    to row, so that it is likely to add up like √n, and adds up like n at worst.
    """
    value = float(g.value(beta))
    likely = 8 * EPS * (seen.loss_size + seen.eta_size / np.sqrt(f.n) + abs(value)) + f.n * np.finfo(float).tiny
    kkt = float(np.abs(g.distance(beta, grad)).max())
    return Corrected(seen.loss + value, kkt, likely + 8 * EPS * seen.eta_size, likely, np.zeros(f.dim), f.dim)
