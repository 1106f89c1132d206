"""Covariance matrices of the coefficients, and what goes into them: B, φ, and sums of squared slopes over the rows."""

import numpy as np
import pandas as pd

from glmlab.maths.quadratic import spectrum_of
from glmlab.rows import inferring
from glmlab.rows.labels import refuse_other_rows
from glmlab.rows.tables import Table
from glmlab.solvers.result import ONE_HOT

COVARIANCES = ("classical", "HC0", "HC1", "HC2", "HC3", "cluster")
POWERS = {"HC2": 0.5, "HC3": 1.0}  # of 1/(1 − h), by which slopes are multiplied


def inverse_root(R, l2, intercept=False):
    """(dim, dim) with root·rootᵀ = B = (RᵀR + Λ)⁻¹, and tr(B RᵀR). Raises ValueError where there is no inverse.

    intercept: is one of the coefficients an intercept? Then the error says what may be the matter.
    """
    dim = len(l2)
    part = spectrum_of(np.vstack([R, np.diag(np.sqrt(l2))[l2 > 0]]))
    if part.rank < dim:
        raise ValueError(
            f"X has rank {part.rank}, not {dim}: some coefficients are not unique, and no interval can be given for "
            f"them; drop columns that are combinations of others, or fit with a ridge{f'. {ONE_HOT}' * intercept}"
        )
    root = part.vectors / np.sqrt(part.values) / part.root[:, None]
    return root, dim - float(l2 @ np.sum(root**2, axis=1))


def is_estimated(family, dispersion):
    """Is φ an estimate, so that tests are Student's?"""
    return dispersion == "pearson" or (dispersion is None and getattr(family, "dispersed", False))


def dispersion_of(family, pearson, freedom, dispersion):
    """φ, nan where it is not defined. `pearson` is in the unit of the loss."""
    if not inferring.is_likelihood(family):
        return np.nan
    if is_estimated(family, dispersion):
        return float(pearson / family.multiple / freedom)
    return 1.0 if dispersion is None else float(dispersion)


def covariance_of(rows, covariance, groups, phi, n, p):
    """The covariance matrix (dim, dim) of a Fitted, and its own degrees of freedom, None without groups."""
    root = rows.root
    if covariance == "classical":
        return rows.f.family.multiple * phi * (root @ root.T), None
    if covariance == "cluster":
        S = slopes_by_group(rows, groups) @ root  # squared later: S as it is would lose half of its digits
        few = len(S) / (len(S) - 1) * (n - 1) / (n - p)
        return few * root @ (S.T @ S) @ root.T, len(S) - 1.0
    power = POWERS.get(covariance, 0.0)
    found = rows.f.total(inferring.squares, rows.beta, root, rows.expected, rows.frequency, power)
    if not np.isfinite(found.squares).all():
        raise ValueError(f"covariance={covariance!r} is not defined: a row has leverage 1, and is fitted exactly "
                         "whatever its y is; take 'HC1'")  # fmt: skip
    return root @ found.squares @ root.T * (n / (n - p) if covariance == "HC1" else 1.0), None


def slopes_by_group(rows, groups):
    """Σ w ℓ′x over the rows of each group, (groups, dim), in a pass; a group may have rows in several chunks.

    Groups whose rows all have weight 0 are left out, as if their rows had been dropped.
    """
    f, codes = rows.f, codes_of(groups, rows.f)
    own = np.split(codes, np.cumsum(f.chunks.lengths)[:-1])
    total, counted = np.zeros((codes.max() + 1, f.dim)), np.zeros(codes.max() + 1)
    for some, slopes, rows_that_count in f.map(inferring.group_slopes, own, shared=(f.family, rows.beta)):
        total[some] += slopes
        counted[some] += rows_that_count
    if np.count_nonzero(counted) < 2:
        raise ValueError("groups holds one label only on the rows of positive weight; a covariance between groups "
                         "needs two of them at least")  # fmt: skip
    return total[counted > 0]


def codes_of(groups, f):
    """The number of each row's group (n,), counted from 0. Labels may be of any type; an index must be that of X."""
    groups = groups.compute() if hasattr(groups, "compute") else groups
    labels = np.asarray(groups, dtype=object if isinstance(groups, list | tuple) else None)
    if labels.shape != (f.n,):
        raise ValueError(f"groups must have shape ({f.n},), a label for each row; got {labels.shape}")
    groups = groups.to_series() if getattr(groups, "indexes", None) else groups  # xarray's with labels of rows
    index = groups.index if isinstance(groups, pd.Series) else None
    own = Table(labels, None, index, "groups.loc[{labels}]", "groups.to_numpy()")
    refuse_other_rows(f.chunks.labels | {"groups": own})
    missing = np.ma.getmaskarray(groups) if np.ma.isMaskedArray(groups) else pd.isna(labels)
    if missing.any():
        raise ValueError(f"groups has no label on {missing.sum():,} rows (None, NaN or masked); drop those rows, or "
                         "give them a label")  # fmt: skip
    return pd.factorize(labels)[0]
