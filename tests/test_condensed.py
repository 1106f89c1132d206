"""A path of least squares from a small table: the same losses, true proofs, and no pass more than it needs."""

import numpy as np
import pytest
from scipy import sparse

from glmlab import L1, ElasticNet, Objective, Ridge, as_chunks, cross_validate_path, fit, path
from glmlab.rows.chunks import InMemory
from glmlab.rows.condensed import condensed
from glmlab.solvers.start import null_start


def table(n=400, p=6, mean=0.0, seed=0):
    """X, y, weights (some of them 0) and offsets; the columns are correlated and have this mean."""
    rng = np.random.default_rng(seed)
    X = mean + rng.normal(size=(n, p)) @ (np.eye(p) + 0.3 * rng.normal(size=(p, p)))
    y = (X - mean) @ np.where(np.arange(p) % 2, 1.0, 0.0) + 2 + rng.normal(size=n)
    return X, y, rng.integers(0, 3, n).astype(float), rng.normal(size=n)


@pytest.mark.parametrize("form", ["memory", "sparse", "chunks"])
@pytest.mark.parametrize("intercept", [False, True])
def test_the_table_has_the_losses_of_the_rows(form, intercept):
    X, y, w, o = table()
    X = sparse.csr_array(X * (np.abs(X) > 1)) if form == "sparse" else X
    chunks = as_chunks(X, y, sample_weight=w, offset=o, intercept=intercept, chunks=90 if form == "chunks" else None)
    f = Objective("gaussian", chunks)
    small, rng = condensed(f, null_start(f)), np.random.default_rng(1)
    assert small.n == f.dim + 1
    for beta in rng.normal(size=(5, f.dim)):
        ours, theirs = small.evidence(beta), f.evidence(beta)
        assert ours.loss == pytest.approx(theirs.loss, rel=1e-12) and ours.weight == pytest.approx(w.sum())
        assert ours.grad == pytest.approx(theirs.grad, rel=1e-10, abs=1e-9)
        assert ours.hess == pytest.approx(theirs.hess, rel=1e-11, abs=1e-9)
    assert small.null == f.null and small.scale.unit(1.0) == f.scale.unit(1.0)


def exact(X, y, result):
    """F at a Result with an intercept, in longer floats."""
    X, y, beta = (np.asarray(values, dtype=np.longdouble) for values in (X, y, result.beta))
    return ((y - X @ beta - result.intercept) ** 2).sum() + np.longdouble(result.penalty.lam) * np.abs(beta).sum()


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 60, reason="floats are not longer here")
@pytest.mark.parametrize("mean, level", [(0.0, 0.0), (30.0, 0.0), (1000.0, 0.0), (0.0, 1e6)])
def test_no_bound_is_below_the_gap(mean, level):
    """The best known point is the fit of the rows themselves, to their last digits."""
    for seed in range(4):
        X, y, *_ = table(n=3000, mean=mean, seed=seed)
        y = y + level
        for result in path(X, y, family="gaussian", fit_intercept=True, n_lams=6, ratio=1e-4):
            best = fit(X, y, family="gaussian", penalty=result.penalty, fit_intercept=True, start=result)
            gap, proved = exact(X, y, result) - exact(X, y, best), result.certificate
            assert gap <= proved.bound - proved.rounding * (1 - 1e-12), "the gap, without what F itself is uncertain by"
            assert abs(exact(X, y, result) - np.longdouble(result.objective)) <= proved.rounding


@pytest.mark.parametrize("penalty", [L1, lambda lam: ElasticNet(lam, 0.3), Ridge])
@pytest.mark.parametrize("intercept", [False, True])
def test_each_answer_is_that_of_the_rows(penalty, intercept):
    X, y, w, o = table()
    given = {"family": "gaussian", "fit_intercept": intercept, "sample_weight": w, "offset": o}
    lams = [300.0, 30.0, 3.0, 0.3]
    for result, lam in zip(path(X, y, lams=lams, penalty=penalty, **given), lams, strict=True):
        alone = fit(X, y, penalty=penalty(lam), **given)
        within = np.array(result.certificate.within) + alone.certificate.within
        apart = np.abs(np.append(result.beta - alone.beta, [result.intercept - alone.intercept] * intercept))
        assert result.converged and np.all(apart <= within)
        assert result.certificate.errors == pytest.approx(alone.certificate.errors, abs=1e-6, nan_ok=True)
        assert result.objective == pytest.approx(alone.objective, rel=1e-12)


@pytest.mark.parametrize("n_lams", [2, 20])
def test_three_reads_of_the_rows_serve_all_lambdas_and_folds(n_lams, monkeypatch):
    """The first look, the sums of products, and the ranges of the columns, which no solver's passes count."""
    X, y, *_ = table()
    reads, make = [], InMemory._pass

    def read(self, kernel, *more, **named):
        reads.extend([kernel.__name__] * (self.n == len(y) and self.p > 0))
        return make(self, kernel, *more, **named)

    monkeypatch.setattr(InMemory, "_pass", read)
    found = path(X, y, family="gaussian", n_lams=n_lams)
    assert found.converged and sum(result.passes for result in found) == 2
    assert len(reads) == 3
    folds = cross_validate_path(X, y, family="gaussian", n_lams=n_lams)
    assert folds.converged and folds.reads <= 3, "y alone, the first look, and the sums of products"


def test_a_named_solver_reads_the_rows():
    X, y, *_ = table()
    found = path(X, y, family="gaussian", solver="proximal_newton", n_lams=20)
    assert found.converged and sum(result.passes for result in found) > 19


@pytest.mark.parametrize("apart", [1e-6, 0.0])
def test_nearly_dependent_columns_are_left_to_the_rows(apart):
    X, y, *_ = table()
    X[:, 1] = X[:, 0] + apart * X[:, 2]
    f = Objective("gaussian", as_chunks(X, y))
    assert condensed(f, np.zeros(f.dim)) is None
    found = path(X, y, family="gaussian", n_lams=5)
    assert found.converged and sum(result.passes for result in found) > 4


def test_where_the_table_proves_too_little_the_rows_are_asked():
    """Means of 1,000 cost the sums of products six digits, which the rows still have."""
    X, y, *_ = table(n=3000, mean=1000.0)
    rough, fine = (path(X, y, family="gaussian", n_lams=6, ratio=1e-4, tol=tol) for tol in (1e-12, 1e-15))
    assert rough.converged and sum(result.passes for result in rough) == 2
    assert fine.converged and sum(result.passes for result in fine) > 2


def test_values_that_overflow_are_left_to_the_rows():
    X, y, *_ = table()
    f = Objective("gaussian", as_chunks(X * 1e200, y))
    assert condensed(f, np.zeros(f.dim)) is None
