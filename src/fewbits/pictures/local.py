"""A format whose blocks lie inside matrices of their own, so that many blocks can be rounded side by side."""

from __future__ import annotations

from dataclasses import replace

from fewbits.block import Block
from fewbits.formats import Format

__all__ = ["localised", "spans_tensor", "unit"]

WHOLE = 256  # values that stand for a block as long as an axis, or a whole tensor
LARGEST = 1024  # values of the blocks that share a scale of scales; more, and a block stands alone


def localised(f: Format, depth: int = 0) -> Format:
    """The same arithmetic with flat blocks along rows, and a row in place of a block that is the whole tensor.

    Scales of scales that span the tensor still do.
    """
    block = f.block
    if block is None:
        return f
    if block.kind == "flat":
        block = Block("grid", 1, block.columns)
    elif block.kind == "tensor" and depth == 0:
        block = Block("grid", 1)
    return replace(f, block=block, scale=localised(f.scale, depth + 1) if f.scale else None)


def spans_tensor(f: Format) -> bool:
    """Whether a scale of scales spans the whole tensor."""
    return any(level.block is not None and level.block.kind == "tensor" for level in f.levels[1:])


def unit(f: Format) -> tuple[int, int]:
    """(rows, columns) of a block of the format, or of the blocks that share a scale of scales; (1, 1) without blocks.

    A side as long as the axis counts as `WHOLE` values, a whole matrix too.
    """
    block = localised(f).block
    if block is None:
        return (1, f.hadamard) if f.hadamard else (1, 1)
    if not block.rows and not block.columns:
        return 1, WHOLE
    rows, columns = block.rows or WHOLE, block.columns or WHOLE
    outer = f.scale.block if f.scale else None
    if rows == 1 and outer is not None and outer.rows == 1 and 1 < outer.columns <= LARGEST // columns:
        columns *= outer.columns
    return rows, max(columns, f.hadamard)
