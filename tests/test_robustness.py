"""Bad inputs: never a hang, a silent wrong answer, an error from the inside, a changed input, or work left behind.

Each section is a line of the table that the library promises to keep, in memory and on dask, for every solver.
"""

import contextlib
import re
import warnings
from decimal import Decimal
from fractions import Fraction

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import zarr
from scipy import sparse

import glmlab
from glmlab import L1, ElasticNet, NotConverged, Objective, RankWarning, Ridge, Zero, as_chunks, certify, fit, run
from glmlab.solvers import METHODS, SOLVERS

pytestmark = pytest.mark.timeout(60)

N, P = 60, 3
ROWS = (25, 25, 10)  # the row chunks on dask
FAMILIES = ["gaussian", "logistic", "poisson", "gamma"]
ARGUMENTS = ["X", "y", "sample_weight", "offset"]
# No argument or message of ours speaks of these: they would be names from the inside.
INSIDE = r"KeyError|IndexError|AttributeError|LinAlgError|'NoneType'|unhashable|TaskRef|object is not|has no attribute"


def problem(family="logistic", n=N, p=P, seed=0):
    """X, y, sample_weight and offset on which every solver converges quickly."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) / 2
    y = {
        "gaussian": rng.normal(size=n),
        "logistic": (rng.random(n) < 0.5).astype(float),
        "poisson": rng.poisson(2.0, n).astype(float),
        "gamma": rng.gamma(2.0, 1.0, n),
    }[family]
    return {"X": X, "y": y, "sample_weight": rng.uniform(0.5, 2, n), "offset": rng.normal(size=n) / 10}


def on_dask(a):
    return da.from_array(a, chunks=(ROWS, *a.shape[1:]) if len(a) == N else -1)


def placed(place, given):
    return {name: place(value) if isinstance(value, np.ndarray) else value for name, value in given.items()}


def solve(given, family="logistic", penalty=None, **options):
    """fit, on one thread, λ = 1 unless told."""
    given = dict(given)
    penalty = Ridge(1) if penalty is None else penalty
    return fit(given.pop("X"), given.pop("y"), family=family, penalty=penalty, **{"threads": 1} | given | options)


def shown(value):
    """A test's name for a value, the same in every process."""
    return re.sub(r" at 0x\w+", "", repr(value))


def refused(error, *words):
    """A context that wants the error, with all words in its message and none from the inside."""
    return Refused(error, words)


class Refused:
    def __init__(self, error, words):
        self.error, self.words = error, words

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        assert kind is not None, f"nothing was refused; wanted {self.error} about {self.words}"
        if not issubclass(kind, (ValueError, TypeError)):
            return False
        message = str(value)
        assert issubclass(kind, self.error), f"{kind.__name__}: {message}"
        missing = [word for word in self.words if not re.search(word, message)]
        assert not missing, f"{missing} not in {message!r}"
        assert not re.search(INSIDE, message), message
        return True


def nothing_computed():
    """Any task sent to dask fails."""

    def get(*args, **kwargs):
        raise AssertionError("a task was sent")

    return dask.config.set(scheduler=get)


def same(one, other, rtol=1e-6):
    """Two answers to one problem: certified, and equal to what was certified."""
    assert one.converged and other.converged
    assert abs(one.objective - other.objective) <= one.certificate.bound + other.certificate.bound
    np.testing.assert_allclose(one.beta, other.beta, rtol=rtol, atol=rtol)


def equal_bits(one, other):
    assert np.array_equal(one.beta, other.beta) and one.intercept == other.intercept
    assert one.objective == other.objective and one.status == other.status


places = pytest.mark.parametrize("place", [np.array, on_dask], ids=["memory", "dask"])
solvers = pytest.mark.parametrize("solver", SOLVERS)
# Bits do not depend on the place (test_bits.py), so the long runs visit dask with two solvers only.
solvers_at_places = pytest.mark.parametrize(
    "place, solver", [(np.array, solver) for solver in SOLVERS] + [(on_dask, "fista"), (on_dask, "newton")],
    ids=lambda value: {np.array: "memory", on_dask: "dask"}.get(value, value),
)  # fmt: skip


# --- NaN and infinities, in any chunk ---------------------------------------------------------------------------


@places
@solvers
@pytest.mark.parametrize("name", ARGUMENTS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_non_finite_values_in_the_last_chunk(place, solver, name, value):
    given = problem()
    given[name][-1] = value
    with refused(ValueError, rf"^{name}\b", str(value).lstrip("-")):
        solve(placed(place, given), solver=solver)


@places
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", ARGUMENTS)
@pytest.mark.parametrize("row", [0, 30, N - 1])
def test_non_finite_values_in_every_family_and_chunk(place, family, name, row):
    given = problem(family)
    given[name][row] = np.nan
    with refused(ValueError, rf"^{name}\b", "nan"):
        solve(placed(place, given), family)


@places
@pytest.mark.parametrize("name", ARGUMENTS)
def test_certify_refuses_non_finite_values(place, name):
    given = problem()
    given[name][-1] = np.nan
    given = placed(place, given)
    with refused(ValueError, rf"^{name}\b", "nan"):
        certify(given.pop("X"), given.pop("y"), np.zeros(P), family="logistic", **given)


@pytest.mark.parametrize("make", [sparse.csr_array, sparse.csc_array, sparse.coo_array])
def test_nan_among_the_stored_values_of_a_sparse_matrix(make):
    given = problem()
    given["X"][-1, 1] = np.nan
    with refused(ValueError, r"^X\b", "nan"):
        solve(given | {"X": make(given["X"])})


@places
@pytest.mark.parametrize("name", ["X", "y", "offset"])
def test_nan_in_a_row_of_weight_zero_is_refused_or_without_effect(place, name):
    given = problem()
    given["sample_weight"][-1] = 0
    clean = solve(placed(place, given))
    given[name][-1] = np.nan
    try:
        result = solve(placed(place, given))
    except ValueError as error:
        assert str(error).startswith(name)
    else:
        equal_bits(result, clean)


@places
def test_nan_for_an_integer_family_is_not_called_a_bad_label(place):
    given = problem("poisson")
    given["y"][-1] = np.nan
    with refused(ValueError, "y holds nan"):
        solve(placed(place, given), "poisson")


# --- weights ----------------------------------------------------------------------------------------------------


@places
@solvers
def test_negative_weight(place, solver):
    given = problem()
    given["sample_weight"][-1] = -1e-3
    with refused(ValueError, "sample_weight", "negative"):
        solve(placed(place, given), solver=solver)


@places
@pytest.mark.parametrize("family", FAMILIES)
def test_all_weights_zero(place, family):
    given = problem(family) | {"sample_weight": np.zeros(N)}
    with refused(ValueError, "sample_weight", "zero"):
        solve(placed(place, given), family)


@solvers_at_places
@pytest.mark.parametrize("family", FAMILIES)
def test_zero_weights_on_a_whole_chunk_are_the_answer_without_those_rows(place, solver, family):
    given = problem(family)
    given["sample_weight"][25:50] = 0
    keep = {name: np.delete(value, np.s_[25:50], axis=0) for name, value in given.items()}
    options = dict(solver=solver, fit_intercept=True, tol=1e-10)
    same(solve(placed(place, given), family, **options), solve(keep, family, **options), rtol=1e-4)


@places
@pytest.mark.parametrize("family", FAMILIES)
def test_a_level_whose_rows_all_have_weight_0_is_no_level(place, family):
    """Rows that do not count see its column: X has one rank more than what is minimised."""
    given, level = problem(family), np.arange(N) % 4
    given["X"] = np.column_stack([given["X"], *(level == k for k in (1, 2, 3))]).astype(float)
    given["sample_weight"][level == 3] = 0
    less = {name: value[level != 3] for name, value in given.items()} | {"X": given["X"][level != 3, :-1]}
    options = dict(penalty=Zero(), fit_intercept=True)
    with pytest.warns(RankWarning):
        found = solve(placed(place, given), family, **options)
    alone = solve(less, family, **options)
    assert found.converged and found.objective == pytest.approx(alone.objective, rel=1e-9)


@places
def test_bad_numbers_where_the_weight_is_zero_cannot_change_the_answer(place):
    """An overflow in a row that does not count is 0 · ∞."""
    given = problem("poisson")
    given["sample_weight"][-1] = 0
    keep = {name: value[:-1] for name, value in given.items()}
    given["offset"][-1] = 1e4
    same(solve(placed(place, given), "poisson"), solve(keep, "poisson"))


@places
@pytest.mark.parametrize("dtype", [int, bool, np.uint8, np.float32])
def test_weights_of_other_types(place, dtype):
    given = problem()
    given["sample_weight"] = (np.arange(N) % 3).astype(dtype)
    reference = solve(placed(place, given | {"sample_weight": given["sample_weight"].astype(float)}))
    equal_bits(solve(placed(place, given)), reference)


@places
def test_weights_count_like_copies_of_rows(place):
    given = problem() | {"sample_weight": np.arange(N, dtype=float) % 3}
    copies = {name: np.repeat(value, np.arange(N) % 3, axis=0) for name, value in given.items()}
    copies["sample_weight"] = None
    same(solve(placed(place, given)), solve(copies))


@places
@pytest.mark.parametrize("size", [1e-300, 1e-12, 1e12, 1e200])
def test_weights_of_extreme_size_are_right_or_not_converged(place, size):
    """λ in proportion, the answer is the same."""
    given = problem() | {"offset": None}
    reference = solve(given, penalty=Ridge(1), tol=1e-9)
    given["sample_weight"] = given["sample_weight"] * size
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConverged)
        result = solve(placed(place, given), penalty=Ridge(size), tol=1e-9)
    assert np.isfinite(result.beta).all()
    if result.converged:
        np.testing.assert_allclose(result.beta, reference.beta, rtol=1e-3)


