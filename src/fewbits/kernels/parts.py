"""The steps of `cpu` one by one, for tensors of which only a part is at hand: statistics, scales of all blocks, a part's errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from fewbits.block import Grid
from fewbits.kernels import fast, general, sums
from fewbits.kernels.cpu import (
    ERRORS,
    ONE,
    Scaled,
    fast_arguments,
    is_fast,
    offset_scaler,
    reconstruct,
    scaled_by,
    scales_by_multiplier,
)
from fewbits.kernels.lanes import LANES
from fewbits.kernels.scales import scaler
from fewbits.kernels.statistics import statistics
from fewbits.plan import Float32, Level, Plan

PartScales = Callable[[Grid, int], Callable[[Float32], Scaled]]
GRIDS = ("divisor", "factor", "scale", "shift", "offset", "zero_point")


def block_statistics(x: Float32, plan: Plan) -> tuple[Float32, Float32]:
    """(minimum, statistic) of the blocks of values of contiguous `x` (matrices, rows, columns)."""
    level = plan.levels[0]
    assert level.block is not None
    grid = level.block.grid(x.shape)
    return statistics(x.reshape(grid.shape), grid, level, plan.zero_point)


def tensor_statistics(x: Float32, level: Level, zero: bool) -> tuple[Float32, Float32]:
    """The same for `x` as one block."""
    grid = Grid((1, 1, x.size), 1, max(x.size, 1))
    return statistics(x.reshape(grid.shape), grid, level, zero)


def scales_of(grid: Grid, low: Float32, statistic: Float32, plan: Plan) -> Callable[[Float32], Scaled]:
    """A function from multipliers (one, or one per block) to the stored scales of all blocks of a tensor."""
    with np.errstate(all="ignore"):
        prepared = scales_by_multiplier(grid, low, statistic, plan, None)

    def scaled(multiplier: Float32 = ONE) -> Scaled:
        with np.errstate(all="ignore"):
            return prepared(multiplier)

    return scaled


def part_scales(low: Float32, statistic: Float32, plan: Plan) -> PartScales:
    """Scales of parts by the statistics of all blocks: `grid` cuts the part, whose first block is number `start`, row by row.

    Only outer scales are held. For plans of `scales_in_parts`.
    """
    with np.errstate(all="ignore"):
        to_scales, to_offsets = scaler(statistic, plan), offset_scaler(low, plan)

    def part(grid: Grid, start: int) -> Callable[[Float32], Scaled]:
        stop = start + math.prod(grid.counts)
        lows, found = (np.ascontiguousarray(a.reshape(-1)[start:stop]).reshape(grid.counts) for a in (low, statistic))
        return partial(scaled_by, to_scales, to_offsets, grid, lows, found, plan, start)

    return part


def scales_in_parts(plan: Plan) -> bool:
    """Whether scales of parts follow from outer scales: those of other rules are made all at once."""
    return plan.rule is not None and plan.rule.outer == "direct"


def part_of(scaled: Scaled, grid: Grid, start: int, axis: int) -> Scaled:
    """The blocks of a part of the tensor that is cut as `grid`, from row of blocks `start` on (axis 1), or block (axis 2)."""
    cut: dict[str, Any] = {}
    for name in GRIDS:
        whole = getattr(scaled.blocks, name)
        if whole.size > 1:
            cut[name] = np.ascontiguousarray(slice_of(whole, grid, start, axis))
    return replace(scaled, grid=grid, blocks=scaled.blocks._replace(**cut))


def slice_of(whole: np.ndarray, grid: Grid, start: int, axis: int) -> np.ndarray:
    """The numbers of the blocks of `grid` in an array of one number per block of the tensor; a view."""
    flat, stop = whole.reshape(1, -1, whole.shape[2]), start + grid.counts[axis]
    return flat[:, start:stop] if axis == 1 else flat[:, :, start:stop]


def block_errors(x: Float32, plan: Plan, scaled: Scaled) -> np.ndarray:
    """The error, as the rule measures it, of each block of `x`."""
    assert plan.rule is not None
    grid, y = scaled.grid, reconstruct(x, plan, scaled)
    error, scratch, kind = np.empty(grid.counts), np.empty(grid.rows * grid.columns), ERRORS[plan.rule.error]
    shape = grid.shape
    sums.block_errors(
        x.reshape(shape), y.reshape(shape), grid.rows, grid.columns, kind, scratch, np.empty(LANES), error
    )
    return error


def sum_errors(x: Float32, plan: Plan, scaled: Scaled) -> np.ndarray:
    """Error sums (7,) of contiguous `x`."""
    out, x = np.zeros((1, 1, 1, sums.ERRORS)), x.reshape(scaled.grid.shape)
    if is_fast(plan):
        fast.sum_errors(x, *fast_arguments(scaled.blocks), 0, 0, out)
    else:
        q, y = np.empty_like(x), np.empty_like(x)
        clipped = general.reconstruct(x, scaled.blocks, q, y)
        sums.sum_errors(x, y, clipped, 0, 0, out)
    total: np.ndarray = out[0, 0, 0]
    return total
