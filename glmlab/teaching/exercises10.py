"""Exercises of notebook 10: one step after the mean of the chunks' answers, and the rows of a pilot."""

from typing import NamedTuple

import numpy as np

from .exercise import Exercise, recognised, require
from .guard import an_array, short

# ---------------------------------------------------------------- 1. the mean, then one step


def one_step(betas, n_k, grad, hess):
    heard = ~np.isnan(betas).any(axis=1)
    beta = np.average(betas[heard], axis=0, weights=n_k[heard])
    return beta - np.linalg.solve(hess(beta), grad(beta))


ONE_STEP = Exercise(
    name="one_step",
    statement=(
        "betas (K, p) holds the minimisers of K chunks, each of its own rows, and n_k (K,) their numbers of rows. A "
        "chunk that has no minimiser has nan in its row of betas: leave it out. grad(b) (p,) and hess(b) (p, p) are "
        "∇F and ∇²F of all rows at b, and cost a pass. Take the mean of the minimisers, weighted by rows, and "
        "return it after one step of Newton's method on all rows."
    ),
    stub='''
    def one_step(betas, n_k, grad, hess):
        """The mean of the chunks' minimisers, weighted by rows, after one Newton step on all rows (p,)."""
        raise NotImplementedError
    ''',
    reference=one_step,
    hints=(
        "Two moves: a weighted mean over chunks, then one step. At which point do you need ∇F and ∇²F?",
        "np.average(…, axis=0, weights=…) of the rows without nan; at that point solve hess·d = −grad.",
        "heard = ~np.isnan(betas).any(axis=1); b = np.average(betas[heard], axis=0, weights=n_k[heard]); "
        "return b - np.linalg.solve(hess(b), grad(b))",
    ),
)


class Chunked(NamedTuple):
    """What chunks found, and F of all rows."""

    betas: np.ndarray  # (K, p)
    n_k: np.ndarray  # (K,)
    grad: object  # b ↦ ∇F(b)
    hess: object  # b ↦ ∇²F(b)
    best: np.ndarray  # (p,) the minimiser of F


class Asked:
    """A function of b that remembers where it was asked."""

    def __init__(self, function, name):
        self.function, self.__name__, self.points = function, name, []

    def __call__(self, b):
        self.points.append(np.array(b, dtype=float))
        return self.function(np.asarray(b, dtype=float))

    def __dask_tokenize__(self):
        return id(self)  # what it remembers is no change of what was given


def _rows(seed, n, p):
    """Columns of three sizes, so that the condition number is no accident, and a β."""
    rng = np.random.default_rng(seed)
    return rng, rng.normal(size=(n, p)) * np.geomspace(4, 1, p), rng.normal(size=p)


def _least_squares(seed, K, p):
    rng, X, best = _rows(seed, 30 * p, p)
    H = 2 * X.T @ X
    return Chunked(best + rng.normal(size=(K, p)), rng.integers(1, 400, K), lambda b: H @ (b - best), lambda b: H, best)


def _logistic(seed, K, p, off=0.15):
    """Logistic regression with the ridge ½‖b‖²; the chunks' answers lie `off` apart from its minimiser."""
    rng, X, true = _rows(seed, 400, p)
    X /= 2
    y = (rng.random(400) < 1 / (1 + np.exp(-X @ true))).astype(float)

    def grad(b):
        return X.T @ (1 / (1 + np.exp(-X @ b)) - y) + b

    def hess(b):
        mu = 1 / (1 + np.exp(-X @ b))
        return X.T @ ((mu * (1 - mu))[:, None] * X) + np.eye(p)

    best = np.zeros(p)
    for _ in range(30):
        best = best - np.linalg.solve(hess(best), grad(best))
    away = rng.normal(size=(K, p)) + rng.choice([-1.0, 1.0], p)  # a bias that all chunks share
    return Chunked(best + off * away, rng.integers(1, 400, K), grad, hess, best)


SIZES = ((101, 5, 3), (102, 1, 1), (103, 100, 4), (104, 2, 1))


