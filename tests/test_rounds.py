"""Fewer rounds: what their papers prove, where each of them breaks, and every read of a chunk counted from outside."""

from itertools import islice

import dask
import dask.array as da
import numpy as np
import pytest
from dask.callbacks import Callback
from naive import draw, optimum, random_problem
from scipy import sparse
from test_pairwise import Box

from glmlab import L1, ElasticNet, Objective, Ridge, Zero, as_chunks, fit, run
from glmlab.maths.penalties import FreeIntercept
from glmlab.rows import kernels
from glmlab.rows.kernels import Rows
from glmlab.solvers import FEWER_ROUNDS, SOLVERS, newton, start
from glmlab.solvers.rounds import averaging, averaging_newton, cease, csl, giant, surrogate_minimiser

FAMILIES = ["gaussian", "logistic", "poisson", "gamma"]
MEANS, ITERATED = [averaging, averaging_newton], [csl, cease, giant]
PENALTIES = [Zero(), Ridge(9.0), L1(25.0), ElasticNet(30.0, 0.5)]
every_family = pytest.mark.parametrize("family", FAMILIES)
every_penalty = pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
each_of_all = pytest.mark.parametrize("solver", MEANS + ITERATED, ids=lambda solver: solver.__name__)
each_iterated = pytest.mark.parametrize("solver", ITERATED, ids=lambda solver: solver.__name__)


def problem_of(family, penalty=None, n=1500, seed=5, **options):
    """Rows enough for each of ten chunks to be like all of them."""
    return random_problem(family, Ridge(9.0) if penalty is None else penalty, seed=seed, n=n, **options)


def states(solver, problem, count, chunks=150, start=None, **options):
    f = problem.objective(chunks=chunks)
    return list(islice(solver(f, problem.g, np.zeros(f.dim) if start is None else start, **options), count))


def rearranged(problem, order):
    """The same rows in another order."""
    columns = (None if c is None else c[order] for c in (problem.X, problem.y, problem.w, problem.o))
    return problem._replace(**dict(zip("Xywo", columns, strict=True)))


def by_label(problem):
    return rearranged(problem, np.argsort(problem.y, kind="stable"))


def own_hessians(problem, beta, length):
    """Each chunk's ∇²F at β, its rows scaled up to stand for all: (K, dim, dim)."""
    n = len(problem.y)
    parts = [rearranged(problem, slice(i, i + length)) for i in range(0, n, length)]
    return np.array([n / length * part.hess(beta) + problem.penalty.l2 * np.eye(len(beta)) for part in parts], float)


def alike(solver, g):
    """Can the solver minimise with this penalty?"""
    return g.smooth or solver in (csl, cease)


# --- contracts ---------------------------------------------------------------------------------------------------


def test_they_are_known_by_name_and_chosen_by_nothing():
    assert [method.function for method in FEWER_ROUNDS] == MEANS + ITERATED
    assert not {method.name for method in FEWER_ROUNDS} & set(SOLVERS)
    problem = problem_of("logistic", intercept=True)
    for solver in MEANS + ITERATED:
        by_name, by_function = (problem.fit(solver=given, tol=1e-3) for given in (solver.__name__, solver))
        assert by_name.solver == by_function.solver == solver.__name__
        assert by_name.beta.tolist() == by_function.beta.tolist()


@every_family
@each_iterated
def test_every_field_belongs_to_the_beta_that_is_yielded(solver, family):
    problem = problem_of(family, n=6000, weighted=True, shifted=True, intercept=True)
    f, before = problem.objective(chunks=600), None
    for state in islice(solver(f, problem.g, start.null_start(f)), 5):
        assert state.objective == pytest.approx(float(problem.value(state.beta)), rel=1e-12)
        grad = problem.grad(state.beta).astype(float)
        assert state.residual == pytest.approx(f.residual(state.beta, grad, problem.g), rel=1e-8, abs=1e-12)
        if before is not None:
            weights = problem.w.reshape(10, 600).sum(axis=1) if len(state.betas) == 10 else [1.0]
            mean = np.average(state.betas, axis=0, weights=weights)
            np.testing.assert_allclose(state.beta, before + state.step * (mean - before), rtol=1e-11, atol=1e-13)
        before = state.beta


