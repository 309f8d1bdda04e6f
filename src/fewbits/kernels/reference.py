"""The definition of every format, in readable numpy: slow, and what all other kernels must equal bit for bit.

Arrays are cut into blocks: (matrices, rows, columns) becomes (matrices, block rows, block columns, values of a block), short
blocks filled with NaN. NaN stands for "no number here" throughout: padding and non-finite input take part in nothing.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from fewbits.kernels import search_reference
from fewbits.kernels.blocks import ERRORS, cut, statistics, uncut
from fewbits.kernels.rounded import Rounded, Scales
from fewbits.kernels.rounding import round_to
from fewbits.kernels.searched import searched
from fewbits.plan import (
    CEILING,
    DOWN,
    HALF,
    Float32,
    Level,
    Plan,
    Rounding,
    significant_bits,
)

LARGEST = np.finfo(np.float32).max
ONE = np.ones((), np.float32)


class Scaler(Protocol):
    """Stored scales of statistics, times multipliers (one, or one per block) before they are stored; with `start`, of a part alone."""

    def __call__(self, s: Float32, m: Float32 = ONE, start: int | None = None) -> Scales: ...


def quantize(x: Float32, plan: Plan) -> Float32:
    """The reconstruction of `x` of shape (matrices, rows, columns); NaN and infinities pass through."""
    return encode(x, plan).values


def encode(x: Float32, plan: Plan) -> Rounded:
    """Elements, scales, offsets and reconstruction of `x`; NaN and infinities take part in nothing and pass through."""
    finite = np.isfinite(x)
    r = _encode(np.where(finite, x, np.float32(np.nan)), plan)
    return Rounded(np.where(finite, r.elements, x), r.scales, r.offsets, r.zero_points, np.where(finite, r.values, x))


def _encode(x: Float32, plan: Plan) -> Rounded:
    with np.errstate(all="ignore"):
        if not plan.scaled:
            elements = round_to(x, plan.levels[0].rounding)
            return Rounded(elements, None, None, None, elements)
        level = plan.levels[0]
        assert level.block is not None
        if plan.rule is not None and plan.rule.search:
            return searched(x, plan, search_reference)
        grid = level.block.grid(x.shape)
        rounded = _best(cut(x.reshape(grid.shape), grid), plan)
        shape = x.shape
        return Rounded(
            uncut(rounded.elements, grid).reshape(shape), rounded.scales, rounded.offsets, rounded.zero_points,
            uncut(rounded.values, grid).reshape(shape),
        )  # fmt: skip


def _best(blocks: Float32, plan: Plan) -> Rounded:
    """Blocks rounded with the rule's scale, or with the best of its candidates: least error, ties to the first."""
    level, rule = plan.levels[0], plan.rule
    assert rule is not None
    lows, statistic = statistics(blocks, level, zero=plan.zero_point)
    offsets = _offsets(lows, plan)
    to_scales = scaler(statistic, plan)
    if not len(plan.multipliers):
        return _apply(blocks, to_scales(statistic), lows, offsets, plan)
    tried = [_apply(blocks, to_scales(statistic, m), lows, offsets, plan) for m in plan.multipliers]
    errors = np.stack([ERRORS[rule.error](blocks, t.values) for t in tried])
    choice = np.argmin(errors, axis=0)
    # the chosen multipliers decide every array at once, so that scales of scales stay consistent
    return _apply(blocks, to_scales(statistic, plan.multipliers[choice]), lows, offsets, plan)


def _apply(blocks: Float32, scales: Scales, lows: Float32, offsets: Scales | None, plan: Plan) -> Rounded:
    level, rule = plan.levels[0], plan.rule
    assert rule is not None
    s = (scales.exact if plan.exact else scales.values)[..., None]
    if plan.zero_point:
        e = level.rounding
        z = np.clip(
            np.rint(np.float32(e.lowest) - divide(lows, scales.values)), np.float32(e.lowest), np.float32(e.highest)
        )
        z = np.where(scales.values == 0, np.float32(max(e.lowest, 0)), z).astype(np.float32)[..., None]
        v = _divided(blocks, s, level, short=_short(blocks, level))
        whole = np.rint(v) + z if rule.zero_point == "after" else np.rint(v + z)
        q = np.clip(whole, np.float32(e.lowest), np.float32(e.highest)) + np.float32(0)
        return Rounded(q, scales, None, z[..., 0], (q - z) * scales.values[..., None])
    shifted = blocks
    if offsets is not None:
        stored = offsets.values[..., None]
        shifted = np.clip(blocks - lows[..., None] if plan.exact else blocks + stored, -LARGEST, LARGEST)
    v = (
        _divided(shifted, s, level, _short(blocks, level))
        if scales.factors is None
        else shifted * scales.factors[..., None]
    )
    if rule.align:
        v = _aligned(v, blocks, level.rounding)
    q = round_to(v, level.rounding)
    y = q * scales.values[..., None]
    if offsets is not None:
        y = y - stored
    return Rounded(q, scales, offsets, None, y)


