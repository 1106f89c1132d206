"""The unit of a gap of notebook 06b: right answers written otherwise, and wrong ones with their mistakes."""

import numpy as np
import pytest
from answers import accepted, rejected
from scipy.optimize import minimize_scalar
from scipy.special import kl_div, xlogy
from sklearn.metrics import mean_poisson_deviance

import glmlab
from glmlab.teaching.exercises06_unit import FITTED, TABLES, drawn, left, truth

by_table = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)

# ---------------------------------------------------------------- what the conditions stand on


@by_table
def test_what_is_left_is_the_sum_of_losses_above_the_least_loss_of_each_row(table):
    for y, eta in zip(table.y, table.eta, strict=True):
        least = minimize_scalar(lambda at, y=y: np.exp(at) - y * at, bounds=(-40, 10), method="bounded").fun
        assert np.isclose(left(y, eta), np.exp(eta) - y * eta - least, rtol=1e-6, atol=1e-6)
    half_deviance = mean_poisson_deviance(table.y, np.exp(table.eta)) * len(table.y) / 2
    assert np.isclose(left(table.y, table.eta), half_deviance, rtol=1e-9, atol=1e-9)


def test_the_unit_is_that_of_the_packages_relative_gap():
    table = drawn("counts", 9, 50, 3.0)
    x, offset = np.linspace(-1, 1, 50), table.null - table.null[0]
    level = np.log(table.y.sum() / np.exp(offset + 0.3 * x).sum())  # the best intercept for a slope of 0.3
    proof = glmlab.certify(x[:, None], table.y, [0.3], intercept=level, family="poisson", offset=offset)
    unit = truth(table._replace(eta=offset + level + 0.3 * x))
    assert np.isclose(proof.relative, (proof.bound - proof.rounding) / unit, rtol=1e-9)


def test_some_tables_have_rows_without_cases_and_some_models_fit_every_row():
    assert any(np.any(table.y == 0) for table in TABLES)
    assert all(left(table.y, table.eta) < 1e-12 < truth(table) for table in FITTED)


# ---------------------------------------------------------------- right answers


def by_kl_divergence(y, eta, null):
    model, base = (kl_div(y, np.exp(each)).sum() for each in (eta, null))
    return float(max(model, base / 1000))


def by_deviances(y, eta, null):
    deviances = [mean_poisson_deviance(y, np.exp(each)) * len(y) / 2 for each in (eta, null)]
    return max(deviances[0], deviances[1] / 1000)


def by_loops(y, eta, null):
    def left(eta):
        total = 0.0
        for count, at in zip(y, eta, strict=True):
            least = count - count * np.log(count) if count else 0.0
            total += np.exp(at) - count * at - least
        return total

    return max(left(eta), 1e-3 * left(null))


@pytest.mark.parametrize("right", [by_kl_divergence, by_deviances, by_loops])
def test_gap_unit_written_otherwise(right):
    accepted("gap_unit", right)


# ---------------------------------------------------------------- wrong answers


def unit_of(least):
    """An answer with this least loss of a row."""

    def answer(y, eta, null):
        model, base = (np.sum(np.exp(each) - y * each - least(y)) for each in (eta, null))
        return max(model, base / 1000)

    return answer


def lowest(y):
    return y - xlogy(y, y)


FINITE, POSITIVE, LARGER = (
    "a number for every table", "positive where every row is fitted",
    "the larger of P and a thousandth of the null model's",
)  # fmt: skip


@pytest.mark.parametrize(("wrong", "condition", "says"), [
    pytest.param(unit_of(lambda y: y - y * np.log(y)), FINITE, "the logarithm of", id="0 log 0"),
    pytest.param(lambda y, eta, null: left(y, eta), POSITIVE, "no gap can be divided by 0", id="no least unit"),
    pytest.param(lambda y, eta, null: max(left(y, eta), left(y, null)), POSITIVE, "only a thousandth",
                 id="a whole null"),
    pytest.param(unit_of(lambda y: 0 * y), POSITIVE, "subtract the least loss", id="losses"),
    pytest.param(unit_of(lambda y: -xlogy(y, y)), POSITIVE, "not −y log y", id="without y"),
    pytest.param(unit_of(lambda y: y + xlogy(y, y)), POSITIVE, "mind the sign", id="sign"),
    pytest.param(lambda y, eta, null: min(left(y, eta), left(y, null) / 1000), POSITIVE, "no gap can be divided by 0",
                 id="smaller"),
    pytest.param(lambda y, eta, null: 2 * unit_of(lowest)(y, eta, null), POSITIVE, "leave out the 2", id="deviance"),
    pytest.param(lambda y, eta, null: unit_of(lowest)(y, eta, null) / len(y), POSITIVE, "divide by n", id="mean"),
    pytest.param(lambda y, eta, null: left(y, eta) + left(y, null) / 1000, LARGER, "not their sum", id="sum"),
    pytest.param(lambda y, eta, null: left(y, null) / 1000, LARGER, "minus the sum of the least", id="null alone"),
])  # fmt: skip
def test_gap_unit_wrong(wrong, condition, says):
    rejected("gap_unit", wrong, condition, says)
