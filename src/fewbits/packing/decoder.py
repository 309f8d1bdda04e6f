"""Values of ggml's block types by compiled code: what `ggml.dequantize_bytes` defines, and faster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

from fewbits.kernels.packed_blocks import Packing, Run, block_decoder
from fewbits.packing.ggml import dequantize_bytes, scale_values
from fewbits.packing.layouts import LAYOUTS, Layout, Plane

__all__ = ["decode"]

Float32 = NDArray[np.float32]


def decode(type_name: str, data: NDArray[np.uint8], out: Float32) -> None:
    """out = the values of whole blocks, both flat and contiguous; raises `SourceError`.

    Types without a layout are left to `dequantize_bytes`, which takes some ten times the memory of `out`.
    """
    if type_name in LAYOUTS:
        decoder, codes, scales = _prepared(type_name)
        decoder(data, codes, scales, out)
    elif out.size:
        out[:] = dequantize_bytes(type_name, data.reshape(1, -1))[0]


@cache
def _prepared(type_name: str) -> tuple[Callable[..., None], Float32, Float32]:
    """The compiled code of a layout, and its tables of the values of codes and of scale codes."""
    layout = LAYOUTS[type_name]
    codes = _code_values(layout)
    packing = Packing(
        bytes=layout.bytes,
        values=layout.values,
        sub_block=layout.sub_block,
        codes=_runs(layout, "codes"),
        scales=_runs(layout, "scales"),
        minima=_runs(layout, "mins"),
        scale=layout.halves.get("d"),
        minimum_scale=layout.halves.get("dmin"),
        minimum=layout.halves.get("minimum"),
        line=_line(codes),
    )
    return block_decoder(packing), codes, _scale_values(layout)


def _runs(layout: Layout, name: str) -> tuple[Run, ...]:
    """Where the bits of a field lie."""
    return tuple(run for plane in layout.planes if plane.field == name for run in _runs_of(plane))


def _runs_of(plane: Plane) -> Iterator[Run]:
    to, mask = plane.start, 2**plane.width - 1
    for at in range(plane.at, plane.at + plane.size, plane.stride):
        for piece in range(plane.pieces):
            shift, power = (8, 3**piece) if plane.digits else (plane.bit_shifts[piece], 0)
            yield Run(to, at, plane.stride, shift, mask, plane.weight, power)
            to += plane.stride


def _code_values(layout: Layout) -> Float32:
    """The values of stored codes."""
    stored = np.arange(2**layout.bits)
    values: Float32 = np.array(layout.code_values, np.float32)[(stored - layout.code_bias) & (2**layout.bits - 1)]
    return values


def _scale_values(layout: Layout) -> Float32:
    """The values of stored scale codes."""
    if layout.scale_element:
        return scale_values(layout.scale_element)
    stored = np.arange(256) - layout.scale_bias
    values: Float32 = (stored.astype(np.int8) if layout.scale_signed else stored).astype(np.float32)
    return values


def _line(values: Float32) -> tuple[int, int] | None:
    """(flip, bias) where the value of every code c is (c xor flip) − bias: counted from −bias, or two's complement."""
    codes, half = np.arange(len(values)), len(values) // 2
    lines = ((0, -int(values[0])), (half, half))
    return next((line for line in lines if np.array_equal(values, (codes ^ line[0]) - line[1])), None)
