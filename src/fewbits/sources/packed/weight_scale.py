"""Weights of 8 bits beside a `weight_scale`: x̂ = (code − zero) × scale, for each tensor, row, group or block.

compressed-tensors 0.20.0 (int-, float- and naive-quantized, mxfp8-quantized), nvidia-modelopt 0.47.0 (FP8, MXFP8, INT8) and
FP8 checkpoints of that form. A scale of uint8 is an exponent, one for each 32 values.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import partial

from fewbits.sources.packed.scaled import Grid, RowReader, Scaled, exponents, table
from fewbits.sources.packed.settings import weight_settings
from fewbits.sources.packed.spec_text import ELEMENTS, block_text, layout_text
from fewbits.sources.packed.view import FLOATS, Checkpoint, Decoded, Layout, Misfit, Packed, expect, packed
from fewbits.sources.packed.weight_blocks import Told, grid_of, told
from fewbits.sources.strict_json import quoted
from fewbits.tensor import Tensor

__all__ = ["WEIGHT_SCALE"]

FLOAT8 = ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz")
SUFFIXES = ("", "_scale", "_zero_point")
POWERS = ("uint8", "float8_e8m0fnu")  # dtypes of scales that are exponents
BLOCK = 32

PACKAGES = {"compressed-tensors": "compressed-tensors", "modelopt": "ModelOpt"}
FORMATS = {("compressed-tensors", "int"): "int-quantized", ("compressed-tensors", "float"): "float-quantized"}
RULES = {("compressed-tensors", "int"): "-half", ("modelopt", "float"): "-inverse", ("modelopt", "int"): "-inverse"}
EXPONENT_RULES = {"compressed-tensors": "-even1"}


def _find(checkpoint: Checkpoint) -> Iterator[Packed]:
    for stem, _ in checkpoint.ending("_scale"):
        parts = checkpoint.parts(stem, *SUFFIXES)
        weight = parts.get("")
        if weight is None or weight.dtype not in (*FLOAT8, "int8") or f"{stem}_scale_2" in checkpoint.stored:
            continue
        if weight.dtype == "int8" and not stem.endswith("weight"):
            continue
        yield packed(stem, _name(checkpoint, weight), parts, partial(_decode, parts, checkpoint))


def _kind(weight: Tensor) -> str:
    return "int" if weight.dtype == "int8" else "float"


def _name(checkpoint: Checkpoint, weight: Tensor) -> str:
    package = PACKAGES.get(checkpoint.method, "")
    number = "INT8" if weight.dtype == "int8" else "FP8"
    return f"{package} {FORMATS.get((checkpoint.method, _kind(weight)), number)}".strip()


def _decode(parts: Mapping[str, Tensor], checkpoint: Checkpoint) -> Decoded:
    weight, scale, kind = parts[""], parts["_scale"], _kind(parts[""])
    if not weight.shape:
        raise Misfit(f"{quoted(weight.name)} is a single number")
    settings = _told(checkpoint, kind)
    powers = scale.dtype in POWERS
    if powers:
        grid = _by_exponents(weight, scale, kind)
        scales: RowReader = exponents(scale, grid.across)
    else:
        expect(scale, "weight_scale", FLOATS)
        grid = grid_of(weight.shape, scale, settings)
        scales = table(scale, grid.across)
    zeros = _zeros(parts.get("_zero_point"), scale, grid)
    dtype = "float32" if powers else scale.dtype
    block = block_text(grid, math.prod(weight.shape[:-1]))
    if powers:
        spec = f"{ELEMENTS[weight.dtype]}@{BLOCK}{EXPONENT_RULES.get(checkpoint.method, '')}:e8m0"
        name = f"{PACKAGES.get(checkpoint.method, '')} MXFP8".strip()
    else:
        element = "i8" if kind == "int" else ELEMENTS[weight.dtype]
        rule = "-shiftrange" if zeros else RULES.get((checkpoint.method, kind), "")
        spec = f"{element}@{block}{rule}:{ELEMENTS[dtype]}{'+zero' if zeros else ''}"
        name = _name(checkpoint, weight)
    values = Scaled(grid=grid, codes=table(weight, weight.columns), scales=scales, dtype=dtype, zeros=zeros)
    return Decoded(weight.shape, dtype, layout_text(name, spec), values)


def _told(checkpoint: Checkpoint, kind: str) -> list[Told]:
    """What the config says of such weights; `Misfit` where it knows only others."""
    everything = [told(weights) for weights in weight_settings(checkpoint.settings)]
    fitting = [w for w in everything if w.kind == kind and (w.bits == 8 or kind == "int")]
    if everything and not fitting:
        says = " and ".join(dict.fromkeys(f"{w.kind} of {w.bits} bits" for w in everything))
        raise Misfit(f"the config says {says}")
    return fitting


def _by_exponents(weight: Tensor, scale: Tensor, kind: str) -> Grid:
    if kind == "int":
        raise Misfit(f"{quoted(scale.name)} is {scale.dtype}, which goes with no int8 weight")
    across = -(-weight.columns // BLOCK)
    expect(scale, "weight_scale", POWERS, (*weight.shape[:-1], across))
    return Grid(weight.shape[-2] if len(weight.shape) > 1 else 1, weight.columns, 1, BLOCK)


def _zeros(zeros: Tensor | None, scale: Tensor, grid: Grid) -> RowReader | None:
    if zeros is None:
        return None
    expect(zeros, "weight_zero_point", ("int8", "uint8", "int32", *FLOATS), scale.shape)
    return table(zeros, grid.across)


WEIGHT_SCALE = Layout(_find, frozenset({"compressed-tensors", "modelopt", "fp8", "fbgemm_fp8"}))
