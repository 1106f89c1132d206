"""How many digits of β are right, against 50 digits, where they are hard to get: at default settings.

The reference is Newton's method in mpmath's numbers of 50 digits, on the coordinates that are not zero, with every
condition of optimality checked; it starts from a minimiser that the package had no part in. Second-order solvers must
be right to 1e-9 of the largest effect, max |x_ij β_j|, and say that they converged; lbfgs must be right to 1e-6 or
say that it did not. Where rows are many the same digits would be a waste: what a statistician can see is asked there.
"""

import functools
import warnings
from collections.abc import Callable

import dask
import dask.array as da
import mpmath as mp
import numpy as np
import pytest
from mpmath import mpf
from naive import Problem, draw, minimum, recedes

from glmlab import L1, ElasticNet, NotConverged, Ridge, Zero, fit
from glmlab.maths.penalties import lambdas

SECOND_ORDER = ("auto", "newton", "proximal_newton", "pilot_newton")
CASES: dict[str, Callable[[], Problem]] = {}


def case(make):
    """A function that returns a problem, known by its name."""
    CASES[make.__name__] = make
    return make


def columns(seed, n, p):
    """A generator and X (n, p) of columns that are easy."""
    rng = np.random.default_rng(seed)
    return rng, rng.normal(size=(n, p)) + [0.3] * p


def hard(kappa, seed, n):
    """A generator and X (n, 3) of condition number κ: the three columns are nearly two."""
    rng, X = columns(seed, n, 3)
    U, V = np.linalg.qr(X)[0], np.linalg.qr(rng.normal(size=(3, 3)))[0]
    return rng, np.sqrt(n) * U * [1, 0.5, 1 / kappa] @ V


def separated(seed, margin=0.5, n=60):
    """A plane parts the labels, and leaves a margin."""
    rng, X = columns(seed, n, 3)
    side = X @ [1.0, -0.5, 0.25]
    y = (side > 0.3).astype(float)
    return X + np.outer((2 * y - 1) * margin, [1.0, 0, 0]), y


def separated_ridge(lam):
    return Problem("logistic", Ridge(lam), *separated(1), None, None, True)


@case
def separated_ridge_1e_3():
    return separated_ridge(1e-3)


@case
def separated_ridge_1e_5():
    return separated_ridge(1e-5)


@case
def separated_ridge_1e_8():
    return separated_ridge(1e-8)


@case
def separated_l1():
    return Problem("logistic", L1(1e-3), *separated(2), None, None, True)


@case
def nearly_separable():
    """Six labels of a hundred stand on the wrong side, just: a slope of 195."""
    rng, X = columns(30, 100, 3)
    return Problem("logistic", Zero(), X, draw("logistic", 20 * X @ [1.0, -0.5, 0.25] - 6, rng), None, None, True)


@case
def one_row_keeps_it_from_separating():
    """All that makes a minimum exist: two rows of weight 1e-3, each deep on the wrong side."""
    X, y = separated(4)
    deepest = [np.argmax(X[:, 0]), np.argmin(X[:, 0])]
    X, y, w = np.vstack([X, X[deepest]]), np.append(y, 1 - y[deepest]), np.append(np.ones(len(y)), [1e-3, 1e-3])
    return Problem("logistic", Zero(), X, y, w, None, True)


@case
def rare_events():
    rng, X = columns(5, 400, 3)
    y = np.zeros(400)
    y[np.argsort(X @ [1, 0.5, -0.5] + rng.gumbel(size=400))[-4:]] = 1
    return Problem("logistic", Zero(), X, y, np.where(y == 1, 1.0, 500.0), None, True)


@case
def rare_counts():
    rng, X = columns(6, 200, 3)
    return Problem("poisson", Zero(), X, draw("poisson", X @ [0.5, -0.5, 0.2] - 3.5, rng), None, None, True)


@case
def least_squares_with_kappa_1e_6():
    rng, X = hard(1e6, 7, 80)
    return Problem("gaussian", Zero(), X, draw("gaussian", X[:, 0] + X[:, 1], rng), None, None, True)


@case
def logistic_with_kappa_1e_6():
    rng, X = hard(1e6, 8, 120)
    return Problem("logistic", Zero(), X, draw("logistic", X[:, 0] - X[:, 1] / 2, rng), None, None, True)


