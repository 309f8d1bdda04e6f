"""Blocks: the groups of values that share a scale."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

Shape = tuple[int, ...]
WHOLE = 0  # a block side that is as long as the axis


@dataclass(frozen=True)
class Block:
    """`rows` × `columns` inside one matrix (last two axes); flat: `columns` consecutive values; tensor: all values."""

    kind: Literal["grid", "flat", "tensor"]
    rows: int = WHOLE
    columns: int = WHOLE

    def __str__(self) -> str:
        if self.kind == "flat":
            return f"flat{self.columns}"
        if self.kind == "tensor":
            return "tensor"
        named = {(1, WHOLE): "row", (WHOLE, 1): "col", (WHOLE, WHOLE): "matrix"}.get((self.rows, self.columns))
        return named or (str(self.columns) if self.rows == 1 else f"{self.rows}x{self.columns}")

    @property
    def size(self) -> float:
        """Values in a full block; infinite where a side is the whole axis."""
        if self.kind == "flat":
            return self.columns
        return self.rows * self.columns or math.inf

    def grid(self, shape: Shape) -> Grid:
        """How a tensor of `shape` is cut."""
        matrices, rows, columns = as_matrices(shape)
        if self.kind != "grid":
            count = matrices * rows * columns
            return Grid((1, 1, count), 1, self.columns or max(count, 1))
        return Grid((matrices, rows, columns), self.rows or max(rows, 1), self.columns or max(columns, 1))


@dataclass(frozen=True)
class Grid:
    """A cut of `shape` = (matrices, rows, columns) into blocks of `rows` × `columns`; the last of an axis may be short."""

    shape: tuple[int, int, int]
    rows: int
    columns: int

    @property
    def counts(self) -> tuple[int, int, int]:
        """Number of blocks along each axis: the shape of the array of scales."""
        matrices, rows, columns = self.shape
        return matrices, -(-rows // self.rows), -(-columns // self.columns)

    def lengths(self) -> dict[int, int]:
        """How many blocks there are of each size, short ones included."""
        matrices, rows, columns = self.shape
        result: dict[int, int] = {}
        for height, tall in _sides(rows, self.rows):
            for width, wide in _sides(columns, self.columns):
                result[height * width] = result.get(height * width, 0) + matrices * tall * wide
        return result


def parse_block(text: str) -> Block | None:
    """The block of its text, or None."""
    named = {
        "row": Block("grid", 1),
        "col": Block("grid", WHOLE, 1),
        "matrix": Block("grid"),
        "tensor": Block("tensor"),
    }
    if text in named:
        return named[text]
    if m := re.fullmatch(r"(flat)?([1-9]\d{0,8})", text):
        return Block("flat", 1, int(m[2])) if m[1] else Block("grid", 1, int(m[2]))
    if m := re.fullmatch(r"([1-9]\d{0,8})x([1-9]\d{0,8})", text):
        return Block("grid", int(m[1]), int(m[2]))
    return None


def as_matrices(shape: Shape) -> tuple[int, int, int]:
    """(matrices, rows, columns): the last two axes are a matrix, rank 1 is one row, rank 0 one value."""
    columns = shape[-1] if shape else 1
    rows = shape[-2] if len(shape) > 1 else 1
    return math.prod(shape[:-2]), rows, columns


def _sides(length: int, side: int) -> list[tuple[int, int]]:
    """(length of a side, how many) for whole blocks and the short last one."""
    return [(s, n) for s, n in ((side, length // side), (length % side, 1)) if s and n]
