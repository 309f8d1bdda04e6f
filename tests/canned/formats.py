"""Canned tables of the figures that explain formats and their memory: facts of number formats, nothing measured."""

from __future__ import annotations

from typing import Any

import polars

from fewbits import catalog, memory
from fewbits.explain import bit_rows, number_line, properties, relative_error

Rows = list[dict[str, Any]]

TYPES = ("fp32", "fp16", "bf16", "fp8-e4m3", "fp8-e5m2", "i8", "i4")
FLOATS = ("fp16", "bf16", "fp8-e4m3", "fp8-e5m2")
MODELS = (("1.5B", 1.5e9), ("7B", 7e9), ("13B", 13e9), ("34B", 34e9), ("70B", 70e9), ("175B", 175e9))
STORED = ("bf16", "q8_0", "mxfp6-e2m3", "nvfp4", "mxfp4", "q2_k")
GPUS = ("3070", "4090", "A100 80")
# format, bits, SQNR in dB, bits above the Gaussian bound (below 0: the values are not Gaussian)
METHODS = (
    ("GPTQ group 128", 4.155, 20.62, 0.73),
    ("AWQ group 128", 4.156, 19.8, 0.867),
    ("RTN group 128", 4.155, 19.05, 0.99),
    ("q4_k", 4.5, 22.92, 0.692),
    ("on a grid", 4.5, 29.5, -0.4),
    ("copy", 16.0, None, None),
)


def tables() -> dict[str, polars.DataFrame]:
    """A table for each figure, by its name."""
    types, floats = catalog.resolve(TYPES), catalog.resolve(FLOATS)
    gpus = memory.chosen(GPUS)
    sizes = [memory.model_of_count(name, int(count)) for name, count in MODELS]
    fits = memory.fit_rows(memory.memory_rows(sizes, memory.stored_as(STORED), gpus), gpus)
    found = {
        "bit_layout": bit_rows(types),
        "number_line": number_line(floats),
        "relative_error": relative_error(floats),
        "dynamic_range": [properties(*one) for one in types],
        "memory_bars": fits,
        "fit_map": fits,
        "methods": methods(),
    }
    return {name: polars.DataFrame(rows, infer_schema_length=None) for name, rows in found.items()}


def methods() -> Rows:
    return [
        {"format": name, "bits": bits, "sqnr_db": sqnr, "gap": gap, "mse": 0.0 if sqnr is None else 1e-3 * 10 ** (-sqnr / 10)}
        for name, bits, sqnr, gap in METHODS
    ]  # fmt: skip
