"""Docstrings for the book: plain prose, as it stands in our source, as the reStructuredText that Sphinx reads.

Our docstrings are written to be read in an editor: |β| is an absolute value and F* an optimum, parameters stand in
aligned columns or below one of numpydoc's ruled titles, and a line that starts with `Rate:` is a line of its own.
(Sphinx's own reader of numpydoc, napoleon, would take |β| and names_ for markup, and types for links.)
"""

import inspect
import re

# What is kept as it is (code, roles, *words* set off), and what reStructuredText would take for markup of its own.
INLINE = re.compile(r"(``.+?``|:[\w:]+:`[^`]+`|`[^`]+`|(?<![^\s(])\*[a-z][a-z ]*\*(?!\w))|([*|\\]|_(?!\w))", re.S)
PROSE = ("Notes", "References")  # sections of paragraphs
COLUMNS = re.compile(r"(\S+(?: \S+)*)  +(\S.*)")
LABEL = re.compile(r"[A-Za-z_]+(?: \([^)]*\)|, [a-z_]+)*: \S")
FIELD = re.compile(r"    (\w+): [^#=]+?(?:= [^#]+)?  # (.+)")


def process(app, what, name, obj, options, lines):
    """Sphinx's event: rewrite the lines of a docstring in place."""
    lines[:] = to_rst(lines) + (fields_of(obj) if what == "class" and obj.__module__.startswith("glmlab") else [])


def skip(app, what, name, obj, skip, options):
    """Sphinx's event: leave out what stands elsewhere, and what scikit-learn adds to our classes.

    The fields of a named tuple have a list of their own, with what the source says of them.
    """
    theirs = str(getattr(obj, "__module__", "")).startswith("sklearn.")
    return True if theirs or type(obj).__name__ == "_tuplegetter" else None


def fields_of(cls) -> list[str]:
    """The list of a class's fields that its source comments: `name: type  # meaning`. Not beside `Attributes`."""
    if "\nAttributes\n---" in inspect.getdoc(cls):
        return []
    found = [hit.groups() for hit in map(FIELD.fullmatch, inspect.getsource(cls).splitlines()) if hit]
    return listed("Fields", [(name, [meaning]) for name, meaning in found]) if found else []


def to_rst(lines: list[str]) -> list[str]:
    """The paragraphs of a docstring, one after the other."""
    return [line for block in paragraphs(lines) for line in [*rewrite(block), ""]]


def paragraphs(lines: list[str]):
    """Runs of lines between blank ones."""
    block = []
    for line in [*lines, ""]:
        if line.strip():
            block.append(line)
        elif block:
            yield block
            block = []


def rewrite(block: list[str]) -> list[str]:
    """One paragraph, by its kind."""
    if block[0].startswith(">>>"):
        return block
    if all(line.startswith("  ") for line in block):  # a formula or commands, set apart by indenting
        return ["::", "", *block]
    if len(block) > 2 and set(block[1]) == {"-"}:
        return section(block[0], block[2:])
    if COLUMNS.fullmatch(block[0]):
        return columns(block)
    text = escape("\n".join(block)).split("\n")
    return labelled(text) if LABEL.match(text[0]) else text


def escape(text: str) -> str:
    """`*`, `|`, `\\` and a final `_` mean themselves outside code."""
    return INLINE.sub(lambda hit: hit[1] or "\\" + hit[2], text)


def section(title: str, lines: list[str]) -> list[str]:
    """A ruled section: names, each with its meaning indented below; or prose; or examples, below a small heading."""
    if lines[0].startswith(">>>"):
        return [f".. rubric:: {title}", "", *lines]
    if title in PROSE:
        return [f".. rubric:: {title}", "", *rewrite(lines)]
    if not any(line.startswith(" ") or " : " in line for line in lines):
        return [f":{title}:", *indented(escape("\n".join(lines)))]
    items = []
    for line in lines:
        if line.startswith(" "):
            items[-1][1].append(line.strip())
        else:
            items.append((line, []))
    return listed(title, [entry(*item) for item in items])


def entry(head: str, meaning: list[str]):
    """`name : type` and its meaning as an entry of a list: the type in brackets, then a dash and the meaning."""
    name, _, kind = head.partition(" : ")
    return name, [f"({kind})"] * bool(kind) + ["–", *meaning] * bool(meaning)


def columns(block: list[str]) -> list[str]:
    """Names and meanings in two columns; a line that is neither comes after them."""
    items, rest = [], []
    for line in block:
        found = COLUMNS.fullmatch(line)
        if rest or not (found or line.startswith("  ")):
            rest.append(line)
        elif line.startswith("  "):
            items[-1][1].append(line.strip())
        else:
            items.append((found[1], [found[2]]))
    return listed("Parameters", items) + (rewrite(rest) if rest else [])


def listed(title: str, items) -> list[str]:
    """A titled list of names, each with the lines of its meaning."""
    entries = (f"- **{escape(name)}** {escape(chr(10).join(meaning))}".rstrip() for name, meaning in items)
    return [f":{title}:", *(line for entry in entries for line in indented(entry, hanging=2)), ""]


def indented(text: str, hanging=0) -> list[str]:
    """The lines of a field's body; with `hanging`, all but the first go so much deeper."""
    first, *rest = text.split("\n")
    return [f"    {first}", *(f"    {' ' * hanging}{line}" for line in rest)]


def labelled(text: list[str]) -> list[str]:
    """A line block: a line that starts with a label, or after a full stop, starts anew."""
    lines = []
    for k, line in enumerate(text):
        anew = k == 0 or LABEL.match(line) or text[k - 1].endswith(".")
        lines.append(f"| {line}" if anew else f"  {line}")
    return lines
