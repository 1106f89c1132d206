"""Families fulfil their theorems: derivatives, Fenchel–Young, the price of a dual move, and no overflow."""

import pickle

import numpy as np
import pytest
from naive import CURVE, EPS, LOSS, MEMBERS, SLOPE, extended
from scipy.special import gammaln

from glmlab import Gamma, Gaussian, Logistic, NegativeBinomial, Objective, Poisson, Tweedie, as_chunks, certify, fit
from glmlab.maths.families import FAMILIES, PLAIN
from glmlab.maths.family import Family, phi, sigmoid

LABELS = {
    "gaussian": [-1e3, -1.0, 0.0, 0.5, 1e3],
    "logistic": [0.0, 0.125, 0.5, 1.0],
    "poisson": [0.0, 1.0, 7.0, 1e4],
    "gamma": [1e-3, 1.0, 50.0],
    "negative_binomial": [0.0, 1.0, 7.0, 1e4],
    "tweedie": [0.0, 1e-3, 1.0, 1e4],
}
ETA = np.concatenate([np.linspace(-30, 30, 61), [-100.0, -45.0, 45.0, 100.0]])
PLAIN_FAMILIES = [Gaussian(), Logistic(), Poisson(), Gamma()]
every_family = pytest.mark.parametrize("family", [*PLAIN_FAMILIES, *MEMBERS.values()], ids=lambda f: f.name)
CONJUGATES = [*PLAIN_FAMILIES, MEMBERS["negative_binomial"]]
with_conjugate = pytest.mark.parametrize("family", CONJUGATES, ids=lambda f: f.name)


def grid(family, etas=ETA, dtype=float):
    """Every η with every y, as two arrays (n,)."""
    eta, y = np.meshgrid(etas, LABELS[family.name])
    return eta.ravel().astype(dtype), y.ravel().astype(dtype)


def terms(family, eta, y, theta):
    """The size of the numbers that Fenchel–Young adds; rounding is a share of it."""
    return 1 + np.abs(family.loss(eta, y)) + np.abs(theta * eta) + np.abs(theta) + np.abs(y) * (1 + np.abs(eta))


@every_family
def test_loss_and_derivatives_agree_with_the_textbook(family):
    eta, y = grid(family)
    exact, labels = eta.astype(np.longdouble), y.astype(np.longdouble)
    for ours, formula in ((family.loss, LOSS), (family.dloss, SLOPE), (family.d2loss, CURVE)):
        true = formula[family.name](exact, labels)
        size = np.abs(true) + np.abs(y) * (1 + np.abs(eta))
        assert np.all(np.abs(ours(eta, y) - true) <= 1e-14 * size)


@every_family
@pytest.mark.parametrize("lower, upper", [("loss", "dloss"), ("dloss", "d2loss")])
def test_each_derivative_is_the_limit_of_differences(family, lower, upper):
    eta, y = grid(family, np.linspace(-8, 8, 33), np.longdouble)
    h = np.longdouble(1e-6)
    lower, size = getattr(family, lower), np.abs(y) * (1 + np.abs(eta))
    difference = (lower(eta + h, y) - lower(eta - h, y)) / (2 * h)
    expected = getattr(family, upper)(eta, y)
    size += np.abs(lower(eta, y))
    assert np.all(np.abs(difference - expected) <= 1e-9 * (1 + np.abs(expected)) + 4 * EPS / h * size)


@every_family
def test_a_quadratic_family_has_one_curvature(family):
    eta, y = grid(family)
    assert family.quadratic == (np.ptp(family.d2loss(eta, y)) == 0)


@with_conjugate
def test_fenchel_young_inequality(family):
    eta, y = grid(family, np.linspace(-20, 20, 41))
    for theta in np.linspace(-12, 12, 49):
        gap = family.loss(eta, y) + family.conjugate(theta, y) - theta * eta
        assert np.all(gap >= -1e-13 * terms(family, eta, y, theta))


@with_conjugate
def test_fenchel_young_is_an_equality_at_the_slope(family):
    eta, y = grid(family, np.linspace(-30, 30, 61))
    theta = family.dloss(eta, y)
    gap = family.loss(eta, y) + family.conjugate(theta, y) - theta * eta
    assert np.all(np.abs(gap) <= 1e-13 * terms(family, eta, y, theta))


@with_conjugate
def test_conjugate_is_the_largest_gap_between_a_line_and_the_loss(family):
    etas = np.linspace(-40, 40, 160_001)
    for y in LABELS[family.name][:3]:
        for theta in (-0.4, 0.05, 0.3, 0.9):
            heights = theta * etas - family.loss(etas, np.full_like(etas, y))
            attained = heights.max()
            value = float(family.conjugate(np.array(theta), np.array(y)))
            if np.isinf(value):
                assert attained > 1.5 * heights[np.abs(etas) <= 20].max() > 0, "+∞: the gap grows without end"
            elif abs(y) < 30:
                assert attained == pytest.approx(value, abs=1e-5)


