"""Chunks: what users hold becomes rows, a pass is chunks + tree in tasks, and where the rows are changes no bit."""

import gc
import pickle
import threading
import time

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import zarr
from dask.callbacks import Callback
from distributed import Client
from naive import extended
from scipy import sparse
from threadpoolctl import threadpool_info

from glmlab import Logistic, as_chunks
from glmlab.maths.sums import LossGrad
from glmlab.policy import Chunking
from glmlab.rows import kernels
from glmlab.rows.chunks import FAN, InMemory, groups
from glmlab.rows.kernels import Rows
from glmlab.rows.ondask import OnDask, Shared
from glmlab.rows.sampling import Draw
from glmlab.rows.survey import labels
from glmlab.rows.tables import cut
from glmlab.rows.threads import one_blas_thread

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(120, 3)), (RNG.random(120) < 0.5).astype(float)
W, OFF = RNG.integers(0, 3, 120) * 1.0, RNG.normal(size=120)
BETA = np.array([0.3, -0.2, 0.1])


def lazily(values, chunks=50):
    return da.from_array(values, chunks=(chunks, *values.shape[1:]))


def frame(values):
    return pd.DataFrame(values, columns=list("abc")) if values.ndim == 2 else pd.Series(values)


def stored(values, path):
    array = zarr.create_array(store=str(path), shape=values.shape, chunks=(50, *values.shape[1:]), dtype=values.dtype)
    array[...] = values
    return array


def rows_of(chunks):
    """All rows of any Chunks, as the kernels get them."""
    parts = chunks.map(lambda rows: Rows(*(None if c is None else np.asarray(c) for c in rows)))
    return Rows(*(None if c[0] is None else np.concatenate(c) for c in zip(*parts, strict=True)))


def total(chunks, beta=BETA):
    return chunks.sum(kernels.loss_grad, Logistic(), beta)


# --- from what a user holds to rows ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["numpy", "list", "pandas", "dask", "dask dataframe", "zarr", "numpy y on dask X",
                                  "dask y on numpy X", "zarr X alone"])  # fmt: skip
def test_whatever_holds_the_rows_they_are_the_same(kind, tmp_path):
    makers = {
        "numpy": (np.asarray, np.asarray), "list": (np.ndarray.tolist, np.ndarray.tolist), "pandas": (frame, frame),
        "dask": (lazily, lazily), "dask dataframe": [lambda v: dd.from_pandas(frame(v), npartitions=3)] * 2,
        "zarr": [lambda v: stored(v, tmp_path / f"{v.ndim}-{v.sum()}")] * 2,
        "numpy y on dask X": (lazily, np.asarray), "dask y on numpy X": (np.asarray, lazily),
        "zarr X alone": (lambda v: stored(v, tmp_path / "X"), np.asarray),
    }  # fmt: skip
    make_X, make_y = makers[kind]
    chunks = as_chunks(make_X(X), make_y(Y), sample_weight=make_y(W), offset=make_y(OFF))
    assert isinstance(chunks, InMemory if kind in ("numpy", "list", "pandas") else OnDask)
    for found, expected in zip(rows_of(chunks), (X, Y, W, OFF), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.csr_array, sparse.csc_matrix, sparse.coo_array])
def test_sparse_rows_stay_sparse(make):
    chunks = as_chunks(make(X), Y, chunks=50)
    parts = chunks.map(lambda rows: rows.X)
    assert all(sparse.issparse(part) for part in parts)
    np.testing.assert_array_equal(sparse.vstack(parts).toarray(), X)


def test_in_memory_data_are_not_copied():
    assert as_chunks(X, Y).rows.X is X


