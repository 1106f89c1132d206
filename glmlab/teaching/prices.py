"""Seconds of a direct solve and of a gradient, measured side by side."""

import timeit

import numpy as np

REPEAT = 5  # the best of so many is the time without other work on the machine


def direct_and_gradient(rows, p):
    """Seconds of a direct least-squares solve and of one gradient, for random X (rows, p): the best of five each."""
    rng = np.random.default_rng(0)
    X, y, beta = rng.standard_normal((rows, p)), rng.standard_normal(rows), np.ones(p)
    direct = timeit.repeat(lambda: np.linalg.solve(X.T @ X, X.T @ y), number=1, repeat=REPEAT)
    gradient = timeit.repeat(lambda: 2 * (X.T @ (X @ beta - y)), number=1, repeat=REPEAT)
    return min(direct), min(gradient)
