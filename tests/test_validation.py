"""cross_validate_path: folds share their passes, find what separate fits find, and choose the λ that others choose."""

import os
import signal
import threading
import warnings

import dask.array as da
import numpy as np
import pytest
from naive import random_problem
from scipy import sparse
from sklearn import datasets
from sklearn.linear_model import LassoCV, LogisticRegressionCV
from sklearn.model_selection import KFold, ShuffleSplit

import glmlab
from glmlab import L1, CrossValidation, ElasticNet, NotConverged, Zero, cross_validate_path, fit, path, viz
from glmlab.paths import Path
from glmlab.rows import chunks as chunks_module
from glmlab.rows.entrance import as_chunks
from glmlab.rows.folds import Deal, folds_of, numbers_of
from glmlab.rows.objective import Objective
from glmlab.validation import first_guess, hints_for, tol_of_folds

LOSS = {
    "gaussian": lambda eta, y: (y - eta) ** 2,
    "logistic": lambda eta, y: np.logaddexp(0, eta) - y * eta,
    "poisson": lambda eta, y: np.exp(eta) - y * eta,
    "gamma": lambda eta, y: y / np.exp(eta) + eta,
}


def problem(family="logistic", seed=0, **options):
    """By default five columns, weights with zeros among them, an offset and an intercept."""
    more = dict(n=200, p=5, weighted=True, shifted=True, intercept=True) | options
    return random_problem(family, Zero(), seed=seed, **more)


def validated(given, **options):
    more = dict(threads=1, n_lams=5, ratio=0.01) | options
    return cross_validate_path(*given.data, **given.extras, family=given.family, fit_intercept=given.intercept, **more)


