"""Rounding to an element in numpy. Part of the definition, see `reference`."""

from __future__ import annotations

import numpy as np

from fewbits.plan import BINADE, BRAIN, EXACT, NOTHING, UP, Float32, Rounding


def round_to(x: Float32, r: Rounding) -> Float32:
    """x rounded to the element: finite values saturate (wide floats overflow to infinity), NaN stays."""
    if r.form == EXACT:
        return x
    if r.form == NOTHING:
        return np.where(np.isnan(x), x, np.float32(0))
    if r.form == BRAIN:
        u = x.view(np.uint32).astype(np.uint64)
        y = (((u + 0x7FFF + ((u >> 16) & 1)) >> 16) << 16).astype(np.uint32).view(np.float32)
        return np.where(np.isnan(x), x, y)
    if r.element.kind == "wide":
        y = _round_binade(x, r)
        return np.where(np.abs(x) >= np.float32(r.overflow), np.copysign(np.float32(np.inf), x), y).astype(np.float32)
    if r.mode == UP and r.form == BINADE:
        bias = np.float32(-r.lowest)
        v = np.clip(np.trunc(x + (bias + np.float32(0.5))), 0, np.float32(r.highest - r.lowest)) - bias
        return np.where(np.isnan(x), x, v).astype(np.float32)
    index = np.searchsorted(r.cuts, x, side="right")
    y = r.values[np.minimum(index, len(r.values) - 1)]
    if r.negative_zero:
        y = np.where((y == 0) & np.signbit(x), np.float32(-0.0), y)
    return np.where(np.isnan(x), x, y).astype(np.float32)


def _round_binade(x: Float32, r: Rounding) -> Float32:
    """Nearest even multiple of the step of x's binade, in float64 (exact for float32 input)."""
    v = np.clip(x.astype(np.float64), r.lowest, r.highest)
    exponent = np.maximum(np.frexp(v)[1] - 1, r.min_exponent)
    step = np.ldexp(1.0, exponent - r.mantissa_bits)
    y = np.rint(v / step) * step
    return np.where(np.isnan(x), x, np.copysign(y, x)).astype(np.float32)
