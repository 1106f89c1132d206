"""The exercises of notebook 01: right answers written otherwise, and wrong ones with their misunderstanding."""

import re

import dask
import dask.array as da
import numpy as np
import pytest
from answers import called, rejected
from distributed import Client
from scipy.special import ndtri

from glmlab.teaching import check

# ---------------------------------------------------------------- chunk_rows


def divmod_rows(p, budget, itemsize=8):
    return np.int64(divmod(budget, p * itemsize)[0])


def by_float(p, budget, itemsize=8):
    """Rounded once, and so right for every budget below 2**53 bytes."""
    return int(budget / (p * itemsize))


def from_nbytes(p, budget, itemsize=8):
    row = np.empty((1, p), dtype=f"V{itemsize}").nbytes
    return (budget - budget % row) // row


@pytest.mark.parametrize("right", [divmod_rows, from_nbytes, by_float])
def test_chunk_rows_written_otherwise(right):
    assert check(called("chunk_rows")(right))


THE_FIT = "the rows fit the budget, and one more would not"
AT_SCALE = "exact for budgets of gigabytes and terabytes"


@pytest.mark.parametrize(("wrong", "condition"), [
    pytest.param(lambda p, budget, itemsize=8: budget // p, THE_FIT, id="elements are bytes"),
    pytest.param(lambda p, budget, itemsize=8: -(-budget // (p * itemsize)), THE_FIT, id="budget is an average"),
    pytest.param(lambda p, budget, itemsize=8: round(budget / (p * itemsize)), THE_FIT, id="rounding"),
    pytest.param(lambda p, budget, itemsize=8: (budget - 1) // (p * itemsize), THE_FIT, id="strictly below"),
    pytest.param(lambda p, budget, itemsize=8: max(1, budget // (2 * p * itemsize)), THE_FIT, id="half, to be safe"),
    pytest.param(lambda p, budget, itemsize=8: budget / (p * itemsize), THE_FIT, id="a float"),
    pytest.param(lambda p, budget, itemsize=8: budget // (p * 8), "right for numbers of any size", id="always 8"),
    pytest.param(lambda p, budget, itemsize=8: int(budget * (1 / (p * itemsize))), AT_SCALE, id="reciprocal"),
    pytest.param(lambda p, budget, itemsize=8: int((budget / 1e9) / (p * itemsize / 1e9)), AT_SCALE, id="gigabytes"),
    pytest.param(lambda p, budget, itemsize=8: int((budget / 1e6) / (p * itemsize / 1e6)), AT_SCALE, id="megabytes"),
    pytest.param(
        lambda p, budget, itemsize=8: int(np.float32(budget) / np.float32(p * itemsize)), AT_SCALE, id="float32"
    ),
])
def test_chunk_rows_wrong(wrong, condition):
    rejected(called("chunk_rows")(wrong), condition)


# ---------------------------------------------------------------- rows


@called("rows")
def spawned(n, p, chunks, seed):
    """One seed sequence spawns a child for each block of 512; blocks by map_blocks."""
    children = np.random.SeedSequence(seed).spawn(-(-n // 512))

    def draw(block_info):
        here = block_info[None]
        return np.random.default_rng(children[here["chunk-location"][0]]).normal(size=here["chunk-shape"])

    cuts = da.core.normalize_chunks((512, p), (n, p))
    return da.map_blocks(draw, chunks=cuts, dtype=float, meta=np.empty((0, 0))).rechunk((chunks, p))


@called("rows")
def counter_based(n, p, chunks, seed):
    """A counter-based generator jumps to any row: no fixed blocks at all."""

    def draw(start, size):
        bits = np.random.Philox(key=seed).advance(start * p)  # a step of Philox gives four numbers
        numbers = np.random.Generator(bits).random((size * p, 4))[:, 0]
        return ndtri(numbers).reshape(size, p)

    [lengths] = da.core.normalize_chunks((chunks,), (n,))
    starts = np.cumsum([0, *lengths])
    parts = [
        da.from_delayed(dask.delayed(draw)(int(start), size), (size, p), float)
        for start, size in zip(starts, lengths, strict=False)
    ]
    return da.concatenate(parts)


@pytest.mark.parametrize("right", [spawned, counter_based])
def test_rows_written_otherwise(right):
    assert check(right)


@pytest.mark.parametrize("length", [500, 1_024, 5_000])
def test_rows_by_blocks_of_any_length(length):
    def draw(n, p, chunks, seed):
        def block(k, size):
            return np.random.default_rng([k, seed]).normal(size=(size, p))

        return blocks(n, p, chunks, block, length)

    assert check(called("rows")(draw))


def blocks(n, p, chunks, draw, length=1000):
    sizes = [min(length, n - start) for start in range(0, n, length)]
    parts = [da.from_delayed(dask.delayed(draw)(k, size), (size, p), float) for k, size in enumerate(sizes)]
    return da.concatenate(parts).rechunk({0: chunks})


def one_dask_generator(n, p, chunks, seed):
    return da.random.default_rng(seed).standard_normal((n, p), chunks=(chunks, p))


def same_seed_per_block(n, p, chunks, seed):
    return blocks(n, p, chunks, lambda k, size: np.random.default_rng(seed).standard_normal((size, p)))


def seed_plus_block(n, p, chunks, seed):
    return blocks(n, p, chunks, lambda k, size: np.random.default_rng(seed + k).standard_normal((size, p)))


def seed_ignored(n, p, chunks, seed):
    return blocks(n, p, chunks, lambda k, size: np.random.default_rng(k).standard_normal((size, p)))


def drawn_at_once(n, p, chunks, seed):
    return da.from_array(np.random.default_rng(seed).standard_normal((n, p)), chunks=(chunks, p))


def persisted(n, p, chunks, seed):
    return spawned(n, p, chunks, seed).persist()


def numpy_rows(n, p, chunks, seed):
    return np.random.default_rng(seed).standard_normal((n, p))


def own_chunks(n, p, chunks, seed):
    return spawned(n, p, 1000, seed)


def uniform(n, p, chunks, seed):
    return blocks(n, p, chunks, lambda k, size: np.random.default_rng((seed, k)).random((size, p)))


def columns_alike(n, p, chunks, seed):
    return da.concatenate([spawned(n, 1, chunks, seed)] * p, axis=1)


def int_only(n, p, chunks, seed):
    return spawned(n, p, chunks, seed).rechunk((tuple(min(chunks, n - i) for i in range(0, n, chunks)), (p,)))


def first_length_only(n, p, chunks, seed):
    return spawned(n, p, chunks if isinstance(chunks, int) else chunks[0], seed)


def one_task(n, p, chunks, seed):
    draw = dask.delayed(lambda: np.random.default_rng(seed).standard_normal((n, p)))
    return da.from_delayed(draw(), (n, p), float).rechunk({0: chunks})


def prefix_per_block(n, p, chunks, seed):
    """Every block draws all rows before its own, to find its place in the stream."""
    return blocks(n, p, chunks, lambda k, size: np.random.default_rng(seed).normal(size=(1_000 * k + size, p))[-size:])


def altered(change):
    """Every block is block 0, changed; ``change(block 0, k, fresh)`` says how."""

    def draw(n, p, chunks, seed):
        def block(k, size):
            first = np.random.default_rng((seed, 0)).standard_normal((1_000, p))[:size]
            return first if k == 0 else change(first, k, np.random.default_rng((seed, k)))

        return blocks(n, p, chunks, block)

    return draw


def shuffled_and_scaled(first, k, fresh):
    return fresh.permutation(first) * (1 + (-1) ** k * k / 1_000)


def random_signs(first, k, fresh):
    return first * fresh.choice([-1, 1], size=first.shape) * fresh.uniform(0.9, 1.1, size=first.shape)


def mixed(first, k, fresh):
    return (first + fresh.standard_normal(first.shape)) / np.sqrt(2)


@pytest.mark.parametrize(("change", "says"), [
    (lambda first, k, fresh: (-1) ** k * first * (1 + k / 1e6), "multiples of other rows"),
    (shuffled_and_scaled, "multiples of other rows"),
    (mixed, "rows that are [0-9],000 apart correlate"),
    (random_signs, "squares of rows that are [0-9],000 apart correlate"),
], ids=["negated", "shuffled and scaled", "mixed", "random signs"])
def test_blocks_that_lean_on_each_other(change, says):
    wrong = called("rows")(altered(change))
    rejected(wrong, "blocks are independent")
    assert re.search(says, check(wrong).message)


def test_one_block_that_is_another_negated():
    def draw(n, p, chunks, seed):
        def block(k, size):
            sign = -1 if k == 1 else 1
            return sign * np.random.default_rng((seed, 0 if k == 1 else k)).standard_normal((size, p))

        return blocks(n, p, chunks, block)

    rejected(called("rows")(draw), "blocks are independent")


def test_blocks_with_turned_columns_are_no_new_numbers():
    def change(first, k, fresh):
        return -np.roll(first, 1, axis=1) if k == 1 else fresh.standard_normal(first.shape)

    wrong = called("rows")(altered(change))
    rejected(wrong, "blocks are independent")
    assert "sign changed" in check(wrong).message


def test_an_answer_for_int_chunks_alone_gets_a_hint():
    assert "TypeError" in check(called("rows")(int_only)).message


def scaled(n, p, chunks, seed):
    return 2 * spawned(n, p, chunks, seed)


@pytest.mark.parametrize(("wrong", "condition"), [
    (one_dask_generator, "equal under other chunks"),
    (same_seed_per_block, "no row occurs twice"),
    (seed_plus_block, "no two seeds share a row"),
    (seed_ignored, "another seed, other rows"),
    (drawn_at_once, "lazy: a recipe, not the numbers"),
    (persisted, "lazy: a recipe, not the numbers"),
    (numpy_rows, "lazy: a recipe, not the numbers"),
    (own_chunks, "cut as asked"),
    (int_only, "chunks may be a tuple of lengths"),
    (first_length_only, "chunks may be a tuple of lengths"),
    (one_task, "a few rows cost a few blocks"),
    (prefix_per_block, "a few rows cost a few blocks"),
    (uniform, "standard normal numbers"),
    (columns_alike, "no number occurs twice"),
    (scaled, "standard normal numbers"),
], ids=lambda value: getattr(value, "__name__", ""))
def test_rows_wrong(wrong, condition):
    rejected(called("rows")(wrong), condition)


# ---------------------------------------------------------------- dot


def by_function(X, b):
    return np.dot(X, b)


def by_entries(X, b):
    return (X * b).sum(axis=1)


def by_cases(X, b):
    if isinstance(X, np.ndarray) and isinstance(b, da.Array):
        X = da.asarray(X)
    return X.dot(b)


@pytest.mark.parametrize("right", [by_function, by_entries, by_cases])
def test_dot_written_otherwise(right):
    assert check(called("dot")(right))


KIND = "lazy where an operand is, numpy where both are"


@pytest.mark.parametrize(("wrong", "condition"), [
    pytest.param(lambda X, b: X.dot(b), "nothing is computed early", id="method"),
    pytest.param(lambda X, b: np.asarray(X) @ np.asarray(b), "nothing is computed early", id="numpy at once"),
    pytest.param(lambda X, b: X @ (b.compute() if isinstance(b, da.Array) else b), "nothing is computed early", id="b"),
    pytest.param(lambda X, b: da.asarray(X) @ b, KIND, id="always dask"),
    pytest.param(lambda X, b: dask.delayed(np.dot)(X, b), KIND, id="delayed"),
    pytest.param(lambda X, b: (X * b).sum(axis=0), "right values for every pair", id="wrong axis"),
    pytest.param(lambda X, b: X @ abs(b), "right values for every pair", id="signs"),
    pytest.param(lambda X, b: (X @ b)[:, None], "right values for every pair", id="a column"),
])
def test_dot_wrong(wrong, condition):
    rejected(called("dot")(wrong), condition)


def test_an_error_is_named_where_values_are_asked_for():
    verdict = check(called("dot")(lambda X, b: b @ X))
    assert verdict.failed == "right values for every pair" and "ValueError" in verdict.message


def test_checks_count_on_an_open_cluster_too():
    with Client(n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"):
        rejected(called("dot")(lambda X, b: X.dot(b)), "nothing is computed early")
        assert check(called("dot")(lambda X, b: X @ b))
