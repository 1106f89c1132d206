"""What gaps, slopes and moves are measured in, so that no unit of X, y or exposure changes what they mean.

Heights measure F: P = F − Σ w min ℓ ≥ 0 is half the deviance plus the penalty, and S, to which relative gaps are
relative, is P or a little more. Effects measure a move d of the coefficients: by how much it moves the rows' η.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from glmlab.maths.penalties import lambdas
from glmlab.policy import Scaling
from glmlab.rows import kernels

EPS = np.finfo(float).eps
TINY = np.finfo(float).tiny


class Null(NamedTuple):
    """The null model: offsets and one level for all rows, but no columns."""

    level: float  # b; infinite where y allows no finite one, as with labels of one class
    loss: float  # the infimum over b of Σ w ℓ(b + o; y)
    floor: float  # Σ w min ℓ over η; nan where it is unknown


def null_model(f, sums):
    """The Null of an objective from its `sums` (.floor, .tally) over y, weights and offsets.

    Where the family has no formula for it, Newton's method finds b, in passes over the rows without their columns.
    """
    with np.errstate(all="ignore"):
        level, loss = f.family.level(sums.tally) if sums.tally else (0.0, np.nan)
    if np.isinf(level) and np.isnan(loss):
        loss = sums.floor  # the loss of every row falls to its own minimum as b runs away
    elif np.isfinite(level) and np.isnan(loss):
        rows = f.chunks.bare()
        level, loss = lowest(lambda b: rows.sum(kernels.loss_grad_hess, f.family, np.array([b])), level)
    return Null(level, loss, sums.floor)


def lowest(derivatives, b, steps=100):
    """The minimiser of a convex function of one variable and its value; `derivatives(b)` are loss, (1,) and (1, 1).

    Newton's method from b; a step is halved until the loss does not rise.
    """
    loss, slope, curve = derivatives(b)
    for _ in range(steps):
        with np.errstate(all="ignore"):
            step = -float(slope[0] / curve[0, 0])
        if not np.isfinite(step) or abs(step) <= 4 * EPS * abs(b):
            break
        new = derivatives(b + step)
        while not new[0] <= loss + 4 * EPS * abs(loss) and abs(step) > 1e-12 * max(abs(b), 1.0):
            step /= 2
            new = derivatives(b + step)
        b, (loss, slope, curve) = b + step, new
    return b, float(loss)


@dataclass(frozen=True)
class Scale:
    """The measures of one objective f, from what its passes have found. `Objective.scale` gives it."""

    f: object
    policy: Scaling = Scaling()

    # --- heights: how large F is -----------------------------------------------------------------------------------

    def height(self, objective):
        """P = F − Σ w min ℓ ≥ 0 where F is `objective`."""
        return max(objective - self.f.null.floor, 0.0)

    @property
    def null_height(self):
        """P of the null model, which is what columns can explain; 0 where it is unknown."""
        found = self.f.null.loss - self.f.null.floor
        return found if found > 0 else 0.0

    def unit(self, objective):
        """S = max(P, P of the null model ÷ 1000): relative gaps are relative to it. F is `objective`.

        What only re-parametrises the model does not change gap ÷ S: a unit of y or of exposure, the scale of a column,
        a row that is split in two, a constant in the loss. S is P and not the null model's, because nearly separable
        rows leave a millionth of that. S is at least a part of the null model's, because rows that are fitted exactly
        leave no P, and gap ÷ P would stay 1 to the end. Where the family's min ℓ is unknown, S is
        max(|F|, |F of the null model|).
        """
        f = self.f
        if np.isfinite(f.null.floor):
            found = max(self.height(objective), self.policy.least * self.null_height)
        else:
            found = max([abs(value) for value in (objective, f.null.loss) if np.isfinite(value)], default=0.0)
        return max(found, f.n * TINY / EPS)

    def residual(self, beta, grad, g):
        """max_j dist(−∇f, ∂g)_j ÷ √(2 (H_jj + λ₂) S): 0 iff β is optimal, and the same in any unit of X and y.

        Its square is the relative gap that the worst coordinate alone would close. H_jj is from the last pass that
        brought a diagonal of ∇²f.
        """
        f, found = self.f, np.abs(g.distance(beta, grad))
        with f.booked_apart():
            if f.diagonal is None:
                f.look(beta)
            objective = f.known(beta).loss + g.value(beta)
        penalties, diagonal = lambdas(g, f.dim), np.nan if f.diagonal is None else f.diagonal
        curve = diagonal + (penalties[1] if penalties else 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            scaled = found / np.sqrt(2 * curve * self.unit(objective))
        return float(np.where(found == 0, 0.0, scaled).max(initial=0.0))

    # --- effects: how far a move of β moves rows -------------------------------------------------------------------

    @property
    def level(self):
        """The coordinate that moves all rows alike, the last if there are several; None without one."""
        middle, half = self.f.spans
        alike = np.flatnonzero((half == 0) & (middle != 0))
        return int(alike[-1]) if alike.size else None

    @property
    def level_curvature(self):
        """Σ w ℓ″, the second derivative of f along the level; nan without a level."""
        if self.level is None or self.f.diagonal is None:
            return np.nan
        return self.f.diagonal[self.level] / self.f.spans[0, self.level] ** 2

    def terms(self, beta):
        """The largest |x_ij β_j| of each coordinate over the rows (dim,).

        Where there is a level, |x_ij| counts from the middle of the column: the level carries what a column adds to all
        rows alike. The level itself has 0 here.
        """
        middle, half = self.f.spans
        if self.level is None:
            return (np.abs(middle) + half) * np.abs(beta)
        size = np.where(half > 0, half, np.abs(middle))
        size[self.level] = 0.0
        return size * np.abs(beta)

    def largest_term(self, beta):
        """The largest |x_ij β_j|, columns as they are: the rounding error of η is a share of it."""
        middle, half = self.f.spans
        return float(np.max((np.abs(middle) + half) * np.abs(beta), initial=0.0))

    def effect(self, d):
        """By how much the move d (dim,) moves η through one coordinate, at worst over rows and coordinates."""
        shared = 0.0 if self.level is None else abs(self.f.spans[0] @ d)
        return float(max(np.max(self.terms(d), initial=0.0), shared))

    def size(self, d):
        """‖d‖∞ in units in which every column of X has one size, given back in the columns' own units (dim,)."""
        scale = self.f.survey.scale
        unit = np.where(scale > 0, scale, 1.0)
        return np.max(unit * np.abs(d)) / unit
