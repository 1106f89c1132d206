"""What passes add up besides plain numbers and arrays: each class says with `+` what two chunks know together."""

import numpy as np


class Largest:
    """Numbers of which a sum keeps the larger, so that one tree serves sums and maxima."""

    def __init__(self, values):
        self.values = values

    def __add__(self, other):
        return Largest(np.maximum(self.values, other.values))


class Triangle:
    """A triangular factor; the sum of two is that of the rows of both, so that one tree serves sums and QR."""

    def __init__(self, R):
        self.R = R

    def __add__(self, other):
        return Triangle(np.linalg.qr(np.vstack([self.R, other.R]), mode="r"))


class LogSum:
    """A positive sum by its logarithm, which does not overflow where the sum does."""

    def __init__(self, log):
        self.log = log

    def __add__(self, other):
        return LogSum(np.logaddexp(self.log, other.log))


class Moments:
    """Weight, mean and sum of squares about the mean: they keep the digits that Σ z² − (Σ z)²/n would lose.

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
    """Several sums at once, added one by one."""

    def __add__(self, other):
        return Sums(mine + theirs for mine, theirs in zip(self, other, strict=True))


def weighed(values, weights):
    """Σ weights · values, where no weights are all 1."""
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
    """The LogSum of Σ weights · e^values over (n,), with nothing above e⁰ on the way."""
    if weights is not None:
        values, weights = values[weights > 0], weights[weights > 0]
    if not len(values):
        return LogSum(-np.inf)
    top = values.max()
    return LogSum(top + np.log(weighed(np.exp(values - top), weights)))
