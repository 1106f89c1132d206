"""The kernels of kernels.py compiled by numba: what one worker computes on one chunk of rows, read once.

NumPy makes a dozen trips over a block for one loss and gradient, each by way of a temporary array. Here ℓ, ℓ′ and ℓ″
come out of one loop, and exp and log1p are polynomials without branches, which LLVM turns into instructions on several
rows at once. Blocks of rows stay in the inner caches. BLAS is the faster at XᵀX where rows are wide: those Hessians are
numpy's, with all that comes with them.

Importing this module compiles it, or loads what an earlier import has left in numba's cache on disk, so that no pass
waits. Objective imports it when a fit chooses it. What stands in kernels.py alone is taken from there.
"""

import functools

import numpy as np
from numba import float64, int64, njit, types, void

from glmlab.maths.families import Gamma, Gaussian, Logistic, Poisson
from glmlab.maths.sums import Largest
from glmlab.rows import kernels
from glmlab.rows.kernels import ROUNDING, SMALL, Evidence, Losses, LossGrad, LossGradDiag, LossGradHess, Spans, Survey

#: The families with compiled twins. A subclass is another type: its own loss may differ, so numpy serves it.
TWINS = {Gaussian: 0, Logistic: 1, Poisson: 2, Gamma: 3}
GAUSSIAN, LOGISTIC, POISSON, GAMMA = TWINS.values()

HEIGHT = 64  # rows in a block, or fewer where they are wide:
BLOCK = 2**15  # numbers in a block, 256 KiB of float64
WIDE = 60  # with more columns than this the Hessian is left to BLAS
LONG = 80  # with as many columns rows are read one by one: processors fetch ahead along one long row, not along four
READ = 2**17  # numbers that are converted at a time where numba cannot read X as it lies

# Products may be contracted into fused multiply-adds. Sums may also be taken in any order, which vectorises them; no
# licence is given to overlook NaN or infinity. The same machine code runs in every thread and process: equal bits.
settings = {"error_model": "numpy", "nogil": True}
exactly = njit(fastmath={"contract"}, **settings)
in_any_order = njit(fastmath={"contract", "reassoc", "nsz"}, **settings)

column = types.Array(float64, 1, "C", readonly=True)
result = types.Array(float64, 1, "C")
square = types.Array(float64, 2, "C")
doubles = types.Array(float64, 2, "C", readonly=True)
singles = types.Array(types.float32, 2, "C", readonly=True)


def entrance(*signatures):
    """What Python calls is compiled for these types at import, with all that it calls, and kept on disk."""
    return njit(list(signatures), fastmath={"contract"}, cache=True, **settings)


# --- elementary functions -----------------------------------------------------------------------------------------

LOG2 = np.log(2)
HIGH, LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # log 2 in two parts: n · HIGH is exact
ROUNDER = 1.5 * 2.0**52  # a number so large that adding it leaves the nearest integer in the last bits


@exactly
def two_to(power):
    """2^power, written into the exponent's bits."""
    return np.int64((power + 1023) << 52).view(np.float64)


@exactly
def exp(x):
    """e^x = 2ⁿ e^r with n the integer nearest to x / log 2 and e^r by its series to r¹³; within 1 ulp."""
    x = -746.0 if x < -746.0 else x  # e^−746 is 0, e^710 infinite; NaN fails both comparisons and stays
    x = 710.0 if x > 710.0 else x
    shifted = x * (1 / LOG2) + ROUNDER
    n = shifted - ROUNDER
    r = (x - n * HIGH) - n * LOW
    tail = 1 / 6227020800
    tail = 1 / 479001600 + r * tail
    tail = 1 / 39916800 + r * tail
    tail = 1 / 3628800 + r * tail
    tail = 1 / 362880 + r * tail
    tail = 1 / 40320 + r * tail
    tail = 1 / 5040 + r * tail
    tail = 1 / 720 + r * tail
    tail = 1 / 120 + r * tail
    tail = 1 / 24 + r * tail
    tail = 1 / 6 + r * tail
    tail = 1 / 2 + r * tail
    power = np.float64(shifted).view(np.int64) - np.float64(ROUNDER).view(np.int64)
    half = power >> 1  # in two factors, since 2ⁿ alone may overflow where e^x does not
    return (1 + (r + r * r * tail)) * two_to(half) * two_to(power - half)


