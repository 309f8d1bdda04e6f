"""compressed-tensors: `calculate_qparams` and `fake_quantize`, integers and microscaling floats."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from compressed_tensors.quantization import QuantizationArgs, QuantizationStrategy, QuantizationType
from compressed_tensors.quantization.lifecycle.forward import fake_quantize
from compressed_tensors.quantization.utils import calculate_qparams

from fewbits.conformance.known import BEYOND_FLOAT32, SIGN_OF_ZERO, SUBNORMAL_SCALE
from fewbits.conformance.oracle import Answer, Float32, Oracle, version_of
from fewbits.formats import Format

FLOATS = {"e4m3": 8, "e2m1": 4}


def answer(f: Format) -> Answer | None:
    """Integers by its rules `half` and `shiftrange` with float32 scales; e8m0 scales by its rule `even1`."""
    if f.block is None or f.scale is None or (f.block.kind == "grid" and f.block.rows != 1) or f.block.kind == "flat":
        return None
    columns, strategy = f.block.columns, QuantizationStrategy.GROUP
    if f.block.kind == "tensor":
        strategy = QuantizationStrategy.TENSOR
    elif not columns:
        strategy = QuantizationStrategy.CHANNEL
    where = (
        {"strategy": strategy, "group_size": columns or None}
        if strategy is QuantizationStrategy.GROUP
        else {"strategy": strategy}
    )
    rule, scale = str(f.rule), str(f.scale)
    if (
        f.element.kind == "integer"
        and scale == "f32"
        and rule in ("half", "shiftrange")
        and f.element.lowest < -f.element.highest
    ):
        args = QuantizationArgs(num_bits=f.element.bits, type=QuantizationType.INT, symmetric=not f.zero, **where)
        return lambda x: through(x, args)
    if f.element.name in FLOATS and scale == "e8m0" and rule == "even1" and columns == 32:
        args = QuantizationArgs(
            num_bits=FLOATS[f.element.name],
            type=QuantizationType.FLOAT,
            symmetric=True,
            scale_dtype=torch.uint8,
            **where,
        )
        return lambda x: through(x, args)
    return None


def through(x: Float32, args: Any) -> Float32:
    """Parameters from the extremes of each block, then quantized and back."""
    t = torch.from_numpy(x)
    blocks = t
    if args.strategy == QuantizationStrategy.GROUP:
        blocks = t.reshape(t.shape[0], -1, args.group_size)
    if args.strategy == QuantizationStrategy.TENSOR:
        low, high = t.min().reshape(1), t.max().reshape(1)
    else:
        keep = args.strategy == QuantizationStrategy.CHANNEL
        low, high = blocks.amin(-1, keepdim=keep), blocks.amax(-1, keepdim=keep)
    scale, zero = calculate_qparams(low, high, args)
    return np.asarray(fake_quantize(t, scale, zero, args).float().numpy())


KNOWN = (SIGN_OF_ZERO, SUBNORMAL_SCALE, BEYOND_FLOAT32)
ORACLE = Oracle(
    "compressed-tensors",
    "compressed_tensors",
    answer,
    (SIGN_OF_ZERO, SUBNORMAL_SCALE, BEYOND_FLOAT32),
    version_of("compressed-tensors"),
)
