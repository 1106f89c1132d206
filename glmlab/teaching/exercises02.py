"""Exercises of notebook 02: two sums over blocks, QR by blocks."""

import numpy as np
from dask.base import tokenize

from .exercise import Exercise, recognised, require
from .exercises00 import peak
from .guard import ARRAYS, FLOAT64, an_array, short, two

EPS = np.finfo(float).eps

# ---------------------------------------------------------------- 1. two sums over blocks


def gram(blocks):
    G, c = 0.0, 0.0
    for X, y in blocks:
        G = G + X.T @ X
        c = c + X.T @ y
    return G, c


GRAM = Exercise(
    name="gram",
    statement=(
        "blocks yields pairs (X_k, y_k), the row chunks of X (n, p) and of y (n,), not all equally long. Return "
        "G = XᵀX and c = Xᵀy. Reading a block is what costs: read each once, and hold one at a time."
    ),
    stub='''
    def gram(blocks):
        """G = XᵀX (p, p) and c = Xᵀy (p,), from one reading of the chunks.

        blocks   an iterable of pairs X_k (n_k, p) and y_k (n_k,); the n_k may differ
        """
        raise NotImplementedError
    ''',
    reference=gram,
    hints=(
        "What does one row x, with its y, contribute to XᵀX and to Xᵀy?",
        "A row contributes x xᵀ and y x; so a block contributes X_kᵀX_k and X_kᵀy_k, and blocks are added.",
        "G, c = 0, 0; then, in one loop over blocks: G = G + X.T @ X and c = c + X.T @ y.",
    ),
)


class Blocks:
    """Pairs (X_k, y_k) that are made when they are asked for, as if read from a disk; `reads` counts how often."""

    def __init__(self, pairs, reads=None):
        self.pairs, self.reads = pairs, [] if reads is None else reads

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, k):
        if isinstance(k, slice):
            return Blocks(self.pairs[k], self.reads)
        X, y = self.pairs[k]
        self.reads.append(k)
        return X.copy(), y.copy()

    def __iter__(self):
        return (self[k] for k in range(len(self)))

    def __repr__(self):
        return f"{len(self)} blocks"

    def __dask_tokenize__(self):  # the count of reads does not change the blocks
        return tokenize(self.pairs)


def _pairs(seed, *lengths, p=4):
    """Blocks of correlated columns, with means far from 0 and norms from 1 to 100."""
    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(p, p)) * np.geomspace(1, 100, p)
    return [(rng.normal(1, 1, size=(n, p)) @ mix, rng.normal(3, 5, size=n)) for n in lengths]


def _sums(gram, pairs):
    """The reader's G and c, if they have the right shapes."""
    p, given = pairs[0][0].shape[1], f"for {len(pairs)} block{'s' * (len(pairs) > 1)}"
    G, c = two(gram(pairs), "G, c", given)
    swapped = np.shape(G) == (p,) and np.shape(c) == (p, p)
    require(not swapped, f"{given} G is {short(G)} and c is {short(c)}", "G comes first: return G, c")
    summed = None if isinstance(G, np.ndarray) else ARRAYS  # the condition's own hint explains a wrong shape
    return an_array(G, (p, p), f"{given} G is", hint=summed), an_array(c, (p,), f"{given} c is")


def _one_block(gram, n, p, within):
    """Require uᵀGv = (Xu)ᵀ(Xv) and vᵀc = (Xv)ᵀy for directions u and v; no entry of G is compared with ours."""
    [(X, y)] = _pairs(31, n, p=p)
    G, c = _sums(gram, [(X, y)])
    rng = np.random.default_rng(32)
    for _ in range(3):
        u, v = rng.normal(size=(2, p)) / np.geomspace(1, 100, p)
        sizes = np.abs(X @ u) @ np.abs(X @ v), np.abs(X @ v) @ np.abs(y)
        for got, truth, size, what in (
            (u @ G @ v, (X @ u) @ (X @ v), sizes[0], "uᵀGv is {:.6g}, where (Xu)ᵀ(Xv) is {:.6g}"),
            (v @ c, (X @ v) @ y, sizes[1], "vᵀc is {:.6g}, where (Xv)ᵀy is {:.6g}"),
        ):
            off = abs(got - truth) / size
            words = f"for one block ({n}, {p}) {what.format(got, truth)} (relative difference {off:.1e})"
            require(off <= within, words, recognised(got, {
                "a factor 2 too many: 2XᵀX is the Hessian of ‖y − Xβ‖², the normal equations need no 2": 2 * truth,
                "its sign is wrong": -truth,
                "add over the rows: do not divide by their number": truth / n,
            }))  # fmt: skip


