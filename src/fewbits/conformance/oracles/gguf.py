"""gguf: the numpy quantizers of GGUF files, for the ggml types that it can write."""

from __future__ import annotations

import gguf
import numpy as np

from fewbits.conformance.known import SIGN_OF_ZERO, SUBNORMAL_SCALE
from fewbits.conformance.oracle import Answer, Float32, Oracle, version_of
from fewbits.formats import Format

# element, block, rule, scale → ggml type
TYPES = {
    "bf16": "BF16",
    "i4@32-q40:f16": "Q4_0",
    "u4@32-q41:f16+min": "Q4_1",
    "i5@32-q40:f16": "Q5_0",
    "u5@32-q41:f16+min": "Q5_1",
    "s8@32-q80:f16": "Q8_0",
    "s2@256-q80:f16": "TQ2_0",
    "e2m1@32-tozero:e8m0": "MXFP4",
}


def answer(f: Format) -> Answer | None:
    """The types of `TYPES`."""
    name = TYPES.get(str(f))
    return None if name is None else lambda x: through(x, name)


def through(x: Float32, name: str) -> Float32:
    """Packed and unpacked."""
    kind = gguf.GGMLQuantizationType[name]
    return np.asarray(gguf.quants.dequantize(gguf.quants.quantize(x, kind), kind), np.float32)


ORACLE = Oracle("gguf", "gguf", answer, (SIGN_OF_ZERO, SUBNORMAL_SCALE), version_of("gguf"))
