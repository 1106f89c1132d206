"""Where a solver starts: the null model, a pilot's answer, or the average of the chunks' own answers."""

from itertools import islice
from typing import NamedTuple

import numpy as np

from glmlab.checks import frozen, vector
from glmlab.maths.penalties import is_weighted
from glmlab.maths.quadratic import minimise_model
from glmlab.names import among
from glmlab.policy import Choosing
from glmlab.rows.chunks import InMemory
from glmlab.rows.columns import coefficients, is_answer, refuse_other_names
from glmlab.rows.objective import Objective
from glmlab.solvers.newton import proximal_newton


def null_start(f):
    """The null model as a vector (dim,): no coefficient, and the level as intercept where the model has one."""
    beta = np.zeros(f.dim)
    if f.chunks.intercept and np.isfinite(f.null.level):
        beta[-1] = f.null.level
    return beta


def first_point(start, default, f, g, policy=Choosing()):
    """Where a solver starts (dim,), once the first pass there has refused what cannot be fitted.

    start: as in `run`; None stands for the solver's `default`, "null" or "pilot". What was computed is not used where
    the null model is lower.
    """
    pays = f.n >= policy.pays * f.dim and is_weighted(g)
    start = "pilot" if start is None and default == "pilot" and pays else start
    beta = null_start(f) if start is None else starting_point(start, f, g)
    found = f.look(beta)
    if isinstance(start, str) and not found.loss + g.value(beta) <= f.null.loss:
        beta = null_start(f)
    return frozen(beta)


def starting_point(start, f, g):
    """A start as a vector (dim,): a vector, a Result's, or what "pilot", "average" or "one-step" computes."""
    if is_answer(start):
        refuse_other_names("start", getattr(start, "names", None), f.chunks.names, "X", "X[list(start.names)]")
        start = np.append(start.beta, start.intercept) if f.chunks.intercept else start.beta
    if isinstance(start, str):
        compute = STARTS[among("start", start, STARTS)]
        if not is_weighted(g):
            raise ValueError(f"start={start!r} solves small problems with λ₁‖β‖₁ + (λ₂/2)‖β‖² in them, and {g!r} is of "
                             f"another form; give {f.dim} numbers, or leave it out")  # fmt: skip
        return compute(f, g)
    numbers = coefficients("start", start, f.chunks.names, f.dim)
    return vector("start", numbers, f.dim)


def pilot(f, g):
    """The minimiser for a sample of the rows, to the accuracy that so few rows are worth; zeros where that fails."""
    few = f.glimpse()
    try:
        start = null_start(few)
        few.look(start)
    except ValueError:  # what cannot be fitted is refused by the pass over all rows, which counts all of it
        return np.zeros(f.dim)
    for state in islice(proximal_newton(few, g, start), 15):
        # More digits of the answer to a few rows would be digits of their noise.
        if not np.isfinite(state.objective) or state.decrement <= 1e-6 * few.scale.unit(state.objective):
            break
    return state.beta


def average(f, g):
    """One-shot averaging: the mean of the chunks' own minimisers, weighted by their rows (Zhang et al. 2013, (3)).

    Chunks that have no minimiser of their own are left out. It takes one round.
    """
    f.look(np.zeros(f.dim))  # refuses what cannot be fitted, before a chunk tries to fit it
    alike = [(f.family, g, f.survey.weight, f.chunks.intercept, f.kernels)] * f.n_chunks
    answers = f.map(own_minimiser, alike)
    book_reads(f, answers)
    mean = mean_of(answers)
    return np.zeros(f.dim) if mean is None else mean


def mean_of(answers):
    """The mean of the chunks' answers, each an Own, weighted by their rows; None where no chunk has one."""
    heard = [own for own in answers if own.beta is not None]
    if not heard:
        return None
    return np.average([own.beta for own in heard], axis=0, weights=[own.weight for own in heard])


def book_reads(f, answers, which=None):
    """Book how often each chunk, or each of the numbers `which`, was read, beyond the once that `map` has booked."""
    lengths = f.chunks.lengths if which is None else [f.chunks.lengths[k] for k in which]
    f.touched(sum((own.passes - 1) * n for own, n in zip(answers, lengths, strict=True)) / f.n)


def one_step(f, g, beta=None):
    """The average (or `beta`), then one proximal Newton step on all rows, which squares the error.

    Reference: Huang & Huo (2019), who prove that the result is as good an estimate as the minimiser.
    """
    beta = average(f, g) if beta is None else beta
    _, grad, hess = f.loss_grad_hess(beta)
    return minimise_model(g, beta, grad, hess).point


class Own(NamedTuple):
    """One chunk's own answer."""

    beta: np.ndarray | None  # (dim,) None where no minimiser was found
    weight: float  # Σ w
    passes: float  # over the chunk, those included that only measured something


def own_minimiser(rows, problem):
    """The minimiser over this chunk's rows only, their weights scaled up so that they stand for those of all rows."""
    family, g, total, intercept, kernels = problem
    weight = weight_of(rows)
    if not weight > 0:
        return Own(None, 0.0, 0)
    chunk = InMemory(rows, [len(rows.y)], intercept=intercept, threads=1)
    f = Objective(family, chunk.scaled(chunk.n * total / weight), kernels)
    for state in islice(proximal_newton(f, g, null_start(f)), 30):
        if state.decrement <= 1e-12 * f.scale.unit(state.objective):
            return Own(state.beta, weight, f.passes + f.extra_passes)
    return Own(None, weight, f.passes + f.extra_passes)


def weight_of(rows):
    """Σ w over a chunk."""
    return float(len(rows.y) if rows.w is None else np.sum(rows.w))


STARTS = {"pilot": pilot, "average": average, "one-step": one_step}
