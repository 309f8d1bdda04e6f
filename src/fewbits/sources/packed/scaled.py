"""Weights stored row by row as codes, with a scale, and maybe a zero point, for each block of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fewbits.sources.packed.bits import element_values, unpack
from fewbits.sources.packed.view import numbers, stored_of
from fewbits.tensor import Tensor

__all__ = ["Grid", "RowReader", "Scaled", "coded", "exponents", "integers", "rounded", "table", "times"]

PIECE = 1 << 18  # values made at a time: all that a slab takes beyond itself, a few times over

RowReader = Callable[[int, int], NDArray[np.float32]]  # rows start ≤ r < stop, as an array of their own


@dataclass(frozen=True)
class Grid:
    """Blocks of `height` × `width` in matrices of `tall` × `columns`; one scale each, in row-major order."""

    tall: int
    columns: int
    height: int
    width: int

    @property
    def down(self) -> int:
        """Rows of scales of a matrix."""
        return -(-self.tall // max(self.height, 1))

    @property
    def across(self) -> int:
        """Scales of a row of scales."""
        return -(-self.columns // max(self.width, 1))

    def of_rows(self, start: int, stop: int) -> NDArray[np.intp]:
        """The row of scales of each row."""
        rows = np.arange(start, stop)
        return rows // self.tall * self.down + rows % self.tall // self.height

    def of_columns(self) -> NDArray[np.intp]:
        """The column of scales of each column."""
        return np.arange(self.columns) // self.width


@dataclass(frozen=True)
class Scaled:
    """(code − zero) × scale in float32, then rounded to the nearest of `dtype`, as the package computes in it.

    `order` gives the column of scales of each column where blocks are not neighbours; `check` looks, before values are
    used, at what only reading tells; `factor` is multiplied last.
    """

    grid: Grid
    codes: RowReader
    scales: RowReader
    dtype: str = "float32"
    zeros: RowReader | None = None
    order: Callable[[], NDArray[np.intp]] | None = None
    check: Callable[[], None] | None = None
    factor: float = 1.0

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """The rows as float32."""
        if self.check is not None:
            self.check()
        slab = np.empty((stop - start, self.grid.columns), np.float32)
        step = max(PIECE // max(self.grid.columns, 1), 1)
        of_columns = self.order() if self.order is not None else self.grid.of_columns()
        for begin in range(start, stop if slab.size else start, step):
            end = min(begin + step, stop)
            slab[begin - start : end - start] = self._piece(begin, end, of_columns)
        return slab

    def _piece(self, start: int, stop: int, of_columns: NDArray[np.intp]) -> NDArray[np.float32]:
        values = self.codes(start, stop)
        of_rows = self.grid.of_rows(start, stop)
        first, last = int(of_rows[0]), int(of_rows[-1]) + 1
        pick = np.ix_(of_rows - first, of_columns)
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is counted later, like stored ones
            if self.zeros is not None:
                values -= self.zeros(first, last)[pick]
            values *= self.scales(first, last)[pick]
            if self.factor != 1:
                values *= np.float32(self.factor)
        return rounded(values, self.dtype)

    def read16(self, start: int, stop: int) -> None:
        """Not stored as plain 16-bit floats."""


def rounded(values: NDArray[np.float32], dtype: str) -> NDArray[np.float32]:
    """The nearest values of float32, float16 or bfloat16, ties to even."""
    if dtype == "float32":
        return values
    import ml_dtypes

    with np.errstate(over="ignore", invalid="ignore"):
        result: NDArray[np.float32] = values.astype(ml_dtypes.bfloat16 if dtype == "bfloat16" else np.float16).astype(
            np.float32
        )
    return result


def table(tensor: Tensor, columns: int) -> RowReader:
    """A stored tensor as rows of `columns` values, whatever its shape."""
    return lambda start, stop: numbers(tensor, start * columns, stop * columns).reshape(-1, columns)


def exponents(tensor: Tensor, columns: int) -> RowReader:
    """Scales stored as biased exponents: 2^(byte − 127), as packages read uint8; 255 is infinite."""
    stored = stored_of(tensor)

    def read(start: int, stop: int) -> NDArray[np.float32]:
        with np.errstate(over="ignore"):
            powers = stored.raw(start * columns, stop * columns).astype(np.int32) - 127
            result: NDArray[np.float32] = np.ldexp(np.float32(1), powers)
            return result.reshape(-1, columns)

    return read


def times(rows: RowReader, factor: Callable[[], NDArray[np.float32]], *, divide: bool = False) -> RowReader:
    """Rows multiplied or divided by one number."""

    def read(start: int, stop: int) -> NDArray[np.float32]:
        with np.errstate(all="ignore"):
            found = rows(start, stop)
            return found / factor() if divide else found * factor()

    return read


def integers(tensor: Tensor, bits: int, columns: int, words: int, offset: int) -> RowReader:
    """Rows of `words` stored words as integers of `bits` bits each, less `offset`."""
    stored = stored_of(tensor)

    def read(start: int, stop: int) -> NDArray[np.float32]:
        raw = stored.raw(start * words, stop * words).reshape(stop - start, -1)
        values = unpack(raw, bits, columns).astype(np.float32)
        values -= offset
        return values

    return read


def coded(tensor: Tensor, element: str, bits: int, columns: int, *, signed_zero: bool = True) -> RowReader:
    """Rows of codes of small floats, as many as fit its bytes."""
    stored, values = stored_of(tensor), element_values(element)
    values = values if signed_zero else values + np.float32(0)
    width = tensor.shape[-1] if tensor.shape else 1

    def read(start: int, stop: int) -> NDArray[np.float32]:
        return values[unpack(stored.raw(start * width, stop * width).reshape(stop - start, -1), bits, columns)]

    return read
