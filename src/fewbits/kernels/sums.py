"""Sums of errors and of values, compiled, in an order that depends on nothing but shape: see `docs/method.md`."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from fewbits.kernels.arithmetic import OPTIONS
from fewbits.kernels.bits import (
    EXPONENT,
    MAGNITUDE,
    add,
    bit_and,
    bit_xor,
    differs,
    equals,
    from_bits,
    largest,
    sign_mask,
    smallest,
    to_bits,
)
from fewbits.kernels.lanes import lane_sum
from fewbits.kernels.vectors import LANES, every, fold, largest_of, load, store, sum_of

STRIP = 1024  # values that are worked on together: small enough for the first-level cache
ERRORS = 7  # Σe, Σe², Σxe, Σ|e|, max|e|, zeros made, clipped
SIGNALS = 10  # count, Σx, Σx², Σ|x|, max|x|, minimum, maximum, NaNs, infinities, zeros
SQUARED, ABSOLUTE, LARGEST = range(3)
ORDERED_INFINITY = EXPONENT
LARGE = np.float32(1e18)  # from here on squares may leave float32
SMALL = np.float32(1e-14)  # below it they may vanish


@njit(**OPTIONS)
def add_errors(x, y, n, clipped, scratch, total):  # type: ignore[no-untyped-def]
    """Add the error sums of the first n values of the strips x and y to `total`; both are filled with zeros behind them.

    Order: the strip padded to 64 · 2^k values; its four quarters are added pairwise, then halves, down to 16 float32 lanes of
    at most 64 values each, which are added in float64 one after the other. Strips with numbers that are not finite, or whose
    squares might leave float32, are added in float64 instead: value i to lane i mod 16, then the lanes.
    """
    size = 64
    while size < n:
        size *= 2
    for i in range(n, size):
        x[i] = np.float32(0)
        y[i] = np.float32(0)
    q = size // 4
    zeros, top, top_x = every(np.int32(0)), every(np.int32(0)), every(np.int32(0))
    for i in range(0, q, LANES):
        x0, x1, x2, x3 = load(x, i), load(x, q + i), load(x, 2 * q + i), load(x, 3 * q + i)
        y0, y1, y2, y3 = load(y, i), load(y, q + i), load(y, 2 * q + i), load(y, 3 * q + i)
        zeros, top, top_x = add_four(x0, x1, x2, x3, y0, y1, y2, y3, scratch, i, zeros, top, top_x)
    if not add_lanes(scratch, q, largest_of(top), largest_of(top_x), sum_of(zeros), np.float64(clipped), total):
        add_wide(x, y, n, np.float64(clipped), total)


@njit(forceinline=True, **OPTIONS)
def add_four(x0, x1, x2, x3, y0, y1, y2, y3, scratch, i, zeros, top, top_x):  # type: ignore[no-untyped-def]
    """The sums of lanes of four quarters go to scratch[:, i : i + 16]; (zeros made, bits of max|e|, bits of max|x|) so far."""
    zeros = add(add(add(zeros, made(x0, y0)), made(x1, y1)), add(made(x2, y2), made(x3, y3)))
    e0, e1, e2, e3 = y0 - x0, y1 - x1, y2 - x2, y3 - x3
    store(scratch[0], i, (e0 + e1) + (e2 + e3))
    store(scratch[1], i, (e0 * e0 + e1 * e1) + (e2 * e2 + e3 * e3))
    store(scratch[2], i, (e0 * x0 + e1 * x1) + (e2 * x2 + e3 * x3))
    a0, a1, a2, a3 = size_bits(e0), size_bits(e1), size_bits(e2), size_bits(e3)
    store(scratch[3], i, (from_bits(a0) + from_bits(a1)) + (from_bits(a2) + from_bits(a3)))
    top = largest(top, largest(largest(a0, a1), largest(a2, a3)))
    top_x = largest(top_x, largest(largest(size_bits(x0), size_bits(x1)), largest(size_bits(x2), size_bits(x3))))
    return zeros, top, top_x


@njit(**OPTIONS)
def add_lanes(scratch, quarter, top, top_x, zeros, clipped, total):  # type: ignore[no-untyped-def]
    """Add the four sums of `quarter` numbers in the rows of scratch, and the rest, to total; False if float32 does not hold them.

    `top` and `top_x` are the bits of max|e| and max|x|.
    """
    biggest, error = from_bits(top_x), from_bits(top)
    if not (biggest < LARGE and error < LARGE and (error == np.float32(0) or error > SMALL)):
        return False
    if quarter == 16 * LANES:
        for k in range(4):
            store(scratch[k], 0, fold(scratch[k]))
    else:
        width = quarter // 2
        while width >= LANES:
            for k in range(4):
                low, high = scratch[k, :width], scratch[k, width : 2 * width]
                for i in range(low.shape[0]):
                    low[i] += high[i]
            width //= 2
    a, b, c, d = 0.0, 0.0, 0.0, 0.0  # side by side, so that none waits for another
    for i in range(LANES):
        a += np.float64(scratch[0, i])
        b += np.float64(scratch[1, i])
        c += np.float64(scratch[2, i])
        d += np.float64(scratch[3, i])
    total[0] += a
    total[1] += b
    total[2] += c
    total[3] += d
    total[4] = max(total[4], np.float64(error))
    total[5] += zeros
    total[6] += clipped
    return True


@njit(forceinline=True, **OPTIONS)
def ordered(pattern):  # type: ignore[no-untyped-def]
    """Bits of a float as an int32 in the order of the floats, and back: integers have extremes that compilers vectorise."""
    return bit_xor(pattern, bit_and(sign_mask(pattern), MAGNITUDE))


@njit(forceinline=True, **OPTIONS)
def made(x, y):  # type: ignore[no-untyped-def]
    """1 where y became zero and x was not."""
    return bit_and(equals(y, np.float32(0)), differs(x, np.float32(0)))


@njit(forceinline=True, **OPTIONS)
def size_bits(x):  # type: ignore[no-untyped-def]
    """The bits of |x|."""
    return bit_and(to_bits(x), MAGNITUDE)


@njit(**OPTIONS)
def add_wide(x, y, n, clipped, total):  # type: ignore[no-untyped-def]
    """The same in float64, over finite x."""
    lanes = np.zeros((4, LANES))
    for i in range(n):
        if math.isfinite(x[i]):
            e = np.float64(y[i]) - np.float64(x[i])
            lane = i % LANES
            lanes[0, lane] += e
            lanes[1, lane] += e * e
            lanes[2, lane] += e * np.float64(x[i])
            lanes[3, lane] += abs(e)
            total[4] = max(total[4], abs(e))
            total[5] += 1.0 if y[i] == 0 and x[i] != 0 else 0.0
    for k in range(4):
        subtotal = 0.0
        for i in range(LANES):
            subtotal += lanes[k, i]
        total[k] += subtotal
    total[6] += clipped


@njit(**OPTIONS)
def sum_errors(x, y, clipped, group_rows, group_columns, out):  # type: ignore[no-untyped-def]
    """Add the error sums of x and y (matrices, rows, columns) to out (matrices, row groups, column groups, 7).

    Groups have (group_rows, group_columns) values, the last of an axis fewer; (0, 0): everything is one group.
    """
    a, b = np.empty(STRIP, np.float32), np.empty(STRIP, np.float32)
    scratch = np.empty((4, STRIP // 4), np.float32)
    tall = group_rows if group_rows else x.shape[1]
    wide = group_columns if group_columns else x.shape[2]
    for m in range(x.shape[0]):
        for top in range(0, x.shape[1], tall):
            for left in range(0, x.shape[2], wide):
                total = out[m if group_rows else 0, top // tall, left // wide]
                right = min(left + wide, x.shape[2])
                held = np.int64(0)
                for r in range(top, min(top + tall, x.shape[1])):
                    start = left
                    while start < right:
                        stop = min(start + STRIP - held, right)
                        given, made_of_it = x[m, r, start:stop], y[m, r, start:stop]
                        for i in range(stop - start):
                            a[held + i] = given[i]
                            b[held + i] = made_of_it[i]
                        held += stop - start
                        start = stop
                        if held == STRIP:
                            add_errors(a, b, held, np.int32(0), scratch, total)
                            held = np.int64(0)
                if held:
                    add_errors(a, b, held, np.int32(0), scratch, total)
    out[0, 0, 0, 6] += clipped


@njit(**OPTIONS)
def block_errors(x, y, rows, columns, kind, scratch, lanes, out):  # type: ignore[no-untyped-def]
    """Σ (y − x)², Σ |y − x| or max |y − x| of each block, in the order of `blocks.squared_error`."""
    for m in range(out.shape[0]):
        for r in range(out.shape[1]):
            for c in range(out.shape[2]):
                for i in range(rows):
                    for j in range(columns):
                        u, v = r * rows + i, c * columns + j
                        e = 0.0
                        if u < x.shape[1] and v < x.shape[2] and math.isfinite(x[m, u, v]):
                            e = np.float64(y[m, u, v] - x[m, u, v])
                        scratch[i * columns + j] = e * e if kind == SQUARED else abs(e)
                if kind == LARGEST:
                    top = 0.0
                    for i in range(scratch.shape[0]):
                        top = max(top, scratch[i])
                    out[m, r, c] = top
                else:
                    out[m, r, c] = lane_sum(scratch, lanes)


@njit(**OPTIONS)
def sum_signal(x, out):  # type: ignore[no-untyped-def]
    """Add the sums of flat x to out (10), strip by strip in the order of `add_errors`, all in float64."""
    strip, scratch = np.zeros(STRIP, np.float32), np.empty((3, STRIP // 4))
    for start in range(0, x.shape[0], STRIP):
        part = x[start : start + STRIP]
        bottom, top, size, zeros = ORDERED_INFINITY, -ORDERED_INFINITY, np.int32(0), np.int32(0)
        for i in range(part.shape[0]):
            bottom = smallest(bottom, ordered(to_bits(part[i])))
            top = largest(top, ordered(to_bits(part[i])))
            size = largest(size, size_bits(part[i]))
            zeros = add(zeros, np.int32(1) if part[i] == np.float32(0) else np.int32(0))
        if from_bits(size) < np.float32(np.inf):
            out[0] += part.shape[0]
            out[4] = max(out[4], np.float64(from_bits(size)))
            out[5] = min(out[5], np.float64(from_bits(ordered(bottom))))
            out[6] = max(out[6], np.float64(from_bits(ordered(top))))
        else:
            part = _finite_part(part, out)
        out[9] += zeros
        for i in range(part.shape[0]):
            strip[i] = part[i]
        for i in range(part.shape[0], STRIP):
            strip[i] = np.float32(0)
        _add_powers(strip, scratch, out)


@njit(**OPTIONS)
def _add_powers(x, scratch, out):  # type: ignore[no-untyped-def]
    """Add Σx, Σx² and Σ|x| of a full strip to out[1:4]."""
    quarter = STRIP // 4
    x0, x1, x2, x3 = x[:quarter], x[quarter : 2 * quarter], x[2 * quarter : 3 * quarter], x[3 * quarter :]
    h0, h1, h2 = scratch[0], scratch[1], scratch[2]
    for i in range(x0.shape[0]):
        a, b, c, d = np.float64(x0[i]), np.float64(x1[i]), np.float64(x2[i]), np.float64(x3[i])
        h0[i] = (a + b) + (c + d)
        h1[i] = (a * a + b * b) + (c * c + d * d)
        h2[i] = (abs(a) + abs(b)) + (abs(c) + abs(d))
    width = quarter // 2
    while width >= LANES:
        for k in range(3):
            low, high = scratch[k, :width], scratch[k, width : 2 * width]
            for i in range(low.shape[0]):
                low[i] += high[i]
        width //= 2
    for k in range(3):
        for i in range(LANES):
            out[1 + k] += scratch[k, i]


@njit(**OPTIONS)
def _finite_part(part, out):  # type: ignore[no-untyped-def]
    """The strip with zeros for what is not finite; counts and extremes of the rest are added to out."""
    clean = part.copy()
    for i in range(part.shape[0]):
        v = part[i]
        if math.isfinite(v):
            out[0] += 1.0
            out[4] = max(out[4], np.float64(abs(v)))
            out[5] = min(out[5], np.float64(v))
            out[6] = max(out[6], np.float64(v))
        else:
            out[7 if v != v else 8] += 1.0
            clean[i] = np.float32(0)
    return clean
