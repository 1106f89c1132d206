"""The compiled loops: one trip over a chunk in blocks of rows that stay in the inner caches.

NumPy makes a dozen trips over a block for one loss and gradient, each with a temporary array. Here the products with X
are loops that LLVM turns into vector instructions. The family is not compiled in: `evaluate` calls its function
(`twins`) by address once a block, so that these loops are compiled once for all families.

Importing this module compiles it, or loads what an earlier import left in numba's cache on disk. The cache notices a
change of this file only: so nothing here calls compiled code of another file, or keeps a number from there.
"""

import numpy as np
from llvmlite import ir
from numba import float32, float64, int64, njit, types, void
from numba.extending import intrinsic

# A product and a sum may become one fused operation. `in_any_order` also lets sums change their order, which makes
# vectors of them. Neither may overlook NaN or infinity. All threads and processes run the same machine code, so that
# they get equal bits.
settings = {"error_model": "numpy", "nogil": True}
exactly = njit(fastmath={"contract"}, **settings)
in_any_order = njit(fastmath={"contract", "reassoc", "nsz"}, **settings)

column = types.Array(float64, 1, "C", readonly=True)
result = types.Array(float64, 1, "C")
square = types.Array(float64, 2, "C")
doubles = types.Array(float64, 2, "C", readonly=True)
singles = types.Array(float32, 2, "C", readonly=True)
ROWS = void(column, result, column, square)  # the type of a family's function rows(p, eta, y, out)


def entrance(*signatures):
    """For what Python calls: compiled at import for these types, with all that it calls, and kept on disk."""
    return njit(list(signatures), fastmath={"contract"}, cache=True, **settings)


@intrinsic
def evaluate(typing, address, p, eta, y, out):
    """Call the function of type ROWS at this address."""

    def call(context, builder, signature, values):
        nothing, *given = [context.get_value_type(type_) for type_ in (types.void, *signature.args[1:])]
        function = builder.inttoptr(values[0], ir.FunctionType(nothing, given).as_pointer())
        return builder.call(function, values[1:])

    return (void(address, *ROWS.args), call) if (p, eta, y, out) == ROWS.args else None


# --- products of a block with vectors ---------------------------------------------------------------------------------


@in_any_order
def total(values):
    found = 0.0
    for i in range(values.size):
        found += values[i]
    return found


@exactly
def weigh(w, values):
    """values *= w. A row of weight 0 gives 0 even if its value overflowed."""
    for i in range(w.size):
        values[i] = w[i] * values[i] if w[i] > 0 else 0.0


@in_any_order
def predict(X, beta, o, long, eta):
    """η = Xβ + o, four rows at a time if they have less than `long` columns. The last of β may be an intercept."""
    ones = beta[-1] if beta.size > X.shape[1] else 0.0
    fours = X.shape[0] // 4 * 4 if X.shape[1] < long else 0
    for i in range(0, fours, 4):
        a = b = c = d = ones
        for j in range(X.shape[1]):
            a += X[i, j] * beta[j]
            b += X[i + 1, j] * beta[j]
            c += X[i + 2, j] * beta[j]
            d += X[i + 3, j] * beta[j]
        eta[i], eta[i + 1], eta[i + 2], eta[i + 3] = a, b, c, d
    for i in range(fours, X.shape[0]):
        a = ones
        for j in range(X.shape[1]):
            a += X[i, j] * beta[j]
        eta[i] = a
    for i in range(o.size):
        eta[i] += o[i]


@in_any_order
def predict_size(X, beta, o, size):
    """|X||β| + |o|."""
    ones = abs(beta[-1]) if beta.size > X.shape[1] else 0.0
    for i in range(X.shape[0]):
        found = ones
        for j in range(X.shape[1]):
            found += abs(X[i, j]) * abs(beta[j])
        size[i] = found + abs(o[i]) if o.size else found


def with_name_of(term, function):
    """The function under a name of its own, for a factory that makes one for each term.

    numba calls machine code by name. Two functions of one factory have one name: where a process finds a part of the
    loops on disk and compiles the rest, one function then runs the code of the other.
    """
    function.__qualname__ = f"{function.__name__}_{term.__name__}"
    return function