@case
def columns_from_1e_3_to_1e_3_with_kappa_1e_6():
    rng, X = columns(9, 80, 3)
    y = draw("poisson", X @ [0.5, -0.3, 0.2], rng)
    return Problem("poisson", Zero(), X * [1e-3, 1, 1e3], y, None, None, True)


@case
def gamma_with_kappa_1e_5():
    rng, X = hard(1e5, 10, 80)
    return Problem("gamma", Zero(), X, draw("gamma", X[:, 0] / 2 + X[:, 1] / 3 + 4, rng), None, None, True)


@case
def gamma_with_kappa_1e_5_and_a_small_ridge():
    rng, X = hard(1e5, 11, 80)
    return Problem("gamma", Ridge(1e-6), X, draw("gamma", X[:, 0] / 2 + X[:, 1] / 3, rng), None, None, True)


@case
def gamma_of_large_amounts_with_weights_and_offsets():
    rng, X = columns(12, 80, 3)
    o = rng.normal(size=80) * 2
    y = draw("gamma", X @ [0.5, -0.3, 0.2] + o, rng) * 1e7
    return Problem("gamma", Zero(), X, y, rng.integers(0, 5, 80) * 0.7, o, True)


@case
def huge_counts():
    """Counts of 1e12: all that is left to see of F is behind its twelfth digit."""
    rng, X = columns(13, 60, 3)
    return Problem("poisson", Zero(), X, draw("poisson", X @ [0.5, -0.3, 0.2] + 25, rng), None, None, True)


@case
def counts_with_exposures_from_1_to_1e_9():
    rng, X = columns(14, 80, 3)
    o = rng.uniform(0, np.log(1e9), 80)
    return Problem("poisson", Zero(), X, draw("poisson", X @ [0.5, -0.3, 0.2] - 12 + o, rng), None, o, True)


@case
def counts_and_a_tiny_ridge():
    rng, X = columns(15, 80, 3)
    return Problem("poisson", Ridge(1e-10), X, draw("poisson", X @ [0.5, -0.3, 0.2] + 1, rng), None, None, False)


@case
def labels_and_a_huge_ridge():
    rng, X = columns(16, 80, 3)
    return Problem("logistic", Ridge(1e7), X, draw("logistic", X @ [1, -1, 0.5] - 1, rng), None, None, True)


@case
def proportions_of_many_trials():
    rng, X = columns(17, 40, 3)
    trials = rng.integers(10, 10_000, 40).astype(float)
    y = rng.binomial(trials.astype(int), 1 / (1 + np.exp(-X @ [0.5, -0.5, 0.2] + 1))) / trials
    return Problem("logistic", Zero(), X, y, trials, rng.normal(size=40), True)


@case
def least_squares_far_from_zero():
    rng, X = columns(18, 80, 3)
    return Problem("gaussian", Zero(), X, draw("gaussian", X @ [1, -1, 0.5], rng) + 1e4, None, None, True)


@case
def lasso():
    rng, X = columns(19, 80, 4)
    return Problem("gaussian", L1(30.0), X, draw("gaussian", X @ [1, -0.2, 0.5, 0], rng), None, None, True)


@case
def lasso_that_leaves_almost_nothing():
    """λ is all but the one at which the last coefficient vanishes."""
    rng, X = columns(20, 80, 3)
    y = draw("gaussian", X @ [1, -0.2, 0.5], rng)
    last = np.abs(2 * X.T @ (y - y.mean())).max()
    return Problem("gaussian", L1(0.999 * last), X, y, None, None, True)


@case
def counts_and_l1():
    rng, X = columns(21, 80, 3)
    return Problem("poisson", L1(10.0), X, draw("poisson", X @ [0.5, -0.3, 0], rng), None, None, True)


@case
def amounts_and_a_tiny_elastic_net():
    rng, X = columns(22, 80, 3)
    g = ElasticNet(1e-6, 0.5)
    return Problem("gamma", g, X, draw("gamma", X @ [0.5, -0.3, 0], rng), None, None, True)


