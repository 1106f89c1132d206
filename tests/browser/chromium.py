"""Where the system has its Chromium."""

import os
import shutil

import pytest

INSTALL = "there is no Chromium on the PATH; on Debian type, as root: apt-get install chromium fonts-dejavu-core"


def program() -> str:
    """The path of Chromium. Where there is none the test is skipped; in continuous integration (CI) it fails."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not found:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(INSTALL)
    return found
