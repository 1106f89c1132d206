# %% [markdown] id="c03-001"
# # Descend: write the post's loop, predict its speed, debug its step, bound its gap
#
# *We run the post's gradient descent, learn why it needs so few iterations, break it, mend it, and end with a proof.*
#
# **45 minutes.** Prerequisites: [01 data creation](01_data_creation.ipynb) and [02 naive solve](02_naive_solve.ipynb).
#
# Afterwards you can
#
# - write a lazy gradient step with one compute, and count its tasks;
# - predict the rate of gradient descent from two eigenvalues;
# - debug the step size that the post published;
# - bound F(β) − F* by ‖∇F(β)‖²/2μ, and stop by it.
#
# Next: [04 task graphs](04_task_graphs.ipynb).

# %% tags=["setup"] id="c03-002"
import inspect
import time

import dask
import distributed
import numpy as np
from threadpoolctl import threadpool_limits

import glmlab
from glmlab.machine import cluster
from glmlab import datasets, solvers, viz
from glmlab.rows import kernels
from glmlab.teaching import hint, ledger, predict, scale, solution, use

one_thread = threadpool_limits(1)  # as in 02: matrices are small here

# %% [markdown] tags=["workshop"] id="c03-003"
# ## The post's loop (9 min)
#
# The problem is notebook 02's, least squares: minimise F(β) = Σᵢ (yᵢ − xᵢᵀβ)². Its minimiser is β*, its minimum F*. Now we use
# nothing but products by X and by Xᵀ, which serve other losses, too; 02's two sums serve the square alone. **Gradient descent**
# goes downhill with a **step size** t > 0:
#
# β⁺ = β − t ∇F(β),  ∇F(β) = 2Xᵀ(Xβ − y).
#
# The data are the course's, in ten chunks that the workers keep.

