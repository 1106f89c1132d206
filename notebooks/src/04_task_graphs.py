# %% [markdown] id="c04-001"
# # Count tasks: see where the time of a pass goes, and choose chunks by a model
#
# *We ask for one gradient in two styles, record what the workers do, predict passes that a model has not seen, and make
# the bits of a sum repeat.*
#
# **80 minutes** with the exercises. Prerequisites: [03 gradient descent](03_gradient_descent.ipynb). All sections are
# *core*.
#
# Afterwards you can
#
# - count the tasks of a graph, and write a pass with one task for each chunk;
# - read a task stream, and say how much of it is idle;
# - predict the seconds of a pass, and choose its chunks;
# - write a sum that has the same bits in every run.
#
# Symbols: [glossary](00_start_here.ipynb#Notation-and-glossary). Next: [05 ADMM](05_admm.ipynb).

# %% tags=["setup"] id="c04-002"
import math
import time

import dask
import distributed
import numpy as np
from threadpoolctl import threadpool_limits

import glmlab
from glmlab import datasets, viz
from glmlab.machine import cluster, costmodel
from glmlab.maths.certificates import certificate_at
from glmlab.maths.penalties import Zero
from glmlab.policy import Chunking, Measuring
from glmlab.teaching import hint, ledger, predict, scale, solution, use

one_thread = threadpool_limits(1)  # as each worker has it: the section on bits says why

# %% [markdown] tags=["workshop"] id="c04-003"
# ## One gradient, two styles (20 min, core)
#
# In notebook 03 an iteration on 5,000 rows took far longer on the workers than in NumPy. Where did the time go?
#
# A pass over the rows is a **graph** of tasks. The scheduler hands every task to a worker, and this takes time. So
# first we count the tasks.
#
# The gradient of $F(\beta)=\sum_i (y_i - x_i^\top\beta)^2$ is $2X^\top(X\beta-y)$. In **array style**, the style of the
# post, we write just this formula. For each operation dask then makes at least one task for each chunk of its result.
# We count the tasks for $K=10$ chunks that the workers keep, because then the graph has no tasks that make the rows.

