"""Certificates: never below the true gap, sharp near the optimum, and never finite where there is no optimum.

True gaps come from optima in extended precision (naive.py), so that they are known better than any bound.
"""

import operator
import warnings
from fractions import Fraction

import dask.array as da
import numpy as np
import pytest
import statsmodels.api as sm
from naive import MEMBERS, Problem, PseudoHuber, optimum, random_problem
from sklearn import linear_model

from glmlab import (
    L1,
    ElasticNet,
    Gamma,
    Gaussian,
    Logistic,
    NotConverged,
    Objective,
    Poisson,
    Ridge,
    State,
    Zero,
    as_chunks,
    certify,
    fit,
)
from glmlab.estimators import GLMRegressor
from glmlab.maths.certificates import certificate_at, corrected, damped, farthest, gather, price_above
from glmlab.maths.families import Family
from glmlab.maths.penalties import lambdas
from glmlab.maths.quadratic import Curvature

EPS = np.finfo(float).eps
FAMILIES = ["gaussian", "logistic", "poisson", "gamma"]
PENALTIES = [Zero(), L1(6.0), Ridge(3.0), ElasticNet(8.0, 0.6)]
# Weights, offset, intercept: every pair of choices, and all three together.
EXTRAS = [(0, 0, 0), (1, 1, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1)]
every_family = pytest.mark.parametrize("family", FAMILIES)
more_families = pytest.mark.parametrize("family", [*FAMILIES, *MEMBERS])
every_penalty = pytest.mark.parametrize("penalty", PENALTIES, ids=repr)


def problems(family, penalty, **options):
    """Problems with and without weights, offset and intercept."""
    for seed, (weighted, shifted, intercept) in enumerate(EXTRAS):
        more = {"weighted": weighted, "shifted": shifted, "intercept": intercept} | options
        yield random_problem(family, penalty, seed=seed, **more)


def around(best, distance, seed, count=2):
    """Points at a random distance from the optimum: in all coordinates, or in those that are not zero."""
    rng, best = np.random.default_rng(seed), best.astype(float)
    for k in range(count):
        moves = rng.normal(size=len(best)) * distance
        yield best + (moves if k % 2 else np.where(best == 0, 0, moves))


@more_families
@every_penalty
def test_no_bound_is_below_the_true_gap(family, penalty):
    finite = 0
    for seed, problem in enumerate(problems(family, penalty)):
        best, f = optimum(problem), problem.objective(chunks=30)
        lowest = problem.value(best)
        for distance in (0.0, 1e-14, 1e-10, 1e-7, 1e-4, 1e-2, 0.3, 2.0):
            for beta in around(best, distance, seed):
                gap = problem.value(beta) - lowest
                found = certificate_at(f, problem.g, beta)
                assert gap >= -1e-17 * problem.magnitude() and found.bound >= gap, (distance, found.bound, gap)
                finite += np.isfinite(found.bound)
                assert distance > 1e-3 or np.isfinite(found.bound), "near the optimum there is always a bound"
    assert finite >= len(EXTRAS) * 2 * 5


def test_a_polished_bound_allows_for_the_roundings_of_both_objectives():
    """F(β) − F* ≤ F(β) − F(β⁺) + bound(β⁺): the difference is of two computed numbers."""
    problem = random_problem("logistic", Ridge(1.0), seed=2)
    f, beta = problem.objective(), optimum(problem).astype(float) + 0.5
    here = corrected(f, problem.g, beta)
    there = corrected(f, problem.g, damped(f, problem.g, beta, here))
    found = certificate_at(f, problem.g, beta, polish=1)
    assert found.kind.endswith("after 1 Newton step") and here.worst > 0
    assert found.bound >= here.objective - there.objective + there.bound + 0.9 * here.worst


@every_family
@every_penalty
def test_a_bound_from_a_sample_of_the_rows_is_a_bound(family, penalty):
    finite = 0
    for seed, problem in enumerate(problems(family, penalty, n=400)):
        best, f = optimum(problem), problem.objective(chunks=150)
        for fraction in (0.2, 0.6, 1.0):
            sample = f.sample(fraction, seed)
            for distance in (0.0, 1e-8, 1e-5, 1e-2, 1.0):
                for beta in around(best, distance, seed):
                    gap = problem.value(beta) - problem.value(best)
                    found = certificate_at(f, problem.g, beta, sample=sample)
                    assert found.bound >= gap and found.rigorous
                    if np.isfinite(found.bound) and fraction == 1.0 and 1e-6 < distance < 1e-3:
                        assert found.bound <= 1.05 * gap + 1e-13 * problem.magnitude()
                    finite += np.isfinite(found.bound)
    assert finite >= len(EXTRAS) * 3 * 2 * 2


