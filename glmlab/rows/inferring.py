"""The kernels of inference and of diagnostics: what standard errors, residuals and leverages ask of the rows.

Weights are frequencies (w copies of a row) or precisions (one row with a w times smaller variance). Both multiply the
loss. They differ where a row counts by itself: in the square of its slope, in its leverage, and in the number of rows.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from glmlab.maths.family import suits_the_loss
from glmlab.maths.sums import Binned, Likelihood, Squares, Triangle, add, quietly
from glmlab.policy import Blocks, Inferring, Rounding
from glmlab.rows.kernels import as_floats, blocks, gram, predictor, rooted, sizes, stack, weigh

POLICY = Blocks()


def least(family, y):
    """min ℓ of each row (n,), nan where the family does not know it."""
    if suits_the_loss(family, "saturated"):
        return family.saturated(y)
    return -family.conjugate(np.zeros_like(y), y) if hasattr(family, "conjugate") else np.full(len(y), np.nan)


def is_likelihood(family):
    """Is this loss a multiple of a negative log-likelihood, whose Fisher information is known?"""
    return suits_the_loss(family, "fisher")


def information(family, eta, y, expected):
    """ℓ″ of each row (n,), or its mean over y."""
    return family.fisher(eta) if expected else family.d2loss(eta, y)


def ones_or(w, n):
    """The weights (n,)."""
    return np.ones(n) if w is None else w


@quietly
def likelihood(rows, family, beta, expected, policy=POLICY, rounding=Rounding()):
    """The Likelihood at β."""
    total = Likelihood(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0, Triangle(np.zeros((0, len(beta)))))
    for block in blocks(rows, len(beta), policy):
        eta, w = predictor(block, beta), ones_or(block.w, len(block.y))
        loss, slope = family.loss(eta, block.y), family.dloss(eta, block.y)
        curve = information(family, eta, block.y, expected)
        pearson, moved = np.nan, 2 * rounding.slope * sizes(block, beta)
        if is_likelihood(family):
            mean = curve if expected else family.fisher(eta)
            pearson = weigh(w, np.divide(slope**2, mean, where=slope != 0, out=np.zeros_like(mean))).sum()
        factor = stack(total.factor, rooted(block.X, weigh(w, curve)), policy)
        total = Likelihood(
            total.loss + weigh(w, loss).sum(), total.loss_size + weigh(w, np.abs(loss)).sum(),
            total.blur + weigh(w, moved * (np.abs(slope) + moved * family.d2loss(eta, block.y))).sum(),
            total.height + weigh(w, loss - least(family, block.y)).sum(), total.pearson + pearson,
            total.weight + w.sum(), total.counted + int(np.count_nonzero(w > 0)), factor,
        )  # fmt: skip
    return total


@quietly
def log_rest(rows, family, phi, frequency):
    """What −f/(multiple·φ) leaves out of the log-likelihood of the rows, from y and w alone."""
    y, w = as_floats(rows.y), ones_or(rows.w, len(rows.y))
    y, w = y[w > 0], as_floats(w)[w > 0]
    return float(w @ family.log_rest(y, np.ones_like(y), phi) if frequency else np.sum(family.log_rest(y, w, phi)))


@quietly
def squares(rows, family, beta, root, expected, frequency, power, policy=POLICY, limits=Inferring()):
    """Σ rootᵀs sᵀroot over the slopes s of the rows, each divided by (1 − h)^power, h its leverage.

    It stands between two roots in a sandwich. Slopes are multiplied by the root before they are squared, because Σ s sᵀ
    loses half of the digits where columns are nearly dependent. It is nan where a row is fitted exactly and is to be
    divided by 0.
    """
    total = np.zeros((len(beta), len(beta)))
    for block in blocks(rows, len(beta), policy):
        eta, w = predictor(block, beta), ones_or(block.w, len(block.y))
        slope = family.dloss(eta, block.y)
        if power:
            left = 1 - pulls(block, family, eta, root, expected, frequency, policy)
            slope = slope / np.where(left > limits.pinned, left, np.nan) ** power
        square = weigh(w, slope**2 if frequency else w * slope**2)
        for cut, part in turned(block.X, root, policy):
            total += gram(part, square[cut])
    return Squares(total)


def turned(X, root, policy=POLICY):
    """Which rows, and their X·root: in parts, because the product is dense even where X is sparse."""
    for first in range(0, X.shape[0], policy.stacked):
        cut = slice(first, first + policy.stacked)
        yield cut, X[cut] @ root


def pulls(block, family, eta, root, expected, frequency, policy=POLICY):
    """The leverage h of each row of a block: ℓ″ xᵀBx, B = root·rootᵀ, times the weight unless that counts copies."""
    parts = turned(block.X, root, policy)
    lengths = np.concatenate([np.empty(0), *(np.einsum("ij,ij->i", part, part) for _, part in parts)])
    lengths *= information(family, eta, block.y, expected)
    return lengths if frequency or block.w is None else block.w * lengths


@quietly
def leverages(rows, family, beta, root, expected, frequency, policy=POLICY):
    """The leverages (rows,) of a chunk."""
    found = [
        pulls(block, family, predictor(block, beta), root, expected, frequency, policy)
        for block in blocks(rows, len(beta), policy)
    ]
    return np.concatenate([np.empty(0), *found])


@quietly
def influences(rows, family, beta, root, expected, frequency, scale, far, most, share, seed, policy=POLICY,
               limits=Inferring()):  # fmt: skip
    """The Influences of a chunk: its rows with the largest leverages and distances, `most` each, and drawn ones.

    scale: √(multiple · φ). far: the leverage above which rows are counted. share: of the rows that are drawn. seed: the
    number of the first row, and what the random numbers begin with.
    """
    values = [np.empty((0, 3))]
    for block in blocks(rows, len(beta), policy):
        eta, w = predictor(block, beta), ones_or(block.w, len(block.y))
        h = pulls(block, family, eta, root, expected, frequency, policy)
        left = np.where(1 - h > limits.pinned, 1 - h, np.nan)
        own = np.ones_like(w) if frequency else w
        residual = -family.dloss(eta, block.y) * np.sqrt(own / family.fisher(eta) / left) / scale
        values.append(np.column_stack([h, residual, residual**2 * h / left]))
    values, w = np.concatenate(values), as_floats(ones_or(rows.w, len(rows.y)))
    values = np.where(w[:, None] > 0, values, np.nan)
    drawn = np.random.default_rng(seed).random(len(w)) < share
    largest = [np.argsort(np.nan_to_num(values[:, k], nan=-np.inf))[::-1][:most] for k in (0, 2)]
    kept = np.union1d(np.flatnonzero(drawn), np.concatenate(largest))
    kept = kept[w[kept] > 0].astype(np.intp)
    return Influences(seed[0] + kept, *values[kept].T, int(np.count_nonzero(values[:, 0] > far)))


class Influences(NamedTuple):
    """Rows of a chunk, (k,) each, and how many rows of it have a high leverage."""

    rows: np.ndarray  # their numbers
    leverage: np.ndarray
    residual: np.ndarray  # Pearson's, divided by its standard deviation
    distance: np.ndarray  # Cook's, times the number of parameters
    high: int


@quietly
def group_slopes(rows, family, beta, codes, policy=POLICY):
    """The groups of a chunk's rows, the sum of w·ℓ′·x over each, and how many of its rows have positive weight.

    codes (rows,) are integers; (k,), (k, dim) and (k,) are returned.
    """
    groups, own = np.unique(codes, return_inverse=True)
    total, first = np.zeros((len(groups), len(beta))), 0
    counted = np.bincount(own, ones_or(rows.w, len(codes)) > 0, len(groups))
    for block in blocks(rows, len(beta), policy):
        n = len(block.y)
        slope = weigh(ones_or(block.w, n), family.dloss(predictor(block, beta), block.y))
        sums = sparse.csr_array((slope, (own[first : first + n], np.arange(n))), shape=(len(groups), n)) @ block.X
        total += sums.toarray() if sparse.issparse(sums) else sums
        first += n
    return groups, total, counted


def deviances(family, eta, y, slope):
    """ℓ − min ℓ of each row, and its deviance residual, > 0 where y is larger than its mean; `slope` is ℓ′."""
    height = np.maximum(family.loss(eta, y) - least(family, y), 0.0)
    return height, -np.sign(slope) * np.sqrt(2 * height / family.multiple)


@quietly
def binned(rows, family, beta, edges, policy=POLICY):
    """The Binned of a chunk, its rows put in bins by η; `edges` (bins − 1,) rise."""
    bins, total = len(edges) + 1, Binned(*np.zeros((9, len(edges) + 1)))
    for block in blocks(rows, len(beta), policy):
        eta, w = predictor(block, beta), ones_or(block.w, len(block.y))
        place, mean, slope = np.searchsorted(edges, eta, side="right"), family.mean(eta), family.dloss(eta, block.y)
        height, residual = deviances(family, eta, block.y, slope)
        sums = (weigh(w, values) for values in (block.y, mean, slope, family.fisher(eta), residual, height))
        broken = (w > 0) & (block.y != np.round(block.y))
        total = add([total, Binned(*(np.bincount(place, values, bins) for values in (w > 0, w, *sums, broken)))])
    return total


@quietly
def predictors(rows, family, beta, policy=POLICY):
    """η of each row of positive weight; `family` has no part in it."""
    found = [predictor(b, beta)[ones_or(b.w, len(b.y)) > 0] for b in blocks(rows, len(beta), policy)]
    return np.concatenate([np.empty(0), *found])
