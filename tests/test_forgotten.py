"""What users forget or mix up is refused, and the error names what they typed: offsets, labels of rows, weights."""

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from naive import draw

from glmlab import calibration, cross_validate_path, fit, infer, leverages, path
from glmlab.estimators import GLMClassifier, GLMRegressor

N = 80
RNG = np.random.default_rng(3)
X = RNG.normal(size=(N, 3))
ETA = X @ [0.5, -0.4, 0.2]
COUNTS = draw("poisson", ETA, RNG)
LABELS = np.where(draw("logistic", ETA, RNG) == 1, "yes", "no")
OFFSET = RNG.normal(size=N) / 2
GROUPS = RNG.integers(0, 12, N)
FRAME = pd.DataFrame(X, columns=list("abc"))
MASKED = np.ma.masked_greater(X, 1)
RESULT = fit(X, COUNTS, family="poisson", fit_intercept=True)


def lazy(values, rows=30):
    return da.from_array(values, chunks=(rows, *values.shape[1:]))


# --- a forgotten offset ---------------------------------------------------------------------------------------------

FORGOTTEN = "fitted with an offset: pass offset=…"


@pytest.mark.parametrize("make", [np.asarray, lazy], ids=["numpy", "dask"])
def test_a_result_knows_that_its_fit_had_an_offset(make):
    result = fit(make(X), make(COUNTS), family="poisson", offset=make(OFFSET))
    assert result.shifted and not RESULT.shifted
    with pytest.raises(TypeError, match=FORGOTTEN):
        result.predict(X)
    np.testing.assert_allclose(result.predict(X, offset=OFFSET), np.exp(X @ result.beta + OFFSET), rtol=1e-12)
    np.testing.assert_allclose(result.predict(X, offset=0 * OFFSET), np.exp(X @ result.beta), rtol=1e-12)


def test_paths_and_folds_know_it_too():
    found = cross_validate_path(X, COUNTS, family="poisson", offset=OFFSET, cv=2, lams=[1.0, 0.5])
    assert all(result.shifted for some in (found.path, *found.results) for result in some)
    assert not path(X, COUNTS, family="poisson", lams=[1.0])[0].shifted


def test_an_estimator_asks_for_the_offset_that_its_fit_had():
    numbers, labels = (
        GLMRegressor("poisson").fit(X, COUNTS, offset=OFFSET),
        GLMClassifier().fit(X, LABELS, offset=OFFSET),
    )
    assert numbers.needs_offset_ and labels.needs_offset_
    for call in (labels.decision_function, labels.predict, labels.predict_proba, numbers.predict):
        with pytest.raises(TypeError, match=FORGOTTEN):
            call(X)
        assert len(call(X, offset=OFFSET)) == N
    for model, y in ((numbers, COUNTS), (labels, LABELS)):
        with pytest.raises(TypeError, match=FORGOTTEN):
            model.score(X, y)
        assert model.score(X, y, offset=OFFSET) <= 1
        assert not model.fit(X, y).needs_offset_ and np.isfinite(model.score(X, y))


def test_an_exposure_has_a_unit_and_serves_as_the_offset():
    """Without an exposure rows have one unit of it. Of a fit with an offset, no such unit is known."""
    years = np.exp(OFFSET)
    model = GLMRegressor("poisson").fit(X, COUNTS, exposure=years)
    assert not model.needs_offset_
    np.testing.assert_array_equal(model.predict(X), model.predict(X, exposure=np.ones(N)))
    other = GLMRegressor("poisson").fit(X, COUNTS, offset=OFFSET)
    np.testing.assert_allclose(other.predict(X, exposure=years), other.predict(X, offset=OFFSET), rtol=1e-12)


# --- groups ---------------------------------------------------------------------------------------------------------


def clustered(groups, rows=FRAME, y=COUNTS, w=None):
    result = fit(rows, y, family="poisson", fit_intercept=True, sample_weight=w)
    return infer(result, rows, y, sample_weight=w, covariance="cluster", groups=groups)


