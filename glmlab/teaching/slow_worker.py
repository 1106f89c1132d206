"""The race of notebook 10: one worker is slow, and who gets to a proved gap first?

What wins, when and why. Chunks that are moved away from the slow worker win by far, since nobody waits any more, and
the method stays the same. Where chunks must stay, asynchronous ADMM takes about half of the time of synchronous ADMM at
the same ρ, if ρ is above the curvature of a chunk. There ADMM needs many rounds, and while the slow worker votes once
the others vote about ten times and settle on what they can without it. It is half and not a tenth, because the slow
worker's last vote holds z back by ρ, and because its next vote is for the z of one vote ago. Below the curvature the
slow worker's votes decide alone, and asynchrony wins little or loses. That is where synchronous ADMM is fastest, so
that tuning ρ wins as much as asynchrony. PIAG must take steps that suit its longest delay; adaptive steps, which suit
the delay at hand, about halve its time. Then it is hardly faster than gradient steps that wait. Without a slow worker
everything asynchronous loses: it relaxes less, takes smaller steps, and its messages are as many but not together.
"""

import math
import time
from typing import NamedTuple

import numpy as np
import pandas as pd

from glmlab.bench.timing import timed
from glmlab.datasets import make_logistic
from glmlab.machine.cluster import dealt
from glmlab.machine.placing import placed, speeds
from glmlab.machine.stragglers import slowed
from glmlab.maths.families import Gaussian
from glmlab.maths.penalties import Zero
from glmlab.rows.entrance import as_chunks
from glmlab.rows.objective import Objective
from glmlab.solvers.run import run

from .races import ranged

SYNC, ASYNC, MOVED = "ADMM", "ADMM, asynchronous", "ADMM, chunks moved"
GRADIENT, FIXED, ADAPTIVE = "gradient", "PIAG, fixed step", "PIAG, adaptive step"
GRADIENT_MOVED = "gradient, chunks moved"
KINDS = (SYNC, ASYNC, MOVED), (GRADIENT, FIXED, ADAPTIVE, GRADIENT_MOVED), (FIXED, ADAPTIVE)  # the first is the measure


class Race(NamedTuple):
    """What a race has shown."""

    seconds: dict  # {racer: (repeats,) seconds to the proved gap; inf where it was not reached}
    results: dict  # {racer: the Result of its run of median seconds}
    speeds: dict  # {worker: measured speed, the fastest 1}
    measuring: float  # seconds that these took
    moving: float  # seconds that it took to move the chunks

    def median(self, name):
        """The median seconds of a racer."""
        return float(np.median(self.seconds[name]))

    def ratio(self, name, other):
        """The median seconds of a racer as a share of another's."""
        return self.median(name) / self.median(other)

    def table(self):
        """A frame with one row a racer: seconds, median and range, and what its kept run spent and proved."""
        rows = {name: {
            "seconds": ranged(taken), "passes": result.passes, "rounds": result.rounds,
            "states": len(result.trace), "certified gap": f"{result.certificate.relative:.0e}",
        } for (name, taken), result in zip(self.seconds.items(), self.results.values(), strict=True)}  # fmt: skip
        return pd.DataFrame(rows).T

    def finding(self):
        """In words: median seconds as a share of those of the synchronous method, and of PIAG with the fixed step."""
        pairs = [(name, base) for base, *others in KINDS for name in others if {name, base} <= set(self.seconds)]
        return "; ".join(f"{name} {self.ratio(name, base):.2f} of {base}" for name, base in pairs)


def dealt_rows(client, n=280_000, p=15, seed=0):
    """X (n, p) normal and y (n,) of a logistic model, on the workers: one chunk each.

    β is a quarter as long as elsewhere in the course, so that all methods need few rounds. n·p is above 4 million, so
    that `run` certifies with a share of the rows and a certificate costs less than a round.
    """
    import distributed

    beta = (np.random.default_rng(seed).random(p) - 0.5) * 0.75
    X, y, _ = make_logistic(n, p, seed=seed, x="normal", beta=beta)
    X, y = (dealt(client, a, math.ceil(n / len(client.nthreads()))) for a in (X, y))
    distributed.wait([X, y])
    return X, y


