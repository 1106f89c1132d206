"""How far β is from optimal, proved: residual-corrected duality.

Weak duality says that every dual point θ in the domain of ℓ*, with its slope −Xᵀ(wθ) in the domain of g*, gives

    F(β) − F* ≤ F(β) + Σ wᵢ(ℓᵢ*(θᵢ) − oᵢθᵢ) + g*(−Xᵀ(wθ)).

At the optimum θ = ℓ′(η), but at any other β that slope misses by the residual of ∇F. So move it:
θ = ℓ′(η) + ℓ″(η)·t with t = Xd, where d solves the p × p model of F at β, whose matrix is H = ∇²f + diag(λ₂). Then the
slope is right to rounding, and Fenchel–Young equality at θ = ℓ′(η) leaves

    F(β) − F* ≤ Σ wᵢ Dᵢ(tᵢ) + ½ λ₂‖d‖² + Σ_j (λ₁ − s_j sign β_j) |β_j|,      s = −(∇f + λ₂β + Hd),  |s_j| ≤ λ₁

with D the Bregman divergence of ℓ* from ℓ′(η) to θ (families.py). No strong convexity, no ball, no radius is needed.
Where a coefficient has no penalty, a minimiser need not exist. It does if the dual point is interior, that is if
max |t| is below the family's reach. No bound is given unless max |t| is below 0.9 of it. So separable data never get
one.

Rounding matters in three places.

1. In the rows. The error of ℓ′, which comes from the rounding of η, is treated as one more move of the dual point. The
   bound includes the price of that move (`dual_rounding`).
2. In the sums XᵀWθ. Their possible error (`slope_size` times 8ε) is undone by moves of d through H⁻¹, from R where H
   has lost its digits (Curvature).
3. In the computed F(β): `loss_size` for the terms of the sum, `eta_size` for the rounding of η. The bound is for the
   computed F(β), so this error is a part of it.

Relative gaps are relative to S(β) = max(P(β), P of the null model ÷ 1000), P = F − Σ w min ℓ (Scale.unit), which no
unit of y, of exposure or of a column changes. The allowance for the computed F(β) is not part of the relative gap,
since it says how well F is known and not how near β is, and grows with constants in y alone.

From the gap to β: where |ℓ‴| ≤ ℓ″ (`concordant` families), each ℓ″ is at β* = β − δ at least e^(−|x·δ|) of itself, and

    F(β) − F* ≥ ∫₀¹ (1−τ) δᵀ∇²f(β* + τδ)δ dτ ≥ (1 − (1+u)e^(−u)) ÷ L²,    s = ‖δ‖_H,  u = Ls,  L = maxᵢ √(xᵢᵀH⁻¹xᵢ)

(Bach 2010, Proposition 1, is of this kind). Proof. Write δ = β − β*, and let F = f + g with any convex g.

1. −∇f(β*) is a subgradient of g at β*, so that g(β) − g(β*) ≥ −∇f(β*)·δ. What is left of F(β) − F* is at least
   f(β) − f(β*) − ∇f(β*)·δ, which Taylor's formula writes as the integral. A ridge adds λ₂‖δ‖²/2, and H its λ₂.
2. From τ to 1 the η of row i moves by (1−τ) |x·δ| ≤ (1−τ) u, because |x·δ| ≤ √(xᵀH⁻¹x) s. Since
   |(log ℓ″)′| ≤ 1, ℓ″ there is at least e^(−(1−τ)u) times that at β, and so is the Hessian as a form.
3. ∫₀¹ (1−τ) e^(−(1−τ)u) dτ = (1 − (1+u)e^(−u)) ÷ u², and s² ÷ u² = 1 ÷ L².

The right side grows with s, and is the incomplete gamma function P(2, u): the s at which it meets the bound is the
largest that is possible. If bound·L² ≥ 1 there is none, and nothing is claimed. For least squares ∇²f is constant, and
s ≤ √(2·bound). Then |δ_j| ≤ s √(H⁻¹)_jj by Cauchy and Schwarz, with L1 as well: a β_j that is further from 0 than this
is not 0 at the optimum. Without L1 it is s/√φ standard errors. L is taken from its bound Σ_j max|x_ij| √(H⁻¹)_jj, which
costs no pass. The gap that is meant is that in exact arithmetic: the allowance for the computed F(β) is no part of it.
After Newton steps to β⁺, |β_j − β*_j| ≤ |β_j − β⁺_j| + |β⁺_j − β*_j|, where the last is known from the bound at β⁺.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import gammaincinv

from glmlab.cards import html_card, plain_card
from glmlab.maths.bounds import blank
from glmlab.maths.family import Family
from glmlab.maths.penalties import lambdas
from glmlab.maths.quadratic import Curvature, minimise_model
from glmlab.maths.sums import Price
from glmlab.maths.wide import supported
from glmlab.maths.working import curvature_as
from glmlab.policy import Proving, Rounding
from glmlab.words import count_text

EPS = np.finfo(float).eps


class Certificate(NamedTuple):
    """A bound on F(β) − F*, and what it rests on.

    F is the sum of the losses plus λ times the penalty, and F* its minimum. The head of this module has the proof.

    Attributes
    ----------
    bound : float
        F(β) − F* ≤ bound, in the unit of F; inf where nothing was proved.
    relative : float
        (bound − rounding) ÷ S (Scale.unit), or ÷ more than S where rounding of η alone costs too much.
    kkt : float
        ‖dist(−∇f, ∂g)‖∞, unscaled.
    kind : str
        How it was proved, or why nothing was.
    rigorous : bool
        Does duality say anything of this loss and penalty? False where their conjugates are unknown.
    passes : float
        Passes over the rows that it cost.
    objective : float
        F(β).
    rank : int
        Of X among the coefficients that may move.
    rounding : float
        Part of the bound: how wrong the computed F(β) is likely to be.
    step : tuple, length dim
        From β to the minimiser of the quadratic model of F at β, longer if that is of a sample.
    errors : float
        No β_j is further from its optimum than so many standard errors, estimated at the last point seen.
    within : tuple, length dim
        |β_j − β*_j| is at most this, in the unit of β, intercept last; nan where the gap says nothing of β.

    Examples
    --------
    >>> from glmlab import certify
    >>> proof = certify([[1.0], [2.0]], [2.0, 4.0], [1.9], family="gaussian")
    >>> round(proof.bound, 4), round(proof.within[0], 4)  # F(1.9) − F(2), 2 − 1.9
    (0.05, 0.1)
    """

    bound: float
    relative: float
    kkt: float
    kind: str
    rigorous: bool
    passes: float
    objective: float
    rank: int
    rounding: float
    step: tuple
    errors: float
    within: tuple

    def __str__(self):
        if not np.isfinite(self.bound):
            return f"no bound on the gap could be proved ({self.kind})"
        return f"F(β) − F* ≤ {self.bound:.3g}, a relative gap of {self.relative:.2g} ({self.kind})"

    def summary(self):
        """Name and value of everything worth printing."""
        proved, within = np.isfinite(self.bound), np.max(self.within)
        found = {
            "relative gap": f"{self.relative:.2g}" if proved else "no bound could be proved",
            "gap": f"F(β) − F* ≤ {self.bound:.3g}, of which rounding has {self.rounding:.2g}" if proved else "",
            "proof" if proved else "reason": self.kind,
            "objective": f"F(β) = {self.objective:.10g}",
            "coefficients": f"none is further from the optimum than {within:.1e}" if np.isfinite(within) else "",
            "KKT residual": f"{self.kkt:.2g}" if np.isfinite(self.kkt) else "",
            "work": count_text(self.passes, "pass"),
        }
        return {name: value for name, value in found.items() if value}

    def __repr__(self):
        return plain_card("Certificate", self.summary())

    def _repr_html_(self):
        return html_card("Certificate", self.summary())


def certificate_at(f, g, beta, polish=0, sample=None, policy=Proving()):
    """The certificate of β for f + g: the gradient from all rows, the Hessian and the prices from all or a sample.

    sample: an Objective over some of f's rows, as f.sample(0.1) gives. The dual point then moves on those rows only:
    the bound is cheaper, and looser by about 1 ÷ (their share). It is as rigorous, except that what rounding did in the
    other rows is estimated from the sample.
    Far from the optimum the bound at β may be loose or not exist. `polish` allows so many damped Newton steps to a
    better β⁺; then F(β) − F* ≤ F(β) − F(β⁺) + bound(β⁺), where the last is as sharp as the steps make it.
    Where columns are many and an L1 term keeps most of them at 0, the dual point moves along a few (wide.py), on all
    rows.
    """
    if lambdas(g, f.dim) is None or not is_priced(f.family):
        return unproved(f, g, beta)
    wide = curvature_as(g, f.dim) != "matrix"
    sample = None if wide else sample

    def bound_at(point):
        return supported(f, g, point, policy) if wide else corrected(f, g, point, sample, policy)

    before = passes_so_far(f, sample)
    with f.booked_apart():
        first = best = here = bound_at(beta)
        bound, used, point, within = first.bound, 0, beta, first.within
        while used < polish and here.furthest > policy.sharp * f.family.reach:
            point = damped(f, g, point, here)
            if point is None:
                break
            here, used = bound_at(point), used + 1
            through = max(first.objective - here.objective, 0.0) + here.bound + first.worst
            best, bound = (here, through) if through < bound else (best, bound)
            within = np.fmin(within, np.abs(beta - point) * (1 + 4 * EPS) + here.within)
        relative = (bound - best.likely) / unit(f, first, policy) if np.isfinite(bound) else np.inf
    steps = f" after {used} Newton step{'s' * (used != 1)}" if used else ""
    kind = f"residual-corrected duality{steps}" if np.isfinite(bound) else here.why
    passes = passes_so_far(f, sample) - before
    errors = one_nan(np.max(within / here.deviations))
    return Certificate(bound, float(relative), first.kkt, kind, True, passes, float(first.objective), best.rank,
                       float(best.likely), tuple(first.step.tolist()), errors,
                       tuple_of(np.broadcast_to(within, f.dim)))  # fmt: skip


@np.errstate(over="ignore", invalid="ignore")  # where sums overflow there is no bound, and no warning either
def corrected(f, g, beta, sample=None, policy=Proving(), rounding=Rounding()):
    """The bound at β with the dual point moved along the model's step.

    It takes one pass; one more where the price must be asked of the rows, far from the optimum; one where H has lost
    digits, for R; and one where H is singular, to see whether X is.
    """
    seen, rows = gather(f, beta, sample), sample or f
    here = blank(f, g, beta, seen, seen.grad)
    if not (np.isfinite(here.objective) and np.isfinite(seen.hess).all() and np.isfinite(seen.grad).all()):
        return here._replace(why="the loss or its curvature overflows")
    l1, l2 = lambdas(g, f.dim)
    G, H = seen.grad + l2 * beta, Curvature(seen.hess, l2, lambda: rows.factor(beta))
    d = minimise_model(g, beta, seen.grad, seen.hess, H.factor).step
    undo = feasible(f, G, H, d, l1, rounding.slope * seen.slope_size, policy)
    here = here._replace(step=d, rank=undo.rank, why=undo.why)
    if undo.why:
        return here
    cost = price_above(f.family, seen.largest.values, H, d, undo.moves, np.sqrt(seen.dual_rounding), policy, rounding)
    if cost is None:
        cost = rows.price(beta, d, undo.moves)
        # Rounding may have moved the rows outside of a sample, too.
        cost = cost._replace(price=cost.price + seen.dual_rounding)
    if np.any((l1 == 0) & (l2 == 0)) and not cost.furthest < policy.interior * f.family.reach:
        return here._replace(why="the dual point is not interior: no minimum may exist")
    # The bound in exact arithmetic: prices, ridge, and the slack of the L1 term.
    s = np.clip(-(G + H @ d), -l1, l1)
    gap = cost.price + l2 @ d**2 / 2 + (l1 - s * np.sign(beta)) @ np.abs(beta)
    # What rounding adds. The prices include the moves of d already, the ridge does not. |error of s| ≤ wobble.
    moved = np.abs(undo.moves).sum(axis=1)
    wobble = np.where(undo.fixed, 0.0, np.abs(H @ undo.moves).sum(axis=1) + rounding.slope * seen.slope_size)
    gap += l2 @ (moved * (np.abs(d) + moved / 2)) + wobble @ np.abs(beta)
    bound = float(gap + here.likely)
    if not np.isfinite(bound):
        return here._replace(why="the dual point lies outside its domain")
    share = seen.weight / f.survey.weight
    within, deviations = distances(f, H, l1, seen.largest.values, share, gap, here.objective, policy)
    return here._replace(bound=bound, noise=seen.dual_rounding / 2, within=within, deviations=deviations,
                         furthest=cost.furthest)  # fmt: skip


def gather(f, beta, sample):
    """The evidence at β; with a sample its Hessian is the sample's, and roundings are its own scaled up by weight."""
    if sample is None:
        return f.evidence(beta)
    loss, grad = f.loss_grad(beta)
    part = sample.evidence(beta)
    times = f.survey.weight / part.weight if part.weight > 0 else 1.0
    grown = {name: times * getattr(part, name) for name in ("loss_size", "slope_size", "dual_rounding", "eta_size")}
    return part._replace(loss=loss, grad=grad, **grown)


