"""Runs of entries on problems: interleaved, each in a process of its own, each written as a line of JSON."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from glmlab.bench.entries import ENTRIES
from glmlab.bench.experiments import EXPERIMENTS
from glmlab.bench.problems import PROBLEMS, posed
from glmlab.rows.threads import cores
from glmlab.teaching.machines import machine

PEERS = ("dask-glm", "dask-ml", "scikit-learn-intelex", "glum", "celer", "skglm", "snapml", "statsmodels", "numba")


@dataclass(frozen=True)
class Wish:
    """A run to be made."""

    problem: str
    entry: str
    setting: float
    repetition: int = 0

    @property
    def key(self):
        return f"{self.problem} | {self.entry} | {self.setting:g} | {self.repetition}"


def interleaved(pairs, repetitions):
    """Every (problem, entry, setting) once, then all of them again …: a slow phase of the machine is slow for all."""
    return [Wish(*pair, k) for k in range(repetitions) for pair in pairs]


def everything(problems=None):
    """Each entry on each problem that it can solve, with each of its settings."""
    chosen = [PROBLEMS[name] for name in problems or PROBLEMS]
    return [(problem.name, entry.name, setting) for problem in chosen for entry in ENTRIES.values()
            if entry.takes(problem) for setting in entry.ladder]  # fmt: skip


def race(wishes, *, scale, data, results, cap, say=print):
    """Make every run that is not in the file `results` yet; yields the rows of all runs, old and new."""
    known = {row["key"]: row for row in read(results) if row["scale"] == scale}
    Path(results).parent.mkdir(parents=True, exist_ok=True)
    for number, wish in enumerate(wishes, 1):
        row = known.get(wish.key)
        if row is None:
            row = {"key": wish.key, **vars(wish), "scale": scale, **alone(wish, scale, data, cap, say), **stamp()}
            with open(results, "a") as lines:
                lines.write(json.dumps(row) + "\n")
        say(f"[{number}/{len(wishes)}] {wish.key}: {outcome(row)}")
        yield row


def alone(wish, scale, data, cap, say):
    """The row of one run in a process of its own. Where the run dies or exceeds its cap the row says so."""
    if wish.entry in ENTRIES and not ENTRIES[wish.entry].installed:
        return {"failed": f"{ENTRIES[wish.entry].package} is not installed"}
    order = {"problem": wish.problem, "entry": wish.entry, "setting": wish.setting, "scale": scale, "folder": str(data)}
    if (wish.problem, wish.entry) not in EXPERIMENTS:
        known = posed(PROBLEMS[wish.problem], data, scale, say)
        numbers = {name: getattr(known, name) for name in ("lam", "optimum", "proved", "size", "support")}
        order |= {"folder": str(known.folder), "posed": numbers}
    try:
        done = subprocess.run([sys.executable, "-m", "glmlab.bench.worker"], input=json.dumps(order), text=True,
                              capture_output=True, timeout=cap, env=environment(ENTRIES.get(wish.entry)))  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"failed": f"not finished after {cap:g} s"}
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1][:300]}
    return json.loads(done.stdout.strip().splitlines()[-1])


def environment(entry=None):
    """Environment variables: all cores, whatever the shell has set, unless the entry says another number."""
    threads = entry and (entry.blas_threads or entry.cores) or cores()
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    return os.environ | dict.fromkeys(names, str(threads))


def stamp():
    """The time, the machine and the versions."""
    from importlib.metadata import PackageNotFoundError, version

    versions = dict(machine().versions)
    for name in PEERS:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            pass
    return {"when": datetime.now(UTC).isoformat(timespec="seconds"), "processor": processor(),
            "cores": machine().cores, "versions": versions}  # fmt: skip


def processor(info=Path("/proc/cpuinfo")):
    """The name of the processor, from the operating system; on Linux with its numbers, since some names say little."""
    import platform

    lines = [line.split(":", 1) for line in info.read_text().splitlines() if ":" in line] if info.exists() else []
    known = {name.strip(): value.strip() for name, value in lines}
    if "model name" not in known:
        return platform.processor() or platform.machine()
    return f"{known['model name']} (family {known.get('cpu family', '?')}, model {known.get('model', '?')})"


def outcome(row):
    """A text of one line about a run."""
    if "failed" in row:
        return row["failed"]
    said = {"s": row["wall"], "passes": row["passes"], "gap": row.get("gap"), "certified": row["relative"]}
    return ", ".join(f"{value:.3g} {name}" for name, value in said.items() if value is not None)


def read(results):
    """The rows in a file with lines of JSON; an empty list where there is no file."""
    path = Path(results)
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
