"""A loss, a Newton step and λ in notebook 07: right answers written otherwise, and wrong ones with their mistakes."""

import numpy as np
import pytest
from answers import accepted, rejected
from scipy.optimize import minimize
from scipy.special import xlogy

from glmlab import L1, Gamma
from glmlab.maths.conventions import to_lam as by_the_package
from glmlab.maths.penalties import shrinkage
from glmlab.maths.quadratic import minimise_model
from glmlab.teaching.exercises07 import models
from glmlab.teaching.exercises07_conventions import fits

# ---------------------------------------------------------------- gamma


def by_the_mean(eta, y):
    mu = np.exp(eta)
    return y / mu + np.log(mu), (mu - y) / mu, y / mu


def by_half_the_deviance(eta, y):
    """With the terms in y alone that make it 0 at μ = y."""
    move = np.log(y) - eta
    return np.exp(move) - 1 - move, -np.expm1(move), np.exp(move)


def by_the_family(eta, y):
    family = Gamma()
    return family.loss(eta, y), family.dloss(eta, y), family.d2loss(eta, y)


def row_by_row(eta, y):
    """Three lists."""
    rows = [(t / np.exp(e) + e, 1 - t / np.exp(e), t / np.exp(e)) for e, t in zip(eta, y, strict=True)]
    return [list(part) for part in zip(*rows, strict=True)]


def by_logarithms(eta, y):
    ratio = np.exp(np.log(y) - eta)
    return np.stack([ratio + xlogy(1.0, np.exp(eta)), -(ratio - 1), ratio.copy()])[0], 1 - ratio, ratio


@pytest.mark.parametrize("right", [by_the_mean, by_half_the_deviance, by_the_family, row_by_row, by_logarithms])
def test_gamma_written_otherwise(right):
    accepted("gamma", right)


FINITE, LOWEST = "any linear predictor is allowed", "lowest where the mean is y"
SLOPES = "d1 is the derivative of the loss, d2 that of d1"


def by_the_log_of_a_density(eta, y):
    mu = np.exp(eta)
    return -np.log(np.exp(-y / mu) / mu), 1 - y / mu, y / mu


def but(loss=lambda eta, ratio: ratio + eta, d1=lambda ratio: 1 - ratio, d2=lambda ratio: ratio):
    """An answer that is right but for one thing."""

    def gamma(eta, y):
        ratio = y * np.exp(-eta)
        return loss(eta, ratio), d1(ratio), d2(ratio)

    return gamma


@pytest.mark.parametrize(("wrong", "condition", "says"), [
    pytest.param(lambda eta, y: (y * eta - np.log(eta), y - 1 / eta, 1 / eta**2), FINITE, "the canonical one",
                 id="the inverse link"),
    pytest.param(by_the_log_of_a_density, FINITE, "no logarithm of what", id="the log of what underflows"),
    pytest.param(but(loss=lambda eta, ratio: np.sum(ratio + eta)), FINITE, "no sum", id="summed over rows"),
    pytest.param(lambda eta, y: by_the_mean(eta, y)[0], FINITE, "return loss, d1, d2", id="the loss alone"),
    pytest.param(lambda eta, y: [part.astype(np.float32) for part in by_the_mean(eta, y)], FINITE,
                 "float32 keeps 7 digits", id="float32"),
    pytest.param(but(d2=lambda ratio: np.ones_like(ratio)), SLOPES, "Fisher information", id="Fisher is Hessian"),
    pytest.param(lambda eta, y: (np.exp(eta) - y * eta, np.exp(eta) - y, np.exp(eta)), LOWEST, "−log of the density",
                 id="the Poisson's"),
    pytest.param(lambda eta, y: (y * np.exp(eta) - eta, y * np.exp(eta) - 1, y * np.exp(eta)), LOWEST,
                 "μ in the right place", id="mean e^(−η)"),
    pytest.param(but(loss=lambda eta, ratio: ratio), LOWEST, "log μ is missing", id="without log μ"),
    pytest.param(but(loss=lambda eta, ratio: eta), LOWEST, "y/μ is missing", id="without y/μ"),
    pytest.param(but(loss=lambda eta, ratio: -ratio - eta), LOWEST, "the other sign", id="log density"),
    pytest.param(but(d1=lambda ratio: ratio - 1), SLOPES, "the sign of d1", id="the sign of d1"),
    pytest.param(but(d2=lambda ratio: -ratio), SLOPES, "the sign of d2", id="the sign of d2"),
    pytest.param(lambda eta, y: (by_the_mean(eta, y)[0], (1 - y * np.exp(-eta)) * np.exp(-eta), y * np.exp(-eta)),
                 SLOPES, "not in μ", id="the derivative in μ"),
    pytest.param(lambda eta, y: tuple(2 * part for part in by_the_mean(eta, y)), LOWEST, "the deviance",
                 id="the deviance, not half of it"),
    pytest.param(lambda eta, y: by_the_mean(eta, y)[::-1], LOWEST, "in this order", id="the wrong order"),
    pytest.param(lambda eta, y: by_the_mean(np.clip(eta, -20, 20), y), SLOPES, "clip neither", id="η clipped"),
])  # fmt: skip
def test_gamma_wrong(wrong, condition, says):
    with np.errstate(all="ignore"):
        rejected("gamma", wrong, condition, says)


