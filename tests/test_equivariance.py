"""Whoever writes the same model in other units gets the same model back.

A change of parameters (another unit of y, another exposure, other columns, rows in another order) turns a problem into
another one with the same minimiser, written differently. `CHANGES` lists them: each is a function from a problem and a
constant c to the new problem and the way back from its coefficients. `fit` of the new problem, taken back, must be
`fit` of the old one, at default settings, for every family, penalty and solver, in memory and on dask.

Coefficients are compared by what they do: coefficient j moves η by |β_j| max_i |x_ij| at most. Allowed are 1e-6 of the
largest such effect, or 1e-6 of a standard error where that is more. The intercept is compared on the same scale, and
its own effect, which may be as large as c, lends it nothing.
"""

import functools
from typing import NamedTuple

import dask
import dask.array as da
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from naive import CURVE, LOSS, Problem, draw

from glmlab import L1, ElasticNet, Ridge, Zero, certify, fit, path
from glmlab.maths.penalties import Penalty

FAMILIES = ("gaussian", "logistic", "poisson", "gamma")
PENALTIES = {"zero": (0.0, 0.0), "l1": (4.0, 0.0), "ridge": (0.0, 3.0), "elastic_net": (3.0, 2.0)}  # λ₁, λ₂
ANY_PENALTY = ("auto", "proximal_newton", "pilot_newton", "proximal_gradient", "fista", "consensus_admm")
SMOOTH_ONLY = ("newton", "lbfgs", "gradient_descent")
SOLVERS = ANY_PENALTY + SMOOTH_ONLY
FIRST_ORDER = ("proximal_gradient", "fista", "gradient_descent")  # no change may spoil their conditioning
SLOW_TO_MOVE = (*FIRST_ORDER, "consensus_admm")  # as the rounding of y + c reaches them first
CLOSE = 1e-6


def penalty(l1: float, l2: float) -> Penalty:
    """λ₁‖β‖₁ + (λ₂/2)‖β‖², under the name that a reader would use."""
    if l1 and l2:
        return ElasticNet(l1 + l2, l1 / (l1 + l2))
    return L1(l1) if l1 else Ridge(l2) if l2 else Zero()


def scaled(g, l1: float, l2: float) -> Penalty:
    """The penalty with λ₁ and λ₂ multiplied."""
    return penalty(g.l1 * l1, g.l2 * l2)


@functools.cache
def base(family: str, kind: str, intercept: bool = True) -> Problem:
    """A well-conditioned problem: first-order methods need hundreds of iterations, not thousands."""
    rng = np.random.default_rng([7, *family.encode()])
    X = rng.normal(size=(80, 3)) @ [[1, 0.3, 0], [0, 1, -0.4], [0, 0, 1]] * [0.7, 1.0, 1.4]
    w, o = rng.uniform(0.5, 2, 80), rng.normal(size=80) / 2
    y = draw(family, X @ [0.6, -0.4, 0.1] + 0.3 + o, rng)
    return Problem(family, penalty(*PENALTIES[kind]), X, y, w, o, intercept)


# The changes. Each returns the new problem and the function that takes (β, b) of the new one back to the old one.


def same(beta, b):
    """Nothing changes but the numbers."""
    return beta, b


def y_in_another_unit(problem, c):
    """y → cy. Least squares: the loss grows by c², the coefficients by c, so λ₁ → cλ₁ and λ₂ stays; o is in y's unit.

    Gamma: y e^(−η) stays where η grows by log c, which the intercept takes; the loss grows by a constant.
    """
    if problem.family == "gamma":
        return problem._replace(y=c * problem.y), lambda beta, b: (beta, b - np.log(c))
    new = problem._replace(y=c * problem.y, o=c * problem.o, penalty=scaled(problem.penalty, c, 1))
    return new, lambda beta, b: (beta / c, b / c)


