"""Gradient steps and step sizes of notebook 03: right answers written otherwise, and wrong ones with their mistakes."""

import dask
import dask.array as da
import numpy as np
import pytest
from answers import accepted, called, rejected
from distributed import Client
from scipy.optimize import approx_fprime

from glmlab.teaching import check
from glmlab.teaching.exercises03 import SHAPES, SPECTRA, _rows, quadratic

# ---------------------------------------------------------------- gd_step


def by_dot_and_blocks(X, y, beta, step):
    """Written as the post writes it, but for the loss."""
    Xbeta = X.dot(beta)
    gradient = 2 * X.T.dot(Xbeta - y)
    beta, func = dask.compute(beta - step * gradient, ((y - Xbeta) ** 2).sum())
    return beta, func


def by_delayed(X, y, beta, step):
    """One task a chunk; the new β is made here, of p numbers from each."""

    def part(Xk, yk):
        r = Xk @ beta - yk
        return r @ r, Xk.T @ r

    if isinstance(X, da.Array):
        pairs = zip(X.to_delayed().ravel(), y.to_delayed(), strict=True)
        parts = dask.compute(*[dask.delayed(part)(Xk, yk) for Xk, yk in pairs])
    else:
        parts = [part(X, y)]
    return beta - step * 2 * sum(grad for _, grad in parts), sum(loss for loss, _ in parts)


def by_gram(X, y, beta, step):
    """Through the two sums of notebook 02: dearer, and right."""
    G, c, yy = dask.compute(X.T @ X, X.T @ y, (y**2).sum())
    return [beta - step * 2 * (G @ beta - c), float(yy - 2 * c @ beta + beta @ G @ beta)]


def by_norm(X, y, beta, step):
    """NumPy's functions, which ask dask arrays themselves."""
    r = np.subtract(y, np.dot(X, beta))
    return dask.compute(np.add(beta, 2 * step * np.dot(r, X)), np.linalg.norm(r) ** 2)


def by_einsum(X, y, beta, step):
    r = np.einsum("ij,j->i", X, beta) - y
    new, loss = dask.compute(beta - 2 * step * np.einsum("ij,i->j", X, r), np.einsum("i,i->", r, r))
    return new, float(loss)


@pytest.mark.parametrize("right", [by_dot_and_blocks, by_delayed, by_gram, by_norm, by_einsum])
def test_gd_step_written_otherwise(right):
    accepted("gd_step", right)


def array_step(gradient, loss=lambda X, y, beta: ((X @ beta - y) ** 2).sum()):
    """An answer that is right but for its gradient or its loss."""

    def gd_step(X, y, beta, step):
        return dask.compute(beta - step * gradient(X, y, beta), loss(X, y, beta))

    return gd_step


def true_gradient(X, y, beta):
    return 2 * (X.T @ (X @ beta - y))


def two_computes(X, y, beta, step):
    residual = X @ beta - y
    gradient, loss = 2 * (X.T @ residual), (residual**2).sum()
    return dask.compute(beta - step * gradient)[0], dask.compute(loss)[0]


def one_residual_twice(X, y, beta, step):
    """The residual comes here first: everything after it reads X again."""
    [residual] = dask.compute(X @ beta - y)
    return dask.compute(beta - step * 2 * (X.T @ residual), (residual**2).sum())


def rows_here(X, y, beta, step):
    X, y = dask.compute(X, y)
    return beta - step * true_gradient(X, y, beta), ((X @ beta - y) ** 2).sum()


def lazy_answer(X, y, beta, step):
    residual = X @ beta - y
    return beta - step * 2 * (X.T @ residual), (residual**2).sum()


def beta_alone(X, y, beta, step):
    return dask.compute(beta - step * true_gradient(X, y, beta))[0]


def method_of_dask(X, y, beta, step):
    residual = X.rechunk({1: -1}) @ beta - y  # numpy knows no such method
    return dask.compute(beta - step * 2 * (X.T @ residual), (residual**2).sum())


def loss_at_the_new(X, y, beta, step):
    new = beta - step * true_gradient(X, y, beta)
    return dask.compute(new, ((X @ new - y) ** 2).sum())


def one_step_size(X, y, beta, step):
    residual = X @ beta - y
    return dask.compute(beta - np.min(step) * 2 * (X.T @ residual), (residual**2).sum())


def as_lists(X, y, beta, step):
    new, loss = by_dot_and_blocks(X, y, beta, step)
    return list(new), loss


def half_the_digits(X, y, beta, step):
    return by_dot_and_blocks(X.astype(np.float32), y, beta, step)


