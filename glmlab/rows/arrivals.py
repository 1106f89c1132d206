"""Chunks that work one by one: each is sent its own task, and answers are taken in the order in which they arrive.

`Objective.arrivals` makes an `Arrivals`. Who works is its crew: `Threads` of this process, the `Workers` of a cluster,
or `Simulated`, whose clock is made up. All that a crew holds is let go at the end of its `with` block, however it ends.
"""

import heapq
import queue
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from glmlab.policy import Faults
from glmlab.rows.faults import Patience, in_words
from glmlab.rows.threads import POOL


class Answer(NamedTuple):
    """What a chunk has answered."""

    k: int  # the number of the chunk
    found: object  # what its kernel returned
    note: object  # what the sender had written down beside the task


class Arrivals:
    """Tasks for single chunks of an Objective, each chunk with at most one at a time, and their answers.

    Booked are the reads of the rows when an answer is taken (its `touches`, 1 where it has none), and a round whenever
    as many tasks have been sent as there are chunks: so many messages a round of all chunks has, too. What is still
    under way at the end is not booked.
    """

    def __init__(self, f, crew):
        self.f, self.crew, self.notes, self.sent = f, crew, {}, 0

    def __enter__(self):
        self.crew.__enter__()
        return self

    def __exit__(self, *error):
        self.crew.__exit__(*error)

    def send(self, k, kernel, *shared, note=None):
        """Have chunk k compute kernel(rows_k, *shared)."""
        self.notes[k] = note
        self.crew.send(k, kernel, shared)
        self.sent += 1
        self.f.touched(0, rounds=self.sent % self.f.n_chunks == 0)

    def take(self, least=1, needed=()):
        """The Answers of at least so many chunks, of all that are `needed`, and of whoever else has answered already.

        Raises what a task raised, and ClusterError where the cluster is to blame.
        """
        found, needed = [], set(needed)
        while self.notes and (len(found) < least or needed or self.crew.ready()):
            k, answer = self.crew.next()
            needed.discard(k)
            self.f.touched(getattr(answer, "touches", 1) * self.f.chunks.lengths[k] / self.f.n)
            found.append(Answer(k, answer, self.notes.pop(k)))
        return found


class Threads:
    """Threads of this process that work on the chunks of rows in memory, or on dask without a cluster."""

    def __init__(self, chunks, count):
        self.parts, self.count = parts_of(chunks), count

    def __enter__(self):
        self.pool, self.done = ThreadPoolExecutor(self.count, thread_name_prefix=POOL), queue.SimpleQueue()

    def __exit__(self, *error):
        self.pool.shutdown(cancel_futures=True)  # waits for the tasks that have begun

    def send(self, k, kernel, shared):
        future = self.pool.submit(self.parts[k].map, kernel, *shared)
        future.add_done_callback(lambda future: self.done.put((k, future)))

    def next(self):
        k, future = self.done.get()
        return k, future.result()[0]

    def ready(self):
        return not self.done.empty()


class Workers:
    """The workers of a cluster. A task runs where dask sends it, which is most often where its rows are."""

    def __init__(self, chunks, client, policy=Faults()):
        self.parts, self.given, self.client, self.policy = parts_of(chunks), chunks.given, client, policy

    def __enter__(self):
        self.done, self.futures = queue.SimpleQueue(), {}  # a queue of this process, nothing on the scheduler

    def __exit__(self, *error):
        for future in self.futures.values():
            future.release()  # the scheduler forgets the tasks; those that run end unheard
        self.futures = {}

    def send(self, k, kernel, shared):
        (graph, key), done = self.parts[k].single(kernel, shared), self.done
        with in_words(self.client, self.given):
            future = self.futures[k] = self.client.get(graph, key, sync=False)
            future.add_done_callback(lambda future: done.put((k, future)))

    def next(self):
        patience = Patience(self.client, self.policy)
        while True:
            try:
                k, future = self.done.get(timeout=self.policy.look)
                break
            except queue.Empty:
                patience.check()
        with in_words(self.client, self.given):
            try:
                return k, future.result()
            finally:
                self.futures.pop(k).release()

    def ready(self):
        return not self.done.empty()


class Simulated:
    """A crew whose clock is made up, for trials: it computes here, one task after the other, in the order of the clock.

    seconds: what a task of chunk k takes, as seconds[k] or seconds(k), which may be random. workers: workers[k] has
    chunk k and does one task after the other; by default every chunk has a worker of its own. `now` is the time of the
    last answer.
    """

    def __init__(self, seconds, workers=None):
        self.seconds = seconds if callable(seconds) else list(seconds).__getitem__
        self.workers, self.now = workers, 0.0

    def over(self, chunks):
        """The same clock over these chunks, at 0."""
        self.parts = parts_of(chunks)
        return self

    def __enter__(self):
        self.now, self.free, self.due, self.sent = 0.0, {}, [], 0

    def __exit__(self, *error):
        self.due = []

    def send(self, k, kernel, shared):
        worker = k if self.workers is None else self.workers[k]
        ends = max(self.now, self.free.get(worker, 0.0)) + self.seconds(k)
        self.free[worker], self.sent = ends, self.sent + 1
        heapq.heappush(self.due, (ends, self.sent, k, kernel, shared))

    def next(self):
        self.now, _, k, kernel, shared = heapq.heappop(self.due)
        return k, self.parts[k].map(kernel, *shared)[0]

    def ready(self):
        return bool(self.due) and self.due[0][0] <= self.now


def parts_of(chunks):
    """The chunks, each by itself."""
    return [chunks.some([k]) for k in range(len(chunks.lengths))]
