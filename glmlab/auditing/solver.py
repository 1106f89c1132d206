"""`check_solver`: a reader's generator on small problems of every family and penalty that it claims."""

import inspect
from typing import NamedTuple

import dask
import numpy as np

from glmlab.auditing.audit import Check, Fault, audited, demand
from glmlab.auditing.outcomes import outcome
from glmlab.auditing.problems import posed_penalty, problems
from glmlab.auditing.walks import Walk, described, fields_of, is_generator
from glmlab.maths.families import PLAIN
from glmlab.maths.penalties import PENALTIES
from glmlab.policy import Auditing
from glmlab.rows.faults import current_client
from glmlab.solvers import resolve, unsuited
from glmlab.solvers.start import null_start
from glmlab.words import count_text


def check_solver(solver, *, families=PLAIN, penalties=None, raises=False, policy=Auditing(), **options):
    """Try a solver on small problems, in memory and on dask, and say in sentences what is missing or wrong.

    Parameters
    ----------
    solver : function or str
        A generator function `solver(f, g, start, **options)`, or the name of a built-in one.
    families, penalties : list of names or objects, optional
        What it claims to solve; every family is tried with every penalty. By default a solver claims all that the
        package has, and a built-in one what it can.
    raises : bool, default False
        Whether to raise AssertionError, with the same text, where a check does not hold.
    policy : glmlab.policy.Auditing
        How a solver is tried.
    **options
        Go to the solver.

    Returns
    -------
    Audit
        It is true where every check holds.

    Raises
    ------
    AssertionError
        If `raises` and a check does not hold.
    TypeError, ValueError
        For an option that the solver does not have, and for what is no solver.

    Examples
    --------
    >>> from glmlab import check_solver
    >>> bool(check_solver("newton", families=["gaussian"], penalties=["ridge"]))
    True
    """
    method = resolve(solver, PENALTIES["zero"](), options, callers=[check_solver])
    claimed = [name for name in PENALTIES if penalties is None and can(method, name)]
    posed = problems(families, penalties or claimed)
    trial = Trial(method.function, posed, options, policy)
    return audited(f"check_solver({method.name})", CHECKS, trial, raises)


def can(method, penalty):
    """Can this Method solve problems with a penalty of this name? Of a reader's own nothing is known: it claims all."""
    return not method.needs or not unsuited(method.needs, posed_penalty(penalty, 1.0))


class Trial:
    """A solver, its problems, and what was found so far."""

    def __init__(self, solver, posed, options, policy=Auditing()):
        self.solver, self.problems, self.options, self.policy = solver, posed, options, policy
        self.ends, self.seen = None, {}

    def walk(self, problem, **how):
        return Walk(self.solver, problem, self.options, policy=self.policy, **how)

    def few(self, problem):
        """The first states on a problem, and the walk that gave them; made once."""
        key = id(problem)
        if key not in self.seen:
            walk = self.walk(problem)
            walk.take(self.policy.states)
            self.seen[key] = walk
        return self.seen[key]

    @property
    def outcomes(self):
        """How each problem ended, made once."""
        if self.ends is None:
            self.ends = [outcome(self.walk, problem, self.policy) for problem in self.problems]
        return self.ends


# --- how it is called, and what it yields first -----------------------------------------------------------------


def signature(trial):
    """solver(f, g, start) gives a generator of states."""
    solver, given = trial.solver, f"{name_of(trial.solver)}(f, g, start)"
    try:
        inspect.signature(solver).bind(None, None, None, **trial.options)
    except TypeError as error:
        cure = "a solver takes f, g and start; every other parameter needs a default, or a value: "
        raise Fault(f"{given} cannot be called: {error}", f"{cure}check_solver(…, step=0.1)") from None
    walk = trial.walk(trial.problems[0])
    cure = "write `yield State(beta, …)` inside of its loop, in place of return"
    demand(is_generator(walk.states), f"{given} returns {described(walk.states)}; states are needed, one by one", cure)
    first = walk.take(1)
    demand(first, f"on {walk.where} it yields no state", "yield a state before the first update")


def lazy(trial):
    """No work before it is asked for."""
    walk = trial.walk(trial.problems[0])
    made = walk.f.passes - walk.before
    cure = "do all work inside of the generator: nothing may run before the first next()"
    demand(made == 0, f"on {walk.where} the call alone makes {count_text(made, 'pass')}", cure)
    for problem in (p for p in trial.problems if not getattr(p.family, "quadratic", False)):
        walk = trial.few(problem)
        passes = [seen.passes for seen in walk.seen]
        moved = len({seen.beta.tobytes() for seen in walk.seen}) > 1
        ahead = moved and passes[0] == passes[-1] and passes[0] >= trial.policy.eager
        made = count_text(passes[0], "pass")
        what = f"on {walk.where} it makes {made} before its first state, and none between its states"
        demand(not ahead, what, "yield inside of the loop, so that whoever stops after five states pays for five")


