"""What a run returns: coefficients, how it ended, and the proof; and what it writes down on the way."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from glmlab.certificates import Certificate
from glmlab.checks import not_finite
from glmlab.chunks import one_blas_thread, row_by_row
from glmlab.kernels import Rows, blocks, culprits, predictor
from glmlab.names import nearest
from glmlab.tables import column, matrix, refuse_other_names, refuse_other_rows


class NotConverged(UserWarning):
    """The coefficients were not proved to be as close to optimal as `tol` asks."""


class RankWarning(UserWarning):
    """Some columns are combinations of others: the optimum is a set, and one of its points is returned."""


class State(NamedTuple):
    """What `run` reads of a state. A solver must yield β; what else it leaves out is evaluated, or not known.

    The pass that evaluates is booked as certifying; where the solver then asks for the gradient at that same β, it gets
    this one, booked as its own. The states of the package's solvers have these fields and more. Of a class of your own
    `beta`, `objective` and `residual` are read.
    """

    beta: np.ndarray  # (dim,)
    objective: float | None = None  # F(β)
    residual: float | None = None  # as Objective.residual measures it
    decrement: float | None = None  # an estimate of F(β) − F*: says when a certificate is worth its pass
    move: np.ndarray | None = None  # (dim,) an estimate of β* − β, as Newton's step is: says when β is right


class Row(NamedTuple):
    """One line of a trace."""

    iteration: int
    passes: float  # made by the solver so far
    rounds: int
    seconds: float  # since the start, certifying included
    objective: float  # F(β)
    residual: float  # scaled KKT residual
    relative: float  # certified relative gap, nan where none was computed


class Trace(list):
    """The rows of a run, in order; `trace.objective` and the like are arrays, one number an iteration."""

    def __getattr__(self, name):
        if name not in Row._fields:
            raise AttributeError(f"a trace has no {name!r}; {nearest(name, Row._fields)}")
        return np.array([getattr(row, name) for row in self])

    def to_frame(self):
        """A pandas DataFrame, one row an iteration."""
        import pandas as pd

        return pd.DataFrame(list(self), columns=Row._fields)


@dataclass(frozen=True, eq=False)  # arrays have no one truth: a Result equals itself only
class Result:
    """What a run returns: coefficients, how it ended, and the proof."""

    beta: np.ndarray  # (p,)
    intercept: float  # 0.0 where the model has none
    objective: float  # F(β)
    status: str  # how it ended, a sentence
    converged: bool  # certificate.relative ≤ tol was proved, and on few rows β is right to its last digits (see `run`)
    certificate: Certificate
    trace: Trace = field(repr=False)
    passes: float  # over the rows, made by the solver
    rounds: int
    n_iter: int
    seconds: float
    kernels: str
    solver: str
    family: object
    penalty: object
    state: object = field(repr=False)  # the last state that the solver yielded
    interrupted: bool = False  # by Ctrl-C
    advice: str = ""  # a sentence on what makes passes slow here, if anything: it may differ from machine to machine
    names: tuple | None = field(default=None, repr=False)  # of the columns, where X had such

    def predict(self, X, offset=None):
        """The mean of y at each row of X (n, p), plus an optional offset (n,) on the scale of η.

        Lazy where X or the offset is on dask. Takes and refuses what `fit` does, in the same words; a frame's columns
        must have the names that the model was fitted with, in their order.
        """
        X, offset = matrix(X), None if offset is None else column("offset", offset)
        refuse_other_names("X", X.names, self.names, "the model", "X[list(result.names)]")
        if X.values.shape[1] != len(self.beta):
            raise ValueError(f"X has {X.values.shape[1]} columns, but the model has {len(self.beta)} coefficients")
        refuse_other_rows({"X": X, "offset": offset})
        return row_by_row(Mean(self.family, self.beta, self.intercept), X, offset)

    def to_frame(self):
        """The trace as a pandas DataFrame."""
        return self.trace.to_frame()

    def plot(self, **options):
        """Convergence against passes (viz.convergence takes the same options)."""
        from glmlab.viz import convergence

        return convergence({self.solver: self}, **options)

    def summary(self):
        """Name and value of everything worth printing."""
        zeros, iterations = int(np.sum(self.beta == 0)), f"{self.n_iter} iteration{'s' * (self.n_iter != 1)}"
        found = {
            "status": self.status,
            "certificate": str(self.certificate),
            "accuracy": accuracy(self.certificate),
            "objective": f"{self.objective:.10g}",
            "solver": f"{self.solver}, {self.family!r}, {self.penalty!r}, {self.kernels} kernels",
            "work": f"{iterations}, {self.passes:g} passes in {self.rounds} rounds, {self.seconds:.3g} s",
            "coefficients": f"{len(self.beta)} ({zeros} zero), intercept {self.intercept:.6g}",
        }
        return {name: value for name, value in (found | {"advice": self.advice}).items() if value}

    def __repr__(self):
        return plain_card("Result", self.summary())

    def _repr_html_(self):
        return html_card("glmlab-result", self.summary())


class Mean:
    """The mean of y at some rows, for tasks. What is not finite is refused where it shows, as in a fit."""

    def __init__(self, family, beta, intercept):
        self.family, self.beta, self.intercept = family, beta, intercept

    def __call__(self, X, offset=None):
        rows, p = Rows(X, None, None, offset), len(self.beta)
        with one_blas_thread, np.errstate(over="ignore", invalid="ignore"):
            parts = [predictor(block, self.beta) + self.intercept for block in blocks(rows, p)]
        eta = np.concatenate([np.empty(0), *parts])
        if not np.isfinite(eta).all() and (found := culprits(rows)):
            raise not_finite(*found)
        return self.family.mean(eta)


def accuracy(certificate):
    """What the gap says of β, as a sentence; '' where it says nothing."""
    errors = certificate.errors
    return f"β is within {errors:.2g} standard errors of the optimum" if np.isfinite(errors) else ""


def plain_card(title, summary):
    """A summary, name by name, as text."""
    return f"{title}\n" + "\n".join(f"  {name:<13} {value}" for name, value in summary.items())


def html_card(kind, summary):
    """The same as a table of CSS class `kind`."""
    from html import escape

    left = "style='text-align:left'"
    cells = (
        f"<tr><th scope='row' {left}>{escape(name)}</th><td {left}>{escape(value)}</td></tr>"
        for name, value in summary.items()
    )
    return f"<table class='{kind}'>{''.join(cells)}</table>"
