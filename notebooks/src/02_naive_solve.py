# %% [markdown] id="c02-001"
# # Solve least squares directly: one pass, two sums, every λ
#
# *We run the post's first solver as it was written, find out whose error it printed, and keep two sums that answer every
# ridge.*
#
# **60 minutes** with the exercises. Prerequisites: [01 data creation](01_data_creation.ipynb). Symbols and words are in
# the [glossary](00_start_here.ipynb#Notation-and-glossary).
#
# Afterwards you can
#
# - solve least squares by two sums over chunks, and say what crosses the network;
# - tell an estimator's error from a solver's;
# - say when a direct solve costs more than gradient descent;
# - solve every ridge without another pass;
# - predict the digits that normal equations and QR leave, and keep them with QR by chunks (optional).
#
# Next: [03 gradient descent](03_gradient_descent.ipynb).

# %% tags=["setup"] id="c02-002"
import time

import dask
import dask.array as da
import distributed
import numpy as np
from sklearn.linear_model import Ridge
from threadpoolctl import threadpool_limits

import glmlab
from glmlab import datasets, viz
from glmlab.machine import cluster
from glmlab.teaching import check, hint, ledger, predict, scale, solution, use
from glmlab.teaching.prices import direct_and_gradient

one_thread = threadpool_limits(1)  # BLAS makes NumPy's matrix products. These are small: its threads would only wait

# %% [markdown] tags=["workshop"] id="c02-003"
# ## A minimum in closed form (5 min, core)
#
# Can we write the minimiser down? Least squares looks for the coefficients $\beta \in \mathbb{R}^p$ that minimise
#
# $$F(\beta) = \sum_{i=1}^{n} \big(y_i - x_i^\top\beta\big)^2 = \|y - X\beta\|^2 ,$$
#
# where $x_i$ is row $i$ of $X$. $F$ is convex, so it is smallest where
# $\nabla F(\beta) = 2\,(X^\top X \beta - X^\top y)$ vanishes. With $G = X^\top X$ and $c = X^\top y$ these are the
# **normal equations** $G\beta = c$. If the columns of $X$ are linearly independent, the only minimiser is
# $\beta^* = G^{-1}c$.
#
# The line inside `naive` is the post's. The post then printed the largest difference between this answer and the
# coefficients $\beta_{\text{true}}$ that made the data.

# %% tags=["parameters", "setup"] id="c02-005"
n = scale.pick(ci=20_000, workshop=400_000, full=1_000_000)
p, n_chunks = 100, 10
post_n, post_error = 1_000_000, ledger.rows()["post: naive solve"]["error"]