def in_place(X, y, beta, step):
    gradient, loss = dask.compute(true_gradient(X, y, beta), ((X @ beta - y) ** 2).sum())
    beta -= step * gradient
    return beta, loss


def swapped(X, y, beta, step):
    return by_dot_and_blocks(X, y, beta, step)[::-1]


def as_dict(X, y, beta, step):
    return dict(zip(("beta", "loss"), by_dot_and_blocks(X, y, beta, step), strict=True))


def gradient_alone(X, y, beta, step):
    return dask.compute(true_gradient(X, y, beta), ((X @ beta - y) ** 2).sum())


def row_losses(X, y, beta, step):
    return dask.compute(beta - step * true_gradient(X, y, beta), (X @ beta - y) ** 2)


COMPUTED, THE_LOSS = "new beta and loss, both computed", "the loss is F at the beta that came in"
THE_MOVE, THE_FIXED = "it moves by step times the gradient", "the least-squares solution stays where it is"
ONE_COMPUTE = "one compute, which reads each chunk once"


@pytest.mark.parametrize(("wrong", "condition", "says"), [
    (array_step(lambda X, y, beta: X.T @ (X @ beta - y)), THE_MOVE, "the square has a 2"),
    (array_step(lambda X, y, beta: 2 * (X.T @ (X @ beta - y)) / len(y)), THE_MOVE, "do not divide by n"),
    (array_step(lambda X, y, beta: X.T @ (X @ beta - y) / len(y)), THE_MOVE, "do not divide by n; and the square"),
    (array_step(lambda X, y, beta: -true_gradient(X, y, beta)), THE_MOVE, "walks uphill"),
    (array_step(lambda X, y, beta: 2 * true_gradient(X, y, beta)), THE_MOVE, "one 2, not two"),
    (array_step(lambda X, y, beta: 2 * (X.T @ (X @ beta))), THE_FIXED, "Xᵀr = 0"),
    (array_step(lambda X, y, beta: 2 * (X.T @ (X @ beta + y))), THE_FIXED, "Xᵀr = 0"),
    (array_step(true_gradient, lambda X, y, beta: ((X @ beta - y) ** 2).mean()), THE_LOSS, "not a mean"),
    (array_step(true_gradient, lambda X, y, beta: ((X @ beta - y) ** 2).sum() / 2), THE_LOSS, "F has no ½"),
    (array_step(true_gradient, lambda X, y, beta: ((X @ beta - y) ** 2).sum() ** 0.5), THE_LOSS, "not its root"),
    (array_step(true_gradient, lambda X, y, beta: (X @ beta - y).sum()), THE_LOSS, "square the residuals"),
    (loss_at_the_new, THE_LOSS, "F at the new β"),
    (half_the_digits, THE_LOSS, "float32 keeps 7 digits"),
    (two_computes, ONE_COMPUTE, "computed 2 times, and read the 3 chunks of X 6 times"),
    (one_residual_twice, ONE_COMPUTE, "two computes share nothing"),
    (rows_here, "rows stay where they are", "multiply first"),
    (lazy_answer, COMPUTED, "compute it"),
    (beta_alone, COMPUTED, "return new_beta, loss"),
    (as_dict, COMPUTED, "return new_beta, loss"),
    (swapped, COMPUTED, "β first"),
    (gradient_alone, THE_FIXED, "that is the gradient"),
    (as_lists, COMPUTED, "np.array(…) makes an array of a list"),
    (row_losses, COMPUTED, "the loss is a number"),
    (method_of_dask, "numpy rows work as well", "AttributeError"),
    (one_step_size, "a step for each coordinate works too", "entry by entry"),
], ids=["½ habit", "mean loss", "half the mean", "uphill", "2 twice", "y forgotten", "sign of y", "mean", "half",
        "root", "no square", "new loss", "float32", "two computes", "residual first", "rows here", "lazy", "beta alone",
        "dict", "swapped", "gradient", "lists", "row losses", "method", "one step size"])
def test_gd_step_wrong(wrong, condition, says):
    rejected("gd_step", wrong, condition, says)


def test_a_step_in_place_is_told_so():
    assert "changed what it was given; work on a copy" in check(called("gd_step", in_place)).message


@pytest.mark.parametrize("shape", SHAPES)
def test_the_slope_that_answers_are_compared_with(shape):
    rows = _rows(*shape)
    assert np.allclose(rows.slope(rows.beta), true_gradient(rows.X, rows.y, rows.beta), rtol=1e-9)
    assert np.allclose(rows.slope(rows.beta), approx_fprime(rows.beta, rows.loss, 1e-7), rtol=1e-3)


