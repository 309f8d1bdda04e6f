"""A tensor on its way into a file: its name, shape and type there, and its bytes piece by piece."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO

from fewbits.errors import SourceError
from fewbits.sources.dtypes import DTYPES
from fewbits.sources.raw import as_stored, raw_bytes, raw_dtype
from fewbits.sources.strict_json import quoted
from fewbits.tensor import Tensor

__all__ = ["Item", "Kind", "item_of"]

PIECE = 1 << 20  # values at a time


@dataclass(frozen=True)
class Kind:
    """A kind of file: the types it holds, why it refuses a name (or ""), and its writer."""

    title: str
    dtypes: frozenset[str]
    refuses: Callable[[str], str]
    write: Callable[[Sequence[Item], IO[bytes]], None]


@dataclass(frozen=True)
class Item:
    """A tensor to be written as `dtype`; `note` says what it was where that is something else."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    tensor: Tensor
    note: str = ""
    advance: Callable[[int], None] = field(default=lambda done: None, repr=False)

    @property
    def nbytes(self) -> int:
        """Bytes in the file."""
        return math.prod(self.shape) * DTYPES[self.dtype].bits // 8

    def pieces(self) -> Iterator[memoryview]:
        """The little-endian bytes, in order; raises `SourceError`."""
        stored, size = raw_dtype(self.tensor), self.tensor.size
        step = PIECE if stored else max(PIECE // max(self.tensor.columns, 1), 1) * self.tensor.columns
        for first in range(0, size, max(step, 1)):
            last = min(first + step, size)
            yield self._piece(first, last)
            self.advance(last - first)

    def _piece(self, first: int, last: int) -> memoryview:
        stored = raw_dtype(self.tensor)
        if stored is None:  # whole rows
            columns = self.tensor.columns
            values = self.tensor.read(first // columns, last // columns)
            return values.astype("<f4", copy=False).reshape(-1).view("u1").data
        raw = raw_bytes(self.tensor, first, last)
        if stored.name == self.dtype:
            return raw.data
        assert stored.decode is not None, self.name
        return stored.decode(raw).astype("<f4", copy=False).view("u1").data


def item_of(tensor: Tensor, kind: Kind, advance: Callable[[int], None]) -> Item:
    """How a tensor goes into a kind of file; raises `SourceError` where it cannot be read."""
    tensor = as_stored(tensor)
    if tensor.unreadable:
        raise SourceError(f"tensor {quoted(tensor.name)} {tensor.unreadable}")
    stored = raw_dtype(tensor)
    if stored is not None and stored.name in kind.dtypes:
        return Item(tensor.name, tensor.shape, stored.name, tensor, advance=advance)
    note = (
        f"{stored.name}, which {kind.title} does not hold," if stored else f"{tensor.layout}," if tensor.layout else ""
    )
    return Item(tensor.name, tensor.shape, "float32", tensor, note, advance)