# --- y that its family does not take ----------------------------------------------------------------------------


@solvers_at_places
@pytest.mark.parametrize(
    "family, value, condition",
    [("poisson", -1, ">= 0"), ("gamma", 0, "> 0"), ("gamma", -2, "> 0"), ("logistic", -1, r"\[0, 1\]")],
)
def test_response_outside_the_domain(place, solver, family, value, condition):
    given = problem(family)
    given["y"][-1] = value
    with refused(ValueError, r"^y\b", condition, family.capitalize()):
        solve(placed(place, given), family, solver=solver)


@places
@pytest.mark.parametrize("labels", [(-1, 1), (1, 2), (0, 1, 2), (0, 255)])
@pytest.mark.parametrize("dtype", [float, int, np.uint8, np.float32])
def test_labels_that_are_not_0_and_1(place, labels, dtype):
    if min(labels) < 0 and dtype is np.uint8:
        labels = (0, 255)
    y = np.resize(labels, N).astype(dtype)
    with refused(ValueError, r"^y\b", "Logistic", *(rf"\b{abs(label)}\b" for label in set(labels))):
        solve(placed(place, problem() | {"y": y}))


@places
def test_continuous_labels(place):
    with refused(ValueError, r"^y\b", "Logistic"):
        solve(placed(place, problem() | {"y": np.linspace(-3, 3, N)}))


