"""Statistics of blocks of a (matrices, rows, columns) array, compiled; definitions in `blocks.statistics`."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from fewbits.block import Grid
from fewbits.kernels import blocks
from fewbits.kernels.arithmetic import OPTIONS
from fewbits.kernels.bits import EXPONENT, MAGNITUDE, bit_and, from_bits, largest, smallest, to_bits
from fewbits.kernels.lanes import LANES, lane_sum
from fewbits.kernels.sums import ORDERED_INFINITY, ordered, size_bits
from fewbits.kernels.vectors import largest_of, load
from fewbits.plan import Float32, Level


def statistics(x: Float32, grid: Grid, level: Level, zero: bool = False) -> tuple[Float32, Float32]:
    """(minimum, statistic) of each block over its finite values; zeros for a block without any."""
    out = np.zeros(grid.counts, np.float32)
    low = np.zeros(grid.counts, np.float32)
    if level.statistic == "amax":
        _amax(x, grid.rows, grid.columns, out)
    elif level.statistic == "signed":
        _signed(x, grid.rows, grid.columns, out)
    elif level.statistic == "range":
        high = np.full(grid.counts, -np.inf, np.float32)
        low = np.full(grid.counts, np.inf, np.float32)
        _range(x, grid.rows, grid.columns, low, high, zero)
        with np.errstate(over="ignore"):
            out = np.minimum(high - low, np.finfo(np.float32).max) + np.float32(0)
    elif level.statistic not in ("rms", "percentile"):
        return blocks.statistics(blocks.cut(np.where(np.isfinite(x), x, np.float32(np.nan)), grid), level, zero)
    else:
        scratch = np.empty(grid.rows * grid.columns)
        p = level.parameter
        if level.statistic == "rms":
            _rms(x, grid.rows, grid.columns, float(p), scratch, out)
        else:
            _percentile(x, grid.rows, grid.columns, p.numerator, p.denominator, scratch, out)
    return low, out


@njit(**OPTIONS)
def _amax(x, rows, columns, out):  # type: ignore[no-untyped-def]
    for m in range(x.shape[0]):
        for r in range(x.shape[1]):
            row = x[m, r]
            best = out[m, r // rows]
            whole = row.shape[0] // columns if columns == 16 or columns == 32 else 0
            for b in range(best.shape[0]):
                if b < whole:
                    sizes = size_bits(load(row, columns * b))
                    if columns == 32:
                        sizes = largest(sizes, size_bits(load(row, columns * b + 16)))
                    top = largest_of(sizes)
                    top = top if top < EXPONENT else _top(row[b * columns : (b + 1) * columns])
                else:
                    top = _top(row[b * columns : (b + 1) * columns])
                value = from_bits(top)
                best[b] = value if value > best[b] else best[b]


@njit(**OPTIONS)
def _top(part):  # type: ignore[no-untyped-def]
    """The bits of the largest finite magnitude."""
    top = np.int32(0)
    for i in range(part.shape[0]):
        pattern = bit_and(to_bits(part[i]), MAGNITUDE)
        top = largest(top, pattern if pattern < EXPONENT else np.int32(0))
    return top


@njit(**OPTIONS)
def _signed(x, rows, columns, out):  # type: ignore[no-untyped-def]
    for m in range(x.shape[0]):
        for r in range(x.shape[1]):
            row, best = x[m, r], out[m, r // rows]
            for b in range(best.shape[0]):
                part = row[b * columns : (b + 1) * columns]
                top = np.int32(0)
                for i in range(part.shape[0]):
                    pattern = bit_and(to_bits(part[i]), MAGNITUDE)
                    top = largest(top, pattern if pattern < EXPONENT else np.int32(0))
                if from_bits(top) > abs(best[b]):
                    for i in range(part.shape[0]):
                        if bit_and(to_bits(part[i]), MAGNITUDE) == top:
                            best[b] = part[i]
                            break


@njit(**OPTIONS)
def _range(x, rows, columns, low, high, zero):  # type: ignore[no-untyped-def]
    """low and high as ordered int32 while they are searched; blocks without a finite value end as 0."""
    for m in range(x.shape[0]):
        for r in range(x.shape[1]):
            row, lows, highs = x[m, r], low[m, r // rows], high[m, r // rows]
            for b in range(lows.shape[0]):
                part = row[b * columns : (b + 1) * columns]
                bottom, top = ordered(to_bits(lows[b])), ordered(to_bits(highs[b]))
                for i in range(part.shape[0]):
                    finite = bit_and(to_bits(part[i]), MAGNITUDE) < EXPONENT
                    v = ordered(to_bits(part[i]))
                    bottom = smallest(bottom, v if finite else ORDERED_INFINITY)
                    top = largest(top, v if finite else -ORDERED_INFINITY)
                lows[b] = from_bits(ordered(bottom))
                highs[b] = from_bits(ordered(top))
    for m in range(low.shape[0]):
        for r in range(low.shape[1]):
            for c in range(low.shape[2]):
                if low[m, r, c] > high[m, r, c]:
                    low[m, r, c] = high[m, r, c] = np.float32(0)
                if zero:
                    low[m, r, c] = min(low[m, r, c], np.float32(0))
                    high[m, r, c] = max(high[m, r, c], np.float32(0))
                low[m, r, c] += np.float32(0)


@njit(**OPTIONS)
def _gather(x, m, r, c, rows, columns, scratch):  # type: ignore[no-untyped-def]
    """The values of one block in the order of a full one, NaN where there is none; the count of finite values."""
    count = 0
    for i in range(rows):
        for j in range(columns):
            y, z = r * rows + i, c * columns + j
            v = np.float64(np.nan)
            if y < x.shape[1] and z < x.shape[2] and math.isfinite(x[m, y, z]):
                v = np.float64(x[m, y, z])
                count += 1
            scratch[i * columns + j] = v
    return count


@njit(**OPTIONS)
def _rms(x, rows, columns, factor, scratch, out):  # type: ignore[no-untyped-def]
    lanes = np.zeros(LANES)
    for m in range(out.shape[0]):
        for r in range(out.shape[1]):
            for c in range(out.shape[2]):
                count = _gather(x, m, r, c, rows, columns, scratch)
                for i in range(scratch.shape[0]):
                    v = scratch[i]
                    scratch[i] = 0.0 if v != v else v * v
                value = factor * math.sqrt(lane_sum(scratch, lanes) / max(count, 1))
                out[m, r, c] = np.float32(min(value, 3.4028234663852886e38))


@njit(**OPTIONS)
def _percentile(x, rows, columns, numerator, denominator, scratch, out):  # type: ignore[no-untyped-def]
    for m in range(out.shape[0]):
        for r in range(out.shape[1]):
            for c in range(out.shape[2]):
                count = _gather(x, m, r, c, rows, columns, scratch)
                for i in range(scratch.shape[0]):
                    v = scratch[i]
                    scratch[i] = np.inf if v != v else abs(v)
                index = -((-count * numerator) // (100 * denominator)) - 1
                if count:
                    out[m, r, c] = np.float32(_select(scratch, max(index, 0)))


@njit(**OPTIONS)
def _select(v, k):  # type: ignore[no-untyped-def]
    """The k-th smallest of v, which is reordered (Hoare, Algorithm 65)."""
    low, high = 0, v.shape[0] - 1
    while low < high:
        pivot, i, j = v[(low + high) // 2], low, high
        while i <= j:
            while v[i] < pivot:
                i += 1
            while pivot < v[j]:
                j -= 1
            if i <= j:
                v[i], v[j] = v[j], v[i]
                i += 1
                j -= 1
        if j < k:
            low = i
        if k < i:
            high = j
    return v[k]
