"""From arrays to a certified answer in one call: `fit`; and a proof for anybody's answer: `certify`."""

from dataclasses import replace

import numpy as np

from glmlab.checks import flag, number, vector
from glmlab.maths.certificates import certificate_at
from glmlab.maths.families import FAMILIES, FAMILY_NEEDS
from glmlab.maths.penalties import PENALTIES, PENALTY_NEEDS, FreeIntercept, is_weighted, on_rows
from glmlab.maths.working import curvature_as
from glmlab.names import named, spelt
from glmlab.policy import Choosing, Proving
from glmlab.rows.columns import coefficients, is_answer, refuse_other_names
from glmlab.rows.entrance import as_chunks
from glmlab.rows.objective import Objective
from glmlab.rows.threads import one_blas_thread
from glmlab.solvers import refuse_settings, resolve
from glmlab.solvers.result import refuse_forgotten
from glmlab.solvers.run import run
from glmlab.words import count_text


def fit(
    X, y, *, family, penalty="zero", solver="auto", fit_intercept=False, sample_weight=None, offset=None, start=None,
    tol=None, max_iter=None, kernels=None, threads=None, callback=None, progress=False, **options,
):  # fmt: skip
    """Minimise a sum of losses plus a penalty, and prove how close the answer is.

    The problem is to minimise F(β) = Σᵢ wᵢ ℓ(xᵢᵀβ + oᵢ; yᵢ) + g(β). The losses are summed, not averaged, and λ stands
    in the penalty g. The λ of another library is converted by `glmlab.maths.conventions.to_lam`; the estimators take
    it as alpha_per_row. The model has an intercept only with fit_intercept=True, and it is never penalised.

    Parameters
    ----------
    X : array or table, shape (n, p)
        An array (numpy, dask, zarr, h5py, xarray, sparse) or a table (pandas, dask, polars, pyarrow), whose names the
        Result keeps.
    y : array or column, shape (n,)
        The response. Labels of rows must be the same in X, y, sample_weight and offset.
    family : str or object
        The loss: "gaussian", "logistic", "poisson", "gamma", NegativeBinomial(alpha), Tweedie(power) or an object of
        your own.
    penalty : str or object, default "zero"
        g: "zero", L1(lam), Ridge(lam), ElasticNet(lam, l1_ratio), Scaled and Standardized of these, or your own.
    solver : str or function, default "auto"
        A name, a generator function of your own, or "auto", which says in the status what it chose and why.
    fit_intercept : bool, default False
        Whether η has a constant, too.
    sample_weight : array or column, shape (n,), optional
        w >= 0, which multiplies the loss of a row; 1 by default.
    offset : array or column, shape (n,), optional
        o, in the unit of η, which is added to it; 0 by default.
    start : array, Result or str, optional
        (p,) or (p + 1,) with the intercept last, an earlier Result, "pilot", "average" or "one-step".
    tol : float, default 1e-9
        Bounds the certified relative gap (Certificate says relative to what).
    max_iter : int, default 10,000
        Iterations at most.
    kernels : "numpy" or "fused", optional
        What each task runs; by default "fused" where numba works.
    threads : int, optional
        For in-memory data; all cores by default.
    callback : function, optional
        callback(state) returning True stops.
    progress : bool, default False
        Whether to print one line that updates.
    **options
        Further options of `run` and of the solver.

    Returns
    -------
    Result
        `converged` says whether tol was proved and, on few rows, β is right to its last digits (see `run`), `advice`
        whether X is cut badly.

    Raises
    ------
    ValueError, TypeError
        For what cannot be fitted: before any pass where shapes or types tell, else within the first pass.
    ClusterError
        Where a cluster loses rows, its workers or its scheduler.

    Warns
    -----
    NotConverged
        Where tol was not proved.
    RankWarning
        Where the optimum is a set.

    Notes
    -----
    An error in mid-run has the last state with it: continue with `start=error.result`.

    Examples
    --------
    >>> from glmlab import fit
    >>> X, y = [[0.0], [0.0], [1.0], [1.0]], [1, 3, 4, 8]
    >>> result = fit(X, y, family="poisson", fit_intercept=True)
    >>> result.beta.round(4).tolist(), round(result.intercept, 4), result.converged
    ([1.0986], 0.6931, True)
    """
    g = named("penalty", penalty, PENALTIES, PENALTY_NEEDS)
    settings = {"tol": tol, "max_iter": max_iter, "callback": callback, **options}
    refuse_early(solver, g, settings, caller=fit)
    f = over_rows(
        X, y, family=family, kernels=kernels, sample_weight=sample_weight, offset=offset,
        intercept=flag("fit_intercept", fit_intercept), threads=threads,
    )  # fmt: skip
    g = on_rows(g, f)
    solver, why = choose(solver, f, g)
    result = run(solver, f, g, start=start, progress=progress, **settings)
    status = f"{result.status} {solver} was chosen because {why}." if why else result.status
    return replace(result, status=status, advice=f.chunks.advice())


def refuse_early(solver, g, settings, caller, hidden=()):
    """The error for what makes no sense whatever the rows are. `settings` are those of `run` and of the solver.

    hidden: names that no error may suggest, because the user has another place for them.
    """
    of_run = ("tol", "max_iter", "callback", "until", "policy")
    own = {name: value for name, value in settings.items() if name not in of_run}
    resolve(stand_in(solver, g), g, own, callers=[run, caller], hidden=hidden)
    refuse_settings(*(settings.get(name) for name in ("tol", "max_iter", "until", "callback")))


