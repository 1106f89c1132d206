"""Exercises of notebook 09: seconds of a pass on W workers, whether rows fit, a rechunk that frees the old chunks."""

import gc
import math
import weakref
from collections import UserDict
from itertools import pairwise

import dask
import dask.array as da
import numpy as np
from dask.base import collections_to_expr

from .exercise import Exercise, recognised, require
from .guard import counting, one_number, short

# ---------------------------------------------------------------- 1. seconds of a pass


def predict_time(W, work, tasks, a, add):
    return work * math.ceil(tasks / W) / tasks + a * tasks + add


PREDICT_TIME = Exercise(
    name="predict_time",
    statement=(
        "A pass has `work` seconds of work for one core, cut into `tasks` equal tasks. W workers with one core each "
        "take them, one after the other. One scheduler spends a seconds on each task, and adding the results takes "
        "`add` seconds. Nothing of the three overlaps. Return the seconds of the pass."
    ),
    stub='''
    def predict_time(W, work, tasks, a, add):
        """Seconds of a pass: equal tasks on W workers, one scheduler, and the sum at the end.

        work: seconds of one core for all tasks; a: seconds for each task; add: seconds of the sum. Returns a float.
        """
        raise NotImplementedError
    ''',
    reference=predict_time,
    hints=(
        "Three terms: the busiest worker, the scheduler, the sum. Which of them does a second worker shorten?",
        "The busiest worker has ⌈tasks/W⌉ tasks of work/tasks seconds each. The scheduler sees all tasks.",
        "return work * math.ceil(tasks / W) / tasks + a * tasks + add",
    ),
)

