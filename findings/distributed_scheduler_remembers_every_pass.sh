#!/usr/bin/env bash
# TITLE     distributed: the scheduler of an iterative algorithm remembers every iteration, although all its tasks are forgotten
# VERSION   dask and distributed 2026.8.0, Python 3.11
# GUESS     Once nobody holds a result, the scheduler forgets its tasks, so that a loop of a million passes over the same rows needs
#           no more memory than one of a hundred. `len(scheduler.tasks)` and `len(scheduler.task_groups)` say so.
# BEHAVIOUR Tasks that nobody named a span for go to a "default" span. When such tasks are submitted and the last default span has
#           none at work, a new one begins. Spans are never dropped, and each holds its groups of tasks. So every `compute` of a
#           loop leaves a span and its groups on the scheduler for good. No setting turns spans off or limits them.
#           (Computations, which spans replace, have max-history: 100.)
# SOURCE    distributed/spans.py, SpansSchedulerExtension._ensure_default_span and .spans; dask/distributed issue 7977, open since
#           2023, which expects that the number of groups does not grow with the work.
set -euo pipefail
here="$(mktemp -d)"; trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install -q --disable-pip-version-check dask==2026.8.0 distributed==2026.8.0 numpy==2.4.6 >/dev/null 2>&1
cat > "$here/passes.py" <<'PY'
import dask.array as da
import numpy as np
from distributed import Client, LocalCluster

PASSES = 300


def held(dask_scheduler):
    """What is left once a loop has ended: tasks, groups that the scheduler lists, spans, and groups that spans hold."""
    spans = dask_scheduler.extensions["spans"].spans.values()
    groups = {id(group) for span in spans for group in span.groups}
    return {"tasks": len(dask_scheduler.tasks), "groups listed": len(dask_scheduler.task_groups), "spans": len(spans),
            "groups in spans": len(groups)}


if __name__ == "__main__":
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0") as cluster:
        with Client(cluster) as client:
            X = client.persist(da.ones((4000, 5), chunks=(1000, 5)))
            beta = np.zeros(5)
            found = []
            for half in range(2):
                for _ in range(PASSES // 2):
                    beta = beta - 1e-6 * (X.T @ (X @ beta - 1)).compute()
                found.append(client.run_on_scheduler(held))
                print(f"after {(half + 1) * PASSES // 2} passes:", found[-1])
    early, late = found
    assert late["tasks"] < 50 and late["groups listed"] < 50, "the scheduler does not forget"
    assert late["groups in spans"] - early["groups in spans"] >= PASSES // 2, "spans forget, too"
    print("As described.")
PY
"$here/venv/bin/python" "$here/passes.py" 2>/dev/null