# %% tags=["parameters", "setup"] id="c04-004"
n = scale.pick(ci=20_000, workshop=160_000, full=1_000_000)
p, n_chunks = 100, 10
client = cluster.client()
X, y, beta_true = datasets.course(n, p=p, chunks=n // n_chunks)
X, y = client.persist([X, y])
distributed.wait([X, y])
cores = sum(client.nthreads().values())
print(cluster.dashboard_link(client) or "This client has no dashboard.")


# %% tags=["figure"] id="c04-006"
def array_gradient(X, y, beta):
    return 2 * X.T.dot(X.dot(beta) - y)


def recipes(K):
    """K small chunks of X and of y, not made yet."""
    return datasets.make_regression(100 * K, p, chunks=100)[:2]


def kept(K):
    """The same, made and kept by the workers."""
    return client.persist([*recipes(K)])


zero = np.zeros(p)
gradient = array_gradient(X, y, zero)
written, optimised = (viz.task_counts(gradient, optimize_graph=fused)["tasks"] for fused in (False, True))
print(f"array style, {n_chunks} chunks: {written} tasks as written, {optimised} after dask's optimisation")
three_X, three_y = kept(3)
shown = array_gradient(three_X, three_y, zero)
names = {"X": three_X, "y": three_y, "β": None, "∇F": shown}
tasks = {"$X_k β$": "sum-sum-aggregate", "$X_k^T (X_k β - y_k)$": "sum", "twice the sum": "sum-aggregate-mul"}
title = "Array style: two tasks for each chunk, and a sum"
viz.show(viz.graph(shown, optimize_graph=True, names=names, tasks=tasks, title=title))

# %% [markdown] id="c04-007"
# In the picture a circle is a task, a box is data, and arrows go upwards. Circle a computes $X_k\beta$, circle b
# computes $X_k^\top(X_k\beta-y_k)$, and circle c adds and doubles.
#
# Why are fewer tasks left than written? Before a graph runs, dask *optimises* it. By **fusion** it joins operations
# that work chunk by chunk, such as the difference and the product in b. Dask also joins a task to the one whose result
# it reads, if it reads nothing else and no other task reads that result. So a chain becomes one task. Neither rule
# joins a and b.
#
# <details><summary>Why does no rule join a and b?</summary>
#
# The first does not, because a ends with a sum over the chunks of columns (here one). The second does not, because b
# also reads $X_k$ and $y_k$.
#
# </details>
# <details><summary>Why do two boxes follow each other?</summary>
#
# They are one result with two names: that of the joined task, and the one that other tasks ask for.
#
# </details>
# <details><summary>With ten chunks four tasks add. Why four?</summary>
#
# Along one axis dask adds at most four results at a time. So three tasks add the ten results, and a fourth adds theirs.
#
# </details>

# %% [markdown] id="c04-009"
# Now **by hand**: one task does all that a chunk has to do. In NumPy, `kernel` computes the chunk's part of the
# gradient and of the loss, $p+1$ numbers. `pieces` gives the chunks as *delayed* values.
#
# Three lines of dask are enough. `dask.delayed(f)(x)` is a call of `f` that is not made yet. `dask.delayed(sum)(parts)`
# adds a list of such calls. `dask.delayed(beta)` puts $\beta$ into the graph once, and the calls that read it share it.
#
# **On paper.** Two chunks have one row each: $X_1=(1,1)$, $y_1=3$ and $X_2=(1,-1)$, $y_2=1$. At $\beta=(0,0)$ the
# differences $X_k\beta-y_k$ are $-3$ and $-1$. The kernel returns $(-6,-6,9)$ and $(-2,2,1)$. Their sum is
# $(-8,-4,10)$: 03's gradient and loss.
#
# **Exercise 1.** Write `one_pass(kernel, Xs, ys, beta)`.


# %% id="c04-010"
def kernel(X_k, y_k, beta):
    miss = X_k @ beta - y_k
    return np.append(2 * (X_k.T @ miss), miss @ miss)


def pieces(X, y):
    """The chunks as two lists of delayed values."""
    return list(X.to_delayed().ravel()), list(y.to_delayed().ravel())


# %% tags=["exercise"] id="c04-011"
def one_pass(kernel, Xs, ys, beta):
    """Σ_k kernel(X_k, y_k, beta) as one delayed value; computed, it is an array (p + 1,). Nothing is computed here.

    kernel: a function of NumPy arrays X_k (n_k, p), y_k (n_k,) and beta (p,); returns an array (p + 1,).
    Xs, ys: lists of K delayed chunks. Make one task for each k: a call of the kernel.
    beta (p,): a NumPy array, which must be in the graph once.
    """
    raise NotImplementedError


# %% tags=["check"] id="c04-012"
one_pass = use(one_pass)
# hint("one_pass")
# solution("one_pass")

# %% [markdown] id="c04-013"
# **Predict.** How many tasks does the graph of your pass have if the workers keep $K=40$ chunks?

# %% tags=["predict", "assert", "figure"] id="c04-015"
tasks_at_40 = predict("tasks by hand at 40 chunks", None)
by_hand = {K: viz.task_counts(one_pass(kernel, *pieces(*kept(K)), zero))["tasks"] for K in (10, 40)}
tasks_at_40.measured(by_hand[40])
print(f"10 chunks: {written} tasks in array style, {optimised} optimised, {by_hand[10]} by hand")
for K, count in by_hand.items():
    assert count <= 2 * K + 2, "one task for each chunk, and those that add"
assert by_hand[10] < optimised < written, "fewest by hand"
Xs, ys = pieces(three_X, three_y)
names = {"X": Xs, "y": ys, "β": None}
viz.show(viz.graph(one_pass(kernel, Xs, ys, zero), names=names, title="By hand: one task for each chunk, and a sum"))

# %% tags=["assert"] id="c04-019"
beta = np.linspace(0, 1, p)
chunks = pieces(X, y)
by_arrays = array_gradient(X, y, beta).compute()
*grad, loss = one_pass(kernel, *chunks, beta).compute()
largest = np.abs(grad).max()
print(f"the two gradients differ by at most {np.abs(by_arrays - grad).max() / largest:.1e} of the largest entry")
assert np.allclose(grad, by_arrays, rtol=1e-9, atol=1e-9 * largest)

# %% [markdown] id="c04-017"
# <details><summary>How many tasks, and why?</summary>
#
# $K+1$ if one task adds all parts: 11 and 41. If your pass adds in several steps, it has more. We count calls of
# functions: the circles. Dask's own graph has one more entry for $\beta$ and one for each kept chunk, which are no
# calls. But the scheduler treats $\beta$ like a task, as the stream will show.
#
# </details>
#
# > *Systems note.* If the workers do not keep the rows, the graph also contains the tasks that make them. `to_delayed`
# > optimises $X$ and $y$ separately, so the rows of $X_k$ are made twice. `to_delayed(optimize_graph=False)` avoids
# > this.
# >
# > A large $\beta$ is best in the graph once. A small one travels faster as a copy in each call (as `glmlab` sends it),
# > because its own task costs messages and a wait.
#
# *Recap.*
# - In array style an operation makes at least one task for each chunk of its result, and fusion joins chains.
# - By hand, a pass over kept rows is $K$ tasks and a sum.
# - Both compute the same gradient, up to rounding.

# %% [markdown] tags=["workshop"] id="c04-020"
# ## The price of a task (10 min, core)
#
# What does an empty task cost? The post speaks of "Dask's overhead of 200us per task".
#
# We run 10 empty tasks, then 210. Each run is one **round**. The price of a round, for the first message and the wait
# for the end, is paid once. The price of a **task** has four parts: to build the delayed value, send it, run it, and
# bring its result. This price is the difference of the two times, divided by 200.
#
# **On paper.** If 10 tasks take 12 ms and 210 take 62 ms, a task costs $50/200=0.25$ ms. The round costs
# $12-10\cdot0.25=9.5$ ms.
#
# **Predict** this price on worker processes, in microseconds.

# %% tags=["predict"] id="c04-022"
price = predict("microseconds a task, worker processes", None)


def nothing(k):
    return k


def seconds_for(K, **where):
    """Seconds to build a graph of K empty tasks, run it and bring the results."""
    return costmodel.typical(lambda: dask.compute([dask.delayed(nothing)(k) for k in range(K)], **where), repeats=3)


prices = {}
for place, where in {"threads of this process": {"scheduler": "threads"}, "worker processes": {}}.items():
    few, many = seconds_for(10, **where), seconds_for(210, **where)
    prices[place] = (many - few) / 200
    round_price = few - 10 * prices[place]  # at the end, that of worker processes
    print(f"{place:<24} {1e6 * prices[place]:6.0f} µs a task; ten take {1e3 * few:.1f} ms,", end=" ")
    print(f"so a round {1e3 * round_price:.1f} ms")
price.measured(1e6 * prices["worker processes"])
print(f"the post: 200 µs; yours ÷ the post's: {prices['worker processes'] / 200e-6:.2g}")

# %% tags=["assert"] id="c04-024"
Z, _ = recipes(20)
chain = (((Z + 1) * 2 - 3) / 4).sum()
counts, sums, took = {}, [], {}
for fused in (False, True):
    counts[fused] = viz.task_counts(chain, optimize_graph=fused)["tasks"]
    took[fused] = costmodel.typical(lambda fused=fused: sums.append(chain.compute(optimize_graph=fused)), repeats=3)
print(f"four operations in a row on 20 chunks: {counts[False]} tasks as written, {1e3 * took[False]:.0f} ms")
print(f"fused: 20 tasks for the chunks, {counts[True] - 20} that add two results each, {1e3 * took[True]:.0f} ms")
fewer = counts[False] - counts[True]
print(f"{fewer} tasks fewer: {1e3 * fewer * prices['worker processes']:.0f} ms less by the price above,"
      f" {1e3 * (took[False] - took[True]):.0f} ms less by the clock")  # fmt: skip
assert counts[True] <= counts[False] - 4 * 20, "the chain of each chunk became one task"
assert np.allclose(sums, sums[0]), "the same sum"

# %% [markdown] id="c04-023"
# A task for threads is built, scheduled and run in this process. One for a worker process is also sent as bytes, and
# its end is reported. The price rises if other programs use the cores. So other prices follow below and in notebook 09.
# The post does not say how it measured.
#
# Fusion saves the price of every task that it removes.
#
# <details><summary>How can the printed price of a round be negative?</summary>
#
# The price of a round is a small difference of two noisy times. Run the cell again.
#
# </details>
# <details><summary>Did the clock show that fusion saves time?</summary>
#
# Yes, if the last number printed is positive. It may differ from the number before it, because our price is that of an
# empty task that reads nothing. The removed tasks also read and kept results, and waited for each other. On the other
# hand, dask needs time to find the chains. (This sum goes over both axes, and then dask adds two results at a time.)
#
# </details>
#
# > *Systems note.* `cluster.client` shortens the time for which dask collects messages. A client of your own pays more.
#
# *Recap.*
# - An empty task costs time, and so does a round.
# - Two runs with different numbers of tasks tell the two prices apart.
# - So a pass should have few tasks, each with much work.

# %% [markdown] tags=["workshop"] id="c04-025"
# ## A task stream, and its white space (10 min, core)
#
# When do the workers compute, and when do they wait? `get_task_stream` collects when each task starts and ends; the
# dashboard shows this as its **task stream**.
#
# We record two passes in each style, then two by hand with one chunk for each core. A row is a thread of a worker, and
# a bar is a task. **White space** is the share of the threads' time without a task.
#
# **On paper.** A stream of two threads lasts 10 ms from the first start to the last end. One thread works 4 ms, the
# other 3 ms. Then $1-(4+3)/(2\cdot10)=65\,\%$ is white.
#
# **Predict** the white share of array style (per cent).

# %% tags=["predict", "figure", "assert"] id="c04-028"
white = predict("per cent white, array style", None)


def recorded(run):
    run()  # what is loaded once must not be seen
    with distributed.get_task_stream(client) as stream:
        [run() for _ in range(2)]
    parts = [part for record in stream.data for part in record["startstops"] if part["action"] in ("compute", "transfer")]
    return stream.data, max(part["stop"] for part in parts) - min(part["start"] for part in parts)


large = pieces(*(held := client.persist([X.rechunk((math.ceil(n / cores), -1)), y.rechunk(math.ceil(n / cores))])))
array = recorded(lambda: array_gradient(X, y, beta).compute())
small = recorded(lambda: one_pass(kernel, *chunks, beta).compute())
large = recorded(lambda: one_pass(kernel, *large, beta).compute())
held = None  # the workers let go of this copy
streams = {"array style": array[0], "one task for each chunk": small[0], "one task for each core": large[0]}
work, adds, other = "work on a chunk", "a sum", "β, or a second name"
words = dict.fromkeys(streams, {"kernel": work, "sum": adds, "array": other})
words["array style"] = {"sum-sum-aggregate": work, "sum": work, "sum-partial": adds, "mul-sum-aggregate": adds,
                        "sum-aggregate": other, "array": other}  # fmt: skip
title = f"Here: by hand {small[1] / array[1]:.0%} of the time of array style; one chunk a core {large[1] / array[1]:.0%}"
viz.show(viz.task_stream(streams, cores, words=words, title=title))
white.measured(100 * viz.white_space(streams["array style"], cores))
assert len(small[0]) < len(array[0]), "fewer tasks for the same gradient"

# %% [markdown] id="c04-029"
# White space has three causes. *Between passes* this process builds the next graph, sends it and waits for its result:
# mostly the price of the round. *Between tasks* a thread waits for its next task, or for what this task reads: the
# price of a task. *Before a sum* a thread waits for the slowest chunk.
#
# <details><summary>What is a grey bar?</summary>
#
# It is a `transfer`: the worker fetches what a task will read, perhaps while another task runs. A transfer computes
# nothing, so grey counts as white.
#
# </details>
# <details><summary>Why are bars of equal tasks not equally long?</summary>
#
# A bar is time by the clock. If another program has the core, or if the worker reads a message meanwhile, the bar is
# longer, although the work is the same. So the printed averages need not be proportional to the rows of a chunk.
#
# </details>
# <details><summary>The optimised graph of array style had 24 tasks. Why does its stream have more bars?</summary>
#
# The printed number of tasks is that of two passes. In a pass the stream has the 24 tasks, ten second names and
# $\beta$, which the scheduler treats like tasks, and dask's own last task, which joins the parts of the result: 36.
#
# </details>
#
# *Recap.*
# - White space shows the prices of tasks and rounds, and waiting.
# - A pass by hand has fewer bars. Its share of white need not be smaller: if both work and waiting become shorter, the
#   share can stay the same.
# - The white space between passes stays, because every pass needs a round.

# %% [markdown] tags=["workshop"] id="c04-031"
# ## A model of a pass, and its U-curve (20 min, core)
#
# How many chunks should the rows have? With few chunks cores are idle, and with many, tasks cost much. A model says how
# long a pass takes:
#
# $$T(K)=\text{round}+a\cdot\text{tasks}+\frac{\lceil K/C\rceil}K\cdot\text{work}+\text{reading}.$$
#
# Here $a$ is the price of a task, $C$ the number of cores, and *work* the seconds that one core needs for all rows. The
# fraction is the busiest core's **share** of the rows, because a core takes whole chunks. For example, with three
# chunks on two cores one core has $\lceil3/2\rceil=2$ of 3. *Reading* is the time that the memory needs to deliver the
# rows. More cores of one machine do not shorten it: they share the memory.

# %% [markdown] id="c04-033"
# **On paper.** Take 4 cores, 1 ms a task and 200 ms of work. Leave out the few tasks that add, round and reading. Then
# $T(2)=2+100$, $T(4)=4+50$, $T(5)=5+80$ and $T(100)=100+50$ ms, so $K=4$ is the fastest. But with four chunks the cores
# work on all rows at once. If each pass makes its rows anew and only a tenth fits into memory, we need
# $4/K\le\frac1{10}$. Then $K=40$ is the fastest: $40+50$ ms.
#
# **Exercise 2.** Each of the $np$ numbers in $X$ takes $b$ seconds of work and 8 bytes. Write `best_K`, which returns
# the $K$ in `Ks` with the least $T(K)=aK+b\,np\,\lceil K/C\rceil/K$. At a time the cores work on $\min(K,C)$
# chunks of $8np/K$ bytes. Together they must fit into `mem`.


# %% tags=["exercise"] id="c04-034"
def best_K(n, p, a, b, cores, mem, Ks):
    """The number of chunks, out of Ks, with the fastest pass.

    The min(K, cores) chunks that are worked on at a time must fit into mem bytes together.
    n, p: rows and columns of X. a: seconds for each task. b: seconds for each number of X. cores: how many.
    mem: bytes. Ks: candidates, in any order; at least one of them fits. Returns one of them.
    """
    raise NotImplementedError


# %% tags=["check"] id="c04-035"
best_K = use(best_K)
# hint("best_K")
# solution("best_K")

# %% [markdown] id="c04-036"
# Is the model right? We test it on glmlab's own passes, which also sum the Hessian $2X^\top X$, so that the cores have
# work to share: one half of this symmetric matrix takes $np^2$ operations, and a gradient only $4np$. (The Hessian also
# moves three times the bytes: weighted rows are written and read.)
#
# `costmodel.measured` times passes of several sizes and fits the prices to them. In turn it times passes for the seven
# $K$ of the next cell. The fit does not use these, so they test the model.
#
# <details><summary>Which prices can a fit tell apart?</summary>
#
# The fit is least squares of the relative errors, with no price below zero. It can separate a round from a task,
# because more chunks mean more tasks but not more rounds. It separates work from reading less well, because every pass
# does both. The round of the fit holds all that a pass pays once, also the way of its results to this process. So it
# may differ from the round of the empty tasks, which return one number.
#
# </details>
#
# **Predict** the fastest number of chunks. Then move the slider below the next figure (arrow keys work, too): it shows
# what each part costs at one $K$.

# %% tags=["predict"] id="c04-038"
fastest = predict("the fastest number of chunks", None)
Ks = [1, 2, 3, 4, 8, 16, 32]
part = scale.pick(ci=20_000, workshop=40_000, full=40_000)  # rows of the passes to predict
shapes = [costmodel.Shape(part, p, K, hessian=True) for K in Ks]
model, seconds = costmodel.measured(shapes, client, "numpy", "gaussian", None, Measuring(least=3))
measured = dict(zip(Ks, map(float, seconds), strict=True))
predicted = {K: model.parts(part, p, K, hessian=True) for K in Ks}  # round, tasks, share · work + reading
work = model._replace(bus=math.inf).parts(part, p, 1, hessian=True)[2]
reading = predicted[1][2] - work
fastest.measured(min(measured, key=measured.get))
print(f"a round {1e3 * model.latency:.3g} ms (by the empty tasks {1e3 * round_price:.3g} ms),", end=" ")
print(f"a task {1e3 * model.overhead:.3g} ms,", end=" ")
print(f"work {1e3 * work:.3g} ms on one core, reading {1e3 * reading:.3g} ms")
print("tasks:", "  ".join(f"K = {K}: {costmodel.n_tasks(K)}" for K in Ks))
print("measured ÷ predicted:", "  ".join(f"K = {K}: {measured[K] / sum(predicted[K]):.2f}" for K in Ks))

# %% tags=["figure", "assert"] id="c04-041"
viz.show(viz.chunk_curve(part, predicted, measured))
share = {K: math.ceil(K / cores) / K for K in Ks}
formula = {K: model.latency + model.overhead * costmodel.n_tasks(K) + share[K] * work + reading for K in Ks}
assert all(np.isclose(formula[K], sum(predicted[K])) for K in Ks), "the black line is the formula"
K_best = best_K(part, p, model.overhead, work / (part * p), cores, 1e9, Ks)
fast = min(measured, key=measured.get)
print(f"best_K: {K_best}; it took {measured[K_best] / measured[fast]:.2f} times as long as the fastest, K = {fast}")
T = {K: model.overhead * K + share[K] * work for K in Ks}
assert T[K_best] <= min(T.values()) * (1 + 1e-9), "yours is the least T"

paper_Ks = (*range(1, 10), 12, 16, 40, 100)
paper = {K: (0.01, 0.001 * K, 0.2 * math.ceil(K / 4) / K) for K in paper_Ks}  # a round of 10 ms
viz.show(viz.chunk_curve(1000, paper, {}, title="On 4 cores 4 chunks are best: no core is idle, and tasks are few"))
assert best_K(1, 1, 0.001, 0.2, 4, 1e9, list(paper)) == 4, "a U: idle cores on the left, tasks on the right"

# %% [markdown] id="c04-042"
# The second figure is the example on paper plus a round of 10 ms. Its curve falls because more cores work, and rises
# because every chunk costs a task. The peaks at $K=5$ and $K=9$ come from idle cores: in the end one works while three
# wait. In the first figure the left arm is flat if there is little work or much reading. If the clock is far from the
# line, trust the clock.
#
# <details><summary>Which part of the formula was wrong?</summary>
#
# Compare the printed ratios at $K=1$ and at $K=C$ (or near it). If the first is near 1 and the second far above 1, the
# cores together were not $C$ times as fast as one. Perhaps other programs used them, or they waited for the memory. If
# the ratio is below 1 at many chunks, costs overlap that the model adds: the scheduler hands out tasks while others
# run. If the ratios jump up and down, other programs disturbed the passes: run the cells of the model again.
#
# </details>
# <details><summary>Why does a pass over 32 chunks have 35 tasks, and one over 16 chunks 17?</summary>
#
# `glmlab` adds at most 16 results in one task. So 32 results need two sums, and a third adds theirs.
#
# </details>
#
# The post hoped for "auto-chunksize heuristics". If every chunk has a core, $T=aK+\text{work}/K$ is least at
# $K=\sqrt{\text{work}/a}$. `chunks="auto"` takes this $K$ for a typical machine, but at most as many chunks as it
# expects cores. It takes more if a chunk would be too large.

# %% id="c04-043"
print(f"auto expects at most {Chunking().cores} cores, and a chunk has at most {Chunking().largest / 1e6:.0f} MB")
for rows, columns in ((20_000, 100), (400_000, 100), (8_000_000, 15), (800_000_000, 15)):
    auto = datasets.make_logistic(rows, columns, chunks="auto")[0]
    print(f"{rows:>11,} × {columns:<3} chunks: {auto.numblocks[0]:>5,} × {auto.chunks[0][0]:>9,} rows")
print(glmlab.as_chunks(X[:10_000].rechunk((50, -1)), y[:10_000]).advice())

# %% [markdown] id="c04-040"
# This choice depends on $n$ and $p$ alone, because a result should not depend on how many cores you have. The last line
# printed is the `advice` that a fit gives if the chunks are far from a good size.
#
# *Recap.*
# - A pass costs a round, its tasks, the work of the busiest core, and reading.
# - By the model, few chunks leave cores idle, and many cost tasks. If memory allows, the best $K$ is at most the number
#   of cores.
# - A fit to whole passes tells the sum of work and reading well, but not how it splits.

# %% [markdown] tags=["workshop"] id="c04-044"
# ## The same bits in every run (15 min, core)
#
# The post set `OMP_NUM_THREADS=1`: "Surprisingly not doing so led both to worse performance and to non-deterministic
# results. An issue that we're still tracking down." What can be the cause?
#
# Floating-point addition is not associative: $(a+b)+c$ and $a+(b+c)$ can differ in the last bit. So the result of a sum
# may depend on the *order* of its additions. For example, keep three digits. In $(100+0.4)+0.4$ the first sum rounds
# to 100, and so does the second. But $100+(0.4+0.4)=100.8$ rounds to 101.
#
# **Predict.** We add the same ten parts in 20 random orders. How many different gradients result?

# %% tags=["predict"] id="c04-045"
gradients = predict("different gradients from 20 orders", None)
parts = dask.compute(*[dask.delayed(kernel)(X_k, y_k, beta) for X_k, y_k in zip(*chunks, strict=True)])
rng = np.random.default_rng(4)
sums = [sum(parts[k] for k in rng.permutation(n_chunks)) for _ in range(20)]
different = len({total[:-1].tobytes() for total in sums})
gradients.measured(different)
print(f"the same {n_chunks} parts in 20 orders: {different} different gradients, {len({s[-1] for s in sums})} losses")

r, by_threads = rng.normal(size=1_000_000), set()
for threads in (1, 2):
    with threadpool_limits(threads):
        by_threads.add(r @ r)
print(f"r @ r with one and with two BLAS threads: {len(by_threads)} different results")

# %% [markdown] id="c04-046"
# <details><summary>Why so many?</summary>
#
# Two gradients are the same only if all their 100 sums agree. One number, such as the loss, agrees more often.
#
# </details>
#
# In a parallel program three things can change the order:
#
# 1. **Which task finishes first**, if parts are added as they complete. *Cure:* add by position, as dask's sums do.
# 2. **How many BLAS threads share a product**, because they split its sums. (They also compete for cores, which may
#    explain the "worse performance".) *Cure:* one thread for each task. The post set it; today dask does.
# 3. **Where an array starts in memory.** A chunk from a message may start anywhere. If its address is no multiple of
#    eight bytes, NumPy copies it before a product, and the copy may have another layout. *Cure:* blocks that are
#    *aligned* (they start at such a multiple) and *contiguous* (row after row).
#
# <details><summary>Which of them was the post's cause?</summary>
#
# The post's setting points to the second. But our `r @ r` compares two *numbers* of threads, not two runs with the same
# number. Why the result varied in the post's runs, we do not know.
#
# </details>

# %% [markdown] id="c04-049"
# A flat sum, as in exercise 1, adds by position. But in a flat sum one worker must fetch all $K$ parts, which is slow
# where $K$ is large. A *tree* lets the workers share the additions.
#
# **On paper.** Seven parts, at most four in one task: one task adds the first four parts, another adds the last three,
# and a third adds the two results.
#
# **Exercise 3.** Write `tree_sum(parts, fan=4)`. It adds a list of delayed parts in groups of at most `fan` neighbours,
# with one task for each group. It then adds the results in the same way, until one is left. So a part's position in the
# list alone decides in which task it is added.


# %% tags=["exercise"] id="c04-047"
def tree_sum(parts, fan=4):
    """The sum of the delayed parts, added at most fan at a time in a tree that is always the same.

    parts: a list of K ≥ 1 delayed numbers or arrays of one shape. fan: at least 2.
    Returns one delayed value, which computes to a number or array of that shape. Nothing is computed here.
    """
    raise NotImplementedError


# %% tags=["check"] id="c04-048"
tree_sum = use(tree_sum)
# hint("tree_sum")
# solution("tree_sum")


# %% tags=["figure"] id="c04-059"
def steady(X_k, y_k, beta):
    """The kernel after the third cure: its blocks are contiguous and aligned."""
    return kernel(*(np.require(part, requirements="CA") for part in (X_k, y_k, beta)))


def steady_pass(Xs, ys, beta):
    shared = dask.delayed(beta)
    return tree_sum([dask.delayed(steady)(X_k, y_k, shared) for X_k, y_k in zip(Xs, ys, strict=True)])


few = pieces(*recipes(7))
held = client.persist([*few[0], *few[1]])
names = {"X": held[:7], "y": held[7:], "β": None}
shown = steady_pass(held[:7], held[7:], beta)
viz.show(viz.graph(shown, names=names, title="A tree by position: parts 1 to 4, and parts 5 to 7"))
A, t = map(np.array, dask.compute(chunks[0][0], chunks[1][0]))  # copies that start at a multiple of eight bytes
odd = np.frombuffer(b"?" + A.tobytes(), offset=1).reshape(A.shape)  # the same numbers, one byte further on
for name, function in {"kernel": kernel, "steady": steady}.items():
    same = function(A, t, beta).tobytes() == function(odd, t, beta).tobytes()
    print(f"{name}, at a multiple of eight bytes and one byte further: {'the same bits' if same else 'other bits'}")

# %% tags=["assert"] id="c04-050"
schedulers = {"one thread": "sync", "threads": "threads", "workers": None}  # None: the client's
bits = {name: steady_pass(*few, beta).compute(scheduler=which).tobytes() for name, which in schedulers.items()}
print(f"{len(bits)} schedulers, {len(set(bits.values()))} result")
assert different > 1, "the order decides about the last digits"
assert len(set(bits.values())) == 1, "a fixed tree: the same bits wherever it runs"

f = glmlab.Objective("gaussian", glmlab.as_chunks(X, y), kernels="numpy")
g = glmlab.Objective("gaussian", glmlab.as_chunks(*dask.compute(X, y), chunks=X.chunks[0]), kernels="numpy")
assert (f.loss_grad(beta).grad == g.loss_grad(beta).grad).all(), "glmlab: the same bits in memory and on workers"

# %% [markdown] id="c04-055"
# The last cell made and added seven chunks in one thread, in several threads and on the workers, and the bits agree.
#
# *Recap.*
# - A sum may have another result for each order of its additions.
# - Timing, BLAS threads and memory addresses can change the order.
# - With the same chunks, the same libraries and machines of one type, a tree by position, one BLAS thread for each
#   task, and aligned blocks fix it. (We measured with this machine's BLAS. Another BLAS may need blocks that start at a
#   multiple of more than eight bytes.)

# %% [markdown] tags=["workshop"] id="c04-051"
# ## When a round is expensive (5 min, core)
#
# What do these prices mean for an algorithm? We run gradient descent once more, with your functions: 12 steps, so 12
# rounds of one pass. The step is 03's best fixed one, $2/(L+\mu)$, where $\mu$ and $L$ are the smallest and largest
# eigenvalue of the Hessian.
#
# How much of a pass is work? We compare three times:
#
# - *The clock*: your pass, and glmlab's on the same rows.
# - *The model*, fitted to glmlab's passes. It prices your tasks like glmlab's, though yours may take longer to build,
#   and leaves out the delayed $\beta$, one more task for the scheduler.
# - *The work alone*: your kernel in this process, without dask.

# %% id="c04-052"
start = time.perf_counter()
H, Xty = dask.compute(2 * (X.T @ X), 2 * (X.T @ y))  # one pass more, for the step
mu, *_, L = np.linalg.eigvalsh(H)
rounds, begin = 12, time.perf_counter()
beta = np.zeros(p)
for _ in range(rounds):
    *grad, loss = steady_pass(*chunks, beta).compute()
    beta = beta - 2 / (L + mu) * np.array(grad)
end = time.perf_counter()

tasks = viz.task_counts(steady_pass(*chunks, beta))["tasks"]
points = iter(np.random.default_rng(5).normal(size=(rounds + 1, p)))  # at a known point f makes no pass
ours = costmodel.typical(lambda: f.loss_grad(next(points)), repeats=rounds)
latency, _, rest = model.parts(n, p, n_chunks)
passes = {"your": (tasks, (end - begin) / rounds), "glmlab's": (costmodel.n_tasks(n_chunks), ours)}
for whose, (number, taken) in passes.items():
    parts = 1e3 * np.array([latency, number * model.overhead, rest])
    print(f"{whose} pass of {number} tasks: {1e3 * taken:.1f} ms, {1e3 * taken / parts.sum():.2f} times", end=" ")
    print("the model's {:.1f} ms = {:.1f} round + {:.1f} tasks + {:.1f} work and reading".format(parts.sum(), *parts))
building = costmodel.typical(lambda: steady_pass(*chunks, beta))
computing = costmodel.typical(lambda: steady(A, t, beta)) * math.ceil(n_chunks / cores)
print(f"your pass by the clock: {1e3 * building:.1f} ms to build the graph, {1e3 * computing:.1f} ms of work", end=" ")
print(f"for each core (timed here without dask), {100 * computing / passes['your'][1]:.2g}% of the pass")

# %% [markdown] id="c04-053"
# Often only a small part of a pass is work, and every iteration pays for the rest. The model adds round, tasks, work
# and reading. Where the clock is far above this sum, the model misses something. Larger chunks mean fewer tasks, but a
# pass still needs a round, and a task for each core that is to work.
#
# <details><summary>Why can the model's work and reading be far more than the work that we timed?</summary>
#
# We timed one chunk several times, so the cache may hold it. In a pass the workers read all chunks, and they share the
# memory. Moreover, the model was fitted earlier. If other programs used the cores then, it took their time for work and
# reading.
#
# </details>
#
# So if a round is expensive, **do more in each round**: let each worker *solve* its chunk. That is ADMM, notebook 05.
#
# *Recap.*
# - A gradient step is one round, often with little work.
# - Chunks and kernels change the work and the tasks of a round, not the number of rounds.
# - Only another algorithm can need fewer rounds.

# %% tags=["assert"] id="c04-054"
proof = certificate_at(f, Zero(), beta)  # what certify calls, here with f's kernels
ledger.add(
    "04: gradient descent, one task a chunk",  # with the pass and the round that make H; tasks of the steps alone
    passes=rounds + 1, rounds=rounds + 1, tasks=rounds * tasks, bytes=X.nbytes, seconds=end - start,
    error=np.abs(beta - beta_true).max(), zeros=np.sum(beta == 0), gap=proof.relative,
)  # fmt: skip
assert proof.rigorous and proof.relative <= 1e-9, "proved: near the optimum"
assert np.abs(beta - np.linalg.solve(H, Xty)).max() <= 1e-6, "agrees with the normal equations"
client.close()
assert client.status == "closed"
ledger

# %% [markdown] tags=["workshop"] id="c04-056"
# ## What we measured · Check yourself · Next
#
# - One gradient by hand needs fewer tasks than in array style.
# - Tasks and rounds have prices. A task stream shows them, and waiting, as white space.
# - A model with four costs predicts a pass. We printed how far the clock was from it.
# - A sum in a fixed order has one result.
#
# **Check yourself.**
#
# 1. 100 chunks, 2 cores, 1 ms a task, 300 ms of work: how long is a pass without its round, and which $K$ is fastest?
# 2. A stream is 90 % white: name two remedies.
# 3. Two runs differ in the last digit: why?
#
# <details><summary>Answers</summary>
#
# 1. $100+150=250$ ms; $K=2$ needs 152.
# 2. Larger chunks, or more work in each round.
# 3. Their additions had another order.
#
# </details>
#
# **Next.** [05 ADMM](05_admm.ipynb): how to need fewer rounds.
