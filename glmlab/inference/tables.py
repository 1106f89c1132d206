"""What `infer` returns: numbers, a table as text and HTML, and predictions with confidence limits."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from glmlab.cards import html_card, html_table, plain_card, plain_table
from glmlab.maths.penalties import lambdas
from glmlab.rows.entrance import row_by_row
from glmlab.solvers.result import Mean, accuracy
from glmlab.words import count_text


class Band(NamedTuple):
    """The mean of y at some rows, and the ends of its confidence interval, (n,) each."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True, eq=False)
class Inference:
    """What a fit says about the model that made the rows: errors, tests, intervals, likelihoods.

    `infer` returns it. Coefficients come with the intercept last, and are in the unit of η ÷ that of the column.

    Attributes
    ----------
    names : tuple, length dim
        Of the columns.
    coefficients, errors : arrays, shape (dim,)
        The coefficients, and their standard errors.
    within : array, shape (dim,)
        The coefficient at the optimum is no further away than this, proved; nan if unknown.
    statistics, p_values : arrays, shape (dim,)
        Coefficient ÷ standard error, and the two-sided p-value of the hypothesis that the coefficient is 0.
    low, high : arrays, shape (dim,)
        Where the confidence interval begins, and where it ends.
    level : float
        Its probability.
    covariance : array, shape (dim, dim)
        Of the coefficients.
    kind : str
        Of covariance.
    freedom : float
        Degrees of freedom of Student's t; infinite where the normal distribution is used.
    n : float
        Observations: Σ w, or rows of positive weight where weights are precisions.
    parameters : float
        tr(BJ): the number of coefficients, or less with a ridge.
    dispersion : float
        φ; nan where the loss is no likelihood.
    pearson : float
        Σ w (y − μ)² ÷ V(μ).
    deviance, null_deviance : float
        Twice the log-likelihood that is missing to a perfect fit, times φ, and the same of the model with an intercept
        and the offsets alone.
    log_likelihood : float
        Least squares: at σ² = Σ w r² ÷ n; gamma: at φ; logistic and Poisson: at 1.
    aic, bic : float
        −2 log-likelihood + 2 k and + k log n; k counts the parameters, and φ where it was estimated, as in R.
    passes : float
        Over the rows, which this took.
    result : Result
        The fit.
    rows : Fitted
        For `predict` and for diagnostics.
    accuracy : float
        No coefficient is further from the optimum than so many of its standard errors; nan if unknown.

    Examples
    --------
    >>> from glmlab import fit, infer
    >>> X, y = [[1.0], [1.0], [1.0], [1.0]], [1.0, 2.0, 3.0, 4.0]
    >>> found = infer(fit(X, y, family="gaussian"), X, y)
    >>> found.low.round(4).tolist(), found.high.round(4).tolist()
    ([0.4457], [4.5543])
    >>> found.p_values.round(4).tolist()
    [0.0305]
    """

    names: tuple
    coefficients: np.ndarray
    errors: np.ndarray
    within: np.ndarray
    statistics: np.ndarray
    p_values: np.ndarray
    low: np.ndarray
    high: np.ndarray
    level: float
    covariance: np.ndarray = field(repr=False)
    kind: str
    freedom: float
    n: float
    parameters: float
    dispersion: float
    pearson: float
    deviance: float
    null_deviance: float
    log_likelihood: float
    aic: float
    bic: float
    passes: float
    result: object = field(repr=False)
    rows: object = field(repr=False)

    @property
    def accuracy(self):
        """No coefficient is further from the optimum than so many of its standard errors; nan if that is unknown."""
        with np.errstate(divide="ignore", invalid="ignore"):  # rows that are fitted exactly have errors of 0
            return float(np.max(self.within / self.errors))

    def predict(self, X, offset=None):
        """The mean of y at each row of X (n, p), with confidence limits: a Band of arrays, lazy where X is on dask.

        The limits are those of η, carried over by the link. offset (n,) on the scale of η, as log(exposure) is; where
        the fit had one, it must be given. Raises what `Result.predict` raises.
        """
        rows, far = self.result.new_rows(X, offset), quantile(self.level, self.freedom)
        return Band(*(row_by_row(Limit(self.result, self.covariance, times), *rows) for times in (0.0, -far, far)))

    def to_frame(self):
        """The table of the coefficients as a pandas DataFrame."""
        import pandas as pd

        return pd.DataFrame(self.table(), index=list(self.names))

    def table(self):
        """{heading: (dim,)} of the coefficients' table."""
        ends = [f"{100 * side:g} %" for side in ((1 - self.level) / 2, (1 + self.level) / 2)]
        heads = ["coefficient", "proved ±", "std. error", "z" if np.isinf(self.freedom) else "t", "p", *ends]
        values = [self.coefficients, self.within, self.errors, self.statistics, self.p_values, self.low, self.high]
        return dict(zip(heads, values, strict=True))

    def summary(self):
        """Name and value of what is said of the model as a whole."""
        fit, phi, df = self.result, self.dispersion, count_text(self.freedom, "degree") + " of freedom"
        ridge = np.any(lambdas(fit.penalty, len(fit.beta)).l2 > 0)
        near = accuracy(fit.certificate, fit.beta, self.accuracy)
        allows = ("these intervals allow for that" if self.kind.startswith("classical") else
                  "these intervals do not allow for that, classical ones do")  # fmt: skip
        found = {
            "model": f"{fit.family!r}, {fit.penalty!r}; {count_text(self.n, 'observation')}, "
                     f"{count_text(self.parameters, 'parameter')}",
            "covariance": f"{self.kind}; {'normal distribution' if np.isinf(self.freedom) else f'Student, {df}'}",
            "ridge": f"it draws coefficients to 0; {allows}" if ridge else "",
            "accuracy": near or "how far β is from the optimum is not known",
        }
        if np.isfinite(phi):
            found["deviance"] = f"{self.deviance:.8g}, of the null model {self.null_deviance:.8g}"
            found["dispersion"] = f"{phi:.6g}, Pearson's χ² {self.pearson:.8g}"
            found["likelihood"] = f"log {self.log_likelihood:.8g}, AIC {self.aic:.8g}, BIC {self.bic:.8g}"
        found["work"] = count_text(self.passes, "pass")
        return {name: value for name, value in found.items() if value}

    def __repr__(self):
        return f"{plain_card('Inference', self.summary())}\n\n{plain_table('Coefficients', *self.lines())}"

    def _repr_html_(self):
        return html_card("Inference", self.summary()) + html_table("Coefficients", *self.lines())

    def lines(self):
        """The headings of the table and its lines, as text, each with its name first."""
        table, formats = self.table(), [".8g", ".0e", ".4g", ".4g", ".2g", ".5g", ".5g"]
        numbers = zip(*table.values(), strict=True)
        lines = [[str(name), *map(format, line, formats)] for name, line in zip(self.names, numbers, strict=True)]
        return ["column", *table], lines


