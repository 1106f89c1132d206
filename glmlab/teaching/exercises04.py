"""The exercises of notebook 04: a pass with one task for each chunk, a reproducible sum, the best chunks."""

import math
import time
from itertools import pairwise

import dask
import numpy as np
from cloudpickle import dumps
from dask.base import collections_to_expr
from dask.delayed import Delayed

from .exercise import Exercise, require
from .exercises01 import counting
from .guard import short

# ---------------------------------------------------------------- 1. one pass


def one_pass(kernel, Xs, ys, beta):
    shared = dask.delayed(beta)
    parts = [dask.delayed(kernel)(X_k, y_k, shared) for X_k, y_k in zip(Xs, ys, strict=True)]
    return dask.delayed(sum)(parts)


ONE_PASS = Exercise(
    name="one_pass",
    statement=(
        "Xs and ys are lists of K delayed chunks, beta (p,) is a numpy array. Return one delayed value: the sum over k "
        "of kernel(X_k, y_k, beta), an array. One call of the kernel for each chunk, and beta in the graph once."
    ),
    stub='''
    def one_pass(kernel, Xs, ys, beta):
        """Σ_k kernel(X_k, y_k, beta) as one delayed value, with one task a chunk."""
        raise NotImplementedError
    ''',
    reference=one_pass,
    hints=(
        "dask.delayed(kernel)(X_k, y_k, …) is a call that waits. How many of them do you need, and what adds them?",
        "Zip Xs and ys into a list of K delayed calls; dask.delayed(sum)(that list) is one task more. And beta?",
        "shared = dask.delayed(beta), before the loop: then the K calls hold a key, not a copy of beta.",
    ),
)

# rows of the chunks, and columns
CUTS = (((30, 7, 1, 12, 20, 5, 9), 4), ((6, 6, 6), 1), ((11,), 3))


class Calls:
    """A kernel that records the rows of each call."""

    def __init__(self):
        self.lengths, self.__name__ = [], "kernel"

    def __call__(self, X_k, y_k, beta):
        self.lengths.append(len(X_k))
        r = X_k @ beta - y_k
        return np.append(X_k.T @ r, r @ r)

    def __dask_tokenize__(self):
        return id(self)


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
    hint="count rounds: each compute is one. dask.delayed(sum)(parts) adds without computing; return that",
)
def one_result(one_pass):
    for lengths, p in CUTS:
        _, _, Xs, ys = _delayed_chunks(40, lengths, p)
        _built(one_pass, Calls(), Xs, ys, np.ones(p))


@ONE_PASS.condition(
    "the kernel sees one chunk at a time",
    hint="rows must not travel: K calls, each with its own X_k and y_k; only what they return is added",
)
def one_call_a_chunk(one_pass):
    for lengths, p in CUTS:
        kernel, (_, _, Xs, ys) = Calls(), _delayed_chunks(41, lengths, p)
        value = _built(one_pass, kernel, Xs, ys, np.ones(p))
        with counting():
            value.compute(scheduler="sync")
        words = f"for chunks of {lengths} rows the kernel was called with {tuple(kernel.lengths)} rows"
        require(sorted(kernel.lengths) == sorted(lengths), words)


