"""Estimators: scikit-learn's own checks, the problems of other libraries, and what is done with estimators."""

import doctest
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import sklearn
from naive import draw
from scipy import sparse
from sklearn import linear_model
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.metrics import accuracy_score, d2_tweedie_score
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.estimator_checks import check_class_weight_balanced_linear_classifier

from glmlab import L1, ElasticNet, NotConverged, Poisson, Ridge, Standardized, Zero, certify, fit
from glmlab.estimators import GLMClassifier, GLMRegressor, given, models
from glmlab.solvers import SOLVERS
from tools import checks

PAGE = Path(__file__).resolve().parent.parent / "docs" / "book" / "estimators.md"
N, NAMES = 240, list("abc")
RNG = np.random.default_rng(5)
X = RNG.normal(size=(N, 3)) * [0.5, 1.0, 0.7]
ETA = X @ [0.8, -0.5, 0.3] + 0.2
Y = {family: draw(family, ETA, RNG) for family in ("gaussian", "logistic", "poisson", "gamma")}
LABELS = np.where(Y["logistic"] == 1, "yes", "no")
W = RNG.integers(0, 4, N).astype(float)
YEARS = RNG.uniform(0.5, 2.0, N)
FRAME = pd.DataFrame(X, columns=NAMES)
TIGHT = {"tol": 1e-10, "max_iter": 100_000}
SMALL = ["gaussian", "poisson", "gamma"]
POWER = {"gaussian": 0, "poisson": 1, "gamma": 2}


def lazy(values, rows=100):
    return da.from_array(values, chunks=(rows, *values.shape[1:]))


def close(one, other, tol=1e-7):
    np.testing.assert_allclose(one, other, rtol=tol, atol=tol)


def same_model(one, other, tol=1e-7):
    close(one.coef_, other.coef_, tol)
    close(one.intercept_, other.intercept_, tol)


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


# --- scikit-learn's checks ------------------------------------------------------------------------------------------

NETS = [{"penalty": "zero"}, {"penalty": "l1"}, {"penalty": "elastic_net", "l1_ratio": 0.5}]
CHECKED = [
    GLMClassifier(), GLMClassifier(alpha_per_row=1e-3, class_weight="balanced"), GLMClassifier(solver="lbfgs"),
    *(GLMClassifier(**net) for net in NETS), *(GLMRegressor(family) for family in SMALL),
    *(GLMRegressor("poisson", **net) for net in NETS),
]  # fmt: skip
MORE = [
    *(GLMRegressor(family, **net) for family in ("gaussian", "gamma") for net in NETS),
    *(GLMClassifier(solver=solver) for solver in SOLVERS if solver != "lbfgs"),
]
AT_LEAST = {GLMClassifier: 56, GLMRegressor: 60}


def passes_all(estimator):
    found = checks.outcomes(estimator)
    assert found["failed"] == []
    assert set(found["skipped"]) <= {"check_array_api_input"}
    assert sum(map(len, found.values())) >= AT_LEAST[type(estimator)]


@pytest.mark.parametrize("estimator", CHECKED, ids=repr)
def test_every_check_of_scikit_learn_passes(estimator):
    passes_all(estimator)


@pytest.mark.slow
@pytest.mark.parametrize("estimator", MORE, ids=repr)
def test_every_check_passes_with_further_penalties_and_solvers(estimator):
    passes_all(estimator)


def test_the_check_for_linear_classifiers_passes_too():
    """scikit-learn applies it to subclasses of a private class only."""
    check_class_weight_balanced_linear_classifier("GLMClassifier", GLMClassifier())


def test_a_failure_of_a_check_is_seen():
    class Forgetful(GLMRegressor):
        def predict(self, X):
            return np.asarray(X) @ self.coef_ + self.intercept_

    assert "check_n_features_in_after_fitting" in checks.outcomes(Forgetful())["failed"]


@pytest.mark.parametrize("kind", [GLMClassifier, GLMRegressor])
def test_the_books_table_has_our_rows(kind):
    row = checks.written(f"glmlab.estimators.{kind.__name__}", checks.outcomes(kind()))
    assert row in PAGE.read_text(encoding="utf-8").splitlines()


def test_the_books_table_has_a_row_for_each_estimator_that_is_checked():
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    found = [line.split()[1] for line in lines[lines.index(checks.HEAD.splitlines()[1]) + 1 :] if line.startswith("|")]
    assert found == [f"{module}.{name}" for module, name in checks.ESTIMATORS]


def test_an_estimator_that_is_not_installed_has_a_row_that_says_it():
    assert checks.row("no_such_package", "Model").endswith("ModuleNotFoundError: No module named 'no_such_package' |")