@exactly
def log1p(s):
    """log(1 + s) for 0 ≤ s ≤ 1 as 2 artanh(s / (2 + s)), above √2 − 1 from log 2 downwards; within 2 ulp."""
    far = s > 0.41421356
    z = (s - 1) / (s + 3) if far else s / (s + 2)
    q = z * z
    tail = 1 / 23
    tail = 1 / 21 + q * tail
    tail = 1 / 19 + q * tail
    tail = 1 / 17 + q * tail
    tail = 1 / 15 + q * tail
    tail = 1 / 13 + q * tail
    tail = 1 / 11 + q * tail
    tail = 1 / 9 + q * tail
    tail = 1 / 7 + q * tail
    tail = 1 / 5 + q * tail
    tail = 1 / 3 + q * tail
    return 2 * (z + z * q * tail) + (LOG2 if far else 0.0)


# --- the families, on a block of rows -------------------------------------------------------------------------------


@exactly
def gaussian(eta, y, loss, slope, curve):
    for i in range(eta.size):
        slope[i] = 2 * (eta[i] - y[i])
        loss[i] = (y[i] - eta[i]) ** 2
        curve[i] = 2.0


@exactly
def logistic(eta, y, loss, slope, curve):
    for i in range(eta.size):  # a loop of its own: all at once need more registers than there are
        curve[i] = exp(-abs(eta[i]))
    for i in range(eta.size):
        small = curve[i]
        share = 1 / (1 + small)
        loss[i] = (0.0 if eta[i] < 0 else eta[i]) - y[i] * eta[i] + log1p(small)
        mu, rest = share * (small if eta[i] < 0 else 1.0), share * (1.0 if eta[i] < 0 else small)
        slope[i] = (1 - y[i]) * mu - y[i] * rest  # μ − y would lose a small difference
        curve[i] = small * share * share


@exactly
def poisson(eta, y, loss, slope, curve):
    for i in range(eta.size):
        mu = exp(eta[i])
        loss[i], slope[i], curve[i] = mu - y[i] * eta[i], mu - y[i], mu


@exactly
def gamma(eta, y, loss, slope, curve):
    for i in range(eta.size):
        ratio = y[i] * exp(-eta[i])
        loss[i], slope[i], curve[i] = ratio + eta[i], 1 - ratio, ratio


@exactly
def pieces(code, eta, y, loss, slope, curve):
    """ℓ, ℓ′ and ℓ″ of each row."""
    if code == GAUSSIAN:
        gaussian(eta, y, loss, slope, curve)
    elif code == LOGISTIC:
        logistic(eta, y, loss, slope, curve)
    elif code == POISSON:
        poisson(eta, y, loss, slope, curve)
    else:
        gamma(eta, y, loss, slope, curve)


@exactly
def sizes(code, eta, y, slope, curve, size):
    """What `Family.size` says, from ℓ′ and ℓ″."""
    for i in range(eta.size):
        if code == GAUSSIAN:
            size[i] = 2 * (abs(eta[i]) + abs(y[i]))
        elif code == LOGISTIC:
            small = exp(-abs(eta[i]))
            size[i] = slope[i] + 2 * y[i] * (1.0 if eta[i] < 0 else small) / (1 + small)
        else:
            size[i] = curve[i] + (abs(y[i]) if code == POISSON else 1.0)


# --- products of a block with vectors ----------------------------------------------------------------------------


@in_any_order
def total(values):
    found = 0.0
    for i in range(values.size):
        found += values[i]
    return found


@exactly
def weigh(w, values):
    """values *= w, where a row of weight 0 gives 0 even if its value overflowed."""
    for i in range(w.size):
        values[i] = w[i] * values[i] if w[i] > 0 else 0.0


@in_any_order
def predict(X, beta, o, eta):
    """η = Xβ + o, four short rows at a time; the last of β is the intercept where X has no column for it."""
    ones = beta[-1] if beta.size > X.shape[1] else 0.0
    fours = X.shape[0] // 4 * 4 if X.shape[1] < LONG else 0
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


