"""Asynchronous solvers: the optimum in whatever order answers come, the inequality for steps, and no traces left."""

import gc
import os
import signal
import threading
from itertools import islice

import dask
import dask.array as da
import numpy as np
import pytest
from breakage import ROWS, P, at_random, keys_left, kill_one, local_cluster, recomputable, sockets_collected  # noqa: F401
from distributed import Client, LocalCluster
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import random_problem

from glmlab import L1, ClusterError, ElasticNet, NotConverged, Objective, Ridge, Zero, as_chunks, fit, run
from glmlab.rows.arrivals import Simulated
from glmlab.solvers import SOLVERS, admm, method_of
from glmlab.solvers.asynchronous import async_admm, gradients, lipschitz, next_step, piag, vote
from tools.soak import left_behind

FAMILIES = ["gaussian", "logistic", "poisson", "gamma"]
BOUNDED = ["gaussian", "logistic"]  # whose ℓ″ has a bound
UNEVEN = (20, 25, 15, 20)
every_family = pytest.mark.parametrize("family", FAMILIES)
RULES = ["adaptive", "spread", "fixed"]


def random_clock(seed, chunks=4, spread=1.0):
    """A clock on which every task of every chunk takes another time, and some chunks are slow throughout."""
    rng = np.random.default_rng(seed)
    own = np.exp(rng.uniform(-spread, spread, chunks))
    return Simulated(lambda k: own[k] * np.exp(rng.normal() / 2))


def optimum(problem):
    return problem.fit(solver="proximal_newton", tol=1e-12)


def is_optimal(result, problem):
    """Certified to 1e-6, and as low as another solver's answer."""
    best = optimum(problem)
    gap = result.objective - best.objective
    assert result.converged and result.certificate.relative <= 1e-6
    assert gap <= result.certificate.bound + best.certificate.bound
    assert gap >= -best.certificate.bound


@pytest.mark.parametrize("solver", [async_admm, piag])
@pytest.mark.parametrize("family", BOUNDED)
def test_columns_whose_squares_overflow_end_in_a_status(family, solver):
    """A chunk's curvature is infinite, and LAPACK finds no eigenvalues of it."""
    problem = random_problem(family, Zero(), seed=15)
    f = problem._replace(X=1e200 * problem.X).objective(chunks=UNEVEN)
    with pytest.warns(NotConverged, match="overflow: give it another unit"):
        result = run(solver, f, max_iter=20, crew=random_clock(0))
    assert np.isfinite(result.beta).all()


# --- the optimum, whoever is late -----------------------------------------------------------------------------------


@every_family
@pytest.mark.parametrize("penalty", [Zero(), L1(3.0), Ridge(2.0), ElasticNet(4.0, 0.5)], ids=repr)
def test_admm_finds_the_optimum_of_every_family_and_penalty(family, penalty):
    problem = random_problem(family, penalty, seed=3, weighted=True, shifted=True, intercept=True)
    f = problem.objective(chunks=UNEVEN)
    is_optimal(run(async_admm, f, penalty, tol=1e-6, crew=random_clock(0)), problem)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**20), family=st.sampled_from(FAMILIES), barrier=st.integers(1, 5), spread=st.floats(0.0, 1.5),
    staleness=st.none() | st.integers(1, 30), rho=st.sampled_from(["diagonal", "curvature"]),
)  # fmt: skip
def test_no_order_of_arrivals_moves_the_optimum_of_admm(seed, family, barrier, spread, staleness, rho):
    problem = random_problem(family, L1(2.0), seed=seed)
    options = {"rho": rho, "barrier": barrier, "staleness": staleness, "crew": random_clock(seed, spread=spread)}
    is_optimal(run("async_admm", problem.objective(chunks=UNEVEN), L1(2.0), tol=1e-6, **options), problem)


@settings(max_examples=8, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**20), family=st.sampled_from(BOUNDED), rule=st.sampled_from(RULES))
def test_no_order_of_arrivals_moves_the_optimum_of_piag(seed, family, rule):
    problem = random_problem(family, ElasticNet(4.0, 0.5), seed=seed)
    result = run("piag", problem.objective(chunks=UNEVEN), problem.penalty, tol=1e-6, step=rule,
                 crew=random_clock(seed, spread=0.5))  # fmt: skip
    is_optimal(result, problem)


