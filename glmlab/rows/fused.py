"""The kernels of kernels.py in compiled loops: what one worker computes on one chunk of rows, read once.

The loops over sparse rows are imported where such rows are, because their first compilation takes many seconds.

Hessians of wide dense rows are left to NumPy: BLAS is faster there. So are the kernels that are missing here.
"""

import functools
import itertools

import numpy as np
from scipy import sparse

from glmlab.maths.sums import (
    Evidence,
    HessOn,
    Largest,
    Losses,
    LossGrad,
    LossGradDiag,
    LossGradHess,
    Spans,
    Survey,
)
from glmlab.policy import Rounding
from glmlab.rows import kernels, loops
from glmlab.rows.kernels import POLICY
from glmlab.rows.twins import twin_of


def readable(rows, policy=POLICY):
    """The chunk as numba can read it: parts (X, y, w, o) of whole blocks, and the number of rows in their blocks.

    Where X lies as it should, these are two: all whole blocks, and what remains. Else X is converted part by part. The
    blocks are the same, so that the sums are the same to the last bit. A missing column has length 0. X of sparse rows
    is three arrays: indptr, indices and data.
    """
    n, thin = rows.X.shape[0], sparse.issparse(rows.X)
    X = canonical(rows.X) if thin else rows.X
    height = policy.compiled_rows if thin else policy.compiled_height(X.shape[1])
    lies_well = thin or X.flags.c_contiguous and X.flags.aligned and X.dtype in (np.float64, np.float32)
    whole = n // height * height
    step = whole if lies_well else height * max(policy.converted // height // max(X.shape[1], 1), 1)
    edges = [*range(0, whole, step or 1), whole, n]
    for first, last in itertools.pairwise(edges):
        if first < last:
            cut = slice(first, last)
            columns = (np.empty(0) if c is None else kernels.part(c, cut) for c in rows[1:])
            if thin:
                x = X[0][first : last + 1], X[1], X[2]
            else:
                x = (X[cut] if lies_well else np.require(X[cut], np.float64, ["C", "ALIGNED"]),)
            yield (*x, *columns), min(height, last - first)


def canonical(X):
    """Sparse rows as the compiled loops read them: indptr, indices, data. Copied only where they lie otherwise.

    The columns of a row rise. The indices are of one type, and the numbers are float64 or float32.
    """
    X = X.tocsr()
    if not X.has_canonical_format:
        X = X.astype(np.float64)  # a copy, in which sums of small integers do not overflow
        X.sum_duplicates()
    index = np.int32 if X.indptr.dtype == X.indices.dtype == np.int32 else np.int64
    number = np.float32 if X.dtype == np.float32 else np.float64
    types = (index, index, number)
    return [np.require(values, type_, ["C", "ALIGNED"])
            for values, type_ in zip((X.indptr, X.indices, X.data), types, strict=True)]  # fmt: skip


def loops_over(rows, policy):
    """The module with the loops over such rows, and what its loops want to know beside a block's height."""
    if not sparse.issparse(rows.X):
        return loops, policy.long
    from glmlab.rows import sparse_loops

    return sparse_loops, rows.X.shape[1]


def walked(rows, family, beta, policy, diag=False, hess=False, slope_size=False, scale=False, rounding=Rounding()):
    """What `walk` adds up over the chunk: numbers, grad, diag, hess, slope_size, scale, largest."""
    dim, twin, (which, known) = len(beta), twin_of(family), loops_over(rows, policy)
    out = [np.zeros(4), np.zeros(dim), *(np.zeros(dim * wanted) for wanted in (diag, slope_size, scale, slope_size))]
    out.insert(3, np.zeros((dim * hess, dim * hess)))
    for part, height in readable(rows, policy):
        which.walk(*part, twin.address, twin.p, height, known, beta, rounding.slope, rounding.own * twin.reach,
                   *out)  # fmt: skip
    out[3] = mirrored(out[3])
    return out


def mirrored(lower):
    """The symmetric matrix with this lower triangle."""
    diagonal = lower.diagonal().copy()
    lower += lower.T
    np.fill_diagonal(lower, diagonal)
    return lower


def refuse_misfit(rows, dim):
    """Raise ValueError for a column shorter than X, or β for other columns: compiled loops would read past its end."""
    shape, lengths = rows.X.shape, [len(values) for values in rows[1:] if values is not None]
    if any(length != shape[0] for length in lengths) or dim not in (shape[1], shape[1] + 1):
        raise ValueError(f"these rows do not belong together: X has shape {shape}, what stands beside it the lengths "
                         f"{lengths}, and there are {dim} coefficients")  # fmt: skip


def compiled(kernel=None, *, narrow=False):
    """The kernel for sparse rows and for dense ones, `narrow` ones only if so said: NumPy's kernel serves wide ones."""
    if kernel is None:
        return functools.partial(compiled, narrow=narrow)
    other = getattr(kernels, kernel.__name__)

    @functools.wraps(kernel)
    def run(rows, family, beta, policy=POLICY):
        point = np.ascontiguousarray(beta, dtype=np.float64)
        if narrow and rows.X.shape[1] > policy.wide and not sparse.issparse(rows.X):
            return other(rows, family, point, policy)
        refuse_misfit(rows, point.shape[-1])
        return kernel(rows, family, point, policy)

    return run


@compiled
def losses(rows, family, B, policy):
    """f at the m rows of B, (m, dim)."""
    out, twin, (which, known) = np.zeros(len(B)), twin_of(family), loops_over(rows, policy)
    for part, height in readable(rows, policy):
        which.walk_losses(*part, twin.address, twin.p, height, known, B, out)
    return Losses(out)


@compiled
def loss_grad(rows, family, beta, policy):
    """f and ∇f at β."""
    numbers, grad, *_ = walked(rows, family, beta, policy)
    return LossGrad(numbers[0], grad)


@compiled(narrow=True)
def loss_grad_hess(rows, family, beta, policy):
    """f, ∇f and ∇²f at β."""
    numbers, grad, _, hess, *_ = walked(rows, family, beta, policy, hess=True)
    return LossGradHess(numbers[0], grad, hess)


@compiled
def loss_grad_diag(rows, family, beta, policy):
    """f, ∇f and the diagonal of ∇²f at β."""
    numbers, grad, diag, *_ = walked(rows, family, beta, policy, diag=True)
    return LossGradDiag(numbers[0], grad, diag)


@compiled
def survey(rows, family, beta, policy):
    """The first pass: f, ∇f and the diagonal of ∇²f at β, what slopes there are made of, and what y and w say."""
    numbers, grad, diag, _, _, scale, _ = walked(rows, family, beta, policy, diag=True, scale=True)
    return Survey(numbers[0], grad, diag, scale, *kernels.null(rows, family), *kernels.checked(rows, family))


def spans(rows, family, dim, policy=POLICY):
    """The range of each column."""
    refuse_misfit(rows, dim)
    lowest, highest, stored = np.full(dim, -np.inf), np.full(dim, -np.inf), np.zeros(dim)
    which, columns = loops_over(rows, policy)
    thin = (columns, stored) if sparse.issparse(rows.X) else ()
    for part, _ in readable(rows, policy):
        which.walk_spans(*part, lowest, highest, *thin)
    if thin:
        zeros = stored < (rows.X.shape[0] if rows.w is None else np.count_nonzero(kernels.as_floats(rows.w) > 0))
        for ends in (lowest, highest):
            np.maximum(ends, 0.0, where=zeros, out=ends)  # a 0 that is not stored is in the range too
    return Spans(Largest(lowest), Largest(highest))


@compiled(narrow=True)
def evidence(rows, family, beta, policy):
    """f, ∇f, ∇²f and their rounding allowances (certificates.py explains them)."""
    if np.isnan(twin_of(family).reach):
        return kernels.evidence(rows, family, beta, policy)
    numbers, grad, _, hess, slope_size, _, largest = walked(rows, family, beta, policy, hess=True, slope_size=True)
    weight = float(len(rows.y)) if rows.w is None else kernels.as_floats(rows.w).sum()
    return Evidence(numbers[0], numbers[1], grad, hess, slope_size, weight, *numbers[2:], Largest(largest))


def hess_on(rows, family, beta, A, policy=POLICY):
    """∇²f at β in the coordinates A (m,), rising numbers. NumPy's kernel serves where a β_j outside is not 0, too."""
    if not sparse.issparse(rows.X) or np.count_nonzero(beta) > np.count_nonzero(beta[A]):
        return kernels.hess_on(rows, family, beta, A, policy)
    refuse_misfit(rows, len(beta))
    place, hess = np.full(len(beta), -1, dtype=np.int64), np.zeros((len(A), len(A)))
    twin, (which, columns) = twin_of(family), loops_over(rows, policy)
    place[A] = np.arange(len(A))
    some = np.ascontiguousarray(beta[A], dtype=np.float64)
    for part, height in readable(rows, policy):
        which.walk_hess_on(*part, twin.address, twin.p, height, columns, some, place[:columns], hess)
    return HessOn(mirrored(hess))


def dual(rows, family, beta, d, slack, policy=POLICY):
    """The slopes and the price of θ = ℓ′(η) + ℓ″(η)·t with t = Xd, known to ± slack and to what rounding has moved."""
    twin = twin_of(family)
    if not sparse.issparse(rows.X) or np.isnan(twin.reach):
        return kernels.dual(rows, family, beta, d, slack, policy)
    refuse_misfit(rows, len(beta))
    which, columns = loops_over(rows, policy)
    beta, d = (np.ascontiguousarray(values, dtype=np.float64) for values in (beta, d))
    (eta, t, size_eta), pieces = np.empty((3, rows.X.shape[0])), np.empty((4, rows.X.shape[0]))
    X = canonical(rows.X)
    y, w, o = (np.empty(0) if c is None else kernels.part(c, slice(None)) for c in rows[1:])
    which.walk_dual(*X, y, w, o, columns, beta, d, eta, t, size_eta)
    loops.fill(twin.address, twin.p, eta, y, pieces)
    found = kernels.dual_of(family, y, None if rows.w is None else w, eta, t, size_eta, slack, pieces)
    slopes = np.zeros(len(beta))
    which.walk_back(*X, y, w, o, columns, found.slope, slopes)
    return found._replace(slope=slopes)
