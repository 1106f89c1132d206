"""The flights of notebook 07 as rows: late or not, late flights of an hour, minutes of delay."""

from typing import Any, NamedTuple

import distributed
import numpy as np
import pandas as pd

from glmlab.datasets import FLIGHTS_FEATURES, FLIGHTS_LABELS, flights, flights_design

LATE = 15  # minutes: a flight is late if it arrives later than that
RARE = "carrier_OO"  # SkyWest hardly ever flew; a column that is nearly always 0 has a section of its own
COLUMNS = [name for name in FLIGHTS_FEATURES if name != RARE]
SHOWN = ["sched_time", "month_7", "month_9", "weekday_5", "carrier_EV", "carrier_DL", "origin_JFK"]
LABELS = dict(zip(FLIGHTS_FEATURES, FLIGHTS_LABELS, strict=True))


class Question(NamedTuple):
    """What a fit needs."""

    X: Any  # (n, p)
    y: Any  # (n,)
    offset: Any  # (n,), or None
    columns: list  # p names


def questions(client, every, parts):
    """{question: its rows}. X and y of "late" and "minutes" are dask arrays that the workers keep, the others NumPy's.

    every  take one flight of so many; the hours are always all there
    parts  partitions of the table
    """
    table = client.persist(flights("dask", npartitions=parts).map_partitions(_thin, every))
    delayed = table[table.arr_delay > 0]
    return {
        "late": Question(*_kept(client, table, (table.arr_delay > LATE).astype(float)), None, COLUMNS),
        "count": hours(flights()),
        "minutes": Question(*_kept(client, delayed, delayed.arr_delay.astype(float)), None, COLUMNS),
    }


def hours(table):
    """A row for each hour at each airport: means of its flights' columns, how many were late, log of how many flew."""
    hour = [table.month, table.day, table.sched_dep_time // 100, table.origin]
    columns = [name for name in COLUMNS if not name.startswith("carrier")]
    X = flights_design(table)[columns].groupby(hour).mean().to_numpy()
    late = (table.arr_delay > LATE).groupby(hour).sum().to_numpy(dtype=float)
    return Question(X, late, np.log(table.groupby(hour).size().to_numpy()), columns)


def week():
    """The last week of January: X as a frame with SkyWest's column, y = 1 for late, and late flights by airline."""
    table = flights()
    table = table[(table.month == 1) & (table.day > 24)]
    late = table.arr_delay > LATE
    X = flights_design(table)
    airlines = late.groupby(table.carrier).agg(["size", "sum"]).rename(columns={"size": "flights", "sum": "late"})
    return X.loc[:, (X != 0).any()], late.to_numpy(dtype=float), airlines


def _thin(rows, every):
    return rows.iloc[::every]


def _design(rows):
    return flights_design(rows)[COLUMNS]


def _kept(client, table, y):
    """X and y as dask arrays that the workers keep."""
    kept = client.persist([table.map_partitions(_design).to_dask_array(lengths=True), y.to_dask_array(lengths=True)])
    distributed.wait(kept)
    return kept


def factors(fits, questions):
    """A table of e^βⱼ as text: a row for each column in SHOWN, a column for each question; – where it lacks the column.

    fits       {question: what glmlab.fit returned}
    questions  {question: its Question}
    """
    found = {name: pd.Series(np.exp(fit.beta), questions[name].columns) for name, fit in fits.items()}
    table = pd.DataFrame(found).loc[SHOWN].rename(index=LABELS)
    return table.map(lambda factor: "–" if np.isnan(factor) else f"{factor:.2f}")


def by_peers(rows, offset):
    """{question: coefficients (p,)} that scikit-learn and, since it knows offsets, statsmodels find.

    rows    {question: (X, y)} as NumPy arrays
    offset  that of "count"
    """
    import statsmodels.api as sm
    from sklearn.linear_model import GammaRegressor, LogisticRegression

    options = {"solver": "newton-cholesky", "tol": 1e-10}
    X, count = rows["count"]
    poisson = sm.GLM(count, sm.add_constant(X), family=sm.families.Poisson(), offset=offset)
    return {
        "late": LogisticRegression(C=np.inf, **options).fit(*rows["late"]).coef_[0],
        "count": poisson.fit(tol=1e-13).params[1:],
        "minutes": GammaRegressor(alpha=0, **options).fit(*rows["minutes"]).coef_,
    }
