#!/usr/bin/env bash
# TITLE     statsmodels: GLM.fit_regularized(L1_wt=0) of a Gaussian shrinks y in other units by another factor, and OLS does not
# VERSION   statsmodels 0.15.0, numpy 2.4.6, scipy 1.17.1, pandas 3.1.1, Python 3.11
# GUESS     Its Notes give −loglike/n + alpha ‖params‖²/2. For the Gaussian that is least squares plus a ridge, so that GLM and OLS
#           agree, and y in millimetres gives 1000 times the coefficients of y in metres.
# BEHAVIOUR With the same alpha, GLM's coefficients of 10 y are not 10 times those of y but far smaller. They differ from OLS's in both
#           units. With L1_wt > 0 (here 1e-9, hardly a lasso) GLM agrees with OLS, so that an L1_wt near 0 and L1_wt = 0 are two
#           problems. The optimiser often warns that it "may have failed".
# SOURCE    statsmodels/genmod/generalized_linear_model.py: fit_regularized sets scale=1 for L1_wt > 0; _fit_ridge, to which L1_wt=0
#           goes, calls loglike(x) and score(x) without a scale, so that the scale is estimated at each x.
set -euo pipefail
here="$(mktemp -d)"; trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install -q --disable-pip-version-check statsmodels==0.15.0 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1 >/dev/null 2>&1
cat > "$here/ridge.py" <<'PY'
import numpy as np
import statsmodels.api as sm

rng = np.random.default_rng(0)
X = rng.normal(size=(200, 3))
y = X @ [1.0, -0.5, 0.3] + rng.normal(size=200)
ALPHA = 0.2


def shrinks(model, unit, **options):
    """The coefficients of y in another unit, in the old one."""
    return np.asarray(model(unit * y, X).fit_regularized(alpha=ALPHA, **options).params) / unit


found = {}
for unit in (1, 10):
    exact = np.linalg.solve(X.T @ X + 200 * ALPHA * np.eye(3), X.T @ y)
    ols, glm = shrinks(sm.OLS, unit, L1_wt=0.0), shrinks(sm.GLM, unit, L1_wt=0.0)
    near = shrinks(sm.GLM, unit, L1_wt=1e-9, maxiter=1000)
    print(f"unit {unit}: OLS {ols.round(4)}, GLM {glm.round(4)}, GLM with L1_wt=1e-9 {near.round(4)}, exact {exact.round(4)}")
    assert np.allclose(ols, exact, atol=1e-6) and np.allclose(near, exact, atol=1e-3), "OLS, and GLM with some L1"
    found[unit] = glm
assert np.linalg.norm(found[10]) < 0.5 * np.linalg.norm(found[1]), "the unit of y does not matter"
print("As described.")
PY
"$here/venv/bin/python" -W ignore "$here/ridge.py" 2>/dev/null