def test_it_is_checked_here_where_a_cluster_is_open():
    with Client(n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"):
        accepted("gd_step", by_dot_and_blocks)
        rejected("gd_step", two_computes, ONE_COMPUTE)


# ---------------------------------------------------------------- safe_step


def largest(H):
    return np.linalg.svd(H, compute_uv=False)[0]


def by_power_iteration(H):
    v = np.ones(len(H)) / np.sqrt(len(H))
    for _ in range(50):
        v = H @ v / np.linalg.norm(H @ v)
    return 1 / (v @ H @ v)


RIGHT_STEPS = {
    "svd": lambda H: 1 / largest(H),
    "1.98/L": lambda H: 0.99 * 2 / largest(H),
    "spectral norm": lambda H: np.array(1 / np.linalg.norm(H, 2)),
    "Frobenius": lambda H: float(1 / np.linalg.norm(H)),
    "row sums": lambda H: 1 / np.abs(H).sum(axis=0).max(),
    "power of two": lambda H: 2.0 ** -np.ceil(np.log2(largest(H))),
    "power iteration": by_power_iteration,
    "half of it, to be safe": lambda H: 0.5 / largest(H),
}


@pytest.mark.parametrize("right", RIGHT_STEPS.values(), ids=list(RIGHT_STEPS))
def test_safe_step_written_otherwise(right):
    accepted("safe_step", right)


ONE_STEP, SHRINKS = "one number, for all directions at once", "every direction shrinks"
UNITS, LONG = "H in other units, the step in the inverse units", "not needlessly short"


@pytest.mark.parametrize(("wrong", "condition", "says"), [
    pytest.param(lambda H: 1 / np.linalg.svd(H, compute_uv=False), ONE_STEP, "belong to directions", id="the vector"),
    pytest.param(lambda H: 1 / np.diag(H), ONE_STEP, "belong to directions", id="one for each coordinate"),
    pytest.param(lambda H: 1 / largest(H) - 1e-8, "as safe for a hundred million rows", "relative", id="minus 1e-8"),
    pytest.param(lambda H: 1 / (largest(H) + 1e-8), UNITS, "no unit", id="plus 1e-8"),
    pytest.param(lambda H: 2 / largest(H), SHRINKS, "at 2/L", id="2/L"),
    pytest.param(lambda H: 1 / np.linalg.eigvalsh(H)[0], SHRINKS, "the last one is L", id="the flattest decides"),
    pytest.param(lambda H: 1 / np.diag(H).max(), SHRINKS, "neither the diagonal", id="the diagonal shows L"),
    pytest.param(lambda H: len(H) / np.trace(H), SHRINKS, "the steepest direction decides", id="mean curvature"),
    pytest.param(lambda H: -1 / largest(H), SHRINKS, "t > 0", id="uphill"),
    pytest.param(largest, SHRINKS, "one over a curvature", id="L itself"),
    pytest.param(lambda H: min(1 / largest(H), 1e-3), UNITS, "no unit", id="1e-3, as ever"),
    pytest.param(lambda H: 1 / largest(H) ** 2, UNITS, "divided by c", id="1/L²"),
    pytest.param(lambda H: 1.999 / largest(H), "not on the edge", "thousands of iterations", id="1.999/L"),
    pytest.param(lambda H: 2 / (np.linalg.eigvalsh(H)[0] + np.linalg.eigvalsh(H)[-1]), "not on the edge", "1.998/L",
                 id="2/(L + μ)"),
    pytest.param(lambda H: largest(H) ** -0.5, SHRINKS, "not over its root", id="root of L"),
    pytest.param(lambda H: 0.01 / largest(H), LONG, "no small factor", id="a hundredth"),
    pytest.param(lambda H: 1 / len(H) / largest(H), LONG, "no 1/p", id="1/(pL)"),
    pytest.param(lambda H: 1e-3, "as safe for a hundred million rows", "no constant is small", id="a constant"),
    pytest.param(lambda H: 1e-3 / largest(H), LONG, "far too short", id="to be quite sure"),
    pytest.param(lambda H: 1 / np.trace(H), LONG, "The trace is the sum", id="trace"),
    pytest.param(lambda H: np.nan, ONE_STEP, "nan", id="nan"),
])  # fmt: skip
def test_safe_step_wrong(wrong, condition, says):
    rejected("safe_step", wrong, condition, says)


@pytest.mark.parametrize("values", SPECTRA.values(), ids=list(SPECTRA))
def test_the_hessians_have_the_spectra_they_should(values):
    H, V = quadratic(5, values)
    assert np.allclose(np.linalg.eigvalsh(H), np.sort(values)) and np.allclose(H @ V, V * values)