def test_the_examples_of_the_docstrings_hold():
    assert doctest.testmod(models).failed == 0 < doctest.testmod(models).attempted


def test_the_package_itself_does_not_import_scikit_learn():
    code = "import sys, glmlab; sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# --- the problem that is solved -------------------------------------------------------------------------------------

TWINS = {
    "Ridge": (GLMRegressor(lam=6.0), linear_model.Ridge(alpha=3.0), "gaussian"),
    "Lasso": (GLMRegressor(penalty="l1", alpha_per_row=0.1), linear_model.Lasso(alpha=0.1, tol=1e-12), "gaussian"),
    "ElasticNet": (GLMRegressor(penalty="elastic_net", alpha_per_row=0.1, l1_ratio=0.4),
                   linear_model.ElasticNet(alpha=0.1, l1_ratio=0.4, tol=1e-12), "gaussian"),
    "PoissonRegressor": (GLMRegressor("poisson", alpha_per_row=0.2),
                         linear_model.PoissonRegressor(alpha=0.2, **TIGHT), "poisson"),
    "GammaRegressor": (GLMRegressor("gamma", alpha_per_row=0.2),
                       linear_model.GammaRegressor(alpha=0.2, **TIGHT), "gamma"),
    "LogisticRegression": (GLMClassifier(lam=4.0), linear_model.LogisticRegression(C=0.25, **TIGHT), "logistic"),
    "its defaults": (GLMClassifier(), linear_model.LogisticRegression(**TIGHT), "logistic"),
    "balanced": (GLMClassifier(class_weight="balanced"),
                 linear_model.LogisticRegression(class_weight="balanced", **TIGHT), "logistic"),
}  # fmt: skip


@pytest.mark.parametrize("weight", [None, W], ids=["no weights", "weights"])
@pytest.mark.parametrize("name", TWINS)
def test_it_is_the_problem_that_scikit_learn_solves(name, weight):
    ours, theirs, family = TWINS[name]
    same_model(
        clone(ours).fit(X, Y[family], sample_weight=weight), theirs.fit(X, Y[family], sample_weight=weight), 1e-5
    )


@pytest.mark.parametrize("family", Y)
def test_alpha_per_row_is_glums_alpha(family):
    glum = pytest.importorskip("glum")
    kind = {"gaussian": "normal", "logistic": "binomial"}.get(family, family)
    link = "auto" if kind in ("normal", "binomial") else "log"
    theirs = glum.GeneralizedLinearRegressor(alpha=0.1, l1_ratio=0.3, family=kind, link=link, gradient_tol=1e-10)
    net = {"penalty": "elastic_net", "l1_ratio": 0.3, "alpha_per_row": 0.1}
    ours = GLMClassifier(**net) if family == "logistic" else GLMRegressor(family, **net)
    ours.fit(X, Y[family], sample_weight=W)
    theirs.fit(X, Y[family], sample_weight=W)
    close(np.ravel(ours.coef_), theirs.coef_, 1e-5)


@pytest.mark.parametrize(("given", "penalty"), [
    ({}, Ridge(1.0)), ({"lam": 2.0}, Ridge(2.0)), ({"penalty": "l1", "lam": 2.0}, L1(2.0)), ({"penalty": L1(3)}, L1(3)),
    ({"penalty": "elastic_net", "lam": 2.0, "l1_ratio": 0.3}, ElasticNet(2.0, 0.3)), ({"penalty": "zero"}, "zero"),
])  # fmt: skip
def test_the_answer_and_its_proof_are_those_of_fit(given, penalty):
    model = GLMRegressor("poisson", **given).fit(X, Y["poisson"], sample_weight=W, offset=ETA)
    found = fit(X, Y["poisson"], family="poisson", penalty=penalty, fit_intercept=True, sample_weight=W, offset=ETA)
    assert np.array_equal(model.coef_, found.beta) and model.intercept_ == found.intercept
    assert (model.n_iter_, model.n_passes_, model.converged_) == (found.n_iter, found.passes, True)
    assert model.certificate_ == found.certificate == model.result_.certificate
    proof = certify(X, Y["poisson"], model.result_, family="poisson", penalty=penalty, sample_weight=W, offset=ETA)
    assert proof.relative < 1e-8


def test_an_answer_that_is_not_proved_says_so():
    with pytest.warns(NotConverged):
        model = GLMRegressor("poisson", max_iter=1).fit(X, Y["poisson"])
    assert not model.converged_ and model.n_iter_ == 1


