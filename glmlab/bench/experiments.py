"""Questions that are not a race of solvers on one set of rows: rows never stored, rows on disk, the size of chunks.

Each is a function from the scale to the numbers of one run, made in a process of its own as races are.
"""

import contextlib
import time
from pathlib import Path

import dask.array as da
import numpy as np

import glmlab.cluster
from glmlab import datasets
from glmlab.bench.memory import peak_memory
from glmlab.chunks import as_chunks
from glmlab.families import Logistic
from glmlab.fitting import fit
from glmlab.objective import Objective
from glmlab.penalties import L1

TOL = 1e-9
SEED, COLUMNS = 20009, 15
READ = 2 * (2**23 // 8 // COLUMNS)  # rows read at a time: two of the pieces that `datasets.save` writes, 16 MiB
DRAWN = 100_000  # rows drawn at a time: 12 MB


def clocked(work):
    """(seconds, what `work` returned)."""
    began = time.perf_counter()
    found = work()
    return time.perf_counter() - began, found


def row(seconds, result, memory, **more):
    """The numbers of a fit."""
    return {"wall": seconds, "relative": result.certificate.relative, "passes": result.passes, "rounds": result.rounds,
            "memory": memory, **more}  # fmt: skip


# --- rows drawn again in every pass and never stored

def never_stored(n):
    """The post's problem with n rows, of which no more than a chunk for each core exists at a time."""

    def run(scale, folder):
        rows = n[scale]
        fit_drawn(10_000)  # compile
        before = peak_memory(reset=True)
        seconds, result = clocked(lambda: fit_drawn(rows))
        to_truth = float(np.abs(result.beta - datasets.make_logistic(1, COLUMNS, seed=SEED)[2]).max())
        return row(seconds, result, peak_memory() - before, n=rows, to_truth=to_truth)

    return run


def fit_drawn(n):
    X, y, _ = datasets.make_logistic(n, COLUMNS, seed=SEED, chunks=min(n, DRAWN))
    return fit(X, y, family="logistic", penalty=L1(1.0), tol=TOL)


# --- rows on disk, four times the memory of the workers

DISK = {"full": 32_000_000, "ci": 40_000}
LIMIT = {"full": "480MB", "ci": "1GB"}  # of each of two workers; at ci scale nothing is larger than memory


def stored(scale, folder):
    """The post's rows in a zarr group, written once; lazy arrays over it."""
    path = Path(folder) / f"disk-{DISK[scale]}.zarr"
    if not path.exists():
        datasets.save(path, *datasets.make_logistic(DISK[scale], COLUMNS, seed=SEED, chunks=READ))
    return datasets.load(path, chunks=READ)


@contextlib.contextmanager
def two_workers(scale):
    client = glmlab.cluster.client(n_workers=2, memory_limit=LIMIT[scale])
    try:
        yield client
    finally:
        client.close()


def from_disk(scale, folder):
    """A certified fit of rows that never fit into memory."""
    X, y, _ = stored(scale, folder)
    with two_workers(scale):
        fit(X[:READ], y[:READ], family="logistic", penalty=L1(1.0), tol=1e-3)  # workers import and compile
        seconds, result = clocked(lambda: fit(X, y, family="logistic", penalty=L1(1.0), tol=TOL))
    return row(seconds, result, None)


def reading(scale, folder):
    """One pass that only reads those rows: their sum."""
    X, y, _ = stored(scale, folder)
    with two_workers(scale):
        da.compute(X[:READ].sum())
        seconds, _ = clocked(lambda: da.compute(X.sum(), y.sum()))
    return {"wall": seconds, "relative": None, "passes": 1, "rounds": 1, "memory": None}


# --- how long chunks should be

def pass_seconds(X, y, chunks):
    """The shortest of some loss+gradient passes over rows cut so."""
    f, beta = Objective(Logistic(), as_chunks(X, y, chunks=chunks)), np.full(X.shape[1], 0.1)
    return min(clocked(lambda k=k: f.loss_grad(beta + k / 100))[0] for k in range(7))


def advised(scale, folder):
    """A pass over the chunks that we choose, against the best of a sweep over their lengths."""
    X, y, _ = datasets.make_logistic({"full": 4_000_000, "ci": 40_000}[scale], COLUMNS, seed=SEED)
    own = pass_seconds(X, y, None)
    sweep = {rows: pass_seconds(X, y, rows) for rows in np.geomspace(2_000, len(y), 10).astype(int).tolist()}
    best = min(sweep, key=sweep.get)
    again = pass_seconds(X, y, best), pass_seconds(X, y, None)  # what is best by luck is not best twice
    return {"wall": min(own, again[1]), "best": max(sweep[best], again[0]), "best_rows": best, "passes": 1, "rounds": 1,
            "relative": None, "memory": None, "sweep": {str(rows): s for rows, s in sweep.items()}}  # fmt: skip


EXPERIMENTS = {
    ("never stored", "few rows"): never_stored({"full": 1_000_000, "ci": 20_000}),
    ("never stored", "many rows"): never_stored({"full": 800_000_000, "ci": 40_000}),
    ("from disk", "glmlab"): from_disk,
    ("from disk", "reading"): reading,
    ("chunks", "advised"): advised,
}
