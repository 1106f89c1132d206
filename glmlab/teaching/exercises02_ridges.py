"""The second exercise of notebook 02: all ridge fits from two sums."""

from contextlib import ExitStack, contextmanager
from functools import partial
from unittest.mock import patch

import numpy as np
import scipy.linalg

from .exercise import Exercise, recognised, require
from .exercises02 import conditioned
from .guard import an_array, lost_digits


def ridges(G, c, lams):
    h, V = np.linalg.eigh(G)  # G + (λ/2) I has the same eigenvectors, and the eigenvalues h + λ/2
    return (V.T @ c / (h + np.asarray(lams)[:, None] / 2)) @ V.T


RIDGES = Exercise(
    name="ridges",
    statement=(
        "G = XᵀX (p, p) and c = Xᵀy (p,) are known, lams holds m weights λ ≥ 0 in any order. Return an array (m, p) "
        "whose row i minimises Σ (y − xᵀβ)² + (λᵢ/2)‖β‖². Decompose one matrix only: p³ operations once, p² for each λ."
    ),
    stub='''
    def ridges(G, c, lams):
        """Minimisers (m, p) of Σ (y − xᵀβ)² + (λ/2)‖β‖²: row i for the weight lams[i]; G is decomposed once.

        G, c, lams   XᵀX (p, p), Xᵀy (p,) and m weights λ ≥ 0 in any order
        """
        raise NotImplementedError
    ''',
    reference=ridges,
    hints=(
        "Write the objective with G and c, then its gradient. For which β is the gradient zero? For which if G is "
        "diagonal? Every symmetric G is diagonal in some orthonormal basis.",
        "The gradient is 2(Gβ − c) + λβ, so (G + (λ/2) I) β = c. With G = V diag(h) Vᵀ only the diagonal depends on λ: "
        "in the basis of the eigenvectors every system is a division.",
        "h, V = np.linalg.eigh(G); for each lam of lams the row is V @ (V.T @ c / (h + lam / 2)). np.array([...]) "
        "gathers the rows.",
    ),
)

DECOMPOSING = "solve inv pinv lstsq cholesky qr svd eig eigh".split()  # about p³ operations each
OF_SCIPY = [*DECOMPOSING, *"lu lu_factor cho_factor ldl schur hessenberg".split()]


def _problem(seed, p=6, size=1.0):
    """G with condition number 1e4 and a c in its range."""
    [X] = conditioned(seed, 100, [50], p)
    rng = np.random.default_rng(seed)
    y = X @ rng.normal(size=p) + 0.1 * rng.normal(size=50)
    return size * X.T @ X, size * X.T @ y


def _solved(ridges, G, c, lams):
    """The reader's rows, one for each λ."""
    shape = (len(lams), len(c))
    return an_array(ridges(G, c, lams), shape, f"for {shape[0]} λs and p = {shape[1]} it returned", lists=True)


@contextmanager
def decomposing():
    """The number of matrices of each call that decomposes, inverts or solves: one, or as many as a stack has."""
    matrices = []

    def counted(function):
        def call(a, *args, **options):
            matrices.append(int(np.prod(np.shape(a)[:-2])))
            return function(a, *args, **options)

        return call

    with ExitStack() as patched:
        for library, names in ((np.linalg, DECOMPOSING), (scipy.linalg, OF_SCIPY)):
            calls = {name: counted(getattr(library, name)) for name in names}
            patched.enter_context(patch.multiple(library, **calls))
        yield matrices


LAMS = (3.0, 0.0, 100.0, 1e-3, 1e6, 0.5)


@RIDGES.condition(
    "one row of p coefficients for each λ",
    hint="make a row for each λ and stack: np.array([...]). lams may be a list; np.asarray(lams) makes an array of it",
    errors=True,
)
def one_row_each(ridges):
    for p, lams in ((6, LAMS), (6, [2.0]), (1, LAMS), (3, np.array([1.0, 0.0]))):
        _solved(ridges, *_problem(51, p), lams)


@RIDGES.condition(
    "λ = 0 is least squares",
    hint="without a penalty G β = c must hold: only λ may change the system, and an iteration goes on until it holds",
)
def no_penalty(ridges):
    for p in (6, 1):
        G, c = _problem(52, p)
        off = np.linalg.norm(G @ _solved(ridges, G, c, [0.0])[0] - c) / np.linalg.norm(c)
        words = f"for λ = 0 ‖Gβ − c‖ is {off:.1e} of ‖c‖, where rounding leaves 1e-15"
        require(off <= 1e-11, words, lost_digits(off))


@RIDGES.condition(
    "the gradient vanishes: 2(Gβ − c) + λβ = 0",
    hint="differentiate Σ (y − xᵀβ)² + (λ/2)‖β‖²: the square gives a 2, which the ½ of the penalty cancels once only. "
    "λ/2 stands on the diagonal of the system, np.eye(p), and nowhere else",
)
def stationary(ridges):
    size_of = np.linalg.norm
    for p, size in ((6, 1.0), (1, 1.0), (6, 1e9)):
        G, c = _problem(55, p, size)
        lams = [size * lam for lam in LAMS]
        betas = _solved(ridges, G, c, lams)
        for lam, beta in zip(lams, betas, strict=True):
            slope = 2 * (G @ beta - c) + lam * beta
            off = size_of(slope) / (2 * size_of(G, 2) * size_of(beta) + 2 * size_of(c) + lam * size_of(beta))
            words = f"for λ = {lam:g} the gradient is {off:.1e} of its terms, not zero"
            require(off <= 1e-11, words, partial(_ridge_mistake, G, c, lams, betas))


@RIDGES.condition(
    "one decomposition for all λ",
    hint="G = V diag(h) Vᵀ by np.linalg.eigh; then G + (λ/2) I = V diag(h + λ/2) Vᵀ, so one eigh serves every λ",
)
def one_decomposition(ridges):
    G, c = _problem(56)
    with decomposing() as matrices:
        _solved(ridges, G, c, LAMS)
    require(sum(matrices) <= 1, f"for {len(LAMS)} λs it decomposed, inverted or solved {sum(matrices)} matrices")


def _ridge_mistake(G, c, lams, betas):
    """The hint for rows that are ridge solutions of other λs; None for other rows."""
    pulls = [2 * (c - G @ beta) for beta in betas]  # λβ, if beta is a ridge solution for some λ
    obeyed = [pull @ beta / (beta @ beta) for pull, beta in zip(pulls, betas, strict=True)]
    rests = [np.linalg.norm(pull - lam * beta) for pull, lam, beta in zip(pulls, obeyed, betas, strict=True)]
    if max(rests) > 1e-6 * np.linalg.norm(c):
        return None
    if np.allclose(sorted(obeyed), sorted(lams), rtol=1e-4, atol=1e-4 * min(filter(None, lams))):
        return "row i belongs to lams[i]: keep the order in which lams come"
    ratio = obeyed[0] / lams[0]
    i = next(i for i, lam in enumerate(lams) if abs(obeyed[i] - lam) > 1e-4 * max(lam, lams[0]))
    other = f"each β obeys {ratio:.3g} λ: the loss is a sum over rows, so there is no n, and no other factor"
    if abs(ratio - 1) < 1e-3:
        return f"row {i} obeys λ = {obeyed[i]:.3g}, not {lams[i]:g}: begin every row with G as it was given"
    halves = {
        "each β obeys 2λ: the ½ of the penalty is forgotten": 2.0,
        "each β obeys λ/2: the ½ of the penalty counts once, against the 2 of the square": 0.5,
    }
    return recognised(ratio, halves, rtol=1e-3) or other
