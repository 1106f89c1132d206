"""The best number of chunks of notebook 04: right answers written otherwise, and wrong ones with their mistakes."""

import numpy as np
import pytest
from answers import accepted, rejected

from glmlab.teaching.exercises04_chunks import in_work, seconds_of


def by_loop(n, p, a, b, cores, mem, Ks):
    best, least = None, np.inf
    for K in Ks:
        waves = -(-K // cores)
        if 8 * n * p * min(cores / K, 1) <= mem and a * K + b * n * p / K * waves < least:
            best, least = K, a * K + b * n * p / K * waves
    return best


def by_arrays(n, p, a, b, cores, mem, Ks):
    K = np.array(Ks)
    T = a * K + b * n * p * np.ceil(K / cores) / K
    return K[np.argmin(np.where(np.minimum(K, cores) * 8.0 * n * p / K <= mem, T, np.inf))]


def by_sorting(n, p, a, b, cores, mem, Ks):
    return sorted(allowed(n, p, cores, mem, Ks), key=lambda K: (seconds_of(K, n, p, a, b, cores), K))[0]


def without_what_is_common(n, p, a, b, cores, mem, Ks):
    """T divided by b n p, in floats, returned as a float."""
    fitting = [K for K in Ks if min(K, cores) / K <= mem / (8.0 * n * p)]
    return float(min(fitting, key=lambda K: a / (b * n * p) * K + -(-K // cores) / K))


def by_a_table(n, p, a, b, cores, mem, Ks):
    T = {K: a * K + b * (n / K) * p * np.ceil(K / cores) for K in Ks if K <= cores or 8 * n * p * cores / K <= mem}
    return min((K for K in T if 8 * (n / K) * p * min(K, cores) <= mem), key=T.get)


@pytest.mark.parametrize("right", [by_loop, by_arrays, by_sorting, without_what_is_common, by_a_table])
def test_best_K_written_otherwise(right):
    accepted("best_K", right)


def allowed(n, p, cores, mem, Ks):
    return [K for K in Ks if in_work(K, n, p, cores) <= mem]


def with_time(T):
    return lambda n, p, a, b, cores, mem, Ks: min(
        allowed(n, p, cores, mem, Ks), key=lambda K: T(K, n, p, a, b, cores))


def with_memory(fits):
    return lambda n, p, a, b, cores, mem, Ks: min(
        (K for K in Ks if fits(K, n, p, cores, mem)), key=lambda K: seconds_of(K, n, p, a, b, cores))


def in_seconds(n, p, a, b, cores, mem, Ks):
    """Believes that a millisecond is little and a second much, whatever the unit."""
    return by_loop(n, p, a, b, cores, mem, Ks) if a < 0.5 else min(allowed(n, p, cores, mem, Ks))


def until_it_rises(n, p, a, b, cores, mem, Ks):
    best, *others = sorted(allowed(n, p, cores, mem, Ks))
    for K in others:
        if seconds_of(K, n, p, a, b, cores) > seconds_of(best, n, p, a, b, cores):
            break
        best = K
    return best


def sorted_in_place(n, p, a, b, cores, mem, Ks):
    Ks.sort()
    return by_loop(n, p, a, b, cores, mem, Ks)


FASTEST, FITS, MEMBER = "no allowed K is faster", "the chunks in work fit into mem", "one of Ks"


@pytest.mark.parametrize(("wrong", "condition", "says"), [
    (lambda n, p, a, b, cores, mem, Ks: min(allowed(n, p, cores, mem, Ks)), FASTEST, "leave cores idle"),
    (lambda n, p, a, b, cores, mem, Ks: max(allowed(n, p, cores, mem, Ks)), FASTEST, "T has two terms"),
    (with_memory(lambda K, n, p, cores, mem: True), FITS, "mem limits K"),
    (with_memory(lambda K, n, p, cores, mem: 8 * n * p / K <= mem), FITS, "not one"),
    (with_memory(lambda K, n, p, cores, mem: 8 * n / K * min(K, cores) <= mem), FITS, "n·p/K of them"),
    (with_time(lambda K, n, p, a, b, cores: seconds_of(K, n, 1, a, b, cores)), FASTEST, "one of n·p numbers"),
    (until_it_rises, FASTEST, "look at every K"),
    (sorted_in_place, MEMBER, "sorted(Ks)"),
    (with_memory(lambda K, n, p, cores, mem: n * p / K * min(K, cores) <= mem), FITS, "8 bytes"),
    (with_memory(lambda K, n, p, cores, mem: in_work(K, n, p, cores) < mem), FASTEST, "compare by ≤"),
    (with_memory(lambda K, n, p, cores, mem: 8 * n * p / K * cores <= mem), FASTEST, "fewer than cores"),
    (with_memory(lambda K, n, p, cores, mem: 8 * n * p <= mem), MEMBER, "only min(K, cores) chunks"),
    (with_time(lambda K, n, p, a, b, cores: a * K + b * n * p / K), FASTEST, "one after the other"),
    (with_time(lambda K, n, p, a, b, cores: a * K + b * n * p / min(K, cores)), FASTEST, "only whole chunks"),
    (with_time(lambda K, n, p, a, b, cores: a * K + b * n * p * (K // cores) / K), FASTEST, "rounded up"),
    (with_time(lambda K, n, p, a, b, cores: b * n * p * -(-K // cores) / K), FASTEST, "every chunk costs a"),
    (with_time(lambda K, n, p, a, b, cores: -seconds_of(K, n, p, a, b, cores)), FASTEST, "the least T"),
    (with_time(lambda K, n, p, a, b, cores: 1e-3 * K + b * n * p * -(-K // cores) / K), FASTEST, "T has two terms"),
    (lambda n, p, a, b, cores, mem, Ks: Ks.index(by_loop(n, p, a, b, cores, mem, Ks)) + 1000, MEMBER, "its place"),
    (lambda n, p, a, b, cores, mem, Ks: seconds_of(Ks[0], n, p, a, b, cores), MEMBER, "nor its seconds"),
    (lambda n, p, a, b, cores, mem, Ks: (b * n * p / a) ** 0.5, MEMBER, "which is not one of Ks"),
    (lambda n, p, a, b, cores, mem, Ks: np.array(by_loop(n, p, a, b, cores, mem, Ks)), MEMBER, "the number of chunks"),
    (in_seconds, "the unit of time does not matter", "the best K stays"),
], ids=["smallest", "largest", "no memory", "one chunk's memory", "memory without p", "time without p",
        "first rise", "sort of a tuple", "no bytes", "strictly below mem", "cores at any K",
        "all rows", "a core a chunk", "no waves", "rounded down", "tasks are free", "slowest", "its own a", "place",
        "seconds", "square root", "an array", "other unit"])
def test_best_K_wrong(wrong, condition, says):
    rejected("best_K", wrong, condition, says)
