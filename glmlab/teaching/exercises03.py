"""The exercises of notebook 03: one lazy gradient step, a safe step size, a first certificate."""

from contextlib import contextmanager
from numbers import Real
from typing import NamedTuple

import dask
import dask.array as da
import numpy as np

from .exercise import Exercise, Wrong, require
from .guard import Broken, short

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
        """beta − step · ∇F(beta), a numpy array (p,), and the number F(beta), by one dask.compute."""
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
    answer = gd_step(X, y, beta, step)
    pair = isinstance(answer, (tuple, list)) and len(answer) == 2
    require(pair, f"for {name} it returned {short(answer)}; two results are needed: new beta, loss")
    for what, value, ndim in (("new beta", answer[0], 1), ("the loss", answer[1], 0)):
        lazy = hasattr(value, "__dask_graph__")
        require(not lazy, f"for {name} {what} is still lazy ({type(value).__name__}): who computes it?")
        kind = ("one number", "an array (p,)")[ndim]
        require(np.ndim(value) == ndim, f"for {name} {what} is {short(value)}; {kind} is needed")
    new, loss = np.asarray(answer[0], dtype=float), float(answer[1])
    require(new.shape == beta.shape, f"for {name} new beta has shape {new.shape}, where {beta.shape} is needed")
    return new, loss


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
            _, loss = _step(gd_step, rows.lazy_X, rows.lazy_y, rows.beta, 1e-3, rows.name)
            truth = rows.loss(rows.beta)
            words = f"for {rows.name} it gave {loss:.6g}, where F(beta) = {truth:.6g}"
            require(abs(loss - truth) <= 1e-9 * truth, words)


@GD_STEP.condition(
    "the least-squares solution stays where it is",
    hint="there the residual is orthogonal to every column, Xᵀr = 0: is your gradient made of that product?",
)
def solution_is_fixed(gd_step):
    with watched():
        rows = _rows(34, (30, 10), 5)
        best, *_ = np.linalg.lstsq(rows.X, rows.y)
        new, _ = _step(gd_step, rows.lazy_X, rows.lazy_y, best, 1 / rows.curvature(), rows.name)
        moved = np.abs(new - best).max()
        require(moved <= 1e-10 * np.abs(best).max(), f"from the solution of {rows.name} it moves by {moved:.1e}")


