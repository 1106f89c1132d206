"""A pass and a sum of notebook 04: right answers written otherwise, and wrong ones with their mistakes."""

import functools
import operator
import threading

import dask
import numpy as np
import pytest
from answers import accepted, rejected
from naive import extended

from glmlab.teaching import check

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


def by_decorator(kernel, Xs, ys, beta):
    @dask.delayed
    def part(X_k, y_k, b):
        return kernel(X_k, y_k, b)

    @dask.delayed
    def total(parts):
        return functools.reduce(np.add, parts)

    once = dask.delayed(beta)
    return total([part(X_k, y_k, once) for X_k, y_k in zip(Xs, ys, strict=True)])


def by_halves(kernel, Xs, ys, beta):
    return in_halves(calls(kernel, Xs, ys, dask.delayed(beta)))


RIGHT_PASSES = [by_chain, by_numpy, by_index, by_decorator, by_halves]


@pytest.mark.parametrize("right", RIGHT_PASSES, ids=["chain", "numpy", "running total", "decorator", "halves"])
def test_one_pass_written_otherwise(right):
    accepted("one_pass", right)


def whole(kernel, Xs, ys, beta):
    """All rows in one place first."""
    return dask.delayed(kernel)(dask.delayed(np.concatenate)(Xs), dask.delayed(np.concatenate)(ys), dask.delayed(beta))


def split(kernel, Xs, ys, beta):
    """The array style again: a task for every little thing."""
    parts = calls(kernel, Xs, ys, dask.delayed(beta))
    return dask.delayed(np.append)(sum(part[:-1] for part in parts), sum(part[-1] for part in parts))


def loop_in_a_task(kernel, Xs, ys, beta):
    """One task, which calls the kernel for every chunk."""

    def loop(Xs, ys, beta):
        return sum(kernel(X_k, y_k, beta) for X_k, y_k in zip(Xs, ys, strict=True))

    return dask.delayed(loop)(Xs, ys, beta)


def two_tasks(kernel, Xs, ys, beta):
    """A task for each half of the chunks."""
    half, once = len(Xs) // 2, dask.delayed(beta)
    return loop_in_a_task(kernel, Xs[:half], ys[:half], once) + loop_in_a_task(kernel, Xs[half:], ys[half:], once)


def one_after_the_other(kernel, Xs, ys, beta):
    """Each task adds its chunk to what the one before has found."""
    once, total = dask.delayed(beta), 0.0
    for X_k, y_k in zip(Xs, ys, strict=True):
        total = dask.delayed(lambda so_far, X, y, b: so_far + kernel(X, y, b))(total, X_k, y_k, once)
    return total


def all_lists_for_each(kernel, Xs, ys, beta):
    """Each task is given all chunks, and takes its own."""
    once = dask.delayed(beta)
    take = dask.delayed(lambda k, Xs, ys, b: kernel(Xs[k], ys[k], b))
    return dask.delayed(sum)([take(k, Xs, ys, once) for k in range(len(Xs))])


def loss_and_gradient_apart(kernel, Xs, ys, beta):
    once = dask.delayed(beta)
    gradient = dask.delayed(sum)([part[:-1] for part in calls(kernel, Xs, ys, once)])
    loss = dask.delayed(sum)([part[-1] for part in calls(kernel, Xs, ys, once)])
    return dask.delayed(np.append)(gradient, loss)


def in_each_call(kernel, Xs, ys, beta):
    """β inside of the function that is called."""
    parts = [dask.delayed(lambda X, y: kernel(X, y, beta))(X_k, y_k) for X_k, y_k in zip(Xs, ys, strict=True)]
    return dask.delayed(sum)(parts)


def kernel_of_its_own(kernel, Xs, ys, beta):
    """The given kernel is never called."""
    own = dask.delayed(lambda X_k, y_k, b: np.append(X_k.T @ (X_k @ b - y_k), 0.0))
    return dask.delayed(sum)([own(X_k, y_k, beta) for X_k, y_k in zip(Xs, ys, strict=True)])


def first_y_for_all(kernel, Xs, ys, beta):
    return dask.delayed(sum)(calls(kernel, Xs, [ys[0]] * len(ys), dask.delayed(beta)))


def called_at_once(kernel, Xs, ys, beta):
    return sum(kernel(X_k, y_k, beta) for X_k, y_k in zip(Xs, ys, strict=True))


