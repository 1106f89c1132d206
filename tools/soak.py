"""Let workers die while fits go on: every fit has the bits of the undisturbed run, memory stays flat, nothing is left.

    python -m tools.soak [minutes]

Scheduler and workers are processes of their own. One worker is killed every 20 s; its nanny starts another.
"""

import contextlib
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from itertools import cycle
from pathlib import Path

import dask
import dask.array as da
import numpy as np
from distributed import Client, wait

from glmlab import L1, fit

MINUTES = 30.0
EVERY = 20.0  # seconds between two deaths
SOLVERS = "fista", "proximal_newton", "pilot_newton", "consensus_admm"
CHUNKS, ROWS, P = 12, 2000, 8
PAUSE = 0.01  # seconds that a chunk takes to be made, so that deaths meet running tasks
FLAT = 0.05  # of the memory at half-time: more growth until the end is a leak
# Per process and pass dask keeps logs up to a length that a soak would only fill: short ones are full at half-time.
LOGS = {"DASK_DISTRIBUTED__ADMIN__LOG_LENGTH": "100", "DASK_DISTRIBUTED__ADMIN__LOW_LEVEL_LOG_LENGTH": "100",
        "DASK_DISTRIBUTED__ADMIN__SYSTEM_MONITOR__LOG_LENGTH": "100", "MALLOC_ARENA_MAX": "2"}  # fmt: skip


def main(minutes: float = MINUTES) -> int:
    """Soak for so many minutes; the exit code is 0 if all held."""
    with tempfile.TemporaryDirectory() as folder, scheduler_process(Path(folder), **LOGS) as (scheduler, address):
        with worker_process(address, **LOGS), worker_process(address, **LOGS), Client(address) as client:
            client.wait_for_workers(2, timeout=60)
            failures = soaked(client, scheduler.pid, 60 * minutes)
    print("\n" + ("\n".join(failures) or "Held: equal bits, flat memory, nothing left on the scheduler."))
    return 1 if failures else 0


def soaked(client, scheduler, seconds):
    """Fit for so many seconds while workers die. Returns what did not hold, as sentences."""
    answers, began, seen, deaths, failures = undisturbed(), time.monotonic(), [], [], []
    over = threading.Event()
    killer = threading.Thread(target=kill_now_and_then, args=[client, deaths, over])
    killer.start()
    try:
        for solver, persisted in zip(cycle(SOLVERS), cycle([False, True, True, False, True]), strict=False):
            since = time.monotonic() - began
            if since > seconds or failures:
                break
            if not np.array_equal(answer(solver, persisted), answers[solver]):
                failures.append(f"{solver} gave other bits after {since:.0f} s")
            client.run_on_scheduler(forget_spans)
            left = left_behind(client)
            if any(left.values()):
                failures.append(f"left on the scheduler after {since:.0f} s: {left}")
            seen.append((since, memory_of(os.getpid()), memory_of(scheduler)))
            here, there = (f"{size / 2**20:.0f}" for size in seen[-1][1:])
            done = f"{since / 60:5.1f} of {seconds / 60:g} min  {len(seen)} fits  {len(deaths)} deaths"
            print(f"\r{done}  client {here} MiB  scheduler {there} MiB  left {sum(left.values())} ", end="", flush=True)
    finally:
        over.set()
        killer.join()
    if len(deaths) < int(seconds / EVERY / 2):
        failures.append(f"only {len(deaths)} workers died")
    return failures + growth(seen)


def undisturbed():
    """{solver: its answer on threads of this process}."""
    with dask.config.set(scheduler="threads"):
        return {solver: answer(solver, persisted=False) for solver in SOLVERS}


def answer(solver, persisted):
    """(P + 1,) coefficients of one fit, of rows that are held by workers or made anew in every pass."""
    X, y = recomputable()
    if persisted:
        X, y = dask.persist(X, y)
        wait([X, y])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = fit(X, y, family="logistic", penalty=L1(3.0), fit_intercept=True, solver=solver, tol=1e-6)
    return np.append(result.beta, result.intercept)