def test_options_reach_the_solver():
    model = GLMRegressor("poisson", solver="consensus_admm", options={"rho": 5.0, "kernels": "numpy"}).fit(
        X, Y["poisson"]
    )
    assert model.result_.kernels == "numpy"
    with pytest.raises(TypeError, match="has no option 'roh'"):
        GLMRegressor(solver="consensus_admm", options={"roh": 5.0}).fit(X, Y["gaussian"])


@pytest.mark.parametrize("model", [GLMRegressor(), GLMClassifier()], ids=lambda model: type(model).__name__)
def test_an_unknown_option_is_refused_with_the_names_that_may_stand_there(model):
    model.set_params(solver="consensus_admm", options={"zzz": 1})
    with pytest.raises(TypeError, match="consensus_admm has no option 'zzz'; known are ") as error:
        model.fit(X, LABELS if isinstance(model, GLMClassifier) else Y["gaussian"])
    named = str(error.value).split("known are ")[1].split(", ")
    assert {"rho", "kernels", "policy", "progress"} <= set(named)
    assert not set(named) & {*model.get_params(), *given.TAKEN, "f", "g"}, "these have another place"
    for name in named:  # what is named may stand there
        given.refuse_unknown(model, Zero(), {name: None})


def test_a_family_of_ones_own_is_fitted():
    class Halved(Poisson):
        """Poisson under another name."""

        name = "halved"

    model = GLMRegressor(Halved(), alpha_per_row=0.1).fit(X, Y["poisson"])
    same_model(model, GLMRegressor("poisson", alpha_per_row=0.1).fit(X, Y["poisson"]))


# --- weights, classes, offsets --------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [
    GLMRegressor("poisson"), GLMRegressor("gaussian", "l1", alpha_per_row=0.01), GLMClassifier(),
    GLMClassifier(class_weight="balanced"), GLMClassifier("l1", alpha_per_row=0.01, class_weight={0: 1.0, 1: 3.0}),
], ids=repr)  # fmt: skip
def test_weights_are_repeated_rows(model):
    y = Y["poisson" if model == "poisson" else "logistic"]
    again = W.astype(int)
    one, other = clone(model).fit(X, y, sample_weight=W), clone(model).fit(np.repeat(X, again, 0), np.repeat(y, again))
    same_model(one, other)
    close(one.score(X, y, sample_weight=W), one.score(np.repeat(X, again, 0), np.repeat(y, again)), 1e-10)


def test_class_weights_multiply_the_weights_of_rows():
    per_row = np.where(LABELS == "yes", 3.0, 0.5)
    weighted = GLMClassifier(class_weight={"yes": 3.0, "no": 0.5}).fit(X, LABELS, sample_weight=W)
    same_model(weighted, GLMClassifier().fit(X, LABELS, sample_weight=W * per_row), 1e-12)


def test_balanced_classes_have_the_same_sum_of_weights():
    """Without columns that tell them apart, the odds are then even."""
    model = GLMClassifier(class_weight="balanced", lam=1e9).fit(X, LABELS, sample_weight=W)
    close(model.predict_proba(X), 0.5, 1e-6)


def test_an_exposure_is_an_offset_of_its_logarithm():
    model = GLMRegressor("poisson").fit(X, Y["poisson"], exposure=YEARS)
    same_model(model, GLMRegressor("poisson").fit(X, Y["poisson"], offset=np.log(YEARS)), 1e-12)
    close(model.predict(X, exposure=YEARS), YEARS * model.predict(X), 1e-12)
    close(model.score(X, Y["poisson"], exposure=YEARS), model.score(X, Y["poisson"], offset=np.log(YEARS)), 1e-12)


def test_another_unit_of_exposure_moves_the_intercept_only():
    years = GLMRegressor("gamma").fit(X, Y["gamma"], exposure=YEARS)
    months = GLMRegressor("gamma").fit(X, Y["gamma"], exposure=12 * YEARS)
    close(months.coef_, years.coef_)
    close(months.intercept_, years.intercept_ - np.log(12))


def test_the_offset_of_a_classifier_is_added_to_the_logarithm_of_the_odds():
    model = GLMClassifier().fit(X, LABELS, offset=ETA)
    close(model.decision_function(X, offset=ETA), model.decision_function(X, offset=0 * ETA) + ETA, 1e-12)
    close(model.predict_proba(X, offset=ETA)[:, 1], 1 / (1 + np.exp(-model.decision_function(X, offset=ETA))), 1e-12)
    assert model.score(X, LABELS, offset=ETA) == np.mean(model.predict(X, offset=ETA) == LABELS)


