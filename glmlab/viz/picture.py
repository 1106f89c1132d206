"""A picture and its words: the alt text describes it, the finding is its result in one line."""

import base64
import html
import io
import sys
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from . import interactive as bokehjs


@dataclass(eq=False)
class Picture:
    """A static figure, its alt text and its finding; perhaps an interactive figure made with Bokeh.

    figure       matplotlib Figure
    alt          a description for those who cannot see the figure
    finding      the result that the figure shows, in one line
    interactive  a Bokeh model, or None; the static figure is always shown beside it
    """

    figure: Figure
    alt: str
    finding: str
    interactive: Any = None

    def __post_init__(self):
        if not isinstance(self.figure, Figure):
            raise TypeError(_not_a_figure(self.figure))
        self.alt = _sentence("alt", self.alt)
        self.finding = _sentence("finding", self.finding)

    def png(self, dpi=144):
        """The static figure as PNG bytes."""
        buffer = io.BytesIO()
        self.figure.savefig(buffer, format="png", dpi=dpi)
        return buffer.getvalue()

    def save(self, path):
        """Write the static figure as PNG."""
        with open(path, "wb") as file:
            file.write(self.png())

    def _repr_html_(self):
        width = round(96 * self.figure.get_figwidth())  # CSS pixels: text of 11 pt has 11 pt on the page
        data = base64.b64encode(self.png()).decode()
        image = (
            f'<img src="data:image/png;base64,{data}" alt="{html.escape(self.alt)}" '
            f'style="width:{width}px;max-width:100%;height:auto">'
        )
        moving = bokehjs.embed(self.interactive) if self.interactive is not None else ""
        return f"<figure style='margin:0'>{image}{moving}</figure>"

    def __repr__(self):
        return f"Picture: {self.alt}"


def show(figure, *, alt=None, finding=None, interactive=None):
    """Display a figure with its alt text, and print its finding.

    figure   a matplotlib Figure (then ``alt`` and ``finding`` are needed) or a :class:`Picture`
             (which has its own; those given here replace them)
    """
    if isinstance(figure, Picture):
        alt, finding = alt or figure.alt, finding or figure.finding
        figure, interactive = figure.figure, interactive or figure.interactive
    picture = Picture(figure, alt, finding, interactive)
    _close(figure)
    _display(picture)
    print(picture.finding)


def _sentence(name, text):
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{name}={text!r}: every figure needs {name}='…', a sentence in words")
    return " ".join(text.split())  # one line


def _not_a_figure(given):
    cure = "pass the static matplotlib figure first and the Bokeh model as interactive="
    return f"a picture is made of a matplotlib Figure, given {type(given).__name__}; {cure}"


def _close(figure):
    """Close the figure in pyplot if that is loaded, or it would show the figure a second time."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close(figure)


def _display(picture):
    try:
        from IPython.display import display
    except ImportError:  # in plain Python: print the words
        print(picture)
    else:
        display(picture)
