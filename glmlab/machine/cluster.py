"""One `client()` for every notebook: the open client, the cluster that you name, or a new one on this machine."""

import warnings
import weakref

import dask.array as da
import numpy as np

from glmlab.machine.connecting import connect, scheduler_named
from glmlab.machine.local import local_client
from glmlab.machine.shipping import ship
from glmlab.machine.workers import one_thread, warn_of_adaptive
from glmlab.names import spelt
from glmlab.policy import Workers

__all__ = ["bytes_sent", "client", "dashboard_link", "dealt"]

opened = weakref.WeakSet()  # the clients that this module opened
ready = weakref.WeakSet()  # the clients whose workers have what they need


@spelt
def client(n_workers=2, threads_per_worker=1, *, memory_limit=None, processes=True, address=None, scheduler_file=None,
           security=None, policy=Workers()):
    """Open a distributed client: the one that is open, the cluster that you name, or a new one on this machine.

    It is the first of these that exists:

    1. the client that is already open, whoever opened it, unless it is one that this function opened on this machine
       and its workers are gone for good: then it is closed, with a warning;
    2. a connection to the scheduler that is named by `address` or `scheduler_file`, else by the environment variable
       DASK_SCHEDULER_ADDRESS, else by dask's configuration (scheduler-address);
    3. a new cluster on this machine, on the loopback interface only, its dashboard on any free port.

    Whoever started the workers, each gets one BLAS, OpenMP and numba thread a task, those that join later too. Workers
    that cannot import this version of glmlab are sent it. (Workers that are threads of this process are left alone.)

    ``with client() as c:`` closes what it opened and leaves a client that was open before. ``c.close()`` does
    the same, and also closes an earlier client if this function opened it (a cell that was run twice).

    Parameters
    ----------
    n_workers, threads_per_worker : int, default 2 and 1
        For a new cluster. Never taken from the number of cores: in a container that is the host's number.
    memory_limit : int or str, optional
        For a new cluster, per worker, such as "1GiB". By default 2 GiB, or less where n_workers of that size do not
        fit into 80 % of the memory this container or machine allows. With ``processes=False`` nothing enforces it.
        Below 1 GiB workers return the memory that kernels let go of, and are slower for it.
    processes : bool, default True
        For a new cluster: worker processes, or threads in this one.
    address : str, optional
        Of a scheduler, such as ``"tcp://10.0.0.1:8786"``, or ``"tls://…"`` where the connection is encrypted.
    scheduler_file : str or path, optional
        The file that ``dask scheduler --scheduler-file`` writes, on a disk that all hosts share.
    security : distributed.Security or dict, optional
        Certificates for TLS, such as {"tls_ca_file": …, "tls_client_cert": …, "tls_client_key": …}. By default those
        of dask's configuration (distributed.comm.tls).
    policy : glmlab.policy.Workers
        The limits of a new cluster, and how long workers are waited for.

    Returns
    -------
    distributed.Client, or what behaves like one
        The latter where it was open before.

    Raises
    ------
    TypeError, ValueError
        For a parameter.
    ConnectionError
        Where the named scheduler does not answer or TLS fails.
    RuntimeError
        Where its workers cannot import glmlab or where a script has no main guard.

    Warns
    -----
    UserWarning
        Where the cluster is adaptive.

    Examples
    --------
    >>> from glmlab.machine.cluster import client
    >>> with client(n_workers=2, processes=False) as c:
    ...     len(c.nthreads())
    2
    """
    current, named = in_use(open_client(), policy), scheduler_named(address, scheduler_file)
    if current is not None:
        if address or scheduler_file:
            refuse_other(current, *named)
        equip(current)
        return BorrowedClient(current)
    if named:
        new = connect(*named, security)
    elif security is None:
        new = local_client(n_workers, threads_per_worker, memory_limit, processes, policy)
    else:
        raise ValueError("security is for a scheduler elsewhere, and none is named; add address='tls://host:8786'")
    opened.add(new)
    try:
        equip(new)
    except BaseException:
        new.close()
        raise
    return new


def in_use(current, policy):
    """The open client, or None where there is none or its cluster is ours and has no workers left."""
    if current is None or current not in opened or current.cluster is None or current.nthreads():
        return current
    try:
        current.wait_for_workers(1, timeout=policy.restart)
        return current
    except TimeoutError:
        current.close()
        warnings.warn("the workers of the open cluster are gone; it was closed, and a new one is started", stacklevel=4)
        return None


def refuse_other(current, address, named_by):
    """Raise ValueError where the open client is not one of the scheduler that is asked for."""
    if current.scheduler.address.split("://")[-1] != address.split("://")[-1]:
        raise ValueError(
            f"a client of {current.scheduler.address} is open, and {named_by} asks for {address}; close the open one "
            "first: distributed.default_client().close()"
        )


def equip(client):
    """Give the workers of this client what they need; nothing the second time."""
    if client in ready or client.asynchronous:
        return
    one_thread(client)
    ship(client)
    warn_of_adaptive(client)
    ready.add(client)


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
    """The dashboard's address, or "" when there is none.

    Parameters
    ----------
    client : distributed.Client
        Of the cluster.

    Returns
    -------
    str
        An address for a browser.

    Examples
    --------
    >>> from glmlab.machine.cluster import client, dashboard_link
    >>> with client(n_workers=1, processes=False) as c:
    ...     dashboard_link(c).endswith("/status")
    True
    """
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
    """How many bytes of results the workers have sent so far, to each other and to this process, over the network.

    Parameters
    ----------
    client : distributed.Client
        Of the cluster.

    Returns
    -------
    int
        0 where the workers are threads of this process.

    Examples
    --------
    >>> from glmlab.machine.cluster import bytes_sent, client
    >>> with client(n_workers=1, processes=False) as c:
    ...     bytes_sent(c)
    0
    """
    return sum(client.run(lambda dask_worker: dask_worker.transfer_outgoing_bytes_total).values())


def dealt(client, a, rows):
    """An array as a dask array in the workers' memory, in chunks of so many rows; neighbours share a worker.

    Every worker gets the same number of chunks, or one fewer. (`client.persist` chooses workers freely: of two chunks
    both may go to the same worker.)

    Parameters
    ----------
    client : distributed.Client
        Of the cluster.
    a : array, shape (n,) or (n, p)
        In the memory of this process.
    rows : int
        Rows of a chunk.

    Returns
    -------
    dask array
        Of the same numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from glmlab.machine.cluster import client, dealt
    >>> with client(n_workers=2, processes=False) as c:
    ...     dealt(c, np.eye(6), 2).chunks
    ((2, 2, 2), (6,))
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