@pytest.mark.parametrize("solver", ["async_admm", "piag"])
def test_threads_find_the_optimum_too(solver):
    problem = random_problem("logistic", Ridge(2.0), seed=5, intercept=True)
    rows = as_chunks(*problem.data, intercept=True, chunks=UNEVEN, threads=3)
    is_optimal(run(solver, Objective("logistic", rows), Ridge(2.0), tol=1e-6), problem)
    is_optimal(problem.fit(solver=solver, tol=1e-6), problem)


def test_a_chunk_that_answers_often_counts_once():
    """The z of every update is that of the chunks' last votes, one each, however many votes a chunk has cast."""
    problem = random_problem("logistic", Zero(), seed=1)
    crew, seen = Spy([1.0, 1.0, 1.0, 30.0]), []
    f = problem.objective(chunks=UNEVEN)
    for state in islice(async_admm(f, Zero(), np.zeros(4), relaxation=1.0, crew=crew), 4):
        seen.append(state)
    assert seen[-1].votes[0] > 10 * seen[-1].votes[3]
    votes = {}
    for event, k, args, answer in crew.events:
        if len(args) == 2:
            continue  # the chunk is asked for F
        if event == "sent":
            _, _, z, _, _, _, u = args
            assert k not in votes or votes[k] == pytest.approx(z + u, abs=1e-12)
            votes[k] = z + u
            if len(votes) == 4:
                assert z == pytest.approx(np.mean(list(votes.values()), axis=0), abs=1e-12)
        else:  # β_k − z + (z + u) = β_k + u
            votes[k] = answer.beta + args[6]


class Spy(Simulated):
    """A clock that keeps what was sent and answered, in order: (event, k, arguments, answer)."""

    def __enter__(self):
        self.events, self.away = [], {}
        super().__enter__()

    def send(self, k, kernel, shared):
        self.events.append(("sent", k, shared, None))
        self.away[k] = shared
        super().send(k, kernel, shared)

    def next(self):
        k, answer = super().next()
        self.events.append(("heard", k, self.away.pop(k), answer))
        return k, answer


# --- waiting for all is the synchronous method ----------------------------------------------------------------------


@pytest.mark.parametrize("waiting", [{"barrier": 4}, {"barrier": 9}, {"staleness": 1}])
def test_admm_that_waits_for_all_is_consensus_admm(waiting):
    problem = random_problem("logistic", L1(2.0), seed=2)
    sync = islice(admm.consensus_admm(problem.objective(chunks=UNEVEN), L1(2.0), np.zeros(4), relaxation=1.2), 9)
    made = async_admm(problem.objective(chunks=UNEVEN), L1(2.0), np.zeros(4), crew=random_clock(1), **waiting)
    for one, other in zip(sync, made, strict=False):
        assert np.allclose(one.beta, other.beta, rtol=1e-9, atol=1e-12)
        assert one.objective == pytest.approx(other.objective, rel=1e-12)
        assert np.all(other.ages <= 1)


def test_no_answer_is_older_than_the_bound():
    problem = random_problem("logistic", Zero(), seed=2)
    crew = Simulated([1.0, 1.0, 1.0, 100.0])
    made = list(islice(async_admm(problem.objective(chunks=UNEVEN), Zero(), np.zeros(4), staleness=8, crew=crew), 5))
    free = list(islice(async_admm(problem.objective(chunks=UNEVEN), Zero(), np.zeros(4), crew=crew), 5))
    assert max(state.ages.max(initial=0) for state in made) <= 2 * 8  # the oldest vote: its way there and back
    assert max(state.ages.max(initial=0) for state in free) > 100


def test_z_waits_for_as_many_answers_as_the_barrier_says():
    problem = random_problem("logistic", Zero(), seed=2)
    made = async_admm(problem.objective(chunks=UNEVEN), Zero(), np.zeros(4), barrier=3, crew=random_clock(4))
    last = list(islice(made, 6))[-1]
    assert 3 * (last.updates - 1) <= last.votes.sum() <= 4 * (last.updates - 1)


# --- steps ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["adaptive", "spread"])
@pytest.mark.parametrize("seed", range(3))
def test_steps_within_each_measured_delay_sum_up_to_less_than_1_over_l(rule, seed):
    problem = random_problem("logistic", Zero(), seed=seed)
    crew = Spy(random_clock(seed).seconds)
    made = list(islice(piag(problem.objective(chunks=UNEVEN), Zero(), np.zeros(4), step=rule, crew=crew), 8))
    delays, steps = (np.concatenate([getattr(state, name) for state in made]) for name in ("delays", "steps"))
    assert len(steps) == made[-1].updates == len(delays)
    assert delays.tolist() == delays_heard(crew, 4)[: len(delays)]
    for k, tau in enumerate(delays.astype(int)):
        assert steps[k - tau : k + 1].sum() <= 1 / made[-1].lipschitz
    assert np.any(steps > 0.05 / made[-1].lipschitz)


