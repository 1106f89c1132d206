# %% [markdown] tags=["optional"] id="more-certificates"
# # Doubt a small number: bounds by curvature, a unit for gaps, rules that stop a run
#
# *You compare every bound with the true gap, and find out when a gap is small enough to stop.*
#
# **61 minutes** with the exercises, all *optional*. Prerequisites: [06 certificates](06_certificates.ipynb), and for
# *Small, compared with what?* [07 families and penalties](07_families_and_penalties.ipynb). Symbols:
# [glossary](00_start_here.ipynb#Notation-and-glossary).
#
# Afterwards you can
#
# - bound the gap by the curvature of the chunks;
# - say which bound is loose where;
# - certify answers with an intercept or a ridge;
# - compute the unit in which a gap is small;
# - choose a stopping rule that short steps cannot fool.
#
# Run the first section, then any other. Only *All bounds* needs *Curvature*.

# %% tags=["setup", "optional"] id="imports"
import inspect
import warnings

import dask
import distributed
import numpy as np
import statsmodels.api as sm
from sklearn.linear_model import Lasso
from threadpoolctl import threadpool_limits

import glmlab
from glmlab import L1, Ridge, certify, datasets, viz
from glmlab.machine import cluster
from glmlab.maths import certificates
from glmlab.maths.conventions import from_lam
from glmlab.maths.penalties import shrinkage
from glmlab.maths.quadratic import minimise_model
from glmlab.teaching import hint, predict, scale, solution, triangles, use
from glmlab.teaching.exercises06 import kkt, scaled_gap
from glmlab.teaching.exercises06_corrected import corrected

one_thread = threadpool_limits(1)  # matrices are small here: BLAS threads would only wait

# %% [markdown] tags=["optional"] id="from-06"
# ## What 06 left us (3 min, optional)
#
# The problem is 06's lasso: $F(\beta)=f(\beta)+\lambda\|\beta\|_1$ with $f(\beta)=\|y-X\beta\|^2$, $q=\nabla f(\beta)$
# and $\lambda=7.2$. The *triangle* $X_r$, $y_r$ has $p+1$ rows that stand for all rows. `kkt`, `scaled_gap` and
# `corrected` are our solutions of 06's exercises: $\operatorname{dist}(0,\partial F)$, the scaled duality gap, and
# residual-corrected duality. Residual-corrected duality moves the slopes of a sample $S$ of the rows by $2t_i$, with
# $t=X_Sd$. Then $w=-(q+H_Sd)$ must have $|w_j|\le\lambda$. `model_step` finds the best $d$.
#
# We also draw a hundredth of the rows, and make a harder problem: a matrix $T$ **tilts** the columns to $XT$, so that
# columns $j$ and $k$ correlate by $0.9^{|j-k|}$.