# ---------------------------------------------------------------- prox_newton


def by_active_sets(q, H, beta, lam):
    return minimise_model(L1(lam), beta, q, H).point


def by_accelerated_prox_gradient(q, H, beta, lam):
    values = np.linalg.eigvalsh(H)
    root = np.sqrt(values[-1] / values[0])
    v = old = np.array(beta, dtype=float)
    for _ in range(int(60 * root) + 60):
        ahead = v + (root - 1) / (root + 1) * (v - old)
        old, v = v, shrinkage(ahead - (q + H @ (ahead - beta)) / values[-1], lam / values[-1])
    return v


def by_bounded_parts(q, H, beta, lam):
    """v = a − b with a, b ≥ 0, which has a gradient; the active set that it finds is then solved."""
    p, start = len(q), np.concatenate([np.maximum(beta, 0), np.maximum(-beta, 0)])

    def value(parts):
        d = parts[:p] - parts[p:] - beta
        slope = q + H @ d
        return q @ d + d @ H @ d / 2 + lam * parts.sum(), np.concatenate([slope + lam, lam - slope])

    found = minimize(value, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * (2 * p),
                     options={"ftol": 1e-16, "gtol": 1e-10, "maxiter": 5_000}).x  # fmt: skip
    v = found[:p] - found[p:]
    on = np.abs(v) > 1e-6 * np.abs(v).max()
    solved = np.zeros(p)
    solved[on] = np.linalg.solve(H[np.ix_(on, on)], (H @ beta - q - lam * np.sign(v))[on])
    return solved


def by_admm(q, H, beta, lam):
    """The quadratic and the penalty take turns."""
    rho = np.sqrt(np.prod(np.linalg.eigvalsh(H)[[0, -1]]))
    inverse, pull = np.linalg.inv(H + rho * np.eye(len(q))), H @ beta - q
    z, u = np.zeros(len(q)), np.zeros(len(q))
    for _ in range(2_000):
        x = inverse @ (pull + rho * (z - u))
        z = shrinkage(x + u, lam / rho)
        u = u + x - z
    return z


def by_sweeps(sweeps):
    """So many sweeps of coordinate descent."""

    def prox_newton(q, H, beta, lam):
        v = np.array(beta, dtype=float)
        for _ in range(sweeps):
            for j in range(len(v)):
                s = q[j] + H[j] @ (v - beta)
                v[j] = shrinkage(v[j] - s / H[j, j], lam / H[j, j])
        return v

    return prox_newton


@pytest.mark.parametrize("right", [
    by_active_sets, by_accelerated_prox_gradient, by_bounded_parts, by_admm, by_sweeps(1_500),
], ids=["active sets", "accelerated", "bounded parts", "ADMM", "sweeps"])
def test_prox_newton_written_otherwise(right):
    accepted("prox_newton", right)


def newton_point(q, H, beta):
    return beta - np.linalg.solve(H, q)


def first_newton(change):
    """Right without a penalty; with one, `change`."""
    return lambda q, H, beta, lam: newton_point(q, H, beta) if lam == 0 else change(q, H, beta, lam)


def proximal_gradient(steps):
    def prox_newton(q, H, beta, lam):
        v, L = beta, np.linalg.eigvalsh(H)[-1]
        for _ in range(steps):
            v = shrinkage(v - (q + H @ (v - beta)) / L, lam / L)
        return v

    return prox_newton


def just_short(q, H, beta, lam):
    """Goes on until a proximal step moves by less than a part in ten million, and may be farther away than that."""
    v, L = np.array(beta, dtype=float), np.linalg.eigvalsh(H)[-1]
    for _ in range(100_000):
        new = shrinkage(v - (q + H @ (v - beta)) / L, lam / L)
        if np.linalg.norm(new - v) <= 1e-7 * np.linalg.norm(v):
            break
        v = new
    return v


def smoothed(q, H, beta, lam):
    """|v| ≈ √(v² + ε²), by Newton: no zero is exact."""
    v, eps = np.array(newton_point(q, H, beta)), 1.0
    while eps > 1e-13:
        for _ in range(20):
            size = np.sqrt(v**2 + eps**2)
            v = v - np.linalg.solve(H + np.diag(lam * eps**2 / size**3), q + H @ (v - beta) + lam * v / size)
        eps /= 2
    return v


