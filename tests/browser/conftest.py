"""What the tests in a browser share: the Chromium of the system."""

import pytest
from chromium import program

from tools import book


@pytest.fixture(scope="session")
def chromium():
    """A running Chromium."""
    path = program()  # before Playwright: who lacks Chromium may lack that, too
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The book of the shipped notebooks, at scale ci."""
    target = tmp_path_factory.mktemp("site") / "book"
    assert book.build("ci", target=target) == 0
    return target
