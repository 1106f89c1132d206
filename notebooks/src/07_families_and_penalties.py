# %% [markdown] id="c07-001"
# # Fit anything: other losses, other penalties, a family of your own
#
# *We model late flights, counts and minutes, prove every answer, give Newton's method an L1 penalty, and add a
# family.*
#
# **120 minutes** with the exercises: the sections marked *core* take 91, the optional ones 25, the closing page 4.
# Prerequisites: [03 gradient descent](03_gradient_descent.ipynb) and [06 certificates](06_certificates.ipynb).
# Symbols and words: [glossary](00_start_here.ipynb#Notation-and-glossary).
#
# Afterwards you can
#
# - fit logistic, Poisson and Gamma models, certify them, and read their standard errors;
# - tell observed from expected information;
# - choose between L1, a ridge and no penalty, and convert λ between libraries;
# - write a Newton step with an L1 penalty;
# - recognise data that have no answer, and add a family (optional).

# %% tags=["setup", "parameters"] id="c07-002"
import dask
import numpy as np
from threadpoolctl import threadpool_limits

import glmlab
from glmlab import L1, Ridge, certify, datasets, viz
from glmlab.machine import cluster
from glmlab.teaching import delays, hint, ledger, predict, races, scale, solution, use

one_thread = threadpool_limits(1)  # as in 02: matrices are small here
n = scale.pick(ci=20_000, workshop=400_000, full=1_000_000)
every, n_parts = scale.pick(ci=(17, 2), workshop=(1, 8), full=(1, 8))
n_lams = scale.pick(ci=13, workshop=17, full=25)
client = cluster.client()
print(cluster.dashboard_link(client) or "This client has no dashboard.")


# %% [markdown] tags=["workshop"] id="c07-003"
# ## One loss for each kind of response (15 min · core)
#
# Which loss fits a label, a count or an amount? Each choice is a **family**. It consists of a distribution for $y$ with
# mean $\mu$, and of a **link**, which says how $\mu$ depends on $\eta = x^\top\beta$. The loss $\ell(\eta; y)$ of a row
# is minus the logarithm of the density of $y$, up to terms in $y$ alone.
#
# |$y$|family|$\mu$|$\ell(\eta; y)$|
# |---|---|---|---|
# |a number|Gaussian|$\eta$|$(y-\eta)^2$|
# |0 or 1|logistic|$1/(1+e^{-\eta})$|$\log(1+e^\eta)-y\eta$|
# |a count|Poisson|$e^\eta$|$e^\eta-y\eta$|
# |an amount $>0$|Gamma|$e^\eta$|exercise 1|
#
# The Gaussian has variance ½, so that minus its log density is $(y-\eta)^2$. In this notebook $\mu$ is always a mean,
# and $h_1$ is the smallest eigenvalue of $H=\nabla^2f(\beta)$.

# %% [markdown] id="c07-006"
# We minimise $F=f+g$, a loss $f(\beta)=\sum_i\ell(\eta_i;y_i)$ plus a penalty $g$. By the chain rule a solver needs only
# $\ell$ and its derivatives $\ell'$ and $\ell''$ in $\eta$:
#
# $$\nabla f(\beta)=\sum_i\ell'(\eta_i;y_i)\,x_i,\qquad\nabla^2f(\beta)=\sum_i\ell''(\eta_i;y_i)\,x_ix_i^\top.$$
#
# *Example.* The Poisson's density is $e^{-\mu}\mu^y/y!$. With $\mu=e^\eta$, minus its logarithm is $e^\eta-y\eta$, up to
# $\log y!$. For $y=3$ and $\eta=0$ the loss is $e^0-3\cdot0=1$. Its slope $\ell'=e^\eta-y=-2$ is negative, because a
# larger $\eta$ fits three events better. Its curvature is $\ell''=e^\eta=1$.
#
# **Exercise 1.** Write `gamma(eta, y)` for amounts $y>0$ with mean $\mu=e^\eta$ and density $e^{-y/\mu}/\mu$. This is
# the Gamma density of shape 1. Another shape multiplies the loss by that shape, up to terms in $y$.

# %% tags=["exercise"] id="c07-007"
def gamma(eta, y):
    """Three arrays (n,): each row's loss, its first and its second derivative in eta; eta and y > 0 are (n,)."""
    raise NotImplementedError


# %% tags=["check"] id="c07-008"
gamma = use(gamma)
# hint("gamma")
# solution("gamma")

# %% [markdown] id="c07-009"
# Your $\ell''$ contains $y$, the Poisson's does not. Why? In the first three losses $y$ and $\eta$ appear together only
# in a multiple of $y\eta$, whose second derivative is 0. Such a link is **canonical**.
#
# With another link there are two curvatures:
#
# - the **observed information** $\nabla^2f(\beta)$, with our $y$, is Newton's;
# - the **expected information** has the mean of $\ell''$ over the model's $y$ instead, as in R's `glm` (*Fisher
#   scoring*).
#
# For our Gamma $\ell''=y/\mu$ has mean 1, so the expected information is always $X^\top X$. This matrix is factored
# once, but is not the Hessian at $\beta^*$: Fisher scoring converges linearly.
#
# *Recap.* A family is a density and a link. With a canonical link the two informations agree.

# %% [markdown] tags=["workshop"] id="c07-011"
# ## Three questions about flights (17 min · core)
#
# What can we say about a delay when the ticket is sold? The rows are notebook 01's flights, now with rare airlines.
# (Scale ci takes another sample.) The columns are time (1 is six hours), distance, and zeros and ones for month,
# weekday, airline and airport. One value of each has no column: the unpenalised **intercept** stands for it.
#
# 1. *Is the flight late?* Logistic: $y=1$ if by more than 15 minutes.
# 2. *How many flights of an hour are late?* Poisson: a row is an hour at one airport, with the *means* of its flights'
#    columns.
# 3. *How many minutes late?* Gamma: the rows are the flights with any delay.

