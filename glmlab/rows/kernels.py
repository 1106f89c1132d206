"""What one worker computes on one chunk of rows, in NumPy.

Each kernel walks its chunk in row blocks small enough to stay in cache, so that a pass reads every row from memory
once. Blocks are C-contiguous float64 whatever the chunk holds, and an intercept is a column of ones appended to the
block: kernels know neither dtypes nor intercepts. Sums come back as NamedTuples, which `add` adds.

Sums over rows are written Xᵀ.dot(r): Xᵀ @ r keeps Python's lock where its result has fewer than 500 numbers, and then
threads wait for each other.
"""

import functools
import operator
from typing import NamedTuple

import numpy as np
from scipy import sparse

from glmlab.maths.families import suits_the_loss
from glmlab.maths.sums import Largest, Sums, Triangle
from glmlab.policy import Rounding

BLOCK = 2**18  # numbers in a block of X, 2 MiB: two stay in cache, and threads seldom wait for Python's lock
ROUNDING, SMALL = Rounding.slope, Rounding.own  # by name, because compiled code takes them as constants


class Rows(NamedTuple):
    """A chunk of rows with all that belongs to them; `w` and `o` may be None."""

    X: np.ndarray  # (rows, p), or a scipy.sparse matrix
    y: np.ndarray  # (rows,)
    w: np.ndarray | None = None  # weights (rows,)
    o: np.ndarray | None = None  # offsets (rows,)


class Losses(NamedTuple):
    losses: np.ndarray  # (m,), one for each row of B


class LossGrad(NamedTuple):
    loss: float
    grad: np.ndarray  # (dim,)


class LossGradHess(NamedTuple):
    loss: float
    grad: np.ndarray  # (dim,)
    hess: np.ndarray  # (dim, dim)


class LossGradDiag(NamedTuple):
    loss: float
    grad: np.ndarray  # (dim,)
    diag: np.ndarray  # (dim,) the diagonal of ∇²f


class Factor(NamedTuple):
    factor: Triangle  # R (at most dim, dim) with RᵀR = ∇²f


class Null(NamedTuple):
    """What y, weights and offsets say without X."""

    floor: float  # Σ w min ℓ over η, which no model can go below; nan where it is unknown
    tally: Sums  # from which the family finds the null model


class Survey(NamedTuple):
    """What the first pass learns: f where a solver starts, what y says without X, and what is wrong with y and w."""

    loss: float
    grad: np.ndarray  # (dim,)
    diag: np.ndarray  # (dim,) the diagonal of ∇²f
    scale: np.ndarray  # (dim,) Σ w |x_ij ℓ′_i|, of which slopes are made
    floor: float  # as in Null
    tally: Sums
    bad_labels: int  # rows whose y or offset is not finite, or of positive weight with a y that the family refuses
    bad_weights: int  # rows with a negative weight
    weight: float  # Σ w
    counted: int  # rows of positive weight


class Spans(NamedTuple):
    """The range of each column over the rows of positive weight."""

    lowest: Largest  # (dim,) of −x_ij
    highest: Largest  # (dim,) of x_ij


class Evidence(NamedTuple):
    """What a certificate needs to know about f at β, rounding included."""

    loss: float
    loss_slack: float  # Σ w |ℓ|
    grad: np.ndarray  # (dim,)
    hess: np.ndarray  # (dim, dim)
    slack: np.ndarray  # (dim,) Σ w |x_ij| (|ℓ′|, or where a row is unsure the sizes of the numbers it is made of)
    weight: float  # Σ w
    slip: float  # Σ w ℓ″ slip², what rounding has moved the dual points of the other rows by
    drift: float  # Σ w |ℓ′| · size of the numbers that η is made of
    reach: Largest  # (dim,) max |x_ij| over the rows of positive weight


class Price(NamedTuple):
    """What it costs to move the dual point of β along t = Xd."""

    price: float  # Σ w D(t)
    furthest: float  # max |t|


class Alignment(NamedTuple):
    """How rows lie to a direction d: how many of them forbid a descent without end."""

    held: int  # rows whose loss grows somewhere along d, be it ever so little
    moved: int  # rows that d visibly moves


def quietly(kernel):
    """Overflow is an answer here, not a warning: an infinite loss makes the caller backtrack."""

    @functools.wraps(kernel)
    def run(*args):
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return kernel(*args)

    return run


@quietly
def add(parts):
    """The sum of NamedTuples, field by field, in the order given."""
    columns = zip(*parts, strict=True)
    return type(parts[0])(*(functools.reduce(operator.add, column) for column in columns))


