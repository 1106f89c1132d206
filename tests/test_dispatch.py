"""dispatch: right values for every pair of types, lazy exactly when an operand is, and never a compute."""

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from glmlab.rows import dispatch

rng = np.random.default_rng(0)
A = rng.normal(size=(7, 5)) * (rng.random((7, 5)) < 0.6)

FORMS = {
    "numpy": lambda M: M,
    "dask": lambda M: da.from_array(M, chunks=3),
    "csr": sp.csr_array,
    "coo_matrix": sp.coo_matrix,
    "dask of csr": lambda M: da.from_array(M, chunks=(3, 2)).map_blocks(sp.csr_array),
    "dask of csc_matrix": lambda M: da.from_array(M, chunks=(2, -1)).map_blocks(sp.csc_matrix),
}


def no_compute(graph, keys, **kwargs):
    raise AssertionError("computed")


def value(x):
    return x.compute() if isinstance(x, da.Array) else x


def call(function, *operands):
    """The result's value, after checking that nothing was computed and that lazy means lazy."""
    with dask.config.set(scheduler=no_compute):
        result = function(*operands)
    assert isinstance(result, da.Array) == any(isinstance(x, da.Array) for x in operands)
    assert result.shape == np.shape(value(result))
    assert not sp.issparse(value(result))
    return value(result)


def forms(M):
    return FORMS if M.ndim == 2 else ["numpy", "dask"]  # there are no sparse vectors


PRODUCTS = {
    "X b": (A, A[0]),
    "X B": (A, A.T),
    "X.T r": (A.T, A[:, 0]),
    "r X": (A[:, 0], A),
    "X.T X": (A.T, A),
    "b b": (A[0], A[1]),
}


@pytest.mark.parametrize("left, right, product", [
    (left, right, name)
    for name, (a, b) in PRODUCTS.items() for left in forms(a) for right in forms(b)
])  # fmt: skip
def test_dot_of_every_pair_of_types(left, right, product):
    a, b = PRODUCTS[product]
    np.testing.assert_allclose(call(dispatch.dot, FORMS[left](a), FORMS[right](b)), a @ b, atol=1e-14)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["absolute", "exp", "log1p", "sqrt"])
def test_functions_of_every_type(name, form):
    M = np.abs(A)
    np.testing.assert_allclose(call(getattr(dispatch, name), FORMS[form](M)), getattr(np, name)(M))


@pytest.mark.parametrize("form", FORMS)
def test_log_is_the_inverse_of_exp(form):
    np.testing.assert_allclose(call(dispatch.log, FORMS[form](np.exp(A))), A, atol=1e-15)


@pytest.mark.parametrize("left", FORMS)
@pytest.mark.parametrize("right", FORMS)
@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_pairs_of_every_type(name, left, right):
    expected = getattr(np, name)(A, -A)
    np.testing.assert_array_equal(call(getattr(dispatch, name), FORMS[left](A), FORMS[right](-A)), expected)
    np.testing.assert_array_equal(call(getattr(dispatch, name), 0, FORMS[left](A)), getattr(np, name)(0, A))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_sum_of_every_type(form, axis):
    np.testing.assert_allclose(call(lambda x: dispatch.sum(x, axis), FORMS[form](A)), A.sum(axis), atol=1e-14)


@pytest.mark.parametrize("form", FORMS)
def test_sigmoid_of_every_type(form):
    np.testing.assert_allclose(call(dispatch.sigmoid, FORMS[form](A)), 1 / (1 + np.exp(-A)), rtol=1e-15)


@pytest.mark.parametrize("lazy", [False, True])
def test_sigmoid_at_the_ends(lazy):
    eta = np.array([-np.inf, -1000.0, -745.0, -40.0, 0.0, 40.0, 1000.0, np.inf])
    with np.errstate(all="raise"):
        s = call(dispatch.sigmoid, da.from_array(eta, chunks=3) if lazy else eta)
    assert (s[[0, 1, 4, 6, 7]] == [0, 0, 0.5, 1, 1]).all()
    assert (np.diff(s) >= 0).all() and s[2] > 0  # monotone; no underflow before there must be one
    np.testing.assert_allclose(s[3], np.exp(-40.0), rtol=1e-15)


def test_sigmoid_keeps_float32():
    x = np.linspace(-5, 5, 7, dtype="float32")
    assert dispatch.sigmoid(x).dtype == dispatch.sigmoid(da.from_array(x)).dtype == np.float32


@pytest.mark.parametrize("lazy", [False, True])
def test_a_sparse_operand_is_not_made_dense(lazy):
    n = 200_000  # n × n doubles are 320 GB
    S = sp.csr_array(sp.diags_array(np.arange(1.0, n + 1)))
    b = da.ones(n, chunks=n // 2) if lazy else np.ones(n)
    assert (value(dispatch.dot(S, b)) == np.arange(1, n + 1)).all()
    assert (value(dispatch.dot(b, S)) == np.arange(1, n + 1)).all()
    assert dispatch.sum(S, axis=0)[-1] == n


def test_dot_adds_one_task_per_chunk_and_a_tree():
    K = 16
    X, b = da.ones((160, 4), chunks=(10, 4)).persist(), np.ones(4)
    assert len(dask.optimize(dispatch.dot(X, b))[0].dask) <= 3 * K + 2
    assert len(dask.optimize(dispatch.dot(X.T, X[:, 0]))[0].dask) <= 6 * K


def test_dot_with_lengths_that_dask_does_not_know():
    frame = dd.from_pandas(pd.DataFrame(A), npartitions=2)
    X, r = frame.to_dask_array(), frame[0].to_dask_array()
    np.testing.assert_allclose(dispatch.dot(X, A[0]).compute(), A @ A[0])
    np.testing.assert_allclose(dispatch.dot(X.T, r).compute(), A.T @ A[:, 0])


def test_lists_are_numbers():
    assert dispatch.dot([1, 2], [3, 4]) == 11
    assert dispatch.maximum([1, 5], da.from_array(np.array([2, 2]))).compute().tolist() == [2, 5]


@pytest.mark.parametrize("lazy", [False, True])
def test_shapes_that_do_not_fit(lazy):
    X = da.from_array(A) if lazy else A
    with pytest.raises(ValueError, match=r"\(7, 5\) and \(7,\) do not fit: 5 columns against 7 rows"):
        dispatch.dot(X, A[:, 0])
    with pytest.raises(ValueError, match=r"b has shape \(\)"):
        dispatch.dot(X, 2.0)
    with pytest.raises(ValueError, match=r"a has shape \(1, 7, 5\)"):
        dispatch.dot(X[None], A[0])


def test_other_lazy_things_are_refused_not_computed():
    frame = dd.from_pandas(pd.DataFrame(A), npartitions=2)
    with dask.config.set(scheduler=no_compute):
        with pytest.raises(TypeError, match=r"to_dask_array\(lengths=True\)"):
            dispatch.dot(frame, A[0])
        with pytest.raises(TypeError, match="Delayed"):
            dispatch.exp(dask.delayed(A))
