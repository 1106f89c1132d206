"""Consensus ADMM by its theorems: the dual inclusion, contraction factors, Douglas–Rachford; and the post's loop."""

from itertools import islice
from types import SimpleNamespace

import dask
import dask.array as da
import numpy as np
import pytest
from dask.callbacks import Callback
from naive import joined, optimum, random_problem
from scipy import sparse
from scipy.optimize import fmin_l_bfgs_b, minimize
from test_pairwise import Box

from glmlab import L1, ElasticNet, NotConverged, Objective, Ridge, Zero, as_chunks, fit, run, solvers
from glmlab.maths import penalties
from glmlab.maths.families import Gaussian, Logistic
from glmlab.maths.penalties import lambdas
from glmlab.rows import kernels
from glmlab.rows.kernels import Rows
from glmlab.rows.threads import one_blas_thread
from glmlab.solvers import SOLVERS, admm
from glmlab.solvers.admm import consensus_admm, local_update, post_admm, shrinkage, z_update
from glmlab.solvers.newton import proximal_newton

FAMILIES = ["gaussian", "logistic", "poisson", "gamma"]
KERNELS = kernels.loss_grad, kernels.loss_grad_hess
RHOS = ["diagonal", "curvature", "balance", "matrix", 7.0]
PENALTIES = [Zero(), L1(3.0), Ridge(2.0), ElasticNet(4.0, 0.5)]
UNEVEN = (1, 40, 3, 36)
every_family = pytest.mark.parametrize("family", FAMILIES)
every_rho = pytest.mark.parametrize("rho", RHOS)
every_penalty = pytest.mark.parametrize("penalty", PENALTIES, ids=repr)


def states(problem, count, chunks=UNEVEN, solver=consensus_admm, start=None, **options):
    f = problem.objective(chunks=chunks)
    start = np.zeros(f.dim) if start is None else start
    return list(islice(solver(f, problem.g, start, **options), count))


def slopes(state):
    """Σ ρ_k u_k."""
    return admm.times(state.rho, state.u).sum(axis=0)


# --- the three updates ------------------------------------------------------------------------------------------


def test_shrinkage_is_the_one_of_the_penalties():
    assert shrinkage is penalties.shrinkage


@every_family
@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("n", [40, 3, 1])
def test_a_local_solve_satisfies_its_conditions(family, own, n):
    """∇f_k(b) + ρ(b − z + u) = 0, also where a chunk has fewer rows than columns; f and ∇f are those at z."""
    problem = random_problem(family, Zero(), seed=1, n=n, weighted=True, shifted=True)
    z, u, beta = np.random.default_rng(2).normal(size=(3, 4)) / 3
    rho = np.array([0.5, 3.0, 1.0, 20.0])
    M = np.diag(rho) + 0.4 * own
    rows = Rows(problem.X, problem.y, problem.w, problem.o)
    found = local_update(rows, problem.objective().family, KERNELS, z, None if own else rho, 0.0, beta, u, *[M] * own)
    slope = problem.grad(found.beta) + M @ (found.beta - z + u)
    size = np.abs(problem.grad(z)) + M @ np.abs(z - u) + 1
    assert np.all(np.abs(slope) <= 1e-9 * size)
    assert found.loss == pytest.approx(float(problem.loss(z)), rel=1e-12)
    np.testing.assert_allclose(found.grad, problem.grad(z).astype(float), rtol=1e-10, atol=1e-11)


@every_family
def test_a_local_solve_is_as_exact_as_asked_and_costs_as_much(family):
    """The error is at most `accuracy` times the way to z in the metric of the problem, and less costs no more."""
    problem, touches = random_problem(family, Zero(), seed=3), []
    z, u, rho = np.full(4, 0.3), np.full(4, 0.1), np.full(4, 5.0)
    rows = Rows(*problem.data)
    exact = local_update(rows, problem.objective().family, KERNELS, z, rho, 0.0, z, u).beta
    H = problem.hess(exact).astype(float) + np.diag(rho)
    for accuracy in (1.0, 0.1, 1e-3, 1e-9):
        found = local_update(rows, problem.objective().family, KERNELS, z, rho, accuracy, z, u)
        error, way = found.beta - exact, found.beta - z
        assert error @ H @ error <= 2 * accuracy**2 * (way @ H @ way) + 1e-18
        touches.append(found.touches)
    assert touches == sorted(touches) and touches[-1] <= 12 and (touches[0] < touches[-1] or family == "gaussian")


