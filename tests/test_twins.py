"""Compiled twins of families: a reader's own are as fast and as right as ours, and no stale one is ever taken."""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
from kernel_sets import COMPILED, compiled
from naive import Doubled
from scipy import sparse, special

from glmlab import L1, Logistic, Objective, as_chunks, certify, fit
from glmlab.machine import cluster
from glmlab.maths.families import Family
from glmlab.rows import formulas, kernels
from glmlab.rows.formulas import LINES
from glmlab.rows.kernels import Rows

if COMPILED:
    from glmlab.rows import elementary, fused, loops, twins

pytestmark = compiled

#: What a reader writes into a notebook, whose classes no worker can import.
NOTEBOOK = '''
import numpy as np
from glmlab.maths.families import Family


class PseudoHuber(Family):
    """Between (y − η)²/2 and δ|y − η|: ℓ = δ² (√(1 + z²) − 1) with z = (η − y)/δ."""

    def __init__(self, delta):
        self.delta, self.reach = delta, delta / 1.3

    def loss(self, eta, y):
        return self.delta**2 * (np.sqrt(1 + ((eta - y) / self.delta) ** 2) - 1)

    def dloss(self, eta, y):
        return (eta - y) / np.sqrt(1 + ((eta - y) / self.delta) ** 2)

    def d2loss(self, eta, y):
        return (1 + ((eta - y) / self.delta) ** 2) ** -1.5

    def conjugate(self, theta, y):
        left = self.delta**2 - theta**2
        return np.where(left >= 0, self.delta * (self.delta - np.sqrt(np.maximum(left, 0))) + theta * y, np.inf)
'''


def in_a_notebook(source=NOTEBOOK):
    """The names that the cell defines, in a `__main__` of their own."""
    scope = {"__name__": "__main__"}
    exec(source, scope)
    return scope


def problem(n=2000, p=5):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, p))
    return X, X @ np.linspace(-1, 1, p) + rng.standard_t(2, n), rng.integers(0, 3, n) * 0.5, rng.normal(size=n) / 3


# --- a reader's family ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("delta", [0.8, 2])
def test_a_readers_family_has_fused_kernels_that_find_what_numpy_finds(delta, make):
    family = in_a_notebook()["PseudoHuber"](delta)
    X, y, w, o = problem()
    ours, theirs = (Objective(family, as_chunks(make(X), y, sample_weight=w, offset=o, intercept=True), asked)
                    for asked in (None, "numpy"))  # fmt: skip
    assert (ours.kernels, theirs.kernels) == ("fused", "numpy")
    for beta in (np.zeros(6), np.linspace(-1, 2, 6)):
        for name in ("loss_grad_hess", "loss_grad_diag", "evidence"):
            for mine, numpys in zip(getattr(ours, name)(beta), getattr(theirs, name)(beta), strict=True):
                mine, numpys = getattr(mine, "values", mine), getattr(numpys, "values", numpys)
                np.testing.assert_allclose(mine, numpys, rtol=1e-12, atol=1e-11)
        np.testing.assert_allclose(ours.losses(beta[None]), theirs.losses(beta[None]), rtol=1e-13)


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
def test_its_fits_are_certified(make):
    family = in_a_notebook()["PseudoHuber"](0.8)
    X, y, w, o = problem()
    found = [fit(make(X), y, family=family, penalty=L1(3.0), sample_weight=w, offset=o, kernels=kernels)
             for kernels in (None, "numpy")]  # fmt: skip
    assert [result.kernels for result in found] == ["fused", "numpy"]
    assert all(result.certificate.rigorous and result.certificate.relative <= 1e-9 for result in found)
    np.testing.assert_allclose(found[0].beta, found[1].beta, rtol=1e-6, atol=1e-8)


