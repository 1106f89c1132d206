"""Make a zip from which the course is set up on a machine that has neither a network nor git.

    python -m tools.offline             with all that authors and CI need
    python -m tools.offline --course    with what the course needs

The zip holds the last commit and a folder `wheelhouse` with a wheel of every pinned package, for this system and this
version of Python. Set-up takes the wheels from there (tools/setup.py). Both are written to `build/offline`.
"""

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from glmlab import __version__
from tools.setup import MADE_FOR, ROOT, WHEELS, pinned, this_python

TARGET = ROOT / "build" / "offline"
BACKEND = ["editables"]  # which `pip install -e .` asks for, and our own set-up does not
NO_GIT = "The bundle holds the last commit of a clone. Here is no clone, or no git."
UNCOMMITTED = "The bundle holds the last commit. Commit these files first:\n{}"


def main(arguments=()) -> int:
    """Write the wheels and the zip to `build/offline`; the exit code is 0 where both are whole."""
    trouble = not_committed()
    if trouble:
        return print(trouble, file=sys.stderr) or 1
    shutil.rmtree(TARGET, ignore_errors=True)
    wheels = wheelhouse(TARGET / WHEELS, pinned(course="--course" in arguments))
    name = f"glmlab-{__version__}"
    bundle = pack(wheels, TARGET / f"{name}-offline-{this_python().lower().replace(' ', '-')}.zip", name)
    print(f"{bundle}: {bundle.stat().st_size / 1e6:.0f} MB, for {this_python()}")
    print(f"There, unzip it, and type in {name}: make lab")
    return 0


def not_committed() -> str:
    """Why no bundle can be made of this folder, "" if nothing is in the way."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        return NO_GIT
    changed = git("status", "--porcelain", "--untracked-files=no")
    return UNCOMMITTED.format(changed) if changed else ""


def wheelhouse(folder: Path, pins: list[str]) -> Path:
    """Fill `folder` with a wheel of every pin and of the build back-end; a package without one is built here."""
    folder.mkdir(parents=True)
    print(f"Fetching {len(pins)} packages", flush=True)
    with tempfile.TemporaryDirectory() as temp:
        chosen = Path(temp) / "pins.txt"
        chosen.write_text("\n".join([*pins, *BACKEND]))
        subprocess.run([*pip(), "wheel", "-q", "-r", chosen, "-w", folder], check=True)
    (folder / MADE_FOR).write_text(this_python())
    return folder


def pack(wheels: Path, bundle: Path, name: str) -> Path:
    """Write the zip `bundle`: the last commit and the wheels, both in a folder of this name."""
    git("archive", "--format=zip", f"--prefix={name}/", "-o", bundle, "HEAD")
    with zipfile.ZipFile(bundle, "a", zipfile.ZIP_STORED) as archive:  # wheels are compressed already
        for path in sorted(wheels.iterdir()):
            archive.write(path, f"{name}/{WHEELS}/{path.name}")
    return bundle


def pip() -> list[str]:
    """The command pip; uv has no such verb, but brings pip."""
    uv = shutil.which("uv")
    return [uv, "tool", "run", "--python", sys.executable, "pip"] if uv else [sys.executable, "-m", "pip"]


def git(*words) -> str:
    """What git prints in the clone."""
    done = subprocess.run(["git", *map(str, words)], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.rstrip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
