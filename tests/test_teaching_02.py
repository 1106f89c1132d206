"""The first two exercises of notebook 02: right answers written otherwise, and wrong ones with their mistakes."""

import functools

import numpy as np
import pytest
from answers import accepted, rejected
from naive import extended
from scipy.linalg import qr_multiply, solve_triangular

from glmlab.teaching import exercise

# ---------------------------------------------------------------- gram


def bordered(blocks):
    """The products of [X y] with itself hold both sums."""
    S = sum(Z.T @ Z for Z in (np.column_stack(pair) for pair in blocks))
    return S[:-1, :-1], S[:-1, -1]


def folded(blocks):
    shares = ((np.einsum("ij,ik->jk", X, X), y @ X) for X, y in blocks)
    return functools.reduce(lambda a, b: (a[0] + b[0], a[1] + b[1]), shares)


def in_place(blocks):
    p = blocks[0][0].shape[1]
    G, c = np.zeros((p, p)), np.zeros(p)
    for k in range(len(blocks)):
        X, y = blocks[k]
        G += X.T.dot(X)
        c += X.T.dot(y)
    return [G, c]


def head_and_tail(blocks):
    X, y = blocks[0]
    G, c = X.T @ X, X.T @ y
    for X, y in blocks[1:]:
        G, c = G + X.T @ X, c + X.T @ y
    return G, c


def row_by_row(blocks):
    G, c = 0, 0
    for X, y in blocks:
        for x, t in zip(X, y, strict=True):
            G, c = G + np.outer(x, x), c + t * x
    return G, c


def entry_by_entry(blocks):
    p = blocks[0][0].shape[1]
    G, c = [[0.0] * p for _ in range(p)], [0.0] * p
    for X, y in blocks:
        for i in range(p):
            c[i] += float(X[:, i] @ y)
            for j in range(p):
                G[i][j] += float(X[:, i] @ X[:, j])
    return np.array(G), np.array(c)


@pytest.mark.parametrize("right", [bordered, folded, in_place, head_and_tail, row_by_row, entry_by_entry])
def test_gram_written_otherwise(right):
    accepted("gram", right)


def averaged(blocks):
    pairs = [(X.T @ X, X.T @ y) for X, y in blocks]
    return tuple(np.mean(part, axis=0) for part in zip(*pairs, strict=True))


def mean_loss(blocks):
    shares = [(X.T @ X / len(X), X.T @ y / len(X)) for X, y in blocks]
    return tuple(sum(part) for part in zip(*shares, strict=True))


def covariance(blocks):
    shares = [((X - X.mean(0)).T @ (X - X.mean(0)), X.T @ (y - y.mean())) for X, y in blocks]
    return tuple(sum(part) for part in zip(*shares, strict=True))


def of_rows(blocks):
    return sum(X @ X.T for X, _ in blocks), sum(X.T @ y for X, y in blocks)


def last_only(blocks):
    for X, y in blocks:
        G, c = X.T @ X, X.T @ y
    return G, c


def diagonal(blocks):
    X = np.concatenate([X for X, _ in blocks])
    return np.diag((X**2).sum(axis=0)), sum(X.T @ y for X, y in blocks)


def concatenated(blocks):
    X, y = (np.concatenate(part) for part in zip(*blocks, strict=True))
    return X.T @ X, X.T @ y


def listed(blocks):
    pairs = list(blocks)
    return sum(X.T @ X for X, _ in pairs), sum(X.T @ y for X, y in pairs)


def two_loops(blocks):
    return sum(X.T @ X for X, _ in blocks), sum(X.T @ y for X, y in blocks)


def of_a_list(blocks):
    return gram_of(blocks + [])


def gram_of(pairs):
    return exercise("gram").reference(pairs)


def in_float32(blocks):
    return gram_of((X.astype(np.float32), y.astype(np.float32)) for X, y in blocks)


def with_result(change):
    """The sums, changed afterwards."""
    return lambda blocks: change(*gram_of(blocks))


def first_only(blocks):
    for X, y in blocks:
        return X.T @ X, X.T @ y


def first_twice(blocks):
    G, c = blocks[0][0].T @ blocks[0][0], blocks[0][0].T @ blocks[0][1]
    for X, y in blocks:
        G, c = G + X.T @ X, c + X.T @ y
    return G, c


def in_19_digits(blocks):
    return gram_of((X.astype(np.longdouble), y.astype(np.longdouble)) for X, y in blocks)


ONE_BLOCK, ADDED = "for one block vᵀGv is ‖Xv‖² and vᵀc is (Xv)ᵀy", "blocks are added"
SHAPES, AT_A_TIME = "two results, G (p, p) and c (p,)", "one block at a time"


