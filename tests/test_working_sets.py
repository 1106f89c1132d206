"""Working sets: L1 on many columns is solved and proved right, without a matrix of p × p."""

import dask
import dask.array as da
import numpy as np
import pytest
from breakage import equal_bits
from naive import optimum, random_problem
from scipy import sparse
from sklearn.linear_model import Lasso, LogisticRegression

from glmlab import L1, ElasticNet, NotConverged, Objective, Ridge, as_chunks, certify, fit, path, run
from glmlab.bench.problems import words
from glmlab.maths import quadratic
from glmlab.maths.descent import Columns, descend
from glmlab.maths.penalties import FreeIntercept
from glmlab.maths.quadratic import sweep_in_place, swept
from glmlab.maths.wide import supported
from glmlab.maths.working import curvature_as, working_set
from glmlab.policy import Descent, Working
from glmlab.rows.by_columns import columns

FAMILIES = ["gaussian", "logistic", "poisson", "gamma"]
EXTRAS = [{}, {"weighted": 1, "shifted": 1}, {"intercept": 1}, {"weighted": 1, "shifted": 1, "intercept": 1}]
every_family = pytest.mark.parametrize("family", FAMILIES)


def wide(n=150, p=400, seed=0, family="logistic", rows="dense"):
    """More columns than rows, of which five matter."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * (rng.random((n, p)) < 0.1 if rows == "sparse" else 1)
    eta = X[:, :5].sum(axis=1) + 0.3
    y = {"gaussian": eta + rng.normal(size=n), "logistic": (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(float),
         "poisson": rng.poisson(np.exp(np.clip(eta, -3, 3))).astype(float)}[family]  # fmt: skip
    return (sparse.csr_array(X) if rows == "sparse" else X), y


# --- the proof --------------------------------------------------------------------------------------------------------


@every_family
@pytest.mark.parametrize("penalty", [L1(6.0), ElasticNet(8.0, 0.6)], ids=repr)
@pytest.mark.parametrize("extras", EXTRAS)
def test_no_bound_on_a_working_set_is_below_the_true_gap(family, penalty, extras):
    problem = random_problem(family, penalty, seed=3, **extras)
    best, f = optimum(problem), problem.objective(chunks=30)
    lowest, near = problem.value(best), 0
    for seed, distance in enumerate((0.0, 1e-14, 1e-10, 1e-7, 1e-4, 1e-2, 0.3, 2.0)):
        moves = distance * np.random.default_rng(seed).normal(size=f.dim)
        for beta in (best.astype(float) + moves, best.astype(float) + np.where(best == 0, 0, moves)):
            gap, found = problem.value(beta) - lowest, supported(f, problem.g, beta)
            assert found.bound >= gap, (distance, found.bound, gap)
            near += distance <= 1e-4 and np.isfinite(found.bound)
    assert near == 10, "near the optimum there is always a bound"


@pytest.mark.parametrize("rows", ["dense", "sparse"])
@pytest.mark.parametrize("family", ["gaussian", "logistic", "poisson"])
def test_near_the_optimum_the_bound_is_nearly_the_gap(family, rows):
    X, y = wide(family=family, rows=rows)
    best = fit(X, y, family=family, penalty=L1(8.0), tol=1e-9)
    for size in (1e-1, 1e-2, 1e-3):
        beta = best.beta * (1 + size * np.random.default_rng(1).normal(size=len(best.beta)))
        found = certify(X, y, beta, family=family, penalty=L1(8.0))
        gap = found.objective - best.objective
        assert gap - 2 * best.certificate.bound <= found.bound <= 3 * gap + 1e-9 * abs(best.objective)


@pytest.mark.parametrize("rows", ["dense", "sparse"])
@pytest.mark.parametrize(("family", "spread"), [("gaussian", 5), ("logistic", 3)])
def test_columns_of_unlike_units_are_proved_to_the_default(rows, family, spread):
    """Slopes round by a share of the largest number in a column: drawn towards 0 they would cost e ÷ λ₁ of P."""
    X, y = wide(n=150, p=350, family=family, rows=rows)
    units = 10.0 ** np.random.default_rng(0).integers(-spread, spread + 1, size=350)
    result = fit(X * units[None, :], y, family=family, penalty=L1(2.0), fit_intercept=True)
    assert result.converged, result.status


@pytest.mark.parametrize(("y", "family"), [(np.ones(150), "logistic"), (np.zeros(150), "poisson")])
def test_without_an_optimum_there_is_no_bound(y, family):
    """The penalty holds the columns, but the free intercept runs away."""
    X, _ = wide()
    with pytest.warns(NotConverged, match="no minimum exists"):
        found = fit(X, y, family=family, penalty=L1(3.0), fit_intercept=True)
    assert np.isinf(found.certificate.bound)


# --- the answer -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", ["dense", "sparse"])
@pytest.mark.parametrize("intercept", [False, True])
def test_at_default_settings_it_is_scikit_learns_answer(rows, intercept):
    X, y = wide(rows=rows)
    result = fit(X, y, family="logistic", penalty=L1(4.0), fit_intercept=intercept)
    assert result.converged and result.solver == "working_sets" and 0 < np.count_nonzero(result.beta) < 100
    assert "most of" in result.status
    best = LogisticRegression(C=0.25, l1_ratio=1.0, solver="saga", fit_intercept=intercept, tol=1e-10, max_iter=100_000)
    best.fit(X, y)
    np.testing.assert_allclose(result.beta, best.coef_[0], atol=1e-6)
    X, y = wide(rows=rows, family="gaussian")
    result = fit(X, y, family="gaussian", penalty=L1(40.0), fit_intercept=intercept)  # its loss is (y − η)²
    best = Lasso(alpha=20.0 / len(y), fit_intercept=intercept, tol=1e-14, max_iter=100_000).fit(X, y)
    np.testing.assert_allclose(result.beta, best.coef_, atol=1e-6)


@pytest.mark.parametrize("family", ["gaussian", "logistic", "poisson"])
def test_it_is_proximal_newtons_answer_with_an_elastic_net(family):
    X, y = wide(family=family)
    options = {"family": family, "penalty": ElasticNet(8.0, 0.7), "fit_intercept": True}
    ours, full = (fit(X, y, solver=solver, **options) for solver in ("working_sets", "proximal_newton"))
    assert ours.converged and full.converged
    np.testing.assert_allclose(ours.beta, full.beta, atol=1e-8)


def test_few_coordinates_at_a_time_find_the_same_answer():
    """A block of the support at a time, as where the support is larger than any Hessian may be."""
    X, y = wide(300, 350)
    whole, blocks = (fit(X, y, family="logistic", penalty=L1(0.5), fit_intercept=True, solver="working_sets",
                         working=Working(most=most)) for most in (2000, 40))  # fmt: skip
    assert whole.converged and blocks.converged and np.count_nonzero(whole.beta) > 60
    assert blocks.state.working == 40
    np.testing.assert_allclose(blocks.beta, whole.beta, atol=1e-5)


@pytest.mark.parametrize("rows", ["dense", "sparse"])
def test_memory_and_dask_give_equal_bits(rows):
    X, y = wide(rows=rows)
    lengths = (60, 50, 40)
    edges = np.cumsum((0, *lengths))
    blocks = [X[a:b] for a, b in zip(edges[:-1], edges[1:], strict=True)]
    lazy = da.concatenate([da.from_array(block, chunks=block.shape, asarray=False) for block in blocks])
    here, there = (Objective("logistic", chunks) for chunks in (
        as_chunks(X, y, chunks=lengths), as_chunks(lazy, da.from_array(y, chunks=(lengths,)))))  # fmt: skip
    A, beta = np.arange(0, 400, 7), np.zeros(400)
    beta[A[:10]] = 0.1
    assert here.hess_on(beta, A).tobytes() == there.hess_on(beta, A).tobytes()
    for one, other in zip(here.dual(beta, beta), there.dual(beta, beta), strict=True):
        assert np.array_equal(getattr(one, "values", one), getattr(other, "values", other))


def test_dask_and_distributed_give_equal_bits(client):
    X, y = wide()
    lazy = dask.persist(da.from_array(X, chunks=(50, 400)), da.from_array(y, chunks=50))
    with dask.config.set(scheduler="threads"):
        local = fit(X, y, family="logistic", penalty=L1(4.0), threads=1)
    assert local.converged
    found = [fit(*lazy, family="logistic", penalty=L1(4.0)) for _ in range(2)]
    equal_bits(*found)
    np.testing.assert_allclose(found[0].beta, local.beta, atol=1e-9)


def test_a_path_is_its_single_fits():
    X, y = wide()
    found = path(X, y, family="logistic", n_lams=4, ratio=0.1)
    assert found.converged and not found[0].beta.any()
    for result in found[1:]:
        alone = fit(X, y, family="logistic", penalty=result.penalty)
        np.testing.assert_allclose(result.beta, alone.beta, atol=1e-8)


# --- what it costs ----------------------------------------------------------------------------------------------------


def test_no_square_matrix_of_all_columns_is_made(monkeypatch):
    plain, sizes = Objective.kernel, []
    on = Objective.hess_on

    def refusing(self, name):
        assert name not in ("loss_grad_hess", "evidence", "factor"), f"{name} makes a matrix of p × p"
        return plain(self, name)

    monkeypatch.setattr(Objective, "kernel", refusing)
    monkeypatch.setattr(Objective, "hess_on", lambda self, beta, A: sizes.append(len(A)) or on(self, beta, A))
    X, y = wide(rows="sparse", p=30_000)
    assert fit(X, y, family="logistic", penalty=L1(1.0), fit_intercept=True).converged
    assert max(sizes) < 400


def test_a_hessian_on_the_same_set_at_the_same_point_is_summed_once():
    f = Objective("logistic", as_chunks(*wide()))
    A, beta = np.arange(20), np.zeros(400)
    first, before = f.hess_on(beta, A), f.passes
    assert f.hess_on(beta, A) is first and f.passes == before
    f.hess_on(beta, A[1:])
    f.hess_on(beta + 1, A[1:])
    assert f.passes == before + 2


def test_the_set_holds_what_is_not_zero_what_is_free_and_who_pulls_hardest():
    g, beta, grad = L1(1.0), np.zeros(500), np.linspace(0, 2, 500)
    beta[3] = 1.0
    f = Objective("logistic", as_chunks(np.ones((1, 500)), np.ones(1)))
    A = working_set(f, g, beta, grad)
    assert 3 in A and len(A) == 100 and set(range(401, 500)) <= set(A)
    assert len(working_set(f, g, beta, 0.5 * grad)) == 51  # 0.9 of λ₁ and more
    assert len(working_set(f, Ridge(1.0), beta, grad, Working(most=40))) == 500
    assert [curvature_as(*asked) for asked in ((g, 500), (g, 300), (ElasticNet(1.0, 0.0), 500))] == [
        "set", "matrix", "matrix"]


# --- the model of the step --------------------------------------------------------------------------------------------


def quadratic_problem(p=300, seed=0):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(p + 50, p))
    return rng.normal(size=p) * 20, A.T @ A, np.zeros(p), np.full(p, 15.0)


def test_a_compiled_sweep_has_the_bits_of_the_plain_one():
    G, H, start, l1 = quadratic_problem()
    root = np.sqrt(np.diag(H))
    H, slope, l1 = H / root[:, None] / root, -G / root, l1 / root
    plain = start.copy()
    sweep_in_place(plain, H, slope.copy(), l1)
    assert swept(start, H, slope, l1).tobytes() == plain.tobytes() and np.count_nonzero(plain) > 10


def test_the_active_set_settles_in_few_steps(monkeypatch):
    """Where the objective can no longer tell, the linear system is solved once more, and coordinates do not creep."""
    steps, plain = [], quadratic.towards
    monkeypatch.setattr(quadratic, "towards", lambda *given: steps.append(1) or plain(*given))
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 500))
    y = (rng.random(400) < 1 / (1 + np.exp(-X[:, :20].sum(axis=1)))).astype(float)
    largest = np.abs(X.T @ (y - 0.5)).max()
    result = fit(X, y, family="logistic", penalty=L1(0.01 * largest))
    assert result.converged and len(steps) <= 7 * result.n_iter


# --- sparse columns ---------------------------------------------------------------------------------------------------


def counts(n=400, p=600, seed=0):
    """Word counts: no number is negative, and the first columns are in nearly every row."""
    rng = np.random.default_rng(seed)
    X = sparse.csr_array(rng.poisson(3 / np.sqrt(1 + np.arange(p)), (n, p)).astype(float))
    eta = X[:, :40] @ rng.normal(0, 0.5, 40)
    return X, (rng.random(n) < 1 / (1 + np.exp(-eta + eta.mean()))).astype(float)


def modelled(X, seed=0, l2=0.0):
    """What `descend` is given at a random β: columns in another order than A's, curvatures, slopes."""
    rng, p = np.random.default_rng(seed), X.shape[1]
    which, beta = rng.permutation(p), rng.normal(size=p) * (rng.random(p) < 0.3)
    back = np.empty(p, dtype=int)
    back[which] = np.arange(p)
    return (Columns.of([X[:150, back], X[150:, back]]), which, rng.random(X.shape[0]), rng.normal(size=p) * 9, beta,
            np.full(p, 3.0), np.full(p, l2))  # fmt: skip


