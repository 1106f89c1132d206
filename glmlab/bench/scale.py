"""The post's problem with up to 8e8 rows that are never stored: python -m glmlab.bench.scale (make scale).

Every pass draws all rows again from their seed, 50,000 at a time for each core, and 51 million of them in one graph of
dask. What such a part of a pass has found is written to a file, so that a run that was stopped (Ctrl-C) goes on behind
its last whole part: the solver starts again, the parts that were made before are answered from the files, and the
answer has the same bits.

    python -m glmlab.bench.scale [ci] [--rows 1e8] [--to build/scale]     run what has no result there yet
    python -m glmlab.bench.scale ship                                     put the results into the package
"""

import argparse
import functools
import json
import os
import pickle
import shutil
import sys
import time
import warnings
from hashlib import sha256
from pathlib import Path

import numpy as np

import glmlab
from glmlab import datasets
from glmlab.bench.experiments import COLUMNS, SEED
from glmlab.bench.harness import stamp
from glmlab.bench.memory import peak_memory
from glmlab.bench.shipped import ship
from glmlab.maths.penalties import L1
from glmlab.policy import Sampling
from glmlab.rows.chunks import FAN, Chunks, summed
from glmlab.rows.objective import Objective
from glmlab.rows.ondask import OnDask
from glmlab.solvers.result import NotConverged
from glmlab.solvers.run import run

TOL = 1e-6  # certified relative gap
SIZES = {"full": (1_000_000, 10_000_000, 100_000_000, 800_000_000), "ci": (20_000, 40_000)}
CHUNK = {"full": 50_000, "ci": 5_000}  # rows that are drawn at a time: 6 MB at full size
EXPECTED = 4  # times that rows are drawn in a run, as long as no smaller run has shown it: for the time that is left
PART = FAN**2  # chunks in one graph: a power of FAN, so that sums have the bits of one tree over all chunks
PILOT = Sampling(pilot=2**21)  # numbers, 16 MiB: a pilot of the default size would be a third of the memory allowed
RESULTS = "results.json"
FILE = Path(__file__).parents[1] / "data" / "scale.json"  # read it with `shipped.rows(FILE)`


class NeverStored(Chunks):
    """Lazy rows, made anew in every pass: some hundred chunks at a time, so that no graph has more tasks than that."""

    def __init__(self, X, y, journal, part=PART):
        super().__init__(X.chunks[0], X.shape[1], intercept=False, sparse=False)
        self.X, self.y, self.journal, self.part = X, y, journal, part
        self.numbers = list(range(len(self.lengths)))

    def _choose(self, which):
        self.numbers = [self.numbers[k] for k in which]

    def _pass(self, kernel, shared, per_chunk, combine):
        found = []
        for first in range(0, len(self.numbers), self.part):
            cut = slice(first, first + self.part)
            own = [values[cut] for values in per_chunk]
            asked = glmlab.__version__, SEED, self.lengths, cut, kernel.__name__, getattr(kernel, "draw", None), shared
            made = functools.partial(self._part, self.numbers[cut], kernel, shared, own, combine)
            found.append(self.journal.found(asked, sum(self.lengths[cut]), made))
        return sum(found, []) if combine is None else summed(found, combine)

    def _part(self, numbers, kernel, shared, per_chunk, combine):
        rows = OnDask(self.X.blocks[numbers], self.y.blocks[numbers])
        return rows._pass(kernel, shared, per_chunk, combine)


class Journal:
    """What the parts of the passes of one run over n rows have found, one file each in `folder`."""

    def __init__(self, folder, n, expected=EXPECTED, out=sys.stderr):
        self.folder, self.n, self.expected, self.out = Path(folder), n, expected, out
        self.folder.mkdir(parents=True, exist_ok=True)
        self.before, self.began = 0.0, time.perf_counter()  # seconds until the last part that was read; since then
        self.parts, self.draws, self.peak, self.stops = 0, 0.0, 0, 0
        self.iteration, self.gap = 0, np.nan

    @property
    def seconds(self):
        """Seconds of this run, those before it was stopped included, without the pause."""
        return self.before + time.perf_counter() - self.began

    def found(self, asked, rows, make):
        """What a part of a pass over so many rows finds: from its file if that answers `asked`, else from make()."""
        path, asked = self.folder / f"part-{self.parts:04d}.pickle", sha256(pickle.dumps(asked)).hexdigest()
        held = pickle.loads(path.read_bytes()) if path.exists() else {}
        if held.get("asked") == asked:
            self.before, self.began, self.peak = held["seconds"], time.perf_counter(), held["peak"]
            self.stops, found = held["stops"] + 1, held["found"]
        else:
            found = make()
            self.peak = max(self.peak, peak_memory())
            told = {"asked": asked, "found": found, "seconds": self.seconds, "peak": self.peak, "stops": self.stops}
            written(path, pickle.dumps(told))
        self.parts, self.draws = self.parts + 1, self.draws + rows / self.n
        self.show()
        return found

    def saw(self, state, f):
        """Note a state, and write it down for people: its β can be given to `fit` as `start`."""
        self.iteration, self.gap = self.iteration + 1, float(state.decrement / f.scale.unit(state.objective))
        told = {"rows": self.n, "states": self.iteration, "gap": self.gap, "seconds": self.seconds}
        written(self.folder / "state.json", json.dumps(told | {"beta": state.beta.tolist()}).encode())

    def show(self):
        """One line on how far the run is; on a terminal the next one overwrites it."""
        rest = self.seconds / self.draws * max(self.expected - self.draws, 0)
        gap = "none yet" if np.isnan(self.gap) else f"about {self.gap:.0e}"
        words = (f"{self.n:,} rows, drawn {self.draws:.2f} times, iteration {self.iteration}, gap {gap}, "
                 f"{self.seconds:.0f} s, about {rest:.0f} s more")  # fmt: skip
        print(f"{words:<110}", end="\r" if self.out.isatty() else "\n", file=self.out, flush=True)


