"""The exercise of notebook 00, a small one, to show how exercises work."""

import tracemalloc

import numpy as np

from .exercise import Exercise, recognised, require
from .guard import FLOAT64, one_number


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
        """Sum of the squares of all entries, one float.

        chunks  list of arrays (n_k, p), the row chunks of one long array;
                n_k may differ from chunk to chunk

        total([np.array([[1, 2], [3, 0]]), np.array([[0, 1]])]) is 15.
        """
        raise NotImplementedError
    ''',
    reference=total,
    hints=(
        "What does each chunk contribute, whatever the others hold?",
        "The sum over all rows is the sum of the chunks' own sums: one number from each chunk.",
        "Loop over the chunks and add (chunk**2).sum() of each.",
    ),
)


def _expect(total, chunks, given, mistakes, within=1e-4):
    """Require the sum up to ``within``, which is wide here: the digits have a condition of their own."""
    answer, truth = one_number(total(chunks), f"for {given}"), sum(float(np.vdot(c, c)) for c in chunks)
    off = abs(answer - truth) / truth
    words = f"for {given} it gave {answer:.6g}, where the squares sum to {truth:.6g} (relative difference {off:.1e})"
    require(off <= within, words, lambda: recognised(answer, mistakes))


def _chunks(seed, *lengths, p=3):
    rng = np.random.default_rng(seed)
    return [rng.normal(1, 2, size=(length, p)) for length in lengths]


@TOTAL.condition("right for one chunk", hint="square each entry first, then sum over rows and columns")
def one_chunk(total):
    for chunk, given in ((_chunks(11, 5)[0], "one chunk of 5 rows"), (np.array([[-3.0]]), "the one entry -3")):
        squares = chunk**2
        _expect(total, [chunk], given, {
            "no entry was counted: with which chunk does your loop begin, and with which does it end?": 0.0,
            "the norm is the square root of what is asked for": np.sqrt(squares.sum()),
            "sum the squares, do not take their mean": squares.mean(),
            "sum over all entries: do not divide by the number of rows": squares.sum() / len(chunk),
            "square each entry before you add: the square of a sum is something else": chunk.sum() ** 2,
            "square the entries: a sum of sizes is something else": np.abs(chunk).sum(),
            "square the entries: a plain sum is something else": chunk.sum(),
        })


@TOTAL.condition(
    "right for chunks of unequal length",
    hint="make one chunk short: do chunks weigh alike, is one left out, or counted twice?",
)
def unequal_chunks(total):
    for k, lengths in enumerate(((7, 1, 4), (4, 4))):
        chunks = _chunks(12 + k, *lengths)
        sums = [float((chunk**2).sum()) for chunk in chunks]
        _expect(total, chunks, f"chunks of {' and '.join(map(str, lengths))} rows", {
            "only the last chunk is left: add to the sum, do not replace it": sums[-1],
            "only the first chunk counts: does return stand inside of the loop?": sums[0],
            "the first chunk is left out": sum(sums[1:]),
            "the last chunk is left out": sum(sums[:-1]),
            "square the norm of each chunk before you add": sum(np.sqrt(sums)) ** 2,
            "sum over the chunks, do not take a mean": np.mean(sums),
        })


@TOTAL.condition("to all the digits of float64", hint=f"the sum is right, its precision is not: {FLOAT64}")
def all_digits(total):
    _expect(total, _chunks(16, 300, 200), "chunks of 300 and 200 rows", {}, within=1e-12)
    _expect(total, _chunks(17, 5), "one chunk of 5 rows", {}, within=1e-12)


@TOTAL.condition(
    "one chunk's worth of memory at a time",
    hint="concatenating, or a list of all squares, holds the whole array again; keep only numbers",
)
def one_chunk_of_memory(total):
    chunks = _chunks(15, *[2_000] * 20)
    held, each = peak(total, chunks), chunks[0].nbytes
    held_text, each_text = f"{held / 1e3:,.0f} kB", f"{each / 1e3:,.0f} kB"
    require(held < 8 * each, f"for 20 chunks of {each_text} it held {held_text} more at once")


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
