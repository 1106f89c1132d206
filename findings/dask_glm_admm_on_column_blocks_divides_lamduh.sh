#!/usr/bin/env bash
# TITLE     dask-glm: ADMM on rows that are chunked in columns too solves the problem of lamduh ÷ the number of column blocks
# VERSION   dask-glm 0.4.0, dask 2026.8.0, numpy 2.4.6, scipy 1.17.1, scikit-learn 1.9.1, Python 3.11
# GUESS     How an array is chunked changes the speed, not the answer: admm gathers the columns of a row block (it calls rechunk),
#           so that 1, 2 or 4 column blocks give the same coefficients for the same lamduh.
# BEHAVIOUR With k column blocks the coefficients are those of lamduh/k. scikit-learn's with C = k/lamduh are equal to four decimals.
#           No warning. Without a penalty, and with one column block, the answer is right.
# SOURCE    dask_glm/algorithms.py, admm: nchunks is X.npartitions, taken before X.rechunk((None, p)); the proximal step has
#           lamduh ÷ (rho · nchunks). zip then pairs the row blocks with too many betas, and drops the rest.
set -euo pipefail
here="$(mktemp -d)"; trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install -q --disable-pip-version-check dask-glm==0.4.0 "dask[array]==2026.8.0" distributed==2026.8.0 \
    numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 >/dev/null 2>&1
cat > "$here/blocks.py" <<'PY'
import dask.array as da
import numpy as np
from dask_glm import algorithms, families
from sklearn.linear_model import LogisticRegression

rng = np.random.default_rng(0)
X = rng.normal(size=(200, 4))
y = (rng.random(200) < 1 / (1 + np.exp(-X @ [0.8, -0.5, 0.1, 0.6]))).astype(float)
LAMDUH = 10.0
for k in (1, 2, 4):
    lazy = da.from_array(X, chunks=(200, 4 // k)), da.from_array(y, chunks=200)
    tight = dict(normalize=False, rho=20.0, abstol=1e-9, reltol=1e-9, max_iter=200)
    beta = algorithms.admm(*lazy, regularizer="l2", lamduh=LAMDUH, family=families.Logistic, **tight)
    same, kth = (LogisticRegression(C=C, fit_intercept=False, tol=1e-12).fit(X, y).coef_[0]
                 for C in (1 / LAMDUH, k / LAMDUH))
    print(f"{k} column blocks: {beta.round(6)}; lamduh: {same.round(6)}; lamduh/{k}: {kth.round(6)}")
    assert np.abs(beta - kth).max() < 1e-4, "not the problem of lamduh/k"
    assert k == 1 or np.abs(beta - same).max() > 1e-2, "the problem of lamduh"
print("As described.")
PY
"$here/venv/bin/python" -W ignore "$here/blocks.py"
