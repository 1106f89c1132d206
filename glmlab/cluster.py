"""One `client()` for every notebook: the client that is open, the cluster you point to, or a local one.

Worker processes get one BLAS thread each. Many BLAS threads under many tasks fight for the same cores, and
they add numbers up in an order that changes from run to run: the post saw both, and left the second open.
"""

import contextlib
import importlib.util
import logging
import os
import socket
import tempfile
import weakref
import zipfile
from pathlib import Path

from glmlab.names import spelt

__all__ = ["bytes_sent", "client", "dashboard_link", "dealt", "ship"]

#: One BLAS thread per task: the only place where worker processes are told.
ONE_BLAS_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

#: What workers keep of the memory that kernels let go of (bytes, for glibc): what is free at the end of the heap up to
#: 64 MiB, and arrays up to 32 MiB stay in it. dask has them return nearly all: a kernel's arrays come back as fresh
#: pages in every block, which takes as long as a Hessian.
KEPT_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(2**26), "MALLOC_MMAP_THRESHOLD_": str(2**25)}

#: Workers of a limit below ROOMY (bytes) return it, as dask has them do: one of 480 MB would stay paused for good.
ROOMY, RETURNED_MEMORY = 2**30, {"MALLOC_TRIM_THRESHOLD_": str(2**16), "MALLOC_MMAP_THRESHOLD_": str(2**17)}

#: Seconds that a message waits for others to go with it.
PROMPT = 0.001

#: The variable with the port on which the panes of `glmlab lab` look for the dashboard; a second client gets another.
DASHBOARD_PORT = "GLMLAB_DASHBOARD_PORT"

_opened = weakref.WeakSet()  # the clients that this module opened


@spelt
def client(n_workers=2, threads_per_worker=1, *, memory_limit=None, processes=True):
    """A distributed client, from the first of these that there is:

    1. the client that is already open, whoever opened it;
    2. a connection to the scheduler that the variable DASK_SCHEDULER_ADDRESS names; workers that cannot
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
    """
    current = _current()
    if current is not None:
        return BorrowedClient(current)
    address = os.environ.get("DASK_SCHEDULER_ADDRESS")
    if address:
        opened = _connect(address)
    else:
        opened = _local(n_workers, threads_per_worker, memory_limit, processes)
    _opened.add(opened)
    return opened


class BorrowedClient:
    """A client that was open already. It does all that the client does, but `with` leaves it open.

    ``close()`` closes it only if `glmlab.cluster.client` opened it.
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
        if self._client in _opened:
            self._client.close(*args, **kwargs)


def dashboard_link(client) -> str:
    """The dashboard's address, or "" when there is none."""
    if client.scheduler.address.startswith("inproc"):  # the host in such an address is not a host
        return _direct_link(client, "127.0.0.1")
    try:
        return client.dashboard_link or ""
    except KeyError:  # the link's template names a variable that only a hub sets
        return _direct_link(client)


def bytes_sent(client) -> int:
    """Bytes of results that the workers have sent so far, to each other and here: what crossed the network."""
    return sum(client.run(lambda dask_worker: dask_worker.transfer_outgoing_bytes_total).values())


def dealt(client, a, rows):
    """An array in the workers' memory as a dask array, in chunks of so many rows, as many in a row to each worker.

    `client.persist` puts chunks where it likes: of two chunks both may lie on one worker.
    """
    import dask.array as da
    import numpy as np

    workers = sorted(client.nthreads())  # scheduler_info is renewed behind one's back, at times without any worker
    pieces = [a[first : first + rows] for first in range(0, len(a), rows)]
    shares = [[pieces[k] for k in share] for share in np.array_split(np.arange(len(pieces)), len(workers))]
    # Named at random: by their contents, rows that are dealt again would go with those that are just let go.
    held = [client.scatter(share, workers=[w], hash=False) for w, share in zip(workers, shares, strict=True) if share]
    lazy = [da.from_delayed(future, piece.shape, a.dtype) for future, piece in zip(sum(held, []), pieces, strict=True)]
    # Copied once more, since what came over a network starts at any byte, and kept, so that no pass hands pieces on.
    return client.persist(da.concatenate(lazy).map_blocks(np.array))


def ship(client):
    """Send this glmlab to the workers if one cannot import the same version; returns how many could not.

    Workers that join later get it as well; so it is sent when there are no workers yet. Raises RuntimeError
    when a worker cannot import it even then.
    """
    versions = client.run(_find_version())
    lacking = _other_than_ours(versions)
    if lacking or not versions:
        client.run(_forget_glmlab(), workers=list(lacking))
        _upload(client)
        _refuse(_other_than_ours(client.run(_find_version())))
    return len(lacking)


def _current():
    from distributed import default_client

    try:
        return default_client()
    except ValueError:  # no client is open
        return None


def _connect(address):
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


