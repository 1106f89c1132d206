"""How wide the columns of X are: mean and standard deviation of each, in one pass.

Every block is summed about its own mean, so that a large mean costs no digit. Blocks are joined by Chan, Golub &
LeVeque (1983), (2.1).
"""

import functools
from typing import NamedTuple

import numpy as np
from scipy import sparse

from glmlab.maths.sums import quietly
from glmlab.policy import Blocks
from glmlab.rows.kernels import as_floats, blocks

EPS = np.finfo(float).eps


class Moments(NamedTuple):
    """Of some rows."""

    weight: float  # Σ w
    mean: np.ndarray  # (p,)
    squares: np.ndarray  # (p,) Σ w (x − mean)²

    def and_(self, more):
        """Of these rows and more."""
        weight = self.weight + more.weight
        if weight == 0:
            return self
        share, apart = more.weight / weight, more.mean - self.mean
        return Moments(weight, self.mean + share * apart, self.squares + more.squares + share * self.weight * apart**2)


@quietly
def moments(rows, policy=Blocks()):
    """The Moments of a chunk."""
    p = rows.X.shape[1]
    found = (of_block(block.X, np.ones(len(block.y)) if block.w is None else as_floats(block.w))
             for block in blocks(rows, p, policy))  # fmt: skip
    return functools.reduce(Moments.and_, found, Moments(0.0, np.zeros(p), np.zeros(p)))


def of_block(X, w):
    """The Moments of rows X (n, p), dense or sparse, with weights w (n,)."""
    weight = w.sum()
    mean = X.T @ w / (weight or 1.0)
    if not sparse.issparse(X):
        return Moments(weight, mean, np.einsum("i,ij->j", w, (X - mean) ** 2))
    X = sparse.csc_array(X)
    X.sum_duplicates()
    columns = np.repeat(np.arange(X.shape[1]), np.diff(X.indptr))
    off = np.bincount(columns, w[X.indices] * (X.data - mean[columns]) ** 2, X.shape[1])
    rest = np.maximum(weight - np.bincount(columns, w[X.indices], X.shape[1]), 0.0)  # weight of rows that store none
    rest[np.diff(X.indptr) == X.shape[0]] = 0.0
    return Moments(weight, mean, off + rest * mean**2)


def deviations(parts):
    """The standard deviations (p,) over all parts; 1 where one is rounding alone."""
    weight, mean, squares = functools.reduce(Moments.and_, parts)
    found = np.sqrt(squares / weight)
    return np.where(found > 64 * EPS * np.abs(mean), found, 1.0)
