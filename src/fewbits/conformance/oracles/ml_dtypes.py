"""ml_dtypes: casts to small floats without scales."""

from __future__ import annotations

import ml_dtypes
import numpy as np

from fewbits.conformance.known import overflow
from fewbits.conformance.oracle import Answer, Float32, Oracle, version_of
from fewbits.formats import Format

DTYPES = (
    *(
        "float8_e3m4",
        "float8_e4m3",
        "float8_e4m3b11fnuz",
        "float8_e4m3fn",
        "float8_e4m3fnuz",
        "float8_e5m2",
        "float8_e5m2fnuz",
    ),
    *("float6_e2m3fn", "float6_e3m2fn", "float4_e2m1fn"),
)
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
    """The distinct finite values of a type, ascending."""
    dtype = np.dtype(getattr(ml_dtypes, name))
    bits = int(name.removeprefix("float").split("_")[0])
    codes = np.arange(2**bits, dtype=np.uint8).view(dtype).astype(np.float64)
    return tuple(float(v) for v in np.unique(codes[np.isfinite(codes)]))


def cast(x: Float32, name: str) -> Float32:
    """Through the type and back."""
    return x.astype(np.dtype(getattr(ml_dtypes, name, name))).astype(np.float32)


ORACLE = Oracle("ml_dtypes", "ml_dtypes", answer, (overflow("NaN or infinity"),), version_of("ml_dtypes"))
