"""The README's six rows and the book's page of benchmarks are those of the results that ship."""

import re

import pytest

from glmlab.bench import report, shipped
from glmlab.bench.problems import PROBLEMS
from glmlab.bench.targets import TARGETS, judged
from tools import benchmarks

ROWS = shipped.rows()
TARGET = {target.says: target for target in TARGETS}


@pytest.mark.parametrize("page", benchmarks.PAGES, ids=lambda page: page.name)
def test_the_tables_are_those_of_the_results_that_ship(page):
    text = page.read_text(encoding="utf-8")
    assert benchmarks.renewed(text, benchmarks.PAGES[page](ROWS)) == text, "type: python -m tools.benchmarks"


def test_the_page_has_every_target_and_the_versions_of_everybody():
    text = benchmarks.everything(ROWS)
    assert report.header(ROWS) in text and report.targets_table(ROWS) in text and report.tally(ROWS) in text
    assert all(f"| {name} |" in text for name in PROBLEMS)


def test_the_readme_names_the_processor_and_has_six_rows_with_what_was_measured():
    text, verdicts = benchmarks.headlines(ROWS), {verdict.target.says: verdict for verdict in judged(ROWS)}
    assert ROWS[-1]["processor"] in text and report.tally(ROWS) in text
    assert len(re.findall(r"^\| \d", text, re.M)) == len(benchmarks.HEADLINES) == 6
    for says, words in benchmarks.HEADLINES.items():
        end = report.target_line(verdicts[says]).removeprefix(f"| {says} |")
        assert f"| {words} |{end}" in text


def test_two_of_the_six_are_where_we_lose():
    missed = {verdict.target.says for verdict in judged(ROWS) if not verdict.met}
    assert missed >= set(list(benchmarks.HEADLINES)[-2:])


@pytest.mark.parametrize(("says", "words"), benchmarks.HEADLINES.items())
def test_the_words_have_the_sizes_and_the_gap_of_the_target(says, words):
    ours, rows = TARGET[says].ours, re.match(r"([\d,]+) × ", words)[1]
    if ours.problem in PROBLEMS:
        assert rows == f"{PROBLEMS[ours.problem].count('full'):,}"
    gaps = re.findall(r"1e-0?(\d)\b", words)
    assert gaps in ([], [f"{ours.gap:.0e}"[-1]])


@pytest.mark.parametrize("text", [
    "no comments", f"{benchmarks.END} {benchmarks.BEGIN}", f"{benchmarks.BEGIN} {benchmarks.BEGIN} {benchmarks.END}",
    f"{benchmarks.BEGIN} {benchmarks.END} {benchmarks.END}",
])  # fmt: skip
def test_a_page_without_its_two_comments_is_refused(text):
    with pytest.raises(ValueError, match="needed once"):
        benchmarks.renewed(text, "part")


def test_what_stands_around_the_part_stays():
    old = f"before\n{benchmarks.BEGIN}\nold\n{benchmarks.END}\nafter"
    new = benchmarks.renewed(old, "part")
    assert new == f"before\n{benchmarks.BEGIN}\n\npart\n\n{benchmarks.END}\nafter"
    assert benchmarks.renewed(new, "part") == new
