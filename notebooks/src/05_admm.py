# %% [markdown] id="c05-001"
# # Write ADMM, predict its zeros, choose its ρ
#
# *Every chunk solves a small problem of its own, and one step makes one vector of the answers. You write ADMM, predict
# about how many zeros the post printed, and compare it with a rival.*
#
# **135 minutes** with the exercises, 119 of them on the core path. Prerequisites: [03 gradient
# descent](03_gradient_descent.ipynb) and [04 task graphs](04_task_graphs.ipynb). Symbols:
# [glossary](00_start_here.ipynb#Notation-and-glossary).
#
# Afterwards you can
#
# - write shrinkage, the local update and the consensus step;
# - predict how many zeros an early stop leaves;
# - choose ρ and the relaxation, and predict the rate;
# - say when consensus ADMM may pay;
# - read primal and dual residuals (optional).
#
# The optional sections come last. Nothing needs them.

# %% [markdown] tags=["workshop"] id="c05-003"
# ## One problem in ten chunks (6 min, core)
#
# Notebook 04 found that a round between this process and the workers is expensive. Can a worker do more in each
# round?
#
# Our problem is the post's second, the **lasso** with $\lambda=7.2$:
#
# $$\min_\beta\ F(\beta)=f(\beta)+\lambda\|\beta\|_1,\qquad f(\beta)=\|y-X\beta\|^2 .$$
#
# Chunk $k$ of $K$ holds the rows $X_k$, $y_k$, and $f=\sum_kf_k$ with $f_k(\beta)=\|y_k-X_k\beta\|^2$. We give every
# chunk its own $\beta_k$ and ask that all equal one vector $z$, the **consensus**:
#
# $$\min\ \sum_k f_k(\beta_k)+\lambda\|z\|_1\quad\text{subject to }\beta_k=z\text{ for all }k.$$
#
# **ADMM**, the alternating direction method of multipliers, solves it in rounds. Every chunk solves a problem of its
# own, one step makes a new $z$, and this process adds up each chunk's differences from $z$.

# %% tags=["parameters", "setup"] id="c05-004"
from itertools import islice

import dask
import distributed
import numpy as np
from scipy.stats import binom
from threadpoolctl import threadpool_limits

import glmlab
from glmlab import L1, certify, datasets, solvers, viz
from glmlab.machine import cluster
from glmlab.teaching import hint, ledger, predict, scale, solution, triangles, use

