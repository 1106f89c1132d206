"""The compiled loops over sparse rows (CSR): one trip over the stored numbers, in blocks of rows.

A block is read a few times while it is in the inner caches: for its η, its slopes and its curvatures. Work is in
proportion to the stored numbers. So sums over rows go straight into their columns, without a sum for each block, which
would cost as much as there are columns. Sums are in a fixed order, whatever the types of numbers and indices.

Rows i are data[t] in the columns indices[t], for t from indptr[i] to indptr[i + 1]. Columns rise along a row. The
intercept is no column: it is the last coefficient where there are more of them than columns.

The functions for blocks are those of `loops`. numba's cache on disk notices a change of this file only, so a hash of
that file's text is part of the names under which these loops are kept.
"""

import hashlib
import inspect

import numpy as np
from numba import float32, float64, int32, int64, types, void

from glmlab.rows import loops
from glmlab.rows.loops import (
    allow,
    column,
    doubles,
    evaluate,
    exactly,
    higher,
    result,
    size_times,
    square,
    square_times,
    times,
    total,
    weigh,
    with_name_of,
)

shared = hashlib.sha256(inspect.getsource(loops).encode()).hexdigest()[:24]


def entrance(*signature):
    """As loops.entrance, for rows indptr, indices, data, y, w, o of both types, and the rest."""
    rows = [(types.Array(index, 1, "C", readonly=True),) * 2 + (types.Array(number, 1, "C", readonly=True),)
            for index in (int32, int64) for number in (float64, float32)]  # fmt: skip

    def compiled(function):
        function.__qualname__ += f"_{shared}"
        return loops.entrance(*(void(*X, column, column, column, *signature) for X in rows))(function)

    return compiled


# --- products of a block with vectors ---------------------------------------------------------------------------------
# Places are unsigned numbers: numba would else ask of each whether it is negative and counts from the end.


@exactly
def sizes_times(x, v):
    return abs(x) * abs(v)


def gatherer(term):
    """The compiled function that sets out_i = Σⱼ term(x_ij, vⱼ) + term(1, oᵢ), with term(1, v) for the intercept."""

    def gather(indptr, indices, data, o, columns, v, out):
        ones = term(1.0, v[-1]) if v.size > columns else 0.0
        for i in range(out.size):
            t, end = np.uintp(indptr[i]), np.uintp(indptr[i + 1])
            a, b = ones, 0.0
            while t + np.uintp(1) < end:
                a += term(data[t], v[np.uintp(indices[t])])
                b += term(data[t + np.uintp(1)], v[np.uintp(indices[t + np.uintp(1)])])
                t += np.uintp(2)
            if t < end:
                a += term(data[t], v[np.uintp(indices[t])])
            out[i] = a + b
        for i in range(o.size):
            out[i] += term(1.0, o[i])

    return exactly(with_name_of(term, gather))


predict = gatherer(times)  # η = Xβ + o
predict_size = gatherer(sizes_times)  # |X||β| + |o|


def spreader(term):
    """The compiled function that adds Σᵢ term(x_ij, rᵢ) to out_j."""

    def spread(indptr, indices, data, columns, r, out):
        for i in range(r.size):
            for t in range(np.uintp(indptr[i]), np.uintp(indptr[i + 1])):
                out[np.uintp(indices[t])] += term(data[t], r[i])
        if out.size > columns:
            out[-1] += total(r)

    return exactly(with_name_of(term, spread))


spread = spreader(times)  # out += Xᵀr
spread_sizes = spreader(size_times)  # out += |X|ᵀr
spread_squares = spreader(square_times)  # out += the diagonal of Xᵀ diag(r) X


@exactly
def reach(indptr, indices, data, columns, counts, largest):
    """largest = max(largest, |x|) over the rows whose `counts` is 1."""
    for i in range(counts.size):
        for t in range(np.uintp(indptr[i]), np.uintp(indptr[i + 1])):
            j = np.uintp(indices[t])
            largest[j] = higher(largest[j], abs(data[t]) * counts[i])
        if largest.size > columns:
            largest[-1] = higher(largest[-1], counts[i])


@exactly
def gram(indptr, indices, data, columns, h, hess):
    """The lower triangle of hess += Xᵀ diag(h) X."""
    last = hess.shape[0] - 1
    for i in range(h.size):
        first = np.uintp(indptr[i])
        for t in range(first, np.uintp(indptr[i + 1])):
            j, weighed = np.uintp(indices[t]), data[t] * h[i]
            for s in range(first, t + np.uintp(1)):
                hess[j, np.uintp(indices[s])] += weighed * data[s]
            if last >= columns:
                hess[last, j] += weighed
        if last >= columns:
            hess[last, last] += h[i]


# --- a chunk, block by block ------------------------------------------------------------------------------------------

FAMILY = int64, column, int64, int64  # address and parameters of the family, rows in a block, columns of X


