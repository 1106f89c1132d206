"""How long a pass takes on more workers than this machine has: a model that plays the pass, event by event.

A pass has a task for every chunk and a tree of sums with a fan-in. `predict` says when its result is back, from the
work of a chunk and the `Prices` of dask's scheduler. It needs no cluster and takes milliseconds. The prices were
measured on the real scheduler (`machine.sleepers`). What the model assumes:

- Client and scheduler do one thing at a time. Half of a task's price on the scheduler is paid when the graph arrives,
  before any work starts, the other half when the task has finished.
- Every worker has one core and the same share of the chunks, neighbours together. What a sum needs from other workers
  it fetches one after the other. A sum runs where its first input is.
- What tasks return is small, so that a message costs its handling and not its bytes. Rows do not move.
"""

import functools
import heapq
import json
from importlib import resources
from typing import NamedTuple

import numpy as np

from glmlab.machine.costmodel import CostModel, Shape
from glmlab.rows.chunks import FAN

__all__ = ["Pass", "Prices", "chunk_seconds", "fastest", "predict", "recorded", "tree"]


class Prices(NamedTuple):
    """What a pass costs beside its work: seconds."""

    round: float  # a pass, whatever its tasks
    client: float  # a task, on the client: to build and to send
    task: float  # a task, on the scheduler
    copy: float  # an input of a sum that another worker has, on the scheduler, which is told of the copy
    own: float  # a task, on its worker
    fetch: float  # the same input, on the worker that fetches it
    hop: float  # a message between scheduler and worker: it is under way, and nobody works


class Pass(NamedTuple):
    """A pass that was predicted."""

    seconds: float
    tasks: int
    depth: int  # sums between a chunk and the result, the last one included
    scheduler: float  # seconds in which the client or the scheduler is busy; more workers do not shorten them
    work: float  # seconds in which the busiest worker works on its chunks


class Recorded(NamedTuple):
    """What `python -m glmlab.machine.sleepers` has measured, and where."""

    prices: Prices
    core: CostModel  # of one core
    checks: list  # passes that were made: {"kind", "workers", "chunks", "fan", "predicted", "measured"}
    where: dict  # processor, cores, when, versions


@functools.cache
def recorded():
    """The measurements in this package: Recorded."""
    held = json.loads((resources.files("glmlab") / "data" / "simulator.json").read_text(encoding="utf-8"))
    return Recorded(Prices(**held["prices"]), CostModel(**held["core"], cores=1), held["checks"], held["where"])


def tree(chunks, fan=FAN):
    """The sums of a pass in order, each a tuple of the numbers of its inputs.

    Chunks are the tasks 0 … chunks − 1, the sums are numbered on, and the last one is the result. Each adds `fan`
    results, or what is left at the end of its level. Raises ValueError for a fan below 2.
    """
    if fan < 2 or chunks < 1:
        raise ValueError(f"a tree needs 1 chunk or more and a fan of 2 or more, got chunks = {chunks} and fan = {fan}")
    level, sums = range(chunks), []
    while True:
        groups = [tuple(level[i : i + fan]) for i in range(0, len(level), fan)]
        first = chunks + len(sums)
        sums += groups
        if len(groups) == 1:
            return sums
        level = range(first, first + len(groups))


def chunk_seconds(rows, p, core, hessian=False):
    """Seconds that one core with this CostModel works on a chunk of so many rows and p columns."""
    shape = Shape(rows, p, 1, hessian)
    return shape.flops / core.rate + shape.bytes / core.bandwidth + rows * core.row


def predict(workers, chunks, work, *, fan=FAN, spread=0.0, prices=None, hosts=None):
    """The Pass over so many chunks on so many workers, each chunk with `work` seconds of work.

    fan: how many results a sum adds. spread: by what share of `work` a chunk takes longer on average; the shares of the
    chunks are exponentially distributed. prices: by default those that were recorded. hosts: how many processes the
    workers are divided among, one each by default; workers in one process do only their work side by side.
    """
    prices, hosts, sums = prices or recorded().prices, hosts or workers, tree(chunks, fan)
    inputs = [()] * chunks + sums
    place = [k * workers // chunks if chunks >= workers else k for k in range(chunks)]
    for group in sums:
        place.append(place[group[0]])
    parent = {child: k for k, group in enumerate(inputs) for child in group}
    waits, depth = [len(group) for group in inputs], [0] * len(inputs)
    works = work * (1 + spread * lateness(chunks))
    fetched = [sum(place[child] != place[k] for child in group) for k, group in enumerate(inputs)]
    price = [prices.task + count * prices.copy for count in fetched]
    sending = len(inputs) * prices.client
    scheduler = prices.round + sending + sum(price) / 2
    host, worker = [0.0] * hosts, [0.0] * workers
    events = [(scheduler + prices.hop, k, "sent") for k in range(chunks)]
    while events:
        now, k, what = heapq.heappop(events)
        if what == "sent":  # to its worker, which handles it, fetches its inputs and does its work
            w, h = place[k], place[k] * hosts // workers
            host[h] = max(now, worker[w], host[h]) + prices.own + fetched[k] * prices.fetch
            worker[w] = host[h] + (works[k] if k < chunks else 0.0)
            heapq.heappush(events, (worker[w] + prices.hop, k, "finished"))
        else:  # the scheduler hears of it, and sends the sum that has waited for it
            scheduler = max(now, scheduler) + price[k] / 2
            depth[k] = 1 + max((depth[child] for child in inputs[k]), default=-1)
            if k in parent:
                waits[parent[k]] -= 1
                if not waits[parent[k]]:
                    heapq.heappush(events, (scheduler + prices.hop, parent[k], "sent"))
    busiest = np.bincount(place[:chunks], weights=works).max()
    return Pass(scheduler, len(inputs), depth[-1], sending + sum(price), float(busiest))


def lateness(chunks):
    """(chunks,) quantiles of the exponential distribution of mean 1, in an order without a pattern."""
    quantiles = -np.log1p(-(np.arange(chunks) + 0.5) / chunks)
    return quantiles[np.argsort(np.arange(chunks) * 0.6180339887498949 % 1)]


def fastest(work, most=4096, **options):
    """The number of workers, a power of 2 up to `most`, at which a pass with so many seconds of work is fastest.

    The work is cut into one chunk for each worker. options: as in `predict`.
    """
    counts = [2**k for k in range(most.bit_length()) if 2**k <= most]
    return min(counts, key=lambda workers: predict(workers, workers, work / workers, **options).seconds)
