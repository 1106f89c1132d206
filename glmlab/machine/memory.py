"""The workers' memory: what they hold, and whether rows have room there before a fit.

A worker of a cluster has a limit. Above a part of it (dask's *target*, for the results that it counts, and *spill*, for
its whole process) it writes results to its disk and reads them again when a task needs them. That is a cliff: as a pass
needs all rows, in the same order, rows that do not quite fit are all written and all read again in every pass.

A rechunk makes a copy. The old chunks stay as long as a name refers to them, so delete them before the fit::

    finer = X.rechunk((rows, -1)).persist()
    distributed.wait(finer)  # now the workers hold X twice
    X = finer                # no name refers to the old chunks, and the workers free them
"""

import math
from typing import NamedTuple

import dask
from dask.core import flatten
from dask.sizeof import sizeof
from dask.utils import format_bytes

from glmlab.cards import html_card
from glmlab.words import count_text

__all__ = ["Held", "MemoryPlan", "memory_held", "memory_plan"]


class Held(NamedTuple):
    """Bytes of one worker."""

    results: int  # that tasks have made and somebody still refers to, in memory or on disk
    spilled: int  # those of them that are on disk
    process: int  # memory of the whole process: libraries, results, and what tasks work with


class MemoryPlan(NamedTuple):
    """What `memory_plan` found; numbers are bytes."""

    rows: int  # of X in all
    workers: int  # how many there are
    share: int  # of X on the worker with most, when chunks are dealt evenly
    chunk: int  # of the largest chunk: what a task needs at least where rows are read in every pass
    limit: float  # of the smallest worker; infinite where none is set
    room: float  # for chunks of X on the fullest worker, before it writes results to disk

    @property
    def fits(self):
        """Can the workers hold X (`X.persist()`) without writing parts of it to disk?"""
        return self.share <= self.room

    def summary(self):
        """Name and value of everything worth printing."""
        return {
            "X": f"{format_bytes(self.rows)} on {count_text(self.workers, 'worker')}",
            "a worker": f"{format_bytes(self.share)} of X at most",
            "its room": size_text(self.room),
            "its limit": size_text(self.limit),
            "largest chunk": format_bytes(self.chunk),
            "X.persist()": "it fits, so X is read once" if self.fits else "it does not fit, so each pass reads X",
        }

    def _repr_html_(self):
        return html_card("Memory", self.summary())

    def __repr__(self):
        limit = "no limit" if self.limit == math.inf else f"a limit of {format_bytes(int(self.limit))}"
        room = "room without end" if self.room == math.inf else f"room for {format_bytes(int(self.room))}"
        each = "its 1 worker, which has" if self.workers == 1 else f"each of {self.workers} workers, which have"
        found = f"X has {format_bytes(self.rows)}, {format_bytes(self.share)} for {each} {limit} and {room} of it: "
        if self.fits:
            return found + "it fits: after X.persist() no pass reads its source again."
        return found + ("it does not fit. Without X.persist() each pass reads it, and a task holds "
                        f"{format_bytes(self.chunk)} of it. Or take more workers, or larger ones.")  # fmt: skip


def size_text(n):
    """Bytes as text, also where there is no end of them."""
    return "without end" if n == math.inf else format_bytes(int(n))


def memory_plan(client, X):
    """How much memory the rows of the dask array X (n, p) need on the workers of `client`, and how much they have.

    Nothing is read, with one exception: if X is sparse, the first chunk is made, and the others are taken for as
    dense. What the workers hold of X already counts as room. Returns a MemoryPlan, which prints itself as a sentence
    and shows itself as a card.
    Raises RuntimeError where there are no workers.
    """
    keys = {str(key) for key in flatten(X.__dask_keys__())}
    found = list(client.run(room_of, keys, on_error="ignore").values())
    if not found:
        raise RuntimeError("the cluster has no workers yet: type client.wait_for_workers(1)")
    row = bytes_of_a_row(client, X)
    chunk = math.ceil(max(X.chunks[0]) * row)
    limits, rooms = zip(*found, strict=True)
    share = min(-(-X.numblocks[0] // len(found)) * chunk, math.ceil(X.shape[0] * row))
    return MemoryPlan(math.ceil(X.shape[0] * row), len(found), share, chunk, min(limits), max(0, min(rooms)))


def memory_held(client):
    """{address: Held} for the workers of `client`."""
    return client.run(held, on_error="ignore")


def bytes_of_a_row(client, X):
    """Bytes of a row of X in memory; of sparse rows, the mean over the first chunk."""
    if hasattr(X._meta, "nnz"):
        return client.compute(dask.delayed(size_of)(X.blocks[0].to_delayed().item())).result() / X.chunks[0][0]
    return math.prod(X.shape[1:]) * X.dtype.itemsize


def size_of(block):
    """Bytes of a block, as dask counts them."""
    return sizeof(block)


def room_of(keys, dask_worker):
    """The limit of this worker, and the bytes of results besides those of `keys` that it can take before it spills."""
    manager, now = dask_worker.memory_manager, held(dask_worker)
    limit = manager.memory_limit or math.inf
    target, spill = (limit * share if share else math.inf
                     for share in (manager.memory_target_fraction, manager.memory_spill_fraction))  # fmt: skip
    libraries = max(0, now.process - (now.results - now.spilled))
    others = sum(task.nbytes or 0 for key, task in list(dask_worker.state.tasks.items())
                 if task.state == "memory" and str(key) not in keys)  # fmt: skip
    return limit, min(target, spill - libraries) - others


def held(dask_worker):
    """What this worker holds."""
    spilled = getattr(dask_worker.data, "spilled_total", (0, 0))[0]
    return Held(dask_worker.state.nbytes, spilled, dask_worker.monitor.get_process_memory())
