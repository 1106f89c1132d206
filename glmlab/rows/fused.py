"""The kernels of kernels.py in compiled loops: what one worker computes on one chunk of rows, read once.

Rows that are sparse, and Hessians of wide rows, are left to NumPy: BLAS is faster there. So are the kernels that are
missing here.
"""

import functools
import itertools

import numpy as np

from glmlab.maths.sums import (
    Evidence,
    Largest,
    Losses,
    LossGrad,
    LossGradDiag,
    LossGradHess,
    Spans,
    Survey,
)
from glmlab.policy import Rounding
from glmlab.rows import kernels
from glmlab.rows.kernels import POLICY
from glmlab.rows.loops import walk, walk_losses, walk_spans
from glmlab.rows.twins import twin_of


def readable(rows, policy=POLICY):
    """The chunk as numba can read it: parts (X, y, w, o) of whole blocks, and the number of rows in their blocks.

    Where X lies as it should, these are two: all whole blocks, and what remains. Else X is converted part by part. The
    blocks are the same, so that the sums are the same to the last bit. A missing column has length 0.
    """
    X, n, height = rows.X, len(rows.X), policy.compiled_height(rows.X.shape[1])
    lies_well = X.flags.c_contiguous and X.flags.aligned and X.dtype in (np.float64, np.float32)
    whole = n // height * height
    step = whole if lies_well else height * max(policy.converted // height // max(X.shape[1], 1), 1)
    edges = [*range(0, whole, step or 1), whole, n]
    for first, last in itertools.pairwise(edges):
        if first < last:
            cut = slice(first, last)
            columns = (np.empty(0) if c is None else kernels.part(c, cut) for c in rows[1:])
            x = X[cut] if lies_well else np.require(X[cut], np.float64, ["C", "ALIGNED"])
            yield (x, *columns), min(height, last - first)


def walked(rows, family, beta, policy, diag=False, hess=False, slope_size=False, scale=False, rounding=Rounding()):
    """What `walk` adds up over the chunk: numbers, grad, diag, hess, slope_size, scale, largest."""
    dim, twin = len(beta), twin_of(family)
    out = [np.zeros(4), np.zeros(dim), *(np.zeros(dim * wanted) for wanted in (diag, slope_size, scale, slope_size))]
    out.insert(3, np.zeros((dim * hess, dim * hess)))
    for part, height in readable(rows, policy):
        walk(*part, twin.address, twin.p, height, policy.long, beta, rounding.slope, rounding.own * twin.reach,
             *out)  # fmt: skip
    out[3] += np.tril(out[3], -1).T
    return out


def refuse_misfit(rows, dim):
    """Raise ValueError for a column shorter than X, or β for other columns: compiled loops would read past its end."""
    shape, lengths = rows.X.shape, [len(values) for values in rows[1:] if values is not None]
    if any(length != shape[0] for length in lengths) or dim not in (shape[1], shape[1] + 1):
        raise ValueError(f"these rows do not belong together: X has shape {shape}, what stands beside it the lengths "
                         f"{lengths}, and there are {dim} coefficients")  # fmt: skip


def for_dense(kernel=None, *, narrow=False):
    """The kernel for dense rows, `narrow` ones only if so said. NumPy's kernel of the same name serves the others."""
    if kernel is None:
        return functools.partial(for_dense, narrow=narrow)
    other = getattr(kernels, kernel.__name__)

    @functools.wraps(kernel)
    def run(rows, family, beta, policy=POLICY):
        point = np.ascontiguousarray(beta, dtype=np.float64)
        if not isinstance(rows.X, np.ndarray) or (narrow and rows.X.shape[1] > policy.wide):
            return other(rows, family, point, policy)
        refuse_misfit(rows, point.shape[-1])
        return kernel(rows, family, point, policy)

    return run


@for_dense
def losses(rows, family, B, policy):
    """f at the m rows of B, (m, dim)."""
    out, twin = np.zeros(len(B)), twin_of(family)
    for part, height in readable(rows, policy):
        walk_losses(*part, twin.address, twin.p, height, policy.long, B, out)
    return Losses(out)


@for_dense
def loss_grad(rows, family, beta, policy):
    """f and ∇f at β."""
    numbers, grad, *_ = walked(rows, family, beta, policy)
    return LossGrad(numbers[0], grad)


@for_dense(narrow=True)
def loss_grad_hess(rows, family, beta, policy):
    """f, ∇f and ∇²f at β."""
    numbers, grad, _, hess, *_ = walked(rows, family, beta, policy, hess=True)
    return LossGradHess(numbers[0], grad, hess)


@for_dense
def loss_grad_diag(rows, family, beta, policy):
    """f, ∇f and the diagonal of ∇²f at β."""
    numbers, grad, diag, *_ = walked(rows, family, beta, policy, diag=True)
    return LossGradDiag(numbers[0], grad, diag)


@for_dense
def survey(rows, family, beta, policy):
    """The first pass: f, ∇f and the diagonal of ∇²f at β, what slopes there are made of, and what y and w say."""
    numbers, grad, diag, _, _, scale, _ = walked(rows, family, beta, policy, diag=True, scale=True)
    return Survey(numbers[0], grad, diag, scale, *kernels.null(rows, family), *kernels.checked(rows, family))


def spans(rows, family, dim, policy=POLICY):
    """The range of each column."""
    if not isinstance(rows.X, np.ndarray):
        return kernels.spans(rows, family, dim, policy)
    refuse_misfit(rows, dim)
    found = Spans(Largest(np.full(dim, -np.inf)), Largest(np.full(dim, -np.inf)))
    for part, _ in readable(rows, policy):
        walk_spans(*part, found.lowest.values, found.highest.values)
    return found


@for_dense(narrow=True)
def evidence(rows, family, beta, policy):
    """f, ∇f, ∇²f and their rounding allowances (certificates.py explains them)."""
    if np.isnan(twin_of(family).reach):
        return kernels.evidence(rows, family, beta, policy)
    numbers, grad, _, hess, slope_size, _, largest = walked(rows, family, beta, policy, hess=True, slope_size=True)
    weight = float(len(rows.y)) if rows.w is None else kernels.as_floats(rows.w).sum()
    return Evidence(numbers[0], numbers[1], grad, hess, slope_size, weight, *numbers[2:], Largest(largest))
