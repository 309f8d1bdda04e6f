"""Slabs: the row ranges in which a tensor is read and measured, fixed by shape and format alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fewbits.block import Shape, as_matrices
from fewbits.plan import Plan

__all__ = ["SLAB", "Cut", "cut", "cut_blocks", "needs_amax", "slabs"]

SLAB = 1 << 18  # values of a slab, about: with what is made of them they fit the second-level cache

Rows = tuple[int, int]


@dataclass(frozen=True)
class Cut:
    """Slabs start at multiples of `rows`; `alone`: none crosses from one matrix into the next; `whole`: there is only one."""

    rows: int = 1
    alone: bool = False
    whole: bool = False


WHOLE = Cut(whole=True)


def cut(plan: Plan, shape: Shape) -> Cut:
    """The slabs that hold every block, and every block of scales, whole; a scale of the whole tensor is known beforehand."""
    f = plan.format
    _, rows, columns = as_matrices(shape)
    height, entries, flat = (
        1,
        columns,
        0,
    )  # rows per row of the level's array, its columns, values per block once it is flat
    if f.mean or ((f.hadamard or f.outliers) and needs_amax(plan)):  # the largest magnitude is not that of x
        return WHOLE
    searched = plan.rule is not None and bool(plan.rule.search)  # takes no mean off its scales
    for at, level in enumerate(plan.levels):
        block = level.block
        if block is None:
            break
        if (level.mean and not searched) or (block.kind == "tensor" and not _follows_from_amax(plan, at)):
            return WHOLE
        if block.kind == "tensor":
            break
        if block.kind == "flat" or flat:
            if height > 1 or (block.kind == "grid" and (block.rows != 1 or not block.columns)):
                return WHOLE
            flat = (flat or 1) * block.columns
            continue
        height = height * block.rows if block.rows and height else 0
        entries = -(-entries // block.columns) if block.columns else 1
    if flat:
        return Cut(flat // math.gcd(flat, max(entries, 1)))
    return Cut(height or max(rows, 1), alone=height != 1)


def cut_blocks(plan: Plan, shape: Shape) -> Cut:
    """The slabs that hold every block of values whole, whatever their scales need; for one block in all, any rows."""
    _, rows, columns = as_matrices(shape)
    block = plan.levels[0].block
    if block is None or block.kind == "tensor":
        return Cut()
    if block.kind == "flat":
        return Cut(block.columns // math.gcd(block.columns, max(columns, 1)))
    return Cut(block.rows or max(rows, 1), alone=block.rows != 1)


def needs_amax(plan: Plan) -> bool:
    """Whether a scale of the whole tensor is to be known before its slabs are rounded."""
    return any(level.block is not None and level.block.kind == "tensor" for level in plan.levels)


def slabs(shape: Shape, cut: Cut, ranges: Sequence[Rows] | None = None, size: int | None = None) -> Iterator[Rows]:
    """Row ranges, of about `size` values (`SLAB`), of a tensor of `shape` as (rows, columns): over all its rows, or over `ranges`."""
    matrices, rows, columns = as_matrices(shape)
    total = matrices * rows
    step = max(total, 1) if cut.whole else cut.rows * max((size or SLAB) // max(cut.rows * columns, 1), 1)
    spans = [(m * rows, (m + 1) * rows) for m in range(matrices)] if cut.alone else [(0, total)]
    for first, last in spans:
        for low, high in ranges if ranges is not None else [(first, last)]:
            low, high = max(low, first), min(high, last)
            yield from ((start, min(start + step, high)) for start in range(low, high, step))


def _follows_from_amax(plan: Plan, at: int) -> bool:
    """Whether the scale of level `at`, one for the whole tensor, follows from the tensor's largest magnitude."""
    amax = all(level.statistic == "amax" for level in plan.levels[: at + 1])
    return amax and plan.levels[at + 1].block is None and not (at == 0 and len(plan.multipliers))
