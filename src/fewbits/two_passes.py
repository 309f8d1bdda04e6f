"""Formats whose scales of scales span a whole tensor, on tensors too large to hold: statistics of all blocks first, then the values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewbits.block import Shape
from fewbits.kernels import cpu
from fewbits.kernels.general import Blocks
from fewbits.plan import Float32, Plan
from fewbits.slabs import cut_blocks, slabs

__all__ = ["error_sums", "fits"]

Read = Callable[[int, int], Float32]
GRIDS = ("divisor", "factor", "scale", "shift", "offset", "zero_point")


def fits(plan: Plan, shape: Shape) -> bool:
    """Whether blocks of values lie inside slabs, so that only their scales need the whole tensor."""
    f, rule = plan.format, plan.rule
    plain = not (f.mean or f.hadamard or f.outliers or len(plan.multipliers) or (rule is not None and rule.search))
    return plan.scaled and plain and not cut_blocks(plan, shape).whole


def error_sums(read: Read, shape: Shape, plan: Plan, pool: ThreadPoolExecutor) -> list[NDArray[np.float64]]:
    """Error sums of each slab of a tensor, of which `read` gives rows; statistics and scales of all its blocks are held."""
    how, block = cut_blocks(plan, shape), plan.levels[0].block
    assert block is not None
    grid, axis = block.grid(shape), 2 if block.kind == "flat" else 1
    spans = list(slabs(shape, how))
    found = list(pool.map(lambda span: cpu.block_statistics(read(*span)[None], plan), spans))
    low, statistic = (np.concatenate([f[k] for f in found], axis=axis).reshape(grid.counts) for k in (0, 1))
    blocks = cpu.scale_statistics(grid, low, statistic, plan).blocks

    def one(task: tuple[tuple[int, int], Blocks]) -> NDArray[np.float64]:
        span, part = task
        x = np.ascontiguousarray(read(*span))[None]
        return cpu.sum_scaled_errors(x.reshape(block.grid(x.shape).shape), plan, part)

    return list(pool.map(one, zip(spans, _parts(blocks, [f[1].shape[axis] for f in found], axis), strict=True)))


def _parts(blocks: Blocks, counts: Sequence[int], axis: int) -> Iterator[Blocks]:
    """The blocks of each slab: so many rows of them, or so many of a flat cut."""
    start = 0
    for count in counts:
        cut: dict[str, Any] = {}
        for name in GRIDS:
            grid = getattr(blocks, name)
            if grid.size > 1:
                flat = grid.reshape(1, -1, grid.shape[2])
                part = flat[:, start : start + count] if axis == 1 else flat[:, :, start : start + count]
                cut[name] = np.ascontiguousarray(part)
        yield blocks._replace(**cut)
        start += count
