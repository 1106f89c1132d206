"""One `client()` for every notebook: the open client, the cluster that you name, or a new one on this machine.

Worker processes get one BLAS thread each. With more, the threads of all tasks compete for the same cores, and the order
in which they add numbers changes from run to run. The post saw both effects and left the second open.
"""

import contextlib
import logging
import os
import socket
import weakref

import dask
import dask.array as da
import numpy as np

from glmlab.checks import whole
from glmlab.machine.shipping import ship
from glmlab.names import spelt
from glmlab.policy import Workers

__all__ = ["bytes_sent", "client", "dashboard_link", "dealt"]

#: The environment variable with the port on which the panes of `glmlab lab` look for the dashboard.
DASHBOARD_PORT = "GLMLAB_DASHBOARD_PORT"

ONE_BLAS_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

opened = weakref.WeakSet()  # the clients that this module opened


@spelt
def client(n_workers=2, threads_per_worker=1, *, memory_limit=None, processes=True, policy=Workers()):
    """A distributed client, the first of these that exists:

    1. the client that is already open, whoever opened it;
    2. a connection to the scheduler that the environment variable DASK_SCHEDULER_ADDRESS names; workers that cannot
       import this version of glmlab are sent it;
    3. a new cluster on this machine, on the loopback interface only, its dashboard on any free port. The
       parameters below are for this case.

    ``with client() as c:`` closes what it opened and leaves a client that was open before. ``c.close()`` does
    the same, and also closes an earlier client if this function opened it (a cell that was run twice).

    Parameters
    ----------
    n_workers, threads_per_worker : int
        Never taken from the number of cores: in a container that is the host's number.
    memory_limit : int or str, optional
        Per worker, such as "1GiB". By default 2 GiB, or less where n_workers of that size do not fit into
        80 % of the memory this container or machine allows. With ``processes=False`` nothing enforces it. Below
        1 GiB workers return the memory that kernels let go of, and are slower for it.
    processes : bool
        Worker processes, or threads in this one.
    policy : glmlab.policy.Workers

    Raises TypeError or ValueError for a parameter, ConnectionError where the named scheduler does not answer, and
    RuntimeError where its workers cannot import glmlab.
    """
    current = open_client()
    if current is not None:
        return BorrowedClient(current)
    address = os.environ.get("DASK_SCHEDULER_ADDRESS")
    if address:
        new = connected(address)
    else:
        new = local_client(n_workers, threads_per_worker, memory_limit, processes, policy)
    opened.add(new)
    return new


class BorrowedClient:
    """A client that was open already: it behaves like that client, but `with` leaves it open.

    ``close()`` closes it only if `glmlab.machine.cluster.client` opened it.
    """

    def __init__(self, client):
        self._client = client

    def __getattr__(self, name):
        return getattr(self._client, name)

    def __enter__(self):
        return self._client

    def __exit__(self, *exc):
        pass

    def __repr__(self):
        return f"{self._client!r} (open before)"

    def close(self, *args, **kwargs):
        if self._client in opened:
            self._client.close(*args, **kwargs)


def dashboard_link(client) -> str:
    """The dashboard's address, or "" when there is none."""
    if client.scheduler.address.startswith("inproc"):  # such an address names no host
        return direct_link(client, "127.0.0.1")
    try:
        return client.dashboard_link or ""
    except KeyError:  # the configured link has a variable in it that only a hub sets
        return direct_link(client)


def direct_link(client, host=None):
    """The dashboard's address on the scheduler's own host, or "" when there is none."""
    info = client.scheduler_info()
    port = info["services"].get("dashboard")
    host = host or info["address"].split("://")[-1].rsplit(":", 1)[0]
    return f"http://{host}:{port}/status" if port else ""


def bytes_sent(client) -> int:
    """Bytes of results that the workers have sent so far, to each other and to this process, over the network."""
    return sum(client.run(lambda dask_worker: dask_worker.transfer_outgoing_bytes_total).values())


def dealt(client, a, rows):
    """The array `a` as a dask array in the workers' memory, in chunks of so many rows; neighbours share a worker.

    Every worker gets the same number of chunks, or one fewer. (`client.persist` chooses workers freely: of two chunks
    both may go to the same worker.)
    """
    workers = sorted(client.nthreads())  # not from scheduler_info: dask renews it in the background, at times to empty
    pieces = [a[first : first + rows] for first in range(0, len(a), rows)]
    shares = [[pieces[k] for k in share] for share in np.array_split(np.arange(len(pieces)), len(workers))]
    # hash=False gives random names. Names from the contents would be the same for rows that are dealt again, and the
    # release of the first ones could delete the second.
    held = [client.scatter(share, workers=[w], hash=False) for w, share in zip(workers, shares, strict=True) if share]
    lazy = [da.from_delayed(future, piece.shape, a.dtype) for future, piece in zip(sum(held, []), pieces, strict=True)]
    # An array that came over the network starts at any byte: copy it once to an aligned address, and keep the copy.
    return client.persist(da.concatenate(lazy).map_blocks(np.array))


