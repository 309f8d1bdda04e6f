"""What options do around the rounding of blocks: mean, Hadamard rotation, outliers. Arrays are (matrices, rows, columns) float32."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fewbits.block import Grid
from fewbits.formats import Format, Outliers

__all__ = ["LARGEST", "hadamard", "moved", "outlier_mask", "restored"]

Float32 = NDArray[np.float32]

LARGEST = np.finfo(np.float32).max
PIECE = 1 << 14  # values that are rotated at once: with what is made of them they stay in cache


def moved(x: Float32, f: Format, mean: np.float32) -> Float32:
    """The values that are rounded in the place of `x`: without the mean, rotated."""
    y = np.where(np.isfinite(x), np.clip(x - mean, -LARGEST, LARGEST), x) if f.mean else x
    return hadamard(np.where(np.isfinite(y), y, np.float32(0)), f.hadamard) if f.hadamard else y


def restored(
    x: Float32, moved: Float32, y: Float32, mask: NDArray[np.bool_], kept: Float32, f: Format, mean: np.float32
) -> Float32:
    """The way back from `y`, the reconstruction of `moved`: outliers as `kept`, rotated back, with the mean; non-finite x as they are."""
    y = np.where(mask, kept, np.where(np.isfinite(moved), y, np.float32(0)))
    y = (hadamard(y, f.hadamard) if f.hadamard else y) + mean
    return np.where(np.isfinite(x), y, x).astype(np.float32)


def hadamard(x: Float32, size: int) -> Float32:
    """Rotate runs of `size` columns by the orthonormal Walsh–Hadamard matrix, its own inverse; a short last run stays as it is.

    float32 butterflies over distances 1, 2, 4 …, then one multiplication by 1 / √size rounded to float32; runs whose sums could
    leave float32 are divided by `size` before and multiplied by it after. Saturates.
    """
    whole = x.shape[-1] - x.shape[-1] % size
    rotated = np.empty_like(x)
    rotated[..., whole:] = x[..., whole:]
    runs: Float32 = x[..., :whole].reshape(-1, size)
    done: Float32 = np.empty_like(runs)
    step = max(PIECE // size, 1)
    for start in range(0, len(runs), step):
        done[start : start + step] = _rotated(np.ascontiguousarray(runs[start : start + step].T)).T
    rotated[..., :whole] = done.reshape(*x.shape[:-1], whole)
    return rotated


def _rotated(runs: Float32) -> Float32:
    """Runs as columns, so that the loops are over runs."""
    size = len(runs)
    big = np.abs(runs).max(axis=0) > LARGEST / np.float32(size)
    factor = np.where(big, np.float32(1 / size), np.float32(1))
    runs, step = runs * factor, 1
    while step < size:
        pairs, made = runs.reshape(size // (2 * step), 2, step, -1), np.empty_like(runs)
        halves = made.reshape(pairs.shape)
        np.add(pairs[:, 0], pairs[:, 1], out=halves[:, 0])
        np.subtract(pairs[:, 0], pairs[:, 1], out=halves[:, 1])
        runs, step = made, 2 * step
    with np.errstate(over="ignore"):
        runs = (runs * np.float32(1 / np.sqrt(size)) / factor).astype(np.float32)
    return np.clip(runs, -LARGEST, LARGEST)


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
