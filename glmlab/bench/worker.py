"""One run in a process of its own: import, warm up, load, race, certify. Reads a JSON object, prints one.

Not timed: imports, compilers (a warm-up on a few rows), reading the file, starting a cluster, certifying.
"""

import contextlib
import json
import math
import os
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import scipy.sparse as sp

import glmlab
import glmlab.machine.cluster
from glmlab.bench.entries import ENTRIES, on_processes
from glmlab.bench.experiments import EXPERIMENTS
from glmlab.bench.memory import cpu_seconds, peak_memory
from glmlab.bench.problems import PROBLEMS, Posed, stored
from glmlab.rows.threads import cores

WARM_ROWS = 3_000
WORKERS, PER_WORKER = 2, 2  # processes, and chunks that each holds: more chunks only cost tasks (`chunks="auto"` has 8)


def main(wish):
    """The row of one run."""
    warnings.simplefilter("ignore")
    experiment = EXPERIMENTS.get((wish["problem"], wish["entry"]))
    return experiment(wish["scale"], wish["folder"]) if experiment else race(wish)


def race(wish):
    """The row of an entry on a problem."""
    entry = ENTRIES[wish["entry"]]
    posed = Posed(PROBLEMS[wish["problem"]], Path(wish["folder"]), **wish["posed"])
    if not entry.installed:
        return {"failed": f"{entry.package} is not installed"}
    if entry.cores:
        confine(entry.cores)
    warm_up(entry, posed, wish["setting"])
    before = peak_memory(reset=True)  # memory of imports and compilers does not count
    X, y, beta = posed.load()
    with placed(entry, X, y, posed) as (rows, labels):
        wall, cpu = time.perf_counter(), cpu_seconds()
        answer = entry.solve(rows, labels, posed, wish["setting"])
        wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
        peak = peak_memory() - before
    return {
        "wall": wall, "cpu": cpu, "memory": peak, "data": nbytes(X) + y.nbytes, "passes": answer.passes,
        "rounds": answer.rounds, "trace": answer.trace, "says": answer.says, "used": cores(),
        **judged(X, y, beta, posed, answer.beta),
    }  # fmt: skip


def confine(number):
    """Confine this process and its children to so many cores. Raises an error where the system cannot."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:number])


def warm_up(entry, posed, setting):
    """Run the same solver on a few rows: it imports and compiles what it needs."""
    X, y = stored(posed.folder, mmap_mode="r")
    step = max(1, len(y) // WARM_ROWS)
    few = X[::step] if sp.issparse(X) else np.ascontiguousarray(X[::step])
    with contextlib.suppress(Exception):  # a peer may refuse so few rows; only the race counts
        entry.solve(few, np.ascontiguousarray(y[::step]), posed, setting)


def nbytes(X):
    """The bytes of X, an array or a CSR array."""
    return X.data.nbytes + X.indices.nbytes + X.indptr.nbytes if sp.issparse(X) else X.nbytes


@contextlib.contextmanager
def placed(entry, X, y, posed):
    """The rows where this entry reads them: in this process, or in the memory of two worker processes."""
    if entry.solve is not on_processes:
        yield X, y
        return
    from distributed import wait

    client = glmlab.machine.cluster.client(n_workers=WORKERS, memory_limit="8GiB")
    try:
        height = math.ceil(len(y) / (PER_WORKER * WORKERS))
        lazy = [glmlab.machine.cluster.dealt(client, a, height) for a in (X, y)]
        wait(lazy)
        on_processes(*(column[:: max(1, len(y) // WARM_ROWS)] for column in lazy), posed, 1e-3)  # both compile
        yield lazy
    finally:
        client.close()


def judged(X, y, beta_true, posed, beta):
    """The quality of any β: its certified gap, its gap to the known optimum, its distance to the true β."""
    proof = glmlab.certify(X, y, beta, family=posed.problem.family, penalty=posed.penalty)
    support = np.flatnonzero(beta).tolist()
    return {
        "relative": proof.relative, "gap": (proof.objective - posed.optimum) / posed.size,
        "zeros": int(np.sum(beta == 0)), "same_support": support == posed.support,
        "to_truth": None if beta_true is None else float(np.abs(beta - beta_true).max()),
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(main(json.load(sys.stdin))))
