"""What the tests in a browser share: the Chromium of the system."""

import pytest
from chromium import program


@pytest.fixture(scope="session")
def chromium():
    """A running Chromium."""
    path = program()  # before Playwright: who lacks Chromium may lack that, too
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--disable-gpu"])
        yield browser
        browser.close()