# %% tags=["parameters", "setup"] id="c03-004"
n = scale.pick(ci=20_000, workshop=400_000, full=1_000_000)
p, n_chunks = 100, 10
client = cluster.client()
X, y, beta_true = datasets.course(n, p=p, chunks=n // n_chunks)
X, y = client.persist([X, y])
distributed.wait([X, y])
print(cluster.dashboard_link(client) or "This client has no dashboard.")

# %% [markdown] id="c03-006"
# **Exercise 1.** `gd_step(X, y, beta, step)` makes one step and returns two things: the new β, and F at the β that *came in*;
# the residual Xβ − y serves both. `beta` is a NumPy array, `step` one number or p of them, one for each coordinate. X and y are
# dask arrays: nothing is computed until one `dask.compute(a, b)`, which runs the recipes of a and b together and makes what
# they share only once. Rows stay on the workers.
#
# (With `@`, `**`, `.sum()` and `dask.compute` it takes NumPy arrays just as well. The conditions ask for that, too.)


# %% tags=["exercise"] id="c03-007"
def gd_step(X, y, beta, step):
    """beta − step · ∇F(beta), a numpy array (p,), and the number F(beta), by one dask.compute."""
    raise NotImplementedError


# %% tags=["check"] id="c03-008"
gd_step = use(gd_step)
# hint("gd_step")
# solution("gd_step")

# %% [markdown] id="c03-009"
# The post takes its step size from the singular values `s` of H = 2XᵀX, which is the **Hessian** of F, the same at every β:
#
# ```python
# _, s, _ = np.linalg.svd(2 * X.T.dot(X))
# step_size = 1 / s - 1e-8
# ```
#
# It stops when no coefficient moves by more than 10⁻⁸. We take both as they stand; doubts come later.
#
# **Predict** how many iterations that takes.

# %% tags=["predict"] id="c03-010"
post_iterations = predict("iterations of the post's loop", None)


# %% id="c03-011"
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


H = 2 * (X.T @ X).compute()
start = time.perf_counter()
beta_post, k_post = post_loop(X, y, published(H))
seconds_post = time.perf_counter() - start
post_iterations.measured(k_post)
print(f"{seconds_post:.2f} s")

# %% [markdown] id="c03-012"
# Is it right? NumPy's `lstsq` shall say. The rows need not come here for that: a QR decomposition of a chunk's [X_k y_k] leaves at
# most p + 1 rows, which have the chunk's ‖y_k − X_kβ‖² for every β (that is 02's TSQR once more).


# %% id="c03-013" tags=["assert"]
def triangle(X_k, y_k):
    return np.linalg.qr(np.column_stack([X_k, y_k]), mode="r")


blocks = zip(X.to_delayed().ravel(), y.to_delayed(), strict=True)
few = np.vstack(dask.compute(*[dask.delayed(triangle)(*block) for block in blocks]))
beta_star, (F_star,), *_ = np.linalg.lstsq(few[:, :p], few[:, p])

rows = ledger.rows()
for name, ours, row in [("exact solution", beta_star, "naive solve"), ("gradient descent", beta_post, "gradient descent")]:
    theirs = rows[f"post: {row}"]["error"]
    print(f"{name:<17} ‖β − β_true‖∞: ours {np.abs(ours - beta_true).max():.16f}, the post's {theirs:.16f}")
print(f"the loop ended within {np.abs(beta_post - beta_star).max():.1e} of the exact solution")
assert np.abs(beta_post - beta_star).max() <= 1e-7, "the loop agrees with numpy.linalg.lstsq"
assert k_post < 30, "κ is near 1"

# %% [markdown] id="c03-015"
# The post had other rows, so the digits differ; the pattern is the same. *Both* solvers print nearly the same number, since it is the
# estimator's error (02). What a solver left undone shows in the digits in which the two lines differ.

# %% [markdown] tags=["workshop"] id="c03-016"
# ## What one step asks of the scheduler (4 min)
#
# The post's step has a third product, for the loss at the *new* β, and the post shows its graph: "the computation necessary to compute
# beta_hat and the new function value", about 144 circles (function calls) and 166 boxes (chunks in memory). Here it is, lazy, and drawn
# for three chunks, from left to right:


# %% tags=["figure"] id="c03-017"
def published_step(X, y, beta, step):
    Xbeta = X.dot(beta)
    gradient = 2 * X.T.dot(Xbeta - y)
    beta_hat = beta - step * gradient
    new_func = ((y - X.dot(beta_hat)) ** 2).sum()
    return beta_hat, new_func


zero = np.zeros(p)
small_X, small_y, _ = datasets.make_regression(3_000, p, chunks=1_000)
small_X, small_y = client.persist([small_X, small_y])
viz.show(viz.graph(published_step(small_X, small_y, zero, 1e-4)))

# %% [markdown] id="c03-018"
# In glmlab a **pass** is one task a chunk, `loss_grad`, which computes the chunk's loss *and* gradient while its rows are in the cache;
# p + 1 numbers leave it, and a tree of sums adds them. The lowest boxes are the chunks of X and of y, and one that all share: β.
#
# Then we count, with ten chunks as in the post. Before dask runs a graph it *optimises* it: neighbouring tasks become one.

# %% tags=["figure", "assert"] id="c03-019"
small = glmlab.Objective("gaussian", glmlab.as_chunks(small_X, small_y))
viz.show(viz.graph(small.chunks.lazy(kernels.loss_grad, (small.family, zero))))
f = glmlab.Objective("gaussian", glmlab.as_chunks(X, y))
today = published_step(X, y, zero, 1e-6)
counts = {
    "the post's step, as written": viz.task_counts(*today),
    "the same, optimised by dask": viz.task_counts(*today, optimize_graph=True),
    "one pass of glmlab": viz.task_counts(f.chunks.lazy(kernels.loss_grad, (f.family, zero))),
}
print(f"{'the post, in 2017':<28} about 144 tasks,  166 boxes")
for name, count in counts.items():
    print(f"{name:<28} {count['tasks']:>9} tasks, {count['data']:>4} boxes")
written, optimised, one_pass = (count["tasks"] for count in counts.values())
assert one_pass <= 1.5 * n_chunks, "one task a chunk, and a tree of sums"
assert written >= 10 * n_chunks and optimised >= 2 * one_pass

# %% [markdown] id="c03-022"
# > *Systems note.* `2 * X.T @ r` means `(2 * X.T) @ r`: it multiplies all of X by two first, one task and one copy more a chunk.
# > `2 * (X.T @ r)` multiplies p numbers.

# %% [markdown] tags=["workshop"] id="c03-023"
# ## The rate, from two eigenvalues (9 min)
#
# Let e = β − β* be the error. Since ∇F(β) = He, a step makes of it
#
# e⁺ = (I − tH) e.
#
# Along an eigenvector of H with eigenvalue λ, a *direction* of curvature λ, the error is multiplied by 1 − tλ. Let L be the largest
# eigenvalue, μ the smallest, κ = L/μ. (This κ belongs to H; it is the square of 02's κ(X).) The slowest direction decides: in an
# iteration ‖e‖ is multiplied by at most the **rate**
#
# ρ = max |1 − tλ| = max(|1 − tL|, |1 − tμ|).

# %% [markdown] id="c03-024"
# - t = 1/L: ρ = 1 − 1/κ.
# - t = 2/(L + μ): ρ = (κ − 1)/(κ + 1), the best of all.
# - t ≥ 2/L: ρ ≥ 1; the steepest direction no longer shrinks.
#
# The gap F − F* = ½ eᵀHe is multiplied by at most ρ².
#
# > *Optimiser's note.* No quadratic is needed. If every Hessian of F has its eigenvalues in [μ, L], then ∇F(β) = He with an average H
# > of the Hessians between β* and β, and ‖e‖ shrinks as fast.

# %% id="c03-025"
mu, *_, L = np.linalg.eigvalsh(H)
ratio = np.sqrt(p / 1_000_000)
post_kappa = ((1 + ratio) / (1 - ratio)) ** 2  # random matrix theory, for independent columns
for whose, kappa in (("here", L / mu), ("the post's, by theory", post_kappa)):
    print(f"κ = {kappa:.3f} {whose}: rate {1 - 1 / kappa:.3f} with 1/L, {(kappa - 1) / (kappa + 1):.3f} with 2/(L + μ)")

# %% [markdown] id="c03-026"
# That is why so few iterations do: independent columns of variance 1 have XᵀX ≈ nI, and κ is near 1. Other data are less kind. We make
# small problems of any κ: Z has 1,000 rows and 8 columns, the Hessian 2ZᵀZ has eigenvalues from 1 to κ, evenly spread on a logarithmic
# scale. The targets Zb have no noise; so b is the minimiser, and F* = 0.
#
# **Predict.** κ = 9, step 1/L, from β = 0. After how many iterations is ‖β − b‖ down to 10⁻⁸ of its start?

# %% tags=["predict"] id="c03-027"
at_nine = predict("iterations to 1e-8 at κ = 9", None)

# %% id="c03-028"
rng = np.random.default_rng(3)
Q, _ = np.linalg.qr(rng.normal(size=(1_000, 8)))  # orthonormal columns
V, _ = np.linalg.qr(rng.normal(size=(8, 8)))  # the eigenvectors, turned away from the axes
b = V.sum(axis=1)  # as much of each eigenvector


def problem(kappa):
    Z = Q * np.sqrt(np.geomspace(1, kappa, 8) / 2) @ V.T
    return Z, Z @ b


def iterates(X, y, step, iterations):
    """β₀ = 0, β₁, β₂ … by your gd_step, one a row."""
    betas = [np.zeros(X.shape[1])]
    for _ in range(iterations):
        betas.append(gd_step(X, y, betas[-1], step)[0])
    return np.array(betas)


# %% tags=["predict"] id="c03-029"
distance = np.linalg.norm(iterates(*problem(9), 1 / 9, 200) - b, axis=1)
at_nine.measured(int(np.argmax(distance <= 1e-8 * distance[0])))
print(f"by the rate alone: log(1e-8) / log(1 − 1/9) = {np.log(1e-8) / np.log(1 - 1 / 9):.1f}")

# %% [markdown] id="c03-030"
# The rate alone foretells a few more: it supposes that *all* of the error lies in the slowest direction. At the start only a part does;
# the rest dies sooner. So for a sweep over κ we measure the rate over the second half of each run.

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

# %% [markdown] id="c03-033"
# Move the slider (or select it and press the arrow keys). Above: the factor by which one iteration multiplies each of the eight
# directions, at κ = 9. Below: what becomes of the gap. Which two directions are equally slow at the best step?

# %% tags=["figure"] id="c03-034"
Z, target = problem(9)
values, vectors = np.linalg.eigh(2 * Z.T @ Z)
viz.show(viz.step_slider(values, values * (vectors.T @ b) ** 2))

# %% [markdown] tags=["workshop"] id="c03-035"
# ## The published step, debugged (9 min)
#
# Look again: `s` holds *all* singular values, so `1 / s - 1e-8` is a vector, and NumPy multiplies coordinate j of the gradient by its
# entry j. But singular values belong to *directions*; `s` is sorted by size, and knows nothing of the order of our columns. With
# D = diag(step) the error obeys
#
# e⁺ = (I − DH) e,
#
# and its rate in the long run is the **spectral radius** of I − DH, the largest |eigenvalue|. With XᵀX ≈ nI all entries of `s` are
# nearly equal, and no harm is done. So we give half of the columns another unit: we multiply them by 3.


# %% id="c03-036"
def radius(step, H):
    D = np.diag(np.broadcast_to(step, len(H)))
    return np.abs(np.linalg.eigvals(np.eye(len(H)) - D @ H)).max()


first_half, second_half = np.repeat([3.0, 1.0], p // 2), np.repeat([1.0, 3.0], p // 2)
units = {"as they are": np.ones(p), "first half × 3": first_half, "second half × 3": second_half}
for name, unit in units.items():
    H_unit = H * np.outer(unit, unit)
    L = np.linalg.eigvalsh(H_unit)[-1]
    print(f"{name:<15}  κ = {np.linalg.cond(H_unit):6.3f}, radius {radius(published(H_unit), H_unit):6.3f} with the"
          f" published step, {radius(1 / L, H_unit):.3f} with 1/L")

# %% [markdown] id="c03-037"
# Steep columns first or steep columns last: one converges in a few iterations, the other explodes. `1 / s` starts with its shortest
# steps. Where the steep columns come first, these suit them. Where they come last, each gets a step made for a flat column, nine times
# too long.
#
# And where no axis is an eigenvector? We turn H at random:

# %% id="c03-038"
turn, _ = np.linalg.qr(rng.normal(size=(p, p)))
for kappa in (post_kappa, 1.5, 2, 2.5, 3, 5, 9):
    turned = (turn * np.geomspace(kappa, 1, p)) @ turn.T
    print(f"κ = {kappa:<5.3g} radius {radius(published(turned), turned):.3f} with the published step, {1 - 1 / kappa:.3f} with 1/L")

# %% [markdown] id="c03-039"
# At the post's κ, the first line, the vector is even a little faster than 1/L. At κ = 3 it diverges.
#
# Does the loop do what the radius says? We run it in NumPy, on the first 5,000 rows.


# %% id="c03-040"
few_X, few_y, _ = datasets.make_regression(5_000, p, chunks=500)
few_X, few_y = client.persist([few_X, few_y])
local_X, local_y = dask.compute(few_X, few_y)


def gaps(unit, step, iterations=60):
    """F − F* along the loop in other units, and the radius; `step` makes a step size of the Hessian."""
    A = local_X * unit
    H = 2 * A.T @ A
    e = iterates(A, local_y, step(H), iterations) - np.linalg.lstsq(A, local_y)[0]
    return (e @ H * e).sum(axis=1) / 2, radius(step(H), H)


first, _ = gaps(first_half, published)
second, foretold = gaps(second_half, published)
growth = np.sqrt(second[-1] / second[-2])
print(f"second half × 3: an iteration multiplies the error by {growth:.3f}, its radius is {foretold:.3f}")

# %% [markdown] id="c03-041"
# A second defect hides in `- 1e-8`. It is meant as a margin of safety. But a step size has a unit, that of 1/H, and H grows with n. For
# independent standard normal columns random matrix theory says L ≈ 2n(1 + √(p/n))², which is about 2n where n is much larger than p.
# The next cell computes what would happen at larger n; it does not run it.


# %% id="c03-042"
def steepest(rows):
    return 2 * rows * (1 + np.sqrt(p / rows)) ** 2


print(f"L = {np.linalg.eigvalsh(H)[-1]:.4g} here, where theory says {steepest(n):.4g}")
print(f"X with 8e8 rows would take {viz.bytes_text(8e8 * p * 8)}")
for rows in (1e6, 1e7, 4e7, 6e7, 8e8):
    step = 1 / steepest(rows) - 1e-8
    print(f"n = {rows:.0e}: 1/L − 1e-8 = {step:+.1e}, the steepest error is multiplied by {1 - step * steepest(rows):.3g}")

# %% [markdown] id="c03-043"
# The factor is 10⁻⁸ L: the margin alone decides. Beyond n = 5·10⁷ the step is **negative**, and the loop walks uphill. (On its cluster
# the post had 8·10⁸ rows, of other columns, for other methods.)
#
# **Exercise 2.** Mend both. `safe_step(H)` returns one number, with which gradient descent converges on any quadratic with Hessian H, in
# whatever units; not shorter than 1/(2√p·L), nor longer than 1.98/L.


# %% tags=["exercise"] id="c03-044"
def safe_step(H):
    """A step size, one number, with which gradient descent converges on every quadratic of Hessian H (p, p)."""
    raise NotImplementedError


# %% tags=["check"] id="c03-045"
safe_step = use(safe_step)
# hint("safe_step")
# solution("safe_step")

# %% tags=["figure", "assert"] id="c03-046"
mended, _ = gaps(second_half, safe_step)
curves = {"published, first half × 3": first, "published, second half × 3": second, "mended, second half × 3": mended}
viz.show(viz.gap_curves({name: curve[:25] for name, curve in curves.items()}))
assert second[-1] > 1e20 * second[0], "the published step diverges"
assert mended[-1] < mended[0] and np.all(np.diff(mended) < 0), "the mended one does not"
assert np.isclose(growth, foretold, rtol=0.05), "the radius foretells it"
assert 1 / steepest(4e7) - 1e-8 > 0 > 1 / steepest(6e7) - 1e-8, "the published step changes its sign"

# %% [markdown] tags=["optional"] id="c03-048"
# ## Backtracking and momentum (5 min)
#
# For other losses nobody knows L beforehand. **Backtracking** tries a long step and halves it until F falls enough. Armijo's rule asks for
# F(β − tg) ≤ F(β) − a t ‖g‖², where g = ∇F(β) and a is small. **Momentum** (Nesterov) takes the gradient a little ahead, at
# v = β + m(β − β_old). With t = 1/L and m = (√κ − 1)/(√κ + 1) the gap shrinks in the long run at least by 1 − 1/√κ an iteration;
# without momentum it is (1 − 1/κ)².


# %% tags=["optional"] id="c03-049"
def backtrack(X, y, beta, t, a=1e-4):
    there, loss = gd_step(X, y, beta, 1.0)
    g = beta - there  # a step of size 1 shows the gradient
    while gd_step(X, y, beta - t * g, 1.0)[1] > loss - a * t * (g @ g):
        t = t / 2
    return beta - t * g, t


def nesterov(X, y, t, m, iterations):
    beta = old = np.zeros(X.shape[1])
    for _ in range(iterations):
        old, (beta, _) = beta, gd_step(X, y, beta + m * (beta - old), t)
    return beta


Z, target = problem(100)
t = backtrack(Z, target, np.zeros(8), 1.0)[1]
ahead = nesterov(Z, target, 1 / 100, (10 - 1) / (10 + 1), 200)  # √κ = 10
plain = iterates(Z, target, 1 / 100, 200)[-1]
print(f"κ = 100: from t = 1 the search went down to {t}, where 1/L is {1 / 100}")
print(f"‖β − b‖ after 200 iterations: {np.linalg.norm(ahead - b):.1e} with momentum, {np.linalg.norm(plain - b):.1e} without")

# %% [markdown] tags=["optional"] id="c03-050"
# On a cluster each trial of that `while` costs a round. glmlab prices many step sizes in *one* pass (`armijo`). Here is its gradient descent:
# a solver is a *generator* that evaluates, yields a state, then updates; when to stop is for others to say. (g is the penalty.)
#
# FISTA is Nesterov's method without κ: its m grows by a formula in θ, and starts afresh when it points uphill.

# %% tags=["optional", "figure"] id="c03-051"
print(inspect.getsource(solvers.gradient_descent))
print(inspect.getsource(solvers.fista))
options = {"family": "gaussian", "tol": 1e-9}
viz.show(viz.convergence({
    "step 1/L": glmlab.fit(Z, target, solver="gradient_descent", step=1 / 100, **options),
    "Armijo": glmlab.fit(Z, target, solver="gradient_descent", **options),
    "FISTA": glmlab.fit(Z, target, solver="fista", **options),
}, optimum=0.0))

# %% [markdown] tags=["workshop"] id="c03-055"
# ## Stopping rules that lie, and one that does not (7 min)
#
# The post stops when no coefficient moves by more than 10⁻⁸. What does that rule measure? We give its loop a step that is far too short:

# %% id="c03-056"
short, k_short = post_loop(X, y, 1e-9 * safe_step(H))
F_zero = float((y**2).sum().compute())
gap_short = (short - beta_star) @ H @ (short - beta_star) / 2
print(f"it stopped after {k_short} iteration, with {gap_short / (F_zero - F_star):.7f} of the gap that it had at β = 0")

# %% [markdown] id="c03-057"
# The change is t ‖∇F‖∞: a short step makes it small *anywhere*. (And F changes little on a plateau.) We want a **certificate**, a
# computable number that F(β) − F* cannot exceed.
#
# No eigenvalue of H lies below μ > 0. So a parabola lies below F: with g = ∇F(β),
#
# F(β + d) ≥ F(β) + gᵀd + (μ/2)‖d‖²  for every d.
#
# **Exercise 3.** `smooth_bound(g, mu)`. What is the lowest value of the right side? F* cannot lie below it.


# %% tags=["exercise"] id="c03-058"
def smooth_bound(g, mu):
    """A number that F(β) − F* cannot exceed, from g = ∇F(β) (p,) and the smallest curvature mu."""
    raise NotImplementedError


# %% tags=["check"] id="c03-059"
smooth_bound = use(smooth_bound)
# hint("smooth_bound")
# solution("smooth_bound")

# %% [markdown] id="c03-060"
# Your certificate now stops a run on the workers: all rows, second half of the columns × 3, step `safe_step(H)`. The display updates while
# the run lasts. `glmlab.run` drives any solver; `until` replaces its stopping rule by ours, `callback` sees every state before the last.
# (`f.loss_grad` remembers: asked again for the same β, it costs no pass.)

# %% id="c03-061"
H_unit = H * np.outer(second_half, second_half)
mu = np.linalg.eigvalsh(H_unit)[0]
f = glmlab.Objective("gaussian", glmlab.as_chunks(X * second_half, y))
watch = viz.Live(lambda state: smooth_bound(f.loss_grad(state.beta).grad, mu), title="second half × 3")


def near_enough(state):
    watch(state)
    return watch.bounds[-1] <= 1e-7 * watch.objectives[-1]


path = []
with watch:
    result = glmlab.run(
        "gradient_descent", f, step=float(safe_step(H_unit)), until=near_enough, tol=1e-5,
        callback=lambda state: path.append(state.beta),
    )  # fmt: skip

# %% id="c03-062"
result

# %% [markdown] id="c03-063"
# glmlab makes its own certificate at the end: residual-corrected duality (06), which needs no μ. Where rows are many it reads a share of
# them only, and is the looser for it.
#
# How sharp is *yours*? Here β* is known, so we can look:

# %% tags=["figure", "assert"] id="c03-064"
e = np.array([*path, result.beta]) - beta_star / second_half
true_gaps = (e @ H_unit * e).sum(axis=1) / 2
viz.show(viz.gap_curves({"F − F*": true_gaps, "‖∇F‖²/2μ": watch.bounds}, ylabel="F − F*, and the bound on it"))
print(f"bound ÷ gap: {watch.bounds[0] / true_gaps[0]:.2f} at the start, {watch.bounds[-1] / true_gaps[-1]:.2f} at the end")
assert result.converged and result.certificate.relative <= 1e-6, "glmlab's certificate agrees that it may stop"
assert np.all(np.array(watch.bounds) >= true_gaps * (1 - 1e-6)), "a certificate is never below the gap"
assert np.abs(result.beta * second_half - beta_star).max() <= 1e-2, "near numpy.linalg.lstsq"
assert k_short == 1 and gap_short > 0.99 * (F_zero - F_star), "a short step fools the post's rule"

# %% [markdown] id="c03-065"
# At the end it is nearly the gap itself. That says less than it seems: with step 1/L the error is left in the *flattest* direction, and there
# the parabola touches F. Perturb a minimiser at random instead:

# %% id="c03-066"
Z, target = problem(100)
H_Z = 2 * Z.T @ Z
for name, e in {"the flattest": V[:, 0], "a random": rng.normal(size=8), "the steepest": V[:, -1]}.items():
    gap, duality = e @ H_Z @ e / 2, glmlab.certify(Z, target, b + e, family="gaussian").bound
    print(f"κ = 100, {name:>12} direction, bound ÷ gap: {smooth_bound(H_Z @ e, 1.0) / gap:7.3f} by ‖∇F‖²/2μ,"
          f" {duality / gap:.3f} by residual-corrected duality")

# %% [markdown] id="c03-067"
# It always holds, and may be κ times the gap. Two debts remain: it needs μ, which we took from all of H; and there are losses, the logistic
# one among them, that no parabola of one μ > 0 supports everywhere. Notebook 06 pays both.

# %% [markdown] tags=["workshop"] id="c03-069"
# ## Where did the time go? (2 min)
#
# So few iterations. Are they fast? We time seven of the *same* `post_loop` on dask arrays, which the workers hold, and on NumPy arrays,
# brought here: with few rows, then with as many as fit here comfortably. NumPy may use one thread, as each worker may.


# %% id="c03-070" tags=["assert"]
def race(X, y):
    """Milliseconds an iteration and β after seven: on the workers, and in NumPy here."""
    local, step, times, betas = dask.compute(X, y), published(2 * (X.T @ X).compute()), [], []
    for A, t in ((X, y), local):
        start = time.perf_counter()
        beta, k = post_loop(A, t, step, max_steps=7)
        times.append(1e3 * (time.perf_counter() - start) / k)
        betas.append(beta)
    return times, betas


many = scale.pick(ci=20_000, workshop=100_000, full=200_000)
many_X, many_y, _ = datasets.make_regression(many, p, chunks=many // n_chunks)
for A, t in ((few_X, few_y), client.persist([many_X, many_y])):
    (there, here), (by_workers, by_numpy) = race(A, t)
    print(f"{len(A):>9,} rows, an iteration: {there:8.1f} ms on {len(client.nthreads())} workers, {here:8.1f} ms in NumPy")
assert np.abs(by_workers - by_numpy).max() <= 1e-7, "one function, two kinds of arrays, one answer"

# %% [markdown] id="c03-072"
# With few rows the products are next to nothing. What an iteration takes on the workers is then the price of a *round*: build the graph,
# send its tasks, wait for the last one, fetch the results. With more rows that price comes on top of the products. Workers that share the
# products might divide NumPy's time by their number. If they do not even reach it: **where did the time go?**

# %% id="c03-073" tags=["assert"]
proof = glmlab.certify(X, y, beta_post, family="gaussian")
tasks = result.rounds * viz.task_counts(f.chunks.lazy(kernels.loss_grad, (f.family, zero)))["tasks"]
ledger.add(
    "03: the post's loop, vector step",
    passes=2 * k_post, rounds=k_post, bytes=X.nbytes, seconds=seconds_post,  # products by X and by its transpose
    error=np.abs(beta_post - beta_true).max(), zeros=np.sum(beta_post == 0), gap=proof.relative,
)  # fmt: skip
ledger.add(
    "03: gradient descent, 1/L, half × 3",
    passes=result.passes, rounds=result.rounds, tasks=tasks, bytes=X.nbytes, seconds=result.seconds,
    error=np.abs(result.beta * second_half - beta_true).max(), zeros=np.sum(result.beta == 0),
    gap=result.certificate.relative,
)  # fmt: skip
assert proof.relative <= 1e-9, "proved: the post's loop ended near the optimum"
client.close()
assert client.status == "closed"
ledger

# %% [markdown] id="c03-075"
# ## What we measured · Check yourself · Next
#
# - The post's loop works, and needs few iterations because κ is near 1.
# - Two eigenvalues foretell the rate, within 5 % for every κ we tried.
# - The published step is a vector: the order of columns can make it diverge. With many rows it turns negative.
# - A small change of β proves nothing; ‖∇F‖²/2μ does.
#
# **Check yourself.** κ grows fourfold: how many times as many iterations with step 1/L, and with momentum? Which half of the
# columns may be stretched under the published step? Where is ‖∇F‖²/2μ κ times too large?
#
# **Next.** [04 task graphs](04_task_graphs.ipynb): what does a round cost?
