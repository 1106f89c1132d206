"""Every estimator with every penalty and family; and a grid over a pipeline, on two processes."""

import os

import dask.array as da
import numpy as np
import pytest
from breakage import local_cluster
from distributed import Client, get_task_stream
from naive import MEMBERS, SLOPE, draw
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from glmlab.estimators import GLMClassifier, GLMRegressor
from glmlab.policy import Stopping

N, P, CHUNK = 240, 5, 30
RNG = np.random.default_rng(7)
X = RNG.normal(size=(N, P)) * [0.5, 1.0, 0.7, 0.5, 1.0]
ETA = X @ [0.8, -0.5, 0.3, 0.0, 0.0] + 0.2
Y = {family: draw(family, ETA, RNG) for family in SLOPE}
LABELS = np.where(Y["logistic"] == 1, "yes", "no")

LAM = 20.0
PENALTIES = {  # name → parameters of the estimator, and the weights of ‖β‖₁ and of ½‖β‖²
    "zero": ({}, 0.0, 0.0),
    "l1": ({"lam": LAM}, LAM, 0.0),
    "ridge": ({"lam": LAM}, 0.0, LAM),
    "elastic_net": ({"lam": LAM, "l1_ratio": 0.5}, LAM / 2, LAM / 2),
}
MODELS = {"classifier": ("logistic", GLMClassifier())} | {
    family: (family, GLMRegressor(MEMBERS.get(family, family))) for family in SLOPE
}
every_model = pytest.mark.parametrize("name", MODELS)
every_penalty = pytest.mark.parametrize("penalty", PENALTIES)


def lazy(values):
    return da.from_array(values, chunks=(CHUNK, *values.shape[1:]))


# --- estimator × penalty × family -------------------------------------------------------------------------------------


def fitted(name, penalty, make=np.asarray):
    """The estimator after its fit, and the rows that it was given."""
    family, model = MODELS[name]
    rows, y = make(X), make(LABELS if name == "classifier" else Y[family])
    return clone(model).set_params(penalty=penalty, **PENALTIES[penalty][0]).fit(rows, y), rows, y


def from_the_optimum(model, family, l1, l2):
    """How far 0 is from ∂F(β) in each coordinate, the free intercept last, in units of Σ|x ℓ′|: 0 at a minimum."""
    beta, columns = np.append(np.ravel(model.coef_), model.intercept_), np.column_stack([X, np.ones(N)])
    l1, l2 = (np.append(np.full(P, lam), 0.0) for lam in (l1, l2))
    slopes = SLOPE[family](columns @ beta, Y[family])
    G = columns.T @ slopes + l2 * beta
    far = np.where(beta == 0, np.maximum(np.abs(G) - l1, 0.0), np.abs(G + l1 * np.sign(beta)))
    return far / (np.abs(columns).T @ np.abs(slopes))


@every_model
@every_penalty
@pytest.mark.parametrize("make", [np.asarray, lazy], ids=["numpy", "dask"])
def test_every_estimator_proves_the_optimum_of_every_penalty(name, penalty, make):
    model, rows, y = fitted(name, penalty, make)
    assert model.converged_ and model.certificate_.relative <= Stopping().default_tol
    assert from_the_optimum(model, MODELS[name][0], *PENALTIES[penalty][1:]) == pytest.approx(0, abs=1e-7)
    assert 0 < model.score(rows, y) < 1


@every_model
@every_penalty
def test_predictions_have_a_row_for_each_row(name, penalty):
    (model, rows, _), (far, there, _) = fitted(name, penalty), fitted(name, penalty, lazy)
    few = X[:7]
    eta = few @ np.ravel(model.coef_) + model.intercept_
    if name == "classifier":
        assert model.coef_.shape == (1, P) and model.intercept_.shape == (1,)
        assert model.predict_proba(few).shape == (7, 2) and model.decision_function(few).shape == (7,)
        assert model.predict(few).tolist() == np.where(eta > 0, "yes", "no").tolist()
    else:
        assert model.coef_.shape == (P,) and np.ndim(model.intercept_) == 0
        mean = {"gaussian": eta, "logistic": 1 / (1 + np.exp(-eta))}.get(name, np.exp(eta))
        np.testing.assert_allclose(model.predict(few), mean, rtol=1e-12)
    one, other = model.predict(rows), far.predict(there)
    assert one.shape == other.shape == (N,) and one.dtype == other.dtype and isinstance(other, da.Array)
    same = np.array_equal if name == "classifier" else np.allclose
    assert same(one, other.compute())


def test_an_l1_term_leaves_columns_out_of_every_model_and_a_ridge_none():
    for name in MODELS:
        zeros = {penalty: np.sum(fitted(name, penalty)[0].coef_ == 0) for penalty in PENALTIES}
        assert zeros["zero"] == zeros["ridge"] == 0 < zeros["l1"]


# --- a grid on two processes ------------------------------------------------------------------------------------------

GRIDDED = {"classifier": (GLMClassifier(), LABELS), "poisson": (GLMRegressor("poisson"), Y["poisson"])}


def searched(name, make, **options):
    """The search over a pipeline, and what its best model predicts."""
    model, y = GRIDDED[name]
    step, rows = type(model).__name__.lower(), make(X)
    grid = {f"{step}__penalty": ["ridge", "l1"], f"{step}__lam": [1.0, 100.0]}
    pipeline = make_pipeline(FunctionTransformer(np.tanh), model)
    found = GridSearchCV(pipeline, grid, cv=KFold(2), error_score="raise", **options).fit(rows, make(y))
    return found, found.predict(rows)


def same_search(one, other):
    """The same scores, the same choice, and a proof of the model that is chosen."""
    np.testing.assert_allclose(one.cv_results_["mean_test_score"], other.cv_results_["mean_test_score"], rtol=1e-7)
    assert len(set(one.cv_results_["mean_test_score"])) > 1 and one.best_params_ == other.best_params_
    assert one.best_estimator_[-1].converged_ and other.best_estimator_[-1].converged_


@pytest.fixture(scope="module")
def two_processes():
    with local_cluster(workers=2) as cluster, Client(cluster) as client:
        yield client


@pytest.mark.slow
@pytest.mark.parametrize("name", GRIDDED)
def test_a_grid_over_a_pipeline_of_dask_arrays_runs_on_two_processes(name, two_processes):
    pids = two_processes.run(os.getpid)
    with get_task_stream(two_processes) as seen:
        there, predicted = searched(name, lazy)
        predicted = predicted.compute()
    assert len({os.getpid(), *pids.values()}) == 3
    assert {task["worker"] for task in seen.data} == set(pids), "both have had rows"
    here, expected = searched(name, np.asarray)
    same_search(here, there)
    same = np.array_equal if name == "classifier" else np.allclose
    assert same(predicted, expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", GRIDDED)
def test_a_grid_with_two_jobs_finds_what_one_job_finds(name):
    one, two = (searched(name, lazy, n_jobs=jobs)[0] for jobs in (1, 2))
    same_search(one, two)