# W, work, tasks, a, add
PASSES = (
    (1, 8.0, 40, 1e-3, 0.02), (2, 8.0, 40, 1e-3, 0.02), (8, 8.0, 40, 1e-3, 0.02), (64, 8.0, 64, 2e-3, 0.05),
    (64, 8.0, 640, 2e-3, 0.05), (512, 8.0, 4096, 2e-4, 0.5), (3, 1.0, 10, 1e-4, 0.0), (100, 1.0, 10, 1e-3, 0.0),
    (7, 3.0, 20, 0.0, 0.1),
)  # fmt: skip
EACH = tuple(np.array(values) for values in zip(*PASSES, strict=True))
TIME_MISTAKES = {
    "there is one scheduler, however many workers there are: it spends a·tasks, undivided":
        lambda W, work, tasks, a, add: work * np.ceil(tasks / W) / tasks + a * tasks / W + add,
    "all three terms divided by W is a wish: the scheduler and the sum are not shared out":
        lambda W, work, tasks, a, add: (work + a * tasks + add) / W,
    "a worker takes whole tasks: the busiest one has ⌈tasks/W⌉ of them":
        lambda W, work, tasks, a, add: work / W + a * tasks + add,
    "⌈tasks/W⌉ is rounded up: the last tasks make the other workers wait":
        lambda W, work, tasks, a, add: work * (tasks // W) / tasks + a * tasks + add,
    "work is that of the whole pass: one task has work/tasks seconds of it":
        lambda W, work, tasks, a, add: work * np.ceil(tasks / W) + a * tasks + add,
    "every task costs the scheduler a seconds: a·tasks is missing":
        lambda W, work, tasks, a, add: work * np.ceil(tasks / W) / tasks + add,
    "a is the price of one task: the scheduler pays it for each":
        lambda W, work, tasks, a, add: work * np.ceil(tasks / W) / tasks + a + add,
    "the sum at the end takes add seconds more":
        lambda W, work, tasks, a, add: work * np.ceil(tasks / W) / tasks + a * tasks,
    "W workers share the work: the busiest has ⌈tasks/W⌉ of the tasks":
        lambda W, work, tasks, a, add: work + a * tasks + add,
    "⌈tasks/W⌉ is tasks // W where W divides tasks, and one more only where it does not":
        lambda W, work, tasks, a, add: work * (tasks // W + 1) / tasks + a * tasks + add,
    "the sum at the end takes add seconds once, however many workers there are":
        lambda W, work, tasks, a, add: work * np.ceil(tasks / W) / tasks + a * tasks + add * W,
    "nothing overlaps here: the terms add, the largest alone is too little":
        lambda W, work, tasks, a, add: np.maximum(work * np.ceil(tasks / W) / tasks, a * tasks) + add,
}  # fmt: skip


def _seconds(predict_time, *given):
    found = one_number(predict_time(*given), f"predict_time{given}")
    require(np.isfinite(found) and found >= 0, f"predict_time{given} is {found}; seconds are finite and not negative")
    return found


def _time_mistake(predict_time):
    """The hint of the mistake that gives the same seconds for all PASSES, None for an unknown one."""
    found = [_seconds(predict_time, *given) for given in PASSES]
    return recognised(found, {hint: wrong(*EACH) for hint, wrong in TIME_MISTAKES.items()})


def _agrees(predict_time, W, work, tasks, a, add):
    """Raise Wrong unless the seconds are those of the model."""
    found = _seconds(predict_time, W, work, tasks, a, add)
    right = work * math.ceil(tasks / W) / tasks + a * tasks + add
    words = f"W = {W}, work = {work:g} s in {tasks} tasks, a = {a:g} s, add = {add:g} s: "
    words += f"{found:.4g} s, not {right:.4g}"
    require(math.isclose(found, right, rel_tol=1e-9), words, lambda: _time_mistake(predict_time))


@PREDICT_TIME.condition(
    "one worker does all the work",
    hint="with W = 1 there is nobody to share with: work, a for each task, and add",
    errors=True,
)
def one_worker(predict_time):
    for _, *rest in PASSES:
        _agrees(predict_time, 1, *rest)


@PREDICT_TIME.condition(
    "the scheduler is a floor",
    hint="however many workers there are, the scheduler spends a·tasks and the sum takes add",
)
def floor(predict_time):
    for _, work, tasks, a, add in PASSES:
        found, least = _seconds(predict_time, 10**6, work, tasks, a, add), a * tasks + add
        words = f"with a million workers, {tasks} tasks of a = {a:g} s and add = {add:g} s it gave {found:.4g} s"
        words += f"; the floor is {least:.4g} s"
        require(found >= least * (1 - 1e-9), words, lambda: _time_mistake(predict_time))


@PREDICT_TIME.condition(
    "a worker takes whole tasks",
    hint="write down three terms: the busiest worker's ⌈tasks/W⌉ tasks, the scheduler's a·tasks, and the sum. Only the "
    "first depends on W",
)
def whole_tasks(predict_time):
    for given in PASSES:
        _agrees(predict_time, *given)


@PREDICT_TIME.condition(
    "more workers never take longer",
    hint="of the three terms only that of the busiest worker depends on W, and it falls",
)
def never_longer(predict_time):
    for _, work, tasks, a, add in PASSES:
        found = [_seconds(predict_time, W, work, tasks, a, add) for W in (1, 2, 3, 5, 8, 100)]
        falls = all(after <= before * (1 + 1e-12) for before, after in pairwise(found))
        require(falls, f"work = {work:g} s in {tasks} tasks, 1, 2, 3, 5, 8 and 100 workers: {found}")


# ---------------------------------------------------------------- 2. does it fit?


def fits(rows, copies, workers, limit, temp, threads):
    return copies * rows / workers + threads * temp <= 0.6 * limit


FITS = Exercise(
    name="fits",
    statement=(
        "X takes `rows` bytes, and `copies` copies of it exist at once, dealt evenly among the workers. Each worker "
        "runs `threads` tasks at a time, and each of these needs `temp` bytes for itself. Return True if no worker "
        "needs more than 60 % of its `limit` bytes, where dask starts to write results to disk, and False otherwise."
    ),
    stub='''
    def fits(rows, copies, workers, limit, temp, threads):
        """Does each worker stay within 60 % of its limit?

        rows, limit, temp: bytes; copies, workers, threads: how many. Returns True or False.
        """
        raise NotImplementedError
    ''',
    reference=fits,
    hints=(
        "Think of one worker. What does it hold, and what do its tasks need while they run?",
        "It holds copies·rows/workers bytes, and threads·temp come and go. Compare the sum with 0.6·limit.",
        "return copies * rows / workers + threads * temp <= 0.6 * limit",
    ),
)

GB = 10**9
# rows, copies, workers, limit, temp, threads
CLUSTERS = (
    (10 * GB, 1, 8, 2 * GB, 0, 1), (10 * GB, 1, 8, 4 * GB, 0, 1), (10 * GB, 2, 8, 4 * GB, 0, 1),
    (10 * GB, 2, 8, 5 * GB, 0, 1), (96 * GB, 1, 8, 16 * GB, GB, 8), (96 * GB, 1, 8, 34 * GB, GB, 8),
    (96 * GB, 2, 8, 34 * GB, GB, 8), (GB, 1, 2, GB, GB // 20, 2), (GB, 1, 2, GB, GB // 20, 4), (0, 1, 1, GB, GB, 1),
    (6 * GB, 1, 1, 10 * GB, 0, 1), (6 * GB, 1, 100, GB, 6 * GB // 100, 9), (2 * GB, 1, 2, 2 * GB, GB * 3 // 20, 4),
    (8 * GB, 2, 8, 4 * GB, GB * 3 // 10, 1),
)  # fmt: skip
NEEDS = {  # hint: the bytes that a worker needs, and what it has, of an answer with this mistake
    "a task's memory is needed by each of a worker's threads: threads·temp":
        (lambda r, c, w, limit, t, k: c * r / w + t, 0.6),
    "what tasks need for themselves counts, too: threads·temp": (lambda r, c, w, limit, t, k: c * r / w, 0.6),
    "each worker has `threads` threads of its own: do not divide threads·temp by the workers":
        (lambda r, c, w, limit, t, k: (c * r + k * t) / w, 0.6),
    "while X is rechunked both copies exist: copies·rows": (lambda r, c, w, limit, t, k: r / w + k * t, 0.6),
    "copies multiplies the rows, not what the tasks need": (lambda r, c, w, limit, t, k: c * (r / w + k * t), 0.6),
    "60 % of the limit is where dask starts to write to disk: the whole limit is too much":
        (lambda r, c, w, limit, t, k: c * r / w + k * t, 1.0),
    "dask starts to write to disk at 60 % of the limit; at 70 % it has begun long ago":
        (lambda r, c, w, limit, t, k: c * r / w + k * t, 0.7),
    "the limit is that of one worker, and so is what you compare with it: divide the rows by the workers":
        (lambda r, c, w, limit, t, k: c * r + k * t, 0.6),
    "60 % exactly is still room: compare by <=":
        (lambda r, c, w, limit, t, k: np.nextafter(c * r / w + k * t, 1e99), 0.6),
    "True says that it fits": (lambda r, c, w, limit, t, k: (1.2 + 1e-6) * limit - c * r / w - k * t, 0.6),
}  # fmt: skip


def _answer(fits, given):
    found = fits(*given)
    found = found.item() if isinstance(found, np.generic) else found
    require(isinstance(found, bool), f"fits{given} returned {short(found)}; True or False is needed")
    return found


def _memory_mistake(fits):
    """The hint of the mistake that answers the same for all CLUSTERS, None for an unknown one."""
    found = [_answer(fits, given) for given in CLUSTERS]
    for hint, (need, part) in NEEDS.items():
        if found == [bool(need(*given) <= part * given[3]) for given in CLUSTERS]:
            return hint
    return None


@FITS.condition("True or False", hint="return the comparison itself: a <= b is True or False", errors=True)
def an_answer(fits):
    for given in CLUSTERS:
        _answer(fits, given)


@FITS.condition(
    "what one worker needs",
    hint="a worker holds copies·rows/workers, its tasks need threads·temp, and the sum may take 60 % of limit, no more",
)
def one_worker_needs(fits):
    for given in CLUSTERS:
        rows, copies, workers, limit, temp, threads = given
        found, need = _answer(fits, given), copies * rows / workers + threads * temp
        words = f"{rows / GB:g} GB in {copies} copies on {workers} workers of {limit / GB:g} GB, {threads} threads "
        words += f"with {temp / GB:g} GB each: a worker needs {need / GB:.3g} GB of {0.6 * limit / GB:.3g}, "
        words += f"and it said {found}"
        require(found == (need <= 0.6 * limit), words, lambda: _memory_mistake(fits))


@FITS.condition("more room never hurts", hint="more workers, a larger limit, less temp: what fitted must still fit")
def more_room(fits):
    for rows, copies, workers, limit, temp, threads in CLUSTERS:
        if _answer(fits, (rows, copies, workers, limit, temp, threads)):
            for more in ((workers + 1, limit, temp), (workers, 2 * limit, temp), (workers, limit, temp / 2)):
                given = (rows, copies, *more, threads)
                require(_answer(fits, given), f"fits{given} is False, with more room than a case that fits")


# ---------------------------------------------------------------- 3. rechunk, and free the old chunks


def swap(store, name, rows):
    finer = store[name].rechunk((rows, -1)).persist()
    store[name] = finer
    return finer.npartitions


SWAP = Exercise(
    name="swap",
    statement=(
        "store[name] is a dask array (n, p) whose chunks are in memory. Put the same numbers in chunks of `rows` rows "
        "under the same name: computed once, kept where they are computed, and without a reference to the old chunks. "
        "Return the number of new chunks."
    ),
    stub='''
    def swap(store, name, rows):
        """Rechunk store[name] in memory and let go of the old chunks.

        store: a dict; store[name]: a dask array (n, p) in memory. Returns the number of new chunks.
        """
        raise NotImplementedError
    ''',
    reference=swap,
    hints=(
        "rechunk alone is a recipe that still needs the old chunks. What turns a recipe into chunks in memory?",
        "persist() makes the new chunks. The old ones are freed when nothing refers to them: who still does?",
        "finer = store[name].rechunk((rows, -1)).persist(); store[name] = finer; return finer.npartitions",
    ),
)

# rows of the old chunks, columns, rows of the new chunks, name in the store
RECHUNKS = (
    ((8, 6), 5, 2, "X"), ((40, 40, 40), 3, 10, "X"), ((8,) * 6, 2, 24, "Z"), ((30, 10, 20), 1, 60, "X"),
    ((20, 20), 4, 7, "Z"),
)  # fmt: skip


class Store(UserDict):
    """A dict that an answer may change."""

    def __dask_tokenize__(self):
        return id(self)


def _swapped(swap, lengths, p, rows, name):
    """What it returned, the store, the numbers, weak references to the old chunks; did computes bring rows here?"""
    X = np.arange(float(sum(lengths) * p)).reshape(-1, p)
    blocks = [X[first : first + m].copy() for first, m in zip(np.cumsum((0, *lengths[:-1])), lengths, strict=True)]
    old = [weakref.ref(block) for block in blocks]
    pieces = [da.from_delayed(dask.delayed(block), block.shape, X.dtype) for block in blocks]
    store = Store({name: da.concatenate(pieces), "y": "not to be touched"})
    del blocks, pieces
    with counting() as computes:
        found = swap(store, name, rows)
        fetched = [any("finalize" in str(key) for key in graph) for graph in computes]  # a key that `compute` adds
        computes.clear()
    gc.collect()
    return found, store, X, old, fetched


def _new(store, name, where):
    require(set(store) == {name, "y"}, f"{where} the store has the names {sorted(store)}; they were {name} and y")
    found = store[name]
    hint = "persist leaves the chunks where they are; compute and np.array bring all rows into this process"
    require(isinstance(found, da.Array), f"{where} store[{name!r}] is {short(found)}; a dask array is needed", hint)
    return found


def _where(lengths, rows, name):
    return f"chunks of {lengths} rows, rows = {rows}, name = {name!r}:"


def _cuts(chunks):
    down, across = map(len, chunks)
    return f"{down} × {across} chunks, the first with {chunks[0][0]} rows and {chunks[1][0]} columns"


@SWAP.condition(
    "the same numbers in new chunks",
    hint="store[name] = the new array, under the name that is given; its chunks have `rows` rows, the last one maybe "
    "fewer, and all columns. Return how many there are",
    errors=True,
)
def same_numbers(swap):
    for lengths, p, rows, name in RECHUNKS:
        where = _where(lengths, rows, name)
        found, store, X, _, _ = _swapped(swap, lengths, p, rows, name)
        new = _new(store, name, where)
        wanted = da.core.normalize_chunks((rows, -1), X.shape, dtype=X.dtype)
        reason = "did you assign the new array to store[name]?" if new.chunks == (lengths, (p,)) else None
        if len(new.chunks[1]) > 1:
            reason = "cut rows, not columns: rechunk((rows, -1)) leaves each row whole"
        words = f"{where} it left {_cuts(new.chunks)}; needed are {_cuts(wanted)}"
        require(new.chunks == wanted, words, reason)
        require(np.array_equal(new.compute(scheduler="sync"), X), f"{where} the numbers are not those of before")
        words = f"{where} it returned {short(found)}, not {len(wanted[0])}"
        count = "return the number of new chunks: npartitions"
        require(one_number(found, where, count) == len(wanted[0]), words, count)


@SWAP.condition(
    "made once, and kept",
    hint="a rechunk without persist is a recipe: every pass would cut the old chunks anew, and so they must stay",
)
def made_once(swap):
    for lengths, p, rows, name in RECHUNKS:
        where = _where(lengths, rows, name)
        _, store, _, _, computes = _swapped(swap, lengths, p, rows, name)
        new = _new(store, name, where)
        tasks = len(dict(collections_to_expr([new], optimize_graph=False).__dask_graph__()))
        require(computes, f"{where} nothing was computed, and store[{name!r}] is a recipe of {tasks} tasks")
        once = "one persist is enough: keep its result"
        require(len(computes) == 1, f"{where} the rows were computed {len(computes)} times", once)
        words = f"{where} store[{name!r}] is a recipe of {tasks} tasks for {new.npartitions} chunks"
        keep = "keep what persist returns: it leaves the array that you call it on as it was"
        require(tasks == new.npartitions, words, keep)
        here = "persist leaves the chunks where they are; compute brings all rows into this process"
        require(not any(computes), f"{where} all rows were brought into this process", here)


@SWAP.condition(
    "nobody refers to the old chunks",
    hint="del of a local name frees nothing while the store, or a list of yours, still refers to the same chunks",
)
def nobody_refers(swap):
    for lengths, p, rows, name in RECHUNKS:
        _, store, _, old, _ = _swapped(swap, lengths, p, rows, name)
        left = sum(block() is not None for block in old)
        words = f"{_where(lengths, rows, name)} {left} of {len(old)} old chunks are still in memory"
        require(left == 0, words)
        del store
