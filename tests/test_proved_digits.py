"""From a proved gap to every coefficient: how many of its digits are proved, and which are certainly not zero."""

import warnings

import numpy as np
import pandas as pd
import pytest
from naive import joined, minimum, optimum, random_problem

from glmlab import L1, ElasticNet, NotConverged, Poisson, RankWarning, Ridge, Zero, certify, fit, infer
from glmlab.maths.certificates import certificate_at
from glmlab.words import proved_text

FAMILIES = ["gaussian", "logistic", "poisson", "gamma"]
PENALTIES = [Zero(), Ridge(2.0), L1(3.0), ElasticNet(4.0, 0.5)]
every_family = pytest.mark.parametrize("family", FAMILIES)
every_penalty = pytest.mark.parametrize("penalty", PENALTIES, ids=repr)


@every_family
@every_penalty
@pytest.mark.parametrize("distance", [0.0, 1e-9, 1e-5, 1e-2, 0.3])
def test_no_coefficient_is_further_from_its_optimum_than_is_proved(family, penalty, distance):
    """Against the optimum in extended precision, with weights, offsets and an intercept; sharp where β is near."""
    for seed in range(4):
        problem = random_problem(family, penalty, seed=seed, weighted=seed % 2 == 0, shifted=seed > 1, intercept=True)
        best, rng = optimum(problem), np.random.default_rng(seed)
        beta = (best + distance * rng.normal(size=len(best))).astype(float)
        found = certificate_at(problem.objective(), problem.g, beta)
        within = np.array(found.within)
        if np.isfinite(within).all():
            assert np.all(np.abs(beta - best) <= within)
        if distance <= 1e-5:
            gap = float(problem.value(beta) - problem.value(best))
            roots = np.sqrt(np.diag(np.linalg.inv((problem.hess(beta) + np.diag(l2_of(problem))).astype(float))))
            assert np.all(within <= 1.01 * np.sqrt(2 * (gap + problem.blur(beta))) * roots + 1e-11)


def l2_of(problem):
    l2 = np.full(problem.columns.shape[1], problem.penalty.l2)
    return np.append(l2[:-1], 0.0) if problem.intercept else l2


@every_family
@every_penalty
def test_certify_proves_digits_of_any_beta_however_far(family, penalty):
    """Newton steps lead to a point near the optimum, and the way there is added."""
    problem = random_problem(family, penalty, seed=5, intercept=True, shifted=True)
    best = minimum(problem)
    for far in (0.0, 0.01, 1.0):
        beta = (best + far).astype(float)
        found = certify(*problem.data, beta[:-1], intercept=beta[-1], family=family, penalty=penalty, offset=problem.o)
        within, apart = np.array(found.within), np.abs(beta - best)
        assert np.all(apart <= within)
        assert np.all(within <= 10 * apart.max() + 1e-5), "the bound is of the size of the distance"
        assert np.isfinite(found.errors) == (penalty.l1 == 0)


@every_family
def test_a_coefficient_that_is_zero_at_the_optimum_is_never_certainly_not_zero(family):
    """And where β is close, every other one is."""
    for seed in range(5):
        problem = random_problem(family, Zero(), seed=seed, p=6, intercept=True)
        slopes = np.abs(problem.grad(np.append(np.zeros(6), problem.null()[0])))[:-1]
        problem = problem._replace(penalty=L1(float(np.median(slopes))))
        support = minimum(problem)[:-1] != 0
        assert 0 < support.sum() < 6
        for steps in (1, 3, 10, 100):
            with warnings.catch_warnings(action="ignore", category=NotConverged):
                result = problem.fit(solver="fista", max_iter=steps)
            assert not np.any(result.surely_nonzero & ~support)
            assert np.array_equal(result.surely_nonzero, np.abs(result.beta) > result.certificate.within[:6])
            sure, count = result.surely_nonzero.sum(), np.count_nonzero(result.beta)
            share = "all" if sure == count > 1 else f"{sure} of the"
            said = f"{share} {count} nonzero coefficients are proved nonzero at the optimum, too"
            assert said in result.summary().get("accuracy", said)
        exact = problem.fit()
        assert np.array_equal(exact.surely_nonzero, support)
        many = "all" if support.sum() > 1 else "1 of the"
        assert f"{many} {support.sum()} nonzero coefficients are proved nonzero" in exact.summary()["accuracy"]


def test_a_zero_that_is_proved_to_the_last_digit_is_not_certainly_not_zero():
    result = fit([[1.0, 0.0], [2.0, 1.0]], [0.0, 0.0], family="gaussian")
    assert result.certificate.within == (0.0, 0.0) and not result.surely_nonzero.any()


# --- the table of coefficients --------------------------------------------------------------------------------------


@every_family
@every_penalty
def test_no_number_in_the_table_is_further_from_the_optimum_than_stands_beside_it(family, penalty):
    """As they are printed, both of them, for answers of a few digits and of nearly all."""
    for seed, steps in enumerate((5, 20, 500)):
        problem = random_problem(family, penalty, seed=seed, intercept=True)
        best = minimum(problem)
        with warnings.catch_warnings(action="ignore", category=NotConverged):
            lines = table_of(problem.fit(max_iter=steps, solver="fista").coefficients())
        assert [line[0] for line in lines] == ["x1", "x2", "x3", "x4", "intercept"]
        for (_, number, bound, sure), value in zip(lines, best, strict=True):
            assert bound == "?" or abs(np.longdouble(number) - value) <= np.longdouble(bound)
            assert sure == "no" or value != 0


