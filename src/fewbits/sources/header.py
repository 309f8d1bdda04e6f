"""Headers of safetensors files, checked before anything of the file is used.

A file is 8 bytes (little-endian length n), n bytes of JSON, then the tensors' bytes without holes or overlaps
(https://huggingface.co/docs/safetensors/index#format).
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from fewbits.errors import SourceError
from fewbits.sources.dtypes import DTYPES, Dtype
from fewbits.sources.file import File
from fewbits.sources.shapes import impossible
from fewbits.sources.strict_json import Json, parse_json, quoted

__all__ = ["LONGEST", "PREFIX", "Entry", "Header", "header_length", "parse_header", "read_header"]

PREFIX = 8  # bytes of the length
LONGEST = 100_000_000  # bytes of JSON, as in the reference implementation
DEEPEST = 64  # axes, as in numpy
NAME = re.compile(r"[A-Za-z0-9]{1,30}")  # of a dtype that may be said again

STORED: Mapping[str, Dtype] = {
    "BOOL": DTYPES["bool"],
    **{
        f"{kind}{bits}": DTYPES[f"{word}{bits}"]
        for kind, word in (("I", "int"), ("U", "uint"))
        for bits in (8, 16, 32, 64)
    },
    **{f"F{bits}": DTYPES[f"float{bits}"] for bits in (16, 32, 64)},
    "BF16": DTYPES["bfloat16"],
    "F8_E4M3": DTYPES["float8_e4m3fn"],
    "F8_E5M2": DTYPES["float8_e5m2"],
    "F8_E4M3FNUZ": DTYPES["float8_e4m3fnuz"],
    "F8_E5M2FNUZ": DTYPES["float8_e5m2fnuz"],
    "F8_E8M0": DTYPES["float8_e8m0fnu"],
    "F6_E2M3": Dtype("float6_e2m3fn", 6),
    "F6_E3M2": Dtype("float6_e3m2fn", 6),
    "F4": Dtype("float4_e2m1fn", 4),
    "C64": Dtype("complex64", 64),
}


@dataclass(frozen=True)
class Entry:
    """A tensor in a file: its bytes are begin ≤ b < end, counted from the start of the file."""

    name: str
    dtype: Dtype
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True)
class Header:
    """What a safetensors file says about itself; `digest` is the SHA-256 of its header's bytes."""

    entries: Mapping[str, Entry]
    digest: str
    metadata: Mapping[str, str] = field(default_factory=dict)


def read_header(file: File) -> Header:
    """The header of a file; raises `SourceError`."""
    raw = bytearray(min(PREFIX, file.size))
    file.read_into(0, memoryview(raw), "its header")
    text = bytearray(header_length(bytes(raw), file.size, file.where))
    file.read_into(PREFIX, memoryview(text), "its header")
    return parse_header(bytes(text), file.size, file.where)


def header_length(prefix: bytes, size: int, where: str) -> int:
    """Length of the JSON by the first bytes of a file of `size` bytes; raises `SourceError`."""
    if len(prefix) < PREFIX:
        raise SourceError(f"{where}: {size} bytes are no safetensors file, the shortest has {PREFIX + 2}")
    length = int.from_bytes(prefix[:PREFIX], "little")
    if length > LONGEST:
        raise SourceError(
            f"{where}: not a safetensors file, its header would be {length:,} bytes (at most {LONGEST:,})"
        )
    if length > size - PREFIX:
        raise SourceError(f"{where}: truncated, its header is {length:,} bytes of {size - PREFIX:,}")
    return length


def parse_header(text: bytes, size: int, where: str) -> Header:
    """The header from its JSON; every offset is inside the file of `size` bytes; raises `SourceError`."""
    if not text.startswith(b"{"):
        raise SourceError(f"{where}: not a safetensors file, its header does not begin with '{{'")
    content = parse_json(text, f"{where}: header")
    metadata = content.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise SourceError(f"{where}: __metadata__ is not a map of strings")
    data = PREFIX + len(text)
    entries = {name: _entry(name, value, data, where) for name, value in content.items()}
    _check_cover(entries, data, size, where)
    return Header(entries, hashlib.sha256(text).hexdigest(), {key: str(value) for key, value in metadata.items()})


def _entry(name: str, value: Json, data: int, where: str) -> Entry:
    def wrong(what: str) -> SourceError:
        return SourceError(f"{where}: tensor {quoted(name)}: {what}")

    if not isinstance(value, dict):
        raise wrong(f"{quoted(value)} is not an object with dtype, shape and data_offsets")
    if missing := [key for key in ("dtype", "shape", "data_offsets") if key not in value]:
        raise wrong(f"no {missing[0]}")
    dtype, shape, offsets = value["dtype"], _counts(value["shape"]), _counts(value["data_offsets"])
    if not isinstance(dtype, str):
        raise wrong(f"dtype {quoted(dtype)} is not a name")
    if shape is None or len(shape) > DEEPEST:
        raise wrong(f"shape {quoted(value['shape'])} is not a list of at most {DEEPEST} lengths ≥ 0")
    if impossible(shape):
        raise wrong(f"shape {quoted(value['shape'])} is one that no array can have")
    if offsets is None or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise wrong(f"data_offsets {quoted(value['data_offsets'])} are not [begin, end] with 0 ≤ begin ≤ end")
    begin, end = offsets
    known = STORED.get(dtype) or Dtype(dtype.lower() if NAME.fullmatch(dtype) else "unknown", 0)
    bits = known.bits * math.prod(shape)
    if known.bits and bits != 8 * (end - begin):
        needed = f"{bits / 8:,.10g}" if bits < 1 << 63 else "far more"
        raise wrong(f"{end - begin:,} bytes, but {dtype} of shape {quoted(value['shape'])} takes {needed}")
    return Entry(name, known, shape, data + begin, data + end)


def _check_cover(entries: Mapping[str, Entry], data: int, size: int, where: str) -> None:
    """The tensors' bytes follow each other from the header to the end of the file."""
    reached = data
    for entry in sorted(entries.values(), key=lambda e: (e.begin, e.end)):
        if entry.end > size:
            raise SourceError(f"{where}: truncated, tensor {quoted(entry.name)} ends at byte {entry.end:,} of {size:,}")
        if entry.begin != reached:
            problem = "a hole before" if entry.begin > reached else "another tensor's bytes in"
            raise SourceError(f"{where}: {problem} tensor {quoted(entry.name)} at byte {min(entry.begin, reached):,}")
        reached = entry.end
    if reached != size:
        raise SourceError(f"{where}: {size - reached:,} bytes after the last tensor belong to none")


def _counts(value: Json) -> tuple[int, ...] | None:
    """The value as non-negative integers below 2^63, or None; true and 1.0 are not integers."""
    if not isinstance(value, list) or not all(type(item) is int and 0 <= item < 1 << 63 for item in value):
        return None
    return tuple(item for item in value if isinstance(item, int))
