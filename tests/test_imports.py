"""The layers of the package: who may import dask, and that imports go downwards only."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "glmlab"
# From the bottom to the top; a module may import from the lines below its own, and from its own line.
LAYERS = [
    "names checks policy workspace words cards machine.memory",
    "formulas",
    "design",
    "maths.sums",
    "maths.descent maths.family maths.penalties maths.conventions",
    "maths.tweedie maths.negative_binomial",
    "maths.families",
    "maths.quadratic",
    "maths.bounds maths.products maths.working",
    "rows.dispatch rows.folds rows.kernels rows.formulas rows.elementary rows.labels rows.loops "
    "rows.ledger rows.sampling "
    "rows.tables rows.threads",
    "rows.sparse_loops rows.twins rows.inferring rows.moments",
    "rows.fused",
    "rows.kernel_sets",
    "rows.arrivals rows.by_columns rows.chunks rows.columns rows.faults rows.scale rows.survey "
    "rows.together",
    "rows.ondask",
    "rows.entrance rows.objective",
    "rows.condensed",
    "maths.wide",
    "maths.certificates maths.existence",
    "solvers.result",
    "solvers.linesearch solvers.stopping solvers.log solvers.ending",
    "solvers.gradient solvers.newton solvers.pilot solvers.lbfgs solvers.admm solvers.asynchronous "
    "solvers.working_sets solvers.newton_cg",
    "solvers.start",
    "solvers.rounds",
    "solvers solvers.run",
    "fitting",
    "dispersion paths inference",
    "held_out",
    "validation",
    "auditing",
    "datasets.chunking",
    "datasets.files",
    "datasets.simulated datasets.stored datasets.frames datasets.flights",
    "datasets.course",
    "estimators datasets machine.placing machine.shipping machine.stragglers machine.workers",
    "machine.connecting machine.local",
    "machine.cluster",
    "machine.costmodel",
    "machine.simulator",
    "machine.sleepers",
    "viz",
    "bench teaching",
    "classroom",
    "__main__",
]
LEVEL = {name: level for level, line in enumerate(LAYERS) for name in line.split()}
# The modules that need not know that there are clusters.
NO_DASK = set("names checks policy words cards maths solvers".split()) | {f"rows.{name}" for name in (
    "by_columns condensed elementary folds formulas fused kernel_sets kernels labels ledger loops objective sampling "
    "scale sparse_loops survey threads together twins").split()}  # fmt: skip
MAY_USE_DASK = "solvers.asynchronous"


def modules():
    """(dotted name below glmlab, source) of every module."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        yield ".".join(part for part in parts if part != "__init__"), path.read_text()


def imports(name: str, source: str):
    """Absolute names of what a module imports, also inside of functions."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            base = absolute(name, node)
            yield from (f"{base}.{alias.name}" for alias in node.names)


def absolute(name: str, node: ast.ImportFrom) -> str:
    """The module an import statement names, relative ones included (`.x` in a package and in a module)."""
    if not node.level:
        return node.module
    is_package = (PACKAGE / name.replace(".", "/") / "__init__.py").exists()
    parts = ["glmlab", *name.split(".")][: None if is_package else -1]
    parts = parts[: len(parts) - node.level + 1]
    return ".".join([*parts, *filter(None, [node.module])])


def layer(name: str):
    """The entry of LAYERS to which a dotted name below glmlab belongs: the longest that fits, or None."""
    parts = name.split(".")
    return next((".".join(parts[:n]) for n in range(len(parts), 0, -1) if ".".join(parts[:n]) in LEVEL), None)


def uses_dask(name: str, source: str) -> list[str]:
    """Imports of dask or distributed, also inside of functions."""
    return [what for what in imports(name, source) if what.split(".")[0] in ("dask", "distributed")]


def upwards(name: str, source: str) -> list[str]:
    """Imports from a layer above, also inside of functions."""
    ours = [what for what in imports(name, source) if what.startswith("glmlab.")]
    targets = {what: layer(what.removeprefix("glmlab.")) for what in ours}
    return sorted(what for what, target in targets.items() if target and LEVEL[target] > LEVEL[layer(name)])


@pytest.mark.parametrize(("name", "source"), [pytest.param(*m, id=m[0] or "glmlab") for m in modules()])
def test_every_module_keeps_its_layer(name, source):
    if not name:
        return  # glmlab/__init__.py gathers all public names
    if name in ("maths", "rows", "machine"):
        assert not list(imports(name, source)), "it says what the folder is for, and no more"
        return
    assert layer(name), f"give glmlab.{name} a place in LAYERS"
    assert upwards(name, source) == []
    if {name, name.split(".")[0]} & NO_DASK and name != MAY_USE_DASK:
        assert uses_dask(name, source) == []


def private_dask(name: str, source: str) -> list[str]:
    """Imports of modules and names of dask that begin with an underscore."""
    return [what for what in uses_dask(name, source) if any(part.startswith("_") for part in what.split("."))]


def test_dasks_private_modules_are_used_by_rows_on_dask_and_by_pictures_of_graphs_alone():
    assert {name for name, source in modules() if private_dask(name, source)} == {"rows.ondask", "viz.graphs"}


@pytest.mark.parametrize("source", [
    "import dask", "import dask.array as da", "from dask import delayed", "from distributed import Client",
    "def f():\n    import dask",
])
def test_an_import_of_dask_is_seen(source):
    assert uses_dask("maths.families", source)


@pytest.mark.parametrize(("name", "source"), [
    ("maths.families", "from glmlab.rows.objective import Objective"),
    ("maths.families", "from glmlab.rows import objective"),
    ("maths.families", "from ..rows.objective import Objective"),
    ("maths.families", "def f():\n    from glmlab.rows.objective import Objective"),
    ("maths.families", "import glmlab.viz"),
    ("solvers.run", "def plot(self):\n    from glmlab import viz"),
    ("solvers.gradient", "from . import run"),
    ("solvers.gradient", "from ..fitting import fit"),
    ("solvers", "from ..viz import convergence"),
    ("viz.style", "from glmlab.teaching import ledger"),
])
def test_an_import_upwards_is_seen(name, source):
    assert upwards(name, source)


@pytest.mark.parametrize(("name", "source"), [
    ("rows.objective", "from glmlab.maths.families import Gaussian\nimport numpy"),
    ("viz.style", "from .words import text"),
])
def test_an_import_downwards_is_allowed(name, source):
    assert upwards(name, source) == []


def test_a_module_without_a_place_is_seen():
    assert layer("helpers") is None
