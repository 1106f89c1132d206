"""Which rows are drawn: a `Draw` says it for every chunk.

A pilot, the first look at data that may lie on disk, the rows of a certificate and `Objective.sample` are draws.
"""

from dataclasses import dataclass

import numpy as np

from glmlab.policy import Sampling


@dataclass(frozen=True)
class Draw:
    """About `fraction` of the rows of every chunk; the same seed draws the same rows.

    A chunk is divided into as many equal parts as rows are wanted, and one row is drawn at random from each part. So
    rows come from everywhere in the chunk, however it is sorted. A fraction above 1 draws all rows.
    """

    fraction: float
    seed: int = 0
    policy: Sampling = Sampling()

    def size(self, n):
        """How many rows are drawn from a chunk of n rows: at least one."""
        length, count = self.runs(n)
        return length * count

    def runs(self, n):
        """The length and the number of the runs of neighbouring rows that are drawn from n rows.

        Draw 8 neighbouring rows at a time when at least 64 such runs are wanted: they share cache lines.
        """
        run, runs = self.policy.run, self.policy.runs
        length = run if runs * run <= n * self.fraction <= n / 2 else 1
        return length, min(n // length, max(1, round(n // length * self.fraction)))

    def index(self, n, k):
        """The numbers of the rows drawn from chunk k of n rows, ascending: (size(n),)."""
        length, count = self.runs(n)
        edges = np.arange(count + 1) * (n // length) // max(count, 1)
        places = np.random.default_rng([self.seed, k]).random(count)
        first = edges[:-1] + (places * np.diff(edges)).astype(int)
        return (length * first[:, None] + np.arange(length)).ravel()

    def take(self, rows, k):
        """The rows drawn from `rows`, which are chunk k."""
        return picked(rows, self.index(rows.X.shape[0], k))


def pilot_draw(n, dim, seed, policy):
    """The draw of a pilot of n rows for `dim` coefficients."""
    least = min(policy.least, policy.pilot / n / dim)
    return Draw(min(max(least, policy.each * dim / n), policy.most), seed, policy)


def far_apart(n_chunks, count):
    """The numbers of `count` of the chunks, as far apart as possible: data may be sorted."""
    return [(2 * i + 1) * n_chunks // (2 * count) for i in range(count)]


def picked(rows, index):
    """The rows of these numbers, with all that belongs to them."""

    def of(column):
        # `take` is three times as fast as column[index], but would copy the whole of a column that is not contiguous.
        fast = isinstance(column, np.ndarray) and column.flags.c_contiguous
        return column.take(index, axis=0) if fast else column[index]

    return rows._make(None if column is None else of(column) for column in rows)


class OnDrawn:
    """A kernel on the rows that are drawn from a chunk. The number of the chunk is its last argument."""

    def __init__(self, kernel, draw):
        self.kernel, self.draw, self.__name__ = kernel, draw, kernel.__name__

    def __call__(self, rows, *args):
        *args, k = args
        return self.kernel(self.draw.take(rows, k), *args)


class WithDrawn(OnDrawn):
    """A kernel on all rows of a chunk; returned beside its result are the rows that are drawn from the chunk."""

    def __call__(self, rows, *args):
        *args, k = args
        return self.kernel(rows, *args), self.draw.take(rows, k)
