"""The fast path, compiled: binade elements, ties to even, values divided by the stored scale, no offsets."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from fewbits.kernels.arithmetic import OPTIONS, clamp, nearest_even, round_all
from fewbits.kernels.bits import (
    EXPONENT,
    MAGNITUDE,
    SIGN,
    add,
    bit_and,
    bit_or,
    differs,
    from_bits,
    largest,
    reaches,
    to_bits,
    truncate,
)
from fewbits.kernels.sums import STRIP, add_errors, add_four, add_lanes, size_bits
from fewbits.kernels.vectors import LANES, every, largest_of, load, prefetch, store, sum_of

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
            store(out, 16 * k, row[b + k])
        at = length // 16 * 16
    elif start == b * columns and columns == 32:
        for k in range(length // 32):
            store(out, 32 * k, row[b + k])
            store(out, 32 * k + 16, row[b + k])
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


@njit(forceinline=True, **OPTIONS)
def _scale(divisor):  # type: ignore[no-untyped-def]
    """Zero, of its sign, for an infinite divisor; else the divisor."""
    pattern = to_bits(divisor)
    return divisor if bit_and(pattern, MAGNITUDE) < EXPONENT else from_bits(bit_and(pattern, SIGN))


@njit(forceinline=True, **OPTIONS)
def _steps(x, s, window, aligned):  # type: ignore[no-untyped-def]
    """x / s; `aligned`: truncated to multiples of 1 / window, and 0 for subnormal x."""
    v = x / s
    if aligned:
        v = truncate(v * window) * (np.float32(1) / window)
        v = from_bits(bit_and(to_bits(v), reaches(size_bits(x), SMALLEST_NORMAL)))
    return v


@njit(**OPTIONS)
def round_strip(x, s, lowest, highest, least_exponent, shift, zero, window, y):  # type: ignore[no-untyped-def]
    """y = x rounded with divisors s (infinite for a zero scale); how many finite x lie beyond the element's range.

    `window` other than 0 truncates magnitudes to multiples of 1 / window first (block floats).
    """
    clipped, aligned = np.int32(0), window != np.float32(0)
    for i in range(x.shape[0]):
        v = _steps(x[i], s[i], window, aligned)
        c = clamp(v, lowest, highest)
        y[i] = nearest_even(v, c, least_exponent, shift, zero) * _scale(s[i])
        clipped = add(clipped, differs(c, v) if size_bits(x[i]) < EXPONENT else np.int32(0))
    return clipped


def _make_add_strip(aligned: bool) -> Any:
    """One loop for each: the compiler does not take the question out of a loop this long."""

    @njit(forceinline=True, **OPTIONS)
    def one(x, s, t, lowest, highest, least_exponent, shift, zero, window, clipped):  # type: ignore[no-untyped-def]
        v = _steps(x, s, window, aligned)
        c = clamp(v, lowest, highest)
        return nearest_even(v, c, least_exponent, shift, zero) * t, add(clipped, differs(c, v))

    @njit(**OPTIONS)
    def add_strip(x, s, t, lowest, highest, least_exponent, shift, zero, window, scratch, total):  # type: ignore[no-untyped-def]
        """`round_strip` and `sums.add_errors` of a full strip, t the scales; False if float32 does not hold its sums."""
        q = STRIP // 4
        zeros, top, top_x, n = every(np.int32(0)), every(np.int32(0)), every(np.int32(0)), every(np.int32(0))
        for i in range(0, q, LANES):
            x0, x1, x2, x3 = load(x, i), load(x, q + i), load(x, 2 * q + i), load(x, 3 * q + i)
            s0, s1, s2, s3 = load(s, i), load(s, q + i), load(s, 2 * q + i), load(s, 3 * q + i)
            t0, t1, t2, t3 = load(t, i), load(t, q + i), load(t, 2 * q + i), load(t, 3 * q + i)
            y0, n = one(x0, s0, t0, lowest, highest, least_exponent, shift, zero, window, n)
            y1, n = one(x1, s1, t1, lowest, highest, least_exponent, shift, zero, window, n)
            y2, n = one(x2, s2, t2, lowest, highest, least_exponent, shift, zero, window, n)
            y3, n = one(x3, s3, t3, lowest, highest, least_exponent, shift, zero, window, n)
            zeros, top, top_x = add_four(x0, x1, x2, x3, y0, y1, y2, y3, scratch, i, zeros, top, top_x)
        clipped = np.float64(sum_of(n))
        return add_lanes(scratch, q, largest_of(top), largest_of(top_x), sum_of(zeros), clipped, total)

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
                            prefetch(given, STRIP)  # the next one: hardware does not foresee four streams in a page
                            scales = s
                            if zero_scales:
                                for i in range(STRIP):
                                    t[i] = _scale(s[i])
                                scales = t
                            arguments = (
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
                            done = _add_aligned_strip(*arguments) if window else _add_strip(*arguments)
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
