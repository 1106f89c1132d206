"""Standard errors, tests, intervals and likelihoods: against statsmodels, tables of R and Stata, and definitions."""

import pickle
import warnings

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from naive import ALPHA, PseudoHuber, draw, joined, random_problem
from scipy import sparse, stats
from sklearn.preprocessing import OneHotEncoder
from statsmodels.genmod.tests.results import res_R_var_weight, results_glm, results_glm_poisson_weights

import glmlab
from glmlab import L1, Gamma, NotConverged, RankWarning, Ridge, Zero, calibration, fit, infer, leverages
from glmlab.inference import influences
from glmlab.inference.diagnostics import expected_residuals
from glmlab.maths.families import FAMILIES as NAMED
from glmlab.policy import Blocks, Inferring
from glmlab.rows import inferring
from glmlab.rows.kernels import Rows

FAMILIES = {
    "gaussian": sm.families.Gaussian(),
    "logistic": sm.families.Binomial(),
    "poisson": sm.families.Poisson(),
    "gamma": sm.families.Gamma(sm.families.links.Log()),
}
KINDS = ["classical", "HC0", "HC1", "HC2", "HC3", "cluster"]
every_family = pytest.mark.parametrize("family", FAMILIES)
every_kind = pytest.mark.parametrize("kind", KINDS)


def quiet(action):
    """The result of other people's code, whatever it warns of."""
    with warnings.catch_warnings(action="ignore"):
        return action()


# --- statsmodels on public tables -----------------------------------------------------------------------------------


def table(name):
    data = quiet(lambda: getattr(sm.datasets, name).load_pandas())
    return data.exog.drop(columns="const", errors="ignore").to_numpy(float), data.endog.to_numpy(float)


def cancer():
    data = results_glm.CancerLog()
    return np.asarray(data.exog, float)[:, :-1], np.asarray(data.endog, float)


def smaller(X, y):
    """Columns in units in which statsmodels keeps its digits."""
    return (X - X.mean(axis=0)) / X.std(axis=0), y


TABLES = {
    "gaussian": lambda: smaller(*table("longley")),
    "logistic": lambda: table("spector"),
    "poisson": lambda: smaller(*table("cpunish")),
    "gamma": cancer,
}


def theirs(family, X, y, cov_type="nonrobust", cov_kwds=None, **rows):
    model = sm.GLM(y, sm.add_constant(X, prepend=False), family=FAMILIES[family], **rows)
    return quiet(lambda: model.fit(tol=1e-15, maxiter=200, cov_type=cov_type, cov_kwds=cov_kwds))


def extras(family, n, rows):
    """(what statsmodels takes, what glmlab takes) beside X and y."""
    rng = np.random.default_rng(len(family))
    w, o = rng.integers(1, 4, n).astype(float), rng.normal(size=n) / 4
    return {
        "plain": ({}, {}),
        "offset": ({"offset": o}, {"offset": o}),
        "weights": ({"freq_weights": w}, {"sample_weight": w}),
    }[rows]


@every_family
@pytest.mark.parametrize("rows", ["plain", "offset", "weights"])
def test_numbers_of_statsmodels(family, rows):
    X, y = TABLES[family]()
    other, own = extras(family, len(y), rows)
    result = fit(X, y, family=family, fit_intercept=True, **own)
    found, known = infer(result, X, y, **own), theirs(family, X, y, **other)
    assert found.coefficients == pytest.approx(known.params, rel=1e-8)
    assert found.errors == pytest.approx(known.bse, rel=1e-8)
    assert found.covariance == pytest.approx(known.cov_params(), rel=1e-7, abs=1e-9 * np.max(known.bse) ** 2)
    for ours, name in [
        ("deviance", "deviance"), ("pearson", "pearson_chi2"), ("log_likelihood", "llf"), ("dispersion", "scale"),
        ("null_deviance", "null_deviance"),
    ]:  # fmt: skip
        assert getattr(found, ours) == pytest.approx(getattr(known, name), rel=1e-8), ours
    estimated = family in ("gaussian", "gamma")  # statsmodels does not count φ among the parameters
    assert found.aic == pytest.approx(known.aic + 2 * estimated, rel=1e-8)
    assert found.n - found.parameters == known.df_resid
    assert found.n == np.sum(other.get("freq_weights", np.ones(len(y))))
    assert found.bic == pytest.approx(-2 * known.llf + np.log(found.n) * (len(known.params) + estimated), rel=1e-8)
    robust = infer(result, X, y, covariance="HC0", information="observed", **own)
    assert robust.errors == pytest.approx(theirs(family, X, y, "HC0", **other).bse, rel=1e-8)


@every_family
def test_tests_and_intervals_of_statsmodels(family):
    """It uses Student's t on request. We use it where φ is estimated, as R does."""
    X, y = TABLES[family]()
    found = infer(fit(X, y, family=family, fit_intercept=True), X, y, level=0.9)
    model = sm.GLM(y, sm.add_constant(X, prepend=False), family=FAMILIES[family])
    known = quiet(lambda: model.fit(tol=1e-15, maxiter=200, use_t=family in ("gaussian", "gamma")))
    assert found.statistics == pytest.approx(known.tvalues, rel=1e-8)
    assert found.p_values == pytest.approx(known.pvalues, rel=1e-6)
    ends = known.conf_int(alpha=0.1).T
    assert found.low == pytest.approx(ends[0], rel=1e-8) and found.high == pytest.approx(ends[1], rel=1e-8)


@every_family
def test_clusters_of_statsmodels(family):
    X, y = TABLES[family]()
    groups = np.arange(len(y)) // 3
    known = theirs(family, X, y, "cluster", {"groups": groups})
    result = fit(X, y, family=family, fit_intercept=True)
    found = infer(result, X, y, covariance="cluster", groups=groups.astype(str), information="observed")
    assert found.errors == pytest.approx(known.bse, rel=1e-8)
    assert found.freedom == len(np.unique(groups)) - 1


# --- tables of R and Stata ------------------------------------------------------------------------------------------


def test_r_s_gamma_table_with_prior_weights():
    """Of glm in R 3.5.1, whose prior weights are precisions in standard errors and copies in the log-likelihood."""
    X, y = cancer()
    w = np.ones(len(y))
    w[::5], w[::13] = 5, 3
    known = res_R_var_weight.results_gamma_aweights_nonrobust
    result = fit(X, y, family="gamma", fit_intercept=True, sample_weight=w)
    found = infer(result, X, y, sample_weight=w, weights="precision")
    order = [3, 0, 1, 2]  # R has the intercept first
    assert found.coefficients[order] == pytest.approx(known.params, rel=1e-7)
    assert found.errors[order] == pytest.approx(known.bse, rel=1e-6), "R stops its iterations early"
    assert found.deviance == pytest.approx(known.deviance, rel=1e-7) and found.n == len(y)
    copies = infer(result, X, y, sample_weight=w, dispersion=found.deviance / w.sum())  # R's φ, for its log-likelihood
    assert copies.log_likelihood == pytest.approx(known.ll, rel=1e-8)


