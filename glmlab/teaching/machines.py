"""The machine on which the course runs."""

import html
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from .scales import scale

PACKAGES = ("glmlab", "dask", "distributed", "numpy", "scipy", "pandas", "scikit-learn")


@dataclass(frozen=True)
class Machine:
    """Cores and memory that this process may use (not those of the host), versions, scale."""

    cores: int
    memory: int  # bytes
    versions: dict
    scale: str

    @property
    def rows(self):
        """Pairs of name and value, as text."""
        return [
            ("cores we may use", str(self.cores)),
            ("memory we may use", f"{self.memory / 1e9:.1f} GB"),
            ("scale", self.scale),
            *self.versions.items(),
        ]

    def __repr__(self):
        width = max(len(what) for what, _ in self.rows)
        return "\n".join(f"{what:<{width}}  {value}" for what, value in self.rows)

    def _repr_html_(self):
        cells = "".join(
            f"<tr><th scope='row' style='text-align:left'>{html.escape(what)}</th>"
            f"<td style='text-align:left'>{html.escape(value)}</td></tr>"
            for what, value in self.rows
        )
        return f"<table><caption>This machine</caption><tbody>{cells}</tbody></table>"


def machine():
    """A report of this machine, within the limits of a container."""
    from dask.system import CPU_COUNT
    from distributed.system import MEMORY_LIMIT

    versions = {"Python": platform.python_version(), **{name: _version(name) for name in PACKAGES}}
    return Machine(CPU_COUNT, int(MEMORY_LIMIT), versions, scale.name)


def _version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
