"""f(β) = Σ wᵢ ℓ(xᵢᵀβ + oᵢ; yᵢ), known only through passes over the rows, and counted."""

import math
from typing import NamedTuple

import numpy as np

from glmlab.cards import html_card
from glmlab.checks import share
from glmlab.maths.families import FAMILIES, FAMILY_NEEDS
from glmlab.names import named, spelt
from glmlab.policy import Sampling
from glmlab.rows import kernels as numpy_kernels
from glmlab.rows.arrivals import Arrivals
from glmlab.rows.by_columns import ByColumns
from glmlab.rows.kernel_sets import chosen
from glmlab.rows.ledger import Ledger
from glmlab.rows.moments import deviations, moments
from glmlab.rows.sampling import Draw, far_apart, pilot_draw
from glmlab.rows.scale import Scale, null_model
from glmlab.rows.survey import refuse
from glmlab.rows.threads import once
from glmlab.words import count_text

POLICY = Sampling()


class Known(NamedTuple):
    """What the last pass with a gradient found. Nobody but the Objective may change it."""

    beta: np.ndarray  # (dim,)
    loss: float
    grad: np.ndarray  # (dim,)
    diag: np.ndarray | None  # (dim,) of ∇²f, where that pass had it
    hess: np.ndarray | None  # (dim, dim) ∇²f, the same
    apart: bool  # the pass was booked as an extra one, not as the solver's


class Pilot(NamedTuple):
    """A few rows of every chunk, brought to this process."""

    seed: int
    scaled: object  # an Objective whose weights stand for all rows: an estimate of f
    own: object  # an Objective that is a sum over these rows only


