"""An exercise of notebook 04: the best number of chunks."""

import math
from itertools import pairwise
from numbers import Real

from .exercise import Exercise, require
from .guard import short


def best_K(n, p, a, b, cores, mem, Ks):
    def seconds(K):
        return a * K + b * n * p * math.ceil(K / cores) / K

    return min((K for K in Ks if 8 * n * p / K * min(K, cores) <= mem), key=seconds)


BEST_K = Exercise(
    name="best_K",
    statement=(
        "Of the numbers of chunks in Ks return the one with the least T(K) = a·K + b·n·p·⌈K/cores⌉/K seconds. A core "
        "works on one chunk at a time; the chunks in work, of 8·n·p/K bytes each, must together fit into mem bytes. "
        "(One of Ks does.)"
    ),
    stub='''
    def best_K(n, p, a, b, cores, mem, Ks):
        """The number of chunks, out of Ks, with the fastest pass.

        The min(K, cores) chunks that are worked on at a time must fit into mem bytes together.
        n, p: rows and columns of X. a: seconds for each task. b: seconds for each number of X. cores: how many.
        mem: bytes. Ks: candidates, in any order; at least one of them fits. Returns one of them.
        """
        raise NotImplementedError
    ''',
    reference=best_K,
    hints=(
        "Write T(K) as a function. Which K may not be used at all, because of mem?",
        "min(K, cores) chunks are in work at a time. Keep the K with min(K, cores)·8·n·p/K ≤ mem; take the least T.",
        "min((K for K in Ks if 8 * n * p / K * min(K, cores) <= mem), key=seconds), with seconds(K) = T(K).",
    ),
)

# n, p, a, b, cores, mem, Ks
MACHINES = (
    (10**6, 100, 1e-3, 1e-9, 4, 1e10, (1, 2, 4, 8, 16, 64)),
    (10**6, 100, 1e-3, 1e-9, 4, 4e8, (1, 2, 4, 8, 16, 64)),
    (10**6, 100, 2e-3, 1e-9, 32, 1e10, (64, 1, 16, 2, 8, 4, 256)),
    (10**7, 10, 1e-5, 2e-9, 6, 1e9, tuple(range(1, 40))),
    (10**3, 10, 1e-3, 1e-9, 8, 1e9, (1, 2, 8)),
    (10**5, 7, 1e-4, 1e-8, 5, 5e6, (3, 4, 5, 6, 7, 11, 20, 40)),
    (10**8, 20, 3e-4, 5e-10, 16, 2e9, (16, 48, 50, 112, 200)),
    (10**6, 100, 4e-2, 1e-9, 8, 1e9, (1, 2, 4, 8, 16)),
    (10**6, 100, 1e-1, 1e-9, 4, 1e8, (1, 2, 4, 8, 16, 64)),
    (10**6, 100, 1e-1, 1e-9, 4, 2e7, (1, 2, 4, 8, 16, 64, 256)),  # 64 fits if a number took one byte
    (10**8, 2, 1e-1, 5e-10, 16, 4.5e8, (16, 50, 64, 200)),  # 50 fits if X had one column
    (10**3, 10, 1e-9, 1e-3, 4, 1e12, (7, 9, 12)),  # T rises to 9, then falls
)


def seconds_of(K, n, p, a, b, cores):
    """T(K), the predicted seconds with K chunks."""
    return a * K + b * n * p * math.ceil(K / cores) / K


def in_work(K, n, p, cores):
    """Bytes of the chunks that are processed at the same time."""
    return 8 * n * p / K * min(K, cores)


