"""What a page carries: JSON and arrays as bytes, which the page turns back into text and typed arrays.

gzip of: length of the head (4 bytes, little-endian), the head, the arrays. In the head, which is JSON, an array is
`{"$": type, "at": byte, "n": count}`; the arrays begin behind the head, each at a multiple of 8 bytes.
"""

from __future__ import annotations

import gzip
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["KEPT", "pack", "rounded", "smallest"]

ALIGNED = 8
TYPES = {np.dtype("u1"): "u8", np.dtype("<u2"): "u16", np.dtype("<u4"): "u32"}
KEPT = 18  # significant bits of a float: more than any digit that is shown


def pack(tree: Any) -> bytes:
    """A tree of JSON with arrays for leaves (uint8, uint16, uint32, or floats, which become float32) as bytes, always the same."""
    parts: list[bytes] = []
    head = json.dumps(_placed(tree, parts), allow_nan=False, separators=(",", ":")).encode()
    head += b" " * (-(4 + len(head)) % ALIGNED)
    return gzip.compress(b"".join([len(head).to_bytes(4, "little"), head, *parts]), 6, mtime=0)


def rounded(values: NDArray[np.floating[Any]], kept: int = KEPT) -> NDArray[np.float32]:
    """float32 with 18 (or `kept`) significant bits, ties away from zero: the rest of a number nobody reads, and it cannot be compressed."""
    found = np.ascontiguousarray(values, np.float32)
    bits, drop = found.view(np.uint32), np.uint32(24 - kept)
    half = np.uint32(1) << (drop - np.uint32(1))
    moved = (bits + half) >> drop << drop
    return np.where(np.isfinite(found), moved, bits).astype(np.uint32).view(np.float32)


def smallest(values: NDArray[np.integer[Any]]) -> NDArray[np.unsignedinteger[Any]]:
    """Indices ≥ 0 in the narrowest type that holds them."""
    return values.astype(np.min_scalar_type(int(values.max(initial=0))))


def _placed(node: Any, parts: list[bytes]) -> Any:
    if isinstance(node, np.ndarray):
        return _array(node, parts)
    if isinstance(node, dict):
        return {key: _placed(value, parts) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_placed(value, parts) for value in node]
    return node


def _array(array: NDArray[Any], parts: list[bytes]) -> dict[str, Any]:
    """Floats byte by byte, all first bytes first: those of neighbours are alike, and compress."""
    at = sum(map(len, parts))
    if array.dtype.kind == "f":
        kind, content = "f32", rounded(array).reshape(-1).view(np.uint8).reshape(-1, 4).T.tobytes()
    else:
        little = array.astype(array.dtype.newbyteorder("<"))
        kind, content = TYPES[little.dtype], little.tobytes()
    parts.append(content + b"\0" * (-len(content) % ALIGNED))
    return {"$": kind, "at": at, "n": array.size}
