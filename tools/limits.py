"""The book's page on limits, every number in it computed from recorded prices: python -m tools.limits writes it."""

import math
import statistics
import textwrap
from pathlib import Path

from glmlab.machine.simulator import chunk_seconds, fastest, predict, recorded
from glmlab.rows.chunks import FAN

PAGE = Path(__file__).parents[1] / "docs" / "book" / "limits.md"
ROWS, COLUMNS = 800_000_000, 15  # the post's
CORES, CHUNKS = 64, 80  # of its cluster: eight machines of eight cores; chunks of 1e7 rows
FANS, COUNTS = (2, 4, FAN, 64), (8, 16, 64, 128, 256, 512, 1024, 2048)
FAR = 0.05  # seconds that a message is under way between two continents
SPREAD = 0.1  # of a chunk's work, by which it takes longer on average on a busy cluster
GROUPS = 16  # schedulers below one scheduler
OF = {"round": "a pass", "client": "a task, on the client", "task": "a task, on the scheduler",
      "copy": "an input that is fetched, on the scheduler", "own": "a task, on its worker",
      "fetch": "an input that is fetched, on its worker", "hop": "a message, under way"}  # fmt: skip


def page():
    """The text of the page."""
    found = recorded()
    work = chunk_seconds(ROWS, COLUMNS, found.core)
    best = {fan: fastest(work, fan=fan) for fan in FANS}
    parts = [opening(), prices(found), cluster(work), speeds(work, best), then(work, best), checks(found)]
    return "\n\n".join(map(wrapped, sum(parts, []))) + "\n"