client = cluster.client()
X, y, beta_true = datasets.course(n, p=p, chunks=n // n_chunks)  # saved by 01, or drawn again
X, y = client.persist([X, y])
distributed.wait([X, y])
print(cluster.dashboard_link(client) or "This client has no dashboard.")

# %% id="c02-008"
def naive(X, y):
    return da.linalg.solve(X.T.dot(X), X.T.dot(y))  # solve factors G by LU: Gaussian elimination


lazy = naive(X, y)
start = time.perf_counter()
beta_star = lazy.compute()
seconds = time.perf_counter() - start
error = abs(beta_star - beta_true).max()
print(f"the post printed {post_error:.19f} for {post_n:,} rows")
print(f"we measure       {error:.19f} for {n:,} rows, in {seconds:.2f} s")

# %% [markdown] id="c02-010"
# *Recap.* The minimiser solves $G\beta = c$. Two questions remain for the next two sections. What did the workers do? And
# is this the error of the *solver*, so that a better solver would print less?

# %% [markdown] tags=["workshop"] id="c02-060"
# ## Two reductions (15 min, core)
#
# How do the chunks work together? The first picture is dask's recipe of $G = X^\top X$ for an $X$ in four chunks. Read
# it from below. Each chunk $X_k$ is made (`zeros_like`: we take zeros, because the recipe is the same for any numbers).
# The chunk is transposed, and the transpose is multiplied by the chunk (`tensordot`). `sum` has nothing to add yet,
# because it receives one product at a time. The chunks meet only in the last task, `sum-aggregate`, which adds the four
# products.
#
# The second picture shows what Exercise 1 will do: each chunk also gives $X_k^\top y_k$, and the notebook's own process
# adds all parts.

# %% tags=["figure"] id="c02-011"
four_chunks = da.zeros((n, p), chunks=(n // 4, p))  # a recipe depends on the chunks only
recipe = four_chunks.T.dot(four_chunks)
viz.show(viz.graph(recipe, names={"X": four_chunks, "G": recipe}, title="Four chunks meet only in the last task"))
viz.show(viz.reduction())
written, fused = (viz.task_counts(lazy, optimize_graph=fuse)["tasks"] for fuse in (False, True))
print(f"The post's line, {n_chunks} chunks: {written} tasks, {fused} after dask has fused some.")
print("With ten chunks dask adds in two levels, at most four products at a time.")

# %% [markdown] id="c02-012"
# Let $X_k$ and $y_k$ be the rows and the responses of chunk $k$, for $k = 1, \dots, K$. Then
#
# $$G = \sum_{k=1}^{K} X_k^\top X_k \qquad\text{and}\qquad c = \sum_{k=1}^{K} X_k^\top y_k .$$
#
# Such a sum over chunks is called a **reduction**. The post's line consists of two reductions and one small solve.
#
# **Predict.** How many numbers does one chunk send to the two sums?

# %% tags=["predict"] id="c02-013"
numbers = predict("numbers that one chunk sends", None)

# %% [markdown] id="c02-014"
# **On paper.** Let $X$ have the rows $(1, 2)$ and $(3, 4)$, let $y = (1, 1)$, and let each row be a chunk of its own.
# Then
#
# $$G = \begin{pmatrix}1&2\\2&4\end{pmatrix} + \begin{pmatrix}9&12\\12&16\end{pmatrix} =
# \begin{pmatrix}10&14\\14&20\end{pmatrix},\qquad
# c = \begin{pmatrix}1\\2\end{pmatrix} + \begin{pmatrix}3\\4\end{pmatrix} = \begin{pmatrix}4\\6\end{pmatrix},$$
#
# and $G\beta = c$ gives $\beta = (-1, 1)$.
#
# **Exercise 1.** Write `gram(blocks)`, which returns $G$ and $c$. `blocks` is an iterable of pairs $(X_k, y_k)$ of NumPy
# arrays, one pair for each chunk. Reading a chunk is the expensive part. Read each chunk once, and keep only one in memory.

# %% tags=["exercise"] id="c02-015"
def gram(blocks):
    """G = XᵀX (p, p) and c = Xᵀy (p,), from one reading of the chunks.

    blocks   an iterable of pairs X_k (n_k, p) and y_k (n_k,); the n_k may differ
    """
    raise NotImplementedError

# %% tags=["check"] id="c02-016"
gram = use(gram)
# hint("gram")
# solution("gram")

# %% tags=["assert"] id="c02-018"
# to_delayed gives the chunks one by one. delayed(gram)([block]) is a task that runs gram on
# one block; workers= names the worker that holds X_k, so that X_k need not travel.
blocks = list(zip(X.to_delayed().ravel(), y.to_delayed().ravel(), strict=True))
holders = client.who_has(X)  # {key of a chunk: its workers}
sent, start = cluster.bytes_sent(client), time.perf_counter()
parts = client.gather([
    client.compute(dask.delayed(gram)([block]), workers=holders[block[0].key]) for block in blocks
])
sent, pass_seconds = cluster.bytes_sent(client) - sent, time.perf_counter() - start

G, c = (sum(terms) for terms in zip(*parts, strict=True))
numbers.measured(parts[0][0].size + parts[0][1].size)
print(f"p² + p = {p**2 + p:,}, from each of {len(parts)} chunks of {n // n_chunks:,} rows")
needed = len(parts) * (p**2 + p) * 8
print(f"the two sums need {viz.bytes_text(needed)}, and X has {viz.bytes_text(X.nbytes)}")
print(f"sent by the workers: {viz.bytes_text(sent)}, and y has {viz.bytes_text(y.nbytes)}")
print("for a new function dask assumes", dask.config.get("distributed.scheduler.unknown-task-duration"))
assert sent < needed + y.nbytes + 0.5 * X.nbytes / n_chunks, "no chunk of X has travelled"

short = gram([(X[:p].compute(), y[:p].compute())])
assert all(G_k.size + c_k.size == p**2 + p for G_k, c_k in [*parts, short])
assert abs(G - X.T.dot(X).compute()).max() <= 1e-12 * abs(G).max()
assert abs(np.linalg.solve(G, c) - beta_star).max() <= 1e-12 * abs(beta_star).max()

# %% [markdown] id="c02-021"
# <details><summary>Answer: why so few numbers?</summary>
#
# $X_k^\top X_k$ is a $p \times p$ matrix and $X_k^\top y_k$ has $p$ entries: $p^2 + p$ numbers, however long the chunk
# is, because its rows are summed away on the worker. (We send both halves of the symmetric matrix.)
#
# </details>
#
# > *Systems note.* Sometimes more than the sums travels: if $y_k$ lies on another worker than $X_k$, it is sent, too.
# >
# > Without `workers=`, $X_k$ may be sent as well. dask runs a task on the worker on which it expects the task to finish
# > first. It does not know how long `gram` takes, and assumes the time in the last line printed above. Compared with that
# > time, sending $X_k$ to an idle worker seems cheap, so dask may do it.
#
# *Recap.* Least squares needs two sums over the rows. A chunk of any length sends $p^2 + p$ numbers. No row of $X$ has to
# travel.

# %% [markdown] id="c02-022"
# ## Whose error was it? (8 min, core)
#
# The post printed an error. Would a better solver have printed less? We first ask how far our solver is from the minimum.
# A certificate bounds $F(\beta) - F^*$, where $F^*$ is the minimum. Notebook 00 derived it for least squares, and
# notebook 06 derives it for other losses.

# %% id="c02-023"
proof = glmlab.certify(X, y, beta_star, family="gaussian")
gap = proof.bound - proof.rounding
print(f"F(β) − F* ≤ {proof.bound:.2g}: a proved gap of {gap:.1e}, and {proof.rounding:.2g} for the rounding of F(β)")
print(f"relative gap {proof.relative:.1e}: the proved gap alone, divided by F(β) = {proof.objective:.4g}")
print(f"‖β − β_true‖∞ = {error:.3g}")

# %% [markdown] id="c02-061"
# The bound is hardly more than its allowance for rounding, so the solver is practically at the minimum. The printed
# error comes from noise in $y$: $\beta^*-\beta_{\text{true}}=G^{-1}X^\top(\text{noise})$. No solver lowers this error of
# the **estimator**.
#
# The noise is normal with variance 1, so given $X$ the error is normal with covariance $G^{-1}$. Our columns are
# independent with mean 0 and variance 1, so $G\approx nI$, and each coefficient misses by about $1/\sqrt{n}$. The
# *largest* of $p$ errors is below $\sqrt{2\log p/n}$, dashed in the next figure, in about four of five samples.
#
# Its blue band holds the largest error in 98 of 100 samples, if errors are independent with variance $1/(n-p-1)$. Our
# points share rows, so their errors are dependent.
#
# <details><summary>Why this variance?</summary>
#
# It is the mean of $(G^{-1})_{jj}$ over random $X$. This is a known fact: for normal columns like ours, $G^{-1}$ has the
# inverse Wishart distribution, whose mean is $I/(n-p-1)$.
#
# </details>
#
# <details><summary>Where does the dashed line come from?</summary>
#
# A standard normal number exceeds $\sqrt{2\log p}$ in absolute value with a probability below $1/p$. For $p=100$ it is
# $0.0024$. So of 100 independent ones none exceeds it with probability $(1-0.0024)^{100}\approx0.79$.
#
# </details>

# %% tags=["figure", "assert"] id="c02-025"
sizes = np.geomspace(1_000, n, 9).astype(int)
estimates = dask.compute(*[naive(X[:m], y[:m]) for m in sizes])
errors = [abs(estimate - beta_true).max() for estimate in estimates]
viz.show(viz.error_by_rows(sizes, errors, p, others={"the post": (post_n, post_error)}))

draws = np.random.default_rng(0).standard_normal((20_000, p))
largest = abs(draws).max(axis=1)  # of p normal errors, 20,000 times
low, high = np.quantile(largest, [0.01, 0.99])
share = (largest <= np.sqrt(2 * np.log(p))).mean()
root = np.sqrt(post_n - p - 1)
by_chance = f"{low / root:.5f} to {high / root:.5f}"
print(f"98 of 100 samples of {post_n:,} rows: {by_chance}; the post: {post_error:.5f}")
print(f"the largest error lies below √(2 log p / n) in {share:.0%} of the samples")
assert proof.relative <= 1e-12, "the solver has no error that counts"
for rows, found in ((n, error), (post_n, post_error)):
    assert low < found * np.sqrt(rows - p - 1) < high, "chance explains the error"

# %% [markdown] id="c02-027"
# So chance explains the post's number. On the same rows every good solver prints the same first digits, and a hundred
# times as many rows would make the error about ten times smaller. So this error cannot tell a good solver from a better
# one. The gap $F - F^*$ can, and so can a bound on it. That is why this course certifies.
#
# *Recap.* The solver's error is $\beta - \beta^*$, and the estimator's is $\beta^* - \beta_{\text{true}}$. The post
# printed the second. It falls like $1/\sqrt n$ and depends on no solver.

# %% [markdown] id="c02-042"
# ## When a direct solve costs more than gradient descent (6 min, core)
#
# *"Sometimes a direct solve is too costly"*, says the post, and turns to gradients. When?
#
# We count additions and multiplications. $G$ is symmetric and takes $np(p+1)$, $c$ takes $2np$, the solve
# $\frac23p^3$, and a gradient $2X^\top(X\beta-y)$ about $4np$. So a direct solve costs about $p/4+p^2/(6n)$ gradients.
#
# Seconds are another matter. A gradient does four operations with each number of $X$, and $X^\top X$ does $p+1$. If $X$ is
# larger than the cache (the processor's small, fast memory), we therefore expect that a gradient waits for memory and
# $X^\top X$ does not.
#
# **Predict.** For $p=100$, how many gradients take as long as a direct solve?

# %% tags=["predict"] id="c02-043"
price = predict("gradients for the price of a direct solve, p = 100", None)

# %% id="c02-044"
for columns in (25, 100, 400):
    rows = 10_000_000 // columns  # an X of 80 MB each time
    direct, gradient = client.submit(direct_and_gradient, rows, columns, pure=False).result()
    counted = (rows * columns * (columns + 3) + 2 / 3 * columns**3) / (4 * rows * columns)
    clock = direct / gradient
    ratio = counted / clock
    print(f"p = {columns:3}: {counted:5.1f} gradients by operations, {clock:5.1f} by the clock, ratio {ratio:.1f}")
    if columns == 100:
        price.measured(clock)
for columns in (10_000, 1_000_000):
    size, operations = viz.bytes_text(8 * columns**2), 2 / 3 * columns**3
    print(f"p = {columns:9,}: G takes {size}, its solve {operations:.0e} operations (computed, not run)")

# %% [markdown] id="c02-045"
# <details><summary>Answer: why so few by the clock?</summary>
#
# An operation of $X^\top X$ takes less time than an operation of a gradient. The likely reason is that the processor
# waits for memory during a gradient and computes during $X^\top X$.
#
# </details>
#
# How many gradients does gradient descent need? The **condition number** $\kappa(X)$ is the largest singular value of $X$
# divided by the smallest. Notebook 03 shows that the number of gradients grows with the digits that we want and with the
# square of $\kappa(X)$. For a given $\kappa(X)$ it does not depend on $p$. A direct solve is cheaper if it costs less than
# that many gradients. This comparison counts work only. Each gradient also costs a round of messages, and the direct solve
# costs one round in all (notebook 04).
#
# *Recap.* A direct solve costs about $p/4$ gradients by operations, and fewer by the clock. Gradient descent is cheaper
# if it needs fewer than that. $G$ must fit into memory.

# %% [markdown] tags=["workshop"] id="c02-047"
# ## Every ridge from one pass (8 min, core)
#
# A ridge penalty $\frac\lambda2\|\beta\|^2$ with weight $\lambda \ge 0$ keeps $\beta$ short. The best $\lambda$ is
# unknown, so we try many. Must each read the rows? Multiply out the square:
#
# $$F(\beta)+\tfrac\lambda2\|\beta\|^2 = y^\top y-2c^\top\beta+\beta^\top G\beta+\tfrac\lambda2\|\beta\|^2.$$
#
# The rows appear only in $G$, $c$ and $y^\top y$, so no other pass is needed.
#
# **On paper.** Let $G$ be diagonal with entries 1 and 4, and $c = (1, 4)$. With $\lambda = 2$ the partial derivatives
# $2(\beta_1-1)+2\beta_1$ and $2(4\beta_2-4)+2\beta_2$ vanish at $(\frac12,\frac45)$. A diagonal $G$ needs no solve.
#
# **Exercise 2.** Write `ridges(G, c, lams)`. A solve for each $\lambda$ would cost $\frac23p^3$ operations each time. One
# decomposition of $G$ is enough for all.

# %% tags=["exercise"] id="c02-048"
def ridges(G, c, lams):
    """Minimisers (m, p) of Σ (y − xᵀβ)² + (λ/2)‖β‖²: row i for the weight lams[i]; G is decomposed once.

    G, c, lams   XᵀX (p, p), Xᵀy (p,) and m weights λ ≥ 0 in any order
    """
    raise NotImplementedError

# %% tags=["check"] id="c02-049"
ridges = use(ridges)
# hint("ridges")
# solution("ridges")

# %% tags=["figure"] id="c02-050"
lams = n * np.geomspace(1e-4, 1e3, 50)  # G ≈ nI, so λ matters when λ/2 is about as large as n
start = time.perf_counter()
betas = ridges(G, c, lams)
ridge_seconds = time.perf_counter() - start
print(f"one pass, {pass_seconds:.3f} s: {G.size + c.size:,} numbers")
print(f"every λ thereafter: {len(lams)} of them in {ridge_seconds:.3f} s")
half = np.linalg.norm(ridges(G, c, [2 * n])[0]) / np.linalg.norm(betas[0])
title = f"At λ = 2n = {2 * n:,}, β is {half:.0%} as long as at the smallest λ"
which = np.argsort(betas[0])[[p - 1, 2 * p // 3, p // 3, 0]]  # spread from the largest to the smallest
names = [f"$\\beta_{{{j}}}$" for j in range(1, p + 1)]
viz.show(viz.coefficients(lams, betas, names=names, which=which, mark={"λ = 2n": 2 * n}, title=title))

# %% tags=["assert"] id="c02-052"
X_1, y_1 = dask.compute(*blocks[0])  # scikit-learn needs its rows in this process: one chunk
for k in (0, len(lams) // 2, len(lams) - 1):
    lam = lams[k]
    ridge_proof = glmlab.certify(X, y, betas[k], family="gaussian", penalty=glmlab.Ridge(lam))
    [ours] = ridges(*parts[0], [lam])
    # scikit-learn minimises ‖y − Xβ‖² + α‖β‖²
    theirs = Ridge(alpha=lam / 2, fit_intercept=False).fit(X_1, y_1).coef_
    difference = abs(ours - theirs).max()
    gap = ridge_proof.relative
    print(f"λ = {lam:.1e}: relative gap {gap:.0e}, difference from scikit-learn {difference:.0e}")
    assert gap <= 1e-12 and difference <= 1e-9

# %% [markdown] id="c02-064"
# *Recap.* $G$ and $c$ answer every $\lambda$ without another pass.
#
# ### Why the course goes on
#
# Do other losses have such sums? With $p=1$ a squared loss is $(y-x\beta)^2=y^2-2xy\,\beta+x^2\beta^2$. The loss
# of *every* row combines $1$, $\beta$ and $\beta^2$. Over all rows their coefficients are $y^\top y$, $-2c$ and $G$.
#
# It is different for the logistic loss of a row, $\log(1+e^{x\beta})-yx\beta$ with $y=0$ or $1$. If no $x$ is zero and no
# two are equal or opposite, the losses of any number of rows are linearly independent. So there is no finite list of
# functions, such as $1,\beta,\beta^2$ above, from which the loss of every row can be combined. The next cell computes the
# rank of eight losses with $y=1$.
#
# <details><summary>Why are they linearly independent?</summary>
#
# If a combination of the losses is zero at every $\beta$, so is the same combination of their second derivatives. For
# large $\beta$ the second derivative falls like $e^{-|x|\beta}$. So the row with the smallest $|x|$ outweighs all others
# there, and its factor must be 0. Then the same holds for the row with the next smallest $|x|$, and so on: all factors
# are 0.
#
# </details>

# %% tags=["assert"] id="c02-057"
x, grid = np.random.default_rng(0).standard_normal(8), np.linspace(-40, 40, 201)[:, None]
losses = {"squared": (1 - x * grid) ** 2, "logistic": np.logaddexp(0, x * grid) - x * grid}
ranks = {name: int(np.linalg.matrix_rank(values)) for name, values in losses.items()}
print(f"rank of the losses of {len(x)} rows:", ranks)
assert ranks == {"squared": 3, "logistic": len(x)}, "three numbers hold any number of squares"

# %% [markdown] tags=["optional"] id="c02-028"
# ## Conditioning, squared (18 min, optional)
#
# How many digits does rounding cost? One float64 operation has a relative error of at most $\varepsilon/2$, where
# $\varepsilon=2.2\cdot10^{-16}$. Let $\|X\|$ be the largest singular value of $X$, $\kappa(X)$ its condition number,
# $r=y-X\beta^*$ the residual. A **backward stable** algorithm gives the exact answer for data changed by a relative amount
# of about $\varepsilon$. If it works on $X$, its relative error is at most of the order
#
# $$\varepsilon\,\kappa(X)+\varepsilon\,\kappa(X)^2\,\frac{\|r\|}{\|X\|\,\|\beta^*\|}.$$
#
# While the first term is larger (small residual), each factor of ten in $\kappa(X)$ costs one digit. While the
# second is, it costs two (Björck 1996, §1.4). The normal equations work on $G$, whose condition number is
# $\kappa(X)^2$, so they lose two in either case.

# %% [markdown] id="c02-030"
# Such an algorithm uses the **QR decomposition** $X=QR$. The columns of $Q$ are orthonormal. $R$ is
# upper triangular and has the same singular values as $X$. Since
#
# $$\|y - X\beta\|^2 = \|Q^\top y - R\beta\|^2 + \text{a constant},$$
#
# the minimiser solves $R\beta = Q^\top y$. Nothing is squared.
#
# **Predict.** Let $\kappa(X) = 10^6$ and $y = X\beta_{\text{true}}$ without noise. Of 16 digits, how many are left by the
# normal equations, and how many by QR?

# %% tags=["predict"] id="c02-029"
with_normal = predict("digits left by normal equations", None)
with_qr = predict("digits left by QR", None)

# %% id="c02-031"
U, _ = np.linalg.qr(X[:2_000].compute())  # orthonormal columns
V, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((p, p)))  # a rotation
r = np.random.default_rng(1).standard_normal(len(U))
r -= U @ (U.T @ r)  # a residual is orthogonal to all columns
r *= np.linalg.norm(beta_true) / np.linalg.norm(r)


def conditioned(kappa, residual=0):
    """X (2000, p) with singular values from 1 to 1/kappa, and a y with the minimiser β_true."""
    X = U * np.geomspace(1, 1 / kappa, p) @ V.T
    return X, X @ beta_true + residual * r


def by_qr(X, y):
    Q, R = np.linalg.qr(X)
    return np.linalg.solve(R, Q.T @ y)


def digits(beta):
    return -np.log10(np.linalg.norm(beta - beta_true) / np.linalg.norm(beta_true))

# %% [markdown] id="c02-033"
# We make an $X$ for each condition number. The grey lines are the estimates $\varepsilon\,\kappa(X)$ and
# $\varepsilon\,\kappa(X)^2$. For the third curve the residual is large: $\|r\| = \|X\|\,\|\beta^*\|$.
#
# Move the slider below the picture, or select it and press the arrow keys. A table below the slider shows how one
# coefficient loses its digits.

# %% tags=["figure"] id="c02-034"
kappas = 10.0 ** np.arange(13)
systems = [conditioned(kappa) for kappa in kappas]
answers = {
    "normal equations": [np.linalg.solve(*gram([system])) for system in systems],
    "QR": [by_qr(*system) for system in systems],
    "QR, large residual": [by_qr(*conditioned(kappa, residual=1)) for kappa in kappas],
}
normal_digits, qr_digits, residual_digits = (digits(rows[6]) for rows in answers.values())
with_normal.measured(round(normal_digits, 1))
with_qr.measured(round(qr_digits, 1))
viz.show(viz.digits_left(kappas, answers, beta_true, start=1e6))

# %% [markdown] id="c02-036"
# <details><summary>Answer: why so many digits?</summary>
#
# For the normal equations the estimate is $\varepsilon\,\kappa(X)^2 = 2.2 \cdot 10^{-4}$, which leaves between three
# and four digits. For QR it is $\varepsilon\,\kappa(X) = 2.2 \cdot 10^{-10}$, which leaves between nine and ten. The
# estimates leave out constants. At this $\kappa(X)$ each of the two keeps about one digit more than its own estimate.
#
# </details>
#
# Can QR be computed by chunks? Decompose each chunk, $X_k = Q_k R_k$, and keep $R_k$ and $Q_k^\top y_k$. Stacked, these
# are a small problem with the same minimiser, because
# $\|y_k - X_k\beta\|^2 = \|Q_k^\top y_k - R_k\beta\|^2 + \text{a constant}$. A second QR solves it. This is **TSQR**
# (Demmel et al. 2012).
#
# **On paper.** $X_1 = (3, 4)^\top$ and $y_1 = (1, 2)$ give $R_1 = 5$ and $Q_1^\top y_1 = 11/5$. $X_2 = (12)$ and
# $y_2 = (5)$ give $12$ and $5$. QR of the stack $(5, 12)^\top$ gives $R = 13$ and $Q^\top(11/5, 5) = 71/13$. So
# $\beta = 71/169$. (NumPy may change the signs of $Q$ and $R$.)
#
# **Exercise 3.** Write `tsqr(Xs, ys)`, which returns $\beta^*$.

# %% tags=["exercise"] id="c02-037"
def tsqr(Xs, ys):
    """Least squares by QR of each block, then of the stacked Rs; returns β (p,).

    Xs, ys   lists of the X_k (n_k, p) and of the y_k (n_k,)

    A Q_k is as large as X_k: hold one at a time, and keep R_k and Q_kᵀy_k only.
    """
    raise NotImplementedError

# %% tags=["check"] id="c02-038"
tsqr = use(tsqr)
# hint("tsqr")
# solution("tsqr")

# %% tags=["assert"] id="c02-039"
by_chunks = digits(tsqr(*[np.array_split(part, 4) for part in systems[6]]))
print(f"κ(X) = 1e6: {by_chunks:.1f} digits by QR in four chunks, {qr_digits:.1f} by QR at once")
assert min(by_chunks, qr_digits) > 9, "κ(X) costs about six digits of sixteen"
assert 3 < normal_digits < 7.5 and 3 < residual_digits < 7.5, "κ(X)² costs about twelve"

beta_qr = da.linalg.lstsq(X, y)[0].compute()  # dask's own QR by chunks
X_1, y_1 = dask.compute(*blocks[0])  # the rows of one chunk
reference = np.linalg.lstsq(X_1, y_1, rcond=None)[0]  # NumPy, by singular values, on one chunk
difference = abs(beta_qr - beta_star).max()
print(f"our data: κ(X) = {np.sqrt(np.linalg.cond(G)):.3f}, largest difference {difference:.1e}")
assert difference <= 1e-12
assert abs(np.linalg.solve(*parts[0]) - reference).max() <= 1e-12

# %% [markdown] id="c02-062"
# > *Optimiser's note.* Columns in different *units* also make $\kappa(X)$ large. The cure: divide each column by its
# > norm.
# >
# > If $y$ is noisy, the estimator's error in the weakest direction usually hides all rounding. Relative to $\|\beta^*\|$
# > this error is about $\kappa(X)/(\|X\|\,\|\beta^*\|)$ times the noise's standard deviation, and $\|r\|$ is about
# > $\sqrt n$ times that deviation. So the estimator's error is about $1/(\varepsilon\,\kappa(X)\sqrt n)$ times the
# > rounding error that the second term allows: 4.5 million times for $\kappa(X)=n=10^6$.
#
# *Recap.* Forming $X^\top X$ doubles the digits that are lost. QR by chunks sends as little as $G$ and $c$, and does
# not form $G$. With a large residual QR loses twice as many digits, too.

# %% [markdown] id="c02-056"
# ## What we measured · Check yourself · Next
#
# - The post's line is two reductions and a solve. A chunk sends $p^2 + p$ numbers.
# - The post printed the estimator's error.
# - One pass answers every ridge. For logistic loss, each gradient needs a pass. **So we go on with gradients.**
# - *Optional.* Normal equations square the condition number, so they lose twice as many digits. QR by chunks does not
#   lose these extra digits if the residual is small.

# %% tags=["assert"] id="c02-054"
ledger.add(
    "02: normal equations",
    passes=1,
    rounds=1,
    tasks=fused,
    bytes=X.nbytes,
    seconds=seconds,
    error=error,
    zeros=np.sum(beta_star == 0),
    gap=proof.relative,
)
client.close()
assert client.status == "closed"
ledger

# %% [markdown] id="c02-065"
# **Check yourself.**
#
# 1. Cross-validation fits all chunks but one and measures the error on that one. Besides $G_k = X_k^\top X_k$ and
#    $c_k = X_k^\top y_k$, which number must a chunk send, so that this needs no second pass?
# 2. *Optional.* Why does a penalty $\lambda > 0$ bring digits back?
# 3. Let $n = 10^6$, $p = 5000$ and $\kappa(X) = 3$. For eight digits gradient descent needs about 156 gradients (given
#    here, derived in notebook 03). Does a direct solve or gradient descent take less work?
#
# <details><summary>Answers</summary>
#
# 1. $y_k^\top y_k$. The error on chunk $k$ is $y_k^\top y_k - 2c_k^\top\beta + \beta^\top G_k\beta$, and the other chunks
#    have the sums $G - G_k$ and $c - c_k$.
# 2. It adds $\lambda/2$ to each eigenvalue of $G$. This matters most to the smallest, so the condition number falls.
# 3. By operations a direct solve costs about $5000/4 + 5000^2/(6\cdot10^6) \approx 1254$ gradients, so gradient descent
#    takes less work. By the clock we divide by the ratio of our table, and a ratio above $1254/156 \approx 8$ makes the
#    direct solve faster. If our last ratio, at $p = 400$, is above 8 and the ratios grow with $p$, expect the direct
#    solve to win. Only a measurement at $p = 5000$ can decide. Besides, 156 gradients are 156 rounds, and a direct solve
#    is one.
#
# </details>
#
# **Next.** [03 gradient descent](03_gradient_descent.ipynb) makes one pass for each gradient.
