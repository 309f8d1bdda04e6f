"""nvidia-modelopt: its packed NVFP4, MXFP4, MXFP8 and INT4 tensors, and its fake quantization to integers and FP8, on the CPU."""

from __future__ import annotations

import sys
import warnings
from contextlib import redirect_stdout
from typing import Any

import numpy as np
import torch
from modelopt.torch.quantization import tensor_quant
from modelopt.torch.quantization.qtensor import INT4QTensor, MXFP4QTensor, MXFP8QTensor, NVFP4QTensor

from fewbits.conformance.known import SIGN_OF_ZERO, block_amax
from fewbits.conformance.oracle import Answer, Float32, Known, Mask, Oracle, version_of
from fewbits.formats import Format

MICROSCALED = {"e2m1@32-rceiltozero:e8m0": MXFP4QTensor, "e4m3@32-rceil:e8m0": MXFP8QTensor}


def answer(f: Format) -> Answer | None:
    """NVFP4 and MX as packed; the rule `inverse` with float32 scales: INT4 in flat blocks, integers and E4M3 of rows and tensors."""
    if str(f) == "e2m1@16:e4m3@tensor:f32":
        return nvidia
    packed = MICROSCALED.get(str(f))
    if packed is not None:
        return lambda x: microscaled(x, packed)
    if f.block is None or str(f.rule) != "inverse" or str(f.scale) != "f32" or f.options:
        return None
    columns = f.block.columns
    if f.block.kind == "flat":
        return (lambda x: int4(x, columns)) if f.element.name == "i4" else None
    if str(f.block) not in ("row", "tensor"):
        return None
    axes = (-1,) if str(f.block) == "row" else (0, 1)
    if f.element.name == "e4m3":
        return lambda x: fp8(x, axes)
    return (lambda x: integers(x, f, axes)) if f.element.kind == "integer" else None


def nvidia(x: Float32) -> Float32:
    """NVFP4 with the scale of the tensor's largest magnitude, and back."""
    made, scale, outer = NVFP4QTensor.quantize(torch.from_numpy(x), 16)
    return float32(made.dequantize(torch.float32, scale=scale, double_scale=outer, block_sizes={-1: 16}))


def microscaled(x: Float32, packed: Any) -> Float32:
    """MXFP4 or MXFP8, and back."""
    t = torch.from_numpy(x)
    made, scale = packed.quantize(t, 32) if packed is MXFP4QTensor else packed.quantize(t)
    return float32(made.dequantize(torch.float32, scale=scale, block_sizes={-1: 32}))


def int4(x: Float32, columns: int) -> Float32:
    """INT4 in blocks of the flattened tensor, and back."""
    with redirect_stdout(sys.stderr), warnings.catch_warnings():  # it prints that it looks for CUDA, and warns of none
        warnings.simplefilter("ignore")
        made, scale = INT4QTensor.quantize(torch.from_numpy(x), columns)
        return float32(made.dequantize(torch.float32, scale=scale, block_sizes={-1: columns}))


def integers(x: Float32, f: Format, axes: tuple[int, ...]) -> Float32:
    """`fake_tensor_quant` by the largest magnitude; the lowest value is used where the element has it."""
    t, narrow = torch.from_numpy(x), f.element.lowest == -f.element.highest
    return float32(tensor_quant.fake_tensor_quant(t, top(t, axes), None, f.element.bits, False, narrow))


def fp8(x: Float32, axes: tuple[int, ...]) -> Float32:
    """`scaled_e4m3` by the largest magnitude."""
    t = torch.from_numpy(x)
    return float32(tensor_quant.scaled_e4m3(t, top(t, axes), None, 4, 3))


def top(t: Any, axes: tuple[int, ...]) -> Any:
    """The largest magnitude along axes, which stay."""
    return t.abs().amax(axes, keepdim=True)


def float32(t: Any) -> Float32:
    """As numpy."""
    return np.asarray(t.float().numpy())


def _inverse(f: Format, flat: bool) -> bool:
    return str(f.rule) == "inverse" and f.block is not None and (f.block.kind == "flat") == flat


def _least(f: Format, x: Float32, ours: Float32, theirs: Float32) -> Mask:
    least: Mask = block_amax(f, x) <= np.float32(2.0**-24)
    return least & _inverse(f, flat=False)


def _overflows(f: Format, x: Float32, ours: Float32, theirs: Float32) -> Mask:
    with np.errstate(divide="ignore", over="ignore"):
        infinite: Mask = np.isinf(np.float32(f.element.highest) * (np.float32(1) / block_amax(f, x)))
    return infinite & _inverse(f, flat=True)


def _decoded(f: Format, x: Float32, ours: Float32, theirs: Float32) -> Mask:
    near: Mask = np.abs(ours.astype(np.float64) - theirs) <= 2 * np.spacing(np.abs(ours))
    return near & (str(f.rule) == "inverse")


def _ties(f: Format, x: Float32, ours: Float32, theirs: Float32) -> Mask:
    between = (ours.astype(np.float64) + theirs) / 2
    at: Mask = np.abs(x - between) <= 2.0**-22 * np.abs(x)
    return at & (_inverse(f, flat=True) or (str(f.rule) == "inverse" and f.element.name == "e4m3"))


KNOWN = (
    SIGN_OF_ZERO,
    Known("largest magnitudes up to 2^-24 count as 0, or as 1 for E4M3", _least),
    Known("blocks so small that 7 / largest magnitude leaves float32", _overflows),
    Known("the same codes, divided by 127 / maximum or times 1 / (448 / maximum): the last bits differ", _decoded),
    Known("ties, with 7 and 448 times the rounded reciprocal of the maximum where we divide", _ties),
)
ORACLE = Oracle("modelopt", "modelopt", answer, KNOWN, version_of("nvidia-modelopt"))
