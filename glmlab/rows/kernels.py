"""The kernels in NumPy: what one worker computes on one chunk of rows.

Each kernel walks its chunk in blocks of rows that stay in cache, so that a pass reads every row from memory once.
Blocks are C-contiguous float64 whatever the chunk holds. An intercept is a column of ones at the end of the block. So
kernels know neither dtypes nor intercepts. Sums come back as the named tuples of maths/sums.py.

Sums over rows are written Xᵀ.dot(r). Xᵀ @ r keeps Python's lock where its result has fewer than 500 numbers, and then
threads wait for each other.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from glmlab.maths.family import suits_the_loss
from glmlab.maths.sums import (
    Alignment,
    Dual,
    Evidence,
    Factor,
    HessOn,
    HessTimes,
    Largest,
    Losses,
    LossGrad,
    LossGradDiag,
    LossGradHess,
    Null,
    Price,
    Spans,
    Sums,
    Survey,
    Triangle,
    add,
    quietly,
)
from glmlab.policy import Blocks, Rounding

POLICY = Blocks()


class Rows(NamedTuple):
    """A chunk of rows and what belongs to them; `w` and `o` may be None."""

    X: np.ndarray  # (rows, p), or a scipy.sparse matrix
    y: np.ndarray  # (rows,)
    w: np.ndarray | None = None  # weights (rows,)
    o: np.ndarray | None = None  # offsets (rows,)


def dense(X, dim):
    """A block (rows, dim) as aligned C-contiguous float64, with a column of ones where dim is p + 1.

    Rows that came over a network may start at any byte. NumPy multiplies such rows in another order.
    """
    if X.shape[1] == dim:
        return np.require(X, np.float64, ["C", "ALIGNED"])
    block = np.empty((X.shape[0], dim))
    block[:, :-1], block[:, -1] = X, 1.0
    return block


def with_ones(X, dim):
    """The same for a sparse chunk; it stays sparse."""
    X = sparse.csr_array(X, dtype=np.float64)
    return X if X.shape[1] == dim else sparse.csr_array(sparse.hstack([X, np.ones((X.shape[0], 1))]))


def part(column, cut):
    """Rows `cut` of a column as float64, None without a column."""
    return None if column is None else np.require(column[cut], np.float64, ["C", "ALIGNED"])


def blocks(rows, dim, policy=POLICY):
    """The chunk as Rows, block by block: dense blocks that stay in cache, or a sparse chunk as one block."""
    n = rows.X.shape[0]
    height = max(n, 1) if sparse.issparse(rows.X) else policy.height(dim)
    make = with_ones if sparse.issparse(rows.X) else dense
    for first in range(0, n, height):
        cut = slice(first, first + height)
        yield Rows(make(rows.X[cut], dim), part(rows.y, cut), part(rows.w, cut), part(rows.o, cut))


def weigh(w, values):
    """w · values. A row of weight 0 gives 0 even if its value overflowed."""
    return values if w is None else np.multiply(w, values, where=w > 0, out=np.zeros_like(values))


def predictor(block, beta):
    """η = Xβ + o."""
    eta = block.X @ beta
    return eta if block.o is None else eta + block.o


def rooted(X, h):
    """√h X for h ≥ 0. A row of h = 0 gives 0 even if its square would overflow."""
    root = np.sqrt(h)[:, None]
    return X.multiply(root).tocsr() if sparse.issparse(X) else root * X


def gram(X, h):
    """Xᵀ diag(h) X for h ≥ 0 as the symmetric product AᵀA, with A = √h X, or with A = X where all h are equal."""
    alike = len(h) and h.min() == h.max() > 0
    A = X if alike else rooted(X, h)
    return (h[0] if alike else 1.0) * square_of(A)


def square_of(A):
    """AᵀA, dense."""
    return A.T.dot(A).toarray() if sparse.issparse(A) else A.T.dot(A)


def gram_diagonal(X, h):
    """The diagonal of Xᵀ diag(h) X. Where a square overflows, (h x) x is added: a row of h = 0 gives 0."""
    if sparse.issparse(X):
        return X.multiply(X.multiply(h[:, None])).sum(axis=0)
    found = h.dot(X * X)
    return found if np.isfinite(found).all() else np.sum(h[:, None] * X * X, axis=0)


@quietly
def losses(rows, family, B, policy=POLICY):
    """f at the m rows of B, (m, dim)."""
    total = np.zeros(len(B))
    for block in blocks(rows, B.shape[1], policy):
        eta = block.X @ B.T
        if block.o is not None:
            eta += block.o[:, None]
        each = family.loss(eta, block.y[:, None])
        total += each.sum(axis=0) if block.w is None else weigh(block.w[:, None], each).sum(axis=0)
    return Losses(total)


@quietly
def loss_grad(rows, family, beta, policy=POLICY):
    """f and ∇f at β."""
    loss, grad = 0.0, np.zeros_like(beta)
    for block in blocks(rows, len(beta), policy):
        eta = predictor(block, beta)
        loss += weigh(block.w, family.loss(eta, block.y)).sum()
        grad += block.X.T.dot(weigh(block.w, family.dloss(eta, block.y)))
    return LossGrad(loss, grad)


@quietly
def loss_grad_hess(rows, family, beta, policy=POLICY):
    """f, ∇f and ∇²f at β."""
    loss, grad, hess = 0.0, np.zeros_like(beta), np.zeros((len(beta), len(beta)))
    for block in blocks(rows, len(beta), policy):
        eta = predictor(block, beta)
        loss += weigh(block.w, family.loss(eta, block.y)).sum()
        grad += block.X.T.dot(weigh(block.w, family.dloss(eta, block.y)))
        hess += gram(block.X, weigh(block.w, family.d2loss(eta, block.y)))
    return LossGradHess(loss, grad, hess)


@quietly
def loss_grad_diag(rows, family, beta, policy=POLICY):
    """f, ∇f and the diagonal of ∇²f at β: Σ w ℓ″ x_ij² for each column j."""
    loss, grad, diag = 0.0, np.zeros_like(beta), np.zeros_like(beta)
    for block in blocks(rows, len(beta), policy):
        eta = predictor(block, beta)
        loss += weigh(block.w, family.loss(eta, block.y)).sum()
        grad += block.X.T.dot(weigh(block.w, family.dloss(eta, block.y)))
        diag += gram_diagonal(block.X, weigh(block.w, family.d2loss(eta, block.y)))
    return LossGradDiag(loss, grad, diag)


@quietly
def survey(rows, family, beta, policy=POLICY):
    """The first pass: f, ∇f and the diagonal of ∇²f at β, the size of what ∇f adds, and what y and w say."""
    loss, grad, diag, scale = 0.0, *np.zeros((3, len(beta)))
    for block in blocks(rows, len(beta), policy):
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
    own = suits_the_loss(family, "saturated")
    if own or hasattr(family, "conjugate"):
        floor = weigh(w, family.saturated(y) if own else -family.conjugate(np.zeros_like(y), y)).sum()
    if suits_the_loss(family, "level"):
        tally = family.tally(y, w, None if rows.o is None else as_floats(rows.o))
    return Null(float(floor), tally)


@quietly
def spans(rows, family, dim, policy=POLICY):
    """The range of each column; `family` has no part in it."""
    lowest = highest = np.full(dim, -np.inf)
    for block in blocks(rows, dim, policy):
        X = block.X if block.w is None else block.X[block.w > 0]
        if X.shape[0]:
            lowest, highest = np.maximum(lowest, tallest(-X)), np.maximum(highest, tallest(X))
    return Spans(Largest(lowest), Largest(highest))


def checked(rows, family):
    """The last four fields of a Survey: what is wrong with y and w, the weight of the rows, and how many count."""
    y, w = as_floats(rows.y), None if rows.w is None else as_floats(rows.w)
    bad = ~np.isfinite(y) if rows.o is None else ~(np.isfinite(y) & np.isfinite(rows.o))
    if hasattr(family, "domain"):
        bad |= ~family.domain(y) if w is None else ~family.domain(y) & (w > 0)
    if w is None:
        return int(np.count_nonzero(bad)), 0, float(len(y)), len(y)
    return int(np.count_nonzero(bad)), int(np.count_nonzero(w < 0)), float(w.sum()), int(np.count_nonzero(w > 0))


def tallest(size_x):
    """The largest entry of each column of a matrix, 0 if it has no rows.

    The lower half of the rows is compared with the upper half, and so on. This reads along the rows, which is ten times
    as fast as a maximum down each column.
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
def evidence(rows, family, beta, policy=POLICY):
    """f, ∇f, ∇²f and their rounding allowances (certificates.py explains them)."""
    dim = len(beta)
    none = np.zeros(dim)
    total = Evidence(0.0, 0.0, none, np.zeros((dim, dim)), none, 0.0, 0.0, 0.0, Largest(none))
    for block in blocks(rows, dim, policy):
        eta, size_x = predictor(block, beta), abs(block.X)
        each = weigh(block.w, family.loss(eta, block.y))
        curve = family.d2loss(eta, block.y)
        size_eta = sizes(block, beta)
        slope, error, sure = family.dloss(eta, block.y), *slipped(family, block, eta, size_eta)
        size = weigh(block.w, np.where(sure, np.abs(slope), family.size(eta, block.y) + curve * size_eta))
        grad = block.X.T.dot(weigh(block.w, slope))
        eta_size = weigh(block.w, np.abs(slope) * size_eta).sum()
        weight = float(len(eta)) if block.w is None else block.w.sum()
        hess, dual_rounding = gram(block.X, weigh(block.w, curve)), weigh(block.w, curve * error**2).sum()
        largest = Largest(tallest(size_x if block.w is None else size_x[block.w > 0]))
        slope_size = size_x.T.dot(size)
        new = Evidence(each.sum(), np.abs(each).sum(), grad, hess, slope_size, weight, dual_rounding, eta_size, largest)
        total = add([total, new])
    return total


