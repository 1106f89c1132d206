"""The tables of the benchmark in the README and in the book, from the results that ship: python -m tools.benchmarks.

It renews what stands between two comments: six rows in the README, all targets and problems in docs/book/benchmarks.md.
"""

from pathlib import Path

from glmlab.bench import report, shipped
from glmlab.bench.problems import PROBLEMS
from glmlab.bench.targets import judged

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- written by python -m tools.benchmarks -->", "<!-- as far as here -->"
# The README's rows in a reader's words, by what the target says. The last two are where we lose.
HEADLINES = {
    "laptop: faster than liblinear, ours to 1e-09": "8,000,000 × 15, L1: faster than liblinear, ours to 1e-9",
    "laptop: faster than glum, both to 1e-09": "8,000,000 × 15, L1: faster than glum, both to 1e-9",
    "5 folds × 30 λ: faster than glum's": "100,000 × 50, 5 folds × 30 λ: faster than glum's cross-validation",
    "never stored: peak memory at 8e8 rows": "800,000,000 × 15, L1, never stored: peak memory",
    "text, 20,000 words: faster than liblinear, both to 1e-06":
        "20,000 × 20,000, counts of words, L1: faster than liblinear, both to 1e-6",
    "lasso path of 50 λ: against lasso_path": "100,000 × 100, 50 λ: our path against scikit-learn's lasso_path",
}  # fmt: skip


def headlines(rows):
    """The README's part: the machine, the six rows, and how many of all targets are met."""
    verdicts = {verdict.target.says: verdict for verdict in judged(rows)}
    chosen = [verdicts[says]._replace(target=verdicts[says].target._replace(says=words))
              for says, words in HEADLINES.items()]  # fmt: skip
    return "\n\n".join([machine(rows), report.verdicts_table(chosen), report.tally(rows)])


def machine(rows):
    """A line on the processor, the day and our version, from the last row."""
    last = rows[-1]
    return f"{last['processor']}, {last['cores']} cores, {last['when'][:10]}, glmlab {last['versions']['glmlab']}."


def everything(rows):
    """The page's part: the machine with all versions, every target, and the problems that they name."""
    elsewhere = shipped.rows(shipped.ELSEWHERE)
    ran = [verdict for verdict in judged(elsewhere) if verdict.ratios]
    return "\n\n".join(
        [report.header(rows), report.tally(rows), report.targets_table(rows), "## On another processor",
         report.header(elsewhere), report.verdicts_table(ran), "## The problems", problems()]
    )  # fmt: skip


def problems():
    """A table of the problems at full size."""
    lines = ["| problem | rows | loss | what it is |", "|---|---:|---|---|"]
    return "\n".join(lines + [f"| {problem.name} | {problem.count('full'):,} | {problem.family} | {problem.says} |"
                              for problem in PROBLEMS.values()])  # fmt: skip


PAGES = {ROOT / "README.md": headlines, ROOT / "docs" / "book" / "benchmarks.md": everything}


def renewed(text, part):
    """The text with `part` between the two comments. Raises ValueError where they are not in it once, in this order."""
    before, begin, rest = text.partition(BEGIN)
    old, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in after:
        raise ValueError(f"needed once, in this order: {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{part}\n\n{END}{after}"


def main():
    """Renew both pages."""
    rows = shipped.rows()
    for page, part in PAGES.items():
        page.write_text(renewed(page.read_text(encoding="utf-8"), part(rows)), encoding="utf-8")
        print(f"{page.relative_to(ROOT)} has the results of {rows[-1]['when'][:10]}.")


if __name__ == "__main__":
    main()
