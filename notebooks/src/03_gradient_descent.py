# %% [markdown] id="c03-001"
# # Descend: write the post's loop, predict its speed, debug its step, bound its gap
#
# *We run the post's gradient descent, learn why it needs so few iterations, break it, mend it, and end with a proof.*
#
# **90 minutes** with the exercises. Prerequisites: [01 data creation](01_data_creation.ipynb) and
# [02 naive solve](02_naive_solve.ipynb). Nothing needs the section marked *optional*.
#
# Afterwards you can
#
# - write a lazy gradient step with one compute, and count its tasks;
# - predict the rate of gradient descent from two eigenvalues;
# - debug the step size that the post published;
# - bound $F(\beta) - F^*$ by the gradient and one eigenvalue, and stop by that bound.
#
# Symbols and words: [glossary](00_start_here.ipynb#Notation-and-glossary). Next:
# [04 task graphs](04_task_graphs.ipynb).

# %% tags=["setup"] id="c03-002"
import time

import dask
import distributed
import numpy as np
from threadpoolctl import threadpool_limits

import glmlab
from glmlab import datasets, viz
from glmlab.machine import cluster
from glmlab.rows import kernels
from glmlab.teaching import hint, ledger, predict, scale, solution, use

one_thread = threadpool_limits(1)  # as in 02: matrices are small here

# %% [markdown] tags=["workshop"] id="c03-003"
# ## The post's loop (20 min, core)
#
# Notebook 02 solved least squares with two sums, $X^\top X$ and $X^\top y$. Most other losses have no such sums, but the
# smooth ones have a gradient. So can we find the minimiser with gradients alone?
#
# The problem stays the same: minimise $F(\beta)=\sum_i (y_i - x_i^\top\beta)^2$. Its minimiser is $\beta^*$ and its
# minimum is $F^*$. **Gradient descent** repeats one step, whose length $t>0$ is called the **step size**:
#
# $$\beta^+ = \beta - t\,\nabla F(\beta), \qquad \nabla F(\beta) = 2X^\top(X\beta - y).$$
#
# The data are the course's. The workers keep them in ten chunks of rows.

