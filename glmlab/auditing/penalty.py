"""`check_penalty`: value, prox, distance, and what l1 and l2 promise."""

import warnings

import numpy as np

from glmlab.auditing.audit import Check, Fault, audited, demand, error_text
from glmlab.auditing.problems import posed
from glmlab.maths.families import Logistic
from glmlab.maths.penalties import PENALTIES, PENALTY_NEEDS, Scaled, Standardized, lambdas
from glmlab.names import named, spelt
from glmlab.policy import Auditing
from glmlab.solvers.run import run

DIM = 5
STEPS = (0.1, 1.0, 7.0)


@spelt
def check_penalty(penalty, *, raises=False, policy=Auditing()):
    """Try a penalty: convexity, the prox, the distance to its subdifferential, its conjugate, in sentences.

    Parameters
    ----------
    penalty : object or str
        With value(beta) and distance(beta, grad), and prox(v, step) or grad(beta), or the name "zero". What it does not
        have is not asked of it; l1 and l2, where it has them, promise λ₁‖β‖₁ + (λ₂/2)‖β‖².
    raises : bool, default False
        Whether to raise AssertionError, with the same text, where a check does not hold.
    policy : glmlab.policy.Auditing
        How a penalty is tried.

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
    >>> from glmlab import ElasticNet, check_penalty
    >>> bool(check_penalty(ElasticNet(2.0, l1_ratio=0.5)))
    True
    """
    penalty = named("penalty", penalty, PENALTIES, ())
    if isinstance(penalty, (Scaled, Standardized)):
        raise TypeError(f"{penalty!r} belongs to the columns of one X: check {penalty.penalty!r}")
    return audited(f"check_penalty({penalty!r})", CHECKS, Trial(penalty, policy), raises)


class Trial:
    """A penalty, and random points with exact zeros among their entries."""

    def __init__(self, penalty, policy):
        self.penalty, self.policy = penalty, policy

    def points(self, seed):
        rng = np.random.default_rng([seed, 22])
        shape = (self.policy.points, DIM)
        return rng.normal(size=shape) * 3 * (rng.random(shape) < 0.7)

    def call(self, name, *args):
        """What one of its methods returns. A method that changes what it is given is at fault."""
        before = [np.array(arg) for arg in args]
        try:
            found = getattr(self.penalty, name)(*args)
        except Exception as error:
            what = f"{name} raises {error_text(error, getattr(self.penalty, name, None))}"
            raise Fault(what, f"{name} takes NumPy arrays (dim,)") from error
        kept = all(np.array_equal(arg, was) for arg, was in zip(args, before, strict=True))
        demand(kept, f"{name} changes the array that it is given", "make a new array: solvers go on with the old one")
        return np.asarray(found, dtype=float)

    def value(self, beta):
        return float(self.call("value", beta))

    @property
    def has_prox(self):
        return callable(getattr(self.penalty, "prox", None))


def methods(trial):
    """A run needs value and distance; a solver prox or grad."""
    lacking = [name for name in PENALTY_NEEDS if not callable(getattr(trial.penalty, name, None))]
    demand(not lacking, f"it has no {' and no '.join(lacking)}", "write value(beta) and distance(beta, grad)")
    usable = trial.has_prox or callable(getattr(trial.penalty, "grad", None))
    demand(usable, "it has neither prox nor grad", "write prox(v, step), or grad(beta) with smooth = True")


def shapes(trial):
    """One number, and vectors as long as β."""
    point = trial.points(0)[0]
    for beta in (point, point[:2], np.zeros(1)):
        value = trial.call("value", beta)
        demand(value.ndim == 0 and np.isfinite(value), f"value is {value!r}", "it must be one finite number")
        calls = {"distance": (beta, beta)} | ({"prox": (beta, 0.5)} if trial.has_prox else {})
        for name, args in calls.items():
            found = trial.call(name, *args)
            what = f"{name} returns shape {found.shape} for vectors of shape {beta.shape}"
            demand(found.shape == beta.shape, what, "one number for each coefficient, whatever their number")


def convex(trial):
    """g is convex, and nowhere below g(0)."""
    at_zero = trial.value(np.zeros(DIM))
    for one, other in zip(trial.points(1), trial.points(2), strict=True):
        ends, middle = (trial.value(one) + trial.value(other)) / 2, trial.value((one + other) / 2)
        what = f"between two points value is {middle:.6g}, above their mean {ends:.6g}: it is not convex"
        demand(middle <= ends + 1e-12 * (1 + abs(ends)), what, "proofs and proximal methods need a convex g")
        low = trial.value(one)
        demand(low >= at_zero - 1e-12, f"value is {low:.6g}, below {at_zero:.6g} at 0", "a penalty is least at 0")


