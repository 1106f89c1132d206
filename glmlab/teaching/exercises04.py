"""Exercises of notebook 04: a pass with one task for each chunk, and a reproducible sum."""

import math
import time

import dask
import numpy as np
from cloudpickle import dumps
from dask.base import collections_to_expr
from dask.callbacks import Callback
from dask.delayed import Delayed

from .exercise import Exercise, require
from .guard import counting, short

EPS = np.finfo(float).eps

# ---------------------------------------------------------------- 1. one pass


def one_pass(kernel, Xs, ys, beta):
    shared = dask.delayed(beta)
    parts = [dask.delayed(kernel)(X_k, y_k, shared) for X_k, y_k in zip(Xs, ys, strict=True)]
    return dask.delayed(sum)(parts)


ONE_PASS = Exercise(
    name="one_pass",
    statement=(
        "Xs and ys are lists of K delayed chunks, beta (p,) is a numpy array. Return one delayed value: the sum over k "
        "of kernel(X_k, y_k, beta), an array. One call of the kernel for each chunk, and beta in the graph once: "
        "dask.delayed(beta)."
    ),
    stub='''
    def one_pass(kernel, Xs, ys, beta):
        """Σ_k kernel(X_k, y_k, beta) as one delayed value; computed, it is an array (p + 1,). Nothing is computed here.

        kernel: a function of NumPy arrays X_k (n_k, p), y_k (n_k,) and beta (p,); returns an array (p + 1,).
        Xs, ys: lists of K delayed chunks. Make one task for each k: a call of the kernel.
        beta (p,): a NumPy array, which must be in the graph once.
        """
        raise NotImplementedError
    ''',
    reference=one_pass,
    hints=(
        "dask.delayed(kernel)(X_k, y_k, …) is a call that is not made yet. How many do you need, and what adds them?",
        "Zip Xs and ys into a list of K delayed calls; dask.delayed(sum)(that list) is one task more. And beta?",
        "shared = dask.delayed(beta), before the loop: then the K calls hold a key, not a copy of beta.",
    ),
)

# rows of the chunks, and columns
CUTS = (((30, 7, 1, 12, 20, 5, 9), 4), ((6, 6, 6), 1), ((11,), 3))


class Calls:
    """A kernel that records the rows of each call, and the task that made it."""

    def __init__(self):
        self.lengths, self.tasks, self.running, self.__name__ = [], [], None, "kernel"

    def __call__(self, X_k, y_k, beta):
        self.lengths.append(len(X_k))
        self.tasks.append(self.running)
        r = X_k @ beta - y_k
        return np.append(X_k.T @ r, r @ r)

    def __dask_tokenize__(self):
        return id(self)

    def __repr__(self):
        return "kernel"

    def run(self, value):
        """The delayed value, computed in one thread, without optimisation of its graph."""
        with counting(), Callback(pretask=lambda key, *_: setattr(self, "running", key)):
            return value.compute(scheduler="sync", optimize_graph=False)


def _delayed_chunks(seed, lengths, p):
    rng = np.random.default_rng(seed)
    Xs, ys = [rng.normal(size=(n, p)) for n in lengths], [rng.normal(size=n) for n in lengths]
    return Xs, ys, [dask.delayed(X_k) for X_k in Xs], [dask.delayed(y_k) for y_k in ys]


def _graph(value):
    return dict(collections_to_expr([value], optimize_graph=False).__dask_graph__())


def _built(one_pass, kernel, Xs, ys, beta):
    """The lazy result of the reader's pass. Raises Wrong where it computes."""
    with counting() as computes:
        value = one_pass(kernel, Xs, ys, beta)
        require(not computes, f"it computed {len(computes)} times while it built the graph: so many rounds, not one")
    require(isinstance(value, Delayed), f"it returned {short(value)}; one delayed value is needed")
    return value


