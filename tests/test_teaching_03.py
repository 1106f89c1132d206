"""The exercises of notebook 03: right answers written otherwise, and wrong ones with their misunderstanding."""

import dask
import dask.array as da
import numpy as np
import pytest
from answers import called, rejected
from distributed import Client
from scipy.optimize import approx_fprime

from glmlab.teaching import check, exercise
from glmlab.teaching.exercises03 import KAPPA, SHAPES, SPECTRA, _rows, quadratic

# ---------------------------------------------------------------- gd_step


@called("gd_step")
def by_dot_and_blocks(X, y, beta, step):
    """Written as the post writes it, but for the loss."""
    Xbeta = X.dot(beta)
    gradient = 2 * X.T.dot(Xbeta - y)
    beta, func = dask.compute(beta - step * gradient, ((y - Xbeta) ** 2).sum())
    return beta, func


@called("gd_step")
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


@called("gd_step")
def by_gram(X, y, beta, step):
    """Through the two sums of notebook 02: dearer, and right."""
    G, c, yy = dask.compute(X.T @ X, X.T @ y, (y**2).sum())
    return [beta - step * 2 * (G @ beta - c), float(yy - 2 * c @ beta + beta @ G @ beta)]


@pytest.mark.parametrize("right", [by_dot_and_blocks, by_delayed, by_gram], ids=["dot", "delayed", "gram"])
def test_gd_step_written_otherwise(right):
    assert check(right), check(right).message


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


THE_LOSS, THE_MOVE = "the loss is F at the beta that came in", "it moves by step times the gradient"
THE_FIXED = "the least-squares solution stays where it is"


@pytest.mark.parametrize(("wrong", "condition"), [
    (array_step(lambda X, y, beta: X.T @ (X @ beta - y)), THE_MOVE),
    (array_step(lambda X, y, beta: 2 * (X.T @ (X @ beta - y)) / len(y)), THE_MOVE),
    (array_step(lambda X, y, beta: -true_gradient(X, y, beta)), THE_MOVE),
    (array_step(lambda X, y, beta: 2 * (X.T @ (X @ beta))), THE_FIXED),
    (array_step(lambda X, y, beta: 2 * (X.T @ (X @ beta + y))), THE_FIXED),
    (array_step(true_gradient, lambda X, y, beta: ((X @ beta - y) ** 2).mean()), THE_LOSS),
    (array_step(true_gradient, lambda X, y, beta: ((X @ beta - y) ** 2).sum() / 2), THE_LOSS),
    (loss_at_the_new, THE_LOSS),
    (two_computes, "one compute, which reads each chunk once"),
    (one_residual_twice, "one compute, which reads each chunk once"),
    (rows_here, "rows stay where they are"),
    (lazy_answer, "new beta and loss, both computed"),
    (beta_alone, "new beta and loss, both computed"),
    (method_of_dask, "numpy rows work as well"),
    (one_step_size, "a step for each coordinate works too"),
], ids=["½ habit", "mean loss", "uphill", "y forgotten", "sign of y", "mean", "half", "new loss", "two computes",
        "residual first", "rows here", "lazy", "beta alone", "method", "one step size"])
def test_gd_step_wrong(wrong, condition):
    rejected(called("gd_step")(wrong), condition)


def test_two_computes_are_told_how_often_chunks_were_read():
    assert "computed 2 times, and read the 3 chunks of X 6 times" in check(called("gd_step")(two_computes)).message


@pytest.mark.parametrize("shape", SHAPES)
def test_the_slope_that_answers_are_compared_with(shape):
    rows = _rows(*shape)
    assert np.allclose(rows.slope(rows.beta), true_gradient(rows.X, rows.y, rows.beta), rtol=1e-9)
    assert np.allclose(rows.slope(rows.beta), approx_fprime(rows.beta, rows.loss, 1e-7), rtol=1e-3)


