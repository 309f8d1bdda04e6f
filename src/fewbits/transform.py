"""What options do around the rounding of blocks: mean, Hadamard rotation, outliers. Arrays are (matrices, rows, columns) float32."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fewbits.block import Grid
from fewbits.formats import Outliers

__all__ = ["LARGEST", "finite_mean", "hadamard", "outlier_mask"]

Float32 = NDArray[np.float32]

LARGEST = np.finfo(np.float32).max


def finite_mean(x: Float32) -> np.float32:
    """Mean of the finite values: float64 sum, rounded once to float32; 0 where there are none."""
    finite = np.isfinite(x)
    count = np.count_nonzero(finite)
    return np.float32(np.where(finite, x, 0).sum(dtype=np.float64) / count) if count else np.float32(0)


def hadamard(x: Float32, size: int) -> Float32:
    """Rotate runs of `size` columns by the orthonormal Walsh–Hadamard matrix, its own inverse; a short last run stays as it is.

    float32 butterflies over distances 1, 2, 4 …, then one multiplication by 1 / √size rounded to float32; runs whose sums could
    leave float32 are divided by `size` before and multiplied by it after. Saturates.
    """
    whole = x.shape[-1] - x.shape[-1] % size
    runs: Float32 = x[..., :whole].reshape(-1, size)
    big = np.abs(runs).max(axis=1, keepdims=True) > LARGEST / np.float32(size)
    factor = np.where(big, np.float32(1 / size), np.float32(1))
    runs, step = runs * factor, 1
    while step < size:
        pairs = runs.reshape(-1, size // (2 * step), 2, step)
        runs = np.stack((pairs[:, :, 0] + pairs[:, :, 1], pairs[:, :, 0] - pairs[:, :, 1]), axis=2).reshape(-1, size)
        step *= 2
    with np.errstate(over="ignore"):
        runs = (runs * np.float32(1 / np.sqrt(size)) / factor).astype(np.float32)
    rotated = np.clip(runs, -LARGEST, LARGEST).reshape(*x.shape[:-1], whole)
    return np.concatenate((rotated, x[..., whole:]), axis=-1)


def outlier_mask(x: Float32, grid: Grid, outliers: Outliers) -> NDArray[np.bool_]:
    """True for the values of each block that are kept apart: the largest magnitudes, of equal ones the first; never NaN or ±inf."""
    mask = np.zeros(grid.shape, bool)
    values = x.reshape(grid.shape)
    magnitude = np.where(np.isfinite(values), np.abs(values), np.float32(-1))
    for m in range(grid.shape[0]):
        for top in range(0, grid.shape[1], grid.rows):
            band = magnitude[m, top : top + grid.rows]
            for left, right in _spans(grid):
                block = (
                    band[:, left:right].reshape(band.shape[0], -1, min(grid.columns, right - left)).transpose(1, 0, 2)
                )
                flat = np.ascontiguousarray(block).reshape(block.shape[0], -1)
                chosen = _largest(flat, outliers.count(flat.shape[1])).reshape(block.shape)
                mask[m, top : top + grid.rows, left:right] = chosen.transpose(1, 0, 2).reshape(band.shape[0], -1)
    return mask.reshape(x.shape)


def _spans(grid: Grid) -> list[tuple[int, int]]:
    """Column ranges of the whole blocks together, and of the short last one."""
    columns = grid.shape[2]
    whole = columns - columns % grid.columns
    return [(a, b) for a, b in ((0, whole), (whole, columns)) if b > a]


def _largest(magnitude: Float32, count: int) -> NDArray[np.bool_]:
    """The `count` largest of each row, the first of equal ones; what is negative is not there."""
    chosen = np.zeros(magnitude.shape, bool)
    if count:
        order = np.argsort(-magnitude, axis=1, kind="stable")[:, :count]
        np.put_along_axis(chosen, order, True, axis=1)
    return chosen & (magnitude >= 0)
