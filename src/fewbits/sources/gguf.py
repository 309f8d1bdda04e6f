"""GGUF files: the tensors of llama.cpp and its kin, most of them stored in blocks of few bits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fewbits.sources.file import File
from fewbits.sources.ggml_types import GgmlType
from fewbits.sources.gguf_header import MAGIC, GgufEntry, GgufHeader, read_gguf_header
from fewbits.sources.gguf_metadata import LongArray, Value
from fewbits.sources.stored import Missing, Stored, digest
from fewbits.sources.strict_json import quoted
from fewbits.tensor import Tensor, Values

__all__ = ["EXTENSION", "MAGIC", "Blocks", "LongArray", "gguf_metadata", "gguf_tensors", "read_gguf"]

EXTENSION = ".gguf"
FETCHED = (
    1 << 22
)  # bytes read at a time: all that a slab takes beyond itself, and few requests where the file is remote
PIECE = 1 << 16  # values decoded at a time


def read_gguf(file: File) -> list[Tensor]:
    """The tensors of a file by its header; raises `SourceError`."""
    return gguf_tensors(file, read_gguf_header(file))


def gguf_metadata(file: File) -> Mapping[str, Value]:
    """The metadata of a file; of long arrays, as those of tokens, only number and digest; raises `SourceError`."""
    return read_gguf_header(file).metadata


def gguf_tensors(file: File, header: GgufHeader) -> list[Tensor]:
    """The tensors of a header; those of a type that is not decoded are listed, but not readable."""
    return [_tensor(file, header, entry) for entry in header.entries.values()]


@dataclass(frozen=True)
class Blocks:
    """Rows of `columns` values in blocks of one type from byte `offset` of a file."""

    file: File
    name: str
    kind: GgmlType
    offset: int
    columns: int

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """The rows as float32."""
        from fewbits.packing.decoder import decode  # numba is slow to import

        slab = np.empty((stop - start, self.columns), np.float32)
        flat = slab.reshape(slab.size // self.kind.values, self.kind.values)
        first = start * self.columns // self.kind.values
        fetched, piece = FETCHED // self.kind.bytes, PIECE // self.kind.values
        for begin in range(0, len(flat), fetched):
            blocks = flat[begin : begin + fetched]
            raw = self._fetch(first + begin, len(blocks))
            for at in range(0, len(blocks), piece):
                some = blocks[at : at + piece].reshape(-1)
                decode(self.kind.name, raw[at : at + piece].reshape(-1), some)
        return slab

    def read16(self, start: int, stop: int) -> None:
        """Not stored as plain 16-bit floats."""

    def _fetch(self, first: int, count: int) -> NDArray[np.uint8]:
        """The bytes of blocks, one a row."""
        raw = np.empty((count, self.kind.bytes), np.uint8)
        self.file.read_into(self.offset + first * self.kind.bytes, raw.reshape(-1).data, f"tensor {quoted(self.name)}")
        return raw


def _tensor(file: File, header: GgufHeader, entry: GgufEntry) -> Tensor:
    kind, columns = entry.kind, entry.shape[-1] if entry.shape else 1
    problem = "" if kind.decoded else f"holds {kind.name}, which ggml keeps for products; fewbits does not decode it"
    values: Values = Blocks(file, entry.name, kind, entry.begin, columns)
    if kind.dtype:
        values = Stored(file, entry.name, kind.dtype, entry.begin, columns)
    elif problem:
        values = Missing(f"{file.where}: tensor {quoted(entry.name)} {problem}")
    label = (entry.name, kind.name, "x".join(map(str, entry.shape)))
    return Tensor(
        name=entry.name,
        shape=entry.shape,
        dtype=kind.dtype.name if kind.dtype else "float32",
        nbytes=entry.end - entry.begin,
        identity=digest("gguf", file.key, header.digest, entry.begin, entry.end, *label),
        values=values,
        layout="" if kind.dtype else kind.name,
        unreadable=problem,
    )