def spreader(term):
    """The compiled function that adds Σᵢ term(x_ij, rᵢ) to out_j, four rows at a time, for a compiled term.

    It adds a block up in `part` (dim,) first, so that rounding grows with the number of blocks, not of rows.
    """

    def spread(X, r, part, out):
        part[:] = 0.0
        fours = X.shape[0] // 4 * 4
        for i in range(0, fours, 4):
            a, b, c, d = r[i], r[i + 1], r[i + 2], r[i + 3]
            for j in range(X.shape[1]):
                part[j] += (term(X[i, j], a) + term(X[i + 1, j], b)) + (term(X[i + 2, j], c) + term(X[i + 3, j], d))
        for i in range(fours, X.shape[0]):
            for j in range(X.shape[1]):
                part[j] += term(X[i, j], r[i])
        if out.size > X.shape[1]:
            part[-1] = total(r)
        for j in range(out.size):
            out[j] += part[j]

    return exactly(with_name_of(term, spread))


@exactly
def times(x, r):
    return x * r


@exactly
def size_times(x, r):
    return abs(x) * r


@exactly
def square_times(x, h):
    """(h x) x and not h x²: a row of h = 0 gives 0 even if its square would overflow."""
    return (x * h) * x


spread = spreader(times)  # out += Xᵀr
spread_sizes = spreader(size_times)  # out += |X|ᵀr
spread_squares = spreader(square_times)  # out += the diagonal of Xᵀ diag(r) X


@exactly
def higher(a, b):
    return a if a > b else b


@exactly
def measure(X, r, counts, part, scale, largest):
    """scale += |X|ᵀr, and largest = max(largest, |x|) over the rows whose `counts` is 1; it is 0 for the others."""
    part[:] = 0.0
    fours = X.shape[0] // 4 * 4
    for i in range(0, fours, 4):
        ra, rb, rc, rd = r[i], r[i + 1], r[i + 2], r[i + 3]
        na, nb, nc, nd = counts[i], counts[i + 1], counts[i + 2], counts[i + 3]
        for j in range(X.shape[1]):
            a, b, c, d = abs(X[i, j]), abs(X[i + 1, j]), abs(X[i + 2, j]), abs(X[i + 3, j])
            part[j] += (a * ra + b * rb) + (c * rc + d * rd)
            largest[j] = higher(largest[j], higher(higher(a * na, b * nb), higher(c * nc, d * nd)))
    for i in range(fours, X.shape[0]):
        for j in range(X.shape[1]):
            part[j] += abs(X[i, j]) * r[i]
            largest[j] = higher(largest[j], abs(X[i, j]) * counts[i])
    if largest.size > X.shape[1]:
        part[-1] = total(r)
        for i in range(X.shape[0]):
            largest[-1] = higher(largest[-1], counts[i])
    for j in range(scale.size):
        scale[j] += part[j]


@exactly
def turn(X, panel):
    """panel = the transpose of the block, with a row of ones for the intercept."""
    for i in range(X.shape[0]):
        for j in range(X.shape[1]):
            panel[j, i] = X[i, j]
        if panel.shape[0] > X.shape[1]:
            panel[-1, i] = 1.0


@in_any_order
def dot(a, B, k, m):
    """The product of a with row k of B, over m numbers. A view of that row would be counted, which takes as long."""
    found = 0.0
    for i in range(m):
        found += a[i] * B[k, i]
    return found


@exactly
def gram(X, h, panel, product, hess):
    """The lower triangle of hess += Xᵀ diag(h) X."""
    turn(X, panel)
    m = X.shape[0]
    for j in range(hess.shape[0]):
        for i in range(m):
            product[i] = panel[j, i] * h[i]
        for k in range(j + 1):
            hess[j, k] += dot(product, panel, k, m)


# --- a chunk, block by block ------------------------------------------------------------------------------------------


