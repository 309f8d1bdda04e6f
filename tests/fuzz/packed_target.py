"""Packed checkpoints as JSON: config, metadata and for each tensor its dtype, shape and what its bytes begin with.

A change of a shape here keeps the safetensors file around it right, which that of a file's own bytes hardly ever does.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from checkpoints import raw
from fewbits.sources.header import STORED, read_header
from fewbits.sources.packed import recognise
from fewbits.sources.stored import stored_tensor
from fewbits.sources.strict_json import parse_json
from fewbits.tensor import Tensor
from held_file import Held

__all__ = ["described", "read_packed"]

LARGEST = 1 << 20  # bytes of all tensors
SHOWN = 600  # bytes of a tensor that are kept in its description


def read_packed(file: Held) -> list[Tensor]:
    """The tensors that a description stands for, as `recognise` lists them; raises `SourceError`."""
    content = parse_json(file.content, "description")
    config = content.get("config")
    held = Held(_built(content.get("tensors"), content.get("metadata")))
    header = read_header(held)
    stored = {name: stored_tensor(held, header, entry) for name, entry in header.entries.items()}
    return recognise(stored, config if isinstance(config, dict) else None, "config.json", header.metadata)


def described(path: Path, quantization: Any) -> bytes:
    """The description of a file."""
    held = Held(path.read_bytes())
    header = read_header(held)
    names = {dtype.name: code for code, dtype in STORED.items()}
    tensors = {}
    for name, entry in header.entries.items():
        start = held.content[entry.begin : entry.end][:SHOWN].decode("latin-1")
        tensors[name] = [names[entry.dtype.name], list(entry.shape), start]
    config = None if quantization is None else {"quantization_config": quantization}
    return json.dumps({"config": config, "metadata": dict(header.metadata), "tensors": tensors}).encode()


def _built(tensors: Any, metadata: Any) -> bytes:
    """A safetensors file of what in a description makes sense."""
    header: dict[str, Any] = {}
    if isinstance(metadata, dict) and metadata:
        header["__metadata__"] = {key: str(value) for key, value in metadata.items()}
    data = b""
    for name, parts in tensors.items() if isinstance(tensors, dict) else ():
        match parts:
            case [str(dtype), list(shape), str(start)] if dtype in STORED and _right(shape):
                length = STORED[dtype].bits * math.prod(shape) // 8
                if len(data) + length <= LARGEST and STORED[dtype].bits * math.prod(shape) % 8 == 0:
                    header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + length]}
                    begin = start.encode("latin-1", "replace")[:length] or b"\x01"
                    data += (begin * -(-length // len(begin)))[:length]
    return raw(header, data)


def _right(shape: list[Any]) -> bool:
    return len(shape) <= 8 and all(type(side) is int and 0 <= side < 1 << 63 for side in shape)
