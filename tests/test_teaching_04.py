"""The exercises of notebook 04: right answers written otherwise, and wrong ones with their misunderstanding."""

import functools
import operator
import threading

import dask
import numpy as np
import pytest

from glmlab.teaching import check
from glmlab.teaching.exercises04 import in_work, seconds_of


def called(name, function):
    function.__name__ = name
    return function


def accepted(name, right):
    verdict = check(called(name, right))
    assert verdict, verdict.message


def rejected(name, wrong, condition):
    verdict = check(called(name, wrong))
    assert not verdict and verdict.failed == condition, verdict.message
    assert verdict.hint in verdict.message


# ---------------------------------------------------------------- one_pass


def calls(kernel, Xs, ys, beta):
    return [dask.delayed(kernel)(X_k, y_k, beta) for X_k, y_k in zip(Xs, ys, strict=True)]


def by_chain(kernel, Xs, ys, beta):
    return functools.reduce(operator.add, calls(kernel, Xs, ys, dask.delayed(beta)))


def by_numpy(kernel, Xs, ys, beta):
    return dask.delayed(np.sum)(calls(kernel, Xs, ys, dask.delayed(beta)), axis=0)


def by_index(kernel, Xs, ys, beta):
    task, once, total = dask.delayed(kernel), dask.delayed(beta), 0
    for k in range(len(Xs)):
        total = total + task(Xs[k], ys[k], once)
    return total


@pytest.mark.parametrize("right", [by_chain, by_numpy, by_index], ids=["chain", "numpy", "running total"])
def test_one_pass_written_otherwise(right):
    accepted("one_pass", right)


def whole(kernel, Xs, ys, beta):
    """All rows in one place first."""
    return dask.delayed(kernel)(dask.delayed(np.concatenate)(Xs), dask.delayed(np.concatenate)(ys), dask.delayed(beta))


def split(kernel, Xs, ys, beta):
    """The array style again: a task for every little thing."""
    parts = calls(kernel, Xs, ys, dask.delayed(beta))
    return dask.delayed(np.append)(sum(part[:-1] for part in parts), sum(part[-1] for part in parts))


ONE, ROWS, SUM = "one delayed value, nothing computed", "the kernel sees one chunk at a time", "the right sum"
BETA, FEW = "beta is there once", "at most 4K + 2 tasks"


@pytest.mark.parametrize(("wrong", "condition"), [
    (lambda kernel, Xs, ys, beta: dask.delayed(sum)(calls(kernel, Xs, ys, beta)), BETA),
    (lambda kernel, Xs, ys, beta: dask.delayed(sum)(calls(functools.partial(kernel), Xs, ys, beta)), BETA),
    (lambda kernel, Xs, ys, beta: sum(part.compute() for part in calls(kernel, Xs, ys, dask.delayed(beta))), ONE),
    (lambda kernel, Xs, ys, beta: dask.delayed(sum(dask.compute(*calls(kernel, Xs, ys, beta)))), ONE),
    (lambda kernel, Xs, ys, beta: calls(kernel, Xs, ys, dask.delayed(beta)), ONE),
    (lambda kernel, Xs, ys, beta: dask.delayed(np.mean)(calls(kernel, Xs, ys, dask.delayed(beta)), axis=0), SUM),
    (lambda kernel, Xs, ys, beta: dask.delayed(sum)(calls(kernel, Xs[:-1], ys[:-1], dask.delayed(beta))), ROWS),
    (lambda kernel, Xs, ys, beta: dask.delayed(np.sum)(calls(kernel, Xs, ys, dask.delayed(beta))), SUM),
    (whole, ROWS),
    (split, FEW),
], ids=["literal", "literal, partial", "K computes", "one compute", "a list", "mean", "last chunk", "one number",
        "rows travel", "array style"])
def test_one_pass_wrong(wrong, condition):
    rejected("one_pass", wrong, condition)


# ---------------------------------------------------------------- tree_sum


def in_halves(parts, fan=4):
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    return in_halves(parts[:half]) + in_halves(parts[half:])


