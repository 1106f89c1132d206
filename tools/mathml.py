"""Formulas as MathML, which browsers draw by themselves: no script, no font and no network. An extension of Sphinx."""

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.util import logging

log = logging.getLogger(__name__)


def setup(app):
    """Sphinx calls this; `html_math_renderer = "mathml"` then chooses it."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def inline(writer, node):
    """A formula in a line of text."""
    writer.body.append(mathml(node, "inline"))
    raise nodes.SkipNode


def block(writer, node):
    """A formula in lines of its own; one that is wider than the page scrolls by itself, by keys as well."""
    writer.body.append(f'<div class="math" tabindex="0">{mathml(node, "block")}</div>')
    raise nodes.SkipNode


def mathml(node, display: str) -> str:
    """The formula of a node. A command that is not known stays as it is written, which Sphinx then reports."""
    made = convert(node.astext(), display=display)
    if "\\" in made:
        log.warning("a formula has a command that MathML lacks: %s", node.astext(), location=node)
    return made
