"""The cost of a pass over the rows, from seven numbers that are measured on the machine at hand.

    seconds = rounds · latency + tasks · overhead + bytes / bus + share · work
    work = flops / rate + bytes / bandwidth + rows · row

`share` is the part of the work that the busiest core has: ⌈K / cores⌉ / K for K chunks. The scheduler pays the first
two terms, one task after the other. The third is the time of the memory, which all cores share. The last is divided
among the cores. Each row has a cost of its own, whatever its columns: an exponential for a logistic loss, next to
nothing for squares. One chunk in this process is worked on by the thread that asks: the fixed cost of such a pass, the
seventh number, stands in the place of the first two terms.

Rounds and work are those of Valiant's BSP (1990), with a price for each task. The speeds are those of a roofline
(Williams, Waterman and Patterson, 2009), but the times are added, so that the model is linear in the seven numbers.

    python -m glmlab.machine.costmodel   measure this machine, then compare predictions with passes of other shapes
"""

import functools
import math
import time
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

from glmlab.cards import html_card
from glmlab.datasets import make_logistic
from glmlab.machine.cluster import client as open_client
from glmlab.machine.cluster import dealt
from glmlab.names import spelt
from glmlab.policy import Chunking, Measuring
from glmlab.rows.chunks import FAN
from glmlab.rows.entrance import as_chunks
from glmlab.rows.objective import Objective
from glmlab.rows.ondask import hint_of_chunks
from glmlab.rows.threads import cores
from glmlab.words import count_text

__all__ = ["CostModel", "Shape", "advice", "check", "fitted", "measure", "n_tasks", "timed", "typical"]

POLICY = Chunking()  # of the passes


class Shape(NamedTuple):
    """A pass over n rows and p columns in so many chunks, with or without the sum of a Hessian."""

    n: int
    p: int
    chunks: int
    hessian: bool = False

    @property
    def flops(self):
        """Multiplications and additions of Xβ and Xᵀr, and of one half of the symmetric XᵀDX if it is summed."""
        return self.n * self.p * (4 + self.p * self.hessian)

    @property
    def bytes(self):
        """Bytes read and written: X is read; for XᵀDX, DX is written and read as well."""
        return 8 * self.n * self.p * (1 + 2 * self.hessian)

    def share(self, cores):
        """The busiest core's part of the rows."""
        return math.ceil(self.chunks / cores) / self.chunks