def added(add, kernel, Xs, ys, beta, **how):
    return dask.delayed(add)(calls(kernel, Xs, ys, dask.delayed(beta)), **how)


ONE, ROWS, OWN = "one delayed value, nothing computed", "the kernel sees one chunk at a time", \
    "a task of its own for each call"
SUM, BETA, FEW = "the right sum", "beta is there once", "at most 4K + 2 tasks"


@pytest.mark.parametrize(("wrong", "condition", "says"), [
    (loop_in_a_task, OWN, "a loop inside of one task"),
    (two_tasks, OWN, "called by 2 tasks"),
    (one_after_the_other, OWN, "6 wait for another"),
    (all_lists_for_each, OWN, "not the lists Xs and ys"),
    (lambda kernel, Xs, ys, beta: dask.delayed(sum)(calls(kernel, Xs, ys, beta)), BETA, "Delay beta once"),
    (lambda kernel, Xs, ys, beta: dask.delayed(sum)(calls(functools.partial(kernel), Xs, ys, beta)), BETA, "Delay"),
    (in_each_call, BETA, "Delay beta once"),
    (lambda kernel, Xs, ys, beta: sum(part.compute() for part in calls(kernel, Xs, ys, dask.delayed(beta))), ONE,
     "count rounds"),
    (lambda kernel, Xs, ys, beta: dask.delayed(sum(dask.compute(*calls(kernel, Xs, ys, beta)))), ONE, "count rounds"),
    (lambda kernel, Xs, ys, beta: calls(kernel, Xs, ys, dask.delayed(beta)), ONE, "a list of 7 delayed values"),
    (functools.partial(added, np.mean, axis=0), SUM, "no mean"),
    (functools.partial(added, np.sum), SUM, "axis=0"),
    (functools.partial(added, np.concatenate), SUM, "entry by entry"),
    (lambda kernel, Xs, ys, beta: by_numpy(kernel, Xs[:-1], ys[:-1], beta), ROWS, "a chunk is left out"),
    (lambda kernel, Xs, ys, beta: by_numpy(kernel, [Xs[0]] * len(Xs), [ys[0]] * len(ys), beta), ROWS, "its own X_k"),
    (kernel_of_its_own, ROWS, "was never called"),
    (first_y_for_all, ROWS, "each with its own X_k and y_k"),
    (lambda kernel, Xs, ys, beta: dask.delayed(sum)(calls(kernel, ys, Xs, beta)), ROWS, "as kernel(X_k, y_k, beta)"),
    (called_at_once, ONE, "a call now"),
    (loss_and_gradient_apart, ROWS, "once for each chunk"),
    (whole, ROWS, "rows must not travel"),
    (split, FEW, "one sum"),
], ids=["a loop in a task", "two tasks", "one after the other", "all lists", "literal", "literal, partial",
        "literal, lambda", "K computes", "one compute", "a list", "mean", "one number", "concatenated", "last chunk",
        "first chunk", "own kernel",
        "first y", "y and X swapped", "called at once", "called twice", "rows travel", "array style"])
def test_one_pass_wrong(wrong, condition, says):
    rejected("one_pass", named(wrong), condition, says)


def named(function):
    """A partial has no name of its own."""
    return lambda kernel, Xs, ys, beta: function(kernel, Xs, ys, beta)


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


def runs_from(start):
    """Runs of neighbours, each sum started from a number."""

    def tree_sum(parts, fan=4):
        while len(parts) > 1:
            parts = [dask.delayed(sum)(parts[i : i + fan], start) for i in range(0, len(parts), fan)]
        return parts[0]

    return tree_sum


def by_loop(parts, fan=4):
    """A running total inside of each task."""

    def add(run):
        total = 0.0
        for part in run:
            total = total + part
        return total

    while len(parts) > 1:
        parts = [dask.delayed(add)(parts[i : i + fan]) for i in range(0, len(parts), fan)]
    return parts[0]


def by_sums_of_delayed(parts, fan=4):
    """Python's sum, outside of any task: it adds one by one, a task for each addition."""
    while len(parts) > 1:
        parts = [sum(parts[i : i + fan]) for i in range(0, len(parts), fan)]
    return parts[0]


def by_numpy_sums(parts, fan=4):
    while len(parts) > 1:
        parts = [dask.delayed(np.sum)(parts[i : i + fan], axis=0) for i in range(0, len(parts), fan)]
    return parts[0]


