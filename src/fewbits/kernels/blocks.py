"""Blocks in numpy: cutting arrays into them, their statistics, their errors. Part of the definition, see `reference`."""

from __future__ import annotations

import math

import numpy as np

from fewbits.block import Grid
from fewbits.plan import Float32, Level

LANES = 16
SEGMENT = 4096


def cut(x: Float32, grid: Grid) -> Float32:
    """(matrices, rows, columns) → (matrices, block rows, block columns, rows · columns of a block), NaN where a block is short."""
    m, gr, gc = grid.counts
    full = np.full((m, gr * grid.rows, gc * grid.columns), np.nan, np.float32)
    full[:, : x.shape[1], : x.shape[2]] = x
    return (
        full.reshape(m, gr, grid.rows, gc, grid.columns)
        .transpose(0, 1, 3, 2, 4)
        .reshape(m, gr, gc, grid.rows * grid.columns)
    )


def uncut(blocks: Float32, grid: Grid) -> Float32:
    """The inverse of `cut`."""
    m, gr, gc = grid.counts
    full = blocks.reshape(m, gr, gc, grid.rows, grid.columns).transpose(0, 1, 3, 2, 4)
    return np.ascontiguousarray(full.reshape(m, gr * grid.rows, gc * grid.columns)[:, : grid.shape[1], : grid.shape[2]])


def statistics(blocks: Float32, level: Level, zero: bool = False) -> tuple[Float32, Float32]:
    """(minimum, statistic) of each block over the numbers there are; zeros for a block without any. `zero`: the range includes 0."""
    missing = np.isnan(blocks)
    magnitude = np.abs(np.where(missing, np.float32(0), blocks))
    amax = magnitude.max(axis=-1)
    none = np.zeros_like(amax)
    if level.statistic == "amax":
        return none, amax
    if level.statistic == "signed":
        first = np.argmax(magnitude, axis=-1)[..., None]
        return none, np.take_along_axis(np.where(missing, np.float32(0), blocks), first, axis=-1)[..., 0] + np.float32(
            0
        )
    if level.statistic in ("range", "sides"):
        empty = missing.all(axis=-1)
        low = np.where(empty, np.float32(0), np.where(missing, np.float32(np.inf), blocks).min(axis=-1)) + np.float32(0)
        high = np.where(empty, np.float32(0), np.where(missing, np.float32(-np.inf), blocks).max(axis=-1))
        if level.statistic == "sides":
            r = level.rounding
            above = np.maximum(high, np.float32(0)) / np.float32(r.highest or np.inf)
            below = np.minimum(low, np.float32(0)) / np.float32(r.lowest or -np.inf)
            return none, np.maximum(above, below).astype(np.float32)
        low, high = (np.minimum(low, np.float32(0)), np.maximum(high, np.float32(0))) if zero else (low, high)
        return low, np.minimum(high - low, np.finfo(np.float32).max) + np.float32(0)
    counts = (~missing).sum(axis=-1)
    if level.statistic == "rms":
        squares = lane_sum(np.where(missing, 0, blocks).astype(np.float64) ** 2)
        return none, np.minimum(
            float(level.parameter) * np.sqrt(squares / np.maximum(counts, 1)), np.finfo(np.float32).max
        ).astype(np.float32)
    ranked = np.sort(np.where(missing, np.float32(np.inf), magnitude), axis=-1)
    p = level.parameter
    index = np.array(
        [
            [max(math.ceil(int(n) * p / 100) - 1, 0) for n in row]
            for row in counts.reshape(-1, max(counts.shape[-1], 1))
        ],
        np.int64,
    )
    picked = np.take_along_axis(ranked, index.reshape(counts.shape)[..., None], axis=-1)[..., 0]
    return none, np.where(counts == 0, np.float32(0), picked).astype(np.float32)


def lane_sum(v: np.ndarray) -> np.ndarray:
    """Sum of float64 over the last axis in the contract's order: segments of 4096, in each 16 lanes, lanes added pairwise."""
    length = v.shape[-1]
    total = np.zeros(v.shape[:-1])
    for start in range(0, length, SEGMENT):
        part = v[..., start : start + SEGMENT]
        padded = np.zeros((*v.shape[:-1], -(-part.shape[-1] // LANES) * LANES))
        padded[..., : part.shape[-1]] = part
        lanes = np.zeros((*v.shape[:-1], LANES))
        for i in range(0, padded.shape[-1], LANES):
            lanes = lanes + padded[..., i : i + LANES]
        while lanes.shape[-1] > 1:
            half = lanes.shape[-1] // 2
            lanes = lanes[..., :half] + lanes[..., half:]
        total = total + lanes[..., 0]
    return total


def squared_error(x: Float32, y: Float32) -> np.ndarray:
    """Σ (y − x)² of each block: float32 differences, squared and added in float64."""
    e = (y - x).astype(np.float64)
    return lane_sum(np.where(np.isnan(e), 0, e) ** 2)


def absolute_error(x: Float32, y: Float32) -> np.ndarray:
    """Σ |y − x| of each block: float32 differences, added in float64."""
    e = (y - x).astype(np.float64)
    return lane_sum(np.where(np.isnan(e), 0, np.abs(e)))


def largest_error(x: Float32, y: Float32) -> np.ndarray:
    """max |y − x| of each block: float32 differences."""
    e = np.abs(y - x)
    largest: np.ndarray = np.where(np.isnan(e), 0, e).max(axis=-1).astype(np.float64)
    return largest


ERRORS = {"squared": squared_error, "absolute": absolute_error, "largest": largest_error}