def over_rows(X, y, *, family, kernels=None, **rows):
    """The Objective of a family, by name or itself, over what a user holds."""
    family = named("family", family, FAMILIES, FAMILY_NEEDS)
    return Objective(family, as_chunks(X, y, **rows), kernels)


def stand_in(solver, g):
    """For refusals before any row is seen: a solver that can minimise g and has no options, where it is "auto"."""
    if not (isinstance(solver, str) and solver == "auto"):
        return solver
    return "fista" if not is_weighted(g) else "proximal_newton"


def choose(solver, f, g, policy=Choosing()):
    """The solver that "auto" stands for, and why; any other as it is."""
    if not (isinstance(solver, str) and solver == "auto"):
        return solver, ""
    g = FreeIntercept(g) if f.chunks.intercept else g
    if not is_weighted(g):
        return "fista", f"of {g!r} only the prox is known"
    known = curvature_as(g, f.dim)
    if known == "set":
        return "working_sets", f"an L1 term keeps most of {f.dim:,} coefficients at 0"
    if known == "products":
        return "newton_cg", f"a matrix of {f.dim:,} x {f.dim:,} is too large"
    full, kind = ("newton", "smooth") if g.smooth else ("proximal_newton", "not smooth")
    if f.quadratic:
        return full, f"{g!r} is {kind} and the Hessian of least squares is summed once"
    if f.n >= policy.plenty * f.dim:
        return "pilot_newton", f"{f.n:,} rows are {policy.plenty:,} and more for each coefficient"
    if f.dim <= policy.narrow:
        return full, f"{g!r} is {kind} and {f.dim} x {f.dim} systems are small"
    if f.n < policy.spare * f.dim:
        return full, f"{g!r} is {kind} and of {f.n:,} rows for {count_text(f.dim, 'coefficient')} none can be spared"
    passes = f"{f.dim} coefficients make Hessians dear, and {f.n:,} rows are enough for a pilot"
    return ("lbfgs", f"{g!r} is smooth, {passes}") if g.smooth else ("pilot_newton", f"{g!r} is not smooth, {passes}")


@spelt
def certify(
    X, y, beta, *, family, penalty="zero", intercept=None, sample_weight=None, offset=None, fraction=1.0, seed=0
):
    """Bound how far any β is from the optimum, whoever computed it.

    The problem is that of `fit`: λ counts against a loss that is a sum over rows. The bound holds whatever solver made
    β.

    Parameters
    ----------
    X, y : as in `fit`
    beta : array, shape (p,), Series or Result
        The coefficients. The labels of a Series are X's columns. A Result brings its intercept along.
    family, penalty : as in `fit`
    intercept : float, optional
        None says that the model has no intercept, any number that it has a free one.
    sample_weight, offset : as in `fit`
    fraction : float in (0, 1], default 1
        Below 1 the dual point is moved on a sample of so many of the rows only: cheaper and looser, but a bound all the
        same.
    seed : int, default 0
        Of the sample.

    Returns
    -------
    Certificate
        `within` says how far each coefficient may be from the optimum, `errors` the same in standard errors.

    Raises
    ------
    ValueError, TypeError
        As `fit` does, and for an estimator or a Path in place of coefficients.

    Examples
    --------
    >>> from glmlab import certify
    >>> proof = certify([[1.0], [2.0]], [2.0, 4.0], [1.9], family="gaussian")
    >>> round(proof.objective, 4), round(proof.bound, 4)
    (0.05, 0.05)
    """
    names = None
    refuse_holders(beta)
    if is_answer(beta):
        refuse_forgotten(offset, beta.shifted)
        names, free = beta.names, len(beta.state.beta) > len(beta.beta)
        beta, intercept = beta.beta, beta.intercept if intercept is None and free else intercept
    f = over_rows(X, y, family=family, sample_weight=sample_weight, offset=offset, intercept=intercept is not None)
    refuse_other_names("X", f.chunks.names, names, "the model", "X[list(result.names)]")
    g = named("penalty", penalty, PENALTIES, ("value",))
    point = vector("beta", coefficients("beta", beta, f.chunks.names, f.chunks.p), f.chunks.p)
    f.look(np.zeros(f.dim))  # refuses what cannot be fitted
    g = on_rows(g, f)
    if intercept is not None:
        point, g = np.append(point, number("intercept", intercept, -np.inf)), FreeIntercept(g)
    with one_blas_thread:  # then the machine's setting changes no bit
        found = certificate_at(f, g, point, polish=30, sample=None if fraction == 1 else f.sample(fraction, seed))
    return found if intercept is not None else asked(found, f, g, point)


def asked(found, f, g, beta, policy=Proving()):
    """A Certificate that asks for an intercept where β is no answer and one level for all rows fits better than it."""
    worse = found.objective - g.value(beta) > f.null.loss
    if not (worse and found.relative > policy.foreign and np.any(beta)):
        return found
    hint = "one level for all rows fits better than β; was the model fitted with an intercept? Pass intercept=…"
    return found._replace(kind=f"{found.kind}; {hint}")


def refuse_holders(given):
    """The error for what holds coefficients and is neither an array nor a Result: it says what to type."""
    if hasattr(type(given), "fit"):
        cure = "fit it and pass estimator.result_ or, of another library's, its coefficients and intercept=…"
    elif is_answer(given) and not hasattr(given, "state"):
        cure = "pass state.beta, or state.beta[:-1] and intercept=state.beta[-1] where the fit had an intercept"
    else:
        return
    raise TypeError(f"certify needs coefficients or a Result, got {type(given).__name__}; {cure}")