def delays_heard(crew, chunks):
    """The delay at each update, counted from what a clock has seen: one answer an update."""
    index, sent, heard_of, found = 0, [0] * chunks, [0] * chunks, [0]
    for event, k, _, _ in crew.events:
        if event == "heard":
            heard_of[k], index = sent[k], index + 1
            found.append(index - min(heard_of))
        else:
            sent[k] = index + 1
    return found


def test_the_rules_by_hand():
    L = 0.99
    assert next_step("adaptive", L, 0, 0, []) == pytest.approx(0.9)
    assert next_step("adaptive", L, 1, 1, [0.9]) == pytest.approx(0.09)
    assert next_step("adaptive", L, 1, 2, [0.9, 0.0]) == pytest.approx(0.9)  # the long step has left the window
    assert next_step("adaptive", L, 2, 2, [0.9, 0.2]) == 0.0
    assert next_step("spread", L, 3, 3, [0.1, 0.1, 0.1]) == pytest.approx(0.25)
    assert next_step("spread", L, 1, 3, [0.9]) == 0.0
    assert next_step("fixed", L, 0, 4, []) == pytest.approx(1 / 4.5)
    assert next_step(7, L, 3, 3, [1.0]) == 7.0


@pytest.mark.parametrize("family", BOUNDED)
def test_l_bounds_the_curvature_of_any_sum_of_chunks(family):
    """L = √(K Σ L_k²) ≥ Σ L_k ≥ λ_max(∇²f) at every β."""
    problem = random_problem(family, Zero(), seed=4, weighted=True, intercept=True)
    f = problem.objective(chunks=UNEVEN)
    L = lipschitz(f)
    for beta in (np.zeros(5), np.ones(5), np.full(5, -3.0)):
        assert np.linalg.eigvalsh(f.loss_grad_hess(beta).hess)[-1] <= L * (1 + 1e-12)
    alone = problem.objective(chunks=(80,))
    assert lipschitz(alone) == pytest.approx(problem_curvature(problem), rel=1e-9)


def problem_curvature(problem):
    """The largest ℓ″ times λ_max(XᵀWX), from the plain rows."""
    X = problem.columns.astype(float)
    w = np.ones(len(X)) if problem.w is None else problem.w
    return {"gaussian": 2.0, "logistic": 0.25}[problem.family] * np.linalg.eigvalsh(X.T @ (w[:, None] * X))[-1]


def test_gradient_steps_of_1_over_l_diverge_without_waiting_and_the_rules_do_not():
    """Eight chunks, all as fast: the synchronous method with this step converges, PIAG with it does not."""
    problem = random_problem("gaussian", Zero(), seed=0, n=160)
    f = problem.objective(chunks=(20,) * 8)
    step = 1 / np.linalg.eigvalsh(f.loss_grad_hess(np.zeros(4)).hess)[-1]
    assert run("proximal_gradient", f, tol=1e-6, step=step).converged
    start = f.loss(np.zeros(4))

    def last_of(step):
        f, crew = problem.objective(chunks=(20,) * 8), Simulated([1.0 + k / 100 for k in range(8)])
        return list(islice(piag(f, Zero(), np.zeros(4), step=step, crew=crew), 5))[-1]

    assert last_of(step).objective > 1e3 * start
    assert last_of(step / 8).objective < start  # 1/(KL)
    assert all(last_of(rule).objective < start for rule in RULES)


@pytest.mark.parametrize("family", ["poisson", "gamma"])
def test_piag_refuses_a_loss_of_unbounded_curvature_unless_it_is_given_a_step(family):
    problem = random_problem(family, Ridge(1.0), seed=0)
    with pytest.raises(ValueError, match="needs a bound on the curvature .* use async_admm"):
        run("piag", problem.objective(chunks=UNEVEN), Ridge(1.0))
    f = problem.objective(chunks=UNEVEN)
    step = 0.05 / np.linalg.eigvalsh(f.loss_grad_hess(np.zeros(4)).hess)[-1]
    is_optimal(run("piag", f, Ridge(1.0), tol=1e-6, step=step, crew=random_clock(0, spread=0.3)), problem)