def test_probabilities_lose_no_digits_where_they_are_small():
    model = GLMClassifier().fit(X, LABELS)
    small = model.predict_proba(X[:1], offset=[50.0])[0, 0]
    close(small / np.exp(-model.decision_function(X[:1], offset=[50.0])[0]), 1.0, 1e-12)


@pytest.mark.parametrize("family", SMALL)
def test_the_score_of_a_regression_is_scikit_learns_share_of_the_deviance(family):
    model = GLMRegressor(family).fit(X, Y[family])
    expected = d2_tweedie_score(Y[family], model.predict(X), sample_weight=W, power=POWER[family])
    close(model.score(X, Y[family], sample_weight=W), expected, 1e-10)


def test_a_constant_response_is_explained_if_it_is_met():
    assert GLMRegressor(penalty="l1").fit(X, np.ones(N)).score(X, np.ones(N)) == 1.0


def test_the_score_of_a_classifier_is_scikit_learns_accuracy():
    model = GLMClassifier().fit(X, LABELS)
    expected = accuracy_score(LABELS, model.predict(X), sample_weight=W)
    close(model.score(X, LABELS, sample_weight=W), expected, 1e-12)


# --- containers -----------------------------------------------------------------------------------------------------


def table(frame, kind):
    """The frame in another container, its column y or `column` with it."""
    if kind == "polars":
        return pytest.importorskip("polars").from_pandas(frame)
    if kind == "xarray":
        xr = pytest.importorskip("xarray")
        values = frame.to_numpy()
        coords = {"row": range(len(frame))} | ({"column": list(frame.columns)} if values.ndim == 2 else {})
        return xr.DataArray(values, dims=("row", "column")[: values.ndim], coords=coords)
    return {
        "pandas": lambda: frame, "numpy": frame.to_numpy, "lists": lambda: frame.to_numpy().tolist(),
        "sparse": lambda: sparse.csr_array(frame.to_numpy()) if frame.ndim == 2 else frame.to_numpy(),
        "dask array": lambda: lazy(frame.to_numpy()), "dask frame": lambda: dd.from_pandas(frame, npartitions=3),
    }[kind]()  # fmt: skip


