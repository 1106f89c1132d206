"""The solvers, by name. Each is a generator of states: it evaluates, yields, then updates."""

from glmlab.solvers.admm import consensus_admm, post_admm
from glmlab.solvers.gradient import fista, gradient_descent, proximal_gradient
from glmlab.solvers.newton import newton, proximal_newton
from glmlab.solvers.pilot import pilot_newton

SOLVERS = {
    solver.__name__: solver
    for solver in (gradient_descent, proximal_gradient, fista, newton, proximal_newton, pilot_newton, consensus_admm)
}
HISTORICAL = {"post_admm": post_admm}  # to be looked at; "auto" never takes it
SMOOTH_ONLY = {"gradient_descent", "newton"}
STARTS_OF = {"pilot_newton": "pilot", "consensus_admm": "pilot"}  # where a solver starts unless told
