"""What an object shows of itself: a card of names and values, or a table of numbers, as text and as HTML.

The HTML has no colours of its own, so that it can be read in light and in dark themes: text and background are the
page's, and a line has the text's colour, made faint. The styles stand in the elements, because JupyterLab, the book and
an exported page have different style sheets.
"""

import textwrap
from html import escape

WIDTH = 80  # characters in a line of a card; an output of JupyterLab has 85 where the window has 1280 pixels
INDENT = 16  # characters before the values of a card

TABLE = "border-collapse:collapse;max-width:100%;margin:0 0 0.6em;overflow-wrap:break-word"
LINE = "border-bottom:1px solid color-mix(in srgb, currentColor 20%, transparent)"
PAD = "padding:0.2em 0.4em"
CAPTION = f"{PAD};caption-side:top;text-align:left;font-weight:bold"
WORDS = f"{PAD};vertical-align:top;text-align:left;white-space:normal"
NUMBER = f"{PAD};vertical-align:top;text-align:right;white-space:nowrap"
HEAD = f"{PAD};vertical-align:bottom;text-align:right;white-space:normal"


def plain_card(title, summary):
    """A summary, {name: value}, as text. Long values go on in the next line, under their beginning."""
    return "\n".join([title, *(line for name, value in summary.items() for line in entry(name, value))])


def entry(name, value):
    """The lines of one name and its value."""
    return wrapped(value, f"  {name:<{INDENT - 3}} ", " " * INDENT)


def wrapped(text, first, later):
    """A text in lines of at most WIDTH characters, and what they begin with. No word is cut."""
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=later, break_long_words=False,
                         break_on_hyphens=False)  # fmt: skip


def html_card(title, summary):
    """The same as an HTML table of two columns."""
    rows = [row(cell("th", name, WORDS), cell("td", value, WORDS)) for name, value in summary.items()]
    return framed(title, "", rows)


def plain_table(title, heads, lines, notes=None):
    """A table as text. The first cell of each line is its name, the others are numbers.

    heads: a text for each column. lines: lists of texts. notes: {name of a line: a sentence that stands below it}.
    """
    widths = [max(map(len, column)) for column in zip(heads, *lines, strict=True)]
    found = [title, aligned(heads, widths)]
    for line in lines:
        found.append(aligned(line, widths))
        found += wrapped((notes or {}).get(line[0], ""), "    ", "    ")
    return "\n".join(found)


def aligned(cells, widths):
    """A line whose name stands to the left and whose numbers stand to the right of their columns."""
    name, *numbers = cells
    right = (number.rjust(width) for number, width in zip(numbers, widths[1:], strict=True))
    return "  ".join([name.ljust(widths[0]), *right])


def html_table(title, heads, lines, notes=None):
    """The same as an HTML table."""
    first, *others = heads
    head = row(cell("th", first, WORDS, "col"), *(cell("th", other, HEAD, "col") for other in others))
    rows = []
    for name, *numbers in lines:
        rows.append(row(cell("th", name, WORDS), *(cell("td", number, NUMBER) for number in numbers)))
        if note := (notes or {}).get(name):
            rows.append(f"<tr><td colspan='{len(heads)}' style='{WORDS};padding-left:2em'>{escape(note)}</td></tr>")
    return framed(title, f"<thead>{head}</thead>", rows)


def framed(title, head, rows):
    """A table with its title."""
    body = f"<caption style='{CAPTION}'>{escape(title)}</caption>{head}<tbody>{''.join(rows)}</tbody>"
    return f"<table class='glmlab' style='{TABLE}'>{body}</table>"


def row(*cells):
    """A row of a table, with a line below it."""
    return f"<tr style='{LINE}'>{''.join(cells)}</tr>"


def cell(tag, text, style, scope="row"):
    """A cell. A th names its row, or its column where `scope` is "col"; a td holds a value."""
    scope = f" scope='{scope}'" if tag == "th" else ""
    return f"<{tag}{scope} style='{style}'>{escape(text)}</{tag}>"
