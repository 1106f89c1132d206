"""What breaks a cluster, for tests: a wire that can be cut, processes to be killed, a moment to do it."""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import struct
import threading
import time
import warnings

import dask
import dask.array as da
import numpy as np
import pytest
from distributed import LocalCluster

from glmlab import Ridge, fit
from tools.soak import left_behind, pids

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
    # On a busy machine a worker that was killed needs more than dask's 15 s to start again, and would be given up.
    dask.config.set({"distributed.deploy.lost-worker-timeout": "10 minutes"})
    given = {"threads_per_worker": 1, "memory_limit": 0, "dashboard_address": "127.0.0.1:0"} | options
    return LocalCluster(n_workers=workers, processes=True, **given)


def keys_left(client, allowed=0, patience=10):
    """How many keys the scheduler knows once it has had time to forget all but `allowed`."""
    return left_behind(client, allowed, patience)["tasks"]


@pytest.fixture
def sockets_collected():
    """Collect the sockets that dask's client leaves open after a reset, lest pytest's last collection complains.

    A client that lost its scheduler also leaves dask's configuration asking for it: later tests could not compute.
    """
    yield
    dask.config.config.pop("scheduler", None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


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
        self.loop.run_until_complete(asyncio.sleep(0.05))  # transports close their sockets in the loop's next turns
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
