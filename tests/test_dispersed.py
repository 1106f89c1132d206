"""The families with a parameter: prices against 50 digits, limits, null models, refusals, and other libraries' fits."""

import re
import warnings
from pathlib import Path

import mpmath as mp
import numpy as np
import pytest
import statsmodels.api as sm
from scipy.sparse import csr_array

from glmlab import L1, Gamma, NegativeBinomial, Poisson, Ridge, Tweedie, as_chunks, certify, check_family, fit, infer
from glmlab.estimators import GLMRegressor
from glmlab.maths.families import FAMILIES
from glmlab.rows.objective import Objective
from glmlab.solvers import SOLVERS

ALPHAS = [1e-9, 0.3, 1.0, 40.0]
POWERS = [1.01, 1.1, 1.5, 1.9, 1.99]
MOVES = [-0.99, -0.8, -0.3, -1e-3, -1e-8, 1e-8, 1e-3, 0.3, 0.7, 0.99]
ROUNDING = 1e-12  # of a price: φ(x) is a difference of numbers that are 2/|x| times as large


# --- prices -----------------------------------------------------------------------------------------------------------


def largest(rise, slope, curve):
    """max over δ of rise(δ), a concave function with these derivatives, where it is not at an end; in 50 digits."""
    low, high = mp.mpf(-1), mp.mpf(1)
    while slope(low) < 0:
        low *= 2
    while slope(high) > 0:
        high *= 2
    delta = (low + high) / 2
    for _ in range(400):
        low, high = (delta, high) if slope(delta) > 0 else (low, delta)
        new = delta - slope(delta) / curve(delta)
        delta, old = new if low <= new <= high else (low + high) / 2, delta
        if abs(delta - old) <= mp.mpf(10) ** -30 * abs(delta):
            return rise(delta)
    raise AssertionError("no maximum was found")


def exact_price(family, t, eta, y):
    """D(t) = max over δ of ℓ(η) + θδ − ℓ(η + δ) at θ = ℓ′(η) + ℓ″(η)t, from the loss alone."""
    t, eta, y = mp.mpf(t), mp.mpf(eta), mp.mpf(y)
    if isinstance(family, Tweedie):
        a, b = mp.mpf(family.power) - 1, 2 - mp.mpf(family.power)
        A, B = y * mp.exp(-a * eta), mp.exp(b * eta)
        theta = B - A + (a * A + b * B) * t
        return largest(
            lambda x: theta * x - A * mp.expm1(-a * x) / a - B * mp.expm1(b * x) / b,
            lambda x: theta - B * mp.exp(b * x) + A * mp.exp(-a * x),
            lambda x: -b * B * mp.exp(b * x) - a * A * mp.exp(-a * x),
        )
    alpha = mp.mpf(family.alpha)
    N, P = y + 1 / alpha, alpha * mp.exp(eta) / (1 + alpha * mp.exp(eta))
    theta = N * P - y + N * P * (1 - P) * t

    def share(x):
        return P * mp.exp(x) / (1 + P * mp.expm1(x))

    return largest(
        lambda x: (theta + y) * x - N * mp.log1p(P * mp.expm1(x)),
        lambda x: theta + y - N * share(x),
        lambda x: -N * share(x) * (1 - share(x)),
    )


def prices(family, ys):
    """Computed and exact prices at many t, η and y: a pair of numbers each."""
    with mp.workdps(50):
        for t in MOVES:
            for eta in (-20.0, -3.0, -0.5, 1.0, 4.0, 20.0):
                for y in ys:
                    ours = family.price(np.array([t]), np.array([eta]), np.array([y]))[0]
                    yield mp.mpf(float(ours)), exact_price(family, t, eta, y)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_the_price_of_the_negative_binomial_is_its_closed_form(alpha):
    for ours, exact in prices(NegativeBinomial(alpha), [0.0, 1.0, 1e5]):
        assert abs(ours / exact - 1) <= ROUNDING


@pytest.mark.parametrize("power", POWERS)
def test_the_price_of_tweedie_is_never_below_the_exact_one_and_hardly_above(power):
    above = 1e-10 if 1.1 <= power <= 1.9 else 1e-5
    for ours, exact in prices(Tweedie(power), [1e-3, 1.0, 30.0, 1e5]):
        assert exact <= ours <= exact * (1 + above)


