"""What breaks a cluster, for tests: a wire that can be cut, processes to be killed, a moment to do it."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import dask.array as da
import numpy as np
from distributed import LocalCluster

from glmlab import Ridge, fit

CHUNKS, ROWS, P = 6, 200, 4


def recomputable(pause=0.0):
    """X and y that any worker can make again; each chunk takes `pause` seconds."""

    def rows(block_info=None):  # nested, so that it travels by value
        k = block_info[None]["chunk-location"][0]
        time.sleep(pause)
        return np.random.default_rng(k).normal(size=(ROWS, P + 1))

    table = da.map_blocks(rows, chunks=((ROWS,) * CHUNKS, (P + 1,)), dtype=float, meta=np.empty((0, 0)))
    return table[:, :P], (table[:, 0] + table[:, P] > 0).astype(float)


def solve(X, y, **options):
    """A fit with numpy's kernels, so that a worker that comes anew need not compile."""
    return fit(X, y, family="logistic", penalty=Ridge(1), fit_intercept=True, kernels="numpy", **options)


def equal_bits(one, other):
    assert np.array_equal(one.beta, other.beta) and one.intercept == other.intercept
    assert (one.objective, one.status, one.passes) == (other.objective, other.status, other.passes)


def local_cluster(workers=2, **options):
    """Worker processes on this machine. The dashboard takes any port, lest two clusters want the same."""
    given = {"threads_per_worker": 1, "memory_limit": 0, "dashboard_address": "127.0.0.1:0"} | options
    return LocalCluster(workers, processes=True, **given)


def keys_left(client, allowed=0, patience=10):
    """How many keys the scheduler knows once it has had time to forget all but `allowed`."""
    until = time.monotonic() + patience
    while (keys := client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks))) > allowed:
        if time.monotonic() > until:
            break
        time.sleep(0.05)
    return keys


def left_behind(client):
    """What of a fit is still on the scheduler: tasks, published names, queues, variables, events and the like."""

    def kept(dask_scheduler):
        extensions = dask_scheduler.extensions
        names = {"queues": "queues", "variables": "variables", "publish": "datasets", "events": "_events"}
        return {name: len(getattr(extensions[name], held)) for name, held in names.items() if name in extensions}

    return {"tasks": keys_left(client)} | client.run_on_scheduler(kept)


class Wire:
    """A TCP relay to another address, whose connections can be reset as a network resets them."""

    def __init__(self, address):
        host, port = address.removeprefix("tcp://").rsplit(":", 1)
        self.target, self.ends = (host, int(port)), []
        self.loop, ready = asyncio.new_event_loop(), threading.Event()
        self.thread = threading.Thread(target=self._run, args=[ready], daemon=True)
        self.thread.start()
        assert ready.wait(10)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    def reset(self):
        """Reset all connections; new ones are relayed again."""
        self.loop.call_soon_threadsafe(self._reset)

    def _run(self, ready):
        server = self.loop.run_until_complete(asyncio.start_server(self._relay, "127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ready.set()
        self.loop.run_forever()
        self._reset()
        server.close()
        if waiting := asyncio.all_tasks(self.loop):
            self.loop.run_until_complete(asyncio.wait(waiting, timeout=5))
        self.loop.close()

    def _reset(self):
        for writer in self.ends:
            if not writer.is_closing():
                at_once = struct.pack("ii", 1, 0)  # with this, closing sends RST in place of FIN
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
                writer.transport.abort()
        self.ends.clear()

    async def _relay(self, reader, writer):
        there, back = await asyncio.open_connection(*self.target)
        self.ends += [writer, back]
        await asyncio.gather(carry(reader, back), carry(there, writer))


async def carry(reader, writer):
    """Everything that one end sends, to the other, until one of them closes."""
    with contextlib.suppress(OSError):
        while data := await reader.read(2**16):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextlib.contextmanager
def dask_process(*words):
    """A `dask scheduler …` or `dask worker …` of its own process; it is killed in the end if it still lives."""
    code = "from distributed.cli import dask_{0}; dask_{0}.main()".format(words[0])
    process = subprocess.Popen([sys.executable, "-c", code, *words[1:], "--no-dashboard"], start_new_session=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


@contextlib.contextmanager
def scheduler_process(folder):
    """(process, address) of a scheduler alone."""
    file = folder / "scheduler.json"
    words = ["scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file)]
    with dask_process(*words) as process:
        until = time.monotonic() + 30
        while not file.exists() or '"address"' not in file.read_text():
            assert time.monotonic() < until and process.poll() is None
            time.sleep(0.05)
        yield process, json.loads(file.read_text())["address"]


def worker_process(address):
    """A worker with a nanny, of a process of its own."""
    return dask_process("worker", address, "--host", "127.0.0.1", "--nthreads", "1", "--memory-limit", "0")


def pids(client):
    """{worker: process id}, of those that answer."""
    return client.run(os.getpid, on_error="ignore")


def kill_one(client):
    """SIGKILL to one worker process, if any lives."""
    for pid in list(pids(client).values())[:1]:
        os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def at_random(seed, action, within=1.0):
    """Act once, in another thread, at a moment that the seed decides; an error of the action is raised at the end."""
    errors = []

    def act():
        try:
            action()
        except Exception as error:
            errors.append(error)

    timer = threading.Timer(np.random.default_rng(seed).uniform(0.05, within), act)
    timer.start()
    try:
        yield
    finally:
        timer.join(60)
    if errors:
        raise errors[0]
