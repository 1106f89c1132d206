"""The notebooks' form. Each rule is seen to fail on a notebook that breaks it, and to pass a good one."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tools import form
from tools.notebooks import environment, read_half, sync

OPENING = """# Fit a line
We fit one line and prove it. 15 minutes. Prerequisites: none. After it you can
- fit a line,
- bound the gap,
- say what a pass costs."""
CELLS = [
    ("markdown", OPENING, []),
    ("markdown", "## Data · 5 min\nSee [it](https://example.org/post).\n\n![inline](attachment:a.png)", []),
    ("code", "%matplotlib inline\nimport numpy as np\nassert np.pi > 3", ["assert", "setup"]),
    ("code", "x = 'http://localhost:8787/status'\nassert x", ["assert"]),
    ("code", "def f(x):\n    return x\n\n\nassert f(1) == 1", ["assert"]),
    ("markdown", "## What we measured · Check yourself · Next\nThe ledger.", ["optional"]),
]


def good():
    """A notebook that keeps every rule."""
    new = {"markdown": new_markdown_cell, "code": new_code_cell}
    cells = [new[kind](text, metadata={"id": f"c{n}", "tags": tags}, id=f"c{n}")
             for n, (kind, text, tags) in enumerate(CELLS)]
    return new_notebook(cells=cells)


def code(text, **metadata):
    """Replaces cell 3 by other code, which still asserts."""
    def break_it(notebook):
        notebook.cells[3].source = text + "\nassert True"
        notebook.cells[3].metadata.update(metadata)
    return break_it


def text(markdown):
    """Adds markdown to cell 1."""
    def break_it(notebook):
        notebook.cells[1].source += "\n" + markdown
    return break_it


def first(markdown):
    """Replaces the first cell's text."""
    def break_it(notebook):
        notebook.cells[0].source = markdown
    return break_it


def change(n, **fields):
    """Sets fields of cell n."""
    def break_it(notebook):
        notebook.cells[n].update(fields)
    return break_it


def no_cells(notebook):
    notebook.cells = []


def append(cell):
    return lambda notebook: notebook.cells.append(cell)


def many_cells(count):
    """Makes a notebook of so many cells, the last of them optional."""
    def break_it(notebook):
        notebook.cells = [new_markdown_cell("x", metadata={"tags": ["optional"]}) for _ in range(count)]
        notebook.cells[0].metadata["tags"] = []
    return break_it


