"""Every scaled arithmetic there is, compiled: tables, any ties, reciprocals, exact scales, minima, zero points, alignment."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from fewbits.kernels.arithmetic import OPTIONS, Arguments, round_one
from fewbits.kernels.bits import truncate
from fewbits.kernels.fast import spread
from fewbits.kernels.sums import STRIP
from fewbits.plan import Float32


class Blocks(NamedTuple):
    """What the loops need beside x: grids of one number per block (or one for all), and how to use them.

    shifted = x + shift; v = shifted · factor / divisor; q = v rounded; y = q · scale + offset; with zero points
    q = v rounded + zero point, clamped, and y = (q − zero point) · scale.
    """

    rows: int
    columns: int
    divisor: Float32  # infinite where the scale is zero
    factor: Float32
    scale: Float32
    shift: Float32
    offset: Float32
    zero_point: Float32
    has_zero_point: bool
    window: np.float32
    element: Arguments


@njit(**OPTIONS)
def reconstruct(x, blocks, elements, y):  # type: ignore[no-untyped-def]
    """Fill `elements` and y for x of (matrices, rows, columns); non-finite x pass through. The number of clipped values."""
    strip = np.empty((6, STRIP), np.float32)
    grids = (blocks.divisor, blocks.factor, blocks.scale, blocks.shift, blocks.offset, blocks.zero_point)
    clipped = 0.0
    for m in range(x.shape[0]):
        for r in range(x.shape[1]):
            for start in range(0, x.shape[2], STRIP):
                stop = min(start + STRIP, x.shape[2])
                for k in range(6):
                    grid = grids[k]
                    numbers = grid[m if grid.shape[0] > 1 else 0, r // blocks.rows if grid.shape[1] > 1 else 0]
                    spread(numbers, start, stop, blocks.columns, strip[k])
                clipped += _round_strip(x[m, r, start:stop], strip, blocks, elements[m, r, start:stop], y[m, r, start:stop])
    return clipped


@njit(**OPTIONS)
def _round_strip(x, strip, blocks, elements, y):  # type: ignore[no-untyped-def]
    clipped = 0
    a = blocks.element
    for i in range(x.shape[0]):
        if not math.isfinite(x[i]):
            elements[i] = y[i] = x[i]
            continue
        v = (x[i] + strip[3, i]) * strip[1, i] / strip[0, i]
        if blocks.has_zero_point:
            z = strip[5, i]
            wanted = _nearest_even(v) + z
            q = min(max(wanted, a.lowest), a.highest) + np.float32(0)
            elements[i] = q
            y[i] = (q - z) * strip[2, i]
            clipped += q != wanted
            continue
        if blocks.window:
            v = truncate(v * blocks.window) / blocks.window
            if abs(x[i]) < np.float32(1.1754944e-38):
                v = np.float32(0)
        q = round_one(v, a)
        elements[i] = q
        y[i] = q * strip[2, i] + strip[4, i]
        clipped += v > a.highest or v < a.lowest
    return clipped


@njit(inline="always", **OPTIONS)
def _nearest_even(v):  # type: ignore[no-untyped-def]
    magic = np.float32(8388608.0)
    magnitude = abs(v)
    rounded = (magnitude + magic) - magic if magnitude < magic else magnitude
    return np.float32(math.copysign(rounded, v))


@njit(**OPTIONS)
def round_flat(x, a, y):  # type: ignore[no-untyped-def]
    """Fill flat y with flat x rounded to an element without scale; non-finite x pass through. The number of clipped values."""
    clipped = 0.0
    for i in range(x.shape[0]):
        y[i] = round_one(x[i], a) if math.isfinite(x[i]) else x[i]
        clipped += math.isfinite(x[i]) and (x[i] > a.highest or x[i] < a.lowest)
    return clipped