@ONE_PASS.condition(
    "one delayed value, nothing computed",
    hint="count rounds: each compute is one. dask.delayed(kernel)(X_k, y_k, …) is a call for later, kernel(X_k, …) a "
    "call now; dask.delayed(sum)(parts) adds without computing; return that",
    errors=True,
)
def one_result(one_pass):
    for lengths, p in CUTS:
        _, _, Xs, ys = _delayed_chunks(40, lengths, p)
        _built(one_pass, Calls(), Xs, ys, np.ones(p))


@ONE_PASS.condition(
    "the kernel sees one chunk at a time",
    hint="rows must not travel: K calls, each with its own X_k and y_k, as kernel(X_k, y_k, beta); only what they "
    "return is added",
    errors=True,
)
def one_call_a_chunk(one_pass):
    for lengths, p in CUTS:
        kernel, (_, _, Xs, ys) = Calls(), _delayed_chunks(41, lengths, p)
        kernel.run(_built(one_pass, kernel, Xs, ys, np.ones(p)))
        seen, K = tuple(kernel.lengths), len(lengths)
        words = f"for chunks of {lengths} rows the kernel was called with {seen} rows"
        hints = {
            "the kernel was never called: delay the function that is given, dask.delayed(kernel)": not seen,
            "a chunk is left out: zip Xs and ys, all of them": len(seen) < K and set(seen) <= set(lengths),
            "call the kernel once for each chunk, and use all that it returns": len(seen) > K,
        }
        require(sorted(seen) == sorted(lengths), words, next((hint for hint, fits in hints.items() if fits), None))


@ONE_PASS.condition(
    "a task of its own for each call",
    hint="a loop inside of one task runs on one worker, after all chunks have travelled there: delay every call by "
    "itself, dask.delayed(kernel)(X_k, y_k, …), and no call of the kernel may wait for another",
)
def one_task_a_chunk(one_pass):
    for lengths, p in CUTS:
        kernel, (_, _, Xs, ys) = Calls(), _delayed_chunks(41, lengths, p)
        value = _built(one_pass, kernel, Xs, ys, np.ones(p))
        kernel.run(value)
        graph, tasks = _graph(value), set(kernel.tasks)
        words = f"for K = {len(lengths)} chunks the kernel was called by {len(tasks)} task{'s' * (len(tasks) > 1)}"
        require(len(tasks) == len(lengths), words)
        waiting = sum(bool(_needed(graph, key) & tasks) for key in tasks)
        require(not waiting, f"{words}, of which {waiting} wait for another")
        chunks = {chunk.key for chunk in Xs + ys}
        most = max(len(_needed(graph, key) & chunks) for key in tasks)
        own = "hand over X_k and y_k, not the lists Xs and ys: a task fetches all that it is given"
        require(most == 2, f"{words}, one of which waits for {most} chunks of X and y", own)


def _needed(graph, key):
    """The keys of all tasks that a task waits for, directly or indirectly."""
    found, ahead = set(), [key]
    while ahead:
        new = {other for other in graph[ahead.pop()].dependencies if other in graph} - found
        found |= new
        ahead.extend(new)
    return found


@ONE_PASS.condition(
    "the right sum",
    hint="add what the kernel returns for every chunk, entry by entry (axis=0): no mean, and none left out",
    errors=True,
)
def right_sum(one_pass):
    for lengths, p in CUTS:
        rng, kernel = np.random.default_rng(42), Calls()
        X_parts, y_parts, Xs, ys = _delayed_chunks(43, lengths, p)
        beta = rng.normal(size=p)
        found = kernel.run(_built(one_pass, kernel, Xs, ys, beta))
        truth = kernel(np.concatenate(X_parts), np.concatenate(y_parts), beta)
        require(np.shape(found) == truth.shape, f"computed, it is {short(found)}; the kernel returns arrays {(p + 1,)}")
        off = np.abs(found - truth).max() / np.abs(truth).max()
        require(off <= 1e-10, f"for K = {len(lengths)} chunks it is off by {off:.1e} of the largest entry")


