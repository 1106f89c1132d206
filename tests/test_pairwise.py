"""fit on every pair of choices: family, penalty, solver, kernels, where rows are, intercept, weights, offset, data."""

import functools
import itertools
import random
import warnings

import dask
import dask.array as da
import numpy as np
import pytest
import statsmodels.api as sm
from kernel_sets import NAMES
from naive import Problem, draw, optimum
from scipy.optimize import minimize
from sklearn import linear_model

from glmlab import L1, ElasticNet, NotConverged, Ridge, Zero, datasets, fit

CHOICES = {
    "family": ["gaussian", "logistic", "poisson", "gamma"],
    "penalty": [Zero(), L1(5.0), Ridge(2.0), ElasticNet(6.0, 0.5)],
    "solver": [
        "auto", "newton", "proximal_newton", "pilot_newton", "lbfgs", "consensus_admm", "fista", "proximal_gradient",
        "gradient_descent",
    ],
    "where": ["memory", "dask 1", "dask 7", "dask uneven"],
    "kernels": NAMES,
    "data": ["random", "flights"],
    "intercept": [False, True],
    "weighted": [False, True],
    "shifted": [False, True],
}
SMOOTH = ("newton", "lbfgs", "gradient_descent")
FIRST_ORDER = ("fista", "proximal_gradient", "gradient_descent")  # ADMM reaches what second-order methods reach


def admissible(case):
    return case["penalty"].smooth or case["solver"] not in SMOOTH


def pairs(case):
    """Every two choices of a case, as (name, value, name, value)."""
    return {(*a, *b) for a, b in itertools.combinations(case.items(), 2)}


def draw_case(rng):
    while True:
        case = {name: rng.choice(values) for name, values in CHOICES.items()}
        if admissible(case):
            return case


def wanted():
    """Every pair that some admissible case holds."""
    every = set()
    for (a, first), (b, second) in itertools.combinations(CHOICES.items(), 2):
        every |= {(a, x, b, y) for x in first for y in second if a != "penalty" or b != "solver" or x.smooth
                  or y not in SMOOTH}  # fmt: skip
    return every


@functools.cache
def table():
    """Cases that hold all of these: always the best of 100 drawn ones."""
    rng, missing, cases = random.Random(0), wanted(), []
    while missing:
        best = max((draw_case(rng) for _ in range(100)), key=lambda case: len(pairs(case) & missing))
        if pairs(best) & missing:
            cases.append(best)
            missing -= pairs(best)
    return cases


def name(case):
    return "-".join(str(value) for value in case.values())


@functools.cache
def flights():
    """Columns known when the ticket is sold that 2,000 rows can tell apart, and the delay in minutes."""
    frame = datasets.flights().iloc[::163]
    X = datasets.flights_design(frame)
    common = [column for column in X if X[column].astype(bool).sum() > 60]
    return X[common].to_numpy()[:, :12], frame.arr_delay.to_numpy(dtype=float)


