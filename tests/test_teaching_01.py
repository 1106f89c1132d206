"""The exercises of notebook 01: right answers written otherwise, and wrong ones with their mistakes."""

import math
import re

import dask
import dask.array as da
import numpy as np
import pytest
from answers import accepted, called, rejected
from scipy.special import ndtri

from glmlab.teaching import check

# ---------------------------------------------------------------- chunk_rows


def by_counting(p, budget, itemsize=8):
    r = 0
    while (r + 1) * p * itemsize <= budget:
        r += 1
    return r


def from_nbytes(p, budget, itemsize=8):
    row = np.empty((1, p), dtype=f"V{itemsize}").nbytes
    return (budget - budget % row) // row


RIGHT_ROWS = {
    "divmod": lambda p, budget, itemsize=8: np.int64(divmod(budget, p * itemsize)[0]),
    "nbytes": from_nbytes,
    "counting": by_counting,
    "math.floor": lambda p, budget, itemsize=8: math.floor(budget / (p * itemsize)),
    "int of np.floor": lambda p, budget, itemsize=8: int(np.floor(budget / p / itemsize)),
    "rounded once, right below 2**53 bytes": lambda p, budget, itemsize=8: int(budget / (p * itemsize)),
}


@pytest.mark.parametrize("right", RIGHT_ROWS.values(), ids=list(RIGHT_ROWS))
def test_chunk_rows_written_otherwise(right):
    accepted("chunk_rows", right)


COUNT, THE_FIT = "an int, at least 1", "the rows fit the budget, and one more would not"
ANY_SIZE, AT_SCALE = "right for numbers of any size", "exact for budgets of gigabytes and terabytes"


