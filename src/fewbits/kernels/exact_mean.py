"""The mean of finite values, exact: a sum of integers, so that its order and the parts it comes in change no bit."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from numba import njit

from fewbits.kernels.arithmetic import OPTIONS
from fewbits.kernels.bits import to_bits
from fewbits.plan import Float32

UNIT = -149  # exponent of the smallest positive float32, of which all others are multiples
FIELDS = 256  # exponent fields; the last is that of what is not finite


def finite_mean(x: Float32) -> np.float32:
    """Mean of the finite values, rounded once to float32, ties to even; 0 where there are none."""
    return mean_of(*finite_sum(x))


def finite_sum(x: Float32) -> tuple[int, int]:
    """(sum of the finite values in units of 2^-149, how many there are)."""
    sums, counts = np.zeros(FIELDS, np.int64), np.zeros(FIELDS, np.int64)
    _add(np.ascontiguousarray(x, np.float32).reshape(-1), sums, counts)
    total = sum(int(sums[e]) << max(e - 1, 0) for e in np.flatnonzero(sums[:-1]).tolist())
    return total, int(counts[:-1].sum())


def mean_of(total: int, count: int) -> np.float32:
    """total · 2^-149 / count, rounded once to float32; 0 for no values."""
    if not count:
        return np.float32(0)
    shift = max((abs(total) // count).bit_length() - 24, 0)
    return np.float32(math.ldexp(round(Fraction(total, count << shift)), UNIT + shift))


@njit(**OPTIONS)
def _add(x, sums, counts):  # type: ignore[no-untyped-def]
    """Add the significands of flat x, as integers, to the sums of their exponent fields, and count them."""
    for i in range(x.shape[0]):
        pattern = to_bits(x[i])
        field = (pattern >> 23) & 255
        significand = np.int64(pattern & 0x7FFFFF) + (np.int64(0x800000) if field else np.int64(0))
        sums[field] += -significand if pattern < 0 else significand
        counts[field] += 1