def test_chunk_lengths_of_memory_depend_on_shape_and_dtype_alone():
    wide = np.broadcast_to(np.float64(1), (100_000, 100))
    lengths = as_chunks(wide, np.zeros(100_000)).lengths
    assert len(lengths) > 1 and sum(lengths) == 100_000
    for threads in (1, 2, 7):
        assert as_chunks(wide, np.zeros(100_000), threads=threads).lengths == lengths
    half = as_chunks(np.broadcast_to(np.float32(1), (100_000, 100)), np.zeros(100_000)).lengths
    assert len(half) == -(-len(lengths) // 2)
    assert as_chunks(X, Y).lengths == (120,)


@pytest.mark.parametrize("chunks, lengths", [(50, (50, 50, 20)), ((100, 1, 19), (100, 1, 19)), (500, (120,)),
                                             ((50, 0, 70), (50, 70)), (-1, (120,))])  # fmt: skip
def test_rows_are_cut_as_asked(chunks, lengths):
    assert cut(120, chunks) == lengths
    for data in ((X, Y), (lazily(X), Y)):
        made = as_chunks(*data, chunks=chunks)
        assert made.lengths == lengths and made.n == 120
        np.testing.assert_array_equal(rows_of(made).X, X)


def test_dask_data_keep_their_row_chunks():
    assert as_chunks(lazily(X, (7, 100, 13)), Y).lengths == (7, 100, 13)
    assert as_chunks(X, lazily(Y, 60)).lengths == (60, 60)


def test_row_chunks_that_differ_and_column_chunks_are_aligned():
    made = as_chunks(da.from_array(X, chunks=(50, 2)), lazily(Y, 33), sample_weight=lazily(W, 11))
    assert made.lengths == (50, 50, 20)
    for found, expected in zip(rows_of(made), (X, Y, W, None), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_unknown_chunk_sizes_are_counted_and_the_users_array_is_left_alone():
    lazy = dd.from_pandas(frame(X), npartitions=4).to_dask_array()
    made = as_chunks(lazy, Y)
    assert made.n == 120 and np.isnan(lazy.shape[0])


def test_dim_counts_the_intercept():
    for data in ((X, Y), (lazily(X), Y)):
        bare, free = as_chunks(*data), as_chunks(*data, intercept=True)
        assert (bare.dim, bare.p, free.dim, free.p) == (3, 3, 4, 3)


@pytest.mark.parametrize(
    "X_, y_, error, message",
    [
        (X[0], Y, ValueError, "2 dimensions"), (X[None], Y, ValueError, "2 dimensions"), (3.0, Y, ValueError, "2 dim"),
        (X[:0], Y[:0], ValueError, "at least one row"), (X[:, :0], Y, ValueError, "at least one row and one column"),
        (X, Y[:-1], ValueError, "y has 119 rows but X has 120"), (X, np.stack([Y, Y], 1), ValueError, r"shape \(n,\)"),
        (X.astype(object), Y, TypeError, "dtype object"), (X + 1j, Y, TypeError, "complex"),
        (X, Y.astype(str), TypeError, "y has dtype"), (X, None, TypeError, "y is None"),
        ([[1.0], [1.0, 2.0]], Y, ValueError, "ragged"), (X, sparse.csr_matrix(Y), TypeError, "sparse"),
        (np.ma.masked_array(X), Y, TypeError, "masked"),
        pytest.param(X.astype(np.longdouble), Y, TypeError, "float64", marks=extended),
        (frame(X).assign(c="x"), Y, TypeError, r"\['c'\]"), (sparse.csr_matrix(X), lazily(Y), TypeError, "sparse"),
        (lazily(X), lazily(Y[:-1]), ValueError, "y has 119 rows"), ("X", Y, TypeError, "X is the text or path"),
    ],
)  # fmt: skip
def test_what_cannot_be_fitted_is_refused_before_any_task(X_, y_, error, message):
    with Callback(start=lambda dsk: pytest.fail("dask ran")), pytest.raises(error, match=message):
        as_chunks(X_, y_)


@pytest.mark.parametrize("name", ["sample_weight", "offset"])
def test_the_extras_are_refused_by_name(name):
    with pytest.raises(ValueError, match=f"{name} has 5 rows but X has 120"):
        as_chunks(X, Y, **{name: np.ones(5)})
    with pytest.raises(ValueError, match=f"{name} must have shape"):
        as_chunks(X, Y, **{name: np.ones((120, 2))})


def test_a_column_vector_is_ravelled_with_a_warning():
    with pytest.warns(UserWarning, match="y is a column vector"):
        assert as_chunks(X, Y[:, None]).rows.y.shape == (120,)


def test_chunks_of_chunks_are_refused():
    with pytest.raises(TypeError, match="Objective"):
        as_chunks(as_chunks(X, Y), Y)


# --- passes -----------------------------------------------------------------------------------------------------

UNEVEN = (1, 2, 60, 3, 50, 4)


@pytest.mark.parametrize("lengths", [120, 40, 7, UNEVEN, 1])
def test_memory_and_dask_add_to_the_same_bits(lengths):
    memory = as_chunks(X, Y, sample_weight=W, offset=OFF, chunks=lengths)
    lazy = as_chunks(lazily(X), lazily(Y), sample_weight=lazily(W), offset=lazily(OFF), chunks=lengths)
    a, b = total(memory), total(lazy)
    assert a.loss == b.loss and a.grad.tolist() == b.grad.tolist()
    whole = total(as_chunks(X, Y, sample_weight=W, offset=OFF))
    np.testing.assert_allclose(a.grad, whole.grad, rtol=1e-12)


def fold(parts):
    """The sum in the tree's order, written anew: groups of sixteen, then groups of those."""
    while len(parts) > 1:
        parts = [sum(parts[i + 1 : i + 16], start=parts[i]) for i in range(0, len(parts), 16)]
    return parts[0]


@pytest.mark.parametrize("count", [1, 2, 3, 15, 16, 17, 70, 256, 257])
def test_the_tree_has_one_shape_whatever_holds_the_rows(count):
    values = np.random.default_rng(count).normal(size=count) * 10.0 ** np.linspace(12, 0, count)

    def own(rows):
        return LossGrad(rows.y[0], np.zeros(1))

    memory = as_chunks(np.ones((count, 1)), values, chunks=1)
    lazy = as_chunks(lazily(np.ones((count, 1)), 1), lazily(values, 1))
    expected = fold(list(values))
    assert memory.sum(own).loss == lazy.sum(own).loss == expected
    if count == 257:
        assert expected != sum(values) != fold(list(values[::-1])) != expected, "here the order shows"


def tree_size(count):
    """Tasks that add `count` results sixteen at a time."""
    return 1 if count <= 16 else -(-count // 16) + tree_size(-(-count // 16))


@pytest.mark.parametrize("count, tree", [(1, 1), (3, 1), (16, 1), (17, 3), (64, 5), (257, 20)])
def test_tasks_of_a_pass_are_chunks_and_tree(count, tree):
    lazy = as_chunks(lazily(np.ones((count, 2)), 1), np.ones(count))
    graph = lazy.graph("pass", kernels.loss_grad, (Logistic(), np.zeros(2)), (), kernels.add)
    assert len(graph) == count + tree and tree == tree_size(count)
    assert max(len(group) for group in groups(list(range(count)))) <= FAN


@pytest.mark.parametrize("count", [1, 5, 17])
def test_what_dask_is_sent_is_the_data_and_that(count):
    """Data in memory are one key a chunk and column; no other task is sent, and only one `compute` is made."""
    with dask.config.set(scheduler="threads"):
        lazy = as_chunks(lazily(np.ones((count, 2)), 1).persist(), lazily(np.ones(count), 1).persist())
        sent = []
        with Callback(start=lambda dsk: sent.append(dict(dsk))):
            total(lazy, np.zeros(2))
    assert len(sent) == 1
    assert len(sent[0]) == 2 * count + count + tree_size(count)


def test_rows_are_made_inside_of_their_chunks_task_where_no_other_needs_them():
    """Then the tasks that make them are none of the pass; two chunks that share a task find it run once."""
    made = []

    def table(block, rows):
        made.append(block)
        return np.full((rows, 2), block + 1.0)

    def over(parts):
        return as_chunks(da.concatenate([da.from_delayed(part, (2, 2), float) for part in parts]), np.ones(10))

    own = over([dask.delayed(table)(k, 2) for k in range(5)])
    whole = dask.delayed(table)(0, 10)
    shared = over([whole[2 * k : 2 * k + 2] for k in range(5)])
    with dask.config.set(scheduler="threads"):
        sent = []
        with Callback(start=lambda dsk: sent.append(len(dsk))):
            total(own, np.zeros(2))
        assert sent == [5 + 5 + tree_size(5)] and sorted(made) == [*range(5)]  # y is data: a key a chunk
        made.clear()
        total(shared, np.zeros(2))
        assert made == [0]


@pytest.mark.parametrize("numbers, keys", [(2, 0), (Chunking().carried, 1)])
def test_what_all_tasks_share_has_a_key_of_its_own_only_where_it_is_large(numbers, keys):
    lazy = as_chunks(lazily(np.ones((5, 2)), 1), np.ones(5))
    graph = lazy.graph("pass", kernels.loss_grad, (Logistic(), np.zeros(numbers)), (), kernels.add)
    assert len(graph) == 5 + 1 + keys
    uses = sum("pass-shared" in graph[f"pass-chunk-{k}"].dependencies for k in range(5))
    assert uses == 5 * keys


class Travelling:
    """Counts how often it is pickled and how often it is made of a pickle."""

    pickled, made = [], []

    def __reduce__(self):
        self.pickled.append(1)
        return Travelling.arrive, ()

    @staticmethod
    def arrive():
        Travelling.made.append(1)
        return Travelling()


def test_what_all_tasks_share_is_pickled_once_and_the_scheduler_does_not_read_it():
    one = Shared(Travelling())
    tasks = [pickle.dumps(one) for _ in range(3)]
    through = [pickle.dumps(pickle.loads(task)) for task in tasks]
    assert (len(Travelling.pickled), len(Travelling.made)) == (1, 0)
    arrived = pickle.loads(through[0])
    assert isinstance(arrived.value, Travelling) and arrived.value is arrived.value
    assert (len(Travelling.pickled), len(Travelling.made)) == (1, 1)


@pytest.mark.parametrize("count", [1, 5, 17])
def test_a_pass_can_be_looked_at_before_it_is_made(count):
    """`lazy` is what `sum` computes: the same tasks, the same bits, and nothing is made until it is asked."""
    with dask.config.set(scheduler="threads"):
        X_ = lazily(np.linspace(-1, 1, 2 * count).reshape(-1, 2), 1).persist()
        rows = as_chunks(X_, lazily(np.ones(count), 1).persist())
        computes = []
        with Callback(start=computes.append):
            pass_ = rows.lazy(kernels.loss_grad, (Logistic(), BETA[:2]))
            assert not computes and len(dict(pass_.__dask_graph__())) == 2 * count + count + tree_size(count)
        found, expected = pass_.compute(), total(rows, BETA[:2])
    assert found.loss == expected.loss and np.array_equal(found.grad, expected.grad)


def test_rows_that_others_are_made_of_are_made_once_in_a_pass():
    made = []

    def make(block_info=None):
        made.append(block_info[None]["chunk-location"])
        return np.ones((5, 2))

    X_ = da.map_blocks(make, chunks=((5, 5, 5), (2,)), meta=np.empty((0, 0)))
    rows = as_chunks(X_, X_.sum(axis=1) > 1, sample_weight=X_[:, 0])
    with dask.config.set(scheduler="threads"):
        rows.sum(kernels.loss_grad, Logistic(), BETA[:2])
    assert sorted(made) == [(0, 0), (1, 0), (2, 0)]


def test_persisted_rows_stay_as_long_as_the_chunks():
    """The caller's X and y may go: their futures are ours, too, else the cluster would forget the rows."""
    with Client(n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0") as client:
        rows = as_chunks(lazily(X).persist(), lazily(Y).persist())
        gc.collect()
        assert len(client.futures) == 6
        assert total(rows).loss == total(as_chunks(lazily(X), Y)).loss


def test_a_map_is_one_list_task():
    lazy = as_chunks(lazily(X), Y)
    assert len(lazy.graph("pass", labels, (), (), None)) == 3 + 1


def test_map_keeps_order_and_gives_each_chunk_its_own():
    def seen(rows, shared, own):
        return (len(rows.y), shared, own)

    for chunks in (as_chunks(X, Y, chunks=UNEVEN), as_chunks(lazily(X, UNEVEN), Y)):
        assert chunks.map(seen, "all", per_chunk=[list("abcdef")]) == [
            (length, "all", letter) for length, letter in zip(UNEVEN, "abcdef", strict=True)
        ]


def test_a_pass_is_never_answered_from_anothers_result():
    calls = []

    def touched(rows):
        calls.append(threading.get_ident())
        return LossGrad(0.0, np.zeros(1))

    lazy = as_chunks(lazily(X), Y)
    lazy.sum(touched)
    lazy.sum(touched)
    assert len(calls) == 6


def test_more_threads_are_used_when_there_are_more_chunks():
    together = threading.Barrier(2, timeout=20)

    def meet(rows):
        together.wait()  # returns only if two chunks are worked on at the same time
        return LossGrad(0.0, np.zeros(1))

    as_chunks(X, Y, chunks=60, threads=2).sum(meet)


@pytest.mark.parametrize("make", [lambda v: v, lazily], ids=["memory", "dask"])
def test_a_pass_has_one_blas_thread_and_gives_the_others_back(make):
    def blas():
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    before, chunks = blas(), as_chunks(make(X), make(Y), chunks=20)
    for _ in range(10):  # whichever thread happens to come first
        inside = chunks.map(lambda rows: blas())
        assert all(found == {1} for found in inside) and blas() == before and one_blas_thread.users == 0


@pytest.mark.parametrize("make", [lambda v: v, lazily], ids=["memory", "dask"])
def test_an_error_in_a_chunk_comes_out_as_it_is(make):
    def broken(rows):
        raise ZeroDivisionError("in a chunk")

    with pytest.raises(ZeroDivisionError, match="in a chunk"):
        as_chunks(make(X), make(Y), chunks=20).sum(broken)
    deadline = time.monotonic() + 10  # dask raises while other tasks of the pass are still at work
    while one_blas_thread.users and time.monotonic() < deadline:
        time.sleep(0.01)
    assert one_blas_thread.users == 0


@pytest.mark.parametrize("make", [lambda v: v, lazily, sparse.csr_array], ids=["memory", "dask", "sparse"])
def test_a_sample_is_rows_of_every_chunk(make):
    columns = (Y, W, OFF) if make is sparse.csr_array else (make(Y), make(W), make(OFF))
    chunks = as_chunks(make(X), columns[0], sample_weight=columns[1], offset=columns[2], chunks=(40, 60, 20))
    sample = chunks.sample(Draw(0.25, seed=1))
    assert sample.lengths == (10, 15, 5) and isinstance(sample, InMemory)
    found = sample.rows.X.toarray() if sparse.issparse(sample.rows.X) else sample.rows.X
    index = [int(np.flatnonzero((X == row).all(axis=1))[0]) for row in found]
    assert index == sorted(set(index))
    for own, column in zip(sample.rows[1:], (Y, W, OFF), strict=True):
        np.testing.assert_array_equal(own, column[index])


def test_repr_says_what_there_is():
    assert repr(as_chunks(X, Y, intercept=True, chunks=60)) == "InMemory: 120 rows x 3 columns + intercept in 2 chunks"
    assert repr(as_chunks(lazily(X), Y)) == "OnDask: 120 rows x 3 columns in 3 chunks"


# --- threads ----------------------------------------------------------------------------------------------------


def who(rows):
    """The thread that a chunk was worked on in."""
    return threading.current_thread()


def inner(rows):
    """A pass inside of a pass, on as many threads."""
    return len(set(as_chunks(rows.X, rows.y, chunks=2, threads=2).map(who)))


def test_threads_are_kept_from_pass_to_pass():
    chunks = as_chunks(X, Y, chunks=10, threads=2)
    seen = {thread for _ in range(6) for thread in chunks.map(who)}
    assert len(seen) <= 2 and threading.current_thread() not in seen


@pytest.mark.timeout(60)
def test_a_pass_inside_of_a_pass_does_not_wait_for_itself():
    assert as_chunks(X, Y, chunks=10, threads=2).map(inner) == [1] * 12, "it runs in the thread that asked for it"


def test_some_chunks_are_those_of_their_numbers():
    """Wherever they are, also where all come from one task or each takes a share of its rows."""
    def first(rows):
        return float(rows.y[0])

    y, which, lengths = np.arange(300.0), [1, 4], (50, 50, 50, 50, 40, 60)
    lazy, whole = lazily(y, lengths), da.from_delayed(dask.delayed(np.arange)(300.0), (300,), float).rechunk((lengths,))
    for column in (y, lazy, whole):
        rows = as_chunks(y[:, None], column, chunks=lengths)
        some = rows.some(which)
        assert some.map(first) == [50.0, 200.0] and some.lengths == (50, 40) and rows.map(first)[2:4] == [100.0, 150.0]
        assert some.map(lambda rows: len(rows.y)) == [50, 40]
        assert [value // 50 for value in rows.thin(Draw(0.1)).some(which).map(first)] == which


def test_rows_that_are_drawn_run_on_as_many_threads_as_those_they_come_from():
    rows = as_chunks(np.ones((100, 2)), np.ones(100), chunks=25, threads=1)
    assert rows.sample(Draw(0.5)).threads == rows.sample(Draw(0.5)).scaled(100).threads == 1
    _, sample = rows.sum_and_sample(kernels.loss_grad, Logistic(), np.zeros(2), draw=Draw(0.5))
    assert sample.threads == 1
