"""How Sphinx makes the book; `python -m tools.book` (make book) brings the sources and calls it."""

import glmlab
from tools import prose

project, author, copyright = "glmlab", "the glmlab developers", "the glmlab developers, BSD-3-Clause"
version = release = glmlab.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.viewcode", "tools.mathml"]
exclude_patterns = ["README.md", "shipped"]  # pages include parts of the one, the other is to download
templates_path = ["templates"]

# The notebooks arrive executed. Formulas between dollars become MathML; a dollar beside a space or a digit is a dollar.
html_math_renderer = "mathml"
nb_execution_mode = "off"
smartquotes = False  # whoever copies "poisson" gets the quotes that Python reads
nb_render_markdown_format = "myst"  # what a cell displays may hold a table
myst_enable_extensions = ["dollarmath"]
myst_dmath_allow_space = myst_dmath_allow_digits = False
myst_heading_anchors = 3

# A name in backticks is a link where it is something of ours, and code where it is not. Types of others need no link.
nitpicky = True
default_role = "py:obj"
# nbconvert wrote an annotation as text, of which Sphinx takes a part for a class.
nitpick_ignore_regex = [("py:obj", ".*"), ("py:.*", r"(?!glmlab\.)\w+\..*"), ("py:class", r"dict\[str")]
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_preserve_defaults = True
add_module_names = False

html_theme = "sphinx_book_theme"
html_title = "glmlab"
html_static_path, html_css_files = ["static"], ["book.css"]
html_copy_source = html_show_sourcelink = False
html_show_search_summary = False  # for which the search would fetch pages, which browsers refuse to pages on the disk
html_context = {"default_mode": "light"}  # figures are drawn on white; templates/ leaves the switch out
html_theme_options = {
    "use_download_button": False,
    "navbar_persistent": [],  # the sidebar has the search already
    "home_page_in_toc": True,
    "show_navbar_depth": 1,
    "toc_title": "On this page",
}


def setup(app):
    """Docstrings are prose: reStructuredText is made of them here."""
    app.connect("autodoc-process-docstring", prose.process)
    app.connect("autodoc-skip-member", prose.skip)
