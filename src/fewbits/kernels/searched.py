"""Searched rules applied to (matrices, rows, columns): rows cut into super-blocks, the short last one apart."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from fewbits.kernels.rounded import Rounded, Scales
from fewbits.kernels.super_block import SuperBlocks, reconstruct
from fewbits.plan import Float32, Plan

NO_MEAN = np.float32(0)


def searched(x: Float32, plan: Plan, encoders: ModuleType) -> Rounded:
    """Encode with `encoders` (`search` or `search_reference`); non-finite values count as zero."""
    assert plan.rule is not None
    assert plan.levels[0].block is not None
    levels = plan.levels
    two_levels = levels[1].block is not None
    sub_block = plan.levels[0].block.columns
    super_block = sub_block * (levels[1].block.columns if levels[1].block else 1)
    e = levels[0].rounding.element
    decoded = np.array(e.decoded, np.float32)
    parameters: dict[str, Any] = {"values": decoded} if e.is_table else {"bits": e.bits}
    parameters |= {"sub_block": sub_block, "scale_bits": levels[1].rounding.element.bits if two_levels else 0}
    encode = getattr(encoders, plan.rule.search)
    rows = np.where(np.isfinite(x), x, np.float32(0)).reshape(x.shape[0] * x.shape[1], x.shape[2])
    whole = rows.shape[1] - rows.shape[1] % super_block
    parts = [p for p in (rows[:, :whole].reshape(-1, super_block), rows[:, whole:]) if p.size]
    blocks = [encode(np.ascontiguousarray(p), **parameters) for p in parts]
    if not blocks:
        return _empty(x, plan)

    def joined(arrays: list[np.ndarray]) -> Float32:
        flat = [a.astype(np.float32).reshape(len(rows), -1) for a in arrays]
        return np.concatenate(flat, axis=1).reshape(*x.shape[:2], -1)

    y = joined([reconstruct(b, decoded, sub_block) for b in blocks])
    scales = _scales(blocks, joined, two_levels, "scales", "d")
    offsets = _scales(blocks, joined, two_levels, "mins", "dmin") if plan.offset else None
    q = joined([decoded[b.codes] for b in blocks])
    keep = np.isfinite(x)
    return Rounded(np.where(keep, q, x), scales, offsets, None, np.where(keep, y, x))


def _scales(blocks: list[SuperBlocks], joined: Any, two_levels: bool, inner: str, outer: str) -> Scales:
    outermost = joined([getattr(b, outer) for b in blocks])
    d = Scales(outermost, None, outermost, outermost, NO_MEAN)
    if not two_levels:
        return d
    codes = joined([getattr(b, inner) for b in blocks])
    values = joined([getattr(b, outer)[:, None] * getattr(b, inner).astype(np.float32) for b in blocks])
    return Scales(codes, d, values, values, NO_MEAN)


def _empty(x: Float32, plan: Plan) -> Rounded:
    nothing = np.zeros((*x.shape[:2], 0), np.float32)
    d = Scales(nothing, None, nothing, nothing, NO_MEAN)
    scales = Scales(nothing, d, nothing, nothing, NO_MEAN) if len(plan.levels) > 2 else d
    return Rounded(x, scales, scales if plan.offset else None, None, x)
