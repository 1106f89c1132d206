#!/usr/bin/env bash
# TITLE     statsmodels: GLM.fit_regularized with an exposure changes the caller's own offset, and with it the next fit
# VERSION   statsmodels 0.15.0, numpy 2.4.6, scipy 1.17.1, pandas 3.1.1, Python 3.11
# GUESS     A fit reads its offset. Ten fits with ten values of alpha, by one model or by a new one each, have the same offset.
# BEHAVIOUR Each fit_regularized adds log(exposure) to the array that the caller passed. The first answer is right. The second has
#           twice log(exposure) and the third three times, so that a path of alphas drifts, and an unpenalised fit after it is wrong
#           as well. fit itself leaves the array alone. Nothing warns. A column of pandas 3 is a ValueError, "output array is
#           read-only", at the first fit.
# SOURCE    statsmodels/base/elastic_net.py: _coord_descent takes the model's offset, which is no copy of the caller's array, and adds
#           log(exposure) to it with +=.
# SEEN      fit 1: [ 0.174  0.485 -0.322], log(exposure) was added 1 times
#           fit 2: [-0.826  0.463 -0.303], log(exposure) was added 2 times
#           fit 3: [-1.935  0.456 -0.289], log(exposure) was added 3 times
#           no penalty: [ 0.174  0.485 -0.322] with the offset as it was, [-3.107  0.458 -0.282] with what is left of it
#           a pandas column: output array is read-only
set -euo pipefail
here="$(mktemp -d)"; trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install -q --disable-pip-version-check statsmodels==0.15.0 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1 >/dev/null 2>&1
"$here/venv/bin/python" - <<'PY'
import numpy as np
import pandas as pd
import statsmodels.api as sm

rng = np.random.default_rng(0)
X = np.column_stack([np.ones(500), rng.normal(size=(500, 2))])
exposure, known = rng.uniform(0.5, 4.0, 500), rng.normal(0.0, 0.3, 500)
y = rng.poisson(exposure * np.exp(known + X @ [0.2, 0.5, -0.3])).astype(float)


def model(offset):
    return sm.GLM(y, X, family=sm.families.Poisson(), offset=offset, exposure=exposure)


right = np.asarray(model(known.copy()).fit_regularized(alpha=1e-3).params)
offset = known.copy()
for fits in range(1, 4):
    found = np.asarray(model(offset).fit_regularized(alpha=1e-3).params)
    added = (offset - known) / np.log(exposure)
    print(f"fit {fits}: {found.round(3)}, log(exposure) was added {added.mean():.0f} times")
    assert np.allclose(added, fits), "the offset stays"
    assert np.allclose(found, right) == (fits == 1), "every fit has the same answer"
plain, after = model(known.copy()).fit().params, model(offset).fit().params
print(f"no penalty: {plain.round(3)} with the offset as it was, {after.round(3)} with what is left of it")
assert np.linalg.norm(after - plain) > 1
try:
    model(pd.DataFrame({"known": known})["known"]).fit_regularized(alpha=1e-3)
    raise SystemExit("a pandas column is taken")
except ValueError as failed:
    print(f"a pandas column: {failed}")
print("As described.")
PY
