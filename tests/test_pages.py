"""The code on the pages of the book runs as it stands there, and what it asserts holds."""

import re
from pathlib import Path

import pytest

PAGES = Path(__file__).resolve().parent.parent / "docs" / "book"


@pytest.mark.parametrize(("page", "blocks", "printed"), [
    ("inference.md", 5, "are certainly not 0 there"), ("many_columns.md", 3, "in random orders"),
    ("families.md", 3, "of the rows are 0"), ("cheat_sheet.md", 1, "e-"),
])  # fmt: skip
def test_the_code_of_a_page_runs(page, blocks, printed, capsys):
    found, names = re.findall(r"```python\n(.*?)```", (PAGES / page).read_text(encoding="utf-8"), re.DOTALL), {}
    for block in found:
        exec(block, names)
    assert len(found) == blocks and printed in capsys.readouterr().out
