"""A reader's solver on a small problem, watched: what it yields, what it asks of the rows, what it raises."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from glmlab.auditing.audit import Fault, demand, error_text
from glmlab.policy import Auditing
from glmlab.rows.objective import Objective
from glmlab.solvers.start import null_start


class Endless(Exception):
    """A solver asks for pass after pass and yields nothing."""


class Watched(Objective):
    """An Objective that ends a search which asks for ever more passes between two states."""

    most, asked = Auditing.between, 0

    def _book(self, passes, rounds=1):
        super()._book(passes, rounds)
        self.asked += not self._apart
        if self.asked > self.most:
            raise Endless


class Seen(NamedTuple):
    """A state of a walk."""

    state: object  # itself
    beta: np.ndarray  # (dim,) its β, copied when it was yielded
    arrays: dict  # {field: a copy} of its other arrays
    passes: float  # that the solver has made so far
    diagonal: np.ndarray | None  # (dim,) of ∇²f, which scales residuals


class Walk:
    """A solver on one problem; states are taken one by one. `where` says in words what is solved."""

    def __init__(self, solver, problem, options, *, start=None, dask=False, chunks=None, policy=Auditing()):
        self.solver, self.problem, self.policy, self.ended = solver, problem, policy, False
        self.where = f"{problem} on dask arrays" if dask else str(problem)
        self.f = problem.objective(Watched, dask=dask, **({} if chunks is None else {"chunks": chunks}))
        self.f.most = policy.between
        self.start = null_start(self.f) if start is None else start
        self.f.look(np.array(self.start))  # as `run` does before a solver starts
        self.f.asked, self.before = 0, self.f.passes
        self.states, self.seen = self.guarded(lambda: solver(self.f, problem.g, self.start, **options)), []

    def take(self, count):
        """`count` more states, or fewer where the solver ends: a list of Seen."""
        new = []
        while len(new) < count and not self.ended:
            self.f.asked = 0
            state = self.guarded(lambda: next(self.states, self))
            if state is self:
                self.ended = True
                break
            beta = beta_of(state, self.f.dim, self.where)
            new.append(Seen(state, beta, copies(state), self.f.passes - self.before, self.f.diagonal))
        self.seen += new
        return new

    def guarded(self, call):
        """What a call of the reader's code returns. Its errors become Faults."""
        name = getattr(self.solver, "__name__", type(self.solver).__name__)
        try:
            return call()
        except Endless:
            what = f"on {self.where} it asks for more than {self.f.most} passes and yields no state"
            raise Fault(what, "its search for a step does not end; halve the step, and compare F with ≤") from None
        except Exception as error:
            what = f"on {self.where} it raises {error_text(error, self.solver)}"
            raise Fault(what, remedy(error, name, self.where)) from error


def remedy(error, name, where):
    """What to do about an error in a solver."""
    words = str(error)
    if isinstance(error, ValueError) and "read-only" in words:
        return "start and the arrays that f gives may be shared; make a new array, as in beta = beta - step * grad"
    if "on dask" in where and isinstance(error, AttributeError):
        return "the rows may be elsewhere: ask f for passes only (loss_grad, losses, loss_grad_hess, map)"
    if isinstance(error, AttributeError) and "'grad'" in words:
        claim = f"check_solver({name}, penalties=['zero', 'ridge'])"
        return f"this penalty has no gradient; use g.prox, or claim less: {claim}"
    return f"mend it, or claim less: check_solver({name}, families=[…], penalties=[…]) names those that it can solve"


def beta_of(state, dim, where):
    """A copy of the β of a state, if it has one of the right shape."""
    what = f"on {where} it yields {described(state)}"
    demand(hasattr(state, "beta"), what, "yield State(beta), or any object that has a beta (glmlab.State)")
    try:
        beta = np.array(state.beta, dtype=float)
    except (TypeError, ValueError):
        raise Fault(f"{what} whose beta is {described(state.beta)}", f"beta must be {dim} numbers") from None
    shape = f"beta must have shape ({dim},), the intercept last where f has one: take the length from start"
    demand(beta.shape == (dim,), f"{what} with a beta of shape {beta.shape}", shape)
    return beta


def described(value):
    """A value in a few words."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    return f"{value!r:.60}" if isinstance(value, (int, float, str, type(None))) else f"a {type(value).__name__}"


def fields_of(state):
    """{name: value} of a state's fields."""
    if hasattr(state, "_asdict"):
        return state._asdict()
    return dict(vars(state)) if hasattr(state, "__dict__") else {}


def copies(state):
    """{field: a copy} of the arrays of a state."""
    return {name: value.copy() for name, value in fields_of(state).items() if isinstance(value, np.ndarray)}


def is_generator(states):
    return isinstance(states, Iterator)
