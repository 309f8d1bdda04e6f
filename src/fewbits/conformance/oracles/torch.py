"""torch: casts to its small floats without scales."""

from __future__ import annotations

import numpy as np
import torch

from fewbits.conformance.known import overflow
from fewbits.conformance.oracle import Answer, Float32, Oracle, version_of
from fewbits.formats import Format

DTYPES = ("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz")
WIDE = {(8, 7): "bfloat16", (5, 10): "float16"}


def answer(f: Format) -> Answer | None:
    """Formats without blocks whose element has the values of one of the package's types."""
    if f.block is not None or f.options:
        return None
    if f.element.kind == "wide":
        name = WIDE.get((f.element.exponent_bits, f.element.mantissa_bits))
    else:
        name = next((d for d in DTYPES if f.element.kind == "float" and values(d) == f.element.values), None)
    return None if name is None else lambda x: cast(x, name)


def values(name: str) -> tuple[float, ...]:
    """The distinct finite values of a type of 8 bits, ascending."""
    decoded = torch.arange(256, dtype=torch.uint8).view(getattr(torch, name)).double().numpy()
    return tuple(float(v) for v in np.unique(decoded[np.isfinite(decoded)]))


def cast(x: Float32, name: str) -> Float32:
    """Through the type and back."""
    return np.asarray(torch.from_numpy(x).to(getattr(torch, name)).float().numpy())


ORACLE = Oracle("torch", "torch", answer, (overflow("NaN or infinity"),), version_of("torch"))
