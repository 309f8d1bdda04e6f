"""Rounding to one element: the arithmetic of every compiled kernel, held once.

A nearest-even multiple of 2^(e − m) is (|v| + M) − M with M = 2^(e + 23 − m): the sum's last bit is the step. It needs a compiler
that neither reorders nor fuses float32 arithmetic.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from fewbits.kernels.bits import (
    EXPONENT,
    MAGNITUDE,
    SIGN,
    add,
    bit_and,
    bit_or,
    from_bits,
    from_bits64,
    higher,
    largest,
    lower,
    shift_right_16,
    subtract,
    to_bits,
    to_bits64,
    truncate,
)
from fewbits.kernels.cache import is_kept
from fewbits.plan import AWAY, BINADE, BRAIN, EVEN, LOW, NOTHING, TABLE, UP, Float32, Rounding

OPTIONS: dict[str, Any] = {
    "nogil": True,
    "cache": is_kept(),
    "error_model": "numpy",
    "boundscheck": False,
    "fastmath": False,
}

FEW_CUTS = 16  # up to so many, counting them beats searching
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


@njit(forceinline=True, **OPTIONS)
def round_even(v, lowest, highest, least_exponent, shift, zero):  # type: ignore[no-untyped-def]
    """Nearest even value of a binade element, saturating; v is a number or lanes."""
    return nearest_even(v, clamp(v, lowest, highest), least_exponent, shift, zero)


@njit(forceinline=True, **OPTIONS)
def clamp(v, lowest, highest):  # type: ignore[no-untyped-def]
    """v, or the nearer end of the range; `highest` for NaN."""
    return higher(lower(v, highest), lowest)


@njit(forceinline=True, **OPTIONS)
def nearest_even(v, c, least_exponent, shift, zero):  # type: ignore[no-untyped-def]
    """Nearest even value of a binade element to c, which is v clamped, with the sign of v."""
    pattern = to_bits(c)
    exponent = largest(bit_and(pattern, EXPONENT), least_exponent)
    magic = from_bits(add(exponent, shift))
    magnitude = (from_bits(bit_and(pattern, MAGNITUDE)) + magic) - magic
    return from_bits(bit_or(to_bits(magnitude), bit_and(to_bits(v), SIGN))) + zero


@njit(**OPTIONS)
def round_all(v, a, q):  # type: ignore[no-untyped-def]
    """q = v rounded to the element of arguments `a`, whatever its form and ties; NaN gives anything. One loop per arithmetic."""
    if a.form == TABLE:
        _round_table(v, a.cuts, a.values, q)
    elif a.form == BINADE and a.mode == EVEN:
        _round_nearest(v, a.lowest, a.highest, a.least_exponent, a.shift, a.zero, a.overflow, q)
    elif a.form == BINADE and a.mode == UP:
        _round_biased(v, -a.lowest, a.highest - a.lowest, q)
    elif a.form == BINADE:
        _round_ties(v, a.lowest, a.highest, a.least_exponent, np.int32(a.mantissa_bits << 23), a.zero, a.mode, q)
    elif a.form == BRAIN:
        _round_brain(v, q)
    elif a.form == DOUBLE:
        for i in range(v.shape[0]):
            q[i] = _round_double(np.float64(v[i]), a.lowest, a.highest, a.min_exponent, a.mantissa_bits, a.zero, a.mode)
    elif a.form == NOTHING:
        for i in range(v.shape[0]):
            q[i] = np.float32(0)
    else:
        for i in range(v.shape[0]):
            q[i] = v[i]


@njit(**OPTIONS)
def _round_nearest(v, lowest, highest, least_exponent, shift, zero, overflow, q):  # type: ignore[no-untyped-def]
    for i in range(v.shape[0]):
        q[i] = round_even(v[i], lowest, highest, least_exponent, shift, zero)
    if overflow < np.float32(np.inf):
        for i in range(v.shape[0]):
            infinite = from_bits(bit_or(bit_and(to_bits(v[i]), SIGN), EXPONENT))
            q[i] = infinite if abs(v[i]) >= overflow else q[i]


@njit(**OPTIONS)
def _round_biased(v, bias, top, q):  # type: ignore[no-untyped-def]
    half = bias + np.float32(0.5)
    for i in range(v.shape[0]):
        steps = v[i] + half
        steps = steps if steps > np.float32(0) else np.float32(0)
        steps = steps if steps < top else top
        q[i] = truncate(steps) - bias


@njit(**OPTIONS)
def _round_ties(v, lowest, highest, least_exponent, mantissa, zero, mode, q):  # type: ignore[no-untyped-def]
    """Nearest values with ties away from zero, to zero, or to the lower value."""
    away, low = mode == AWAY, mode == LOW
    for i in range(v.shape[0]):
        c = v[i] if v[i] < highest else highest
        c = c if c > lowest else lowest
        pattern = to_bits(c)
        step = from_bits(subtract(largest(bit_and(pattern, EXPONENT), least_exponent), mantissa))
        steps = from_bits(bit_and(pattern, MAGNITUDE)) / step
        whole = truncate(steps)
        rest = steps - whole
        tie_up = away | (low & (c < np.float32(0)))
        up = (rest > np.float32(0.5)) | ((rest == np.float32(0.5)) & tie_up)
        magnitude = (whole + (np.float32(1) if up else np.float32(0))) * step
        q[i] = from_bits(bit_or(to_bits(magnitude), bit_and(to_bits(v[i]), SIGN))) + zero


@njit(**OPTIONS)
def _round_brain(v, q):  # type: ignore[no-untyped-def]
    for i in range(v.shape[0]):
        pattern = to_bits(v[i])
        odd = bit_and(shift_right_16(pattern), np.int32(1))
        q[i] = from_bits(bit_and(add(pattern, add(odd, np.int32(0x7FFF))), np.int32(-65536)))


@njit(**OPTIONS)
def _round_table(v, cuts, values, q):  # type: ignore[no-untyped-def]
    if cuts.shape[0] <= FEW_CUTS:
        for i in range(v.shape[0]):
            q[i] = values[0]
        for k in range(cuts.shape[0]):
            cut, value = cuts[k], values[k + 1]
            for i in range(v.shape[0]):
                q[i] = value if v[i] >= cut else q[i]
        return
    for i in range(v.shape[0]):
        low, high = 0, cuts.shape[0]
        while low < high:
            middle = (low + high) // 2
            if cuts[middle] <= v[i]:
                low = middle + 1
            else:
                high = middle
        q[i] = values[low]


@njit(**OPTIONS)
def _round_double(v, lowest, highest, min_exponent, mantissa_bits, zero, mode):  # type: ignore[no-untyped-def]
    """Binade rounding in float64, which holds every float32 step exactly."""
    c = min(max(v, np.float64(lowest)), np.float64(highest))
    magnitude = abs(c)
    exponent = max((to_bits64(magnitude) >> 52) - 1023, min_exponent)
    step = from_bits64(np.int64(exponent - mantissa_bits + 1023) << 52)
    ratio = magnitude / step
    whole = math.floor(ratio)
    rest = ratio - whole
    if mode == EVEN:
        up = rest > 0.5 or (rest == 0.5 and whole % 2 == 1)
    elif mode == AWAY:
        up = rest >= 0.5
    elif mode == LOW:
        up = rest > 0.5 or (rest == 0.5 and v < 0)
    else:
        up = rest > 0.5
    rounded = np.float32((whole + (1.0 if up else 0.0)) * step)
    return np.float32(math.copysign(rounded, c)) + zero
