"""The exercises of notebook 07: right answers written otherwise, and wrong ones with their misunderstanding."""

import numpy as np
import pytest
from answers import called, rejected
from scipy.special import expit, gammaln, xlogy

from glmlab import L1, Gamma, certify, fit
from glmlab.maths.families import Family, Logistic
from glmlab.maths.penalties import shrinkage
from glmlab.maths.quadratic import minimise_model
from glmlab.teaching import check, exercise
from glmlab.teaching.exercises07 import fits, models


def reference(name):
    return exercise(name).reference


# ---------------------------------------------------------------- gamma


@called("gamma")
def by_the_mean(eta, y):
    mu = np.exp(eta)
    return y / mu + np.log(mu), (mu - y) / mu, y / mu


@called("gamma")
def by_half_the_deviance(eta, y):
    """With the terms in y alone that make it 0 at μ = y."""
    move = np.log(y) - eta
    return np.exp(move) - 1 - move, -np.expm1(move), np.exp(move)


@called("gamma")
def by_the_package(eta, y):
    family = Gamma()
    return family.loss(eta, y), family.dloss(eta, y), family.d2loss(eta, y)


@pytest.mark.parametrize("right", [by_the_mean, by_half_the_deviance, by_the_package])
def test_gamma_written_otherwise(right):
    assert check(right), check(right).message


FINITE, LOWEST = "any linear predictor is allowed", "lowest where the mean is y"
SLOPES, CONVEX, CANCEL = "d1 is the derivative of the loss, d2 that of d1", "convex in η", "slopes cancel at the truth"


def by_the_log_of_a_density(eta, y):
    mu = np.exp(eta)
    return -np.log(np.exp(-y / mu) / mu), 1 - y / mu, y / mu


@pytest.mark.parametrize(("wrong", "condition"), [
    pytest.param(lambda eta, y: (y * eta - np.log(eta), y - 1 / eta, 1 / eta**2), FINITE, id="the inverse link"),
    pytest.param(by_the_log_of_a_density, FINITE, id="the log of what underflows"),
    pytest.param(lambda eta, y: (y * np.exp(-eta) + eta, 1 - y * np.exp(-eta), np.ones_like(eta)), SLOPES,
                 id="Fisher is Hessian"),
    pytest.param(lambda eta, y: (np.exp(eta) - y * eta, np.exp(eta) - y, np.exp(eta)), LOWEST, id="the Poisson's"),
    pytest.param(lambda eta, y: (y * np.exp(eta) - eta, y * np.exp(eta) - 1, y * np.exp(eta)), LOWEST,
                 id="mean e^(−η)"),
    pytest.param(lambda eta, y: (y * np.exp(-eta), -y * np.exp(-eta), y * np.exp(-eta)), LOWEST, id="without log μ"),
    pytest.param(lambda eta, y: (y * np.exp(-eta) + eta, y * np.exp(-eta) - 1, y * np.exp(-eta)), SLOPES,
                 id="the sign of d1"),
    pytest.param(lambda eta, y: (y * np.exp(-eta) + eta, 1 - y * np.exp(-eta), -y * np.exp(-eta)), SLOPES,
                 id="the sign of d2"),
    pytest.param(lambda eta, y: tuple(2 * part for part in by_the_mean(eta, y)), LOWEST,
                 id="the deviance, not half of it"),
    pytest.param(lambda eta, y: (np.sum(y * np.exp(-eta) + eta), 1 - y * np.exp(-eta), y * np.exp(-eta)), FINITE,
                 id="summed over rows"),
])  # fmt: skip
def test_gamma_wrong(wrong, condition):
    rejected(called("gamma")(wrong), condition)


@pytest.mark.parametrize("condition", [CONVEX, CANCEL])
def test_the_last_conditions_on_gamma_can_fail(condition):
    """Nothing that passes the others breaks them, but they must hold for themselves."""
    [found] = [one for one in exercise("gamma").checks if one.name == condition]
    with pytest.raises(AssertionError):
        found.run(lambda eta, y: (y * np.exp(-eta) + eta, 1.1 - y * np.exp(-eta), -y * np.exp(-eta)))


