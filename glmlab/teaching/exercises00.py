"""The exercise of notebook 00, a small one, to show how exercises work."""

import tracemalloc
from numbers import Real

import numpy as np

from .exercise import Exercise, require
from .guard import short


def total(chunks):
    return sum(float((chunk**2).sum()) for chunk in chunks)


TOTAL = Exercise(
    name="total",
    statement=(
        "chunks is a list of arrays, the row chunks of one long array, not all equally long. "
        "Return the sum of squares of all entries, holding the squares of one chunk at a time."
    ),
    stub='''
    def total(chunks):
        """Sum of squares over all chunks (a list of arrays (n_k, p))."""
        raise NotImplementedError
    ''',
    reference=total,
    hints=(
        "What does each chunk contribute, whatever the others hold?",
        "The sum over all rows is the sum of the chunks' own sums: one number from each chunk.",
        "Loop over the chunks and add (chunk**2).sum() of each.",
    ),
)


def _number(answer, given):
    require(np.ndim(answer) == 0, f"total({given}) returned {short(answer)}; one number is needed")
    answer = answer.item() if hasattr(answer, "item") else answer
    require(isinstance(answer, Real), f"total({given}) returned a {type(answer).__name__}, not a number")
    return float(answer)


def _expect(total, chunks, given, within=1e-4):
    """Require the sum up to ``within``, which is wide here: the digits have a condition of their own."""
    answer, truth = _number(total(chunks), given), sum(float(np.vdot(c, c)) for c in chunks)
    off = abs(answer - truth) / truth
    words = f"for {given} it gave {answer:.6g}, where the squares sum to {truth:.6g}"
    require(off <= within, f"{words} (relative difference {off:.1e})")


def _chunks(seed, *lengths, p=3):
    rng = np.random.default_rng(seed)
    return [rng.normal(1, 2, size=(length, p)) for length in lengths]


@TOTAL.condition("right for one chunk", hint="square each entry first, then sum over rows and columns")
def one_chunk(total):
    _expect(total, _chunks(11, 5), "one chunk of 5 rows")
    _expect(total, [np.array([[-3.0]])], "the one entry -3")


@TOTAL.condition("right for chunks of unequal length", hint="make one chunk short: do chunks weigh alike?")
def unequal_chunks(total):
    _expect(total, _chunks(12, 7, 1, 4), "chunks of 7, 1 and 4 rows")
    _expect(total, _chunks(13, 4, 4), "two chunks of 4 rows")


@TOTAL.condition(
    "to all the digits of float64",
    hint="the sum is right, its precision is not: float32 keeps 7 digits. Keep the dtype of the chunks, float64",
)
def all_digits(total):
    _expect(total, _chunks(16, 300, 200), "chunks of 300 and 200 rows", within=1e-12)
    _expect(total, _chunks(17, 5), "one chunk of 5 rows", within=1e-12)


@TOTAL.condition("cutting a chunk in two changes nothing", hint="a sum over rows never asks where the cut is")
def cut_in_two(total):
    [whole] = _chunks(14, 9)
    before, after = total([whole]), total([whole[:2], whole[2:]])
    same = abs(_number(before, "one chunk") - _number(after, "two chunks")) <= 1e-10 * abs(before)
    require(same, f"9 rows in one chunk gave {short(before)}, the same rows cut after 2 gave {short(after)}")


@TOTAL.condition(
    "one chunk's worth of memory at a time",
    hint="concatenating, or a list of all squares, holds the whole array again; keep only numbers",
)
def one_chunk_of_memory(total):
    chunks = _chunks(15, *[2_000] * 20)
    held, each = peak(total, chunks), chunks[0].nbytes
    held_text, each_text = f"{held / 1e3:,.0f} kB", f"{each / 1e3:,.0f} kB"
    require(held < 6 * each, f"for 20 chunks of {each_text} it held {held_text} more at once")


def peak(function, *args):
    """The peak of the bytes that a call allocates."""
    was_tracing = tracemalloc.is_tracing()
    tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        function(*args)
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        if not was_tracing:
            tracemalloc.stop()