def dense(X, dim):
    """A block as aligned C-contiguous float64 with its column of ones where dim asks for it.

    Rows that came over a network may start at any byte; NumPy would multiply those in another order.
    """
    if X.shape[1] == dim:
        return np.require(X, np.float64, ["C", "ALIGNED"])
    block = np.empty((X.shape[0], dim))
    block[:, :-1], block[:, -1] = X, 1.0
    return block


def with_ones(X, dim):
    """The same for a sparse chunk, which stays sparse."""
    X = sparse.csr_array(X, dtype=np.float64)
    return X if X.shape[1] == dim else sparse.csr_array(sparse.hstack([X, np.ones((X.shape[0], 1))]))


def part(column, cut):
    """Rows `cut` of a column as float64, or None where there is no such column."""
    return None if column is None else np.require(column[cut], np.float64, ["C", "ALIGNED"])


def blocks(rows, dim):
    """The chunk in row blocks (X, y, w, o): dense ones that stay in cache, a sparse chunk whole."""
    n = rows.X.shape[0]
    height = n if sparse.issparse(rows.X) else min(max(BLOCK // dim, 256), 32768)
    make = with_ones if sparse.issparse(rows.X) else dense
    for first in range(0, n, height):
        cut = slice(first, first + height)
        yield Rows(make(rows.X[cut], dim), part(rows.y, cut), part(rows.w, cut), part(rows.o, cut))


def weigh(w, values):
    """w · values, where a row of weight 0 gives 0 even if its value overflowed."""
    return values if w is None else np.multiply(w, values, where=w > 0, out=np.zeros_like(values))


def predictor(block, beta):
    """η = Xβ + o."""
    eta = block.X @ beta
    return eta if block.o is None else eta + block.o


def rooted(X, h):
    """√h X for h ≥ 0. A row of h = 0 stays 0 where its square would overflow."""
    root = np.sqrt(h)[:, None]
    return X.multiply(root).tocsr() if sparse.issparse(X) else root * X


def gram(X, h):
    """Xᵀ diag(h) X for h ≥ 0, as AᵀA with A = √h X: one symmetric product. Where all h are one, that of X itself."""
    alike = len(h) and h.min() == h.max() > 0
    A = X if alike else rooted(X, h)
    return (h[0] if alike else 1.0) * square_of(A)


def square_of(A):
    """AᵀA, dense."""
    return A.T.dot(A).toarray() if sparse.issparse(A) else A.T.dot(A)


def gram_diagonal(X, h):
    """The diagonal of that; where a square overflows as sums of (h x) x: a row of h = 0 stays 0."""
    if sparse.issparse(X):
        return X.multiply(X.multiply(h[:, None])).sum(axis=0)
    found = h.dot(X * X)
    return found if np.isfinite(found).all() else np.sum(h[:, None] * X * X, axis=0)


@quietly
def losses(rows, family, B):
    """f at the m rows of B, (m, dim)."""
    total = np.zeros(len(B))
    for block in blocks(rows, B.shape[1]):
        eta = block.X @ B.T
        if block.o is not None:
            eta += block.o[:, None]
        each = family.loss(eta, block.y[:, None])
        total += each.sum(axis=0) if block.w is None else weigh(block.w[:, None], each).sum(axis=0)
    return Losses(total)


@quietly
def loss_grad(rows, family, beta):
    """f and ∇f at β."""
    loss, grad = 0.0, np.zeros_like(beta)
    for block in blocks(rows, len(beta)):
        eta = predictor(block, beta)
        loss += weigh(block.w, family.loss(eta, block.y)).sum()
        grad += block.X.T.dot(weigh(block.w, family.dloss(eta, block.y)))
    return LossGrad(loss, grad)


@quietly
def loss_grad_hess(rows, family, beta):
    """f, ∇f and ∇²f at β."""
    loss, grad, hess = 0.0, np.zeros_like(beta), np.zeros((len(beta), len(beta)))
    for block in blocks(rows, len(beta)):
        eta = predictor(block, beta)
        loss += weigh(block.w, family.loss(eta, block.y)).sum()
        grad += block.X.T.dot(weigh(block.w, family.dloss(eta, block.y)))
        hess += gram(block.X, weigh(block.w, family.d2loss(eta, block.y)))
    return LossGradHess(loss, grad, hess)


@quietly
def loss_grad_diag(rows, family, beta):
    """f, ∇f and the diagonal of ∇²f at β: Σ w ℓ″ x_ij² for each column j."""
    loss, grad, diag = 0.0, np.zeros_like(beta), np.zeros_like(beta)
    for block in blocks(rows, len(beta)):
        eta = predictor(block, beta)
        loss += weigh(block.w, family.loss(eta, block.y)).sum()
        grad += block.X.T.dot(weigh(block.w, family.dloss(eta, block.y)))
        diag += gram_diagonal(block.X, weigh(block.w, family.d2loss(eta, block.y)))
    return LossGradDiag(loss, grad, diag)


@quietly
def survey(rows, family, beta):
    """The first pass: f, ∇f and the diagonal of ∇²f at β, what slopes there are made of, and what y and w say."""
    loss, grad, diag, scale = 0.0, *np.zeros((3, len(beta)))
    for block in blocks(rows, len(beta)):
        eta = predictor(block, beta)
        slope = weigh(block.w, family.dloss(eta, block.y))
        loss += weigh(block.w, family.loss(eta, block.y)).sum()
        grad += block.X.T.dot(slope)
        diag += gram_diagonal(block.X, weigh(block.w, family.d2loss(eta, block.y)))
        scale += abs(block.X).T.dot(np.abs(slope))
    return Survey(loss, grad, diag, scale, *null(rows, family), *checked(rows, family))


@quietly
def null(rows, family):
    """What y, weights and offsets say without X."""
    y, w = as_floats(rows.y), None if rows.w is None else as_floats(rows.w)
    floor, tally = np.nan, Sums()
    if hasattr(family, "conjugate"):
        own = suits_the_loss(family, "saturated")
        floor = weigh(w, family.saturated(y) if own else -family.conjugate(np.zeros_like(y), y)).sum()
    if suits_the_loss(family, "level"):
        tally = family.tally(y, w, None if rows.o is None else as_floats(rows.o))
    return Null(float(floor), tally)


@quietly
def spans(rows, family, dim):
    """The range of each column."""
    lowest = highest = np.full(dim, -np.inf)
    for block in blocks(rows, dim):
        X = block.X if block.w is None else block.X[block.w > 0]
        if X.shape[0]:
            lowest, highest = np.maximum(lowest, tallest(-X)), np.maximum(highest, tallest(X))
    return Spans(Largest(lowest), Largest(highest))


def checked(rows, family):
    """What is wrong with y and w, and what the rows weigh: the last four fields of a Survey."""
    y, w = as_floats(rows.y), None if rows.w is None else as_floats(rows.w)
    bad = ~np.isfinite(y) if rows.o is None else ~(np.isfinite(y) & np.isfinite(rows.o))
    if hasattr(family, "domain"):
        bad |= ~family.domain(y) if w is None else ~family.domain(y) & (w > 0)
    if w is None:
        return int(np.count_nonzero(bad)), 0, float(len(y)), len(y)
    return int(np.count_nonzero(bad)), int(np.count_nonzero(w < 0)), float(w.sum()), int(np.count_nonzero(w > 0))


def tallest(size_x):
    """The largest entry of each column of a matrix, 0 where it has no rows.

    Halves are laid on each other, which reads along the rows: that is ten times as fast as a maximum down a column.
    """
    if not size_x.shape[0]:
        return np.zeros(size_x.shape[1])
    if sparse.issparse(size_x):
        return size_x.max(axis=0).toarray()
    while len(size_x) > 1:
        half = (len(size_x) + 1) // 2
        size_x = np.maximum(size_x[:half], size_x[-half:])
    return size_x[0]


def as_floats(values):
    return np.asarray(values, dtype=np.float64)


@quietly
def evidence(rows, family, beta):
    """f, ∇f, ∇²f and their rounding allowances (certificates.py explains them)."""
    dim = len(beta)
    none = np.zeros(dim)
    total = Evidence(0.0, 0.0, none, np.zeros((dim, dim)), none, 0.0, 0.0, 0.0, Largest(none))
    for block in blocks(rows, dim):
        eta, size_x = predictor(block, beta), abs(block.X)
        each = weigh(block.w, family.loss(eta, block.y))
        curve = family.d2loss(eta, block.y)
        size_eta = sizes(block, beta)
        slope, slip, sure = family.dloss(eta, block.y), *slipped(family, block, eta, size_eta)
        size = weigh(block.w, np.where(sure, np.abs(slope), family.size(eta, block.y) + curve * size_eta))
        grad = block.X.T.dot(weigh(block.w, slope))
        drift = weigh(block.w, np.abs(slope) * size_eta).sum()
        weight = float(len(eta)) if block.w is None else block.w.sum()
        hess, slid = gram(block.X, weigh(block.w, curve)), weigh(block.w, curve * slip**2).sum()
        reach = Largest(tallest(size_x if block.w is None else size_x[block.w > 0]))
        new = Evidence(each.sum(), np.abs(each).sum(), grad, hess, size_x.T.dot(size), weight, slid, drift, reach)
        total = add([total, new])
    return total


def sizes(block, beta):
    """The size of the numbers that η is made of, |X||β| + |o|."""
    size = abs(block.X) @ np.abs(beta)
    return size if block.o is None else size + np.abs(block.o)


def slipped(family, block, eta, size_eta):
    """How far t may be from 0 where ℓ′ as computed is taken for θ = ℓ′ + ℓ″t, and the rows where that is little.

    Those are their own dual points: their rounding costs its price and no slope is wrong by it. The others get 0 here.
    """
    curve = family.d2loss(eta, block.y)
    wrong = ROUNDING * (family.size(eta, block.y) + curve * size_eta)
    sure = wrong < SMALL * family.reach * curve
    return np.divide(wrong, curve, where=sure, out=np.zeros_like(wrong)), sure


@quietly
def factor(rows, family, beta):
    """R with RᵀR = ∇²f at β, from QR of √(w ℓ″) X block by block: it keeps twice the digits that the sum has.

    Blocks are stacked on the R so far, chunks in the tree that adds (TSQR: Demmel, Grigori, Hoemmen & Langou 2012).
    """
    total = Triangle(np.zeros((0, len(beta))))
    for block in blocks(rows, len(beta)):
        A = rooted(block.X, weigh(block.w, family.d2loss(predictor(block, beta), block.y)))
        for first in range(0, A.shape[0], 8192):
            part = A[first : first + 8192]
            total += Triangle(part.toarray() if sparse.issparse(part) else part)
    return Factor(total)


@quietly
def price(rows, family, beta, d, moves):
    """What moving the dual point of β along t = Xd costs, t known to ± the sum of |X m| over the columns m of moves.

    And to ± what rounding has moved it by already.
    """
    total, furthest = 0.0, 0.0
    for block in blocks(rows, len(beta)):
        eta, t = predictor(block, beta), block.X @ d
        r = np.abs(block.X @ moves).sum(axis=1) + slipped(family, block, eta, sizes(block, beta))[0]
        # D is convex and least at 0, so its largest value on [t − r, t + r] is at an end.
        each = np.maximum(family.price(t - r, eta, block.y), family.price(t + r, eta, block.y))
        total += weigh(block.w, each).sum()
        furthest = max(furthest, weigh(None if block.w is None else block.w > 0, np.abs(t) + r).max(initial=0.0))
    return Price(total, furthest)


@quietly
def visibility(rows, family, V, sizes):
    """The largest |x·v| ÷ |x|·size over the rows of positive weight and the columns of V and sizes (dim, m)."""
    worst = 0.0
    for block in blocks(rows, len(V)):
        ratio = np.abs(block.X @ V) / (abs(block.X) @ sizes)
        ratio = ratio if block.w is None else ratio[block.w > 0]
        worst = max(worst, np.nan_to_num(ratio).max(initial=0.0))
    return worst


@quietly
def align(rows, family, d, dust, visible):
    """How the rows of positive weight lie to d.

    |x·d| ≤ |x|·dust, with dust (dim,), holds nothing, being 0 to rounding; |x·d| ≤ |x|·visible moves nothing.
    """
    held, moved = 0, 0
    for block in blocks(rows, len(d)):
        t, size_x, counts = block.X @ d, abs(block.X), True if block.w is None else block.w > 0
        held += int(np.sum((np.abs(t) > size_x @ dust) & counts & ~family.recedes(t, block.y)))
        moved += int(np.sum((np.abs(t) > size_x @ visible) & counts))
    return Alignment(held, moved)


def culprits(rows):
    """For the scan after a non-finite sum: the argument that holds a NaN or an infinity, with one such value."""
    named = {"X": rows.X.data if sparse.issparse(rows.X) else rows.X, "y": rows.y, "sample_weight": rows.w}
    for name, values in (named | {"offset": rows.o}).items():
        values = np.asarray([] if values is None else values)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            return name, float(values[~np.isfinite(values)][0]), int(np.sum(~np.isfinite(values)))
    return None


def labels(rows):
    """A few distinct values of y."""
    return np.unique(np.asarray(rows.y, dtype=np.float64))[:5]
