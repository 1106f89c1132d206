"""How far β is from optimal, proved: residual-corrected duality.

Weak duality says that every dual point θ in the domain of ℓ* whose slope −Xᵀ(wθ) the penalty can carry gives
F(β) − F* ≤ F(β) + (dual cost of θ). At the optimum θ = ℓ′(η), but at any other β that slope misses by the residual of
∇F. So move it: θ = ℓ′(η) + ℓ″(η)·t with t = Xd, where d solves the p × p model of F at β. Then the slope is right to
rounding, and Fenchel–Young equality at θ = ℓ′(η) leaves

    F(β) − F* ≤ Σ wᵢ Dᵢ(tᵢ) + ½ λ₂‖d‖² + Σ_j (λ₁ − s_j sign β_j) |β_j|,      s = −(∇f + λ₂β + Hd),  |s_j| ≤ λ₁

with D the Kullback–Leibler price of each family (families.py). No strong convexity, no ball, no radius is needed. If
max |t| < 1 the dual point is interior, which proves that a minimiser exists: separable data never get a bound.

Rounding comes in twice. What ℓ′ is wrong by, row by row, is one more t and has its price; no slope is wrong by it. What
the sums XᵀWθ are wrong by is undone by moves through H⁻¹, from R where H has lost its digits (Curvature).

Relative gaps are relative to S(β) = max(P(β), P of the null model ÷ 1000), P = F − Σ w min ℓ (Objective.unit), which no
unit of y, of exposure or of a column changes. The sum F(β) is rounded as well: that allowance is part of the bound, but
not of the relative gap, since it says how well F is known and not how near β is, and grows with constants in y alone.

From the gap to β: |ℓ‴| ≤ ℓ″ for all four families, so that ∇²f falls by at most e^(−|x·δ|) from β to β* = β − δ, and

    F(β) − F* ≥ ∫₀¹ (1−τ) δᵀ∇²f(β* + τδ)δ dτ ≥ (1 − (1+u)e^(−u)) ÷ L²,    s = ‖δ‖_H,  u = Ls,  L = max ‖x_i‖ in H⁻¹

(Bach 2010, Proposition 1, is of this kind). The right side grows with s, and is the incomplete gamma function P(2, u):
the s at which it meets the bound is the largest that is possible, and |δ_j| ≤ s √(H⁻¹)_jj is s/√φ standard errors.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import gammaincinv

from glmlab.checks import number, vector
from glmlab.chunks import as_chunks, one_blas_thread
from glmlab.families import Family
from glmlab.kernels import ROUNDING, SMALL, Price
from glmlab.names import named, spelt
from glmlab.objective import Objective
from glmlab.penalties import PENALTIES, FreeIntercept, weights
from glmlab.quadratic import Curvature, minimise_model
from glmlab.tables import coefficients, is_answer, refuse_other_names

EPS = np.finfo(float).eps
INTERIOR = 0.9  # max |t| below this share of the family's reach proves that the dual point is interior
SHARP = 0.1  # below this share prices are within a few per cent of quadratic, and the bound of the gap
DEAF = 2.5e-10  # of S: rounding of η may cost as much, and four times of it is then the least that can be asked,
NOISY = 10.0  # up to so many times P or the null model's; and without limit where all that there is to explain is
NOTHING = 1e-3  # of that rounding: y is constant to its last digits
NEARLY = 0.55  # where D ≤ 0.55 ℓ″t² the quadratic price, ½ at best, is used without asking the rows again


class Certificate(NamedTuple):
    """A bound on F(β) − F*, and what it rests on."""

    bound: float  # F(β) − F* ≤ bound; inf where nothing was proved
    relative: float  # (bound − rounding) ÷ S, with S = max(P(β), P of the null model ÷ 1000), P = F − Σ w min ℓ
    kkt: float  # ‖dist(−∇f, ∂g)‖∞, unscaled
    kind: str  # how it was proved
    rigorous: bool  # bound ≥ gap in exact arithmetic
    passes: float  # passes over the rows that it cost
    objective: float  # F(β)
    rank: int  # of X among the coefficients that may move
    rounding: float  # part of the bound: how wrong the computed F(β) may be
    step: tuple  # (dim,) where the quadratic model of F at β has its minimiser, seen from β; no proof
    errors: float  # no β_j is further from its optimum than so many standard errors; nan where that is not known

    def __str__(self):
        if not np.isfinite(self.bound):
            return f"no bound on the gap could be proved ({self.kind})"
        return f"F(β) − F* ≤ {self.bound:.3g}, a relative gap of {self.relative:.2g} ({self.kind})"


class Corrected(NamedTuple):
    """The bound at one β, and the model's step from there."""

    bound: float
    step: np.ndarray  # (dim,) d
    objective: float
    kkt: float
    rank: int
    why: str  # empty, or why there is no bound
    rounding: float  # how wrong the computed F(β) may be
    likely: float  # how wrong it is likely to be, which is part of the bound
    noise: float = 0.0  # the price of what rounding has done to η, which is part of the bound
    errors: float = np.nan
    furthest: float = np.inf  # max |t|: near 0 the bound is nearly the gap


