"""Sub-blocks searched side by side, compiled by numba: the loops of `search_reference.py`, bit for bit.

LANES sub-blocks are searched at once, one a lane: sums over a sub-block must run in order, so lanes are what is left
to vectorise. A workspace w holds an area of rows per quantity, (value, lane); a running sum writes its row i + 1 from
its row i, which keeps every access of an inner loop at a fixed distance in one array (LLVM needs no overlap checks).
Registers r hold one number per lane. Short loops over lanes would be unrolled instead of vectorised: hence 32 of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from fewbits.kernels.cache import is_kept
from fewbits.kernels.super_block import LEAST_MAGNITUDE, LONGEST, Q3K_PASSES, Floats, Integers

LANES = 32
ROWS = LONGEST + 1  # of an area: one a value, and one more for running sums
X, W, Q, SUM_Q, SUM_QQ, SUM_QX, ERROR = (ROWS * k for k in range(7))
AREAS = 7
REGISTERS = 16  # rows of numbers per lane

f32, i32 = np.float32, np.int32
ZERO, ONE = f32(0), f32(1)
compiled: Any = njit(nogil=True, cache=is_kept(), error_model="numpy")
inlined: Any = njit(nogil=True, cache=is_kept(), error_model="numpy", forceinline=True)


@inlined
def _nearest_int(v: Any) -> Any:
    return i32(i32(f32(v + f32(12582912.0)).view(i32) & i32(0x7FFFFF)) - i32(0x400000))


@inlined
def clamped(v: Any, low: np.int32, high: np.int32) -> Any:
    """nearest_int(v) within low … high."""
    return i32(min(max(_nearest_int(v), low), high))


@inlined
def extreme_of_lane(w: Floats, n: int, j: int) -> Any:
    """The first of the values of largest magnitude in lane j; 0 for zeros."""
    extreme, magnitude = ZERO, ZERO
    for i in range(n):
        if abs(w[X + i, j]) > magnitude:
            extreme, magnitude = w[X + i, j], abs(w[X + i, j])
    return extreme


@compiled
def load_lanes(x: Floats, w: Floats) -> None:
    """Put one group (n, LANES) into the workspace with x² as weights, and start the running sums."""
    for j in range(LANES):
        for area in (SUM_Q, SUM_QQ, SUM_QX, ERROR):
            w[area, j] = ZERO
    for i in range(x.shape[0]):
        for j in range(LANES):
            w[X + i, j] = x[i, j]
            w[W + i, j] = x[i, j] * x[i, j]


# codes: registers
QX, QQ, CHANGED, ACTIVE = 0, 1, 2, 3


@compiled
def code_lanes(xl: Floats, half: int, scale: Floats, codes: Integers) -> None:
    """`search_reference._search_codes`."""
    n, lowest, highest = xl.shape[1], i32(-half), i32(half - 1)
    w, r = np.zeros((AREAS * ROWS, LANES), f32), np.zeros((REGISTERS, LANES), f32)
    for g in range(xl.shape[0]):
        load_lanes(xl[g], w)
        for j in range(LANES):
            extreme = extreme_of_lane(w, n, j)
            inverse, qx, qq = f32(-half) / extreme, ZERO, ZERO
            for i in range(n):
                q = f32(clamped(inverse * w[X + i, j], lowest, highest))
                w[Q + i, j] = q
                qx += w[W + i, j] * w[X + i, j] * q
                qq += w[W + i, j] * q * q
            r[QX, j], r[QQ, j], r[CHANGED, j] = qx, qq, ONE
            r[ACTIVE, j] = ONE if abs(extreme) >= f32(LEAST_MAGNITUDE) else ZERO
        for _ in range(Q3K_PASSES):
            any_changed = False
            for j in range(LANES):
                r[CHANGED, j] = r[CHANGED, j] * r[ACTIVE, j]
                any_changed |= r[CHANGED, j] != ZERO
            if not any_changed:
                break
            _code_pass(w, r, n, lowest, highest)
        for j in range(LANES):
            zero = abs(extreme_of_lane(w, n, j)) < f32(LEAST_MAGNITUDE)
            fitted = (not zero) & (r[QQ, j] > ZERO)
            scale[g, j] = r[QX, j] / r[QQ, j] if fitted else ZERO
            for i in range(n):
                codes[g, i, j] = lowest if zero else i32(w[Q + i, j])


@compiled
def _code_pass(w: Floats, r: Floats, n: int, lowest: np.int32, highest: np.int32) -> None:
    """Each code in turn goes to the best value for the others' scale, where that raises Σxq² / Σqq."""
    for j in range(LANES):
        r[ACTIVE, j] = r[CHANGED, j]
        r[CHANGED, j] = ZERO
    for i in range(n):
        for j in range(LANES):
            v, weight, q = w[X + i, j], w[W + i, j], w[Q + i, j]
            qx, qq, changed = r[QX, j], r[QQ, j], r[CHANGED, j]
            rest_qx, rest_qq = qx - weight * v * q, qq - weight * q * q
            new = f32(clamped(v * rest_qq / rest_qx, lowest, highest))
            new_qx, new_qq = rest_qx + weight * v * new, rest_qq + weight * new * new
            better = (r[ACTIVE, j] != ZERO) & (rest_qx > ZERO) & (new != q) & (new_qq > ZERO)
            better &= new_qx * new_qx * qq > qx * qx * new_qq
            w[Q + i, j] = new if better else q
            r[QX, j] = new_qx if better else qx
            r[QQ, j] = new_qq if better else qq
            r[CHANGED, j] = ONE if better else changed