def y_moved(problem, c):
    """y → y + c in spreads of y: the intercept takes it."""
    c = c * np.std(problem.y)
    return problem._replace(y=problem.y + c), lambda beta, b: (beta, b - c)


def offset_moved(problem, c):
    """o → o + log c: the intercept takes it. This is an exposure in another unit."""
    return problem._replace(o=problem.o + np.log(c)), lambda beta, b: (beta, b + np.log(c))


def columns_in_one_other_unit(problem, c):
    """X → cX, β → β/c: λ₁ → cλ₁, λ₂ → c²λ₂."""
    new = problem._replace(X=c * problem.X, penalty=scaled(problem.penalty, c, c**2))
    return new, lambda beta, b: (c * beta, b)


def columns_in_units_of_their_own(problem, c):
    """x_j → s_j x_j, β_j → β_j/s_j with s from 1 to c, one negative: no penalty survives that."""
    s = np.array([1, -np.sqrt(c), c])
    return problem._replace(X=s * problem.X), lambda beta, b: (s * beta, b)


def columns_moved(problem, c):
    """X → X + c: the intercept takes −c Σ β_j. This is a column of years."""
    return problem._replace(X=problem.X + c), lambda beta, b: (beta, b + c * beta.sum())


def weights_in_another_unit(problem, c):
    """w → cw: all of the loss grows by c, so the penalty must."""
    return problem._replace(w=c * problem.w, penalty=scaled(problem.penalty, c, c)), same


def labels_swapped(problem, c):
    """y → 1 − y, o → −o: β and b change their signs."""
    return problem._replace(y=1 - problem.y, o=-problem.o), lambda beta, b: (-beta, -b)


def rows_split(problem, c):
    """Each row in c equal parts of its weight, far from each other."""
    X, y, o, w = (np.concatenate([part] * int(c)) for part in (problem.X, problem.y, problem.o, problem.w / int(c)))
    return problem._replace(X=X, y=y, o=o, w=w), same


def rows_in_another_order(problem, c):
    """Sorted by y, the order in which rows look least alike from chunk to chunk."""
    order = np.argsort(problem.y, kind="stable")
    return problem._replace(**{name: getattr(problem, name)[order] for name in ("X", "y", "w", "o")}), same


def rows_cut_anew(problem, c):
    """Other chunks: one of 7 rows, one of 1, the rest. In memory nothing changes."""
    n = len(problem.y)
    return cut(problem, (7, 1, n - 8)) if dask.is_dask_collection(problem.X) else problem, same


class Change(NamedTuple):
    """One way to write the same model differently, and where it is one."""

    to: object  # (problem, c) → (new problem, way back)
    constants: tuple  # c, from the smallest to the largest
    families: tuple = FAMILIES
    penalties: tuple = tuple(PENALTIES)
    solvers: tuple = SOLVERS
    intercept: bool = True  # of the problem that is changed

    def __str__(self):
        return self.to.__name__


LIKE_NEWTON = tuple(solver for solver in SOLVERS if solver not in FIRST_ORDER)
MOVES_FAR = tuple(solver for solver in SOLVERS if solver not in SLOW_TO_MOVE)
CHANGES = (
    Change(y_in_another_unit, (1e-6, 1e3, 1e9), families=("gaussian", "gamma")),
    Change(y_in_another_unit, (1e-6, 1e3, 1e9), families=("gaussian",), intercept=False),
    Change(y_moved, (1e2, 1e4), families=("gaussian",), solvers=SLOW_TO_MOVE),
    Change(y_moved, (1e2, 1e4, 1e6), families=("gaussian",), solvers=MOVES_FAR),
    Change(offset_moved, (1e-6, 1e3, 1e9, 1e12)),
    Change(columns_in_one_other_unit, (1e-6, 1e3, 1e9), solvers=LIKE_NEWTON),
    Change(columns_in_one_other_unit, (1e-6, 1e3, 1e9), intercept=False),
    Change(columns_in_units_of_their_own, (1e-6, 1e3, 1e9), penalties=("zero",), solvers=LIKE_NEWTON),
    Change(columns_moved, (10.0, 1e3), solvers=MOVES_FAR),
    Change(weights_in_another_unit, (1e-6, 1e3, 1e9)),
    Change(labels_swapped, (1,), families=("logistic",)),
    Change(rows_split, (2, 7)),
    Change(rows_in_another_order, (1,)),
    Change(rows_cut_anew, (1,)),
)


