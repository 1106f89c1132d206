"""The post's benchmark, replayed: whole, of the problem it says, and ended by the rules it says."""

import numpy as np
import pytest

from glmlab import L1, certify, fit
from glmlab.datasets import make_logistic
from glmlab.teaching import ledger, replays


@pytest.fixture(scope="module")
def rows():
    X, y, _ = make_logistic(2_000, replays.COLUMNS, seed=replays.SEED)
    return X, y


def gap(rows, beta):
    return certify(*rows, beta, family="logistic", penalty=L1(replays.LAM)).relative


def test_every_row_of_the_benchmark_has_its_replay():
    """The benchmark's rows are those for which the post gives seconds."""
    X, y, answers = replays.benchmark(500)
    timed = {method for method, row in ledger.rows().items() if method.startswith("post") and row["seconds"]}
    assert answers.keys() == timed and X.shape == (500, 15) and set(y) == {0.0, 1.0}
    assert all(beta.shape == (15,) and np.isfinite(gap((X, y), beta)) for beta in answers.values())


def test_given_time_two_of_them_reach_the_optimum(rows):
    best = fit(*rows, family="logistic", penalty=L1(replays.LAM), tol=1e-12).beta
    admm = replays.consensus(*rows, rho=20.0, abstol=1e-9, reltol=0, max_iter=1_000)
    gradient = replays.proximal_gradient(*rows, tol=1e-16, max_iter=5_000)
    for beta in (admm, gradient):
        assert gap(rows, beta) <= 1e-9 and abs(beta - best).max() <= 1e-3


def test_their_own_rules_end_them_earlier(rows):
    hasty, patient = (replays.proximal_gradient(*rows, tol=tol, max_iter=5_000) for tol in (1e-4, 1e-8))
    assert gap(rows, hasty) > gap(rows, replays.proximal_gradient(*rows)) > gap(rows, patient)
    assert gap(rows, replays.consensus(*rows, max_iter=3)) > gap(rows, replays.consensus(*rows)) > 1e-12


def test_a_local_update_is_stationary(rows):
    X, y = rows
    v = np.linspace(-1, 1, 15)
    b = replays.local_update(X, y, np.zeros(15), v, 3.0)
    slope = X.T @ (1 / (1 + np.exp(-X @ b)) - y) + 3.0 * (b - v)
    assert abs(slope).max() <= 1e-3 * abs(X.T @ y).max()


def test_scikit_learns_two_answer_other_questions(rows):
    """A dropped intercept, and λ = alpha n: worse than a few steps of the solvers."""
    for beta in (replays.liblinear(*rows), replays.sgd(*rows)):
        assert 1e-5 < gap(rows, beta) < 1


def test_least_squares_has_the_posts_other_rows_at_any_n():
    """A million rows take no longer than a thousand. The naive solve and gradient descent are exact, ADMM is not."""
    answers = replays.least_squares(1_000_000)
    other = {method for method, row in ledger.rows().items() if method.startswith("post") and not row["seconds"]}
    assert answers.keys() == other
    proofs = {method.removeprefix("post: "): proof for method, (_, proof) in answers.items()}
    assert proofs["naive solve"].relative < 1e-20 and proofs["gradient descent"].relative < 1e-12
    assert 0.002 < proofs["ADMM, λ = 7.2"].relative < 0.05
    zeros = np.sum(answers["post: ADMM, λ = 7.2"][0] == 0)
    assert abs(zeros - 8) <= 4 * 2.7, "binomial: 100 coefficients, each below 0.08 with probability 0.08"


def test_certified_gaps_are_those_of_the_benchmark():
    X, y, answers = replays.benchmark(500)
    found = replays.certified(500)
    assert found.keys() == answers.keys()
    assert found["post: ADMM, laptop"] == gap((X, y), answers["post: ADMM, laptop"])