def divide(x: Float32, s: Float32) -> Float32:
    """x / s in float32, zero (of the sign of x) where s is zero."""
    return (x / np.where(s == 0, np.float32(np.inf), s)).astype(np.float32)


def _divided(x: Float32, s: Float32, level: Level, short: np.ndarray | None) -> Float32:
    if not level.reciprocal:
        return divide(x, s)
    inverse = np.float32(1) / at_least(s, level.scale_minimum)
    inverse = np.where(np.isfinite(inverse), inverse, np.float32(0)).astype(np.float32)
    product = x * inverse
    return product if short is None else np.where(short, divide(x, s), product)


def at_least(s: Float32, minimum: float) -> Float32:
    """Scales to take the reciprocal of: `minimum` in the place of smaller magnitudes; signs stay."""
    return np.where(np.abs(s) < np.float32(minimum), np.float32(minimum), s)


def _short(blocks: Float32, level: Level) -> np.ndarray | None:
    """The last block of a flat cut, where it is short: it is divided, not multiplied."""
    if level.block is None or level.block.kind != "flat" or not level.reciprocal:
        return None
    return np.isnan(blocks[..., -1:])


def _aligned(v: Float32, blocks: Float32, r: Rounding) -> Float32:
    """Magnitudes truncated to the 24-bit window under the shared exponent; float32 subnormals are zero."""
    window = np.float32(2.0 ** (24 - r.element.bits + 1))
    truncated = np.trunc(v * window) / window
    return np.where(np.abs(blocks) < np.float32(2.0**-126), np.float32(0), truncated).astype(np.float32)


def scaler(statistic: Float32, plan: Plan, known: Float32 | None = None) -> Scaler:
    """A function from statistics to stored scales; outer scales are fixed by `statistic`, whatever candidate is tried.

    `known` is the statistic of the outermost blocks, where they span more than is at hand (a scale of the whole tensor).
    """
    if plan.power:
        return lambda s, m=ONE, start=None: _power_scales(s, plan)
    return level_scaler(statistic, plan.levels, 1, plan.levels[0].target, known=known)


def level_scaler(
    statistic: Float32,
    levels: tuple[Level, ...],
    at: int,
    target: float,
    inverted: bool = False,
    known: Float32 | None = None,
) -> Scaler:
    """Scales of level `at` for statistics that map to `target` there: stored = round(statistic / (target · outer scale) · multiplier).

    Two other ways for an outer scale g to enter: separate, stored = round(((statistic / target) / g) · multiplier), values times
    (1 / g) / stored; inverted, G = target / statistic of the outermost level, g = 1 / G,
    stored = round((statistic / target) · G · multiplier), and without an outer scale values times G.
    """
    level = levels[at]
    if level.block is None:
        inverted = inverted or level.outer == "inverted"

        def bare(s: Float32, m: Float32 = ONE, start: int | None = None) -> Scales:
            inverse = _inverse(s, target)
            exact = (np.float32(1) / inverse if inverted else s / np.float32(target)) * m
            stored = store(exact, level, s)
            return Scales(
                stored, None, stored, exact, np.float32(0), np.minimum(inverse / m, LARGEST) if inverted else None
            )

        return bare
    grid = level.block.grid(statistic.shape)

    def centred(s: Float32) -> tuple[Float32, np.float32]:
        if not level.mean:
            return s, np.float32(0)
        mean = np.float32(s.mean(dtype=np.float64)) if s.size else np.float32(0)
        return (s - mean).astype(np.float32), mean

    found = statistics(cut(centred(statistic)[0].reshape(grid.shape), grid), level)[1]
    outer_statistic = known if known is not None and levels[at + 1].block is None else found
    outer_target = float(np.float32(target) * np.float32(level.target))
    outer = level_scaler(outer_statistic, levels, at + 1, outer_target, level.outer == "inverted", known)(
        outer_statistic
    )
    g = outer.values[..., None]

    def nested(s: Float32, m: Float32 = ONE, start: int | None = None) -> Scales:
        assert start is None, "scales of a part: see `scales.level_scaler`"
        c, mean = centred(s)
        mean = mean / np.float32(target)
        blocks = cut(c.reshape(grid.shape), grid)
        exact = blocks / np.float32(target)
        if level.outer == "inverted":
            v = exact * _inverse(outer_statistic, outer_target)[..., None]
        elif level.outer == "separate":
            v = divide(exact, g)
        elif level.reciprocal:
            v = _divided(exact, g, level, _short(blocks, level))
        else:
            v = divide(blocks, np.float32(target) * g)
        stored = store(v * cut(np.broadcast_to(m, s.shape).reshape(grid.shape), grid), level, blocks)
        values = np.clip(stored * g, -LARGEST, LARGEST).astype(np.float32)
        factors = np.minimum(divide(divide(ONE, g), stored), LARGEST) if level.outer == "separate" else None

        def back(b: Float32) -> Float32:
            return uncut(b, grid).reshape(s.shape)

        return Scales(
            back(stored), outer, back(values) + mean if level.mean else back(values), s / np.float32(target) * m, mean,
            None if factors is None else back(factors),
        )  # fmt: skip

    return nested