def name(value):
    """Parts of a test's id."""
    return f"{value}{'' if value.intercept else '-without-intercept'}" if isinstance(value, Change) else str(value)


def cut(problem, lengths):
    """The same rows on dask, in chunks of these lengths."""
    parts = {part: np.asarray(getattr(problem, part)) for part in ("X", "y", "w", "o")}
    return problem._replace(
        **{part: da.from_array(rows, chunks=(lengths, *rows.shape[1:])) for part, rows in parts.items()}
    )


def placed(problem, place):
    """In memory as it is, or on dask in three chunks."""
    return problem if place == "memory" else cut(problem, tuple(map(len, np.array_split(problem.y, 3))))


def moved(change, problem, c, place):
    """The changed problem where its rows shall be, and the way back."""
    if change.to is rows_cut_anew:
        return change.to(placed(problem, place), c)
    new, back = change.to(problem, c)
    return placed(new, place), back


def allowed(problem, beta, b):
    """How far each coefficient, the intercept last, may be from another fit's."""
    full = np.append(beta, b)[: problem.columns.shape[1]]
    X, w, eta, y = (np.asarray(part, float) for part in problem.rows(full))
    reach = np.abs(X).max(axis=0)
    largest = max(reach[: len(beta)] * np.abs(beta))
    H = X.T @ (X * (w * CURVE[problem.family](eta, y))[:, None])
    H += np.diag(np.append(np.full(len(beta), problem.penalty.l2), 0.0)[: len(full)])
    error = np.sqrt(dispersion(problem.family, w, eta, y) * np.diag(np.linalg.inv(H)))
    return CLOSE * np.maximum(largest / reach, error)


def dispersion(family, w, eta, y):
    """What the curvature of the loss must be divided by before it is information: the deviance over n − p, or 1."""
    if family in ("logistic", "poisson"):
        return 1.0
    best = 0 if family == "gaussian" else 1 + np.log(y)
    return 2 * (w * (LOSS[family](eta, y) - best)).sum() / len(y)


def assert_close(problem, old, new):
    """(β, b) of two fits, both in the old coefficients."""
    off = np.abs(np.append(*new) - np.append(*old))[: problem.columns.shape[1]]
    limit = allowed(problem, *old)
    assert np.all(off <= limit), f"off by {(off / limit).max():.3g} times what is allowed: {new}, not {old}"


@functools.cache
def fitted(family, kind, intercept, solver, place):
    """β and b of the unchanged problem."""
    return proved(placed(base(family, kind, intercept), place), solver)


def proved(problem, solver):
    """β and b at default settings: converged, or the test fails with the status."""
    result = fit(
        problem.X, problem.y, family=problem.family, penalty=problem.penalty, fit_intercept=problem.intercept,
        sample_weight=problem.w, offset=problem.o, solver=solver,
    )  # fmt: skip
    assert result.converged, result.status
    return result.beta, result.intercept


def check(change, c, family, kind, solver, place):
    """fit(transformed), taken back, is fit."""
    problem = base(family, kind, change.intercept)
    new, back = moved(change, problem, c, place)
    assert_close(problem, fitted(family, kind, change.intercept, solver, place), back(*proved(new, solver)))


def kinds(change, solver):
    """The penalties that the change allows and the solver can minimise."""
    return [kind for kind in change.penalties if solver not in SMOOTH_ONLY or PENALTIES[kind][0] == 0]


