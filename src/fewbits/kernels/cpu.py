"""The CPU backend: plans applied to (matrices, rows, columns) float32 arrays by compiled kernels; bit-equal to `reference`.

Kernels release the GIL; callers run slabs side by side. Infinities and NaN take part in no statistic and no sum, and pass through.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from fewbits.block import Grid
from fewbits.kernels import fast, general, search, sums
from fewbits.kernels.arithmetic import arguments
from fewbits.kernels.general import Blocks
from fewbits.kernels.lanes import LANES
from fewbits.kernels.reference import Scaler, at_least
from fewbits.kernels.rounded import Rounded, Scales
from fewbits.kernels.scales import level_scaler, scaler
from fewbits.kernels.searched import searched
from fewbits.kernels.statistics import statistics
from fewbits.plan import BINADE, EVEN, Float32, Plan

ONE = np.ones((1, 1, 1), np.float32)
ERRORS = {"squared": sums.SQUARED, "absolute": sums.ABSOLUTE, "largest": sums.LARGEST}
NOTHING = np.full((1, 1, 1), -0.0, np.float32)  # x + (−0) is x, whatever its sign


@dataclass(frozen=True)
class Scaled:
    """Blocks with their stored scales, ready for the loops over values."""

    grid: Grid
    blocks: Blocks
    scales: Scales
    offsets: Scales | None
    zero_points: Float32 | None


def quantize(x: Float32, plan: Plan, known: Float32 | None = None) -> Float32:
    """The reconstruction of `x` (matrices, rows, columns); `known` as in `scales.scaler`. Non-finite values pass through."""
    x = np.ascontiguousarray(x, np.float32)
    if not is_fast(plan):
        return encode(x, plan, known).values
    return reconstruct(x, plan, scale(x, plan, known))


def reconstruct(x: Float32, plan: Plan, scaled: Scaled) -> Float32:
    """The reconstruction of contiguous `x` with scales that are already there."""
    y, shape = np.empty_like(x), scaled.grid.shape
    if is_fast(plan):
        fast.reconstruct(x.reshape(shape), *fast_arguments(scaled.blocks), y.reshape(shape))
    else:
        general.reconstruct(x.reshape(shape), scaled.blocks, np.empty(shape, np.float32), y.reshape(shape))
    return y


def encode(x: Float32, plan: Plan, known: Float32 | None = None) -> Rounded:
    """Elements, scales, offsets and reconstruction of `x`."""
    return _encode(np.ascontiguousarray(x, np.float32), plan, known)[0]


def sum_errors(x: Float32, plan: Plan, known: Float32 | None = None, group: tuple[int, int] = (0, 0)) -> np.ndarray:
    """Error sums of `x`: (matrices, row groups, column groups, 7) for groups of (rows, columns), (1, 1, 1, 7) for (0, 0)."""
    x = np.ascontiguousarray(x, np.float32)
    matrices, rows, columns = x.shape
    tall, wide = group[0] or max(rows, 1), group[1] or max(columns, 1)
    out = np.zeros((matrices if group[0] else 1, max(-(-rows // tall), 1), max(-(-columns // wide), 1), sums.ERRORS))
    if not x.size:
        return out
    if not plan.scaled:
        fast.sum_unscaled_errors(x, arguments(plan.levels[0].rounding), *group, out)
        return out
    if is_fast(plan):
        scaled = scale(x, plan, known)
        if scaled.grid.shape == x.shape or group == (0, 0):
            fast.sum_errors(x.reshape(scaled.grid.shape), *fast_arguments(scaled.blocks), *group, out)
            return out
    rounded, clipped = _encode(x, plan, known)
    sums.sum_errors(x, rounded.values, clipped, *group, out)
    return out


def sum_signal(x: Float32) -> np.ndarray:
    """Sums of `x`: count, Σx, Σx², Σ|x|, max|x|, minimum, maximum, NaNs, infinities, zeros."""
    out = np.zeros(sums.SIGNALS)
    out[5:7] = np.inf, -np.inf
    sums.sum_signal(np.ascontiguousarray(x, np.float32).reshape(-1), out)
    return out


def is_fast(plan: Plan) -> bool:
    """Whether the loops of `fast` do: binade elements, ties to even, values divided by the stored scale."""
    level, rule = plan.levels[0], plan.rule
    if (
        not plan.scaled
        or rule is None
        or rule.search
        or rule.outer != "direct"
        or plan.exact
        or plan.offset
        or plan.zero_point
        or level.reciprocal
    ):
        return False
    element = arguments(level.rounding)
    return element.form == BINADE and element.mode == EVEN


def fast_arguments(b: Blocks) -> tuple[object, ...]:
    """What the loops of `fast` take beside x."""
    e = b.element
    return b.divisor, b.rows, b.columns, (e.lowest, e.highest, e.least_exponent, e.shift, e.zero), b.window


def _encode(x: Float32, plan: Plan, known: Float32 | None) -> tuple[Rounded, float]:
    """(what `encode` returns, number of clipped values)."""
    y, q = np.empty_like(x), np.empty_like(x)
    if not plan.scaled:
        clipped = general.round_flat(x.reshape(-1), arguments(plan.levels[0].rounding), y.reshape(-1))
        return Rounded(y, None, None, None, y), clipped
    if plan.rule is not None and plan.rule.search:
        with np.errstate(all="ignore"):
            return searched(x, plan, search), 0.0
    scaled = scale(x, plan, known)
    shape = scaled.grid.shape
    clipped = general.reconstruct(x.reshape(shape), scaled.blocks, q.reshape(shape), y.reshape(shape))
    return Rounded(q, scaled.scales, scaled.offsets, scaled.zero_points, y), clipped


def scale(x: Float32, plan: Plan, known: Float32 | None = None) -> Scaled:
    """Statistics and stored scales of the blocks of `x`; for rules with candidates, of the best of them."""
    with np.errstate(all="ignore"):
        return _scale(x, plan, known)


def _scale(x: Float32, plan: Plan, known: Float32 | None) -> Scaled:
    level = plan.levels[0]
    assert level.block is not None
    grid = level.block.grid(x.shape)
    x = x.reshape(grid.shape)
    low, statistic = (
        (np.zeros_like(known), known)
        if known is not None and len(plan.levels) == 2
        else statistics(x, grid, level, plan.zero_point)
    )
    prepared = scales_by_multiplier(grid, low, statistic, plan, known)
    if not len(plan.multipliers):
        return prepared(ONE)
    return prepared(best_multipliers(x, plan, prepared, grid))


def scales_by_multiplier(
    grid: Grid, low: Float32, statistic: Float32, plan: Plan, known: Float32 | None
) -> Callable[[Float32], Scaled]:
    """A function from multipliers (one, or one per block) to the stored scales of blocks with these statistics."""
    return partial(
        scaled_by, scaler(statistic, plan, known), offset_scaler(low, plan), grid, low, statistic, plan, None
    )


def scaled_by(
    to_scales: Scaler,
    to_offsets: Scaler | None,
    grid: Grid,
    low: Float32,
    statistic: Float32,
    plan: Plan,
    start: int | None,
    multiplier: Float32,
) -> Scaled:
    """Blocks with the scales of `multiplier`; with `start`, those of a part of the tensor."""
    scales = to_scales(statistic, multiplier, start)
    offsets = to_offsets(_wanted_offsets(low, plan), ONE, start) if to_offsets is not None else None
    zero_points = _zero_points(low, scales, plan) if plan.zero_point else None
    return Scaled(grid, _blocks(grid, plan, scales, low, offsets, zero_points), scales, offsets, zero_points)


def best_multipliers(x: Float32, plan: Plan, prepared: Callable[[Float32], Scaled], grid: Grid) -> Float32:
    """The multiplier of each block's scale with the least error; ties to the first."""
    y, error = np.empty_like(x), np.empty(grid.counts)
    best, choice = np.full(grid.counts, np.inf), np.zeros(grid.counts, np.float32)
    choice[...] = plan.multipliers[0]
    assert plan.rule is not None
    scratch, lanes = np.empty(grid.rows * grid.columns), np.empty(LANES)
    for multiplier in plan.multipliers:
        blocks = prepared(multiplier).blocks
        if is_fast(plan):
            fast.reconstruct(x, *fast_arguments(blocks), y)
        else:
            general.reconstruct(x, blocks, np.empty_like(x), y)
        sums.block_errors(x, y, grid.rows, grid.columns, ERRORS[plan.rule.error], scratch, lanes, error)
        better = error < best
        best, choice = np.where(better, error, best), np.where(better, multiplier, choice)
    return choice


