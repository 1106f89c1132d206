"""`check_family`: the loss of one row, its derivatives, and what else a family says of it."""

import warnings

import cloudpickle
import numpy as np

from glmlab.auditing.audit import Check, Fault, audited, demand, error_text
from glmlab.auditing.problems import accepted, name_of, posed
from glmlab.maths.certificates import is_priced
from glmlab.maths.families import FAMILIES, FAMILY_NEEDS
from glmlab.maths.family import Family
from glmlab.maths.penalties import Ridge
from glmlab.names import named, spelt
from glmlab.policy import Auditing
from glmlab.solvers.run import run

ETA = np.linspace(-4.0, 4.0, 33)
FAR = np.array([-800.0, -50.0, 50.0, 800.0])
GRID = np.linspace(-40.0, 40.0, 8001)  # of η: maxima and minima over η are looked for here


@spelt
def check_family(family, *, y=None, raises=False, policy=Auditing()):
    """Try a family: derivatives, convexity, and what it promises (conjugate, price, starting value …), in sentences.

    Parameters
    ----------
    family : object or str
        With loss, dloss and d2loss of (eta, y), or a name. What it does not have is not asked of it.
    y : array, shape (m,), optional
        Responses to try; by default those of −2, −½, 0, ¼, ½, 1, 2, 7 that its `domain` accepts.
    raises : bool, default False
        Whether to raise AssertionError, with the same text, where a check does not hold.
    policy : glmlab.policy.Auditing
        How a family is tried.

    Returns
    -------
    Audit
        It is true where every check holds.

    Raises
    ------
    AssertionError
        If `raises` and a check does not hold.
    TypeError, ValueError
        For an unknown name or a class in place of an object.

    Examples
    --------
    >>> from glmlab import NegativeBinomial, check_family
    >>> bool(check_family(NegativeBinomial(0.5)))
    True
    """
    family = named("family", family, FAMILIES, ())
    return audited(f"check_family({name_of(family)})", CHECKS, Trial(family, y, policy), raises)


class Trial:
    """A family, and every η of a grid with every y."""

    def __init__(self, family, y, policy):
        self.family, self.policy = family, policy
        self.labels = None if y is None else np.asarray(y, dtype=float)

    def pairs(self, etas=ETA):
        """η and y as two arrays (n,)."""
        labels = accepted(self.family) if self.labels is None else self.labels
        demand(len(labels), "its domain accepts none of the y that are tried", "name some: check_family(…, y=[…])")
        eta, y = np.meshgrid(etas, labels)
        return eta.ravel(), y.ravel()

    def call(self, name, *args):
        """What one of its methods returns, as an array."""
        try:
            found = np.asarray(getattr(self.family, name)(*args), dtype=float)
        except Exception as error:
            what = f"{name} raises {error_text(error, getattr(self.family, name, None))}"
            cure = "it is called with arrays; use NumPy's functions and np.where in place of if"
            raise Fault(what, cure) from error
        return found


def methods(trial):
    """A fit needs loss, dloss and d2loss."""
    lacking = [name for name in FAMILY_NEEDS if not callable(getattr(trial.family, name, None))]
    demand(not lacking, f"it has no {' and no '.join(lacking)}", "write them as methods of (self, eta, y)")


def by_rows(trial):
    """Each row by itself: shapes are kept, and η may be (n, m) beside y (n, 1)."""
    eta, y = trial.pairs()
    many = np.column_stack([eta, eta + 0.3])
    for name in FAMILY_NEEDS:
        found = trial.call(name, eta, y)
        what = f"{name} returns shape {found.shape} for arrays of shape {eta.shape}"
        demand(found.shape == eta.shape, what, "return one number a row: no sum, no mean; np.full_like for a constant")
        wide = trial.call(name, many, y[:, None])
        what = f"{name} of η (n, 2) and y (n, 1) has shape {wide.shape}"
        demand(wide.shape == many.shape, what, "work entry by entry, with NumPy's functions only")
        same = np.allclose(wide[:, 0], found, rtol=1e-12, atol=1e-300, equal_nan=True)
        demand(same, f"{name} of a row depends on the other rows", "no mean, no maximum, no index over the rows")


