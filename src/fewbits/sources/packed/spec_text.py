"""Layouts in words and as specs."""

from __future__ import annotations

from fewbits.sources.packed.scaled import Grid

__all__ = ["ELEMENTS", "block_text", "layout_text"]

ELEMENTS = {  # dtype → element of a spec
    "float32": "f32",
    "float16": "f16",
    "bfloat16": "bf16",
    "float8_e4m3fn": "e4m3",
    "float8_e5m2": "e5m2",
    "float8_e4m3fnuz": "e4m3fnuz",
    "float8_e5m2fnuz": "e5m2fnuz",
}


def block_text(grid: Grid, rows: int) -> str:
    """The block of a spec: `rows` are those of the whole tensor."""
    if grid.width >= grid.columns and grid.height >= grid.tall:
        return "tensor" if grid.tall == rows else "matrix"
    if grid.height == 1:
        return "row" if grid.width >= grid.columns else str(grid.width)
    return f"{grid.height}x{grid.width}"


def layout_text(name: str, spec: str) -> str:
    """As it is shown."""
    return f"{name} ({spec})"
