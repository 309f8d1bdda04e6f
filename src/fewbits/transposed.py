"""A tensor with its last two axes swapped, read lazily."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from fewbits.tensor import Tensor

__all__ = ["Transposed", "transposed"]

HELD = 1 << 26  # values of a tensor that are kept, so that neighbouring columns need no second reading
PIECE = 1 << 20  # values read at a time


def transposed(tensor: Tensor) -> Tensor:
    """The tensor with its last two axes swapped, named `X (transposed)`; one of rank 0 or 1 is itself."""
    if len(tensor.shape) < 2:
        return tensor
    *outer, rows, columns = tensor.shape
    return replace(
        tensor,
        name=f"{tensor.name} (transposed)",
        shape=(*outer, columns, rows),
        identity=f"{tensor.identity}.T",
        values=Transposed(tensor),
    )


@dataclass
class Transposed:
    """The columns of each matrix of `base` as rows; a band of about `HELD` values is read at once and kept."""

    base: Tensor
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _place: tuple[int, int] = (-1, -1)
    _band: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32), repr=False)

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """The rows as float32."""
        tall, wide = self.base.shape[-2:]
        slab = np.empty((stop - start, tall), np.float32)
        width = max(min(wide, HELD // max(tall, 1)), 1)
        row = start
        while row < stop:
            matrix, column = divmod(row, wide)
            first = column // width * width
            count = min(min(first + width, wide) - column, stop - row)
            band = self._columns(matrix, first, min(first + width, wide))
            slab[row - start : row - start + count] = band[column - first : column - first + count]
            row += count
        return slab

    def read16(self, start: int, stop: int) -> None:
        """Not stored row by row."""

    def _columns(self, matrix: int, first: int, last: int) -> NDArray[np.float32]:
        """The columns first ≤ c < last of a matrix, one a row."""
        with self._lock:
            if self._place != (matrix, first):
                tall, wide = self.base.shape[-2:]
                band = np.empty((last - first, tall), np.float32)
                step = max(PIECE // max(wide, 1), 1)
                for top in range(0, tall, step):
                    end = min(top + step, tall)
                    band[:, top:end] = self.base.read(matrix * tall + top, matrix * tall + end)[:, first:last].T
                self._band, self._place = band, (matrix, first)
            return self._band
