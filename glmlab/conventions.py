"""What λ is called elsewhere: one table that converts the penalty weights of other libraries to ours and back.

Ours multiplies a penalty that stands beside a *sum* of losses (families.py), F = Σ wᵢ ℓᵢ + λ(r‖β‖₁ + (1−r)/2 ‖β‖²).
Another library divides that sum by n, halves squares, or weighs the losses instead. Its minimiser is ours as soon as
its objective is a multiple of F: each conversion is that multiple, read off the objective that its documentation gives.
"""

from typing import NamedTuple

from glmlab.checks import number
from glmlab.names import among, spelt

HALVES = {"gaussian": 2, "logistic": 1, "poisson": 1, "gamma": 1}  # least squares are halved, ours are not


class Convention(NamedTuple):
    """How one library weighs its penalty."""

    parameter: str  # what it calls the weight
    objective: str  # what it minimises, in our letters; Ω = r‖β‖₁ + (1−r)/2 ‖β‖²
    source: str  # where it says so
    losses: dict  # family → how many of its losses make one of ours
    mean: bool = False  # does it divide the losses by n?
    squares: int = 1  # how many of our Ω make its penalty
    inverse: bool = False  # does the parameter multiply the losses instead of the penalty?
    n: str = "Σ w"  # what n is where rows have weights

    def factor(self, n, family=None):
        """λ = factor · value, or factor ÷ value for an inverse one."""
        return self.per_row(family) * self.squares * (number("n", n, 0.0, strict=True) if self.mean else 1)

    def per_row(self, family):
        """How many of its losses make one of ours; the family matters where they are not the same for all."""
        if family is None and len(set(self.losses.values())) == 1:
            return next(iter(self.losses.values()))
        if family is None:
            raise TypeError(f"{self.parameter} depends on the family: give one of {', '.join(self.losses)}")
        return self.losses[among("family", getattr(family, "name", family), self.losses)]

    def formula(self, family=None):
        """The conversion as one writes it, for each family if it differs."""
        families = list(self.losses) if family is None else [family]
        written = {name: self.written(self.per_row(name) * self.squares) for name in families}
        if len(set(written.values())) == 1:
            return written[families[0]]
        return "; ".join(f"{text} ({name})" for name, text in written.items())

    def written(self, count):
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
    or the sum of their weights (`CONVENTIONS[kind].n` says which); not used by those that do not divide. family: needed
    by packages that halve squares but not the other losses. Raises ValueError or TypeError naming what is wrong.

    >>> to_lam(0.5, 100, "LogisticRegression"), to_lam(0.5, 100, "Lasso"), to_lam(0.5, 100, "glmnet", "logistic")
    (2.0, 100.0, 50.0)
    """
    convention = CONVENTIONS[among("kind", kind, CONVENTIONS)]
    factor, value = convention.factor(n, family), number(convention.parameter, value, strict=convention.inverse)
    return factor / value if convention.inverse else factor * value


@spelt
def from_lam(lam, n, kind, family=None):
    """What library `kind` must be given so that it solves our problem with this λ: the inverse of `to_lam`.

    >>> from_lam(2.0, 100, "LogisticRegression"), from_lam(100.0, 100, "Lasso")
    (0.5, 0.5)
    """
    convention = CONVENTIONS[among("kind", kind, CONVENTIONS)]
    factor, lam = convention.factor(n, family), number("lam", lam, strict=convention.inverse)
    return factor / lam if convention.inverse else lam / factor


@spelt
def table(family=None):
    """A pandas DataFrame of all conventions (of those that fit the family): what each minimises, and its λ in ours."""
    import pandas as pd

    name = getattr(family, "name", family)
    rows = {
        kind: {"parameter": entry.parameter, "minimises": entry.objective, "ours": entry.formula(name)}
        for kind, entry in CONVENTIONS.items() if name is None or name in entry.losses
    }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index")
