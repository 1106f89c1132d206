"""Exercises of notebook 11: a solver of your own, and a stop rule that stops on proofs only."""

import functools
from typing import NamedTuple

import numpy as np

from glmlab.auditing import solver as auditing
from glmlab.auditing.audit import Fault
from glmlab.auditing.problems import problems
from glmlab.maths.certificates import Certificate, certificate_at
from glmlab.maths.penalties import L1, Ridge
from glmlab.rows.entrance import as_chunks
from glmlab.rows.objective import Objective
from glmlab.solvers.newton import proximal_newton
from glmlab.solvers.result import State

from .exercise import Exercise, Wrong, require
from .guard import NotWritten, short

# ---------------------------------------------------------------- 1. a solver


def my_solver(f, g, start):
    beta = old = start
    theta, t = 1.0, 1.0
    while True:
        loss, grad = f.loss_grad(beta)
        yield State(beta, loss + g.value(beta), f.residual(beta, grad, g))
        before, theta = theta, (1 + np.sqrt(1 + 4 * theta**2)) / 2
        v = beta + (before - 1) / theta * (beta - old)
        loss, grad = f.loss_grad(v)
        new = g.prox(v - t * grad, t)
        while f.loss(new) > loss + grad @ (new - v) + (new - v) @ (new - v) / (2 * t) + 1e-13 * abs(loss):
            t = t / 2
            new = g.prox(v - t * grad, t)
        if (v - new) @ (new - beta) > 0:
            theta = 1.0
        old, beta = beta, new


MY_SOLVER = Exercise(
    name="my_solver",
    statement=(
        "Write a solver of your own for f + g: a generator that evaluates, yields State(beta, objective, residual), "
        "then updates. The first state is at start. f.loss_grad(beta) gives the loss and its gradient in one pass, "
        "f.loss(beta) the loss alone; g has value(beta) and prox(v, step); residual is f.residual(beta, grad, g). Any "
        "method will do that is certified to 1e-6 for least squares and the logistic loss, with ridge and with L1."
    ),
    stub='''
    from glmlab import State


    def my_solver(f, g, start):
        """A generator of states: evaluate, yield, update."""
        raise NotImplementedError
    ''',
    reference=my_solver,
    hints=(
        "Begin with proximal gradient: a loop, one gradient, one yield, one prox. Where does the yield belong?",
        "loss, grad = f.loss_grad(beta); yield State(beta, loss + g.value(beta), f.residual(beta, grad, g)); then "
        "beta = g.prox(beta - t * grad, t). Halve t until f lies below loss + grad @ move + move @ move / (2 * t).",
        "Start with beta, t = start, 1.0. In the loop, after the yield: new = g.prox(beta - t * grad, t); while f.loss_"
        "grad(new)[0] is above the quadratic model plus 1e-13 * abs(loss): t = t / 2 and new again; then beta = new. "
        "So the next gradient costs no pass. This is enough; FISTA adds momentum: it takes the gradient at v = beta + "
        "m * (beta - old).",
    ),
)

CLAIMS = (("gaussian", "logistic"), ("ridge", "l1"))


def _holds(my_solver, *checks):
    """Run checks of check_solver; what they find becomes the message and the hint of the exercise."""
    solver = getattr(my_solver, "function", my_solver)
    trial = auditing.Trial(solver, problems(*CLAIMS), {})
    try:
        with np.errstate(all="ignore"):
            for check in checks:
                check(trial)
    except Fault as fault:
        if isinstance(fault.__cause__, NotImplementedError):
            raise NotWritten("it is not written yet") from None
        raise Wrong(fault.what, fault.cure) from None
    return trial


@MY_SOLVER.condition(
    "states, one by one, from start on", hint="evaluate at beta, yield, then update; begin with beta = start"
)
def from_start(my_solver):
    _holds(my_solver, auditing.signature, auditing.starts)


@MY_SOLVER.condition(
    "what was yielded stays", hint="make a new array in each update: whoever keeps a list of states wants them all"
)
def stays(my_solver):
    checks = auditing.lazy, auditing.keeps_start, auditing.keeps_states, auditing.repeats
    _holds(my_solver, *checks)