class Objective(Ledger):
    """The smooth part of the problem: the losses of a family, summed over chunks of rows.

    f(β) = Σᵢ wᵢ ℓ(xᵢᵀβ + oᵢ; yᵢ), a sum and not a mean. Vectors have length `dim`: p coefficients, then the intercept
    where the chunks have one.

    Parameters
    ----------
    family : str or object
        ℓ, as in `fit`.
    chunks : InMemory or OnDask
        The rows, from `as_chunks`.
    kernels : "numpy" or "fused", optional
        What each task runs; None chooses "fused" where numba imports and the family has a compiled twin.
    policy : glmlab.policy.Sampling
        Says how rows are drawn.

    Attributes
    ----------
    dim, n, n_chunks : int
        Coefficients with the intercept, rows, and chunks.
    passes, rounds : float and int
        Row-touches ÷ n, and the times that tasks were sent out in parallel.
    extra_passes, extra_rounds : float and int
        The same for what is asked inside `with f.booked_apart():`.

    Raises
    ------
    ValueError
        Where "fused" is asked for and cannot be.
    RuntimeError
        Where a worker cannot load it.

    Examples
    --------
    >>> import numpy as np
    >>> from glmlab import Objective, as_chunks
    >>> f = Objective("gaussian", as_chunks([[1.0], [2.0]], [2.0, 4.0]))
    >>> f.loss(np.zeros(1)), f.loss_grad(np.ones(1)).grad.tolist(), f.passes
    (20.0, [-10.0], 2.0)
    """

    @spelt
    def __init__(self, family, chunks, kernels=None, policy=POLICY):
        super().__init__()
        self.family = named("family", family, FAMILIES, FAMILY_NEEDS)
        self.chunks, self.policy = chunks, policy
        self.kernels = chosen(kernels, self.family, chunks)
        self.dim, self.n, self.n_chunks = chunks.dim, chunks.n, len(chunks.lengths)
        self.diagonal = None  # (dim,) of ∇²f, from the last pass that brought a finite one
        self._last = self._hess = self._hess_on = self._factor = self._survey = self._pilot = None
        self.heading = None  # the last direction by products with ∇²f (maths/products.py)
        self.modelled = None  # the last model on a working set (maths/working.py)
        self.kept = None  # the last Hessian that was kept from pass to pass (dim, dim) (solvers/pilot.py)
        self._pilot_with_survey = False

    def __repr__(self):
        return f"Objective({self.family!r}, {self.chunks!r})"

    def summary(self):
        """Name and value of everything worth printing."""
        work = f"{count_text(self.passes, 'pass')} in {count_text(self.rounds, 'round')} until now"
        apart = f", and {count_text(self.extra_passes, 'pass')} to certify or to plot" if self.extra_passes else ""
        found = {"family": repr(self.family), "kernels": self.kernels}
        return found | self.chunks.summary() | {"work": work + apart}

    def _repr_html_(self):
        return html_card("Objective", self.summary())

    # --- the oracle ------------------------------------------------------------------------------------------------

    def loss(self, beta):
        """f(β), in a pass."""
        return float(self.losses(beta[None, :])[0])

    def losses(self, B):
        """f at each row of B (m, dim), in one pass for all: (m,)."""
        return self._sum("losses", np.ascontiguousarray(B, dtype=float)).losses

    def loss_grad(self, beta):
        """f(β) and ∇f(β) (dim,). No work at the β of the last pass with a gradient.

        If that pass was booked as an extra one, as those of certificates are, it is moved to `passes` now.
        """
        known = self.known(beta)
        return numpy_kernels.LossGrad(known.loss, known.grad.copy())  # copied, because solvers may change it

    def loss_grad_diag(self, beta):
        """f(β), ∇f(β) and the diagonal of ∇²f(β) (dim,). No work at the β of the last pass if that had a diagonal."""
        known = self.known(beta, "diag")
        return numpy_kernels.LossGradDiag(known.loss, known.grad.copy(), known.diag.copy())

    def loss_grad_hess(self, beta):
        """f(β), ∇f(β) and ∇²f(β) (dim, dim). No work at the β of the last pass if that had a Hessian."""
        if self._hess is not None:
            return numpy_kernels.LossGradHess(*self.loss_grad(beta), self._hess.copy())
        known = self.known(beta, "hess")
        self._hess = known.hess if self.quadratic else None
        return numpy_kernels.LossGradHess(known.loss, known.grad.copy(), known.hess.copy())

    @property
    def quadratic(self):
        """Is ∇²f the same at every β? It is then summed once, and later passes are those of `loss_grad`."""
        return getattr(self.family, "quadratic", False)

    def hess_on(self, beta, A):
        """∇²f(β) in the coordinates A (m,): (m, m). No work for the last β and A again."""
        last = self._hess_on
        if last is None or not (np.array_equal(last[0], beta) and np.array_equal(last[1], A)):
            self._hess_on = last = np.array(beta), np.array(A), self._sum("hess_on", beta, A).hess
        return last[2]

    def hess_times(self, beta, d):
        """∇²f(β) d (dim,), in a pass."""
        return self._sum("hess_times", beta, d).product

    def factor(self, beta):
        """R (≤ dim, dim) with RᵀR = ∇²f(β) and digits that ∇²f has lost. Free at the last β, or if f is quadratic."""
        if self._factor is None or not (self.quadratic or np.array_equal(self._factor[0], beta)):
            self._factor = np.array(beta), self._sum("factor", beta).factor.R
        return self._factor[1]

    def residual(self, beta, grad, g):
        """max_j dist(−∇f, ∂g)_j ÷ √(2 (H_jj + λ₂) S), 0 iff β is optimal (Scale.residual)."""
        return self.scale.residual(beta, grad, g)

    @property
    def scale(self):
        """What gaps, slopes and moves are measured in: a Scale."""
        return Scale(self)

    # --- memory ----------------------------------------------------------------------------------------------------

    def known(self, beta, wanted="grad"):
        """What a pass finds at β: a Known, in which `wanted` ("grad", "diag" or "hess") is not None."""
        kernel = "loss_grad" if wanted == "grad" else f"loss_grad_{wanted}"
        return self._recalled(beta, wanted) or self._remember(beta, self._sum(kernel, beta))

    def _recalled(self, beta, wanted):
        """What the last pass found if it was made at this β and brought what is wanted, else None."""
        last = self._last
        if last is None or not np.array_equal(last.beta, beta) or getattr(last, wanted) is None:
            return None
        if last.apart and not self._apart:
            self._last = last._replace(apart=False)
            self._take_over()
        return last

    def _remember(self, beta, found):
        """Keep what a pass has found at β."""
        curves = (np.copy(getattr(found, name)) if hasattr(found, name) else None for name in ("diag", "hess"))
        self._last = known = Known(np.array(beta), found.loss, found.grad.copy(), *curves, self._apart)
        diagonal = known.diag if known.hess is None else np.diag(known.hess)
        self.diagonal = self.diagonal if diagonal is None or not np.isfinite(diagonal).all() else diagonal
        return known

    # --- what one pass finds for good ------------------------------------------------------------------------------

    def look(self, beta):
        """The first pass, made once: f and ∇f at that β, statistics of y alone. Refuses what cannot be fitted."""
        if self._survey is None:
            with self.booked_apart():
                found = self._survey_and_pilot(beta) if self._pilot_with_survey else self._sum("survey", beta)
                refuse(found, self)
                self._survey = found
                self._remember(beta, found)
        return self._survey

    @property
    def survey(self):
        """What the first pass found; it is made at β = 0 if it was not made yet."""
        return self._survey or self.look(np.zeros(self.dim))

    @once
    def null(self):
        """The null model, which has offsets and one level for all rows but no columns: a Null. No pass over X."""
        sums = self._survey
        if sums is None:
            with self.booked_apart():
                self._book(0)
            sums = self.chunks.bare().sum(self.kernel("null"), self.family)
        return null_model(self, sums)

    @once
    def spans(self):
        """Middle and half range of each column over the rows of positive weight, (2, dim)."""
        with self.booked_apart():
            found = self._sum("spans", self.dim)
        high, low = found.highest.values, -found.lowest.values
        return np.array([(high + low) / 2, (high - low) / 2])

    @once
    def deviations(self):
        """The standard deviation of each column of X over the rows, by weight (p,); 1 where a column is constant."""
        self.survey  # noqa: B018 - it refuses what is not finite
        with self.booked_apart():
            return deviations(self.map(moments))

    @once
    def by_columns(self):
        """Columns of sparse X that are brought here when they are asked for: a ByColumns."""
        return ByColumns(self)

    # --- some of the rows ------------------------------------------------------------------------------------------

    @spelt
    def sample(self, fraction, seed=0):
        """The objective of a random share of every chunk's rows, brought here: a sum over those rows, not scaled up."""
        self._book(share("fraction", fraction))
        return self._of(self.chunks.sample(Draw(fraction, seed, self.policy)))

    def thin(self, fraction):
        """The objective of a share of the rows, left where they are: nothing is read before something is asked of it.

        Reuses the pilot's rows if there are at least 60 % of what was asked for; they are already in memory here.
        """
        draw = Draw(share("fraction", fraction), policy=self.policy)
        if self._pilot is not None and self._pilot.own.n >= self.policy.nearly * fraction * self.n:
            return self._pilot.own
        return self._of(self.chunks.thin(draw))

    def pilot(self, seed=0):
        """An estimate of f from a few rows of every chunk, brought here, their weights scaled up to stand for all rows.

        Their share is min(max(1 %, 150 dim/n), 15 %); of X with more than 1.7 billion numbers the 1 % is the share that
        has 16 million. Drawn once and kept.
        """
        if self._pilot is None or self._pilot.seed != seed:
            draw = self._pilot_draw(seed)
            self._book(draw.fraction)
            self._keep_pilot(seed, self.chunks.sample(draw))
        return self._pilot.scaled

    def glimpse(self):
        """An estimate of f from as many rows as a pilot has, to start from.

        It is the pilot, unless X is so large that drawing a pilot may read all of it. Then the rows are from 8 chunks
        that lie far apart, and the first look, which reads all rows, draws the pilot as well.
        """
        chunks = self.policy.chunks
        if self.n * self.dim < self.policy.much or self.n_chunks <= chunks:
            return self.pilot()
        self._pilot_with_survey = True
        some, fraction = self.chunks.some(far_apart(self.n_chunks, chunks)), self._pilot_draw(0).fraction
        self._book(fraction)
        return self._of(some.sample(Draw(fraction * self.n / some.n, 0, self.policy)).scaled(self.n))

    def _pilot_draw(self, seed):
        return pilot_draw(self.n, self.dim, seed, self.policy)

    def _keep_pilot(self, seed, rows):
        self._pilot = Pilot(seed, scaled=self._of(rows.scaled(self.n)), own=self._of(rows.scaled(rows.n)))

    def _survey_and_pilot(self, beta):
        self._book(1)
        found, rows = self.chunks.sum_and_sample(self.kernel("survey"), self.family, beta, draw=self._pilot_draw(0))
        self._keep_pilot(0, rows)
        return found

    def _of(self, chunks):
        """The same objective over other rows."""
        return Objective(self.family, chunks, self.kernels, self.policy)

    # --- what certificates ask -------------------------------------------------------------------------------------

    def evidence(self, beta):
        """f, ∇f, ∇²f and the rounding allowances at β."""
        found = self._sum("evidence", beta)
        self._remember(beta, found)
        return found

    def price(self, beta, d, moves):
        """Σ w D(t) and max |t| for t = Xd ± Σ |Xm|, m the columns of moves: the cost of a dual move along Xd."""
        prices, furthest = zip(*self._map("price", beta, d, moves), strict=True)
        return numpy_kernels.Price(math.fsum(prices), max(furthest))

    def dual(self, beta, d, slack=0.0):
        """The dual point ℓ′(η) + ℓ″(η)·Xd of β: its slopes, its price, and what rounding may have done: a Dual.

        slack: by how much all t = Xd may be shifted; the price is that of the worst shift.
        """
        return self._sum("dual", beta, d, slack)

    def visibility(self, V):
        """How large Xv is against the sizes of X and v, at worst over rows and columns v of V: ~ε if XV = 0."""
        return max(self._map("visibility", V, np.stack([self.scale.size(v) for v in V.T], axis=1)))

    def align(self, d, dust, visible):
        """Two counts: of the rows whose loss increases somewhere along d, and of those that d visibly moves.

        Both limits are shares of |x|·(size of d). A row with |x·d| up to `dust` may be a 0 that rounding has blurred; d
        visibly moves a row with more than `visible`.
        """
        size = self.scale.size(d)
        return self._sum("align", d, dust * size, visible * size)

    # --- passes ----------------------------------------------------------------------------------------------------

    def map(self, kernel, *per_chunk, shared=(), which=None):
        """[kernel(rows_k, *shared, own_k, …)] over the chunks, in their order: one pass, one round, nothing added.

        What is shared is sent once for all tasks. which: the numbers of some chunks; the others are not read.
        """
        chunks = self.chunks if which is None else self.chunks.some(which)
        self._book(chunks.n / self.n)
        return chunks.map(kernel, *shared, per_chunk=per_chunk)

    def total(self, kernel, *shared):
        """The sum of kernel(rows_k, family, *shared) over the chunks, a named tuple: one pass, one round."""
        self._book(1)
        return self.chunks.sum(kernel, self.family, *shared)

    def arrivals(self, crew=None):
        """Tasks for single chunks, and their answers as they arrive: an Arrivals, for a `with` block.

        crew: who works, by default threads of this process or the workers that hold the rows; a Simulated for trials.
        """
        return Arrivals(self, self.chunks.crew() if crew is None else crew.over(self.chunks))

    def gathered(self, beta, parts):
        """f(β) and ∇f(β) from what a `map` found on every chunk (.loss and .grad), remembered like any pass at β."""
        found = numpy_kernels.add([numpy_kernels.LossGrad(part.loss, part.grad) for part in parts])
        self._remember(beta, found)
        return found

    def kernel(self, name):
        """The function behind that name in the chosen kernel set, also for use inside of a `map`.

        It is numpy's where the fused set has none.
        """
        if self.kernels == "fused":
            from glmlab.rows import fused

            return getattr(fused, name, None) or getattr(numpy_kernels, name)
        return getattr(numpy_kernels, name)

    def _map(self, name, *args):
        self._book(1)
        return self.chunks.map(self.kernel(name), self.family, *args)

    def _sum(self, name, *args):
        self._book(1)
        return self.chunks.sum(self.kernel(name), self.family, *args)
