"""A lazy tensor: what is known without reading it, and slabs of its rows when asked."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Tensor", "Values"]


class Values(Protocol):
    """Where the values of a tensor come from; rows start ≤ r < stop of its (rows, columns) view, from any thread."""

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """The rows as a C-contiguous float32 array of its own, (stop − start, columns)."""
        ...

    def read16(self, start: int, stop: int) -> NDArray[np.uint16] | None:
        """The stored 16-bit patterns of the rows; None where the tensor is not stored as plain 16-bit floats."""
        ...


@dataclass(frozen=True)
class Tensor:
    """A named array of some source: (rows, columns) with rows = all leading axes, columns = the last axis.

    `dtype` is that of the values (torch's names: float32, bfloat16, float8_e4m3fn, int32 …); `layout` says how they
    are stored where that differs, and `nbytes` counts all stored bytes, scales included. `identity` changes whenever
    the values may: it names file, revision, header and byte range. A tensor that only serves another one (its scales)
    names it in `companion_of`; its bytes are in the other's `nbytes` too. `unreadable` says why `read` will fail, as
    what follows the tensor's name.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    nbytes: int
    identity: str
    values: Values = field(repr=False, compare=False)
    layout: str = ""
    companion_of: str = ""
    unreadable: str = ""

    @property
    def rows(self) -> int:
        """Product of the leading axes; 1 for rank 0 and 1."""
        return math.prod(self.shape[:-1])

    @property
    def columns(self) -> int:
        """Length of the last axis; 1 for rank 0."""
        return self.shape[-1] if self.shape else 1

    @property
    def size(self) -> int:
        """Number of values."""
        return self.rows * self.columns

    def read(self, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        """Rows start ≤ r < stop as float32 (stop − start, columns), own memory; raises `SourceError`.

        Wider types are rounded to the nearest float32, ties to even; float64 beyond its range becomes infinite.
        """
        return self.values.read(*self._range(start, stop))

    def read16(self, start: int = 0, stop: int | None = None) -> NDArray[np.uint16] | None:
        """The raw bits of the same rows where they are plain bfloat16 or float16, else None; raises `SourceError`."""
        return self.values.read16(*self._range(start, stop))

    def _range(self, start: int, stop: int | None) -> tuple[int, int]:
        stop = self.rows if stop is None else stop
        if not 0 <= start <= stop <= self.rows:
            raise ValueError(f"rows {start} to {stop} of {self.name!r}: allowed are 0 to {self.rows}")
        return start, stop
