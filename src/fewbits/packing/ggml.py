"""ggml's block types: bytes ⇄ arrays of codes and scales, and bytes → values.

The arrays of a block type are those of `fewbits.kernels.search_reference.SuperBlocks`; see `unpack`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray

from fewbits.errors import SourceError
from fewbits.packing.layouts import LAYOUTS, Layout, Plane

Array = NDArray[Any]
Bytes = NDArray[np.uint8]


def unpack(type_name: str, data: Bytes) -> dict[str, Array]:
    """The fields of rows of blocks, uint8 (rows, row bytes): S blocks in all, L values and B scales in each.

    codes   uint8 (S, L)   code points of the element: two's complement, e2m1 codes, or indices of a table
    scales  int16 (S, B)   inner scale codes, signed values; e8m0 or e4m3 code points (MXFP4, NVFP4); else absent
    d       float32 (S,)   the float16 scale; absent for MXFP4 and NVFP4
    mins    int16 (S, B) and dmin float32 (S,)   Q2_K, Q4_K, Q5_K: dmin · mins is subtracted
    minimum float32 (S,)   Q4_1 and Q5_1: it is added
    """
    layout = _layout(type_name)
    blocks = _blocks(type_name, data, layout.bytes)
    fields: dict[str, Array] = {}
    for name in dict.fromkeys(plane.field for plane in layout.planes):
        count = layout.values if name == "codes" else layout.scale_count
        stored = np.zeros((len(blocks), count), np.int16)
        for plane in layout.planes:
            if plane.field == name:
                piece = _read(plane, blocks)
                stored[:, plane.start : plane.start + piece.shape[1]] |= piece << plane.weight
        fields[name] = stored
    fields["codes"] = ((fields["codes"] - layout.code_bias) & (2**layout.bits - 1)).astype(np.uint8)
    if "scales" in fields:
        scales = fields["scales"] - layout.scale_bias
        fields["scales"] = scales.astype(np.int8).astype(np.int16) if layout.scale_signed else scales
    for name, at in layout.halves.items():
        fields[name] = np.ascontiguousarray(blocks[:, at : at + 2]).view("<f2")[:, 0].astype(np.float32)
    return fields


def pack(type_name: str, fields: Mapping[str, Array]) -> Bytes:
    """The inverse of `unpack`: blocks uint8 (S, block bytes). Fields that the type does not store are ignored.

    Float16 fields must be float16 values already; ValueError names a field of the wrong shape.
    """
    layout = _layout(type_name)
    count = len(fields["codes"])
    blocks = np.zeros((count, layout.bytes), np.uint8)
    for plane in layout.planes:
        length, bias = (layout.values, layout.code_bias) if plane.field == "codes" else (layout.scale_count, 0)
        if (shape := fields[plane.field].shape) != (count, length):
            raise ValueError(f"{type_name}: {plane.field} has shape {shape}; ({count}, {length}) is needed")
        bias = layout.scale_bias if plane.field == "scales" else bias
        width = layout.bits if plane.field == "codes" else 8
        _write(plane, (fields[plane.field].astype(np.int16) + bias) & (2**width - 1), blocks)
    for name, at in layout.halves.items():
        with np.errstate(over="ignore"):
            blocks[:, at : at + 2] = fields[name].astype("<f2")[:, None].view(np.uint8)
    return blocks


def dequantize_bytes(type_name: str, data: Bytes) -> NDArray[np.float32]:
    """The values, float32 (rows, values), of rows of packed bytes uint8 (rows, row bytes), as ggml computes them.

    Types without a scalar element (IQ2, IQ3, IQ1) are left to the gguf package, as are F16, BF16 and the like.
    """
    if type_name not in LAYOUTS:
        kind = getattr(gguf.GGMLQuantizationType, type_name, None)
        if kind is None:
            known = ", ".join(t.name for t in gguf.GGMLQuantizationType)
            raise SourceError(f"unknown ggml type '{type_name}'; known are {known}")
        _blocks(type_name, data, gguf.GGML_QUANT_SIZES[kind][1])
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                return np.asarray(gguf.dequantize(data, kind), np.float32)
        except NotImplementedError as e:
            raise SourceError(f"ggml type {type_name}: {e}") from None
    layout, fields = _layout(type_name), unpack(type_name, data)
    values = np.array(layout.code_values, np.float32)[fields["codes"]]
    with np.errstate(over="ignore", invalid="ignore"):
        if layout.scale_element:
            scale = scale_values(layout.scale_element)[fields["scales"]]
        elif "scales" in fields:
            scale = fields["d"][:, None] * fields["scales"].astype(np.float32)
        else:
            scale = fields["d"][:, None]
        y = np.repeat(scale, layout.sub_block, axis=1) * values
        if "mins" in fields:
            y -= np.repeat(fields["dmin"][:, None] * fields["mins"].astype(np.float32), layout.sub_block, axis=1)
        if "minimum" in fields:
            y += fields["minimum"][:, None]
    return y.reshape(data.shape[0], -1)


def _layout(type_name: str) -> Layout:
    if type_name not in LAYOUTS:
        known = ", ".join(LAYOUTS)
        raise SourceError(f"ggml type '{type_name}' has no layout of codes and scales; those with one are {known}")
    return LAYOUTS[type_name]


def _blocks(type_name: str, data: Bytes, size: int) -> Bytes:
    if data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] % size:
        found = f"{data.dtype} of shape {data.shape}"
        raise SourceError(f"{type_name}: rows of whole {size}-byte blocks are needed, not {found}")
    return np.ascontiguousarray(data).reshape(-1, size)


def _read(plane: Plane, blocks: Bytes) -> NDArray[np.int16]:
    """The plane's numbers (S, n) in order of values."""
    groups = blocks[:, plane.at : plane.at + plane.size].reshape(len(blocks), -1, 1, plane.stride)
    if plane.digits:
        powers = np.array([3**i for i in range(plane.digits)], np.uint16)[:, None]
        pieces = ((groups.astype(np.uint16) * powers) & 0xFF) * np.uint16(3) >> 8
    else:
        pieces = (groups >> np.array(plane.bit_shifts, np.uint8)[:, None]) & (2**plane.width - 1)
    return pieces.reshape(len(blocks), -1).astype(np.int16)