def sizes(block, beta):
    """|X||β| + |o|, the size of the numbers that η is made of."""
    size = abs(block.X) @ np.abs(beta)
    return size if block.o is None else size + np.abs(block.o)


def slipped(family, block, eta, size_eta, rounding=Rounding()):
    """By how much rounding may have moved t in θ = ℓ′ + ℓ″t, and for which rows that is little: error, sure (n,).

    For the sure rows the computed ℓ′ is the dual point: rounding then has a price, and no slope is wrong by it. The
    error of the other rows is 0 here.
    """
    curve = family.d2loss(eta, block.y)
    return blurred(family, curve, family.size(eta, block.y) + curve * size_eta, rounding)


def blurred(family, curve, made_of, rounding=Rounding()):
    """The same from ℓ″ and from the size of the numbers that the slopes are made of."""
    wrong = rounding.slope * made_of
    sure = wrong < rounding.own * family.reach * curve
    return np.divide(wrong, curve, where=sure, out=np.zeros_like(wrong)), sure


@quietly
def factor(rows, family, beta, policy=POLICY):
    """R with RᵀR = ∇²f at β, from QR of √(w ℓ″) X block by block: R has twice as many right digits as the sum ∇²f.

    Blocks are stacked on the R so far; the R of chunks are added in a tree (TSQR: Demmel, Grigori, Hoemmen & Langou
    2012).
    """
    total = Triangle(np.zeros((0, len(beta))))
    for block in blocks(rows, len(beta), policy):
        total = stack(total, rooted(block.X, weigh(block.w, family.d2loss(predictor(block, beta), block.y))), policy)
    return Factor(total)


