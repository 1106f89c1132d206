#!/usr/bin/env bash
# TITLE     scikit-learn: on rare events PoissonRegressor returns zeros and LogisticRegression predicts half as many again, unwarned
# VERSION   scikit-learn 1.9.1, numpy 2.4.6, scipy 1.17.1, Python 3.11
# GUESS     Without a penalty, 116 events among a million rows give the maximum likelihood to some digits, or a ConvergenceWarning. As
#           the intercept is free, the predictions add up to 116.
# BEHAVIOUR PoissonRegressor stops before its first step: n_iter_ is 0, the coefficient is 0.0, and there is no warning. The maximum
#           likelihood has 0.54. LogisticRegression stops at half of that, and its probabilities add up to 178. With tol=1e-10 both
#           are right. y in claims per hour in place of claims per year ends PoissonRegressor at once, too: the gradient has its unit.
# SOURCE    sklearn/linear_model/_glm/glm.py and _logistic.py give tol=1e-4 as gtol to SciPy's L-BFGS, which compares it with the largest
#           entry of the gradient of the mean loss. Where events are rarer than 1e-4 the gradient is smaller than that.
# SEEN      PoissonRegressor   tol 1e-04:  0 steps, slope 0.000, exact 0.537, predicts 116.0 of 116 events
#           PoissonRegressor   tol 1e-10:  6 steps, slope 0.537, exact 0.537, predicts 116.0 of 116 events
#           LogisticRegression tol 1e-04: 12 steps, slope 0.263, exact 0.537, predicts 177.7 of 116 events
#           LogisticRegression tol 1e-10: 19 steps, slope 0.537, exact 0.537, predicts 116.0 of 116 events
set -euo pipefail
here="$(mktemp -d)"; trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install -q --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1 >/dev/null
"$here/venv/bin/python" -W error - <<'PY'
import numpy as np
from sklearn.linear_model import LogisticRegression, PoissonRegressor

rng = np.random.default_rng(0)
X = rng.normal(size=(1_000_000, 1))
counts = rng.poisson(1e-4 * np.exp(0.5 * X[:, 0]))
y = (counts > 0).astype(float)
Z = np.column_stack([X, np.ones(len(X))])


def newton(mean, derivative):
    """The maximum likelihood estimate by Newton's method from the rate of the events, for a canonical link."""
    beta = np.array([0.0, np.log(y.mean())])
    for _ in range(12):
        mu = mean(Z @ beta)
        beta = beta + np.linalg.solve(Z.T @ (derivative(mu)[:, None] * Z), Z.T @ (y - mu))
    return beta


def logistic(eta):
    return 1 / (1 + np.exp(-eta))


exact = {PoissonRegressor: newton(np.exp, lambda mu: mu), LogisticRegression: newton(logistic, lambda mu: mu * (1 - mu))}
options = {PoissonRegressor: {"alpha": 0}, LogisticRegression: {"C": np.inf}}
for kind, beta in exact.items():
    for tol in (1e-4, 1e-10):  # 1e-4 is the default
        model = kind(**options[kind], tol=tol).fit(X, y)
        said = model.predict(X) if kind is PoissonRegressor else model.predict_proba(X)[:, 1]
        slope = model.coef_.ravel()[0]
        print(f"{kind.__name__:18} tol {tol:.0e}: {np.ravel(model.n_iter_)[0]:2} steps, slope {slope:.3f}, exact {beta[0]:.3f}, "
              f"predicts {said.sum():.1f} of {y.sum():.0f} events")
        if tol == 1e-10:
            assert np.isclose(slope, beta[0], atol=1e-3) and np.isclose(said.sum(), y.sum(), rtol=1e-3)
        elif kind is PoissonRegressor:
            assert model.n_iter_ == 0 and slope == 0.0
        else:
            assert slope < 0.6 * beta[0] and said.sum() > 1.4 * y.sum()
print("As described.")
PY
