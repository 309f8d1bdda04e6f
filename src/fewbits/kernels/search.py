"""The searched encoders of super-blocks, compiled by numba: bit for bit `search_reference.py`, which defines them."""

from __future__ import annotations

import numpy as np

from fewbits.kernels import super_block
from fewbits.kernels.search_lanes import LANES, clamped, code_lanes, compiled, table_lanes, target_lanes
from fewbits.kernels.search_range import range_lanes
from fewbits.kernels.super_block import Q6K_TARGETS, RANGE_SEARCH, Bytes, Floats, Integers, Loops, SuperBlocks

f32, i32 = np.float32, np.int32
ONE = f32(1)


def qkx2(x: Floats, *, bits: int, sub_block: int, scale_bits: int) -> SuperBlocks:
    """As `search_reference.qkx2`."""
    return super_block.qkx2(x, LOOPS, bits=bits, sub_block=sub_block, scale_bits=scale_bits)


def q3k(x: Floats, *, bits: int, sub_block: int, scale_bits: int) -> SuperBlocks:
    """As `search_reference.q3k`."""
    return super_block.q3k(x, LOOPS, bits=bits, sub_block=sub_block, scale_bits=scale_bits)


def q6k(x: Floats, *, bits: int, sub_block: int, scale_bits: int) -> SuperBlocks:
    """As `search_reference.q6k`."""
    return super_block.q6k(x, LOOPS, bits=bits, sub_block=sub_block, scale_bits=scale_bits)


def iq4(x: Floats, *, values: Floats, sub_block: int, scale_bits: int) -> SuperBlocks:
    """As `search_reference.iq4`."""
    return super_block.iq4(x, LOOPS, values=values, sub_block=sub_block, scale_bits=scale_bits)


def _ranges(x: Floats, bits: int) -> tuple[Floats, Floats, Integers]:
    p = RANGE_SEARCH[bits]
    xl = _to_lanes(x)
    scale, low, codes = np.empty((len(xl), LANES), f32), np.empty((len(xl), LANES), f32), np.empty(xl.shape, i32)
    range_lanes(xl, 2**bits - 1, f32(p.first), f32(p.increment), p.last, p.absolute, scale, low, codes)
    return scale.ravel()[: len(x)], low.ravel()[: len(x)], _from_lanes(codes, len(x))


def _codes(x: Floats, bits: int) -> tuple[Floats, Integers]:
    xl = _to_lanes(x)
    scale, codes = np.empty((len(xl), LANES), f32), np.empty(xl.shape, i32)
    code_lanes(xl, 2 ** (bits - 1), scale, codes)
    return scale.ravel()[: len(x)], _from_lanes(codes, len(x))


def _targets(x: Floats, bits: int) -> tuple[Floats, Integers]:
    xl = _to_lanes(x)
    scale, codes = np.empty((len(xl), LANES), f32), np.empty(xl.shape, i32)
    half = 2 ** (bits - 1)
    targets = np.array([half] + [f32(half) + f32(0.1) * f32(k) for k in Q6K_TARGETS], f32)
    target_lanes(xl, half, targets, scale, codes)
    return scale.ravel()[: len(x)], _from_lanes(codes, len(x))


def _table(x: Floats, values: Floats, targets: tuple[int, ...]) -> tuple[Floats, Integers]:
    xl = _to_lanes(x)
    scale, codes = np.empty((len(xl), LANES), f32), np.empty(xl.shape, i32)
    first = -ONE if targets else ONE
    cuts, above, repeats = values[:-1] + values[1:], values[1:], -(len(values) - 1) % 4
    cuts, above = (np.concatenate([a, np.repeat(a[-1:], repeats)]) for a in (cuts, above))  # changes no answer
    fits = np.array(targets, f32) + values[0]
    table_lanes(xl, values[0], cuts, above, len(values) - 1, first, fits, scale, codes)
    return scale.ravel()[: len(x)], _from_lanes(codes, len(x))


def _to_lanes(x: Floats) -> Floats:
    """Sub-blocks (N, n) as (⌈N / LANES⌉, n, LANES), the last lanes filled with zeros."""
    groups = -(-len(x) // LANES)
    padded = np.zeros((groups * LANES, x.shape[1]), f32)
    padded[: len(x)] = x
    return np.ascontiguousarray(padded.reshape(groups, LANES, x.shape[1]).transpose(0, 2, 1))


def _from_lanes(codes: Integers, count: int) -> Integers:
    return codes.transpose(0, 2, 1).reshape(len(codes) * LANES, codes.shape[1])[:count]


@compiled
def _encode_unsigned(x: Floats, step: Floats, shift: Floats, codes: Integers, bits: int, sub_block: int) -> Bytes:
    top, out = i32((1 << bits) - 1), codes.astype(np.uint8)
    for s in range(x.shape[0]):
        for b in range(step.shape[1]):
            by, plus = step[s, b], shift[s, b]
            if by != f32(0):
                for i in range(b * sub_block, min((b + 1) * sub_block, x.shape[1])):
                    out[s, i] = clamped((x[s, i] + plus) / by, i32(0), top)
    return out


@compiled
def _encode_signed(x: Floats, step: Floats, codes: Integers, bits: int, sub_block: int) -> Bytes:
    half = 1 << (bits - 1)
    lowest, highest, mask = i32(-half), i32(half - 1), i32(2 * half - 1)
    out = (codes & mask).astype(np.uint8)
    for s in range(x.shape[0]):
        for b in range(step.shape[1]):
            by = step[s, b]
            if by != f32(0):
                for i in range(b * sub_block, min((b + 1) * sub_block, x.shape[1])):
                    out[s, i] = clamped(x[s, i] / by, lowest, highest) & mask
    return out


@compiled
def _encode_index(x: Floats, step: Floats, values: Floats, sub_block: int) -> Bytes:
    cuts, out = values[:-1] + values[1:], np.zeros(x.shape, np.uint8)
    for s in range(x.shape[0]):
        for b in range(step.shape[1]):
            start, stop = b * sub_block, min((b + 1) * sub_block, x.shape[1])
            for c in range(cuts.size):
                for i in range(start, stop):
                    v = step[s, b] * x[s, i]
                    out[s, i] += np.uint8(not (v + v < cuts[c]))
    return out


LOOPS = Loops(_ranges, _codes, _targets, _table, _encode_unsigned, _encode_signed, _encode_index)
