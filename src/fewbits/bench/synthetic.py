"""Tensors that cost nothing to make and are larger than memory would like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fewbits.plan import Float32
from fewbits.tensor import Tensor

__all__ = ["Bfloat16", "Endless"]

COLUMNS = 4096
PERIOD = 64  # rows after which values repeat


def _rows() -> Float32:
    return np.random.default_rng(0).standard_normal((PERIOD, COLUMNS), np.float32) * np.float32(0.02)


@dataclass(frozen=True)
class Endless(Tensor):
    """float32 rows that repeat: reading copies, and nothing is stored."""

    rows_of: Float32 | None = None

    @staticmethod
    def make(values: int) -> Endless:
        shape = (values // COLUMNS, COLUMNS)
        return Endless("endless", shape, "float32", "", values * 4, f"endless {shape}", _rows())

    def read(self, start: int = 0, stop: int | None = None) -> Float32:
        """Rows start … stop − 1."""
        assert self.rows_of is not None
        stop = self.shape[0] if stop is None else stop
        return self.rows_of[np.arange(start, stop) % PERIOD]

    def read16(self, start: int = 0, stop: int | None = None) -> None:
        """Not a 16-bit tensor."""


@dataclass(frozen=True)
class Bfloat16(Tensor):
    """bfloat16 values in memory."""

    patterns: NDArray[np.uint16] | None = None

    @staticmethod
    def make(values: int) -> Bfloat16:
        rows = (_rows().view(np.uint32) >> 16).astype(np.uint16)
        patterns = np.tile(rows, (values // rows.size, 1))
        return Bfloat16("bfloat16", patterns.shape, "bfloat16", "", patterns.nbytes, f"bfloat16 {patterns.shape}", patterns)

    def read(self, start: int = 0, stop: int | None = None) -> Float32:
        """Rows start … stop − 1 as float32."""
        assert self.patterns is not None
        return (self.patterns[start:stop].astype(np.uint32) << 16).view(np.float32)

    def read16(self, start: int = 0, stop: int | None = None) -> NDArray[np.uint16] | None:
        """The bits of rows start … stop − 1."""
        assert self.patterns is not None
        return self.patterns[start:stop]