def one_nan(value):
    """A float; nan is always the same object, so that equal certificates compare equal."""
    return np.nan if np.isnan(value) else float(value)


def tuple_of(values):
    """The same for an array (dim,), as a tuple; quick where no value is nan, or all are, because dim may be large."""
    unknown = np.isnan(values)
    if unknown.all():
        return (np.nan,) * len(values)
    return tuple(map(one_nan, values) if unknown.any() else values.tolist())


def passes_so_far(f, sample):
    """Passes over f's rows so far that were booked apart, and those over the sample, counted by its share."""
    return f.extra_passes + (sample.passes * sample.n / f.n if sample else 0.0)


def is_priced(family):
    """Is a price known for this family: in closed form, or through its conjugate?"""
    return isinstance(family, Family) and (hasattr(family, "conjugate") or type(family).price is not Family.price)


def unproved(f, g, beta):
    """The certificate of a problem whose conjugates are unknown: the KKT residual, and no bound."""
    with f.booked_apart():
        loss, grad = f.loss_grad(beta)
        kkt = float(np.abs(g.distance(beta, grad)).max()) if hasattr(g, "distance") else np.inf
    why = "the conjugate of this loss or penalty is not known"
    return not_certified(loss + g.value(beta), f.dim, why)._replace(kkt=kkt, passes=1)


