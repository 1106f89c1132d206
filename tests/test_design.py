"""A formula makes the same columns of every table: in memory, on dask, of rows that come later."""

import pickle

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from glmlab import Design, Ridge, fit
from glmlab.datasets import flights

FORMULA = "carrier + log(miles) + carrier:hour"


def table(n=300, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame({
        "carrier": rng.choice(["AA", "DL", "UA"], n), "miles": rng.uniform(100, 2000, n),
        "hour": rng.integers(5, 24, n), "late": rng.random(n) < 0.3,
    }, index=[f"row {i}" for i in range(n)])  # fmt: skip


def test_the_columns_of_a_small_table_by_hand():
    frame = pd.DataFrame({"a": ["x", "y", "z", "x"], "m": [1.0, 2.0, 3.0, 4.0]}, index=list("pqrs"))
    made = Design("a + m", frame)(frame)
    assert made.columns.tolist() == ["a[T.y]", "a[T.z]", "m"] and made.index.tolist() == list("pqrs")
    assert made.to_numpy().tolist() == [[0, 0, 1], [1, 0, 2], [0, 1, 3], [0, 0, 4]]


def test_a_fit_of_its_columns_is_statsmodels_fit_of_the_formula():
    frame = table()
    design = Design(FORMULA, frame)
    ours = fit(design(frame), frame["late"], family="logistic", fit_intercept=True, tol=1e-12)
    theirs = smf.logit("late ~ carrier + np.log(miles) + carrier:hour", frame.assign(late=frame["late"] * 1.0)).fit(
        disp=0, tol=1e-12)  # fmt: skip
    assert ours.names == design.names and len(ours.names) == len(theirs.params) - 1
    np.testing.assert_allclose(sorted([ours.intercept, *ours.beta]), sorted(theirs.params), atol=1e-6)
    mean = ours.predict(design(frame[:7]))
    np.testing.assert_allclose(mean, theirs.predict(frame[:7]), atol=1e-7)


def test_blocks_of_a_dask_table_get_the_columns_of_the_whole():
    """The first block lacks a level, and one block has no row."""
    frame = table().sort_values("carrier").reset_index(drop=True)
    lazy = dd.from_pandas(frame, npartitions=5)
    first, rest = lazy.partitions[0], lazy.partitions[1:]
    lazy = dd.concat([first, first[first["miles"] < 0], rest])
    whole, there = Design(FORMULA, frame), Design(FORMULA, lazy)
    assert there.names == whole.names and all((there.levels[k] == whole.levels[k]).all() for k in whole.levels)
    made = there(lazy)
    assert isinstance(made, dd.DataFrame)
    pd.testing.assert_frame_equal(made.compute().reset_index(drop=True), whole(frame))
    result = fit(made, lazy["late"], family="logistic", fit_intercept=True)
    assert result.converged and result.names == whole.names


def test_real_flights_with_their_carriers():
    frame = flights("pandas").dropna().head(5000)
    design = Design("carrier + origin + log(distance)", frame)
    late = frame["arr_delay"] > 15
    result = fit(design(frame), late, family="logistic", penalty=Ridge(1.0), fit_intercept=True)
    assert result.converged and result.beta.shape == (len(design.names),)


@pytest.mark.parametrize("lazy", [False, True])
def test_a_level_that_was_not_seen_is_refused_by_name(lazy):
    frame = table()
    design, later = Design("carrier", frame), frame.assign(carrier="WN")
    with pytest.raises(ValueError, match="'carrier' has levels that the design has not seen: 'WN'"):
        made = design(dd.from_pandas(later, npartitions=2) if lazy else later)
        made.compute() if lazy else None


def test_a_missing_category_is_refused_and_no_row_is_dropped():
    frame = table()
    holed = frame.assign(carrier=frame["carrier"].where(frame["hour"] > 6))
    for build in (lambda: Design("carrier", holed), lambda: Design("carrier", frame)(holed)):
        with pytest.raises(ValueError, match=r"lacks \d+ of 300 categories; fill them"):
            build()
    made = Design("carrier + miles", frame)(frame.assign(miles=frame["miles"].where(frame["hour"] > 6)))
    assert len(made) == 300 and not made["carrier[T.UA]"].isna().any()
    assert made["miles"].isna().sum() == (frame["hour"] <= 6).sum()
    with pytest.raises(ValueError, match="not finite"):
        fit(made, frame["late"], family="logistic")


def test_what_a_transform_learned_holds_for_later_rows_and_is_refused_on_dask():
    frame = table()
    design = Design("center(miles)", frame)
    expected = frame["miles"][:5] - frame["miles"].mean()
    np.testing.assert_allclose(design(frame[:5]).iloc[:, 0], expected)
    with pytest.raises(ValueError, match=r"center\(miles\) learns from all rows"):
        Design("center(miles)", dd.from_pandas(frame, npartitions=3))


def test_wrong_formulas_and_tables_are_refused():
    frame = table()
    with pytest.raises(ValueError, match="has a left side"):
        Design("late ~ carrier", frame)
    with pytest.raises(ValueError, match="no column 'carier'; did you mean 'carrier'"):
        Design("carier", frame)
    with pytest.raises(ValueError, match="no column 'carrier'"):
        Design("carrier", frame)(frame.drop(columns="carrier"))
    with pytest.raises(TypeError, match="a table with named columns, got ndarray"):
        Design("carrier", np.ones((3, 2)))


def test_it_travels_and_takes_polars():
    frame = table()
    design = Design(FORMULA, frame)
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(design))(frame), design(frame))
    polars = pytest.importorskip("polars")
    made = design(polars.from_pandas(frame))
    np.testing.assert_array_equal(made.to_numpy(), design(frame).to_numpy())


def test_ordered_categories_keep_their_order():
    sizes = pd.Categorical(["small", "large", "middle"] * 100, ["small", "middle", "large", "none"])
    frame = table().assign(size=sizes)
    assert Design("size", frame).names == ("size[T.middle]", "size[T.large]")


def test_a_frame_of_text_that_goes_straight_to_a_fit_is_told_of_designs():
    frame = table()
    with pytest.raises(TypeError, match=r"not numbers: \['carrier'\]; encode them, as glmlab.Design does"):
        fit(frame[["carrier", "miles"]], frame["late"], family="logistic")
    with pytest.raises(ValueError, match="no column 'weekday'; known are carrier, hour, late, miles"):
        Design("weekday", frame)
