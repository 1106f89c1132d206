"""What a pass over the rows costs, from a few numbers that are measured on the machine at hand.

    seconds = rounds · latency + tasks · overhead + bytes / bus + share · work
    work = flops / rate + bytes / bandwidth + rows · row

`share` is the part of the work that the busiest core has: ⌈K / cores⌉ / K for K chunks. The first two terms are paid
by whoever hands out tasks, one after the other; the third is the memory's that all cores share, however many work; the
last is divided among the cores. Rounds and work are those of Valiant's BSP (1990), with a price for each task; the
speeds are a roofline's (Williams, Waterman and Patterson, 2009), their times added, so that all is linear in what is
fitted. A row costs something whatever its columns: an exponential for a logistic loss, next to nothing for squares.

    python -m glmlab.costmodel       measure this machine, then hold such a model against passes that it has not seen
"""

import functools
import math
import time
from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

from glmlab.chunks import FAN, as_chunks, cores, hint_of_chunks
from glmlab.cluster import dealt
from glmlab.datasets import make_logistic
from glmlab.names import spelt
from glmlab.objective import Objective

__all__ = ["CostModel", "Shape", "advice", "check", "fitted", "measure", "n_tasks", "timed", "typical"]

BUDGET, REPEATS = 2.3, (4, 100)  # seconds that `measure` spends on passes once all is warm; least and most repeats
SIZE = 2**22  # numbers in X of the larger shapes, and twice as many where a Hessian must stand out from its round
LITTLE = 1500  # rows in a chunk with hardly any work; with far fewer numpy keeps Python's lock, and tasks look cheaper
COLUMNS = FEW, MANY = 10, 100  # of the shapes that it times
FAINT = 0.01  # a term that is a smaller part of every pass does not show


class Shape(NamedTuple):
    """A pass: over how many rows and columns, in how many chunks, and whether it sums a Hessian."""

    n: int
    p: int
    chunks: int
    hessian: bool = False

    @property
    def flops(self):
        """Multiplications and additions of Xβ and Xᵀr, and of one half of the symmetric XᵀDX where it is summed."""
        return self.n * self.p * (4 + self.p * self.hessian)

    @property
    def bytes(self):
        """What is read and written: X, and for XᵀDX also DX."""
        return 8 * self.n * self.p * (1 + 2 * self.hessian)

    def share(self, cores):
        """The part of the rows that the busiest core has."""
        return math.ceil(self.chunks / cores) / self.chunks


