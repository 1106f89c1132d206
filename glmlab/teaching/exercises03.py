"""The exercises of notebook 03: one lazy gradient step, a safe step size, a first certificate."""

from contextlib import contextmanager
from typing import NamedTuple

import dask
import dask.array as da
import numpy as np

from .exercise import Exercise, recognised, require
from .guard import an_array, lost_digits, one_number, two

# ---------------------------------------------------------------- 1. one lazy gradient step


def gd_step(X, y, beta, step):
    residual = X @ beta - y
    gradient = 2 * (X.T @ residual)
    loss = (residual**2).sum()
    return dask.compute(beta - step * gradient, loss)


GD_STEP = Exercise(
    name="gd_step",
    statement=(
        "X (n, p) and y (n,) are dask arrays, or numpy arrays; beta (p,) is a numpy array, step one number or (p,) of "
        "them. Return beta − step · ∇F(beta) and F(beta) = Σ (yᵢ − xᵢᵀbeta)², both computed, by one dask.compute."
    ),
    stub='''
    def gd_step(X, y, beta, step):
        """β⁺ = beta − step · ∇F(beta), NumPy (p,), and the number F(beta), by one dask.compute.

        X, y         dask or NumPy arrays (n, p) and (n,)
        beta, step   NumPy (p,), and one number or (p,), one for each coordinate
        """
        raise NotImplementedError
    ''',
    reference=gd_step,
    hints=(
        "Which product of X does the loss need, and can the gradient use it again?",
        "Both need the residual r = Xβ − y, which stays lazy: the loss is the sum of its squares, the gradient 2Xᵀr. "
        "Ask for both results at once.",
        "residual = X @ beta - y; then return dask.compute(beta - step * 2 * (X.T @ residual), (residual**2).sum()).",
    ),
)


class Rows(NamedTuple):
    """A small least-squares problem, in memory and lazy."""

    X: np.ndarray  # (n, p)
    y: np.ndarray  # (n,)
    lazy_X: da.Array
    lazy_y: da.Array
    beta: np.ndarray  # (p,), the start of a step
    name: str

    def loss(self, beta):
        return float(np.sum((self.y - self.X @ beta) ** 2))

    def slope(self, beta):
        """∇F(β) by central differences, which are exact for a quadratic."""
        return np.array([(self.loss(beta + move) - self.loss(beta - move)) / 2 for move in np.eye(len(beta))])

    def curvature(self):
        """L, the largest eigenvalue of the Hessian 2XᵀX."""
        return 2 * np.linalg.norm(self.X, 2) ** 2


def _rows(seed, lengths, p):
    """Rows in chunks of unequal lengths. The columns differ in size, so that κ is between 10 and 100."""
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(sum(lengths), p)) * np.geomspace(1, 5, p), rng.normal(size=sum(lengths))
    cut = f"{len(lengths)} chunks" if len(lengths) > 1 else "one chunk"
    lazy = da.from_array(X, chunks=(lengths, p)), da.from_array(y, chunks=(lengths,))
    return Rows(X, y, *lazy, rng.normal(size=p), f"{sum(lengths)} × {p} in {cut}")


SHAPES = ((31, (12, 1, 7), 4), (32, (9,), 3), (33, (5, 8), 1))


def _step(gd_step, X, y, beta, step, name):
    """(new beta, loss) of a reader's step. Raises Wrong for other kinds of answers."""
    new, loss = two(gd_step(X, y, beta, step), "new_beta, loss", f"for {name}")
    swapped = np.ndim(new) == 0 and np.shape(loss) == beta.shape
    require(not swapped, f"for {name} new beta is a number and the loss an array", "return new_beta, loss: β first")
    new = an_array(new, beta.shape, f"for {name} new beta is")
    return new, one_number(loss, f"for {name}, as the loss,", hint="the loss is a number: sum, and compute it")


@GD_STEP.condition("new beta and loss, both computed", hint="return dask.compute(new_beta, loss): it computes both")
def both_computed(gd_step):
    with watched():
        for shape in SHAPES:
            rows = _rows(*shape)
            _step(gd_step, rows.lazy_X, rows.lazy_y, rows.beta, 1e-3, rows.name)