def _write(plane: Plane, stored: NDArray[np.int16], blocks: Bytes) -> None:
    """Put the plane's bits of the stored numbers (S, …) of a field into the blocks."""
    n = plane.size * plane.pieces
    piece = stored[:, plane.start : plane.start + n] >> plane.weight & (2**plane.width - 1)
    pieces = piece.reshape(len(blocks), -1, plane.pieces, plane.stride)
    if plane.digits:
        powers = np.array([3 ** (4 - i) for i in range(plane.digits)], np.int16)[:, None]
        groups = ((pieces * powers).sum(2) * 256 + 242) // 243
    else:
        groups = (pieces << np.array(plane.bit_shifts, np.int16)[:, None]).sum(2)
    blocks[:, plane.at : plane.at + plane.size] |= groups.reshape(len(blocks), -1).astype(np.uint8)


@cache
def scale_values(element: str) -> NDArray[np.float32]:
    """The values, halved, of the 256 codes of a scale element as ggml decodes it: no NaN, the sign of e4m3 ignored."""
    codes = np.arange(256)
    if element == "e8m0":
        return np.ldexp(1.0, codes - 128).astype(np.float32)
    exponent, mantissa = codes >> 3 & 15, codes & 7
    values = np.where(exponent == 0, np.ldexp(mantissa, -9), np.ldexp(1 + mantissa / 8, exponent - 7))
    return np.where(codes == 0x7F, 0.0, values / 2).astype(np.float32)