class CostModel(NamedTuple):
    """Three prices and three speeds of a machine, and its cores."""

    latency: float  # seconds a round: build the graph, send it, wait for the last result
    overhead: float  # seconds a task: paid one after the other
    rate: float  # flops a second of one core
    bandwidth: float  # bytes a second that one core takes in
    cores: int
    row: float = 0.0  # seconds of one core for a row's own work: its η, ℓ and ℓ′
    bus: float = math.inf  # bytes a second that memory hands to all cores together
    inline: bool = False  # is a single chunk worked on by whoever asks? Then it costs no round and no task

    def seconds(self, n, p, chunks, hessian=False):
        """Predicted seconds of one pass over (n, p) rows in so many chunks."""
        return sum(self.parts(n, p, chunks, hessian))

    def parts(self, n, p, chunks, hessian=False):
        """The same in three parts: the round, the tasks, and what the rows take, memory and the busiest core."""
        latency, overhead, *work = terms(Shape(n, p, chunks, hessian), self.cores, self.inline) * self.costs
        return float(latency), float(overhead), float(sum(work))

    def best_chunks(self, n, p, memory=None, hessian=False):
        """Rows per chunk for the fastest pass, no chunk of X above `memory` bytes (if a row fits into that).

        The share is least at multiples of the cores, and beyond the first that memory allows more chunks only cost
        tasks: the least K that memory allows, and those up to that multiple, are all that can be best.
        """
        least = 1 if memory is None else math.ceil(n / max(1, memory // (8 * p)))
        most = min(n, self.cores * math.ceil(least / self.cores))
        best = min(range(least, most + 1), key=lambda k: self.seconds(n, p, k, hessian))
        return math.ceil(n / best)

    @property
    def costs(self):
        """What the terms are multiplied by: (latency, overhead, 1/rate, 1/bandwidth, row, 1/bus)."""
        return np.array([self.latency, self.overhead, 1 / self.rate, 1 / self.bandwidth, self.row, 1 / self.bus])

    def __repr__(self):
        return (
            f"CostModel: {1e3 * self.latency:.3g} ms a round, {1e6 * self.overhead:.3g} µs a task, "
            f"{self.rate / 1e9:.3g} Gflop/s, {self.bandwidth / 1e9:.3g} GB/s and {1e9 * self.row:.3g} ns a row on each "
            f"of {self.cores} cores, {self.bus / 1e9:.3g} GB/s from memory for all"
        )


def n_tasks(chunks):
    """Tasks of one pass: one a chunk, the tree that adds FAN results at a time, one for what all share."""
    tree, level = 1, chunks
    while level > FAN:
        level = math.ceil(level / FAN)
        tree += level
    return chunks + tree + 1


def terms(shape, cores, inline):
    """(6,) what a pass asks for: rounds, tasks, the busiest core's flops, bytes and rows, the bytes of all."""
    busiest = shape.share(cores) * np.array([shape.flops, shape.bytes, shape.n])
    handed = not inline or shape.chunks > 1
    return np.array([handed, handed * n_tasks(shape.chunks), *busiest, shape.bytes])


def fitted(shapes, seconds, cores, inline=False):
    """The CostModel that explains measured seconds best: nonnegative least squares on relative errors."""
    A = np.array([terms(shape, cores, inline) for shape in shapes]) / np.asarray(seconds)[:, None]
    unit = A.max(axis=0)
    parts = nnls(A / unit, np.ones(len(A)))[0]  # of each term, in the pass that has most of it
    latency, overhead, flop, byte, row, shared = (np.where(parts < FAINT, 0, parts) / unit).tolist()
    rate, bandwidth, bus = (1 / cost if cost > 0 else math.inf for cost in (flop, byte, shared))
    return CostModel(latency, overhead, rate, bandwidth, cores, row, bus, inline)


@spelt
def measure(client=None, kernels=None, family="logistic", threads=None):
    """The CostModel of this machine's threads, or of a client's cluster, in under 5 seconds.

    kernels  "numpy", "fused" or None for what `fit` would take; loading and compiling them is not timed
    threads  of this process, where there is no client; all cores by default
    """
    return measured([], client, kernels, family, threads)[0]


def measured(others, client, kernels, family, threads):
    """The CostModel, and the seconds of passes of other shapes, timed in turn with those that it is fitted to."""
    cores = n_cores(client, threads)
    shapes = probes(cores)
    seconds = timed([*shapes, *others], client, kernels, family, threads, BUDGET * (1 + bool(others)))
    return fitted(shapes, seconds[: len(shapes)], cores, inline=client is None), seconds[len(shapes) :]


def n_cores(client, threads=None):
    """How many tasks run at a time."""
    return sum(client.nthreads().values()) if client is not None else threads or cores()


def probes(cores):
    """Shapes that tell the costs apart: little work a chunk, much, a cache's, with a Hessian, and on one core alone.

    Chunks are the cores and so many more, not multiples: tasks are handed out one after the other. Of many chunks some
    have many columns: a thread that works lets another take Python's lock, which hides what tasks cost in part.
    """
    cuts, most = (cores, cores + 6), cores + 46
    few = [Shape(LITTLE * k, p, k) for p, k in ((FEW, cores), (FEW, cores + 14), (MANY, most))]
    few += [Shape(LITTLE // 2 * most, MANY // 2, most)]
    small = [Shape(SIZE // 8 // MANY, MANY, k) for k in cuts]
    long, wide = [Shape(SIZE // FEW, FEW, k) for k in cuts], Shape(2 * SIZE // MANY, MANY, cores)
    alone = [Shape(SIZE // 4 // p, p, 1) for p in COLUMNS]
    hessians = [shape._replace(hessian=True) for shape in (long[0], wide, *alone)]
    return [*few, *small, *long, wide, *alone, *hessians]


def timed(shapes, client=None, kernels=None, family="logistic", threads=None, budget=BUDGET):
    """(m,) the median seconds of a pass of each shape; all are repeated in turn until `budget` seconds are gone."""
    table = functools.lru_cache(maxsize=1)(make_logistic)  # a cluster's workers have their own copy
    cut = functools.cache(lambda n, p, chunks: placed(*table(n, p)[:2], math.ceil(n / chunks), client, threads))
    passes = [one_pass(cut(*shape[:3]), shape.hessian, kernels, family) for shape in shapes]
    for run in passes:
        run()  # loads what is loaded once
    seconds, until = [], time.perf_counter() + budget
    while len(seconds) < REPEATS[0] or len(seconds) < REPEATS[1] and time.perf_counter() < until:
        seconds.append([clocked(run) for run in passes])
    return np.median(seconds, axis=0)


def clocked(run):
    """Seconds that run() takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def typical(run, repeats=5):
    """The median seconds of some calls, after one that loads what is loaded once."""
    run()
    return float(np.median([clocked(run) for _ in range(repeats)]))


def placed(X, y, rows, client, threads):
    """X and y in chunks of so many rows, which lie where they are read."""
    X, y = (X, y) if client is None else (dealt(client, a, rows) for a in (X, y))
    return as_chunks(X, y, chunks=rows, threads=threads)


def one_pass(chunks, hessian, kernels, family):
    """A function that makes one pass over these chunks."""
    f, beta = Objective(family, chunks, kernels), np.full(chunks.dim, 0.1)
    kernel = f.kernel("loss_grad_hess" if hessian else "loss_grad")
    return lambda: chunks.sum(kernel, f.family, beta)  # f would remember: the Hessian of least squares for good


def advice(chunks, model):
    """A sentence on chunks (of `as_chunks`) that make passes slow on this machine, "" where they do not."""
    return hint_of_chunks(chunks, model.cores, model.overhead, lambda k: model.parts(chunks.n, chunks.p, k)[2])


def unseen(cores, times):
    """Shapes that no model is fitted to, with so many times the rows; none finds its table in a cache by the last."""
    tables = [(50_000 * times, 15), (20_000 * times, 50), (20_000 * times, 100)]
    shapes = [Shape(n, p, k) for k in (1, cores, 4 * cores, 16 * cores) for n, p in tables]
    return shapes + [Shape(n, p, 2 * cores, hessian=True) for n, p in tables]


def check(client=None, kernels=None, family="logistic", threads=None):
    """Print passes of other shapes beside what a model predicts; returns the worst relative error.

    They are timed in turn with those that the model is fitted to: a machine is not as fast in every minute.
    """
    shapes = unseen(n_cores(client, threads), 1 if client is None else 8)  # more rows, where a round is dear
    model, found = measured(shapes, client, kernels, family, threads)
    predicted = np.array([model.seconds(*shape) for shape in shapes])
    print("     rows  columns  chunks  Hessian  predicted ms  measured ms   error")
    for (n, p, k, hessian), ours, theirs in zip(shapes, predicted, found, strict=True):
        what = f"{n:>9,} {p:>8} {k:>7} {'yes' if hessian else 'no':>8}"
        print(f"{what} {1e3 * ours:>13.2f} {1e3 * theirs:>12.2f} {ours / theirs - 1:>+7.0%}")
    return float(np.abs(predicted / found - 1).max())


def main():
    """Threads of this process with both kernel sets, then two worker processes."""
    from glmlab.cluster import client as open_client

    report("threads of this process, numpy kernels", kernels="numpy")
    report("threads of this process, fused kernels", kernels="fused")
    with open_client() as workers:
        report("worker processes", client=workers)


def report(where, **options):
    """Measure, print the model and the check of it."""
    timed(probes(2)[:1], budget=0, **options)  # loads the kernels
    start = time.perf_counter()
    model = measure(**options)
    print(f"\n{where}, measured in {time.perf_counter() - start:.1f} s\n{model}")
    print(f"worst error {check(**options):.0%}")


if __name__ == "__main__":
    main()