# %% tags=["parameters", "setup", "optional"] id="rows-of-06"
n = scale.pick(ci=20_000, workshop=400_000, full=1_000_000)
p, n_chunks, lam = 100, 10, 7.2
client = cluster.client()
X, y, beta_true = datasets.course(n, p=p, chunks=n // n_chunks)
X, y = client.persist([X, y])
distributed.wait([X, y])
print(cluster.dashboard_link(client) or "This client has no dashboard.")

chunk_rows = triangles.of_chunks(X, y)
X_r, y_r = triangles.stacked(chunk_rows)
X_tenth, X_hundredth = (triangles.of_samples(X, y, share)[0] for share in (0.1, 0.01))
T = np.linalg.cholesky(0.9 ** abs(np.subtract.outer(range(p), range(p)))).T
X_tilt = X_r @ T


# %% tags=["setup", "optional"] id="functions-of-06"
def slope(beta, X=X_r):
    """q = ∇f(beta)."""
    return 2 * X.T @ (X @ beta - y_r)


def model_step(q, beta, lam, X_S):
    """argmin_d qᵀd + ½dᵀHd + λ‖beta + d‖₁ with H = 2X_SᵀX_S: a lasso with p × p numbers."""
    return minimise_model(L1(lam), beta, q, 2 * X_S.T @ X_S).point - beta


def F(beta, lam, X=X_r):
    X, beta, b = (np.asarray(a, dtype=np.longdouble) for a in (X, beta, y_r))
    return np.sum((b - X @ beta) ** 2) + lam * abs(beta).sum()


def optimum(lam, X=X_r):
    return model_step(slope(zero, X), zero, lam, X)


zero, trial = np.zeros(p), np.random.default_rng(1).standard_normal(p)
F0, lam_max, best = y_r @ y_r, abs(slope(zero)).max(), optimum(lam)  # F0 = F(0) = ‖y‖²
print(f"λ / λ_max = {lam / lam_max:.1e}")

# %% [markdown] tags=["optional"] id="c06-027"
# ## Curvature (14 min, optional)
#
# Can $\operatorname{dist}(0,\partial F)$ become a bound? Yes, if $F$ curves enough. Let $H=2X^\top X$ be the Hessian of
# $f$, with eigenvalues $h_1\le\dots\le h_p$. In this section $\mu$ is any positive number that does not exceed $h_1$.
# Then for $\xi\in\partial F(\beta)$ and any $b$
#
# $$F(b)\ge F(\beta)+\xi^\top(b-\beta)+\tfrac\mu2\|b-\beta\|^2 .$$
#
# The right side is least at $b=\beta-\xi/\mu$. With the shortest $\xi$ this gives notebook 03's certificate with
# $\partial F$ in the place of $\nabla F$:
#
# $$F(\beta)-F^*\le\frac{\operatorname{dist}(0,\partial F(\beta))^2}{2\mu} .$$
#
# It is a proof only if $\mu$ is proved.

# %% [markdown] tags=["optional"] id="mu-example"
# *A small example.* The Hessian is a sum over chunks, $H=\sum_kH_k$ with $H_k=2X_k^\top X_k$. Let two chunks have
# $H_1=\operatorname{diag}(2,6)$ and $H_2=\operatorname{diag}(8,3)$. Then $H=\operatorname{diag}(10,9)$ and $h_1=9$. The
# first chunk alone knows that $b^\top H_1b\ge2\|b\|^2$ for every $b$, the second that $b^\top H_2b\ge3\|b\|^2$. What do
# they know together of $b^\top Hb$?
#
# **Exercise 1.** `mu_lower(blocks)`: a lower bound of $h_1$ from a list of the $X_k$. (It is 0 if each chunk has fewer
# rows than columns.)

# %% tags=["exercise", "optional"] id="c06-028"
def mu_lower(blocks):
    """A lower bound of the smallest eigenvalue of H = 2 Σ X_kᵀX_k, one number. blocks: list of the X_k (n_k, p)."""
    raise NotImplementedError

# %% tags=["check", "optional"] id="c06-029"
mu_lower = use(mu_lower)
# hint("mu_lower")
# solution("mu_lower")

# %% [markdown] tags=["optional"] id="c06-030"
# How loose is the bound? We take $\beta=\beta^*+e$, once with $e$ in the flattest direction of $H$ and once with a
# random $e$. Here $\beta^*$ has no zeros, and $e$ is so small that no sign changes. Then $\operatorname{dist}=\|He\|$
# and the gap is $\frac12e^\top He$. So the bound is $\|He\|^2/(\mu\,e^\top He)$ times the gap. If $e_j$ are the
# components of $e$ along the eigenvectors, this factor is the mean of the $h_j/\mu$ with the weights $h_je_j^2$. So it
# lies between $h_1/\mu$ and $h_p/\mu$, which are far apart in the tilted problem only.

# %% tags=["assert", "optional"] id="c06-031"
mus = {}
for name, tilt in (("course", np.eye(p)), ("tilted", T)):
    A = X_r @ tilt
    values, vectors = np.linalg.eigh(2 * A.T @ A)
    mu = mus[name] = mu_lower([X_k @ tilt for X_k, _ in chunk_rows])
    assert 0 < mu <= values[0] * (1 + 1e-9)
    print(f"{name}: h₁ = {values[0]:.4g}, proved {mu:.4g}; so bound ÷ gap from {values[0] / mu:.1f} to {values[-1] / mu:.1f}")
    beta_star = optimum(lam, A)
    for where, move in (("in the flattest direction", vectors[:, 0]), ("at random", trial)):
        beta = beta_star + 1e-6 * move
        assert np.all(beta * beta_star > 0), "β* has no zero, and no sign changes"
        gap = float(F(beta, lam, A) - F(beta_star, lam, A))
        ratio = kkt(slope(beta, A), beta, lam) ** 2 / (2 * mu) / gap
        print(f"   {where}: dist² / 2μ is {ratio:.1f} times the gap")
        assert 0.99 * values[0] / mu <= ratio <= 1.01 * values[-1] / mu

# %% [markdown] tags=["optional"] id="c06-032"
# <details><summary>Answer: what do the two chunks know together?</summary>
#
# Add the inequalities: $b^\top Hb\ge5\|b\|^2$. So 5 is a lower bound of $h_1=9$.
#
# </details>
#
# Gradient descent with the step $1/L$ leaves its error in the flattest direction (notebook 03). There this bound looks
# sharp. An error at random shows how loose it is on the tilted rows: compare the last two lines.
#
# <details><summary>Check yourself: may μ be estimated from a sample of the rows?</summary>
#
# It may, if we do not scale it up. Let $H_S$ be the Hessian of the sampled rows. The other rows only add curvature, so
# the smallest eigenvalue of $H_S$ never exceeds $h_1$, and it is a proved μ. But with a share $\varphi$ of the rows it
# is only about $\varphi h_1$, so the bound is about $1/\varphi$ times as large. Divided by $\varphi$ it is an estimate
# and no proof: by chance the sample may hold more than its share of the curvature.
#
# For other losses than the square the curvature depends on β, and often there is no positive μ at all.
#
# </details>
#
# **Recap.** $\operatorname{dist}^2/2\mu$ is a proof if $\mu$ is proved, for example by the chunks' smallest
# eigenvalues. Where curvatures differ, the bound is loose.

# %% [markdown] tags=["optional"] id="c06-042"
# ## All bounds against the true gap (6 min, optional)
#
# Now take the tilted rows, many $\lambda$ up to nearly $\lambda_{\max}$, and for each a $\beta$ near $\beta^*$, with a
# gap of about $10^{-9}F(0)$. There are five bounds: the scaled gap, $\operatorname{dist}^2/2\mu$, and the corrected
# bound with a hundredth, a tenth and all of the rows.
#
# **Predict.** Divide each bound by the gap. How many of the five vary by more than a factor of ten over these
# $\lambda$? Then move the slider to read them at one $\lambda$. The cell after the figure prints how far each bound
# ranges, and searches for a bound below its gap.

# %% tags=["optional"] id="every-bound"
def near(beta_star, X, gap, rng):
    """β* with random relative errors that leave it about this gap."""
    move = beta_star * rng.standard_normal(p)
    return beta_star + move * np.sqrt(gap) / np.linalg.norm(X @ move)


samples = {"1 % of the rows": X_hundredth, "10 % of the rows": X_tenth, "all rows": X_r}


def all_bounds(beta, lam, mu, tilt):
    """Every bound at beta, for the rows times the matrix `tilt`."""
    q = slope(beta, X_r @ tilt)
    found = {"scaled gap": scaled_gap(X_r @ tilt, y_r, beta, lam), "dist² / 2μ": kkt(q, beta, lam) ** 2 / (2 * mu)}
    for share, rows in samples.items():
        X_S = rows @ tilt
        found[f"corrected, {share}"] = corrected(q, beta, lam, X_S, model_step(q, beta, lam, X_S))
    return found


# %% tags=["predict", "figure", "optional"] id="c06-043"
varying = predict("how many of five bounds vary by more than a factor of ten", None)
ratios, rng = np.geomspace(1e-6, 0.9, 25), np.random.default_rng(3)
tilted_max = abs(slope(zero, X_tilt)).max()
gaps, bounds = [], []
for weight in ratios * tilted_max:
    beta_star = optimum(weight, X_tilt)
    beta = near(beta_star, X_tilt, 1e-9 * F0, rng)
    gaps.append(float(F(beta, weight, X_tilt) - F(beta_star, weight, X_tilt)) / F0)
    bounds.append(all_bounds(beta, weight, mus["tilted"], T))
series = {name: [found[name] / F0 for found in bounds] for name in bounds[0]}
viz.show(viz.bounds_by_lam(ratios, gaps, series, start=lam / lam_max))

# %% tags=["assert", "optional"] id="c06-045"
ratio_of = {name: np.array(values) / gaps for name, values in series.items()}
for name, ratio in ratio_of.items():
    print(f"{name}: from {ratio.min():.3g} to {ratio.max():.3g} times the gap")
varying.measured(sum(ratio.max() > 10 * ratio.min() for ratio in ratio_of.values()))
assert all(np.all(ratio >= 1 - 1e-6) for ratio in ratio_of.values()), "no bound below the true gap"
assert np.all(ratio_of["corrected, all rows"] <= 1.05), "and the last one is the gap, at every λ"
tried = 0
for name, tilt in (("course", np.eye(p)), ("tilted", T)):
    for weight in (1e-4 * lam_max, 1e-2 * lam_max, 0.3 * lam_max):
        beta_star = optimum(weight, X_r @ tilt)
        for beta in (zero, beta_true, 10 * trial, beta_star + 0.1 * trial, beta_star * (1 + 1e-4 * trial)):
            gap = float(F(beta, weight, X_r @ tilt) - F(beta_star, weight, X_r @ tilt))
            found = all_bounds(beta, weight, mus[name], tilt).values()
            assert all(bound >= gap * (1 - 1e-6) for bound in found)
            tried += len(found)
print(f"{tried + len(ratios) * len(series)} bounds tried, none below its gap by more than a millionth of it")

# %% [markdown] tags=["optional"] id="c06-044"
# <details><summary>Answer: which bounds depend on λ?</summary>
#
# The scaled gap depends most on $\lambda$, and the corrected bounds hardly do. $\operatorname{dist}^2/2\mu$ is less
# loose at a large $\lambda$, where it depends on the few $\beta_j\ne0$ only.
#
# </details>
#
# | bound | is a proof | is loose |
# |---|---|---|
# | $\operatorname{dist}(0,\partial F)$ | no: it is a slope | – |
# | scaled gap | yes; a free intercept needs $\sum_i\theta_i=0$ | where $\lambda\ll\lambda_{\max}$, and near $\beta^*$ |
# | $\operatorname{dist}^2/2\mu$ | yes, with a proved $\mu$ | where curvatures differ |
# | corrected, share $\varphi$ | yes | by $1/\varphi$; more where $S$ has few rows |
# | corrected, all rows | yes | never, for least squares |
#
# <details><summary>Why does a free intercept ask for more?</summary>
#
# Its column of ones has no penalty, so $\theta$ is feasible only if $\sum_i\theta_i=0$. If the intercept is optimal,
# this holds, also after scaling. If it is not optimal, scaling cannot repair the sum.
#
# </details>
#
# **Recap.** Apart from rounding, no bound was below its gap.

# %% [markdown] tags=["optional"] id="c06-046"
# ## What the package adds (6 min, optional)
#
# `certify` calls `certificates.corrected`. The next cell prints the two lines of it that are 06's exercise 3. In our
# letters `G` is $q$ (not 02's $G$), `H` is $H_S$, `cost.price` is $\sum t_i^2$, and `l1` is $\lambda$. `l2`, the weight
# of a ridge, is new. `s` is $w$, cut at $\pm\lambda$. Your function accepts a $|w_j|$ that exceeds $\lambda$ by a part
# in $10^9$; the first line sets it to $\lambda$.
#
# The rest of that function is for intercepts, other losses and rounding. Other losses have other prices, which `cost`
# holds (notebook 07). Against rounding it moves $d$ until $w$ is certainly feasible, and adds to the bound what this
# may cost.

# %% tags=["solution", "optional"] id="c06-047"
source = inspect.getsource(certificates.corrected)
print(source[source.index("    s = ") : source.index("    # What rounding adds")])

# %% [markdown] tags=["optional"] id="c06-049"
# > *Systems note.* For a $\beta$ from elsewhere, `certify` reads all rows once for $q$, and the rows of $S$ for $H_S$.
# > A solver of the package knows $q$ at its last $\beta$, so its certificate reads $S$ only. $S$ is all rows while $X$
# > is small, and a share of them when it is large (`glmlab.policy` says from which size on).
#
# **Recap.** The package computes 06's exercise 3 with an allowance for rounding, also for other losses and penalties.
# It needs about one pass.

# %% [markdown] tags=["optional"] id="more-judged"
# ## More answers (6 min, optional)
#
# - *A penalised intercept.* If we add the column of ones ourselves, `Lasso` penalises it.
# - *Statsmodels' ridge.* `OLS` minimises our objective. `GLM` with the Gaussian family estimates the scale of its
#   log-likelihood from the residuals, as $\sigma^2=\|y-X\beta\|^2/n$. With this $\sigma^2$, minus the log-likelihood
#   divided by $n$ is $\frac12\log\|y-X\beta\|^2$ plus a constant. So it minimises this logarithm plus the penalty.
#
# **Predict.** How many of these four answers have a relative gap below $10^{-6}$: the penalised intercept, the free
# intercept, `OLS`, `GLM`?
#
# *The post's own library* is judged only if you have installed it (`pip install dask-glm`). If its gap falls towards
# zero with more iterations, it minimises our $F$, only slowly.

# %% tags=["predict", "assert", "optional"] id="c06-056"
small_gaps = predict("how many of four relative gaps are below 1e-6", None)
m, proofs, theirs_at = 4_000, {}, {}  # the first rows, tilted
X_m, y_m = dask.compute(X[:m], y[:m])
X_m = X_m @ T
lam_m = abs(2 * X_m.T @ y_m).max() / 100
alpha, theirs = from_lam(lam_m, m, "Lasso"), from_lam(lam_m, m, "statsmodels", "gaussian")
shifted = y_m + 5
ones = Lasso(alpha, fit_intercept=False, tol=1e-12).fit(np.column_stack([X_m, np.ones(m)]), shifted).coef_
free = Lasso(alpha, tol=1e-12).fit(X_m, shifted)
for name, b, intercept in (("penalised", ones[:-1], ones[-1]), ("free", free.coef_, free.intercept_)):
    proof = certify(X_m, shifted, b, intercept=intercept, family="gaussian", penalty=L1(lam_m))
    proofs[f"{name} intercept"] = proof
    print(f"{name} intercept {intercept:.4f}: {proof}")
for name, model in (("OLS", sm.OLS(y_m, X_m)), ("GLM", sm.GLM(y_m, X_m))):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the GLM says that it may have failed
        b = np.asarray(model.fit_regularized(alpha=theirs, L1_wt=0.0).params)
    proofs[f"{name} ridge"] = certify(X_m, y_m, b, family="gaussian", penalty=Ridge(lam_m))
    theirs_at[name] = np.log(np.sum((y_m - X_m @ b) ** 2)) / 2 + theirs * b @ b / 2
    print(f"statsmodels' {name} ridge: {proofs[f'{name} ridge']}; what the GLM minimises is {theirs_at[name]:.5f}")
small_gaps.measured(sum(proof.relative < 1e-6 for proof in proofs.values()))
assert max(proofs[name].relative for name in ("free intercept", "OLS ridge")) <= 1e-9
assert min(proofs[name].relative for name in ("penalised intercept", "GLM ridge")) > 1e-6
assert theirs_at["GLM"] < theirs_at["OLS"], "by its own measure the GLM's answer is the better one"

# %% tags=["optional"] id="c06-058"
try:
    from dask_glm.algorithms import proximal_grad
    from dask_glm.families import Normal
except ImportError:
    print("dask-glm is not installed here: nothing to certify.")
else:
    for count in (100, 1000):  # by default it rescales the columns first, which changes the penalty
        b = proximal_grad(X_m, y_m, regularizer="l1", lamduh=lam_m, family=Normal, normalize=False, max_iter=count, tol=0)
        print(f"dask-glm, {count} iterations:", certify(X_m, y_m, np.asarray(b), family="gaussian", penalty=L1(lam_m)))

# %% [markdown] tags=["optional"] id="more-judged-recap"
# <details><summary>Answer: which of the four have a small gap, and why?</summary>
#
# The free intercept and `OLS`: both minimise our $F$. A penalised intercept is pulled towards zero, so the other
# coefficients change, too. The gradient of $\frac12\log\|y-X\beta\|^2$ is that of $\frac12\|y-X\beta\|^2$ divided by
# $\|y-X\beta\|^2$, and not by $n$. So the `GLM` weighs the penalty in another way.
#
# </details>
#
# By its own measure the GLM's answer is better than that of `OLS`, and by ours it is worse.
#
# **Recap.** A penalised intercept and the GLM ridge solve other problems, and the certificate shows it.

# %% [markdown] tags=["optional"] id="small-compared-with-what"
# ## Small, compared with what? (14 min, optional)
#
# A bound of 0.01 is small if $F$ is a million, and large if $F$ is 1. So a stopping rule needs a unit. The larger of
# $|F(\beta)|$ and $|F(0)|$ looks natural. What does it do to a small table?
#
# Two groups of the same number of persons have 20 and 40 cases. The number of cases is Poisson, so the loss of a row is
# $e^\eta-y\eta$, with $\eta=\log(\text{persons})+b_0+b_1\cdot\text{group}$. (The known term is called an **offset**.)
# The second rate is twice the first, so the optimum is $b_1=\log2\approx0.693$.
#
# We certify a wrong slope, $b_1=0.52$, for several numbers of persons. **Predict** the bound with $10^8$ persons,
# divided by that with 100.

# %% id="unit-of-exposure" tags=["predict", "assert", "optional"]
bound_ratio, bounds_c = predict("bound with 10⁸ persons ÷ bound with 100", None), []
group, cases, slopes, units = np.array([[0.0], [1.0]]), np.array([20.0, 40.0]), [], {}
for persons in (100, 1e4, 1e8):
    table = {"family": "poisson", "offset": np.full(2, np.log(persons))}
    at_zero = np.sum(persons - cases * np.log(persons))  # F(0)
    level = np.log(60 / (1 + np.exp(0.52)) / persons)  # the best b₀ for b₁ = 0.52
    wrong = certify(group, cases, [0.52], intercept=level, **table)
    units[persons] = wrong.bound / max(abs(wrong.objective), abs(at_zero)), wrong.relative
    bounds_c.append(wrong.bound)
    slopes.append(glmlab.fit(group, cases, fit_intercept=True, **table).beta[0])
    print(f"{persons:>11,.0f} persons: bound {wrong.bound:.3f}, {units[persons][0]:.0e} of max(|F(β)|, |F(0)|); fitted slope {slopes[-1]:.6f}")
bound_ratio.measured(bounds_c[-1] / bounds_c[0])
assert np.allclose(slopes, np.log(2), rtol=1e-9), "no number of persons changes the answer"
assert units[1e8][0] < 1e-8 < 0.1 < units[1e8][1], "of |F(0)| the wrong slope is off by nothing"

# %% [markdown] tags=["optional"] id="what-is-left-to-explain"
# <details><summary>Answer: does the bound change?</summary>
#
# Hardly, because $b_0$ absorbs the number of persons.
#
# </details>
#
# But $F(0)$ grows with the number of persons. So a rule that compares with the larger of $|F(\beta)|$ and $|F(0)|$
# accepts this slope as the optimum as soon as there are enough persons.
#
# A better unit says how much there is to explain. No model can make the loss of row $i$ smaller than
# $\min_\eta\ell(\eta;y_i)$. Subtract the sum of these minima:
#
# $$P(\beta)=F(\beta)-\sum_i\min_\eta\ell(\eta;y_i)\ge0 .$$
#
# This is what $\beta$ leaves unexplained. For Poisson and logistic losses it is half of what statisticians call the
# *deviance*, plus the penalty. For least squares the minima are 0, so $P=F$.

# %% [markdown] tags=["optional"] id="the-unit-s"
# If a model fits every row exactly, as two coefficients fit two groups, then $P(\beta^*)=0$. So the gap divided by $P$
# is 1 at every other $\beta$. However near $\beta$ comes, the ratio stays 1, and no run could stop. So the unit needs a
# floor. The *null model* has offsets and an intercept but no columns, and we take a thousandth of its $P$. The
# thousandth is our choice:
#
# $$U(\beta)=\max\big(P(\beta),\ P(\text{null model})/1000\big).$$
#
# The relative gap is the proved gap, without the allowance for rounding, divided by $U(\beta)$. Without a penalty it
# stays the same in another unit of a column, or if every row comes twice.
#
# <details><summary>What else does not change it?</summary>
#
# For least squares, another unit of $y$. If there is a free intercept, a constant added to all offsets. With a penalty,
# its weights must change with the units.
#
# </details>

# %% [markdown] tags=["optional"] id="unit-example"
# *A small example.* Let a Poisson row have $\eta=0$, so its loss is $e^0-0=1$. If $y=1$, the least loss is at
# $\eta=\log1=0$, too, and the row leaves nothing. If $y=0$, the loss $e^\eta$ comes as near to 0 as one likes. So its
# least loss counts as 0, and the row leaves 1. Together the two rows leave $P=0+1=1$.
#
# Their null model has the mean $\frac12$, so $\eta=\log\frac12$ in both rows. It leaves $0.193$ of the row with $y=1$
# and $0.5$ of the other, so its $P$ is $0.693$. Hence $U=\max(1,\ 0.000693)=1$.
#
# **Exercise 2.** `gap_unit(y, eta, null)`: $U$ of a Poisson model without a penalty.

# %% tags=["exercise", "optional"] id="gap-unit"
def gap_unit(y, eta, null):
    """U, one number, of a Poisson model without penalty. Counts y, its η and the null model's η: arrays (n,)."""
    raise NotImplementedError

# %% tags=["check", "optional"] id="gap-unit-check"
gap_unit = use(gap_unit)
# hint("gap_unit")
# solution("gap_unit")

# %% tags=["assert", "optional"] id="unit-of-the-table"
print("slope 0.52:", ", ".join(f"{share:.2f} of U with {count:,.0f} persons" for count, (_, share) in units.items()))
null = np.full(2, np.log(30))  # η of the null model: 30 cases in each group
print(f"the floor, with P = 0: U = {gap_unit(cases, np.log(cases), null):.2g}")
for b1 in (0.52, 0.69):  # with the last number of persons
    level = np.log(60 / (1 + np.exp(b1)) / persons)
    wrong = certify(group, cases, [b1], intercept=level, **table)
    U, proved_gap = gap_unit(cases, np.log(persons) + level + b1 * group[:, 0], null), wrong.bound - wrong.rounding
    print(f"slope {b1}: a proved gap of {proved_gap:.2g}, U = {U:.2g}; the gap is {proved_gap / U:.2g} of it")
    assert np.isclose(wrong.relative, proved_gap / U, rtol=1e-3), "the package's relative gap"

# %% [markdown] tags=["optional"] id="gap-in-standard-errors"
# With the slope 0.69 the floor is at work: the gap is all of $P$, but a small part of $U$.
#
# What does a gap $\delta$ say about the error $e=\beta-\beta^*$? Near the optimum
# $F(\beta)-F^*\approx\frac12e^\top He$. With an L1 penalty the left side may be larger. So $\sqrt{e^\top He}$, the
# length of $e$ *in the norm of $H$*, is at most about $\sqrt{2\delta}$, and
# $|e_j|\le\sqrt{(H^{-1})_{jj}}\sqrt{e^\top He}$ (06). Without a penalty the standard error of $\beta_j$ is
# $\sqrt{(H^{-1})_{jj}}$ for Poisson and logistic losses. So **every coefficient is within about $\sqrt{2\delta}$
# standard errors of its optimum.**
#
# <details><summary>How does the ≈ become a proved inequality?</summary>
#
# The four losses of notebook 07, as functions of $\eta$, have $|\ell'''|\le\ell''$: for the Gaussian $\ell'''=0$, for
# Poisson and Gamma $|\ell'''|=\ell''$, and for logistic loss of mean $m$ the ratio is $|1-2m|$. So $H$ changes little
# over a short distance (`glmlab.maths.certificates` has the rest).
#
# </details>
#
# The sentence in bold type can be proved, with a slightly larger number if the gap is small. A result prints that
# number.

# %% id="proved-standard-errors" tags=["assert", "optional"]
rng = np.random.default_rng(0)
X_c = rng.normal(size=(5_000, 3))
y_c = rng.poisson(np.exp(X_c @ [0.3, -0.2, 0.1]))
exact_c = glmlab.fit(X_c, y_c, family="poisson", fit_intercept=True)
early = glmlab.fit(X_c, y_c, family="poisson", fit_intercept=True, solver="fista", tol=1e-5)
columns_c = np.column_stack([X_c, np.ones(len(X_c))])
H_c = columns_c.T @ (exact_c.predict(X_c)[:, None] * columns_c)
apart = abs(early.beta - exact_c.beta) / np.sqrt(np.diag(np.linalg.inv(H_c)))[:3]
rules = glmlab.Stopping()
print(f"stopped at a relative gap of {early.certificate.relative:.0e}: {early.summary()['accuracy']}")
print(f"true distance: at most {apart.max():.2g} standard errors; run to the end: {exact_c.summary()['accuracy']}")
print(f"fit's default tol is {rules.default_tol:.0e}. If X has at most {rules.all_digits:,} numbers and tol is at most {rules.rough_tol:.0e},")
print("it goes on until the effect of the next step (the largest change of an η, divided by the largest |x_ij β_j|)")
print(f"is less than {rules.tiny_step:.0e} (methods that use gradients only: {rules.proved_step:.0e})")
assert apart.max() <= early.certificate.errors <= np.sqrt(2e-5 * len(X_c)) and exact_c.certificate.errors < 1e-6

# %% [markdown] tags=["optional"] id="last-digits"
# The error of $\beta$ grows like the *square root* of the gap. As $\sqrt{10^{-9}}\approx3\cdot10^{-5}$, the default
# `tol` leaves four or five digits. For Poisson counts and a good model $P$ is at most of the size $n/2$. Then the
# error is at most about $\sqrt{\texttt{tol}\cdot n}$ standard errors: 0.03 for a million rows, enough for a
# statistician.
#
# One more Newton step gives all digits. So where $X$ is small, `fit` goes on until the *effect* of the next step, as
# the last cell defines it, is below the printed limit.
#
# **Recap.** The unit of a stopping rule is what is left to explain, $U(\beta)$. A gap of $\delta$ means at most about
# $\sqrt{2\delta}$ standard errors.

# %% [markdown] tags=["optional"] id="c06-059"
# ## When to stop, and what remains (12 min, optional)
#
# Which rule stops a run where it should? We run proximal gradient,
# $\beta^+=\operatorname{shrink}(\beta-tq,\,t\lambda)$, on the tilted rows, $\lambda=\lambda_{\max}/100$, the safe step
# $t=1/L$ ($L$ is the largest eigenvalue of $H$), and $t=0.1/L$. Each of four rules stops a run when its number is at
# most $10^{-4}$:
#
# - the change of $\beta$, relative to the largest coefficient;
# - the change of $F$, relative to $F$;
# - the residual (largest coordinate of the shortest subgradient), relative to its value at $\beta=0$;
# - the certificate on a tenth of the rows, relative to $F(0)$. ($U(\beta)$ would change along the run.)
#
# **Predict.** How many rules leave more than twice the gap with the shorter step?

# %% tags=["optional"] id="c06-060"
def proximal_gradient(X, lam, step, iterations):
    """All iterates, from zero (iterations + 1, p)."""
    H, c, betas = 2 * X.T @ X, 2 * X.T @ y_r, np.zeros((iterations + 1, p))
    for k in range(iterations):
        betas[k + 1] = shrinkage(betas[k] - step * (H @ betas[k] - c), step * lam)
    return betas


def stopping_points(betas, X, X_S, lam, tol):
    """F at every iterate, and the first iteration at which each rule holds."""
    r = betas @ X.T - y_r
    f, q = (r**2).sum(axis=1) + lam * abs(betas).sum(axis=1), 2 * r @ X
    residual = L1(lam).distance(betas, q).max(axis=1)  # by coordinates, as in 06's exercise 1
    moved, fallen = abs(np.diff(betas, axis=0)).max(axis=1), -np.diff(f)
    looks = range(0, len(betas), len(betas) // 200)
    bounds = (corrected(q[k], betas[k], lam, X_S, model_step(q[k], betas[k], lam, X_S)) for k in looks)
    return f, {
        "change of β": 1 + int(np.argmax(moved <= tol * abs(betas[1:]).max(axis=1))),
        "change of F": 1 + int(np.argmax(fallen <= tol * f[1:])),
        "residual": int(np.argmax(residual <= tol * residual[0])),
        "certificate": next(k for k, bound in zip(looks, bounds, strict=True) if bound <= tol * F0),
    }

# %% tags=["predict", "figure", "assert", "optional"] id="c06-061"
fooled = predict("how many of four rules leave more than twice the gap", None)
tol, weight, steps = 1e-4, abs(slope(zero, X_tilt)).max() / 100, {"1/L": 1.0, "0.1/L": 0.1}
L = np.linalg.eigvalsh(2 * X_tilt.T @ X_tilt)[-1]
lowest, stop, run_gaps, paths = float(F(optimum(weight, X_tilt), weight, X_tilt)), {}, {}, {}
for name, share in steps.items():
    paths[name] = betas = proximal_gradient(X_tilt, weight, share / L, int(2_500 / share))
    f, stop[name] = stopping_points(betas, X_tilt, X_tenth @ T, weight, tol)
    run_gaps[name] = (f - lowest) / F0
viz.show(viz.stops({f"step {name}": (run_gaps[name], stop[name]) for name in steps}, tol=tol))
at = {name: {rule: run_gaps[name][k] for rule, k in stop[name].items()} for name in steps}
for rule in at["1/L"]:
    print(f"{rule}: gap ÷ F(0) is {at['1/L'][rule]:.0e} with step 1/L, {at['0.1/L'][rule]:.0e} with 0.1/L")
fooled.measured(sum(at["0.1/L"][rule] > 2 * at["1/L"][rule] for rule in at["1/L"]))
assert all(at[name]["certificate"] <= tol and at[name]["change of F"] > 10 * tol for name in steps)
assert at["0.1/L"]["change of β"] > 10 * tol

# %% [markdown] tags=["optional"] id="c06-062"
# <details><summary>Answer: which rules, and why?</summary>
#
# Two rules measure a change. It depends on the step length as much as on the error, so a shorter step leaves a larger
# gap. The change of $F$ stops too early with both steps. The residual is not fooled by the step. But its unit is not
# that of $F$, and here it stops long after the gap was small enough. The certificate may stop late, because its bound is
# loose, but never early.
#
# </details>
#
# Can the first rule be repaired? It can ask how far a *full* step, $t=1/L$, would go from $\beta$, whatever the step of
# the run.
#
# *A small example.* One coefficient has $\beta=2$ and $q=4$, and $\lambda=1$, $L=10$. A full step goes to
# $\operatorname{shrink}(2-0.4,\,0.1)=1.5$, so it moves by 0.5. A step $0.1/L$ moves by only $0.04+0.01=0.05$ from the
# same point.
#
# **Exercise 3.** `full_move(beta, q, lam, L)`: the largest $|\beta_j^+-\beta_j|$ of a full step. The cell after next
# stops both runs where it is at most $10^{-4}$ of the largest coefficient.

# %% tags=["exercise", "optional"] id="full-move"
def full_move(beta, q, lam, L):
    """max_j |β⁺_j − beta_j| of one step of length 1/L from beta, one number. beta and q = ∇f(beta): (p,)."""
    raise NotImplementedError

# %% tags=["check", "assert", "optional"] id="full-move-check"
full_move = use(full_move)
# hint("full_move")
# solution("full_move")
ends = {}
for name, betas in paths.items():
    looks = (k for k in range(10, len(betas), 10)
             if full_move(betas[k], slope(betas[k], X_tilt), weight, L) <= tol * abs(betas[k]).max())  # fmt: skip
    k = next(looks)
    ends[name] = run_gaps[name][k]
    print(f"full move, step {name}: iteration {k:,}, where gap ÷ F(0) is {ends[name]:.1e}")
assert np.isclose(ends["1/L"], ends["0.1/L"], rtol=0.2), "the same gap with both steps"
assert ends["1/L"] < at["0.1/L"]["change of β"], "the change of β is fooled"

# %% tags=["figure", "assert", "optional"] id="c06-063"
# A slow run on the course's own rows, λ = 7.2: the gap, its certificate, and the distance to the β that made the data.
curve = np.linalg.eigvalsh(2 * X_r.T @ X_r)[-1]
betas = proximal_gradient(X_r, lam, 0.2 / curve, 80)
course_gaps, proved = [float(F(beta, lam) - F(best, lam)) / F0 for beta in betas], {}
for k in range(0, len(betas), 10):
    d = model_step(slope(betas[k]), betas[k], lam, X_tenth)
    proved[k] = corrected(slope(betas[k]), betas[k], lam, X_tenth, d) / F0
distances, noise = abs(betas - beta_true).max(axis=1), np.sqrt(2 * np.log(p) / n)
viz.show(viz.three_errors(course_gaps, proved, distances, noise=noise))
assert all(bound >= course_gaps[k] for k, bound in proved.items())
assert proved[80] <= 1e-6 and distances[-1] > 0.3 * noise

# %% [markdown] tags=["optional"] id="c06-064"
# Your rule stops both runs at nearly the same gap. It is no proof: along flat directions a full step is short, too, and
# the gap may still be large.
#
# **Recap.** *Suboptimality* $F(\beta)-F^*$ is the solver's error. A user does not know it; we do, because we solved the
# problem. A *certificate* is a number that it cannot exceed. The *distance to* $\beta_{\text{true}}$, the only error
# that the post printed, also contains the noise in the data: its largest coordinate ends near $\sqrt{2\log p/n}$
# (notebook 02). More rows lower this number, and no solver does.

# %% tags=["assert", "optional"] id="closed"
client.close()
assert client.status == "closed"

# %% [markdown] tags=["optional"] id="what-06b-measured"
# ## What we measured · Check yourself · Next
#
# - On the tilted rows $\operatorname{dist}^2/2\mu$ was, at some $\lambda$, more than a hundred times the gap. The
#   corrected bound on all rows was the gap, at every $\lambda$.
# - Apart from rounding, no bound of any kind was below its gap.
# - With $10^8$ persons the gap of a wrong slope was about $10^{-9}$ of $F(0)$, and all of $U$.
# - The change of $F$ stopped too early with both steps, the change of $\beta$ with the short one. A certificate never
#   did.
#
# <details><summary>You make a solver's steps a hundred times shorter. Which rules still stop at the same gap?</summary>
#
# The certificate, the residual and the full move, because they look at $\beta$ only, and not at the step that led there.
#
# </details>
# <details><summary>Two runs on different data have gaps of 0.01 and 10. Which answer is better?</summary>
#
# Nobody can say: a gap has the unit of $F$. Divide each by its $U(\beta)$ or, for Poisson and logistic
# losses without a penalty, compare $\sqrt{2\delta}$.
#
# </details>
#
# **Next.** [07 families and penalties](07_families_and_penalties.ipynb): what else can it fit?