# ---------------------------------------------------------------- prox_newton


@called("prox_newton")
def by_active_sets(q, H, beta, lam):
    return minimise_model(L1(lam), beta, q, H).point


@called("prox_newton")
def by_accelerated_prox_gradient(q, H, beta, lam):
    values = np.linalg.eigvalsh(H)
    root = np.sqrt(values[-1] / values[0])
    v = old = np.array(beta, dtype=float)
    for _ in range(int(60 * root) + 60):
        ahead = v + (root - 1) / (root + 1) * (v - old)
        old, v = v, shrinkage(ahead - (q + H @ (ahead - beta)) / values[-1], lam / values[-1])
    return v


@pytest.mark.parametrize("right", [by_active_sets, by_accelerated_prox_gradient])
def test_prox_newton_written_otherwise(right):
    assert check(right), check(right).message


def newton_point(q, H, beta):
    return beta - np.linalg.solve(H, q)


def a_few_sweeps(q, H, beta, lam):
    v = beta.copy()
    for _ in range(3):
        for j in range(len(v)):
            s = q[j] + H[j] @ (v - beta)
            v[j] = shrinkage(v[j] - s / H[j, j], lam / H[j, j])
    return v


NEWTON, STAY = "Newton's step where lam = 0", "zeros stay where no slope exceeds lam"
MINIMUM, FIXED = "the model's minimum, whatever the metric", "fixed exactly where F is optimal"


@pytest.mark.parametrize(("wrong", "condition"), [
    pytest.param(lambda q, H, beta, lam: shrinkage(newton_point(q, H, beta), lam / np.diag(H)), MINIMUM,
                 id="Newton, then shrink by the diagonal"),
    pytest.param(lambda q, H, beta, lam: shrinkage(newton_point(q, H, beta), lam / np.linalg.eigvalsh(H)[0]), MINIMUM,
                 id="Newton, then shrink by the flattest"),
    pytest.param(lambda q, H, beta, lam: shrinkage(newton_point(q, H, beta), lam), MINIMUM, id="Newton, then shrink"),
    pytest.param(lambda q, H, beta, lam: newton_point(q + lam * np.sign(beta), H, beta), STAY, id="sign is a gradient"),
    pytest.param(lambda q, H, beta, lam: newton_point(q, H, beta), STAY, id="no penalty"),
    pytest.param(lambda q, H, beta, lam: shrinkage(beta - q / np.diag(H), lam / np.diag(H)), NEWTON,
                 id="the diagonal alone"),
    pytest.param(lambda q, H, beta, lam: by_active_sets(q, H, beta, lam) - beta, NEWTON, id="the way, not the point"),
    pytest.param(lambda q, H, beta, lam: by_active_sets(q, H / 2, beta, lam), NEWTON, id="without the ½"),
    pytest.param(lambda q, H, beta, lam: by_active_sets(q, H, 0 * beta, lam), NEWTON, id="from 0, not from beta"),
    pytest.param(lambda q, H, beta, lam: by_active_sets(q, H, beta, lam / 2), STAY, id="half of λ"),
    pytest.param(lambda q, H, beta, lam: by_active_sets(q, H, beta, lam) if lam == 0 else a_few_sweeps(q, H, beta, lam),
                 MINIMUM, id="three sweeps"),
    pytest.param(lambda q, H, beta, lam: by_active_sets(q, H, beta, lam)[:1], NEWTON, id="one coordinate"),
])  # fmt: skip
def test_prox_newton_wrong(wrong, condition):
    rejected(called("prox_newton")(wrong), condition)


def test_fixed_points_are_a_condition_of_their_own():
    [found] = [one for one in exercise("prox_newton").checks if one.name == FIXED]
    with pytest.raises(AssertionError, match="moved by"):
        found.run(lambda q, H, beta, lam: by_active_sets(q, H, beta, 1.01 * lam))
    found.run(by_active_sets)


