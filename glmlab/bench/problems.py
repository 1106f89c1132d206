"""The problems: rows on disk, an objective, and its optimum to as many digits as a certificate can prove."""

import json
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from glmlab import datasets
from glmlab.fitting import fit
from glmlab.maths.family import sigmoid
from glmlab.maths.penalties import L1, Ridge, Zero
from glmlab.paths import path
from glmlab.rows.entrance import as_chunks
from glmlab.rows.objective import Objective

PRECISE = 1e-13  # relative gap at which F* counts as known; where it is not reached, the proved bound is stored with F*


# --- rows

def uniform(n):
    """The post's benchmark: 15 uniform columns, labels drawn from the logistic model."""
    return datasets.make_logistic(n, 15, seed=20009)


def skewed(n):
    """Columns with units from 1e-4 to 1e4; neighbouring columns have correlation 0.9."""
    X, y, beta = datasets.make_logistic(n, 15, seed=1, x="normal")
    for j in range(1, 15):  # an autoregression along the columns, in place
        X[:, j] = 0.9 * X[:, j - 1] + np.sqrt(1 - 0.81) * X[:, j]
    y = (np.random.default_rng(1).random(n) < sigmoid(X @ beta)).astype(float)
    units = np.logspace(-4, 4, 15)
    X *= units
    return X, y, beta / units


def by_label(n):
    """The post's rows sorted by label: a chunk may have one class only."""
    X, y, beta = uniform(n)
    order = np.argsort(y, kind="stable")
    return X[order], y[order], beta


def by_feature(n):
    """The post's rows sorted by the first column: the first rows of a chunk differ from its last rows."""
    X, y, beta = uniform(n)
    order = np.argsort(X[:, 0], kind="stable")
    return X[order], y[order], beta


def flights(n):
    """Is a flight more than 15 minutes late? The first n rows of the real table, with a column of ones."""
    X, y = datasets.flights("xy")
    X = np.column_stack([X, np.ones(len(X))])
    return X[:n], y[:n], None