def _stepped(one_step, given, where):
    """The answer (p,), and the points at which grad and hess were asked."""
    grad, hess = Asked(given.grad, "grad"), Asked(given.hess, "hess")
    found = one_step(given.betas.copy(), given.n_k.copy(), grad, hess)
    alone = isinstance(found, np.ndarray) and np.isnan(found).any()
    require(not alone, f"{where} it returned nan", "nan in a row of betas says that this chunk has no answer: leave "
            "out the row, and its weight")  # fmt: skip
    return an_array(found, given.best.shape, f"{where} it returned"), grad.points, hess.points


def _step_mistake(found, given):
    """The hint of the mistake that leads to this answer, None for an unknown one."""
    mean, plain = np.average(given.betas, axis=0, weights=given.n_k), given.betas.mean(axis=0)
    g, H = given.grad(mean), given.hess(mean)

    def newton(b):
        return b - np.linalg.solve(given.hess(b), given.grad(b))

    bias = "a mean keeps the bias that chunks share, be they a hundred: the step is missing"
    return recognised(found, {
        bias: mean,
        f"{bias}; and a chunk counts by its rows": plain,
        "the step goes downhill: subtract it from the mean": mean + np.linalg.solve(H, g),
        "return the new point: the mean minus the step, not the step alone": np.linalg.solve(H, g),
        "that is −step: add it to the mean": -np.linalg.solve(H, g),
        "a slope is no step: solve hess·d = grad": mean - g,
        "solve with the Hessian, do not multiply by it": mean - H @ g,
        "the Hessian is a matrix: its diagonal alone forgets that columns go together": mean - g / np.diag(H),
        "ask for the Hessian at the mean: that at 0 belongs to another point":
            mean - np.linalg.solve(given.hess(np.zeros_like(mean)), g),
        "ask for the gradient at the mean: that at 0 belongs to another point":
            mean - np.linalg.solve(H, given.grad(np.zeros_like(mean))),
        "a chunk counts by its rows: np.average with weights=n_k": newton(plain),
    })  # fmt: skip


@ONE_STEP.condition(
    "p numbers", hint="the mean over chunks is axis 0 of betas; ∇F is (p,), ∇²F is (p, p), also for p = 1", errors=True
)
def p_numbers(one_step):
    for size in SIZES:
        _stepped(one_step, _least_squares(*size), f"for betas {size[1:]}")


@ONE_STEP.condition(
    "least squares are solved exactly",
    hint="F is its own quadratic model: from any point one Newton step on all rows leads to the minimiser",
)
def exact(one_step):
    for size in SIZES:
        given = _least_squares(*size)
        found, *_ = _stepped(one_step, given, f"for betas {size[1:]}")
        off, was = np.abs(found - given.best).max(), np.abs(given.betas - given.best).max()
        words = f"for least squares and betas {size[1:]} it is {off:.2g} off the minimiser"
        require(off <= 1e-8 * was, words, lambda found=found, given=given: _step_mistake(found, given))


@ONE_STEP.condition(
    "half the error of the mean leaves a quarter",
    hint="Newton's method squares an error: that needs ∇F and ∇²F of all rows at the mean itself",
)
def squares(one_step):
    for seed, K, p in ((111, 5, 3), (112, 40, 4), (113, 1, 2)):
        far, near = (_logistic(seed, K, p, off) for off in (0.1, 0.05))
        found = [_stepped(one_step, given, f"for betas {(K, p)}")[0] for given in (far, near)]
        before, after = (np.linalg.norm(b - far.best) for b in found)
        words = f"logistic regression, {K} chunks: it is {before:.2g} off, and with answers half as far off {after:.2g}"
        require(after <= 0.4 * before, words, lambda found=found, far=far: _step_mistake(found[0], far))


@ONE_STEP.condition(
    "one pass over all rows",
    hint="ask grad and hess once each, both at the mean: each further point costs a pass more",
)
def one_pass_only(one_step):
    for seed, K, p in ((121, 5, 3), (122, 8, 1)):
        given = _logistic(seed, K, p)
        _, slopes, curves = _stepped(one_step, given, f"for betas {(K, p)}")
        points = np.unique(np.round([*slopes, *curves], 12), axis=0)
        several = "average first, then step: a step from every chunk's answer costs K passes"
        words = f"{K} chunks: grad was asked {len(slopes)} times and hess {len(curves)} times, at {len(points)} points"
        require(len(points) <= 1, words, several if len(points) >= K else None)