def test_groups_are_paired_with_rows_by_their_index_or_not_at_all():
    shuffled = pd.Series(GROUPS).sample(frac=1, random_state=0)
    for groups in (shuffled, dd.from_pandas(shuffled, npartitions=2, sort=False)):
        with pytest.raises(ValueError, match=r"^groups and X have different indexes .* type groups.loc\[X.index\]"):
            clustered(groups)
    with pytest.raises(ValueError, match="^groups and y have different indexes"):
        clustered(shuffled, X, pd.Series(COUNTS))
    expected = clustered(GROUPS, X).errors
    for groups in (pd.Series(GROUPS), shuffled.loc[FRAME.index], dd.from_pandas(pd.Series(GROUPS), npartitions=3)):
        np.testing.assert_allclose(clustered(groups).errors, expected, rtol=1e-10)
    np.testing.assert_allclose(clustered(shuffled.loc[FRAME.index], X).errors, expected, rtol=1e-10)


def test_names_of_groups_have_no_part_in_the_answer():
    expected = clustered(GROUPS).errors
    mixed = [f"g{k}" if k % 2 else int(k) for k in GROUPS]
    for groups in (GROUPS + 0.5, -GROUPS, mixed, pd.Categorical(GROUPS.astype(str)), pd.Series(mixed)):
        np.testing.assert_allclose(clustered(groups).errors, expected, rtol=1e-10)


@pytest.mark.parametrize("groups", [
    [None if k < 3 else f"g{k}" for k in GROUPS], np.where(GROUPS < 3, np.nan, GROUPS),
    [np.nan if k < 3 else "g" for k in GROUPS], np.ma.masked_less(GROUPS, 3),
    pd.Series(GROUPS, dtype="Int64").where(GROUPS >= 3),
], ids=["None", "NaN", "NaN in text", "masked", "NA"])  # fmt: skip
def test_a_row_without_a_group_is_refused(groups):
    with pytest.raises(ValueError, match=f"groups has no label on {np.sum(GROUPS < 3)} rows"):
        clustered(groups)


@pytest.mark.parametrize("make", [np.asarray, lazy], ids=["numpy", "dask"])
def test_groups_of_weight_0_are_as_good_as_dropped(make):
    w = 1.0 * (GROUPS >= 4)
    kept = w > 0
    found = clustered(GROUPS, *map(make, (X, COUNTS, w)))
    expected = clustered(GROUPS[kept], X[kept], COUNTS[kept])
    assert found.freedom == expected.freedom == len(np.unique(GROUPS[kept])) - 1
    np.testing.assert_allclose(found.covariance, expected.covariance, rtol=1e-8)
    with pytest.raises(ValueError, match="one label only on the rows of positive weight"):
        clustered(1 * kept, *map(make, (X, COUNTS, w)))


# --- one object for another -----------------------------------------------------------------------------------------

