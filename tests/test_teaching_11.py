"""The exercises of notebook 11 and its worked example: right answers written otherwise, and wrong ones by name."""

from itertools import islice

import numpy as np
import own_solvers as own
import pytest
from answers import accepted, rejected

from glmlab import L1, Objective, State, as_chunks, certify, datasets, fit, run
from glmlab.maths.certificates import certificate_at
from glmlab.teaching import check, exercise
from glmlab.teaching.own_solvers import barzilai_borwein


@pytest.fixture(scope="module", autouse=True)
def compiled():
    """Compile the fused kernels before anybody's time is limited: certify uses them."""
    certify(np.eye(2), np.ones(2), np.zeros(2), family="gaussian")
    certify(np.eye(2), np.ones(2) / 2, np.zeros(2), family="logistic", penalty=L1(1.0))


# --- my_solver


def complete(solver):
    """The same solver; its states have an objective and a residual."""

    def solve(f, g, start):
        for state in solver(f, g, start):
            loss, grad = f.loss_grad(np.asarray(state.beta))
            beta = np.array(state.beta)
            yield State(beta, loss + g.value(beta), f.residual(beta, grad, g))

    return solve


@pytest.mark.parametrize("right", [
    complete(own.fixed_ista), own.newton_by_coordinates, own.admm, complete(own.ista_of_betas_only), barzilai_borwein,
], ids=["fixed", "newton", "admm", "of betas only", "bb"])  # fmt: skip
def test_my_solver_written_otherwise(right):
    accepted("my_solver", lambda f, g, start: right(f, g, start))


FROM_START, STAYS, ONE_BETA, CERTIFIED = (
    "states, one by one, from start on", "what was yielded stays",
    "objective and residual of the beta that is yielded", "certified on two families, on any chunks, here and on dask",
)  # fmt: skip


def one_array(f, g, start):
    beta = start.copy()
    for state in own.ista(f, g, start):
        beta[:] = state.beta
        yield state._replace(beta=beta)


def with_half(f, g, start):
    """The step is counted half in the prox."""
    t = 1 / own.largest(f, start)
    beta = start
    while True:
        loss, grad = f.loss_grad(beta)
        yield State(beta, loss + g.value(beta), f.residual(beta, grad, g))
        beta = g.prox(beta - t * grad, t / 2)


def penalised(f, g, start):
    whole = getattr(g, "g", g)
    for state in own.ista(f, whole, start):
        grad = f.loss_grad(state.beta).grad
        yield State(state.beta, f.loss(state.beta) + g.value(state.beta), f.residual(state.beta, grad, g))


def runs_away(f, g, start):
    """It overflows in its second step."""
    yield State(start)
    while True:
        yield State(np.full(len(start), np.nan))


@pytest.mark.parametrize(("wrong", "condition", "says"), [
    (own.late, FROM_START, "yielded after the first update"),
    (own.from_zero, FROM_START, "start is ignored"),
    (own.an_array, FROM_START, "in place of return"),
    (own.arrays, FROM_START, "yield State(beta)"),
    (one_array, STAYS, "the beta of state 1 has changed"),
    (own.eager, STAYS, "none between its states"),
    (own.writes_into_start, STAYS, "changes the array start"),
    (complete(own.unseeded), STAYS, "give random numbers a seed"),
    (own.stale, ONE_BETA, "F at the state before"),
    (own.loss_only, ONE_BETA, "add g.value(beta)"),
    (own.gradient_norm, ONE_BETA, "write f.residual"),
    (own.ista_of_betas_only, ONE_BETA, "has no objective"),
    (penalised, CERTIFIED, "whose intercept is penalised"),
    (with_half, CERTIFIED, "λ counts half"),
    (complete(runs_away), CERTIFIED, "leaves the finite numbers"),
    (own.three_states, CERTIFIED, "`run` decides when to stop"),
    (own.reads_rows, CERTIFIED, "the rows may be elsewhere"),
])  # fmt: skip
def test_my_solver_wrong(wrong, condition, says):
    rejected("my_solver", lambda f, g, start: wrong(f, g, start), condition, says)


# --- until


def by_bound(f, g, tol, state):
    found = certificate_at(f, g, state.beta)
    return bool((found.bound - found.rounding) / f.scale.unit(found.objective) <= tol)


def filtered(f, g, tol, state):
    loss, grad = f.loss_grad(state.beta)
    if f.residual(state.beta, grad, g) ** 2 > tol:
        return False
    return certificate_at(f, g, state.beta).relative <= tol


def with_polish(f, g, tol, state):
    return certificate_at(f, g, np.array(state.beta), polish=5).relative <= tol


def in_words(f, g, tol, state):
    proof = certificate_at(f, g, state.beta)
    if not np.isfinite(proof.bound):
        return False
    if proof.relative > tol:
        return False
    return True


