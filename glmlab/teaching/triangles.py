"""Least squares on p + 1 rows instead of n: the triangle of a chunk has the loss of the chunk, for every β.

[X_k y_k] = QR with orthonormal columns in Q, so that ‖y_k − X_k β‖ = ‖R (−β, 1)‖. Rows stand for rows: what a notebook
does to a chunk (solve, merge, certify) it can do to the chunk's triangle.
"""

import numpy as np


def triangle(X, y):
    """(X_r, y_r), at most p + 1 rows with ‖y_r − X_r β‖ = ‖y − Xβ‖ for every β.

    X (n, p), y (n,): NumPy arrays.
    """
    return _parted(np.linalg.qr(np.column_stack([X, y]), mode="r"))


def _parted(R):
    return R[:, :-1], R[:, -1]


def stacked(chunks):
    """One triangle for all of ``chunks``, a list of (X_k, y_k)."""
    return triangle(np.vstack([X_k for X_k, _ in chunks]), np.concatenate([y_k for _, y_k in chunks]))


def merged(chunks, K):
    """K triangles, each of as many neighbours in ``chunks``. Raises ValueError where K does not divide their number."""
    each, rest = divmod(len(chunks), K)
    if rest:
        raise ValueError(f"{len(chunks)} chunks cannot be merged into {K} of equal size; choose a divisor")
    return [stacked(chunks[k : k + each]) for k in range(0, len(chunks), each)]


def of_chunks(X, y, pieces=1):
    """Triangles of dask arrays X and y, made where the rows are: a list, ``pieces`` consecutive ones of each chunk."""
    import dask

    blocks = zip(X.to_delayed().ravel(), y.to_delayed().ravel(), strict=True)
    found = dask.compute(*[dask.delayed(_cut)(*block, pieces) for block in blocks])
    return [part for parts in found for part in parts]


def _cut(X_k, y_k, pieces):
    return [triangle(*rows) for rows in zip(np.array_split(X_k, pieces), np.array_split(y_k, pieces), strict=True)]


def of_samples(X, y, share):
    """The triangle of a ``share`` of the rows of dask arrays X and y, drawn at random from every chunk."""
    import dask

    blocks = zip(X.to_delayed().ravel(), y.to_delayed().ravel(), strict=True)
    return stacked(dask.compute(*[dask.delayed(_sampled)(*block, share, seed) for seed, block in enumerate(blocks)]))


def _sampled(X_k, y_k, share, seed):
    rows = np.random.default_rng(seed).permutation(len(y_k))[: max(1, round(share * len(y_k)))]
    return triangle(X_k[rows], y_k[rows])


def drawn(n, beta, chunks, seed=0):
    """Triangles of ``chunks`` chunks of n rows in all, X standard normal and y = Xβ + standard normal noise.

    No row is made. The triangle of m normal rows has a known distribution: normal entries above the diagonal, and in
    place i = 0, 1 … of the diagonal the root of a χ² variable with m − i degrees of freedom (Bartlett 1933). So the
    answer has the distribution of the triangles of such rows, for any n.
    """
    rng, p, rows = np.random.default_rng(seed), len(beta), n // chunks
    if rows * chunks != n or rows <= p:
        raise ValueError(f"n={n:,} rows in {chunks} chunks: equal chunks of more than p = {p} rows are needed")
    return [_drawn(rng, rows, beta) for _ in range(chunks)]


def _drawn(rng, rows, beta):
    R = np.triu(rng.standard_normal((len(beta) + 1, len(beta) + 1)), 1)
    R[np.diag_indices_from(R)] = np.sqrt(rng.chisquare(rows - np.arange(len(R))))
    X_r, noise = _parted(R)
    return X_r, X_r @ beta + noise
