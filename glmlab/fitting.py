"""fit: from arrays to a certified answer in one call."""

from dataclasses import replace

from glmlab.checks import flag
from glmlab.chunks import as_chunks
from glmlab.families import FAMILIES
from glmlab.names import named
from glmlab.objective import FAMILY_NEEDS, Objective
from glmlab.penalties import PENALTIES, PENALTY_NEEDS, weights
from glmlab.solvers.lbfgs import ENOUGH
from glmlab.solvers.run import POLICY, refuse_settings, resolve, run

MANY = 1000  # rows for each coefficient: then passes with a kept Hessian are cheaper than any Hessian pass
FEW = 100  # coefficients: so many at most, and a pass with the Hessian costs little more than one without


def fit(
    X, y, *, family, penalty="zero", solver="auto", fit_intercept=False, sample_weight=None, offset=None, start=None,
    tol=POLICY.default, max_iter=None, kernels=None, threads=None, callback=None, progress=False, **options,
):  # fmt: skip
    """Minimise Σᵢ wᵢ ℓ(xᵢᵀβ + oᵢ; yᵢ) + g(β) and prove how close the answer is.

    X (n, p): an array (numpy, dask, zarr, h5py, xarray, sparse) or a table (pandas, dask, polars, pyarrow), whose names
    the Result keeps; y, sample_weight, offset: (n,). Labels of rows must be the same in all of them.
    family: "gaussian", "logistic", "poisson", "gamma" or an object. penalty: "zero", L1(lam), Ridge(lam),
    ElasticNet(lam, l1_ratio). solver: a name, a generator function of your own, or "auto", which says in the status
    what it chose and why. The intercept is never penalised. start: (p,) or (p + 1,) with the intercept last, an earlier
    Result, "pilot", "average" or "one-step". tol bounds the certified relative gap (Certificate
    says relative to what). threads: for in-memory data, all
    cores by default. Further options go to `run` and the solver.
    Returns a Result; `converged` says whether tol was proved and, on few rows, β is right to its last digits (see
    `run`), `advice` whether X is cut badly. Raises ValueError or TypeError, before any pass where shapes or types tell,
    else within the first pass.
    """
    family = named("family", family, FAMILIES, FAMILY_NEEDS)
    g = named("penalty", penalty, PENALTIES, PENALTY_NEEDS)
    # Refused before anything is read; `until` and `policy` are options of `run`.
    own = {name: value for name, value in options.items() if name not in ("until", "policy")}
    resolve(stand_in(solver, g), g, own, caller=fit)
    refuse_settings(tol, max_iter, options.get("until"), callback)
    chunks = as_chunks(
        X, y, sample_weight=sample_weight, offset=offset, intercept=flag("fit_intercept", fit_intercept),
        threads=threads,
    )  # fmt: skip
    f = Objective(family, chunks, kernels)
    solver, why = choose(solver, f, g)
    result = run(
        solver, f, g, start=start, tol=tol, max_iter=max_iter, callback=callback, progress=progress,
        **options,
    )  # fmt: skip
    status = f"{result.status} {solver} was chosen because {why}." if why else result.status
    return replace(result, status=status, advice=chunks.advice())


def stand_in(solver, g):
    """For refusals before any row is seen: a solver that can minimise g and has no options, where it is "auto"."""
    if not (isinstance(solver, str) and solver == "auto"):
        return solver
    return "fista" if weights(g, 1) is None else "proximal_newton"


def choose(solver, f, g):
    """The solver that "auto" stands for, and why; any other as it is."""
    if not (isinstance(solver, str) and solver == "auto"):
        return solver, ""
    if weights(g, f.dim) is None:
        return "fista", f"of {g!r} only the prox is known"
    full, kind = ("newton", "smooth") if g.smooth else ("proximal_newton", "not smooth")
    if f.quadratic:
        return full, f"{g!r} is {kind} and the Hessian of least squares is summed once"
    if f.n >= MANY * f.dim:
        return "pilot_newton", f"{f.n:,} rows are {MANY:,} and more for each of {f.dim} coefficients"
    if f.dim <= FEW:
        return full, f"{g!r} is {kind} and {f.dim} x {f.dim} systems are small"
    if f.n < ENOUGH * f.dim:
        return full, f"{g!r} is {kind} and of {f.n:,} rows for {f.dim} coefficients none can be spared"
    passes = f"{f.dim} coefficients make Hessians dear, and {f.n:,} rows are enough for a pilot"
    return ("lbfgs", f"{g!r} is smooth, {passes}") if g.smooth else ("pilot_newton", f"{g!r} is not smooth, {passes}")
