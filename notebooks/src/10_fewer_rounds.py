# %% [markdown] id="c10-001"
# # Ask less often: one round, a few rounds, four passes
#
# *Chunks solve their own problems, a step repairs the mean of their answers, and keeping the curvature of a few rows
# saves passes.*
#
# **85 minutes**: 55 for the *core*, 28 for the *optional* section, 2 for the closing page. Prerequisites:
# [06](06_certificates.ipynb) and [07](07_families_and_penalties.ipynb), for the optional section [05](05_admm.ipynb).
# Symbols and words: [glossary](00_start_here.ipynb#Notation-and-glossary).
#
# Afterwards you can
#
# - average the chunks' answers, and say which error it keeps;
# - remove most of it with one Newton step;
# - say on which rows methods of few rounds break;
# - draw a pilot, and predict how fast its Hessian converges;
# - write an ADMM that never waits, and say when it loses (optional).

# %% tags=["setup", "parameters"] id="c10-002"
import numpy as np
import pandas as pd

import glmlab
from glmlab import L1, Objective, Ridge, as_chunks, datasets, viz
from glmlab.machine import cluster, simulator
from glmlab.policy import Sampling
from glmlab.teaching import few_rounds, hint, ledger, predict, races, scale, slow_worker, solution, use

n = scale.pick(ci=20_000, workshop=400_000, full=8_000_000)
p, n_chunks, g = 15, 10, Ridge(1.0)
n_k = n // n_chunks  # rows of a chunk
X, y, beta_true = datasets.make_logistic(n, p, seed=20009)
logistic = {"family": "logistic", "penalty": g}
best = glmlab.fit(X, y, **logistic, tol=1e-12)
print(f"F at the reference is proved to be within {best.certificate.bound / best.objective:.0e} F of its minimum.")

# %% [markdown] tags=["workshop"] id="c10-003"
# ## Ask once (16 min, core)
#
# Notebook 09 asked how long a round takes. Can a fit need fewer rounds? The extreme is one.
#
# Chunk $k$ holds $n_k$ of the $n$ rows, and $f_k$ is their loss. Scaled up, it stands for all rows:
# $\hat f_k=\frac n{n_k}f_k$. Each of the $K$ chunks minimises $\hat f_k+g$ alone. If $\beta_k$ is its answer, the
# **average** is
#
# $$\bar\beta=\frac1n\sum_{k=1}^Kn_k\,\beta_k .$$
#
# Our rows are those of the post's benchmark, so all columns lie in $[0,1]$. The penalty is the ridge
# $g(\beta)=\frac12\|\beta\|^2$. Passes and rounds do not depend on where rows lie, so we count them in this process.
#
# Let $\beta^*$ be the minimiser of all rows. The **error** of an answer $\beta$ is $\max_j|\beta_j-\beta^*_j|$.

# %% tags=["assert"] id="c10-005"
def answers(K):
    """The minimisers of K chunks with equally many rows, (K, p): one round."""
    rows = n // K  # of a chunk; its loss + (rows/n)·g has the same minimiser as its scaled-up loss + g
    return np.array([glmlab.fit(X[i : i + rows], y[i : i + rows], family="logistic", penalty=Ridge(rows / n), tol=1e-9).beta
                     for i in range(0, n, rows)])  # fmt: skip


def error(beta):
    """The largest error of a coefficient."""
    return np.abs(beta - best.beta).max()


errors, means = {}, {}
for K in (10, 40, 160):
    betas = answers(K)
    means[K] = betas.mean(axis=0)
    errors[K] = np.median([error(beta) for beta in betas]), error(means[K])
    longer = means[K] @ best.beta / (best.beta @ best.beta) - 1
    print(f"{K:>3} chunks of {n // K:>6,} rows: error of a chunk {errors[K][0]:.1e}, "
          f"of the average {errors[K][1]:.1e}, which is {100 * longer:.2g} % too long")  # fmt: skip
    assert longer > 0 and errors[K][1] < errors[K][0] / 5
assert all(3 < errors[4 * K][1] / errors[K][1] < 6 for K in (10, 40)), "a quarter of the rows: about four times"

# %% [markdown] id="c10-006"
# The average is far better than the answer of one chunk. But if each chunk has a quarter of the rows, the error of the
# average is about four times as large. (The printed "too long" compares lengths along $\beta^*$.)
#
# <details><summary>Why?</summary>
#
# Let $F_k=\hat f_k+g$. To first order, chunk $k$ errs by $-(\nabla^2F)^{-1}\nabla F_k$, both taken at $\beta^*$.
# The weighted mean of the $\nabla F_k$ is $\nabla F$, which is zero at $\beta^*$. So these errors cancel *exactly*.
#
# What remains is of second order. Too few rows make logistic coefficients too large, in all chunks alike, because a
# small sample is easier to divide into its two classes. To leading order this **bias** is proportional to $1/n_k$, and
# no number of chunks removes it. Beside it a random part of the size $1/(n_k\sqrt K)$ is left. With ten chunks this may
# be as large as the bias of the length, so the first "too long" is the least certain.
#
# </details>
#
# A second round can repair the average, by one Newton step on all rows: $\beta^+=\bar\beta-\nabla^2F(\bar\beta)^{-1}
# \nabla F(\bar\beta)$.
#
# *A small example.* Two equal chunks have the losses $f_1(b)=(b-1)^2$ and $f_2(b)=3(b-3)^2$. Their minimisers are 1
# and 3, with the average 2. There $F'(b)=2(b-1)+6(b-3)=-4$ and $F''=8$. The step goes to $2+\frac48=2.5$, where
# $F'=0$. If chunk 1 has three times as many rows as chunk 2, the average is $(3\cdot1+3)/4=1.5$. There $F'=-8$, and the
# step goes to $1.5+\frac88=2.5$, too.
#
# **Exercise 1.** Write `one_step`.
#
# <details><summary>What if a chunk has no minimiser?</summary>
#
# Without a penalty a chunk may have none. Then its row of `betas` is `nan`, and the average leaves it out. A third
# chunk of this kind would leave our average at 2. But its rows belong to $F$, so they must be in `grad` and `hess`.
#
# </details>

# %% tags=["exercise"] id="c10-007"
def one_step(betas, n_k, grad, hess):
    """The average of the chunks' minimisers after one Newton step on all rows, (p,).

    betas: (K, p), nan in the row of a chunk that has no minimiser, which is left out;
    n_k: (K,) rows of the chunks; grad(b), hess(b): gradient (p,) and Hessian (p, p) of F, one pass at the same b.
    """
    raise NotImplementedError