@pytest.mark.parametrize("right", [
    in_halves, strided, by_queue, runs_from(0), runs_from(0.0), by_loop, by_sums_of_delayed, by_numpy_sums,
], ids=["halves", "strided", "queue", "runs", "runs from 0.0", "loops", "sums of delayed", "numpy"])
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


def changed(change):
    """A right tree, and then something done to its sum."""
    return lambda parts, fan=4: dask.delayed(change)(strided(parts, fan))


def by_set(parts, fan=4):
    """A set has no order of its own."""
    parts = list(parts)
    while len(parts) > 1:
        parts = list(set(parts))
        parts = [dask.delayed(sum)(parts[i : i + fan]) for i in range(0, len(parts), fan)]
    return parts[0]


def overlapping(parts, fan=4):
    """Each run begins with the last part of the run before."""
    while len(parts) > 1:
        parts = [dask.delayed(sum)(parts[max(0, i - 1) : i + fan]) for i in range(0, len(parts), fan)]
    return parts[0]


def in_place(parts, fan=4):
    """The first part of each run becomes the sum."""

    def add(run):
        total = run[0]
        for part in run[1:]:
            total += part
        return total

    while len(parts) > 1:
        parts = [dask.delayed(add)(parts[i : i + fan]) for i in range(0, len(parts), fan)]
    return parts[0]


def the_last_list(parts, fan=4):
    while len(parts) > 1:
        parts = [dask.delayed(sum)(parts[i : i + fan]) for i in range(0, len(parts), fan)]
    return parts


def only_from_two(parts, fan=4):
    if len(parts) > 1:
        return strided(parts, fan)
    return None


def twelve_digits(value):
    return np.vectorize(lambda x: float(f"{x:.12g}"))(value)


def without_default(parts, fan):
    return strided(parts, fan)


BITS, ONCE, DIGITS = "the same bits whoever is ready first", "each part once", "to all the digits of float64"
AT_MOST, DEEP = "at most fan at a time", "as deep as a tree"


@pytest.mark.parametrize(("wrong", "condition", "says"), [
    (on_arrival, BITS, "never from the clock"),
    (by_set, BITS, "places in the list"),
    (without_tail, ONCE, "A slice may be shorter"),
    (powers_of_two, ONCE, "A slice may be shorter"),
    (lambda parts, fan=4: in_halves([*parts, parts[-1]]), ONCE, "counts 2 times"),
    (overlapping, ONCE, "overlap"),
    (lambda parts, fan=4: sum(dask.compute(*parts)), ONCE, "let others compute"),
    (in_place, ONCE, "total += part"),
    (the_last_list, ONCE, "the one delayed sum that is left"),
    (only_from_two, ONCE, "where K = 1 the sum is parts[0]"),
    (without_default, ONCE, "missing 1 required positional argument"),
    (lambda parts, fan=4: dask.delayed(np.sum)(parts), ONCE, "parts may be arrays"),
    (changed(lambda value: np.round(value, 12)), DIGITS, "rounding"),
    (changed(twelve_digits), DIGITS, "rounding"),
    (changed(lambda value: np.float64(np.float32(value))), DIGITS, "float32"),
    (changed(np.float32), DIGITS, "float32"),
    pytest.param(changed(np.longdouble), DIGITS, "a sum of", marks=extended),
    (lambda parts, fan=4: dask.delayed(sum)(parts), AT_MOST, "no task may wait for all"),
    (lambda parts, fan=4: strided(parts, 2 * fan), AT_MOST, "a run of fan parts"),
    (lambda parts, fan=4: functools.reduce(operator.add, parts), DEEP, "a chain of K"),
    (lambda parts, fan=4: sum(parts), DEEP, "a chain of K"),
], ids=["on arrival", "a set", "no tail", "no odd one", "last twice", "overlapping", "computes", "in place",
        "a list", "no sum of one", "no default",
        "no axis", "12 decimals", "12 digits", "through float32", "float32", "long double", "flat", "twice fan",
        "chain", "Python's sum"])
def test_tree_sum_wrong(wrong, condition, says):
    rejected("tree_sum", wrong, condition, says)


def test_a_tree_that_empties_the_list_is_told_so():
    def tree_sum(parts, fan=4):
        while len(parts) > 1:
            parts.append(dask.delayed(sum)([parts.pop(0) for _ in range(min(fan, len(parts)))]))
        return parts[0]

    assert "changed what it was given; work on a copy" in check(tree_sum).message
