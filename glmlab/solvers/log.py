"""What is seen of a run: its states, completed and written down, and the certificates made on the way."""

import sys
import time
from typing import NamedTuple

import numpy as np

from glmlab.checks import frozen
from glmlab.maths.certificates import Certificate, certificate_at
from glmlab.maths.working import curvature_as
from glmlab.solvers import stopping
from glmlab.solvers.result import Row, State, Trace


class Proof(NamedTuple):
    """A certificate, and how wrong it takes β to be."""

    certificate: Certificate
    error: float  # the effect of the certificate's step; 0 where the goal does not ask
    needed: float  # how small that must be


class Log:
    """The record of one run of `method` on f + g."""

    def __init__(self, f, g, method, goal, policy, progress=False):
        self.f, self.g, self.method, self.goal, self.policy, self.progress = f, g, method, goal, policy, progress
        self.began, self.trace, self.seen, self.proof = time.perf_counter(), Trace(), None, None
        # How near a state must be to be certified; of large X a sample proves `tol` only from a share of it.
        self.trigger = policy.most_share * goal.tol if goal.large else goal.tol
        self.effects, self.lowest, self.least, self.idle = [], np.inf, np.inf, 0

    def see(self, state):
        """Complete a state and write it down. Returns it as Seen."""
        f, state = self.f, complete(state, self.f, self.g)
        decrement, move = estimates(state, self.method)
        if move is not None and np.isfinite(self.goal.step):
            self.effects.append(stopping.effect_of(f.scale, state, move))
        better = stopping.improves(state.objective, self.lowest) or stopping.shrinks(state.residual, self.least)
        self.idle = 0 if better else self.idle + 1
        self.lowest, self.least = min(state.objective, self.lowest), min(state.residual, self.least)
        gap = np.square(state.residual) if decrement is None else decrement / f.scale.unit(state.objective)
        iteration, seconds = len(self.trace), time.perf_counter() - self.began
        self.write(Row(iteration, f.passes, f.rounds, seconds, float(state.objective), float(state.residual), np.nan))
        self.seen = stopping.Seen(state, iteration, gap, decrement is not None, self.effects, self.idle)
        self.proof = None
        return self.seen

    def write(self, row):
        """One more row of the trace, and of what is printed."""
        self.trace.append(row)
        if self.progress:
            line = f"iteration {row.iteration:5d}  F = {row.objective:.10g}  residual {row.residual:.1e}"
            print(f"\r{line}", end="", file=sys.stderr)

    def prove(self):
        """The Proof for the present state, made once. A failed one says how near the next must be."""
        if self.proof is None:
            certificate, error = self.certify(), 0.0
            needed = stopping.error_needed(self.effects, self.policy)
            if self.goal.thorough:
                error = stopping.effect_of(self.f.scale, self.seen.state, certificate.step)
            self.proof = Proof(certificate, error, needed)
            self.trace[-1] = self.trace[-1]._replace(relative=certificate.relative)
            fall = stopping.fall_wanted(certificate.relative, error, self.goal, needed, self.policy)
            self.trigger = self.seen.gap * fall
        return self.proof

    def certify(self):
        """The certificate of the present state: from all rows, or from a share of a large X if that proves anything."""
        f, g, beta, passes = self.f, self.g, self.seen.state.beta, 0.0
        if self.goal.large and curvature_as(g, f.dim) == "matrix":
            part = f.thin(stopping.share_of_rows(self.seen, f.n, f.dim, self.goal, self.policy))
            found = certificate_at(f, g, beta, sample=part)
            if np.isfinite(found.bound):
                return found
            passes = found.passes
        found = certificate_at(f, g, beta)
        return found._replace(passes=passes + found.passes)


def complete(state, f, g):
    """The state, with its objective and residual evaluated where the solver left them out."""
    beta = np.asarray(getattr(state, "beta", None), dtype=float)
    if beta.shape != (f.dim,):
        raise ValueError(f"a state must have .beta of shape ({f.dim},); the solver yielded {type(state).__name__} "
                         f"with beta of shape {beta.shape}")  # fmt: skip
    if getattr(state, "objective", None) is not None and getattr(state, "residual", None) is not None:
        return state._replace(beta=frozen(beta)) if hasattr(state, "_replace") else state
    with f.booked_apart():
        loss, grad = f.loss_grad(beta)
    found = {"beta": frozen(beta), "objective": loss + g.value(beta), "residual": f.residual(beta, grad, g)}
    return state._replace(**found) if isinstance(state, State) else State(**found)


def estimates(state, method):
    """The state's own estimates of F(β) − F* and of β* − β, None where it has none.

    Only a State and the states of solvers that declare it are asked: what another class calls by these names may mean
    another thing.
    """
    if isinstance(state, State) or method.estimates:
        return state.decrement, state.move
    return None, None