# %% tags=["check"] id="c10-008"
one_step = use(one_step)
# hint("one_step")
# solution("one_step")

# %% [markdown] id="c10-009"
# Newton's method squares an error, up to a constant.
#
# **Predict.** The first line about chunks above has the error of the average of ten. What error is left after one step?

# %% tags=["predict", "assert"] id="c10-010"
left = predict("error after one step", None)
f = Objective("logistic", as_chunks(X, y, chunks=n_k))


def grad(b):
    return f.loss_grad(b).grad + b


def hess(b):
    return f.loss_grad_hess(b).hess + np.eye(p)


stepped = one_step(answers(n_chunks), np.full(n_chunks, n_k), grad, hess)
left.measured(error(stepped))
proofs = [glmlab.certify(X, y, beta, **logistic) for beta in (means[n_chunks], stepped)]
print(f"relative gap at β = 0: {n * np.log(2) / best.objective - 1:.1g}")
print(f"relative gap, certified: average {proofs[0].relative:.0e}, after one step {proofs[1].relative:.0e}")
assert error(stepped) < errors[n_chunks][1] / 10 and proofs[1].relative < proofs[0].relative / 100

# %% [markdown] id="c10-011"
# <details><summary><b>Check yourself.</b> Are two rounds two passes?</summary>
#
# No. A chunk fits its own rows by Newton's method, which reads them once or twice in each step. So the first round alone
# is about ten passes, as the next section counts. These reads need no network, but they take time.
#
# </details>
#
# *Recap.* An average costs one round. In it errors of first order cancel, and a bias of order $1/n_k$ remains. One Newton
# step on all rows squares the error, up to a constant.

# %% [markdown] tags=["workshop"] id="c10-012"
# ## Ask a few times (13 min, core)
#
# Can a chunk do better with the slope of *all* rows at some $\beta$? This slope and the curvature of its own rows make
# its **surrogate** of $F$:
#
# $$\hat f_k(b)+\big(\nabla f(\beta)-\nabla\hat f_k(\beta)\big)^\top(b-\beta)+g(b).$$
#
# At $\beta$ its slope is $F$'s. So at $\beta^*$ it is minimal, and a method there stays. Three methods:
#
# 1. **CSL** (Jordan and others 2019): one chunk (here the first) minimises its surrogate, and we go there.
# 2. **CEASE** (Fan and others 2023): all chunks minimise their surrogate plus $\frac12\sum_ja_j(b_j-\beta_j)^2$ with
#    small $a_j\ge0$, and we go to the mean.
# 3. **GIANT** (Wang and others 2018): the step is the mean of the surrogates' Newton directions, halved until $F$ falls.
#
# <details><summary>What are the numbers aⱼ for?</summary>
#
# They keep a chunk with a poor curvature from going too far. Our solver takes $\frac{pK}{2n}$ times the diagonal of
# $\nabla^2f$ at the start.
#
# </details>

# %% [markdown] id="surrogate-example"
# *Example.* The equal chunks again, from $\beta=2$, where $F'=-4$. Scaled up, their curvatures are 4 and
# 12; $F''=8$ and $\beta^*=2.5$.
#
# - CSL with chunk 1 goes to $2+\frac44=3$, back to 2, and never arrives.
# - CSL with chunk 2 goes to $2+\frac4{12}=\frac73$: a third of the error remains.
#
# <details><summary>And GIANT and CEASE?</summary>
#
# With $a=0$ both go to the mean $\frac83$: a third remains, too.
#
# </details>
#
# Let $H$ and $\hat H$ be the Hessians of $F$ and $\hat f_k+g$. Then $\varepsilon=\|I-\hat H^{-1/2}H\hat H^{-1/2}\|$ is
# their largest relative difference: here $|1-\frac84|=1$ or $|1-\frac8{12}|=\frac13$. If $f$ and $g$ are quadratic, CSL
# multiplies the error by $I-\hat H^{-1}H$, and the gap by at most $\varepsilon^2$.
#
# **Predict.** An iteration takes a pass and about three chunk reads. Let $\varepsilon$ be $2\sqrt{p/n_k}$. How many
# passes does CSL need from $\beta=0$ to $10^{-6}$?
#
# <details><summary>How is this norm computed?</summary>
#
# It is the largest $|1-\lambda|$ for the eigenvalues $\lambda$ of $\hat H^{-1}H$. With one coefficient this matrix is
# the number $H/\hat H$, as in the example.
#
# </details>
# <details><summary>What does CSL pay?</summary>
#
# The relative gap at $\beta=0$ was printed above. The gradient of all rows costs one pass, at the start and after each
# iteration. In an iteration the chunk reads its own rows about three times, once for each of its Newton steps, and each
# of these reads is $1/K$ of a pass.
#
# </details>

# %% tags=["predict", "assert"] id="c10-013"
few = predict("passes of CSL to 1e-6", None)
METHODS = {"average and step": "averaging_newton", "CSL": "csl", "CEASE": "cease", "GIANT": "giant",
           "proximal Newton": "proximal_newton", "auto": "pilot_newton"}  # fmt: skip


def compared(X, y, best, rows, g=g, names=METHODS):
    """{name: Result} of runs that end at a gap of 1e-9, or after 15 iterations. Chunks have so many rows."""
    return {name: few_rounds.walked(METHODS[name], Objective("logistic", as_chunks(X, y, chunks=rows)), g, best)
            for name in names}  # fmt: skip


mixed = compared(X, y, best, n_k)
few.measured(few_rounds.spent(mixed["CSL"], best, 1e-6).passes)
print(few_rounds.table(mixed, best).to_string())
for name, result in mixed.items():
    seen, own, apart = few_rounds.counted(result, X, y, n_k)
    assert own.rounds == result.rounds and abs(own.passes - result.passes) < 1e-9, name
    assert seen.rounds == own.rounds + apart.rounds, name
    assert abs(seen.passes - own.passes - apart.passes) < 1e-3, name  # the share of a pilot is rounded

# %% tags=["figure", "assert"] id="c10-044"
lowest, to = best.objective - best.certificate.bound, {}
for x in ("rounds", "passes"):
    to[x] = {name: getattr(few_rounds.spent(result, best, 1e-6), x) for name, result in mixed.items()}
    first = min(to[x], key=to[x].get)
    unseen = " (F not evaluated there)" if first == "average and step" else ""
    title = f"Fewest {x} until the gap is 1e-6: {first}, {to[x][first]:.3g}{unseen}"
    viz.show(viz.convergence(mixed, x=x, optimum=lowest, tol=1e-6, title=title))