def between(constants):
    """A strategy: the ends first, then anything between them, whole numbers for whole ones."""
    low, high = min(constants), max(constants)
    if isinstance(low, int):
        return st.sampled_from(constants)
    return st.sampled_from(constants) | st.floats(np.log(low), np.log(high)).map(lambda x: float(np.exp(x)))


@pytest.fixture(autouse=True)
def one_after_the_other():
    """Chunks of a few rows are fitted soonest without threads."""
    with dask.config.set(scheduler="synchronous"):
        yield


PAIRS = [(change, solver) for change in CHANGES for solver in change.solvers]


@pytest.mark.parametrize(("change", "solver"), PAIRS, ids=name)
@settings(max_examples=4, derandomize=True, deadline=None, phases=[Phase.generate])
@given(data=st.data())
def test_a_change_of_parameters_changes_nothing_else(change, solver, data):
    family = data.draw(st.sampled_from(change.families))
    kind = data.draw(st.sampled_from(kinds(change, solver)))
    check(change, data.draw(between(change.constants)), family, kind, solver, "memory")


@pytest.mark.parametrize(("change", "solver"), [pair for pair in PAIRS if pair[1] in ("auto", "lbfgs")], ids=name)
@settings(max_examples=2, derandomize=True, deadline=None, phases=[Phase.generate])
@given(data=st.data())
def test_nor_does_it_on_dask(change, solver, data):
    family = data.draw(st.sampled_from(change.families))
    kind = data.draw(st.sampled_from(kinds(change, solver)))
    check(change, data.draw(between(change.constants)), family, kind, solver, "dask")


TRIPLES = [(change, solver, family) for change, solver in PAIRS for family in change.families]


@pytest.mark.slow
@pytest.mark.parametrize("place", ["memory", "dask"])
@pytest.mark.parametrize(("change", "solver", "family"), TRIPLES, ids=name)
def test_every_change_with_every_penalty(change, solver, family, place):
    """The whole product; on dask at the largest constant only."""
    constants = change.constants if place == "memory" else change.constants[-1:]
    for kind in kinds(change, solver):
        for c in constants:
            check(change, c, family, kind, solver, place)


WITH_A_CENTRE = [change for change in CHANGES if change.to is not columns_moved]  # 2 % of β are 2000 % of η there


@pytest.mark.parametrize(
    ("change", "family"), [(change, family) for change in WITH_A_CENTRE for family in change.families], ids=name
)
def test_the_proof_of_the_same_coefficients_is_the_same(change, family):
    """`relative` is a pure number: at a β that is off by some per cent, it does not depend on units."""
    problem = base(family, "ridge" if "ridge" in change.penalties else "zero", change.intercept)
    for c in change.constants:
        new, back = moved(change, problem, c, "memory")
        beta, b = proved(new, "auto")
        proof = certify(new.X, new.y, beta * 1.02, family=family, penalty=new.penalty,
                        intercept=b if new.intercept else None, sample_weight=new.w, offset=new.o)  # fmt: skip
        old, b = back(beta * 1.02, b)
        here = certify(problem.X, problem.y, old, family=family, penalty=problem.penalty,
                       intercept=b if problem.intercept else None, sample_weight=problem.w,
                       offset=problem.o)  # fmt: skip
        assert proof.relative == pytest.approx(here.relative, rel=1e-3), c


SHARES = np.array([1.5, 0.5, 0.1, 0.02])  # of the λ at which a coefficient or two of ours vanish
PATHS = [change for change in CHANGES if change.penalties != ("zero",)]


def along(problem, solver, lams):
    """β and b at every λ of a path over multiples of the problem's penalty; all proved."""
    lams = lams * problem.penalty.lam
    found = path(
        problem.X, problem.y, family=problem.family, penalty=problem.penalty, lams=lams, solver=solver,
        fit_intercept=problem.intercept, sample_weight=problem.w, offset=problem.o,
    )  # fmt: skip
    assert found.converged, [result.status for result in found]
    assert np.allclose(found.lams, lams)
    return [(result.beta, result.intercept) for result in found]