def test_a_chunk_without_weight_answers_z_minus_u():
    rows = Rows(np.ones((5, 2)), np.ones(5), np.zeros(5))
    z, u = np.array([1.0, 2.0]), np.array([0.25, -3.0])
    found = local_update(rows, Logistic(), KERNELS, z, np.ones(2), 0.1, z, u)
    np.testing.assert_allclose(found.beta, z - u, rtol=1e-14)
    assert found.loss == 0 and not found.grad.any()


def test_a_local_step_that_overflows_is_shortened():
    """A Poisson chunk far from its minimiser: the full Newton step would give e^2000."""
    rows = Rows(np.ones((3, 1)), np.full(3, 2000.0))
    found = local_update(rows, POISSON, KERNELS, np.zeros(1), np.full(1, 1e-9), 0.0, np.full(1, -0.0), np.zeros(1))
    np.testing.assert_allclose(found.beta, np.log(2000.0), rtol=1e-9)


POISSON = Objective("poisson", as_chunks(np.ones((2, 1)), np.ones(2))).family


@every_penalty
@pytest.mark.parametrize("matrices", [False, True])
def test_the_z_update_minimises_what_it_says(penalty, matrices):
    """Its subdifferential condition, Σ ρ(c_k − z) ∈ ∂g(z), and the order of the chunks does not matter."""
    rng = np.random.default_rng(4)
    c, rho, l2 = rng.normal(size=(6, 5)), rng.uniform(0.5, 2, 5), penalty.l2
    if matrices:
        A = rng.normal(size=(6, 7, 5))
        rho = np.einsum("kni,knj->kij", A, A)
    z = z_update(penalty, c, rho, np.zeros(5))
    pull = admm.times(rho, c - z).sum(axis=0) - l2 * z
    assert np.all(np.abs(pull) <= penalty.l1 + 1e-9) and (penalty.l1 or np.abs(pull).max() < 1e-9)
    np.testing.assert_allclose(pull[z != 0], penalty.l1 * np.sign(z[z != 0]), atol=1e-9)
    again = z_update(penalty, c[::-1], rho[::-1] if matrices else rho, np.zeros(5))
    np.testing.assert_allclose(again, z, rtol=1e-9, atol=1e-12)


# --- what holds after every round -------------------------------------------------------------------------------


@every_rho
@every_penalty
@pytest.mark.parametrize("family", ["gaussian", "poisson"])
def test_the_sum_of_rho_u_is_a_subgradient_at_z(family, penalty, rho):
    problem = random_problem(family, penalty, seed=5, weighted=True, shifted=True, intercept=True)
    l1, l2 = lambdas(problem.g, 5)
    for state in states(problem, 12, rho=rho)[1:]:
        pull, z = slopes(state) - l2 * state.beta, state.beta
        size = 1e-10 * (1 + np.abs(admm.times(state.rho, state.u)).sum())
        assert np.all(np.abs(pull) <= l1 + size)
        np.testing.assert_allclose(pull[z != 0], (l1 * np.sign(z))[z != 0], atol=size)


@every_rho
def test_u_is_the_running_sum_of_disagreement_and_residuals_are_boyds(rho):
    alpha = 1.7
    problem = random_problem("logistic", L1(2.0), seed=6)
    found = states(problem, 8, rho=rho, relaxation=alpha)
    assert found[0].primal == found[0].dual == np.inf
    for before, after in zip(found, found[1:], strict=False):
        moved = after.betas * alpha + (1 - alpha) * before.beta - after.beta
        expected = admm.times(before.rho, before.u + moved)
        np.testing.assert_allclose(admm.times(after.rho, after.u), expected, rtol=1e-9, atol=1e-11)
        assert after.primal == pytest.approx(np.linalg.norm(after.betas - after.beta))
        step = np.tile(after.beta - before.beta, (len(UNEVEN), 1))
        assert after.dual == pytest.approx(np.linalg.norm(admm.times(before.rho, step)))


