"""Install an extra of pyproject.toml that is not in the lock into the environment of this Python.

    python -m tools.peers bench     the benchmark's peers
    python -m tools.peers sites     what starts dask as a site does

One by one: a package that has no wheel for this machine costs its row of the table or its test, not the others.
"""

import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version

from packaging.requirements import Requirement

from tools.setup import LOCK, ROOT

ALONE = {"celer"}  # its solvers need none of the downloaders it brings, and dask takes seconds to import its xarray


def main(extra) -> int:
    """Install what is missing of this extra; the exit code is 0 whatever could be had."""
    for peer in filter(missing, peers(extra)):
        print(f"installing {peer}", flush=True)
        options = ["--no-deps"] if peer.name in ALONE else ["-c", str(ROOT / LOCK)]
        if subprocess.run([*pip(), *options, str(peer).split(";")[0]]).returncode:
            print(f"{peer.name} cannot be had here: what needs it will say so.", file=sys.stderr)
    return 0


def peers(extra) -> list[Requirement]:
    """The packages of an extra that this machine may have."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    wanted = map(Requirement, extras[extra])
    return [peer for peer in wanted if peer.marker is None or peer.marker.evaluate()]


def missing(peer: Requirement) -> bool:
    """Is it not installed in the pinned version?"""
    try:
        return not peer.specifier.contains(version(peer.name))
    except PackageNotFoundError:
        return True


def pip() -> list[str]:
    """The command that installs into this environment."""
    uv = shutil.which("uv")
    head = [uv, "pip"] if uv else [sys.executable, "-m", "pip"]
    return [*head, "install", "-q", *(["--compile-bytecode", "--python", sys.executable] if uv else [])]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