@pytest.mark.parametrize(("wrong", "condition", "says"), [
    (averaged, ADDED, "not averaged"),
    (last_only, ADDED, "only the last block"),
    (first_only, ADDED, "only the first block"),
    (first_twice, ONE_BLOCK, "a factor 2"),
    (mean_loss, ONE_BLOCK, "do not divide"),
    (covariance, ONE_BLOCK, "nothing subtracted"),
    (diagonal, ONE_BLOCK, "x xᵀ in G"),
    (with_result(lambda G, c: (2 * G, 2 * c)), ONE_BLOCK, "a factor 2 too many"),
    (with_result(lambda G, c: (G, -c)), ONE_BLOCK, "its sign is wrong"),
    (with_result(lambda G, c: (np.triu(G), c)), ONE_BLOCK, "x xᵀ in G"),
    (of_rows, SHAPES, "rows are summed away"),
    (with_result(lambda G, c: (G, c[:, None])), SHAPES, "c is array (4, 1)"),
    (with_result(lambda G, c: G), SHAPES, "return G, c"),
    (with_result(lambda G, c: {"G": G, "c": c}), SHAPES, "return G, c"),
    (with_result(lambda G, c: (c, G)), SHAPES, "G comes first"),
    (with_result(lambda G, c: (G.tolist(), c.tolist())), SHAPES, "np.array(…) makes an array of a list"),
    (with_result(lambda G, c: (np.ma.asarray(G), c)), SHAPES, "a NumPy array of shape (4, 4) is needed"),
    pytest.param(in_19_digits, SHAPES, "float64 is needed", marks=extended),
    (in_float32, SHAPES, "float32 keeps 7 digits"),
    (lambda blocks: [part.astype(float) for part in in_float32(blocks)], "to all the digits of float64", "7 digits"),
    (two_loops, "each block is read once", "in one loop"),
    (of_a_list, "each block is read once", "TypeError"),
    (concatenated, AT_A_TIME, "concatenating"),
    (listed, AT_A_TIME, "a list of all blocks"),
], ids=["averaged", "last only", "first only", "first twice", "mean loss", "covariance", "diagonal", "Hessian", "sign",
        "upper half", "of rows", "a column", "one result", "dict", "swapped", "lists", "masked", "19 digits", "float32",
        "float32 inside", "two loops", "of a list", "concatenated", "listed"])
def test_gram_wrong(wrong, condition, says):
    rejected("gram", wrong, condition, says)


# ---------------------------------------------------------------- tsqr


def streamed(blocks, ys):
    """One R that takes in block after block; y rides along as a last column."""
    R = np.zeros((0, blocks[0].shape[1] + 1))
    for X, y in zip(blocks, ys, strict=True):
        R = np.linalg.qr(np.vstack([R, np.column_stack([X, y])]), mode="r")
    return np.linalg.solve(R[:-1, :-1], R[:-1, -1])


def reduced(pair):
    Q, R = np.linalg.qr(pair[0])
    return R, Q.T @ pair[1]


def in_a_tree(blocks, ys):
    pieces = [reduced(pair) for pair in zip(blocks, ys, strict=True)]
    while len(pieces) > 1:
        pieces = [reduced([np.concatenate(part) for part in zip(*pieces[i : i + 2], strict=True)])
                  for i in range(0, len(pieces), 2)]  # fmt: skip
    return np.linalg.solve(*pieces[0])


def by_svd(blocks, ys):
    Rs, zs = zip(*[reduced(pair) for pair in zip(blocks, ys, strict=True)], strict=True)
    return np.linalg.lstsq(np.vstack(Rs), np.hstack(zs), rcond=None)[0]


def by_scipy(blocks, ys):
    """Q is never formed; back substitution; a list of numbers."""
    Rs, zs = [], []
    for X, y in zip(blocks, ys, strict=True):
        z, R = qr_multiply(X, y, mode="right")
        Rs, zs = [*Rs, R], [*zs, z]
    z, R = qr_multiply(np.vstack(Rs), np.hstack(zs), mode="right")
    return solve_triangular(R, z).tolist()


def by_inverse(blocks, ys):
    R, z = in_pieces(blocks, ys)
    return np.linalg.inv(R) @ z


def in_pieces(blocks, ys):
    Rs, zs = zip(*[reduced(pair) for pair in zip(blocks, ys, strict=True)], strict=True)
    return reduced((np.concatenate(Rs), np.concatenate(zs)))


@pytest.mark.parametrize("right", [streamed, in_a_tree, by_svd, by_scipy, by_inverse])
def test_tsqr_written_otherwise(right):
    accepted("tsqr", right)


def sums(blocks, ys):
    return gram_of(zip(blocks, ys, strict=True))


def by_cholesky(blocks, ys):
    G, c = sums(blocks, ys)
    L = np.linalg.cholesky(G)
    return np.linalg.solve(L.T, np.linalg.solve(L, c))


def by_normal_equations(blocks, ys):
    return np.linalg.solve(*sums(blocks, ys))


def semi_normal(blocks, ys):
    """R from QR, but then RᵀR again."""
    R = np.linalg.qr(np.vstack([np.linalg.qr(X, mode="r") for X in blocks]), mode="r")
    return np.linalg.solve(R.T @ R, sums(blocks, ys)[1])


