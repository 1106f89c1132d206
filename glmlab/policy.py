"""Every threshold, with its unit and the reason for its value. A policy is passed in, so that another needs no patch.

S is the unit of gaps (Scale.unit). An *effect* of a move d is by how much d moves the rows' η through one
coordinate (Scale.effect), relative to what the largest coefficient does.
"""

import sys
from dataclasses import dataclass

EPS = sys.float_info.epsilon


@dataclass(frozen=True)
class Stopping:
    """When a proof is worth its pass, when a run stops, and when its answer counts as converged.

    `run` takes it as policy=. Each field is a threshold; the comment behind it in the source has its unit and its
    reason.

    Examples
    --------
    >>> from glmlab import Stopping, fit
    >>> policy = Stopping(default_tol=1e-6)
    >>> fit([[1.0], [2.0]], [2.0, 4.0], family="gaussian", policy=policy).converged
    True
    """

    default_tol: float = 1e-9  # relative gap: `tol` if the caller names none; β is then within 0.05 standard errors
    max_iter: int = 10_000  # iterations, unless the caller says another number
    patience: int = 100  # iterations without any progress before a run gives up; slow solvers have pauses of dozens

    # What is asked beyond `tol`.
    all_digits: int = 2**22  # numbers in X up to which answers get their last digits: a pass takes milliseconds
    extra_pass: int = 2**24  # numbers in X up to which one pass more is made: it takes hundredths of a second
    rough_tol: float = 1e-6  # relative gap: whoever asks for a larger `tol` wants to stop there, at any size of X
    tiny_step: float = 1e-10  # effect of the next step, for methods that know it: one pass more makes it as small
    small_step: float = 1e-8  # the same where X has up to `extra_pass` numbers
    proved_step: float = 5e-7  # effect of the certificate's step, any method: six digits, which slow methods can reach
    rounding_step: float = 1e-5  # effect below which steps that shrink no more are rounding; above it the start was bad
    stall_ratio: float = 0.9  # ratio of the least recent step to the least before: above it steps shrink no more
    stall_window: int = 4  # states that count as recent

    # When a proof is worth its pass.
    first_proof: int = 16  # iterations after which one is made anyway, as after 32, 64, …: no estimate may ask for it
    least_fall: float = 0.25  # of the present gap: the next proof waits until the gap has fallen at least to this,
    most_fall: float = 1e-6  # and at most to this, since estimates so far ahead are wrong
    unproved_fall: float = 0.01  # the same where no bound was found: two digits nearer there may be one
    rounding_gap: float = 1e-15  # relative gap: an estimate below it is rounding, and no proof will come nearer
    unprovable: float = 1e-6  # of tol: the squared residual at which a run ends where nothing can ever be proved

    # How many rows a proof takes where X has more than `all_digits` numbers.
    most_share: float = 0.2  # of the rows at most: with more, all might be taken as well
    least_share: float = 0.01  # of the rows at least
    rows_each: int = 15  # for each coefficient at least: with fewer the Hessian of the sample may be singular
    tight_share: float = 0.11  # of the rows at least, unless passes are dear: the bound is then at most ten gaps
    dear_pass: int = 2**28  # numbers in X, 2 GiB, above which a look at the rows may be a read from disk
    safety: float = 2.0  # times the share that would do if the state's estimate of its gap were exact


@dataclass(frozen=True)
class Choosing:
    """What "auto" takes, where a solver starts, and what it starts with: by rows for each coefficient."""

    plenty: int = 1000  # rows for each coefficient above which passes with a kept Hessian beat Hessian passes
    narrow: int = 100  # coefficients up to which a pass with the Hessian costs little more than one without
    spare: int = 30  # rows for each coefficient below which a pilot mistakes noise for flat directions
    cheap: int = 300  # coefficients up to which p × p systems are cheap however few the rows
    pays: int = 200  # rows for each coefficient above which a start at the pilot's own answer saves more than it costs


