"""f(β) = Σ wᵢ ℓ(xᵢᵀβ + oᵢ; yᵢ), known only through passes over the rows, and counted."""

import contextlib
import math
from typing import NamedTuple

import numpy as np

from glmlab import kernels as numpy_kernels
from glmlab.checks import not_finite, share
from glmlab.families import FAMILIES
from glmlab.names import among, named, spelt
from glmlab.penalties import weights

KERNELS = ("numpy", "fused")
NEARLY = 0.6  # of the rows that a certificate asks for: the pilot's will do, which lie together and cost no round
PILOT = 2**24  # numbers in a pilot of many rows, 128 MiB: it is brought here, however many rows stay away
MUCH = 2**28  # numbers in X, 2 GiB: it may be that every pass reads or draws them anew, and a draw costs as much
SOME = 8  # chunks from whose rows a solver then starts
LEAST = 1e-3  # of the null model's P: where rows are interpolated P itself falls to 0, and gap ÷ P stays 1
FAMILY_NEEDS = ("loss", "dloss", "d2loss")


class Known(NamedTuple):
    """What the last pass with a gradient found."""

    beta: np.ndarray  # (dim,)
    loss: float
    grad: np.ndarray  # (dim,)
    diag: np.ndarray | None  # (dim,) of ∇²f, where that pass had it
    hess: np.ndarray | None  # (dim, dim) ∇²f, the same
    apart: bool  # paid for by certifying


class Null(NamedTuple):
    """The null model."""

    level: float  # b; not finite where y allows none, as with labels of one class
    loss: float  # min over b of Σ w ℓ(b + o; y)
    floor: float  # Σ w min ℓ over η; nan where it is unknown


