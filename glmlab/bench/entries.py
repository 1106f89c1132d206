"""The solvers that race, ours and the peers': each a function from rows and a problem to β, with a list of tolerances.

A peer is imported inside its function: if it is not installed, its rows say so and the others run. λ is converted by
`glmlab.maths.conventions`. No entry fits an intercept. An entry says which problems it can solve with exactly our
objective.
"""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from glmlab.fitting import fit
from glmlab.maths.conventions import from_lam
from glmlab.rows.threads import cores

CHUNK = 100_000  # rows in a chunk for dask-glm, as in the post


class Answer(NamedTuple):
    """The answer of a solver."""

    beta: np.ndarray  # (p,)
    passes: float | None = None  # over the rows; None where the solver does not say
    rounds: int | None = None
    trace: tuple = ()  # (seconds, passes, objective) of each iteration, ours only
    says: str = ""


@dataclass(frozen=True)
class Entry:
    """A solver in the race."""

    name: str
    solve: Callable  # (X, y, posed, setting) → Answer
    ladder: tuple  # settings such as tolerances, the loosest first
    can: Callable  # posed.problem → bool: can it solve this problem?
    package: str = "glmlab"  # what must be importable
    cores: int | None = None  # that it may use; None: all
    blas_threads: int | None = None  # of each call; None: one for each core
    sparse: bool = False  # does it race on sparse rows, too?

    @property
    def installed(self):
        return importlib.util.find_spec(self.package) is not None

    def takes(self, problem):
        """Can it solve this problem on these rows?"""
        return self.can(problem) and (self.sparse or not problem.sparse)


# --- which problems

def kind(problem):
    """The problem's penalty: "none", "l1" or "l2"."""
    penalty = problem.penalty(1.0)
    return "l1" if penalty.l1 else "l2" if penalty.l2 else "none"


def of(family, *kinds):
    """A condition for `Entry.can`: a problem of this family with one of these penalties."""
    return lambda problem: problem.family == family and kind(problem) in kinds


def smooth(problem):
    return kind(problem) != "l1"


def always(problem):
    return True


# --- ours

TOLS = (1e-3, 1e-6, 1e-9)


def ours(solver="auto", kernels=None, **options):
    """One of our solvers, from numpy arrays on all cores."""

    def solve(X, y, posed, tol):
        result = fit(X, y, family=posed.problem.family, penalty=posed.penalty, solver=solver, kernels=kernels, tol=tol,
                     **options)  # fmt: skip
        return answer_of(result)

    return solve


def answer_of(result):
    """A Result as an Answer."""
    trace = tuple((row.seconds, row.passes, row.objective) for row in result.trace)
    return Answer(result.beta, result.passes, result.rounds, trace, f"{result.solver}, {result.kernels} kernels")


def on_processes(X, y, posed, tol):
    """Our default solver on two worker processes; `worker` starts them and places the rows before the clock starts."""
    return ours()(X, y, posed, tol)


# --- scikit-learn and what has its interface

def estimator(make):
    """An estimator of scikit-learn's interface: `make(posed, n, setting)` → estimator."""

    def solve(X, y, posed, setting):
        fitted = make(posed, len(y), setting).fit(X, y)
        return Answer(np.ravel(fitted.coef_).astype(float))

    return solve


def sklearn_logistic(solver, package="sklearn"):
    def make(posed, n, tol):
        module = importlib.import_module(f"{package}.linear_model")
        penalty, C = posed.penalty, np.inf if kind(posed.problem) == "none" else 1 / posed.lam
        return module.LogisticRegression(C=C, l1_ratio=1.0 if penalty.l1 else 0.0, solver=solver, tol=tol,
                                         fit_intercept=False, max_iter=10_000, random_state=0)  # fmt: skip

    return estimator(make)


def sgd(posed, n, tol):
    from sklearn.linear_model import SGDClassifier

    return SGDClassifier(loss="log_loss", penalty="l1", alpha=from_lam(posed.lam, n, "SGDClassifier"),
                         fit_intercept=False, tol=tol, random_state=0)  # fmt: skip