def test_r_s_logistic_table():
    """Birth weights (Hosmer and Lemeshow); AIC and log-likelihood of R, deviances of R, errors of Stata."""
    known = results_glm.Lbw()
    X, y = known.exog.drop(columns="const").to_numpy(float), known.endog.to_numpy(float)
    found = infer(fit(X, y, family="logistic", fit_intercept=True), X, y)
    assert found.coefficients == pytest.approx(known.params, abs=1e-8), "the table has eight digits"
    assert found.errors == pytest.approx(known.bse, rel=3e-5), "Stata stops its iterations early"
    assert found.aic == pytest.approx(known.aic_R, rel=1e-11)
    assert found.log_likelihood == pytest.approx(known.llf, rel=1e-11)
    assert found.deviance == pytest.approx(known.deviance, rel=1e-11)
    assert found.null_deviance == pytest.approx(known.null_deviance, rel=1e-11)
    assert found.pearson == pytest.approx(known.pearson_chi2, rel=1e-7)


STATA = {  # name of the table → arguments of infer, and our variance ÷ Stata's
    "none_nonrobust": ({}, 1.0),
    "fweight_nonrobust": ({"weights": "frequency"}, 1.0),
    "fweight_hc1": ({"weights": "frequency", "covariance": "HC0"}, 32 / 33),  # Stata's factor is n ÷ (n − 1)
    "fweight_clu1": ({"weights": "frequency", "covariance": "cluster"}, 32 / (33 - 7)),  # Stata leaves it out
}


@pytest.mark.parametrize("name", STATA)
def test_stata_s_poisson_tables(name):
    X, y = table("cpunish")
    X[:, 3] = np.log(X[:, 3])
    w = np.array([1, 1, 1, 2, 2, 2, 3, 3, 3, 1, 1, 1, 2, 2, 2, 3, 3.0]) if "fweight" in name else None
    settings, factor = STATA[name]
    groups = np.arange(1, 18) // 2 if "clu" in name else None
    result = fit(X, y, family="poisson", fit_intercept=True, sample_weight=w)
    found = infer(result, X, y, sample_weight=w, groups=groups, **settings)
    known = getattr(results_glm_poisson_weights, f"results_poisson_{name}")
    assert found.coefficients == pytest.approx(known.params, rel=3e-6), "Stata stops its iterations early"
    assert found.errors / np.sqrt(factor) == pytest.approx(known.bse, rel=3e-6)
    assert found.log_likelihood == pytest.approx(known.ll, rel=1e-7)
    assert found.deviance == pytest.approx(known.deviance, rel=1e-7)


# --- the definitions ------------------------------------------------------------------------------------------------


def by_hand(result, problem, kind, frequency, groups, observed=False):
    """The covariance matrix from whole arrays, as R's sandwich writes it."""
    X, w, eta, y = (np.asarray(part, float) for part in problem.rows(joined(result, problem.intercept)))
    family, l2 = result.family, problem.penalty.l2 * np.ones(X.shape[1])
    l2[-1] = 0.0 if problem.intercept else l2[-1]
    h = family.d2loss(eta, y) if observed else family.fisher(eta)
    J = X.T @ ((w * h)[:, None] * X)
    B, n = np.linalg.inv(J + np.diag(l2)), w.sum() if frequency else np.sum(w > 0)
    p, slope = np.trace(B @ J), family.dloss(eta, y)
    leverage = h * np.einsum("ij,jk,ik->i", X, B, X) * (1 if frequency else w)
    if kind == "classical":
        phi = (w @ (slope**2 / family.fisher(eta))) / family.multiple / (n - p) if family.dispersed else 1.0
        return family.multiple * phi * B
    if kind == "cluster":
        S = np.stack([X[groups == g].T @ (w * slope)[groups == g] for g in np.unique(groups)])
        return len(S) / (len(S) - 1) * (n - 1) / (n - p) * B @ S.T @ S @ B
    slope = slope / (1 - leverage) ** {"HC2": 0.5, "HC3": 1.0}.get(kind, 0.0)
    M = X.T @ (((w if frequency else w**2) * slope**2)[:, None] * X)
    return B @ M @ B * (n / (n - p) if kind == "HC1" else 1.0)


@every_family
@every_kind
@pytest.mark.parametrize("penalty", [Zero(), Ridge(4.0)], ids=repr)
@pytest.mark.parametrize("weights", ["frequency", "precision"])
def test_covariances_are_what_their_formulas_say(family, kind, penalty, weights):
    problem = random_problem(family, penalty, seed=3, intercept=True, weighted=True, shifted=True)
    result = problem.fit()
    groups = np.random.default_rng(0).integers(0, 20, 80) if kind == "cluster" else None
    for information in ("expected", "observed"):
        found = infer(result, *problem.data, **problem.extras, covariance=kind, weights=weights, groups=groups,
                      information=information)  # fmt: skip
        known = by_hand(result, problem, kind, weights == "frequency", groups, information == "observed")
        assert found.covariance == pytest.approx(known, rel=1e-9, abs=1e-12 * np.abs(known).max())
    assert found.passes == (1 if kind == "classical" else 2)


@every_family
@every_kind
def test_a_frequency_is_a_number_of_copies(family, kind):
    problem = random_problem(family, Zero(), seed=6, intercept=True, shifted=True)
    w = np.random.default_rng(1).integers(0, 4, 80)
    copies = problem._replace(**{name: np.repeat(getattr(problem, name), w, axis=0) for name in "Xyo"})
    groups = {"groups": np.arange(80) // 5} if kind == "cluster" else {}
    weighted = problem._replace(w=w)
    one = infer(weighted.fit(), *weighted.data, **weighted.extras, covariance=kind, **groups)
    groups = {name: np.repeat(values, w) for name, values in groups.items()}
    other = infer(copies.fit(), *copies.data, offset=copies.o, covariance=kind, **groups)
    for name in ("errors", "p_values", "low", "n", "parameters", "dispersion", "pearson", "deviance", "null_deviance",
                 "log_likelihood", "aic", "bic"):  # fmt: skip
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-7), name
    assert w @ leverages(one) == pytest.approx(leverages(other).sum(), rel=1e-9)


