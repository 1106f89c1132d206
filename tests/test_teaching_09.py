"""The exercises of notebook 09: right answers written otherwise, and wrong ones with their mistakes."""

import math

import dask
import numpy as np
import pytest
from answers import accepted, rejected
from distributed import Client, wait

from glmlab.teaching import check, exercise

# --- predict_time


def by_rounds(W, work, tasks, a, add):
    rounds = -(-tasks // W)
    return rounds * (work / tasks) + tasks * a + add


def by_numpy(W, work, tasks, a, add):
    return np.ceil(np.float64(tasks) / W) / tasks * work + a * tasks + add


def by_dealing(W, work, tasks, a, add):
    piles = [0.0] * min(W, tasks)
    for k in range(tasks):
        piles[k % len(piles)] += work / tasks
    return max(piles) + sum([a] * tasks) + add


def by_list(W, work, tasks, a, add):
    return math.fsum([work * max(len(range(w, tasks, W)) for w in range(min(W, tasks))) / tasks, a * tasks, add])


def by_remainder(W, work, tasks, a, add):
    whole, rest = divmod(tasks, W)
    return (whole + (rest > 0)) * work / tasks + add + a * tasks


@pytest.mark.parametrize("right", [by_rounds, by_numpy, by_dealing, by_list, by_remainder])
def test_predict_time_written_otherwise(right):
    accepted("predict_time", right)


ALONE, FLOOR, WHOLE, FALLS = (
    "one worker does all the work", "the scheduler is a floor", "a worker takes whole tasks",
    "more workers never take longer",
)  # fmt: skip


@pytest.mark.parametrize(("wrong", "condition", "says"), [
    (lambda W, work, tasks, a, add: work * math.ceil(tasks / W) / tasks + a * tasks / W + add, FLOOR, "one scheduler"),
    (lambda W, work, tasks, a, add: (work + a * tasks + add) / W, FLOOR, "a wish"),
    (lambda W, work, tasks, a, add: work / W + a * tasks + add, WHOLE, "whole tasks"),
    (lambda W, work, tasks, a, add: work * (tasks // W) / tasks + a * tasks + add, WHOLE, "rounded up"),
    (lambda W, work, tasks, a, add: work * math.ceil(tasks / W) + a * tasks + add, ALONE, "one task has work/tasks"),
    (lambda W, work, tasks, a, add: work * math.ceil(tasks / W) / tasks + add, ALONE, "a·tasks is missing"),
    (lambda W, work, tasks, a, add: work * math.ceil(tasks / W) / tasks + a + add, ALONE, "the price of one task"),
    (lambda W, work, tasks, a, add: work * math.ceil(tasks / W) / tasks + a * tasks, ALONE, "add seconds more"),
    (lambda W, work, tasks, a, add: work + a * tasks + add, WHOLE, "share the work"),
    (lambda W, work, tasks, a, add: max(work * math.ceil(tasks / W) / tasks, a * tasks) + add, ALONE, "terms add"),
    (lambda W, work, tasks, a, add: work * math.ceil(tasks / W) / tasks + a * tasks + add * W, WHOLE, "however many"),
    (lambda W, work, tasks, a, add: work * (tasks // W + 1) / tasks + a * tasks + add, ALONE, "where W divides tasks"),
    (lambda W, work, tasks, a, add: f"{work / W} s", ALONE, "a str, not a number"),
    (lambda W, work, tasks, a, add: [work / W, a * tasks, add], ALONE, "one number is needed"),
], ids=["shared scheduler", "all shared", "parts of tasks", "rounded down", "all work a task", "free tasks", "one a",
        "free sum", "no sharing", "overlap", "sum a worker",
        "one task more", "text", "three terms"])  # fmt: skip
def test_predict_time_wrong(wrong, condition, says):
    rejected("predict_time", wrong, condition, says)


# --- fits


def by_difference(rows, copies, workers, limit, temp, threads):
    return 0.6 * limit - copies * rows / workers - threads * temp >= 0


def by_percent(rows, copies, workers, limit, temp, threads):
    return 100 * (rows * copies / workers + temp * threads) / limit <= 60


def in_words(rows, copies, workers, limit, temp, threads):
    held = copies * (rows / workers)
    working = threads * temp
    if held + working > 0.6 * limit:
        return False
    return True


def as_numpy_says(rows, copies, workers, limit, temp, threads):
    return np.less_equal(copies * rows / workers + threads * temp, 0.6 * limit)


def in_total(rows, copies, workers, limit, temp, threads):
    return copies * rows + workers * threads * temp <= workers * (0.6 * limit)


@pytest.mark.parametrize("right", [by_difference, by_percent, in_words, as_numpy_says, in_total])
def test_fits_written_otherwise(right):
    accepted("fits", right)


NEEDED, ANSWER = "what one worker needs", "True or False"


@pytest.mark.parametrize(("wrong", "condition", "says"), [
    (lambda r, c, w, limit, t, k: c * r / w + t <= 0.6 * limit, NEEDED, "threads·temp"),
    (lambda r, c, w, limit, t, k: c * r / w <= 0.6 * limit, NEEDED, "what tasks need for themselves"),
    (lambda r, c, w, limit, t, k: (c * r + k * t) / w <= 0.6 * limit, NEEDED, "do not divide threads·temp"),
    (lambda r, c, w, limit, t, k: r / w + k * t <= 0.6 * limit, NEEDED, "both copies"),
    (lambda r, c, w, limit, t, k: c * (r / w + k * t) <= 0.6 * limit, NEEDED, "not what the tasks need"),
    (lambda r, c, w, limit, t, k: c * r / w + k * t <= limit, NEEDED, "the whole limit is too much"),
    (lambda r, c, w, limit, t, k: c * r / w + k * t <= 0.7 * limit, NEEDED, "at 70 % it has begun"),
    (lambda r, c, w, limit, t, k: c * r + k * t <= 0.6 * limit, NEEDED, "divide the rows by the workers"),
    (lambda r, c, w, limit, t, k: c * r / w + k * t < 0.6 * limit, NEEDED, "compare by <="),
    (lambda r, c, w, limit, t, k: c * r / w + k * t > 0.6 * limit, NEEDED, "True says that it fits"),
    (lambda r, c, w, limit, t, k: 0.6 * limit - c * r / w - k * t, ANSWER, "True or False is needed"),
    (lambda r, c, w, limit, t, k: "yes", ANSWER, "the comparison itself"),
    (lambda r, c, w, limit, t, k: True, NEEDED, "it said True"),
], ids=["one thread", "no temp", "pool", "one copy", "temp copied", "whole limit", "70 %",
        "one worker", "strict", "turned",
        "a number", "text", "always"])  # fmt: skip
def test_fits_wrong(wrong, condition, says):
    rejected("fits", wrong, condition, says)


# --- swap


def by_dask_persist(store, name, rows):
    (store[name],) = dask.persist(store[name].rechunk({0: rows, 1: -1}))
    return store[name].npartitions


def with_pop(store, name, rows):
    store[name] = store.pop(name).rechunk((rows, store_columns(store, name))).persist()
    return len(store[name].chunks[0])


def store_columns(store, name):
    return -1


def with_a_local_name(store, name, rows):
    old = store[name]
    new = old.rechunk((rows, old.shape[1])).persist()
    store[name] = new
    del old
    return new.numblocks[0]


def with_update(store, name, rows):
    store.update({name: store[name].rechunk((rows, -1)).persist()})
    return store[name].npartitions


def counted(store, name, rows):
    n = store[name].shape[0]
    store[name] = store[name].rechunk((rows, -1)).persist()
    return math.ceil(n / rows)


@pytest.mark.parametrize("right", [by_dask_persist, with_pop, with_a_local_name, with_update, counted])
def test_swap_written_otherwise(right):
    accepted("swap", right)


def test_swap_through_a_client():
    """As the notebook persists: the check looks at the chunks in this process all the same."""
    with Client(n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0") as client:

        def by_client(store, name, rows):
            store[name] = client.persist(store[name].rechunk({0: rows}))
            return store[name].npartitions

        def and_wait(store, name, rows):
            new = client.persist(store[name].rechunk((rows, -1)))
            wait(new)
            store[name] = new
            return new.npartitions

        def of_a_list(store, name, rows):
            [store[name]] = client.persist([store[name].rechunk({0: rows})])
            return len(store[name].chunks[0])

        def forgotten(store, name, rows):
            client.persist(store[name].rechunk({0: rows}))
            return store[name].npartitions

        for right in (by_client, and_wait, of_a_list):
            accepted("swap", right)
        rejected("swap", forgotten, SAME, "did you assign")


def the_name_x(store, name, rows):
    store["X"] = store["X"].rechunk((rows, -1)).persist()
    return store["X"].npartitions


def square_chunks(store, name, rows):
    store[name] = store[name].rechunk(rows).persist()
    return store[name].npartitions


def cut_columns(store, name, rows):
    store[name] = store[name].rechunk({1: rows}).persist()
    return store[name].npartitions


def nothing_returned(store, name, rows):
    store[name] = store[name].rechunk((rows, -1)).persist()


def only_the_recipe(store, name, rows):
    store[name] = store[name].rechunk((rows, -1))
    return store[name].npartitions


def lost_result(store, name, rows):
    new = store[name].rechunk((rows, -1))
    new.persist()
    store[name] = new
    return new.npartitions


def computed_here(store, name, rows):
    store[name] = store[name].compute()
    return -(-len(store[name]) // rows)


def under_another_name(store, name, rows):
    store["finer"] = store[name].rechunk((rows, -1)).persist()
    return store["finer"].npartitions


def not_assigned(store, name, rows):
    return store[name].rechunk((rows, -1)).persist().npartitions


KEPT = []


def in_a_list(store, name, rows):
    KEPT.append(store[name])
    store[name] = store[name].rechunk((rows, -1)).persist()
    return store[name].npartitions


def twice(store, name, rows):
    store[name].rechunk((rows, -1)).persist()
    store[name] = store[name].rechunk((rows, -1)).persist()
    return store[name].npartitions


def the_array(store, name, rows):
    store[name] = store[name].rechunk((rows, -1)).persist()
    return store[name]


def chunks_in_place_of_rows(store, name, rows):
    store[name] = store[name].rechunk((-(-store[name].shape[0] // rows), -1)).persist()
    return store[name].npartitions


def through_this_process(store, name, rows):
    store[name] = dask.array.from_array(store[name].compute(), chunks=(rows, -1))
    return store[name].npartitions


SAME, ONCE, FREE = "the same numbers in new chunks", "made once, and kept", "nobody refers to the old chunks"


@pytest.mark.parametrize(("wrong", "condition", "says"), [
    (only_the_recipe, ONCE, "nothing was computed"),
    (lost_result, ONCE, "keep what persist returns"),
    (computed_here, SAME, "persist leaves the chunks where they are"),
    (under_another_name, SAME, "they were X and y"),
    (not_assigned, SAME, "did you assign"),
    (in_a_list, FREE, "a list of yours"),
    (twice, ONCE, "one persist is enough"),
    (the_array, SAME, "npartitions"),
    (chunks_in_place_of_rows, SAME, "chunks have `rows` rows"),
    (through_this_process, ONCE, "compute brings all rows"),
    (the_name_x, SAME, "under the name that is given"),
    (square_chunks, SAME, "cut rows, not columns"),
    (cut_columns, SAME, "cut rows, not columns"),
    (nothing_returned, SAME, "Return how many"),
])
def test_swap_wrong(wrong, condition, says):
    rejected("swap", wrong, condition, says)


@pytest.mark.parametrize("name", ["predict_time", "fits", "swap"])
def test_our_answer_is_right_and_the_stub_is_not_written_yet(name):
    accepted(name, lambda *given, **named: exercise(name).reference(*given, **named))
    namespace = {}
    exec(exercise(name).stub, namespace)
    assert "not written yet" in check(namespace[name]).message