def wide(n):
    """1,000 normal columns, of which 5 % have nonzero coefficients; η is of size 1. Fewer columns for few rows."""
    p, rng = min(1000, n // 30), np.random.default_rng(7)
    beta = np.zeros(p)
    beta[rng.choice(p, p // 20, replace=False)] = rng.normal(0, 0.25, p // 20)
    return datasets.make_logistic(n, p, x="normal", beta=beta)


def normal_logistic(n, p, beta):
    """Labels of normal columns."""
    return datasets.make_logistic(n, p, x="normal", beta=beta)


def square(n, columns=1, make=normal_logistic):
    """`columns` × n normal columns, of which 20 have nonzero coefficients of size 1."""
    p, rng = columns * n, np.random.default_rng(8)
    beta = np.zeros(p)
    beta[rng.choice(p, 20, replace=False)] = rng.normal(size=20)
    return make(n, p, beta=beta)


def words(n, columns=1.0, each=27):
    """Counts of words in CSR, `columns` × n words and `each` drawn a row; the k-th is drawn with weight 1/(k + 10).

    50 of the 1,000 most frequent words have nonzero coefficients.
    """
    p, rng = int(columns * n), np.random.default_rng(9)
    often = np.cumsum(1 / (np.arange(p) + 10.0))
    places = np.searchsorted(often, rng.random((n, each)) * often[-1]).astype(np.int32)
    X = sp.csr_array((np.ones(places.size), places.ravel(), np.arange(n + 1, dtype=np.int32) * each), shape=(n, p))
    X.sum_duplicates()
    beta = np.zeros(p)
    beta[rng.choice(min(p, 1000), 50, replace=False)] = rng.normal(size=50)
    return X, (rng.random(n) < sigmoid(X @ beta)).astype(float), beta


@dataclass(frozen=True)
class Rows:
    """A function that makes rows, and their number at each scale."""

    make: Callable  # n → X (n, p), y (n,), and the β that made y or None
    full: int
    ci: int = 20_000
    sparse: bool = False  # is X a CSR array?


ROWS = {
    "uniform15": Rows(uniform, 8_000_000),
    "skewed15": Rows(skewed, 8_000_000),
    "by_label15": Rows(by_label, 8_000_000),
    "by_feature15": Rows(by_feature, 8_000_000),
    "regression100": Rows(lambda n: datasets.make_regression(n, 100), 1_000_000, 10_000),
    "poisson15": Rows(lambda n: datasets.make_poisson(n, 15), 4_000_000),
    "flights": Rows(flights, 327_346),
    "wide1000": Rows(wide, 100_000, 3_000),
    "square2000": Rows(square, 2_000, 400),
    "broad5000": Rows(lambda n: square(n, columns=5), 1_000, 100),
    "regression2000": Rows(lambda n: square(n, make=datasets.make_regression), 2_000, 400),
    "words2000": Rows(lambda n: words(n, 0.1), 20_000, 2_000, sparse=True),
    "words20000": Rows(words, 20_000, 500, sparse=True),
    "words100000": Rows(lambda n: words(n, 0.5, each=50), 200_000, 1_000, sparse=True),
}


# --- objectives

@dataclass(frozen=True)
class Problem:
    """Rows and an objective.

    penalty: a function of λ. λ is `lam`, or what zeroes the share `zeros` of the coefficients, or the share `of_max` of
    the λ that zeroes all.
    """

    name: str
    rows: str
    family: str
    penalty: Callable
    lam: float = 1.0
    zeros: float | None = None
    of_max: float | None = None
    says: str = ""

    def folder(self, root, scale):
        return Path(root) / f"{self.rows}-{self.count(scale)}"

    def count(self, scale):
        return getattr(ROWS[self.rows], scale)

    @property
    def sparse(self):
        return ROWS[self.rows].sparse


def none(lam):
    return Zero()


def share(zeros, rows, family, name, says):
    """An L1 problem whose λ has to be found: it zeroes about this share of the coefficients."""
    return Problem(name, rows, family, L1, np.nan, zeros, says=says)


def sparse_answer(of_max, rows, family, name):
    """An L1 problem on as many columns as rows or more, with this share of the λ that zeroes all."""
    return Problem(name, rows, family, L1, np.nan, of_max=of_max, says=f"{of_max:g} of the largest λ")


LIST = [
    Problem("laptop", "uniform15", "logistic", L1, says="the post's, λ = 1"),
    Problem("laptop, no penalty", "uniform15", "logistic", none, says="the same without penalty"),
    Problem("laptop, ridge", "uniform15", "logistic", Ridge, says="the same with (λ/2)‖β‖², λ = 1"),
    share(1 / 3, "uniform15", "logistic", "laptop, a third zero", "a λ that zeroes a third of the coefficients"),
    Problem("badly scaled", "skewed15", "logistic", L1, 1e-4, says="correlated columns, units from 1e-4 to 1e4"),
    Problem("sorted by label", "by_label15", "logistic", L1, says="all zeros first"),
    Problem("sorted by a feature", "by_feature15", "logistic", L1, says="by the first column"),
    Problem("least squares", "regression100", "gaussian", none, says="100 normal columns"),
    share(1 / 3, "regression100", "gaussian", "lasso", "the same, a λ that zeroes a third"),
    Problem("poisson", "poisson15", "poisson", L1, says="counts"),
    Problem("flights", "flights", "logistic", L1, says="the real table"),
    share(0.9, "wide1000", "logistic", "wide, L1", "1,000 columns, of which a tenth is kept"),
    Problem("wide, ridge", "wide1000", "logistic", Ridge, 10.0, says="1,000 columns"),
    sparse_answer(0.1, "square2000", "logistic", "square, L1"),
    sparse_answer(0.01, "square2000", "logistic", "square, weak L1"),
    sparse_answer(0.1, "broad5000", "logistic", "broad, L1"),
    sparse_answer(0.01, "broad5000", "logistic", "broad, weak L1"),
    sparse_answer(0.1, "regression2000", "gaussian", "square, lasso"),
    sparse_answer(0.01, "words2000", "logistic", "text, 2,000 words"),
    sparse_answer(0.01, "words20000", "logistic", "text, 20,000 words"),
    sparse_answer(0.01, "words100000", "logistic", "text, 100,000 words"),
]
PROBLEMS = {problem.name: problem for problem in LIST}


@dataclass
class Posed:
    """A problem with its λ and its optimum, for a worker to load."""

    problem: Problem
    folder: Path
    lam: float
    optimum: float  # F(β*)
    proved: float  # a proved bound on F(β*) − F*
    size: float  # S at β* (Scale.unit), the unit of relative gaps
    support: list = field(default_factory=list)

    @property
    def penalty(self):
        return self.problem.penalty(self.lam)

    def load(self):
        """X, y and the generating β (None where there is none), in memory."""
        beta = self.folder / "beta.npy"
        return *stored(self.folder), np.load(beta) if beta.exists() else None


def stored(folder, mmap_mode=None):
    """X and y as `write` wrote them; dense rows stay on disk where mmap_mode is "r"."""
    dense = (folder / "X.npy").exists()
    X = np.load(folder / "X.npy", mmap_mode=mmap_mode) if dense else sp.load_npz(folder / "X.npz")
    return X, np.load(folder / "y.npy")


def posed(problem, root, scale, say=print):
    """The problem; its rows are written and its optimum is found if that was not done before."""
    folder = problem.folder(root, scale)
    if not (folder / "y.npy").exists():
        say(f"writing {problem.count(scale):,} rows of {problem.rows}")
        write(folder, *ROWS[problem.rows].make(problem.count(scale)))
    known = folder / f"{problem.name.replace(' ', '-')}.json"
    if not known.exists():
        say(f"finding the optimum of {problem.name}")
        known.write_text(json.dumps(solved(problem, folder)))
    return Posed(problem, folder, **json.loads(known.read_text()))


def write(folder, X, y, beta):
    """Write rows as .npy and .npz files. y comes last, so that a folder with y is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    if sp.issparse(X):
        sp.save_npz(folder / "X.npz", X, compressed=False)
    else:
        np.save(folder / "X.npy", np.ascontiguousarray(X))
    if beta is not None:
        np.save(folder / "beta.npy", beta)
    np.save(folder / "partial.npy", y)
    os.replace(folder / "partial.npy", folder / "y.npy")


def solved(problem, folder):
    """λ, F* and its bound, S and the support, by Newton steps with NumPy's kernels, which do not race."""
    X, y = stored(folder, mmap_mode="r")
    lam = lam_of(problem, X, y)
    options = {"family": problem.family, "penalty": problem.penalty(lam), "kernels": "numpy"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the bound says how exact it is
        result = fit(X, y, solver="proximal_newton" if problem.of_max is None else "working_sets", tol=PRECISE,
                     **options)  # fmt: skip
    f = Objective(problem.family, as_chunks(X, y), "numpy")
    return {"lam": lam, "optimum": result.objective, "proved": result.certificate.bound,
            "size": float(f.scale.unit(result.objective)), "support": np.flatnonzero(result.beta).tolist()}  # fmt: skip


def lam_of(problem, X, y):
    """The λ of a problem."""
    if problem.of_max is not None:
        return problem.of_max * path(X, y, family=problem.family, n_lams=1).lam_max
    return problem.lam if problem.zeros is None else zeroing(problem, X, y)


def zeroing(problem, X, y, rows=500_000, step=0.8):
    """The largest λ on a falling path that zeroes at most the wanted share, found on the first rows and scaled."""
    few = min(rows, len(y))
    X, y, n = np.ascontiguousarray(X[:few]), y[:few], len(y)
    [first] = path(X, y, family=problem.family, n_lams=1)
    lam, result = first.penalty.lam, first
    while np.mean(result.beta == 0) > problem.zeros:
        lam *= step
        result = fit(X, y, family=problem.family, penalty=L1(lam), start=result, tol=1e-5)
    return float(lam * n / few)
