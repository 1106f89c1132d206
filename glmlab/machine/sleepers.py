"""The real scheduler of dask with workers that sleep instead of working: where the simulator's prices come from.

    python -m glmlab.machine.sleepers     measure prices, compare predictions with passes, write glmlab/data

Hundreds of workers live in one process, their tasks sleep for as long as the work would take, and the scheduler has a
process of its own. The price of a task and of an input is *processor* time of each process, which other programs
disturb less than they disturb the clock.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

from glmlab.machine.cluster import client as open_client
from glmlab.machine.costmodel import Shape, timed
from glmlab.machine.costmodel import measure as measure_core
from glmlab.machine.simulator import Prices, predict, tree
from glmlab.rows.chunks import FAN
from glmlab.rows.threads import cores

__all__ = ["Sleepers", "graph", "main", "measure", "run_pass", "sleepers"]

# Workers share one process, so what they do beside their tasks is left out: to profile, and to watch memory.
CALM = {"DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
        "DASK_DISTRIBUTED__ADMIN__SYSTEM_MONITOR__INTERVAL": "1h"}  # fmt: skip
FILE = Path(__file__).parents[1] / "data" / "simulator.json"
WORKER_ROWS = 200_000  # rows of a chunk in the passes that are really made, of 15 columns
SCHEDULER = ["-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
             "--idle-timeout", "10m", "--scheduler-file"]  # fmt: skip
# What the process of the workers runs. It ends with the scheduler.
STAFF = """
import asyncio, sys
from distributed import Worker
async def main(address, count, folder):
    staff = [Worker(address, nthreads=1, dashboard=False, memory_limit=0, local_directory=folder, host="127.0.0.1")
             for _ in range(int(count))]
    await asyncio.gather(*staff)
    await asyncio.gather(*(worker.finished() for worker in staff))
