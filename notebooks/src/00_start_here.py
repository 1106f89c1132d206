# %% [markdown] id="c00-001"
# # Start here: run, predict, measure, prove
#
# *In twenty minutes you have two worker processes, a way to ask for help, and a first answer that comes with a proof.*
#
# **20 minutes.** Prerequisites: NumPy and a little convex optimisation; no sockets, no clusters.
#
# Afterwards you can
#
# - start workers, watch them on the dashboard and close them;
# - choose the scale at which every notebook runs;
# - ask an exercise for a check, a hint, the solution or a fresh start;
# - read a certificate and a row of the ledger.
#
# Next: [01 data creation](01_data_creation.ipynb).

# %% [markdown] id="c00-002"
# ## One story (3 min)
#
# In March 2017 two people wrote a blog post, [Dask and distributed convex
# optimization](https://blog.dask.org/2017/03/22/dask-glm-1). One knew optimisation, the other knew how to move bytes
# around. They fitted linear and logistic models with gradient descent and with ADMM, on a laptop and on a cluster.
#
# *Ten iterations of ADMM, an algorithm of notebook 05, printed 12 zero coefficients.* Does the minimiser have 12 zeros? The
# post could not say. In 05 you predict the printed number without touching the data, in 06 you prove that the minimiser
# has none, and in 10 you reach it in three or four passes.

# %% [markdown] id="c00-003"
# Both authors speak in the margin of this course:
#
# > *Optimiser's note.* Everything here is min F(β) = f(β) + g(β): a loss f summed over n rows, plus a penalty g on p
# > coefficients. We count *passes*: how often all rows were read.
#
# > *Systems note.* The rows lie in chunks on several processes. We count *rounds*: how often everybody had to wait for
# > everybody.
#
# The twelve notebooks, each with the question that leads to it:

# %% tags=["figure"] id="c00-004"
from glmlab.viz import course_map, show

show(course_map())

# %% [markdown] id="c00-005"
# ## Run a cell (2 min)
#
# A cell runs with **Shift+Enter**; *Run → Run All Cells* runs them all. Exercises never stop Run All: where your answer
# is missing, ours goes on, and says so.
#
# The next cell tells what this course may use here. `cores` and `memory` are what this process may have, which in a
# container is less than what the host has.

# %% tags=["setup"] id="c00-006"
import os
import time

import numpy as np

import glmlab
from glmlab.machine import cluster
from glmlab.teaching import check, hint, ledger, machine, predict, reset, scale, solution, use

machine()

# %% [markdown] id="c00-007"
# **Scale** is one knob for every notebook: the environment variable `GLMLAB_SCALE`. `ci` takes seconds, `workshop` (the
# default) fits a small cloud machine, `full` has the sizes of the post. Set it before you start JupyterLab, as in
# `GLMLAB_SCALE=ci make lab`, or write `%env GLMLAB_SCALE=ci` in a first cell of your own.
#
# In the notebooks a size is asked for like this:

# %% tags=["parameters"] id="c00-008"
n = scale.pick(ci=4_000, workshop=40_000, full=400_000)
p = 10
print(f"At scale {scale.name} we use {n:,} rows and {p} columns in this notebook.")

# %% [markdown] id="c00-009"
# ## Two processes and a dashboard (5 min)
#
# Three words for the whole course. A **scheduler** assigns tasks; **workers** run them; a **client** is how this notebook
# talks to the scheduler. Workers are processes of their own, even on one laptop.
#
# `cluster.client()` gives every notebook its client: the client already open, or the cluster whose address is in
# `DASK_SCHEDULER_ADDRESS`, or two new worker processes on this machine.

# %% id="c00-010"
client = cluster.client()
print(f"{len(client.nthreads())} workers are ready")
print("dashboard:", cluster.dashboard_link(client) or "this client has none")

# %% [markdown] id="c00-011"
# The dashboard shows what workers do while they do it. `make lab` has its panes open on the right. Elsewhere, open the
# address above in a browser tab.

# %% [markdown] id="c00-013"
# A task that does nothing but wait: `nap` sleeps, then says which process it slept in. We submit eight naps of a quarter
# of a second.
#
# **Predict, then measure.** How many seconds until all eight are done? One process would need two seconds. Write your
# guess in the place of `None`, then run on.

# %% tags=["predict"] id="c00-014"
eight_naps = predict("seconds for eight naps", None)


# %% id="c00-015"
def nap(k):
    time.sleep(0.25)
    return k, os.getpid()


start = time.perf_counter()
futures = client.map(nap, range(8), pure=False)
print(futures[0])
answers = client.gather(futures)
seconds = time.perf_counter() - start

# %% [markdown] id="c00-016"
# `client.map` returned at once: a **future** is the receipt for a result that some worker will have. `gather` waited and
# brought the results here. (Did you see eight bars on the dashboard?)

# %% tags=["predict"] id="c00-017"
eight_naps.measured(seconds)
workers = len(client.nthreads())
print(f"{len({pid for _, pid in answers})} processes took part, of {workers} workers.")

# %% [markdown] id="c00-018"
# Results come back in the order in which we asked, whoever finished first. And none of the naps took place in this
# process:

# %% tags=["assert"] id="c00-019"
order = [k for k, _ in answers]
processes = {pid for _, pid in answers}
assert order == list(range(8)), "results come back in the order asked"
assert os.getpid() not in processes, "workers are other processes"

