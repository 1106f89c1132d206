"""The elementary functions of compiled loops: branch-free, so that LLVM computes several rows at once.

The C library's exp and log are one call a row. Here both are polynomials with a choice of constants, which becomes
vector instructions. The functions behave like NumPy's at 0, at ±∞ and for NaN.

`twins` compiles its loops as if they stood in this file: their cache on disk is discarded when this file changes.
"""

from math import atan, cosh, expm1, inf, lgamma, nan, sinh, sqrt, tanh  # noqa: F401  called by generated text

import numpy as np
from numba import njit

# A product and a sum may become one fused operation. NaN, infinity and the order of sums are kept.
settings = {"error_model": "numpy", "fastmath": {"contract"}}
exactly = njit(nogil=True, **settings)

LOG2 = np.log(2)
HIGH, LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # log 2 in two parts, so that n · HIGH is exact
ROUNDER = 1.5 * 2.0**52  # adding it leaves the nearest integer in the last bits
ROUNDER_BITS = np.float64(ROUNDER).view(np.int64)
ROOT_HALF_BITS = np.float64(0.5**0.5).view(np.int64)
TINY = np.finfo(float).tiny  # the smallest number with all its digits


@exactly
def two_to(power):
    """2^power for −1023 < power < 1024, written into the exponent's bits."""
    return np.int64((power + 1023) << 52).view(np.float64)


@exactly
def exp(x):
    """e^x = 2ⁿ e^r, with n the integer nearest to x / log 2 and the series of e^r to r¹³; within 1 ulp."""
    x = -746.0 if x < -746.0 else x  # e^−746 is 0 and e^710 is infinite; NaN fails both comparisons and stays
    x = 710.0 if x > 710.0 else x
    shifted = x * (1 / LOG2) + ROUNDER
    n = shifted - ROUNDER
    r = (x - n * HIGH) - n * LOW
    tail = 1 / 6227020800
    tail = 1 / 479001600 + r * tail
    tail = 1 / 39916800 + r * tail
    tail = 1 / 3628800 + r * tail
    tail = 1 / 362880 + r * tail
    tail = 1 / 40320 + r * tail
    tail = 1 / 5040 + r * tail
    tail = 1 / 720 + r * tail
    tail = 1 / 120 + r * tail
    tail = 1 / 24 + r * tail
    tail = 1 / 6 + r * tail
    tail = 1 / 2 + r * tail
    power = np.float64(shifted).view(np.int64) - ROUNDER_BITS
    half = power >> 1  # 2ⁿ in two factors: alone it may overflow where e^x does not
    return (1 + (r + r * r * tail)) * two_to(half) * two_to(power - half)


@exactly
def split(x):
    """k and m with x = m 2^k and √½ ≤ m < √2, for finite x > 0 with all its digits."""
    bits = np.float64(x).view(np.int64)
    k = (bits - ROOT_HALF_BITS) >> 52
    return k, np.int64(bits - (k << 52)).view(np.float64)


@exactly
def twice_artanh(z):
    """2 artanh z for |z| < 0.172, by its series to z²³."""
    q = z * z
    tail = 1 / 23
    tail = 1 / 21 + q * tail
    tail = 1 / 19 + q * tail
    tail = 1 / 17 + q * tail
    tail = 1 / 15 + q * tail
    tail = 1 / 13 + q * tail
    tail = 1 / 11 + q * tail
    tail = 1 / 9 + q * tail
    tail = 1 / 7 + q * tail
    tail = 1 / 5 + q * tail
    tail = 1 / 3 + q * tail
    return 2 * (z + z * q * tail)


@exactly
def joined(k, z):
    """k log 2 + 2 artanh z."""
    n = np.int64(k + ROUNDER_BITS).view(np.float64) - ROUNDER  # k as a float
    return n * HIGH + (twice_artanh(z) + n * LOW)


@exactly
def log(x):
    """log x = k log 2 + log m as 2 artanh((m − 1) / (m + 1)); within 2 ulp."""
    few = x < TINY
    k, m = split(x * 2.0**54 if few else x)
    found = joined(k - (54 if few else 0), (m - 1) / (m + 1))
    found = x if x == inf else found
    return found if x > 0 else (-inf if x == 0 else nan)


@exactly
def log1p(x):
    """log(1 + x), the same with what 1 + x has rounded off; within 2 ulp."""
    whole = 1 + x
    k, m = split(whole)
    lost = (x - (whole - 1)) * two_to(-(k if k < 1023 else 1023))
    found = joined(k, (m - 1 + lost) / (m + 1 + lost))
    found = x if x == inf else found
    return found if whole > 0 else (-inf if whole == 0 else nan)


@exactly
def log1p_of_share(s):
    """log(1 + s) for 0 ≤ s ≤ 1 in half the time, from log 2 downwards above √2 − 1; within 2 ulp."""
    far = s > 0.41421356
    z = (s - 1) / (s + 3) if far else s / (s + 2)
    return twice_artanh(z) + (LOG2 if far else 0.0)


@exactly
def logaddexp(a, b):
    """log(e^a + e^b)."""
    return maximum(a, b) + (LOG2 if a == b else log1p_of_share(exp(-abs(a - b))))


@exactly
def expit(x):
    """1 / (1 + e^(−x))."""
    small = exp(-abs(x))
    return (small if x < 0 else 1.0) / (1 + small)


@exactly
def xlogy(x, y):
    """x log y, and 0 for x = 0."""
    found = x * log(y)
    return 0.0 if (x == 0) & (y == y) else found


@exactly
def gammaln(x):
    """log |Γ(x)|."""
    return -inf if x == -inf else lgamma(x)


@exactly
def maximum(a, b):
    """The larger, or NaN if one of them is."""
    larger = b if a < b else a
    return b if b != b else larger


@exactly
def minimum(a, b):
    """The smaller, or NaN if one of them is."""
    smaller = b if a > b else a
    return b if b != b else smaller


@exactly
def sign(x):
    """1, 0 or −1, and NaN for NaN."""
    return 1.0 if x > 0 else (-1.0 if x < 0 else x)