@every_family
@every_kind
def test_a_unit_of_precision_changes_no_standard_error_where_phi_is_estimated(family, kind):
    problem = random_problem(family, Zero(), seed=7, intercept=True, weighted=True)
    groups = np.arange(80) // 4 if kind == "cluster" else None
    errors = []
    for unit in (1.0, 100.0):
        rows = {"sample_weight": problem.w * unit}
        result = fit(*problem.data, family=family, fit_intercept=True, **rows)
        errors.append(infer(result, *problem.data, **rows, weights="precision", dispersion="pearson", covariance=kind,
                            groups=groups).errors)  # fmt: skip
    assert errors[0] == pytest.approx(errors[1], rel=1e-7)


@pytest.mark.parametrize("weights", ["frequency", "precision"])
@every_family
def test_the_likelihood_is_that_of_the_density(family, weights):
    """From SciPy's densities, row by row: of w copies, or of one row whose precision is w."""
    problem = random_problem(family, Zero(), seed=9, intercept=True, weighted=True)
    w, y = problem.w, problem.y
    if family == "logistic":
        w = np.round(w / 0.75)
        y = np.round(y * w) / np.maximum(w, 1) if weights == "precision" else y
    problem = problem._replace(w=w, y=y)
    result = problem.fit()
    found = infer(result, *problem.data, **problem.extras, weights=weights)
    copies, one, mu = (w, 1.0, result.predict(problem.X)) if weights == "frequency" else (1.0 * (w > 0), w, None)
    mu, one = result.predict(problem.X), np.maximum(one, 1e-300)
    phi = found.deviance / found.n if family == "gaussian" else found.dispersion
    density = {
        "gaussian": lambda: stats.norm.logpdf(y, mu, np.sqrt(phi / one)),
        "gamma": lambda: stats.gamma.logpdf(y, one / phi, scale=mu * phi / one),
        "poisson": lambda: (w if weights == "precision" else 1.0) * stats.poisson.logpmf(y, mu),
        "logistic": lambda: stats.binom.logpmf(np.round(y * one), np.round(one), mu),
    }[family]()
    assert found.log_likelihood == pytest.approx(copies[w > 0] @ density[w > 0], rel=1e-10)


@every_family
def test_a_ridge_counts_parameters_by_its_trace_and_vanishes_with_lam(family):
    problem = random_problem(family, Ridge(1e-9), seed=2, intercept=True)
    plain = infer(problem._replace(penalty=Zero()).fit(), *problem.data)
    small = infer(problem.fit(), *problem.data)
    large = infer(problem._replace(penalty=Ridge(1e9)).fit(), *problem.data)
    assert small.errors == pytest.approx(plain.errors, rel=1e-8) and small.parameters == pytest.approx(5, abs=1e-8)
    assert large.parameters == pytest.approx(1, abs=1e-4), "the intercept alone is free"
    assert large.errors[:-1] == pytest.approx(np.sqrt(large.result.family.multiple * large.dispersion / 1e9), rel=1e-4)
    assert "ridge" in large.summary() and "ridge" not in plain.summary()
    robust = infer(problem.fit(), *problem.data, covariance="HC1")
    assert "these intervals allow" in large.summary()["ridge"] and "do not allow" in robust.summary()["ridge"]


def test_a_readers_own_loss_has_robust_errors():
    """An M-estimator of Huber's: B is the inverse of the Hessian, whatever made the rows."""
    problem = random_problem("gaussian", Zero(), seed=1)
    with pytest.warns(NotConverged, match="the conjugate of this loss or penalty is not known"):
        result = fit(*problem.data, family=PseudoHuber())
    found = infer(result, *problem.data, covariance="HC0", information="observed")
    X, eta = problem.X, problem.X @ result.beta
    B = np.linalg.inv(X.T @ (PseudoHuber().d2loss(eta, problem.y)[:, None] * X))
    S = X * PseudoHuber().dloss(eta, problem.y)[:, None]
    assert found.covariance == pytest.approx(B @ S.T @ S @ B, rel=1e-9)
    assert np.isnan(found.aic) and "deviance" not in found.summary() and "std. error" in repr(found)
    with pytest.raises(ValueError, match="does not say of which likelihood"):
        infer(result, *problem.data, covariance="HC0")


def test_columns_that_lose_digits_in_the_normal_equations_keep_them_here():
    """The columns are nearly copies; against a QR of the whole matrix in extended precision."""
    rng = np.random.default_rng(0)
    X = np.c_[np.ones(60), rng.normal(size=60)]
    X = np.c_[X, X[:, 1] + 1e-6 * rng.normal(size=60)]
    y = rng.normal(size=60) + X[:, 0]
    found = infer(fit(X, y, family="gaussian", solver="newton"), X, y)
    Q, R = np.linalg.qr(X)
    r = y - Q @ (Q.T @ y)
    known = np.sqrt(r @ r / 57 * np.sum(np.linalg.inv(R) ** 2, axis=1))
    assert found.errors == pytest.approx(known, rel=1e-7)


