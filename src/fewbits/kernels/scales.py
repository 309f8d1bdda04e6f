"""Stored scales of blocks, level by level; the counterpart of `reference.scaler`."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numba import njit

from fewbits.block import Grid
from fewbits.kernels import reference
from fewbits.kernels.arithmetic import OPTIONS, arguments, round_all
from fewbits.kernels.bits import SIGN, add, bit_and, bit_or, from_bits, shift_left, shift_right, to_bits
from fewbits.kernels.fast import spread
from fewbits.kernels.reference import ONE, Scaler
from fewbits.kernels.rounded import Scales
from fewbits.kernels.statistics import statistics
from fewbits.plan import CEILING, HALF, Float32, Level, Plan, significant_bits

NEVER = 1 << 23  # no significand is that large
SMALLEST_NORMAL = np.float32(1.1754943508222875e-38)
LARGEST = np.float32(np.finfo(np.float32).max)
HALF_POWER = np.int32(1 << 22)  # the bits of 2^-127


def scaler(statistic: Float32, plan: Plan, known: Float32 | None = None) -> Scaler:
    """A function from statistics to stored scales; outer scales are fixed by `statistic`.

    `known` is the statistic of the outermost blocks, where they span more than is at hand (a scale of the whole tensor).
    """
    if plan.power:
        return lambda s, m=ONE, start=None: _power_scales(s, plan)
    if plan.rule is not None and plan.rule.outer != "direct":
        return reference.scaler(statistic, plan, known)
    return level_scaler(statistic, plan.levels, 1, plan.levels[0].target, known)


def level_scaler(
    statistic: Float32, levels: tuple[Level, ...], at: int, target: float, known: Float32 | None = None
) -> Scaler:
    """Scales of level `at` for statistics that map to `target` there: stored = round(statistic / (target · outer scale))."""
    level = levels[at]
    to = np.float32(target)
    if level.block is None:

        def bare(s: Float32, m: Float32 = ONE, start: int | None = None) -> Scales:
            exact, stored, unit = np.empty_like(s), np.empty_like(s), np.ones((1, 1, 1), np.float32)
            whole = max(s.shape[1], 1), max(s.shape[2], 1)
            _store(
                s,
                _full(m, s),
                to,
                unit,
                *whole,
                arguments(level.rounding),
                _flags(level),
                exact,
                stored,
                np.empty_like(s),
            )
            return Scales(stored, None, stored, exact, np.float32(0))

        return bare
    grid = level.block.grid(statistic.shape)

    def centred(s: Float32) -> tuple[Float32, np.float32]:
        if not level.mean:
            return s, np.float32(0)
        mean = np.float32(s.mean(dtype=np.float64)) if s.size else np.float32(0)
        return (s - mean).astype(np.float32), mean

    centre, whole_mean = centred(statistic)
    outer_statistic = (
        known
        if known is not None and levels[at + 1].block is None
        else statistics(centre.reshape(grid.shape), grid, level)[1]
    )
    del centre  # as large as the statistics themselves
    outer_target = float(to * np.float32(level.target))
    outer = level_scaler(outer_statistic, levels, at + 1, outer_target, known)(outer_statistic)

    counts = statistic.shape

    def of_part(s: Float32, m: Float32, start: int) -> Scales:
        """Of consecutive blocks from `start` on, in row-major order; a short last flat block is apart, as in `nested`."""
        exact, stored, values = np.empty_like(s), np.empty_like(s), np.empty_like(s)
        centre = (s - whole_mean).astype(np.float32) if level.mean else s
        scale, short = outer.values.reshape(-1)[_owners(grid, counts, start, s.size)], _short(level)
        given = [a.reshape(1, 1, -1) for a in (centre, _full(m, s), scale, exact, stored, values)]
        whole = min(max(grid.shape[2] - grid.shape[2] % grid.columns - start, 0), s.size) if short else s.size
        for low, high, columns in ((0, whole, 1), (whole, s.size, s.size + 1)):
            c, by, g, *out = (a[:, :, low:high] for a in given)
            _store(c, by, to, g, 1, columns, arguments(level.rounding), _flags(level, short), *out)
        if level.mean:
            exact, values = (s / to * m).astype(np.float32), values + whole_mean / to
        return Scales(stored, outer, values, exact, whole_mean / to)

    def nested(s: Float32, m: Float32 = ONE, start: int | None = None) -> Scales:
        if start is not None:
            return of_part(s, m, start)
        centre, mean = centred(s)
        mean = mean / to
        exact, stored, values = np.empty_like(s), np.empty_like(s), np.empty_like(s)
        flags = _flags(level, _short(level))
        shape = grid.shape
        _store(
            centre.reshape(shape), _full(m, s).reshape(shape), to, outer.values, grid.rows, grid.columns, arguments(level.rounding), flags,
            exact.reshape(shape), stored.reshape(shape), values.reshape(shape),
        )  # fmt: skip
        if level.mean:
            exact, values = (s / to * m).astype(np.float32), values + mean
        return Scales(stored, outer, values, exact, mean)

    return nested


def _owners(grid: Grid, counts: tuple[int, ...], start: int, count: int) -> np.ndarray:
    """Which of the blocks of `grid`, a cut of an array of shape `counts`, each of `count` numbers from `start` on lies in."""
    at = np.arange(start, start + count)
    if grid.shape != counts:
        return at // grid.columns
    row, column = np.divmod(at, counts[2])
    matrix, row = np.divmod(row, counts[1])
    _, tall, wide = grid.counts
    owners: np.ndarray = (matrix * tall + row // grid.rows) * wide + column // grid.columns
    return owners


def _short(level: Level) -> bool:
    """Whether a short last block of the level is divided, where others are multiplied by a reciprocal."""
    return level.block is not None and level.block.kind == "flat" and level.reciprocal


def _flags(level: Level, short: bool = False) -> tuple[bool, np.float32, bool, bool, np.float32]:
    reciprocal = level.reciprocal and level.block is not None
    return level.clamp, np.float32(level.least), reciprocal, short, np.float32(level.scale_minimum)


def _full(m: Float32, s: Float32) -> Float32:
    full = np.empty(s.shape, np.float32)
    full[...] = m
    return full


@njit(**OPTIONS)
def _store(s, multipliers, target, outer, rows, columns, a, flags, exact, stored, values):  # type: ignore[no-untyped-def]
    clamp, least, reciprocal, short, minimum = flags
    divisor, scale = np.empty(s.shape[2], np.float32), np.empty(s.shape[2], np.float32)
    for m in range(s.shape[0]):
        for r in range(s.shape[1]):
            given, e, q, y = s[m, r], exact[m, r], stored[m, r], values[m, r]
            times = multipliers[m, r]
            spread(
                outer[m if outer.shape[0] > 1 else 0, r // rows if outer.shape[1] > 1 else 0],
                np.int64(0),
                s.shape[2],
                columns,
                scale,
            )
            for i in range(given.shape[0]):
                e[i] = given[i] / target * times[i]
            if reciprocal:
                whole = given.shape[0] - given.shape[0] % columns if short else given.shape[0]
                for i in range(given.shape[0]):
                    part = given[i] / target
                    inverse = np.float32(1) / (minimum if abs(scale[i]) < minimum else scale[i])
                    inverse = inverse if math.isfinite(inverse) else np.float32(0)
                    divided = part / (scale[i] if scale[i] != 0 else np.float32(np.inf))
                    divisor[i] = (part * inverse if i < whole else divided) * times[i]
            else:
                for i in range(given.shape[0]):
                    d = target * scale[i]
                    divisor[i] = given[i] / (d if d != np.float32(0) else np.float32(np.inf)) * times[i]
            round_all(divisor, a, q)
            if clamp:
                for i in range(given.shape[0]):
                    v = q[i] if q[i] > a.lowest else a.lowest
                    q[i] = v if v < a.highest else a.highest
            if least:
                for i in range(given.shape[0]):
                    signed = (
                        from_bits(bit_or(to_bits(least), bit_and(to_bits(given[i]), SIGN))) if a.lowest < 0 else least
                    )
                    q[i] = signed if (abs(q[i]) < least) & (given[i] != np.float32(0)) else q[i]
            for i in range(given.shape[0]):
                v = q[i] * scale[i]
                v = v if v > -LARGEST else -LARGEST
                y[i] = v if v < LARGEST else LARGEST


def _power_scales(statistic: Float32, plan: Plan) -> Scales:
    """Powers of two from the bits: the exponent, and one more where the significand reaches a cut."""
    values = np.empty_like(statistic)
    up, exponent = _cuts(plan)
    _powers(statistic.reshape(-1), up, exponent, values.reshape(-1))
    return Scales(values, None, values, values, np.float32(0))


@lru_cache(maxsize=256)
def _cuts(plan: Plan) -> tuple[np.ndarray, int]:
    """(for each exponent field, the least 23-bit significand that takes the next power; the exponent that stands for 1)."""
    level, rule, mode = plan.levels[0], plan.rule, plan.levels[1].rounding.mode
    assert rule is not None
    significand, exponent = math.frexp(level.target)
    fraction = int((significand * 2 - 1) * 2**23)
    kept = significant_bits(level.rounding) if rule.amax_bits is None else rule.amax_bits
    cut = {CEILING: fraction + 1, HALF: NEVER - 2 ** (22 - kept)}.get(mode, NEVER)
    cuts = np.full(256, cut, np.int32)
    if rule.log2 == "float32":
        for field in range(1, 255):
            cuts[field] = _rounded_log2_cut(field)
    return cuts, exponent - 1


def _rounded_log2_cut(field: int) -> int:
    """The least significand of a binade whose log2, rounded to float32, reaches the next integer."""
    base = np.float32(2.0 ** (field - 127)).view(np.int32)
    patterns = base + np.arange(NEVER - 4096, NEVER, dtype=np.int32)
    logs = np.log2(patterns.view(np.float32).astype(np.float64)).astype(np.float32)
    reached = np.flatnonzero(logs >= np.float32(field - 127 + 1))
    return NEVER - 4096 + int(reached[0]) if len(reached) else NEVER


@njit(**OPTIONS)
def _powers(s, cuts, one, out):  # type: ignore[no-untyped-def]
    same = True
    for i in range(cuts.shape[0]):
        same &= cuts[i] == cuts[0]
    if same:
        _powers_one_cut(s, cuts[0], np.int32(-one), out)
        return
    for i in range(s.shape[0]):
        x = s[i]
        offset = 0
        if x < SMALLEST_NORMAL:
            x *= np.float32(16777216.0)
            offset = 24
        pattern = to_bits(x)
        field = pattern >> 23
        k = field - 127 - offset - one + (1 if (pattern & 0x7FFFFF) >= cuts[field] else 0)
        if x == 0 or k < -127:
            k = -127
        k = min(k, 127)
        out[i] = from_bits(np.int32((k + 127) << 23)) if k > -127 else from_bits(HALF_POWER)


@njit(**OPTIONS)
def _powers_one_cut(s, cut, less, out):  # type: ignore[no-untyped-def]
    """The loop for rules whose cut is the same in every binade; statistics below the smallest normal are rare and done apart."""
    carry = np.int32(np.int32(0x00800000) - cut)
    subnormal = np.int32(0)
    for i in range(s.shape[0]):
        pattern = to_bits(s[i])
        subnormal = bit_or(subnormal, np.int32(1) if pattern < np.int32(0x00800000) else np.int32(0))
        field = add(shift_right(add(pattern, carry)), less)
        field = field if field < np.int32(254) else np.int32(254)
        out[i] = from_bits(shift_left(field)) if field > np.int32(0) else from_bits(HALF_POWER)
    if subnormal:
        for i in range(s.shape[0]):
            if s[i] < SMALLEST_NORMAL:
                pattern = to_bits(s[i] * np.float32(16777216.0))
                field = ((pattern + carry) >> 23) - 24 + less
                ok = s[i] > 0 and field > 0
                out[i] = from_bits(np.int32(min(field, 254) << 23)) if ok else from_bits(HALF_POWER)
