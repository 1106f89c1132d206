"""A penalty in other units: what it equals, standardised columns, and columns without penalty."""

import pickle

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

import glmlab
from glmlab import L1, ElasticNet, Objective, Ridge, Scaled, Standardized, Zero, as_chunks
from glmlab.maths.penalties import FreeIntercept, lambdas

PENALTIES = {"L1": L1(3.0), "ridge": Ridge(3.0), "elastic net": ElasticNet(4.0, 0.5)}
KINDS = {"dense": np.array, "sparse": sp.csr_array, "dask": lambda X: da.from_array(X, chunks=(70, -1))}


def table(n=200, p=6, seed=0, family="logistic"):
    """X (n, p), half of it zeros, y (n,), and scales (p,) from 0.1 to 10."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * (rng.random((n, p)) < 0.5)
    eta = X[:, :4] @ [1.0, -0.5, 0.5, -1.0] - 0.3
    y = {"logistic": lambda: rng.random(n) < 1 / (1 + np.exp(-eta)), "poisson": lambda: rng.poisson(np.exp(eta)),
         "gaussian": lambda: eta + rng.normal(size=n)}[family]()  # fmt: skip
    return X, y.astype(float), np.geomspace(0.1, 10, p)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("family", ["gaussian", "logistic", "poisson"])
def test_scales_are_units_of_the_columns(family, penalty, kind):
    X, y, s = table(family=family)
    rows = {"family": family, "fit_intercept": True, "tol": 1e-12}
    plain = glmlab.fit(X / s, y, penalty=PENALTIES[penalty], **rows)
    scaled = glmlab.fit(KINDS[kind](X), y, penalty=Scaled(PENALTIES[penalty], s), **rows)
    assert scaled.converged and scaled.objective == pytest.approx(plain.objective, rel=1e-12)
    np.testing.assert_allclose(scaled.beta * s, plain.beta, rtol=1e-6, atol=1e-9)
    assert np.array_equal(scaled.beta == 0, plain.beta == 0) and 0 <= scaled.certificate.relative <= 1e-12


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_scales_are_units_where_columns_are_many(kind):
    X, y, s = table(n=150, p=400)
    plain = glmlab.fit(X / s, y, family="logistic", penalty=L1(4.0))
    scaled = glmlab.fit(KINDS[kind](X), y, family="logistic", penalty=Scaled(L1(4.0), s))
    assert scaled.solver == "working_sets" and scaled.converged
    np.testing.assert_allclose(scaled.beta * s, plain.beta, rtol=1e-4, atol=1e-6)
    assert 0 < np.count_nonzero(scaled.beta) < 100


@pytest.mark.parametrize("solver", ["fista", "consensus_admm", "proximal_gradient", "proximal_newton", "async_admm"])
def test_every_solver_knows_scales(solver):
    X, y, s = table()
    f = Objective("logistic", as_chunks(X, y, chunks=50))
    g = Scaled(L1(3.0), np.linspace(0.5, 2, 6))
    best = glmlab.run("proximal_newton", f, g, tol=1e-12)
    assert glmlab.run(solver, f, g, tol=1e-7).objective == pytest.approx(best.objective, rel=1e-6)


def test_the_prox_is_the_minimiser_that_its_definition_names():
    g, v, rng = Scaled(ElasticNet(1.0, 0.3), [0.0, 0.5, 2.0]), np.array([0.7, -0.4, 3.0]), np.random.default_rng(0)
    point = g.prox(v, 0.8)

    def height(b):
        return g.value(b) + np.sum((b - v) ** 2) / 1.6

    assert all(height(point) <= height(point + step) for step in rng.normal(size=(200, 3)) * 0.1)
    assert point[0] == v[0]


def test_a_scale_of_zero_leaves_a_column_free():
    X, y, _ = table()
    ones = np.column_stack([X, np.ones(len(y))])
    free = glmlab.fit(X, y, family="logistic", penalty=L1(3.0), fit_intercept=True, tol=1e-12)
    scaled = glmlab.fit(ones, y, family="logistic", penalty=Scaled(L1(3.0), [1] * 6 + [0]), tol=1e-12)
    np.testing.assert_allclose(scaled.beta, np.append(free.beta, free.intercept), rtol=1e-7, atol=1e-10)
    assert scaled.certificate.relative <= 1e-12


@pytest.mark.parametrize("kind", KINDS)
def test_standardised_is_what_a_scaler_before_scikit_learn_fits(kind):
    X, y, s = table(n=400)
    X = X * s + 1.0
    ours = glmlab.fit(KINDS[kind](X), y, family="logistic", penalty=Standardized(L1(5.0)), fit_intercept=True,
                      tol=1e-12)  # fmt: skip
    scaler = StandardScaler().fit(X)
    theirs = LogisticRegression(C=1 / 5, l1_ratio=1.0, solver="saga", tol=1e-10, max_iter=100_000, random_state=0)
    theirs.fit(scaler.transform(X), y)
    np.testing.assert_allclose(ours.beta * scaler.scale_, theirs.coef_[0], rtol=1e-4, atol=1e-6)
    assert ours.penalty == Scaled(L1(5.0), np.array(ours.penalty.scales))
    assert glmlab.certify(X, y, ours, family="logistic", penalty=Standardized(L1(5.0))).relative <= 1e-11


@pytest.mark.parametrize("value", [0.1, 1e3])
def test_a_constant_column_of_sparse_rows_is_seen_with_any_weights(value):
    rng = np.random.default_rng(0)
    X = sp.csr_array(np.c_[np.full(3001, value), rng.normal(size=3001)])
    f = Objective("gaussian", as_chunks(X, rng.normal(size=3001), sample_weight=rng.uniform(0.1, 2, 3001)))
    assert f.deviations[0] == 1.0 and abs(f.deviations[1] - 1) < 0.1


def test_a_last_column_without_penalty_is_no_intercept():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 320))
    y, s = 3 * X[:, -1] + X[:, 0] + rng.normal(size=200), np.ones(320)
    X[:, -1] *= 1e-6
    s[-1] = 0
    last = glmlab.fit(X, y, family="gaussian", penalty=Scaled(L1(10.0), s))
    first = glmlab.fit(X[:, ::-1], y, family="gaussian", penalty=Scaled(L1(10.0), s[::-1]))
    assert last.converged and last.objective == pytest.approx(first.objective, rel=1e-9)


def test_a_row_of_the_race_knows_standardised_columns():
    from glmlab.bench import row

    X, y, _ = table()
    found = row("proximal_newton", X, y, penalty=Standardized(L1(3.0)), repetitions=1, beside=())
    assert len(found) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weighted", [False, True])
def test_deviations_are_those_of_numpy(kind, weighted):
    X, y, s = table(n=300)
    X = X * s + np.array([0, 0, 0, 1, 1e3, 1e7]) * (kind != "sparse")
    X[:, 2] = 0.1
    w = np.arange(300) % 4.0 if weighted else None
    f = Objective("logistic", as_chunks(KINDS[kind](X), y, sample_weight=w))
    mean = np.average(X, axis=0, weights=w)
    expected = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=w))
    expected[2] = 1.0  # a constant column
    np.testing.assert_allclose(f.deviations, expected, rtol=1e-9)  # 1e7 ÷ 7 costs six digits


def test_a_path_of_standardised_columns_begins_where_all_are_zero():
    X, y, s = table(n=300)
    found = glmlab.path(X * s, y, family="logistic", penalty=Standardized(L1(1.0)), n_lams=4, fit_intercept=True)
    scaled = (X * s) / (X * s).std(axis=0)
    plain = glmlab.path(scaled, y, family="logistic", n_lams=4, fit_intercept=True)
    np.testing.assert_allclose(found.lams, plain.lams, rtol=1e-10)
    assert not found[0].beta.any() and found[1].beta.any()
    np.testing.assert_allclose(found.betas * (X * s).std(axis=0), plain.betas, rtol=1e-4, atol=1e-6)


def test_folds_have_the_scales_of_all_rows():
    X, y, s = table(n=300)
    cut = {"family": "logistic", "n_lams": 3, "fit_intercept": True, "cv": 3}
    found = glmlab.cross_validate_path(X * s, y, penalty=Standardized(L1(1.0)), **cut)
    plain = glmlab.cross_validate_path(X * s, y, penalty=Scaled(L1(1.0), (X * s).std(axis=0)), **cut)
    np.testing.assert_allclose(found.losses, plain.losses, rtol=1e-9)
    assert {result.penalty.scales for path in found.results for result in path} == {found.path[0].penalty.scales}


def test_standard_errors_follow_the_units():
    X, y, s = table(family="poisson")
    plain = glmlab.fit(X / s, y, family="poisson", penalty=Ridge(2.0), tol=1e-12)
    scaled = glmlab.fit(X, y, family="poisson", penalty=Scaled(Ridge(2.0), s), tol=1e-12)
    found = glmlab.infer(scaled, X, y), glmlab.infer(plain, X / s, y)
    np.testing.assert_allclose(found[0].errors * s, found[1].errors, rtol=1e-8)


@pytest.mark.parametrize(("make", "error", "says"), [
    (lambda: Scaled(L1(1.0), [1.0, -1.0]), ValueError, "scales must be >= 0, got -1"),
    (lambda: Scaled(L1(1.0), [np.nan]), ValueError, "not finite"),
    (lambda: Scaled(Scaled(L1(1.0), [1.0]), [1.0]), TypeError, "penalty must be Zero"),
    (lambda: Standardized("l1"), TypeError, "penalty must be Zero"),
    (lambda: Standardized(L1(1.0)).value(np.ones(2)), TypeError, "before it knows the columns"),
    (lambda: Standardized(L1(1.0)).prox(np.ones(2), 1.0), TypeError, "before it knows the columns"),
    (lambda: glmlab.check_penalty(Scaled(L1(1.0), [1.0])), TypeError, r"check L1\(lam=1\)"),
])  # fmt: skip
def test_what_no_scale_can_be_is_refused(make, error, says):
    with pytest.raises(error, match=says):
        make()


@pytest.mark.parametrize("call", ["fit", "path", "certify"])
def test_scales_for_other_columns_are_refused(call):
    X, y, _ = table()
    given = (X, y, np.zeros(6)) if call == "certify" else (X, y)
    with pytest.raises(ValueError, match="penalty has 2 scales, but X has 6 columns"):
        getattr(glmlab, call)(*given, family="logistic", penalty=Scaled(L1(1.0), [1.0, 2.0]))


def test_labelled_scales_go_to_the_columns_that_they_name():
    X, y, s = table()
    frame = pd.DataFrame(X, columns=list("abcdef"))
    labelled = pd.Series(s, frame.columns)[::-1]
    found = glmlab.fit(frame, y, family="logistic", penalty=Scaled(L1(3.0), labelled).at(2.0))
    assert found.penalty == Scaled(L1(2.0), s)
    assert glmlab.fit(frame, y, family="logistic", penalty=Scaled(L1(2.0), s)).beta.tolist() == found.beta.tolist()
    with pytest.raises(ValueError, match=r"penalty has scales for \['b', 'c', 'd', 'e', 'f', 'g'\], but X has"):
        glmlab.fit(frame, y, family="logistic", penalty=Scaled(L1(3.0), pd.Series(s, list("bcdefg"))))


def test_a_path_with_a_free_column_needs_lams():
    X, y, _ = table()
    g = Scaled(L1(1.0), [0] + [1] * 5)
    with pytest.raises(ValueError, match="leaves columns without an L1 term"):
        glmlab.path(X, y, family="logistic", penalty=g)
    assert len(glmlab.path(X, y, family="logistic", penalty=g, lams=[3.0, 1.0])) == 2


def test_scaled_penalties_compare_print_travel_and_know_the_intercept():
    g = Scaled(ElasticNet(2.0, 0.5), (1.0, 3.0))
    assert g == pickle.loads(pickle.dumps(g)) == g.at(5.0).at(2.0) and g != Scaled(ElasticNet(2.0, 0.5), (1.0, 2.0))
    assert len({g, g.at(2.0), Standardized(L1(1.0)), Standardized(L1(1.0)).at(1.0)}) == 2 and g.lam == 2.0
    assert repr(g) == "Scaled(ElasticNet(lam=2, l1_ratio=0.5), 2 scales)"
    l1, l2 = lambdas(FreeIntercept(g), 3)
    assert l1.tolist() == [1.0, 3.0, 0.0] and l2.tolist() == [1.0, 9.0, 0.0]
    assert Scaled(Zero(), [1.0]).smooth and not g.smooth