@pytest.mark.parametrize("steps", [0, 1])
def test_the_price_of_tweedie_is_a_bound_however_few_steps_newton_makes(steps):
    """The two slopes add up to θ at any δ: that alone makes it a bound."""
    family = Tweedie(1.3)
    vars(family)["steps"] = steps
    for ours, exact in prices(family, [1e-3, 1.0, 1e5]):
        assert exact <= ours


def test_the_price_of_a_zero_is_that_of_the_rising_term_alone():
    """At y = 0 the slope cannot be negative: beyond t = −1/b no line lies below the loss."""
    family, eta, y = Tweedie(1.5), np.zeros(3), np.zeros(3)
    found = family.price(np.array([-1.99, -2.01, 4.0]), eta, y)
    slope = 1 + 0.5 * np.array([-1.99, 4.0])  # B + bBt with B = 1
    expected = 2 * (slope * np.log(slope) - slope + 1)
    np.testing.assert_allclose(found[[0, 2]], expected, rtol=1e-11)
    assert np.isinf(found[1])


@pytest.mark.parametrize("family", [*map(Tweedie, POWERS), *map(NegativeBinomial, ALPHAS)], ids=repr)
def test_no_number_is_nan_anywhere_and_the_audit_finds_no_fault(family):
    audit = check_family(family, y=[0.0, 1.0, 4.0, 9.5])
    assert audit, audit
    eta, y = (values.ravel() for values in np.meshgrid([-1e4, -745.0, 0.0, 745.0, 1e4], [0.0, 1.0, 1e6]))
    with np.errstate(over="ignore"):
        for name in ("loss", "dloss", "d2loss", "size"):
            assert not np.isnan(getattr(family, name)(eta, y)).any(), name


# --- limits and null models -------------------------------------------------------------------------------------------


def test_without_dispersion_the_negative_binomial_is_the_poisson():
    eta, y = (values.ravel() for values in np.meshgrid(np.linspace(-4, 4, 17), [0.0, 1.0, 9.0]))
    alpha, limit = 1e-9, Poisson()
    family = NegativeBinomial(alpha)
    for name in ("loss", "dloss", "d2loss"):
        ours, theirs = getattr(family, name)(eta, y), getattr(limit, name)(eta, y)
        assert np.all(np.abs(ours - theirs) <= 2 * alpha * (y + np.exp(eta)) * (1 + np.exp(eta)) + 1e-14 * (1 + y)), (
            name
        )
    np.testing.assert_allclose(family.saturated(y), limit.saturated(y), atol=200 * alpha)


@pytest.mark.parametrize("power, limit", [(1 + 1e-7, Poisson()), (2 - 1e-7, Gamma())], ids=repr)
def test_tweedies_slopes_go_over_into_the_poissons_and_the_gammas(power, limit):
    eta, y = (values.ravel() for values in np.meshgrid(np.linspace(-3, 3, 13), [0.5, 1.0, 9.0]))
    for name in ("dloss", "d2loss"):
        np.testing.assert_allclose(
            getattr(Tweedie(power), name)(eta, y), getattr(limit, name)(eta, y), rtol=1e-5, atol=1e-4
        )


MEMBERS = [NegativeBinomial(0.1), NegativeBinomial(5.0), Tweedie(1.2), Tweedie(1.8)]
every_member = pytest.mark.parametrize("family", MEMBERS, ids=repr)


def data(family, seed=0, n=300):
    """Rows with weights and offsets: X, y and the keywords of both."""
    rng = np.random.default_rng(seed)
    X, offset = rng.normal(size=(n, 3)), rng.normal(size=n) / 4
    mu = np.exp(X @ [0.5, -0.3, 0.2] + 0.7 + offset)
    if isinstance(family, Tweedie):
        y = mu * rng.gamma(1.0, 1.0, n) * rng.poisson(1.0, n)
    else:
        y = rng.poisson(mu * rng.gamma(1 / family.alpha, family.alpha, n)).astype(float)
    return X, y, {"sample_weight": rng.choice([0.0, 0.5, 1.0, 2.0], n), "offset": offset}


