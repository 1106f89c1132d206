#!/usr/bin/env bash
# TITLE     Spark: LinearRegression(standardization=False) divides its ridge by the standard deviation of y, and solvers take two
# VERSION   pyspark 4.3.0, numpy 2.4.6, Python 3.11, Java 17
# GUESS     standardization=False leaves the data as they are: the objective is 1/(2n) Σ(y−xβ)² + regParam/2 ‖β‖², so that
#           10 y gives ten times the coefficients, and solver="normal" and solver="l-bfgs" agree to many digits.
# BEHAVIOUR The ridge is regParam/(2s) ‖β‖², s the standard deviation of y: the coefficients of 10 y, divided by 10, are
#           larger than those of y. "normal" takes s with n, "l-bfgs" with n − 1: on 10 rows their answers differ in the
#           second digit, at tol=1e-12. An L1 penalty (elasticNetParam=1) is not concerned. No parameter turns it off.
# SOURCE    mllib/…/optim/WeightedLeastSquares.scala (effectiveRegParam = regParam / bStd, standardizeLabel = true) and
#           ml/regression/LinearRegression.scala (effectiveRegParam = regParam / yStd); apache/spark pull request 10702 has the
#           discussion: glmnet does so as well.
set -euo pipefail
here="$(mktemp -d)"; trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install -q --disable-pip-version-check pyspark==4.3.0 numpy==2.4.6 >/dev/null 2>&1
cat > "$here/ridge.py" <<'PY'
import numpy as np
from pyspark.ml.linalg import Vectors
from pyspark.ml.regression import LinearRegression
from pyspark.sql import SparkSession

settings = {"spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
spark = SparkSession.builder.master("local[1]").config(map=settings).getOrCreate()
spark.sparkContext.setLogLevel("OFF")
N, REG = 10, 1.0
rng = np.random.default_rng(0)
X = rng.normal(size=(N, 2))
y = X @ [1.0, -0.5] + 0.5 * rng.normal(size=N)


def theirs(unit, solver):
    rows = spark.createDataFrame([(Vectors.dense(x), float(unit * v)) for x, v in zip(X, y)], ["features", "label"])
    model = LinearRegression(regParam=REG, standardization=False, fitIntercept=False, solver=solver, tol=1e-12)
    return model.fit(rows).coefficients.toArray() / unit


def exact(divisor):
    return np.linalg.solve(X.T @ X + N * REG / divisor * np.eye(2), X.T @ y)


for unit in (1, 10):
    for solver, ddof in (("normal", 0), ("l-bfgs", 1)):
        found, s = theirs(unit, solver), np.std(unit * y, ddof=ddof)
        print(f"{unit:2} y, {solver:6}: {found.round(6)}; ridge regParam {exact(1).round(6)}, regParam/s {exact(s).round(6)}")
        assert np.allclose(found, exact(s), atol=1e-6), "not divided by the standard deviation of y"
        assert np.abs(found - exact(1)).max() > 1e-2, "the ridge of regParam"
spark.stop()
print("As described.")
PY
"$here/venv/bin/python" -W ignore "$here/ridge.py" 2>/dev/null
