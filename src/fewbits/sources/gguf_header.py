"""Headers of GGUF files, checked before anything of the file is used.

A file is b"GGUF", its version, the numbers of tensors and of metadata keys, the metadata, what is known of each tensor, and after
padding the tensors' bytes, each from a multiple of the alignment on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from fewbits.sources.cursor import Cursor
from fewbits.sources.file import File
from fewbits.sources.ggml_types import GGML_TYPES, GgmlType, removed_types
from fewbits.sources.gguf_metadata import Value, read_metadata
from fewbits.sources.shapes import impossible
from fewbits.sources.strict_json import quoted

__all__ = ["MAGIC", "GgufEntry", "GgufHeader", "read_gguf_header"]

MAGIC = b"GGUF"
VERSIONS = (2, 3)
LONGEST = 1 << 26  # bytes of a header; those of the largest vocabularies take a third of it
MOST = 100_000  # tensors
LONGEST_NAME = 1024  # bytes; ggml's own limit is 63
DEEPEST = 4  # axes, as in ggml
LARGEST = 1 << 60  # values, of axes that have any
ALIGNMENT = "general.alignment"
USUAL_ALIGNMENT = 32


@dataclass(frozen=True)
class GgufEntry:
    """A tensor in a file: its bytes are begin ≤ b < end, counted from the start of the file; its last axis is ggml's first."""

    name: str
    kind: GgmlType
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True)
class GgufHeader:
    """What a GGUF file says about itself; `digest` is the SHA-256 of its header's bytes."""

    version: int
    metadata: Mapping[str, Value]
    entries: Mapping[str, GgufEntry]
    digest: str


@dataclass(frozen=True)
class _Info:
    """A tensor as its header has it: `offset` counts from the end of the header, padded."""

    name: str
    kind: GgmlType
    shape: tuple[int, ...]
    nbytes: int
    offset: int


def read_gguf_header(file: File) -> GgufHeader:
    """The header of a file; raises `SourceError`."""
    cursor = Cursor(file, LONGEST, "its header")
    version = _version(cursor)
    tensors, keys = cursor.count("the number of tensors"), cursor.count("the number of metadata keys")
    if tensors > MOST:
        raise cursor.wrong(f"{tensors:,} tensors, at most {MOST:,} are allowed")
    metadata = read_metadata(cursor, keys)
    alignment = _alignment(cursor, metadata)
    infos: dict[str, _Info] = {}
    for number in range(tensors):
        info = _info(cursor, f"tensor {number + 1} of {tensors}", alignment)
        if info.name in infos:
            raise cursor.wrong(f"tensor {quoted(info.name)} stands there twice")
        infos[info.name] = info
    data = -(-cursor.position // alignment) * alignment
    entries = {name: _entry(info, data) for name, info in infos.items()}
    _check_places(cursor, entries)
    return GgufHeader(version, metadata, entries, cursor.digest())


def _version(cursor: Cursor) -> int:
    size = cursor.file.size
    magic = cursor.take(min(len(MAGIC), size), "its first bytes")
    if magic != MAGIC:
        raise cursor.wrong(f"not a GGUF file, it begins with {quoted(magic)}, not with {MAGIC!r}")
    version = cursor.count("its version", "I")
    if version in VERSIONS:
        return version
    if version and version & 0xFFFF == 0:
        swapped = int.from_bytes(version.to_bytes(4, "little"), "big")
        raise cursor.wrong(f"a big-endian GGUF file (version {swapped}), only little-endian ones are read")
    old = "; llama.cpp can convert it" if version == 1 else ""
    raise cursor.wrong(f"GGUF version {version}, only {VERSIONS[0]} and {VERSIONS[1]} are read{old}")


def _alignment(cursor: Cursor, metadata: Mapping[str, Value]) -> int:
    value = metadata.get(ALIGNMENT, USUAL_ALIGNMENT)
    if type(value) is not int or not 0 < value < 1 << 32 or value & (value - 1):
        raise cursor.wrong(f"{ALIGNMENT} {quoted(value)} is not a power of two below 2^32")
    return value


def _info(cursor: Cursor, which: str, alignment: int) -> _Info:
    name = cursor.text(f"the name of {which}", LONGEST_NAME)
    what = f"tensor {quoted(name)}"
    axes = cursor.count(f"the number of axes of {what}", "I")
    if axes > DEEPEST:
        raise cursor.wrong(f"{what} has {axes:,} axes, at most {DEEPEST} are allowed")
    shape = tuple(cursor.count(f"the shape of {what}") for _ in range(axes))[::-1]
    kind = _kind(cursor, what)
    if math.prod(side for side in shape if side) > LARGEST or impossible(shape):
        raise cursor.wrong(f"{what} of shape {quoted(list(shape))} is larger than any array")
    columns = shape[-1] if shape else 1
    if columns % kind.values:
        raise cursor.wrong(
            f"{what} has rows of {columns:,} values, not whole blocks of {kind.values} as {kind.name} has"
        )
    offset = cursor.count(f"the offset of {what}")
    if offset % alignment:
        raise cursor.wrong(f"{what} has offset {offset:,}, not a multiple of {alignment:,}")
    return _Info(name, kind, shape, math.prod(shape) // kind.values * kind.bytes, offset)


def _kind(cursor: Cursor, what: str) -> GgmlType:
    number = cursor.count(f"the type of {what}", "I")
    if number in GGML_TYPES:
        return GGML_TYPES[number]
    gone = removed_types(number)
    known = ", ".join(kind.name for kind in GGML_TYPES.values())
    raise cursor.wrong(
        f"{what} is of ggml's type {number}" + (f" ({gone}, removed)" if gone else "") + f"; known are {known}"
    )


def _entry(info: _Info, data: int) -> GgufEntry:
    begin = data + info.offset
    return GgufEntry(info.name, info.kind, info.shape, begin, begin + info.nbytes)


def _check_places(cursor: Cursor, entries: Mapping[str, GgufEntry]) -> None:
    """Every tensor is inside the file, and no byte belongs to two; there may be padding."""
    size, reached, before = cursor.file.size, 0, ""
    for entry in sorted(entries.values(), key=lambda entry: (entry.begin, entry.end)):
        name = quoted(entry.name)
        if entry.end > size:
            raise cursor.wrong(f"truncated, tensor {name} ends at byte {entry.end:,} of {size:,}")
        if entry.begin < reached:
            raise cursor.wrong(f"tensors {before} and {name} overlap, from byte {entry.begin:,} to {reached:,}")
        if entry.end > entry.begin:
            reached, before = entry.end, name