@every_rho
def test_the_votes_solve_the_chunks_problems(rho):
    """At z and u of the round before, with the loss of each chunk alone."""
    problem, first = random_problem("poisson", L1(2.0), seed=7, shifted=True), 0
    found = states(problem, 5, rho=rho, accuracy=0.0)
    for k, length in enumerate(UNEVEN):
        cut = slice(first, first + length)
        own, first = problem._replace(X=problem.X[cut], y=problem.y[cut], o=problem.o[cut]), first + length
        for before, after in zip(found, found[1:], strict=False):
            M = before.rho[k] if rho == "matrix" else np.diag(before.rho)
            slope = own.grad(after.betas[k]) + M @ (after.betas[k] - before.beta + before.u[k])
            assert np.abs(slope).max() <= 1e-7 * (1 + np.abs(M @ before.u[k]).max())


# --- rates and coincidences -------------------------------------------------------------------------------------


def alike(penalty, K=5):
    """Least squares in K equal chunks with eigenvalues far apart, and their extremes μ, L."""
    rng = np.random.default_rng(8)
    X = rng.normal(size=(30, 4)) * [1.0, 2.0, 4.0, 8.0]
    y = X @ [1.0, -1.0, 0.5, 0.1] + rng.normal(size=30)
    mu, L = np.linalg.eigvalsh(2 * X.T @ X)[[0, -1]]
    f = Objective("gaussian", as_chunks(np.tile(X, (K, 1)), np.tile(y, K), chunks=30, threads=1))
    return f, penalty, mu, L


def distances(f, penalty, count, metric, **options):
    """‖c − c*‖ of c = z + mean u, the variable in which Douglas–Rachford contracts, in that metric."""
    best = list(islice(proximal_newton(f, penalty, np.zeros(f.dim)), 4))[-1].beta
    made = list(islice(consensus_admm(f, penalty, np.ones(f.dim), **options), count))
    goal = best - np.linalg.solve(f.n_chunks * squared(made[0].rho), f.loss_grad(best).grad)
    away = [state.beta + state.u.mean(axis=0) - goal for state in made[1:]]
    errors = [np.sqrt(d @ metric @ d) for d in away]
    return [(a, b) for a, b in zip(errors, errors[1:], strict=False) if a > 1e-9 * errors[0]]


def squared(rho):
    return np.diag(rho) if rho.ndim == 1 else rho[0]


@pytest.mark.parametrize("penalty", [Zero(), L1(40.0), L1(1e9), Ridge(100.0)], ids=repr)
@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.9])
def test_like_chunks_contract_as_the_theorem_says(penalty, share):
    """max(ρ/(μ+ρ), L/(L+ρ)) for α = 1, and the second or the first is reached by an empty z or an empty penalty."""
    f, g, mu, L = alike(penalty)
    rho = mu ** (1 - share) * L**share
    rate = max(rho / (mu + rho), L / (L + rho))
    pairs = distances(f, g, 600, np.eye(4), rho=rho, relaxation=1.0)
    assert all(after <= rate * before * (1 + 1e-6) for before, after in pairs)
    reached = {Zero(): rho / (mu + rho), L1(1e9): L / (L + rho)}.get(penalty)
    assert reached is None or pairs[-1][1] / pairs[-1][0] == pytest.approx(reached, rel=0.02)


def test_the_best_scalar_is_the_geometric_mean():
    f, _, mu, L = alike(Zero())
    best = max((mu * L) ** 0.5 / (mu + (mu * L) ** 0.5), L / (L + (mu * L) ** 0.5))
    rates = [max(rho / (mu + rho), L / (L + rho)) for rho in (mu * L) ** 0.5 * np.array([0.5, 0.9, 1.1, 2.0])]
    assert all(best < rate for rate in rates)