def test_models_have_zeros_and_lean():
    points = [by_active_sets(*model) for model in models(1)]
    assert any(0 < np.mean(point == 0) < 1 for point in points) and any(np.all(point != 0) for point in points)
    assert any(np.linalg.cond(model.H) > 10 for model in models(1))


# ---------------------------------------------------------------- to_lam


@called("to_lam")
def by_the_table(value, n, kind):
    from glmlab.maths.conventions import to_lam

    return to_lam(value, n, kind)


@called("to_lam")
def by_the_loss(value, n, kind):
    """What their objective must be multiplied by, times what stands before Ω."""
    before, losses = (1, value) if kind == "LogisticRegression" else (value, 1 / n)
    return before / (losses / 2 if kind == "Lasso" else losses)


@pytest.mark.parametrize("right", [by_the_table, by_the_loss])
def test_to_lam_written_otherwise(right):
    assert check(right), check(right).message


def lam_but(kind_of_error, change):
    def to_lam(value, n, kind):
        return change(value, n) if kind == kind_of_error else by_the_table(value, n, kind)

    return to_lam


MORE, TWICE, OBEYS = (
    "more of theirs is more of ours, or less", "every row twice", "scikit-learn's answer obeys our KKT conditions",
)  # fmt: skip


@pytest.mark.parametrize(("wrong", "condition"), [
    pytest.param(lam_but("LogisticRegression", lambda value, n: value), MORE, id="λ = C"),
    pytest.param(lam_but("SGDClassifier", lambda value, n: value), TWICE, id="λ = alpha of SGD"),
    pytest.param(lam_but("Lasso", lambda value, n: value), TWICE, id="λ = alpha of Lasso"),
    pytest.param(lam_but("LogisticRegression", lambda value, n: n / value), TWICE, id="C beside a mean"),
    pytest.param(lam_but("LogisticRegression", lambda value, n: 1 / (n * value)), TWICE, id="divided by n once more"),
    pytest.param(lam_but("LogisticRegression", lambda value, n: 1 / (2 * value)), OBEYS, id="half of 1/C"),
    pytest.param(lam_but("Lasso", lambda value, n: n * value), OBEYS, id="the ½ forgotten"),
    pytest.param(lam_but("SGDClassifier", lambda value, n: 2 * n * value), OBEYS, id="a ½ too many"),
    pytest.param(lam_but("SGDClassifier", lambda value, n: 1 / (n * value)), MORE, id="alpha is 1/(nC)"),
    pytest.param(lambda value, n, kind: "2 n alpha", MORE, id="words"),
])  # fmt: skip
def test_to_lam_wrong(wrong, condition):
    rejected(called("to_lam")(wrong), condition)


def test_what_scikit_learn_found_is_near_what_its_documentation_says():
    for found in fits():
        assert by_the_table(found.value, found.n, found.kind) == pytest.approx(found.lam, rel=found.digits)


# ---------------------------------------------------------------- NegativeBinomial


def family_of(**methods):
    """A class with the reference's methods, but for some."""
    return type("NegativeBinomial", (reference("NegativeBinomial"),), methods)


class ByItsFormula(Family):
    """As the statement has it, with the conjugate."""

    def __init__(self, r):
        self.n_extra, self.log_r = float(r), np.log(r)

    def loss(self, eta, y):
        return (y + self.n_extra) * np.logaddexp(self.log_r, eta) - y * eta

    def dloss(self, eta, y):
        return (y + self.n_extra) * expit(eta - self.log_r) - y

    def d2loss(self, eta, y):
        return (y + self.n_extra) * expit(eta - self.log_r) * expit(self.log_r - eta)

    def conjugate(self, theta, y):
        N, m = y + self.n_extra, theta + y
        inside = xlogy(m, m) + xlogy(N - m, np.maximum(N - m, 0)) - N * np.log(N) - (N - m) * self.log_r
        return np.where((m >= 0) & (m <= N), inside, np.inf)