def spreader(term):
    """The function that adds Σᵢ term(x_ij, rᵢ) to out_j, four rows at a time, for a compiled term.

    It adds by way of `part` (dim,), so that rounding grows with the blocks and not with the rows.
    """

    @exactly
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

    return spread


@exactly
def times(x, r):
    return x * r


@exactly
def size_times(x, r):
    return abs(x) * r


@exactly
def square_times(x, h):
    """(h x) x, not h x²: a row of h = 0 stays 0 where its square would overflow."""
    return (x * h) * x


spread = spreader(times)  # out += Xᵀr
spread_sizes = spreader(size_times)  # out += |X|ᵀr
spread_squares = spreader(square_times)  # out += the diagonal of Xᵀ diag(r) X


@exactly
def higher(a, b):
    return a if a > b else b


@exactly
def measure(X, r, counts, part, scale, reach):
    """scale += |X|ᵀr; reach = max(reach, |x|) over the rows for which `counts` is 1; where it is 0 one is left out."""
    part[:] = 0.0
    fours = X.shape[0] // 4 * 4
    for i in range(0, fours, 4):
        ra, rb, rc, rd = r[i], r[i + 1], r[i + 2], r[i + 3]
        na, nb, nc, nd = counts[i], counts[i + 1], counts[i + 2], counts[i + 3]
        for j in range(X.shape[1]):
            a, b, c, d = abs(X[i, j]), abs(X[i + 1, j]), abs(X[i + 2, j]), abs(X[i + 3, j])
            part[j] += (a * ra + b * rb) + (c * rc + d * rd)
            reach[j] = higher(reach[j], higher(higher(a * na, b * nb), higher(c * nc, d * nd)))
    for i in range(fours, X.shape[0]):
        for j in range(X.shape[1]):
            part[j] += abs(X[i, j]) * r[i]
            reach[j] = higher(reach[j], abs(X[i, j]) * counts[i])
    if reach.size > X.shape[1]:
        part[-1] = total(r)
        for i in range(X.shape[0]):
            reach[-1] = higher(reach[-1], counts[i])
    for j in range(scale.size):
        scale[j] += part[j]


@exactly
def turn(X, panel):
    """The block column by column, with its ones."""
    for i in range(X.shape[0]):
        for j in range(X.shape[1]):
            panel[j, i] = X[i, j]
        if panel.shape[0] > X.shape[1]:
            panel[-1, i] = 1.0


@exactly
def multiply(a, b, out):
    for i in range(a.size):
        out[i] = a[i] * b[i]


@in_any_order
def dot(a, b):
    found = 0.0
    for i in range(a.size):
        found += a[i] * b[i]
    return found


@exactly
def gram(X, h, panel, product, hess):
    """The lower triangle of hess += Xᵀ diag(h) X."""
    turn(X, panel)
    m = X.shape[0]
    for j in range(hess.shape[0]):
        multiply(panel[j, :m], h, product[:m])
        for k in range(j + 1):
            hess[j, k] += dot(product[:m], panel[k, :m])


# --- a chunk, block by block --------------------------------------------------------------------------------------


@exactly
def allow(X, code, y, w, o, beta, work, part, numbers, slack, reach):
    """The rounding allowances of `evidence` and the largest |x|; η, ℓ, ℓ′ and ℓ″ are the first rows of `work`."""
    m = X.shape[0]
    eta, loss, slope, curve = work[0, :m], work[1, :m], work[2, :m], work[3, :m]
    size, height, drift, slid = work[4, :m], work[5, :m], work[6, :m], work[7, :m]
    predict_size(X, beta, o, drift)
    sizes(code, eta, y, slope, curve, size)
    farthest = np.inf if code == GAUSSIAN else 1.0  # Family.reach
    for i in range(m):
        made_of = size[i] + curve[i] * drift[i]
        wrong = ROUNDING * made_of
        sure = wrong < SMALL * farthest * curve[i]  # a row that is its own dual point (kernels.slipped)
        slid[i] = wrong * (wrong / curve[i]) if sure else 0.0
        size[i] = abs(slope[i]) if sure else made_of
        drift[i] = abs(slope[i]) * drift[i]
        height[i] = abs(loss[i])
    for values in (size, height, drift, slid):
        weigh(w, values)
    numbers[1] += total(height)
    numbers[2] += total(slid)
    numbers[3] += total(drift)
    for i in range(m):
        height[i] = 1.0 if not w.size or w[i] > 0 else 0.0
    measure(X, size, height, part, slack, reach)


