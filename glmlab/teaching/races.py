"""Races of solvers in notebooks 07 and 08: who runs when, how near each iterate is, and medians with their ranges."""

import itertools
from typing import NamedTuple

import numpy as np
import pandas as pd
from IPython.display import Markdown, display

from glmlab.bench import report
from glmlab.bench.timing import timed
from glmlab.machine import costmodel
from glmlab.rows.objective import Objective
from glmlab.solvers.gradient import GradientState

from .ledgers import ledger


def fista(f, g, start):
    """FISTA for the logistic loss that reports at v, the point at which it needs a gradient anyway.

    Update: β⁺ = prox_{g/L}(v − ∇f(v)/L), then v = β⁺ + m (β⁺ − β) with m = (θ_old − 1)/θ; θ restarts from 1 when the
    momentum points uphill, (v − β⁺)ᵀ(β⁺ − β) > 0.
    Oracle: one loss+gradient pass an iteration, and first one pass for L = λ_max(∇²f(0)), since no ℓ″ exceeds ℓ″(0).
    (`solvers.fista` makes a second pass an iteration: it reports at β, and searches for the step.)
    Reference: Beck & Teboulle (2009), (4.1)–(4.3); O'Donoghue & Candès (2015), §3.2.
    """
    L = np.linalg.eigvalsh(f.loss_grad_hess(np.zeros(f.dim)).hess)[-1]
    beta, v, theta = start, start, 1.0
    while True:
        loss, grad = f.loss_grad(v)
        yield GradientState(v, loss + g.value(v), f.residual(v, grad, g), 1 / L)
        new = g.prox(v - grad / L, 1 / L)
        if (v - new) @ (new - beta) > 0:
            theta = 1.0
        theta_old, theta = theta, (1 + np.sqrt(1 + 4 * theta**2)) / 2
        v, beta = new + (theta_old - 1) / theta * (new - beta), new


def gaps(objectives, best):
    """(m,) proved relative gaps of other iterates of one problem, from the certificate of one good answer.

    objectives  (m,) their F
    best        a Result, whose certificate says that F* is at least best.objective − its bound

    The gaps are relative to F of the best answer, which for labels 0 and 1 is the S of every other relative gap.
    """
    lowest = best.objective - best.certificate.bound
    return (np.asarray(objectives, dtype=float) - lowest) / best.objective


def iterations_to(target, found):
    """The number of the first iterate whose gap is at most target; inf if there is none."""
    there = np.flatnonzero(np.asarray(found) <= target)
    return int(there[0]) if len(there) else np.inf


def interleaved(entries, repetitions):
    """{name: [(answer, seconds), …]}: everybody runs once, then everybody again. So a slow minute is slow for all.

    entries  {name: a function without arguments}
    One line under the cell says who has run.
    """
    found, says = {name: [] for name in entries}, display(Markdown("…"), display_id=True)
    for k in range(repetitions):
        for name, run in entries.items():
            found[name].append(timed(run))
            line = f"{k + 1} of {repetitions}: {name}, {found[name][-1][1]:.3g} s"
            print(line) if says is None else says.update(Markdown(line))
    return found


def ranged(values):
    """Numbers as text: their median, and in brackets the least and the largest.

    >>> ranged([0.2, 0.1, 0.4]), ranged([3.0]), ranged([float("inf")] * 2), ranged([])
    ('0.2 (0.1–0.4)', '3', 'never', '–')
    """
    values = [float(value) for value in values if not np.isnan(value)]
    if not values:
        return "–"
    low, middle, high = min(values), float(np.median(values)), max(values)
    if np.isinf(middle):
        return "never"
    return _short(middle) if low == high else f"{_short(middle)} ({_short(low)}–{_short(high)})"


def _short(value):
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def in_words(frame):
    """A table with every number as text of three digits; a list of numbers becomes its median and range."""
    return frame.map(lambda value: ranged(value if isinstance(value, list) else [float(value)]))


# ---------------------------------------------------------------- the referee

class Lane(NamedTuple):
    """What the referee knows of one racer."""

    seconds: np.ndarray  # (repetitions, m) when each of m answers was there
    passes: np.ndarray | None  # (m,) over the rows until then, None where nobody counted
    gaps: np.ndarray  # (m,) their proved relative gaps

    @property
    def curve(self):
        """Median seconds, passes and gaps."""
        return np.median(self.seconds, axis=0), self.passes, self.gaps

    @property
    def range(self):
        """The least and the largest seconds of each answer."""
        return self.seconds.min(axis=0), self.seconds.max(axis=0)

    def times(self, time_to, target):
        """The seconds of each repetition to a gap, by a reader's `time_to`."""
        orders = np.argsort(self.seconds, axis=1, kind="stable")
        return [time_to(row[order], self.gaps[order], target) for row, order in zip(self.seconds, orders, strict=True)]


def lane(runs, again, f, g, best):
    """The Lane of a solver whose iterates are seen.

    runs   [(Result, seconds), …], which walk the same path
    again  a function that makes one run more, for `walk`; no clock is read
    best   the Result with the certificate that judges all
    """
    seconds = np.array([result.trace.seconds for result, _ in runs])
    return Lane(seconds, runs[0][0].trace.passes, gaps(recounted(f, g, walk(again)), best))