@extended
@with_conjugate
def test_price_is_fenchel_young_at_the_moved_dual_point(family):
    eta, y = grid(family, np.linspace(-25, 25, 51), np.longdouble)
    for t in (-30.0, -2.0, -1.0001, -0.999, -0.3, -1e-2, -1e-4, 0.0, 1e-4, 1e-2, 0.3, 0.999, 1.0001, 2.0, 30.0):
        ours = family.price(t, eta, y)
        generic = Family.price(family, np.longdouble(t), eta, y)
        moved = family.dloss(eta, y) + family.d2loss(eta, y) * t
        rounding = 100 * EPS * terms(family, eta, y, moved) * (1 + np.abs(eta))
        # Within rounding of the edge of the domain either of them may be +∞.
        beside = np.isinf(Family.price(family, np.longdouble(t * (1 + 1e-6)), eta, y))
        beside ^= np.isinf(Family.price(family, np.longdouble(t * (1 - 1e-6)), eta, y))
        both = np.isinf(ours) & np.isinf(generic)
        with np.errstate(invalid="ignore"):
            close = np.abs(ours - generic) <= 1e-12 * np.abs(generic) + rounding
        assert np.all(close | both | beside), (t, eta[~(close | both | beside)])


@every_family
def test_price_is_convex_nonnegative_and_zero_only_when_nothing_moves(family):
    eta, y = grid(family, np.linspace(-5, 5, 11))
    t = np.linspace(-0.95, 0.95, 77)
    prices = np.array([family.price(step, eta, y) for step in t])
    assert np.all(prices >= 0) and np.all(prices[38] == 0) and np.all(np.delete(prices, 38, axis=0) > 0)
    second = prices[2:] - 2 * prices[1:-1] + prices[:-2]
    assert np.all(second >= -1e-12 * prices[1:-1])


@every_family
def test_price_is_half_the_curvature_for_small_moves(family):
    """D(t) = ℓ″t²/2 + O(t³), so that the bound is as sharp as Newton's model."""
    eta, y = grid(family, np.linspace(-5, 5, 11))
    t = 1e-6
    expected = family.d2loss(eta, y) * t**2 / 2
    np.testing.assert_allclose(family.price(t, eta, y), expected, rtol=1e-5)


@every_family
def test_dearest_bounds_every_price(family):
    """D(t) ≤ c ℓ″t² for |t| ≤ u."""
    eta, y = grid(family, np.linspace(-25, 25, 51), np.longdouble)
    for u in (1e-12, 1e-6, 1e-3, 0.1, 0.3, 0.7, 0.99):
        c = family.dearest(u)
        for t in (u, -u, u / 2, -u / 2):
            assert np.all(family.price(t, eta, y) <= c * family.d2loss(eta, y) * t**2 * (1 + 1e-9))
        assert 0.5 <= c <= (0.55 if u <= 0.25 else 1.0), "and c is not much too large"


def test_a_family_without_a_bound_on_its_prices_says_infinity():
    assert Family().dearest(0.0) == np.inf


def test_phi_keeps_every_digit_near_zero_and_at_the_edge():
    x = np.concatenate([np.geomspace(1e-12, 0.9, 200), -np.geomspace(1e-12, 0.9, 200), [3.0, 1e3]])
    exact = x.astype(np.longdouble)
    series = sum((-1) ** k * exact**k / (k * (k - 1)) for k in range(2, 30))
    true = np.where(np.abs(x) < 0.05, series, (1 + exact) * np.log1p(exact) - exact)
    np.testing.assert_allclose(phi(x), true.astype(float), rtol=1e-12)
    assert phi(-1.0) == 1.0 and np.isinf(phi(-1.0 - 1e-12)) and np.isinf(phi(-5.0))


def test_logistic_never_overflows():
    eta = np.array([-1e308, -1e4, -745.0, -710.0, -700.0, 700.0, 710.0, 745.0, 1e4, 1e308])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        for y in (0.0, 0.25, 1.0):
            labels = np.full_like(eta, y)
            each = Logistic().loss(eta, labels)
            assert np.all(each[np.abs(eta) < 1e308] >= 0) and np.all(np.isfinite(each))
            assert np.all(np.abs(Logistic().dloss(eta, labels)) <= 1) and np.all(Logistic().d2loss(eta, labels) >= 0)
        assert Logistic().loss(np.array([1e4, -1e4]), np.array([0.0, 1.0])).tolist() == [1e4, 1e4]
        assert Logistic().loss(np.array([1e4, -1e4]), np.array([1.0, 0.0])).tolist() == [0.0, 0.0]


def test_sigmoid_keeps_relative_accuracy_in_its_small_tail():
    np.testing.assert_allclose(sigmoid(np.array([-700.0, -40.0])), np.exp([-700.0, -40.0]), rtol=1e-14)
    assert sigmoid(np.array([800.0]))[0] == 1.0