@ONE_STEP.condition(
    "rows count, not chunks",
    hint="cut a chunk in two that give the same answer, and nothing may change: np.average with weights=n_k",
)
def rows_count(one_step):
    given = _logistic(131, 2, 3, off=0.6)
    whole = given._replace(n_k=np.array([300, 100]))
    cut = given._replace(betas=given.betas[[0, 1, 1]], n_k=np.array([300, 60, 40]))
    (one, *_), (two, *_) = (_stepped(one_step, case, f"for {len(case.n_k)} chunks") for case in (whole, cut))
    words = f"a chunk of 100 rows that is cut into 60 and 40 moves the answer by {np.abs(one - two).max():.2g}"
    require(np.allclose(one, two, rtol=1e-8, atol=1e-10), words)


@ONE_STEP.condition(
    "chunks without an answer are left out",
    hint="sorted by label, chunks of one class have no minimiser: leave out their rows of betas and their n_k",
    errors=True,
)
def left_out(one_step):
    for seed, silent in ((141, [2]), (142, [0, 1, 3, 4]), (143, [4, 0])):
        given = _logistic(seed, 5, 3, off=0.6)
        kept = np.setdiff1d(np.arange(5), silent)
        betas = given.betas.copy()
        betas[silent] = np.nan
        where = f"with nan for {len(silent)} of 5 chunks"
        found, *_ = _stepped(one_step, given._replace(betas=betas), where)
        rest, *_ = _stepped(one_step, given._replace(betas=given.betas[kept], n_k=given.n_k[kept]), "without them")
        words = f"{where} the answer is {np.abs(found - rest).max():.2g} away from that of the others alone"
        require(np.allclose(found, rest, rtol=1e-8, atol=1e-10), words)


# ---------------------------------------------------------------- 2. the rows of a pilot


def pilot(lengths, m, seed):
    rng, drawn = np.random.default_rng(seed), []
    for length in lengths:
        count = round(m * length / sum(lengths))
        places = np.arange(count) + rng.random()  # a step of length/count, from a random offset
        drawn.append((places * length / max(count, 1)).astype(int))
    return drawn


PILOT = Exercise(
    name="pilot",
    statement=(
        "Chunks have `lengths` rows. Draw m rows of them all for a pilot: from each chunk its share m·n_k/n, rounded "
        "up or down, no row twice, and such that a sorted chunk shows both of its ends. Return a list with an array of "
        "row numbers for each chunk, 0 being its first row. The same seed draws the same rows, another seed others."
    ),
    stub='''
    def pilot(lengths, m, seed):
        """The numbers of about m rows, a list with one array for each chunk."""
        raise NotImplementedError
    ''',
    reference=pilot,
    hints=(
        "How many rows does a chunk of n_k owe to a draw of m from n? And which of its rows, if it may be sorted?",
        "Every (n_k/count)-th row from a random offset, or rng.choice(n_k, count, replace=False).",
        "rng = np.random.default_rng(seed); in each chunk count = round(m * n_k / n); rows = "
        "rng.choice(n_k, count, replace=False)",
    ),
)

# lengths, m
DRAWS = (
    ((1000, 1000, 1000, 1000), 400), ((900, 60, 300, 740), 500), ((700,), 90), ((4, 2000, 1), 300), ((60, 50), 110),
    ((800,) * 12, 1000),
)  # fmt: skip


def _drawn(pilot, lengths, m, seed):
    """The row numbers as K arrays, if they are such."""
    found, where = pilot(lengths, m, seed), f"pilot({lengths}, {m}, {seed})"
    each = isinstance(found, (list, tuple)) and len(found) == len(lengths)
    words = f"{where} is {short(found)}; a list of {len(lengths)} arrays is needed"
    require(each, words, "append one array for each chunk to a list")
    parts = [np.asarray(rows) for rows in found]
    for k, (rows, length) in enumerate(zip(parts, lengths, strict=True)):
        whole = rows.ndim == 1 and (rows.dtype.kind in "iu" or not rows.size)
        words = f"{where}: chunk {k} has {short(found[k])} of {rows.dtype}; whole numbers are needed, one for each row"
        mask = "a mask says yes or no for every row: np.flatnonzero(mask) gives the numbers"
        require(whole, words, mask if rows.dtype == bool else None)
        outside = rows[(rows < 0) | (rows >= length)] if rows.size else rows
        words = f"{where}: chunk {k} has rows 0 to {length - 1}, and it drew {short(outside.tolist())}"
        require(not outside.size, words, "row numbers begin at 0 in every chunk")
    return parts