def _blocks(
    grid: Grid, plan: Plan, scales: Scales, low: Float32, offsets: Scales | None, zero_points: Float32 | None
) -> Blocks:
    level, rule = plan.levels[0], plan.rule
    assert rule is not None
    element = arguments(level.rounding)
    divisor = scales.exact if plan.exact else scales.values
    factor, divisor = _reciprocals(grid, plan, divisor) if level.reciprocal else (ONE, _divisors(divisor))
    if scales.factors is not None:
        factor, divisor = scales.factors, ONE
    shift = offset = NOTHING
    if offsets is not None:
        offset = -offsets.values
        shift = -low if plan.exact else -offset
    window = np.float32(2.0 ** (24 - level.rounding.element.bits + 1)) if rule.align else np.float32(0)
    return Blocks(
        grid.rows, grid.columns, divisor, factor, scales.values, shift, offset, NOTHING if zero_points is None else zero_points,
        plan.zero_point, rule.zero_point == "before", window, element,
    )  # fmt: skip


def _divisors(s: Float32) -> Float32:
    """Scales to divide by: infinity, of the sign of the scale, for zero."""
    flat: Float32 = fast.divisors(np.ascontiguousarray(s).reshape(-1))
    return flat.reshape(s.shape)


def _reciprocals(grid: Grid, plan: Plan, s: Float32) -> tuple[Float32, Float32]:
    """(factor, divisor): the float32 reciprocal and 1; for a short last flat block 1 and the scale."""
    level = plan.levels[0]
    with np.errstate(all="ignore"):
        inverse = np.float32(1) / at_least(s, level.scale_minimum)
    factor = np.where(np.isfinite(inverse), inverse, np.float32(0)).astype(np.float32)
    divisor = np.ones_like(factor)
    if level.block is not None and level.block.kind == "flat" and grid.shape[2] % grid.columns:
        factor[..., -1], divisor[..., -1] = 1, _divisors(s[..., -1])
    return factor, divisor


def _zero_points(low: Float32, scales: Scales, plan: Plan) -> Float32:
    e = plan.levels[0].rounding
    z = np.rint(np.float32(e.lowest) - low / _divisors(scales.values))
    z = np.clip(z, np.float32(e.lowest), np.float32(e.highest))
    return np.where(scales.values == 0, np.float32(max(e.lowest, 0)), z).astype(np.float32)


def offset_scaler(low: Float32, plan: Plan) -> Scaler | None:
    """A function from minima wanted to minima stored; outer scales are fixed by `low`."""
    if not plan.offset:
        return None
    wanted = _wanted_offsets(low, plan)
    return level_scaler(np.abs(wanted) if plan.offset[0].block else wanted, plan.offset, 0, 1.0)


def _wanted_offsets(low: Float32, plan: Plan) -> Float32:
    wanted = -low + np.float32(0)
    return np.maximum(wanted, np.float32(0)) if plan.offset[0].rounding.lowest >= 0 else wanted