@dataclass(frozen=True)
class Working:
    """When the curvature is known on a working set or by products alone, and how many coordinates a set has."""

    narrow: int = 300  # coefficients up to which p × p systems are cheap: above it an L1 term is worth a working set
    square: int = 2000  # coefficients up to which a p × p matrix is made where a ridge keeps all of them from 0
    near: float = 0.9  # of λ₁: a |∇f_j| above it may exceed λ₁ once others have moved, and then a pass would be lost
    most: int = 2000  # coordinates: the Hessian of so many has 32 MB, and each chunk makes one
    steps: int = 500  # of conjugate gradients, each a pass: after so many a new gradient helps more than another step
    least: int = 100  # coordinates: with fewer, each of many passes would find more that must enter


@dataclass(frozen=True)
class Descent:
    """When coordinate descent has minimised a quadratic model (`maths.descent`)."""

    step: float = 1e-2  # of d: what a solver's last sweep may move; a model that is minimised better saves no pass
    matrix: float = 1e-3  # of d: the same on dense columns, where a sweep with the Hessian is cheap beside a pass
    proof: float = 1e-5  # of d: the same for a certificate, whose bound has all that is left as a price of first order
    last: float = 1e-15  # of v: its last digits
    sweeps: int = 50  # of which each costs as much as two products: more are worth a factorisation
    carried: int = 150_000_000  # numbers of columns that are brought to the client: 1.8 GB with their rows


@dataclass(frozen=True)
class Keeping:
    """When a kept Hessian is scaled, and when a new one pays."""

    tries: int = 40  # times that the Hessian is scaled up before no step is said to help
    far: float = 8.0  # times the curvature that Ĥ knows: a step that met more went too far to be scaled by it
    surely: float = 1.5  # factor by which a sampled second moment of a common column can hardly be wrong
    soon: int = Stopping.extra_pass  # numbers in X up to which all digits of β are wanted,
    last: float = 1e-20  # of S: F falls like the square of a digit, so that this is the last digit of β
    swift: float = 1e-3  # of the decrement: a pass that leaves less is fast enough; there a Hessian costs microseconds
    digits: float = 1e-11  # of S: what is wanted where X has more numbers,
    brisk: float = 0.1  # of the decrement: and what is fast enough there
    hessian: int = 1  # passes that one with a Hessian costs more than one without, when columns are few
    wide: int = 16  # columns for which it costs one pass more, measured from 15 to 400


@dataclass(frozen=True)
class Validating:
    """When the fits of folds begin with Hessians that were found for all rows (`validation`)."""

    kept: int = 2**20  # numbers, 8 MiB, in the Hessians of all λ: each chunk makes as many; with more, none are made
    each: int = 2000  # rows for each coefficient that are drawn for them: they are then wrong by 1/20, a step by 1/400
    tol: float = 1e-6  # relative gap of a fold's fits: it changes a held-out loss by a millionth, rows by a thousandth
    rough: float = Stopping.rough_tol  # relative gap that a fold reaches from its first guess in a pass or two


@dataclass(frozen=True)
class Proving:
    """What a certificate takes for proved."""

    interior: float = 0.9  # of the family's reach: a dual point that moved less is interior, so that a minimum exists
    sharp: float = 0.1  # of the reach: below it prices are nearly quadratic, the bound is the gap, no polish is needed
    share: float = 0.1  # of the slope: what conjugate gradients may leave of it; the bound is then nearly as sharp
    clear: float = 0.5  # of a bound: where rounding of slopes costs more, a second step is tried (`maths.wide`)
    slack: float = 1e-8  # of √(S ÷ Σ w ℓ″): by how much all rows may shift to make the intercept's slope 0, for nothing
    nearly: float = 0.55  # D ÷ ℓ″t², ½ at best: up to here a price from known sums does, and rows are not asked again
    inverse: float = 1e-4  # share by which a computed √(H⁻¹)_jj may be wrong: H keeps five digits, or R is taken
    invisible: float = 1e-12  # of |x|·|v|: a direction v that moves every row by less is one that X does not have
    deaf: float = 2.5e-10  # of S: rounding of η may cost so much, and four times of it is the least that can be proved,
    noisy: float = 10.0  # in a unit of up to so many times P or the null model's P; without limit where all that there
    nothing: float = 1e-3  # is to explain is less than this times noise: y is constant to its last digits
    foreign: float = 0.01  # relative gap of a β that no solver would call an answer: it may be of another model


