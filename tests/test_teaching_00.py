"""The exercise of notebook 00: right answers written otherwise, and wrong ones with their misunderstanding."""

import math
import re

import numpy as np
import pytest

from glmlab.teaching import check, use


def named(function):
    function.__name__ = "total"
    return function


def fsum(chunks):
    return math.fsum(math.fsum(row @ row for row in chunk) for chunk in chunks)


def norms(chunks):
    answer = np.zeros(())
    for chunk in chunks:
        answer = answer + np.linalg.norm(chunk) ** 2
    return answer


@pytest.mark.parametrize("right", [fsum, norms])
def test_right_answers_written_otherwise(right):
    assert use(named(right)) is right


def mean_of_chunks(chunks):
    return float(np.mean([(chunk**2).sum() for chunk in chunks]) * 2)


def alike(chunks):
    return len(chunks) * float((chunks[0] ** 2).sum())


def square_of_sum(chunks):
    return float(sum(chunk.sum() for chunk in chunks) ** 2)


def columns(chunks):
    return sum((chunk**2).sum(axis=0) for chunk in chunks)


def concatenated(chunks):
    return float((np.concatenate(chunks) ** 2).sum())


def all_squares(chunks):
    return float(sum(squares.sum() for squares in [chunk**2 for chunk in chunks]))


def in_float32(chunks):
    return sum(float((chunk.astype(np.float32) ** 2).sum()) for chunk in chunks)


def summed_in_float32(chunks):
    answer = np.zeros((), dtype=np.float32)
    for chunk in chunks:
        answer += np.float32((chunk**2).sum())
    return answer


def norm_per_chunk(chunks):
    return sum(float(np.linalg.norm(chunk)) for chunk in chunks) ** 2


@pytest.mark.parametrize(("wrong", "condition"), [
    (mean_of_chunks, "right for one chunk"),
    (alike, "right for chunks of unequal length"),
    (square_of_sum, "right for one chunk"),
    (columns, "right for one chunk"),
    (norm_per_chunk, "right for chunks of unequal length"),
    (in_float32, "to all the digits of float64"),
    (summed_in_float32, "to all the digits of float64"),
    (concatenated, "one chunk's worth of memory at a time"),
    (all_squares, "one chunk's worth of memory at a time"),
])
def test_wrong_answers_are_named(wrong, condition):
    verdict = check(named(wrong))
    assert not verdict and verdict.failed == condition and verdict.hint in verdict.message


@pytest.mark.parametrize("wrong", [in_float32, summed_in_float32])
def test_lost_digits_are_told_apart_from_a_wrong_sum(wrong):
    said = check(named(wrong)).message
    assert re.search(r"relative difference \d\.\de-08", said) and "dtype of the chunks" in said


def test_a_cut_may_not_matter():
    def total(chunks):  # right for every list that was tried before the cut
        whole = sum(float((chunk**2).sum()) for chunk in chunks)
        return whole + (len(chunks) == 2 and len(chunks[0]) == 2)

    assert check(total).failed == "cutting a chunk in two changes nothing"