def strided(parts, fan=4):
    """Neighbours need not be added: any tree will do that the clock does not change."""
    while len(parts) > 1:
        m = -(-len(parts) // fan)
        parts = [dask.delayed(sum)(parts[i::m]) for i in range(m)]
    return parts[0]


def by_queue(parts, fan=4):
    queue = list(parts)
    while len(queue) > 1:
        head, queue = queue[:fan], queue[fan:]
        queue.append(dask.delayed(lambda values: functools.reduce(operator.add, values))(head))
    return queue[0]


@pytest.mark.parametrize("right", [in_halves, strided, by_queue], ids=["halves", "strided", "queue"])
def test_tree_sum_written_otherwise(right):
    accepted("tree_sum", right)


def on_arrival(parts, fan=4):
    """Each part adds itself to one total when it is ready."""
    box, lock = [], threading.Lock()

    def arrive(value, *before):
        with lock:
            box.append(value)

    level = [dask.delayed(arrive)(part) for part in parts]
    while len(level) > 1:
        level = [dask.delayed(lambda *done: None)(*level[i : i + fan]) for i in range(0, len(level), fan)]
    return dask.delayed(lambda done: functools.reduce(operator.add, box))(level[0])


def without_tail(parts, fan=4):
    while len(parts) > 1:
        whole = max(1, len(parts) // fan)
        parts = [dask.delayed(sum)(parts[i * fan : (i + 1) * fan]) for i in range(whole)]
    return parts[0]


def powers_of_two(parts, fan=4):
    while len(parts) > 1:
        parts = [a + b for a, b in zip(parts[::2], parts[1::2], strict=False)]
    return parts[0]


BITS, ONCE = "the same bits whoever is ready first", "each part once"


@pytest.mark.parametrize(("wrong", "condition"), [
    (on_arrival, BITS),
    (without_tail, ONCE),
    (powers_of_two, ONCE),
    (lambda parts, fan=4: dask.delayed(sum)(parts), "at most fan at a time"),
    (lambda parts, fan=4: functools.reduce(operator.add, parts), "as deep as a tree"),
    (lambda parts, fan=4: in_halves([*parts, parts[-1]]), ONCE),
    (lambda parts, fan=4: sum(dask.compute(*parts)), ONCE),
], ids=["on arrival", "no tail", "no odd one", "flat", "chain", "last twice", "computes"])
def test_tree_sum_wrong(wrong, condition):
    rejected("tree_sum", wrong, condition)


# ---------------------------------------------------------------- best_K


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


@pytest.mark.parametrize("right", [by_loop, by_arrays], ids=["loop", "arrays"])
def test_best_K_written_otherwise(right):
    accepted("best_K", right)


def allowed(n, p, cores, mem, Ks):
    return [K for K in Ks if in_work(K, n, p, cores) <= mem]


def with_time(T):
    def best_K(n, p, a, b, cores, mem, Ks):
        return min(allowed(n, p, cores, mem, Ks), key=lambda K: T(K, n, p, a, b, cores))

    return best_K


def in_seconds(n, p, a, b, cores, mem, Ks):
    """Believes that a millisecond is little and a second much, whatever the unit."""
    return by_loop(n, p, a, b, cores, mem, Ks) if a < 0.01 else min(allowed(n, p, cores, mem, Ks))


FASTEST, FITS, MEMBER = "no allowed K is faster", "the chunks in work fit into mem", "one of Ks"


@pytest.mark.parametrize(("wrong", "condition"), [
    (lambda n, p, a, b, cores, mem, Ks: min(allowed(n, p, cores, mem, Ks)), FASTEST),
    (lambda n, p, a, b, cores, mem, Ks: max(allowed(n, p, cores, mem, Ks)), FASTEST),
    (lambda n, p, a, b, cores, mem, Ks: min(Ks, key=lambda K: seconds_of(K, n, p, a, b, cores)), FITS),
    (lambda n, p, a, b, cores, mem, Ks: min([K for K in Ks if 8 * n * p / K <= mem],
                                            key=lambda K: seconds_of(K, n, p, a, b, cores)), FITS),
    (with_time(lambda K, n, p, a, b, cores: a * K + b * n * p / K), FASTEST),
    (with_time(lambda K, n, p, a, b, cores: a * K + b * n * p / min(K, cores)), FASTEST),
    (with_time(lambda K, n, p, a, b, cores: 1e-3 * K + b * n * p * -(-K // cores) / K), FASTEST),
    (lambda n, p, a, b, cores, mem, Ks: Ks.index(by_loop(n, p, a, b, cores, mem, Ks)) + 1000, MEMBER),
    (lambda n, p, a, b, cores, mem, Ks: (b * n * p / a) ** 0.5, MEMBER),
    (in_seconds, "the unit of time does not matter"),
], ids=["smallest", "largest", "no memory", "one chunk's memory", "a core a chunk", "no waves", "its own a", "place",
        "square root", "seconds"])
def test_best_K_wrong(wrong, condition):
    rejected("best_K", wrong, condition)