class Objective:
    """The smooth part of the problem: a family summed over chunks.

    Vectors have length `dim`: p coefficients, then the intercept where the chunks have one. `passes` counts
    row-touches ÷ n, `rounds` the times that work was sent out. What is asked inside `with f.booked_apart():` counts
    in `extra_passes` instead: passes made to certify or to plot. `kernels` is "numpy" or "fused", the name of what each
    task runs; None chooses "fused" where numba imports, rows are dense and the family has compiled twins.
    Raises ValueError where "fused" is asked for and cannot be, RuntimeError where a worker cannot load it.
    """

    @spelt
    def __init__(self, family, chunks, kernels=None):
        self.family = named("family", family, FAMILIES, FAMILY_NEEDS)
        self.chunks = chunks
        self.kernels = chosen(kernels, self.family, chunks)
        self.dim, self.n, self.n_chunks = chunks.dim, chunks.n, len(chunks.lengths)
        self.passes = self.extra_passes = 0.0
        self.rounds = self.extra_rounds = 0
        self._apart, self._survey, self._last, self._hess, self._pilot = False, None, None, None, None
        self._factor, self._look_for_pilot, self._diag, self._null, self._spans = None, False, None, None, None

    def __repr__(self):
        return f"Objective({self.family!r}, {self.chunks!r})"

    # --- the oracle ------------------------------------------------------------------------------------------

    def loss(self, beta):
        """f(β)."""
        return float(self.losses(beta[None, :])[0])

    def losses(self, B):
        """f at each row of B (m, dim) → (m,): many step sizes for the price of one pass."""
        return self._sum("losses", np.ascontiguousarray(B, dtype=float)).losses

    def loss_grad(self, beta):
        """f(β) and ∇f(β) (dim,). Asked again for the β of the last such pass, it costs nothing."""
        known = self._recalled(beta) or self._known(beta, self._sum("loss_grad", beta))
        return numpy_kernels.LossGrad(known.loss, known.grad.copy())  # whatever a solver does to it

    def loss_grad_diag(self, beta):
        """f(β), ∇f(β) and the diagonal of ∇²f(β) (dim,). Free where the first look was at this β, and the last pass."""
        known = self._recalled(beta, "diag") or self._known(beta, self._sum("loss_grad_diag", beta))
        return numpy_kernels.LossGradDiag(known.loss, known.grad.copy(), known.diag.copy())

    @property
    def quadratic(self):
        """Is ∇²f the same at every β? It is then summed once, and later passes are those of `loss_grad`."""
        return getattr(self.family, "quadratic", False)

    def loss_grad_hess(self, beta):
        """f(β), ∇f(β) and ∇²f(β) (dim, dim). Free at the β of the last such pass."""
        if self._hess is not None:
            return numpy_kernels.LossGradHess(*self.loss_grad(beta), self._hess.copy())
        known = self._recalled(beta, "hess") or self._known(beta, self._sum("loss_grad_hess", beta))
        self._hess = known.hess if self.quadratic else None
        return numpy_kernels.LossGradHess(known.loss, known.grad.copy(), known.hess.copy())

    def factor(self, beta):
        """R (at most dim, dim) with RᵀR = ∇²f(β), for where ∇²f has lost the digits; kept as long as it is the same."""
        if self._factor is None or not (self.quadratic or np.array_equal(self._factor[0], beta)):
            self._factor = np.array(beta), self._sum("factor", beta).factor.R
        return self._factor[1]

    def _known(self, beta, found):
        """Remember what was found at β, and who paid for it."""
        curves = (np.copy(getattr(found, name)) if hasattr(found, name) else None for name in ("diag", "hess"))
        self._last = known = Known(np.array(beta), found.loss, found.grad.copy(), *curves, self._apart)
        diag = known.diag if known.hess is None else np.diag(known.hess)
        self._diag = self._diag if diag is None or not np.isfinite(diag).all() else diag
        return known

    def _recalled(self, beta, wanted="loss"):
        """What was found at this β in the last pass, None if that was elsewhere or did not bring what is wanted."""
        last = self._last
        if last is None or not np.array_equal(last.beta, beta) or getattr(last, wanted) is None:
            return None
        if last.apart and not self._apart:  # the pass was made to certify: now it is the solver's
            self._last = last._replace(apart=False)
            self.passes, self.rounds = self.passes + 1, self.rounds + 1
            self.extra_passes, self.extra_rounds = self.extra_passes - 1, self.extra_rounds - 1
        return last

    def pilot(self, seed=0):
        """An estimate of this objective from a few rows of every chunk, brought here, their weights scaled up.

        1 % of the rows (of huge data so many as PILOT numbers are) or 150 for each coefficient, whichever is more, but
        not above 15 %; drawn once and kept.
        """
        if self._pilot is None or self._pilot[0] != seed:
            self._book(self.share_of_pilot)
            self._keep_pilot(seed, self.chunks.sample(self.share_of_pilot, seed))
        return self._pilot[1]

    @property
    def share_of_pilot(self):
        """The part of the rows that a pilot has."""
        few = min(0.01, PILOT / self.n / self.dim)
        return min(max(few, 150 * self.dim / self.n), 0.15)

    def _keep_pilot(self, seed, rows):
        few, scaled = (Objective(self.family, rows.scaled(n), self.kernels) for n in (rows.n, self.n))
        self._pilot = seed, scaled, few

    def glimpse(self):
        """An estimate from as many rows to start from: the pilot, or rows of a few chunks where it may cost a read.

        Those chunks lie far apart. The first look, which reads all rows, then brings the pilot along.
        """
        if self.n * self.dim < MUCH or self.n_chunks <= SOME:
            return self.pilot()
        some = self.chunks.some([(2 * i + 1) * self.n_chunks // (2 * SOME) for i in range(SOME)])
        self._book(self.share_of_pilot)
        self._look_for_pilot = True
        rows = some.sample(self.share_of_pilot * self.n / some.n, 0)
        return Objective(self.family, rows.scaled(self.n), self.kernels)

    def map(self, kernel, *per_chunk, shared=()):
        """[kernel(rows_k, *shared, own_k, …)] over the chunks, in their order: one pass, one round, nothing added.

        What is shared is sent once for all tasks.
        """
        self._book(1)
        return self.chunks.map(kernel, *shared, per_chunk=per_chunk)

    def gathered(self, beta, parts):
        """f(β) and ∇f(β) from what a `map` found on every chunk (.loss and .grad), remembered like any pass at β."""
        found = numpy_kernels.add([numpy_kernels.LossGrad(part.loss, part.grad) for part in parts])
        self._known(beta, found)
        return found

    @spelt
    def sample(self, fraction, seed=0):
        """The objective of a random share of every chunk's rows, brought here: a sum over those rows, not scaled up."""
        self._book(share("fraction", fraction))
        return Objective(self.family, self.chunks.sample(fraction, seed), self.kernels)

    # --- what certificates ask ---------------------------------------------------------------------------------

    def thin(self, fraction, seed=0):
        """The objective of such rows without bringing them here: nothing is read until it is asked."""
        return Objective(self.family, self.chunks.thin(share("fraction", fraction), seed), self.kernels)

    def few(self, fraction):
        """The objective of the pilot's own rows, not scaled up, if they are about as many; else of `thin` ones."""
        drawn = None if self._pilot is None else self._pilot[2]
        return drawn if drawn is not None and drawn.n >= NEARLY * fraction * self.n else self.thin(fraction)

    def evidence(self, beta):
        """f, ∇f, ∇²f and the rounding allowances at β."""
        found = self._sum("evidence", beta)
        self._known(beta, found)
        return found

    def price(self, beta, d, moves):
        """Σ w D(t) and max |t| for t = Xd ± Σ |Xm|, m the columns of moves: the cost of a dual move along Xd."""
        prices, furthest = zip(*self._map("price", beta, d, moves), strict=True)
        return numpy_kernels.Price(math.fsum(prices), max(furthest))

    def unseen(self, V):
        """How large Xv is against the sizes of X and v, at worst over rows and columns of V: rounding iff unseen."""
        return max(self._map("unseen", V, np.stack([self.size(v) for v in V.T], axis=1)))

    def align(self, d, dust, visible):
        """How the rows lie to d: (rows whose loss grows somewhere along d, rows that d visibly moves).

        Both are shares of |x|·(size of d): up to dust x·d is what solving for d leaves of a 0, up to visible no move.
        """
        size = self.size(d)
        return self._sum("align", d, dust * size, visible * size)

    def size(self, d):
        """‖d‖∞ in units in which every column of X is of one size, given back in the columns' own units (dim,)."""
        unit = np.where(self.survey.scale > 0, self.survey.scale, 1.0)
        return np.max(unit * np.abs(d)) / unit

    @property
    def survey(self):
        """What the first pass learned."""
        return self._survey or self.look(np.zeros(self.dim))

    def look(self, beta):
        """The first pass, made once: f and ∇f at β, what y says alone, and the refusal of what cannot be fitted."""
        if self._survey is None:
            with self.booked_apart():
                found = self._sum_with_pilot("survey", beta) if self._look_for_pilot else self._sum("survey", beta)
                refuse(found, self)
                self._survey = found
                self._known(beta, found)
        return self._survey

    # --- the unit of gaps and slopes -----------------------------------------------------------------------------

    @property
    def null(self):
        """The null model, which has offsets and one level for all rows but no columns: its level b and its f.

        From sums over y, weights and offsets; where the family knows no formula, by Newton's method in b.
        """
        if self._null is None:
            self._null = self._find_null()
        return self._null

    def _find_null(self):
        sums = self._survey
        with self.booked_apart():
            if sums is None:
                self._book(0)
                sums = self.chunks.bare().sum(self.kernel("null"), self.family)
            with np.errstate(all="ignore"):
                level, loss = self.family.level(sums.tally) if sums.tally else (0.0, np.nan)
            if np.isfinite(level) and np.isnan(loss):
                rows = Objective(self.family, self.chunks.bare(), "numpy")
                level, loss = lowest(lambda b: rows.loss_grad_hess(np.array([b])), level)
        return Null(level, loss, sums.floor)

    def height(self, objective):
        """P = F − Σ w min ℓ ≥ 0, where F is `objective`: half the deviance and the penalty."""
        return max(objective - self.null.floor, 0.0)

    @property
    def null_height(self):
        """P of the null model: what there is for columns to explain."""
        return max(self.null.loss - self.null.floor, 0.0)

    def unit(self, objective):
        """S = max(P, P of the null model ÷ 1000): what relative gaps are relative to, where F is `objective`.

        Nothing that only re-parametrises the model changes gap ÷ S: a unit of y or of exposure, the scale of a column,
        rows split in two, a constant in the loss. P itself, and not the null model's alone, because nearly separable
        rows leave a millionth of that; a part of the null model's, because rows that are fitted exactly leave no P at
        all, and gap ÷ P is 1 until the end. For a family of unknown min ℓ it is max(|F|, |F of the null model|).
        """
        if np.isfinite(self.null.floor):
            found = max(self.height(objective), LEAST * self.null_height)
        else:
            found = max([abs(value) for value in (objective, self.null.loss) if np.isfinite(value)], default=0.0)
        return max(found, self.n * np.finfo(float).tiny / np.finfo(float).eps)

    def residual(self, beta, grad, g):
        """max_j dist(−∇f, ∂g)_j ÷ √(2 (H_jj + λ₂) S): 0 iff β is optimal, the same in any unit of X and y.

        Its square is the relative gap that the worst coordinate alone would close. H_jj is from the last pass that
        brought the diagonal of ∇²f.
        """
        found = np.abs(g.distance(beta, grad))
        with self.booked_apart():
            if self._diag is None:
                self.look(beta)
            objective = self.loss_grad(beta).loss + g.value(beta)
        penalties, diag = weights(g, self.dim), np.nan if self._diag is None else self._diag
        curve = diag + (penalties[1] if penalties else 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            scaled = found / np.sqrt(2 * curve * self.unit(objective))
        return float(np.where(found == 0, 0.0, scaled).max(initial=0.0))

    @property
    def spans(self):
        """Middle and half range of each column over the rows of positive weight, (2, dim): one pass, made once."""
        if self._spans is None:
            with self.booked_apart():
                found = self._sum("spans", self.dim)
            high, low = found.highest.values, -found.lowest.values
            self._spans = np.array([(high + low) / 2, (high - low) / 2])
        return self._spans

    @property
    def level(self):
        """The coordinate that moves all rows alike, the last of them; None without one."""
        middle, half = self.spans
        alike = np.flatnonzero((half == 0) & (middle != 0))
        return int(alike[-1]) if alike.size else None

    def terms(self, beta):
        """The largest |x_ij β_j| of each coordinate (dim,); beside a level |x_ij| counts from the column's middle.

        The level carries what a column adds to all rows alike, and itself has 0 here.
        """
        middle, half = self.spans
        if self.level is None:
            return (np.abs(middle) + half) * np.abs(beta)
        size = np.where(half > 0, half, np.abs(middle))
        size[self.level] = 0.0
        return size * np.abs(beta)

    def effect(self, d):
        """By how much d (dim,) moves η through one coordinate, at worst over rows and coordinates."""
        shared = 0.0 if self.level is None else abs(self.spans[0] @ d)
        return float(max(np.max(self.terms(d), initial=0.0), shared))

    def largest_term(self, beta):
        """The largest |x_ij β_j|: η is rounded by a share of it."""
        middle, half = self.spans
        return float(np.max((np.abs(middle) + half) * np.abs(beta), initial=0.0))

    @property
    def level_curvature(self):
        """Σ w ℓ″, by which F grows along a level; nan without one."""
        if self.level is None or self._diag is None:
            return np.nan
        return self._diag[self.level] / self.spans[0, self.level] ** 2

    # --- counting ----------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def booked_apart(self):
        """Passes inside are made to certify or plot."""
        before, self._apart = self._apart, True
        try:
            yield self
        finally:
            self._apart = before

    def _book(self, passes):
        if self._apart:
            self.extra_passes, self.extra_rounds = self.extra_passes + passes, self.extra_rounds + 1
        else:
            self.passes, self.rounds = self.passes + passes, self.rounds + 1

    def touched(self, passes):
        """Book passes that tasks made over their own rows, beyond the one of `map`, without a round."""
        if self._apart:
            self.extra_passes += passes
        else:
            self.passes += passes

    def kernel(self, name):
        """What this objective's passes of that name run on a chunk, for use inside of a `map` too.

        From the chosen set, or numpy's where the set leaves it out.
        """
        if self.kernels == "fused":
            from glmlab import fused

            return getattr(fused, name, None) or getattr(numpy_kernels, name)
        return getattr(numpy_kernels, name)

    def _map(self, name, *args):
        self._book(1)
        return self.chunks.map(self.kernel(name), self.family, *args)

    def _sum_with_pilot(self, name, *args):
        self._book(1)
        kernel, share = self.kernel(name), self.share_of_pilot
        found, rows = self.chunks.sum_and_sample(kernel, self.family, *args, fraction=share, seed=0)
        self._keep_pilot(0, rows)
        return found

    def _sum(self, name, *args):
        self._book(1)
        return self.chunks.sum(self.kernel(name), self.family, *args)


def chosen(kernels, family, chunks):
    """The name of the kernel set, once every process that will run it has been asked."""
    if kernels is not None and among("kernels", kernels, KERNELS) == "numpy":
        return "numpy"
    why = unfused(family, chunks)
    if why and kernels == "fused":
        raise ValueError(f"kernels 'fused' cannot be used: {why}. Pass kernels='numpy', or leave it out")
    if why:
        return "numpy"
    for worker, trouble in chunks.elsewhere(loader()).items():
        if trouble:
            raise RuntimeError(f"worker {worker} cannot load the fused kernels ({trouble}). Install there the numba "
                               "that is installed here, or pass kernels='numpy'")  # fmt: skip
    return "fused"


def unfused(family, chunks):
    """Why the fused kernels cannot serve this problem, '' if they can. They are imported here, and nowhere earlier."""
    if chunks.sparse:
        return "the rows of X are sparse"
    if trouble := loader()():
        return f"numba, which compiles them, does not work here ({trouble})"
    from glmlab.fused import TWINS

    return "" if type(family) in TWINS else f"{family!r} has no compiled twin, only {', '.join(sorted(FAMILIES))} have"


def loader():
    """A function that loads the fused kernels and says what kept it from it. It travels by value, as a closure does."""

    def load():
        try:
            import glmlab.fused  # noqa: F401
        except Exception as error:  # numba has many ways to fail: not there, too old for numpy, no place for its cache
            return f"{type(error).__name__}: {error}"
        return ""

    return load


def lowest(derivatives, b, steps=100):
    """The minimiser of a convex function of one variable and its value; `derivatives(b)` are loss, (1,) and (1, 1).

    Newton's method from b, its steps halved until the loss does not rise.
    """
    loss, slope, curve = derivatives(b)
    for _ in range(steps):
        with np.errstate(all="ignore"):
            step = -float(slope[0] / curve[0, 0])
        if not np.isfinite(step) or abs(step) <= 4 * np.finfo(float).eps * abs(b):
            break
        new = derivatives(b + step)
        while not new[0] <= loss + 4 * np.finfo(float).eps * abs(loss) and abs(step) > 1e-12 * max(abs(b), 1.0):
            step /= 2
            new = derivatives(b + step)
        b, (loss, slope, curve) = b + step, new
    return b, float(loss)


def refuse(found, f):
    """The errors that only values can cause, found in the first pass."""
    finite = np.isfinite(found.loss) and np.isfinite(found.scale).all() and np.isfinite(found.weight)
    if not finite or found.bad_labels:
        scan(f)
    if found.bad_weights:
        raise ValueError(f"sample_weight has {found.bad_weights:,} negative values; weights must be >= 0")
    if found.counted == 0:
        raise ValueError("sample_weight is zero on every row; at least one row must count")
    if found.bad_labels:
        seen = ", ".join(f"{value:g}" for value in some_labels(f))
        raise ValueError(
            f"y does not suit {f.family!r}: it needs {f.family.domain_text}, but {found.bad_labels:,} rows differ; "
            f"y holds {seen}"
        )


def scan(f):
    """The pass that names the argument holding a NaN or an infinity; paid only after a sum came out non-finite."""
    found = [culprit for culprit in f.chunks.map(numpy_kernels.culprits) if culprit]
    if found:
        name, value, _ = found[0]
        total = sum(count for other, _, count in found if other == name)
        raise not_finite(name, value, total)


def some_labels(f, most=5):
    """A few distinct values of y, for messages."""
    parts = f.chunks.map(numpy_kernels.labels)
    return np.unique(np.concatenate(parts))[:most]