@dataclass(frozen=True)
class Rounding:
    """How wrong computed numbers may be, and when that is taken for a move of the dual point."""

    slope: float = 8 * EPS  # of the numbers that ℓ′ is made of: how wrong its value may be
    own: float = 1e-4  # of the family's reach: a row whose ℓ′ is known so well is its own dual point, rounding and all


@dataclass(frozen=True)
class Existing:
    """What proves that no minimum exists."""

    visible: float = 1e-9  # of |x|·|d|: what moves a row
    dust: float = 1e-12  # of |x|·|d|: what rounding may leave in x·d where nothing moves
    often: int = 16  # iterations for each Newton step of the search, which is never dearer than a share of the run
    steps: int = 8  # Newton steps of the search at most


@dataclass(frozen=True)
class Storing:
    """How arrays are laid out on disk."""

    piece: int = 2**23  # bytes of one file of a stored array: small beside a chunk, so that chunks can be cut freely


@dataclass(frozen=True)
class Algebra:
    """When a p × p sum has lost too many digits, and how the exact lasso step is searched (`maths.quadratic`)."""

    blurred: float = 1e-10  # smallest ÷ largest eigenvalue, scaled: at 1e-10 about five digits of the smallest are left
    pivot: float = 1e-4  # smallest diagonal entry of a Cholesky factor, scaled: its square, 1e-8, leaves eight digits
    warm: int = 2  # active-set steps before sweeps of coordinate descent: a good start needs no more
    sweeps: int = 30  # made then, and before each later step: they cost p² each, a step p³, and turn many signs at once
    compiled: int = 100  # coordinates: fewer take less time than loading what compiles a sweep, and are swept once
    ray: float = 1e-6  # share of the pull in the null space of H: above it the objective falls along a ray
    dust: float = 1e-9  # of the largest entry of a ray: smaller entries are rounding


@dataclass(frozen=True)
class Workers:
    """The worker processes that `machine.cluster.client` starts on this machine."""

    memory: int = 2 * 2**30  # bytes of each worker's limit at most: a laptop of 8 GiB has room for two workers
    share: float = 0.8  # of the memory that this machine allows, for all workers together: the notebook needs the rest
    # Freed memory stays in a worker (glibc's variables; dask has it returned). Otherwise a kernel's arrays come back as
    # fresh pages in every block, which takes as long as a Hessian.
    kept_heap: int = 2**26  # bytes that stay when they are free at the end of the heap
    kept_array: int = 2**25  # bytes of the largest array that is put on the heap
    roomy: int = 2**30  # bytes of a worker's limit below which it returns memory: one of 480 MB stayed paused for good
    small_heap: int = 2**16  # as kept_heap, in such a worker: dask's own choice
    small_array: int = 2**17  # as kept_array, in such a worker: glibc's own choice
    comeback: int = 600  # seconds that a worker which died may take to start again: dask gives it up for good after 15
    restart: float = 8.0  # seconds in which a worker that died is back: after so many `client` gives the cluster up
    meeting: float = 1.0  # seconds in which each thread of a worker takes its limit once, if no task keeps it
    prompt: float = 0.001  # seconds that a message waits for others to go with it: dask's 2 to 10 ms delay each pass


