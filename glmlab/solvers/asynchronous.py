"""Solvers that wait for no chunk: each answer is used when it arrives, however slow the others are.

F is known at β only once every chunk has been asked there. So each chunk, on its way, is asked for loss and gradient at
one point that is the same for all (`Look`), and a state is yielded whenever the last of them has answered. Every field
of a state belongs to that point, which is older than the iterate at work then. The chunk that answered last has no task
yet when the state is yielded, because a certificate would wait for that task on the slowest worker.

Passes are counted as elsewhere, row-touches ÷ n, and so are fractions; a round is as many tasks as there are chunks.
"""

from typing import NamedTuple

import numpy as np

from glmlab.checks import frozen, number, whole
from glmlab.maths.families import Gaussian
from glmlab.maths.family import suits_the_loss
from glmlab.maths.sums import LossGrad, quietly
from glmlab.names import among
from glmlab.solvers.admm import local_newton, metric, undo, z_update

__all__ = ["AsyncADMMState", "PIAGState", "async_admm", "piag"]

RHOS = ("diagonal", "curvature")


class AsyncADMMState(NamedTuple):
    beta: np.ndarray  # (dim,) a z that all chunks have looked at
    objective: float  # F(z)
    residual: float  # ‖dist(−∇f, ∂g)‖∞ in the scale of Objective.residual
    rho: np.ndarray  # (dim,) the penalty on disagreement
    updates: int  # of z so far
    votes: np.ndarray  # (K,) answers of each chunk so far
    ages: np.ndarray  # (m,) at each update since the state before: how many updates old the oldest vote in it was


def async_admm(f, g, start, *, rho="diagonal", relaxation=1.2, barrier=1, staleness=None, accuracy=0.1, crew=None):
    """Consensus ADMM on F = Σ_k f_k + g in which z waits for no chunk.

    Update: when chunk k answers β_k = argmin_b f_k(b) + ½‖b − z_k + u_k‖²_ρ, with the z_k and u_k = c_k − z_k that it
    was sent, its vote becomes c_k⁺ = c_k + α (β_k − z_k); z = argmin g(z) + ½ Σ_k ‖c_k − z‖²_ρ over the last votes of
    *all* chunks, one each, and k alone is sent the new z. So a fast chunk votes more often, but never with more weight.
    Oracle: a chunk reads its rows once for each point of its local Newton, as in `consensus_admm`, and once for F.
    Fixed point: z = β_k for all k and Σ ρ u_k ∈ ∂g(z), the optimum, in whatever order answers arrive.
    Rate: if z always waits for all, this is `consensus_admm`, which converges for every ρ. If not, convergence is
    proved under conditions that are narrower than what one sees (Chang et al.: ρ above a multiple of the curvature, and
    a proximal term for z that grows with the delays; Peng et al.: chunks in random order, α < 2/(1 + 2τ/√K)).
    rho: a number > 0; "diagonal", the diagonal of ∇²f(start) ÷ K; "curvature", its mean. relaxation: α in (0, 2). The
    default stays well below π/2: where ρ is far below the curvature, the mean vote v obeys v′(t) = −α v(t − 1), times
    counted in tasks, and that oscillates for ever at α = π/2. Where ρ is far above it, the vote of a chunk that is much
    slower than the others and the mean of theirs swap places: a turn multiplies their difference by about −α (K − 1)/K,
    less what the curvature damps.
    barrier: z waits for at least so many answers (the partial barrier S). staleness: no chunk stays without an answer
    for more than so many updates, z waits for it (the bound τ); 1 waits for all, None for none. crew: who works
    (`Objective.arrivals`).
    Reference: Zhang & Kwok (2014) for the votes, the partial barrier and the bound; Chang, Hong, Liao & Wang (2016);
    Peng, Xu, Yan & Yin (2016), who see the votes as coordinates of a fixed point.
    """
    among("rho", rho, RHOS) if isinstance(rho, str) else number("rho", rho, 0.0, strict=True)
    accuracy = number("accuracy", accuracy, 0.0)
    if not 0 < number("relaxation", relaxation, -np.inf) < 2:
        raise ValueError(f"relaxation must lie in (0, 2), got {relaxation!r}")
    barrier = whole("barrier", barrier, 1)
    if staleness is not None:
        whole("staleness", staleness, 1)
    z, K, kernels = frozen(start), f.n_chunks, (f.kernel("loss_grad"), f.kernel("loss_grad_hess"))
    first = f.map(kernels[0], shared=(f.family, z))
    loss, grad = f.gathered(z, first)
    rho = metric(f, z, rho, first)
    c, betas = z - undo(rho, np.array([part.grad for part in first])), [z] * K
    votes, began, sent, heard_of, ages, updates, looks_at = *np.zeros((4, K), dtype=int), [], 0, np.full(K, -1)
    yield AsyncADMMState(z, loss + g.value(z), f.residual(z, grad, g), frozen(rho), 0, frozen(votes), frozen(ages))
    with f.arrivals(crew) as answers:

        def cast(k):  # at z, the latest
            answers.send(k, vote, f.family, kernels[1], z, rho, accuracy, betas[k], c[k] - z, note=z)
            sent[k] = updates

        look, looked, voted = Look(f), [], range(K)
        while True:
            z, updates = z_update(g, c, rho, z), updates + 1
            ages.append(updates - heard_of.min())
            began[[*looked, *voted]] = updates
            if look.beta is None and np.all(votes > looks_at):  # all have voted since the last look began
                look.beta, looks_at = z, votes.copy()
            for k in voted:
                if (at := look.ask(k)) is not None:
                    answers.send(k, kernels[0], f.family, at)
                else:
                    cast(k)
            voted, needed = [], set(late(updates - began, staleness))
            while needed or len(voted) < min(barrier, K):
                for k in looked:
                    cast(k)
                looked = []
                for k, found, asked in answers.take(1, needed):
                    if asked is None:
                        look.hear(k, found)
                        looked.append(k)
                        continue
                    c[k], betas[k] = c[k] + relaxation * (found.beta - asked), found.beta
                    votes[k], heard_of[k] = votes[k] + 1, sent[k]
                    voted.append(k)
                    needed.discard(k)
                if done := look.state(g):
                    yield AsyncADMMState(*done, frozen(rho), updates, frozen(votes), frozen(ages))
                    look, ages = Look(f), []


