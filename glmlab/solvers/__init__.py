"""The solvers, by name. Each is a generator of states: it evaluates, yields, then updates."""

from glmlab.solvers.gradient import fista, gradient_descent, proximal_gradient
from glmlab.solvers.newton import newton, proximal_newton
from glmlab.solvers.pilot import pilot_newton

SOLVERS = {
    solver.__name__: solver
    for solver in (gradient_descent, proximal_gradient, fista, newton, proximal_newton, pilot_newton)
}
SMOOTH_ONLY = {"gradient_descent", "newton"}
STARTS_OF = {"pilot_newton": "pilot"}  # where a solver starts unless told
