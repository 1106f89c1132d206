"""The bound of certificates.py where columns are many: the dual point moves along a few of them, and nothing is p × p.

d is the model's step on a working set A (working.py), or with a ridge alone what conjugate gradients find
(products.py). Any d would do; a better one gives a sharper bound. t = Xd and θ = ℓ′(η) + ℓ″(η)·t. One pass finds the
slope v = −Xᵀ(wθ) of every column and the price Σ w D(t). Fenchel and Young's inequality, coordinate by coordinate,
gives

    F(β) − F* ≤ S(θ) = Σ wᵢ Dᵢ(tᵢ) + Σ_j [g_j(β_j) + g_j*(v_j) − v_j β_j].

With a ridge, λ₂ > 0, every slope is allowed: g_j*(v) = max(|v| − λ₁, 0)² ÷ 2λ₂. With λ₁ alone, |v_j| ≤ λ₁ is needed.
On A the model sees to that. A column outside may exceed it, so the dual point is drawn towards 0, where no column has
a slope: αθ with α = min(1, λ₁ ÷ max |v_j|). S is convex in θ, and S(0) = F(β) − Σ w min ℓ = P(β). Hence

    F(β) − F* ≤ α (Σ w D(t) + Σ_j (λ₁|β_j| − v_j β_j)) + (1 − α) P(β).

So a column that enters too late costs to first order, and once A is right the bound is as sharp as with all columns.
(Scaling to feasibility is that of Ndiaye, Fercoq, Gramfort & Salmon 2017, (11); the move along ℓ″t is ours.)

Rounding: a computed slope is wrong by e_j = 8ε max_i|x_ij| Σ w|θ|'s own size at most. It counts in α and in v_j β_j.
The slope of a free intercept must be 0 and is only small. All t are allowed to shift by one number, `slack`; the shift
that makes the slope 0 must be smaller, and it changes the slope of column j by at most max_i|x_ij| times the
intercept's.
"""

import numpy as np

from glmlab.maths.bounds import blank
from glmlab.maths.penalties import Weights, lambdas
from glmlab.maths.products import direction
from glmlab.maths.working import curvature_as, model_on, working_set
from glmlab.policy import Proving, Rounding


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # where sums overflow there is no bound
def supported(f, g, beta, policy=Proving(), rounding=Rounding()):
    """The bound at β, a Corrected, with the dual point moved along a step on a working set, or of conjugate gradients.

    It takes a pass for the dual point's slope and price, and another one where `kept_clear` has a better step. Gradient
    and step are known if a solver has just been here.
    """
    loss, grad = f.loss_grad(beta)
    l1, l2 = lambdas(g, f.dim)
    free = bool(l1[-1] == 0 and l2[-1] == 0)
    d, level = step_from(f, g, beta, grad, free, policy)
    slack = policy.slack * np.sqrt(f.scale.unit(loss + g.value(beta)) / level) if free else 0.0
    found, lost, error = along(f, g, beta, grad, d, level, slack, policy, rounding)
    if lost > policy.clear * found.bound and np.all(4 * error[l1 > 0] < l1[l1 > 0]):
        clear = kept_clear(f, g, beta, grad, error)
        again = along(f, g, beta, grad, clear, level, slack, policy, rounding)[0]
        found = again._replace(step=d) if again.bound < found.bound else found
    return found


def along(f, g, beta, grad, d, level, slack, policy, rounding):
    """The bound with the dual point moved along d; what of it rounding of the slopes has cost; how wrong those may be.

    The cost counts only where the dual point was drawn towards 0.
    """
    l1, l2 = lambdas(g, f.dim)
    free = bool(l1[-1] == 0 and l2[-1] == 0)
    seen = f.dual(beta, d, slack if np.isfinite(slack) else 0.0)
    here = blank(f, g, beta, seen, grad)._replace(step=d, furthest=seen.furthest.values)
    if not (np.isfinite(here.objective) and np.isfinite(seen.slope).all() and np.isfinite(grad).all()):
        return here._replace(why="the loss or its curvature overflows"), 0.0, l1
    middle, half = f.spans
    largest = np.abs(middle) + half
    v, error = -seen.slope, rounding.slope * seen.size * largest
    if free:
        if not here.furthest < policy.interior * f.family.reach:
            return here._replace(why="the dual point is not interior: no minimum may exist"), 0.0, l1
        tilt = abs(v[-1]) + error[-1]
        if not (np.isfinite(slack) and tilt <= slack * level / 2):
            return here._replace(why="the slope of the intercept is not small"), 0.0, l1
        error, v = error + 1.001 * tilt * largest, np.append(v[:-1], 0.0)
        error[-1] = 0.0
    slope = np.clip(v, -l1, l1)
    terms = (l1 - (v if not np.any(l2) else slope) * np.sign(beta) + error) * np.abs(beta)
    alpha, lost = 1.0, 0.0
    if np.any(l2):
        curved = l2 > 0
        terms[curved] += ((np.abs(v - slope - l2 * beta) + error)[curved]) ** 2 / (2 * l2[curved])
    else:
        kept = l1 > 0
        alpha = 1 / max(1.0, np.max((np.abs(v) + error)[kept] / l1[kept], initial=0.0))
    gap = alpha * (seen.price + terms.sum())
    if alpha < 1:
        height = f.scale.height(here.objective)
        gap, lost = gap + (1 - alpha) * height, np.max(error[kept] / l1[kept]) * height
    bound = float(gap + here.likely)
    if not np.isfinite(bound):
        return here._replace(why="the dual point lies outside its domain"), 0.0, l1
    return here._replace(bound=bound, noise=seen.dual_rounding / 2), lost, error


def kept_clear(f, g, beta, grad, error):
    """The step d of a model whose λ₁ is smaller by twice what rounding may add to a slope.

    Slopes on A are then λ₁ − 2e, and need not be drawn towards 0, which costs e ÷ λ₁ of P. Instead the bound pays
    2 Σ e_j|β_j|, which is small where columns of large numbers, whose slopes round most, have small coefficients.
    """
    l1, l2 = lambdas(g, f.dim)
    A = working_set(f, g, beta, grad)
    return model_on(f, Weights(np.where(l1 > 0, l1 - 2 * error, 0.0), l2), beta, grad, A, sharp=True).step


def step_from(f, g, beta, grad, free, policy):
    """The step d (dim,) along which the dual point moves, and Σ w ℓ″ where an intercept is free.

    With an L1 term the model's step on a working set. With a ridge alone the direction of conjugate gradients; a last
    move of the intercept then makes its slope 0.
    """
    if curvature_as(g, f.dim) != "products":
        A = working_set(f, g, beta, grad)
        return model_on(f, g, beta, grad, A, sharp=True).step, level(f, beta, A) if free else 0.0
    heading = direction(f, g, beta, grad + lambdas(g, f.dim)[1] * beta, policy.share)
    if not free:
        return heading.d, 0.0
    steep = level(f, beta, np.array([f.dim - 1]))
    d = heading.d.copy()
    d[-1] += heading.left[-1] / steep
    return d, steep


def level(f, beta, A):
    """Σ w ℓ″, the curvature of a free intercept, the last of the coordinates A. No pass where a model on A was made."""
    if f.by_columns.serve(A):
        return f.by_columns.curvatures(beta).sum()
    return f.hess_on(beta, A)[-1, -1]
