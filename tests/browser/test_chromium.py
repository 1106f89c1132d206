"""Without Chromium the browser's test says what to install; continuous integration does not let it pass."""

import chromium
import pytest


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_without_chromium_one_is_told_what_to_install(monkeypatch, ci, outcome):
    monkeypatch.setattr(chromium.shutil, "which", lambda name: None)
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="apt-get install chromium"):
        chromium.program()