def test_worker_processes_compile_a_class_that_they_cannot_import():
    family = in_a_notebook()["PseudoHuber"](0.8)
    X, y, w, o = problem()
    lengths = (1, 700, 13, 900, 386)
    lazy = [da.from_array(c, chunks=(lengths, *c.shape[1:])) for c in (X, y, w, o)]
    here = Objective(family, as_chunks(X, y, sample_weight=w, offset=o, chunks=lengths), "fused")
    with cluster.client(2, memory_limit="512MiB") as client:
        there = Objective(family, as_chunks(*lazy[:2], sample_weight=lazy[2], offset=lazy[3]))
        assert there.kernels == "fused"
        assert set(client.run(names_of_twins).values()) == {("PseudoHuber",)}
        for beta in (np.zeros(5), np.linspace(-1, 2, 5)):
            ours, theirs = (f.loss_grad_hess(beta) for f in (there, here))
            assert ours.loss == theirs.loss and ours.hess.tolist() == theirs.hess.tolist()
            assert ours.grad.tolist() == theirs.grad.tolist()
        assert set(client.run(names_of_twins).values()) == {("PseudoHuber",)}, "an equal family arrives with each pass"


def names_of_twins():
    from glmlab.rows import twins

    return tuple(key[0].__name__ for key in twins.known)


def test_a_subclass_is_not_taken_for_its_parent():
    X, y, *_ = problem()
    plain, doubled = (Objective(family, as_chunks(X, y > 0), "fused") for family in (Logistic(), Doubled()))
    assert doubled.loss(np.ones(5)) == pytest.approx(2 * plain.loss(np.ones(5)), rel=1e-14)


class LeastSquares:
    """No Family: what a solver needs, and no more."""

    def loss(self, eta, y):
        return (eta - y) ** 2

    def dloss(self, eta, y):
        return 2 * (eta - y)

    def d2loss(self, eta, y):
        return np.full_like(eta, 2.0)


