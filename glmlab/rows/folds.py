"""Folds: which rows are held out together.

A fold number belongs to each row. Whole numbers cv deal the rows to folds by a rule that knows a row's number only, so
that rows in memory, on dask and in any chunks have the same folds.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from glmlab.checks import whole
from glmlab.names import spelt
from glmlab.words import count_text

EACH = 4  # numbers that Philox makes at a time


class Deal(NamedTuple):
    """The rule that deals rows to `count` folds, for the rows first … first + length − 1.

    Every `count` neighbours go to as many different folds, each fold being equally likely for each row. So the folds
    are equally long, up to one row, and each has rows from everywhere, however the rows are sorted.
    Reference: Salmon et al. (2011) for Philox, whose numbers can be had from anywhere in their order.
    """

    count: int
    seed: int
    first: int
    length: int

    def numbers(self):
        """The folds of these rows (length,)."""
        rows = np.arange(self.first, self.first + self.length)
        groups = rows // self.count
        begin, end = (groups[0] // EACH, groups[-1] // EACH + 1) if len(rows) else (0, 0)
        shifts = np.random.Philox(key=self.seed, counter=int(begin)).random_raw(int(EACH * (end - begin)))
        shifts = (shifts % np.uint64(self.count)).astype(np.intp)
        return ((rows + shifts[groups - EACH * begin]) % self.count).astype(np.min_scalar_type(self.count))


def numbers_of(fold):
    """Fold numbers as an array: those that are given, or those that a Deal gives."""
    return fold.numbers() if isinstance(fold, Deal) else fold


@spelt
def folds_of(cv, lengths, seed=0):
    """How many folds there are, and the fold numbers of each chunk: arrays, or a Deal each where cv is a whole number.

    cv: how many folds; or fold numbers (n,); or [(train, test), …], which the splitters of scikit-learn give, each row
    in one test set, and in all other train sets. lengths: the rows of the chunks.
    Raises TypeError or ValueError.
    """
    n, ends = sum(lengths), np.cumsum(lengths)
    if hasattr(cv, "split"):
        raise TypeError(
            f"cv must say which rows each fold has, and {cv!r} has not seen them: give list(cv.split(X, y))"
        )
    cv = list(cv) if isinstance(cv, Iterator) else cv  # what cv.split(X, y) returns
    if not hasattr(cv, "__len__"):
        if whole("cv", cv, 2) > n:
            raise ValueError(f"cv={cv} folds need a row each, but X has {count_text(n, 'row')}")
        seed = whole("seed", seed)
        return int(cv), [Deal(int(cv), seed, int(end) - k, k) for end, k in zip(ends, lengths, strict=True)]
    given = from_pairs(cv, n) if is_pairs(cv) else np.asarray(cv)
    if given.shape != (n,) or given.dtype.kind not in "iu":
        raise ValueError(f"cv must be a number of folds, fold numbers ({n},) or [(train, test), …] pairs of rows; "
                         f"got {given.dtype} of shape {given.shape}")  # fmt: skip
    names, numbers = np.unique(given, return_inverse=True)
    if len(names) < 2:
        raise ValueError(f"cv holds a single fold number, {names[0]}; at least two folds are needed")
    return len(names), np.split(numbers.astype(np.min_scalar_type(len(names))), ends[:-1])


def is_pairs(cv):
    """Is cv a list of pairs of arrays?"""
    return isinstance(cv, list | tuple) and all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in cv)


def from_pairs(pairs, n):
    """The fold numbers (n,) that pairs (train, test) of row numbers mean. Raises ValueError where they mean none."""
    numbers = np.full(n, -1)
    for k, (train, test) in enumerate(pairs):
        train, test = row_numbers(f"train rows of fold {k}", train, n), row_numbers(f"test rows of fold {k}", test, n)
        if len(test) == 0:
            raise ValueError(f"fold {k} of cv has no rows to hold out")
        if (numbers[test] >= 0).any():
            raise ValueError(f"cv holds out row {test[numbers[test] >= 0][0]} more than once: fold {k} has it again")
        numbers[test] = k
        if not np.array_equal(np.sort(train), np.setdiff1d(np.arange(n), test)):
            raise ValueError(f"fold {k} of cv must train on all rows that it does not hold out")
    if (numbers < 0).any():
        raise ValueError(f"cv never holds out row {np.flatnonzero(numbers < 0)[0]}; each row must be in one test set")
    return numbers


def row_numbers(name, values, n):
    """Row numbers as an array of indices below n. Raises ValueError."""
    values = np.asarray(values)
    values = values.astype(np.intp) if values.size == 0 else values
    if values.ndim != 1 or values.dtype.kind not in "iu" or (values < 0).any() or (values >= n).any():
        raise ValueError(f"cv: the {name} must be row numbers from 0 to {n - 1}")
    return values
