"""Least squares in a small table: dim + 1 rows with the same losses as all n, from one pass.

With X̃ = √W [X 1] and r = √W (y − o) − X̃β₀ it is f(β) = ‖r − X̃(β − β₀)‖², which depends on the rows through X̃ᵀX̃, X̃ᵀr
and rᵀr alone: the Hessian, the gradient and the loss at β₀, of one pass. Let the triangle (R c; 0 ρ) be their Cholesky
factor, so that RᵀR = X̃ᵀX̃. Then f(β) = ‖c + Rβ₀ − Rβ‖² + ρ² for every β, which is a table of dim + 1 rows.

Rounding. The table is that of slightly other rows: its sums of products differ from those of X̃ and r by at most
8ε `share` times the product of the two columns' lengths. One unit of `share` is for the sums over rows, a quarter for
√w and the products, and (dim + 2) ÷ 16 for Cholesky's factor (Higham 2002, Theorem 10.3, with half of ε as unit). So a
slope of the table is wrong by at most 16ε `share` ‖x̃_j‖ (‖r‖ + Σ_k ‖x̃_k‖ |β_k − β₀_k|), and by the same for d in a
proof that moves its dual point along d. Twice as much stands in the evidence. Therefore a proof holds for the rows if
Σ_k ‖x̃_k‖ |d_k| is not larger than the rest: `trusted` asks for that.
"""

import numpy as np

from glmlab.maths.families import Gaussian
from glmlab.policy import Algebra
from glmlab.rows.chunks import InMemory
from glmlab.rows.kernels import Rows
from glmlab.rows.objective import Objective


class Condensed(Objective):
    """The objective f of least squares, answered from a small table. What a table cannot know is asked of f itself.

    root: Cholesky's factor, upper, (dim + 1, dim + 1). centre: β₀ (dim,).
    """

    def __init__(self, f, root, centre):
        y = root[:, -1].copy()
        y[:-1] += root[:-1, :-1] @ centre
        super().__init__(f.family, Table(Rows(root[:, :-1], y, None, None), f.chunks), "numpy")
        self.whole, self.centre, self.lengths = f, np.abs(centre), np.linalg.norm(root, axis=0)
        self.share = 1.25 + (f.dim + 2) / 16

    null = property(lambda self: self.whole.null)
    survey = property(lambda self: self.whole.survey)
    spans = property(lambda self: self.whole.spans)
    deviations = property(lambda self: self.whole.deviations)

    def look(self, beta):
        """What the first pass over all rows has found."""
        return self.whole.look(beta)

    def evidence(self, beta):
        """As of f, with the allowance for what the table has lost."""
        found, size = super().evidence(beta), self.size(beta)
        lost = 4 * self.share * self.lengths[:-1] * size
        return found._replace(loss_size=found.loss_size + 2 * self.share * size**2, weight=self.survey.weight,
                              slope_size=found.slope_size + lost)  # fmt: skip

    def size(self, beta):
        """‖r‖ and the length of what is subtracted from it, at most."""
        return self.lengths[-1] + self.lengths[:-1] @ (np.abs(beta) + 2 * self.centre)

    def trusted(self, result):
        """Has it converged, and does what was proved on the table hold for all rows?"""
        moved = self.lengths[:-1] @ np.abs(result.certificate.step)
        return result.converged and bool(moved <= self.size(result.state.beta))

    def _book(self, passes, rounds=1):
        """The table is nothing beside the rows: no pass, no round."""

    def _take_over(self):
        """The same."""


class Table(InMemory):
    """Few rows that stand for those of `chunks`. The column of the intercept is one of theirs, and not of ones."""

    def __init__(self, rows, chunks):
        super().__init__(rows, [len(rows.y)], threads=1)
        self.p, self.intercept, self.names, self.shifted = chunks.p, chunks.intercept, chunks.names, chunks.shifted


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def condensed(f, centre, policy=Algebra()):
    """The Condensed of f about β₀ = `centre` (dim,), from one pass. What f has booked so far is now booked there.

    None for another family than Gaussian, and where the small table would lose too many digits, as it does where
    columns are nearly dependent.
    """
    if type(f.family) is not Gaussian:
        return None
    loss, grad, hess = f.loss_grad_hess(centre)
    products = np.block([[hess, -grad[:, None]], [-grad, 2 * loss]]) / 2
    lengths = np.sqrt(np.diag(products))
    try:
        root = np.linalg.cholesky(products / lengths[:, None] / lengths)
    except np.linalg.LinAlgError:
        return None
    if not np.diag(root).min() > policy.pivot:
        return None
    small = Condensed(f, root.T * lengths, centre)
    small.passes, small.rounds, f.passes, f.rounds = f.passes, f.rounds, 0.0, 0
    return small
