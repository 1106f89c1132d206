"""Generalised linear models as scikit-learn knows them: parameters, attributes, and methods over `fit`."""

import functools
from dataclasses import replace

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from glmlab.checks import number
from glmlab.estimators import given
from glmlab.fitting import fit, over_rows
from glmlab.maths.conventions import HALVES
from glmlab.maths.families import FAMILIES, FAMILY_NEEDS, Gaussian, Logistic
from glmlab.maths.family import sigmoid
from glmlab.maths.penalties import PENALTIES, PENALTY_NEEDS, ElasticNet, Zero
from glmlab.names import among, named, spelt
from glmlab.rows.entrance import row_by_row
from glmlab.solvers.result import Mean, refuse_forgotten

# Parameters and penalties of other libraries: what to write here instead.
ELSEWHERE = {
    "C": "lam=1/C is the same problem: λ multiplies the penalty, not the losses",
    "alpha": "alpha_per_row=alpha is the same problem where the library divides the losses by the rows, as "
             "PoissonRegressor, Lasso, SGDClassifier and glum do; of scikit-learn's Ridge it is lam=2*alpha",
    "n_jobs": "threads= says how many work on rows in memory",
    "random_state": "no solver is random",
}  # fmt: skip
PENALTIES_ELSEWHERE = {"l2": "ridge", "elasticnet": "elastic_net", "none": "zero", None: "zero"}
LOG_LINK = ("poisson", "gamma", "negative_binomial", "tweedie")


def known_here(init):
    """A decorator: the TypeError for a parameter of another library says what to write here."""
    spelt_init = spelt(init)

    @functools.wraps(init)
    def called(self, *args, **keywords):
        for word in ELSEWHERE.keys() & keywords.keys():
            raise TypeError(f"{type(self).__name__}() has no parameter {word!r}; {ELSEWHERE[word]}")
        spelt_init(self, *args, **keywords)

    return called