@dataclass(frozen=True)
class Faults:
    """When a pass on a cluster gives up, and when rows are too many for its workers (`rows.faults`)."""

    look: float = 2.0  # seconds between two looks whether any worker is left: long beside a pass, short for a person
    alone: float = 60.0  # seconds without a worker: dask itself would wait for ever; a nanny's restart takes a few
    full: float = 0.9  # of the memory that workers keep results in: chunks are never dealt out quite evenly


@dataclass(frozen=True)
class Measuring:
    """How `machine.costmodel.measure` times passes, and what it takes for noise."""

    budget: float = 2.3  # seconds of timed passes once all is loaded: with loading, `measure` ends within 5 seconds
    least: int = 4  # repeats of each pass at least: their median survives one that was disturbed
    most: int = 100  # repeats at most, where passes take hardly any time
    size: int = 2**22  # numbers in X of the larger shapes: 32 MiB, more than most caches hold
    little: int = 1500  # rows in a chunk with hardly any work; with far fewer numpy keeps Python's lock all the time
    few: int = 10  # columns of the shapes where rows count
    many: int = 100  # columns of the shapes where flops count
    faint: float = 0.01  # of a pass: a term that is a smaller part of every pass is noise, and is set to 0


@dataclass(frozen=True)
class Course:
    """What the course needs of a machine (`classroom.doctor`)."""

    memory: int = 3 * 2**29  # bytes: at the workshop scale the notebooks take 1.5 GiB
    disk: int = 2 * 2**30  # bytes free for data


@dataclass(frozen=True)
class Sampling:
    """How many rows are drawn, for a pilot and for a first look, and how many neighbours are drawn together."""

    least: float = 0.01  # share of the rows: a pilot has 1 % of them, unless one of the next three limits forbids it
    pilot: int = 2**24  # numbers, 128 MiB: 1 % of huge data would be more than one process should hold
    each: int = 150  # rows for each coefficient: with fewer, the Hessian of a pilot has large random errors
    most: float = 0.15  # share of the rows: a larger pilot costs more than it saves
    much: int = Stopping.dear_pass  # numbers in X: with so many a draw may cost as much as a pass, which reads X
    chunks: int = 8  # chunks: so many are read for a first look at such an X, instead of all
    nearly: float = 0.6  # share of the rows asked for: a pilot with 60 % of them will do, because it is in memory here
    run: int = 8  # rows: so many neighbours are drawn together, because they share cache lines
    runs: int = 64  # runs: when fewer are wanted, rows are drawn one by one, so that they still come from everywhere


