"""A clock for experiments."""

import time


def clocked(work):
    """(seconds of work(), its result)."""
    began = time.perf_counter()
    found = work()
    return time.perf_counter() - began, found