def wrapped(block):
    """A paragraph in lines of 120 characters; headings and tables as they are."""
    if block.startswith(("#", "|")):
        return block
    indent = "  " if block.startswith("- ") else ""
    return textwrap.fill(block, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def opening():
    return [
        "# How many workers make a pass faster",
        "A pass sends the coefficients to all workers, adds up what they find, and waits for the last. With more "
        "workers each has less work, and the scheduler has more. So there is a fastest number of workers. This page "
        "says which, what decides it, and what helps beyond it. `python -m tools.limits` computes every number here "
        "with `glmlab.machine.simulator.predict`, whose documentation says what it assumes.",
    ]


def prices(found):
    """What the model knows of dask, and from where."""
    versions = " and ".join(f"{name} {number}" for name, number in found.where["versions"].items())
    rows = [f"| {name} | {text(value)} | {OF[name]} |" for name, value in found.prices._asdict().items()]
    return [
        "## Prices",
        f"They were measured with {versions} on a machine of {found.where['cores']} cores ({found.where['when']}): "
        "processor time of the real scheduler, and of workers whose tasks do nothing. The work of a row is that of one "
        "core of the same machine, and every worker here is such a core. `python -m glmlab.machine.sleepers` measures "
        "yours.",
        "\n".join(["| price | seconds | of |", "|---|---:|---|", *rows]),
    ]


def cluster(work):
    """The prediction for the post's cluster."""
    rows = []
    for chunks in (CORES, CHUNKS, 10 * CHUNKS):
        found = predict(CORES, chunks, work / chunks)
        rows.append(f"| {chunks:,} | {found.seconds:.3g} | {found.work:.3g} | {found.scheduler:.3g} |")
    return [
        "## The post's cluster",
        f"The post had {ROWS:,} rows of {COLUMNS} columns on {CORES} cores. One core of this machine works {work:.3g} "
        f"s on a pass over them. For {CORES} such cores the model predicts, in seconds:",
        "\n".join(["| chunks | a pass | of it work of the busiest core | client and scheduler are busy |",
                   "|---:|---:|---:|---:|", *rows]),  # fmt: skip
        f"{CHUNKS} chunks on {CORES} cores, as in the post, leave most cores idle while some work on a second chunk. "
        "The prediction assumes rows in the memory of the workers that need them and nobody else on the machines. How "
        "many passes a method needs is another matter, and decides the rest.",
    ]


def speeds(work, best):
    """Seconds by workers and fan-in, and where they stop falling."""
    rows = []
    for count in COUNTS:
        found = [predict(count, count, work / count, fan=fan) for fan in FANS]
        cells = [*(f"{own.seconds:.3g}" for own in found), f"{work / count:.3g}", f"{found[1].scheduler:.3g}"]
        rows.append(f"| {count:,} | {' | '.join(cells)} |")
    head = ["workers", *(f"fan-in {fan}" for fan in FANS), "work", f"client and scheduler, fan-in {FAN}"]
    each = predict(max(COUNTS), max(COUNTS), 0.0).scheduler / max(COUNTS)
    fewest = ", ".join(f"{count:,} with a fan-in of {fan}" for fan, count in best.items())
    return [
        "## Where it stops",
        "Seconds of that pass with one chunk for each worker:",
        "\n".join([f"| {' | '.join(head)} |", "|" + "---:|" * len(head), *rows]),
        f"Of 1, 2, 4, 8 … workers the fastest are {fewest}.",
        f"The law behind it: each worker keeps the client and the scheduler busy for {text(each)} in every pass, one "
        f"worker after the other, and takes its share of {work:.3g} s of work. The sum, work ÷ W + price · W, is least "
        f"at W = √(work ÷ price) = {math.sqrt(work / each):,.0f}. Four times the rows pay for twice the workers.",
    ]


def then(work, best):
    """What helps where more workers do not."""
    count, far = best[FAN], recorded().prices._replace(hop=FAR)
    plain, many = predict(count, count, work / count), predict(count, 16 * count, work / count / 16)
    late = predict(count, count, work / count, spread=SPREAD)
    wide = {fan: predict(count, count, work / count, fan=fan).seconds for fan in FANS}
    apart = {fan: predict(count, count, work / count, fan=fan, prices=far).seconds for fan in FANS}
    good, near = min(wide, key=wide.get), min(apart, key=apart.get)
    size = 4 * count
    group = predict(size // GROUPS, size // GROUPS, work / size).seconds
    split, single = predict(GROUPS, GROUPS, group, fan=GROUPS).seconds, predict(size, size, work / size).seconds
    return [
        "## What then",
        f"Each line is for {count:,} workers. With a fan-in of {FAN} they take {plain.seconds:.3g} s a pass.",
        f"- **Larger chunks.** One chunk for each worker is enough. With sixteen it is {many.seconds:.3g} s: the "
        f"scheduler has {many.tasks:,} tasks in place of {plain.tasks:,}. A worker that adds up the rows of all its "
        "cores is one task, however many cores it has.",
        f"- **Another tree.** Of the fan-ins above, {good} is the fastest: {wide[good]:.3g} s. A small one has more "
        "sums, each a task. A large one has one worker fetch everything.",
        f"- **Stragglers.** If chunks take {SPREAD:.0%} longer on average, the last of {count:,} takes "
        f"{late.work / plain.work - 1:.0%} longer, and the pass {late.seconds:.3g} s, because all wait for the last. "
        "What helps is a method that does not wait, or a second copy of the late task.",
        f"- **Fewer rounds.** 100 passes take {100 * plain.seconds:.3g} s, and 3 take {3 * plain.seconds:.3g} s. A "
        "method that needs few passes saves what no cluster can.",
        f"- **Schedulers below a scheduler.** {size:,} workers of one scheduler take {single:.3g} s. In {GROUPS} "
        f"groups, each with a scheduler that adds up its own, they take {split:.3g} s.",
        f"- **Across continents.** If each message is under way for {1e3 * FAR:.0f} ms, a fan-in of {near} is the "
        f"fastest: {apart[near]:.3g} s. Every level of the tree waits for two messages.",
    ]


def checks(found):
    """Passes that were made, beside what was predicted."""
    head = ["passes", "workers", "chunks", "fan-in", "predicted", "measured", "ratio"]
    rows, ratios = [], [row["predicted"] / row["measured"] for row in found.checks]
    for row, ratio in zip(found.checks, ratios, strict=True):
        cells = [row["kind"], str(row["workers"]), str(row["chunks"]), str(row["fan"])]
        cells += [f"{1e3 * row['predicted']:.1f}", f"{1e3 * row['measured']:.1f}", f"{ratio:.2f}"]
        rows.append(f"| {' | '.join(cells)} |")
    return [
        "## What was compared",
        f"Passes on the machine of the prices, in milliseconds. *Real* ones have worker processes and rows; they share "
        f"{found.where['cores']} cores with client and scheduler, which the model does not know. *Asleep* are passes "
        "on the real scheduler whose tasks sleep, on workers that are all in one process. What those do beside their "
        f"tasks is done one after the other, in the model, too. The middle ratio is {statistics.median(ratios):.2f}.",
        "\n".join([f"| {' | '.join(head)} |", "|---|" + "---:|" * (len(head) - 1), *rows]),
    ]


def text(seconds):
    return f"{1e6 * seconds:.3g} µs" if seconds < 1e-3 else f"{1e3 * seconds:.3g} ms"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