@functools.cache
def followed(family, kind, intercept, solver):
    return along(base(family, kind, intercept), solver, 10 * SHARES)


def check_path(change, c, family, kind, solver, place="memory"):
    problem = base(family, kind, change.intercept)
    new, back = moved(change, problem, c, place)
    olds = followed(family, kind, change.intercept, solver)
    for share, old, found in zip(10 * SHARES, olds, along(new, solver, 10 * SHARES), strict=True):
        assert_close(problem._replace(penalty=scaled(problem.penalty, share, share)), old, back(*found))


FOLLOWED = [(change, solver) for change in PATHS for solver in ("auto", "fista") if solver in change.solvers]


@pytest.mark.parametrize(("change", "solver"), FOLLOWED, ids=name)
def test_a_path_changes_at_no_lambda(change, solver):
    """One family and penalty for each change, in turn; the slow test takes all."""
    turn = PATHS.index(change)
    family = change.families[turn % len(change.families)]
    check_path(change, change.constants[-1], family, ("l1", "elastic_net", "ridge")[turn % 3], solver)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "solver", "family"), [(*pair, family) for pair in FOLLOWED for family in pair[0].families], ids=name
)
def test_no_path_changes_at_any_lambda(change, solver, family):
    for kind in ("l1", "ridge", "elastic_net"):
        for c in change.constants:
            check_path(change, c, family, kind, solver)
    check_path(change, change.constants[-1], family, "l1", solver, "dask")


@pytest.mark.parametrize(("change", "family"), [(c, family) for c in PATHS for family in c.families], ids=name)
def test_the_largest_lambda_has_the_unit_of_the_penalty(change, family):
    """λ at which all coefficients vanish is λ₁ and so grows like it."""
    problem = base(family, "l1", change.intercept)
    for c in change.constants:
        new, _ = change.to(problem, c)
        largest = [
            path(part.X, part.y, family=family, n_lams=1, fit_intercept=part.intercept, sample_weight=part.w,
                 offset=part.o).lam_max / part.penalty.lam
            for part in (problem, new)
        ]  # fmt: skip
        assert largest[1] == pytest.approx(largest[0], rel=1e-6), c


# What anybody can check by hand. Two groups differ by the factor 2, whatever the exposure's or the amounts' unit is.


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("c", [1.0, 1e6, 1e8, 1e9, 1e12])
def test_twice_the_counts_are_log_2(c, solver):
    result = fit([[0], [1]], [20, 40], family="poisson", offset=np.full(2, np.log(c)), fit_intercept=True,
                 solver=solver)  # fmt: skip
    assert result.converged, result.status
    assert result.beta[0] == pytest.approx(np.log(2), abs=1e-6)
    assert result.intercept == pytest.approx(np.log(20) - np.log(c), abs=1e-6)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("c", [1.0, 1e3, 1e6, 1e9])
def test_twice_the_amounts_are_log_2(c, solver):
    result = fit([[0], [0], [1], [1]], c * np.array([1, 3, 2, 6]), family="gamma", fit_intercept=True, solver=solver)
    assert result.converged, result.status
    assert result.beta[0] == pytest.approx(np.log(2), abs=1e-6)
    assert result.intercept == pytest.approx(np.log(2 * c), abs=1e-6)


@pytest.mark.parametrize("solver", SOLVERS)
def test_seconds_since_1970_rise_by_one_a_second(solver):
    """The rows lie on a line: nothing is left to explain, at numbers of ten digits."""
    x = np.arange(6.0)
    result = fit(x[:, None], 1.7e9 + x, family="gaussian", fit_intercept=True, solver=solver)
    assert result.converged, result.status
    assert result.beta[0] == pytest.approx(1, abs=1e-6)
    assert result.intercept == pytest.approx(1.7e9, abs=5e-6)
