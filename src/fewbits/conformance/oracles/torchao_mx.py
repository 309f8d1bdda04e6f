"""torchao: MXTensor, the microscaling formats, and NVFP4Tensor."""

from __future__ import annotations

import numpy as np
import torch
from torchao.prototype.mx_formats.mx_tensor import MXTensor, ScaleCalculationMode
from torchao.prototype.mx_formats.nvfp4_tensor import NVFP4Tensor, per_tensor_amax_to_scale

from fewbits.conformance.known import BEYOND_FLOAT32, SUBNORMAL_SCALE
from fewbits.conformance.oracle import Answer, Float32, Oracle, version_of
from fewbits.formats import Format

ELEMENTS = {
    "e4m3": torch.float8_e4m3fn,
    "e5m2": torch.float8_e5m2,
    "e2m3": "fp6_e2m3",
    "e3m2": "fp6_e3m2",
    "e2m1": torch.float4_e2m1fn_x2,
}
MODES = {"floor": "FLOOR", "rceil": "RCEIL", "ceil": "CEIL", "even": "EVEN"}


def answer(f: Format) -> Answer | None:
    """OCP elements in blocks of 32 with e8m0 scales by the package's four rules; its NVFP4, with a scale of the tensor."""
    element, rule, block = ELEMENTS.get(f.element.name), str(f.rule), str(f.block)
    if element is None or f.options or f.scale is None:
        return None
    if str(f.scale) == "e8m0" and block == "32" and rule in MODES:
        return lambda x: microscaled(x, element, MODES[rule])
    if str(f) == "e2m1@16-reciprocal:e4m3@tensor:f32":
        return nvidia
    return None


def microscaled(x: Float32, element: object, mode: str) -> Float32:
    """`MXTensor.to_mx` and back."""
    made = MXTensor.to_mx(torch.from_numpy(x), element, 32, scaling_mode=ScaleCalculationMode[mode])
    return np.asarray(made.dequantize(torch.float32).numpy())


def nvidia(x: Float32) -> Float32:
    """`NVFP4Tensor.to_nvfp4` with the scale of its largest magnitude, and back."""
    t = torch.from_numpy(x)
    made = NVFP4Tensor.to_nvfp4(t, per_tensor_scale=per_tensor_amax_to_scale(t.abs().max()))
    return np.asarray(made.dequantize(torch.float32).numpy())


ORACLE = Oracle("torchao", "torchao", answer, (SUBNORMAL_SCALE, BEYOND_FLOAT32), version_of("torchao"))