@MY_SOLVER.condition(
    "objective and residual of the beta that is yielded",
    hint="State(beta, loss + g.value(beta), f.residual(beta, grad, g)), with loss and grad taken at this beta",
)
def of_one_beta(my_solver):
    trial = _holds(my_solver, auditing.objectives, auditing.residuals)
    for walk in trial.seen.values():
        for name in ("objective", "residual"):
            lacking = any(getattr(seen.state, name, None) is None for seen in walk.seen)
            require(not lacking, f"on {walk.where} a state has no {name}")


@MY_SOLVER.condition(
    "certified on two families, on any chunks, here and on dask",
    hint="a step that is halved until f lies below its quadratic model serves every family; prox takes the same step",
)
def is_certified(my_solver):
    checks = auditing.solves, auditing.free_intercept, auditing.same_penalty, auditing.finite, auditing.certified
    _holds(my_solver, *checks, auditing.on_dask)


# ---------------------------------------------------------------- 2. a stop rule


def until(f, g, tol, state):
    return certificate_at(f, g, state.beta).relative <= tol


UNTIL = Exercise(
    name="until",
    statement=(
        "run(…, until=rule) stops at the first state for which the rule is True. Write until(f, g, tol, state): True "
        "where it is proved that the relative gap of state.beta is at most tol, else False. state has beta, objective "
        "and residual, as the solver says; certificate_at(f, g, beta) gives a Certificate with bound and relative. "
        "functools.partial(until, f, g, 1e-3) is then such a rule."
    ),
    stub='''
    from glmlab.maths.certificates import certificate_at


    def until(f, g, tol, state):
        """Is it proved that the relative gap of state.beta is at most tol?"""
        raise NotImplementedError
    ''',
    reference=until,
    hints=(
        "Which number bounds F(β) − F*, whatever the solver does, and relative to what should it be small?",
        "A small move, a flat F and a small residual prove nothing. certificate_at(f, g, state.beta) does.",
        "return certificate_at(f, g, state.beta).relative <= tol",
    ),
)


class Posed(Objective):
    """An Objective that an answer may ask: its passes are no change of it."""

    def __dask_tokenize__(self):
        return id(self)


class Case(NamedTuple):
    """A state, what is asked of it, and what is proved of it."""

    f: Objective
    g: object
    tol: float
    state: State
    proved: Certificate
    words: str


SETTINGS = (  # family, penalty, and the unit of y
    ("gaussian", Ridge(0.01), 1.0), ("gaussian", Ridge(0.01), 1e4), ("gaussian", Ridge(0.01), 1e-4),
    ("logistic", L1(0.1), 1.0), ("logistic", Ridge(0.01), 1.0), ("poisson", Ridge(0.01), 1.0),
)  # fmt: skip


def _posed(family, units):
    """The loss of 120 rows of five columns that are nearly equal: along their differences F hardly curves."""
    rng = np.random.default_rng([1100, len(family)])
    X = rng.normal(size=(120, 5))
    X = 0.01 * X + X[:, :1]
    eta, offset = X @ [0.5, -0.4, 0.3, -0.3, 0.2], np.zeros(120)
    if family == "gaussian":
        y = units * (eta + rng.normal(size=120))
    elif family == "logistic":
        y = (rng.random(120) < 1 / (1 + np.exp(-eta))).astype(float)
    else:  # large counts: |F| is far larger than its unit
        offset, y = offset + 6, rng.poisson(np.exp(eta + 6)).astype(float)
    f = Posed(family, as_chunks(X, y, offset=offset, threads=1), "numpy")
    f.look(np.zeros(5))
    return f


@functools.cache
def _cases():
    """States of a solver with steps far too short, states along the flattest direction, and one far away."""
    found = []
    for family, g, units in SETTINGS:
        f, words, tol = _posed(family, units), f"{family}, y times {units:g}: ", 1e-3
        best = _newton(f, g)
        loss, _, hess = f.loss_grad_hess(best)
        curves, directions = np.linalg.eigh(hess + g.l2 * np.eye(5))
        slow = 0.5 * best
        for k in range(3):  # three states in a row that hardly differ
            found.append(_case(f, g, tol, slow, f"{words}state {k + 1} of slow steps"))
            slow = slow - 1e-9 / curves[-1] * f.loss_grad(slow).grad
        for share in (100.0, 4.0, 0.04, 1e-6, 0.0):  # of tol: the gap by the quadratic model
            length = np.sqrt(2 * share * tol * f.scale.unit(loss + g.value(best)) / curves[0])
            flat = best + length * directions[:, 0]
            found.append(_case(f, g, tol, flat, f"{words}{share:g} tol along a flat direction"))
        found.append(_case(f, g, tol, best + 2 * units, f"{words}far away"))
    return found