@pytest.mark.parametrize("alpha", [1.0, 1.5, 1.9])
@pytest.mark.parametrize("penalty", [Zero(), L1(40.0), L1(1e9)], ids=repr)
def test_matrix_rho_contracts_by_half_of_what_relaxation_lacks(alpha, penalty):
    """|1 − α/2| in like chunks whose ρ is their Hessian; the share of the mean added to it costs less than 0.01."""
    f, g, _, _ = alike(penalty)
    H = f.loss_grad_hess(np.zeros(4)).hess
    pairs = distances(f, g, 60, H, rho="matrix", relaxation=alpha)
    assert pairs and all(after <= (abs(1 - alpha / 2) + 0.01) * before for before, after in pairs)


@every_family
@pytest.mark.parametrize("alpha", [1.0, 1.6])
def test_one_chunk_is_douglas_rachford(family, alpha):
    """Eckstein & Bertsekas (1992): s⁺ = s + α (prox_f(2 prox_g s − s) − prox_g s), written with SciPy's solver."""
    problem = random_problem(family, L1(3.0), seed=9)
    rho = np.diag(problem.hess(np.zeros(4)).astype(float))

    def prox_f(v):
        def model(b):
            slope = (problem.grad(b) + rho * (b - v)).astype(float)
            return float(problem.loss(b) + (rho * (b - v) ** 2).sum() / 2), slope

        b = minimize(model, v, jac=True, method="L-BFGS-B", options={"ftol": 0, "gtol": 1e-9}).x
        for _ in range(3):
            b = b - np.linalg.solve(problem.hess(b).astype(float) + np.diag(rho), model(b)[1])
        return b

    s = -problem.grad(np.zeros(4)).astype(float) / rho
    for state in states(problem, 8, chunks=-1, relaxation=alpha, accuracy=0.0)[1:]:
        z = problem.g.prox(s, 1 / rho)
        np.testing.assert_allclose(state.beta, z, rtol=1e-8, atol=1e-10)
        s = s + alpha * (prox_f(2 * z - s) - z)


def test_one_chunk_without_a_penalty_is_the_proximal_point_method():
    """Rockafellar (1976): with g = 0 and α = 1, z⁺ = argmin f + (ρ/2)‖· − z‖², and u is 0 after the first round."""
    problem = random_problem("gaussian", Zero(), seed=10)
    H, rho = problem.hess(np.zeros(4)).astype(float), 40.0
    best = np.linalg.solve(H, -problem.grad(np.zeros(4)).astype(float))
    found = states(problem, 8, chunks=-1, rho=rho, relaxation=1.0)
    for before, after in zip(found[1:], found[2:], strict=False):
        np.testing.assert_allclose(after.beta, np.linalg.solve(H + rho * np.eye(4), H @ best + rho * before.beta))
        assert np.abs(after.u).max() < 1e-12


def test_sums_and_rows_take_the_same_way():
    """Least squares solved from XᵀX here, or from rows on every chunk."""

    class ByRows(Gaussian):
        quadratic = False

    problem = random_problem("gaussian", L1(3.0), seed=11, weighted=True, shifted=True, intercept=True)
    chunks = as_chunks(*problem.data, **problem.extras, intercept=True, chunks=UNEVEN, threads=1)
    for rho in RHOS:
        ways = [islice(consensus_admm(Objective(family, chunks), problem.g, np.zeros(5), rho=rho), 9)
                for family in (Gaussian(), ByRows())]  # fmt: skip
        for one, other in zip(*ways, strict=True):
            np.testing.assert_allclose(one.beta, other.beta, rtol=1e-8, atol=1e-10)
            np.testing.assert_allclose(one.u, other.u, rtol=1e-7, atol=1e-9)


# --- the answer -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunks", [-1, (12,) * 6 + (8,), UNEVEN], ids=["one", "seven", "uneven"])
@every_rho
@every_family
def test_the_answer_is_certified_and_right(family, rho, chunks):
    kind = RHOS.index(rho) + FAMILIES.index(family)
    penalty = PENALTIES[kind % 4]
    problem = random_problem(family, penalty, seed=kind, weighted=kind % 2 == 0, shifted=kind % 3 == 0, intercept=True)
    result = run("consensus_admm", problem.objective(chunks), penalty, rho=rho, tol=1e-9)
    assert result.converged
    best = float(problem.value(optimum(problem)))
    gap = float(problem.value(joined(result, True))) - best
    assert gap <= result.certificate.bound and gap <= 1e-9 * max(abs(best), problem.magnitude())