@each_of_all
def test_a_list_of_states_is_safe_and_cannot_be_written(solver):
    problem = problem_of("logistic")
    f, start = problem.objective(chunks=150), np.zeros(4)
    one_by_one = [np.array(state.beta) for state in islice(solver(f, problem.g, start), 4)]
    together = list(islice(solver(f, problem.g, start), 4))
    start += 1
    assert [b.tolist() for b in one_by_one] == [state.beta.tolist() for state in together]
    count = {averaging: 2, averaging_newton: 3}.get(solver, 4)
    assert len({tuple(state.beta) for state in together}) == len(together) == count
    for values in together[-1]:
        if isinstance(values, np.ndarray):
            assert not values.flags.writeable


@each_of_all
def test_a_generator_does_nothing_before_its_first_state(solver):
    f = problem_of("logistic").objective(chunks=150)
    solver(f, Ridge(9.0), np.zeros(4))
    assert f.passes == f.extra_passes == 0


@pytest.mark.parametrize("solver, options, error, words", [
    ("csl", {"chunk": -1}, ValueError, "chunk must be a whole number >= 0"),
    ("csl", {"chunk": 1.5}, TypeError, "chunk must be a whole number"),
    ("csl", {"chunk": 10}, ValueError, "chunk must be less than 10, the number of chunks, got 10"),
    ("cease", {"alpha": -1.0}, ValueError, "alpha must be a finite number >= 0"),
    ("cease", {"alpha": np.nan}, ValueError, "alpha must be a finite number"),
    ("cease", {"alpha": "much"}, TypeError, "alpha must be a finite number"),
    ("cease", {"alfa": 1.0}, TypeError, "did you mean 'alpha'"),
    ("giant", {"alpha": 1.0}, TypeError, "giant has no option 'alpha'"),
])  # fmt: skip
def test_options_that_make_no_sense_are_refused(solver, options, error, words):
    f = problem_of("logistic").objective(chunks=150)
    with pytest.raises(error, match=words):
        run(solver, f, Ridge(9.0), **options)
    assert f.passes == 0


@pytest.mark.parametrize("solver, g, words", [
    ("averaging", L1(3.0), "zeros in different places, and a mean keeps none; use csl"),
    ("averaging_newton", ElasticNet(3.0, 0.5), "zeros in different places"),
    ("giant", L1(3.0), "no derivative at 0"),
    *[(solver.__name__, Box(), "needs λ₁‖β‖₁ .* of another form") for solver in MEANS + ITERATED],
])  # fmt: skip
def test_penalties_for_which_they_are_not_defined_are_refused_in_words(solver, g, words):
    f = problem_of("logistic").objective(chunks=150)
    with pytest.raises(ValueError, match=words):
        run(solver, f, g)
    assert f.passes == f.extra_passes == 0


# --- the problem of a chunk ------------------------------------------------------------------------------------------


def surrogate(problem, beta, grad, pull, total=None):
    rows, family = Rows(problem.X, problem.y, problem.w, problem.o), problem.objective().family
    total = weight_of(problem) if total is None else total
    return surrogate_minimiser(rows, family, kernels.loss_grad_hess, problem.g, total, beta, grad, pull)


def weight_of(problem):
    return float(len(problem.y) if problem.w is None else problem.w.sum())


@every_family
@every_penalty
@pytest.mark.parametrize("pull", [0.0, 30.0])
def test_a_chunk_finds_the_minimiser_of_its_surrogate(family, penalty, pull):
    """c∇f_k(b) + ∇f(β) − c∇f_k(β) + pull (b − β) is in −∂g(b), with c the weight of all rows over that of the chunk."""
    problem = random_problem(family, penalty, seed=7, weighted=True, shifted=True)
    rng = np.random.default_rng(8)
    beta, pull, times = rng.normal(size=4) / 4, pull * rng.uniform(1, 2, 4), 6.0
    own = times * problem.grad(beta).astype(float)
    grad = own + rng.normal(size=4) * np.sqrt(np.diag(times * problem.hess(beta).astype(float)))
    found = surrogate(problem, beta, grad, pull, times * weight_of(problem))
    slope = times * problem.grad(found.beta).astype(float) + grad - own + pull * (found.beta - beta)
    size = np.abs(own) + np.abs(grad) + times * np.diag(problem.hess(beta).astype(float))
    assert np.all(problem.g.distance(found.beta, slope) <= 1e-5 * size)
    assert found.weight == weight_of(problem) and 1 <= found.passes <= 9
    assert (found.passes == 1) == (family == "gaussian"), "least squares are their own model"