@GD_STEP.condition(
    "the loss is F at the beta that came in",
    hint="which β made the residual? Sum its squares: no ½, no 1/n, and not at the new β, which needs a third product",
)
def loss_of_incoming(gd_step):
    with watched():
        for shape in SHAPES:
            rows = _rows(*shape)
            new, loss = _step(gd_step, rows.lazy_X, rows.lazy_y, rows.beta, 1e-3, rows.name)
            truth, residual = rows.loss(rows.beta), rows.X @ rows.beta - rows.y
            off = abs(loss / truth - 1)
            words = f"for {rows.name} it gave {loss:.6g}, where F(beta) = {truth:.6g}"
            require(off <= 1e-9, words, lost_digits(off) or recognised(loss, {
                "F has no ½": truth / 2,
                "F is a sum over rows, not a mean": truth / len(rows.y),
                "F is the sum of squares, not its root": np.sqrt(truth),
                "square the residuals before you sum": residual.sum(),
                "that is F at the new β: take the residual of the beta that came in": rows.loss(new),
            }))  # fmt: skip


@GD_STEP.condition(
    "the least-squares solution stays where it is",
    hint="there the residual is orthogonal to every column, Xᵀr = 0: is your gradient made of that product?",
)
def solution_is_fixed(gd_step):
    with watched():
        rows = _rows(34, (30, 10), 5)
        best, *_ = np.linalg.lstsq(rows.X, rows.y)
        new, _ = _step(gd_step, rows.lazy_X, rows.lazy_y, best, 1 / rows.curvature(), rows.name)
        moved = np.abs(new - best).max() / np.abs(best).max()
        words = f"from the solution of {rows.name} it moves by {moved:.1e} of its size"
        least = np.abs(new).max() <= 1e-9 * np.abs(best).max()
        way = "that is the gradient, or the move, which is 0 here: return beta − step · gradient" if least else None
        require(moved <= 1e-10, words, lost_digits(moved) or way)


@GD_STEP.condition(
    "it moves by step times the gradient",
    hint="compare your gradient with (F(β + h eⱼ) − F(β − h eⱼ)) / 2h, entry by entry",
)
def moves_down_the_slope(gd_step):
    with watched():
        for shape in SHAPES:
            rows = _rows(*shape)
            for share in (0.1, 1.0):
                _expect_move(gd_step, rows, share / rows.curvature(), "a number as step")


@GD_STEP.condition(
    "a step for each coordinate works too",
    hint="step * gradient multiplies entry by entry: the same line serves one number and p of them",
    errors=True,
)
def vector_step(gd_step):
    with watched():
        rows = _rows(35, (12, 9), 4)
        steps = np.array([0.1, 0.3, 0.7, 1.0]) / rows.curvature()
        _expect_move(gd_step, rows, steps, "four numbers as step")


def _expect_move(gd_step, rows, step, what):
    new, _ = _step(gd_step, rows.lazy_X, rows.lazy_y, rows.beta, step, rows.name)
    wanted = step * rows.slope(rows.beta)
    off = np.abs(rows.beta - new - wanted).max() / np.abs(wanted).max()
    along = (rows.beta - new) @ wanted / (wanted @ wanted)
    words = f"with {what}, for {rows.name}, it went {along:.3g} times as far down as step · ∇F"
    require(off <= 1e-7, f"{words}, and missed the point by {off:.1e} of the way", recognised(rows.beta - new, {
        "the square has a 2: the gradient is 2Xᵀ(Xβ − y)": wanted / 2,
        "the gradient has one 2, not two": 2 * wanted,
        "subtract step times the gradient: yours walks uphill": -wanted,
        "F is a sum over rows: do not divide by n": wanted / len(rows.y),
        "F is a sum over rows: do not divide by n; and the square has a 2": wanted / (2 * len(rows.y)),
        "multiply the gradient by step": rows.slope(rows.beta),
        "return the new β, not the move": rows.beta - wanted,
    }))  # fmt: skip


