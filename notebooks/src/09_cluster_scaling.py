# %% [markdown] id="c09-001"
# # Scale out: more workers, less memory, and a worker that dies
#
# *We move one fit from threads to processes and to files, plan its memory, kill a worker in the middle, and predict a
# large cluster.*
#
# **60 minutes** with the exercises. Prerequisites: [04 task graphs](04_task_graphs.ipynb) and [06
# certificates](06_certificates.ipynb). Symbols and words: [glossary](00_start_here.ipynb#Notation-and-glossary).
#
# Afterwards you can
#
# - run the same fit on threads, on processes and on rows that are never stored;
# - predict the speed-up of more workers, and say where it stops;
# - plan the memory of a cluster, and rechunk without keeping two copies;
# - say when a fit survives the death of a worker, and continue one that did not.

# %% tags=["setup"] id="c09-002"
import math
import os
import signal
import tempfile
import time
from pathlib import Path

import distributed
import numpy as np

import glmlab
from glmlab import L1, datasets, viz
from glmlab.machine import cluster, costmodel, simulator
from glmlab.machine.memory import memory_held, memory_plan
from glmlab.rows.chunks import FAN
from glmlab.teaching import hint, ledger, predict, races, scale, solution, use

# %% [markdown] tags=["workshop"] id="c09-003"
# ## One code path (6 min, core)
#
# What has to change in your code when the rows move from a laptop to a cluster? Nothing, and we test this first. The
# problem is the post's, logistic regression with an L1 penalty on $n$ rows of $p$ uniform columns. Our rows are
# **recipes**: each chunk is drawn from its seed whenever a task needs it. We fit them on the threads of this process,
# then open a worker process and call the same line again.