@every_family
def test_where_rows_are_alike_a_samples_allowances_are_those_of_all(family):
    """Scaled by weight, not by number: what rounding may do to the loss and the gradient comes from all rows."""
    w = np.random.default_rng(0).integers(0, 4, 400) * 0.75
    data = np.tile([0.3, -1.2], (400, 1)), np.full(400, 0.75)
    f, beta = Objective(family, as_chunks(*data, sample_weight=w, intercept=True)), np.array([0.4, 0.2, -0.3])
    found, all_rows = gather(f, beta, f.sample(0.2)), f.evidence(beta)
    for name in ("loss", "grad", "loss_size", "slope_size", "dual_rounding", "eta_size"):
        np.testing.assert_allclose(getattr(found, name), getattr(all_rows, name), rtol=1e-13, err_msg=name)
    assert found.weight < 0.3 * all_rows.weight


def test_a_sample_whose_rows_have_no_weight_bounds_what_a_ridge_allows():
    plain = random_problem("logistic", Ridge(1.0), seed=0, n=400)
    problem = plain._replace(w=(np.arange(400) < 4) * 1.0)
    f, beta = problem.objective(), np.full(4, 0.1)
    empty = next(part for part in (f.sample(0.1, seed) for seed in range(20)) if not part.evidence(beta).weight)
    gap = problem.value(beta) - problem.value(optimum(problem))
    assert gap <= certificate_at(f, problem.g, beta, sample=empty).bound < np.inf


@every_family
@every_penalty
def test_near_the_optimum_the_bound_is_the_gap(family, penalty):
    for seed, problem in enumerate(problems(family, penalty)):
        best, f = optimum(problem), problem.objective(chunks=30)
        for distance in (1e-5, 1e-4):
            for beta in around(best, distance, seed):
                gap = problem.value(beta) - problem.value(best)
                rounding = 1e-13 * problem.magnitude()
                assert certificate_at(f, problem.g, beta).bound <= 1.05 * gap + rounding, distance


@every_family
@every_penalty
def test_certify_takes_any_beta_and_stays_above_the_gap(family, penalty):
    """However far: a few Newton steps find where a bound is sharp, and only F(β) − F(β⁺) is added."""
    for seed, problem in enumerate(problems(family, penalty)):
        best = optimum(problem)
        for distance in (1e-8, 1e-3, 0.5, 3.0):
            for beta in around(best, distance, seed):
                gap = problem.value(beta) - problem.value(best)
                found = certified(problem, beta)
                assert gap <= found.bound <= 1.06 * gap + 1e-12 * problem.magnitude(), (distance, found.bound, gap)


def certified(problem, beta):
    split = (beta[:-1], beta[-1]) if problem.intercept else (beta, None)
    return certify(*problem.data, split[0], intercept=split[1], family=problem.family, penalty=problem.penalty,
                   **problem.extras)  # fmt: skip


@every_family
@every_penalty
def test_bounds_hold_when_columns_differ_by_powers_of_ten(family, penalty):
    for seed in range(4):
        plain = random_problem(family, penalty, seed=seed, intercept=seed % 2, weighted=seed > 1)
        problem = plain._replace(X=plain.X * [1e-3, 1.0, 1e2, 1e5])
        best = optimum(problem)
        for distance in (0.0, 1e-9, 1e-4, 0.1):
            units = np.append([1e3, 1.0, 1e-2, 1e-5], [1.0] * problem.intercept)
            beta = best.astype(float) + distance * units * np.random.default_rng(seed).normal(size=len(best))
            gap = problem.value(beta) - problem.value(best)
            assert certificate_at(problem.objective(), problem.g, beta).bound >= gap
            assert certified(problem, beta).bound >= gap


@every_family
def test_bounds_hold_for_columns_that_are_nearly_copies(family):
    for seed, closeness in enumerate((1e-3, 1e-6, 1e-9, 1e-12, 0.0)):
        plain = random_problem(family, Ridge(1e-3), seed=seed)
        rng = np.random.default_rng(seed)
        problem = plain._replace(X=np.column_stack([plain.X, plain.X[:, 0] + closeness * rng.normal(size=80)]))
        best = optimum(problem)
        free = problem._replace(penalty=Zero())
        for distance in (0.0, 1e-8, 1e-3):
            beta = best.astype(float) + distance * rng.normal(size=5)
            gap = problem.value(beta) - problem.value(best)
            assert certificate_at(problem.objective(), problem.g, beta).bound >= gap
            # Without the ridge, F(any point) is above F*, so that differences are below the gap.
            assert certificate_at(free.objective(), free.g, beta).bound >= free.value(beta) - free.value(best)