LOSS = {
    "gaussian": lambda eta, y: (y - eta) ** 2,
    "logistic": lambda eta, y: mp.log1p(mp.exp(eta)) - y * eta,
    "poisson": lambda eta, y: mp.exp(eta) - y * eta,
    "gamma": lambda eta, y: y * mp.exp(-eta) + eta,
}
SLOPE = {
    "gaussian": lambda eta, y: 2 * (eta - y),
    "logistic": lambda eta, y: 1 / (1 + mp.exp(-eta)) - y,
    "poisson": lambda eta, y: mp.exp(eta) - y,
    "gamma": lambda eta, y: 1 - y * mp.exp(-eta),
}
CURVE = {
    "gaussian": lambda eta, y: mpf(2),
    "logistic": lambda eta, y: 1 / (2 + mp.exp(eta) + mp.exp(-eta)),
    "poisson": lambda eta, y: mp.exp(eta),
    "gamma": lambda eta, y: y * mp.exp(-eta),
}


class Exact:
    """F of a problem in 50 digits, where β moves only on the coordinates `moving` and keeps its signs."""

    def __init__(self, problem, signs, moving):
        self.family, self.moving = problem.family, moving
        self.X = [[mpf(x) for x in row] for row in np.asarray(problem.columns, float).tolist()]
        n = len(problem.y)
        self.y = [mpf(v) for v in np.asarray(problem.y, float).tolist()]
        self.w = [mpf(v) for v in (np.ones(n) if problem.w is None else problem.w).tolist()]
        self.o = [mpf(v) for v in (np.zeros(n) if problem.o is None else problem.o).tolist()]
        self.l1, self.l2 = ([mpf(v) for v in part.tolist()] for part in lambdas(problem.g, len(signs)))
        self.signs = signs

    def eta(self, beta):
        return [o + mp.fdot(row, beta) for row, o in zip(self.X, self.o, strict=True)]

    def value(self, beta):
        loss = mp.fdot(self.w, map(LOSS[self.family], self.eta(beta), self.y))
        terms = (l1 * s * b + l2 * b**2 / 2 for l1, l2, s, b in zip(self.l1, self.l2, self.signs, beta, strict=True))
        return loss + mp.fsum(terms)

    def slopes(self, beta):
        """∂(f + λ₂‖β‖²/2)/∂β_j for all j, without the L1 term."""
        each = [w * SLOPE[self.family](e, y) for w, e, y in zip(self.w, self.eta(beta), self.y, strict=True)]
        return [mp.fdot(each, column) + l2 * b for column, l2, b in zip(zip(*self.X, strict=True), self.l2, beta,
                                                                        strict=True)]  # fmt: skip

    def step(self, beta):
        """Newton's, 0 where nothing moves."""
        each = [w * CURVE[self.family](e, y) for w, e, y in zip(self.w, self.eta(beta), self.y, strict=True)]
        columns, slopes, moving = list(zip(*self.X, strict=True)), self.slopes(beta), self.moving
        curved = {j: [c * x for c, x in zip(each, columns[j], strict=True)] for j in moving}
        H = mp.matrix([[mp.fdot(curved[j], columns[k]) + (self.l2[j] if j == k else 0) for k in moving]
                       for j in moving])  # fmt: skip
        found = mp.lu_solve(H, mp.matrix([-slopes[j] - self.l1[j] * self.signs[j] for j in moving]))
        step = [mpf(0)] * len(beta)
        for j, move in zip(moving, found, strict=True):
            step[j] = move
        return step


@functools.cache
def reference(name):
    """The minimiser of a case as 50-digit numbers, the intercept last."""
    problem = CASES[name]()
    assert not recedes(problem), "no minimum exists"
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # on its way, which is halved then
        near = minimum(problem)
    l1, _ = lambdas(problem.g, len(near))
    with mp.workdps(50):
        moving = [j for j in range(len(near)) if near[j] != 0 or l1[j] == 0]
        exact = Exact(problem, [int(s) for s in np.sign(near)], moving)
        beta = [mpf(float(b)) + mpf(float(b - np.longdouble(float(b)))) for b in near]
        beta = newton(exact, beta)
        for j, slope in enumerate(exact.slopes(beta)):
            if j in moving:
                assert abs(slope + exact.l1[j] * exact.signs[j]) <= 1e-30 * mp.fsum(exact.w), "not an optimum"
                assert l1[j] == 0 or mp.sign(beta[j]) == exact.signs[j], "a sign has changed"
            else:
                assert abs(slope) < exact.l1[j], "a zero wants to move"
    return tuple(beta)