def table_of(found):
    """The lines of the printed table, as lists of texts."""
    return [line.split() for line in repr(found).splitlines()[2:]]


@pytest.mark.parametrize("seed", range(50))
def test_a_number_is_printed_with_its_proved_digits_and_one_more(seed):
    rng = np.random.default_rng(seed)
    value, within = rng.normal() * 10.0 ** rng.integers(-9, 9), 10.0 ** rng.uniform(-12, 2)
    text, bound = proved_text(value, within)
    lost = abs(float(text) - value)
    assert within + lost <= float(bound) <= 2.2 * (within + lost)
    assert lost <= 0.06 * within or len(text.strip("-0.").replace(".", "")) == 1 or lost <= 1e-16 * abs(value)


def test_the_table_has_the_names_of_the_columns_and_the_numbers_of_the_result():
    problem = random_problem("poisson", L1(3.0), seed=1, intercept=True)
    frame = pd.DataFrame(problem.X, columns=["age", "income", "visits", "years"])
    result = problem._replace(X=frame).fit()
    found, table = result.coefficients(), result.coefficients().to_frame()
    assert list(found.names) == [*frame, "intercept"] == list(table.index) == [line[0] for line in table_of(found)]
    assert np.array_equal(found.values, [*result.beta, result.intercept])
    assert np.array_equal(found.values, table["coefficient"])
    assert np.array_equal(found.within, result.certificate.within)
    assert np.array_equal(found.surely_nonzero[:-1], result.surely_nonzero)


def test_where_nothing_is_proved_of_a_coefficient_the_table_says_so():
    X = random_problem("gaussian", Zero(), seed=0).X
    with pytest.warns(RankWarning):
        found = fit(np.c_[X, X[:, 0]], X[:, 0], family="gaussian").coefficients()
    assert {tuple(line[2:]) for line in table_of(found)} == {("?", "no")}


def test_infer_leads_from_an_l1_fit_to_the_table():
    problem = random_problem("logistic", L1(2.0), seed=0)
    with pytest.raises(ValueError, match=r"standard errors are not defined .* result\.coefficients\(\) shows"):
        infer(problem.fit(), *problem.data)


def test_without_any_bound_nothing_is_said_of_a_coefficient():
    """A large gap, columns that are copies of one another, and more columns than rows."""
    problem = random_problem("poisson", Zero(), seed=2)
    far = certificate_at(problem.objective(), problem.g, np.full(4, 2.0))
    few = problem._replace(X=np.random.default_rng(0).normal(size=(80, 90)), penalty=L1(3.0)).fit()
    for found in (far, few.certificate):
        assert np.isnan(found.within).all() and np.isnan(found.errors)
    assert "accuracy" not in few.summary() and not few.surely_nonzero.any()


@pytest.mark.parametrize("seed", range(8))
def test_where_the_optimum_is_a_set_no_coefficient_is_known(seed):
    problem = random_problem(FAMILIES[seed % 4], Zero(), seed=seed)
    dependent = problem.X @ np.random.default_rng(seed).normal(size=4)
    with pytest.warns(RankWarning):
        result = problem._replace(X=np.c_[problem.X, dependent]).fit()
    assert np.isnan(result.certificate.within).all() and not result.surely_nonzero.any()


@pytest.mark.parametrize("apart", [1e-6, 0.1, 1.0])
def test_one_poisson_row_meets_the_bound_with_equality(apart):
    """Its Hessian e^η falls by just e^(−t) on the way down to the optimum, so that nothing is given away."""
    found = certify([[1.0]], [3.0], [np.log(3.0) + apart], family="poisson")
    assert apart <= found.within[0] and found.within[0] == pytest.approx(apart, rel=1e-3)


def test_a_bound_from_some_of_the_rows_proves_digits_too():
    problem = random_problem("logistic", Zero(), seed=4, n=400, intercept=True)
    best = optimum(problem)
    beta, f = (best + 1e-4).astype(float), problem.objective(chunks=50)
    some, every = (certificate_at(f, problem.g, beta, sample=part) for part in (f.sample(0.5), None))
    assert np.all(np.abs(beta - best) <= some.within) and np.all(np.array(some.within) > every.within)


def test_the_digits_of_a_column_do_not_depend_on_its_unit():
    problem = random_problem("gamma", Zero(), seed=7)
    units = np.array([1.0, 1e6, 1e-6, 3.0])
    beta = problem.fit().beta + 1e-6
    one = certify(*problem.data, beta, family="gamma").within
    other = certify(problem.X * units, problem.y, beta / units, family="gamma").within
    assert np.array(other) * units == pytest.approx(np.array(one), rel=1e-3)


def test_a_family_whose_curvature_may_jump_proves_no_digits():
    class Unknown(Poisson):
        concordant = False

    problem = random_problem("poisson", Zero(), seed=3)
    result = fit(*problem.data, family=Unknown())
    assert result.converged and np.isnan(result.certificate.within).all()
    assert np.isfinite(fit(*problem.data, family="poisson").certificate.within).all()


def test_the_joined_point_is_proved_with_its_intercept_last():
    problem = random_problem("poisson", Zero(), seed=3, intercept=True)
    result = problem.fit()
    assert len(result.certificate.within) == 5
    assert np.all(np.abs(joined(result, True) - optimum(problem)) <= result.certificate.within)
