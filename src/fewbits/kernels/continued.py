"""`lanes.lane_sum` of what comes in parts: the same bits as if it were there at once."""

from __future__ import annotations

import numpy as np
from numba import njit

from fewbits.kernels.arithmetic import OPTIONS
from fewbits.kernels.bits import EXPONENT, MAGNITUDE, bit_and, to_bits
from fewbits.kernels.lanes import LANES, SEGMENT
from fewbits.kernels.sums import LARGEST, SQUARED
from fewbits.plan import Float32


class ErrorSum:
    """Σ (y − x)², Σ |y − x| or max |y − x| over finite x of one block, in the order of `blocks.squared_error`; `kind` as in `sums`."""

    def __init__(self, kind: int) -> None:
        self.kind, self.held = kind, 0
        self._lanes, self._total = np.zeros(LANES), np.zeros(1)

    def add(self, x: Float32, y: Float32) -> None:
        """The next values."""
        self.held = _add(x.reshape(-1), y.reshape(-1), self.kind, self.held, self._lanes, self._total)

    @property
    def total(self) -> float:
        """The sum of what was added."""
        lanes, total = self._lanes.copy(), self._total.copy()
        _fold(lanes, total)
        return float(total[0])


@njit(**OPTIONS)
def _add(x, y, kind, held, lanes, total):  # type: ignore[no-untyped-def]
    """Add flat x and y to lanes, of whose segment `held` values are in already, and full segments to total; the new `held`."""
    e = np.empty(LANES)
    at, length = 0, x.shape[0]
    while at < length:
        first = held % LANES
        n = min(LANES - first, length - at)
        for i in range(n):
            finite = bit_and(to_bits(x[at + i]), MAGNITUDE) < EXPONENT
            a = abs(np.float64(y[at + i] - x[at + i])) if finite else 0.0
            e[i] = a * a if kind == SQUARED else a
        if kind == LARGEST:
            for i in range(n):
                total[0] = max(total[0], e[i])
        elif n == LANES:
            for i in range(LANES):
                lanes[i] += e[i]
        else:
            for i in range(n):
                lanes[first + i] += e[i]
        at += n
        held += n
        if held == SEGMENT:
            _fold(lanes, total)
            held = 0
    return held


@njit(**OPTIONS)
def _fold(lanes, total):  # type: ignore[no-untyped-def]
    """Add the lanes, added pairwise, to total, and clear them."""
    width = LANES // 2
    while width:
        for i in range(width):
            lanes[i] += lanes[i + width]
        width //= 2
    total[0] += lanes[0]
    for i in range(LANES):
        lanes[i] = 0.0
