"""ADMM by consensus: every chunk solves its own small problem, a vote makes them agree. And the loop of 2017."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import fmin_l_bfgs_b

from glmlab.checks import frozen, number
from glmlab.maths.penalties import lambdas
from glmlab.maths.penalties import shrinkage as shrinkage  # the paper's name for the prox of L1
from glmlab.maths.quadratic import by_cholesky, minimise_model, newton_direction, unit_lengths
from glmlab.maths.sums import quietly
from glmlab.names import among
from glmlab.solvers.linesearch import sum_error

__all__ = ["ADMMState", "consensus_admm", "local_update", "post_admm", "z_update"]

RHOS = ("diagonal", "curvature", "balance", "matrix")


class ADMMState(NamedTuple):
    beta: np.ndarray  # (dim,) z, what the chunks agree on
    objective: float  # F(z)
    residual: float  # ‖dist(−∇f, ∂g)‖∞ in the scale of Objective.residual
    betas: np.ndarray  # (K, dim) the chunks' own minimisers, which voted for this z
    u: np.ndarray  # (K, dim) scaled dual variables, each chunk's running sum of disagreement: Σ ρ u ∈ ∂g(z)
    primal: float  # ‖β_k − z‖ over all chunks (Boyd et al. 2011, §3.3 and §7.1); inf before the first vote
    dual: float  # ‖ρ (z − z of the round before)‖ over all chunks; inf before the first vote
    rho: np.ndarray  # (dim,) the penalty on disagreement, or (K, dim, dim) one matrix a chunk


def consensus_admm(f, g, start, *, rho="diagonal", relaxation=None, accuracy=0.1):
    """Consensus ADMM on F = Σ_k f_k + g, f_k the loss of chunk k, in scaled form.

    Update: β_k = argmin_b f_k(b) + ½‖b − z + u_k‖²_ρ on every chunk by itself (`local_update`);
    c_k = α β_k + (1 − α) z + u_k; z⁺ = argmin g(z) + ½ Σ_k ‖c_k − z‖²_ρ, a soft threshold of the mean for diagonal ρ
    (`z_update`); u_k⁺ = c_k − z⁺. So Σ ρ u ∈ ∂g(z) after every round. At first ρ u_k = −∇f_k(start), β_k = start: a
    start at the optimum stays there.
    Oracle: one round an iteration. A chunk is read once for loss and gradient at z, and once for each point of its
    local Newton, which starts from its last answer and stops `accuracy` times as far from its minimiser as that is
    from z. Least squares send their XᵀX in the first round; later rounds are loss+gradient passes.
    Rate: for least squares in like chunks of eigenvalues μ … L, a scalar ρ and α = 1 contract by
    max(ρ/(μ+ρ), L/(L+ρ)), at best with ρ = √(μL); a ρ equal to the chunks' Hessian by |1 − α/2|.
    rho: a number > 0; "diagonal", the diagonal of ∇²f(start) ÷ K; "curvature", its mean; "balance", the mean, then by
    relative residual balancing; "matrix", each chunk's own Hessian at the start (z is then a p × p lasso).
    relaxation: α in (0, 2), by default 1.6, for "matrix" 1.9.
    Reference: Boyd et al. (2011), §7.1, §3.4.3; He, Yang & Wang (2000) and Wohlberg (2017), (15), for the balancing;
    Eckstein & Yao (2018) for relative errors.
    """
    alpha, accuracy = check(rho, relaxation, g, f.dim), number("accuracy", accuracy, 0.0)
    z, sums = frozen(start), f.quadratic and f.n_chunks * f.dim <= f.n
    first = f.map(f.kernel("loss_grad_hess" if sums or rho == "matrix" else "loss_grad"), shared=(f.family, z))
    rho, balancing = metric(f, z, rho, first), rho == "balance"
    ask = Sums(f, [part.hess for part in first]) if sums else Rows(f, accuracy)
    here = Round(*f.gathered(z, first), np.array([part.grad for part in first]), np.tile(z, (f.n_chunks, 1)))
    u, voters, primal, dual, count = -undo(rho, here.grads), here.betas, np.inf, np.inf, 0
    while True:
        objective, residual = here.loss + g.value(z), f.residual(z, here.grad, g)
        yield ADMMState(frozen(z), objective, residual, frozen(voters), frozen(u), primal, dual, frozen(rho))
        if not (np.isfinite(objective) and np.isfinite(rho).all()):
            return
        c = alpha * here.betas + (1 - alpha) * z + u
        old, z = z, z_update(g, c, rho, z)
        voters, u, count = here.betas, c - z, count + 1
        primal, dual = residuals(voters, z, old, rho)
        if balancing and count <= 50:  # from then on ρ is constant, as convergence needs
            rho, u = balanced(rho, u, voters, z, old)
        before, here = here, ask(z, u, rho, here.betas)
        if not np.isfinite(here.loss):
            rho, z, u, here = nearer(g, ask, rho, old, before)
            voters = np.tile(old, (f.n_chunks, 1))
            primal, dual = residuals(voters, z, old, rho)


def z_update(g, c, rho, old):
    """argmin_z g(z) + ½ Σ_k ‖c_k − z‖²_ρ for c (K, dim): the mean, shrunk; with matrices a p × p problem.

    Boyd et al. (2011), (7.4) and §7.1.1; `old`, the last z, only speeds up the latter.
    """
    if rho.ndim == 1:
        return g.prox(c.mean(axis=0), 1 / (len(c) * rho))
    return minimise_model(g, old, times(rho, old - c).sum(axis=0), rho.sum(axis=0)).point


@quietly
def local_update(rows, family, kernels, z, rho, accuracy, beta, u, own=None):
    """argmin_b f_k(b) + ½‖b − z + u‖²_ρ on one chunk by damped Newton from beta, and f_k and ∇f_k at z on the way.

    z, beta, u: (dim,). rho: (dim,), or None where the chunk has its own (dim, dim). The last step is no longer than
    `accuracy` times the way from β to z, both in the metric of the problem. kernels: the functions loss_grad and
    loss_grad_hess. Returns a Local.
    """
    loss_grad, loss_grad_hess = kernels
    at_z = loss_grad(rows, family, z)
    M = np.diag(rho) if own is None else own
    beta, touches = local_newton(rows, family, loss_grad_hess, z, M, accuracy, beta, u)
    return Local(*at_z, beta, 1 + touches)


def local_newton(rows, family, loss_grad_hess, z, M, accuracy, beta, u):
    """argmin_b f_k(b) + ½‖b − z + u‖²_M on one chunk, as `local_update` says, and how often its rows were read."""
    here, touches = loss_grad_hess(rows, family, beta), 1
    for _ in range(30):  # steps; more have never been needed
        away = beta - z + u
        value, slope = here.loss + away @ M @ away / 2, here.grad + M @ away
        d = -solved(here.hess + M, slope)
        drop, t = -(slope @ d), 1.0
        rounded = 1e-20 * abs(value)  # a step that promises less would change the last digits only
        if not drop > max(accuracy**2 * (beta - z) @ M @ (beta - z), rounded):
            break
        while True:
            trial = loss_grad_hess(rows, family, beta + t * d)
            touches, way = touches + 1, away + t * d
            if trial.loss + way @ M @ way / 2 <= value - 1e-4 * t * drop + sum_error(value) or t < 1e-9:
                break
            t /= 2
        if t < 1e-9:
            break
        beta, here = beta + t * d, trial
    return beta, touches


class Local(NamedTuple):
    """What a chunk answers."""

    loss: float  # f_k(z)
    grad: np.ndarray  # (dim,) ∇f_k(z)
    beta: np.ndarray  # (dim,) the minimiser of its own problem
    touches: int  # times that its rows were read


class Round(NamedTuple):
    """What a round brought."""

    loss: float  # f(z)
    grad: np.ndarray  # (dim,) ∇f(z)
    grads: np.ndarray  # (K, dim) each chunk's
    betas: np.ndarray  # (K, dim) each chunk's minimiser for this z and its u


class Rows:
    """Local problems solved where the rows are."""

    def __init__(self, f, accuracy):
        self.f, self.accuracy = f, accuracy
        self.kernels = f.kernel("loss_grad"), f.kernel("loss_grad_hess")

    def __call__(self, z, u, rho, betas):
        f, shared = self.f, None if rho.ndim == 3 else rho
        own = [betas, u, rho] if rho.ndim == 3 else [betas, u]
        parts = f.map(local_update, *own, shared=(f.family, self.kernels, z, shared, self.accuracy))
        f.touched(sum((part.touches - 1) * n for part, n in zip(parts, f.chunks.lengths, strict=True)) / f.n)
        return Round(*f.gathered(z, parts), np.array([part.grad for part in parts]),
                     np.array([part.beta for part in parts]))  # fmt: skip


class Sums:
    """Least squares: with its ∇²f_k known once, a chunk's problem is solved here from ∇f_k(z), exactly."""

    def __init__(self, f, hessians):
        self.f, self.hessians, self.rho, self.inverses = f, np.array(hessians), None, None

    def __call__(self, z, u, rho, betas):
        if self.rho is None or not np.array_equal(rho, self.rho):
            self.rho, self.inverses = rho, np.array([inverse(H) for H in self.hessians + squares(rho)])
        parts = self.f.map(self.f.kernel("loss_grad"), shared=(self.f.family, z))
        grads = np.array([part.grad for part in parts])
        steps = np.einsum("kij,kj->ki", self.inverses, grads + times(rho, u))
        return Round(*self.f.gathered(z, parts), grads, z - steps)