@pytest.mark.parametrize(("solver", "options", "error"), [
    ("async_admm", {"rho": "balance"}, "rho"), ("async_admm", {"rho": 0}, "rho"),
    ("async_admm", {"relaxation": 2.0}, "relaxation"), ("async_admm", {"barrier": 0}, "barrier"),
    ("async_admm", {"staleness": 0}, "staleness"), ("piag", {"step": "sum"}, "step"), ("piag", {"step": -1.0}, "step"),
    ("piag", {"barrier": 1.5}, "barrier"),
])  # fmt: skip
def test_options_that_make_no_sense_are_refused_by_name(solver, options, error):
    problem = random_problem("logistic", Ridge(1.0), seed=0)
    with pytest.raises((ValueError, TypeError), match=error):
        run(solver, problem.objective(), Ridge(1.0), **options)


# --- states and the ledger ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", [async_admm, piag])
def test_every_field_belongs_to_the_beta_that_is_yielded(solver):
    problem = random_problem("logistic", L1(2.0), seed=6)
    plain = problem.objective(chunks=UNEVEN)
    for state in islice(solver(problem.objective(chunks=UNEVEN), L1(2.0), np.zeros(4), crew=random_clock(2)), 7):
        loss, grad = plain.loss_grad(state.beta)
        assert state.objective == pytest.approx(loss + L1(2.0).value(state.beta), rel=1e-13)
        assert state.residual == pytest.approx(plain.residual(state.beta, grad, L1(2.0)), rel=1e-6, abs=1e-12)
        for array in (value for value in state if isinstance(value, np.ndarray)):
            assert not array.flags.writeable


@pytest.mark.parametrize("solver", ["async_admm", "piag"])
def test_passes_agree_with_a_count_of_reads(solver, monkeypatch):
    """Counted outside: every call of a kernel that reads rows, by the rows that it got."""
    problem, read = random_problem("logistic", Ridge(2.0), seed=6), []
    f = problem.objective(chunks=UNEVEN)

    def counted(name):
        kernel = type(f).kernel(f, name)

        def count(rows, *args):
            read.append(len(rows.y))
            return kernel(rows, *args)

        return count

    f.look(np.zeros(4))
    assert f.null.loss > 0  # made now: it reads no columns, and is no pass
    monkeypatch.setattr(f, "kernel", counted)
    crew = random_clock(3)
    states = list(islice(SOLVERS_TOO[solver](f, Ridge(2.0), np.zeros(4), crew=crew), 6))
    assert len(states) == 6 and f.passes + f.extra_passes - 1 == pytest.approx(sum(read) / f.n)


SOLVERS_TOO = {"async_admm": async_admm, "piag": piag}


def test_as_many_tasks_as_chunks_are_a_round():
    problem = random_problem("logistic", Ridge(2.0), seed=6)
    f, crew = problem.objective(chunks=UNEVEN), Spy([1.0, 2.0, 3.0, 4.0])
    made = piag(f, Ridge(2.0), np.zeros(4), crew=crew)
    next(made)
    before = f.rounds
    list(islice(made, 5))
    assert f.rounds - before == sum(event == "sent" for event, *_ in crew.events) // 4


def test_the_slowest_chunk_is_never_asked_for_a_second_gradient():
    problem, crew = random_problem("logistic", Ridge(2.0), seed=6), Spy([1.0, 1.1, 1.2, 40.05])
    list(islice(piag(problem.objective(chunks=UNEVEN), Ridge(2.0), np.zeros(4), crew=crew), 6))
    touches = [{answer.touches for event, j, _, answer in crew.events if event == "heard" and j == k} for k in range(4)]
    assert touches[3] == {1} and touches[0] == {1, 2}


def test_names_are_resolved_but_bits_are_promised_of_the_others_only():
    assert not {"async_admm", "piag"} & set(SOLVERS)
    assert method_of(async_admm).starts_from == "pilot" and method_of(piag).needs == frozenset({"prox"})
    with pytest.raises(ValueError, match="piag cannot minimise"):
        run("piag", random_problem("logistic", Zero(), seed=0).objective(), Valued())


class Valued:
    """A penalty with a value and nothing else."""

    def value(self, beta):
        return 0.0

    def distance(self, beta, grad):
        return np.abs(grad)


# --- the clock ------------------------------------------------------------------------------------------------------


