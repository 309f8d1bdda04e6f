"""Counting values by magnitude, exactly: most by their upper bits, those in whose cell a bin ends by comparison."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fewbits.kernels.histogram import PATTERNS, count_upper_halves
from fewbits.plan import Float32
from fewbits.profile.record import BINS, OCTAVES, STEPS

__all__ = ["count", "edges"]

LOWER = 16  # bits of a float32 that a cell does not tell apart
CELLS = PATTERNS
POSITIVE = CELLS // 2  # cells of positive values, those of infinities and NaN last
PIECE = 1 << 16  # values at a time
FINITE = 0x7F800000


def edges(amax: float) -> Float32:
    """The magnitudes at which bins end, from amax · 2^-20 to amax: a bin holds its upper end. float64, rounded once."""
    found: Float32 = (amax * 2.0 ** (np.arange(-OCTAVES * STEPS, 1) / STEPS)).astype(np.float32)
    return found


def count(arrays: Sequence[Float32], amax: float) -> NDArray[np.int64]:
    """Counts of the finite values in `BINS` bins in the order of value, as `Profile.histogram`; no magnitude is above `amax`."""
    ends, bins = edges(amax), np.zeros(BINS, np.int64)
    if sum(x.size for x in arrays) < CELLS:
        return bins + sum(_exact(x.reshape(-1), ends) for x in arrays)
    inside = np.unique(ends.view(np.uint32) >> LOWER)  # cells in which a bin ends
    split = np.zeros(CELLS, bool)
    split[inside] = split[inside + POSITIVE] = True
    split[[0, POSITIVE]] = True  # zero, and what is less than any normal number
    first = (np.arange(POSITIVE, dtype=np.uint32) << LOWER).view(np.float32)  # the least magnitude of each cell
    cells = np.zeros(CELLS, np.int64)
    held = np.empty(PIECE, np.uint32)
    for x in arrays:
        patterns = x.reshape(-1).view(np.uint32)
        for at in range(0, len(patterns), PIECE):
            apart = count_upper_halves(patterns[at : at + PIECE], split, cells, held)
            bins += _exact(held[:apart].view(np.float32), ends)
    cells.reshape(2, POSITIVE)[:, FINITE >> LOWER :] = 0
    place = np.searchsorted(ends, first)
    for sign, half in zip((1, -1), cells.reshape(2, POSITIVE), strict=True):
        bins[BINS // 2 :: sign] += np.bincount(place + 1, weights=half, minlength=BINS // 2 + 1).astype(np.int64)[
            : BINS // 2 + 1
        ]
    return bins


def _exact(x: Float32, ends: Float32) -> NDArray[np.int64]:
    x = x[np.isfinite(x)]
    place = np.searchsorted(ends, np.abs(x)) + 1
    return np.bincount(BINS // 2 + np.where(x == 0, 0, np.where(x < 0, -place, place)), minlength=BINS)