@pytest.mark.parametrize("family, eta, y", [(Poisson(), 1e3, 2.0), (Gamma(), -1e3, 2.0)], ids=["poisson", "gamma"])
def test_an_exponential_that_overflows_is_an_infinite_loss(family, eta, y):
    with np.errstate(over="ignore"):
        assert family.loss(np.array([eta]), np.array([y]))[0] == np.inf


@every_family
def test_the_mean_is_where_the_slope_vanishes(family):
    eta = np.linspace(-5, 5, 21)
    mean = family.mean(eta)
    assert np.all(np.abs(family.dloss(eta, mean)) <= 1e-15 * (family.size(eta, mean) + np.abs(mean)))


@every_family
def test_size_bounds_the_slope(family):
    eta, y = grid(family, np.linspace(-30, 30, 61))
    assert np.all(family.size(eta, y) >= np.abs(family.dloss(eta, y)))


@every_family
def test_recedes_says_whether_the_loss_never_grows(family):
    for y in LABELS[family.name]:
        for t in (-1.0, 0.0, 1.0):
            far = np.linspace(0, 5_000, 2_001) * t
            with np.errstate(over="ignore"):
                path = family.loss(far, np.full_like(far, y))
            never_grows = bool(np.all(path[1:] <= path[:-1]))
            assert bool(family.recedes(np.array([t]), np.array([y]))[0]) == never_grows, (y, t)


@pytest.mark.parametrize(
    "family, good, bad",
    [
        (Gaussian(), [-1e9, 0.0], [np.nan, np.inf, -np.inf]),
        (Logistic(), [0.0, 0.5, 1.0], [-1.0, 1.0000001, 2.0, np.nan, np.inf]),
        (Poisson(), [0.0, 0.5, 1e9], [-1e-9, np.nan, np.inf]),
        (Gamma(), [1e-300, 5.0], [0.0, -1.0, np.nan, np.inf]),
        (NegativeBinomial(2.0), [0.0, 0.5, 1e9], [-1e-9, np.nan, np.inf]),
        (Tweedie(1.5), [0.0, 1e-300, 1e9], [-1e-9, np.nan, np.inf]),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_domain_is_exactly_the_legal_labels(family, good, bad):
    assert family.domain(np.array(good)).all() and not family.domain(np.array(bad)).any()


def test_families_are_values():
    assert Gaussian() == Gaussian() and Gaussian() != Logistic() and len({Gamma(), Gamma(), Poisson()}) == 2
    for name in PLAIN:
        kind = FAMILIES[name]
        assert kind.name == name and repr(kind()) == f"{kind.__name__}()"
        assert pickle.loads(pickle.dumps(kind())) == kind()
    for name, family in MEMBERS.items():
        assert FAMILIES[name] is type(family) and family.name == name
        assert eval(repr(family)) == pickle.loads(pickle.dumps(family)) == family
    assert set(PLAIN) | set(MEMBERS) == set(FAMILIES)
    assert len({NegativeBinomial(0.5), NegativeBinomial(0.5), NegativeBinomial(1), Tweedie(1.5), Tweedie(1.4)}) == 4


class Displaced(Poisson):
    """Poisson counts with log y! + 100 in the loss: the same model."""

    def loss(self, eta, y):
        return super().loss(eta, y) + 100.0 + gammaln(y + 1)

    def conjugate(self, theta, y):
        return super().conjugate(theta, y) - 100.0 - gammaln(y + 1)


class Halved(Gaussian):
    """Least squares with a ½, as in other libraries."""

    def loss(self, eta, y):
        return super().loss(eta, y) / 2

    def dloss(self, eta, y):
        return super().dloss(eta, y) / 2

    def d2loss(self, eta, y):
        return super().d2loss(eta, y) / 2

    def price(self, t, eta, y):
        return super().price(t, eta, y) / 2


@pytest.mark.parametrize("plain, other, times", [(Poisson(), Displaced(), 1), (Gaussian(), Halved(), 0.5)], ids=repr)
def test_a_constant_or_a_factor_in_the_loss_changes_no_relative_gap(plain, other, times):
    """A subclass with another loss does not inherit the formulas of the null model and of the least loss."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(80, 3)), rng.poisson(2.0, 80).astype(float)
    fits = [fit(X, y, family=family, solver="newton", fit_intercept=True) for family in (plain, other)]
    np.testing.assert_allclose(fits[0].beta, fits[1].beta, rtol=1e-12)
    proofs = [certify(X, y, fits[0].beta * 1.01, family=family, intercept=0.5) for family in (plain, other)]
    assert proofs[1].relative == pytest.approx(proofs[0].relative, rel=1e-9)
    nulls = [Objective(family, as_chunks(X, y)).null for family in (plain, other)]
    assert nulls[1].level == pytest.approx(nulls[0].level, rel=1e-12)
    heights = [null.loss - null.floor for null in nulls]
    assert heights[1] == pytest.approx(times * heights[0], rel=1e-9) and heights[0] > 0
