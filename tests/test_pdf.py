"""`make pdf` without its runs: what is printed, and what is said where there is no Chromium."""

import pytest

from tools import pdf


def test_without_chromium_no_pdf_is_made_and_a_sentence_says_why(monkeypatch, capsys):
    monkeypatch.setattr(pdf.shutil, "which", lambda name: None)
    monkeypatch.setattr(pdf.book, "build", lambda *args, **options: pytest.fail("no book is needed"))
    assert pdf.build() == 0
    assert "No PDF was made" in capsys.readouterr().out


@pytest.fixture
def printed(tmp_path, monkeypatch):
    """A book of one page, and the list of what was printed."""
    (tmp_path / "book").mkdir()

    def sphinx(sources, target, builder):
        assert (sources, builder) == (tmp_path / "book-sources", "singlehtml")
        target.mkdir()
        (target / "index.html").write_text("<head></head><body><details>a hint</details></body>")
        return 0

    pages = []
    monkeypatch.setattr(pdf.book, "sphinx", sphinx)
    monkeypatch.setattr(pdf, "print_page", lambda page, target: pages.append((page, target)))
    return pages


def test_one_page_of_all_chapters_and_the_cheat_sheet_are_printed(printed, tmp_path):
    assert pdf.print_book(tmp_path / "book") == 0
    assert printed == [(tmp_path / "book-single" / "index.html", tmp_path / "glmlab.pdf"),
                       (tmp_path / "book" / "cheat_sheet.html", tmp_path / "cheat_sheet.pdf")]  # fmt: skip
    single = (tmp_path / "book-single" / "index.html").read_text()
    assert "details::details-content" in single, "folds are open on paper"


def test_a_book_that_sphinx_refuses_is_not_printed(tmp_path, monkeypatch):
    monkeypatch.setattr(pdf.book, "sphinx", lambda *args, **options: 2)
    monkeypatch.setattr(pdf, "print_page", lambda page, target: pytest.fail("it is printed"))
    assert pdf.print_book(tmp_path / "book") == 2


@pytest.mark.parametrize("argv", [["tiny"], ["ci", "full"]])
def test_other_words_print_how_to_call_it(argv, capsys):
    assert pdf.main(argv) == 2 and "tools.pdf [ci" in capsys.readouterr().out
