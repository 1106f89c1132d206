"""path: below λ_max coefficients are nonzero, each point is certified, and other libraries find the same paths."""

import re

import dask.array as da
import numpy as np
import pytest
from naive import random_problem
from scipy import sparse
from sklearn import datasets
from sklearn.linear_model import enet_path, lasso_path
from sklearn.svm import l1_min_c

from glmlab import L1, ElasticNet, NotConverged, Path, Result, Ridge, Zero, fit, path, viz

FAMILIES = ["gaussian", "logistic", "poisson", "gamma"]
every_family = pytest.mark.parametrize("family", FAMILIES)


def problem(family="logistic", seed=0, **options):
    """By default five columns, weights with zeros among them, an offset and an intercept."""
    more = dict(n=120, p=5, weighted=True, shifted=True, intercept=True) | options
    return random_problem(family, Zero(), seed=seed, **more)


def along(given, **options):
    return path(*given.data, **given.extras, family=given.family, fit_intercept=given.intercept, threads=1, **options)


def lambda_max(given):
    """The largest slope of the null model; its intercept by bisection in extended precision."""
    beta = np.zeros(given.columns.shape[1], np.longdouble)
    if given.intercept:
        low, high = np.longdouble(-30), np.longdouble(30)
        for _ in range(100):
            beta[-1] = (low + high) / 2
            low, high = (low, beta[-1]) if given.grad(beta)[-1] > 0 else (beta[-1], high)
    return float(np.abs(given.grad(beta)[: given.X.shape[1]]).max())


# --- λ_max ------------------------------------------------------------------------------------------------------


@every_family
@pytest.mark.parametrize("extras", [(0, 0, 0), (1, 0, 1), (0, 1, 1), (1, 1, 0), (1, 1, 1)], ids=str)
@pytest.mark.parametrize("penalty", [L1(7), ElasticNet(7, 0.3)], ids=repr)
def test_at_lambda_max_all_is_zero_and_just_below_not(family, extras, penalty):
    given = problem(family, **dict(zip(("weighted", "shifted", "intercept"), extras, strict=True)))
    top = lambda_max(given) / penalty.at(1).l1
    found = along(given, penalty=penalty, n_lams=2, ratio=0.999, tol=1e-11)
    assert found.lam_max == found.lams[0] == pytest.approx(top, rel=1e-10)
    assert not found[0].beta.any() and found[1].beta.any() and found.converged


@every_family
def test_an_integer_weight_is_a_repeated_row(family):
    given = problem(family)
    times = (given.w / 0.75).astype(int)
    columns = (np.repeat(c, times, axis=0) for c in (given.X, given.y))
    again = given._replace(**dict(zip(("X", "y"), columns, strict=True)), w=None, o=np.repeat(given.o, times))
    ours, theirs = along(given, n_lams=3, ratio=0.1, tol=1e-10), along(again, n_lams=3, ratio=0.1, tol=1e-10)
    assert ours.lam_max == pytest.approx(0.75 * theirs.lam_max, rel=1e-10)
    np.testing.assert_allclose(ours.betas, theirs.betas, atol=1e-5)


def test_only_the_null_model_is_visited_where_every_column_is_zero():
    y = np.arange(6.0)
    found = path(np.zeros((6, 2)), y, family="gaussian", fit_intercept=True, n_lams=2)
    assert found.lam_max == 0 and not found.betas.any() and found.intercepts == pytest.approx([y.mean()] * 2)


# --- every point ------------------------------------------------------------------------------------------------


@every_family
@pytest.mark.parametrize("penalty", [L1(1), ElasticNet(1, 0.4)], ids=repr)
def test_each_point_is_the_fit_at_its_lambda(family, penalty):
    given = problem(family)
    found = along(given, penalty=penalty, n_lams=6, ratio=1e-3, tol=1e-10)
    assert found.converged and len(found) == 6
    np.testing.assert_allclose(found.lams, found.lam_max * 10 ** np.linspace(0, -3, 6), rtol=1e-12)
    for lam, result in zip(found.lams, found, strict=True):
        alone = given._replace(penalty=penalty.at(lam)).fit(tol=1e-10)
        assert result.penalty == penalty.at(lam) and result.certificate.relative <= 1e-10
        assert abs(result.objective - alone.objective) <= result.certificate.bound + alone.certificate.bound
        np.testing.assert_allclose(result.beta, alone.beta, atol=1e-4)