# %% [markdown] id="c07-013"
# The second question needs one more idea: six late flights of ten are bad, but six of thirty are ordinary. Let the
# **exposure** $E$ be the number of flights in that hour. We want the *share* of late flights to be $e^{x^\top\beta}$, so
# the mean count is
#
# $$\mu = E\,e^{x^\top\beta} = e^{x^\top\beta + \log E}.$$
#
# Therefore $\log E$ is added to $\eta$ and has no coefficient of its own. Such a term is called an **offset**.
#
# *Example.* If $x^\top\beta = \log 0.2$, we expect $0.2 \cdot 10 = 2$ late flights of ten and $0.2\cdot 30 = 6$ of
# thirty.
#
# We fit all three. For comparison, scikit-learn fits questions 1 and 3, statsmodels question 2.

# %% tags=["assert"] id="c07-017"
questions, fits = delays.questions(client, every, n_parts), {}
for name, family in {"late": "logistic", "count": "poisson", "minutes": "gamma"}.items():
    X, y, offset, _ = questions[name]
    fits[name] = glmlab.fit(X, y, family=family, offset=offset, fit_intercept=True, tol=1e-10)
    print(f"{name}: {X.shape[0]:,} rows, {X.shape[1]} columns, y is {float(y.mean()):.3g} on average")
    print(f"  {fits[name].status}")

rows = {name: dask.compute(question.X, question.y) for name, question in questions.items()}
by_peers = delays.by_peers(rows, questions["count"].offset)
for name, fit in fits.items():
    apart = abs(fit.beta - by_peers[name]).max()
    print(f"{name}: certified to {fit.certificate.relative:.0e}; another library's coefficients differ by {apart:.0e}")
    assert fit.converged and fit.certificate.relative <= 1e-10 and apart <= 1e-3

eta = rows["minutes"][0] @ fits["minutes"].beta + fits["minutes"].intercept
_, slope, curvature = gamma(eta, rows["minutes"][1])
# Σℓ′ = Σ(1 − y/μ) = 0 at the third answer, since its intercept is free. So ℓ″ = y/μ has the mean 1 there.
print(f"gamma, at the third answer: Σℓ′ = {np.sum(slope):.1e}, the mean of ℓ″ is {np.mean(curvature):.4f}")
assert abs(np.sum(slope)) <= 1e-5 * len(eta)
X_g = np.column_stack([rows["minutes"][0], np.ones(len(eta))])
observed, expected = X_g.T @ (curvature[:, None] * X_g), X_g.T @ X_g
rate = abs(1 - np.linalg.eigvals(np.linalg.solve(expected, observed))).max()
print(f"there an iteration of Fisher scoring multiplies the error by at most {rate:.2g}, in the long run")
assert rate < 1
delays.factors(fits, questions)

# %% [markdown] id="c07-016"
# Each entry of the table is $e^{\beta_j}$. With a **log link**, $\mu=e^\eta$, the mean is multiplied by this factor
# when column $j$ grows by 1. In the logistic family the factor multiplies the *odds* $\mu/(1-\mu)$ instead. The model
# of the hours has no airlines.
#
# An iteration of Fisher scoring multiplies a small error by $I-(X^\top X)^{-1}H$, $H$ at the answer. For the minutes
# the cell prints this matrix's largest |eigenvalue|, the rate. The closer $H$ is to $X^\top X$, the smaller the rate.
#
# <details><summary><b>Check yourself.</b> Does a certificate say that the model is right?</summary>No. It says that β
# minimises F. A Poisson count has variance μ, but bad weather delays all flights of an hour together. The family that
# you write below allows for that.</details>
#
# *Recap.*
# - $e^{\beta_j}$ is a factor on the mean, or on the odds.
# - An exposure enters as the offset $\log E$.
# - A certificate proves all three answers, and other libraries agree with them.

# %% [markdown] id="how-certain"
# ### Which columns, how certain?
#
# A result is for these rows. What would other hours have said? Two numbers stand beside each coefficient:
#
# - the *standard error*: with other hours of the same kind the coefficient would differ by about this much;
# - *proved ±*: the optimum for our rows is no further away.
#
# If the second is far below the first, more iterations teach nothing about flights. Of the card you need only these two
# columns and the line *dispersion*.
#
# Bad weather delays all flights of an hour, so counts vary more than a Poisson's. With `dispersion="pearson"` in
# `infer` the variance is a multiple of the mean, and the rows say which.
#
# <details><summary>How are the standard errors computed?</summary>They are the roots of the diagonal of H⁻¹ (08 says
# why), times the root of this multiple.</details>
#
# <details><summary>What do the other words of the card mean?</summary><i>t</i>, by which the figure sorts, is the
# coefficient divided by its standard error. <i>p</i> is the probability of so large a |t|, or a larger one, if the true
# coefficient is 0. The last two columns are an interval of 95 %, about two standard errors to each side; <i>Student</i>
# names the distribution behind <i>p</i> and the interval. The <i>deviance</i> is twice the loss that a model could
# still save if it fitted every row exactly. AIC and BIC compare models: a smaller one is better.</details>
#
# **Predict** this multiple. (A Poisson's is 1.)
#
# <details><summary><b>Check yourself.</b> What do these standard errors still leave out?</summary>They take
# the hours for independent draws, but weather lasts longer than an hour. Notebook 11 takes whole days as draws.</details>