def not_certified(objective, dim, why="interrupted before certifying"):
    """A certificate that proves nothing."""
    objective, unknown = float(objective), (np.nan,) * dim
    return Certificate(np.inf, np.inf, np.nan, why, False, 0.0, objective, dim, 0.0, unknown, np.nan, unknown)


def unit(f, here, policy):
    """The unit of the relative gap: S, or more where rounding of η alone costs so much that no `tol` could be proved.

    It is then noise ÷ policy.deaf, but at most policy.noisy times what is left to explain. That limit is dropped
    where noise exceeds all that there is to explain, as for a y that is constant to its last digits.
    """
    least, left = here.noise / policy.deaf, max(f.scale.height(here.objective), f.scale.null_height)
    if max(f.scale.height(here.objective), f.scale.null_height / policy.nothing) > here.noise:
        least = min(least, policy.noisy * left)
    return max(f.scale.unit(here.objective), least)


def distances(f, H, l1, largest, share, gap, objective, policy=Proving()):
    """How far each β_j may be from its optimum, given the gap, and the standard errors: (dim,) both, nan if unknown.

    Standard errors are those of a model without penalty or with a ridge. With a sample, H is that of a `share` of the
    rows. The H of all rows is larger, so that the limit for s holds; the standard errors are multiplied by √share.
    """
    if not getattr(f.family, "concordant", False):
        return np.nan, np.nan
    roots = H.deviations()
    if roots is None:
        return np.nan, np.nan
    roots = roots * (1 + policy.inverse)
    s = np.sqrt(2 * gap) if f.quadratic else farthest(gap, largest @ roots)
    freedom = f.survey.counted - f.dim
    if np.any(l1 > 0) or not freedom > 0:
        return s * roots, np.nan
    phi = f.family.dispersion(f.scale.height(objective), freedom)
    return s * roots, np.sqrt(phi * share) * roots if phi * share > 0 else np.nan


