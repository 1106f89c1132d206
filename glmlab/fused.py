"""The kernels of kernels.py compiled by numba: what one worker computes on one chunk of rows, read once.

NumPy makes a dozen trips over a block for one loss and gradient, with an exponential that takes one number at a time.
Here exp and log1p are polynomials without branches, which LLVM turns into instructions on eight rows at once.
Blocks of rows stay in the innermost cache. Where rows are wide, BLAS is the better at XᵀX: the numpy kernels then walk
the blocks, and only the losses come from here.

Importing this module compiles it, or loads what an earlier import has left in numba's cache on disk, so that no pass
waits. Objective imports it when a fit chooses it. What stands in kernels.py alone is taken from there.
"""

import functools

import numpy as np
from numba import float64, int64, njit, types, void

from glmlab import kernels
from glmlab.families import Gamma, Gaussian, Logistic, Poisson
from glmlab.kernels import Evidence, Largest, Losses, LossGrad, LossGradDiag, LossGradHess, Survey

#: The families with compiled twins. A subclass is another type: its own loss may differ, so numpy serves it.
TWINS = {Gaussian: 0, Logistic: 1, Poisson: 2, Gamma: 3}
GAUSSIAN, LOGISTIC, POISSON, GAMMA = TWINS.values()

HEIGHT = 256  # rows in a block
WIDE = 32  # with more columns than this BLAS is faster
READ = 32 * HEIGHT  # rows of a chunk that are converted at a time, where numba cannot read it as it lies

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
    shifted = x / LOG2 + ROUNDER
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
    for i in range(eta.size):
        small = exp(-abs(eta[i]))
        share = 1 / (1 + small)
        loss[i] = (0.0 if eta[i] < 0 else eta[i]) - y[i] * eta[i] + log1p(small)
        slope[i] = (small if eta[i] < 0 else 1.0) * share - y[i]
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


@entrance(void(int64, column, column, result, result, result))
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
            size[i] = (slope[i] + y[i]) + abs(y[i])
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
    """η = Xβ + o; the last of β is the intercept where X has no column for it."""
    ones = beta[-1] if beta.size > X.shape[1] else 0.0
    for i in range(X.shape[0]):
        found = ones
        for j in range(X.shape[1]):
            found += X[i, j] * beta[j]
        eta[i] = found + o[i] if o.size else found


@in_any_order
def predict_size(X, beta, o, size):
    """|X||β| + |o|."""
    ones = abs(beta[-1]) if beta.size > X.shape[1] else 0.0
    for i in range(X.shape[0]):
        found = ones
        for j in range(X.shape[1]):
            found += abs(X[i, j]) * abs(beta[j])
        size[i] = found + abs(o[i]) if o.size else found


@exactly
def spread(X, r, part, out):
    """out += Xᵀr, by way of `part` (dim,), so that rounding grows with the blocks and not with the rows."""
    part[:] = 0.0
    four = X.shape[0] // 4 * 4
    for i in range(0, four, 4):
        a, b, c, d = r[i], r[i + 1], r[i + 2], r[i + 3]
        for j in range(X.shape[1]):
            part[j] += (X[i, j] * a + X[i + 1, j] * b) + (X[i + 2, j] * c + X[i + 3, j] * d)
    for i in range(four, X.shape[0]):
        for j in range(X.shape[1]):
            part[j] += X[i, j] * r[i]
    if out.size > X.shape[1]:
        part[-1] = total(r)
    for j in range(out.size):
        out[j] += part[j]


@exactly
def spread_sizes(X, r, part, out):
    """out += |X|ᵀr."""
    part[:] = 0.0
    for i in range(X.shape[0]):
        for j in range(X.shape[1]):
            part[j] += abs(X[i, j]) * r[i]
    if out.size > X.shape[1]:
        part[-1] = total(r)
    for j in range(out.size):
        out[j] += part[j]


@exactly
def spread_squares(X, h, part, out):
    """out += diagonal of Xᵀ diag(h) X. (h x) x, not h x²: a row of h = 0 stays 0 where its square would overflow."""
    part[:] = 0.0
    for i in range(X.shape[0]):
        for j in range(X.shape[1]):
            part[j] += (X[i, j] * h[i]) * X[i, j]
    if out.size > X.shape[1]:
        part[-1] = total(h)
    for j in range(out.size):
        out[j] += part[j]