def open_client():
    """The client that is open in this process, or None."""
    from distributed import default_client

    try:
        return default_client()
    except ValueError:
        return None


def connected(address):
    """A client of the scheduler at this address, whose workers have this glmlab."""
    from distributed import Client

    try:
        remote = Client(address)
    except OSError as error:
        raise ConnectionError(
            f"No scheduler answers at {address}, which DASK_SCHEDULER_ADDRESS names ({error}). "
            "Start it, correct the address, or unset the variable to work on this machine."
        ) from None
    try:
        ship(remote)
    except BaseException:
        remote.close()
        raise
    return remote


def local_client(n_workers, threads_per_worker, memory_limit, processes, policy):
    """A client of a new cluster on this machine."""
    from distributed import Client

    n_workers = whole("n_workers", n_workers, 1)
    threads_per_worker = whole("threads_per_worker", threads_per_worker, 1)
    memory_limit = fair_memory(n_workers, policy) if memory_limit is None else memory_limit
    hush_exits()
    with environment(worker_variables(memory_limit, threads_per_worker, policy)):
        new = Client(
            n_workers=n_workers,
            threads_per_worker=threads_per_worker,
            memory_limit=memory_limit,
            processes=processes,
            host="127.0.0.1" if processes else None,  # threads exchange messages in memory, without an address
            dashboard_address=f"127.0.0.1:{free_port(int(os.environ.get(DASHBOARD_PORT) or 0))}",
            worker_dashboard_address="127.0.0.1:0",
            direct_to_workers=True,  # results come from the workers, not through the scheduler
        )
    new.run(hush_exits)  # worker processes have loggers of their own
    hurry(new, policy.prompt)
    return new


def fair_memory(n_workers, policy):
    """Bytes for each worker, so that all fit."""
    from distributed.system import MEMORY_LIMIT  # respects the container's limit

    return min(policy.memory, int(policy.share * MEMORY_LIMIT / n_workers))


def worker_variables(memory_limit, threads_per_worker, policy):
    """The environment variables for a worker process of this limit: for BLAS, and for glibc's memory."""
    from distributed.worker_memory import parse_memory_limit

    limit = parse_memory_limit(memory_limit, threads_per_worker, logger=logging.getLogger(__name__))
    roomy = limit is None or limit >= policy.roomy
    heap, array = (policy.kept_heap, policy.kept_array) if roomy else (policy.small_heap, policy.small_array)
    return ONE_BLAS_THREAD | {"MALLOC_TRIM_THRESHOLD_": str(heap), "MALLOC_MMAP_THRESHOLD_": str(array)}


@contextlib.contextmanager
def environment(variables):
    """Set environment variables while worker processes start: the loader and BLAS read them once.

    Each worker's nanny keeps those that dask's configuration names, so that a worker that is restarted gets them too.
    """
    key = "distributed.nanny.pre-spawn-environ"
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        with dask.config.set({key: dask.config.get(key) | variables}):
            yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def hurry(client, seconds):
    """Let no message wait longer than this for others to go with it.

    dask's messages wait 2, 5 or 10 ms, to send thousands of tasks together. A pass is a chain of few messages, and
    would wait at each link.
    """
    scheduler = client.cluster.scheduler
    for stream in [client.scheduler_comm, *scheduler.stream_comms.values(), *scheduler.client_comms.values()]:
        stream.interval = seconds
    client.run(hurry_worker, seconds)


def hurry_worker(seconds, dask_worker):
    """The same for the messages of a worker."""
    dask_worker.batched_stream.interval = seconds


def hush_exits():
    """Drop dask's warnings about how a cluster ends, which tell a reader nothing."""
    for name in ("distributed.nanny", "distributed.worker"):
        logging.getLogger(name).addFilter(is_news)


def is_news(record):
    """False for a worker that needs seconds to exit, and for one whose scheduler has ended first."""
    known = ("still alive after", "Failed to communicate with scheduler during heartbeat")
    return not any(words in record.getMessage() for words in known)


def free_port(wanted: int) -> int:
    """The wanted port of the loopback if it is free, else any free one. Raises OSError where none can be opened."""
    for port in (wanted, 0):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)) as server:
            return server.getsockname()[1]
    raise OSError("No port of 127.0.0.1 can be opened. Type: python -m glmlab doctor")
