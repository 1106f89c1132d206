"""A JSON file that is kept between sessions: read with care, and written as a whole."""

import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from glmlab.workspace import workspace


class Kept:
    """What is kept in a JSON file: in `path`, or by default in FILE in the workspace, looked up at each use."""

    FILE: str

    def __init__(self, path=None):
        self._path = None if path is None else Path(path)

    @property
    def path(self):
        """The path of the JSON file."""
        return workspace() / self.FILE if self._path is None else self._path


def read(path: Path, valid, what: str) -> dict:
    """The content of the file, {} where there is none.

    valid  a function of the content that returns it in the right form, or raises ValueError
    what   names the file in a message, as "ledger"

    A file that cannot be read is renamed and a line says so. So it is neither lost nor overwritten.
    """
    try:
        return valid(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except (ValueError, OSError):
        aside = path.with_suffix(".unreadable.json")
        with suppress(OSError):
            os.replace(path, aside)
            print(f"The {what} could not be read; it is kept as {aside.name}, and a new one begins.")
        return {}


def write(path: Path, content: dict):
    """Write the file as a whole: a process that reads it meanwhile never sees a half. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".json")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file, ensure_ascii=False, indent=1)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
