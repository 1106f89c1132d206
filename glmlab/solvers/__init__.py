"""The solvers, by name. Each is a generator of states: it evaluates, yields, then updates."""

from glmlab.penalties import weights
from glmlab.solvers.admm import consensus_admm, post_admm
from glmlab.solvers.gradient import fista, gradient_descent, proximal_gradient
from glmlab.solvers.lbfgs import lbfgs
from glmlab.solvers.newton import newton, proximal_newton
from glmlab.solvers.pilot import pilot_newton

SOLVERS = {
    solver.__name__: solver
    for solver in (
        gradient_descent, proximal_gradient, fista, newton, proximal_newton, pilot_newton, lbfgs, consensus_admm,
    )
}  # fmt: skip
HISTORICAL = {"post_admm": post_admm}  # to be looked at; "auto" never takes it
SMOOTH_ONLY = {"gradient_descent", "newton", "lbfgs"}
MODELLED = {"newton", "proximal_newton", "pilot_newton", "lbfgs"}  # they solve p × p problems with λ₁ and λ₂ in them
PILOTED = {"pilot_newton", "lbfgs", "consensus_admm"}  # they draw a pilot anyway; its answer is a start that pays
PAYS = 200  # from so many rows on for each coefficient: below, Newton's method on the pilot costs more than it saves


def start_of(name, f, g):
    """Where a solver starts unless told: None stands for zeros."""
    return "pilot" if name in PILOTED and f.n >= PAYS * f.dim and weights(g, f.dim) is not None else None
