"""Estimators as scikit-learn wants them, over `fit`: GLMRegressor and GLMClassifier, for rows in memory and on dask."""

from glmlab.estimators.models import GLMClassifier, GLMRegressor

__all__ = ["GLMClassifier", "GLMRegressor"]