@GRAM.condition(
    "two results, G (p, p) and c (p,)",
    hint="G[i, j] sums column i times column j over the rows: rows are summed away, columns stay",
)
def shapes(gram):
    for n, p in ((7, 4), (2, 4), (5, 1)):
        _sums(gram, _pairs(30, n, p=p))


@GRAM.condition(
    "for one block vᵀGv is ‖Xv‖² and vᵀc is (Xv)ᵀy",
    hint="write down one row's share: x xᵀ in G, y x in c, with nothing subtracted, multiplied or divided",
)
def right_for_one_block(gram):
    for n, p in ((7, 4), (2, 4), (50, 3), (5, 1)):
        _one_block(gram, n, p, within=1e-4)


@GRAM.condition(
    "blocks are added",
    hint="make one block short: do blocks weigh alike? Every row counts once, so their shares are summed, not averaged",
)
def additive(gram):
    for lengths in ((7, 1), (7, 1, 4), (4, 4), (2, 90)):
        pairs = _pairs(33, *lengths)
        together, apart = _sums(gram, pairs), [_sums(gram, [pair]) for pair in pairs]
        for name, whole, parts in zip("Gc", together, zip(*apart, strict=True), strict=True):
            off = np.abs(whole - sum(parts)).max() / np.abs(sum(parts)).max()
            words = f"for blocks of {', '.join(map(str, lengths))} rows the largest entry of {name} is"
            sizes = f"{np.abs(whole).max():.4g}, where the blocks' own {name} sum to {np.abs(sum(parts)).max():.4g}"
            require(off <= 1e-4, f"{words} {sizes}", recognised(whole, {
                "only the last block is left: add to the sums, do not replace them": parts[-1],
                "only the first block counts: does return stand inside of the loop?": parts[0],
                "the first block is left out": sum(parts[1:]),
                "the first block counts twice": sum(parts) + parts[0],
            }))  # fmt: skip


@GRAM.condition("to all the digits of float64", hint=f"the sums are right, their precision is not: {FLOAT64}")
def all_digits(gram):
    _one_block(gram, 300, 4, within=1e-12)


@GRAM.condition(
    "each block is read once",
    hint="go through blocks in one loop, and take both sums of a block while it is here",
    errors=True,
)
def read_once(gram):
    blocks = Blocks(_pairs(34, 7, 1, 4, 9, 3, 5))
    gram(blocks)
    allowed = len(blocks) + 1  # one more read, to find p, is allowed
    require(len(blocks.reads) <= allowed, f"for {len(blocks)} blocks it read {len(blocks.reads)} times")


@GRAM.condition(
    "one block at a time",
    hint="concatenating, or a list of all blocks, brings all bytes to one place; keep p² + p numbers only",
    errors=True,
)
def one_block_at_a_time(gram):
    pairs = _pairs(35, *[2_000] * 40, p=5)
    blocks, each = Blocks(pairs), pairs[0][0].nbytes
    held = peak(gram, blocks)
    require(held < 12 * each, f"of 40 blocks of {each / 1e3:.0f} kB it held {held / 1e3:,.0f} kB at once")


# ---------------------------------------------------------------- 2. QR by blocks


def tsqr(Xs, ys):
    Rs, zs = [], []
    for X, y in zip(Xs, ys, strict=True):
        Q, R = np.linalg.qr(X)
        Rs.append(R)
        zs.append(Q.T @ y)
    Q, R = np.linalg.qr(np.concatenate(Rs))
    return np.linalg.solve(R, Q.T @ np.concatenate(zs))


TSQR = Exercise(
    name="tsqr",
    statement=(
        "Xs are the row chunks X_k of X (n, p), ys those of y. Return the β that minimises ‖y − Xβ‖² without "
        "forming XᵀX: by QR decompositions, one of each block and one of what they leave. Only pieces of p columns "
        "are kept, never all rows."
    ),
    stub='''
    def tsqr(Xs, ys):
        """Least squares by QR of each block, then of the stacked Rs; returns β (p,).

        Xs, ys   lists of the X_k (n_k, p) and of the y_k (n_k,)

        A Q_k is as large as X_k: hold one at a time, and keep R_k and Q_kᵀy_k only.
        """
        raise NotImplementedError
    ''',
    reference=tsqr,
    hints=(
        "With X_k = Q_k R_k, what is left of ‖y_k − X_k β‖² once an orthogonal Q_k has turned it?",
        "‖R_k β − Q_kᵀy_k‖² and a constant. The R_k stacked, with the Q_kᵀy_k, are a smaller problem of the same kind.",
        "Append R and Q.T @ y of np.linalg.qr(X) for each block; Q, R = np.linalg.qr(np.concatenate(Rs)); then "
        "np.linalg.solve(R, Q.T @ np.concatenate(zs)).",
    ),
)