def stack(total, A, policy=POLICY):
    """The Triangle of the rows of `total` and of A, which LAPACK sees in parts."""
    for first in range(0, A.shape[0], policy.stacked):
        part = A[first : first + policy.stacked]
        total += Triangle(part.toarray() if sparse.issparse(part) else part)
    return total


@quietly
def price(rows, family, beta, d, moves, policy=POLICY):
    """The cost of moving the dual point of β along t = Xd, at worst over what t may be.

    t is known to ± the sum of |Xm| over the columns m of moves (dim, k), and to ± what rounding has moved it by.
    """
    total, furthest = 0.0, 0.0
    for block in blocks(rows, len(beta), policy):
        eta, t = predictor(block, beta), block.X @ d
        r = np.abs(block.X @ moves).sum(axis=1) + slipped(family, block, eta, sizes(block, beta))[0]
        # D is convex, so its largest value on [t − r, t + r] is at an end.
        each = np.maximum(family.price(t - r, eta, block.y), family.price(t + r, eta, block.y))
        total += weigh(block.w, each).sum()
        furthest = max(furthest, weigh(None if block.w is None else block.w > 0, np.abs(t) + r).max(initial=0.0))
    return Price(total, furthest)


@quietly
def hess_on(rows, family, beta, A, policy=POLICY):
    """∇²f at β in the coordinates A (m,), rising numbers."""
    hess, inside = np.zeros((len(A), len(A))), np.count_nonzero(beta) == np.count_nonzero(beta[A])
    for block in blocks(rows, len(beta), policy):
        some = block._replace(X=block.X[:, A])
        eta = predictor(some, beta[A]) if inside else predictor(block, beta)
        hess += gram(some.X, weigh(block.w, family.d2loss(eta, block.y)))
    return HessOn(hess)


