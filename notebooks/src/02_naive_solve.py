# %% [markdown] id="c02-001"
# # Solve least squares directly: one pass, two sums, every λ
#
# *We run the post's first solver as it was written, find out whose error it printed, and keep two sums that answer every
# ridge.*
#
# **30 minutes.** Prerequisites: [01 data creation](01_data_creation.ipynb).
#
# Afterwards you can
#
# - solve least squares by two sums over chunks, and say what crosses the network;
# - tell an estimator's error from a solver's;
# - predict the digits that normal equations and QR leave, and keep them with QR by chunks;
# - say when a direct solve stops paying;
# - solve every ridge without another pass.
#
# Next: [03 gradient descent](03_gradient_descent.ipynb).

# %% tags=["setup"] id="c02-002"
import time
import timeit

import dask
import dask.array as da
import distributed
import numpy as np
from threadpoolctl import threadpool_limits

import glmlab
from glmlab.machine import cluster
from glmlab import datasets, viz
from glmlab.teaching import check, hint, ledger, predict, scale, solution, use

one_thread = threadpool_limits(1)  # matrices are small here: BLAS threads would only wait

# %% [markdown] tags=["workshop"] id="c02-003"
# ## A minimum in closed form (3 min)
#
# Least squares looks for the coefficients β in ℝᵖ that minimise
#
# F(β) = Σᵢ (yᵢ − xᵢᵀβ)² = ‖y − Xβ‖²,
#
# where row xᵢ of X belongs to the number yᵢ. F is convex, so it is smallest where its gradient
# ∇F(β) = 2(XᵀXβ − Xᵀy) is zero. With
#
# G = XᵀX, a p × p matrix, and c = Xᵀy, a vector of p numbers,
#
# that is where Gβ = c. These are the **normal equations**. If the columns of X are linearly independent, G is invertible and
# there is one minimiser, β* = G⁻¹c.

# %% [markdown] id="c02-004"
# The data are those of notebook 01: the rows that it saved, if they have today's scale, else the same rows drawn from the
# same seed. The workers keep them.

# %% tags=["parameters"] id="c02-005"
n = scale.pick(ci=20_000, workshop=400_000, full=1_000_000)
p, n_chunks = 100, 10
post_n, post_error = 1_000_000, ledger.rows()["post: naive solve"]["error"]