class GLM(BaseEstimator):
    """What both estimators share: penalty and λ, the call of `fit`, and the linear predictor."""

    def _penalty(self, family, weight):
        """The penalty, and λ with it; `weight()` is the sum of the rows' weights."""
        g = self.penalty
        if callable(g) and not isinstance(g, type):  # from λ to a penalty, as `path` takes it
            if self.l1_ratio is not None:
                raise ValueError(f"l1_ratio={self.l1_ratio!r} is given, but the penalty is a function from λ: let it "
                                 "return ElasticNet(lam, l1_ratio), or name the penalty")  # fmt: skip
            return named("penalty", g(self._lam(family, weight)), PENALTIES, PENALTY_NEEDS)
        if not isinstance(g, str | None):
            for name in ("lam", "alpha_per_row", "l1_ratio"):
                if getattr(self, name) is not None:
                    raise ValueError(f"{name}={getattr(self, name)!r} is given, but the penalty {g!r} has its own "
                                     f"numbers: drop {name}, name the penalty, or pass a function from λ to it, as "
                                     "penalty=lambda lam: Standardized(Ridge(lam))")  # fmt: skip
            return named("penalty", g, PENALTIES, PENALTY_NEEDS)
        if g in PENALTIES_ELSEWHERE:
            raise ValueError(f"unknown penalty {g!r}; here it is called {PENALTIES_ELSEWHERE[g]!r}")
        kind = PENALTIES[among("penalty", g, PENALTIES)]
        if (self.l1_ratio is None) == (kind is ElasticNet):
            raise ValueError(f"penalty {g!r} needs l1_ratio, a number in [0, 1]" if kind is ElasticNet else
                             f"penalty {g!r} has no l1_ratio, got {self.l1_ratio!r}; "
                             "drop it, or write penalty='elastic_net'")  # fmt: skip
        if kind is not Zero:
            return kind(self._lam(family, weight), *[self.l1_ratio] * (kind is ElasticNet))
        if self.lam is not None or self.alpha_per_row is not None:
            raise ValueError("penalty 'zero' has no λ: drop lam and alpha_per_row, or write penalty='ridge'")
        return Zero()

    def _lam(self, family, weight):
        """λ, which counts against the sum of the losses."""
        if self.alpha_per_row is None:
            return number("lam", 1.0 if self.lam is None else self.lam)
        if self.lam is not None:
            raise ValueError(f"lam={self.lam!r} counts against the sum of the losses and alpha_per_row="
                             f"{self.alpha_per_row!r} against their mean: give one of them")  # fmt: skip
        halves = HALVES.get(getattr(family, "name", None), 1)
        return halves * number("alpha_per_row", self.alpha_per_row) * weight()

    def _fit(self, family, tables):
        """Fit the Tables of a problem, and keep what was found; the coefficients (p,) and the intercept."""
        options, values = given.further(self), given.arrays(tables, counted=self.alpha_per_row is not None)
        g = self._penalty(family, lambda: given.total_weight(values["sample_weight"], values["X"].shape[0]))
        given.refuse_unknown(self, g, options)
        start = self.result_ if self.warm_start and hasattr(self, "result_") else None
        if start is not None and values["X"].shape[1] != len(start.beta):
            raise ValueError(f"X has {values['X'].shape[1]} columns, but warm_start=True starts at the last fit, which "
                             f"had {len(start.beta)}: set warm_start=False, or fit a clone")  # fmt: skip
        result = fit(
            **values, family=family, penalty=g, solver=self.solver, fit_intercept=self.fit_intercept, start=start,
            tol=self.tol, max_iter=self.max_iter, threads=self.threads, **options,
        )  # fmt: skip
        self.result_ = replace(result, names=tables["X"].names)
        self.n_iter_, self.n_passes_, self.converged_ = result.n_iter, result.passes, result.converged
        self.certificate_ = result.certificate
        return result.beta, result.intercept

    def _mean(self, X, added, family):
        """The mean of a family at each row (n,); X is a Table, and `added` is what given.offsets returns."""
        self._refuse_forgotten(added)
        tables = given.together(X, **added)
        beta, intercept = np.ravel(self.coef_), float(np.ravel(self.intercept_)[0])
        return row_by_row(Mean(family, beta, intercept), *tables.values())

    def _refuse_forgotten(self, added):
        """The error for rows without an offset where the fit had one. Without an exposure they have one unit of it."""
        refuse_forgotten(next(iter(added.values())), self.needs_offset_)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class GLMRegressor(RegressorMixin, GLM):
    """A generalised linear model of a number: a regressor for scikit-learn, fitted by `fit`.

    It minimises Σᵢ wᵢ ℓ(xᵢᵀβ + b + oᵢ; yᵢ) + g(β). The losses are summed, not averaged: rows repeated twice need twice
    the λ. The intercept b is there by default, and is not penalised.

    Parameters
    ----------
    family : str or object, default "gaussian"
        "gaussian", whose loss (y − η)² has no ½, "logistic" for proportions, "poisson", "gamma",
        NegativeBinomial(alpha), Tweedie(power) or an object of your own.
    penalty : str or object, default "ridge"
        "zero", "l1", "ridge", "elastic_net", an object, which has its own λ, or a function from λ to an object, as
        lambda lam: Standardized(Ridge(lam)).
    lam : float >= 0, optional
        λ, which counts against the sum of the losses. None stands for 1, or for the λ of alpha_per_row.
    alpha_per_row : float >= 0, optional
        α as scikit-learn's PoissonRegressor, GammaRegressor, Lasso and ElasticNet and as glum take it, with the mean of
        the losses and ½(y − η)² for the Gaussian: λ = α Σw, and 2 α Σw for the Gaussian.
    l1_ratio : float in [0, 1], optional
        r of "elastic_net", λ(r‖β‖₁ + (1 − r)/2 ‖β‖²).
    fit_intercept : bool, default True
        Whether the model has the intercept b.
    solver, tol, max_iter : as in `fit`
    warm_start : bool, default False
        Whether to start where the last fit of this estimator ended.
    threads : as in `fit`
    options : dict, optional
        Further options of `fit`.

    Attributes
    ----------
    coef_ : array, shape (p,)
        The coefficients β.
    intercept_ : float
        b, 0.0 where the model has none.
    n_iter_, n_passes_ : int and float
        Iterations, and passes over the rows.
    converged_ : bool
        Was tol proved?
    certificate_ : Certificate
        The proof.
    needs_offset_ : bool
        Had the fit an offset?
    needs_exposure_ : bool
        Had it an exposure?
    result_ : Result
        What `fit` returned, with all else.
    n_features_in_ : int
        The number of columns, p.
    feature_names_in_ : array, shape (p,)
        The names of the columns, where X has names of text.

    Examples
    --------
    >>> from glmlab.estimators import GLMRegressor
    >>> X, claims, years = [[0], [0], [1], [1]], [1, 3, 4, 2], [1.0, 1.0, 1.0, 0.5]
    >>> model = GLMRegressor("poisson", penalty="zero").fit(X, claims, exposure=years)
    >>> model.predict([[0.0], [1.0]]).round(6).tolist(), model.converged_
    ([2.0, 4.0], True)
    """

    @known_here
    def __init__(
        self, family="gaussian", penalty="ridge", lam=None, *, alpha_per_row=None, l1_ratio=None, fit_intercept=True,
        solver="auto", tol=None, max_iter=None, warm_start=False, threads=None, options=None,
    ):  # fmt: skip
        self.family, self.penalty, self.lam, self.alpha_per_row = family, penalty, lam, alpha_per_row
        self.l1_ratio, self.fit_intercept, self.solver, self.tol = l1_ratio, fit_intercept, solver, tol
        self.max_iter, self.warm_start, self.threads, self.options = max_iter, warm_start, threads, options

    def fit(self, X, y, sample_weight=None, offset=None, exposure=None):
        """Fit the model to X and y.

        Parameters
        ----------
        X, y : as in `fit`, in any container that it takes
        sample_weight : array or column, shape (n,), optional
            Multiplies the losses.
        offset : array or column, shape (n,), optional
            Is added to η.
        exposure : array or column, shape (n,), optional
            Multiplies the mean of a family with a log link, as an offset of log(exposure) does.

        Returns
        -------
        GLMRegressor
            The estimator itself.

        Raises
        ------
        ValueError, TypeError, ClusterError
            As `fit` does, and for rows in memory what scikit-learn's `check_array` raises.
        """
        family = named("family", self.family, FAMILIES, FAMILY_NEEDS)
        self.coef_, self.intercept_ = self._fit(family, self._tables(X, y, sample_weight, offset, exposure, reset=True))
        self.needs_offset_, self.needs_exposure_ = offset is not None, exposure is not None
        return self

    def predict(self, X, offset=None, exposure=None):
        """The mean of y at each row of X, times its exposure.

        Parameters
        ----------
        X : array or table, shape (n, p)
            New rows, with the columns of the fit.
        offset, exposure : arrays or columns, shape (n,), optional
            Where the fit had an offset, the rows must have an offset or an exposure: TypeError without. Where it had an
            exposure, rows without one have one unit of it.

        Returns
        -------
        array, shape (n,)
            Lazy where X is on dask.
        """
        table = given.columns(self, X, reset=False)
        return self._mean(table, self._offset(offset, exposure), self.result_.family)

    def score(self, X, y, sample_weight=None, offset=None, exposure=None):
        """D², the share of the deviance of the null model that is explained, 1 at best; R² for the Gaussian.

        The null model has the rows' offsets and one level, which is fitted to these rows. Offsets are asked for as in
        `predict`; where the fit had an exposure, these rows must have one, too.
        """
        if self.needs_exposure_ and exposure is None and offset is None:
            raise TypeError("the model was fitted with an exposure: pass exposure=; for scikit-learn's searches "
                            "set_score_request(exposure=True), with metadata routing switched on")  # fmt: skip
        tables = self._tables(X, y, sample_weight, offset, exposure, reset=False)
        f = over_rows(**given.arrays(tables), family=self.result_.family, intercept=True, threads=self.threads)
        with np.errstate(over="ignore", invalid="ignore"):
            loss = f.look(np.append(self.coef_, self.intercept_)).loss
        explicable = f.null.loss - f.null.floor
        if np.isnan(explicable):
            raise ValueError(f"{f.family!r} does not say how small its loss can be (`saturated`): pass scoring=")
        return float(1 - (loss - f.null.floor) / explicable) if explicable > 0 else float(loss <= f.null.floor)

    def _tables(self, X, y, sample_weight, offset, exposure, *, reset):
        weight, added = given.optional("sample_weight", sample_weight), self._offset(offset, exposure)
        table, y = given.columns(self, X, reset=reset), given.response(self, y)
        if not reset:
            self._refuse_forgotten(added)
        return given.together(table, y=y, sample_weight=weight, **added)

    def _offset(self, offset, exposure):
        name = getattr(self.family, "name", self.family)
        if exposure is not None and name not in LOG_LINK:
            raise ValueError(f"exposure multiplies a mean with a log link, that of {' or '.join(LOG_LINK)}; the family "
                             f"is {self.family!r}: pass offset=")  # fmt: skip
        return given.offsets(offset, exposure)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = getattr(self.family, "name", self.family) in LOG_LINK
        return tags


