"""scikit-learn's own tests of its GLMs, passed by glmlab (the adapter says how and what is left out)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sklearn_adapter import DESELECTED

ROOT = Path(__file__).parents[1]
SUITE = "sklearn.linear_model._glm.tests.test_glm"


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    return run_suite(tmp_path_factory)


def run_suite(tmp_path_factory, **settings):
    """What happened to every case, from one run in a process of its own."""
    path = tmp_path_factory.mktemp("sklearn") / "record.json"
    command = [sys.executable, "-m", "pytest", "-p", "tests.sklearn_adapter", "--pyargs", SUITE, "-q", "-c", os.devnull]
    command += ["-p", "no:cacheprovider", "-p", "no:randomly", "--tb=short"]
    settings |= {"SKLEARN_GLM_RECORD": str(path), "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, timeout=240, cwd=ROOT)
    assert path.exists(), ran.stdout + ran.stderr
    return json.loads(path.read_text()) | {"output": ran.stdout}


def test_sklearns_own_tests_pass(record):
    print(f"scikit-learn's cases passed: {record['counts']['passed']}, left out: {len(record['left_out'])}")
    assert set(record["counts"]) == {"passed"}, record["output"]
    assert record["counts"]["passed"] >= 80  # a suite that lost its cases passes nothing


@pytest.mark.slow
@pytest.mark.parametrize("chunks", ["1", "3", "uneven"])
def test_they_pass_in_chunks(tmp_path_factory, record, chunks):
    """Dense rows on dask, sparse ones cut in memory; the same cases as in one piece."""
    found = run_suite(tmp_path_factory, SKLEARN_GLM_CHUNKS=chunks)
    assert set(found["counts"]) == {"passed"}, found["output"]
    assert found["counts"] == record["counts"] and found["fits"] == record["fits"]


def test_each_pass_is_glmlabs(record):
    """A case that never reached our solver would prove nothing; refusing bad y needs no fit."""
    without = {name for name, fits in record["fits"].items() if fits == 0}
    assert {name.split("[")[0] for name in without} == {"test_glm_wrong_y_range"}


@pytest.mark.parametrize("pattern", DESELECTED)
def test_what_is_deselected_exists(record, pattern):
    assert pattern in record["left_out"].values(), f"{pattern} matches no test: take it out of DESELECTED"
