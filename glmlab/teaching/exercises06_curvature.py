"""The first exercise of notebook 06b: a lower bound of the least curvature."""

import numpy as np

from .exercise import Exercise, recognised, require
from .guard import one_number


def mu_lower(blocks):
    return sum(2 * np.linalg.eigvalsh(X.T @ X)[0] for X in blocks)


MU_LOWER = Exercise(
    name="mu_lower",
    statement=(
        "blocks is a list of the K row chunks X_k (n_k, p) of X. Return a number that does not exceed λmin(H), the "
        "smallest eigenvalue of H = 2XᵀX, and is at least 0.99 · K · min_k λmin(2X_kᵀX_k)."
    ),
    stub='''
    def mu_lower(blocks):
        """A lower bound of the smallest eigenvalue of H = 2 Σ X_kᵀX_k, one number. blocks: list of the X_k (n_k, p)."""
        raise NotImplementedError
    ''',
    reference=mu_lower,
    hints=(
        "H is a sum over blocks. How small can vᵀHv be for a v of length 1, if every block tells its λmin(H_k)?",
        "vᵀHv = Σ vᵀH_k v ≥ Σ λmin(H_k): smallest eigenvalues add up to a lower bound. (λmin of the sum is exact, and "
        "needs p² numbers from each block.)",
        "sum(2 * np.linalg.eigvalsh(X.T @ X)[0] for X in blocks).",
    ),
)


def _blocks(seed, lengths, p, *, sort=False):
    """Blocks of unequal lengths with correlated columns.

    sort=True puts the rows with the largest |xᵀd| first, d the direction of the smallest eigenvalue of XᵀX.
    """
    rng = np.random.default_rng(seed)
    X = (rng.normal(size=(sum(lengths), p)) + 1.5 * rng.normal(size=(sum(lengths), 1))) * np.geomspace(1, 4, p)
    if sort:
        flat = np.linalg.eigh(X.T @ X)[1][:, 0]
        X = X[np.argsort(-np.abs(X @ flat))]
    return np.split(X, np.cumsum(lengths)[:-1])


def rare(seed):
    """Three blocks; only in the last one is the last column not 0."""
    blocks = _blocks(seed, (30, 30, 30), 3)
    return [np.where(np.arange(3) == 2, 0.0, block) for block in blocks[:2]] + blocks[2:]


BLOCKS = {
    "random rows": lambda: _blocks(660, (20, 7, 33), 4),
    "sorted rows": lambda: _blocks(661, (25, 25, 25, 25), 3, sort=True),
    "sorted rows, the other way round": lambda: _blocks(662, (40, 30, 20), 3, sort=True)[::-1],
    "a column that only the last block has": lambda: rare(663),
    "fewer rows than columns": lambda: _blocks(664, (2, 3, 2), 5),
    "the same block three times": lambda: 3 * _blocks(667, (12,), 4),
    "one block": lambda: _blocks(665, (30,), 4),
    "one column": lambda: _blocks(666, (3, 1, 6), 1),
}


def _curvature(blocks):
    X = np.vstack(blocks)
    return np.linalg.eigvalsh(2 * X.T @ X)


@MU_LOWER.condition(
    "in the units of a curvature",
    hint="H is quadratic in X: singular values have to be squared, and a number that does not see X is no curvature",
)
def mu_scales(mu_lower):
    blocks = BLOCKS["random rows"]()
    first = one_number(mu_lower(blocks), "for random rows")
    for c in (1e-3, 100.0):
        scaled = one_number(mu_lower([c * X for X in blocks]), f"for {c:g} X")
        require(abs(scaled - c**2 * first) <= 1e-7 * c**2 * abs(first), f"{first:.4g} became {scaled:.4g} for {c:g} X")


@MU_LOWER.condition(
    "never above the smallest eigenvalue",
    hint="a bound must hold for every cut of the rows: sort them by a feature, take blocks with fewer rows than "
    "columns, or a sample that missed the rare rows. An estimate is no proof",
)
def mu_is_a_lower_bound(mu_lower):
    for name, make in BLOCKS.items():
        blocks = make()
        found, values = one_number(mu_lower(blocks), f"for {name}"), _curvature(blocks)
        words = f"for {name} λmin(H) = {values[0]:.4g}, and it says {found:.4g}"
        require(found <= values[0] + 1e-11 * values[-1], words, recognised(found, {
            "eigvalsh sorts the eigenvalues in ascending order: the first one is the smallest": values[-1],
            "diagonal entries of H are not its eigenvalues: none is below λmin(H)":
                2 * (np.vstack(blocks) ** 2).sum(0).min(),
            "the trace divided by p is the mean eigenvalue": values.mean(),
            "a block with fewer rows than columns has λmin(H_k) = 0: the svd of X_k has no singular value for it": sum(
                2 * np.linalg.svd(X, compute_uv=False)[-1] ** 2 for X in blocks),
            "the largest eigenvalues of the blocks bound that of H, the smallest bound the smallest": sum(
                _curvature([X])[-1] for X in blocks),
        }))  # fmt: skip


@MU_LOWER.condition(
    "every block counts",
    hint="eigenvalues of sums: λmin(H₁ + H₂) ≥ λmin(H₁) + λmin(H₂). Is the 2 of ∇²(y − η)² there, and no 1/n or 1/K?",
)
def mu_adds_up(mu_lower):
    for name, make in BLOCKS.items():
        blocks = make()
        each = [_curvature([X])[0] for X in blocks]
        found, least = one_number(mu_lower(blocks), f"for {name}"), len(blocks) * min(each)
        words = f"for {name} each of {len(blocks)} blocks has λmin(H_k) ≥ {min(each):.4g}; for all it says {found:.4g}"
        enough = found >= 0.99 * least - 1e-11 * _curvature(blocks)[-1]
        require(enough, words, recognised(found, {
            "the Hessian of (y − η)² has a 2: H = 2XᵀX, and H_k = 2X_kᵀX_k": sum(each) / 2,
            "the Hessian of ‖y − Xβ‖² has a 2: H = 2XᵀX": _curvature(blocks)[0] / 2,
            "smallest eigenvalues of blocks add up: neither the worst block alone nor a mean proves as much": min(each),
            "H is a sum over rows: do not divide by n": _curvature(blocks)[0] / sum(map(len, blocks)),
            "0 is a lower bound that proves nothing": 0.0,
        }))  # fmt: skip
