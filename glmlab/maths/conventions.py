"""λ in other libraries: one table that converts their penalty parameters to ours and back.

Our objective adds a penalty to a *sum* of losses: F = Σ wᵢ ℓᵢ + λ(r‖β‖₁ + (1−r)/2 ‖β‖²). Another library divides the
sum by n, halves squares, or multiplies the losses by its parameter instead of the penalty. Its minimiser is ours where
its objective is a multiple of F. That multiple is the conversion; it is read off the library's documentation, and the
tests certify the answer of each library that is installed. Where no multiple is known before the fit, none is given:
the conversion is refused, and the error says why.
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
    refused: dict = {}  # {family: why no λ can be given}
    traps: str = ""  # what surprises a user of that version, as we measured it

    def factor(self, n, family=None):
        """λ = factor · value, or factor ÷ value where the parameter multiplies the losses."""
        return self.per_row(family) * self.squares * (number("n", n, 0.0, strict=True) if self.mean else 1)

    def per_row(self, family=None):
        """Our loss ÷ the library's.

        Raises TypeError where that depends on the family and none is given, ValueError where no λ can be given.
        """
        name, known = getattr(family, "name", family), [*self.losses, *self.refused]
        if name is None and (self.refused or len(set(self.losses.values())) > 1):
            raise TypeError(f"{self.parameter} depends on the family: give one of {', '.join(known)}")
        if name is None:
            return next(iter(self.losses.values()))
        if among("family", name, known) in self.refused:
            raise ValueError(f"{self.parameter} has no λ for the family {name}: {self.refused[name]}")
        return self.losses[name]

    def formula(self, family=None):
        """The conversion in text, for each family if they differ."""
        written = {name: self.written(per_row) for name, per_row in self.losses.items()}
        written |= {name: f"no λ: {why}" for name, why in self.refused.items()}
        if family is not None:
            return written[family]
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
SPARK = "GeneralizedLinearRegression multiplies regParam by the rows' mean variance at its own β"
CONVENTIONS = {
    "LogisticRegression": Convention(
        "C", "C Σ w ℓ + Ω (liblinear penalises the intercept, the other solvers do not)",
        SKLEARN + "Logistic regression", {"logistic": 1}, inverse=True, traps="1.9.1: with one event in 10,000 rows "
        "the default tol=1e-4 stops early: the predicted events were 1.5 times the true ones. Give tol=1e-10."),
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
        {"poisson": 1}, mean=True, traps="1.9.1: tol=1e-4 bounds the gradient of the mean loss, which has the unit of "
        "y: where the mean of y is below 1e-4 the default returns coefficients of 0. Give tol=1e-10."),
    "GammaRegressor": Convention(
        "alpha", "1/n Σ w d/2 + alpha/2 ‖β‖², d the unit deviance, log link", SKLEARN + "Generalized Linear Models",
        {"gamma": 1}, mean=True),
    "glmnet": Convention(
        "lambda", "1/n Σ w l + lambda Ω, l the negative log-likelihood, ½(y−η)² for the Gaussian; standardize=FALSE, "
        "and a Gaussian y of unit variance where r < 1",
        "An Introduction to glmnet, Introduction and Linear Regression", HALVES, mean=True),
    "statsmodels": Convention(
        "alpha", "−loglike/n + alpha Ω, ½(y−η)² for OLS and for the Gaussian; GLM with L1_wt > 0, OLS with any L1_wt; "
        "its constant column is penalised too", "GLM.fit_regularized and OLS.fit_regularized, Notes", HALVES, mean=True,
        n="rows", traps="0.15.0: with L1_wt > 0 a coefficient that once was 0 stays 0, and converged is True all the "
        "same. GLM with offset and exposure adds log(exposure) to the caller's own offset at each fit_regularized."),
    "statsmodels.ridge": Convention(
        "alpha", "−loglike/n + alpha/2 ‖β‖² by GLM with L1_wt=0; where there is a scale, loglike has it estimated at β",
        "GLM._fit_ridge", {"logistic": 1, "poisson": 1}, mean=True, n="rows", refused={
            "gaussian": "GLM with L1_wt=0 divides the loss by the scale estimated at its own β; use OLS",
            "gamma": "GLM with L1_wt=0 divides the loss by the scale estimated at its own β"}),
    "glum": Convention(
        "alpha", "1/n Σ w d/2 + alpha Ω, d the unit deviance", "docstring of GeneralizedLinearRegressor",
        HALVES, mean=True, traps="3.4.1: with alpha=0 a column of zeros is a LinAlgError, except for the Gaussian."),
    "dask_glm": Convention(
        "lamduh", "Σ ℓ + lamduh Ω with normalize=False; by default its solvers rescale X first, another problem",
        "dask_glm/families.py and regularizers.py", {"gaussian": 1, "logistic": 1, "poisson": 1}, traps="0.4.0: admm "
        "on k blocks of columns solves the problem of lamduh/k. proximal_grad compares losses without the penalty."),
    "celer": Convention(
        "alpha", "1/(2n) Σ (y−η)² + alpha Ω: Lasso and ElasticNet", "docstrings of celer.Lasso and celer.ElasticNet",
        {"gaussian": 2}, mean=True),
    "celer.LogisticRegression": Convention(
        "C", "Σ ℓ + ‖β‖₁/C", "docstring of celer.LogisticRegression", {"logistic": 1}, inverse=True),
    "skglm": Convention(
        "alpha", "1/(2n) Σ (y−η)² + alpha Ω: Lasso and ElasticNet; 1/n Σ ℓ + alpha ‖β‖₁: SparseLogisticRegression",
        "docstrings of these three", {"gaussian": 2, "logistic": 1}, mean=True),
    "adelie": Convention(
        "lmda", "Σ w l/Σ w + lmda Ω by grpnet with groups of one column, l the negative log-likelihood, ½(y−η)² for "
        "the Gaussian; lmda is an entry of lmda_path", "docstrings of adelie.solver.grpnet and adelie.glm",
        {"gaussian": 2, "logistic": 1, "poisson": 1}, mean=True, traps="1.1.52: at the default tol=1e-7 correlated "
        "columns leave a relative gap of 3e-3, with tol=1e-14 of 4e-10. A path ends early unless early_exit=False."),
    "snapml": Convention(
        "regularizer", "Σ ℓ + regularizer Ω, r = 0 or 1, ½(y−η)² in LinearRegression",
        "docstrings name no formula: measured with 1.17.2", {"gaussian": 2, "logistic": 1},
        traps="1.17.2: fit_intercept=True penalises the intercept, and with dual=False reports it as 0."),
    "group_lasso": Convention(
        "group_reg", "1/(2n) Σ (y−η)² + 2 group_reg ‖β‖₁ by GroupLasso, scale_reg='none', groups of one column",
        "measured with 1.5.0", {"gaussian": 2}, mean=True, squares=2,
        traps="1.5.0: its documentation has the penalty once, its fit minimises the loss plus twice the penalty."),
    "asgl": Convention(
        "lambda1", "1/n Σ (y−η)² + lambda1 ‖β‖₁ by Regressor('lm', 'lasso')", "measured with 2.2.0",
        {"gaussian": 1}, mean=True, traps="2.2.0: its squared loss has no ½."),
    "h2o": Convention(
        "lambda", "1/n Σ w l + lambda Ω, l the negative log-likelihood, ½(y−η)² for the Gaussian; standardize=False, "
        "which is not the default; r is called alpha", "H2O documentation, Generalized Linear Model, Regularization",
        HALVES, mean=True, traps="3.46.0.12: Poisson and Gamma with intercept=False stop short, "
        "often at relative gaps of 1e-4 to 1e-3, also with tight tolerances."),
    "spark.LogisticRegression": Convention(
        "regParam", "1/n Σ w ℓ + regParam Ω with standardization=False, which is not the default; r is elasticNetParam",
        "Spark MLlib guide, Linear methods", {"logistic": 1}, mean=True,
        traps="4.3.0: a constant column has the coefficient 0, without an intercept, too (all three estimators)."),
    "spark.LinearRegression": Convention(
        "regParam", "1/(2n) Σ w (y−η)² + regParam (r‖β‖₁ + (1−r)/(2s) ‖β‖²) with standardization=False, which is not "
        "the default, s the standard deviation of y: ours where s or r is 1", "WeightedLeastSquares.scala",
        {"gaussian": 2}, mean=True, traps="4.3.0: s divides squares even if standardization=False; solver='normal' "
        "takes the one with n, solver='l-bfgs' the one with n − 1, so that their answers differ."),
    "spark.GeneralizedLinearRegression": Convention(
        "regParam", "1/n Σ w d/2 + regParam V/2 ‖β‖², d the unit deviance, log link; V is the mean of the "
        "rows' variances at its own β, for the Gamma 1; for the Gaussian it penalises standardised columns",
        "IterativelyReweightedLeastSquares.scala", {"gamma": 1}, mean=True, refused={
            "gaussian": "GeneralizedLinearRegression penalises standardised columns; use spark.LinearRegression",
            "logistic": SPARK + "; use spark.LogisticRegression", "poisson": SPARK},
        traps="4.3.0: the IRLS normalises its weights at each step, and regParam is multiplied by their mean."),
}  # fmt: skip


@spelt
def to_lam(value, n, kind, family=None):
    """Our λ for the penalty parameter of another library.

    Our λ counts against the sum of the losses; CONVENTIONS says what each library minimises instead.

    Parameters
    ----------
    value : float
        What the library takes.
    n : int or float
        The number of rows, or the sum of their weights (`CONVENTIONS[kind].n` says which); ignored where the library
        does not divide by it.
    kind : str
        A key of CONVENTIONS, the name of an estimator of scikit-learn or of another package.
    family : str or object, optional
        Needed where a library halves squares but not the other losses.

    Returns
    -------
    float
        λ.

    Raises
    ------
    ValueError, TypeError
        That name the parameter, and ValueError that says why where a library's λ is known only after its fit.

    Examples
    --------
    >>> from glmlab.maths.conventions import to_lam
    >>> to_lam(0.5, 100, "LogisticRegression"), to_lam(0.5, 100, "Lasso")
    (2.0, 100.0)
    >>> to_lam(0.5, 100, "glmnet", "logistic")
    50.0
    """
    convention = CONVENTIONS[among("kind", kind, CONVENTIONS)]
    factor, value = convention.factor(n, family), number(convention.parameter, value, strict=convention.inverse)
    return factor / value if convention.inverse else factor * value


@spelt
def from_lam(lam, n, kind, family=None):
    """The value with which a library solves our problem with this λ: the inverse of `to_lam`.

    Parameters
    ----------
    lam : float
        λ.
    n, kind, family : as in `to_lam`

    Returns
    -------
    float
        The library's parameter.

    Raises
    ------
    ValueError, TypeError
        As `to_lam` does.

    Examples
    --------
    >>> from glmlab.maths.conventions import from_lam
    >>> from_lam(2.0, 100, "LogisticRegression"), from_lam(100.0, 100, "Lasso")
    (0.5, 0.5)
    """
    convention = CONVENTIONS[among("kind", kind, CONVENTIONS)]
    factor, lam = convention.factor(n, family), number("lam", lam, strict=convention.inverse)
    return factor / lam if convention.inverse else lam / factor


@spelt
def table(family=None):
    """The penalty parameters of other libraries as a table.

    Parameters
    ----------
    family : str or object, optional
        Of this family only.

    Returns
    -------
    pandas.DataFrame
        A row for each library: parameter, what the library minimises, the conversion to our λ, its source, and traps.

    Examples
    --------
    >>> from glmlab.maths.conventions import table
    >>> table("logistic").ours["LogisticRegression"]
    'λ = 1/C'
    """
    import pandas as pd

    name = getattr(family, "name", family)
    rows = {
        kind: {"parameter": entry.parameter, "minimises": entry.objective, "ours": entry.formula(name),
               "source": entry.source, "traps": entry.traps}
        for kind, entry in CONVENTIONS.items() if name is None or name in {**entry.losses, **entry.refused}
    }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index")
