"""The losses of fits on rows that were held out, and the λ that they choose."""

from dataclasses import dataclass, field

import numpy as np

from glmlab.cards import html_card, plain_card
from glmlab.paths import Path
from glmlab.rows.folds import numbers_of
from glmlab.rows.sampling import picked
from glmlab.solvers.start import weight_of
from glmlab.words import count_text


def vector_of(result, f):
    """The coefficients of a Result (dim,), the intercept last."""
    return np.append(result.beta, result.intercept) if f.chunks.intercept else result.beta


def held_out(f, numbers, paths):
    """The mean loss of each fold's rows at each of its λ (folds, m), and the weights of the folds: one pass."""
    B = np.array([[vector_of(result, f) for result in path] for path in paths])
    parts = f.chunks.map(losses_of_folds, f.kernel("losses"), f.family, B, per_chunk=[numbers])
    losses, weights = (np.sum(found, axis=0) for found in zip(*parts, strict=True))
    return losses / weights[:, None], weights


def losses_of_folds(rows, kernel, family, B, numbers):
    """The losses of each fold's rows in a chunk at its m coefficients B[k] (m, dim), and their weights."""
    numbers, losses, weights = numbers_of(numbers), np.zeros(B.shape[:2]), np.zeros(len(B))
    for k, own in enumerate(B):
        some = picked(rows, np.flatnonzero(numbers == k))
        losses[k] = kernel(some, family, np.ascontiguousarray(own)).losses
        weights[k] = weight_of(some)
    return losses, weights


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """What `cross_validate_path` returns: the losses on rows that were held out, and the λ that they choose.

    There are m values of λ. A loss is that of one row of weight 1, without the penalty, in the unit of ℓ.

    Attributes
    ----------
    path : Path
        Of all rows.
    results : tuple of Path
        One for each fold, fitted without its rows.
    losses : array, shape (folds, m)
        The weighted mean of ℓ over the rows of each fold.
    weights : array, shape (folds,)
        Σ w of its rows.
    reads : int
        Passes that the folds made together.
    lams : array, shape (m,)
        λ, falling.
    mean, se : arrays, shape (m,)
        The loss of a row that was held out, and its standard error.
    best, simplest : int
        The numbers of lam_best and of lam_1se.
    lam_best, lam_1se : float
        The λ with the least mean loss, and the largest one within a standard error of it.
    result_best, result : Result
        The fits of all rows at lam_best and at lam_1se.
    converged : bool
        Was every fit, of all rows and of the folds, proved to its tolerance?

    Examples
    --------
    >>> from glmlab import cross_validate_path, datasets
    >>> X, y, _ = datasets.make_regression(100, 3)
    >>> found = cross_validate_path(X, y, family="gaussian", lams=[1000, 100, 10])
    >>> found.best, found.result_best.penalty, found.converged
    (2, L1(lam=10), True)
    """

    path: Path
    results: tuple = field(repr=False)
    losses: np.ndarray = field(repr=False)
    weights: np.ndarray = field(repr=False)
    reads: int

    @property
    def lams(self):
        """λ (m,), falling."""
        return self.path.lams

    @property
    def mean(self):
        """The loss of a row that was held out, at each λ (m,): the weighted mean over all rows."""
        return self.weights @ self.losses / self.weights.sum()

    @property
    def se(self):
        """The standard error of `mean` (m,), as if the folds' means were independent."""
        spread = self.weights @ (self.losses - self.mean) ** 2 / self.weights.sum()
        return np.sqrt(spread / (len(self.losses) - 1))

    @property
    def best(self):
        """The number of the λ with the least mean loss, the largest such λ."""
        return int(np.argmin(self.mean))

    @property
    def simplest(self):
        """The number of the largest λ whose mean loss is within one standard error of the least.

        Reference: Breiman et al. (1984), §3.4.3; Hastie, Tibshirani & Friedman (2009), §7.10.
        """
        return int(np.flatnonzero(self.mean <= self.mean[self.best] + self.se[self.best])[0])

    @property
    def lam_best(self):
        """The λ with the least mean loss."""
        return float(self.lams[self.best])

    @property
    def lam_1se(self):
        """The largest λ whose mean loss is within one standard error of the least."""
        return float(self.lams[self.simplest])

    @property
    def result_best(self):
        """The Result of all rows at `lam_best`."""
        return self.path[self.best]

    @property
    def result(self):
        """The Result of all rows at `lam_1se`."""
        return self.path[self.simplest]

    @property
    def converged(self):
        """Was every fit, of all rows and of the folds, proved to its tolerance?"""
        return self.path.converged and all(one.converged for one in self.results)

    def to_frame(self):
        """A pandas DataFrame, one row a λ: the losses, and what is not zero in the fit of all rows."""
        import pandas as pd

        found = {"lam": self.lams, "loss": self.mean, "se": self.se,
                 "nonzero": np.count_nonzero(self.path.betas, axis=1)}  # fmt: skip
        return pd.DataFrame(found | {f"fold_{k}": losses for k, losses in enumerate(self.losses)})

    def summary(self):
        """Name and value of everything worth printing."""
        fits = [result for one in self.results for result in one]
        proved = sum(result.converged for result in fits)
        found = {
            "folds": f"{len(self.results)} folds at {len(self.lams)} λ from {self.lams[0]:.6g} to {self.lams[-1]:.6g}",
            "least loss": self._at(self.best),
            "one-SE rule": self._at(self.simplest),
            "certificates": f"{proved} of {len(fits)} fits of the folds converged",
            "work": f"{count_text(self.reads, 'pass')} for all folds, which would have made "
                    f"{sum(result.rounds for result in fits):,} rounds one by one, certificates not counted",
            "path": self.path.summary()["path"],
        }  # fmt: skip
        last = self.best == len(self.lams) - 1
        return found | ({"advice": "the least loss is at the last λ; smaller λ may have a smaller one"} if last else {})

    def _at(self, k):
        nonzero = np.count_nonzero(self.path[k].beta)
        words = f"{count_text(nonzero, 'coefficient')} {'is' if nonzero == 1 else 'are'} not zero"
        return f"λ = {self.lams[k]:.6g}: {self.mean[k]:.6g} ± {self.se[k]:.3g} a row, {words}"

    def __repr__(self):
        return plain_card("CrossValidation", self.summary())

    def _repr_html_(self):
        return html_card("CrossValidation", self.summary())