# %% tags=["predict", "figure", "assert"] id="how-certain-code"
import pandas as pd

multiple = predict("variance of a count ÷ its mean", None)
X_h, count, offset, columns = questions["count"]
hours = pd.DataFrame(X_h, columns=[delays.LABELS[name] for name in columns])  # so that the table has names
by_hours = glmlab.fit(hours, count, family="poisson", offset=offset, fit_intercept=True, tol=1e-10)
inference = glmlab.infer(by_hours, hours, count, offset=offset, dispersion="pearson")
print(inference)
multiple.measured(inference.dispersion)
print(f"It makes every standard error {np.sqrt(inference.dispersion):.2f} times as large as a Poisson's.")
effect = "coefficient (log of the factor on late flights)"
viz.show(viz.intervals(inference, most=len(columns), effect=effect))
assert inference.dispersion > 1 and inference.accuracy < 1e-3, "the solver's error is nothing beside the noise"

# %% [markdown] tags=["workshop"] id="c07-028"
# ## Gradient or Newton (8 min · core)
#
# How many iterations does each method need for the same proof? As in the post, 15 columns are uniform
# on $[0,1]$.
#
# - **Gradient descent** has step length $1/L$, where $L=\|X\|_2^2/4$, because no $\ell''$ exceeds ¼. In
#   the flattest direction an iteration multiplies the error by $1-h_1/L$ (03), so a digit of the gap takes about
#   $1.15\,L/h_1$ iterations.
# - **Newton's method** moves by $-H^{-1}\nabla f(\beta)$, halved until F falls enough. Near $\beta^*$ it squares the
#   error, up to a constant.
#
# *On paper.* $E\,xx^\top$ has the eigenvalues $\frac1{12}+\frac{15}4$ and $\frac1{12}$. So
# $L\approx\frac n4(\frac1{12}+\frac{15}4)$, and as $\ell''\le\frac14$, $h_1\lesssim\frac n4\cdot\frac1{12}$:
# $L/h_1\gtrsim46$.
#
# **Predict**: to a certified $10^{-6}$, how many times as many iterations does gradient descent need?

# %% tags=["predict", "figure", "assert"] id="c07-030"
times_as_many = predict("iterations of gradient descent ÷ those of Newton, to 1e-6", None)