OTHERS = {
    "an estimator": (lambda: GLMRegressor("poisson").fit(X, COUNTS), "got GLMRegressor; .* pass estimator.result_"),
    "a path": (lambda: path(X, COUNTS, family="poisson", penalty="ridge", lams=[1.0]), r"got Path; .* as path\[-1\]"),
    "a cross-validation": (
        lambda: cross_validate_path(X, COUNTS, family="poisson", penalty="ridge", cv=2, lams=[1.0]),
        r"got CrossValidation; .* as found.path\[-1\]"),
    "numbers": (lambda: np.ones(3), "got ndarray; certify takes"),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_infer_says_where_the_result_is(name):
    make, said = OTHERS[name]
    with pytest.raises(TypeError, match=f"infer needs the Result of a fit, {said}"):
        infer(make(), X, COUNTS)


@pytest.mark.parametrize("diagnostic", [leverages, calibration])
def test_diagnostics_ask_for_an_inference(diagnostic):
    with pytest.raises(TypeError, match=rf"{diagnostic.__name__} needs the Inference .* got Result: pass infer\("):
        diagnostic(RESULT)


# --- what estimators are given --------------------------------------------------------------------------------------


def test_masked_arrays_are_refused_in_the_words_of_fit():
    counts, labels = np.ma.masked_greater(COUNTS, 1), np.ma.masked_array(LABELS, mask=COUNTS > 1)
    model = GLMRegressor().fit(X, COUNTS)
    for name, call in [
        ("X", lambda: fit(MASKED, COUNTS, family="gaussian")), ("X", lambda: GLMRegressor().fit(MASKED, COUNTS)),
        ("X", lambda: model.predict(MASKED)), ("X", lambda: GLMClassifier().fit(MASKED, LABELS)),
        ("y", lambda: GLMRegressor().fit(X, counts)), ("y", lambda: model.score(X, counts)),
        ("y", lambda: GLMClassifier().fit(X, labels)),
        ("sample_weight", lambda: GLMRegressor().fit(X, COUNTS, sample_weight=counts)),
    ]:  # fmt: skip
        with pytest.raises(TypeError, match=f"^{name} is a masked array; fill or drop its masked rows first"):
            call()


def scored(y, w=None):
    return GLMClassifier().fit(X, LABELS).score(X, y, sample_weight=w)


IS_YES, FEW = LABELS == "yes", np.arange(N) < 2
WEIGHTS = {
    "negative": (np.where(FEW, -1.0, 2.0), "sample_weight has 2 negative values"),
    "zero": (np.zeros(N), "sample_weight is zero on every row"),
    "NaN": (np.where(FEW, np.nan, 1.0), r"sample_weight holds nan( in block 0)? \(2 values"),
}


@pytest.mark.parametrize("make", [np.asarray, lazy], ids=["numpy", "dask"])
@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_that_no_fit_takes_are_named_wherever_they_are_summed(name, make):
    w, said = WEIGHTS[name]
    for call in (
        lambda: fit(X, COUNTS, family="poisson", sample_weight=make(w)), lambda: scored(make(LABELS), make(w)),
        lambda: GLMRegressor("poisson", alpha_per_row=0.1).fit(X, COUNTS, sample_weight=make(w)),
        lambda: GLMClassifier(class_weight="balanced").fit(X, LABELS, sample_weight=make(w)),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=f"^{said}"):
            call()


def test_a_weight_of_a_class_is_named():
    with pytest.raises(ValueError, match=r"^class_weight\['yes'\] must be a finite number >= 0, got -2.0"):
        GLMClassifier(class_weight={"no": 1.0, "yes": -2.0}).fit(X, LABELS)


@pytest.mark.parametrize("make", [np.asarray, lazy], ids=["numpy", "dask"])
def test_labels_that_a_fit_has_not_seen_get_no_score(make):
    for y, count in ((1 * IS_YES, N), (np.where(FEW, "maybe", LABELS), 2)):
        with pytest.raises(ValueError, match=rf"y has {count} labels that are none of the classes .*\['no', 'yes'\]"):
            scored(make(y))
    model = GLMClassifier().fit(X, 1.0 * IS_YES)
    with pytest.raises(ValueError, match="missing label|labels that are none of the classes"):
        model.score(X, make(np.where(FEW, np.nan, 1.0 * IS_YES)))
    assert model.score(X, make(1 * IS_YES)) == model.score(X, make(IS_YES)) == np.mean(model.predict(X) == IS_YES)


def test_an_exposure_is_called_so_in_errors():
    model = GLMRegressor("poisson")
    with pytest.raises(ValueError, match="^exposure has 3 rows but X has 80"):
        model.fit(X, COUNTS, exposure=np.ones(3))
    with pytest.raises(ValueError, match="^exposure has 3 rows but X has 80"):
        model.fit(X, COUNTS).predict(X, exposure=np.ones(3))
    with pytest.raises(ValueError, match="^exposure and X have different indexes"):
        model.fit(FRAME, COUNTS, exposure=pd.Series(np.exp(OFFSET))[::-1])


OPTIONS = [
    ({"tol": 1e-3}, r"options has 'tol', a parameter of GLMRegressor: write GLMRegressor\(tol=0.001\)"),
    ({"offset": OFFSET}, "options has 'offset'; pass it to the estimator's fit"),
    ({"start": "pilot"}, "options has 'start'; warm_start=True"), (["a"], r"options must be a dict .*, got \['a'\]"),
    ({"foo": 1}, "no option 'foo'"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "said"), OPTIONS)
def test_options_are_those_that_the_estimator_does_not_have(options, said):
    with pytest.raises(TypeError, match=said):
        GLMRegressor(options=options).fit(X, COUNTS)


def test_a_warm_start_with_other_columns_is_called_so():
    model = GLMRegressor("poisson", warm_start=True).fit(X, COUNTS)
    with pytest.raises(ValueError, match="X has 2 columns, but warm_start=True starts at the last fit, which had 3"):
        model.fit(X[:, :2], COUNTS)
