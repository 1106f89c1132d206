"""What every worker needs, whoever started it: one thread for the arithmetic of a task.

With more, the threads of all tasks compete for the same cores, and the order in which they add numbers changes from run
to run. The post saw both effects and left the second open. A pass sees to it for itself (`rows.threads`); this module
does so for whatever else a worker is asked, `X @ b` on dask arrays among it.
"""

import sys
import uuid
import warnings

from glmlab.policy import Workers

__all__ = ["ONE_THREAD", "one_thread", "warn_of_adaptive"]

#: The environment variables that BLAS, OpenMP and numba read when they are loaded.
ONE_THREAD = {
    name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
}
POLICY = Workers()
HERE = uuid.uuid4().hex  # the mark of this process: workers that are threads of it keep the user's own settings
TOO_MANY = ("worker {} takes {} threads for one product of matrices ({}) and keeps to that; start it with "
            "OMP_NUM_THREADS=1 in its environment")  # fmt: skip


def one_thread(client, policy=POLICY):
    """See to it that BLAS, OpenMP and numba take one thread a task, on all workers and on those that join later.

    A worker on which that fails says so by a warning in the client's process.
    """
    client.register_plugin(limiter(HERE, ONE_THREAD, TOO_MANY, policy.meeting))


def limiter(here, variables, too_many, patience):
    """The plugin; made in a function, because dask then sends it as code, which needs no glmlab on the worker."""
    import os
    import pickle
    import threading

    import threadpoolctl
    from distributed import WorkerPlugin

    def limit(meeting):
        """Set the limits in this thread: those of OpenMP and numba are each thread's own."""
        try:
            meeting.wait(patience)  # so that no thread takes this twice, if all are free
        except threading.BrokenBarrierError:
            pass
        threadpoolctl.threadpool_limits(1)
        if "numba" in sys.modules:
            sys.modules["numba"].set_num_threads(1)

    class OneThread(WorkerPlugin):
        name = "one thread a task"

        def setup(self, worker):
            if getattr(sys.modules.get("glmlab.machine.workers"), "HERE", None) == here:
                return
            loaded = {"NUMBA_NUM_THREADS"} if "numba" in sys.modules else set()  # numba forbids a change
            os.environ.update({name: value for name, value in variables.items() if name not in loaded})
            threadpoolctl.threadpool_limits(1)
            meeting = threading.Barrier(worker.state.nthreads)
            for _ in range(worker.state.nthreads):  # not waited for: a thread may be at work for long
                worker.executors["default"].submit(limit, meeting)
            for pool in threadpoolctl.threadpool_info():
                if pool["user_api"] == "blas" and pool["num_threads"] != 1:
                    told = too_many.format(worker.address, pool["num_threads"], pool["internal_api"])
                    worker.log_event("warn", {"message": pickle.dumps(told)})

    return OneThread()


def warn_of_adaptive(client):
    """Warn once where the client's cluster comes and goes with the load, because a fit then loses its workers."""
    adaptive = getattr(client.cluster, "_adaptive", None)
    if adaptive is None or adaptive.state not in ("starting", "running") or adaptive.minimum == adaptive.maximum:
        return
    most = int(adaptive.maximum) if adaptive.maximum < float("inf") else "…"
    warnings.warn(
        f"This cluster adapts between {adaptive.minimum} and {adaptive.maximum} workers: dask retires them in a pause "
        "of a few seconds, and calls none back for the short tasks of a pass, so that passes run on few of them. For "
        f"a fixed number type client.cluster.adapt(minimum={most}, maximum={most})",
        stacklevel=5,
    )