def rows(case):
    """X and y that make sense for the family."""
    if case["data"] == "random":
        rng = np.random.default_rng([1, *case["family"].encode()])
        X = rng.normal(size=(1500, 6)) * np.linspace(0.3, 1, 6)
        return X, draw(case["family"], X @ rng.normal(size=6) / 2 + 0.2, rng)
    X, delay = flights()
    late = np.maximum(delay, 0)
    y = {"gaussian": delay, "logistic": (delay > 15) * 1.0, "poisson": late // 30, "gamma": late[late > 0]}
    return X[late > 0] if case["family"] == "gamma" else X, y[case["family"]]


def problem(case):
    X, y = rows(case)
    rng = np.random.default_rng(2)
    w = rng.integers(0, 4, len(y)) / 2 if case["weighted"] else None
    o = rng.normal(size=len(y)) / 4 if case["shifted"] else None
    return Problem(case["family"], case["penalty"], X, y, w, o, case["intercept"])


def placed(values, where):
    """A column in memory, or on dask in 1, 7 or uneven chunks."""
    if values is None or where == "memory":
        return values
    n = len(values)
    half, seventh = n // 2, n // 7
    sevenths = (*(6 * [seventh]), n - 6 * seventh)
    lengths = {"dask 1": (n,), "dask 7": sevenths, "dask uneven": (1, half, 7, n - half - 8)}
    return da.from_array(values, chunks=(lengths[where], *values.shape[1:]))


def test_the_table_holds_every_pair_and_is_short():
    held = set().union(*map(pairs, table()))
    assert held >= wanted() and all(map(admissible, table())) and len(table()) < 60
    count = sum(len(a) * len(b) for a, b in itertools.combinations(CHOICES.values(), 2))
    assert len(wanted()) == count - 6, "three solvers cannot take two penalties, nothing else is left out"


@pytest.mark.parametrize("case", table(), ids=name)
def test_fit_reaches_a_certified_gap(case):
    here = problem(case)
    tol = 1e-6 if case["solver"] in FIRST_ORDER else 1e-9
    columns = [placed(values, case["where"]) for values in (here.X, here.y, here.w, here.o)]
    with dask.config.set(scheduler="synchronous"):
        result = fit(
            *columns[:2], sample_weight=columns[2], offset=columns[3], family=case["family"], penalty=case["penalty"],
            solver=case["solver"], fit_intercept=case["intercept"], kernels=case["kernels"], tol=tol,
        )  # fmt: skip
    assert result.kernels == case["kernels"]
    assert result.converged and result.certificate.relative <= tol, result.status
    beta = np.append(result.beta, [result.intercept] * case["intercept"])
    value = here.value(beta)
    scale = max(abs(value), abs(here.value(0 * beta)))
    assert -1e-13 * scale <= value - here.value(optimum(here)) <= result.certificate.bound
    assert result.objective == pytest.approx(float(value), rel=1e-12)


# --- pairs that cannot be ------------------------------------------------------------------------------------------


class Box:
    """A reader's penalty, of which only the prox is known: 0 where all |β_j| ≤ 0.2, else infinite."""

    def value(self, beta):
        return 0.0 if np.all(np.abs(beta) <= 0.2) else np.inf

    def prox(self, v, step):
        return np.clip(v, -0.2, 0.2)

    def distance(self, beta, grad):
        return np.where((np.abs(beta) == 0.2) & (grad * beta < 0), 0.0, np.abs(grad))


class Softly(Box):
    """A reader's smooth penalty, Σ √(1 + β²) − 1, of which only the derivative is known."""

    smooth, prox = True, property()

    def value(self, beta):
        return np.sum(np.sqrt(1 + beta**2) - 1)

    def grad(self, beta):
        return beta / np.sqrt(1 + beta**2)

    def distance(self, beta, grad):
        return np.abs(grad + self.grad(beta))


SOLVER_NAMES = [*CHOICES["solver"], "post_admm"]
NO_DERIVATIVE = "no derivative at 0; use proximal_newton, fista"
ANOTHER_FORM = "of another form; use fista or consensus_admm"
REFUSED = {
    **{(solver, g): NO_DERIVATIVE for solver in SMOOTH for g in (L1(5.0), ElasticNet(6.0, 0.5))},
    **{(solver, g): ANOTHER_FORM for solver in ("newton", "proximal_newton", "pilot_newton", "lbfgs")
       for g in ("box", "softly")},
    ("gradient_descent", "box"): "needs a derivative, and this penalty has no smooth = True",
    **{(solver, "softly"): "needs its prox" for solver in ("auto", "fista", "proximal_gradient", "consensus_admm",
                                                            "post_admm")},
}  # fmt: skip


@pytest.mark.parametrize("penalty", [*CHOICES["penalty"], "box", "softly"], ids=str)
@pytest.mark.parametrize("solver", SOLVER_NAMES)
def test_a_pair_is_taken_or_refused_by_name_and_reason(solver, penalty):
    """Every solver, the historical one too, with every form of penalty; nothing ends in an error from the inside."""
    X, y = rows({"family": "logistic", "data": "random"})
    g = {"box": Box(), "softly": Softly()}.get(penalty, penalty)
    why, options = REFUSED.get((solver, penalty)), {"family": "logistic", "solver": solver, "penalty": g}
    if why:
        name = "fista" if solver == "auto" else solver
        with pytest.raises(ValueError, match=f"^{name} cannot minimise .*{why}"):
            fit(X, y, **options)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotConverged)
            result = fit(X, y, max_iter=50, **options)
        assert result.objective < 0.95 * len(y) * np.log(2), "much lower than at 0"


@pytest.mark.parametrize("start", ["pilot", "average", "one-step"])
def test_starts_that_solve_small_problems_refuse_a_penalty_of_another_form(start):
    with pytest.raises(ValueError, match=f"start='{start}' solves .*Box.* of another form; give 6 numbers"):
        fit(*rows({"family": "logistic", "data": "random"}), family="logistic", penalty=Box(), start=start)


def test_the_prox_alone_reaches_the_optimum():
    X, y = rows({"family": "logistic", "data": "random"})
    here = Problem("logistic", Zero(), X, y, None, None, False)
    theirs = minimize(lambda b: float(here.loss(b)), np.zeros(6), jac=lambda b: here.grad(b).astype(float),
                      bounds=[(-0.2, 0.2)] * 6, tol=1e-14)  # fmt: skip
    for solver in ("auto", "proximal_gradient", "consensus_admm"):
        with pytest.warns(NotConverged, match="nothing can be proved"):
            found = fit(X, y, family="logistic", penalty=Box(), solver=solver, tol=1e-8)
        np.testing.assert_allclose(found.beta, theirs.x, atol=1e-6)


# --- the same numbers from elsewhere ------------------------------------------------------------------------------


def case_of(family, penalty, data, *, intercept=True, weighted=False, shifted=False):
    return problem({"family": family, "penalty": penalty, "data": data, "intercept": intercept, "weighted": weighted,
                    "shifted": shifted})  # fmt: skip


