"""Misspelt keywords: every public function suggests the nearest one, and keeps its signature, docstring and pickle."""

import inspect
import pickle
import subprocess
import sys

import numpy as np
import pytest

import glmlab
from glmlab import datasets
from glmlab.machine import cluster
from glmlab.maths import conventions
from glmlab.names import spelt

SPELT = [
    glmlab.as_chunks, glmlab.certify, glmlab.L1, glmlab.Ridge, glmlab.ElasticNet, glmlab.Objective,
    glmlab.NegativeBinomial, glmlab.Tweedie, glmlab.Objective.sample, glmlab.check_family, glmlab.check_penalty,
    glmlab.infer, glmlab.leverages, glmlab.calibration, cluster.client,
    conventions.to_lam, conventions.from_lam, conventions.table,
    *(getattr(datasets, name) for name in datasets.__all__ if callable(getattr(datasets, name))),
]  # fmt: skip
# These pass options on, and resolve says who knows them.
ANY_OPTION = [glmlab.fit, glmlab.fit_negative_binomial, glmlab.path, glmlab.cross_validate_path, glmlab.run]
every = pytest.mark.parametrize("function", SPELT, ids=lambda function: function.__qualname__)


def parameters(function):
    return [name for name in inspect.signature(function).parameters if name != "self"]


@every
def test_a_misspelt_keyword_names_the_near_miss_before_anything_is_done(function):
    for name in parameters(function):
        word = name + "x" if len(name) < 4 else name[:-2] + name[-1] + name[-2] + "s"
        if word not in parameters(function):
            said = rf"{function.__qualname__}\(\) has no parameter '{word}'; did you mean"
            with pytest.raises(TypeError, match=said):
                function(**{word: 1})


@every
def test_signature_docstring_and_pickle_are_those_of_the_function(function):
    assert parameters(function) and "keywords" not in parameters(function)
    assert function.__doc__ and pickle.loads(pickle.dumps(function)) is function


@pytest.mark.parametrize("function", ANY_OPTION, ids=lambda function: function.__name__)
def test_functions_that_pass_options_on_name_the_near_miss_too(function):
    f = glmlab.Objective("gaussian", glmlab.as_chunks([[1.0], [2.0]], [1.0, 2.0]))
    given = ("newton", f) if function is glmlab.run else ([[1.0], [2.0]], [1.0, 2.0])
    family = {"family": "gaussian"} if "family" in parameters(function) else {}
    with pytest.raises(TypeError, match="'max_itr'; did you mean 'max_iter'"):
        function(*given, **family, max_itr=3)
    assert f.passes == 0


def test_check_solver_passes_options_on_and_names_the_near_miss_too():
    with pytest.raises(TypeError, match="newton has no option 'familys'; did you mean 'families'"):
        glmlab.check_solver("newton", familys=["logistic"])


def test_no_public_function_is_left_out():
    public = [getattr(glmlab, name) for name in glmlab.__all__]
    functions = {value for value in public if inspect.isfunction(value)}
    assert functions <= {*SPELT, *ANY_OPTION, glmlab.check_solver}


def test_what_is_spelt_right_goes_through():
    @spelt
    def twice(value, *, plus=0):
        return 2 * value + plus

    assert twice(3) == 6 and twice(value=3, plus=1) == 7
    with pytest.raises(TypeError, match=r"no parameter 'zzz'; known are plus, value"):
        twice(3, zzz=1)
    with pytest.raises(TypeError, match="missing 1 required"):
        twice()


@pytest.mark.parametrize(("given", "says"), [
    ({"penalty": "l2"}, "here it is 'ridge'"), ({"family": "binomial"}, "here it is 'logistic'"),
    ({"C": 1.0}, r"penalty=glmlab.L1\(1 / C\)"), ({"lam": 1.0}, r"penalty=glmlab.L1\(lam\)"),
    ({"alpha": 1.0}, r"counts against the sum of the losses: write .*to_lam\(alpha, n, 'PoissonRegressor'\)"),
    ({"exposure": [1.0]}, r"offset=numpy.log\(exposure\)"), ({"n_jobs": 2}, "here it is 'threads'"),
])  # fmt: skip
def test_what_is_called_otherwise_elsewhere_is_named(given, says):
    X, y = np.eye(4), np.array([0.0, 1, 1, 0])
    with pytest.raises((TypeError, ValueError), match=says):
        glmlab.fit(X, y, **({"family": "logistic"} | given))


@pytest.mark.parametrize("function", [glmlab.path, glmlab.cross_validate_path])
@pytest.mark.parametrize(("word", "says"), [("C", r"lams=\[1 / C\]"), ("alpha", r"lams=\[lam\]"), ("lam", "'lams'")])
def test_a_path_is_told_where_its_lams_stand(function, word, says):
    """Its penalty would have its λ replaced."""
    with pytest.raises(TypeError, match=says):
        function(np.eye(4), np.array([0.0, 1, 1, 0]), family="logistic", **{word: 1.0})


def test_parts_of_the_package_are_imported_when_they_are_asked_for():
    asked = "import sys, glmlab; assert 'glmlab.viz' not in sys.modules; glmlab.viz.calibration; glmlab.estimators"
    subprocess.run([sys.executable, "-c", asked], check=True)
