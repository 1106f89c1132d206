"""Real tables, whole and mutilated: every answer is right, or says Not converged.

Tables ship with statsmodels, scikit-learn and this package; their responses also serve, recoded, as labels, counts and
amounts. Optima come from the naive twin in extended precision, the existence of one from a linear program.
"""

import functools
import importlib
import random
import warnings
from typing import NamedTuple

import dask.array as da
import numpy as np
import pytest
from naive import SLOPE, Problem, joined, minimum, recedes
from sklearn import datasets as sklearn_datasets

from glmlab import L1, ElasticNet, NotConverged, RankWarning, Ridge, Zero, datasets, fit

STATSMODELS = ["anes96", "cancer", "ccard", "committee", "copper", "cpunish", "engel", "fair", "grunfeld", "longley",
               "modechoice", "randhie", "scotland", "spector", "stackloss", "star98", "statecrime",
               "strikes"]  # fmt: skip
SKLEARN = ["diabetes", "iris", "wine", "breast_cancer", "linnerud", "digits"]
SERIES = ["sunspots", "nile", "macrodata"]
TABLES = [*STATSMODELS, *SKLEARN, *SERIES, "flights"]
FAMILIES = ["gaussian", "logistic", "poisson", "gamma"]
PENALTIES = ["zero", "l1", "ridge", "elastic_net"]
SHARES = [0.5, 0.1, 1e-2, 1e-4]  # of the λ at which L1 leaves nothing
SECOND_ORDER = ["newton", "proximal_newton", "pilot_newton"]
FIRST_ORDER = ["fista", "proximal_gradient", "gradient_descent"]
OTHERS = [*SECOND_ORDER, *FIRST_ORDER]
ROWS = 240


