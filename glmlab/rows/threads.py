"""Threads of this process: the pools that passes share, and one BLAS thread while a pass runs."""

import contextlib
import functools
import os
import threading
from concurrent.futures import ThreadPoolExecutor

from threadpoolctl import ThreadpoolController

POOL = "glmlab pass"  # the names of our threads begin with it
SHARES = 4  # of a pass for each thread: with one share, the slowest thread would decide


class OneBlasThread(contextlib.ContextDecorator):
    """BLAS has one thread while any pass runs: several would sum in another order, and compete for the cores."""

    controller = functools.cached_property(lambda self: ThreadpoolController())

    def __init__(self):
        self.lock, self.users, self.limit = threading.Lock(), 0, None

    def __reduce__(self):
        return "one_blas_thread"  # one counter per process

    def __enter__(self):
        with self.lock:
            self.users += 1
            if self.users == 1:
                self._take_control()
                self.limit = self.controller.limit(limits=1, user_api="blas")

    def __exit__(self, *error):
        with self.lock:
            self.users -= 1
            if self.users == 0:
                self._take_control()
                self.limit.restore_original_limits()

    def _take_control(self):
        """Make this thread the one whose limits OpenBLAS accepts; since threadpoolctl 3.7 that is the first to set one.

        The caller holds the lock, so no other thread sets a limit meanwhile.
        """
        for library in self.controller.lib_controllers:
            if hasattr(library, "clear_controlling_thread"):
                library.clear_controlling_thread(force=True)


one_blas_thread = OneBlasThread()


class once:
    """A property that is computed once for each object and then stored in its place.

    functools.cached_property has, up to Python 3.11, one lock for all objects: a thread that waits for a pass inside of
    it would keep out the threads that the pass waits for.
    """

    def __init__(self, function):
        self.function, self.__doc__, self.__name__ = function, function.__doc__, function.__name__

    def __get__(self, owner, kind=None):
        if owner is None:
            return self
        found = owner.__dict__[self.__name__] = self.function(owner)
        return found


def cores():
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def spread(task, items, threads):
    """[task(item)] computed on so many threads. Inside of such a task everything runs in the thread that asks.

    A task that waited for its own pool would wait for ever.
    """
    if threads == 1 or len(items) == 1 or threading.current_thread().name.startswith(POOL):
        return [task(item) for item in items]
    step = -(-len(items) // (SHARES * threads))  # several items at a time: handing one out takes Python's lock
    runs = pool_of(threads).map(lambda k: [task(item) for item in items[k : k + step]], range(0, len(items), step))
    return [found for run in runs for found in run]


@functools.cache
def pool_of(threads):
    """The pool of so many threads. It is kept, because starting threads costs as much as a pass over few rows."""
    return ThreadPoolExecutor(threads, thread_name_prefix=POOL)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=pool_of.cache_clear)  # a forked process has no threads in the pool