@pytest.mark.parametrize("penalty", [Zero(), L1(3.0)], ids=repr)
def test_a_copied_column_is_no_obstacle(penalty):
    plain = random_problem("logistic", penalty, seed=1, intercept=True)
    problem = plain._replace(X=np.column_stack([plain.X, plain.X[:, 1]]))
    best = optimum(plain)
    beta = np.insert(best.astype(float), 4, 0.0) + 1e-4
    found, gap = certificate_at(problem.objective(), problem.g, beta), problem.value(beta) - plain.value(best)
    assert gap <= found.bound <= 1.05 * gap and found.rank == (5 if penalty == Zero() else found.rank)


@every_family
@every_penalty
def test_a_wrong_answer_is_caught(family, penalty):
    problem = random_problem(family, penalty, seed=11, intercept=True, weighted=True, shifted=True)
    best, tol = optimum(problem), 1e-6
    assert certified(problem, best.astype(float)).relative <= 1e-12
    other = problem._replace(penalty=Ridge(30.0) if penalty.smooth else ElasticNet(30.0, 0.9))
    wrong = {
        "perturbed": best * (1 + np.longdouble(0.1)),
        "another penalty": optimum(other),
        "without weights": optimum(problem._replace(w=None)),
        "without offset": optimum(problem._replace(o=None)),
        "without intercept": np.append(optimum(problem._replace(intercept=False)), 0.0),
        "intercept off": best + np.eye(5)[-1] * 0.05,
        "a sign": np.where(np.arange(5) == np.abs(best[:-1]).argmax(), -best, best),
    }
    for mistake, beta in wrong.items():
        gap = problem.value(beta.astype(float)) - problem.value(best)
        found = certified(problem, beta.astype(float))
        assert found.bound >= gap and found.relative > tol, mistake


def test_a_penalised_intercept_is_caught():
    """liblinear counts the intercept among the coefficients it shrinks."""
    problem = random_problem("logistic", Ridge(2.0), seed=12, n=200, intercept=True)
    wrong = linear_model.LogisticRegression(C=0.5, solver="liblinear", tol=1e-12, max_iter=9999).fit(*problem.data)
    right = linear_model.LogisticRegression(C=0.5, solver="newton-cholesky", tol=1e-12).fit(*problem.data)
    for model, is_right in ((wrong, False), (right, True)):
        found = certified(problem, np.append(model.coef_[0], model.intercept_))
        assert (found.relative <= 1e-9) == is_right
        gap = problem.value(np.append(model.coef_[0], model.intercept_)) - problem.value(optimum(problem))
        assert found.bound >= gap


@every_family
@every_penalty
def test_a_good_answer_costs_few_passes(family, penalty):
    problem = random_problem(family, penalty, seed=0)
    best = optimum(problem).astype(float)
    for distance in (0.0, 1e-14, 1e-12, 1e-8, 1e-4):
        for beta in around(best, distance, 0):
            assert certified(problem, beta).passes <= 8, distance


# --- other libraries' answers -----------------------------------------------------------------------------------


def scikit_learn_models(n):
    """A family, a penalty and scikit-learn's model of the same problem on n rows."""
    tight = {"tol": 1e-10, "max_iter": 100_000}
    return [
        ("gaussian", Zero(), linear_model.LinearRegression()),
        ("gaussian", Ridge(3.0), linear_model.Ridge(alpha=1.5)),
        ("gaussian", L1(6.0), linear_model.Lasso(alpha=6.0 / (2 * n), **tight)),
        ("gaussian", ElasticNet(8.0, 0.25), linear_model.ElasticNet(alpha=8.0 / (2 * n), l1_ratio=0.25, **tight)),
        ("logistic", Ridge(0.5), linear_model.LogisticRegression(C=2.0, **tight)),
        ("poisson", Ridge(2.0), linear_model.PoissonRegressor(alpha=2.0 / n, **tight)),
        ("gamma", Ridge(2.0), linear_model.GammaRegressor(alpha=2.0 / n, **tight)),
    ]


@pytest.mark.parametrize("k", range(7))
@pytest.mark.parametrize("intercept", [False, True])
def test_scikit_learns_answers_are_certified(k, intercept):
    family, penalty, model = scikit_learn_models(150)[k]
    problem = random_problem(family, penalty, seed=k, n=150, intercept=intercept)
    model = model.set_params(fit_intercept=intercept).fit(*problem.data)
    beta = np.append(np.ravel(model.coef_), [model.intercept_] if intercept else [])
    found = certified(problem, beta)
    assert problem.value(beta) - problem.value(optimum(problem)) <= found.bound and found.relative <= 1e-9