@ONE_PASS.condition(
    "beta is there once",
    hint="arguments are free? Each call carries a copy of its own to its worker. Delay beta once, before the loop",
)
def one_beta(one_pass):
    lengths, p = CUTS[0]
    beta = np.random.default_rng(44).normal(size=50_000)
    _, _, Xs, ys = _delayed_chunks(45, lengths, p)
    graph = _graph(_built(one_pass, Calls(), Xs, ys, beta))
    copies = sum(len(dumps(node)) for node in graph.values()) / beta.nbytes
    require(copies < 1.5, f"with K = {len(lengths)} chunks the tasks carry {copies:.0f} copies of beta")


@ONE_PASS.condition("at most 4K + 2 tasks", hint="2K chunks, K calls of the kernel, one sum and one beta: 3K + 2")
def few_tasks(one_pass):
    for lengths, p in CUTS:
        _, _, Xs, ys = _delayed_chunks(46, lengths, p)
        graph, K = _graph(_built(one_pass, Calls(), Xs, ys, np.ones(p))), len(lengths)
        require(len(graph) <= 4 * K + 2, f"for K = {K} the graph has {len(graph)} keys, chunks and beta included")


# ---------------------------------------------------------------- 2. the same bits


def tree_sum(parts, fan=4):
    while len(parts) > 1:
        parts = [dask.delayed(sum)(parts[i : i + fan]) for i in range(0, len(parts), fan)]
    return parts[0]


TREE_SUM = Exercise(
    name="tree_sum",
    statement=(
        "parts is a list of K ≥ 1 delayed numbers or arrays. Return their sum as one delayed value, added in a tree: "
        "one task for each group of at most fan ≥ 2 neighbours, then the same with the results, until one is left."
    ),
    stub='''
    def tree_sum(parts, fan=4):
        """The sum of the delayed parts, added at most fan at a time in a tree that is always the same.

        parts: a list of K ≥ 1 delayed numbers or arrays of one shape. fan: at least 2.
        Returns one delayed value, which computes to a number or array of that shape. Nothing is computed here.
        """
        raise NotImplementedError
    ''',
    reference=tree_sum,
    hints=(
        "Who decides what is added first: the clock, or the places 0, 1 … in the list?",
        "Cut the list into runs of fan neighbours, one task for each run; do the same with the results until one is "
        "left.",
        "while len(parts) > 1: parts = [dask.delayed(sum)(parts[i : i + fan]) for i in range(0, len(parts), fan)]",
    ),
)

def _summed(tree_sum, parts, *fan):
    with counting() as computes:
        value = tree_sum(list(parts), *fan)
        later = "dask.delayed(sum)(group) adds later; compute and persist belong to the caller"
        require(not computes, "it computed; build the tree from delayed sums, and let others compute", later)
    words = f"for K = {len(parts)} it returned {short(value)}; a delayed value is needed"
    require(isinstance(value, Delayed), words, "return the one delayed sum that is left")
    return value


def _sum_of(tree_sum, values, *fan):
    """The computed sum of some values, if it has the shape of one of them."""
    before = np.array(values)
    value = _summed(tree_sum, [dask.delayed(v) for v in values], *fan)
    with counting():
        found = value.compute(scheduler="sync")
    inside = "total += part changes the array that total is, and that is the first part: write total = total + part"
    require(np.array_equal(before, np.array(values)), "its tasks changed the parts that they were given", inside)
    words = f"for {len(values)} values like {short(values[0])} it computed {short(found)}"
    entries = "parts may be arrays: add them entry by entry, by sum(run) or with axis=0"
    require(np.shape(found) == np.shape(values[0]), words, entries)
    return np.asarray(found)


