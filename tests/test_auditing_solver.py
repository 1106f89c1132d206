"""check_solver: right solvers pass, written however; each wrong one is told what is wrong with it."""

import re

import pytest
from breakage import local_cluster
from own_solvers import LOGISTIC, RIGHT, WRONG, ista

import glmlab
from glmlab import check_solver
from glmlab.solvers import SOLVERS


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_solver_passes(name):
    solver, claims = RIGHT[name]
    audit = check_solver(solver, **claims)
    assert audit, audit
    assert not audit.faults and all(found.holds for found in audit.findings)


@pytest.mark.slow
@pytest.mark.parametrize("name", SOLVERS)
def test_the_built_in_solvers_pass_on_what_they_can_solve(name):
    audit = check_solver(name)
    assert audit, audit


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_solver_is_told_what_is_wrong(name):
    solver, check, says, claims = (*WRONG[name], LOGISTIC)[:4]
    audit = check_solver(solver, **claims)
    assert not audit, "it passes"
    assert re.fullmatch(check, audit.faults[0].name), audit
    assert re.search(says, audit.faults[0].says), audit


def test_a_report_lists_every_check_and_raises_on_request_only():
    audit = check_solver(WRONG["one array"][0], **LOGISTIC)
    lines = repr(audit).splitlines()
    assert len(lines) == 1 + len(audit.findings) and "1 of 14 checks found a fault" in lines[0]
    marks = [line.split()[0] for line in lines[1:]]
    assert marks.count("WRONG") == 1 and marks.count("ok") == 13
    assert "<th" in audit._repr_html_() and "WRONG: states" in audit._repr_html_()
    with pytest.raises(AssertionError, match="WRONG +states"):
        check_solver(WRONG["one array"][0], raises=True, **LOGISTIC)
    audit = check_solver(ista, raises=True, **LOGISTIC)
    assert "all 14 checks hold" in repr(audit) and audit.raise_faults() is None


def test_what_cannot_be_judged_is_not_tried():
    audit = check_solver(WRONG["arrays"][0], **LOGISTIC)
    assert [found.holds for found in audit.findings] == [False] + 13 * [None]
    assert "first mend 'signature'" in repr(audit)


def test_a_fault_of_many_problems_is_counted():
    audit = check_solver(WRONG["three states"][0], **LOGISTIC)
    assert "3 of 3 problems end so" in audit.faults[0].says


def test_what_is_no_solver_is_refused_as_run_refuses_it():
    with pytest.raises(TypeError, match="generator function"):
        check_solver(3)
    with pytest.raises(TypeError, match="no option 'stepp'; did you mean 'step'"):
        check_solver(RIGHT["an option"][0], stepp=1)
    with pytest.raises(ValueError, match="did you mean 'logistic'"):
        check_solver(ista, families=["logistik"])
    with pytest.raises(ValueError, match="did you mean 'ridge'"):
        check_solver(ista, penalties=["rigde"])


def test_objects_stand_for_claims_too():
    audit = check_solver(ista, families=[glmlab.Poisson()], penalties=[glmlab.L1(3.0)])
    assert audit, audit


@pytest.mark.slow
def test_on_a_cluster():
    with local_cluster(2) as cluster, cluster.get_client():
        assert check_solver(ista, **LOGISTIC)
        audit = check_solver(WRONG["reads rows"][0], **LOGISTIC)
        assert [found.name for found in audit.faults] == ["dask"]
