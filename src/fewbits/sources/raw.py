"""The bytes of a tensor as they are stored, for those who copy and do not compute."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fewbits.sources.block_scaled import BlockScaled
from fewbits.sources.dtypes import Dtype
from fewbits.sources.file import File
from fewbits.sources.header import STORED
from fewbits.sources.onnx_values import Listed
from fewbits.sources.stored import Missing, Stored
from fewbits.sources.strided import Strided
from fewbits.tensor import Tensor

__all__ = ["Extent", "as_stored", "extent_of", "raw_bytes", "raw_dtype"]

CODES = {dtype.name: code for code, dtype in STORED.items()}


@dataclass(frozen=True)
class Extent:
    """`nbytes` bytes of a file from `offset` on: values of a type that safetensors calls `code`, `bits` wide."""

    file: File
    offset: int
    nbytes: int
    code: str
    bits: int


def extent_of(tensor: Tensor) -> Extent | None:
    """Where the bytes of a tensor lie one after the other; without its scales; None where they do not lie so."""
    values = as_stored(tensor).values
    stored = values.stored if isinstance(values, Missing) else values
    if not isinstance(stored, Stored):
        return None
    code = CODES.get(stored.dtype.name, stored.dtype.name.upper())
    nbytes = tensor.size * stored.dtype.bits // 8 if stored.dtype.bits else tensor.nbytes
    return Extent(stored.file, stored.offset, nbytes, code, stored.dtype.bits)


def as_stored(tensor: Tensor) -> Tensor:
    """The tensor without the scales beside it, which are tensors of their own."""
    return tensor.values.stored if isinstance(tensor.values, BlockScaled) else tensor


def raw_dtype(tensor: Tensor) -> Dtype | None:
    """The stored type; None where values are computed from what is stored."""
    return tensor.values.dtype if isinstance(tensor.values, Stored | Strided | Listed) else None


def raw_bytes(tensor: Tensor, first: int, last: int) -> NDArray[np.uint8]:
    """The little-endian bytes of values first ≤ i < last, counted row by row; raises `SourceError`."""
    values = tensor.values
    assert isinstance(values, Stored | Strided | Listed), tensor.name
    return values.raw(first, last)
