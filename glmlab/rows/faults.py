"""Faults of a cluster: a pass is awaited with a limit, and what the cluster lost is said in words.

dask names the key of a task that was lost. ClusterError says what that means for the rows, and what to do. Errors of
the rows themselves, and of whoever reads them, stay as they are.
"""

import contextlib
import operator
import time
import warnings

import dask
from dask.base import get_scheduler
from dask.core import flatten

from glmlab.machine.memory import room_of
from glmlab.policy import Faults

POLICY = Faults()

GONE = (
    "the client is closed, or its scheduler answers no more: connect to a scheduler that runs, make the rows again "
    "there, then fit again"
)
BROKE = (
    "the connection to the scheduler at {} broke during a pass{}: once the scheduler answers (the client connects "
    "again by itself), {}"
)
NO_WORKER = (
    "the cluster has had no worker for {} s: start workers, wait for them with client.wait_for_workers(1), then fit "
    "again; where they take longer to come, set dask's distributed.scheduler.no-workers-timeout"
)
KILLED = (
    "{} workers died, one after the other, while they worked on the same chunk: most often it needs more memory than a "
    "worker has, so use shorter chunks; the workers' logs say more"
)


class ClusterError(RuntimeError):
    """A pass could not be finished, because the cluster lost rows, its workers or its scheduler.

    The sentence says which, and what to do. A fit goes on from its last state on a new cluster.

    Attributes
    ----------
    result : Result or None
        The last state of the run, for `start=`; None where there was none yet.

    Examples
    --------
    >>> from glmlab import ClusterError, fit
    >>> X, y = [[1.0], [2.0]], [2.0, 4.0]
    >>> try:
    ...     result = fit(X, y, family="gaussian")
    ... except ClusterError as error:
    ...     result = fit(X, y, family="gaussian", start=error.result)
    """

    result = None


def current_client():
    """The client on whose cluster dask would compute now; None where that is this process."""
    client = getattr(get_scheduler(), "__self__", None)
    return client if hasattr(client, "run") else None


# --- a pass ---------------------------------------------------------------------------------------------------------


def computed(lazy, given, ahead=None, policy=POLICY):
    """The value of a delayed pass over the rows `given`, {argument: dask array}.

    ahead: lazy ↦ (graph, keys, what this process does with their values), for a pass on a cluster that ends here; None
    for one that ends there. Raises what a task raised, and ClusterError where the cluster is to blame.
    """
    client = current_client()
    with in_words(client, given):
        if client is None or inside_of_a_task():
            return dask.compute(lazy, optimize_graph=False)[0]
        graph, keys, finish = ahead(lazy) if ahead else (lazy.dask, [lazy.key], operator.itemgetter(0))
        return finish(awaited(client, graph, keys, policy))


@contextlib.contextmanager
def in_words(client, given):
    """Raise ClusterError for what goes wrong inside, where the cluster is its cause."""
    try:
        yield
    except ClusterError:
        raise
    except Exception as error:
        if why := what_was_lost(error, client, given):
            raise ClusterError(why) from error
        raise


def inside_of_a_task():
    """Does a task of a worker ask? It is itself a sign of life, and only dask can lend its thread to others."""
    from distributed.worker import thread_state

    return hasattr(thread_state, "key")


def awaited(client, graph, keys, policy):
    """The values of these keys, once workers have them. Raises ClusterError where there is no worker for too long."""
    futures = client.get(graph, keys, sync=False)
    try:
        patience = Patience(client, policy)
        while not all(future.done() or is_done(future, policy.look) for future in futures):
            patience.check()
        return client.gather(futures)
    finally:
        for future in futures:  # an error keeps this frame, and with it the futures; dask shall forget the tasks
            future.release()


class Patience:
    """How long a wait for the workers of a cluster makes sense."""

    def __init__(self, client, policy):
        self.client, self.seconds, self.seen = client, patience_of(policy), time.monotonic()

    def check(self):
        """Raises ClusterError where the client is closed, or where there has been no worker for too long."""
        now = time.monotonic()
        if self.client.status == "closed":  # by another thread; nothing would tell this one
            raise ClusterError(GONE)
        if self.client.status != "running" or self.client.nthreads():
            self.seen = now
        elif now - self.seen > self.seconds:
            raise ClusterError(NO_WORKER.format(f"{self.seconds:g}"))


def is_done(future, seconds):
    """Has the pass ended, in whatever way, within so many seconds?"""
    try:
        future.exception(timeout=seconds)  # any other way to wait hangs where the client is closed meanwhile
    except TimeoutError:
        return False
    return True


def patience_of(policy):
    """Seconds without a worker after which a pass gives up: dask's own setting where somebody has made it."""
    return dask.utils.parse_timedelta(dask.config.get("distributed.scheduler.no-workers-timeout", None) or policy.alone)


