"""Send this package to workers that cannot import it."""

import contextlib
import importlib.util
import tempfile
import zipfile
from pathlib import Path

from glmlab.words import count_text

__all__ = ["ship"]


def ship(client):
    """Send this glmlab to the workers if one cannot import the same version; returns how many could not.

    Workers that join later get it as well; therefore it is also sent while there are no workers. Raises RuntimeError
    when a worker cannot import it even then.
    """
    versions = client.run(version_finder())
    lacking = other_than_ours(versions)
    if lacking or not versions:
        client.run(forgetter(), workers=list(lacking))
        upload(client)
        refuse(other_than_ours(client.run(version_finder())))
    return len(lacking)


def other_than_ours(versions):
    """{worker: what it has instead} for the workers whose glmlab is not ours."""
    from glmlab import __version__

    return {worker: version for worker, version in versions.items() if version != __version__}


# The two functions below return a nested function, because dask sends that as code. It sends a function of a module by
# name, and a worker without glmlab cannot look that up.


def version_finder():
    """A function that returns the version of a worker's glmlab, or why it cannot be imported."""

    def version():
        try:
            import glmlab
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return glmlab.__version__

    return version


def forgetter():
    """A function that removes an older glmlab from a worker's loaded modules."""

    def forget():
        import sys

        for name in [name for name in sys.modules if name.partition(".")[0] == "glmlab"]:
            del sys.modules[name]

    return forget


def upload(client):
    """Send the package to all workers, those that join later included."""
    from distributed.diagnostics.plugin import UploadFile

    # A worker that cannot import what it was sent raises ImportError; `refuse` reports that in more words.
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(ImportError):
        client.register_plugin(UploadFile(zipped(folder)), name="glmlab")


def zipped(folder):
    """The path of a new zip file in this folder with the package's own files, from which Python can import it."""
    package = Path(importlib.util.find_spec("glmlab").origin).parent
    path = Path(folder) / "glmlab.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(package.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                archive.write(file, file.relative_to(package.parent))
    return str(path)


def refuse(lacking):
    """Raise RuntimeError if there is such a worker."""
    if lacking:
        worker, found = next(iter(lacking.items()))
        raise RuntimeError(
            f"{count_text(len(lacking), 'worker')} cannot import this glmlab; {worker} says: {found}. "
            "Install glmlab and what it needs (numpy, scipy, dask, threadpoolctl) on the workers."
        )