def starts(trial):
    """The first state is at `start`, wherever that is."""
    for problem in trial.problems:
        point = null_start(problem.objective())
        points = [point, point + np.linspace(0.1, 0.3, len(point))]
        firsts = [first_of(trial.walk(problem, start=start)) for start in points]
        if all(np.array_equal(first.beta, start) for first, start in zip(firsts, points, strict=True)):
            continue
        where = firsts[1].where
        if np.array_equal(firsts[0].beta, firsts[1].beta):
            cure = "begin with beta = start; the caller may know a good one"
            raise Fault(f"on {where} its first state is the same from two different starts: start is ignored", cure)
        cure = "evaluate, yield, then update; the first state is that of beta = start"
        raise Fault(f"on {where} its first state is not at start: it is yielded after the first update", cure)


class First(NamedTuple):
    beta: np.ndarray
    where: str


def first_of(walk):
    seen = walk.take(1)
    demand(seen, f"on {walk.where} it yields no state", "yield a state before the first update")
    return First(seen[0].beta, walk.where)


def keeps_start(trial):
    """What it is given stays as it was."""
    for problem in trial.problems:
        start = null_start(problem.objective()) + 0.1
        before, walk = start.copy(), trial.walk(problem, start=start)
        walk.take(trial.policy.states)
        cure = "start may be shared; `beta = start.copy()`, or make a new array in each update: beta = beta - …"
        demand(np.array_equal(start, before), f"on {walk.where} it changes the array start", cure)


def keeps_states(trial):
    """What was yielded stays as it was."""
    for problem in trial.problems:
        walk = trial.few(problem)
        for k, seen in enumerate(walk.seen):
            again = any(seen.state is later.state for later in walk.seen[k + 1 :])
            cure = "make a new State each time: whoever keeps a list of states wants them all"
            demand(not again, f"on {walk.where} it yields the same object again and again", cure)
            now = {"beta": np.asarray(seen.state.beta, dtype=float), **fields_of(seen.state)}
            for name, was in {**seen.arrays, "beta": seen.beta}.items():
                cure = "yield a copy, or make a new array in each update"
                same = np.array_equal(now[name], was, equal_nan=True)
                demand(same, f"on {walk.where} the {name} of state {k + 1} has changed since it was yielded", cure)


# --- what the states say ----------------------------------------------------------------------------------------


def objectives(trial):
    """The objective of a state, where it has one, is F at its β."""
    for problem in trial.problems:
        walk, twin = trial.few(problem), problem.objective()
        values = [twin.loss(seen.beta) for seen in walk.seen]
        totals = [loss + problem.g.value(seen.beta) for loss, seen in zip(values, walk.seen, strict=True)]
        for k, seen in enumerate(walk.seen):
            said = getattr(seen.state, "objective", None)
            if said is None:
                continue
            demand(np.ndim(said) == 0, f"on {walk.where} an objective is {described(said)}", "it must be one number")
            if not agree(said, totals[k], trial.policy.same):
                others = {
                    "the loss alone: add g.value(beta)": values[k],
                    "F at the state before: evaluate f at the β that is yielded": totals[k - 1] if k else None,
                    "F at the next state: yield before you update": totals[k + 1] if k + 1 < len(totals) else None,
                    "a mean over the rows: F is a sum, f is not divided by n": totals[k] / twin.n,
                    "F with a penalised intercept: use g.value, which leaves the intercept free":
                        values[k] + problem.penalty.value(seen.beta),
                }  # fmt: skip
                is_this = next((hint for hint, value in others.items()
                                if value is not None and agree(said, value, trial.policy.same)), None)  # fmt: skip
                where = f"on {walk.where} the objective of state {k + 1} is {float(said):.10g}, but F at its beta is"
                cure = f"it is {is_this}" if is_this else "objective must be f(beta) + g(beta) of the same beta"
                raise Fault(f"{where} {totals[k]:.10g}", cure)


def residuals(trial):
    """The residual of a state, where it has one, is f.residual at its β."""
    for problem in trial.problems:
        walk, twin = trial.few(problem), problem.objective()
        twin.look(null_start(twin))
        for k, seen in enumerate(walk.seen):
            said = getattr(seen.state, "residual", None)
            if said is None or not np.isfinite(seen.beta).all():
                continue
            grad = twin.loss_grad(seen.beta).grad
            allowed = []
            for diagonal in (seen.diagonal, walk.f.diagonal, twin.diagonal):
                twin.diagonal = diagonal
                allowed.append(twin.residual(seen.beta, grad, problem.g))
            near = any(agree(said, right, 1e3 * trial.policy.same, 1e-9) for right in allowed)
            what = f"on {walk.where} the residual of state {k + 1} is {float(said):.6g}, not {allowed[0]:.6g}"
            demand(near, what, lambda g=grad, s=seen, p=problem, said=said: residual_cure(said, g, s.beta, p))


