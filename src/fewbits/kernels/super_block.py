"""Super-blocks and the searched rules that encode them, over inner loops that a backend provides.

A super-block is a run of at most 256 values of a row. It is cut into sub-blocks; each gets a scale (and, for unsigned
codes, a minimum) by a search for the least weighted squared error; these scales become small integers times a float16,
and the values are encoded once more against what was stored. Source: llama.cpp, ggml-quants.c, `quantize_row_*_ref`,
without importance weights. Every step is one float32 operation, sums run over the values in order, nothing is fused.

A value is code · (d · scale) − (dmin · minimum), each product rounded to float32 in this order; see `reconstruct`.

Where C's result would depend on the size of an int or on memory that was never written, this is what counts:
`nearest_int` is arithmetic on bits and has a result for every float; a scale or minimum code wraps to 8 bits, then is
clamped to its range; a block of the one-level `iq4` that holds only zeros gets the code nearest to zero.

With `scale_bits` 0 there is one scale per block, a float16, and every inner code is 1: ggml has this for `iq4` only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]
Bytes = NDArray[np.uint8]
Codes = NDArray[np.int16]

LEAST_MAGNITUDE = np.float32(1e-15)  # a sub-block below this counts as zero
ROUNDING = np.float32(12582912.0)  # 1.5 · 2^23: adding it rounds to an integer, ties to even
LONGEST = 256  # values of a sub-block
Q3K_PASSES = 5
Q6K_TARGETS = tuple(s for s in range(-9, 10) if s != 0)
IQ4_TARGETS = tuple(range(-7, 8))


@dataclass(frozen=True)
class SuperBlocks:
    """Encoded super-blocks: S of them, L values each, B = ⌈L / sub-block⌉ sub-blocks.

    `codes` uint8 (S, L) are code points of the element (two's complement for signed integers, index into a table);
    `scales` int16 (S, B) signed inner codes, all 1 where there is one scale only; `d` float32 (S,), a float16 value;
    `mins` int16 (S, B) and `dmin` float32 (S,) likewise where a minimum is subtracted, else None.
    """

    codes: Bytes
    scales: Codes
    d: Floats
    mins: Codes | None = None
    dmin: Floats | None = None


@dataclass(frozen=True)
class RangeSearch:
    """Parameters of `qkx2`: candidate number k maps the range to steps + first + k · increment, k = 0 … last.

    `absolute`: the error is |e|, not e², and weights are |x| alone rather than |x| + rms(x).
    """

    first: float
    increment: float
    last: int
    absolute: bool


# by bits of the element: as ggml for Q2_K, Q4_K and Q5_K; other widths take the nearest of these
RANGE_SEARCH = {
    **dict.fromkeys((1, 2), RangeSearch(-0.5, 0.1, 15, True)),
    **dict.fromkeys((3, 4), RangeSearch(-1.0, 0.1, 20, False)),
    **dict.fromkeys((5, 6, 7, 8), RangeSearch(-0.5, 0.1, 15, False)),
}


@dataclass(frozen=True)
class Loops:
    """The parts of an encoder that run over values; `search.py` has the same, compiled.

    Searches take sub-blocks (N, n) and give a scale (N,), `ranges` also a minimum to take off (N,), and codes (N, n).
    Encoders take super-blocks x (S, L) and steps (S, B), the first two also the codes (S, L) to keep where a step is 0.
    """

    ranges: Callable[[Floats, int], tuple[Floats, Floats, Integers]]
    codes: Callable[[Floats, int], tuple[Floats, Integers]]
    targets: Callable[[Floats, int], tuple[Floats, Integers]]
    table: Callable[[Floats, Floats, tuple[int, ...]], tuple[Floats, Integers]]
    unsigned: Callable[[Floats, Floats, Floats, Integers, int, int], Bytes]
    signed: Callable[[Floats, Floats, Integers, int, int], Bytes]
    index: Callable[[Floats, Floats, Floats, int], Bytes]


def qkx2(x: Floats, loops: Loops, *, bits: int, sub_block: int, scale_bits: int) -> SuperBlocks:
    """Unsigned codes of `bits` with scale and minimum per sub-block, both stored in `scale_bits` times a float16."""
    _check(x, bits, sub_block, scale_bits)
    with np.errstate(all="ignore"):
        scale, low, codes = by_sub_block(lambda part: loops.ranges(part, bits), x, sub_block)
        scales, d = _store_unsigned(scale, scale_bits)
        mins, dmin = _store_unsigned(low, scale_bits)
        codes = loops.unsigned(x, _times(d, scales), _times(dmin, mins), codes, bits, sub_block)
        return SuperBlocks(codes, scales, d, mins, dmin)


def q3k(x: Floats, loops: Loops, *, bits: int, sub_block: int, scale_bits: int) -> SuperBlocks:
    """Signed codes of `bits`: codes improved one at a time (least weighted squares); scales signed in `scale_bits`."""
    _check(x, bits, sub_block, scale_bits)
    with np.errstate(all="ignore"):
        scale, codes = by_sub_block(lambda part: loops.codes(part, bits), x, sub_block)
        scales, d = _store_signed(scale, scale_bits)
        return SuperBlocks(loops.signed(x, _times(d, scales), codes, bits, sub_block), scales, d)


def q6k(x: Floats, loops: Loops, *, bits: int, sub_block: int, scale_bits: int) -> SuperBlocks:
    """Signed codes of `bits`: the best of 19 targets for the extreme value; scales signed in `scale_bits`."""
    _check(x, bits, sub_block, scale_bits)
    with np.errstate(all="ignore"):
        scale, codes = by_sub_block(lambda part: loops.targets(part, bits), x, sub_block)
        scales, d = _store_signed(scale, scale_bits)
        zero = np.abs(extreme_of(scale)) < LEAST_MAGNITUDE
        scales[zero] = scale_bits == 0
        d[zero] = 0
        codes[zero] = -(2 ** (bits - 1))
        return SuperBlocks(loops.signed(x, _times(d, scales), codes, bits, sub_block), scales, d)


def iq4(x: Floats, loops: Loops, *, values: Floats, sub_block: int, scale_bits: int) -> SuperBlocks:
    """Codes of a table of ascending `values`; scales signed in `scale_bits`, or, where that is 0, a float16 per block.

    The first form tries 15 targets near the lowest value for the extreme one and re-encodes by the stored inner scales
    times the unrounded outer one; the second fits a scale once, from the extreme value, and keeps the codes it fitted.
    """
    _check(x, 8, sub_block, scale_bits)
    with np.errstate(all="ignore"):
        targets = IQ4_TARGETS if scale_bits else ()
        scale, codes = by_sub_block(lambda part: loops.table(part, values, targets), x, sub_block)
        if scale_bits == 0:
            return SuperBlocks(codes.astype(np.uint8), np.ones(scale.shape, np.int16), float16(scale[:, 0]))
        half = 2 ** (scale_bits - 1)
        outer = -extreme_of(scale) / np.float32(half)
        inverse = np.where(outer == 0, np.float32(0), np.float32(1) / outer)
        scales = np.clip(nearest_int(inverse[:, None] * scale), -half, half - 1).astype(np.int16)
        step = _times(outer, scales)
        step = np.where(step == 0, np.float32(0), np.float32(1) / step).astype(np.float32)
        return SuperBlocks(loops.index(x, step, values, sub_block), scales, float16(outer))


def reconstruct(blocks: SuperBlocks, values: Floats, sub_block: int) -> Floats:
    """The values (S, L) that super-blocks stand for; `values` float32 (2^bits,) are the element's in order of codes."""
    with np.errstate(all="ignore"):
        length = blocks.codes.shape[1]
        y = spread(_times(blocks.d, blocks.scales), sub_block, length) * values[blocks.codes]
        if blocks.mins is not None and blocks.dmin is not None:
            y = y - spread(_times(blocks.dmin, blocks.mins), sub_block, length)
    return y


def nearest_int(v: Floats) -> Integers:
    """v rounded to an integer, ties to even, for |v| < 2^22; beyond, what the bits of v + 1.5 · 2^23 say (NaN: 0)."""
    return ((v + ROUNDING).view(np.int32) & 0x7FFFFF) - 0x400000


def float16(v: Floats) -> Floats:
    """v rounded to float16 (ties to even, overflow to infinity) and back."""
    with np.errstate(over="ignore"):
        return v.astype(np.float16).astype(np.float32)


def by_sub_block(search: Callable[[Floats], tuple[NDArray[Any], ...]], x: Floats, sub_block: int) -> list[NDArray[Any]]:
    """`search` on whole sub-blocks and on the short last ones; results (S, B) per sub-block and (S, L) per value."""
    count, length = x.shape
    whole = length - length % sub_block
    parts = []
    if whole:
        found = search(x[:, :whole].reshape(-1, sub_block))
        parts.append([r.reshape(count, whole if r.ndim == 2 else whole // sub_block) for r in found])
    if whole < length:
        parts.append([r if r.ndim == 2 else r[:, None] for r in search(x[:, whole:])])
    return [np.concatenate(columns, axis=1) for columns in zip(*parts, strict=True)]


def _check(x: Floats, bits: int, sub_block: int, scale_bits: int) -> None:
    if not (1 <= bits <= 8 and 0 <= scale_bits <= 8 and 1 <= sub_block <= LONGEST):
        limits = f"1 to 8 bits, scales of at most 8 bits and sub-blocks of at most {LONGEST} values are allowed"
        raise ValueError(f"{limits}, not {bits}, {scale_bits} and {sub_block}")
    if scale_bits == 0 and x.shape[1] > sub_block:
        raise ValueError(f"one scale per block needs blocks of at most {sub_block} values, not {x.shape[1]}")


def _store_unsigned(v: Floats, bits: int) -> tuple[Codes, Floats]:
    """Codes (S, B) and outer scale (S,) of non-negative numbers (S, B)."""
    if bits == 0:
        return np.ones(v.shape, np.int16), float16(v[:, 0])
    steps = np.float32(2**bits - 1)
    top = np.fmax.reduce(v, axis=1, initial=np.float32(0))
    top = np.where(top > 0, top, np.float32(0)).astype(np.float32)  # not -0
    inverse = np.where(top > 0, steps / top, np.float32(0)).astype(np.float32)
    codes = np.minimum(nearest_int(inverse[:, None] * v) & 0xFF, 2**bits - 1)
    return codes.astype(np.int16), float16((top / steps).astype(np.float32))


def _store_signed(v: Floats, bits: int) -> tuple[Codes, Floats]:
    """Codes (S, B) and outer scale (S,) of numbers (S, B): the extreme one gets the lowest code. d is 0 for zeros."""
    if bits == 0:
        return np.ones(v.shape, np.int16), float16(v[:, 0])
    extreme, half = extreme_of(v), 2 ** (bits - 1)
    inverse = np.float32(-half) / extreme
    wrapped = np.minimum(nearest_int(inverse[:, None] * v), 127).astype(np.int8)
    codes = np.clip(wrapped, -half, half - 1).astype(np.int16)
    codes[extreme == 0] = -half
    d: Floats = np.where(extreme == 0, np.float32(0), float16(np.float32(1) / inverse))
    return codes, d


def extreme_of(v: Floats) -> Floats:
    """Per row the first of the values of largest magnitude, with its sign; 0 for zeros and for NaN."""
    magnitude = np.where(np.isnan(v), np.float32(0), np.abs(v))
    at = magnitude.argmax(1)[:, None]
    return np.where(np.take_along_axis(magnitude, at, 1) > 0, np.take_along_axis(v, at, 1), np.float32(0))[:, 0]


def spread(v: Floats, sub_block: int, length: int) -> Floats:
    """Numbers of sub-blocks (S, B) repeated for their values, (S, length)."""
    return np.repeat(v, sub_block, axis=1)[:, :length]


def _times(outer: Floats, inner: Codes) -> Floats:
    return outer[:, None] * inner.astype(np.float32)
