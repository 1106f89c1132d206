"""Passes that several objectives over the same rows make together: each chunk is read once for all of them.

Each objective leaves out the rows of one fold and is minimised by ordinary code in a thread of its own, which waits
whenever it asks for a pass. When all threads wait, one pass answers them all. So the answers have the bits of separate
passes, and the number of reads is that of the slowest objective.
"""

import contextlib
import queue
import threading
from collections import defaultdict
from typing import NamedTuple

import numpy as np

from glmlab.rows.chunks import Chunks
from glmlab.rows.folds import numbers_of


class Stopped(BaseException):
    """Ends a thread whose answer nobody wants any more. No `except Exception` catches it."""


class Request(NamedTuple):
    """A pass that one objective asks for."""

    chunks: Chunks  # the rows
    numbers: list  # fold numbers of each chunk, or a Deal each
    kernel: object
    shared: tuple  # arguments for all chunks
    per_chunk: tuple  # lists of arguments, one a chunk
    combine: object  # a function that adds results, None for a list of them


class Ended(NamedTuple):
    """How the work of a thread ended."""

    found: object = None
    error: BaseException | None = None


class Together:
    """`count` objectives over the same rows, each without one fold, whose passes are made together.

    chunks: the rows. numbers: the fold numbers of each chunk (folds_of). `reads` counts the passes that were made.
    """

    def __init__(self, chunks, numbers, count):
        self.chunks, self.numbers, self.count, self.reads = chunks, numbers, count, 0
        self.known = {}  # parts of the rows, each made once, so that their passes can be made together

    def without(self, k):
        """The rows as chunks for an Objective that leaves out fold k. Only the k-th work may ask them."""
        return WithoutFold(self, k, self.chunks, self.numbers)

    def part(self, chunks, name, make):
        """Some of the rows: make(), or the same object as for the objective that asked first."""
        key = id(chunks), name
        return self.known.get(key) or self.known.setdefault(key, make())

    def run(self, works):
        """[work()] of as many functions as there are folds, each in its own thread.

        The first error ends them all and is raised here; so is an interrupt. No thread is left then.
        """
        self.inbox, self.answers = queue.SimpleQueue(), [queue.SimpleQueue() for _ in works]
        threads = [threading.Thread(target=self._work, args=own, daemon=True) for own in enumerate(works)]
        try:
            for thread in threads:
                thread.start()
            return self._serve()
        finally:
            for answers in self.answers:
                answers.put(Stopped())
            for thread in threads:
                if thread.ident is not None:  # an interrupt may come before all have started
                    thread.join()

    def _work(self, k, work):
        """One thread."""
        try:
            ended = Ended(work())
        except BaseException as error:  # an interrupt, too, is for the thread that called `run`
            ended = Ended(error=error)
        self.inbox.put((k, ended))

    def _serve(self):
        """Answer the threads until all have ended. Returns what they found."""
        found, asked = {}, {}
        while len(found) < self.count:
            k, message = self.inbox.get()
            if isinstance(message, Request):
                asked[k] = message
            elif message.error is not None:
                with contextlib.suppress(AttributeError):
                    message.error.add_note(f"This happened in fold {k}, counted from 0.")
                raise message.error
            else:
                found[k] = message.found
            if asked and len(asked) + len(found) == self.count:
                self._answer(asked)
                asked = {}
        return [found[k] for k in range(self.count)]

    def ask(self, k, request):
        """The answer to what the k-th thread asks; it waits for the others."""
        self.inbox.put((k, request))
        answer = self.answers[k].get()
        if isinstance(answer, Stopped):
            raise answer
        return answer

    def _answer(self, asked):
        """One pass for all that ask for the same rows."""
        alike = defaultdict(dict)
        for k, request in asked.items():
            alike[id(request.chunks)][k] = request
        for requests in alike.values():
            for k, answer in zip(requests, one_pass(requests), strict=True):
                self.answers[k].put(answer)
            self.reads += 1


def one_pass(requests):
    """The answers to {fold that is left out: Request}, all for the same chunks, from one pass."""
    first = next(iter(requests.values()))
    calls = [(k, asked.kernel, asked.shared, asked.combine is None) for k, asked in requests.items()]
    own = [[[values[i] for values in asked.per_chunk] for asked in requests.values()]
           for i in range(len(first.numbers))]  # fmt: skip
    combine = Combined([asked.combine for asked in requests.values()])
    return first.chunks._pass(without_each, (calls,), [first.numbers, own], combine)


def without_each(rows, calls, numbers, own):
    """[kernel(rows without fold k, …)] of all calls on one chunk: the rows of the fold get weight 0."""
    numbers, found = numbers_of(numbers), []
    for (k, kernel, shared, listed), more in zip(calls, own, strict=True):
        result = kernel(rows._replace(w=weights(rows, numbers != k)), *shared, *more)
        found.append([result] if listed else result)
    return found


def weights(rows, kept):
    """The weights of a chunk, 0 where a row is not kept: (rows,)."""
    return kept.astype(np.float64) if rows.w is None else kept * rows.w


class Combined:
    """Adds up, for each objective, what the chunks have found, or lists it where nothing is to be added."""

    def __init__(self, combines):
        self.combines, self.__name__ = combines, "combined"

    def __call__(self, parts):
        columns = zip(*parts, strict=True)
        return [(combine or joined)(list(own)) for combine, own in zip(self.combines, columns, strict=True)]


def joined(lists):
    """One list of all."""
    return [value for values in lists for value in values]


class WithoutFold(Chunks):
    """Rows of which those of one fold have weight 0. Their passes are made together with those of other folds."""

    def __init__(self, together, k, chunks, numbers):
        super().__init__(chunks.lengths, chunks.p, chunks.intercept, chunks.sparse)
        self.together, self.k, self.chunks, self.numbers = together, k, chunks, numbers
        self.names, self.shifted, self.threads = chunks.names, chunks.shifted, chunks.threads

    def bare(self):
        """The same rows without their columns."""
        bare = self.together.part(self.chunks, "bare", self.chunks.bare)
        return WithoutFold(self.together, self.k, bare, self.numbers)

    def elsewhere(self, function):
        return self.chunks.elsewhere(function)

    def advice(self):
        return self.chunks.advice()

    def crew(self):
        raise ValueError("this solver sends tasks to single chunks, so that folds have no passes to share; "
                         "choose another for cross-validation, as 'auto' does")  # fmt: skip

    def _choose(self, which):
        which = tuple(int(k) for k in which)
        whole = self.chunks
        self.chunks = self.together.part(whole, which, lambda: whole.some(which))
        self.numbers = [self.numbers[k] for k in which]

    def _pass(self, kernel, shared, per_chunk, combine):
        return self.together.ask(self.k, Request(self.chunks, self.numbers, kernel, shared, per_chunk, combine))
