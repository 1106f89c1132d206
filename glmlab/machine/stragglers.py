"""A slow worker, for trials: the tasks of one named worker take k times as long."""

import contextlib
import time

from glmlab.checks import number

__all__ = ["slowed"]


@contextlib.contextmanager
def slowed(client, times=10.0, *, worker=None, others=1.0):
    """Within the block the tasks of one worker take `times` as long as those of the others. Yields its address.

    After the work of a task the worker sleeps, so that the task takes so many times the seconds that its work had a
    processor. worker: an address of `client.nthreads()`, by default the last in their order. others: what all other
    workers take, and the slow one `times` as long as that; with others=4 four workers need one processor only, and do
    not slow each other down.
    dask's own records show the longer times, as if the worker were slow by itself. What a worker does outside of tasks
    stays as fast, and so does a worker that is restarted or joins.
    Raises ValueError for an address that the cluster does not have.
    """
    known = sorted(client.nthreads())
    worker = known[-1] if worker is None and known else worker
    if worker not in known:
        raise ValueError(f"the cluster has no worker {worker!r}; it has {', '.join(known) or 'none'}")
    times, others = number("times", times, 1.0), number("others", others, 1.0)
    try:
        client.run(slow_down, others, workers=known)
        client.run(slow_down, times * others, workers=[worker])
        yield worker
    finally:
        if client.status == "running":
            client.run(speed_up, on_error="ignore")


def slow_down(times, dask_worker):
    """Have the threads of this worker sleep after each task."""
    speed_up(dask_worker)
    pool = dask_worker.executors["default"]
    submit = pool.submit

    def submit_slowed(function, /, *args, **kwargs):
        return submit(slow, times, function, *args, **kwargs)

    pool.submit = submit_slowed


def speed_up(dask_worker):
    """Undo `slow_down`."""
    vars(dask_worker.executors["default"]).pop("submit", None)


def slow(times, function, /, *args, **kwargs):
    """The result of a function, after `times` the seconds for which it had a processor."""
    began, work = time.perf_counter(), time.thread_time()
    result = function(*args, **kwargs)
    work = time.thread_time() - work
    time.sleep(max(times * work - (time.perf_counter() - began), 0.0))
    if isinstance(result, dict) and "stop" in result:  # what dask's worker notes of a task
        result["stop"] = time.time()
    return result