@PILOT.condition(
    "row numbers, chunk by chunk",
    hint="one array of whole numbers from 0 to n_k − 1 for each chunk; it may be empty",
    errors=True,
)
def numbers(pilot):
    for lengths, m in DRAWS:
        _drawn(pilot, lengths, m, 0)


@PILOT.condition(
    "each chunk its share",
    hint="m·n_k/n rows of chunk k, rounded. A draw from all n rows at once gives that on average only",
)
def shares(pilot):
    for lengths, m in DRAWS:
        for seed in (1, 2):
            counts = np.array([len(rows) for rows in _drawn(pilot, lengths, m, seed)])
            share = m * np.array(lengths) / sum(lengths)
            worst = np.abs(counts - share).argmax()
            words = f"lengths {lengths}, m = {m}: of chunk {worst} it drew {counts[worst]} rows; its share is "
            words += f"{share[worst]:.1f}"
            near = abs(counts[worst] - share[worst]) <= 1 + 1e-9
            require(near, words, lambda counts=counts, lengths=lengths, m=m: _share_mistake(counts, lengths, m))


def _share_mistake(counts, lengths, m):
    lengths, K = np.array(lengths), len(lengths)
    if K > 1 and np.all(np.abs(counts - np.minimum(lengths, m / K)) <= 1):
        return "the same number from each chunk makes the rows of a short chunk count too much: m·n_k/n"
    if np.all(counts == np.minimum(lengths, m)):
        return "m is the number of rows of all chunks together: each gives its share m·n_k/n"
    return None


@PILOT.condition("no row twice", hint="a row that is drawn twice counts twice: draw without replacement")
def no_repeats(pilot):
    for lengths, m in DRAWS:
        for seed in (3, 4):
            for k, rows in enumerate(_drawn(pilot, lengths, m, seed)):
                twice = len(rows) - len(np.unique(rows))
                words = f"lengths {lengths}, m = {m}, seed {seed}: {twice} of {len(rows)} rows of chunk {k} are repeats"
                require(twice == 0, words)


@PILOT.condition(
    "a draw shows all of a chunk",
    hint="rows may be sorted, and then the first ones are of one kind: spread the draw over the chunk",
)
def spread(pilot):
    for lengths, m in DRAWS:
        for seed in (5, 6, 7):
            for k, rows in enumerate(_drawn(pilot, lengths, m, seed)):
                hit = np.bincount(3 * rows // lengths[k], minlength=3) if len(rows) >= 60 else np.ones(3)
                words = f"of {lengths[k]} rows of chunk {k} it drew {hit[0]:.0f} from the first third, {hit[1]:.0f} "
                words += f"from the second and {hit[2]:.0f} from the last"
                require(np.all(hit > 0), words)


@PILOT.condition(
    "the seed decides",
    hint="np.random.default_rng(seed) draws the same for the same seed, and for another seed something else",
)
def seeded(pilot):
    for lengths, m in DRAWS[:4]:
        first, again, *others = (
            [rows.tolist() for rows in _drawn(pilot, lengths, m, seed)] for seed in (8, 8, 9, 10, 11, 12)
        )
        require(first == again, f"lengths {lengths}, m = {m}: seed 8 drew other rows the second time")
        words = f"lengths {lengths}, m = {m}: seeds 8 to 12 draw the same rows"
        require(any(first != other for other in others), words)


@PILOT.condition(
    "every row has its turn",
    hint="over many seeds each row must occur, the last ones of a chunk, too: where do your numbers end?",
)
def every_row(pilot):
    lengths, m = (10, 31), 12
    seen = [set(), set()]
    for seed in range(120):
        for found, rows in zip(seen, _drawn(pilot, lengths, m, seed), strict=True):
            found.update(rows.tolist())
    for k, (found, length) in enumerate(zip(seen, lengths, strict=True)):
        never = sorted(set(range(length)) - found)
        require(not never, f"lengths {lengths}, m = {m}, 120 seeds: of chunk {k} the rows {never} were never drawn")
