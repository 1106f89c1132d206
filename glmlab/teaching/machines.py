"""The machine on which the course runs."""

import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from glmlab.cards import html_card, plain_card

from .scales import scale

PACKAGES = ("glmlab", "dask", "distributed", "numpy", "scipy", "pandas", "scikit-learn")


@dataclass(frozen=True)
class Machine:
    """Cores and memory that this process may use (not those of the host), versions, scale."""

    cores: int
    memory: int  # bytes
    versions: dict
    scale: str

    def summary(self):
        """Name and value of everything worth printing."""
        memory = f"{self.memory / 1e9:.1f} GB that we may use"
        return {"cores": f"{self.cores} that we may use", "memory": memory, "scale": self.scale} | self.versions

    def __repr__(self):
        return plain_card("This machine", self.summary())

    def _repr_html_(self):
        return html_card("This machine", self.summary())


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