saved, more = (to[x]["average and step"] + 1 - to[x]["auto"] for x in ("rounds", "passes"))  # and to evaluate F
print(f"auto and the average with a step take equally long if a round costs as much as {more / -saved:.1f} passes.")
price, core = simulator.recorded().prices.round, simulator.recorded().core
for rows, workers in ((n, 2), (800_000_000, 64)):
    ratio = price / (simulator.chunk_seconds(rows, p, core) / workers)
    sooner = "auto" if ratio < more / -saved else "average and step"
    print(f"By 09's prices, {rows:,} rows on {workers} workers: a round ÷ a pass is {ratio:.2g}, so take {sooner}.")
assert saved < 0 < more and min(to["passes"], key=to["passes"].get) == "auto"

# %% [markdown] id="c10-014"
# *Auto*, the default of `fit` for many rows, comes later. Each line begins at the first $F$ that its method evaluates,
# auto's at the pilot's answer. The average with its step evaluates no $F$: its markers are for the figure only.
# Between two markers a line says nothing.
#
# The average may be near enough before its step. But nobody knows until $F$ is evaluated there, which costs one more
# round and pass. The printed comparison with auto counts this round and pass, and holds for rows that are kept.
#
# <details><summary>What does an iteration cost?</summary>
#
# | method | rounds | passes |
# |---|---|---|
# | average, then the step | 1, then 1 | reads of the chunks, then 1 |
# | CSL | 2 | 1, and the reads of one chunk |
# | CEASE | 2 | 1, and the reads of all chunks |
# | GIANT | 3 | 3 |
# | proximal Newton | 2 | 2 |
# | auto | 1 | 1, with the gradient or also the Hessian |
#
# GIANT and Newton take one pass more where the full step is too long.
#
# </details>
# <details><summary>How were passes and rounds counted?</summary>
#
# Each solver books its own, and `table` prints them. We do not rely on that: `counted` repeats every run, counts the
# graphs that dask is asked to compute, and notes each read of a chunk inside a task. The two agree, by an assert. An
# iterate needs no certificate of its own, because that of `best` bounds $F^*$ from below. The tables divide $F-F^*$ by
# $F^*$, the figures by $F$ at the start, which is little more here.
#
# </details>
#
# *Recap.* A surrogate needs few iterations if $\varepsilon$ is small, but each takes two or three rounds. Few rounds
# are not few passes: the price of a round decides which counts.

# %% [markdown] tags=["workshop"] id="c10-046"
# ## Where they break (11 min, core)
#
# If the rows of a chunk are drawn at random, $\varepsilon$ is of the size of $2\sqrt{p/n_k}$. But which chunk is drawn at
# random? Files are written by day, by shop or by outcome.
#
# <details><summary>Why of this size?</summary>
#
# Each entry of the chunk's Hessian has a relative error of the size $1/\sqrt{n_k}$. In the worst direction many such
# errors add up, by the theory of random matrices to about $2\sqrt p$ times as much. We take this factor without a
# proof.
#
# </details>
#
# So we sort the rows in two ways: by $y$, and by the first column. At the scales workshop and full we then keep every
# fourth row, to save time. In a third trial we take only the first 2,500 rows, in chunks of 50.
#
# **Predict.** How many of the five methods other than *auto* reach a relative gap of $10^{-6}$ within 15 iterations when
# the rows are sorted by the first column?

