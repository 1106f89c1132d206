"""The solvers, by name. Each is a generator of states: it evaluates, yields, then updates."""

from glmlab.solvers.gradient import fista, gradient_descent, proximal_gradient
from glmlab.solvers.lbfgs import lbfgs
from glmlab.solvers.newton import newton, proximal_newton
from glmlab.solvers.pilot import pilot_newton

SOLVERS = {
    solver.__name__: solver
    for solver in (gradient_descent, proximal_gradient, fista, newton, proximal_newton, pilot_newton, lbfgs)
}
SMOOTH_ONLY = {"gradient_descent", "newton", "lbfgs"}
PILOTED = {"pilot_newton": 0, "lbfgs": 200}  # rows for each coefficient from which a start at the pilot's answer pays


def start_of(name, f):
    """Where a solver starts unless told: None stands for zeros."""
    return "pilot" if f.n >= PILOTED.get(name, float("inf")) * f.dim else None
