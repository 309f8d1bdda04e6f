"""The fast path, compiled: binade elements, ties to even, values divided by the stored scale, no offsets."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from fewbits.kernels.arithmetic import OPTIONS, round_all, round_even
from fewbits.kernels.bits import EXPONENT, MAGNITUDE, SIGN, add, bit_and, bit_or, from_bits, largest, to_bits, truncate
from fewbits.kernels.sums import STRIP, add_errors, add_lanes, made, size_bits
from fewbits.kernels.vectors import fill16, fill32

SMALLEST_NORMAL = np.int32(0x00800000)


@njit(**OPTIONS)
def spread(row, start, stop, columns, out):  # type: ignore[no-untyped-def]
    """out[i] = the number of the block that column start + i lies in; `row` holds one number per block, or one for all."""
    if row.shape[0] == 1:
        for i in range(stop - start):
            out[i] = row[0]
        return
    b = start // columns
    at, length = 0, stop - start
    if start == b * columns and columns == 16:
        for k in range(length // 16):
            fill16(out, 16 * k, row[b + k])
        at = length // 16 * 16
    elif start == b * columns and columns == 32:
        for k in range(length // 32):
            fill32(out, 32 * k, row[b + k])
        at = length // 32 * 32
    b += at // columns
    end = (b + 1) * columns - start
    while at < length:
        part = out[at : min(end, length)]
        value = row[b]
        for i in range(part.shape[0]):
            part[i] = value
        at = end
        end += columns
        b += 1


@njit(inline="always", **OPTIONS)
def _scale(divisor):  # type: ignore[no-untyped-def]
    """Zero, of its sign, for an infinite divisor; else the divisor."""
    pattern = to_bits(divisor)
    return divisor if bit_and(pattern, MAGNITUDE) < EXPONENT else from_bits(bit_and(pattern, SIGN))


@njit(inline="always", **OPTIONS)
def _one(x, s, scale, lowest, highest, least_exponent, shift, zero, window, aligned):  # type: ignore[no-untyped-def]
    """(reconstruction, 1 where x is beyond the element's range); x is finite, or its count of no use."""
    v = x / s
    if aligned:
        v = truncate(v * window) * (np.float32(1) / window)
        v = v if bit_and(to_bits(x), MAGNITUDE) >= SMALLEST_NORMAL else np.float32(0)
    y = round_even(v, lowest, highest, least_exponent, shift, zero) * scale
    return y, np.int32(1) if (v > highest) | (v < lowest) else np.int32(0)


@njit(**OPTIONS)
def round_strip(x, s, lowest, highest, least_exponent, shift, zero, window, y):  # type: ignore[no-untyped-def]
    """y = x rounded with divisors s (infinite for a zero scale); how many finite x lie beyond the element's range.

    `window` other than 0 truncates magnitudes to multiples of 1 / window first (block floats).
    """
    clipped, aligned = np.int32(0), window != np.float32(0)
    for i in range(x.shape[0]):
        y[i], beyond = _one(x[i], s[i], _scale(s[i]), lowest, highest, least_exponent, shift, zero, window, aligned)
        clipped = add(clipped, beyond if bit_and(to_bits(x[i]), MAGNITUDE) < EXPONENT else np.int32(0))
    return clipped


def _make_add_strip(aligned: bool) -> Any:
    """One loop for each: the compiler does not take the question out of a loop this long."""

    @njit(**OPTIONS)
    def add_strip(x, s, t, lowest, highest, least_exponent, shift, zero, window, scratch, total):  # type: ignore[no-untyped-def]
        """`round_strip` and `sums.add_errors` of a full strip, t the scales; False if float32 does not hold its sums."""
        q = x.shape[0] // 4
        x0, x1, x2, x3 = x[:q], x[q : 2 * q], x[2 * q : 3 * q], x[3 * q :]
        s0, s1, s2, s3 = s[:q], s[q : 2 * q], s[2 * q : 3 * q], s[3 * q :]
        t0, t1, t2, t3 = t[:q], t[q : 2 * q], t[2 * q : 3 * q], t[3 * q :]
        h0, h1, h2, h3 = scratch[0, :q], scratch[1, :q], scratch[2, :q], scratch[3, :q]
        zeros, top, top_x, clipped = np.int32(0), np.int32(0), np.int32(0), np.int32(0)
        for i in range(x0.shape[0]):
            a, ca = _one(x0[i], s0[i], t0[i], lowest, highest, least_exponent, shift, zero, window, aligned)
            b, cb = _one(x1[i], s1[i], t1[i], lowest, highest, least_exponent, shift, zero, window, aligned)
            c, cc = _one(x2[i], s2[i], t2[i], lowest, highest, least_exponent, shift, zero, window, aligned)
            d, cd = _one(x3[i], s3[i], t3[i], lowest, highest, least_exponent, shift, zero, window, aligned)
            clipped = add(clipped, add(add(ca, cb), add(cc, cd)))
            zeros = add(zeros, add(add(made(x0[i], a), made(x1[i], b)), add(made(x2[i], c), made(x3[i], d))))
            a, b, c, d = a - x0[i], b - x1[i], c - x2[i], d - x3[i]
            h0[i] = (a + b) + (c + d)
            h1[i] = (a * a + b * b) + (c * c + d * d)
            h2[i] = (a * x0[i] + b * x1[i]) + (c * x2[i] + d * x3[i])
            a, b, c, d = abs(a), abs(b), abs(c), abs(d)
            h3[i] = (a + b) + (c + d)
            top = largest(top, largest(largest(to_bits(a), to_bits(b)), largest(to_bits(c), to_bits(d))))
            top_x = largest(
                top_x, largest(largest(size_bits(x0[i]), size_bits(x1[i])), largest(size_bits(x2[i]), size_bits(x3[i])))
            )
        return add_lanes(scratch, q, top, top_x, zeros, np.float64(clipped), total)

    return add_strip


_add_strip, _add_aligned_strip = _make_add_strip(False), _make_add_strip(True)


@njit(**OPTIONS)
def divisors(s):  # type: ignore[no-untyped-def]
    """Flat scales to divide by: infinity, of the sign of the scale, for zero."""
    out = np.empty_like(s)
    for i in range(s.shape[0]):
        out[i] = s[i] if s[i] != np.float32(0) else from_bits(bit_or(to_bits(s[i]), EXPONENT))
    return out


@njit(**OPTIONS)
def reconstruct(x, divisor, rows, columns, element, window, y):  # type: ignore[no-untyped-def]
    """Fill y for x of (matrices, rows, columns); non-finite x pass through."""
    lowest, highest, least_exponent, shift, zero = element
    s = np.empty(STRIP, np.float32)
    for m in range(x.shape[0]):
        for r in range(x.shape[1]):
            numbers = divisor[m if divisor.shape[0] > 1 else 0, r // rows if divisor.shape[1] > 1 else 0]
            for start in range(0, x.shape[2], STRIP):
                stop = min(start + STRIP, x.shape[2])
                n = stop - start
                spread(numbers, np.int64(start), stop, columns, s)
                given, out = x[m, r, start:stop], y[m, r, start:stop]
                round_strip(given, s[:n], lowest, highest, least_exponent, shift, zero, window, out)
                for i in range(n):
                    out[i] = out[i] if bit_and(to_bits(given[i]), MAGNITUDE) < EXPONENT else given[i]


@njit(**OPTIONS)
def sum_errors(x, divisor, rows, columns, element, window, group_rows, group_columns, out):  # type: ignore[no-untyped-def]
    """As `sums.sum_errors`, with reconstructions that never leave the cache."""
    lowest, highest, least_exponent, shift, zero = element
    a, s, y, t = (
        np.empty(STRIP, np.float32),
        np.empty(STRIP, np.float32),
        np.empty(STRIP, np.float32),
        np.empty(STRIP, np.float32),
    )
    scratch = np.empty((4, STRIP // 4), np.float32)
    zero_scales = _any_infinite(divisor)
    tall = group_rows if group_rows else x.shape[1]
    wide = group_columns if group_columns else x.shape[2]
    for m in range(x.shape[0]):
        for top in range(0, x.shape[1], tall):
            for left in range(0, x.shape[2], wide):
                total = out[m if group_rows else 0, top // tall, left // wide]
                right = min(left + wide, x.shape[2])
                held = np.int64(0)
                for r in range(top, min(top + tall, x.shape[1])):
                    numbers = divisor[m if divisor.shape[0] > 1 else 0, r // rows if divisor.shape[1] > 1 else 0]
                    start = left
                    while start < right:
                        stop = min(start + STRIP - held, right)
                        given = x[m, r, start:stop]
                        spread(numbers, start, stop, columns, s[held:])
                        strip = given if stop - start == STRIP else a
                        if stop - start < STRIP:
                            kept = a[held : held + stop - start]
                            for i in range(kept.shape[0]):
                                kept[i] = given[i]
                        held += stop - start
                        start = stop
                        if held == STRIP:
                            held = np.int64(0)
                            scales = s
                            if zero_scales:
                                for i in range(STRIP):
                                    t[i] = _scale(s[i])
                                scales = t
                            if window:
                                done = _add_aligned_strip(
                                    strip,
                                    s,
                                    scales,
                                    lowest,
                                    highest,
                                    least_exponent,
                                    shift,
                                    zero,
                                    window,
                                    scratch,
                                    total,
                                )
                            else:
                                done = _add_strip(
                                    strip,
                                    s,
                                    scales,
                                    lowest,
                                    highest,
                                    least_exponent,
                                    shift,
                                    zero,
                                    window,
                                    scratch,
                                    total,
                                )
                            if not done:
                                clipped = round_strip(strip, s, lowest, highest, least_exponent, shift, zero, window, y)
                                add_errors(strip, y, strip.shape[0], clipped, scratch, total)
                if held:
                    clipped = round_strip(
                        a[:held], s[:held], lowest, highest, least_exponent, shift, zero, window, y[:held]
                    )
                    add_errors(a, y, held, clipped, scratch, total)


@njit(**OPTIONS)
def sum_unscaled_errors(x, a, group_rows, group_columns, out):  # type: ignore[no-untyped-def]
    """The same for x rounded to the element of arguments `a`, without scales."""
    strip, y = np.empty(STRIP, np.float32), np.empty(STRIP, np.float32)
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
                        given, kept = x[m, r, start:stop], strip[held : held + stop - start]
                        for i in range(kept.shape[0]):
                            kept[i] = given[i]
                        held += stop - start
                        start = stop
                        if held == STRIP:
                            _add_unscaled(strip, held, a, y, scratch, total)
                            held = np.int64(0)
                if held:
                    _add_unscaled(strip, held, a, y, scratch, total)


@njit(**OPTIONS)
def _add_unscaled(strip, held, a, y, scratch, total):  # type: ignore[no-untyped-def]
    x, lowest, highest = strip[:held], a.lowest, a.highest
    round_all(x, a, y)
    clipped = np.int32(0)
    for i in range(held):
        beyond = (bit_and(to_bits(x[i]), MAGNITUDE) < EXPONENT) & ((x[i] > highest) | (x[i] < lowest))
        clipped = add(clipped, np.int32(1) if beyond else np.int32(0))
    add_errors(strip, y, held, clipped, scratch, total)


@njit(**OPTIONS)
def _any_infinite(divisor):  # type: ignore[no-untyped-def]
    numbers = divisor.reshape(-1)
    found = np.int32(0)
    for i in range(numbers.shape[0]):
        found = largest(found, bit_and(to_bits(numbers[i]), MAGNITUDE))
    return found >= EXPONENT
