"""Make .venv with the pinned packages and glmlab itself; do nothing when it is already there.

    python tools/setup.py            all that authors and CI need
    python tools/setup.py --course   what the course needs, two thirds of it

Where a folder `wheelhouse` lies beside the Makefile (`make offline` packs one), all packages come from there, without a
network. Standard library only, because it runs before anything is installed. `make test` and `make lab` call it.
"""

import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = "requirements.lock"
AUTHORS = "# What authors and CI need besides."  # the line of the lock below which the course needs nothing
STAMP = ".glmlab-ready"
WHEELS = "wheelhouse"  # the folder of wheels beside the Makefile,
MADE_FOR = "made-for.txt"  # and the file in it that says for what Python
NEED_VENV = """Python's venv module is not complete here (it needs ensurepip).
  Debian, Ubuntu:  sudo apt install python3-venv
  or install uv:   it is used instead when it is on the PATH
then run the same command again."""
NEED_PIP = """There is no pip in {venv}.
  Type:  {python} -m ensurepip --upgrade
  or delete {venv}
then run the same command again."""
NEED_PYTHON = "glmlab needs Python 3.11 or newer; this is Python {}. Type:  make PYTHON=/path/to/python lab"
INSTALL_FAILED = """Installing the packages failed (the lines above say why).
Without a network or behind a proxy, tell pip where to look (PIP_INDEX_URL, HTTPS_PROXY),
then run the same command again."""
NOT_IN_WHEELS = """Installing the packages from {wheels} failed (the lines above say why).
It may hold the wheels of the course alone: make lab needs no others. Where there is a network, delete it,
then run the same command again."""
OTHER_WHEELS = """The wheels in {wheels} are for {made}; this is {here}.
Type:  make PYTHON=/path/to/such/a/python lab
or, where there is a network, delete {wheels}
then run the same command again."""


def main(arguments=()) -> int:
    """Set up; the exit code is 0 when .venv is ready."""
    course = "--course" in arguments
    venv = Path(os.environ.get("VENV", ROOT / ".venv")).absolute()
    stamp, everything = venv / STAMP, fingerprint(ROOT)
    good = {everything, f"{everything} --course"} if course else {everything}
    if stamp.exists() and stamp.read_text() in good and python_of(venv).exists():
        return 0
    wheels = ROOT / WHEELS
    trouble = what_is_missing(sys.version_info, shutil.which("uv")) or other_wheels(wheels)
    if trouble:
        return say(trouble)
    try:
        trouble = install(venv, shutil.which("uv"), course, wheels)
    except subprocess.CalledProcessError:
        trouble = NOT_IN_WHEELS.format(wheels=wheels) if wheels.is_dir() else INSTALL_FAILED
    if trouble:
        return say(trouble)
    stamp.write_text(f"{everything} --course" if course else everything)
    return 0


def fingerprint(root: Path) -> str:
    """A hash of what decides the environment: the lock, pyproject.toml and where the clone lies."""
    parts = [(root / name).read_bytes() for name in (LOCK, "pyproject.toml")] + [str(root).encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def what_is_missing(version, uv, has_ensurepip=None) -> str:
    """The sentence that says what to type, or "" when nothing is missing."""
    if tuple(version[:2]) < (3, 11):
        return NEED_PYTHON.format(".".join(map(str, version[:3])))
    if has_ensurepip is None:
        has_ensurepip = bool(importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip"))
    return "" if uv or has_ensurepip else NEED_VENV


def other_wheels(wheels: Path) -> str:
    """The sentence that says that the folder of wheels is for another Python, or ""."""
    made = wheels / MADE_FOR
    if not made.exists() or made.read_text() == this_python():
        return ""
    return OTHER_WHEELS.format(wheels=wheels, made=made.read_text(), here=this_python())


def this_python() -> str:
    """What a wheel must fit, in words: the version of Python, the system, the processor."""
    return f"Python {sys.version_info[0]}.{sys.version_info[1]} {platform.system()} {platform.machine()}"


def install(venv: Path, uv: str | None, course: bool, wheels: Path) -> str:
    """Create `venv` and fill it, from `wheels` if there is such a folder; returns what is missing, "" if nothing."""
    python, pins = python_of(venv), pinned(course)
    if not python.exists():
        print(f"Making {venv.name}", flush=True)
        run([uv, "venv", "--python", sys.executable, venv] if uv else [sys.executable, "-m", "venv", venv])
    if not uv and subprocess.run([python, "-m", "pip", "--version"], capture_output=True).returncode:
        return NEED_PIP.format(venv=venv, python=python)
    pip = [uv, "pip", "install"] if uv else [python, "-m", "pip", "install"]
    pip += ["-q", *(["--compile-bytecode", "--python", python] if uv else [])]  # pip compiles unasked
    pip += ["--no-index", "--find-links", wheels] if wheels.is_dir() else []
    print(f"Installing {len(pins)} packages (once; a minute or some)", flush=True)
    chosen = venv / LOCK
    chosen.write_text("\n".join(pins))
    run([*pip, "-r", chosen])
    # The build backend is pinned too, so glmlab installs without a second look at the network.
    run([*pip, "--no-deps", "--no-build-isolation", "-e", ROOT])
    return ""


def pinned(course: bool) -> list[str]:
    """The pins of the lock, or those that the course needs."""
    text = (ROOT / LOCK).read_text()
    return [line for line in text.partition(AUTHORS if course else "\0")[0].splitlines() if line and line[0] != "#"]


def python_of(venv: Path) -> Path:
    """Where the interpreter lies in a virtual environment."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def run(command):
    """Run a command, show it when it fails."""
    subprocess.run([str(part) for part in command], check=True)


def say(trouble: str) -> int:
    """Print what is wrong and what to type; returns the exit code."""
    print(trouble, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