class ByItsDensity(ByItsFormula):
    """With terms in y alone, and a price of its own."""

    def __init__(self, r):
        super().__init__(r)
        self.r = r

    def loss(self, eta, y):
        return super().loss(eta, y) - gammaln(y + self.r) + gammaln(self.r) + gammaln(y + 1) - self.r * self.log_r

    def price(self, t, eta, y):
        return (y + self.r) * Logistic().price(t, eta - self.log_r, 0 * y)


@pytest.mark.parametrize("right", [ByItsFormula, ByItsDensity])
def test_negative_binomial_written_otherwise(right):
    right = type("NegativeBinomial", (right,), {})
    assert check(right), check(right).message


def naive_loss(self, eta, y):
    return (y + self.r) * np.log(self.r + np.exp(eta)) - y * eta


def fisher(self, eta, y):
    mu = np.exp(np.clip(eta, None, 700))
    return self.r * mu / (self.r + mu)


def unweighted(self, t, eta, y):
    return Logistic().price(t, eta - np.log(self.r), y)


def unshifted(self, t, eta, y):
    return (y + self.r) * Logistic().price(t, eta, y)


def inverted(name):
    method = getattr(reference("NegativeBinomial"), name)

    def with_one_over_r(self, *args):
        return method(reference("NegativeBinomial")(1 / self.r), *args)

    return with_one_over_r


METHODS = ("loss", "dloss", "d2loss", "price")


@pytest.mark.parametrize(("methods", "condition"), [
    pytest.param({"loss": naive_loss}, "finite at any η, and convex", id="overflows"),
    pytest.param({"d2loss": fisher}, "derivatives of its loss", id="Fisher is Hessian"),
    pytest.param({"dloss": lambda self, eta, y: np.exp(np.clip(eta, None, 700)) - y}, "derivatives of its loss",
                 id="the Poisson's slope"),
    pytest.param({name: inverted(name) for name in METHODS}, "the density's own loss", id="1/r for r"),
    pytest.param({"price": unweighted}, "the price of a slope", id="price without its weight"),
    pytest.param({"price": unshifted}, "the price of a slope", id="price at η"),
    pytest.param({"price": lambda self, t, eta, y: self.d2loss(eta, y) * t**2 / 2}, "the price of a slope",
                 id="the quadratic price"),
    pytest.param({"loss": lambda self, eta, y: 0.0}, "finite at any η, and convex", id="one number"),
])  # fmt: skip
def test_negative_binomial_wrong(methods, condition):
    rejected(family_of(**methods), condition)


def test_a_negative_binomial_without_a_price_is_named():
    class NegativeBinomial:
        def __init__(self, r):
            self.r = r

        loss = dloss = d2loss = lambda self, eta, y: eta

    assert "has no price" in check(NegativeBinomial).message


def test_the_readers_family_is_certified():
    """Against scipy's minimum, and statsmodels' coefficients."""
    import statsmodels.api as sm

    rng = np.random.default_rng(5)
    X = np.column_stack([np.ones(400), rng.normal(size=(400, 2))])
    y = rng.poisson(np.exp(X @ [0.5, 0.4, -0.3]) * rng.gamma(2.0, 0.5, size=400)).astype(float)
    theirs = sm.GLM(y, X, family=sm.families.NegativeBinomial(alpha=0.5)).fit(tol=1e-12).params
    for family in (reference("NegativeBinomial")(2.0), ByItsFormula(2.0)):
        ours = fit(X, y, family=family, tol=1e-10)
        assert ours.converged and np.allclose(ours.beta, theirs, atol=1e-5)
        for beta in (np.zeros(3), theirs + 0.1):
            gap = family.loss(X @ beta, y).sum() - family.loss(X @ theirs, y).sum()
            assert gap <= certify(X, y, beta, family=family).bound <= 1.05 * gap
