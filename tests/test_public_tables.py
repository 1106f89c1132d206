"""Coefficients, errors and likelihoods of public tables: against statsmodels, R, NIST and 50 digits, to 1e-8.

The tables come with statsmodels and scikit-learn. glmlab gets their columns as they are, and its default `tol`.
A coefficient is compared in units of its standard error: near 0 it is a difference of larger numbers, which leaves it
no digits of its own, while its standard error says how large a difference matters. All other numbers are sums of terms
of one sign, or far from 0, and are compared relatively.
"""

import warnings
from typing import NamedTuple

import mpmath as mp
import numpy as np
import pytest
import statsmodels.api as sm
from sklearn import datasets
from statsmodels.genmod.tests.results import res_R_var_weight, results_glm

from glmlab import Design, NegativeBinomial, Tweedie, fit, infer
from glmlab.inference.covariances import COVARIANCES

SAME = 1e-8


class Case(NamedTuple):
    """A table as a problem of both libraries, with an intercept."""

    X: object  # (n, p)
    y: np.ndarray  # (n,)
    family: object
    rows: dict = {}  # further rows of `fit`
    theirs: dict = {}  # the same for statsmodels
    asked: dict = {}  # of `infer`
    endog: object = None  # y of statsmodels, where it is another

    def fit(self):
        return fit(self.X, self.y, family=self.family, fit_intercept=True, **self.rows)

    def infer(self, result, **options):
        return infer(result, self.X, self.y, **self.rows, **self.asked, **options)


# --- tables -----------------------------------------------------------------------------------------------------------


def quiet(action):
    """The result of other people's code, whatever it warns of."""
    with warnings.catch_warnings(action="ignore"):
        return action()


def loaded(name):
    """A table of statsmodels, from its package."""
    return quiet(lambda: getattr(sm.datasets, name).load_pandas())


def table(name, response, family, **more):
    """The response on all other columns."""
    data = loaded(name).data.astype(float)
    return Case(data.drop(columns=response), data[response].to_numpy(), family, **more)


def star98():
    """Shares of pupils, each of so many: n trials with share y have the likelihood of one binomial row."""
    data = loaded("star98")
    trials = data.endog.sum(axis=1).to_numpy(float)
    return Case(data.exog, data.endog["NABOVE"] / trials, "logistic", {"sample_weight": trials},
                asked={"weights": "precision"}, endog=data.endog)  # fmt: skip


def fair():
    """Who has an affair, with two factors: occupation has six levels, religion four."""
    data = loaded("fair").data.astype({"religious": "category", "occupation": "category"})
    design = Design("rate_marriage + age + yrs_married + children + educ + C(religious) + C(occupation)", data)
    return Case(design(data), (data["affairs"] > 0).to_numpy(float), "logistic")


def fair_hours():
    """How much time affairs take, which is 0 for most."""
    data = loaded("fair").data
    return Case(data.drop(columns="affairs"), data["affairs"], Tweedie(1.5), asked={"dispersion": "pearson"})


def grunfeld():
    """Investments of eleven firms: the firm is a factor of text, beside two amounts."""
    data = loaded("grunfeld").data
    return Case(Design("value + capital + C(firm)", data)(data), data["invest"], "gaussian")


def ccard():
    """Greene's weighted least squares: the variance of what is spent grows with the square of the income."""
    plain = table("ccard", "AVGEXP", "gaussian")
    w = 1 / plain.X["INCOME"].to_numpy() ** 2
    return plain._replace(rows={"sample_weight": w}, theirs={"var_weights": w}, asked={"weights": "precision"})


def randhie():
    """Visits to a doctor: each of the 9,125 distinct rows once, with the number of its copies as its frequency."""
    data = loaded("randhie").data.value_counts().reset_index()
    w = data["count"].to_numpy(float)
    rows, theirs = {"sample_weight": w}, {"freq_weights": w}
    return Case(data.drop(columns=["mdvis", "count"]), data["mdvis"], "poisson", rows, theirs)


