"""Where a learner's files live: copies of the notebooks in `my/`, data and ledger in `workspace/`."""

import os
import shutil
from itertools import count
from pathlib import Path

_HERE = Path(__file__).resolve().parent


def workspace() -> Path:
    """The folder for data and ledger, made if absent: `$GLMLAB_WORKSPACE`, else `workspace` in the current folder."""
    path = Path(os.environ.get("GLMLAB_WORKSPACE") or Path.cwd() / "workspace").expanduser()
    path.mkdir(parents=True, exist_ok=True)
    return path


def course() -> Path:
    """The folder with the notebooks as shipped: inside an installed package, or `notebooks` of a clone."""
    packed = _HERE / "notebooks"
    return packed if packed.is_dir() else _HERE.parent / "notebooks"


def my_folder() -> Path:
    """The folder with the learner's copies: `my` in the clone, or in the current folder without a clone."""
    clone = _HERE.parent
    return (clone if (clone / "pyproject.toml").exists() else Path.cwd()) / "my"


def fill(my) -> list[Path]:
    """Copy every notebook that is not in the folder `my` yet, and nothing else; returns the new copies."""
    my = Path(my)
    my.mkdir(parents=True, exist_ok=True)
    missing = [source for source in sorted(course().glob("*.ipynb")) if not (my / source.name).exists()]
    return [Path(shutil.copyfile(source, my / source.name)) for source in missing]


def reset(name, my=None) -> tuple[Path, Path | None]:
    """Copy one notebook again, given by its name or the start of its name ("00").

    Returns the paths of the new copy and of the old one, which is kept beside it as `NAME.old-<n>.ipynb`; None where
    there was none. `my` is the folder of the copies; the default is the current folder, where a notebook runs.
    Raises ValueError where no notebook or more than one has such a name.
    """
    source = find(name)
    copy = Path(my or Path.cwd()) / source.name
    old = copy.rename(old_name(copy)) if copy.exists() else None
    copy.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copyfile(source, copy)), old


def what_was_kept(fresh: Path, old: Path | None) -> str:
    """What a reset made and kept, in words."""
    kept = f"What you saved last is kept beside it as {old.name}." if old else "There was no older copy to keep."
    return f"{fresh.name} is fresh again. {kept} Your ledger, your progress and your data stay as they are."


def find(name) -> Path:
    """The path of the one shipped notebook whose number is `name`, or whose file name starts so. Raises ValueError."""
    names = sorted(path.name for path in course().glob("*.ipynb"))
    numbered = [n for n in names if n.split("_")[0] == str(name)]  # "06" is 06_certificates, not 06b
    hits = numbered or [n for n in names if name and n.startswith(str(name).removesuffix(".ipynb"))]
    if len(hits) != 1:
        fits = ", ".join(hits) or "no notebook"
        raise ValueError(f"{name!r} fits {fits}; give the start of one name: {', '.join(names)}")
    return course() / hits[0]


def old_name(copy: Path) -> Path:
    """The first free name `NAME.old-<n>.ipynb`."""
    names = (copy.with_name(f"{copy.stem}.old-{n}.ipynb") for n in count(1))
    return next(path for path in names if not path.exists())