def check(rho, relaxation, g, dim):
    """Refuses options that make no sense; returns α."""
    among("rho", rho, RHOS) if isinstance(rho, str) else number("rho", rho, 0.0, strict=True)
    if rho == "matrix" and lambdas(g, dim) is None:
        raise ValueError(f"rho='matrix' needs a penalty λ₁‖β‖₁ + (λ₂/2)‖β‖²; of {g!r} only the prox is known")
    if relaxation is None:
        return 1.9 if rho == "matrix" else 1.6
    if not 0 < number("relaxation", relaxation, -np.inf) < 2:
        raise ValueError(f"relaxation must lie in (0, 2), got {relaxation!r}")
    return float(relaxation)


def metric(f, beta, rho, first):
    """ρ as (dim,), or (K, dim, dim) for "matrix", whose Hessians the first round brought."""
    if not isinstance(rho, str):
        return np.full(f.dim, float(rho))
    diagonal = sum(np.diag(part.hess) for part in first) if rho == "matrix" else f.loss_grad_diag(beta).diag
    mean = np.where(diagonal > 0, diagonal, diagonal.max() or 1.0) / f.n_chunks
    if rho == "matrix":
        # A hundredth of the mean curvature is added, because a chunk's own Hessian may be singular.
        return np.array([part.hess + 0.01 * np.diag(mean) for part in first])
    return mean if rho == "diagonal" else np.full(f.dim, mean.mean())


