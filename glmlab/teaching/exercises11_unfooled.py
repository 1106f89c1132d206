"""The third exercise of notebook 11: believe no result that you have not certified."""

import dataclasses
import functools
import warnings
from typing import NamedTuple

import numpy as np

from glmlab.fitting import certify, fit
from glmlab.maths.penalties import L1, Ridge
from glmlab.solvers.result import Result

from .exercise import Exercise, require
from .guard import short


def unfooled(result, X, y, tol=1e-6):
    found = certify(X, y, result, family=result.family, penalty=result.penalty)
    honest = np.isclose(found.objective, result.objective, rtol=1e-9)
    return bool(honest and (not result.converged or found.relative <= tol))


UNFOOLED = Exercise(
    name="unfooled",
    statement=(
        "Somebody hands you a Result whose fields a solver has filled in that you do not know: beta, intercept, "
        "objective, converged, status, certificate, family, penalty. Return True if its objective is F at its beta "
        "and, where it says that it has converged, the relative gap is proved to be at most tol; else False. A result "
        "that admits that it has not converged is a true one. certify(X, y, result, family=…, penalty=…) certifies any "
        "answer."
    ),
    stub='''
    from glmlab import certify


    def unfooled(result, X, y, tol=1e-6):
        """Is what this result says of itself true?"""
        raise NotImplementedError
    ''',
    reference=unfooled,
    hints=(
        "Which of its fields did the solver write, and which of them can you compute yourself from X and y?",
        "certify(X, y, result, family=result.family, penalty=result.penalty) brings F at its beta (.objective) and a "
        "proved .relative. Compare both with what the result says; the second only where it says converged.",
        "found = certify(…); return bool(np.isclose(found.objective, result.objective, rtol=1e-9) and "
        "(not result.converged or found.relative <= tol))",
    ),
)


class Case(NamedTuple):
    """A result, its rows, and whether what it says is true."""

    result: Result
    X: np.ndarray
    y: np.ndarray
    true: bool
    words: str