@every_rho
def test_chunks_sorted_by_label_hold_one_class_each(rho):
    problem = random_problem("logistic", L1(1.0), seed=12, n=120)
    order = np.argsort(problem.y, kind="stable")
    problem = problem._replace(X=problem.X[order], y=problem.y[order])
    result = run("consensus_admm", problem.objective(20), L1(1.0), rho=rho, tol=1e-8)
    np.testing.assert_allclose(result.beta, optimum(problem).astype(float), rtol=1e-3, atol=1e-4)
    assert result.converged


def test_hundreds_of_chunks_smaller_than_the_number_of_columns():
    problem = random_problem("logistic", L1(2.0), seed=13, n=900, p=5)
    result = run("consensus_admm", problem.objective(2), L1(2.0), tol=1e-7)
    assert result.converged and len(result.state.u) == 450


def test_sparse_rows_give_the_answer_of_dense_ones():
    problem = random_problem("poisson", L1(2.0), seed=14)
    X = np.where(np.abs(problem.X) < 0.4, 0.0, problem.X)
    dense, thin = (Objective("poisson", as_chunks(rows, problem.y, chunks=UNEVEN, threads=1))
                   for rows in (X, sparse.csr_array(X)))  # fmt: skip
    ways = (islice(consensus_admm(f, L1(2.0), np.zeros(4)), 6) for f in (dense, thin))
    for one, other in zip(*ways, strict=True):
        np.testing.assert_allclose(one.beta, other.beta, rtol=1e-9, atol=1e-12)


def test_where_f_overflows_z_goes_an_ever_shorter_way_down_the_chunks_slopes():
    """With ρu_k = −∇f_k(old) each chunk is content at old; z is then a gradient step of length 1 / (Kρ) from there."""
    old, grads, rho, asked = np.array([1.0, -2.0]), np.array([[3.0, 0.0], [1.0, 4.0]]), np.array([1.0, 2.0]), []

    def ask(z, u, rho, betas):
        asked.append((z, u, rho))
        assert np.array_equal(betas, [old, old])
        return SimpleNamespace(loss=np.inf if len(asked) < 3 else 0.0)

    last, z, u, _ = admm.nearer(Zero(), ask, rho, old, SimpleNamespace(grads=grads))
    assert len(asked) == 3 and last.tolist() == (16**3 * rho).tolist()
    for point, duals, metric in asked:
        assert np.allclose(point, old - grads.mean(axis=0) / metric)
        assert np.allclose(metric * (point + duals - old), -grads)
    assert np.array_equal(z, asked[-1][0]) and np.array_equal(u, asked[-1][1])


def test_a_z_that_overflows_is_taken_back():
    """ρ = 1e-9: the first vote is the slope times 1e9, where e^η is infinite."""
    problem = random_problem("poisson", L1(1.0), seed=15)
    first, second = states(problem, 2, rho=1e-9)
    assert np.isfinite(second.objective) and second.rho[0] > first.rho[0]
    result = run("consensus_admm", problem.objective(UNEVEN), L1(1.0), rho=1e-9, start=np.zeros(4), tol=1e-7)
    assert result.converged


@every_rho
@every_family
def test_columns_whose_squares_overflow_end_in_a_status(family, rho):
    """∇²f_k is infinite, and LAPACK finds no eigenvalues of it."""
    problem = random_problem(family, Zero(), seed=15)
    problem = problem._replace(X=1e200 * problem.X)
    with pytest.warns(NotConverged, match="overflow: give it another unit"):
        result = run("consensus_admm", problem.objective(UNEVEN), rho=rho, max_iter=20)
    assert np.isfinite(result.beta).all()
    if isinstance(rho, str):
        assert result.n_iter == 0, "there is no metric to vote in, and no round is spent"


def test_balancing_mends_a_rho_that_fits_only_the_start():
    """From far off, e^η and with it the curvature grow a thousandfold: fixed ρ crawls, a balanced one follows."""
    problem = random_problem("poisson", L1(1.0), seed=16, n=200)
    problem = problem._replace(y=problem.y + 2000.0)
    rounds = {rho: run("consensus_admm", problem.objective(50), L1(1.0), start=np.zeros(4), rho=rho, tol=1e-6).n_iter
              for rho in ("curvature", "balance")}  # fmt: skip
    assert rounds["balance"] < rounds["curvature"] / 2


