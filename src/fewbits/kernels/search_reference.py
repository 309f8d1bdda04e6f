"""The inner loops of the searched encoders in numpy: the definition of what `search.py` compiles.

The rules around them are in `super_block.py`. Every step is one float32 operation, sums run over the values in order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fewbits.kernels import super_block
from fewbits.kernels.super_block import (
    LEAST_MAGNITUDE,
    Q3K_PASSES,
    Q6K_TARGETS,
    RANGE_SEARCH,
    Bytes,
    Floats,
    Integers,
    Loops,
    SuperBlocks,
    extreme_of,
    nearest_int,
    spread,
)


def qkx2(x: Floats, *, bits: int, sub_block: int, scale_bits: int) -> SuperBlocks:
    """Super-blocks (S, L) by the rule `super_block.qkx2`."""
    return super_block.qkx2(x, LOOPS, bits=bits, sub_block=sub_block, scale_bits=scale_bits)


def q3k(x: Floats, *, bits: int, sub_block: int, scale_bits: int) -> SuperBlocks:
    """Super-blocks (S, L) by the rule `super_block.q3k`."""
    return super_block.q3k(x, LOOPS, bits=bits, sub_block=sub_block, scale_bits=scale_bits)


def q6k(x: Floats, *, bits: int, sub_block: int, scale_bits: int) -> SuperBlocks:
    """Super-blocks (S, L) by the rule `super_block.q6k`."""
    return super_block.q6k(x, LOOPS, bits=bits, sub_block=sub_block, scale_bits=scale_bits)


def iq4(x: Floats, *, values: Floats, sub_block: int, scale_bits: int) -> SuperBlocks:
    """Super-blocks (S, L) by the rule `super_block.iq4`."""
    return super_block.iq4(x, LOOPS, values=values, sub_block=sub_block, scale_bits=scale_bits)


def nearest_index(v: Floats, values: Floats) -> Integers:
    """Index of the value nearest to v, ties to the upper one; NaN gives the last index."""
    above: NDArray[np.bool_] = ~(v[..., None] + v[..., None] < values[:-1] + values[1:])
    return np.asarray(above.sum(-1), np.int32)


def _search_range(x: Floats, bits: int) -> tuple[Floats, Floats, Integers]:
    """Scale (N,), minimum taken off (N,) and codes (N, n) of sub-blocks (N, n), as make_qkx2_quants."""
    p, steps = RANGE_SEARCH[bits], 2**bits - 1
    w = np.abs(x) if p.absolute else np.sqrt(_sum(x * x) / np.float32(x.shape[1]))[:, None] + np.abs(x)
    sum_w, sum_x = _sum(w), _sum(w * x)
    low, high = np.minimum(x.min(1), np.float32(0)), x.max(1)
    flat = high == low
    inverse = np.float32(steps) / (high - low)
    scale = np.where(flat, np.float32(0), np.float32(1) / inverse).astype(np.float32)
    codes = np.where(flat[:, None], 0, _unsigned(x, low, inverse, steps))
    best = _error(x, w, codes, scale, low, p.absolute)
    for k in range(p.last + 1):
        inverse = (np.float32(p.first) + np.float32(p.increment) * np.float32(k) + np.float32(steps)) / (high - low)
        tried = _unsigned(x, low, inverse, steps)
        q = tried.astype(np.float32)
        sum_q, sum_qq, sum_qx = _sum(w * q), _sum(w * q * q), _sum(w * q * x)
        determinant = sum_w * sum_qq - sum_q * sum_q
        new_low = (sum_qq * sum_x - sum_q * sum_qx) / determinant
        slope = (sum_w * sum_qx - sum_x * sum_q) / determinant
        new_scale: Floats = np.where(new_low > 0, sum_qx / sum_qq, slope)
        new_low = np.where(new_low > 0, np.float32(0), new_low).astype(np.float32)
        error = _error(x, w, tried, new_scale, new_low.astype(np.float32), p.absolute)
        better = (determinant > 0) & (error < best) & ~flat
        codes[better] = tried[better]
        best, scale, low = (np.where(better, *pair) for pair in ((error, best), (new_scale, scale), (new_low, low)))
    return scale, -low, codes


def _search_codes(x: Floats, bits: int) -> tuple[Floats, Integers]:
    """Scale (N,) and signed codes (N, n) of sub-blocks (N, n), as make_q3_quants."""
    half = 2 ** (bits - 1)
    extreme = extreme_of(x)
    zero = np.abs(extreme) < LEAST_MAGNITUDE
    codes = np.clip(nearest_int((np.float32(-half) / extreme)[:, None] * x), -half, half - 1)
    w = x * x
    q = codes.astype(np.float32)
    sum_qx, sum_qq = _sum(w * x * q), _sum(w * q * q)
    active = ~zero
    for _ in range(Q3K_PASSES):
        changed = np.zeros(len(x), bool)
        for i in range(x.shape[1]):
            xi, wi, q = x[:, i], w[:, i], codes[:, i].astype(np.float32)
            rest_qx, rest_qq = sum_qx - wi * xi * q, sum_qq - wi * q * q
            code = np.clip(nearest_int((xi * rest_qq / rest_qx).astype(np.float32)), -half, half - 1)
            q = code.astype(np.float32)
            new_qx, new_qq = rest_qx + wi * xi * q, rest_qq + wi * q * q
            better = active & (rest_qx > 0) & (code != codes[:, i]) & (new_qq > 0)
            better &= new_qx * new_qx * sum_qq > sum_qx * sum_qx * new_qq
            codes[better, i] = code[better]
            sum_qx, sum_qq = np.where(better, new_qx, sum_qx), np.where(better, new_qq, sum_qq)
            changed |= better
        active = active & changed
    scale = np.where(~zero & (sum_qq > 0), sum_qx / sum_qq, np.float32(0))
    return scale, np.where(zero[:, None], -half, codes)


def _search_target(x: Floats, bits: int) -> tuple[Floats, Integers]:
    """Scale (N,) and signed codes (N, n) of sub-blocks (N, n), as make_qx_quants with weights x²."""
    half = 2 ** (bits - 1)
    extreme = extreme_of(x)
    zero = np.abs(extreme) < LEAST_MAGNITUDE
    w = x * x

    def fit(target: np.float32) -> tuple[Integers, Floats, Floats]:
        codes = np.clip(nearest_int((-target / extreme)[:, None] * x), -half, half - 1)
        q = codes.astype(np.float32)
        return codes, _sum(w * x * q), _sum(w * q * q)

    codes, sum_qx, sum_qq = fit(np.float32(half))
    scale = np.where(sum_qq == 0, np.float32(0), sum_qx / sum_qq)
    best = scale * sum_qx
    for k in Q6K_TARGETS:
        tried, sum_qx, sum_qq = fit(np.float32(half) + np.float32(0.1) * np.float32(k))
        better = (sum_qq > 0) & (sum_qx * sum_qx > best * sum_qq)
        codes[better] = tried[better]
        scale = np.where(better, sum_qx / sum_qq, scale)
        best = np.where(better, scale * sum_qx, best)
    return np.where(zero, np.float32(0), scale), np.where(zero[:, None], -half, codes)


def _search_table(x: Floats, values: Floats, targets: tuple[int, ...]) -> tuple[Floats, Integers]:
    """Scale (N,) and indices (N, n) of the first try of sub-blocks (N, n), as quantize_row_iq4_nl_impl."""
    extreme = extreme_of(x)
    zero = np.abs(extreme) < LEAST_MAGNITUDE
    w = x * x

    def fit(inverse: Floats) -> tuple[Integers, Floats, Floats]:
        codes = nearest_index(inverse[:, None] * x, values)
        q = values[codes]
        return codes, _sum(w * q * x), _sum(w * q * q)

    first = -extreme / values[0] if targets else extreme / values[0]
    codes, sum_qx, sum_qq = fit(np.float32(1) / first)
    scale = np.where(sum_qq > 0, sum_qx / sum_qq, np.float32(0))
    best = scale * sum_qx
    for k in targets:
        _, sum_qx, sum_qq = fit((np.float32(k) + values[0]) / extreme)
        better = (sum_qq > 0) & (sum_qx * sum_qx > best * sum_qq)
        scale = np.where(better, sum_qx / sum_qq, scale)
        best = np.where(better, scale * sum_qx, best)
    nearest_zero = nearest_index(np.zeros(1, np.float32), values)
    return np.where(zero, np.float32(0), scale), np.where(zero[:, None], nearest_zero, codes)


def _encode_unsigned(x: Floats, step: Floats, shift: Floats, codes: Integers, bits: int, sub_block: int) -> Bytes:
    """Codes of x + shift by the stored steps; where the step is 0 the codes of the search stay."""
    step, shift = spread(step, sub_block, x.shape[1]), spread(shift, sub_block, x.shape[1])
    return np.where(step == 0, codes, np.clip(nearest_int((x + shift) / step), 0, 2**bits - 1)).astype(np.uint8)


def _encode_signed(x: Floats, step: Floats, codes: Integers, bits: int, sub_block: int) -> Bytes:
    """Two's complement codes of x by the stored steps; where the step is 0 the codes of the search stay."""
    half, step = 2 ** (bits - 1), spread(step, sub_block, x.shape[1])
    again = np.clip(nearest_int(x / step), -half, half - 1)
    return np.asarray(np.where(step == 0, codes, again) & (2 * half - 1), np.uint8)


def _encode_index(x: Floats, step: Floats, values: Floats, sub_block: int) -> Bytes:
    """Indices of the values nearest to step · x; the step is a reciprocal here."""
    return nearest_index(spread(step, sub_block, x.shape[1]) * x, values).astype(np.uint8)


def _unsigned(x: Floats, low: Floats, inverse: Floats, steps: int) -> Integers:
    return np.clip(nearest_int(inverse[:, None] * (x - low[:, None])), 0, steps)


def _error(x: Floats, w: Floats, codes: Integers, scale: Floats, low: Floats, absolute: bool) -> Floats:
    e = scale[:, None] * codes.astype(np.float32) + low[:, None] - x
    return _sum(w * (np.abs(e) if absolute else e * e))


def _sum(v: Floats) -> Floats:
    """Sums of rows in float32, from the first value to the last, starting at +0."""
    return np.add.accumulate(v, axis=1, dtype=np.float32)[:, -1] + np.float32(0)


LOOPS = Loops(
    _search_range, _search_codes, _search_target, _search_table, _encode_unsigned, _encode_signed, _encode_index
)
