"""Sums in an order that depends on nothing but the length: see `docs/method.md`."""

from __future__ import annotations

from numba import njit

from fewbits.kernels.arithmetic import OPTIONS

LANES = 16
SEGMENT = 4096


@njit(**OPTIONS)
def lane_sum(v, lanes):  # type: ignore[no-untyped-def]
    """Σ v of float64: segments of 4096 one after the other; in each, 16 lanes, added pairwise. `lanes`: scratch of 16."""
    total = 0.0
    length = v.shape[0]
    for start in range(0, length, SEGMENT):
        stop = min(start + SEGMENT, length)
        for i in range(LANES):
            lanes[i] = 0.0
        for i in range(start, stop, LANES):
            part = v[i : min(i + LANES, stop)]
            for lane in range(part.shape[0]):
                lanes[lane] += part[lane]
        width = LANES // 2
        while width:
            for lane in range(width):
                lanes[lane] += lanes[lane + width]
            width //= 2
        total += lanes[0]
    return total
