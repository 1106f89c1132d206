# %% [markdown] id="c00-001"
# # Start here: run, predict, measure, prove
#
# *In twenty minutes you have two workers, ways to get help, and an answer with a proof.*
#
# **20 minutes.** Prerequisites: NumPy and a little convex optimisation. In 00 to 03 it is enough to know gradients,
# Hessians, and that a convex function is smallest where its gradient is zero. Clusters are explained.
#
# Afterwards you can
#
# - start workers, watch them on the dashboard and close them;
# - choose the scale of every notebook;
# - ask an exercise for a check, a hint, the solution or a fresh start;
# - read a certificate and a row of the ledger;
# - look up a symbol or a word in the [glossary](00_start_here.ipynb#Notation-and-glossary).
#
# Next: [01 data creation](01_data_creation.ipynb).

# %% [markdown] id="c00-002"
# ## One story (2 min, core)
#
# In March 2017 two people wrote a post, [Developing Convex Optimization Algorithms in
# Dask](https://blog.dask.org/2017/03/22/dask-glm-1). One knew optimisation, the other how to spread a computation over many
# machines. They fitted linear and logistic models.
#
# *After ten iterations of the method ADMM (notebook 05), 12 coefficients were exactly zero.* A penalty on the sum of their
# absolute values can cause that. Are they zero at the minimum, too? The post could not say, because ten iterations had
# not reached the minimum.
#
# This course can say. In 05 you predict how many are zero after ten iterations, for rows like the post's.
# In 06 you prove that at the minimum for such rows none is zero.

# %% [markdown] id="c00-003"
# Two voices comment on the text, because the post had two kinds of author:
#
# > *Optimiser's note.* We minimise $F(\beta) = f(\beta) + g(\beta)$ over coefficients $\beta \in \mathbb{R}^p$. The loss
# > $f$ is a sum over $n$ rows of data, and $g$ is a penalty on the coefficients. We count **passes**: one pass reads
# > every row once. A gradient is one pass.
#
# > *Systems note.* The rows lie in **chunks** on several processes. We count **rounds**: in one round, workers use some or
# > all chunks once each, in parallel, and the next step waits for all answers.
#
# Sections marked *core* tell the whole story. Nothing needs an *optional* section or notebook 06b. The minutes include
# the exercises.

# %% tags=["figure"] id="c00-004"
from glmlab.teaching import progress
from glmlab.viz import course_map, show

show(course_map())
progress()

# %% [markdown] id="c00-005"
# ## Run a cell (2 min, core)
#
# **Shift+Enter** runs a cell, and *Run → Run All Cells* runs them all. An exercise never stops Run All: where your answer
# is missing, the notebook prints a message and goes on with ours.
#
# The next cell prints what this course may use on your machine. In a container, that can be less than what the machine
# has.

# %% tags=["setup"] id="c00-006"
import os
import time

import numpy as np

import glmlab
from glmlab import viz
from glmlab.machine import cluster
from glmlab.teaching import check, hint, ledger, machine, predict, reset, scale, solution, use

machine()

# %% [markdown] id="c00-007"
# One setting decides how large the data are in every notebook: the **scale**, which is read from the environment variable
# `GLMLAB_SCALE`.
#
# - `ci` takes seconds and is meant for tests.
# - `workshop` is the default and fits a small cloud machine.
# - `full` has the post's million rows where a notebook repeats the post's linear regression.
#
# Set the scale before you start JupyterLab, as in `GLMLAB_SCALE=ci make lab`, or write `%env GLMLAB_SCALE=ci` in a new
# first cell. Each notebook then asks for its sizes like this:

# %% tags=["parameters"] id="c00-008"
n = scale.pick(ci=4_000, workshop=40_000, full=400_000)
p = 10
print(f"At scale {scale.name} we use {n:,} rows and {p} columns in this notebook.")

# %% [markdown] id="c00-009"
# *Recap.* Shift+Enter runs a cell. `GLMLAB_SCALE` sets the size of the data.
#
# ## Two processes and a dashboard (4 min, core)
#
# Who computes? A **scheduler** decides which task runs where. **Workers** run the tasks, and each worker is a process of
# its own, even on a laptop. The **client** is the object through which this notebook talks to the scheduler.
#
# `cluster.client()` tries these in turn and returns the first that it can get:
#
# 1. the client that is already open;
# 2. a client of the cluster whose address is in `DASK_SCHEDULER_ADDRESS`;
# 3. a client of two new worker processes on this machine. Their scheduler runs inside this notebook's own process.
#
# The picture shows the third case.
#
# <details><summary>Do results always come straight from the workers?</summary>
#
# No. A dask client that you open yourself gets them through the scheduler, unless you set `direct_to_workers=True`, as
# `cluster.client()` does here.
#
# </details>