@exactly
def tallest(X, w, reach):
    """reach = max(reach, |x|) over the rows that count."""
    for i in range(X.shape[0]):
        if w.size and not w[i] > 0:
            continue
        for j in range(X.shape[1]):
            size = np.float64(abs(X[i, j]))
            reach[j] = size if size > reach[j] else reach[j]
        if reach.size > X.shape[1]:
            reach[-1] = 1.0


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
def allow(X, code, y, w, o, beta, work, part, numbers, slack):
    """The rounding allowances of `evidence`; η, ℓ, ℓ′ and ℓ″ are the first rows of `work`, the next two are free."""
    m = X.shape[0]
    eta, loss, slope, curve, size, size_eta = (
        work[0, :m],
        work[1, :m],
        work[2, :m],
        work[3, :m],
        work[4, :m],
        work[5, :m],
    )
    predict_size(X, beta, o, size_eta)
    sizes(code, eta, y, slope, curve, size)
    for i in range(m):
        size[i] += curve[i] * size_eta[i]
        size_eta[i] = abs(loss[i]) + abs(slope[i]) * size_eta[i]
    weigh(w, size)
    weigh(w, size_eta)
    spread_sizes(X, size, part, slack)
    numbers[1] += total(size_eta)


@exactly
def origin(X, code, y, w, o, work, part, numbers, scale, reach):
    """What `survey` asks at β = 0; all rows of `work` are free."""
    m = X.shape[0]
    eta, loss, slope, curve = work[0, :m], work[1, :m], work[2, :m], work[3, :m]
    for i in range(m):
        eta[i] = o[i] if o.size else 0.0
    pieces(code, eta, y, loss, slope, curve)
    for i in range(m):
        slope[i] = abs(slope[i])
    weigh(w, loss)
    weigh(w, slope)
    numbers[2] += total(loss)
    spread_sizes(X, slope, part, scale)
    tallest(X, w, reach)


def for_both(*rest):
    """The signatures for rows of float64 and of float32: X, code, y, w, o and the rest."""
    return [void(X, int64, column, column, column, *rest) for X in (doubles, singles)]


@entrance(*for_both(column, result, result, result, square, result, result, result))
def walk(X, code, y, w, o, beta, numbers, grad, diag, hess, slack, scale, reach):
    """Add up over the rows whatever is not of length 0; `numbers` are f, its allowance and f(0)."""
    work, part, panel = np.empty((6, HEIGHT)), np.empty(beta.size), np.empty((hess.shape[0], HEIGHT + 8))
    for first in range(0, X.shape[0], HEIGHT):
        cut = slice(first, min(first + HEIGHT, X.shape[0]))
        x, y_, w_, o_ = X[cut], y[cut], w[cut], o[cut]
        m = x.shape[0]
        eta, loss, slope, curve = work[0, :m], work[1, :m], work[2, :m], work[3, :m]
        predict(x, beta, o_, eta)
        pieces(code, eta, y_, loss, slope, curve)
        if slack.size:
            allow(x, code, y_, w_, o_, beta, work, part, numbers, slack)
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
            origin(x, code, y_, w_, o_, work, part, numbers, scale, reach)


@entrance(*for_both(doubles, result))
def walk_losses(X, code, y, w, o, B, losses):
    """Add up f at each row of B."""
    work = np.empty((4, HEIGHT))
    for first in range(0, X.shape[0], HEIGHT):
        cut = slice(first, min(first + HEIGHT, X.shape[0]))
        x, y_, w_, o_ = X[cut], y[cut], w[cut], o[cut]
        m = x.shape[0]
        for k in range(B.shape[0]):
            predict(x, B[k], o_, work[0, :m])
            pieces(code, work[0, :m], y_, work[1, :m], work[2, :m], work[3, :m])
            weigh(w_, work[1, :m])
            losses[k] += total(work[1, :m])


# --- the kernels --------------------------------------------------------------------------------------------------