def _newton(f, g):
    """The optimum, by the package's proximal Newton."""
    for state, _ in zip(proximal_newton(f, g, np.zeros(f.dim)), range(40), strict=False):
        beta = state.beta
    return np.array(beta)


def _case(f, g, tol, beta, words):
    with f.booked_apart():
        loss, grad = f.loss_grad(beta)
        state = State(np.array(beta), loss + g.value(beta), f.residual(beta, grad, g))
    return Case(f, g, tol, state, certificate_at(f, g, beta), words)


RULES = {  # hint: what a rule with this mistake says of a Case
    "residual is what the solver says, and proves nothing: along a flat direction it is small far from the optimum":
        lambda c: c.state.residual <= c.tol,
    "the squared residual estimates the gap that one coordinate alone would close; correlated columns hide the rest":
        lambda c: c.state.residual**2 <= c.tol,
    "bound has the unit of F, which changes with y: ask `relative`": lambda c: c.proved.bound <= c.tol,
    "|F| is no unit: terms in y alone may make it as large as you like; ask `relative`":
        lambda c: c.proved.bound <= c.tol * abs(c.state.objective),
    "kkt has the unit of a gradient, and is small along flat directions": lambda c: c.proved.kkt <= c.tol,
    "a rule that is never true never stops": lambda c: False,
    "it is True for every state: who has proved anything?": lambda c: True,
    "it is True where the gap is *not* proved to be small: turn the comparison": lambda c: c.proved.relative > c.tol,
    "every state has a certificate; what counts is whether it proves tol": lambda c: np.isfinite(c.proved.bound),
}  # fmt: skip


def _says(until, case):
    found = until(case.f, case.g, case.tol, case.state)
    found = found.item() if isinstance(found, np.generic) else found
    words = f"for {case.words} it returned {short(found)}; True or False is needed"
    require(isinstance(found, bool), words, "return the comparison itself: a <= b is True or False")
    return found


def _rule(until):
    """The hint of the mistake that says the same of all cases, None for an unknown one."""
    said = [_says(until, case) for case in _cases()]
    return next((hint for hint, rule in RULES.items() if said == [bool(rule(case)) for case in _cases()]), None)


def _proof_of(case):
    return f"{case.words}: the relative gap is proved to be at most {case.proved.relative:.2g}, tol = {case.tol:g}, "


@UNTIL.condition(
    "never true where tol is not proved",
    hint="a small move, or an F that hardly falls, says that the steps are short, not that β is near the optimum",
    errors=True,
)
def never_unproved(until):
    for case in _cases():
        said, words = _says(until, case), _proof_of(case)
        if case.proved.relative > case.tol:
            require(not said, words + "and it said True", lambda: _rule(until))


@UNTIL.condition("true where it is proved", hint="the certificate's relative gap is at most tol there: say True")
def where_proved(until):
    for case in _cases():
        said, words = _says(until, case), _proof_of(case)
        if case.proved.relative <= case.tol / 10:
            require(said, words + "and it said False", lambda: _rule(until))


@UNTIL.condition(
    "no solver's word counts", hint="the objective and the residual of a state are what the solver says: ask f itself"
)
def no_word(until):
    for case in _cases():
        if not case.tol / 10 < case.proved.relative <= case.tol:
            boasting = case.state._replace(objective=-1e9, residual=0.0, decrement=0.0)
            said, right = _says(until, case._replace(state=boasting)), case.proved.relative <= case.tol
            words = f"{case.words}: the same beta with objective −1e9 and residual 0, and it said {said}, not {right}"
            require(said == right, words, lambda: _rule(until))
