"""The pieces of a tensor that a profile compares: the blocks of a format, and their levels."""

from __future__ import annotations

from fewbits.block import Block
from fewbits.element import MAX_BITS
from fewbits.formats import Format

__all__ = ["block_text", "levels", "pieces"]

PIECE = Block("grid", 1, 32)  # where a format has no blocks that can be compared
LEVELS = 512  # more are not listed


def pieces(f: Format) -> Block:
    """The blocks whose errors are compared: those of the format; without a block, or with one a tensor or matrix, 32 values of a row."""
    block = f.block
    whole = block is None or block.kind == "tensor" or (block.kind == "grid" and not block.rows and not block.columns)
    return PIECE if whole or block is None else block


def block_text(f: Format) -> str:
    """What the compared pieces are, in words: `blocks of 32`, `rows`, `16 × 16 tiles`, `pieces of 32, one scale for the tensor`."""
    block = pieces(f)
    if block is not f.block:
        scale = {"None": "no scale", "tensor": "one scale for the tensor", "matrix": "one scale for a matrix"}[
            str(f.block)
        ]
        return f"pieces of 32, {scale}"
    if block.kind == "flat":
        return f"runs of {block.columns} in the flattened tensor"
    named = {"row": "rows", "col": "columns"}.get(str(block))
    return named or (f"blocks of {block.columns}" if block.rows == 1 else f"{block.rows} × {block.columns} tiles")


def levels(f: Format) -> list[float]:
    """The element values whose multiples by the scale are all that a block can hold, ascending.

    None where they are more than 512, or where blocks are moved as well: by a minimum, a zero point, a mean, a rotation, outliers.
    """
    if f.options or f.element.bits > MAX_BITS or len(f.element.values) > LEVELS:
        return []
    return list(f.element.values)
