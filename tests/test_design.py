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


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("formula", [
    "{miles - miles.mean()}", "{miles.cumsum()}", "{miles / miles.max()}", "lag(miles)", "np.cumsum(miles)",
    "I(miles[::-1])", "np.matmul(miles, hour)", "I(miles @ hour)", "hashed(carrier, levels=3)", "{miles.values}",
    "{(lambda x: x)(miles)}", "log(miles) + hour:lag(miles)",
])  # fmt: skip
def test_code_that_may_look_at_other_rows_is_refused(formula, lazy):
    frame = table()
    with pytest.raises(ValueError, match="may look at other rows"):
        Design(formula, dd.from_pandas(frame, npartitions=3) if lazy else frame)


@pytest.mark.parametrize("formula", ["center(miles)", "scale(miles)", "poly(miles, 2)", "bs(log(miles), df=4)"])
def test_a_transform_that_learns_makes_the_same_rows_of_a_part_of_the_table(formula):
    frame = table()
    design = Design(formula, frame)
    inner = frame[10:60]
    pd.testing.assert_frame_equal(design(inner), design(frame)[10:60])
    with pytest.raises(ValueError, match="learns from all rows"):
        Design(formula, dd.from_pandas(frame, npartitions=3))


def test_row_by_row_code_makes_the_same_rows_of_blocks_as_of_the_whole():
    frame = table().reset_index(drop=True).rename(columns={"miles": "miles flown"})
    formula = "np.sqrt(`miles flown`) + {`miles flown` / hour} + I(hour > 17) + C(carrier, contr.sum) + exp(-hour)"
    made = Design(formula, frame)(frame)
    lazy = dd.from_pandas(frame, npartitions=4)
    pd.testing.assert_frame_equal(Design(formula, lazy)(lazy).compute(), made)
    np.testing.assert_array_equal(made.iloc[:, 0], np.sqrt(frame["miles flown"]))
    np.testing.assert_array_equal(made.iloc[:, 1], frame["miles flown"] / frame["hour"])
    assert sum(name.startswith("C(carrier, contr.sum)") for name in made.columns) == 2


@pytest.mark.parametrize("lazy", [False, True])
def test_numbers_become_categories_by_a_cast_and_not_by_C(lazy):
    """The levels of all blocks are learned, in the order of the numbers; 10 is after 9."""
    frame = table().sort_values("hour").reset_index(drop=True)
    given = dd.from_pandas(frame, npartitions=4) if lazy else frame
    for formula in ("C(hour)", "C(hour > 10)", "I(C(hour))"):
        with pytest.raises(ValueError, match=r"C\(\) takes columns of text or categories, not"):
            Design(formula, given)
    cast = given.astype({"hour": "category"})
    design = Design("hour", cast)
    assert design.names == tuple(f"hour[T.{hour}]" for hour in range(6, 24))
    made = design(cast)
    made = made.compute() if lazy else made
    np.testing.assert_array_equal(made.to_numpy(), frame["hour"].to_numpy()[:, None] == np.arange(6, 24))
    later = frame.assign(hour=pd.Categorical([99] * 300))
    with pytest.raises(ValueError, match="'hour' has levels that the design has not seen: 99"):
        design(later)
    with pytest.raises(ValueError, match="'hour' lacks 300 of 300"):
        design(frame.assign(hour=pd.Categorical([None] * 300, categories=[5, 6])))


@pytest.mark.parametrize("formula", ["C(carrier, levels=['AA', 'DL'])", "C(carrier, **{'levels': []})", "C(data=hour)"])
def test_levels_in_a_formula_are_refused(formula):
    with pytest.raises(ValueError, match=r"C\(\) takes a column and its contrasts"):
        Design(formula, table())


def test_a_missing_number_in_a_comparison_is_refused():
    frame = table()
    holed = frame.assign(miles=frame["miles"].where(frame["hour"] > 6))
    for build in (lambda: Design("I(miles > 500)", holed), lambda: Design("I(miles > 500)", frame)(holed)):
        with pytest.raises(ValueError, match="column 'miles' lacks"):
            build()
    with pytest.raises(ValueError, match=r"the function np.greater, which is unknown"):
        Design("np.greater(miles, 500)", frame)


@pytest.mark.parametrize("dtype", ["boolean", "Int64", "Float64"])
def test_a_missing_number_of_a_nullable_column_is_a_nan(dtype):
    frame = pd.DataFrame({"b": pd.array([True, None, False], dtype="boolean").astype(dtype)})
    np.testing.assert_array_equal(Design("b", frame)(frame)["b"], [1.0, np.nan, 0.0])


def test_a_column_with_the_name_of_a_function_is_not_needed_by_the_function():
    frame = table().assign(log=[None, "a"] * 150)
    assert Design("log(miles)", frame).needs == ["miles"]


@pytest.mark.parametrize(("formula", "change", "says"), [
    ("mixed", {"mixed": [1, "a"] * 150}, "column 'mixed' mixes int and str; make text of all"),
    ("when", {"when": pd.date_range("2020", periods=300)}, "'when' has datetime64.*neither real numbers nor text"),
    ("z", {"z": 1j}, "column 'z' has complex128, neither real numbers nor text"),
    ("foo(miles)", {}, "'foo\\(miles\\)' in the formula has the function foo, which is unknown"),
    ("miles | carrier", {}, "has several parts"),
    (".", {}, "the formula '.' cannot be read"),
    ("log(miles", {}, "the formula 'log\\(miles' cannot be read"),
    ("log(miles +)", {}, "cannot be read"),
    ("Intercept + miles", {"Intercept": 2.0}, "'Intercept' means the constant column"),
])  # fmt: skip
def test_what_cannot_be_right_is_refused_by_the_name_that_was_typed(formula, change, says):
    with pytest.raises(ValueError, match=says):
        Design(formula, table().assign(**change))


def test_names_of_columns_are_text_and_unique():
    frame = table()
    with pytest.raises(ValueError, match="the table has 2 columns 'miles'; keep one"):
        Design("miles", pd.concat([frame, frame], axis=1))
    with pytest.raises(ValueError, match=r"the name of column 0 is no text; use table.rename\(columns=str\)"):
        Design("`0`", pd.DataFrame(np.ones((3, 2))))
    with pytest.raises(TypeError, match="a formula is text, such as .*; got list"):
        Design(["miles"], frame)
    with pytest.raises(ValueError, match="has not seen: 5, 'WN'"):
        Design("carrier", frame)(frame.assign(carrier=[5, "WN", "AA"] * 100))


@pytest.mark.parametrize("text", ["2024-01-31", "31.1.2024", "1/31/24"])
def test_dates_as_text_are_no_categories_unless_they_are_asked_for(text):
    table = pd.DataFrame({"day": [text] * 4, "miles": [1.0, 2.0, 3.0, 4.0]})
    with pytest.raises(ValueError, match=r"column 'day' holds dates as text, as '.*'; make a number of it before"):
        Design("day + miles", table)
    assert Design("day + miles", table.astype({"day": "category"})).names == ("miles",)
    assert Design("day", pd.DataFrame({"day": [text, "never"]})).names != (), "one word is no date"
