"""Exercises, predictions, the scale, the ledger of the course and the progress of its reader.

An exercise cell ends with ``total = use(total)``. A right answer is used in the rest of the notebook. A wrong or
missing answer is reported and replaced by ours, so that every notebook runs to its end.
"""

from . import (  # noqa: F401  (they register their exercises)
    exercises00,
    exercises01,
    exercises02,
    exercises02_ridges,
    exercises03,
    exercises03_bound,
    exercises04,
    exercises04_chunks,
    exercises05,
    exercises05_rho,
    exercises06,
    exercises06_corrected,
    exercises06_curvature,
    exercises06_moves,
    exercises06_unit,
    exercises07,
    exercises07_conventions,
    exercises07_family,
    exercises08,
    exercises08_time,
    exercises09,
    exercises10,
    exercises10_arrival,
    exercises11,
    exercises11_unfooled,
)
from .engine import Verdict, check, hint, solution, use
from .exercise import Check, Exercise, exercise, exercises
from .ledgers import Ledger, ledger
from .machines import Machine, machine
from .predictions import Prediction, predict
from .records import Progress, progress
from .resets import reset
from .scales import Scale, scale

__all__ = [
    "Check",
    "Exercise",
    "Ledger",
    "Machine",
    "Prediction",
    "Progress",
    "Scale",
    "Verdict",
    "check",
    "exercise",
    "exercises",
    "hint",
    "ledger",
    "machine",
    "predict",
    "progress",
    "reset",
    "scale",
    "solution",
    "use",
]
