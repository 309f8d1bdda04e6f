"""ggml's tensor types by the number that GGUF files give them (enum ggml_type of ggml.h)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fewbits.packing.layouts import LAYOUTS
from fewbits.sources.dtypes import DTYPES, Dtype

__all__ = ["GGML_TYPES", "GgmlType", "removed_types"]


@dataclass(frozen=True)
class GgmlType:
    """A type: `values` in a block of `bytes`. `dtype`: what is stored plainly; `decoded`: what fewbits reads."""

    name: str
    values: int
    bytes: int
    dtype: Dtype | None = None
    decoded: bool = True


def removed_types(number: int) -> str:
    """The name of a type that ggml once had; empty for others."""
    return _REMOVED.get(number, "")


_PLAIN = {
    0: ("F32", "float32"),
    1: ("F16", "float16"),
    24: ("I8", "int8"),
    25: ("I16", "int16"),
    26: ("I32", "int32"),
    27: ("I64", "int64"),
    28: ("F64", "float64"),
    30: ("BF16", "bfloat16"),
}
_LAID_OUT = {
    2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0",
    10: "Q2_K", 11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K",
    20: "IQ4_NL", 23: "IQ4_XS", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4", 40: "NVFP4", 41: "Q1_0",
}  # fmt: skip
_LATTICES = {  # codes are indices of vectors: no layout, but a decoder of the gguf package
    16: GgmlType("IQ2_XXS", 256, 66),
    17: GgmlType("IQ2_XS", 256, 74),
    18: GgmlType("IQ3_XXS", 256, 98),
    19: GgmlType("IQ1_S", 256, 50),
    21: GgmlType("IQ3_S", 256, 110),
    22: GgmlType("IQ2_S", 256, 82),
    29: GgmlType("IQ1_M", 256, 56),
}
_PASSING = {  # of activations during a product; no file holds them
    9: GgmlType("Q8_1", 32, 36, decoded=False),
    15: GgmlType("Q8_K", 256, 292, decoded=False),
}
_REMOVED = {
    4: "Q4_2", 5: "Q4_3", 31: "Q4_0_4_4", 32: "Q4_0_4_8", 33: "Q4_0_8_8",
    36: "IQ4_NL_4_4", 37: "IQ4_NL_4_8", 38: "IQ4_NL_8_8",
}  # fmt: skip

GGML_TYPES: Mapping[int, GgmlType] = {
    **{n: GgmlType(name, 1, DTYPES[dtype].bits // 8, DTYPES[dtype]) for n, (name, dtype) in _PLAIN.items()},
    **{n: GgmlType(name, LAYOUTS[name].values, LAYOUTS[name].bytes) for n, name in _LAID_OUT.items()},
    **_LATTICES,
    **_PASSING,
}