def farthest(gap, L):
    """The largest distance s with 1 − (1 + Ls) e^(−Ls) ≤ gap L²; nan where any s would do."""
    return gammaincinv(2, gap * L**2) / L if gap * L**2 < 1 and L > 0 else np.nan


def price_above(family, largest, H, d, moves, rounded=0.0, policy=Proving(), rounding=Rounding()):
    """An upper bound on Σ w D(t), from sums already known; None where it may be loose.

    Hölder's inequality says how large t can be on any row: u = Σ_j max|x_ij| |d_j|, the maxima (dim,) being `largest`.
    Up to there D ≤ c ℓ″t² with a c that only the family knows, and Σ w ℓ″ t² = dᵀ∇²f d is at hand. Moves add to t by
    the triangle inequality. So does the rounding of the rows: it has moved them by a t with √(Σ w ℓ″ t²) = `rounded`.
    """
    furthest = largest @ (np.abs(d) + np.abs(moves).sum(axis=1))
    furthest += rounding.own * family.reach if np.isfinite(family.reach) else 0.0
    dearest = family.dearest(furthest) if furthest < family.reach else np.inf
    if not dearest <= policy.nearly:
        return None
    lengths = sum(H.lengths(np.column_stack([d, moves])))
    return Price(dearest * (lengths.sum() + rounded) ** 2, furthest)