@every_family
def test_statsmodels_answers_are_certified(family):
    problem = random_problem(family, Zero(), seed=20, n=150, intercept=True, shifted=True)
    kinds = {"gaussian": sm.families.Gaussian(), "logistic": sm.families.Binomial(), "poisson": sm.families.Poisson(),
             "gamma": sm.families.Gamma(sm.families.links.Log())}  # fmt: skip
    model = sm.GLM(problem.y, problem.columns.astype(float), family=kinds[family], offset=problem.o)
    beta = model.fit(tol=1e-12).params
    found = certified(problem, beta)
    assert problem.value(beta) - problem.value(optimum(problem)) <= found.bound and found.relative <= 1e-9


# --- columns that are nearly dependent --------------------------------------------------------------------------


def exact_least_squares(X, y):
    """The minimiser and the minimum of ‖y − Xβ‖² as fractions: Gauss–Jordan on the normal equations, no rounding."""
    X, y = [[Fraction(float(v)) for v in row] for row in X], [Fraction(float(v)) for v in y]
    columns = [*zip(*X, strict=True), y]
    rows = [[sum(map(operator.mul, one, other)) for other in columns] for one in columns[:-1]]
    for c, row in enumerate(rows):
        rows[c] = row = [v / row[c] for v in row]
        for other in rows[:c] + rows[c + 1 :]:
            other[:] = [v - other[c] * u for v, u in zip(other, row, strict=True)]
    return [row[-1] for row in rows], exact_squares(X, y, [row[-1] for row in rows])


def exact_squares(X, y, beta):
    """‖y − Xβ‖² as a fraction."""
    X, y, beta = ([[Fraction(float(v)) for v in row] for row in X], [Fraction(float(v)) for v in y],
                  [Fraction(v) if isinstance(v, Fraction) else Fraction(float(v)) for v in beta])  # fmt: skip
    return sum((v - sum(map(operator.mul, row, beta))) ** 2 for row, v in zip(X, y, strict=True))


def of_condition(kappa, seed, n=40, p=4):
    """X with singular values from 1 down to 1/κ."""
    rng = np.random.default_rng(seed)
    U, V = (np.linalg.qr(rng.normal(size=shape))[0] for shape in ((n, p), (p, p)))
    return U * np.geomspace(1, 1 / kappa, p) @ V


def hard_least_squares():
    """Name: (X, y, the relative bound to be reached): designs on which the normal equations lose their digits."""
    rng, longley = np.random.default_rng(0), sm.datasets.longley.load_pandas()
    table, ones = longley.exog.to_numpy(float), np.ones((16, 1))
    x, z = np.arange(21.0), np.linspace(-9, -3, 40)
    powers, wave = np.vander(x, 6), 2048.0 * (-1) ** x
    cases = {
        "longley": (table, longley.endog.to_numpy(), 1e-14),
        "longley, constant": (np.column_stack([table, ones]), longley.endog.to_numpy(), 1e-12),
        "wampler 1": (powers, powers.sum(axis=1), 1e-20),
        "wampler 2": (powers, powers @ 0.1 ** np.arange(5, -1, -1), 1e-20),
        **{f"wampler {k}": (powers, powers.sum(axis=1) + 100.0 ** (k - 3) * wave, 1e-12) for k in (3, 4, 5)},
        "filip, degree 7": (np.vander(z, 8), 0.8 + np.sin(z) / 9 + rng.normal(size=40) / 99, 1e-9),
        "filip, degree 10": (np.vander(z, 11), 0.8 + np.sin(z) / 9 + rng.normal(size=40) / 99, np.inf),
        "columns of mean 1e6": (rng.normal(size=(40, 3)) + 1e6, rng.normal(size=40), 1e-9),
        "columns of mean 1e6, constant": (
            np.column_stack([rng.normal(size=(40, 3)) + 1e6, np.ones(40)]), rng.normal(size=40), 1e-9),
    }  # fmt: skip
    reach = {5: 1e-10, 6: 1e-9, 7: 1e-8, 8: 1e-6, 10: np.inf, 12: np.inf}
    for digits, within in reach.items():
        X = of_condition(10.0**digits, digits)
        cases[f"condition 1e{digits}"] = X, X.sum(axis=1) + rng.normal(size=40) / 10, within
    return cases