def finite(trial):
    """No nan, no −∞; where the loss overflows it is +∞."""
    eta, y = trial.pairs()
    for name in FAMILY_NEEDS:
        found = trial.call(name, eta, y)
        k = int(np.argmin(np.isfinite(found)))
        what = f"{name} is {found[k]} at η = {eta[k]:g}, y = {y[k]:g}"
        demand(np.isfinite(found).all(), what, "if such a y is not for this family, let its domain(y) refuse it")
    eta, y = trial.pairs(FAR)
    for name in FAMILY_NEEDS:
        found = trial.call(name, eta, y)
        wrong = np.isnan(found) | ((found == -np.inf) & (name == "loss"))
        k = int(np.argmax(wrong))
        cure = "let neither tail overflow: log(1 + e^η) is max(η, 0) + log1p(e^(−|η|)). A loss may be +∞"
        demand(not wrong.any(), f"{name} is {found[k]} at η = {eta[k]:g}, y = {y[k]:g}", cure)


def slopes(trial):
    """dloss is the derivative of loss."""
    derivative(trial, "loss", "dloss", "differentiate with y fixed; is a sign or a factor (a 2, a ½) missing?")


def curvatures(trial):
    """d2loss is the derivative of dloss."""
    derivative(trial, "dloss", "d2loss", "differentiate dloss with y fixed: it is not the expected value (Fisher's)")


def derivative(trial, lower, upper, cure):
    """Raises Fault where `upper` is not the central difference of `lower`."""
    eta, y = trial.pairs()
    h = trial.policy.step * (1 + np.abs(eta))
    ahead, behind = trial.call(lower, eta + h, y), trial.call(lower, eta - h, y)
    difference, said = (ahead - behind) / (2 * h), trial.call(upper, eta, y)
    size = np.abs(difference) + np.abs(said) + np.abs(ahead) + np.abs(behind) + 1e-3
    off = np.abs(said - difference) / size
    k = int(np.argmax(off))
    where = f"at η = {eta[k]:g}, y = {y[k]:g} {upper} is {said[k]:.6g}"
    demand(off[k] <= trial.policy.slope, f"{where}, and the difference quotient of {lower} {difference[k]:.6g}", cure)


def convex(trial):
    """The loss is convex in η."""
    eta, y = trial.pairs()
    curve = trial.call("d2loss", eta, y)
    k = int(np.argmin(curve))
    cure = "no solver and no certificate holds for it; if such a y is not for this family, let domain(y) refuse it"
    demand(curve[k] >= 0, f"d2loss is {curve[k]:.4g} at η = {eta[k]:g}, y = {y[k]:g}: it is not convex", cure)
    if getattr(trial.family, "quadratic", False):
        steady = np.ptp(curve) <= 1e-12 * np.abs(curve).max()
        demand(steady, "it says quadratic = True, and d2loss varies with η or y", "leave `quadratic` out")


def concordant(trial):
    """Where it says so, |ℓ‴| ≤ ℓ″."""
    if not getattr(trial.family, "concordant", False):
        return
    eta, y = trial.pairs()
    h = trial.policy.step * (1 + np.abs(eta))
    third = (trial.call("d2loss", eta + h, y) - trial.call("d2loss", eta - h, y)) / (2 * h)
    curve = trial.call("d2loss", eta, y)
    excess = np.abs(third) - curve * (1 + 1e-5) - 1e-9 * (1 + np.abs(curve))
    k = int(np.argmax(excess))
    what = f"it says concordant = True; at η = {eta[k]:g}, y = {y[k]:g} |ℓ‴| is {abs(third[k]):.3g} > {curve[k]:.3g}"
    demand(excess[k] <= 0, what, "leave `concordant` out: errors of β would be understated")


def conjugate(trial):
    """ℓ(η) + ℓ*(θ) ≥ θη, with equality at θ = ℓ′(η)."""
    if not hasattr(trial.family, "conjugate"):
        return
    eta, y = trial.pairs()
    loss, theta = trial.call("loss", eta, y), trial.call("dloss", eta, y)
    size = 1 + np.abs(loss) + np.abs(theta * eta) + np.abs(theta * y)
    gap = loss + trial.call("conjugate", theta, y) - theta * eta
    k = int(np.argmax(np.where(np.isnan(gap), np.inf, np.abs(gap)) / size))
    what = f"at θ = ℓ′(η), η = {eta[k]:g}, y = {y[k]:g}: ℓ(η) + ℓ*(θ) − θη is {gap[k]:.4g}, not 0"
    demand(abs(gap[k]) <= 1e-7 * size[k], what, "ℓ*(θ) = max_η θη − ℓ(η; y), terms in y included")
    for move in (-3.0, -0.4, 0.4, 3.0):
        gap = (loss + trial.call("conjugate", theta + move, y) - (theta + move) * eta) / size
        k = int(np.argmin(gap))
        what = f"at θ = {theta[k] + move:.3g}, η = {eta[k]:g}, y = {y[k]:g}: ℓ(η) + ℓ*(θ) < θη"
        demand(gap[k] >= -1e-7, what, "ℓ* is +∞ where θη − ℓ(η) has no maximum; else it is that maximum")