KINDS = ["pandas", "numpy", "lists", "sparse", "dask array", "dask frame", "xarray", "polars"]
NAMED = ["pandas", "dask frame", "xarray", "polars"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_container_gives_the_answer_of_its_numbers(kind):
    rows, labels, w = table(FRAME, kind), table(pd.Series(LABELS), kind), table(pd.Series(W), kind)
    options = {"class_weight": "balanced", "alpha_per_row": 0.01}
    model = GLMClassifier(**options).fit(rows, labels, sample_weight=w)
    expected = GLMClassifier(**options).fit(X, LABELS, sample_weight=W)
    same_model(model, expected)
    assert model.classes_.tolist() == ["no", "yes"] and model.n_features_in_ == 3
    assert np.asarray(model.predict(rows)).tolist() == expected.predict(X).tolist()
    close(np.asarray(model.predict_proba(rows)), expected.predict_proba(X))
    close(model.score(rows, labels, sample_weight=w), expected.score(X, LABELS, sample_weight=W), 1e-10)
    counts, years = table(pd.Series(Y["poisson"]), kind), table(pd.Series(YEARS), kind)
    claims = GLMRegressor("poisson").fit(rows, counts, sample_weight=w, exposure=years)
    twin = GLMRegressor("poisson").fit(X, Y["poisson"], sample_weight=W, exposure=YEARS)
    same_model(claims, twin)
    close(np.asarray(claims.predict(rows, exposure=years)), twin.predict(X, exposure=YEARS))
    close(claims.score(rows, counts, exposure=years), twin.score(X, Y["poisson"], exposure=YEARS), 1e-10)


@pytest.mark.parametrize("kind", NAMED)
def test_names_are_kept_from_every_container_and_compared(kind):
    model = GLMRegressor().fit(table(FRAME, kind), Y["gaussian"])
    assert model.feature_names_in_.tolist() == NAMES and model.result_.names == tuple(NAMES)
    with pytest.raises(ValueError, match="Feature names must be in the same order as they were in fit"):
        model.predict(table(FRAME[NAMES[::-1]], kind))
    with pytest.raises(ValueError, match="Feature names unseen at fit time:\n- d"):
        model.predict(table(FRAME.rename(columns={"c": "d"}), kind))
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        model.predict(X)


@pytest.mark.parametrize("kind", ["numpy", "dask array", "sparse"])
def test_rows_without_names_have_none(kind):
    model = GLMRegressor().fit(FRAME, Y["gaussian"]).fit(table(FRAME, kind), Y["gaussian"])
    assert not hasattr(model, "feature_names_in_")
    with pytest.raises(ValueError, match="X has 2 features, but GLMRegressor is expecting 3 features as input"):
        model.predict(table(FRAME[["a", "b"]], kind))


MIXES = {"X": (lazy(X), LABELS, W), "y": (X, lazy(LABELS), W), "the weights": (X, LABELS, lazy(W, 50))}


@pytest.mark.parametrize("mix", MIXES)
def test_one_argument_on_dask_is_enough(mix):
    rows, labels, w = MIXES[mix]
    model = GLMClassifier(class_weight="balanced").fit(rows, labels, sample_weight=w)
    same_model(model, GLMClassifier(class_weight="balanced").fit(X, LABELS, sample_weight=W))


def refuse(*args, **options):
    raise AssertionError("something was computed")


def test_predictions_of_rows_on_dask_are_lazy():
    labels, numbers = GLMClassifier().fit(X, LABELS), GLMRegressor("poisson").fit(X, Y["poisson"])
    with dask.config.set(scheduler=refuse):
        found = [labels.predict(lazy(X)), labels.predict_proba(lazy(X)), labels.decision_function(lazy(X)),
                 numbers.predict(lazy(X), exposure=lazy(YEARS))]  # fmt: skip
    expected = [labels.predict(X), labels.predict_proba(X), labels.decision_function(X),
                numbers.predict(X, exposure=YEARS)]  # fmt: skip
    for one, other in zip(found, expected, strict=True):
        assert isinstance(one, da.Array) and one.shape == other.shape and one.dtype == other.dtype
        assert one.chunks[0] == (100, 100, 40)
        close(one.compute(), other, 1e-12) if other.dtype == float else np.testing.assert_array_equal(one, other)


def test_rows_on_a_cluster_are_fitted_and_predicted(client):
    model = GLMClassifier(class_weight="balanced").fit(lazy(X), lazy(LABELS))
    same_model(model, GLMClassifier(class_weight="balanced").fit(X, LABELS))
    assert model.predict(lazy(X)).compute().tolist() == model.predict(X).tolist()


@pytest.mark.parametrize("y", [
    pd.Series(LABELS, dtype="category"), pd.Series(LABELS, dtype="string"), pd.Series(Y["logistic"], dtype="Int64"),
    Y["logistic"] == 1, Y["logistic"].astype(int), LABELS.astype(object), -Y["logistic"] + 7,
], ids=lambda y: str(y.dtype))  # fmt: skip
def test_labels_of_any_type_are_classes(y):
    model = GLMClassifier().fit(X, y)
    assert model.classes_.tolist() == sorted(set(np.asarray(y).tolist()))
    assert model.score(X, y) == np.mean(model.predict(X) == np.asarray(y)) > 0.6


# --- what scikit-learn does with estimators -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "model", [GLMRegressor("poisson", "l1", lam=2.0), GLMClassifier(class_weight={"no": 2.0, "yes": 1.0})]
)
def test_clones_and_pickles_are_the_same_estimator(model):
    y = LABELS if isinstance(model, GLMClassifier) else Y["poisson"]
    model = clone(model).fit(FRAME, y)
    twin, thawed = clone(model), pickle.loads(pickle.dumps(model))
    assert repr(twin) == repr(model) and not hasattr(twin, "coef_")
    assert np.array_equal(thawed.predict(FRAME), model.predict(FRAME)) and repr(thawed.certificate_) == repr(
        model.certificate_
    )
    assert twin.set_params(lam=9.0).get_params()["lam"] == 9.0 and model.lam != 9.0
    with pytest.raises(NotFittedError):
        twin.predict(FRAME)


def test_a_warm_start_goes_on_from_the_last_answer():
    warm, cold = GLMRegressor("poisson", warm_start=True), GLMRegressor("poisson")
    cold.fit(X, Y["poisson"])
    first = warm.fit(X, Y["poisson"]).n_iter_
    assert first > 0 == warm.fit(X, Y["poisson"]).n_iter_
    assert cold.fit(X, Y["poisson"]).n_iter_ == first
    same_model(warm.set_params(lam=50.0).fit(X, Y["poisson"]), cold.set_params(lam=50.0).fit(X, Y["poisson"]))
    warm.set_params(fit_intercept=False).fit(X, Y["poisson"])
    assert warm.converged_ and warm.intercept_ == 0


GRID, FOLDS = {"lam": [10.0, 1e4]}, KFold(2)


