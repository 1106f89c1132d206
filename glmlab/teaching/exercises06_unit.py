"""The second exercise of notebook 06b: the unit of a gap."""

from typing import NamedTuple

import numpy as np
from scipy.special import xlogy

from .exercise import Exercise, recognised, require
from .guard import one_number


def gap_unit(y, eta, null):
    def left(eta):
        least = y - y * np.log(np.where(y > 0, y, 1))
        return np.sum(np.exp(eta) - y * eta - least)

    return max(left(eta), left(null) / 1000)


GAP_UNIT = Exercise(
    name="gap_unit",
    statement=(
        "y (n,) are Poisson counts. eta (n,) are the linear predictors of a model without penalty, null (n,) those of "
        "the null model. Return U = max(P(model), P(null model) ÷ 1000), where P = Σ (e^η − yη) − Σ min_η (e^η − yη)."
    ),
    stub='''
    def gap_unit(y, eta, null):
        """U, one number, of a Poisson model without penalty. Counts y, its η and the null model's η: arrays (n,)."""
        raise NotImplementedError
    ''',
    reference=gap_unit,
    hints=(
        "For a count y, which η makes e^η − yη least? And if y = 0, how small can e^η become?",
        "The derivative e^η − y vanishes at η = log y, where the loss is y − y log y. For y = 0 the limit is 0. P is "
        "the sum of the losses minus the sum of these. U is the larger of two numbers.",
        "least = y - y * np.log(np.where(y > 0, y, 1)); P is np.sum(np.exp(eta) - y * eta - least), and so for null.",
    ),
)


class Counts(NamedTuple):
    """Poisson counts with the η of a model and of the null model."""

    name: str
    y: np.ndarray
    eta: np.ndarray
    null: np.ndarray


def drawn(name, seed, n, mean):
    """Counts with exposures, and a model that is not the best."""
    rng = np.random.default_rng(seed)
    exposure = rng.uniform(0.5, 2.0, n)
    y = rng.poisson(mean * exposure).astype(float)
    null = np.log(exposure * y.sum() / exposure.sum())
    return Counts(name, y, null + rng.normal(scale=0.4, size=n), null)


FITTED = (
    Counts("two groups that the model fits", np.array([20.0, 40.0]), np.log([20.0, 40.0]), np.log([30.0, 30.0])),
    Counts("three counts that the model fits", np.array([2.0, 9.0, 1.0]), np.log([2.0, 9.0, 1.0]), np.log([4.0] * 3)),
)
TABLES = (
    drawn("large counts", 674, 40, 30.0),
    drawn("rare cases", 675, 60, 0.4),
    Counts("a row without cases", np.array([0.0, 40.0]), np.log([0.5, 39.0]), np.log([20.0, 20.0])),
    *FITTED,
)


def left(y, eta):
    """P: what η leaves unexplained."""
    return np.sum(np.exp(eta) - y * eta - y + xlogy(y, y))


def truth(table):
    return max(left(table.y, table.eta), left(table.y, table.null) / 1000)


def rounding(table):
    """How wrong a sum of these losses may be."""
    terms = np.exp(table.eta) + np.abs(table.y * table.eta) + table.y + np.abs(xlogy(table.y, table.y))
    return 1e-12 * np.sum(terms)


def _unit(gap_unit, table):
    with np.errstate(divide="ignore", invalid="ignore"):  # of log 0, which np.where may leave out afterwards
        found = gap_unit(table.y, table.eta, table.null)
    return one_number(found, f"for {table.name}")


@GAP_UNIT.condition(
    "a number for every table",
    hint="a row may have y = 0: log 0 is −∞ and 0 · log 0 is nan, but its least loss is the limit of e^η, which is 0. "
    "Let np.where put a 1 in the place of such a y before the logarithm",
    errors=True,
)
def finite(gap_unit):
    for table in TABLES:
        unit = _unit(gap_unit, table)
        require(np.isfinite(unit), f"for {table.name} it returned {unit:g}")


@GAP_UNIT.condition(
    "positive where every row is fitted",
    hint="a model that fits every row leaves P = 0, and no gap can be divided by 0: U is then P(null model) ÷ 1000",
)
def has_a_least_value(gap_unit):
    _compare(gap_unit, FITTED, "P(null model) ÷ 1000")


@GAP_UNIT.condition(
    "the larger of P and a thousandth of the null model's",
    hint="P is the sum of e^η − yη over the rows, minus the sum of the least values y − y log y (0 for y = 0)",
)
def right(gap_unit):
    _compare(gap_unit, TABLES, "U")


def _compare(gap_unit, tables, what):
    """Require the unit of each table; a mistake that is recognised gets its own hint."""
    for table in tables:
        unit = _unit(gap_unit, table)
        words = f"for {table.name} it returned {unit:.6g}, where {what} = {truth(table):.6g}"
        require(abs(unit - truth(table)) <= rounding(table), words, recognised(unit, _mistakes(table)))


def _mistakes(table):
    """{hint: the unit of an answer with this mistake}."""
    y, eta, null = table.y, table.eta, table.null
    model, base = left(y, eta), left(y, null)
    losses = [np.sum(np.exp(each) - y * each) for each in (eta, null)]
    return {
        "the deviance is twice P: leave out the 2": 2 * max(model, base / 1000),
        "U is a sum over rows: do not divide by n": max(model, base / 1000) / len(y),
        "subtract the least loss of each row, y − y log y": max(losses[0], losses[1] / 1000),
        "at η = log y the loss is y − y log y, not −y log y":
            max(model + np.sum(y), (base + np.sum(y)) / 1000),
        "at η = log y the loss is y − y log y: mind the sign of y log y":
            max(model - 2 * np.sum(xlogy(y, y)), (base - 2 * np.sum(xlogy(y, y))) / 1000),
        "only a thousandth of P(null model) is the least unit": max(model, base),
        "U is the larger of the two, not their sum": model + base / 1000,
        "P is that of the model at hand; the null model gives only the least unit": base,
    }  # fmt: skip
