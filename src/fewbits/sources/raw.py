"""The bytes of a tensor as they are stored."""

from __future__ import annotations

from dataclasses import dataclass

from fewbits.sources.block_scaled import BlockScaled
from fewbits.sources.file import File
from fewbits.sources.header import STORED
from fewbits.sources.stored import Missing, Stored
from fewbits.tensor import Tensor

__all__ = ["Raw", "raw_bytes"]

CODES = {dtype.name: code for code, dtype in STORED.items()}


@dataclass(frozen=True)
class Raw:
    """`nbytes` bytes of a file from `offset` on: values of a type that safetensors calls `code`, `bits` wide."""

    file: File
    offset: int
    nbytes: int
    code: str
    bits: int


def raw_bytes(tensor: Tensor) -> Raw | None:
    """Where the bytes of a tensor lie one after the other; without its scales; None where they do not lie so."""
    values = tensor.values
    stored = values.stored if isinstance(values, Missing) else values
    if isinstance(stored, Stored):
        code = CODES.get(stored.dtype.name, stored.dtype.name.upper())
        nbytes = tensor.size * stored.dtype.bits // 8 if stored.dtype.bits else tensor.nbytes
        return Raw(stored.file, stored.offset, nbytes, code, stored.dtype.bits)
    if isinstance(stored, BlockScaled):
        return raw_bytes(stored.stored)
    return None