# %% [markdown] id="c00-020"
# ## An exercise, and four ways to get help (6 min)
#
# `chunks` is a list of arrays, the row chunks of one long array; not all are equally long. Write `total(chunks)`: the
# sum of squares of all entries, with the squares of *one* chunk in memory at a time.
#
# Replace the line that raises, then run the cell after it.


# %% tags=["exercise"] id="c00-021"
def total(chunks):
    """Sum of squares over all chunks (a list of arrays (n_k, p))."""
    raise NotImplementedError


# %% [markdown] id="c00-022"
# `check` tests *conditions*, never equality with our answer: any right function passes, however written.

# %% tags=["check"] id="c00-023"
check(total);

# %% [markdown] id="c00-024"
# Stuck? `hint` has three levels; each says more than the one before.

# %% id="c00-025"
hint("total", 1)

# %% [markdown] id="c00-026"
# `use` is what the notebooks go on with: your function if it is right, ours if it is not yet.

# %% tags=["check"] id="c00-027"
total = use(total)

# %% [markdown] id="c00-028"
# `solution("total")` prints our source. `reset("00")` renames this notebook to `00_start_here.old-1.ipynb` and puts a fresh
# one in its place. Save first (Ctrl+S): what is not on disk is not kept. Afterwards choose *File → Reload Notebook from
# Disk*. Both calls are here as comments: remove the `#` when you want one.

# %% tags=["solution"] id="c00-029"
# solution("total")
# reset("00")

# %% [markdown] id="c00-030"
# Whichever function goes on, it must agree with NumPy on the whole array:

# %% tags=["assert"] id="c00-031"
rng = np.random.default_rng(0)
whole = rng.normal(size=(n, p))
pieces = np.array_split(whole, [n // 7, n // 2])
print(f"{total(pieces):.17g} by chunks, {np.sum(whole**2):.17g} at once")
assert np.isclose(total(pieces), np.sum(whole**2), rtol=1e-12)

# %% [markdown] id="c00-032"
# The last digits may differ: floating-point addition is not associative, and other chunks are other brackets. Notebook 04
# makes a sum over given chunks yield the same bits on any number of workers.

# %% [markdown] id="c00-033"
# ## A first answer with a proof (3 min)
#
# What this course is about, in one call. We draw n rows with y = Xβ + noise and fit least squares,
# F(β) = Σᵢ (yᵢ − xᵢᵀβ)², on the two workers: X is a *dask array* in four chunks of rows.

# %% id="c00-034"
from glmlab.datasets import make_regression

X, y, beta_true = make_regression(n, p, chunks=n // 4, seed=1)
result = glmlab.fit(X, y, family="gaussian")
result

# %% [markdown] id="c00-035"
# Read it from the top. The **status** is a sentence. The **certificate** is a computable number that F(β) − F* cannot exceed;
# F* is the minimum, which nobody knows. Its second number is the relative gap: the bound divided by how much F(β) leaves
# unexplained, which for least squares is F(β) itself (notebook 06 says why). Here it is as small as rounding allows. The method behind it, residual-corrected duality, is derived in notebook 06.
# `Zero()` says that there is no penalty; kernels are the functions that run on one chunk. **Passes** and **rounds** say what
# the answer cost.
#
# An independent solver, NumPy's own on data brought here, must agree:

# %% tags=["assert"] id="c00-036"
reference, *_ = np.linalg.lstsq(X.compute(), y.compute(), rcond=None)
difference = np.abs(result.beta - reference).max()
print(f"largest difference from numpy.linalg.lstsq: {difference:.1e}")
assert result.converged and result.certificate.relative <= 1e-6
assert difference <= 1e-10

# %% [markdown] id="c00-037"
# ## The ledger (1 min)
#
# Every notebook adds a row to one ledger, kept on disk. It opens with what the post printed (λ is the weight of a penalty).
# *Tasks* are what the scheduler handed out, *bytes* the size of the data. The last column is the certified gap, relative; the
# post's rows have a "?" there, and notebook 06 fills them.

# %% id="c00-038"
ledger.add(
    "00: least squares, four chunks",
    passes=result.passes,
    rounds=result.rounds,
    seconds=result.seconds,
    error=np.abs(result.beta - beta_true).max(),
    zeros=np.sum(result.beta == 0),
    gap=result.certificate.relative,
)
ledger

# %% [markdown] id="c00-039"
# Three numbers are easily taken for each other: how far F is above its minimum (the **certificate** bounds it), how far
# the iterate is from the minimiser, and how far the *minimiser* is from the coefficients that made the data. The column
# ‖β − β_true‖∞ mixes the last two. Here, without a penalty and with a tiny certificate, it shows the noise in the data, which
# is no solver's fault.

# %% [markdown] id="c00-040"
# A notebook ends by closing what it opened:

# %% tags=["assert"] id="c00-041"
client.close()
assert client.status == "closed"

# %% [markdown] id="c00-042"
# ## What we measured · Check yourself · Next
#
# - Workers ran our naps side by side, and results came back in order.
# - One certified answer agrees with NumPy's; its row stands in the ledger.
#
# **Check yourself.** Which process holds X after `make_regression(…, chunks=…)`: this one, the workers, or nobody? What
# does a certificate bound, and what does it not bound? What would eight naps take on four workers?
#
# **Next.** Nobody holds X yet: it is a recipe. [01 data creation](01_data_creation.ipynb) runs it, and looks at where
# the rows go.