@exactly
def height_of(X):
    """Rows in a block: HEIGHT, halved until the block is small enough, but not below 8."""
    height = HEIGHT
    while height > 8 and height * X.shape[1] > BLOCK:
        height //= 2
    return height


def for_both(*rest):
    """The signatures for rows of float64 and of float32: X, code, y, w, o and the rest."""
    return [void(X, int64, column, column, column, *rest) for X in (doubles, singles)]


@entrance(*for_both(column, result, result, result, square, result, result, result))
def walk(X, code, y, w, o, beta, numbers, grad, diag, hess, slack, scale, reach):
    """Add up over the rows whatever is not of length 0; `numbers` are f, Σ w|ℓ|, slip and drift."""
    work, part, panel = np.empty((8, HEIGHT)), np.empty(beta.size), np.empty((hess.shape[0], HEIGHT + 8))
    height = height_of(X)
    for first in range(0, X.shape[0], height):
        cut = slice(first, min(first + height, X.shape[0]))
        x, y_, w_, o_ = X[cut], y[cut], w[cut], o[cut]
        m = x.shape[0]
        eta, loss, slope, curve = work[0, :m], work[1, :m], work[2, :m], work[3, :m]
        predict(x, beta, o_, eta)
        pieces(code, eta, y_, loss, slope, curve)
        if slack.size:
            allow(x, code, y_, w_, o_, beta, work, part, numbers, slack, reach)
        weigh(w_, loss)
        weigh(w_, slope)
        weigh(w_, curve)
        numbers[0] += total(loss)
        spread(x, slope, part, grad)
        if diag.size:
            spread_squares(x, curve, part, diag)
        if hess.size:
            gram(x, curve, panel, work[4], hess)
        if scale.size:
            for i in range(m):
                slope[i] = abs(slope[i])
            spread_sizes(x, slope, part, scale)


@entrance(*for_both(doubles, result))
def walk_losses(X, code, y, w, o, B, losses):
    """Add up f at each row of B."""
    work = np.empty((4, HEIGHT))
    height = height_of(X)
    for first in range(0, X.shape[0], height):
        cut = slice(first, min(first + height, X.shape[0]))
        x, y_, w_, o_ = X[cut], y[cut], w[cut], o[cut]
        m = x.shape[0]
        for k in range(B.shape[0]):
            predict(x, B[k], o_, work[0, :m])
            pieces(code, work[0, :m], y_, work[1, :m], work[2, :m], work[3, :m])
            weigh(w_, work[1, :m])
            losses[k] += total(work[1, :m])


@entrance(*for_both(result, result))
def walk_spans(X, code, y, w, o, lowest, highest):
    """The largest −x_ij and x_ij of each column over the rows of positive weight."""
    for i in range(X.shape[0]):
        if not w.size or w[i] > 0:
            for j in range(X.shape[1]):
                lowest[j] = higher(lowest[j], -X[i, j])
                highest[j] = higher(highest[j], X[i, j])
            if highest.size > X.shape[1]:
                lowest[-1], highest[-1] = -1.0, 1.0


# --- the kernels --------------------------------------------------------------------------------------------------


