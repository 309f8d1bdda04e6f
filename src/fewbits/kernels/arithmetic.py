"""Rounding one number to one element: the arithmetic of every compiled kernel, held once.

A nearest-even multiple of 2^(e − m) is (|v| + M) − M with M = 2^(e + 23 − m): the sum's last bit is the step. It needs a compiler
that neither reorders nor fuses float32 arithmetic.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from fewbits.kernels.bits import EXPONENT, MAGNITUDE, SIGN, add, bit_and, bit_or, from_bits, from_bits64, largest, to_bits, to_bits64
from fewbits.plan import AWAY, BINADE, BRAIN, EVEN, EXACT, LOW, NOTHING, TABLE, UP, Float32, Rounding

OPTIONS: dict[str, Any] = {"nogil": True, "cache": True, "error_model": "numpy", "boundscheck": False, "fastmath": False}

DOUBLE = 100  # binade arithmetic in float64, for elements whose M would leave float32


class Arguments(NamedTuple):
    """A `Rounding` as compiled kernels take it."""

    form: int
    mode: int
    lowest: np.float32
    highest: np.float32
    least_exponent: np.int32  # bits of 2^min_exponent
    shift: np.int32  # (23 - mantissa_bits) in the exponent field
    zero: np.float32  # added last: −0 keeps the sign of zero, +0 clears it
    overflow: np.float32
    min_exponent: int
    mantissa_bits: int
    cuts: Float32
    values: Float32


@lru_cache(maxsize=4096)
def arguments(r: Rounding) -> Arguments:
    """The arguments of a `Rounding`."""
    emax = r.element.emax if r.highest > 0 else 0
    double = r.form == BINADE and (emax + 23 - r.mantissa_bits > 126 or r.min_exponent - r.mantissa_bits < -126)
    tables = r.form == TABLE
    nothing = np.zeros(1, np.float32)
    return Arguments(
        DOUBLE if double else r.form, r.mode, np.float32(r.lowest), np.float32(r.highest),
        np.int32(max(r.min_exponent + 127, 1) << 23), np.int32((23 - r.mantissa_bits) << 23),
        np.float32(-0.0 if r.negative_zero else 0.0), np.float32(r.overflow), r.min_exponent, r.mantissa_bits,
        r.cuts if tables else nothing, r.values if tables else nothing,
    )  # fmt: skip


@njit(inline="always", **OPTIONS)
def round_even(v, lowest, highest, least_exponent, shift, zero):  # type: ignore[no-untyped-def]
    """Nearest even value of a binade element, saturating; the loop body of the fast path."""
    c = v if v < highest else highest
    c = c if c > lowest else lowest
    pattern = to_bits(c)
    exponent = largest(bit_and(pattern, EXPONENT), least_exponent)
    magic = from_bits(add(exponent, shift))
    magnitude = (from_bits(bit_and(pattern, MAGNITUDE)) + magic) - magic
    return from_bits(bit_or(to_bits(magnitude), bit_and(to_bits(v), SIGN))) + zero


@njit(**OPTIONS)
def round_one(v, a):  # type: ignore[no-untyped-def]
    """v rounded to the element of arguments `a`, whatever its form and ties; NaN stays."""
    if a.form == EXACT or v != v:
        return v
    if a.form == BINADE and a.mode == EVEN:
        if abs(v) >= a.overflow:
            return np.float32(math.copysign(np.float32(np.inf), v))
        return round_even(v, a.lowest, a.highest, a.least_exponent, a.shift, a.zero)
    if a.form == TABLE:
        low, high = 0, len(a.cuts)
        while low < high:
            middle = (low + high) // 2
            if a.cuts[middle] <= v:
                low = middle + 1
            else:
                high = middle
        return a.values[low]
    if a.form == BRAIN:
        pattern = to_bits(v)
        kept = np.int64(pattern) + 0x7FFF + ((np.int64(pattern) >> 16) & 1)
        return from_bits(np.int32(kept & ~np.int64(0xFFFF)))
    if a.form == NOTHING:
        return np.float32(0)
    if a.mode == UP:
        bias = -a.lowest
        steps = np.float32(math.trunc(min(max(v + (bias + np.float32(0.5)), np.float32(0)), a.highest - a.lowest)))
        return steps - bias
    return np.float32(_round_double(np.float64(v), a))


@njit(**OPTIONS)
def _round_double(v, a):  # type: ignore[no-untyped-def]
    """Binade rounding in float64, which holds every float32 step exactly."""
    c = min(max(v, np.float64(a.lowest)), np.float64(a.highest))
    magnitude = abs(c)
    exponent = max((to_bits64(magnitude) >> 52) - 1023, a.min_exponent)
    step = from_bits64(np.int64(exponent - a.mantissa_bits + 1023) << 52)
    ratio = magnitude / step
    whole = math.floor(ratio)
    rest = ratio - whole
    if a.mode == EVEN:
        up = rest > 0.5 or (rest == 0.5 and whole % 2 == 1)
    elif a.mode == AWAY:
        up = rest >= 0.5
    elif a.mode == LOW:
        up = rest > 0.5 or (rest == 0.5 and v < 0)
    else:
        up = rest > 0.5
    rounded = np.float32((whole + (1.0 if up else 0.0)) * step)
    return np.float32(math.copysign(rounded, v)) + a.zero
