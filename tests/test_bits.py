"""Bits: every solver gives equal numbers in memory, on threads and on any number of processes.

That is promised for the same row chunks and dtype, set of kernels, versions of the libraries and type of processor (it
decides which kernels BLAS, NumPy and numba choose). Another type agrees to the certificate only. So bits are compared
with bits of the same run, never with stored ones; tests/test_arithmetic.py sees that workers choose the same kernels.
"""

import dask
import dask.array as da
import numpy as np
import pytest
from kernel_sets import compiled
from naive import draw, joined
from test_kernels import unaligned
from threadpoolctl import threadpool_info, threadpool_limits

from glmlab import L1, ElasticNet, Objective, Ridge, Zero, as_chunks, fit, run
from glmlab.machine import cluster
from glmlab.maths.sums import add
from glmlab.rows.chunks import InMemory

N = 3000
UNEVEN = (1, 1300, 13, 1200, 486)
MANY = (500,) * 6  # more than one level of the tree

# family, penalty, solver, columns, row chunks, dtype, weights and offset, intercept
CASES = [
    ("logistic", Zero(), "newton", 7, MANY, "float64", True, True),
    ("logistic", L1(3.0), "proximal_newton", 13, UNEVEN, "float64", False, True),
    ("logistic", Ridge(1.0), "newton", 101, UNEVEN, "float64", True, False),
    ("logistic", ElasticNet(4.0, 0.5), "fista", 7, MANY, "float32", True, True),
    ("logistic", L1(3.0), "pilot_newton", 3, MANY, "float64", True, True),
    ("poisson", Zero(), "pilot_newton", 2, UNEVEN, "float32", True, True),
    ("gaussian", Zero(), "newton", 101, MANY, "float32", False, True),
    ("gaussian", L1(9.0), "proximal_gradient", 13, MANY, "float64", True, False),
    ("gaussian", Ridge(2.0), "gradient_descent", 13, UNEVEN, "float32", False, True),
    ("poisson", Zero(), "newton", 13, (N,), "float64", True, True),
    ("poisson", L1(5.0), "proximal_newton", 13, MANY, "float32", True, False),
    ("poisson", Ridge(2.0), "fista", 7, UNEVEN, "float64", False, False),
    ("logistic", Ridge(1.0), "lbfgs", 13, UNEVEN, "float64", True, True),
    ("poisson", Zero(), "lbfgs", 101, MANY, "float32", True, True),
    ("logistic", L1(3.0), "consensus_admm", 7, UNEVEN, "float64", True, True),
    ("gaussian", ElasticNet(4.0, 0.5), "consensus_admm", 101, MANY, "float32", False, True),
    ("poisson", Ridge(2.0), "consensus_admm", 13, MANY, "float32", True, False),
    ("logistic", L1(3.0), "csl", 7, MANY, "float64", True, True),
    ("gamma", ElasticNet(4.0, 0.5), "cease", 7, MANY, "float32", True, True),
    ("logistic", Ridge(1.0), "giant", 13, MANY, "float32", False, True),
    ("gaussian", Ridge(2.0), "averaging_newton", 13, UNEVEN, "float64", True, True),
    ("gamma", Zero(), "newton", 7, MANY, "float32", True, False),
    ("gamma", ElasticNet(5.0, 0.7), "proximal_newton", 13, UNEVEN, "float64", True, True),
]
CASES = [(*case, "fused") for case in CASES] + [(*case, "numpy") for case in CASES[:6]]


def each_of(cases):
    return pytest.mark.parametrize("case", [
        pytest.param(case, marks=compiled if case[-1] == "fused" else (), id="-".join(map(str, (*case[:4], case[-1]))))
        for case in cases
    ])  # fmt: skip


def data(case):
    """X, y, w, o. X is a slice of a wider array that starts at odd addresses, in no order that BLAS likes."""
    family, _, _, p, _, dtype, extras, _, _ = case
    rng = np.random.default_rng([p, *family.encode()])
    wide = rng.normal(size=(N + 3, p + 2)).astype(dtype)
    X = wide[3:, 1:-1]
    eta = X @ rng.normal(size=p) / p**0.5
    w, o = (rng.random(N) * 3, rng.normal(size=N) / 3) if extras else (None, None)
    return X, draw(family, eta, rng), w, o


def tol_of(solver):
    """The whole trace is compared: a long one proves no more."""
    return 1e-9 if "newton" in solver or solver == "lbfgs" else 1e-3


def fitted(case, columns):
    """The fit of data on dask, which keep their row chunks, or of data in memory, for which the package chooses."""
    family, penalty, solver, _, _, _, _, intercept, kernels = case
    X, y, w, o = columns
    result = fit(X, y, sample_weight=w, offset=o, family=family, penalty=penalty, solver=solver, tol=tol_of(solver),
                 fit_intercept=intercept, kernels=kernels)  # fmt: skip
    return numbers(case, result)


def in_memory(case, columns=None, threads=1, made=lambda chunks: chunks):
    """The same fit of data in memory, in the row chunks of the case; `made` may change them."""
    family, penalty, solver, _, lengths, _, _, intercept, kernels = case
    X, y, w, o = data(case) if columns is None else columns
    rows = as_chunks(X, y, sample_weight=w, offset=o, intercept=intercept, chunks=lengths, threads=threads)
    f = Objective(family, made(rows), kernels)
    return numbers(case, run(solver, f, penalty, tol=tol_of(solver)))


def numbers(case, result):
    """All of a Result that is compared."""
    intercept, kernels = case[-2:]
    assert result.converged and result.kernels == kernels
    return {
        "beta": joined(result, intercept).tolist(), "objective": result.objective, "passes": result.passes,
        "rounds": result.rounds, "status": result.status, "bound": result.certificate.bound,
        "trace": result.trace.objective.tolist(), "relative": result.trace.relative[-1],
    }  # fmt: skip


