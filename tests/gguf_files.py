"""GGUF files for tests, in memory: right ones, and ones with any header."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fewbits.errors import SourceError

U8, I8, U16, I16, U32, I32, F32, BOOL, TEXT, ARRAY, U64, I64, F64 = range(13)
CODES = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "B", U64: "Q", I64: "q", F64: "d"}


@dataclass
class Memory:
    """A file of bytes that counts what is read of it."""

    content: bytes
    size: int = -1
    reads: list[tuple[int, int]] = field(default_factory=list)
    where: str = "memory.gguf"
    key: str = "memory"

    def __post_init__(self) -> None:
        self.size = len(self.content) if self.size < 0 else self.size

    def read_into(self, offset: int, buffer: memoryview, what: str) -> None:
        self.reads.append((offset, len(buffer)))
        piece = self.content[offset : offset + len(buffer)]
        if len(piece) < len(buffer):
            raise SourceError(f"{self.where}: ends while reading {what}")
        buffer[:] = piece


def text(content: str | bytes) -> bytes:
    content = content.encode() if isinstance(content, str) else content
    return struct.pack("<Q", len(content)) + content


def array(kind: int, items: Sequence[Any], count: int | None = None) -> bytes:
    """Its items, bytes where they are arrays themselves."""
    content = b"".join(item if kind == ARRAY else text(item) if kind == TEXT else number(kind, item) for item in items)
    return struct.pack("<IQ", kind, len(items) if count is None else count) + content


def number(kind: int, value: Any) -> bytes:
    return struct.pack("<" + CODES[kind], value)


def info(name: str | bytes, ne: Sequence[int], kind: int = 0, offset: int = 0) -> bytes:
    return text(name) + struct.pack(f"<I{len(ne)}QIQ", len(ne), *ne, kind, offset)


def gguf_file(
    metadata: Mapping[str | bytes, tuple[int, bytes]] | Sequence[tuple[str | bytes, tuple[int, bytes]]] = (),
    infos: Sequence[bytes] = (),
    data: bytes = b"",
    *,
    version: int = 3,
    tensors: int | None = None,
    keys: int | None = None,
    alignment: int = 32,
) -> bytes:
    """A file that says it has so many tensors and keys."""
    pairs = list(metadata.items() if isinstance(metadata, Mapping) else metadata)
    counts = (len(infos) if tensors is None else tensors, len(pairs) if keys is None else keys)
    content = b"GGUF" + struct.pack("<IQQ", version, *counts)
    for key, (kind, value) in pairs:
        content += text(key) + struct.pack("<I", kind) + value
    content += b"".join(infos)
    return content + (bytes(-len(content) % alignment) + data if data else b"")
