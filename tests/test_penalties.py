"""Penalties by their theorems: prox, subdifferential, and an intercept that is not penalised."""

import pickle

import numpy as np
import pytest

from glmlab import L1, ElasticNet, Ridge, Zero
from glmlab.maths.penalties import FreeIntercept, lambdas, shrinkage

PENALTIES = [Zero(), L1(0.7), Ridge(1.3), ElasticNet(2.0, 0.3), ElasticNet(1.5, 1.0), ElasticNet(1.5, 0.0), L1(0)]
every_penalty = pytest.mark.parametrize("g", PENALTIES, ids=repr)


def points(seed=0, m=40, p=6):
    """Random vectors with exact zeros among their entries."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(m, p)) * 3 * (rng.random((m, p)) < 0.7)


def subgradient_interval(g, b):
    """∂g(b) as [low, high], from the definition of the penalty."""
    low = np.where(b == 0, -g.l1, g.l1 * np.sign(b)) + g.l2 * b
    return low, np.where(b == 0, g.l1, g.l1 * np.sign(b)) + g.l2 * b


@every_penalty
@pytest.mark.parametrize("step", [0.1, 1.0, 25.0])
def test_prox_condition(g, step):
    """p = prox(v) iff (v − p)/step ∈ ∂g(p)."""
    for v in points():
        p = g.prox(v, step)
        low, high = subgradient_interval(g, p)
        slope = (v - p) / step
        assert np.all(slope >= low - 1e-13 * (1 + np.abs(v))) and np.all(slope <= high + 1e-13 * (1 + np.abs(v)))


@every_penalty
def test_prox_is_nonexpansive(g):
    for v, u in zip(points(1), points(2), strict=True):
        assert np.linalg.norm(g.prox(v, 0.8) - g.prox(u, 0.8)) <= np.linalg.norm(v - u) * (1 + 1e-15)


@every_penalty
def test_prox_descends_and_is_a_local_minimum(g):
    step, rng = 0.6, np.random.default_rng(3)

    def moreau(b, v):
        return g.value(b) + (b - v) @ (b - v) / (2 * step)

    for v in points(4):
        p = g.prox(v, step)
        assert moreau(p, v) <= g.value(v) + 1e-14
        assert all(moreau(p, v) <= moreau(p + 1e-3 * d, v) for d in rng.normal(size=(10, len(v))))


@every_penalty
def test_a_step_for_each_coordinate(g):
    v, step = points(5)[0], np.linspace(0.1, 2, 6)
    assert g.prox(v, step).tolist() == [g.prox(v[j : j + 1], step[j])[0] for j in range(6)]


@every_penalty
def test_distance_is_that_to_the_subdifferential(g):
    for b, grad in zip(points(8), points(9), strict=True):
        low, high = subgradient_interval(g, b)
        expected = np.maximum(np.maximum(low + grad, -grad - high), 0)
        np.testing.assert_allclose(g.distance(b, grad), expected, atol=1e-14)


@every_penalty
def test_distance_is_zero_exactly_at_fixed_points_of_the_prox(g):
    """β minimises F iff β = prox(β − t∇f(β))."""
    rng = np.random.default_rng(10)
    for b in points(11):
        low, high = subgradient_interval(g, b)
        grad = -(low + rng.random(len(b)) * (high - low))
        assert np.all(g.distance(b, grad) <= 1e-14 * (1 + np.abs(b)))
        np.testing.assert_allclose(g.prox(b - 0.9 * grad, 0.9), b, atol=1e-13)
        wrong = grad + 0.5 + (high - low)
        assert np.all(g.distance(b, wrong) > 0.1)
        assert np.all(np.abs(g.prox(b - 0.9 * wrong, 0.9) - b) > 0.02)


@every_penalty
def test_smooth_penalties_have_the_gradient_of_their_value(g):
    assert g.smooth == (g.l1 == 0)
    if not g.smooth:
        return
    for b in points(12)[:5]:
        difference = [(g.value(b + e) - g.value(b - e)) / 2e-4 for e in 1e-4 * np.eye(len(b))]
        np.testing.assert_allclose(g.grad(b), difference, atol=1e-9)


def test_the_elastic_net_joins_lasso_and_ridge():
    b, grad = points(13)[0], points(14)[0]
    corners = {ElasticNet(0.9, 1.0): L1(0.9), ElasticNet(0.9, 0.0): Ridge(0.9), ElasticNet(0, 0.5): Zero()}
    for net, corner in corners.items():
        assert net.value(b) == corner.value(b) and net.prox(b, 0.4).tolist() == corner.prox(b, 0.4).tolist()
        assert net.distance(b, grad).tolist() == corner.distance(b, grad).tolist()
    half = ElasticNet(2.0, 0.25)
    assert half.value(b) == pytest.approx(2.0 * (0.25 * np.abs(b).sum() + 0.75 / 2 * b @ b))


def test_shrinkage_by_hand():
    assert shrinkage(np.array([-3.0, -1.0, 0.5, 2.0]), 1.0).tolist() == [-2.0, 0.0, 0.0, 1.0]


@every_penalty
def test_the_intercept_is_free(g):
    free, b, grad = FreeIntercept(g), points(15)[0], points(16)[0]
    assert free.value(b) == g.value(b[:-1])
    assert free.prox(b, 0.5).tolist() == [*g.prox(b[:-1], 0.5), b[-1]]
    step = np.linspace(0.1, 1, len(b))
    assert free.prox(b, step).tolist() == [*g.prox(b[:-1], step[:-1]), b[-1]]
    assert free.distance(b, grad).tolist() == [*g.distance(b[:-1], grad[:-1]), abs(grad[-1])]
    assert free.grad(b)[-1] == 0 and free.grad(b)[:-1].tolist() == g.grad(b[:-1]).tolist()
    assert (free.l1, free.l2, free.smooth, repr(free)) == (g.l1, g.l2, g.smooth, repr(g))
    l1, l2 = lambdas(free, 4)
    assert l1.tolist() == [g.l1] * 3 + [0.0] and l2.tolist() == [g.l2] * 3 + [0.0]


def test_penalties_can_be_pickled_and_compared():
    for g in PENALTIES:
        copy = pickle.loads(pickle.dumps(g))
        assert copy == g and hash(copy) == hash(g)
        free = pickle.loads(pickle.dumps(FreeIntercept(g)))
        assert free.g == g and free.value(np.ones(3)) == g.value(np.ones(2))
    assert L1(1) != Ridge(1) and L1(1) != L1(2) and repr(ElasticNet(2, 0.5)) == "ElasticNet(lam=2, l1_ratio=0.5)"


class Unknown:
    """A penalty of another form than the package's."""


def test_an_unknown_penalty_has_no_lambdas():
    assert lambdas(Unknown(), 3) is None


@pytest.mark.parametrize("make", [L1, Ridge, lambda lam: ElasticNet(lam, 0.5)], ids=["L1", "Ridge", "ElasticNet"])
@pytest.mark.parametrize(
    "lam, error", [(-1, ValueError), (np.nan, ValueError), (np.inf, ValueError), ("1", TypeError), (True, TypeError),
                   (None, TypeError), ([1.0], TypeError)],
)  # fmt: skip
def test_a_lambda_that_is_no_number_is_refused_by_name(make, lam, error):
    with pytest.raises(error, match="lam must be a .*number >= 0"):
        make(lam)


@pytest.mark.parametrize("ratio", [1.5, -0.1, np.nan, "x", None])
def test_l1_ratio_outside_its_range_is_refused_by_name(ratio):
    with pytest.raises((ValueError, TypeError), match="l1_ratio must"):
        ElasticNet(1.0, ratio)