def least_squares(package):
    def make(posed, n, _):
        return importlib.import_module(f"{package}.linear_model").LinearRegression(fit_intercept=False)

    return estimator(make)


def lasso(posed, n, tol):
    from sklearn.linear_model import Lasso

    return Lasso(from_lam(posed.lam, n, "Lasso"), fit_intercept=False, tol=tol, max_iter=100_000)


GLUM = {"logistic": "binomial", "poisson": "poisson", "gaussian": "gaussian"}


def glum(posed, n, tol):
    from glum import GeneralizedLinearRegressor

    l1 = kind(posed.problem) == "l1"
    alpha = 0.0 if kind(posed.problem) == "none" else from_lam(posed.lam, n, "glum", posed.problem.family)
    return GeneralizedLinearRegressor(family=GLUM[posed.problem.family], alpha=alpha, l1_ratio=float(l1),
                                      fit_intercept=False, gradient_tol=tol, max_iter=1000)  # fmt: skip


def celer(posed, n, tol):
    import celer

    if posed.problem.family == "gaussian":
        return celer.Lasso(from_lam(posed.lam, n, "Lasso"), fit_intercept=False, tol=tol)
    return celer.LogisticRegression(C=1 / posed.lam, fit_intercept=False, tol=tol)


def skglm(posed, n, tol):
    import skglm

    if posed.problem.family == "gaussian":
        return skglm.Lasso(from_lam(posed.lam, n, "Lasso"), fit_intercept=False, tol=tol)
    return skglm.SparseLogisticRegression(posed.lam / n, fit_intercept=False, tol=tol)


def snapml(posed, n, tol):
    from snapml import LogisticRegression

    penalty = {"l1": "l1", "l2": "l2"}[kind(posed.problem)]
    return LogisticRegression(penalty=penalty, regularizer=posed.lam, dual=penalty == "l2", fit_intercept=False,
                              tol=tol, max_iter=10_000, n_jobs=cores())  # fmt: skip


# --- statsmodels, dask-glm, dask-ml

def statsmodels(X, y, posed, tol):
    import statsmodels.api as sm

    families = {"logistic": sm.families.Binomial, "poisson": sm.families.Poisson, "gaussian": sm.families.Gaussian}
    fitted = sm.GLM(y, X, family=families[posed.problem.family]()).fit(tol=tol)
    return Answer(np.asarray(fitted.params))


DASK_GLM = {"logistic": "Logistic", "poisson": "Poisson", "gaussian": "Normal"}


def dask_glm(solver, options):
    """dask-glm's solver on chunks of 100,000 rows, on threads. normalize=True would change the problem.

    options: a function from the setting to keywords. BLAS has one thread in each task, as in its authors' own runs;
    with two it is twenty times as slow.
    """

    def solve(X, y, posed, setting):
        import dask.array as da
        from dask_glm import algorithms, families

        lazy = da.from_array(X, chunks=(CHUNK, X.shape[1])), da.from_array(y, chunks=CHUNK)
        regular = {} if kind(posed.problem) == "none" else {"regularizer": kind(posed.problem), "lamduh": posed.lam}
        family = getattr(families, DASK_GLM[posed.problem.family])
        beta = getattr(algorithms, solver)(*lazy, family=family, normalize=False, **regular, **options(setting))
        return Answer(np.asarray(beta))

    return solve


def dask_ml(X, y, posed, tol):
    """dask-ml's estimator with its default solver, ADMM, and default tolerances."""
    import dask.array as da
    from dask_ml.linear_model import LogisticRegression

    lazy = da.from_array(X, chunks=(CHUNK, X.shape[1])), da.from_array(y, chunks=CHUNK)
    fitted = LogisticRegression(penalty=kind(posed.problem), C=1 / posed.lam, fit_intercept=False, tol=tol,
                                solver_kwargs={"normalize": False}).fit(*lazy)  # fmt: skip
    return Answer(np.ravel(fitted.coef_))