@functools.cache
def table(name):
    """X (n, p) and y (n,), at most ROWS rows that are spread over the table."""
    X, y = load(name)
    X, y = np.asarray(X, float), np.asarray(y, float)
    step = -(-len(y) // ROWS)
    return X[::step], y[::step]


def load(name):
    if name == "flights":
        frame = datasets.flights().iloc[::1500]
        return datasets.flights_design(frame).to_numpy()[:, :20], frame.arr_delay
    if name in SKLEARN:
        X, y = getattr(sklearn_datasets, f"load_{name}")(return_X_y=True)
        return X[:, :40], y[:, 0] if y.ndim == 2 else y
    found = importlib.import_module(f"statsmodels.datasets.{name}").load_pandas()
    if name in SERIES:  # lags of one column, or all of the others
        columns = found.data.select_dtypes("number").dropna().to_numpy(float)
        return (columns[:, 3:], columns[:, 2]) if name == "macrodata" else (lags(columns[:, -1]), columns[4:, -1])
    y = found.endog if np.ndim(found.endog) == 1 else found.endog.iloc[:, 0] / found.endog.sum(axis=1)
    return found.exog.select_dtypes("number"), y


def lags(series):
    return np.column_stack([series[4 - k : len(series) - k] for k in range(1, 5)])


def recoded(y, family):
    """The response as the family wants it."""
    size = (y - y.min()) / (y.std() or 1.0)
    return {"gaussian": y, "logistic": (y > y.mean()).astype(float), "poisson": np.floor(3 * size),
            "gamma": size + 0.05}[family]  # fmt: skip


# --- what may have happened to a table --------------------------------------------------------------------------


def kept(X, y, rng):
    return {}


def duplicated(X, y, rng):
    return {"X": np.column_stack([X, X[:, 0]])}


def constant(X, y, rng):
    return {"X": np.column_stack([X, np.full(len(y), 3.0)])}


def zero(X, y, rng):
    return {"X": np.column_stack([np.zeros(len(y)), X])}


def one_hot(X, y, rng):
    """A column cut into four groups, one 0/1 column for each: with an intercept they are dependent."""
    groups = np.searchsorted(np.quantile(X[:, 0], [0.25, 0.5, 0.75]), X[:, 0])
    return {"X": np.column_stack([X, (groups[:, None] == np.arange(4)).astype(float)])}


def summed(X, y, rng):
    """A column that is the sum of two others, to the last bit: their entries have half the digits."""
    X = X.astype(np.float32).astype(float)
    return {"X": np.column_stack([X, X[:, 0] + 2 * X[:, -1]])}


def scaled(X, y, rng):
    return {"X": X * rng.choice([1e-12, 1.0, 1e12], X.shape[1])}


def sorted_by_y(X, y, rng):
    order = np.argsort(y, kind="stable")
    return {"X": X[order], "y": y[order]}


def sorted_by_column(X, y, rng):
    order = np.argsort(X[:, 0], kind="stable")
    return {"X": X[order], "y": y[order]}


def few_rows(X, y, rng):
    """Fewer rows than columns, or as few as there can be."""
    rows = rng.permutation(len(y))[: max(X.shape[1] - 1, 3)]
    return {"X": X[rows], "y": y[rows]}


def separable(X, y, rng):
    column = X[:, X.std(axis=0).argmax()]
    return {"y": (column > column.mean()) * (1.0 + np.ptp(y)) + 0.05}


def weighted(X, y, rng):
    return {"w": rng.integers(0, 3, len(y)) * rng.choice([1e-6, 1.0, 1e3])}


def shifted(X, y, rng):
    return {"o": rng.normal(size=len(y)) / 2}


def far_away(X, y, rng):
    return {"X": X + 1e6 * X.std(axis=0)}


def nearly_dependent(X, y, rng):
    return {"X": np.column_stack([X, X[:, 0] * (1 + 1e-7 * rng.normal(size=len(y)))])}


CHANGES = [kept, duplicated, constant, zero, one_hot, summed, scaled, sorted_by_y, sorted_by_column, few_rows,
           separable, weighted, shifted, far_away, nearly_dependent]  # fmt: skip


# --- cases ------------------------------------------------------------------------------------------------------


class Case(NamedTuple):
    table: str
    family: str
    penalty: str
    change: object
    intercept: bool
    solver: str
    place: str
    seed: int

    def __str__(self):
        *names, change, intercept, solver, place, seed = self
        return "-".join([*names, change.__name__, "intercept" * intercept, solver, place, str(seed)])

    def problem(self):
        rng = np.random.default_rng(self.seed)
        X, y = table(self.table)
        changed = {"X": X, "y": y, "w": None, "o": None} | self.change(X, y, rng)
        y = recoded(changed["y"], self.family)
        problem = Problem(self.family, Zero(), changed["X"], y, changed["w"], changed["o"], self.intercept)
        lam = SHARES[self.seed % len(SHARES)] * scale(problem)
        penalty = {"zero": Zero(), "l1": L1(lam), "ridge": Ridge(lam), "elastic_net": ElasticNet(lam, 0.5)}
        return problem._replace(penalty=penalty[self.penalty])

    def answer(self, problem, **options):
        """The Result, without its warnings; on dask the rows lie in uneven chunks."""
        data = [*problem.data, *problem.extras.values()]
        if self.place == "dask":
            cuts = np.unique([0, len(problem.y) // 5, len(problem.y) // 2, len(problem.y) // 2 + 1, len(problem.y)])
            rows = tuple(int(n) for n in np.diff(cuts))
            data = [None if c is None else da.from_array(c, chunks=(rows, *c.shape[1:])) for c in data]
        X, y, w, o = data
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotConverged)
            warnings.simplefilter("ignore", RankWarning)
            return fit(X, y, sample_weight=w, offset=o, family=self.family, penalty=problem.penalty,
                       fit_intercept=self.intercept, solver=self.solver, threads=1 if self.place == "memory" else None,
                       max_iter=100 if self.solver in FIRST_ORDER else None, **options)  # fmt: skip


def cases(count, seed):
    """Every other case is of the solver that `fit` chooses; tables, families and changes take turns."""
    rng = random.Random(seed)
    for k in range(count):
        penalty = rng.choice(PENALTIES)
        smooth = penalty in ("zero", "ridge")
        others = [solver for solver in OTHERS if smooth or solver not in ("newton", "gradient_descent")]
        solver = "auto" if k % 2 else rng.choice(others)
        change = CHANGES[(k // 2 + k // len(CHANGES)) % len(CHANGES)]
        yield Case(rng.choice(TABLES), rng.choice(FAMILIES), penalty, change, rng.random() < 0.6, solver,
                   rng.choice(["memory", "memory", "dask"]), k)  # fmt: skip


def scale(problem):
    """max_j Σ w|x_ij ℓ′(0)|, above which λ leaves nothing."""
    X, w, eta, y = problem.rows(np.zeros(problem.columns.shape[1]))
    return float((np.abs(X).T @ (w * np.abs(SLOPE[problem.family](eta, y)))).max()) or 1.0


class Verdict(NamedTuple):
    """What is true of an answer."""

    attained: bool  # does F have a minimiser?
    gap: float  # F(β) − F*, up to
    blur: float  # what extended precision cannot see
    unit: float  # S, what relative gaps are relative to

    def visible(self, tol):
        """Can F be told from F* in floats? Columns far from 0 make η a difference of large numbers."""
        return self.blur / np.finfo(np.longdouble).eps * np.finfo(float).eps <= tol * self.unit

    def wrong(self, result, tol):
        """What the answer claims that is not so; empty for an honest one."""
        proof, reasons = result.certificate, []
        if result.converged and not proof.relative <= tol:
            reasons.append("converged is not what was proved")
        if not self.attained and np.isfinite(proof.bound):
            reasons.append("a bound without a minimum")
        if self.attained and not self.gap <= proof.bound + self.blur:
            reasons.append(f"gap {self.gap:.3g} above the bound {proof.bound:.3g}")
        if result.converged and not self.gap <= tol * self.unit + self.blur:
            reasons.append(f"relative gap {self.gap / self.unit:.2g}")
        return ", ".join(reasons)


@np.errstate(over="ignore")
def judged(problem, result):
    beta, best = joined(result, problem.intercept), minimum(problem)
    value = problem.value(beta)
    lowest = min(problem.value(best), value) if np.isfinite(value) else problem.value(best)
    blur = problem.blur(beta) + problem.blur(best)
    return Verdict(not recedes(problem), float(value - lowest), blur, float(problem.unit(beta)))


def check(case):
    """Nothing is claimed that is not so; and methods of second order find every minimum that is there."""
    problem, tol = case.problem(), (1e-6, 1e-9)[case.seed % 3 > 0]
    result = case.answer(problem, tol=tol)
    verdict = judged(problem, result)
    assert not verdict.wrong(result, tol), (verdict, result)
    if case.solver in FIRST_ORDER:
        return
    assert result.converged == verdict.attained or not verdict.visible(tol), (verdict, result)
    if not verdict.attained:
        assert "no minimum exists" in result.status
    elif result.converged:
        assert verdict.gap <= (1e-12 if tol <= 1e-9 else tol) * verdict.unit + verdict.blur, (verdict, result)


@pytest.mark.parametrize("case", [*cases(120, 0)], ids=str)
def test_right_or_not_converged(case):
    check(case)


@pytest.mark.slow
@pytest.mark.parametrize("case", [*cases(600, 1)], ids=str)
def test_right_or_not_converged_at_length(case):
    check(case)


def test_every_table_family_penalty_solver_and_change_is_among_the_cases():
    tried = [*cases(120, 0)]
    for choices, of in ((TABLES, 0), (FAMILIES, 1), (PENALTIES, 2), (CHANGES, 3), (["auto", *OTHERS], 5)):
        assert {case[of] for case in tried} == set(choices)
    assert {recedes(case.problem()) for case in tried} == {False, True}
