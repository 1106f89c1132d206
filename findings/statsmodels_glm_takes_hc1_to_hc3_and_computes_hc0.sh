#!/usr/bin/env bash
# TITLE     statsmodels: GLM takes cov_type="HC1", "HC2" and "HC3", writes the name into its summary, and computes HC0
# VERSION   statsmodels 0.15.0, numpy 2.4.6, scipy 1.17.1, pandas 3.1.1, Python 3.11
# GUESS     HC1 multiplies HC0 by n/(n − p), and HC2 and HC3 divide squared residuals by 1 − h and (1 − h)², h the leverage. So the
#           standard errors grow in this order, as they do for OLS; and a Gaussian GLM has those of OLS.
# BEHAVIOUR All four are HC0 for a GLM, to the last bit. With 20 rows and 4 columns the last error that the summary calls HC3 is less
#           than a third of HC3. The same data by OLS has the four that the formulas give.
# SOURCE    statsmodels/base/covtype.py: get_robustcov_results takes the attribute cov_HC1 … of the results; where they have none, as
#           those of GLM, it takes cov_white_simple(use_correction=False) for each of the four. The description keeps the name.
# SEEN      HC0: GLM [0.51  0.141 0.049 0.08 ], OLS [0.51  0.141 0.049 0.08 ], exact [0.51  0.141 0.049 0.08 ]
#           HC1: GLM [0.51  0.141 0.049 0.08 ], OLS [0.57  0.158 0.055 0.09 ], exact [0.57  0.158 0.055 0.09 ]
#           HC2: GLM [0.51  0.141 0.049 0.08 ], OLS [0.541 0.151 0.053 0.136], exact [0.541 0.151 0.053 0.136]
#           HC3: GLM [0.51  0.141 0.049 0.08 ], OLS [0.579 0.162 0.062 0.275], exact [0.579 0.162 0.062 0.275]
set -euo pipefail
here="$(mktemp -d)"; trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install -q --disable-pip-version-check statsmodels==0.15.0 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1 >/dev/null 2>&1
"$here/venv/bin/python" -W ignore - <<'PY'
import numpy as np
import statsmodels.api as sm

rng = np.random.default_rng(0)
n = 20
X = np.column_stack([np.ones(n), rng.standard_t(2, size=(n, 3))])
y = X @ [1.0, 0.5, -0.3, 0.2] + rng.normal(size=n) * np.hypot(1, X[:, 1])

B = np.linalg.inv(X.T @ X)
residuals = y - X @ (B @ X.T @ y)
h = np.einsum("ij,jk,ik->i", X, B, X)
shares = {"HC0": 1, "HC1": n / (n - X.shape[1]), "HC2": 1 / (1 - h), "HC3": 1 / (1 - h) ** 2}
exact = {name: np.sqrt(np.diag(B @ (X.T * (shares[name] * residuals**2)) @ X @ B)) for name in shares}

glm = {}
for name, errors in exact.items():
    ols, found = sm.OLS(y, X).fit(cov_type=name), sm.GLM(y, X).fit(cov_type=name)
    glm[name] = found.bse
    print(f"{name}: GLM {found.bse.round(3)}, OLS {ols.bse.round(3)}, exact {errors.round(3)}")
    assert np.allclose(ols.bse, errors) and name in str(found.summary())
assert all(np.array_equal(errors, glm["HC0"]) for errors in glm.values()) and np.allclose(glm["HC0"], exact["HC0"])
assert (glm["HC3"] / exact["HC3"]).min() < 1 / 3
print("As described.")
PY