def searched(rows, y, model):
    """The scores of the grid, and what the best model predicts."""
    found = GridSearchCV(model, GRID, cv=FOLDS, error_score="raise").fit(rows, y)
    return found.cv_results_["mean_test_score"], found.predict(rows)


def standardized(lam):
    return Standardized(Ridge(lam))


def test_a_grid_finds_the_lambda_of_a_wrapped_penalty():
    """As a grid over the penalties themselves does; n_jobs takes the function to other processes."""
    lams, model = GRID["lam"], GLMRegressor("poisson", penalty=standardized)
    grids = [GridSearchCV(model, {"lam": lams}, cv=FOLDS, error_score="raise"),
             GridSearchCV(GLMRegressor("poisson"), {"penalty": [standardized(lam) for lam in lams]}, cv=FOLDS)]
    by_name, by_object = (grid.fit(X, Y["poisson"]) for grid in grids)
    scores = [grid.cv_results_["mean_test_score"] for grid in grids]
    assert np.array_equal(*scores) and len(set(scores[0])) > 1
    assert np.array_equal(by_name.best_estimator_.coef_, by_object.best_estimator_.coef_)
    assert by_name.best_params_["lam"] == by_object.best_params_["penalty"].l2
    assert pickle.loads(pickle.dumps(model)).fit(X, Y["poisson"]).coef_.shape == (X.shape[1],)


def test_alpha_per_row_and_lambda_are_what_a_function_gets():
    y = Y["poisson"]
    model = GLMRegressor("poisson", penalty=standardized, alpha_per_row=0.1).fit(X, y)
    direct = fit(X, y, family="poisson", penalty=standardized(0.1 * len(y)), fit_intercept=True)
    assert np.array_equal(model.coef_, direct.beta)
    late = fit(X, LABELS == "yes", family="logistic", penalty=standardized(3.0), fit_intercept=True)
    assert np.array_equal(np.ravel(GLMClassifier(standardized, 3.0).fit(X, LABELS).coef_), late.beta)


@pytest.mark.parametrize("model", [GLMClassifier(), GLMRegressor("poisson")], ids=repr)
def test_a_grid_is_searched_on_dask_arrays_as_in_memory(model):
    y = LABELS if isinstance(model, GLMClassifier) else Y["poisson"]
    scores, predicted = searched(X, y, model)
    assert len(set(scores)) > 1
    on_dask, lazily = searched(lazy(X), lazy(y), model)
    close(on_dask, scores)
    assert isinstance(lazily, da.Array)
    assert (
        lazily.compute().tolist() == pytest.approx(predicted.tolist())
        if y is not LABELS
        else (lazily == predicted).all()
    )


def test_a_dask_frame_cannot_be_searched_and_its_arrays_can():
    """When scikit-learn takes rows of dask frames, the cure in docs/book/estimators.md can go."""
    frame, y = dd.from_pandas(FRAME, npartitions=2), dd.from_pandas(pd.Series(Y["logistic"]), npartitions=2)
    with pytest.raises(AttributeError, match="has no attribute 'take'"):
        searched(frame, y, GLMClassifier())
    scores, _ = searched(frame.to_dask_array(lengths=True), y.to_dask_array(lengths=True), GLMClassifier())
    close(scores, searched(X, Y["logistic"], GLMClassifier())[0])


def test_pipelines_end_in_estimators():
    found = make_pipeline(StandardScaler(), GLMClassifier(lam=0.1)).fit(FRAME, LABELS)
    alone = GLMClassifier(lam=0.1).fit((X - X.mean(0)) / X.std(0), LABELS)
    same_model(found[-1], alone)
    doubled = make_pipeline(FunctionTransformer(lambda rows: 2 * rows), GLMClassifier()).fit(lazy(X), lazy(LABELS))
    assert isinstance(doubled.predict(lazy(X)), da.Array)
    assert doubled.predict(lazy(X)).compute().tolist() == GLMClassifier().fit(2 * X, LABELS).predict(2 * X).tolist()


@pytest.mark.parametrize("make", [np.asarray, lazy], ids=["numpy", "dask"])
def test_exposure_is_routed_to_fits_and_scores(make, routing):
    model = GLMRegressor("poisson").set_fit_request(exposure=True, sample_weight=True)
    model.set_score_request(exposure=True, sample_weight=False)
    rows, y, years, w = map(make, (X, Y["poisson"], YEARS, W))
    found = GridSearchCV(model, GRID, cv=FOLDS, error_score="raise").fit(rows, y, exposure=years, sample_weight=w)
    scores = []
    for train, test in FOLDS.split(X):
        own = GLMRegressor("poisson", lam=10.0)
        own.fit(X[train], Y["poisson"][train], exposure=YEARS[train], sample_weight=W[train])
        scores.append(own.score(X[test], Y["poisson"][test], exposure=YEARS[test]))
    close(found.cv_results_["mean_test_score"][0], np.mean(scores))


