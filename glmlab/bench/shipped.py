"""The results of `make bench` at full size in this package: numbers to four digits, with the machine."""

import json
from pathlib import Path

FILE = Path(__file__).parents[1] / "data" / "bench.json"
ELSEWHERE = FILE.with_name("bench_elsewhere.json")  # an earlier run, on another processor
SHARED = ("scale", "processor", "cores", "when", "versions")  # taken from the last row, stored once
DIGITS = 4


def rows(file=FILE):
    """The rows as `harness.race` yields them, one a run."""
    held = json.loads(Path(file).read_text(encoding="utf-8"))
    return [held["where"] | row for row in held["rows"]]


def ship(rows, file=FILE):
    """Write the file from the rows of a race. Only the first of several repetitions keeps its trace."""
    lines = ",\n".join(json.dumps(short(row), ensure_ascii=False) for row in rows)
    where = json.dumps({name: rows[-1][name] for name in SHARED}, ensure_ascii=False)
    Path(file).write_text(f'{{"where": {where},\n"rows": [\n{lines}\n]}}\n', encoding="utf-8")


def short(row):
    """A row without what all rows share and what no notebook reads; its numbers have a few digits."""
    left_out = {*SHARED, "says"} | ({"trace"} if row["repetition"] or not row.get("trace") else set())
    return {name: rounded(value) for name, value in row.items() if name not in left_out}


def rounded(value):
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