class Compiled:
    """A family whose losses on a block are compiled; all else is asked of the family itself."""

    def __init__(self, family):
        self.family, self.code, self.eta, self.found = family, TWINS[type(family)], None, None

    def __getattr__(self, name):
        return getattr(self.family, name)

    def pieces(self, eta, y):
        """ℓ, ℓ′ and ℓ″, computed together: kernels ask for one after the other."""
        if eta is not self.eta:
            self.eta, self.found = eta, np.empty((3, *eta.shape))
            flat = np.ascontiguousarray(np.broadcast_to(y, eta.shape)).ravel()
            pieces(self.code, np.ascontiguousarray(eta).ravel(), flat, *self.found.reshape(3, -1))
        return self.found

    def loss(self, eta, y):
        return self.pieces(eta, y)[0]

    def dloss(self, eta, y):
        return self.pieces(eta, y)[1]

    def d2loss(self, eta, y):
        return self.pieces(eta, y)[2]


def by_blas(rows, dim):
    """Is this chunk one for the numpy kernels? Wide or sparse rows are."""
    return dim > WIDE or not isinstance(rows.X, np.ndarray)


def readable(rows):
    """The chunk as numba can read it: whole where X lies as it should, else in converted pieces of READ rows."""
    X = rows.X
    at_once = X.flags.c_contiguous and X.flags.aligned and X.dtype in (np.float64, np.float32) and X.dtype.isnative
    step = len(X) if at_once else READ
    for first in range(0, len(X), max(step, 1)):
        cut = slice(first, first + step)
        columns = (np.empty(0) if c is None else kernels.part(c, cut) for c in rows[1:])
        yield (X if at_once else np.require(X[cut], np.float64, ["C", "ALIGNED"]), *columns)


def walked(rows, family, beta, diag=False, hess=False, slack=False, scale=False):
    """What `walk` adds up over the chunk: numbers, grad, diag, hess, slack, scale, reach."""
    dim = len(beta)
    out = [np.zeros(3), np.zeros(dim), *(np.zeros(dim * wanted) for wanted in (diag, slack, scale, scale))]
    out.insert(3, np.zeros((dim * hess, dim * hess)))
    for X, y, w, o in readable(rows):
        walk(X, TWINS[type(family)], y, w, o, beta, *out)
    out[3] += np.tril(out[3], -1).T
    return out


def unless_by_blas(kernel):
    """The kernel where it is the faster one; else numpy's of the same name, with compiled losses."""
    twin = getattr(kernels, kernel.__name__)

    @functools.wraps(kernel)
    def run(rows, family, beta):
        beta = np.ascontiguousarray(beta, dtype=np.float64)
        if by_blas(rows, beta.shape[-1]):
            return twin(rows, Compiled(family), beta)
        return kernel(rows, family, beta)

    return run


@unless_by_blas
def losses(rows, family, B):
    """f at the m rows of B, (m, dim)."""
    out = np.zeros(len(B))
    for X, y, w, o in readable(rows):
        walk_losses(X, TWINS[type(family)], y, w, o, B, out)
    return Losses(out)


@unless_by_blas
def loss_grad(rows, family, beta):
    """f and ∇f at β."""
    numbers, grad, *_ = walked(rows, family, beta)
    return LossGrad(numbers[0], grad)


@unless_by_blas
def loss_grad_hess(rows, family, beta):
    """f, ∇f and ∇²f at β."""
    numbers, grad, _, hess, *_ = walked(rows, family, beta, hess=True)
    return LossGradHess(numbers[0], grad, hess)


@unless_by_blas
def loss_grad_diag(rows, family, beta):
    """f, ∇f and the diagonal of ∇²f at β."""
    numbers, grad, diag, *_ = walked(rows, family, beta, diag=True)
    return LossGradDiag(numbers[0], grad, diag)


@unless_by_blas
def survey(rows, family, beta):
    """The first pass: f, ∇f and the diagonal of ∇²f at β, what is known at 0, and what is wrong with y and w."""
    numbers, grad, diag, _, _, scale, reach = walked(rows, family, beta, diag=True, scale=True)
    return Survey(numbers[0], grad, diag, numbers[2], scale, Largest(reach), *kernels.checked(rows, family))


@unless_by_blas
def evidence(rows, family, beta):
    """f, ∇f, ∇²f and their rounding allowances (certificates.py explains them)."""
    numbers, grad, _, hess, slack, *_ = walked(rows, family, beta, hess=True, slack=True)
    weight = float(len(rows.y)) if rows.w is None else kernels.as_floats(rows.w).sum()
    return Evidence(numbers[0], numbers[1], grad, hess, slack, weight)