def residual_cure(said, grad, beta, problem):
    distance = problem.g.distance(beta, grad)
    known = {
        "that is the unscaled KKT residual": distance.max(),
        "that is the length of the gradient": np.linalg.norm(grad),
        "that is the largest entry of the gradient": np.abs(grad).max(),
        "that is the length of the unscaled KKT residual": np.linalg.norm(distance),
    }
    found = next((words for words, value in known.items() if agree(said, value, 1e-6)), "it has another beta or scale")
    return f"{found}; write f.residual(beta, grad, g) with the gradient at the beta that is yielded, or leave it out"


def agree(one, other, share, least=0.0):
    """Are two numbers equal but for rounding? Infinities and nan agree with each other."""
    if not (np.isfinite(one) and np.isfinite(other)):
        return not np.isfinite(one) and not np.isfinite(other)
    return abs(one - other) <= share * max(abs(one), abs(other)) + least


# --- one run beside another -------------------------------------------------------------------------------------


def repeats(trial):
    """Two runs do not know of each other."""
    for problem, other in zip(trial.problems, trial.problems[1:] + trial.problems[:1], strict=True):
        first, again, beside = trial.few(problem), trial.walk(problem), trial.walk(other)
        for _ in range(trial.policy.states):  # another run goes on between any two states
            again.take(1)
            beside.take(1)
        cure = ("keep everything in local variables of the generator (no global, no attribute, no mutable default), "
                "and give random numbers a seed")  # fmt: skip
        same_walk(first, again, 0.0, f"on {first.where} a second run yields other states than the first", cure)


def on_dask(trial):
    """The same states from dask arrays, on the cluster of the current client if there is one."""
    for problem in trial.problems:
        first = trial.few(problem)
        with dask.config.set({} if current_client() else {"scheduler": "sync"}):
            lazy = trial.walk(problem, dask=True)
            lazy.take(trial.policy.states)
        cure = "all that it knows of the rows must come from passes of f, which are the same on dask"
        same_walk(first, lazy, trial.policy.same, f"on {first.where} it yields other states from dask arrays", cure)


def same_walk(one, other, share, what, cure):
    """Raises Fault where the states of two walks differ by more than a share of the largest coefficient."""
    demand(len(one.seen) == len(other.seen), f"{what} ({len(one.seen)} and {len(other.seen)} of them)", cure)
    for k, (a, b) in enumerate(zip(one.seen, other.seen, strict=True)):
        far = np.abs(a.beta - b.beta).max() > share * max(np.abs(a.beta).max(), 1.0)
        demand(not far and a.beta.shape == b.beta.shape, f"{what}, from state {k + 1} on", cure)


# --- where it leads ---------------------------------------------------------------------------------------------


def solves(trial):
    """It runs on everything that it claims."""
    of_kind(trial, "raises")


def free_intercept(trial):
    """The intercept is not penalised."""
    of_kind(trial, "intercept")


def same_penalty(trial):
    """λ is that of g."""
    of_kind(trial, "lambda")


def finite(trial):
    """It does not diverge."""
    of_kind(trial, "diverges")


def certified(trial):
    """It reaches a certified gap."""
    of_kind(trial, "stops", "slow")


def of_kind(trial, *kinds):
    """Raises the first Fault of these kinds, and says on how many problems it is so."""
    faults = [found.fault for found in trial.outcomes if found.kind in kinds]
    if faults:
        more = f" ({len(faults)} of {len(trial.outcomes)} problems end so)" if len(faults) > 1 else ""
        raise Fault(faults[0].what + more, faults[0].cure)


def name_of(solver):
    return getattr(solver, "__name__", type(solver).__name__)


CHECKS = (
    Check("signature", signature, "it takes f, g and start, and yields states with a beta", vital=True),
    Check("claims", solves, "it runs on every family and penalty that it claims, on several chunks and on one",
          vital=True),  # fmt: skip
    Check("laziness", lazy, "it does no work before a state is asked for"),
    Check("start", starts, "its first state is at start, wherever start is"),
    Check("input", keeps_start, "it leaves start as it was"),
    Check("states", keeps_states, "what it has yielded stays as it was: a list of states is safe"),
    Check("objective", objectives, "objective, where given, is F at the beta that is yielded"),
    Check("residual", residuals, "residual, where given, is f.residual at the beta that is yielded"),
    Check("repetition", repeats, "two runs, one beside the other, do not know of each other"),
    Check("intercept", free_intercept, "the intercept is not penalised"),
    Check("lambda", same_penalty, "the penalty counts as given, against a loss that is a sum over rows"),
    Check("divergence", finite, "F does not grow"),
    Check("certificate", certified, "every problem ends with a certified gap"),
    Check("dask", on_dask, "its states are the same from dask arrays"),
)
