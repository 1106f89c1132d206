"""Rows in chunks: where they are, and how a pass runs over them.

A pass runs a kernel on every chunk and adds the results in a tree. `Chunks` is the interface. Its subclasses differ in
how they run a pass, `_pass`: `InMemory` on threads, `OnDask` (ondask.py) as tasks of dask, and `Thinned` on the chunks
from which it draws rows.

The shape of the tree depends on the number of chunks alone, and every task has one BLAS thread. So equal chunks and
dtypes give equal bits, wherever the rows are, as long as kernel set, versions of the libraries and type of processor
are the same. (BLAS, NumPy and numba choose their kernels by processor; another type of processor agrees up to the
certificate only.)
"""

import copy

import numpy as np
from scipy import sparse

from glmlab.cards import html_card
from glmlab.maths.sums import add
from glmlab.rows.arrivals import Threads
from glmlab.rows.kernels import Rows
from glmlab.rows.sampling import OnDrawn, WithDrawn, picked
from glmlab.rows.tables import default_lengths
from glmlab.rows.threads import cores, one_blas_thread, spread
from glmlab.words import count_text, range_text

FAN = 16  # results that one task of the tree adds: fewer need more levels, each a wait. The bits of sums depend on it.


def on_chunk(kernel, shared, rows, *own):
    """The kernel on one chunk of rows, with what all chunks share and what is this chunk's own."""
    with one_blas_thread:
        return kernel(rows, *shared, *own)


def groups(items):
    """`items` in groups of FAN: one level of the tree."""
    return [items[i : i + FAN] for i in range(0, len(items), FAN)]


def summed(parts, combine):
    """All parts combined, FAN at a time."""
    while len(parts) > FAN:
        parts = [combine(group) for group in groups(parts)]
    return combine(parts)


class Chunks:
    """Rows cut into chunks.

    lengths: their numbers of rows (K,). p: columns of X. dim: coefficients, the intercept included. sparse: are the
    rows of X sparse? names: of the columns of X, None without. shifted: have the rows an offset? labels: {argument: its
    Table without values} where the rows have labels. threads: those that work on rows brought here.
    """

    threads = names = labels = None
    shifted = False

    def __init__(self, lengths, p, intercept, sparse):
        self.lengths, self.p, self.intercept, self.sparse = tuple(lengths), p, bool(intercept), sparse

    n = property(lambda self: sum(self.lengths))
    dim = property(lambda self: self.p + self.intercept)

    def __repr__(self):
        ones, chunks = " + intercept" if self.intercept else "", count_text(len(self.lengths), "chunk")
        size = f"{count_text(self.n, 'row')} x {count_text(self.p, 'column')}"
        return f"{type(self).__name__}: {size}{ones} in {chunks}"

    def summary(self):
        """Name and value of everything worth printing."""
        size = range_text(self.lengths, "{:,}".format)
        columns = f"{self.p:,}{', sparse' * self.sparse}{', and an intercept' * self.intercept}"
        chunks = f"{len(self.lengths):,}, of {size} row{'s' * (size != '1')}"
        found = {"rows": f"{self.n:,}", "columns": columns, "chunks": chunks}
        return found | ({"offset": "one for each row"} if self.shifted else {})

    def _repr_html_(self):
        return html_card(type(self).__name__, self.summary())

    # --- passes ----------------------------------------------------------------------------------------------------

    def map(self, kernel, *shared, per_chunk=()):
        """[kernel(rows_k, *shared, *own_k)] with own_k from the lists in `per_chunk`: one pass, one round."""
        return self._pass(kernel, shared, per_chunk, combine=None)

    def sum(self, kernel, *shared):
        """The sum of kernel(rows_k, *shared) over the chunks, added in a tree of fixed shape."""
        return self._pass(kernel, shared, (), combine=add)

    def elsewhere(self, function):
        """{worker: function()} for the processes, other than this one, in which passes run."""
        return {}

    def crew(self):
        """The threads of this process that run tasks for single chunks (rows/arrivals.py)."""
        return Threads(self, self.threads or cores())

    def advice(self):
        """A sentence where the user's chunks make every pass slow, else ""."""
        return ""

    # --- some of the rows ------------------------------------------------------------------------------------------

    def some(self, which):
        """The chunks of these numbers only, to be mapped, summed or sampled."""
        part = copy.copy(self)
        part.lengths = tuple(self.lengths[k] for k in which)
        part._choose(which)
        return part

    def thin(self, draw):
        """The rows that are drawn, left where they are: a task draws its own in every pass."""
        return Thinned(self, draw)

    def sample(self, draw):
        """The rows that are drawn, brought to this process, in the same number of chunks."""
        return self._brought(self.map(draw.take, per_chunk=[range(len(self.lengths))]))

    def sum_and_sample(self, kernel, *shared, draw):
        """What `sum` and `sample` give, from one pass instead of two."""
        found = self.map(WithDrawn(kernel, draw), *shared, per_chunk=[range(len(self.lengths))])
        results, parts = zip(*found, strict=True)
        return summed(results, add), self._brought(parts)

    def _brought(self, parts):
        """Rows that tasks have returned, as chunks of this process."""
        X, *rest = zip(*parts, strict=True)
        X = sparse.vstack(X, format="csr") if sparse.issparse(X[0]) else np.concatenate(X)
        rows = Rows(X, *(None if column[0] is None else np.concatenate(column) for column in rest))
        return InMemory(rows, [len(part.y) for part in parts], intercept=self.intercept, threads=self.threads)