@GD_STEP.condition(
    "one compute, which reads each chunk once",
    hint="two computes share nothing: each makes every chunk again. Count chunk reads; ask for both results at once",
)
def one_compute(gd_step):
    with watched() as came:
        rows, reads = _rows(36, (40, 25, 35), 3), []
        lazy_X = da.map_blocks(lambda block: reads.append(len(block)) or block, rows.lazy_X, meta=np.empty((0, 0)))
        _step(gd_step, lazy_X, rows.lazy_y, rows.beta, 1e-3, rows.name)
    require(len(came) == 1, f"it computed {len(came)} times, and read the 3 chunks of X {len(reads)} times")
    require(len(reads) == 3, f"it read the 3 chunks of X {len(reads)} times")


@GD_STEP.condition(
    "rows stay where they are",
    hint="a cluster's rows do not fit here: multiply first, lazily, and compute what is as small as beta",
)
def rows_stay(gd_step):
    with watched() as came:
        rows = _rows(37, (300, 200), 3)
        _step(gd_step, rows.lazy_X, rows.lazy_y, rows.beta, 1e-3, rows.name)
    most = max(came, default=0)
    require(most < len(rows.y), f"for {rows.name} it brought {most:,} numbers here, where p + 1 = 4 are enough")


@GD_STEP.condition(
    "numpy rows work as well",
    hint="@, **2, .sum() and dask.compute take numpy arrays too; the method .compute() belongs to dask alone",
    errors=True,
)
def numpy_too(gd_step):
    rows = _rows(38, (11,), 3)
    new, loss = _step(gd_step, rows.X, rows.y, rows.beta, 1e-3, "numpy X and y")
    right = abs(loss - rows.loss(rows.beta)) <= 1e-9 * loss
    near = np.allclose(rows.beta - new, 1e-3 * rows.slope(rows.beta), rtol=1e-7, atol=0)
    require(right and near, "for numpy X and y it gives other numbers than for the same rows in dask arrays")


@contextmanager
def watched():
    """Count the numbers that each compute returns. They run on threads of this machine even where a cluster is open."""
    came = []

    def get(graph, keys, **options):
        results = dask.get(graph, keys)
        came.append(_numbers(results))
        return results

    with dask.config.set(scheduler=get):
        yield came


def _numbers(results):
    if isinstance(results, (list, tuple)):
        return sum(map(_numbers, results))
    return np.size(results)


# ---------------------------------------------------------------- 2. a step size that is safe


def safe_step(H):
    return 1 / np.linalg.eigvalsh(H)[-1]


SAFE_STEP = Exercise(
    name="safe_step",
    statement=(
        "H (p, p), symmetric and positive definite, is the Hessian of a quadratic. Return one number t > 0 with which "
        "gradient descent converges from everywhere: every eigenvalue of I − tH lies within (−1, 1). Whatever the "
        "units of H are; no shorter than 1/(2√p·L) and no longer than 1.98/L, L being the largest eigenvalue of H."
    ),
    stub='''
    def safe_step(H):
        """A step size with which gradient descent converges on every quadratic of Hessian H; returns one number.

        H   (p, p), symmetric and positive definite; its largest eigenvalue is L
        """
        raise NotImplementedError
    ''',
    reference=safe_step,
    hints=(
        "What does one step do to an error that lies along an eigenvector of H?",
        "It multiplies it by 1 − tλ. Every λ lies in (0, L], so the factors lie within (−1, 1) if 0 < t < 2/L.",
        "np.linalg.eigvalsh(H) has the eigenvalues in ascending order: 1 over the last one.",
    ),
)


def quadratic(seed, values):
    """A Hessian with these eigenvalues and random eigenvectors, and the eigenvectors as columns."""
    V, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(values), len(values))))
    H = (V * np.asarray(values, dtype=float)) @ V.T
    return (H + H.T) / 2, V


SPECTRA = {  # eigenvalues of H
    "κ = 40": np.geomspace(1, 40, 6),
    "one steep direction": np.array([1.0, 1, 1, 1, 25]),
    "one flat direction": np.array([1.0, 25, 25, 25]),
    "κ = 1000": np.array([1.0, 1000.0]),
    "all alike": np.full(30, 2.0),
    "p = 1": np.array([3.0]),
}


def _size(safe_step, H, name):
    return one_number(safe_step(H), f"for {name}", hint=None)