def column_sum(X, y, posed, _):
    """No solver, but a unit of time: X.sum() on threads reads the rows once."""
    from concurrent.futures import ThreadPoolExecutor

    cuts = np.array_split(np.arange(len(X)), 8 * cores())
    with ThreadPoolExecutor(cores()) as pool:
        total = sum(pool.map(lambda cut: X[cut[0] : cut[-1] + 1].sum(), cuts))
    return Answer(np.zeros(X.shape[1]), passes=1, says=f"{total:.6g}")


LOGISTIC_PEERS = of("logistic", "l1", "l2")
LIST = [
    Entry("X.sum()", column_sum, (0,), always),
    Entry("glmlab", ours(), TOLS, always, sparse=True),
    Entry("glmlab, numpy kernels", ours(kernels="numpy"), TOLS, always),
    Entry("glmlab, 2 processes", on_processes, TOLS, always),
    Entry("glmlab, one core", ours(), TOLS, always, cores=1),
    *(Entry(f"glmlab {name}", ours(name), TOLS, can) for name, can in {
        "pilot_newton": always, "proximal_newton": always, "newton": smooth, "lbfgs": smooth,
        "consensus_admm": always, "fista": always, "proximal_gradient": always, "gradient_descent": smooth,
    }.items()),
    Entry("glum", estimator(glum), (1e-3, 1e-6, 1e-9), always, "glum", sparse=True),
    Entry("liblinear", sklearn_logistic("liblinear"), (1e-2, 1e-4, 1e-6, 1e-8), LOGISTIC_PEERS, sparse=True),
    Entry("saga", sklearn_logistic("saga"), (1e-2, 1e-4), of("logistic", "l1", "l2", "none")),
    Entry("newton-cholesky", sklearn_logistic("newton-cholesky"), (1e-4, 1e-8), of("logistic", "l2", "none")),
    Entry("lbfgs (scikit-learn)", sklearn_logistic("lbfgs"), (1e-4, 1e-8), of("logistic", "l2", "none")),
    Entry("SGD", estimator(sgd), (1e-3, 1e-4), of("logistic", "l1")),
    Entry("intelex lbfgs", sklearn_logistic("lbfgs", "sklearnex"), (1e-4, 1e-8), of("logistic", "l2", "none"),
          "sklearnex"),
    Entry("intelex OLS", least_squares("sklearnex"), (0,), of("gaussian", "none"), "sklearnex"),
    Entry("LinearRegression", least_squares("sklearn"), (0,), of("gaussian", "none")),
    Entry("Lasso (scikit-learn)", estimator(lasso), (1e-4, 1e-8), of("gaussian", "l1")),
    Entry("celer", estimator(celer), (1e-4, 1e-6, 1e-8), lambda p: kind(p) == "l1" and p.family != "poisson", "celer",
          sparse=True),
    Entry("skglm", estimator(skglm), (1e-4, 1e-6, 1e-8), lambda p: kind(p) == "l1" and p.family != "poisson", "skglm",
          sparse=True),
    Entry("snapml", estimator(snapml), (1e-3, 1e-6), LOGISTIC_PEERS, "snapml"),
    Entry("statsmodels IRLS", statsmodels, (1e-8,), lambda p: kind(p) == "none", "statsmodels"),
    Entry("dask-glm admm", dask_glm("admm", lambda steps: {"abstol": 0, "reltol": 0, "max_iter": steps}),
          (1, 2, 5, 20), LOGISTIC_PEERS, "dask_glm", blas_threads=1),
    Entry("dask-glm proximal_grad", dask_glm("proximal_grad", lambda tol: {"tol": tol}), (1e-8,), LOGISTIC_PEERS,
          "dask_glm", blas_threads=1),
    Entry("dask-glm lbfgs", dask_glm("lbfgs", lambda tol: {"tol": tol, "max_iter": 1000}), (1e-4, 1e-8),
          of("logistic", "none", "l2"), "dask_glm", blas_threads=1),
    Entry("dask-ml admm", dask_ml, (1e-4,), LOGISTIC_PEERS, "dask_ml", blas_threads=1),
]  # fmt: skip
ENTRIES = {entry.name: entry for entry in LIST}
