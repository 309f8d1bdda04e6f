"""Weights stored (in, out) and read as (out, in): a range of rows is a range of stored columns.

A slab needs a few bytes of every stored row. They are read as windows of about a megabyte of neighbouring columns, of
which the last few are kept, so that the next slabs find theirs in memory; no more is held than that, however large the
tensor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from fewbits.errors import SourceError
from fewbits.sources.packed.scaled import PIECE, rounded
from fewbits.sources.packed.view import stored_of
from fewbits.sources.stored import Stored
from fewbits.sources.strict_json import quoted
from fewbits.tensor import Tensor

__all__ = ["Transposed", "columns_of", "group_order"]

WINDOW = 1 << 20  # bytes
KEPT = 8  # windows

Codes = Callable[[int, int], NDArray[np.uint8]]  # (outputs, inputs) for outputs start ≤ o < stop
PerGroup = Callable[[int, int], NDArray[np.float32]]  # (outputs, groups)


@dataclass(frozen=True)
class Transposed:
    """(code − zero) × scale, rounded to `dtype`, with a zero and a scale for each group of inputs of each output."""

    inputs: int
    codes: Codes
    zeros: PerGroup
    scales: PerGroup
    groups: Callable[[], NDArray[np.intp]]  # of each input
    dtype: str

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """The rows, one an output, as float32."""
        slab = np.empty((stop - start, self.inputs), np.float32)
        if not slab.size:
            return slab
        groups, step = self.groups(), max(PIECE // self.inputs, 1)
        for begin in range(start, stop, step):
            end = min(begin + step, stop)
            values = self.codes(begin, end).astype(np.float32)
            with np.errstate(over="ignore", invalid="ignore"):
                values -= self.zeros(begin, end)[:, groups]
                values *= self.scales(begin, end)[:, groups]
            slab[begin - start : end - start] = rounded(values, self.dtype)
        return slab

    def read16(self, start: int, stop: int) -> None:
        """Not stored as plain 16-bit floats."""


def columns_of(tensor: Tensor, first: int, last: int) -> NDArray[np.uint8]:
    """The stored bytes of the columns first ≤ c < last of a stored matrix, (rows, bytes)."""
    stored, rows = stored_of(tensor), tensor.rows
    size = stored.dtype.bits // 8
    width = min(max(WINDOW // max(rows * size, 1), 1), stored.columns)
    if last - first >= width:
        return stored.raw_columns(rows, first, last)
    found = []
    for index in range(first // width, (last - 1) // width + 1):
        begin = index * width
        window = _window(stored, rows, begin, min(begin + width, stored.columns))
        found.append(window[:, max(first - begin, 0) * size : (last - begin) * size])
    return np.concatenate(found, axis=1)


@lru_cache(maxsize=KEPT)
def _window(stored: Stored, rows: int, first: int, last: int) -> NDArray[np.uint8]:
    window = stored.raw_columns(rows, first, last)
    window.flags.writeable = False
    return window


def group_order(index: Tensor, groups: int, inputs: int) -> Callable[[], NDArray[np.intp]]:
    """The group of each input as a stored tensor lists them; raises `SourceError` where one is not among the groups."""
    stored = stored_of(index)
    code = "<i8" if index.dtype == "int64" else "<i4"

    def read() -> NDArray[np.intp]:
        found = stored.raw(0, inputs).view(code).astype(np.intp)
        wrong = np.flatnonzero((found < 0) | (found >= groups))
        if wrong.size:
            at = int(wrong[0])
            what = f"input {at} is in group {int(found[at])}, but groups are 0 to {groups - 1}"
            raise SourceError(f"{stored.file.where}: tensor {quoted(index.name)}: {what}")
        return found

    return read