def test_a_worker_with_two_chunks_does_one_after_the_other():
    f = random_problem("logistic", Zero(), seed=0).objective(chunks=(20, 20, 20, 20))
    crew = Simulated([3.0, 1.0, 1.5, 9.0], workers=["a", "a", "b", "c"])
    with f.arrivals(crew) as answers:
        for k in range(4):
            answers.send(k, size_of, note=k)
        found = []
        while len(found) < 4:
            [answer] = answers.take()
            found.append((answer.k, answer.found, answer.note, crew.now))
    assert found == [(2, 20, 2, 1.5), (0, 20, 0, 3.0), (1, 20, 1, 4.0), (3, 20, 3, 9.0)]
    assert f.passes == 1 and f.rounds == 1


def size_of(rows):
    return len(rows.y)


def test_take_waits_for_those_that_are_needed():
    f = random_problem("logistic", Zero(), seed=0).objective(chunks=(20, 20, 20, 20))
    with f.arrivals(Simulated([1.0, 2.0, 3.0, 4.0])) as answers:
        for k in range(4):
            answers.send(k, size_of)
        assert [answer.k for answer in answers.take(1, needed=[2])] == [0, 1, 2]
        assert [answer.k for answer in answers.take(9)] == [3]
        assert answers.take() == []


# --- a clean end ----------------------------------------------------------------------------------------------------


def test_run_closes_a_solver_however_it_ends():
    ends = []

    def solver(f, g, start):
        try:
            yield from SOLVERS["proximal_gradient"](f, g, start)
        finally:
            ends.append(True)

    problem = random_problem("logistic", Ridge(2.0), seed=0)
    run(solver, problem.objective(), Ridge(2.0), tol=1e-6)
    with pytest.warns(NotConverged):
        run(solver, problem.objective(), Ridge(2.0), max_iter=2)
    with pytest.raises(ZeroDivisionError) as caught:  # the error keeps the frames, and with them the solver
        run(solver, problem.objective(), Ridge(2.0), callback=lambda state: 1 / 0)
    with pytest.warns(NotConverged):
        run(solver, problem.objective(), Ridge(2.0), callback=interrupt)
    assert len(ends) == 4 and caught.value.result is not None


def interrupt(state):
    raise KeyboardInterrupt


def test_threads_end_with_the_solver():
    problem, before = random_problem("logistic", Ridge(2.0), seed=0), threading.active_count()
    made = async_admm(problem.objective(chunks=UNEVEN), Ridge(2.0), np.zeros(4))
    list(islice(made, 3))
    made.close()
    assert threading.active_count() == before


def test_an_error_of_a_task_is_raised_with_the_last_state():
    f, calls = random_problem("logistic", Ridge(2.0), seed=0).objective(chunks=UNEVEN), []
    plain = type(f).kernel

    def failing(name):
        def kernel(*args):
            calls.append(name)
            if calls.count("loss_grad_hess") > 30:
                raise ArithmeticError("no more")
            return plain(f, name)(*args)

        return kernel

    f.kernel = failing
    with pytest.raises(ArithmeticError, match="no more") as caught:
        run("async_admm", f, Ridge(2.0), start=np.zeros(4), tol=1e-12)
    assert np.isfinite(caught.value.result.objective)


NOTHING = {"tasks": 0, "queues": 0, "variables": 0, "publish": 0, "events": 0}


@pytest.mark.parametrize("solver", ["async_admm", "piag"])
def test_nothing_is_left_on_the_scheduler(client, solver):
    X, y = recomputable(pause=0.01)
    options = {"family": "logistic", "penalty": Ridge(1), "solver": solver, "kernels": "numpy"}
    assert fit(X, y, tol=1e-6, **options).converged and left_behind(client) == NOTHING
    with pytest.raises(ZeroDivisionError) as caught:
        fit(X, y, callback=lambda state: state.updates > 2 and 1 / 0, **options)
    assert left_behind(client) == NOTHING and caught.value.result.beta.shape == (P,)
    with pytest.warns(NotConverged, match="Interrupted"):
        fit(X, y, callback=lambda state: state.updates > 2 and interrupt(state), **options)
    assert left_behind(client) == NOTHING
    made = SOLVERS_TOO[solver](Objective("logistic", as_chunks(X, y)), Ridge(1), np.zeros(P))
    next(made), next(made)  # in mid-flight
    assert left_behind(client, patience=0)["tasks"] > 0
    made.close()
    assert left_behind(client) == NOTHING
    list(islice(SOLVERS_TOO[solver](Objective("logistic", as_chunks(X, y)), Ridge(1), np.zeros(P)), 3))
    gc.collect()
    assert left_behind(client) == NOTHING and not client.futures