@quietly
def hess_times(rows, family, beta, d, policy=POLICY):
    """∇²f(β) d, (dim,)."""
    product = np.zeros_like(beta)
    for block in blocks(rows, len(beta), policy):
        curve = weigh(block.w, family.d2loss(predictor(block, beta), block.y))
        product += block.X.T.dot(curve * (block.X @ d))
    return HessTimes(product)


@quietly
def dual(rows, family, beta, d, slack, policy=POLICY):
    """The slopes and the price of θ = ℓ′(η) + ℓ″(η)·t with t = Xd, known to ± slack and to what rounding has moved."""
    A = np.flatnonzero((beta != 0) | (d != 0))
    total = Dual(0.0, 0.0, 0.0, 0.0, np.zeros(len(beta)), 0.0, 0.0, Largest(0.0))
    for block in blocks(rows, len(beta), policy):
        some = block._replace(X=block.X[:, A])
        eta, t, size_eta = predictor(some, beta[A]), some.X @ d[A], sizes(some, beta[A])
        pieces = (getattr(family, name)(eta, block.y) for name in ("loss", "dloss", "d2loss", "size"))
        found = dual_of(family, block.y, block.w, eta, t, size_eta, slack, pieces)
        total = add([total, found._replace(slope=block.X.T.dot(found.slope))])
    return total


@quietly
def dual_of(family, y, w, eta, t, size_eta, slack, pieces):
    """The Dual of rows without their X: `slope` is w θ of each row. The pieces are ℓ, ℓ′, ℓ″ and their size."""
    loss, slope, curve, size = pieces
    each, made_of = weigh(w, loss), size + curve * size_eta
    error, sure = blurred(family, curve, made_of)
    made_of = np.where(sure, np.abs(slope), made_of) + curve * np.abs(t)
    r = slack + error
    # D is convex, so its largest value on [t − r, t + r] is at an end.
    prices = np.maximum(family.price(t - r, eta, y), family.price(t + r, eta, y))
    return Dual(
        each.sum(), np.abs(each).sum(), weigh(w, np.abs(slope) * size_eta).sum(), weigh(w, curve * error**2).sum(),
        weigh(w, slope + curve * t), weigh(w, made_of).sum(), weigh(w, prices).sum(),
        Largest(weigh(None if w is None else w > 0, np.abs(t) + r).max(initial=0.0)),
    )  # fmt: skip


@quietly
def visibility(rows, family, V, sizes, policy=POLICY):
    """The largest |x·v| ÷ |x|·s over rows of positive weight, and over columns v of V and s of sizes, (dim, m) both."""
    worst = 0.0
    for block in blocks(rows, len(V), policy):
        ratio = np.abs(block.X @ V) / (abs(block.X) @ sizes)
        ratio = ratio if block.w is None else ratio[block.w > 0]
        worst = max(worst, np.nan_to_num(ratio).max(initial=0.0))
    return worst


@quietly
def align(rows, family, d, dust, visible, policy=POLICY):
    """How the rows of positive weight lie to d.

    A row with |x·d| ≤ |x|·dust, dust (dim,), holds nothing, since x·d may be rounding. A row with |x·d| ≤ |x|·visible
    is not moved.
    """
    held, moved = 0, 0
    for block in blocks(rows, len(d), policy):
        t, size_x, counts = block.X @ d, abs(block.X), True if block.w is None else block.w > 0
        held += int(np.sum((np.abs(t) > size_x @ dust) & counts & ~family.recedes(t, block.y)))
        moved += int(np.sum((np.abs(t) > size_x @ visible) & counts))
    return Alignment(held, moved)