def test_it_is_checked_here_where_a_cluster_is_open():
    with Client(n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"):
        assert check(exercise("gd_step").reference)
        rejected(called("gd_step")(two_computes), "one compute, which reads each chunk once")


# ---------------------------------------------------------------- safe_step


def largest(H):
    return np.linalg.svd(H, compute_uv=False)[0]


@pytest.mark.parametrize("right", [
    lambda H: 1 / largest(H),
    lambda H: 0.99 * 2 / largest(H),
    lambda H: 2 / (np.linalg.eigvalsh(H)[0] + np.linalg.eigvalsh(H)[-1]),
    lambda H: 1 / np.trace(H),
    lambda H: float(1 / np.linalg.norm(H)),
    lambda H: 1 / np.abs(H).sum(axis=0).max(),
    lambda H: 2.0 ** -np.ceil(np.log2(largest(H))),
], ids=["svd", "1.98/L", "2/(L+μ)", "trace", "Frobenius", "row sums", "power of two"])
def test_safe_step_written_otherwise(right):
    assert check(called("safe_step")(right)), check(called("safe_step")(right)).message


SHRINKS, UNITS = "every direction shrinks", "H in other units, the step in the inverse units"


@pytest.mark.parametrize(("wrong", "condition"), [
    pytest.param(lambda H: 1 / np.linalg.svd(H, compute_uv=False), "one number", id="the post's vector"),
    pytest.param(lambda H: 1 / np.diag(H), "one number", id="one for each coordinate"),
    pytest.param(lambda H: 1 / largest(H) - 1e-8, "as safe for a hundred million rows", id="absolute is small"),
    pytest.param(lambda H: 1 / (largest(H) + 1e-8), None, id="a margin on L is right"),
    pytest.param(lambda H: 2 / largest(H), SHRINKS, id="2/L"),
    pytest.param(lambda H: 1 / np.linalg.eigvalsh(H)[0], SHRINKS, id="the flattest decides"),
    pytest.param(lambda H: 1 / np.diag(H).max(), SHRINKS, id="the diagonal shows L"),
    pytest.param(lambda H: len(H) / np.trace(H), SHRINKS, id="mean curvature"),
    pytest.param(lambda H: -1 / largest(H), SHRINKS, id="uphill"),
    pytest.param(lambda H: min(1 / largest(H), 1e-3), UNITS, id="1e-3, as ever"),
    pytest.param(lambda H: 1 / largest(H) ** 2, UNITS, id="1/L²"),
    pytest.param(lambda H: 1e-3 / largest(H), "not needlessly short", id="to be quite sure"),
])
def test_safe_step_wrong(wrong, condition):
    answer = called("safe_step")(wrong)
    if condition:
        rejected(answer, condition)
    else:
        assert not check(answer), "1e-8 has the unit of H: at L = 1e-9 it is most of the step"


@pytest.mark.parametrize("values", SPECTRA.values(), ids=list(SPECTRA))
def test_the_hessians_have_the_spectra_they_should(values):
    H, V = quadratic(5, values)
    assert np.allclose(np.linalg.eigvalsh(H), np.sort(values)) and np.allclose(H @ V, V * values)


# ---------------------------------------------------------------- smooth_bound


@pytest.mark.parametrize("right", [
    lambda g, mu: np.linalg.norm(g) ** 2 / mu / 2,
    lambda g, mu: sum(x * x for x in g) / (2 * mu),
    lambda g, mu: g @ g / mu,
], ids=["norm", "loop", "twice as much, by Cauchy and Schwarz"])
def test_smooth_bound_written_otherwise(right):
    assert check(called("smooth_bound")(right)), check(called("smooth_bound")(right)).message


HOLDS, SQUARE = "the gap never exceeds it", "grows like the square of g"
ONLY_THERE = "zero where g is zero, and only there"


@pytest.mark.parametrize(("wrong", "condition"), [
    pytest.param(lambda g, mu: g @ g / (2 * KAPPA * mu), HOLDS, id="L for μ"),
    pytest.param(lambda g, mu: g @ g / (4 * mu), HOLDS, id="a half too many"),
    pytest.param(lambda g, mu: g @ g * mu / 2, HOLDS, id="the unit of μ"),
    pytest.param(lambda g, mu: np.mean(g**2) / (2 * mu), HOLDS, id="mean"),
    pytest.param(lambda g, mu: np.abs(g).max() ** 2 / (2 * mu), HOLDS, id="largest entry"),
    pytest.param(lambda g, mu: (g @ g) ** 0.75 / (2 * mu) * 25, HOLDS, id="another power"),
    pytest.param(lambda g, mu: np.linalg.norm(g), HOLDS, id="the norm itself"),
    pytest.param(lambda g, mu: max(1.0, 1 / mu) * 1e9 * np.linalg.norm(g), SQUARE, id="gradient has the unit of F"),
    pytest.param(lambda g, mu: g @ g / (2 * mu) + 1e-8, SQUARE, id="to be sure"),
    pytest.param(lambda g, mu: g @ g / mu**2 * 10, "at most about twice the gap where F is flattest", id="loose"),
    pytest.param(lambda g, mu: g**2 / (2 * mu), HOLDS, id="an array"),
    pytest.param(lambda g, mu: g @ g / (2 * mu) if g @ g > 1e-12 else 0.0, ONLY_THERE, id="rounded away"),
])
def test_smooth_bound_wrong(wrong, condition):
    rejected(called("smooth_bound")(wrong), condition)
