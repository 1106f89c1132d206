"""Checks of what a reader has written: a solver, a family, a penalty; what is wrong is said in sentences.

As scikit-learn's `check_estimator`: each check has a name, holds or does not, and says what to do. Nothing is raised
unless one asks for it.
"""

from glmlab.auditing.audit import Audit as Audit
from glmlab.auditing.family import check_family as check_family
from glmlab.auditing.penalty import check_penalty as check_penalty
from glmlab.auditing.solver import check_solver as check_solver