@pytest.mark.parametrize("case", hard_least_squares())
def test_least_squares_whose_normal_equations_lose_digits(case):
    """Never below the truth, which is known as a fraction; and where X itself has digits left, near it."""
    X, y, within = hard_least_squares()[case]
    best, lowest = exact_least_squares(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConverged)
        result = fit(X, y, family="gaussian", tol=1e-9)
    size = max(float(y @ y), 1e-300)
    gap = exact_squares(X, y, result.beta) - lowest
    assert float(gap) <= min(result.certificate.bound, max(1e-8, 1e3 * EPS) * size)
    assert result.certificate.relative <= within
    assert result.converged == (result.certificate.relative <= 1e-9)
    near, rng = np.array([float(b) for b in best]), np.random.default_rng(1)
    for distance in (0.0, 1e-12, 1e-8, 1e-4):
        beta = near * (1 + distance * rng.normal(size=len(near)))
        assert certify(X, y, beta, family="gaussian").bound >= float(exact_squares(X, y, beta) - lowest)


@pytest.mark.parametrize("digits", [4, 6, 7])
@pytest.mark.parametrize("family", ["logistic", "poisson", "gamma"])
def test_nearly_dependent_columns_are_certified_in_every_family(family, digits):
    plain = random_problem(family, Zero(), seed=digits, n=60)
    problem = plain._replace(X=8 * of_condition(10.0**digits, digits, n=60))
    result, lowest = problem.fit(solver="newton", tol=1e-9), problem.value(optimum(problem))
    assert problem.value(result.beta) - lowest <= result.certificate.bound and result.converged


# --- from the gap to the coefficients ---------------------------------------------------------------------------


@every_family
@pytest.mark.parametrize("penalty", [Zero(), Ridge(3.0)], ids=repr)
@pytest.mark.parametrize("distance", [1e-6, 1e-3, 1e-1])
def test_no_coefficient_is_further_from_its_optimum_than_is_proved(family, penalty, distance):
    """In standard errors of the model at β, against the optimum in extended precision; and sharp when the gap is."""
    for seed in range(6):
        problem = random_problem(family, penalty, seed=seed, intercept=True, weighted=seed % 2 == 0)
        best, rng = optimum(problem), np.random.default_rng(seed)
        beta = best + distance * rng.normal(size=len(best))
        found = certificate_at(problem.objective(), problem.g, beta.astype(float))
        H = (problem.hess(beta) + np.diag(lambdas(problem.g, len(best))[1])).astype(float)
        counted = len(problem.y) if problem.w is None else np.sum(problem.w > 0)
        half = float(problem.loss(beta) - problem.floor()) / (counted - len(best))
        phi = 2 * half if family in ("gaussian", "gamma") else 1.0
        apart = np.abs(beta - best) / np.sqrt(phi * np.diag(np.linalg.inv(H)))
        if np.isfinite(found.errors):
            assert apart.max() <= found.errors * (1 + 1e-6)
        if distance <= 1e-3:
            gap = float(problem.value(beta) - problem.value(best))
            assert found.errors <= 1.1 * np.sqrt(2 * gap / phi) + 1e-6


def test_from_a_large_gap_nothing_follows():
    """The Hessian may have changed by any factor on the way."""
    assert np.isnan(farthest(2.0, 1.0)) and farthest(0.9, 1.0) > farthest(0.5, 1.0) > 1
    for gap in (1e-20, 1e-8, 1e-2):
        s = farthest(gap, 3.0)
        u = 3.0 * s
        assert s == pytest.approx(np.sqrt(2 * gap), rel=2 * u) and s > np.sqrt(2 * gap)


def test_standard_errors_are_of_models_without_l1_only():
    problem = random_problem("poisson", L1(2.0), seed=1, intercept=True)
    assert np.isnan(problem.fit().certificate.errors) and "standard errors" not in problem.fit().summary()["accuracy"]
    free = problem._replace(penalty=Zero()).fit()
    said = free.summary()["accuracy"]
    assert free.certificate.errors < 1e-6 and "standard errors of the optimum" in said
    assert "in its own unit" in said and "nonzero" not in said


# --- no optimum, no bound ---------------------------------------------------------------------------------------


