"""The PDFs of `make pdf`: all chapters are in order, folds are open, and the cheat sheet has one page."""

import re
import shutil
import subprocess

import nbformat
import pytest

from tools import book, pdf

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1800)]
INSTALL = "there is no pdftotext on the PATH; on Debian type, as root: apt-get install poppler-utils"


@pytest.fixture(scope="module")
def texts(site):
    """{name of a PDF: its text, one item for each page}."""
    if not shutil.which("pdftotext"):
        pytest.skip(INSTALL)
    assert pdf.print_book(site) == 0
    return {path.stem: text_of(path) for path in site.parent.glob("*.pdf")}


def text_of(path) -> list[str]:
    """The text of each page, its white space made single."""
    done = subprocess.run(["pdftotext", "-layout", path, "-"], capture_output=True, text=True, check=True)
    return [" ".join(page.split()) for page in done.stdout.split("\f")[:-1]]


def test_every_chapter_begins_a_page_in_the_order_of_the_course(texts):
    found = []
    for path in sorted(book.FOLDER.glob("*.ipynb")):
        title = re.match("# (.+)", nbformat.read(path, as_version=4).cells[0].source)[1].replace("*", "")
        start = f"{path.stem.split('_')[0]} · {title}"[:30]
        pages = [k for k, page in enumerate(texts["glmlab"]) if page.startswith(start)]
        assert len(pages) == 1, title
        found += pages
    assert found == sorted(found)


def test_folds_are_open(texts):
    assert "(chunk**2).sum() of each" in " ".join(texts["glmlab"])


def test_the_cheat_sheet_is_one_page(texts):
    [page] = texts["cheat_sheet"]
    assert "residual-corrected duality" in page and "a certificate does" in page