# %% tags=["predict", "assert"] id="c10-015"
reach = predict("methods other than auto that reach 1e-6 on rows sorted by a column", None)
by_y, by_column, few_X, few_y = np.argsort(y, kind="stable"), np.argsort(X[:, 0]), X[:2500], y[:2500]
few_best = glmlab.fit(few_X, few_y, **logistic, tol=1e-12)
trials, every = {"mixed": (mixed, best)}, scale.pick(ci=1, workshop=4, full=4)
for trial, order in {"sorted by y": by_y, "sorted by column 1": by_column}.items():
    X_some, y_some = X[order[::every]], y[order[::every]]
    some_best = glmlab.fit(X_some, y_some, **logistic, tol=1e-12)
    trials[trial] = compared(X_some, y_some, some_best, n_k // every), some_best
trials["chunks of 50 rows"] = compared(few_X, few_y, few_best, 50), few_best
arrived = {}
for trial, (results, reference) in trials.items():
    print(f"{trial}\n{few_rounds.table(results, reference).to_string()}\n")
    arrived[trial] = {name for name in results if few_rounds.spent(results[name], reference, 1e-6).passes < np.inf}
reach.measured(len(arrived["sorted by column 1"] - {"auto"}))
assert "average and step" not in arrived["sorted by y"] | arrived["chunks of 50 rows"]
assert arrived["sorted by column 1"] == {"average and step", "proximal Newton", "auto"}
assert "CSL" not in arrived["chunks of 50 rows"]
assert all({"auto", "proximal Newton"} <= names for names in arrived.values())

# %% [markdown] id="c10-016"
# *Answer.* Two do: proximal Newton, which does not depend on the order, and the average with a step.
#
# <details><summary>Which method breaks in which trial, and why?</summary>
#
# *Sorted by $y$*, most chunks hold one class. Because no column is negative, their loss alone falls for ever as the
# coefficients grow in size, and only the penalty stops it, far from $\beta^*$. So the average is too bad for one step.
# CSL, CEASE and GIANT still arrive. Their surrogates have the slope of all rows, and only the curvature is wrong. For
# CSL's chunk $\varepsilon$ is below 1 (the next cell prints it). But to $10^{-9}$ they are slower than on mixed rows,
# or do not arrive within 15 iterations.
#
# *Sorted by the first column*, the first of ten chunks has the rows where this column is below about 0.1. Its mean
# square is there about a hundredth of that of all rows. In the worst direction the chunk's curvature is smaller still:
# there the other columns cancel the mean of the first one. So the steps of CSL are far too long, and the gap grows. Such
# chunks spoil the mean of CEASE, too. GIANT shortens its direction until $F$ falls, so its gap falls slowly. The average
# survives because this order does not look at $y$. Each chunk's answer is noisy, but the chunks do not err in the same
# direction.
#
# *With 50 rows for 15 columns* the bias of the average is large, and the curvature of CSL's one chunk is poor. CEASE and
# GIANT take means over many chunks, so they are only slow.
#
# </details>
#
# We compute $\varepsilon$ at the optimum for the first chunk of each order, and for as many rows drawn from everywhere.

# %% tags=["assert"] id="c10-047"
def hessian(rows):
    """The Hessian at the minimiser of F. The loss is that of these rows, scaled up to n; the ridge adds I."""
    some = Objective("logistic", as_chunks(X[rows], y[rows]))
    return some.loss_grad_hess(best.beta).hess * n / len(rows) + np.eye(p)


def epsilon(rows):
    """‖I − Ĥ^(−½) H Ĥ^(−½)‖, the largest |1 − λ| for the eigenvalues λ of Ĥ⁻¹H."""
    return np.abs(1 - np.linalg.eigvals(np.linalg.solve(hessian(rows), H))).max()


H = hessian(np.arange(n))
everywhere = np.random.default_rng(1).choice(n, n_k, replace=False)
eps = {"mixed": np.arange(n_k), "sorted by y": by_y[:n_k], "sorted by column 1": by_column[:n_k], "from everywhere": everywhere}
eps = {name: epsilon(rows) for name, rows in eps.items()}
print(*(f"ε = {value:8.3f}  {name}" for name, value in eps.items()), f"2√(p/n_k) = {2 * np.sqrt(p / n_k):.3f}", sep="\n")
heights = races.gaps(mixed["CSL"].trace.objective, best)
print("CSL on mixed rows: its iterations divided the gap by", *(f"{factor:.0f}" for factor in heights[:-1] / heights[1:]),
      f"in turn; 1/ε² = {eps['mixed'] ** -2:.0f}")  # fmt: skip
assert eps["sorted by column 1"] > 10 > 1 > 2 * eps["from everywhere"]

# %% [markdown] id="l1-breaks"
# The last line compares CSL with $1/\varepsilon^2$. If $f$ and $g$ are quadratic, an iteration divides the gap by at
# least this number.
#
# And an L1 penalty? Each chunk has its zeros in other places, so the mean of the answers has fewer zeros. A Newton
# direction ignores the kink of $|\beta_j|$. But CSL and CEASE keep the penalty in their surrogates. At $\beta=\beta^*$
# every surrogate has the minimiser $\beta^*$. So near $\beta^*$ all chunks have the same zeros, unless some
# $\beta_j^*=0$ where the slope of $f$ is exactly $\pm\lambda$, so that a small change makes it nonzero. We try 20,000
# rows.

# %% tags=["assert"] id="c10-048"
X_20, y_20 = X[:20_000], y[:20_000]
lasso = L1(0.1 * np.abs(X_20.T @ (y_20 - 0.5)).max())  # a tenth of λ_max
sparse = glmlab.fit(X_20, y_20, family="logistic", penalty=lasso, tol=1e-12)
with_zeros = compared(X_20, y_20, sparse, 2_000, lasso, ("CSL", "CEASE", "auto"))
chunk = {"family": "logistic", "penalty": L1(lasso.lam / 10)}
own = np.array([glmlab.fit(X_20[i : i + 2_000], y_20[i : i + 2_000], **chunk).beta for i in range(0, 20_000, 2_000)])
averaged = own.mean(axis=0)
print(few_rounds.table(with_zeros, sparse).to_string())
print(f"zeros: minimiser {np.sum(sparse.beta == 0)}, chunks {np.sum(own == 0, axis=1)}, average {np.sum(averaged == 0)}")
try:
    glmlab.fit(X_20, y_20, family="logistic", penalty=lasso, solver="giant")
except ValueError as refusal:
    print(refusal)
assert all(np.array_equal(result.beta == 0, sparse.beta == 0) for result in with_zeros.values())
assert np.sum(averaged == 0) < np.sum(sparse.beta == 0)

# %% [markdown] tags=["workshop"] id="c10-017"
# *Recap.* Averages break on chunks with bad answers, surrogates on chunks with a bad curvature. A certificate shows
# both.
#
# ## Keep the Hessian of a few rows (15 min, core)
#
# A surrogate needs the curvature of *some* rows. A **pilot** is a sample that has its share of rows from every chunk,
# spread over the chunk, so sorted rows do not spoil it. We bring it here in one round, fit it, and *keep* the Hessian
# $\hat C$ of its scaled-up loss there. Then each iteration is one pass for the gradient, and
#
# $$\beta^+=\operatorname{argmin}_b\ \nabla f(\beta)^\top(b-\beta)+\tfrac12(b-\beta)^\top\hat C(b-\beta)+g(b).$$
#
# We solve this small problem here, so L1 is as easy as a ridge. This is *auto*. With our ridge $\hat H=\hat C+I$.
#
# <details><summary>What does it cost to draw a pilot?</summary>
#
# A round. If the rows are kept, it is a short one, because each task takes a few rows of its chunk. From recipes or
# files each task must make its whole chunk before. Then the round takes nearly as long as a pass, but only the few rows
# are counted. (If X is very large, `fit` draws the pilot during its first pass, and finds where to start from the rows
# of a few chunks.)
#
# </details>

# %% [markdown] id="pilot-example"
# *A small example.* Two chunks have 6 and 2 rows, the pilot has 4. The shares are $4\cdot\frac68=3$ and
# $4\cdot\frac28=1$. From the first chunk we take every second row, starting at a random one of the first two. The *first*
# three rows will not do, because they are all alike if the rows are sorted.
#
# A share need not be whole. Round it up or down: 2.6 becomes 2 or 3 rows, and 0.4 none or 1. Then spread these rows.
# For 3 of 7 rows take $r$, $r+\frac73$ and $r+\frac{14}3$, rounded down, with $r$ drawn from $[0,\frac73)$ anew for
# each chunk.
#
# **Exercise 2.** Write `pilot(lengths, m, seed)`: which rows of each chunk belong to a pilot of `m` rows.
#
# <details><summary>Can a fixed distance between the rows do harm?</summary>
#
# Yes, if the rows repeat with the same period, as days of the week do. `fit` avoids this: it divides a chunk into equal
# parts and draws from each part at random.
#
# </details>
# <details><summary>Up or down?</summary>
#
# As you like. But if every share is below one row, let chance decide: if all are rounded down, the pilot is empty.
#
# </details>

# %% tags=["exercise"] id="c10-018"
def pilot(lengths, m, seed):
    """The numbers of about m rows, from each chunk its share, spread over the chunk.

    lengths: rows of the K chunks; m: rows of the pilot, at most all; seed: the same one draws the same
    rows. Returns a list of K arrays of whole numbers, 0 being the first row of a chunk.
    """
    raise NotImplementedError

# %% tags=["check"] id="c10-019"
pilot = use(pilot)
# hint("pilot")
# solution("pilot")

# %% [markdown] id="c10-020"
# We run the method on the rows sorted by the first column, with pilots that your function draws, and with the first rows of
# the file.
#
# How fast is it? Let the pilot have $m$ rows. The first pass divides the gap by a number of the size of $m/p$, and later
# passes by $1/\varepsilon^2$. A rough guess is $\varepsilon\approx1/(1-\sqrt{p/m})^2-1$, near $2\sqrt{p/m}$ if $m$ is
# large.
#
# <details><summary>Why?</summary>
#
# An entry of $I-\hat H^{-1/2}H\hat H^{-1/2}$ is about $1/\sqrt m$ in size. This matrix times a random error adds $p$
# terms of random sign in each coordinate, and their sum is about $\sqrt p$ times as large as one of them. So one pass
# multiplies the length of the error by about $\sqrt{p/m}$, and the gap by $p/m$.
#
# As for CSL, a pass multiplies the error by $I-\hat H^{-1}H$ if $f$ and $g$ are quadratic. (This matrix has the same
# eigenvalues as the one above.) So each pass turns the error towards the eigenvector of this matrix whose eigenvalue is
# largest in size, and that size is $\varepsilon$. From then on a pass multiplies the gap by $\varepsilon^2$.
#
# </details>
#
# **Predict** by this guess, for a pilot of 100 rows for each column ($m/p=100$): by what number does each pass after the
# first divide the gap?

# %% id="c10-021"
X_sorted, y_sorted = X[by_column], y[by_column]
on_all = Objective("logistic", as_chunks(X_sorted, y_sorted, chunks=n_k))


def walk(rows, passes=7):
    """The relative gaps of the kept Hessian of these rows, pass by pass, and its ε."""
    few, times = Objective("logistic", as_chunks(X_sorted[rows], y_sorted[rows])), n / len(rows)
    beta = glmlab.fit(X_sorted[rows], y_sorted[rows], family="logistic", penalty=Ridge(1 / times)).beta
    kept, heights = times * few.loss_grad_hess(beta).hess + np.eye(p), []
    for _ in range(passes):
        loss, slope = on_all.loss_grad(beta)
        heights.append(loss + g.value(beta))
        beta = beta - np.linalg.solve(kept, slope + beta)
    eps = np.abs(1 - np.linalg.eigvals(np.linalg.solve(kept, H))).max()
    return np.maximum(races.gaps(heights, best), 1e-15), eps


# %% tags=["predict", "figure", "assert"] id="c10-049"
divided = predict("number by which a pass divides the gap", None)


def drawn_rows(each, seed):
    """The rows of your pilot, numbered through the file."""
    return np.concatenate([k * n_k + part for k, part in enumerate(pilot([n_k] * n_chunks, each * p, seed))])


curves, later = {}, {}
for each in (10, 100, 300):
    name = f"{each} rows for each column"
    gaps, worst = walk(drawn_rows(each, 1))
    curves[name], later[each], guess = gaps, (gaps[1] / gaps[4]) ** (1 / 3), 1 / (1 - each**-0.5) ** 2 - 1
    print(f"{name}: the first pass divides the gap by {gaps[0] / gaps[1]:.3g}, the next three by {later[each]:.3g} each; "
          f"1/ε² = {worst**-2:.2g}, by the guess {guess**-2:.2g}")  # fmt: skip
    assert each == 10 or later[each] > 0.8 / worst**2, "no slower than the worst direction"
curves["the file's first rows, 100 for each column"], _ = walk(np.arange(100 * p))
divided.measured(later[100])
title = f"100 rows a column soon divide the gap by {later[100]:.0f} a pass; the first rows raise it"
viz.show(viz.gap_curves(curves, ylabel="(F − F*) / F*", title=title, step="pass"))
ten, hundred, three_hundred, first_rows = curves.values()
assert 3 < later[100] < 100 and gaps[0] / gaps[1] > 10, "of the predicted size"
assert max(hundred[2], three_hundred[2]) < ten[2] and first_rows[3] > first_rows[0]

# %% [markdown] id="c10-022"
# Pass 0 is at the pilot's answer. The first pass is the fastest. Later passes come nearer to $1/\varepsilon^2$, because
# the error turns to the worst direction. This takes many passes, so the measured number may be larger. If
# $1/\varepsilon^2$ is below 1, the method may diverge.
#
# The guess of $\varepsilon$ is rough: it is for normal rows of equal weight and many columns. The last two numbers of
# each line say how rough.
#
# <details><summary>How does <code>fit</code> use a pilot?</summary>
#
# It draws the rows that the next cell names. It compares the diagonal of $\hat H$ with that of all rows, and refuses a
# step that does not make $F$ fall. It takes the Hessian of all rows if that saves passes. If the rows are few, this
# happens for the last digits. Then the last step is one of Newton's method, and the gap falls much faster.
#
# </details>
#
# How many passes does the default need for the post's benchmark with its L1 penalty? Its rows are drawn again in each
# pass and never stored (09). We also count for 01's flights and the trials.
#
# **Predict** the passes to $10^{-9}$ for the benchmark.

# %% tags=["predict", "assert"] id="c10-023"
needed = predict("passes to 1e-9 for the benchmark", None)
rows_many = scale.pick(ci=100_000, workshop=8_000_000, full=8_000_000)
X_many, y_many, _ = datasets.make_logistic(rows_many, p, seed=20009, chunks=rows_many // 16)
many = glmlab.fit(X_many, y_many, family="logistic", penalty=L1(1.0), tol=1e-9)
flights = glmlab.fit(*datasets.flights("xy"), family="logistic", penalty=L1(10.0), fit_intercept=True, tol=1e-9)
cost = {}
for name, result in {f"benchmark, {rows_many:,} rows": many, "flights": flights}.items():
    cost[name] = [few_rounds.spent(result, result, tol) for tol in (1e-6, 1e-9)]
    print(f"{name}, to 1e-6 and 1e-9: {' · '.join(map(few_rounds.in_words, cost[name]))}; {result.passes:.1f} in all")
    assert result.converged and result.solver == "pilot_newton"
(b6, b9), (f6, f9) = cost.values()
needed.measured(b9.passes)
print(f"fit draws {Sampling.least:.0%} of the rows for a pilot, but at least {Sampling.each} for each column.")
assert b6.passes < 3.5 and round(b9.passes) in (3, 4), "three or four passes"
assert f6.passes < 9 and f9.passes < 10
for trial, (results, reference) in (trials | {"L1": (with_zeros, sparse)}).items():
    passes = {name: few_rounds.spent(result, reference, 1e-9).passes for name, result in results.items()}
    ours, rival = passes.pop("auto"), min(passes, key=passes.get)
    print(f"{trial}, to 1e-9: auto {ours:.1f} passes, the best other one is {rival}, {passes[rival]:.1f}")
    assert ours < min(6, passes[rival])

# %% [markdown] id="c10-024"
# Three or four passes to $10^{-9}$ for the benchmark: the first evaluates the gradient at the pilot's answer, and each
# of the others adds digits. (Drawing the pilot makes these rows once more.) The flights need more, probably because a
# pilot has few rows of rare airlines.
#
# "In all" can be a pass or two more. The ledger counts these: `fit` ends when the gap is proved, and with few rows at
# the last digits of $\beta$.
#
# <details><summary><b>Check yourself.</b> When is a pilot the wrong choice?</summary>
#
# If there are too few rows for each column. Then a pilot is too small for a good Hessian, or it is nearly all of the
# data. `fit` then takes proximal Newton, which needs two passes an iteration.
#
# </details>
#
# *Recap.* Sorted rows do not spoil the Hessian of a pilot. It costs one round (a long one if rows are not kept), then
# one pass an iteration. The first divides the gap by about $m/p$, later ones by about $1/\varepsilon^2$ or more.

# %% tags=["assert"] id="c10-025"
rows = {"10: average and one step": (mixed["average and step"], X.nbytes), "10: kept Hessian": (mixed["auto"], X.nbytes),
        f"10: kept Hessian, {rows_many:,} rows, not stored": (many, 0)}  # fmt: skip
for name, (result, size) in rows.items():
    ledger.add(name, passes=result.passes, rounds=result.rounds, bytes=size, seconds=result.seconds,
               error=np.abs(result.beta - beta_true).max(), zeros=np.sum(result.beta == 0),
               gap=result.certificate.relative)  # fmt: skip
assert max(mixed["auto"].certificate.relative, many.certificate.relative) <= 1e-9
ledger

# %% [markdown] tags=["optional"] id="c10-030"
# ## One slow worker (28 min, optional)
#
# In a round everybody waits for the slowest worker. Must they? In **asynchronous ADMM** nobody waits. As in 05, chunk
# $k$ answers with the $b$ that minimises $f_k(b)+\frac\rho2\|b-z+u_k\|^2$. Its **vote** is $v_k=b+u_k$, with the $u_k$
# that it was sent. We keep the last vote of every chunk. When chunk $k$ answers, its new vote takes the place of its
# old one, and
#
# $$z=\operatorname{argmin}_w\ \lambda\|w\|_1+\tfrac\rho2\sum_j\|v_j-w\|^2,\qquad u_k=v_k-z .$$
#
# Only chunk $k$ is sent the new $z$ and its new $u_k$. The others go on with what they have.
#
# If nothing moves any more, every answer $b$ equals $z$. Then $z$ meets the conditions of notebook 05, so it is the
# optimum.
#
# <details><summary>How does one write this with dask?</summary>
#
# `distributed.as_completed` yields each future when its result is there. Submit the next task of that chunk, and `add`
# its future to what is awaited.
#
# </details>
# <details><summary>Does it always get there?</summary>
#
# The known proofs need a bound on the delays, and more. In that of Chang and others (2016) $\rho$ must be large, and $z$
# must move slowly if the delays are long. In that of Peng and others (2016) the votes may move only a part of their way.
#
# </details>

# %% [markdown] tags=["optional"] id="c10-031"
# *A small example.* One coefficient, two chunks, $\lambda=2$, $\rho=1$ and the votes $v=(3,5)$. Their mean is 4. Shrunk
# by $\lambda/(\rho K)=1$ it gives $z=3$, so $u=(0,2)$. Now chunk 2 answers $b=2$. Its vote becomes $2+2=4$, the mean is
# 3.5, $z=2.5$, and $u_2=4-2.5=1.5$. Chunk 1 is still at work, so $u_1$ stays 0.
#
# Two mistakes are tempting. If $z$ is made of the newest votes only, the rows of the slow chunk are missing. If a new
# vote is added *beside* the old one of its chunk, a fast chunk counts more than its rows.
#
# **Exercise 3.** Write `on_arrival`.

# %% tags=["exercise", "optional"] id="c10-032"
def on_arrival(state, k, b):
    """The state after chunk k has returned b (p,): a new dict, and the old one stays as it is.

    state: V (K, p), the last votes; U (K, p), the u that each chunk works with; z (p,); lam and rho, numbers.
    """
    raise NotImplementedError

# %% tags=["check", "optional"] id="c10-033"
on_arrival = use(on_arrival)
# hint("on_arrival")
# solution("on_arrival")

# %% [markdown] tags=["optional"] id="c10-034"
# We run your function by a **made-up clock**, so that the result is the same on every machine. A task of chunk $k$
# takes `seconds[k]`, changed at random by up to 20 %. There are 8 chunks of 1,000 rows, a quadratic loss and an L1
# penalty. In the first run all chunks are equally fast. In the second, chunk 0 takes ten times as long.
#
# **Predict.** After 2,000 made-up seconds, how far apart are the two $z$?

# %% tags=["predict", "assert", "optional"] id="c10-035"
apart = predict("largest difference between the two z", None)
K, lam, X_8 = 8, 300.0, X[:8000].reshape(8, 1000, p)
y_8 = X_8 @ beta_true + np.random.default_rng(5).normal(size=(K, 1000))
hessians, pulls = 2 * np.einsum("kni,knj->kij", X_8, X_8), 2 * np.einsum("kni,kn->ki", X_8, y_8)
rho = np.trace(hessians.sum(axis=0)) / p / K


def by_clock(seconds):
    """z at the end, and how often each chunk has voted."""
    state = {"V": np.zeros((K, p)), "U": np.zeros((K, p)), "z": np.zeros(p), "lam": lam, "rho": rho}
    sent, votes = [state["z"]] * K, np.zeros(K, dtype=int)
    for _, k in few_rounds.arrivals(seconds, until=2000):
        b = np.linalg.solve(hessians[k] + rho * np.eye(p), pulls[k] + rho * (sent[k] - state["U"][k]))
        state = on_arrival(state, k, b)
        sent[k], votes[k] = state["z"], votes[k] + 1
    return state["z"], votes


alike, slow = np.ones(K), np.where(np.arange(K) == 0, 10.0, 1.0)
(z, _), (z_slow, votes) = by_clock(alike), by_clock(slow)
exact = glmlab.fit(X_8.reshape(-1, p), y_8.ravel(), family="gaussian", penalty=L1(lam), tol=1e-12).beta
apart.measured(np.abs(z - z_slow).max())
print(f"votes of chunks 0 and 1: {votes[:2]}; z from the minimiser: {np.abs(z_slow - exact).max():.0e}")
assert max(np.abs(z - exact).max(), np.abs(z_slow - exact).max()) < 1e-8 and votes[1] > 8 * votes[0]

# %% [markdown] tags=["optional"] id="c10-036"
# A chunk that votes ten times as often has no more weight: both runs end at the minimiser. But does an asynchronous
# method get there sooner than one that waits?
#
# **PIAG**, the proximal incremental aggregated gradient, does the same with gradients. It keeps the last gradient of
# every chunk, and whenever one arrives, it steps along their sum:
# $\beta^+=\operatorname{prox}_{tg}(\beta-t\sum_k\nabla f_k)$. Some of these gradients are old.
#
# <details><summary>How long may a step be?</summary>
#
# Let $\tau$ be the age of the oldest gradient, in steps, and $L$ a bound on the curvature. Convergence is proved if all
# steps within that age add up to less than $1/L$. The *fixed* rule takes about $1/(L\tau)$ with the largest $\tau$ so far
# (Sun and others 2019). The *adaptive* rule takes 0.9 of what the recent steps leave of $1/L$ (Wu and others 2022).
#
# </details>
#
# **Predict.** If all workers are alike, which is faster than waiting: asynchronous ADMM, PIAG by one of its two rules,
# both or neither? And if one worker is slow? Write "neither", "ADMM", "PIAG" or "both" for `None`.

# %% tags=["predict", "assert", "optional"] id="c10-038"
if_alike, if_slow = predict("faster than waiting, all alike", None), predict("faster than waiting, one slow", None)
rows_8 = X[:8000], y[:8000]
f_8, best_8 = Objective("logistic", as_chunks(*rows_8, chunks=1000)), glmlab.fit(*rows_8, **logistic, tol=1e-12)
curvature = f_8.loss_grad_hess(np.zeros(p)).hess


def seconds_of(solver, seconds, tol=1e-4, **options):
    return few_rounds.made_up_seconds(solver, f_8, g, best_8, seconds, tol=tol, **options)


clocks = {}
for times in (0.3, 1, 3):
    rho = {"rho": times * np.trace(curvature) / p / K, "relaxation": 1.2}
    clocks[f"ρ = {times} tr H/(pK)"] = {
        "alike, waiting": seconds_of("consensus_admm", alike, **rho),
        "alike, asynchronous": seconds_of("async_admm", alike, **rho),
        "one slow, waiting": seconds_of("consensus_admm", slow, **rho),
        "one slow, asynchronous": seconds_of("async_admm", slow, **rho),
        "its chunk moved, waiting": seconds_of("consensus_admm", alike, workers=[1, *range(1, K)], **rho),
    }
print("ADMM: made-up seconds to a gap of 1e-4\n", pd.DataFrame(clocks).round().to_string())
for all_wait, none_waits, slow_waits, hurries, moved in (line.values() for line in clocks.values()):
    assert all_wait < none_waits and moved < hurries < slow_waits
assert hurries < 0.7 * slow_waits, "for the largest ρ, which needs the most rounds"

# %% tags=["assert", "optional"] id="c10-040"
L = np.linalg.eigvalsh(curvature)[-1]
steps = {
    "gradient, waiting, t = 1/L": ("proximal_gradient", {"step": 1 / L}),
    "PIAG, fixed rule": ("piag", {"step": "fixed"}),
    "PIAG, adaptive rule": ("piag", {"step": "adaptive"}),
    "PIAG, t = 1/(KL)": ("piag", {"step": 1 / (K * L)}),
    "PIAG, t = 1/L": ("piag", {"step": 1 / L, "max_iter": 40}),
}
times = {name: {who: seconds_of(solver, seconds, tol=0.02, **rule)
                for who, seconds in (("alike", alike), ("one slow", slow))}
         for name, (solver, rule) in steps.items()}  # fmt: skip
print("gradients: made-up seconds to a gap of 0.02, inf if not reached\n", pd.DataFrame(times).T.round().to_string())
fixed, adaptive = (times[f"PIAG, {rule} rule"]["one slow"] for rule in ("fixed", "adaptive"))
waiting, long = times["gradient, waiting, t = 1/L"], times["PIAG, t = 1/(KL)"]
assert adaptive < 0.7 * fixed and waiting["one slow"] < adaptive and all(long[who] < waiting[who] for who in waiting)
assert waiting["alike"] < min(times[f"PIAG, {rule} rule"]["alike"] for rule in ("fixed", "adaptive"))
by_admm = {"alike": none_waits < all_wait, "one slow": hurries < slow_waits}  # for the largest ρ
for who, guess in (("alike", if_alike), ("one slow", if_slow)):
    by_piag = min(times[f"PIAG, {rule} rule"][who] for rule in ("fixed", "adaptive")) < waiting[who]
    guess.measured("both" if by_admm[who] and by_piag else "ADMM" if by_admm[who] else "PIAG" if by_piag else "neither")
for who, seconds in (("alike", alike), ("one slow", slow)):
    heights = few_rounds.made_up("piag", f_8, g, best_8, seconds, tol=0.02, step=1 / L,
                                 max_iter=40)[0].trace.objective  # fmt: skip
    print(f"PIAG, t = 1/L, {who}: at the end F is {heights[-1] / heights[0]:.1f} times F at the start.")
    assert heights[-1] > 2 * heights[0], "it diverges"

# %% [markdown] tags=["optional"] id="c10-039"
# *Answer.* If all workers are alike, neither is. If one is slow, asynchronous ADMM is faster, and the more so the
# larger $\rho$ is. PIAG by its rules is not. With the step $1/(KL)$ it is faster in both cases, without a proof.
#
# <details><summary>Why does asynchronous ADMM lose if nobody is slow?</summary>
#
# A vote is an answer to an old $z$, so each update does less. Waiting costs little then: the slowest of eight random
# times is not much longer than their mean. With a slow worker a round takes ten times as long, and old votes are the
# smaller harm.
#
# </details>
# <details><summary>Why is PIAG so slow by its rules, and so fast with 1/(KL)?</summary>
#
# While the slow chunk does one task, the others make about 70 steps, and by the rules all of these together may be no
# longer than one step $1/L$. The rules guarantee convergence for every order of arrivals. Ours is not the worst order, so
# a longer step converges here. With the step $1/L$ $F$ grows, even if nobody is slow.
#
# </details>
#
# The best cure is to give the slow worker fewer rows, and to wait. `placed` does this on a cluster: it measures how fast
# each worker is, and moves whole chunks.
#
# Now we race on real workers, one ten times as slow. They mostly sleep, so they hardly compete for
# one machine. A racer arrives when its gap is *proved*.
#
# **Predict** in which order ADMM (a), asynchronous ADMM (b) and ADMM with moved chunks (c) arrive ("abc"?).
#
# <details><summary>On which rows?</summary>
#
# On others, whose columns are normal and whose true coefficients are smaller, so that all methods need few rounds.
# $\rho$ is three times the curvature of a chunk. This was the slowest of the three $\rho$ above, waiting or not.
#
# </details>

# %% tags=["figure", "assert", "optional"] id="c10-051"
order = predict("order of arrival of ADMM (a), asynchronous (b), chunks moved (c)", None)
client = cluster.client(n_workers=8, processes=scale.pick(ci=False, workshop=True, full=True))
X_dealt, y_dealt = slow_worker.dealt_rows(client, n=scale.pick(ci=160_000, workshop=280_000, full=280_000))
admm, piag = [slow_worker.SYNC, slow_worker.ASYNC, slow_worker.MOVED], [slow_worker.FIXED, slow_worker.ADAPTIVE]
task, repeats, tol, racers = scale.pick(ci=(0.003, 1, 1e-2, admm), workshop=(0.013, 5, 1e-4, admm + piag),
                                        full=(0.015, 5, 1e-4, None))  # fmt: skip
setting = {"rho": 3 * len(X_dealt) / (4 * X_dealt.numblocks[0]),  # three times a chunk's curvature at β = 0
           "task": task, "tol": tol}  # fmt: skip
race = slow_worker.race(client, X_dealt, y_dealt, repeats=repeats, only=racers, **setting)
print(race.table().to_string())
print(f"by medians: {race.finding()}")
print(f"by arithmetic: {slow_worker.MOVED} {2 / 10:.2f} of {slow_worker.SYNC}")  # two tasks where it waits for ten
order.measured("".join(sorted("abc", key=lambda letter: race.median(admm["abc".index(letter)]))))
first, second, *_ = (f"{name} ({race.median(name):.2g} s)" for name in sorted(race.seconds, key=race.median))
title = f"One of {X_dealt.numblocks[0]} workers is slow. Smallest median to a proved gap of {tol:g}:\n{first}, then {second}"
viz.show(viz.convergence(race.results, x="seconds", tol=tol, title=title))
assert all(result.certificate.relative <= tol for result in race.results.values())
client.close()
assert client.status == "closed"

# %% [markdown] tags=["optional"] id="c10-052"
# *Answer.* By the made-up clock moved chunks came first, then asynchronous ADMM, then ADMM that waits. Here, too? The
# line *by medians* compares each ADMM with the one that waits, and PIAG's two rules. By arithmetic, a round that waits
# for the slow worker takes as long as ten tasks, and with its chunk moved as two.
#
# Whether asynchronous ADMM beats waiting depends on $\rho$ and on the machine: each of its many answers is a message
# that one process must handle. If tasks are short, or other programs run, this may take longer than waiting.
#
# <details><summary>Why is PIAG fast here, and not by the made-up clock?</summary>
#
# Normal columns have a condition number near 1, so a gradient method needs few steps. A gradient method that waits would
# gain from this, too. It does not race, so we do not see whether PIAG beats waiting.
#
# </details>
# <details><summary>What are the flat pieces of the lines, and why has PIAG so few states?</summary>
#
# Each line is one run of the racer: that of median seconds or, of an even number of runs, the faster of the two in the
# middle. (After the budget of seconds no further repeat begins.) A nearly flat piece is a certificate. Its reads wait
# for the slow worker, and the line goes on after them. A line may end below the tolerance, because a gap must be
# proved. The seconds in the title also contain the last certificate, after the end of the line. An asynchronous method
# shows a state only when all chunks, also the slow one, have evaluated $F$ at the same $\beta$. The start is one of the
# states.
#
# </details>
#
# *Recap.* An asynchronous method uses old answers. It pays if waiting costs more. First see whether the slow worker can
# have fewer rows.

# %% [markdown] id="c10-026"
# ## What we measured · Check yourself · Next
#
# - In an average errors of first order cancel, and a bias of order $1/n_k$ remains. One Newton step removes most of it.
# - If chunks are alike, an average needs few rounds, surrogates few iterations. None of these methods survived all
#   trials.
# - The Hessian of a pilot survived all: three or four passes to $10^{-9}$ on the benchmark, and in each trial fewer than
#   any other method that ran.
# - By the made-up clock, asynchronous ADMM beats waiting if a worker is slow, and moving its chunk beats both. If
#   nobody is slow, waiting wins (optional).
#
# <details><summary>You have 1,000 chunks of 50 rows and 20 columns. Average, or pilot?</summary>
#
# The pilot. With 50 rows for 20 columns each chunk's answer has a large bias, and the average keeps it. Without a penalty
# some chunks have no minimiser at all.
#
# </details>
# <details><summary>Every chunk gets twice as many rows. What becomes of the error of the average, and after one
# step?</summary>
#
# The error of the average is proportional to $1/n_k$, so it halves. The step squares it, so a quarter of the error after
# the step is left.
#
# </details>
# <details><summary>A round costs a minute, a pass a second, and the chunks are alike. Which method?</summary>
#
# Average and one step: it has the fewest rounds. But ask for the certificate, because nothing else tells you whether the
# chunks were alike.
#
# </details>
#
# **Next.** [11 your own solver](11_your_own_solver.ipynb): write one, and let the package judge it.