def recomputable():
    """X and y that any worker can make again."""

    def rows(block_info=None):  # nested, so that it travels by value
        k = block_info[None]["chunk-location"][0]
        time.sleep(PAUSE)
        return np.random.default_rng(k).normal(size=(ROWS, P + 1))

    table = da.map_blocks(rows, chunks=((ROWS,) * CHUNKS, (P + 1,)), dtype=float, meta=np.empty((0, 0)))
    return table[:, :P], (table[:, 0] + table[:, P] > 0).astype(float)


def growth(seen):
    """What of the memory was not flat from half-time to the end: medians of a sixth of the run each."""
    if len(seen) < 12:
        return [f"only {len(seen)} fits ended: too few to tell whether memory is flat"]
    sixth, found = len(seen) // 6, []
    for name, sizes in zip(("client", "scheduler"), list(zip(*seen, strict=True))[1:], strict=True):
        half = statistics.median(sizes[3 * sixth : 4 * sixth])
        last = statistics.median(sizes[-sixth:])
        if last > (1 + FLAT) * half:
            found.append(f"the {name}'s memory grew from {half / 2**20:.0f} to {last / 2**20:.0f} MiB since half-time")
    return found


def memory_of(pid):
    """Resident bytes of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


# --- what breaks ----------------------------------------------------------------------------------------------------


def kill_now_and_then(client, deaths, over):
    """SIGKILL to one worker every 20 s; their times go to `deaths`."""
    while not over.wait(EVERY):
        with contextlib.suppress(OSError, ValueError):  # it may have died by itself, or another is not back yet
            pid = random.Random(len(deaths)).choice(sorted(pids(client).values()))
            os.kill(pid, signal.SIGKILL)
            deaths.append(time.monotonic())


def pids(client):
    """{worker: process id}, of those that answer."""
    return client.run(os.getpid, on_error="ignore")


def left_behind(client, allowed=0, patience=10.0):
    """How much of a fit is still on the scheduler once it has had time to forget all but so many tasks."""

    def kept(dask_scheduler):
        held = {"queues": "queues", "variables": "variables", "publish": "datasets", "events": "_events"}
        extensions = dask_scheduler.extensions
        counts = {name: len(getattr(extensions[name], attribute)) for name, attribute in held.items()}
        return {"tasks": len(dask_scheduler.tasks)} | counts

    until = time.monotonic() + patience
    while (found := client.run_on_scheduler(kept))["tasks"] > allowed and time.monotonic() < until:
        time.sleep(0.05)
    return found


def forget_spans(dask_scheduler):
    """Have the scheduler forget the spans that ended a minute ago, with all their tasks.

    dask keeps spans for good, some for each fit (findings/distributed_scheduler_remembers_every_pass.sh). A soak asks
    whether memory is flat without them.
    """
    spans = dask_scheduler.extensions["spans"]
    for span in list(spans.root_spans):
        known = any(group.name in dask_scheduler.task_groups for group in span.groups)
        if not known and span.done and time.time() - span.stop > 60:  # workers report on it for some seconds
            spans.root_spans.remove(span)
            spans.spans_search_by_name[span.name].remove(span)
            for tag in span.name:
                spans.spans_search_by_tag[tag].remove(span)
            del spans.spans[span.id]


# --- processes ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def dask_process(*words, **environment):
    """A `dask scheduler …` or `dask worker …` of its own process; it is killed in the end if it still lives."""
    code = "from distributed.cli import dask_{0}; dask_{0}.main()".format(words[0])
    command = [sys.executable, "-c", code, *words[1:], "--no-dashboard"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
                               env=os.environ | environment)  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its workers too
        process.wait(10)


@contextlib.contextmanager
def scheduler_process(folder: Path, **environment):
    """(process, address) of a scheduler alone."""
    file = folder / "scheduler.json"
    words = ["scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file)]
    with dask_process(*words, **environment) as process:
        until = time.monotonic() + 60
        while not file.exists() or '"address"' not in file.read_text():
            if time.monotonic() > until or process.poll() is not None:
                raise TimeoutError("the scheduler did not start")
            time.sleep(0.05)
        yield process, json.loads(file.read_text())["address"]


def worker_process(address, **environment):
    """A worker with a nanny, of a process of its own."""
    words = ["worker", address, "--host", "127.0.0.1", "--nthreads", "1", "--memory-limit", "0"]
    return dask_process(*words, **environment)


if __name__ == "__main__":
    sys.exit(main(*map(float, sys.argv[1:2])))