def homogeneous(trial):
    """l1 and l2 say what value is, and λ multiplies it."""
    g = trial.penalty
    if lambdas(g, DIM) is not None:
        for beta in trial.points(3):
            promised, said = g.l1 * np.abs(beta).sum() + g.l2 / 2 * (beta @ beta), trial.value(beta)
            what = f"value is {said:.6g}, and its l1 = {g.l1:g} and l2 = {g.l2:g} promise {promised:.6g}"
            cure = "value must be λ₁‖β‖₁ + (λ₂/2)‖β‖²; a penalty of another form has neither l1 nor l2"
            demand(abs(said - promised) <= 1e-12 * (1 + promised), what, cure)
        smooth = g.l1 == 0
        what = f"smooth is {getattr(g, 'smooth', None)}, and l1 = {g.l1:g}"
        demand(bool(getattr(g, "smooth", False)) == smooth, what, "smooth = True says that l1 is 0")
    if callable(getattr(g, "at", None)) and getattr(g, "lam", 0) > 0:
        twice, beta = g.at(2 * g.lam), trial.points(3)[0]
        found, wanted = float(twice.value(beta)), 2 * trial.value(beta)
        what = f"at(2λ) has the value {found:.6g}, not {wanted:.6g}"
        demand(abs(found - wanted) <= 1e-12 * (1 + abs(wanted)), what, "value must be λ times a function without λ")


def prox(trial):
    """(v − p)/t is a subgradient of g at p = prox(v, t): g(u) ≥ g(p) + (v − p)ᵀ(u − p)/t."""
    if not trial.has_prox:
        return
    for k, (v, u) in enumerate(zip(trial.points(4), trial.points(5), strict=True)):
        t = STEPS[k % len(STEPS)]
        p = trial.call("prox", v, t)
        for other in (u, np.zeros(DIM), v, *(p + 1e-2 * d for d in np.vstack([np.eye(DIM), -np.eye(DIM)]))):
            least, found = trial.value(p) + (v - p) @ (other - p) / t, trial.value(other)
            if not found >= least - 1e-9 * (1 + abs(least) + abs(found)):
                what = f"prox(v, {t:g}) is not the minimiser of g(b) + ‖b − v‖²/(2·{t:g}): another point is lower"
                raise Fault(what, prox_cure(trial, v, t, p))


def prox_cure(trial, v, t, p):
    """What seems to be wrong with a prox."""
    if np.array_equal(p, trial.call("prox", v, 30 * t)):
        return "the step does not count: λ must be multiplied by step"
    if right(trial, v, t, trial.call("prox", v, 1 / t)):
        return "the step counts inversely: prox(v, step) minimises g(b) + ‖b − v‖²/(2 step)"
    for c, words in ((0.5, "the step counts twice"), (2.0, "the step counts half")):
        if right(trial, v, t, trial.call("prox", v, c * t)):
            return f"{words}: prox(v, step) minimises g(b) + ‖b − v‖²/(2 step)"
    return "solve g(b) + ‖b − v‖²/(2 step) for b: for λ|b| it is sign(v)·max(|v| − step·λ, 0)"


def right(trial, v, t, p):
    """Does p satisfy the prox inequality for v and t, at points around it?"""
    around = (p + 1e-2 * d for d in np.vstack([np.eye(DIM), -np.eye(DIM)]))
    return all(trial.value(u) >= trial.value(p) + (v - p) @ (u - p) / t - 1e-9 for u in around)


def own_steps(trial):
    """The prox takes a step for each coordinate, where g is a sum over them."""
    if not trial.has_prox or lambdas(trial.penalty, DIM) is None:
        return
    v, steps = trial.points(6)[0], np.linspace(0.1, 2, DIM)
    alone = [trial.call("prox", v[j : j + 1], steps[j])[0] for j in range(DIM)]
    what = "prox(v, steps) with one step a coordinate differs from the coordinates by themselves"
    demand(np.allclose(trial.call("prox", v, steps), alone), what, "let NumPy multiply λ by step entry by entry (ADMM)")


