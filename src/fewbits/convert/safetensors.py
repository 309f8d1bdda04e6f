"""Writing safetensors: a JSON header, then every tensor's bytes (https://huggingface.co/docs/safetensors)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import IO

from fewbits.convert.item import Item, Kind
from fewbits.errors import DataError
from fewbits.sources.dtypes import DTYPES
from fewbits.sources.header import LONGEST, PREFIX, STORED

__all__ = ["KIND", "refuses", "write"]

ALIGNED = 8  # bytes
NAMES = {dtype.name: name for name, dtype in STORED.items() if dtype.decode}


def write(items: Sequence[Item], file: IO[bytes]) -> None:
    """Header and bytes; wide types first, so that every tensor lies at a multiple of its own width."""
    ordered = sorted(items, key=lambda item: (-DTYPES[item.dtype].bits, item.name))
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    at = 0
    for item in ordered:
        entry = {"dtype": NAMES[item.dtype], "shape": list(item.shape), "data_offsets": [at, at + item.nbytes]}
        header[item.name] = entry
        at += item.nbytes
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % ALIGNED)
    if len(text) > LONGEST:
        raise DataError(f"a header of {len(text):,} bytes, safetensors allows {LONGEST:,}")
    file.write(len(text).to_bytes(PREFIX, "little") + text)
    for item in ordered:
        for piece in item.pieces():
            file.write(piece)


def refuses(name: str) -> str:
    """Why a header cannot have the name."""
    return "that name is the header's own" if name == "__metadata__" else ""


KIND = Kind("safetensors", frozenset(NAMES), refuses, write)