def _data(seed=1130, n=150):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3)) * [1.0, 0.5, 2.0]
    eta = X @ [0.8, -0.6, 0.3] + 1.0
    return X, (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(float), eta + rng.normal(size=n)


def _fitted(X, y, family, penalty, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some are meant not to converge
        return fit(X, y, family=family, penalty=penalty, kernels="numpy", threads=1, **options)


def _boast(result, **fields):
    """The same with other fields, and the words of a proved answer."""
    proved = result.certificate._replace(bound=1e-12, relative=1e-12, kkt=1e-12, kind="residual-corrected duality")
    words = {"converged": True, "status": "Converged after 7 iterations.", "certificate": proved}
    return dataclasses.replace(result, **words, **fields)


@functools.cache
def _cases():
    X, labels, amounts = _data()
    right = [
        ("logistic with ridge", _fitted(X, labels, "logistic", Ridge(2.0)), labels),
        ("logistic with L1 and an intercept", _fitted(X, labels, "logistic", L1(3.0), fit_intercept=True), labels),
        ("least squares with an intercept", _fitted(X, amounts, "gaussian", "zero", fit_intercept=True), amounts),
        ("least squares, y in millionths", _fitted(X, 1e6 * amounts, "gaussian", Ridge(5.0)), 1e6 * amounts),
    ]
    found = [Case(result, X, y, True, f"honest: {words}") for words, result, y in right]
    near = dataclasses.replace(right[0][1], converged=False, status="Not converged after 5 iterations: interrupted.")
    found.append(Case(near, X, labels, True, "not converged, and it says so: although it is near"))
    early = {"solver": "proximal_gradient", "max_iter": 2}
    for words, y, family in (("logistic", labels, "logistic"), ("least squares", amounts, "gaussian")):
        result = _fitted(X, y, family, Ridge(2.0), fit_intercept=True, **early)
        found.append(Case(result, X, y, True, f"not converged, and it says so: {words}"))
        found.append(Case(_boast(result), X, y, False, f"two iterations, called converged: {words}"))
    classes = (X[:, 0] > 0).astype(float)
    apart = _fitted(X, classes, "logistic", "zero", solver="gradient_descent", max_iter=60)
    found.append(Case(apart, X, classes, True, "separable labels, not converged, and it says so"))
    found.append(Case(_boast(apart), X, classes, False, "separable labels, called converged"))
    for words, result, y in right:
        stale = dataclasses.replace(result, objective=result.objective * (1 + 1e-4))
        found.append(Case(stale, X, y, False, f"the objective of an earlier β: {words}"))
    admits = _fitted(X, labels, "logistic", Ridge(2.0), **early)
    admits = dataclasses.replace(admits, objective=admits.objective - 1.0)
    found.append(Case(admits, X, labels, False, "not converged, with the objective of another β"))
    free = _fitted(X, labels, "logistic", Ridge(8.0), fit_intercept=True)
    ones = _fitted(np.column_stack([X, np.ones(len(X))]), labels, "logistic", Ridge(8.0))
    beta, level = ones.beta[:-1], float(ones.beta[-1])
    state = free.state._replace(beta=ones.beta)
    objective = ones.objective - 4.0 * level**2  # F, whose penalty leaves the intercept out
    penalised = _boast(free, beta=beta, intercept=level, objective=objective, state=state)
    found.append(Case(penalised, X, labels, False, "an intercept that was penalised"))
    return found


def _answer(unfooled, case):
    found = unfooled(case.result, case.X, case.y)
    found = found.item() if isinstance(found, np.generic) else found
    words = f"{case.words}: it returned {short(found)}; True or False is needed"
    require(isinstance(found, bool), words, "return the comparison itself, or bool(…) of it")
    return found


def _recount(case):
    return certify(case.X, case.y, case.result, family=case.result.family, penalty=case.result.penalty)


@functools.cache
def _found():
    """What each case's certificate says."""
    return [_recount(case) for case in _cases()]


def _same(case, found):
    return bool(np.isclose(found.objective, case.result.objective, rtol=1e-9))


BELIEFS = {  # hint: what an answer with this mistake says of a case, given its true certificate
    "it believes `converged`: who wrote it?": lambda c, found: c.result.converged,
    "it believes the certificate in the result: who wrote it? certify(X, y, result, …) makes one of your own":
        lambda c, found: c.result.certificate.relative <= 1e-6,
    "it believes everything": lambda c, found: True,
    "it believes nothing: an honest result is a true one": lambda c, found: False,
    "F at its beta is right, but is beta optimal? Where it says converged, ask for a proved gap":
        _same,
    "beta may be optimal and `objective` that of another beta: compare it with certify's":
        lambda c, found: not c.result.converged or found.relative <= 1e-6,
    "a result that admits that it has not converged says the truth": lambda c, found: _same(c, found)
        and found.relative <= 1e-6,
    "bound has the unit of F, which changes with y: compare `relative` with tol":
        lambda c, found: _same(c, found) and (not c.result.converged or found.bound <= 1e-6),
}  # fmt: skip


def _belief(unfooled):
    """The hint of the mistake that says the same of all cases, None for an unknown one."""
    said = [_answer(unfooled, case) for case in _cases()]
    pairs = list(zip(_cases(), _found(), strict=True))
    return next((hint for hint, rule in BELIEFS.items() if said == [bool(rule(*pair)) for pair in pairs]), None)


def _judges(unfooled, which):
    """Raise Wrong unless it is right about the cases whose words begin with one of `which`."""
    for case in _cases():
        if case.words.startswith(which):
            said = _answer(unfooled, case)
            words = f"{case.words}: what it says is {'true' if case.true else 'not true'}, and you said {said}"
            require(said == case.true, words, lambda: _belief(unfooled))


@UNFOOLED.condition(
    "honest results are believed",
    hint="certify with the result's own family and penalty; a Result brings its intercept along",
    errors=True,
)
def believes_honest(unfooled):
    _judges(unfooled, ("honest",))


@UNFOOLED.condition(
    "who admits that it has not converged is believed", hint="it claims no optimum: only its objective is to be checked"
)
def believes_modest(unfooled):
    _judges(unfooled, ("not converged, and it says so", "separable labels, not converged"))


@UNFOOLED.condition(
    "the objective is that of its beta", hint="compute F at its beta yourself: certify(…).objective is F there"
)
def not_stale(unfooled):
    _judges(unfooled, ("the objective of an earlier", "not converged, with the objective"))


@UNFOOLED.condition(
    "converged means proved",
    hint="its certificate, its status and its `converged` are its own words; only a certificate of yours counts",
)
def not_boasting(unfooled):
    _judges(unfooled, ("two iterations", "separable labels, called", "an intercept"))