@TREE_SUM.condition(
    "each part once",
    hint="fan is 4 unless it is given; parts stays as it is; where K = 1 the sum is parts[0]. And with K = 7 and fan = "
    "4, where do parts 4, 5 and 6 go? A slice may be shorter than fan",
    errors=True,
)
def each_once(tree_sum):
    for fan in ((), (2,), (3,), (4,)):
        for K in (1, 2, 3, 4, 5, 7, 9, 16, 21):
            counts = _sum_of(tree_sum, list(np.eye(K)), *fan)  # entry k counts part k
            k = int(np.argmax(counts != 1))
            words = f"K = {K}, fan = {fan[0] if fan else 4}: part {k} of 0 … {K - 1} counts {counts[k]:g} times"
            twice = "do two of your slices overlap, or does a part join a sum that holds it already?"
            require(counts[k] == 1, words, twice if counts[k] > 1 else None)
    total = _sum_of(tree_sum, [2.0**k for k in range(9)])
    require(total == 511, f"the numbers 1, 2, 4 … 256 sum to 511, and it computed {total:g}")


@TREE_SUM.condition(
    "to all the digits of float64",
    hint="add the parts as they are: rounding and float32 lose digits, and do not make the order unimportant",
)
def all_digits(tree_sum):
    rng = np.random.default_rng(48)
    for K in (7, 21):
        values = rng.normal(size=(K, 19)) * 10.0 ** np.arange(-15, 4)  # each column has its own size
        found = _sum_of(tree_sum, list(values))
        require(found.dtype == np.float64, f"parts of float64 became a sum of {found.dtype}")
        exact = np.array([math.fsum(column) for column in values.T])
        off = np.max(np.abs(found - exact) / np.abs(values).sum(axis=0))
        words = f"K = {K}: the sum is off by {off:.1e} of the sizes of its parts, where additions lose {K * EPS:.1e}"
        require(off <= K * EPS, words)


@TREE_SUM.condition("at most fan at a time", hint="no task may wait for all: give each sum a run of fan parts")
def at_most_fan(tree_sum):
    for fan in (2, 4):
        for K in (7, 16):
            graph = _graph(_summed(tree_sum, [dask.delayed(float)(k) for k in range(K)], fan))
            most = max(len(node.dependencies) for node in graph.values())
            require(most <= fan, f"K = {K}, fan = {fan}: a task adds {most} values")


@TREE_SUM.condition(
    "as deep as a tree", hint="adding to one total makes a chain of K: let sums of runs be added among themselves"
)
def shallow(tree_sum):
    for K, most in ((16, 8), (64, 12)):  # a run of four, added one by one, is four additions deep
        value = _summed(tree_sum, [dask.delayed(float)(k) for k in range(K)], 4)
        graph, depth = _graph(value), {}

        def deep(key, graph=graph, depth=depth):
            if key not in depth:
                depth[key] = 1 + max((deep(other) for other in graph[key].dependencies if other in graph), default=0)
            return depth[key]

        levels = deep(value.key) - 1
        require(levels <= most, f"K = {K}: {levels} additions wait for each other; a tree has at most {most}")


@TREE_SUM.condition(
    "the same bits whoever is ready first",
    hint="addition does not associate: (a + b) + c and a + (b + c) round differently. What is added to what must "
    "follow from places in the list, never from the clock",
)
def same_bits(tree_sum):
    rng = np.random.default_rng(47)
    for K in (7, 9):
        values, found = rng.normal(size=(K, 40)) * 10.0 ** rng.integers(-3, 4, size=(K, 40)), set()
        for _ in range(8):
            order = rng.permutation(K)
            parts = [dask.delayed(_late, pure=False)(v, 0.004 * place) for v, place in zip(values, order, strict=True)]
            value = _summed(tree_sum, parts)
            with counting():
                found.add(np.asarray(value.compute(scheduler="threads", num_workers=K)).tobytes())
        require(len(found) == 1, f"K = {K}: {len(found)} different sums when the same parts were ready in 8 orders")


def _late(value, seconds):
    time.sleep(seconds)
    return value