def cancer():
    """Cases of breast cancer in counties: the population is an exposure, and may change the rate as well."""
    data = loaded("cancer").data
    size = data["population"].to_numpy(float)
    return Case(data[["population"]], data["cancer"], "poisson", {"offset": np.log(size)}, {"exposure": size})


def cpunish(family="poisson"):
    """Executions in seventeen states, with the logarithm of their violent crimes, as in R's table below."""
    plain = table("cpunish", "EXECUTIONS", family)
    return plain._replace(X=plain.X.assign(VC100k96=np.log(plain.X["VC100k96"])))


def executions():
    """The same states: violent crimes are an exposure, and some states are there twice or three times."""
    plain = cpunish(NegativeBinomial(0.5))
    X, w = plain.X.drop(columns="VC100k96"), np.arange(len(plain.y)) % 3 + 1.0
    offset = plain.X["VC100k96"].to_numpy()
    rows, theirs = {"offset": offset, "sample_weight": w}, {"offset": offset, "freq_weights": w}
    return plain._replace(X=X, rows=rows, theirs=theirs)


def committee():
    """Bills of committees, as in R's table below: log(staff), and its product with the number of subcommittees."""
    plain = table("committee", "BILLS104", NegativeBinomial(1.0))
    X = plain.X.assign(STAFF=np.log(plain.X["STAFF"]))
    return plain._replace(X=X.assign(both=X["STAFF"] * X["SUBS"]))


def tumours():
    """Four columns of which no line tells the tumours apart, so that a maximum exists."""
    X, y = datasets.load_breast_cancer(return_X_y=True)
    return Case(X[:, :4], y, "logistic")


TABLES = {
    "longley": lambda: table("longley", "TOTEMP", "gaussian"),
    "stackloss": lambda: table("stackloss", "STACKLOSS", "gaussian"),
    "copper": lambda: table("copper", "WORLDCONSUMPTION", "gaussian"),
    "ccard": ccard,
    "grunfeld": grunfeld,
    "diabetes": lambda: Case(*datasets.load_diabetes(return_X_y=True), "gaussian"),
    "star98": star98,
    "fair": fair,
    "breast cancer": tumours,
    "cpunish": cpunish,
    "cancer": cancer,
    "randhie": randhie,
    "scotland": lambda: table("scotland", "YES", "gamma"),
    "strikes": lambda: table("strikes", "duration", "gamma"),
    "engel": lambda: table("engel", "foodexp", "gamma"),
    "heart": lambda: table("heart", "survival", "gamma"),
    "committee": committee,
    "executions": executions,
    "fair, hours": fair_hours,
}
every_table = pytest.mark.parametrize("name", TABLES)


# --- statsmodels ------------------------------------------------------------------------------------------------------


class Known(NamedTuple):
    """What statsmodels says in the units of the table, and the results that it says it in."""

    coefficients: np.ndarray
    errors: np.ndarray
    robust: np.ndarray  # HC0
    results: object


def family_of_statsmodels(family):
    """A new one each time: a Binomial keeps the trials of the rows that it saw last."""
    log = sm.families.links.Log()
    if isinstance(family, Tweedie):
        return sm.families.Tweedie(var_power=family.power, link=log)
    if isinstance(family, NegativeBinomial):
        return sm.families.NegativeBinomial(alpha=family.alpha)
    kinds = {"gaussian": sm.families.Gaussian, "logistic": sm.families.Binomial, "poisson": sm.families.Poisson}
    return kinds[family]() if family in kinds else sm.families.Gamma(log)


def centred(X):
    """Centred and scaled columns, and the matrix that carries their coefficients back, the intercept last."""
    X = np.asarray(X, float)
    mean, size = X.mean(axis=0), X.std(axis=0)
    back = np.diag(np.append(1 / size, 1.0))
    back[-1, :-1] = -mean / size
    return (X - mean) / size, back