class GLMClassifier(ClassifierMixin, GLM):
    """Logistic regression of two classes: a classifier for scikit-learn, fitted by `fit`.

    It minimises Σᵢ wᵢ (log(1 + e^ηᵢ) − yᵢηᵢ) + g(β), η = Xβ + b + o: a sum, not a mean. The defaults are those of
    scikit-learn's LogisticRegression, λ = 1/C = 1. More than two classes are refused; scikit-learn's
    OneVsRestClassifier around it fits one against the rest.

    Parameters
    ----------
    penalty, lam, alpha_per_row, l1_ratio : as of GLMRegressor
        Of LogisticRegression's C it is lam=1/C, of the alpha of SGDClassifier and glum alpha_per_row=alpha.
    class_weight : dict or "balanced", optional
        {label: weight}, which multiplies the rows' weights, or "balanced", which gives both classes the same sum of
        weights.
    fit_intercept, solver, tol, max_iter, warm_start, threads, options : as of GLMRegressor

    Attributes
    ----------
    classes_ : array, shape (2,)
        The labels, sorted.
    coef_ : array, shape (1, p)
        The coefficients β, in the shape that LogisticRegression gives them.
    intercept_ : array, shape (1,)
        b, 0.0 where the model has none.
    n_iter_, n_passes_, converged_, certificate_, needs_offset_, result_ : as of GLMRegressor
    n_features_in_, feature_names_in_ : as of GLMRegressor

    Examples
    --------
    >>> from glmlab.estimators import GLMClassifier
    >>> X, y = [[0], [1], [2], [3]], ["no", "yes", "no", "yes"]
    >>> model = GLMClassifier(lam=0.5).fit(X, y)
    >>> model.predict([[0], [3]]).tolist()
    ['no', 'yes']
    >>> model.predict_proba([[1.5]]).round(6).tolist()
    [[0.5, 0.5]]
    """

    @known_here
    def __init__(
        self, penalty="ridge", lam=None, *, alpha_per_row=None, l1_ratio=None, class_weight=None, fit_intercept=True,
        solver="auto", tol=None, max_iter=None, warm_start=False, threads=None, options=None,
    ):  # fmt: skip
        self.penalty, self.lam, self.alpha_per_row, self.l1_ratio = penalty, lam, alpha_per_row, l1_ratio
        self.class_weight, self.fit_intercept, self.solver, self.tol = class_weight, fit_intercept, solver, tol
        self.max_iter, self.warm_start, self.threads, self.options = max_iter, warm_start, threads, options

    def fit(self, X, y, sample_weight=None, offset=None):
        """Fit to X (n, p) and two labels y (n,) of any type; returns the estimator.

        The rest is as in GLMRegressor.fit. Labels on dask take a pass over y.
        """
        weight, offset = given.optional("sample_weight", sample_weight), given.optional("offset", offset)
        table = given.columns(self, X, reset=True)
        self.classes_, second = given.classes(self, y)
        tables = given.together(table, y=second, sample_weight=weight, offset=offset)
        if self.class_weight is not None:
            tables = given.class_weighted(self.class_weight, self.classes_, tables)
        beta, intercept = self._fit(Logistic(), tables)
        self.coef_, self.intercept_, self.needs_offset_ = beta[None, :], np.array([intercept]), offset is not None
        return self

    def decision_function(self, X, offset=None):
        """η (n,), the logarithm of the odds of classes_[1]; lazy where X is on dask.

        Where the fit had an offset, the rows must have one, here and in all further methods: TypeError without.
        """
        return self._eta(given.columns(self, X, reset=False), offset)

    def _eta(self, table, offset):
        return self._mean(table, given.offsets(offset, None), Gaussian())  # whose mean is η

    def predict_proba(self, X, offset=None):
        """The probabilities of both classes (n, 2), in the order of classes_; lazy where X is on dask."""
        eta = self.decision_function(X, offset)
        lazy = given.is_lazy(eta)
        return eta.map_blocks(both, chunks=(eta.chunks[0], 2), new_axis=1, dtype=float) if lazy else both(eta)

    def predict(self, X, offset=None):
        """The more probable class of each row (n,); lazy where X is on dask."""
        eta = self.decision_function(X, offset)
        if given.is_lazy(eta):
            return eta.map_blocks(more_probable, self.classes_, dtype=self.classes_.dtype)
        return more_probable(eta, self.classes_)

    def score(self, X, y, sample_weight=None, offset=None):
        """The share of rows, or of their weight, whose class is predicted.

        Raises ValueError for labels that are none of the two classes.
        """
        table, weight = given.columns(self, X, reset=False), given.optional("sample_weight", sample_weight)
        first, second = (given.having(y, label) for label in self.classes_)
        rows = given.arrays(given.together(table, y=first, second=second, sample_weight=weight), counted=True)
        eta = self._eta(table._replace(values=rows["X"]), offset)
        return given.share_right(eta > 0, rows["y"], rows["second"], rows["sample_weight"], self.classes_)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags


def both(eta):
    """The probabilities of both classes (n, 2); neither loses digits where it is small."""
    return np.stack([sigmoid(-eta), sigmoid(eta)], axis=1)


def more_probable(eta, labels):
    """The more probable of two labels in each row (n,)."""
    return labels[(eta > 0).astype(int)]