def cautious(f, g, tol, state):
    return bool(2 * certificate_at(f, g, state.beta).relative <= tol)


@pytest.mark.parametrize("right", [by_bound, filtered, with_polish, in_words, cautious])
def test_until_written_otherwise(right):
    accepted("until", right)


def moves_little(f, g, tol, state, last={}):  # noqa: B006
    old, last["beta"] = last.get("beta"), state.beta
    return old is not None and len(old) == len(state.beta) and bool(np.linalg.norm(state.beta - old) <= tol)


def falls_little(f, g, tol, state, last={}):  # noqa: B006
    old, last["F"] = last.get("F", np.inf), state.objective
    return bool(abs(old - state.objective) <= tol * abs(state.objective))


NEVER, PROVED, WORD = "never true where tol is not proved", "true where it is proved", "no solver's word counts"


@pytest.mark.parametrize(("wrong", "condition", "says"), [
    (moves_little, NEVER, "a small move"),
    (falls_little, NEVER, "the steps are short"),
    (lambda f, g, tol, state: state.residual <= tol, NEVER, "along a flat direction"),
    (lambda f, g, tol, state: state.residual**2 <= tol, NEVER, "one coordinate alone"),
    (lambda f, g, tol, state: certificate_at(f, g, state.beta).bound <= tol, NEVER, "the unit of F"),
    (lambda f, g, tol, state: certificate_at(f, g, state.beta).bound <= tol * abs(state.objective), NEVER,
     "|F| is no unit"),
    (lambda f, g, tol, state: certificate_at(f, g, state.beta).kkt <= tol, NEVER, "the unit of a gradient"),
    (lambda f, g, tol, state: True, NEVER, "who has proved anything"),
    (lambda f, g, tol, state: certificate_at(f, g, state.beta).relative > tol, NEVER, "turn the comparison"),
    (lambda f, g, tol, state: bool(np.isfinite(certificate_at(f, g, state.beta).bound)), NEVER,
     "whether it proves tol"),
    (lambda f, g, tol, state: False, PROVED, "never stops"),
    (lambda f, g, tol, state: certificate_at(f, g, state.beta).relative, NEVER, "the comparison itself"),
    (lambda f, g, tol, state: state.residual == 0 or certificate_at(f, g, state.beta).relative <= tol, WORD,
     "ask f itself"),
], ids=["move", "plateau", "residual", "squared", "bound", "share of F", "kkt", "always", "turned", "any bound",
        "never", "a number", "word"])  # fmt: skip
def test_until_wrong(wrong, condition, says):
    rejected("until", wrong, condition, says)


# --- unfooled


def by_hand(result, X, y, tol=1e-6):
    eta = X @ result.beta + result.intercept
    F = float(np.sum(result.family.loss(eta, y)) + result.penalty.value(result.beta))
    if abs(F - result.objective) > 1e-8 * abs(F):
        return False
    if not result.converged:
        return True
    return certify(X, y, result, family=result.family, penalty=result.penalty).relative <= tol


def with_an_intercept_by_name(result, X, y, tol=1e-6):
    level = result.intercept if len(result.state.beta) > len(result.beta) else None
    found = certify(X, y, result.beta, family=result.family, penalty=result.penalty, intercept=level)
    true = abs(found.objective - result.objective) < 1e-8 * abs(found.objective)
    return bool(true and (found.relative < tol if result.converged else True))


def by_another_fit(result, X, y, tol=1e-6):
    found = certify(X, y, result, family=result.family, penalty=result.penalty)
    if not np.isclose(found.objective, result.objective, rtol=1e-8):
        return False
    if not result.converged:
        return True
    free = len(result.state.beta) > len(result.beta)
    try:
        best = fit(X, y, family=result.family, penalty=result.penalty, fit_intercept=free, threads=1)
    except UserWarning:
        return False
    return bool(best.converged and result.objective - best.objective <= tol * abs(best.objective))


def by_objective(result, X, y, tol=1e-6):
    free = len(result.state.beta) > len(result.beta)
    f = Objective(result.family, as_chunks(X, y, intercept=free, threads=1))
    beta = np.append(result.beta, result.intercept) if free else result.beta
    F = f.loss(beta) + result.penalty.value(result.beta)
    proof = certify(X, y, result, family=result.family, penalty=result.penalty)
    checks = [np.isclose(F, result.objective), not result.converged or proof.relative <= tol]
    return bool(np.isclose(F, result.objective, rtol=1e-8) and all(checks))


def counted(result, X, y, tol=1e-6):
    found = certify(X, y, result, family=result.family, penalty=result.penalty, fraction=1.0)
    lies = int(not np.isclose(found.objective, result.objective, rtol=1e-7))
    lies += int(bool(result.converged) and not found.relative <= tol)
    return lies == 0