@pytest.mark.parametrize(("wrong", "condition", "says"), [
    pytest.param(lambda p, budget, itemsize=8: budget / (p * itemsize), COUNT, "put int(…) around", id="a float"),
    pytest.param(lambda p, budget, itemsize=8: np.floor(budget / (p * itemsize)), COUNT, "put int(…)", id="np.floor"),
    pytest.param(lambda p, budget, itemsize=8: budget // (p * itemsize) - 1, COUNT, "always holds one row",
                 id="one less"),
    pytest.param(lambda p, budget, itemsize=8: np.uint64(budget // (p * itemsize)), COUNT, "uint64", id="unsigned"),
    pytest.param(lambda p, budget, itemsize=8: budget // p, THE_FIT, "p numbers of itemsize bytes", id="no bytes"),
    pytest.param(lambda p, budget, itemsize=8: budget // itemsize, THE_FIT, "p numbers of itemsize", id="no columns"),
    pytest.param(lambda p, budget, itemsize=8: budget // (p + itemsize), THE_FIT, "p numbers of itemsize",
                 id="added, not multiplied"),
    pytest.param(lambda p, budget, itemsize=8: -(-budget // (p * itemsize)), THE_FIT, "one byte above", id="ceil"),
    pytest.param(lambda p, budget, itemsize=8: round(budget / (p * itemsize)), THE_FIT, "one byte above", id="round"),
    pytest.param(lambda p, budget, itemsize=8: max(1, (budget - 1) // (p * itemsize)), THE_FIT, "exactly budget bytes",
                 id="strictly below"),
    pytest.param(lambda p, budget, itemsize=8: max(1, budget // (2 * p * itemsize)), THE_FIT, "no reserve",
                 id="half, to be safe"),
    pytest.param(lambda p, budget, itemsize=8: budget // (p * 8), ANY_SIZE, "8 is only the default", id="always 8"),
    pytest.param(lambda p, budget, itemsize=8: int(budget * (1 / (p * itemsize))), AT_SCALE, "//", id="reciprocal"),
    pytest.param(lambda p, budget, itemsize=8: int((budget / 1e9) / (p * itemsize / 1e9)), AT_SCALE, "//", id="GB"),
    pytest.param(lambda p, budget, itemsize=8: int((budget / 1e6) / (p * itemsize / 1e6)), AT_SCALE, "//", id="MB"),
    pytest.param(lambda p, budget, itemsize=8: int(np.float32(budget) / np.float32(p * itemsize)), AT_SCALE, "//",
                 id="float32"),
])  # fmt: skip
def test_chunk_rows_wrong(wrong, condition, says):
    rejected("chunk_rows", wrong, condition, says)


def test_chunk_rows_without_its_default():
    assert "missing 1 required positional argument" in check(called("chunk_rows", lambda p, b, itemsize: b // (
        p * itemsize))).message


# ---------------------------------------------------------------- rows


def spawned(n, p, chunks, seed):
    """One seed sequence spawns a child for each block of 512; blocks by map_blocks."""
    children = np.random.SeedSequence(seed).spawn(-(-n // 512))

    def draw(block_info):
        here = block_info[None]
        return np.random.default_rng(children[here["chunk-location"][0]]).normal(size=here["chunk-shape"])

    cuts = da.core.normalize_chunks((512, p), (n, p))
    return da.map_blocks(draw, chunks=cuts, dtype=float, meta=np.empty((0, 0))).rechunk((chunks, p))


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


def row_by_row(n, p, chunks, seed):
    """Each row has a seed of its own."""

    def draw(start, size):
        return np.array([np.random.default_rng((seed, i)).standard_normal(p) for i in range(start, start + size)])

    return blocks(n, p, chunks, lambda k, size: draw(1_000 * k, size))


def dask_in_fixed_blocks(n, p, chunks, seed):
    return da.random.default_rng(seed).standard_normal((n, p), chunks=(1_000, p)).rechunk((chunks, p))


def by_boxes(n, p, chunks, seed):
    """Uniform numbers made normal, two by two (Box and Muller)."""

    def block(k, size):
        u, v = np.random.default_rng([seed, k]).random((2, size, p))
        return np.sqrt(-2 * np.log1p(-u)) * np.cos(2 * np.pi * v)

    return blocks(n, p, chunks, block, 700)


@pytest.mark.parametrize("right", [spawned, counter_based, row_by_row, dask_in_fixed_blocks, by_boxes])
def test_rows_written_otherwise(right):
    accepted("rows", right)


@pytest.mark.parametrize("length", [500, 1_024, 5_000])
def test_rows_by_blocks_of_any_length(length):
    def draw(n, p, chunks, seed):
        def block(k, size):
            return np.random.default_rng([k, seed]).normal(size=(size, p))

        return blocks(n, p, chunks, block, length)

    accepted("rows", draw)


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
    return da.concatenate([spawned(n, 1, chunks, seed)] * p, axis=1).rechunk({1: p})


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
    wrong = called("rows", altered(change))
    rejected("rows", wrong, "blocks are independent")
    assert re.search(says, check(wrong).message)


def test_one_block_that_is_another_negated():
    def draw(n, p, chunks, seed):
        def block(k, size):
            sign = -1 if k == 1 else 1
            return sign * np.random.default_rng((seed, 0 if k == 1 else k)).standard_normal((size, p))

        return blocks(n, p, chunks, block)

    rejected("rows", draw, "blocks are independent")


def test_blocks_with_turned_columns_are_no_new_numbers():
    def change(first, k, fresh):
        return -np.roll(first, 1, axis=1) if k == 1 else fresh.standard_normal(first.shape)

    rejected("rows", altered(change), "blocks are independent", "sign changed")


def test_an_answer_for_int_chunks_alone_gets_a_hint():
    rejected("rows", int_only, "chunks may be a tuple of lengths", "TypeError")


def scaled(n, p, chunks, seed):
    return 2 * spawned(n, p, chunks, seed)


def in_float32(n, p, chunks, seed):
    return spawned(n, p, chunks, seed).astype(np.float32)


def undeclared_float32(n, p, chunks, seed):
    return blocks(n, p, chunks, lambda k, size: np.random.default_rng((seed, k)).standard_normal((size, p), np.float32))


def long_last_block(n, p, chunks, seed):
    """The last block draws a thousand rows too, whatever it is told."""
    return blocks(n, p, chunks, lambda k, size: np.random.default_rng((seed, k)).standard_normal((1_000, p)))


def no_last_block(n, p, chunks, seed):
    return spawned(n - n % 1_000, p, 1_000, seed).rechunk({0: chunks})


def cut_columns(n, p, chunks, seed):
    return spawned(n, p, chunks, seed).rechunk({1: 2})


def one_generator_for_all(n, p, chunks, seed):
    def block(k, size):
        np.random.seed([seed, k])
        return np.random.normal(size=(size, p))

    return blocks(n, p, chunks, block)


def seed_times(factor):
    return lambda n, p, chunks, seed: blocks(n, p, chunks, lambda k, size: np.random.default_rng(
        factor * seed + k).standard_normal((size, p)))  # fmt: skip


def quarters(n, p, chunks, seed):
    """Four blocks, whatever n is."""
    cuts = [n // 4, n // 4, n // 4, n - 3 * (n // 4)]
    parts = [
        da.from_delayed(dask.delayed(np.random.default_rng((seed, k)).standard_normal)((size, p)), (size, p), float)
        for k, size in enumerate(cuts)
    ]
    return da.concatenate(parts).rechunk({0: chunks})


def delayed(n, p, chunks, seed):
    return dask.delayed(np.random.default_rng(seed).standard_normal)((n, p))


@pytest.mark.parametrize(("wrong", "condition", "says"), [
    (one_dask_generator, "equal under other chunks", "who draws which row"),
    (same_seed_per_block, "no row occurs twice", "a seed of its own"),
    (seed_plus_block, "no two seeds share a row", "seed + k"),
    (seed_times(10), "no two seeds share a row", "10·seed + k"),
    (seed_times(100), "no two seeds share a row", "10·seed + k"),
    (quarters, "a few rows cost a few blocks", "the same length for every n"),
    (seed_ignored, "another seed, other rows", "where does seed enter"),
    (drawn_at_once, "lazy: a recipe, not the numbers", "drawn already"),
    (persisted, "lazy: a recipe, not the numbers", "while building"),
    (numpy_rows, "lazy: a recipe, not the numbers", "dask.delayed(draw)"),
    (delayed, "lazy: a recipe, not the numbers", "a dask array is needed"),
    (in_float32, "lazy: a recipe, not the numbers", "float32 keeps 7 digits"),
    (undeclared_float32, "no generator is shared", "of the dtype, as from_delayed is told"),
    (no_last_block, "cut as asked", "the last block is shorter"),
    (long_last_block, "no generator is shared", "as many rows"),
    (cut_columns, "cut as asked", "cut rows only"),
    (own_chunks, "cut as asked", "rechunk"),
    (int_only, "chunks may be a tuple of lengths", "takes an int and a tuple alike"),
    (first_length_only, "chunks may be a tuple of lengths", "takes an int and a tuple alike"),
    (one_generator_for_all, "no generator is shared", "a generator of its own"),
    (one_task, "a few rows cost a few blocks", "its own rows only"),
    (prefix_per_block, "a few rows cost a few blocks", "its own rows only"),
    (uniform, "standard normal numbers", "standard_normal"),
    (columns_alike, "no number occurs twice", "every column"),
    (scaled, "standard normal numbers", "scale none"),
], ids=lambda value: getattr(value, "__name__", ""))
def test_rows_wrong(wrong, condition, says):
    rejected("rows", wrong, condition, says)


def test_a_check_leaves_the_global_generator_alone():
    before = np.random.get_state()
    check(called("rows", one_generator_for_all))
    after = np.random.get_state()
    assert before[2] == after[2] and np.array_equal(before[1], after[1])
