"""Which block of a weight each of its scales belongs to, as the config says, or as shapes allow where it says nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fewbits.sources.block_scaled import block_size
from fewbits.sources.packed.scaled import Grid
from fewbits.sources.packed.settings import count
from fewbits.sources.packed.view import Misfit
from fewbits.sources.strict_json import quoted
from fewbits.tensor import Tensor

__all__ = ["Told", "grid_of", "told"]


@dataclass(frozen=True)
class Told:
    """What a config says of weights: int or float of `bits`, scales for each `height` × `width`; 0 stands for all."""

    kind: str
    bits: int
    strategy: str
    height: int
    width: int


def told(weights: Mapping[str, Any]) -> Told:
    """One entry of a config; `Misfit` where its numbers make no sense."""
    size = None if weights.get("group_size") == -1 else count(weights, "group_size")
    strategy = weights.get("strategy") or ("group" if size else "tensor")
    height, width = 1, size or 0
    structure = weights.get("block_structure")
    if strategy == "block":
        sides = structure if isinstance(structure, list) else []
        if len(sides) != 2 or not all(type(side) is int and side > 0 for side in sides):
            raise Misfit(f"block_structure {quoted(structure)} of the config is not [rows, columns]")
        height, width = sides
    elif strategy == "tensor":
        height, width = 0, 0
    return Told(_word(weights.get("type") or "int"), count(weights, "num_bits") or 8, _word(strategy), height, width)


def _word(value: object) -> str:
    """A word of a config; what is none is quoted, as it may end in a message."""
    return value if isinstance(value, str) and value.replace("_", "").isalnum() and len(value) < 40 else quoted(value)


def grid_of(shape: tuple[int, ...], scale: Tensor, settings: Sequence[Told]) -> Grid:
    """The blocks of a weight of `shape`; `Misfit` where its scales do not fit."""
    rows, tall, columns = math.prod(shape[:-1]), (shape[-2] if len(shape) > 1 else 1), shape[-1]
    if scale.size == 1 and (not settings or rows == 1 or any(not w.height for w in settings)):
        return Grid(max(rows, 1), columns, max(rows, 1), max(columns, 1))
    for w in settings:
        grid = Grid(tall, columns, w.height or max(tall, 1), w.width or max(columns, 1))
        if _fits(grid, shape, scale.shape):
            return grid
    row = Grid(tall, columns, 1, max(columns, 1))
    if _fits(row, shape, scale.shape):
        return row
    if settings:
        blocks = " or ".join(dict.fromkeys(f"{w.strategy} {w.width or ''}".strip() for w in settings))
        raise Misfit(f"{_text(scale)} does not fit a weight of shape {quoted(list(shape))} by {blocks} of the config")
    try:
        height, width = block_size(shape, scale.shape)
    except ValueError as error:
        raise Misfit(f"{_text(scale)} does not fit a weight of shape {quoted(list(shape))}") from error
    return Grid(tall, columns, height, width)


def _fits(grid: Grid, shape: tuple[int, ...], scales: tuple[int, ...]) -> bool:
    whole = (*shape[:-2], grid.down, grid.across)
    return scales == whole or (grid.across == 1 and scales == whole[:-1])


def _text(scale: Tensor) -> str:
    return f"{quoted(scale.name)} of shape {quoted(list(scale.shape))}"