def certificate_at(f, g, beta, polish=0, sample=None):
    """The certificate of β for f + g: the gradient from all rows, the Hessian and the prices from all or a sample.

    sample: an Objective over some of f's rows, as f.sample(0.1) gives. The dual point then moves on those rows only:
    the bound is as rigorous, cheaper, and looser by about 1 ÷ (their share).
    Far from the optimum the bound at β may be loose or not exist. `polish` allows so many damped Newton steps to a
    better β⁺; then F(β) − F* ≤ F(β) − F(β⁺) + bound(β⁺), where the last is as sharp as the steps make it.
    """
    if weights(g, f.dim) is None or not priced(f.family):
        return unproved(f, g, beta)
    before = spent(f, sample)
    with f.booked_apart():
        first = best = here = corrected(f, g, beta, sample)
        bound, used, point = first.bound, 0, beta
        while used < polish and here.furthest > SHARP * f.family.reach:
            point = damped(f, g, point, here)
            if point is None:
                break
            here, used = corrected(f, g, point, sample), used + 1
            through = max(first.objective - here.objective, 0.0) + here.bound + first.rounding
            best, bound = (here, through) if through < bound else (best, bound)
        relative = (bound - best.likely) / unit(f, first) if np.isfinite(bound) else np.inf
    steps = f" after {used} Newton step{'s' * (used != 1)}" if used else ""
    kind = f"residual-corrected duality{steps}" if np.isfinite(bound) else here.why
    passes = spent(f, sample) - before
    return Certificate(bound, relative, first.kkt, kind, True, passes, first.objective, best.rank, best.likely,
                       tuple(first.step.tolist()), first.errors)  # fmt: skip


def spent(f, sample):
    """Passes over f's rows so far, those over the sample counted by its share."""
    return f.extra_passes + (sample.passes * sample.n / f.n if sample else 0.0)


def gather(f, beta, sample):
    """The evidence at β; with a sample its Hessian is the sample's, and roundings are its own scaled up by weight."""
    if sample is None:
        return f.evidence(beta)
    loss, grad = f.loss_grad(beta)
    part = sample.evidence(beta)
    share = f.survey.weight / part.weight if part.weight > 0 else 1.0
    grown = {name: share * getattr(part, name) for name in ("loss_slack", "slack", "slip", "drift")}
    return part._replace(loss=loss, grad=grad, **grown)


def priced(family):
    """Is a price known for this family: in closed form, or through its conjugate?"""
    return isinstance(family, Family) and (hasattr(family, "conjugate") or type(family).price is not Family.price)


def unproved(f, g, beta):
    """The certificate of a problem whose conjugates are unknown: the KKT residual, and no bound."""
    with f.booked_apart():
        loss, grad = f.loss_grad(beta)
        kkt = float(np.abs(g.distance(beta, grad)).max()) if hasattr(g, "distance") else np.inf
    objective = loss + g.value(beta)
    why = "the conjugate of this loss or penalty is not known"
    return Certificate(np.inf, np.inf, kkt, why, False, 1, objective, f.dim, 0.0, (np.nan,) * f.dim, np.nan)


def unit(f, here):
    """S, what the relative gap is relative to: where η is rounded so much that tol could not be proved, more of it."""
    least = here.noise / DEAF
    if max(f.height(here.objective), f.null_height / NOTHING) > here.noise:
        least = min(least, NOISY * max(f.height(here.objective), f.null_height))
    return max(f.unit(here.objective), least)