def test_a_chunk_without_a_minimiser_says_so():
    """Fewer rows than columns, or labels of one class: the tilt goes on for ever where no row objects."""
    few = random_problem("gaussian", Zero(), seed=9, n=3)
    grad = few.grad(np.zeros(4)).astype(float)
    assert surrogate(few, np.zeros(4), grad, np.zeros(4)).beta is not None, "without a tilt there are many"
    assert surrogate(few, np.zeros(4), grad + 1.0, np.zeros(4)).beta is None
    assert surrogate(few, np.zeros(4), grad + 1.0, np.ones(4)).beta is not None, "the pull gives it one"
    one = random_problem("logistic", Zero(), seed=9)._replace(y=np.ones(80))
    found = surrogate(one, np.zeros(4), one.grad(np.zeros(4)).astype(float) + 300.0, np.zeros(4))
    assert found.beta is None and found.passes <= 80
    assert surrogate(one._replace(w=np.zeros(80)), np.zeros(4), np.ones(4), np.zeros(4), 1.0) == (None, 0.0, 0)


# --- theorems --------------------------------------------------------------------------------------------------------


@every_family
@every_penalty
def test_one_chunk_is_the_whole_problem(family, penalty):
    """CSL, CEASE with α = 0 and averaging are then the minimiser, GIANT is Newton's method."""
    problem = problem_of(family, penalty, n=300, weighted=True, shifted=True, intercept=True)
    best = optimum(problem).astype(float)
    for solver, options in ((csl, {}), (cease, {"alpha": 0.0}), (averaging, {})):
        if alike(solver, penalty):
            second = states(solver, problem, 2, chunks=300, **options)[1]
            np.testing.assert_allclose(second.beta, best, rtol=1e-5, atol=1e-6)
    if penalty.smooth:
        pairs = zip(states(giant, problem, 5, chunks=300), states(newton, problem, 5, chunks=300), strict=True)
        for ours, theirs in pairs:
            np.testing.assert_allclose(ours.beta, theirs.beta, rtol=1e-8, atol=1e-11)
            assert ours.step == theirs.step


