"""glmlab: distributed convex optimisation you can read, run and certify.

Data are touched only in passes; a solver is a generator of states between passes; every answer carries a bound on how
far it is from optimal.
"""

from glmlab.families import Gamma, Gaussian, Logistic, Poisson  # isort: skip
from glmlab.penalties import L1, ElasticNet, Ridge, Zero  # isort: skip
from glmlab.chunks import as_chunks  # isort: skip
from glmlab.objective import Objective  # isort: skip
from glmlab.certificates import Certificate, certify  # isort: skip
from glmlab.solvers.run import NotConverged, RankWarning, Result, State, Trace, run  # isort: skip
from glmlab.fitting import fit  # isort: skip
from glmlab.paths import Path, path  # isort: skip

__version__ = "0.7.0"
__all__ = [
    "Certificate", "ElasticNet", "Gamma", "Gaussian", "L1", "Logistic", "NotConverged", "Objective", "Path", "Poisson",
    "RankWarning", "Result", "Ridge", "State", "Trace", "Zero", "as_chunks", "certify", "fit", "path", "run",
]  # fmt: skip
