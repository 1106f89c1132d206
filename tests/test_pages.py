"""The code on the pages of the book and in the README runs as it stands there, and what it asserts holds."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

CLONE = Path(__file__).resolve().parent.parent
PAGES, README = CLONE / "docs" / "book", CLONE / "README.md"


@pytest.mark.parametrize(("page", "blocks", "printed"), [
    ("inference.md", 5, "proved nonzero at the optimum"), ("many_columns.md", 4, "in random orders"),
    ("families.md", 3, "of the rows are 0"), ("cheat_sheet.md", 1, "e-"),
])  # fmt: skip
def test_the_code_of_a_page_runs(page, blocks, printed, capsys):
    found, names = re.findall(r"```python\n(.*?)```", (PAGES / page).read_text(encoding="utf-8"), re.DOTALL), {}
    for block in found:
        exec(block, names)
    assert len(found) == blocks and printed in capsys.readouterr().out


def test_the_readmes_lines_fit_a_table_of_ones_own(tmp_path, monkeypatch, capsys):
    rng, n = np.random.default_rng(0), 300
    bought = pd.DataFrame({"age": rng.uniform(18, 80, n), "income": rng.lognormal(10, 1, n), "since": n * [2013],
                           "region": rng.choice(["east", "west"], n), "bought": rng.integers(0, 2, n)})  # fmt: skip
    bought.to_csv(tmp_path / "customers.csv", index=False)
    monkeypatch.chdir(tmp_path)
    lines, names = re.search(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)[1], {}
    exec(lines, names)
    assert len([line for line in lines.splitlines() if line and not line.startswith("import")]) == 4
    assert names["result"].converged and names["result"].status in capsys.readouterr().out
    assert set(names["design"].names) == {"region[T.west]", "age", "log(income)"}