def sparse_part(X, cut):
    """Rows `cut` of CSR rows. Only their indptr is copied, where scipy's own X[cut] copies all numbers."""
    first, last = X.indptr[cut.start], X.indptr[cut.stop]
    part = type(X)((cut.stop - cut.start, X.shape[1]), dtype=X.dtype)
    # The constructor would look at all indices, and copy those that are wider than need be.
    part.indptr, part.indices = X.indptr[cut.start : cut.stop + 1] - first, X.indices[first:last]
    part.data = X.data[first:last]
    part.has_canonical_format = X.has_canonical_format  # which scipy finds once for X, not once for each part
    return part


class InMemory(Chunks):
    """Arrays of this process; passes run on its threads, on all cores where `threads` is None."""

    def __init__(self, rows, lengths, *, intercept=False, threads=None):
        super().__init__(lengths, rows.X.shape[1], intercept, sparse.issparse(rows.X))
        self.rows, self.threads, self.ends = rows, threads or cores(), np.cumsum(self.lengths)

    def chunk(self, k):
        """The rows of chunk k; nothing is copied."""
        cut = slice(self.ends[k] - self.lengths[k], self.ends[k])
        X = sparse_part(self.rows.X, cut) if self.sparse else self.rows.X[cut]
        return Rows(X, *(None if column is None else column[cut] for column in self.rows[1:]))

    def bare(self):
        """The same rows without their columns: the intercept is all that is left, `dim` is 1."""
        X = sparse.csr_array((len(self.rows.y), 0)) if self.sparse else self.rows.X[:, :0]
        return InMemory(self.rows._replace(X=X), self.lengths, intercept=True, threads=self.threads)

    def scaled(self, n):
        """The same rows, cut anew, with weights that are multiplied so that they stand for n rows."""
        w = np.ones(self.n) if self.rows.w is None else self.rows.w
        rows = self.rows._replace(w=w * (n / self.n))
        return InMemory(rows, default_lengths(rows.X), intercept=self.intercept, threads=self.threads)

    def sample(self, draw):
        # All chunks at once: drawing from each alone is a dozen calls under Python's lock, for which threads compete.
        own = [draw.index(n, k) for k, n in enumerate(self.lengths)]
        index = [rows + end - n for rows, end, n in zip(own, self.ends, self.lengths, strict=True)]
        rows = picked(self.rows, np.concatenate(index))
        return InMemory(rows, [len(part) for part in index], intercept=self.intercept, threads=self.threads)

    def _choose(self, which):
        self.ends = self.ends[which]

    def _pass(self, kernel, shared, per_chunk, combine):
        def task(k):
            return on_chunk(kernel, shared, self.chunk(k), *(own[k] for own in per_chunk))

        with one_blas_thread:
            parts = spread(task, range(len(self.lengths)), self.threads)
        return parts if combine is None else summed(parts, combine)


class Thinned(Chunks):
    """The rows that are drawn from other chunks, wherever those are; the task that works on a chunk draws them."""

    def __init__(self, chunks, draw):
        lengths = [draw.size(length) for length in chunks.lengths]
        super().__init__(lengths, chunks.p, chunks.intercept, chunks.sparse)
        self.chunks, self.draw = chunks, draw

    def _choose(self, which):
        self.chunks = self.chunks.some(which)

    def _pass(self, kernel, shared, per_chunk, combine):
        numbers = range(len(self.lengths))
        return self.chunks._pass(OnDrawn(kernel, self.draw), shared, [*per_chunk, numbers], combine)