def lazily(case, columns):
    return [None if c is None else da.from_array(c, chunks=(case[4], *c.shape[1:])) for c in columns]


@pytest.fixture(scope="class")
def two_workers():
    with cluster.client(2, memory_limit="512MiB") as client:
        yield client


@pytest.fixture(scope="class")
def one_worker():
    with cluster.client(1, memory_limit="512MiB") as client:
        yield client


@each_of(CASES)
def test_one_thread_two_threads_and_dask_threads(case):
    one = in_memory(case)
    assert in_memory(case, threads=2) == one
    lazy = lazily(case, data(case))
    for scheduler, number in (("threads", 2), ("synchronous", 1)):
        with dask.config.set(scheduler=scheduler, num_workers=number):
            assert fitted(case, lazy) == one, scheduler


class TestTwoProcesses:
    """Rows that arrive by wire at any address, in processes whose BLAS was started with other settings."""

    @each_of(CASES)
    def test_bits(self, two_workers, case):
        assert fitted(case, lazily(case, data(case))) == in_memory(case)


class TestOneProcess:
    @each_of(CASES[:3])
    def test_bits(self, one_worker, case):
        assert fitted(case, lazily(case, data(case))) == in_memory(case)


@pytest.fixture(scope="class")
def four_workers():
    with cluster.client(4, memory_limit="512MiB") as client:
        yield client


@pytest.mark.slow
class TestFourProcesses:
    @each_of(CASES[::2])
    def test_bits(self, four_workers, case):
        assert len(four_workers.nthreads()) == 4
        assert fitted(case, lazily(case, data(case))) == in_memory(case)


# With neither intercept nor weights, XᵀX is of the rows as they lie. From an odd address NumPy would copy each factor
# first, and BLAS would no longer see that both are the same.
AS_THEY_LIE = [("gaussian", Ridge(2.0), "newton", 101, UNEVEN, "float64", False, False, kernels)
               for kernels in ("numpy", "fused")]  # fmt: skip


class TestFromElsewhere:
    """Blocks that come from another worker or back from a file start at any byte; their sums are the same."""

    @each_of(AS_THEY_LIE)
    def test_rows_at_odd_addresses(self, case):
        assert in_memory(case, [None if c is None else unaligned(c) for c in data(case)]) == in_memory(case)

    @each_of(AS_THEY_LIE)
    def test_rows_that_another_worker_holds(self, two_workers, case):
        lazy, (first, second) = lazily(case, data(case)), sorted(two_workers.nthreads())
        held = [c if c is None else two_workers.persist(c, workers=[first], allow_other_workers=False) for c in lazy]
        before = cluster.bytes_sent(two_workers)
        with dask.annotate(workers=[second], allow_other_workers=False):
            assert fitted(case, held) == in_memory(case)
        assert cluster.bytes_sent(two_workers) - before > N * case[3] * 8  # so they did travel

    @pytest.mark.slow
    @each_of(AS_THEY_LIE)
    def test_rows_that_are_spilled(self, case):
        with dask.config.set({"distributed.worker.memory.target": 1e-5}):
            spilling = cluster.client(1, memory_limit="512MiB")
        with spilling as client:
            held = [c if c is None else client.persist(c) for c in lazily(case, data(case))]
            with pytest.warns(UserWarning, match="write the rest to disk"):
                assert fitted(case, held) == in_memory(case)
            assert sum(client.run(lambda dask_worker: len(dask_worker.data.slow)).values()) > 0


@compiled
def test_the_layout_of_the_rows_changes_nothing():
    case = CASES[0]
    X, *rest = data(case)
    assert case[-1] == "fused"
    layouts = [X, np.ascontiguousarray(X), np.asfortranarray(X), X.astype(">f8"), X[::-1].copy()[::-1]]
    first, *others = [in_memory(case, (layout, *rest), threads=2) for layout in layouts]
    assert all(other == first for other in others)


def test_the_number_of_blas_threads_outside_changes_nothing():
    """With 101 columns a multithreaded BLAS sums in another order; a pass does not let it."""
    case, found = next(case for case in CASES if case[3] == 101 and case[-1] == "numpy"), []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            assert {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"} == {threads}
            found.append(in_memory(case, threads=2))
    assert found[0] == found[1]


@compiled
def test_the_same_fit_twice():
    X, y, w, o = data(CASES[2])
    twice = [fitted(CASES[2], (X, y, w, o)) for _ in range(2)]
    assert twice[0] == twice[1]


class Backwards(InMemory):
    """Chunks whose sums are added from the last to the first."""

    def sum(self, kernel, *shared):
        return add(self.map(kernel, *shared)[::-1])


@compiled
def test_another_order_in_the_tree_would_show():
    """The comparison can fail: add the chunks' sums from the last to the first and bits differ.

    One sum of six numbers may come out the same in both orders; a hundred columns in ten passes are a thousand sums.
    """
    case = next(case for case in CASES if case[2] == "lbfgs" and case[3] > 100)
    one = in_memory(case)
    other = in_memory(case, made=lambda rows: Backwards(rows.rows, rows.lengths, intercept=rows.intercept, threads=1))
    assert other != one and np.allclose(other["beta"], one["beta"], rtol=1e-6)


@compiled
def test_other_chunkings_agree_to_the_certificate():
    case = CASES[1]
    columns = data(case)
    values = [fitted((*case[:4], chunks, *case[5:]), lazily((*case[:4], chunks), columns))
              for chunks in ((N,), UNEVEN, MANY)]  # fmt: skip
    lowest = min(value["objective"] for value in values)
    assert all(value["objective"] - lowest <= value["bound"] for value in values)
