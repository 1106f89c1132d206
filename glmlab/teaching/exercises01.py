"""The exercises of notebook 01: chunk size, rows that do not depend on the chunks, mixed operands."""

import cloudpickle
import dask
import dask.array as da
import numpy as np

from .exercise import Exercise, require
from .exercises00 import peak
from .guard import FLOAT64, counting, lost_digits, short

# ---------------------------------------------------------------- 1. how many rows fit a chunk


def chunk_rows(p, budget, itemsize=8):
    return int(budget // (p * itemsize))


CHUNK_ROWS = Exercise(
    name="chunk_rows",
    statement=(
        "A chunk has p columns of numbers of itemsize bytes each. Return the largest number of rows, "
        "an int, whose bytes stay within budget. A budget is a limit, not an average: one byte over is too "
        "much. It always holds at least one row."
    ),
    stub='''
    def chunk_rows(p, budget, itemsize=8):
        """Most rows whose bytes do not exceed the budget, an int.

        p         number of columns
        budget    bytes that one chunk may take; at least one row fits
        itemsize  bytes of one number

        chunk_rows(3, 100) is 4.
        """
        raise NotImplementedError
    ''',
    reference=chunk_rows,
    hints=(
        "How many bytes does one row take?",
        "A row takes p * itemsize bytes, and a row that fits only in part does not fit.",
        "Divide budget by p * itemsize and round down: // does both.",
    ),
)

# p, budget, itemsize: one byte below, at and above a whole number of rows; one row; p = 1
SIZES = ((7, 1_000, 8), (7, 1_007, 8), (7, 1_008, 8), (7, 1_009, 8), (100, 800, 8), (1, 17, 8), (3, 7_777, 8))


@CHUNK_ROWS.condition(
    "an int, at least 1",
    hint="// of two ints gives an int; / and np.floor give a float: put int(…) around it",
)
def is_a_count(chunk_rows):
    for size in SIZES:
        _rows_for(chunk_rows, *size)


def _rows_for(chunk_rows, *size):
    r = chunk_rows(*size)
    counts = isinstance(r, (int, np.signedinteger)) and not isinstance(r, bool)
    require(counts, f"chunk_rows{size} returned {short(r)}, a {type(r).__name__}; rows are counted with an int")
    require(r >= 1, f"chunk_rows{size} returned {r}", "the budget always holds one row: how many bytes has a row?")
    return int(r)


def _within(chunk_rows, sizes, over=None, under=None):
    """Require the largest number of rows for each size; ``over`` and ``under`` are hints for too many and too few."""
    for p, budget, *itemsize in sizes:
        r, row = _rows_for(chunk_rows, p, budget, *itemsize), p * (itemsize or [8])[0]
        taken = f"{r:,} rows of {row} bytes take {r * row:,} of {budget:,} bytes"
        require(r * row <= budget, f"{taken}: over the budget", over)
        require((r + 1) * row > budget, f"{taken}: one more row would still fit", under)


@CHUNK_ROWS.condition(
    "the rows fit the budget, and one more would not",
    hint="print nbytes of such a chunk: a row has p numbers of itemsize bytes, and one byte above budget is too much",
)
def fits_the_budget(chunk_rows):
    _within(chunk_rows, SIZES, under="a chunk of exactly budget bytes fits, and no reserve is asked for")


@CHUNK_ROWS.condition(
    "right for numbers of any size",
    hint="float32 takes 4 bytes, complex 16: print X.dtype.itemsize, and note that 8 is only the default",
)
def any_itemsize(chunk_rows):
    _within(chunk_rows, [(7, 1_000, 4), (7, 1_000, 16), (5, 39, 1), (7, 1_000)])


@CHUNK_ROWS.condition(
    "exact for budgets of gigabytes and terabytes",
    hint="1 / row and budget / 1e9 are rounded already, and a whole count falls short: divide bytes by bytes, with //",
)
def exact_when_large(chunk_rows):
    # The rows are long, so that an answer that counts them one by one ends in time. The first budget is a whole number
    # of rows, which budget * (1 / row) and (budget / 1e9) / (row / 1e9) miss by rounding; budget / row is rounded once,
    # and right for every budget below 2**53 bytes.
    _within(chunk_rows, [(15_925, 7_999_955_600, 8), (999_983, 1_999_966_000_000, 8), (999_983, 1_999_965_999_999, 8)])


# ---------------------------------------------------------------- 2. rows that do not depend on the chunks


def rows(n, p, chunks, seed):
    def block(k, size):
        return np.random.default_rng((seed, k)).standard_normal((size, p))

    sizes = [min(1_000, n - start) for start in range(0, n, 1_000)]
    blocks = [
        da.from_delayed(dask.delayed(block)(k, size), shape=(size, p), dtype=float)
        for k, size in enumerate(sizes)
    ]
    return da.concatenate(blocks).rechunk({0: chunks})


ROWS = Exercise(
    name="rows",
    statement=(
        "Return a lazy dask array (n, p) of independent standard normal numbers, float64, cut into row chunks as "
        "chunks says: an int (rows per chunk) or a tuple of lengths. The same seed gives the same rows, whatever "
        "the chunks; and a few rows cost a few blocks of a fixed length, such as 1,000 rows, not the whole array."
    ),
    stub='''
    def rows(n, p, chunks, seed):
        """Random rows: a lazy dask array (n, p) of float64, drawn in blocks of one length, whatever n and chunks are.

        chunks  rows of one chunk, or a tuple of lengths that sum to n
        seed    an int; it and n, p determine the rows, and chunks does not
        """
        raise NotImplementedError
    ''',
    reference=rows,
    hints=(
        "Who draws the numbers: a chunk? Then other chunks draw other numbers.",
        "Let blocks of a fixed length draw, 1,000 rows each, every block with its own seed; then rechunk.",
        "np.random.default_rng((seed, k)) draws block k inside dask.delayed; da.from_delayed gives it its "
        "shape; da.concatenate joins the blocks; .rechunk({0: chunks}) cuts them as asked.",
    ),
)

N, P = 5_300, 4  # more than five blocks of a thousand, and a short last one


def _draw(rows, n=N, p=P, chunks=1_000, seed=20_170_322):
    X = rows(n, p, chunks, seed)
    call = f"rows({n}, {p}, {chunks}, seed)"
    require(isinstance(X, da.Array), f"{call} returned {short(X)}; a dask array is needed")
    shorter = "the last block is shorter where n is no multiple of a block's length"
    require(X.shape == (n, p), f"{call} has shape {X.shape}, where ({n}, {p}) was asked for", shorter)
    require(X.dtype == np.float64, f"{call} has dtype {X.dtype}, where float64 is needed", FLOAT64)
    return X


def _numbers(X):
    """The computed array, if it has the shape and dtype that X claims."""
    with counting():
        numbers = X.compute()
    words = f"computed, it is {short(numbers)} of {numbers.dtype}, where X.shape is {X.shape} and X.dtype {X.dtype}"
    same = numbers.shape == X.shape and numbers.dtype == X.dtype
    require(same, words, "every task must draw as many rows, of the dtype, as from_delayed is told")
    return numbers


@ROWS.condition("lazy: a recipe, not the numbers", hint="build tasks that draw later: dask.delayed(draw)(…)")
def lazy(rows):
    with counting() as computes:
        X = _draw(rows, n=40_000, p=10)
        require(not computes, "it computed while building the array; who asked for numbers yet?")
    carried = len(cloudpickle.dumps(dict(X.__dask_graph__())))
    words = f"its graph carries {carried / 1e6:.1f} MB for an array of {X.nbytes / 1e6:.1f} MB"
    require(carried < X.nbytes / 2, f"{words}: the numbers were drawn already, and travel with the recipe")


@ROWS.condition("cut as asked", hint="X.chunks shows the cuts; .rechunk({0: chunks}) makes them")
def cut_as_asked(rows):
    for chunks in (1_000, 700):
        _expect_cuts(rows, chunks)


@ROWS.condition(
    "chunks may be a tuple of lengths",
    hint="no arithmetic with chunks is needed: .rechunk({0: chunks}) takes an int and a tuple alike",
    errors=True,
)
def tuple_of_lengths(rows):
    _expect_cuts(rows, (300, 5_000))


def _expect_cuts(rows, chunks):
    got = _draw(rows, chunks=chunks).chunks
    asked = da.core.normalize_chunks((chunks, P), (N, P))
    require(got[0] == asked[0], f"chunks={chunks} gave row chunks {short(got[0])}, asked were {short(asked[0])}")
    require(got[1] == (P,), f"columns are cut into {got[1]}", "cut rows only, by .rechunk({0: chunks})")


@ROWS.condition(
    "no generator is shared",
    hint="np.random.seed and np.random.normal use one generator for all threads, so the clock decides who draws what: "
    "give every block a generator of its own, np.random.default_rng((seed, k))",
)
def own_generators(rows):
    X = _draw(rows)
    before = np.random.get_state()
    _numbers(X)
    after = np.random.get_state()
    unmoved = before[2] == after[2] and np.array_equal(before[1], after[1])
    require(unmoved, "its tasks draw from NumPy's global generator")


@ROWS.condition("equal under other chunks", hint="one seed, one stream: who draws which row?")
def equal_under_other_chunks(rows):
    first = _numbers(_draw(rows, chunks=1_000))
    for chunks in (1_000, 700, N, (1, 2_299, 3_000)):
        unlike = int((first != _numbers(_draw(rows, chunks=chunks))).any(axis=1).sum())
        require(not unlike, f"chunks=1000 and chunks={chunks} differ in {unlike:,} of {N:,} rows")


@ROWS.condition(
    "a few rows cost a few blocks",
    hint="which task draws the last row, and what else does it draw? Let every block draw its own rows only",
)
def few_rows_few_blocks(rows):
    for n, p, share in ((100_000, 20, 3), (400_000, 100, 8)):  # a block that grows with n takes the same share of both
        X = _draw(rows, n=n, p=p)
        with counting():
            held = peak(X[-100:].compute)
        words = f"to compute the last 100 rows it held {held / 1e6:.1f} MB of an array of {X.nbytes / 1e6:.1f} MB"
        words = f"{words}: an array larger than one worker could not be drawn"
        grows = "a block has the same length for every n" if n > 100_000 else None
        require(held < X.nbytes / share, words, grows)


@ROWS.condition("no row occurs twice", hint="compare blocks 0 and 1: does each have a seed of its own?")
def no_repeats(rows):
    different = len(np.unique(_numbers(_draw(rows)), axis=0))
    require(different == N, f"of {N:,} rows only {different:,} differ from each other")


@ROWS.condition("no number occurs twice", hint="every column needs numbers of its own: draw (size, p) of them")
def no_copies(rows):
    X = _numbers(_draw(rows))
    different = len(np.unique(X))
    require(different == X.size, f"of {X.size:,} numbers only {different:,} are different")


@ROWS.condition(
    "blocks are independent",
    hint="block 0 times a number, or mixed with other rows, is no new data: every block draws afresh, by its own seed",
)
def independent_blocks(rows):
    X = _numbers(_draw(rows))
    directions = len(np.unique((X / X[:, :1]).round(9), axis=0))  # the same for a row and its multiples
    require(directions == N, f"{N - directions:,} of {N:,} rows are multiples of other rows")
    sizes = len(np.unique(abs(X)))
    require(sizes == X.size, f"of {X.size:,} numbers {X.size - sizes:,} are others with their sign changed")
    for what, Z in (("rows", X), ("squares of rows", X**2)):
        scores = _lag_scores(Z)
        lag = int(np.argmax(abs(scores))) + 1
        words = f"{what} that are {lag:,} apart correlate, by {abs(scores[lag - 1]):.0f} standard deviations"
        require(abs(scores[lag - 1]) <= 7, words)  # of thousands of lags none reaches seven by chance


def _lag_scores(Z):
    """Correlations of rows i and i + lag of Z (n, p), in standard deviations, for lag = 1 … n - 500."""
    n, p = Z.shape
    spectrum = np.fft.rfft((Z - Z.mean(axis=0)) / Z.std(axis=0), 2 * n, axis=0)  # of length 2n: no lag wraps around
    sums = np.fft.irfft(abs(spectrum) ** 2, axis=0).sum(axis=1)
    lags = np.arange(1, n - 499)
    return sums[lags] / np.sqrt(p * (n - lags))


@ROWS.condition("standard normal numbers", hint="standard_normal draws each entry; scale none")
def normal_numbers(rows):
    X = _numbers(_draw(rows, n=20_000))
    # six standard deviations of each sample moment: a right answer practically never exceeds them
    for power, truth, variance in ((1, 0, 1), (2, 1, 2), (4, 3, 96)):
        found = (X**power).mean()
        near = abs(found - truth) <= 6 * np.sqrt(variance / X.size)
        words = f"the mean of x^{power} over {X.size:,} numbers is {found:.3g}"
        require(near, f"{words}, where normal numbers have {truth}")


@ROWS.condition("another seed, other rows", hint="where does seed enter? Every generator you make needs it")
def other_rows(rows):
    alike = (_numbers(_draw(rows, seed=0)) == _numbers(_draw(rows, seed=1))).all(axis=1).sum()
    require(not alike, f"seeds 0 and 1 give the same numbers in {alike:,} of {N:,} rows")


@ROWS.condition(
    "no two seeds share a row",
    hint="seed + k gives block 1 of seed 0 and block 0 of seed 1 the same numbers, and 10·seed + k does so ten blocks "
    "later; a pair (seed, k) does not",
)
def seeds_share_nothing(rows):
    drawn = [_numbers(_draw(rows, seed=seed)) for seed in (0, 1, 2, 1_000)]
    different = len(np.unique(np.concatenate(drawn), axis=0))
    require(different == len(drawn) * N, f"{len(drawn)} seeds share {len(drawn) * N - different:,} rows")
    many, n = _numbers(_draw(rows, n=101_000, p=1, seed=0)), 500
    again = np.isin(_numbers(_draw(rows, n=n, p=1, seed=1)), many).sum()
    require(not again, f"of {n} rows of seed 1 {again} occur among {len(many):,} rows of seed 0, too")


# ---------------------------------------------------------------- 3. multiply any mixture


def dot(X, b):
    return X @ b


DOT = Exercise(
    name="dot",
    statement=(
        "X (n, p) and b (p,) are each a numpy or a dask array. Return Xb, lazy where one of them is "
        "lazy, numpy where both are numpy, without computing anything early."
    ),
    stub='''
    def dot(X, b):
        """The product Xb (n,): lazy if X or b is lazy, else a NumPy array.

        X  (n, p), a NumPy or dask array
        b  (p,), a NumPy or dask array
        """
        raise NotImplementedError
    ''',
    reference=dot,
    hints=(
        "X.dot(b) asks X alone. What if only b is lazy?",
        "A method belongs to its left operand; an operator or a numpy function asks both operands.",
        "X @ b.",
    ),
)

PAIRS = {
    "numpy X, numpy b": (False, False),
    "dask X, numpy b": (True, False),
    "numpy X, dask b": (False, True),
    "dask X, dask b": (True, True),
}


def _operands(seed, lazy_X, lazy_b, n=7, p=5):
    """Random X and b; lazy ones are cut unequally and not at the same columns."""
    rng = np.random.default_rng(seed)
    X, b = rng.normal(size=(n, p)), rng.normal(size=p)
    dask_X = da.from_array(X, chunks=((n - n // 2, n // 2), p) if n > 1 else (n, p))
    dask_b = da.from_array(b, chunks=((2, p - 2),) if p > 2 else p)
    return (X, b), (dask_X if lazy_X else X, dask_b if lazy_b else b)


def _kind(array):
    if isinstance(array, np.ndarray):
        return "numpy"
    return "dask" if isinstance(array, da.Array) else short(array)


@DOT.condition(
    "right values for every pair",
    hint="entry i of Xb is Σ_j X_ij b_j: multiply row i by b, and sum over the p columns",
    errors=True,
)
def right_values(dot):
    for name, lazy in PAIRS.items():
        for n, p in ((7, 5), (1, 5), (7, 1), (4, 4)):
            (X, b), operands = _operands(23, *lazy, n=n, p=p)
            with counting():
                got = np.asarray(dask.compute(dot(*operands))[0])
            vector = "the result is a vector of n numbers, one for each row"
            require(got.shape == (n,), f"for {name} the result has shape {got.shape}, where ({n},) is needed", vector)
            off = np.max(np.abs(got - X @ b) / (np.abs(X) @ np.abs(b)))
            words = f"for {name} of shape ({n}, {p}) it is off by {off:.1e} of the size of its terms"
            require(off <= 1e-12, words, lost_digits(off))


@DOT.condition(
    "nothing is computed early",
    hint="compute, persist and np.asarray ask for numbers at once. X.dot(b) with a NumPy X does so as well, because a "
    "method asks its left operand alone",
)
def no_early_compute(dot):
    for name, lazy in PAIRS.items():
        _, (X, b) = _operands(21, *lazy)
        with counting() as computes:
            dot(X, b)
        require(not computes, f"for {name} it computed {len(computes)} time(s) before anyone asked")


@DOT.condition("lazy where an operand is, numpy where both are", hint="NumPy in, NumPy out; force no kind")
def lazy_iff_an_operand_is(dot):
    for name, lazy in PAIRS.items():
        _, (X, b) = _operands(22, *lazy)
        got, want = _kind(dot(X, b)), "dask" if any(lazy) else "numpy"
        require(got == want, f"for {name} it returned {got}, where {want} is needed")
