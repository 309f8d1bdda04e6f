"""bitsandbytes: 4-bit tables and 8-bit maps by its portable kernels (the C kernels restart blocks at each row)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from bitsandbytes import functional

from fewbits.conformance.oracle import Answer, Float32, Oracle, version_of
from fewbits.formats import Format

TABLES = {"nf4lut": "nf4", "bnbfp4": "fp4"}
MAPS = {"dyn8": "create_dynamic_map", "lin8": "create_linear_map"}


def answer(f: Format) -> Answer | None:
    """Tables in flat blocks with float32 scales."""
    flat = (
        f.block is not None
        and f.block.kind == "flat"
        and str(f.scale) == "f32"
        and str(f.rule) == "bnb"
        and not f.options
    )
    if not flat or f.block is None:
        return None
    columns, name = f.block.columns, f.element.name
    if name in TABLES:
        return lambda x: four_bits(x, TABLES[name], columns)
    return (lambda x: eight_bits(x, MAPS[name], columns)) if name in MAPS else None


def four_bits(x: Float32, table: str, columns: int) -> Float32:
    """`quantize_4bit` and `dequantize_4bit`, portable."""
    t = torch.from_numpy(x).reshape(-1)
    codes, absmax = portable("quantize_4bit", t, columns, table, torch.uint8)
    made = portable("dequantize_4bit", codes, absmax, columns, table, t.shape, torch.float32)
    return np.asarray(made.numpy())


def eight_bits(x: Float32, map_name: str, columns: int) -> Float32:
    """`quantize_blockwise` and `dequantize_blockwise`, portable."""
    t, code = torch.from_numpy(x).reshape(-1), getattr(functional, map_name)()
    codes, absmax = portable("quantize_blockwise", t, code, columns)
    made = portable("dequantize_blockwise", codes, absmax, code, columns, torch.float32)
    return np.asarray(made.numpy())


def portable(operation: str, *arguments: Any) -> Any:
    """An operation of the package by the kernel that it has for every device."""
    kernel = getattr(torch.ops.bitsandbytes, operation).default
    return kernel._op_dk(torch._C.DispatchKey.CompositeExplicitAutograd, *arguments)


ORACLE = Oracle("bitsandbytes", "bitsandbytes", answer, (), version_of("bitsandbytes"))
