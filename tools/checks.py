"""How estimators fare in scikit-learn's own checks, ours beside those of the peers that are installed: `make checks`.

    python -m tools.checks                              the table that stands in docs/book/estimators.md
    python -m tools.checks MODULE CLASS                 one estimator, as JSON: {outcome: [names of checks]}

Each estimator is checked in a process of its own, because some packages change scikit-learn when they are imported.
"""

import importlib
import json
import subprocess
import sys
import warnings

from sklearn.utils.estimator_checks import check_estimator

ESTIMATORS = [
    ("glmlab.estimators", "GLMClassifier"), ("glmlab.estimators", "GLMRegressor"),
    ("sklearn.linear_model", "LogisticRegression"), ("sklearn.linear_model", "PoissonRegressor"),
    ("dask_ml.linear_model", "LogisticRegression"), ("dask_ml.linear_model", "LinearRegression"),
    ("dask_ml.linear_model", "PoissonRegression"), ("glum", "GeneralizedLinearRegressor"),
    ("skglm", "SparseLogisticRegression"), ("skglm", "Lasso"), ("celer", "LogisticRegression"), ("celer", "Lasso"),
    ("snapml", "LogisticRegression"), ("snapml", "LinearRegression"),
]  # fmt: skip
PATIENCE = 300  # seconds for one estimator: the slowest peer takes 35 on two cores
HEAD = "| estimator | checks | passed | failed | skipped | the first that fail |\n|---|---:|---:|---:|---:|---|"


def outcomes(estimator):
    """{outcome: [names of checks]} of an estimator; what it fails is nobody's expectation."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = check_estimator(estimator, on_skip=None, on_fail=None)
    names = {"passed": [], "failed": [], "skipped": []}
    for check in found:
        names[check["status"]].append(check["check_name"])
    return names


def row(module, name):
    """One line of the table. The checks run in another process."""
    command = [sys.executable, "-m", "tools.checks", module, name]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return f"| {module}.{name} | | | | | not done after {PATIENCE} s |"
    if ran.returncode:
        return f"| {module}.{name} | | | | | {ran.stderr.strip().splitlines()[-1]} |"
    return written(f"{module}.{name}", json.loads(ran.stdout.splitlines()[-1]))


def written(title, names):
    """A line of the table from {outcome: [names of checks]}."""
    counts = [len(names[outcome]) for outcome in ("passed", "failed", "skipped")]
    failed = list(dict.fromkeys(names["failed"]))
    first = ", ".join(failed[:2]) + " …" * (len(failed) > 2)
    return f"| {title} | {sum(counts)} | {' | '.join(map(str, counts))} | {first} |"


def main(module=None, name=None):
    """Print the table, or check one estimator."""
    if module:
        print(json.dumps(outcomes(getattr(importlib.import_module(module), name)())))
        return
    print(HEAD)
    for module, name in ESTIMATORS:
        print(row(module, name), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