def _local(n_workers, threads_per_worker, memory_limit, processes):
    from distributed import Client
    from distributed.worker_memory import parse_memory_limit

    n_workers = _count(n_workers, "n_workers")
    threads_per_worker = _count(threads_per_worker, "threads_per_worker")
    memory_limit = _fair_memory(n_workers) if memory_limit is None else memory_limit
    limit = parse_memory_limit(memory_limit, threads_per_worker, logger=logging.getLogger(__name__))
    _hush_exits()
    roomy = limit is None or limit >= ROOMY
    with _environment(ONE_BLAS_THREAD | (KEPT_MEMORY if roomy else RETURNED_MEMORY)):
        opened = Client(
            n_workers=n_workers,
            threads_per_worker=threads_per_worker,
            memory_limit=memory_limit,
            processes=processes,
            host="127.0.0.1" if processes else None,  # threads talk in memory, without an address
            dashboard_address=f"127.0.0.1:{free_port(int(os.environ.get(DASHBOARD_PORT) or 0))}",
            worker_dashboard_address="127.0.0.1:0",
            direct_to_workers=True,  # a pilot's rows need not pass through the scheduler
        )
    opened.run(_hush_exits)  # the workers have loggers of their own
    _hurry(opened)
    return opened


def _hurry(client):
    """No message waits longer than PROMPT for others to go with it; dask lets ours wait 10 ms, others 5 and 2.

    That is for thousands of tasks at a time. A pass is a chain of few, and would wait at each link.
    """
    scheduler = client.cluster.scheduler
    streams = [client.scheduler_comm, *scheduler.stream_comms.values(), *scheduler.client_comms.values()]
    for stream in streams:
        stream.interval = PROMPT
    client.run(_hurry_worker)


def _hurry_worker(dask_worker):
    dask_worker.batched_stream.interval = PROMPT


def free_port(wanted: int) -> int:
    """The wanted port of the loopback if nobody has it, else any free one."""
    for port in (wanted, 0):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)) as server:
            return server.getsockname()[1]
    raise OSError("No port of 127.0.0.1 can be opened. Type: python -m glmlab doctor")


def _hush_exits():
    """How a cluster ends is no news for a reader: a worker that needs seconds to exit, one that finds no scheduler."""
    for name in ("distributed.nanny", "distributed.worker"):
        logging.getLogger(name).addFilter(_is_news)


def _is_news(record):
    known = ("still alive after", "Failed to communicate with scheduler during heartbeat")
    return not any(words in record.getMessage() for words in known)


def _fair_memory(n_workers):
    from distributed.system import MEMORY_LIMIT  # respects the container's limit

    return min(2 * 2**30, int(0.8 * MEMORY_LIMIT / n_workers))


@contextlib.contextmanager
def _environment(variables):
    """Set environment variables while worker processes start: they are read once, by the loader and by BLAS.

    Each worker's nanny remembers those that dask's configuration names, so a worker that is restarted gets them too.
    """
    import dask

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


def _direct_link(client, host=None):
    info = client.scheduler_info()
    port = info["services"].get("dashboard")
    host = host or info["address"].split("://")[-1].rsplit(":", 1)[0]
    return f"http://{host}:{port}/status" if port else ""


def _other_than_ours(versions):
    """{worker: what it has instead} for the workers whose glmlab is not ours."""
    from glmlab import __version__

    return {worker: version for worker, version in versions.items() if version != __version__}


def _find_version():
    """A function that travels by value: a worker without glmlab cannot look it up by name."""

    def version():
        try:
            import glmlab
        except Exception as error:  # whatever keeps it from working there is the answer
            return f"{type(error).__name__}: {error}"
        return glmlab.__version__

    return version


def _forget_glmlab():
    """By value, too. A worker must not keep modules of an older version among those of the new one."""

    def forget():
        import sys

        for name in [name for name in sys.modules if name.partition(".")[0] == "glmlab"]:
            del sys.modules[name]

    return forget


def _upload(client):
    from distributed.diagnostics.plugin import UploadFile

    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(ImportError):  # _refuse reports it better
        client.register_plugin(UploadFile(_zipped(folder)), name="glmlab")


def _zipped(folder):
    """The package's own files as an importable zip file."""
    package = Path(importlib.util.find_spec("glmlab").origin).parent
    path = Path(folder) / "glmlab.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(package.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                archive.write(file, file.relative_to(package.parent))
    return str(path)


def _refuse(lacking):
    if lacking:
        worker, found = next(iter(lacking.items()))
        raise RuntimeError(
            f"{len(lacking)} workers cannot import this glmlab; {worker} says: {found}. "
            "Install glmlab and what it needs (numpy, scipy, dask, threadpoolctl) on the workers."
        )


def _count(value, name):
    if isinstance(value, bool) or not isinstance(value, int):
        kind = type(value).__name__
        raise TypeError(f"{name} = {value!r} is a {kind}; a whole number is needed, such as {name}=2.")
    if value < 1:
        raise ValueError(f"{name} = {value}; at least 1 is needed.")
    return value
