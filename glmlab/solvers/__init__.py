"""The solvers, by name. Each is a generator of states: it evaluates, yields, then updates."""

from collections.abc import Callable
from typing import NamedTuple

from glmlab.penalties import weights
from glmlab.solvers.admm import consensus_admm, post_admm
from glmlab.solvers.gradient import fista, gradient_descent, proximal_gradient
from glmlab.solvers.lbfgs import lbfgs
from glmlab.solvers.newton import newton, proximal_newton
from glmlab.solvers.pilot import pilot_newton

PAYS = 200  # from so many rows on for each coefficient: below, Newton's method on the pilot costs more than it saves


class Method(NamedTuple):
    """A solver and what is known of it. A reader's own function is one, too, of which nothing more is known."""

    function: Callable  # solver(f, g, start, **options), a generator function
    ours: bool = False
    needs_gradient: bool = False  # of g, which must be smooth; else its prox
    needs_model: bool = False  # it solves p × p problems with λ₁ and λ₂ in them
    draws_pilot: bool = False  # anyway, so that a start from the pilot's own answer pays
    estimates: bool = False  # its states have `decrement` and `move`, as State describes them

    @property
    def name(self):
        return getattr(self.function, "__name__", type(self.function).__name__)

    def start(self, f, g):
        """Where it starts unless told: None stands for the null model."""
        pays = self.draws_pilot and f.n >= PAYS * f.dim and weights(g, f.dim) is not None
        return "pilot" if pays else None


METHODS = [
    Method(gradient_descent, ours=True, needs_gradient=True),
    Method(proximal_gradient, ours=True),
    Method(fista, ours=True),
    Method(newton, ours=True, needs_gradient=True, needs_model=True, estimates=True),
    Method(proximal_newton, ours=True, needs_model=True, estimates=True),
    Method(pilot_newton, ours=True, needs_model=True, draws_pilot=True, estimates=True),
    Method(lbfgs, ours=True, needs_gradient=True, needs_model=True, draws_pilot=True, estimates=True),
    Method(consensus_admm, ours=True, draws_pilot=True),
]
SOLVERS = {method.name: method.function for method in METHODS}
HISTORICAL = {"post_admm": post_admm}  # to be looked at; "auto" never takes it


def method_of(function):
    """The Method of a function, found by what it is and not by what it is called."""
    known = [*METHODS, Method(post_admm, ours=True)]
    return next((method for method in known if method.function is function), Method(function))