@dataclass(frozen=True)
class Blocks:
    """How many rows a kernel works on at a time, and from how many columns on rows are treated as wide."""

    numbers: int = 2**18  # numbers of X in a block of NumPy's kernels, 2 MiB, so that two blocks stay in cache
    shortest: int = 256  # rows in such a block at least, so that NumPy's calls cost less than their work,
    tallest: int = 32_768  # rows in such a block at most, so that its temporary arrays stay in cache
    stacked: int = 8192  # rows that one QR takes: a part of a block, because LAPACK copies them

    compiled: int = 2**15  # numbers of X in a block of the compiled loops, 256 KiB, which stay in the inner caches
    compiled_rows: int = 64  # rows in such a block at most: then its temporary arrays stay in the innermost cache
    long: int = 80  # columns: such rows are read one by one; processors fetch ahead along one long row, not along four
    wide: int = 60  # columns: with more of them BLAS computes Hessians faster than compiled loops do
    converted: int = 2**17  # numbers that are converted at a time where X does not lie as compiled loops need it

    def height(self, dim):
        """Rows in a block of NumPy's kernels, for rows of dim numbers."""
        return min(max(self.numbers // dim, self.shortest), self.tallest)

    def compiled_height(self, columns):
        """Rows in a block of the compiled loops: halved until the block is small enough, but at least 8."""
        height = self.compiled_rows
        while height > 8 and height * columns > self.compiled:
            height //= 2
        return height


@dataclass(frozen=True)
class Chunking:
    """How many rows chunks have when nobody says it, and when they are so bad that a fit says so."""

    chunk: int = 2**23  # bytes of X in a chunk of data in memory: a thread then works for longer than it takes to start
    most: int = 48  # chunks of data in memory: of more data, chunks are longer instead
    overhead: float = 1.5e-3  # seconds that a task of dask costs on a typical cluster; machine/costmodel.py measures it
    stream: float = 1e10  # bytes of X a second: so fast one typical core makes a pass with fused kernels
    largest: int = 2**27  # bytes of X in a chunk on dask: 13 ms of work, and small beside any worker's memory
    cores: int = 16  # cores: chunks on dask are made for so many, because most clusters have no more
    tasks: int = 100  # tasks: the overhead of so many is worth a sentence of advice
    carried: int = 10_000  # bytes that all tasks of a pass share and each carries: faster than a message of their own
    narrow: int = 64  # coefficients: 16 Hessians of so many, which the process that asks adds up, are half a megabyte


@dataclass(frozen=True)
class Scaling:
    """What relative gaps are relative to: S (rows/scale.py)."""

    least: float = 1e-3  # share of P of the null model: S is not smaller, since rows that are fitted exactly leave no P


@dataclass(frozen=True)
class Profiling:
    """How the dispersion of negative binomial counts is found (`dispersion`)."""

    tol: float = 1e-8  # of log α: a step of Newton's method that is shorter ends the search; errors of α are near 1/√n
    far: float = 2.0  # of log α: the longest step, a factor of 7; the likelihood is not concave far from its maximum
    steps: int = 50  # values of α that are fitted at most: halving an interval of 2 · far takes 29


@dataclass(frozen=True)
class Inferring:
    """When rows are those of a fit, and how many rows say where bins begin (`inference`)."""

    most: int = 5000  # coefficients: each matrix of so many has 200 MB, and every task makes some
    same: float = 1e-9  # share by which F(β) may differ from that of the fit: sums may be added in another order
    ranked: int = 2**16  # rows: quantiles of so many are right to half a percent of the rows
    quantiles: int = 2000  # of y, whose mean residual stands for the expected one: three digits, in milliseconds
    pinned: float = 1e-8  # 1 − h at most: such a row is fitted exactly, and what is left of its slope is rounding


@dataclass(frozen=True)
class Auditing:
    """How a reader's solver, family or penalty is tried."""

    tol: float = 1e-6  # relative gap that a solver must reach, proved: six digits show a wrong constant
    iterations: int = 1500  # states that it may take: gradient descent needs some hundreds on these problems
    states: int = 6  # states that are compared one by one: the first faults show in two
    between: int = 500  # passes between two states, after which a search is said to be endless; ours take 100 at most
    same: float = 1e-9  # share by which F or a residual may differ from ours: sums may be added in another order
    other: float = 1e-2  # share of the KKT residual: with less left, β solves another problem; squared in mid-run
    still: int = 20  # states without any move, after which a solver has stopped
    eager: int = 10  # passes before the first state: with as many and none afterwards all work was done ahead
    step: float = 1e-5  # step of a central difference, relative to 1 + |η|: half of a double's digits are left
    slope: float = 1e-6  # share by which a derivative may differ from its central difference
    price: float = 1e-3  # share by which a price may differ from the maximum over a grid
    points: int = 40  # random vectors at which a penalty is tried


@dataclass(frozen=True)
class Racing:
    """A race of a reader's solver with the built-in ones (bench/beside.py)."""

    rows: int = 20_000  # of the default problem: a pass takes a millisecond or two, and a table less than a minute
    columns: int = 15  # the post's
    seed: int = 20009  # of the benchmark's rows
    sharper: float = 1e-2  # of the smallest gap: how well F* is known
    patience: float = 20.0  # seconds after which a run ends without its gap
    iterations: int = 5000  # states after which it does
    batch: int = 16  # iterates priced in one pass: each needs a number for every row