one_thread = threadpool_limits(1)  # matrices are small here
n = scale.pick(ci=20_000, workshop=400_000, full=1_000_000)
p, n_chunks, lam = 100, 10, 7.2
client = cluster.client()
X, y, beta_true = datasets.course(n, p=p, chunks=n // n_chunks)
X, y = client.persist([X, y])
distributed.wait([X, y])
print(cluster.dashboard_link(client) or "This client has no dashboard.")

# %% [markdown] tags=["workshop"] id="c05-006"
# ## Shrink (15 min, core)
#
# How does a method handle $\|\beta\|_1$, which has no derivative at zero? By the **prox**. For a vector $v$ and a
# number $t\ge0$,
#
# $$\operatorname{prox}(v)=\operatorname{argmin}_w\ t\|w\|_1+\tfrac12\|w-v\|^2.$$
#
# The sum splits into coordinates, so take single numbers, $t=1$ and $v=3$. For $w>0$ the derivative $t+w-v$ vanishes at
# $w=2$. Likewise $v=-3$ gives $w=-2$.
#
# For $v=0.4$ the derivative would vanish at $w=-0.6$, which is not positive. For $w<0$ it is $-t+w-v$ and would vanish
# at $w=1.4$, which is not negative. So the minimum is at the kink $w=0$. There the slope is $-t-v\le0$ on the left and
# $t-v\ge0$ on the right, if $|v|\le t$.
#
# **Exercise 1.** `shrink(v, t)` returns this $w$, entry by entry: **shrinkage**.


# %% tags=["exercise"] id="c05-007"
def shrink(v, t):
    """argmin_w t|w| + ½(w − v)², entry by entry: an array (p,), like v; t ≥ 0 is a number."""
    raise NotImplementedError


# %% tags=["check"] id="c05-008"
shrink = use(shrink)
# hint("shrink")
# solution("shrink")

# %% [markdown] tags=["workshop"] id="c05-009"
# <details><summary>Check yourself: why does shrinkage give exact zeros, while a penalty ½t‖w‖² would not?</summary>
#
# With the square, the derivative $tw+w-v$ vanishes at $w=v/(1+t)$, which is zero only for $v=0$. The absolute value has
# a kink: its slope jumps from $-t$ to $t$ at zero, so a whole interval of $v$ leads to $w=0$.
#
# </details>
#
# **Recap.** The prox weighs the penalty against the distance from $v$. For $t\|w\|_1$ it moves every entry towards zero
# by $t$, and entries of size at most $t$ become exactly zero.
#
# ## A chunk's own problem (15 min, core)
#
# What does a chunk do in a round? It minimises its own loss, but must not run far from the $z$ that all chunks know:
#
# $$\beta_k=\operatorname{argmin}_b\ \|y_k-X_kb\|^2+\tfrac\rho2\|b-z+u_k\|^2 .$$
#
# The number $\rho>0$ says how strongly a chunk is held. The vector $u_k$, chunk $k$'s **scaled dual variable**, adds up
# its disagreement. It starts at zero, and after a round with the new consensus $z^+$ it becomes
#
# $$u_k^+=u_k+\beta_k-z^+ .$$

# %% [markdown] id="c05-049"
# The second term is least at $b=z-u_k$. If a chunk's answers lie above $z$, its $u_k$ grows. So it is pulled to points
# further and further below $z$, until it agrees.
#
# Take one coefficient and a chunk with $f_k(b)=(b-2)^2$, and let $z=1$, $u_k=0$ and $\rho=2$. The derivative
# $2(b-2)+2(b-1)$ vanishes at $b=1.5$: the chunk wants 2, is held at 1, and both terms have curvature 2, so it stops
# halfway. If $z$ stays at 1, then $u_k^+=0.5$. The next answer solves $2(b-2)+2(b-0.5)=0$, so $b=1.25$. The
# disagreement has halved.
#
# **Exercise 2.** `local_update(X, y, z, u, rho)` returns $\beta_k$ for one chunk of NumPy rows.


# %% tags=["exercise"] id="c05-010"
def local_update(X, y, z, u, rho):
    """argmin_b ‖y − Xb‖² + (rho/2)‖b − z + u‖², an array (p,); X is (n, p), y (n,), z and u (p,)."""
    raise NotImplementedError


# %% tags=["check"] id="c05-011"
local_update = use(local_update)
# hint("local_update")
# solution("local_update")

# %% [markdown] tags=["workshop"] id="c05-012"
# <details><summary>Check yourself: what does u_k hold when nothing moves any more?</summary>
#
# If nothing moves, $\beta_k=z$, and the derivative of the chunk's problem says $\nabla f_k(z)+\rho u_k=0$. So
# $\rho u_k=-\nabla f_k(z)$ is the direction in which the chunk's own rows still want to go. It is the Lagrange
# multiplier, or **dual variable**, of the constraint $\beta_k=z$. Divided by $\rho$ it has the unit of a coefficient,
# hence "scaled".
#
# </details>
#
# **Recap.** A chunk minimises its loss plus a quadratic that pulls it to $z-u_k$. Its $u_k$ adds up its disagreement.
# In the end $\rho u_k$ balances the chunk's own gradient.
#
# ## The consensus step (17 min, core)
#
# How do $K$ answers become one $z$? First each answer is **relaxed** by a number $\alpha$ in $(0,2)$:
#
# $$a_k=\alpha\beta_k+(1-\alpha)z .$$
#
# Plain ADMM has $\alpha=1$, so $a_k=\beta_k$. With $\alpha>1$ we go beyond the answers (**over-relaxation**), with
# $\alpha<1$ we stop short of them. The $z$ here is the old one: $\alpha=1.5$, $\beta_k=3$ and the old $z=1$ give
# $a_k=1.5\cdot3-0.5\cdot1=4$. The post's line `beta_hat = 0.9*new_betas + 0.1*z` is $\alpha=0.9$.

# %% [markdown] id="consensus-example"
# Each chunk then votes for $a_k+u_k$. The new $z$ minimises the penalty plus the squared distances to all votes,
# weighted by $\rho/2$:
#
# $$z^+=\operatorname{argmin}_w\ \lambda\|w\|_1+\tfrac\rho2\sum_{k=1}^K\|a_k+u_k-w\|^2,\qquad u_k^+=u_k+a_k-z^+ .$$
#
# With $\alpha=1$ the two steps minimise $\sum_kf_k(\beta_k)+\lambda\|z\|_1+\frac\rho2\sum_k\|\beta_k-z+u_k\|^2$ in turn
# over the $\beta_k$ and over $z$. For convex losses and any $\rho>0$ these $z$ converge to a minimiser, if there is one
# (Eckstein & Bertsekas 1992).
#
# <details><summary>Where does this function come from?</summary>
#
# It is the Lagrangian of the problem with $\beta_k=z$ and the multipliers $\rho u_k$, plus
# $\frac\rho2\sum_k\|\beta_k-z\|^2$. To see this, multiply out. The terms $\frac\rho2\|u_k\|^2$ that differ contain
# neither $\beta_k$ nor $z$.
#
# </details>
#
# Take one coefficient, two chunks, $\lambda=2$, $\rho=1$. Let $a_1+u_1=3$ and $a_2+u_2=5$. For $w>0$ the derivative
# $2+(w-3)+(w-5)$ vanishes at $w=3$. The mean of 3 and 5 is 4, so it was shrunk by 1. This 1 is $\lambda$ divided by
# $2\rho$, because one penalty faces two quadratics.
#
# **Exercise 3.** `z_update(B, U, z, lam, rho, alpha)` returns $z^+$ and all $u_k^+$.


# %% tags=["exercise"] id="c05-013"
def z_update(B, U, z, lam, rho, alpha):
    """The new z (p,) and the new U (K, p). Row k of B (K, p) is β_k, row k of U (K, p) is u_k; z (p,) is old."""
    raise NotImplementedError


# %% tags=["check"] id="c05-014"
z_update = use(z_update)
# hint("z_update")
# solution("z_update")

# %% [markdown] tags=["workshop"] id="c05-015"
# <details><summary>Check yourself: after any consensus step, what is the sum of ρu_k over the chunks?</summary>
#
# At $w=z^+$ zero lies between the left and the right slope of the objective in every coordinate. So
# $\lambda s=\rho\sum_k(a_k+u_k-z^+)=\rho\sum_ku_k^+$, where $s_j$ is the sign of $z^+_j$, or some number in $[-1,1]$ if
# $z^+_j=0$. So the penalty balances this sum after every round, even the first. Before the end something else is
# missing: the answers differ from $z^+$, or $z$ still moves, or both.
#
# </details>
#
# **Recap.** The consensus is the mean of $a_k+u_k$, shrunk by $\lambda/(\rho K)$. Relaxation decides how far we follow
# the answers. Each $u_k$ grows by the difference between its chunk's relaxed answer and the new $z$.
#
# ## The post's loop (8 min, core)
#
# Put together, the loop is short, as the post promised: *"everything else is NumPy code occurring at master"*. The
# figure shows one round. The post solves the local problems by L-BFGS, an iterative method that needs gradients only.
# We solve them exactly, each by one linear system.
#
# **Predict.** The post ran ten rounds with $\rho=1$ and printed 12 zeros. How many of our 100 $z_j$ will be zero after
# ten rounds? (Guess: the rule comes next.)

# %% tags=["figure"] id="c05-016"
viz.show(viz.admm_round())


def answers(blocks, z, U, rho):
    """The local updates of all chunks, lazy."""
    return [dask.delayed(local_update)(X_k, y_k, z, u, rho) for (X_k, y_k), u in zip(blocks, U, strict=True)]


def published(blocks, rho=1.0, alpha=0.9):
    """The post's loop; yields z and the answers B after every round."""
    z, U = np.zeros(p), np.zeros((len(blocks), p))
    while True:
        B = np.array(dask.compute(*answers(blocks, z, U, rho)))
        z, U = z_update(B, U, z, lam, rho, alpha)
        yield z, B


blocks = list(zip(X.to_delayed().ravel(), y.to_delayed().ravel(), strict=True))
one_round = viz.task_counts(*answers(blocks, np.zeros(p), np.zeros((n_chunks, p)), 1.0))["tasks"]
print(f"a round with {n_chunks} chunks is {one_round} tasks; each answer has {p} numbers, {8 * p} bytes")

# %% tags=["predict", "assert"] id="c05-018"
zeros_ten = predict("zeros of z after ten rounds", None)
for k, (post_z, _) in enumerate(islice(published(blocks), 10), start=1):
    print(f"round {k:>2}: {np.sum(post_z == 0):>3} zeros")
zeros_ten.measured(np.sum(post_z == 0))
assert np.sum(post_z == 0) > 0, "zeros at step ten"
assert one_round == n_chunks, "a task a chunk"


# %% [markdown] tags=["workshop"] id="c05-019"
# ## The zeros count the rounds (20 min, core)
#
# Why are there zeros? A chunk's loss has curvature about $2n/K$ (notebook 03), thousands at least, while $\rho=1$. So a
# chunk answers with its own least-squares solution, near $\beta_{\text{true}}$.
#
# Follow one coefficient. While $z_j$ stays zero, each round adds the same $\alpha\beta_j$ to entry $j$ of every $u_k$,
# until the sum exceeds the threshold $\lambda/(\rho K)$. Let $\beta_j=0.2$, $\alpha=0.9$ and the threshold be $0.72$.
# Four rounds add up to $0.72$: $z_j$ is still zero. In round five it is $0.90-0.72=0.18$.
#
# **Exercise 4.** `zeros_at(beta, lam, rho, K, rounds, alpha)`: how many $z_j$ are zero after so many rounds? (If the
# sum equals the threshold, $z_j$ is zero. No test has this case.)

# %% tags=["exercise"] id="c05-020"
def zeros_at(beta, lam, rho, K, rounds, alpha):
    """How many of the p entries of z are 0 after so many rounds, if each of K chunks always answers beta (p,)."""
    raise NotImplementedError


# %% tags=["check"] id="c05-021"
zeros_at = use(zeros_at)
# hint("zeros_at")
# solution("zeros_at")

# %% [markdown] id="c05-022"
# Up to the effect of $\rho$, which is tiny beside a chunk's curvature, $z_j=0$ after $N$ rounds if and only if
# $|\beta_j|\le\lambda/(\alpha\rho KN)$. Here $\beta$ is the mean of the chunks' own answers, near
# $\beta_{\text{true}}$.
#
# In the post $\beta$ was uniform on $[0,1)$ and $K=N=10$, so the right side is $7.2/(0.9\cdot10\cdot10)=0.08$. Each of
# the 100 coefficients is below it with probability $0.08$: without any data we expect 8 zeros. The next cell prints how
# probable 12 or more are.
#
# Is the formula right for other $K$? `loop` is the post's loop on **triangles**: each chunk has $p+1$ rows that stand
# for all its rows.
#
# <details><summary>How can p + 1 rows stand for a chunk?</summary>
#
# Decompose $[X_k\ y_k]=QR$, with orthonormal columns in $Q$. Then $\|y_k-X_k\beta\|=\|R\,(-\beta,1)\|$: the $p+1$ rows
# of $R$ have the chunk's loss for *every* $\beta$.
#
# </details>
#
# **Predict.** The same rows in twice as many chunks, $K=20$: how many zeros after round ten?

# %% tags=["predict", "figure", "assert"] id="c05-025"
def loop(chunks, rounds, rho, alpha, lam):
    """The answers B (rounds, K, p) and the z (rounds, p) that were made of them."""
    H = np.array([2 * X_k.T @ X_k for X_k, _ in chunks])
    inverses = np.linalg.inv(H + rho * np.eye(H.shape[1]))
    pulls = np.array([2 * X_k.T @ y_k for X_k, y_k in chunks])
    z, U, Bs, zs = np.zeros(H.shape[1]), np.zeros(pulls.shape), [], []
    for _ in range(rounds):
        Bs.append(np.einsum("kij,kj->ki", inverses, pulls + rho * (z - U)))
        z, U = z_update(Bs[-1], U, z, lam, rho, alpha)
        zs.append(z)
    return np.array(Bs), np.array(zs)


doubled = predict("zeros after round ten with K = 20", None)
forty = triangles.of_chunks(X, y, pieces=4)
pieces = {K: triangles.merged(forty, K) for K in (5, 10, 20, 40)}
counted = {K: [int(np.sum(z == 0)) for z in loop(chunks, 12, 1.0, 0.9, lam)[1]] for K, chunks in pieces.items()}
predicted = {K: [int(zeros_at(beta_true, lam, 1.0, K, k, 0.9)) for k in range(1, 13)] for K in counted}
doubled.measured(counted[20][9])
print(f"12 zeros or more in the post: probability {binom.sf(11, 100, 0.08):.2f}; deviation {binom.std(100, 0.08):.1f}")
viz.show(viz.zero_clock(counted, predicted, optimum=0))
assert all(np.abs(np.subtract(counted[K], predicted[K])).max() <= 2 for K in counted), "the formula, within two"

# %% [markdown] id="c05-026"
# Does the *minimiser* have zeros, too? The figure's dotted line says no, and the next cell justifies it.
# Let $q=\nabla f(\beta)=2X^\top(X\beta-y)$. Along coordinate $j$ the slope of $F$ is
# $q_j+\lambda\operatorname{sign}\beta_j$. At $\beta_j=0$ there is the kink of exercise 1, with slopes $q_j\mp\lambda$.
# These slopes decide: $\beta$ is optimal exactly if
#
# $$q_j=-\lambda\operatorname{sign}\beta_j\ \text{ where }\beta_j\ne0,\qquad|q_j|\le\lambda\ \text{ where }\beta_j=0 .$$
#
# These are the **KKT conditions** (Karush, Kuhn, Tucker).
#
# Where ADMM stands still, $z$ meets them: $\rho u_k=-\nabla f_k(z)$ and $\sum_k\rho u_k=\lambda s$ give
# $q+\lambda s=0$ ($s$: signs of $z$).
#
# At $\beta=0$ we have $q=-2X^\top y$. So the minimiser is zero exactly if
# $\lambda\ge\lambda_{\max}=\|2X^\top y\|_\infty$, the largest absolute entry. It is the natural unit of $\lambda$. How
# large is 7.2 in it?
#
# <details><summary>Why are the slopes along coordinates enough?</summary>
#
# Because $f$ is smooth and convex, and the penalty is a sum over coordinates. So if no single coordinate can lower $F$,
# no direction can.
#
# </details>
# <details><summary>Where do the two conditions of ADMM come from?</summary>
#
# If nothing moves any more, every $\beta_k=z$ solves its chunk's problem, and its derivative there is
# $\nabla f_k(z)+\rho u_k=0$. The consensus step minimises $\lambda\|w\|_1$ plus the squared distances. At its minimiser
# $z$ zero lies between the slopes: $\sum_k\rho u_k=\lambda s$, where $s_j$ is the sign of $z_j$, or some number in
# $[-1,1]$ if $z_j=0$. Add the first equation over the chunks, and $\nabla f(z)+\lambda s=0$ is left.
#
# </details>

# %% tags=["assert"] id="c05-027"
ten = pieces[10]
X_r, y_r = triangles.stacked(ten)
lasso = {"family": "gaussian", "penalty": L1(lam)}
best = glmlab.fit(X_r, y_r, **lasso, tol=1e-12)
lam_max = abs(2 * X_r.T @ y_r).max()
at_post = lam / (lam_max * 1e6 / n)  # λ_max grows like n; the post had a million rows
q, zero = 2 * X_r.T @ (X_r @ post_z - y_r), post_z == 0
late = loop(ten, 500, 1.0, 0.9, lam)[1]
z_proof = certify(X_r, y_r, post_z, **lasso)
print(f"λ / λ_max = {lam / lam_max:.1e} here, about {at_post:.1e} in the post")
print(f"of {zero.sum()} zeros of z {np.sum(abs(q[zero]) <= lam)} meet |q_j| ≤ λ; the smallest |q_j| is {abs(q[zero]).min() / lam:.0f} λ")
print(f"zeros after 10, 100 and 500 rounds: {[int(np.sum(late[k - 1] == 0)) for k in (10, 100, 500)]}")
print(f"z after ten rounds: F(z) − F* ≤ {z_proof.bound:.4g}, {z_proof.bound / best.objective:.1%} of F*")
print(f"the minimiser has {np.sum(best.beta == 0)} zeros, and is proved to a relative gap of {best.certificate.relative:.1e}")
assert best.converged and np.all(best.beta != 0), "the minimiser has none"
assert zero.any() and abs(q[zero]).min() > lam, "not one of z's meets the condition"
assert np.abs(late[9] - post_z).max() <= 1e-6, "triangles or all rows: one loop"
assert 3e-6 < at_post < 4.2e-6 and z_proof.bound > 1e-3 * best.objective

# %% [markdown] tags=["workshop"] id="c05-030"
# <details><summary>Answer: why are there fewer zeros with twice the chunks?</summary>
#
# The number $\lambda/(\alpha\rho KN)$ halves when $K$ doubles, and the $|\beta_j|$ are spread evenly over $[0,1)$. So
# we expect half as many zeros. The counts differ from exactly half by chance. Only our choice of chunks changed,
# neither the problem nor its minimiser.
#
# </details>
#
# **Recap.** As long as $\rho$ is negligible beside a chunk's curvature, the number of zeros depends on $K$, $\rho$,
# $\alpha$, $\lambda$ and the round, and on the data only through the small $|\beta_j|$. The minimiser has no zeros:
# those of $z$ come from stopping early. The post's penalty must have been tiny beside $\lambda_{\max}$.
#
# ## Choose ρ (30 min, core)
#
# The post's $\rho=1$ is far below the curvature of a chunk. What if we take that curvature itself? The Hessian of $f$
# is $H=2X^\top X$, and the mean of its eigenvalues is $\operatorname{tr}H/p$. A chunk has one $K$th of the rows, so we
# take $\rho=\operatorname{tr}H/(pK)$. We also try several $\alpha$: Boyd et al. (2011) suggest 1.5 to 1.8.

# %% tags=["figure", "assert"] id="c05-031"
H = 2 * X_r.T @ X_r
curvature = np.trace(H) / p / n_chunks


def relative_gaps(zs):
    """(F − F*) / F* of z = 0 and of each z. F is quadratic as long as no coefficient has the wrong sign."""
    e = np.vstack([np.zeros(p), zs]) - best.beta
    return np.einsum("ki,ij,kj->k", e, H, e) / 2 / best.objective


alphas = (0.9, 1.0, 1.6, 1.9)
gaps = {f"ρ = tr H/(pK), α = {alpha}": relative_gaps(loop(ten, 10, curvature, alpha, lam)[1]) for alpha in alphas}
gaps["ρ = 1, α = 0.9"] = relative_gaps(late[:10])
print(f"tr H/(pK) = {curvature:,.0f}")
nearest, *_, farthest = sorted(gaps, key=lambda name: gaps[name][-1])
title = f"Ten rounds with {nearest} leave a gap of {gaps[nearest][-1]:.0e} F*,\nwith {farthest} the gap is {gaps[farthest][-1]:.0e} F*"
viz.show(viz.gap_curves(gaps, ylabel="(F − F*) / F*", title=title, step="round"))
post, plain, over = (gaps[f"ρ = tr H/(pK), α = {alpha}"][-1] for alpha in (0.9, 1.0, 1.6))
assert over < 1e-3 * plain < 1e-3 * post, "beyond the answers, not short of them"
assert gaps["ρ = 1, α = 0.9"][-1] > 10 * post

# %% [markdown] id="c05-034"
# Both changes help. But is there a *best* $\rho$? Let all chunks have the same Hessian, let $\alpha=1$, and let $m_k$
# minimise $f_k$. Here $\beta_k$, $z$, $u_k$, $m_k$ stand for components along one eigenvector, with eigenvalue $h$. A
# local update is a weighted mean of what the chunk wants and where it is held:
#
# $$\beta_k=\frac{h\,m_k+\rho\,(z-u_k)}{h+\rho} .$$
#
# From now on let no $z_j$ be zero or change its sign. Then with $\bar u$, the mean of the $u_k$,
#
# $$z^+=\frac\rho{h+\rho}\,z+\text{const},\qquad u_k^+-\bar u=\frac h{h+\rho}\,(u_k-\bar u)+\text{const} .$$
#
# In a round these factors multiply the errors of $z$ and of $u_k-\bar u$. They add up to 1. So a small $\rho$ makes $z$
# fast and the $u_k$ slow, and a large $\rho$ does the opposite.
#
# <details><summary>Where do the two formulas come from?</summary>
#
# Let $s$ be the component of the vector of signs of $z$. In the consensus step the mean of the sums $a_k+u_k$ is $z^+$
# plus what shrinkage takes off, $\lambda s/(\rho K)$. Then $z^+$ is subtracted from each sum. So the mean of the new
# $u_k$ is $\bar u=\lambda s/(\rho K)$. In the next round shrinkage takes off the same amount again. So $z^+$ is the
# mean of the $\beta_k$. Averaging the formula for $\beta_k$ over the chunks gives the first formula.
#
# Now subtract this mean from $\beta_k$: $\beta_k-z^+=\big(h\,(m_k-\bar m)-\rho\,(u_k-\bar u)\big)/(h+\rho)$, where
# $\bar m$ is the mean of the $m_k$. The consensus step adds this difference to $u_k$, and $\bar u$ stays the same. So
# $u_k-\bar u$ is multiplied by $1-\rho/(h+\rho)=h/(h+\rho)$.
#
# </details>

# %% [markdown] id="two-chunk-example"
# A small example: one coefficient, no penalty, $f_1(b)=b^2$ and $f_2(b)=(b-2)^2$. So $h=2$, the optimum is $z=1$, and
# there $\rho u_2=-\nabla f_2(1)=2$. Hence $u_2$ ends at 1 if $\rho=2$, and at 10 if $\rho=0.2$.
#
# | round | $\rho=2$: $z$ | $u_2$ | $\rho=0.2$: $z$ | $u_2$ |
# |---|---|---|---|---|
# | 1 | 0.5 | 0.5 | 0.909 | 0.909 |
# | 2 | 0.75 | 0.75 | 0.992 | 1.736 |
# | 3 | 0.875 | 0.875 | 0.999 | 2.487 |
#
# With $\rho=2$ both errors halve. With $\rho=0.2$ the error of $z$ is divided by 11, but that of $u_2$ is only
# multiplied by $10/11$. Here the slow $u_2$ does no harm, because the $u_k$ cancel in the mean.

# %% [markdown] id="rate-bound"
# The $u_k$ no longer cancel if the chunks have **different Hessians** $H_k$, or the penalty holds a coefficient at
# zero. Then $z$ waits for the $u_k$.
#
# Stack the $K$ vectors $z+u_k$ into one long vector. It holds all that the next round needs. Let $\mu>0$ and $L$ be the
# extreme eigenvalues of all $H_k$. With $\alpha=1$ a round multiplies the vector's distance from its limit by at most
#
# $$\gamma=\max\Big(\frac{\rho}{\mu+\rho},\,\frac{L}{L+\rho}\Big),$$
#
# for any convex penalty (Giselsson & Boyd 2017). This is the largest factor above, over all $h$ in $[\mu,L]$.
#
# For $\mu=1$ and $L=9$, $\rho=1$ gives $\frac12$ and $\frac9{10}$, and $\rho=9$ swaps them.
#
# **Exercise 5.** `best_rho(mu, L)` returns the ρ that makes the larger factor least. How large is that factor then?
#
# <details><summary>Why does the long vector hold all that the next round needs?</summary>
#
# After a round the mean of the $z+u_k$, shrunk by $\lambda/(\rho K)$, is $z$, because the consensus step made it so.
# Subtract $z$, and you have the $u_k$.
#
# </details>
# <details><summary>And if a chunk has fewer rows than columns?</summary>
#
# Then $\mu=0$ and $\gamma=1$, and the bound proves no convergence.
#
# </details>


# %% tags=["exercise"] id="c05-035"
def best_rho(mu, L):
    """The number rho > 0 that makes max(rho/(mu + rho), L/(L + rho)) least, for 0 < mu ≤ L."""
    raise NotImplementedError


# %% tags=["check"] id="c05-036"
best_rho = use(best_rho)
# hint("best_rho")
# solution("best_rho")

# %% [markdown] id="who-slows-z"
# Which of the two factors multiplies the error of $z$ itself? We measure four chunks with two coefficients. Each has
# curvatures 2 and 8, and $\rho$ is a quarter of the best. The cases: one Hessian for all chunks, different Hessians
# (other eigenvectors), and one Hessian with a penalty that holds the second coefficient at zero.
#
# What does $\alpha$ change? A round adds $\alpha(\beta_k-z)$ to part $k$ of the long vector. The bound becomes
# $1-\alpha(1-\gamma)$ (Giselsson & Boyd 2017), least near $\alpha=2$. A fourth run has one Hessian, the best $\rho$ and
# $\alpha=1.6$.
#
# <details><summary>Why this bound?</summary>
#
# The number $\alpha$ scales the step of plain ADMM. So the new vector has weight $\alpha$ on the result of a plain round
# and weight $1-\alpha$ on staying. For $\alpha\le1$ the error is multiplied by at most $\alpha\gamma+(1-\alpha)$. The
# theorem says the same for $\alpha$ up to 2.
#
# </details>
#
# **Predict.** In how many of the three cases does a round multiply the error of $z$ by $\rho/(\mu+\rho)=1/3$? (The
# other factors are nearer to $L/(L+\rho)=8/9$.)

# %% tags=["predict", "assert"] id="who-slows-z-code"
def turned(angle, minimiser):
    """A chunk whose curvatures are 2 and 8, along axes turned by this angle, with this minimiser."""
    X_k = np.diag([1.0, 2.0]) @ [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
    return X_k, X_k @ minimiser


def factor(chunks, rho, alpha, weight):
    """By how much a round multiplies the error of z, and the zeros of the last z."""
    zs = loop(chunks, 400, rho, alpha, weight)[1]
    errors = np.linalg.norm(zs - zs[-1], axis=1)
    return (errors[20] / errors[10]) ** (1 / 10), np.sum(zs[-1] == 0)


as_one_third = predict("cases with a factor of 1/3", None)
minima, rho, found = [(1, 0.5), (3, -0.5), (2, 1.5), (2, -0.5)], best_rho(2, 8), {}
one, other = ([turned(angle, m) for angle, m in zip(angles, minima, strict=True)]
              for angles in ([0.8] * 4, [0.2, 0.6, 1.0, 1.4]))  # fmt: skip
for name, chunks, weight in (("one Hessian", one, 0), ("different Hessians", other, 0), ("one Hessian, z₂ = 0", one, 9)):
    found[name], zeros = factor(chunks, rho / 4, 1.0, weight)
    print(f"{name}: a round multiplies the error of z by {found[name]:.3f}; zeros {zeros}")
as_one_third.measured(sum(np.isclose(value, 1 / 3, rtol=0.02) for value in found.values()))
relaxed, expected = factor(one, rho, 1.6, 0.0)[0], 1 - 1.6 * (1 - rho / (2 + rho))
print(f"one Hessian, best ρ, α = 1.6: {relaxed:.3f}, where 1 − α(1 − γ) = {expected:.3f}")
assert np.allclose([found["one Hessian"], relaxed], [1 / 3, expected], rtol=0.02), "z alone"
assert 0.7 < min(found["different Hessians"], found["one Hessian, z₂ = 0"]), "z waits for u"

# %% [markdown] tags=["workshop"] id="c05-042"
# <details><summary>Answer: only the chunks with one Hessian and without zeros have 1/3. Why do the others wait?</summary>
#
# In the second case the mean of the answers contains $(H_k+\rho I)^{-1}\rho\,(z-u_k)$, with another matrix for each
# $u_k$. So the $u_k$ do not cancel, although their sum is zero.
#
# In the third case look at the second coefficient alone. While it is zero in $z$, every round adds the mean answer to
# $\bar u$, until the pull of $\bar u$ keeps the mean answer at zero. A small $\rho$ makes this slow. The first
# coefficient waits, too, because the Hessian couples the two. How slow it is depends on the angle between the
# eigenvectors of the Hessian and the coordinates. The bound $8/9$ is for the worst case, so a measured factor may be
# smaller.
#
# </details>
# <details><summary>In the figure of "Choose ρ", why could α = 1.9 be the best? Is it always?</summary>
#
# There all curvatures were about $\rho$. So $\gamma\approx\frac12$, and $1-1.9\cdot\frac12=0.05$. But the bound is for
# the worst case. In another run the best $\alpha$ may lie well below 2.
#
# </details>
#
# **Recap.** A small $\rho$ lets the $u_k$ lag behind, a large one lets $z$ lag behind. The larger factor is least at
# $\rho=\sqrt{\mu L}$, where both are $1/(1+\sqrt{\mu/L})$. Relaxation turns $\gamma$ into $1-\alpha(1-\gamma)$.
#
# ## When does ADMM pay? (8 min, core)
#
# In our runs a rival needed fewer passes. For least squares the chunks may as well send $H_k$ and $X_k^\top y_k$ once
# (notebook 02).
#
# Logistic loss has no such summary. There the rival is **proximal Newton** (notebook 07): each chunk sends its loss,
# gradient and Hessian at $\beta$, and the next $\beta$ minimises their quadratic model plus $\lambda\|\beta\|_1$.
#
# ADMM gets two choices of $\rho$, from Hessians at the start: the diagonal of $H/K$, or each chunk's own **matrix**
# $H_k$.
#
# <details><summary>How can ρ be a matrix?</summary>
#
# A diagonal is one ρ for each coefficient, and shrinkage still works coordinate by coordinate. With a matrix the pull
# is $\frac12(b-z+u_k)^\top\rho\,(b-z+u_k)$. If each chunk has another matrix, the consensus step is no shrinkage. It is
# a lasso with the $p\times p$ matrix $\sum_kH_k$, which this process solves. The factors above are those of a number
# $\rho$.
#
# </details>

# %% tags=["assert"] id="c05-043"
rows_b = scale.pick(ci=8_000, workshop=100_000, full=1_000_000)
X_b, y_b, _ = datasets.make_logistic(rows_b, 15, chunks=rows_b // 8, seed=20009)  # columns as in the post's benchmark
X_b, y_b = client.persist([X_b, y_b])
logistic = {}
for name, solver, options in (
    ("ADMM, ρ = diag H/K", "consensus_admm", {}),
    ("ADMM, ρ = H_k", "consensus_admm", {"rho": "matrix"}),
    ("proximal Newton", "proximal_newton", {}),
):
    b = glmlab.Objective("logistic", glmlab.as_chunks(X_b, y_b))
    logistic[name] = run = glmlab.run(solver, b, L1(1.0), start=np.zeros(15), tol=1e-9, **options)
    clock = f"{run.seconds:5.2f} s, {1e3 * run.seconds / run.rounds:4.0f} ms a round"
    print(f"{name:<20} {run.rounds:>3} rounds, {run.passes:5.1f} passes, {clock}; {run.certificate.relative:.0e} certified")
    assert run.converged
newton = logistic.pop("proximal Newton")
assert all(newton.passes < run.passes for run in logistic.values()), "local solves are passes, too"
assert all(abs(newton.objective / run.objective - 1) < 1e-8 for run in logistic.values()), "they agree"

# %% [markdown] id="when-admm-pays"
# Compare passes and rounds. (A local iteration also reads the rows, so it counts.) The clock depends on what else the
# machine does, so fewer seconds here do not prove a better method.
#
# <details><summary>Why can a round of proximal Newton cost more?</summary>
#
# Each chunk sends a Hessian, $p^2$ numbers, and in a round of ADMM only its answer, $p$ numbers. (With $\rho=H_k$ it
# sends the Hessian once, at the start.)
#
# </details>
#
# ADMM may pay (we did not measure it) where
#
# - a round is expensive, and ADMM needs fewer rounds than its rival;
# - local problems have their own solvers or constraints;
# - the pieces are not rows: ADMM splits other sums, too (Boyd et al. 2011, §8.3).
#
# ### The ledger
#
# `post_admm` is the published loop with L-BFGS. Its passes count each reading of the rows. It makes eleven rounds: the
# last only evaluates $F$ at the tenth $z$. We count one task for each chunk and round.
#
# <details><summary>Why are the passes no whole number?</summary>
#
# Chunks need different numbers of L-BFGS steps, and a step reads one chunk only. Passes divided by rounds say how often
# a round reads the rows.
#
# </details>

# %% tags=["assert"] id="c05-045"
f = glmlab.Objective("gaussian", glmlab.as_chunks(X, y))
with viz.Live(lambda state: certify(X_r, y_r, state.beta, **lasso).bound, title=f"The post's loop, F* = {best.objective:,.0f}", step="round") as watch:
    for state in islice(solvers.post_admm(f, L1(lam), np.zeros(p)), 11):  # the eleventh state has the tenth z
        watch(state)
ours = glmlab.run("consensus_admm", glmlab.Objective("gaussian", f.chunks), L1(lam), start=np.zeros(p), tol=1e-9)
assert np.abs(state.beta - post_z).max() <= 1e-3, "L-BFGS or exact solves, one loop"
assert ours.converged and np.all(ours.beta != 0), "certified, and without a zero"
assert np.abs(ours.beta - best.beta).max() <= 1e-4, "two solvers agree"
post_row = {"passes": f.passes, "rounds": f.rounds, "seconds": watch.seconds[-1]}
our_row = {"passes": ours.passes, "rounds": ours.rounds, "seconds": ours.seconds}
for name, row, b, gap in (
    ("05: the post's ADMM, ρ = 1", post_row, state.beta, certify(X_r, y_r, state.beta, **lasso).relative),
    ("05: ADMM, ρ = diag H/K", our_row, ours.beta, ours.certificate.relative),
):
    tasks, error = row["rounds"] * one_round, np.abs(b - beta_true).max()
    ledger.add(name, **row, tasks=tasks, bytes=X.nbytes, error=error, zeros=np.sum(b == 0), gap=gap)
client.close()
assert client.status == "closed"
ledger

# %% [markdown] tags=["optional"] id="c05-028"
# ## Two residuals (8 min, optional)
#
# How would the post's loop know that it is not done? ADMM watches two **residuals** (Boyd et al. 2011, §3.3). The
# *primal* one is the distance of the answers from the new consensus, the *dual* one is how far the consensus moved, times
# $\rho\sqrt K$:
#
# $$\text{primal}=\Big(\sum_k\|\beta_k-z^+\|^2\Big)^{1/2},\qquad\text{dual}=\rho\sqrt K\,\|z^+-z\| .$$
#
# Why these two? At $\beta_k$ the gradient $\nabla f_k(\beta_k)+\rho(\beta_k-z+u_k)$ is zero. With $\alpha=1$ and
# $u_k^+=u_k+\beta_k-z^+$ this says
#
# $$\nabla f_k(\beta_k)+\rho u_k^+=\rho(z-z^+) .$$
#
# And after the consensus step $\rho\sum_ku_k^+=\lambda s$ ($s$: signs of $z^+$). So where both residuals vanish, $z$
# meets the KKT conditions. We run the loop with $\rho=\alpha=1$.

# %% tags=["assert", "optional"] id="c05-029"
Bs, zs = loop(ten, 10, 1.0, 1.0, lam)
for k in (1, 5, 10):
    z_new, z_old = zs[k - 1], (zs[k - 2] if k > 1 else np.zeros(p))
    primal, dual = np.linalg.norm(Bs[k - 1] - z_new), 1.0 * np.sqrt(n_chunks) * np.linalg.norm(z_new - z_old)
    slope = np.linalg.norm(2 * X_r.T @ (X_r @ z_new - y_r))
    print(f"round {k:>2}: primal residual {primal:.2g} ({primal / np.sqrt(n_chunks):.2g} for each chunk),", end=" ")
    print(f"dual residual {dual:.2g}, where ‖∇f(z)‖ = {slope:.2g}")
print(f"at the minimiser, which has no zeros, ‖∇f‖ = λ√p = {lam * np.sqrt(p):.0f}")
assert dual < 1e-3 * slope, "a small dual residual, far from optimal"

# %% [markdown] tags=["optional"] id="c05-032"
# The primal residual still shows that the chunks do not agree. The dual residual has the unit of a gradient, but
# after ten rounds it is tiny beside the gradient of $f$ at $z$ and at the minimiser, because $\rho=1$ is tiny beside a
# curvature.
#
# <details><summary>Check yourself: can one tolerance serve both residuals?</summary>
#
# No. The primal residual has the unit of a coefficient, the dual one that of a gradient, which is loss per coefficient.
# A number that is small for one says nothing about the other.
#
# </details>
#
# **Recap.** Where both residuals vanish, $z$ is optimal. A small dual residual proves nothing where $\rho$ is small.
#
# ## See ρ at work (8 min, optional)
#
# Eight chunks have twelve rows each, and two coefficients. The second coefficient of the minimiser is zero. Move the
# sliders, or use their arrow keys.
#
# **Predict.** After thirty rounds, with which $\rho$ do the answers differ most from $z$, and with which is $z$
# farthest from the optimum?
#
# <details><summary>Answer</summary>
#
# With the smallest $\rho$ the answers differ most, because each chunk follows its own rows and the $u_k$ need many
# rounds to change that. In the first rounds $z$ also stays at zero, because the threshold $\lambda/(\rho K)$ is twenty
# times that of the middle $\rho$. With the largest $\rho$ all answers lie near $z$, inside its square, and $z$ is
# farthest from the optimum, because it moves slowly.
#
# </details>

# %% tags=["figure", "assert", "optional"] id="c05-033"
rng = np.random.default_rng(9)
few_X = rng.normal(size=(8, 12, 2)) @ [[1.0, 0.6], [0.0, 0.8]]
few_y = few_X @ [1.0, 0.1] + rng.normal(size=(8, 12))
toy, toy_lam = list(zip(few_X, few_y, strict=True)), 45.0
toy_best = glmlab.fit(few_X.reshape(-1, 2), few_y.ravel(), family="gaussian", penalty=L1(toy_lam), tol=1e-12).beta
middle = np.trace(2 * np.einsum("kni,knj->ij", few_X, few_X)) / 2 / 8
small, chosen, large = "ρ = tr H/(20pK)", "ρ = tr H/(pK)", "ρ = 20 tr H/(pK)"
choices = {small: middle / 20, chosen: middle, large: 20 * middle}
runs = {name: loop(toy, 30, rho, 1.0, toy_lam) for name, rho in choices.items()}
viz.show(viz.votes(runs, toy_best, axes=("β₁", "β₂"), start=30))
ends = {name: np.linalg.norm(zs[-1] - toy_best) for name, (_, zs) in runs.items()}
assert toy_best[1] == 0 and ends[chosen] < 0.01 * min(ends[small], ends[large])

# %% [markdown] tags=["optional"] id="map-of-rounds"
# The next figure is a map. The course's columns are independent, so $\mu\approx L$, and $\rho$ is easy to choose. We *tilt* them:
# $XT$, with a matrix $T$ such that columns $j$ and $k$ correlate by $0.6^{|j-k|}$, and $\lambda=\lambda_{\max}/100$.
# For 13 values of $\rho$ and 8 of $\alpha$ (the dots) we count rounds until $\|z-\beta^*\|$ is a millionth of
# $\|\beta^*\|$. At $\alpha=1$ we also measure the rate. The chunks are nearly alike, so we take $\mu$ and $L$ from
# $H/K$. The slider walks through the rows of the map.

# %% tags=["figure", "assert", "optional"] id="c05-038"
T = np.linalg.cholesky(0.6 ** abs(np.subtract.outer(range(p), range(p)))).T
tilted, X_tilt = [(X_k @ T, y_k) for X_k, y_k in ten], X_r @ T
tilt_lam = abs(2 * X_tilt.T @ y_r).max() / 100
tilt_best = glmlab.fit(X_tilt, y_r, family="gaussian", penalty=L1(tilt_lam), tol=1e-12).beta
mu, *_, L = np.linalg.eigvalsh(2 * X_tilt.T @ X_tilt / n_chunks)
rhos, cap = best_rho(mu, L) * np.geomspace(1 / 20, 20, 13), 200
alphas, rates = np.array([0.7, 0.9, 1.0, 1.2, 1.4, 1.6, 1.8, 1.9]), np.zeros(13)
rounds = np.full((8, 13), cap)
for (a, r), _ in np.ndenumerate(rounds):
    errors = np.linalg.norm(loop(tilted, cap, rhos[r], alphas[a], tilt_lam)[1] - tilt_best, axis=1)
    end = np.append(np.flatnonzero(errors <= 1e-6 * np.linalg.norm(tilt_best)), cap - 1)[0]
    rounds[a, r] = end + 1
    if alphas[a] == 1:
        rates[r] = (errors[end] / errors[end // 2]) ** (1 / (end - end // 2))
viz.show(viz.rounds_map(rhos, alphas, rounds, cap=cap, best=best_rho(mu, L)))
theory = np.maximum(rhos / (mu + rhos), L / (L + rhos))
print("rate at α = 1, measured ÷ theory:", np.round(rates / theory, 2))
aside = abs(np.log(rhos / best_rho(mu, L))) > np.log(2)
assert np.all(abs(rates / theory - 1)[aside] < 0.05) and np.all(rates <= 1.05 * theory), "the bound is nearly reached"
assert rhos[rounds[2].argmin()] < 2 * best_rho(mu, L)
assert rounds[alphas > 1].min() < 0.7 * rounds[2].min() < 0.7 * rounds[1].min(), "over-relaxation saves rounds"

# %% [markdown] tags=["optional"] id="map-recap"
# The bound is for the worst case. Where $\rho$ is more than twice or less than half the best, the measured rates agree
# with it to within 5%. Nearer to the best a run may do better. So the pair with the fewest rounds may have a $\rho$
# that differs from $\sqrt{\mu L}$. Its $\alpha$ may be well below 2, although the bound is least near 2.
#
# **Recap.** Measured rates stay near or below $\gamma=\max(\rho/(\mu+\rho),L/(L+\rho))$. The map is lowest near
# $\rho=\sqrt{\mu L}$, and an $\alpha$ above 1 saves rounds.

# %% [markdown] id="c05-046"
# ## What we measured · Check yourself · Next
# - After $N$ rounds the zeros of the post's loop are the coefficients with $|\beta_j|\le\lambda/(\alpha\rho KN)$,
#   because its $\rho$ is negligible beside the curvature of a chunk. The minimiser has none.
# - $\rho$ is a curvature. Over-relaxation saves rounds.
# - On a logistic problem proximal Newton needed fewer passes than ADMM. The lines printed there also show the rounds.
# - More work in each round need not mean fewer rounds. If you ran 03, compare the post's ADMM in the ledger with 03's
#   loop, which solves nearly the same problem.
#
# <details><summary>λ, ρ and K all double, and ρ is still negligible: what becomes of the zeros?</summary>
#
# $\lambda/(\rho K)$ halves, so about half as many are left.
#
# </details>
# <details><summary>We write y in minutes instead of hours. How must λ and ρ change?</summary>
#
# $f$ is multiplied by $60^2$ and $\beta$ by 60, so λ must be multiplied by 60. ρ, a curvature, stays.
#
# </details>
# <details><summary>Two chunks hold the same rows: how do their u differ in the end?</summary>
#
# Not at all: $\rho u_k=-\nabla f_k(z)$.
#
# </details>
# <details><summary>All curvatures equal ρ: what does a round with α = 1.9 do to the error?</summary>
#
# $\gamma=\frac12$, so it multiplies the error by at most $1-1.9\cdot\frac12=0.05$.
#
# </details>
#
# **Next.** [06 certificates](06_certificates.ipynb): how do we *know* that an answer is right?