def hopeless():
    """Problems whose infimum is not attained, and a direction in which they fall for ever."""
    rng = np.random.default_rng(0)
    X, ones, zeros = rng.normal(size=(60, 2)), np.ones(60), np.zeros(60)
    few = np.arange(60) < 3
    apart = (X[:, 0] + 0.5 * X[:, 1] > 0).astype(float)
    touching = np.vstack([X, [[0.0, 0.0], [0.0, 0.0]]])
    counts = rng.poisson(2.0, 60) * (X[:, 0] < 0)
    step = (X[:, 0] >= 0).astype(float)[:, None]
    return {
        "separable": (Problem("logistic", Zero(), X, apart, None, None, False), [1, 0.5]),
        "separable, weighted": (Problem("logistic", Zero(), X, apart, rng.random(60), None, True), [1, 0.5, 0]),
        "separable but for ties": (
            Problem("logistic", Zero(), touching, np.append(apart, [0, 1]), None, None, False), [1, 0.5]),
        "separable once weights are seen": (
            Problem("logistic", Zero(), X, np.abs(apart - few), 1.0 - few, None, False), [1, 0.5]),
        "only ones": (Problem("logistic", Zero(), X, ones, None, None, True), [0, 0, 1]),
        "only zeros": (Problem("logistic", Zero(), X, zeros, None, None, True), [0, 0, -1]),
        "only ones, lasso": (Problem("logistic", L1(2.0), X, ones, None, None, True), [0, 0, 1]),
        "only ones, ridge": (Problem("logistic", Ridge(2.0), X, ones, None, None, True), [0, 0, 1]),
        "no counts": (Problem("poisson", Zero(), X, zeros, None, None, True), [0, 0, -1]),
        "no counts, elastic net": (Problem("poisson", ElasticNet(2.0, 0.5), X, zeros, None, None, True), [0, 0, -1]),
        "no counts in a group": (Problem("poisson", Zero(), step, counts, None, None, True), [-1, 0]),
    }  # fmt: skip


@pytest.mark.parametrize("case", hopeless())
def test_where_no_optimum_is_attained_no_bound_is_finite(case):
    problem, direction = hopeless()[case]
    f, direction, rng = problem.objective(chunks=20), np.array(direction, float), np.random.default_rng(1)
    sample = f.sample(0.5)
    for length in (0.0, 1.0, 5.0, 20.0, 36.0, 100.0, 700.0, 800.0, 1e4, 1e8):
        for noise in (0, 1e-8, 1e-2, 0.3):
            beta = length * direction + rng.normal(size=len(direction)) * noise
            for found in (certificate_at(f, problem.g, beta), certificate_at(f, problem.g, beta, sample=sample)):
                assert found.bound == found.relative == np.inf and "no bound" in str(found), length
        assert certified(problem, length * direction).bound == np.inf, length


def test_one_class_is_well_posed_once_the_intercept_is_gone_or_everything_is_penalised():
    problem, _ = hopeless()["only ones"]
    small = problem._replace(penalty=Ridge(1.0), intercept=False)
    assert certified(small, optimum(small).astype(float)).relative <= 1e-12


# --- what a certificate says ------------------------------------------------------------------------------------


def test_its_fields():
    problem = random_problem("poisson", ElasticNet(8.0, 0.6), seed=13, intercept=True, weighted=True)
    best, f = optimum(problem), problem.objective(chunks=30)
    beta = best.astype(float) + 1e-3
    found = certificate_at(f, problem.g, beta)
    assert found.objective == pytest.approx(float(problem.value(beta)), rel=1e-14)
    assert found.relative == pytest.approx((found.bound - found.rounding) / float(problem.unit(beta)), rel=1e-12)
    assert found.kkt == pytest.approx(float(problem.kkt(beta).max()), rel=1e-9)
    assert found.rigorous and f"{found.bound:.3g}" in str(found)
    assert f.passes == 0 and f.rounds == 0
    before = f.extra_passes
    assert certificate_at(f, problem.g, beta).passes == f.extra_passes - before == 1
    sample, elsewhere = f.sample(0.25), beta + 1e-4
    cheaper = certificate_at(f, problem.g, elsewhere, sample=sample)
    assert cheaper.passes == pytest.approx(1 + sample.n / f.n) and cheaper.bound > found.bound
    cheapest = certificate_at(f, problem.g, elsewhere, sample=f.thin(0.25))
    assert cheapest.passes == pytest.approx(sample.n / f.n), "the gradient there is known already"
    assert cheapest.bound == pytest.approx(cheaper.bound, rel=1e-12)


@every_family
@every_penalty
def test_the_price_from_sums_is_above_the_price_from_rows_and_near_it(family, penalty):
    for seed, problem in enumerate(problems(family, penalty)):
        f, rng = problem.objective(chunks=30), np.random.default_rng(seed)
        beta, used = optimum(problem).astype(float), 0
        seen = f.evidence(beta)
        hess, rounded = Curvature(seen.hess, np.zeros(f.dim)), np.sqrt(seen.dual_rounding)
        for length in (1e-12, 1e-6, 1e-3, 1e-2, 0.05, 0.5):
            d, moves = (rng.normal(size=shape) * length for shape in (f.dim, (f.dim, 2)))
            cheap, exact = price_above(f.family, seen.largest.values, hess, d, moves, rounded), f.price(beta, d, moves)
            if cheap is not None:
                used += 1
                assert cheap.price >= exact.price and cheap.furthest >= exact.furthest
                none = 0 * moves
                alone = price_above(f.family, seen.largest.values, hess, d, none, rounded), f.price(beta, d, none)
                assert alone[1].price * (1 - 1e-14) <= alone[0].price <= 1.11 * alone[1].price
        assert used >= 3


