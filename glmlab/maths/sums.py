"""What passes over the rows add up: numbers, arrays, and classes whose `+` says what two sets of rows give together.

The named tuples are the results of kernels: `add` adds them field by field.
"""

import functools
import operator
from typing import NamedTuple

import numpy as np

# --- what adds up in a way of its own ---------------------------------------------------------------------------------


class Largest:
    """Maxima, element by element: the sum of two keeps the larger."""

    def __init__(self, values):
        self.values = values

    def __add__(self, other):
        return Largest(np.maximum(self.values, other.values))


class Triangle:
    """A triangular factor R: the sum of two is the R of the rows of both."""

    def __init__(self, R):
        self.R = R

    def __add__(self, other):
        return Triangle(np.linalg.qr(np.vstack([self.R, other.R]), mode="r"))


class LogSum:
    """A positive sum, kept as its logarithm: that does not overflow where the sum does."""

    def __init__(self, log):
        self.log = log

    def __add__(self, other):
        return LogSum(np.logaddexp(self.log, other.log))


class Moments:
    """Weight, mean and sum of squares about the mean, which keep the digits that Σ z² − (Σ z)²/n loses.

    Reference: Chan, Golub & LeVeque (1983), (1.5).
    """

    def __init__(self, weight, mean, squares):
        self.weight, self.mean, self.squares = weight, mean, squares

    def __add__(self, other):
        weight = self.weight + other.weight
        if not weight > 0:
            return self
        apart = other.mean - self.mean
        mean = self.mean + apart * (other.weight / weight)
        return Moments(weight, mean, self.squares + other.squares + apart**2 * self.weight * other.weight / weight)


class Sums(tuple):
    """Several sums, added one by one."""

    def __add__(self, other):
        return Sums(mine + theirs for mine, theirs in zip(self, other, strict=True))


# --- what kernels return ----------------------------------------------------------------------------------------------


class Losses(NamedTuple):
    losses: np.ndarray  # (m,) f at each row of B


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

    floor: float  # Σ w min ℓ over η, a lower bound for every model; nan where it is unknown
    tally: Sums  # from which the family finds the null model


class Survey(NamedTuple):
    """The results of the first pass: f at the start, what y says without X, and what is wrong with y and w."""

    loss: float
    grad: np.ndarray  # (dim,)
    diag: np.ndarray  # (dim,) the diagonal of ∇²f
    scale: np.ndarray  # (dim,) Σ w |x_ij ℓ′_i|, the size of what ∇f adds
    floor: float  # as in Null
    tally: Sums  # as in Null
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
    loss_size: float  # Σ w |ℓ|
    grad: np.ndarray  # (dim,)
    hess: np.ndarray  # (dim, dim)
    slope_size: np.ndarray  # (dim,) Σ w |x_ij| |ℓ′|, or of what ℓ′ is made of where a row's ℓ′ is uncertain
    weight: float  # Σ w
    dual_rounding: float  # Σ w ℓ″ e², with e the effect of rounding on the dual points of the other rows
    eta_size: float  # Σ w |ℓ′| times the size of the numbers that η is made of
    largest: Largest  # (dim,) max |x_ij| over the rows of positive weight


class Price(NamedTuple):
    """The cost of a move of the dual point of β along t = Xd."""

    price: float  # Σ w D(t)
    furthest: float  # max |t|


class HessOn(NamedTuple):
    hess: np.ndarray  # (m, m) ∇²f in m coordinates


class HessTimes(NamedTuple):
    product: np.ndarray  # (dim,) ∇²f times a vector


class Dual(NamedTuple):
    """A dual point θ = ℓ′(η) + ℓ″(η)·Xd of β: its slopes, its price, and how far rounding may reach."""

    loss: float  # f(β)
    loss_size: float  # as in Evidence
    eta_size: float  # as in Evidence
    dual_rounding: float  # as in Evidence
    slope: np.ndarray  # (dim,) Xᵀ(wθ)
    size: float  # Σ w times the size of the numbers that θ is made of
    price: float  # Σ w D(t), at worst over what t may be
    furthest: Largest  # max |t| over the rows of positive weight


class Likelihood(NamedTuple):
    """What inference needs to know of a fit at β."""

    loss: float  # f(β)
    loss_size: float  # Σ w |ℓ|
    blur: float  # by how much another rounding of η may change f(β)
    height: float  # Σ w (ℓ − min ℓ), nan where min ℓ is unknown
    pearson: float  # Σ w ℓ′² ÷ E ℓ″, nan where that is unknown
    weight: float  # Σ w
    counted: int  # rows of positive weight
    factor: Triangle  # R with RᵀR = Σ w h x xᵀ, h the expected or the observed ℓ″


class Squares(NamedTuple):
    squares: np.ndarray  # (dim, dim) the sum of z zᵀ over the rows, z = rootᵀs of a row's slope s


class Binned(NamedTuple):
    """What the rows of some bins add up to, (bins,) each."""

    rows: np.ndarray  # of positive weight
    weight: np.ndarray  # Σ w
    y: np.ndarray  # Σ w y
    mean: np.ndarray  # Σ w μ
    slope: np.ndarray  # Σ w ℓ′
    fisher: np.ndarray  # Σ w E ℓ″
    residual: np.ndarray  # Σ w (deviance residual)
    height: np.ndarray  # Σ w (ℓ − min ℓ)
    broken: np.ndarray  # rows of positive weight whose y is no whole number


class Alignment(NamedTuple):
    """How rows lie to a direction d: how many of them forbid a descent without end."""

    held: int  # rows whose loss grows along d, however little
    moved: int  # rows that d moves by more than rounding


# --- sums -------------------------------------------------------------------------------------------------------------


def quietly(kernel):
    """The kernel without NumPy's warnings. Overflow is an answer: an infinite loss makes the caller backtrack."""

    @functools.wraps(kernel)
    def run(*given, **options):
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return kernel(*given, **options)

    return run


@quietly
def add(parts):
    """The sum of named tuples, field by field, in the order given."""
    columns = zip(*parts, strict=True)
    return type(parts[0])(*(functools.reduce(operator.add, column) for column in columns))


def weighed(values, weights):
    """Σ weights · values; weights None means that all are 1."""
    return values.sum() if weights is None else weights @ values


def moments(values, weights):
    """The Moments of values (n,) with weights (n,), None where all are 1."""
    weight = float(len(values)) if weights is None else weights.sum()
    if not weight > 0:
        return Moments(0.0, 0.0, 0.0)
    shift = values[0 if weights is None else np.argmax(weights > 0)]
    mean = shift + weighed(values - shift, weights) / weight
    return Moments(weight, mean, weighed((values - mean) ** 2, weights))


def log_sum_exp(values, weights):
    """The LogSum of Σ weights · e^values over (n,). No exponential on the way is above 1."""
    if weights is not None:
        values, weights = values[weights > 0], weights[weights > 0]
    if not len(values):
        return LogSum(-np.inf)
    top = values.max()
    return LogSum(top + np.log(weighed(np.exp(values - top), weights)))