@SAFE_STEP.condition(
    "one number, for all directions at once",
    hint="singular values belong to directions, not to coordinates: rotate the columns, and entry j of s means another",
)
def one_step_size(safe_step):
    for seed, (name, values) in enumerate(SPECTRA.items(), 41):
        _size(safe_step, quadratic(seed, values)[0], name)


@SAFE_STEP.condition(
    "every direction shrinks",
    hint="the steepest direction decides: its factor 1 − tL must stay above −1. L is the largest eigenvalue "
    "of H, which neither the diagonal nor a root shows",
)
def contracts(safe_step):
    for seed, (name, values) in enumerate(SPECTRA.items(), 51):
        for basis in ("its axes", "a random basis"):
            H = np.diag(values[::-1]) if basis == "its axes" else quadratic(seed, values)[0]
            _expect_shrinking(_size(safe_step, H, name), values, f"{name}, in {basis}")


def _expect_shrinking(t, values, name):
    factors, L = 1 - t * values, values.max()
    worst = values[np.argmax(np.abs(factors))]
    words = f"for {name} it gave t = {t:.3g}: a direction of curvature λ = {worst:.3g} is multiplied by"
    require(np.abs(factors).max() < 1 - 1e-13, f"{words} {1 - t * worst:.4g}", lambda: recognised(t, {
        "a step size is one over a curvature": L,
        "a step size is one over a curvature, not over its root": L**-0.5,
        "downhill is −t times the gradient with t > 0": -1 / L,
        "eigvalsh sorts the eigenvalues in ascending order: the last one is L": 1 / values.min(),
        "at 2/L the steepest direction keeps its size: t must be less": 2 / L,
    }))  # fmt: skip


@SAFE_STEP.condition(
    "as safe for a hundred million rows",
    hint="where n = 1e8, L ≈ 2n and 1/L = 5e-9: no constant is small beside that. t is a factor times 1/L, and a "
    "safety factor must be relative",
)
def many_rows(safe_step):
    for n in (1e8, 5e11):
        values = 2 * n * np.linspace(0.9, 1.1, 5)
        _expect_shrinking(_size(safe_step, quadratic(61, values)[0], f"n = {n:.0e}"), values, f"n = {n:.0e}")


@SAFE_STEP.condition(
    "H in other units, the step in the inverse units",
    hint="a step is a length squared per loss: where H is multiplied by c, t must be divided by c. Which constant of "
    "yours has no unit?",
)
def inverse_units(safe_step):
    H, _ = quadratic(71, SPECTRA["κ = 40"])
    first = _size(safe_step, H, "H")
    for c in (2.0**30, 2.0**-30):  # powers of two: multiplication is exact
        scaled = _size(safe_step, c * H, f"{c:.3g} · H")
        words = f"t = {first:.3g} for H, but t = {scaled:.3g} for {c:.3g} · H"
        require(abs(c * scaled - first) <= 1e-9 * first, f"{words}, where {first / c:.3g} is needed")


@SAFE_STEP.condition(
    "not on the edge",
    hint="near 2/L the steepest direction keeps its size, up to its sign, for thousands of iterations: at most 1.98/L",
)
def not_on_the_edge(safe_step):
    for seed, (name, values) in enumerate(SPECTRA.items(), 81):
        t, L = _size(safe_step, quadratic(seed, values)[0], name), values.max()
        require(t * L <= 1.98 * (1 + 1e-9), f"for {name} it gave t = {t * L:.6g}/L")


@SAFE_STEP.condition(
    "not needlessly short",
    hint="t is far too short, and 1/L itself is safe: no small factor and no 1/p belongs before it. The trace is the "
    "sum of all p eigenvalues, and may be p times the largest: what tells L itself?",
)
def not_short(safe_step):
    for seed, (name, values) in enumerate(SPECTRA.items(), 81):
        t, L, p = _size(safe_step, quadratic(seed, values)[0], name), values.max(), len(values)
        words = f"for {name} it gave t = {t * L:.2g}/L, where p = {p}"
        require(t >= (1 - 1e-9) / (2 * np.sqrt(p) * L), f"{words}: shorter than 1/(2√p·L)")