def nearer(g, ask, rho, old, before):
    """F overflowed: back to the last z, with duals that hold it there, and ever shorter ways from it.

    Returns ρ, z, u and the round made at the first z where F is finite.
    """
    for _ in range(40):  # ρ grows by 16⁴⁰: F is finite at the last z, and so near to it
        rho = 16 * rho
        c = old - undo(rho, before.grads)
        z = z_update(g, c, rho, old)
        here = ask(z, c - z, rho, np.tile(old, (len(c), 1)))
        if np.isfinite(here.loss):
            break
    return rho, z, c - z, here


def residuals(betas, z, old, rho):
    """Boyd's primal and dual residual: how far the votes are from z, how far z moved in the units of a slope."""
    return float(np.linalg.norm(betas - z)), float(np.linalg.norm(times(rho, np.tile(z - old, (len(betas), 1)))))


def balanced(rho, u, betas, z, old):
    """ρ scaled towards equal relative residuals, and u with it so that ρu stays (Wohlberg 2017, §4)."""
    primal, dual = residuals(betas, z, old, rho)
    sizes = max(np.linalg.norm(betas), np.linalg.norm(z) * len(betas) ** 0.5), np.linalg.norm(times(rho, u))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.sqrt(np.divide(primal, sizes[0]) / np.divide(dual, sizes[1]))
    scale = np.clip(ratio, 0.1, 10.0) if np.isfinite(ratio) else 1.0
    return (rho, u) if 0.5 < scale < 2 else (rho * scale, u / scale)