def benchmark(n=20_000, p=15, K=8):
    """The post's logistic problem, small, and its optimum."""
    rng = np.random.default_rng(20009)
    X, beta = rng.random((n, p)), (rng.random(p) - 0.5) * 3
    y = (rng.random(n) < 1 / (1 + np.exp(-X @ beta))) * 1.0
    best = fit(X, y, family="logistic", penalty=L1(1.0), tol=1e-13).objective
    return X, y, n // K, best


def rounds_to(X, y, chunk, best, goal, **options):
    f = Objective("logistic", as_chunks(X, y, chunks=chunk))
    until = lambda state: state.objective - best <= goal * len(y) * np.log(2)  # noqa: E731
    return run("consensus_admm", f, L1(1.0), until=until, max_iter=150, **options).n_iter


@pytest.mark.filterwarnings("ignore::glmlab.NotConverged")
@pytest.mark.parametrize("order", ["random", "label"])
def test_rounds_on_the_posts_logistic(order):
    """The diagonal with over-relaxation halves the rounds of a scalar without; matrices need next to none."""
    X, y, chunk, best = benchmark()
    if order == "label":
        sorted_rows = np.argsort(y, kind="stable")
        X, y = X[sorted_rows], y[sorted_rows]
    plain = rounds_to(X, y, chunk, best, 1e-6, rho="curvature", relaxation=1.0)
    default = rounds_to(X, y, chunk, best, 1e-6)
    matrix = rounds_to(X, y, chunk, best, 1e-6, rho="matrix")
    assert default <= 0.7 * plain and default <= 20 and matrix <= 4


# --- counting and refusals --------------------------------------------------------------------------------------


class Counting(Logistic):
    """Every kernel asks for the loss of a row once a touch."""

    rows = 0

    def loss(self, eta, y):
        Counting.rows += len(eta)
        return super().loss(eta, y)


@every_rho
def test_passes_are_touches_of_rows_and_every_state_is_a_round(rho):
    problem = random_problem("logistic", L1(2.0), seed=17)
    f = Objective(Counting(), as_chunks(*problem.data, chunks=UNEVEN, threads=1))
    f.survey, f.null  # noqa: B018  Counting has a loss of its own, so that its null model takes passes over y
    f.loss_grad_diag(np.zeros(4))
    Counting.rows, passes, rounds = 0, f.passes, f.rounds
    found = list(islice(consensus_admm(f, problem.g, np.zeros(4), rho=rho), 7))
    assert f.passes - passes == pytest.approx(Counting.rows / f.n)
    # The first state's diagonal may have to be asked for again, once its gradient was.
    assert len(found) <= f.rounds - rounds <= len(found) + 1
    assert 2 * 6 < f.passes - passes < 5 * 7, "a few local steps a round"


def test_least_squares_read_their_rows_once_a_round():
    problem = random_problem("gaussian", L1(2.0), seed=18)
    f = problem.objective(20)
    f.survey  # noqa: B018
    made = consensus_admm(f, problem.g, np.zeros(4), rho=30.0)
    list(islice(made, 9))
    assert f.passes == f.rounds == 9


def test_a_certificate_after_a_round_needs_no_gradient_of_its_own():
    problem = random_problem("logistic", L1(2.0), seed=19)
    f = problem.objective(20)
    state = list(islice(consensus_admm(f, problem.g, np.zeros(4)), 3))[-1]
    before = f.extra_passes
    with f.booked_apart():
        f.loss_grad(state.beta)
    assert f.extra_passes == before


def test_z_and_rho_are_sent_once_a_round():
    """One task a chunk, which carries z and ρ, and one that lists the answers."""
    problem, sent = random_problem("logistic", L1(2.0), seed=20), []
    X, y = (da.from_array(column, chunks=(20, *column.shape[1:])) for column in problem.data)
    f = Objective("logistic", as_chunks(X, y))

    def noted(graph):
        sent.append([key for key in graph if str(key).startswith("local_update")])

    made = consensus_admm(f, problem.g, np.zeros(4))
    next(made)
    with dask.config.set(scheduler="synchronous"), Callback(start=noted):
        next(made)
    assert [len(keys) for keys in sent] == [4 + 1]