def race(client, X, y, *, family="logistic", penalty=None, rho="diagonal", tol=1e-4, times=10.0, others=1.0, task=None,
         repeats=5, budget=120.0, max_iter=2000, only=None, say=print):  # fmt: skip
    """Everybody's seconds to a certified relative gap of `tol` while one worker takes `times` as long: a Race.

    X (n, p), y (n,): dask arrays that the workers hold, at least as many chunks as workers. family: one whose ℓ″ is
    bounded, because the gradient methods need that. rho: the same for all ADMM. times: 1 for no slow worker. others: by
    how much all workers are slowed. only: names of racers. say: called with a line for each repeat.
    repeats: at most; after `budget` seconds no further one begins.
    task: the seconds in which a worker that is not slow shall read a chunk once for f, ∇f and ∇²f; `others` is made of
    it then.
    Workers sleep for what their work leaves of it (machine.stragglers). So eight workers need one processor and do
    not slow each other down: a stand-in for eight machines, whose chunks would be so much longer. A task should be
    long against what dask needs to send it and to fetch its result, about 5 ms of a processor for each.
    Before the race synchronous ADMM runs once, while nobody is slow, so that all workers have loaded their kernels.
    All start at 0 and run in turn, one after the other in each of the repeats. The clock runs for the solver and for
    the certificates, which are passes that wait for the slow worker, too. It does not run for the first look at the
    rows, which all need alike, or for the moving of chunks.
    """
    g = Zero() if penalty is None else penalty
    entries((X, y), (X, y), family, g, rho)[SYNC](tol, max_iter)
    others = others if task is None else max(task / seconds_of_a_read(X, y, family), 1.0)
    with slowed(client, times, others=others):
        speed, measuring = timed(lambda: speeds(client, **({} if task is None else {"repeats": 2, "rows": 2**12})))
        moved, moving = timed(lambda: placed(client, X, y, speed=speed))
        racers = entries((X, y), moved, family, g, rho)
        racers = {name: run_it for name, run_it in racers.items() if only is None or name in only}
        seconds, results = {name: [] for name in racers}, {name: [] for name in racers}
        until = time.perf_counter() + budget
        for repeat in range(repeats):
            if repeat and time.perf_counter() > until:
                say(f"No further repeat: the budget of {budget:g} s is spent.")
                break
            for name, run_it in racers.items():
                result, taken = run_it(tol, max_iter)
                results[name].append(result)
                seconds[name].append(taken if result.converged else np.inf)
            times_of_all = "; ".join(f"{name} {taken[-1]:.3g} s" for name, taken in seconds.items())
            say(f"{repeat + 1} of {repeats}: {times_of_all}")
    kept = {name: median_run(seconds[name], runs) for name, runs in results.items() if runs}
    return Race(seconds, kept, speed, measuring, moving)


def median_run(seconds, runs):
    """The run of median seconds, of an even number the faster one of the two in the middle."""
    return runs[np.argsort(seconds, kind="stable")[(len(runs) - 1) // 2]]


def seconds_of_a_read(X, y, family, repeats=5):
    """The processor's seconds in which a worker reads a chunk once for f, ∇f and ∇²f; of all, the typical one."""
    f = Objective(family, as_chunks(X, y))
    shared = f.family, f.kernel("loss_grad_hess"), np.zeros(f.dim)
    return float(np.median(np.min([f.map(work, shared=shared) for _ in range(repeats)], axis=0)))


def work(rows, family, kernel, beta):
    """The seconds for which a kernel has a processor."""
    began = time.thread_time()
    kernel(rows, family, beta)
    return time.thread_time() - began


def entries(rows, moved, family, g, rho):
    """{racer: a function of tol and max_iter that returns its Result and the seconds of its run}."""

    def solver(name, where=rows, constant=False, **options):
        def run_it(tol, max_iter):
            f = Objective(family, as_chunks(*where))
            start = np.zeros(f.dim)
            f.look(start)
            began = time.perf_counter()
            own = options | ({"step": 1 / largest_curvature(f)} if constant else {})
            result = run(name, f, g, start=start, tol=tol, max_iter=max_iter, **own)
            return result, time.perf_counter() - began

        return run_it

    return {
        SYNC: solver("consensus_admm", rho=rho),
        ASYNC: solver("async_admm", rho=rho),
        MOVED: solver("consensus_admm", moved, rho=rho),
        GRADIENT: solver("proximal_gradient", constant=True),
        FIXED: solver("piag", step="fixed"),
        ADAPTIVE: solver("piag", step="adaptive"),
        GRADIENT_MOVED: solver("proximal_gradient", moved, constant=True),
    }


def largest_curvature(f):
    """L of f, in a pass: the largest ℓ″ times λ_max(XᵀWX), which the Hessian of least squares has as a factor."""
    parts = f.map(f.kernel("loss_grad_hess"), shared=(Gaussian(), np.zeros(f.dim)))
    return f.family.most_curved / Gaussian.most_curved * np.linalg.eigvalsh(sum(part.hess for part in parts))[-1]
