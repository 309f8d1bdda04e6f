"""Tensors that cost nothing to make, as large as a benchmark wants them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fewbits.plan import Float32
from fewbits.tensor import Tensor

__all__ = ["bfloat16", "endless"]

COLUMNS = 4096
PERIOD = 64  # rows after which values repeat


def endless(values: int) -> Tensor:
    """A float32 tensor whose rows repeat: reading copies, and nothing is stored."""
    shape = (values // COLUMNS, COLUMNS)
    return Tensor("endless", shape, "float32", values * 4, f"endless {shape}", _Repeated(_rows()))


def bfloat16(values: int) -> Tensor:
    """A bfloat16 tensor in memory, of whole periods."""
    rows = (_rows().view(np.uint32) >> 16).astype(np.uint16)
    patterns = np.tile(rows, (max(values // rows.size, 1), 1))
    return Tensor(
        "bfloat16", patterns.shape, "bfloat16", patterns.nbytes, f"bfloat16 {patterns.shape}", _Held(patterns)
    )


def _rows() -> Float32:
    return np.random.default_rng(0).standard_normal((PERIOD, COLUMNS), np.float32) * np.float32(0.02)


@dataclass(frozen=True)
class _Repeated:
    period: Float32

    def read(self, start: int, stop: int) -> Float32:
        return self.period[np.arange(start, stop) % PERIOD]

    def read16(self, start: int, stop: int) -> None:
        return None


@dataclass(frozen=True)
class _Held:
    patterns: NDArray[np.uint16]

    def read(self, start: int, stop: int) -> Float32:
        return (self.patterns[start:stop].astype(np.uint32) << 16).view(np.float32)

    def read16(self, start: int, stop: int) -> NDArray[np.uint16]:
        return self.patterns[start:stop]