class CostModel(NamedTuple):
    """Four prices and three speeds of a machine, and how many cores it has."""

    latency: float  # seconds a round: build the graph, send it, wait for the last result
    overhead: float  # seconds a task, one task after the other
    rate: float  # flops a second of one core
    bandwidth: float  # bytes a second that one core reads
    cores: int
    row: float = 0.0  # seconds of one core for one row, whatever its columns: for ℓ and ℓ′
    bus: float = math.inf  # bytes a second that memory delivers to all cores together
    inline: bool = False  # does the calling thread do the work of a single chunk itself? Then no round and no task
    call: float = 0.0  # seconds of such a pass, whatever its rows

    def seconds(self, n, p, chunks, hessian=False):
        """Predicted seconds of one pass over n rows of p columns in so many chunks."""
        return sum(self.parts(n, p, chunks, hessian))

    def parts(self, n, p, chunks, hessian=False):
        """Those seconds in three parts: for the round, for the tasks, for the rows (memory and the busiest core)."""
        latency, overhead, *work, call = terms(Shape(n, p, chunks, hessian), self.cores, self.inline) * self.costs
        return float(latency + call), float(overhead), float(sum(work))

    def best_chunks(self, n, p, memory=None, hessian=False):
        """Rows per chunk for the fastest pass, no chunk of X above `memory` bytes (if a row fits into that).

        The share is least where K is a multiple of the cores. Above the first such K that memory allows, more chunks
        only cost tasks. So the best K lies between the least that memory allows and that multiple.
        """
        least = 1 if memory is None else math.ceil(n / max(1, memory // (8 * p)))
        most = min(n, self.cores * math.ceil(least / self.cores))
        best = min(range(least, most + 1), key=lambda k: self.seconds(n, p, k, hessian))
        return math.ceil(n / best)

    @property
    def costs(self):
        """The coefficients of `terms`: (latency, overhead, 1/rate, 1/bandwidth, row, 1/bus, call)."""
        work = 1 / self.rate, 1 / self.bandwidth, self.row, 1 / self.bus
        return np.array([self.latency, self.overhead, *work, self.call])

    def summary(self):
        """Name and value of everything worth printing."""
        memory = f"{self.bus / 1e9:.3g} GB/s for all cores" if math.isfinite(self.bus) else "as fast as the cores"
        found = {
            "a round": f"{1e3 * self.latency:.3g} ms",
            "a task": f"{1e6 * self.overhead:.3g} µs, one after the other",
            "a core": f"{self.rate / 1e9:.3g} Gflop/s, {self.bandwidth / 1e9:.3g} GB/s, {1e9 * self.row:.3g} ns a row",
            "cores": str(self.cores),
            "memory": memory,
        }
        one = {"one chunk": f"{1e6 * self.call:.3g} µs a pass, in the place of its round and tasks"}
        return found | one if self.inline else found

    def _repr_html_(self):
        return html_card("Cost of a pass", self.summary())

    def __repr__(self):
        return (
            f"CostModel: {1e3 * self.latency:.3g} ms a round, {1e6 * self.overhead:.3g} µs a task, "
            f"{self.rate / 1e9:.3g} Gflop/s, {self.bandwidth / 1e9:.3g} GB/s and {1e9 * self.row:.3g} ns a row on each "
            f"of {count_text(self.cores, 'core')}, {self.bus / 1e9:.3g} GB/s from memory for all"
            + f", {1e6 * self.call:.3g} µs a pass of one chunk" * self.inline
        )


def n_tasks(chunks, narrow=False):
    """Tasks of one pass: one for each chunk, and those that add FAN results at a time.

    narrow: are there so few coefficients that the process that asks makes the last sum of a pass on a cluster?
    """
    tree, level = 1, chunks
    while level > FAN:
        level = math.ceil(level / FAN)
        tree += level
    return chunks + tree - narrow


def terms(shape, cores, inline):
    """(7,) the amounts that a pass needs: rounds, tasks, the busiest core's flops, bytes and rows, all bytes, calls.

    A pass of one chunk in this process is a call, and no round.
    """
    busiest = shape.share(cores) * np.array([shape.flops, shape.bytes, shape.n])
    call = inline and shape.chunks == 1
    tasks = n_tasks(shape.chunks, narrow=not inline and shape.p <= POLICY.narrow)
    return np.array([not call, (not call) * tasks, *busiest, shape.bytes, call])


def fitted(shapes, seconds, cores, inline=False, *, policy=Measuring()):
    """The CostModel that explains measured seconds best: nonnegative least squares on relative errors."""
    A = np.array([terms(shape, cores, inline) for shape in shapes]) / np.asarray(seconds)[:, None]
    unit = A.max(axis=0)
    unit[unit == 0] = 1  # no pass has this term
    parts = nnls(A / unit, np.ones(len(A)))[0]  # the part of the pass that has most of this term
    latency, overhead, flop, byte, row, shared, call = (np.where(parts < policy.faint, 0, parts) / unit).tolist()
    rate, bandwidth, bus = (1 / cost if cost > 0 else math.inf for cost in (flop, byte, shared))
    return CostModel(latency, overhead, rate, bandwidth, cores, row, bus, inline, call)


@spelt
def measure(client=None, kernels=None, family="logistic", threads=None, *, policy=Measuring()):
    """The CostModel of this machine's threads, or of a client's cluster, in under 5 seconds.

    kernels  "numpy", "fused" or None for what `fit` would take; loading and compiling them is not timed
    threads  of this process, where there is no client; all cores by default
    """
    return measured([], client, kernels, family, threads, policy)[0]


def measured(others, client, kernels, family, threads, policy):
    """The CostModel, and the seconds of passes of other shapes, timed in turn with those that it is fitted to."""
    cores = n_cores(client, threads)
    shapes = probes(cores, policy)
    budget = policy.budget * (1 + bool(others))
    seconds = timed([*shapes, *others], client, kernels, family, threads, policy=replace(policy, budget=budget))
    model = fitted(shapes, seconds[: len(shapes)], cores, inline=client is None, policy=policy)
    return model, seconds[len(shapes) :]


def n_cores(client, threads=None):
    """How many tasks run at a time."""
    return sum(client.nthreads().values()) if client is not None else threads or cores()


def probes(cores, policy=Measuring()):
    """The shapes that are timed. Each cost is a large part of some of them.

    Little work a chunk shows the tasks; few long rows, wide rows and a table that fits the cache show the speeds; one
    core alone shows what all cores share, and with few rows what a call costs. Numbers of chunks are the cores and
    some more, not multiples: tasks are handed out one after the other. Among those of many chunks some have many
    columns: a thread that works in numpy lets go of Python's lock, and then other threads hide a part of the cost of
    tasks.
    """
    little, few, many, size, most = policy.little, policy.few, policy.many, policy.size, cores + 46
    cuts = (cores, cores + 6)
    tasks = [Shape(little * k, p, k) for p, k in ((few, cores), (few, cores + 14), (many, most))]
    tasks += [Shape(little // 2 * most, many // 2, most)]
    cached = [Shape(size // 8 // many, many, k) for k in cuts]
    long, wide = [Shape(size // few, few, k) for k in cuts], Shape(2 * size // many, many, cores)
    alone = [Shape(size // 4 // p, p, 1) for p in (few, many)]
    hessians = [shape._replace(hessian=True) for shape in (long[0], wide, *alone)]
    return [*tasks, *cached, *long, wide, *alone, *hessians, Shape(little, few, 1)]


def timed(shapes, client=None, kernels=None, family="logistic", threads=None, *, policy=Measuring()):
    """(m,) the median seconds of a pass of each shape; all are repeated in turn while the budget lasts."""
    table = functools.lru_cache(maxsize=1)(make_logistic)  # one table at a time: the chunks below keep what they need
    cut = functools.cache(lambda n, p, chunks: placed(*table(n, p)[:2], math.ceil(n / chunks), client, threads))
    passes = [one_pass(cut(*shape[:3]), shape.hessian, kernels, family) for shape in shapes]
    for run in passes:
        run()  # the first call loads kernels
    seconds, until = [], time.perf_counter() + policy.budget
    while len(seconds) < policy.least or len(seconds) < policy.most and time.perf_counter() < until:
        seconds.append([clocked(run) for run in passes])
    return np.median(seconds, axis=0)


def clocked(run):
    """Seconds that run() takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def typical(run, repeats=5):
    """The median seconds of some calls, after a first one, which may load and compile."""
    run()
    return float(np.median([clocked(run) for _ in range(repeats)]))


def placed(X, y, rows, client, threads):
    """X and y in chunks of so many rows: in this process, or in the memory of the client's workers."""
    X, y = (X, y) if client is None else (dealt(client, a, rows) for a in (X, y))
    return as_chunks(X, y, chunks=rows, threads=threads)


def one_pass(chunks, hessian, kernels, family):
    """A function that makes one pass over these chunks."""
    f, beta = Objective(family, chunks, kernels), np.full(chunks.dim, 0.1)
    kernel = f.kernel("loss_grad_hess" if hessian else "loss_grad")
    return lambda: chunks.sum(kernel, f.family, beta)  # f itself would return what it remembers, without a pass


def advice(chunks, model):
    """A sentence on chunks (of `as_chunks`) that make passes slow on this machine, or ""."""
    return hint_of_chunks(chunks, model.cores, model.overhead, lambda k: model.parts(chunks.n, chunks.p, k)[2])


def unseen(cores, times):
    """Shapes to which no model is fitted, with so many times the rows.

    Consecutive shapes have different tables, so that none finds its table in a cache.
    """
    tables = [(50_000 * times, 15), (20_000 * times, 50), (20_000 * times, 100)]
    shapes = [Shape(n, p, k) for k in (1, cores, 4 * cores, 16 * cores) for n, p in tables]
    return shapes + [Shape(n, p, 2 * cores, hessian=True) for n, p in tables]


def check(client=None, kernels=None, family="logistic", threads=None):
    """Print measured seconds of other shapes beside those that a model predicts; returns the worst relative error.

    They are timed in turn with those that the model is fitted to, because a machine's speed varies with time.
    """
    shapes = unseen(n_cores(client, threads), 1 if client is None else 8)  # more rows where a round takes long
    model, found = measured(shapes, client, kernels, family, threads, Measuring())
    predicted = np.array([model.seconds(*shape) for shape in shapes])
    print("     rows  columns  chunks  Hessian  predicted ms  measured ms   error")
    for (n, p, k, hessian), ours, theirs in zip(shapes, predicted, found, strict=True):
        what = f"{n:>9,} {p:>8} {k:>7} {'yes' if hessian else 'no':>8}"
        print(f"{what} {1e3 * ours:>13.2f} {1e3 * theirs:>12.2f} {ours / theirs - 1:>+7.0%}")
    return float(np.abs(predicted / found - 1).max())


def main():
    """Threads of this process with both kernel sets, then two worker processes."""
    report("threads of this process, numpy kernels", kernels="numpy")
    report("threads of this process, fused kernels", kernels="fused")
    with open_client() as workers:
        report("worker processes", client=workers)


def report(where, **options):
    """Measure, print the model, and check it."""
    timed(probes(2)[:1], policy=Measuring(budget=0.0), **options)  # loads the kernels
    start = time.perf_counter()
    model = measure(**options)
    print(f"\n{where}, measured in {time.perf_counter() - start:.1f} s\n{model}")
    print(f"worst error {check(**options):.0%}")


if __name__ == "__main__":
    main()