def priced(family):
    """Has it a price of its own, or a conjugate from which `Family` makes one?"""
    return is_priced(family) or (not isinstance(family, Family) and callable(getattr(family, "price", None)))


def price(trial):
    """D(t) = ℓ(η) + ℓ*(θ) − θη at θ = ℓ′ + ℓ″t."""
    if not priced(trial.family):
        return
    eta, y = trial.pairs(ETA[8:-8:2])
    loss, first, curve = (trial.call(name, eta, y) for name in FAMILY_NEEDS)
    for t in (-0.8, -0.2, 0.3, 0.7):
        said, theta = trial.call("price", np.full_like(eta, t), eta, y), first + curve * t
        heights = theta[:, None] * GRID - trial.call("loss", GRID[None, :] + 0 * theta[:, None], y[:, None])
        inside = np.argmax(heights, axis=1) % (len(GRID) - 1) != 0  # at an edge of the grid the maximum is elsewhere
        right = loss + heights.max(axis=1) - theta * eta
        off = np.where(inside, np.abs(said - right) / (np.abs(right) + 1e-3 * (1 + np.abs(y))), 0.0)
        k = int(np.argmax(np.where(np.isnan(off), np.inf, off)))
        what = f"at t = {t:g}, η = {eta[k]:g}, y = {y[k]:g} price is {said[k]:.5g}, not {right[k]:.5g}"
        small = np.isclose(said[k], curve[k] * t**2 / 2, rtol=1e-3)
        cure = "½ℓ″t² is the price of a small move only" if small else "D(t) = ℓ(η) + ℓ*(θ) − θη, θ = ℓ′ + ℓ″t"
        demand(off[k] <= trial.policy.price, what, cure)


def dearest(trial):
    """D(t) ≤ c ℓ″ t² for |t| ≤ u, c = dearest(u)."""
    if not callable(getattr(trial.family, "dearest", None)) or not is_priced(trial.family):
        return
    eta, y = trial.pairs(ETA[8:-8:2])
    curve = trial.call("d2loss", eta, y)
    for u in (1e-3, 0.1, 0.5, 0.9):
        c = float(trial.family.dearest(u))
        if np.isinf(c):  # none is known
            continue
        for t in (-u, u):
            excess = trial.call("price", np.full_like(eta, t), eta, y) - c * curve * t**2 * (1 + 1e-9)
            k = int(np.argmax(excess))
            what = f"dearest({u:g}) = {c:.4g}, and at t = {t:g}, η = {eta[k]:g}, y = {y[k]:g} D(t) > c ℓ″ t²"
            demand(excess[k] <= 1e-12, what, "a larger c, or leave the method out: certificates rest on it")


def saturated(trial):
    """saturated is the least loss of a row over all η."""
    if not hasattr(trial.family, "conjugate") and "saturated" not in vars(type(trial.family)):
        return
    _, y = trial.pairs(np.zeros(1))
    losses = trial.call("loss", GRID[None, :] + 0 * y[:, None], y[:, None])
    said, least = trial.call("saturated", y), losses.min(axis=1)
    inside = np.argmin(losses, axis=1) % (len(GRID) - 1) != 0  # at an edge of the grid the loss may fall further
    off = np.where(inside, said - least, np.maximum(said - least, 0.0))
    k = int(np.argmax(np.abs(off)))
    what = f"at y = {y[k]:g} saturated is {said[k]:.6g}, and the least loss over η {least[k]:.6g}"
    demand(abs(off[k]) <= 1e-4 * (1 + abs(least[k])), what, "it is min over η of ℓ(η; y), which is −ℓ*(0; y)")


