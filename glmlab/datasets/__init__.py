"""Data for the course: rows drawn from a seed, a real table of flights, and files that reopen."""

from glmlab.datasets.chunking import BLOCK
from glmlab.datasets.course import course, course_benchmark
from glmlab.datasets.files import load_array
from glmlab.datasets.flights import FLIGHTS_FEATURES, FLIGHTS_LABELS, flights, flights_design
from glmlab.datasets.frames import load_columns, load_frame, save_frame
from glmlab.datasets.simulated import make_logistic, make_poisson, make_regression
from glmlab.datasets.stored import load, save

__all__ = [
    "BLOCK", "FLIGHTS_FEATURES", "FLIGHTS_LABELS", "course", "course_benchmark", "flights", "flights_design", "load",
    "load_array", "load_columns", "load_frame", "make_logistic", "make_poisson", "make_regression", "save",
    "save_frame",
]  # fmt: skip