@places
@pytest.mark.parametrize("labels", [["yes", "no"], ["", "x"], [b"0", b"1"], [None, 1], ["0", "1"]])
def test_labels_that_are_not_numbers(place, labels):
    for y in (np.array(labels * (N // 2)), np.array(labels * (N // 2), dtype=object)):
        with refused(TypeError, r"^y\b"):
            solve(placed(place, problem() | {"y": y}))


@places
@pytest.mark.parametrize("dtype", [bool, int, np.uint8, np.int8, np.float16, np.float32, ">f8", ">i4"])
def test_labels_0_and_1_of_any_type(place, dtype):
    given = problem()
    equal_bits(solve(placed(place, given | {"y": given["y"].astype(dtype)})), solve(placed(place, given)))


@places
def test_proportions_are_labels(place):
    """m trials with k successes are one row of weight m and label k / m."""
    given = problem()
    given |= {"X": np.repeat(given["X"][:30], 2, axis=0), "offset": None, "sample_weight": None}
    pairs = {"X": given["X"][::2], "y": given["y"].reshape(-1, 2).mean(axis=1), "sample_weight": np.full(30, 2.0)}
    same(solve(placed(place, given)), solve(pairs))


@places
def test_an_unsigned_integer_response_does_not_wrap(place):
    y = np.resize([0, 3, 200, 255], N)
    given = problem("poisson")
    for dtype in (np.uint8, np.uint64):
        result = solve(placed(place, given | {"y": y.astype(dtype)}), "gaussian")
        equal_bits(result, solve(placed(place, given | {"y": y.astype(float)}), "gaussian"))


def test_large_integers_do_not_overflow():
    y = np.full(N, 2**62, dtype=np.int64)
    given = problem("gaussian") | {"offset": None}
    equal_bits(solve(given | {"y": y}, "gaussian"), solve(given | {"y": y.astype(float)}, "gaussian"))


# --- no optimum exists ------------------------------------------------------------------------------------------


def without_optimum(case):
    """Data of a fit that has none, with the family and whether the intercept is free."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(N, P))
    return {
        "separable": (X, (X[:, 0] > 0).astype(float), "logistic", False),
        "quasi-separable": (np.c_[X[:, 0] * (X[:, 0] > 0), X[:, 1:]], (X[:, 0] > 0) * 1.0, "logistic", True),
        "ones only": (X, np.ones(N), "logistic", True),
        "zeros only": (X, np.zeros(N), "logistic", True),
        "no counts": (X, np.zeros(N), "poisson", True),
        "sorted": (np.c_[np.linspace(-1, 1, N), X[:, 1:]], np.repeat([0.0, 1.0], N // 2), "logistic", True),
    }[case]


@solvers_at_places
@pytest.mark.parametrize("case", ["separable", "quasi-separable", "ones only", "zeros only", "no counts", "sorted"])
def test_no_optimum_is_not_converged(place, solver, case):
    X, y, family, intercept = without_optimum(case)
    with pytest.warns(NotConverged, match="no minimum exists"):
        result = solve({"X": place(X), "y": place(y)}, family, Zero(), solver=solver, fit_intercept=intercept)
    assert not result.converged
    assert np.isfinite(result.beta).all() and np.isfinite(result.intercept) and np.isfinite(result.objective)
    assert "penalty" in result.status


@places
@pytest.mark.parametrize("penalty", [Ridge(1), L1(0.1), ElasticNet(1, 0.5)])
@pytest.mark.parametrize("case", ["ones only", "no counts"])
def test_a_penalty_does_not_hold_a_free_intercept(place, case, penalty):
    X, y, family, _ = without_optimum(case)
    with pytest.warns(NotConverged, match="no minimum exists"):
        result = solve({"X": place(X), "y": place(y)}, family, penalty, fit_intercept=True)
    assert not result.converged and np.isfinite(result.intercept)


@solvers
def test_a_penalty_makes_separable_data_well_posed(solver):
    X, y, family, _ = without_optimum("separable")
    assert solve({"X": X, "y": y}, family, Ridge(1), solver=solver).converged


@places
def test_certify_never_bounds_the_gap_to_an_optimum_that_is_not_there(place):
    X, y, family, _ = without_optimum("separable")
    for size in (0.0, 1.0, 30.0, 1e4):
        proof = certify(place(X), place(y), [size, 0, 0], family=family)
        assert proof.bound == np.inf


# --- columns that depend on each other, or differ in scale ------------------------------------------------------


@solvers_at_places
@pytest.mark.parametrize("family", FAMILIES)
def test_copies_of_a_column_get_equal_coefficients_under_ridge(place, solver, family):
    given = problem(family)
    alone = solve(given, family, solver=solver, tol=1e-9)
    given["X"] = np.c_[given["X"], given["X"][:, 0]]
    result = solve(placed(place, given), family, solver=solver, tol=1e-9)
    assert result.converged
    assert result.beta[0] == pytest.approx(result.beta[-1], abs=1e-4 * np.abs(result.beta).max())
    assert result.objective <= alone.objective + 1e-9 * abs(alone.objective)


@solvers_at_places
@pytest.mark.parametrize("dependent", ["copy", "sum", "zeros", "constant and intercept", "one-hot and intercept"])
def test_dependent_columns_reach_the_objective_and_warn(place, solver, dependent):
    given = problem("poisson")
    X, intercept = given["X"], dependent.endswith("intercept")
    if solver == "newton_cg":
        pytest.skip("conjugate gradients do not reach the last digits where the Hessian is singular")
    reference = solve(given, "poisson", Zero(), fit_intercept=intercept, tol=1e-9)
    extra = {
        "copy": X[:, :1], "sum": X @ [[1.0], [2.0], [-3.0]], "zeros": np.zeros((N, 1)),
        "constant and intercept": np.full((N, 1), 7.0),
    }  # fmt: skip
    if dependent == "one-hot and intercept":
        codes = np.arange(N) % 4
        reference = solve(given | {"X": np.c_[X, np.eye(4)[codes][:, 1:]]}, "poisson", Zero(), fit_intercept=True)
        extra[dependent] = np.eye(4)[codes]
    given["X"] = np.c_[X, extra[dependent]]
    with pytest.warns(RankWarning, match="rank"):
        result = solve(placed(place, given), "poisson", Zero(), solver=solver, fit_intercept=intercept)
    assert result.converged
    assert abs(result.objective - reference.objective) <= result.certificate.bound + reference.certificate.bound


@solvers_at_places
@pytest.mark.parametrize("family", ["gaussian", "logistic", "poisson"])
def test_columns_scaled_by_1e12_are_right_or_not_converged(place, solver, family):
    given = problem(family)
    reference = solve(given, family, Zero(), tol=1e-9)
    given["X"] = given["X"] * [1e12, 1.0, 1e-12]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConverged)
        result = solve(placed(place, given), family, Zero(), solver=solver, max_iter=200, tol=1e-9)
    assert np.isfinite(result.beta).all()
    if result.converged:
        assert result.objective - reference.objective <= 2e-9 * abs(reference.objective)
    if "newton" in solver:
        assert result.converged
        # A gap of 1e-9 allows errors of its square root in β; a last step of Newton's leaves far less than was asked.
        rtol = 1e-2 if solver == "pilot_newton" else 1e-4
        np.testing.assert_allclose(result.beta * [1e12, 1.0, 1e-12], reference.beta, rtol=rtol)


@solvers_at_places
@pytest.mark.parametrize("scale", [1e-200, 1e-155, 1e155, 1e300])
def test_columns_whose_squares_leave_the_range_of_floats(place, solver, scale):
    """XᵀX under- or overflows: then no success with a wrong answer, no LinAlgError, no RuntimeWarning."""
    given = problem("gaussian") | {"offset": None, "sample_weight": None}
    reference = solve(given, "gaussian", Zero(), tol=1e-9)
    given["X"] = given["X"] * scale
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", (NotConverged, RankWarning))
        try:
            result = solve(placed(place, given), "gaussian", Zero(), solver=solver, max_iter=100)
        except ValueError as error:
            assert re.match(r"X\b", str(error)), error
            return
    assert np.isfinite(result.beta).all()
    if result.converged:
        assert result.objective - reference.objective <= 2e-6 * abs(reference.objective)


@solvers_at_places
@pytest.mark.parametrize("family", FAMILIES)
def test_a_column_whose_squares_overflow_is_named(place, solver, family):
    """Its curvature is infinite in floats, and no matrix can be factored: the status says what to do."""
    given = problem(family)
    given["X"] = given["X"] * [1.0, 1e200, 1.0]
    with pytest.warns(NotConverged, match="squares of column 1's numbers overflow: give it another unit"):
        result = solve(placed(place, given), family, Zero(), solver=solver, max_iter=100)
    assert np.isfinite(result.beta).all()


def test_a_huge_y_is_not_blamed_on_a_column():
    given = problem("gaussian")
    given["y"] = given["y"] * 1e200
    with pytest.warns(NotConverged) as caught:
        solve(given, "gaussian", Zero())
    assert "column" not in str(caught[0].message)


# --- overflow ---------------------------------------------------------------------------------------------------


@solvers_at_places
def test_a_poisson_step_that_overflows_backtracks(place, solver):
    """From 0 the full Newton step goes to η of thousands."""
    X = np.c_[np.ones(N), np.linspace(0, 30, N)]
    y = np.round(np.exp(0.3 * X[:, 1]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConverged)
        result = solve({"X": place(X), "y": place(y)}, "poisson", Zero(), solver=solver, max_iter=300)
    assert np.isfinite(result.beta).all() and np.isfinite(result.objective)
    if result.converged or "newton" in solver:
        assert result.converged
        np.testing.assert_allclose(X @ result.beta, 0.3 * X[:, 1], atol=0.1)


@solvers_at_places
@pytest.mark.parametrize("family", ["poisson", "gamma", "logistic", "gaussian"])
@pytest.mark.parametrize("size", [700.0, -1e3, 1e8, 1e300])
def test_huge_offsets_never_end_in_success_with_a_wrong_answer(place, solver, family, size):
    """A shift of all offsets is undone by the intercept: the optimum is the shifted one, or not reached."""
    given = problem(family) | {"sample_weight": None, "offset": np.full(N, size)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", (NotConverged, RankWarning))
        result = solve(placed(place, given), family, solver=solver, fit_intercept=True, max_iter=60)
    assert np.isfinite(result.beta).all() and np.isfinite(result.intercept)
    if result.converged:
        reference = solve(given | {"offset": None}, family, fit_intercept=True, tol=1e-9)
        unit = max(abs(reference.objective), abs(problem_at_zero(given, family)))
        assert result.objective - reference.objective <= 3e-6 * unit


def problem_at_zero(given, family):
    """F(0), the unit of the relative gap."""
    f = Objective(family, as_chunks(given["X"], given["y"], offset=given["offset"], intercept=True))
    return f.loss(np.zeros(f.dim))


@solvers
@pytest.mark.parametrize("start", [[800.0, 0, 0], [1e5, -1e5, 1e5], [1e300, 0, 0]])
@pytest.mark.parametrize("family", ["poisson", "gamma", "logistic", "gaussian"])
def test_a_start_where_the_loss_overflows(solver, start, family):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConverged)
        result = solve(problem(family), family, solver=solver, start=start, max_iter=100)
    assert np.isfinite(result.beta).all()
    assert result.converged or "Not converged" in result.status


@solvers
def test_a_hessian_that_overflows_before_the_loss_does(solver):
    X, offset = np.full((N, 1), 1e5), np.full(N, 690.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConverged)
        result = solve({"X": X, "y": np.ones(N), "offset": offset}, "poisson", solver=solver, max_iter=100)
    assert np.isfinite(result.beta).all()


@places
def test_a_response_of_1e300(place):
    given = problem("poisson") | {"sample_weight": None, "offset": None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConverged)
        for family in ("gaussian", "poisson", "gamma"):
            result = solve(placed(place, given | {"y": np.resize([1.0, 1e300], N)}), family, max_iter=50)
            assert np.isfinite(result.beta).all()


# --- shapes -----------------------------------------------------------------------------------------------------


@places
@pytest.mark.parametrize("name", ["y", "sample_weight", "offset"])
@pytest.mark.parametrize("length", [N - 1, N + 1, 1, 0])
def test_lengths_that_differ(place, name, length):
    given = problem() | {name: np.ones(length)}
    given = placed(place, given)
    with nothing_computed(), refused(ValueError, rf"^{name}\b", str(length), str(N)):
        solve(given)


@places
@pytest.mark.parametrize("shape", [(), (N,), (N, 2, 2), (0, 3), (N, 0), (0, 0), (0,)])
def test_x_of_another_shape(place, shape):
    X = place(np.ones(shape)) if shape[:1] == (N,) else np.ones(shape)
    with nothing_computed(), refused(ValueError, r"^X\b", re.escape(str(shape))):
        solve(placed(place, problem()) | {"X": X})


@places
@pytest.mark.parametrize("name", ["y", "sample_weight", "offset"])
@pytest.mark.parametrize("shape", [(N, 2), (N, 1, 1), (1, N), ()])
def test_columns_of_another_shape(place, name, shape):
    values = np.ones(shape)
    values = place(values) if shape[:1] == (N,) else values
    with nothing_computed(), refused(ValueError, rf"^{name}\b", re.escape(str(shape))):
        solve(placed(place, problem()) | {name: values})


@places
@pytest.mark.parametrize("name", ["y", "sample_weight", "offset"])
def test_a_column_vector_is_ravelled_with_a_warning(place, name):
    given = problem()
    reference = solve(placed(place, given))
    with pytest.warns(UserWarning, match=rf"^{name} is a column vector"):
        result = solve(placed(place, given | {name: given[name][:, None]}))
    equal_bits(result, reference)


@places
def test_a_frame_of_one_column_is_a_column_vector(place):
    given = problem()
    frame = pd.DataFrame({"late": given["y"]})
    frame = frame if place is np.array else dd.from_pandas(frame, npartitions=2)
    with pytest.warns(UserWarning, match="^y is a column vector"):
        same(solve(placed(place, given) | {"y": frame}), solve(given))


@places
@pytest.mark.parametrize("n, p", [(1, 1), (1, 5), (2, 1), (5, 40), (1, 40)])
@pytest.mark.parametrize("intercept", [False, True])
def test_few_rows_and_many_columns(place, n, p, intercept):
    given = problem("gaussian", n, p)
    result = solve(placed(place, given), "gaussian", fit_intercept=intercept)
    X, w = given["X"], given["sample_weight"]
    ones = np.c_[X, np.ones(n)] if intercept else X
    ridge = np.diag([1.0] * p + [0.0] * intercept)
    exact = np.linalg.solve(2 * (ones.T * w) @ ones + ridge, 2 * (ones.T * w) @ (given["y"] - given["offset"]))
    np.testing.assert_allclose(result.beta, exact[:p], atol=1e-4 * np.abs(exact).max())
    assert result.converged


# --- chunks -----------------------------------------------------------------------------------------------------


@solvers
@pytest.mark.parametrize(
    "chunks", [(7,) * 8 + (4,), (1, 58, 1), (N,), (1,) * N, (0, 30, 0, 30), (59, 1)], ids=lambda c: str(len(c))
)
def test_uneven_chunks_give_the_answer_of_one(solver, chunks):
    given = problem()
    cut = {name: da.from_array(value, chunks=(chunks, *value.shape[1:])) for name, value in given.items()}
    same(solve(cut, solver=solver, tol=1e-11), solve(given, solver=solver, tol=1e-11), rtol=1e-4)


@pytest.mark.parametrize("n", [500, pytest.param(5000, marks=pytest.mark.slow)])
def test_chunks_of_one_row(n):
    given = problem("gaussian", n=n)
    del given["offset"], given["sample_weight"]
    cut = {name: da.from_array(value, chunks=(1, *value.shape[1:])) for name, value in given.items()}
    same(solve(cut, "gaussian", tol=1e-9), solve(given, "gaussian", tol=1e-9))


def test_x_chunked_by_column_is_aligned():
    given = problem()
    X = da.from_array(given["X"], chunks=(ROWS, (1, 2)))
    equal_bits(solve(placed(on_dask, given) | {"X": X}), solve(placed(on_dask, given)))


def test_row_chunks_that_differ_are_those_of_x():
    given = problem()
    lazy = {"X": on_dask(given["X"]), "y": da.from_array(given["y"], chunks=7)}
    lazy |= {"sample_weight": da.from_array(given["sample_weight"], chunks=(59, 1)), "offset": given["offset"]}
    equal_bits(solve(lazy), solve(placed(on_dask, given)))


@pytest.mark.parametrize("name", ARGUMENTS)
def test_one_lazy_argument_among_arrays(name):
    given = problem()
    result = solve(given | {name: on_dask(given[name])})
    same(result, solve(given))


@pytest.mark.parametrize("which", [["X"], ["y"], ["X", "y"], ARGUMENTS])
def test_unknown_chunk_sizes_are_computed_and_the_arrays_left_alone(which):
    given = problem()
    lazy = placed(on_dask, given)
    unknown = {name: lazy[name][da.ones(N, chunks=(ROWS,)) > 0] for name in which}
    equal_bits(solve(lazy | unknown), solve(lazy))
    assert all(np.isnan(value.shape[0]) for value in unknown.values())


def test_unknown_lengths_that_differ():
    lazy = placed(on_dask, problem())
    keep = da.from_array(np.arange(N) > 0, chunks=(ROWS,))
    with refused(ValueError, r"^y\b", "60", "59"):
        solve(lazy | {"X": lazy["X"][keep]})


def test_a_filter_that_keeps_no_row():
    lazy = placed(on_dask, problem())
    keep = da.from_array(np.zeros(N, dtype=bool), chunks=(ROWS,))
    with refused(ValueError, r"^X\b", "row"):
        solve({name: value[keep] for name, value in lazy.items()})


def test_a_filter_that_empties_one_chunk():
    given = problem()
    keep = np.arange(N) >= 25
    lazy = {name: on_dask(value)[da.from_array(keep, chunks=(ROWS,))] for name, value in given.items()}
    same(solve(lazy), solve({name: value[keep] for name, value in given.items()}))


@pytest.mark.parametrize("chunks", [0, -5, 1.5, "big", (30, 29), (30, 31), (70, -10), [30, 30], None, -1, 30, "auto"])
def test_chunks_of_as_chunks(chunks):
    """An answer with all the rows, or an error that says `chunks`."""
    given = problem()
    for place in (np.array, on_dask):
        try:
            made = as_chunks(place(given["X"]), place(given["y"]), chunks=chunks)
        except (ValueError, TypeError) as error:
            assert "chunks" in str(error), error
        else:
            assert made.n == N and sum(made.lengths) == N and min(made.lengths) > 0


# --- what may hold the rows -------------------------------------------------------------------------------------


def as_zarr(a):
    return zarr.array(a, chunks=(20, *a.shape[1:]))


def as_pandas(a):
    return pd.DataFrame(a, columns=[f"c{j}" for j in range(a.shape[1])]) if a.ndim == 2 else pd.Series(a, name="v")


def as_dask_frame(a):
    return dd.from_pandas(as_pandas(a), npartitions=3)


def as_read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


def as_strided(a):
    wide = np.zeros((2 * a.shape[0], *(3 * size for size in a.shape[1:])))
    wide[(slice(None, None, 2), *(slice(None, None, 3) for _ in a.shape[1:]))] = a
    return wide[(slice(None, None, 2), *(slice(None, None, 3) for _ in a.shape[1:]))]


def as_reversed(a):
    return a[::-1].copy()[::-1]


def as_series_with_another_index(a):
    made = as_pandas(a)
    made.index = np.arange(len(a))[::-1]
    return made


class Wrapped:
    """An object that only knows __array__, as many array libraries do."""

    def __init__(self, a):
        self.a = a

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.a, dtype=dtype)


class MyArray(np.ndarray):
    """A subclass of ndarray."""


CONTAINERS = [
    np.ndarray.tolist, as_pandas, as_series_with_another_index, as_read_only, np.asfortranarray, as_strided,
    as_reversed, Wrapped, lambda a: a.view(MyArray), lambda a: [list(row) if a.ndim == 2 else row for row in a],
    lambda a: tuple(map(tuple, a)) if a.ndim == 2 else tuple(a), lambda a: a.astype(">f8"),
    lambda a: a.astype(object).astype(float),
]  # fmt: skip


@solvers
@pytest.mark.parametrize("container", CONTAINERS)
def test_containers_in_memory_give_the_same_bits(container, solver):
    given = problem()
    held = {name: container(value) for name, value in given.items()}
    equal_bits(solve(held, solver=solver, fit_intercept=True), solve(given, solver=solver, fit_intercept=True))


@pytest.mark.parametrize("container", [as_zarr, as_dask_frame])
def test_containers_on_dask_give_the_bits_of_their_chunks(container):
    given = problem()
    chunks = {name: da.from_array(value, chunks=(20, *value.shape[1:])) for name, value in given.items()}
    held = {name: container(value) for name, value in given.items()}
    equal_bits(solve(held), solve(chunks))


@pytest.mark.parametrize("make", [sparse.csr_array, sparse.csc_array, sparse.coo_array, sparse.csr_matrix,
                                  sparse.dok_array, sparse.lil_array, sparse.bsr_array, sparse.dia_array])  # fmt: skip
@solvers
def test_sparse_rows(make, solver):
    given = problem()
    given["X"][np.abs(given["X"]) < 0.3] = 0
    held = make(given["X"])
    before = held.toarray().copy()
    same(solve(given | {"X": held}, solver=solver, fit_intercept=True), solve(given, solver=solver, fit_intercept=True))
    assert np.array_equal(held.toarray(), before)
    assert certify(held, given["y"], np.zeros(P), family="logistic", penalty=Ridge(1)).bound < np.inf


def test_sparse_rows_in_many_chunks():
    given = problem()
    f = Objective("logistic", as_chunks(sparse.csr_array(given["X"]), given["y"], chunks=7, intercept=True))
    dense = Objective("logistic", as_chunks(given["X"], given["y"], chunks=7, intercept=True))
    beta = np.array([1.0, -2.0, 0.5, 0.1])
    np.testing.assert_allclose(f.loss_grad(beta).grad, dense.loss_grad(beta).grad, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("make", [sparse.csr_array, sparse.csc_array, sparse.coo_array, sparse.csr_matrix])
@pytest.mark.parametrize("intercept", [False, True])
def test_dask_chunks_that_are_sparse(make, intercept):
    given = problem()
    given["X"][np.abs(given["X"]) < 0.3] = 0
    lazy = placed(on_dask, given)
    held = lazy | {"X": lazy["X"].map_blocks(make)}
    same(solve(held, fit_intercept=intercept), solve(given, fit_intercept=intercept))


def test_a_sparse_matrix_with_a_lazy_response_is_aligned_or_refused():
    given = problem()
    with refused(TypeError, r"^X\b", "sparse"):
        solve(placed(on_dask, given) | {"X": sparse.csr_array(given["X"])})


@pytest.mark.parametrize("name", ["y", "sample_weight", "offset"])
def test_a_sparse_column(name):
    given = problem()
    with refused(TypeError, rf"^{name}\b", "sparse", "toarray"):
        solve(given | {name: sparse.csr_array(given[name][:, None])})


def test_a_sparse_matrix_without_any_number():
    X = sparse.csr_array((N, P))
    result = solve({"X": X, "y": problem()["y"]})
    assert result.converged and not result.beta.any()


def test_a_memmap(tmp_path):
    given = problem()
    for mode in ("r", "r+", "c"):
        path = tmp_path / mode
        given["X"].tofile(path)
        X = np.memmap(path, dtype=float, mode=mode, shape=(N, P))
        equal_bits(solve(given | {"X": X}), solve(given))
        assert path.read_bytes() == given["X"].tobytes()


def test_a_zarr_array_on_disk(tmp_path):
    given = problem()
    held = zarr.create_array(store=tmp_path / "rows.zarr", data=given["X"], chunks=(20, 2))
    same(solve(given | {"X": held}), solve(given))
    assert np.array_equal(held[:], given["X"])


@pytest.mark.parametrize("container", [np.array, as_pandas, as_zarr, on_dask, as_dask_frame, np.asfortranarray,
                                       as_strided, sparse.csc_array])  # fmt: skip
@solvers
def test_inputs_are_untouched(container, solver):
    given = problem()
    lazy, sparse_only = container in (on_dask, as_dask_frame), container is sparse.csc_array
    hold = {name: np.array if sparse_only and name != "X" else container for name in given}
    held = {name: hold[name](value) for name, value in given.items()}
    solve(held, solver=solver, fit_intercept=True)
    for name, value in held.items():
        value = value.compute() if lazy else value
        value = value.toarray() if sparse.issparse(value) else value[:] if isinstance(value, zarr.Array) else value
        assert np.array_equal(np.asarray(value), given[name]), name


def test_a_start_is_untouched():
    start = np.arange(3.0)
    solve(problem(), start=start)
    assert start.flags.writeable and np.array_equal(start, np.arange(3.0))


@places
@pytest.mark.parametrize("dtype", ["i1", "i8", "u1", "u8", "?", "f2", "f4", ">f8", ">f4", ">i2"])
def test_dtypes_that_hold_real_numbers_are_upcast(place, dtype):
    """The same numbers in another dtype: the same bits as in float64."""
    X = np.random.default_rng(0).integers(0, 2 if dtype == "?" else 5, size=(N, P)).astype(dtype)
    given = problem()
    equal_bits(
        solve(placed(place, given | {"X": X}), fit_intercept=True),
        solve(placed(place, given | {"X": X.astype(float)}), fit_intercept=True),
    )


@solvers_at_places
@pytest.mark.parametrize("family", FAMILIES)
def test_float32_works_to_float32_accuracy(place, solver, family):
    given = problem(family)
    narrow = {name: value.astype(np.float32) for name, value in given.items()}
    result, exact = solve(placed(place, narrow), family, solver=solver), solve(given, family, solver=solver)
    assert result.beta.dtype == np.float64
    np.testing.assert_allclose(result.beta, exact.beta, atol=1e-5, rtol=1e-3)


@places
def test_float16_does_not_overflow_in_its_own_range(place):
    X = (problem()["X"] * 3e4).astype(np.float16)
    given = problem("gaussian") | {"X": X}
    wide = given | {"X": X.astype(float)}
    equal_bits(solve(placed(place, given), "gaussian"), solve(placed(place, wide), "gaussian"))


BAD_TYPES = {
    "complex": lambda a: a + 0j, "longdouble": lambda a: a.astype(np.longdouble), "object": lambda a: a.astype(object),
    "str": lambda a: a.astype(str), "bytes": lambda a: a.astype("S8"), "datetime": lambda a: a.astype("M8[s]"),
    "timedelta": lambda a: a.astype("m8[s]"), "void": lambda a: a.view("V8"),
    "record": lambda a: np.zeros(a.shape, dtype=[("a", float), ("b", int)]),
    "Decimal": lambda a: np.vectorize(lambda v: Decimal(float(v)), otypes=[object])(a),
    "Fraction": lambda a: np.vectorize(lambda v: Fraction(float(v)), otypes=[object])(a),
    "None": lambda a: np.full(a.shape, None), "empty strings": lambda a: np.full(a.shape, ""),
}  # fmt: skip
if np.dtype(np.longdouble).itemsize == 8:
    del BAD_TYPES["longdouble"]  # a double by another name, on some Arm processors


@places
@pytest.mark.parametrize("name", ARGUMENTS)
@pytest.mark.parametrize("bad", BAD_TYPES)
def test_dtypes_that_do_not(place, name, bad):
    given = placed(place, problem() | {name: BAD_TYPES[bad](problem()[name])})
    with nothing_computed(), refused(TypeError, rf"^{name}\b"):
        solve(given)


@pytest.mark.parametrize("name", ARGUMENTS)
@pytest.mark.parametrize(
    "value", [{}, {"a": 1}, set(), {1.0, 2.0}, object(), len, "text", "", b"x", 3j, iter([1.0]), (v for v in [1.0]),
              ..., [{}], [[None]], [{1}], [[1], [1, 2]], [[[1]], [1]], range(0), [[]], [], None, 1, 2.5, True, ["a"],
              Ridge],
    ids=shown,
)  # fmt: skip
def test_objects_that_are_no_arrays(name, value):
    if name in ("sample_weight", "offset") and value is None:
        return  # that is how their absence is said
    with refused((ValueError, TypeError), rf"^{name}\b"):
        solve(problem() | {name: value})


@places
def test_a_masked_array(place):
    given = problem()
    X = np.ma.masked_greater(given["X"], 0.5)
    X = X if place is np.array else da.from_array(X, chunks=(ROWS, P))
    with refused(TypeError, r"^X\b", "masked"):
        solve(placed(place, given | {"X": None}) | {"X": X})


def test_a_matrix():
    given = problem()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        X, y = np.matrix(given["X"]), np.matrix(given["y"])
        equal_bits(solve(given | {"X": X}), solve(given))
        with refused(ValueError, r"^y\b", r"\(1, 60\)"):
            solve(given | {"y": y})
        with pytest.warns(UserWarning, match="^y is a column vector"):
            equal_bits(solve(given | {"y": y.T}), solve(given))


ENTRIES = {
    "fit": lambda X, y, **rest: fit(X, y, family="poisson", **rest),
    "certify": lambda X, y, **rest: certify(X, y, np.zeros(P), family="poisson", **rest),
    "Objective": lambda X, y, **rest: Objective("poisson", as_chunks(X, y, **rest)).survey,
}


@places
@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("name, change, error, lazy", [
    ("y", lambda a: a[:-1], ValueError, True), ("y", lambda a: np.c_[a, a], ValueError, True),
    ("X", lambda a: a[:, 0], ValueError, True), ("X", lambda a: a[:, :0], ValueError, True),
    ("X", lambda a: a + 0j, TypeError, True), ("y", lambda a: a.astype(str), TypeError, True),
    ("sample_weight", lambda a: a.astype(object), TypeError, True), ("offset", lambda a: a[:3], ValueError, True),
    ("y", lambda a: a - 10, ValueError, False), ("sample_weight", lambda a: -a, ValueError, False),
    ("sample_weight", lambda a: 0 * a, ValueError, False), ("X", lambda a: a / 0.0, ValueError, False),
])  # fmt: skip
def test_every_entry_refuses_the_same(place, entry, name, change, error, lazy):
    """What metadata shows before any task is sent (`lazy`), what values show in the first pass."""
    given = problem("poisson")
    with np.errstate(divide="ignore"):
        given[name] = change(given[name])
    given = placed(place, given)
    with nothing_computed() if lazy else contextlib.nullcontext(), refused(error, rf"^{name}\b"):
        ENTRIES[entry](given.pop("X"), given.pop("y"), **given)


# --- pandas ------------------------------------------------------------------------------------------------------


def frame(**columns):
    return pd.DataFrame({"a": problem()["X"][:, 0], "b": problem()["X"][:, 1]} | columns)


def as_frame(place, made):
    return made if place is np.array else dd.from_pandas(made, npartitions=2)


@places
@pytest.mark.parametrize("bad", [
    pd.Series(["u", "v"] * 30), pd.Series(["u", "v"] * 30, dtype="category"),
    pd.Series(["1", "2"] * 30, dtype="string"), pd.Series(["1", "2"] * 30, dtype=object),
    pd.Series(pd.date_range("2013-01-01", periods=N)), pd.Series(pd.timedelta_range("1h", periods=N)),
    pd.Series([1, 2] * 30, dtype="category"),
    pd.Series(np.arange(N) + 1j), pd.Series(pd.period_range("2013-01", periods=N, freq="M")),
    pd.Series(pd.interval_range(0, N)), pd.Series([[1]] * N),
], ids=lambda s: str(s.dtype))  # fmt: skip
def test_frames_with_columns_that_are_not_numbers_name_them(place, bad):
    with refused(TypeError, r"^X\b", "carrier"):
        solve(placed(place, problem()) | {"X": as_frame(place, frame(carrier=bad))})


@places
@pytest.mark.parametrize("dtype", ["Int64", "Float64", "boolean", "UInt8", "int64[pyarrow]", "double[pyarrow]", "bool"])
def test_nullable_columns_without_a_gap_are_numbers(place, dtype):
    values = np.arange(N) % 2
    plain, nullable = frame(c=values.astype(float)), frame(c=pd.Series(values).astype(dtype))
    given = placed(place, problem())
    equal_bits(solve(given | {"X": as_frame(place, nullable)}), solve(given | {"X": as_frame(place, plain)}))


@places
@pytest.mark.parametrize("dtype", ["Int64", "Float64", "boolean", "int64[pyarrow]", "double[pyarrow]"])
def test_nullable_columns_with_a_gap_are_nan(place, dtype):
    values = pd.Series(np.arange(N) % 2).astype(dtype)
    values[N - 1] = pd.NA
    given = placed(place, problem())
    with refused(ValueError, r"^X\b", "nan|NA|missing"):
        solve(given | {"X": as_frame(place, frame(c=values))})
    with refused(ValueError, r"^y\b", "nan|NA|missing"):
        solve(given | {"y": as_frame(place, values)})


@places
def test_strings_as_response(place):
    y = as_frame(place, pd.Series(["yes", "no"] * 30, name="late"))
    with refused(TypeError, r"^y\b"):
        solve(placed(place, problem()) | {"y": y})


@places
def test_pandas_sparse_columns(place):
    values = pd.Series(pd.arrays.SparseArray(np.arange(N) % 2 * 1.0))
    result = solve(placed(place, problem()) | {"X": as_frame(place, frame(c=values))})
    same(result, solve(problem() | {"X": frame(c=values.astype(float))}))


def test_a_frame_with_column_names_of_every_sort():
    X = problem()["X"]
    for columns in ([0, 1, 2], ["a", "a", "b"], pd.MultiIndex.from_product([["u"], [1, 2, 3]]), [None, 1.5, ("a", 1)]):
        equal_bits(solve(problem() | {"X": pd.DataFrame(X, columns=columns)}), solve(problem()))


def test_a_dask_frame_with_an_empty_partition():
    given = problem()
    X = as_dask_frame(given["X"])
    empty = dd.concat([X.partitions[0][X.partitions[0].c0 > 1e9], X])
    same(solve(given | {"X": empty}), solve(given))


def test_a_dask_frame_filtered_on_both_sides():
    given = problem()
    table = as_dask_frame(given["X"]).assign(y=as_dask_frame(given["y"]))
    keep = table[table.c0 > 0]
    result = solve({"X": keep[["c0", "c1", "c2"]], "y": keep["y"]})
    rows = given["X"][:, 0] > 0
    same(result, solve({"X": given["X"][rows], "y": given["y"][rows]}))


# --- parameters --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [Ridge, L1, lambda lam: ElasticNet(lam, 0.5)])
@pytest.mark.parametrize("lam", [-1, -1e-300, np.nan, np.inf, -np.inf, "1", None, True, [1.0], np.ones(1),
                                 np.array(1.0), 1j, {}, np.datetime64(1, "s"), Decimal(-1)], ids=shown)  # fmt: skip
def test_lam(make, lam):
    with refused((ValueError, TypeError), r"^lam\b"):
        make(lam)


@pytest.mark.parametrize("lam", [0, 0.0, -0.0, 1, np.float32(1), np.int64(1), Fraction(1, 2), 1e-300, 1e300])
def test_lam_that_is_a_number(lam):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConverged)
        assert np.isfinite(solve(problem(), penalty=Ridge(lam)).beta).all()


@pytest.mark.parametrize("ratio", [-0.1, 1.1, np.nan, np.inf, "half", None, True, [0.5]])
def test_l1_ratio(ratio):
    with refused((ValueError, TypeError), r"^l1_ratio\b"):
        ElasticNet(1, ratio)


BAD_PARAMETERS = {
    "tol": [-1e-6, np.nan, np.inf, "small", True, [1e-6], 1j],
    "max_iter": [-1, 1.5, "ten", True, np.nan, np.inf, [3], 3.0],
    "threads": [0, -1, 1.5, "2", True, [2], np.nan],
    "start": [np.zeros(P - 1), np.zeros(P + 1), np.zeros((P, 1)), 0.0, "zeros", [np.nan] * P, [np.inf] * P, ["a"] * P,
              {}, [None] * P, np.zeros(P, dtype=complex) + 1j, [[]], object()],
    "callback": [3, "print", [print]],
    "fit_intercept": ["no", "yes", 2, 0.5, [True], np.ones(3)],
    "penalty": [None, 42, "ridge", "l1", "rigde", Ridge, L1, {}, 1.0, [Ridge(1)]],
    "family": [None, 42, "logit", "binomial", "", glmlab.Logistic, {}, ["logistic"]],
    "solver": [None, 42, "newtom", "lbfg", "", [], {}],
    "kernels": ["fussed", "numba", 3, "", ["numpy"], True],
}  # fmt: skip
CASES = [
    pytest.param(name, value, id=f"{name}={shown(value)}")
    for name, values in BAD_PARAMETERS.items() for value in values
]  # fmt: skip


@places
@pytest.mark.parametrize("name, value", CASES)
def test_bad_parameters_are_named_before_any_task_is_sent(place, name, value):
    given = placed(place, problem())
    options = {"family": "logistic", "penalty": Ridge(1)} | {name: value}
    with nothing_computed(), refused((ValueError, TypeError), rf"\b{name}\b"):
        fit(given["X"], given["y"], **options)


@pytest.mark.parametrize("name, value", [("tol", -1), ("max_iter", 1.5), ("penalty", None), ("family", "logit"),
                                         ("solver", "newtom"), ("callback", 3)])  # fmt: skip
def test_bad_parameters_are_refused_before_a_frame_is_counted(name, value):
    given = problem()
    options = {"family": "logistic", "penalty": Ridge(1)} | {name: value}
    with nothing_computed(), refused((ValueError, TypeError), rf"\b{name}\b"):
        fit(as_dask_frame(given["X"]), as_dask_frame(given["y"]), **options)


@pytest.mark.parametrize("until", [3, "small"])
def test_until_must_be_callable(until):
    f = Objective("logistic", as_chunks(problem()["X"], problem()["y"]))
    with refused(TypeError, r"\buntil\b"):
        run("newton", f, Ridge(1), until=until)


@pytest.mark.parametrize("solver", ["gradient_descent", "proximal_gradient", "fista"])
@pytest.mark.parametrize("step", [0, 0.0, -1, np.nan, np.inf, "long", [1.0], True, 1j, -np.inf])
def test_step(solver, step):
    with refused((ValueError, TypeError), r"^step\b"):
        solve(problem(), solver=solver, step=step)


@places
@pytest.mark.parametrize("solver", [method.name for method in METHODS if "gradient" in method.needs])
@pytest.mark.parametrize("penalty", [L1(1), ElasticNet(1, 0.5)])
def test_solvers_that_need_a_derivative_refuse_l1(place, solver, penalty):
    given = placed(place, problem())
    words = [solver, type(penalty).__name__, "derivative", "proximal_newton", "fista"]
    with nothing_computed(), refused(ValueError, *words):
        solve(given, penalty=penalty, solver=solver)


@pytest.mark.parametrize("penalty", [L1(0), ElasticNet(1, 0), ElasticNet(0, 1)])
def test_an_l1_term_of_weight_zero_is_smooth(penalty):
    assert solve(problem(), penalty=penalty, solver="newton").converged


MISSPELT = {
    "familly": "family", "penality": "penalty", "sample_weights": "sample_weight", "weights": "sample_weight",
    "fit_intersept": "fit_intercept", "offsets": "offset", "max_iters": "max_iter", "tols": "tol", "stat": "start",
    "calback": "callback", "kernel": "kernels", "thread": "threads", "progres": "progress",
}  # fmt: skip


@solvers
@pytest.mark.parametrize("word", MISSPELT)
def test_misspelt_keywords_name_the_near_miss(solver, word):
    given = placed(on_dask, problem())
    with nothing_computed(), refused(TypeError, word, rf"{MISSPELT[word]}\b"):
        fit(given["X"], given["y"], family="logistic", penalty=Ridge(1), solver=solver, **{word: 1})


@pytest.mark.parametrize("word, near", [("stepp", "step"), ("ste", "step")])
def test_misspelt_options_of_a_solver(word, near):
    with refused(TypeError, word, f"{near!r}"):
        solve(problem(), solver="fista", **{word: 1.0})


@pytest.mark.parametrize("what, word, near", [("solver", "newtn", "newton"), ("family", "poison", "poisson"),
                                              ("penalty", "zeroo", "zero"), ("kernels", "numpi", "numpy")])  # fmt: skip
def test_misspelt_names(what, word, near):
    with refused(ValueError, what, word, near):
        fit(problem()["X"], problem()["y"], **{"family": "logistic"} | {what: word})


@solvers
@pytest.mark.parametrize("family", FAMILIES)
def test_tol_0_ends(solver, family):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConverged)
        result = solve(problem(family), family, solver=solver, tol=0, max_iter=2000)
    assert result.certificate.relative < 1e-6
    assert result.converged == (result.certificate.bound == 0)


@places
@solvers
def test_max_iter_0_certifies_the_start(place, solver):
    with pytest.warns(NotConverged, match="max_iter=0"):
        result = solve(placed(place, problem()), solver=solver, max_iter=0)
    assert not result.beta.any() and result.n_iter == 0 and not result.converged
    answer = solve(problem(), solver=solver)
    assert solve(problem(), solver=solver, max_iter=0, start=answer.beta).converged


def test_start_a_result_of_another_length():
    wrong = solve(problem(p=2))
    with refused(ValueError, r"^start\b", r"\(3,\)"):
        solve(problem(), start=wrong)


def test_start_a_result_with_or_without_intercept():
    without, having = solve(problem()), solve(problem(), fit_intercept=True)
    assert solve(problem(), start=having).converged
    assert solve(problem(), start=without, fit_intercept=True).converged


@pytest.mark.parametrize("beta", [np.zeros(P - 1), np.zeros((P, 1)), [np.nan] * P, [np.inf] * P, "zeros", None, {}, 0.0,
                                  ["a"] * P, np.zeros(P) + 1j], ids=shown)  # fmt: skip
@places
def test_certify_names_beta(place, beta):
    given = placed(place, problem())
    with nothing_computed(), refused((ValueError, TypeError), r"^beta\b"):
        certify(given["X"], given["y"], beta, family="logistic")


@pytest.mark.parametrize("intercept", [np.nan, np.inf, "free", [0.0], {}, 1j])
def test_certify_names_intercept(intercept):
    given = problem()
    with refused((ValueError, TypeError), r"^intercept\b"):
        certify(given["X"], given["y"], np.zeros(P), family="logistic", intercept=intercept)


@pytest.mark.parametrize("fraction", [0, -0.1, 1.5, np.nan, "half", None])
def test_sample_names_fraction(fraction):
    f = Objective("logistic", as_chunks(problem()["X"], problem()["y"]))
    with refused((ValueError, TypeError), r"^fraction\b"):
        f.sample(fraction)


@pytest.mark.parametrize("made", [lambda f, g, start: None, lambda f, g, start: iter([]), lambda f, g, start: [1, 2],
                                  lambda f, g, start: iter(["state"])])  # fmt: skip
def test_a_function_that_is_no_solver(made):
    with refused((ValueError, TypeError), "solver|state"):
        solve(problem(), solver=made)


def test_a_solver_that_yields_nan():
    """The coefficients of a Result are finite or it says Not converged; no LinAlgError on the way."""

    def broken(f, g, start):
        from collections import namedtuple

        yield namedtuple("State", "beta")(np.full(f.dim, np.nan))

    with pytest.warns(NotConverged):
        result = solve(problem(), solver=broken)
    assert not result.converged


def test_a_callback_that_raises_ends_the_run_with_its_own_error():
    def callback(state):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        solve(problem(), callback=callback)


def test_a_read_that_fails_raises_the_readers_own_error():
    def read(block_info=None):
        raise OSError("disk on fire")

    X = da.map_blocks(read, chunks=(ROWS, (P,)), dtype=float, meta=np.empty((0, 0)))
    with pytest.raises(OSError, match="disk on fire"):
        solve(placed(on_dask, problem()) | {"X": X})


@solvers
def test_no_warning_reaches_the_user(solver):
    """Warnings are errors in these tests; here is the run that would warn most: large η, zero weights, both tails."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(N, P)) * 200
    w = (np.arange(N) % 2) * 1.0
    responses = {"logistic": rng.random(N) < 0.5, "poisson": rng.poisson(3, N), "gamma": rng.gamma(1, 1, N)}
    for family, y in responses.items():
        solve({"X": X, "y": y, "sample_weight": w}, family, Ridge(1e4), solver=solver, tol=1e-3)


def test_a_label_on_a_row_of_weight_zero_does_not_count():
    X, y, w = problem("poisson")["X"], problem("poisson")["y"], np.ones(N)
    y[0], w[0] = -1.0, 0.0
    result = fit(X, y, family="poisson", sample_weight=w, tol=1e-12)
    rest = fit(X[1:], y[1:], family="poisson", tol=1e-12)
    np.testing.assert_allclose(result.beta, rest.beta, rtol=1e-9)


@pytest.mark.parametrize("name", ["y", "offset", "X"])
def test_what_is_not_finite_is_refused_on_a_row_of_weight_zero_too(name):
    given = {"X": problem()["X"], "y": problem()["y"], "offset": np.zeros(N)}
    given[name][-1] = np.nan
    with pytest.raises(ValueError, match=f"{name} holds nan"):
        fit(**given, family="logistic", sample_weight=np.append(np.ones(N - 1), 0.0))