# %% tags=["parameters", "setup"] id="c03-004"
n = scale.pick(ci=20_000, workshop=400_000, full=1_000_000)
p, n_chunks = 100, 10
client = cluster.client()
X, y, beta_true = datasets.course(n, p=p, chunks=n // n_chunks)
X, y = client.persist([X, y])
distributed.wait([X, y])
print(cluster.dashboard_link(client) or "This client has no dashboard.")

# %% [markdown] id="c03-006"
# **On paper.** Let $X$ have the rows $(1, 1)$ and $(1, -1)$, let $y = (3, 1)$ and $\beta = (0, 0)$. Then $X\beta - y =
# (-3, -1)$. So $F(\beta) = 9 + 1 = 10$ and $\nabla F(\beta) = 2X^\top(-3, -1) = (-8, -4)$. With $t = \frac18$ the step
# ends at $\beta^+ = (1, \frac12)$.
#
# **Exercise 1.** Write `gd_step(X, y, beta, step)`. It returns $\beta^+$ and $F(\beta)$, the loss at the $\beta$ that
# *came in* (10 in the example), because one residual serves both. One call `dask.compute(a, b)` computes both results,
# and computes only once what they share. It passes NumPy arrays on unchanged.

# %% tags=["exercise"] id="c03-007"
def gd_step(X, y, beta, step):
    """β⁺ = beta − step · ∇F(beta), NumPy (p,), and the number F(beta), by one dask.compute.

    X, y         dask or NumPy arrays (n, p) and (n,)
    beta, step   NumPy (p,), and one number or (p,), one for each coordinate
    """
    raise NotImplementedError

# %% tags=["check"] id="c03-008"
gd_step = use(gd_step)
# hint("gd_step")
# solution("gd_step")

# %% [markdown] id="c03-009"
# Which step size? The post takes it from the singular values `s` of the matrix $H=2X^\top X$. This matrix of second
# derivatives is the **Hessian** of $F$, the same at every $\beta$. $H$ is symmetric and has no negative
# eigenvalue, so its singular values are its eigenvalues.
#
# ```python
# _, s, _ = np.linalg.svd(2 * X.T.dot(X))
# step_size = 1 / s - 1e-8
# ```
#
# The post's loop stops when no coefficient moves by $10^{-8}$ or more. We use this vector of steps (one for each
# coordinate) and this stopping rule as they are. Later we question both.
#
# **Predict** how many iterations the loop takes from $\beta=0$. Write your guess in the place of `None`. Then run the next
# two cells.

# %% tags=["predict"] id="c03-011"
post_iterations = predict("iterations of the post's loop", None)


def published(H):
    return 1 / np.linalg.svd(H, compute_uv=False) - 1e-8


def post_loop(X, y, step, max_steps=100, tol=1e-8):
    """β and the number of iterations."""
    beta = np.zeros(p)
    for k in range(1, max_steps + 1):
        old = beta
        beta, _ = gd_step(X, y, old, step)
        if np.abs(beta - old).max() < tol:
            return beta, k
    return beta, max_steps

# %% id="c03-013" tags=["assert"]
start = time.perf_counter()
H = 2 * (X.T @ X).compute()  # one pass of its own
seconds_H = time.perf_counter() - start
beta_post, k_post = post_loop(X, y, published(H))
seconds_post = time.perf_counter() - start
post_iterations.measured(k_post)
print(f"{seconds_H:.2f} s for H, {seconds_post - seconds_H:.2f} s for {k_post} iterations")


def triangle(X_k, y_k):  # for a check by another method, explained below
    """R of [X_k y_k] = QR: at most p + 1 rows, and ‖R (−β, 1)‖ = ‖y_k − X_k β‖ for every β."""
    return np.linalg.qr(np.column_stack([X_k, y_k]), mode="r")


blocks = zip(X.to_delayed().ravel(), y.to_delayed(), strict=True)
few = np.vstack(dask.compute(*[dask.delayed(triangle)(*block) for block in blocks]))  # few rows, the same F
beta_star, (F_star,), *_ = np.linalg.lstsq(few[:, :p], few[:, p])  # an independent answer

rows = ledger.rows()
for name, row, ours in (("direct solve", "naive solve", beta_star), ("the loop", "gradient descent", beta_post)):
    theirs = rows[f"post: {row}"]["error"]
    print(f"{name:<13} ‖β − β_true‖∞: ours {np.abs(ours - beta_true).max():.16f}, the post's {theirs:.16f}")
print(f"the loop ended within {np.abs(beta_post - beta_star).max():.1e} of the exact solution")
assert np.abs(beta_post - beta_star).max() <= 1e-7, "the loop agrees with numpy.linalg.lstsq"
assert k_post < 30, "κ is near 1"

# %% [markdown] id="c03-015"
# We check the loop by another method, without bringing all rows here. Each chunk sends only its **triangle** $R$, from
# $[X_k\;y_k]=QR$ with upper triangular $R$ and orthonormal columns in $Q$. The $p+1$ rows of $R$ have the chunk's loss
# for every $b$: $\|y_k-X_kb\|=\|[X_k\;y_k](-b,1)\|=\|R(-b,1)\|$. NumPy's `lstsq` solves with all triangles.
#
# Our two printed errors agree in their first digits. So do the post's two, on other rows. These digits come from the
# noise. The last digits differ, because the loop stopped short of the minimiser.
#
# *Recap.*
# - A gradient step needs two products, by $X$ and by $X^\top$, and one round.
# - One `dask.compute` for two results shares the residual.
# - The published loop ends near the minimiser after few iterations.

# %% [markdown] tags=["workshop"] id="c03-016"
# ## What one step asks of the scheduler (8 min, core)
#
# How many tasks does one iteration need? The post draws the graph of one iteration: circles are tasks, boxes are
# results. Its step has a third product, for the loss $F$ at $\beta^+$.
#
# The first picture, from left to right, is the post's step for two chunks. $\beta$ is drawn twice: the first product
# and the update read it.
#
# The second is a **pass** of glmlab. One task for each chunk computes its loss *and* gradient. Each task carries a copy
# of $\beta$, so $\beta$ has no box. The task `add` adds these results, $p+1$ numbers each, entry by entry. A pass has
# no update and no third product.
#
# <details><summary>Why do two circles c, or two circles e, follow each other?</summary>
#
# Dask ends each product with two sums, even where one of them has nothing to add. The two circles e multiply by 2 and
# by $t$.
#
# </details>

# %% tags=["figure"] id="c03-017"
def published_step(X, y, beta, step):
    Xbeta = X.dot(beta)
    gradient = 2 * X.T.dot(Xbeta - y)
    beta_hat = beta - step * gradient
    new_func = ((y - X.dot(beta_hat)) ** 2).sum()
    return beta_hat, new_func


zero = np.zeros(p)
small_X, small_y, _ = datasets.make_regression(2_000, p, chunks=1_000)
small_X, small_y = client.persist([small_X, small_y])
small = glmlab.Objective("gaussian", glmlab.as_chunks(small_X, small_y))
names = {"X": small_X, "y": small_y, "β": None}
step = published_step(small_X, small_y, zero, 1e-4)
words = {"product of blocks": "tensordot", "sum": "sum-aggregate", "difference": "sub", "times a number": "mul",
         "new β": "subtract", "square": "pow"}  # fmt: skip
one_pass = small.chunks.lazy(kernels.loss_grad, (small.family, zero))
title = f"The post's step needs {viz.task_counts(*step)['tasks']} tasks for two chunks"
viz.show(viz.graph(*step, names=names | {"β⁺": step[0], "F": step[1]}, tasks=words, title=title))
title = f"A pass of glmlab: {viz.task_counts(one_pass)['tasks']} tasks, without the update"
viz.show(viz.graph(one_pass, names=names, tasks={"add": one_pass}, title=title, across=True))

# %% tags=["assert"] id="c03-019"
f = glmlab.Objective("gaussian", glmlab.as_chunks(X, y))
today = published_step(X, y, zero, 1e-6)
counts = {
    "the post's step, as written": viz.task_counts(*today),
    "the same, optimised by dask": viz.task_counts(*today, optimize_graph=True),
    "one pass of glmlab": viz.task_counts(f.chunks.lazy(kernels.loss_grad, (f.family, zero))),
}
print("the post's picture, counted by us  about 144 tasks,  166 boxes")
for name, count in counts.items():
    print(f"{name:<33}  {count['tasks']:>9} tasks, {count['data']:>4} boxes")
written, optimised, one_pass = (count["tasks"] for count in counts.values())
assert one_pass <= 1.5 * n_chunks, "one task a chunk, and a tree of sums"
assert written >= 10 * n_chunks and optimised >= 2 * one_pass

# %% [markdown] id="c03-022"
# The counts are for ten chunks, as in the post, which had an older dask. Before dask runs a graph, it joins some
# neighbouring tasks. That helps, but a graph with one task for each chunk is far smaller. (It also does less: no update
# and no third product. Notebook 04 compares two graphs of the same gradient.)
#
# <details><summary>Why <code>2 * X.T.dot(r)</code> and not <code>2 * X.T @ r</code>?</summary>
#
# The first, the post's, multiplies $p$ numbers by two. The second means `(2 * X.T) @ r`. It multiplies all of $X$ by
# two first. That is one more copy of each chunk and, as written, one more task for it. With the operator write
# `2 * (X.T @ r)`.
#
# </details>
#
# *Recap.*
# - As written, every array operation makes at least one task for each chunk of its result.
# - In a pass of glmlab each chunk is one task, and a few more tasks add the results.

# %% [markdown] tags=["workshop"] id="c03-023"
# ## The rate, from two eigenvalues (18 min, core)
#
# Why did so few iterations suffice? Two eigenvalues hold the answer.
#
# Write $e=\beta-\beta^*$ for the error. The loss is quadratic with Hessian $H = 2X^\top X$, so its gradient is
# $\nabla F(\beta) = He$. One step of length $t$ therefore turns the error into
#
# $$e^+ = e - tHe = (I-tH)\,e.$$
#
# Now follow one eigenvector of $H$ with eigenvalue $\lambda$. (In this notebook $\lambda$ is never the weight of a
# penalty.) Along it the step multiplies the error by $1-t\lambda$.
#
# **On paper.** Let $L$ be the largest eigenvalue and $t=1/L$. Along its eigenvector, the steepest direction, the error
# is gone after one step. Along an eigenvector with $\lambda=L/10$ nine tenths remain.

# %% [markdown] id="c03-024"
# So the slowest direction decides. Let $\mu$ be the smallest eigenvalue and $\kappa=L/\mu$ the condition number of $H$,
# the square of 02's $\kappa(X)$. An iteration multiplies $\|e\|$ by at most the **rate**
# $\gamma(t)=\max(|1-tL|,|1-t\mu|)$. The gap is $F-F^*=\frac12 e^\top He$ (Taylor's formula at $\beta^*$, where the
# gradient is zero). So it is multiplied by at most $\gamma^2$.
#
# |step|rate| |
# |---|---|---|
# |$t=1/L$|$1-1/\kappa$|safe, needs only $L$|
# |$t=2/(L+\mu)$|$(\kappa-1)/(\kappa+1)$|the best fixed step|
# |$t\ge2/L$|at least 1|error in the steepest direction stays or grows|
#
# For the tests below we make problems with a known minimiser, `b`. The Hessian has eight eigenvalues from 1 to $\kappa$,
# so $\mu=1$ and $L=\kappa$.
#
# **Predict.** At $\kappa=9$ with step $1/L$: how many iterations bring $\|e\|$ to $10^{-8}$ of its start?

# %% tags=["predict"] id="c03-028"
at_nine = predict("iterations to 1e-8 of the first error, at κ = 9 with step 1/L", None)

mu, *_, L = np.linalg.eigvalsh(H)
ratio = np.sqrt(p / 1_000_000)
post_kappa = ((1 + ratio) / (1 - ratio)) ** 2  # extreme singular values of X: about √n ± √p
for whose, kappa in (("here", L / mu), ("the post's, by theory", post_kappa)):
    print(f"κ = {kappa:.3f} {whose}: rate {1 - 1 / kappa:.3f} with 1/L, {(kappa - 1) / (kappa + 1):.3f} with 2/(L + μ)")

rng = np.random.default_rng(3)
Q, _ = np.linalg.qr(rng.normal(size=(1_000, 8)))  # orthonormal columns
V, _ = np.linalg.qr(rng.normal(size=(8, 8)))  # the eigenvectors, turned away from the axes
b = V.sum(axis=1)  # as much of each eigenvector


def problem(kappa):
    """Z and Zb: 2ZᵀZ has eight eigenvalues from 1 to κ, evenly spread on a logarithmic scale."""
    Z = Q * np.sqrt(np.geomspace(1, kappa, 8) / 2) @ V.T
    return Z, Z @ b

# %% id="c03-029"
def iterates(X, y, step, iterations):
    """β₀ = 0, β₁, β₂ … by your gd_step, one a row."""
    betas = [np.zeros(X.shape[1])]
    for _ in range(iterations):
        betas.append(gd_step(X, y, betas[-1], step)[0])
    return np.array(betas)


distance = np.linalg.norm(iterates(*problem(9), 1 / 9, 200) - b, axis=1)
at_nine.measured(int(np.argmax(distance <= 1e-8 * distance[0])))
print(f"by the rate: log(1e-8) / log(1 − 1/9) = {np.log(1e-8) / np.log(1 - 1 / 9):.1f}")

# %% [markdown] id="c03-030"
# The rate predicts slightly more iterations than we measured, because it assumes the worst case: that the whole error
# lies along the slowest direction. At the start only a part of it does, and the rest shrinks faster. Only later does
# the rate itself show, so we measure it in the second half of each run.
#
# The first picture compares predicted and measured costs for six values of $\kappa$. Below the second picture, a slider
# moves the step $t$ at $\kappa = 9$. The plot below the slider shows, for each direction, the factor by which one
# iteration multiplies the error.
#
# *Find out:* at the best step two directions are equally slow. Which ones?

# %% tags=["figure", "assert"] id="c03-031"
kappas = np.array([2, 5, 9, 20, 50, 100.0])
predicted = {"1/L": 1 - 1 / kappas, "2/(L + μ)": (kappas - 1) / (kappas + 1)}
steps = {"1/L": 1 / kappas, "2/(L + μ)": 2 / (kappas + 1)}
measured = {name: [] for name in steps}
for name, rates in predicted.items():
    for kappa, step, rate in zip(kappas, steps[name], rates, strict=True):
        half = int(np.log(1e-4) / np.log(rate))
        distance = np.linalg.norm(iterates(*problem(kappa), step, 2 * half) - b, axis=1)
        measured[name].append((distance[-1] / distance[half]) ** (1 / half))
viz.show(viz.rate_by_kappa(kappas, predicted, measured))
for name, rates in predicted.items():
    assert np.allclose(measured[name], rates, rtol=0.05), "the measured rate is the predicted one"
    assert np.allclose(np.log(measured[name]), np.log(rates), rtol=0.05), "and so is the price of a digit"

Z, target = problem(9)
values, vectors = np.linalg.eigh(2 * Z.T @ Z)
viz.show(viz.step_slider(values, values * (vectors.T @ b) ** 2))

# %% [markdown] id="c03-078"
# <details><summary>Answer: the two slowest directions</summary>
#
# The steepest and the flattest. A longer step makes $|1-t\mu|$ smaller and $|1-tL|$ larger, so the best step is where
# both are equal. From $1 - t\mu = tL - 1$ follows $t = 2/(L+\mu)$.
#
# </details>
#
# > *Optimiser's note.* $F$ need not be quadratic. Let all its Hessians have their eigenvalues in $[\mu, L]$. Then
# > $\nabla F(\beta)=\bar He$, where $\bar H$ is the mean of the Hessians on the line from $\beta^*$ to $\beta$. Its
# > eigenvalues are in $[\mu,L]$, too, so an iteration multiplies $\|e\|$ by at most $\gamma(t)$.
#
# *Recap.*
# - A step acts on each eigenvector separately.
# - The two extreme eigenvalues set the rate, if the step is one number.
# - Independent columns with mean zero and equal variance have $\kappa$ near 1 if there are many more rows than columns.
#   The first cell of this section printed it. That is why so few iterations can be enough.

# %% [markdown] tags=["workshop"] id="c03-035"
# ## The published step, debugged (17 min, core)
#
# The post's `1 / s - 1e-8` is a *vector*: coordinate $j$ of the gradient is multiplied by entry $j$. Is that harmless?
# Singular values belong to directions, not to coordinates, and `s` is sorted from large to small, whatever the order of
# our columns.
#
# With $D$ for the diagonal matrix of the steps, $e^+=(I-DH)\,e$. In the long run and from almost every start, an iteration
# multiplies $\|e\|$ by the **spectral radius** of $I-DH$, the largest absolute value of an eigenvalue.
#
# **On paper.** Let $s=(18,2)$. If $H=\mathrm{diag}(18,2)$, both factors are 0. If $H=\mathrm{diag}(2,18)$, they are
# $1-\frac{2}{18}=\frac89$ and $1-\frac{18}{2}=-8$.

# %% id="c03-036"
def radius(step, H):
    D = np.diag(np.broadcast_to(step, len(H)))
    return np.abs(np.linalg.eigvals(np.eye(len(H)) - D @ H)).max()


first_half, second_half = np.repeat([3.0, 1.0], p // 2), np.repeat([1.0, 3.0], p // 2)
units = {"as they are": np.ones(p), "first half × 3": first_half, "second half × 3": second_half}
radii = {}
for name, unit in units.items():  # the same columns, half of them in another unit
    H_unit = H * np.outer(unit, unit)
    radii[name], steepest = radius(published(H_unit), H_unit), np.linalg.eigvalsh(H_unit)[-1]
    print(f"{name:<15}  κ = {np.linalg.cond(H_unit):6.3f}, radius {radii[name]:6.3f} with the published step,"
          f" {radius(1 / steepest, H_unit):.3f} with 1/L")
first = radii["as they are"]
print(f"{first:.4f} to the power {k_post}, the iterations of the post's loop: {first**k_post:.1e}")

# %% [markdown] id="c03-037"
# The first radius explains why the loop was short. If the columns have different units, their order decides. A column
# is steep if its diagonal entry of $H$ is large. Steep columns that come first get the short steps that they need. Steep
# columns that come last get the steps of flat columns, about nine times too long, and the loop diverges.
#
# A second defect is the margin `- 1e-8`. A step size has the unit of $1/H$, and $H$ grows with $n$. For independent
# columns with mean 0, variance 1 and $n\gg p$, $L\approx2n$.
#
# **On paper.** At $n=10^6$, $1/L\approx5\cdot10^{-7}$. At $n=5\cdot10^7$, $1/L\approx10^{-8}$, and the step is about 0. With
# more rows it is *negative*: the loop walks uphill.

# %% [markdown] id="c03-043"
# One number must replace the vector. **On paper.** $H = \mathrm{diag}(2, 18)$ has $L = 18$. With $t = \frac{1}{18}$ the
# factors are $\frac89$ and 0. With $t = \frac{2}{18}$ they are $\frac79$ and $-1$, so the second error only changes its
# sign.
#
# **Exercise 2.** Mend both defects. `safe_step(H)` returns one number $t$, with which gradient descent converges on
# every quadratic with Hessian $H$:
#
# - $t\le1.98/L$, to stay clear of $2/L$;
# - $t\ge1/(2\sqrt p\,L)$, because a needlessly short step is slow. The factor $2\sqrt p$ leaves room for you to use a
#   norm of $H$, which may be larger, in the place of $L$.
#
# <details><summary>Which number can stand for $L$?</summary>
#
# The Frobenius norm of $H$, the root of the sum of all squared entries. Its square is the sum of all squared eigenvalues.
# So how does it compare with $L$?
#
# </details>

# %% tags=["exercise"] id="c03-044"
def safe_step(H):
    """A step size with which gradient descent converges on every quadratic of Hessian H; returns one number.

    H   (p, p), symmetric and positive definite; its largest eigenvalue is L
    """
    raise NotImplementedError

# %% tags=["check"] id="c03-045"
safe_step = use(safe_step)
# hint("safe_step")
# solution("safe_step")

# %% tags=["figure", "assert"] id="c03-046"
def gaps(unit, step, iterations=60):
    """F − F* along the loop with columns in these units; `step` is a function of H."""
    A = few[:, :p] * unit  # the triangles of the first section: here, and with the F of all rows
    H_A = 2 * A.T @ A
    e = iterates(A, few[:, p], step(H_A), iterations) - beta_star / unit
    return (e @ H_A * e).sum(axis=1) / 2


def inside(curve):
    """The curve divided by its start, as long as it stays between 1e-8 and 1e8."""
    shares = curve / curve[0]
    return shares[: np.argmax((shares < 1e-8) | (shares > 1e8)) or len(shares)]


first, second = gaps(first_half, published), gaps(second_half, published)
mended, spectral = gaps(second_half, safe_step), radii["second half × 3"]
curves = {"published, first half × 3": first, "published, second half × 3": second, "mended, second half × 3": mended}
curves = {name: inside(curve) for name, curve in curves.items()}
title = "The mended step converges, the published one only in a lucky order"
viz.show(viz.gap_curves(curves, ylabel="(F − F*) / its start", title=title))
growth = np.sqrt(second[-1] / second[-2])
print(f"published, second half × 3: an iteration multiplies the error by {growth:.3f}; the radius is {spectral:.3f}")
assert second[-1] > 1e20 * second[0], "the published step diverges"
assert mended[-1] < mended[0] and np.all(np.diff(mended) < 0), "the mended one does not"
assert np.isclose(growth, spectral, rtol=0.05), "the radius predicts the growth"

# %% [markdown] id="c03-047"
# The measured growth is near the radius. After 60 iterations directions with nearly the largest factor still take part.
# With one number as the step the order of the columns does not matter, so the mended step converges in every order.
# Here it needs more iterations than the published step in the lucky order. (A curve ends before it leaves the range
# from $10^{-8}$ to $10^8$.)
#
# *Recap.*
# - The published step is a vector of $1/s$, and singular values do not belong to coordinates.
# - Its margin $10^{-8}$ has a unit, so with enough rows the step turns negative.
# - One number between 0 and $2/L$ is safe.

# %% [markdown] tags=["workshop"] id="c03-055"
# ## Stopping rules that lie, and one that does not (14 min, core)
#
# The post stops when no coefficient moves by $10^{-8}$ or more. Does a small move prove that $\beta$ is near $\beta^*$?
#
# We start the post's loop at $\beta = 0$ with the step $10^{-9}/L$, which is far too short.
#
# **Predict.** How many iterations will it make before it stops?
#
# <details><summary>Answer</summary>
#
# A step moves $\beta$ by $t\,\nabla F(\beta)$. So a short step makes the move small *anywhere*, and the first move ends
# the loop.
#
# </details>

# %% tags=["predict"] id="c03-056"
until_stop = predict("iterations until the loop with the short step stops", None)
short, k_short = post_loop(X, y, 1e-9 / L)
F_zero = float((y**2).sum().compute())
gap_short = (short - beta_star) @ H @ (short - beta_star) / 2
until_stop.measured(k_short)
print(f"it stopped with {gap_short / (F_zero - F_star):.7f} of the gap that it had at β = 0")

# %% [markdown] id="c03-057"
# We want a **certificate**: a computable number that $F(\beta)-F^*$ cannot exceed. $F$ is quadratic, so with
# $g=\nabla F(\beta)$ we have $F(\beta+d)=F(\beta)+g^\top d+\frac12d^\top Hd$. No eigenvalue of $H$ is below $\mu>0$, so
# $d^\top Hd\ge\mu\|d\|^2$, and
#
# $$F(\beta+d)\ge F(\beta)+g^\top d+\tfrac{\mu}{2}\|d\|^2\quad\text{for every }d.$$
#
# The right side is a quadratic with Hessian $\mu I$. It lies below $F$ and touches it at $\beta$.
#
# **On paper.** Let $p=1$ and $F(\beta)=3\beta^2$, so $\mu=6$. At $\beta=2$ we have $F=12$ and $g=12$. The parabola
# $12+12d+3d^2$ is lowest at $d=-2$, where it is 0. So the gap is at most 12.
#
# **Exercise 3.** Write `smooth_bound(g, mu)` for any $p$: how far can $F^*$ lie below $F(\beta)$?

# %% tags=["exercise"] id="c03-058"
def smooth_bound(g, mu):
    """A number that F(β) − F* cannot exceed, whatever β is; returns one number.

    g, mu   ∇F(β) (p,), and a number > 0, the smallest eigenvalue of the Hessian
    """
    raise NotImplementedError

# %% tags=["check"] id="c03-059"
smooth_bound = use(smooth_bound)
# hint("smooth_bound")
# solution("smooth_bound")

# %% id="c03-061"
# Your certificate stops a run on the workers: all rows, second half of the columns × 3, step 1/L.
# The result shows glmlab's own, which may be several times as large as yours (see below).
H_unit = H * np.outer(second_half, second_half)
mu_unit, *_, L_unit = np.linalg.eigvalsh(H_unit)
f = glmlab.Objective("gaussian", glmlab.as_chunks(client.persist(X * second_half), y))  # the workers now hold X twice
enough = 1e-7  # of F
# `watch` keeps F and your bound at each iteration. `run` asks `until` after each one.
watch = viz.Live(lambda state: smooth_bound(f.loss_grad(state.beta).grad, mu_unit), title="Your bound stops the run")
path = []


def near_enough(state):
    watch(state)  # f remembers the gradient at this β, so the bound costs no pass
    path.append(state.beta)
    return watch.bounds[-1] <= enough * watch.objectives[-1]


# `until` stops the run. `tol` is what glmlab's own certificate must reach for "Converged". It may be
# looser than yours, so `tol` is larger than `enough`.
with watch:
    result = glmlab.run("gradient_descent", f, step=1 / L_unit, until=near_enough, tol=1e-5)
result

# %% tags=["figure", "assert"] id="c03-064"
e = np.array(path) - beta_star / second_half
true_gaps = (e @ H_unit * e).sum(axis=1) / 2
ratios = np.array(watch.bounds) / true_gaps
title = f"Your bound is {ratios[0]:.2f} times the gap at first, {ratios[-1]:.2f} times at the end"
viz.show(viz.bound_and_gap(watch.bounds, true_gaps, kappa=L_unit / mu_unit, title=title))
from_all = glmlab.certify(X * second_half, y, result.beta, family="gaussian").bound
print(f"glmlab's bound ÷ (F − F*) at the end: {result.certificate.bound / true_gaps[-1]:.3f} in the run,"
      f" {from_all / true_gaps[-1]:.3f} from all rows")  # fmt: skip

Z, target = problem(100)
H_Z = 2 * Z.T @ Z
for name, e in {"the flattest": V[:, 0], "a random": rng.normal(size=8), "the steepest": V[:, -1]}.items():
    gap, duality = e @ H_Z @ e / 2, glmlab.certify(Z, target, b + e, family="gaussian").bound
    print(f"κ = 100, error in {name:>12} direction: bound ÷ gap {smooth_bound(H_Z @ e, 1.0) / gap:7.3f} by yours,"
          f" {duality / gap:.3f} by glmlab's certificate")
    assert gap * (1 - 1e-6) <= smooth_bound(H_Z @ e, 1.0), "a certificate is never below the gap"
assert np.all(ratios >= 1 - 1e-6)
assert result.converged and result.certificate.relative <= 1e-6, "glmlab's certificate agrees that it may stop"
assert np.abs(result.beta * second_half - beta_star).max() <= 1e-2, "near numpy.linalg.lstsq"
assert k_short == 1 and gap_short > 0.99 * (F_zero - F_star), "a short step fools the post's rule"

# %% [markdown] id="c03-065"
# The lower panel shows the bound divided by the gap. Along an eigenvector with eigenvalue $\lambda$ the gap is
# $\frac\lambda2\|e\|^2$ and the bound $\frac{\lambda^2}{2\mu}\|e\|^2$: $\lambda/\mu$ times as much. The step $1/L$ soon
# removes steep components. It leaves *flat* ones, where $\lambda/\mu$ is nearly 1.
#
# glmlab's own certificate (06) needs no $\mu$. For least squares it is exact from all rows. In a run with a large $X$
# the certificate reads at most a fifth of them. Its bound is about five times the gap.
#
# <details><summary>Why five times?</summary>
#
# In such a run glmlab corrects notebook 00's vector $v$ (up to a factor its *dual point*, 06) in a share of the rows
# only. The bound is then about the gap divided by that share (notebook 06). The line *accuracy* of the result rests on
# the same rows, so its numbers are too large, too.
#
# </details>
#
# *Recap.*
# - A small move proves nothing.
# - $\|\nabla F\|^2/(2\mu)$ is a proof, at most $\kappa$ times too large.
# - It needs a $\mu>0$ below all curvatures. Logistic loss has none: its curvature tends to zero.

# %% [markdown] tags=["workshop"] id="c03-069"
# ## Where did the time go? (5 min, core)
#
# Are few iterations also fast? We time seven iterations of `gd_step` on dask arrays, which the workers hold, and on
# NumPy arrays here, and keep the fastest. NumPy uses one thread, as each worker does.
#
# On the workers an iteration also costs a *round*: build the graph, send its tasks, wait for the last one, fetch the
# results. This price, which notebook 04 measures, depends on the number of tasks and hardly on the rows. There are ten
# chunks both times.
#
# **Predict.** From how many rows on can two workers win? Guess the power of ten. (To begin with, suppose 0.3 µs a row in
# NumPy and 0.1 s a round.)
#
# <details><summary>How can one estimate it from one run?</summary>
#
# Two workers can at best halve NumPy's time. So they win only if a round costs less than half of NumPy's time. We take
# as the price of a round the time on the workers minus half of NumPy's time, and assume that NumPy's time is
# proportional to the number of rows.
#
# With few rows this estimate is too large: they fit into the cache, and there NumPy needs less time for each row.
# (Divide the printed times by the rows to see how much less.) So the next cell estimates twice, from few rows and from
# many, and we trust the second estimate. On a busy machine both are rough.
#
# </details>

# %% id="c03-070" tags=["predict", "assert"]
win = predict("rows from which on two workers can win", None)


def race(X, y, step):
    """Milliseconds of the fastest of seven iterations, and β after them."""
    beta, clock = np.zeros(p), [time.perf_counter()]
    for _ in range(7):
        beta, _ = gd_step(X, y, beta, step)
        clock.append(time.perf_counter())
    return 1e3 * np.diff(clock).min(), beta


many = scale.pick(ci=20_000, workshop=100_000, full=200_000)
even = []  # rows for which half of NumPy's time is the price of a round
for size in (5_000, many):
    data = client.persist(list(datasets.make_regression(size, p, chunks=size // n_chunks)[:2]))
    local = dask.compute(*data)
    step = published(2 * (local[0].T @ local[0]))
    (there, by_workers), (here, by_numpy) = race(*data, step), race(*local, step)
    print(f"{size:>9,} rows, an iteration: {there:8.1f} ms on the workers, {here:8.1f} ms in NumPy")
    even.append(2 * size * (there / here - 1 / 2))
first, second = (int(float(f"{rows:.0e}")) for rows in even)
print(f"Two workers can win from about {first:,} rows on by the first line. The second says:")
win.measured(second, "about")
assert np.abs(by_workers - by_numpy).max() <= 1e-7, "one function, two kinds of arrays, one answer"

# %% id="c03-073" tags=["assert"]
proof = glmlab.certify(X, y, beta_post, family="gaussian")
ledger.add(
    "03: the post's loop, vector step",  # one pass more, for H; a gradient counts as one, though it uses X twice
    passes=k_post + 1, rounds=k_post + 1, bytes=X.nbytes, seconds=seconds_post,
    error=np.abs(beta_post - beta_true).max(), zeros=np.sum(beta_post == 0), gap=proof.relative,
)  # fmt: skip
ledger.add(
    "03: gradient descent, 1/L, half × 3",  # its H is that of the row above
    passes=result.passes, rounds=result.rounds, tasks=result.rounds * one_pass, bytes=X.nbytes, seconds=result.seconds,
    error=np.abs(result.beta * second_half - beta_true).max(), zeros=np.sum(result.beta == 0),
    gap=result.certificate.relative,
)  # fmt: skip
assert proof.relative <= 1e-9, "proved: the post's loop ended near the optimum"
client.close()
assert client.status == "closed"
ledger

# %% [markdown] tags=["optional"] id="c03-048"
# ## Backtracking and momentum (8 min, optional)
#
# For other losses $L$ is not known beforehand. **Backtracking** starts each iteration with a long step and halves it
# until $F$ falls enough. Armijo's rule asks for $F(\beta-tg)\le F(\beta)-a\,t\,\|g\|^2$, with $g=\nabla F(\beta)$ and a
# small $a$.
#
# **Momentum** takes the gradient a little ahead, at $v=\beta+m(\beta-\beta_{\text{old}})$, and steps from there:
# $\beta^+=v-t\,\nabla F(v)$. On a quadratic, with $t=1/L$ and $m=(\sqrt\kappa-1)/(\sqrt\kappa+1)$, an iteration
# multiplies the error in the slowest direction by $1-1/\sqrt\kappa$ in the long run and from almost every start,
# instead of by $1-1/\kappa$.
#
# **On paper.** At $\kappa = 100$ the rates are 0.9 and 0.99. One digit costs $-1/\log_{10} 0.9 \approx 22$ iterations
# with momentum and 229 without.

# %% tags=["optional", "figure", "assert"] id="c03-051"
def nesterov(X, y, t, m, iterations):
    beta, distances = [np.zeros(X.shape[1])] * 2, []
    for _ in range(iterations):
        v = beta[1] + m * (beta[1] - beta[0])
        beta = beta[1], gd_step(X, y, v, t)[0]
        distances.append(np.linalg.norm(beta[1] - b))
    return np.array(distances)


Z, target = problem(100)
ahead = nesterov(Z, target, 1 / 100, (10 - 1) / (10 + 1), 200)  # √κ = 10
factor = (ahead[199] / ahead[99]) ** (1 / 100)
double = 0.9 * 2 ** (1 / 100)  # from k = 100 to 200: 0.9 is a double root, so the distance falls like k·0.9ᵏ
print(f"κ = 100: momentum multiplies the distance by {factor:.4f} an iteration; 1 − 1/√κ = 0.9; k·0.9ᵏ {double:.4f}")
assert np.isclose(factor, 0.9, rtol=0.02), "the rate of momentum on a quadratic"
options = {"family": "gaussian", "tol": 1e-9}
fits = {
    "step 1/L": glmlab.fit(Z, target, solver="gradient_descent", step=1 / 100, **options),
    "Armijo": glmlab.fit(Z, target, solver="gradient_descent", **options),
    "FISTA": glmlab.fit(Z, target, solver="fista", **options),
}
print("iterations:", ", ".join(f"{name} {fit.n_iter:,}" for name, fit in fits.items()))
share = fits["FISTA"].trace.passes[-1] / fits["step 1/L"].trace.passes[-1]
title = f"Momentum (FISTA) needs {share:.0%} of the passes of step 1/L"
viz.show(viz.convergence(fits, optimum=0.0, title=title))

# %% [markdown] tags=["optional"] id="c03-050"
# Armijo's rule needs no $L$. Here it takes about as many passes as step $1/L$.
#
# FISTA, the *fast iterative shrinkage-thresholding algorithm*, is momentum that need not know $\kappa$: its $m$ grows
# by a fixed formula, and is set back to 0 when the momentum points uphill.
#
# <details><summary>Why does Armijo's rule need fewer iterations than the step $1/L$, but as many passes?</summary>
#
# An iteration takes two passes, one for the gradient and one that tries many steps, from four times the last step
# downwards. With a small $a$ the rule accepts every step up to $2(1-a)/L$, so its steps are often longer than $1/L$.
#
# </details>
#
# <details><summary>Why is the measured factor of momentum a little above 0.9?</summary>
#
# In the slowest direction the error obeys a recursion whose two roots are equal: both are $1-1/\sqrt\kappa$. So after $k$
# iterations the error there is about $k\,(1-1/\sqrt\kappa)^k$ times a constant. The factor $k$ does not change the rate in
# the long run, but in a hundred iterations it shows: the cell prints the factor that it gives.
#
# </details>
#
# <details><summary>What does FISTA pay because it does not know κ?</summary>
#
# Hardly any iterations. The picture ends at 14 digits of the gap, which are 7 digits of the error. By its rate alone the
# right $m$ would need about $7\cdot22=154$ iterations for them. FISTA makes about as many, but the picture counts passes:
# FISTA takes two in an iteration, one at $v$ and one at $\beta^+$.
#
# </details>
#
# > *Systems note.* On a cluster every trial of a backtracking loop would cost a round, so glmlab tries many steps in
# > *one* pass.
#
# *Recap.*
# - Backtracking finds a step without $L$.
# - On a quadratic, momentum replaces $\kappa$ by $\sqrt\kappa$ in the rate. For other losses whose Hessians
#   have all eigenvalues in $[\mu,L]$, Nesterov's theorem says: an iteration multiplies an upper bound on the gap by
#   $1-1/\sqrt\kappa$. The gap itself may rise.

# %% [markdown] id="c03-075"
# ## What we measured · Check yourself · Next
#
# - The post's loop is short because $\kappa$ is near 1: there are many more rows than columns, and the columns are
#   independent with mean zero and equal variance.
# - Two eigenvalues predict the rate.
# - The published step can diverge. One positive number below $2/L$ cannot.
# - A small move proves nothing. $\|\nabla F\|^2/(2\mu)$ bounds the gap.
# - NumPy alone, without rounds, can be faster.
#
# **Check yourself.**
#
# 1. $\kappa$ grows fourfold: how many times as many iterations with step $1/L$?
# 2. *Optional.* And with momentum?
# 3. Which half of the columns may be multiplied by 3 under the published step?
#
# <details><summary>Answers</summary>
#
# 1. About four times as many: for large $\kappa$ a digit costs about $2.3\,\kappa$ iterations.
# 2. About twice as many, because $\sqrt\kappa$ doubles.
# 3. The first half, because `1 / s` starts with its shortest steps.
#
# </details>
#
# **Next.** [04 task graphs](04_task_graphs.ipynb): what does a round cost?
