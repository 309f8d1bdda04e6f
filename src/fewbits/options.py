"""The options of a format on a tensor that comes in slabs: what is known of all of it beforehand, and a slab there and back."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fewbits.formats import Format
from fewbits.kernels import cpu
from fewbits.kernels.exact_mean import finite_sum, mean_of
from fewbits.plan import Float32, plan
from fewbits.tensorwide import Stream, magnitude_at
from fewbits.transform import moved, outlier_mask, restored

__all__ = ["Options", "options_of"]

NO_MEAN = np.float32(-0.0)


@dataclass(frozen=True)
class Options:
    """Mean, rotation and outliers. `least` is the smallest magnitude of the outliers of a whole tensor, of which slab k keeps
    the first `ties[k]`; without `ties`, outliers are those of blocks that lie in slabs."""

    format: Format
    mean: np.float32
    least: np.float32
    ties: NDArray[np.int64] | None

    def rounded(self, x: Float32, at: int) -> Float32:
        """What is rounded of slab number `at`: NaN for outliers."""
        values = moved(x, self.format, self.mean)
        return np.where(self._mask(values, at), np.float32(np.nan), values)

    def quantize(self, x: Float32, at: int, quantize: Callable[[Float32, int], Float32]) -> Float32:
        """The reconstruction of slab number `at`, where `quantize` gives that of what is rounded."""
        f, values = self.format, moved(x, self.format, self.mean)
        mask = self._mask(values, at)
        kept = cpu.quantize(values, plan(Format(f.outliers.element))) if f.outliers else values
        return restored(x, values, quantize(np.where(mask, np.float32(np.nan), values), at), mask, kept, f, self.mean)

    def _mask(self, values: Float32, at: int) -> NDArray[np.bool_]:
        f = self.format
        if f.outliers is None or f.block is None:
            return np.zeros(values.shape, bool)
        if self.ties is None:
            return outlier_mask(values, f.block.grid(values.shape), f.outliers)
        size = _magnitudes(values)
        mask = size > self.least
        mask.reshape(-1)[np.flatnonzero(size == self.least)[: self.ties[at]]] = True
        return mask


def options_of(f: Format, stream: Stream) -> Options:
    """The options of a tensor: a pass for its mean, and three where its outliers are those of all of it."""
    mean = NO_MEAN
    if f.mean:
        found = list(stream.each(lambda x, _: finite_sum(x)))
        mean = mean_of(sum(total for total, _ in found), sum(count for _, count in found))
    plain = Options(f, mean, np.float32(-1), None)
    if f.outliers is None or f.block is None or f.block.kind != "tensor":
        return plain
    wanted = f.outliers.count(math.prod(stream.shape))
    values = stream.of(lambda x, _: moved(x, f, mean))
    least, larger = magnitude_at(values, lambda count: max(count - wanted, 0)) if wanted else (np.float32(np.inf), 0)
    there = list(values.each(lambda x, _: int(np.count_nonzero(_magnitudes(x) == least))))
    before = np.cumsum([0, *there])[:-1]
    return Options(f, mean, least, np.maximum(wanted - larger - before, 0))


def _magnitudes(x: Float32) -> Float32:
    """|x|, −1 where x is not finite."""
    return np.where(np.isfinite(x), np.abs(x), np.float32(-1))
