"""The second exercise of notebook 07: λ in other libraries."""

from functools import cache
from typing import NamedTuple

import numpy as np

from glmlab.maths.family import sigmoid

from .exercise import Exercise, require
from .guard import one_number


def to_lam(value, n, kind):
    if kind == "LogisticRegression":
        return 1 / value
    return n * value if kind == "SGDClassifier" else 2 * n * value


TO_LAM = Exercise(
    name="to_lam",
    statement=(
        "Our F is Σ ℓ + λ(‖β‖₁ or ½‖β‖₂²), with ℓ = (y − η)² for least squares. kind is 'LogisticRegression' (it "
        "minimises C Σ ℓ + Ω, value is C), 'SGDClassifier' (1/n Σ ℓ + alpha Ω) or 'Lasso' (1/(2n) Σ (y − η)² + "
        "alpha‖β‖₁), with Ω = ‖β‖₁ or ½‖β‖₂². Return the λ with which our minimiser is theirs."
    ),
    stub='''
    def to_lam(value, n, kind):
        """Our lam. value is the C of 'LogisticRegression' or the alpha of 'SGDClassifier' or 'Lasso', on n rows."""
        raise NotImplementedError
    ''',
    reference=to_lam,
    hints=(
        "A minimiser stays when the objective is multiplied by a positive number. Which number makes their loss ours?",
        "Divide by C; multiply by n; multiply by 2n. Then read off what stands before the penalty.",
        "1 / value for 'LogisticRegression', n * value for 'SGDClassifier', 2 * n * value for 'Lasso'.",
    ),
)


class Fit(NamedTuple):
    """The answer of scikit-learn for a value of its penalty parameter, and the λ whose optimum that answer is."""

    kind: str
    value: float
    n: int
    lam: float  # from its coefficients: −∇f = λβ for a ridge, ‖∇f‖∞ = λ for the lasso
    digits: float  # the relative error allowed in that λ: scikit-learn is not exact


@cache
def fits():
    """Small fits by scikit-learn, made once in a session."""
    from sklearn.linear_model import Lasso, LogisticRegression, SGDClassifier

    found = []
    for seed, n, C in ((810, 60, 0.3), (811, 150, 5.0)):
        X, y = rows(seed, n)
        beta = LogisticRegression(C=C, fit_intercept=False, tol=1e-10).fit(X, y).coef_[0]
        found.append(Fit("LogisticRegression", C, n, ridge_lam(X, y, beta), 1e-3))
        alpha = 0.05 * C
        options = {"loss": "log_loss", "average": True, "fit_intercept": False, "tol": None, "max_iter": 1_000}
        beta = SGDClassifier(alpha=alpha, random_state=0, **options).fit(X, y).coef_[0]
        found.append(Fit("SGDClassifier", alpha, n, ridge_lam(X, y, beta), 0.2))
        alpha = 0.02 * C
        beta = Lasso(alpha, fit_intercept=False, tol=1e-12, max_iter=10_000).fit(X, y).coef_
        found.append(Fit("Lasso", alpha, n, float(np.abs(2 * X.T @ (X @ beta - y)).max()), 1e-3))
    return found


def rows(seed, n):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return X, (X @ [1.0, -0.5, 0.2] + rng.normal(size=n) > 0).astype(float)


def ridge_lam(X, y, beta):
    """The λ for which ‖∇f + λβ‖ is least."""
    return float(-beta @ (X.T @ (sigmoid(X @ beta) - y)) / (beta @ beta))


KINDS = ("LogisticRegression", "SGDClassifier", "Lasso")


def a_lam(to_lam, value, n, kind):
    where = f"for ({value:g}, {n}, {kind!r})"
    answer = one_number(to_lam(value, n, kind), where, hint="return the number λ")
    positive = "λ is positive and finite, and rarely a whole number"
    require(np.isfinite(answer) and answer > 0, f"{where} it returned {answer:g}", positive)
    return answer


@TO_LAM.condition(
    "more of theirs is more of ours, or less",
    hint="alpha weighs the penalty, C the losses: a large C is a small penalty. Divide the objective by C",
)
def lam_grows(to_lam):
    for kind in KINDS:
        small, large = (a_lam(to_lam, value, 100, kind) for value in (0.1, 0.3))
        ratio, expected = large / small, 1 / 3 if kind == "LogisticRegression" else 3
        words = f"for {kind}, three times the value made λ {ratio:.3g} times as large"
        require(abs(ratio / expected - 1) < 1e-9, words)


@TO_LAM.condition(
    "every row twice",
    hint="mean or sum? If all rows come twice, a mean stays and our sum doubles: the same alpha must then be twice "
    "the λ. C stands beside a sum already",
)
def lam_of_duplicates(to_lam):
    for kind in KINDS:
        once, twice = (a_lam(to_lam, 0.1, n, kind) for n in (500, 1000))
        expected = 1 if kind == "LogisticRegression" else 2
        words = f"for {kind} and the same value, λ is {once:.4g} on 500 rows and {twice:.4g} on 1000"
        require(abs(twice / once - expected) < 1e-9, words)


FACTORS = {
    "LogisticRegression": "C Σ ℓ + Ω divided by C is ours: 1/C stands before Ω, and no other factor",
    "SGDClassifier": "(1/n) Σ ℓ + alpha Ω times n is ours: read off what then stands before Ω",
    "Lasso": "their loss is (1/2n) Σ (y − η)², ours has no ½: multiply their objective by 2n",
}


@TO_LAM.condition(
    "scikit-learn's answer obeys our KKT conditions",
    hint="multiply their objective until its loss is ours; what then stands before Ω is λ",
)
def lam_of_peers(to_lam):
    for fit in fits():
        lam = a_lam(to_lam, fit.value, fit.n, fit.kind)
        words = f"{fit.kind} with {fit.value:g} on {fit.n} rows found coefficients that obey λ = {fit.lam:.4g}"
        require(abs(lam / fit.lam - 1) <= fit.digits, f"{words}; it says {lam:.4g}", FACTORS[fit.kind])
