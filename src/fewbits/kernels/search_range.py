"""The search for a scale and a minimum, compiled: `search_reference._search_range`; see `search_lanes.py`."""

from __future__ import annotations

import numpy as np

from fewbits.kernels.search_lanes import (
    AREAS,
    ERROR,
    LANES,
    ONE,
    REGISTERS,
    ROWS,
    SUM_Q,
    SUM_QQ,
    SUM_QX,
    ZERO,
    Q,
    W,
    X,
    clamped,
    compiled,
    f32,
    i32,
    load_lanes,
)
from fewbits.kernels.super_block import Floats, Integers

# ranges: registers of a lane
LOW, HIGH, INVERSE, SCALE, NEW_LOW, TOTAL_W, TOTAL_X = 0, 1, 2, 3, 4, 5, 6
BEST, BEST_SCALE, CODE_LOW, CODE_INVERSE, DETERMINANT, FLAT = 7, 8, 9, 10, 11, 12


@compiled
def range_lanes(
    xl: Floats, steps: int, first: np.float32, increment: np.float32, last: int, absolute: bool,
    scale: Floats, low: Floats, codes: Integers,
) -> None:  # fmt: skip
    """`search_reference._search_range` for groups xl (G, n, LANES): scale and low (G, LANES), codes (G, n, LANES)."""
    n, top = xl.shape[1], f32(steps)
    w, r = np.zeros((AREAS * ROWS, LANES), f32), np.zeros((REGISTERS, LANES), f32)
    for g in range(xl.shape[0]):
        load_lanes(xl[g], w)
        _start_range(w, r, n, top, absolute)
        _fit_range(w, r, n, i32(steps))
        _range_error(w, r, n, absolute)
        for j in range(LANES):
            r[BEST, j] = w[ERROR + n, j]
        for k in range(last + 1):
            target = first + increment * f32(k) + top
            for j in range(LANES):
                r[INVERSE, j] = target / (r[HIGH, j] - r[LOW, j])
            _fit_range(w, r, n, i32(steps))
            _solve_range(w, r, n)
            _range_error(w, r, n, absolute)
            for j in range(LANES):
                better = (r[DETERMINANT, j] > ZERO) & (w[ERROR + n, j] < r[BEST, j])
                r[BEST, j] = w[ERROR + n, j] if better else r[BEST, j]
                r[BEST_SCALE, j] = r[SCALE, j] if better else r[BEST_SCALE, j]
                r[CODE_LOW, j] = r[LOW, j] if better else r[CODE_LOW, j]
                r[CODE_INVERSE, j] = r[INVERSE, j] if better else r[CODE_INVERSE, j]
                r[LOW, j] = r[NEW_LOW, j] if better else r[LOW, j]
        for j in range(LANES):
            flat = r[FLAT, j] != ZERO
            scale[g, j] = ZERO if flat else r[BEST_SCALE, j]
            low[g, j] = -r[LOW, j]
            for i in range(n):
                code = clamped(r[CODE_INVERSE, j] * (w[X + i, j] - r[CODE_LOW, j]), i32(0), i32(steps))
                codes[g, i, j] = i32(0) if flat else code


@compiled
def _start_range(w: Floats, r: Floats, n: int, top: np.float32, absolute: bool) -> None:
    """Weights, their sums, and the scale that spans the range; a flat lane is marked and kept from any better fit."""
    for j in range(LANES):
        lowest, highest, squares = ZERO, w[X, j], ZERO
        for i in range(n):
            lowest, highest = min(lowest, w[X + i, j]), max(highest, w[X + i, j])
            squares += w[W + i, j]
        mean = ZERO if absolute else np.sqrt(squares / f32(n))
        total_w, total_x = ZERO, ZERO
        for i in range(n):
            weight = abs(w[X + i, j]) if absolute else mean + abs(w[X + i, j])
            w[W + i, j] = weight
            total_w += weight
            total_x += weight * w[X + i, j]
        flat = lowest == highest
        r[TOTAL_W, j], r[TOTAL_X, j] = f32(np.nan) if flat else total_w, total_x
        r[FLAT, j] = ONE if flat else ZERO
        r[LOW, j], r[HIGH, j], r[NEW_LOW, j], r[CODE_LOW, j] = lowest, highest, lowest, lowest
        r[INVERSE, j] = top / (highest - lowest)
        r[CODE_INVERSE, j] = r[INVERSE, j]
        r[SCALE, j] = ONE / r[INVERSE, j]
        r[BEST_SCALE, j] = r[SCALE, j]


@compiled
def _fit_range(w: Floats, r: Floats, n: int, steps: np.int32) -> None:
    """Codes by INVERSE and LOW, and their weighted sums."""
    for i in range(n):
        for j in range(LANES):
            v, weight = w[X + i, j], w[W + i, j]
            q = f32(clamped(r[INVERSE, j] * (v - r[LOW, j]), i32(0), steps))
            w[Q + i, j] = q
            w[SUM_Q + i + 1, j] = w[SUM_Q + i, j] + weight * q
            w[SUM_QQ + i + 1, j] = w[SUM_QQ + i, j] + weight * q * q
            w[SUM_QX + i + 1, j] = w[SUM_QX + i, j] + weight * q * v


@compiled
def _solve_range(w: Floats, r: Floats, n: int) -> None:
    """The scale and minimum (not above 0) of least squared error for the codes."""
    for j in range(LANES):
        q, qq, qx = w[SUM_Q + n, j], w[SUM_QQ + n, j], w[SUM_QX + n, j]
        determinant = r[TOTAL_W, j] * qq - q * q
        found = (qq * r[TOTAL_X, j] - q * qx) / determinant
        slope = (r[TOTAL_W, j] * qx - r[TOTAL_X, j] * q) / determinant
        through_zero = qx / qq
        r[DETERMINANT, j] = determinant
        r[SCALE, j] = through_zero if found > ZERO else slope
        r[NEW_LOW, j] = ZERO if found > ZERO else found


@compiled
def _range_error(w: Floats, r: Floats, n: int, absolute: bool) -> None:
    """The weighted sum of |e| or e² for the codes with SCALE and NEW_LOW."""
    for i in range(n):
        for j in range(LANES):
            e = abs(r[SCALE, j] * w[Q + i, j] + r[NEW_LOW, j] - w[X + i, j])
            e = e * (ONE if absolute else e)
            w[ERROR + i + 1, j] = w[ERROR + i, j] + w[W + i, j] * e
