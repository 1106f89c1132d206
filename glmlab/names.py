"""Names that a user types. An error about a misspelt one suggests the nearest known name."""

import difflib
import functools
import inspect

ELSEWHERE = {"l2": "ridge", "lasso": "l1", "elasticnet": "elastic_net", "none": "zero", "binomial": "logistic",
             "bernoulli": "logistic", "normal": "gaussian", "linear": "gaussian", "squared_error": "gaussian",
             "folds": "cv", "n_folds": "cv", "n_jobs": "threads"}  # fmt: skip
OWN = "write it as a family of your own, as the page on families shows"
# Families of other libraries that have no name here, and what to type.
FAMILIES_ELSEWHERE = {
    "inverse_gaussian": "with a log link its loss is not convex; Gamma() and Tweedie(power) have a convex one",
    "quasipoisson": "its coefficients are those of 'poisson'; infer(…, dispersion='pearson') has its standard errors",
    "probit": OWN, "cloglog": OWN,
    "multinomial": "a family is of one number a row; fit one 'logistic' for each class",
}  # fmt: skip


def nearest(word, known):
    """For an error's text: the known word nearest to a misspelt one, or all known words if none is near."""
    known = list(known)
    if ELSEWHERE.get(word) in known:
        return f"here it is {ELSEWHERE[word]!r}"
    close = difflib.get_close_matches(str(word), known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(sorted(known))}"


def spelt(function):
    """A decorator: the function's TypeError for an unknown keyword suggests the nearest parameter."""
    known = [name for name in inspect.signature(function).parameters if name != "self"]

    @functools.wraps(function)
    def called(*args, **keywords):
        for word in keywords:
            if word not in known:
                name = function.__qualname__.removesuffix(".__init__")
                raise TypeError(f"{name}() has no parameter {word!r}; {nearest(word, known)}")
        return function(*args, **keywords)

    return called


def named(what, given, known, needs):
    """`given`, or a new object of the class `known[given]` where `given` is a name.

    what: the parameter, for the error's text. known: {name: class}. needs: the attributes that an object of the user's
    own must have. Raises TypeError or ValueError that says what was given and what is known.
    """
    if isinstance(given, str):
        try:
            return known[among(what, given, known)]()
        except TypeError:
            raise TypeError(f"{what} {given!r} has parameters: write {example(known[given])}") from None
    if isinstance(given, type):
        raise TypeError(f"{what} must be an object, got the class {given.__name__}: write {example(given)}")
    lacking = [name for name in needs if not hasattr(given, name)]
    if lacking:
        names = ", ".join(sorted(known))
        raise TypeError(f"{what} must be one of {names} or an object with {', '.join(needs)}; got {given!r}, "
                        f"which has no {lacking[0]}")  # fmt: skip
    return given


def among(what, given, known):
    """`given` if it is one of the names `known`. Raises TypeError or ValueError that suggests the nearest."""
    if not isinstance(given, str):
        raise TypeError(f"{what} must be one of the names {', '.join(sorted(known))}; got {given!r}")
    if given not in known:
        raise ValueError(f"unknown {what} {given!r}; {FAMILIES_ELSEWHERE.get(given) or nearest(given, known)}")
    return given


def example(cls):
    """The text of a call that makes an object of the class, as L1(lam=…)."""
    inside = ", ".join(f"{name}=…" for name in inspect.signature(cls).parameters)
    return f"{cls.__name__}({inside})"