@ONE_PASS.condition("the right sum", hint="add what the kernel returns for every chunk: no mean, and none left out")
def right_sum(one_pass):
    for lengths, p in CUTS:
        rng = np.random.default_rng(42)
        X_parts, y_parts, Xs, ys = _delayed_chunks(43, lengths, p)
        beta = rng.normal(size=p)
        value = _built(one_pass, Calls(), Xs, ys, beta)
        with counting():
            found = value.compute(scheduler="sync")
        truth = Calls()(np.concatenate(X_parts), np.concatenate(y_parts), beta)
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
        "no task adds more than fan ≥ 2 of them, and which are added does not depend on which is ready first."
    ),
    stub='''
    def tree_sum(parts, fan=4):
        """The sum of the delayed parts, added at most fan at a time in a tree that is the same always."""
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

COUNTS = (1, 2, 3, 4, 5, 7, 9, 16, 21)


def _summed(tree_sum, parts, fan=4):
    with counting() as computes:
        value = tree_sum(list(parts), fan)
        require(not computes, "it computed; build the tree from delayed sums, and let others compute")
    require(isinstance(value, Delayed), f"for K = {len(parts)} it returned {short(value)}; a delayed value is needed")
    return value


@TREE_SUM.condition(
    "each part once",
    hint="take K = 7 and fan = 4 by hand: where do parts 4, 5 and 6 go? A slice may be shorter than fan",
)
def each_once(tree_sum):
    for fan in (2, 3, 4):
        for K in COUNTS:
            value = _summed(tree_sum, [dask.delayed(8**k) for k in range(K)], fan)  # octal digit k counts part k
            with counting():
                total = int(value.compute(scheduler="sync"))
            wrong = [k for k in range(K) if total // 8**k % 8 != 1]
            words = f"K = {K}, fan = {fan}: part {wrong[0] if wrong else 0} of 0 … {K - 1} does not count once"
            require(not wrong and total < 8**K, words)


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
    for K in (16, 21):
        value = _summed(tree_sum, [dask.delayed(float)(k) for k in range(K)], 4)
        graph, depth = _graph(value), {}

        def deep(key, graph=graph, depth=depth):
            if key not in depth:
                depth[key] = 1 + max((deep(other) for other in graph[key].dependencies if other in graph), default=0)
            return depth[key]

        levels, most = deep(value.key) - 1, math.ceil(math.log2(K)) + 1
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


# ---------------------------------------------------------------- 3. the best number of chunks


def best_K(n, p, a, b, cores, mem, Ks):
    def seconds(K):
        return a * K + b * n * p * math.ceil(K / cores) / K

    return min((K for K in Ks if 8 * n * p / K * min(K, cores) <= mem), key=seconds)


BEST_K = Exercise(
    name="best_K",
    statement=(
        "Of the numbers of chunks in Ks return the one with the least T(K) = a·K + b·n·p·⌈K/cores⌉/K seconds. A core "
        "works on one chunk at a time; the chunks in work, of 8·n·p/K bytes each, must together fit into mem bytes. "
        "(One of Ks does.)"
    ),
    stub='''
    def best_K(n, p, a, b, cores, mem, Ks):
        """The number of chunks, out of Ks, with the fastest pass whose chunks in work fit into mem bytes."""
        raise NotImplementedError
    ''',
    reference=best_K,
    hints=(
        "Write T(K) as a function. Which K may not be used at all, because of mem?",
        "min(K, cores) chunks are in work at a time. Keep the K with min(K, cores)·8·n·p/K ≤ mem; take the least T.",
        "min((K for K in Ks if 8 * n * p / K * min(K, cores) <= mem), key=seconds), with seconds(K) = T(K).",
    ),
)

# n, p, a, b, cores, mem, Ks
MACHINES = (
    (10**6, 100, 1e-3, 1e-9, 4, 1e10, (1, 2, 4, 8, 16, 64)),
    (10**6, 100, 1e-3, 1e-9, 4, 4e8, (1, 2, 4, 8, 16, 64)),
    (10**6, 100, 2e-3, 1e-9, 32, 1e10, (64, 1, 16, 2, 8, 4, 256)),
    (10**7, 10, 1e-5, 2e-9, 6, 1e9, tuple(range(1, 40))),
    (10**3, 10, 1e-3, 1e-9, 8, 1e9, (1, 2, 8)),
    (10**5, 7, 1e-4, 1e-8, 5, 5e6, (3, 4, 5, 6, 7, 11, 20, 40)),
    (10**8, 20, 3e-4, 5e-10, 16, 2e9, (16, 48, 50, 112, 200)),
)


def seconds_of(K, n, p, a, b, cores):
    """T(K), the predicted seconds with K chunks."""
    return a * K + b * n * p * math.ceil(K / cores) / K


def in_work(K, n, p, cores):
    """Bytes of the chunks that are processed at the same time."""
    return 8 * n * p / K * min(K, cores)


def _best(best_K, machine):
    K = best_K(*machine)
    require(np.ndim(K) == 0 and K in machine[-1], f"it returned {short(K)}, which is not one of Ks = {machine[-1]}")
    return int(K)


@BEST_K.condition("one of Ks", hint="return the number of chunks itself, neither its place in Ks nor its seconds")
def one_of_them(best_K):
    for machine in MACHINES:
        _best(best_K, machine)


@BEST_K.condition(
    "the chunks in work fit into mem", hint="min(K, cores) chunks of 8·n·p/K bytes are in memory at the same time"
)
def fits(best_K):
    for machine in MACHINES:
        n, p, _, _, cores, mem, _ = machine
        K = _best(best_K, machine)
        words = f"n = {n:,}, p = {p}, {cores} cores: with K = {K} the chunks in work take"
        require(in_work(K, n, p, cores) <= mem, f"{words} {in_work(K, n, p, cores):.2g} bytes of {mem:.2g}")


@BEST_K.condition(
    "no allowed K is faster", hint="T has two terms: with few chunks cores are idle, with many each costs a"
)
def fastest(best_K):
    for machine in MACHINES:
        n, p, a, b, cores, mem, Ks = machine
        K = _best(best_K, machine)
        ours = seconds_of(K, n, p, a, b, cores)
        better = [k for k in Ks if in_work(k, n, p, cores) <= mem and seconds_of(k, n, p, a, b, cores) < ours]
        words = f"a = {a:g}, b = {b:g}, {cores} cores, n·p = {n * p:g}: K = {K} takes {ours:.3g} s"
        best = min(better, key=lambda k: seconds_of(k, n, p, a, b, cores), default=K)
        other = f"K = {best} takes {seconds_of(best, n, p, a, b, cores):.3g} s"
        why = "idle cores" if best > K else "every chunk costs a"
        require(not better, f"{words}, {other} ({why})")


@BEST_K.condition(
    "the unit of time does not matter", hint="a and b twice as large: T doubles for every K, the best K stays"
)
def unit_of_time(best_K):
    for machine in MACHINES:
        n, p, a, b, *rest = machine
        found = [_best(best_K, (n, p, times * a, times * b, *rest)) for times in (1, 2, 1024)]
        require(all(x == y for x, y in pairwise(found)), f"with a and b 1, 2 and 1024 times as large it gave {found}")