@every_family
def test_the_price_pays_for_what_rounding_has_done_to_all_rows(family):
    """An offset cancels what β makes of the first column, so that η has lost ten digits. Nothing else moves."""
    plain = random_problem(family, Zero(), seed=0, n=400)
    beta, still, none = np.array([1e10, 0.1, 0.1, 0.1]), np.zeros(4), np.zeros((4, 0))
    f = plain._replace(o=-1e10 * plain.X[:, 0]).objective()
    seen, exact = f.evidence(beta), f.price(beta, still, none)
    hess, rounded = Curvature(seen.hess, np.zeros(4)), np.sqrt(seen.dual_rounding)
    cheap = price_above(f.family, seen.largest.values, hess, still, none, rounded)
    assert cheap.price >= exact.price > 0
    assert cheap.furthest >= exact.furthest or np.isinf(f.family.reach)
    some = f.sample(0.2).price(beta, still, none)  # what is added for the other rows is what `corrected` adds
    assert some.price + seen.dual_rounding >= exact.price > some.price


def test_the_relative_gap_is_measured_against_zero_where_the_objective_vanishes():
    """A perfect fit: F* = 0, and bound ÷ |F*| would mean nothing."""
    X = np.random.default_rng(2).normal(size=(40, 3))
    y = X @ [1.0, -2, 3]
    found = certify(X, y, [1.0, -2, 3], family="gaussian")
    assert found.relative == pytest.approx(found.bound / (y @ y)) and found.relative < 1e-12


def test_memory_and_dask_give_the_same_certificate():
    problem = random_problem("logistic", L1(2.0), seed=14, weighted=True, shifted=True)
    lazy = [da.from_array(c, chunks=(30, *c.shape[1:])) for c in (problem.X, problem.y, problem.w, problem.o)]
    on_dask = Objective("logistic", as_chunks(*lazy[:2], sample_weight=lazy[2], offset=lazy[3]))
    here = problem.objective(chunks=30)
    for beta in (np.zeros(4), np.full(4, 0.3)):
        assert certificate_at(on_dask, problem.g, beta) == certificate_at(here, problem.g, beta)


class Halved(Family):
    """½(y − η)², in four formulas: what a reader writes; the price follows from the conjugate."""

    def loss(self, eta, y):
        return (y - eta) ** 2 / 2

    def dloss(self, eta, y):
        return eta - y

    def d2loss(self, eta, y):
        return np.ones_like(eta)

    def conjugate(self, theta, y):
        return theta**2 / 2 + theta * y


def test_a_readers_family_with_a_conjugate_gets_a_bound():
    problem = random_problem("gaussian", L1(3.0), seed=15)
    best = optimum(problem._replace(penalty=L1(6.0)))  # twice the loss, twice the λ: the same β
    beta = best.astype(float) + 0.01
    found = certify(*problem.data, beta, family=Halved(), penalty=L1(3.0))
    gap = (problem._replace(penalty=L1(6.0)).value(beta) - problem._replace(penalty=L1(6.0)).value(best)) / 2
    assert gap <= found.bound <= 1.05 * gap + 1e-10


class Group:
    """A penalty of a form that the package has never seen: λ‖β‖₂."""

    def value(self, beta):
        return np.linalg.norm(beta)


@pytest.mark.parametrize("family, penalty", [(PseudoHuber(), Zero()), (Gaussian(), Group())], ids=["family", "penalty"])
def test_what_is_not_known_is_not_claimed(family, penalty):
    problem = random_problem("gaussian", Zero(), seed=16)
    found = certify(*problem.data, np.zeros(4), family=family, penalty=penalty)
    assert found.bound == np.inf and not found.rigorous and "not known" in found.kind


@pytest.mark.parametrize(
    "beta, intercept, error, message",
    [
        (np.zeros(3), None, ValueError, r"beta must have shape \(4,\), got \(3,\)"),
        (np.zeros((4, 1)), None, ValueError, "beta must have shape"),
        (np.array([0, 0, np.nan, 0]), None, ValueError, "beta holds values that are not finite: nan"),
        ("zeros", None, (TypeError, ValueError), "beta"),
        (np.zeros(4), np.inf, ValueError, "intercept"),
        (np.zeros(4), "none", (TypeError, ValueError), "intercept"),
    ],
)
def test_coefficients_that_are_not_are_refused(beta, intercept, error, message):
    problem = random_problem("gaussian", Zero(), seed=17)
    with pytest.raises(error, match=message):
        certify(*problem.data, beta, intercept=intercept, family="gaussian")


