"""A new cluster on this machine: on the loopback interface only, its memory and messages set for passes over rows."""

import ast
import contextlib
import logging
import os
import socket
import sys
from pathlib import Path

import dask

from glmlab.checks import whole
from glmlab.machine.workers import ONE_THREAD

__all__ = ["local_client"]

#: The environment variable with the port on which the panes of `glmlab lab` look for the dashboard.
DASHBOARD_PORT = "GLMLAB_DASHBOARD_PORT"


def local_client(n_workers, threads_per_worker, memory_limit, processes, policy):
    """A client of a new cluster on this machine. Raises RuntimeError where worker processes cannot start."""
    from distributed import Client

    n_workers = whole("n_workers", n_workers, 1)
    threads_per_worker = whole("threads_per_worker", threads_per_worker, 1)
    memory_limit = fair_memory(n_workers, policy) if memory_limit is None else memory_limit
    if processes:
        refuse_unguarded()
    hush_exits()
    longer = {"distributed": {"deploy": {"lost-worker-timeout": policy.comeback}}}
    if longer not in dask.config.defaults:  # dask keeps every update
        dask.config.update_defaults(longer)
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
    if processes:
        new.register_plugin(deaf())
    hurry(new, policy.prompt)
    return new


def refuse_unguarded():
    """Raise RuntimeError in a script that opens a cluster whenever it is imported.

    Each new worker process imports the script that is run, and would come to the same line.
    """
    main = sys.modules["__main__"]
    line, path = line_of(main), getattr(main, "__file__", None)
    if line and path and not guarded(Path(path), line):
        raise RuntimeError(
            f"Line {line} of {path} calls client() without a main guard, and each worker process that it starts would "
            'import the script and call it again. Put the call under: if __name__ == "__main__":'
        )


def line_of(module):
    """The line at which the code of a module, outside of functions, is at work now; None where it is not."""
    frame = sys._getframe()
    while frame:
        if frame.f_code.co_name == "<module>" and frame.f_globals is vars(module):
            return frame.f_lineno
        frame = frame.f_back
    return None


def guarded(path, line):
    """Does a Python file compare __name__ with something before this line has ended? True where it cannot be read."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return True
    compared = [node for node in ast.walk(tree) if isinstance(node, ast.Compare) and node.lineno <= line]
    return any(isinstance(part, ast.Name) and part.id == "__name__" for node in compared for part in ast.walk(node))


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
    return ONE_THREAD | {"MALLOC_TRIM_THRESHOLD_": str(heap), "MALLOC_MMAP_THRESHOLD_": str(array)}


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


def deaf():
    """A plugin: worker processes ignore an interrupt, which Ctrl-C and Jupyter's stop button send to them, too.

    It is meant for the cell that runs. Workers that took it would end, and leave a client without workers. The plugin
    is made in a function, because dask then sends it as code, to workers that start again as well.
    """
    import signal

    from distributed import WorkerPlugin

    class Deaf(WorkerPlugin):
        name = "ignore interrupts"

        def setup(self, worker):
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    return Deaf()


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
