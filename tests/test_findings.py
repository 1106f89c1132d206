"""The table of the findings: each script is in it, with its version, and what guards against it is there."""

import re
from pathlib import Path

import pytest

CLONE = Path(__file__).resolve().parent.parent
FINDINGS = CLONE / "findings"
TABLE = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in (FINDINGS / "README.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| [")
]


def header(script):
    """{field: its first line} of the comment at the head of a script."""
    text = (FINDINGS / script).read_text(encoding="utf-8")
    return dict(re.findall(r"^# (TITLE|VERSION|GUESS|BEHAVIOUR|SOURCE) +(.+)$", text, re.M)), text


def test_every_script_is_in_the_table_once_and_links_to_itself():
    linked = [re.fullmatch(r"\[(.+)\]\((.+)\)", cells[0]).groups() for cells in TABLE]
    assert all(name == target for name, target in linked)
    assert [name for name, _ in linked] == sorted(path.name for path in FINDINGS.glob("*.sh"))


@pytest.mark.parametrize("cells", TABLE, ids=lambda cells: cells[1])
def test_a_row_says_the_version_that_its_script_installs(cells):
    fields, text = header(re.match(r"\[(.+?)\]", cells[0])[1])
    assert list(fields) == ["TITLE", "VERSION", "GUESS", "BEHAVIOUR", "SOURCE"]
    library, version = cells[1].split()
    assert re.search(rf"\b{library}\b.* {re.escape(version)}", fields["VERSION"])
    assert re.search(rf"\b{library}(\[[\w,]+\])?=={re.escape(version)}", text)
    assert len(cells) == 4 and cells[2].endswith(".") and cells[2].count(". ") == 0, "one sentence"


@pytest.mark.parametrize("cells", TABLE, ids=lambda cells: cells[1])
def test_what_guards_against_it_is_there(cells):
    named = re.findall(r"\[([^]]+)\]\(\.\./([^)]+)\)", cells[3])
    assert named and all(name == path for name, path in named)
    texts = [(CLONE / path).read_text(encoding="utf-8") for _, path in named]
    for word in re.findall(r"`([^`]+)`", cells[3]):
        assert any(word in text for text in texts), word