@pytest.mark.parametrize("l2", [0.0, 2.0])
def test_descent_on_columns_is_the_exact_minimiser_of_the_model(l2):
    X, _ = counts(p=60)
    columns, which, h, G, beta, l1, l2 = given = modelled(X, l2=l2)
    v, d, curve, done = descend(*given, np.zeros(60), 1e-14, Descent(sweeps=5000))
    H = (X.T @ sparse.diags_array(h) @ X).toarray()
    exact = quadratic.lasso_point(G, H + np.diag(l2), beta, l1)
    assert done and np.array_equal(v == 0, exact == 0) and 5 < np.count_nonzero(v) < 60
    np.testing.assert_allclose(v, exact, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose([curve, *d], [d @ H @ d, *(v - beta)], rtol=1e-9, atol=1e-11)


def test_descent_goes_on_from_where_it_was():
    X, _ = counts(p=60)
    given = modelled(X)
    v, d, _, done = descend(*given, np.zeros(60), 1e-12, Descent(sweeps=5000))
    again = descend(*given, d, 1e-6, Descent(sweeps=1))
    assert done and again[3]
    np.testing.assert_allclose(again[0], v, atol=1e-10)


def test_counts_take_few_sweeps_because_each_has_an_order_of_its_own():
    """In a fixed order these need more than a hundred."""
    X, _, _ = words(2000, 0.1)
    assert descend(*modelled(X), np.zeros(200), 1e-4, Descent(sweeps=30))[3]


def test_memory_and_dask_have_the_bits_of_each_other_on_sparse_rows():
    X, y = counts()
    blocks = X[:150], X[150:]
    lazy = da.concatenate([da.from_array(block, chunks=block.shape, asarray=False) for block in blocks])
    options = {"family": "logistic", "penalty": L1(2.0), "fit_intercept": True}
    with dask.config.set(scheduler="threads"):
        there = fit(lazy, da.from_array(y, chunks=((150, 250),)), **options)
    here = run_on(X, y, (150, 250), L1(2.0))
    assert there.converged and there.beta.tobytes() == here.beta.tobytes() and 20 < np.count_nonzero(here.beta) < 300


def run_on(X, y, lengths, g):
    f = Objective("logistic", as_chunks(X, y, chunks=lengths, intercept=True))
    return run("working_sets", f, g)


@pytest.mark.parametrize("penalty", [L1(2.0), ElasticNet(2.5, 0.8)], ids=repr)
def test_columns_and_hessians_give_one_answer(penalty, monkeypatch):
    X, y, _ = words(2000, 0.2)
    options = {"family": "logistic", "penalty": penalty, "tol": 1e-10,
               "sample_weight": np.random.default_rng(0).integers(0, 3, len(y))}  # fmt: skip
    free, by_hessian = fit(X, y, fit_intercept=True, **options), fit(X, y, kernels="numpy", **options)
    monkeypatch.setattr(Objective, "hess_on", None)  # nobody asks for a Hessian
    by_columns = fit(X, y, **options)
    monkeypatch.undo()
    assert by_columns.converged and by_hessian.converged and free.converged
    np.testing.assert_allclose(by_columns.beta, by_hessian.beta, atol=1e-6)
    proof = certify(X, y, free, family="logistic", penalty=penalty, sample_weight=options["sample_weight"])
    assert proof.relative < 1e-9


def test_more_coordinates_than_any_hessian_may_have_move_at_once_on_sparse_rows():
    X, y = counts()
    few = Working(most=40)
    result = fit(X, y, family="logistic", penalty=L1(0.5), solver="working_sets", working=few)
    assert result.converged and result.state.working > 2 * few.most


def test_where_columns_are_nearly_the_same_the_hessian_serves():
    """With coordinate descent alone it takes hundreds of iterations."""
    X, _ = counts(p=200)
    rng = np.random.default_rng(1)
    twins = X + sparse.random_array(X.shape, density=0.05, rng=rng, format="csr")
    both, beta = sparse.csr_array(sparse.hstack([X, twins])), np.repeat([0.5, 0, -0.5, 0], [20, 180, 20, 180])
    y = (rng.random(400) < 1 / (1 + np.exp(-3 * (both @ beta)))).astype(float)
    result = fit(both, y, family="logistic", penalty=L1(0.3))
    assert result.converged and result.n_iter < 40 and np.count_nonzero(result.beta) > 100


def test_curvatures_by_rows_are_those_of_the_hessian():
    X, y = counts(p=50)
    w, beta = np.random.default_rng(0).integers(0, 3, 400).astype(float), np.full(51, 0.01)
    f = Objective("logistic", as_chunks(X, y, sample_weight=w, offset=w / 9, intercept=True, chunks=(100, 300)))
    ones = sparse.hstack([X, np.ones((400, 1))]).toarray()
    H = f.hess_on(beta, np.arange(51))
    np.testing.assert_allclose(ones.T @ np.diag(f.by_columns.curvatures(beta)) @ ones, H, rtol=1e-12)
    before = f.passes
    assert f.by_columns.curvatures(beta).shape == (400,) and f.passes == before


def test_a_column_is_brought_once():
    f, brought = Objective("logistic", as_chunks(*counts())), []
    plain = f.map
    f.map = lambda kernel, **given: brought.append((kernel, given)) or plain(kernel, **given)
    result = run("working_sets", f, L1(1.0))
    moved = np.concatenate([given["shared"][0] for kernel, given in brought if kernel is columns])
    assert result.converged and len(moved) == len(set(moved)) >= np.count_nonzero(result.beta)


def test_an_answer_with_nearly_as_many_coefficients_as_rows_takes_few_factorisations(monkeypatch):
    """An active-set step turns one sign. Without sweeps between the steps there are several hundred of them."""
    made, plain = [], quadratic.by_cholesky
    monkeypatch.setattr(quadratic, "by_cholesky", lambda H, **policy: made.append(len(H)) or plain(H, **policy))
    rng = np.random.default_rng(0)
    X = sparse.random_array((120, 180), density=0.05, rng=rng).toarray()
    result = fit(X, rng.normal(size=120), family="gaussian", penalty=L1(0.03))
    assert result.converged and np.count_nonzero(result.beta) > 100 and len(made) < 150


@pytest.mark.parametrize("rows", ["dense", "sparse"])
def test_a_free_intercept_costs_a_certificate_no_pass(rows):
    X, y = wide(rows=rows)
    spent = []
    for intercept in (False, True):
        f = Objective("logistic", as_chunks(X, y, intercept=intercept))
        g, beta = FreeIntercept(L1(6.0)) if intercept else L1(6.0), np.zeros(f.dim)
        f.look(beta)
        before = f.rounds + f.extra_rounds
        assert np.isfinite(supported(f, g, beta).objective)
        spent.append(f.rounds + f.extra_rounds - before)
    assert spent[0] == spent[1]