def _inverse(statistic: Float32, target: float) -> Float32:
    """target / statistic, kept finite."""
    inverse: Float32 = np.minimum(np.float32(target) / statistic, LARGEST)
    return inverse


def store(v: Float32, level: Level, original: Float32) -> Float32:
    """Scales rounded to their element; kept finite and, where the rule says so, off zero for non-zero blocks."""
    r = level.rounding
    stored = round_to(v, r)
    if level.clamp:
        stored = np.clip(stored, np.float32(r.lowest), np.float32(r.highest))
    if level.least:
        least = np.copysign(np.float32(level.least), original) if r.lowest < 0 else np.float32(level.least)
        stored = np.where((original != 0) & (np.abs(stored) < np.float32(level.least)), least, stored)
    return np.where(np.isnan(v), np.float32(np.nan), stored).astype(np.float32)


def _power_scales(statistic: Float32, plan: Plan) -> Scales:
    """Powers of two found from exponent and significand, exactly: floor, ceil, rceil and even differ in the significand that rounds up."""
    level, scale, rule = plan.levels[0], plan.levels[1].rounding, plan.rule
    assert rule is not None
    s = statistic.astype(np.float64)
    significand, exponent = np.frexp(np.where(s == 0, 1, s))
    significand, exponent = significand * 2, exponent - 1
    target_significand, target_exponent = math.frexp(level.target)[0] * 2, math.frexp(level.target)[1] - 1
    kept = significant_bits(level.rounding) if rule.amax_bits is None else rule.amax_bits
    if rule.log2 == "float32":
        exponent = np.floor(np.log2(np.where(s == 0, 1, s)).astype(np.float32)).astype(np.int64)
    steps = {
        DOWN: -(significand < target_significand).astype(np.int64) if rule.log2 == "exact" else 0,
        CEILING: (significand > target_significand).astype(np.int64),
        HALF: (significand >= 2 - 2.0 ** -(kept + 1)).astype(np.int64),
    }
    k = exponent - target_exponent + steps[scale.mode]
    values = np.ldexp(1.0, np.clip(np.where(s == 0, -127, k), -127, 127)).astype(np.float32)
    return Scales(values, None, values, values, np.float32(0))


def _offsets(lows: Float32, plan: Plan) -> Scales | None:
    """Stored minima: of their negatives where the rule subtracts, like the scale where no element is named."""
    if not plan.offset:
        return None
    assert plan.rule is not None
    level = plan.offset[0]
    wanted = -lows
    wanted = np.where(np.isnan(wanted), np.float32(0), wanted).astype(np.float32) + np.float32(0)
    if level.rounding.lowest >= 0:
        wanted = np.maximum(wanted, np.float32(0))
    return level_scaler(np.abs(wanted) if level.block else wanted, plan.offset, 0, 1.0)(wanted)