X, y, beta_true = datasets.course_benchmark(n, chunks=n // 10)
X_here, y_here = dask.compute(X, y)
L = np.linalg.eigvalsh(X_here.T @ X_here)[-1] / 4
by_newton = glmlab.fit(X_here, y_here, family="logistic", solver="newton")
by_gradient = glmlab.fit(X_here, y_here, family="logistic", solver="gradient_descent", step=1 / L)
pair = {"gradient descent": by_gradient, "Newton": by_newton}
gaps = {name: races.gaps(run.trace.objective, by_newton) for name, run in pair.items()}
k_gradient, k_newton = (races.iterations_to(1e-6, found) for found in gaps.values())

f = glmlab.Objective("logistic", glmlab.as_chunks(X_here, y_here))
curvatures = np.linalg.eigvalsh(f.loss_grad_hess(by_newton.beta).hess)
rate = 1 - curvatures[0] / L  # an iteration multiplies the error along the flattest direction by it
foretold = np.log(1e-6 / gaps["gradient descent"][0]) / (2 * np.log(rate))
print(f"at β*: κ = {curvatures[-1] / curvatures[0]:.1f}; L ÷ h₁ = {L / curvatures[0]:.1f}")
print(f"iterations to 1e-6: gradient {k_gradient} (the rate predicts {foretold:.0f}), Newton {k_newton}")
times_as_many.measured(k_gradient / k_newton)
curves = {name: (run.trace.seconds, run.trace.passes, gaps[name]) for name, run in pair.items()}
needed = f"{by_gradient.trace.passes[k_gradient]:g} passes, Newton's method {by_newton.trace.passes[k_newton]:g}"
viz.show(viz.race(curves, targets=(1e-6,), title=f"To a relative gap of 1e-6 gradient descent needs {needed}"))
assert by_newton.converged and k_newton <= 6 and k_gradient > 20 * k_newton, "conditioning slows the gradient only"

# %% [markdown] id="c07-031"
# *Answer.* The cell prints it. The number is large, because $L/h_1$ is large. $L/h_1$ exceeds $\kappa$ (the largest
# eigenvalue of $H$ divided by the smallest), because our $L$ bounds the curvature at every β.
#
# <details><summary>Why does the rate not predict the number exactly?</summary>It assumes that the whole error lies in the
# flattest direction from the start, so it may predict too many.</details>
#
# <details><summary>Why do some lines begin late, and why are parts of them flat?</summary>The clock runs on while a
# certificate is computed, so a line may have flat pieces. A line begins late if code was first loaded or compiled, or if
# a solver tries steps before its first iterate.</details>
#
# <details><summary>Why has the ledger at the end other gaps?</summary>The figure takes F minus one lower bound of F*,
# so the rounding of F limits it. In the ledger each run has its own certificate.</details>
#
# <details><summary><b>Check yourself.</b> Is an iteration of Newton's method as cheap as one of the
# gradient's?</summary>No. Newton's method makes two passes. One computes loss, gradient and Hessian, the other tests
# the full step. The first adds p² numbers for each row, where a gradient adds p.</details>
#
# *Recap.*
# - The gradient's iterations grow with $L/h_1$.
# - Newton's stay the same if we replace $X$ by $XT$ with a nonsingular matrix $T$.
# - On a cluster every iteration costs rounds, so few iterations are worth a $p\times p$ solve while p is small.

# %% [markdown] tags=["workshop"] id="c07-033"
# ## L1, a ridge, or nothing (20 min · core)
#
# What does a penalty do to the coefficients? We compare **L1**, $\lambda\|\beta\|_1$, with the **ridge**,
# $\frac\lambda2\|\beta\|_2^2$. A **path** fits many λ, each started from the answer before. For L1 it starts at
# $\lambda_{\max}$, the largest $|\partial f/\partial\beta_j|$ at $\beta=0$ with the intercept fitted. At this λ and
# above it all coefficients are zero.
#
# **Predict**, then choose a penalty below the figure: which one drops coefficients?
#
# <details><summary>Answer</summary>Only L1. It pulls every coefficient towards zero with the same strength λ, also a
# very small coefficient, so weak coefficients stay at zero. The ridge pulls with strength λ|βⱼ|, which vanishes with
# βⱼ. So it makes coefficients small, and none exactly zero, except by accident. As λ falls, a coefficient whose column is nonzero in many rows
# soon comes close to its value without a penalty. A rare column, such as Alaska's, needs a smaller λ.</details>

# %% tags=["figure", "assert"] id="c07-034"
X_l, y_l = rows["late"]
lasso = glmlab.path(X_l, y_l, family="logistic", fit_intercept=True, n_lams=n_lams, ratio=1e-3)
lams = len(y_l) * np.geomspace(1, 1e-5, n_lams)
ridge = glmlab.path(X_l, y_l, family="logistic", penalty="ridge", lams=lams, fit_intercept=True)
print(lasso)

names = [delays.LABELS[name] for name in questions["late"].columns]
paths = {"L1": (lasso.lams, lasso.betas), "ridge": (ridge.lams, ridge.betas)}
viz.show(viz.penalty_paths(paths, fits["late"].beta, names=names, ylabel="coefficient (log odds)"))
print(f"The first to leave zero: {names[int(np.argmax(abs(lasso.betas[1])))]}.")
zeros = np.sum(lasso.betas == 0, axis=1)
assert lasso.converged and ridge.converged, "every fit of both paths is certified"
assert zeros[0] == len(names) and zeros[-1] < zeros[0] / 2 and np.all(ridge.betas != 0)
away = [np.linalg.norm(betas - fits["late"].beta, axis=1) for betas in (lasso.betas, ridge.betas)]
assert all(a[-1] < 0.5 * a[0] for a in away), "both lead to the fit without a penalty"

# %% [markdown] tags=["workshop"] id="c07-052"
# ### One λ, many names
#
# Which λ makes another library's problem ours? Our F is a *sum* of losses plus λ times $\Omega$, with $\Omega =
# \|\beta\|_1$ or $\frac12\|\beta\|_2^2$. scikit-learn has three other conventions for $n$ rows:
#
# |class|minimises|
# |---|---|
# |`LogisticRegression`|$C\sum\ell + \Omega$|
# |`SGDClassifier`|$\frac1n\sum\ell + \text{alpha}\,\Omega$|
# |`Lasso`|$\frac1{2n}\sum(y-\eta)^2 + \text{alpha}\,\lVert\beta\rVert_1$|
#
# *Example.* A fourth class, `Ridge`, minimises $\sum(y-\eta)^2+\text{alpha}\,\|\beta\|_2^2$. Our penalty is
# $\frac\lambda2\|\beta\|_2^2$. The losses agree already, so $\lambda=2\,\text{alpha}$, whatever $n$ is. Where the losses
# differ by a factor, first multiply the whole objective, because this changes no minimiser.
#
# **Exercise 2.** Write `to_lam(value, n, kind)`, which returns our λ for scikit-learn's C or alpha.


# %% tags=["exercise"] id="c07-053"
def to_lam(value, n, kind):
    """Our lam. value is the C of 'LogisticRegression' or the alpha of 'SGDClassifier' or 'Lasso', on n rows."""
    raise NotImplementedError


# %% tags=["check"] id="c07-054"
to_lam = use(to_lam)
# hint("to_lam")
# solution("to_lam")

# %% tags=["assert"] id="c07-055"
from sklearn.linear_model import LogisticRegression

from glmlab.maths import conventions

m, C = 4_000, 0.05
X_m, y_m = X_here[:m], y_here[:m]
options = {"l1_ratio": 1, "solver": "saga", "fit_intercept": False, "tol": 1e-10, "max_iter": 10_000}
theirs = LogisticRegression(C=C, **options).fit(X_m, y_m).coef_[0]
proofs = {}
for reading, value in {"1/C": float(to_lam(C, m, "LogisticRegression")), "C": C, "n/C": m / C}.items():
    proofs[reading] = certify(X_m, y_m, theirs, family="logistic", penalty=L1(value))
    print(f"read as λ = {reading}, scikit-learn's answer has a relative gap of at most {proofs[reading].relative:.1e}")
assert proofs["1/C"].relative < 1e-6 < min(proofs["C"].relative, proofs["n/C"].relative)
pd.set_option("display.max_colwidth", None)  # show whole formulas
listed = ["LogisticRegression", "SGDClassifier", "Lasso", "Ridge", "dask_glm"]  # w: a weight for each row, here 1
conventions.table().loc[listed, ["parameter", "minimises", "ours"]]

# %% [markdown] id="c07-079"
# The certificate decides which reading is right: only with the right λ is scikit-learn's answer proved optimal.
#
# <details><summary><b>Check yourself.</b> Every flight comes twice. What happens to β*, λ_max and a
# certificate?</summary>Without a penalty β* stays. The loss and its gradient double, so λ_max and the bound double,
# but the relative gap stays. With a penalty, the same β* needs 2λ.</details>
#
# *Recap.*
# - L1 drops coefficients. A ridge makes $\|\beta\|_2$ smaller and drops none. One coefficient may still grow.
# - Take L1 if you want few columns, a ridge if the data are separable or the columns nearly dependent, and no penalty
#   if the rows are many and you want estimates without a penalty's bias.
# - A penalty depends on the units of the columns. To convert λ, multiply the objective by a positive number.
# - F cannot tell which λ predicts best. That takes *other* rows.

# %% [markdown] tags=["workshop"] id="c07-039"
# ## Newton's method with L1 (25 min · core)
#
# Can Newton's method take an L1 penalty? It needs two derivatives, but $|\beta_j|$ has none at zero, and zeros are what
# L1 is for. Two repairs come to mind:
#
# - *signs*: use $\operatorname{sign}\beta_j$ as the derivative of $|\beta_j|$, with $\operatorname{sign} 0 = 0$;
# - *shrink*: take Newton's step for $f$, then shrink coordinate $j$ by $\lambda/H_{jj}$.
#
# We try both at $\lambda = \lambda_{\max}/30$ and let a certificate judge. **Predict**: does one of them work?
#
# <details><summary>Answer</summary>No. The first gives no zeros. The second treats H as diagonal. If one coordinate is
# held at zero, the others should make up for it, but here they do not.</details>


# %% tags=["assert"] id="c07-042"
from glmlab.maths.penalties import shrinkage

zero = np.zeros(X_here.shape[1])
lam_max = abs(f.loss_grad(zero).grad).max()
lam = lam_max / 30
try:
    glmlab.fit(X_here, y_here, family="logistic", penalty=L1(lam), solver="newton")
except ValueError as error:
    print(f"glmlab refuses: {error}")

repairs = {
    "signs": lambda q, H, beta: beta - np.linalg.solve(H, q + lam * np.sign(beta)),
    "shrink": lambda q, H, beta: shrinkage(beta - np.linalg.solve(H, q), lam / np.diag(H)),
}
for name, step in repairs.items():
    beta, found = zero, []
    for _ in range(8):
        _, q, H = f.loss_grad_hess(beta)
        beta = step(q, H, beta)
        found.append(certify(X_here, y_here, beta, family="logistic", penalty=L1(lam)).relative)
    print(f"{name}: relative gaps {', '.join(f'{gap:.0e}' for gap in found)}; zeros: {np.sum(beta == 0)}")
    assert found[-1] > 1e-4, "it does not get there"

# %% [markdown] id="c07-043"
# The cure is to keep the penalty *inside* Newton's model. With $q=\nabla f(\beta)$, the next point minimises
#
# $$q^\top(v-\beta)+\tfrac12(v-\beta)^\top H(v-\beta)+\lambda\|v\|_1 .$$
#
# **Coordinate descent** finds it without a pass. It moves one $v_j$ to its best value while the others stay, and it
# repeats this for all $j$ until no move exceeds $10^{-12}\|v\|$. The quadratic has slope $q_j+(H(v-\beta))_j$ in $v_j$.
#
# *Example.* $\beta=0$, $q=(-3,-1.8)$, $H=\begin{pmatrix}2&1\\1&2\end{pmatrix}$, $\lambda=1$. Start at $v=0$. Coordinate
# 1 moves up, where $\lambda|v_1|$ has slope 1: $-3+2v_1+1=0$, so $v_1=1$. Coordinate 2 now has slope $-1.8+1=-0.8$,
# smaller in size than λ, so $v_2=0$. Nothing moves any more: $v=(1,0)$. Newton's step $(1.4,0.2)$, shrunk by ½, would
# give $(0.9,0)$.
#
# **Exercise 3.** Write `prox_newton(q, H, beta, lam)`, which returns $v$.


# %% tags=["exercise"] id="c07-044"
def prox_newton(q, H, beta, lam):
    """argmin over v of qᵀ(v − beta) + ½(v − beta)ᵀH(v − beta) + lam‖v‖₁, (p,); q and beta are (p,), H is (p, p)."""
    raise NotImplementedError


# %% tags=["check"] id="c07-045"
prox_newton = use(prox_newton)
# hint("prox_newton")
# solution("prox_newton")

# %% tags=["assert"] id="c07-046"
beta, found = zero, []
for _ in range(5):
    _, q, H = f.loss_grad_hess(beta)
    beta = prox_newton(q, H, beta, lam)
    found.append(certify(X_here, y_here, beta, family="logistic", penalty=L1(lam)).relative)
print(f"relative gaps {', '.join(f'{gap:.0e}' for gap in found)}; zeros: {np.sum(beta == 0)}")
assert found[-1] < 1e-10 and 0 < np.sum(beta == 0) < len(beta)

# %% [markdown] id="c07-047"
# Convergence is quadratic again, and the answer has zeros. `solvers.proximal_newton` adds a line search, because far from
# $\beta^*$ full steps may overshoot. Two first-order methods take L1:
#
# - **ISTA** (proximal gradient) repeats $\beta^+ = \operatorname{shrink}(\beta - t\nabla f(\beta), t\lambda)$ and finds its
#   step $t$ by trying.
# - **FISTA** makes this step from a point ahead, $v = \beta + m(\beta - \beta_{\text{old}})$. Its $m$ grows towards 1, and
#   starts again from 0 when $\beta-\beta_{\text{old}}$ points uphill.
#
# With $t=1/L$ an iteration of our FISTA multiplies its error by about $1-\sqrt{h_1/L}$, a rule of thumb.
# So a digit of the gap takes about $1.15\sqrt{L/h_1}$ iterations of one pass. (The first race printed $L/h_1$.)
#
# <details><summary>Why one pass? In 03 it was two.</summary>In our race FISTA has this fixed step, and F is evaluated
# at v and not at β⁺. So an iteration needs only the pass at v.</details>
#
# <details><summary>Why a rule of thumb?</summary>It is exact in the long run for a quadratic with a certain constant m,
# (1−√(h₁/L))/(1+√(h₁/L)). Ours grows and starts again.</details>
#
# **Predict** FISTA's passes to a certified $10^{-9}$ at $\lambda_{\max}/1000$.

# %% tags=["predict", "figure", "assert"] id="c07-050"
fista_passes = predict("passes of FISTA to 1e-9", None)

solvers = {"ISTA": "proximal_gradient", "FISTA": races.fista, "proximal Newton": "proximal_newton"}
problem = {"family": "logistic", "penalty": L1(lam_max / 1000), "tol": 1e-9}
runs = {name: glmlab.fit(X_here, y_here, solver=solver, **problem) for name, solver in solvers.items()}
best = runs["proximal Newton"]
curves = {name: (run.trace.seconds, run.trace.passes, races.gaps(run.trace.objective, best))
          for name, run in runs.items()}  # fmt: skip
passes = {name: passes[races.iterations_to(1e-9, found)] for name, (_, passes, found) in curves.items()}
needed = ", ".join(f"{name} {count:g}" for name, count in passes.items())
viz.show(viz.race(curves, targets=(1e-9,), title=f"Passes to a relative gap of 1e-9: {needed}"))
fista_passes.measured(passes["FISTA"])
assert all(run.converged for run in runs.values()) and passes["ISTA"] > passes["FISTA"] > passes["proximal Newton"]
assert all(abs(run.beta - best.beta).max() < 1e-2 for run in runs.values()), "one answer"

# %% [markdown] id="c07-051"
# <details><summary><b>Check yourself.</b> Why does a shrunk Newton step leave the optimum, even when it starts
# there?</summary>At the optimum each coordinate's slope is at most λ in size, but −H⁻¹q mixes the slopes of all
# coordinates. Shrinking coordinate by coordinate undoes that only if H is diagonal. The model with the penalty inside
# is minimal at v = β* there.</details>
#
# *Recap.*
# - L1 belongs inside Newton's model. Coordinate descent minimises that model without a pass.
# - Proximal Newton keeps quadratic convergence.
# - Momentum saves passes, as printed above, but FISTA still needs more of them than proximal Newton.

# %% [markdown] tags=["workshop"] id="c07-063"
# ## Data that have no answer (6 min · core)
#
# Does a minimiser always exist? Take the last week of January, and look for airlines whose flights were all late or
# all on time.
#
# *Example.* SkyWest, code OO, flew once, and late. Its coefficient $b$ appears in one row's loss, $\log(1+e^{-b})$ if
# we count $b$ from $\eta=0$. This loss falls towards 0 as $b \to \infty$ and never reaches it. So no $\beta^*$ exists.
# Such data are called **separable**: along some direction no row's loss grows, and some rows' losses fall forever. If
# the other rows' losses stay the same, as here, the data are *quasi-completely separated*.
#
# **Predict**: what does scikit-learn return for SkyWest at smaller and smaller tolerances?
#
# <details><summary>Answer</summary>A larger and larger number. The loss falls forever, so only the stopping rule
# decides where the solver stops.</details>

# %% tags=["assert"] id="c07-066"
import warnings

X_w, late_w, airlines = delays.week()
print(airlines[(airlines.late == 0) | (airlines.late == airlines.flights)])
skywest, grown = list(X_w).index(delays.RARE), []
for tol in (1e-2, 1e-4, 1e-6, 1e-8):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a warning would end this cell
        theirs = LogisticRegression(C=np.inf, tol=tol, max_iter=10_000).fit(X_w, late_w)
    grown.append(theirs.coef_[0, skywest])
    proof = certify(X_w, late_w, theirs.coef_[0], intercept=theirs.intercept_[0], family="logistic")
    print(f"scikit-learn, tol={tol:.0e}: SkyWest {grown[-1]:7.3f}, no warning. certify: {proof}")
    assert proof.bound == np.inf
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the status says it, too
    ours = glmlab.fit(X_w, late_w, family="logistic", fit_intercept=True)
print(f"glmlab: {ours.status}")
tamed = glmlab.fit(X_w, late_w, family="logistic", penalty=Ridge(1.0), fit_intercept=True, tol=1e-9)
print(f"with a ridge, λ = 1: SkyWest {tamed.beta[skywest]:.3f}. {tamed.certificate}")
assert np.all(np.diff(grown) > 1) and not ours.converged and "no minimum exists" in ours.status and tamed.converged

# %% [markdown] id="c07-067"
# Why must `certify` refuse? It solves $Hd=-\nabla f(\beta)$ and moves row $i$'s slope to $\theta_i=\ell'_i+\ell''_it_i$
# with $t_i=x_i^\top d$, so that $\sum_i\theta_ix_i=0$. If all $|t_i|<1$, $F$ has a minimiser:
#
# 1. $-y_i<\theta_i<1-y_i$, between the logistic slope's limits.
# 2. So $\ell_i(\eta)-\theta_i\eta\to\infty$ as $\eta\to\pm\infty$.
# 3. Because $\sum_i\theta_i\eta_i=0$, these terms sum to $F$. So every $\eta_i$ is bounded where $F(\beta)\le F(0)$,
#    and $F$ has a minimiser.
#
# Here $F$ has none, so some $|t_i|\ge1$.
#
# <details><summary>Whose rows <i>keep improving</i>?</summary>SkyWest's and those of a second such airline, Hawaiian (HA):
# the table says that none of its flights was late.</details>
#
# <details><summary>Why is there a minimiser in step 3?</summary>By step 2 every term is bounded below. So if one term
# is very large, the sum exceeds F(0). Therefore the η = Xβ with F(β) ≤ F(0) form a bounded and closed set. F is
# continuous in η, so it has a minimum on this set, and F is larger everywhere else.</details>
#
# A ridge gives SkyWest a finite coefficient: $\frac\lambda2b^2$ grows faster than the loss falls.
#
# <details><summary><b>Check yourself.</b> An airline flew once, and arrived early. Each flight is a row of its own.
# Which families have an answer?</summary>The logistic family has none: the label is 0, so the loss falls as long as the
# coefficient falls. The Poisson family has none either: the count of late flights is 0, so the loss falls as μ falls
# towards 0. The Gamma's rows are the flights with a delay, so it has no row of this airline, and every value of the
# coefficient is equally good. Least squares for the minutes, early ones below 0, has exactly one answer.</details>
#
# *Recap.*
# - If data are separable, F without a penalty has no minimiser, and the tolerance decides what a solver returns.
# - A ridge or an L1 penalty gives the problem a minimiser, if both labels occur.

# %% [markdown] tags=["optional"] id="c07-023"
# ## The price of a slope in every family (10 min · optional)
#
# Notebook 06 proved a bound by moving slopes. At $\eta$ the tangent of $\ell$ has slope $\ell'$, and a row that uses
# another slope pays a price. What is it for another loss? Let $\ell^*$ be the conjugate of $\ell$ and move the
# slope to $\theta = \ell' + \ell'' t$. The price is $D(t) = \ell(\eta) + \ell^*(\theta) - \theta\eta$. With
# $\varphi(x)=(1+x)\log(1+x)-x$, infinite below $x=-1$, the prices are
#
# |family|$D(t)$|
# |---|---|
# |Gaussian|$t^2$|
# |logistic|$\mu\,\varphi((1-\mu)t) + (1-\mu)\,\varphi(-\mu t)$|
# |Poisson|$\mu\,\varphi(t)$|
# |Gamma|$(y/\mu)\,\varphi(-t)$|
#
# *Example.* For a Poisson row, $t=1$ moves the slope from $\mu-y$ to $2\mu-y$, the slope that belongs to the mean
# $2\mu$. It costs $\mu(2\log2-1)\approx0.39\,\mu$.

# %% tags=["figure", "assert"] id="c07-025"
from glmlab.maths import families


def phi(x):
    return (1 + x) * np.log1p(x) - x


ts, eta, y, curves = np.linspace(-0.99, 0.99, 199), np.array(-1.5), np.array(1.0), {}
logistic = f"logistic at μ = {families.sigmoid(eta):.2f}"  # the other curves are the same at every μ and y
for name, family in {"Gaussian": families.Gaussian(), logistic: families.Logistic(),
                     "Poisson": families.Poisson(), "Gamma": families.Gamma()}.items():  # fmt: skip
    curves[name] = family.price(ts, eta, y) / (family.d2loss(eta, y) * ts**2 / 2 + (ts == 0))
curves = {name: np.where(ts == 0, 1, curve) for name, curve in curves.items()}  # its limit
assert np.allclose(families.Poisson().price(ts, eta, y), np.exp(eta) * phi(ts)), "the table's third row"
viz.show(viz.prices(ts, curves))

rng = np.random.default_rng(7)
for name, fit in fits.items():
    X, y, offset, _ = questions[name]
    for size in (1e-3, 0.1):
        beta = fit.beta + size * rng.normal(size=len(fit.beta))
        proof = certify(X, y, beta, intercept=fit.intercept, family=fit.family, offset=offset)
        gap = proof.objective - fit.objective
        print(f"{name}: moved by {size:g}, F − F* = {gap:10.4g}, bound ÷ gap = {proof.bound / gap:.4f}")
        assert proof.rigorous and gap <= proof.bound * (1 + 1e-6) and proof.bound <= 1.5 * gap

# %% [markdown] id="c07-026"
# The bound of 06 holds in every family, with $D_i(t_i)$ in the place of $t_i^2$. Without a penalty it says
# $F(\beta)-F^*\le\sum_iD_i(t_i)$, where $t=Xd$ and $Hd=-\nabla f(\beta)$. We moved each fit at random and compared the
# bound with F minus the F of the fit. This difference is the gap, up to the fit's own tiny one.
#
# <details><summary><b>Check yourself.</b> Why is the ratio nearly 1?</summary>For small t every price is close to
# ½ℓ″t², as the figure shows. The sum is then ½dᵀHd, which is the gap in Newton's model. Close to the optimum certify
# bounds every price by cℓ″t², with one c a little above ½, because this costs no pass. Further away it asks every row
# for its price.</details>
#
# *Recap.*
# - Near an optimum prices are quadratic, so the bound is sharp.
# - If all $|t_i|<1$, every $\theta_i$ lies inside the domain of $\ell^*$. Without a penalty a minimiser then exists,
#   for the reason in "Data that have no answer".

# %% [markdown] tags=["optional"] id="c07-058"
# ## A family of your own (15 min · optional)
#
# What if counts vary more than a Poisson's? The **negative binomial** has mean $\mu=e^\eta$ and variance $\mu+\mu^2/r$
# for a known $r>0$ (which is no residual). Its loss is
#
# $$\ell(\eta;y)=(y+r)\log(r+e^\eta)-y\eta .$$
#
# Because $\log(r+e^\eta)=\log r+\log(1+e^{\eta-\log r})$, it is $y+r$ times the logistic loss at $\eta-\log r$ with the
# "label" $y/(y+r)$, up to terms in $y$. `Logistic()` accepts it.
#
# *Example.* For $r=y=1$, $\ell=2\,[\log(1+e^\eta)-\tfrac12\eta]$.
#
# **Exercise 4.** Write its class. The Poisson's is
#
# ```python
# class Poisson(Family):
#     def loss(self, eta, y):
#         return np.exp(eta) - y * eta
#     def dloss(self, eta, y):
#         return np.exp(eta) - y
#     def d2loss(self, eta, y):
#         return np.exp(eta)
#     def price(self, t, eta, y):  # the price D(t)
#         return np.exp(eta) * phi(t)
# ```

# %% tags=["exercise"] id="c07-059"
from glmlab.maths.families import Family, Logistic


class NegativeBinomial(Family):
    """Counts of mean μ = e^η and variance μ + μ²/r: ℓ(η; y) = (y + r) log(r + e^η) − yη, finite at every η."""

    def __init__(self, r):
        raise NotImplementedError  # keep r in self; a Family needs no super().__init__()

    def loss(self, eta, y):
        raise NotImplementedError

    def dloss(self, eta, y):
        raise NotImplementedError

    def d2loss(self, eta, y):
        raise NotImplementedError

    def price(self, t, eta, y):
        raise NotImplementedError


# %% tags=["check"] id="c07-060"
NegativeBinomial = use(NegativeBinomial)
# hint("NegativeBinomial")
# solution("NegativeBinomial")

# %% tags=["assert"] id="c07-062"
import dask.array as da
import statsmodels.api as sm


def variation(mu, r=np.inf):
    """(y − μ)² ÷ the variance that the family says, on average: about 1 if the family is right."""
    return np.sum((count - mu) ** 2 / (mu + mu**2 / r)) / (len(count) - len(when) - 1)


X_h, count, offset, when = questions["count"]
mu = fits["count"].predict(X_h, offset=offset)
r = np.sum(mu**2) / np.sum((count - mu) ** 2 - mu)  # since E Σ((y − μ)² − μ) = Σ μ²/r
blocks = {"X": da.from_array(X_h, chunks=5_000), "y": da.from_array(count, chunks=5_000)}
mine = glmlab.fit(**blocks, family=NegativeBinomial(r), offset=offset, fit_intercept=True, tol=1e-10)
print(f"r = {r:.3f}. {mine.status}")
spreads = sm.families.NegativeBinomial(alpha=1 / r)
theirs = sm.GLM(count, sm.add_constant(X_h), family=spreads, offset=offset).fit(tol=1e-13).params[1:]
mu_r = np.exp(X_h @ mine.beta + mine.intercept + offset)
print(f"coefficients differ from statsmodels' by {abs(mine.beta - theirs).max():.0e}")
print(f"variation: {variation(mu):.2f} for the Poisson, {variation(mu_r, r):.2f} for yours")
assert mine.certificate.rigorous and mine.certificate.relative <= 1e-10 and abs(mine.beta - theirs).max() < 1e-3
assert abs(variation(mu_r, r) - 1) < 0.5 * abs(variation(mu) - 1)

# %% [markdown] id="c07-061"
# We estimated $r$ from the Poisson fit. If $y$ has variance $\mu + \mu^2/r$, then $\sum\big((y-\mu)^2 - \mu\big)$
# estimates $\sum \mu^2/r$. `da.from_array` sent the rows through the scheduler, which is fine for a few megabytes. A
# class that is defined in a notebook travels whole with the tasks. The class of an installed package is sent by its
# name, so every worker must have the package. Workers should have the client's versions of Python and NumPy.
#
# <details><summary><b>Check yourself.</b> Both families have the same mean e^η. Why does the variance
# matter?</summary>It decides how uncertain β is. If the variance is twice what the model says, the standard errors are
# too small by a factor of √2.</details>
#
# *Recap.*
# - A family is a class with a loss, two derivatives and a price.
# - A number times a known loss has that number times its derivatives and its price.
# - A certificate needs the price, because it needs the conjugate.

# %% [markdown] id="c07-071"
# ## What we measured · Check yourself · Next
#
# - One bound certified the fits of all three families, and other libraries agree with them.
# - A standard error says how much other rows would change a coefficient. The solver's error is nothing beside it.
# - Bad conditioning costs the gradient hundreds of iterations. Newton's method needed only a few.
# - L1 belongs inside Newton's model.
# - A new family needs four formulas. Separable data get no certificate.
#
# **Check yourself.** You count time in hours, not in six hours. Does F* change without a penalty, or with L1?
#
# <details><summary>Answer</summary>The numbers in the column of time are six times as large. Without a penalty its
# coefficient becomes a sixth, and every μ and F* stay. With L1 the smaller coefficient costs less. So F* falls, unless
# the coefficient was zero and stays zero.</details>
#
# **Next.** [08 benchmarks](08_benchmarks.ipynb) asks how fast solvers are. The ledger below counts each run to its end,
# beyond the figure's $10^{-6}$.

# %% tags=["assert"] id="closed"
for name, run in {"gradient, 1/L": by_gradient, "Newton": by_newton}.items():
    ledger.add(
        f"07: logistic, {name}", passes=run.passes, rounds=run.rounds, bytes=X_here.nbytes, seconds=run.seconds,
        error=abs(run.beta - beta_true).max(), zeros=np.sum(run.beta == 0), gap=run.certificate.relative,
    )  # fmt: skip
    assert ledger.rows()[f"07: logistic, {name}"]["gap"] <= 1e-6
client.close()
assert client.status == "closed"
ledger
