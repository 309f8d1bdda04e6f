"""Tensors whose values do not lie one after the other: transposed, sliced, stored column by column or big-endian."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fewbits.sources.dtypes import Dtype
from fewbits.sources.file import File
from fewbits.sources.stored import Stored
from fewbits.sources.strict_json import quoted

__all__ = ["Strided", "Swapped", "contiguous", "placed"]

SPAN = 1 << 22  # bytes read at once
NEAR = 1 << 16  # bytes that are read along rather than asked around

Box = tuple[tuple[int, int], ...]  # begin and end along each axis


def placed(
    file: File, name: str, dtype: Dtype, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]
) -> Stored | Strided:
    """Values of `shape` from byte `offset`, `strides` values apart."""
    if contiguous(shape, strides):
        return Stored(file, name, dtype, offset, shape[-1] if shape else 1)
    return Strided(file, name, dtype, offset, shape, strides)


def contiguous(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """Whether values lie one after the other, row by row."""
    step = 1
    for length, stride in zip(reversed(shape), reversed(strides), strict=True):
        if length != 1 and stride != step:
            return not math.prod(shape)
        step *= length
    return True


@dataclass(frozen=True)
class Strided:
    """Values of a shape that lie `strides` values apart, from byte `offset` of a file."""

    file: File
    name: str
    dtype: Dtype
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """The rows as float32."""
        columns = self.shape[-1] if self.shape else 1
        slab = np.empty((stop - start, columns), np.float32)
        flat, decode, width = slab.reshape(-1), self.dtype.decode, self.dtype.bits // 8
        assert decode is not None, self.dtype
        piece = SPAN // width
        for begin in range(0, flat.size, piece):
            end = min(begin + piece, flat.size)
            flat[begin:end] = decode(self.raw(start * columns + begin, start * columns + end))
        return slab

    def read16(self, start: int, stop: int) -> NDArray[np.uint16] | None:
        """The bits of 16-bit floats."""
        if not self.dtype.plain16:
            return None
        columns = self.shape[-1] if self.shape else 1
        bits = self.raw(start * columns, stop * columns).view("<u2").astype(np.uint16, copy=False)
        return bits.reshape(stop - start, columns)

    def raw(self, first: int, last: int) -> NDArray[np.uint8]:
        """The bytes of values first ≤ i < last, counted row by row."""
        width = self.dtype.bits // 8
        found = np.empty(last - first, f"u{width}")
        done = 0
        for box in _boxes(self.shape, first, last):
            sides = tuple(end - begin for begin, end in box)
            count = math.prod(sides)
            self._fill(box, found[done : done + count].reshape(sides))
            done += count
        return found.view(np.uint8)

    def _fill(self, box: Box, target: NDArray[np.unsignedinteger]) -> None:
        """Fill a box of values: with one read where they are near each other, else in halves."""
        width, sides = target.itemsize, target.shape
        reach = sum((side - 1) * stride for side, stride in zip(sides, self.strides, strict=True)) + 1
        if reach * width <= min(SPAN, 4 * target.nbytes + NEAR):
            first = sum(begin * stride for (begin, _), stride in zip(box, self.strides, strict=True))
            raw = np.empty(reach, target.dtype)
            self.file.read_into(self.offset + first * width, raw.view(np.uint8).data, f"tensor {quoted(self.name)}")
            steps = tuple(stride * width for stride in self.strides)
            target[...] = np.lib.stride_tricks.as_strided(raw, sides, steps, writeable=False)
            return
        axis = max((a for a in range(len(sides)) if sides[a] > 1), key=lambda a: (sides[a] - 1) * self.strides[a])
        begin, end = box[axis]
        middle, half = (begin + end) // 2, (end - begin) // 2
        before, after = np.split(target, [half], axis)
        self._fill((*box[:axis], (begin, middle), *box[axis + 1 :]), before)
        self._fill((*box[:axis], (middle, end), *box[axis + 1 :]), after)


@dataclass(frozen=True)
class Swapped:
    """A file with the bytes of every value, `width` of them, in the other order."""

    file: File
    width: int

    @property
    def where(self) -> str:
        """What to call it in a message."""
        return self.file.where

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self.file.size

    @property
    def key(self) -> str:
        """Names the content."""
        return self.file.key

    def read_into(self, offset: int, buffer: memoryview, what: str) -> None:
        """Fill `buffer` with the values from `offset` on; raises `SourceError`."""
        self.file.read_into(offset, buffer, what)
        np.frombuffer(buffer, np.uint8).view(f"u{self.width}").byteswap(inplace=True)


def _boxes(shape: tuple[int, ...], first: int, last: int) -> Iterator[Box]:
    """Boxes that together are values first ≤ i < last of a shape, row by row, in order."""
    if first >= last:
        return
    if not shape:
        yield ()
        return
    below = math.prod(shape[1:])
    head, tail = -(-first // below), last // below  # whole steps of the first axis
    if head > tail:  # inside one step
        yield from _within(shape, tail, first - tail * below, last - tail * below)
        return
    yield from _within(shape, head - 1, first - (head - 1) * below, below) if first < head * below else ()
    if head < tail:
        yield ((head, tail), *((0, length) for length in shape[1:]))
    yield from _within(shape, tail, 0, last - tail * below)


def _within(shape: tuple[int, ...], step: int, first: int, last: int) -> Iterator[Box]:
    for box in _boxes(shape[1:], first, last):
        yield ((step, step + 1), *box)
