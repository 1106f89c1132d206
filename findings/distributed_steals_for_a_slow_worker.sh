#!/usr/bin/env bash
# TITLE     distributed: a worker ten times as slow as the others steals tasks from them in every pass, and never learns
# VERSION   dask and distributed 2026.8.0, Python 3.11
# GUESS     Rows that lie on the two fast workers are worked on there. If a slow third worker, which holds no rows, takes tasks by
#           stealing, the scheduler notices after a few passes that these end late, and leaves them where they are.
# BEHAVIOUR In every pass the slow worker steals two or more of the 30 tasks, so that a pass takes about twice as long as with
#           stealing off. Stealing compares how long a task takes on average (one number for all workers) with the time its rows
#           travel. An idle worker is taken for an equal of the others, however late its tasks ended in earlier passes.
# SOURCE    distributed/stealing.py, WorkStealing.steal_time_ratio and .balance; the documentation's page on work stealing names
#           "saturated" and "idle" workers, and no speeds.
set -euo pipefail
here="$(mktemp -d)"; trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install -q --disable-pip-version-check dask==2026.8.0 distributed==2026.8.0 numpy==2.4.6 >/dev/null 2>&1
cat > "$here/passes.py" <<'PY'
import time

import dask
import dask.array as da
import numpy as np
from distributed import Client, LocalCluster, get_worker

SLOW, TASK, PASSES = 0, 0.1, 5


def mean_of(block):
    """A task of 100 ms, which the slow worker has after a second."""
    name = get_worker().name
    time.sleep(TASK * (10 if name == SLOW else 1))
    return np.array([[float(name == SLOW), block.mean()]])


def passes(stealing):
    """(seconds, tasks that the slow worker did) of each pass over rows that lie on workers 1 and 2."""
    with dask.config.set({"distributed.scheduler.work-stealing": stealing}):
        with LocalCluster(n_workers=3, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0") as cluster:
            with Client(cluster) as client:
                X = client.persist(da.ones((300, 2), chunks=(10, 2)), workers=[1, 2], allow_other_workers=True)
                sums = X.map_blocks(mean_of, chunks=(1, 2), dtype=float, meta=np.empty((0, 0)))
                found = []
                for _ in range(PASSES):
                    began = time.perf_counter()
                    slow = int(sums.compute()[:, 0].sum())
                    found.append((round(time.perf_counter() - began, 2), slow))
                return found


if __name__ == "__main__":
    without, stolen = passes(False), passes(True)
    print("stealing off, (seconds, tasks of the slow worker) of each pass:", without)
    print("stealing on:                                                   ", stolen)
    assert all(tasks == 0 for _, tasks in without), "the slow worker works without stealing"
    assert all(tasks > 0 for _, tasks in stolen[1:]), "stealing learns that a worker is slow"
    assert np.median([s for s, _ in stolen]) > 1.3 * np.median([s for s, _ in without]), "stealing costs nothing"
    print("As described.")
PY
"$here/venv/bin/python" "$here/passes.py" 2>/dev/null
