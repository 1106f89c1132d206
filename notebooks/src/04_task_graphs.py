# %% [markdown] id="c04-001"
# # Count tasks: see where the time of a pass goes, and choose chunks by a model
#
# *We ask for one gradient in two styles, record what the workers do, predict a pass before we run it, and make its bits repeat.*
#
# **35 minutes.** Prerequisites: [03 gradient descent](03_gradient_descent.ipynb).
#
# Afterwards you can
#
# - count the tasks of a graph, and write a pass with one task a chunk;
# - read a task stream, and say how much of it is white;
# - predict the seconds of a pass, and choose its chunks;
# - sum to the same bits always.
#
# Next: [05 ADMM](05_admm.ipynb).

# %% tags=["setup"] id="c04-002"
import math
import time

import dask
import distributed
import numpy as np
from threadpoolctl import threadpool_limits

import glmlab
from glmlab.machine import cluster
from glmlab.machine import costmodel
from glmlab import datasets, viz
from glmlab.maths.certificates import certificate_at
from glmlab.maths.penalties import Zero
from glmlab.teaching import hint, ledger, predict, scale, solution, use

one_thread = threadpool_limits(1)  # as each worker has it: the section on bits says why

# %% [markdown] tags=["workshop"] id="c04-003"
# ## One gradient, two styles (8 min)
#
# Notebook 03 ended with a question: a loop of few iterations was slow, so where did the time go? A pass over the rows is a **graph**
# of tasks. The scheduler hands each task to a worker, and every one of them has a price.
#
# The gradient of F(β) = Σᵢ (yᵢ − xᵢᵀβ)² is 2Xᵀ(Xβ − y). First in **array style**, as the post writes it: every operation on an array
# becomes a task for every chunk. We count the tasks for K = 10 chunks that nobody has made yet: their recipes are part of the graph.