def test_offsets_are_routed_to_a_classifier(routing):
    model = GLMClassifier().set_fit_request(offset=True).set_predict_request(offset=True)
    pipe = make_pipeline(StandardScaler(), model).fit(X, LABELS, offset=ETA)
    alone = GLMClassifier().fit((X - X.mean(0)) / X.std(0), LABELS, offset=ETA)
    same_model(pipe[-1], alone)
    assert pipe.predict(X, offset=ETA).tolist() == alone.predict((X - X.mean(0)) / X.std(0), offset=ETA).tolist()


def test_one_against_the_rest_has_a_model_for_each_class():
    y = np.where(X[:, 0] > 0.3, 2, Y["logistic"]).astype(int)
    found = OneVsRestClassifier(GLMClassifier()).fit(X, y)
    assert found.predict_proba(X).shape == (N, 3)
    for k, model in enumerate(found.estimators_):
        same_model(model, GLMClassifier().fit(X, (y == k).astype(int)))


# --- what is refused ------------------------------------------------------------------------------------------------

WRONG = [
    ({"penalty": "l2"}, ValueError, "unknown penalty 'l2'; here it is called 'ridge'"),
    ({"penalty": None}, ValueError, "unknown penalty None; here it is called 'zero'"),
    ({"penalty": "rigde"}, ValueError, "did you mean 'ridge'"),
    ({"penalty": L1}, TypeError, "penalty must be an object, got the class L1"),
    ({"penalty": "elastic_net"}, ValueError, "needs l1_ratio"),
    ({"l1_ratio": 0.5}, ValueError, "penalty 'ridge' has no l1_ratio, got 0.5"),
    ({"penalty": "zero", "lam": 1.0}, ValueError, "penalty 'zero' has no λ"),
    ({"penalty": "zero", "alpha_per_row": 1.0}, ValueError, "penalty 'zero' has no λ"),
    ({"penalty": L1(1.0), "lam": 2.0}, ValueError,
     r"lam=2.0 is given, but the penalty L1\(lam=1\) has its own .*penalty=lambda lam: Standardized"),
    ({"penalty": standardized, "l1_ratio": 0.5}, ValueError, r"l1_ratio=0.5 is given, .* return ElasticNet\(lam, l1_"),
    ({"lam": 1.0, "alpha_per_row": 1.0}, ValueError, "against the sum of the losses .* against their mean: give one"),
    ({"lam": -1.0}, ValueError, "lam must be a finite number >= 0"),
    ({"alpha_per_row": "a"}, TypeError, "alpha_per_row must be a finite number >= 0"),
    ({"solver": "newtn"}, ValueError, "did you mean 'newton'"),
    ({"fit_intercept": "no"}, TypeError, "fit_intercept must be True or False"),
]


@pytest.mark.parametrize(("given", "kind", "said"), WRONG)
def test_parameters_that_make_no_sense_are_refused_in_the_fit(given, kind, said):
    for model, y in ((GLMRegressor(**given), Y["gaussian"]), (GLMClassifier(**given), LABELS)):
        with pytest.raises(kind, match=said):
            model.fit(X, y)


@pytest.mark.parametrize(("word", "said"), [
    ("C", "lam=1/C is the same problem"), ("alpha", "alpha_per_row=alpha is the same problem"), ("n_jobs", "threads="),
    ("random_state", "no solver is random"), ("fit_intercpt", "did you mean 'fit_intercept'"),
])  # fmt: skip
def test_parameters_of_other_libraries_are_refused_with_the_cure(word, said):
    for kind in (GLMRegressor, GLMClassifier):
        with pytest.raises(TypeError, match=rf"{kind.__name__}\(\) has no parameter '{word}'; {said}"):
            kind(**{word: 1})


CURE = r"Only binary classification is supported.*OneVsRestClassifier\(GLMClassifier"
BAD_LABELS = [
    (np.arange(N) % 3, CURE), (np.arange(N) % 5, r"y holds 0, 1, 2 …; one-vs-rest"),
    (np.ones(N), "one class only, 1.0"), (X[:, 0], "Unknown label type: continuous"),
    (np.where(LABELS == "no", None, "yes"), "a missing label"),
    (np.where(LABELS == "no", np.nan, 1.0), "a missing label"),
]  # fmt: skip


