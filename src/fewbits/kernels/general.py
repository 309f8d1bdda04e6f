"""Every scaled arithmetic there is, compiled: tables, any ties, reciprocals, exact scales, minima, zero points, alignment."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from fewbits.kernels.arithmetic import OPTIONS, Arguments, round_all
from fewbits.kernels.bits import SIGN, add, bit_and, bit_or, from_bits, to_bits, truncate
from fewbits.kernels.fast import spread
from fewbits.kernels.sums import STRIP
from fewbits.plan import Float32

SMALLEST_NORMAL = np.float32(1.1754943508222875e-38)
INFINITY = np.float32(np.inf)
LARGEST = np.float32(np.finfo(np.float32).max)
WHOLE = np.float32(8388608.0)  # 2^23: from here on float32 holds integers only


class Blocks(NamedTuple):
    """What the loops need beside x: grids of one number per block (or one for all), and how to use them.

    shifted = x + shift, saturated; v = shifted · factor / divisor; q = v rounded; y = q · scale + offset; with zero points
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
    added_before: bool  # the zero point, before rounding
    window: np.float32
    element: Arguments


@njit(**OPTIONS)
def reconstruct(x, blocks, elements, y):  # type: ignore[no-untyped-def]
    """Fill `elements` and y for x of (matrices, rows, columns); non-finite x pass through. The number of clipped values."""
    strip, v = np.empty((6, STRIP), np.float32), np.empty(STRIP, np.float32)
    grids = (blocks.divisor, blocks.factor, blocks.scale, blocks.shift, blocks.offset, blocks.zero_point)
    lowest, highest = blocks.element.lowest, blocks.element.highest
    clipped = 0.0
    for k in range(6):
        if grids[k].size == 1:  # one number for all blocks: spread once
            for i in range(STRIP):
                strip[k, i] = grids[k][0, 0, 0]
    for m in range(x.shape[0]):
        for r in range(x.shape[1]):
            for start in range(0, x.shape[2], STRIP):
                stop = min(start + STRIP, x.shape[2])
                n = stop - start
                for k in range(6):
                    grid = grids[k]
                    if grid.size == 1:
                        continue
                    numbers = grid[m if grid.shape[0] > 1 else 0, r // blocks.rows if grid.shape[1] > 1 else 0]
                    spread(numbers, start, stop, blocks.columns, strip[k])
                given, q, out = x[m, r, start:stop], elements[m, r, start:stop], y[m, r, start:stop]
                _to_elements(given, strip[0, :n], strip[1, :n], strip[3, :n], blocks.window, v[:n])
                if blocks.has_zero_point:
                    clipped += _round_to_zero_point(
                        v[:n], strip[5, :n], strip[2, :n], lowest, highest, blocks.added_before, given, q, out
                    )
                else:
                    round_all(v[:n], blocks.element, q)
                    clipped += _from_elements(given, v[:n], strip[2, :n], strip[4, :n], lowest, highest, q, out)
    return clipped


@njit(**OPTIONS)
def _to_elements(x, divisor, factor, shift, window, v):  # type: ignore[no-untyped-def]
    for i in range(x.shape[0]):
        shifted = x[i] + shift[i]
        shifted = shifted if shifted < LARGEST else LARGEST
        shifted = shifted if shifted > -LARGEST else -LARGEST
        v[i] = shifted * factor[i] / divisor[i]
    if window:
        for i in range(x.shape[0]):
            aligned = truncate(v[i] * window) / window
            v[i] = aligned if abs(x[i]) >= SMALLEST_NORMAL else np.float32(0)


@njit(**OPTIONS)
def _from_elements(x, v, scale, offset, lowest, highest, q, y):  # type: ignore[no-untyped-def]
    clipped = np.int32(0)
    for i in range(x.shape[0]):
        finite = abs(x[i]) < INFINITY
        y[i] = q[i] * scale[i] + offset[i] if finite else x[i]
        q[i] = q[i] if finite else x[i]
        clipped = add(clipped, np.int32(1) if ((v[i] > highest) | (v[i] < lowest)) & finite else np.int32(0))
    return clipped


@njit(**OPTIONS)
def _round_to_zero_point(v, zero_point, scale, lowest, highest, before, x, q, y):  # type: ignore[no-untyped-def]
    clipped = np.int32(0)
    for i in range(x.shape[0]):
        finite = abs(x[i]) < INFINITY
        value = v[i] + zero_point[i] if before else v[i]
        magnitude = abs(value)
        rounded = (magnitude + WHOLE) - WHOLE if magnitude < WHOLE else magnitude
        rounded = from_bits(bit_or(to_bits(rounded), bit_and(to_bits(value), SIGN)))
        wanted = rounded if before else rounded + zero_point[i]
        kept = wanted if wanted < highest else highest
        kept = (kept if kept > lowest else lowest) + np.float32(0)
        y[i] = (kept - zero_point[i]) * scale[i] if finite else x[i]
        q[i] = kept if finite else x[i]
        clipped = add(clipped, np.int32(1) if (kept != wanted) & finite else np.int32(0))
    return clipped


@njit(**OPTIONS)
def round_flat(x, a, y):  # type: ignore[no-untyped-def]
    """Fill flat y with flat x rounded to an element without scale; non-finite x pass through. The number of clipped values."""
    round_all(x, a, y)
    lowest, highest = a.lowest, a.highest
    clipped = np.int32(0)
    for i in range(x.shape[0]):
        finite = abs(x[i]) < INFINITY
        y[i] = y[i] if finite else x[i]
        clipped = add(clipped, np.int32(1) if ((x[i] > highest) | (x[i] < lowest)) & finite else np.int32(0))
    return float(clipped)