def conditioned(seed, kappa, lengths, p):
    """Blocks of a matrix with condition number kappa, whose singular vectors are not the coordinate axes."""
    rng = np.random.default_rng(seed)
    U, _ = np.linalg.qr(rng.normal(size=(sum(lengths), p)))
    V, _ = np.linalg.qr(rng.normal(size=(p, p)))
    return _cut(U * np.geomspace(1, 1 / kappa, p) @ V.T, lengths)


def _cut(array, lengths):
    return np.split(array, np.cumsum(lengths)[:-1])


def _fitted(tsqr, blocks, ys):
    p = blocks[0].shape[1]
    return an_array(tsqr(blocks, ys), (p,), f"for p = {p} it returned", lists=True)


def _orthogonal(tsqr, lengths, p):
    """Require Xᵀr = 0 up to rounding, the condition for least squares."""
    blocks = conditioned(41, 30, lengths, p)
    y = np.random.default_rng(42).normal(2, 1, size=sum(lengths))
    ys = _cut(y, lengths)
    beta, X = _fitted(tsqr, blocks, ys), np.concatenate(blocks)
    r = y - X @ beta
    off = np.linalg.norm(X.T @ r) / (np.linalg.norm(X, 2) * np.linalg.norm(y))
    where = f"for blocks of {', '.join(map(str, lengths))} rows and p = {p}"
    words = f"{where} ‖Xᵀ(y − Xβ)‖ is {off:.1e} of ‖X‖ ‖y‖, where rounding leaves 1e-15"
    long = [k for k, n in enumerate(lengths) if n >= p] or [0]
    mistakes = {"blocks with fewer rows than columns count, too": np.linalg.lstsq(
        np.concatenate([blocks[k] for k in long]), np.concatenate([ys[k] for k in long]))[0]}  # fmt: skip
    require(off <= 1e-6, words, lambda: recognised(beta, (mistakes if len(long) < len(lengths) else {}) | {
        "only the first block was used": np.linalg.lstsq(blocks[0], ys[0])[0],
        "only the last block was used": np.linalg.lstsq(blocks[-1], ys[-1])[0],
        "its sign is wrong: Rβ = Qᵀy": -np.linalg.lstsq(X, y)[0],
    }))  # fmt: skip


@TSQR.condition(
    "the residual is orthogonal to every column",
    hint="R, Qᵀy and β do not add over blocks; RᵀR does. Stack the Rs and the Qᵀy; decompose the stack of Rs again, "
    "and multiply the stack of Qᵀy by the transpose of its Q",
)
def orthogonal_residual(tsqr):
    for lengths, p in (((20,), 5), ((20, 9, 14), 5), ((10, 10), 3), ((4, 3, 6), 1)):
        _orthogonal(tsqr, lengths, p)


@TSQR.condition(
    "a block may have fewer rows than columns",
    hint="the R of a block (n_k, p) with n_k < p is (n_k, p): a stack takes it, a sum or a solve of its own does not",
    errors=True,
)
def short_blocks(tsqr):
    _orthogonal(tsqr, (20, 2, 3, 1), 5)
    _orthogonal(tsqr, (2, 2, 2), 5)


@TSQR.condition(
    "at κ = 1e7 the error is at most 2 κ ε",
    hint="exact algebra is not exact arithmetic: XᵀX has condition number κ², so never multiply X by itself, nor R; "
    "and float32 has 7 digits to begin with",
    errors=True,
)
def stable(tsqr):
    kappa, lengths, p = 1e7, (300, 40, 160), 8
    for seed in (43, 44):
        blocks, beta = conditioned(seed, kappa, lengths, p), np.random.default_rng(seed).normal(size=p)
        found = _fitted(tsqr, blocks, [X @ beta for X in blocks])
        error = np.linalg.norm(found - beta) / np.linalg.norm(beta)
        words = f"at κ = 1e7 the relative error is {error:.1e}, where QR stays below 2 κ ε = {2 * kappa * EPS:.1e}"
        require(error <= 2 * kappa * EPS, words)


@TSQR.condition(
    "only pieces of p columns are kept",
    hint="keep R (p, p) and Qᵀy (p,) of each block and let its Q go: a Q is as large as its block",
)
def small_pieces(tsqr):
    blocks = conditioned(45, 30, [400] * 60, 10)
    ys = [X.sum(axis=1) for X in blocks]
    held, each = peak(tsqr, blocks, ys), blocks[0].nbytes
    require(held < 20 * each, f"of 60 blocks of {each / 1e3:.0f} kB it held {held / 1e3:,.0f} kB more at once")
