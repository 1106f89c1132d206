"""Inference for a fitted model: standard errors, tests, intervals, likelihoods, and how exact the coefficients are.

Notation. The loss of a row is ℓ = −m φ log(density) without terms in y alone: m = 2 and φ = σ² for least squares,
whose ℓ is (y − η)², and m = 1 for the others; φ = 1 for logistic and Poisson. J = Σ w E[ℓ″] x xᵀ is Fisher's
information in the unit of the loss, Λ = diag(λ₂), and B = (J + Λ)⁻¹.

    classical       m φ B
    HC0             B (Σ s sᵀ) B with s = ℓ′x, the sandwich (Huber 1967; White 1980)
    HC1             the same times n ÷ (n − p)
    HC2, HC3        the same with s ÷ √(1 − h) and s ÷ (1 − h), h the leverage (MacKinnon & White 1985)
    cluster         B (Σ S Sᵀ) B × G/(G−1) × (n−1)/(n−p), S the sum of w s over one of G groups (Liang & Zeger 1986)

φ is Pearson's estimate Σ w (y−μ)²/V(μ) ÷ (n − p) where the model has one. Everywhere p is tr(BJ), which a ridge makes
smaller than the number of coefficients (Wood 2017, chapter 6). With a ridge the classical matrix is the covariance of
the posterior of β for the prior that the ridge stands for, normal with variance mφ/λ (mgcv's Vp): averaged over β from
that prior, its intervals hold β as often as they say. B is computed from the R of a QR of the rows, not from the sum J,
which has half the digits. For the same reason slopes are multiplied by the root of B before they are squared.

Two numbers say how uncertain a coefficient is, and both are in its unit: the standard error says what other rows would
have given, and `within` how far the computed number may be from the optimum for these rows. The second is proved
(maths/certificates.py).
"""

from glmlab.inference.asking import infer as infer
from glmlab.inference.diagnostics import Bins as Bins
from glmlab.inference.diagnostics import Influential as Influential
from glmlab.inference.diagnostics import calibration as calibration
from glmlab.inference.diagnostics import influences as influences
from glmlab.inference.diagnostics import leverages as leverages
from glmlab.inference.tables import Band as Band
from glmlab.inference.tables import Inference as Inference