@pytest.mark.parametrize("fitted", [True, False])
def test_an_estimator_is_refused_in_favour_of_its_result(fitted):
    problem = random_problem("gaussian", Zero(), seed=17)
    model = GLMRegressor(penalty="zero")
    if fitted:
        assert certify(*problem.data, model.fit(*problem.data).result_, family="gaussian").relative <= 1e-9
    with pytest.raises(TypeError, match=r"certify needs coefficients or a Result, got GLMRegressor; .*\.result_"):
        certify(*problem.data, model, family="gaussian")


def test_a_state_is_refused_in_favour_of_its_coefficients():
    problem = random_problem("gaussian", Zero(), seed=17, intercept=True)
    result = fit(*problem.data, family="gaussian", fit_intercept=True)
    with pytest.raises(TypeError, match=r"coefficients or a Result, got \w*State; pass state.beta") as error:
        certify(*problem.data, result.state, family="gaussian")
    assert "state.beta[:-1] and intercept=state.beta[-1]" in str(error.value)
    beta, level = result.state.beta[:-1], result.state.beta[-1]  # as it says
    assert certify(*problem.data, beta, intercept=level, family="gaussian").relative <= 1e-9
    with pytest.raises(TypeError, match="got State"):
        certify(*problem.data, State(np.zeros(4)), family="gaussian")


def test_an_intercept_of_zero_is_still_free():
    problem = random_problem("gaussian", Zero(), seed=18)
    best = optimum(problem).astype(float)
    assert certify(*problem.data, best, family=Gaussian()).relative <= 1e-12
    assert certify(*problem.data, best, intercept=0.0, family=Gaussian()).relative > 1e-6


@pytest.mark.parametrize("family", [Gaussian(), Logistic(), Poisson(), Gamma()], ids=lambda f: f.name)
def test_values_that_cannot_be_fitted_are_refused(family):
    problem = random_problem(family.name, Zero(), seed=19)
    with pytest.raises(ValueError, match="X holds nan in column"):
        certify(np.where(np.arange(4) == 2, np.nan, problem.X), problem.y, np.zeros(4), family=family)


# --- coefficients of another model ----------------------------------------------------------------------------------

ASKED = "one level for all rows fits better than β; was the model fitted with an intercept? Pass intercept=…"


@pytest.mark.parametrize("family", ["gaussian", "poisson"])
def test_coefficients_without_their_intercept_are_asked_for_it(family):
    """No pass is made for it: the null model is known, and F(β) is larger than its loss."""
    problem = random_problem(family, Ridge(1.0), seed=1, intercept=True)
    y = problem.y + 3.0
    result = fit(problem.X, y, family=family, penalty=Ridge(1.0), fit_intercept=True)
    given = {"family": family, "penalty": Ridge(1.0)}
    alone, whole = (certify(problem.X, y, result.beta, intercept=b, **given) for b in (None, result.intercept))
    assert alone.kind.endswith(ASKED) and ASKED in str(alone) and ASKED in " ".join(repr(alone).split())
    assert np.isfinite(alone.bound) and "intercept" not in whole.kind
    wrong = certify(problem.X, y, result.beta, intercept=result.intercept - 9.0, **given)
    assert wrong.relative > 0.1 and "intercept" not in wrong.kind, "it was passed"
    straight = fit(problem.X, y, **given)
    assert straight.objective > result.objective
    for beta in (straight.beta, straight.beta * (1 + 1e-3), np.zeros(4)):
        assert "intercept" not in certify(problem.X, y, beta, **given).kind, "an answer, or nobody's"
    dear = {"family": family, "penalty": Ridge(1e4)}
    found = certify(problem.X, problem.y, fit(problem.X, problem.y, family=family).beta, **dear)
    assert found.relative > 0.1 and "intercept" not in found.kind, "it fits the rows, and only its penalty is high"


def test_the_sample_of_a_certificate_is_of_its_seed():
    problem = random_problem("logistic", L1(2.0), seed=1, n=400)
    one, again, other = (certify(*problem.data, np.full(4, 0.1), family="logistic", penalty=L1(2.0), fraction=0.2,
                                 seed=seed).bound for seed in (3, 3, 4))  # fmt: skip
    assert one == again != other


def test_a_result_with_an_offset_is_not_certified_without_one():
    problem = random_problem("poisson", Zero(), seed=1, shifted=True)
    result = problem.fit()
    with pytest.raises(TypeError, match="the model was fitted with an offset: pass offset=…"):
        certify(problem.X, problem.y, result, family="poisson")
    assert certify(problem.X, problem.y, result, family="poisson", offset=problem.o).relative < 1e-9