@GD_STEP.condition(
    "it moves by step times the gradient",
    hint="compare your gradient with (F(β + h eⱼ) − F(β − h eⱼ)) / 2h: the 2 of the square, and downhill",
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
    require(off <= 1e-7, f"{words}, and missed the point by {off:.1e} of the way")


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
)
def numpy_too(gd_step):
    rows = _rows(38, (11,), 3)
    try:
        new, loss = _step(gd_step, rows.X, rows.y, rows.beta, 1e-3, "numpy X and y")
    except Broken as broken:  # an error shows the misunderstanding: give the hint
        raise Wrong(str(broken)) from None
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
        "units of H are; and no shorter than 1/(2pL), L being the largest eigenvalue of H."
    ),
    stub='''
    def safe_step(H):
        """A step size, one number, with which gradient descent converges on every quadratic of Hessian H (p, p)."""
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


# eigenvalues: κ = 40 evenly spaced, one steep direction, one flat direction, all equal, p = 1
SPECTRA = {
    "κ = 40": np.geomspace(1, 40, 6),
    "one steep direction": np.array([1.0, 1, 1, 1, 25]),
    "one flat direction": np.array([1.0, 25, 25, 25]),
    "all alike": np.full(3, 2.0),
    "p = 1": np.array([3.0]),
}


def _size(safe_step, H, name):
    t = safe_step(H)
    require(np.ndim(t) == 0, f"for {name} it returned {short(t)}; one number is needed, for all directions at once")
    t = t.item() if hasattr(t, "item") else t
    require(isinstance(t, Real), f"for {name} it returned a {type(t).__name__}, not a number")
    return float(t)


@SAFE_STEP.condition(
    "one number",
    hint="singular values belong to directions, not to coordinates: rotate the columns, and entry j of s means another",
)
def one_number(safe_step):
    for seed, (name, values) in enumerate(SPECTRA.items(), 41):
        _size(safe_step, quadratic(seed, values)[0], name)


@SAFE_STEP.condition(
    "every direction shrinks",
    hint="the steepest direction decides: its factor 1 − tL must stay above −1. The diagonal does not show L",
)
def contracts(safe_step):
    for seed, (name, values) in enumerate(SPECTRA.items(), 51):
        for basis in ("its axes", "a random basis"):
            H = np.diag(values[::-1]) if basis == "its axes" else quadratic(seed, values)[0]
            _expect_shrinking(_size(safe_step, H, name), values, f"{name}, in {basis}")


def _expect_shrinking(t, values, name):
    factors = 1 - t * values
    worst = values[np.argmax(np.abs(factors))]
    words = f"for {name} it gave t = {t:.3g}: a direction of curvature λ = {worst:.3g} is multiplied by"
    require(np.abs(factors).max() < 1 - 1e-13, f"{words} {1 - t * worst:.4g}")


@SAFE_STEP.condition(
    "as safe for a hundred million rows",
    hint="1e-8 is small beside 1/L when n = 1e6. Try n = 1e8, where L ≈ 2n: a safety factor must be relative",
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


@SAFE_STEP.condition("not needlessly short", hint="safe and slow: how long may t be? The largest eigenvalue decides")
def not_short(safe_step):
    for seed, (name, values) in enumerate(SPECTRA.items(), 81):
        t, L = _size(safe_step, quadratic(seed, values)[0], name), values.max()
        words = f"for {name} it gave t = {t * L:.2g}/L, where p = {len(values)}"
        require(t >= (1 - 1e-9) / (2 * len(values) * L), f"{words}: shorter than 1/(2pL)")


# ---------------------------------------------------------------- 3. a first certificate


def smooth_bound(g, mu):
    return g @ g / (2 * mu)


SMOOTH_BOUND = Exercise(
    name="smooth_bound",
    statement=(
        "g (p,) is the gradient of F at some β, mu > 0 the smallest eigenvalue of its Hessian H. Return a number that "
        "F(β) − F* cannot exceed, whatever β is, and at most about twice the gap where H is flattest."
    ),
    stub='''
    def smooth_bound(g, mu):
        """A number that F(β) − F* cannot exceed, from g = ∇F(β) (p,) and the smallest curvature mu."""
        raise NotImplementedError
    ''',
    reference=smooth_bound,
    hints=(
        "The parabola F(β) + gᵀd + (μ/2)‖d‖² lies below F(β + d) for every d. What is its lowest value?",
        "It is lowest at d = −g/μ. F* cannot lie below that lowest value.",
        "There it is F(β) − ‖g‖²/2μ; so the gap is at most g @ g / (2 * mu).",
    ),
)

KAPPA = 30.0
CURVES = {p: np.geomspace(0.7, 0.7 * KAPPA, p) if p > 1 else np.array([0.7]) for p in (1, 2, 7)}


def _bound(smooth_bound, g, mu, name):
    bound = smooth_bound(g, mu)
    require(np.ndim(bound) == 0, f"{name} it returned {short(bound)}; one number is needed")
    bound = bound.item() if hasattr(bound, "item") else bound
    require(isinstance(bound, Real), f"{name} it returned a {type(bound).__name__}, not a number")
    return float(bound)


def _gap(H, e):
    """F(β* + e) − F* = ½eᵀHe."""
    return float(e @ H @ e / 2)


@SMOOTH_BOUND.condition(
    "the gap never exceeds it",
    hint="look at the flattest direction: an error e there has g = μe, small for its gap μ‖e‖²/2. Which curvature "
    "is the right one to divide by?",
)
def holds_everywhere(smooth_bound):
    for p, values in CURVES.items():
        H, V = quadratic(90 + p, values)
        rng = np.random.default_rng(100 + p)
        anywhere = rng.normal(size=(20, p)) * 10.0 ** rng.integers(-4, 4, size=(20, 1))
        for length in (1.0, 1e-3, 1e4):
            _expect_bound(smooth_bound, H, length * V[:, 0], values[0], "along the flattest direction")
        for e in np.concatenate([V[:, -1:].T, anywhere]):
            _expect_bound(smooth_bound, H, e, values[0], "at some β")


def _expect_bound(smooth_bound, H, e, mu, where):
    bound, gap = _bound(smooth_bound, H @ e, mu, where), _gap(H, e)
    require(bound >= gap * (1 - 1e-9), f"{where} the gap is {gap:.3g}, and it claims at most {bound:.3g}")


@SMOOTH_BOUND.condition(
    "grows like the square of g",
    hint="scale y by c, and β with it: F is c² times as large, but its gradient only c times",
)
def quadratic_in_g(smooth_bound):
    g = np.array([0.3, -1.2, 0.5])
    first = _bound(smooth_bound, g, 0.7, "for g")
    for c in (-1.0, 1e3, 1e-3):
        other = _bound(smooth_bound, c * g, 0.7, f"for {c:g} · g")
        words = f"{first:.3g} for g, but {other:.3g} for {c:g} · g"
        require(abs(other - c**2 * first) <= 1e-9 * c**2 * first, f"{words}, where {c**2 * first:.3g} is needed")


@SMOOTH_BOUND.condition(
    "zero where g is zero, and only there",
    hint="g = 0 proves β optimal: nothing may be added, and nothing small rounded away",
)
def zero_iff_stationary(smooth_bound):
    at_optimum = _bound(smooth_bound, np.zeros(3), 0.7, "for g = 0")
    require(at_optimum == 0, f"g = 0 means that β is optimal, and it claims only {at_optimum:.3g}")
    beside = _bound(smooth_bound, np.array([0.0, 1e-9, 0.0]), 0.7, "for a tiny g")
    require(beside > 0, "for a g that is not zero it claims a gap of 0")


@SMOOTH_BOUND.condition(
    "at most about twice the gap where F is flattest",
    hint="where does the parabola have its lowest point? Insert d = −g/μ; no other factor is needed",
)
def sharp_where_flat(smooth_bound):
    for p, values in CURVES.items():
        H, V = quadratic(120 + p, values)
        e = 3.0 * V[:, 0]
        ratio = _bound(smooth_bound, H @ e, values[0], "along the flattest direction") / _gap(H, e)
        require(ratio <= 2.1, f"along the flattest direction it claims {ratio:.3g} times the gap")
