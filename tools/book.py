"""The book: every notebook executed, and the API reference, as a static site that needs no network.

    python -m tools.book [ci | workshop | full]     writes build/book; workshop is the default
"""

import html
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_markdown_cell

from glmlab.classroom.export import with_formulas
from glmlab.classroom.running import environment, run_cells
from glmlab.teaching import exercises
from glmlab.teaching.contents import uses
from glmlab.teaching.scales import SCALES
from tools import form, pages, plans, reference
from tools.notebooks import FOLDER, LINKS, ROOT, copies, texts

TARGET = ROOT / "build" / "book"
HTML_BLOCK = re.compile(r"^<details>.*?(?=\n\n|\Z)", re.M | re.S)  # Markdown ends it at an empty line
SHIPPED = "shipped"  # the folder of the notebooks without outputs, to download
LIVE = """```{{note}}
This is `{name}` after *Run All*, at scale `{scale}`. To run it yourself and to write the answers, type `make lab` in a
clone of the course, or `python -m glmlab lab` where pip has installed glmlab, and open it there.

{{download}}`Download the notebook without outputs <../{shipped}/{name}>` for a Jupyter of yours whose Python has
glmlab.
```"""


def build(scale="workshop", folder=FOLDER, target=TARGET) -> int:
    """Run the notebooks of `folder` and write the site to `target`; the exit code is 0 if nothing is wrong with it."""
    sources = target.with_name(f"{target.name}-sources")
    for old in (sources, target):
        shutil.rmtree(old, ignore_errors=True)
    gather(sources)
    (sources / "glossary.md").write_text(glossary(folder), encoding="utf-8")
    shutil.copytree(folder, sources / SHIPPED, ignore=shutil.ignore_patterns("src", "my", "workspace", ".*"))
    try:
        execute(Path(folder), sources / "notebooks", scale)
    except CellExecutionError as error:
        return print(error, file=sys.stderr) or 1
    code = sphinx(sources, target)
    wrong = pages.check(target)
    print(*wrong, sep="\n", file=sys.stderr)
    print(f"The book: {target / 'index.html'}")
    return code or int(bool(wrong))


def gather(sources: Path):
    """Lay out what Sphinx reads as in the clone, so that the README's links hold: pages, pictures, reference."""
    shutil.copytree(ROOT / "docs" / "book", sources, ignore=shutil.ignore_patterns("conf.py", "static", "templates"))
    shutil.copytree(ROOT / "docs", sources / "docs", ignore=shutil.ignore_patterns("book"))
    shutil.copy(ROOT / "README.md", sources)
    (sources / plans.PAGE.name).write_text(plans.page(), encoding="utf-8")
    reference.write(sources / "api")


def glossary(folder: Path) -> str:
    """The page of symbols and words: the section of that name in the first notebook."""
    cells = nbformat.read(min(Path(folder).glob("*.ipynb")), as_version=4).cells
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    _, _, section = text.partition(f"## {form.GLOSSARY}\n")
    return f"# {form.GLOSSARY}\n" + re.split(r"^## ", section, flags=re.M)[0]


# --- the notebooks

def execute(folder: Path, target: Path, scale: str):
    """Run the notebooks in order in one folder, as a reader who follows does, exercises untouched; write them out."""
    target.mkdir()
    with tempfile.TemporaryDirectory(prefix="glmlab-") as temp:
        for name in copies(folder, Path(temp), together=True):
            start = time.perf_counter()
            notebook = nbformat.read(Path(temp) / name, as_version=4)
            run(notebook, temp, environment(solved=False) | {"GLMLAB_SCALE": scale})
            nbformat.write(dressed(notebook, name, scale), target / name)
            print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)


def run(notebook, folder: str, variables: dict):
    """Execute in place, off the network; an error that no tag allows ends it (CellExecutionError)."""
    run_cells(notebook, folder, variables)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = joined(cell.outputs)


def joined(outputs: list) -> list:
    """What was printed in one go as one output, in the order of the cell; a kernel sends it in pieces."""
    out = []
    for output in outputs:
        if out and output.output_type == out[-1].output_type == "stream" and output.name == out[-1].name:
            out[-1].text += output.text
        else:
            out.append(output)
    return out


def dressed(notebook, name: str, scale: str):
    """The executed copy as the book shows it: numbered, with a note on running it, with help behind each check."""
    first, *rest = notebook.cells
    first.source = re.sub(r"^# ", f"# {name.split('_')[0]} · ", first.source)
    for cell in texts(notebook):  # JupyterLab keeps a heading's capitals in its anchor, Sphinx does not
        cell.source = re.sub(r"\.ipynb#[\w-]+", lambda link: link[0].lower(), cell.source)
        cell.source = HTML_BLOCK.sub(lambda block: with_formulas(block[0]), cell.source)
        cell.source = LINKS.sub("", cell.source)  # the book's pages have such links already
    cells = [first, new_markdown_cell(LIVE.format(name=name, scale=scale, shipped=SHIPPED))]
    for cell in rest:
        cells += [cell, *map(help_for, used(cell))]
    notebook.cells = cells
    return notebook


def used(cell) -> list[str]:
    """The exercises whose answer a cell uses."""
    return uses(cell.source) if cell.cell_type == "code" else []


def help_for(name: str):
    """A cell with the three hints and our solution of an exercise, each folded."""
    found = exercises()[name]
    hints = [folded(f"Hint {level}", f"<p>{html.escape(hint, quote=False)}</p>")
             for level, hint in enumerate(found.hints, 1)]
    solution = folded("Solution", f"\n\n```python\n{found.source.rstrip()}\n```\n\n")
    return new_markdown_cell("\n".join([*hints, "", solution]))


def folded(title: str, body: str) -> str:
    """What is shown when its title is clicked."""
    return f"<details class='help'><summary>{title}</summary>{body}</details>"


# --- the site

def sphinx(sources: Path, target: Path, builder="html") -> int:
    """Sphinx's exit code; every warning is an error, and all of them are shown."""
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--quiet", "-b", builder,
               "-c", ROOT / "docs" / "book", "-d", sources / ".doctrees", sources, target]
    return subprocess.run(command, cwd=ROOT, env=environment(solved=False)).returncode


def main(argv) -> int:
    """One scale, or none."""
    if len(argv) > 1 or not set(argv) <= set(SCALES):
        return print(__doc__) or 2
    return build(*argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
