"""Measurements other than a race on stored rows: rows that are never stored, rows on disk, the size of chunks.

Each is a function from the scale to the numbers of one run. It runs in a process of its own, as a race does.
"""

import contextlib
from pathlib import Path

import dask.array as da
import numpy as np

import glmlab.machine.cluster
from glmlab import datasets
from glmlab.bench.many_lams import RACES
from glmlab.bench.memory import peak_memory
from glmlab.bench.timing import timed
from glmlab.fitting import fit
from glmlab.maths.families import Logistic
from glmlab.maths.penalties import L1
from glmlab.rows.entrance import as_chunks
from glmlab.rows.objective import Objective

TOL = 1e-9
SEED, COLUMNS = 20009, 15
READ = 2 * (2**23 // 8 // COLUMNS)  # rows read at a time: two of the pieces that `datasets.save` writes, 16 MiB
DRAWN = 100_000  # rows drawn at a time: 12 MB


def row(seconds, result, memory, **more):
    """The numbers of a fit."""
    return {"wall": seconds, "relative": result.certificate.relative, "passes": result.passes, "rounds": result.rounds,
            "memory": memory, **more}  # fmt: skip


# --- rows drawn again in every pass and never stored

def never_stored(n):
    """The post's problem with n rows. At any time no more than one chunk for each core exists."""

    def run(scale, folder):
        rows = n[scale]
        fit_drawn(10_000)  # compiles the kernels
        before = peak_memory(reset=True)
        result, seconds = timed(lambda: fit_drawn(rows))
        to_truth = float(np.abs(result.beta - datasets.make_logistic(1, COLUMNS, seed=SEED)[2]).max())
        return row(seconds, result, peak_memory() - before, n=rows, to_truth=to_truth)

    return run


def fit_drawn(n):
    X, y, _ = datasets.make_logistic(n, COLUMNS, seed=SEED, chunks=min(n, DRAWN))
    return fit(X, y, family="logistic", penalty=L1(1.0), tol=TOL)


# --- rows on disk, four times the memory of the workers

DISK = {"full": 32_000_000, "ci": 40_000}
LIMIT = {"full": "480MB", "ci": "1GB"}  # of each of two workers; at scale ci the rows fit into memory


def stored(scale, folder):
    """Lazy arrays of the post's rows in a zarr group, which is written if it is not there."""
    path = Path(folder) / f"disk-{DISK[scale]}.zarr"
    if not path.exists():
        datasets.save(path, *datasets.make_logistic(DISK[scale], COLUMNS, seed=SEED, chunks=READ))
    return datasets.load(path, chunks=READ)


@contextlib.contextmanager
def two_workers(scale):
    client = glmlab.machine.cluster.client(n_workers=2, memory_limit=LIMIT[scale])
    try:
        yield client
    finally:
        client.close()


def from_disk(scale, folder):
    """A certified fit of rows that do not fit into memory."""
    X, y, _ = stored(scale, folder)
    with two_workers(scale):
        fit(X[:READ], y[:READ], family="logistic", penalty=L1(1.0), tol=1e-3)  # the workers import and compile
        result, seconds = timed(lambda: fit(X, y, family="logistic", penalty=L1(1.0), tol=TOL))
    return row(seconds, result, None)


def reading(scale, folder):
    """The sum of those rows: a pass that only reads."""
    X, y, _ = stored(scale, folder)
    with two_workers(scale):
        da.compute(X[:READ].sum())
        _, seconds = timed(lambda: da.compute(X.sum(), y.sum()))
    return {"wall": seconds, "relative": None, "passes": 1, "rounds": 1, "memory": None}


# --- how long chunks should be

def pass_seconds(X, y, chunks):
    """The least time of several passes for loss and gradient over rows in these chunks."""
    f, beta = Objective(Logistic(), as_chunks(X, y, chunks=chunks)), np.full(X.shape[1], 0.1)
    return min(timed(lambda k=k: f.loss_grad(beta + k / 100))[1] for k in range(7))


def advised(scale, folder):
    """A pass over our default chunks, compared with the fastest of several chunk lengths."""
    X, y, _ = datasets.make_logistic({"full": 4_000_000, "ci": 40_000}[scale], COLUMNS, seed=SEED)
    own = pass_seconds(X, y, None)
    sweep = {rows: pass_seconds(X, y, rows) for rows in np.geomspace(2_000, len(y), 10).astype(int).tolist()}
    best = min(sweep, key=sweep.get)
    again = pass_seconds(X, y, best), pass_seconds(X, y, None)  # again: the least of many is partly luck
    return {"wall": min(own, again[1]), "best": max(sweep[best], again[0]), "best_rows": best, "passes": 1, "rounds": 1,
            "relative": None, "memory": None, "sweep": {str(rows): s for rows, s in sweep.items()}}  # fmt: skip


EXPERIMENTS = {
    ("never stored", "few rows"): never_stored({"full": 1_000_000, "ci": 20_000}),
    ("never stored", "many rows"): never_stored({"full": 800_000_000, "ci": 40_000}),
    ("from disk", "glmlab"): from_disk,
    ("from disk", "reading"): reading,
    ("chunks", "advised"): advised,
    **RACES,
}