@exactly
def allow(w, rounding, small, pieces, work, numbers):
    """The rounding allowances of `evidence` for a block of rows, whose η are made of numbers as large as work[1].

    The rows of `pieces` are ℓ, ℓ′, ℓ″ and their size. Leaves in the last what the slopes are made of, and in work[0] a
    1 for each row that counts, a 0 for the others.
    """
    loss, slope, curve, size = pieces[0], pieces[1], pieces[2], pieces[3]
    loss_size, eta_size, dual_rounding = work[0], work[1], work[2]
    for i in range(loss.size):
        made_of = size[i] + curve[i] * eta_size[i]
        wrong = rounding * made_of
        sure = wrong < small * curve[i]  # this row is its own dual point (kernels.slipped)
        dual_rounding[i] = wrong * (wrong / curve[i]) if sure else 0.0
        size[i] = abs(slope[i]) if sure else made_of
        eta_size[i] = abs(slope[i]) * eta_size[i]
        loss_size[i] = abs(loss[i])
    for values in (size, loss_size, eta_size, dual_rounding):
        weigh(w, values)
    numbers[1] += total(loss_size)
    numbers[2] += total(dual_rounding)
    numbers[3] += total(eta_size)
    for i in range(loss.size):
        loss_size[i] = 1.0 if not w.size or w[i] > 0 else 0.0


def for_both(*signature):
    """The signatures for rows of float64 and of float32: X, y, w, o and the rest."""
    return [void(X, column, column, column, *signature) for X in (doubles, singles)]


FAMILY = int64, column, int64, int64  # address and parameters of the family, rows in a block, columns of long rows


@entrance(*for_both(*FAMILY, column, float64, float64, result, result, result, square, result, result, result))
def walk(
    X, y, w, o, family, p, height, long, beta, rounding, small, numbers, grad, diag, hess, slope_size, scale, largest
):
    """Add up over the rows whatever is not of length 0. `numbers` are f, loss_size, dual_rounding, eta_size (Evidence).

    X holds whole blocks of `height` rows. `family` is the address of the family's function for ℓ, ℓ′, ℓ″ and `size`; p
    are its parameters. It is asked for as many of the four as are needed.

    numba counts who holds an array, at every cut and every view. So a block is cut once, and work is in whole arrays.
    """
    first_two = not (slope_size.size or diag.size or hess.size)
    pieces = np.empty((4, height))
    asked = pieces[: (2 if first_two else 3 + (slope_size.size > 0))]
    loss, slope, curve, eta, work = pieces[0], pieces[1], pieces[2], np.empty(height), np.empty((3, height))
    part, panel = np.empty(beta.size), np.empty((hess.shape[0], height + 8))
    for first in range(0, X.shape[0], height):
        cut = slice(first, first + height)
        x, y_, w_, o_ = X[cut], y[cut], w[cut], o[cut]
        predict(x, beta, o_, long, eta)
        evaluate(family, p, eta, y_, asked)
        if slope_size.size:
            predict_size(x, beta, o_, work[1])
            allow(w_, rounding, small, pieces, work, numbers)
            measure(x, pieces[3], work[0], part, slope_size, largest)
        weigh(w_, loss)
        weigh(w_, slope)
        if not first_two:
            weigh(w_, curve)
        numbers[0] += total(loss)
        spread(x, slope, part, grad)
        if diag.size:
            spread_squares(x, curve, part, diag)
        if hess.size:
            gram(x, curve, panel, eta, hess)
        if scale.size:
            for i in range(height):
                slope[i] = abs(slope[i])
            spread_sizes(x, slope, part, scale)


@entrance(*for_both(*FAMILY, doubles, result))
def walk_losses(X, y, w, o, family, p, height, long, B, losses):
    """Add up f at each row of B. X holds whole blocks of `height` rows."""
    pieces, eta = np.empty((1, height)), np.empty(height)
    for first in range(0, X.shape[0], height):
        cut = slice(first, first + height)
        x, y_, w_, o_ = X[cut], y[cut], w[cut], o[cut]
        for k in range(B.shape[0]):
            predict(x, B[k], o_, long, eta)
            evaluate(family, p, eta, y_, pieces)
            weigh(w_, pieces[0])
            losses[k] += total(pieces[0])


@entrance(*for_both(result, result))
def walk_spans(X, y, w, o, lowest, highest):
    """The largest −x_ij and x_ij of each column over the rows of positive weight."""
    for i in range(X.shape[0]):
        if not w.size or w[i] > 0:
            for j in range(X.shape[1]):
                lowest[j] = higher(lowest[j], -X[i, j])
                highest[j] = higher(highest[j], X[i, j])
            if highest.size > X.shape[1]:
                lowest[-1], highest[-1] = -1.0, 1.0


@entrance(void(int64, *ROWS.args))
def fill(family, p, eta, y, out):
    """What the family's function says of these rows, for comparisons."""
    evaluate(family, p, eta, y, out)
