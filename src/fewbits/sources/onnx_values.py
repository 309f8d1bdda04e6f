"""Values in fields of a Protocol Buffers message: integers of a few bytes each, or numbers with a tag each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fewbits.errors import SourceError
from fewbits.sources.dtypes import Dtype
from fewbits.sources.file import File
from fewbits.sources.strict_json import quoted
from fewbits.sources.wire import BYTES, FIXED32, FIXED64, VARINT, Field

__all__ = ["TYPED", "Listed"]

TYPED = {4: FIXED32, 5: VARINT, 7: VARINT, 10: FIXED64, 11: VARINT}  # fields of values of TensorProto, by wire type


@dataclass(frozen=True)
class Listed:
    """The values of some fields, decoded as a whole for each read."""

    file: File
    name: str
    dtype: Dtype
    parts: tuple[Field, ...] = field(repr=False)
    count: int
    columns: int

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """The rows as float32."""
        decode = self.dtype.decode
        assert decode is not None, self.dtype
        return decode(self._bytes(start, stop)).reshape(stop - start, self.columns)

    def read16(self, start: int, stop: int) -> NDArray[np.uint16] | None:
        """The bits of 16-bit floats."""
        if not self.dtype.plain16:
            return None
        return self._bytes(start, stop).view("<u2").astype(np.uint16, copy=False).reshape(stop - start, self.columns)

    def raw(self, first: int, last: int) -> NDArray[np.uint8]:
        """The bytes of values first ≤ i < last."""
        width = self.dtype.bits // 8
        found = np.concatenate([np.empty(0, np.uint8), *self._pieces()])
        if found.size != self.count * width:
            raise SourceError(
                f"{self.file.where}: tensor {quoted(self.name)} has {found.size // width:,} values, not {self.count:,}"
            )
        return found[first * width : last * width].copy()

    def _bytes(self, start: int, stop: int) -> NDArray[np.uint8]:
        return self.raw(start * self.columns, stop * self.columns)

    def _pieces(self) -> Iterator[NDArray[np.uint8]]:
        for part in self.parts:
            if part.kind == VARINT:
                yield self._narrow(np.array([part.value], np.uint64))
                continue
            raw = np.empty(part.end - part.begin, np.uint8)
            if raw.size:
                self.file.read_into(part.begin, raw.data, f"tensor {quoted(self.name)}")
            packed = part.kind == BYTES and TYPED[part.number] == VARINT
            yield self._narrow(self._varints(raw)) if packed else raw

    def _narrow(self, values: NDArray[np.uint64]) -> NDArray[np.uint8]:
        """The low bytes of each value: two's complement needs no more."""
        width = self.dtype.bits // 8
        return np.ascontiguousarray(values.astype("<u8").view(np.uint8).reshape(-1, 8)[:, :width]).reshape(-1)

    def _varints(self, raw: NDArray[np.uint8]) -> NDArray[np.uint64]:
        """Integers of at most 64 bits, seven a byte, the last byte of each below 128."""
        ends = np.flatnonzero(raw < 128)
        starts = np.concatenate([[0], ends[:-1] + 1]) if ends.size else ends
        lengths = ends - starts + 1
        if (raw.size and (not ends.size or ends[-1] != raw.size - 1)) or (lengths > 10).any():
            raise SourceError(f"{self.file.where}: tensor {quoted(self.name)} has damaged integers")
        values = np.zeros(ends.size, np.uint64)
        for step in range(int(lengths.max(initial=0))):
            longer = lengths > step
            part = (raw[starts[longer] + step] & 127).astype(np.uint64)
            values[longer] |= part << np.uint64(7 * step)
        return values