@pytest.mark.parametrize("right", [by_hand, with_an_intercept_by_name, by_another_fit, by_objective, counted])
def test_unfooled_written_otherwise(right):
    accepted("unfooled", right)


def proof(result, X, y):
    return certify(X, y, result, family=result.family, penalty=result.penalty)


def same(result, X, y):
    return bool(np.isclose(proof(result, X, y).objective, result.objective, rtol=1e-9))


def near_the_truth(result, X, y, tol=1e-6):
    return bool(np.abs(result.beta - [0.8, -0.6, 0.3]).max() < 0.5)


def no_intercept(result, X, y, tol=1e-6):
    return certify(X, y, result.beta, family=result.family, penalty=result.penalty).relative <= tol


HONEST, MODEST, STALE, BOAST = (
    "honest results are believed", "who admits that it has not converged is believed",
    "the objective is that of its beta", "converged means proved",
)  # fmt: skip


@pytest.mark.parametrize(("wrong", "condition", "says"), [
    (lambda result, X, y, tol=1e-6: result.converged, MODEST, "who wrote it?"),
    (lambda result, X, y, tol=1e-6: result.certificate.relative <= tol, MODEST, "one of your own"),
    (lambda result, X, y, tol=1e-6: True, STALE, "it believes everything"),
    (lambda result, X, y, tol=1e-6: False, HONEST, "an honest result is a true one"),
    (lambda result, X, y, tol=1e-6: same(result, X, y), BOAST, "is beta optimal?"),
    (lambda result, X, y, tol=1e-6: not result.converged or proof(result, X, y).relative <= tol, STALE,
     "compare it with certify's"),
    (lambda result, X, y, tol=1e-6: same(result, X, y) and proof(result, X, y).relative <= tol, MODEST,
     "says the truth"),
    (lambda result, X, y, tol=1e-6: same(result, X, y) and (not result.converged or proof(result, X, y).bound <= tol),
     HONEST, "compare `relative`"),
    (lambda result, X, y, tol=1e-6: "Converged" in result.status, MODEST, "who wrote it?"),
    (near_the_truth, HONEST, "certify with the result's own"),
    (no_intercept, HONEST, "brings its intercept along"),
    (lambda result, X, y, tol=1e-6: proof(result, X, y), HONEST, "the comparison itself"),
], ids=["converged", "its certificate", "all", "none", "objective only", "gap only", "converged only", "bound",
        "status", "truth", "no intercept", "a certificate"])  # fmt: skip
def test_unfooled_wrong(wrong, condition, says):
    rejected("unfooled", wrong, condition, says)


@pytest.mark.parametrize("name", ["my_solver", "until", "unfooled"])
def test_our_answer_is_right_and_the_stub_is_not_written_yet(name):
    accepted(name, lambda *given, **named: exercise(name).reference(*given, **named))
    namespace = {}
    exec(exercise(name).stub, namespace)
    assert "not written yet" in check(namespace[name]).message


# --- the worked example


def laptop(rows=2000, penalty=1.0):
    X, y, _ = datasets.make_logistic(rows, 15, seed=20009)
    return Objective("logistic", as_chunks(X, y, threads=1), "numpy"), L1(penalty)


def test_barzilai_borwein_is_certified_on_the_posts_problem_in_fewer_passes_than_proximal_gradient():
    (f, g), (twin, _) = laptop(), laptop()
    ours, plain = run(barzilai_borwein, f, g, tol=1e-9), run("proximal_gradient", twin, g, tol=1e-9)
    assert ours.converged and ours.certificate.rigorous and ours.certificate.relative <= 1e-9
    assert ours.passes < plain.passes / 2


def test_barzilai_borwein_accepts_what_its_paper_accepts():
    """F(β⁺) ≤ max F of the last six − (σ/2) α ‖β⁺ − β‖², so that no state is above the highest of the six before."""
    f, g = laptop(400)
    states = list(islice(barzilai_borwein(f, g, np.zeros(f.dim)), 30))
    heights = np.array([state.objective for state in states])
    assert all(heights[k] < heights[max(0, k - 6) : k].max() for k in range(1, len(heights)))
    assert np.any(np.diff(heights) > 0), "it is not monotone"


def test_barzilai_borwein_ends_where_no_step_moves_it():
    f, g = laptop(400)
    *_, last = islice(barzilai_borwein(f, g, np.zeros(f.dim)), 3000)
    again = list(islice(barzilai_borwein(f, g, last.beta), 200))
    assert max(abs(state.objective - last.objective) for state in again) <= 1e-12 * abs(last.objective)


def test_barzilai_borwein_fits_a_screen():
    import inspect

    body = inspect.getsource(barzilai_borwein).split('"""')[2].strip().splitlines()
    assert len(body) <= 18
