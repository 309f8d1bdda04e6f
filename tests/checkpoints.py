"""Safetensors files for tests: right ones from arrays, wrong ones from any header."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

NAMES = {
    np.dtype(kind): name
    for kind, name in {
        np.float64: "F64", np.float32: "F32", np.float16: "F16", ml_dtypes.bfloat16: "BF16",
        np.int64: "I64", np.int32: "I32", np.int16: "I16", np.int8: "I8",
        np.uint64: "U64", np.uint32: "U32", np.uint16: "U16", np.uint8: "U8", np.bool_: "BOOL",
        ml_dtypes.float8_e4m3fn: "F8_E4M3", ml_dtypes.float8_e5m2: "F8_E5M2", ml_dtypes.float8_e8m0fnu: "F8_E8M0",
        ml_dtypes.float8_e4m3fnuz: "F8_E4M3FNUZ", ml_dtypes.float8_e5m2fnuz: "F8_E5M2FNUZ",
    }.items()
}  # fmt: skip


def safetensors(arrays: Mapping[str, np.ndarray[Any, Any]], **metadata: str) -> bytes:
    """A right file."""
    header: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    data = b""
    for name, array in arrays.items():
        content = array.tobytes()
        offsets = [len(data), len(data) + len(content)]
        header[name] = {"dtype": NAMES[array.dtype], "shape": list(array.shape), "data_offsets": offsets}
        data += content
    return raw(header, data)


def raw(header: Any, data: bytes = b"", *, length: int | None = None) -> bytes:
    """A file with that header (text, bytes, or what becomes JSON) that says it is `length` bytes long."""
    text = header if isinstance(header, bytes) else (header if isinstance(header, str) else json.dumps(header)).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def entry(dtype: str = "F32", shape: Any = (2,), offsets: Any = (0, 8)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def sharded(folder: Path, shards: Mapping[str, Mapping[str, np.ndarray[Any, Any]]], **weight_map: str) -> Path:
    """Shards and their index; `weight_map` overrides entries. Returns the index."""
    home = {name: file for file, arrays in shards.items() for name in arrays}
    for file, arrays in shards.items():
        (folder / file).write_bytes(safetensors(arrays))
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": home | weight_map}))
    return index
