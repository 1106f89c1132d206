"""One notebook as one HTML file that needs no network: its figures are in it, and its formulas are MathML."""

import html
import os
import re
import tempfile
from pathlib import Path

import nbformat
from jinja2 import pass_context
from latex2mathml.converter import convert
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath, MathInlineParser

from glmlab.classroom.marking import run, without_outputs
from glmlab.classroom.running import CELL_SECONDS, environment
from glmlab.teaching import scale
from glmlab.workspace import find, my_folder

CONTRAST = Path(__file__).with_name("contrast.css")  # letters that are dark enough
# nbconvert's page without the scripts that it would fetch, with our style, and with formulas in what a cell displays.
# A formula that is wider than the page scrolls by itself.
TEMPLATE = """{% extends "index.html.j2" %}
{% block html_head_js %}{% endblock %}
{% block jupyter_widgets %}{% endblock %}
{% block html_head_js_mathjax %}{% endblock %}
{% block html_head_js_mermaidjs %}{% endblock %}
{% block html_head_css %}<style>CONTRAST
main { max-width: 60rem; margin: 0 auto; }
div.math { overflow: auto hidden; }
</style>{% endblock %}
{% block data_latex %}{{ output.data["text/latex"] | markdown2html }}{% endblock %}
"""


class Formulas(IPythonRenderer):
    """Markdown as HTML, with MathML for formulas, which browsers draw by themselves."""

    def inline_math(self, body: str) -> str:
        return mathml(body, "inline")

    def block_math(self, body: str) -> str:
        return f'<div class="math" tabindex="0">{mathml(body, "block")}</div>'

    def latex_environment(self, name: str, body: str) -> str:
        return self.block_math(rf"\begin{{{name}}}{body}\end{{{name}}}")

    def block_html(self, text: str) -> str:
        return with_formulas(super().block_html(text))


class Page(HTMLExporter):
    """nbconvert's page of a notebook; it asks no other machine for anything."""

    raw_template = TEMPLATE.replace("CONTRAST", CONTRAST.read_text(encoding="utf-8"))

    @pass_context
    def markdown2html(self, context, source: str) -> str:
        pasted = context.get("cell", {}).get("attachments", {})  # images
        return MarkdownWithMath(renderer=Formulas(escape=False, attachments=pasted)).render(source)


def export(name, my=None, rerun=False) -> Path:
    """Write a reader's copy of one notebook as a page beside it; returns the path of the page.

    name   of the notebook, or the start of its name ("00")
    my     the folder of the copies; the default is the reader's
    rerun  run a copy of the notebook first, off the network, at the scale of GLMLAB_SCALE; without it the page shows
           the outputs that were last saved

    An older page of the notebook is replaced. The notebook itself stays as it is.
    Raises ValueError where no notebook or more than one has such a name, where the reader has no copy of it, or where
    the run does not reach the last cell.
    """
    copy = Path(my or my_folder()) / find(name).name
    if not copy.exists():
        raise ValueError(f"there is no {copy}; python -m glmlab lab makes a copy of each notebook there")
    notebook = nbformat.read(copy, as_version=4)
    if rerun:
        run_again(notebook)
    page = copy.with_suffix(".html")
    page.write_text(as_page(notebook, copy.stem), encoding="utf-8")
    return page


def run_again(notebook):
    """Run the notebook in place in a temporary folder. Raises ValueError where the run ends before the last cell."""
    without_outputs(notebook)
    with tempfile.TemporaryDirectory(prefix="glmlab-", ignore_cleanup_errors=True) as temp:
        own = {"GLMLAB_SCALE": scale.name, "GLMLAB_WORKSPACE": os.path.join(temp, "workspace")}
        trouble = run(notebook, temp, environment(solved=False) | own, CELL_SECONDS)
    if trouble:
        raise ValueError("\n".join(trouble))


def as_page(notebook, title: str) -> str:
    """The HTML of a notebook, as nbformat reads it."""
    return Page().from_notebook_node(notebook, {"metadata": {"name": title}})[0]


def with_formulas(text: str) -> str:
    """HTML whose formulas between single dollars are MathML: Markdown leaves all between tags as it is written."""
    return re.sub(
        MathInlineParser.INLINE_MATH_TEX, lambda found: mathml(html.unescape(found["math_inline_tex"]), "inline"), text
    )


def mathml(formula: str, display: str) -> str:
    """A formula in LaTeX as MathML ("inline" or "block"); one that cannot be read stays as it is written."""
    try:
        return convert(formula, display=display)
    except Exception:  # latex2mathml raises errors of many kinds, and the rest of the page is worth having
        return f"<code>{html.escape(formula)}</code>"