# targets and table: registers
EXTREME, FACTOR, FIT_SCALE, FIT_BEST, FIT_FACTOR, FIRST_FACTOR = 0, 1, 2, 3, 4, 5


@compiled
def target_lanes(xl: Floats, half: int, targets: Floats, scale: Floats, codes: Integers) -> None:
    """`search_reference._search_target`, the first of `targets` being the half range itself."""
    n, lowest, highest = xl.shape[1], i32(-half), i32(half - 1)
    w, r = np.zeros((AREAS * ROWS, LANES), f32), np.zeros((REGISTERS, LANES), f32)
    for g in range(xl.shape[0]):
        load_lanes(xl[g], w)
        for j in range(LANES):
            r[EXTREME, j] = extreme_of_lane(w, n, j)
        for k in range(targets.size):
            for j in range(LANES):
                r[FACTOR, j] = -targets[k] / r[EXTREME, j]
            for i in range(n):
                for j in range(LANES):
                    v, weight = w[X + i, j], w[W + i, j]
                    q = f32(clamped(r[FACTOR, j] * v, lowest, highest))
                    w[SUM_QX + i + 1, j] = w[SUM_QX + i, j] + weight * v * q
                    w[SUM_QQ + i + 1, j] = w[SUM_QQ + i, j] + weight * q * q
            _keep_better(w, r, n, k == 0, False)
        for j in range(LANES):
            zero = abs(r[EXTREME, j]) < f32(LEAST_MAGNITUDE)
            scale[g, j] = ZERO if zero else r[FIT_SCALE, j]
            for i in range(n):
                code = clamped(r[FIT_FACTOR, j] * w[X + i, j], lowest, highest)
                codes[g, i, j] = lowest if zero else code


@compiled
def _keep_better(w: Floats, r: Floats, n: int, first: bool, positive: bool) -> None:
    """Remember the scale and factor of a fit if (Σqx)² / Σqq is larger than before; always those of the first.

    `positive`: a Σqq that is not a number gives the first fit the scale 0.
    """
    for j in range(LANES):
        qx, qq = w[SUM_QX + n, j], w[SUM_QQ + n, j]
        fitted = qx / qq
        better = (qq > ZERO) & (qx * qx > r[FIT_BEST, j] * qq)
        usable = qq > ZERO if positive else qq != ZERO
        start = fitted if usable else ZERO
        r[FIT_SCALE, j] = start if first else (fitted if better else r[FIT_SCALE, j])
        r[FIT_BEST, j] = r[FIT_SCALE, j] * qx if first or better else r[FIT_BEST, j]
        r[FIT_FACTOR, j] = r[FACTOR, j] if first or better else r[FIT_FACTOR, j]


@compiled
def table_lanes(
    xl: Floats, least: np.float32, cuts: Floats, above: Floats, count: int, sign: np.float32, targets: Floats,
    scale: Floats, codes: Integers,
) -> None:  # fmt: skip
    """`search_reference._search_table`; `sign` −1 and targets, or 1 and none; `least` the lowest table value.

    `cuts` and the values `above` them, padded to a multiple of four; `count` of them are real.
    """
    n = xl.shape[1]
    w, r = np.zeros((AREAS * ROWS, LANES), f32), np.zeros((REGISTERS, LANES), f32)
    for g in range(xl.shape[0]):
        load_lanes(xl[g], w)
        for j in range(LANES):
            r[EXTREME, j] = extreme_of_lane(w, n, j)
        for k in range(targets.size + 1):
            for j in range(LANES):
                first = ONE / (sign * r[EXTREME, j] / least)
                r[FACTOR, j] = targets[k - 1] / r[EXTREME, j] if k else first
            _fit_table(w, r, n, least, cuts, above)
            _keep_better(w, r, n, k == 0, True)
            if k == 0:
                for j in range(LANES):
                    r[FIRST_FACTOR, j] = r[FACTOR, j]
        for j in range(LANES):
            zero = abs(r[EXTREME, j]) < f32(LEAST_MAGNITUDE)
            scale[g, j] = ZERO if zero else r[FIT_SCALE, j]
            for i in range(n):
                v = ZERO if zero else r[FIRST_FACTOR, j] * w[X + i, j]
                code = i32(0)
                for c in range(count):
                    code += i32(not (v + v < cuts[c]))
                codes[g, i, j] = code


@compiled
def _fit_table(w: Floats, r: Floats, n: int, least: np.float32, cuts: Floats, above: Floats) -> None:
    """The table value nearest to FACTOR · x, and its weighted sums."""
    for i in range(n):
        for j in range(LANES):
            w[ERROR + i, j] = r[FACTOR, j] * w[X + i, j] + r[FACTOR, j] * w[X + i, j]
            w[Q + i, j] = least
        for c in range(0, cuts.size, 4):  # four cuts a pass: the loop over lanes is too short to vectorise otherwise
            cut0, cut1, cut2, cut3 = cuts[c], cuts[c + 1], cuts[c + 2], cuts[c + 3]
            above0, above1, above2, above3 = above[c], above[c + 1], above[c + 2], above[c + 3]
            for j in range(LANES):
                q, v = w[Q + i, j], w[ERROR + i, j]
                q = q if v < cut0 else above0
                q = q if v < cut1 else above1
                q = q if v < cut2 else above2
                w[Q + i, j] = q if v < cut3 else above3
        for j in range(LANES):
            v, weight, q = w[X + i, j], w[W + i, j], w[Q + i, j]
            w[SUM_QX + i + 1, j] = w[SUM_QX + i, j] + weight * q * v
            w[SUM_QQ + i + 1, j] = w[SUM_QQ + i, j] + weight * q * q
