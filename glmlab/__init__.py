"""glmlab: distributed convex optimisation you can read, run and certify.

Data are touched only in passes; a solver is a generator of states between passes; every answer carries a bound on how
far it is from optimal.
"""

from glmlab.maths.families import Gamma, Gaussian, Logistic, NegativeBinomial, Poisson, Tweedie  # isort: skip
from glmlab.maths.penalties import L1, ElasticNet, Ridge, Scaled, Standardized, Zero  # isort: skip
from glmlab.rows.faults import ClusterError  # isort: skip
from glmlab.rows.entrance import as_chunks  # isort: skip
from glmlab.rows.objective import Objective  # isort: skip
from glmlab.maths.certificates import Certificate  # isort: skip
from glmlab.solvers.result import NotConverged, RankWarning, Result, State, Trace  # isort: skip
from glmlab.policy import Stopping  # isort: skip
from glmlab.solvers.run import run  # isort: skip
from glmlab.fitting import certify, fit  # isort: skip
from glmlab.paths import Path, path  # isort: skip
from glmlab.dispersion import Profile, fit_negative_binomial  # isort: skip
from glmlab.inference import Inference, calibration, infer, leverages  # isort: skip
from glmlab.held_out import CrossValidation  # isort: skip
from glmlab.validation import cross_validate_path  # isort: skip
from glmlab.auditing import Audit, check_family, check_penalty, check_solver  # isort: skip

__version__ = "0.11.0"
__all__ = [
    "Audit", "Certificate", "ClusterError", "CrossValidation", "Design", "ElasticNet", "Gamma", "Gaussian",
    "Inference", "L1", "Logistic", "NegativeBinomial", "NotConverged", "Objective", "Path", "Poisson", "Profile",
    "RankWarning", "Result", "Ridge", "Scaled", "Standardized", "State", "Stopping", "Trace", "Tweedie", "Zero",
    "as_chunks", "calibration", "certify", "check_family", "check_penalty", "check_solver", "cross_validate_path",
    "fit", "fit_negative_binomial", "infer", "leverages", "path", "run",
]  # fmt: skip


def __getattr__(name):
    """What takes memory that no worker needs is imported when it is asked for."""
    if name == "Design":
        from glmlab.design import Design

        return Design
    if name in ("bench", "datasets", "estimators", "viz"):
        import importlib

        return importlib.import_module(f"glmlab.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
