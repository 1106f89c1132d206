"""The solvers, by name. Each is a generator of states: it evaluates, yields, then updates."""

import inspect
from collections.abc import Callable
from typing import NamedTuple

from glmlab.checks import function, number, whole
from glmlab.maths.penalties import is_weighted
from glmlab.names import among, nearest
from glmlab.solvers.admm import consensus_admm, post_admm
from glmlab.solvers.asynchronous import async_admm, piag
from glmlab.solvers.gradient import fista, gradient_descent, proximal_gradient
from glmlab.solvers.lbfgs import lbfgs
from glmlab.solvers.newton import newton, proximal_newton
from glmlab.solvers.newton_cg import newton_cg
from glmlab.solvers.pilot import pilot_newton
from glmlab.solvers.rounds import averaging, averaging_newton, cease, csl, giant
from glmlab.solvers.working_sets import working_sets


class Method(NamedTuple):
    """A solver and what is known of it. A reader's own function is one, too, of which nothing is known."""

    function: Callable  # solver(f, g, start, **options), a generator function
    needs: frozenset | None = None  # of "gradient", "mean" (both: a smooth g), "prox", "model" (λ₁ and λ₂); None: ?
    starts_from: str = "null"  # unless told: the "null" model or, where rows are plenty, the "pilot"'s own answer
    estimates: bool = False  # have its states `decrement` and `move`, as State describes them?

    @property
    def name(self):
        return getattr(self.function, "__name__", type(self.function).__name__)


GRADIENT, PROX = frozenset({"gradient"}), frozenset({"prox"})
METHODS = [
    Method(gradient_descent, GRADIENT),
    Method(proximal_gradient, PROX),
    Method(fista, PROX),
    Method(newton, GRADIENT | {"model"}, estimates=True),
    Method(proximal_newton, PROX | {"model"}, estimates=True),
    Method(pilot_newton, PROX | {"model"}, "pilot", estimates=True),
    Method(lbfgs, GRADIENT | {"model"}, "pilot", estimates=True),
    Method(newton_cg, GRADIENT | {"model"}, "pilot", estimates=True),
    Method(working_sets, PROX | {"model"}, "pilot", estimates=True),
    Method(consensus_admm, PROX, "pilot"),
]
ASYNCHRONOUS = [Method(async_admm, PROX, "pilot"), Method(piag, PROX)]  # which bits they give depends on who is fast
SOLVERS = {method.name: method.function for method in METHODS}
HISTORICAL = {"post_admm": post_admm}  # to be looked at; "auto" never takes it
FEWER_ROUNDS = [  # to be looked at, too: they converge where chunks are alike
    Method(averaging, frozenset({"model", "mean"})),
    Method(averaging_newton, frozenset({"model", "mean"})),
    Method(csl, PROX | {"model"}),
    Method(cease, PROX | {"model"}),
    Method(giant, GRADIENT | {"model"}),
]


def resolve(solver, g, options, callers, hidden=()):
    """The Method behind `solver`, a name or a function, once it is known that it can minimise f + g.

    Raises TypeError for what is no solver or an option that it does not have, naming the nearest; ValueError for a
    penalty that it cannot minimise. callers: the functions that took the options, whose own parameters may be meant,
    but for those that are `hidden`.
    """
    names = SOLVERS | HISTORICAL | {method.name: method.function for method in [*ASYNCHRONOUS, *FEWER_ROUNDS]}
    solve = names[among("solver", solver, names)] if isinstance(solver, str) else solver
    if not callable(solve):
        raise TypeError(f"solver must be a name or a generator function solver(f, g, start), got {solver!r}")
    method = method_of(solve)
    if method.needs and (why := unsuited(method.needs, g)):
        raise ValueError(f"{method.name} cannot minimise {g!r}: {why}")
    refuse_options(method, options, callers, hidden)
    return method


def method_of(function):
    """The Method of a function, found by what it is and not by what it is called."""
    known = [*METHODS, *ASYNCHRONOUS, *FEWER_ROUNDS, Method(post_admm, PROX)]
    return next((method for method in known if method.function is function), Method(function))


def unsuited(needs, g):
    """Why a solver that needs this cannot minimise f + g, and which can; '' if it can."""
    if "model" in needs and not is_weighted(g):
        return "it needs λ₁‖β‖₁ + (λ₂/2)‖β‖², and this is of another form; use fista or consensus_admm"
    if "mean" in needs and not g.smooth:
        return "chunks have their zeros in different places, and a mean keeps none; use csl, cease or proximal_newton"
    if "gradient" in needs and is_weighted(g) and not g.smooth:
        return "|β| has no derivative at 0; use proximal_newton, fista or consensus_admm"
    if "gradient" in needs and not getattr(g, "smooth", False):
        return "it needs a derivative, and this penalty has no smooth = True; use fista or consensus_admm"
    needed = "grad" if "gradient" in needs else "prox"
    return "" if hasattr(g, needed) else f"it needs its {needed}, and this penalty has none"


MEANT = {
    "C": "λ = 1/C is the same problem: write penalty=glmlab.L1(1 / C) or glmlab.Ridge(1 / C)",
    "lam": "λ stands in the penalty, as penalty=glmlab.L1(lam)",
    "alpha": "λ counts against the sum of the losses: write penalty=glmlab.Ridge(lam) or glmlab.L1(lam), with "
             "lam = glmlab.maths.conventions.to_lam(alpha, n, 'PoissonRegressor') or that of another library",
    "exposure": "write offset=numpy.log(exposure)",
}  # fmt: skip
MEANT_FOR_A_PATH = {  # whose penalty has its λ replaced
    "C": "λ = 1/C is the same problem: write lams=[1 / C]",
    "alpha": "λ counts against the sum of the losses: write lams=[lam], with "
             "lam = glmlab.maths.conventions.to_lam(alpha, n, 'Lasso') or that of another library",
    "exposure": MEANT["exposure"],
}  # fmt: skip


def refuse_options(method, options, callers, hidden):
    """The error for an option that the solver does not have."""
    parameters = inspect.signature(method.function).parameters
    if any(value.kind is value.VAR_KEYWORD for value in parameters.values()):
        return
    own = list(parameters)[3:]  # after f, g, start
    for option in options:
        if option not in own:
            theirs = {name for caller in callers for name in list(inspect.signature(caller).parameters)[:-1]}
            known = sorted({*own, *theirs} - {"f", "g", *hidden})
            meant = (MEANT_FOR_A_PATH if "lams" in known else MEANT).get(option)
            raise TypeError(f"{method.name} has no option {option!r}; {meant or nearest(option, known)}")


def refuse_settings(tol=None, max_iter=None, until=None, callback=None):
    """Raises TypeError or ValueError for a setting of `run` that makes no sense."""
    if tol is not None:
        number("tol", tol)
    function("until", until)
    function("callback", callback)
    if max_iter is not None:
        whole("max_iter", max_iter)