def by_pseudoinverse(blocks, ys):
    G, c = sums(blocks, ys)
    return np.linalg.pinv(G) @ c


def in_single(blocks, ys):
    return streamed([X.astype(np.float32) for X in blocks], ys)


def mean_of_rs(blocks, ys):
    pieces = [reduced(pair) for pair in zip(blocks, ys, strict=True)]
    return np.linalg.solve(*(np.mean(part, axis=0) for part in zip(*pieces, strict=True)))


def mean_of_solutions(blocks, ys):
    fits = [np.linalg.lstsq(X, y, rcond=None)[0] for X, y in zip(blocks, ys, strict=True)]
    return np.mean(fits, axis=0)


def sum_of_rs(blocks, ys):
    pieces = [reduced(pair) for pair in zip(blocks, ys, strict=True) if len(pair[0]) >= pair[0].shape[1]]
    return np.linalg.solve(*(sum(part) for part in zip(*pieces, strict=True)))


def untouched_y(blocks, ys):
    """R β = y, as if Q could be left out."""
    R = np.linalg.qr(np.vstack([np.linalg.qr(X, mode="r") for X in blocks]), mode="r")
    return np.linalg.solve(R, np.concatenate(ys)[: len(R)])


def tall_blocks_only(blocks, ys):
    """Every R sits in a (p, p) slot of its own."""
    p = blocks[0].shape[1]
    R, z = np.empty((len(blocks), p, p)), np.empty((len(blocks), p))
    for k, pair in enumerate(zip(blocks, ys, strict=True)):
        R[k], z[k] = reduced(pair)
    return np.linalg.solve(*reduced((R.reshape(-1, p), z.ravel())))


def without_short_blocks(blocks, ys):
    long = [k for k, X in enumerate(blocks) if len(X) >= X.shape[1]]
    return streamed([blocks[k] for k in long], [ys[k] for k in long])


def all_rows(blocks, ys):
    return np.linalg.lstsq(np.concatenate(blocks), np.concatenate(ys), rcond=None)[0]


def all_the_qs(blocks, ys):
    pieces = [np.linalg.qr(X) for X in blocks]
    z = np.concatenate([piece.Q.T @ y for piece, y in zip(pieces, ys, strict=True)])
    return np.linalg.solve(*reduced((np.concatenate([piece.R for piece in pieces]), z)))


def untouched_stack(blocks, ys):
    """The second Q is left out."""
    pieces = [reduced(pair) for pair in zip(blocks, ys, strict=True)]
    R = np.linalg.qr(np.concatenate([R for R, _ in pieces]), mode="r")
    return np.linalg.solve(R, np.concatenate([z for _, z in pieces])[: len(R)])


def first_block(blocks, ys):
    return np.linalg.lstsq(blocks[0], ys[0], rcond=None)[0]


def the_whole_tuple(blocks, ys):
    return np.linalg.lstsq(np.vstack(blocks), np.hstack(ys), rcond=None)


ORTHOGONAL, FEW_ROWS = "the residual is orthogonal to every column", "a block may have fewer rows than columns"
STABLE, SMALL = "at κ = 1e7 the error is at most 2 κ ε", "only pieces of p columns are kept"
STACK = "do not add over blocks"


@pytest.mark.parametrize(("wrong", "condition", "says"), [
    (by_cholesky, STABLE, "never multiply X by itself"),
    (by_normal_equations, STABLE, "never multiply X by itself"),
    (semi_normal, STABLE, "nor R"),
    (by_pseudoinverse, STABLE, "never multiply X by itself"),
    (in_single, STABLE, "float32 has 7 digits"),
    (mean_of_rs, ORTHOGONAL, STACK),
    (sum_of_rs, ORTHOGONAL, STACK),
    (mean_of_solutions, ORTHOGONAL, STACK),
    (untouched_y, ORTHOGONAL, "the transpose of its Q"),
    (untouched_stack, ORTHOGONAL, "the transpose of its Q"),
    (first_block, ORTHOGONAL, "only the first block"),
    (lambda blocks, ys: np.negative(streamed(blocks, ys)), ORTHOGONAL, "its sign is wrong"),
    (lambda blocks, ys: streamed(blocks, ys)[:, None], ORTHOGONAL, "print type(…) and .shape"),
    (the_whole_tuple, ORTHOGONAL, "a NumPy array of shape (5,) is needed"),
    (tall_blocks_only, FEW_ROWS, "a stack takes it"),
    (without_short_blocks, FEW_ROWS, "fewer rows than columns count, too"),
    (all_rows, SMALL, "let its Q go"),
    (all_the_qs, SMALL, "let its Q go"),
], ids=lambda value: getattr(value, "__name__", ""))
def test_tsqr_wrong(wrong, condition, says):
    rejected("tsqr", wrong, condition, says)
