"""The pages of the API reference: one for each module, from its docstrings, and an index of what `glmlab` exports."""

import importlib
import inspect
import pkgutil
from pathlib import Path

import glmlab
from tools.prose import escape

# Modules below glmlab in reading order; those that no group names come last, so that none is forgotten.
GROUPS = {
    "Ask and prove": "fitting paths validation held_out dispersion inference inference.asking "
                     "inference.tables inference.covariances inference.diagnostics auditing auditing.solver "
                     "auditing.family auditing.penalty auditing.audit solvers.run solvers.stopping policy "
                     "solvers.result maths.certificates maths.existence design formulas estimators",
    "The mathematics": "maths.family maths.families maths.negative_binomial maths.tweedie maths.penalties "
                       "maths.quadratic maths.conventions "
                       "maths.sums maths.working maths.descent maths.products maths.wide maths.bounds",
    "The rows and their passes": "rows.entrance rows.tables rows.labels rows.columns rows.chunks rows.ondask "
                                 "rows.faults rows.arrivals rows.by_columns rows.together rows.folds "
                                 "rows.objective rows.condensed rows.ledger rows.scale rows.sampling rows.survey "
                                 "rows.kernels rows.kernel_sets rows.moments rows.inferring rows.fused rows.loops "
                                 "rows.sparse_loops rows.twins rows.formulas "
                                 "rows.elementary rows.dispatch rows.threads",
    "Solvers": "solvers solvers.gradient solvers.newton solvers.pilot solvers.lbfgs solvers.newton_cg "
               "solvers.working_sets solvers.admm "
               "solvers.rounds solvers.asynchronous solvers.linesearch solvers.start",
    "Data and machines": "datasets machine.cluster machine.connecting machine.local machine.workers machine.shipping "
                         "machine.memory machine.placing machine.stragglers machine.costmodel "
                         "machine.simulator machine.sleepers bench bench.beside bench.scale",
    "The course": "viz teaching workspace classroom.marking classroom.export classroom.running cards",
}
REST = "Inside"
SHOWN_ELSEWHERE = {"words"}  # viz exports its functions, and a source has links to one page only


def write(folder: Path):
    """Write `index.rst` and a page for each module."""
    folder.mkdir(parents=True)
    for name in modules():
        title = f"glmlab.{name}"
        page = [title, "=" * len(title), "", f".. automodule:: {title}"]
        (folder / f"{name}.rst").write_text("\n".join(page) + "\n")
    (folder / "index.rst").write_text("\n".join(index()) + "\n")


def modules() -> list[str]:
    """Dotted names below glmlab. A package that says what it exports speaks for its modules."""
    return sorted(name for name in walk(glmlab) if not name.startswith("__") and name not in SHOWN_ELSEWHERE)


def walk(package, prefix=""):
    """The modules of a package, and those of its packages that export nothing themselves."""
    for found in pkgutil.iter_modules(package.__path__):
        yield prefix + found.name
        inner = importlib.import_module(f"{package.__name__}.{found.name}") if found.ispkg else None
        if inner and not hasattr(inner, "__all__"):
            yield from walk(inner, f"{prefix}{found.name}.")


def groups() -> dict[str, list[str]]:
    """{title: modules}: those of GROUPS that exist, then the others."""
    there = modules()
    found = {title: [name for name in names.split() if name in there] for title, names in GROUPS.items()}
    named = [name for names in found.values() for name in names]
    return found | {REST: [name for name in there if name not in named]}


def index() -> list[str]:
    """The first page: what `import glmlab` gives, then the modules, each with a link and its first line."""
    lines = ["API reference", "=============", "", "``import glmlab`` gives these names:", ""]
    lines += [f"- {public(name)}" for name in glmlab.__all__]
    for title, names in groups().items():
        lines += ["", title, "-" * len(title), "", *(f"- {module(name)}" for name in names)]
        lines += ["", ".. toctree::", "   :hidden:", "", *(f"   {name}" for name in names)]
    return lines


def public(name: str) -> str:
    """A public name, linked to where it is documented."""
    what = getattr(glmlab, name)
    return f":py:obj:`~{what.__module__}.{what.__qualname__}`: {summary(what)}"


def module(name: str) -> str:
    """A module, linked to its page."""
    return f":doc:`{name}`: {summary(importlib.import_module(f'glmlab.{name}'))}"


def summary(what) -> str:
    """The first paragraph of a docstring on one line."""
    return escape(" ".join(inspect.getdoc(what).split("\n\n")[0].split()))
