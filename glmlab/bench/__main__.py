"""python -m glmlab.bench headline | grid: race, then write rows, tables and figures below --to.

python -m glmlab.bench ship: put the results of `headline` at full size into the package.
"""

import argparse
import json
import sys
from pathlib import Path

from glmlab.bench.experiments import EXPERIMENTS
from glmlab.bench.harness import everything, interleaved, race, read
from glmlab.bench.problems import PROBLEMS
from glmlab.bench.report import figures, markdown, targets_table
from glmlab.bench.shipped import ship
from glmlab.bench.targets import BESIDE, wanted

CAP = {"full": 240.0, "ci": 60.0}  # seconds a run may take


def main(argv=None) -> int:
    """Returns the exit code: 0 when the race was run to its end, whatever its results."""
    wish = parser().parse_args(argv)
    to = Path(wish.to)
    if wish.what == "ship":
        ship(read(to / f"headline-{wish.scale}.jsonl"))
        return 0
    pairs = wanted() if wish.what == "headline" else everything(wish.problem)
    pairs = [pair for pair in pairs if not wish.problem or pair[0] in wish.problem]
    wishes = interleaved(pairs, wish.repetitions)
    if wish.what == "headline" and wish.scale == "full":
        wishes += interleaved([pair for pair in BESIDE if not wish.problem or pair[0] in wish.problem], 1)
    results = to / f"{wish.what}-{wish.scale}.jsonl"
    if wish.what == "headline":
        forget(results, wish.problem)
    for _ in race(wishes, scale=wish.scale, data=to / "data", results=results, cap=wish.cap or CAP[wish.scale]):
        pass
    rows = read(results)
    (to / f"{wish.what}-{wish.scale}.md").write_text(markdown(rows) + "\n")
    drawn = figures(rows, to / f"{wish.what}-{wish.scale}")
    print(targets_table(rows))
    print(f"{to / f'{wish.what}-{wish.scale}.md'} and {len(drawn)} figures beside it.")
    return 0


def forget(results, problems=None):
    """Drop the rows of these problems, or all: ratios are valid within one run only."""
    kept = [row for row in read(results) if problems and row["problem"] not in problems]
    if results.exists():
        results.write_text("".join(json.dumps(row) + "\n" for row in kept))


def choices():
    """The problems of the race and of the experiments."""
    return [*PROBLEMS, *dict.fromkeys(problem for problem, _ in EXPERIMENTS)]


def parser():
    out = argparse.ArgumentParser(prog="python -m glmlab.bench", description=__doc__)
    out.add_argument("what", choices=["headline", "grid", "ship"])
    out.add_argument("--scale", choices=sorted(CAP), default="full")
    out.add_argument("--repetitions", type=int, default=3)
    out.add_argument("--problem", action="append", choices=choices(), help="only this one; may be repeated")
    out.add_argument("--cap", type=float, help="seconds after which a run is ended")
    out.add_argument("--to", default="build/bench")
    return out


if __name__ == "__main__":
    sys.exit(main())
