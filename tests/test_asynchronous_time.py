"""Who wins beside a slow worker, by a clock that is made up: it moves with passes, certificates and single tasks alike.

Seconds are reads of a chunk for f, ∇f and ∇²f on a worker that is not slow. Messages take no time.
"""

import heapq

import numpy as np
import pytest

from glmlab import Objective, Zero, run
from glmlab.datasets import make_logistic
from glmlab.machine.placing import owners
from glmlab.rows.chunks import InMemory, on_chunk, summed
from glmlab.rows.kernels import Rows
from glmlab.teaching.slow_worker import largest_curvature

K, P, N = 8, 15, 8000
READS = {"loss_grad": 0.35, "loss_grad_diag": 0.45, "evidence": 1.6, "price": 2.9}  # of each kernel; others 1


class Clocked(InMemory):
    """Chunks in memory, chunk k on workers[k], which does one task after the other and takes slow[worker] a read."""

    def __init__(self, rows, workers, slow):
        super().__init__(rows, [N // K] * K, threads=1)
        self.workers, self.slow, self.now, self.free, self.due = workers, slow, 0.0, {}, []

    def done(self, k, kernel, shared, own=()):
        """What a task that is sent now finds, and when."""
        found = on_chunk(kernel, shared, self.chunk(k), *own)
        reads = READS.get(kernel.__name__, 1.0)
        if kernel.__name__ == "gradients":
            reads = 0.35 * found.touches
        elif hasattr(found, "touches"):  # of `vote`, and of `local_update`, which has read once for f and ∇f only
            reads = found.touches - 0.65 * (kernel.__name__ == "local_update")
        worker = self.workers[k]
        self.free[worker] = max(self.now, self.free.get(worker, 0.0)) + reads * self.slow[worker]
        return found, self.free[worker]

    def _pass(self, kernel, shared, per_chunk, combine):
        parts, ends = zip(*(self.done(k, kernel, shared, [own[k] for own in per_chunk]) for k in range(K)), strict=True)
        self.now = max(ends)
        return list(parts) if combine is None else summed(list(parts), combine)

    # as a crew (rows/arrivals.py)

    def crew(self):
        return self

    def __enter__(self):
        self.due = []

    def __exit__(self, *error):
        self.due = []

    def send(self, k, kernel, shared):
        found, ends = self.done(k, kernel, shared)
        heapq.heappush(self.due, (ends, k, found))

    def next(self):
        ends, k, found = heapq.heappop(self.due)
        self.now = max(self.now, ends)
        return k, found

    def ready(self):
        return bool(self.due) and self.due[0][0] <= self.now


def seconds(solver, times, *, moved=False, **options):
    """Until a relative gap of 1e-4 is proved, from 0, with a worker `times` as slow; inf where it is never proved."""
    X, y, _ = make_logistic(N, P, seed=0, x="normal", beta=(np.random.default_rng(0).random(P) - 0.5) * 1.5)
    slow = [1.0, 1.001, 1.002, 1.003, 1.004, 1.005, 1.006, times]
    workers = owners([1] * K, {k: 1 / slow[k] for k in range(K)}) if moved else range(K)
    f = Objective("logistic", Clocked(Rows(np.asarray(X), np.asarray(y), None, None), workers, slow), "numpy")
    f.look(np.zeros(P))
    f.chunks.now, f.chunks.free = 0.0, {}
    if solver == "proximal_gradient":
        options["step"] = 1 / largest_curvature(f)
    result = run(solver, f, Zero(), start=np.zeros(P), tol=1e-4, max_iter=1000, **options)
    return f.chunks.now if result.converged else np.inf


def rho(share):
    """A multiple of the mean curvature of a chunk at 0, whose columns have variance 1."""
    return share * N / K / 4


@pytest.mark.slow
@pytest.mark.parametrize("share", [3.0, 5.0, 10.0])
def test_above_the_curvature_asynchronous_admm_takes_at_most_half_of_the_time(share):
    assert seconds("async_admm", 10.0, rho=rho(share)) <= 0.5 * seconds("consensus_admm", 10.0, rho=rho(share))


@pytest.mark.slow
def test_at_the_best_rho_of_synchronous_admm_asynchronous_admm_wins_less():
    """The best of both is at a fraction of the curvature, and there synchronous ADMM needs few rounds, too."""
    sync, free = ({share: seconds(solver, 10.0, rho=rho(share)) for share in (0.1, 0.3, 1.0, 3.0)}
                  for solver in ("consensus_admm", "async_admm"))  # fmt: skip
    best = min(sync, key=sync.get)
    assert best < 1 and free[best] > 0.5 * sync[best] and free[3.0] > 0.5 * sync[best]


def test_without_a_slow_worker_asynchrony_loses():
    assert seconds("async_admm", 1.0, rho=rho(3.0)) > seconds("consensus_admm", 1.0, rho=rho(3.0))
    assert seconds("piag", 1.0) > seconds("proximal_gradient", 1.0)


def test_adaptive_steps_take_at_most_0_7_of_the_time_of_the_fixed_step():
    assert seconds("piag", 10.0) <= 0.7 * seconds("piag", 10.0, step="fixed")


def test_chunks_that_are_moved_beat_whoever_does_not_wait():
    assert seconds("consensus_admm", 10.0, rho=rho(3.0), moved=True) < seconds("async_admm", 10.0, rho=rho(3.0)) / 2
    assert seconds("proximal_gradient", 10.0, moved=True) < seconds("piag", 10.0) / 2