@pytest.mark.parametrize("solver", ["fista", "proximal_gradient", "proximal_newton"])
def test_other_solvers_find_the_same_path(solver):
    given = problem("poisson")
    found, newton = along(given, solver=solver, n_lams=4, ratio=0.01), along(given, n_lams=4, ratio=0.01)
    assert found.converged and {result.solver for result in found} == {solver}
    for ours, exact in zip(found, newton, strict=True):
        assert abs(ours.objective - exact.objective) <= ours.certificate.bound + exact.certificate.bound


def test_warm_starts_save_iterations():
    given = problem("logistic", seed=3)
    warm = along(given, solver="fista", n_lams=12, ratio=1e-3, tol=1e-5)
    cold = [given._replace(penalty=L1(lam)).fit(solver="fista", tol=1e-5) for lam in warm.lams]
    assert sum(r.n_iter for r in warm) < 0.7 * sum(r.n_iter for r in cold)


def test_a_pass_or_two_for_each_lambda_of_least_squares():
    """The Hessian is summed at the first λ. Then a step takes one pass, and the next λ starts from its gradient."""
    found = along(problem("gaussian"), n_lams=20, solver="proximal_newton")
    assert found.converged and max(result.passes for result in found) <= 2


def test_the_hessian_that_one_lambda_leaves_serves_the_next():
    """Where λ falls slowly the Hessian hardly changes, and is renewed at few λ."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((12_000, 8))
    y = (rng.random(12_000) < 1 / (1 + np.exp(0.3 - X[:, :2] @ [1, -0.5]))).astype(float)
    found = path(X, y, family="logistic", fit_intercept=True, n_lams=10, ratio=0.8)
    assert found.converged and {result.solver for result in found} == {"pilot_newton"}
    assert sum(result.state.hessian == "given" for result in found) > 5


def test_data_on_dask_and_sparse_rows_give_the_same_path():
    given = problem("logistic", weighted=False, shifted=False)
    memory = path(*given.data, family="logistic", fit_intercept=True, n_lams=5)
    lazy = path(da.from_array(given.X, chunks=(120, 5)), da.from_array(given.y, chunks=50), family="logistic",
                fit_intercept=True, n_lams=5)  # fmt: skip
    assert lazy.betas.tolist() == memory.betas.tolist() and lazy.lams.tolist() == memory.lams.tolist()
    rows = path(sparse.csr_array(given.X), given.y, family="logistic", fit_intercept=True, n_lams=5)
    np.testing.assert_allclose(rows.betas, memory.betas, atol=1e-8)
    cut = path(da.from_array(given.X, chunks=(35, 2)), given.y, family="logistic", fit_intercept=True, n_lams=5)
    np.testing.assert_allclose(cut.betas, memory.betas, atol=1e-8)


def test_the_null_model_reads_no_column():
    """Every pass over X would make its block again; Newton steps of the intercept need y only."""
    given, made = problem("logistic", weighted=False, shifted=False), []

    def block(block_info=None):
        made.append(1)
        return given.X

    X = da.map_blocks(block, chunks=((120,), (5,)), dtype=float, meta=np.empty((0, 5)))
    found = path(X, given.y, family="logistic", fit_intercept=True, n_lams=1)
    # Passes: the survey, the slopes of the null model, its state, its certificate.
    assert not found[0].beta.any() and len(made) <= 4


# --- other libraries' paths ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.1])
def test_least_squares_follow_scikit_learn(intercept, l1_ratio):
    X, y = datasets.load_diabetes(return_X_y=True)
    n = len(y)
    ours = path(X, y, family="gaussian", penalty=ElasticNet(1, l1_ratio), fit_intercept=intercept, n_lams=20, tol=1e-12)
    centred = (X - X.mean(axis=0), y - y.mean()) if intercept else (X, y)
    # scikit-learn divides the sum by 2n.
    options = dict(alphas=ours.lams / (2 * n), tol=1e-12, max_iter=100_000)
    theirs = lasso_path(*centred, **options) if l1_ratio == 1 else enet_path(*centred, l1_ratio=l1_ratio, **options)
    betas = theirs[1].T
    np.testing.assert_allclose(ours.betas, betas, atol=1e-4 * np.abs(betas).max())
    assert not betas[0].any() and betas[1].any()


def test_lambda_max_is_one_over_the_smallest_c_of_scikit_learn():
    X, y = datasets.load_breast_cancer(return_X_y=True)
    found = path(X, y, family="logistic", n_lams=1)
    assert found.lam_max == pytest.approx(1 / l1_min_c(X, y, loss="log", fit_intercept=False), rel=1e-12)


def test_celer_finds_the_same_path():
    celer = pytest.importorskip("celer")
    X, y = datasets.load_diabetes(return_X_y=True)
    ours = path(X, y, family="gaussian", n_lams=10, ratio=0.01, tol=1e-12)
    _, betas, _ = celer.celer_path(X, y, "lasso", alphas=ours.lams / 2 / len(y), tol=1e-14)
    np.testing.assert_allclose(ours.betas, betas.T, atol=1e-3)


# --- what is given ----------------------------------------------------------------------------------------------


def test_given_lams_are_visited_from_the_largest_down():
    given = problem("gamma")
    found = along(given, lams=[1, 10.0, 0, 3])
    assert found.lams.tolist() == [10, 3, 1, 0] and [r.penalty for r in found] == [L1(lam) for lam in (10, 3, 1, 0)]
    assert found.lam_max == pytest.approx(lambda_max(given), rel=1e-10)


def test_a_ridge_path_needs_lams():
    given = problem("logistic")
    found = along(given, penalty="ridge", lams=[1.0, 100.0])
    assert found[0].penalty == Ridge(100.0) and found.converged and np.isnan(found.lam_max)
    for penalty in ("ridge", Ridge(1), ElasticNet(1, 0.0)):
        with pytest.raises(ValueError, match="no L1 term, so there is no λ_max.*give lams"):
            along(given, penalty=penalty)


@pytest.mark.parametrize("penalty", ["l1", L1, L1(3), lambda lam: L1(lam), lambda lam: ElasticNet(lam, 1.0)])
def test_a_penalty_may_be_a_name_an_example_or_a_function(penalty):
    given = problem("logistic")
    np.testing.assert_array_equal(along(given, penalty=penalty, n_lams=4).betas, along(given, n_lams=4).betas)


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"n_lam": 3}, TypeError, "no option 'n_lam'; did you mean 'n_lams'"),
        ({"lam": [3]}, TypeError, "no option 'lam'; did you mean 'lams'"),
        ({"ratoi": 0.1}, TypeError, "no option 'ratoi'; did you mean 'ratio'"),
        ({"fit_intercep": True}, TypeError, "fit_intercept"), ({"until": 3}, TypeError, "until"),
        ({"penalty": "zero"}, TypeError, "a penalty with a λ to vary.*'zero'"),
        ({"penalty": Zero()}, TypeError, "λ to vary"), ({"penalty": 3}, TypeError, "λ to vary.*got 3"),
        ({"penalty": "elastic_net"}, TypeError, r"ElasticNet\(1, l1_ratio=0.5\)"),
        ({"penalty": "l2"}, ValueError, "unknown penalty 'l2'"),
        ({"lams": []}, ValueError, "lams must be a list"), ({"lams": 3.0}, ValueError, "lams must be a list"),
        ({"lams": [1, -1]}, ValueError, "lams must be .*-1"), ({"lams": [1, np.nan]}, ValueError, "lams.*nan"),
        ({"lams": ["a"]}, TypeError, "lams must be .*'a'"), ({"n_lams": 0}, ValueError, "n_lams"),
        ({"n_lams": 2.5}, TypeError, "n_lams"), ({"ratio": 0}, ValueError, "ratio"),
        ({"ratio": 2}, ValueError, "ratio must lie in"), ({"tol": -1}, ValueError, "tol"),
        ({"solver": "newton"}, ValueError, "newton cannot minimise L1"),
        ({"start": [1.0]}, ValueError, "start must have shape"),
        ({"family": "logit"}, ValueError, "logistic"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused_by_name(options, error, message):
    given = problem("logistic")
    with pytest.raises(error, match=message):
        path(*given.data, **{"family": "logistic"} | options)


# --- what may go wrong ------------------------------------------------------------------------------------------


def test_one_warning_covers_all_fits_that_were_not_proved():
    given = problem("logistic")
    with pytest.warns(NotConverged, match="Not converged in 3 of 4 fits; L1.*max_iter=1") as seen:
        found = along(given, n_lams=4, solver="proximal_gradient", max_iter=1, tol=1e-12)
    assert len(seen) == 1 and not found.converged and [r.converged for r in found] == [True, False, False, False]


def test_one_class_with_a_free_intercept_has_no_path():
    X = np.random.default_rng(0).normal(size=(40, 2))
    with pytest.warns(NotConverged, match="no minimum exists"):
        found = path(X, np.ones(40), family="logistic", fit_intercept=True, n_lams=3)
    assert not any(result.converged for result in found) and np.isfinite(found.betas).all()


def test_ctrl_c_leaves_the_path_so_far():
    seen = []

    def callback(state):
        seen.append(state)
        if len(seen) == 6:
            raise KeyboardInterrupt

    with pytest.warns(NotConverged, match="Interrupted"):
        found = along(problem("logistic"), n_lams=10, callback=callback)
    assert 1 < len(found) < 10 and found[-1].status.startswith("Interrupted") and len(found.lams) == len(found)


# --- what it says -----------------------------------------------------------------------------------------------


def test_an_error_has_the_path_so_far():
    problem, states = random_problem("logistic", L1(1.0), seed=30), []

    def broken(state):
        states.append(state)
        if len(states) > 12:
            raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone") as caught:
        path(*problem.data, family="logistic", callback=broken)
    found = path(*problem.data, family="logistic")
    done = len(caught.value.results)
    assert 1 < done < len(found) and not caught.value.result.converged
    assert all(np.array_equal(one.beta, other.beta) for one, other in zip(caught.value.results, found, strict=False))


def test_a_path_is_a_sequence_of_results():
    found = along(problem("gaussian"), n_lams=8)
    assert isinstance(found, Path) and all(isinstance(result, Result) for result in found)
    assert found.betas.shape == (8, 5) and found.betas[3].tolist() == found[3].beta.tolist()
    assert found.intercepts.tolist() == [result.intercept for result in found]
    part = found[2:5]
    assert isinstance(part, Path) and part.lams.tolist() == found.lams[2:5].tolist() and part[0] is found[2]
    assert found[-1] in found and part.lam_max == found.lam_max
    with pytest.raises(IndexError):
        found[8]
    with pytest.raises(ValueError, match="read-only"):
        found.lams[0] = 1


def test_its_frame_and_its_cards():
    found = along(problem("poisson"), n_lams=5)
    frame = found.to_frame()
    assert frame.lam.tolist() == found.lams.tolist() and frame.passes.tolist() == [r.passes for r in found]
    assert frame.nonzero.tolist() == [np.count_nonzero(r.beta) for r in found] and frame.nonzero[0] == 0
    assert frame.relative.tolist() == [r.certificate.relative for r in found] and frame.converged.all()
    for card in (repr(found), found._repr_html_()):
        assert "5 of 5 converged" in card and "5 fits" in card and f"{frame.passes.sum():g} passes" in card
    assert found._repr_html_().startswith("<table") and "0 fits" in repr(found[5:])


def test_its_picture():
    X, y = datasets.load_diabetes(return_X_y=True)
    found = path(X, y, family="gaussian", fit_intercept=True, n_lams=12)
    picture = viz.coefficients(found, names=[f"column {j}" for j in range(10)], which=[2, 8, 3])
    (axes,) = picture.figure.axes
    x = found.lams / found.lam_max
    drawn = [line for line in axes.lines if len(line.get_xdata()) == 12]
    assert axes.get_xscale() == "log" and axes.get_xlim()[0] > axes.get_xlim()[1] and len(drawn) == 10
    assert all(line.get_xdata().tolist() == x.tolist() for line in drawn)
    assert sorted(line.get_ydata().tolist() for line in drawn) == sorted(found.betas.T.tolist())
    named = [text.get_text() for text in picture.figure.legends[0].get_texts()]
    assert named == ["column 2", "column 8", "column 3", "7 others"]
    counts = np.count_nonzero(found.betas, axis=1)
    words = rf"from 1 to 0.001, .* from 0 to {counts[-1]} of 10 .* column \d, column \d enter first"
    assert re.search(words, picture.finding)
    ridge = viz.coefficients(path(X, y, family="gaussian", penalty="ridge", lams=[1, 10]))
    assert ridge.figure.axes[0].get_xlabel() == "λ, falling to the right" and "first" not in ridge.finding


@pytest.mark.parametrize("options, message", [({"names": ["a"]}, "1 names for 5"), ({}, "lams .* must be positive")])
def test_a_picture_refuses_what_it_cannot_draw(options, message):
    found = along(problem("gaussian"), lams=[1, 0] if not options else [1])
    with pytest.raises(ValueError, match=message):
        viz.coefficients(found, **options)


def test_fit_and_path_agree_on_what_auto_is():
    given = problem("logistic")
    assert along(given, n_lams=2)[0].solver == fit(*given.data, family="logistic", penalty=L1(1.0)).solver