@pytest.mark.parametrize("make", [np.asarray, lazy], ids=["numpy", "dask"])
@pytest.mark.parametrize(("y", "said"), BAD_LABELS)
def test_labels_that_are_not_of_two_classes_are_refused(y, said, make):
    if make is lazy and "…" in said:
        said = CURE  # of each block three labels are read
    with pytest.raises(ValueError, match=said):
        GLMClassifier().fit(X, make(y))


def exposure(values):
    return lambda: GLMRegressor("poisson").fit(X, Y["poisson"], exposure=values)


REFUSED = {
    "no y": (lambda: GLMRegressor().fit(X, None), "requires y to be passed, but the target y is None"),
    "NaN": (lambda: GLMRegressor().fit(X * np.nan, Y["gaussian"]), "Input X contains NaN"),
    "NaN on dask": (lambda: GLMRegressor().fit(lazy(X * np.nan), Y["gaussian"]), "X holds nan in column"),
    "y and X": (lambda: GLMRegressor().fit(FRAME, pd.Series(Y["gaussian"])[::-1]), "y and X have different indexes"),
    "labels": (lambda: GLMClassifier().fit(FRAME, pd.Series(LABELS)[::-1]), "y and X have different indexes"),
    "weights and X": (
        lambda: GLMClassifier(class_weight="balanced").fit(FRAME, LABELS, sample_weight=pd.Series(W)[::-1]),
        "sample_weight and X have different indexes"),
    "offset and X": (lambda: GLMClassifier().fit(FRAME, LABELS, offset=pd.Series(W)[::-1]), "offset and X"),
    "lengths": (lambda: GLMRegressor().fit(X, Y["gaussian"][1:]), "y has 239 rows but X has 240"),
    "lengths of weights": (
        lambda: GLMClassifier(class_weight="balanced").fit(X, LABELS, sample_weight=W[1:]),
        "sample_weight has 239 rows but X has 240"),
    "lengths of a score": (lambda: GLMClassifier().fit(X, LABELS).score(X, LABELS[1:]), "y has 239 rows but X has 240"),
    "no counts": (lambda: GLMRegressor("poisson").fit(X, Y["gaussian"]), r"y does not suit Poisson\(\)"),
    "exposure 0": (exposure(0 * YEARS), "exposure must be positive and finite on every row, got 0.0"),
    "exposure 0 on dask": (exposure(lazy(0 * YEARS)), "exposure must be positive"),
    "exposure NaN": (exposure(np.nan * YEARS), "exposure must be positive and finite on every row, got nan"),
    "exposure twice": (
        lambda: GLMRegressor("poisson").fit(X, Y["poisson"], offset=ETA, exposure=YEARS), "both given: pass offset="),
    "exposure without a logarithm": (
        lambda: GLMRegressor().fit(X, Y["gaussian"], exposure=YEARS), "the family is 'gaussian': pass offset="),
    "a class without weight": (
        lambda: GLMClassifier(class_weight="balanced").fit(X, LABELS, sample_weight=1.0 * (LABELS == "no")),
        "sample_weight is zero on all rows of one"),
    "unknown classes": (
        lambda: GLMClassifier(class_weight={"no": 1.0, "yse": 2.0}).fit(X, LABELS), "are not in class_weight"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_fitted_is_refused(name):
    call, said = REFUSED[name]
    with pytest.raises(ValueError, match=said):
        call()


def test_a_column_vector_is_used_with_scikit_learns_warning():
    for model, y in ((GLMRegressor(), Y["gaussian"]), (GLMClassifier(), LABELS)):
        with pytest.warns(DataConversionWarning):
            column = clone(model).fit(X, y[:, None])
        same_model(column, model.fit(X, y), 1e-12)


def test_warnings_of_a_fit_stay_warnings_of_this_package():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        GLMClassifier(penalty="zero").fit([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1])
    assert [warning.category for warning in caught] == [NotConverged]
    assert "minimum" in str(caught[0].message)


def test_a_score_asks_for_the_exposure_of_the_fit():
    rng = np.random.default_rng(0)
    X, years = rng.normal(size=(200, 2)), rng.uniform(0.5, 3, 200)
    y = rng.poisson(years * np.exp(X[:, 0] - 1))
    model = GLMRegressor("poisson", penalty="zero").fit(X, y, exposure=years)
    assert 0.1 < model.score(X, y, exposure=years) == model.score(X, y, offset=np.log(years))
    with pytest.raises(TypeError, match="fitted with an exposure: pass exposure="):
        model.score(X, y)
    assert GLMRegressor("poisson", penalty="zero").fit(X, y).score(X, y) < 1