@every_kind
def test_a_column_and_its_distance_from_another_have_the_errors_of_both_however_near_they_are(kind):
    """Both pairs span the same rows, because the difference of two floats that are so near is exact."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    y = X[:, 0] + rng.normal(size=60)
    X[:, 1] = X[:, 0] + 1e-6 * X[:, 1]
    apart = np.c_[X[:, 0], X[:, 1] - X[:, 0]]
    groups = {"groups": np.arange(60) // 4} if kind == "cluster" else {}
    near, far = (infer(fit(columns, y, family="gaussian", fit_intercept=True, solver="newton"), columns, y,
                       covariance=kind, **groups) for columns in (X, apart))  # fmt: skip
    assert near.errors[1:] == pytest.approx(far.errors[1:], rel=1e-8)


# --- wherever the rows are ------------------------------------------------------------------------------------------


@every_kind
def test_memory_chunks_sparse_rows_and_dask_give_the_same_numbers(kind):
    problem = random_problem("poisson", Zero(), seed=4, intercept=True, weighted=True, shifted=True)
    groups = {"groups": np.arange(80) % 7} if kind == "cluster" else {}
    result = problem.fit()
    lazy = [da.from_array(c, chunks=(30, *c.shape[1:])) for c in (problem.X, problem.y, problem.w, problem.o)]
    places = {
        "memory": [problem.X, problem.y, problem.w, problem.o],
        "sparse": [sparse.csr_array(problem.X), problem.y, problem.w, problem.o],
        "dask": lazy,
    }
    found = {
        name: infer(result, X, y, sample_weight=w, offset=o, covariance=kind, **groups)
        for name, (X, y, w, o) in places.items()
    }
    for name in ("sparse", "dask"):
        assert found[name].covariance == pytest.approx(found["memory"].covariance, rel=1e-10, abs=1e-16)
        assert found[name].bic == pytest.approx(found["memory"].bic, rel=1e-12)
        assert leverages(found[name]) == pytest.approx(leverages(found["memory"]), rel=1e-9, abs=1e-15)
        for one, other in zip(calibration(found[name], 4), calibration(found["memory"], 4), strict=True):
            assert one == pytest.approx(other, rel=1e-9)
    assert found["dask"].rows.f.n_chunks == 3 and found["dask"].passes == found["memory"].passes


@pytest.mark.parametrize("X", [np.asarray, sparse.csr_array])
def test_the_size_of_a_block_changes_no_number(X):
    problem = random_problem("gamma", Zero(), seed=4, intercept=True, weighted=True, shifted=True)
    rows = Rows(X(problem.X), problem.y, problem.w, problem.o)
    beta, root, small = np.linspace(-0.2, 0.2, 5), np.triu(np.ones((5, 5))), Blocks(shortest=7, tallest=7, stacked=3)
    for kernel, *shared in [
        (inferring.likelihood, True), (inferring.squares, root / 99, True, False, 0.5), (inferring.predictors,),
        (inferring.leverages, root, False, False), (inferring.binned, np.array([-0.1, 0.2])),
    ]:  # fmt: skip
        one, other = (kernel(rows, Gamma(), beta, *shared, policy=policy) for policy in (Blocks(), small))
        if kernel is inferring.likelihood:
            one, other = (found._replace(factor=found.factor.R.T @ found.factor.R) for found in (one, other))
        for a, b in zip(one, other, strict=True):
            assert a == pytest.approx(b, rel=1e-12, abs=1e-14), kernel.__name__
    for a, b in zip(*(inferring.group_slopes(rows, Gamma(), beta, np.arange(80) % 9, policy=policy)
                      for policy in (Blocks(), small)), strict=True):  # fmt: skip
        assert a == pytest.approx(b, rel=1e-12, abs=1e-13)


# --- intervals hold what they promise -------------------------------------------------------------------------------


@every_family
def test_intervals_of_95_percent_hold_the_truth_95_times_of_100(family):
    """1,500 intervals, of 95 ± 1 %; those of the mean at new rows as well."""
    rng, truth = np.random.default_rng([1, *family.encode()]), np.array([0.5, -0.3, 0.2])
    n, hits, means = 300, [], []
    X, new = rng.normal(size=(n, 2)), rng.normal(size=(1, 2))
    for _ in range(500):
        eta = X @ truth[:2] + truth[2]
        y = {
            "gaussian": lambda eta=eta: eta + rng.normal(size=n),
            "logistic": lambda eta=eta: (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(float),
            "poisson": lambda eta=eta: rng.poisson(np.exp(eta)).astype(float),
            "gamma": lambda eta=eta: np.exp(eta) * rng.gamma(5.0, 0.2, n),
        }[family]()
        found = infer(fit(X, y, family=family, fit_intercept=True, kernels="numpy", solver="newton"), X, y)
        hits.append((found.low <= truth) & (truth <= found.high))
        band = found.predict(new)
        mean = found.result.family.mean(new @ truth[:2] + truth[2])
        means.append((band.low <= mean) & (mean <= band.high))
    assert 0.94 <= np.mean(hits) <= 0.96
    assert 0.93 <= np.mean(means) <= 0.97


def test_with_a_ridge_intervals_hold_what_its_prior_draws():
    """A theorem of Bayes for least squares with known σ² = 1, where rows are so few that the ridge matters."""
    rng, lam, hits = np.random.default_rng(3), 8.0, []
    for _ in range(400):
        X, truth = rng.normal(size=(12, 4)), rng.normal(size=4) * np.sqrt(2 / lam)
        y = X @ truth + rng.normal(size=12)
        result = fit(X, y, family="gaussian", penalty=Ridge(lam), kernels="numpy", solver="newton")
        found = infer(result, X, y, dispersion=1.0)
        assert 2 < found.parameters < 3.5
        hits.append((found.low <= truth) & (truth <= found.high))
    assert 0.935 <= np.mean(hits) <= 0.965


def test_robust_intervals_hold_where_classical_ones_do_not():
    """Counts with three times the variance of Poisson's, in groups that share their luck."""
    rng, truth = np.random.default_rng(5), np.array([0.3, 1.0])
    groups, hits = np.repeat(np.arange(60), 5), {"classical": [], "quasi": [], "cluster": []}
    for _ in range(200):
        x = np.repeat(rng.normal(size=60), 5)[:, None]
        y = rng.poisson(np.exp(x[:, 0] * 0.3 + 1.0) * np.repeat(rng.gamma(2.0, 0.5, 60), 5)).astype(float)
        result = fit(x, y, family="poisson", fit_intercept=True, kernels="numpy")
        cluster = {"covariance": "cluster", "groups": groups}
        for kind, settings in {"classical": {}, "quasi": {"dispersion": "pearson"}, "cluster": cluster}.items():
            found = infer(result, x, y, **settings)
            hits[kind].append((found.low <= truth) & (truth <= found.high))
    held = {kind: np.mean(each) for kind, each in hits.items()}
    assert held["classical"] < 0.6 and held["classical"] < held["quasi"] < held["cluster"] - 0.05
    assert held["cluster"] > 0.88


# --- predictions ----------------------------------------------------------------------------------------------------


@every_family
@pytest.mark.parametrize("intercept", [True, False])
def test_means_with_limits_are_those_of_statsmodels(family, intercept):
    problem = random_problem(family, Zero(), seed=8, intercept=intercept)
    found, new = infer(problem.fit(), *problem.data), random_problem(family, Zero(), seed=80).X
    shape = (lambda X: sm.add_constant(X, prepend=False)) if intercept else (lambda X: X)
    known = sm.GLM(problem.y, shape(problem.X), family=FAMILIES[family])
    known = quiet(lambda: known.fit(tol=1e-15, maxiter=200, use_t=family in ("gaussian", "gamma")))
    frame = quiet(lambda: known.get_prediction(shape(new)).summary_frame())
    for X in (new, sparse.csr_array(new)):
        for ours, name in zip(found.predict(X), ("mean", "mean_ci_lower", "mean_ci_upper"), strict=True):
            assert ours == pytest.approx(frame[name].to_numpy(), rel=1e-8, abs=1e-9), name


def test_a_prediction_never_forgets_that_the_fit_had_offsets():
    problem = random_problem("poisson", Zero(), seed=8, intercept=True, shifted=True)
    found = infer(problem.fit(), *problem.data, offset=problem.o)
    with pytest.raises(TypeError, match="fitted with an offset: pass offset=…"):
        found.predict(problem.X)
    band, moved = found.predict(problem.X, problem.o), found.predict(problem.X, problem.o + np.log(3))
    assert np.array(moved) == pytest.approx(3 * np.array(band), rel=1e-12)
    assert band.mean == pytest.approx(found.result.predict(problem.X, problem.o), rel=1e-15)
    assert infer(problem._replace(o=None).fit(), *problem.data).predict(problem.X, problem.o).mean.shape == (80,)


