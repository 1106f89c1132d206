"""The book: whole by itself, help folded, sliders live, every public name documented; what would break it is seen."""

import re

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import glmlab
from glmlab.teaching import exercises
from tools import book, pages, prose, reference
from tools.notebooks import FOLDER

pytestmark = pytest.mark.timeout(900)  # the book is built once, which counts for the first test that reads it
FIRST = """# Start: see what the book makes of a notebook

*A promise.* 1 minute. Next: [the other]({other}). A $ is a $, and |β| is no table.

A formula, $\\|\\beta\\|^2$, and one of its own:

$$G = \\sum_k X_k^\\top X_k$$"""
SHOWN = """from glmlab import viz
from glmlab.teaching import ledger, scale, use

print("printed first")
viz.show(viz.chunk_slider(10_000, 10, budget=8_000))
print("scale", scale.name)
"""
STUB = 'def total(chunks):\n    """Sum of squares."""\n    raise NotImplementedError'


def notebook(*cells):
    return new_notebook(cells=[new_markdown_cell(FIRST.format(other=other_name())), *cells])


def names():
    """The names of the shipped notebooks: the front page links to each of them."""
    return sorted(path.name for path in FOLDER.glob("*.ipynb"))


def other_name():
    return names()[1]


def small_course(folder):
    """Notebooks with the names of the shipped ones, each a second long."""
    for name in names():
        cells = [SHOWN, STUB, "total = use(total)\n# solution('total')", "ledger"]
        nbformat.write(notebook(*map(new_code_cell, cells)), folder / name)
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A book of small notebooks: the exit code of building it, and its folder."""
    target = tmp_path_factory.mktemp("site") / "book"
    return book.build("ci", small_course(tmp_path_factory.mktemp("course")), target), target


@pytest.fixture
def site(built):
    return built[1]


def read(site, name):
    return (site / name).read_text(encoding="utf-8")


def page_of(site, number=0):
    return read(site, f"notebooks/{names()[number].replace('.ipynb', '.html')}")


# ---------------------------------------------------------------- the site

@pytest.mark.slow
def test_it_builds_without_a_warning_or_a_broken_link(built):
    assert built[0] == 0


@pytest.mark.slow
def test_every_page_is_whole_by_itself(site):
    assert pages.check(site) == []
    for page in [read(site, "index.html"), page_of(site)]:
        sources = re.findall(r"<script[^>]* src=\"([^\"]*)\"", page)
        assert sources and not [source for source in sources if re.search("mathjax|require|cdn", source, re.I)]


@pytest.mark.slow
def test_the_navigation_lists_the_notebooks_and_the_reference(site):
    page = read(site, "index.html")
    side = page[page.index('class="bd-links bd-docs-nav"'):page.index("</nav>", page.index('class="bd-links'))]
    titles = re.findall(r'href="notebooks/(\d\d\w?)_\w+\.html">\s*(\d\d\w?) · Start', side)
    assert titles == [2 * (name.split("_")[0],) for name in names()]
    assert 'href="api/index.html"' in side


@pytest.mark.slow
def test_the_front_page_is_the_readmes(site):
    page = read(site, "index.html")
    assert "count what each costs in passes" in page and "picture.png" in page
    assert all(f'href="notebooks/{name.replace(".ipynb", ".html")}"' in page for name in names())
    assert "make doctor" not in page


@pytest.mark.slow
def test_help_is_folded_behind_the_check(site):
    page, told = page_of(site), exercises()["total"]
    check, folded = page.index("Continuing with OUR total"), page.index("<details class='help'>")
    assert check < folded
    help_, rest = page[folded:page.rindex("</details>")], page[:folded]
    assert re.findall(r"<summary>(.*?)</summary>", help_) == ["Hint 1", "Hint 2", "Hint 3", "Solution"]
    assert "open" not in re.findall(r"<details[^>]*>", help_)[-1]
    text = re.sub(r"<[^>]+>", "", help_)
    assert told.hints[1] in text and "float((chunk**2).sum())" in text
    assert "NotImplementedError" in rest and "float((chunk**2).sum())" not in re.sub(r"<[^>]+>", "", rest)
    assert "# solution(" in re.sub(r"<[^>]+>", "", rest)


@pytest.mark.slow
def test_a_slider_brings_its_script_and_its_picture(site):
    page = page_of(site)
    assert page.count("BEGIN bokeh.min.js") == 1 and "embed_item" in page and "Rows per chunk" in page
    image = re.search(r'<img src="data:image/png;base64,[^"]+" alt="Bytes per chunk', page).start()
    assert page.index("printed first\n") < image < page.index("Of the sizes 1")  # in the order of the cell


@pytest.mark.slow
def test_a_page_says_its_scale_and_how_to_run_it(site):
    page = re.sub(r"<[^>]+>", "", page_of(site))
    assert "scale ci" in page and "make lab" in page and names()[0] in page
    assert "A $ is a $, and |β| is no table." in page


@pytest.mark.slow
def test_a_page_gives_the_notebook_as_shipped(site):
    link = re.search(r'<a class="reference download[^"]*"[^>]* href="([^"]+)"', page_of(site))[1]
    given = nbformat.read(site / "notebooks" / link, as_version=4)
    assert [cell.source for cell in given.cells[1:]][:2] == [SHOWN, STUB]
    assert [cell.outputs for cell in given.cells[1:]] == [[]] * 4


@pytest.mark.slow
def test_a_page_says_how_the_course_is_set_up_without_a_network(site):
    page = re.sub(r"<[^>]+>", "", read(site, "set_up.html"))
    assert "make offline" in page and "make doctor" in page and "conda env create" in page


@pytest.mark.slow
def test_formulas_are_drawn_by_the_browser(site):
    page = page_of(site)
    made = re.findall(r"<math [^>]*display=\"(inline|block)\">(.*?)</math>", page, re.S)
    assert [display for display, _ in made] == ["inline", "block"]
    assert "<msup>" in made[0][1] and "<munder" in made[1][1] and "\\" not in made[0][1] + made[1][1]


@pytest.mark.slow
def test_every_public_name_has_an_entry(site):
    entries = set(re.findall(r'<dt class="sig[^"]*"[^>]* id="([\w.]+)"', "".join(
        path.read_text(encoding="utf-8") for path in (site / "api").glob("*.html"))))
    homes = {f"{what.__module__}.{what.__qualname__}"
             for what in (getattr(glmlab, name) for name in glmlab.__all__)}
    assert homes - entries == set()
    others = ("viz.chunk_slider teaching.use datasets.flights machine.cluster.client rows.dispatch.dot "
              "solvers.newton.newton fitting.certify maths.families.Gaussian maths.penalties.Penalty.prox")
    assert {f"glmlab.{name}" for name in others.split()} - entries == set()
    index = read(site, "api/index.html")
    assert all(f'#{home}"' in index for home in homes)


@pytest.mark.slow
def test_what_sphinx_doubts_fails_the_build(tmp_path, capfd):
    doubtful = ["[gone](98_gone.ipynb)", "[up](#no-such-section)", "```{nonsense}\n```", "{py:class}`glmlab.NoSuch`",
                r"$\nosuch$"]
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "index.md").write_text("# A page\n\n" + "\n\n".join(doubtful) + "\n")
    assert book.sphinx(sources, tmp_path / "site") != 0
    assert capfd.readouterr().err.count("WARNING") == len(doubtful)


@pytest.mark.slow
@pytest.mark.parametrize("source", ["assert 1 == 2", "import urllib.request\nurllib.request.urlopen('http://example.org')"])
def test_a_cell_that_fails_or_leaves_the_machine_ends_it(tmp_path, source):
    broken = new_notebook(cells=[new_code_cell(source)])
    with pytest.raises(CellExecutionError, match=r"assert 1 == 2|leave the machine"):
        book.run(broken, str(tmp_path), book.environment(solved=False))


# ---------------------------------------------------------------- the notebook's copy

def test_help_follows_each_check_once_and_the_shipped_notebook_stays(tmp_path):
    small_course(tmp_path)
    shipped = nbformat.read(tmp_path / names()[0], as_version=4)
    before = len(shipped.cells)
    made = book.dressed(shipped, names()[0], "ci").cells
    assert made[0].source.startswith("# 00 · Start: ")
    assert len(made) == before + 2
    kinds = [cell.source.split("\n")[0][:20] for cell in made]
    assert kinds.index("total = use(total)") + 1 == next(k for k, s in enumerate(kinds) if s.startswith("<details"))


def test_the_links_to_the_neighbours_are_left_to_the_books_own(tmp_path):
    end = new_markdown_cell("the end\n\n[01](01_b.ipynb) →", id="end")
    made = book.dressed(notebook(new_markdown_cell("# Title", id="title"), end), names()[0], "ci").cells
    assert made[-1].source == "the end"


def test_the_glossary_is_a_section_of_the_first_notebook(tmp_path):
    section = "## Notation and glossary\n\n|$n$|rows|"
    nbformat.write(notebook(*map(new_markdown_cell, [section, "- **pass**: rows", "## Next\n\nGo on."])),
                   tmp_path / names()[0])
    assert book.glossary(tmp_path) == "# Notation and glossary\n\n|$n$|rows|\n\n- **pass**: rows\n\n"


def test_links_to_a_heading_are_spelt_as_sphinx_does():
    link = new_markdown_cell("[pass](00_start_here.ipynb#Notation-and-glossary)")
    made = book.dressed(notebook(link), names()[0], "ci")
    assert made.cells[-1].source == "[pass](00_start_here.ipynb#notation-and-glossary)"


def test_formulas_in_folds_are_mathml_and_others_stay_for_sphinx():
    cell = new_markdown_cell("<details><summary>Is $a=1$?</summary>Yes.\n</details>\n\nAnd $b$.")
    source = book.dressed(notebook(cell), names()[0], "ci").cells[-1].source
    assert source.count("<math ") == 1 and "a=1" not in source and source.endswith("And $b$.")


def test_print_after_print_is_one_output_and_pictures_stay_in_their_place():
    said = [("stdout", "a"), ("stdout", "b"), ("stderr", "c"), None, ("stdout", "d")]
    outputs = [new_output("stream", name=s[0], text=s[1]) if s else new_output("display_data") for s in said]
    assert [output.get("text") for output in book.joined(outputs)] == ["ab", "c", None, "d"]


@pytest.mark.parametrize(("source", "found"), [
    ("total = use(total)", ["total"]), ("use(total); rows = use(rows)", ["total", "rows"]), ("refuse(total)", []),
    ("use(unknown)", []), ("check(total);", []),
])
def test_what_a_cell_uses(source, found):
    assert book.used(new_code_cell(source)) == found
    assert book.used(new_markdown_cell(source)) == []


def test_every_exercise_of_the_shipped_notebooks_gets_its_help():
    shipped = [nbformat.read(FOLDER / name, as_version=4) for name in names()]
    used = [name for book_ in shipped for cell in book_.cells for name in book.used(cell)]
    written = [name for book_ in shipped for cell in book_.cells if "exercise" in cell.metadata.get("tags", [])
               for name in re.findall(r"^(?:def|class) (\w+)", cell.source, re.M) if name in exercises()]
    assert sorted(used) == sorted(written) and used


def test_hints_are_text_not_markup():
    cell = book.help_for("total").source
    assert "(chunk**2).sum() of each." in cell and cell.count("<details") == cell.count("</details>") == 4


@pytest.mark.parametrize("argv", [["tiny"], ["ci", "full"]])
def test_the_driver_refuses_what_it_does_not_know(argv, capsys):
    assert book.main(argv) == 2
    assert "workshop" in capsys.readouterr().out


# ---------------------------------------------------------------- is a site whole?

GOOD = '<h1 id="here">a</h1><a href="b.html#there">b</a><a href="https://example.org">out</a><a href="#here">up</a>'


def write(folder, **texts):
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text)
    return folder


def test_a_whole_site_passes(tmp_path):
    assert pages.check(write(tmp_path, a=GOOD, b="<p id='there'>b</p><img src='a.html'>")) == []


@pytest.mark.parametrize(("text", "says"), [
    ("<a href='c.html'>", "no file for c.html"),
    ("<img src='c.png'>", "no file for c.png"),
    ("<a href='b.html#gone'>", "no anchor for b.html#gone"),
    ("<a href='#gone'>", "no anchor for #gone"),
    ("<script src='https://cdn.example.org/x.js'></script>", "fetches https://cdn.example.org/x.js"),
    ("<script src='//cdn.example.org/x.js'></script>", "fetches //cdn.example.org/x.js"),
    ("<link rel='stylesheet' href='http://example.org/x.css'>", "fetches http://example.org/x.css"),
    ("<img src='https://example.org/x.png'>", "fetches https://example.org/x.png"),
    ("<img srcset='https://example.org/x.png 2x'>", "fetches https://example.org/x.png"),
    ("<div style='background:url(https://example.org/x.png)'>", "fetches https://example.org/x.png"),
    ("<style>@import '//example.org/x.css';</style>", "fetches //example.org/x.css"),
])
def test_what_breaks_a_site_is_seen(tmp_path, text, says):
    assert pages.check(write(tmp_path, a=text, b="<p id='there'>b</p>")) == [f"a.html: {says}"]


def test_a_style_sheet_that_fetches_is_seen(tmp_path):
    (tmp_path / "x.css").write_text("@font-face { src: url('https://example.org/x.woff2') }")
    assert pages.check(tmp_path) == ["x.css: fetches https://example.org/x.woff2"]


# ---------------------------------------------------------------- docstrings and the pages made of them

@pytest.mark.parametrize(("text", "rst"), [
    ("|β| and F* − F*", r"\|β\| and F\* − F\*"),
    ("`a*b` and ``c|d`` stay", "`a*b` and ``c|d`` stay"),
    ("the *method* of coef_ and λ_max", r"the *method* of coef\_ and λ_max"),
    (":class:`Picture` of * and *", r":class:`Picture` of \* and \*"),
])
def test_prose_means_itself(text, rst):
    assert prose.escape(text) == rst


def to_html(docstring):
    """What docutils makes of a docstring; its warnings are errors."""
    from docutils.core import publish_parts

    text = re.sub(r":(class|func):(?=`)", "", "\n".join(prose.to_rst(docstring.split("\n"))))  # roles of Sphinx
    return publish_parts(text, writer="html5", settings_overrides={"halt_level": 2, "report_level": 2})["body"]


def test_columns_become_a_list_and_what_follows_stays_outside():
    made = to_html("Draw.\n\nx     what |x| is\nlong  two lines,\n      of text\nRaises ValueError.")
    assert re.search(r"<li><p><strong>x</strong> what \|x\| is</p>", made)
    assert re.search(r"<strong>long</strong> two lines,\nof text</p></li>\n</ul>", made)
    assert made.rstrip().endswith("<p>Raises ValueError.</p>")


def test_ruled_sections_become_lists():
    made = to_html("Make.\n\nParameters\n----------\nn, p : int\n    Rows and\n    columns.\nseed : int\n\n"
                   "Returns\n-------\nX : (n, p), and *y*")
    assert "<strong>n, p</strong> (int)\n–\nRows and\ncolumns." in made and "<strong>seed</strong> (int)" in made
    assert "<strong>X</strong> ((n, p), and <em>y</em>)" in made


def test_examples_notes_and_references_stand_below_small_headings():
    made = to_html("Make.\n\nNotes\n-----\nOf |x|.\n\nAnd y_.\n\nExamples\n--------\n>>> 2 * 3 * 4\n24")
    assert re.findall(r'<p class="rubric">(.*?)</p>', made) == ["Notes", "Examples"]
    assert "<p>Of |x|.</p>\n<p>And y_.</p>" in made and "2 * 3 * 4\n24" in re.sub("<.*?>|&gt;", "", made)


def test_labels_start_lines_and_prose_does_not():
    made = to_html("Do.\n\nRate: fast,\nalways.\nOracle: one.")
    assert re.findall(r'<div class="line">(.*?)</div>', made, re.S) == ["Rate: fast,\nalways.", "Oracle: one."]
    assert "line" not in to_html("Dask's rows under other\nchunks: their seeds belong to chunks.")


def test_a_formula_keeps_its_lines():
    assert "<pre" in to_html("Then\n\n    F* ≤ |x|\n      + y_\n\nfollows.")


def test_fields_say_what_the_source_says():
    fields = prose.fields_of(glmlab.Stopping)
    assert fields[0] == ":Fields:" and "    - **max_iter** iterations, unless the caller says another number" in fields
    assert prose.fields_of(glmlab.Result) == []  # its docstring has the list


def test_every_docstring_is_good_markup():
    """Each module's, function's, class's and method's, ours only."""
    import importlib
    import inspect

    for name in reference.modules():
        module = importlib.import_module(f"glmlab.{name}")
        owned = [what for what in vars(module).values() if getattr(what, "__module__", "").startswith("glmlab")]
        classes = [what for what in owned if inspect.isclass(what)]
        members = [member for cls in classes for member in vars(cls).values()]
        for what in [module, *owned, *members]:
            text = inspect.getdoc(what) if callable(what) or what is module or isinstance(what, property) else None
            to_html(text or "")


def test_the_reference_forgets_no_module(tmp_path):
    reference.write(tmp_path / "api")
    found = {path.stem for path in (tmp_path / "api").glob("*.rst")}
    assert {"fitting", "maths.families", "solvers.newton", "viz", "teaching", "rows.kernels"} <= found
    assert not any(name.startswith(("viz.", "teaching.")) for name in found)
    index = (tmp_path / "api" / "index.rst").read_text()
    assert all(f"   {name}\n" in index for name in found - {"index"})
    listed = [name for names_ in reference.groups().values() for name in names_]
    assert sorted(listed) == sorted(found - {"index"})
