"""The book as one PDF, and its cheat sheet as another: Sphinx makes one page of all chapters, and Chromium prints it.

    python -m tools.pdf [ci | workshop | full]     writes build/glmlab.pdf and build/cheat_sheet.pdf, and build/book

Formulas are MathML, which Chromium draws by itself, so that no network and no script is needed.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from glmlab.teaching.scales import SCALES
from tools import book

NO_CHROMIUM = "No PDF was made: there is no Chromium on the PATH. On Debian type, as root: apt-get install chromium"
SECONDS = 600  # a longer print has hung

# On paper nothing scrolls and nothing unfolds: folds are open, and long lines go on below.
PAPER = """<style>
@page { size: A4; margin: 15mm; }
details::details-content { content-visibility: visible !important; height: auto !important; }
pre { white-space: pre-wrap !important; overflow-wrap: anywhere !important; }
img, svg { max-width: 100% !important; height: auto; }
p:has(> .download), [class*='bd-header'], [class*='bd-sidebar'], footer { display: none !important; }
.toctree-wrapper > section { break-before: page; }
h1, h2, h3 { break-after: avoid; }
</style>"""


def build(scale="workshop", target=book.TARGET) -> int:
    """Make the book, then both PDFs beside it; the exit code is 0 if nothing is wrong, or if there is no Chromium."""
    if not chromium():
        return print(NO_CHROMIUM) or 0
    return book.build(scale, target=target) or print_book(target)


def print_book(target: Path) -> int:
    """Print the book that `target` holds, from the sources that were left beside it; returns Sphinx's exit code."""
    single = target.with_name(f"{target.name}-single")
    shutil.rmtree(single, ignore_errors=True)
    code = book.sphinx(target.with_name(f"{target.name}-sources"), single, builder="singlehtml")
    if code:
        return code
    whole = single / "index.html"
    whole.write_text(whole.read_text(encoding="utf-8").replace("</head>", f"{PAPER}</head>", 1), encoding="utf-8")
    pages = {"glmlab.pdf": whole, "cheat_sheet.pdf": target / "cheat_sheet.html"}
    for name, page in pages.items():
        print(f"PDF: {print_page(page, target.with_name(name))}")
    return 0


def chromium() -> str | None:
    """The path of Chromium, None where there is none."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def print_page(page: Path, target: Path) -> Path:
    """Print an HTML page as a PDF; returns the path of the PDF.

    Raises CalledProcessError or TimeoutExpired where Chromium fails.
    """
    with tempfile.TemporaryDirectory(prefix="glmlab-", ignore_cleanup_errors=True) as profile:
        # The administrator of a container may start Chromium without its sandbox only; it opens our own pages.
        alone = ["--no-sandbox"] if getattr(os, "geteuid", int)() == 0 and sys.platform == "linux" else []
        command = [
            chromium(),
            "--headless",
            "--disable-gpu",
            *alone,
            f"--user-data-dir={profile}",
            "--no-pdf-header-footer",
            f"--print-to-pdf={target}",
            page.resolve().as_uri(),
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=SECONDS)
    return target


def main(argv) -> int:
    """One scale, or none."""
    if len(argv) > 1 or not set(argv) <= set(SCALES):
        return print(__doc__) or 2
    return build(*argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