# %% tags=["parameters"] id="c09-004"
n = scale.pick(ci=20_000, workshop=400_000, full=8_000_000)
p, n_chunks = 15, 16
X, y, beta_true = datasets.make_logistic(n, p, seed=20009, chunks=n // n_chunks)
lasso = {"family": "logistic", "penalty": L1(1.0)}
on_threads = glmlab.fit(X, y, **lasso)
client = cluster.client(n_workers=1)
print(cluster.dashboard_link(client) or "This client has no dashboard.")

# %% [markdown] id="c09-005"
# Workers can hold rows in two ways. As recipes they take no memory, and every pass draws them again. With `persist`
# every chunk is made once and stays on the worker that made it.
#
# **Predict.** We fit three times: on threads, from recipes on a worker, and from rows kept on a worker. How many of the
# $p$ coefficients will differ in any bit between the three?

# %% tags=["predict", "assert"] id="c09-006"
bits = predict("coefficients that differ in any bit", None)
as_recipes = glmlab.fit(X, y, **lasso)
X_kept, y_kept = client.persist([X, y])
distributed.wait([X_kept, y_kept])
kept = glmlab.fit(X_kept, y_kept, **lasso)
for name, result in {"threads": on_threads, "recipes on a worker": as_recipes, "kept on a worker": kept}.items():
    print(f"{name:<20} {result.seconds:6.2f} s, {result.passes:.1f} passes in {result.rounds} rounds, "
          f"gap {result.certificate.relative:.0e}")  # fmt: skip
different = int(np.sum((on_threads.beta != as_recipes.beta) | (as_recipes.beta != kept.beta)))
bits.measured(different)
assert different == 0 and kept.converged and kept.certificate.relative <= 1e-9

# %% [markdown] id="c09-007"
# <details><summary>Why none?</summary>
#
# A sum of floating-point numbers depends on its order, and here the order depends on the chunks alone (notebook 04).
# Each chunk is added up by one thread. A tree then adds these sums, and its shape depends only on the number of chunks.
# So neither the number of workers nor who finishes first can change a bit.
#
# </details>
# <details><summary>Why is there a round more than passes?</summary>
#
# The default first takes a small sample of the rows (10). This is a round, and it counts as hardly a part of a pass.
#
# </details>
# <details><summary>How often are recipes drawn?</summary>
#
# Once in each round: for the sample, in every pass, and for the certificate, whose rounds are counted apart. A task
# must draw its whole chunk before it can take a few rows of it. So from recipes or files the sample takes nearly as
# long as a pass. From kept rows it takes little time. If X is very large, the sample is taken during the first pass, and
# needs no round of its own (10).
#
# </details>
#
# > *Systems note.* The bits are the same for the same kernels, library versions and type of processor. On another type
# > NumPy and BLAS choose other instructions, so only the certificate can be compared.
#
# *Recap.* `fit` asks the rows where they are, so your code does not change. Recipes cost time in every pass, and kept
# rows cost memory. The chunks decide the bits, not the workers.

# %% [markdown] tags=["workshop"] id="c09-008"
# ## What does a second worker buy? (14 min, core)
#
# Two questions are often confused. **Strong scaling** keeps the problem and adds workers: how much sooner are we done?
# **Weak scaling** lets the rows grow with the workers: does a pass take the same time? If a pass takes $T(W)$ seconds
# on $W$ workers, the **speed-up** is $T(1)/T(W)$ in strong scaling. In weak scaling the same ratio is the
# **efficiency**, and 1 is perfect.

# %% [markdown] id="c09-044"
# *A small example.* A pass has 8 seconds of work in 40 tasks. The scheduler spends 1 ms on each task, and adding the
# results takes 20 ms. On one worker the pass takes $8+0.04+0.02=8.06$ s. On 8 workers each has 5 of the tasks, so it
# takes $1+0.04+0.02=1.06$ s, a speed-up of 7.6. On 64 workers 24 have no task and the others one each:
# $0.2+0.04+0.02=0.26$ s, a speed-up of 31.
#
# **Exercise 1.** Write `predict_time(W, work, tasks, a, add)`: the seconds of such a pass on `W` workers, with `work`
# seconds of work in `tasks` equal tasks, `a` seconds of the scheduler for each task, and `add` seconds for adding the
# results. None of the three overlaps.

# %% tags=["exercise"] id="c09-009"
def predict_time(W, work, tasks, a, add):
    """Seconds of a pass: equal tasks on W workers, one scheduler, and the sum at the end.

    work: seconds of one core for all tasks; a: seconds for each task; add: seconds of the sum. Returns a float.
    """
    raise NotImplementedError

# %% tags=["check"] id="c09-010"
predict_time = use(predict_time)
# hint("predict_time")
# solution("predict_time")

# %% [markdown] id="c09-011"
# Now we measure the seconds of a pass for the loss and its gradient, first with one worker and then with two. The rows
# are kept in the workers' memory. Strong scaling has all $n$ rows each time, and weak scaling $n/2$ rows for each
# worker.
#
# Then we predict the same pass on 1 to 64 workers, in two ways. One is your function, with the price of a round from 04
# for `add`. The other is the **simulator**, a program that plays a pass task by task (last core
# section). Both use recorded prices.
#
# **Predict** the speed-up of the second worker at your scale. Which part of a pass can it share, and which not?

# %% tags=["predict"] id="c09-012"
def pass_seconds(client, X, y):
    """Median and least seconds of seven passes over rows that the workers keep, and the gradient at β = 0.1."""
    f = glmlab.Objective("logistic", glmlab.as_chunks(*client.persist([X, y])))
    found, clock = f.loss_grad(np.full(p, 0.1)), [time.perf_counter()]  # the first pass may load and compile
    for k in range(7):
        f.loss_grad(np.full(p, 0.2 + k / 10))
        clock.append(time.perf_counter())
    return np.median(np.diff(clock)), np.diff(clock).min(), found


speed_up = predict("speed-up of the second worker", None)
measured, strong, weak, gradients = {}, [], [], []
for wanted in (1, 2):
    if len(client.nthreads()) != wanted:
        client.close()
        client = cluster.client(n_workers=wanted)  # a cluster that you named keeps its own number of workers
    workers, rows = len(client.nthreads()), n // 2 * wanted
    seconds, least, found = pass_seconds(client, X, y)
    fewer = seconds if rows == n else pass_seconds(client, X[:rows], y[:rows])[0]
    print(f"workers: {workers}; strong, {n:,} rows: {1e3 * seconds:.1f} ms; weak, {rows:,} rows: {1e3 * fewer:.1f} ms;"
          f" median ÷ least of seven passes: {seconds / least:.2f}")  # fmt: skip
    measured[workers] = seconds
    strong, weak, gradients = [*strong, seconds], [*weak, fewer], [*gradients, found.grad]
speed_up.measured(strong[0] / strong[1])
print(f"strong scaling: speed-up {strong[0] / strong[1]:.2f}; weak scaling: efficiency {weak[0] / weak[1]:.2f}")

# %% tags=["figure", "assert"] id="c09-013"
prices, some = simulator.recorded().prices, min(n, 400_000)
a, work = prices.task, simulator.chunk_seconds(n, p, simulator.recorded().core)
now = races.pass_seconds(X[:some].compute(), y[:some].compute(), n // n_chunks, threads=1) * n / some
print(f"work of a pass for one core: {1e3 * work:.3g} ms as recorded, {1e3 * now:.3g} ms on one thread now")
print(f"a task costs the scheduler {1e3 * a:.2g} ms, and its own worker {1e3 * prices.own:.2g} ms, as recorded")
print("workers  chunks  your function  simulator  measured, in ms")
model, yours = {}, {}
for W in (1, 2, 4, 8, 16, 32, 64):
    chunks = max(n_chunks, W)
    yours[W] = predict_time(W, work, chunks, a, prices.round)
    model[W] = simulator.predict(W, chunks, work / chunks).seconds
    here = f"{1e3 * measured[W]:.1f}" if W in measured else ""
    print(f"{W:>7} {chunks:>7} {1e3 * yours[W]:>14.1f} {1e3 * model[W]:>10.1f} {here:>9}")
    assert yours[W] >= a * chunks, "the scheduler is a floor"
assert np.array_equal(*gradients), "the same chunks: the same bits"
checks = [check for check in simulator.recorded().checks if check["kind"] == "real"]
recorded = {W: [c["measured"] / c["predicted"] for c in checks if c["workers"] == W] for W in (1, 2)}
viz.show(viz.speed_by_workers({FAN: model}, measured={FAN: measured}, formula=yours, rows=n, recorded=recorded))
off = [measured[W] / model[W] for W in measured if W in model]
if off:  # one worker or two: a cluster of your own may have more
    print("work now ÷ measured pass, for each core:", ", ".join(f"{now / W / measured[W]:.1%}" for W in measured))
    print("measured ÷ simulated:", ", ".join(f"{ratio:.2f}" for ratio in off), end=". ")
    print("At most a factor of 1.5." if 1 / 1.5 <= min(off) and max(off) <= 1.5 else
          "More than a factor of 1.5, so do not choose workers by the simulator on this machine as it is.")  # fmt: skip

# %% [markdown] id="c09-014"
# *Answer.* A second worker shares the work, and what a worker does for each task (unpacking, reporting). It does
# not share the scheduler's part, and adds messages. So below the scale `full` it usually buys far less than a factor of
# two, and may cost time.
#
# See the speed-ups under the figure. If the simulator disagrees with a calm clock, believe the clock: the recorded price
# of a task on its worker may be too low.
#
# <details><summary>When is the clock calm?</summary>
#
# When *median ÷ least* is at most 1.5. If it is larger, other programs interfere. A grey bar shows passes that we recorded with the
# prices. If your marker is far from it, this machine is now slower or faster than ours was then.
#
# </details>
# <details><summary>Does a worker do much beside the work?</summary>
#
# The line *work now ÷ measured pass* gives the share $w$ of work in a pass of one worker. If two workers shared only the
# work, they would need $w/2$ for it and $1-w$ for all the rest, the scheduler's part and the round among it. So the
# speed-up would be $1/(1-w/2)$ at most. For example, $w=0.2$ gives 1.11. If the clock shows clearly more than your bound,
# the workers share what they do for their tasks, too.
#
# </details>
# <details><summary>Why do the lines rise so much from 16 to 32 workers?</summary>
#
# There 16 chunks are too few, so we cut the rows into as many chunks as workers: more tasks, and a longer pass.
#
# </details>
# <details><summary>Why do three numbers for the same pass differ?</summary>
#
# Your function has one task for each chunk, and one price for the round. The simulator also counts the tasks that add,
# the client and every message, so its pass takes longer. (In it scheduler and workers work at the same time. This alone
# would make its pass shorter.) The clock may differ from both: the prices were recorded on another day, and now other
# programs may use the cores. The two printed numbers for the work of one core show how far off a price is.
#
# </details>
# <details><summary>Why may a pass take longer in weak scaling?</summary>
#
# Each worker has as many rows in both runs. But the second run has twice as many tasks, and one scheduler hands out all
# of them. If the share of work, printed above, is small, this decides the time.
#
# </details>
# <details><summary>Can a second worker make a pass slower?</summary>
#
# Yes. The scheduler's $a$ for each task is not shared, and with few rows the work is shorter than all these $a$ together.
# Besides, a worker must fetch the results of others before it can add them. One worker has them all. The simulator counts
# this, so with little work its passes get slower with every worker. Your function leaves it out. At scale `full` there is
# more work to share.
#
# </details>
#
# *Recap.* More workers divide the work of a pass, and add messages. A worker takes whole tasks, so the busiest one has
# $\lceil\text{tasks}/W\rceil$ of them, or more if dask dealt the chunks unevenly. The scheduler's
# $a\cdot\text{tasks}$ is a floor that no worker can lower.

# %% [markdown] tags=["workshop"] id="c09-015"
# ## Does it fit? (14 min, core)
#
# Where do the rows go when memory is short? Each worker has a limit. When its results take more than 60 % of the limit,
# dask writes some of them to disk, and reads them again when a task needs them. This **spilling** is slow for iterative
# methods. Dask writes the chunk that was used longest ago. Each pass reads the chunks in the same order, so
# this chunk is the next to be needed. Therefore nearly every chunk is written and read in every pass.
#
# A rechunk makes it worse. A result stays as long as a name refers to it, so rechunked rows exist twice until
# you delete the old ones.

# %% [markdown] id="c09-045"
# *A small example.* X has 10 GB, and 8 workers have 4 GB each. A worker holds 1.25 GB, and its 2 threads need 0.2 GB
# each for their tasks, together 1.65 GB. As 60 % of its limit is 2.4 GB, it fits. While X is rechunked both copies
# exist. Then a worker needs $2.5+0.4=2.9$ GB: it does not fit.
#
# **Exercise 2.** Write `fits(rows, copies, workers, limit, temp, threads)`. X takes `rows` bytes, and `copies` copies
# of it are dealt evenly among the workers. Each worker also runs `threads` tasks at a time, which need `temp` bytes
# each. Does the sum stay within 60 % of `limit`, the bytes of one worker?
#
# <details><summary>Is this dask's rule?</summary>
#
# No, ours is more careful. Dask counts only results against the 60 %. At three higher marks it counts all memory of the
# process: at 70 % it spills more, at 80 % the worker takes no new task, and at 95 % its *nanny* kills it. The nanny
# watches the worker from another process, here from this one.
#
# </details>

# %% tags=["exercise"] id="c09-016"
def fits(rows, copies, workers, limit, temp, threads):
    """Does each worker stay within 60 % of its limit?

    rows, limit, temp: bytes; copies, workers, threads: how many. Returns True or False.
    """
    raise NotImplementedError

# %% tags=["check"] id="c09-017"
fits = use(fits)
# hint("fits")
# solution("fits")

# %% [markdown] id="c09-018"
# `memory_plan` asks the workers for their limits and for what they hold already, and says the result in words. We ask
# it about our rows, and about 800 million rows, as many as the post had. Of these we have only the recipes. The room that it
# prints is at most 60 % of the limit: what else the worker holds is subtracted.
#
# Then we ask `fits` about a cluster like the post's. There the rows are kept, so besides them a task needs only one
# vector as long as a chunk, 8 bytes for each row: this is `temp`. (A task that must first draw its chunk needs the
# whole chunk, as the plan says.)

# %% tags=["assert"] id="c09-019"
posts_rows = datasets.make_logistic(800_000_000, p, chunks=10_000_000)[0]
for rows in (X, posts_rows):
    plan = memory_plan(client, rows)
    print(plan, "\n")
    assert plan.fits == (plan.share <= plan.room)
machines, threads, limit, vector = 8, 8, 2**35, 8 * 10_000_000  # the vector has 8 bytes for each row of a chunk
post_fits = {copies: fits(posts_rows.nbytes, copies, machines, limit, vector, threads) for copies in (1, 2)}
print(f"{machines} machines of {limit / 2**30:.0f} GiB, {threads} threads each: {post_fits[1]} for one copy, "
      f"{post_fits[2]} for two")  # fmt: skip
assert not post_fits[2], "a rechunk of the post's rows does not fit, although one copy does"

# %% [markdown] id="c09-020"
# *A small example.* `store["X"]` has 4 rows in chunks of 2, and we want chunks of 1. In
# `new = store["X"].rechunk((1, -1)).persist()` the −1 keeps all columns together. `rechunk` alone gives a recipe that
# refers to the 2 old chunks, so they stay. `persist` makes 4 new chunks on the workers, and `new` refers to these only:
# `new.numblocks` is `(4, 1)`. While `store["X"]` still refers to the old ones, 8 rows are in memory. When it becomes
# `new`, 4 are left.
#
# **Exercise 3.** Write `swap(store, name, rows)`: put `store[name]` into chunks of `rows` rows, computed once and kept,
# and let go of the old chunks. It need not wait until the new ones are made.

# %% tags=["exercise"] id="c09-021"
def swap(store, name, rows):
    """Rechunk store[name] in memory and let go of the old chunks.

    store: a dict; store[name]: a dask array (n, p) in memory. Returns the number of new chunks.
    """
    raise NotImplementedError

# %% tags=["check"] id="c09-022"
swap = use(swap)
# hint("swap")
# solution("swap")

# %% [markdown] id="c09-023"
# **Predict.** We call `swap` while a second name, `old`, still refers to the old chunks. How many copies of X do the
# workers hold then? And how many when `old` is deleted?

# %% tags=["predict", "assert"] id="c09-024"
copies = predict("copies of X while a second name refers to the old chunks", None)


def copies_held():
    """What the workers hold, in copies of X. A deleted chunk takes a moment to go."""
    time.sleep(0.5)
    return sum(worker.results for worker in memory_held(client).values()) / X.nbytes


store = {"X": client.persist(X)}
distributed.wait(store["X"])
counted, old = [copies_held()], store["X"]
swap(store, "X", n // (4 * n_chunks))
distributed.wait(store["X"])
counted.append(copies_held())
del old
counted.append(copies_held())
copies.measured(counted[1])
print("copies of X on the workers, before · after · without the second name:", *(f"{c:.2f}" for c in counted))
assert abs(counted[0] - 1) < 0.01 and abs(counted[1] - 2) < 0.01 and abs(counted[2] - 1) < 0.01

# %% [markdown] id="c09-025"
# <details><summary>Answer</summary>
#
# Two, and one when `old` is deleted. Even without a second name, old chunks may stay until the new ones are
# made, so plan for two copies. If these do not fit, save the rows to disk in new chunks and load them again.
#
# </details>
#
# *Recap.* Plan for each worker, with all copies and with what tasks need. A rechunk needs room for two copies, and a
# chunk is freed when the last name that refers to it is gone.

# %% [markdown] tags=["workshop"] id="c09-026"
# ## Rows on disk, and rows that never exist (8 min, core)
#
# What if one copy does not fit either? Then the rows stay on disk, and each pass reads them chunk by chunk.
# `datasets.save` writes a folder in the zarr format, which stores arrays in chunks, and `datasets.load` gives recipes
# that read it. On several machines, the folder must be on a disk that all of them share.

# %% tags=["assert"] id="c09-027"
del store
with tempfile.TemporaryDirectory() as folder:
    datasets.save(Path(folder) / "rows.zarr", X, y, beta_true)
    X_disk, y_disk, _ = datasets.load(Path(folder) / "rows.zarr", chunks=n // n_chunks)
    on_disk = glmlab.fit(X_disk, y_disk, **lasso)
    held = sum(worker.results for worker in memory_held(client).values())
print(f"{on_disk.passes:.1f} passes in {on_disk.rounds} rounds took {on_disk.seconds:.2f} s, and each round read the files. "
      f"Afterwards the workers hold {held / X.nbytes:.1%} of X's bytes.")  # fmt: skip
assert held < X.nbytes / 10, "small results of the last pass, and no rows"
assert np.array_equal(on_disk.beta, kept.beta), "the same rows in the same chunks: the same bits"

# %% [markdown] id="c09-028"
# And what if the rows do not even fit on a disk? If they are recipes, every pass can draw them again. `make scale` does
# this: it fits as many rows as the post's cluster did, on the two cores of one machine. It takes minutes, so we read here
# what it recorded. (The certified gap is relative.)

# %% tags=["assert"] id="c09-029"
from glmlab.bench import scale as never_stored
from glmlab.bench import shipped

recorded = shipped.rows(never_stored.FILE)
print(never_stored.table(recorded))
largest = recorded[-1]
print(f"\n{largest['cores']} cores, {largest['n']:,} rows: {largest['wall']:,.0f} s, proved to {largest['relative']:.0e}")
print(f"These rows were drawn {largest['draws']:.0f} times: {largest['passes']:.0f} passes of the solver, the rest for the certificate")
assert largest["relative"] <= never_stored.TOL and largest["memory"] < 0.5e9

# %% [markdown] id="c09-030"
# <details><summary><b>Check yourself.</b> May we compare these seconds with those of the post (in the ledger)?</summary>
#
# No: the machines are nine years apart. The post's cluster kept its rows in memory, and our run draws every row again
# in each pass. The methods differ, too: ours uses the Hessian of a sample of rows, and the post does not say how many
# passes its methods took. What can be compared is what was proved: the post had no bound on its gap.
#
# </details>
#
# *Recap.* Rows on disk are read in every pass, one chunk in each task. Rows that are drawn need memory only for the
# chunks at work. The fewer the passes, the less it matters where the rows are.

# %% [markdown] tags=["workshop"] id="c09-031"
# ## A worker dies (8 min, core)
#
# On many machines for many hours, some process will die. What becomes of the fit? At the third iterate of a fit we kill
# the process of one worker with the signal `SIGKILL`, which leaves it no time to clean up. We use FISTA, because it takes
# enough iterations for a death in the middle.
#
# **Predict.** How many of the $p$ coefficients will differ in any bit from those of an undisturbed fit?

# %% tags=["predict", "assert"] id="c09-032"
lost_bits = predict("coefficients that differ after a worker was killed", None)


def killer(at, times):
    """A callback that notes the time of each state, and kills the process of one worker at state number `at`."""

    def callback(state):
        times.append(time.perf_counter())
        if len(times) == at:
            worker = next(iter(client.nthreads()))
            [pid] = client.run(os.getpid, workers=[worker]).values()
            client.run(os.kill, pid, signal.SIGKILL, workers=[worker], nanny=True)  # on the worker's own machine

    return callback


slowly, on_workers, calm, times = {**lasso, "solver": "fista", "tol": 1e-4}, client.persist([X, y]), [], []
undisturbed = glmlab.fit(*on_workers, **slowly, callback=killer(0, calm))  # states count from 1: no worker dies
disturbed = glmlab.fit(*on_workers, **slowly, callback=killer(3, times))
lost_bits.measured(int(np.sum(disturbed.beta != undisturbed.beta)))
print(f"the iteration after the death took {np.diff(times)[2]:.2g} s, a later one {np.median(np.diff(times)[3:]):.2g} s, "
      f"one of the undisturbed fit {np.median(np.diff(calm)):.2g} s; {disturbed.status}")  # fmt: skip
assert np.array_equal(disturbed.beta, undisturbed.beta) and disturbed.converged

# %% [markdown] id="c09-033"
# <details><summary>How can that be?</summary>
#
# The scheduler knows the recipe of every chunk. The chunks of the dead worker are made again elsewhere, from the same
# seed, and the tree adds the same numbers in the same order. (Warnings above the result are dask's messages about the
# restart.)
#
# </details>
#
# So a lost worker changes no bit, *provided that dask knows how to make the rows again*. The death costs time: in its
# iteration the lost chunks are made again, mostly before the nanny (the process that watches a worker and starts it
# anew) has started a new worker. So the other worker then holds nearly all chunks. Dask sends a task where its chunk
# is, so that worker also does nearly all the work.
#
# <details><summary>How does the new worker get chunks?</summary>
#
# Dask moves tasks, with their chunks, to an idle worker only if it expects to save time by this. After the fit you can
# move chunks by `client.rebalance` (01).
#
# </details>
# <details><summary>Does dask try for ever?</summary>
#
# No. Dask gives a task up when four workers have died that were running it or had it in their queue
# (`distributed.scheduler.allowed-failures`).
#
# </details>
#
# Rows that were **scattered** (`client.scatter`, here `cluster.dealt`) have no recipe, so their only copy dies with the
# worker. A fit must not go on with the rest as if nothing had happened. It raises `ClusterError`, and the error keeps
# the last state.

# %% tags=["assert"] id="c09-034"
del on_workers
client.wait_for_workers(2)
sent = [cluster.dealt(client, values.compute(), n // n_chunks) for values in (X, y)]
last = None
try:
    glmlab.fit(*sent, **slowly, callback=killer(10, []))
except glmlab.ClusterError as error:
    print(f"{error}\n")
    last = error.result
assert last is not None, "rows were lost, and the fit says so"
continued = glmlab.fit(X, y, **slowly, start=last)
print(f"From the start it took {undisturbed.n_iter} iterations. {last.n_iter} were saved, {continued.n_iter} came after.")
print(f"{last.n_iter} + {continued.n_iter} need not be {undisturbed.n_iter}: FISTA's momentum and step are not saved.")
assert continued.converged and abs(continued.objective / undisturbed.objective - 1) <= 1e-4

# %% [markdown] id="c09-035"
# *Recap.* Rows with a recipe survive the death of a worker, with the same bits. Scattered rows are lost, and the fit says
# so. With `start=` it continues from the last state.

# %% [markdown] tags=["workshop"] id="c09-036"
# ## Beyond this machine (8 min, core)
#
# How far would more workers help? The simulator plays passes on hundreds of workers, with 04's cost model for the work
# and with prices of messages and tasks that were measured on dask's scheduler.
#
# It was checked on one and two real workers, and on many that *sleep* for as long as the work would take. Up to 64
# workers, the recorded times stayed within a factor of 1.5 of the simulated ones. Beyond, the figure is grey. The
# **fan-in** of a tree is the largest number of results that one task adds.
#
# **Predict.** With how many workers, a power of 2, is a simulated pass over the post's 800 million rows fastest?

# %% tags=["predict", "figure"] id="c09-037"
best_count = predict("workers of the fastest simulated pass over 8e8 rows", None)
core, counts, fans = simulator.recorded().core, [2**k for k in range(11)], (2, 4, FAN)
seconds = {
    rows: {fan: {W: simulator.predict(W, W, simulator.chunk_seconds(rows, p, core) / W, fan=fan).seconds for W in counts}
           for fan in fans} for rows in (8_000_000, 80_000_000, 800_000_000, 8_000_000_000)
}  # fmt: skip
fastest = {rows: min(lines[FAN], key=lines[FAN].get) for rows, lines in seconds.items()}
best_count.measured(fastest[800_000_000], "by simulation")
near = {}  # measured ÷ predicted time, for each number of workers that was tried
for check in simulator.recorded().checks:
    near.setdefault((check["workers"], check["kind"]), []).append(check["measured"] / check["predicted"])
trusted = max(W for (W, _), ratios in near.items() if 1 / 1.5 < min(ratios) <= max(ratios) < 1.5)
viz.show(viz.cluster_slider(seconds, start=800_000_000, trusted=trusted))

# %% tags=["assert"] id="c09-038"
for rows, W in fastest.items():
    found = simulator.predict(W, W, simulator.chunk_seconds(rows, p, core) / W)
    print(f"{rows:>13,} rows, fan-in {FAN}: fastest with {W:>4} workers, {found.seconds:.3g} s a pass; "
          f"client and scheduler are busy for {found.scheduler:.3g} s of it")  # fmt: skip
post = ledger.rows()["post: ADMM, cluster"]["seconds"]
on_64 = simulator.predict(64, 64, simulator.chunk_seconds(800_000_000, p, core) / 64).seconds
print(f"64 such cores: {on_64:.2f} s a pass, so the {post:,.0f} s that the post reports for ADMM are {post / on_64:,.0f} passes")
print(f"√(work/a) for the post's rows: {math.sqrt(simulator.chunk_seconds(800_000_000, p, core) / a):.0f} workers")
for (workers, kind), ratios in near.items():
    print(f"workers: {workers:>3} {kind:<6}  measured ÷ predicted time: {min(ratios):.2f} to {max(ratios):.2f}")
print("numbers of workers checked in the white part:", *dict.fromkeys(W for W, _ in near if W <= trusted))
asleep = [min(ratios) for (_, kind), ratios in near.items() if kind == "asleep"]
assert asleep == sorted(asleep) and asleep[0] > 1, "predicted too fast, and the more so the more workers sleep"
assert all(1 / 1.5 < ratio < 1.5 for (W, _), ratios in near.items() if W <= trusted for ratio in ratios)
assert sorted(fastest.values()) == list(fastest.values()), "more rows pay for more workers"
assert all(lines[FAN][1024] > lines[FAN][fastest[rows]] for rows, lines in seconds.items() if rows < 8e8)

# %% [markdown] id="c09-039"
# <details><summary>Why does a pass get slower again?</summary>
#
# Every worker adds a task, and there is one scheduler. If a task costs it $a$ seconds, a pass takes about
# $\text{work}/W+aW$, which is least at $W=\sqrt{\text{work}/a}$. This leaves out the messages and the sums, so the two
# numbers agree in size only. By this law 100 times the rows pay for ten times the workers. The simulator says eight
# times: 8 workers for 8 million rows, and 64 for 800 million.
#
# </details>
# <details><summary>Is the fastest number certain?</summary>
#
# No. Near its lowest point a curve is flat. In the figure 128 workers with a fan-in of 16 are nearly as fast as 64, and a
# check there missed by more than a factor of 1.5.
#
# </details>
#
# The post printed seconds and no passes. (In 05 the post's loop, for least squares, made several passes in a
# round.) If its ADMM made far fewer passes than the number above, then its cluster was slower than this model, or its
# time went into something else.
#
# How far can we trust the simulator? In the white part it was checked only at the numbers of workers printed above. In
# the grey part the measured passes took longer than it says, and the error grows with the workers. One reason is that
# all sleeping workers shared two cores. On your own machine the simulator may be further off: "What does a second
# worker buy?" printed by how much.

# %% [markdown] id="c09-046"
# What helps beyond that point? Give each thread of a worker one large chunk, add in a tree, and above all make fewer
# passes: if a pass costs the same, 4 instead of 400 take a hundredth of the time on every cluster. The page *How many
# workers make a pass faster* in the book computes it.
#
# *Recap.* A pass has a fastest number of workers, about $\sqrt{\text{work}/a}$ in size. By this law rows must grow
# fourfold for twice the workers to pay. Fewer passes help on every cluster.

# %% tags=["assert"] id="c09-041"
ledger.add("09: rows kept on workers", passes=kept.passes, rounds=kept.rounds, bytes=X.nbytes, seconds=kept.seconds,
           error=abs(kept.beta - beta_true).max(), zeros=np.sum(kept.beta == 0), gap=kept.certificate.relative)  # fmt: skip
ledger.add("09: 8e8 rows, never stored", passes=largest["passes"], rounds=largest["rounds"], bytes=0,
           seconds=largest["wall"], error=largest["to_truth"], gap=largest["relative"])  # fmt: skip
client.close()
assert client.status == "closed"
ledger

# %% [markdown] tags=["optional"] id="c09-040"
# ## A cluster of your own (2 min, optional)
#
# How does `cluster.client()` find a cluster? It takes the client that is open. If there is none, it connects to the
# scheduler that you name by `address=` or `scheduler_file=`, or by the environment variable `DASK_SCHEDULER_ADDRESS`.
# If none is named, it starts two processes here.
#
# Between machines, encrypt the connections. Start scheduler and workers with *TLS certificates*, files that prove who a
# machine is, and give the client its own by `security=` or in dask's configuration. The page *Run it on your cluster*
# in the book shows this for ssh, Slurm, MPI and Kubernetes.
#
# <details><summary>Does this notebook run there, too?</summary>
#
# Yes, if two things are given. The folder for temporary files (`TMPDIR`) must be on a disk that all machines share. The
# workers, two or more, must have nannies, as `dask worker` gives them by default. `client()` takes such a cluster
# as it is, so no run with one worker is made. Both lines of "What does a second worker buy?" then print the same number
# of workers, and their speed-up is only noise.
#
# </details>

# %% [markdown] id="c09-042"
# ## What we measured · Check yourself · Next
#
# - A fit gave the same bits on threads, on processes and from files. Another fit, by FISTA, gave the same bits, although
#   a worker died.
# - A second worker does not share the scheduler's part of a pass. A pass with little work gains less, and may become
#   slower.
# - Old chunks stay until the last name that refers to them is gone.
# - By the simulator a pass has a fastest number of workers. We printed how far the clock was from the simulator.
#
# <details><summary>Your pass takes 2 s on 8 workers, of which 1.9 s is work. Will 16 workers help?</summary>
#
# Yes, if the chunks divide evenly among 16: the work falls to 0.95 s, and the rest grows only a little.
#
# </details>
# <details><summary>A pass has 8 s of work in one task for each worker, and a task costs the scheduler 1 ms. With how many
# workers is it fastest?</summary>
#
# It takes $8/W+0.001W$ seconds. This is least at $W=\sqrt{8000}$, about 89 workers, where both terms are 0.09 s. So the
# speed-up ends at about 45.
#
# </details>
# <details><summary>Your rows take 70 % of the workers' memory. What do you do before the first pass?</summary>
#
# At 70 % the workers spill in every pass. Take more workers, or read the rows from disk. You can also store float32.
# This rounds the data, so the certificate is then for a slightly different problem.
#
# </details>
# <details><summary>A fit has raised <code>ClusterError</code> after two hours. What do you do?</summary>
#
# Keep `error.result`, make the lost rows again, and call `fit` with `start=error.result`. Next time give the rows a
# recipe.
#
# </details>
#
# **Next.** A round has a price that does not fall with the rows. [10 fewer rounds](10_fewer_rounds.ipynb) asks whether a
# solver can do with fewer.

