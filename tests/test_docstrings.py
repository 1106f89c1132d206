"""Docstrings of the public names: numpydoc's sections, every parameter, and examples that run as they stand."""

import ast
import doctest
import inspect
import re
import textwrap

import pytest

import glmlab
from glmlab import datasets, estimators
from glmlab.machine import cluster
from glmlab.maths import conventions
from glmlab.rows import objective
from tools import prose

# In numpydoc's order.
SECTIONS = ("Parameters", "Attributes", "Returns", "Yields", "Raises", "Warns", "Notes", "References", "Examples")
WIDTH = 82  # letters of code in a line that the book's pages show whole
TITLE = re.compile(r"^([A-Z]\w+(?: [A-Z]\w+)?)\n-{3,}\n", re.M)

HELD = {glmlab: glmlab.__all__, estimators: estimators.__all__, datasets: datasets.__all__, cluster: cluster.__all__,
        conventions: ["to_lam", "from_lam", "table"]}  # fmt: skip
BY_SKLEARN = {"n_features_in_", "feature_names_in_"}  # attributes that scikit-learn gives an estimator
PUBLIC = [getattr(module, name) for module, names in HELD.items() for name in names]
PUBLIC = [what for what in PUBLIC if callable(what)]  # datasets exports numbers and names, too
every = pytest.mark.parametrize("what", PUBLIC, ids=lambda what: f"{what.__module__}.{what.__qualname__}")


def sections(text):
    """{title: body} of a docstring; what stands before the first title is called ""."""
    parts = TITLE.split(text)
    return dict(zip(["", *parts[1::2]], parts[::2], strict=True))


def entries(body):
    """The names that a section documents, in order: those of its lines that are not indented."""
    heads = [line.partition(" : ")[0] for line in body.splitlines() if line and not line.startswith(" ")]
    return [name.lstrip("*") for head in heads for name in head.split(", ")]


def parameters(what):
    """The names that a call may give. An exception and a list take what Python's own do."""
    if inspect.isclass(what) and issubclass(what, Exception | list):
        return []
    return list(inspect.signature(what).parameters)


def documented(what, found):
    """The parameters that a docstring documents. Fields may be among the attributes; a policy has comments on them."""
    if what.__module__ == "glmlab.policy":
        return re.findall(r"\*\*(\w+)\*\*", "\n".join(prose.fields_of(what)))
    if "Parameters" in found or not inspect.isclass(what):
        return entries(found.get("Parameters", ""))
    return [name for name in entries(found.get("Attributes", "")) if name in parameters(what)]


def source(what):
    """The tree of a function or class, without decorators."""
    return ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(what)))).body[0]


def gives(function):
    """Does this function return something other than None?"""
    return any(isinstance(node, ast.Return) and node.value for node in ast.walk(source(function)))


def has(cls):
    """The attributes of a class that its source makes: its fields, its methods, and what it writes to self."""
    found = set(glmlab.solvers.result.Row._fields) if cls is glmlab.Trace else set()
    for tree in (source(one) for one in cls.__mro__ if one.__module__.startswith("glmlab")):
        found |= {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        found |= {node.target.id for node in tree.body if isinstance(node, ast.AnnAssign)}
        found |= {target.id for node in tree.body if isinstance(node, ast.Assign) for target in node.targets}
        found |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and is_self(node.value)}
    return found


def is_self(node):
    return isinstance(node, ast.Name) and node.id == "self"


def faults(what):
    """What is wrong with a docstring, in sentences."""
    text = inspect.getdoc(what)
    found, lines = sections(text), text.splitlines()
    titles = [title for title in found if title]
    if not lines[0].endswith(".") or (lines[1:] and lines[1]):
        yield "the first line is no sentence by itself"
    if unknown := [title for title in titles if title not in SECTIONS]:
        yield f"sections unknown to us: {unknown}"
    if titles != sorted(titles, key=[*SECTIONS, *titles].index):
        yield f"sections in another order than numpydoc's: {titles}"
    if documented(what, found) != parameters(what):
        yield f"documents {documented(what, found)}, takes {parameters(what)}"
    if inspect.isclass(what):
        if lacking := sorted({*entries(found.get("Attributes", ""))} - has(what) - BY_SKLEARN):
            yield f"no attributes of it: {lacking}"
    elif gives(what) != ("Returns" in found):
        yield "Returns is missing" if gives(what) else "Returns, but nothing is returned"
    if ">>> " not in found.get("Examples", ""):
        yield "no example"
    if long := [line for line in found.get("Examples", "").splitlines() if len(line) > WIDTH]:
        yield f"lines of an example that the book cuts off: {long}"
    if empty := [title for title in titles if not found[title].strip()]:
        yield f"empty sections: {empty}"


@every
def test_a_docstring_has_numpydocs_sections_and_every_parameter(what):
    assert list(faults(what)) == []


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # dask calls pandas so, not we
@every
def test_the_examples_run_as_they_stand_and_print_what_they_say(what, monkeypatch):
    """In an empty namespace, as a reader would copy them. Any warning is an error."""
    monkeypatch.setattr(objective, "chosen", lambda kernels, family, chunks: "numpy")  # compiling takes a minute
    test = doctest.DocTestParser().get_doctest(inspect.getdoc(what), {}, what.__qualname__, None, 0)
    said = []
    ran = doctest.DocTestRunner().run(test, out=said.append)
    assert ran.attempted > 0 == ran.failed, "".join(said)


# --- the checks themselves ------------------------------------------------------------------------------------------


def whole(x, y=0, **more):
    """Add numbers.

    Parameters
    ----------
    x : float
        One.
    y : float, default 0
        Another.
    **more
        Further ones.

    Returns
    -------
    float
        The sum.

    Examples
    --------
    >>> 1 + 1
    2
    """
    return x + y + sum(more.values())


@pytest.mark.parametrize(("old", "new", "says"), [
    ("Add numbers.\n", "Add\nnumbers.\n", "the first line is no sentence"),
    ("Returns\n-------\n", "Result\n------\n", "sections unknown to us"),
    ("y : float, default 0\n    Another.\n", "", r"documents \['x', 'more'\], takes \['x', 'y', 'more'\]"),
    ("x : float\n    One.\ny : float, default 0\n", "y : float\n    One.\nx : float\n", r"documents \['y', 'x'"),
    ("Returns\n-------\nfloat\n    The sum.\n\n", "", "Returns is missing"),
    ("Examples\n--------\n>>> 1 + 1\n2", "", "no example"),
    ("Returns\n", "Notes\n-----\nNone.\n\nReturns\n", "numpydoc's"),
    (">>> 1 + 1\n2", f">>> {'1 + ' * 20}1\n21", "cuts off"),
    ("Examples\n", "Raises\n------\n\nExamples\n", "empty sections"),
])  # fmt: skip
def test_a_fault_of_a_docstring_is_seen(monkeypatch, old, new, says):
    text = inspect.getdoc(whole)
    assert old in text and list(faults(whole)) == []
    monkeypatch.setattr(whole, "__doc__", text.replace(old, new))
    assert any(re.search(says, fault) for fault in faults(whole))


def test_an_attribute_that_a_class_does_not_have_is_seen(monkeypatch):
    monkeypatch.setattr(glmlab.Path, "__doc__", glmlab.Path.__doc__.replace("betas : array", "beta : array"))
    assert list(faults(glmlab.Path)) == ["no attributes of it: ['beta']"]