# --- what went wrong ------------------------------------------------------------------------------------------------


def what_was_lost(error, client, given):
    """What an error of a pass means for the rows, and what to do; "" where the cluster is not its cause."""
    if why := misplaced(given, client):
        return why
    if client is None:
        return ""
    from distributed import CancelledError, KilledWorker
    from distributed.comm import CommClosedError

    if client.status == "closed":
        return GONE
    if isinstance(error, KilledWorker):
        return KILLED.format(error.allowed_failures + 1)
    if type(error).__name__ == "NoWorkerError":  # a scheduler that has that time-out itself
        return NO_WORKER.format(f"{error.timeout:g}")
    broke = isinstance(error, CommClosedError) or isinstance(error, OSError) and client.status != "running"
    if not broke and not isinstance(error, CancelledError):
        return ""
    lost = {name: [f for f in futures_of(values) if f.cancelled()] for name, values in given.items()}
    names = " and ".join(name for name, futures in lost.items() if futures)
    said = str(error) + "".join(reason_of(futures[0]) for futures in lost.values() if futures)
    if broke or "scheduler-connection-lost" in said:
        rows = f", and the scheduler has dropped the rows of {names} that it held for this client" if names else ""
        return BROKE.format(client.scheduler.address, rows, again(names))
    if "scheduler-restart" in said:
        rows = f", and the rows of {names} that its workers held are gone" if names else ""
        return f"the cluster was restarted during a pass{rows}: {again(names)}"
    held = names or " and ".join(name for name, values in given.items() if futures_of(values))
    if not held:
        return f"the cluster gave up a pass ({said}): fit again"
    return (f"rows of {held} are lost with the worker that held them, since rows that were scattered exist only there: "
            f"{again(held)}. Rows that dask can make again, from files or a function, outlive a worker")  # fmt: skip


def reason_of(future):
    """What dask says of a future that was cancelled."""
    from distributed import CancelledError

    try:
        return str(future.exception() or future.result())
    except CancelledError as error:
        return str(error)


def again(lost):
    """What to do after rows, or only a pass, were lost."""
    return "make these rows again, then fit again" if lost else "fit again"


def misplaced(given, client):
    """Why passes that run where dask runs them now cannot reach rows that a cluster holds, and what to do; or ""."""
    here = address_of(client)
    for name, values in given.items():
        for theirs in {address_of(future.client) for future in futures_of(values)}:
            if theirs is None:
                return "the data live on a cluster whose client is closed; connect again and load them anew"
            if here != theirs:
                where = f"on the cluster at {here}" if here else "in this process"
                return (f"the rows of {name} are held by the workers of the cluster at {theirs}, but dask is set to "
                        f"compute {where}: drop that setting (scheduler=…, or a newer client), or bring the rows here "
                        f"with {name}.compute()")  # fmt: skip
    return ""


def address_of(client):
    """The address of a client's scheduler; None without a client, or once it is closed."""
    return None if client is None or client.status == "closed" else client.scheduler.address


def futures_of(values):
    """The futures of a cluster among the values of a dask array's graph."""
    return [value for value in values.__dask_graph__().values() if hasattr(value, "client")]


# --- before the first pass ------------------------------------------------------------------------------------------


def refuse_misplaced(given):
    """ValueError for rows that passes cannot reach; dask would only name a key."""
    if why := misplaced(given, current_client()):
        raise ValueError(why)


def warn_of_spilling(given, policy=POLICY):
    """Warn where a cluster holds more rows than its workers keep in memory.

    A worker that is full writes a chunk to disk to make room for the next, and so, in every pass, it writes and reads
    all of them. The bytes of sparse rows are unknown to dask, so they do not count.
    """
    client = current_client()
    rows = [values for values in given.values() if dense(values) and futures_of(values)]
    if not client or not rows:
        return
    held = sum(values.nbytes for values in rows)
    keys = {str(key) for values in rows for key in flatten(values.__dask_keys__())}
    with in_words(client, given):
        rooms = [max(0, room) for _, room in client.run(room_of, keys, on_error="ignore").values()]
    room = policy.full * sum(rooms)
    if rooms and room < held:
        warnings.warn(
            f"the cluster holds rows of {held / 2**20:,.0f} MiB, but its workers keep about {room / 2**20:,.0f} MiB in "
            "memory and will write the rest to disk and read it back in every pass: use more workers or memory, "
            "float32, or rows that are not persisted",
            stacklevel=6,  # the caller of `fit`
        )


def dense(values):
    """Does dask know how many bytes the array has?"""
    return hasattr(values._meta, "nbytes")