class Vote(NamedTuple):
    """What a chunk answers to `async_admm`."""

    beta: np.ndarray  # (dim,) the minimiser of its own problem
    touches: int  # times that its rows were read


@quietly
def vote(rows, family, loss_grad_hess, z, rho, accuracy, beta, u):
    """argmin_b f_k(b) + ½‖b − z + u‖²_ρ on one chunk."""
    return Vote(*local_newton(rows, family, loss_grad_hess, z, np.diag(rho), accuracy, beta, u))


# --- gradients ---------------------------------------------------------------------------------------------------


class PIAGState(NamedTuple):
    beta: np.ndarray  # (dim,) an iterate that all chunks have looked at
    objective: float  # F(β)
    residual: float  # ‖dist(−∇f, ∂g)‖∞ in the scale of Objective.residual
    lipschitz: float  # L of the rules for steps; inf where the step is a number
    updates: int  # of β so far
    answers: np.ndarray  # (K,) of each chunk so far
    delays: np.ndarray  # (m,) τ at each update since the state before: how many updates old the oldest gradient was
    steps: np.ndarray  # (m,) the step sizes of these updates


def piag(f, g, start, *, step="adaptive", barrier=1, crew=None):
    """Proximal incremental aggregated gradient on F = Σ_k f_k + g: steps along the last gradient of every chunk.

    Update: when chunk k answers ∇f_k at the β that it was sent, that replaces its gradient in a table of K;
    β⁺ = prox_{γ g}(β − γ Σ table), and k alone is sent β⁺. τ is the age, in updates, of the oldest gradient.
    Oracle: a chunk reads its rows once, and a second time where it is asked for F.
    Fixed point: the optimum, since there all gradients of the table are gradients at one β.
    Rate: O(1/k), and linear under strong convexity, if the steps within the delay sum up to less than 1/L: if
    γ_k + Σ_{j=k−τ_k}^{k−1} γ_j ≤ γ′ = 0.99/L, where L = √(K Σ_k L_k²) and f_k is L_k-smooth (Wu et al.).
    step: "adaptive", 0.9 of what that sum leaves (their Adaptive 1); "spread", γ′/(τ_k + 1), or 0 where the sum leaves
    less (Adaptive 2); "fixed", γ′/(τ + ½) with the largest delay τ so far (Sun et al., who know it beforehand); a
    number is taken at each update, whatever the delay.
    barrier: β waits for at least so many answers. crew: who works (`Objective.arrivals`).
    Raises ValueError where ℓ″ is unbounded, as for Poisson and Gamma, and the step is not a number.
    Reference: Aytekin, Feyzmahdavian & Johansson (2016) and Vanli, Gürbüzbalaban & Ozdaglar (2018) for the method; Sun,
    Sun, Li & Liao (2019) and Wu, Magnússon, Feyzmahdavian & Johansson (2022) for the steps.
    """
    among("step", step, STEPS) if isinstance(step, str) else number("step", step, 0.0, strict=True)
    barrier = whole("barrier", barrier, 1)
    beta, K, loss_grad = frozen(start), f.n_chunks, f.kernel("loss_grad")
    first = f.map(loss_grad, shared=(f.family, beta))
    loss, grad = f.gathered(beta, first)
    L = np.inf if not isinstance(step, str) else lipschitz(f)
    table, answered, sent, heard_of = np.array([part.grad for part in first]), *np.zeros((3, K), dtype=int)
    delays, steps, longest, before, updates = [], [], 0, 0, 0
    residual, none = f.residual(beta, grad, g), frozen([])
    yield PIAGState(beta, loss + g.value(beta), residual, L, 0, frozen(answered), none, none)
    with f.arrivals(crew) as answers:
        look, looked_at, free = Look(f), 0, range(K)
        while True:
            delays.append(updates - heard_of.min())
            longest = max(longest, delays[-1])
            t = next_step(step, L, delays[-1], longest, steps)
            steps.append(t)
            beta, updates = g.prox(beta - t * table.sum(axis=0), t) if t else beta, updates + 1
            done = look.state(g)
            if done:
                made = frozen(delays[before:]), frozen(steps[before:])
                yield PIAGState(*done, L, updates, frozen(answered), *made)
                look, before = Look(f), updates
            if look.beta is None and updates >= looked_at:
                # It goes to the chunk that answered last first: the slowest chunk, which has the new iterate to look at
                # anyway, is never asked for a second one.
                look.beta, looked_at = beta, updates + PAUSE * K
            for k in free:
                answers.send(k, gradients, f.family, loss_grad, beta, look.ask(k))
                sent[k] = updates
            heard = answers.take(barrier)
            for k, found, _ in heard:
                table[k], answered[k], heard_of[k] = found.grad, answered[k] + 1, sent[k]
                look.hear(k, found.seen)
            free = [answer.k for answer in heard]


