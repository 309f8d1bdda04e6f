"""torchao: affine integers, per row and per group."""

from __future__ import annotations

import numpy as np
import torch
from torchao.quantization.quant_primitives import (
    MappingType,
    choose_qparams_affine,
    dequantize_affine,
    quantize_affine,
)

from fewbits.conformance.known import BEYOND_FLOAT32, SIGN_OF_ZERO
from fewbits.conformance.oracle import Answer, Float32, Oracle, version_of
from fewbits.formats import Format

MAPPINGS = {
    "affine": "SYMMETRIC",
    "affineamax": "SYMMETRIC",
    "affinesides": "SYMMETRIC_NO_CLIPPING_ERR",
    "affinerange": "ASYMMETRIC",
}


def answer(f: Format) -> Answer | None:
    """Integers with float32 scales of rows or groups, by the package's rules."""
    mapping = MAPPINGS.get(str(f.rule))
    if mapping is None or f.block is None or f.block.rows != 1 or str(f.scale) != "f32" or f.element.kind != "integer":
        return None
    return lambda x: through(x, f, mapping, f.block.columns if f.block else 0)


def through(x: Float32, f: Format, mapping: str, columns: int) -> Float32:
    """Parameters chosen, quantized and back."""
    t, block = torch.from_numpy(x), (1, columns or x.shape[1])
    lowest, highest = int(f.element.lowest), int(f.element.highest)
    kind = torch.uint8 if lowest == 0 else torch.int8
    scale, zero = choose_qparams_affine(
        t, MappingType[mapping], block, kind, lowest, highest,
        eps=torch.finfo(torch.float32).eps, scale_dtype=torch.float32, zero_point_dtype=torch.int32,
    )  # fmt: skip
    codes = quantize_affine(t, block, scale, zero, kind, lowest, highest)
    made = dequantize_affine(codes, block, scale, zero, kind, lowest, highest, output_dtype=torch.float32)
    return np.asarray(made.numpy())


ORACLE = Oracle("torchao affine", "torchao", answer, (SIGN_OF_ZERO, BEYOND_FLOAT32), version_of("torchao"))