@one_blas_thread
@np.errstate(over="ignore", invalid="ignore")  # where sums overflow there is no bound, and no warning either
def corrected(f, g, beta, sample=None):
    """The bound at β with the dual point moved along the model's step: one pass, and one more far from the optimum."""
    loss, loss_slack, grad, hess, slack, weight, slip, drift, reach = gather(f, beta, sample)
    l1, l2 = weights(g, f.dim)
    objective = loss + float(g.value(beta))
    # The rounding of η differs from row to row: it adds up like √n, and at worst like n.
    likely = 8 * EPS * (loss_slack + drift / np.sqrt(f.n) + abs(g.value(beta))) + f.n * np.finfo(float).tiny
    rounding = likely + 8 * EPS * drift
    kkt = float(np.abs(g.distance(beta, grad)).max())
    if not (np.isfinite(objective) and np.isfinite(hess).all() and np.isfinite(grad).all()):
        why = "the loss or its curvature overflows"
        return Corrected(np.inf, np.zeros(f.dim), objective, kkt, f.dim, why, rounding, likely)
    seen = sample or f
    G, H = grad + l2 * beta, Curvature(hess, l2, lambda: seen.factor(beta))
    d = minimise_model(g, beta, grad, hess, H.factor).step
    moves, fixed, rank, why = feasible(f, G, H, d, l1, ROUNDING * slack)
    if why:
        return Corrected(np.inf, d, objective, kkt, rank, why, rounding, likely)
    cost = price_above(f.family, reach.values, H, d, moves, np.sqrt(slip)) or priced_by_rows(seen, beta, d, moves, slip)
    if np.any((l1 == 0) & (l2 == 0)) and not cost.furthest < INTERIOR * f.family.reach:
        why = "the dual point is not interior: no minimum may exist"
        return Corrected(np.inf, d, objective, kkt, rank, why, rounding, likely)
    carried = np.clip(-(G + H @ d), -l1, l1)
    # On the coordinates that the move is for, s is what it should be; the others' slopes are known to ± wobble only.
    wobble = np.where(fixed, 0.0, np.abs(H @ moves).sum(axis=1) + ROUNDING * slack)
    carry = (l1 - carried * np.sign(beta) + wobble) @ np.abs(beta)
    gap = cost.price + l2 @ (np.abs(d) + np.abs(moves).sum(axis=1)) ** 2 / 2 + carry
    bound = gap + likely
    if not np.isfinite(bound):
        why = "the dual point lies outside its domain"
        return Corrected(np.inf, d, objective, kkt, rank, why, rounding, likely)
    errors = standard_errors(f, H, l1, reach.values, weight / f.survey.weight, gap, objective)
    return Corrected(float(bound), d, objective, kkt, rank, "", rounding, likely, slip / 2, errors, cost.furthest)


def standard_errors(f, H, l1, reach, share, gap, objective):
    """How many standard errors any β_j may be from its optimum, given the gap; nan where that is not known.

    Standard errors are those of a model without penalty or with a ridge. They and L are made of the H of a `share` of
    the rows: that of all rows is larger, so that what is said of s holds, and √share scales the errors.
    """
    freedom = f.survey.counted - f.dim
    if np.any(l1 > 0) or not getattr(f.family, "concordant", False) or not freedom > 0:
        return np.nan
    part = H.on(np.ones(f.dim, dtype=bool))
    if part.rank < f.dim:
        return np.nan
    deviations = np.sqrt((part.vectors**2 / part.values).sum(axis=1)) / part.root  # √(H⁻¹)_jj
    s = np.sqrt(2 * gap) if f.quadratic else farthest(gap, reach @ deviations)
    phi = f.family.dispersion(f.height(objective), freedom)
    return float(s / np.sqrt(phi * share)) if phi * share > 0 else np.nan


def farthest(gap, L):
    """The largest s with 1 − (1 + Ls) e^(−Ls) ≤ gap L²; nan where any s would do."""
    return gammaincinv(2, gap * L**2) / L if gap * L**2 < 1 and L > 0 else np.nan


