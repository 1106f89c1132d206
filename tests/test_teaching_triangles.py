"""Triangles in the place of rows: the same loss for every β, by chunk, merged, sampled, and drawn without rows."""

import dask.array as da
import numpy as np
import pytest

from glmlab.teaching import triangles

RNG = np.random.default_rng(5)
X, Y = RNG.normal(size=(60, 3)) @ [[1, 0.5, 0], [0, 1, 9], [0, 0, 2]], RNG.normal(size=60)
LAZY = da.from_array(X, chunks=(20, 3)), da.from_array(Y, chunks=20)
BETAS = RNG.normal(size=(4, 3))


def loss(X, y, beta):
    return np.sum((y - X @ beta) ** 2)


@pytest.mark.parametrize("beta", BETAS)
def test_a_triangle_has_the_loss_of_its_rows(beta):
    X_r, y_r = triangles.triangle(X, Y)
    assert X_r.shape == (4, 3) and np.isclose(loss(X_r, y_r, beta), loss(X, Y, beta), rtol=1e-12)


@pytest.mark.parametrize("beta", BETAS)
def test_so_have_the_pieces_of_every_chunk_merged_or_not(beta):
    six = triangles.of_chunks(*LAZY, pieces=2)
    assert [len(y_k) for _, y_k in six] == [4] * 6
    for k, (X_k, y_k) in enumerate(six):
        rows = slice(10 * k, 10 * k + 10)
        assert np.isclose(loss(X_k, y_k, beta), loss(X[rows], Y[rows], beta), rtol=1e-12)
    for K in (1, 2, 3):
        parts = np.split(np.arange(60), K)
        for rows, (X_k, y_k) in zip(parts, triangles.merged(six, K), strict=True):
            assert np.isclose(loss(X_k, y_k, beta), loss(X[rows], Y[rows], beta), rtol=1e-12)


def test_chunks_are_merged_into_equal_ones_only():
    with pytest.raises(ValueError, match="6 chunks cannot be merged into 4"):
        triangles.merged(triangles.of_chunks(*LAZY, pieces=2), 4)


def test_a_sample_has_its_share_of_every_chunk_and_is_the_same_again():
    ones = da.ones((40, 1), chunks=(20, 1)), da.from_array(np.repeat([1.0, 0.0], 20), chunks=20)
    X_s, y_s = triangles.of_samples(*ones, share=0.25)
    assert np.isclose(loss(X_s, y_s, [0.0]), 5), "five rows of the first chunk"
    assert np.isclose(loss(X_s, y_s, [1.0]), 5), "five rows of the second"
    again = triangles.of_samples(*LAZY, share=0.5)
    assert np.array_equal(triangles.of_samples(*LAZY, share=0.5)[0], again[0])


def test_drawn_triangles_have_the_moments_of_drawn_rows():
    """E XᵀX = mI, its entries vary by 2m and m; E ‖y − Xβ‖² = m."""
    beta, m, tries = np.array([0.5, -1.0]), 50, 2000
    parts = triangles.drawn(m * tries, beta, tries, seed=7)
    grams = np.array([X_k.T @ X_k for X_k, _ in parts])
    losses = np.array([loss(X_k, y_k, beta) for X_k, y_k in parts])
    sure = 5 / np.sqrt(tries)  # five standard errors
    assert np.allclose(grams.mean(axis=0), m * np.eye(2), atol=sure * np.sqrt(2 * m))
    assert np.allclose(grams.var(axis=0), m * (1 + np.eye(2)), rtol=2 * sure)
    assert abs(losses.mean() - m) < sure * np.sqrt(2 * m) and abs(losses.var() / (2 * m) - 1) < 2 * sure


def test_drawn_chunks_are_equal_and_longer_than_wide():
    for n, chunks in ((100, 3), (20, 10)):
        with pytest.raises(ValueError, match="equal chunks of more than p = 2"):
            triangles.drawn(n, np.ones(2), chunks)