def agree(here, coefficients, intercept=0.0, tol=1e-6):
    ours = here.fit(tol=1e-12)
    np.testing.assert_allclose(ours.beta, np.ravel(coefficients), rtol=tol, atol=tol)
    assert ours.intercept == pytest.approx(float(np.squeeze(intercept)), rel=tol, abs=tol)


@pytest.mark.parametrize("data", CHOICES["data"])
@pytest.mark.parametrize("weighted", [False, True])
def test_scikit_learn_logistic_ridge(data, weighted):
    here = case_of("logistic", Ridge(2.0), data, weighted=weighted)
    theirs = linear_model.LogisticRegression(C=0.5, solver="newton-cholesky", tol=1e-10)
    theirs.fit(here.X, here.y, sample_weight=here.w)
    agree(here, theirs.coef_, theirs.intercept_)


@pytest.mark.parametrize("data", CHOICES["data"])
def test_scikit_learn_logistic_lasso(data):
    here = case_of("logistic", L1(5.0), data)
    theirs = linear_model.LogisticRegression(C=0.2, l1_ratio=1.0, solver="saga", tol=1e-10, max_iter=100_000)
    theirs.fit(here.X, here.y)
    agree(here, theirs.coef_, theirs.intercept_)


@pytest.mark.parametrize("data", CHOICES["data"])
@pytest.mark.parametrize("family, model", [("poisson", linear_model.PoissonRegressor),
                                           ("gamma", linear_model.GammaRegressor)])  # fmt: skip
def test_scikit_learn_counts_and_amounts(family, model, data):
    """scikit-learn's alpha multiplies a mean over the weights, λ a sum."""
    here = case_of(family, Ridge(2.0), data, weighted=True)
    theirs = model(alpha=2.0 / here.w.sum(), solver="newton-cholesky", tol=1e-10)
    theirs.fit(here.X, here.y, sample_weight=here.w)
    agree(here, theirs.coef_, theirs.intercept_)


@pytest.mark.parametrize("data", CHOICES["data"])
def test_scikit_learn_elastic_net(data):
    here = case_of("gaussian", ElasticNet(6.0, 0.5), data)
    theirs = linear_model.ElasticNet(alpha=3.0 / len(here.y), l1_ratio=0.5, tol=1e-13, max_iter=100_000)
    theirs.fit(here.X, here.y)
    agree(here, theirs.coef_, theirs.intercept_)


@pytest.mark.parametrize("data", CHOICES["data"])
@pytest.mark.parametrize("family", CHOICES["family"])
def test_statsmodels_with_weights_and_offset(family, data):
    here = case_of(family, Zero(), data, weighted=True, shifted=True)
    kinds = {"gaussian": sm.families.Gaussian(), "logistic": sm.families.Binomial(), "poisson": sm.families.Poisson(),
             "gamma": sm.families.Gamma(sm.families.links.Log())}  # fmt: skip
    theirs = sm.GLM(here.y, here.columns.astype(float), family=kinds[family], offset=here.o, freq_weights=here.w)
    found = theirs.fit(tol=1e-12, maxiter=200).params
    agree(here, found[:-1], found[-1])


@pytest.mark.parametrize("family", CHOICES["family"])
def test_scipy_on_the_objective_as_written_in_the_book(family):
    here = case_of(family, Ridge(2.0), "random", weighted=True, shifted=True)

    def value(beta):
        penalised = np.append(beta[:-1], 0.0)
        return float(here.value(beta)), (here.grad(beta) + 2.0 * penalised).astype(float)

    found = minimize(value, np.zeros(7), jac=True, method="L-BFGS-B", options={"maxiter": 999, "ftol": 0, "gtol": 1e-8})
    agree(here, found.x[:-1], found.x[-1])


def test_published_glmnet_fits():
    """Ridge fits that scikit-learn's own tests quote from R's glmnet (alpha = 0, standardize = False)."""
    X, y = np.array([[-2.0, -1, 1, 2], [0, 0, 1, 1]]).T, np.array([0.0, 1, 1, 2])
    found = fit(X, y, family="poisson", penalty=Ridge(4.0), fit_intercept=True, tol=1e-12)
    assert found.intercept == pytest.approx(-0.12889386979, abs=1e-7)
    np.testing.assert_allclose(found.beta, [0.29019207995, 0.03741173122], atol=1e-7)
    X, y = np.array([np.arange(-4.0, 5), [0, 0, 1, 0, 1, 1, 1, 0, 0]]).T, np.array([0.0] * 3 + [1] * 6)
    found = fit(X, y, family="logistic", penalty=Ridge(9.0), fit_intercept=True, tol=1e-12)
    assert found.intercept == pytest.approx(0.89230405539, abs=1e-7)
    np.testing.assert_allclose(found.beta, [0.44464569182, 0.01457563448], atol=1e-7)