@pytest.mark.usefixtures("sockets_collected")
def test_a_closed_client_is_an_error_and_no_hang():
    with LocalCluster(n_workers=1, processes=False, dashboard_address=":0", memory_limit=0) as cluster:
        with Client(cluster) as client:
            X, y = recomputable(pause=0.05)
            f = Objective("logistic", as_chunks(X, y), kernels="numpy")
            made = async_admm(f, Ridge(1), np.zeros(P))
            next(made)
            timer = threading.Timer(0.3, client.close)
            timer.start()
            with pytest.raises(ClusterError, match="client is closed"):
                list(islice(made, 50))
            timer.join()


@pytest.mark.parametrize("stored", [True, False])
def test_what_a_chunk_is_sent_is_one_task_without_the_rows_of_others(stored):
    X = da.from_array(np.ones((60, 3)), chunks=(20, 3))
    rows = as_chunks(*(dask.persist(X, X[:, 0], scheduler="threads") if stored else (X, X[:, 0]))).some([1])
    graph, key = rows.single(gradients, (None,))
    kinds = sorted(type(node).__name__ for node in graph.values())
    assert kinds == ["DataNode"] * (2 if stored else 1) + ["Task"] and type(graph[key]).__name__ == "Task"


# --- lost workers ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def processes():
    with local_cluster(workers=2) as cluster, Client(cluster) as client:
        client.wait_for_workers(2, timeout=30)
        yield client


@pytest.mark.slow
@pytest.mark.usefixtures("sockets_collected")
@pytest.mark.parametrize("solver", ["async_admm", "piag"])
@pytest.mark.parametrize("seed", range(2))
def test_rows_that_can_be_made_again_outlive_a_worker(processes, solver, seed):
    processes.wait_for_workers(2, timeout=60)
    options = {"family": "logistic", "penalty": Ridge(1), "tol": 1e-6, "kernels": "numpy"}
    X, y = recomputable(pause=0.02)
    with at_random(seed, lambda: kill_one(processes), within=2.0):
        result = fit(X, y, solver=solver, **options)
    with dask.config.set(scheduler="threads"):
        best = fit(X, y, **options | {"tol": 1e-10})
    assert result.converged and result.objective - best.objective <= result.certificate.bound
    assert keys_left(processes) == 0


@pytest.mark.slow
@pytest.mark.usefixtures("sockets_collected")
def test_scattered_rows_that_are_lost_are_an_error_in_words():
    """On one worker: with two, a task may have taken a copy of the rows to the other."""
    X, y = dask.compute(*recomputable(), scheduler="threads")
    with local_cluster(workers=1) as cluster, Client(cluster) as client:
        rows = da.from_delayed(client.scatter(X), X.shape, dtype=float)
        states = []

        def callback(state):
            states.append(state)
            if len(states) == 2:
                [pid] = client.run(os.getpid).values()
                os.kill(pid, signal.SIGKILL)

        with pytest.raises(ClusterError, match="^rows of X are lost with the worker"):
            fit(rows.rechunk((ROWS, P)), y, family="logistic", penalty=Ridge(1), tol=1e-12, solver="async_admm",
                kernels="numpy", callback=callback)  # fmt: skip


# --- what a chunk answers -------------------------------------------------------------------------------------------


def test_a_vote_solves_the_chunks_own_problem():
    problem = random_problem("logistic", Zero(), seed=7)
    f, rng = problem.objective(chunks=(80,)), np.random.default_rng(0)
    z, u, rho, kernel = rng.normal(size=4), rng.normal(size=4), np.full(4, 3.0), f.kernel("loss_grad_hess")
    [found] = f.map(vote, shared=(f.family, kernel, z, rho, 0.0, np.zeros(4), u))
    assert f.loss_grad(found.beta).grad + rho * (found.beta - z + u) == pytest.approx(0, abs=1e-8)
    [again] = f.map(vote, shared=(f.family, kernel, z, rho, 0.1, found.beta, u))
    assert again.beta.tolist() == found.beta.tolist() and again.touches == 1


def test_gradients_are_read_once_where_both_points_are_one():
    f, beta = random_problem("logistic", Zero(), seed=7).objective(chunks=(80,)), np.ones(4)
    ask = [f.map(gradients, shared=(f.family, f.kernel("loss_grad"), beta, at))[0] for at in (None, beta, 2 * beta)]
    assert [found.touches for found in ask] == [1, 1, 2]
    assert ask[1].seen.grad.tolist() == ask[1].grad.tolist() and ask[0].seen is None
    assert ask[2].seen.grad == pytest.approx(f.loss_grad(2 * beta).grad)