def test_predictions_on_dask_are_lazy():
    problem = random_problem("logistic", Zero(), seed=8, intercept=True)
    found = infer(problem.fit(), *problem.data)
    band = found.predict(da.from_array(problem.X, chunks=(30, 4)))
    assert all(isinstance(values, da.Array) for values in band)
    found = np.array(found.predict(problem.X))
    assert np.array([values.compute() for values in band]) == pytest.approx(found, rel=1e-13)


def test_names_of_columns_are_kept_and_asked_for():
    problem = random_problem("poisson", Zero(), seed=8, intercept=True)
    X = pd.DataFrame(problem.X, columns=["age", "<b>", "dose", "size"])
    found = infer(fit(X, problem.y, family="poisson", fit_intercept=True), X, problem.y)
    assert found.names == ("age", "<b>", "dose", "size", "intercept")
    assert list(found.to_frame().index) == list(found.names)
    with pytest.raises(ValueError, match="in another order"):
        found.predict(X[["dose", "age", "<b>", "size"]])
    with pytest.raises(ValueError, match="in another order"):
        infer(found.result, X[["dose", "age", "<b>", "size"]], problem.y)
    assert "&lt;b&gt;" in found._repr_html_() and "<b>" not in found._repr_html_()


# --- diagnostics ----------------------------------------------------------------------------------------------------


@every_family
@pytest.mark.parametrize("weights", ["frequency", "precision"])
def test_leverages_are_the_diagonal_of_the_hat_matrix(family, weights):
    problem = random_problem(family, Ridge(2.0), seed=5, intercept=True, weighted=True)
    result = problem.fit()
    found = infer(result, *problem.data, **problem.extras, weights=weights)
    before = found.rows.f.passes
    h = leverages(found)
    X = np.column_stack([problem.X, np.ones(80)])
    w, fisher = problem.w, result.family.fisher(X @ joined(result, True))
    root = np.sqrt(w * fisher)[:, None] * X
    hat = np.diag(root @ np.linalg.inv(root.T @ root + np.diag([2.0] * 4 + [0])) @ root.T)
    assert (w * h if weights == "frequency" else h) == pytest.approx(hat, rel=1e-9)
    assert hat.sum() == pytest.approx(found.parameters, rel=1e-9)
    assert found.rows.f.passes == before + 1


def test_a_leverage_in_least_squares_is_how_far_a_fitted_value_follows_its_y():
    problem = random_problem("gaussian", Zero(), seed=5, intercept=True)
    h = leverages(infer(problem.fit(), *problem.data))
    for i in (0, 17):
        y = problem.y + (np.arange(80) == i)
        moved = problem._replace(y=y).fit().predict(problem.X) - problem.fit().predict(problem.X)
        assert moved[i] == pytest.approx(h[i], rel=1e-9)


@every_family
def test_bins_add_up_to_all_rows(family):
    problem = random_problem(family, Zero(), seed=5, intercept=True, weighted=True, n=200)
    result = problem.fit()
    found = infer(result, *problem.data, **problem.extras)
    bins, mu, w = calibration(found, 8), result.predict(problem.X), problem.w
    assert bins.rows.sum() == np.sum(w > 0) and np.ptp(bins.rows) <= 2 and len(bins.rows) == 8
    assert bins.weight.sum() == pytest.approx(w.sum())
    assert bins.weight @ bins.predicted == pytest.approx(w @ mu) and np.all(np.diff(bins.predicted) > 0)
    assert bins.weight @ bins.observed == pytest.approx(w @ problem.y)
    assert bins.weight @ bins.spread == pytest.approx(found.deviance, rel=1e-9)
    assert list(bins.to_frame().columns) == list(bins._fields)
    # The slope of a row in η is (y − μ) ÷ V · dμ/dη, in units of φ; its variance is the information.
    eta = FAMILIES[family].link(mu)
    slope = w * (problem.y - mu) / FAMILIES[family].variance(mu) / FAMILIES[family].link.deriv(mu)
    fisher = w / FAMILIES[family].variance(mu) / FAMILIES[family].link.deriv(mu) ** 2
    edges = np.quantile(eta[w > 0], np.linspace(0, 1, 9)[1:-1])
    inside = np.searchsorted(edges, eta, side="right") == np.arange(8)[:, None]
    assert bins.z == pytest.approx(inside @ slope / np.sqrt(found.dispersion * (inside @ fisher)), rel=1e-9)
    one, other = calibration(found, 1), quiet(lambda: theirs(family, problem.X, problem.y, freq_weights=w))
    assert one.z == pytest.approx(0, abs=1e-6), "an intercept makes the sum of slopes 0"
    live = w > 0
    residuals = np.asarray(other.resid_deviance)[live] / (1.0 if other.resid_deviance.shape == (0,) else 1.0)
    assert one.residual[0] == pytest.approx(w[live] @ residuals / w.sum(), abs=1e-6)


@every_family
def test_z_of_bins_is_normal_where_the_model_is_right_and_large_where_it_is_not(family):
    rng = np.random.default_rng([2, *family.encode()])
    X = rng.normal(size=(4000, 1))
    eta = 0.6 * X[:, 0] + 0.3
    for curve, right in ((0.0, True), (0.5, False)):
        y = draw(family, eta + curve * X[:, 0] ** 2, rng)
        z = calibration(infer(fit(X, y, family=family, fit_intercept=True), X, y), 20).z
        assert (np.mean(z**2) < 1.8 and np.abs(z).max() < 3.7) if right else np.abs(z).max() > 5


DISTRIBUTIONS = {
    "gaussian": lambda mu: stats.norm(mu, 1),
    "logistic": lambda mu: stats.bernoulli(mu),
    "poisson": lambda mu: stats.poisson(mu),
    "gamma": lambda mu: stats.gamma(2, scale=mu / 2),
}


@every_family
def test_expected_residuals_are_the_means_of_statsmodels_residuals_over_the_distribution(family):
    mu, phi = np.array([0.03, 0.4, 0.9]), 0.5 if family == "gamma" else 1.0
    known = [DISTRIBUTIONS[family](m).expect(lambda y, m=m: FAMILIES[family].resid_dev(np.array(y), m))
             if family != "logistic" else
             m * np.sqrt(-2 * np.log(m)) - (1 - m) * np.sqrt(-2 * np.log(1 - m)) for m in mu]  # fmt: skip
    assert expected_residuals(NAMED[family](), mu, phi) == pytest.approx(known, abs=2e-3)
    if family in ("logistic", "poisson"):
        assert np.isnan(expected_residuals(NAMED[family](), mu, 1.5)).all(), "no distribution has this variance"