# %% tags=["figure"] id="c00-012"
show(viz.who_computes())

# %% id="c00-010"
client = cluster.client()
print(f"{len(client.nthreads())} workers are ready")
print("dashboard:", cluster.dashboard_link(client) or "this client has none")

# %% [markdown] id="c00-013"
# The dashboard shows what the workers are doing at this moment. `make lab` shows parts of it on the right of the screen.
# Otherwise open the address above in a browser tab.
#
# **Predict, then measure.** `nap` sleeps for a quarter of a second and returns the number of its process. We submit eight
# naps. Each of our workers runs one task at a time, so one worker alone would need two seconds. How many seconds does this
# client need? Write your guess in the place of `None`.

# %% tags=["predict"] id="c00-014"
eight_naps = predict("seconds for eight naps", None)


# %% id="c00-015"
def nap(k):
    time.sleep(0.25)
    return k, os.getpid()


start = time.perf_counter()
futures = client.map(nap, range(8), pure=False)  # eight new calls: no stored result is used
print(futures[0])
answers = client.gather(futures)
seconds = time.perf_counter() - start

# %% tags=["predict", "assert"] id="c00-017"
eight_naps.measured(seconds)
order, processes = [k for k, _ in answers], {pid for _, pid in answers}
print(f"{len(processes)} processes took part, of {len(client.nthreads())} workers.")
assert order == list(range(8)), "results come back in the order asked"
assert os.getpid() not in processes, "workers are other processes"

# %% [markdown] id="c00-016"
# `client.map` returned **futures** at once: a future is the receipt for a result that some worker will hold. `gather` then
# waited for all eight results and brought them here. As the cell has checked, they came in the order in which we had
# asked, and no nap took place in the process of this notebook.
#
# <details><summary>Why did it take about that long?</summary>
#
# With two workers, each of which runs one task at a time, eight naps make four turns of two. Four turns of 0.25 s take
# one second. The rest of the measured time is spent on sending tasks and answers.
#
# </details>
#
# *Recap.* A client sends tasks to a scheduler, which gives them to workers. A future is the receipt for a result. Two
# workers nearly halve the time of independent tasks.

# %% [markdown] id="c00-020"
# ## An exercise, and four ways to get help (5 min, core)
#
# How do we compute with an array that is too large for one process? A sum over rows is a sum over chunks. So we add what
# each chunk contributes.
#
# For example, let a first chunk hold the rows $(1, 2)$ and $(3, 0)$, and a second one the row $(0, 1)$. Their squares sum
# to $1 + 4 + 9 = 14$ and to $1$. Together that is $15$.
#
# **Exercise.** Write `total(chunks)`: the sum of the squares of all entries. Hold the squares of only *one* chunk in memory
# at a time. Replace the line that raises an error. Then run this cell and the next.


# %% tags=["exercise"] id="c00-021"
def total(chunks):
    """Sum of the squares of all entries, one float.

    chunks  list of arrays (n_k, p), the row chunks of one long array;
            n_k may differ from chunk to chunk

    total([np.array([[1, 2], [3, 0]]), np.array([[0, 1]])]) is 15.
    """
    raise NotImplementedError


# %% tags=["check"] id="c00-023"
check(total);

# %% [markdown] id="c00-024"
# `check` does not compare your code with ours. It tests *conditions* that every right function meets and that the usual
# mistakes break. If you are stuck, ask for a `hint`. There are three levels, and each says more than the one before.
# The next cell asks for the first one, so that you see it. Then `use(total)` returns the function with which the notebook
# goes on: yours if it is right, and ours otherwise.
#
# In the book of this course our solutions are filled in, and the output under each says that it was *typed in*.

# %% tags=["check"] id="c00-027"
hint("total", 1)
total = use(total)