class Fitted(NamedTuple):
    """The rows that were fitted, and what their diagnostics need."""

    f: object  # Objective
    beta: np.ndarray  # (dim,)
    root: np.ndarray  # (dim, dim) with root·rootᵀ = B
    expected: bool  # is J Fisher's information, or the observed Hessian?
    frequency: bool  # are weights numbers of copies?


class Limit(Mean):
    """The mean of y at η + `times` standard errors of η, as a function for tasks."""

    def __init__(self, result, covariance, times):
        super().__init__(result.family, result.beta, result.intercept)
        self.covariance, self.times = covariance, times

    def eta(self, block):
        """η of a block of rows, moved."""
        if not self.times:
            return super().eta(block)
        X, p = block.X, len(self.beta)
        inside, cross, own = np.split(self.covariance[:p], [p], axis=1) + [self.covariance[p:, p:]]
        moved = X @ inside
        squares = X.multiply(moved).sum(axis=1) if sparse.issparse(X) else np.einsum("ij,ij->i", moved, X)
        squares = squares + 2 * (X @ cross.sum(axis=1)) + own.sum()
        return super().eta(block) + self.times * np.sqrt(np.maximum(squares, 0.0))


def tail(z, freedom):
    """The probability of more than |z|: normal, or Student's with so many degrees of freedom."""
    return ndtr(-np.abs(z)) if np.isinf(freedom) else stdtr(freedom, -np.abs(z))


def quantile(level, freedom):
    """The number of standard errors to each side of a confidence interval."""
    return float(-(ndtri((1 - level) / 2) if np.isinf(freedom) else stdtrit(freedom, (1 - level) / 2)))
