"""The quadratic model on a working set of sparse columns: coordinate descent on the columns, without a matrix.

The Hessian of m coordinates takes m² numbers and its factor m³ work, however few numbers the columns hold. Coordinate
descent needs the columns alone, Z = √h X_A. It keeps t = Zd, so that one coordinate costs two trips over its column:
one for its slope, one to change t. A sweep over all costs as much as two products with Z.
Reference: Yuan, Ho & Lin (2012), Algorithm 3.
"""

import functools
from typing import NamedTuple

import numpy as np
from scipy import sparse

from glmlab.policy import Descent


class Columns(NamedTuple):
    """Some columns of X, one after the other: column k has data[i] in row rows[i], from ends[k] to ends[k + 1]."""

    ends: np.ndarray  # (m + 1,) int64
    rows: np.ndarray  # int32 or int64
    data: np.ndarray  # float64

    @classmethod
    def none(cls):
        return cls(np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0))

    @classmethod
    def of(cls, parts):
        """The columns of sparse matrices that lie one below the other."""
        X = sparse.vstack(parts, format="csc", dtype=np.float64)
        X.sum_duplicates()
        return cls(X.indptr.astype(np.int64), X.indices, X.data)

    def after(self, more):
        """These columns, then `more`."""
        ends = np.append(self.ends, self.ends[-1] + more.ends[1:])
        return Columns(ends, *(np.append(a, b) for a, b in zip(self[1:], more[1:], strict=True)))


def descend(columns, which, h, G, beta, l1, l2, d, share, policy=Descent()):
    """argmin_d Gᵀd + ½ Σᵢ hᵢ (X_A d)ᵢ² + Σ_j [½ l2_j d_j² + l1_j |β_j + d_j|]: (v, d, dᵀHd, done), v = β + d.

    `which` (m,) are the places of A in `columns`; h (n,); G, beta, l1, l2 and d, from where to start, are (m,). The
    sweeps end when one moves by less than `share` of d, in the norm of the diagonal. Not `done`: policy.sweeps were too
    few, as they are where columns are nearly dependent. Even then d is a direction of descent.
    Each sweep has an order of its own: in a fixed one, columns that have much in common (counts do: none is negative)
    take up to p times as many sweeps (Sun & Ye 2021; Lee & Wright 2019).
    """
    sweep, weighted = compiled()
    starts, ends = columns.ends[which], columns.ends[which + 1]
    Z, diagonal, d, t = np.empty_like(columns.data), l2.copy(), d.copy(), np.zeros_like(h)
    weighted(starts, ends, columns.rows, columns.data, np.sqrt(h), d, Z, diagonal, t)
    v, rng, done = beta + d, np.random.default_rng(0), False
    for _ in range(policy.sweeps):
        order = rng.permutation(len(v))
        moved = np.sqrt(sweep(order, starts, ends, columns.rows, Z, G, l1, l2, diagonal, v, d, t))
        if done := bool(moved <= np.sqrt(max(share**2 * (diagonal @ d**2), policy.last**2 * (diagonal @ v**2)))):
            break
    return v, d, t @ t, done


def weighted(starts, ends, rows, data, root, d, Z, diagonal, t):
    """Fill Z with √hᵢ x_ij in the columns from starts to ends, add the sums of squares to the diagonal, Zd to t."""
    for j in range(len(starts)):
        for i in range(starts[j], ends[j]):
            Z[i] = root[rows[i]] * data[i]
            diagonal[j] += Z[i] * Z[i]
            t[rows[i]] += Z[i] * d[j]


def sweep(order, starts, ends, rows, Z, G, l1, l2, diagonal, v, d, t):
    """One round over all coordinates: changes v, d and t = Zd, and returns Σ_j diagonal_j (change of d_j)²."""
    moved = 0.0
    for j in order:
        if not diagonal[j] > 0:
            continue
        slope = G[j] + l2[j] * d[j]
        for i in range(starts[j], ends[j]):
            slope += Z[i] * t[rows[i]]
        # Where the sign stays, this change has more digits than the difference of two values of v.
        change = -(slope + (l1[j] if v[j] > 0 else -l1[j])) / diagonal[j]
        if v[j] == 0 or (v[j] + change) * v[j] <= 0:
            pulled = diagonal[j] * v[j] - slope
            size = max(abs(pulled) - l1[j], 0.0) / diagonal[j]
            change = (size if pulled > 0 else -size) - v[j]
        if change != 0:
            v[j] += change
            d[j] += change
            moved += diagonal[j] * change * change
            for i in range(starts[j], ends[j]):
                t[rows[i]] += Z[i] * change
    return moved


@functools.cache
def compiled():
    """`sweep` and `weighted`, compiled."""
    from numba import njit

    return tuple(njit(cache=True, nogil=True, error_model="numpy")(loop) for loop in (sweep, weighted))
