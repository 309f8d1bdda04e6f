"""Tensors whose bytes lie in one file, one after the other."""

from __future__ import annotations

import hashlib
import sys
import threading
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from fewbits.errors import SourceError
from fewbits.sources.dtypes import Dtype
from fewbits.sources.file import File
from fewbits.sources.header import Entry, Header
from fewbits.sources.strict_json import quoted
from fewbits.tensor import Tensor, Values

__all__ = ["Missing", "Stored", "digest", "stored_tensor"]

BAND = 1 << 20  # bytes of whole rows read at a time
SKIPPED = 1 << 18  # bytes of a row that are worth another access to the file
PIECE = 1 << 18  # values converted at a time, to stay in the cache: all that a slab takes beyond itself


@dataclass(frozen=True)
class Stored:
    """Rows of `columns` values of one dtype from byte `offset` of a file."""

    file: File
    name: str
    dtype: Dtype
    offset: int
    columns: int

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """The rows as float32."""
        slab = np.empty((stop - start, self.columns), np.float32)
        flat, first = slab.reshape(-1), start * self.columns
        if self.dtype.name == "float32" and sys.byteorder == "little":
            self._fill(first, flat)
            return slab
        for begin in range(0, flat.size, PIECE):
            piece = flat[begin : begin + PIECE]
            raw = _scratch(piece.size * self.dtype.bits // 8)
            self._fill(first + begin, raw)
            self.dtype.decode_into(raw, piece)
        return slab

    def read16(self, start: int, stop: int) -> NDArray[np.uint16] | None:
        """The bits of 16-bit floats."""
        if not self.dtype.plain16:
            return None
        slab = np.empty((stop - start, self.columns), "<u2")
        self._fill(start * self.columns, slab.reshape(-1))
        return slab.astype(np.uint16, copy=False)

    def raw(self, first: int, last: int) -> NDArray[np.uint8]:
        """The stored bytes of the values first ≤ i < last of the flattened tensor."""
        found = np.empty((last - first) * self.dtype.bits // 8, np.uint8)
        self._fill(first, found)
        return found

    def raw_columns(self, rows: int, first: int, last: int) -> NDArray[np.uint8]:
        """The stored bytes of the columns first ≤ c < last of the first `rows` rows, (rows, bytes).

        Rows are read whole, some at a time, where skipping the rest of a row would take longer than reading it.
        """
        size = self.dtype.bits // 8
        found = np.empty((rows, (last - first) * size), np.uint8)
        if (self.columns - (last - first)) * size > SKIPPED:
            for row in range(rows):
                self._fill(row * self.columns + first, found[row])
            return found
        step = max(BAND // max(self.columns * size, 1), 1)
        for begin in range(0, rows, step):
            end = min(begin + step, rows)
            band = self.raw(begin * self.columns, end * self.columns).reshape(end - begin, -1)
            found[begin:end] = band[:, first * size : last * size]
        return found

    def _fill(self, first: int, target: NDArray[np.float32] | NDArray[np.uint8] | NDArray[np.uint16]) -> None:
        """Fill the array with the bytes from value `first` on."""
        if target.size:
            offset = self.offset + first * self.dtype.bits // 8
            self.file.read_into(offset, target.view(np.uint8).data, f"tensor {quoted(self.name)}")


_held = threading.local()


def _scratch(nbytes: int) -> NDArray[np.uint8]:
    """Memory of a thread for bytes on their way into a slab: fresh memory would cost a third of the rate."""
    buffer: NDArray[np.uint8] | None = getattr(_held, "buffer", None)
    if buffer is None or buffer.size < nbytes:
        buffer = _held.buffer = np.empty(nbytes, np.uint8)
    return buffer[:nbytes]


@dataclass(frozen=True)
class Missing:
    """Values that cannot be read, and why; `stored` are their bytes, where they are known."""

    reason: str
    stored: Stored | None = None

    def read(self, start: int, stop: int) -> NoReturn:
        """Raises `SourceError`."""
        raise SourceError(self.reason)

    read16 = read


def stored_tensor(file: File, header: Header, entry: Entry) -> Tensor:
    """The tensor of an entry; one of unsupported dtype is listed, but not readable."""
    columns = entry.shape[-1] if entry.shape else 1
    problem = ""
    stored = Stored(file, entry.name, entry.dtype, entry.begin, columns)
    values: Values = stored
    if entry.dtype.decode is None:
        problem = f"holds {entry.dtype.name}, which fewbits does not read as numbers"
        values = Missing(f"{file.where}: tensor {quoted(entry.name)} {problem}", stored)
    return Tensor(
        name=entry.name,
        shape=entry.shape,
        dtype=entry.dtype.name,
        nbytes=entry.end - entry.begin,
        identity=digest("safetensors", file.key, header.digest, entry.begin, entry.end, *_label(entry)),
        values=values,
        unreadable=problem,
    )


def _label(entry: Entry) -> tuple[str, str, str]:
    """What tells tensors apart that share a byte range: those of no bytes."""
    return entry.name, entry.dtype.name, "x".join(map(str, entry.shape))


def digest(*parts: str | int) -> str:
    """128 bits of SHA-256 over the parts, as hexadecimal digits."""
    return hashlib.sha256(repr(parts).encode("utf-8", "backslashreplace")).hexdigest()[:32]
