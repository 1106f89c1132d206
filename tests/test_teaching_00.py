"""The exercise of notebook 00: right answers written otherwise, and wrong ones with their mistakes."""

import math
import re

import numpy as np
import pytest
from answers import accepted, called, rejected

from glmlab.teaching import check, use


def fsum(chunks):
    return math.fsum(math.fsum(row @ row for row in chunk) for chunk in chunks)


def norms(chunks):
    answer = np.zeros(())
    for chunk in chunks:
        answer = answer + np.linalg.norm(chunk) ** 2
    return answer


def in_an_array_of_no_axes(chunks):
    answer = np.zeros(())
    for chunk in chunks:
        answer += np.vdot(chunk, chunk)
    return answer


def entry_by_entry(chunks):
    answer = 0.0
    for chunk in chunks:
        for row in chunk.tolist():
            for x in row:
                answer += x * x
    return answer


RIGHT = {
    "fsum": fsum,
    "norms": norms,
    "an array without axes": in_an_array_of_no_axes,
    "entry by entry": entry_by_entry,
    "einsum": lambda chunks: sum(np.einsum("ij,ij->", c, c) for c in chunks),
    "trace": lambda chunks: float(sum(np.trace(c.T @ c) for c in chunks)),
    "list of numbers": lambda chunks: np.sum([np.sum(np.square(c)) for c in chunks]),
    "19 digits inside": lambda chunks: sum((c.astype(np.longdouble) ** 2).sum() for c in chunks),
}


@pytest.mark.parametrize("right", RIGHT.values(), ids=list(RIGHT))
def test_right_answers_written_otherwise(right):
    accepted("total", right)
    answer = use(right)([np.ones((2, 3)), 2 * np.ones((1, 3))])
    assert float(f"{answer:.17g}") == pytest.approx(18), "the notebook prints it like this"


def summed_in_float32(chunks):
    answer = np.zeros((), dtype=np.float32)
    for chunk in chunks:
        answer += np.float32((chunk**2).sum())
    return answer


def last_chunk(chunks):
    for chunk in chunks:
        answer = float((chunk**2).sum())
    return answer


def returns_early(chunks):
    answer = 0.0
    for chunk in chunks:
        answer += float((chunk**2).sum())
        return answer


def squares(chunk):
    return float((chunk**2).sum())


ONE, UNEQUAL = "right for one chunk", "right for chunks of unequal length"
DIGITS, MEMORY = "to all the digits of float64", "one chunk's worth of memory at a time"


@pytest.mark.parametrize(("wrong", "condition", "says"), [
    (lambda chunks: float(np.mean([squares(c) for c in chunks])), UNEQUAL, "do not take"),
    (lambda chunks: len(chunks) * squares(chunks[0]), UNEQUAL, "do chunks weigh alike"),
    (lambda chunks: float(sum(c.sum() for c in chunks) ** 2), ONE, "square each entry before"),
    (lambda chunks: sum((c**2).sum(axis=0) for c in chunks), ONE, "return one number"),
    (lambda chunks: [squares(c) for c in chunks], ONE, "return one number"),
    (lambda chunks: sum(np.linalg.norm(c) for c in chunks) ** 2, UNEQUAL, "square the norm of each chunk"),
    (lambda chunks: sum(np.linalg.norm(c) for c in chunks), ONE, "square root of what is asked for"),
    (lambda chunks: sum(np.abs(c).sum() for c in chunks), ONE, "a sum of sizes"),
    (lambda chunks: sum(c.sum() for c in chunks), ONE, "a plain sum"),
    (lambda chunks: sum((c**2).mean() for c in chunks), ONE, "do not take"),
    (lambda chunks: sum((c**2).sum() / len(c) for c in chunks), ONE, "do not divide by the number of rows"),
    (lambda chunks: sum(squares(chunks[k]) for k in range(1, len(chunks))), ONE, "no entry was counted"),
    (lambda chunks: sum(squares(c) for c in chunks[:-1]), ONE, "no entry was counted"),
    (lambda chunks: squares(chunks[0]) + sum(squares(c) for c in chunks[2:]), UNEQUAL, "is one left out"),
    (last_chunk, UNEQUAL, "only the last chunk"),
    (returns_early, UNEQUAL, "only the first chunk"),
    (lambda chunks: f"{sum(map(squares, chunks)):.17g}", ONE, "not a number"),
    (lambda chunks: sum(float((c.astype(np.float32) ** 2).sum()) for c in chunks), DIGITS, "float32 keeps 7 digits"),
    (summed_in_float32, DIGITS, "float32 keeps 7 digits"),
    (lambda chunks: float((np.concatenate(chunks) ** 2).sum()), MEMORY, "concatenating"),
    (lambda chunks: float(sum(s.sum() for s in [c**2 for c in chunks])), MEMORY, "a list of all squares"),
], ids=["mean of chunks", "chunks alike", "square of sum", "columns", "a list", "norms added", "norm", "sizes",
        "no square", "mean", "by rows", "all but the first", "all but the last", "a chunk skipped", "last chunk",
        "returns early", "text", "float32", "summed in float32", "concatenated", "all squares"])
def test_wrong_answers_are_named(wrong, condition, says):
    rejected("total", wrong, condition, says)


def test_an_answer_that_squares_in_place_is_told_so():
    def total(chunks):
        for chunk in chunks:
            chunk **= 2
        return float(sum(chunk.sum() for chunk in chunks))

    assert "changed what it was given; work on a copy" in check(total).message


def test_lost_digits_are_told_apart_from_a_wrong_sum():
    assert re.search(r"relative difference \d\.\de-08", check(called("total", summed_in_float32)).message)