@every_member
@pytest.mark.parametrize("extras", [(), ("sample_weight",), ("offset",), ("sample_weight", "offset")], ids=str)
def test_the_null_model_is_the_fit_without_columns(family, extras):
    X, y, given = data(family)
    given = {name: given[name] for name in extras}
    null = Objective(family, as_chunks(X, y, chunks=70, intercept=True, **given)).null
    ones = fit(np.ones((len(y), 1)), y, family=family, tol=1e-12, **given)
    assert null.level == pytest.approx(ones.beta[0], abs=1e-9)
    assert null.loss == pytest.approx(ones.objective, rel=1e-12)
    w = given.get("sample_weight", np.ones(len(y)))
    with np.errstate(divide="ignore"):
        best = family.loss(np.log(y[y > 0]), y[y > 0])
    assert null.floor == pytest.approx(w[y > 0] @ best, rel=1e-12)


@every_member
def test_no_claim_at_all_has_no_minimum_and_is_said_to_have_none(family):
    X = np.random.default_rng(0).normal(size=(40, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = fit(X, np.zeros(40), family=family, fit_intercept=True)
    assert not result.converged and "no minimum exists" in result.status


# --- other libraries --------------------------------------------------------------------------------------------------


def by_statsmodels(family, X, y, sample_weight, offset):
    if isinstance(family, Tweedie):
        theirs = sm.families.Tweedie(var_power=family.power, link=sm.families.links.Log())
    else:
        theirs = sm.families.NegativeBinomial(alpha=family.alpha)
    model = sm.GLM(y, np.c_[X, np.ones(len(y))], family=theirs, freq_weights=sample_weight, offset=offset)
    return model.fit(maxiter=5000, tol=1e-13, tol_criterion="params")


@every_member
@pytest.mark.parametrize("kernels", ["numpy", "fused"])
def test_fits_are_those_of_statsmodels(family, kernels):
    if kernels == "fused":
        pytest.importorskip("numba")
    X, y, extras = data(family, seed=1)
    result = fit(X, y, family=family, fit_intercept=True, tol=1e-12, kernels=kernels, **extras)
    assert result.converged and result.kernels == kernels
    theirs = by_statsmodels(family, X, y, **extras)
    np.testing.assert_allclose(np.append(result.beta, result.intercept), theirs.params, atol=1e-8)
    proof = certify(X, y, theirs.params[:-1], intercept=theirs.params[-1], family=family, **extras)
    assert proof.relative <= 1e-12, "our certificate proves their answer, too"


@every_member
def test_standard_errors_and_likelihoods_are_those_of_statsmodels(family):
    """Their likelihood of a Tweedie is a saddlepoint approximation or a series; ours is not known."""
    X, y, extras = data(family, seed=6)
    del extras["sample_weight"]  # theirs are frequencies
    known = by_statsmodels(family, X, y, sample_weight=None, **extras)
    result = fit(X, y, family=family, fit_intercept=True, tol=1e-12, **extras)
    found = infer(result, X, y, dispersion="pearson" if isinstance(family, Tweedie) else None, **extras)
    np.testing.assert_allclose(found.errors, known.bse, rtol=1e-6)
    assert found.deviance == pytest.approx(known.deviance, rel=1e-9)
    assert found.pearson == pytest.approx(known.pearson_chi2, rel=1e-8)
    if isinstance(family, Tweedie):
        assert np.isnan(found.log_likelihood)
    else:
        assert found.log_likelihood == pytest.approx(known.llf, rel=1e-9)


@every_member
def test_exposure_is_an_offset_of_its_logarithm(family):
    X, y, extras = data(family, seed=7)
    model = GLMRegressor(family, penalty="zero").fit(X, y, exposure=np.exp(extras["offset"]))
    result = fit(X, y, family=family, fit_intercept=True, offset=extras["offset"])
    np.testing.assert_allclose(model.coef_, result.beta, rtol=1e-6)


@pytest.mark.parametrize("power", [1.2, 1.8])
def test_half_the_deviance_is_statsmodels(power):
    family = Tweedie(power)
    X, y, extras = data(family, seed=2)
    theirs = by_statsmodels(family, X, y, **extras)
    f = Objective(family, as_chunks(X, y, intercept=True, **extras))
    half = f.scale.height(f.loss(np.asarray(theirs.params)))
    assert 2 * half == pytest.approx(theirs.deviance, rel=1e-9)


@every_member
def test_fits_are_those_of_glum(family):
    glum = pytest.importorskip("glum")
    X, y, extras = data(family, seed=3)
    theirs = (glum.TweedieDistribution(family.power) if isinstance(family, Tweedie)
              else glum.NegativeBinomialDistribution(family.alpha))  # fmt: skip
    model = glum.GeneralizedLinearRegressor(family=theirs, link="log", alpha=0, gradient_tol=1e-10, max_iter=500)
    model.fit(X, y, **extras)
    result = fit(X, y, family=family, fit_intercept=True, tol=1e-12, **extras)
    np.testing.assert_allclose(np.append(result.beta, result.intercept), [*model.coef_, model.intercept_], atol=1e-7)


@every_member
@pytest.mark.parametrize("solver", SOLVERS)
def test_every_solver_proves_the_same_answer(family, solver):
    X, y, extras = data(family, seed=4)
    given = {"family": family, "penalty": Ridge(5.0), "fit_intercept": True, **extras}
    best = fit(X, y, tol=1e-12, **given)
    found = fit(X, y, solver=solver, tol=1e-6, max_iter=3000, **given)
    assert found.converged and best.converged
    assert found.objective - best.objective <= found.certificate.bound
    assert found.objective - best.objective >= -best.certificate.bound


@every_member
def test_sparse_rows_and_dense_ones_have_one_answer(family):
    X, y, extras = data(family, seed=5)
    X = X * (np.random.default_rng(5).random(X.shape) < 0.5)
    dense, thin = (fit(form, y, family=family, penalty=L1(2.0), tol=1e-12, **extras) for form in (X, csr_array(X)))
    np.testing.assert_allclose(thin.beta, dense.beta, rtol=1e-8)


def test_the_readers_own_links_are_those_of_statsmodels(capsys):
    """Probit and cloglog, as the book's page on families writes them."""
    page = (Path(__file__).resolve().parent.parent / "docs" / "book" / "families.md").read_text(encoding="utf-8")
    names = {}
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(block, names)
    theirs = {"Probit": sm.families.links.Probit(), "CLogLog": sm.families.links.CLogLog()}
    for family, result in names["fits"].items():
        link = theirs[type(family).__name__]
        model = sm.GLM(names["labels"], sm.add_constant(names["X"], prepend=False), family=sm.families.Binomial(link))
        known = model.fit(maxiter=500, tol=1e-13, tol_criterion="params")
        np.testing.assert_allclose(np.append(result.beta, result.intercept), known.params, atol=1e-7)


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make, error, says", [
    (lambda: NegativeBinomial(0.0), ValueError, "alpha must be a finite number > 0, got 0.0"),
    (lambda: NegativeBinomial(-1), ValueError, "alpha must be"),
    (lambda: NegativeBinomial("1"), TypeError, "alpha must be"),
    (lambda: NegativeBinomial(theta=2), TypeError, "no parameter 'theta'"),
    (lambda: Tweedie(1), ValueError, r"write Poisson\(\)"),
    (lambda: Tweedie(2), ValueError, r"write Gamma\(\)"),
    (lambda: Tweedie(0), ValueError, "Gaussian with log link, whose loss is not convex"),
    (lambda: Tweedie(0.5), ValueError, "no distribution"),
    (lambda: Tweedie(3), ValueError, "not convex there.*3 is the inverse Gaussian's"),
    (lambda: Tweedie(-1), ValueError, "not convex there"),
    (lambda: Tweedie(np.nan), ValueError, "power must be a finite number"),
])  # fmt: skip
def test_what_is_no_convex_family_is_refused_with_the_reason(make, error, says):
    with pytest.raises(error, match=says):
        make()


@pytest.mark.parametrize("power", [-1.0, 0.0, 0.5, 2.5, 3.0])
def test_what_is_refused_as_not_convex_is_not(power):
    """ℓ″ of the same formula at another power is negative for some y and η."""
    a, b = power - 1, 2 - power
    eta, y = (values.ravel() for values in np.meshgrid(np.linspace(-6, 6, 25), [0.1, 1.0, 20.0]))
    assert np.any(a * y * np.exp(-a * eta) + b * np.exp(b * eta) < 0)


@pytest.mark.parametrize("name", ["negative_binomial", "tweedie"])
def test_a_name_alone_has_no_parameter(name):
    with pytest.raises(TypeError, match=rf"write {FAMILIES[name].__name__}\((alpha|power)=…\)"):
        fit(np.ones((3, 1)), np.ones(3), family=name)


@every_member
@pytest.mark.parametrize("bad", [-1e-9, np.nan, np.inf])
def test_labels_below_zero_are_refused(family, bad):
    with pytest.raises(ValueError, match="y >= 0|finite"):
        fit(np.ones((3, 1)), np.array([0.0, 1.0, bad]), family=family)
