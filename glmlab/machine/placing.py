"""Chunks where they are worked on in time: each worker gets as many rows as it is fast.

dask sends the task of a chunk to a worker that holds it. A slow worker then decides how long every pass takes. Chunks
that move away from it are of no use as long as dask steals their tasks for it: it is idle, and dask knows no speeds of
workers. So `placed` stops stealing.
"""

import time
import uuid

import dask.array as da
import numpy as np

from glmlab.checks import number

__all__ = ["owners", "placed", "speeds"]


def speeds(client, repeats=3, rows=2**15):
    """{worker: how fast it works, the fastest at 1}, by the clock of this process: a task of each, one after another.

    A task is products of a matrix of so many rows, 512 bytes each, with vectors. What counts is the fastest of
    `repeats`. Fewer rows are enough where a task takes long anyway.
    """
    workers = sorted(client.nthreads())
    taken = {worker: min(seconds_of(client, worker, rows) for _ in range(repeats)) for worker in workers}
    return {worker: min(taken.values()) / seconds for worker, seconds in taken.items()}


def seconds_of(client, worker, rows):
    """The seconds of one task of a worker."""
    began = time.perf_counter()
    client.submit(products, rows, workers=[worker], pure=False).result()
    return time.perf_counter() - began


def products(rows, columns=64, times=8):
    """Work as a pass has it: it reads a matrix again and again."""
    X, b = np.ones((rows, columns)), np.ones(columns)
    return [float(X.T @ (X @ b) @ b) for _ in range(times)][-1]


def owners(lengths, speed):
    """The worker for each chunk, so that all need about as long: longest chunks first, each where it ends first.

    lengths: (K,) rows of the chunks. speed: {worker: a number > 0}. No worker then needs more than 4/3 of the shortest
    time possible if all are equally fast (Graham 1969), and not twice as long if they are not (Gonzalez, Ibarra & Sahni
    1977).
    """
    speed = {worker: number("speed", value, 0.0, strict=True) for worker, value in speed.items()}
    load, found = dict.fromkeys(speed, 0), [None] * len(lengths)
    for k in sorted(range(len(lengths)), key=lambda k: -lengths[k]):
        found[k] = min(speed, key=lambda worker: (load[worker] + lengths[k]) / speed[worker])
        load[found[k]] += lengths[k]
    return found


def placed(client, *arrays, speed=None):
    """The dask arrays with the same chunks, held by workers in proportion to their speed; waits until they are there.

    arrays: X (n, p), y (n,) and the like, all in the same chunks of rows. speed: as `speeds` measures it, by default
    measured now. Equal chunks in other places give equal bits. The old copies stay until the caller drops them.
    Raises ValueError for arrays in different chunks.
    """
    import distributed

    if len({a.chunks[0] for a in arrays}) > 1:
        raise ValueError("the arrays have different chunks of rows; rechunk them first: y.rechunk(X.chunks[0])")
    where = owners(arrays[0].chunks[0], speeds(client) if speed is None else speed)
    moved = [moved_to(client, a, where) for a in arrays]
    distributed.wait(moved)
    client.run_on_scheduler(stop_stealing)
    client.run_on_scheduler(loosen, keys=[future.key for a in moved for future in client.futures_of(a)])
    return moved


def moved_to(client, a, where):
    """A copy of a dask array whose chunks are made on these workers, one worker a chunk of rows."""
    copies = a.map_blocks(copied, dtype=a.dtype, meta=a._meta)
    name, keys = f"placed-{uuid.uuid4().hex}", np.asarray(copies.to_delayed(), dtype=object).reshape(len(where), -1)
    graph = {}
    for k, (worker, blocks) in enumerate(zip(where, keys, strict=True)):
        for j, block in enumerate(blocks):
            graph[(name, k, j)[: a.ndim + 1]] = client.compute(block, workers=[worker])
    return da.Array(graph, name, a.chunks, meta=a._meta)


def loosen(keys, dask_scheduler):
    """Let these tasks run anywhere from now on: rows of a worker that is lost shall be made again elsewhere."""
    for key in keys:
        if key in dask_scheduler.tasks:
            dask_scheduler.tasks[key].loose_restrictions = True


async def stop_stealing(dask_scheduler):
    """End work stealing where the scheduler does it (distributed.stealing.WorkStealing)."""
    if "stealing" in dask_scheduler.extensions:
        await dask_scheduler.extensions["stealing"].stop()


def copied(block):
    """A block of its own, at an aligned address."""
    return block.copy()
