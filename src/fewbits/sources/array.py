"""An array in memory as a tensor, for what takes tensors: distributions, transfer curves, effects."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewbits.sources.stored import digest
from fewbits.tensor import Tensor

__all__ = ["tensor_of"]


@dataclass(frozen=True)
class _Held:
    """Rows of an array that is in memory already."""

    rows: NDArray[np.float32]

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """A copy of the rows."""
        return self.rows[start:stop].copy()

    def read16(self, start: int, stop: int) -> NDArray[np.uint16] | None:
        """None: they are float32 already."""
        return None


def tensor_of(x: ArrayLike, name: str = "array") -> Tensor:
    """A tensor of the numbers in `x`, rounded to float32 as `quantize` rounds them; any rank. Raises `DataError` for other data."""
    from fewbits.verbs import as_array, as_float32  # brings the compiler, which listing a model does not need

    array = as_array(x)
    values = np.array(as_float32(array), order="C")
    shape = values.shape
    rows = _Held(values.reshape(math.prod(shape[:-1]), shape[-1] if shape else 1))
    identity = digest("array", str(shape), hashlib.sha256(values.tobytes()).hexdigest())
    return Tensor(name, shape, str(array.dtype), array.nbytes, identity, rows)
