"""The layers of the package: who may import dask, and that imports go downwards only."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "glmlab"
# From the bottom to the top; a module may import from the lines below its own, and from its own line.
LAYERS = [
    "names checks workspace policy sums",
    "families penalties dispatch quadratic",
    "conventions",
    "kernels fused",
    "blocks",
    "tables",
    "chunks",
    "objective",
    "certificates",
    "result existence",
    "solvers.linesearch solvers.stopping",
    "solvers.gradient solvers.newton solvers.pilot solvers.lbfgs solvers.admm solvers.asynchronous",
    "solvers.start",
    "solvers",
    "solvers.run",
    "fitting",
    "paths",
    "estimators datasets cluster",
    "costmodel",
    "viz",
    "bench teaching",
    "panes",
    "lab doctor",
    "__main__",
]
LEVEL = {name: level for level, line in enumerate(LAYERS) for name in line.split()}
# What may be written without knowing that a cluster exists.
PURE = "families penalties objective certificates quadratic kernels fused solvers names checks policy sums"
NO_DASK = set(PURE.split())
MAY_USE_DASK = "solvers.asynchronous"


def modules():
    """(dotted name below glmlab, source) of every module."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        yield ".".join(part for part in parts if part != "__init__"), path.read_text()


def imports(name: str, source: str, lazy=True):
    """Absolute names of what a module imports; without the imports inside of functions unless `lazy`."""
    for node in walk(ast.parse(source), lazy):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            base = absolute(name, node)
            yield from (f"{base}.{alias.name}" for alias in node.names)


def walk(tree, lazy):
    """All nodes, or those that run when the module is imported."""
    yield tree
    for child in ast.iter_child_nodes(tree):
        if lazy or not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from walk(child, lazy)


def absolute(name: str, node: ast.ImportFrom) -> str:
    """The module an import statement names, relative ones included (`.x` in a package and in a module)."""
    if not node.level:
        return node.module
    is_package = (PACKAGE / name.replace(".", "/") / "__init__.py").exists()
    parts = ["glmlab", *name.split(".")][: None if is_package else -1]
    parts = parts[: len(parts) - node.level + 1]
    return ".".join([*parts, *filter(None, [node.module])])


def layer(name: str):
    """The entry of LAYERS a dotted name below glmlab belongs to: the longest that fits, or None."""
    parts = name.split(".")
    return next((".".join(parts[:n]) for n in range(len(parts), 0, -1) if ".".join(parts[:n]) in LEVEL), None)


def uses_dask(name: str, source: str) -> list[str]:
    """Imports of dask or distributed, also inside of functions."""
    return [what for what in imports(name, source) if what.split(".")[0] in ("dask", "distributed")]


def upwards(name: str, source: str) -> list[str]:
    """Imports from a layer above, made when the module is imported.

    An import inside of a function may look up to viz: a Result draws itself, and only then needs a figure.
    """
    own, found = LEVEL[layer(name)], []
    for lazy in (False, True):
        for what in imports(name, source, lazy):
            target = layer(what.removeprefix("glmlab.")) if what.startswith("glmlab.") else None
            if target and LEVEL[target] > own and not (lazy and target == "viz"):
                found.append(what)
    return sorted(set(found))


@pytest.mark.parametrize(("name", "source"), [pytest.param(*m, id=m[0] or "glmlab") for m in modules()])
def test_every_module_keeps_its_layer(name, source):
    if not name:
        return  # glmlab/__init__.py gathers all public names
    assert layer(name), f"give glmlab.{name} a place in LAYERS"
    assert upwards(name, source) == []
    if (name in NO_DASK or name.split(".")[0] in NO_DASK) and name != MAY_USE_DASK:
        assert uses_dask(name, source) == []


@pytest.mark.parametrize("source", [
    "import dask", "import dask.array as da", "from dask import delayed", "from distributed import Client",
    "def f():\n    import dask",
])
def test_an_import_of_dask_is_seen(source):
    assert uses_dask("families", source)


@pytest.mark.parametrize(("name", "source"), [
    ("families", "from glmlab.objective import Objective"),
    ("families", "from glmlab import objective"),
    ("families", "from .objective import Objective"),
    ("families", "def f():\n    from glmlab.objective import Objective"),
    ("families", "import glmlab.viz"),
    ("solvers.gradient", "from . import run"),
    ("solvers.gradient", "from ..fitting import fit"),
    ("solvers", "from ..viz import convergence"),
    ("viz.style", "from glmlab.teaching import ledger"),
])
def test_an_import_upwards_is_seen(name, source):
    assert upwards(name, source)


@pytest.mark.parametrize(("name", "source"), [
    ("objective", "from glmlab.families import Gaussian\nimport numpy"),
    ("solvers.run", "def plot(self):\n    from glmlab import viz"),
    ("viz.style", "from .words import text"),
])
def test_an_import_downwards_is_allowed(name, source):
    assert upwards(name, source) == []


def test_a_module_without_a_place_is_seen():
    assert layer("helpers") is None