class Undo(NamedTuple):
    """How far the dual point may have to move so that rounding cannot have left it infeasible."""

    moves: np.ndarray  # (dim, |A|), column k undoes the largest error of the k-th coordinate of A
    fixed: np.ndarray  # (dim,) A as a mask
    rank: int
    why: str  # why no bound is possible, '' if one is


def feasible(f, G, H, d, l1, dq, policy):
    """The moves that undo what rounding may have done to the slope s = −(G + Hd); `dq` (dim,) bounds the error of ∇f.

    Coordinates whose slope is fixed (unpenalised) or at the edge of |s| ≤ λ₁ form the set A; an error e there is undone
    by moving d by H_AA⁻¹e. Moves change the slopes of other coordinates, which may bring those to their edge: A grows
    until it stays.
    """
    root = np.sqrt(np.diag(H.H).clip(0))
    s = -(G + H @ d)
    # With R the dual point may move along Q(Rd), which is Xd but for rounding: then its size counts, not that of d.
    near = H.R is not None and np.isinf(f.family.reach)
    lost = np.linalg.norm(H.R @ d) if near else root @ np.abs(d)
    noise = dq + 16 * EPS * (np.abs(G) + root * lost)
    error = noise + np.maximum(np.abs(s) - l1, 0.0)
    moves, A, rank = np.zeros((len(d), 0)), np.zeros(len(d), dtype=bool), len(d)
    while True:
        grown = A | (l1 - np.abs(s) <= error + np.where(A, 0.0, np.abs(H @ moves).sum(axis=1)))
        if np.array_equal(grown, A):
            return Undo(moves, A, rank, "")
        A = grown
        part = H.on(A)
        moves = np.zeros((len(d), part.root.size))
        moves[A] = part.solve(np.diag(error[A]))
        rank = len(d) - part.root.size + part.rank
        if rank < len(d):
            why = invisible(f, part.null(), A, np.where(A, s - np.clip(s, -l1, l1), 0.0), noise, policy)
            if why:
                return Undo(moves, A, rank, why)


def invisible(f, null, A, excess, noise, policy):
    """Why a null direction of H makes the bound invalid, or '' where X and the gradient have no part along them."""
    V = np.zeros((len(A), null.shape[1]))
    V[A] = null
    if np.any(np.abs(V.T @ excess) > 4 * np.abs(V).T @ noise):
        return "the gradient has a part that the Hessian does not see"
    if f.visibility(V) > policy.invisible:
        return "the Hessian is singular to rounding although X is not"
    return ""


def damped(f, g, beta, here):
    """The best of β + d/2^k on the objective, or None where none is lower by more than rounding."""
    if not np.any(here.step):
        return None
    steps = 0.5 ** np.arange(12)
    trials = beta + steps[:, None] * here.step
    values = f.losses(trials) + [g.value(trial) for trial in trials]
    values = np.where(np.isfinite(values), values, np.inf)
    return trials[values.argmin()] if values.min() < here.objective - here.worst else None