def times(rho, V):
    """ρ v_k for every row of V (K, dim)."""
    return rho * V if rho.ndim == 1 else np.einsum("kij,kj->ki", rho, V)


def undo(rho, V):
    """ρ⁻¹ v_k for every row of V."""
    return V / rho if rho.ndim == 1 else np.array([solved(M, v) for M, v in zip(rho, V, strict=True)])


def squares(rho):
    """ρ as one or K square matrices."""
    return np.diag(rho) if rho.ndim == 1 else rho


def solved(H, b):
    """H⁻¹b for a positive definite H whose rows and columns may differ in scale."""
    solve = by_cholesky(H)
    return solve(b) if solve else newton_direction(-b, H)


def inverse(H):
    """H⁻¹, scaled likewise."""
    root = unit_lengths(H)
    return np.linalg.inv(H / root[:, None] / root) / root[:, None] / root


# --- history ---------------------------------------------------------------------------------------------------


def post_admm(f, g, start, *, rho=1.0):
    """The ADMM loop of the post of 2017, as published: kept to be looked at, chosen by nothing.

    Update: as `consensus_admm` with a scalar ρ, but `beta_hat = 0.9*new_betas + 0.1*z`, which is under-relaxation
    (α = 0.9; Boyd et al. recommend 1.5 to 1.8), with ρ = 1 whatever the rows' curvature, from u = 0, and with L-BFGS-B
    as local solver that starts from zeros in every round, because `betas` is never assigned.
    Oracle: one round an iteration; dozens of loss+gradient passes in it. Loss and gradient at z are ours: the post
    looked at neither.
    Reference: White & Rocklin (2017), "Developing Convex Optimization Algorithms in Dask"; dask-glm's `local_update`.
    """
    rho, z = number("rho", rho, 0.0, strict=True), frozen(start)
    betas = u = np.zeros((f.n_chunks, f.dim))
    voters, primal, dual = np.tile(z, (f.n_chunks, 1)), np.inf, np.inf
    while True:
        parts = f.map(post_update, betas, u, shared=(f.family, f.kernel("loss_grad"), z, rho))
        f.touched(sum((part.touches - 1) * n for part, n in zip(parts, f.chunks.lengths, strict=True)) / f.n)
        loss, grad = f.gathered(z, parts)
        yield ADMMState(frozen(z), loss + g.value(z), f.residual(z, grad, g), frozen(voters), frozen(u), primal, dual,
                        np.full(f.dim, rho))  # fmt: skip
        voters = np.array([part.beta for part in parts])
        beta_hat = 0.9 * voters + 0.1 * z
        zold, ztilde = z, np.mean(beta_hat + u, axis=0)
        z = g.prox(ztilde, 1 / (rho * f.n_chunks))  # shrinkage(ztilde, lamduh / (rho * nchunks)) for L1(lamduh)
        u = u + beta_hat - z
        primal, dual = residuals(voters, z, zold, np.full(f.dim, rho))


@quietly
def post_update(rows, family, loss_grad, z, rho, beta, u):
    """A chunk's `local_update` as dask-glm had it: SciPy's L-BFGS-B on local_f and local_grad."""

    def local_f(beta):
        away = beta - z + u
        loss, grad = loss_grad(rows, family, beta)
        return loss + (rho / 2) * (away @ away), grad + rho * away

    found, _, info = fmin_l_bfgs_b(local_f, beta, maxiter=200, maxfun=250)
    return Local(*loss_grad(rows, family, z), found, info["funcalls"] + 1)
