"""λ in other libraries: one table that converts their penalty parameters to ours and back.

Our objective adds a penalty to a *sum* of losses: F = Σ wᵢ ℓᵢ + λ(r‖β‖₁ + (1−r)/2 ‖β‖²). Another library divides the
sum by n, halves squares, or multiplies the losses by its parameter instead of the penalty. Its minimiser is ours where
its objective is a multiple of F. That multiple is the conversion; it is read off the library's documentation.
"""

from typing import NamedTuple

from glmlab.checks import number
from glmlab.names import among, spelt

# Our loss ÷ theirs, by family, where a library takes ½(y−η)² for least squares: ours is (y−η)².
HALVES = {"gaussian": 2, "logistic": 1, "poisson": 1, "gamma": 1}


class Convention(NamedTuple):
    """The penalty parameter of one library."""

    parameter: str  # its name there
    objective: str  # what the library minimises, in our letters; Ω = r‖β‖₁ + (1−r)/2 ‖β‖²
    source: str  # the page of its documentation that says so
    losses: dict  # {family: our loss ÷ the library's loss}
    mean: bool = False  # does the library divide the losses by n?
    squares: int = 1  # the library's penalty ÷ our Ω
    inverse: bool = False  # does the parameter multiply the losses instead of the penalty?
    n: str = "Σ w"  # what n is where rows have weights

    def factor(self, n, family=None):
        """λ = factor · value, or factor ÷ value where the parameter multiplies the losses."""
        return self.per_row(family) * self.squares * (number("n", n, 0.0, strict=True) if self.mean else 1)

    def per_row(self, family=None):
        """Our loss ÷ the library's. Raises TypeError where that depends on the family and none is given."""
        if family is not None:
            return self.losses[among("family", getattr(family, "name", family), self.losses)]
        if len(set(self.losses.values())) > 1:
            raise TypeError(f"{self.parameter} depends on the family: give one of {', '.join(self.losses)}")
        return next(iter(self.losses.values()))

    def formula(self, family=None):
        """The conversion in text, for each family if they differ."""
        written = {name: self.written(self.per_row(name)) for name in ([family] if family else self.losses)}
        if len(set(written.values())) == 1:
            return next(iter(written.values()))
        return "; ".join(f"{text} ({name})" for name, text in written.items())

    def written(self, per_row):
        """The conversion in text, where our loss is `per_row` times the library's."""
        count = per_row * self.squares
        if self.inverse:
            return f"λ = {count}/{self.parameter}"
        return "λ = " + " ".join([*[str(count)] * (count != 1), *["n"] * self.mean, self.parameter])


SKLEARN = "scikit-learn user guide, Linear models, "
CONVENTIONS = {
    "LogisticRegression": Convention(
        "C", "C Σ w ℓ + Ω (liblinear penalises the intercept, the other solvers do not)",
        SKLEARN + "Logistic regression", {"logistic": 1}, inverse=True),
    "Ridge": Convention(
        "alpha", "Σ w (y−η)² + alpha ‖β‖²", SKLEARN + "Ridge regression", {"gaussian": 1}, squares=2),
    "Lasso": Convention(
        "alpha", "1/(2n) Σ w (y−η)² + alpha ‖β‖₁", SKLEARN + "Lasso", {"gaussian": 2}, mean=True),
    "ElasticNet": Convention(
        "alpha", "1/(2n) Σ w (y−η)² + alpha Ω", SKLEARN + "Elastic-Net", {"gaussian": 2}, mean=True),
    "SGDClassifier": Convention(
        "alpha", "1/n Σ w ℓ + alpha Ω, loss='log_loss'", "scikit-learn user guide, Stochastic Gradient Descent, "
        "Mathematical formulation", {"logistic": 1}, mean=True, n="rows"),
    "PoissonRegressor": Convention(
        "alpha", "1/n Σ w d/2 + alpha/2 ‖β‖², d the unit deviance", SKLEARN + "Generalized Linear Models",
        {"poisson": 1}, mean=True),
    "GammaRegressor": Convention(
        "alpha", "1/n Σ w d/2 + alpha/2 ‖β‖², d the unit deviance, log link", SKLEARN + "Generalized Linear Models",
        {"gamma": 1}, mean=True),
    "glmnet": Convention(
        "lambda", "1/n Σ w l + lambda Ω, l the negative log-likelihood, ½(y−η)² for the Gaussian; standardize=FALSE, "
        "and a Gaussian y of unit variance where r < 1",
        "An Introduction to glmnet, Introduction and Linear Regression", HALVES, mean=True),
    "statsmodels": Convention(
        "alpha", "−loglike/n + alpha Ω, ½(y−η)² for OLS and for the Gaussian; its constant column is penalised too",
        "GLM.fit_regularized and OLS.fit_regularized, Notes", HALVES, mean=True, n="rows"),
    "glum": Convention(
        "alpha", "1/n Σ w d/2 + alpha Ω, d the unit deviance", "docstring of GeneralizedLinearRegressor",
        HALVES, mean=True),
    "dask_glm": Convention(
        "lamduh", "Σ ℓ + lamduh Ω with normalize=False; by default its solvers rescale X first, another problem",
        "dask_glm/families.py and regularizers.py", {"gaussian": 1, "logistic": 1, "poisson": 1}),
}  # fmt: skip


@spelt
def to_lam(value, n, kind, family=None):
    """Our λ for the `value` that library `kind` takes, on n rows.

    kind: a key of CONVENTIONS, the name of an estimator of scikit-learn or of another package. n: the number of rows,
    or the sum of their weights (`CONVENTIONS[kind].n` says which); ignored where the library does not divide by it.
    family: needed where a library halves squares but not the other losses. Raises ValueError or TypeError that names
    the parameter.

    >>> to_lam(0.5, 100, "LogisticRegression"), to_lam(0.5, 100, "Lasso"), to_lam(0.5, 100, "glmnet", "logistic")
    (2.0, 100.0, 50.0)
    """
    convention = CONVENTIONS[among("kind", kind, CONVENTIONS)]
    factor, value = convention.factor(n, family), number(convention.parameter, value, strict=convention.inverse)
    return factor / value if convention.inverse else factor * value


@spelt
def from_lam(lam, n, kind, family=None):
    """The value with which library `kind` solves our problem with this λ: the inverse of `to_lam`.

    >>> from_lam(2.0, 100, "LogisticRegression"), from_lam(100.0, 100, "Lasso")
    (0.5, 0.5)
    """
    convention = CONVENTIONS[among("kind", kind, CONVENTIONS)]
    factor, lam = convention.factor(n, family), number("lam", lam, strict=convention.inverse)
    return factor / lam if convention.inverse else lam / factor


@spelt
def table(family=None):
    """A pandas DataFrame of the conventions, of one family if given: parameter, objective and conversion to our λ."""
    import pandas as pd

    name = getattr(family, "name", family)
    rows = {
        kind: {"parameter": entry.parameter, "minimises": entry.objective, "ours": entry.formula(name)}
        for kind, entry in CONVENTIONS.items() if name is None or name in entry.losses
    }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index")