def errors_of(covariance, back):
    """Standard errors in the units of the table."""
    return np.sqrt(np.diag(back @ covariance @ back.T))


def by_statsmodels(case):
    """A fit of centred and scaled columns, carried back to the units of the table.

    For robust errors statsmodels inverts a sum of squares, which has lost half of the digits where columns are nearly
    dependent. It stops when the deviance stands still, and then β has half of its digits: ten more steps find the rest.
    """
    columns, back = centred(case.X)
    columns = np.column_stack([columns, np.ones(len(columns))])
    y = case.y if case.endog is None else case.endog
    model = sm.GLM(np.asarray(y, float), columns, family=family_of_statsmodels(case.family), **case.theirs)
    start = quiet(lambda: model.fit(tol=1e-15, maxiter=200)).params
    known, robust = (quiet(lambda kind=kind: model.fit(start_params=start, tol=0.0, maxiter=10, cov_type=kind))
                     for kind in ("nonrobust", "HC0"))  # fmt: skip
    errors = [errors_of(found.cov_params(), back) for found in (known, robust)]
    return Known(back @ known.params, *errors, known)


def same(value):
    """Equal to eight digits."""
    return pytest.approx(value, rel=SAME, abs=0)


@every_table
def test_numbers_are_those_of_statsmodels(name):
    case = TABLES[name]()
    result, known = case.fit(), by_statsmodels(case)
    found, robust = case.infer(result), case.infer(result, covariance="HC0", information="observed")
    assert result.converged
    assert np.abs(found.coefficients - known.coefficients) / known.errors == pytest.approx(0, abs=SAME)
    assert found.errors == same(known.errors)
    assert robust.errors == same(known.robust)
    assert found.deviance == same(known.results.deviance)
    assert found.null_deviance == same(known.results.null_deviance)
    assert found.pearson == same(known.results.pearson_chi2)
    assert found.n - found.parameters == known.results.df_resid
    if isinstance(case.family, Tweedie):
        assert np.isnan(found.log_likelihood), "the density is a series, which glmlab does not sum"
        return
    estimated = case.family in ("gaussian", "gamma")  # statsmodels does not count φ among the parameters
    assert found.log_likelihood == same(known.results.llf)
    assert found.aic == same(known.results.aic + 2 * estimated)


def test_every_kind_of_family_and_of_rows_has_a_table():
    cases = [make() for make in TABLES.values()]
    kinds = {case.family if isinstance(case.family, str) else type(case.family).__name__ for case in cases}
    assert kinds == {"gaussian", "logistic", "poisson", "gamma", "NegativeBinomial", "Tweedie"}
    assert {name for case in cases for name in case.theirs} == {"freq_weights", "var_weights", "offset", "exposure"}
    assert sum(any("[T." in str(name) for name in getattr(case.X, "columns", ())) for case in cases) == 2


# --- R ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "printed"), [
    ("star98", results_glm.Star98), ("cpunish", results_glm.Cpunish), ("committee", results_glm.Committee),
])  # fmt: skip
def test_deviances_and_likelihoods_are_those_that_r_prints(name, printed):
    """R stops where a step changes the deviance by less than 1e-8 of itself, above the minimum that we find."""
    case, known = TABLES[name](), printed()
    found = case.infer(case.fit())
    assert found.deviance == same(known.deviance) and found.deviance < known.deviance * (1 + 1e-11)
    assert found.null_deviance == same(known.null_deviance)
    assert found.log_likelihood == same(known.llf)
    assert found.aic == same(known.aic_R)


