"""What a run returns: coefficients, how it ended, the proof, and the trace of the way there."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from glmlab.cards import html_card, html_table, plain_card, plain_table
from glmlab.checks import not_finite
from glmlab.maths.certificates import Certificate
from glmlab.names import nearest
from glmlab.rows.columns import refuse_other_names
from glmlab.rows.entrance import row_by_row
from glmlab.rows.kernels import Rows, blocks, predictor
from glmlab.rows.labels import refuse_other_rows
from glmlab.rows.survey import culprits, place
from glmlab.rows.tables import column, matrix
from glmlab.rows.threads import one_blas_thread
from glmlab.words import column_names, count_text, proved_text

SHOWN = 6  # rows of a trace that are shown at its beginning, and as many at its end
LISTED = 30  # coefficients up to which all are shown; of more, zeros are left out, and then those in the middle
# What to type where all levels of a category stand beside an intercept, which is their sum.
ONE_HOT = (
    "If all levels of a category have a column beside the intercept, leave one out: OneHotEncoder(drop='first'), "
    "pandas.get_dummies(drop_first=True), or glmlab.Design, which does it by itself"
)


class NotConverged(UserWarning):
    """The coefficients were not proved to be as close to optimal as `tol` asks.

    A fit warns so, and its Result has `converged` False; the status says how it ended, the certificate what was proved.

    Examples
    --------
    >>> import warnings
    >>> from glmlab import NotConverged, fit
    >>> with warnings.catch_warnings(action="ignore", category=NotConverged):
    ...     result = fit([[1.0], [2.0]], [1, 7], family="poisson", max_iter=1)
    >>> result.converged
    False
    """


class RankWarning(UserWarning):
    """Some columns are combinations of others: the optimum is a set, and one of its points is returned.

    A ridge makes the optimum unique; so does leaving those columns out.

    Examples
    --------
    >>> import warnings
    >>> from glmlab import RankWarning, fit
    >>> with warnings.catch_warnings(record=True) as said:
    ...     warnings.simplefilter("always")
    ...     result = fit([[1.0, 1.0], [2.0, 2.0]], [2.0, 4.0], family="gaussian")
    >>> said[0].category is RankWarning, result.certificate.rank
    (True, 1)
    """


class State(NamedTuple):
    """What `run` reads of a state that a solver yields.

    A solver must yield β; `run` evaluates objective and residual if they are missing. The pass that evaluates is booked
    as certifying. If the solver then asks for the gradient at the same β, it gets the one that is known, and the pass
    is booked as the solver's. The package's solvers have states with these fields and more. Of a class of your own only
    `beta`, `objective` and `residual` are read.

    Attributes
    ----------
    beta : array, shape (dim,)
        The coefficients, the intercept last where there is one.
    objective : float, optional
        F(β), in the unit of the losses.
    residual : float, optional
        How far β is from optimal, without a unit, as Objective.residual measures it.
    decrement : float, optional
        An estimate of F(β) − F*, which says when a certificate is worth its pass.
    move : array, shape (dim,), optional
        An estimate of β* − β, as Newton's step is, which says when β is right.

    Examples
    --------
    >>> from glmlab import Objective, State, as_chunks, run
    >>> def halving(f, g, start):
    ...     beta = start
    ...     while True:
    ...         yield State(beta)
    ...         beta = beta - f.loss_grad(beta).grad / 4  # 1/4 is half of 1/ℓ″ here
    >>> f = Objective("gaussian", as_chunks([[1.0]], [3.0]))
    >>> run(halving, f).beta.round(6).tolist()
    [3.0]
    """

    beta: np.ndarray
    objective: float | None = None
    residual: float | None = None
    decrement: float | None = None
    move: np.ndarray | None = None


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
    """The rows of a run in order, a list of named tuples; `trace.objective` and the like are arrays.

    It shows itself as a table. Of a long run the rows in the middle are left out there.

    Attributes
    ----------
    iteration, passes, rounds, seconds : arrays, shape (m,)
        0 for the start; passes and rounds of the solver so far; seconds since the start, certifying included.
    objective, residual, relative : arrays, shape (m,)
        F(β), the scaled KKT residual, and the certified relative gap, nan where none was computed.

    Examples
    --------
    >>> from glmlab import fit
    >>> trace = fit([[1.0], [2.0]], [2.0, 4.0], family="gaussian").trace
    >>> trace.objective.round(6).tolist(), trace[-1].iteration
    ([20.0, 0.0], 1)
    """

    def __getattr__(self, name):
        if name not in Row._fields:
            raise AttributeError(f"a trace has no {name!r}; {nearest(name, Row._fields)}")
        return np.array([getattr(row, name) for row in self])

    def to_frame(self):
        """A pandas DataFrame, one row an iteration."""
        import pandas as pd

        return pd.DataFrame(list(self), columns=Row._fields)

    def __repr__(self):
        return plain_table(*self._table())

    def _repr_html_(self):
        return html_table(*self._table())

    def _table(self):
        """Title, headings and lines, all as text."""
        heads = ["iteration", "certified gap", "objective", "residual", "passes", "rounds", "seconds"]
        lines = [line_of(row) for row in self]
        if len(lines) > 2 * SHOWN + 1:
            lines[SHOWN:-SHOWN] = [["…"] * len(heads)]
        return f"Trace, {count_text(len(self), 'row')}", heads, lines


def line_of(row):
    """The cells of a Row, as text; the gap is "?" where none was computed."""
    gap = "?" if np.isnan(row.relative) else f"{row.relative:.1e}"
    return [str(row.iteration), gap, f"{row.objective:.10g}", f"{row.residual:.1e}", f"{row.passes:,.4g}",
            f"{row.rounds:,}", f"{row.seconds:.3g}"]  # fmt: skip


class Coefficients(NamedTuple):
    """The coefficients of a fit by name, and what is proved of each; the intercept comes last. (dim,) each.

    It shows itself as a table, each number with its proved digits and one more.
    """

    names: tuple  # x1, x2, … where the columns have none
    values: np.ndarray
    within: np.ndarray  # the coefficient at the optimum is no further away than this, proved; nan if unknown
    surely_nonzero: np.ndarray  # is it certainly not 0 at the optimum?

    def to_frame(self):
        """A pandas DataFrame, one row a coefficient."""
        import pandas as pd

        columns = {"coefficient": self.values, "proved ±": self.within, "certainly not 0": self.surely_nonzero}
        return pd.DataFrame(columns, index=list(self.names))

    def __repr__(self):
        return plain_table(*self._table())

    def _repr_html_(self):
        return html_table(*self._table())

    def _table(self):
        """Title, headings and lines, all as text."""
        heads, rows, title = ["column", "coefficient", "proved ±", "certainly not 0"], list(zip(*self, strict=True)), ""
        if len(rows) > LISTED:
            title = f", {np.count_nonzero(self.values):,} of {len(rows):,} are not 0"
            rows = [row for row in rows if row[1] != 0]
        half = LISTED // 2 if len(rows) > LISTED else len(rows)
        lines = [[str(name), *proved_text(value, within), "yes" if sure else "no"]
                 for name, value, within, sure in rows[:half] + rows[half:][-half:]]  # fmt: skip
        if len(rows) > len(lines):
            lines.insert(half, ["…"] * len(heads))
        return f"Coefficients{title}", heads, lines


@dataclass(frozen=True, eq=False)  # a Result equals itself only: comparing arrays gives no single answer
class Result:
    """What a run returns: coefficients, how it ended, and the proof.

    F(β) = Σᵢ wᵢ ℓ(xᵢᵀβ + oᵢ; yᵢ) + g(β) is what the run minimised. Coefficients are in the unit of η ÷ that of the
    column.

    Attributes
    ----------
    beta, intercept : array of shape (p,), and float
        The coefficients; the intercept is 0.0 where the model has none.
    objective : float
        F(β), in the unit of the losses.
    status : str
        How it ended, a sentence.
    converged : bool
        `certificate.relative` ≤ tol was proved, and on few rows β is right to its last digits (see `run`).
    certificate : Certificate
        The bound on F(β) − F*, and what it says of β.
    trace : Trace
        The way there, a row for each iteration.
    passes, rounds, n_iter, seconds : float, int, int, float
        Passes over the rows, made by the solver, rounds of sending work out, iterations, and time.
    kernels, solver : str
        What each task ran, and who minimised.
    family, penalty : object
        ℓ and g.
    state : object
        The last state that the solver yielded, its β with the intercept last.
    interrupted : bool
        By Ctrl-C.
    advice : str
        A sentence on what makes passes slow on this machine, if anything does.
    names : tuple of length p, or None
        Of the columns, where X had such.
    shifted : bool
        Had the rows an offset?
    surely_nonzero : array of bools, shape (p,)
        Which coefficients are certainly not 0 at the optimum.

    Examples
    --------
    >>> from glmlab import L1, fit
    >>> X, y = [[1.0, 0.0], [0.0, 1.0]], [3.0, 1.0]
    >>> result = fit(X, y, family="gaussian", penalty=L1(2.0))
    >>> result.beta.round(6).tolist(), result.predict([[2.0, 0.0]]).round(6).tolist()
    ([2.0, 0.0], [4.0])
    """

    beta: np.ndarray
    intercept: float
    objective: float
    status: str
    converged: bool
    certificate: Certificate
    trace: Trace = field(repr=False)
    passes: float
    rounds: int
    n_iter: int
    seconds: float
    kernels: str
    solver: str
    family: object
    penalty: object
    state: object = field(repr=False)
    interrupted: bool = False
    advice: str = ""
    names: tuple | None = field(default=None, repr=False)
    shifted: bool = False

    def predict(self, X, offset=None):
        """The mean of y at each row of X (n, p). The offset (n,) is added to η.

        Where the fit had an offset, the rows must have one, too: TypeError without. Zeros say that there is none. Lazy
        where X or the offset is on dask. Takes and refuses what `fit` does, in the same words; a frame's columns must
        have the names that the model was fitted with, in their order.
        """
        return row_by_row(Mean(self.family, self.beta, self.intercept), *self.new_rows(X, offset))

    def new_rows(self, X, offset):
        """X and the offset as Tables (the latter may be None), if they are rows that this model can predict."""
        refuse_forgotten(offset, self.shifted)
        X, offset = matrix(X), None if offset is None else column("offset", offset)
        refuse_other_names("X", X.names, self.names, "the model", "X[list(result.names)]")
        if X.values.shape[1] != len(self.beta):
            given, needed = count_text(X.values.shape[1], "column"), count_text(len(self.beta), "coefficient")
            raise ValueError(f"X has {given}, but the model has {needed}")
        refuse_other_rows({"X": X, "offset": offset})
        return X, offset

    def to_frame(self):
        """The trace as a pandas DataFrame."""
        return self.trace.to_frame()

    @property
    def surely_nonzero(self):
        """Which coefficients (p,) are certainly not 0 at the optimum: |β_j| is more than it may be wrong by."""
        return certainly_not_zero(self.certificate, self.beta)

    def coefficients(self):
        """The coefficients by name, the intercept last, with what is proved of each: Coefficients, which is a table."""
        free = len(self.state.beta) - len(self.beta)
        values, within = np.append(self.beta, [self.intercept] * free), np.array(self.certificate.within)
        names = column_names(self.names, len(self.beta)) + ("intercept",) * free
        return Coefficients(names, values, within, certainly_not_zero(self.certificate, values))

    def summary(self):
        """Name and value of everything worth printing."""
        zeros, iterations = int(np.sum(self.beta == 0)), count_text(self.n_iter, "iteration")
        passes, rounds = count_text(self.passes, "pass"), count_text(self.rounds, "round")
        free = f"intercept {self.intercept:.6g}" if len(self.state.beta) > len(self.beta) else "no intercept"
        found = {
            "status": self.status,
            "certificate": str(self.certificate),
            "accuracy": accuracy(self.certificate, self.beta),
            "objective": f"{self.objective:.10g}",
            "solver": f"{self.solver}, {self.family!r}, {self.penalty!r}, {self.kernels} kernels",
            "work": f"{iterations}, {passes} in {rounds}, {self.seconds:.3g} s",
            "coefficients": f"{len(self.beta)} ({zeros} zero), {free}",
        }
        return {name: value for name, value in (found | {"advice": self.advice}).items() if value}

    def __repr__(self):
        return plain_card("Result", self.summary())

    def _repr_html_(self):
        return html_card("Result", self.summary())


def refuse_forgotten(offset, shifted):
    """The error for rows without an offset, where those of the fit had one (`shifted`)."""
    if offset is None and shifted:
        raise TypeError("the model was fitted with an offset: pass offset=…, a number for each of these rows")


class Mean:
    """The mean of y at some rows, as a function for tasks. It refuses NaN and infinities in the rows, as a fit does."""

    def __init__(self, family, beta, intercept):
        self.family, self.beta, self.intercept = family, beta, intercept

    def __call__(self, X, offset=None):
        rows, p = Rows(X, None, None, offset), len(self.beta)
        with one_blas_thread, np.errstate(over="ignore", invalid="ignore"):
            parts = [self.eta(block) for block in blocks(rows, p)]
        eta = np.concatenate([np.empty(0), *parts])
        if not np.isfinite(eta).all() and (found := culprits(rows)):
            name, value, count, column = found
            raise not_finite(name, value, count, place(column))
        return self.family.mean(eta)

    def eta(self, block):
        """η of a block of rows."""
        return predictor(block, self.beta) + self.intercept


def certainly_not_zero(certificate, beta):
    """A mask (p,): coefficients that are certainly not 0 at the optimum. None that is 0 there is in it."""
    return np.abs(beta) > np.array(certificate.within[: len(beta)])


def accuracy(certificate, beta, errors=None):
    """How near the gap proves β (p,) to be, as a sentence; '' where it proves nothing of β.

    errors: how many standard errors that is, where others are meant than the certificate's own.
    """
    errors, within = certificate.errors if errors is None else errors, np.max(certificate.within)
    if not np.isfinite(within):
        return ""
    if np.isfinite(errors):
        return (f"β is within {errors:.2g} standard errors of the optimum, "
                f"and no coefficient is off by more than {within:.1e} in its own unit")  # fmt: skip
    said = f"no coefficient is further from the optimum than {within:.1e}"
    if count := np.count_nonzero(beta):
        sure = np.count_nonzero(certainly_not_zero(certificate, beta))
        share = "all" if sure == count > 1 else f"{sure} of the"
        said += f", {share} {count} nonzero coefficients are proved nonzero at the optimum, too"
    return said