@pytest.mark.parametrize("family", [*FAMILIES, "negative_binomial"])
def test_residuals_are_as_expected_where_the_model_is_right_and_not_where_it_is_wrong(family):
    rng = np.random.default_rng([3, *family.encode()])
    X = rng.normal(size=(6000, 1))
    model = {"family": glmlab.NegativeBinomial(ALPHA) if family == "negative_binomial" else family}
    for curve, right in ((0.0, True), (0.5, False)):
        y = draw(family, 0.6 * X[:, 0] + 0.3 + curve * X[:, 0] ** 2, rng)
        bins = calibration(infer(fit(X, y, fit_intercept=True, **model), X, y), 10)
        apart = np.abs(bins.residual - bins.expected) / bins.error
        assert apart.max() < 4.5 if right else apart.max() > 6


@pytest.mark.parametrize("weights", ["frequency", "precision"])
def test_the_error_of_a_mean_residual_is_that_of_copies_or_of_rows(weights):
    problem = random_problem("gaussian", Zero(), seed=5, intercept=True, n=200)
    w = np.arange(200) % 3 + 1.0
    result = fit(*problem.data, family="gaussian", sample_weight=w, fit_intercept=True)
    bins = calibration(infer(result, *problem.data, sample_weight=w, weights=weights), 4)
    eta, r = result.predict(problem.X), problem.y - result.predict(problem.X)
    inside = np.searchsorted(np.quantile(eta, [0.25, 0.5, 0.75]), eta, side="right") == np.arange(4)[:, None]
    mean = inside @ (w * r) / (inside @ w)
    variance = inside @ (w * r**2) / (inside @ w) - mean**2
    assert bins.residual == pytest.approx(mean, rel=1e-9, abs=1e-12)
    assert bins.error == pytest.approx(np.sqrt(variance / (inside @ w if weights == "frequency" else bins.rows)))
    assert np.isnan(bins.expected).all() == (weights == "precision"), "of copies alone the distribution is known"


def test_a_family_whose_distribution_is_not_known_has_no_expected_residuals():
    problem = random_problem("poisson", Zero(), seed=5, intercept=True, n=200)
    result = fit(*problem.data, family=glmlab.Tweedie(1.5), fit_intercept=True)
    bins = calibration(infer(result, *problem.data), 4)
    assert np.isnan(bins.expected).all() and np.isfinite(bins.residual).all()


def test_the_edges_of_many_rows_come_from_some_of_them():
    problem = random_problem("poisson", Zero(), seed=5, intercept=True, n=2000)
    found = infer(problem.fit(), *problem.data)
    before = found.rows.f.passes
    bins = calibration(found, 4, policy=Inferring(ranked=500))
    assert bins.rows.sum() == 2000 and np.all(np.abs(bins.rows - 500) < 120)
    assert found.rows.f.passes == pytest.approx(before + 1.25, abs=0.02)


# --- what is said, and what is refused ------------------------------------------------------------------------------


def test_the_table_says_the_digits_that_are_proved():
    problem = random_problem("gamma", Zero(), seed=1, intercept=True)
    result = problem.fit()
    found = infer(result, *problem.data)
    assert np.array_equal(found.within, result.certificate.within)
    assert found.accuracy == np.max(found.within / found.errors) < 1e-6
    text, html = repr(found), found._repr_html_()
    for words in ("coefficient", "proved ±", "std. error", "t", "2.5 %", "97.5 %", "intercept", "AIC", "Student"):
        assert words in text and words in html
    assert f"β is within {found.accuracy:.2g} standard errors of the optimum" in text
    assert len(text.partition("\n\n")[2].splitlines()) == 2 + len(found.names), "a title and headings"
    assert infer(result, *problem.data, level=0.8).table().keys() >= {"10 %", "90 %"}


def test_an_answer_that_is_not_proved_is_said_to_be_none():
    problem = random_problem("logistic", Zero(), seed=1, n=300)
    with pytest.warns(NotConverged):
        early = problem.fit(solver="gradient_descent", max_iter=1)
    found = infer(early, *problem.data)
    assert "how far β is from the optimum is not known" in repr(found) or found.accuracy > 1e-3


def test_an_inference_can_be_pickled():
    problem = random_problem("logistic", Zero(), seed=1)
    found = infer(problem.fit(), *problem.data)
    again = pickle.loads(pickle.dumps(found))
    assert np.array_equal(again.covariance, found.covariance) and repr(again) == repr(found)


def poisson(penalty=None, **changes):
    problem = random_problem("poisson", penalty or Zero(), seed=3, shifted=True)
    return problem._replace(**changes)