# %% tags=["parameters", "setup"] id="c04-004"
n = scale.pick(ci=20_000, workshop=160_000, full=1_000_000)
p, n_chunks = 100, 10
client = cluster.client()
X, y, beta_true = datasets.course(n, p=p, chunks=n // n_chunks)
X, y = client.persist([X, y])
distributed.wait([X, y])
cores = sum(client.nthreads().values())
print(cluster.dashboard_link(client) or "This client has no dashboard.")


# %% id="c04-006"
def array_gradient(X, y, beta):
    return 2 * X.T.dot(X.dot(beta) - y)


def recipes(K):
    """K small chunks of X and of y, not made yet."""
    return datasets.make_regression(100 * K, p, chunks=100)[:2]


zero = np.zeros(p)
gradient = array_gradient(*recipes(10), zero)
written = viz.task_counts(gradient)["tasks"]
optimised = viz.task_counts(gradient, optimize_graph=True)["tasks"]
print(f"array style, 10 chunks: {written} tasks as written, {optimised} after dask's optimisation")

# %% [markdown] id="c04-007"
# Before a graph runs dask *optimises* it. **Fusion** is one part of that: if only one task reads what another makes, both become one task, and
# nothing is handed over. Here is what is left for three chunks, from bottom to top: `table_chunk` makes X_k, `response_chunk` y_k; dask
# calls a product after its last operation, a sum. Each X_k has several readers (the recipe of y_k, X.dot and
# X.T.dot), and so has β; there fusion has to stop.

# %% tags=["figure"] id="c04-008"
viz.show(viz.graph(array_gradient(*recipes(3), zero), optimize_graph=True))

# %% [markdown] id="c04-009"
# Now **by hand**. `kernel` does all that a chunk has to do, in NumPy, in one task. It returns p + 1 numbers: the chunk's
# part of the gradient, and of the loss. `X.to_delayed()` gives the chunks as delayed values; `dask.delayed(f)(x)` is a call that waits.
#
# **Exercise 1.** `one_pass(kernel, Xs, ys, beta)`: the sum of `kernel(X_k, y_k, beta)` over the chunks, as *one* delayed value, with one call
# of the kernel for each chunk and β in the graph once.


# %% id="c04-010"
def kernel(X_k, y_k, beta):
    r = X_k @ beta - y_k
    return np.append(2 * (X_k.T @ r), r @ r)


def pieces(X, y):
    """The chunks as two lists of delayed values."""
    return list(X.to_delayed().ravel()), list(y.to_delayed().ravel())


# %% tags=["exercise"] id="c04-011"
def one_pass(kernel, Xs, ys, beta):
    """Σ_k kernel(X_k, y_k, beta) as one delayed value, with one task a chunk."""
    raise NotImplementedError


# %% tags=["check"] id="c04-012"
one_pass = use(one_pass)
# hint("one_pass")
# solution("one_pass")

# %% [markdown] id="c04-013"
# **Predict.** At K = 10 chunks the hand-written graph has how many tasks (a recipe for X_k and one for y_k, a call, and what adds them)? Then at
# K = 40?

# %% tags=["predict", "assert", "figure"] id="c04-015"
tasks_at_40 = predict("tasks by hand at 40 chunks", None)
by_hand = {K: viz.task_counts(one_pass(kernel, *pieces(*recipes(K)), zero))["tasks"] for K in (10, 40)}
tasks_at_40.measured(by_hand[40])
print(f"10 chunks: {written} tasks in array style, {optimised} optimised, {by_hand[10]} by hand")
for K, count in by_hand.items():
    print(f"K = {K}: {count} tasks by hand; 3K + 1 = {3 * K + 1} where one task adds all")
    assert count <= 4 * K + 2, "one task a chunk, beside those that make it"
assert 3 * 10 + 1 < optimised < written, "fewest where one task adds all"
viz.show(viz.graph(one_pass(kernel, *pieces(*recipes(3)), zero)))

# %% [markdown] id="c04-017"
# > *Systems note.* β is an argument of all K calls. Written into each of them it travels K times; `dask.delayed(beta)` is one box that all read.
# > And `to_delayed` optimises X and y apart: here the recipe of y_k makes X_k once more. Rows that are kept cost no recipe.
#
# Do both styles compute the same? The chunks of our X and y are on the workers already (01's `persist`): a pass by hand is then one task a chunk,
# and a sum. (To the scheduler β is a task, too.)

# %% tags=["assert"] id="c04-019"
beta = np.linspace(0, 1, p)
chunks = pieces(X, y)
by_arrays = array_gradient(X, y, beta).compute()
*grad, loss = one_pass(kernel, *chunks, beta).compute()
kept = viz.task_counts(one_pass(kernel, *chunks, beta))["tasks"]
print(f"largest difference {np.abs(by_arrays - grad).max() / np.abs(grad).max():.1e} of the gradient; {kept} tasks")
assert np.allclose(grad, by_arrays, rtol=1e-9, atol=1e-9 * np.abs(grad).max())
assert kept <= 2 * n_chunks + 2, "recipes are no longer in the graph"

# %% [markdown] tags=["workshop"] id="c04-020"
# ## The price of a task (5 min)
#
# "Often our tasks take only a few milliseconds, which makes Dask's overhead of 200us per task become very relevant", says the post. We measure
# it here with tasks that do nothing: K of them, then many more. The difference, divided by their number, is the price of one; what all K
# have in common, the price of the **round**, cancels.
#
# **Predict** the price of a task on your two worker processes, in microseconds.

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
    print(f"{place:<24} {1e6 * prices[place]:6.0f} µs a task; ten take {1e3 * few:.1f} ms, round and all")
price.measured(1e6 * prices["worker processes"])
print("the post: 200 µs")

# %% [markdown] id="c04-023"
# Threads share memory: a task is a function call with some book-keeping. For a worker process it is written down as bytes, sent, read, run, and
# its end is reported back.
#
# Fusion saves that price wherever tasks form a chain. Four operations in a row on 20 tiny chunks, with fusion and without:

# %% tags=["assert"] id="c04-024"
Z, _ = recipes(20)
chain = (((Z + 1) * 2 - 3) / 4).sum()
counts = {fused: viz.task_counts(chain, optimize_graph=fused)["tasks"] for fused in (False, True)}
for fused, count in counts.items():
    took = costmodel.typical(lambda fused=fused: chain.compute(optimize_graph=fused), repeats=3)
    print(f"{'fused' if fused else 'as written':<10} {count:>4} tasks, {1e3 * took:6.0f} ms")
assert counts[True] <= counts[False] - 4 * 20, "the chain of each chunk became one task"

# %% [markdown] tags=["workshop"] id="c04-025"
# ## A task stream, and its white space (6 min)
#
# The workers note when each task starts and ends. `get_task_stream` records that: it is what the dashboard's **task stream** shows, and the post's
# "profile plots". We record five passes in each style, with the chunks that the workers hold;
# then five by hand with one chunk a core.
#
# **Predict** how much of the workers' time in array style is *white*, spent on no task of ours, in per cent.

# %% tags=["predict"] id="c04-027"
white = predict("per cent white, array style", None)


def recorded(run, passes=5):
    run()  # what is loaded once shall not be seen
    with distributed.get_task_stream(client) as stream:
        for _ in range(passes):
            run()
    return stream.data


rows = math.ceil(n / cores)
large_X, large_y = client.persist([X.rechunk((rows, -1)), y.rechunk(rows)])
large = pieces(large_X, large_y)
streams = {
    "array style": recorded(lambda: array_gradient(X, y, beta).compute()),
    "one task a chunk": recorded(lambda: one_pass(kernel, *chunks, beta).compute()),
    "one task a core": recorded(lambda: one_pass(kernel, *large, beta).compute()),
}
large = large_X = large_y = None  # the workers let go of this copy

# %% tags=["figure", "predict", "assert"] id="c04-028"
white.measured(100 * viz.white_space(streams["array style"], cores))
viz.show(viz.task_stream(streams, cores))
bars = {name: len([record for record in stream if record["status"] == "OK"]) for name, stream in streams.items()}
share = {name: viz.white_space(stream, cores) for name, stream in streams.items()}
for name in streams:
    print(f"{name:<17} {bars[name] / 5:5.1f} tasks a pass, {share[name]:.0%} white")
assert bars["one task a chunk"] < bars["array style"], "fewer tasks for the same gradient"
assert all(0 <= value < 1 for value in share.values())

# %% [markdown] id="c04-029"
# A row is a worker's thread; time runs to the right. Point at a rectangle to read its task, zoom with the wheel or the buttons.
#
# **White space** is 1 − busy / (threads × span). There are two kinds: the gaps *between passes*, in which we build a graph, send it and wait (the price of
# a round), and those *between tasks* (the price of a task). Grey is no work either: a `transfer` fetches what a task must read. Fewer tasks shorten a pass; only more work in each fills it.
#
# > *Systems note.* `distributed.performance_report` with `mode="inline"` keeps a stream and the profile of the workers as a page
# > that opens without a network.

# %% [markdown] tags=["workshop"] id="c04-031"
# ## A model of a pass, and its U-curve (8 min)
#
# T(K) = latency + a · tasks + bytes / bus + ⌈K/cores⌉/K · work, with work = flops / rate + bytes / bandwidth + n · row.
#
# A round costs `latency`, a task a seconds. Memory hands all cores together `bus` of X's 8np bytes a second, whatever K. Work is divided:
# a core does `rate` of the 4np flops a second, takes in `bandwidth` bytes, and spends `row` seconds on η, ℓ, ℓ′ of a row.
# ⌈K/cores⌉/K is the busiest core's **share**: 3 chunks, 2 cores: 2/3.
#
# `costmodel.measure` times passes with NumPy kernels and fits six numbers. (`inf`, or 0 ns: that term did not show.)

# %% id="c04-032"
start = time.perf_counter()
model = costmodel.measure(client, kernels="numpy", family="gaussian")
print(f"{model}\nmeasured in {time.perf_counter() - start:.1f} s")

# %% [markdown] id="c04-033"
# **Exercise 2.** `best_K(n, p, a, b, cores, mem, Ks)` returns the K in Ks with the least T(K) = a·K + b·n·p·⌈K/cores⌉/K. That is the model without what is
# the same for all K (latency and bus), and with K tasks; b = 4/rate + 8/bandwidth + row/p is one core's seconds for one
# number of X. At any time min(K, cores) chunks are in work; their bytes, 8·n·p/K each, must together fit into `mem`.


# %% tags=["exercise"] id="c04-034"
def best_K(n, p, a, b, cores, mem, Ks):
    """The number of chunks, out of Ks, with the fastest pass whose chunks in work fit into mem bytes."""
    raise NotImplementedError


# %% tags=["check"] id="c04-035"
best_K = use(best_K)
# hint("best_K")
# solution("best_K")

# %% [markdown] id="c04-036"
# Now hold the model against passes that it has not seen: ours, over all n rows, cut in other ways. Each is repeated, and its median
# counts: now and then a pass has luck, or the machine something else to do.
#
# **Predict** which K is the fastest. (In the figure, move the slider, or select it and press the arrow keys, to cut the rows into other chunks.)

# %% tags=["predict"] id="c04-038"
fastest = predict("the fastest number of chunks", None)
here = dask.compute(X, y)


def pass_seconds(K):
    rows = math.ceil(n / K)
    A, t = (cluster.dealt(client, a, rows) for a in here)  # as many to each worker
    distributed.wait([A, t])
    f = glmlab.Objective("gaussian", glmlab.as_chunks(A, t), kernels="numpy")
    betas = iter(np.eye(p))  # another β each time: f remembers the last one
    return costmodel.typical(lambda: f.loss_grad(next(betas)))


Ks = [1, 2, 3, 4, 8, 16, 32, 64]
predicted = {K: model.parts(n, p, K) for K in Ks}
measured = {K: pass_seconds(K) for K in Ks}
fastest.measured(min(measured, key=measured.get))
errors = [sum(predicted[K]) / measured[K] - 1 for K in Ks]
print("  ".join(f"K = {K}: {error:+.0%}" for K, error in zip(Ks, errors, strict=True)), "(predicted against measured)")

# %% tags=["figure", "assert"] id="c04-041"
viz.show(viz.chunk_curve(n, predicted, measured))
b = 4 / model.rate + 8 / model.bandwidth + model.row / p  # one core's seconds for one number of X
K_best = best_K(n, p, model.overhead, b, cores, 1e9, Ks)
rows = model.best_chunks(n, p)
K_model = math.ceil(n / rows)
print(f"best_K: {K_best}; the model, which counts the tasks that add, too: {viz.count_text(K_model, 'chunk')}")
assert all(model.seconds(n, p, K_model) <= model.seconds(n, p, K) for K in Ks), "none of Ks is faster"
T = {K: model.overhead * K + b * n * p * math.ceil(K / cores) / K for K in Ks}
assert T[K_best] <= min(T.values()) * (1 + 1e-9), "yours is the least T"

# %% [markdown] id="c04-042"
# "I suspect that for the dask-glm in particular we'll just develop auto-chunksize heuristics that will mostly solve this problem", says the post.
# With a core for each chunk T = a·K + work/K, least at K = √(work/a): `chunks="auto"` takes so many, up to 16, at prices of
# most machines, and more only where a chunk would be too large for a worker. It goes by n and p alone: bits shall not depend on *your* machine.
# A fit's `advice` names chunks that are far off. (Last: many cores. Tasks are still handed out one by one.)
#
# Is K = 1 as fast as any? Then one core empties the bus, and a second waits for the same memory.

# %% id="c04-043"
for rows, columns in ((20_000, 100), (400_000, 100), (8_000_000, 15), (800_000_000, 15)):
    auto = datasets.make_logistic(rows, columns, chunks="auto")[0]
    print(f"{rows:>11,} × {columns:<3} auto: {auto.numblocks[0]:>5,} chunks of {auto.chunks[0][0]:>9,} rows")

tiny = glmlab.as_chunks(X[:10_000].rechunk((50, -1)), y[:10_000])
print(tiny.advice())
for many in (cores, 64, 1024):
    other = model._replace(cores=many, bus=model.bus * many / cores)  # each machine brings its memory
    K = math.ceil(10**8 / other.best_chunks(10**8, p, memory=1e8))
    took = f"{other.seconds(10**8, p, K):5.2f} s a pass in {K:,} chunks of 100 MB at most"
    print(f"10⁸ rows, {many:>4} cores of {many // cores:>3} such machines, by the model: {took}")

# %% [markdown] tags=["workshop"] id="c04-044"
# ## The same bits, always (5 min)
#
# The post set OMP_NUM_THREADS=1: "Surprisingly not doing so led both to worse performance and to non-deterministic results. An issue that we're still tracking down."
# Here is the issue. Floating-point addition is not associative: (a + b) + c and a + (b + c) round differently. So a sum has as
# many results as it has orders. We add the same ten parts in 20 orders.

# %% id="c04-045"
parts = dask.compute(*[dask.delayed(kernel)(X_k, y_k, beta) for X_k, y_k in zip(*chunks, strict=True)])
rng = np.random.default_rng(4)
sums = [sum(parts[k] for k in rng.permutation(n_chunks)) for _ in range(20)]
different = len({total.tobytes() for total in sums})
print(f"the same {n_chunks} parts in 20 orders: {different} different gradients, {len({s[-1] for s in sums})} losses")

r, by_threads = rng.normal(size=1_000_000), set()
for threads in (1, 2, 4):
    with threadpool_limits(threads):
        by_threads.add(r @ r)
print(f"r @ r with 1, 2 and 4 BLAS threads: {len(by_threads)} different results")

# %% [markdown] id="c04-046"
# Clocks choose the order: which *task* is ready first, and (inside a product) how many *BLAS threads* share the rows. Too many of these also fight for the cores,
# hence the "worse performance". One BLAS thread a task stops the second clock. The first is yours:
#
# **Exercise 3.** `tree_sum(parts, fan=4)` adds delayed parts in a tree, at most `fan` in a task. What is added to what follows from places
# in the list.


# %% tags=["exercise"] id="c04-047"
def tree_sum(parts, fan=4):
    """The sum of the delayed parts, added at most fan at a time in a tree that is the same always."""
    raise NotImplementedError


# %% tags=["check"] id="c04-048"
tree_sum = use(tree_sum)
# hint("tree_sum")
# solution("tree_sum")

# %% [markdown] id="c04-049"
# (The flat sum of exercise 1 has a fixed order, too. But one worker must fetch all K parts for it; a tree lets the workers share the additions.)
#
# A third clock decides which worker makes a chunk and which one reads it. An array that came over the network may begin at an odd address in memory.
# NumPy then copies it, in another layout, before it calls BLAS, which adds in another order. So a steady kernel starts with
# arrays that are *C-contiguous and aligned*.


# %% id="c04-059"
def steady(X_k, y_k, beta):
    return kernel(*(np.require(part, requirements="CA") for part in (X_k, y_k, beta)))


def steady_pass(Xs, ys, beta):
    shared = dask.delayed(beta)
    return tree_sum([dask.delayed(steady)(X_k, y_k, shared) for X_k, y_k in zip(Xs, ys, strict=True)])


A, t = dask.compute(chunks[0][0], chunks[1][0])
odd = np.frombuffer(b"?" + A.tobytes(), offset=1).reshape(A.shape)  # the same numbers, one byte further on
for name, function in {"kernel": kernel, "steady": steady}.items():
    same = function(A, t, beta).tobytes() == function(odd, t, beta).tobytes()
    print(f"{name}: {'the same bits' if same else 'other bits'} at an odd address")

# %% tags=["assert"] id="c04-050"
few = pieces(*recipes(7))  # made and summed by three schedulers: in one thread, in several, and on the workers
schedulers = {"one thread": "sync", "threads": "threads", "workers": None}  # None: the client's
bits = {name: steady_pass(*few, beta).compute(scheduler=which).tobytes() for name, which in schedulers.items()}
assert different > 1, "the order decides about the last digits"
assert len(set(bits.values())) == 1, "a fixed tree: the same bits wherever it runs"

f = glmlab.Objective("gaussian", glmlab.as_chunks(X, y), kernels="numpy")
g = glmlab.Objective("gaussian", glmlab.as_chunks(*dask.compute(X, y), chunks=X.chunks[0]), kernels="numpy")
assert (f.loss_grad(beta).grad == g.loss_grad(beta).grad).all(), "glmlab: the same bits in memory and on workers"
print(f"{len(bits)} schedulers, {len(set(bits.values()))} result")

# %% [markdown] tags=["workshop"] id="c04-051"
# ## If a round is dear (3 min)
#
# Gradient descent once more, with your two functions: a round for every step, and little work in it. (Step and bound are 03's.)

# %% id="c04-052"
H, Xty = dask.compute(2 * (X.T @ X), 2 * (X.T @ y))
mu, *_, L = np.linalg.eigvalsh(H)
rounds, start = 12, time.perf_counter()
beta = np.zeros(p)
for _ in range(rounds):
    *grad, loss = steady_pass(*chunks, beta).compute()
    beta = beta - 2 / (L + mu) * np.array(grad)
seconds = time.perf_counter() - start

latency, overhead, work = model.parts(n, p, n_chunks)
total = latency + overhead + work
betas = iter(np.eye(p))
print(
    f"{1e3 * seconds / rounds:.1f} ms a step; {1e3 * costmodel.typical(lambda: f.loss_grad(next(betas))):.1f} ms for glmlab's pass"
)
print(
    f"by the model {work / total:.0%} of a pass is work, {overhead / total:.0%} tasks, {latency / total:.0%} the round"
)

# %% [markdown] id="c04-053"
# (Joining the graphs of 2K delayed chunks is work, too, for Python, here; glmlab's pass does it once, beforehand.)
#
# Fewer tasks help, and larger chunks. What remains is the round itself. **If a round is dear, do more between rounds**: let each worker not only evaluate its chunk
# but *solve* it, and then talk. That is ADMM, notebook 05.

# %% tags=["assert"] id="c04-054"
proof = certificate_at(f, Zero(), beta)  # what certify calls, here with f's kernels
tasks = viz.task_counts(steady_pass(*chunks, beta))["tasks"]
ledger.add(
    "04: gradient descent, one task a chunk",
    passes=rounds, rounds=rounds, tasks=rounds * tasks, bytes=X.nbytes, seconds=seconds,
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
# - One gradient by hand is fewer tasks than optimised array style.
# - Tasks and rounds have prices; a task stream shows both as white.
# - A few numbers predict a pass. Few chunks leave cores idle (unless memory is the limit), many cost tasks.
# - A sum has as many results as orders; a fixed tree and one BLAS thread have one.
#
# **Check yourself.** 100 chunks, 4 cores, 1 ms a task, 200 ms of work on one core: how long is a pass, and which K is fastest? A
# stream is 90 % white: name two remedies. Two runs differ in the last digit: why?
#
# **Next.** [05 ADMM](05_admm.ipynb).