asyncio.run(main(*sys.argv[1:]))
"""


def graph(name, chunks, fan, work):
    """A pass as a graph of dask, and the key of its result: the keys are name-0, name-1 … in the order of `tree`."""
    inputs = [()] * chunks + tree(chunks, fan)
    keys = [f"{name}-{k}" for k in range(len(inputs))]
    tasks = {key: (sum, [keys[child] for child in group]) if group else (asleep, work)
             for key, group in zip(keys, inputs, strict=True)}  # fmt: skip
    return tasks, keys[-1]


def asleep(seconds):
    """The task of a chunk: no work, but as long. Returns 1, so that the result counts the chunks."""
    time.sleep(seconds)
    return 1


def run_pass(client, chunks, work=0.0, fan=FAN, name=None):
    """Seconds of a pass whose chunks sleep for `work` seconds. Raises RuntimeError where a chunk was lost."""
    tasks, last = graph(name or f"asleep{time.perf_counter_ns()}", chunks, fan, work)
    began = time.perf_counter()
    counted = client.get(tasks, last)
    seconds = time.perf_counter() - began
    if counted != chunks:
        raise RuntimeError(f"the result has {counted} of {chunks} chunks")
    return seconds


class Sleepers(NamedTuple):
    """A cluster to simulate with."""

    client: object  # distributed.Client, in this process
    clocks: tuple  # psutil.Process of this process, the scheduler's and the workers'

    def spent(self):
        """(4,) processor seconds of client, scheduler and workers so far, and seconds of the clock."""
        return np.array([*(sum(clock.cpu_times()[:2]) for clock in self.clocks), time.perf_counter()])


@contextlib.contextmanager
def sleepers(workers):
    """A scheduler in a process of its own, and so many workers of one thread each in another: Sleepers."""
    import psutil
    from distributed import Client

    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        file = Path(folder) / "scheduler.json"
        scheduler = stack.enter_context(process(*SCHEDULER, str(file)))
        until = time.monotonic() + 60
        while not file.exists() and time.monotonic() < until:
            time.sleep(0.05)
        address = json.loads(file.read_text())["address"]
        staff = stack.enter_context(process("-c", STAFF, address, str(workers), folder))
        client = stack.enter_context(Client(address, set_as_default=False, direct_to_workers=True))
        client.wait_for_workers(workers, timeout=120)
        yield Sleepers(client, tuple(psutil.Process(pid) for pid in (None, scheduler.pid, staff.pid)))


@contextlib.contextmanager
def process(*command):
    """A Python process that is ended at the end of the block."""
    started = subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env=os.environ | CALM)  # fmt: skip
    try:
        yield started
    finally:
        started.kill()  # a worker that is asked to end may not end
        started.wait()


def measure(cluster, chunks=(32, 64, 128), fans=(2, 4, 16, 128), repeats=5):
    """The Prices, from passes whose tasks do nothing; the cluster has a worker for each chunk, or more.

    Nonnegative least squares for each process: what it has spent against rounds, tasks, fetched inputs and, for what a
    process does without being asked, seconds. The prices of a hop and of a round are the least that the clock has shown
    for a chain of tasks and for a single one, without what is paid for otherwise.
    """
    amounts, spent = [], []
    for count, fan in product(chunks, fans):
        run_pass(cluster.client, count, fan=fan)  # opens connections
        before = cluster.spent()
        for _ in range(repeats):
            run_pass(cluster.client, count, fan=fan)
        *cpu, clock = (cluster.spent() - before) / repeats
        amounts.append((1, count + len(tree(count, fan)), count - 1, clock))  # all but one chunk are fetched, once
        spent.append(cpu)
    size = np.array(amounts)[:, 1:2]  # errors count relative to the number of tasks
    client, scheduler, workers = (nnls(amounts / size, column / size[:, 0])[0] for column in np.transpose(spent))
    prices = Prices(0.0, client[1], scheduler[1], scheduler[2], workers[1], workers[2], 0.0)
    links = 32
    step = (least(lambda: run_chain(cluster.client, links)) - least(lambda: run_chain(cluster.client, 1))) / (links - 1)
    prices = prices._replace(hop=max(step - prices.task - prices.own, 0.0) / 2)
    alone = least(lambda: run_pass(cluster.client, 1))
    prices = prices._replace(round=max(alone - predict(1, 1, 0.0, prices=prices).seconds, 0.0))
    return Prices(*map(float, prices))


def run_chain(client, links):
    """Seconds of so many tasks, each the input of the next."""
    name = f"link{time.perf_counter_ns()}"
    tasks = {f"{name}-{k}": (sum, [f"{name}-{k - 1}"] if k else []) for k in range(links)}
    began = time.perf_counter()
    client.get(tasks, f"{name}-{links - 1}")
    return time.perf_counter() - began


def least(run, repeats=10):
    """The least of several results."""
    return min(run() for _ in range(repeats))


def check_asleep(prices, workers, fans=(2, 4, 16, 64), work=0.5):
    """Rows of passes on sleeping workers, one chunk each: predicted and measured seconds, and their ratio."""
    with sleepers(workers) as cluster:
        for fan in fans:
            found = least(lambda fan=fan: run_pass(cluster.client, workers, work, fan), 3)
            yield compared("asleep", workers, workers, fan, predict(
                workers, workers, work, fan=fan, prices=prices, hosts=1).seconds, found)  # fmt: skip


def check_real(prices, workers):
    """Rows of real passes, for loss and gradient, on so many worker processes of this machine."""
    counts = [workers, 4 * workers, 16 * workers]
    shapes = [Shape(WORKER_ROWS * count, 15, count) for count in counts]
    [work] = timed([Shape(WORKER_ROWS, 15, 1)], threads=1)
    with open_client(n_workers=workers) as client:
        for count, found in zip(counts, timed(shapes, client), strict=True):
            yield compared("real", workers, count, FAN, predict(workers, count, work, prices=prices).seconds, found)


def compared(kind, workers, chunks, fan, predicted, measured):
    print(f"{kind:>7} {workers:>8} {chunks:>7} {fan:>4} {1e3 * predicted:>13.1f} {1e3 * measured:>12.1f} "
          f"{predicted / measured:>6.2f}", flush=True)  # fmt: skip
    return {"kind": kind, "workers": workers, "chunks": chunks, "fan": fan, "predicted": round(float(predicted), 5),
            "measured": round(float(measured), 5)}  # fmt: skip


def main(file=FILE, asleep=(64, 128, 256, 512), real=(1, 2), price=128):
    """Measure with `price` workers, compare, print, and write the file that `simulator.recorded` reads: minutes."""
    with sleepers(price) as cluster:
        prices = measure(cluster)
    core = measure_core(threads=1)
    print(prices, core, sep="\n")
    print("  passes  workers  chunks  fan  predicted ms  measured ms  ratio")
    checks = [row for workers in real for row in check_real(prices, workers)]
    checks += [row for workers in asleep for row in check_asleep(prices, workers)]
    where = {"cores": cores(), "when": time.strftime("%Y-%m-%d"),
             "versions": {name: version(name) for name in ("dask", "distributed")}}  # fmt: skip
    speeds = {name: value for name, value in rounded(core).items() if name not in ("cores", "bus", "inline")}
    kept = {"prices": rounded(prices), "core": speeds, "checks": checks, "where": where}
    Path(file).write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def rounded(numbers):
    """The fields of a NamedTuple of numbers, to three digits."""
    return {name: float(f"{value:.3g}") for name, value in numbers._asdict().items()}


if __name__ == "__main__":
    main()
