"""Stored 16- and 8-bit floats as float32, compiled: exact, and about as fast as they can be copied."""

from __future__ import annotations

import numpy as np
from numba import njit

from fewbits.kernels.arithmetic import OPTIONS
from fewbits.kernels.bits import add, bit_and, from_bits

SIGN, SIZE, INFINITE = np.int32(0x8000), np.int32(0x7FFF), np.int32(0x7C00)  # of float16 patterns
WIDER = np.int32((127 - 15) << 23)  # what the exponent field of float32 is ahead of that of float16
LEAST, SUBNORMAL = np.float32(2.0**-14), np.int32((127 - 14) << 23)  # the smallest normal float16, and its bits


@njit(**OPTIONS)
def widen_bfloat16(patterns, out):  # type: ignore[no-untyped-def]
    """out = the bfloat16 of uint16 patterns, as int32 patterns of float32."""
    for i in range(patterns.shape[0]):
        out[i] = np.int32(np.uint32(patterns[i]) << np.uint32(16))


@njit(**OPTIONS)
def widen_float16(patterns, out):  # type: ignore[no-untyped-def]
    """out = the float16 of uint16 patterns as float32; subnormals as 2^-14 · (1 + m) − 2^-14, which needs no slow arithmetic."""
    for i in range(patterns.shape[0]):
        h = np.int32(patterns[i])
        size = bit_and(h, SIZE)
        moved = np.int32(np.uint32(size) << np.uint32(13))
        small = from_bits(add(moved, SUBNORMAL)) - LEAST
        large = from_bits(add(moved, add(WIDER, WIDER if size >= INFINITE else np.int32(0))))
        value = small if size < np.int32(0x0400) else large
        out[i] = -value if bit_and(h, SIGN) != np.int32(0) else value


@njit(**OPTIONS)
def look_up(table, codes, out):  # type: ignore[no-untyped-def]
    """out[i] = table[codes[i]], of 256 values."""
    for i in range(codes.shape[0]):
        out[i] = table[codes[i]]