def plenty(n=12_000, seed=0):
    """Rows for which "auto" takes pilot_newton: thousands for each of four coefficients."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 3))
    return X, (rng.random(n) < 1 / (1 + np.exp(0.3 - X @ [1, -0.5, 0]))).astype(float)


def numbers(n, cv=5, seed=0):
    return np.concatenate([numbers_of(fold) for fold in folds_of(cv, [n], seed)[1]])


# --- folds ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cv", [2, 3, 5, 10])
def test_folds_are_equal_and_from_everywhere_and_know_no_chunks(cv):
    n = 1003
    whole = numbers(n, cv)
    assert np.ptp(np.bincount(whole, minlength=cv)) <= 1
    groups = whole[: n // cv * cv].reshape(-1, cv)
    assert (np.sort(groups) == np.arange(cv)).all(), "neighbours are in different folds"
    assert len(np.unique(groups, axis=0)) == cv, "and not always in the same order"
    for lengths in ([1, 1002], [500, 0, 503], [7] * 143 + [2]):
        parts = folds_of(cv, lengths)[1]
        assert np.array_equal(np.concatenate([numbers_of(part) for part in parts]), whole)
    assert not np.array_equal(numbers(n, cv, seed=1), whole)


def test_a_deal_can_begin_anywhere():
    whole = Deal(3, 5, 0, 400).numbers()
    assert all(np.array_equal(Deal(3, 5, k, 9).numbers(), whole[k : k + 9]) for k in range(391))


def test_pairs_and_fold_numbers_say_the_same():
    given = problem("gaussian")
    pairs = list(KFold(4, shuffle=True, random_state=0).split(given.X))
    labels = np.empty(200, dtype=int)
    for k, (_, test) in enumerate(pairs):
        labels[test] = 10 * k - 7
    by_pairs, by_numbers = validated(given, cv=pairs), validated(given, cv=labels)
    assert np.array_equal(by_pairs.losses, by_numbers.losses)


# --- the same as separate fits ----------------------------------------------------------------------------------


def separate(given, found, folds, **options):
    """The Results of `fit` for each fold at each λ, at the weights, penalties and starts that the folds had."""
    w = np.ones(len(given.y)) if given.w is None else given.w
    points = [np.append(result.beta, result.intercept) for result in found.path]
    for k, one in enumerate(found.results):
        own, before = w * (folds != k), None
        for i in range(len(found.lams)):
            result = fit(
                given.X, given.y, family=given.family, fit_intercept=True, offset=given.o, sample_weight=own,
                penalty=one[i].penalty, solver=one[i].solver, start=first_guess(points, i, before), threads=1, tol=1e-6,
                **{name: values[i] * own.sum() for name, values in options.items()},
            )  # fmt: skip
            before = np.append(result.beta, result.intercept)
            yield one[i], result, found.lams[i] * own.sum() / w.sum()


@pytest.mark.parametrize("family", ["gaussian", "logistic", "poisson", "gamma"])
def test_folds_have_the_bits_of_separate_fits(family):
    given = problem(family)
    found = validated(given, cv=3, solver="proximal_newton")
    assert found.converged and isinstance(found.path, Path)
    for ours, alone, lam in separate(given, found, numbers(200, 3)):
        assert np.array_equal(ours.beta, alone.beta) and ours.intercept == alone.intercept
        assert ours.objective == alone.objective and ours.certificate.bound == alone.certificate.bound
        assert ours.penalty.lam == pytest.approx(lam, rel=1e-12)


def test_folds_that_are_given_hessians_have_the_bits_of_separate_fits():
    X, y = plenty()
    given = problem()._replace(X=X, y=y, w=None, o=None)
    found = cross_validate_path(X, y, family="logistic", fit_intercept=True, cv=3, n_lams=4, ratio=0.01)
    assert found.converged and {result.solver for one in found.results for result in one} == {"pilot_newton"}
    assert {result.state.hessian for one in found.results for result in one} <= {"given", "full"}, "none has a pilot"
    f = Objective("logistic", as_chunks(X, y, intercept=True))
    hints = hints_for(f, found.path, "pilot_newton", 1e-6)
    for ours, alone, _ in separate(given, found, numbers(len(y), 3), hess=hints):
        assert np.array_equal(ours.beta, alone.beta) and ours.objective == alone.objective


def test_the_folds_have_a_tolerance_of_their_own():
    rough = validated(problem("logistic"), solver="fista", tol=1e-10, fold_tol=1e-3)
    same = validated(problem("logistic"), solver="fista", tol=1e-3)
    by_default = validated(problem("logistic"), solver="fista", tol=1e-10)
    relative = [[result.certificate.relative for one in found.results for result in one]
                for found in (rough, same, by_default)]  # fmt: skip
    assert max(result.certificate.relative for result in rough.path) <= 1e-10
    assert 1e-6 < max(relative[0]) <= 1e-3 and 1e-6 < max(relative[1]) <= 1e-3 and max(relative[2]) <= 1e-6
    assert [tol_of_folds(tol, None) for tol in (None, 1e-10, 1e-3)] == [1e-6, 1e-6, 1e-3]
    with pytest.raises(ValueError, match="fold_tol must be a finite number >= 0"):
        validated(problem("logistic"), fold_tol=-1)


def test_the_path_is_the_path():
    given = problem("poisson")
    found, alone = validated(given), path(
        *given.data, **given.extras, family="poisson", fit_intercept=True, threads=1, n_lams=5, ratio=0.01
    )  # fmt: skip
    assert np.array_equal(found.path.betas, alone.betas) and np.array_equal(found.lams, alone.lams)


@pytest.mark.parametrize("family", ["gaussian", "logistic", "poisson", "gamma"])
def test_losses_are_those_of_rows_that_a_fit_has_not_seen(family):
    given = problem(family)
    found, folds = validated(given, cv=4, seed=3), numbers(200, 4, seed=3)
    for k, one in enumerate(found.results):
        own = folds == k
        for i, result in enumerate(one):
            eta = given.X[own] @ result.beta + result.intercept + given.o[own]
            mean = np.average(LOSS[family](eta, given.y[own]), weights=given.w[own])
            assert found.losses[k, i] == pytest.approx(mean, rel=1e-10)
        assert found.weights[k] == pytest.approx(given.w[own].sum())


def test_an_integer_weight_is_a_repeated_row():
    given = problem("logistic")
    times = np.random.default_rng(1).integers(0, 3, 200)
    folds = numbers(200, 4)
    weighted = validated(given._replace(w=times.astype(float)), cv=folds)
    again = given._replace(X=np.repeat(given.X, times, axis=0), y=np.repeat(given.y, times), w=None,
                           o=np.repeat(given.o, times))  # fmt: skip
    repeated = validated(again, cv=np.repeat(folds, times))
    np.testing.assert_allclose(weighted.mean, repeated.mean, rtol=1e-7)
    np.testing.assert_allclose(weighted.se, repeated.se, rtol=1e-5)


# --- passes -----------------------------------------------------------------------------------------------------


def test_a_pass_reads_each_chunk_once_for_all_folds(monkeypatch):
    """The rows are read as often as the slowest fold asks, not as often as all folds do."""
    given, read = problem("logistic"), []
    chunk = chunks_module.InMemory.chunk
    monkeypatch.setattr(chunks_module.InMemory, "chunk", lambda self, k: read.append(self) or chunk(self, k))
    found = validated(given, cv=5, solver="fista", tol=1e-5)
    whole = len(read)
    read.clear()
    path(*given.data, **given.extras, family="logistic", fit_intercept=True, solver="fista", tol=1e-5, threads=1,
         n_lams=5, ratio=0.01)  # fmt: skip
    of_folds = [sum(result.passes + result.certificate.passes for result in one) for one in found.results]
    shared = whole - len(read)
    assert max(of_folds) <= shared < 0.5 * sum(of_folds)
    assert max(of_folds) <= found.reads < 0.5 * sum(of_folds)


def test_rows_on_dask_in_other_chunks_and_sparse_rows_agree():
    given = problem("logistic")
    memory = validated(given)
    lazy = given._replace(X=da.from_array(given.X, chunks=(70, 2)), y=da.from_array(given.y, chunks=50))
    whole = given._replace(X=da.from_array(given.X, chunks=(200, 5)))
    thin = given._replace(X=sparse.csr_array(given.X))
    assert np.array_equal(validated(whole, threads=None).losses, memory.losses)
    for other in (lazy, thin):
        np.testing.assert_allclose(validated(other, threads=None).losses, memory.losses, rtol=1e-7)
    by_array = validated(lazy, threads=None, cv=numbers(200))
    np.testing.assert_allclose(by_array.losses, memory.losses, rtol=1e-7)


def test_a_cluster_agrees(client):
    given = problem("poisson")
    X, y = da.from_array(given.X, chunks=(80, 5)), da.from_array(given.y, chunks=80)
    found = validated(given._replace(X=X, y=y), n_lams=3)
    np.testing.assert_allclose(found.losses, validated(given, n_lams=3).losses, rtol=1e-7)


# --- others -----------------------------------------------------------------------------------------------------


def test_lasso_cv_chooses_the_same_lambda():
    X, y = datasets.load_diabetes(return_X_y=True)
    folds = list(KFold(5, shuffle=True, random_state=0).split(X))
    found = cross_validate_path(X, y, family="gaussian", fit_intercept=True, cv=folds, n_lams=25)
    theirs = LassoCV(alphas=found.lams / (2 * len(y)), cv=folds, tol=1e-8, max_iter=100_000).fit(X, y)
    assert theirs.alpha_ * 2 * len(y) == pytest.approx(found.lam_best)
    np.testing.assert_allclose(found.losses, theirs.mse_path_.T, rtol=1e-3)
    assert 0 < found.best < 24 and found.lam_1se > found.lam_best


def test_logistic_regression_cv_chooses_the_same_lambda():
    """It does not scale λ down for the fewer rows of a fold, which all folds of equal length do alike."""
    X, y = datasets.load_breast_cancer(return_X_y=True)
    X = ((X - X.mean(axis=0)) / X.std(axis=0))[:560, :8]
    folds = list(KFold(5, shuffle=True, random_state=1).split(X))
    lams = np.geomspace(300, 0.5, 9)
    found = cross_validate_path(X, y[:560], family="logistic", penalty="ridge", fit_intercept=True, cv=folds, lams=lams)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = LogisticRegressionCV(Cs=1 / (0.8 * lams[::-1]), cv=folds, scoring="neg_log_loss", tol=1e-9,
                                      max_iter=1000).fit(X, y[:560])  # fmt: skip
    assert 1 / np.ravel(theirs.C_)[0] / 0.8 == pytest.approx(found.lam_best)
    assert 0 < found.best < 8


# --- the answer -------------------------------------------------------------------------------------------------


def table():
    """Four folds at four λ: means 5, 3, 2, 2.5, and 1 between the folds at every λ but the first."""
    spread = np.array([-1, -1, 1, 1])[:, None] * np.array([9, 1, 1, 1])
    results = path([[1.0], [2.0], [4.0]], [1.0, 2.0, 3.0], family="gaussian", lams=[8, 4, 2, 1])
    return CrossValidation(results, (results,) * 4, np.array([5, 2.5, 2, 2.75]) + spread, np.ones(4), reads=1)


def test_the_one_standard_error_rule():
    found = table()
    assert found.mean.tolist() == [5, 2.5, 2, 2.75]
    np.testing.assert_allclose(found.se, np.array([9, 1, 1, 1]) / np.sqrt(3))
    assert (found.best, found.lam_best, found.simplest, found.lam_1se) == (2, 2.0, 1, 4.0)
    assert "advice" not in found.summary()
    assert found.result is found.path[1] and found.result_best is found.path[2]
    falling = CrossValidation(found.path, found.results, found.losses - np.arange(4), np.ones(4), 1)
    assert falling.best == 3 and "at the last λ" in falling.summary()["advice"]
    tight = CrossValidation(found.path, found.results, found.losses[1:3] * 0 + found.mean, np.ones(2), 1)
    assert tight.simplest == tight.best == 2 and "no larger λ" in viz.held_out(tight).finding


def test_equal_weights_give_the_standard_error_of_a_mean():
    found = validated(problem("gaussian", weighted=False), cv=5)
    np.testing.assert_allclose(found.se, found.losses.std(axis=0, ddof=1) / np.sqrt(5))
    np.testing.assert_allclose(found.mean, found.losses.mean(axis=0))


def test_its_cards_frame_and_picture():
    found = validated(problem("poisson"), penalty=ElasticNet(1, 0.5))
    for card in (repr(found), found._repr_html_()):
        assert "5 folds at 5 λ" in card and "25 of 25 fits" in card and f"{found.lam_1se:.6g}" in card
    frame = found.to_frame()
    assert frame.loss.tolist() == found.mean.tolist() and frame.fold_4.tolist() == found.losses[4].tolist()
    picture = viz.held_out(found)
    (axes,) = picture.figure.axes
    assert axes.get_xscale() == "log" and axes.get_xlim()[0] > axes.get_xlim()[1]
    drawn = [line.get_xdata() for line in axes.lines]
    assert any(np.array_equal(x, found.lams) for x in drawn)
    assert [found.lam_best] * 2 in [list(x) for x in drawn] and [found.lam_1se] * 2 in [list(x) for x in drawn]
    assert f"{found.lam_best:.3g}" in picture.finding
    with pytest.raises(TypeError, match="got Path"):
        viz.held_out(found.path)


def test_every_fit_is_seen_by_the_callback_and_counted(capsys):
    seen = []
    found = validated(problem("gaussian"), cv=3, n_lams=2, callback=lambda state: seen.append(state), progress=True)
    fits = [result for one in (found.path, *found.results) for result in one]
    assert len(seen) == sum(len(result.trace) - 1 for result in fits), "all states but those that end a fit"
    assert "folds: 6 of 6 fits\n" in capsys.readouterr().err


def test_fits_that_are_not_proved_are_warned_of_once():
    with pytest.warns(NotConverged, match="cross_validate_path: Not converged in .* of 20 fits") as caught:
        validated(problem("logistic"), cv=3, max_iter=1, solver="fista")
    assert len(caught) == 1


# --- what goes wrong --------------------------------------------------------------------------------------------


def of_a_fold(counter):
    """Is the callback called in the thread of the second fold that asks?"""
    here = threading.current_thread()
    if here is not threading.main_thread():
        counter.setdefault(here.name, len(counter))
        return counter[here.name] == 1
    return False


@pytest.mark.parametrize("kind", [OSError, KeyboardInterrupt])
def test_an_error_or_an_interrupt_in_one_fold_ends_all(kind):
    before, counter = threading.active_count(), {}

    def broken(state):
        if of_a_fold(counter):
            raise kind("the disk is gone")

    with pytest.raises(kind) as caught:
        validated(problem("logistic"), callback=broken)
    assert threading.active_count() == before
    if kind is OSError:
        assert "the disk is gone" in str(caught.value) and any("fold" in note for note in caught.value.__notes__)


def test_ctrl_c_ends_all():
    before, counter = threading.active_count(), {}

    def pressed(state):
        if of_a_fold(counter) and not counter.get("pressed"):
            counter["pressed"] = True
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        validated(problem("logistic"), callback=pressed)
    assert threading.active_count() == before


def test_an_interrupt_of_a_pass_ends_all(monkeypatch):
    """Ctrl-C arrives in the main thread, which makes the passes."""
    before = threading.active_count()
    answer, calls = glmlab.rows.together.one_pass, []

    def interrupted(requests):
        calls.append(1)
        if len(calls) == 9:
            raise KeyboardInterrupt
        return answer(requests)

    monkeypatch.setattr(glmlab.rows.together, "one_pass", interrupted)
    with pytest.raises(KeyboardInterrupt):
        validated(problem("logistic"))
    assert len(calls) == 9 and threading.active_count() == before


@pytest.mark.parametrize(("cv", "message"), [
    (1, "cv must be a whole number >= 2"),
    (201, "cv=201 folds need a row each, but X has 200 rows"),
    (np.zeros(200, int), "a single fold number"),
    (np.zeros(7, int), r"fold numbers \(200,\)"),
    (np.zeros(200), "got float64"),
    ([(range(100, 200), range(100))], "never holds out row 100"),
    (list(ShuffleSplit(3, random_state=0).split(np.zeros(200))), "more than once|must train on all"),
    ([(range(150), range(100, 200)), (range(100, 200), range(100))], "fold 0 of cv must train on all rows"),
    ([(range(200), []), ([], range(200))], "fold 0 of cv has no rows"),
    ([(range(1, 201), [0])], "train rows of fold 0 must be row numbers from 0 to 199"),
])  # fmt: skip
def test_folds_that_make_no_sense_are_refused(cv, message):
    with pytest.raises(ValueError, match=message):
        validated(problem("gaussian"), cv=cv)


def test_a_seed_of_folds_is_a_whole_number():
    with pytest.raises(TypeError, match="seed must be a whole number"):
        cross_validate_path(np.eye(9), np.arange(9) % 2.0, family="logistic", n_lams=3, cv=3, seed=0.5)


def test_a_splitter_is_asked_for_its_rows():
    given = problem("gaussian")
    with pytest.raises(TypeError, match=r"give list\(cv.split\(X, y\)\)"):
        validated(given, cv=KFold(4))
    as_list, as_iterator = (
        validated(given, cv=list(KFold(4).split(given.X))),
        validated(given, cv=KFold(4).split(given.X)),
    )
    assert np.array_equal(as_list.losses, as_iterator.losses)


def test_a_fold_without_a_row_that_counts_is_refused():
    given, folds = problem("gaussian"), numbers(200, 4)
    with pytest.raises(ValueError, match="fold 2 has no row of positive weight"):
        validated(given._replace(w=(folds != 2).astype(float)), cv=folds)


def test_a_class_that_only_one_fold_has_is_refused():
    X, folds = np.arange(40.0)[:, None] % 7, np.arange(40) % 4
    y = np.where((folds == 3) & (np.arange(40) > 20), 1.0, 0.0)
    with pytest.raises(ValueError, match="fold 3 must not be left out.*one class, perhaps"):
        cross_validate_path(X, y, family="logistic", fit_intercept=True, cv=folds)


def test_an_asynchronous_solver_is_refused():
    with pytest.raises(ValueError, match="no passes to share"):
        validated(problem("gaussian"), solver="async_admm", tol=1e-3)


def test_nothing_is_folded_that_cannot_be_fitted():
    given = problem("logistic")
    with pytest.raises(ValueError, match="y does not suit"):
        validated(given._replace(y=given.y + 3))
    with pytest.raises(TypeError, match="no option 'fold'"):
        validated(given, fold=3)


def test_a_hessian_of_another_shape_is_refused():
    X, y = plenty(400)
    with pytest.raises(ValueError, match=r"hess must have shape \(3, 3\), got \(2, 2\)"):
        fit(X, y, family="logistic", penalty=L1(1), solver="pilot_newton", hess=np.eye(2))