# %% tags=["setup"] id="c02-006"
client = cluster.client()
X, y, beta_true = datasets.course(n, p=p, chunks=n // n_chunks)
X, y = client.persist([X, y])
distributed.wait([X, y])
print(cluster.dashboard_link(client) or "This client has no dashboard.")

# %% [markdown] id="c02-007"
# The post wrote the closed form down almost as it stands, and printed how far the answer is from the coefficients that had
# made the data (`beta_true` here). Its line, word for word:


# %% id="c02-008"
def naive(X, y):
    return da.linalg.solve(X.T.dot(X), X.T.dot(y))


lazy = naive(X, y)
start = time.perf_counter()
beta_star = lazy.compute()
seconds = time.perf_counter() - start
error = abs(beta_star - beta_true).max()
print(f"the post printed {post_error:.19f} for {post_n:,} rows")
print(f"we measure       {error:.19f} for {n:,} rows, in {seconds:.2f} s")

# %% [markdown] id="c02-009"
# Two questions. What did the workers do? And is this the error of the *solver*, so that a better one would print less?

# %% [markdown] tags=["workshop"] id="c02-010"
# ## Two reductions (8 min)
#
# Here is the recipe of XᵀX, drawn for an X in four chunks. (The picture depends on the chunks only, so zeros will do.)

# %% tags=["figure"] id="c02-011"
four_chunks = da.zeros((n, p), chunks=(n // 4, p))
viz.show(viz.graph(four_chunks.T.dot(four_chunks)))
written, fused = (viz.task_counts(lazy, optimize_graph=fuse)["tasks"] for fuse in (False, True))
print(f"The post's whole line, {n_chunks} chunks: {written} tasks, {fused} after dask has fused some.")

# %% [markdown] id="c02-012"
# Read it from below. Each chunk X_k is transposed and multiplied with itself (`tensordot`); `sum` has only that one product to
# add up. Chunks meet in the last task, `sum-aggregate`, and nowhere else. Cut into chunks of rows, X and y give
#
# G = Σ_k X_kᵀX_k  and  c = Σ_k X_kᵀy_k.
#
# Such sums over chunks are called **reductions**. The post's line is two of them and one small solve.
#
# **Predict.** How many numbers does one chunk send to the two sums?

# %% tags=["predict"] id="c02-013"
numbers = predict("numbers that one chunk sends", None)

# %% [markdown] id="c02-014"
# **Exercise 1.** `gram(blocks)` returns G and c. `blocks` yields pairs (X_k, y_k) of NumPy arrays, which need not be equally
# long. Reading a block is what costs: read each once, and hold one at a time.


# %% tags=["exercise"] id="c02-015"
def gram(blocks):
    """XᵀX (p, p) and Xᵀy (p,) from pairs (X_k, y_k) of row chunks."""
    raise NotImplementedError


# %% tags=["check"] id="c02-016"
gram = use(gram)
# hint("gram")
# solution("gram")

# %% [markdown] id="c02-017"
# Now `gram` goes to the rows. `to_delayed` gives the chunks of an array one by one; `dask.delayed(gram)([block])` is the task
# that runs it on one block, on the worker that holds it. What we bring here are the results, one pair for each chunk.

# %% id="c02-018"
blocks = list(zip(X.to_delayed().ravel(), y.to_delayed().ravel(), strict=True))
sent, start = cluster.bytes_sent(client), time.perf_counter()
parts = dask.compute(*[dask.delayed(gram)([block]) for block in blocks])
sent, pass_seconds = cluster.bytes_sent(client) - sent, time.perf_counter() - start

G, c = (sum(terms) for terms in zip(*parts, strict=True))
numbers.measured(parts[0][0].size + parts[0][1].size)
print(f"p² + p = {p**2 + p:,}, from each of {len(parts)} chunks of {n // n_chunks:,} rows")
print(f"sent by the workers: {viz.bytes_text(sent)}, where X has {viz.bytes_text(X.nbytes)}")

# %% [markdown] id="c02-019"
# p² + p numbers a chunk, however many rows it has: a chunk of only p rows sends as many. And our sums give dask's G and the
# post's answer.

# %% tags=["assert"] id="c02-020"
short = gram([(X[:p].compute(), y[:p].compute())])
assert all(G_k.size + c_k.size == p**2 + p for G_k, c_k in [*parts, short])
assert abs(G - X.T.dot(X).compute()).max() <= 1e-12 * abs(G).max()
assert abs(np.linalg.solve(G, c) - beta_star).max() <= 1e-12 * abs(beta_star).max()

# %% [markdown] id="c02-021"
# > *Systems note.* Where much more was sent than chunks × (p² + p) × 8 bytes, an idle worker fetched a chunk to help. Less
# > would do: a worker may add up its own chunks before it sends anything, and G is symmetric, so that half of it says all.

# %% [markdown] id="c02-022"
# ## Whose error was it? (4 min)
#
# First the solver. A certificate bounds F(β*) − F*, where F* is the minimum; notebook 06 derives it.

# %% id="c02-023"
proof = glmlab.certify(X, y, beta_star, family="gaussian")
print(proof)
print(f"‖β* − β_true‖∞ = {error:.3g}")

# %% [markdown] id="c02-024"
# As a fraction of F, only rounding is left. Yet β* misses β_true: y is noisy, and so is the minimiser of F. This is the
# error of the **estimator**; no solver can lower it.
#
# How large is it? The noise has standard deviation 1. Then, given X, β* − β_true is normal with covariance G⁻¹. Our columns
# are independent with variance 1, so G ≈ nI, and a coefficient misses by about 1/√n. The largest of p independent normal
# errors lies near √(2 log p / n).
#
# Does it? We take the first m rows, for more and more of them. The band is where 98 of 100 samples lie.

# %% tags=["figure"] id="c02-025"
sizes = np.geomspace(1_000, n, 9).astype(int)
estimates = dask.compute(*[naive(X[:m], y[:m]) for m in sizes])
errors = [abs(estimate - beta_true).max() for estimate in estimates]
viz.show(viz.error_by_rows(sizes, errors, p, others={"the post": (post_n, post_error)}))

# %% tags=["assert"] id="c02-026"
draws = abs(np.random.default_rng(0).standard_normal((20_000, p))).max(axis=1)
print(f"largest of {p} normal errors, on average, for {post_n:,} rows: {draws.mean() / np.sqrt(post_n):.5f}")
print(f"the post printed{post_error:50.5f}")
assert proof.relative <= 1e-12, "the solver has no error that counts"
assert error < np.sqrt(2 * np.log(p) / n), "what is left lies below the line of the estimator"
assert post_error < np.sqrt(2 * np.log(p) / post_n)

# %% [markdown] id="c02-027"
# The post's number is what chance makes of its rows. On the same rows every good solver prints it, so it cannot tell a good
# solver from a better one. A hundred times the rows would divide it by ten.
#
# What can tell solvers apart is F − F*, or a bound on it. That is why this course certifies.

# %% [markdown] id="c02-028"
# ## Conditioning, squared (9 min)
#
# The **condition number** κ(X) is the largest singular value of X divided by the smallest. Arithmetic in float64 rounds with
# a relative error of ε ≈ 2·10⁻¹⁶. A good algorithm that works on X returns a β whose relative error is at most about κ(X) ε,
# so each factor of ten in κ costs a digit.
#
# The normal equations do not work on X but on G, whose eigenvalues are the *squares* of the singular values:
#
# κ(XᵀX) = κ(X)².
#
# **Predict.** Of the 16 digits of float64, how many are left at κ(X) = 10⁶ with the normal equations? How many with an
# algorithm that works on X?

# %% tags=["predict"] id="c02-029"
with_normal = predict("digits left by normal equations", None)
with_qr = predict("digits left by QR", None)

# %% [markdown] id="c02-030"
# To see it we need an X of known κ. We take U with orthonormal columns, made from a few of our rows, a rotation V, and
# singular values from 1 to 1/κ. There is no noise this time: y = Xβ_true, and β_true is the exact answer.
#
# The algorithm that works on X is a **QR decomposition**, X = QR: the columns of Q are orthonormal, R is upper triangular.
# Then ‖y − Xβ‖² = ‖Qᵀy − Rβ‖² + a constant, so that Rβ = Qᵀy gives the minimiser. R has the singular values of X: nothing
# was squared.

# %% id="c02-031"
U, _ = np.linalg.qr(X[:2_000].compute())
V, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((p, p)))


def conditioned(kappa):
    """A matrix (2000, p) with singular values from 1 to 1/kappa, and its y without noise."""
    A = U * np.geomspace(1, 1 / kappa, p) @ V.T
    return A, A @ beta_true


def digits(b):
    return -np.log10(np.linalg.norm(b - beta_true) / np.linalg.norm(beta_true))


# %% id="c02-032"
kappas = 10.0 ** np.arange(13)
by_normal, by_qr = [], []
for kappa in kappas:
    A, b = conditioned(kappa)
    by_normal.append(np.linalg.solve(*gram([(A, b)])))
    Q, R = np.linalg.qr(A)
    by_qr.append(np.linalg.solve(R, Q.T @ b))

million = list(kappas).index(1e6)
with_normal.measured(digits(by_normal[million]))
with_qr.measured(digits(by_qr[million]));

# %% [markdown] id="c02-033"
# Move the slider (or select it and press the arrow keys) and watch one coefficient lose its digits. The grey lines in the
# picture are what errors of κ ε and κ² ε would leave.

# %% tags=["figure"] id="c02-034"
answers = {"normal equations": by_normal, "QR": by_qr}
viz.show(viz.digits_left(kappas, answers, beta_true, start=1e6))

# %% [markdown] id="c02-035"
# > *Optimiser's note.* Columns that nearly depend on each other cost digits. Columns in different *units* raise κ too, but do
# > not: they scale rows and columns of G, and the rounding of a Cholesky solve scales along (Demmel 1989). Nor does QR save
# > everything: where the residual r = y − Xβ* is large, β* itself moves by a multiple of κ² ε ‖r‖ when X is rounded
# > (Björck 1996, §1.4). And where y is noisy, the estimator's error in the weakest direction, κ times that in the strongest,
# > usually hides all rounding.

# %% [markdown] id="c02-036"
# QR by chunks is as cheap to send as G. Each worker decomposes its own X_k = Q_k R_k and keeps R_k and z_k = Q_kᵀy_k. Stacked,
# these are a least-squares problem of K·p rows (K chunks) with the same minimiser; a second QR solves it. It is called **TSQR**,
# QR of tall and skinny matrices (Demmel et al. 2012).
#
# **Exercise 2.** `tsqr(blocks, ys)` takes lists of the X_k and of the y_k and returns β*. A block may have fewer rows than
# columns.


# %% tags=["exercise"] id="c02-037"
def tsqr(blocks, ys):
    """Least squares by QR of each block X_k (n_k, p), then of the stacked Rs; returns β (p,)."""
    raise NotImplementedError


# %% tags=["check"] id="c02-038"
tsqr = use(tsqr)
# hint("tsqr")
# solution("tsqr")

# %% tags=["assert"] id="c02-039"
A, b = conditioned(1e6)
by_chunks = tsqr(np.array_split(A, 4), np.array_split(b, 4))
lost = digits(by_qr[million]) - digits(by_normal[million])
print(f"QR in four chunks: {digits(by_chunks):.1f} digits; squaring κ costs {lost:.1f}")
assert digits(by_chunks) > 9 and digits(by_qr[million]) > 9, "κ costs about six digits of sixteen"
assert 3 < digits(by_normal[million]) < 6, "κ² costs about twelve"

# %% [markdown] id="c02-040"
# The library's own is `da.linalg.lstsq`: it calls `da.linalg.qr`, which is TSQR for chunks of rows. (It takes longer: QR needs
# more operations, and it forms all of Q, as large as X; ours lets each Q_k go.) On our data, whose κ(X) is near 1, it must agree with the normal equations. So must
# NumPy's `lstsq`, which uses singular values, on the rows of one chunk.

# %% tags=["assert"] id="c02-041"
start = time.perf_counter()
beta_qr = da.linalg.lstsq(X, y)[0].compute()
print(f"QR took {time.perf_counter() - start:.2f} s, two sums and a solve {seconds:.2f} s")
print(f"κ(X) = {np.sqrt(np.linalg.cond(G)):.3f}, largest difference {abs(beta_qr - beta_star).max():.1e}")
X_0, y_0 = dask.compute(*blocks[0])
reference = np.linalg.lstsq(X_0, y_0, rcond=None)[0]
assert abs(beta_qr - beta_star).max() <= 1e-12
assert abs(np.linalg.solve(*parts[0]) - reference).max() <= 1e-12

# %% [markdown] id="c02-042"
# ## When a direct solve stops paying (3 min)
#
# *"Sometimes a direct solve is too costly"*, says the post, and turns to gradients. When?
#
# Count multiplications and additions. G takes n p (p + 1), since it is symmetric; the solve takes ⅔ p³. One gradient,
# 2Xᵀ(Xβ − y), takes 4 n p. So a direct solve costs as much as p/4 gradients, or more once p nears n.
#
# Time is another matter. A gradient does four operations with each number of X, and waits for memory where X is larger than
# the cache. XᵀX does p + 1 with each number that it fetches.
#
# **Predict.** For p = 100, how many gradients take as long as a direct solve?

# %% tags=["predict"] id="c02-043"
price = predict("gradients for the price of a direct solve, p = 100", None)


# %% id="c02-044"
def race(p, rows):
    """Seconds on a worker, the best of five: a direct solve, a gradient."""
    rng = np.random.default_rng(0)
    X, y, beta = rng.standard_normal((rows, p)), rng.standard_normal(rows), np.ones(p)
    direct = timeit.repeat(lambda: np.linalg.solve(X.T @ X, X.T @ y), number=1, repeat=5)
    gradient = timeit.repeat(lambda: X.T @ (X @ beta - y), number=1, repeat=5)
    return min(direct), min(gradient)


for q in (25, 100, 400):
    rows = 10_000_000 // q  # an X of 80 MB each time
    direct, gradient = client.submit(race, q, rows, pure=False).result()
    counted = (rows * q * (q + 1) + 2 / 3 * q**3) / (4 * rows * q)
    print(f"p = {q:3}: {counted:5.1f} gradients by operations, {direct / gradient:5.1f} by the clock")
    if q == p:
        price.measured(direct / gradient)

# %% [markdown] id="c02-045"
# Gradient descent needs a number of gradients that depends on κ(X) and on the digits wanted, not on p; notebook 03 predicts
# it. A direct solve pays as long as its price is below that number. It stops for good where G does not fit any more:

# %% id="c02-046"
for q in (100, 10_000, 1_000_000):
    size, operations = viz.bytes_text(8 * q**2), 2 / 3 * q**3
    print(f"p = {q:9,}: G takes {size}, its solve {operations:.0e} operations (computed, not run)")

# %% [markdown] tags=["workshop"] id="c02-047"
# ## Every ridge from one pass (3 min)
#
# A ridge penalty (λ/2)‖β‖² with weight λ ≥ 0 keeps β short. Multiply out the square:
#
# F(β) + (λ/2)‖β‖² = yᵀy − 2cᵀβ + βᵀGβ + (λ/2)‖β‖².
#
# The rows appear only in G, in c and in the constant yᵀy. Whatever λ is, nobody has to read X again.
#
# **Exercise 3.** `ridges(G, c, lams)` returns an array (m, p) whose row i is the minimiser for the i-th of m weights.


# %% tags=["exercise"] id="c02-048"
def ridges(G, c, lams):
    """Minimisers (m, p) of Σ (y − xᵀβ)² + (λ/2)‖β‖² for the m weights in lams, from G = XᵀX and c = Xᵀy."""
    raise NotImplementedError


# %% tags=["check"] id="c02-049"
ridges = use(ridges)
# hint("ridges")
# solution("ridges")

# %% tags=["figure"] id="c02-050"
lams = n * np.geomspace(1e-4, 1e3, 50)  # G ≈ nI, so λ counts where λ/2 nears n
start = time.perf_counter()
betas = ridges(G, c, lams)
ridge_seconds = time.perf_counter() - start
print(f"one pass, {pass_seconds:.3f} s: {G.size + c.size:,} numbers")
print(f"every λ thereafter: {len(lams)} of them in {ridge_seconds:.3f} s")
viz.show(viz.coefficients(lams, betas))

# %% [markdown] id="c02-051"
# Are they right? A certificate covers the ridge as well, on all rows. And scikit-learn's `Ridge` minimises
# ‖y − Xβ‖² + α‖β‖², which is ours for α = λ/2. It needs rows in this process: we give it one chunk, whose G_k and c_k we have.

# %% tags=["assert"] id="c02-052"
from sklearn.linear_model import Ridge

for k in (0, len(lams) // 2, len(lams) - 1):
    lam = lams[k]
    ridge_proof = glmlab.certify(X, y, betas[k], family="gaussian", penalty=glmlab.Ridge(lam))
    [ours] = ridges(*parts[0], [lam])
    theirs = Ridge(alpha=lam / 2, fit_intercept=False).fit(X_0, y_0).coef_
    difference = abs(ours - theirs).max()
    print(f"λ = {lam:.1e}: certified {ridge_proof.relative:.0e}, from scikit-learn's {difference:.0e}")
    assert ridge_proof.relative <= 1e-12 and difference <= 1e-9

# %% [markdown] id="c02-053"
# One pass and p² + p numbers answer every λ. Why then does the course go on?
#
# Because the square is a polynomial: its coefficients G, c and yᵀy are sums over rows, and they are all there is to know. The
# logistic loss of a row, log(1 + e^η) − yη with η = xᵀβ, is no polynomial in β of any degree. No such summary holds it for
# every β: who wants its gradient at another β must read the rows again. **So we go on with gradients.**

# %% id="c02-054"
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
ledger

# %% tags=["assert"] id="c02-055"
client.close()
assert client.status == "closed"

# %% [markdown] id="c02-056"
# ## What we measured · Check yourself · Next
#
# - The post's line is two reductions and a small solve; a chunk sends p² + p numbers.
# - What the post printed is the estimator's error; the solver's is rounding.
# - Squaring κ halves the digits; QR by chunks keeps them.
# - One pass answers every ridge.
#
# **Check yourself.** Which number must a chunk send besides G_k and c_k, so that ten-fold cross-validation over all λ needs no
# second pass? Why does λ bring digits back? With p = 5,000 and κ(X) = 3: direct or gradients?
#
# **Next.** [03 gradient descent](03_gradient_descent.ipynb): one pass for each gradient, and nothing else.