@every_family
def test_chunks_that_are_copies_agree_at_once(family):
    problem = problem_of(family, n=300)
    copies = problem._replace(X=np.tile(problem.X, (4, 1)), y=np.tile(problem.y, 4))
    best = optimum(copies).astype(float)
    for solver, options in ((csl, {}), (csl, {"chunk": 3}), (cease, {"alpha": 0.0}), (averaging, {})):
        second = states(solver, copies, 2, chunks=300, **options)[1]
        np.testing.assert_allclose(second.beta, best, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("arranged", [lambda problem: problem, by_label], ids=["mixed", "sorted"])
@pytest.mark.parametrize("chunks", [1500, 150, 30, (1, 1400, 99)])
def test_one_newton_step_after_the_mean_is_exact_for_least_squares(chunks, arranged):
    problem = arranged(problem_of("gaussian", Ridge(2.0), intercept=True, weighted=True))
    last = states(averaging_newton, problem, 9, chunks=chunks)
    assert len(last) == 3
    np.testing.assert_allclose(last[-1].beta, optimum(problem).astype(float), rtol=1e-10, atol=1e-11)


@every_family
def test_the_step_squares_the_error_of_the_mean_and_the_mean_is_better_than_a_chunk(family):
    problem = problem_of(family, n=4800)
    best, f = optimum(problem).astype(float), problem.objective(chunks=300)
    alone = [(f.family, problem.g, f.n, False, f.kernels)] * 16
    each = np.mean([np.linalg.norm(own.beta - best) for own in f.map(start.own_minimiser, alone)])
    mean, step = (np.linalg.norm(state.beta - best) for state in states(averaging_newton, problem, 3, chunks=300)[1:])
    assert mean < each / 2 and step <= max(3 * mean**2, 1e-11)


@pytest.mark.parametrize("penalty", [Zero(), L1(400.0), Ridge(300.0), ElasticNet(400.0, 0.5)], ids=repr)
@pytest.mark.parametrize("chunk", [0, 7])
def test_csl_contracts_by_epsilon_in_the_metric_of_its_chunk(penalty, chunk):
    """‖β⁺ − β*‖_Ĥ ≤ ‖I − Ĥ^(−½) ∇²f Ĥ^(−½)‖ ‖β − β*‖_Ĥ for every convex g: the prox in that metric is nonexpansive."""
    problem = problem_of("gaussian", penalty)
    best, H = optimum(problem).astype(float), problem.hess(np.zeros(4)).astype(float)
    own = own_hessians(problem._replace(penalty=Zero()), np.zeros(4), 150)[chunk]
    values, vectors = np.linalg.eigh(own)
    root = vectors / np.sqrt(values)
    epsilon = np.abs(np.linalg.eigvalsh(np.eye(4) - root.T @ H @ root)).max()
    errors = [np.sqrt((s.beta - best) @ own @ (s.beta - best)) for s in states(csl, problem, 8, chunk=chunk)]
    assert 0.05 < epsilon < 0.6
    for before, after in zip(errors, errors[1:], strict=False):
        assert after <= epsilon * before * (1 + 1e-9) + 1e-10 * errors[0]
    assert errors[-1] < 1e-2 * errors[0]


@pytest.mark.parametrize("family", FAMILIES[1:])
def test_the_error_of_csl_falls_geometrically_near_the_optimum(family):
    """By the ε of the Hessians there, which is smaller the more rows the chunk has: about √(p/n_k)."""
    problem = problem_of(family, Ridge(20.0), n=6000)
    best = optimum(problem).astype(float)
    H, falls = problem.hess(best).astype(float) + 20 * np.eye(4), []
    for length in (150, 2400):
        own = own_hessians(problem, best, length)[0]
        radius = np.abs(np.linalg.eigvals(np.eye(4) - np.linalg.solve(own, H))).max()
        made = states(csl, problem, 5, chunks=length, start=best + 0.01)
        errors = [np.sqrt((s.beta - best) @ own @ (s.beta - best)) for s in made]
        falls.append((errors[-1] / errors[0]) ** (1 / 4))
        assert falls[-1] <= 1.2 * radius + 0.02
    assert falls[1] < falls[0] < 0.8


@pytest.mark.parametrize("alpha", [0.0, 0.2, 3.0])
def test_cease_multiplies_the_error_by_the_matrix_of_its_docstring(alpha):
    problem = problem_of("gaussian", Ridge(2.0))
    best, H = optimum(problem).astype(float), problem.hess(np.zeros(4)).astype(float)
    A, F2 = alpha * np.diag(np.diag(H)), H + 2 * np.eye(4)
    M = np.eye(4) - np.mean([np.linalg.solve(own + A, F2) for own in own_hessians(problem, np.zeros(4), 150)], axis=0)
    made = states(cease, problem, 4, alpha=alpha)
    for before, after in zip(made, made[1:], strict=False):
        np.testing.assert_allclose(after.beta - best, M @ (before.beta - best), rtol=1e-8, atol=1e-13)
    assert np.linalg.norm(M, 2) < (0.2 if alpha < 1 else 0.9)


def test_errors_of_the_chunks_hessians_cancel_in_the_mean_of_cease():
    """So it needs far fewer rounds than CSL, whose one chunk errs by √K as much."""
    problem = problem_of("logistic", n=3000)
    best = optimum(problem).astype(float)
    ours, theirs = (np.linalg.norm(states(solver, problem, 4, chunks=100)[-1].beta - best) for solver in (cease, csl))
    assert ours < theirs / 20


def test_giant_is_cease_without_a_pull_for_least_squares():
    problem = problem_of("gaussian", Ridge(2.0), intercept=True, weighted=True)
    for ours, theirs in zip(states(giant, problem, 5), states(cease, problem, 5, alpha=0.0), strict=True):
        np.testing.assert_allclose(ours.beta, theirs.beta, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(ours.betas, theirs.betas, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("family", FAMILIES[1:])
def test_giant_is_linear_quadratic_near_the_optimum(family):
    """‖β⁺ − β*‖ ≤ c₁ ‖β − β*‖ + c₂ ‖β − β*‖², c₁ the ‖I − mean (∇²F_k)⁻¹ ∇²F‖ of the Hessians there."""
    problem = problem_of(family)
    best = optimum(problem).astype(float)
    H, own = problem.hess(best).astype(float) + 9 * np.eye(4), own_hessians(problem, best, 150)
    linear = np.linalg.norm(np.eye(4) - np.mean([np.linalg.solve(part, H) for part in own], axis=0), 2)
    errors = [np.linalg.norm(state.beta - best) for state in states(giant, problem, 5, start=best + 0.05)]
    assert linear < 0.2 and errors[-1] < 1e-3 * errors[0]
    for before, after in zip(errors, errors[1:], strict=False):
        assert after <= 1.05 * linear * before + 3 * before**2 + 1e-10


@each_iterated
@every_family
@pytest.mark.parametrize("penalty", [Zero(), L1(25.0)], ids=repr)
def test_the_optimum_is_a_fixed_point(solver, family, penalty):
    if alike(solver, penalty):
        problem = problem_of(family, penalty, weighted=True, shifted=True)
        best = optimum(problem).astype(float)
        for state in states(solver, problem, 3, start=best):
            np.testing.assert_allclose(state.beta, best, rtol=1e-7, atol=1e-8)
            assert np.array_equal(state.beta == 0, best == 0)


@every_family
@every_penalty
def test_the_certified_optimum_is_that_of_the_other_solvers(family, penalty):
    problem = problem_of(family, penalty, n=6000, weighted=True, shifted=True, intercept=True)
    theirs = problem.fit(solver="proximal_newton", tol=1e-10)
    for solver in ITERATED:
        if alike(solver, penalty):
            ours = run(solver, problem.objective(chunks=600), penalty, tol=1e-9)
            assert ours.converged, ours.status
            gap = ours.objective - theirs.objective
            assert -theirs.certificate.bound <= gap <= ours.certificate.bound
            assert np.array_equal(ours.beta == 0, theirs.beta == 0)


@pytest.mark.parametrize("lazy", [False, True])
def test_sparse_rows_weigh_as_dense_ones(lazy):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(900, 5)) * (rng.random((900, 5)) < 0.5)
    y = draw("logistic", X.sum(axis=1) / 2, rng)
    thin = sparse.csr_array(X)
    for solver in MEANS + ITERATED:
        ours, theirs = (Objective("logistic", as_chunks(given, y, chunks=300, intercept=True), "numpy")
                        for given in (thin, da.from_array(X, chunks=(300, 5)) if lazy else X))  # fmt: skip
        g = FreeIntercept(Ridge(1.0))
        for a, b in zip(*(islice(solver(f, g, np.zeros(6)), 4) for f in (ours, theirs)), strict=True):
            np.testing.assert_allclose(a.beta, b.beta, rtol=1e-8, atol=1e-10)


# --- which chunks ----------------------------------------------------------------------------------------------------


@each_of_all
@every_family
def test_the_order_of_the_chunks_changes_nothing_but_the_chunk_that_csl_asks(solver, family):
    problem = problem_of(family, intercept=True)
    blocks = np.random.default_rng(6).permutation(10)
    other = rearranged(problem, (150 * blocks[:, None] + np.arange(150)).ravel())
    options = {"chunk": int(np.flatnonzero(blocks == 0)[0])} if solver is csl else {}
    for ours, theirs in zip(states(solver, problem, 4), states(solver, other, 4, **options), strict=True):
        np.testing.assert_allclose(ours.beta, theirs.beta, rtol=1e-7, atol=1e-9)
    if solver is csl:
        assert np.abs(states(csl, problem, 2)[1].beta - states(csl, other, 2)[1].beta).max() > 1e-4


@pytest.mark.parametrize("solver", [averaging_newton, cease, giant], ids=lambda solver: solver.__name__)
def test_a_chunk_of_weight_zero_is_not_heard(solver):
    problem = problem_of("poisson", n=900)._replace(w=np.repeat([1.0, 0.0, 2.0], 300))
    kept = rearranged(problem, np.r_[0:300, 600:900])
    options = {"alpha": 0.1} if solver is cease else {}
    for ours, theirs in zip(*(states(solver, p, 4, chunks=300, **options) for p in (problem, kept)), strict=True):
        np.testing.assert_allclose(ours.beta, theirs.beta, rtol=1e-7, atol=1e-9)
    assert len(states(csl, problem, 4, chunks=300, chunk=1)) == 1, "it has nothing to say"


@each_of_all
def test_an_integer_weight_is_a_repeated_row(solver):
    times = np.repeat([1, 2, 3], 300)
    problem = problem_of("poisson", n=900)._replace(w=times.astype(float))
    again = rearranged(problem._replace(w=None), np.repeat(np.arange(900), times))
    options = {"alpha": 0.1} if solver is cease else {}
    pairs = zip(states(solver, problem, 4, chunks=300, **options),
                states(solver, again, 4, chunks=(300, 600, 900), **options), strict=True)  # fmt: skip
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours.beta, theirs.beta, rtol=1e-7, atol=1e-9)


# --- where they break ------------------------------------------------------------------------------------------------


def test_rows_sorted_by_label_break_the_mean_csl_and_cease_but_not_giant():
    """A chunk of one range of y knows neither the slope nor the curvature of all rows."""
    problem = by_label(problem_of("gamma", Ridge(2.0), intercept=True))
    lowest, null = float(problem.value(optimum(problem))), float(problem.null()[1])
    mean = states(averaging, problem, 2)[1].beta
    assert problem.value(mean) - lowest > 0.5 * (null - lowest)
    f = problem.objective(chunks=150)
    for solver in ("csl", "cease"):
        with pytest.warns(UserWarning, match="Not converged"):
            assert run(solver, f, Ridge(2.0), max_iter=30).certificate.relative > 1e-3
    heights = [state.objective for state in states(giant, problem, 200)]
    assert np.all(np.diff(heights) <= 1e-12 * abs(lowest)) and heights[-1] - lowest <= 1e-6 * (null - lowest)


def test_least_squares_sorted_by_label_diverge_in_csl_and_cease_as_their_radius_says():
    problem = by_label(problem_of("gaussian", Ridge(2.0)))
    problem = problem._replace(X=problem.X + problem.y[:, None])  # a chunk's rows lie far from those of another
    H = problem.hess(np.zeros(4)).astype(float) + 2 * np.eye(4)
    own = own_hessians(problem, np.zeros(4), 150)
    of_csl, of_cease = np.linalg.solve(own[4], H), np.mean([np.linalg.solve(part, H) for part in own], axis=0)
    assert min(np.abs(np.linalg.eigvals(np.eye(4) - M)).max() for M in (of_csl, of_cease)) > 1.5
    for solver, options in ((csl, {"chunk": 4}), (cease, {"alpha": 0.0})):
        heights = [state.objective for state in states(solver, problem, 25, **options)]
        assert heights[-1] > 10 * heights[0]
    calm = [state.objective for state in states(cease, problem, 25, alpha=50.0)]
    assert np.all(np.diff(calm) <= 0), "a large α leads nowhere astray"


def test_few_rows_a_chunk_end_csl_and_slow_the_others():
    """Two rows for four coefficients and no penalty: a surrogate has no minimiser, unless a pull gives it one."""
    problem = problem_of("gaussian", Zero(), n=600)
    lowest, null = (float(problem.value(beta)) for beta in (optimum(problem), np.zeros(4)))
    assert len(states(csl, problem, 5, chunks=2)) == len(states(cease, problem, 5, chunks=2, alpha=0.0)) == 1
    with pytest.warns(UserWarning, match="the solver took no further step"):
        run("csl", problem.objective(chunks=2), Zero())
    pulled, enough = (states(cease, problem, 6, chunks=length)[-1].objective - lowest for length in (2, 150))
    assert 1e4 * enough < pulled < 1e-3 * (null - lowest)
    mean, more = (problem.value(states(averaging, problem, 2, chunks=length)[1].beta) - lowest for length in (2, 150))
    assert more < 1e-2 * mean
    np.testing.assert_allclose(states(averaging_newton, problem, 3, chunks=2)[-1].beta, optimum(problem).astype(float),
                               rtol=1e-9, atol=1e-10)  # fmt: skip


def test_l1_breaks_the_mean():
    """Chunks have their zeros in different places: their mean has nearly none, one step with L1 finds them all."""
    problem = problem_of("logistic", L1(60.0), n=3000, seed=11)
    zeros = optimum(problem) == 0
    f = problem.objective(chunks=60)
    alone = [(f.family, problem.g, f.n, False, f.kernels)] * f.n_chunks
    each = [own.beta == 0 for own in f.map(start.own_minimiser, alone)]
    assert zeros.any() and (np.mean(each, axis=0) > 0.1).sum() > zeros.sum(), "other places for other chunks"
    assert not (start.average(f, problem.g) == 0).any()
    assert np.array_equal(states(cease, problem, 6, chunks=60)[-1].beta == 0, zeros)


# --- counts ----------------------------------------------------------------------------------------------------------


@each_of_all
@every_family
@pytest.mark.parametrize("chunks", [150, (700, 100, 700)])
def test_passes_are_the_reads_of_rows_that_tasks_make(monkeypatch, solver, family, chunks):
    """Every kernel goes through its rows by `blocks`, also one that a task calls a second time."""
    reads, walk = [], kernels.blocks

    def watched(rows, *args):
        reads.append(len(rows.y) if rows.X.shape[1] else 0)  # what has no columns is y alone
        return walk(rows, *args)

    monkeypatch.setattr(kernels, "blocks", watched)
    problem = problem_of(family)
    f = Objective(family, as_chunks(*problem.data, chunks=chunks, threads=1), "numpy")
    made = list(islice(solver(f, problem.g, np.zeros(4)), 4))
    assert sum(reads) / f.n == pytest.approx(f.passes + f.extra_passes, abs=1e-9)
    assert len(made) >= 2 and f.extra_passes <= 1, "only the first look is not the solver's"


def lazy_rows(problem, chunks):
    """X on dask, made in every pass, and a list to which every making of a chunk adds its number of rows."""
    made = []

    def part(block):
        made.append(len(block))
        return problem.X[block]

    numbers = da.from_array(np.arange(len(problem.y)), chunks=chunks)
    X = numbers.map_blocks(part, dtype=float, new_axis=1, chunks=(chunks, (4,)), meta=np.empty((0, 0)))
    return X, made


# a state after the first costs so many rounds; how many of them read all chunks is one number more
ROUNDS = {averaging: (1, 1), averaging_newton: (1, 1), csl: (2, 1), cease: (2, 2), giant: (3, 3)}


@each_of_all
def test_rounds_are_the_graphs_that_dask_computes_and_each_reads_the_chunks_it_needs(solver):
    problem, lengths = problem_of("logistic"), (300, 500, 700)
    X, made = lazy_rows(problem, lengths)
    y = da.from_array(problem.y, chunks=lengths)
    f, computed = Objective("logistic", as_chunks(X, y)), []
    with dask.config.set(scheduler="sync"), Callback(start=lambda graph: computed.append(1)):
        f.look(np.zeros(4))
        before = None
        for state in solver(f, problem.g, np.zeros(4)):
            now = len(computed), sum(made)
            if before is not None:
                rounds, whole = ROUNDS[solver]
                small = 300 * (rounds - whole)
                assert (now[0] - before[0], now[1] - before[1]) == (rounds, 1500 * whole + small)
            before = now
            assert np.isfinite(state.beta).all() and len(computed) == f.rounds + f.extra_rounds
            if len(computed) > 12:
                break


def test_least_squares_cost_a_pass_and_a_chunk_an_iteration_of_csl_and_two_passes_of_cease():
    problem = problem_of("gaussian")
    for solver, passes, rounds in ((csl, 1.1, 2), (cease, 2.0, 2), (giant, 3.0, 3)):
        f = problem.objective(chunks=150)
        before = None
        for _ in islice(solver(f, problem.g, np.zeros(4)), 3):
            if before:
                assert f.passes - before[0] == pytest.approx(passes) and f.rounds - before[1] == rounds
            before = f.passes, f.rounds


def test_a_run_says_what_they_cost_and_that_a_mean_is_not_the_answer():
    problem = problem_of("logistic", n=6000)
    with pytest.warns(UserWarning, match="averaging: Not converged after 1 iteration"):
        mean = run("averaging", problem.objective(chunks=600), problem.penalty)
    assert mean.rounds == 1 and mean.passes > 3 and mean.certificate.relative > 1e-8
    least_squares = problem_of("gaussian", n=6000)
    stepped = run("averaging_newton", least_squares.objective(chunks=600), problem.penalty)
    assert stepped.converged and stepped.rounds == 2 and stepped.trace.rounds.tolist() == [0, 1, 2]
    best = fit(*least_squares.data, family="gaussian", penalty=problem.penalty, tol=1e-12).objective
    assert stepped.objective - best <= stepped.certificate.bound