def starting(trial):
    """level gives the best common η: the starting value, and the loss of the null model."""
    if not (hasattr(trial.family, "level") and hasattr(trial.family, "tally")):
        return
    _, labels = trial.pairs(np.zeros(1))
    rng = np.random.default_rng(22)
    y, w = rng.choice(labels, 60), rng.choice([0.5, 1.0, 2.0], 60)
    for o in (None, np.full(60, 0.3), rng.normal(size=60) / 4):
        b, least = trial.family.level(trial.family.tally(y, w, o))
        if not np.isfinite(least):
            continue  # a guess, from which Newton's method goes on
        shift = 0.0 if o is None else o

        def total(b, y=y, w=w, shift=shift):
            return float(np.sum(w * trial.call("loss", b + shift + 0 * y, y)))

        here, around = total(b), min(total(b - 1e-3), total(b + 1e-3))
        what = f"level says {b:.6g}, where Σ w ℓ is {here:.8g}; beside it it is {around:.8g}"
        demand(here <= around + 1e-12 * abs(around), what, "level is the b that minimises Σ w ℓ(b + o; y)")
        what = f"level says that the least Σ w ℓ is {least:.8g}; it is {here:.8g}"
        demand(abs(least - here) <= 1e-9 * (1 + abs(here)), what, "return b and Σ w ℓ(b + o; y)")


def mean(trial):
    """The mean is the y at which the slope vanishes."""
    if not callable(getattr(trial.family, "mean", None)):
        return
    middle = trial.call("mean", ETA)
    demand(middle.shape == ETA.shape, f"mean returns shape {middle.shape}", "one number for each η")
    left = np.abs(trial.call("dloss", ETA, middle)) / (1 + np.abs(middle))
    k = int(np.argmax(left))
    what = f"at η = {ETA[k]:g} mean is {middle[k]:.5g}, and ℓ′(η; mean) {left[k] * (1 + abs(middle[k])):.4g}, not 0"
    demand(left[k] <= 1e-9, what, "the mean μ(η) solves ℓ′(η; μ) = 0; the link is part of the family")


def travels(trial):
    """It can be sent to another process."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # to pickle a ufunc is to look through all modules, and some of them warn
            copy = cloudpickle.loads(cloudpickle.dumps(trial.family))
    except Exception as error:
        cure = "keep plain numbers and arrays in self: no file, no lock, no generator"
        raise Fault(f"it cannot be sent to a worker: {error_text(error)}", cure) from error
    eta, y = trial.pairs()
    same = np.array_equal(trial.call("loss", eta, y), np.asarray(copy.loss(eta, y)), equal_nan=True)
    demand(same, "its copy on a worker has another loss", "keep all parameters in self, and nothing in globals")


def fitted(trial):
    """A small fit ends, with a certificate where a price is known."""
    problem = posed(trial.family, Ridge(1.0), seed=0, labels=trial.labels)
    f = problem.objective()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the status says what a warning would
        result = run("proximal_newton", f, problem.penalty, tol=trial.policy.tol, max_iter=100)
    right = result.converged or not result.certificate.rigorous and result.trace.residual[-1] <= trial.policy.tol
    demand(right, f"a fit of {f.n} rows ends with: {result.status.rstrip('.')}", "see which of the checks above fails")


CHECKS = (
    Check("methods", methods, "it has loss, dloss and d2loss", vital=True),
    Check("rows", by_rows, "each method works row by row, on arrays of any shape", vital=True),
    Check("finite", finite, "no method gives nan, far out neither", vital=True),
    Check("first derivative", slopes, "dloss is the derivative of loss"),
    Check("second derivative", curvatures, "d2loss is the derivative of dloss"),
    Check("convexity", convex, "the loss is convex, and quadratic where it says so"),
    Check("curvature", concordant, "|ℓ‴| ≤ ℓ″ where it says so"),
    Check("conjugate", conjugate, "Fenchel–Young holds for its conjugate, if it has one"),
    Check("price", price, "its price is that of its loss, if it has one"),
    Check("price bound", dearest, "dearest bounds every price, if it has one"),
    Check("least loss", saturated, "saturated is the least loss of a row, if it has one"),
    Check("starting value", starting, "level is the best common η, if it knows one"),
    Check("mean", mean, "the slope vanishes at the mean, if it has one"),
    Check("travel", travels, "it can be sent to a worker"),
    Check("fit", fitted, "a small fit with it ends well"),
)
