"""Sparse rows seen by columns: those of a working set, brought to the client once (maths/descent.py)."""

import numpy as np
from scipy import sparse

from glmlab.maths.descent import Columns
from glmlab.maths.sums import quietly
from glmlab.policy import Descent
from glmlab.rows.kernels import part, weigh, with_ones
from glmlab.rows.threads import once


class ByColumns:
    """Columns of the sparse rows of an Objective. What is asked for stays here, so that it travels once."""

    def __init__(self, f):
        self.f, self._curvatures = f, None
        self.columns, self.places = Columns.none(), np.full(f.dim, -1)

    def serve(self, A, policy=Descent()):
        """May the columns A (m,) be brought here: are they sparse, can numba compile, are their numbers few enough?"""
        return self.f.chunks.sparse and self.f.kernels == "fused" and self.stored[A].sum() <= policy.carried

    @once
    def stored(self):
        """How many numbers each column stores, (dim,)."""
        with self.f.booked_apart():
            return sum(self.f.map(stored, shared=(self.f.dim,)))

    def bring(self, A):
        """Columns that hold those of A (m,), and their places among them. A pass brings the ones that are missing."""
        missing = A[self.places[A] < 0]
        if len(missing):
            self.places[missing] = len(self.columns.ends) - 1 + np.arange(len(missing))
            self.columns = self.columns.after(Columns.of(self.f.map(columns, shared=(missing,))))
        return self.columns, self.places[A]

    def curvatures(self, beta):
        """wᵢ ℓ″(ηᵢ) of each row (n,), in a pass. No work at the last β, or where ℓ″ is the same everywhere."""
        last = self._curvatures
        if last is None or not (self.f.quadratic or np.array_equal(last[0], beta)):
            found = self.f.map(curvatures, shared=(self.f.family, beta))
            self._curvatures = last = np.array(beta), np.concatenate(found)
        return last[1]


def stored(rows, dim):
    """How many numbers of each column a chunk stores, (dim,)."""
    found = np.bincount(sparse.csr_array(rows.X).indices, minlength=dim)
    found[rows.X.shape[1] :] = rows.X.shape[0]
    return found


def columns(rows, A):
    """The columns A (m,) of a chunk, rising numbers, as CSR. That of an intercept is the last."""
    some = A[A < rows.X.shape[1]]
    return with_ones(sparse.csr_array(rows.X)[:, some], len(A))


@quietly
def curvatures(rows, family, beta):
    """wᵢ ℓ″(ηᵢ) of each row of a chunk, (rows,)."""
    p, (y, w, o) = rows.X.shape[1], (part(column, slice(None)) for column in rows[1:])
    eta = sparse.csr_array(rows.X) @ beta[:p] + beta[p:].sum()
    return weigh(w, family.d2loss(eta if o is None else eta + o, y))