def distance(trial):
    """The distance from −∇f to ∂g is 0 where β is optimal, and no smaller than slopes allow elsewhere."""
    h = 1e-6
    for k, (v, grad) in enumerate(zip(trial.points(7), trial.points(8), strict=True)):
        if trial.has_prox:
            t = STEPS[k % len(STEPS)]
            beta = trial.call("prox", v, t)
            left = np.abs(trial.call("distance", beta, (beta - v) / t)).max()
            turned = np.abs(trial.call("distance", beta, (v - beta) / t)).max()
            cure = ("the distance is that of −grad, not of grad, to ∂g(β)" if turned <= 1e-9 * (1 + np.abs(v).max())
                    else "β = prox(β − t∇f, t) is optimal: there −∇f ∈ ∂g(β), and the distance is 0")  # fmt: skip
            demand(left <= 1e-9 * (1 + np.abs(v).max()), f"distance is {left:.4g} at a fixed point of prox", cure)
        said = trial.call("distance", v, grad)
        demand(np.all(said >= 0), f"distance is {said.min():.4g}", "a distance is not negative")
        low = np.array([(trial.value(v) - trial.value(v - h * e)) / h for e in np.eye(DIM)])
        high = np.array([(trial.value(v + h * e) - trial.value(v)) / h for e in np.eye(DIM)])
        least = np.maximum(np.maximum(low + grad, -grad - high), 0)
        j = int(np.argmax(least - said))
        what = f"at β_j = {v[j]:.3g}, ∂f/∂β_j = {grad[j]:.3g} distance is {said[j]:.4g}; slopes of g lie in "
        what += f"[{low[j]:.4g}, {high[j]:.4g}], which is {least[j]:.4g} from {-grad[j]:.3g}"
        fine = said[j] >= least[j] - 1e-4 * (1 + abs(least[j]) + abs(trial.value(v)))
        demand(fine, what, "at β_j = 0 only |∂f/∂β_j| > λ₁ counts; elsewhere the slope of g is added to the gradient")


def gradient(trial):
    """grad is the gradient of value, where g is smooth."""
    if not getattr(trial.penalty, "smooth", False):
        return
    demand(callable(getattr(trial.penalty, "grad", None)), "smooth is True, and it has no grad", "write grad(beta)")
    for beta in trial.points(9)[:5]:
        difference = [(trial.value(beta + e) - trial.value(beta - e)) / 2e-4 for e in 1e-4 * np.eye(DIM)]
        said = trial.call("grad", beta)
        off = np.abs(said - difference).max() if said.shape == beta.shape else np.inf
        what = f"grad differs from the difference quotient of value by {off:.4g}"
        demand(off <= 1e-6 * (1 + np.abs(difference).max()), what, "is a factor (a 2, a ½) missing?")


def conjugate(trial):
    """g(b) + g*(s) ≥ sᵀb, with equality at s ∈ ∂g(b)."""
    if not callable(getattr(trial.penalty, "conjugate", None)):
        return
    for v, b in zip(trial.points(10), trial.points(11), strict=True):
        p = trial.call("prox", v, 1.0) if trial.has_prox else v
        s = v - p if trial.has_prox else trial.call("grad", v)
        star = float(trial.call("conjugate", s * (1 - 1e-12)))
        gap = trial.value(p) + star - s @ p
        what = f"at a subgradient s of b g(b) + g*(s) − sᵀb is {gap:.4g}, not 0"
        demand(abs(gap) <= 1e-8 * (1 + abs(s @ p)), what, "g*(s) = max_b sᵀb − g(b)")
        demand(trial.value(b) + star >= s @ b - 1e-8 * (1 + abs(s @ b)), "g(b) + g*(s) < sᵀb for some b",
               "g*(s) is the maximum over b, +∞ where there is none")  # fmt: skip


def fitted(trial):
    """A small fit with FISTA, or gradient descent, ends well."""
    problem = posed(Logistic(), trial.penalty, seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the status says what a warning would
        result = run("fista" if trial.has_prox else "gradient_descent", problem.objective(), trial.penalty,
                     tol=10 * trial.policy.tol, max_iter=trial.policy.iterations)  # fmt: skip
    proved = result.converged or not result.certificate.rigorous and result.trace.residual[-1] ** 2 <= trial.policy.tol
    demand(proved, f"a fit of 150 rows ends with: {result.status.rstrip('.')}", "see which of the checks above fails")


CHECKS = (
    Check("methods", methods, "it has value and distance, and prox or grad", vital=True),
    Check("shapes", shapes, "value is one number, vectors are as long as β, nothing is overwritten", vital=True),
    Check("convexity", convex, "it is convex, and least at 0"),
    Check("homogeneity", homogeneous, "value is what l1 and l2 promise, and λ multiplies it, where it has them"),
    Check("prox", prox, "the prox inequality holds, if it has a prox"),
    Check("steps", own_steps, "the prox takes a step for each coordinate"),
    Check("distance", distance, "distance is that from −∇f to the subdifferential"),
    Check("gradient", gradient, "grad is the gradient of value, where it is smooth"),
    Check("conjugate", conjugate, "Fenchel–Young holds for its conjugate, if it has one"),
    Check("fit", fitted, "a small fit with it ends well"),
)