def test_a_family_without_a_size_has_fused_kernels_but_no_evidence():
    X, y, *_ = problem()
    ours, gaussian = (Objective(family, as_chunks(X, y), "fused") for family in (LeastSquares(), "gaussian"))
    for found, expected in zip(ours.loss_grad_hess(np.ones(5)), gaussian.loss_grad_hess(np.ones(5)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-13)
    assert certify(X, y, np.ones(5), family=LeastSquares()).bound == np.inf


# --- who has none, and why --------------------------------------------------------------------------------------------


class Probit(Logistic):
    """A loss with a function of SciPy's that compiled loops do not know."""

    def loss(self, eta, y):
        return -y * special.log_ndtr(eta) - (1 - y) * special.log_ndtr(-eta)


class OnArrays(Logistic):
    """A logistic loss whose slope is another one for NumPy's arrays."""

    def dloss(self, eta, y):
        return super().dloss(eta, y) * (2.0 if isinstance(eta, np.ndarray) else 1.0)


@pytest.mark.parametrize("family, why", [
    (Probit(), "Probit.loss calls log_ndtr, which compiled loops do not know"),
    (OnArrays(), "OnArrays.dloss does other things to arrays than to single numbers"),
])  # fmt: skip
def test_a_family_that_cannot_be_compiled_has_numpys_kernels_and_a_reason(family, why):
    X, y, *_ = problem()
    assert Objective(family, as_chunks(X, y > 0)).kernels == "numpy"
    with pytest.raises(ValueError, match=rf"kernels 'fused' cannot be used: {why}.*kernels='numpy'"):
        Objective(family, as_chunks(X, y > 0), "fused")


# --- the functions of formulas ----------------------------------------------------------------------------------------


class Every:
    """One method for each function that compiled loops know."""

    def __init__(self):
        for function, line in LINES.items():
            setattr(self, function.__name__, partial(apply, function, "{}" in line.replace("{}", "", 1), line))

    def chosen(self, eta, y):
        return np.where((eta < y) | ~(y <= 0.0), np.clip(eta, -1.0, 1.5), np.full_like(eta, 3.0))


def apply(function, two, line, eta, y):
    """The function of a comparison where it takes truth values, of numbers otherwise."""
    if any(word in line for word in ("not", "&", "|")):
        eta, y = eta > 0.5, y > 0.5
    return function(eta, y) if two else function(eta)


def test_every_function_does_what_numpy_or_scipy_does_for_infinity_and_nan_too():
    family, names = Every(), [*(function.__name__ for function in LINES), "chosen"]
    ends = [-np.inf, -2.0, -1.0, -0.3, -0.0, 0.0, 1e-9, 0.4, 1.0, 2.5, np.inf, np.nan]
    eta, y = (values.ravel() for values in np.meshgrid(ends, ends))
    for some in (names[first : first + 4] for first in range(0, len(names), 4)):
        formula, p = formulas.read(family, some)
        out = np.empty((len(some), len(eta)))
        loops.fill(twins.compiled(formula).address, np.array(p), eta, y, out)
        with np.errstate(all="ignore"):
            for name, found in zip(some, out, strict=True):
                np.testing.assert_allclose(found, getattr(family, name)(eta, y), rtol=1e-14, err_msg=name)


# --- nothing stale ----------------------------------------------------------------------------------------------------


#: A cell whose loss depends on a global name.
SCALED = """
SCALE = 1.0


class Scaled:
    def loss(self, eta, y):
        return SCALE * (eta - y) ** 2

    def dloss(self, eta, y):
        return 2 * SCALE * (eta - y)

    def d2loss(self, eta, y):
        return 2 * SCALE * (eta == eta)
"""


def test_a_changed_global_and_a_redefined_class_are_read_anew():
    X, y, *_ = problem()
    scope = in_a_notebook(SCALED)

    def found(scope):
        return Objective(scope["Scaled"](), as_chunks(X, y), "fused").loss(np.ones(5))

    once, scope["SCALE"] = found(scope), 3.0
    assert found(scope) == pytest.approx(3 * once, rel=1e-14)
    assert found(in_a_notebook(SCALED.replace("SCALE = 1.0", "SCALE = 2.0"))) == pytest.approx(2 * once, rel=1e-14)


#: A process of its own: it compiles a family's loss 'k (η − y)²' with the given copy of elementary.py, keeps it in the
#: given folder, and says whether the folder had it, and what it computes.
PROCESS = '''
import importlib.util, json, sys
import numba
import numpy as np
from glmlab.rows import loops, twins
from glmlab.rows.formulas import read

folder, elementary, k = sys.argv[1:]
numba.config.CACHE_DIR = folder
spec = importlib.util.spec_from_file_location("glmlab.rows.elementary", elementary)
twins.elementary = importlib.util.module_from_spec(spec)
spec.loader.exec_module(twins.elementary)


class Squares:
    def loss(self, eta, y):
        return int(k) * np.maximum(eta - y, y - eta) ** 2


function = twins.compiled(read(Squares(), ["loss"])[0])
out = np.empty((1, 1))
loops.fill(function.address, np.empty(0), np.ones(1), np.full(1, 3.0), out)
print(json.dumps([function.cache_hits, out[0, 0]]))
'''


def test_another_process_finds_what_was_compiled_unless_anything_was_edited(tmp_path):
    source = Path(elementary.__file__).read_text(encoding="utf-8")
    copy = tmp_path / "elementary.py"
    copy.write_text(source, encoding="utf-8")

    def said(k):
        env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-c", PROCESS, str(tmp_path / "cache"), str(copy), str(k)]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True, env=env).stdout)

    assert said(2) == [0, 8.0] and said(2) == [1, 8.0]
    assert said(3) == [0, 12.0], "an edited family"
    assert said(2) == [1, 8.0]
    copy.write_text(source.replace("larger = b if a < b else a", "larger = a if a < b else b"), encoding="utf-8")
    assert said(2)[0] == 0, "an edited elementary function"


def test_kernels_take_a_family_that_no_objective_has_prepared():
    X, y, *_ = problem()
    family = in_a_notebook()["PseudoHuber"](np.float64(1.7))
    ours, theirs = (module.loss_grad(Rows(X, y), family, np.ones(5)) for module in (fused, kernels))
    np.testing.assert_allclose(ours.grad, theirs.grad, rtol=1e-12, atol=1e-11)


class Held(Family):
    """A family with a parameter that cannot be a key."""

    def __init__(self, scales):
        self.scales = scales

    def loss(self, eta, y):
        return self.scales[0] * (eta - y) ** 2

    def dloss(self, eta, y):
        return 2 * self.scales[0] * (eta - y)

    def d2loss(self, eta, y):
        return np.full_like(eta, 2 * self.scales[0])


def test_a_family_with_an_array_is_read_for_every_chunk():
    X, y, *_ = problem()
    family = Held(np.array([1.0, 5.0]))
    f = Objective(family, as_chunks(X, y), "fused")
    once = f.loss(np.ones(5))
    family.scales[0] = 2.0
    assert f.loss(np.ones(5)) == pytest.approx(2 * once, rel=1e-14)