# %% [markdown] id="c00-028"
# `solution("total")` prints our source. `reset("00")` gives you a fresh copy of this notebook and keeps yours beside it,
# under the name `00_start_here.old-1.ipynb`. Save with Ctrl+S before a reset, because only what is on disk is kept.
# Afterwards choose *File → Reload Notebook from Disk*. Remove the `#` below when you want one of these calls.
#
# The function that we use from here on must agree with NumPy on the whole array, as the second cell below checks.

# %% tags=["solution"] id="c00-029"
# solution("total")
# reset("00")

# %% tags=["assert"] id="c00-031"
rng = np.random.default_rng(0)
whole = rng.normal(size=(n, p))
pieces = np.array_split(whole, [n // 7, n // 2])
print(f"{total(pieces):.17g} by chunks, {np.sum(whole**2):.17g} at once")
assert np.isclose(total(pieces), np.sum(whole**2), rtol=1e-12)

# %% [markdown] id="c00-032"
# The two results may differ, because floating-point addition is not associative: $(a + b) + c$ and $a + (b + c)$ can be
# different floats, and with other chunks the same numbers are added in another order. Squares are never negative, so
# nothing cancels in their sum, and only the last digits can differ. In notebook 04 we keep the chunks and make a sum give
# the same bits on any number of workers of one type.
#
# *Recap.* A sum over rows is a sum over chunks. `check`, `hint`, `solution` and `reset` help with every exercise.

# %% [markdown] id="c00-033"
# ## A first answer with a proof (6 min, core)
#
# How good is the answer of a solver? We draw $n$ rows with $y = X\beta_{\text{true}} + \text{noise}$ and minimise
#
# $$F(\beta) = \sum_{i=1}^{n} \big(y_i - x_i^\top \beta\big)^2 = \|y - X\beta\|^2,$$
#
# where $x_i$ is row $i$ of $X$. Let $F^*$ be the minimum of $F$. We can bound $F(\beta) - F^*$ without knowing
# $F^*$. Take any vector $v$ with $X^\top v=0$ (the residual of the minimiser is one). It gives a lower bound of $F$:
#
# $$F(b)\ge2\,v^\top(y-Xb)-\|v\|^2=2\,v^\top y-\|v\|^2\quad\text{for all }b.$$
#
# The inequality holds because $\|y - Xb - v\|^2 \ge 0$, and the equality because $v^\top X = 0$.

# %% [markdown] id="c00-053"
# For example, let $y=(1,3)$, and let $X$ be one column of ones. A solver stops at $\beta=1.9$. Its residual
# $r=y-X\beta$ is $(-0.9,1.1)$, so $F(\beta)=0.81+1.21=2.02$. The entries of $r$ sum to $0.2$. We subtract $0.1$ from each,
# and $v=(-1,1)$ has $X^\top v=0$. Then $F^*\ge 2\,(-1+3)-2=2$, so $F(\beta)-F^*\le 0.02$.
#
# In general $v^\top y=v^\top r$, because $v^\top X=0$. So the bound is $\|r\|^2-2\,v^\top r+\|v\|^2=\|r-v\|^2$, here
# $0.01+0.01$. With more columns, $v$ is $r$ minus its orthogonal projection onto the span of the columns of $X$.
#
# A computed number that $F(\beta)-F^*$ cannot exceed, like this $\|r-v\|^2$, is a **certificate**. The next cell prints
# one for our rows. The workers share the work, because $X$ is a *dask array* in four chunks of rows.
#
# <details><summary>Is this bound not the gap itself? Why then a solver, and why only a bound?</summary>
#
# Without rounding, this $v$ is the residual of the minimiser, and the bound equals the gap. But the projection that gives
# $v$ is itself a least-squares problem, which needs a solver. Any other $v$ with $X^\top v=0$ only makes the bound larger,
# so it holds whatever gave $\beta$ and $v$. Other losses have such a bound, too (06), but no projection gives their
# minimum.
#
# </details>


# %% id="c00-034"
from glmlab.datasets import make_regression

X, y, beta_true = make_regression(n, p, chunks=n // 4, seed=1)
result = glmlab.fit(X, y, family="gaussian")
proof = result.certificate
print(f"The bound {proof.bound:.1e} is the sum of two parts:")
print(f"proved gap {proof.bound - proof.rounding:.1e}, allowance for the rounding of F(β) {proof.rounding:.1e}")
result

# %% [markdown] id="c00-035"
# - **Status**: how the run ended, and why `fit` chose `newton`. The Hessian of least squares is the same at every
#   $\beta$, so one sum over the rows gives it for the whole run. The run takes two passes: one at its start and one where
#   it arrives.
# - **Certificate**: found as in the example, by *residual-corrected duality* (notebook 06). The bound has two parts. The
#   proved gap is $\|r-v\|^2$ plus what the rounding of $v$ can cost. The rest is an allowance for the rounding of
#   $F(\beta)$. It says how well we know the number $F(\beta)$ itself.

# %% [markdown] id="more-of-the-result"
# - **Relative gap**: the proved gap, without the allowance, divided by what the model leaves unexplained, here
#   $F(\beta)$. It can be so small because $\|r-v\|^2$ is computed directly, and not as a difference of two values of
#   $F$.
# - **Accuracy**: a bound on the solver's error $\beta-\beta^*$. A *standard error* is the typical error that the noise
#   causes in one coefficient. The first number counts standard errors: each coefficient is at most so many of its own
#   from its optimum. The second number has the coefficients' unit.
# - `Zero()`: no penalty. *Fused kernels*: compiled loops that read each chunk once (not dask's *fusion*).
# - **Work**: passes and rounds, without the certificate's.
#
# <details><summary>Why is one iteration enough?</summary>
#
# Newton's method replaces $F$ by the quadratic with the same value, gradient and Hessian at $\beta$, and goes to its
# minimum. Our $F$ is quadratic, so it equals this quadratic.
#
# </details>
#
# NumPy's own solver, on data brought here, must agree:

# %% tags=["assert"] id="c00-036"
reference, *_ = np.linalg.lstsq(X.compute(), y.compute(), rcond=None)
difference = np.abs(result.beta - reference).max()
print(f"largest difference from numpy.linalg.lstsq: {difference:.1e}")
assert result.converged and result.certificate.relative <= 1e-6
assert difference <= 1e-10

# %% [markdown] id="c00-037"
# ## The ledger (1 min, core)
#
# Every notebook adds rows to one **ledger** on disk, which also has the rows of earlier runs. Its first nine rows hold
# what the post printed, where $\lambda$ is the weight of the penalty.
#
# *Passes* counts readings of all rows, so reading a tenth of them once counts as 0.1. *Tasks* counts the function calls
# in the graphs (dask adds a few, 04). *Bytes* is the size of the stored $X$, and *zeros* counts exact zeros of $\beta$.
#
# The *certified gap* is the relative one. The post printed none, so its rows show "?" until you run notebook 06. It
# proves a gap for three of them. The other six keep their "?".
#
# <details><summary>After notebook 06: what do the lines below the post's rows say?</summary>
#
# The post's data are lost. A line *gap* says that the gap above it was proved on rows drawn anew, as many as the post
# had, and how many coefficients were zero there. A line *replays* gives two gaps of the same method, on far fewer new
# rows. Such a gap may change with the number of rows, so it does not take the place of the "?".
#
# </details>

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
# Three numbers are easily confused:
#
# 1. how far $F(\beta)$ is above its minimum, which the certificate bounds;
# 2. how far $\beta$ is from the minimiser $\beta^*$;
# 3. how far $\beta^*$ is from the coefficients $\beta_{\text{true}}$ that made the data.
#
# The column $\|\beta - \beta_{\text{true}}\|_\infty$, the largest error of a coefficient, mixes the last two. Here the
# second is far below one standard error, as the line *accuracy* says. So the column shows the third, the noise in the
# data, and no solver could reduce it.
#
# *Recap.* A certificate bounds $F(\beta) - F^*$ although $F^*$ is unknown. It says nothing about $\beta_{\text{true}}$.

# %% tags=["assert"] id="c00-041"
client.close()  # a notebook ends by closing what it opened
assert client.status == "closed"

# %% [markdown] id="c00-045"
# ## Notation and glossary
#
# Look symbols and words up here. Every notebook links to this section. A symbol keeps its meaning unless a notebook
# defines it anew. The tables list the most important second meanings.

# %% [markdown] id="c00-051"
# |data| |
# |---|---|
# |$n$, $p$|numbers of rows and columns|
# |$X$, $y$|data: an $n \times p$ matrix and $n$ responses|
# |$x_i$, $y_i$|row $i$ of $X$ (as a column vector), its response|
# |$K$, $k$|number of chunks, index of a chunk|
# |$X_k$, $y_k$, $n_k$|rows of chunk $k$, their responses, their number|
# |$\xi_k$, $m$|in 01: noise of chunk $k$; rows of one chunk|
# |$\beta$, $b$|coefficients, a vector in $\mathbb{R}^p$; any other such vector|
# |$\beta_0$|intercept, a number that is added to $x_i^\top\beta$|
# |$\beta_{\text{true}}$, $\beta^*$|coefficients that made the data; minimiser of $F$|
# |$\eta_i$|linear predictor of row $i$: $x_i^\top\beta$, plus the intercept if there is one|
# |$r$|residual $y - X\beta$|
# |$G$, $c$|the sums $X^\top X$ and $X^\top y$|
# |$\varepsilon$|machine epsilon of float64, $2^{-52} \approx 2.2 \cdot 10^{-16}$|

# %% [markdown] id="c00-046"
# |optimisation| |
# |---|---|
# |$\ell$, $\ell^*$|loss of one row as a function of $\eta$, its conjugate (06)|
# |$f$, $g$|loss $\sum_i\ell(\eta_i;y_i)$, penalty|
# |$F$, $F^*$|objective $f+g$, its minimum $F(\beta^*)$|
# |$F$ convex|each chord lies on or above its graph|
# |$\lambda$|weight of the penalty|
# |$q$|gradient $\nabla f(\beta)$|
# |$H$|Hessian $\nabla^2f$, the matrix of second derivatives; for least squares $2X^\top X$|
# |$L$, $\mu$|largest and smallest eigenvalue of $H$; for other losses bounds on them for every $\beta$|
# |$\kappa$|condition number $L/\mu$ of $H$|
# |$\kappa(X)$|condition number of $X$; for least squares $\kappa=\kappa(X)^2$|
# |$t$|length of a step|
# |$\gamma$|convergence rate: an iteration multiplies the error by at most $\gamma$|
# |$z$, $u_k$|ADMM: common coefficients; sum of chunk $k$'s disagreements|
# |$\rho$, $\alpha$|ADMM: weight of disagreement; relaxation|
# |$\theta$|dual point: one slope for each row|

# %% [markdown] id="c00-060"
# |in 00, 01 and 03| |
# |---|---|
# |$v$|in 00: vector with $X^\top v=0$; in 03: point ahead|
# |$s_j$, $s$|in 01: standard error; in 03: singular values|
# |$D$, $d$, $a$|in 03: matrix of steps; displacement; Armijo's constant|
#
# |in 06, 06b and 07| |
# |---|---|
# |$t_i$|how far the slope of row $i$ is moved|
# |$d$, $w$|direction of the move; $w = -X^\top\theta$ after it|
# |$S$, $\varphi$|rows whose slopes move, their share of all rows|
# |$\sigma$, $a$|factor that scales all slopes; excess $\|q\|_\infty-\lambda$|
# |$h_j$|eigenvalues of $H$ in rising order|
# |$\delta$|a bound of the gap|
# |$\xi$|element of the subdifferential $\partial F(\beta)$|
# |$P$, $U$|what the model leaves unexplained; unit of relative gaps, $P$ with a floor|
# |$D(t)$, $\varphi(x)$|in 07: price of a moved slope; $(1+x)\log(1+x)-x$|

# %% [markdown] id="letters-of-05"
# |in 05| |
# |---|---|
# |$t$, $w$|weight in the prox, its variable|
# |$a_k$, $m_k$|relaxed answer of chunk $k$; minimiser of $f_k$|
# |$\bar u$, $\bar m$|means of the $u_k$ and of the $m_k$ over the chunks|
# |$s$, $N$|signs of $z$; number of rounds|
# |$h$|an eigenvalue of a chunk's Hessian $H_k$|
# |$\mu$, $L$|smallest and largest eigenvalue of all $H_k$|
# |$\lambda_{\max}$|smallest $\lambda$ at which the minimiser is zero|
# |$T$|matrix that makes columns correlate|

# %% [markdown] id="other-letters"
# |a letter with another meaning| |
# |---|---|
# |in 03|$\lambda$ eigenvalue of $H$, $g$ gradient $\nabla F(\beta)$, $m$ momentum (in 07, too)|
# |in 04|$a$, $b$ seconds of a task, of a number, $C$ cores, $T(K)$ seconds of a pass|
# |in 07|$\mu$ mean of $y$, $r$ size of a negative binomial|
# |in 08|$m_i$ mean of $y_i$|
# |in 09|$W$ workers|
# |in 10|Hessians: $H$ of $F$, $\hat{H}$ of $\hat{f}_k+g$, $\hat{C}$ of a pilot's scaled-up loss|
# |in 10|$\varepsilon$ error of $\hat{H}$, $m$ pilot rows, $\bar\beta$ mean, $v_k$ vote, $\tau$ age|
# |in 11|$s$ move, $\alpha$ curvature along it, $\sigma$ share of a decrease|

# %% [markdown] id="c00-047"
# **Who computes**
#
# - **chunk**: some rows of an array, made by one process, perhaps held by more.
# - **partition**: a chunk of a dataframe.
# - **task**: one function call that a worker runs.
# - **recipe** or **task graph**: all tasks of a result, with what each one reads. A *lazy* array is a recipe.
# - **scheduler**: decides which task runs on which worker.
# - **worker**: a process that runs tasks and holds results.
# - **client**: connects a notebook to the scheduler.
# - **future**: receipt for a result on a worker.
# - **compute**: run a recipe and bring the result here.
# - **persist**: run a recipe and leave the result on the workers.
# - **fusion**: dask joins small tasks into one.

# %% [markdown] id="c00-048"
# **What it costs, and what is proved**
#
# - **pass**: every row is read once. A gradient uses each row twice and is one pass.
# - **round**: workers use some or all chunks once each, in parallel, and the next step waits for all answers.
# - **reduction**: small results of chunks are added.
# - **ledger**: the table of all our runs.
# - **gap**: $F(\beta) - F^*$.
# - **certificate**: a computable number that the gap cannot exceed.
# - **relative gap**: proved gap, without the allowance for rounding, divided by $U$ (least squares: $F(\beta)$, unless
#   the fit is nearly perfect).
# - **solver's error**: $\beta - \beta^*$. **Estimator's error**: $\beta^* - \beta_{\text{true}}$.
# - **family**: a distribution of $y$, which gives the loss $\ell$.

# %% [markdown] id="words-10-11"
# **Methods of 05, 07, 10 and 11**
#
# - **prox**: the $b$ that minimises $g(b) + \frac{1}{2t}\|b - v\|^2$, for a given $v$.
# - **consensus**: each chunk has its own coefficients, which are made to agree.
# - **pilot**: some rows of every chunk, drawn at random. A **kept Hessian** is a pilot's and serves all iterations.
# - **surrogate**: a model of $F$ that has, at one $\beta$, the gradient of all rows and the Hessian of some.
# - **asynchronous**: each answer is used when it arrives, and no other is awaited.
# - **solver**: a generator function that evaluates, yields a **state** and updates.
# - **audit**: a report that says which checks a solver passes, and what is wrong where it fails.

# %% [markdown] id="c00-042"
# ## What we measured · Check yourself · Next
#
# - Two workers ran our naps side by side, and the results came back in order.
# - One certified answer agrees with NumPy's, and its row stands in the ledger.
#
# **Check yourself.**
#
# 1. Which process holds $X$ after `make_regression(…, chunks=…)`: this one, a worker, or none?
# 2. What does a certificate bound, and what does it not bound?
# 3. How long would eight naps take on four workers?
# 4. Why does `(np.concatenate(chunks) ** 2).sum()` not solve the exercise?
# 5. In the example of the certificate, let $\beta=2.2$. Find $v$ and the bound.
#
# <details><summary>Answers</summary>
#
# 1. None. $X$ is a recipe: it says how its rows are drawn. The fit drew them when it needed them.
# 2. It bounds $F(\beta) - F^*$. It does not bound $\beta^* - \beta_{\text{true}}$, because that error comes from the noise
#    in the data.
# 3. About half a second. Each worker takes two naps, one after the other.
# 4. The number is right, but the memory is not: it copies all rows into one array and then makes as many squares.
# 5. $r=(-1.2, 0.8)$ has the mean $-0.2$. We subtract it, and get $v=(-1, 1)$, as before. The bound is
#    $\|r-v\|^2=0.04+0.04=0.08$. This is the gap, too: $F(2.2)-F(2)=2.08-2$.
#
# </details>
#
# **Next.** Nobody holds $X$. [01 data creation](01_data_creation.ipynb) runs the recipe and looks at where the rows go.
