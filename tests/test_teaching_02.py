"""The exercises of notebook 02: right answers written otherwise, and wrong ones with their misunderstanding."""

import functools

import numpy as np
import pytest
from answers import called
from sklearn.linear_model import Ridge

from glmlab.teaching import check, exercise


def rejected(wrong, condition, says=""):
    verdict = check(wrong)
    assert not verdict and verdict.failed == condition, verdict.message
    assert verdict.hint in verdict.message and says in verdict.message


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


@pytest.mark.parametrize("right", [bordered, folded, in_place, head_and_tail])
def test_gram_written_otherwise(right):
    assert check(called("gram")(right))


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


def a_column(blocks):
    G, c = gram_of(blocks)
    return G, c[:, None]


def one_result(blocks):
    return gram_of(blocks)[0]


ONE_BLOCK = "for one block vᵀGv is ‖Xv‖² and vᵀc is (Xv)ᵀy"
SHAPES = "a matrix G (p, p) and a vector c (p,)"


@pytest.mark.parametrize(("wrong", "condition"), [
    (averaged, "blocks are added"),
    (last_only, "blocks are added"),
    (mean_loss, ONE_BLOCK),
    (covariance, ONE_BLOCK),
    (diagonal, ONE_BLOCK),
    (of_rows, SHAPES),
    (a_column, SHAPES),
    (one_result, SHAPES),
    (in_float32, "to all the digits of float64"),
    (two_loops, "each block is read once"),
    (of_a_list, "each block is read once"),
    (concatenated, "one block at a time"),
    (listed, "one block at a time"),
], ids=lambda value: getattr(value, "__name__", ""))
def test_gram_wrong(wrong, condition):
    rejected(called("gram")(wrong), condition)


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


@pytest.mark.parametrize("right", [streamed, in_a_tree, by_svd])
def test_tsqr_written_otherwise(right):
    assert check(called("tsqr")(right))


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


def all_rows(blocks, ys):
    return np.linalg.lstsq(np.concatenate(blocks), np.concatenate(ys), rcond=None)[0]


def all_the_qs(blocks, ys):
    pieces = [np.linalg.qr(X) for X in blocks]
    z = np.concatenate([piece.Q.T @ y for piece, y in zip(pieces, ys, strict=True)])
    return np.linalg.solve(*reduced((np.concatenate([piece.R for piece in pieces]), z)))


ORTHOGONAL = "the residual is orthogonal to every column"
STABLE = "at κ = 1e7 the error is at most 100 κ ε"
SMALL = "only pieces of p columns are kept"


@pytest.mark.parametrize(("wrong", "condition"), [
    (by_cholesky, STABLE),
    (by_normal_equations, STABLE),
    (semi_normal, STABLE),
    (by_pseudoinverse, STABLE),
    (in_single, STABLE),
    (mean_of_rs, ORTHOGONAL),
    (sum_of_rs, ORTHOGONAL),
    (mean_of_solutions, ORTHOGONAL),
    (untouched_y, ORTHOGONAL),
    (tall_blocks_only, "a block may have fewer rows than columns"),
    (all_rows, SMALL),
    (all_the_qs, SMALL),
], ids=lambda value: getattr(value, "__name__", ""))
def test_tsqr_wrong(wrong, condition):
    rejected(called("tsqr")(wrong), condition)


# ---------------------------------------------------------------- ridges


def by_eigenvectors(G, c, lams):
    """One decomposition, then p² for each λ."""
    values, V = np.linalg.eigh(G)
    return ((V.T @ c) / (values + np.asarray(lams)[:, None] / 2)) @ V.T


def at_once(G, c, lams):
    systems = 2 * G + np.multiply.outer(np.asarray(lams, dtype=float), np.eye(len(c)))
    return np.linalg.solve(systems, np.broadcast_to(2 * c[:, None], (len(lams), len(c), 1)))[..., 0]


def as_a_list(G, c, lams):
    return [np.linalg.inv(G + 0.5 * lam * np.identity(len(c))) @ c for lam in lams]


@pytest.mark.parametrize("right", [by_eigenvectors, at_once, as_a_list])
def test_ridges_written_otherwise(right):
    assert check(called("ridges")(right))


def with_lam(change):
    """Ridges where λ acts otherwise: ``change(G, c, lam)`` returns the system."""

    def solve(G, c, lams):
        return np.array([np.linalg.solve(*change(G, c, lam)) for lam in lams])

    return called("ridges")(solve)


def rows(G):
    return np.trace(G) / len(G)  # what n is where columns have variance 1


EACH, COPIES = "one row of p coefficients for each λ", "ten copies of every row and ten times λ: the same β"
FREE, GRADIENT = "λ = 0 is least squares", "the gradient vanishes: 2(Gβ − c) + λβ = 0"


@pytest.mark.parametrize(("wrong", "condition"), [
    pytest.param(with_lam(lambda G, c, lam: (G + lam * np.eye(len(c)), c)), GRADIENT, id="½ forgotten"),
    pytest.param(with_lam(lambda G, c, lam: (2 * G + lam / 2 * np.eye(len(c)), 2 * c)), GRADIENT, id="½ twice"),
    pytest.param(with_lam(lambda G, c, lam: (G + 50 * lam / 2 * np.eye(len(c)), c)), GRADIENT, id="n λ"),
    pytest.param(with_lam(lambda G, c, lam: (G + rows(G) * lam / 2 * np.eye(len(c)), c)), COPIES, id="n λ from G"),
    pytest.param(with_lam(lambda G, c, lam: (G / rows(G) + lam / 2 * np.eye(len(c)), c / rows(G))), COPIES, id="mean"),
    pytest.param(with_lam(lambda G, c, lam: (G + lam / 2, c)), "the larger λ, the shorter β", id="λ on every entry"),
    pytest.param(with_lam(lambda G, c, lam: (G * (1 + lam), c)), COPIES, id="orthogonal columns"),
    pytest.param(with_lam(lambda G, c, lam: (2 * G + lam * np.eye(len(c)), c)), FREE, id="no 2 on c"),
    pytest.param(lambda G, c, lams: with_lam(lambda G, c, lam: (G + lam / 2 * np.eye(len(c)), c))(G, c, sorted(lams)),
                 "the larger λ, the shorter β", id="sorted"),
    pytest.param(lambda G, c, lams: np.linalg.solve(G + lams[0] / 2 * np.eye(len(c)), c), EACH, id="first λ only"),
    pytest.param(lambda G, c, lams: exercise("ridges").reference(G, c, lams).T, EACH, id="columns"),
])
def test_ridges_wrong(wrong, condition):
    rejected(called("ridges")(wrong), condition)


def test_ridges_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 5)) @ rng.normal(size=(5, 5)), rng.normal(size=60)
    lams = [0.1, 3.0, 700.0]
    betas = exercise("ridges").reference(*gram_of([(X[:10], y[:10]), (X[10:], y[10:])]), lams)
    for lam, beta in zip(lams, betas, strict=True):  # theirs: Σ (y − xᵀβ)² + alpha ‖β‖²
        assert np.allclose(beta, Ridge(alpha=lam / 2, fit_intercept=False).fit(X, y).coef_, rtol=1e-10)