def priced_by_rows(f, beta, d, moves, slip):
    """The price from the rows; `slip` pays for those outside of a sample, whose points only rounding has moved."""
    found = f.price(beta, d, moves)
    return found._replace(price=found.price + slip)


def price_above(family, reach, H, d, moves, slip=0.0):
    """A price that is surely high enough, from sums already known; None where it might be much too high.

    Hölder's inequality says how large t can be on any row, u = Σ_j max|x_ij| |d_j|, the maxima (dim,) being `reach` and
    over the rows whose dual point moves (rounding alone moves others by less). Up to there D ≤ c ℓ″t² with a c
    that only the family knows, and Σ w ℓ″ t² = dᵀ∇²f d is at hand. Moves add to t by the triangle inequality, and so
    does what rounding did to the rows, √(Σ w ℓ″ t²) = slip.
    """
    furthest = reach @ (np.abs(d) + np.abs(moves).sum(axis=1))
    furthest += SMALL * family.reach if np.isfinite(family.reach) else 0.0
    dearest = family.dearest(furthest) if furthest < family.reach else np.inf
    if not dearest <= NEARLY:
        return None
    lengths = sum(H.lengths(np.column_stack([d, moves])))
    return Price(dearest * (lengths.sum() + slip) ** 2, furthest)


def feasible(f, G, H, d, l1, dq):
    """How far the dual point may have to move so that rounding cannot have left it infeasible.

    `dq` bounds the rounding error of ∇f. Coordinates whose slope is fixed (unpenalised) or at the edge of |s| ≤ λ₁ form
    the set A; an error e there is undone by moving d by H_AA⁻¹e. Returns those moves (dim, |A|), one for the largest
    error of each coordinate of A, A as a mask, the rank, and why no bound is possible (empty if one is).
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
            return moves, A, rank, ""
        A = grown
        part = H.on(A)
        moves = np.zeros((len(d), part.root.size))
        moves[A] = part.solve(np.diag(error[A]))
        rank = len(d) - part.root.size + part.rank
        if rank < len(d):
            why = invisible(f, part.null(), A, np.where(A, s - np.clip(s, -l1, l1), 0.0), noise)
            if why:
                return moves, A, rank, why


def invisible(f, null, A, excess, noise):
    """Why directions that H dropped are not harmless, or '' if no row sees them and the gradient has no part there."""
    V = np.zeros((len(A), null.shape[1]))
    V[A] = null
    if np.any(np.abs(V.T @ excess) > 4 * np.abs(V).T @ noise):
        return "the gradient has a part that the Hessian does not see"
    if f.unseen(V) > 1e-12:
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
    return trials[values.argmin()] if values.min() < here.objective - here.rounding else None


@spelt
def certify(
    X, y, beta, *, family, penalty="zero", intercept=None, sample_weight=None, offset=None, fraction=1.0, seed=0
):
    """A certificate for any β, whoever computed it.

    beta (p,) are the coefficients, an array, a Series whose labels are X's columns, or a Result, which brings its
    intercept along; else `intercept=None` says that the model has none, any number that it has a free one.
    λ counts against a loss that is a sum over rows. `fraction` < 1 moves the dual point on a seeded sample of the rows
    only: cheaper and looser, but a bound all the same.
    Returns a Certificate; its bound holds whatever solver made β. Takes the inputs and raises the errors of `fit`.
    """
    names = None
    if is_answer(beta):
        names, free = beta.names, len(beta.state.beta) > len(beta.beta)
        beta, intercept = beta.beta, beta.intercept if intercept is None and free else intercept
    f = Objective(family, as_chunks(X, y, sample_weight=sample_weight, offset=offset, intercept=intercept is not None))
    refuse_other_names("X", f.chunks.names, names, "the model", "X[list(result.names)]")
    g = named("penalty", penalty, PENALTIES, ("value",))
    point = vector("beta", coefficients("beta", beta, f.chunks.names, f.chunks.p), f.chunks.p)
    if intercept is not None:
        point, g = np.append(point, number("intercept", intercept, -np.inf)), FreeIntercept(g)
    f.survey  # noqa: B018  refuses what cannot be fitted
    return certificate_at(f, g, point, polish=30, sample=None if fraction == 1 else f.sample(fraction, seed))
