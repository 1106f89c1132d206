"""Small problems on which a reader's solver is tried: every family with every penalty."""

from typing import NamedTuple

import dask.array as da
import numpy as np

from glmlab.maths.families import FAMILIES, FAMILY_NEEDS
from glmlab.maths.penalties import L1, PENALTIES, PENALTY_NEEDS, ElasticNet, FreeIntercept, Ridge, Zero
from glmlab.names import among, named
from glmlab.rows.entrance import as_chunks
from glmlab.rows.objective import Objective

CHUNKS = (60, 25, 65)  # rows; unequal, so that a plain mean over chunks is wrong
COLUMNS = 4
LABELS = np.array([-2.0, -0.5, 0.0, 0.25, 0.5, 1.0, 2.0, 7.0])  # y to choose from for a family of the reader's own


class Problem(NamedTuple):
    """Rows, a family and a penalty."""

    family: object
    penalty: object
    X: np.ndarray  # (n, p)
    y: np.ndarray  # (n,)
    w: np.ndarray  # (n,) weights
    intercept: bool

    def __str__(self):
        ones = "with" if self.intercept else "without"
        return f"{name_of(self.family)} with {self.penalty!r} {ones} an intercept"

    @property
    def g(self):
        """The penalty as `run` gives it to a solver."""
        return FreeIntercept(self.penalty) if self.intercept else self.penalty

    def objective(self, kind=Objective, chunks=CHUNKS, dask=False):
        """The loss over these rows, in memory or on dask."""
        columns = (self.X, self.y, self.w)
        if dask:
            columns = [da.from_array(c, chunks=(chunks, *c.shape[1:])) for c in columns]
        X, y, w = columns
        own = {} if dask else {"chunks": chunks, "threads": 1}  # threads would cost more than they save
        return kind(self.family, as_chunks(X, y, sample_weight=w, intercept=self.intercept, **own), "numpy")


def problems(families, penalties):
    """One Problem for every family with every penalty, and one that lacks an intercept; both are names or objects.

    Penalties by name get a λ that matters: a fifth of the λ that makes all coefficients zero, or a fifth of the mean
    curvature. Raises TypeError or ValueError for what is neither a name nor fit for its place.
    """
    families = [named("family", family, FAMILIES, FAMILY_NEEDS) for family in families]
    for penalty in penalties:
        if isinstance(penalty, str):
            among("penalty", penalty, PENALTIES)
        else:
            named("penalty", penalty, PENALTIES, PENALTY_NEEDS)
    found = [posed(family, penalty, seed) for seed, family in enumerate(families) for penalty in penalties]
    bare = [problem._replace(intercept=False) for problem in found if problem.intercept]
    return found + bare[:1]  # there the last coefficient is one of the penalised


def posed(family, penalty, seed, labels=None):
    """The Problem of a family and a penalty. labels: y to choose from for a family of the reader's own."""
    X, y, w = rows(family, seed, labels)
    bare = Problem(family, Zero(), X, y, w, intercept=True)
    f = bare.objective()
    found = f.loss_grad(np.append(np.zeros(COLUMNS), level(f)))
    kind = penalty if isinstance(penalty, str) else ""
    curve = float(np.mean(f.loss_grad_hess(np.zeros(f.dim)).hess.diagonal()[:-1]))
    scale = curve if kind == "ridge" else float(np.abs(found.grad[:-1]).max())
    g = posed_penalty(kind, float(f"{scale / 5:.2g}")) if kind else penalty
    return bare._replace(penalty=g, intercept=kind != "zero")


def posed_penalty(name, lam):
    """The penalty of this name with this λ."""
    return {"zero": Zero, "l1": lambda: L1(lam), "ridge": lambda: Ridge(lam),
            "elastic_net": lambda: ElasticNet(lam, 0.5)}[name]()  # fmt: skip


def rows(family, seed, labels=None):
    """X (n, p) with columns of other sizes that lean on each other, y (n,) and weights (n,)."""
    n, rng = sum(CHUNKS), np.random.default_rng([seed, 22])
    X = rng.normal(size=(n, COLUMNS))
    X = (X + 0.5 * X[:, :1]) * [1.0, 0.8, 0.6, 1.2]
    eta = X @ [0.6, -0.4, 0.5, -0.2] + 0.7
    return X, drawn(family, eta, rng, labels), rng.choice([0.5, 1.0, 1.5], n)


def drawn(family, eta, rng, labels=None):
    """y with mean μ(η) for the package's families, and for others any of the labels, or of the y that it accepts."""
    known = getattr(family, "name", "") if type(family) in FAMILIES.values() else ""
    if known == "gaussian":
        return eta + rng.normal(size=len(eta))
    if known == "logistic":
        return (rng.random(len(eta)) < family.mean(eta)).astype(float)
    if known == "poisson":
        return rng.poisson(family.mean(eta)).astype(float)
    if known == "gamma":
        return family.mean(eta) * rng.gamma(2.0, 0.5, len(eta)) + 1e-3
    if known == "negative_binomial":
        spread = rng.gamma(1 / family.alpha, family.alpha, len(eta))
        return rng.poisson(family.mean(eta) * spread).astype(float)
    if known == "tweedie":
        return family.mean(eta) * rng.gamma(1.0, 1.0, len(eta)) * rng.poisson(1.0, len(eta))
    return rng.choice(accepted(family) if labels is None else labels, len(eta))


def accepted(family):
    """Those of LABELS that a family accepts as y; all if it does not say."""
    domain = getattr(family, "domain", None)
    return LABELS if domain is None else LABELS[np.asarray(domain(LABELS), dtype=bool)]


def level(f):
    """The intercept of the null model, 0 where it is infinite or unknown."""
    f.look(np.zeros(f.dim))
    return f.null.level if np.isfinite(f.null.level) else 0.0


def name_of(family):
    return getattr(family, "name", type(family).__name__)