def with_sign(q, H, beta, lam):
    return newton_point(q + lam * np.sign(beta), H, beta)


NEWTON, STAY = "Newton's step where lam = 0", "zeros stay where no slope exceeds lam"
MINIMUM, ENDS = "the model's minimum, whatever the metric", "an iteration ends when no coordinate moves"


def sweeping(enough):
    """Coordinate descent until the moves of a sweep are `enough`."""

    def prox_newton(q, H, beta, lam):
        v = np.zeros(len(q))
        for _ in range(20_000):
            old = v.copy()
            for j in range(len(v)):
                s = q[j] + H[j] @ (v - beta)
                v[j] = shrinkage(v[j] - s / H[j, j], lam / H[j, j])
            if enough(v - old, v):
                break
        return v

    return prox_newton


def all_at_once(q, H, beta, lam):
    v, h = beta, np.diag(H)
    with np.errstate(all="ignore"):
        for _ in range(20_000):
            v = shrinkage(v - (q + H @ (v - beta)) / h, lam / h)
    return v


@pytest.mark.parametrize(("wrong", "condition", "says"), [
    pytest.param(lambda q, H, beta, lam: shrinkage(newton_point(q, H, beta), lam / np.diag(H)), MINIMUM,
                 "a diagonal H only", id="Newton, then shrink by the diagonal"),
    pytest.param(lambda q, H, beta, lam: shrinkage(newton_point(q, H, beta), lam / np.linalg.eigvalsh(H)[0]), MINIMUM,
                 "a diagonal H only", id="Newton, then shrink by the flattest"),
    pytest.param(lambda q, H, beta, lam: shrinkage(newton_point(q, H, beta), lam), MINIMUM, "a diagonal H",
                 id="Newton, then shrink"),
    pytest.param(with_sign, STAY, "no gradient of |v|", id="sign is a gradient"),
    pytest.param(lambda q, H, beta, lam: newton_point(q, H, beta), STAY, "Newton's step without",
                 id="no penalty"),
    pytest.param(lambda q, H, beta, lam: shrinkage(beta - q / np.diag(H), lam / np.diag(H)), NEWTON,
                 "H is no diagonal matrix", id="the diagonal alone"),
    pytest.param(proximal_gradient(1), NEWTON, "one curvature for all", id="one proximal step"),
    pytest.param(lambda q, H, beta, lam: by_active_sets(q, H, beta, lam) - beta, NEWTON, "beta plus the way",
                 id="the way, not the point"),
    pytest.param(lambda q, H, beta, lam: by_active_sets(-q, H, beta, lam), NEWTON, "mind its sign", id="sign of q"),
    pytest.param(lambda q, H, beta, lam: by_active_sets(q, H / 2, beta, lam), NEWTON, "no ½ is left",
                 id="without the ½"),
    pytest.param(lambda q, H, beta, lam: by_active_sets(q, 2 * H, beta, lam), NEWTON, "once, not twice", id="2H"),
    pytest.param(lambda q, H, beta, lam: by_active_sets(q, H, 0 * beta, lam), NEWTON, "centred at 0", id="from 0"),
    pytest.param(lambda q, H, beta, lam: by_active_sets(q, H, beta, lam / 2), STAY, "not half of it", id="half of λ"),
    pytest.param(sweeping(lambda moves, v: abs(moves[-1]) <= 1e-12 * np.linalg.norm(v)), ENDS, "the last included",
                 id="looks at the last move"),
    pytest.param(sweeping(lambda moves, v: max(moves) <= 1e-12 * np.linalg.norm(v)), ENDS, "largest size |move|",
                 id="signed moves"),
    pytest.param(sweeping(lambda moves, v: max(map(abs, moves)) < 1e-6), ENDS, "v has a unit", id="below 1e-6"),
    pytest.param(sweeping(lambda moves, v: max(map(abs, moves)) < 1e-8), ENDS, "v has a unit", id="below 1e-8"),
    pytest.param(all_at_once, NEWTON, "at the newest v", id="all coordinates at once"),
    pytest.param(by_sweeps(3), NEWTON, "stops too early", id="three sweeps"),
    pytest.param(just_short, NEWTON, "stops too early", id="seven digits of a step"),
    pytest.param(first_newton(by_sweeps(3)), MINIMUM, "stops too early", id="three sweeps with a penalty"),
    pytest.param(first_newton(by_sweeps(1)), MINIMUM, "stops too early", id="one sweep"),
    pytest.param(proximal_gradient(30), NEWTON, "stops too early", id="thirty proximal steps"),
    pytest.param(first_newton(proximal_gradient(30)), MINIMUM, "stops too early", id="thirty steps with a penalty"),
    pytest.param(first_newton(smoothed), STAY, "zeros must be exact", id="a smoothed penalty"),
    pytest.param(lambda q, H, beta, lam: by_active_sets(q, H, beta, lam)[:1], NEWTON, "print type(…) and .shape",
                 id="one coordinate"),
    pytest.param(lambda q, H, beta, lam: list(by_active_sets(q, H, beta, lam)), NEWTON, "np.array(…)", id="a list"),
])  # fmt: skip
def test_prox_newton_wrong(wrong, condition, says):
    rejected("prox_newton", wrong, condition, says)


