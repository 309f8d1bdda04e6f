"""Weights of 4 or 6 bits a value in bytes, a scale for each block of 16 or 32: NVFP4, MXFP4 and MXFP6.

compressed-tensors 0.20.0: `weight_packed`, and NVFP4's `weight_global_scale` divides the scales. nvidia-modelopt 0.47.0:
`weight`, `weight_scale` and `weight_scale_2`, which multiplies them. The lowest bits of a byte are the first value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from fewbits.sources.packed.scaled import Grid, RowReader, Scaled, coded, exponents, table, times
from fewbits.sources.packed.settings import weight_settings
from fewbits.sources.packed.spec_text import layout_text
from fewbits.sources.packed.view import Checkpoint, Decoded, Layout, Misfit, Packed, expect, numbers, packed
from fewbits.sources.packed.weight_blocks import told
from fewbits.sources.strict_json import quoted
from fewbits.tensor import Tensor

__all__ = ["FLOAT4", "MODELOPT_FLOAT4", "Kind", "Package"]


@dataclass(frozen=True)
class Kind:
    """A format: bits and name of its element, values of a block, and whether scales are exponents."""

    name: str
    bits: int
    element: str
    block: int
    powers: bool
    spec: str


@dataclass(frozen=True)
class Package:
    """How a package names the parts, after `weight`, and what it does with the outer scale."""

    name: str
    codes: str
    outer: str
    divides: bool
    signed_zero: bool
    kinds: tuple[Kind, ...]


E2M1, E2M3 = ("float4_e2m1fn", "float6_e2m3fn")
COMPRESSED = Package(
    "compressed-tensors",
    "_packed",
    "_global_scale",
    True,
    True,
    (
        Kind("nvfp4-pack-quantized", 4, E2M1, 16, False, "e2m1@16:e4m3@tensor:f32"),
        Kind("mxfp4-pack-quantized", 4, E2M1, 32, True, "e2m1@32-even:e8m0"),
        Kind("mxfp6-pack-quantized", 6, E2M3, 32, True, "e2m3@32-even:e8m0"),
    ),
)
MODELOPT = Package(
    "ModelOpt",
    "",
    "_scale_2",
    False,
    False,
    (
        Kind("NVFP4", 4, E2M1, 16, False, "e2m1@16:e4m3@tensor:f32"),
        Kind("MXFP4", 4, E2M1, 32, True, "e2m1@32-rceiltozero:e8m0"),
    ),
)


def _find(package: Package, checkpoint: Checkpoint) -> Iterator[Packed]:
    for stem, scale in checkpoint.ending("_scale"):
        parts = checkpoint.parts(stem, package.codes, "_scale", package.outer)
        codes = parts.get(package.codes)
        if codes is None or codes.dtype != "uint8" or scale.dtype not in ("uint8", "float8_e4m3fn", "float8_e8m0fnu"):
            continue
        yield packed(stem, package.name, parts, partial(_decode, parts, package, checkpoint))


def _decode(parts: Mapping[str, Tensor], package: Package, checkpoint: Checkpoint) -> Decoded:
    codes, scale, outer = parts[package.codes], parts["_scale"], parts.get(package.outer)
    kind = _kind(codes, scale, package)
    _agree(kind, checkpoint)
    columns = codes.shape[-1] * 8 // kind.bits
    across = scale.shape[-1]
    if across * kind.block != columns or codes.shape[:-1] != scale.shape[:-1] or len(codes.shape) < 2:
        shapes = f"{quoted(list(codes.shape))} of codes and {quoted(list(scale.shape))} of scales"
        raise Misfit(f"shapes {shapes} do not make {kind.name} blocks of {kind.block}")
    scales: RowReader = exponents(scale, across) if kind.powers else table(scale, across)
    if not kind.powers:
        outer = expect(outer, f"weight{package.outer}", ("float32",))
        if outer.size != 1:
            raise Misfit(f"{quoted(outer.name)} has {outer.size} numbers, not one")
        scales = times(scales, partial(numbers, outer), divide=package.divides)
    values = Scaled(
        grid=Grid(codes.shape[-2], columns, 1, kind.block),
        codes=coded(codes, kind.element, kind.bits, columns, signed_zero=package.signed_zero),
        scales=scales,
    )
    layout = layout_text(f"{package.name} {kind.name}", kind.spec)
    return Decoded((*codes.shape[:-1], columns), "float32", layout, values)


def _kind(codes: Tensor, scale: Tensor, package: Package) -> Kind:
    """By the dtype of the scales and the bytes of codes for each."""
    powers = scale.dtype != "float8_e4m3fn"
    bytes_each = codes.shape[-1] / scale.shape[-1] if codes.shape and scale.shape and scale.shape[-1] else 0
    for kind in package.kinds:
        if kind.powers == powers and kind.block * kind.bits / 8 == bytes_each:
            return kind
    shapes = f"{quoted(list(codes.shape))} and scales {scale.dtype} {quoted(list(scale.shape))}"
    raise Misfit(f"codes {shapes} are no block format that it writes")


def _agree(kind: Kind, checkpoint: Checkpoint) -> None:
    """`Misfit` where the config knows only other weights."""
    settings = [told(weights) for weights in weight_settings(checkpoint.settings)]
    if settings and not any(w.kind == "float" and w.bits == kind.bits and w.width == kind.block for w in settings):
        says = " and ".join(
            dict.fromkeys(f"{w.kind} of {w.bits} bits by {w.strategy} {w.width or ''}" for w in settings)
        )
        raise Misfit(f"the config says {says.strip()}, the stored tensors {kind.name}")


FLOAT4 = Layout(partial(_find, COMPRESSED), frozenset({"compressed-tensors"}))
MODELOPT_FLOAT4 = Layout(partial(_find, MODELOPT), frozenset({"modelopt", "modelopt_fp4"}))