REFUSED = {
    "L1": (lambda p: p._replace(penalty=L1(1.0)).fit(), {}, ValueError, "not defined with L1.lam=1.: the penalty"),
    "rows": (lambda p: p.fit(), {"offset": None}, ValueError, "not the rows of the fit: F.β. is .* here and was"),
    "columns": (lambda p: p._replace(X=p.X[:, :3]).fit(), {}, ValueError, "X has 4 columns, but the model has 3"),
    "beta": (lambda p: np.ones(4), {}, TypeError, "needs the Result of a fit, got ndarray"),
    "weights": (lambda p: p.fit(), {"weights": "precisions"}, ValueError, "did you mean 'precision'"),
    "covariance": (lambda p: p.fit(), {"covariance": "HC4"}, ValueError, "unknown covariance 'HC4'"),
    "information": (lambda p: p.fit(), {"information": "seen"}, ValueError, "unknown information"),
    "level": (lambda p: p.fit(), {"level": 95}, ValueError, "level must lie between 0 and 1, got 95"),
    "dispersion": (lambda p: p.fit(), {"dispersion": -1.0}, ValueError, "dispersion must be"),
    "no groups": (lambda p: p.fit(), {"covariance": "cluster"}, TypeError, "needs groups"),
    "groups": (lambda p: p.fit(), {"groups": np.arange(80)}, TypeError, "groups are for covariance='cluster'"),
    "few groups": (lambda p: p.fit(), {"covariance": "cluster", "groups": np.ones(80)}, ValueError, "one label only"),
    "short groups": (lambda p: p.fit(), {"covariance": "cluster", "groups": [1, 2]}, ValueError, "a label for each"),
    "spelling": (lambda p: p.fit(), {"ofset": None}, TypeError, "did you mean 'offset'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_makes_no_sense_is_refused_by_name(case):
    problem = poisson()
    make, changes, error, says = REFUSED[case]
    result = make(problem)
    with pytest.raises(error, match=says):
        infer(result, *problem.data, **({"offset": problem.o} | changes))


def test_copies_of_columns_are_refused_unless_there_is_a_ridge():
    problem = random_problem("poisson", Zero(), seed=3)
    twice = problem._replace(X=np.c_[problem.X, problem.X[:, 0]])
    with pytest.warns(RankWarning):
        result = twice.fit()
    with pytest.raises(ValueError, match="X has rank 4, not 5: some coefficients are not unique"):
        infer(result, *twice.data)
    ridge = twice._replace(penalty=Ridge(1.0))
    assert np.isfinite(infer(ridge.fit(), *ridge.data).errors).all()


def test_a_covariance_that_fits_in_no_memory_is_refused_before_a_pass():
    n, p = 3, Inferring().most + 1
    X, y = sparse.random_array((n, p), density=1e-3, rng=np.random.default_rng(0), format="csr"), np.ones(n)
    result = fit(X, y, family="gaussian", penalty=Ridge(1.0))
    with pytest.raises(ValueError, match="the covariance of 5,001 coefficients is too large"):
        infer(result, X, y)


def test_as_many_coefficients_as_rows_leave_nothing_to_estimate():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(4, 4)), rng.normal(size=4)
    with pytest.raises(ValueError, match="4 observations for 4 parameters leave no degrees of freedom"):
        infer(fit(X, y, family="gaussian"), X, y)


@every_kind
def test_rows_that_are_fitted_exactly_are_known_again_and_their_errors_are_called_rounding(kind):
    X = np.c_[np.arange(10.0), np.ones(10)]
    for y in (np.zeros(10), np.full(10, 3.0), 2 * X[:, 0] + 1):
        groups = np.arange(10) // 2 if kind == "cluster" else None
        result = fit(X, y, family="gaussian")
        found = infer(result, X, y, covariance=kind, groups=groups)
        assert np.all(found.errors < 1e-13) and not found.accuracy < 0.1
        with pytest.raises(ValueError, match="not the rows of the fit"):
            infer(result, X, y + 1e-6 * np.arange(10), covariance=kind, groups=groups)


@pytest.mark.parametrize("kind", ["HC2", "HC3"])
def test_a_row_that_is_fitted_whatever_its_y_is_has_no_hc2_and_hc3(kind):
    rng = np.random.default_rng(0)
    X = np.c_[rng.normal(size=(30, 2)), np.eye(30)[0]]
    y = rng.normal(size=30)
    result = fit(X, y, family="gaussian")
    with pytest.raises(ValueError, match="a row has leverage 1"):
        infer(result, X, y, covariance=kind)
    assert np.isfinite(infer(result, X, y, covariance="HC1").errors).all()


def test_on_a_cluster_as_in_memory(client):
    problem = random_problem("logistic", Zero(), seed=4, intercept=True, weighted=True, shifted=True)
    lazy = [da.from_array(c, chunks=(30, *c.shape[1:])) for c in (problem.X, problem.y, problem.w, problem.o)]
    groups, result = np.arange(80) % 7, problem.fit()
    for kind in ({"covariance": "HC3"}, {"covariance": "cluster", "groups": da.from_array(groups, chunks=50)}):
        here = infer(
            result, *problem.data, **problem.extras, **(kind | ({"groups": groups} if "groups" in kind else {}))
        )
        there = infer(result, *lazy[:2], sample_weight=lazy[2], offset=lazy[3], **kind)
        assert there.covariance == pytest.approx(here.covariance, rel=1e-10)
    assert np.array(calibration(there, 4)) == pytest.approx(np.array(calibration(here, 4)), rel=1e-9)


# --- rows that are not finite ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("chunks", [None, (50, 4)], ids=["in memory", "on dask"])
def test_infer_names_the_column_that_is_not_finite(value, chunks):
    """LAPACK said "SVD did not converge" before F(β) was looked at."""
    problem = random_problem("gaussian", Zero(), seed=3, intercept=True)
    result, X = problem.fit(), problem.X.copy()
    X[7, 1] = value
    X = X if chunks is None else da.from_array(X, chunks=chunks)
    with pytest.raises(ValueError, match=f"X holds {value} in column 1"):
        infer(result, X, problem.y)


def test_rows_of_another_fit_whose_squares_overflow_are_refused():
    problem = random_problem("gaussian", Zero(), seed=3)
    with pytest.raises(ValueError, match="these are not the rows of the fit"):
        infer(problem.fit(), 1e200 * problem.X, problem.y)


# --- proportions and rates ------------------------------------------------------------------------------------------


def test_of_proportions_and_rates_no_residual_is_expected_and_of_labels_and_counts_one_is():
    """The distribution of y = k ÷ m depends on m: that of labels is not its own."""
    rng, X = np.random.default_rng(0), np.random.default_rng(1).normal(size=(3000, 1))
    trials, mu = rng.integers(2, 9, 3000), 1 / (1 + np.exp(-X[:, 0]))
    hits = rng.binomial(trials, mu)
    cases = {"logistic": ((rng.random(3000) < mu), hits / trials),
             "poisson": (rng.poisson(mu), rng.poisson(trials * mu) / trials),
             glmlab.NegativeBinomial(0.5): (rng.negative_binomial(2, 1 / (1 + mu / 2)),
                                            rng.poisson(trials * mu) / trials)}  # fmt: skip
    for family, (whole, part) in cases.items():
        for y, w, known in ((whole * 1.0, None, True), (part, trials * 1.0, False)):
            result = fit(X, y, family=family, fit_intercept=True, sample_weight=w)
            bins = calibration(infer(result, X, y, sample_weight=w), 5)
            assert np.isfinite(bins.expected).all() if known else np.isnan(bins.expected).all()
            assert np.isfinite(bins.residual).all() and np.isfinite(bins.z).all()


def test_a_row_of_weight_zero_does_not_make_counts_of_proportions():
    problem = random_problem("poisson", Zero(), seed=5, intercept=True, n=200)
    y, w = problem.y.copy(), np.ones(200)
    y[3], w[3] = 0.5, 0.0
    result = fit(problem.X, y, family="poisson", sample_weight=w, fit_intercept=True)
    assert np.isfinite(calibration(infer(result, problem.X, y, sample_weight=w), 4).expected).all()


# --- rows that pull hard --------------------------------------------------------------------------------------------


@every_family
def test_influences_are_those_of_statsmodels(family):
    X, y = TABLES[family]()
    model = fit(X, y, family=family, fit_intercept=True)
    information = "observed" if family == "gamma" else "expected"  # statsmodels takes the Hessian
    found, known = influences(infer(model, X, y, information=information)), theirs(family, X, y).get_influence()
    assert found.rows.tolist() == list(range(len(y))) and found.n == len(y)
    assert found.leverage == pytest.approx(known.hat_matrix_diag, rel=1e-6)
    assert found.residual == pytest.approx(known.resid_studentized, rel=1e-6, abs=1e-9)
    assert found.distance == pytest.approx(known.cooks_distance[0], rel=1e-6, abs=1e-12)
    assert found.high == np.count_nonzero(known.hat_matrix_diag > found.limit)
    assert found.limit == pytest.approx(2 * known.hat_matrix_diag.mean())


def test_of_many_rows_the_influential_ones_are_found_in_every_chunk_and_some_are_drawn():
    problem = random_problem("poisson", Zero(), seed=5, intercept=True, n=2000)
    X = problem.X.copy()
    X[[17, 1234]] += 6.0
    result = fit(X, problem.y, family="poisson", fit_intercept=True)
    lazy = [da.from_array(values, chunks=(300, *values.shape[1:])) for values in (X, problem.y)]
    for rows in ((X, problem.y), lazy):
        inference = infer(result, *rows)
        whole, before = influences(inference, drawn=2000), inference.rows.f.passes
        some = influences(inference, drawn=100, most=5)
        assert inference.rows.f.passes == before + 1
        assert whole.rows.tolist() == list(range(2000)) and whole.high == some.high
        assert {17, 1234} <= set(some.rows) and 100 < len(some.rows) < 250
        for name in ("leverage", "residual", "distance"):
            assert np.array_equal(getattr(some, name), getattr(whole, name)[some.rows])
        assert np.argmax(whole.distance) in some.rows and np.argmax(whole.leverage) in some.rows
        begins = np.cumsum([0, *inference.rows.f.chunks.lengths])[:-1]
        of_each = [begin + np.argmax(part) for values in (whole.leverage, whole.distance)
                   for begin, part in zip(begins, np.split(values, begins[1:]), strict=True)]  # fmt: skip
        assert set(influences(inference, drawn=0, most=1).rows) == set(of_each)


def test_a_weight_stands_for_copies_and_rows_of_weight_zero_pull_on_nothing():
    problem = random_problem("logistic", Zero(), seed=5, intercept=True, n=60)
    w = np.arange(60) % 4 * 1.0
    copies = np.repeat(np.arange(60), w.astype(int))
    result = fit(*problem.data, family="logistic", sample_weight=w, fit_intercept=True)
    found = influences(infer(result, *problem.data, sample_weight=w))
    apart = [problem.X[copies], problem.y[copies]]
    alike = influences(infer(fit(*apart, family="logistic", fit_intercept=True), *apart))
    assert found.rows.tolist() == np.flatnonzero(w).tolist()
    at = np.searchsorted(found.rows, copies)
    assert found.leverage[at] == pytest.approx(alike.leverage, rel=1e-6)
    assert found.residual[at] == pytest.approx(alike.residual, rel=1e-6)
    assert found.limit == pytest.approx(alike.limit)


@pytest.mark.parametrize("weights", ["frequency", "precision"])
def test_influences_with_a_ridge_and_weights_follow_their_formulas(weights):
    """r = (y − μ) ÷ √(φV(1 − h)), for a precision w with V ÷ w; Cook's r²h ÷ (p (1 − h)) with the trace p."""
    problem = random_problem("poisson", Ridge(5.0), seed=5, intercept=True, weighted=True)
    inference = infer(problem.fit(), *problem.data, **problem.extras, weights=weights)
    found = influences(inference)
    h, mu = leverages(inference)[found.rows], inference.result.predict(problem.X)[found.rows]
    own = problem.w[found.rows] if weights == "precision" else 1.0
    r = (problem.y[found.rows] - mu) * np.sqrt(own / (mu * (1 - h)))
    assert inference.parameters < 4.9 and found.limit == pytest.approx(2 * inference.parameters / inference.n)
    assert found.leverage == pytest.approx(h) and found.residual == pytest.approx(r)
    assert found.distance == pytest.approx(r**2 * h / (1 - h) / inference.parameters)


def test_the_rows_that_are_drawn_depend_on_the_seed_and_differ_from_chunk_to_chunk():
    problem = random_problem("poisson", Zero(), seed=5, intercept=True, n=2000)
    X, y = (da.from_array(values, chunks=(500, *values.shape[1:])) for values in problem.data)
    inference = infer(fit(X, y, family="poisson", fit_intercept=True), X, y)
    one, again, other = (set(influences(inference, drawn=200, most=1, seed=seed).rows) for seed in (3, 3, 4))
    assert one == again and len(one & other) < 0.5 * len(one)
    parts = [{row % 500 for row in one if row // 500 == k} for k in range(4)]
    assert all(len(part) > 20 and max(part) > 400 for part in parts), "they come from everywhere"
    assert len(parts[0] & parts[1]) < 0.5 * len(parts[0])


def test_a_row_that_is_fitted_exactly_has_leverage_1_and_no_residual():
    rng = np.random.default_rng(5)
    X, y = np.c_[rng.normal(size=50), np.arange(50) == 7], rng.normal(size=50)
    found = influences(infer(fit(X, y, family="gaussian", fit_intercept=True), X, y))
    assert found.leverage[7] == pytest.approx(1.0)
    assert np.flatnonzero(np.isnan(found.residual)).tolist() == np.flatnonzero(np.isnan(found.distance)).tolist() == [7]


# --- all levels of a category beside an intercept -------------------------------------------------------------------


def test_the_warning_about_rank_says_what_to_type_for_one_hot_columns_and_it_works():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"carrier": rng.choice(["AA", "DL", "UA"], 200), "miles": rng.normal(size=200)})
    y = rng.poisson(1.0 + (table["carrier"] == "UA")).astype(float)
    cures = {
        r"OneHotEncoder\(drop='first'\)": lambda: OneHotEncoder(drop="first").fit_transform(table[["carrier"]]),
        r"pandas.get_dummies\(drop_first=True\)": lambda: pd.get_dummies(table, drop_first=True),
        "glmlab.Design, which": lambda: glmlab.Design("carrier + miles", table)(table),
    }
    for words, cured in cures.items():
        with pytest.warns(RankWarning, match=f"the optimum is not unique. If all levels .*{words}"):
            result = fit(pd.get_dummies(table), y, family="poisson", fit_intercept=True)
        with pytest.raises(ValueError, match=f"X has rank 4, not 5: .*{words}"):
            infer(result, pd.get_dummies(table), y)
        assert fit(cured(), y, family="poisson", fit_intercept=True).converged
    with pytest.warns(RankWarning, match="the optimum is not unique$"):
        fit(np.ones((20, 2)), y[:20], family="poisson")