NAMED = {"metadata": {"id": "last", "tags": []}, "id": "last"}
BROKEN = [
    (form.stable_ids, change(2, id="other"), "id 'other' is not the name 'c2'"),
    (form.stable_ids, change(2, metadata={"tags": []}), "is not the name None"),
    (form.stable_ids, change(2, id="c1", metadata={"id": "c1"}), "used twice"),
    (form.no_outputs, change(2, execution_count=1), "execution count"),
    (form.no_outputs, change(2, outputs=[{"output_type": "stream"}]), "output"),
    (form.known_tags, change(2, metadata={"id": "c2", "tags": ["excercise"]}), "unknown tag excercise"),
    (form.asserts, change(2, metadata={"id": "c2", "tags": []}), "2 cells assert"),
    (form.asserts, change(2, source="print('assert')"), "1 cells tagged assert hold no assert"),
    (form.parses, code("def f(:"), "cell 3"),
    (form.no_network, code("!pip install glmlab"), "pip"),
    (form.no_network, code("%pip install glmlab"), "pip"),
    (form.no_network, code("!python get.py https://example.org/a"), "https"),
    (form.no_network, code("import requests"), "requests"),
    (form.no_network, code("from aiohttp.client import get"), "aiohttp"),
    (form.no_network, code("import urllib.request as u\nu.urlopen(place)"), "urlopen"),
    (form.no_network, code("from sklearn.datasets import fetch_openml\nfetch_openml('a')"), "fetch_openml"),
    (form.no_network, code("import pandas as pd\npd.read_csv('https://example.org/a.csv')"), "https"),
    (form.no_network, code("import dask.dataframe as dd\ndd.read_parquet('s3://bucket/a')"), "s3"),
    (form.no_network, code("page = '<img src=\"https://example.org/a.png\">'"), "img"),
    (form.no_network, text("![a](https://example.org/a.png)"), "example.org|https"),
    (form.no_network, text("![a](<https://example.org/a.png>)"), "https"),
    (form.no_network, text("![a](//example.org/a.png)"), "//"),
    (form.no_network, text("![a][picture]\n\n[picture]: https://example.org/a.png"), "picture"),
    (form.no_network, text("<img width=10 src='https://example.org/a.png'>"), "img"),
    (form.no_network, text("<script src=https://example.org/a.js></script>"), "script"),
    (form.no_network, text("<link rel=stylesheet href='https://example.org/a.css'>"), "link"),
    (form.no_network, text("<style>@import 'https://example.org/a.css'</style>"), "@import"),
    (form.opening, no_cells, "H1"),
    (form.opening, change(0, cell_type="code"), "H1"),
    (form.opening, first(OPENING.replace("# ", "## ")), "H1"),
    (form.opening, first(OPENING.replace("minutes", "pages")), "'minutes'"),
    (form.opening, first(OPENING.replace("Prerequisites", "Needs")), "'prerequisites'"),
    (form.opening, first(OPENING.replace("can", "may")), "'can'"),
    (form.opening, first(OPENING.replace("- fit a line,", "")), "2 objectives"),
    (form.opening, first(OPENING.replace("fit a line,", "understand lines,")), "understand"),
    (form.headings, text("# Another title"), "exactly one H1"),
    (form.headings, text("#### Too deep"), "Too deep"),
    (form.headings, change(1, source="## Data"), "does not say its minutes"),
    (form.closing, append(new_markdown_cell("## Afterword", **NAMED)), "Afterword"),
    (form.closing, change(5, source="The end."), "last H2"),
    (form.counts, many_cells(46), "46 cells; at most 45"),
    (form.lengths, code("\n".join("x = 1" for _ in range(25))), "26 lines"),
    (form.lengths, text("word " * 120), "words"),
    (form.folds, text("<details><summary>Why `x`?</summary>\n\nSo.\n\n</details>"), "'`x`' beside a fold"),
    (form.folds, text("<details><summary>Why?</summary>The *first*.</details>"), "shown raw"),
    (form.folds, text("<details><summary>Why?</summary>\n\nSo.\n\n</details>\n- one"), "leave an empty line"),
]


def test_a_good_notebook_passes_every_rule():
    assert [line for rule in form.RULES for line in rule(good())] == []


@pytest.mark.parametrize(("rule", "break_it", "says"), BROKEN)
def test_each_rule_fails_on_a_notebook_that_breaks_it(rule, break_it, says):
    notebook = good()
    break_it(notebook)
    with pytest.raises(AssertionError, match=says):
        lines = list(rule(notebook))
        assert not lines, lines


def test_markdown_behind_an_empty_line_and_html_pass():
    notebook = good()
    text("<details><summary>Why <code>x</code>, a - b?</summary>\n\nSo `x`.\n\n</details>\n\n- *one*")(notebook)
    assert list(form.folds(notebook)) == []


def test_as_many_cells_as_are_allowed_pass():
    notebook = good()
    many_cells(form.CELLS)(notebook)
    assert list(form.counts(notebook)) == []


def test_only_the_glossary_may_be_without_minutes():
    notebook = good()
    change(1, source=f"## {form.GLOSSARY}")(notebook)
    assert list(form.headings(notebook)) == []


def test_every_rule_is_seen_to_fail():
    assert {rule for rule, *_ in BROKEN} == set(form.RULES)


@pytest.mark.parametrize("tag", ["exercise", "solution"])
def test_the_code_under_study_may_be_longer(tag):
    notebook = good()
    code("\n".join("x = 1" for _ in range(25)), tags=[tag])(notebook)
    assert list(form.lengths(notebook)) == []


@pytest.fixture
def pair(tmp_path):
    """A folder with one good pair."""
    (tmp_path / "src").mkdir()
    lines = []
    for n, (kind, body, tags) in enumerate(CELLS):
        mark = " [markdown]" if kind == "markdown" else ""
        names = ", ".join(f'"{tag}"' for tag in tags)
        comment = "# " if kind == "markdown" else ""
        body = body.replace("%matplotlib", "# %matplotlib")
        lines += [f'# %%{mark} id="c{n}" tags=[{names}]', *(comment + line for line in body.split("\n")), ""]
    (tmp_path / "src" / "00_line.py").write_text("\n".join(lines))
    sync(tmp_path)
    return tmp_path