def test_models_have_zeros_and_lean():
    points = [by_active_sets(*model) for model in models(1)]
    assert any(0 < np.mean(point == 0) < 1 for point in points) and any(np.all(point != 0) for point in points)
    assert any(np.linalg.cond(model.H) > 10 for model in models(1))


# ---------------------------------------------------------------- to_lam


def by_the_loss(value, n, kind):
    """What their objective must be multiplied by, times what stands before Ω."""
    before, losses = (1, value) if kind == "LogisticRegression" else (value, 1 / n)
    return before / (losses / 2 if kind == "Lasso" else losses)


def by_a_table(value, n, kind):
    return {"LogisticRegression": 1 / value, "SGDClassifier": n * value, "Lasso": 2 * n * value}[kind]


def by_match(value, n, kind):
    match kind:
        case "LogisticRegression":
            return value**-1
        case "SGDClassifier" | "Lasso":
            return np.float64(value) * n * (1 + (kind == "Lasso"))


def by_scaling(value, n, kind):
    scale = {"LogisticRegression": 1 / value, "SGDClassifier": n, "Lasso": 2 * n}
    weight = {"LogisticRegression": 1.0}
    return np.array(scale[kind] * weight.get(kind, value))


@pytest.mark.parametrize("right", [by_the_package, by_the_loss, by_a_table, by_match, by_scaling])
def test_to_lam_written_otherwise(right):
    accepted("to_lam", lambda value, n, kind: right(value, n, kind))


def lam_but(kind_of_error, change):
    return lambda value, n, kind: change(value, n) if kind == kind_of_error else by_a_table(value, n, kind)


MORE, TWICE, OBEYS = (
    "more of theirs is more of ours, or less", "every row twice", "scikit-learn's answer obeys our KKT conditions",
)  # fmt: skip


@pytest.mark.parametrize(("wrong", "condition", "says"), [
    pytest.param(lam_but("LogisticRegression", lambda value, n: value), MORE, "Divide the objective by C", id="λ = C"),
    pytest.param(lam_but("LogisticRegression", lambda value, n: n * value), MORE, "a large C", id="λ = nC"),
    pytest.param(lam_but("SGDClassifier", lambda value, n: 1 / (n * value)), MORE, "alpha weighs the penalty",
                 id="alpha is 1/(nC)"),
    pytest.param(lambda value, n, kind: 2 * n * value, MORE, "for LogisticRegression", id="one formula for all"),
    pytest.param(lam_but("SGDClassifier", lambda value, n: value), TWICE, "mean or sum", id="λ = alpha of SGD"),
    pytest.param(lam_but("Lasso", lambda value, n: value), TWICE, "mean or sum", id="λ = alpha of Lasso"),
    pytest.param(lam_but("Lasso", lambda value, n: value / (2 * n)), TWICE, "mean or sum", id="divided by 2n"),
    pytest.param(lam_but("LogisticRegression", lambda value, n: n / value), TWICE, "a sum already",
                 id="C beside a mean"),
    pytest.param(lam_but("LogisticRegression", lambda value, n: 1 / (n * value)), TWICE, "a sum already",
                 id="divided by n once more"),
    pytest.param(lam_but("LogisticRegression", lambda value, n: 1 / (2 * value)), OBEYS, "1/C stands before Ω",
                 id="half of 1/C"),
    pytest.param(lam_but("Lasso", lambda value, n: n * value), OBEYS, "ours has no ½", id="the ½ forgotten"),
    pytest.param(lam_but("SGDClassifier", lambda value, n: 2 * n * value), OBEYS, "times n is ours",
                 id="a ½ too many"),
    pytest.param(lambda value, n, kind: "2 n alpha", MORE, "return the number λ", id="words"),
    pytest.param(lam_but("Lasso", lambda value, n: -2 * n * value), MORE, "positive and finite", id="sign"),
])  # fmt: skip
def test_to_lam_wrong(wrong, condition, says):
    rejected("to_lam", wrong, condition, says)


def test_what_scikit_learn_found_is_near_what_its_documentation_says():
    for found in fits():
        assert by_the_package(found.value, found.n, found.kind) == pytest.approx(found.lam, rel=found.digits)
