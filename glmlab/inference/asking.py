"""From a fit and its rows to an Inference."""

import numpy as np

from glmlab.checks import number
from glmlab.fitting import over_rows
from glmlab.inference.covariances import COVARIANCES, covariance_of, dispersion_of, inverse_root, is_estimated
from glmlab.inference.tables import Fitted, Inference, quantile, tail
from glmlab.maths.penalties import FreeIntercept, lambdas
from glmlab.names import among, spelt
from glmlab.paths import Path
from glmlab.policy import Inferring
from glmlab.rows import inferring
from glmlab.rows.columns import is_answer, refuse_other_names
from glmlab.rows.survey import refuse_not_finite
from glmlab.rows.threads import one_blas_thread
from glmlab.words import column_names, count_text


@spelt
def infer(
    result, X, y, *, sample_weight=None, offset=None, weights="frequency", covariance="classical", groups=None,
    dispersion=None, information="expected", level=0.95,
):  # fmt: skip
    """Standard errors, tests, confidence intervals and likelihoods of a fit without penalty or with a ridge.

    They are those of a model whose −log likelihood is the sum of the losses ÷ φ, but for factors that the families
    know; `glmlab.inference` has the formulas.

    Parameters
    ----------
    result : Result
        Of a fit without penalty or with a ridge.
    X, y, sample_weight, offset : as in `fit`
        The rows of that fit, again (for exposures, offset=numpy.log(exposure)).
    weights : "frequency" or "precision", default "frequency"
        "frequency": a row of weight w is w rows, so that n is Σ w. "precision": it is one row whose variance is w times
        smaller, so that n is the number of rows that count. Coefficients are the same.
    covariance : str, default "classical"
        "classical", "HC0" to "HC3" or "cluster".
    groups : array or column, shape (n,), optional
        For "cluster", which needs them: a label for each row, brought to this process. Where they and X have indexes,
        these must be the same, and a group whose rows all have weight 0 does not count.
    dispersion : float > 0 or "pearson", optional
        φ. None estimates it for the Gaussian and the gamma family and takes 1 for the others.
    information : "expected" or "observed", default "expected"
        "expected" takes Fisher's J, as R does, "observed" the Hessian at β; they differ for the gamma family.
    level : float in (0, 1), default 0.95
        Of confidence intervals.

    Returns
    -------
    Inference
        Tests are Student's where φ is estimated, with n − p degrees of freedom, or with groups, with G − 1; else
        normal.

    Raises
    ------
    ValueError
        For an L1 term, for rows that were not fitted, and where coefficients are not unique.
    TypeError
        For arguments of another kind.

    Notes
    -----
    It takes a pass over the rows, and another one for robust covariances.

    Examples
    --------
    >>> from glmlab import fit, infer
    >>> X, y = [[1.0], [1.0], [1.0], [1.0]], [1.0, 2.0, 3.0, 4.0]
    >>> found = infer(fit(X, y, family="gaussian"), X, y)
    >>> found.coefficients.round(4).tolist(), found.errors.round(4).tolist()
    ([2.5], [0.6455])
    """
    refuse_others(result)
    refuse_settings(weights, covariance, groups, dispersion, information, level)
    refuse_models(result, covariance, dispersion, information)
    f, beta, l2 = rows_of(result, X, y, sample_weight, offset)
    expected, frequency = information == "expected", weights == "frequency"
    with one_blas_thread:  # then the machine's setting changes no bit
        found = f.total(inferring.likelihood, beta, expected)
        refuse_rows(f, result, found)
        root, p = inverse_root(found.factor.R, l2, f.chunks.intercept)
        n, estimated = found.weight if frequency else found.counted, is_estimated(f.family, dispersion)
        if not n > p and (estimated or covariance in ("HC1", "cluster")):
            raise ValueError(f"{n:g} observations for {p:g} parameters leave no degrees of freedom: fit fewer columns")
        phi = dispersion_of(f.family, found.pearson, n - p, dispersion)
        rows = Fitted(f, beta, root, expected, frequency)
        V, between = covariance_of(rows, covariance, groups, phi, n, p)
        freedom = between or (n - p if estimated else np.inf)
        said = likelihoods(f, found, n, p + (estimated and f.family.dispersed), phi, frequency)
    kind = covariance if expected or covariance != "classical" else "classical, observed information"
    said |= {"kind": kind, "n": float(n), "parameters": p, "dispersion": phi}
    return tabulated(result, rows, V, freedom=freedom, level=level, **said)


# --- what is refused ------------------------------------------------------------------------------------------------


def refuse_others(result):
    """The error for what is not the Result of a fit; where it holds one, the error says what to type."""
    if is_answer(result) and hasattr(result, "certificate"):
        return
    if isinstance(result, Path):
        cure = "pass the fit at one of its λ, as path[-1]"
    elif isinstance(getattr(result, "path", None), Path):  # of a cross-validation
        cure = "pass the fit of all rows at one of its λ, as found.path[-1]"
    elif hasattr(result, "fit"):
        cure = "fit the estimator, and pass estimator.result_"
    else:
        cure = "certify takes coefficients from elsewhere"
    raise TypeError(f"infer needs the Result of a fit, got {type(result).__name__}; {cure}")