def test_a_tweedie_with_prior_weights_is_the_one_that_r_prints():
    """R 3.5.1 with epsilon = 1e-25, so that it stops at the last digit; it prints 20."""
    data, known = loaded("fair").data, res_R_var_weight.results_tweedie_aweights_nonrobust
    w = np.ones(len(data))
    w[::5], w[::13] = 5, 3
    asked = {"dispersion": "pearson", "weights": "precision"}
    case = Case(data[["age", "yrs_married"]], data["affairs"], Tweedie(1.55), {"sample_weight": w}, asked=asked)
    found = case.infer(case.fit())
    order = [2, 0, 1]  # R has the intercept first
    assert np.abs(found.coefficients[order] - known.params) / known.bse == pytest.approx(0, abs=SAME)
    assert found.errors[order] == same(known.bse)
    assert found.deviance == same(known.deviance)


# --- Longley ----------------------------------------------------------------------------------------------------------

# NIST's Statistical Reference Datasets, https://www.itl.nist.gov/div898/strd/lls/data/Longley.shtml: coefficients and
# standard errors in the order of the columns, the intercept last. They were computed with 500 digits.
CERTIFIED = np.array([
    [15.0618722713733, 84.9149257747669], [-0.0358191792925910, 0.0334910077722432],
    [-2.02022980381683, 0.488399681651699], [-1.03322686717359, 0.214274163161675],
    [-0.0511041056535807, 0.226073200069370], [1829.15146461355, 455.478499142212],
    [-3482258.63459582, 890420.383607373],
])  # fmt: skip
RESIDUAL, EXPLAINED = 836424.055505915, 184172401.944494  # sums of squares


def test_longley_has_the_errors_that_nist_certifies():
    """The columns have the condition number 5e9, and 4e4 in the best units: sums of squares keep half of the digits."""
    case = TABLES["longley"]()
    found = case.infer(case.fit())
    assert np.abs(found.coefficients - CERTIFIED[:, 0]) / CERTIFIED[:, 1] == pytest.approx(0, abs=SAME)
    assert found.errors == same(CERTIFIED[:, 1])
    assert found.deviance == same(RESIDUAL) and found.null_deviance == same(RESIDUAL + EXPLAINED)


def exact_least_squares(X, y):
    """β, its standard errors and its HC0 errors, each (p + 1,), from the normal equations in 50 digits."""
    with mp.workdps(50):
        A, y = mp.matrix([[*row, 1.0] for row in X.tolist()]), mp.matrix(y.tolist())
        B = (A.T * A) ** -1
        beta = B * A.T * y
        r = y - A * beta
        V = B * sum(v**2 for v in r) / (A.rows - A.cols)
        robust = B * A.T * mp.diag([v**2 for v in r]) * A * B
        errors = [[float(mp.sqrt(M[j, j])) for j in range(A.cols)] for M in (V, robust)]
        return np.array([float(v) for v in beta]), *map(np.array, errors)


@pytest.mark.parametrize("name", ["longley", "stackloss", "copper"])
def test_least_squares_is_what_fifty_digits_say(name):
    """In the units of the table. Robust errors as well, whose squares are those of nearly dependent columns."""
    case = TABLES[name]()
    beta, errors, robust = exact_least_squares(case.X.to_numpy(), case.y)
    result = case.fit()
    found = case.infer(result)
    assert np.abs(found.coefficients - beta) / errors == pytest.approx(0, abs=SAME)
    assert found.errors == same(errors)
    assert case.infer(result, covariance="HC0").errors == same(robust)


@pytest.mark.parametrize("kind", COVARIANCES)
def test_other_units_and_centred_columns_change_no_standard_error_of_longley(kind):
    """The intercept, too, is carried back. A sum of squares in its own units would lose half of the digits."""
    case = TABLES["longley"]()
    columns, back = centred(case.X)
    other = case._replace(X=columns)
    options = {"covariance": kind} | ({"groups": np.arange(16) // 2} if kind == "cluster" else {})
    found, known = case.infer(case.fit(), **options), other.infer(other.fit(), **options)
    assert found.errors == same(errors_of(known.covariance, back))