def written(path, content):
    """Write a file whole or not at all."""
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    os.replace(partial, path)


def fitted(n, journal, chunk):
    """The Result for n rows. Raises KeyboardInterrupt where it is stopped."""
    X, y, _ = datasets.make_logistic(n, COLUMNS, seed=SEED, chunks=min(n, chunk))
    f = Objective("logistic", NeverStored(X, y, journal), policy=PILOT)
    with warnings.catch_warnings(action="ignore", category=NotConverged):  # the status says it, in one line
        result = run("pilot_newton", f, L1(1.0), tol=TOL, callback=lambda state: journal.saw(state, f))
    if result.interrupted:
        raise KeyboardInterrupt
    return result


def measured(n, folder, chunk, expected=EXPECTED, out=sys.stderr):
    """The numbers of one run, which continues where it was stopped."""
    peak_memory(reset=True)
    journal = Journal(folder, n, expected, out)
    result = fitted(n, journal, chunk)
    print(f"{n:,} rows: {result.status}", file=out)
    seconds, truth = journal.seconds, datasets.make_logistic(1, COLUMNS, seed=SEED)[2]
    return {
        "n": n, "wall": seconds, "relative": result.certificate.relative, "passes": result.passes,
        "rounds": result.rounds, "iterations": result.n_iter, "draws": journal.draws,
        "a_row": seconds / journal.draws / n,  # seconds to draw a row and to use it once
        "memory": journal.peak,  # bytes of this process, the only one: interpreter and compilers included
        "stops": journal.stops, "to_truth": float(np.abs(result.beta - truth).max()),
    }  # fmt: skip


def warm_up(folder, chunk):
    """Run a small problem, so that kernels are compiled before anything is timed."""
    with open(os.devnull, "w") as nowhere:
        fitted(10_000, Journal(folder, 10_000, out=nowhere), chunk)
    shutil.rmtree(folder)


def main(argv=None) -> int:
    """Returns the exit code: 0 when all sizes have results, 130 where Ctrl-C has stopped it."""
    wish = parser().parse_args(argv)
    to = Path(wish.to or ("build/scale-ci" if wish.what == "ci" else "build/scale"))
    rows = json.loads((to / RESULTS).read_text()) if (to / RESULTS).exists() else []
    if wish.what == "ship":
        ship(rows, FILE)
        return 0
    warm_up(to / "warm", CHUNK[wish.what])
    for n in [int(float(text)) for text in wish.rows or SIZES[wish.what]]:
        if n in [row["n"] for row in rows]:
            continue
        expected = rows[-1]["draws"] if rows and rows[-1]["n"] > Sampling.much / COLUMNS else EXPECTED
        try:
            row = measured(n, to / str(n), CHUNK[wish.what], expected)
        except KeyboardInterrupt:
            print(f"\nStopped. Passes that were finished are in {to / str(n)}; the same command goes on behind them.")
            return 130
        rows.append(row | {"scale": wish.what, "repetition": 0} | stamp())
        written(to / RESULTS, json.dumps(rows).encode())
        shutil.rmtree(to / str(n))
    print(table(rows))
    return 0


def table(rows):
    """The results as a table of Markdown."""
    lines = [
        f"| {row['n']:,} | {row['wall']:.4g} | {row['draws']:.3g} | {row['relative']:.1e} | {row['memory'] / 1e9:.3f} "
        f"| {1e9 * row['a_row']:.0f} |" for row in rows
    ]  # fmt: skip
    head = ["| rows | seconds | times drawn | certified gap | peak GB | ns a row, each time |", "|" + "---:|" * 6]
    return "\n".join(head + lines)


def parser():
    out = argparse.ArgumentParser(prog="python -m glmlab.bench.scale", description=__doc__.splitlines()[0])
    out.add_argument("what", nargs="?", choices=["full", "ci", "ship"], default="full")
    out.add_argument("--rows", nargs="+", help="these numbers of rows only, such as 1e8")
    out.add_argument("--to", help="the folder for passes and results, by default build/scale")
    return out


if __name__ == "__main__":
    sys.exit(main())
