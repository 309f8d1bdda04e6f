"""torchao's tensors, flattened: `X.weight` is `X._weight_qdata`, `X._weight_scale` …, and JSON in the header's metadata.

torchao 0.18.0 (prototype/safetensors): Float8Tensor, Int8Tensor, IntxUnpackedToInt8Tensor, MXTensor and NVFP4Tensor. Without
metadata, only NVFP4 (`qdata`, `scale`, `per_tensor_scale`) is told by its dtypes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fewbits.errors import SourceError
from fewbits.sources.packed.scaled import Grid, RowReader, Scaled, coded, table, times
from fewbits.sources.packed.spec_text import ELEMENTS, block_text, layout_text
from fewbits.sources.packed.view import FLOATS, Checkpoint, Decoded, Layout, Misfit, Packed, expect, numbers, packed
from fewbits.sources.strict_json import Json, parse_json, quoted
from fewbits.tensor import Tensor

__all__ = ["TORCHAO"]

PARTS = (
    *("qdata", "scale", "zero_point", "per_tensor_scale", "scale_and_zero", "act_pre_scale"),
    *("act_per_tensor_scale", "act_quant_scale", "act_quant_zero_point"),
)
FLOAT8 = ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz")
TILE = (128, 4)  # scales of a tile of the swizzled order
LONGEST = 1 << 16  # characters of JSON


def _find(checkpoint: Checkpoint) -> Iterator[Packed]:
    for prefix, codes in checkpoint.ending("qdata"):
        if prefix.endswith("._weight_") or prefix.startswith("_weight_"):
            name = f"{prefix.removesuffix('_weight_')}weight"
        elif prefix.endswith(".") and checkpoint.stored.get(f"{prefix}scale") is not None:
            name = f"{prefix}weight"
        else:
            continue
        parts = checkpoint.parts(prefix, *PARTS)
        parts = {"qdata": codes, **{key: part for key, part in parts.items() if key != "qdata"}}
        yield packed(name, "torchao", parts, partial(_decode, name, parts, checkpoint))


def _decode(name: str, parts: Mapping[str, Tensor], checkpoint: Checkpoint) -> Decoded:
    kind, data = _metadata(name, checkpoint)
    if not kind and parts["qdata"].dtype == "uint8" and parts["scale"].dtype == "float8_e4m3fn":
        kind = "NVFP4Tensor"
    decoders = {
        "NVFP4Tensor": _nvfp4,
        "MXTensor": _mx,
        "Float8Tensor": _affine,
        "Int8Tensor": _affine,
        "IntxUnpackedToInt8Tensor": _affine,
    }
    if kind not in decoders:
        raise Misfit(f"its type {quoted(kind)} is none that fewbits reads: {', '.join(decoders)}")
    return decoders[kind](parts, data, kind)


def _metadata(name: str, checkpoint: Checkpoint) -> tuple[str, Mapping[str, Json]]:
    """Type and attributes of a tensor; nothing where the headers say nothing."""
    text = checkpoint.metadata.get(name)
    if text is None:
        return "", {}
    if len(text) > LONGEST:
        raise Misfit(f"its metadata has {len(text):,} characters, at most {LONGEST:,} are read")
    try:
        content = parse_json(text.encode("utf-8", "surrogatepass"), "its metadata")
    except SourceError as error:
        raise Misfit(str(error)) from error
    data = content.get("_data")
    return str(content.get("_type") or ""), data if isinstance(data, dict) else {}


def _nvfp4(parts: Mapping[str, Tensor], data: Mapping[str, Json], kind: str) -> Decoded:
    codes = expect(parts["qdata"], "qdata", ("uint8",))
    columns = _columns(codes, 2)
    scale = expect(parts.get("scale"), "scale", ("float8_e4m3fn",))
    scales = _block_scales(scale, codes.shape[:-1], columns // 16, data, columns % 16)
    outer = parts.get("per_tensor_scale")
    if outer is not None:
        expect(outer, "per_tensor_scale", ("float32",))
        if outer.size != 1:
            raise Misfit(f"{quoted(outer.name)} has {outer.size} numbers, not one")
        scales = times(scales, partial(numbers, outer))
    spec = "e2m1@16-reciprocal:e4m3" + ("@tensor:f32" if outer is not None else "")
    return _blocks(codes, columns, 16, scales, data, layout_text("torchao NVFP4", spec))


def _mx(parts: Mapping[str, Tensor], data: Mapping[str, Json], kind: str) -> Decoded:
    codes = expect(parts["qdata"], "qdata", ("uint8", *FLOAT8[:2]))
    element = _inner(data.get("elem_dtype"))
    if codes.dtype == "uint8" and element != "float4_e2m1fn_x2":
        raise Misfit(f"its elem_dtype {quoted(data.get('elem_dtype'))} is none that fewbits reads")
    block = data.get("block_size")
    if type(block) is not int or not 0 < block <= 1 << 20:
        raise Misfit(f"its block_size is {quoted(block)}")
    columns = _columns(codes, 2 if codes.dtype == "uint8" else 1)
    scale = expect(parts.get("scale"), "scale", ("float8_e8m0fnu",))
    scales = _block_scales(scale, codes.shape[:-1], columns // block, data, columns % block)
    name = "e2m1" if codes.dtype == "uint8" else ELEMENTS[codes.dtype]
    layout = layout_text(f"torchao MX {name}", f"{name}@{block}:e8m0")
    return _blocks(codes, columns, block, scales, data, layout)


def _columns(codes: Tensor, each: int) -> int:
    if len(codes.shape) < 2:
        raise Misfit(f"{quoted(codes.name)} has shape {quoted(list(codes.shape))}, not rows and columns")
    return codes.shape[-1] * each


def _blocks(
    codes: Tensor, columns: int, block: int, scales: RowReader, data: Mapping[str, Json], layout: str
) -> Decoded:
    reader = coded(codes, "float4_e2m1fn", 4, columns) if codes.dtype == "uint8" else table(codes, columns)
    dtype = _float(data.get("orig_dtype"))
    values = Scaled(Grid(codes.shape[-2], columns, 1, block), reader, scales, dtype)
    return Decoded((*codes.shape[:-1], columns), dtype, layout, values)


def _block_scales(scale: Tensor, lead: tuple[int, ...], across: int, data: Mapping[str, Json], rest: int) -> RowReader:
    """Scales of blocks, in rows or in the swizzled order of tiles that matrix units take."""
    rows = math.prod(lead)
    padded = [-(-side // tile) * tile for side, tile in zip((lead[-1], across), TILE, strict=True)]
    swizzled = data.get("is_swizzled_scales")
    told = swizzled if isinstance(swizzled, bool) else scale.shape != (*lead, across)
    wanted = math.prod(padded) * math.prod(lead[:-1]) if told else rows * across
    if rest or scale.size != wanted or (told and len(lead) > 1):
        shapes = f"{quoted(scale.name)} of shape {quoted(list(scale.shape))}"
        raise Misfit(f"{shapes} does not fit {rows} rows of {across} blocks{' in tiles' if told else ''}")
    return _untiled(scale, padded[1] // TILE[1], across) if told else table(scale, across)


def _untiled(scale: Tensor, tiles: int, across: int) -> RowReader:
    """Rows of scales out of tiles of 128 × 4, each stored as 32 rows of 4 × 4."""
    tall, wide = TILE

    def read(start: int, stop: int) -> NDArray[np.float32]:
        first, last = start // tall, -(-stop // tall)
        size = tiles * tall * wide
        values = numbers(scale, first * size, last * size).reshape(-1, tiles, 32, 4, wide)
        rows = values.transpose(0, 3, 2, 1, 4).reshape(-1, tiles * wide)
        return np.ascontiguousarray(rows[start - first * tall : stop - first * tall, :across])

    return read


def _affine(parts: Mapping[str, Tensor], data: Mapping[str, Json], kind: str) -> Decoded:
    """(code − zero) × scale, blocks by the shape of the scales."""
    codes = expect(parts["qdata"], "qdata", FLOAT8 if kind == "Float8Tensor" else ("int8",))
    scale = expect(parts.get("scale"), "scale", FLOATS)
    grid, dtype = _grid(codes, scale, data), _float(data.get("dtype"))
    zeros = parts.get("zero_point")
    if zeros is not None and expect(zeros, "zero_point", ("int8", "int32", *FLOATS)).size != scale.size:
        raise Misfit(f"{quoted(zeros.name)} has {zeros.size} zero points for {scale.size} scales")
    element = ELEMENTS[codes.dtype] if kind == "Float8Tensor" else f"i{_bits(data)}"
    rule = "" if kind == "Float8Tensor" else "-affine" if zeros is None else "-affinerange"
    spec = (
        f"{element}@{block_text(grid, codes.rows)}{rule}:{ELEMENTS[scale.dtype]}{'+zero' if zeros is not None else ''}"
    )
    values = Scaled(
        grid=grid,
        codes=table(codes, codes.columns),
        scales=table(scale, grid.across),
        dtype=dtype,
        zeros=None if zeros is None else table(zeros, grid.across),
    )
    return Decoded(codes.shape, dtype, layout_text(f"torchao {kind}", spec), values)


def _grid(codes: Tensor, scale: Tensor, data: Mapping[str, Json]) -> Grid:
    block = data.get("block_size")
    sides = [side for side in block if type(side) is int and side > 0] if isinstance(block, list) else []
    if len(codes.shape) < 2 or not isinstance(block, list) or not len(sides) == len(block) == len(codes.shape):
        raise Misfit(f"its block_size {quoted(block)} is not one length an axis of {quoted(list(codes.shape))}")
    height, width = min(sides[-2], codes.shape[-2]), min(sides[-1], codes.shape[-1])
    grid = Grid(codes.shape[-2], codes.columns, max(height, 1), max(width, 1))
    if sides[:-2] != [1] * (len(sides) - 2) or scale.size != math.prod(codes.shape[:-2]) * grid.down * grid.across:
        raise Misfit(
            f"{quoted(scale.name)} of shape {quoted(list(scale.shape))} does not fit blocks of {quoted(block)}"
        )
    return grid


def _bits(data: Mapping[str, Json]) -> int:
    digits = _inner(data.get("target_dtype")).removeprefix("int")
    return int(digits) if digits in ("1", "2", "3", "4", "5", "6", "7", "8") else 8


def _inner(value: Json) -> str:
    """The name of a dtype in JSON."""
    found = value.get("_data") if isinstance(value, dict) else value
    return found if isinstance(found, str) else ""


def _float(value: Json) -> str:
    """The dtype that values come in, float32 where nothing says."""
    found = _inner(value)
    return found if found in FLOATS else "float32"


TORCHAO = Layout(_find, frozenset({"torchao"}))