def ladder(rungs, f, g, best):
    """The Lane of a solver that hides its iterates: one answer for each tolerance, each with seconds of its own.

    rungs  [[(coefficients, seconds), …], …], a list of repetitions for each tolerance
    """
    seconds = np.array([[taken for _, taken in runs] for runs in rungs]).T
    return Lane(seconds, None, gaps(recounted(f, g, [runs[0][0] for runs in rungs]), best))


REPEATS = 15  # passes that are timed, after a first one
BATCH = 16  # iterates priced in one pass: each needs a number for every row


def recounted(f, g, betas):
    """(m,) F of m iterates, evaluated again, so that no solver's own word is taken."""
    batches = np.array_split(np.asarray(betas), max(1, len(betas) // BATCH))
    losses = np.concatenate([f.losses(batch) for batch in batches])
    return losses + np.array([g.value(beta) for beta in betas])


def walk(run):
    """The β of every iterate of a run, and of its answer. run(callback=…) makes it; no clock is read."""
    betas = []
    answer = run(callback=lambda state: betas.append(state.beta))
    return [*betas, answer.beta]


def one_pass(X, y, rows, threads=None, client=None):
    """A function that makes a pass for a logistic loss and gradient, in chunks of so many rows, here or on workers."""
    f, numbers = Objective("logistic", costmodel.placed(X, y, rows, client, threads)), itertools.count(1)
    return lambda: f.loss_grad(np.full(f.dim, 1e-3 * next(numbers)))


def pass_seconds(X, y, rows, threads=None, client=None):
    """The median seconds of such a pass."""
    return costmodel.typical(one_pass(X, y, rows, threads, client), repeats=REPEATS)


def in_turn(passes):
    """{place: {rows: [seconds, …]}} of {place: {rows: a function that makes a pass}}: all run once, then all again.

    The first turn is not timed, because it may load and compile. After it the first pass of each place runs twice, and
    only the second is timed: the place before may have left work to the scheduler, and other rows in the caches.
    """
    found = {place: {rows: [] for rows in line} for place, line in passes.items()}
    for line in passes.values():
        for run in line.values():
            run()
    for _ in range(REPEATS):
        for place, line in passes.items():
            next(iter(line.values()))()
            for rows, run in line.items():
                found[place][rows].append(timed(run)[1])
    return found


# ---------------------------------------------------------------- the post's table, then and now

WHO = {  # the post's row, and who ran at full size with which setting
    "proximal gradient": ("post: proximal gradient, laptop", "dask-glm proximal_grad", 1e-8),
    "ADMM": ("post: ADMM, laptop", "dask-glm admm", 2),
    "LogisticRegression": ("post: scikit-learn LogisticRegression", "liblinear", 1e-4),
    "SGDClassifier": ("post: scikit-learn SGDClassifier", "SGD", 1e-3),
    "exact": (None, "glmlab", 1e-9),
    "exact on one core": (None, "glmlab, one core", 1e-9),
}


def errors_by_method(posts, rows):
    """{method: [(data rows, error), …]} from the post's rows of the ledger; rows are {"laptop": n, "cluster": n}."""
    found = {}
    for label, row in posts.items():
        method = label.removeprefix("post: ").removeprefix("scikit-learn ").split(", ")[0]
        found.setdefault(method, []).append((rows["cluster" if "cluster" in label else "laptop"], row["error"]))
    return found


def table(ran, beta_true, proved):
    """A row for each method: seconds of its runs, and error and certified gap of its answer.

    ran     as `interleaved` returns it; answers are coefficients (p,), the same in each repetition
    proved  a function of coefficients: their certified relative gap
    """
    rows = {name: _row([seconds for _, seconds in runs], abs(runs[0][0] - beta_true).max(), proved(runs[0][0]))
            for name, runs in ran.items()}  # fmt: skip
    return pd.DataFrame(rows).T


def printed():
    """The post's table of its laptop in 2017, as a frame: one run each, no proof."""
    rows = {name: ledger.rows().get(label, {}) for name, (label, *_) in WHO.items()}
    return pd.DataFrame({name: _row([row.get("seconds")], row.get("error")) for name, row in rows.items()}).T


def shipped_runs(rows):
    """The same methods at full size, from the rows of `make bench`: seconds of every run, medians of the rest."""
    found = {}
    for name, (_, entry, setting) in WHO.items():
        answer = report.answer(rows, "laptop", entry, setting)
        found[name] = _row(seconds_of(rows, entry, setting), answer["error"], answer["certified gap"])
    return pd.DataFrame(found).T


def seconds_of(rows, entry, setting):
    """The seconds of every run of an entry on the post's problem, from the rows of `make bench`."""
    runs = (row for row in rows if (row["problem"], row["entry"], row["setting"]) == ("laptop", entry, setting))
    return [row["wall"] for row in runs if "failed" not in row]


def _row(seconds, error, gap=None):
    known = [value for value in seconds if value is not None]
    numbers = (np.nan if value is None else value for value in (error, gap))
    return dict(zip(("seconds", "error", "certified gap"), (known, *numbers), strict=True))
