"""The product of notebook 01: right answers written otherwise, and wrong ones with their mistakes."""

import dask
import dask.array as da
import numpy as np
import pytest
from answers import accepted, rejected
from distributed import Client


def by_cases(X, b):
    if isinstance(X, np.ndarray) and isinstance(b, da.Array):
        X = da.asarray(X)
    return X.dot(b)


RIGHT_DOT = {
    "function": np.dot,
    "entries": lambda X, b: (X * b).sum(axis=1),
    "cases": by_cases,
    "matmul": np.matmul,
    "from the left": lambda X, b: b @ X.T,
    "columns": lambda X, b: sum(X[:, j] * b[j] for j in range(X.shape[1])),
    "tensordot": lambda X, b: np.tensordot(X, b, axes=1),
}


@pytest.mark.parametrize("right", RIGHT_DOT.values(), ids=list(RIGHT_DOT))
def test_dot_written_otherwise(right):
    accepted("dot", lambda X, b: right(X, b))


VALUES, KIND = "right values for every pair", "lazy where an operand is, numpy where both are"
EARLY = "nothing is computed early"


@pytest.mark.parametrize(("wrong", "condition", "says"), [
    pytest.param(lambda X, b: X.dot(b), EARLY, "left operand", id="method"),
    pytest.param(lambda X, b: np.asarray(X) @ np.asarray(b), EARLY, "left operand", id="numpy at once"),
    pytest.param(lambda X, b: X @ (b.compute() if isinstance(b, da.Array) else b), EARLY, "computed 1", id="b"),
    pytest.param(lambda X, b: dask.persist(X @ b)[0], EARLY, "persist", id="persist"),
    pytest.param(lambda X, b: da.asarray(X) @ b, KIND, "force no kind", id="always dask"),
    pytest.param(lambda X, b: dask.delayed(np.dot)(X, b), KIND, "a delayed value", id="delayed"),
    pytest.param(lambda X, b: (X * b).sum(axis=0), VALUES, "one for each row", id="wrong axis"),
    pytest.param(lambda X, b: (X * b).sum(), VALUES, "one for each row", id="no axis"),
    pytest.param(lambda X, b: X * b, VALUES, "one for each row", id="no sum"),
    pytest.param(lambda X, b: X @ abs(b), VALUES, "off by", id="signs"),
    pytest.param(lambda X, b: (X @ b)[:, None], VALUES, "one for each row", id="a column"),
    pytest.param(lambda X, b: X.T @ b, VALUES, "ValueError", id="transposed"),
    pytest.param(lambda X, b: b @ X, VALUES, "ValueError", id="from the wrong side"),
    pytest.param(lambda X, b: X.astype(np.float32) @ b.astype(np.float32), VALUES, "float32 keeps 7 digits",
                 id="float32"),
])  # fmt: skip
def test_dot_wrong(wrong, condition, says):
    rejected("dot", wrong, condition, says)


def test_checks_count_on_an_open_cluster_too():
    with Client(n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"):
        rejected("dot", lambda X, b: X.dot(b), EARLY)
        accepted("dot", lambda X, b: X @ b)


@pytest.mark.parametrize("hurry", [
    lambda client, lazy: da.from_array(client.compute(lazy).result()), lambda client, lazy: client.persist(lazy),
], ids=["compute", "persist"])
def test_a_client_that_is_asked_for_numbers_computes(hurry):
    with Client(n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0") as client:
        rejected("dot", lambda X, b: hurry(client, X @ b) if da.Array in (type(X), type(b)) else X @ b, EARLY,
                 "ask for numbers at once")