def refuse_settings(weights, covariance, groups, dispersion, information, level):
    """The errors for settings that make no sense, whatever was fitted."""
    among("weights", weights, ("frequency", "precision"))
    among("covariance", covariance, COVARIANCES)
    among("information", information, ("expected", "observed"))
    if number("level", level, 0.0, strict=True) >= 1:
        raise ValueError(f"level must lie between 0 and 1, got {level!r}")
    if dispersion is not None and dispersion != "pearson":
        number("dispersion", dispersion, strict=True)
    if covariance == "cluster" and groups is None:
        raise TypeError("covariance='cluster' needs groups=…, a label for each row")
    if covariance != "cluster" and groups is not None:
        raise TypeError(f"groups are for covariance='cluster', but covariance is {covariance!r}")


def refuse_models(result, covariance, dispersion, information):
    """The errors for a penalty or a family of which these standard errors are not defined."""
    parts = lambdas(result.penalty, len(result.beta))
    if parts is None or np.any(parts.l1 > 0):
        raise ValueError(
            f"standard errors are not defined with {result.penalty!r}: the penalty chooses which coefficients are 0, "
            "and draws the others to 0 by an unknown amount, so that no interval around them holds the truth as often "
            "as it says. Fit without penalty or with a ridge, or refit the chosen columns on other rows. "
            "result.coefficients() shows how far each coefficient is from the optimum at most, and which are certainly "
            "not 0 there."
        )
    if not inferring.is_likelihood(result.family):
        robust = covariance != "classical" and information == "observed" and dispersion is None
        if not robust:
            raise ValueError(
                f"{result.family!r} does not say of which likelihood its loss is a multiple: pass "
                "information='observed' with a robust covariance such as 'HC1', or give its class fisher, log_rest, "
                "multiple and dispersed"
            )


def rows_of(result, X, y, sample_weight, offset, policy=Inferring()):
    """The Objective of the fitted rows, β with the intercept last, and λ₂ of each coordinate."""
    free = len(result.state.beta) > len(result.beta)
    rows = {"sample_weight": sample_weight, "offset": offset, "intercept": free}
    f = over_rows(X, y, family=result.family, kernels="numpy", **rows)
    refuse_other_names("X", f.chunks.names, result.names, "the model", "X[list(result.names)]")
    if f.chunks.p != len(result.beta):
        given, needed = count_text(f.chunks.p, "column"), count_text(len(result.beta), "coefficient")
        raise ValueError(f"X has {given}, but the model has {needed}")
    if f.dim > policy.most:
        raise ValueError(f"the covariance of {f.dim:,} coefficients is too large; the limit is {policy.most:,}")
    beta = np.append(result.beta, result.intercept) if free else np.array(result.beta)
    return f, beta, lambdas(FreeIntercept(result.penalty) if free else result.penalty, f.dim)[1]


def refuse_rows(f, result, found, policy=Inferring()):
    """The error for other rows than those of the fit: F(β) is another there, or not finite."""
    if not (np.isfinite(found.loss) and np.isfinite(found.factor.R).all()):
        refuse_not_finite(f)  # LAPACK would say that the SVD did not converge
    objective = found.loss + result.penalty.value(result.beta)
    rounding = policy.same * (found.loss_size + abs(objective)) + found.blur
    if not (abs(objective - result.objective) <= rounding < np.inf):
        raise ValueError(
            f"these are not the rows of the fit: F(β) is {objective:.10g} here and was {result.objective:.10g} there; "
            "pass the X, y, sample_weight and offset that were fitted"
        )


# --- what is said ---------------------------------------------------------------------------------------------------


def likelihoods(f, found, n, k, phi, frequency):
    """{field: value} of what the likelihood says of a model with k parameters, nan where the loss is none."""
    if not inferring.is_likelihood(f.family):
        names = ("pearson", "deviance", "null_deviance", "log_likelihood", "aic", "bic")
        return dict.fromkeys(names, np.nan)
    multiple, null = f.family.multiple, f.null
    deviance = 2 * found.height / multiple
    own = deviance / n if f.family.quadratic else phi if f.family.dispersed else 1.0
    with np.errstate(divide="ignore", invalid="ignore"):  # a perfect fit has none
        rest = sum(f.chunks.bare().map(inferring.log_rest, f.family, own, frequency))
        value = float(rest - found.loss / (multiple * own))
    return {
        "pearson": found.pearson / multiple,
        "deviance": deviance,
        "null_deviance": 2 * (null.loss - null.floor) / multiple,
        "log_likelihood": value,
        "aic": 2 * k - 2 * value,
        "bic": float(k * np.log(n) - 2 * value),
    }


def tabulated(result, rows, V, *, level, freedom, **said):
    """The Inference: tests and intervals of each coefficient from their covariance V."""
    beta, errors, p = rows.beta, np.sqrt(np.diag(V)), len(result.beta)
    names = column_names(result.names, p) + ("intercept",) * (len(beta) - p)
    far = quantile(level, freedom) * errors
    with np.errstate(divide="ignore", invalid="ignore"):  # rows that are fitted exactly have errors of 0
        statistics = beta / errors
    return Inference(
        names=names, coefficients=beta, errors=errors, within=np.array(result.certificate.within),
        statistics=statistics, p_values=2 * tail(statistics, freedom), low=beta - far, high=beta + far, level=level,
        covariance=V, freedom=freedom, passes=rows.f.passes, result=result, rows=rows, **said,
    )  # fmt: skip