@pytest.mark.parametrize("solver", [consensus_admm, post_admm])
@pytest.mark.parametrize("family", ["gaussian", "logistic"])
def test_every_row_is_read_by_the_kernels_of_the_objective(solver, family):
    problem, read = random_problem(family, L1(2.0), seed=27), []
    f = problem.objective(20)
    f.survey  # noqa: B018

    def kernel(name):
        def spy(rows, family, beta):
            read.append(len(rows.y))
            return getattr(kernels, name)(rows, family, beta)

        return spy

    f.kernel = kernel
    list(islice(solver(f, problem.g, np.zeros(4)), 4))
    diagonal = 1 if solver is consensus_admm else 0  # of ∇²f at the start, a pass like any other
    assert sum(read) / f.n == pytest.approx(f.passes - diagonal) and read


def test_local_solves_start_from_the_last_answers():
    problem, given, answers = random_problem("logistic", L1(2.0), seed=25), [], []
    f = problem.objective(20)

    def spy(kernel, *own, **shared):
        parts = Objective.map(f, kernel, *own, **shared)
        given.append(own[0] if own else None)
        answers.append([getattr(part, "beta", None) for part in parts])
        return parts

    f.map = spy
    list(islice(consensus_admm(f, problem.g, np.zeros(4)), 5))
    for before, after in zip(answers[1:], given[2:], strict=False):
        assert np.array_equal(before, after)


@pytest.mark.parametrize("rho, alpha", [("diagonal", 1.6), ("balance", 1.6), (3.0, 1.6), ("matrix", 1.9)])
def test_relaxation_is_chosen_by_rho(rho, alpha):
    problem = random_problem("poisson", L1(2.0), seed=26)
    for chosen, named in zip(states(problem, 4, rho=rho), states(problem, 4, rho=rho, relaxation=alpha), strict=True):
        assert np.array_equal(chosen.beta, named.beta)


@pytest.mark.parametrize("options, error, words", [
    ({"rho": 0}, ValueError, "rho must be a finite number > 0, got 0"),
    ({"rho": -2.5}, ValueError, "got -2.5"),
    ({"rho": np.nan}, ValueError, "rho must be"),
    ({"rho": [1.0]}, TypeError, "rho must be"),
    ({"rho": "balanc"}, ValueError, "unknown rho 'balanc'; did you mean 'balance'"),
    ({"relaxation": 0}, ValueError, r"relaxation must lie in \(0, 2\), got 0"),
    ({"relaxation": 2.0}, ValueError, "got 2.0"),
    ({"relaxation": "1.6"}, TypeError, "relaxation must be"),
    ({"accuracy": -1}, ValueError, "accuracy must be"),
])  # fmt: skip
def test_options_that_make_no_sense_are_refused_before_any_pass(options, error, words):
    problem = random_problem("logistic", L1(2.0), seed=21)
    f = problem.objective()
    with pytest.raises(error, match=words):
        next(consensus_admm(f, problem.g, np.zeros(4), **options))
    assert f.passes == f.extra_passes == 0


def test_a_misspelt_option_is_named():
    problem = random_problem("logistic", L1(2.0), seed=21)
    with pytest.raises(TypeError, match="did you mean 'relaxation'"):
        problem.fit(solver="consensus_admm", relaxtion=1.5)


def test_matrices_refuse_a_penalty_of_which_only_the_prox_is_known():
    problem = random_problem("logistic", Zero(), seed=22)
    with pytest.raises(ValueError, match="rho='matrix' needs a penalty"):
        next(consensus_admm(problem.objective(), Box(), np.zeros(4), rho="matrix"))
    last = list(islice(consensus_admm(problem.objective(20), Box(), np.zeros(4)), 200))[-1]
    theirs = minimize(lambda b: float(problem.loss(b)), np.zeros(4), bounds=[(-0.2, 0.2)] * 4, tol=1e-12)
    np.testing.assert_allclose(last.beta, theirs.x, atol=1e-5)