PAUSE = 4  # updates for each chunk between two looks at F, which cost a gradient of each chunk
STEPS = ("adaptive", "spread", "fixed")


def next_step(rule, L, tau, longest, steps):
    """γ_k by a rule of `piag`, from the delay τ_k, the longest delay so far and the steps before γ_k."""
    if not isinstance(rule, str):
        return float(rule)
    most = 0.99 / L
    if rule == "fixed":
        return most / (longest + 0.5)
    left = max(most - sum(steps[len(steps) - tau :]), 0.0)
    if rule == "adaptive":
        return 0.9 * left
    return most / (tau + 1) if most / (tau + 1) <= left else 0.0


def lipschitz(f):
    """L = √(K Σ_k L_k²), in a pass: what Wu et al. (2022) call L, where f is the mean of the K f_k."""
    curved = f.family.most_curved if suits_the_loss(f.family, "most_curved") else np.inf
    if not np.isfinite(curved):
        raise ValueError(f"piag needs a bound on the curvature of the loss, and {f.family!r} has none; use async_admm, "
                         "or give a step, a number")  # fmt: skip
    squares = f.map(largest_square, shared=(f.kernel("loss_grad_hess"), f.dim))
    return float(curved * np.sqrt(f.n_chunks * np.sum(np.square(squares)))) or 1.0  # of rows that are 0, any number


def largest_square(rows, loss_grad_hess, dim):
    """λ_max(XᵀWX) of one chunk, infinite where a sum overflows."""
    hess = loss_grad_hess(rows, Gaussian(), np.zeros(dim)).hess
    return np.linalg.eigvalsh(hess)[-1] / Gaussian.most_curved if np.isfinite(hess).all() else np.inf


class Gradients(NamedTuple):
    """What a chunk answers to `piag`."""

    grad: np.ndarray  # (dim,) ∇f_k(β)
    seen: LossGrad | None  # f_k and ∇f_k at the point that all chunks look at
    touches: int  # times that its rows were read


@quietly
def gradients(rows, family, loss_grad, beta, at):
    """∇f_k at β, and f_k and ∇f_k `at` a point unless that is None."""
    here = loss_grad(rows, family, beta)
    if at is None:
        return Gradients(here.grad, None, 1)
    if np.array_equal(at, beta):
        return Gradients(here.grad, here, 1)
    return Gradients(here.grad, loss_grad(rows, family, at), 2)


# --- F on the way ------------------------------------------------------------------------------------------------


class Look:
    """One point at which every chunk is asked for loss and gradient when it is sent its next task, or as that task."""

    def __init__(self, f):
        self.f, self.beta, self.asked, self.parts = f, None, set(), {}

    def ask(self, k):
        """The point for chunk k; None where there is none yet, or k has been asked."""
        if self.beta is None or k in self.asked:
            return None
        self.asked.add(k)
        return self.beta

    def hear(self, k, seen):
        """What chunk k has seen there, None where it was not asked."""
        if seen is not None:
            self.parts[k] = seen

    def state(self, g):
        """The point, F and the residual there; None until all chunks have answered."""
        if len(self.parts) < self.f.n_chunks:
            return None
        loss, grad = self.f.gathered(self.beta, [self.parts[k] for k in range(self.f.n_chunks)])
        return frozen(self.beta), loss + g.value(self.beta), self.f.residual(self.beta, grad, g)


def late(ages, staleness):
    """The chunks whose answers have to be waited for, lest one be more than `staleness` updates old."""
    return () if staleness is None else np.flatnonzero(ages + 1 >= staleness)
