"""A notebook as one HTML file (`python -m glmlab export`): it fetches nothing, its formulas and figures are in it."""

import os
import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from glmlab import viz
from glmlab.__main__ import main
from glmlab.classroom import export as module
from glmlab.classroom.export import as_page, export
from glmlab.viz import interactive
from glmlab.workspace import course
from tools import pages

NAME = "01_data_creation.ipynb"
NOTEBOOKS = sorted(course().glob("*.ipynb"))
# What shows its letters as they are written: a dollar there is a dollar.
VERBATIM = re.compile(r"<(style|script|pre|code|div class=\"highlight)\b.*?</(style|script|pre|code|div)>", re.S)
DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="  # a PNG


@pytest.fixture
def my(tmp_path, monkeypatch):
    """The folder with the reader's copies."""
    monkeypatch.setattr(module, "my_folder", lambda: tmp_path)
    return tmp_path


def write(my, *cells):
    """A copy of 01 with these cells; its bytes."""
    nbformat.write(new_notebook(cells=list(cells)), my / NAME)
    return (my / NAME).read_bytes()


def shown(*data):
    """A cell that has displayed these things, {MIME type: what}."""
    return new_code_cell("...", outputs=[new_output("display_data", each) for each in data])


def fetched(page: str) -> list[str]:
    """What a browser would ask other machines for."""
    return list(pages.foreign(pages.Page(page).fetched))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_notebook_of_the_course_fetches_nothing_and_has_its_formulas_as_mathml(path):
    page = as_page(nbformat.read(path, as_version=4), path.stem)
    assert fetched(page) == []
    text = VERBATIM.sub("", page[page.index("<main") :])
    formulas = re.findall(r"<math .*?</math>", text, re.S)
    assert formulas and not [formula for formula in formulas if "\\" in formula]
    assert "$" not in text and "\\(" not in text


def test_a_page_of_nbconvert_alone_fetches_scripts():
    from nbconvert import HTMLExporter

    page, _ = HTMLExporter().from_notebook_node(new_notebook(cells=[new_markdown_cell("$x$")]))
    assert any("mathjax" in line for line in fetched(page)) and any("require" in line for line in fetched(page))


def test_what_was_saved_is_in_the_page_and_the_notebook_stays(my, monkeypatch, capsys):
    monkeypatch.setattr(interactive, "_loaded", False)  # this page needs BokehJS itself
    picture = viz.chunk_slider(1_000, 10, budget=8_000)
    plain = new_markdown_cell("The gap $F(\\beta) - F^*$.\n\n$$\\sum_k X_k^\\top X_k$$\n\n![dot](attachment:dot.png)")
    plain["attachments"] = {"dot.png": {"image/png": DOT}}
    before = write(my, plain, shown({"text/html": picture._repr_html_()}, {"text/latex": "$\\alpha + 1$"}))
    assert main(["export", "01"]) == 0
    file = my / "01_data_creation.html"
    assert capsys.readouterr().out == f"The page: {file}\n"
    page = file.read_text(encoding="utf-8")
    assert (my / NAME).read_bytes() == before
    assert page.count("<math ") == 3 and "α" in page and "<title>01_data_creation</title>" in page
    assert f"data:image/png;base64,{DOT}" in page and 'alt="Bytes per chunk' in page
    assert "embed_item" in page and fetched(page) == []


def test_a_picture_without_words_still_gets_an_alt_text(my):
    write(my, shown({"image/png": DOT}))
    assert re.findall(r'<img alt="(\w[^"]*)"', export("01").read_text(encoding="utf-8"))


@pytest.mark.parametrize("formula", [r"\left( x", r"x_1_2", r"\begin{matrix} x"])
def test_a_formula_that_cannot_be_read_stays_as_it_is_written(my, formula):
    write(my, new_markdown_cell(f"Before ${formula}$ after."))
    page = export("01").read_text(encoding="utf-8")
    assert f"Before <code>{formula}</code> after." in page


def test_a_formula_in_a_fold_is_mathml_too(my):
    write(my, new_markdown_cell("<details><summary>Is $a &lt; b$?</summary>Yes, as $c=1$.</details>"))
    page = export("01").read_text(encoding="utf-8")
    assert page.count("<math ") == 2 and page.count("&lt;</mo>") == 1 and "amp;" not in page


def test_a_run_shows_new_outputs_and_leaves_the_copy(my, monkeypatch):
    monkeypatch.setenv("GLMLAB_SCALE", "workshop")
    source = ("import os\nfrom glmlab.teaching import scale\n"
              "print('scale', scale.name, os.environ['GLMLAB_EXERCISES'])\n"
              "print('in', os.environ['GLMLAB_WORKSPACE'])\n1 / 0")  # fmt: skip
    old = new_output("stream", name="stdout", text="an old output")
    blank = new_code_cell(" ", outputs=[old])  # nothing runs in it, and nothing takes its place
    before = write(my, new_code_cell(source, outputs=[old]), new_code_cell("print('goes', 'on')"), blank)
    assert main(["export", "01", "--run"]) == 0
    page = (my / "01_data_creation.html").read_text(encoding="utf-8")
    assert "scale workshop untouched" in page and "ZeroDivisionError" in page and "goes on" in page
    assert "an old output" not in page and f"in {os.environ['GLMLAB_WORKSPACE']}" not in page
    assert (my / NAME).read_bytes() == before and sorted(path.name for path in my.iterdir()) == [
        "01_data_creation.html",
        NAME,
    ]


def test_a_run_that_does_not_reach_the_end_writes_no_page(my, capsys):
    write(my, new_code_cell("import os\nos._exit(1)"))
    assert main(["export", "01", "--run"]) == 1
    assert "process died" in capsys.readouterr().err
    assert not (my / "01_data_creation.html").exists()


@pytest.mark.parametrize(("name", "says"), [("01", "there is no"), ("99", "fits no notebook")])
def test_what_cannot_be_exported_is_said(my, capsys, name, says):
    assert main(["export", name]) == 1
    assert says in capsys.readouterr().err


# --- letters dark enough to be read: WCAG 2.2, success criterion 1.4.3, for the page and for the lab

CODE, ERROR = "#f5f5f5", "#ffdddd"  # what JupyterLab prints code and tracebacks on


def luminance(colour: str) -> float:
    """The relative luminance of #rrggbb, as WCAG 2.2 defines it."""
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, two: str) -> float:
    """Their contrast ratio, from 1 to 21."""
    dark, light = sorted(map(luminance, (one, two)))
    return (light + 0.05) / (dark + 0.05)


def test_the_contrast_of_black_and_white_is_21_and_jupyterlabs_comments_have_too_little():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") < 4.5 < contrast("#767676", "#ffffff")  # the example of WCAG's techniques
    assert contrast("#408080", CODE) < 4.5


def test_our_colours_of_letters_have_enough_contrast():
    style = (course().parent / "glmlab" / "classroom" / "contrast.css").read_text(encoding="utf-8")
    letters = re.findall(r"([\w-]*color): (#\w{6});", style)
    assert len(letters) == len(re.findall("#", style)) >= 15
    for name, colour in letters:
        assert contrast(colour, ERROR if name == "color" else CODE) >= 4.5, (name, colour)