MISTAKES = {  # hint: the functions (seconds of K, bytes in work) of an answer with this mistake
    "chunks that fill mem exactly still fit: compare by ≤":
        (seconds_of, lambda *k: math.nextafter(in_work(*k), math.inf)),
    "only min(K, cores) chunks are in work at a time, which is fewer than cores if K is small":
        (seconds_of, lambda K, n, p, cores: 8 * n * p / K * cores),
    "min(K, cores) chunks are in work at a time, not one": (seconds_of, lambda K, n, p, cores: 8 * n * p / K),
    "only the chunks in work must fit, not all of them": (seconds_of, lambda K, n, p, cores: 8 * n * p),
    "mem limits K: leave out what does not fit": (seconds_of, lambda *k: 0),
    "X has n·p numbers, and so a chunk has n·p/K of them":
        (seconds_of, lambda K, n, p, cores: in_work(K, n, 1, cores)),
    "b is the price of one of n·p numbers: T has the term b·n·p·⌈K/cores⌉/K":
        (lambda K, n, p, a, b, cores: seconds_of(K, n, 1, a, b, cores), in_work),
    "a number takes 8 bytes": (seconds_of, lambda *k: in_work(*k) / 8),
    "⌈K/cores⌉ is rounded up: a last chunk makes other cores wait":
        (lambda K, n, p, a, b, cores: a * K + b * n * p * (K // cores) / K, in_work),
    "cores divide the work, and only whole chunks: the busiest core has ⌈K/cores⌉ of K":
        (lambda K, n, p, a, b, cores: a * K + b * n * p / min(K, cores), in_work),
    "a core takes ⌈K/cores⌉ of the K chunks, one after the other, not one":
        (lambda K, n, p, a, b, cores: a * K + b * n * p / K, in_work),
    "every chunk costs a: T has the term a·K": (lambda *k: seconds_of(*k[:3], 0, *k[4:]), in_work),
    "few chunks leave cores idle: T has the term b·n·p·⌈K/cores⌉/K":
        (lambda K, n, p, a, b, cores: seconds_of(K, n, p, a, 0, cores), in_work),
    "take the least T, not the largest": (lambda *k: -seconds_of(*k), in_work),
}  # fmt: skip


def _best(best_K, machine):
    K = best_K(*machine)
    one_of_Ks = isinstance(K, Real) and not isinstance(K, bool) and K in machine[-1]
    require(one_of_Ks, f"it returned {short(K)}, which is not one of Ks = {machine[-1]}")
    return int(K)


def _mistake(best_K):
    """The hint of the mistake that picks the same K on every machine; None for an unknown one."""
    picks = [_best(best_K, machine) for machine in MACHINES]
    return next((hint for hint, wrong in MISTAKES.items() if picks == [_pick(*wrong, *m) for m in MACHINES]), None)


def _pick(seconds, need, n, p, a, b, cores, mem, Ks):
    allowed = [K for K in Ks if need(K, n, p, cores) <= mem]
    return min(allowed, key=lambda K: seconds(K, n, p, a, b, cores), default=None)


@BEST_K.condition(
    "one of Ks",
    hint="return the number of chunks itself, neither its place in Ks nor its seconds; Ks may be a tuple, and "
    "sorted(Ks) makes a list of it. One of Ks always fits: if none passed your test of mem, only min(K, cores) chunks "
    "of 8·n·p/K bytes are in memory at a time",
    errors=True,
)
def one_of_them(best_K):
    for machine in MACHINES:
        _best(best_K, machine)


@BEST_K.condition(
    "the chunks in work fit into mem", hint="min(K, cores) chunks of 8·n·p/K bytes are in memory at the same time"
)
def fits(best_K):
    for machine in MACHINES:
        n, p, _, _, cores, mem, _ = machine
        K = _best(best_K, machine)
        words = f"n = {n:,}, p = {p}, {cores} cores: with K = {K} the chunks in work take"
        words = f"{words} {in_work(K, n, p, cores):.2g} bytes of {mem:.2g}"
        require(in_work(K, n, p, cores) <= mem, words, lambda: _mistake(best_K))


@BEST_K.condition(
    "no allowed K is faster",
    hint="T has two terms: with few chunks cores are idle, with many each costs a. It jumps at multiples of cores: "
    "look at every K of Ks",
)
def fastest(best_K):
    for machine in MACHINES:
        n, p, a, b, cores, mem, Ks = machine
        K, best = _best(best_K, machine), _pick(seconds_of, in_work, *machine)
        ours, least = (seconds_of(k, n, p, a, b, cores) for k in (K, best))
        words = f"a = {a:g}, b = {b:g}, {cores} cores, n·p = {n * p:g}: K = {K} takes {ours:.3g} s, K = {best} takes"
        why = "idle cores" if best > K else "every chunk costs a"
        require(ours <= least * (1 + 1e-9), f"{words} {least:.3g} s ({why})", lambda: _mistake(best_K))


@BEST_K.condition(
    "the unit of time does not matter", hint="a and b twice as large: T doubles for every K, the best K stays"
)
def unit_of_time(best_K):
    for machine in MACHINES:
        n, p, a, b, *rest = machine
        found = [_best(best_K, (n, p, times * a, times * b, *rest)) for times in (1, 2, 1024)]
        require(all(x == y for x, y in pairwise(found)), f"with a and b 1, 2 and 1024 times as large it gave {found}")