def readable(rows):
    """The chunk as numba can read it: whole where X lies as it should, else in converted pieces.

    The pieces are whole blocks, so that sums come out the same to the last bit.
    """
    X = rows.X
    at_once = X.flags.c_contiguous and X.flags.aligned and X.dtype in (np.float64, np.float32)
    step = max(len(X), 1) if at_once else HEIGHT * max(READ // HEIGHT // max(X.shape[1], 1), 1)
    for first in range(0, len(X), step):
        cut = slice(first, first + step)
        columns = (np.empty(0) if c is None else kernels.part(c, cut) for c in rows[1:])
        yield (X if at_once else np.require(X[cut], np.float64, ["C", "ALIGNED"]), *columns)


def walked(rows, family, beta, diag=False, hess=False, slack=False, scale=False):
    """What `walk` adds up over the chunk: numbers, grad, diag, hess, slack, scale, reach."""
    dim = len(beta)
    out = [np.zeros(4), np.zeros(dim), *(np.zeros(dim * wanted) for wanted in (diag, slack, scale, slack))]
    out.insert(3, np.zeros((dim * hess, dim * hess)))
    for X, y, w, o in readable(rows):
        walk(X, TWINS[type(family)], y, w, o, beta, *out)
    out[3] += np.tril(out[3], -1).T
    return out


def refuse_misfit(rows, dim):
    """Compiled loops know no bounds: a column shorter than X, or β than its rows, would be read past its end."""
    shape, lengths = rows.X.shape, [len(values) for values in rows[1:] if values is not None]
    if any(length != shape[0] for length in lengths) or dim not in (shape[1], shape[1] + 1):
        raise ValueError(f"these rows do not belong together: X has shape {shape}, what stands beside it the lengths "
                         f"{lengths}, and there are {dim} coefficients")  # fmt: skip


def where_faster(kernel, columns=np.inf):
    """The kernel for dense rows of at most so many columns; for others numpy's of the same name."""
    twin = getattr(kernels, kernel.__name__)

    @functools.wraps(kernel)
    def run(rows, family, beta):
        if not (isinstance(rows.X, np.ndarray) and rows.X.shape[1] <= columns):
            return twin(rows, family, np.ascontiguousarray(beta, dtype=np.float64))
        refuse_misfit(rows, np.shape(beta)[-1])
        return kernel(rows, family, np.ascontiguousarray(beta, dtype=np.float64))

    return run


narrow = functools.partial(where_faster, columns=WIDE)


@where_faster
def losses(rows, family, B):
    """f at the m rows of B, (m, dim)."""
    out = np.zeros(len(B))
    for X, y, w, o in readable(rows):
        walk_losses(X, TWINS[type(family)], y, w, o, B, out)
    return Losses(out)


@where_faster
def loss_grad(rows, family, beta):
    """f and ∇f at β."""
    numbers, grad, *_ = walked(rows, family, beta)
    return LossGrad(numbers[0], grad)


@narrow
def loss_grad_hess(rows, family, beta):
    """f, ∇f and ∇²f at β."""
    numbers, grad, _, hess, *_ = walked(rows, family, beta, hess=True)
    return LossGradHess(numbers[0], grad, hess)


@where_faster
def loss_grad_diag(rows, family, beta):
    """f, ∇f and the diagonal of ∇²f at β."""
    numbers, grad, diag, *_ = walked(rows, family, beta, diag=True)
    return LossGradDiag(numbers[0], grad, diag)


@where_faster
def survey(rows, family, beta):
    """The first pass: f, ∇f and the diagonal of ∇²f at β, what slopes there are made of, and what y and w say."""
    numbers, grad, diag, _, _, scale, _ = walked(rows, family, beta, diag=True, scale=True)
    return Survey(numbers[0], grad, diag, scale, *kernels.null(rows, family), *kernels.checked(rows, family))


def spans(rows, family, dim):
    """The range of each column."""
    if not isinstance(rows.X, np.ndarray):
        return kernels.spans(rows, family, dim)
    refuse_misfit(rows, dim)
    found = Spans(Largest(np.full(dim, -np.inf)), Largest(np.full(dim, -np.inf)))
    for X, y, w, o in readable(rows):
        walk_spans(X, TWINS[type(family)], y, w, o, found.lowest.values, found.highest.values)
    return found


@narrow
def evidence(rows, family, beta):
    """f, ∇f, ∇²f and their rounding allowances (certificates.py explains them)."""
    numbers, grad, _, hess, slack, _, reach = walked(rows, family, beta, hess=True, slack=True)
    weight = float(len(rows.y)) if rows.w is None else kernels.as_floats(rows.w).sum()
    return Evidence(numbers[0], numbers[1], grad, hess, slack, weight, *numbers[2:], Largest(reach))
