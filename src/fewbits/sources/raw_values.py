"""The bytes of a tensor as they are stored, for those who copy and do not compute."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fewbits.sources.block_scaled import BlockScaled
from fewbits.sources.dtypes import Dtype
from fewbits.sources.onnx_values import Listed
from fewbits.sources.stored import Stored
from fewbits.sources.strided import Strided
from fewbits.tensor import Tensor

__all__ = ["as_stored", "raw_bytes", "raw_dtype"]


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