# --- the loop of the post ---------------------------------------------------------------------------------------


def posts_rows(n, p=100, K=10, seed=0):
    """The post's data, fewer rows: normal X, β uniform, unit noise."""
    rng = np.random.default_rng(seed)
    X, beta = rng.normal(size=(n, p)), rng.random(p)
    return X, X @ beta + rng.normal(size=n), beta, n // K


def as_published(X, y, chunk, lamduh, rho, max_steps):
    """The lines of the post, `dask.delayed` taken out."""
    XD, yD = np.split(X, len(y) // chunk), np.split(y, len(y) // chunk)
    nchunks, p = len(XD), X.shape[1]

    def local_f(beta, X, y, z, u, rho):
        return ((y - X.dot(beta)) ** 2).sum() + (rho / 2) * np.dot(beta - z + u, beta - z + u)

    def local_grad(beta, X, y, z, u, rho):
        return 2 * X.T.dot(X.dot(beta) - y) + rho * (beta - z + u)

    z = np.zeros(p)
    u = np.array([np.zeros(p) for i in range(nchunks)])
    betas = np.array([np.zeros(p) for i in range(nchunks)])
    for _ in range(max_steps):
        yield z
        new_betas = np.array([
            fmin_l_bfgs_b(local_f, bb, fprime=local_grad, args=(xx, yy, z, uu, rho), maxiter=200, maxfun=250)[0]
            for xx, yy, bb, uu in zip(XD, yD, betas, u, strict=True)
        ])  # fmt: skip
        beta_hat = 0.9 * new_betas + 0.1 * z
        ztilde = np.mean(beta_hat + np.array(u), axis=0)
        z = shrinkage(ztilde, lamduh / (rho * nchunks))
        u += beta_hat - z


@one_blas_thread
def test_the_posts_loop_is_the_posts_loop():
    X, y, _, chunk = posts_rows(n=1000, p=20, K=5)
    f = Objective("gaussian", as_chunks(X, y, chunks=chunk))
    ours = islice(post_admm(f, L1(7.2), np.zeros(20)), 11)
    for state, z in zip(ours, as_published(X, y, chunk, 7.2, 1.0, 11), strict=True):
        np.testing.assert_allclose(state.beta, z, atol=2e-5)  # L-BFGS-B stops at a slope of 1e-5 of its first


@pytest.mark.parametrize("K", [5, 10, 20])
def test_its_zeros_are_a_clock(K):
    """At step k they number #{|β_j| < λ/(0.9 ρ K k)}, within two: they tell the time and nothing about the data."""
    X, y, beta, chunk = posts_rows(n=2400 * K, K=K)
    f = Objective("gaussian", as_chunks(X, y, chunks=chunk))
    made = list(islice(post_admm(f, L1(7.2), np.zeros(100)), 11))
    for k, state in enumerate(made[1:], start=1):
        assert abs((state.beta == 0).sum() - (np.abs(beta) < 7.2 / (0.9 * K * k)).sum()) <= 2
    assert (made[-1].beta == 0).any()
    assert fit(X, y, family="gaussian", penalty=L1(7.2), tol=1e-12).beta.all(), "the optimum has none"


def test_it_serves_other_families_and_is_slow():
    problem = random_problem("logistic", L1(2.0), seed=23, weighted=True, shifted=True, intercept=True)
    lowest = float(problem.value(optimum(problem)))
    heights = [state.objective - lowest for state in states(problem, 60, solver=post_admm)]
    assert heights[-1] < 1e-3 * heights[0]
    quick = states(problem, 60)[-1].objective - lowest
    assert quick < heights[-1]


def test_it_is_history():
    assert post_admm not in SOLVERS.values() and solvers.HISTORICAL["post_admm"] is post_admm
    problem = random_problem("gaussian", Ridge(2.0), seed=24)
    assert problem.fit(solver="post_admm", tol=1e-4).solver == "post_admm"
    with pytest.raises(ValueError, match="rho must be"):
        next(post_admm(problem.objective(), Ridge(2.0), np.zeros(4), rho=0))