def test_sync_writes_a_notebook_that_keeps_every_rule(pair):
    assert form.check(pair) == []


def test_sync_twice_changes_nothing(pair):
    before = {path: path.read_bytes() for path in pair.rglob("*.*")}
    sync(pair)
    assert {path: path.read_bytes() for path in pair.rglob("*.*")} == before


def test_sync_keeps_ids_when_cells_move_and_names_new_ones(pair):
    source = pair / "src" / "00_line.py"
    new = "# %%\ny = 2\n\n"
    source.write_text(source.read_text().replace("# %% id=\"c3\"", new + "# %% id=\"c3\""))
    sync(pair)
    ids = [cell.id for cell in nbformat.read(pair / "00_line.ipynb", as_version=4).cells]
    assert ids == ["c0", "c1", "c2", "c00-001", "c3", "c4", "c5"]
    assert [cell.metadata["id"] for cell in read_half(source).cells] == ids


def edited(pair, change_it):
    """The pair after a change of the .ipynb alone."""
    path = pair / "00_line.ipynb"
    notebook = nbformat.read(path, as_version=4)
    change_it(notebook)
    nbformat.write(notebook, path)
    return form.check(pair)


@pytest.mark.parametrize(("change_it", "says"), [
    (change(3, source="assert 1"), "cell 3: the halves differ in source"),
    (change(3, metadata={"id": "c3", "tags": ["assert", "slow"]}), "cell 3: the halves differ in tags"),
    (change(3, metadata={"id": "z", "tags": ["assert"]}, id="z"), "cell 3: the halves differ in id"),
    (change(5, cell_type="raw"), "cell 5: the halves differ in type"),
    (lambda notebook: notebook.cells.pop(3), "5 cells in the .ipynb, 6 in the .py"),
])
def test_halves_that_differ_are_found(pair, change_it, says):
    assert any(says in line for line in edited(pair, change_it))


@pytest.fixture
def course(pair):
    """Three pairs: the second is a companion of the first."""
    for name in ("00b_more", "01_plane"):
        (pair / "src" / f"{name}.py").write_text((pair / "src" / "00_line.py").read_text())
    sync(pair)
    return pair


def last_line(folder, stem):
    cells = nbformat.read(folder / f"{stem}.ipynb", as_version=4).cells
    return [cell.source for cell in cells if cell.cell_type == "markdown"][-1].split("\n\n")[-1]


def test_a_notebook_ends_with_links_to_those_before_and_after_it(course):
    assert form.check(course) == []
    assert last_line(course, "00_line") == "[00b more (optional)](00b_more.ipynb) →"
    assert last_line(course, "00b_more") == "← [00 line](00_line.ipynb) · [01 plane](01_plane.ipynb) →"
    assert last_line(course, "01_plane") == "← [00b more (optional)](00b_more.ipynb)"
    assert all(".ipynb)" not in path.read_text() for path in course.glob("src/*.py"))


@pytest.mark.parametrize("change_it", [
    lambda notebook: notebook.cells.pop(),
    lambda notebook: notebook.cells.insert(0, notebook.cells.pop()),
    change(-1, source="[01 plane](01_plane.ipynb) →"),
])
def test_links_that_lead_elsewhere_or_stand_elsewhere_are_found(course, change_it):
    assert any("does not end with the links" in line for line in edited(course, change_it))


def test_a_notebook_that_is_taken_out_leaves_no_link(course):
    for half in ("01_plane.ipynb", "src/01_plane.py"):
        (course / half).unlink()
    assert [line.split(";")[0] for line in form.check(course)] \
        == ["00b_more: the .ipynb does not end with the links '← [00 line](00_line.ipynb)'"]
    sync(course)
    assert form.check(course) == []


@pytest.mark.parametrize("half", ["00_line.ipynb", "src/00_line.py"])
def test_a_lost_half_is_found(pair, half):
    (pair / half).unlink()
    assert any("is missing" in line for line in form.check(pair))


def test_our_notebooks():
    assert form.check() == []


def test_notebooks_run_small_and_off_the_network(monkeypatch):
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", "tcp://elsewhere:8786")
    for solved, mode in ((False, "untouched"), (True, "solved")):
        settings = environment(solved)
        assert (settings["GLMLAB_SCALE"], settings["GLMLAB_EXERCISES"]) == ("ci", mode)
        assert "DASK_SCHEDULER_ADDRESS" not in settings