@entrance(*FAMILY, column, float64, float64, result, result, result, square, result, result, result)
def walk(
    indptr, indices, data, y, w, o, family, p, height, columns, beta, rounding, small,
    numbers, grad, diag, hess, slope_size, scale, largest,
):  # fmt: skip
    """As loops.walk, which explains what is given: y has whole blocks of `height` rows."""
    first_two = not (slope_size.size or diag.size or hess.size)
    pieces = np.empty((4, height))
    asked = pieces[: (2 if first_two else 3 + (slope_size.size > 0))]
    loss, slope, curve, eta, work = pieces[0], pieces[1], pieces[2], np.empty(height), np.empty((3, height))
    for first in range(0, y.size, height):
        cut = slice(first, first + height)
        rows, y_, w_, o_ = indptr[first : first + height + 1], y[cut], w[cut], o[cut]
        predict(rows, indices, data, o_, columns, beta, eta)
        evaluate(family, p, eta, y_, asked)
        if slope_size.size:
            predict_size(rows, indices, data, o_, columns, beta, work[1])
            allow(w_, rounding, small, pieces, work, numbers)
            spread_sizes(rows, indices, data, columns, pieces[3], slope_size)
            reach(rows, indices, data, columns, work[0], largest)
        weigh(w_, loss)
        weigh(w_, slope)
        if not first_two:
            weigh(w_, curve)
        numbers[0] += total(loss)
        spread(rows, indices, data, columns, slope, grad)
        if diag.size:
            spread_squares(rows, indices, data, columns, curve, diag)
        if hess.size:
            gram(rows, indices, data, columns, curve, hess)
        if scale.size:
            for i in range(height):
                slope[i] = abs(slope[i])
            spread_sizes(rows, indices, data, columns, slope, scale)


@entrance(*FAMILY, doubles, result)
def walk_losses(indptr, indices, data, y, w, o, family, p, height, columns, B, losses):
    """Add up f at each row of B. y has whole blocks of `height` rows."""
    pieces, eta = np.empty((1, height)), np.empty(height)
    for first in range(0, y.size, height):
        cut = slice(first, first + height)
        rows, y_, w_, o_ = indptr[first : first + height + 1], y[cut], w[cut], o[cut]
        for k in range(B.shape[0]):
            predict(rows, indices, data, o_, columns, B[k], eta)
            evaluate(family, p, eta, y_, pieces)
            weigh(w_, pieces[0])
            losses[k] += total(pieces[0])


@entrance(result, result, int64, result)
def walk_spans(indptr, indices, data, y, w, o, lowest, highest, columns, stored):
    """The largest −x_ij and x_ij that are stored in rows of positive weight, and how many are, for each coefficient."""
    for i in range(y.size):
        if not w.size or w[i] > 0:
            for t in range(np.uintp(indptr[i]), np.uintp(indptr[i + 1])):
                j = np.uintp(indices[t])
                lowest[j] = higher(lowest[j], -data[t])
                highest[j] = higher(highest[j], data[t])
                stored[j] += 1
            if highest.size > columns:
                lowest[-1], highest[-1] = -1.0, 1.0
                stored[-1] += 1


@entrance(*FAMILY, column, types.Array(int64, 1, "C", readonly=True), square)
def walk_hess_on(indptr, indices, data, y, w, o, family, p, height, columns, beta, place, hess):
    """Add up the lower triangle of ∇²f in the coordinates A. beta (m,) are their coefficients.

    place: the number in A of each column of X, −1 for those that are not in A. An intercept in A is its last. y has
    whole blocks of `height` rows. A block is copied first, without what is not in A.
    """
    most = 0
    for first in range(0, y.size, height):
        most = max(most, int64(indptr[first + height]) - int64(indptr[first]))
    rows, where, kept = np.zeros(height + 1, np.int64), np.empty(most, np.int64), np.empty(most)
    inside = 0
    for j in range(place.size):
        inside += place[j] >= 0
    pieces, eta = np.empty((3, height)), np.empty(height)
    for first in range(0, y.size, height):
        cut = slice(first, first + height)
        count = np.uintp(0)
        for i in range(height):
            for t in range(np.uintp(indptr[first + i]), np.uintp(indptr[first + i + 1])):
                j = place[np.uintp(indices[t])]
                if j >= 0:
                    where[count], kept[count] = j, data[t]
                    count += np.uintp(1)
            rows[i + 1] = count
        predict(rows, where, kept, o[cut], inside, beta, eta)
        evaluate(family, p, eta, y[cut], pieces)
        weigh(w[cut], pieces[2])
        gram(rows, where, kept, inside, pieces[2], hess)


@entrance(int64, column, column, result, result, result)
def walk_dual(indptr, indices, data, y, w, o, columns, beta, d, eta, t, size):
    """η = Xβ + o, t = Xd, and |X||β| + |o|, the size of the numbers that η is made of."""
    none = o[:0]
    predict(indptr, indices, data, o, columns, beta, eta)
    predict(indptr, indices, data, none, columns, d, t)
    predict_size(indptr, indices, data, o, columns, beta, size)


@entrance(int64, column, result)
def walk_back(indptr, indices, data, y, w, o, columns, r, out):
    """out += Xᵀr."""
    spread(indptr, indices, data, columns, r, out)