def newton(exact, beta):
    """Newton's method, halved while F rises, until the step is behind the 40th digit."""
    value = exact.value(beta)
    for _ in range(100):
        step, share = exact.step(beta), mpf(1)
        trial = [b + d for b, d in zip(beta, step, strict=True)]
        while (new := exact.value(trial)) > value + abs(value) / mpf(10) ** 45 and share > mpf(10) ** -12:
            share /= 2
            trial = [b + share * d for b, d in zip(beta, step, strict=True)]
        beta, value = trial, new
        if max(map(abs, step)) <= mpf(10) ** -38 * max(map(abs, beta)):
            return beta
    raise AssertionError("the reference does not settle")


def errors(problem, result, best):
    """The error of the slopes, and of all with the intercept, each in units of the largest effect of its own kind."""
    reach = np.abs(np.asarray(problem.columns, float)).max(axis=0)
    found = np.append(result.beta, result.intercept) if problem.intercept else result.beta
    with mp.workdps(50):
        off = np.array([float(abs(mpf(b) - c)) for b, c in zip(found.tolist(), best, strict=True)]) * reach
        size = np.array([float(abs(c)) for c in best]) * reach
    p = problem.X.shape[1]
    return off[:p].max() / size[:p].max(), off.max() / size.max()


def quiet(problem, solver):
    """A fit that may say that it did not converge; nothing else may be warned of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConverged)
        return problem.fit(solver=solver)


def suits(solver, problem):
    return problem.penalty.smooth or solver not in ("newton", "lbfgs")


SUITED = [(name, solver) for name, make in CASES.items() for solver in SECOND_ORDER if suits(solver, make())]
SMOOTH = [name for name, make in CASES.items() if make().penalty.smooth]


@pytest.mark.parametrize(("name", "solver"), SUITED)
def test_second_order_solvers_are_right_to_nine_digits(name, solver):
    problem = CASES[name]()
    result = quiet(problem, solver)
    slopes, whole = errors(problem, result, reference(name))
    assert max(slopes, whole) <= 1e-9, f"slopes off by {slopes:.2g}, all by {whole:.2g}; {result.status}"
    assert result.converged, result.status


@pytest.mark.parametrize("name", ["separated_ridge_1e_5", "gamma_with_kappa_1e_5", "counts_and_l1"])
@pytest.mark.parametrize("solver", ["auto", "pilot_newton"])
def test_so_they_are_on_dask(name, solver):
    problem = CASES[name]()
    third = -(-len(problem.y) // 3)
    rows = da.from_array(problem.X, chunks=(third, -1)), da.from_array(problem.y, chunks=third)
    with dask.config.set(scheduler="synchronous"):
        result = problem._replace(X=rows[0], y=rows[1]).fit(solver=solver)
    slopes, whole = errors(problem, result, reference(name))
    assert max(slopes, whole) <= 1e-9, f"slopes off by {slopes:.2g}, all by {whole:.2g}; {result.status}"
    assert result.converged, result.status


@pytest.mark.parametrize("name", SMOOTH)
def test_lbfgs_is_right_to_six_digits_or_says_not_converged(name):
    problem = CASES[name]()
    result = quiet(problem, "lbfgs")
    slopes, whole = errors(problem, result, reference(name))
    right = max(slopes, whole) <= 1e-6
    assert right or not result.converged, f"slopes off by {slopes:.2g}, all by {whole:.2g}; {result.status}"


# Many rows. A log-likelihood is known to about one unit, and a coefficient to its standard error.

SIZES = {  # rows, columns: below and above 4 million numbers
    "10_000 x 4": (10_000, 4),
    "200_000 x 10": (200_000, 10),
    "200_000 x 24": (200_000, 24),
}
MANY = {"1_000_000 x 3": (1_000_000, 3), "1_000_000 x 8": (1_000_000, 8)}
LIKELIHOOD = {
    "logistic": (lambda eta, y: np.logaddexp(0, eta) - y * eta, lambda eta: 1 / (1 + np.exp(-eta)),
                 lambda mu: mu * (1 - mu)),
    "poisson": (lambda eta, y: np.exp(eta) - y * eta, np.exp, lambda mu: mu),
}  # fmt: skip


def many_rows(family, n, p, seed=0):
    """Correlated columns and weak effects, as real tables have them; counts have exposures, y of least squares a mean
    far from 0, and labels are one in twenty."""
    rng = np.random.default_rng([seed, n, p])
    X = rng.normal(size=(n, p)) + rng.normal(size=(n, 1)) / 2
    eta = X @ (rng.normal(size=p) / (2 * np.sqrt(p)))
    if family == "gaussian":
        return X, 1000 + eta + rng.normal(size=n) * 3, None
    if family == "logistic":
        return X, draw(family, eta - 3, rng), None
    o = np.log(rng.uniform(1e3, 1e5, n))
    return X, draw(family, eta - 8 + o, rng), o


def few_events(n=2_000_000, p=3, events=190):
    """Labels of which one in ten thousand is 1."""
    rng = np.random.default_rng(187)
    X = rng.normal(size=(n, p))
    return X, draw("logistic", X @ [0.5, -0.5, 0.3] + np.log(events / n) - 0.3, rng), None


def independent(family, X, y, o):
    """β* with the intercept last and the covariance of β: textbook Newton, from the null model, to the last digit."""
    X = np.column_stack([X, np.ones(len(y))])
    if family == "gaussian":
        centre = y.mean()
        Q, R = np.linalg.qr(X)
        beta = np.linalg.solve(R, Q.T @ (y - centre))
        variance = ((y - centre - X @ beta) ** 2).sum() / (len(y) - X.shape[1])
        beta[-1] += centre
        return beta, np.linalg.inv(X.T @ X) * variance
    _, mean, curve = LIKELIHOOD[family]
    o, beta = 0.0 if o is None else o, np.zeros(X.shape[1])
    rate = y.sum() / np.exp(o).sum() if np.ndim(o) else y.mean()
    beta[-1] = np.log(rate / (1 - rate)) if family == "logistic" else np.log(rate)
    for _ in range(50):
        mu = mean(X @ beta + o)
        H = X.T @ (X * curve(mu)[:, None])
        step = np.linalg.solve(H, X.T @ (y - mu))
        beta = beta + step
        if np.abs(step).max() <= 1e-13 * np.abs(beta).max():
            return beta, np.linalg.inv(H)
    raise AssertionError("the reference does not settle")


def surplus(family, X, y, o, beta, best, covariance):
    """F(β) − F* in units of log-likelihood. Least squares: the quadratic form, for RSS would lose the digits."""
    off = beta - best
    if family == "gaussian":
        return off @ np.linalg.solve(covariance, off) / 2
    loss, eta = LIKELIHOOD[family][0], np.column_stack([X, np.ones(len(y))]) @ np.column_stack([beta, best])
    eta = eta + (0 if o is None else o[:, None])
    return float((loss(eta[:, 0], y).astype(np.longdouble) - loss(eta[:, 1], y)).sum())


def check(family, X, y, o, **options):
    result = fit(X, y, family=family, fit_intercept=True, offset=o, **options)
    best, covariance = independent(family, X, y, o)
    beta = np.append(result.beta, result.intercept)
    errors = np.abs(beta - best) / np.sqrt(np.diag(covariance))
    gap = surplus(family, X, y, o, beta, best, covariance)
    assert result.converged, result.status
    assert gap <= 1e-3 and errors.max() <= 0.05, f"{gap:.2g} units, {errors.max():.2g} standard errors; {result.status}"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("family", ["gaussian", "logistic", "poisson"])
def test_no_statistician_sees_the_gap(family, size):
    check(family, *many_rows(family, *SIZES[size]))


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES | MANY)
@pytest.mark.parametrize("family", ["gaussian", "logistic", "poisson"])
@pytest.mark.parametrize("solver", ["auto", "pilot_newton", "proximal_newton", "newton", "lbfgs"])
def test_none_does_with_any_solver(family, size, solver):
    check(family, *many_rows(family, *(SIZES | MANY)[size], seed=1), solver=solver)


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["auto", "newton", "proximal_newton", "lbfgs"])
def test_few_events_among_two_million_rows(solver):
    X, y, o = few_events()
    assert 150 < y.sum() < 230
    check("logistic", X, y, o, solver=solver)
